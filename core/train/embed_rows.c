/* SPDX-License-Identifier: Apache-2.0 */
/* embed_rows.c - shards through the encoders alone, as training runs them: a session has folded the common space away. */
#include "r1_train.h"
#include "train/data.h"
#include "train/machine.h"

enum { ROWS_RUN = 256 };

typedef struct {
    const r1_model *m;
    uint32_t item;
    r1_data data;
    r1_rows rows;
    r1_exec *e;
    r1_pack *pack;
} embedder;

static r1_status next(embedder *t, uint64_t *at, r1_err *err)
{
    R1_TRY(r1_rows_take(&t->rows, &t->data, NULL, at, ROWS_RUN, err));
    r1_pack_source src = {.sample = t->rows.sample,
                          .n_sample = t->rows.n,
                          .event = r1_data_event,
                          .event_ctx = &t->data,
                          .n_event = t->data.n_event};
    R1_TRY(r1_pack_fill(t->pack, &src, err));
    return r1_machine_forward(t->e, err);
}

static r1_status run(embedder *t, void (*each)(void *ctx, uint64_t id, const float *row), void *ctx, r1_err *err)
{
    const r1_item_io *io = &t->m->net.item[t->item];
    R1_TRY(r1_rows_new(&t->rows, t->m->desc, t->data.unit_max > ROWS_RUN ? t->data.unit_max : ROWS_RUN, err));
    R1_TRY(r1_machine_new(&t->e, &t->pack, t->m, (uint32_t)t->rows.cap, err));
    for (uint64_t at = 0; at < t->data.n_unit;) {
        R1_TRY(next(t, &at, err));
        const int32_t *map = r1_exec_ptr(t->e, io->map);
        const float *row = r1_exec_ptr(t->e, io->aligned);
        for (size_t i = 0; i < t->rows.n; i++)
            if (map[i] >= 0) each(ctx, t->rows.sample[i].id, row + (size_t)map[i] * t->m->desc->d_align);
    }
    return R1_OK;
}

r1_status r1_embed(const r1_model *m, const char *const *data, size_t n_data, uint32_t item,
                   void (*each)(void *ctx, uint64_t id, const float *row), void *ctx, r1_err *err)
{
    embedder t = {.m = m, .item = item};
    if (item >= m->desc->n_item) R1_FAIL(err, R1_E_INVAL, "embed: item %u of %u", item, m->desc->n_item);
    R1_TRY(r1_data_open(&t.data, data, n_data, err));
    r1_status st = r1_data_check_items(&t.data, m->desc, "embed", err);
    if (st == R1_OK) st = run(&t, each, ctx, err);
    r1_pack_free(t.pack);
    r1_exec_free(t.e);
    r1_rows_free(&t.rows);
    r1_data_close(&t.data);
    return st;
}
