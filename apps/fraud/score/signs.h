/* SPDX-License-Identifier: GPL-3.0-or-later */
/* signs.h - signs that an analyst knows by name, each with a floor below which no score goes, and
 * what keeps a score from certainty where the model cannot know.
 *
 * A sign compares the payment with what its sender usually does. Its strength never falls while
 * what it measures grows: more new payees, a larger amount, more of the money passed on. It is a
 * logit above the review line (FRAUD_SIGN_REVIEW): 0 and more asks for a review. The strongest one
 * is the floor. It asks for a person and never blocks: no floor lies above FRAUD_SIGN_MOST.
 *
 * Two signs take certainty away. A payment with figures far outside of what training saw is unsure:
 * its score stays between FRAUD_SIGN_REVIEW and FRAUD_SIGN_MOST. A payment in the sender's routine
 * (an end that it pays regularly, an amount like before) without another sign stays below
 * FRAUD_SIGN_ROUTINE.
 *
 * What a sign changes is an item "signs" of the result, so the trace adds up.
 * Owns:    nothing; a fraud_signs is plain data. Threads: any, all functions are pure.
 * Errors:  none. */
#ifndef FRAUD_SIGNS_H
#define FRAUD_SIGNS_H

#include "graph/state.h"
#include "score/unusual.h"

/* Probabilities. */
#define FRAUD_SIGN_REVIEW  0.2
#define FRAUD_SIGN_MOST    0.7
#define FRAUD_SIGN_ROUTINE 0.5

enum { FRAUD_SIGN_LOOKS = 64 }; /* newest payments of an end and direction that are looked at */

/* What the newest payments of the sender say, captured before the payment itself counts. */
typedef struct fraud_signs {
    struct { /* payments out that were the first of their pair */
        uint32_t n;
        double sum; /* main units */
    } fresh_1h, fresh_1d;
    double fresh_a_day;       /* the same on the days before, a day */
    double watched;           /* days that the state has seen: at first everybody is new */
    uint32_t hour_n, usual_n; /* payments out within the hour, and older ones */
    double hour_ln;           /* mean of ln(amount); NaN: none */
    double usual_ln, usual_sd;
    double largest_ln;    /* of the older ones; NaN: none */
    uint32_t below;       /* payments out of three days just below `limit`, as this one is */
    double limit;         /* main units; 0: this amount lies below none */
    uint32_t back, forth; /* payments of this size within three days, to the sender from this end
                             and to it */
    int64_t back_ms;      /* since the newest one back */
    bool fresh;           /* the sender never paid this end, as far as is known */
} fraud_signs;

/* s->now is the payment's time; both ends exist. */
void fraud_signs_capture(const fraud_state *s, const fraud_payment *p, uint32_t from, uint32_t to,
                         fraud_signs *out);

/* Moves a result to its floor or below its ceiling, and adds the item "signs" where that changes
 * it. */
void fraud_signs_apply(const fraud_explained *x, fraud_result *r);
/* The strongest sign in words; false: there is none. item: of the model, whose evidence it is.
 * strong: it asks for a review. The contribution is 0. x->signs is read, its features are not. */
bool fraud_signs_reason(const fraud_explained *x, const fraud_result *r, fraud_reason *out,
                        int *item, bool *strong);
/* What the item "signs" adds or takes away, in words; false: the result has no such item. */
bool fraud_signs_moved(const fraud_explained *x, const fraud_result *r, fraud_reason *out);

#endif
