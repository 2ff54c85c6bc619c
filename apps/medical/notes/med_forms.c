/* SPDX-License-Identifier: Apache-2.0 */
/* med_forms.c - see med_forms.h. */
#include "notes/med_forms.h"

#include "notes/med_rows.h"

#include "ontology/med_map.h"
#include "r1_assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WORD_RULES_MAX = 64,
    WORD_ROWS_MAX = 4000,
    WORD_NAMES_MAX = 4000,
    WORD_WIDER_MAX = 200,
    WORD_TROUBLES_MAX = 20,
    WORD_LASTING_MAX = 128,
    SPELL_FROM = 5
};

typedef struct {
    uint32_t from, to; /* strings */
    uint8_t n_from, n_to;
    bool ends;
} spelling_rule;

typedef struct {
    uint32_t flags, as; /* as: string, MED_NONE for itself */
} word_row;

struct med_forms {
    med_map *text;  /* all strings */
    med_map *words; /* a word's value is its row */
    med_map *vague;
    med_map *unless; /* "word beside" */
    spelling_rule rule[WORD_RULES_MAX];
    word_row row[WORD_ROWS_MAX];
    struct {
        uint32_t id, text;
        bool normal;
        bool wide;
    } name[WORD_NAMES_MAX];
    uint32_t trouble[WORD_TROUBLES_MAX], n_trouble;
    uint32_t lasting[WORD_LASTING_MAX], n_lasting;
    struct {
        uint32_t word, as;
    } wider[WORD_WIDER_MAX];
    uint32_t n_rule, n_row, n_name, n_wider;
};

typedef struct {
    med_forms *w;
    const char *name;
    uint32_t line;
} words_reader;

typedef struct {
    const char *s;
    size_t len;
} words_field;

static r1_status words_wrong(const words_reader *r, const char *expected, words_field found,
                             r1_err *err)
{
    R1_FAIL(err, R1_E_FORMAT, "%s:%u: expected %s, found \"%.*s\"", r->name, r->line, expected,
            (int)(found.len < 60 ? found.len : 60), found.s);
}

static bool words_say(words_field f, const char *word)
{
    return strlen(word) == f.len && memcmp(f.s, word, f.len) == 0;
}

/* ---- spelling -------------------------------------------------------------------------------- */

/* Puts a rule's TO over s[at]; returns the new length, n where it would not fit. */
static size_t spell_at(const med_forms *w, const spelling_rule *r, char *s, size_t n, size_t at)
{
    if (n - r->n_from + r->n_to >= MED_FORM_BYTES) return n;
    memmove(s + at + r->n_to, s + at + r->n_from, n - at - r->n_from + 1);
    memcpy(s + at, med_map_text(w->text, r->to), r->n_to);
    return n - r->n_from + r->n_to;
}

static size_t spell_within(const med_forms *w, const spelling_rule *r, char *s, size_t n)
{
    const char *from = med_map_text(w->text, r->from);
    for (size_t at = 0; at + r->n_from <= n; at++) {
        if (s[at] != from[0] || memcmp(s + at, from, r->n_from) != 0) continue;
        n = spell_at(w, r, s, n, at);
        at += r->n_to ? r->n_to - 1u : 0;
    }
    return n;
}

size_t med_forms_spell(const med_forms *w, char *s, size_t n)
{
    if (n < SPELL_FROM) return n;
    for (uint32_t i = 0; i < w->n_rule; i++) {
        const spelling_rule *r = &w->rule[i];
        if (!r->ends) {
            n = spell_within(w, r, s, n);
        } else if (n > r->n_from && s[n - 1] == med_map_text(w->text, r->from)[r->n_from - 1] &&
                   memcmp(s + n - r->n_from, med_map_text(w->text, r->from), r->n_from) == 0) {
            n = spell_at(w, r, s, n, n - r->n_from);
        }
    }
    return n;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static r1_status words_string(words_reader *r, words_field f, uint32_t *out, r1_err *err)
{
    *out = f.len ? med_map_intern(r->w->text, f.s, f.len) : MED_NONE;
    return *out == MED_NONE ? words_wrong(r, "a word", f, err) : R1_OK;
}

static r1_status words_rule(words_reader *r, words_field from, words_field to, bool ends,
                            r1_err *err)
{
    med_forms *w = r->w;
    if (w->n_row) return words_wrong(r, "spelling before words", from, err);
    if (from.len < 2 || from.len > 12 || !to.len || to.len > 12 || w->n_rule == WORD_RULES_MAX)
        return words_wrong(r, "letters and letters, a tab between", from, err);
    spelling_rule rule = {.n_from = (uint8_t)from.len, .n_to = (uint8_t)to.len, .ends = ends};
    R1_TRY(words_string(r, from, &rule.from, err));
    R1_TRY(words_string(r, to, &rule.to, err));
    w->rule[w->n_rule++] = rule;
    return R1_OK;
}

/* Adds what a word is; as: the word it stands for, its len 0 for itself. */
static r1_status words_add(words_reader *r, words_field f, uint32_t flags, words_field as,
                           r1_err *err)
{
    med_forms *w = r->w;
    char form[MED_FORM_BYTES], to[MED_FORM_BYTES];
    if (!f.len || f.len >= 40 || as.len >= 40 || memchr(f.s, ' ', f.len))
        return words_wrong(r, "a word", f, err);
    memcpy(form, f.s, f.len);
    form[f.len] = '\0';
    size_t n = med_forms_spell(w, form, f.len);
    uint32_t at = med_map_intern(w->words, form, n);
    if (at == MED_NONE || w->n_row == WORD_ROWS_MAX) return words_wrong(r, "fewer words", f, err);
    if (med_map_get(w->words, at) == MED_NONE) {
        med_map_set(w->words, at, w->n_row);
        w->row[w->n_row++] = (word_row){0, MED_NONE};
    }
    word_row *row = &w->row[med_map_get(w->words, at)];
    row->flags |= flags;
    if (!as.len) return R1_OK;
    if (row->as != MED_NONE)
        return words_wrong(r, "a word that no line yet gives another form", f, err);
    memcpy(to, as.s, as.len);
    to[as.len] = '\0';
    size_t n_to = med_forms_spell(w, to, as.len);
    return words_string(r, (words_field){to, n_to}, &row->as, err);
}

static r1_status words_name(words_reader *r, words_field id, words_field text, bool normal,
                            r1_err *err)
{
    med_forms *w = r->w;
    if (w->n_name == WORD_NAMES_MAX) return words_wrong(r, "fewer names", text, err);
    w->name[w->n_name].id = MED_NONE;
    w->name[w->n_name].normal = normal;
    w->name[w->n_name].wide = false;
    if (id.len) R1_TRY(words_string(r, id, &w->name[w->n_name].id, err));
    R1_TRY(words_string(r, text, &w->name[w->n_name].text, err));
    w->n_name++;
    return R1_OK;
}

static r1_status words_wider(words_reader *r, words_field as, words_field word, r1_err *err)
{
    med_forms *w = r->w;
    if (w->n_wider == WORD_WIDER_MAX) return words_wrong(r, "fewer words", word, err);
    const char *blank = memchr(as.s, ' ', as.len);
    if (blank && memchr(blank + 1, ' ', as.len - (size_t)(blank - as.s) - 1))
        return words_wrong(r, "one word or two", as, err);
    R1_TRY(words_string(r, word, &w->wider[w->n_wider].word, err));
    R1_TRY(words_string(r, as, &w->wider[w->n_wider].as, err));
    w->n_wider++;
    return R1_OK;
}

static r1_status words_trouble(words_reader *r, words_field f, r1_err *err)
{
    med_forms *w = r->w;
    if (w->n_trouble == WORD_TROUBLES_MAX) return words_wrong(r, "fewer words", f, err);
    return words_string(r, f, &w->trouble[w->n_trouble++], err);
}

static r1_status words_lasting(words_reader *r, words_field id, r1_err *err)
{
    med_forms *w = r->w;
    if (w->n_lasting == WORD_LASTING_MAX) return words_wrong(r, "fewer findings", id, err);
    return words_string(r, id, &w->lasting[w->n_lasting++], err);
}

/* An organ with each word of trouble: "renal anomaly", "renal involvement". */
static r1_status words_organ(words_reader *r, words_field id, words_field organ, r1_err *err)
{
    char name[120];
    if (!r->w->n_trouble) return words_wrong(r, "words of trouble before organs", organ, err);
    for (uint32_t i = 0; i < r->w->n_trouble; i++) {
        int n = snprintf(name, sizeof name, "%.*s %s", (int)organ.len, organ.s,
                         med_map_text(r->w->text, r->w->trouble[i]));
        if (n < 0 || n >= (int)sizeof name) return words_wrong(r, "a shorter name", organ, err);
        R1_TRY(words_name(r, id, (words_field){name, (size_t)n}, false, err));
        r->w->name[r->w->n_name - 1].wide = true;
    }
    return R1_OK;
}

static r1_status words_unless(words_reader *r, words_field word, words_field beside, r1_err *err)
{
    char key[MED_FORM_BYTES];
    int n =
        snprintf(key, sizeof key, "%.*s %.*s", (int)word.len, word.s, (int)beside.len, beside.s);
    bool fits = word.len && beside.len && n > 0 && n < (int)sizeof key;
    if (!fits || med_map_intern(r->w->unless, key, (size_t)n) == MED_NONE)
        return words_wrong(r, "a word and those beside it", beside, err);
    return R1_OK;
}

typedef enum {
    WORDS_RULE,
    WORDS_FLAG,
    WORDS_SAME,
    WORDS_VAGUE,
    WORDS_NONE,
    WORDS_NAME,
    WORDS_NORMAL,
    WORDS_ALSO,
    WORDS_TROUBLE,
    WORDS_ORGAN,
    WORDS_UNLESS,
    WORDS_LASTING
} words_what;

static const struct {
    const char *name;
    uint8_t what;
    uint16_t value; /* MED_IS_*, or ends */
} words_kinds[] = {{"within", WORDS_RULE, 0},
                   {"ends", WORDS_RULE, 1},
                   {"stop", WORDS_FLAG, MED_IS_STOP},
                   {"light", WORDS_FLAG, MED_IS_LIGHT},
                   {"bar", WORDS_FLAG, MED_IS_BAR},
                   {"place", WORDS_FLAG, MED_IS_PLACE},
                   {"prefix", WORDS_FLAG, MED_IS_PREFIX},
                   {"exact", WORDS_FLAG, MED_IS_EXACT},
                   {"apart", WORDS_FLAG, MED_IS_APART},
                   {"broad", WORDS_FLAG, MED_IS_BROAD},
                   {"office", WORDS_FLAG, MED_IS_OFFICE},
                   {"given", WORDS_FLAG, MED_IS_GIVEN},
                   {"same", WORDS_SAME, 0},
                   {"vague", WORDS_VAGUE, 0},
                   {"none", WORDS_NONE, 0},
                   {"name", WORDS_NAME, 0},
                   {"normal", WORDS_NORMAL, 0},
                   {"also", WORDS_ALSO, 0},
                   {"trouble", WORDS_TROUBLE, 0},
                   {"organ", WORDS_ORGAN, 0},
                   {"unless", WORDS_UNLESS, 0},
                   {"lasting", WORDS_LASTING, 0}};

static r1_status words_one(words_reader *r, uint32_t kind, words_field first, words_field f,
                           r1_err *err)
{
    static const words_field none = {"", 0};
    switch (words_kinds[kind].what) {
    case WORDS_FLAG: return words_add(r, f, words_kinds[kind].value, none, err);
    case WORDS_SAME: return words_add(r, f, 0, first, err);
    case WORDS_NONE: return words_name(r, none, f, false, err);
    case WORDS_NAME: return words_name(r, first, f, false, err);
    case WORDS_NORMAL: return words_name(r, first, f, true, err);
    case WORDS_ALSO: return words_wider(r, first, f, err);
    case WORDS_TROUBLE: return words_trouble(r, f, err);
    case WORDS_ORGAN: return words_organ(r, first, f, err);
    case WORDS_UNLESS: return words_unless(r, first, f, err);
    case WORDS_LASTING: return words_lasting(r, f, err);
    default:
        if (!f.len || med_map_intern(r->w->vague, f.s, f.len) == MED_NONE)
            return words_wrong(r, "a name", f, err);
        return R1_OK;
    }
}

static r1_status words_line(words_reader *r, words_field line, r1_err *err)
{
    const char *end = line.s + line.len, *one = memchr(line.s, '\t', line.len);
    words_field kind = {line.s, one ? (size_t)(one - line.s) : line.len};
    uint32_t k = 0;
    while (k < R1_COUNT(words_kinds) && !words_say(kind, words_kinds[k].name)) k++;
    if (!one || k == R1_COUNT(words_kinds))
        return words_wrong(r, "a kind and words, a tab between", line, err);
    const char *two = memchr(one + 1, '\t', (size_t)(end - one - 1));
    uint8_t what = words_kinds[k].what;
    bool pair = what != WORDS_FLAG && what != WORDS_VAGUE && what != WORDS_NONE &&
                what != WORDS_TROUBLE && what != WORDS_LASTING;
    if (pair != (two != NULL))
        return words_wrong(r, pair ? "a second tab" : "no second tab", line, err);
    words_field first = {one + 1, two ? (size_t)(two - one - 1) : 0};
    if (two && !first.len) return words_wrong(r, "a word before the second tab", line, err);
    const char *s = two ? two + 1 : one + 1;
    if (what == WORDS_RULE)
        return words_rule(r, first, (words_field){s, (size_t)(end - s)}, words_kinds[k].value, err);
    while (s <= end) {
        const char *bar = memchr(s, '|', (size_t)(end - s)), *stop = bar ? bar : end;
        R1_TRY(words_one(r, k, first, (words_field){s, (size_t)(stop - s)}, err));
        s = stop + 1;
    }
    return R1_OK;
}

static r1_status words_row(void *reader, uint32_t line, const char *s, size_t len, r1_err *err)
{
    words_reader *r = reader;
    r->line = line;
    return words_line(r, (words_field){s, len}, err);
}

r1_status med_forms_new(med_forms **out, const char *name, const char *text, size_t len,
                        r1_err *err)
{
    med_forms *w = calloc(1, sizeof *w);
    if (!w) R1_FAIL(err, R1_E_NOMEM, "no memory for the words");
    words_reader r = {w, name, 0};
    r1_status st = med_map_new(&w->text, (size_t)1 << 20, err);
    if (st == R1_OK) st = med_map_new(&w->words, (size_t)1 << 20, err);
    if (st == R1_OK) st = med_map_new(&w->vague, (size_t)1 << 20, err);
    if (st == R1_OK) st = med_map_new(&w->unless, (size_t)1 << 20, err);
    if (st == R1_OK) st = med_rows_read(name, text, len, words_row, &r, err);
    if (st != R1_OK) {
        med_forms_free(w);
        return st;
    }
    *out = w;
    return R1_OK;
}

void med_forms_free(med_forms *w)
{
    if (!w) return;
    med_map_free(w->text);
    med_map_free(w->words);
    med_map_free(w->vague);
    med_map_free(w->unless);
    free(w);
}

uint32_t med_forms_kind(const med_forms *w, const char *s, size_t n, const char **as)
{
    uint32_t at = med_map_find(w->words, s, n);
    *as = NULL;
    if (at == MED_NONE) return 0;
    const word_row *row = &w->row[med_map_get(w->words, at)];
    if (row->as != MED_NONE) *as = med_map_text(w->text, row->as);
    return row->flags;
}

bool med_forms_unless(const med_forms *w, const char *s, size_t n, const char *beside, size_t m)
{
    char key[MED_FORM_BYTES];
    if (!n || !m || n + m + 1 >= sizeof key) return false;
    memcpy(key, s, n);
    key[n] = ' ';
    memcpy(key + n + 1, beside, m);
    return med_map_find(w->unless, key, n + m + 1) != MED_NONE;
}

bool med_forms_vague(const med_forms *w, const char *s, size_t n)
{
    return med_map_find(w->vague, s, n) != MED_NONE;
}

uint32_t med_forms_names(const med_forms *w) { return w->n_name; }

med_extra_name med_forms_name(const med_forms *w, uint32_t i)
{
    R1_ASSERT(i < w->n_name, "name %u of %u", i, w->n_name);
    uint32_t id = w->name[i].id;
    return (med_extra_name){id == MED_NONE ? NULL : med_map_text(w->text, id),
                            med_map_text(w->text, w->name[i].text), w->name[i].normal,
                            w->name[i].wide};
}

uint32_t med_forms_widers(const med_forms *w) { return w->n_wider; }

med_wider med_forms_wider(const med_forms *w, uint32_t i)
{
    R1_ASSERT(i < w->n_wider, "word %u of %u", i, w->n_wider);
    return (med_wider){med_map_text(w->text, w->wider[i].word),
                       med_map_text(w->text, w->wider[i].as)};
}

uint32_t med_forms_lastings(const med_forms *w) { return w->n_lasting; }

const char *med_forms_lasting(const med_forms *w, uint32_t i)
{
    R1_ASSERT(i < w->n_lasting, "finding %u of %u", i, w->n_lasting);
    return med_map_text(w->text, w->lasting[i]);
}
