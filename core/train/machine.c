/* SPDX-License-Identifier: Apache-2.0 */
#include "train/machine.h"

static r1_status slice_new(r1_slice *s, const r1_model *m, uint32_t n, r1_err *err)
{
    uint32_t cap[R1_SYMBOLS_MAX];
    const r1_backend *be = r1_backend_find(NULL, err);
    if (!be || !be->host_memory || !be->backward[R1_OP_LINEAR]) be = r1_backend_cpu();
    r1_pack_capacity(m, n, cap);
    cap[R1_SYM_ENTRY] = cap[R1_SYM_EVENT]; /* nothing is gathered, nothing cached */
    for (uint32_t i = 0; i < m->desc->n_item; i++)
        if (m->desc->item[i].kind == R1_ITEM_TEXT) cap[m->net.item[i].sym_row] = n;
    R1_TRY(r1_exec_new(&s->e, m, be, cap, true, err));
    return r1_pack_new(&s->pack, s->e, 0, err);
}

r1_status r1_machine_new(r1_machine *w, const r1_model *m, r1_crew *crew, uint32_t n_slice,
                         uint32_t n, uint32_t group, r1_err *err)
{
    if (n_slice == 0) n_slice = 1;
    *w = (r1_machine){.crew = crew};
    if (n_slice > R1_SLICES_MAX)
        R1_FAIL(err, R1_E_INVAL, "training: %u slices of a batch, expected 1 to %d", n_slice,
                R1_SLICES_MAX);
    uint32_t most = (n + n_slice - 1) / n_slice;
    most = (most < R1_SLICE_LEAST ? R1_SLICE_LEAST : most) + (group > 1 ? group - 1 : 0);
    w->cap = most < n ? most : n;
    for (; w->n_slice < n_slice; w->n_slice++) {
        r1_status st = slice_new(&w->slice[w->n_slice], m, w->cap, err);
        if (st != R1_OK) {
            w->n_slice++;
            return st;
        }
        w->grad[w->n_slice] = w->slice[w->n_slice].e->wgrad;
    }
    return R1_OK;
}

void r1_machine_free(r1_machine *w)
{
    for (uint32_t k = 0; k < w->n_slice; k++) {
        r1_pack_free(w->slice[k].pack);
        r1_exec_free(w->slice[k].e);
    }
    *w = (r1_machine){0};
}

void r1_machine_cut(r1_machine *w, const r1_pack_source *src)
{
    const r1_sample *s = src->sample;
    size_t at = 0, used = (src->n_sample + R1_SLICE_LEAST - 1) / R1_SLICE_LEAST;
    if (used > w->n_slice) used = w->n_slice;
    w->src = src;
    for (uint32_t k = 0; k < w->n_slice; k++) {
        size_t to = k < used ? (src->n_sample * (k + 1) + used - 1) / used : src->n_sample;
        if (to < at) to = at;
        while (to > 0 && to < src->n_sample && to - at < w->cap && s[to].group &&
               s[to].group == s[to - 1].group)
            to++;
        w->slice[k].first = at;
        w->slice[k].n = to - at;
        at = to;
    }
}

r1_status r1_machine_fill(r1_machine *w, uint32_t k, r1_err *err)
{
    const r1_slice *s = &w->slice[k];
    r1_pack_source own = *w->src;
    if (s->n == 0) return R1_OK;
    own.sample += s->first;
    own.n_sample = s->n;
    if (own.drop) own.drop += s->first;
    return r1_pack_fill(s->pack, &own, err);
}

r1_status r1_machine_forward(r1_machine *w, uint32_t k, r1_err *err)
{
    const r1_slice *s = &w->slice[k];
    if (s->n) R1_TRY(r1_exec_forward_all(s->e, err));
    return R1_OK;
}

double r1_machine_flop(const r1_machine *w)
{
    double sum = 0;
    for (uint32_t k = 0; k < w->n_slice; k++)
        sum += w->slice[k].n ? r1_exec_flop(w->slice[k].e) : 0;
    return sum;
}
