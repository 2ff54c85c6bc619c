/* SPDX-License-Identifier: Apache-2.0 */
/* med_lexicon.c - see med_lexicon.h. It is built once per knowledge base. A look-up takes no lock;
 * each thread keeps a stemmer of its own, and the last words that it met. Folding a word beyond
 * ASCII allocates. */
#include "notes/med_lexicon.h"

#include "med_data.h"
#include "notes/med_abbreviations.h"
#include "notes/med_cues.h"
#include "notes/med_forms.h"
#include "notes/med_headings.h"
#include "notes/med_measures.h"
#include "notes/med_typos.h"

#include "ontology/med_map.h"
#include "r1_assert.h"

#include <libstemmer.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum {
    WORD_MAX = 64,
    NAME_WORDS_MAX = 24, /* words of a name that are looked at */
    NAME_BYTES_MAX = 400,
    SINGLE_SHORT = 5, /* a word of so many letters names a finding only as it stands */
    GUESS_ALONE = 8,  /* letters from which a mistyped word alone names a finding */
    PREFIX_MAX = 8,
    MEASURED_LETTERS = 3, /* of a measure that is called low or high without its value */
    FILTER_BITS = 20,
    MET_SLOTS = 2048,
    MET_BYTES = 24,
    WIDER_MAX = 200
};

struct known_word;
struct med_lexicon {
    const med_kb *kb;
    med_cues *cues;
    med_headings *headings;
    med_abbreviations *abbreviations;
    med_forms *forms;
    med_typos *typos;
    med_map *words;    /* a normal form's number */
    med_map *surfaces; /* a spelled word's number, for mistyped ones */
    med_map *raw;      /* while it is built: a word as it is written, its number among the known */
    struct known_word *known;
    uint64_t serial; /* of this lexicon among all */
    int32_t n_word;
    med_pattern *pattern;
    uint32_t *sequence; /* the words of all patterns */
    uint32_t *surface;  /* offsets of all spelled words */
    uint32_t *slot;     /* pattern + 1, 0: free */
    uint32_t *name;     /* [n_term] pattern + 1 of a term's own name */
    struct {
        int32_t word, as[MED_WIDER_WORDS];
        uint32_t n;
    } wider[WIDER_MAX];
    uint32_t n_wider;
    size_t n_pattern, cap_pattern, n_sequence, cap_sequence, n_surface, cap_surface, n_slot,
        n_known, cap_known;
    uint64_t filter[((size_t)1 << FILTER_BITS) / 64];
};

/* ---- words ----------------------------------------------------------------------------------- */

size_t med_lexicon_fold(const char *s, size_t len, char *out, size_t max)
{
    bool ascii = len < max;
    for (size_t i = 0; i < len && ascii; i++) {
        if ((unsigned char)s[i] >= 128) ascii = false;
        out[i] = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] | 32) : s[i];
    }
    if (ascii) {
        out[len] = '\0';
        return len;
    }
    utf8proc_uint8_t *p = NULL;
    utf8proc_ssize_t n =
        utf8proc_map((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)len, &p,
                     UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_STRIPMARK);
    size_t kept = n > 0 && (size_t)n < max ? (size_t)n : 0;
    memcpy(out, p ? (const char *)p : "", kept);
    out[kept] = '\0';
    free(p);
    return kept;
}

static pthread_key_t stemmer_key; /* ends each thread's stemmer with it */
static pthread_once_t stemmer_once = PTHREAD_ONCE_INIT;

static void stemmer_end(void *stemmer) { sb_stemmer_delete(stemmer); }
static void stemmer_begin(void) { pthread_key_create(&stemmer_key, stemmer_end); }

/* One for each thread: a service has a thread for each connection. */
static struct sb_stemmer *lexicon_stemmer(void)
{
    static _Thread_local struct sb_stemmer *one;
    if (one) return one;
    pthread_once(&stemmer_once, stemmer_begin);
    one = sb_stemmer_new("english", "UTF_8");
    if (one) pthread_setspecific(stemmer_key, one);
    return one;
}

/* The root that adjective and noun share: at least so many letters stay. */
static size_t strip_ending(const char *s, size_t n, size_t stay)
{
    static const char *const ending[] = {"ous", "ia", "ic", "al", "us", "is", "um", "y", "i", "a"};
    for (size_t i = 0; i < R1_COUNT(ending); i++) {
        size_t k = strlen(ending[i]);
        if (n >= k + stay && memcmp(s + n - k, ending[i], k) == 0) return n - k;
    }
    return n;
}

/* A word as it is spelled here, before family and stem; *kind: MED_IS_*, *as: its family's word. */
static size_t lexicon_surface(const med_lexicon *x, const char *s, size_t len,
                              char out[MED_FORM_BYTES], uint32_t *kind, const char **as)
{
    size_t n = med_lexicon_fold(s, len, out, WORD_MAX);
    *kind = MED_IS_STOP;
    *as = NULL;
    if (!n) return 0;
    n = med_forms_spell(x->forms, out, n);
    *kind = med_forms_kind(x->forms, out, n, as);
    return n;
}

/* The normal form of a spelled word of n bytes, in place. */
static size_t normal_form(const char *as, char out[MED_FORM_BYTES], size_t n)
{
    if (as) {
        n = strlen(as);
        memcpy(out, as, n + 1);
    }
    if (n > 5 && memcmp(out + n - 4, "itis", 4) == 0)
        return n; /* an inflammation is not its organ */
    struct sb_stemmer *st = lexicon_stemmer();
    const sb_symbol *stem =
        st && n > 2 ? sb_stemmer_stem(st, (const sb_symbol *)out, (int)n) : NULL;
    if (stem) {
        n = (size_t)sb_stemmer_length(st);
        memcpy(out, stem, n);
    }
    n = strip_ending(out, n, 4);
    return strip_ending(out, n, 6);
}

uint64_t med_lexicon_mix(int32_t word)
{
    uint64_t z = (uint64_t)(uint32_t)word * 0x9e3779b97f4a7c15u + 0x1234567u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static bool lexicon_denial(const char *s, size_t n)
{
    static const char *const words[] = {"no", "not", "never", "cannot"};
    for (size_t i = 0; i < R1_COUNT(words); i++)
        if (strlen(words[i]) == n && memcmp(words[i], s, n) == 0) return true;
    return false;
}

static int32_t word_number(const med_lexicon *x, const char *s, size_t len, uint8_t *flags)
{
    char w[MED_FORM_BYTES], spelled[MED_FORM_BYTES];
    const char *as;
    uint32_t kind;
    size_t n = lexicon_surface(x, s, len, w, &kind, &as), n_spelled = n;
    *flags = (uint8_t)((kind & MED_IS_LIGHT ? MED_WORD_LIGHT : 0) |
                       (kind & MED_IS_BAR ? MED_WORD_BAR : 0) |
                       (kind & MED_IS_PLACE ? MED_WORD_PLACE : 0) |
                       (kind & MED_IS_APART ? MED_WORD_APART : 0) |
                       (kind & MED_IS_BROAD ? MED_WORD_BROAD : 0) |
                       (kind & MED_IS_OFFICE ? MED_WORD_OFFICE : 0) |
                       (n && lexicon_denial(w, n) ? MED_WORD_DENIAL : 0));
    if (kind & MED_IS_STOP) return MED_WORD_STOP;
    memcpy(spelled, w, n + 1);
    n = normal_form(as, w, n);
    uint32_t at = med_map_find(x->words, w, n);
    if (at != MED_NONE) return (int32_t)med_map_get(x->words, at);
    uint32_t meant = med_typos_find(x->typos, spelled, n_spelled);
    if (meant == MED_NONE) return MED_WORD_UNKNOWN;
    *flags |= MED_WORD_GUESSED;
    return (int32_t)meant;
}

/* A word that this thread met, under one lexicon. */
typedef struct {
    uint64_t serial;
    int32_t word;
    uint8_t len, flags;
    char s[MET_BYTES];
} met_word;

int32_t med_lexicon_word(const med_lexicon *x, const char *s, size_t len, uint8_t *flags)
{
    static _Thread_local met_word met[MET_SLOTS];
    if (len > MET_BYTES) return word_number(x, s, len, flags);
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < len; i++) h = (h ^ (unsigned char)s[i]) * 0x100000001b3u;
    met_word *m = &met[(h ^ (h >> 32)) % MET_SLOTS];
    if (m->serial != x->serial || m->len != len || memcmp(m->s, s, len) != 0) {
        m->serial = x->serial;
        m->len = (uint8_t)len;
        memcpy(m->s, s, len);
        m->word = word_number(x, s, len, &m->flags);
    }
    *flags = m->flags;
    return m->word;
}

uint32_t med_lexicon_id(const med_lexicon *x, const char *id, size_t len)
{
    uint32_t term = med_kb_term(x->kb, id, len);
    bool known = term != MED_NONE && x->kb->term[term].flags & MED_TERM_PHENOTYPE;
    return known ? term : MED_NONE;
}

/* ---- names ----------------------------------------------------------------------------------- */

static bool lexicon_room(void *array, size_t n, size_t *cap, size_t size)
{
    if (n < *cap) return true;
    size_t c = *cap ? *cap * 2 : 4096;
    void **p = array, *q = r1_realloc_array(*p, c, size);
    if (!q) return false;
    *p = q;
    *cap = c;
    return true;
}

static bool word_char(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c >= 128;
}

static bool too_vague(const med_lexicon *x, const char *s)
{
    char low[WORD_MAX];
    size_t n = strlen(s);
    if (n >= sizeof low) return false;
    for (size_t i = 0; i <= n; i++) low[i] = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] | 32) : s[i];
    return n < 3 || med_forms_vague(x->forms, low, n);
}

static bool is_caps(const char *s)
{
    size_t n = strlen(s), up = 0;
    for (size_t i = 0; i < n; i++) up += s[i] >= 'A' && s[i] <= 'Z';
    return n <= 6 && up >= 2 && !strchr(s, ' ');
}

/* The number of a spelled word's normal form, a new one where it has none; -1 without memory.
 * part: it is a part of a word, which no mistyped word is meant to be. */
static int32_t lexicon_intern(med_lexicon *x, const char *spelled, size_t n_spelled, const char *as,
                              bool part)
{
    char w[MED_FORM_BYTES];
    memcpy(w, spelled, n_spelled + 1);
    size_t n = normal_form(as, w, n_spelled);
    uint32_t at = med_map_intern(x->words, w, n);
    if (at == MED_NONE) return -1;
    if (med_map_get(x->words, at) == MED_NONE) med_map_set(x->words, at, (uint32_t)x->n_word++);
    int32_t number = (int32_t)med_map_get(x->words, at);
    uint32_t surface = part ? MED_NONE : med_map_intern(x->surfaces, spelled, n_spelled);
    if (surface == MED_NONE || med_map_get(x->surfaces, surface) != MED_NONE)
        return part || surface != MED_NONE ? number : -1;
    if (!lexicon_room(&x->surface, x->n_surface, &x->cap_surface, sizeof *x->surface)) return -1;
    med_map_set(x->surfaces, surface, (uint32_t)number);
    x->surface[x->n_surface++] = surface;
    return number;
}

/* What a single word is compared by: its family's word, or itself where it must stand as it is. */
static r1_status lexicon_single(med_lexicon *x, med_pattern *p, const char *spelled, size_t n,
                                const char *as, uint32_t kind, r1_err *err)
{
    p->exact = (kind & MED_IS_EXACT) != 0;
    bool mapped = as && !p->exact;
    p->surface = med_map_intern(x->surfaces, mapped ? as : spelled, mapped ? strlen(as) : n);
    if (p->surface == MED_NONE) R1_FAIL(err, R1_E_NOMEM, "more words than a lexicon may hold");
    return R1_OK;
}

/* A word of names, looked at once: names have many words in common. */
typedef struct known_word {
    uint32_t surface; /* what it is compared by where it is a name alone */
    int32_t number;
    uint16_t kind; /* MED_IS_* */
    bool whole;    /* it was met as a word, and not as a part of one alone */
    bool exact, denies;
} known_word;

/* What is known of a name's word of len bytes; *out points to it until the next call. */
static r1_status lexicon_known(med_lexicon *x, const char *s, size_t len, bool part,
                               const known_word **out, r1_err *err)
{
    uint32_t raw = med_map_intern(x->raw, s, len);
    uint32_t at = raw == MED_NONE ? MED_NONE : med_map_get(x->raw, raw);
    if (at != MED_NONE && (part || x->known[at].whole)) {
        *out = &x->known[at];
        return R1_OK;
    }
    char w[MED_FORM_BYTES];
    const char *as;
    uint32_t kind;
    size_t n = lexicon_surface(x, s, len, w, &kind, &as);
    med_pattern single = {0};
    known_word k = {.kind = (uint16_t)kind, .whole = !part};
    if (!(kind & MED_IS_STOP)) {
        k.number = lexicon_intern(x, w, n, as, part);
        k.denies = lexicon_denial(w, n);
        R1_TRY(lexicon_single(x, &single, w, n, as, kind, err));
        k.surface = single.surface;
        k.exact = single.exact;
    }
    if (raw == MED_NONE || k.number < 0 ||
        !lexicon_room(&x->known, x->n_known, &x->cap_known, sizeof *x->known))
        R1_FAIL(err, R1_E_NOMEM, "more words than a lexicon may hold");
    if (at == MED_NONE) {
        at = (uint32_t)x->n_known++;
        med_map_set(x->raw, raw, at);
    }
    x->known[at] = k;
    *out = &x->known[at];
    return R1_OK;
}

/* A name's words into the sequence; p->n_word 0 where it has none or too many. */
static r1_status lexicon_words(med_lexicon *x, const char *s, bool part, med_pattern *p,
                               r1_err *err)
{
    uint32_t n_light = 0;
    p->at = (uint32_t)x->n_sequence;
    for (size_t i = 0; s[i];) {
        size_t j = i;
        const known_word *k = NULL;
        while (word_char((unsigned char)s[j])) j++;
        if (j == i) {
            i++;
            continue;
        }
        R1_TRY(lexicon_known(x, s + i, j - i, part, &k, err));
        i = j;
        if (k->kind & MED_IS_STOP) continue;
        if (!lexicon_room(&x->sequence, x->n_sequence, &x->cap_sequence, sizeof *x->sequence))
            R1_FAIL(err, R1_E_NOMEM, "more words than a lexicon may hold");
        if (p->n_word == 0) {
            p->denies = k->denies;
            p->exact = k->exact;
            p->given = k->kind & MED_IS_GIVEN;
            p->surface = k->surface;
        }
        n_light += (k->kind & MED_IS_LIGHT) != 0;
        x->sequence[x->n_sequence++] = (uint32_t)k->number;
        p->hash += med_lexicon_mix(k->number);
        if (++p->n_word > MED_PATTERN_WORDS) break;
    }
    p->ordered = n_light > 1;
    if (p->n_word == 0 || p->n_word > MED_PATTERN_WORDS) {
        x->n_sequence = p->at;
        p->n_word = 0;
    }
    return R1_OK;
}

/* 2: the name holds "and", "or" or a slash, 1: a comma, 0: neither. */
static uint8_t name_joins(const char *s)
{
    if (strchr(s, '/') || strstr(s, " and ") || strstr(s, " or ")) return 2;
    return strchr(s, ',') != NULL;
}

/* over: takes the place of another finding of that name. part: parts of words stand apart. */
static r1_status lexicon_add_text(med_lexicon *x, const char *s, const char *name, uint32_t term,
                                  uint32_t kind, bool part, r1_err *err)
{
    med_pattern p = {.text = name,
                     .term = term,
                     .kind = (uint8_t)kind,
                     .caps = is_caps(name),
                     .tight = part,
                     .joined = name_joins(s)};
    if (too_vague(x, s)) return R1_OK;
    R1_TRY(lexicon_words(x, s, part, &p, err));
    if (!p.n_word) return R1_OK;
    if (!lexicon_room(&x->pattern, x->n_pattern, &x->cap_pattern, sizeof *x->pattern))
        R1_FAIL(err, R1_E_NOMEM, "no memory for a lexicon");
    x->pattern[x->n_pattern++] = p;
    return R1_OK;
}

/* ---- names in other forms -------------------------------------------------------------------- */

/* "Abnormal eyelid morphology" is also "abnormal eyelid", as which it is written and denied. */
static r1_status add_shorter(med_lexicon *x, const char *s, uint32_t term, r1_err *err)
{
    static const char head[] = "Abnormal ", tail[] = " morphology";
    char part[128];
    size_t n = strlen(s), cut = sizeof tail - 1;
    if (n <= sizeof head - 1 + cut || n >= sizeof part || strncmp(s, head, sizeof head - 1) != 0 ||
        strcmp(s + n - cut, tail) != 0)
        return R1_OK;
    snprintf(part, sizeof part, "%.*s", (int)(n - cut), s);
    return lexicon_add_text(x, part, s, term, MED_SYN_RELATED, false, err);
}

/* "Elevated circulating creatinine concentration" is also "elevated creatinine", "high creatinine
 * level". */
static r1_status add_analyte(med_lexicon *x, const char *s, uint32_t term, r1_err *err)
{
    static const struct {
        const char *name, *said[3];
    } changes[] = {{"Elevated circulating ", {"elevated", "high", "increased"}},
                   {"Increased circulating ", {"elevated", "high", "increased"}},
                   {"Decreased circulating ", {"decreased", "low", "reduced"}},
                   {"Reduced circulating ", {"decreased", "low", "reduced"}}};
    static const char tail[] = " concentration";
    char other[NAME_BYTES_MAX];
    size_t n = strlen(s), n_tail = sizeof tail - 1;
    if (n >= NAME_BYTES_MAX - 40 || n <= n_tail || strcmp(s + n - n_tail, tail) != 0) return R1_OK;
    for (size_t i = 0; i < R1_COUNT(changes); i++) {
        size_t head = strlen(changes[i].name);
        if (n <= head + n_tail || strncmp(s, changes[i].name, head) != 0) continue;
        for (size_t k = 0; k < 3; k++)
            for (int level = 0; level < 2; level++) {
                snprintf(other, sizeof other, "%s %.*s%s", changes[i].said[k],
                         (int)(n - head - n_tail), s + head, level ? " level" : "");
                R1_TRY(lexicon_add_text(x, other, s, term, MED_SYN_RELATED, false, err));
            }
    }
    return R1_OK;
}

/* "Absent eyebrow" is also "no eyebrow". */
static r1_status add_without(med_lexicon *x, const char *s, uint32_t term, r1_err *err)
{
    static const char *const heads[] = {"Absent ", "Absence of the ", "Absence of "};
    char other[NAME_BYTES_MAX];
    for (size_t i = 0; i < R1_COUNT(heads); i++) {
        size_t head = strlen(heads[i]);
        if (strncmp(s, heads[i], head) != 0 || strlen(s) >= sizeof other - 4) continue;
        snprintf(other, sizeof other, "no %s", s + head);
        return lexicon_add_text(x, other, s, term, MED_SYN_RELATED, false, err);
    }
    return R1_OK;
}

/* What is measured in blood is also "low", "high" and so on by each of its names: "raised CK". */
static r1_status add_levels(med_lexicon *x, const med_measures *m, r1_err *err)
{
    static const char *const said[2][2] = {{"low", "decreased"}, {"high", "increased"}};
    char other[NAME_BYTES_MAX];
    uint32_t measure;
    for (uint32_t i = 0; i < med_measures_names(m); i++) {
        const char *words = med_measures_words(m, i, &measure);
        const med_measure *is = measure == MED_NONE ? NULL : med_measures_at(m, measure);
        if (!is || is->specimen != MED_SPECIMEN_BLOOD || strlen(words) < MEASURED_LETTERS) continue;
        for (int high = 0; high < 2; high++) {
            const char *id = high ? is->above : is->below;
            uint32_t term = *id ? med_kb_term(x->kb, id, strlen(id)) : MED_NONE;
            for (int k = 0; k < 2 && term != MED_NONE; k++) {
                snprintf(other, sizeof other, "%s %.100s", said[high][k], words);
                const char *name = med_str(x->kb, x->kb->term[term].name);
                R1_TRY(lexicon_add_text(x, other, name, term, MED_SYN_RELATED, false, err));
            }
        }
    }
    return R1_OK;
}

static r1_status add_measure_levels(med_lexicon *x, r1_err *err)
{
    med_measures *m = NULL;
    R1_TRY(med_measures_new(&m, "notes/data/measures.tsv", (const char *)med_data_measures,
                            sizeof med_data_measures, err));
    r1_status st = add_levels(x, m, err);
    med_measures_free(m);
    return st;
}

static bool lexicon_prefix(const med_lexicon *x, const char *s, size_t n)
{
    char w[PREFIX_MAX];
    const char *as;
    if (n > sizeof w) return false;
    for (size_t i = 0; i < n; i++) w[i] = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] | 32) : s[i];
    return med_forms_kind(x->forms, w, n, &as) & MED_IS_PREFIX;
}

/* The name with bytes [from, to) replaced by `by`. */
static r1_status add_changed(med_lexicon *x, const char *s, size_t from, size_t to, const char *by,
                             uint32_t term, uint32_t kind, bool part, r1_err *err)
{
    char changed[NAME_BYTES_MAX + 8];
    snprintf(changed, sizeof changed, "%.*s%s%s", (int)from, s, by, s + to);
    return lexicon_add_text(x, changed, s, term, kind, part, err);
}

/* "Low-set ears" is also "lowset ears", "upslanted" also "up slanted". */
static r1_status add_apart(med_lexicon *x, const char *s, uint32_t term, uint32_t kind, r1_err *err)
{
    if (strlen(s) >= NAME_BYTES_MAX || is_caps(s)) return R1_OK;
    for (size_t i = 0, n = 0; s[i] && n < NAME_WORDS_MAX;) {
        size_t j = i;
        while (word_char((unsigned char)s[j])) j++;
        if (j == i) {
            i++;
            continue;
        }
        n++;
        bool next = (s[j] == ' ' || s[j] == '-') && word_char((unsigned char)s[j + 1]) &&
                    !(s[j + 1] >= '0' && s[j + 1] <= '9');
        if (next && lexicon_prefix(x, s + i, j - i))
            R1_TRY(add_changed(x, s, j, j + 1, "", term, kind, false, err));
        for (size_t k = i + 2; k + 4 <= j && k <= i + 8; k++)
            if (lexicon_prefix(x, s + i, k - i))
                R1_TRY(add_changed(x, s, k, k, " ", term, kind, true, err));
        i = j;
    }
    return R1_OK;
}

static r1_status add_names(med_lexicon *x, r1_err *err)
{
    const med_kb *kb = x->kb;
    for (uint32_t i = 0; i < med_forms_names(x->forms); i++) {
        med_extra_name e = med_forms_name(x->forms, i);
        uint32_t term = e.id ? med_kb_term(kb, e.id, strlen(e.id)) : MED_NONE;
        if (e.id && term == MED_NONE) continue;
        size_t before = x->n_pattern;
        R1_TRY(lexicon_add_text(x, e.text, e.text, term, e.wide ? MED_SYN_RELATED : MED_SYN_LABEL,
                                false, err));
        if (x->n_pattern > before) x->pattern[before].normal = e.normal;
        if (e.normal || e.wide) continue;
        if (e.id) R1_TRY(add_apart(x, e.text, term, MED_SYN_LABEL, err));
    }
    for (uint32_t i = 0; i < kb->n_synonym; i++) {
        const med_synonym *s = &kb->synonym[i];
        const char *text = med_str(kb, s->text);
        if (!(kb->term[s->term].flags & MED_TERM_PHENOTYPE) || s->term == kb->root ||
            s->kind == MED_SYN_BROAD)
            continue;
        size_t before = x->n_pattern;
        R1_TRY(lexicon_add_text(x, text, text, s->term, s->kind, false, err));
        if (x->n_pattern > before && s->kind == MED_SYN_LABEL)
            x->name[s->term] = (uint32_t)x->n_pattern;
        R1_TRY(add_shorter(x, text, s->term, err));
        R1_TRY(add_analyte(x, text, s->term, err));
        R1_TRY(add_without(x, text, s->term, err));
        R1_TRY(add_apart(x, text, s->term, s->kind, err));
    }
    return R1_OK;
}

/* Words that count as others too, where these are words of names. */
static void lexicon_widers(med_lexicon *x)
{
    for (uint32_t i = 0; i < med_forms_widers(x->forms) && x->n_wider < WIDER_MAX; i++) {
        med_wider w = med_forms_wider(x->forms, i);
        uint8_t flags;
        const char *blank = strchr(w.as, ' ');
        size_t first = blank ? (size_t)(blank - w.as) : strlen(w.as);
        char spelled[MED_FORM_BYTES];
        const char *as;
        uint32_t kind;
        size_t len = lexicon_surface(x, w.word, strlen(w.word), spelled, &kind, &as);
        int32_t word = len ? lexicon_intern(x, spelled, len, as, true) : -1;
        int32_t a = med_lexicon_word(x, w.as, first, &flags), b = MED_WORD_STOP;
        if (blank) b = med_lexicon_word(x, blank + 1, strlen(blank + 1), &flags);
        if (word < 0 || a < 0 || b == MED_WORD_UNKNOWN) continue;
        x->wider[x->n_wider].word = word;
        x->wider[x->n_wider].as[0] = a;
        x->wider[x->n_wider].as[1] = b;
        x->wider[x->n_wider++].n = blank ? 2 : 1;
    }
}

uint32_t med_lexicon_wider(const med_lexicon *x, int32_t word, uint32_t i,
                           int32_t out[MED_WIDER_WORDS])
{
    for (uint32_t k = 0; k < x->n_wider; k++) {
        if (x->wider[k].word != word || i-- > 0) continue;
        memcpy(out, x->wider[k].as, sizeof x->wider[k].as);
        return x->wider[k].n;
    }
    return 0;
}

const uint32_t *med_lexicon_name(const med_lexicon *x, uint32_t term, uint32_t *n)
{
    uint32_t k = x->name[term];
    *n = k ? x->pattern[k - 1].n_word : 0;
    return k ? x->sequence + x->pattern[k - 1].at : NULL;
}

bool med_lexicon_unless(const med_lexicon *x, const char *s, size_t n, const char *beside, size_t m)
{
    return med_forms_unless(x->forms, s, n, beside, m);
}

bool med_lexicon_below(const med_lexicon *x, uint32_t b, uint32_t a)
{
    return a != b && med_kb_is_a(x->kb, b, a);
}

bool med_lexicon_lasts(const med_lexicon *x, uint32_t term)
{
    for (uint32_t i = 0; i < med_forms_lastings(x->forms); i++) {
        const char *id = med_forms_lasting(x->forms, i);
        uint32_t root = med_lexicon_id(x, id, strlen(id));
        if (root != MED_NONE && med_kb_is_a(x->kb, term, root)) return true;
    }
    return false;
}

/* ---- look-up --------------------------------------------------------------------------------- */

static size_t filter_bit(uint64_t hash, uint32_t n) { return (hash ^ n) >> (64 - FILTER_BITS); }

static bool patterns_alike(const med_lexicon *x, const med_pattern *p, const med_pattern *q)
{
    if (p->n_word == 1 && (p->surface != q->surface || p->caps != q->caps)) return false;
    return p->tight == q->tight &&
           memcmp(x->sequence + p->at, x->sequence + q->at, p->n_word * sizeof *x->sequence) == 0;
}

/* The table over the patterns. Of equal ones the better kind stays, then the first: names of
 * words.tsv come first. */
static r1_status lexicon_index(med_lexicon *x, r1_err *err)
{
    x->n_slot = 1024;
    while (x->n_slot < x->n_pattern * 2) x->n_slot *= 2;
    x->slot = calloc(x->n_slot, sizeof *x->slot);
    if (!x->slot) R1_FAIL(err, R1_E_NOMEM, "no memory for a lexicon");
    for (size_t k = 0; k < x->n_pattern; k++) {
        const med_pattern *p = &x->pattern[k];
        size_t i = (p->hash ^ p->n_word) & (x->n_slot - 1);
        for (; x->slot[i]; i = (i + 1) & (x->n_slot - 1)) {
            const med_pattern *q = &x->pattern[x->slot[i] - 1];
            if (q->hash == p->hash && q->n_word == p->n_word && patterns_alike(x, p, q)) break;
        }
        if (!x->slot[i] || p->kind < x->pattern[x->slot[i] - 1].kind) x->slot[i] = (uint32_t)k + 1;
        size_t bit = filter_bit(p->hash, p->n_word);
        x->filter[bit / 64] |= (uint64_t)1 << (bit % 64);
    }
    return R1_OK;
}

static med_order order_of(const uint32_t *name, const int32_t *met, uint32_t n)
{
    for (uint32_t turn = 0; turn < n; turn++) {
        uint32_t i = 0;
        while (i < n && (int32_t)name[(turn + i) % n] == met[i]) i++;
        if (i == n) return turn ? MED_ORDER_TURNED : MED_ORDER_SAME;
    }
    return MED_ORDER_OTHER;
}

static bool one_more(const char *longer, const char *s)
{
    size_t n = strlen(s);
    return strncmp(longer, s, n) == 0 &&
           (strcmp(longer + n, "s") == 0 || strcmp(longer + n, "es") == 0);
}

/* Whether a single word of a text is the name: as it stands or in the plural; a long word that no
 * line of words.tsv holds to its form also by its stem. */
static bool single_fits(const med_lexicon *x, const med_pattern *p, const med_met *met)
{
    char w[MED_FORM_BYTES];
    const char *as, *name = med_map_text(x->surfaces, p->surface);
    uint32_t kind;
    if (met->guessed) return met->len >= GUESS_ALONE && !p->exact;
    size_t n = lexicon_surface(x, met->text, met->len, w, &kind, &as);
    bool exact = p->exact || kind & MED_IS_EXACT;
    const char *word = as && !exact ? as : w;
    if (strcmp(word, name) == 0 || one_more(word, name) || one_more(name, word)) return true;
    return !exact && n > SINGLE_SHORT && strlen(name) > SINGLE_SHORT;
}

static bool pattern_fits(const med_lexicon *x, const med_pattern *p, const med_met *met,
                         med_order order)
{
    if (p->caps) {
        size_t n = strlen(p->text);
        bool plural = met->len == n + 1 && met->text[n] == 's';
        return (met->len == n || plural) && memcmp(p->text, met->text, n) == 0;
    }
    if ((p->ordered || p->tight) && order != MED_ORDER_SAME) return false;
    return p->n_word > 1 || single_fits(x, p, met);
}

const med_pattern *med_lexicon_find(const med_lexicon *x, const med_met *met, med_order *order)
{
    size_t bit = filter_bit(met->hash, met->n);
    if (!(x->filter[bit / 64] >> (bit % 64) & 1)) return NULL;
    const med_pattern *best = NULL;
    for (size_t i = (met->hash ^ met->n) & (x->n_slot - 1); x->slot[i];
         i = (i + 1) & (x->n_slot - 1)) {
        const med_pattern *p = &x->pattern[x->slot[i] - 1];
        if (p->hash != met->hash || p->n_word != met->n) continue;
        med_order here = order_of(x->sequence + p->at, met->word, met->n);
        if (!pattern_fits(x, p, met, here)) continue;
        if (best && (here > *order || (here == *order && p->kind >= best->kind))) continue;
        best = p;
        *order = here;
    }
    return best;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static r1_status lexicon_files(med_lexicon *x, r1_err *err)
{
    R1_TRY(med_forms_new(&x->forms, "notes/data/words.tsv", (const char *)med_data_words,
                         sizeof med_data_words, err));
    R1_TRY(med_abbreviations_new(&x->abbreviations, "notes/data/abbreviations.tsv",
                                 (const char *)med_data_abbreviations,
                                 sizeof med_data_abbreviations, err));
    R1_TRY(med_cues_new(&x->cues, "notes/data/cues.tsv", (const char *)med_data_cues,
                        sizeof med_data_cues, err));
    return med_headings_new(&x->headings, "notes/data/headings.tsv",
                            (const char *)med_data_headings, sizeof med_data_headings, err);
}

static r1_status lexicon_typos(med_lexicon *x, r1_err *err)
{
    R1_TRY(med_typos_new(&x->typos, (const char *)med_data_ordinary, sizeof med_data_ordinary,
                         x->n_surface, err));
    for (size_t i = 0; i < x->n_surface; i++) {
        const char *s = med_map_text(x->surfaces, x->surface[i]);
        R1_TRY(med_typos_add(x->typos, s, strlen(s), med_map_get(x->surfaces, x->surface[i]), err));
    }
    return R1_OK;
}

r1_status med_lexicon_new(med_lexicon **out, const med_kb *kb, r1_err *err)
{
    static atomic_uint_fast64_t serial;
    med_lexicon *x = calloc(1, sizeof *x);
    if (!x) R1_FAIL(err, R1_E_NOMEM, "no memory for a lexicon");
    x->kb = kb;
    x->serial = atomic_fetch_add(&serial, 1) + 1;
    r1_status st = med_map_new(&x->words, (size_t)32 << 20, err);
    if (st == R1_OK) st = med_map_new(&x->surfaces, (size_t)32 << 20, err);
    if (st == R1_OK) st = med_map_new(&x->raw, (size_t)32 << 20, err);
    if (st == R1_OK) st = lexicon_files(x, err);
    x->name = calloc(kb->n_term + 1u, sizeof *x->name);
    if (st == R1_OK && !x->name) st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory");
    if (st == R1_OK) st = add_names(x, err);
    if (st == R1_OK) st = add_measure_levels(x, err);
    if (st == R1_OK) st = lexicon_index(x, err);
    if (st == R1_OK) st = lexicon_typos(x, err);
    if (st == R1_OK) lexicon_widers(x);
    med_map_free(x->raw);
    free(x->known);
    x->raw = NULL;
    x->known = NULL;
    if (st != R1_OK) {
        med_lexicon_free(x);
        return st;
    }
    *out = x;
    return R1_OK;
}

void med_lexicon_free(med_lexicon *x)
{
    if (!x) return;
    med_cues_free(x->cues);
    med_headings_free(x->headings);
    med_abbreviations_free(x->abbreviations);
    med_forms_free(x->forms);
    med_typos_free(x->typos);
    med_map_free(x->words);
    med_map_free(x->surfaces);
    med_map_free(x->raw);
    free(x->known);
    free(x->pattern);
    free(x->sequence);
    free(x->surface);
    free(x->name);
    free(x->slot);
    free(x);
}

const med_cues *med_lexicon_cues(const med_lexicon *x) { return x->cues; }
const med_headings *med_lexicon_headings(const med_lexicon *x) { return x->headings; }
const med_abbreviations *med_lexicon_abbreviations(const med_lexicon *x)
{
    return x->abbreviations;
}
