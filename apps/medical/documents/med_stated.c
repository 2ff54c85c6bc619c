/* SPDX-License-Identifier: Apache-2.0 */
/* med_stated.c - listed findings as the notes of a record: one line of text for each, which is its
 * own sentence, so that the report quotes it as it quotes a letter. */
#include "documents/med_parts.h"

#include "r1_assert.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MED_NAME_BYTES = 400 };

/* "HP:0001250": letters, a colon, digits. */
static bool stated_is_id(const char *s)
{
    size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    return n && s[n] == ':' && s[n + 1] && strspn(s + n + 1, "0123456789") == strlen(s + n + 1);
}

static bool stated_is_name(const med_kb *kb, uint32_t term, const char *label)
{
    const med_term *t = &kb->term[term];
    if (strcasecmp(med_str(kb, t->name), label) == 0) return true;
    for (uint32_t i = 0; i < t->n_synonym; i++)
        if (strcasecmp(med_str(kb, kb->synonym[t->synonym_at + i].text), label) == 0) return true;
    return false;
}

/* What stands for "consider" of an obsolete term: "HP:0000001 All, HP:0000002". */
static void stated_consider(const med_kb *kb, const med_obsolete *o, char *out, size_t size)
{
    size_t n = 0;
    *out = '\0';
    for (uint32_t i = 0; i < o->n_consider; i++) {
        const char *id = med_str(kb, kb->list[o->consider_at + i]);
        uint32_t t = med_kb_term(kb, id, strlen(id));
        int k =
            snprintf(out + n, size - n, "%s%.20s%s%.60s", n ? ", " : "; consider ", id,
                     t == MED_NONE ? "" : " ", t == MED_NONE ? "" : med_str(kb, kb->term[t].name));
        if (k < 0 || n + (size_t)k >= size) break;
        n += (size_t)k;
    }
}

/* A finding that cannot be taken becomes a note, which says why and what to take. */
static uint32_t stated_unknown(med_document *d, const med_kb *kb, const med_stated *s)
{
    char consider[400];
    const med_obsolete *o = *s->id ? med_kb_obsolete(kb, s->id, strlen(s->id)) : NULL;
    if (o) {
        stated_consider(kb, o, consider, sizeof consider);
        med_document_note(d,
                          "%.20s (%.60s): an obsolete id that no other one replaces, left out%s.",
                          s->id, med_str(kb, o->name), consider);
        return MED_NONE;
    }
    med_document_note(d, "%.30s%s%.60s: not in the knowledge base, left out.",
                      *s->id || s->label ? s->id : "a finding without id and name",
                      s->label && *s->id ? " " : "", s->label ? s->label : "");
    return MED_NONE;
}

/* The term of a stated finding; MED_NONE with a note where it is none that can be ranked. names:
 * NULL unless some finding is named alone. */
static uint32_t stated_term(med_document *d, const med_kb *kb, const med_names *names,
                            const med_stated *s)
{
    bool several = false;
    bool named = !*s->id && s->label;
    uint32_t term = named ? med_names_find(names, s->label, strlen(s->label), &several)
                          : med_kb_term(kb, s->id, strlen(s->id));
    if (several)
        med_document_note(d, "%.60s: the name of several findings, left out: give the id.",
                          s->label);
    if (several) return MED_NONE;
    if (term == MED_NONE) return stated_unknown(d, kb, s);
    if (term == kb->root) {
        med_document_note(d, "%.30s: the root of all findings says nothing, left out.",
                          *s->id ? s->id : s->label);
        return MED_NONE;
    }
    if (named) return term;
    const char *id = med_str(kb, kb->term[term].id), *name = med_str(kb, kb->term[term].name);
    if (!(kb->term[term].flags & MED_TERM_PHENOTYPE)) {
        med_document_note(d, "%s (%.60s): no finding of a patient, left out.", id, name);
        return MED_NONE;
    }
    if (strcmp(id, s->id) != 0 && strncmp(id, s->id, strcspn(id, ":") + 1) == 0)
        med_document_note(d, "%.20s was taken as %s (%.60s), which has replaced it.", s->id, id,
                          name);
    if (s->label && !stated_is_name(kb, term, s->label))
        med_document_note(d, "%s is %.60s; the file calls it %.60s: the id was taken.", id, name,
                          s->label);
    return term;
}

void med_quote_free(med_quote *q)
{
    free(q->sentence);
    free(q->cue);
    *q = (med_quote){0};
}

/* A finding whose sentence is known: that sentence, and behind it the words that decided. Its
 * further mentions stand at the same place. */
static r1_status stated_quoted(med_prose *p, med_notes *n, uint32_t term, const med_stated *s,
                               r1_err *err)
{
    const med_quote *q = &s->quote;
    uint32_t at = (uint32_t)p->n, len = (uint32_t)strlen(q->sentence), cue = 0;
    med_prose_add(p, q->sentence, len);
    med_prose_add(p, "\n", 1);
    if (q->cue) cue = (uint32_t)p->n;
    if (q->cue) med_prose_add(p, q->cue, strlen(q->cue));
    if (q->cue) med_prose_add(p, "\n", 1);
    if (p->status != R1_OK)
        R1_FAIL(err, p->status == R1_E_NOMEM ? R1_E_NOMEM : R1_E_FORMAT,
                "no room for the sentences of listed findings");
    n->len = p->n;
    n->section[n->n_section] =
        (med_section){.start = at, .end = (uint32_t)p->n, .name = q->section};
    n->sentence[n->n_sentence] = (med_sentence){
        .start = at, .end = at + len, .section = n->n_section++, .kind = MED_UNIT_ROW};
    med_mention m = {.term = term,
                     .start = at + q->from,
                     .end = at + q->to,
                     .sentence = n->n_sentence++,
                     .status = s->status,
                     .lab = q->lab,
                     .value = q->value,
                     .low = q->low,
                     .high = q->high};
    if (q->cue) m.cue_start = cue, m.cue_end = cue + (uint32_t)strlen(q->cue);
    for (uint32_t i = 0; i < q->mentions; i++) R1_TRY(med_mention_add(n, &m, err));
    return R1_OK;
}

static r1_status stated_line(med_prose *p, med_notes *n, const med_kb *kb, uint32_t term,
                             const med_stated *s, r1_err *err)
{
    const char *name = med_str(kb, kb->term[term].name), *id = med_str(kb, kb->term[term].id);
    size_t start = p->n;
    char rest[80];
    int len = snprintf(rest, sizeof rest, " (%.20s): %s", id, med_status_name[s->status]);
    med_prose_add(p, name, strlen(name));
    med_prose_add(p, rest, (size_t)len);
    if (p->status != R1_OK) R1_FAIL(err, R1_E_NOMEM, "no memory for listed findings");
    n->sentence[n->n_sentence] = (med_sentence){.start = (uint32_t)start,
                                                .end = (uint32_t)p->n,
                                                .kind = s->added ? MED_UNIT_ADDED : MED_UNIT_ROW};
    n->len = p->n;
    const med_mention m = {.term = term,
                           .start = (uint32_t)start,
                           .end = (uint32_t)(start + strlen(name)),
                           .sentence = n->n_sentence++,
                           .status = s->status};
    R1_TRY(med_mention_add(n, &m, err));
    med_prose_add(p, "\n", 1);
    return R1_OK;
}

static r1_status stated_notes(med_document *d, const med_kb *kb, const char *what, med_notes *n,
                              r1_err *err)
{
    med_prose p = {0};
    size_t cap = (size_t)d->n_stated + 1;
    n->sentence = calloc(cap, sizeof *n->sentence);
    n->mention = calloc(cap, sizeof *n->mention);
    n->section = calloc(cap, sizeof *n->section);
    if (!n->sentence || !n->mention || !n->section)
        R1_FAIL(err, R1_E_NOMEM, "%s: no memory for its findings", what);
    n->cap_sentence = n->cap_mention = (uint32_t)cap;
    n->cap_section = (uint32_t)cap;
    n->n_section = 1;
    n->listed = true;
    med_names *names = NULL;
    r1_status st = R1_OK;
    for (uint32_t i = 0; i < d->n_stated && st == R1_OK; i++) {
        if (!names && !*d->stated[i].id && d->stated[i].label) st = med_names_new(&names, kb, err);
        if (st != R1_OK) break;
        uint32_t term = stated_term(d, kb, names, &d->stated[i]);
        if (term != MED_NONE)
            st = d->stated[i].quote.sentence ? stated_quoted(&p, n, term, &d->stated[i], err)
                                             : stated_line(&p, n, kb, term, &d->stated[i], err);
    }
    med_names_free(names);
    free(d->text);
    d->text = NULL;
    if (st != R1_OK) free(p.s);
    if (st == R1_OK) st = med_prose_finish(&p, d, what, err);
    n->text = d->text;
    n->len = d->len;
    n->section[0] = (med_section){.end = (uint32_t)d->len, .name = MED_SECTION_OTHER};
    n->sex = d->sex;
    n->age_years = d->age_years;
    n->age_low = NAN;
    memcpy(n->born, d->born, sizeof n->born);
    return st;
}

/* The item at s, of len bytes up to the next semicolon: the longest run of parts between commas
 * that is a name, else the first part. */
static size_t stated_item(const med_names *names, const char *s, size_t len)
{
    for (size_t n = len; n > 0; n--)
        if ((n == len || s[n] == ',') && med_names_find(names, s, n, NULL) != MED_NONE) return n;
    const char *comma = memchr(s, ',', len);
    return comma ? (size_t)(comma - s) : len;
}

r1_status med_document_state(med_document *d, const char *what, const char *list, med_status status,
                             const med_names *names, const med_kb *kb, r1_err *err)
{
    d->listed = true;
    while (*list) {
        char item[MED_NAME_BYTES];
        list += strspn(list, " \t,;");
        size_t n = stated_item(names, list, strcspn(list, ";")), len = n;
        while (len && isspace((unsigned char)list[len - 1])) len--;
        if (len >= sizeof item)
            R1_FAIL(err, R1_E_INVAL, "%s: a name of %zu bytes, expected less than %zu", what, len,
                    sizeof item);
        memcpy(item, list, len);
        item[len] = '\0';
        bool id = med_kb_term(kb, item, len) != MED_NONE || stated_is_id(item);
        if (len) R1_TRY(med_state(d, id ? item : "", id ? NULL : item, status, what, err));
        list += n;
    }
    return R1_OK;
}

/* Ids that stand in a text and are not taken as they are, each told once: one that another has
 * replaced, an obsolete one, one that is not known. */
static void stated_ids_of_text(med_document *d, const med_kb *kb)
{
    enum { IDS_MAX = 256 };
    char seen[IDS_MAX][MED_HPO_ID_BYTES], id[MED_HPO_ID_BYTES];
    uint32_t n = 0;
    for (size_t at = 0; at + 1 < d->len && n < IDS_MAX; at++) {
        bool begins = at == 0 || !isalnum((unsigned char)d->text[at - 1]);
        size_t len = begins ? med_hpo_id(d->text + at, d->len - at, id) : 0;
        uint32_t k = 0;
        while (len && k < n && strcmp(seen[k], id) != 0) k++;
        if (!len || k < n) continue;
        memcpy(seen[n++], id, sizeof id);
        const med_stated s = {.id = id};
        stated_term(d, kb, NULL, &s);
        at += len - 1;
    }
}

/* What a reader must know of how the text was read. */
static void stated_remarks(med_document *d, const med_notes *n)
{
    if (!isnan(n->age_low))
        med_document_note(d,
                          "The record gives the age as %g to %g years: the age stays unknown, "
                          "unless it is stated with the call.",
                          (double)n->age_low, (double)n->age_high);
}

r1_status med_document_notes(med_document *d, const med_lexicon *lex, const med_kb *kb,
                             const char *what, med_notes *out, r1_err *err)
{
    *out = (med_notes){0};
    if (!d->listed) {
        stated_ids_of_text(d, kb);
        R1_TRY(med_notes_read(out, lex, kb, what, d->text, d->len, err));
        stated_remarks(d, out);
        return R1_OK;
    }
    r1_status st = stated_notes(d, kb, what, out, err);
    if (st == R1_OK && out->n_mention == 0 && d->n_stated)
        st = r1_err_set(err, R1_E_FORMAT, __FILE__, __LINE__,
                        "%s: %u findings are listed, and none of them is in the knowledge base",
                        what, d->n_stated);
    return st;
}
