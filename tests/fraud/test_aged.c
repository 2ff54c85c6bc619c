/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_aged.c - windows of a ring that is far too small against a twin whose ring holds all: how
 * far counts, sums and distinct ends are off for accounts that pay steadily, by day alone and in
 * bursts; what is exact all the same; what a pair is told of itself. */
#include "features/columns.h"
#include "graph/aged.h"
#include "graph/state.h"
#include "score/engine.h"
#include "support/r1_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HOUR_MS = 3600000, ACCOUNTS = 30, PAYEES = 8, DAYS = 70, SMALL_PAIRS = 4096 };
#define START_MS INT64_C(1700000000000)

typedef struct {
    fraud_state *small, *whole;
    int64_t ts;
    int n;
} twins;

static void twin_insert(fraud_state *s, const fraud_payment *p)
{
    fraud_state_advance(s, p->ts);
    uint32_t from = fraud_state_entity(s, p->from, 0), to = fraud_state_entity(s, p->to, 0);
    fraud_state_insert(s, p, from, to);
}

static void twins_pay(twins *t, int from, int to, int64_t amount)
{
    fraud_payment p = {.ts = t->ts, .amount_minor = amount, .minor_digits = 2, .currency = "EUR"};
    snprintf(p.tx_id, sizeof p.tx_id, "t%d", t->n++);
    snprintf(p.from, sizeof p.from, "a%d", from);
    snprintf(p.to, sizeof p.to, "b%d", to);
    twin_insert(t->small, &p);
    twin_insert(t->whole, &p);
}

static void twins_new(twins *t, uint32_t edges)
{
    r1_err err;
    *t = (twins){.ts = START_MS};
    R1_ASSERT_OK(fraud_state_new(&t->small, edges, 1024, SMALL_PAIRS, &err), &err);
    R1_ASSERT_OK(fraud_state_new(&t->whole, 1 << 20, 1024, SMALL_PAIRS, &err), &err);
}

static void twins_free(twins *t)
{
    fraud_state_free(t->small);
    fraud_state_free(t->whole);
}

/* ---- how accounts pay: the chance of a payment in a minute --------------------------------- */

static double steady(int account, int64_t ts)
{
    (void)ts;
    return (1 + account % 4) / 60.0 / 4;
}

static double by_day(int account, int64_t ts)
{
    double hour = (double)(ts % FRAUD_DAY_MS) / HOUR_MS;
    return hour < 7 || hour > 22 ? 0 : steady(account, ts) * 24 / 15;
}

/* Two hours in three days. */
static double in_bursts(int account, int64_t ts)
{
    int64_t hour = (ts / HOUR_MS + account * 7) % 72;
    return hour < 2 ? steady(account, ts) * 36 : 0;
}

/* ---- errors -------------------------------------------------------------------------------- */

typedef struct { /* over all looks at one window */
    double off, bias, want, worst;
    unsigned n;
} errors;

static void errors_add(errors *e, double got, double want)
{
    double off = fabs(got - want);
    e->off += off;
    e->bias += got - want;
    e->want += want;
    e->n++;
    if (want >= 20 && off / want > e->worst) e->worst = off / want;
}

typedef struct {
    errors n[FRAUD_N_WINDOW], sum[FRAUD_N_WINDOW], distinct[FRAUD_N_WINDOW], pair[FRAUD_N_WINDOW],
        mean_ln;
} all_errors;

static void look_pair(const twins *t, uint32_t from[2], int account, all_errors *e)
{
    for (int i = 0; i < PAYEES; i++) {
        char name[16];
        snprintf(name, sizeof name, "b%d", account * PAYEES + i);
        uint32_t to[2] = {fraud_state_find(t->small, name), fraud_state_find(t->whole, name)};
        if (to[0] == FRAUD_NONE) continue;
        uint32_t p[2] = {fraud_state_pair(t->small, from[0], to[0]),
                         fraud_state_pair(t->whole, from[1], to[1])};
        if (p[1] == FRAUD_NONE) continue;
        for (int k = 0; k < FRAUD_N_WINDOW; k++) {
            double got = fraud_pair_n(t->small, p[0], k), want = fraud_pair_n(t->whole, p[1], k);
            CU_ASSERT((got > 0) == (want > 0)); /* whether it paid is exact */
            errors_add(&e->pair[k], got, want);
        }
    }
}

static void look(const twins *t, all_errors *e)
{
    for (int a = 0; a < ACCOUNTS; a++) {
        char name[16];
        snprintf(name, sizeof name, "a%d", a);
        uint32_t i[2] = {fraud_state_find(t->small, name), fraud_state_find(t->whole, name)};
        if (i[1] == FRAUD_NONE) continue;
        for (int k = 0; k < FRAUD_N_WINDOW; k++) {
            fraud_window got = fraud_state_window(t->small, i[0], k, 0),
                         want = fraud_state_window(t->whole, i[1], k, 0);
            CU_ASSERT(!want.aged);
            errors_add(&e->n[k], got.n, want.n);
            errors_add(&e->sum[k], got.sum, want.sum);
            errors_add(&e->distinct[k], got.distinct, want.distinct);
            if (k == FRAUD_W_28D && want.n >= 20 && got.n > 0)
                errors_add(&e->mean_ln, got.ln / got.n / 1024, want.ln / want.n / 1024);
        }
        look_pair(t, i, a, e);
    }
}

static void run(twins *t, double (*chance)(int account, int64_t ts), all_errors *e)
{
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    memset(e, 0, sizeof *e);
    for (int64_t minute = 0; minute < DAYS * INT64_C(1440); minute++) {
        t->ts = START_MS + minute * 60000;
        for (int a = 0; a < ACCOUNTS; a++)
            if (r1_rng_unit(&rng) < chance(a, t->ts))
                twins_pay(t, a,
                          a * PAYEES + (int)(r1_rng_below(&rng, PAYEES) *
                                             r1_rng_below(&rng, PAYEES) / PAYEES),
                          1000 + (int64_t)r1_rng_below(&rng, 20000));
        fraud_state_advance(t->small, t->ts);
        fraud_state_advance(t->whole, t->ts);
        if (minute >= 30 * 1440 && minute % 97 == 0) look(t, e);
        if (minute % 5003 == 0) CU_ASSERT_PTR_NULL(fraud_state_fault(t->small));
    }
}

/* of: what the mean of one window may be off by, and what it may lean to one side, of what the
 * twin counts. */
static void within(const char *what, const errors e[FRAUD_N_WINDOW], const double *off,
                   const double *lean)
{
    for (int k = 0; k < FRAUD_N_WINDOW; k++) {
        double is_off = e[k].off / e[k].want, leans = e[k].bias / e[k].want;
        printf("    %-8s %-7s off %6.2f %%, leans %+6.2f %%, worst %5.1f %%, mean %.1f\n", what,
               FRAUD_WINDOW_FIGURES[k], 100 * is_off, 100 * leans, 100 * e[k].worst,
               e[k].want / e[k].n);
        CU_ASSERT(is_off <= off[k]);
        CU_ASSERT(fabs(leans) <= lean[k]);
    }
}

static void run_and_compare(const char *name, uint32_t edges, double (*chance)(int, int64_t),
                            const double *off, const double *lean)
{
    twins t;
    all_errors e;
    twins_new(&t, edges);
    run(&t, chance, &e);
    printf("\n  %s, a ring of %u edges, %.1f hours:\n", name, edges,
           (double)(t.small->now - t.small->cut_ts) / HOUR_MS);
    within("n", e.n, off, lean);
    within("sum", e.sum, off, lean);
    within("distinct", e.distinct, off, lean);
    within("pair", e.pair, off, lean);
    CU_ASSERT(e.mean_ln.off / e.mean_ln.n < 0.1);
    CU_ASSERT(t.small->cut[FRAUD_CUT_EDGES] > 1000);
    twins_free(&t);
}

/* Bounds: the means as measured with room for other seeds. What the ring itself holds is exact. */
static void steady_accounts(void)
{
    const double off[] = {0, .12, .09, .06, .03}, lean[] = {0, .03, .02, .015, .01};
    run_and_compare("steady", 64, steady, off, lean);
}

static void a_ring_below_an_hour(void)
{
    const double off[] = {.20, .12, .09, .06, .03}, lean[] = {.12, .03, .02, .015, .01};
    run_and_compare("steady", 8, steady, off, lean);
}

static void accounts_by_day(void)
{
    const double off[] = {0, .15, .10, .07, .03}, lean[] = {0, .03, .03, .02, .01};
    run_and_compare("by day", 64, by_day, off, lean);
}

static void accounts_in_bursts(void)
{
    const double off[] = {0, .20, .20, .16, .06}, lean[] = {0, .20, .10, .03, .02};
    run_and_compare("in bursts", 64, in_bursts, off, lean);
}

/* ---- what is exact all the same ------------------------------------------------------------- */

/* An account younger than the window, and one that has been idle for longer. */
static void young_and_idle_accounts_are_exact(void)
{
    twins t;
    twins_new(&t, 16);
    for (int i = 0; i < 500; i++, t.ts += 600000) twins_pay(&t, 1, i % 5, 1000 + i);
    for (int i = 0; i < 40; i++, t.ts += 1000) twins_pay(&t, 2, 7, 1000);
    uint32_t a[2] = {fraud_state_find(t.small, "a1"), fraud_state_find(t.whole, "a1")};
    fraud_window got = fraud_state_window(t.small, a[0], FRAUD_W_28D, 0),
                 want = fraud_state_window(t.whole, a[1], FRAUD_W_28D, 0);
    CU_ASSERT(got.aged && got.n == 500 && got.distinct == 5);
    CU_ASSERT_DOUBLE_EQUAL(got.sum, want.sum, want.sum * 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(got.ln / got.n, want.ln / want.n, 60); /* the mean forgets */
    for (int i = 0; i < 30; i++) {
        t.ts += FRAUD_DAY_MS + HOUR_MS;
        for (int k = 0; k < 20; k++) twins_pay(&t, 3, 9, 500);
    }
    CU_ASSERT_EQUAL(fraud_state_window(t.small, a[0], FRAUD_W_28D, 0).n, 0);
    CU_ASSERT_EQUAL(fraud_state_window(t.small, a[0], FRAUD_W_28D, 0).distinct, 0);
    CU_ASSERT_EQUAL(t.small->entity[a[0]].total[0], 500);
    CU_ASSERT_PTR_NULL(fraud_state_fault(t.small));
    twins_free(&t);
}

/* A pair that pays again must not count twice among the ends. */
static void a_pair_that_returns_counts_once(void)
{
    twins t;
    twins_new(&t, 4);
    for (int i = 0; i < 300; i++, t.ts += HOUR_MS) {
        twins_pay(&t, 1, i % 3, 1000);
        twins_pay(&t, 50 + i % 7, 60, 1000);
        uint32_t a = fraud_state_find(t.small, "a1"), b = fraud_state_find(t.small, "b60");
        CU_ASSERT_EQUAL(fraud_state_window(t.small, a, FRAUD_W_28D, 0).distinct, i < 3 ? i + 1 : 3);
        CU_ASSERT_EQUAL(fraud_state_window(t.small, b, FRAUD_W_28D, 1).distinct, i < 7 ? i + 1 : 7);
    }
    twins_free(&t);
}

static void nothing_is_touched_before_the_first_cut(void)
{
    twins t;
    twins_new(&t, 1 << 10);
    for (int i = 0; i < 900; i++, t.ts += 1000) twins_pay(&t, i % 20, i % 9, 1000);
    for (uint32_t i = 0; i < t.small->entities.used; i++) CU_ASSERT(!t.small->aged_entity[i].at);
    for (int i = 0; i < 900; i++, t.ts += 1000) twins_pay(&t, i % 20, i % 9, 1000);
    CU_ASSERT(t.small->aged_entity[0].at > 0);
    CU_ASSERT_EQUAL(t.whole->cut_ts, FRAUD_NEVER);
    twins_free(&t);
}

static void same_calls_same_bits(void)
{
    uint64_t digest[2];
    for (int round = 0; round < 2; round++) {
        twins t;
        twins_new(&t, 32);
        for (int i = 0; i < 3000; i++, t.ts += 313000 * (i % 11))
            twins_pay(&t, i % 13, i % 7, 100 + i);
        digest[round] = fraud_state_digest(t.small);
        CU_ASSERT_NOT_EQUAL(digest[round], fraud_state_digest(t.whole));
        twins_free(&t);
    }
    CU_ASSERT_EQUAL(digest[0], digest[1]);
}

/* ---- what is said --------------------------------------------------------------------------- */

typedef struct {
    fraud_engine *engine;
    int64_t ts, n;
} said;

static void said_new(said *x, uint32_t edges, uint32_t entities, uint32_t pairs)
{
    r1_err err;
    *x = (said){.ts = START_MS};
    const fraud_engine_opts o = {
        .slots_max = 2, .edges_max = edges, .entities_max = entities, .pairs_max = pairs};
    R1_ASSERT_OK(fraud_engine_new(&x->engine, &o, &err), &err);
}

static void said_pay(said *x, const char *from, const char *to, fraud_result *result)
{
    fraud_payment p = {.ts = x->ts, .amount_minor = 65000, .minor_digits = 2, .currency = "CHF"};
    fraud_slot *slot = NULL;
    r1_err err;
    snprintf(p.tx_id, sizeof p.tx_id, "t%lld", (long long)x->n);
    snprintf(p.from, sizeof p.from, "%s", from);
    snprintf(p.to, sizeof p.to, "%s", to);
    R1_ASSERT_OK(fraud_engine_apply(x->engine, &p, ++x->n, result ? &slot : NULL, &err), &err);
    if (!result) return;
    fraud_engine_score_by_rules(slot, result);
    fraud_engine_explain(slot, result);
    fraud_slot_release(x->engine, slot);
}

/* n payments among others, one a second. */
static void said_flood(said *x, int n, int accounts)
{
    for (int i = 0; i < n; i++) {
        char from[24], to[24];
        snprintf(from, sizeof from, "other%d", i % accounts);
        snprintf(to, sizeof to, "other%d", (i + 1) % accounts);
        x->ts += 1000;
        said_pay(x, from, to, NULL);
    }
}

static const fraud_reason *reason_of(const fraud_result *r, const char *code)
{
    for (int i = 0; i < r->n_reason; i++)
        if (!strcmp(r->reason[i].code, code)) return &r->reason[i];
    return NULL;
}

/* Seen: told so 8.8 minutes after five payments, because the ring was cut. */
static void a_pair_that_paid_is_not_called_new(void)
{
    said x;
    fraud_result r;
    said_new(&x, 64, 256, 256);
    for (int i = 0; i < 5; i++) said_pay(&x, "payer", "payee", NULL);
    said_flood(&x, 528, 50);
    said_pay(&x, "payer", "payee", &r);
    CU_ASSERT_PTR_NULL(reason_of(&r, "new_pair"));
    CU_ASSERT_PTR_NOT_NULL(reason_of(&r, "known_pair"));
    const fraud_reason *amount = reason_of(&r, "amount_unusual");
    CU_ASSERT(amount && strstr(amount->text, "amount 650.00 CHF is 1.0 times"));
    CU_ASSERT(amount && strstr(amount->text, "the sender's usual about 649.73 of 28 days"));
    fraud_engine_free(x.engine);
}

static void what_was_evicted_is_said(uint32_t entities, uint32_t pairs)
{
    said x;
    fraud_result r;
    said_new(&x, 1 << 12, entities, pairs);
    said_pay(&x, "payer", "payee", NULL);
    said_flood(&x, 600, 200);
    x.ts += 6 * HOUR_MS;
    said_pay(&x, "payer", "payee", &r);
    const fraud_reason *new_pair = reason_of(&r, "new_pair");
    CU_ASSERT(new_pair && strstr(new_pair->text, " have not paid each other since 2023-11-14 22:"));
    CU_ASSERT(new_pair && strstr(new_pair->text, "UTC, older payments are not held"));
    CU_ASSERT(new_pair && new_pair->contribution > 0 && new_pair->contribution < 0.01);
    x.ts += 29 * FRAUD_DAY_MS;
    said_pay(&x, "payer2", "payee2", &r);
    new_pair = reason_of(&r, "new_pair");
    CU_ASSERT(new_pair && strstr(new_pair->text, "have not paid each other within 28 days"));
    CU_ASSERT(new_pair && new_pair->contribution == 0.4);
    fraud_engine_free(x.engine);
}

static float pair_column(const fraud_features *f, const char *name)
{
    for (int i = 0; i < FRAUD_N_PAIR_NUM; i++)
        if (!strcmp(FRAUD_PAIR_NUM[i].name, name)) return f->pair[i];
    CU_FAIL_FATAL("no such column");
    return 0;
}

/* The model reads what may have been evicted as missing, and what was not as 0. */
static void evicted_pairs_are_missing_to_the_model(void)
{
    static fraud_features f;
    fraud_payment p = {.amount_minor = 100, .minor_digits = 2, .currency = "EUR"};
    twins t;
    r1_err err;
    twins_new(&t, 1 << 10);
    fraud_state_free(t.small);
    R1_ASSERT_OK(fraud_state_new(&t.small, 1 << 10, 1024, 16, &err), &err);
    for (int i = 0; i < 400; i++, t.ts += 1000) twins_pay(&t, i % 20, i % 20, 1000);
    t.ts += 2 * FRAUD_DAY_MS;
    fraud_state_advance(t.small, t.ts);
    fraud_state_advance(t.whole, t.ts);
    for (int twin = 0; twin < 2; twin++) {
        fraud_state *s = twin ? t.whole : t.small;
        uint32_t from = fraud_state_find(s, "a1"), to = fraud_state_find(s, "b2");
        CU_ASSERT_EQUAL_FATAL(fraud_state_pair(s, from, to), FRAUD_NONE);
        fraud_features_tables(s, &p, from, to, &f);
        CU_ASSERT_EQUAL(pair_column(&f, "n_1d"), 0);
        CU_ASSERT(twin ? pair_column(&f, "n_28d") == 0 : isnan(pair_column(&f, "n_28d")));
        CU_ASSERT(twin ? pair_column(&f, "total") == 0 : isnan(pair_column(&f, "total")));
        CU_ASSERT(twin ? pair_column(&f, "fresh") == 1 : isnan(pair_column(&f, "fresh")));
        CU_ASSERT(twin ? pair_column(&f, "sum_28d") == 0 : isnan(pair_column(&f, "sum_28d")));
    }
    twins_free(&t);
}

static void evicted_pairs_are_said(void) { what_was_evicted_is_said(1024, 64); }
static void evicted_accounts_are_said(void) { what_was_evicted_is_said(64, 1024); }

int main(void)
{
    static const r1_test_case cases[] = {
        {"windows of steady accounts", steady_accounts},
        {"a ring below an hour", a_ring_below_an_hour},
        {"windows of accounts that pay by day", accounts_by_day},
        {"windows of accounts that pay in bursts", accounts_in_bursts},
        {"young and idle accounts are exact", young_and_idle_accounts_are_exact},
        {"a pair that returns counts once", a_pair_that_returns_counts_once},
        {"nothing is touched before the first cut", nothing_is_touched_before_the_first_cut},
        {"same calls, same bits", same_calls_same_bits},
        {"a pair that paid is not called new", a_pair_that_paid_is_not_called_new},
        {"evicted pairs are said", evicted_pairs_are_said},
        {"evicted pairs are missing to the model", evicted_pairs_are_missing_to_the_model},
        {"evicted accounts are said", evicted_accounts_are_said},
    };
    return r1_test_run("fraud aged", cases, R1_COUNT(cases));
}
