/* SPDX-License-Identifier: Apache-2.0 */
/* med_cues.c - see med_cues.h. Cues lie in lists by their first word, in the order of the file. */
#include "notes/med_cues.h"

#include "notes/med_rows.h"

#include "ontology/med_map.h"
#include "r1_assert.h"

#include <stdlib.h>
#include <string.h>

enum {
    CUE_WORD_BYTES = 64,
    CUE_WORDS_MAX = 8000,
    CUE_ROWS_MAX = 4000,
    CUE_ELEMENTS_MAX = 32000,
    CUE_CHOICES_MAX = 120000,
    CUE_FIRSTS_MAX = 90000,
    CUE_CLASSES_MAX = 120,
    CUE_LENGTH_MAX = 14,
    CUE_GAP = 3 /* words that "..." may stand for */
};

/* One element: any of its words. A gap has none. */
typedef struct {
    uint32_t choice, n_choice;
    bool optional, gap;
} cue_element;

typedef struct {
    uint32_t cue, next;
} cue_first;

typedef struct {
    uint32_t name; /* offset in the map */
    uint32_t choice, n_choice;
} cue_class;

struct med_cues {
    med_map *words;
    uint32_t n_word, n_cue, n_element, n_choice, n_first, n_class;
    med_cue cue[CUE_ROWS_MAX];
    cue_element element[CUE_ELEMENTS_MAX];
    uint16_t choice[CUE_CHOICES_MAX];
    cue_first first[CUE_FIRSTS_MAX];
    uint32_t head[CUE_WORDS_MAX], tail[CUE_WORDS_MAX]; /* of the list of a first word */
    cue_class cls[CUE_CLASSES_MAX];
};

/* Where the reader stands, for errors. */
typedef struct {
    med_cues *c;
    const char *name;
    uint32_t line;
} cue_reader;

typedef struct {
    const char *s;
    size_t len;
} cue_field;

static r1_status cue_wrong(const cue_reader *r, const char *expected, cue_field found, r1_err *err)
{
    R1_FAIL(err, R1_E_FORMAT, "%s:%u: expected %s, found \"%.*s\"", r->name, r->line, expected,
            (int)(found.len < 60 ? found.len : 60), found.s);
}

static bool cue_says(cue_field f, const char *word)
{
    return strlen(word) == f.len && memcmp(f.s, word, f.len) == 0;
}

/* ---- words ----------------------------------------------------------------------------------- */

/* The marks that have no character of their own in a file. */
static cue_field cue_mark_named(cue_field f)
{
    static const struct {
        const char *name, *mark;
    } named[] = {{"CELL", "|"}, {"QUERY", "\1"}, {"ON", "\2"}, {"OFF", "\3"}};
    for (size_t i = 0; i < R1_COUNT(named); i++)
        if (cue_says(f, named[i].name)) return (cue_field){named[i].mark, 1};
    return f;
}

static r1_status cue_choice_add(cue_reader *r, cue_field f, r1_err *err)
{
    med_cues *c = r->c;
    f = cue_mark_named(f);
    if (!f.len || f.len >= CUE_WORD_BYTES) return cue_wrong(r, "a word", f, err);
    uint32_t at = med_map_intern(c->words, f.s, f.len);
    if (at == MED_NONE || c->n_word + 1 == CUE_WORDS_MAX || c->n_choice == CUE_CHOICES_MAX)
        return cue_wrong(r, "fewer words in all", f, err);
    if (med_map_get(c->words, at) == MED_NONE) med_map_set(c->words, at, ++c->n_word);
    c->choice[c->n_choice++] = (uint16_t)med_map_get(c->words, at);
    return R1_OK;
}

static const cue_class *cue_class_find(const med_cues *c, const char *s, size_t len)
{
    for (uint32_t i = 0; i < c->n_class; i++) {
        const char *name = med_map_text(c->words, c->cls[i].name);
        if (strlen(name) == len && memcmp(name, s, len) == 0) return &c->cls[i];
    }
    return NULL;
}

/* "a|b|@class" */
static r1_status cue_choices_add(cue_reader *r, cue_field f, r1_err *err)
{
    for (const char *s = f.s, *end = f.s + f.len; s <= end;) {
        const char *bar = memchr(s, '|', (size_t)(end - s)), *stop = bar ? bar : end;
        cue_field w = {s, (size_t)(stop - s)};
        const cue_class *k = w.len && *s == '@' ? cue_class_find(r->c, s + 1, w.len - 1) : NULL;
        if (w.len && *s == '@' && !k) return cue_wrong(r, "a class that stands above", w, err);
        if (!k) R1_TRY(cue_choice_add(r, w, err));
        for (uint32_t i = 0; k && i < k->n_choice; i++) {
            if (r->c->n_choice == CUE_CHOICES_MAX) return cue_wrong(r, "fewer words", w, err);
            r->c->choice[r->c->n_choice++] = r->c->choice[k->choice + i];
        }
        s = stop + 1;
    }
    return R1_OK;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static r1_status cue_class_line(cue_reader *r, cue_field name, cue_field words, r1_err *err)
{
    med_cues *c = r->c;
    const cue_class *old = cue_class_find(c, name.s + 1, name.len - 1);
    bool last = old && old == &c->cls[c->n_class - 1] && old->choice + old->n_choice == c->n_choice;
    if (name.len < 2) return cue_wrong(r, "@ and the name of a class", name, err);
    if (old && !last) return cue_wrong(r, "lines of one class together", name, err);
    if (!old) {
        if (c->n_class == CUE_CLASSES_MAX) return cue_wrong(r, "fewer classes", name, err);
        uint32_t at = med_map_intern(c->words, name.s + 1, name.len - 1);
        if (at == MED_NONE) return cue_wrong(r, "fewer words", name, err);
        c->cls[c->n_class++] = (cue_class){at, c->n_choice, 0};
    }
    R1_TRY(cue_choices_add(r, words, err));
    c->cls[c->n_class - 1].n_choice = c->n_choice - c->cls[c->n_class - 1].choice;
    return R1_OK;
}

static r1_status cue_element_add(cue_reader *r, med_cue *cue, cue_field f, r1_err *err)
{
    med_cues *c = r->c;
    cue_element e = {.choice = c->n_choice};
    if (cue_says(f, "^") || cue_says(f, "$")) {
        if (*f.s == '^' ? cue->n_element > 0 || cue->starts : cue->n_element == 0)
            return cue_wrong(r, "^ before and $ behind the words", f, err);
        *(*f.s == '^' ? &cue->starts : &cue->stops) = true;
        return R1_OK;
    }
    if (cue->stops) return cue_wrong(r, "nothing behind $", f, err);
    if (f.len > 1 && (*f.s == '[') != (f.s[f.len - 1] == ']'))
        return cue_wrong(r, "[ and ] around one word or its choices", f, err);
    if (cue->n_element == CUE_LENGTH_MAX || c->n_element == CUE_ELEMENTS_MAX)
        return cue_wrong(r, "fewer words in a cue", f, err);
    e.gap = cue_says(f, "...");
    e.optional = f.len > 2 && *f.s == '[' && f.s[f.len - 1] == ']';
    if (e.optional) f = (cue_field){f.s + 1, f.len - 2};
    if (cue->n_element == 0 && (e.gap || e.optional))
        return cue_wrong(r, "a cue that begins with a word", f, err);
    if (!e.gap) R1_TRY(cue_choices_add(r, f, err));
    e.n_choice = c->n_choice - e.choice;
    c->element[c->n_element++] = e;
    cue->n_element++;
    return R1_OK;
}

static r1_status cue_words_add(cue_reader *r, med_cue *cue, cue_field words, r1_err *err)
{
    for (size_t i = 0; i < words.len;) {
        size_t j = i;
        while (j < words.len && words.s[j] != ' ' && words.s[j] != '\'') j++;
        if (j > i) R1_TRY(cue_element_add(r, cue, (cue_field){words.s + i, j - i}, err));
        i = j + 1;
    }
    return cue->n_element ? R1_OK : cue_wrong(r, "the words of a cue", words, err);
}

static const char *const cue_directions[MED_CUE_DIRECTION_COUNT] = {
    [MED_CUE_FORWARD] = "forward", [MED_CUE_NEAR] = "near", [MED_CUE_BACK] = "back",
    [MED_CUE_LIST] = "list",       [MED_CUE_ITEM] = "item", [MED_CUE_LABEL] = "label",
    [MED_CUE_DOUBT] = "doubt",     [MED_CUE_BOTH] = "both", [MED_CUE_END] = "end",
    [MED_CUE_PSEUDO] = "pseudo"};
static const char *const cue_classes[MED_SAYS_COUNT] = {[MED_SAYS_NOTHING] = "-",
                                                        [MED_SAYS_ABSENT] = "absent",
                                                        [MED_SAYS_PRESENT] = "present",
                                                        [MED_SAYS_UNCERTAIN] = "uncertain",
                                                        [MED_SAYS_HYPOTHETICAL] = "hypothetical",
                                                        [MED_SAYS_HISTORICAL] = "historical",
                                                        [MED_SAYS_FAMILY] = "family",
                                                        [MED_SAYS_PATIENT] = "patient",
                                                        [MED_SAYS_PRONOUN] = "pronoun",
                                                        [MED_SAYS_ASSERTED] = "asserted",
                                                        [MED_SAYS_DOUBLE] = "double",
                                                        [MED_ENDS_ALL] = "all",
                                                        [MED_ENDS_STATUS] = "status",
                                                        [MED_ENDS_PERSON] = "person",
                                                        [MED_ENDS_DENIAL] = "denial"};

static uint8_t cue_named(const char *const *names, size_t n, cue_field f)
{
    for (size_t i = 0; i < n; i++)
        if (cue_says(f, names[i])) return (uint8_t)i;
    return (uint8_t)n;
}

static r1_status cue_class_of(cue_reader *r, med_cue *cue, cue_field f, r1_err *err)
{
    cue->says = cue_named(cue_classes, MED_SAYS_COUNT, f);
    bool ends = cue->says >= MED_ENDS_ALL, nothing = cue->says == MED_SAYS_NOTHING;
    bool fits = cue->says < MED_SAYS_COUNT && ends == (cue->direction == MED_CUE_END) &&
                nothing == (cue->direction == MED_CUE_PSEUDO);
    return fits ? R1_OK : cue_wrong(r, "a class that fits the direction", f, err);
}

/* Into the list of each word that it may begin with. */
static r1_status cue_file_under_first(cue_reader *r, const med_cue *cue, uint32_t number,
                                      cue_field words, r1_err *err)
{
    med_cues *c = r->c;
    const cue_element *e = &c->element[cue->element];
    for (uint32_t i = 0; i < e->n_choice; i++) {
        uint16_t w = c->choice[e->choice + i];
        if (c->n_first == CUE_FIRSTS_MAX) return cue_wrong(r, "fewer cues", words, err);
        c->first[c->n_first] = (cue_first){number, MED_NONE};
        if (c->tail[w] == MED_NONE)
            c->head[w] = c->n_first;
        else
            c->first[c->tail[w]].next = c->n_first;
        c->tail[w] = c->n_first++;
    }
    return R1_OK;
}

static r1_status cue_line(cue_reader *r, const char *line, size_t len, r1_err *err)
{
    cue_field f[3] = {{line, 0}, {"", 0}, {"", 0}};
    size_t n = 0;
    for (const char *s = line, *end = line + len; n < 3; n++) {
        const char *tab = memchr(s, '\t', (size_t)(end - s));
        f[n] = (cue_field){s, (size_t)((tab ? tab : end) - s)};
        if (!tab) break;
        s = tab + 1;
    }
    if (*line == '@' && n == 1) return cue_class_line(r, f[0], f[1], err);
    if (n != 2) return cue_wrong(r, "words, direction and class, tabs between", f[0], err);
    if (r->c->n_cue == CUE_ROWS_MAX) return cue_wrong(r, "fewer cues", f[0], err);
    med_cue cue = {.element = r->c->n_element};
    cue.direction = cue_named(cue_directions, MED_CUE_DIRECTION_COUNT, f[1]);
    if (cue.direction == MED_CUE_DIRECTION_COUNT)
        return cue_wrong(r, "forward, near, back, list, item, label, both, end or pseudo", f[1],
                         err);
    R1_TRY(cue_class_of(r, &cue, f[2], err));
    R1_TRY(cue_words_add(r, &cue, f[0], err));
    R1_TRY(cue_file_under_first(r, &cue, r->c->n_cue, f[0], err));
    r->c->cue[r->c->n_cue++] = cue;
    return R1_OK;
}

static r1_status cue_row(void *reader, uint32_t line, const char *s, size_t len, r1_err *err)
{
    cue_reader *r = reader;
    r->line = line;
    return cue_line(r, s, len, err);
}

r1_status med_cues_new(med_cues **out, const char *name, const char *text, size_t len, r1_err *err)
{
    med_cues *c = calloc(1, sizeof *c);
    if (!c) R1_FAIL(err, R1_E_NOMEM, "no memory for the cues");
    cue_reader r = {c, name, 0};
    memset(c->head, 0xff, sizeof c->head);
    memset(c->tail, 0xff, sizeof c->tail);
    r1_status st = med_map_new(&c->words, (size_t)1 << 20, err);
    if (st == R1_OK) st = med_rows_read(name, text, len, cue_row, &r, err);
    if (st != R1_OK) {
        med_cues_free(c);
        return st;
    }
    *out = c;
    return R1_OK;
}

void med_cues_free(med_cues *c)
{
    if (!c) return;
    med_map_free(c->words);
    free(c);
}

uint32_t med_cues_count(const med_cues *c) { return c->n_cue; }
const med_cue *med_cues_at(const med_cues *c, uint32_t cue)
{
    R1_ASSERT(cue < c->n_cue, "cue %u of %u", cue, c->n_cue);
    return &c->cue[cue];
}

/* ---- look-up --------------------------------------------------------------------------------- */

uint16_t med_cues_word(const med_cues *c, const char *word, size_t len)
{
    uint32_t at = len ? med_map_find(c->words, word, len) : MED_NONE;
    uint32_t number = at == MED_NONE ? MED_NONE : med_map_get(c->words, at);
    return number == MED_NONE ? 0 : (uint16_t)number;
}

static bool cue_chosen(const med_cues *c, uint32_t choice, uint32_t n, uint16_t word)
{
    for (uint32_t i = 0; i < n; i++)
        if (c->choice[choice + i] == word) return true;
    return false;
}

bool med_cues_is(const med_cues *c, const char *cls, uint16_t word)
{
    const cue_class *k = cue_class_find(c, cls, strlen(cls));
    return k && word && cue_chosen(c, k->choice, k->n_choice, word);
}

/* Whether elements e.. of the cue stand at token i; the tokens they take are at most `best`
 * where they are less. Returns the token behind them, 0 if they do not stand there. */
static uint32_t cue_match_from(const med_cues *c, const med_cue *cue, uint32_t e,
                               const med_cue_text *t, uint32_t i)
{
    if (e == cue->n_element) return !cue->stops || i == t->n || t->mark[i] ? i : 0;
    const cue_element *x = &c->element[cue->element + e];
    if (x->gap) {
        for (uint32_t k = 0; k <= CUE_GAP && i + k <= t->n; k++) {
            uint32_t stop = cue_match_from(c, cue, e + 1, t, i + k);
            if (stop) return stop;
            if (i + k < t->n && (t->mark[i + k] || t->word[i + k] == MED_CUE_OWN)) break;
        }
        return 0;
    }
    bool here = i < t->n && t->word[i] && cue_chosen(c, x->choice, x->n_choice, t->word[i]);
    uint32_t stop = here ? cue_match_from(c, cue, e + 1, t, i + 1) : 0;
    return stop || !x->optional ? stop : cue_match_from(c, cue, e + 1, t, i);
}

uint32_t med_cues_match(const med_cues *c, const med_cue_text *t, uint32_t i, uint32_t *len)
{
    uint32_t best = MED_NONE, held = 0;
    *len = 0;
    if (!t->word[i] || t->word[i] == MED_CUE_OWN) return MED_NONE;
    for (uint32_t k = c->head[t->word[i]]; k != MED_NONE; k = c->first[k].next) {
        const med_cue *cue = &c->cue[c->first[k].cue];
        if (cue->starts && i && !t->mark[i - 1]) continue;
        uint32_t stop = cue_match_from(c, cue, 1, t, i + 1);
        uint32_t anchors = (uint32_t)cue->starts + cue->stops;
        bool longer = stop > i + *len, tied = stop == i + *len && best != MED_NONE;
        if (!longer && !(tied && anchors > held)) continue;
        *len = stop - i;
        held = anchors;
        best = c->first[k].cue;
    }
    return best;
}
