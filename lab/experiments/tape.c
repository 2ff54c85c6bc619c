/* SPDX-License-Identifier: Apache-2.0 */
/* tape.c - see tape.h. */
#include "experiments/tape.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void tape_give_up(const char *what, const char *why)
{
    fprintf(stderr, "experiment: %s: %s\n", what, why);
    exit(1);
}

static float *tape_floats(size_t n)
{
    float *p = r1_calloc_aligned(n + 64, sizeof *p);
    if (!p) tape_give_up("memory", "not enough");
    return p;
}

void tape_open(tape *t, size_t capacity)
{
    memset(t, 0, sizeof *t);
    t->be = r1_backend_cpu();
    t->block = tape_floats(capacity);
    t->capacity = capacity;
}

void tape_close(tape *t)
{
    for (size_t i = 0; i < t->n_parameter; i++) {
        free(t->parameter[i].v.p);
        free(t->parameter[i].g.p);
        free(t->moment[i]);
    }
    free(t->block);
}

/* ---- tensors ---- */

static r1_view tape_view(float *p, int64_t rows, int32_t cols)
{
    return (r1_view){p, rows, cols, R1_F32, cols};
}

tape_tensor tape_parameter(tape *t, r1_rng *rng, int64_t rows, int32_t cols, double by, float start)
{
    if (t->n_parameter == TAPE_PARAMETERS_MAX) tape_give_up("parameters", "too many");
    size_t n = (size_t)rows * (size_t)cols, at = t->n_parameter++;
    float *w = tape_floats(n);
    for (size_t i = 0; i < n; i++) w[i] = by > 0 ? (float)(by * r1_rng_normal(rng)) : start;
    t->parameter[at] =
        (tape_tensor){tape_view(w, rows, cols), tape_view(tape_floats(n), rows, cols)};
    t->moment[at] = tape_floats(2 * n);
    t->decay[at] = by > 0 && rows > 1;
    return t->parameter[at];
}

static size_t tape_tensor_scalars(const tape_tensor *p)
{
    return (size_t)p->v.rows * (size_t)p->v.cols;
}

size_t tape_scalars(const tape *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n_parameter; i++) n += tape_tensor_scalars(&t->parameter[i]);
    return n;
}

void tape_begin(tape *t, bool train)
{
    t->n_call = t->used = 0;
    t->train = train;
}

/* Rows of padding behind the last may be written by the products (r1_backend.h). */
static float *tape_take(tape *t, int64_t rows, int32_t cols)
{
    size_t n = ((size_t)(rows + R1_ROW_PAD) * (size_t)cols + 15) / 16 * 16;
    if (n > t->capacity - t->used) tape_give_up("activations", "the block is full");
    float *p = t->block + t->used;
    t->used += n;
    return p;
}

tape_tensor tape_matrix(tape *t, int64_t rows, int32_t cols)
{
    tape_tensor x = {.v = tape_view(tape_take(t, rows, cols), rows, cols)};
    if (!t->train) return x;
    x.g = tape_view(tape_take(t, rows, cols), rows, cols);
    memset(x.g.p, 0, sizeof(float) * (size_t)rows * (size_t)cols);
    return x;
}

tape_tensor tape_columns(tape_tensor x, int32_t at, int32_t cols)
{
    x.v.p = (float *)x.v.p + at;
    if (x.g.p) x.g.p = (float *)x.g.p + at;
    x.v.cols = x.g.cols = cols;
    return x;
}

tape_tensor tape_ints(const int32_t *p, int64_t rows, int32_t cols)
{
    union {
        const int32_t *from;
        void *p;
    } read = {p}; /* ops only read it */
    return (tape_tensor){.v = {read.p, rows, cols, R1_I32, cols}};
}

/* ---- calls ---- */

void tape_run_own(tape *t, tape_op op, const tape_tensor *operand, size_t n, const int32_t *i,
                  const float *f)
{
    r1_err err;
    if (t->n_call == TAPE_CALLS_MAX) tape_give_up(op.name, "too many calls");
    r1_op_args *a = &t->call[t->n_call];
    *a = (r1_op_args){0};
    for (size_t k = 0; k < n; k++) a->v[k] = operand[k].v, a->g[k] = operand[k].g;
    if (i) memcpy(a->i, i, sizeof(int32_t) * 2);
    if (f) memcpy(a->f, f, sizeof(float) * 2);
    t->op[t->n_call++] = op;
    if (op.forward(NULL, a, &err) != R1_OK) tape_give_up(op.name, err.msg);
}

void tape_run(tape *t, r1_op op, const tape_tensor *operand, size_t n, const int32_t *i,
              const float *f)
{
    tape_op own = {r1_op_name(op), t->be->forward[op], t->be->backward[op]};
    tape_run_own(t, own, operand, n, i, f);
}

tape_tensor tape_linear(tape *t, tape_tensor x, tape_tensor w, tape_tensor b)
{
    tape_tensor y = tape_matrix(t, x.v.rows, (int32_t)w.v.rows);
    tape_tensor all[] = {
        [R1_LINEAR_X] = x, [R1_LINEAR_W] = w, [R1_LINEAR_B] = b, [R1_LINEAR_Y] = y};
    tape_run(t, R1_OP_LINEAR, all, R1_COUNT(all), NULL, NULL);
    return y;
}

tape_tensor tape_gelu(tape *t, tape_tensor x)
{
    tape_tensor y = tape_matrix(t, x.v.rows, x.v.cols);
    tape_tensor all[] = {[R1_ACT_X] = x, [R1_ACT_Y] = y};
    tape_run(t, R1_OP_ACT, all, R1_COUNT(all), NULL, NULL);
    return y;
}

void tape_norm(tape *t, tape_tensor x, tape_tensor gain, tape_tensor y)
{
    static const float eps[2] = {[R1_RMSNORM_EPS] = 1e-5f};
    tape_tensor all[] = {[R1_RMSNORM_X] = x, [R1_RMSNORM_GAIN] = gain, [R1_RMSNORM_Y] = y};
    tape_run(t, R1_OP_RMSNORM, all, R1_COUNT(all), NULL, eps);
}

tape_tensor tape_add(tape *t, tape_tensor x, tape_tensor z)
{
    tape_tensor y = tape_matrix(t, x.v.rows, x.v.cols);
    tape_tensor all[] = {[R1_ADD_A] = x, [R1_ADD_B] = z, [R1_ADD_Y] = y};
    tape_run(t, R1_OP_ADD, all, R1_COUNT(all), NULL, NULL);
    return y;
}

static double row_cross_entropy(const float *x, float *g, int32_t n, int32_t answer, double rows)
{
    double top = x[0], total = 0;
    for (int32_t c = 1; c < n; c++) top = fmax(top, (double)x[c]);
    for (int32_t c = 0; c < n; c++) total += exp((double)x[c] - top);
    for (int32_t c = 0; g && c < n; c++)
        g[c] = (float)((exp((double)x[c] - top) / total - (c == answer)) / rows);
    return log(total) + top - (double)x[answer];
}

double tape_cross_entropy(const tape_tensor *y, const int32_t *answer)
{
    double sum = 0;
    for (int64_t r = 0; r < y->v.rows; r++)
        sum += row_cross_entropy((float *)y->v.p + r * y->v.ld,
                                 y->g.p ? (float *)y->g.p + r * y->g.ld : NULL, y->v.cols,
                                 answer[r], (double)y->v.rows);
    return sum / (double)y->v.rows;
}

int32_t tape_largest(const tape_tensor *y, int64_t row)
{
    const float *x = (float *)y->v.p + row * y->v.ld;
    int32_t best = 0;
    for (int32_t c = 1; c < y->v.cols; c++)
        if (x[c] > x[best]) best = c;
    return best;
}

void tape_backward(tape *t)
{
    r1_err err;
    for (size_t k = t->n_call; k-- > 0;)
        if (t->op[k].backward(NULL, &t->call[k], &err) != R1_OK)
            tape_give_up(t->op[k].name, err.msg);
}

/* ---- AdamW ---- */

static double gradient_norm(const tape *t)
{
    double sum = 0;
    for (size_t i = 0; i < t->n_parameter; i++) {
        const float *g = t->parameter[i].g.p;
        for (size_t k = 0; k < tape_tensor_scalars(&t->parameter[i]); k++)
            sum += (double)g[k] * g[k];
    }
    return sqrt(sum);
}

void tape_adamw(tape *t, double lr, double decay)
{
    double norm = gradient_norm(t), n = (double)++t->step;
    float clip = norm > 1 ? (float)(1 / norm) : 1, b1 = 0.9f, b2 = 0.98f;
    float rate = (float)(lr * sqrt(1 - pow(0.98, n)) / (1 - pow(0.9, n))), eps = 1e-8f;
    for (size_t i = 0; i < t->n_parameter; i++) {
        size_t all = tape_tensor_scalars(&t->parameter[i]);
        float *restrict w = t->parameter[i].v.p, *restrict g = t->parameter[i].g.p,
                        *restrict m = t->moment[i], *restrict v = m + all;
        float keep = t->decay[i] ? (float)(1 - lr * decay) : 1;
        for (size_t k = 0; k < all; k++) {
            float x = g[k] * clip;
            m[k] = b1 * m[k] + (1 - b1) * x;
            v[k] = b2 * v[k] + (1 - b2) * x * x;
            w[k] = w[k] * keep - rate * m[k] / (sqrtf(v[k]) + eps);
            g[k] = 0;
        }
    }
}
