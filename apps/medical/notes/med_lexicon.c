/* SPDX-License-Identifier: Apache-2.0 */
/* med_lexicon.c - see med_lexicon.h. It is built once per knowledge base. A look-up takes no lock;
 * each thread keeps a stemmer of its own. Folding a word beyond ASCII allocates. */
#include "notes/med_lexicon.h"

#include "med_data.h"
#include "notes/med_cues.h"
#include "notes/med_headings.h"

#include "ontology/med_map.h"
#include "r1_assert.h"

#include <libstemmer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { WORD_MAX = 64 };

struct med_lexicon {
    const med_kb *kb;
    med_cues *cues;
    med_headings *headings;
    med_map *words;
    int32_t n_word;
    med_pattern *slot;
    size_t n_slot, n_used;
};

/* ---- words ----------------------------------------------------------------------------------- */

static const char *const stop_words[] = {
    "of",  "the",  "a",     "an",  "in",  "on",   "with", "and",  "or",    "to",   "for",  "by",
    "at",  "from", "is",    "are", "was", "were", "be",   "been", "being", "that", "this", "his",
    "her", "its",  "their", "s",   "as",  "he",   "she",  "has",  "have",  "had",  "also", "which"};
static const char *const light_words[] = {
    "mild",        "mildly",      "moderate",    "moderately", "severe",      "severely",
    "marked",      "markedly",    "slight",      "slightly",   "significant", "significantly",
    "very",        "bilateral",   "bilaterally", "left",       "right",       "somewhat",
    "relatively",  "profound",    "profoundly",  "some",       "minimal",     "minimally",
    "prominently", "generalized", "apparent",    "subtle",     "both",        "extremely",
    "quite",       "associated",  "diffuse",     "global"};

/* One word for a family. Both sides are stemmed afterwards, so each needs its plain form only. */
static const struct {
    const char *word, *as;
} families[] = {{"renal", "kidney"},
                {"hepatic", "liver"},
                {"cardiac", "heart"},
                {"pulmonary", "lung"},
                {"ocular", "eye"},
                {"dental", "tooth"},
                {"teeth", "tooth"},
                {"feet", "foot"},
                {"reduced", "decreased"},
                {"reduction", "decreased"},
                {"diminished", "decreased"},
                {"decrease", "decreased"},
                {"lowered", "decreased"},
                {"elevated", "increased"},
                {"elevation", "increased"},
                {"raised", "increased"},
                {"increase", "increased"},
                {"lack", "absence"},
                {"absent", "absence"},
                {"missing", "absence"},
                {"loss", "loss"},
                {"impaired", "impairment"},
                {"delayed", "delay"},
                {"retarded", "retardation"},
                {"anomaly", "abnormal"},
                {"anomalies", "abnormal"},
                {"abnormality", "abnormal"},
                {"abnormalities", "abnormal"},
                {"abnormally", "abnormal"},
                {"weak", "weakness"},
                {"convulsion", "seizure"},
                {"convulsions", "seizure"},
                {"tumour", "tumor"},
                {"tumours", "tumor"},
                {"oesophageal", "esophageal"},
                {"anaemia", "anemia"},
                {"haemorrhage", "hemorrhage"},
                {"oedema", "edema"},
                {"diarrhoea", "diarrhea"},
                {"leucocyte", "leukocyte"},
                {"haematuria", "hematuria"},
                {"colour", "color"},
                {"fibre", "fiber"},
                {"thinning", "thin"},
                {"narrowing", "narrow"},
                {"narrowed", "narrow"},
                {"shortened", "short"},
                {"shortening", "short"},
                {"elongated", "long"},
                {"broadened", "broad"},
                {"wide", "broad"},
                {"widened", "broad"},
                {"enlarged", "large"},
                {"enlargement", "large"},
                {"atrophic", "atrophy"},
                {"hypoplastic", "hypoplasia"},
                {"aplastic", "aplasia"},
                {"dysplastic", "dysplasia"},
                {"hypotonic", "hypotonia"},
                {"spastic", "spasticity"},
                {"dysmorphic", "dysmorphism"},
                {"epileptic", "epilepsy"},
                {"autistic", "autism"},
                {"obese", "obesity"},
                {"deaf", "deafness"},
                {"blind", "blindness"},
                {"cleft", "cleft"},
                {"clefting", "cleft"},
                {"curved", "curvature"},
                {"underdeveloped", "hypoplasia"},
                {"underdevelopment", "hypoplasia"},
                {"mental", "intellectual"},
                {"ears", "ear"},
                {"cries", "cry"},
                {"crying", "cry"},
                {"walking", "walk"},
                {"speaking", "speech"},
                {"swallowing", "swallow"},
                {"feeding", "feed"},
                {"dilated", "dilatation"},
                {"dilation", "dilatation"},
                {"calcified", "calcification"},
                {"fused", "fusion"},
                {"infections", "infection"},
                {"cysts", "cystic"},
                {"cyst", "cystic"},
                {"lids", "eyelid"},
                {"lid", "eyelid"},
                {"deficient", "deficiency"},
                {"thickened", "thick"},
                {"thickening", "thick"},
                {"rotated", "rotation"},
                {"tapered", "taper"},
                {"tapering", "taper"},
                {"upslanting", "upslant"},
                {"upslanted", "upslant"},
                {"downslanting", "downslant"},
                {"downslanted", "downslant"},
                {"prominence", "prominent"},
                {"protruding", "protrusion"},
                {"fifth", "5th"},
                {"fourth", "4th"},
                {"third", "3rd"},
                {"second", "2nd"},
                {"first", "1st"}};

static bool in_list(const char *const *list, size_t n, const char *s)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], s) == 0) return true;
    return false;
}

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

static struct sb_stemmer *lexicon_stemmer(void)
{
    static _Thread_local struct sb_stemmer *one;
    if (!one) one = sb_stemmer_new("english", "UTF_8");
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

/* The normal form of a word; 0 for stop words. */
static size_t normal_form(const char *s, size_t len, char *out, bool *stop, bool *light)
{
    size_t n = med_lexicon_fold(s, len, out, WORD_MAX);
    *stop = n == 0 || in_list(stop_words, R1_COUNT(stop_words), out);
    *light = in_list(light_words, R1_COUNT(light_words), out);
    if (*stop) return 0;
    for (size_t i = 0; i < R1_COUNT(families); i++)
        if (strcmp(out, families[i].word) == 0) {
            n = strlen(families[i].as);
            memcpy(out, families[i].as, n + 1);
            break;
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

int32_t med_lexicon_word(const med_lexicon *x, const char *s, size_t len, bool *light)
{
    char w[WORD_MAX + 8];
    bool stop;
    size_t n = normal_form(s, len, w, &stop, light);
    if (stop) return MED_WORD_STOP;
    uint32_t at = med_map_find(x->words, w, n);
    return at == MED_NONE ? MED_WORD_UNKNOWN : (int32_t)med_map_get(x->words, at);
}

/* ---- patterns -------------------------------------------------------------------------------- */

static bool word_char(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c >= 128;
}

/* Words that mean something else far too often when they stand alone. */
static bool too_vague(const char *s)
{
    static const char *const vague[] = {
        "all",        "fall",     "falls",       "mass",          "cavities",
        "clumsy",     "poor",     "cold",        "itching hands", "onset",
        "frequency",  "abnormal", "abnormality", "phenotype",     "present",
        "regression", "hairy",    "short",       "narrow",        "male",
        "female",     "ms",       "as",          "map",           "cp",
        "id",         "pe",       "ca",          "pain skin",     "lesion",
        "death",      "pica",     "dead",        "drool",         "slow",
        "weak",       "sleep",    "tube feeding"};
    char low[64];
    size_t n = strlen(s);
    if (n >= sizeof low) return false;
    for (size_t i = 0; i <= n; i++) low[i] = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] | 32) : s[i];
    return n < 3 || in_list(vague, R1_COUNT(vague), low);
}

static bool is_caps(const char *s)
{
    size_t n = strlen(s), up = 0;
    for (size_t i = 0; i < n; i++) up += s[i] >= 'A' && s[i] <= 'Z';
    return n <= 6 && up >= 2 && !strchr(s, ' ');
}

static med_pattern *lexicon_slot_of(const med_lexicon *x, uint64_t hash, uint32_t n_word)
{
    size_t mask = x->n_slot - 1, i = (hash ^ n_word) & mask;
    while (x->slot[i].n_word && (x->slot[i].hash != hash || x->slot[i].n_word != n_word))
        i = (i + 1) & mask;
    return &x->slot[i];
}

/* offset: of s in the knowledge base, for abbreviations. over: takes the place of another
 * finding of that name. */
static r1_status lexicon_add_text(med_lexicon *x, const char *s, uint32_t offset, uint32_t term,
                                  uint32_t kind, bool over, r1_err *err)
{
    med_pattern p = {.term = term,
                     .kind = (uint8_t)kind,
                     .caps = is_caps(s),
                     .text = offset,
                     .joined = strpbrk(s, ",/") || strstr(s, " and ") || strstr(s, " or ")};
    if (too_vague(s)) return R1_OK;
    uint32_t n = 0;
    for (size_t i = 0; s[i];) {
        size_t j = i;
        while (word_char((unsigned char)s[j])) j++;
        if (j == i) {
            i++;
            continue;
        }
        char w[WORD_MAX + 8];
        bool stop, light;
        size_t len = normal_form(s + i, j - i, w, &stop, &light);
        i = j;
        if (stop) continue;
        uint32_t at = med_map_intern(x->words, w, len);
        if (at == MED_NONE) R1_FAIL(err, R1_E_NOMEM, "more words than a lexicon may hold");
        if (med_map_get(x->words, at) == MED_NONE) med_map_set(x->words, at, (uint32_t)x->n_word++);
        uint64_t mixed = med_lexicon_mix((int32_t)med_map_get(x->words, at));
        p.hash += mixed;
        p.order = med_lexicon_next(p.order, mixed);
        if (++n > MED_PATTERN_WORDS) return R1_OK;
    }
    if (n == 0) return R1_OK;
    p.n_word = (uint8_t)n;
    med_pattern *to = lexicon_slot_of(x, p.hash, n);
    if (!to->n_word || over || p.kind < to->kind) {
        x->n_used += !to->n_word;
        *to = p;
    }
    R1_ASSERT(x->n_used < x->n_slot, "lexicon: %zu names in %zu slots", x->n_used, x->n_slot);
    return R1_OK;
}

/* "Abnormal eyelid morphology" is also "abnormal eyelid", as which it is written and denied. */
static r1_status add_shorter(med_lexicon *x, const char *s, uint32_t offset, uint32_t term,
                             r1_err *err)
{
    static const char head[] = "Abnormal ", tail[] = " morphology";
    char part[128];
    size_t n = strlen(s), cut = sizeof tail - 1;
    if (n <= sizeof head - 1 + cut || n >= sizeof part || strncmp(s, head, sizeof head - 1) != 0 ||
        strcmp(s + n - cut, tail) != 0)
        return R1_OK;
    snprintf(part, sizeof part, "%.*s", (int)(n - cut), s);
    return lexicon_add_text(x, part, offset, term, MED_SYN_RELATED, false, err);
}

/* What clinicians write for short. */
static const struct {
    const char *text, *id;
} shorthand[] = {
    {"weakness", "HP:0001324"}, {"autistic features", "HP:0000729"}, {"murmur", "HP:0030148"}};

r1_status med_lexicon_new(med_lexicon **out, const med_kb *kb, r1_err *err)
{
    med_lexicon *x = calloc(1, sizeof *x);
    if (!x) R1_FAIL(err, R1_E_NOMEM, "no memory for a lexicon");
    x->kb = kb;
    x->n_slot = 1024;
    /* a name and its shorter form for each synonym: a search ends at a slot that stays free */
    while (x->n_slot <= (size_t)kb->n_synonym * 2 + R1_COUNT(shorthand)) x->n_slot *= 2;
    x->slot = calloc(x->n_slot, sizeof *x->slot);
    r1_status st = x->slot
                       ? med_map_new(&x->words, (size_t)32 << 20, err)
                       : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for a lexicon");
    if (st == R1_OK)
        st = med_cues_new(&x->cues, "notes/data/cues.tsv", (const char *)med_data_cues,
                          sizeof med_data_cues, err);
    if (st == R1_OK)
        st = med_headings_new(&x->headings, "notes/data/headings.tsv",
                              (const char *)med_data_headings, sizeof med_data_headings, err);
    for (uint32_t i = 0; i < kb->n_synonym && st == R1_OK; i++) {
        const med_synonym *s = &kb->synonym[i];
        bool wanted = (kb->term[s->term].flags & MED_TERM_PHENOTYPE) && s->term != kb->root &&
                      s->kind != MED_SYN_BROAD;
        if (wanted)
            st = lexicon_add_text(x, med_str(kb, s->text), s->text, s->term, s->kind, false, err);
        if (wanted && st == R1_OK) st = add_shorter(x, med_str(kb, s->text), s->text, s->term, err);
    }
    for (size_t i = 0; i < R1_COUNT(shorthand) && st == R1_OK; i++) {
        uint32_t term = med_kb_term(kb, shorthand[i].id, strlen(shorthand[i].id));
        if (term != MED_NONE)
            st = lexicon_add_text(x, shorthand[i].text, MED_NONE, term, MED_SYN_LABEL, true, err);
    }
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
    med_map_free(x->words);
    free(x->slot);
    free(x);
}

const med_cues *med_lexicon_cues(const med_lexicon *x) { return x->cues; }
const med_headings *med_lexicon_headings(const med_lexicon *x) { return x->headings; }

const med_pattern *med_lexicon_find(const med_lexicon *x, uint64_t hash, uint32_t n_word,
                                    const char *text, size_t len)
{
    const med_pattern *p = lexicon_slot_of(x, hash, n_word);
    if (!p->n_word) return NULL;
    if (p->caps) {
        const char *s = med_str(x->kb, p->text);
        if (strlen(s) != len || memcmp(s, text, len) != 0) return NULL;
    }
    return p;
}
