/* SPDX-License-Identifier: GPL-3.0-or-later */
/* patterns.h - what a new edge u -> v closes in the graph of the last 28 days, counted by
 * bounded search; and the bounded ego network around it. The idea of counting patterns per new
 * edge is that of the Graph Feature Preprocessor (Blanusa et al. 2024).
 *
 * Called before the payment is inserted. Ends with role external (salary payers, cash desks,
 * other banks' pools) are never walked through. Bounds: the newest FRAUD_NEAR payments of each
 * end, the newest FRAUD_FAR of each of their ends. */
#ifndef FRAUD_PATTERNS_H
#define FRAUD_PATTERNS_H

#include "graph/state.h"

#include <stddef.h>

enum { FRAUD_NEAR = 24, FRAUD_FAR = 12 };

typedef struct {
    float cycle2, cycle3, cycle4; /* closed by the new edge, in the order of time */
    float cycle_age;              /* days since the youngest closing path began; NaN: none */
    float
        /* |ln| of new amount over the closing path's last amount, smallest; NaN: none */
        cycle_ratio;
    float parallel;                  /* other a with u -> a -> v */
    float shared_source;             /* other b with s -> u, s -> b and b -> v: scatter-gather */
    float shared_sink;               /* other b with b -> v and u -> x, b -> x: bipartite flow */
    float up2, down2;                /* distinct entities two hops upstream of u, downstream of v */
    float up_fan_out, up_fan_in;     /* greatest 28-day distinct counts among u's sources */
    float peer_fan_out, peer_fan_in; /* the same among v's other sources */
    float side_fan_in, side_fan_out; /* the same among u's other sinks */
    float down_fan_in, down_fan_out; /* the same among v's sinks */
    float peer_fan_out_mean, side_fan_in_mean;
    float depth; /* longest chain of payments that ends in this one (7 days a link) */
    float through_age,
        through_ratio; /* the payment into u nearest in amount (ln ratio), and its age in days */
    float peer_amount; /* share of v's other inflows within a quarter of the amount */
    float side_amount; /* share of u's other outflows within a quarter of the amount */
    float peer_new;    /* share of v's other recent sources seen there only once in 28 days */
    float side_new;
    int32_t ln; /* of the new amount; no feature */
} fraud_patterns;

enum { FRAUD_N_PATTERN_FEATURE = offsetof(fraud_patterns, ln) / sizeof(float) };
extern const char *const FRAUD_PATTERN_FEATURE[FRAUD_N_PATTERN_FEATURE];

/* s->now is the payment's time; from and to exist. ln: of its amount. */
void fraud_patterns_count(const fraud_state *s, uint32_t from, uint32_t to, int32_t ln,
                          fraud_patterns *out);
/* The cheap gate before fraud_findings_search, by counters and the newest payments of both ends:
 * false where none of its typologies can be closed by the new edge, up to the bounds above (what
 * that loses is measured: lab/bench/fraud_findings.c). */
bool fraud_patterns_gate(const fraud_state *s, uint32_t from, uint32_t to, const fraud_patterns *p);

#endif
