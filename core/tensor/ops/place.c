/* SPDX-License-Identifier: Apache-2.0 */
/* place.c - an item's encoded rows go to their place in the samples' sequences; absent ones get
 * the learned row. */
#include "tensor/r1_op.h"

#include <string.h>

static r1_status place_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *x = &a->v[R1_PLACE_X], *y = &a->v[R1_PLACE_Y];
    for (int64_t b = 0; b < y->rows; b++) {
        int32_t row = a->v[R1_PLACE_MAP].p ? r1_ints(&a->v[R1_PLACE_MAP])[b] : -1;
        memcpy(r1_row(y, b), row >= 0 ? r1_row(x, row) : r1_row(&a->v[R1_PLACE_ABSENT], 0),
               (size_t)y->cols * sizeof(float));
    }
    return R1_OK;
}

static r1_status place_backward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *gy = &a->g[R1_PLACE_Y];
    for (int64_t b = 0; b < gy->rows; b++) {
        int32_t row = a->v[R1_PLACE_MAP].p ? r1_ints(&a->v[R1_PLACE_MAP])[b] : -1;
        const r1_view *g = row >= 0 ? &a->g[R1_PLACE_X] : &a->g[R1_PLACE_ABSENT];
        if (!g->p) continue;
        float *to = r1_row(g, row >= 0 ? row : 0);
        for (int32_t c = 0; c < gy->cols; c++) to[c] += r1_row(gy, b)[c];
    }
    return R1_OK;
}

static uint64_t place_flop(const r1_op_args *a)
{
    (void)a;
    return 0;
}

static bool place_fits(const r1_op_args *a)
{
    const r1_view *map = &a->v[R1_PLACE_MAP], *y = &a->v[R1_PLACE_Y];
    return a->v[R1_PLACE_ABSENT].cols == y->cols &&
           (!map->p || (map->cols == y->rows && a->v[R1_PLACE_X].cols == y->cols));
}

const r1_op_def r1_op_place = {
    .name = "place",
    .outputs = R1_SLOT(R1_PLACE_Y),
    .grads = R1_SLOT(R1_PLACE_X) | R1_SLOT(R1_PLACE_ABSENT),
    .fits = place_fits,
    .forward = place_forward,
    .backward = place_backward,
    .flop = place_flop,
};
