/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_capacity.c - the settings of the state's size: what they cost is what is reserved, memory
 * alone gives the largest state that fits, and what is full is counted by its cause. */
#include "files/memory_limit.h"
#include "graph/state.h"
#include "serve/capacity.h"
#include "serve/price.h"
#include "support/r1_test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

/* ---- beside the state ---- */

static void prices_are_what_is_reserved(void)
{
    CU_ASSERT_EQUAL(fraud_txset_bytes(1), UINT64_C(2) << 20);
    CU_ASSERT_EQUAL(fraud_txset_bytes(12000000), UINT64_C(512) << 20);
    CU_ASSERT(fraud_waiting_bytes(100000) < 64 * 100000);
    CU_ASSERT_EQUAL(fraud_read_ahead_kib(0), FRAUD_READ_AHEAD_KIB);
    for (int32_t n = 1; n < 2000; n++) {
        int kib = fraud_read_ahead_kib(n);
        CU_ASSERT(kib >= FRAUD_READ_AHEAD_MIN_KIB && kib <= FRAUD_READ_AHEAD_KIB);
        CU_ASSERT(kib == FRAUD_READ_AHEAD_MIN_KIB || kib * n <= FRAUD_READ_AHEAD_KIB);
    }
}

static void put_file(const char *root, const char *folder, const char *name, const char *text)
{
    char path[600];
    r1_err err = {0};
    int at = snprintf(path, sizeof path, "%s", root);
    for (const char *c = folder; *c; c++) { /* each folder on the way */
        if (*c == '/' && at > (int)strlen(root)) (void)mkdir(path, 0755);
        path[at++] = *c;
        path[at] = 0;
    }
    (void)mkdir(path, 0755);
    snprintf(path + at, sizeof path - (size_t)at, "/%s", name);
    R1_ASSERT_OK(r1_file_write(path, text, strlen(text), &err), &err);
}

/* The least of the machine's memory and of the limits on the way to this process's group. */
static void the_least_limit_holds(void)
{
    char root[300];
    const char *what;
    snprintf(root, sizeof root, "%s", r1_test_in_tmp("machine"));
    (void)mkdir(root, 0755);
    CU_ASSERT_EQUAL(r1_memory_limit(root, &what), 0);
    put_file(root, "/proc/self", "cgroup", "3:cpu,cpuacct:/x\n0::/a/b\n");
    put_file(root, "/proc", "meminfo", "MemTotal: 9 kB\nMemAvailable:    8000 kB\n");
    CU_ASSERT_EQUAL(r1_memory_limit(root, &what), 8000 * 1024);
    CU_ASSERT_STRING_EQUAL(what, "MemAvailable");
    put_file(root, "/sys/fs/cgroup/a/b", "memory.max", "max\n");
    CU_ASSERT_EQUAL(r1_memory_limit(root, &what), 8000 * 1024);
    put_file(root, "/sys/fs/cgroup/a", "memory.max", "5000000\n");
    CU_ASSERT_EQUAL(r1_memory_limit(root, &what), 5000000);
    CU_ASSERT_STRING_EQUAL(what, "the control group's limit");
    put_file(root, "/sys/fs/cgroup/memory/x", "memory.limit_in_bytes", "4000000\n");
    CU_ASSERT_EQUAL(r1_memory_limit(root, &what), 5000000); /* of another group */
    put_file(root, "/proc/self", "cgroup", "4:memory:/x\n0::/\n");
    CU_ASSERT_EQUAL(r1_memory_limit(root, &what), 4000000);
    put_file(root, "/proc/self", "cgroup", "rubbish\n:::\n0::\n4:memory\n");
    CU_ASSERT_EQUAL(r1_memory_limit(root, &what), 8000 * 1024);
}

int main(void)
{
    static const r1_test_case cases[] = {
        {"memory gives the largest state that fits", memory_gives_the_largest_state_that_fits},
        {"sizes that do not fit are refused", sizes_that_do_not_fit_are_refused},
        {"the price is what is reserved", price_is_what_is_reserved},
        {"what is full is counted", what_is_full_is_counted},
        {"prices beside the state are what is reserved", prices_are_what_is_reserved},
        {"the least limit of memory holds", the_least_limit_holds},
    };
    return r1_test_run("fraud capacity", cases, R1_COUNT(cases));
}
