/* SPDX-License-Identifier: Apache-2.0 */
/* trunk.c - see trunk.h. */
#include "experiments/trunk.h"

#include "experiments/gate.h"

#include <math.h>
#include <string.h>

tape_layer tape_layer_open(tape *t, r1_rng *rng, int32_t in, int32_t out, double gain)
{
    tape_layer l;
    l.w = tape_parameter(t, rng, out, in, gain / sqrt(in), 0);
    l.b = tape_parameter(t, rng, 1, out, 0, 0);
    return l;
}

tape_tensor tape_apply(tape *t, const tape_layer *l, tape_tensor x)
{
    return tape_linear(t, x, l->w, l->b);
}

static int32_t of_linear(int32_t in, int32_t out) { return (in + 1) * out; }

/* What an arm adds to a plain block. */
static int32_t trunk_extra(const trunk_arm *a, int32_t d)
{
    return (a->length ? TRUNK_HEADS : 0) +
           (a->context ? of_linear(2 * d, TRUNK_CONTEXT) + of_linear(TRUNK_CONTEXT, TRUNK_HEADS)
                       : 0) +
           (a->low_rank ? 2 * of_linear(d, TRUNK_HEADS * TRUNK_RANK) : 0) +
           (a->gate ? of_linear(d, d) : 0);
}

/* Columns of the feed-forward part: 2 d with the largest extra of one factor, more where there
 * is less of it. */
static int32_t trunk_wide(const trunk_arm *a, int32_t d)
{
    return 2 * d + (2 * of_linear(d, TRUNK_HEADS * TRUNK_RANK) - trunk_extra(a, d)) / (2 * d + 1);
}

static void block_open(trunk *k, trunk_block *b, r1_rng *rng, float tokens)
{
    const trunk_arm *a = k->arm;
    tape *t = k->t;
    int32_t d = k->d, low = TRUNK_HEADS * TRUNK_RANK;
    b->norm = tape_parameter(t, rng, 1, d, 0, 1);
    b->norm_ff = tape_parameter(t, rng, 1, d, 0, 1);
    b->qkv = tape_layer_open(t, rng, d, 3 * d, 1);
    if (a->length) b->a = tape_parameter(t, rng, 1, TRUNK_HEADS, 0, 1 / logf(tokens));
    if (a->context) {
        b->context1 = tape_layer_open(t, rng, 2 * d, TRUNK_CONTEXT, 1);
        b->context2 = tape_layer_open(t, rng, TRUNK_CONTEXT, TRUNK_HEADS, 0.5);
    }
    if (a->low_rank) {
        b->u = tape_layer_open(t, rng, d, low, 0.5);
        b->w = tape_layer_open(t, rng, d, low, 0.5);
    }
    if (a->gate) b->gate = tape_layer_open(t, rng, d, d, 1);
    b->out = tape_layer_open(t, rng, d, d, 0.7);
    b->ff1 = tape_layer_open(t, rng, d, trunk_wide(a, d), 1.4);
    b->ff2 = tape_layer_open(t, rng, trunk_wide(a, d), d, 0.7);
}

void trunk_open(trunk *k, tape *t, r1_rng *rng, const trunk_arm *arm, int32_t d, float beta,
                float tokens)
{
    *k = (trunk){.arm = arm, .t = t, .d = d, .beta = beta, .scale = 1};
    for (int i = 0; i < TRUNK_LAYERS; i++) block_open(k, &k->block[i], rng, tokens);
}

static tape_tensor scaled_query(trunk *k, const trunk_block *b, tape_tensor context, tape_tensor q,
                                tape_tensor count)
{
    tape_tensor y = tape_matrix(k->t, q.v.rows, k->d), factor = {0};
    if (k->arm->context)
        factor = tape_apply(k->t, &b->context2,
                            tape_gelu(k->t, tape_apply(k->t, &b->context1, context)));
    tape_tensor all[] = {[R1_CAWA_SCALE_Q] = q,
                         [R1_CAWA_SCALE_CONTEXT] = factor,
                         [R1_CAWA_SCALE_LENGTH] = b->a,
                         [R1_CAWA_SCALE_COUNT] = count,
                         [R1_CAWA_SCALE_Y] = y};
    tape_run(k->t, R1_OP_CAWA_SCALE, all, R1_COUNT(all),
             (int32_t[2]){[R1_CAWA_SCALE_HEADS] = TRUNK_HEADS},
             (float[2]){[R1_CAWA_SCALE_BETA] = k->beta,
                        [R1_CAWA_SCALE_SCALE] = k->scale / sqrtf((float)k->d / TRUNK_HEADS)});
    return y;
}

static tape_tensor trunk_attention(trunk *k, const trunk_block *b, tape_tensor h, tape_tensor off,
                                   tape_tensor count)
{
    tape *t = k->t;
    int32_t d = k->d;
    tape_tensor context = tape_matrix(t, h.v.rows, 2 * d), x = tape_columns(context, 0, d),
                y = tape_matrix(t, h.v.rows, d), u = {0}, w = {0};
    tape_norm(t, h, b->norm, x);
    if (k->arm->context) {
        tape_tensor mean[] = {[R1_CAUSAL_MEAN_X] = x,
                              [R1_CAUSAL_MEAN_OFF] = off,
                              [R1_CAUSAL_MEAN_Y] = tape_columns(context, d, d)};
        tape_run(t, R1_OP_CAUSAL_MEAN, mean, R1_COUNT(mean), NULL, NULL);
    }
    tape_tensor qkv = tape_apply(t, &b->qkv, x),
                q = scaled_query(k, b, context, tape_columns(qkv, 0, d), count);
    if (k->arm->low_rank) u = tape_apply(t, &b->u, x), w = tape_apply(t, &b->w, x);
    tape_tensor all[] = {[R1_ATTEND_Q] = q,
                         [R1_ATTEND_K] = tape_columns(qkv, d, d),
                         [R1_ATTEND_V] = tape_columns(qkv, 2 * d, d),
                         [R1_ATTEND_Q_OFF] = off,
                         [R1_ATTEND_K_OFF] = off,
                         [R1_ATTEND_Y] = y,
                         [R1_ATTEND_FACTOR_Q] = u,
                         [R1_ATTEND_FACTOR_K] = w};
    tape_run(t, R1_OP_ATTEND, all, R1_COUNT(all),
             (int32_t[2]){[R1_ATTEND_HEADS] = TRUNK_HEADS, [R1_ATTEND_CAUSAL] = 1},
             (float[2]){k->beta});
    if (!k->arm->gate) return y;
    tape_tensor gated = tape_matrix(t, h.v.rows, d), gate[GATE_VIEWS];
    gate[GATE_X] = y;
    gate[GATE_G] = tape_apply(t, &b->gate, x);
    gate[GATE_Y] = gated;
    tape_run_own(t, gate_op, gate, GATE_VIEWS, NULL, NULL);
    return gated;
}

tape_tensor trunk_run(trunk *k, tape_tensor h, const int32_t *off, int32_t n_seq,
                      const int32_t *count)
{
    tape *t = k->t;
    int32_t rows = (int32_t)h.v.rows;
    for (int i = 0; i < TRUNK_LAYERS; i++) {
        const trunk_block *b = &k->block[i];
        tape_tensor y =
            trunk_attention(k, b, h, tape_ints(off, 1, n_seq + 1), tape_ints(count, 1, rows));
        h = tape_add(t, h, tape_apply(t, &b->out, y));
        tape_tensor x = tape_matrix(t, rows, k->d);
        tape_norm(t, h, b->norm_ff, x);
        h = tape_add(t, h, tape_apply(t, &b->ff2, tape_gelu(t, tape_apply(t, &b->ff1, x))));
    }
    return h;
}

double trunk_rate(double lr, int step, int n_step)
{
    double done = (step + 1.0) / n_step;
    return done < 0.05 ? lr * done / 0.05
                       : lr * (0.02 + 0.49 * (1 + cos(3.14159265358979 * (done - 0.05) / 0.95)));
}
