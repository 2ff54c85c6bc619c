/* SPDX-License-Identifier: Apache-2.0 */
/* rivals.c - see rivals.h.
 *
 * Product quantisation (Jegou, Douze, Schmid 2011): columns in groups as even as possible, 256
 * centres each. Optimised PQ (Ge et al. 2013, the variant without a model): rotation and
 * codebooks in turns, the rotation by the polar factor of x' decoded. Scalar rivals: principal
 * axes, as many as the bytes allow, whole steps per axis between the 0.1 % and 99.9 % quantiles. */
#include "bench/rivals.h"

#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CENTRES = 256,
    TRAIN_MAX = 16384,
    PQ_ROUNDS = 8,
    OPQ_ROUNDS = 8,
    POLAR_ROUNDS = 40,
    PCA_ROUNDS = 60
};

/* ---- BLAS ---- */

typedef void (*sgemv_fn)(int, int, int, int, float, const float *, int, const float *, int, float,
                         float *, int);
typedef void (*sgemm_fn)(int, int, int, int, int, int, float, const float *, int, const float *,
                         int, float, float *, int);
static sgemv_fn blas_sgemv;
static sgemm_fn blas_sgemm;
enum { ROW_MAJOR = 101, NO_TRANS = 111, TRANS = 112 };

static void gemv_blas(const float *a, size_t m, size_t n, const float *x, float *y)
{
    blas_sgemv(ROW_MAJOR, NO_TRANS, (int)m, (int)n, 1, a, (int)n, x, 1, 0, y, 1);
}

static void gemm_blas(const float *a, const float *b, size_t m, size_t n, size_t k, float *c)
{
    blas_sgemm(ROW_MAJOR, NO_TRANS, TRANS, (int)m, (int)n, (int)k, 1, a, (int)k, b, (int)k, 0, c,
               (int)n);
}

static void gemm_plain(const float *a, const float *b, size_t m, size_t n, size_t k, float *c)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            float s[8] = {0};
            size_t t = 0;
            for (; t + 8 <= k; t += 8)
                for (size_t l = 0; l < 8; l++) s[l] += a[i * k + t + l] * b[j * k + t + l];
            for (; t < k; t++) s[0] += a[i * k + t] * b[j * k + t];
            c[i * n + j] = s[0] + s[1] + s[2] + s[3] + s[4] + s[5] + s[6] + s[7];
        }
}

static void gemv_plain(const float *a, size_t m, size_t n, const float *x, float *y)
{
    gemm_plain(a, x, m, 1, n, y);
}

static rival_blas blas = {"plain loops (no OpenBLAS found)", gemv_plain, gemm_plain};
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void *rivals_symbol(void *lib, const char *name, void *out, size_t bytes)
{
    void *s = dlsym(lib, name);
    memcpy(out, &s, bytes);
    return s;
}

static void open_blas(void)
{
    void *lib = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    void (*threads)(int) = NULL;
    char *(*config)(void) = NULL;
    if (!lib) return;
    if (!rivals_symbol(lib, "cblas_sgemv", &blas_sgemv, sizeof blas_sgemv) ||
        !rivals_symbol(lib, "cblas_sgemm", &blas_sgemm, sizeof blas_sgemm) ||
        !rivals_symbol(lib, "openblas_set_num_threads", &threads, sizeof threads))
        return;
    threads(1);
    snprintf(blas.name, sizeof blas.name, "%s",
             rivals_symbol(lib, "openblas_get_config", &config, sizeof config) ? config()
                                                                               : "OpenBLAS");
    blas.gemv = gemv_blas;
    blas.gemm_nt = gemm_blas;
}

const rival_blas *rival_blas_open(void)
{
    pthread_once(&once, open_blas);
    return &blas;
}

/* ---- product quantisation ---- */

typedef struct {
    uint32_t d, m;  /* m groups; group g has columns from[g]..from[g + 1) */
    uint32_t *from; /* [m + 1] */
    float *centre;  /* per group [width][CENTRES], at from[g] * CENTRES */
} product;

/* Nearest centre of each row's group: the inner loop runs over the centres. */
static void rivals_nearest(const product *p, uint32_t g, const float *x, size_t n, uint8_t *code)
{
    uint32_t w = p->from[g + 1] - p->from[g];
    const float *c = p->centre + (size_t)p->from[g] * CENTRES;
    float half[CENTRES] = {0}, score[CENTRES];
    for (uint32_t k = 0; k < w; k++)
        for (int j = 0; j < CENTRES; j++)
            half[j] -= c[k * CENTRES + (uint32_t)j] * c[k * CENTRES + (uint32_t)j] / 2;
    for (size_t i = 0; i < n; i++) {
        memcpy(score, half, sizeof score);
        for (uint32_t k = 0; k < w; k++) {
            float v = x[i * p->d + p->from[g] + k];
            const float *ck = c + k * CENTRES;
            for (int j = 0; j < CENTRES; j++) score[j] += v * ck[j];
        }
        int best = 0;
        for (int j = 1; j < CENTRES; j++)
            if (score[j] > score[best]) best = j;
        code[i] = (uint8_t)best;
    }
}

static void move_centres(product *p, uint32_t g, const float *x, size_t n, const uint8_t *code,
                         r1_rng *rng)
{
    uint32_t w = p->from[g + 1] - p->from[g], count[CENTRES] = {0};
    float *c = p->centre + (size_t)p->from[g] * CENTRES;
    memset(c, 0, sizeof *c * w * CENTRES);
    for (size_t i = 0; i < n; i++) {
        count[code[i]]++;
        for (uint32_t k = 0; k < w; k++) c[k * CENTRES + code[i]] += x[i * p->d + p->from[g] + k];
    }
    for (uint32_t j = 0; j < CENTRES; j++) {
        size_t from = (size_t)r1_rng_below(rng, n);
        for (uint32_t k = 0; k < w; k++)
            c[k * CENTRES + j] =
                count[j] ? c[k * CENTRES + j] / (float)count[j] : x[from * p->d + p->from[g] + k];
    }
}

static void product_train(product *p, const float *x, size_t n, int rounds, bool start,
                          uint8_t *code, r1_rng *rng)
{
    for (uint32_t g = 0; g < p->m; g++) {
        for (uint32_t j = 0; j < CENTRES && start; j++) {
            size_t from = (size_t)r1_rng_below(rng, n);
            for (uint32_t k = 0; k < p->from[g + 1] - p->from[g]; k++)
                p->centre[(size_t)(p->from[g] + k) * CENTRES + j] = x[from * p->d + p->from[g] + k];
        }
        for (int r = 0; r < rounds; r++) {
            rivals_nearest(p, g, x, n, code);
            move_centres(p, g, x, n, code, rng);
        }
    }
}

static void product_decode(const product *p, const float *x, size_t n, float *out, uint8_t *code)
{
    for (uint32_t g = 0; g < p->m; g++) {
        rivals_nearest(p, g, x, n, code);
        for (size_t i = 0; i < n; i++)
            for (uint32_t k = p->from[g]; k < p->from[g + 1]; k++)
                out[i * p->d + k] = p->centre[(size_t)k * CENTRES + code[i]];
    }
}

/* ---- small matrices ---- */

static void rivals_transpose(const float *a, size_t m, size_t n, float *out)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) out[j * m + i] = a[i * n + j];
}

/* The orthogonal factor of a[d,d] by Newton-Schulz; t: three matrices. */
static void rivals_polar(float *a, size_t d, float *t)
{
    float *at = t, *aa = t + d * d, *next = aa + d * d;
    double norm = 0;
    for (size_t i = 0; i < d * d; i++) norm += (double)a[i] * a[i];
    for (size_t i = 0; i < d * d; i++) a[i] = (float)(a[i] / (sqrt(norm) + 1e-30) * 1.7);
    for (int r = 0; r < POLAR_ROUNDS; r++) { /* a <- a (3 I - a'a) / 2 */
        rivals_transpose(a, d, d, at);
        blas.gemm_nt(at, at, d, d, d, aa);
        blas.gemm_nt(a, aa, d, d, d, next); /* a'a is symmetric */
        for (size_t i = 0; i < d * d; i++) a[i] = 1.5f * a[i] - 0.5f * next[i];
    }
}

/* Rows of v[d,d] made orthonormal in order; twice, since rows without energy are all rounding
 * after the first time. */
static void rivals_orthonormal(float *v, size_t d)
{
    for (size_t i = 0; i < 2 * d; i++) {
        float *row = v + i / 2 * d;
        double norm = 0;
        for (size_t j = 0; j < i / 2; j++) {
            double s = 0;
            for (size_t k = 0; k < d; k++) s += (double)row[k] * v[j * d + k];
            for (size_t k = 0; k < d; k++) row[k] -= (float)s * v[j * d + k];
        }
        for (size_t k = 0; k < d; k++) norm += (double)row[k] * row[k];
        for (size_t k = 0; k < d; k++) row[k] = (float)(row[k] / (sqrt(norm) + 1e-30));
    }
}

/* Principal axes as rows of v, by orthogonal iteration on the covariance about the mean. */
static void rivals_principal(const float *x, size_t n, size_t d, const float *mean, float *v,
                             float *t, r1_rng *rng)
{
    float *cov = t, *next = t + d * d;
    memset(cov, 0, sizeof *cov * d * d);
    for (size_t i = 0; i < n; i++)
        for (size_t a = 0; a < d; a++) {
            float xa = x[i * d + a] - mean[a];
            for (size_t b = 0; b < d; b++) cov[a * d + b] += xa * (x[i * d + b] - mean[b]);
        }
    for (size_t i = 0; i < d * d; i++) v[i] = (float)r1_rng_normal(rng);
    rivals_orthonormal(v, d);
    for (int r = 0; r < PCA_ROUNDS; r++) {
        blas.gemm_nt(v, cov, d, d, d, next);
        memcpy(v, next, sizeof *v * d * d);
        rivals_orthonormal(v, d);
    }
}

/* ---- the rivals ---- */

typedef struct {
    const float *x;
    size_t n, n_train;
    uint32_t d;
    float *train, *turned, *decoded, *mean, *rotation,
        *t; /* [n_train][d], [n][d] twice, [d], [d][d], 3 [d][d] */
    uint8_t *code;
} workspace;

static void opq_rounds(workspace *w, product *p, r1_rng *rng)
{
    size_t d = w->d, n = w->n_train;
    float *xt = malloc(sizeof *xt * n * d), *yt = malloc(sizeof *yt * n * d);
    for (int r = 0; r < OPQ_ROUNDS && xt && yt; r++) {
        blas.gemm_nt(w->train, w->rotation, n, d, d, w->turned);
        product_train(p, w->turned, n, r ? 2 : PQ_ROUNDS, r == 0, w->code, rng);
        product_decode(p, w->turned, n, w->decoded, w->code);
        rivals_transpose(w->train, n, d, xt);
        rivals_transpose(w->decoded, n, d, yt);
        blas.gemm_nt(yt, xt, d, d, n,
                     w->rotation); /* decoded' x: its polar factor turns x onto what is decoded */
        rivals_polar(w->rotation, d, w->t);
    }
    free(xt);
    free(yt);
}

static r1_status code_product(workspace *w, bool optimised, size_t bytes, r1_rng *rng, float *out,
                              r1_err *err)
{
    uint32_t d = w->d, m = bytes < d ? (uint32_t)bytes : d;
    product p = {d, m, malloc(sizeof(uint32_t) * (m + 1)), malloc(sizeof(float) * d * CENTRES)};
    if (!p.from || !p.centre) {
        free(p.from);
        free(p.centre);
        R1_FAIL(err, R1_E_NOMEM, "no memory for codebooks");
    }
    for (uint32_t g = 0; g <= m; g++) p.from[g] = (uint32_t)((uint64_t)d * g / m);
    memset(w->rotation, 0, sizeof *w->rotation * d * d);
    for (uint32_t i = 0; i < d; i++) w->rotation[i * d + i] = 1;
    if (optimised)
        opq_rounds(w, &p, rng);
    else
        product_train(&p, w->train, w->n_train, PQ_ROUNDS, true, w->code, rng);
    blas.gemm_nt(w->x, w->rotation, w->n, d, d, w->turned);
    product_decode(&p, w->turned, w->n, w->decoded, w->code);
    rivals_transpose(w->rotation, d, d, w->t);
    blas.gemm_nt(w->decoded, w->t, w->n, d, d, out);
    free(p.from);
    free(p.centre);
    return R1_OK;
}

static int by_value(const void *a, const void *b)
{
    const float *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static r1_status code_scalar(workspace *w, int bits, size_t bytes, r1_rng *rng, float *out,
                             r1_err *err)
{
    size_t d = w->d, n = w->n, kept = bytes * 8 / (size_t)bits < d ? bytes * 8 / (size_t)bits : d;
    float *column = malloc(sizeof *column * n), top = (float)((1 << bits) - 1);
    if (!column) R1_FAIL(err, R1_E_NOMEM, "no memory for a column");
    rivals_principal(w->train, w->n_train, d, w->mean, w->rotation, w->t, rng);
    for (size_t i = 0; i < n * d; i++) w->decoded[i] = w->x[i] - w->mean[i % d];
    blas.gemm_nt(w->decoded, w->rotation, n, d, d, w->turned);
    for (size_t k = 0; k < d; k++) {
        for (size_t i = 0; i < n; i++) column[i] = w->turned[i * d + k];
        qsort(column, n, sizeof *column, by_value);
        float low = column[n / 1000], step = (column[n - 1 - n / 1000] - low) / top;
        for (size_t i = 0; i < n; i++) {
            float z = step > 0 ? roundf((w->turned[i * d + k] - low) / step) : 0;
            z = z < 0 ? 0 : z > top ? top : z;
            w->turned[i * d + k] = k < kept ? low + z * step : 0;
        }
    }
    rivals_transpose(w->rotation, d, d, w->t);
    blas.gemm_nt(w->turned, w->t, n, d, d, out);
    for (size_t i = 0; i < n * d; i++) out[i] += w->mean[i % d];
    free(column);
    return R1_OK;
}

const char *rival_name(rival_kind kind)
{
    static const char *const names[RIVAL_COUNT] = {"pq", "opq", "pca_int8", "pca_int4"};
    return names[kind];
}

r1_status rival_code(rival_kind kind, const float *x, size_t n, uint32_t d, size_t bytes,
                     uint64_t seed, float *out, size_t *used, r1_err *err)
{
    rival_blas_open();
    r1_rng rng;
    r1_rng_seed(&rng, seed);
    size_t nt = n < TRAIN_MAX ? n : TRAIN_MAX, dd = (size_t)d * d;
    workspace w = {.x = x,
                   .n = n,
                   .n_train = nt,
                   .d = d,
                   .train = malloc(sizeof(float) * nt * d),
                   .turned = malloc(sizeof(float) * n * d),
                   .decoded = malloc(sizeof(float) * n * d),
                   .mean = calloc(d, sizeof(float)),
                   .rotation = malloc(sizeof(float) * dd),
                   .t = malloc(sizeof(float) * 3 * dd),
                   .code = malloc(n)};
    r1_status st = R1_OK;
    if (!w.train || !w.turned || !w.decoded || !w.mean || !w.rotation || !w.t || !w.code)
        st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for %s", rival_name(kind));
    for (size_t i = 0; i < nt && st == R1_OK; i++)
        memcpy(w.train + i * d, x + i * n / nt * d, sizeof *x * d);
    for (size_t i = 0; i < n * d && st == R1_OK; i++) w.mean[i % d] += x[i] / (float)n;
    if (st == R1_OK && (kind == RIVAL_PQ || kind == RIVAL_OPQ))
        st = code_product(&w, kind == RIVAL_OPQ, bytes, &rng, out, err);
    else if (st == R1_OK)
        st = code_scalar(&w, kind == RIVAL_PCA8 ? 8 : 4, bytes, &rng, out, err);
    *used = bytes;
    free(w.train);
    free(w.turned);
    free(w.decoded);
    free(w.mean);
    free(w.rotation);
    free(w.t);
    free(w.code);
    return st;
}
