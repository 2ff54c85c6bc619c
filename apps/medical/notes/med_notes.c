/* SPDX-License-Identifier: Apache-2.0 */
/* med_notes.c - see med_notes.h. Owns sections, sentences, tokens and the recognition of
 * findings; what a finding's status is stands in med_status.c, laboratory values in med_labs.c. */
#include "notes/med_notes.h"

#include "r1_assert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { WINDOW = 9, RUN_MAX = 3, HITS_MAX = 512 };

const char *const med_status_name[MED_STATUS_COUNT] = {[MED_PRESENT] = "present",
                                                       [MED_ABSENT] = "absent",
                                                       [MED_FAMILY] = "family",
                                                       [MED_HISTORICAL] = "historical",
                                                       [MED_HYPOTHETICAL] = "hypothetical",
                                                       [MED_UNCERTAIN] = "uncertain"};
const char *const med_section_name[MED_SECTION_COUNT] = {
    [MED_SECTION_START] = "(start)",
    [MED_SECTION_PRESENT_ILLNESS] = "History of present illness",
    [MED_SECTION_PAST_HISTORY] = "Past medical history",
    [MED_SECTION_FAMILY] = "Family history",
    [MED_SECTION_EXAMINATION] = "Physical examination",
    [MED_SECTION_LABORATORY] = "Laboratory",
    [MED_SECTION_IMAGING] = "Imaging",
    [MED_SECTION_ASSESSMENT] = "Assessment",
    [MED_SECTION_PLAN] = "Plan",
    [MED_SECTION_MEDICATIONS] = "Medications",
    [MED_SECTION_SOCIAL] = "Social history",
    [MED_SECTION_OTHER] = "Other"};

/* ---- growing --------------------------------------------------------------------------------- */

static bool notes_room(void *array, uint32_t n, uint32_t *cap, uint32_t max, size_t size)
{
    if (n < *cap) return true;
    uint32_t c = *cap ? *cap * 2 : 256;
    void **p = array, *q = n >= max ? NULL : r1_realloc_array(*p, c, size);
    if (!q) return false;
    *p = q;
    *cap = c;
    return true;
}

static r1_status too_many(r1_err *err)
{
    R1_FAIL(err, R1_E_NOMEM, "a record with more findings, sentences or sections than are read");
}

r1_status med_mention_add(med_notes *n, const med_mention *m, r1_err *err)
{
    if (!notes_room(&n->mention, n->n_mention, &n->cap_mention, MED_MENTIONS_MAX,
                    sizeof *n->mention))
        return too_many(err);
    R1_ASSERT(m->sentence < n->n_sentence, "mention: sentence %u of %u", m->sentence,
              n->n_sentence);
    const med_sentence *s = &n->sentence[m->sentence];
    R1_ASSERT(s->start <= m->start && m->start < m->end && m->end <= s->end,
              "mention: bytes %u to %u in a sentence from %u to %u", m->start, m->end, s->start,
              s->end);
    R1_ASSERT(m->cue_start <= m->cue_end && m->cue_end <= n->len, "cue: bytes %u to %u of %zu",
              m->cue_start, m->cue_end, n->len);
    n->mention[n->n_mention++] = *m;
    return R1_OK;
}

/* ---- sections -------------------------------------------------------------------------------- */

uint32_t med_section_of(const char *heading, size_t len)
{
    static const struct {
        const char *word;
        uint32_t section;
    } known[] = {{"history of present illness", MED_SECTION_PRESENT_ILLNESS},
                 {"hpi", MED_SECTION_PRESENT_ILLNESS},
                 {"presenting complaint", MED_SECTION_PRESENT_ILLNESS},
                 {"chief complaint", MED_SECTION_PRESENT_ILLNESS},
                 {"clinical history", MED_SECTION_PRESENT_ILLNESS},
                 {"reason for referral", MED_SECTION_PRESENT_ILLNESS},
                 {"present illness", MED_SECTION_PRESENT_ILLNESS},
                 {"past medical history", MED_SECTION_PAST_HISTORY},
                 {"past history", MED_SECTION_PAST_HISTORY},
                 {"medical history", MED_SECTION_PAST_HISTORY},
                 {"pmh", MED_SECTION_PAST_HISTORY},
                 {"birth history", MED_SECTION_PAST_HISTORY},
                 {"surgical history", MED_SECTION_PAST_HISTORY},
                 {"developmental history", MED_SECTION_PAST_HISTORY},
                 {"family history", MED_SECTION_FAMILY},
                 {"fh", MED_SECTION_FAMILY},
                 {"pedigree", MED_SECTION_FAMILY},
                 {"physical examination", MED_SECTION_EXAMINATION},
                 {"physical exam", MED_SECTION_EXAMINATION},
                 {"examination", MED_SECTION_EXAMINATION},
                 {"on examination", MED_SECTION_EXAMINATION},
                 {"neurological examination", MED_SECTION_EXAMINATION},
                 {"review of systems", MED_SECTION_EXAMINATION},
                 {"ros", MED_SECTION_EXAMINATION},
                 {"laboratory", MED_SECTION_LABORATORY},
                 {"laboratory findings", MED_SECTION_LABORATORY},
                 {"labs", MED_SECTION_LABORATORY},
                 {"laboratory results", MED_SECTION_LABORATORY},
                 {"investigations", MED_SECTION_LABORATORY},
                 {"imaging", MED_SECTION_IMAGING},
                 {"radiology", MED_SECTION_IMAGING},
                 {"mri", MED_SECTION_IMAGING},
                 {"echocardiography", MED_SECTION_IMAGING},
                 {"assessment", MED_SECTION_ASSESSMENT},
                 {"impression", MED_SECTION_ASSESSMENT},
                 {"summary", MED_SECTION_ASSESSMENT},
                 {"discussion", MED_SECTION_ASSESSMENT},
                 {"plan", MED_SECTION_PLAN},
                 {"recommendations", MED_SECTION_PLAN},
                 {"follow-up", MED_SECTION_PLAN},
                 {"return precautions", MED_SECTION_PLAN},
                 {"medications", MED_SECTION_MEDICATIONS},
                 {"current medications", MED_SECTION_MEDICATIONS},
                 {"social history", MED_SECTION_SOCIAL},
                 {"allergies", MED_SECTION_OTHER},
                 {"growth", MED_SECTION_EXAMINATION},
                 {"course", MED_SECTION_PRESENT_ILLNESS},
                 {"hospital course", MED_SECTION_PRESENT_ILLNESS},
                 {"ophthalmology", MED_SECTION_EXAMINATION},
                 {"cardiology", MED_SECTION_EXAMINATION}};
    while (len && (heading[len - 1] == ':' || heading[len - 1] == ' ' || heading[len - 1] == '#'))
        len--;
    while (len && (*heading == '#' || *heading == ' ' || *heading == '*')) heading++, len--;
    for (size_t i = 0; i < R1_COUNT(known); i++)
        if (strlen(known[i].word) == len && strncasecmp(heading, known[i].word, len) == 0)
            return known[i].section;
    return 0;
}

/* A heading is a short line of its own, or what stands before a colon at the start of a line. */
static size_t heading_len(const char *line, size_t len, uint32_t *section)
{
    const char *colon = memchr(line, ':', len < 60 ? len : 60);
    size_t n = colon ? (size_t)(colon - line) : len;
    if (n > 48) return 0;
    *section = med_section_of(line, n);
    return *section ? (colon ? n + 1 : len) : 0;
}

static r1_status add_sentence(med_notes *n, uint32_t start, uint32_t end, r1_err *err)
{
    while (start < end && strchr(" \t\r\n", n->text[start])) start++;
    while (end > start && strchr(" \t\r\n", n->text[end - 1])) end--;
    if (start == end) return R1_OK;
    if (!notes_room(&n->sentence, n->n_sentence, &n->cap_sentence, 1000000, sizeof *n->sentence))
        return too_many(err);
    n->sentence[n->n_sentence++] = (med_sentence){start, end, n->n_section - 1};
    return R1_OK;
}

static bool notes_abbreviation(const char *text, uint32_t dot, uint32_t from)
{
    static const char *const known[] = {"dr",     "mr",  "mrs", "ms", "vs", "no", "fig",
                                        "approx", "e.g", "i.e", "st", "wk", "al"};
    uint32_t a = dot;
    while (a > from && text[a - 1] != ' ' && text[a - 1] != '\n' && text[a - 1] != '(') a--;
    size_t len = dot - a;
    for (size_t i = 0; i < R1_COUNT(known); i++)
        if (strlen(known[i]) == len && strncasecmp(text + a, known[i], len) == 0) return true;
    return len == 1 && text[a] >= 'A' && text[a] <= 'Z';
}

/* A sentence ends at . ! ? before blank and capital or digit, at an empty line, and where a list
 * item begins. */
static bool ends_here(const med_notes *n, uint32_t at, uint32_t from, uint32_t end)
{
    char c = n->text[at];
    if (c == '\n') {
        if (at + 1 >= end) return true;
        char next = n->text[at + 1];
        return next == '\n' || next == '-' || next == '*' || next == '\r' ||
               (at > from && n->text[at - 1] == '\n');
    }
    if (c == '!' || c == '?') return at + 1 >= end || strchr(" \n\r\t", n->text[at + 1]) != NULL;
    if (c != '.' || at + 1 >= end || !strchr(" \n\r\t", n->text[at + 1])) return false;
    return !notes_abbreviation(n->text, at, from);
}

/* Whether the byte at `at` continues a character. */
static bool notes_within_char(const char *text, uint32_t at, uint32_t end)
{
    return at < end && ((unsigned char)text[at] & 0xc0) == 0x80;
}

static r1_status split_sentences(med_notes *n, uint32_t start, uint32_t end, r1_err *err)
{
    uint32_t from = start;
    for (uint32_t i = start; i < end; i++) {
        bool full = i - from > MED_SENTENCE_BYTES && !notes_within_char(n->text, i + 1, end);
        bool cut = ends_here(n, i, from, end) || full;
        if (!cut) continue;
        R1_TRY(add_sentence(n, from, i + 1, err));
        from = i + 1;
    }
    return add_sentence(n, from, end, err);
}

static r1_status open_section(med_notes *n, uint32_t at, uint32_t name, r1_err *err)
{
    if (!notes_room(&n->section, n->n_section, &n->cap_section, 100000, sizeof *n->section))
        return too_many(err);
    n->section[n->n_section++] = (med_section){at, at, name};
    return R1_OK;
}

static r1_status split_sections(med_notes *n, r1_err *err)
{
    R1_TRY(open_section(n, 0, MED_SECTION_START, err));
    uint32_t body = 0, len = (uint32_t)n->len;
    for (uint32_t at = 0; at < len;) {
        const char *nl = memchr(n->text + at, '\n', len - at);
        uint32_t stop = nl ? (uint32_t)(nl - n->text) : len, name = 0;
        size_t head = heading_len(n->text + at, stop - at, &name);
        if (head) {
            R1_TRY(split_sentences(n, body, at, err));
            n->section[n->n_section - 1].end = at;
            R1_TRY(open_section(n, at, name, err));
            body = at + (uint32_t)head;
        }
        at = stop + 1;
    }
    n->section[n->n_section - 1].end = len;
    return split_sentences(n, body < len ? body : len, len, err);
}

/* ---- tokens ---------------------------------------------------------------------------------- */

static bool notes_word_byte(const char *s, uint32_t i, uint32_t end)
{
    unsigned char c = (unsigned char)s[i];
    if (c < 128) return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
    /* general punctuation (U+2000..U+206F: dashes, quotes) and Latin-1 signs separate words */
    if (c == 0xe2 && i + 1 < end &&
        ((unsigned char)s[i + 1] == 0x80 || (unsigned char)s[i + 1] == 0x81))
        return false;
    if (c == 0xc2) return false;
    if ((c & 0xc0) == 0x80 && i > 0 && (unsigned char)s[i - 1] == 0xc2) return false;
    if ((c & 0xc0) == 0x80 && i > 0 && (unsigned char)s[i - 1] == 0xe2) return false;
    if ((c & 0xc0) == 0x80 && i > 1 && (unsigned char)s[i - 2] == 0xe2 &&
        ((unsigned char)s[i - 1] & 0xfe) == 0x80)
        return false;
    return true;
}

static bool normal_word(const char *s, size_t len)
{
    static const char *const words[] = {"normal", "intact", "unremarkable", "healthy", "normally"};
    for (size_t i = 0; i < R1_COUNT(words); i++)
        if (strlen(words[i]) == len && strncasecmp(s, words[i], len) == 0) return true;
    return false;
}

static uint32_t notes_tokenize(const med_lexicon *lex, const char *s, uint32_t start, uint32_t end,
                               med_token *t, uint32_t max)
{
    uint32_t n = 0;
    for (uint32_t i = start; i < end && n < max;) {
        uint32_t j = i;
        while (j < end && notes_word_byte(s, j, end)) j++;
        if (j > i) {
            bool light;
            t[n] = (med_token){.start = i, .end = j};
            t[n].word = med_lexicon_word(lex, s + i, j - i, &light);
            t[n].light = light;
            size_t len = j - i;
            t[n].normal = normal_word(s + i, len);
            t[n].conj = (len == 3 && strncasecmp(s + i, "and", 3) == 0) ||
                        (len == 2 && strncasecmp(s + i, "or", 2) == 0) ||
                        (len == 3 && strncasecmp(s + i, "nor", 3) == 0);
            n++;
            i = j;
            continue;
        }
        if (strchr(".,;:!?()/[]\"+&", s[i]))
            t[n++] = (med_token){.start = i,
                                 .end = i + 1,
                                 .word = MED_WORD_STOP,
                                 .punct = true,
                                 .conj = s[i] == ',' || s[i] == '/' || s[i] == '&'};
        i++;
    }
    return n;
}

/* ---- recognition ----------------------------------------------------------------------------- */

/* The words that count, in order; sep tells what stood before each: 0 nothing, 1 a comma, 2 a
 * conjunction, 3 a barrier (another clause). */
typedef struct {
    uint32_t token[MED_SENTENCE_TOKENS];
    uint8_t sep[MED_SENTENCE_TOKENS];
    uint32_t n;
} content;

typedef struct {
    uint32_t from, to, run_from,
        run_to; /* content indices; the run in between is not part of it (empty: equal) */
    const med_pattern *p;
    uint32_t normal; /* token that says "normal": the finding is denied; MED_NONE */
} hit;

static bool clause_word(const char *s, size_t len)
{
    static const char *const words[] = {"he",  "she", "they", "which", "that",
                                        "had", "has", "have", "who",   "but"};
    for (size_t i = 0; i < R1_COUNT(words); i++)
        if (strlen(words[i]) == len && strncasecmp(s, words[i], len) == 0) return true;
    return false;
}

static void notes_content_of(const med_token *t, uint32_t n, const char *s, content *c)
{
    uint8_t sep = 0;
    c->n = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint8_t here = 0;
        if (t[i].conj) here = s[t[i].start] == ',' ? 1 : 2;
        if (t[i].punct && strchr(".;:!?()[]\"", s[t[i].start])) here = 3;
        if (clause_word(s + t[i].start, t[i].end - t[i].start)) here = 3;
        if (here > sep) sep = here;
        if (t[i].word == MED_WORD_STOP) continue;
        c->token[c->n] = i;
        c->sep[c->n++] = sep;
        sep = 0;
    }
}

static void try_hash(const med_lexicon *lex, const med_token *t, const char *s, const content *c,
                     hit h, uint64_t hash, uint32_t n_word, uint64_t order, hit *hits, uint32_t *n)
{
    const med_token *a = &t[c->token[h.from]], *b = &t[c->token[h.to]];
    h.p = n_word && *n < HITS_MAX
              ? med_lexicon_find(lex, hash, n_word, s + a->start, b->end - a->start)
              : NULL;
    /* across a comma or "and" the order must be the name's, and the name must have such a join
     * itself */
    if (h.p && (!order || (h.p->order == order && h.p->joined))) hits[(*n)++] = h;
}

/* "Normal gait", "speech normal": the abnormality of that name, denied. The word stands at one
 * end, nothing between. */
static void try_normal(const med_lexicon *lex, const med_token *t, const char *s, const content *c,
                       uint32_t from, uint32_t to, hit *hits, uint32_t *n)
{
    bool light;
    bool first = t[c->token[from]].normal, last = t[c->token[to]].normal;
    int32_t abnormal = med_lexicon_word(lex, "abnormal", 8, &light);
    if (first == last || abnormal < 0) return;
    uint64_t hash = med_lexicon_mix(abnormal);
    for (uint32_t i = from + first; i <= to - last; i++) {
        if (t[c->token[i]].word < 0) return;
        hash += med_lexicon_mix(t[c->token[i]].word);
    }
    for (uint32_t i = from + 1; i <= to; i++)
        if (c->sep[i]) return;
    hit h = {from, to, from, from, NULL, c->token[first ? from : to]};
    try_hash(lex, t, s, c, h, hash, to - from + 1, 0, hits, n);
}

/* One window: all its words; without degrees and sides; and without each run of a coordination. */
static void try_window(const med_lexicon *lex, const med_token *t, const char *s, const content *c,
                       uint32_t from, uint32_t to, hit *hits, uint32_t *n)
{
    uint64_t all = 0, core = 0, order_all = 0, order_core = 0;
    uint32_t n_all = 0, n_core = 0, n_unknown = 0, n_conj = 0, n_sep = 0;
    for (uint32_t i = from; i <= to; i++) {
        const med_token *w = &t[c->token[i]];
        n_conj += i > from && c->sep[i] == 2;
        n_sep += i > from && c->sep[i] != 0;
        if (w->word < 0) {
            n_unknown += !w->light;
            continue;
        }
        uint64_t m = med_lexicon_mix(w->word);
        all += m, n_all++;
        order_all = med_lexicon_next(order_all, m);
        if (w->light) continue;
        core += m, n_core++;
        order_core = med_lexicon_next(order_core, m);
    }
    hit h = {from, to, from, from, NULL, MED_NONE};
    if (!n_unknown) {
        try_hash(lex, t, s, c, h, all, n_all, n_sep ? order_all : 0, hits, n);
        bool ends_plain = !t[c->token[from]].light && !t[c->token[to]].light;
        if (n_core != n_all && ends_plain)
            try_hash(lex, t, s, c, h, core, n_core, n_sep ? order_core : 0, hits, n);
    }
    if (!n_conj || n_unknown > RUN_MAX) return;
    for (uint32_t a = from + 1; a < to; a++)
        for (uint32_t b = a; b < to && b < a + RUN_MAX; b++) {
            if (!c->sep[a] && !c->sep[b + 1]) continue;
            uint64_t rest = core;
            uint32_t n_rest = n_core, left = n_unknown;
            for (uint32_t i = a; i <= b; i++) {
                const med_token *w = &t[c->token[i]];
                if (w->light) continue;
                if (w->word < 0)
                    left--;
                else
                    rest -= med_lexicon_mix(w->word), n_rest--;
            }
            hit g = {from, to, a, b + 1, NULL, MED_NONE};
            if (!left && n_rest > 1) try_hash(lex, t, s, c, g, rest, n_rest, 0, hits, n);
        }
}

static uint32_t find_hits(const med_lexicon *lex, const med_token *t, const char *s,
                          const content *c, hit *hits)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        if (t[c->token[i]].word < 0 && !t[c->token[i]].normal) continue;
        for (uint32_t j = i; j < c->n && j < i + WINDOW; j++) {
            if (j > i && c->sep[j] == 3) break;
            if (j > i && j < i + 4) try_normal(lex, t, s, c, i, j, hits, &n);
            if (t[c->token[i]].word >= 0 && t[c->token[j]].word >= 0)
                try_window(lex, t, s, c, i, j, hits, &n);
        }
    }
    return n;
}

/* What is said to be there before what is said to be normal; longest first; then without a gap;
 * then the tighter; then from left to right: a total order. */
static int by_merit(const void *a, const void *b)
{
    const hit *x = a, *y = b;
    if ((x->normal == MED_NONE) != (y->normal == MED_NONE)) return x->normal == MED_NONE ? -1 : 1;
    if (x->p->n_word != y->p->n_word) return x->p->n_word > y->p->n_word ? -1 : 1;
    uint32_t gx = x->run_to - x->run_from, gy = y->run_to - y->run_from;
    if (gx != gy) return gx < gy ? -1 : 1;
    if (x->to - x->from != y->to - y->from) return x->to - x->from < y->to - y->from ? -1 : 1;
    if (x->from != y->from) return x->from < y->from ? -1 : 1;
    return (x->p->term > y->p->term) - (x->p->term < y->p->term);
}

/* A hit without a gap needs its words for itself; one across a coordination shares its head and
 * needs one of its own. */
static bool take_words(const hit *h, uint8_t *taken)
{
    uint32_t own = 0, shared = 0;
    for (uint32_t i = h->from; i <= h->to; i++)
        if (i < h->run_from || i >= h->run_to) own += !taken[i], shared += taken[i] != 0;
    bool gap = h->run_to > h->run_from;
    if (gap ? own == 0 : shared > 0) return false;
    for (uint32_t i = h->from; i <= h->to; i++)
        if (i < h->run_from || i >= h->run_to) taken[i] = 1;
    return true;
}

static r1_status add_mention(med_notes *n, const med_token *t, uint32_t n_token, const content *c,
                             const hit *h, uint32_t sentence, r1_err *err)
{
    uint32_t used[WINDOW + 1], n_used = 0;
    for (uint32_t i = h->from; i <= h->to; i++)
        if (i < h->run_from || i >= h->run_to) used[n_used++] = c->token[i];
    med_mention m = {.term = h->p->term,
                     .start = t[used[0]].start,
                     .end = t[used[n_used - 1]].end,
                     .sentence = sentence};
    med_find_status(n, t, n_token, used, n_used, &m);
    if (h->normal != MED_NONE && (m.status == MED_PRESENT || m.status == MED_ABSENT)) {
        m.status = m.status == MED_PRESENT ? MED_ABSENT : MED_PRESENT; /* "not normal" */
        m.cue_start = t[h->normal].start;
        m.cue_end = t[h->normal].end;
    }
    return med_mention_add(n, &m, err);
}

static int by_start(const void *a, const void *b)
{
    const med_mention *x = a, *y = b;
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;
    return (x->term > y->term) - (x->term < y->term);
}

static r1_status read_sentence(med_notes *n, const med_lexicon *lex, uint32_t index, r1_err *err)
{
    static _Thread_local med_token t[MED_SENTENCE_TOKENS];
    static _Thread_local content c;
    static _Thread_local hit hits[HITS_MAX];
    uint8_t taken[MED_SENTENCE_TOKENS] = {0};
    med_sentence *s = &n->sentence[index];
    uint32_t n_token = notes_tokenize(lex, n->text, s->start, s->end, t, MED_SENTENCE_TOKENS);
    for (uint32_t i = 0; i < n_token; i++) n->n_word += !t[i].punct;
    notes_content_of(t, n_token, n->text, &c);
    uint32_t n_hit = find_hits(lex, t, n->text, &c, hits);
    qsort(hits, n_hit, sizeof *hits, by_merit);
    for (uint32_t i = 0; i < n_hit; i++)
        if (take_words(&hits[i], taken))
            R1_TRY(add_mention(n, t, n_token, &c, &hits[i], index, err));
    return R1_OK;
}

static r1_status check_text(const char *what, const char *text, size_t len, r1_err *err)
{
    if (len > MED_RECORD_BYTES_MAX)
        R1_FAIL(err, R1_E_FORMAT,
                "%s: %zu bytes; a record may have at most %zu (split it by encounter)", what, len,
                MED_RECORD_BYTES_MAX);
    size_t blank = 0;
    for (size_t i = 0; i < len;) {
        utf8proc_int32_t cp;
        utf8proc_ssize_t k =
            utf8proc_iterate((const utf8proc_uint8_t *)text + i, (utf8proc_ssize_t)(len - i), &cp);
        if (k <= 0 || cp == 0)
            R1_FAIL(err, R1_E_FORMAT,
                    "%s: not UTF-8 text at byte %zu; export the record as plain text in UTF-8",
                    what, i);
        blank +=
            cp == ' ' || cp == '\n' || cp == '\r' || cp == '\t' || cp == 0xfeff ? (size_t)k : 0;
        i += (size_t)k;
    }
    if (blank == len) R1_FAIL(err, R1_E_FORMAT, "%s: an empty record", what);
    return R1_OK;
}

/* Sections and sentences follow one another, and each sentence lies in its section. */
static bool notes_in_order(const med_notes *n)
{
    for (uint32_t i = 1; i < n->n_section; i++)
        if (n->section[i].start != n->section[i - 1].end) return false;
    for (uint32_t i = 0; i < n->n_sentence; i++) {
        const med_sentence *s = &n->sentence[i];
        if (s->section >= n->n_section || s->start >= s->end) return false;
        const med_section *in = &n->section[s->section];
        if (s->start < in->start || s->end > in->end) return false;
        if (i && s->start < n->sentence[i - 1].end) return false;
    }
    return n->n_section && n->section[0].start == 0 && n->section[n->n_section - 1].end == n->len;
}

r1_status med_notes_read(med_notes *out, const med_lexicon *lex, const med_kb *kb, const char *what,
                         const char *text, size_t len, r1_err *err)
{
    memset(out, 0, sizeof *out);
    R1_TRY(check_text(what, text, len, err));
    out->text = text;
    out->len = len;
    out->age_years = NAN;
    r1_status st = split_sections(out, err);
    R1_DEEP_ASSERT(st != R1_OK || notes_in_order(out), "%u sections, %u sentences of %zu bytes",
                   out->n_section, out->n_sentence, len);
    for (uint32_t i = 0; i < out->n_sentence && st == R1_OK; i++) {
        st = read_sentence(out, lex, i, err);
        if (st == R1_OK) med_find_labs(out, kb, i);
    }
    if (st != R1_OK) {
        med_notes_free(out);
        return st;
    }
    if (out->n_mention) qsort(out->mention, out->n_mention, sizeof *out->mention, by_start);
    med_find_person(out);
    return R1_OK;
}

void med_notes_free(med_notes *n)
{
    free(n->section);
    free(n->sentence);
    free(n->mention);
    memset(n, 0, sizeof *n);
}

static bool counts_as(med_status s, med_status wanted)
{
    return s == wanted || (wanted == MED_PRESENT && s == MED_HISTORICAL);
}

uint32_t med_notes_findings(const med_notes *n, med_status status, med_finding *out)
{
    uint32_t k = 0;
    for (uint32_t i = 0; i < n->n_mention; i++) {
        const med_mention *m = &n->mention[i];
        if (!counts_as(m->status, status)) continue;
        uint32_t at = 0;
        while (at < k && out[at].term != m->term) at++;
        if (at == k) out[k++] = (med_finding){m->term, 0, i};
        out[at].n_mention++;
    }
    return k;
}
