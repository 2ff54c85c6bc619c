/* SPDX-License-Identifier: GPL-3.0-or-later */
/* patterns.h - what a new edge u -> v closes in the graph of the last 28 days, counted by bounded
 * search. The idea of counting patterns per new edge is that of the Graph Feature Preprocessor
 * (Blanusa et al. 2024).
 *
 * Call it before the payment is inserted. Ends with the role external (salary payers, cash desks,
 * pools of other banks) are never walked through. The newest FRAUD_NEAR payments of each end
 * count, and the newest FRAUD_FAR of each of their ends.
 * Owns:    nothing. Threads: any number while the state does not change. Errors: none.
 * Units:   counts, days, differences of ln(amount). */
#ifndef FRAUD_PATTERNS_H
#define FRAUD_PATTERNS_H

#include "graph/state.h"

#include <stddef.h>

enum { FRAUD_NEAR = 24, FRAUD_FAR = 12 };

/* The features, in the model's order: a row is the name of the field and of the column. An "other"
 * account is one that is neither u nor v. NaN: there is nothing to measure. */
/* clang-format off */
#define FRAUD_PATTERN_FEATURES(X)                                                                \
    X(cycle2)            /* circles that the new edge closes, of 2, 3, 4 edges, times rising */  \
    X(cycle3)                                                                                    \
    X(cycle4)                                                                                    \
    X(cycle_age)         /* days since the youngest closing path began */                        \
    X(cycle_ratio)       /* smallest |ln| of new amount over a closing path's last amount */     \
    X(parallel)          /* others a with u -> a -> v */                                         \
    X(shared_source)     /* others b with s -> u, s -> b and b -> v: scatter-gather */           \
    X(shared_sink)       /* others b with b -> v and u -> x, b -> x: bipartite flow */           \
    X(up2)               /* distinct entities two hops upstream of u */                          \
    X(down2)             /* distinct entities two hops downstream of v */                        \
    X(up_fan_out)        /* greatest 28-day distinct counts among u's sources */                 \
    X(up_fan_in)                                                                                 \
    X(peer_fan_out)      /* the same among v's other sources */                                  \
    X(peer_fan_in)                                                                               \
    X(side_fan_in)       /* the same among u's other sinks */                                    \
    X(side_fan_out)                                                                              \
    X(down_fan_in)       /* the same among v's sinks */                                          \
    X(down_fan_out)                                                                              \
    X(peer_fan_out_mean) /* means of the same counts */                                          \
    X(side_fan_in_mean)                                                                          \
    X(depth)             /* longest chain of payments that ends in u (7 days a link) */          \
    X(through_age)       /* the payment into u nearest in amount: its age in days */             \
    X(through_ratio)     /* and its difference in ln */                                          \
    X(peer_amount)       /* share of v's other inflows within FRAUD_PATTERN_CLOSE */             \
    X(side_amount)       /* share of u's other outflows within FRAUD_PATTERN_CLOSE */            \
    X(peer_new)          /* share of v's other payers who paid it once in 28 days */             \
    X(side_new)          /* share of u's other payees whom it paid once in 28 days */
/* clang-format on */

enum { FRAUD_PATTERN_CLOSE = 256 }; /* of 1024 * ln: a quarter, from 78 % to 128 % */

#define FRAUD_PATTERN_FIELD(name) float name;
typedef struct {
    FRAUD_PATTERN_FEATURES(FRAUD_PATTERN_FIELD)
    int32_t ln; /* 1024 * ln of the new amount; no feature */
} fraud_patterns;

enum { FRAUD_N_PATTERN_NUM = offsetof(fraud_patterns, ln) / sizeof(float) };

/* s->now is the payment's time; from and to exist. ln: of its amount. */
void fraud_patterns_count(const fraud_state *s, uint32_t from, uint32_t to, int32_t ln,
                          fraud_patterns *out);
/* The cheap gate before fraud_findings_search, by counters and the newest payments of both ends.
 * False: none of its typologies can be closed by the new edge, up to the bounds above.
 * lab/bench/fraud_findings.c measures what that loses. */
bool fraud_patterns_gate(const fraud_state *s, uint32_t from, uint32_t to, const fraud_patterns *p);

#endif
