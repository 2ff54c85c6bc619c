/* SPDX-License-Identifier: Apache-2.0 */
/* med_port_internal.h - what the port's pages share. Private to this room. */
#ifndef MED_PORT_INTERNAL_H
#define MED_PORT_INTERNAL_H

#include "metrics/histogram.h"
#include "serve/med_port.h"

#include <pthread.h>
#include <stdatomic.h>

struct med_port {
    med_port_opts o;
    r1_http *http;
    r1_http_route route[R1_HTTP_ROUTES_MAX];
    pthread_mutex_t lock; /* guards what follows */
    double tokens;        /* requests that may come now */
    int64_t filled_us;
    r1_histogram *took; /* of each route, microseconds in its handler */
    atomic_uint_fast64_t unauthorized, limited;
};

/* Takes o; NULL: no memory, and the status stays 500. */
void med_answer_json(r1_http_answer *a, int status, json_t *o);
void med_answer_text(r1_http_answer *a, int status, const char *type, char *text, size_t len);
/* A refusal in words, which may quote what the client sent. */
void med_answer_error(r1_http_answer *a, r1_status st, const r1_err *err);
void med_answer_refused(r1_http_answer *a, int status, const char *why);

void med_page_records(void *ctx, const r1_http_request *q, r1_http_answer *a);
void med_page_findings(void *ctx, const r1_http_request *q, r1_http_answer *a);
void med_page_report(void *ctx, const r1_http_request *q, r1_http_answer *a);
void med_page_terms(void *ctx, const r1_http_request *q, r1_http_answer *a);
void med_page_hooks(void *ctx, const r1_http_request *q, r1_http_answer *a);
void med_page_card(void *ctx, const r1_http_request *q, r1_http_answer *a);
/* Prometheus' text of the whole service, malloc'ed; NULL: no memory. */
char *med_port_metrics(struct med_port *p, size_t *len);

#endif
