/* SPDX-License-Identifier: Apache-2.0 */
/* omp.c - orthogonal matching pursuit and the learning of its dictionary.
 *
 * Batch-OMP (Rubinstein, Zibulevsky, Elad 2008): all products of the residual with the atoms
 * follow from the products with y and the Gram matrix, so the residual itself is never formed.
 * The chosen atoms are orthogonalised on the way (row t of L in G_II = L L'). A further atom
 * then costs one subtraction from all products:
 *
 *   b_t = (G_j - sum_s<t L_ts b_s) / L_tt   products of the t-th orthonormal direction with atoms
 *   p  -= w_t b_t,  w_t = p_j / L_tt        the coefficients solve L' a = w at the end */
#include "cpu/cpu_ops.h"
#include "memory/code.h"
#include "memory/linalg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 2048 };

size_t omp_scratch(uint32_t n_atom, uint32_t k_max)
{
    return (size_t)n_atom * k_max + (size_t)k_max * k_max + k_max;
}

/* Pure products and sums over all atoms: eight lanes for the compiler. */
R1_CLONES static void subtract_scaled(float *restrict y, const float *restrict x, float w, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] -= w * x[i];
}

R1_CLONES static float omp_largest(const float *p, size_t n, uint32_t *at)
{
    enum { BLOCK = 64 };
    float best = 0;
    *at = 0;
    for (size_t b = 0; b < n; b += BLOCK) {
        size_t end = b + BLOCK < n ? b + BLOCK : n;
        float m = 0;
        for (size_t i = b; i < end; i++) m = fabsf(p[i]) > m ? fabsf(p[i]) : m;
        if (m <= best) continue;
        best = m;
        for (size_t i = b; i < end; i++)
            if (fabsf(p[i]) == m) {
                *at = (uint32_t)i;
                break;
            }
    }
    return best;
}

static void sort_by_atom(uint32_t *index, float *coef, uint32_t k)
{
    for (uint32_t i = 1; i < k; i++) {
        uint32_t x = index[i], j = i;
        float a = coef[i];
        for (; j > 0 && index[j - 1] > x; j--) {
            index[j] = index[j - 1];
            coef[j] = coef[j - 1];
        }
        index[j] = x;
        coef[j] = a;
    }
}

uint32_t omp_encode(const float *gram, uint32_t n_atom, float *p, float stop, uint32_t k_max,
                    uint32_t *index, float *coef, float *scratch)
{
    float *b = scratch, *l = b + (size_t)n_atom * k_max, *w = l + (size_t)k_max * k_max;
    uint32_t k = 0;
    while (k < k_max) {
        uint32_t j;
        if (omp_largest(p, n_atom, &j) < stop || p[j] == 0) break;
        float *row = l + (size_t)k * k_max, diag = 1, *bk = b + (size_t)k * n_atom;
        for (uint32_t s = 0; s < k; s++) {
            row[s] = b[(size_t)s * n_atom + j];
            diag -= row[s] * row[s];
        }
        if (diag < 1e-4f) break; /* lies in the span of what is chosen */
        row[k] = sqrtf(diag);
        memcpy(bk, gram + (size_t)j * n_atom, n_atom * sizeof *bk);
        for (uint32_t s = 0; s < k; s++)
            subtract_scaled(bk, b + (size_t)s * n_atom, row[s], n_atom);
        for (uint32_t i = 0; i < n_atom; i++) bk[i] /= row[k];
        w[k] = p[j] / row[k];
        subtract_scaled(p, bk, w[k], n_atom);
        index[k++] = j;
        for (uint32_t s = 0; s < k; s++) p[index[s]] = 0;
    }
    for (uint32_t t = k; t-- > 0;) { /* L' a = w */
        float a = w[t];
        for (uint32_t s = t + 1; s < k; s++) a -= l[(size_t)s * k_max + t] * coef[s];
        coef[t] = a / l[(size_t)t * k_max + t];
    }
    sort_by_atom(index, coef, k);
    return k;
}

r1_status omp_gram(const float *atom, uint32_t n_atom, uint32_t m, float **gram, r1_err *err)
{
    *gram = r1_realloc_array(NULL, n_atom, n_atom * sizeof **gram);
    if (!*gram) R1_FAIL(err, R1_E_NOMEM, "no memory for products of %u atoms", n_atom);
    r1_status st = linalg_product(atom, n_atom, atom, n_atom, m, *gram, err);
    if (st != R1_OK) {
        free(*gram);
        *gram = NULL;
    }
    return st;
}

static bool omp_unit(float *v, uint32_t m)
{
    double s = 0;
    for (uint32_t c = 0; c < m; c++) s += (double)v[c] * v[c];
    if (!(s > 1e-24)) return false;
    float f = (float)(1 / sqrt(s));
    for (uint32_t c = 0; c < m; c++) v[c] *= f;
    return true;
}

/* A random row of y as an atom; a random direction where that row is zero. */
static void omp_restart(float *atom, uint32_t m, const float *y, size_t n, r1_rng *rng)
{
    memcpy(atom, y + r1_rng_below(rng, n) * m, m * sizeof *atom);
    while (!omp_unit(atom, m))
        for (uint32_t c = 0; c < m; c++) atom[c] = (float)r1_rng_normal(rng);
}

typedef struct {
    uint32_t *index; /* [BATCH][sparsity] */
    float *coef, *rest, *scratch,
        *sum;       /* rest: [BATCH][m]; sum: [n_atom][m], what an atom's direction follows from */
    float *product; /* [BATCH][n_atom] */
    uint32_t *used, *k;
} learner;

/* Codes of the batch, then per atom the direction that its users' residuals ask for, mixed with
 * what it learned before. */
static r1_status learn_batch(learner *s, float *atom, uint32_t n_atom, uint32_t m, const float *y,
                             size_t n, uint32_t sparsity, r1_err *err)
{
    float *gram;
    R1_TRY(linalg_product(y, n, atom, n_atom, m, s->product, err));
    R1_TRY(omp_gram(atom, n_atom, m, &gram, err));
    memset(s->used, 0, n_atom * sizeof *s->used);
    for (size_t i = 0; i < n; i++) {
        uint32_t *index = s->index + i * sparsity;
        float *coef = s->coef + i * sparsity, *rest = s->rest + i * m;
        s->k[i] =
            omp_encode(gram, n_atom, s->product + i * n_atom, 0, sparsity, index, coef, s->scratch);
        memcpy(rest, y + i * m, m * sizeof *rest);
        for (uint32_t t = 0; t < s->k[i]; t++) {
            s->used[index[t]]++;
            subtract_scaled(rest, atom + (size_t)index[t] * m, coef[t], m);
        }
    }
    free(gram);
    for (size_t j = 0; j < (size_t)n_atom * m; j++)
        s->sum[j] *= 0.5f; /* older batches count half */
    for (size_t i = 0; i < n; i++)
        for (uint32_t t = 0; t < s->k[i]; t++) {
            size_t j = s->index[i * sparsity + t];
            float a = s->coef[i * sparsity + t], *sum = s->sum + j * m;
            for (uint32_t c = 0; c < m; c++)
                sum[c] += a * (s->rest[i * m + c] + a * atom[j * m + c]);
        }
    return R1_OK;
}

/* The row with the most unexplained energy becomes the atom; it is spent afterwards. */
static void restart_from_worst(learner *s, float *atom, uint32_t m, size_t n)
{
    size_t worst = 0;
    double most = -1;
    for (size_t i = 0; i < n; i++) {
        double e = 0;
        for (uint32_t c = 0; c < m; c++) e += (double)s->rest[i * m + c] * s->rest[i * m + c];
        if (e > most) {
            most = e;
            worst = i;
        }
    }
    memcpy(atom, s->rest + worst * m, m * sizeof *atom);
    memset(s->rest + worst * m, 0, m * sizeof *s->rest);
}

r1_status omp_learn(float *atom, uint32_t n_atom, uint32_t m, const float *y, size_t n,
                    uint32_t sparsity, uint32_t rounds, uint64_t seed, r1_err *err)
{
    enum { RESTARTS_MAX = 64 };
    r1_rng rng;
    r1_rng_seed(&rng, seed);
    learner s = {.index = malloc(sizeof(uint32_t) * BATCH * sparsity),
                 .coef = malloc(sizeof(float) * BATCH * sparsity),
                 .rest = malloc(sizeof(float) * BATCH * m),
                 .scratch = malloc(sizeof(float) * omp_scratch(n_atom, sparsity)),
                 .sum = calloc((size_t)n_atom * m, sizeof(float)),
                 .product = malloc(sizeof(float) * BATCH * n_atom),
                 .used = malloc(sizeof(uint32_t) * n_atom),
                 .k = malloc(sizeof(uint32_t) * BATCH)};
    float *batch = malloc(sizeof *batch * BATCH * m);
    r1_status st = R1_OK;
    if (!s.index || !s.coef || !s.rest || !s.scratch || !s.sum || !s.product || !s.used || !s.k ||
        !batch)
        st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory to learn %u atoms", n_atom);
    for (uint32_t j = 0; j < n_atom && st == R1_OK; j++)
        omp_restart(atom + (size_t)j * m, m, y, n, &rng);
    for (uint32_t r = 0; r < rounds && st == R1_OK; r++) {
        size_t rows = n < BATCH ? n : BATCH;
        for (size_t i = 0; i < rows; i++)
            memcpy(batch + i * m, y + (n < BATCH ? i : r1_rng_below(&rng, n)) * m,
                   m * sizeof *batch);
        st = learn_batch(&s, atom, n_atom, m, batch, rows, sparsity, err);
        int restarts = 0;
        for (uint32_t j = 0; j < n_atom && st == R1_OK; j++) {
            float *a = atom + (size_t)j * m, *sum = s.sum + (size_t)j * m;
            if (s.used[j] == 0 && restarts < RESTARTS_MAX) {
                restarts++;
                restart_from_worst(&s, a, m, rows);
                memset(sum, 0, m * sizeof *sum);
                if (!omp_unit(a, m)) omp_restart(a, m, y, n, &rng);
            } else if (s.used[j]) {
                memcpy(a, sum, m * sizeof *a);
                if (!omp_unit(a, m)) omp_restart(a, m, y, n, &rng);
            }
        }
    }
    free(s.index);
    free(s.coef);
    free(s.rest);
    free(s.scratch);
    free(s.sum);
    free(s.product);
    free(s.used);
    free(s.k);
    free(batch);
    return st;
}
