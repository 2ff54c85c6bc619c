/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tally.h - what is counted of each committed record beside the plain counters of the writer: time
 * by stage, counts by name, scores, drift, and how far each partition is committed.
 *
 * Drift is the population stability index (PSI) of a column: sum over its bins of
 * (now - first) * ln(now / first), where both are shares. `first` are the first
 * FRAUD_DRIFT_PAYMENTS payments after the start, `now` is the last full window of as many. Below
 * 0.1 nothing has moved, above 0.25 the stream is another one.
 *
 * Owns:    nothing; plain data of fixed size.
 * Threads: the writer's, under its lock; a copy is anybody's.
 * Errors:  none. A name too many counts as "other". */
#ifndef FRAUD_TALLY_H
#define FRAUD_TALLY_H

#include "metrics/histogram.h"
#include "write/ledger.h"

enum {
    FRAUD_COUNTS_MAX = 64,
    FRAUD_COUNT_NAME_BYTES = 48,
    FRAUD_DRIFT_BINS = 24,
    FRAUD_DRIFT_PAYMENTS = 10000,
    FRAUD_N_SCORE_EDGE = 16
};
extern const double FRAUD_SCORE_EDGE[FRAUD_N_SCORE_EDGE]; /* upper ends; above the last: no bin */

/* Counts by name, in order of appearance. */
typedef struct {
    struct {
        char name[FRAUD_COUNT_NAME_BYTES];
        uint64_t n;
    } row[FRAUD_COUNTS_MAX];
    size_t n_row;
    uint64_t other; /* of names that found no row */
} fraud_counts;
void fraud_counts_add(fraud_counts *c, const char *name, size_t len);

typedef enum {
    FRAUD_DRIFT_SCORE = 0, /* logit, a bin for each unit from -12 to 11 */
    FRAUD_DRIFT_AMOUNT,    /* minor units, a bin for each doubling */
    FRAUD_DRIFT_KIND,
    FRAUD_DRIFT_HOUR, /* UTC */
    FRAUD_N_DRIFT
} fraud_drift_column;
const char *fraud_drift_name(fraud_drift_column column);

typedef struct {
    uint32_t first[FRAUD_N_DRIFT][FRAUD_DRIFT_BINS], now[FRAUD_N_DRIFT][FRAUD_DRIFT_BINS];
    uint32_t n_first, n_now;
    double psi[FRAUD_N_DRIFT]; /* of the last full window */
    uint64_t windows;          /* full ones so far; 0: psi says nothing yet */
} fraud_drift;
/* Takes one payment's bin of each column. */
void fraud_drift_add(fraud_drift *d, const uint8_t bin[FRAUD_N_DRIFT]);

typedef struct {
    r1_histogram stage[FRAUD_N_CLOCK]; /* [k]: from clock k to the next; the last: to committed */
    r1_histogram arrival;             /* from sent_us, else the broker's time stamp, to committed */
    r1_histogram rows;                /* records of one transaction */
    fraud_counts rules;               /* decisions by the rule that made them */
    fraud_counts apart;               /* payments without a score: "rule reason" */
    uint64_t foreign;                 /* of them, for another currency than the stream's */
    fraud_counts dead[FRAUD_N_STAGE]; /* dead letters by the first word of their reason */
    fraud_counts left_out;            /* messages, by the field for which they are left out */
    uint64_t score[FRAUD_N_SCORE_EDGE];
    double score_sum;
    fraud_drift drift;
    /* Of each partition: the offset after the last committed record, and the broker's time stamp of
     * that record; 0: unknown. */
    int64_t next[FRAUD_N_TOPIC][FRAUD_PARTITIONS_MAX];
    int64_t broker_ms[FRAUD_N_TOPIC][FRAUD_PARTITIONS_MAX];
} fraud_tally;

/* Takes over where the partitions stand. */
void fraud_tally_begin(fraud_tally *t, const fraud_ledger *l);
/* One transaction of n records is committed. */
void fraud_tally_commit(fraud_tally *t, fraud_record *const *r, size_t n);

#endif
