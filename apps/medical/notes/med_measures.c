/* SPDX-License-Identifier: Apache-2.0 */
/* med_measures.c - see med_measures.h. Owns the form of the file. */
#include "notes/med_measures.h"

#include "notes/med_rows.h"

#include "ontology/med_map.h"
#include "r1_assert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MEASURES_MAX = 300,
    MEASURE_NAMES_MAX = 3000,
    MEASURE_UNITS_MAX = 1200,
    MEASURE_RANGES_MAX = 1200,
    MEASURE_BANDS_MAX = 100,
    MEASURE_SPELLS_MAX = 120,
    MEASURE_SPELLINGS_MAX = 800,
    MEASURE_WORD_BYTES = 64,
    MEASURE_FIELDS = 8
};

const char *const med_growth_name[MED_GROWTH_COUNT] = {[MED_GROWTH_NONE] = "-",
                                                       [MED_GROWTH_BMI] = "bmi",
                                                       [MED_GROWTH_HEIGHT] = "height",
                                                       [MED_GROWTH_OFC] = "ofc",
                                                       [MED_GROWTH_WEIGHT] = "weight"};
static const char *const measure_roles[MED_ROLE_COUNT] = {
    [MED_ROLE_LINK] = "link",       [MED_ROLE_LOW] = "low",       [MED_ROLE_HIGH] = "high",
    [MED_ROLE_NORMAL] = "normal",   [MED_ROLE_RANGE] = "range",   [MED_ROLE_UPPER] = "upper",
    [MED_ROLE_LESS] = "less",       [MED_ROLE_MORE] = "more",     [MED_ROLE_FROM] = "from",
    [MED_ROLE_BETWEEN] = "between", [MED_ROLE_BEFORE] = "before", [MED_ROLE_AFTER] = "after",
    [MED_ROLE_LATER] = "later",     [MED_ROLE_AGE] = "age",       [MED_ROLE_BIRTH] = "birth"};
static const char *const measure_specimens[MED_SPECIMEN_COUNT] = {[MED_SPECIMEN_ANY] = "any",
                                                                  [MED_SPECIMEN_BLOOD] = "blood",
                                                                  [MED_SPECIMEN_CSF] = "csf",
                                                                  [MED_SPECIMEN_URINE] = "urine",
                                                                  [MED_SPECIMEN_OTHER] = "other"};
static const char *const measure_sexes[] = {"any", "female", "male"};

/* A spelling of a unit. */
typedef struct {
    uint32_t spell, text; /* text: offset in spellings */
} unit_spelling;

struct med_measures {
    med_map *roles, *specimens, *names, *firsts, *spells, *texts;
    uint32_t n_measure, n_name, n_unit, n_range, n_band, n_spell, n_spelling;
    med_measure measure[MEASURES_MAX];
    uint32_t line[MEASURES_MAX]; /* of the file */
    med_measure_name name[MEASURE_NAMES_MAX];
    uint32_t words[MEASURE_NAMES_MAX]; /* of each name, in the map of names */
    uint32_t exact[MEASURE_NAMES_MAX]; /* offset in texts; MED_NONE */
    med_measure_unit unit[MEASURE_UNITS_MAX];
    med_measure_range range[MEASURE_RANGES_MAX];
    med_measure_band band[MEASURE_BANDS_MAX];
    unit_spelling spelling[MEASURE_SPELLINGS_MAX];
    uint32_t spelled[MEASURE_SPELLS_MAX + 1]; /* of a unit, the first of its spellings */
};

typedef struct {
    const char *s;
    size_t len;
} measure_field;

/* Where the reader stands, for errors. */
typedef struct {
    med_measures *m;
    const char *name;
    uint32_t line, n;
    measure_field f[MEASURE_FIELDS];
} measures_reader;

static r1_status measure_wrong(const measures_reader *r, const char *expected, measure_field found,
                               r1_err *err)
{
    R1_FAIL(err, R1_E_FORMAT, "%s:%u: expected %s, found \"%.*s\"", r->name, r->line, expected,
            (int)(found.len < 60 ? found.len : 60), found.s);
}

static uint32_t measure_choice(measure_field f, const char *const *names, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (strlen(names[i]) == f.len && memcmp(names[i], f.s, f.len) == 0) return i;
    return n;
}

/* ---- fields ---------------------------------------------------------------------------------- */

typedef r1_status measure_word_fn(measures_reader *r, measure_field word, uint32_t tag,
                                  r1_err *err);

/* Calls do_one for each of the words of "a|b|c". */
static r1_status measure_words(measures_reader *r, measure_field list, uint32_t tag,
                               measure_word_fn *do_one, r1_err *err)
{
    for (const char *s = list.s, *end = list.s + list.len; s <= end;) {
        const char *bar = memchr(s, '|', (size_t)(end - s)), *stop = bar ? bar : end;
        measure_field w = {s, (size_t)(stop - s)};
        if (!w.len || w.len >= MEASURE_WORD_BYTES) return measure_wrong(r, "a word", w, err);
        R1_TRY(do_one(r, w, tag, err));
        s = stop + 1;
    }
    return R1_OK;
}

static bool measure_number(measure_field f, double *v)
{
    char buf[32], *end;
    if (!f.len || f.len >= sizeof buf) return false;
    memcpy(buf, f.s, f.len);
    buf[f.len] = '\0';
    *v = strtod(buf, &end);
    return *end == '\0' && isfinite(*v);
}

/* "LOW..HIGH" */
static r1_status measure_bounds(const measures_reader *r, measure_field f, double *low,
                                double *high, r1_err *err)
{
    const char *dots = memmem(f.s, f.len, "..", 2);
    measure_field a = {f.s, dots ? (size_t)(dots - f.s) : 0};
    measure_field z = {dots ? dots + 2 : f.s, dots ? f.len - a.len - 2 : 0};
    *low = -INFINITY;
    *high = INFINITY;
    bool good = dots && (!a.len || measure_number(a, low)) && (!z.len || measure_number(z, high));
    if (!good || !(*low < *high)) return measure_wrong(r, "LOW..HIGH, the lower first", f, err);
    return R1_OK;
}

static r1_status measure_id(const measures_reader *r, measure_field f, char out[MED_HPO_BYTES],
                            r1_err *err)
{
    out[0] = '\0';
    if (f.len == 1 && *f.s == '-') return R1_OK;
    bool good = f.len == 10 && memcmp(f.s, "HP:", 3) == 0;
    for (size_t i = 3; good && i < f.len; i++) good = f.s[i] >= '0' && f.s[i] <= '9';
    if (!good) return measure_wrong(r, "HP: with seven digits, or -", f, err);
    memcpy(out, f.s, f.len);
    out[f.len] = '\0';
    return R1_OK;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static r1_status measure_full(const measures_reader *r, r1_err *err)
{
    return measure_wrong(r, "fewer lines of this kind", r->f[0], err);
}

static r1_status role_word(measures_reader *r, measure_field w, uint32_t tag, r1_err *err)
{
    uint32_t at = med_map_intern(r->m->roles, w.s, w.len);
    if (at == MED_NONE) return measure_full(r, err);
    uint32_t old = med_map_get(r->m->roles, at);
    med_map_set(r->m->roles, at, (old == MED_NONE ? 0 : old) | 1u << tag);
    return R1_OK;
}

static r1_status measure_roles_line(measures_reader *r, r1_err *err)
{
    uint32_t role = measure_choice(r->f[1], measure_roles, MED_ROLE_COUNT);
    if (role == MED_ROLE_COUNT) return measure_wrong(r, "a role", r->f[1], err);
    return measure_words(r, r->f[2], role, role_word, err);
}

static r1_status specimen_word(measures_reader *r, measure_field w, uint32_t tag, r1_err *err)
{
    uint32_t at = med_map_intern(r->m->specimens, w.s, w.len);
    if (at == MED_NONE || med_map_get(r->m->specimens, at) != MED_NONE)
        return measure_wrong(r, "a word that no specimen has yet", w, err);
    med_map_set(r->m->specimens, at, tag);
    return R1_OK;
}

static r1_status measure_specimen_line(measures_reader *r, r1_err *err)
{
    uint32_t k = measure_choice(r->f[1], measure_specimens, MED_SPECIMEN_COUNT);
    if (k == MED_SPECIMEN_COUNT || k == MED_SPECIMEN_ANY)
        return measure_wrong(r, "blood, csf, urine or other", r->f[1], err);
    return measure_words(r, r->f[2], k, specimen_word, err);
}

static r1_status spelling_word(measures_reader *r, measure_field w, uint32_t tag, r1_err *err)
{
    med_measures *m = r->m;
    uint32_t at = med_map_intern(m->texts, w.s, w.len);
    if (at == MED_NONE || m->n_spelling == MEASURE_SPELLINGS_MAX) return measure_full(r, err);
    m->spelling[m->n_spelling++] = (unit_spelling){tag, at};
    return R1_OK;
}

static r1_status measure_spell_line(measures_reader *r, r1_err *err)
{
    med_measures *m = r->m;
    uint32_t at = med_map_intern(m->spells, r->f[1].s, r->f[1].len);
    if (at == MED_NONE || m->n_spell == MEASURE_SPELLS_MAX) return measure_full(r, err);
    if (med_map_get(m->spells, at) == MED_NONE) med_map_set(m->spells, at, m->n_spell++);
    return measure_words(r, r->f[2], med_map_get(m->spells, at), spelling_word, err);
}

/* The words in lower case with one blank between; *exact: a letter was a capital. */
static size_t name_plain(measure_field w, char out[MEASURE_WORD_BYTES], bool *exact)
{
    size_t n = 0;
    *exact = false;
    for (size_t i = 0; i < w.len; i++) {
        char c = w.s[i];
        *exact |= c >= 'A' && c <= 'Z';
        if (c >= 'A' && c <= 'Z') c = (char)(c | 32);
        if (c == '-' || c == '.') c = ' ';
        if (c == ' ' && (n == 0 || out[n - 1] == ' ')) continue;
        out[n++] = c;
    }
    while (n && out[n - 1] == ' ') n--;
    return n;
}

static r1_status name_word(measures_reader *r, measure_field w, uint32_t tag, r1_err *err)
{
    med_measures *m = r->m;
    char plain[MEASURE_WORD_BYTES];
    bool exact;
    size_t n = name_plain(w, plain, &exact);
    const char *blank = memchr(plain, ' ', n);
    uint32_t at = n ? med_map_intern(m->names, plain, n) : MED_NONE;
    uint32_t first =
        n ? med_map_intern(m->firsts, plain, blank ? (size_t)(blank - plain) : n) : MED_NONE;
    uint32_t text = exact ? med_map_intern(m->texts, w.s, w.len) : 0;
    if (at == MED_NONE || first == MED_NONE || text == MED_NONE || m->n_name == MEASURE_NAMES_MAX)
        return measure_wrong(r, "a name, and fewer of them", w, err);
    med_map_set(m->firsts, first, 1);
    m->exact[m->n_name] = exact ? text : MED_NONE;
    m->words[m->n_name] = at;
    m->name[m->n_name] = (med_measure_name){.measure = tag, .next = med_map_get(m->names, at)};
    med_map_set(m->names, at, m->n_name++);
    return R1_OK;
}

static r1_status measure_ignore_line(measures_reader *r, r1_err *err)
{
    return measure_words(r, r->f[1], MED_NONE, name_word, err);
}

static r1_status measure_name_line(measures_reader *r, r1_err *err)
{
    return measure_words(r, r->f[1], r->m->n_measure - 1, name_word, err);
}

static r1_status measure_line(measures_reader *r, r1_err *err)
{
    med_measures *m = r->m;
    if (m->n_measure == MEASURES_MAX) return measure_full(r, err);
    med_measure x = {.unit = m->n_unit, .range = m->n_range, .band = m->n_band};
    uint32_t specimen = measure_choice(r->f[2], measure_specimens, MED_SPECIMEN_COUNT);
    if (specimen == MED_SPECIMEN_COUNT) return measure_wrong(r, "a specimen or any", r->f[2], err);
    x.specimen = (uint8_t)specimen;
    R1_TRY(measure_id(r, r->f[3], x.below, err));
    R1_TRY(measure_id(r, r->f[4], x.above, err));
    m->line[m->n_measure] = r->line;
    m->measure[m->n_measure++] = x;
    return R1_OK;
}

static uint32_t measure_spell_of(const med_measures *m, measure_field f)
{
    uint32_t at = med_map_find(m->spells, f.s, f.len);
    return at == MED_NONE ? MED_NONE : med_map_get(m->spells, at);
}

static r1_status measure_unit_line(measures_reader *r, r1_err *err)
{
    med_measures *m = r->m;
    med_measure *x = &m->measure[m->n_measure - 1];
    measure_field window = r->f[3];
    med_measure_unit u = {.spell = measure_spell_of(m, r->f[1])};
    if (m->n_unit == MEASURE_UNITS_MAX) return measure_full(r, err);
    if (u.spell == MED_NONE)
        return measure_wrong(r, "a unit that a line of spell has", r->f[1], err);
    bool good = measure_number(r->f[2], &u.factor) && u.factor > 0;
    if (!good || (x->n_unit == 0 && u.factor < 1) || (x->n_unit == 0 && u.factor > 1))
        return measure_wrong(r, "a factor above 0, of the first unit 1", r->f[2], err);
    if (window.len && *window.s == '!') {
        u.written = true;
        window = (measure_field){window.s + 1, window.len - 1};
    }
    const char *bare = window.len ? memchr(window.s, ';', window.len) : NULL;
    measure_field rest = window;
    if (bare) {
        rest = (measure_field){bare + 1, (size_t)(window.s + window.len - bare - 1)};
        window.len = (size_t)(bare - window.s);
    }
    R1_TRY(measure_bounds(r, window, &u.low, &u.high, err));
    R1_TRY(measure_bounds(r, rest, &u.bare_low, &u.bare_high, err));
    if (r->n == 5) {
        u.table = (uint8_t)measure_choice(r->f[4], med_growth_name, MED_GROWTH_COUNT);
        if (u.table == MED_GROWTH_COUNT || u.table == MED_GROWTH_NONE)
            return measure_wrong(r, "bmi, height, ofc or weight", r->f[4], err);
    }
    m->unit[m->n_unit++] = u;
    x->n_unit++;
    return R1_OK;
}

static r1_status measure_range_line(measures_reader *r, r1_err *err)
{
    med_measures *m = r->m;
    med_measure *x = &m->measure[m->n_measure - 1];
    med_measure_range g = {.sex = MED_SEX_UNKNOWN};
    if (m->n_range == MEASURE_RANGES_MAX) return measure_full(r, err);
    uint32_t sex = measure_choice(r->f[1], measure_sexes, R1_COUNT(measure_sexes));
    if (sex == R1_COUNT(measure_sexes))
        return measure_wrong(r, "any, female or male", r->f[1], err);
    if (sex) g.sex = sex == 1 ? MED_SEX_FEMALE : MED_SEX_MALE;
    R1_TRY(measure_bounds(r, r->f[2], &g.from, &g.to, err));
    R1_TRY(measure_bounds(r, r->f[3], &g.low, &g.high, err));
    if (r->n == 5) {
        uint32_t spell = measure_spell_of(m, r->f[4]), k = 0;
        while (k < x->n_unit && m->unit[x->unit + k].spell != spell) k++;
        if (k == x->n_unit) return measure_wrong(r, "a unit of the measure", r->f[4], err);
        g.unit = (uint8_t)k;
    }
    m->range[m->n_range++] = g;
    x->n_range++;
    return R1_OK;
}

static r1_status measure_band_line(measures_reader *r, r1_err *err)
{
    med_measures *m = r->m;
    if (m->n_band == MEASURE_BANDS_MAX) return measure_full(r, err);
    med_measure_band *b = &m->band[m->n_band];
    R1_TRY(measure_bounds(r, r->f[1], &b->low, &b->high, err));
    R1_TRY(measure_id(r, r->f[2], b->id, err));
    m->n_band++;
    m->measure[m->n_measure - 1].n_band++;
    return R1_OK;
}

/* ---- the file -------------------------------------------------------------------------------- */

static const struct {
    const char *kind;
    uint32_t fields, more; /* with the kind; more: so many of them may be missing */
    bool below;            /* stands below a measure */
    r1_status (*read)(measures_reader *r, r1_err *err);
} measure_kinds[] = {
    {"words", 3, 0, false, measure_roles_line}, {"specimen", 3, 0, false, measure_specimen_line},
    {"spell", 3, 0, false, measure_spell_line}, {"ignore", 2, 0, false, measure_ignore_line},
    {"measure", 5, 0, false, measure_line},     {"name", 2, 0, true, measure_name_line},
    {"unit", 5, 1, true, measure_unit_line},    {"range", 5, 1, true, measure_range_line},
    {"band", 3, 0, true, measure_band_line}};

static r1_status measures_line(measures_reader *r, const char *s, size_t len, r1_err *err)
{
    measure_field whole = {s, len};
    r->n = 0;
    for (const char *end = s + len; s <= end;) {
        const char *tab = memchr(s, '\t', (size_t)(end - s)), *stop = tab ? tab : end;
        if (r->n == MEASURE_FIELDS) return measure_wrong(r, "fewer fields", whole, err);
        r->f[r->n++] = (measure_field){s, (size_t)(stop - s)};
        s = stop + 1;
    }
    for (size_t i = 0; i < R1_COUNT(measure_kinds); i++) {
        if (measure_choice(r->f[0], &measure_kinds[i].kind, 1) != 0) continue;
        if (r->n > measure_kinds[i].fields ||
            r->n + measure_kinds[i].more < measure_kinds[i].fields)
            return measure_wrong(r, "the fields of this kind", whole, err);
        if (measure_kinds[i].below && !r->m->n_measure)
            return measure_wrong(r, "a measure above", whole, err);
        return measure_kinds[i].read(r, err);
    }
    return measure_wrong(r, "words, specimen, spell, ignore, measure, name, unit, range or band",
                         r->f[0], err);
}

static r1_status measures_maps(med_measures *m, r1_err *err)
{
    med_map **const maps[] = {&m->roles,  &m->specimens, &m->names,
                              &m->firsts, &m->spells,    &m->texts};
    for (size_t i = 0; i < R1_COUNT(maps); i++) R1_TRY(med_map_new(maps[i], (size_t)1 << 20, err));
    return R1_OK;
}

static r1_status measures_whole(const med_measures *m, const char *name, r1_err *err)
{
    for (uint32_t i = 0; i < m->n_measure; i++)
        if (!m->measure[i].n_unit || !m->measure[i].n_range)
            R1_FAIL(err, R1_E_FORMAT,
                    "%s:%u: expected a unit and a range below the measure, found %u and %u", name,
                    m->line[i], m->measure[i].n_unit, m->measure[i].n_range);
    return R1_OK;
}

/* Brings the spellings of a unit together, in the order of the file. */
static void measures_order(med_measures *m)
{
    for (uint32_t i = 1; i < m->n_spelling; i++) {
        unit_spelling x = m->spelling[i];
        uint32_t k = i;
        for (; k > 0 && m->spelling[k - 1].spell > x.spell; k--)
            m->spelling[k] = m->spelling[k - 1];
        m->spelling[k] = x;
    }
    for (uint32_t i = 0, k = 0; i <= m->n_spell; i++) {
        while (k < m->n_spelling && m->spelling[k].spell < i) k++;
        m->spelled[i] = k;
    }
}

static r1_status measures_row(void *reader, uint32_t line, const char *s, size_t len, r1_err *err)
{
    measures_reader *r = reader;
    r->line = line;
    return measures_line(r, s, len, err);
}

r1_status med_measures_new(med_measures **out, const char *name, const char *text, size_t len,
                           r1_err *err)
{
    med_measures *m = calloc(1, sizeof *m);
    if (!m) R1_FAIL(err, R1_E_NOMEM, "no memory for the measures");
    measures_reader r = {.m = m, .name = name};
    r1_status st = measures_maps(m, err);
    if (st == R1_OK) st = med_rows_read(name, text, len, measures_row, &r, err);
    if (st == R1_OK) st = measures_whole(m, name, err);
    if (st != R1_OK) {
        med_measures_free(m);
        return st;
    }
    measures_order(m);
    for (uint32_t i = 0; i < m->n_name; i++)
        if (m->exact[i] != MED_NONE) m->name[i].exact = med_map_text(m->texts, m->exact[i]);
    *out = m;
    return R1_OK;
}

void med_measures_free(med_measures *m)
{
    if (!m) return;
    med_map_free(m->roles);
    med_map_free(m->specimens);
    med_map_free(m->names);
    med_map_free(m->firsts);
    med_map_free(m->spells);
    med_map_free(m->texts);
    free(m);
}

/* ---- looking up ------------------------------------------------------------------------------ */

static uint32_t measures_get(const med_map *map, const char *s, size_t len)
{
    uint32_t at = len ? med_map_find(map, s, len) : MED_NONE;
    return at == MED_NONE ? MED_NONE : med_map_get(map, at);
}

uint32_t med_measures_roles(const med_measures *m, const char *word, size_t len)
{
    uint32_t bits = measures_get(m->roles, word, len);
    return bits == MED_NONE ? 0 : bits;
}

med_specimen med_measures_specimen(const med_measures *m, const char *word, size_t len)
{
    uint32_t k = measures_get(m->specimens, word, len);
    return k == MED_NONE ? MED_SPECIMEN_ANY : (med_specimen)k;
}

const med_measure_name *med_measures_find(const med_measures *m, const char *words, size_t len)
{
    uint32_t i = measures_get(m->names, words, len);
    return i == MED_NONE ? NULL : &m->name[i];
}

const med_measure_name *med_measures_next(const med_measures *m, const med_measure_name *name)
{
    return name->next == MED_NONE ? NULL : &m->name[name->next];
}

bool med_measures_begins(const med_measures *m, const char *word, size_t len)
{
    return measures_get(m->firsts, word, len) != MED_NONE;
}

uint32_t med_measures_names(const med_measures *m) { return m->n_name; }

const char *med_measures_words(const med_measures *m, uint32_t i, uint32_t *measure)
{
    R1_ASSERT(i < m->n_name, "name %u of %u", i, m->n_name);
    *measure = m->name[i].measure;
    return med_map_text(m->names, m->words[i]);
}

const med_measure *med_measures_at(const med_measures *m, uint32_t measure)
{
    R1_ASSERT(measure < m->n_measure, "measure %u of %u", measure, m->n_measure);
    return &m->measure[measure];
}

const med_measure_unit *med_measures_unit(const med_measures *m, uint32_t unit)
{
    R1_ASSERT(unit < m->n_unit, "unit %u of %u", unit, m->n_unit);
    return &m->unit[unit];
}

const med_measure_range *med_measures_range(const med_measures *m, uint32_t range)
{
    R1_ASSERT(range < m->n_range, "range %u of %u", range, m->n_range);
    return &m->range[range];
}

const med_measure_band *med_measures_band(const med_measures *m, uint32_t band)
{
    R1_ASSERT(band < m->n_band, "band %u of %u", band, m->n_band);
    return &m->band[band];
}

uint32_t med_measures_count(const med_measures *m) { return m->n_measure; }

uint32_t med_measures_spell(const med_measures *m, const char *unit)
{
    return measures_get(m->spells, unit, strlen(unit));
}

const char *med_measures_spelling(const med_measures *m, uint32_t spell, uint32_t i)
{
    R1_ASSERT(spell < m->n_spell, "unit %u of %u", spell, m->n_spell);
    uint32_t k = m->spelled[spell] + i;
    return k < m->spelled[spell + 1] ? med_map_text(m->texts, m->spelling[k].text) : NULL;
}
