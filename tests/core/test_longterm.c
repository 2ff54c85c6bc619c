/* SPDX-License-Identifier: Apache-2.0 */
/* Long-term memory against plain twins: a sorted list for searches, orthogonal pursuit by
 * explicit residuals, scalar loops; files cut at every byte of a commit, killed while they are
 * written, with bits turned. */
#include "base/isa.h"
#include "memory/linalg.h"
#include "memory/longstore.h"
#include "memory/scan.h"
#include "support/r1_test.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { D = 37, N = 500, K = 10 };

static float keys[N][D];

static void longterm_random_row(r1_rng *rng, float *x, int n)
{
    for (int c = 0; c < n; c++) x[c] = (float)r1_rng_normal(rng);
}

static r1_longterm *longterm_filled(r1_rng *rng)
{
    r1_err err = {0};
    r1_longterm *lt;
    R1_ASSERT_OK(r1_longterm_new(&lt, D, N, &err), &err);
    for (int i = 0; i < N; i++) {
        char text[32];
        longterm_random_row(rng, keys[i], D);
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

static bool longterm_everything(int i) { return i >= 0; }
static bool not_expired(int i) { return i % 3 != 1 || i % 4 >= 2; }

static void test_longterm_search(void)
{
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    r1_longterm *lt = longterm_filled(&rng);
    float q[D];
    static const size_t ks[] = {0, 1, 2, 3, K, 63, N, N + 1};
    for (size_t i = 0; i < R1_COUNT(ks); i++) {
        longterm_random_row(&rng, q, D);
        check_search(lt, q, longterm_everything, ks[i] < N ? ks[i] : N);
    }
    CU_ASSERT_TRUE(r1_longterm_expire(lt, 1, 2) > 0);
    longterm_random_row(&rng, q, D);
    check_search(lt, q, not_expired, K);
    r1_longterm_entry e;
    r1_err err = {0};
    CU_ASSERT_EQUAL(r1_longterm_get(lt, 2, &e, &err),
                    R1_E_NOT_FOUND); /* i 1: source 1, version 1 */
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
    R1_ASSERT_OK(r1_longterm_delete(lt, 1, &err), &err);
    CU_ASSERT_EQUAL(r1_longterm_delete(lt, 1, &err), R1_E_NOT_FOUND);
    R1_ASSERT_OK(r1_longterm_insert(lt, &e, NULL, &err), &err);
    key[1] = INFINITY;
    CU_ASSERT_EQUAL(r1_longterm_update(lt, 2, &e, &err), R1_E_INVAL);
    r1_longterm_free(lt);
    CU_ASSERT_EQUAL(r1_longterm_new(&lt, 0, 2, &err), R1_E_INVAL);
}

/* ---- twins ---- */

/* Pursuit as it is defined: residual, largest product, least squares by normal equations in
 * double. */
static uint32_t naive_omp(const float *atom, uint32_t n_atom, uint32_t m, const float *y,
                          uint32_t k, uint32_t *index, double *coef)
{
    enum { M = 64 };
    double r[M];
    uint32_t used = 0;
    for (uint32_t c = 0; c < m; c++) r[c] = y[c];
    while (used < k) {
        double best = 0, a[M][M + 1];
        for (uint32_t j = 0; j < n_atom; j++) {
            double s = 0;
            bool taken = false;
            for (uint32_t t = 0; t < used; t++) taken |= index[t] == j;
            for (uint32_t c = 0; c < m; c++) s += atom[j * m + c] * r[c];
            if (!taken && fabs(s) > best) {
                best = fabs(s);
                index[used] = j;
            }
        }
        used++;
        for (uint32_t i = 0; i < used; i++) {
            for (uint32_t j = 0; j <= used; j++) {
                const float *x = atom + index[i] * m, *z = j < used ? atom + index[j] * m : y;
                a[i][j] = 0;
                for (uint32_t c = 0; c < m; c++) a[i][j] += (double)x[c] * z[c];
            }
        }
        for (uint32_t p = 0; p < used; p++)
            for (uint32_t i = 0; i < used; i++) {
                double f = i == p ? 0 : a[i][p] / a[p][p];
                for (uint32_t j = p; j <= used; j++) a[i][j] -= f * a[p][j];
            }
        for (uint32_t c = 0; c < m; c++) r[c] = y[c];
        for (uint32_t i = 0; i < used; i++) {
            coef[i] = a[i][used] / a[i][i];
            for (uint32_t c = 0; c < m; c++) r[c] -= coef[i] * atom[index[i] * m + c];
        }
    }
    return used;
}

static void test_omp(void)
{
    enum { ATOMS = 90, M = 24, S = 9 };
    static float atom[ATOMS * M], y[M], product[ATOMS];
    r1_rng rng;
    r1_err err = {0};
    r1_rng_seed(&rng, r1_test_seed());
    for (int j = 0; j < ATOMS; j++) {
        double norm = 0;
        longterm_random_row(&rng, atom + j * M, M);
        for (int c = 0; c < M; c++) norm += atom[j * M + c] * atom[j * M + c];
        for (int c = 0; c < M; c++) atom[j * M + c] /= (float)sqrt(norm);
    }
    float *gram, *scratch = malloc(sizeof *scratch * omp_scratch(ATOMS, S));
    R1_ASSERT_OK(omp_gram(atom, ATOMS, M, &gram, &err), &err);
    for (int round = 0; round < 50; round++) {
        uint32_t index[S], slow_index[S];
        float coef[S];
        double slow[S];
        longterm_random_row(&rng, y, M);
        for (int j = 0; j < ATOMS; j++) {
            product[j] = 0;
            for (int c = 0; c < M; c++) product[j] += atom[j * M + c] * y[c];
        }
        uint32_t k = omp_encode(gram, ATOMS, product, 0, S, index, coef, scratch);
        CU_ASSERT_EQUAL_FATAL(k, naive_omp(atom, ATOMS, M, y, S, slow_index, slow));
        for (uint32_t t = 0; t < k; t++) {
            bool found = false;
            for (uint32_t u = 0; u < k; u++)
                if (slow_index[u] == index[t]) {
                    found = true;
                    CU_ASSERT_DOUBLE_EQUAL(coef[t], slow[u], 1e-3);
                }
            CU_ASSERT_TRUE(found);
            if (t) CU_ASSERT_TRUE(index[t] > index[t - 1]);
        }
    }
    free(gram);
    free(scratch);
}

static void test_scan(void)
{
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    const scan_kernels *fast = scan_best(), *slow = scan_portable();
    r1_isa isa;
    printf(" [%s] ", fast->name);
    if (r1_isa_given(&isa) && isa == R1_ISA_PORTABLE) CU_ASSERT_PTR_EQUAL(fast, slow);
    for (int round = 0; round < 200; round++) {
        static float a[300], b[300];
        uint8_t block[32 * 32], lut[64 * 16];
        uint16_t x[32], y[32];
        uint32_t n = (uint32_t)r1_rng_below(&rng, 300), axes = 2 * (uint32_t)r1_rng_below(&rng, 33);
        longterm_random_row(&rng, a, 300);
        longterm_random_row(&rng, b, 300);
        float f = fast->dot(a, b, n), s = slow->dot(a, b, n);
        double d = 0;
        for (uint32_t i = 0; i < n; i++) d += (double)a[i] * b[i];
        CU_ASSERT_EQUAL(memcmp(&f, &s, sizeof f), 0);
        CU_ASSERT_DOUBLE_EQUAL(s, d, 1e-3);
        int16_t whole[300];
        d = 0;
        for (uint32_t i = 0; i < n; i++) {
            whole[i] = (int16_t)(r1_rng_below(&rng, 2001) - 1000);
            d += (double)whole[i] * b[i];
        }
        f = fast->dot16(whole, b, n), s = slow->dot16(whole, b, n);
        CU_ASSERT_EQUAL(memcmp(&f, &s, sizeof f), 0);
        CU_ASSERT_DOUBLE_EQUAL(s, d, 0.2);
        for (size_t i = 0; i < sizeof block; i++) block[i] = (uint8_t)r1_rng_u64(&rng);
        for (size_t i = 0; i < sizeof lut; i++) lut[i] = round ? (uint8_t)r1_rng_u64(&rng) : 255;
        uint32_t slot[2 * RANS_ONE], table[SCAN_ROWS], state[2][SCAN_ROWS], at[2][SCAN_ROWS];
        int16_t symbol[2][SCAN_ROWS];
        for (uint32_t i = 0; i < 2 * RANS_ONE;
             i++) /* any symbol and place in it, parts 1 to 1,024 */
            slot[i] = (uint32_t)r1_rng_below(&rng, 1u << 21) << 11 |
                      (1 + (uint32_t)r1_rng_below(&rng, RANS_ONE));
        for (int r = 0; r < SCAN_ROWS; r++) {
            state[0][r] = state[1][r] =
                RANS_LOW + (uint32_t)r1_rng_below(&rng, (1u << 23) - RANS_LOW);
            table[r] = (uint32_t)r1_rng_below(&rng, RANS_ONE);
            at[0][r] = at[1][r] = (uint32_t)r1_rng_below(&rng, sizeof lut - 4);
        }
        int16_t eight[8 * SCAN_ROWS], turned[2][SCAN_ROWS * 9] = {{0}};
        size_t rows = 1 + r1_rng_below(&rng, SCAN_ROWS);
        for (size_t i = 0; i < R1_COUNT(eight); i++)
            eight[i] = (int16_t)(r1_rng_below(&rng, 2001) - 1000);
        fast->turn(eight, 127, turned[0], 9, rows);
        slow->turn(eight, 127, turned[1], 9, rows);
        CU_ASSERT_EQUAL(memcmp(turned[0], turned[1], sizeof turned[0]), 0);
        fast->symbols(slot, table, state[0], at[0], lut, symbol[0]);
        slow->symbols(slot, table, state[1], at[1], lut, symbol[1]);
        CU_ASSERT_TRUE(memcmp(state[0], state[1], sizeof state[0]) == 0 &&
                       memcmp(at[0], at[1], sizeof at[0]) == 0 &&
                       memcmp(symbol[0], symbol[1], sizeof symbol[0]) == 0);
        fast->sketch(block, lut, axes, x);
        slow->sketch(block, lut, axes, y);
        CU_ASSERT_EQUAL(memcmp(x, y, sizeof x), 0);
    }
}

static void test_eigen(void)
{
    enum { M = 23 };
    double a[M * M] = {0}, copy[M * M], value[M], v[M * M], row[M];
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    for (int r = 0; r < M - 4; r++) { /* a matrix of rank M - 4 */
        for (int i = 0; i < M; i++) row[i] = r1_rng_normal(&rng);
        for (int i = 0; i < M; i++)
            for (int j = 0; j < M; j++) a[i * M + j] += row[i] * row[j];
    }
    memcpy(copy, a, sizeof a);
    double value2[M], v2[M * M];
    r1_err err = {0};
    R1_ASSERT_OK(linalg_eigen(a, M, value, v, &err), &err);
    R1_ASSERT_OK(linalg_eigen(a, M, value2, v2, &err), &err);
    CU_ASSERT_EQUAL(memcmp(value, value2, sizeof value), 0);
    CU_ASSERT_EQUAL(memcmp(v, v2, sizeof v), 0);
    for (int k = 0; k < M; k++) {
        if (k) CU_ASSERT_TRUE(value[k] <= value[k - 1]);
        for (int i = 0; i < M; i++) {
            double s = 0;
            for (int j = 0; j < M; j++) s += copy[i * M + j] * v[k * M + j];
            CU_ASSERT_DOUBLE_EQUAL(s, value[k] * v[k * M + i], 1e-7);
        }
    }
    CU_ASSERT_TRUE(value[M - 5] > 1e-3 && value[M - 4] < 1e-6);
}

static void test_rans(void)
{
    rans_table t[3];
    double count[RANS_SYMBOLS];
    uint32_t symbol[500];
    uint8_t buf[2000];
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    for (int round = 0; round < 100; round++) {
        uint32_t width[3], n = (uint32_t)r1_rng_below(&rng, 500),
                           carried = (uint32_t)r1_rng_below(&rng, 1 << RANS_FREE);
        for (int k = 0; k < 3; k++) {
            width[k] = 1 + (uint32_t)r1_rng_below(&rng, RANS_SYMBOLS);
            for (uint32_t s = 0; s < width[k]; s++)
                count[s] = k == 1 ? 0 : r1_rng_exponential(&rng, 10) * (s % 3 == 0);
            rans_table_fit(&t[k], count, 0, width[k] - 1);
            CU_ASSERT_TRUE(rans_table_link(&t[k]));
        }
        for (uint32_t i = 0; i < n; i++) symbol[i] = (uint32_t)r1_rng_below(&rng, width[i % 3]);
        rans_encoder e;
        rans_begin(&e, buf, buf + sizeof buf, carried);
        for (uint32_t i = n; i-- > 0;) rans_put(&e, &t[i % 3], symbol[i]);
        rans_finish(&e);
        CU_ASSERT_FALSE(e.full);
        rans_decoder d;
        uint32_t wrong = 0;
        rans_open(&d, e.p, buf + sizeof buf);
        for (uint32_t i = 0; i < n; i++) wrong += rans_get(&d, &t[i % 3]) != symbol[i];
        CU_ASSERT_EQUAL(wrong, 0);
        CU_ASSERT_EQUAL(rans_carried(&d), carried);
        CU_ASSERT_PTR_EQUAL(d.p, d.end);
    }
    static const uint16_t bad[] = {1025, 512};
    memset(&t[0], 0, sizeof t[0]);
    t[0].freq[0] = bad[0];
    CU_ASSERT_FALSE(rans_table_link(&t[0]));
    t[0].freq[0] = t[0].freq[1] = t[0].freq[2] = bad[1];
    CU_ASSERT_FALSE(rans_table_link(&t[0]));
}

/* ---- coded parts ---- */

enum { CD = 48, CN = 3000 };
static float coded_key[CN][CD];

/* Clustered rows with falling variance, as embeddings have. */
static void make_rows(r1_rng *rng)
{
    static float centre[40][CD];
    for (int c = 0; c < 40; c++)
        for (int k = 0; k < CD; k++) centre[c][k] = (float)(r1_rng_normal(rng) / (1 + k * 0.2));
    for (int i = 0; i < CN; i++)
        for (int k = 0; k < CD; k++)
            coded_key[i][k] = centre[r1_rng_below(rng, 40)][k] * 0.1f + centre[i % 40][k] +
                              (float)(r1_rng_normal(rng) * 0.4 / (1 + k * 0.2));
}

static r1_longterm *coded_memory(const r1_longterm_opts *o, r1_rng *rng)
{
    r1_err err = {0};
    r1_longterm *lt;
    make_rows(rng);
    R1_ASSERT_OK(r1_longterm_new_with(&lt, o, &err), &err);
    R1_ASSERT_OK(r1_longterm_begin(lt, &err), &err);
    for (int i = 0; i < CN; i++) {
        r1_longterm_entry e = {.key = coded_key[i],
                               .vector = o->d_vector ? coded_key[CN - 1 - i] : NULL,
                               .value = &i,
                               .value_bytes = sizeof i,
                               .entity = (uint64_t)i,
                               .source = (uint32_t)i % 5};
        R1_ASSERT_OK(r1_longterm_insert(lt, &e, NULL, &err), &err);
    }
    R1_ASSERT_OK(r1_longterm_commit(lt, &err), &err);
    R1_ASSERT_OK(r1_longterm_consolidate(lt, false, &err), &err);
    return lt;
}

/* Share of the exact ten that a search finds over some queries. */
/* Queries together find what each finds alone, to the bit, whoever is beside them. */
static void check_many(const r1_longterm_view *v, const r1_longterm_query *how, r1_rng *rng)
{
    enum { MOST = 150 };
    static float q[MOST][CD];
    static r1_longterm_hit many[MOST * K];
    r1_err err = {0};
    size_t n_many[MOST], n = 1 + r1_rng_below(rng, MOST);
    for (size_t i = 0; i < n; i++) longterm_random_row(rng, q[i], CD);
    R1_ASSERT_OK(r1_longterm_view_search_many(v, q[0], n, how, many, n_many, &err), &err);
    for (size_t i = 0; i < n; i++) {
        r1_longterm_hit hit[K];
        size_t found = 0;
        R1_ASSERT_OK(r1_longterm_view_search(v, q[i], how, hit, &found, &err), &err);
        CU_ASSERT_EQUAL_FATAL(found, n_many[i]);
        for (size_t k = 0; k < found; k++)
            CU_ASSERT_TRUE(hit[k].id == many[i * how->k + k].id &&
                           hit[k].score == many[i * how->k + k].score);
    }
    q[n - 1][1] = INFINITY;
    CU_ASSERT_EQUAL(r1_longterm_view_search_many(v, q[0], n, how, many, n_many, &err), R1_E_INVAL);
}

static double longterm_recall(r1_longterm *lt, const r1_longterm_query *how, r1_rng *rng)
{
    r1_err err = {0};
    r1_longterm_view *v = r1_longterm_view_open(lt);
    int right = 0;
    for (int round = 0; round < 50; round++) {
        float q[CD];
        r1_longterm_hit hit[K], truth[K];
        size_t n, nt;
        for (int k = 0; k < CD; k++)
            q[k] = coded_key[r1_rng_below(rng, CN)][k] * 0.2f + coded_key[round * 7][k] +
                   (float)(r1_rng_normal(rng) * 0.2 / (1 + k * 0.2));
        R1_ASSERT_OK(r1_longterm_view_search(v, q, how, hit, &n, &err), &err);
        R1_ASSERT_OK(r1_longterm_view_search(v, q, &(r1_longterm_query){.k = K, .exact = true},
                                             truth, &nt, &err),
                     &err);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < nt; j++) right += hit[i].id == truth[j].id;
    }
    check_many(v, how, rng);
    r1_longterm_view_close(v);
    return right / 500.0;
}

/* From the mapped file, where keys are read and not mapped in, a search finds the same. */
static void check_file(r1_longterm *lt, r1_rng *rng)
{
    r1_err err = {0};
    r1_longterm *again;
    char file[300];
    snprintf(file, sizeof file, "%s/coded", r1_test_tmpdir());
    R1_ASSERT_OK(r1_longterm_save(lt, file, &err), &err);
    R1_ASSERT_OK(r1_longterm_open_read(&again, file, CN, &err), &err);
    for (int round = 0; round < 20; round++) {
        float q[CD];
        r1_longterm_hit a[K], b[K];
        size_t na = 0, nb = 0;
        longterm_random_row(rng, q, CD);
        R1_ASSERT_OK(r1_longterm_search(lt, q, K, a, &na, &err), &err);
        R1_ASSERT_OK(r1_longterm_search(again, q, K, b, &nb, &err), &err);
        CU_ASSERT_EQUAL_FATAL(na, nb);
        for (size_t i = 0; i < na; i++)
            CU_ASSERT_TRUE(a[i].id == b[i].id && a[i].score == b[i].score);
    }
    r1_longterm_free(again);
}

static void test_codes(void)
{
    static const struct {
        r1_code_kind kind;
        float bytes;
        uint32_t lists;
        double codes, reranked; /* least recall: the property, with room for any seed */
    } cases[] = {{R1_CODE_TRANSFORM, 30, 8, .85, .98},
                 {R1_CODE_TRANSFORM, 14, 1, .45, .9},
                 {R1_CODE_SPARSE, 32, 8, .6, .95}};
    r1_rng rng;
    r1_err err = {0};
    r1_rng_seed(&rng, r1_test_seed());
    for (size_t c = 0; c < R1_COUNT(cases); c++) {
        r1_longterm_opts o = {.d_key = CD,
                              .d_vector = CD,
                              .code = cases[c].kind,
                              .key_bytes = cases[c].bytes,
                              .vector_bytes = 20,
                              .n_list = cases[c].lists,
                              .n_atom = 256,
                              .n_round = 3,
                              .seed = 5};
        r1_longterm *lt = coded_memory(&o, &rng);
        r1_longterm_stats s;
        r1_longterm_view *v = r1_longterm_view_open(lt);
        r1_longterm_view_stats(v, &s);
        CU_ASSERT_EQUAL(s.n_entry, CN);
        CU_ASSERT_EQUAL(s.n_fresh, 0);
        CU_ASSERT_DOUBLE_EQUAL((double)s.code_bytes / CN, cases[c].bytes, 2);
        CU_ASSERT_DOUBLE_EQUAL((double)s.vector_code_bytes / CN, 20, 2);
        double codes = longterm_recall(lt, &(r1_longterm_query){.k = K, .codes_only = true}, &rng),
               full = longterm_recall(lt, &(r1_longterm_query){.k = K}, &rng);
        check_file(lt, &rng);
        printf(" [%d: %.3f %.3f] ", (int)cases[c].kind, codes, full);
        CU_ASSERT_TRUE(codes >= cases[c].codes);
        CU_ASSERT_TRUE(full >= cases[c].reranked && full >= codes);
        for (int i = 0; i < CN; i += 97) { /* values whole, vectors near */
            r1_longterm_entry e;
            float x[CD], err2 = 0, norm = 0;
            R1_ASSERT_OK(r1_longterm_view_get(v, (uint64_t)i + 1, &e, &err), &err);
            CU_ASSERT_EQUAL(e.entity, (uint64_t)i);
            CU_ASSERT_EQUAL(memcmp(e.value, &i, sizeof i), 0);
            CU_ASSERT_EQUAL(memcmp(e.key, coded_key[i], sizeof coded_key[i]), 0);
            R1_ASSERT_OK(r1_longterm_view_vector(v, (uint64_t)i + 1, true, x, &err), &err);
            for (int k = 0; k < CD; k++) {
                err2 += (x[k] - coded_key[CN - 1 - i][k]) * (x[k] - coded_key[CN - 1 - i][k]);
                norm += coded_key[CN - 1 - i][k] * coded_key[CN - 1 - i][k];
            }
            CU_ASSERT_TRUE(err2 < 0.3f * norm);
        }
        r1_longterm_view_close(v);
        r1_longterm_free(lt);
    }
}

/* What the table-driven scores say is what the decoded vector says; lanes give what single codes
 * give. */
static void test_scores(void)
{
    r1_rng rng;
    r1_err err = {0};
    r1_rng_seed(&rng, r1_test_seed());
    make_rows(&rng);
    for (uint32_t kind = R1_CODE_TRANSFORM; kind <= R1_CODE_SPARSE; kind++) {
        code *c, *copy;
        code_opts o = {
            .bytes = 30, .kind = kind, .n_list = 4, .n_atom = 200, .rounds = 2, .seed = 3};
        R1_ASSERT_OK(code_train(&c, &coded_key[0][0], CN, CD, &o, &err), &err);
        size_t packed = code_packed_bytes(c), most = code_entry_max(c);
        uint8_t *p = malloc(packed), bytes[32768], sketch[CODE_LANES * CODE_SKETCH_MAX],
                turned[CODE_LANES * CODE_SKETCH_MAX], *room = calloc(CODE_LANES, code_padded(c));
        uint32_t list[CODE_LANES], len[CODE_LANES];
        code_pack(c, p);
        R1_ASSERT_OK(code_unpack(&copy, p, packed, &err), &err);
        CU_ASSERT_EQUAL(code_unpack(&copy, p, packed - 1, &err), R1_E_FORMAT);
        CU_ASSERT_TRUE_FATAL(most * CODE_LANES <= sizeof bytes);
        for (int round = 0; round < 100; round++) {
            const float *x = coded_key[round * 29];
            float q[CD], u[CD], table[256], base[CODE_LANES], scale[CODE_LANES], single[CODE_LANES],
                y[CD];
            int16_t z[CODE_LANES * CD];
            longterm_random_row(&rng, q, CD);
            R1_ASSERT_OK(linalg_nearest(x, CODE_LANES, CD, c->centre, c->n_list, list, &err), &err);
            R1_ASSERT_OK(code_encode(c, x, CODE_LANES, list, bytes, len, sketch, &err), &err);
            code_query(copy, q, u, table);
            for (size_t j = 0; j < CODE_LANES; j++) {
                double s = 0;
                base[j] = scan_portable()->dot(c->centre + list[j] * CD, q, CD);
                single[j] = code_score(copy, u, table, base[j], bytes + j * most, len[j],
                                       sketch + j * c->n_sketch);
                code_decode(copy, list[j], bytes + j * most, len[j], sketch + j * c->n_sketch, y);
                for (int k = 0; k < CD; k++) s += (double)y[k] * q[k];
                CU_ASSERT_DOUBLE_EQUAL(single[j], s, 1e-4);
                uint8_t *mine = room + j * code_padded(c);
                for (size_t k = 0; k < code_padded(c); k++)
                    mine[k] = (uint8_t)r1_rng_u64(&rng); /* what follows is not its own */
                memcpy(mine, bytes + j * most, len[j]);
            }
            if (kind == R1_CODE_SPARSE) continue;
            for (size_t j = 0; j < CODE_LANES; j++)
                for (size_t a = 0; a < c->n_sketch; a++)
                    turned[a * CODE_LANES + j] = sketch[j * c->n_sketch + a];
            size_t n = round % 2 ? CODE_LANES : 1 + r1_rng_below(&rng, CODE_LANES);
            code_integers(copy, n, room, turned, z, scale);
            for (size_t j = 0; j < n; j++) {
                float score =
                    (base[j] + scan_portable()->dot16(z + j * copy->m, u, copy->m)) * scale[j];
                CU_ASSERT_EQUAL(memcmp(&score, &single[j], sizeof score), 0);
            }
        }
        free(p);
        free(room);
        code_free(c);
        code_free(copy);
    }
}

/* Rank one, constant, two rows, one row: nothing to learn from, and nothing may break. */
static void test_poor_data(void)
{
    r1_rng rng;
    r1_err err = {0};
    r1_rng_seed(&rng, r1_test_seed());
    for (int shape = 0; shape < 5; shape++)
        for (uint32_t kind = R1_CODE_TRANSFORM; kind <= R1_CODE_SPARSE; kind++) {
            r1_longterm *lt;
            r1_longterm_opts o = {.d_key = 8, .code = kind, .n_atom = 32, .n_round = 2};
            int n = shape == 3 ? 2 : shape == 4 ? 1 : 300;
            R1_ASSERT_OK(r1_longterm_new_with(&lt, &o, &err), &err);
            for (int i = 0; i < n; i++) {
                float key[8] = {0};
                for (int c = 0; c < 8; c++)
                    key[c] = shape == 0   ? (float)i * (float)c
                             : shape == 1 ? 3
                             : shape == 2 ? 0
                                          : (float)r1_rng_normal(&rng);
                R1_ASSERT_OK(r1_longterm_insert(lt, &(r1_longterm_entry){.key = key}, NULL, &err),
                             &err);
            }
            R1_ASSERT_OK(r1_longterm_consolidate(lt, true, &err), &err);
            float q[8] = {1, 1, 1, 1, 1, 1, 1, 1};
            r1_longterm_hit hit[K];
            size_t found;
            R1_ASSERT_OK(r1_longterm_search(lt, q, K, hit, &found, &err), &err);
            CU_ASSERT_EQUAL(found, (size_t)(n < K ? n : K));
            if (shape == 0) CU_ASSERT_EQUAL(hit[0].id, 300);
            r1_longterm_free(lt);
        }
}

/* ---- changes ---- */

static void test_changes(void)
{
    r1_rng rng;
    r1_err err = {0};
    r1_rng_seed(&rng, r1_test_seed());
    r1_longterm_opts o = {.d_key = CD, .key_bytes = 30, .n_list = 4};
    r1_longterm *lt = coded_memory(&o, &rng);
    r1_longterm_view *before = r1_longterm_view_open(lt);
    r1_longterm_entry e = {.key = coded_key[7],
                           .source = 2,
                           .version = 9,
                           .time_us = 50,
                           .entity = 4},
                      got;
    R1_ASSERT_OK(r1_longterm_update(lt, 3, &e, &err), &err);
    R1_ASSERT_OK(r1_longterm_get(lt, 3, &got, &err), &err);
    CU_ASSERT_EQUAL(got.version, 9);
    R1_ASSERT_OK(r1_longterm_view_get(before, 3, &got, &err), &err);
    CU_ASSERT_EQUAL(got.version, 0); /* an older view shows the older entry */
    CU_ASSERT_EQUAL(r1_longterm_count(lt), CN);
    CU_ASSERT_EQUAL(r1_longterm_expire(lt, 2, 9),
                    CN / 5 - 1); /* all of source 2 but the one replaced (id 3 is of it) */
    R1_ASSERT_OK(r1_longterm_begin(lt, &err), &err);
    R1_ASSERT_OK(r1_longterm_delete(lt, 1, &err), &err);
    R1_ASSERT_OK(r1_longterm_insert(lt, &e, NULL, &err), &err);
    r1_longterm_rollback(lt);
    R1_ASSERT_OK(r1_longterm_get(lt, 1, &got, &err), &err);
    size_t n = r1_longterm_count(lt), merged;
    for (int i = 0; i < 3; i++) { /* near twins of one owner: the newest stays */
        e.time_us = 100 + i;
        R1_ASSERT_OK(r1_longterm_insert(lt, &e, NULL, &err), &err);
    }
    R1_ASSERT_OK(r1_longterm_merge(lt, 0.999f, &merged, &err), &err);
    CU_ASSERT_EQUAL(merged, 3); /* two of the three and entry 3 */
    CU_ASSERT_EQUAL(r1_longterm_get(lt, 3, &got, &err), R1_E_NOT_FOUND);
    CU_ASSERT_EQUAL(r1_longterm_count(lt), n);
    r1_longterm_view *mixed =
        r1_longterm_view_open(lt); /* coded rows, some of them gone, and fresh ones */
    check_many(mixed, &(r1_longterm_query){.k = K, .n_sketch = 50, .n_rerank = 20, .n_probe = 2},
               &rng);
    r1_longterm_view_close(mixed);
    R1_ASSERT_OK(r1_longterm_consolidate(lt, true, &err), &err);
    CU_ASSERT_EQUAL(r1_longterm_count(lt), n);
    CU_ASSERT_EQUAL(r1_longterm_age(lt, 102), n - 1);
    CU_ASSERT_EQUAL(r1_longterm_view_count(before), CN);
    r1_longterm_view_close(before);
    r1_longterm_free(lt);
}

/* ---- the file ---- */

static char path[300], bad[300];

static void name_files(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", r1_test_tmpdir(), name);
    snprintf(bad, sizeof bad, "%s/%s.bad", r1_test_tmpdir(), name);
}

/* The state of a memory as one number: ids, metadata, keys, values. */
static uint64_t longterm_state_of(r1_longterm *lt, uint64_t id_max)
{
    uint64_t h = r1_longterm_count(lt);
    for (uint64_t id = 1; id <= id_max; id++) {
        r1_longterm_entry e;
        if (r1_longterm_get(lt, id, &e, NULL) != R1_OK) continue;
        uint64_t meta[] = {id, e.entity, (uint64_t)e.time_us, e.source, e.version, e.value_bytes};
        h = r1_hash64(meta, sizeof meta, h);
        if (e.key) h = r1_hash64(e.key, sizeof(float) * D, h);
        if (e.value_bytes) h = r1_hash64(e.value, e.value_bytes, h);
    }
    return h;
}

static r1_status state_of_file(const char *file, uint64_t *state)
{
    r1_longterm *lt;
    r1_err err = {0};
    r1_status st = r1_longterm_open_read(&lt, file, N + 10, &err);
    if (st != R1_OK) {
        CU_ASSERT_TRUE(strstr(err.msg, file) != NULL); /* names the file */
        return st;
    }
    *state = longterm_state_of(lt, N + 10);
    r1_longterm_free(lt);
    return R1_OK;
}

/* Three states in one file: saved; some entries changed; all consolidated behind them. ends[i]:
 * length of the file at each. */
static void make_states(r1_rng *rng, uint64_t *state, size_t *ends)
{
    r1_err err = {0};
    r1_longterm *lt = longterm_filled(rng);
    R1_ASSERT_OK(r1_longterm_save(lt, path, &err), &err);
    r1_longterm_free(lt);
    for (int i = 0; i < 3; i++) {
        char *data;
        R1_ASSERT_OK(r1_longterm_open(&lt, path, N + 10, &err), &err);
        r1_longterm *second;
        CU_ASSERT_EQUAL(r1_longterm_open(&second, path, N, &err), R1_E_AGAIN); /* one writer */
        if (i == 1) {
            r1_longterm_entry e = {.key = keys[3], .value = "new", .value_bytes = 3, .version = 7};
            R1_ASSERT_OK(r1_longterm_begin(lt, &err), &err);
            R1_ASSERT_OK(r1_longterm_delete(lt, 5, &err), &err);
            R1_ASSERT_OK(r1_longterm_insert(lt, &e, NULL, &err), &err);
            R1_ASSERT_OK(r1_longterm_update(lt, 9, &e, &err), &err);
            R1_ASSERT_OK(r1_longterm_commit(lt, &err), &err);
        }
        if (i == 2) R1_ASSERT_OK(r1_longterm_consolidate(lt, false, &err), &err);
        state[i] = longterm_state_of(lt, N + 10);
        r1_longterm_free(lt);
        R1_ASSERT_OK(r1_file_read(path, 1 << 24, &data, &ends[i], &err), &err);
        free(data);
    }
}

static void test_longterm_file(void)
{
    r1_rng rng;
    r1_err err = {0};
    uint64_t state[3], found = 0;
    size_t ends[3], len, refused = 0, previous = 0;
    char *data;
    r1_rng_seed(&rng, r1_test_seed());
    name_files("memory");
    make_states(&rng, state, ends);
    CU_ASSERT_EQUAL(state[1], state[2]); /* consolidation moves entries, it changes none */
    R1_ASSERT_OK(r1_file_read(path, 1 << 24, &data, &len, &err), &err);
    for (size_t i = 0; i <= 64;
         i++) { /* cut everywhere: an error before the first commit ended, else the state before */
        size_t cut = len * i / 64;
        R1_ASSERT_OK(r1_file_write(bad, data, cut, &err), &err);
        r1_status st = state_of_file(bad, &found);
        CU_ASSERT_EQUAL(st, cut < ends[0] ? R1_E_FORMAT : R1_OK);
        if (st == R1_OK) CU_ASSERT_EQUAL(found, state[cut < ends[1] ? 0 : 1]);
    }
    for (size_t cut = ends[0]; cut <= ends[1]; cut++) { /* at every byte of the second commit */
        R1_ASSERT_OK(r1_file_write(bad, data, cut, &err), &err);
        R1_ASSERT_OK(state_of_file(bad, &found), &err);
        CU_ASSERT_EQUAL(found, state[cut == ends[1]]);
    }
    for (int i = 0; i < 400;
         i++) { /* one bit turned: refused with the place, or the state before */
        size_t at = r1_rng_below(&rng, i % 2 ? len : ends[1] + 4096);
        data[at] ^= (char)(1 << i % 8);
        R1_ASSERT_OK(r1_file_write(bad, data, len, &err), &err);
        r1_status st = state_of_file(bad, &found);
        data[at] ^= (char)(1 << i % 8);
        CU_ASSERT_TRUE(st == R1_E_FORMAT ||
                       (st == R1_OK && at >= ends[0] && found == state[at < ends[1] ? 0 : 1]));
        refused += st != R1_OK;
        previous += st == R1_OK;
    }
    printf(" [%zu refused, %zu previous] ", refused, previous);
    R1_ASSERT_OK(r1_file_write(bad, data, ends[0] + 200, &err),
                 &err); /* a writer cuts the incomplete commit off */
    r1_longterm *lt;
    R1_ASSERT_OK(r1_longterm_open(&lt, bad, N + 10, &err), &err);
    uint64_t id;
    R1_ASSERT_OK(r1_longterm_insert(lt, &(r1_longterm_entry){.key = keys[0]}, &id, &err), &err);
    CU_ASSERT_EQUAL(id, N + 1);
    r1_longterm_free(lt);
    R1_ASSERT_OK(r1_longterm_open_read(&lt, bad, N + 10, &err), &err);
    CU_ASSERT_EQUAL(r1_longterm_count(lt), N + 1);
    CU_ASSERT_EQUAL(r1_longterm_insert(lt, &(r1_longterm_entry){.key = keys[0]}, &id, &err),
                    R1_E_INVAL);
    r1_longterm_free(lt);
    CU_ASSERT_EQUAL(r1_longterm_open_read(&lt, path, 3, &err), R1_E_FORMAT);
    R1_ASSERT_OK(r1_longterm_open(&lt, path, N + 10, &err),
                 &err); /* a new file in the old one's place */
    R1_ASSERT_OK(r1_longterm_consolidate(lt, true, &err), &err);
    CU_ASSERT_EQUAL(longterm_state_of(lt, N + 10), state[2]);
    R1_ASSERT_OK(r1_longterm_delete(lt, 1, &err), &err);
    found = longterm_state_of(lt, N + 10);
    r1_longterm_free(lt);
    uint64_t again;
    R1_ASSERT_OK(state_of_file(path, &again), &err);
    CU_ASSERT_EQUAL(again, found);
    free(data);
}

/* A child may write `bytes` to any file and is killed by the write that goes beyond. what: 0
 * commit, 1 consolidate, 2 rebuild. */
static void change_in_child(const char *file, int what, rlim_t bytes)
{
    struct rlimit limit = {bytes, bytes}, none = {0, 0};
    r1_longterm *lt;
    setrlimit(RLIMIT_CORE, &none);
    if (r1_longterm_open(&lt, file, N + 10, NULL) != R1_OK) _exit(3);
    if (setrlimit(RLIMIT_FSIZE, &limit)) _exit(4);
    if (what == 0) {
        r1_longterm_begin(lt, NULL);
        for (int i = 0; i < 8; i++)
            r1_longterm_insert(lt,
                               &(r1_longterm_entry){.key = keys[i], .value = "x", .value_bytes = 1},
                               NULL, NULL);
        r1_longterm_delete(lt, 2, NULL);
        _exit(r1_longterm_commit(lt, NULL) == R1_OK ? 0 : 5);
    }
    _exit(r1_longterm_consolidate(lt, what == 2, NULL) == R1_OK ? 0 : 5);
}

static void test_kill(void)
{
    r1_rng rng;
    r1_err err = {0};
    size_t len;
    char *data;
    r1_rng_seed(&rng, r1_test_seed());
    name_files("killed");
    r1_longterm *lt = longterm_filled(&rng);
    R1_ASSERT_OK(r1_longterm_save(lt, path, &err), &err);
    uint64_t old = longterm_state_of(lt, N + 10);
    r1_longterm_free(lt);
    R1_ASSERT_OK(r1_file_read(path, 1 << 24, &data, &len, &err), &err);
    for (int what = 0; what < 3; what++) {
        int done = 0, killed = 0;
        uint64_t first_new = 0;
        for (size_t at = what == 2 ? 0 : len, round = 0; round < 40 && done < 2;
             round++, at += what ? 17000 : 71) {
            R1_ASSERT_OK(r1_file_write(bad, data, len, &err), &err);
            pid_t pid = fork();
            if (pid == 0) change_in_child(bad, what, (rlim_t)at);
            int status;
            waitpid(pid, &status, 0);
            bool finished = WIFEXITED(status) && WEXITSTATUS(status) == 0;
            CU_ASSERT_TRUE(finished || (WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ));
            uint64_t found;
            R1_ASSERT_OK(state_of_file(bad, &found), &err);
            if (finished && !done++) first_new = found;
            CU_ASSERT_EQUAL(found, finished ? first_new : old);
            killed += !finished;
        }
        CU_ASSERT_TRUE(killed > 0 && done > 0);
        CU_ASSERT_EQUAL(first_new == old, what > 0);
    }
    free(data);
}

/* ---- broken invariants, one planted for each family ---- */

static void break_live(r1_longterm *lt) { lt->view->n_live--; }
static void break_dead(r1_longterm *lt) { lt->view->part[0].dead->word[0] |= 6; }
static void break_rows(r1_longterm *lt) { lt->view->part[0].n = N + 1; }
static void break_next_id(r1_longterm *lt) { lt->next_id = 3; }
static void break_id_order(r1_longterm *lt)
{
    part_record *rec = (part_record *)(uintptr_t)lt->view->part[0].p->rec;
    rec[9].id = rec[3].id;
}

typedef struct {
    void (*plant)(r1_longterm *lt);
    const char *expected;
} planted_view;

static void plant_and_check_view(void *ctx)
{
    const planted_view *p = ctx;
    r1_rng rng;
    r1_rng_seed(&rng, 1);
    r1_longterm *lt = longterm_filled(&rng);
    CU_ASSERT_EQUAL(r1_longterm_delete(lt, 1, NULL), R1_OK);
    view_check(lt->view, lt->next_id);
    p->plant(lt);
    view_check(lt->view, lt->next_id);
}

/* Every build: a row that dies twice, a block of the log off its grid, an id given twice. */
static void kill_twice(void *ctx)
{
    r1_rng rng;
    (void)ctx;
    r1_rng_seed(&rng, 1);
    r1_longterm *lt = longterm_filled(&rng);
    view_kill(lt->view, 0, 5, NULL);
    view_kill(lt->view, 0, 5, NULL);
}

static void log_off_grid(void *ctx)
{
    longfile f;
    longfile_create(&f, ctx, &(r1_longterm_opts){.d_key = 4}, NULL);
    f.at += 8;
    longfile_delete(&f, 1, NULL);
}

static void log_backwards(void *ctx)
{
    longfile f;
    longfile_create(&f, ctx, &(r1_longterm_opts){.d_key = 4}, NULL);
    f.end += 640;
    longfile_commit(&f, 2, NULL);
}

static void give_ids_again(void *ctx)
{
    r1_rng rng;
    (void)ctx;
    r1_rng_seed(&rng, 1);
    r1_longterm *lt = longterm_filled(&rng);
    r1_longterm_begin(lt, NULL);
    lt->next_id -= 2;
    r1_longterm_commit(lt, NULL);
}

static void test_longterm_breaks(void)
{
    static const planted_view cases[] = {{break_live, "live entries, counted"},
                                         {break_dead, "1 rows dead, counted 3"},
                                         {break_rows, "view 501 of 500 rows"},
                                         {break_next_id, "next 3"},
                                         {break_id_order, "row 9: id 4 after 9"}};
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        planted_view p = cases[i];
        CU_ASSERT(r1_test_breaks(plant_and_check_view, &p, p.expected));
    }
    char log[512];
    snprintf(log, sizeof log, "%s", r1_test_in_tmp("broken.log"));
    CU_ASSERT(r1_test_breaks(kill_twice, NULL, "row 5 of part 0 dies twice"));
    CU_ASSERT(r1_test_breaks(log_off_grid, log, "a block at byte 72"));
    CU_ASSERT(r1_test_breaks(log_backwards, log, "would overwrite what ends at 704"));
    CU_ASSERT(r1_test_breaks(give_ids_again, NULL, "next id 499, before 501"));
}

R1_TEST_MAIN("long-term memory", {"search", test_longterm_search}, {"limits", test_limits},
             {"pursuit", test_omp}, {"scan", test_scan}, {"eigenvectors", test_eigen},
             {"range coder", test_rans}, {"scores", test_scores}, {"codes", test_codes},
             {"poor data", test_poor_data}, {"changes", test_changes}, {"file", test_longterm_file},
             {"kill", test_kill}, {"broken invariants", test_longterm_breaks})
