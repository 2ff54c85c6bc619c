/* SPDX-License-Identifier: Apache-2.0 */
/* prometheus.h - prints metrics in Prometheus' text format 0.0.4: HELP and TYPE once for each
 * family, then its samples.
 *
 * Owns:    nothing; writes to an open stream. Threads: one per r1_prom.
 * Errors:  those of the stream (ferror). */
#ifndef R1_PROMETHEUS_H
#define R1_PROMETHEUS_H

#include "metrics/histogram.h"

#include <stdio.h>

#define R1_PROM_TYPE "text/plain; version=0.0.4; charset=utf-8"
enum { R1_PROM_LABELS_BYTES = 512 };

typedef struct {
    FILE *out;
    const char *family; /* the one in hand; NULL at the beginning */
} r1_prom;

/* Begins a family; the same one again goes on. type: "counter", "gauge" or "histogram". */
void r1_prom_family(r1_prom *p, const char *name, const char *type, const char *help);
/* One sample of the family in hand: family + suffix, {labels}. labels NULL or "": none. */
void r1_prom_sample(r1_prom *p, const char *suffix, const char *labels, double value);
/* Buckets at the edges, sum and count; unit: what one step of the histogram is in the family's
 * unit, 1e-6 for microseconds in a family of seconds. */
void r1_prom_histogram(r1_prom *p, const char *labels, const r1_histogram *h, const int64_t *edge,
                       size_t n_edge, double unit);
/* Adds name="value" to a list of labels, with escapes. false: it did not fit, and nothing was
 * added. */
bool r1_prom_label(char labels[R1_PROM_LABELS_BYTES], const char *name, const char *value);

#endif
