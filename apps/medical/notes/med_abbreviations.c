/* SPDX-License-Identifier: Apache-2.0 */
/* med_abbreviations.c - see med_abbreviations.h. A reading's words are keys "number word". */
#include "notes/med_abbreviations.h"

#include "notes/med_rows.h"

#include "ontology/med_map.h"
#include "r1_assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    READINGS_MAX = 500,
    CONTEXT_BYTES = 1500, /* how far before and behind an abbreviation words are looked at */
    CONTEXT_WORD = 40,
    NEAR_WORDS = 8,
    CLOSE_WORDS = 25,
    NEAR_WEIGHT = 8,
    CLOSE_WEIGHT = 3,
    MARK_WEIGHT = 6
};

typedef struct {
    uint32_t letters, id, full; /* strings; id MED_NONE: no finding */
    bool preset;                /* it holds where no word speaks */
} reading_row;

struct med_abbreviations {
    med_map *names; /* an abbreviation's value is its first reading */
    med_map *words;
    med_map *text;
    reading_row row[READINGS_MAX];
    uint32_t n_row, n_name;
};

typedef struct {
    med_abbreviations *a;
    const char *name;
    uint32_t line;
} abbreviations_reader;

typedef struct {
    const char *s;
    size_t len;
} abbreviations_field;

static r1_status abbreviations_wrong(const abbreviations_reader *r, const char *expected,
                                     abbreviations_field found, r1_err *err)
{
    R1_FAIL(err, R1_E_FORMAT, "%s:%u: expected %s, found \"%.*s\"", r->name, r->line, expected,
            (int)(found.len < 60 ? found.len : 60), found.s);
}

static bool abbreviations_say(abbreviations_field f, const char *word)
{
    return strlen(word) == f.len && memcmp(f.s, word, f.len) == 0;
}

/* ---- the file -------------------------------------------------------------------------------- */

static uint32_t reading_key(uint32_t reading, const char *s, size_t len, char out[64])
{
    return (uint32_t)snprintf(out, 64, "%u %.*s", reading, (int)len, s);
}

static bool reading_goes_on(const med_abbreviations *a, const abbreviations_field f[5])
{
    if (!a->n_row) return false;
    const reading_row *r = &a->row[a->n_row - 1];
    bool same_id = r->id == MED_NONE ? abbreviations_say(f[1], "-")
                                     : abbreviations_say(f[1], med_map_text(a->text, r->id));
    return same_id && abbreviations_say(f[0], med_map_text(a->text, r->letters)) &&
           abbreviations_say(f[2], med_map_text(a->text, r->full)) &&
           r->preset == abbreviations_say(f[3], "default");
}

static r1_status reading_add(abbreviations_reader *r, const abbreviations_field f[5], r1_err *err)
{
    med_abbreviations *a = r->a;
    bool preset = abbreviations_say(f[3], "default"), none = abbreviations_say(f[1], "-");
    if (a->n_row == READINGS_MAX) return abbreviations_wrong(r, "fewer readings", f[0], err);
    uint32_t at = med_map_intern(a->names, f[0].s, f[0].len),
             letters = med_map_intern(a->text, f[0].s, f[0].len),
             id = none ? MED_NONE : med_map_intern(a->text, f[1].s, f[1].len),
             full = med_map_intern(a->text, f[2].s, f[2].len);
    if (at == MED_NONE || letters == MED_NONE || full == MED_NONE || (id == MED_NONE && !none))
        return abbreviations_wrong(r, "fewer words", f[0], err);
    uint32_t first = med_map_get(a->names, at);
    if (first == MED_NONE) {
        med_map_set(a->names, at, a->n_row);
        a->n_name++;
    } else if (a->row[a->n_row - 1].letters != letters) {
        return abbreviations_wrong(r, "the readings of an abbreviation together", f[0], err);
    }
    for (uint32_t i = first; first != MED_NONE && i < a->n_row; i++) {
        if (a->row[i].id == id && a->row[i].full == full)
            return abbreviations_wrong(r, "the lines of a reading together", f[2], err);
        if (preset && a->row[i].preset)
            return abbreviations_wrong(r, "one default reading", f[2], err);
    }
    a->row[a->n_row++] = (reading_row){letters, id, full, preset};
    return R1_OK;
}

static r1_status abbreviations_line(abbreviations_reader *r, abbreviations_field line, r1_err *err)
{
    med_abbreviations *a = r->a;
    abbreviations_field f[5];
    const char *s = line.s, *end = line.s + line.len;
    for (uint32_t i = 0; i < 5; i++) {
        const char *tab = memchr(s, '\t', (size_t)(end - s));
        if ((tab != NULL) != (i < 4))
            return abbreviations_wrong(r, "five columns, tabs between", line, err);
        f[i] = (abbreviations_field){s, (size_t)((tab ? tab : end) - s)};
        if (!f[i].len) return abbreviations_wrong(r, "no empty column", line, err);
        s = tab ? tab + 1 : end;
    }
    if (med_abbreviation_letters(f[0].s, f[0].len) != f[0].len)
        return abbreviations_wrong(r, "an abbreviation in capitals", f[0], err);
    if (!abbreviations_say(f[3], "default") && !abbreviations_say(f[3], "context"))
        return abbreviations_wrong(r, "default or context", f[3], err);
    if (!reading_goes_on(a, f)) R1_TRY(reading_add(r, f, err));
    if (abbreviations_say(f[4], "-")) return R1_OK;
    for (const char *w = f[4].s; w <= end;) {
        const char *bar = memchr(w, '|', (size_t)(end - w)), *stop = bar ? bar : end;
        abbreviations_field word = {w, (size_t)(stop - w)};
        char key[64];
        bool fits = word.len && word.len <= CONTEXT_WORD && !memchr(w, ' ', word.len);
        uint32_t n = fits ? reading_key(a->n_row - 1, w, word.len, key) : 0;
        if (!fits || med_map_intern(a->words, key, n) == MED_NONE)
            return abbreviations_wrong(r, "a word", word, err);
        w = stop + 1;
    }
    return R1_OK;
}

static r1_status abbreviations_row(void *reader, uint32_t line, const char *s, size_t len,
                                   r1_err *err)
{
    abbreviations_reader *r = reader;
    r->line = line;
    return abbreviations_line(r, (abbreviations_field){s, len}, err);
}

r1_status med_abbreviations_new(med_abbreviations **out, const char *name, const char *text,
                                size_t len, r1_err *err)
{
    med_abbreviations *a = calloc(1, sizeof *a);
    if (!a) R1_FAIL(err, R1_E_NOMEM, "no memory for the abbreviations");
    abbreviations_reader r = {a, name, 0};
    r1_status st = med_map_new(&a->names, (size_t)1 << 20, err);
    if (st == R1_OK) st = med_map_new(&a->words, (size_t)1 << 20, err);
    if (st == R1_OK) st = med_map_new(&a->text, (size_t)1 << 20, err);
    if (st == R1_OK) st = med_rows_read(name, text, len, abbreviations_row, &r, err);
    if (st != R1_OK) {
        med_abbreviations_free(a);
        return st;
    }
    *out = a;
    return R1_OK;
}

void med_abbreviations_free(med_abbreviations *a)
{
    if (!a) return;
    med_map_free(a->names);
    med_map_free(a->words);
    med_map_free(a->text);
    free(a);
}

uint32_t med_abbreviations_count(const med_abbreviations *a) { return a->n_name; }

/* ---- readings -------------------------------------------------------------------------------- */

uint32_t med_abbreviations_find(const med_abbreviations *a, const char *s, size_t len, uint32_t *n)
{
    size_t k = med_abbreviation_letters(s, len);
    uint32_t at = k ? med_map_find(a->names, s, k) : MED_NONE;
    if (at == MED_NONE) return MED_NONE;
    uint32_t first = med_map_get(a->names, at), i = first;
    while (i < a->n_row && a->row[i].letters == a->row[first].letters) i++;
    *n = i - first;
    return first;
}

med_reading med_abbreviations_reading(const med_abbreviations *a, uint32_t i)
{
    R1_ASSERT(i < a->n_row, "reading %u of %u", i, a->n_row);
    const reading_row *r = &a->row[i];
    return (med_reading){r->id == MED_NONE ? NULL : med_map_text(a->text, r->id),
                         med_map_text(a->text, r->full)};
}

static bool abbreviation_letter(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

/* Adds the weight of the words on one side of an abbreviation to the readings that they speak
 * for. step: 1 forward, -1 backward. */
static void readings_weigh(const med_abbreviations *a, uint32_t first, uint32_t n, const char *text,
                           size_t len, uint32_t from, int step, uint32_t *weight)
{
    int64_t i = step > 0 ? from : (int64_t)from - 1, end = step > 0 ? (int64_t)len : -1;
    int64_t last = (int64_t)from + step * (int64_t)CONTEXT_BYTES;
    if (step > 0 ? last < end : last > end) end = last;
    for (uint32_t count = 0; i != end;) {
        if (!abbreviation_letter(text[i])) {
            i += step;
            continue;
        }
        int64_t k = i;
        while (k != end && abbreviation_letter(text[k])) k += step;
        int64_t low = step > 0 ? i : k + 1;
        size_t n_word = (size_t)(step > 0 ? k - i : i - k);
        i = k;
        count++;
        if (n_word > CONTEXT_WORD) continue;
        char word[CONTEXT_WORD + 1], key[64];
        for (size_t c = 0; c < n_word; c++) {
            char x = text[low + (int64_t)c];
            word[c] = x >= 'A' && x <= 'Z' ? (char)(x | 32) : x;
        }
        uint32_t add = count <= NEAR_WORDS ? NEAR_WEIGHT : count <= CLOSE_WORDS ? CLOSE_WEIGHT : 1;
        for (uint32_t r = 0; r < n; r++) {
            uint32_t n_key = reading_key(first + r, word, n_word, key);
            if (med_map_find(a->words, key, n_key) != MED_NONE) weight[r] += add;
        }
    }
}

uint32_t med_abbreviations_choose(const med_abbreviations *a, uint32_t first, uint32_t n,
                                  const char *text, size_t len, uint32_t start, uint32_t end)
{
    uint32_t weight[READINGS_MAX], best = 0;
    if (n == 1) return first;
    memset(weight, 0, n * sizeof *weight);
    R1_ASSERT(start < end && end <= len, "abbreviation: bytes %u to %u of %zu", start, end, len);
    readings_weigh(a, first, n, text, len, end, 1, weight);
    readings_weigh(a, first, n, text, len, start, -1, weight);
    /* "PE: chest clear", "ID 33412": a label and a number are no findings */
    uint32_t k = end;
    while (k < len && (text[k] == ' ' || text[k] == '#')) k++;
    bool label = k < len && (text[k] == ':' || (text[k] >= '0' && text[k] <= '9'));
    for (uint32_t r = 0; r < n; r++) {
        if (label && a->row[first + r].id == MED_NONE) weight[r] += MARK_WEIGHT;
        bool more = weight[r] > weight[best];
        bool preset = weight[r] == weight[best] && a->row[first + r].preset;
        if (more || preset) best = r;
    }
    return first + best;
}

/* ---- what a record introduces ---------------------------------------------------------------- */

size_t med_abbreviation_letters(const char *s, size_t len)
{
    if (len > 2 && s[len - 1] == 's') len--;
    size_t capitals = 0;
    if (len < 2 || len >= MED_ABBREVIATION_BYTES) return 0;
    for (size_t i = 0; i < len; i++) {
        bool capital = s[i] >= 'A' && s[i] <= 'Z';
        if (!capital && !(s[i] >= '0' && s[i] <= '9')) return 0;
        capitals += capital;
    }
    return capitals >= 2 ? len : 0;
}

static char abbreviation_small(char c) { return c >= 'A' && c <= 'Z' ? (char)(c | 32) : c; }

uint32_t med_abbreviation_full(const char *letters, size_t n, const char *text, uint32_t from,
                               uint32_t to)
{
    int64_t at = (int64_t)to - 1, low = from;
    for (size_t k = n; k > 0; k--, at--) {
        char c = abbreviation_small(letters[k - 1]);
        while (at >= low && (abbreviation_small(text[at]) != c ||
                             (k == 1 && at > low && abbreviation_letter(text[at - 1]))))
            at--;
        if (at < low) return MED_NONE;
    }
    return (uint32_t)(at + 1);
}
