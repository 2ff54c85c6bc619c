/* SPDX-License-Identifier: Apache-2.0 */
/* med_notes.c - see med_notes.h. Puts together what a record says: units from med_blocks.c, their
 * findings from med_recognise.c and measured values from med_labs.c, each with a status from
 * med_scope.c. */
#include "notes/med_notes.h"

#include "notes/med_blocks.h"
#include "notes/med_labs.h"
#include "notes/med_relatives.h"
#include "notes/med_scope.h"

#include "r1_assert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

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
    R1_FAIL(err, R1_E_NOMEM, "a record with more findings than are read");
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

/* ---- units ----------------------------------------------------------------------------------- */

enum { NOTES_ITEMS = MED_SENTENCE_TOKENS + MED_MEASURED_MAX };

/* What reading one unit needs, and the scope that a unit hands to the one it is a part of. */
typedef struct {
    med_token t[MED_SENTENCE_TOKENS];
    bool own[MED_SENTENCE_TOKENS];
    med_scope_finding find[NOTES_ITEMS];
    const med_found *named[NOTES_ITEMS]; /* of find; NULL where it was measured */
    const med_measured *measured[NOTES_ITEMS];
    med_recogniser *recogniser;
    med_labs *labs;
    med_scope scope;
    med_relatives relatives;
} notes_work;

/* Whether the cue of a denial speaks of the word "normal" itself: "not normal". In "no ptosis,
 * anus patent" it does not. */
static bool denies_normal(const med_token *t, const med_found *h, const med_mention *m)
{
    uint32_t first = t[h->normal < h->first ? h->normal : h->first].start;
    bool within = m->cue_start >= first && m->cue_end <= t[h->last].end;
    return within || (m->cue_end <= t[h->normal].start && t[h->normal].start - m->cue_end <= 1);
}

static r1_status add_mention(med_notes *n, const med_token *t, const med_found *h,
                             const med_scope_finding *f, uint32_t sentence, r1_err *err)
{
    med_mention m = {.term = h->term,
                     .start = t[f->first].start,
                     .end = t[f->last].end,
                     .sentence = sentence,
                     .status = f->status,
                     .cue_start = f->cue_start,
                     .cue_end = f->cue_end,
                     .denied = f->denied,
                     .other = h->other};
    /* "no other seizures" tells of seizures, "no other anomalies" of none */
    bool none = m.status == MED_HISTORICAL && (n->text[m.cue_start] | 32) == 'n';
    if (none && t[h->last].flags & MED_WORD_BROAD) m.status = MED_ABSENT;
    if (h->normal != MED_NONE && m.status == MED_ABSENT && !denies_normal(t, h, &m))
        m.status = MED_PRESENT; /* of another member of the list */
    if (h->normal != MED_NONE && (m.status == MED_PRESENT || m.status == MED_ABSENT)) {
        m.status = m.status == MED_PRESENT ? MED_ABSENT : MED_PRESENT; /* "not normal" */
        m.cue_start = t[h->normal].start;
        m.cue_end = t[h->normal].end;
    }
    return med_mention_add(n, &m, err);
}

/* Whether what was measured is said by name in the same sentence, as precisely or more so: the
 * value of "short stature, height on the 2nd centile" is its evidence and no second finding. */
static bool said_by_name(const med_notes *n, const med_kb *kb, const med_mention *m)
{
    for (uint32_t i = n->n_mention; i-- > 0 && n->mention[i].sentence == m->sentence;) {
        const med_mention *x = &n->mention[i];
        bool denied = x->status == MED_ABSENT, none = m->status == MED_ABSENT;
        bool same = x->lab && x->term != m->term; /* of one value */
        if (denied == none && !same && med_kb_is_a(kb, x->term, m->term)) return true;
    }
    return false;
}

/* A value stands, whatever is denied before it: "no fever, CK 5400 U/L". A box that is not ticked,
 * an answer behind it or a list of what is absent takes it back. */
static r1_status add_measured(med_notes *n, const med_kb *kb, const med_measured *x,
                              const med_scope_finding *f, uint32_t sentence, r1_err *err)
{
    med_mention m = {.term = x->term,
                     .start = x->start,
                     .end = x->end,
                     .sentence = sentence,
                     .status = f->status,
                     .cue_start = f->cue_start,
                     .cue_end = f->cue_end,
                     .lab = true,
                     .value = x->value,
                     .low = x->low,
                     .high = x->high};
    if (m.status == MED_ABSENT) {
        const med_sentence *s = &n->sentence[sentence];
        char first = (char)(n->text[m.cue_start] | 32);
        bool word = m.cue_end > m.cue_start && first >= 'a' && first <= 'z';
        if (!word || m.cue_start < s->start || m.cue_start >= x->end) return R1_OK;
        m.status = MED_PRESENT;
        m.cue_start = m.cue_end = m.start;
    }
    return said_by_name(n, kb, &m) ? R1_OK : med_mention_add(n, &m, err);
}

static int by_start(const void *a, const void *b)
{
    const med_mention *x = a, *y = b;
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;
    return (x->term > y->term) - (x->term < y->term);
}

/* A heading that says more than a title gives its section a status: "He denies the following:". */
static void heading_says(med_notes *n, const med_sentence *s, const med_scope *scope)
{
    med_scope_cue cue;
    med_section *x = &n->section[s->section];
    if (n->text[s->end - 1] != ':') return;
    x->status = med_scope_status(scope, &cue);
    if (x->status != MED_PRESENT) {
        x->head_start = cue.start;
        x->head_end = cue.end;
    }
}

static uint32_t unit_tokens(const med_lexicon *lex, const med_notes *n, const med_sentence *s,
                            med_token *t)
{
    uint32_t next;
    uint32_t k =
        med_tokenize(lex, n->text, s->start, s->end, s->rules, t, MED_SENTENCE_TOKENS, &next);
    R1_ASSERT(next == s->end, "unit: read to %u of %u", next, s->end);
    return k;
}

/* The tokens that a measured value spans. */
static med_scope_finding measured_tokens(const med_token *t, uint32_t n, const med_measured *x)
{
    med_scope_finding f = {0};
    while (f.first + 1 < n && t[f.first].end <= x->start) f.first++;
    f.last = f.first;
    while (f.last + 1 < n && t[f.last + 1].start < x->end) f.last++;
    return f;
}

/* Puts what is named and what is measured into one list, by first token. */
static uint32_t join_findings(notes_work *w, uint32_t n_token, const med_found *found,
                              uint32_t n_found, const med_measured *measured, uint32_t n_measured)
{
    uint32_t n = 0, i = 0, k = 0;
    while (i < n_found || (n_token && k < n_measured)) {
        med_scope_finding m = {.first = UINT32_MAX};
        if (n_token && k < n_measured) m = measured_tokens(w->t, n_token, &measured[k]);
        bool named = i < n_found && found[i].first <= m.first;
        w->named[n] = named ? &found[i] : NULL;
        w->measured[n] = named ? NULL : &measured[k];
        w->find[n++] =
            named ? (med_scope_finding){.first = found[i].first, .last = found[i].last} : m;
        if (named) {
            i++;
            continue;
        }
        for (uint32_t j = m.first; j <= m.last; j++) w->own[j] = true;
        k++;
    }
    return n;
}

/* "Global developmental delay (GDD)": what is in the brackets says the same once more. */
static bool says_again(const notes_work *w, uint32_t n_token, uint32_t i)
{
    if (!i || !w->named[i] || !w->named[i - 1] || w->named[i]->term != w->named[i - 1]->term)
        return false;
    uint32_t open = w->named[i]->first - 1, shut = w->named[i]->last + 1;
    return w->named[i - 1]->last + 1 == open && shut < n_token && w->t[open].mark == '(' &&
           w->t[shut].mark == ')';
}

/* Measured findings last. */
static r1_status add_findings(med_notes *n, const med_kb *kb, notes_work *w, uint32_t n_token,
                              uint32_t n_find, uint32_t index, r1_err *err)
{
    const med_sentence *s = &n->sentence[index];
    for (uint32_t i = 0; i < n_find && s->answer_end > s->answer_start; i++) {
        w->find[i].status = s->answer;
        w->find[i].denied = false;
        w->find[i].cue_start = s->answer_start;
        w->find[i].cue_end = s->answer_end;
    }
    for (uint32_t i = 0; i < n_find; i++)
        if (w->named[i] && !says_again(w, n_token, i))
            R1_TRY(add_mention(n, w->t, w->named[i], &w->find[i], index, err));
    for (uint32_t i = 0; i < n_find; i++)
        if (w->measured[i]) R1_TRY(add_measured(n, kb, w->measured[i], &w->find[i], index, err));
    return R1_OK;
}

/* "A history of", "h/o": words that say of what lasts only that it is known. */
static bool tells_history(const char *text, uint32_t start, uint32_t end)
{
    static const char *const words[] = {"history of", "hx of", "hx", "h/o"};
    if (end - start > 4 &&
        (strncasecmp(text + start, "past ", 5) == 0 || strncasecmp(text + start, "pmh", 3) == 0))
        return true;
    for (size_t i = 0; i < R1_COUNT(words); i++) {
        size_t len = strlen(words[i]);
        if (end - start >= len && strncasecmp(text + end - len, words[i], len) == 0) return true;
    }
    return false;
}

/* "Past medical history: hypertension": it lasts, and only its heading speaks of the past. What
 * stands under "resolved problems" has ended. */
static void lasting_stands(const med_notes *n, const med_lexicon *lex, const med_section *x,
                           notes_work *w, uint32_t n_find)
{
    for (uint32_t i = 0; i < n_find; i++) {
        med_scope_finding *f = &w->find[i];
        bool heading = f->cue_start == x->head_start && f->cue_end == x->head_end &&
                       x->name == MED_SECTION_PAST_HISTORY;
        bool said = tells_history(n->text, f->cue_start, f->cue_end);
        if (w->named[i] && (heading || said) && f->status == MED_HISTORICAL &&
            med_lexicon_lasts(lex, w->named[i]->term))
            f->status = MED_PRESENT;
    }
}

/* Whether a unit's cues are to be read: it has findings, or says what holds behind it. */
static bool unit_matters(const med_notes *n, const med_lexicon *lex, notes_work *w, uint32_t index,
                         uint32_t n_token, bool findings)
{
    const med_sentence *s = &n->sentence[index];
    if (findings || s->kind == MED_UNIT_HEADING ||
        med_relatives_named(med_lexicon_cues(lex), n->text, w->t, n_token))
        return true;
    w->relatives = (med_relatives){0};
    return false;
}

/* A sentence that goes on about a relative of the one before begins in that scope. */
static void unit_goes_on(const med_notes *n, const med_lexicon *lex, notes_work *w, uint32_t index,
                         uint32_t n_token)
{
    uint32_t at;
    const med_sentence *s = &n->sentence[index];
    const med_relatives *r = &w->relatives;
    if (s->kind == MED_UNIT_HEADING || r->section != s->section ||
        !med_relatives_go_on(r, med_lexicon_cues(lex), n->text, w->t, n_token, n->sex, &at))
        return;
    w->scope.live[MED_SAYS_FAMILY] = w->scope.relative = r->cue;
    w->own[at] = true;
}

static r1_status read_unit(med_notes *n, const med_lexicon *lex, const med_kb *kb, notes_work *w,
                           uint32_t index, r1_err *err)
{
    const med_sentence *s = &n->sentence[index];
    const med_section *x = &n->section[s->section];
    uint32_t n_token = unit_tokens(lex, n, s, w->t);
    for (uint32_t i = 0; i < n_token; i++) {
        n->n_word += !w->t[i].punct;
        n->n_unread += !w->t[i].punct && w->t[i].end - w->t[i].start >= MED_WORD_BYTES;
    }
    const med_found *found;
    const med_measured *measured;
    const bool *own;
    bool under = s->kind != MED_UNIT_HEADING && x->status == MED_PRESENT;
    med_recogniser_heading(w->recogniser, x->head_start, under ? x->head_end : x->head_start);
    uint32_t n_found =
        med_recognise(w->recogniser, n->text, w->t, n_token, &found, &own, &n->n_unread);
    uint32_t n_measured = med_labs_read(w->labs, n, kb, index, &measured);
    memcpy(w->own, own, n_token * sizeof *own);
    uint32_t n_find = join_findings(w, n_token, found, n_found, measured, n_measured);
    bool cut = index + 1 < n->n_sentence && n->sentence[index + 1].continues;
    if (!unit_matters(n, lex, w, index, n_token, n_find || cut)) return R1_OK;
    if (!s->continues) med_scope_begin(&w->scope, x->status, x->head_start, x->head_end);
    unit_goes_on(n, lex, w, index, n_token);
    med_scope_read(&w->scope, med_lexicon_cues(lex), n->text, w->t, n_token, w->own, w->find,
                   n_find);
    med_relatives_take(&w->relatives, med_lexicon_cues(lex), n->text, &w->scope, s->section);
    lasting_stands(n, lex, x, w, n_find);
    if (s->kind == MED_UNIT_HEADING) heading_says(n, s, &w->scope);
    return add_findings(n, kb, w, n_token, n_find, index, err);
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
    out->age_years = out->age_low = NAN;
    notes_work *w = malloc(sizeof *w);
    if (!w) R1_FAIL(err, R1_E_NOMEM, "no memory to read %s", what);
    w->labs = NULL;
    w->relatives = (med_relatives){0};
    r1_status st = med_recogniser_new(&w->recogniser, lex, err);
    if (st == R1_OK) med_recogniser_record(w->recogniser, text, len, &out->n_unread);
    if (st == R1_OK) st = med_labs_new(&w->labs, err);
    if (st == R1_OK) st = med_blocks_split(out, lex, w->recogniser, err);
    R1_DEEP_ASSERT(st != R1_OK || notes_in_order(out), "%u sections, %u sentences of %zu bytes",
                   out->n_section, out->n_sentence, len);
    if (st == R1_OK) med_find_person(out);
    for (uint32_t i = 0; i < out->n_sentence && st == R1_OK; i++)
        st = read_unit(out, lex, kb, w, i, err);
    med_recogniser_free(w->recogniser);
    med_labs_free(w->labs);
    free(w);
    if (st != R1_OK) {
        med_notes_free(out);
        return st;
    }
    if (out->n_mention) qsort(out->mention, out->n_mention, sizeof *out->mention, by_start);
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
