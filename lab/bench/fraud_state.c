/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fraud_state.c - what the state costs when it is full: bytes resident, and microseconds a payment
 * for the first and the last share of a stream that fills every table.
 *
 *     fraud_state [accounts [payments [edges [pairs [payees [new_share [hub_share]]]]]]]
 *
 * Each account pays `payees` others in turn. Of 1,000 payments new_share have a sender that nobody
 * has seen, so that a full table must forget a row, and hub_share go to one account. What a payment
 * costs is what the engine does with the state: the columns and patterns are read, the payment is
 * inserted, and findings are searched where the gate lets it through. Times are the thread's
 * processor time; memory is what the kernel counts for the process. */
#include "features/columns.h"
#include "graph/findings.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    uint64_t accounts, payments, edges, pairs, payees, new_share, hub_share;
} plan;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t resident_bytes(void)
{
    unsigned long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f) return 0;
    if (fscanf(f, "%lu %lu", &pages, &resident) != 2) resident = 0;
    fclose(f);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void plan_payment(const plan *l, r1_rng *rng, uint64_t i, fraud_payment *p)
{
    uint64_t from = r1_rng_below(rng, l->accounts), k = r1_rng_below(rng, l->payees),
             to = (from + 1 + k * 7919) % l->accounts;
    if (r1_rng_below(rng, 1000) < l->new_share) from = l->accounts + i;
    if (r1_rng_below(rng, 1000) < l->hub_share) to = 0;
    *p = (fraud_payment){.ts = INT64_C(1700000000000) + (int64_t)i / 2,
                         .amount_minor = 100 + (int64_t)r1_rng_below(rng, 100000),
                         .minor_digits = 2,
                         .currency = "EUR"};
    snprintf(p->tx_id, sizeof p->tx_id, "tx-%012" PRIu64, i);
    snprintf(p->from, sizeof p->from, "DE89%018" PRIu64, from);
    snprintf(p->to, sizeof p->to, "DE89%018" PRIu64, to);
}

typedef struct { /* seconds of one share of the stream */
    double insert, read, search, longest;
} plan_times;

static void plan_apply(fraud_state *s, const fraud_payment *p, plan_times *t)
{
    static fraud_features features;
    static fraud_finding found[FRAUD_FINDINGS_MAX];
    double t0 = now_s();
    fraud_state_advance(s, p->ts);
    uint32_t from = fraud_state_entity(s, p->from, p->from_role),
             to = fraud_state_entity(s, p->to, p->to_role);
    double t1 = now_s();
    fraud_features_tables(s, p, from, to, &features);
    fraud_patterns_count(s, from, to, fraud_ln1024(fraud_hundredths(p)), &features.pattern);
    fraud_features_ego(s, p, from, to, &features);
    bool gate = fraud_patterns_gate(s, from, to, &features.pattern);
    double t2 = now_s();
    uint64_t seq = fraud_state_insert(s, p, from, to);
    double t3 = now_s();
    if (gate) fraud_findings_search(s, seq, found, FRAUD_FINDINGS_MAX);
    double t4 = now_s();
    t->insert += t1 - t0 + t3 - t2;
    t->read += t2 - t1;
    t->search += t4 - t3;
    if (t4 - t0 > t->longest) t->longest = t4 - t0;
}

static void plan_run(const plan *l, fraud_state *s)
{
    r1_rng rng;
    r1_rng_seed(&rng, 1);
    uint64_t share = l->payments / 10 ? l->payments / 10 : 1;
    plan_times t = {0};
    for (uint64_t i = 0; i < l->payments; i++) {
        fraud_payment p;
        plan_payment(l, &rng, i, &p);
        plan_apply(s, &p, &t);
        if ((i + 1) % share) continue;
        printf("%10" PRIu64 " payments: us a payment: %.2f insert, %.2f read, %.2f search, longest "
               "%.0f; %" PRIu64 " MB resident, %u accounts, %u pairs, %" PRIu64 " edges\n",
               i + 1, t.insert * 1e6 / (double)share, t.read * 1e6 / (double)share,
               t.search * 1e6 / (double)share, t.longest * 1e6, resident_bytes() / 1000000,
               s->entities.used, s->pairs.used, s->seq_next - s->seq_first);
        t = (plan_times){0};
    }
}

/* Labels of the newest payments, newest first, and each of them taken back, oldest first. */
static void plan_label(const plan *l, fraud_state *s)
{
    enum { LABELS = 2000 };
    double t0 = now_s();
    for (int i = 0; i < 2 * LABELS && l->payments > LABELS; i++) {
        char tx_id[32];
        bool is_fraud = i < LABELS;
        uint64_t back = (uint64_t)(is_fraud ? i : 2 * LABELS - i - 1) + 1;
        snprintf(tx_id, sizeof tx_id, "tx-%012" PRIu64, l->payments - back);
        fraud_state_label(s, tx_id, is_fraud, NULL);
    }
    printf("%d labels newest first, taken back oldest first: %.2f us each\n", (int)LABELS,
           (now_s() - t0) * 1e6 / (2 * LABELS));
}

static uint64_t plan_word(int argc, char **argv, int i, uint64_t otherwise)
{
    return argc > i ? strtoull(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    const plan l = {.accounts = plan_word(argc, argv, 1, 1000000),
                    .payments = plan_word(argc, argv, 2, 12000000),
                    .edges = plan_word(argc, argv, 3, 10000000),
                    .pairs = plan_word(argc, argv, 4, 4000000),
                    .payees = plan_word(argc, argv, 5, 4),
                    .new_share = plan_word(argc, argv, 6, 0),
                    .hub_share = plan_word(argc, argv, 7, 0)};
    fraud_state *s = NULL;
    r1_err err = {0};
    if (!l.accounts || !l.payees ||
        fraud_state_new(&s, (uint32_t)l.edges, (uint32_t)l.accounts, (uint32_t)l.pairs, &err) !=
            R1_OK) {
        fprintf(stderr, "fraud_state: %s\n", err.msg);
        return 2;
    }
    fraud_findings_init();
    printf("reserved: %" PRIu64 " MB\n",
           fraud_state_bytes((uint32_t)l.edges, (uint32_t)l.accounts, (uint32_t)l.pairs) / 1000000);
    setvbuf(stdout, NULL, _IOLBF, 0);
    plan_run(&l, s);
    plan_label(&l, s);
    fraud_state_free(s);
    return 0;
}
