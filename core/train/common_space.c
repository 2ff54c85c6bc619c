/* SPDX-License-Identifier: Apache-2.0 */
/* common_space.c - shards through the encoders, as training runs them in f32. A session cannot do
 * it, because it has folded the common space away. */
#include "r1_pretrain.h"
#include "r1_train.h"
#include "train/data.h"
#include "train/data_parallel.h"
#include "train/pretext.h"

#include <stdlib.h>

enum { POOL = 256 };

typedef struct {
    const r1_model *m;
    r1_data data;
    r1_data_rows rows;
    r1_data_parallel parallel; /* one slice */
} encoder;

static r1_status common_space_open_data(encoder *t, const char *const *data, size_t n_data,
                                        const char *what, r1_err *err)
{
    R1_TRY(r1_data_open(&t->data, data, n_data, err));
    R1_TRY(r1_data_check_items(&t->data, t->m->desc, what, err));
    R1_TRY(r1_data_rows_new(&t->rows, t->m->desc, t->data.unit_max > POOL ? t->data.unit_max : POOL,
                            err));
    R1_TRY(r1_data_parallel_new(&t->parallel, t->m, NULL, 1, (uint32_t)t->rows.cap,
                                t->data.unit_max, err));
    t->parallel.slice[0].e->rounds = false;
    return R1_OK;
}

static void close_data(encoder *t)
{
    r1_data_parallel_free(&t->parallel);
    r1_data_rows_free(&t->rows);
    r1_data_close(&t->data);
}

static r1_status common_space_next(encoder *t, uint64_t *at, r1_err *err)
{
    R1_TRY(r1_data_rows_take(&t->rows, &t->data, NULL, at, POOL, err));
    r1_pack_source src = {.sample = t->rows.sample,
                          .n_sample = t->rows.n,
                          .event = r1_data_event,
                          .event_ctx = &t->data,
                          .n_event = t->data.n_event};
    r1_data_parallel_cut(&t->parallel, &src);
    R1_TRY(r1_data_parallel_fill(&t->parallel, 0, err));
    return r1_data_parallel_forward(&t->parallel, 0, err);
}

r1_status r1_embed(const r1_model *m, const char *const *data, size_t n_data, uint32_t item,
                   void (*each)(void *ctx, uint64_t id, const float *row), void *ctx, r1_err *err)
{
    encoder t = {.m = m};
    if (item >= m->desc->n_item)
        R1_FAIL(err, R1_E_INVAL, "embed: item %u of %u", item, m->desc->n_item);
    const r1_item_io *io = &m->net.item[item];
    r1_status st = common_space_open_data(&t, data, n_data, "embed", err);
    for (uint64_t at = 0; st == R1_OK && at < t.data.n_unit;) {
        st = common_space_next(&t, &at, err);
        const int32_t *map = r1_exec_ptr(t.parallel.slice[0].e, io->map);
        const float *row = r1_exec_ptr(t.parallel.slice[0].e, io->aligned);
        for (size_t i = 0; st == R1_OK && i < t.rows.n; i++)
            if (map[i] >= 0)
                each(ctx, t.rows.sample[i].id, row + (size_t)map[i] * m->desc->d_align);
    }
    close_data(&t);
    return st;
}

static r1_status search_all(encoder *t, r1_pretext *p, r1_searches *searches, r1_err *err)
{
    for (uint64_t at = 0; at < t->data.n_unit;) {
        R1_TRY(common_space_next(t, &at, err));
        r1_pretext_show(p, t->rows.sample, t->rows.n);
        R1_TRY(r1_pretext_retrieve(p, t->rows.n, searches, err));
    }
    return R1_OK;
}

r1_status r1_retrieve(const r1_model *m, const char *const *shards, size_t n_shard,
                      r1_retrieval *pair, size_t *n_pair, r1_err *err)
{
    encoder t = {.m = m};
    r1_pretext p = {0};
    r1_searches *searches = calloc((size_t)m->desc->n_item * m->desc->n_item, sizeof *searches);
    r1_status st =
        searches ? R1_OK
                 : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "retrieval: out of memory");
    if (st == R1_OK) st = common_space_open_data(&t, shards, n_shard, "retrieval", err);
    if (st == R1_OK) st = r1_pretext_new(&p, &t.parallel, t.rows.cap, err);
    if (st == R1_OK) st = search_all(&t, &p, searches, err);
    if (st == R1_OK) *n_pair = r1_pretext_pairs(m->desc, searches, NULL, pair);
    r1_pretext_free(&p);
    close_data(&t);
    free(searches);
    return st;
}
