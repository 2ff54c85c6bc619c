/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fraud_findings.c - on a generated world: how often findings are right, which rings they show,
 * what the gate before the search loses, and what both cost.
 *
 *     fraud_findings [seed [accounts [days [rings [ring_min ring_max]]]]]
 *
 * A finding is right when the payment that closed it is fraudulent. A ring is shown when one of
 * its payments had a finding of any pattern, named when it had one of the ring's own typology.
 * Times are the thread's processor time. */
#include "generate/generate.h"
#include "graph/findings.h"
#include "graph/patterns.h"
#include "score/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RINGS_MAX = 4096 };

typedef struct {
    unsigned long n[FRAUD_N_PATTERN], right[FRAUD_N_PATTERN], lost[FRAUD_N_PATTERN];
    unsigned long payments, fraud, fired, found_on, found_on_fraud, lost_on_fraud;
    double gate_us, search_us;
    unsigned char typology[RINGS_MAX], shown[RINGS_MAX], named[RINGS_MAX];
} counts;

/* The typologies and the patterns that are named alike. */
static int pattern_of(unsigned typology)
{
    static const int p[FRAUD_N_TYPOLOGY] = {-1,
                                            FRAUD_PATTERN_FAN_IN,
                                            FRAUD_PATTERN_FAN_OUT,
                                            FRAUD_PATTERN_CYCLE,
                                            FRAUD_PATTERN_SCATTER_GATHER,
                                            FRAUD_PATTERN_GATHER_SCATTER,
                                            FRAUD_PATTERN_STACK,
                                            FRAUD_PATTERN_BIPARTITE,
                                            -1,
                                            -1,
                                            -1};
    return p[typology];
}

static void count_one(counts *c, const fraud_generated *g, const fraud_finding *f, size_t n,
                      bool gate)
{
    c->payments++;
    c->fraud += g->typology != 0;
    c->fired += gate;
    c->found_on += n > 0;
    c->found_on_fraud += n > 0 && g->typology;
    c->lost_on_fraud += n > 0 && g->typology && !gate;
    for (size_t i = 0; i < n; i++) {
        c->n[f[i].pattern]++;
        c->right[f[i].pattern] += g->typology != 0;
        c->lost[f[i].pattern] += !gate;
        if (g->ring < 0 || g->ring >= RINGS_MAX || !gate) continue;
        c->shown[g->ring] = 1;
        c->named[g->ring] |= f[i].pattern == pattern_of(g->typology);
    }
}

static double processor_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static r1_status fraud_findings_walk(const fraud_generated *g, size_t n, counts *c, r1_err *err)
{
    fraud_state *s = NULL;
    R1_TRY(fraud_state_new(&s, 1u << 20, 1u << 18, 1u << 20, err));
    for (size_t i = 0; i < n; i++) {
        const fraud_payment *p = &g[i].payment;
        if (g[i].ring >= 0 && g[i].ring < RINGS_MAX) c->typology[g[i].ring] = g[i].typology;
        fraud_state_advance(s, p->ts);
        uint32_t from = fraud_state_entity(s, p->from, p->from_role),
                 to = fraud_state_entity(s, p->to, p->to_role);
        fraud_patterns pattern;
        fraud_finding found[FRAUD_FINDINGS_MAX];
        if (!fraud_payment_inner(p)) {
            fraud_state_insert(s, p, from, to);
            continue;
        }
        fraud_patterns_count(s, from, to, fraud_ln1024(fraud_hundredths(p)), &pattern);
        double t0 = processor_us();
        bool gate = fraud_patterns_gate(s, from, to, &pattern);
        uint64_t seq = fraud_state_insert(s, p, from, to);
        double t1 = processor_us();
        size_t k = fraud_findings_search(s, seq, found, FRAUD_FINDINGS_MAX);
        c->search_us += processor_us() - t1;
        c->gate_us += t1 - t0;
        count_one(c, &g[i], found, k, gate);
    }
    fraud_state_free(s);
    return R1_OK;
}

static void print_rings(const counts *c)
{
    printf("rings            planted  shown  named\n");
    for (unsigned t = 1; t < FRAUD_N_TYPOLOGY; t++) {
        int planted = 0, shown = 0, named = 0;
        for (int r = 0; r < RINGS_MAX; r++) {
            planted += c->typology[r] == t;
            shown += c->typology[r] == t && c->shown[r];
            named += c->typology[r] == t && c->named[r];
        }
        if (pattern_of(t) >= 0)
            printf("%-16s %7d %6d %6d\n", fraud_typology_name(t), planted, shown, named);
    }
}

static void fraud_findings_print(const counts *c)
{
    double n = (double)(c->payments ? c->payments : 1);
    printf("%lu transfers between accounts, %lu fraudulent; the gate lets %.1f %% pass; search "
           "%.2f us, gate and "
           "insert %.2f us a "
           "transfer\n",
           c->payments, c->fraud, 100 * (double)c->fired / n, c->search_us / n, c->gate_us / n);
    printf("payments with a finding: %lu, fraudulent %lu; fraudulent ones lost by the gate %lu\n",
           c->found_on, c->found_on_fraud, c->lost_on_fraud);
    printf("findings         found  right  precision  lost by the gate\n");
    for (unsigned k = 0; k < FRAUD_N_PATTERN; k++)
        printf("%-16s %5lu  %5lu  %9.3f  %lu\n", fraud_pattern_name(k), c->n[k], c->right[k],
               c->n[k] ? (double)c->right[k] / (double)c->n[k] : 0, c->lost[k]);
    print_rings(c);
}

int main(int argc, char **argv)
{
    int value[] = {20261, 900, 21, 6, 5, 9};
    for (int i = 1; i < argc && i <= (int)R1_COUNT(value); i++)
        value[i - 1] = (int)strtol(argv[i], NULL, 10);
    fraud_generate_opts o = {.seed = (uint64_t)value[0],
                             .start_ms = INT64_C(1767225600000),
                             .accounts = value[1],
                             .days = value[2],
                             .rings = value[3],
                             .ring_min = value[4],
                             .ring_max = value[5],
                             .activity = 1};
    r1_err err = {0};
    fraud_generated *g = NULL;
    size_t n = 0;
    static counts c;
    fraud_findings_init();
    r1_status st = fraud_generate(&o, &g, &n, &err);
    if (st == R1_OK) st = fraud_findings_walk(g, n, &c, &err);
    free(g);
    if (st != R1_OK) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    printf("seed %d, %d accounts, %d days, %d rings of each typology, %d to %d accounts: ",
           value[0], value[1], value[2], value[3], value[4], value[5]);
    fraud_findings_print(&c);
    return 0;
}
