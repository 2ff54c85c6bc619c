/* SPDX-License-Identifier: Apache-2.0 */
/* med_port.h - the service over HTTP. schemas/http/r1-medical.openapi.json describes the routes,
 * and a test holds both to each other.
 *
 *     GET  /livez /readyz /metrics /v1/openapi.json /cds-services     for everybody
 *     POST /v1/records        a record of any kind: findings and report
 *     POST /v1/findings       a file of findings: the report, ranked again
 *     POST /v1/report         a record or findings, with the patient's genes, sex and age
 *     GET  /v1/terms          findings by the beginnings of words
 *     POST /cds-services/r1-rare-disease                              a CDS Hooks card
 *     POST /v1/knowledge      swaps the knowledge base                admin token
 *
 * Each request but the first line's needs a bearer token, and all of them together have a rate.
 * Both are asked before a body is read. Nothing of a record is logged: a line names route,
 * status, time and bytes.
 *
 * Owns:    the HTTP server. Borrows the rest.
 * Threads: new and free from one thread; handlers run on the server's.
 * Errors:  those of r1_http_start. */
#ifndef MED_PORT_H
#define MED_PORT_H

#include "http/http.h"
#include "serve/med_intake.h"
#include "serve/med_service.h"

typedef struct {
    const char *listen;
    med_service *service;
    med_intake *intake;              /* NULL: no stream */
    const char *token, *admin_token; /* admin_token NULL: nobody may swap by the port */
    unsigned per_minute;             /* requests with a token */
    int wait_ms;                     /* for a judge */
    const char *api;                 /* text of the OpenAPI file */
} med_port_opts;

typedef struct med_port med_port;
r1_status med_port_new(med_port **out, const med_port_opts *opts, r1_err *err);
void med_port_free(med_port *p); /* NULL is fine */
int med_port_number(const med_port *p);

/* The routes, and whom each is for; NULL past the last one. */
typedef enum { MED_FOR_ALL, MED_FOR_USERS, MED_FOR_ADMINS } med_audience;
const r1_http_route *med_port_route(size_t i, med_audience *whom);

/* The type of an Accept header that fits best, an index into type[]; -1: none. NULL accepts all. */
int med_accept(const char *accept, const char *const *type, int n);

#endif
