/* SPDX-License-Identifier: GPL-3.0-or-later */
/* metrics.h - figures over scored payments. Ties are handled exactly. A figure whose denominator
 * is empty is NaN.
 *
 * Rates are quoted on inner (account-to-account) transfers where a layout has them. Shops and
 * salaries are most of the traffic and are never laundering: they make every false-positive rate
 * look ten times better.
 * Owns: nothing. Threads: any. Errors: fraud_rings has R1_E_NOMEM; elsewhere that is NaN. */
#ifndef FRAUD_METRICS_H
#define FRAUD_METRICS_H

#include "r1_base.h"

typedef struct {
    double score; /* rises with suspicion: the logit */
    double prob;  /* for the calibration error */
    int64_t day;  /* number of the day */
    int64_t amount;
    int32_t card; /* the entity that is inspected for cp100 */
    int32_t from, to;
    int32_t ring;  /* -1: none */
    uint8_t label; /* 0 or 1 */
    uint8_t typology;
} fraud_scored;

double fraud_auc(const fraud_scored *x, size_t n);
/* Average precision: the sum over distinct scores of (recall step) * precision. */
double fraud_ap(const fraud_scored *x, size_t n);
/* Calibration error over FRAUD_ECE_BINS bins of equal mass. */
enum { FRAUD_ECE_BINS = 15 };
double fraud_ece(const fraud_scored *x, size_t n);
/* The lowest threshold (score >= it is an alert) whose share of false alerts among the good is
 * at most fpr. */
double fraud_threshold_fpr(const fraud_scored *x, size_t n, double fpr);
/* The threshold whose share of alerts among all is at most rate. */
double fraud_threshold_rate(const fraud_scored *x, size_t n, double rate);
/* Recall at a threshold, of one typology or (0) of all. */
double fraud_recall(const fraud_scored *x, size_t n, double threshold, unsigned typology);
double fraud_f1(const fraud_scored *x, size_t n, double threshold);
/* Card precision (handbook, chapter 4): per day the `top` cards of highest score; a card that was
 * caught leaves the next days. */
double fraud_card_precision(const fraud_scored *x, size_t n, size_t top);

enum { FRAUD_RING_EARLY = 3 };

typedef struct {
    double any;          /* share of rings with one alert */
    double half;         /* share whose alerted transfers touch half of their accounts */
    double early3;       /* recall over the first FRAUD_RING_EARLY transfers of each ring */
    double value_before; /* median share of a ring's value moved before its first alert */
    size_t n;
} fraud_ring_figures;
/* x in the order of time. */
r1_status fraud_rings(const fraud_scored *x, size_t n, double threshold, fraud_ring_figures *out,
                      r1_err *err);

#endif
