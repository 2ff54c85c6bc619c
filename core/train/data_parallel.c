/* SPDX-License-Identifier: Apache-2.0 */
/* data_parallel.c - see data_parallel.h. */
#include "train/data_parallel.h"

#include "r1_assert.h"

static r1_status slice_new(r1_slice *s, const r1_model *m, uint32_t n, r1_err *err)
{
    uint32_t cap[R1_SYMBOLS_MAX];
    const r1_backend *be = r1_backend_find(NULL, err);
    if (!be) return err ? err->code : R1_E_DEVICE;
    if (!be->backward[R1_OP_LINEAR])
        R1_FAIL(err, R1_E_INVAL,
                "training: backend %s has no gradients; --device cpu trains on the CPU", be->name);
    r1_pack_capacity(m, n, cap);
    cap[R1_SYM_ENTRY] = cap[R1_SYM_EVENT]; /* nothing is gathered, nothing cached */
    for (uint32_t i = 0; i < m->desc->n_item; i++)
        if (m->desc->item[i].kind == R1_ITEM_TEXT) cap[m->net.item[i].sym_row] = n;
    R1_TRY(r1_exec_new(&s->e, m, be, cap, true, err));
    return r1_pack_new(&s->pack, s->e, 0, err);
}

r1_status r1_data_parallel_new(r1_data_parallel *dp, const r1_model *m, r1_thread_pool *threads,
                               uint32_t n_slice, uint32_t n, uint32_t group, r1_err *err)
{
    if (n_slice == 0) n_slice = 1;
    *dp = (r1_data_parallel){.threads = threads};
    if (n_slice > R1_SLICES_MAX)
        R1_FAIL(err, R1_E_INVAL, "training: %u slices of a batch, expected 1 to %d", n_slice,
                R1_SLICES_MAX);
    uint32_t most = (n + n_slice - 1) / n_slice;
    most = (most < R1_SLICE_LEAST ? R1_SLICE_LEAST : most) + (group > 1 ? group - 1 : 0);
    dp->cap = most < n ? most : n;
    for (; dp->n_slice < n_slice; dp->n_slice++) {
        r1_status st = slice_new(&dp->slice[dp->n_slice], m, dp->cap, err);
        if (st != R1_OK) {
            dp->n_slice++;
            return st;
        }
        dp->grad[dp->n_slice] = dp->slice[dp->n_slice].e->wgrad;
    }
    return R1_OK;
}

void r1_data_parallel_free(r1_data_parallel *dp)
{
    for (uint32_t k = 0; k < dp->n_slice; k++) {
        r1_pack_free(dp->slice[k].pack);
        r1_exec_free(dp->slice[k].e);
    }
    *dp = (r1_data_parallel){0};
}

void r1_data_parallel_cut(r1_data_parallel *dp, const r1_pack_source *src)
{
    const r1_sample *s = src->sample;
    size_t at = 0, used = (src->n_sample + R1_SLICE_LEAST - 1) / R1_SLICE_LEAST;
    if (used > dp->n_slice) used = dp->n_slice;
    dp->src = src;
    for (uint32_t k = 0; k < dp->n_slice; k++) {
        size_t to = k < used ? (src->n_sample * (k + 1) + used - 1) / used : src->n_sample;
        if (to < at) to = at;
        while (to > 0 && to < src->n_sample && to - at < dp->cap && s[to].group &&
               s[to].group == s[to - 1].group)
            to++;
        R1_ASSERT(to - at <= dp->cap, "slice %u of %u: %zu samples, room for %u", k, dp->n_slice,
                  to - at, dp->cap);
        dp->slice[k].first = at;
        dp->slice[k].n = to - at;
        at = to;
    }
    R1_ASSERT(at == src->n_sample, "%u slices cover %zu of %zu samples", dp->n_slice, at,
              src->n_sample);
}

r1_status r1_data_parallel_fill(r1_data_parallel *dp, uint32_t k, r1_err *err)
{
    const r1_slice *s = &dp->slice[k];
    r1_pack_source own = *dp->src;
    if (s->n == 0) return R1_OK;
    R1_ASSERT(k < dp->n_slice && s->first + s->n <= own.n_sample,
              "slice %u of %u: samples %zu + %zu of %zu", k, dp->n_slice, s->first, s->n,
              own.n_sample);
    own.sample += s->first;
    own.n_sample = s->n;
    if (own.drop) own.drop += s->first;
    return r1_pack_fill(s->pack, &own, err);
}

r1_status r1_data_parallel_forward(r1_data_parallel *dp, uint32_t k, r1_err *err)
{
    const r1_slice *s = &dp->slice[k];
    if (s->n) R1_TRY(r1_exec_forward_all(s->e, err));
    return R1_OK;
}

double r1_data_parallel_flop(const r1_data_parallel *dp)
{
    double sum = 0;
    for (uint32_t k = 0; k < dp->n_slice; k++)
        sum += dp->slice[k].n ? r1_exec_flop(dp->slice[k].e) : 0;
    return sum;
}
