/* SPDX-License-Identifier: Apache-2.0 */
/* data.c - shards joined: units, events under common numbers, batches. */
#include "train/data.h"

#include "r1_assert.h"
#include "train/carve.h"

#include <stdlib.h>
#include <string.h>

static r1_status add_units(r1_data *d, size_t k, r1_err *err)
{
    const r1_shard *s = d->shard[k];
    size_t n = r1_shard_n_sample(s);
    r1_item item[R1_ITEMS_MAX];
    r1_sample sample;
    uint64_t group = 0;
    r1_unit *grown = r1_realloc_array(d->unit, d->n_unit + n + 1, sizeof *grown);
    if (!grown) R1_FAIL(err, R1_E_NOMEM, "training: no memory for %zu samples", n);
    d->unit = grown;
    for (size_t i = 0; i < n; i++) {
        R1_TRY(r1_shard_get(s, i, item, &sample, err));
        bool more = i > 0 && sample.group && sample.group == group;
        if (more)
            d->unit[d->n_unit - 1].count++;
        else
            d->unit[d->n_unit++] = (r1_unit){(uint32_t)k, (uint32_t)i, 1};
        if (d->unit[d->n_unit - 1].count > d->unit_max) d->unit_max = d->unit[d->n_unit - 1].count;
        group = sample.group;
    }
    d->n_sample += n;
    return R1_OK;
}

static r1_status data_open_all(r1_data *d, const char *const *paths, size_t n, r1_err *err)
{
    for (; d->n_shard < n; d->n_shard++) {
        size_t k = d->n_shard;
        R1_TRY(r1_shard_open(&d->shard[k], paths[k], err));
        d->event0[k] = d->n_event;
        d->n_event += r1_shard_n_event(d->shard[k]);
        R1_ASSERT(d->event0[k] <= d->n_event, "shard %zu: events from %llu on, %llu in all", k,
                  (unsigned long long)d->event0[k], (unsigned long long)d->n_event);
        if (r1_shard_schema_hash(d->shard[k]) == r1_shard_schema_hash(d->shard[0])) continue;
        d->n_shard++;
        R1_FAIL(err, R1_E_INVAL, "shard %s has another feature schema than %s", paths[k], paths[0]);
    }
    for (size_t k = 0; k < n; k++) R1_TRY(add_units(d, k, err));
    return R1_OK;
}

r1_status r1_data_open(r1_data *d, const char *const *paths, size_t n, r1_err *err)
{
    memset(d, 0, sizeof *d);
    if (n == 0) R1_FAIL(err, R1_E_INVAL, "training: no shards");
    d->shard = calloc(n, sizeof(r1_shard *));
    d->event0 = calloc(n, sizeof *d->event0);
    r1_status st = d->shard && d->event0
                       ? data_open_all(d, paths, n, err)
                       : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "training: out of memory");
    if (st == R1_OK && d->n_sample == 0)
        st = r1_err_set(err, R1_E_INVAL, __FILE__, __LINE__, "shard %s: no samples", paths[0]);
    if (st != R1_OK) r1_data_close(d);
    return st;
}

void r1_data_close(r1_data *d)
{
    for (size_t k = 0; k < d->n_shard; k++) r1_shard_close(d->shard[k]);
    free((void *)d->shard);
    free(d->event0);
    free(d->unit);
    memset(d, 0, sizeof *d);
}

r1_status r1_data_check_items(const r1_data *d, const r1_desc *model, const char *what, r1_err *err)
{
    const char *text = r1_shard_description(d->shard[0]);
    r1_desc *shard;
    R1_TRY(r1_desc_parse(&shard, text, strlen(text), err));
    uint64_t hash = shard->item_hash;
    r1_desc_free(shard);
    if (hash == model->item_hash) return R1_OK;
    R1_FAIL(err, R1_E_INVAL,
            "%s: the model reads other items (hash %016llx) than the shards hold (%016llx)", what,
            (unsigned long long)model->item_hash, (unsigned long long)hash);
}

r1_event r1_data_event(void *data, uint64_t index)
{
    const r1_data *d = data;
    size_t k = d->n_shard - 1;
    R1_ASSERT(index < d->n_event, "event %llu of %llu", (unsigned long long)index,
              (unsigned long long)d->n_event);
    while (d->event0[k] > index) k--;
    return r1_shard_event(d->shard[k], (size_t)(index - d->event0[k]));
}

/* ---- batches --------------------------------------------------------------------------------- */

static void carve_rows(void *rows, r1_carver *c)
{
    r1_data_rows *r = rows;
    r->sample = r1_carve(c, r->cap, sizeof *r->sample);
    r->item = r1_carve(c, r->cap * r->n_item, sizeof *r->item);
    r->ref = r1_carve(c, r->ref_cap + 1, sizeof *r->ref);
}

r1_status r1_data_rows_new(r1_data_rows *r, const r1_desc *d, size_t cap, r1_err *err)
{
    size_t refs = 0;
    for (uint32_t i = 0; i < d->n_item; i++) refs += d->item[i].n_ref_max;
    *r = (r1_data_rows){.n_item = d->n_item, .cap = cap, .ref_cap = refs * cap};
    r->block = r1_carve_block(carve_rows, r);
    if (r->block) return R1_OK;
    R1_FAIL(err, R1_E_NOMEM, "training: no memory for batches of %zu", cap);
}

void r1_data_rows_free(r1_data_rows *r)
{
    free(r->block);
    *r = (r1_data_rows){0};
}

void r1_data_rows_clear(r1_data_rows *r) { r->n = r->n_ref = 0; }

/* References in the shard's numbers become common ones. */
static bool data_renumber(r1_data_rows *r, r1_item *item, uint64_t event0)
{
    for (uint32_t i = 0; i < r->n_item; i++) {
        if (item[i].n_ref > r->ref_cap - r->n_ref) return false;
        uint64_t *to = r->ref + r->n_ref;
        for (uint32_t j = 0; j < item[i].n_ref; j++) to[j] = item[i].ref[j] + event0;
        item[i].ref = to;
        r->n_ref += item[i].n_ref;
    }
    return true;
}

r1_status r1_data_rows_add(r1_data_rows *r, const r1_data *d, const r1_unit *u, r1_err *err)
{
    R1_ASSERT(r->n + u->count <= r->cap, "a batch of %zu samples and %u more, room for %zu", r->n,
              u->count, r->cap);
    for (uint32_t i = 0; i < u->count; i++) {
        r1_item *item = r->item + r->n * r->n_item;
        R1_TRY(r1_shard_get(d->shard[u->shard], u->first + i, item, &r->sample[r->n], err));
        if (!data_renumber(r, item, d->event0[u->shard]))
            R1_FAIL(err, R1_E_INVAL, "training: more references than the description allows");
        r->n++;
    }
    return R1_OK;
}

r1_status r1_data_rows_take(r1_data_rows *r, const r1_data *d, const uint32_t *order, uint64_t *at,
                            size_t n, r1_err *err)
{
    r1_data_rows_clear(r);
    for (; *at < d->n_unit; ++*at) {
        const r1_unit *u = &d->unit[order ? order[*at] : *at];
        if (r->n && r->n + u->count > n) break;
        R1_TRY(r1_data_rows_add(r, d, u, err));
    }
    return R1_OK;
}
