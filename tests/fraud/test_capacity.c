/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_capacity.c - the settings of the state's size: what they cost is what is reserved, memory
 * alone gives the largest state that fits, and what is full is counted by its cause. */
#include "graph/state.h"
#include "serve/capacity.h"
#include "support/r1_test.h"

#include <stdlib.h>
#include <string.h>

static const r1_option rows[] = {
    {.name = "memory-accounts", .type = R1_OPT_INT, .def = "16", .help = ""},
    {.name = "state-memory", .type = R1_OPT_INT, .help = ""},
    {.name = "accounts", .type = R1_OPT_INT, .def = "1000", .help = ""},
    {.name = "edges", .type = R1_OPT_INT, .def = "20000", .help = ""},
    {.name = "pairs", .type = R1_OPT_INT, .def = "3000", .help = ""},
};

static r1_status read_sizes(const char *name, const char *value, fraud_engine_opts *out,
                            r1_err *err)
{
    r1_options *o = NULL;
    *out = (fraud_engine_opts){0};
    R1_TRY(r1_options_new(&o, rows, R1_COUNT(rows), err));
    r1_status st = name ? r1_options_set(o, name, value, "test", err) : R1_OK;
    if (st == R1_OK) st = fraud_capacity_read(o, out, err);
    r1_options_free(o);
    return st;
}

static void memory_gives_the_largest_state_that_fits(void)
{
    static const char *const megabytes[] = {"1", "7", "100", "2000", "1048576"};
    fraud_engine_opts o;
    r1_err err;
    for (size_t i = 0; i < R1_COUNT(megabytes); i++) {
        uint64_t bytes = strtoull(megabytes[i], NULL, 10) * 1000000;
        R1_ASSERT_OK(read_sizes("state-memory", megabytes[i], &o, &err), &err);
        CU_ASSERT(fraud_engine_state_bytes(&o) <= bytes);
        CU_ASSERT_EQUAL(o.rings_max, 32);
        if (o.edges_max >= (1u << 28) - 10) continue; /* no more rows than that */
        CU_ASSERT_EQUAL(o.edges_max, 10 * o.entities_max);
        CU_ASSERT_EQUAL(o.pairs_max, 4 * o.entities_max);
        o.entities_max++, o.edges_max += 10, o.pairs_max += 4;
        CU_ASSERT(fraud_engine_state_bytes(&o) > bytes);
    }
}

static void sizes_that_do_not_fit_are_refused(void)
{
    fraud_engine_opts o;
    r1_err err;
    R1_ASSERT_OK(read_sizes(NULL, NULL, &o, &err), &err);
    CU_ASSERT(o.entities_max == 1000 && o.edges_max == 20000 && o.pairs_max == 3000);
    CU_ASSERT_EQUAL(read_sizes("memory-accounts", "1001", &o, &err), R1_E_INVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "at most the 1000 accounts that the state knows"));
}

static void price_is_what_is_reserved(void)
{
    static const uint32_t sizes[][3] = {{2, 4, 2}, {1000, 77, 13}, {65536, 4096, 70000}};
    for (size_t i = 0; i < R1_COUNT(sizes); i++) {
        fraud_state *s = NULL;
        r1_err err;
        R1_ASSERT_OK(fraud_state_new(&s, sizes[i][0], sizes[i][1], sizes[i][2], &err), &err);
        CU_ASSERT_EQUAL(fraud_state_bytes(sizes[i][0], sizes[i][1], sizes[i][2]),
                        s->block_bytes + sizeof *s);
        CU_ASSERT_EQUAL(fraud_state_bytes_of(s, FRAUD_PART_ENTITIES) +
                            fraud_state_bytes_of(s, FRAUD_PART_EDGES) +
                            fraud_state_bytes_of(s, FRAUD_PART_PAIRS),
                        s->block_bytes);
        fraud_state_free(s);
    }
}

typedef struct {
    fraud_engine *engine;
    int64_t n;
} filled;

static void filled_new(filled *f, uint32_t edges, uint32_t entities, uint32_t pairs)
{
    r1_err err;
    *f = (filled){0};
    const fraud_engine_opts o = {.edges_max = edges, .entities_max = entities, .pairs_max = pairs};
    R1_ASSERT_OK(fraud_engine_new(&f->engine, &o, &err), &err);
}

/* Payments one second apart between `ends` accounts, with ids of `id_bytes`. */
static void fill(filled *f, int payments, int ends, int id_bytes)
{
    for (int i = 0; i < payments; i++) {
        fraud_payment p = {.ts = INT64_C(1700000000000) + f->n * 1000,
                           .amount_minor = 100,
                           .minor_digits = 2,
                           .currency = "EUR"};
        r1_err err;
        snprintf(p.tx_id, sizeof p.tx_id, "%0*lldz", id_bytes - 1, (long long)f->n);
        snprintf(p.from, sizeof p.from, "a%d", i % ends);
        snprintf(p.to, sizeof p.to, "a%d", (i + 1 + i / ends % 7) % ends);
        R1_ASSERT_OK(fraud_engine_apply(f->engine, &p, ++f->n, NULL, &err), &err);
    }
}

static void what_is_full_is_counted(void)
{
    filled f;
    fraud_capacity c;
    filled_new(&f, 1000, 1000, 1000);
    fill(&f, 900, 50, 10);
    fraud_engine_capacity(f.engine, &c);
    CU_ASSERT(c.accounts == 50 && c.edges == 900 && c.exact_ms == -1 && c.oldest_ms == 899000);
    CU_ASSERT(c.cut_edges + c.cut_names + c.cut_accounts + c.cut_pairs == 0);
    fill(&f, 400, 50, 10);
    fraud_engine_capacity(f.engine, &c);
    CU_ASSERT(c.edges == 1000 && c.cut_edges == 300 && c.exact_ms == 1000000);
    CU_ASSERT(c.accounts_evicted == 0 && c.pairs_evicted == 0);
    fraud_engine_free(f.engine);
    filled_new(&f, 1000, 40, 1000);
    fill(&f, 900, 60, 10);
    fraud_engine_capacity(f.engine, &c);
    CU_ASSERT(c.accounts == 40 && c.accounts_evicted > 100 && c.cut_accounts > 100);
    CU_ASSERT_EQUAL(c.cut_edges + c.cut_names + c.cut_pairs, 0);
    fraud_engine_free(f.engine);
    filled_new(&f, 1000, 1000, 40);
    fill(&f, 900, 60, 10);
    fraud_engine_capacity(f.engine, &c);
    CU_ASSERT(c.pairs == 40 && c.pairs_evicted > 100 && c.cut_pairs > 100 && !c.cut_accounts);
    fraud_engine_free(f.engine);
    filled_new(&f, 4000, 1000, 1000);
    fill(&f, 3900, 60, FRAUD_TX_ID_BYTES - 1); /* longer than what is reserved for an id */
    fraud_engine_capacity(f.engine, &c);
    CU_ASSERT(c.cut_names > 100 && c.edges < 3900 && !c.cut_edges);
    CU_ASSERT(c.name_bytes <= c.name_bytes_max);
    fraud_engine_free(f.engine);
}

int main(void)
{
    static const r1_test_case cases[] = {
        {"memory gives the largest state that fits", memory_gives_the_largest_state_that_fits},
        {"sizes that do not fit are refused", sizes_that_do_not_fit_are_refused},
        {"the price is what is reserved", price_is_what_is_reserved},
        {"what is full is counted", what_is_full_is_counted},
    };
    return r1_test_run("fraud capacity", cases, R1_COUNT(cases));
}
