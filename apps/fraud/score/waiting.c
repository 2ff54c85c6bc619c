/* SPDX-License-Identifier: GPL-3.0-or-later */
/* waiting.c - buckets of chained places, and a list of places from the longest to the shortest
 * wait. */
#include "score/waiting.h"
#include "r1_assert.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    fraud_waiting_row row;
    uint32_t next;         /* of the bucket, or of the free places */
    uint32_t older, newer; /* in the order of waiting */
} place;

struct fraud_waiting {
    place *place;
    uint32_t *bucket;
    uint32_t mask, capacity, n, free_head, oldest, newest;
    uint64_t evicted;
};
static const uint32_t nowhere = UINT32_MAX;

/* ---- life ---- */

static void waiting_empty(fraud_waiting *w)
{
    memset(w->bucket, 0xff, ((size_t)w->mask + 1) * sizeof *w->bucket);
    for (uint32_t i = 0; i < w->capacity; i++)
        w->place[i].next = i + 1 < w->capacity ? i + 1 : nowhere;
    w->free_head = 0;
    w->oldest = w->newest = nowhere;
    w->n = 0;
}

static uint32_t waiting_mask(uint32_t labels_max)
{
    uint32_t mask = 0;
    while (mask < labels_max) mask = mask * 2 + 1;
    return mask;
}

uint64_t fraud_waiting_bytes(uint32_t labels_max)
{
    return (uint64_t)labels_max * sizeof(place) +
           ((uint64_t)waiting_mask(labels_max) + 1) * sizeof(uint32_t);
}

r1_status fraud_waiting_new(fraud_waiting **out, uint32_t labels_max, r1_err *err)
{
    R1_ASSERT(labels_max >= 1 && labels_max <= 1u << 30, "%u labels", labels_max);
    *out = NULL;
    fraud_waiting *w = calloc(1, sizeof *w);
    if (w) {
        w->mask = waiting_mask(labels_max);
        w->capacity = labels_max;
        w->place = calloc(labels_max, sizeof *w->place);
        w->bucket = malloc(((size_t)w->mask + 1) * sizeof *w->bucket);
    }
    if (!w || !w->place || !w->bucket) {
        fraud_waiting_free(w);
        R1_FAIL(err, R1_E_NOMEM, "no memory for %u labels that wait", labels_max);
    }
    waiting_empty(w);
    *out = w;
    return R1_OK;
}

void fraud_waiting_free(fraud_waiting *w)
{
    if (!w) return;
    free(w->place);
    free(w->bucket);
    free(w);
}

/* ---- places ---- */

static void waiting_id(const char *tx_id, uint64_t id[2])
{
    size_t len = strlen(tx_id);
    id[0] = r1_hash64(tx_id, len, 0x1abe1);
    id[1] = r1_hash64(tx_id, len, 0x3a17);
}

/* The link that leads to the id's place, or the chain's last link. */
static uint32_t *waiting_link(fraud_waiting *w, const uint64_t id[2])
{
    uint32_t *link = &w->bucket[id[0] & w->mask];
    while (*link != nowhere) {
        const fraud_waiting_row *row = &w->place[*link].row;
        if (row->id[0] == id[0] && row->id[1] == id[1]) break;
        link = &w->place[*link].next;
    }
    return link;
}

static void waiting_remove(fraud_waiting *w, uint32_t *link)
{
    uint32_t i = *link;
    place *p = &w->place[i];
    *link = p->next;
    *(p->older == nowhere ? &w->oldest : &w->place[p->older].newer) = p->newer;
    *(p->newer == nowhere ? &w->newest : &w->place[p->newer].older) = p->older;
    p->next = w->free_head;
    w->free_head = i;
    R1_ASSERT(w->n >= 1, "%u labels wait", w->n);
    w->n--;
}

static void waiting_add(fraud_waiting *w, const fraud_waiting_row *row)
{
    if (w->free_head == nowhere) {
        waiting_remove(w, waiting_link(w, w->place[w->oldest].row.id));
        w->evicted++;
    }
    uint32_t i = w->free_head, *bucket = &w->bucket[row->id[0] & w->mask];
    place *p = &w->place[i];
    w->free_head = p->next;
    *p = (place){.row = *row, .next = *bucket, .older = w->newest, .newer = nowhere};
    *bucket = i;
    *(w->newest == nowhere ? &w->oldest : &w->place[w->newest].newer) = i;
    w->newest = i;
    w->n++;
}

void fraud_waiting_put(fraud_waiting *w, const char *tx_id, bool is_fraud, int64_t ts)
{
    fraud_waiting_row row = {.ts = ts, .is_fraud = is_fraud};
    waiting_id(tx_id, row.id);
    uint32_t *link = waiting_link(w, row.id);
    if (*link != nowhere) waiting_remove(w, link);
    waiting_add(w, &row);
}

bool fraud_waiting_take(fraud_waiting *w, const char *tx_id, bool *is_fraud)
{
    uint64_t id[2];
    if (!w->n) return false;
    waiting_id(tx_id, id);
    uint32_t *link = waiting_link(w, id);
    if (*link == nowhere) return false;
    *is_fraud = w->place[*link].row.is_fraud != 0;
    waiting_remove(w, link);
    return true;
}

/* ---- what is counted and kept ---- */

uint32_t fraud_waiting_count(const fraud_waiting *w) { return w->n; }
uint64_t fraud_waiting_evicted(const fraud_waiting *w) { return w->evicted; }

uint64_t fraud_waiting_digest(const fraud_waiting *w)
{
    uint64_t h = 0;
    for (uint32_t i = w->oldest; i != nowhere; i = w->place[i].newer)
        h = r1_hash64(&w->place[i].row, sizeof w->place[i].row, h);
    return h;
}

void fraud_waiting_save(const fraud_waiting *w, fraud_waiting_row *out)
{
    size_t n = 0;
    for (uint32_t i = w->oldest; i != nowhere; i = w->place[i].newer) out[n++] = w->place[i].row;
    R1_ASSERT(n == w->n, "%zu labels in the list, %u counted", n, w->n);
}

r1_status fraud_waiting_load(fraud_waiting *w, const fraud_waiting_row *row, size_t n, r1_err *err)
{
    R1_ASSERT(w->n == 0, "%u labels wait already", w->n);
    for (size_t i = 0; i < n; i++) {
        if (*waiting_link(w, row[i].id) != nowhere)
            R1_FAIL(err, R1_E_FORMAT,
                    "labels that wait: row %zu of %zu has the id of an earlier "
                    "one, expected each id once",
                    i, n);
        waiting_add(w, &row[i]);
    }
    return R1_OK;
}
