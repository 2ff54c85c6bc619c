/* SPDX-License-Identifier: Apache-2.0 */
/* med_stated.c - listed findings as the notes of a record: one line of text for each, which is its
 * own sentence, so that the report quotes it as it quotes a letter. */
#include "documents/med_parts.h"

#include "r1_assert.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool stated_is_name(const med_kb *kb, uint32_t term, const char *label)
{
    const med_term *t = &kb->term[term];
    if (strcasecmp(med_str(kb, t->name), label) == 0) return true;
    for (uint32_t i = 0; i < t->n_synonym; i++)
        if (strcasecmp(med_str(kb, kb->synonym[t->synonym_at + i].text), label) == 0) return true;
    return false;
}

/* The term of a stated finding; MED_NONE with a note where it is none that can be ranked. */
static uint32_t stated_term(med_document *d, const med_kb *kb, const med_stated *s)
{
    uint32_t term = med_kb_term(kb, s->id, strlen(s->id));
    if (term == MED_NONE) {
        med_document_note(d, "%.20s%s%.60s: not in the knowledge base, left out.", s->id,
                          s->label ? " " : "", s->label ? s->label : "");
        return MED_NONE;
    }
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

static r1_status stated_line(med_prose *p, med_notes *n, const med_kb *kb, uint32_t term,
                             med_status status, r1_err *err)
{
    const char *name = med_str(kb, kb->term[term].name), *id = med_str(kb, kb->term[term].id);
    size_t start = p->n;
    char rest[80];
    int len = snprintf(rest, sizeof rest, " (%.20s): %s", id, med_status_name[status]);
    med_prose_add(p, name, strlen(name));
    med_prose_add(p, rest, (size_t)len);
    if (p->status != R1_OK) R1_FAIL(err, R1_E_NOMEM, "no memory for listed findings");
    n->sentence[n->n_sentence] =
        (med_sentence){.start = (uint32_t)start, .end = (uint32_t)p->n, .kind = MED_UNIT_ROW};
    n->mention[n->n_mention++] = (med_mention){.term = term,
                                               .start = (uint32_t)start,
                                               .end = (uint32_t)(start + strlen(name)),
                                               .sentence = n->n_sentence++,
                                               .status = status};
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
    n->section = calloc(1, sizeof *n->section);
    if (!n->sentence || !n->mention || !n->section)
        R1_FAIL(err, R1_E_NOMEM, "%s: no memory for its findings", what);
    n->cap_sentence = n->cap_mention = (uint32_t)cap;
    n->cap_section = n->n_section = 1;
    r1_status st = R1_OK;
    for (uint32_t i = 0; i < d->n_stated && st == R1_OK; i++) {
        uint32_t term = stated_term(d, kb, &d->stated[i]);
        if (term != MED_NONE) st = stated_line(&p, n, kb, term, d->stated[i].status, err);
    }
    free(d->text);
    d->text = NULL;
    if (st != R1_OK) free(p.s);
    if (st == R1_OK) st = med_prose_finish(&p, d, what, err);
    n->text = d->text;
    n->len = d->len;
    n->section[0] = (med_section){.end = (uint32_t)d->len, .name = MED_SECTION_OTHER};
    n->sex = d->sex;
    n->age_years = d->age_years;
    memcpy(n->born, d->born, sizeof n->born);
    return st;
}

r1_status med_document_notes(med_document *d, const med_lexicon *lex, const med_kb *kb,
                             const char *what, med_notes *out, r1_err *err)
{
    *out = (med_notes){0};
    if (!d->listed) return med_notes_read(out, lex, kb, what, d->text, d->len, err);
    r1_status st = stated_notes(d, kb, what, out, err);
    if (st == R1_OK && out->n_mention == 0)
        st = r1_err_set(err, R1_E_FORMAT, __FILE__, __LINE__,
                        "%s: %u findings are listed, and none of them is in the knowledge base",
                        what, d->n_stated);
    return st;
}
