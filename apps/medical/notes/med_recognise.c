/* SPDX-License-Identifier: Apache-2.0 */
/* med_recognise.c - see med_recognise.h. Owns windows of words, their hits, and which of them
 * stand. */
#include "notes/med_recognise.h"

#include "notes/med_abbreviations.h"
#include "notes/med_cues.h"

#include "r1_assert.h"

#include <stdlib.h>
#include <string.h>

enum {
    WINDOW = 9,
    RUN_MAX = 3,
    LABEL_WORDS = 2,
    LABEL_TOKENS = 8,
    HEADING_TOKENS = 12,
    NEAR_BEFORE = 3, /* words before and behind a finding that may make it more precise */
    NEAR_BEHIND = 5,
    MEMBERS = 5, /* of a list behind "normal" */
    SEGMENT_WORDS = 4,
    HANGING_MAX = 16,  /* of a unit: "micro- and" */
    HANGING_REACH = 7, /* tokens from it to the word that completes it */
    TAIL_LETTERS = 4,  /* that they share, at least */
    ID_WORDS = 100,    /* an id counts more than any name */
    ID_DIGITS = 7
};

/* The words that count, in order. */
typedef struct {
    uint32_t token[MED_SENTENCE_TOKENS];
    int32_t word[MED_SENTENCE_TOKENS];
    uint64_t mix[MED_SENTENCE_TOKENS];
    uint8_t sep[MED_SENTENCE_TOKENS]; /* before it: 0 nothing, 1 a comma, 2 a conjunction, 3 a
                                         barrier (another clause) */
    uint8_t flags[MED_SENTENCE_TOKENS];
    uint8_t hanging[MED_SENTENCE_TOKENS]; /* 1 + which of hanging words, 0 for none */
    bool placed[MED_SENTENCE_TOKENS];     /* "of", "in"... stands before it */
    bool settled[MED_SENTENCE_TOKENS];    /* an abbreviation whose meaning is known */
    uint32_t n;
} content;

typedef struct {
    uint32_t from, to, run_from,
        run_to;      /* content indices; the run in between is not part of it (empty: equal) */
    uint32_t term;   /* MED_NONE: what is no finding */
    uint32_t normal; /* token that says "normal": the finding is denied; MED_NONE */
    const char *other;
    uint8_t n_word, order;
    bool label; /* an organ's label completes it */
    bool soft;  /* a name with "and" in it: its parts are findings too */
} hit;

/* What a record introduces: "atrial septal defect (ASD)". term MED_NONE: no finding. */
typedef struct {
    char letters[MED_ABBREVIATION_BYTES];
    uint32_t term;
} introduced;

struct med_recogniser {
    const med_lexicon *lex;
    const char *text; /* of the record */
    size_t text_len;
    const med_token *t; /* of the unit */
    uint32_t n_token;
    content c;
    int32_t head[LABEL_WORDS]; /* of the heading */
    uint32_t n_head, head_start, head_end;
    char hanging[HANGING_MAX][MED_WORD_BYTES];
    uint32_t n_hanging;
    hit hit[MED_HITS_MAX];
    uint32_t n_hit, n_unread;
    introduced intro[MED_INTRODUCED_MAX];
    uint32_t n_intro;
    uint8_t taken[MED_SENTENCE_TOKENS];
    bool own[MED_SENTENCE_TOKENS];
    med_found found[MED_SENTENCE_TOKENS];
};

/* ---- content --------------------------------------------------------------------------------- */

/* A mark that no name of a finding reaches over. */
static bool mark_divides(char mark)
{
    return mark && (mark < ' ' || strchr(".;:!?()[]\"|=", mark));
}

static bool token_hangs(const med_recogniser *r, uint32_t i)
{
    uint32_t at = r->t[i].end, end = r->t[r->n_token - 1].end;
    if (at >= end || r->t[i].punct) return false;
    med_char x = med_char_at(r->text, at, end);
    if (x.kind != MED_CHAR_MARK || x.mark != '-' || i + 1 >= r->n_token) return false;
    uint32_t k = i + 1;
    if (r->t[k].punct && r->t[k].mark == '-') k++;
    return k < r->n_token && r->t[k].conj;
}

/* The word that a hanging one stands for: "micro-" before "retrognathia" is micrognathia. Returns
 * its number, MED_WORD_UNKNOWN for none. */
static int32_t hanging_word(med_recogniser *r, uint32_t i)
{
    char head[MED_WORD_BYTES], host[MED_WORD_BYTES];
    uint32_t k = i + 1, end = i + HANGING_REACH < r->n_token ? i + HANGING_REACH : r->n_token;
    while (k < end && (r->t[k].punct || r->t[k].conj || token_hangs(r, k))) k++;
    if (k == end) return MED_WORD_UNKNOWN;
    if (r->n_hanging == HANGING_MAX) {
        r->n_unread++;
        return MED_WORD_UNKNOWN;
    }
    size_t n = med_token_text(r->text, &r->t[i], head), m = med_token_text(r->text, &r->t[k], host);
    char *as = r->hanging[r->n_hanging];
    for (size_t cut = 1; n && cut + TAIL_LETTERS <= m && n + m - cut < MED_WORD_BYTES; cut++) {
        uint8_t flags;
        memcpy(as, head, n);
        memcpy(as + n, host + cut, m - cut);
        as[n + m - cut] = '\0';
        int32_t word = med_lexicon_word(r->lex, as, n + m - cut, &flags);
        if (word < 0 || word == r->t[k].word || flags & MED_WORD_GUESSED) continue;
        r->n_hanging++;
        return word;
    }
    return MED_WORD_UNKNOWN;
}

static bool token_is_digit(const med_recogniser *r, uint32_t i)
{
    const med_token *t = &r->t[i];
    return t->end == t->start + 1 && r->text[t->start] >= '0' && r->text[t->start] <= '9';
}

/* "2,3 toe syndactyly", "2/3": the mark is a hyphen of those who write so. */
static bool token_ties(const med_recogniser *r, uint32_t i)
{
    return i > 0 && i + 1 < r->n_token && r->t[i - 1].end == r->t[i].start &&
           r->t[i].end == r->t[i + 1].start && token_is_digit(r, i - 1) && token_is_digit(r, i + 1);
}

static uint8_t token_separates(const med_recogniser *r, uint32_t i)
{
    const med_token *t = &r->t[i];
    uint8_t here = 0;
    if (t->conj && t->mark && token_ties(r, i)) return 0;
    if (t->conj) here = t->mark == ',' ? 1 : 2;
    if (t->conj && !t->mark && (r->text[t->start] | 32) == 'n') here = 3; /* nor */
    if (mark_divides(t->mark)) here = 3;
    return t->flags & MED_WORD_BAR ? 3 : here;
}

static void content_of(med_recogniser *r)
{
    content *c = &r->c;
    uint8_t sep = 0;
    bool placed = false;
    c->n = r->n_hanging = 0;
    for (uint32_t i = 0; i < r->n_token; i++) {
        const med_token *t = &r->t[i];
        uint8_t here = token_separates(r, i);
        if (here > sep) sep = here;
        placed |= t->flags & MED_WORD_PLACE;
        if (t->word == MED_WORD_STOP) continue;
        uint32_t k = c->n++, before = r->n_hanging;
        c->word[k] = t->word;
        c->flags[k] = t->flags;
        if (token_hangs(r, i)) {
            int32_t word = hanging_word(r, i);
            if (word >= 0) c->word[k] = word, c->flags[k] = 0;
        }
        c->hanging[k] = (uint8_t)(r->n_hanging > before ? r->n_hanging : 0);
        c->mix[k] = c->word[k] < 0 ? 0 : med_lexicon_mix(c->word[k]);
        c->token[k] = i;
        c->sep[k] = sep;
        c->placed[k] = placed;
        c->settled[k] = false;
        sep = 0;
        placed = false;
    }
}

/* ---- hits ------------------------------------------------------------------------------------ */

static void hit_add(med_recogniser *r, const hit *h)
{
    if (r->n_hit < MED_HITS_MAX)
        r->hit[r->n_hit++] = *h;
    else
        r->n_unread++;
}

/* Whether a word that a name may hold stands right behind content `to`: "ears with small | pit". */
static bool content_goes_on(const med_recogniser *r, uint32_t to)
{
    const content *c = &r->c;
    uint32_t next = to + 1;
    return next < c->n && !c->sep[next] && c->token[next] == c->token[to] + 1 &&
           c->word[next] >= 0 && !(c->flags[next] & MED_WORD_LIGHT);
}

/* "Hypoplastic nasal | alae": an adjective where the name ends in its noun. */
static bool ends_as_adjective(const med_recogniser *r, const hit *h, const med_pattern *p)
{
    static const char *const endings[] = {"al", "ar", "ic", "ous"};
    const med_token *t = &r->t[r->c.token[h->to]];
    size_t n = t->end - t->start, n_name = strlen(p->text);
    for (size_t i = 0; i < R1_COUNT(endings); i++) {
        size_t k = strlen(endings[i]);
        if (n <= k + 2 || strncasecmp(r->text + t->end - k, endings[i], k) != 0) continue;
        return n_name < k || strncasecmp(p->text + n_name - k, endings[i], k) != 0;
    }
    return false;
}

/* Behind "no speech" the clause must end: "no speech delay", "no speech or language". */
static bool denial_ends(const med_recogniser *r, uint32_t to)
{
    static const char *const may[] = {"at", "by", "until", "yet", "and", "but", "so"};
    char word[MED_WORD_BYTES];
    uint32_t i = r->c.token[to] + 1;
    bool comma = false;
    if (i < r->n_token && !r->t[i].punct) {
        size_t n = med_token_text(r->text, &r->t[i], word);
        for (size_t k = 0; k < R1_COUNT(may); k++)
            if (strlen(may[k]) == n && memcmp(may[k], word, n) == 0) return true;
        return false;
    }
    for (; i < r->n_token; i++) {
        if (r->t[i].punct && r->t[i].mark != ',') return comma || strchr(".;:)", r->t[i].mark);
        if (!comma && !r->t[i].punct) return false;
        comma = true;
        if (r->t[i].conj && !r->t[i].mark && (r->text[r->t[i].start] | 32) != 'a') return false;
    }
    return true;
}

/* "In the absence of seizures" is no absence seizure. */
static bool absence_of(const med_recogniser *r, const hit *h, const med_pattern *p)
{
    static const char head[] = "absence ";
    size_t n = sizeof head - 1;
    return h->to > h->from && r->c.placed[h->from + 1] && strncasecmp(p->text, head, n) == 0 &&
           strncasecmp(p->text + n, "of ", 3) != 0;
}

/* The nearest token on one side of token i that counts, within its clause; i for none. */
static uint32_t token_beside(const med_recogniser *r, uint32_t i, int step)
{
    int64_t k = (int64_t)i + step;
    while (k >= 0 && k < r->n_token && !r->t[k].punct && r->t[k].word == MED_WORD_STOP) k += step;
    return k >= 0 && k < r->n_token && !r->t[k].punct ? (uint32_t)k : i;
}

/* Whether a word stands beside content `at` with which it names nothing: right beside it, or small
 * words between. */
static bool word_beside(const med_recogniser *r, uint32_t at)
{
    uint32_t i = r->c.token[at], beside[] = {i ? i - 1 : i, i + 1 < r->n_token ? i + 1 : i,
                                             token_beside(r, i, -1), token_beside(r, i, 1)};
    char word[MED_WORD_BYTES], other[MED_WORD_BYTES];
    size_t len = med_token_text(r->text, &r->t[i], word);
    for (size_t k = 0; k < R1_COUNT(beside); k++) {
        size_t m = med_token_text(r->text, &r->t[beside[k]], other);
        if (beside[k] != i && med_lexicon_unless(r->lex, word, len, other, m)) return true;
    }
    return false;
}

/* "Amelia" is a person unless it stands alone, or of what it is follows. */
static bool person_named(const med_recogniser *r, uint32_t content_at)
{
    uint32_t i = r->c.token[content_at];
    char first = r->text[r->t[i].start];
    bool of = i + 1 < r->n_token && r->t[i + 1].flags & MED_WORD_PLACE;
    return first >= 'A' && first <= 'Z' && !of && r->c.n > 1;
}

/* Whether words in that order are the name, where they stand. seps: the strongest within them. */
static bool hit_stands(const med_recogniser *r, const hit *h, const med_pattern *p, uint32_t seps)
{
    const content *c = &r->c;
    bool gap = h->run_to > h->run_from, place = false;
    if (p->denies && !denial_ends(r, h->to)) return false;
    if (absence_of(r, h, p)) return false;
    if (p->n_word == 1 && word_beside(r, h->from)) return false;
    if (p->given && person_named(r, h->from)) return false;
    if (p->tight && c->token[h->to] - c->token[h->from] != p->n_word - 1u) return false;
    if (h->order == MED_ORDER_SAME) {
        if (!gap && seps && (!p->joined || (seps > p->joined && content_goes_on(r, h->to))))
            return false;
        return p->n_word == 1 || !content_goes_on(r, h->to) || !ends_as_adjective(r, h, p);
    }
    if ((seps && !gap) || (gap && h->order == MED_ORDER_OTHER)) return false;
    for (uint32_t i = h->from + 1; i <= h->to; i++) place |= c->placed[i];
    return place || !content_goes_on(r, h->to);
}

/* The words of a window, as they are looked up. */
typedef struct {
    uint64_t hash;
    int32_t word[WINDOW + LABEL_WORDS + 1];
    uint32_t n, n_guessed;
} words_seen;

static void seen_add(const content *c, words_seen *s, uint32_t i)
{
    s->hash += c->mix[i];
    s->word[s->n++] = c->word[i];
    s->n_guessed += (c->flags[i] & MED_WORD_GUESSED) != 0;
}

/* The pattern of words that were seen in content h->from to h->to; fills order and words of *h. */
static const med_pattern *hit_pattern(const med_recogniser *r, const words_seen *s, hit *h)
{
    const content *c = &r->c;
    med_order order = MED_ORDER_SAME;
    if (!s->n || s->n > MED_PATTERN_WORDS) return NULL;
    const med_token *a = &r->t[c->token[h->from]], *b = &r->t[c->token[h->to]];
    const char *text = r->text + a->start;
    size_t len = b->end - a->start;
    if (s->n == 1 && c->hanging[h->from]) {
        text = r->hanging[c->hanging[h->from] - 1];
        len = strlen(text);
    }
    if (s->n_guessed && s->n_guessed == s->n && s->n > 1) return NULL;
    med_met met = {s->hash, s->word, s->n, text, len, s->n_guessed > 0};
    const med_pattern *p = med_lexicon_find(r->lex, &met, &order);
    if (!p) return NULL;
    h->term = p->term;
    h->n_word = p->n_word;
    h->order = (uint8_t)order;
    return p;
}

static void seen_word(words_seen *s, int32_t word)
{
    s->hash += med_lexicon_mix(word);
    s->word[s->n++] = word;
}

static void try_words(med_recogniser *r, const words_seen *s, hit h, uint32_t seps)
{
    const med_pattern *p = hit_pattern(r, s, &h);
    if (!p || !hit_stands(r, &h, p, seps)) return;
    h.soft = seps && h.run_to == h.run_from;
    if (p->normal) {
        h.normal = r->c.token[h.from];
        h.n_word++; /* "palate intact" is more than that the palate is normal */
    }
    hit_add(r, &h);
}

static hit hit_of(uint32_t from, uint32_t to)
{
    return (hit){.from = from, .to = to, .run_from = from, .run_to = from, .normal = MED_NONE};
}

/* Whether a stretch of words may end at content j: see stretch_begins. */
static bool stretch_ends(const content *c, uint32_t j)
{
    return j + 1 == c->n || c->sep[j + 1] || c->flags[j + 1] & MED_WORD_LIGHT ||
           c->word[j + 1] < 0 || c->token[j + 1] != c->token[j] + 1;
}

/* The abnormality that words [from, to] are said to be without, behind those of *label. */
static void try_abnormal(med_recogniser *r, const words_seen *label, uint32_t from, uint32_t to,
                         hit h)
{
    static const char *const words[] = {"normal", "abnormal", "impaired"};
    const content *c = &r->c;
    uint8_t flags;
    for (size_t k = 0; k < R1_COUNT(words); k++) {
        int32_t word = med_lexicon_word(r->lex, words[k], strlen(words[k]), &flags);
        if (word < 0) continue;
        words_seen s = {.hash = med_lexicon_mix(word), .word = {word}, .n = 1};
        for (uint32_t i = 0; i < label->n; i++) seen_word(&s, label->word[i]);
        for (uint32_t i = from; i <= to; i++)
            if (c->word[i] >= 0) seen_add(c, &s, i);
        const med_pattern *p = hit_pattern(r, &s, &h);
        if (!p || p->normal != (k == 0) || (k == 2 && !stretch_ends(c, to))) continue;
        hit_add(r, &h);
        return;
    }
}

/* "Normal gait", "speech normal": the abnormality of that name, denied. The word stands at one
 * end, nothing between. */
static void try_normal(med_recogniser *r, uint32_t from, uint32_t to)
{
    const content *c = &r->c;
    bool first = r->t[c->token[from]].normal, last = r->t[c->token[to]].normal;
    if (first == last) return;
    for (uint32_t i = from + first; i <= to - last; i++)
        if (c->word[i] < 0) return;
    for (uint32_t i = from + 1; i <= to; i++)
        if (c->sep[i]) return;
    hit h = hit_of(from, to);
    h.normal = c->token[first ? from : to];
    try_abnormal(r, &(words_seen){0}, from + first, to - last, h);
}

/* "Normal lids and lashes": each further member of the list. label: of the unit, or empty. */
static void try_normal_list(med_recogniser *r, uint32_t normal, const words_seen *label)
{
    const content *c = &r->c;
    uint32_t from = normal + 1, n = 0;
    while (from < c->n && n < MEMBERS) {
        uint32_t to = from;
        while (to + 1 < c->n && !c->sep[to + 1]) to++;
        bool known = to - from < RUN_MAX && c->sep[from] < 3;
        for (uint32_t i = from; known && i <= to; i++)
            known = c->word[i] >= 0 && !r->t[c->token[i]].normal;
        if (!known) return;
        hit h = hit_of(from, to);
        h.normal = c->token[normal];
        if (n || label->n) try_abnormal(r, label, from, to, h);
        from = to + 1;
        n++;
    }
}

/* Whether a coordination from content `from` to `to` begins a new noun: "artery and an
 * aneurysm". */
static bool noun_begins(const med_recogniser *r, uint32_t from, uint32_t to)
{
    for (uint32_t i = r->c.token[from] + 1; i + 1 < r->c.token[to]; i++) {
        const med_token *t = &r->t[i + 1];
        size_t n = t->end - t->start;
        if (!r->t[i].conj || r->t[i].mark || n > 2 || (r->text[t->start] | 32) != 'a') continue;
        if (n == 1 || (r->text[t->start + 1] | 32) == 'n') return true;
    }
    return false;
}

static bool run_denies(const content *c, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i <= to; i++)
        if (c->flags[i] & MED_WORD_DENIAL) return true;
    return false;
}

/* Without each run of a coordination: "short [fingers and] toes". */
static void try_runs(med_recogniser *r, uint32_t from, uint32_t to, uint32_t seps)
{
    const content *c = &r->c;
    for (uint32_t a = from + 1; a < to; a++)
        for (uint32_t b = a; b < to && b < a + RUN_MAX; b++) {
            if ((!c->sep[a] && !c->sep[b + 1]) || noun_begins(r, a - 1, b + 1)) continue;
            if (run_denies(c, a, b)) continue;
            words_seen rest = {0};
            for (uint32_t i = from; i <= to; i++)
                if ((i < a || i > b) && !(c->flags[i] & MED_WORD_LIGHT)) seen_add(c, &rest, i);
            hit h = hit_of(from, to);
            h.run_from = a;
            h.run_to = b + 1;
            if (rest.n > 1) try_words(r, &rest, h, seps);
        }
}

/* The windows that begin at content i: all their words; without degrees and sides; and without
 * each run of a coordination. A word that no name has ends them. */
static void find_from(med_recogniser *r, uint32_t i)
{
    const content *c = &r->c;
    words_seen all = {0}, core = {0};
    uint32_t n_conj = 0, seps = 0;
    bool known = c->word[i] >= 0;
    for (uint32_t j = i; j < c->n && j < i + WINDOW; j++) {
        if (j > i && c->sep[j] == 3) break;
        if (j > i && j < i + 4) try_normal(r, i, j);
        n_conj += j > i && c->sep[j] == 2;
        if (j > i && c->sep[j] > seps) seps = c->sep[j];
        bool light = c->flags[j] & MED_WORD_LIGHT;
        if (c->word[j] < 0) {
            known &= light;
            if (!known && !r->t[c->token[i]].normal && j > i + 3) break;
            continue;
        }
        seen_add(c, &all, j);
        if (!light) seen_add(c, &core, j);
        if (!known || c->word[i] < 0 || (i == j && c->settled[i])) continue;
        try_words(r, &all, hit_of(i, j), seps);
        bool ends_plain = !light && !(c->flags[i] & MED_WORD_LIGHT);
        if (core.n != all.n && ends_plain) try_words(r, &core, hit_of(i, j), seps);
        if (n_conj && ends_plain) try_runs(r, i, j, seps);
    }
}

/* ---- labels ---------------------------------------------------------------------------------- */

void med_recogniser_heading(med_recogniser *r, uint32_t start, uint32_t end)
{
    med_token t[HEADING_TOKENS];
    uint32_t next;
    if (start == r->head_start && end == r->head_end) return;
    r->head_start = start;
    r->head_end = end;
    r->n_head = 0;
    if (start == end) return;
    uint32_t n =
        med_tokenize(r->lex, r->text, start, end, (med_token_rules){0}, t, HEADING_TOKENS, &next);
    for (uint32_t i = 0; i < n; i++) {
        if (t[i].punct || t[i].word == MED_WORD_STOP || t[i].flags & MED_WORD_LIGHT) continue;
        if (t[i].word < 0 || r->n_head == LABEL_WORDS) {
            r->n_head = 0;
            return;
        }
        r->head[r->n_head++] = t[i].word;
    }
}

/* The words of the label that begins at content `from`: "ears:". Returns the content behind it, 0
 * where there is none. */
static uint32_t label_at(const med_recogniser *r, uint32_t from, words_seen *s)
{
    const content *c = &r->c;
    if (from >= c->n) return 0;
    uint32_t k = from, i = from ? c->token[from] : 0, stop = i + LABEL_TOKENS;
    while (i < r->n_token && i < stop && !mark_divides(r->t[i].mark)) i++;
    if (i == r->n_token || r->t[i].mark != ':') return 0;
    words_seen label = {0};
    for (; k < c->n && c->token[k] < i; k++) {
        bool light = c->flags[k] & MED_WORD_LIGHT;
        if (k == from + LABEL_WORDS || (c->word[k] < 0 && !light)) return 0;
        if (!light) seen_add(c, &label, k);
    }
    if (!label.n) return 0;
    *s = label;
    return k;
}

/* The label that the unit stands behind, its own or its heading; *from: the content behind it. */
static words_seen label_words(const med_recogniser *r, uint32_t *from)
{
    words_seen label = {0};
    *from = label_at(r, 0, &label);
    for (uint32_t i = 0; !*from && i < r->n_head; i++) seen_word(&label, r->head[i]);
    return label;
}

/* Whether a stretch of words may begin at content i: a comma, a word of degree, or a small word
 * ("with") stands before it. */
static bool stretch_begins(const content *c, uint32_t i, uint32_t from)
{
    return i == from || c->sep[i] || c->flags[i - 1] & MED_WORD_LIGHT || c->word[i - 1] < 0 ||
           c->flags[i - 1] & MED_WORD_DENIAL || c->token[i] != c->token[i - 1] + 1;
}

/* seps: the strongest within. Returns whether the stretch is a finding. */
static bool try_labelled(med_recogniser *r, const words_seen *label, uint32_t from, uint32_t to,
                         uint32_t seps)
{
    const content *c = &r->c;
    words_seen s = *label;
    for (uint32_t k = from; k <= to; k++)
        if (!(c->flags[k] & MED_WORD_LIGHT)) seen_add(c, &s, k);
    hit h = hit_of(from, to);
    h.label = true;
    const med_pattern *p = s.n > label->n ? hit_pattern(r, &s, &h) : NULL;
    if (!p || p->denies || p->tight || h.order == MED_ORDER_OTHER) return false;
    if (seps > p->joined) return false;
    if (p->normal) h.normal = c->token[from];
    hit_add(r, &h);
    return true;
}

/* Whether token i is an answer or an amount: "blood negative", "protein 2+". */
static bool token_answers(const med_recogniser *r, uint32_t i)
{
    const med_cues *cues = med_lexicon_cues(r->lex);
    char w[MED_WORD_BYTES];
    const med_token *t = &r->t[i];
    if (i >= r->n_token || t->punct) return false;
    if (r->text[t->start] >= '0' && r->text[t->start] <= '9')
        return t->end - t->start == 1 && r->text[t->end] == '+';
    return med_cues_is(cues, "answer", med_cues_word(cues, w, med_token_text(r->text, t, w)));
}

/* The stretches that begin at content i. bare: no noun stands between it and the label, so one
 * word may be enough. Returns the content behind the longest finding, i for none. */
static uint32_t find_stretches(med_recogniser *r, const words_seen *label, uint32_t i, bool bare)
{
    const content *c = &r->c;
    uint32_t behind = i;
    uint32_t seps = 0;
    for (uint32_t j = i; j < c->n && j < i + SEGMENT_WORDS; j++) {
        if (j > i && c->sep[j] == 3) break;
        if (j > i && c->sep[j] > seps) seps = c->sep[j];
        if (c->word[j] < 0) break;
        if (c->flags[j] & MED_WORD_LIGHT || (i == j && !bare)) continue;
        if (!stretch_ends(c, j) && !token_answers(r, c->token[j] + 1)) continue;
        if (try_labelled(r, label, i, j, seps)) behind = j + 1;
    }
    return behind;
}

/* "Ears: low-set, cupped": each stretch of words with the label. */
static void find_labelled(med_recogniser *r)
{
    const content *c = &r->c;
    uint32_t from, behind;
    words_seen label = label_words(r, &from);
    behind = from;
    for (uint32_t i = from; i < c->n; i++) {
        uint32_t next = c->sep[i] ? label_at(r, i, &label) : 0;
        if (next) {
            from = behind = next;
            i = next - 1;
            continue;
        }
        if (!label.n) continue;
        if (r->t[c->token[i]].normal) try_normal_list(r, i, &label);
        bool light = c->flags[i] & (MED_WORD_LIGHT | MED_WORD_DENIAL) || r->t[c->token[i]].normal;
        if ((light || token_answers(r, c->token[i])) && i == behind) behind++;
        if (c->flags[i] & MED_WORD_LIGHT || !stretch_begins(c, i, from)) continue;
        bool denied = i > from && c->flags[i - 1] & MED_WORD_DENIAL;
        uint32_t to = find_stretches(r, &label, i, denied || i <= behind);
        if (i <= behind && to > behind) behind = to;
    }
}

/* ---- findings made more precise -------------------------------------------------------------- */

/* Whether content i is a word of another finding than *h, of the first n hits. */
static bool word_of_another(const med_recogniser *r, uint32_t n, const hit *h, uint32_t i)
{
    if (r->c.flags[i] & (MED_WORD_APART | MED_WORD_DENIAL)) return true;
    for (uint32_t k = 0; k < n; k++) {
        const hit *x = &r->hit[k];
        bool apart = x->to < h->from || x->from > h->to;
        if (apart && x->from <= i && i <= x->to && x->term != MED_NONE) return true;
    }
    return false;
}

/* The finding below *h that its own name and the words of *more are, at content [from, to]. */
static void try_precise(med_recogniser *r, const hit *h, const words_seen *more, uint32_t from,
                        uint32_t to)
{
    uint32_t n;
    const uint32_t *name = med_lexicon_name(r->lex, h->term, &n);
    words_seen s = *more;
    if (!n || s.n + n > MED_PATTERN_WORDS) return;
    for (uint32_t i = 0; i < n; i++) seen_word(&s, (int32_t)name[i]);
    hit precise = *h;
    precise.from = from < h->from ? from : h->from;
    precise.to = to > h->to ? to : h->to;
    if (h->run_from == h->run_to) precise.run_from = precise.run_to = precise.from;
    const med_pattern *p = hit_pattern(r, &s, &precise);
    if (!p || p->term == MED_NONE || p->denies || p->tight) return;
    if (!med_lexicon_below(r->lex, p->term, h->term)) return;
    precise.n_word = (uint8_t)(h->n_word + more->n);
    precise.order = MED_ORDER_OTHER;
    hit_add(r, &precise);
}

/* With content i, and with i and the next one; with what they count as too. */
static void try_near(med_recogniser *r, const hit *h, uint32_t i, bool pair)
{
    const content *c = &r->c;
    int32_t as[MED_WIDER_WORDS];
    words_seen s = {0};
    seen_word(&s, c->word[i]);
    try_precise(r, h, &s, i, i);
    for (uint32_t k = 0, n; (n = med_lexicon_wider(r->lex, c->word[i], k, as)) != 0; k++) {
        words_seen w = {0};
        for (uint32_t m = 0; m < n; m++)
            if (as[m] >= 0) seen_word(&w, as[m]);
        if (w.n) try_precise(r, h, &w, i, i);
    }
    if (!pair) return;
    seen_word(&s, c->word[i + 1]);
    try_precise(r, h, &s, i, i + 1);
}

/* Whether content i stands right behind the one before it, or "of the" is between. */
static bool near_joins(const content *c, uint32_t i)
{
    return !c->sep[i] && c->token[i] == c->token[i - 1] + 1 && c->word[i - 1] >= 0 &&
           !((c->flags[i - 1] | c->flags[i]) & MED_WORD_DENIAL);
}

static bool near_placed(const content *c, uint32_t i)
{
    return !c->sep[i] && (c->placed[i] || c->flags[i] & MED_WORD_LIGHT);
}

static void find_precise_of(med_recogniser *r, uint32_t n, hit h, const words_seen *label)
{
    const content *c = &r->c;
    uint32_t low = h.from, high = h.to;
    while (low > 0 && h.from - low < NEAR_BEFORE && near_joins(c, low)) low--;
    while (high + 1 < c->n && high - h.to < NEAR_BEHIND &&
           (near_joins(c, high + 1) || (high == h.to && near_placed(c, high + 1))))
        high++;
    for (uint32_t i = low; i <= high; i++) {
        if (i >= h.from && i <= h.to) continue;
        if (c->word[i] < 0 || word_of_another(r, n, &h, i)) continue;
        bool pair = i + 1 <= high && i + 1 != h.from && c->word[i + 1] >= 0 &&
                    !word_of_another(r, n, &h, i + 1);
        try_near(r, &h, i, pair);
    }
    if (!label->n) return;
    hit labelled = h;
    labelled.label = true;
    try_precise(r, &labelled, label, h.from, h.to);
}

/* "Edema of the left foot", "testes undescended bilaterally": what stands near a finding, or its
 * label, may make it one of the findings below it. */
static void find_precise(med_recogniser *r)
{
    uint32_t from, n = r->n_hit;
    words_seen label = label_words(r, &from);
    for (uint32_t i = 0; i < n; i++) {
        const hit *h = &r->hit[i];
        if (h->term == MED_NONE || h->normal != MED_NONE || h->n_word >= ID_WORDS) continue;
        find_precise_of(r, n, *h, &label);
    }
}

/* ---- ids and abbreviations ------------------------------------------------------------------- */

/* The id that begins at content i, "HP" and seven digits, a colon or a low line between: the
 * content of the digits, or MED_NONE. */
static uint32_t id_at(const med_recogniser *r, uint32_t i, uint32_t *term)
{
    const content *c = &r->c;
    const med_token *t = &r->t[c->token[i]], *d;
    if (i + 1 >= c->n || t->end - t->start != 2 || strncasecmp(r->text + t->start, "HP", 2) != 0)
        return MED_NONE;
    d = &r->t[c->token[i + 1]];
    char id[3 + ID_DIGITS] = "HP:", sign = r->text[t->end];
    if (d->start != t->end + 1 || (sign != ':' && sign != '_') || d->end - d->start != ID_DIGITS)
        return MED_NONE;
    memcpy(id + 3, r->text + d->start, ID_DIGITS);
    *term = med_lexicon_id(r->lex, id, sizeof id);
    return *term == MED_NONE ? MED_NONE : i + 1;
}

static const introduced *introduced_as(const med_recogniser *r, const char *s, size_t n)
{
    for (uint32_t i = 0; i < r->n_intro; i++)
        if (strncmp(r->intro[i].letters, s, n) == 0 && r->intro[i].letters[n] == '\0')
            return &r->intro[i];
    return NULL;
}

/* What else an abbreviation may mean: its first reading that is not the chosen one. */
static const char *reading_beside(const med_abbreviations *a, uint32_t first, uint32_t n,
                                  uint32_t chosen)
{
    for (uint32_t i = first; i < first + n; i++)
        if (i != chosen) return med_abbreviations_reading(a, i).full;
    return NULL;
}

static void find_abbreviation(med_recogniser *r, uint32_t i)
{
    const med_token *t = &r->t[r->c.token[i]];
    const char *s = r->text + t->start;
    size_t n = t->plain ? med_abbreviation_letters(s, t->end - t->start) : 0;
    if (!n) return;
    const med_abbreviations *a = med_lexicon_abbreviations(r->lex);
    uint32_t n_reading, first = med_abbreviations_find(a, s, n, &n_reading);
    const introduced *in = introduced_as(r, s, n);
    if (!in && first == MED_NONE) return;
    hit h = hit_of(i, i);
    h.n_word = 1;
    h.term = in ? in->term : MED_NONE;
    if (!in) {
        uint32_t k =
            med_abbreviations_choose(a, first, n_reading, r->text, r->text_len, t->start, t->end);
        med_reading reading = med_abbreviations_reading(a, k);
        if (reading.id) h.term = med_lexicon_id(r->lex, reading.id, strlen(reading.id));
        if (reading.id && h.term == MED_NONE) return; /* the ontology may have a name of its own */
        h.other = reading_beside(a, first, n_reading, k);
    }
    r->c.settled[i] = true;
    if (h.term != MED_NONE) hit_add(r, &h);
}

/* Whether content i ends a finding of several words among the first n hits. */
static bool ends_finding(const med_recogniser *r, uint32_t n, uint32_t i)
{
    for (uint32_t k = 0; k < n; k++)
        if (r->hit[k].to == i && r->hit[k].from < i && r->hit[k].term != MED_NONE) return true;
    return false;
}

/* "Long flat philtrum": what stands before a finding may be one with its last words too. */
static void find_stacked(med_recogniser *r)
{
    const content *c = &r->c;
    for (uint32_t k = 0, n = r->n_hit; k < n; k++) {
        const hit x = r->hit[k];
        bool whole = x.run_from == x.run_to && x.normal == MED_NONE && x.term != MED_NONE;
        uint32_t i = x.from ? x.from - 1 : 0;
        if (!whole || x.to == x.from || !x.from || c->word[i] < 0 || c->sep[x.from] > 1) continue;
        if (c->flags[i] & (MED_WORD_LIGHT | MED_WORD_DENIAL) || x.order != MED_ORDER_SAME) continue;
        if (c->sep[x.from] && ends_finding(r, n, i)) continue;
        const med_token *word = &r->t[c->token[i]];
        bool apart = word->end < r->text_len && r->text[word->end] != '-';
        if (!apart || (!c->sep[x.from] && c->token[x.from] != c->token[i] + 1)) continue;
        for (uint32_t from = x.from + 1; from <= x.to; from++) {
            words_seen s = {0};
            seen_add(c, &s, i);
            for (uint32_t m = from; m <= x.to; m++) seen_add(c, &s, m);
            hit h = hit_of(i, x.to);
            h.run_from = x.from;
            h.run_to = from;
            const med_pattern *p = hit_pattern(r, &s, &h);
            if (p && h.order == MED_ORDER_SAME && !p->tight && !p->denies && !p->normal)
                hit_add(r, &h);
        }
    }
}

/* Whether the words left and right of a coordination are findings of their own, or a whole finding
 * stands within: "high arched palate, hepatomegaly and myopia" is no high myopia, and "EEG
 * abnormality, thin corpus callosum" no abnormality of that. */
static bool run_divides(const med_recogniser *r, const hit *x)
{
    bool left = false, right = false;
    for (uint32_t i = 0; i < r->n_hit; i++) {
        const hit *y = &r->hit[i];
        if (y->run_to > y->run_from || y->label || y->term == MED_NONE) continue;
        if (y->from >= x->run_from && y->to < x->run_to) return true;
        left |= y->from < x->from && y->to + 1 == x->run_from;
        right |= y->from >= x->run_from && y->to == x->to;
    }
    return left && right;
}

static void drop_runs(med_recogniser *r)
{
    uint32_t n = 0;
    for (uint32_t k = 0; k < r->n_hit; k++) {
        const hit x = r->hit[k];
        if (x.run_to == x.run_from || !run_divides(r, &x)) r->hit[n++] = x;
    }
    r->n_hit = n;
}

static bool range_between(const med_recogniser *r, uint32_t from, uint32_t to)
{
    for (uint32_t i = from + 1; i < to; i++)
        if (r->t[i].end == r->t[i].start + 2 && strncasecmp(r->text + r->t[i].start, "to", 2) == 0)
            return true;
    return false;
}

/* "Mild to severe intellectual disability" is at least mild. */
static void find_ranges(med_recogniser *r)
{
    const content *c = &r->c;
    for (uint32_t k = 0; k < r->n_hit; k++) {
        hit x = r->hit[k];
        uint32_t i = x.from ? x.from - 1 : 0;
        if (!x.from || x.to == x.from || x.run_to > x.run_from || c->word[i] < 0) continue;
        if (!(c->flags[i] & c->flags[x.from] & MED_WORD_LIGHT) || c->sep[x.from]) continue;
        if (!range_between(r, c->token[i], c->token[x.from])) continue;
        words_seen s = {0};
        seen_add(c, &s, i);
        for (uint32_t m = x.from + 1; m <= x.to; m++) seen_add(c, &s, m);
        x.from = x.run_from = x.run_to = i;
        if (hit_pattern(r, &s, &x)) r->hit[k] = x;
    }
}

static void find_hits(med_recogniser *r)
{
    const content *c = &r->c;
    r->n_hit = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        uint32_t term, to = id_at(r, i, &term);
        if (to != MED_NONE) {
            hit h = hit_of(i, to);
            h.term = term;
            h.n_word = ID_WORDS;
            hit_add(r, &h);
        }
        find_abbreviation(r, i);
        if (c->word[i] >= 0 || r->t[c->token[i]].normal) find_from(r, i);
        if (r->t[c->token[i]].normal) try_normal_list(r, i, &(words_seen){0});
    }
    drop_runs(r);
    find_ranges(r);
    find_labelled(r);
    find_stacked(r);
    find_precise(r);
}

/* ---- choice ---------------------------------------------------------------------------------- */

/* What is said to be there before what is said to be normal; longest first; then without a gap;
 * then in the name's order; then the tighter; then from left to right: a total order. */
static int by_merit(const void *a, const void *b)
{
    const hit *x = a, *y = b;
    if ((x->normal == MED_NONE) != (y->normal == MED_NONE)) return x->normal == MED_NONE ? -1 : 1;
    if (x->n_word != y->n_word) return x->n_word > y->n_word ? -1 : 1;
    uint32_t gx = x->run_to - x->run_from, gy = y->run_to - y->run_from;
    if (gx != gy) return gx < gy ? -1 : 1;
    if (x->order != y->order) return x->order < y->order ? -1 : 1;
    if (x->to - x->from != y->to - y->from) return x->to - x->from < y->to - y->from ? -1 : 1;
    if (x->from != y->from) return x->from < y->from ? -1 : 1;
    if (x->term != y->term) return x->term < y->term ? -1 : 1;
    return (x->label > y->label) - (x->label < y->label);
}

enum { WORD_FREE, WORD_TAKEN, WORD_SOFT };

/* A hit without a gap needs its words for itself; one across a coordination shares its head and
 * needs one of its own. The words of a name with "and" in it may be those of its parts too. */
static bool take_words(const hit *h, uint8_t *taken)
{
    uint32_t own = 0, shared = 0;
    for (uint32_t i = h->from; i <= h->to; i++)
        if (i < h->run_from || i >= h->run_to)
            own += taken[i] != WORD_TAKEN, shared += taken[i] == WORD_TAKEN;
    bool gap = h->run_to > h->run_from;
    if (gap ? own == 0 : shared > 0) return false;
    for (uint32_t i = h->from; i <= h->to; i++)
        if (i < h->run_from || i >= h->run_to) taken[i] = h->soft ? WORD_SOFT : WORD_TAKEN;
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

static int by_token(const void *a, const void *b)
{
    const med_found *x = a, *y = b;
    if (x->first != y->first) return x->first < y->first ? -1 : 1;
    if (x->last != y->last) return x->last < y->last ? -1 : 1;
    return (x->term > y->term) - (x->term < y->term);
}

/* Whether the same finding was found over some of these tokens. */
static bool found_again(const med_recogniser *r, uint32_t n, uint32_t term, uint32_t first,
                        uint32_t last)
{
    for (uint32_t i = 0; i < n; i++)
        if (r->found[i].term == term && r->found[i].first <= last && first <= r->found[i].last)
            return true;
    return false;
}

/* The hits that stand, in the order of the text, and which tokens they own. */
static uint32_t choose_hits(med_recogniser *r)
{
    uint32_t n = 0, used[WINDOW + 1];
    memset(r->taken, WORD_FREE, r->c.n);
    memset(r->own, 0, r->n_token * sizeof *r->own);
    if (r->n_hit > 1) qsort(r->hit, r->n_hit, sizeof *r->hit, by_merit);
    for (uint32_t i = 0; i < r->n_hit && n < MED_SENTENCE_TOKENS; i++) {
        const hit *h = &r->hit[i];
        if (found_again(r, n, h->term, r->c.token[h->from], r->c.token[h->to])) continue;
        if (!take_words(h, r->taken) || h->term == MED_NONE) continue;
        uint32_t k = hit_words(&r->c, h, used);
        r->found[n++] = (med_found){h->term, used[0], used[k - 1], h->normal, h->other};
        while (k > 0) r->own[used[--k]] = true;
    }
    if (n > 1) qsort(r->found, n, sizeof *r->found, by_token);
    return n;
}

/* Whether tokens [from, to) are nothing but "and" or "or". */
static bool only_joined(const med_recogniser *r, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        if (!r->t[i].conj || r->t[i].mark) return false;
    return true;
}

/* Leaves out what only names an office, a panel, a diet: "cleft lip and palate clinic". */
static uint32_t drop_offices(med_recogniser *r, uint32_t n)
{
    uint32_t from = MED_NONE, kept = n; /* where what was left out last begins */
    for (uint32_t i = n; i-- > 0;) {
        const med_found f = r->found[i];
        uint32_t next = f.last + 1;
        bool office = next < r->n_token && !r->t[next].punct && r->t[next].flags & MED_WORD_OFFICE;
        bool joined = from != MED_NONE && (f.last >= from || only_joined(r, next, from));
        if (!office && !joined) continue;
        from = f.first;
        memmove(r->found + i, r->found + i + 1, (kept - i - 1) * sizeof *r->found);
        kept--;
    }
    return kept;
}

uint32_t med_recognise(med_recogniser *r, const char *text, const med_token *t, uint32_t n,
                       const med_found **found, const bool **own, uint32_t *n_unread)
{
    R1_ASSERT(n <= MED_SENTENCE_TOKENS, "unit: %u tokens", n);
    r->text = text;
    r->t = t;
    r->n_token = n;
    r->n_unread = 0;
    content_of(r);
    find_hits(r);
    *n_unread += r->n_unread;
    *found = r->found;
    *own = r->own;
    return drop_offices(r, choose_hits(r));
}

/* ---- what a record introduces ---------------------------------------------------------------- */

enum { INTRODUCED_TOKENS = 40, INTRODUCED_BYTES = 200 };

/* The finding that the words of text[from, to) name; MED_NONE. */
static uint32_t finding_named(med_recogniser *r, uint32_t from, uint32_t to)
{
    med_token t[INTRODUCED_TOKENS];
    const med_found *found;
    const bool *own;
    uint32_t next, unread = 0, best = MED_NONE;
    const char *text = r->text;
    uint32_t n =
        med_tokenize(r->lex, text, from, to, (med_token_rules){0}, t, INTRODUCED_TOKENS, &next);
    uint32_t n_found = med_recognise(r, text, t, n, &found, &own, &unread);
    uint32_t first = 0;
    while (first < n && t[first].flags & MED_WORD_LIGHT) first++;
    for (uint32_t i = 0; i < n_found; i++)
        if (found[i].first <= first && found[i].last + 1 == n) best = found[i].term;
    return best;
}

static void introduce(med_recogniser *r, const char *letters, size_t n, uint32_t from, uint32_t to,
                      uint32_t *n_unread)
{
    if (introduced_as(r, letters, n)) return;
    if (r->n_intro == MED_INTRODUCED_MAX) {
        ++*n_unread;
        return;
    }
    uint32_t term = finding_named(r, from, to);
    introduced *in = &r->intro[r->n_intro++];
    memcpy(in->letters, letters, n);
    in->letters[n] = '\0';
    in->term = term;
}

/* How far back the words of n letters may begin. */
static uint32_t words_back(const char *text, uint32_t at, size_t n)
{
    size_t max = n + 5 < 2 * n ? n + 5 : 2 * n;
    uint32_t from = at, low = at > INTRODUCED_BYTES ? at - INTRODUCED_BYTES : 0;
    for (size_t k = 0; k < max && from > low; k++) {
        while (from > low && (text[from - 1] == ' ' || text[from - 1] == '\n')) from--;
        while (from > low && !strchr(" \n.;:()", text[from - 1])) from--;
        if (from > low && strchr(".;:()", text[from - 1])) break;
    }
    return from;
}

void med_recogniser_record(med_recogniser *r, const char *text, size_t len, uint32_t *n_unread)
{
    r->text = text;
    r->text_len = len;
    r->n_intro = r->n_head = r->head_start = r->head_end = 0;
    for (const char *s = text, *end = text + len; s < end; s++) {
        s = memchr(s, '(', (size_t)(end - s));
        if (!s) return;
        const char *in = s + 1;
        size_t n = 0;
        while (in + n < end && n < MED_ABBREVIATION_BYTES + 1 && in[n] != ')') n++;
        size_t letters = in + n < end && in[n] == ')' ? med_abbreviation_letters(in, n) : 0;
        if (!letters) continue;
        uint32_t to = (uint32_t)(s - text);
        while (to && text[to - 1] == ' ') to--;
        uint32_t from = med_abbreviation_full(in, letters, text, words_back(text, to, letters), to);
        if (from != MED_NONE) introduce(r, in, letters, from, to, n_unread);
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

r1_status med_recogniser_new(med_recogniser **out, const med_lexicon *lex, r1_err *err)
{
    med_recogniser *r = malloc(sizeof *r);
    *out = r;
    if (!r) R1_FAIL(err, R1_E_NOMEM, "no memory to recognise findings");
    r->lex = lex;
    r->text = NULL;
    r->text_len = 0;
    r->n_intro = r->n_head = r->head_start = r->head_end = 0;
    return R1_OK;
}

void med_recogniser_free(med_recogniser *r) { free(r); }
