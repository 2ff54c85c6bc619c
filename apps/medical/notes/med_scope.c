/* SPDX-License-Identifier: Apache-2.0 */
/* med_scope.c - see med_scope.h. Owns the rules by which scopes begin and end; the words stand in
 * data/cues.tsv. */
#include "notes/med_scope.h"

#include "r1_assert.h"

#include <string.h>

enum {
    BACK_REACH = 8, /* tokens between a finding and a cue behind it */
    ITEM_REACH = 2,
    JOIN_REACH = 4, /* tokens between two findings of a list */
    CLAUSE_REACH = 6,
    SPAN_REACH = 3, /* tokens from a finding to the unit of its time */
    LABEL_WORDS = 2 /* of a label within a sentence */
};

/* A cue that stands in the unit. */
typedef struct {
    const med_cue *cue;
    uint32_t at, n; /* tokens */
} scope_hit;

typedef struct {
    const med_cues *c;
    const char *text;
    const med_token *t;
    uint32_t n;
    med_scope_finding *find;
    uint32_t n_find;
    med_scope *s;
    const uint16_t *word;
    scope_hit *hit; /* in order, none over another */
    uint32_t n_hit;
    bool box_before; /* a box stands before what it marks */
    uint32_t behind; /* the token behind the last cue that denies */
    uint32_t verb;   /* the token at which the verb of "does not" or "can't" stands; 0: none */
} scope_run;

static const med_scope_cue no_cue;

void med_scope_begin(med_scope *s, med_status status, uint32_t start, uint32_t end)
{
    R1_ASSERT(status < MED_STATUS_COUNT && start <= end, "section: status %d", (int)status);
    memset(s, 0, sizeof *s);
    s->section = status;
    s->heading = (med_scope_cue){.start = start, .end = end};
}

static bool scope_live(const med_scope *s, med_cue_class k) { return s->live[k].end != 0; }

/* ---- going forward --------------------------------------------------------------------------- */

static void scope_clear(med_scope *s, med_cue_class k) { s->live[k] = no_cue; }

/* What a word ends; a mark ends nothing that the heading says. */
static void scope_end(scope_run *r, uint8_t what, bool mark)
{
    med_scope *s = r->s;
    if (what == MED_ENDS_PERSON) {
        scope_clear(s, MED_SAYS_FAMILY);
        return;
    }
    if (what == MED_ENDS_DENIAL) {
        scope_clear(s, MED_SAYS_ABSENT);
        scope_clear(s, MED_SAYS_DOUBLE);
        return;
    }
    for (med_cue_class k = MED_SAYS_ABSENT; k <= MED_SAYS_DOUBLE; k++) {
        bool person = k == MED_SAYS_FAMILY || k == MED_SAYS_PATIENT || k == MED_SAYS_PRONOUN;
        if (what == MED_ENDS_STATUS && (person || s->live[k].sticky)) continue;
        scope_clear(s, k);
    }
    bool denies = s->section == MED_ABSENT || s->section == MED_UNCERTAIN;
    if (what == MED_ENDS_ALL && !mark && denies) s->section = MED_PRESENT;
}

static void scope_start(scope_run *r, const scope_hit *h)
{
    med_scope *s = r->s;
    uint8_t says = h->cue->says;
    med_scope_cue live = {.start = r->t[h->at].start,
                          .end = r->t[h->at + h->n - 1].end,
                          .near = h->cue->direction != MED_CUE_FORWARD &&
                                  h->cue->direction != MED_CUE_LABEL,
                          .sticky = med_cues_is(r->c, "conditional", r->word[h->at])};
    for (uint32_t i = h->at; i < h->at + h->n; i++)
        live.none |= med_cues_is(r->c, "nokin", r->word[i]);
    if (says == MED_SAYS_PATIENT || says == MED_SAYS_PRONOUN) {
        scope_clear(s, MED_SAYS_FAMILY);
        s->relative = no_cue;
    }
    if (says == MED_SAYS_FAMILY) s->relative = live;
    if (says == MED_SAYS_FAMILY) scope_clear(s, MED_SAYS_PATIENT);
    if (says == MED_SAYS_PRESENT) scope_clear(s, MED_SAYS_ABSENT);
    s->live[says] = live;
}

static void scope_drop_near(med_scope *s)
{
    for (med_cue_class k = MED_SAYS_ABSENT; k <= MED_SAYS_DOUBLE; k++)
        if (s->live[k].near) s->live[k] = no_cue;
}

static bool scope_finding_at(const scope_run *r, uint32_t token)
{
    for (uint32_t i = 0; i < r->n_find && r->find[i].first <= token; i++)
        if (r->find[i].first == token) return true;
    return false;
}

/* Whether token k begins a length of time: "3 days", "6/12". */
static bool scope_span_at(const scope_run *r, uint32_t k)
{
    char first = r->text[r->t[k].start];
    if (r->t[k].punct || first < '0' || first > '9') return false;
    for (uint32_t i = k + 1; i < r->n && i < k + SPAN_REACH; i++)
        if (med_cues_is(r->c, "span", r->word[i])) return true;
    return false;
}

/* "There was no scoliosis, he did have kyphosis": a clause of its own begins at token k. */
static bool scope_clause_at(const scope_run *r, uint32_t k)
{
    if (k + 1 >= r->n || !med_cues_is(r->c, "pronoun", r->word[k])) return false;
    for (uint32_t i = k + 1; i < r->n && i <= k + 2; i++)
        if (med_cues_is(r->c, "finite", r->word[i]) || med_cues_is(r->c, "aux", r->word[i]))
            return true;
    return false;
}

/* "no adenopathy, lungs: crackles": a label begins at token k. */
static bool scope_label_at(const scope_run *r, uint32_t k)
{
    for (uint32_t i = k; i < r->n && i <= k + LABEL_WORDS; i++) {
        if (r->t[i].mark == ':') return i > k && !scope_finding_at(r, k);
        if (r->t[i].punct) return false;
    }
    return false;
}

/* "No polydactyly, slight sandal gap", "no seizures, ataxia was seen", "no fever, cough 3 days",
 * "no ptosis - nystagmus present": behind a comma, a dash or a bracket a word of degree, a clause
 * with a subject, or a finding with a verb, a time or a size of its own, begins what is there. */
static bool scope_turns(const scope_run *r, uint32_t i)
{
    char mark = r->t[i].mark;
    if ((mark != ',' && mark != '-' && mark != '(') || i + 1 >= r->n) return false;
    if (mark == ',' && med_cues_is(r->c, "degree", r->word[i + 1])) return true;
    if (mark == ',' && scope_label_at(r, i + 1)) return true;
    if (mark != '(' && scope_clause_at(r, i + 1)) return true;
    bool finding = false;
    uint32_t from = i + 1 + (r->t[i + 1].conj && !r->t[i + 1].punct);
    for (uint32_t k = from; k < r->n && k <= i + CLAUSE_REACH; k++) {
        if (r->t[k].conj || strchr(".;:,)", r->t[k].mark ? r->t[k].mark : 'a')) return false;
        finding |= scope_finding_at(r, k);
        if (finding && (med_cues_is(r->c, "finite", r->word[k]) ||
                        med_cues_is(r->c, "early", r->word[k]) || scope_span_at(r, k)))
            return true;
    }
    return false;
}

/* "Doesn't sleep, irritable", "can't see in the dark and vomits": what was denied is the verb, so
 * a comma or "and" ends it. "Does not have" and the like deny what follows them. */
static bool scope_verb_done(const scope_run *r, uint32_t i)
{
    if (!r->verb || r->verb >= i || med_cues_is(r->c, "naming", r->word[r->verb])) return false;
    if (r->t[i].mark != ',' && !med_cues_is(r->c, "and", r->word[i])) return false;
    for (uint32_t k = r->verb; k < i; k++)
        if (scope_finding_at(r, k)) return false;
    for (uint32_t k = i; k < r->n && k <= i + CLAUSE_REACH; k++)
        if (med_cues_is(r->c, "or", r->word[k])) return false; /* "does not walk, talk or ..." */
    return true;
}

/* Where the verb stands that the denial h speaks of, 0 for none. */
static uint32_t scope_denied_verb(const scope_run *r, const scope_hit *h)
{
    uint32_t first = h->at, behind = h->at + h->n;
    bool aux = med_cues_is(r->c, "aux", r->word[first]) ||
               (first && h->n == 1 && med_cues_is(r->c, "aux", r->word[first - 1]));
    return aux && behind < r->n && !r->t[behind].punct ? behind : 0;
}

static void scope_box(scope_run *r, uint32_t i)
{
    med_cue_class k = r->t[i].mark == MED_MARK_ON ? MED_SAYS_PRESENT : MED_SAYS_ABSENT;
    scope_end(r, MED_ENDS_ALL, true);
    r->s->live[k] = (med_scope_cue){.start = r->t[i].start, .end = r->t[i].end};
}

static void scope_mark(scope_run *r, uint32_t i)
{
    const med_token *t = &r->t[i];
    if (r->box_before && (t->mark == MED_MARK_ON || t->mark == MED_MARK_OFF)) scope_box(r, i);
    if (t->conj) scope_drop_near(r->s);
    if (scope_verb_done(r, i)) {
        scope_clear(r->s, MED_SAYS_ABSENT);
        r->verb = 0;
    }
    if (scope_turns(r, i)) {
        scope_clear(r->s, MED_SAYS_ABSENT);
        scope_clear(r->s, MED_SAYS_UNCERTAIN);
    }
}

/* "Coombs-negative anaemia": the word says something of the one before it. */
static bool scope_hyphened(const scope_run *r, const scope_hit *h)
{
    uint32_t at = r->t[h->at].start;
    return h->at && at && r->text[at - 1] == '-' && r->t[h->at - 1].end + 1 == at;
}

/* "Cardio: negative for palpitations", "Family | Father | stroke": an answer or a relative behind a
 * label that names no finding speaks of what follows. */
static bool scope_label_leads(const scope_run *r, const scope_hit *h)
{
    uint32_t behind = h->at + h->n;
    bool person = h->cue->says == MED_SAYS_FAMILY;
    if (behind >= r->n || (!person && (h->cue->says != MED_SAYS_ABSENT || r->t[behind].punct)))
        return false;
    for (uint32_t i = r->n_find; i-- > 0;) {
        if (r->find[i].last >= h->at) continue;
        for (uint32_t k = r->find[i].last + 1; k < h->at; k++)
            if (r->t[k].mark && strchr(".;!", r->t[k].mark)) return true;
        return false;
    }
    return true;
}

/* Whether h sets what is denied next against what stands before it: "but no". */
static bool scope_denies_next(const scope_run *r, const scope_hit *h)
{
    const scope_hit *next = h + 1;
    if (next >= r->hit + r->n_hit || !med_cues_is(r->c, "contrast", r->word[h->at])) return false;
    return next->at == h->at + h->n && next->cue->says == MED_SAYS_ABSENT;
}

static void scope_forward_hit(scope_run *r, const scope_hit *h)
{
    if (h->cue->direction == MED_CUE_BOTH && scope_hyphened(r, h)) return;
    switch (h->cue->direction) {
    case MED_CUE_END:
        if (r->t[h->at].conj) scope_drop_near(r->s);
        if (scope_denies_next(r, h)) { /* "his twin has dyslexia but no tics": of the same person */
            scope_end(r, MED_ENDS_STATUS, false);
            break;
        }
        /* "not had", "never having": the verb of the cue before it */
        if (h->cue->says != MED_ENDS_STATUS || h->at != r->behind)
            scope_end(r, h->cue->says, r->t[h->at].punct);
        break;
    case MED_CUE_FORWARD:
    case MED_CUE_NEAR:
    case MED_CUE_BOTH:
        scope_start(r, h);
        if (h->cue->says != MED_SAYS_ABSENT) break;
        r->behind = h->at + h->n;
        r->verb = scope_denied_verb(r, h);
        break;
    case MED_CUE_LABEL:
        if (!r->box_before) scope_end(r, MED_ENDS_ALL, true);
        if (scope_label_leads(r, h)) scope_start(r, h);
        break;
    default: break;
    }
}

static void scope_forward(scope_run *r)
{
    uint32_t f = 0, k = 0;
    for (uint32_t i = 0; i < r->n;) {
        while (f < r->n_find && r->find[f].first <= i) r->find[f++].by = *r->s;
        if (k < r->n_hit && r->hit[k].at == i) {
            scope_forward_hit(r, &r->hit[k]);
            i += r->hit[k++].n;
            continue;
        }
        scope_mark(r, i++);
    }
    while (f < r->n_find) r->find[f++].by = *r->s;
}

/* ---- looking back ---------------------------------------------------------------------------- */

static void scope_lay(const scope_run *r, const scope_hit *h, med_scope_finding *f)
{
    uint8_t says = h->cue->says;
    bool ceased = med_cues_is(r->c, "ceased", r->word[h->at]); /* "has no fits anymore" */
    if ((says == MED_SAYS_PRESENT && !f->by.live[MED_SAYS_DOUBLE].end) || ceased)
        f->by.live[MED_SAYS_ABSENT] = no_cue;
    f->by.live[says] =
        (med_scope_cue){.start = r->t[h->at].start, .end = r->t[h->at + h->n - 1].end};
}

/* The first token that a cue at hit k may reach: behind what ends a clause. */
static uint32_t scope_floor(const scope_run *r, uint32_t k, bool label)
{
    uint32_t floor = 0;
    for (uint32_t i = 0; i < r->hit[k].at; i++) {
        char mark = r->t[i].mark;
        bool box = mark == MED_MARK_ON || mark == MED_MARK_OFF;
        if (mark == ';' || mark == '.' || mark == '!' ||
            (!label && (box || mark == '|' || mark == ':')))
            floor = i + 1;
    }
    for (uint32_t i = 0; i < k; i++) {
        const scope_hit *h = &r->hit[i];
        bool ends = h->cue->direction == MED_CUE_END && h->cue->says == MED_ENDS_ALL;
        bool answer = h->cue->direction == MED_CUE_LABEL || h->cue->direction == MED_CUE_ITEM;
        if ((ends || answer) && h->at + h->n > floor) floor = h->at + h->n;
    }
    return floor;
}

typedef struct {
    uint32_t n;        /* tokens between */
    bool comma, conj;  /* a comma; "and", "or" or a slash */
    bool verb, others; /* a cue that ends; a word that is neither */
} scope_gap;

static scope_gap scope_between(const scope_run *r, uint32_t from, uint32_t to)
{
    scope_gap g = {.n = to > from ? to - from : 0};
    for (uint32_t i = from; i < to; i++) {
        g.comma |= r->t[i].mark == ',';
        g.conj |= r->t[i].conj && r->t[i].mark != ',';
        g.others |= !r->t[i].conj && !(r->t[i].flags & MED_WORD_LIGHT);
    }
    for (uint32_t i = 0; i < r->n_hit; i++)
        g.verb |=
            r->hit[i].cue->direction == MED_CUE_END && r->hit[i].at >= from && r->hit[i].at < to;
    return g;
}

static bool scope_singular(const scope_run *r, const scope_hit *h)
{
    return h->cue->direction == MED_CUE_BACK || med_cues_is(r->c, "singular", r->word[h->at]);
}

/* The finding before the cue, and those of its list. */
static void scope_back(scope_run *r, uint32_t k)
{
    const scope_hit *h = &r->hit[k];
    uint32_t floor = scope_floor(r, k, false), right = h->at;
    bool item = h->cue->direction == MED_CUE_ITEM, listed = false, one = false;
    for (uint32_t i = r->n_find; i-- > 0;) {
        med_scope_finding *f = &r->find[i];
        if (f->last >= h->at || f->first < floor) continue;
        scope_gap g = scope_between(r, f->last + 1, right);
        if (one && f->last >= right) { /* over the one before */
            scope_lay(r, h, f);
            continue;
        }
        if (!one) {
            if (g.comma || g.verb || g.n > (item ? ITEM_REACH : BACK_REACH)) return;
        } else {
            listed |= g.conj;
            if (item || !listed || g.others || g.n > JOIN_REACH || scope_singular(r, h)) return;
        }
        scope_lay(r, h, f);
        one = true;
        right = f->first;
    }
}

/* All findings before an answer; in a sentence with a verb those behind its last comma. */
static void scope_label(scope_run *r, uint32_t k)
{
    const scope_hit *h = &r->hit[k];
    uint32_t floor = scope_floor(r, k, true), comma = floor;
    bool verb = scope_between(r, floor, h->at).verb && r->t[h->at].mark != '?';
    for (uint32_t i = floor; i < h->at; i++)
        if (r->t[i].mark == ',') comma = i + 1;
    for (uint32_t i = 0; i < r->n_find; i++)
        if (r->find[i].first >= (verb ? comma : floor) && r->find[i].last < h->at)
            scope_lay(r, h, &r->find[i]);
}

/* "No cataract seen, but the view was limited": what was denied so far in the sentence is not
 * sure. What was found stands. */
static void scope_doubt(scope_run *r, uint32_t k)
{
    const scope_hit *h = &r->hit[k];
    uint32_t floor = 0;
    for (uint32_t i = 0; i < h->at; i++)
        if (r->t[i].mark == ';' || r->t[i].mark == '.' || r->t[i].mark == '!') floor = i + 1;
    for (uint32_t i = 0; i < r->n_find; i++) {
        med_scope_finding *f = &r->find[i];
        if (f->first < floor || f->last >= h->at || !scope_live(&f->by, MED_SAYS_ABSENT)) continue;
        f->by.live[MED_SAYS_ABSENT] = no_cue;
        scope_lay(r, h, f);
    }
}

static void scope_boxes_behind(scope_run *r)
{
    static const med_cue on = {.direction = MED_CUE_LABEL, .says = MED_SAYS_PRESENT},
                         off = {.direction = MED_CUE_LABEL, .says = MED_SAYS_ABSENT};
    uint32_t from = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        char mark = r->t[i].mark;
        if (mark != MED_MARK_ON && mark != MED_MARK_OFF) continue;
        bool answer = false;
        for (uint32_t k = 0; k < r->n_hit; k++)
            answer |= r->hit[k].at <= i && i < r->hit[k].at + r->hit[k].n;
        scope_hit h = {mark == MED_MARK_ON ? &on : &off, i, 1};
        for (uint32_t k = 0; k < r->n_find && !answer; k++)
            if (r->find[k].first >= from && r->find[k].last < i) scope_lay(r, &h, &r->find[k]);
        from = i + 1;
    }
}

/* "No fever, urgency but no incontinence": the last of a list of denied ones is there where what
 * is denied next is set against it. */
static void scope_set_against(scope_run *r, uint32_t k)
{
    const scope_hit *h = &r->hit[k];
    if (!scope_denies_next(r, h)) return;
    for (uint32_t i = 0; i < r->n_find; i++) {
        uint32_t first = r->find[i].first;
        if (r->find[i].last + 1 != h->at) continue;
        while (first && r->t[first - 1].flags & MED_WORD_LIGHT) first--;
        if (first && r->t[first - 1].mark == ',') r->find[i].by.live[MED_SAYS_ABSENT] = no_cue;
    }
}

static void scope_backward(scope_run *r)
{
    for (uint32_t k = 0; k < r->n_hit; k++) {
        uint8_t d = r->hit[k].cue->direction;
        if (d == MED_CUE_END)
            scope_set_against(r, k);
        else if (d == MED_CUE_LABEL)
            scope_label(r, k);
        else if (d == MED_CUE_DOUBT)
            scope_doubt(r, k);
        else if (d == MED_CUE_BACK || d == MED_CUE_LIST || d == MED_CUE_ITEM || d == MED_CUE_BOTH)
            scope_back(r, k);
    }
    if (!r->box_before) scope_boxes_behind(r);
}

/* ---- what wins ------------------------------------------------------------------------------- */

med_status med_scope_status(const med_scope *s, med_scope_cue *cue)
{
    static const struct {
        med_cue_class says;
        med_status status;
    } ranks[] = {{MED_SAYS_FAMILY, MED_FAMILY},
                 {MED_SAYS_ABSENT, MED_ABSENT},
                 {MED_SAYS_HYPOTHETICAL, MED_HYPOTHETICAL},
                 {MED_SAYS_UNCERTAIN, MED_UNCERTAIN},
                 {MED_SAYS_HISTORICAL, MED_HISTORICAL}};
    bool twice = scope_live(s, MED_SAYS_DOUBLE) && scope_live(s, MED_SAYS_ABSENT);
    bool patient = scope_live(s, MED_SAYS_PATIENT);
    bool stands = scope_live(s, MED_SAYS_ASSERTED) || scope_live(s, MED_SAYS_PRESENT) || patient;
    if (s->section == MED_FAMILY && !patient) {
        *cue = scope_live(s, MED_SAYS_FAMILY) ? s->live[MED_SAYS_FAMILY] : s->heading;
        return MED_FAMILY;
    }
    for (size_t i = 0; i < R1_COUNT(ranks); i++) {
        const med_scope_cue *c = &s->live[ranks[i].says];
        if (!c->end || (twice && ranks[i].status == MED_ABSENT)) continue;
        *cue = *c;
        return ranks[i].status;
    }
    if (!twice && !stands && s->section != MED_FAMILY && s->section != MED_PRESENT) {
        *cue = s->heading;
        return s->section;
    }
    *cue = twice ? s->live[MED_SAYS_DOUBLE] : s->live[MED_SAYS_PRESENT];
    return MED_PRESENT;
}

/* ---- the unit -------------------------------------------------------------------------------- */

/* A box stands before what it marks unless the last one is followed by nothing. */
static bool scope_boxes_first(const med_token *t, uint32_t n)
{
    bool any = false, word = false;
    for (uint32_t i = 0; i < n; i++) {
        if (t[i].mark == MED_MARK_ON || t[i].mark == MED_MARK_OFF) any = true, word = false;
        if (t[i].mark == MED_MARK_WORD) word = true;
    }
    return any && word;
}

static uint32_t scope_find_cues(const med_cues *c, const med_cue_text *x, scope_hit *hit)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < x->n;) {
        uint32_t len, cue = med_cues_match(c, x, i, &len);
        if (cue == MED_NONE) {
            i++;
            continue;
        }
        R1_ASSERT(len && i + len <= x->n, "cue %u: tokens %u to %u of %u", cue, i, i + len, x->n);
        hit[n++] = (scope_hit){med_cues_at(c, cue), i, len};
        i += len;
    }
    return n;
}

/* A box whose answer follows it ("[x] yes") is read as an answer, not as a mark of the next. */
static bool scope_box_answers(const scope_hit *hit, uint32_t n, const med_token *t)
{
    for (uint32_t i = 0; i < n; i++)
        if (hit[i].n > 1 && (t[hit[i].at].mark == MED_MARK_ON || t[hit[i].at].mark == MED_MARK_OFF))
            return true;
    return false;
}

/* "0" of "0.5 cm" or "38.0" is no number of its own, and denies nothing. */
static bool scope_part_of_number(const char *text, const med_token *t, uint32_t n, uint32_t i)
{
    if (t[i].punct || text[t[i].start] != '0') return false;
    bool before = i && t[i - 1].end + 1 == t[i].start && !t[i - 1].punct;
    bool behind = i + 1 < n && t[i].end + 1 == t[i + 1].start && !t[i + 1].punct;
    return (before && strchr(".,", text[t[i].start - 1])) ||
           (behind && strchr(".,", text[t[i].end]));
}

void med_scope_read(med_scope *s, const med_cues *c, const char *text, const med_token *t,
                    uint32_t n, const bool *own, med_scope_finding *find, uint32_t n_find)
{
    static _Thread_local uint16_t word[MED_SENTENCE_TOKENS];
    static _Thread_local bool mark[MED_SENTENCE_TOKENS];
    static _Thread_local scope_hit hit[MED_SENTENCE_TOKENS];
    char w[MED_WORD_BYTES];
    R1_ASSERT(n <= MED_SENTENCE_TOKENS, "unit: %u tokens", n);
    for (uint32_t i = 0; i < n; i++) {
        word[i] = own[i] ? MED_CUE_OWN : med_cues_word(c, w, med_token_text(text, &t[i], w));
        if (scope_part_of_number(text, t, n, i)) word[i] = 0;
        mark[i] = t[i].punct;
    }
    med_cue_text x = {word, mark, n};
    scope_run r = {.c = c,
                   .text = text,
                   .t = t,
                   .n = n,
                   .find = find,
                   .n_find = n_find,
                   .s = s,
                   .word = word,
                   .hit = hit};
    r.n_hit = scope_find_cues(c, &x, hit);
    r.box_before = scope_boxes_first(t, n) && !scope_box_answers(hit, r.n_hit, t);
    scope_forward(&r);
    scope_backward(&r);
    for (uint32_t i = 0; i < n_find; i++) {
        med_scope_cue cue;
        find[i].status = med_scope_status(&find[i].by, &cue);
        find[i].cue_start = cue.start;
        find[i].cue_end = cue.end;
        const med_scope_cue *live = find[i].by.live;
        bool twice = live[MED_SAYS_DOUBLE].end != 0;
        find[i].denied = find[i].status == MED_FAMILY && !twice &&
                         (live[MED_SAYS_ABSENT].end || live[MED_SAYS_FAMILY].none);
    }
}
