/* SPDX-License-Identifier: GPL-3.0-or-later */
/* txset.c - open addressing with linear probing, at most three quarters full. */
#include "serve/txset.h"
#include "r1_assert.h"

#include <stdlib.h>
#include <string.h>

enum { TXSET_PLACES = 1 << 16 }; /* to begin with */

typedef struct {
    uint64_t a, b; /* both 0: empty place */
} id_hash;

struct fraud_txset {
    id_hash *place;
    size_t capacity, n; /* capacity is a power of two */
};

static bool txset_filled(id_hash h) { return h.a || h.b; }

/* (1) The capacity is a power of two. (2) A quarter of the places is empty, so that probing ends.
 * (3) n places are filled, and every hash is found where probing begins from it. */
static void txset_check(const fraud_txset *s)
{
    R1_ASSERT(s->capacity && !(s->capacity & (s->capacity - 1)), "capacity %zu", s->capacity);
    R1_ASSERT(s->n <= s->capacity / 4 * 3, "%zu ids in %zu places", s->n, s->capacity);
}

static id_hash txset_hash_of(const char *tx_id)
{
    size_t len = strlen(tx_id);
    id_hash h = {r1_hash64(tx_id, len, 0x5ca1ab1e), r1_hash64(tx_id, len, 0xdeadbea7)};
    if (!h.a && !h.b) h.a = 1;
    return h;
}

static size_t txset_probe(const fraud_txset *s, id_hash h)
{
    size_t i = (size_t)h.a & (s->capacity - 1);
    while (txset_filled(s->place[i]) && (s->place[i].a != h.a || s->place[i].b != h.b))
        i = (i + 1) & (s->capacity - 1);
    return i;
}

static bool txset_consistent(const fraud_txset *s)
{
    size_t filled = 0, found = 0;
    for (size_t i = 0; i < s->capacity; i++) filled += txset_filled(s->place[i]);
    if (filled != s->n) return false; /* without empty places probing would not end */
    for (size_t i = 0; i < s->capacity; i++)
        if (txset_filled(s->place[i])) found += txset_probe(s, s->place[i]) == i;
    return found == s->n;
}

r1_status fraud_txset_new(fraud_txset **out, r1_err *err)
{
    fraud_txset *s = calloc(1, sizeof *s);
    if (s) s->place = calloc(s->capacity = TXSET_PLACES, sizeof *s->place);
    if (!s || !s->place) {
        free(s);
        R1_FAIL(err, R1_E_NOMEM, "no memory for the set of payment ids");
    }
    *out = s;
    return R1_OK;
}

void fraud_txset_free(fraud_txset *s)
{
    if (!s) return;
    free(s->place);
    free(s);
}

static r1_status txset_grow(fraud_txset *s, r1_err *err)
{
    fraud_txset bigger = {.capacity = s->capacity * 2, .n = s->n};
    bigger.place = calloc(bigger.capacity, sizeof *bigger.place);
    if (!bigger.place) R1_FAIL(err, R1_E_NOMEM, "no memory for %zu payment ids", bigger.capacity);
    for (size_t i = 0; i < s->capacity; i++)
        if (txset_filled(s->place[i]))
            bigger.place[txset_probe(&bigger, s->place[i])] = s->place[i];
    free(s->place);
    *s = bigger;
    R1_DEEP_ASSERT(txset_consistent(s), "%zu ids in %zu places", s->n, s->capacity);
    return R1_OK;
}

r1_status fraud_txset_add(fraud_txset *s, const char *tx_id, bool *fresh, r1_err *err)
{
    txset_check(s);
    if (s->n >= s->capacity / 4 * 3) R1_TRY(txset_grow(s, err));
    id_hash h = txset_hash_of(tx_id);
    size_t i = txset_probe(s, h);
    *fresh = !txset_filled(s->place[i]);
    if (*fresh) s->n++;
    s->place[i] = h;
    return R1_OK;
}

bool fraud_txset_has(const fraud_txset *s, const char *tx_id)
{
    size_t i = txset_probe(s, txset_hash_of(tx_id));
    return txset_filled(s->place[i]);
}

size_t fraud_txset_count(const fraud_txset *s) { return s->n; }

/* ---- as a section of bytes ---- */

enum { TXSET_VERSION = 1 };

typedef struct {
    uint64_t row_bytes, capacity, n;
} txset_head;

r1_status fraud_txset_save(const fraud_txset *s, r1_image_out *out, r1_err *err)
{
    const txset_head h = {sizeof *s->place, s->capacity, s->n};
    R1_TRY(out->section(out, "seen", TXSET_VERSION, err));
    R1_TRY(out->put(out, &h, sizeof h, err));
    return out->put(out, s->place, s->capacity * sizeof *s->place, err);
}

/* Sizes that fit each other and what there is to read. */
static bool txset_head_fits(const txset_head *h, uint64_t left)
{
    return h->row_bytes == sizeof(id_hash) && h->capacity >= TXSET_PLACES &&
           !(h->capacity & (h->capacity - 1)) && h->n <= h->capacity / 4 * 3 &&
           h->capacity <= left / sizeof(id_hash) && left == h->capacity * sizeof(id_hash);
}

r1_status fraud_txset_load(fraud_txset *s, r1_image_in *in, r1_err *err)
{
    txset_head h;
    R1_TRY(in->section(in, "seen", TXSET_VERSION, err));
    R1_TRY(in->get(in, &h, sizeof h, err));
    if (!txset_head_fits(&h, in->left))
        R1_FAIL(err, R1_E_FORMAT, "seen: %llu ids in %llu places do not fit %llu bytes",
                (unsigned long long)h.n, (unsigned long long)h.capacity,
                (unsigned long long)in->left);
    fraud_txset got = {.capacity = (size_t)h.capacity, .n = (size_t)h.n};
    got.place = calloc(got.capacity, sizeof *got.place);
    if (!got.place) R1_FAIL(err, R1_E_NOMEM, "no memory for %zu payment ids", got.n);
    r1_status st = in->get(in, got.place, got.capacity * sizeof *got.place, err);
    if (st == R1_OK && !txset_consistent(&got))
        st = r1_err_set(err, R1_E_FORMAT, __FILE__, __LINE__,
                        "seen: expected %zu ids, each where it is looked for", got.n);
    free(st == R1_OK ? s->place : got.place);
    if (st == R1_OK) *s = got;
    return st;
}

r1_status fraud_txset_clear(fraud_txset *s, r1_err *err)
{
    fraud_txset empty = {.capacity = TXSET_PLACES};
    empty.place = calloc(empty.capacity, sizeof *empty.place);
    if (!empty.place) R1_FAIL(err, R1_E_NOMEM, "no memory for the set of payment ids");
    free(s->place);
    *s = empty;
    return R1_OK;
}
