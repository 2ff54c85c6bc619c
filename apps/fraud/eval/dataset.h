/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dataset.h - public layouts of labelled payments, read into one compact table that gives out
 * fraud_payments.
 *
 * Layouts: handbook (Fraud-Detection-Handbook), amlgentex (aidotse/AMLGentex), amlsim
 * (IBM/AMLSim samples), sffsd (AI4Risk/antifraud), sparkov (Sparkov_Data_Generation), r1 (our
 * own: recording.c). Files may be plain or end in .zst (read through the zstd library), bounded
 * by FRAUD_DATASET_BYTES_MAX.
 *
 * AMLGentex lists normal transfers first and laundering last inside each step: position alone
 * has an AUC of .96. Rows of one step are therefore shuffled with a fixed seed, here and in
 * lab/peers.
 * Owns: all. Threads: read-only after load. */
#ifndef FRAUD_DATASET_H
#define FRAUD_DATASET_H

#include "payment/payment.h"

#define FRAUD_DATASET_BYTES_MAX ((size_t)1 << 30)

typedef enum {
    FRAUD_LAYOUT_HANDBOOK = 0,
    FRAUD_LAYOUT_AMLGENTEX,
    FRAUD_LAYOUT_AMLSIM,
    FRAUD_LAYOUT_SFFSD,
    FRAUD_LAYOUT_SPARKOV,
    FRAUD_LAYOUT_R1,
    FRAUD_N_LAYOUT
} fraud_layout;
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
    uint8_t kind, from_role, to_role, label,
        typology; /* typology: index into typologies, 0 = none */
} fraud_case;

typedef struct {
    fraud_case *cases;
    fraud_payment *
        /* r1: whole, as recorded; else NULL, and fraud_dataset_payment makes them from the cases */
        payments;
    size_t n, cap;
    char **words;
    size_t n_word;
    const char *const *typologies;
    size_t n_typology;
    size_t n_ring; /* 0 = the layout has none */
    fraud_layout layout;
    int64_t start;   /* ts of the first day's midnight */
    uint32_t number; /* part of tx_ids: draws do not collide */
} fraud_dataset;

/* path: the layout's file, or the folder that holds it. accounts: the file of accounts where the
 * layout has one; NULL: beside. */
r1_status fraud_dataset_load(fraud_dataset **out, fraud_layout layout, const char *path,
                             const char *accounts, uint32_t number, r1_err *err);
void fraud_dataset_free(fraud_dataset *d); /* NULL is fine */
void fraud_dataset_payment(const fraud_dataset *d, size_t i, fraud_payment *p);

#endif
