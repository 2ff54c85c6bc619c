/* SPDX-License-Identifier: GPL-3.0-or-later */
/* txset.c - open addressing with linear probing, at most three quarters full. The rows of one id
 * lie behind each other in the run that its hash begins. */
#include "serve/txset.h"
#include "r1_assert.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    uint64_t id;      /* 0: empty place */
    uint64_t content; /* the lowest bit: whether its payment was applied */
} seen_row;

typedef struct {
    seen_row *place;
    size_t capacity, n; /* capacity is a power of two, 0 before the first row */
} generation;

struct fraud_txset {
    generation now, before;
    size_t ids_max; /* of one generation */
};

enum { PLACES_FIRST = 1 << 16 };

/* (1) The capacity is a power of two. (2) A quarter of the places is empty, so that probing ends.
 * (3) n places are filled. */
static void txset_check(const generation *g)
{
    R1_ASSERT(g->capacity && !(g->capacity & (g->capacity - 1)), "capacity %zu", g->capacity);
    R1_ASSERT(g->n <= g->capacity / 4 * 3, "%zu ids in %zu places", g->n, g->capacity);
}

static seen_row row_of(const char *tx_id, uint64_t content, bool applied)
{
    uint64_t h = r1_hash64(tx_id, strlen(tx_id), 0x5ca1ab1e);
    return (seen_row){h ? h : 1, (content & ~UINT64_C(1)) | applied};
}

/* Looks through the rows of the id. *at is where its next row would go, *n how many there are. */
static fraud_seen generation_look(const generation *g, seen_row key, size_t *at, int *n)
{
    fraud_seen seen = FRAUD_SEEN_NEW;
    *at = (size_t)key.id & (g->capacity - 1);
    for (*n = 0; g->place[*at].id; *at = (*at + 1) & (g->capacity - 1)) {
        if (g->place[*at].id != key.id) continue;
        if ((g->place[*at].content ^ key.content) <= 1) return FRAUD_SEEN_SAME;
        if (g->place[*at].content & 1) seen = FRAUD_SEEN_OTHER;
        ++*n;
    }
    return seen;
}

static bool txset_consistent(const generation *g)
{
    size_t n = 0, at;
    int rows;
    for (size_t i = 0; i < g->capacity; i++)
        n += g->place[i].id && generation_look(g, g->place[i], &at, &rows) == FRAUD_SEEN_SAME;
    return n == g->n;
}

static r1_status generation_open(generation *g, size_t capacity, r1_err *err)
{
    *g = (generation){.place = calloc(capacity, sizeof *g->place), .capacity = capacity};
    if (!g->place) R1_FAIL(err, R1_E_NOMEM, "no memory for %zu payment ids", capacity);
    return R1_OK;
}

uint64_t fraud_txset_bytes(uint64_t ids_max)
{
    uint64_t capacity = PLACES_FIRST;
    while (capacity / 4 * 3 < ids_max) capacity *= 2;
    return 2 * capacity * sizeof(seen_row);
}

r1_status fraud_txset_new(fraud_txset **out, size_t ids_max, r1_err *err)
{
    fraud_txset *s = calloc(1, sizeof *s);
    if (!s) R1_FAIL(err, R1_E_NOMEM, "no memory for the set of payment ids");
    s->ids_max = ids_max;
    r1_status st = generation_open(&s->now, PLACES_FIRST, err);
    if (st != R1_OK) return free(s), st;
    *out = s;
    return R1_OK;
}

void fraud_txset_free(fraud_txset *s)
{
    if (!s) return;
    free(s->now.place);
    free(s->before.place);
    free(s);
}

static r1_status generation_grow(generation *g, r1_err *err)
{
    generation bigger;
    R1_TRY(generation_open(&bigger, g->capacity * 2, err));
    for (size_t i = 0; i < g->capacity; i++) {
        size_t at;
        int rows;
        if (!g->place[i].id) continue;
        generation_look(&bigger, g->place[i], &at, &rows);
        bigger.place[at] = g->place[i];
    }
    bigger.n = g->n;
    free(g->place);
    *g = bigger;
    R1_DEEP_ASSERT(txset_consistent(g), "%zu ids in %zu places", g->n, g->capacity);
    return R1_OK;
}

/* The full generation becomes the older one. The new one is born as large, so that it never grows:
 * moving millions of rows would hold up payments. */
static r1_status txset_turn(fraud_txset *s, r1_err *err)
{
    generation fresh;
    R1_TRY(generation_open(&fresh, s->now.capacity, err));
    free(s->before.place);
    s->before = s->now;
    s->now = fresh;
    return R1_OK;
}

r1_status fraud_txset_add(fraud_txset *s, const char *tx_id, uint64_t content, bool applied,
                          r1_err *err)
{
    txset_check(&s->now);
    if (s->now.n >= s->ids_max)
        R1_TRY(txset_turn(s, err));
    else if (s->now.n >= s->now.capacity / 4 * 3)
        R1_TRY(generation_grow(&s->now, err));
    const seen_row row = row_of(tx_id, content, applied);
    size_t at;
    int n;
    if (generation_look(&s->now, row, &at, &n) == FRAUD_SEEN_SAME) return R1_OK;
    if (n >= FRAUD_TXSET_CONTENTS_MAX) return R1_OK;
    s->now.place[at] = row;
    s->now.n++;
    return R1_OK;
}

fraud_seen fraud_txset_look(const fraud_txset *s, const char *tx_id, uint64_t content)
{
    const seen_row row = row_of(tx_id, content, false);
    size_t at;
    int n;
    fraud_seen now = generation_look(&s->now, row, &at, &n);
    if (now == FRAUD_SEEN_SAME || !s->before.capacity) return now;
    fraud_seen before = generation_look(&s->before, row, &at, &n);
    return before == FRAUD_SEEN_NEW ? now : before;
}

size_t fraud_txset_count(const fraud_txset *s) { return s->now.n + s->before.n; }

/* ---- as a section of bytes ---- */

enum { TXSET_VERSION = 1 };

typedef struct {
    uint64_t row_bytes, ids_max, capacity[2], n[2]; /* of the newer generation, of the older */
} txset_head;

r1_status fraud_txset_save(const fraud_txset *s, r1_image_out *out, r1_err *err)
{
    const txset_head h = {sizeof(seen_row),
                          s->ids_max,
                          {s->now.capacity, s->before.capacity},
                          {s->now.n, s->before.n}};
    R1_TRY(out->section(out, "seen", TXSET_VERSION, err));
    R1_TRY(out->put(out, &h, sizeof h, err));
    R1_TRY(out->put(out, s->now.place, s->now.capacity * sizeof(seen_row), err));
    return s->before.capacity
               ? out->put(out, s->before.place, s->before.capacity * sizeof(seen_row), err)
               : R1_OK;
}

/* Sizes that fit each other and what there is to read. */
static bool txset_head_fits(const txset_head *h, uint64_t left)
{
    uint64_t rows = left / sizeof(seen_row);
    for (int i = 0; i < 2; i++) {
        if (h->capacity[i] > rows || (h->capacity[i] & (h->capacity[i] - 1)) ||
            h->n[i] > h->capacity[i] / 4 * 3)
            return false;
        rows -= h->capacity[i];
    }
    return h->row_bytes == sizeof(seen_row) && h->capacity[0] >= PLACES_FIRST &&
           (!h->capacity[1] || h->capacity[1] >= PLACES_FIRST) && !rows &&
           left % sizeof(seen_row) == 0;
}

static r1_status generation_load(generation *g, uint64_t capacity, uint64_t n, r1_image_in *in,
                                 r1_err *err)
{
    size_t filled = 0;
    *g = (generation){0};
    if (!capacity) return R1_OK;
    R1_TRY(generation_open(g, (size_t)capacity, err));
    R1_TRY(in->get(in, g->place, g->capacity * sizeof *g->place, err));
    for (size_t i = 0; i < g->capacity; i++) filled += g->place[i].id != 0;
    g->n = (size_t)n; /* with fewer empty places than that, probing would not end */
    if (filled == g->n && txset_consistent(g)) return R1_OK;
    R1_FAIL(err, R1_E_FORMAT, "seen: expected %zu ids, each where it is looked for", g->n);
}

r1_status fraud_txset_load(fraud_txset *s, r1_image_in *in, r1_err *err)
{
    txset_head h;
    fraud_txset got = {.ids_max = s->ids_max};
    R1_TRY(in->section(in, "seen", TXSET_VERSION, err));
    R1_TRY(in->get(in, &h, sizeof h, err));
    if (h.ids_max != s->ids_max)
        R1_FAIL(err, R1_E_FORMAT, "seen: expected a horizon of %zu ids, found %llu", s->ids_max,
                (unsigned long long)h.ids_max);
    if (!txset_head_fits(&h, in->left))
        R1_FAIL(err, R1_E_FORMAT, "seen: %llu and %llu places do not fit %llu bytes",
                (unsigned long long)h.capacity[0], (unsigned long long)h.capacity[1],
                (unsigned long long)in->left);
    r1_status st = generation_load(&got.now, h.capacity[0], h.n[0], in, err);
    if (st == R1_OK) st = generation_load(&got.before, h.capacity[1], h.n[1], in, err);
    free(st == R1_OK ? s->now.place : got.now.place);
    free(st == R1_OK ? s->before.place : got.before.place);
    if (st == R1_OK) *s = got;
    return st;
}

r1_status fraud_txset_clear(fraud_txset *s, r1_err *err)
{
    generation fresh;
    R1_TRY(generation_open(&fresh, PLACES_FIRST, err));
    free(s->now.place);
    free(s->before.place);
    s->now = fresh;
    s->before = (generation){0};
    return R1_OK;
}
