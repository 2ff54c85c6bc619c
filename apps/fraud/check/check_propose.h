/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check_propose.h - which fields of somebody's messages look like ours: by their names, and where
 * the name fits, by what stands in them. A person reads the proposal before it is used.
 *
 * Owns:    the caller frees a proposal's map text. Threads: one. Errors: R1_E_NOMEM. */
#ifndef FRAUD_CHECK_PROPOSE_H
#define FRAUD_CHECK_PROPOSE_H

#include "check/check_input.h"
#include "payment/payment_map.h"

enum { CHECK_PATH_BYTES = 128, CHECK_PATHS_MAX = 512, CHECK_SAMPLE = 200 };

/* One field of their messages, as the first CHECK_SAMPLE messages show it. */
typedef struct {
    char path[CHECK_PATH_BYTES];
    char example[64];
    size_t n;        /* messages that have it */
    bool taken;      /* by a field of ours */
    bool fractions;  /* a number with a point */
    bool numbers;    /* every value is one */
    bool zone;       /* every value is an ISO text with an offset */
    bool zones;      /* one value is */
    bool iso;        /* every value is an ISO text */
    int64_t largest; /* of whole numbers */
} check_path;

typedef struct {
    check_path path[CHECK_PATHS_MAX];
    size_t n;
    const check_path *of[FRAUD_N_F]; /* NULL: nothing looks like it */
    const char *format;              /* of time, for the mapping file */
    const char *kind, *currency;     /* constants where they have no field; NULL: they have one */
} check_proposal;

void check_propose(check_proposal *p, const check_input *in);
/* Whether a constant can stand for the field. One id, payer, time or amount for all messages would
 * make one payment of them. */
bool check_holds_for_all(fraud_field f);
/* The mapping file as text; free it. */
char *check_propose_text(const check_proposal *p);

#endif
