/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fraud_work.c - what a payment costs in memory, from the first million to the last: state,
 * columns, patterns, findings, working memory and the model, without broker and database.
 *
 *     fraud_work MODEL [payments [accounts [share]]]
 *
 * Each account pays three others and takes part in what the stream brings. Batches of 32 payments
 * are applied, then scored, on one thread. Capacities are the service's defaults, so that every
 * table is full from about the first million on. Prints the thread's processor time for a payment,
 * for each share of the stream, and the last share beside the second one. */
#include "score/engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BATCH = 32, PAYEES = 3 };

static double work_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void work_payment(r1_rng *rng, uint64_t accounts, uint64_t i, fraud_payment *p)
{
    uint64_t from = r1_rng_below(rng, accounts), k = r1_rng_below(rng, PAYEES);
    *p = (fraud_payment){.ts = INT64_C(1700000000000) + (int64_t)i * 250,
                         .amount_minor = 100 + (int64_t)r1_rng_below(rng, 100000),
                         .minor_digits = 2,
                         .currency = "EUR"};
    snprintf(p->tx_id, sizeof p->tx_id, "tx-%012" PRIu64, i);
    snprintf(p->from, sizeof p->from, "DE89%018" PRIu64, from);
    snprintf(p->to, sizeof p->to, "DE89%018" PRIu64, (from + 1 + k * 7919) % accounts);
}

/* Applies and scores one batch; false: it failed, and err says why. */
static bool work_batch(fraud_engine *e, r1_rng *rng, uint64_t accounts, uint64_t first,
                       double *seconds, r1_err *err)
{
    static fraud_payment p[BATCH];
    static fraud_result result[BATCH];
    fraud_slot *slot[BATCH];
    r1_status st = R1_OK;
    for (int k = 0; k < BATCH; k++) work_payment(rng, accounts, first + (uint64_t)k, &p[k]);
    double began = work_now();
    int n = 0;
    for (; st == R1_OK && n < BATCH; n++)
        st = fraud_engine_apply(e, &p[n], (int64_t)first + n + 1, &slot[n], err);
    if (st == R1_OK) st = fraud_engine_score(e, slot, BATCH, result, err);
    for (int k = 0; st == R1_OK && k < n; k++) fraud_slot_release(e, slot[k]);
    *seconds += work_now() - began;
    return st == R1_OK;
}

static uint64_t work_word(int argc, char **argv, int i, uint64_t otherwise)
{
    return argc > i ? strtoull(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    uint64_t payments = work_word(argc, argv, 2, 10000000),
             accounts = work_word(argc, argv, 3, 100000), share = work_word(argc, argv, 4, 1000000);
    const fraud_engine_opts o = {.model_path = argc > 1 ? argv[1] : NULL, .slots_max = BATCH};
    fraud_engine *e = NULL;
    r1_err err = {0};
    r1_rng rng;
    if (argc < 2 || accounts < 2 || share < BATCH || fraud_engine_new(&e, &o, &err) != R1_OK) {
        fprintf(stderr, "fraud_work: expected MODEL [payments [accounts [share]]]: %s\n", err.msg);
        return 2;
    }
    r1_rng_seed(&rng, 1);
    setvbuf(stdout, NULL, _IOLBF, 0);
    double seconds = 0, second_share = 0, us = 0;
    uint64_t done = 0, since = 0, shares = 0;
    for (; done < payments; done += BATCH, since += BATCH) {
        if (since >= share || (done + BATCH >= payments && since)) {
            us = seconds * 1e6 / (double)since;
            if (++shares == 2) second_share = us;
            printf("%10" PRIu64 " payments: %.1f us each\n", done, us);
            seconds = 0;
            since = 0;
        }
        if (!work_batch(e, &rng, accounts, done, &seconds, &err)) {
            fprintf(stderr, "fraud_work: payment %" PRIu64 ": %s\n", done, err.msg);
            return 1;
        }
    }
    if (second_share > 0) printf("last share over the second: %.3f\n", us / second_share);
    fraud_engine_free(e);
    return 0;
}
