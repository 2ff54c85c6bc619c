/* SPDX-License-Identifier: Apache-2.0 */
/* info.c - what a model costs: weights, ops, and floating-point operations of each part. The
 * operations are those of inference, so the folded plan (fold.h) counts where it pays. */
#include "model/fold.h"

#include <string.h>

static void info_count_flops(const r1_net *net, const r1_desc *d,
                             void (*fn)(void *, const char *, uint64_t), void *ctx)
{
    uint32_t sym[R1_SYMBOLS_MAX];
    r1_net_symbols(net, d, 1, d->has_event, sym);
    sym[R1_SYM_ENTRY] = sym[R1_SYM_EVENT];
    const char *part = NULL;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < net->plan.n_call; i++) {
        const r1_call *c = &net->plan.call[i];
        if (part && strcmp(part, c->part) != 0) {
            fn(ctx, part, sum);
            sum = 0;
        }
        part = c->part;
        sum += r1_plan_flop(&net->plan, c, sym);
    }
    if (part) fn(ctx, part, sum);
}

r1_status r1_model_flops(const r1_model *m, void (*fn)(void *ctx, const char *part, uint64_t flop),
                         void *ctx, r1_err *err)
{
    r1_net folded;
    bool pays;
    R1_TRY(r1_fold_net(&folded, m, &pays, err));
    info_count_flops(pays ? &folded : &m->net, m->desc, fn, ctx);
    if (pays) r1_net_free(&folded);
    return R1_OK;
}

static void info_add_flop(void *ctx, const char *part, uint64_t flop)
{
    r1_model_info *info = ctx;
    info->flop_sample += flop;
    if (strcmp(part, "event") == 0) info->flop_event += flop;
}

r1_status r1_model_get_info(const r1_model *m, r1_model_info *info, r1_err *err)
{
    memset(info, 0, sizeof *info);
    for (uint32_t i = 0; i < m->net.plan.n_tensor; i++) {
        const r1_tensor *t = &m->net.plan.tensor[i];
        if (!r1_model_stored(t)) continue;
        info->weight_bytes += (uint64_t)t->mul * t->cols * sizeof(float);
        if (!t->frozen) info->n_weight += (uint64_t)t->mul * t->cols;
    }
    info->n_op = m->net.plan.n_call;
    info->trained_samples = m->trained_samples;
    info->int8_steps = m->steps;
    return r1_model_flops(m, info_add_flop, info, err);
}
