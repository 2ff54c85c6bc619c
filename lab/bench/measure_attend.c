/* SPDX-License-Identifier: Apache-2.0 */
/* measure_attend.c - attention fused and by separate operations, CAWA's scaling and the plain
 * one, measured in turns: each takes the best of its repetitions, so that a change of the
 * machine's speed meets all of them. */
#include "bench/measure.h"
#include "cpu/cpu_ops.h"

#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdlib.h>

enum { LENGTH_MAX = 8192, CONTEXT = 16, RANK = 8 };

typedef struct {
    const attend_shape *s;
    int64_t d; /* heads * width */
    float *q, *scaled, *y, *score, *m, *a, *joined, *w1, *b1, *hidden, *w2, *b2, *u, *w;
    void *k, *v;
    int32_t *offset, *count;
} bench;

static void bench_free(bench *b)
{
    void *const all[] = {b->q,      b->scaled, b->y,  b->score,  b->m,      b->a,
                         b->joined, b->w1,     b->b1, b->hidden, b->w2,     b->b2,
                         b->u,      b->w,      b->k,  b->v,      b->offset, b->count};
    for (size_t i = 0; i < R1_COUNT(all); i++) free(all[i]);
}

static float *measure_attend_normals(r1_rng *rng, size_t n, double by)
{
    float *x = r1_calloc_aligned(n + 64, sizeof *x);
    for (size_t i = 0; x && i < n; i++) x[i] = (float)(r1_rng_normal(rng) * by);
    return x;
}

static void *measure_attend_keys(r1_rng *rng, size_t n, bool bf16)
{
    float *x = measure_attend_normals(rng, n, 1);
    uint16_t *half = (uint16_t *)(void *)x; /* in place: the upper half of each */
    for (size_t i = 0; x && bf16 && i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        uint16_t top = (uint16_t)(bits >> 16);
        memcpy(half + i, &top, sizeof top);
    }
    return x;
}

static r1_status bench_new(bench *b, const attend_shape *s, r1_err *err)
{
    r1_rng rng;
    if (s->n_seq < 1 || s->length < 1 || s->length > LENGTH_MAX ||
        s->n_seq * s->length * s->length > 1 << 26 || s->n_head < 1 ||
        s->n_head > R1_ATTEND_HEADS_MAX || s->width < 1 || s->width > 256)
        R1_FAIL(err, R1_E_INVAL,
                "attention: %lld sequences of %lld tokens, %d heads of %d: out of bounds",
                (long long)s->n_seq, (long long)s->length, s->n_head, s->width);
    size_t rows = (size_t)(s->n_seq * s->length), d = (size_t)s->n_head * (size_t)s->width,
           seqs = (size_t)s->n_seq;
    r1_rng_seed(&rng, 3);
    *b =
        (bench){.s = s,
                .d = (int64_t)d,
                .q = measure_attend_normals(&rng, rows * d, 1),
                .scaled = measure_attend_normals(&rng, rows * d, 1),
                .y = measure_attend_normals(&rng, rows * d, 1),
                .score = r1_calloc_aligned(
                    seqs * (size_t)s->n_head * (size_t)(s->length * s->length) + 64, sizeof(float)),
                .m = measure_attend_normals(&rng, rows * (size_t)s->n_head, 1),
                .a = measure_attend_normals(&rng, (size_t)s->n_head, 0.1),
                .joined = measure_attend_normals(&rng, rows * 2 * d, 1),
                .w1 = measure_attend_normals(&rng, 2 * d * CONTEXT, 0.1),
                .b1 = measure_attend_normals(&rng, CONTEXT, 0.1),
                .hidden = measure_attend_normals(&rng, rows * CONTEXT, 1),
                .w2 = measure_attend_normals(&rng, CONTEXT * (size_t)s->n_head, 0.1),
                .b2 = measure_attend_normals(&rng, (size_t)s->n_head, 0.1),
                .u = measure_attend_normals(&rng, rows * (size_t)s->n_head * RANK, 0.3),
                .w = measure_attend_normals(&rng, rows * (size_t)s->n_head * RANK, 0.3),
                .k = measure_attend_keys(&rng, rows * d, s->bf16),
                .v = measure_attend_keys(&rng, rows * d, s->bf16),
                .offset = calloc(seqs + 1, sizeof(int32_t)),
                .count = calloc(rows, sizeof(int32_t))};
    if (!b->q || !b->scaled || !b->y || !b->score || !b->m || !b->a || !b->joined || !b->w1 ||
        !b->b1 || !b->hidden || !b->w2 || !b->b2 || !b->u || !b->w || !b->k || !b->v ||
        !b->offset || !b->count) {
        bench_free(b);
        R1_FAIL(err, R1_E_NOMEM, "attention: no memory for %zu rows of %zu", rows, d);
    }
    for (size_t i = 0; i <= seqs; i++) b->offset[i] = (int32_t)(i * (size_t)s->length);
    for (size_t r = 0; r < rows; r++)
        b->count[r] = s->causal ? (int32_t)(r % (size_t)s->length) + 1 : (int32_t)s->length;
    return R1_OK;
}

/* ---- the ops ---- */

static int64_t measure_attend_rows_of(const bench *b) { return b->s->n_seq * b->s->length; }
static r1_view measure_attend_floats(float *p, int64_t rows, int64_t cols)
{
    return (r1_view){p, rows, (int32_t)cols, R1_F32, cols};
}
static r1_view measure_attend_ints(int32_t *p, int64_t n)
{
    return (r1_view){p, 1, (int32_t)n, R1_I32, n};
}

static r1_status attend_with(const bench *b, bool per_key, r1_err *err)
{
    r1_view off = measure_attend_ints(b->offset, b->s->n_seq + 1);
    r1_view k = {b->k, measure_attend_rows_of(b), (int32_t)b->d, b->s->bf16 ? R1_BF16 : R1_F32,
                 b->d},
            v = k;
    v.p = b->v;
    int64_t rows = measure_attend_rows_of(b);
    r1_op_args a = {.v = {[R1_ATTEND_Q] = measure_attend_floats(b->scaled, rows, b->d),
                          [R1_ATTEND_K] = k,
                          [R1_ATTEND_V] = v,
                          [R1_ATTEND_Q_OFF] = off,
                          [R1_ATTEND_K_OFF] = off,
                          [R1_ATTEND_Y] = measure_attend_floats(b->y, rows, b->d)},
                    .i = {[R1_ATTEND_HEADS] = b->s->n_head, [R1_ATTEND_CAUSAL] = b->s->causal},
                    .f = {[R1_ATTEND_BETA] = 0.3f}};
    if (per_key) {
        a.v[R1_ATTEND_FACTOR_Q] =
            measure_attend_floats(b->u, measure_attend_rows_of(b), b->s->n_head * RANK);
        a.v[R1_ATTEND_FACTOR_K] =
            measure_attend_floats(b->w, measure_attend_rows_of(b), b->s->n_head * RANK);
    }
    return r1_cpu_attend_forward(NULL, &a, err);
}

static r1_status measure_attend_attend(const bench *b, r1_err *err)
{
    return attend_with(b, false, err);
}
static r1_status measure_attend_low_rank(const bench *b, r1_err *err)
{
    return attend_with(b, true, err);
}

static r1_status measure_attend_scale(const bench *b, bool cawa, r1_err *err)
{
    int64_t rows = measure_attend_rows_of(b);
    r1_op_args a = {.v = {[R1_CAWA_SCALE_Q] = measure_attend_floats(b->q, rows, b->d),
                          [R1_CAWA_SCALE_COUNT] = measure_attend_ints(b->count, rows),
                          [R1_CAWA_SCALE_Y] = measure_attend_floats(b->scaled, rows, b->d)},
                    .i = {[R1_CAWA_SCALE_HEADS] = b->s->n_head},
                    .f = {[R1_CAWA_SCALE_BETA] = 0.3f, [R1_CAWA_SCALE_SCALE] = 0.2f}};
    if (cawa) {
        a.v[R1_CAWA_SCALE_CONTEXT] =
            measure_attend_floats(b->m, measure_attend_rows_of(b), b->s->n_head);
        a.v[R1_CAWA_SCALE_LENGTH] = measure_attend_floats(b->a, 1, b->s->n_head);
    }
    return r1_cpu_cawa_scale_forward(NULL, &a, err);
}

static r1_status plain_scale(const bench *b, r1_err *err)
{
    return measure_attend_scale(b, false, err);
}
static r1_status cawa_scale(const bench *b, r1_err *err)
{
    return measure_attend_scale(b, true, err);
}

static r1_status measure_attend_linear(float *x, int64_t rows, int64_t k, float *w, float *bias,
                                       int64_t n, float *y, r1_err *err)
{
    r1_op_args a = {.v = {[R1_LINEAR_X] = measure_attend_floats(x, rows, k),
                          [R1_LINEAR_W] = measure_attend_floats(w, n, k),
                          [R1_LINEAR_B] = measure_attend_floats(bias, 1, n),
                          [R1_LINEAR_Y] = measure_attend_floats(y, rows, n)}};
    return r1_cpu_linear_forward(NULL, &a, err);
}

/* What makes m: the causal mean beside the query token, and its small network. */
static r1_status measure_attend_context(const bench *b, r1_err *err)
{
    int64_t rows = measure_attend_rows_of(b);
    r1_view x = measure_attend_floats(b->joined, rows, b->d),
            mean = measure_attend_floats(b->joined + b->d, rows, b->d);
    x.ld = mean.ld = 2 * b->d;
    r1_op_args a = {.v = {[R1_CAUSAL_MEAN_X] = x,
                          [R1_CAUSAL_MEAN_OFF] = measure_attend_ints(b->offset, b->s->n_seq + 1),
                          [R1_CAUSAL_MEAN_Y] = mean}};
    R1_TRY(r1_cpu_causal_mean_forward(NULL, &a, err));
    R1_TRY(measure_attend_linear(b->joined, rows, 2 * b->d, b->w1, b->b1, CONTEXT, b->hidden, err));
    r1_op_args act = {.v = {[R1_ACT_X] = measure_attend_floats(b->hidden, rows, CONTEXT),
                            [R1_ACT_Y] = measure_attend_floats(b->hidden, rows, CONTEXT)}};
    R1_TRY(r1_cpu_act_forward(NULL, &act, err));
    return measure_attend_linear(b->hidden, rows, CONTEXT, b->w2, b->b2, b->s->n_head, b->m, err);
}

/* ---- separate operations: all scores, all softmaxes, all weighted sums; products by oneDNN --- */

static r1_status measure_attend_separate(const bench *b, r1_err *err)
{
    const attend_shape *s = b->s;
    int64_t n = s->length, w = s->width;
    dnnl_status_t st = dnnl_success;
    omp_set_num_threads(1);
    for (int64_t i = 0; i < s->n_seq * s->n_head && st == dnnl_success; i++) {
        int64_t at = i / s->n_head * n * b->d + i % s->n_head * w;
        st = dnnl_sgemm('N', 'T', n, n, w, 1.0f, b->scaled + at, b->d, (const float *)b->k + at,
                        b->d, 0.0f, b->score + i * n * n, n);
    }
    for (int64_t r = 0; r < s->n_seq * s->n_head * n; r++) {
        float *row = b->score + r * n, after[R1_LANES_MAX];
        int64_t see = s->causal ? r % n + 1 : n;
        memcpy(after, row + n,
               sizeof after); /* the next row's scores lie where the softmax may write */
        r1_cpu_softmax(row, (int32_t)see);
        memset(row + see, 0, sizeof(float) * (size_t)(n - see));
        memcpy(row + n, after, sizeof after);
    }
    for (int64_t i = 0; i < s->n_seq * s->n_head && st == dnnl_success; i++) {
        int64_t at = i / s->n_head * n * b->d + i % s->n_head * w;
        st = dnnl_sgemm('N', 'N', n, w, n, 1.0f, b->score + i * n * n, n, (const float *)b->v + at,
                        b->d, 0.0f, b->y + at, b->d);
    }
    if (st != dnnl_success) R1_FAIL(err, R1_E_INVAL, "oneDNN refuses the product");
    return R1_OK;
}

/* ---- measuring ---- */

enum { PLAIN_SCALE, CAWA_SCALE, FUSED, MAKES_M, LOW_RANK, SEPARATE, MEASURED };

typedef r1_status (*measured)(const bench *b, r1_err *err);
/* CAWA's scaling is the last before the attention, which so works on its queries. */
static const measured fn[MEASURED] = {plain_scale,
                                      cawa_scale,
                                      measure_attend_attend,
                                      measure_attend_context,
                                      measure_attend_low_rank,
                                      measure_attend_separate};

/* Each in turn, a millisecond or more at a time; the best of each. */
static r1_status in_turns(const bench *b, int n, double *best_us, double seconds, r1_err *err)
{
    int calls[MEASURED], turns = 0;
    for (int i = 0; i < n; i++) best_us[i] = 1e30, calls[i] = 1;
    for (int64_t until = r1_mono_us() + (int64_t)(seconds * 1e6); turns < 3 || r1_mono_us() < until;
         turns++)
        for (int i = 0; i < n; i++)
            for (;;) {
                int64_t began = r1_mono_us();
                for (int c = 0; c < calls[i]; c++) R1_TRY(fn[i](b, err));
                double spent = (double)(r1_mono_us() - began);
                if (spent < 1000) { /* the clock's step must be small beside it */
                    calls[i] *= 2;
                    continue;
                }
                if (spent / calls[i] < best_us[i]) best_us[i] = spent / calls[i];
                break;
            }
    return R1_OK;
}

r1_status measure_attend(const attend_shape *shape, double seconds, attend_times *out, r1_err *err)
{
    double us[MEASURED] = {0};
    bench b;
    R1_TRY(bench_new(&b, shape, err));
    r1_status st = in_turns(&b, shape->bf16 ? SEPARATE : MEASURED, us, seconds, err);
    bench_free(&b);
    if (st == R1_OK)
        *out = (attend_times){us[FUSED],   us[PLAIN_SCALE], us[CAWA_SCALE],
                              us[MAKES_M], us[LOW_RANK],    us[SEPARATE]};
    return st;
}
