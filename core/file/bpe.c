/* SPDX-License-Identifier: Apache-2.0 */
/* bpe.c - learning merges by counting pairs in the distinct words, and applying them lowest rank
 * first. */
#include "file/bpe.h"

#include "r1_assert.h"

#include <stdlib.h>
#include <string.h>

enum { WORD_MAX = 64, PAIR_BITS = 17, WORD_BITS = 16 };

typedef struct {
    uint64_t key; /* (left << 32 | right) + 1; 0 = empty */
    int32_t value;
} slot;

struct r1_bpe {
    int32_t *merge; /* [n][2] */
    size_t n;
    slot *table; /* 1 << bits */
    unsigned bits;
};

static uint64_t bpe_pair_key(int32_t a, int32_t b)
{
    return ((uint64_t)(uint32_t)a << 32 | (uint32_t)b) + 1;
}

static slot *bpe_find(slot *table, unsigned bits, uint64_t key)
{
    size_t mask = ((size_t)1 << bits) - 1, i = (size_t)(key * 0x9e3779b97f4a7c15u >> (64 - bits));
    while (table[i].key && table[i].key != key) i = (i + 1) & mask;
    return &table[i];
}

r1_status r1_bpe_new(r1_bpe **out, const int32_t *merges, size_t n, r1_err *err)
{
    if (n > 1u << 16) R1_FAIL(err, R1_E_FORMAT, "tokenizer: %zu merges, at most 65536", n);
    r1_bpe *b = calloc(1, sizeof *b);
    if (!b) R1_FAIL(err, R1_E_NOMEM, "tokenizer: out of memory");
    b->n = n;
    b->bits = 4;
    while ((size_t)1 << b->bits < 2 * n + 2) b->bits++;
    b->merge = calloc(n + 1, 2 * sizeof *b->merge);
    b->table = calloc((size_t)1 << b->bits, sizeof *b->table);
    if (!b->merge || !b->table) {
        r1_bpe_free(b);
        R1_FAIL(err, R1_E_NOMEM, "tokenizer: out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        int32_t x = merges[2 * i], y = merges[2 * i + 1], limit = 256 + (int32_t)i;
        slot *s = bpe_find(b->table, b->bits, bpe_pair_key(x, y));
        if (x < 0 || y < 0 || x >= limit || y >= limit || s->key) {
            r1_bpe_free(b);
            R1_FAIL(err, R1_E_FORMAT,
                    "tokenizer: merge %zu joins %d and %d, expected a new pair of ids below %d", i,
                    x, y, limit);
        }
        *s = (slot){bpe_pair_key(x, y), (int32_t)i};
        b->merge[2 * i] = x;
        b->merge[2 * i + 1] = y;
    }
    *out = b;
    return R1_OK;
}

void r1_bpe_free(r1_bpe *b)
{
    if (!b) return;
    free(b->merge);
    free(b->table);
    free(b);
}

const int32_t *r1_bpe_merges(const r1_bpe *b, size_t *n)
{
    *n = b->n;
    return b->merge;
}

static bool bpe_word_byte(unsigned char c)
{
    return c >= 128 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Length of the first word of a text that is not empty. */
static size_t word_length(const char *text, size_t len)
{
    size_t n = text[0] == ' ' && len > 1 && bpe_word_byte((unsigned char)text[1]);
    if (!bpe_word_byte((unsigned char)text[n])) return 1;
    while (n < len && n < WORD_MAX && bpe_word_byte((unsigned char)text[n])) n++;
    return n;
}

static size_t merge_word(const r1_bpe *b, int32_t *id, size_t n)
{
    for (;;) {
        int32_t best = INT32_MAX;
        size_t at = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            const slot *s = bpe_find(b->table, b->bits, bpe_pair_key(id[i], id[i + 1]));
            if (s->key && s->value < best) {
                best = s->value;
                at = i;
            }
        }
        if (best == INT32_MAX) return n;
        id[at] = 256 + best;
        memmove(id + at + 1, id + at + 2, (n - at - 2) * sizeof *id);
        n--;
    }
}

size_t r1_bpe_encode(const r1_bpe *b, const char *text, size_t len, int32_t *id, size_t cap)
{
    int32_t word[WORD_MAX];
    size_t n = 0, at = 0;
    if (len > 16 * cap) len = 16 * cap;
    while (at < len && n < cap) {
        size_t w = word_length(text + at, len - at);
        R1_ASSERT(w > 0 && w <= WORD_MAX && w <= len - at, "tokenizer: a word of %zu bytes of %zu",
                  w, len - at);
        for (size_t i = 0; i < w; i++) word[i] = (unsigned char)text[at + i];
        size_t got = merge_word(b, word, w);
        if (got > cap - n) got = cap - n;
        memcpy(id + n, word, got * sizeof *id);
        n += got;
        at += w;
    }
    return n;
}

/* ---- learning -------------------------------------------------------------------------------- */

typedef struct {
    int32_t id[WORD_MAX];
    uint32_t n;
    int64_t count;
} word_entry;

typedef struct {
    word_entry *word;
    size_t n_word;
    slot *seen;  /* hash of word -> index */
    slot *pairs; /* pair -> count */
} learner;

static void count_word(learner *l, const char *text, size_t n)
{
    slot *s = bpe_find(l->seen, WORD_BITS + 1, r1_hash64(text, n, 7) | 1);
    if (!s->key) {
        if (l->n_word == (size_t)1 << WORD_BITS) return;
        *s = (slot){r1_hash64(text, n, 7) | 1, (int32_t)l->n_word};
        word_entry *w = &l->word[l->n_word++];
        w->n = (uint32_t)n;
        for (size_t i = 0; i < n; i++) w->id[i] = (unsigned char)text[i];
    }
    l->word[s->value].count++;
}

/* The most frequent pair; equal counts by smaller ids. Returns its count. */
static int64_t best_pair(learner *l, int32_t *a, int32_t *b)
{
    memset(l->pairs, 0, sizeof(slot) << PAIR_BITS);
    size_t used = 0;
    int64_t best = 0;
    uint64_t best_key = 0;
    for (size_t w = 0; w < l->n_word; w++)
        for (uint32_t i = 0; i + 1 < l->word[w].n; i++) {
            uint64_t key = bpe_pair_key(l->word[w].id[i], l->word[w].id[i + 1]);
            slot *s = bpe_find(l->pairs, PAIR_BITS, key);
            if (!s->key && used >= (size_t)3 << (PAIR_BITS - 2)) continue;
            if (!s->key) used++;
            s->key = key;
            s->value = (int32_t)(s->value + l->word[w].count);
            if (s->value > best || (s->value == best && key < best_key)) {
                best = s->value;
                best_key = key;
            }
        }
    *a = (int32_t)((best_key - 1) >> 32);
    *b = (int32_t)(uint32_t)(best_key - 1);
    return best;
}

static void bpe_apply(learner *l, int32_t a, int32_t b, int32_t id)
{
    for (size_t w = 0; w < l->n_word; w++) {
        word_entry *e = &l->word[w];
        uint32_t n = 0;
        for (uint32_t i = 0; i < e->n; i++) {
            bool hit = i + 1 < e->n && e->id[i] == a && e->id[i + 1] == b;
            e->id[n++] = hit ? id : e->id[i];
            i += hit;
        }
        e->n = n;
    }
}

r1_status r1_bpe_train(r1_bpe **out, r1_bpe_text_fn fn, void *ctx, size_t n_merge, size_t bytes_max,
                       r1_err *err)
{
    learner l = {.word = calloc((size_t)1 << WORD_BITS, sizeof(word_entry)),
                 .seen = calloc((size_t)2 << WORD_BITS, sizeof(slot)),
                 .pairs = calloc((size_t)1 << PAIR_BITS, sizeof(slot))};
    int32_t *merges = calloc(n_merge + 1, 2 * sizeof *merges);
    r1_status st = l.word && l.seen && l.pairs && merges ? R1_OK : R1_E_NOMEM;
    size_t n = 0, bytes = 0, len;
    const char *text;
    for (size_t i = 0; st == R1_OK && bytes < bytes_max && fn(ctx, i, &text, &len); i++)
        for (size_t at = 0, w; at < len; at += w, bytes += w)
            count_word(&l, text + at, w = word_length(text + at, len - at));
    while (st == R1_OK && n < n_merge && best_pair(&l, &merges[2 * n], &merges[2 * n + 1]) > 2) {
        bpe_apply(&l, merges[2 * n], merges[2 * n + 1], 256 + (int32_t)n);
        n++;
    }
    if (st == R1_OK)
        st = r1_bpe_new(out, merges, n, err);
    else
        r1_err_set(err, st, __FILE__, __LINE__, "tokenizer: out of memory");
    free(l.word);
    free(l.seen);
    free(l.pairs);
    free(merges);
    return st;
}
