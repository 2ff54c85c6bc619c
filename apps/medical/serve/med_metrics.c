/* SPDX-License-Identifier: Apache-2.0 */
/* med_metrics.c - what the service measures, as Prometheus reads it. */
#include "metrics/prometheus.h"
#include "serve/med_port_internal.h"

#include <stdio.h>
#include <stdlib.h>

static const int64_t edge_us[] = {1000,   5000,   10000,   25000,   50000,  100000,
                                  200000, 500000, 1000000, 2500000, 5000000};

static void one(r1_prom *m, const char *name, const char *type, const char *help, double value)
{
    r1_prom_family(m, name, type, help);
    r1_prom_sample(m, "", NULL, value);
}

static void requests(r1_prom *m, struct med_port *p)
{
    const r1_http_route *route;
    r1_prom_family(m, "r1_medical_requests_total", "counter", "answers, by path and status class");
    for (size_t i = 0; (route = med_port_route(i, NULL)); i++)
        for (int c = 2; c <= 5; c++) {
            char labels[R1_PROM_LABELS_BYTES] = "", class_of[4];
            snprintf(class_of, sizeof class_of, "%dxx", c);
            r1_prom_label(labels, "path", route->path);
            r1_prom_label(labels, "status", class_of);
            r1_prom_sample(m, "", labels, (double)r1_http_answered(p->http, i, c));
        }
    r1_prom_family(m, "r1_medical_request_seconds", "histogram", "time in the handler, by path");
    for (size_t i = 0; (route = med_port_route(i, NULL)); i++) {
        char labels[R1_PROM_LABELS_BYTES] = "";
        r1_prom_label(labels, "path", route->path);
        pthread_mutex_lock(&p->lock);
        r1_prom_histogram(m, labels, &p->took[i], edge_us, R1_COUNT(edge_us), 1e-6);
        pthread_mutex_unlock(&p->lock);
    }
    one(m, "r1_medical_unauthorized_total", "counter", "requests without the token",
        (double)atomic_load(&p->unauthorized));
    one(m, "r1_medical_rate_limited_total", "counter", "requests above the rate",
        (double)atomic_load(&p->limited));
}

static void knowledge_of(r1_prom *m, struct med_port *p)
{
    med_service_stats s;
    med_service_stats_read(p->o.service, &s);
    one(m, "r1_medical_diseases", "gauge", "diseases with a profile", s.n_profiled);
    one(m, "r1_medical_terms", "gauge", "findings of the knowledge base", s.n_term);
    one(m, "r1_medical_knowledge_since_seconds", "gauge",
        "when the knowledge base in use came, seconds since 1970", (double)s.since_us / 1e6);
    one(m, "r1_medical_knowledge_swaps_total", "counter", "knowledge bases that were swapped in",
        (double)s.swaps);
    one(m, "r1_medical_knowledge_refused_total", "counter",
        "knowledge bases that could not be read, so that the old one stays",
        (double)s.failed_swaps);
    one(m, "r1_medical_judges", "gauge", "records that can be ranked at a time", s.judges);
    one(m, "r1_medical_judges_busy", "gauge", "records that are ranked now", s.busy);
}

static void stream_of(r1_prom *m, const med_port_opts *o)
{
    med_intake_stats s;
    if (!o->intake) return;
    med_intake_stats_read(o->intake, &s);
    r1_prom_family(m, "r1_medical_records_total", "counter",
                   "messages of the stream that were committed, by outcome");
    for (int i = 0; i < MED_OUTCOMES; i++) {
        char labels[R1_PROM_LABELS_BYTES] = "";
        r1_prom_label(labels, "outcome", med_outcome_name[i]);
        r1_prom_sample(m, "", labels, (double)s.outcome[i]);
    }
    one(m, "r1_medical_records_lag", "gauge", "messages that were not read yet", (double)s.lag);
    one(m, "r1_medical_commits_total", "counter", "transactions of the stream", (double)s.commits);
    one(m, "r1_medical_commit_retries_total", "counter", "transactions that were tried again",
        (double)s.retries);
}

char *med_port_metrics(struct med_port *p, size_t *len)
{
    char *text = NULL;
    FILE *f = open_memstream(&text, len);
    if (!f) return NULL;
    r1_prom m = {.out = f};
    requests(&m, p);
    knowledge_of(&m, p);
    stream_of(&m, &p->o);
    if (fclose(f) == 0) return text;
    free(text);
    return NULL;
}
