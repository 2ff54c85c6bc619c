/* SPDX-License-Identifier: Apache-2.0 */
/* data.h - several shards as one, and what is fitted to the data before training starts.
 *
 * A unit is a sample, or a whole rank group. Events of all shards have common numbers. A batch
 * (r1_data_rows) holds whole units. */
#ifndef R1_DATA_H
#define R1_DATA_H

#include "model/model.h"
#include "r1_shard.h"

typedef struct {
    uint32_t shard, first, count;
} r1_unit;

typedef struct {
    r1_shard **shard;
    size_t n_shard;
    uint64_t *event0; /* per shard: number of its first event */
    uint64_t n_event, n_sample;
    r1_unit *unit;
    size_t n_unit;
    uint32_t unit_max;
} r1_data;

/* All shards must have the schema of the first. */
r1_status r1_data_open(r1_data *d, const char *const *paths, size_t n, r1_err *err);
void r1_data_close(r1_data *d);
/* R1_E_INVAL where the shards hold other items than the model reads; `what` leads the message. */
r1_status r1_data_check_items(const r1_data *d, const r1_desc *model, const char *what,
                              r1_err *err);
r1_event r1_data_event(void *data, uint64_t index); /* the callback of pack.h */

/* A batch of samples with room for their items and references in common numbers. */
typedef struct {
    void *block; /* owned: what the buffers below lie in */
    r1_sample *sample;
    r1_item *item;
    uint64_t *ref;
    size_t n, cap, n_ref, ref_cap;
    uint32_t n_item;
} r1_data_rows;
r1_status r1_data_rows_new(r1_data_rows *r, const r1_desc *d, size_t cap, r1_err *err);
void r1_data_rows_free(r1_data_rows *r);
void r1_data_rows_clear(r1_data_rows *r);
/* Appends a unit; the caller keeps within cap. */
r1_status r1_data_rows_add(r1_data_rows *r, const r1_data *d, const r1_unit *u, r1_err *err);
/* The next batch of an order: whole units from place *at on, n samples unless one unit is more;
 * order NULL: the data's own. */
r1_status r1_data_rows_take(r1_data_rows *r, const r1_data *d, const uint32_t *order, uint64_t *at,
                            size_t n, r1_err *err);

/* Bins from quantiles, means and spreads, tokenizers: from the training data into the model. */
r1_status r1_fit(r1_model *m, const r1_data *d, r1_err *err);
r1_status r1_fit_tokenizers(r1_model *m, const r1_data *d, r1_err *err);

#endif
