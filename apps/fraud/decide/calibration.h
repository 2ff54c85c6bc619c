/* SPDX-License-Identifier: GPL-3.0-or-later */
/* calibration.h - thresholds that were found on the user's own stream, as a versioned file.
 *
 * The file is JSON: format, made_at, model, stream, review and block. `r1-fraud calibrate` writes
 * it, `serve` takes it as the setting `calibration`, and a decision's configuration names it.
 *
 * Owns:    nothing; plain data. Threads: one.
 * Errors:  R1_E_INVAL with file, field, what was expected and what was found. */
#ifndef FRAUD_CALIBRATION_H
#define FRAUD_CALIBRATION_H

#include "r1_base.h"

#define FRAUD_CALIBRATION_FORMAT "r1-fraud calibration 1"

typedef struct {
    bool there;
    double at; /* probability */
    double per_day;
    /* With labels; NaN: none. The interval holds 95 % (Wilson). */
    double precision, low, high, recall;
} fraud_threshold;

typedef struct {
    char model[64]; /* as decision rows name it */
    char made_at[32], source[256], first[32], last[32];
    uint64_t payments, labels, fraud;
    double days;
    fraud_threshold review, block;
    char text[96]; /* "calibration=HASH made_at=...": for the policy's text */
} fraud_calibration;

r1_status fraud_calibration_read(fraud_calibration *c, const char *path, r1_err *err);
r1_status fraud_calibration_write(const fraud_calibration *c, const char *path, r1_err *err);
/* R1_E_INVAL where it was found with another model than this one. */
r1_status fraud_calibration_fits(const char *calibrated_for, const char *model, r1_err *err);

/* ---- finding the thresholds ---- */

typedef struct {
    float logit;
    int8_t label; /* 1 fraud, 0 not, -1 unknown: counts as not fraud */
} fraud_scored;

/* Sorts the payments, the highest score first. */
void fraud_scored_sort(fraud_scored *x, size_t n);
/* The lowest cut of sorted payments that keeps at least `precision`: by its point estimate, or by
 * the lower end of its interval where `sure`. Cuts of fewer than 20 payments are no evidence. */
void fraud_threshold_by_precision(const fraud_scored *x, size_t n, double days, double precision,
                                  bool sure, fraud_threshold *out);
/* The lowest cut with at most so many payments a day. */
void fraud_threshold_by_budget(const fraud_scored *x, size_t n, double days, double per_day,
                               bool labelled, fraud_threshold *out);
/* Raises a cut that is below `least`, a probability, to it: fewer payments a day, perhaps none.
 * Returns whether it did. */
bool fraud_threshold_raise(const fraud_scored *x, size_t n, double days, double least,
                           bool labelled, fraud_threshold *cut);
/* Both ends of Wilson's interval of 95 % for `hits` of n. */
void fraud_wilson(double hits, double n, double *low, double *high);

#endif
