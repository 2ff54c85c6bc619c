/* SPDX-License-Identifier: Apache-2.0 */
/* Long-term memory against a plain sorted list, through insertions, expiry, save and open, and damaged files. */
#include "r1_memory.h"
#include "r1_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { D = 37, N = 500, K = 10 };

static float keys[N][D];

static r1_longterm *filled(r1_rng *rng)
{
    r1_err err = {0};
    r1_longterm *lt;
    R1_ASSERT_OK(r1_longterm_new(&lt, D, N, &err), &err);
    for (int i = 0; i < N; i++) {
        char text[32];
        for (int c = 0; c < D; c++) keys[i][c] = (float)r1_rng_normal(rng);
        if (i % 7 == 3) memcpy(keys[i], keys[i - 1], sizeof keys[i]); /* equal scores */
        snprintf(text, sizeof text, "value %d", i);
        uint64_t id;
        r1_longterm_entry e = {.key = keys[i],
                               .value = text,
                               .value_bytes = i % 5 ? (uint32_t)strlen(text) : 0,
                               .source = (uint32_t)(i % 3),
                               .entity = (uint64_t)i * 11,
                               .time_us = i,
                               .version = (uint32_t)(i % 4)};
        R1_ASSERT_OK(r1_longterm_insert(lt, &e, &id, &err), &err);
        CU_ASSERT_EQUAL(id, (uint64_t)i + 1);
    }
    return lt;
}

static int by_rank(const void *a, const void *b)
{
    const r1_longterm_hit *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return (x->id > y->id) - (x->id < y->id);
}

/* Every entry that passes `kept`, sorted; scores in double, so ties of equal keys stay ties. */
static void check_search(r1_longterm *lt, const float *q, bool (*kept)(int), size_t k)
{
    static r1_longterm_hit all[N];
    r1_longterm_hit hit[N];
    r1_err err = {0};
    size_t n = 0, n_hit;
    for (int i = 0; i < N; i++) {
        double s = 0;
        if (!kept(i)) continue;
        for (int c = 0; c < D; c++) s += (double)q[c] * keys[i][c];
        all[n++] = (r1_longterm_hit){(uint64_t)i + 1, (float)s};
    }
    qsort(all, n, sizeof *all, by_rank);
    R1_ASSERT_OK(r1_longterm_search(lt, q, k, hit, &n_hit, &err), &err);
    CU_ASSERT_EQUAL_FATAL(n_hit, k < n ? k : n);
    for (size_t i = 0; i < n_hit; i++) {
        CU_ASSERT_DOUBLE_EQUAL(hit[i].score, all[i].score, 1e-4);
        if (i) CU_ASSERT_TRUE(by_rank(&hit[i - 1], &hit[i]) < 0);
    }
}

static bool everything(int i) { return i >= 0; }
static bool not_expired(int i) { return i % 3 != 1 || i % 4 >= 2; }

static void random_query(r1_rng *rng, float *q)
{
    for (int c = 0; c < D; c++) q[c] = (float)r1_rng_normal(rng);
}

static void test_search(void)
{
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    r1_longterm *lt = filled(&rng);
    float q[D];
    static const size_t ks[] = {0, 1, 2, 3, K, 63, N, N + 1};
    for (size_t i = 0; i < R1_COUNT(ks); i++) {
        random_query(&rng, q);
        check_search(lt, q, everything, ks[i] < N ? ks[i] : N);
    }
    CU_ASSERT_TRUE(r1_longterm_expire(lt, 1, 2) > 0);
    random_query(&rng, q);
    check_search(lt, q, not_expired, K);
    r1_longterm_entry e;
    r1_err err = {0};
    CU_ASSERT_EQUAL(r1_longterm_get(lt, 2, &e, &err), R1_E_NOT_FOUND); /* i 1: source 1, version 1 */
    R1_ASSERT_OK(r1_longterm_get(lt, 3, &e, &err), &err);
    CU_ASSERT_EQUAL(e.entity, 22);
    CU_ASSERT_EQUAL(memcmp(e.value, "value 2", 7), 0);
    q[5] = NAN;
    size_t n;
    r1_longterm_hit hit[K];
    CU_ASSERT_EQUAL(r1_longterm_search(lt, q, K, hit, &n, &err), R1_E_INVAL);
    r1_longterm_free(lt);
}

static void test_limits(void)
{
    r1_err err = {0};
    r1_longterm *lt;
    float key[2] = {1, 2};
    r1_longterm_entry e = {.key = key};
    R1_ASSERT_OK(r1_longterm_new(&lt, 2, 2, &err), &err);
    R1_ASSERT_OK(r1_longterm_insert(lt, &e, NULL, &err), &err);
    R1_ASSERT_OK(r1_longterm_insert(lt, &e, NULL, &err), &err);
    CU_ASSERT_EQUAL(r1_longterm_insert(lt, &e, NULL, &err), R1_E_NOMEM);
    CU_ASSERT_EQUAL(r1_longterm_count(lt), 2);
    r1_longterm_free(lt);
    CU_ASSERT_EQUAL(r1_longterm_new(&lt, 0, 2, &err), R1_E_INVAL);
}

static void test_file(void)
{
    r1_rng rng;
    r1_err err = {0};
    char path[300], bad[300], *data;
    size_t len;
    r1_rng_seed(&rng, r1_test_seed());
    r1_longterm *lt = filled(&rng), *copy;
    snprintf(path, sizeof path, "%s/memory", r1_test_tmpdir());
    snprintf(bad, sizeof bad, "%s/bad", r1_test_tmpdir());
    r1_longterm_expire(lt, 1, 2);
    R1_ASSERT_OK(r1_longterm_save(lt, path, &err), &err);
    R1_ASSERT_OK(r1_longterm_open(&copy, path, N, &err), &err);
    CU_ASSERT_EQUAL(r1_longterm_count(copy), r1_longterm_count(lt));
    float q[D];
    random_query(&rng, q);
    check_search(copy, q, not_expired, K);
    uint64_t id;
    r1_longterm_entry e = {.key = keys[0]};
    CU_ASSERT_EQUAL(r1_longterm_insert(copy, &e, &id, &err), R1_OK);
    CU_ASSERT_EQUAL(id, N + 1); /* ids are never used twice */
    r1_longterm_free(copy);
    CU_ASSERT_EQUAL(r1_longterm_open(&copy, path, 3, &err), R1_E_FORMAT);
    R1_ASSERT_OK(r1_file_read(path, 1 << 24, &data, &len, &err), &err);
    for (int i = 0; i <= 64; i++) { /* cut everywhere */
        size_t cut = len * (size_t)i / 65;
        R1_ASSERT_OK(r1_file_write(bad, data, cut, &err), &err);
        CU_ASSERT_EQUAL(r1_longterm_open(&copy, bad, N, &err), R1_E_FORMAT);
    }
    for (int i = 0; i < 300; i++) { /* one bit turned anywhere but in the padding of the header */
        size_t at = r1_rng_below(&rng, len - 16);
        if (at >= 48) at += 16;
        data[at] ^= (char)(1 << r1_rng_below(&rng, 8));
        R1_ASSERT_OK(r1_file_write(bad, data, len, &err), &err);
        CU_ASSERT_EQUAL(r1_longterm_open(&copy, bad, N, &err), R1_E_FORMAT);
        free(data);
        R1_ASSERT_OK(r1_file_read(path, 1 << 24, &data, &len, &err), &err);
    }
    free(data);
    r1_longterm_free(lt);
}

R1_TEST_MAIN("long-term memory", {"search", test_search}, {"limits", test_limits}, {"file", test_file})
