/* SPDX-License-Identifier: Apache-2.0 */
/* med_typos.c - see med_typos.h. */
#include "notes/med_typos.h"

#include "notes/med_rows.h"

#include "ontology/med_map.h"
#include "r1_assert.h"

#include <stdlib.h>
#include <string.h>

enum { TWO_EDITS_FROM = 11, SAME_START = 5 };

typedef struct {
    uint32_t text, number; /* text: in the map */
    uint8_t n;
} typo_word;

typedef struct {
    uint32_t tag, word; /* word: index + 1, 0 for a free slot */
} typo_slot;

struct med_typos {
    med_map *text, *ordinary;
    typo_word *word;
    typo_slot *slot;
    size_t n_word, max, mask;
};

/* A word of the list of ordinary ones. */
static r1_status typos_row(void *typos, uint32_t line, const char *s, size_t len, r1_err *err)
{
    med_typos *t = typos;
    if (med_map_intern(t->ordinary, s, len) == MED_NONE)
        R1_FAIL(err, R1_E_NOMEM, "line %u: more ordinary words than fit", line);
    return R1_OK;
}

r1_status med_typos_new(med_typos **out, const char *ordinary, size_t len, size_t max, r1_err *err)
{
    med_typos *t = calloc(1, sizeof *t);
    if (!t) R1_FAIL(err, R1_E_NOMEM, "no memory for mistyped words");
    size_t n_slot = 1024;
    while (n_slot < max * 24)
        n_slot *= 2; /* about ten forms of each word: half of them stay free */
    t->max = max;
    t->mask = n_slot - 1;
    t->word = r1_realloc_array(NULL, max ? max : 1, sizeof *t->word);
    t->slot = calloc(n_slot, sizeof *t->slot);
    r1_status st = t->word && t->slot ? med_map_new(&t->text, (size_t)16 << 20, err)
                                      : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__,
                                                   "no memory for mistyped words");
    if (st == R1_OK) st = med_map_new(&t->ordinary, (size_t)4 << 20, err);
    if (st == R1_OK)
        st = med_rows_read("notes/data/ordinary.txt", ordinary, len, typos_row, t, err);
    if (st != R1_OK) {
        med_typos_free(t);
        return st;
    }
    *out = t;
    return R1_OK;
}

void med_typos_free(med_typos *t)
{
    if (!t) return;
    med_map_free(t->text);
    med_map_free(t->ordinary);
    free(t->word);
    free(t->slot);
    free(t);
}

/* The hash of s without the letter at `without`; n: whole. */
static uint32_t typo_hash(const char *s, size_t n, size_t without)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++)
        if (i != without) h = (h ^ (unsigned char)s[i]) * 0x100000001b3u;
    h ^= h >> 29;
    h *= 0xbf58476d1ce4e5b9u;
    return (uint32_t)(h >> 32) | 1;
}

static bool typo_fits(size_t n) { return n >= MED_TYPO_SHORTEST && n <= MED_TYPO_LONGEST; }

r1_status med_typos_add(med_typos *t, const char *s, size_t n, uint32_t number, r1_err *err)
{
    if (!typo_fits(n)) return R1_OK;
    R1_ASSERT(t->n_word < t->max, "mistyped words: %zu of %zu", t->n_word, t->max);
    uint32_t at = med_map_intern(t->text, s, n);
    if (at == MED_NONE) R1_FAIL(err, R1_E_NOMEM, "no memory for mistyped words");
    t->word[t->n_word++] = (typo_word){at, number, (uint8_t)n};
    for (size_t k = 0; k <= n; k++) {
        if (k && k < n && s[k] == s[k - 1]) continue; /* the same form as the one before */
        uint32_t tag = typo_hash(s, n, k);
        size_t i = tag & t->mask;
        while (t->slot[i].word) i = (i + 1) & t->mask;
        t->slot[i] = (typo_slot){tag, (uint32_t)t->n_word};
    }
    return R1_OK;
}

/* Edits between two words, exchanges of neighbours counted once (optimal string alignment). */
static uint32_t typo_edits(const char *a, size_t n, const char *b, size_t m)
{
    uint8_t row[3][MED_TYPO_LONGEST + 2];
    for (size_t k = 0; k <= m; k++) row[0][k] = (uint8_t)k;
    for (size_t i = 1; i <= n; i++) {
        uint8_t *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = (uint8_t)i;
        for (size_t k = 1; k <= m; k++) {
            uint8_t d = (uint8_t)(last[k - 1] + (a[i - 1] != b[k - 1]));
            if (last[k] + 1 < d) d = (uint8_t)(last[k] + 1);
            if (now[k - 1] + 1 < d) d = (uint8_t)(now[k - 1] + 1);
            bool exchanged = i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1];
            if (exchanged && before[k - 2] + 1 < d) d = (uint8_t)(before[k - 2] + 1);
            now[k] = d;
        }
    }
    return row[n % 3][m];
}

/* Whether it is an ordinary word, or a usual ending makes one of it. */
static bool typo_is_ordinary(const med_typos *t, const char *s, size_t n)
{
    static const char *const endings[] = {"", "s", "d", "es", "ed", "ly", "er", "ing"};
    for (size_t i = 0; i < R1_COUNT(endings); i++) {
        size_t k = strlen(endings[i]);
        if (n > k + 4 && memcmp(s + n - k, endings[i], k) == 0 &&
            med_map_find(t->ordinary, s, n - k) != MED_NONE)
            return true;
    }
    return false;
}

typedef struct {
    uint32_t edits, number;
    bool torn; /* two words are equally near */
} typo_best;

static void typo_look(const med_typos *t, const char *s, size_t n, size_t without, typo_best *best)
{
    uint32_t tag = typo_hash(s, n, without);
    for (size_t i = tag & t->mask; t->slot[i].word; i = (i + 1) & t->mask) {
        if (t->slot[i].tag != tag) continue;
        const typo_word *w = &t->word[t->slot[i].word - 1];
        const char *of = med_map_text(t->text, w->text);
        if (of[0] != s[0]) continue;
        uint32_t edits = typo_edits(s, n, of, w->n);
        bool may = edits == 1 || (edits == 2 && n >= TWO_EDITS_FROM && w->n >= TWO_EDITS_FROM &&
                                  memcmp(s, of, SAME_START) == 0);
        if (!may || edits > best->edits) continue;
        if (edits == best->edits) {
            best->torn |= w->number != best->number;
            continue;
        }
        *best = (typo_best){edits, w->number, false};
    }
}

uint32_t med_typos_find(const med_typos *t, const char *s, size_t n)
{
    typo_best best = {UINT32_MAX, MED_NONE, false};
    if (!typo_fits(n)) return MED_NONE;
    for (size_t k = 0; k < n; k++)
        if ((unsigned char)s[k] < 'a' || (unsigned char)s[k] > 'z') return MED_NONE;
    for (size_t k = 0; k <= n; k++)
        if (!(k && k < n && s[k] == s[k - 1])) typo_look(t, s, n, k, &best);
    if (best.number == MED_NONE || best.torn || typo_is_ordinary(t, s, n)) return MED_NONE;
    return best.number;
}
