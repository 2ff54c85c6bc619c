/* SPDX-License-Identifier: Apache-2.0 */
/* edge_message.c - one round of messages along and against the direction of the edges, summed
 * per node in edge order and scaled per node (the scale carries the degree, so that counts are
 * not lost as in a plain mean). */
#include "tensor/r1_op.h"

static r1_status edge_message_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *h = &a->v[R1_EDGE_MESSAGE_H], *e = &a->v[R1_EDGE_MESSAGE_E],
                  *scale = &a->v[R1_EDGE_MESSAGE_SCALE], *y = &a->v[R1_EDGE_MESSAGE_Y];
    const int32_t *src = r1_ints(&a->v[R1_EDGE_MESSAGE_SRC]),
                  *dst = r1_ints(&a->v[R1_EDGE_MESSAGE_DST]);
    int32_t d = h->cols / 2;
    for (int64_t n = 0; n < y->rows; n++)
        for (int32_t c = 0; c < 2 * d; c++) r1_row(y, n)[c] = 0;
    for (int64_t j = 0; j < e->rows; j++)
        for (int32_t c = 0; c < 2 * d; c++) {
            int32_t from = c < d ? src[j] : dst[j], to = c < d ? dst[j] : src[j];
            float v = r1_row(h, from)[c] + r1_row(e, j)[c];
            if (v > 0) r1_row(y, to)[c] += v * r1_row(scale, to)[c >= d];
        }
    return R1_OK;
}

static r1_status edge_message_backward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *h = &a->v[R1_EDGE_MESSAGE_H], *e = &a->v[R1_EDGE_MESSAGE_E],
                  *scale = &a->v[R1_EDGE_MESSAGE_SCALE], *gy = &a->g[R1_EDGE_MESSAGE_Y];
    const int32_t *src = r1_ints(&a->v[R1_EDGE_MESSAGE_SRC]),
                  *dst = r1_ints(&a->v[R1_EDGE_MESSAGE_DST]);
    int32_t d = h->cols / 2;
    for (int64_t j = 0; j < e->rows; j++)
        for (int32_t c = 0; c < 2 * d; c++) {
            int32_t from = c < d ? src[j] : dst[j], to = c < d ? dst[j] : src[j];
            if (r1_row(h, from)[c] + r1_row(e, j)[c] <= 0) continue;
            float g = r1_row(gy, to)[c] * r1_row(scale, to)[c >= d];
            if (a->g[R1_EDGE_MESSAGE_H].p) r1_row(&a->g[R1_EDGE_MESSAGE_H], from)[c] += g;
            if (a->g[R1_EDGE_MESSAGE_E].p) r1_row(&a->g[R1_EDGE_MESSAGE_E], j)[c] += g;
        }
    return R1_OK;
}

static uint64_t edge_message_flop(const r1_op_args *a)
{
    return 4u * (uint64_t)a->v[R1_EDGE_MESSAGE_E].rows * (uint64_t)a->v[R1_EDGE_MESSAGE_E].cols;
}

static bool edge_message_fits(const r1_op_args *a)
{
    const r1_view *h = &a->v[R1_EDGE_MESSAGE_H], *e = &a->v[R1_EDGE_MESSAGE_E],
                  *scale = &a->v[R1_EDGE_MESSAGE_SCALE];
    return r1_same_shape(h, &a->v[R1_EDGE_MESSAGE_Y]) && h->cols % 2 == 0 && e->cols == h->cols &&
           a->v[R1_EDGE_MESSAGE_SRC].cols == e->rows && a->v[R1_EDGE_MESSAGE_DST].cols == e->rows &&
           a->v[R1_EDGE_MESSAGE_NODES].p && a->v[R1_EDGE_MESSAGE_EDGES].p &&
           a->v[R1_EDGE_MESSAGE_NODES].cols == a->v[R1_EDGE_MESSAGE_EDGES].cols &&
           scale->rows == h->rows && scale->cols == 2;
}

const r1_op_def r1_op_edge_message = {
    .name = "edge_message",
    .outputs = R1_SLOT(R1_EDGE_MESSAGE_Y),
    .grads = R1_SLOT(R1_EDGE_MESSAGE_H) | R1_SLOT(R1_EDGE_MESSAGE_E),
    .fits = edge_message_fits,
    .forward = edge_message_forward,
    .backward = edge_message_backward,
    .flop = edge_message_flop,
};
