/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cases.h - a data set in memory: a compact table of labelled payments, and the payments that it
 * gives out. The readers of the layouts fill it (dataset.c, recording.c).
 *
 * Owns:    all that it holds. Threads: read-only once it is filled. */
#ifndef FRAUD_CASES_H
#define FRAUD_CASES_H

#include "payment/payment.h"

/* Name in code, name on the command line. The last one is our own: recording.h. */
#define FRAUD_LAYOUTS(X)                                                                           \
    X(HANDBOOK, "handbook")                                                                        \
    X(AMLGENTEX, "amlgentex")                                                                      \
    X(AMLSIM, "amlsim")                                                                            \
    X(SFFSD, "sffsd")                                                                              \
    X(SPARKOV, "sparkov")                                                                          \
    X(IBM, "ibm")                                                                                  \
    X(PAYSIM, "paysim")                                                                            \
    X(SAMLD, "samld")                                                                              \
    X(ULB, "ulb")                                                                                  \
    X(ELLIPTIC, "elliptic")                                                                        \
    X(R1, "r1")
#define FRAUD_LAYOUT_ID(id, name)     FRAUD_LAYOUT_##id,
#define FRAUD_LAYOUT_CHOICE(id, name) "|" name
typedef enum { FRAUD_LAYOUTS(FRAUD_LAYOUT_ID) FRAUD_N_LAYOUT } fraud_layout;
#define FRAUD_LAYOUT_CHOICES (&FRAUD_LAYOUTS(FRAUD_LAYOUT_CHOICE)[1]) /* "handbook|amlgentex..." */
extern const char *const FRAUD_LAYOUT_NAME[FRAUD_N_LAYOUT];

enum { FRAUD_LABEL_GOOD = 0, FRAUD_LABEL_FRAUD = 1, FRAUD_LABEL_UNKNOWN = 2 };

typedef struct {
    int64_t ts, amount_minor;
    int64_t label_ts;       /* when the label may be used by features; INT64_MAX: never */
    int64_t balance[2];     /* INT64_MIN: missing */
    int32_t from, to;       /* numbers of names */
    int32_t category, text; /* index into words, -1 = missing */
    int32_t ring;           /* -1 = none */
    float lat, lon;         /* NaN = missing */
    uint8_t kind, from_role, to_role, label;
    uint8_t typology; /* index into typologies, 0 = none */
} fraud_case;

typedef struct {
    fraud_case *cases;
    /* r1: whole, as recorded; else NULL, and fraud_dataset_payment makes them from the cases */
    fraud_payment *payments;
    size_t n, cap;
    char **words;
    size_t n_word;
    struct account_numbers
        *accounts;                 /* of layouts that name them; NULL: none (account_numbers.h) */
    const char *const *typologies; /* the layout's own names */
    size_t n_typology;
    size_t n_ring; /* 0 = the layout has none */
    fraud_layout layout;
    int64_t start;   /* ts of the first day's midnight */
    uint32_t number; /* part of tx_ids: draws do not collide */
} fraud_dataset;

/* One more case, nothing known of it yet. */
r1_status fraud_cases_push(fraud_dataset *d, fraud_case **out, r1_err *err);
/* The word's index, added when new; -1: no room or no memory. */
int32_t fraud_cases_word(fraud_dataset *d, const char *text);
/* Payment i, i < d->n. */
void fraud_dataset_payment(const fraud_dataset *d, size_t i, fraud_payment *p);
void fraud_dataset_free(fraud_dataset *d); /* NULL is fine */

#endif
