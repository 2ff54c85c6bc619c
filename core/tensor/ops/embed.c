/* SPDX-License-Identifier: Apache-2.0 */
/* embed.c - categorical columns and tokens: rows of a table, with rows of their own for
 * "missing" and "other". */
#include "tensor/r1_op.h"

#include <string.h>

/* Row of the packed table for a value of column c. */
static int32_t table_row(const int32_t *first, int32_t c, int32_t id)
{
    int32_t n = first[c + 1] - first[c] - 2; /* values, without missing and other */
    if (id == -1) return first[c];
    return id >= 0 && id < n ? first[c] + 1 + id : first[c + 1] - 1;
}

static r1_status embed_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *id = &a->v[R1_EMBED_ID], *table = &a->v[R1_EMBED_TABLE], *y = &a->v[R1_EMBED_Y];
    size_t d = (size_t)table->cols;
    for (int64_t r = 0; r < id->rows; r++)
        for (int32_t c = 0; c < id->cols; c++) {
            int32_t row = table_row(r1_ints(&a->v[R1_EMBED_FIRST]), c, r1_ints(id)[r * id->ld + c]);
            memcpy(r1_row(y, r) + (size_t)c * d, r1_row(table, row), d * sizeof(float));
        }
    return R1_OK;
}

static r1_status embed_backward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *id = &a->v[R1_EMBED_ID], *gt = &a->g[R1_EMBED_TABLE], *gy = &a->g[R1_EMBED_Y];
    for (int64_t r = 0; r < id->rows; r++)
        for (int32_t c = 0; c < id->cols; c++) {
            float *to = r1_row(
                gt, table_row(r1_ints(&a->v[R1_EMBED_FIRST]), c, r1_ints(id)[r * id->ld + c]));
            const float *from = r1_row(gy, r) + (int64_t)c * gt->cols;
            for (int32_t k = 0; k < gt->cols; k++) to[k] += from[k];
        }
    return R1_OK;
}

static uint64_t embed_flop(const r1_op_args *a)
{
    (void)a;
    return 0;
}

static bool embed_fits(const r1_op_args *a)
{
    const r1_view *id = &a->v[R1_EMBED_ID], *y = &a->v[R1_EMBED_Y];
    return a->v[R1_EMBED_FIRST].cols == id->cols + 1 && y->rows == id->rows &&
           y->cols == id->cols * a->v[R1_EMBED_TABLE].cols;
}

const r1_op_def r1_op_embed = {
    .name = "embed",
    .outputs = R1_SLOT(R1_EMBED_Y),
    .grads = R1_SLOT(R1_EMBED_TABLE),
    .fits = embed_fits,
    .forward = embed_forward,
    .backward = embed_backward,
    .flop = embed_flop,
};
