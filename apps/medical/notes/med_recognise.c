/* SPDX-License-Identifier: Apache-2.0 */
/* med_recognise.c - see med_recognise.h. Owns windows of words, their hits, and which of them
 * stand. */
#include "notes/med_recognise.h"

#include "r1_assert.h"

#include <stdlib.h>
#include <string.h>

enum { WINDOW = 9, RUN_MAX = 3 };

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

typedef struct {
    hit hit[MED_HITS_MAX];
    uint32_t n, n_unread;
} hit_list;

static bool clause_word(const char *s, size_t len)
{
    static const char *const words[] = {"he",  "she", "they", "which", "that",
                                        "had", "has", "have", "who",   "but"};
    for (size_t i = 0; i < R1_COUNT(words); i++)
        if (strlen(words[i]) == len && strncasecmp(s, words[i], len) == 0) return true;
    return false;
}

/* A mark that no name of a finding reaches over. */
static bool mark_divides(char mark)
{
    return mark && (mark < ' ' || strchr(".;:!?()[]\"|=", mark));
}

static void notes_content_of(const med_token *t, uint32_t n, const char *s, content *c)
{
    uint8_t sep = 0;
    c->n = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint8_t here = 0;
        if (t[i].conj) here = t[i].mark == ',' ? 1 : 2;
        if (t[i].conj && !t[i].mark && (s[t[i].start] | 32) == 'n') here = 3; /* nor */
        if (mark_divides(t[i].mark)) here = 3;
        if (clause_word(s + t[i].start, t[i].end - t[i].start)) here = 3;
        if (here > sep) sep = here;
        if (t[i].word == MED_WORD_STOP) continue;
        c->token[c->n] = i;
        c->sep[c->n++] = sep;
        sep = 0;
    }
}

static void try_hash(const med_lexicon *lex, const med_token *t, const char *s, const content *c,
                     hit h, uint64_t hash, uint32_t n_word, uint64_t order, hit_list *hits)
{
    const med_token *a = &t[c->token[h.from]], *b = &t[c->token[h.to]];
    h.p = n_word ? med_lexicon_find(lex, hash, n_word, s + a->start, b->end - a->start) : NULL;
    /* across a comma or "and" the order must be the name's, and the name must have such a join
     * itself */
    if (!h.p || (order && (h.p->order != order || !h.p->joined))) return;
    if (hits->n < MED_HITS_MAX)
        hits->hit[hits->n++] = h;
    else
        hits->n_unread++;
}

/* "Normal gait", "speech normal": the abnormality of that name, denied. The word stands at one
 * end, nothing between. */
static void try_normal(const med_lexicon *lex, const med_token *t, const char *s, const content *c,
                       uint32_t from, uint32_t to, hit_list *hits)
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
    try_hash(lex, t, s, c, h, hash, to - from + 1, 0, hits);
}

/* One window: all its words; without degrees and sides; and without each run of a coordination. */
static void try_window(const med_lexicon *lex, const med_token *t, const char *s, const content *c,
                       uint32_t from, uint32_t to, hit_list *hits)
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
        try_hash(lex, t, s, c, h, all, n_all, n_sep ? order_all : 0, hits);
        bool ends_plain = !t[c->token[from]].light && !t[c->token[to]].light;
        if (n_core != n_all && ends_plain)
            try_hash(lex, t, s, c, h, core, n_core, n_sep ? order_core : 0, hits);
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
            if (!left && n_rest > 1) try_hash(lex, t, s, c, g, rest, n_rest, 0, hits);
        }
}

static void find_hits(const med_lexicon *lex, const med_token *t, const char *s, const content *c,
                      hit_list *hits)
{
    hits->n = hits->n_unread = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        if (t[c->token[i]].word < 0 && !t[c->token[i]].normal) continue;
        for (uint32_t j = i; j < c->n && j < i + WINDOW; j++) {
            if (j > i && c->sep[j] == 3) break;
            if (j > i && j < i + 4) try_normal(lex, t, s, c, i, j, hits);
            if (t[c->token[i]].word >= 0 && t[c->token[j]].word >= 0)
                try_window(lex, t, s, c, i, j, hits);
        }
    }
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

/* The words of a hit among the tokens; their number. */
static uint32_t hit_words(const content *c, const hit *h, uint32_t used[WINDOW + 1])
{
    uint32_t n = 0;
    for (uint32_t i = h->from; i <= h->to; i++)
        if (i < h->run_from || i >= h->run_to) used[n++] = c->token[i];
    R1_ASSERT(n && used[0] <= used[n - 1], "hit: %u words", n);
    return n;
}

struct med_recogniser {
    const med_lexicon *lex;
    content c;
    hit_list hits;
    uint8_t taken[MED_SENTENCE_TOKENS];
    bool own[MED_SENTENCE_TOKENS];
    med_found found[MED_SENTENCE_TOKENS];
};

r1_status med_recogniser_new(med_recogniser **out, const med_lexicon *lex, r1_err *err)
{
    *out = malloc(sizeof **out);
    if (!*out) R1_FAIL(err, R1_E_NOMEM, "no memory to recognise findings");
    (*out)->lex = lex;
    return R1_OK;
}

void med_recogniser_free(med_recogniser *r) { free(r); }

static int by_token(const void *a, const void *b)
{
    const med_found *x = a, *y = b;
    if (x->first != y->first) return x->first < y->first ? -1 : 1;
    if (x->last != y->last) return x->last < y->last ? -1 : 1;
    return (x->term > y->term) - (x->term < y->term);
}

/* The hits that stand, in the order of the text, and which tokens they own. */
static uint32_t choose_hits(med_recogniser *r, uint32_t n_token)
{
    uint32_t n = 0, used[WINDOW + 1];
    memset(r->taken, 0, r->c.n);
    memset(r->own, 0, n_token * sizeof *r->own);
    qsort(r->hits.hit, r->hits.n, sizeof *r->hits.hit, by_merit);
    for (uint32_t i = 0; i < r->hits.n && n < MED_SENTENCE_TOKENS; i++) {
        const hit *h = &r->hits.hit[i];
        if (!take_words(h, r->taken)) continue;
        uint32_t k = hit_words(&r->c, h, used);
        r->found[n++] = (med_found){h->p->term, used[0], used[k - 1], h->normal};
        while (k > 0) r->own[used[--k]] = true;
    }
    if (n > 1) qsort(r->found, n, sizeof *r->found, by_token);
    return n;
}

uint32_t med_recognise(med_recogniser *r, const char *text, const med_token *t, uint32_t n,
                       const med_found **found, const bool **own, uint32_t *n_unread)
{
    R1_ASSERT(n <= MED_SENTENCE_TOKENS, "unit: %u tokens", n);
    notes_content_of(t, n, text, &r->c);
    find_hits(r->lex, t, text, &r->c, &r->hits);
    *n_unread += r->hits.n_unread;
    *found = r->found;
    *own = r->own;
    return choose_hits(r, n);
}
