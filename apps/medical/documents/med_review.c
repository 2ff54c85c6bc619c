/* SPDX-License-Identifier: Apache-2.0 */
/* med_review.c - see med_review.h: from what was read to a review, and from a review to a document
 * that lists its findings. */
#include "documents/med_review.h"

#include "documents/med_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const med_review_name[MED_REVIEW_STATES] = {[MED_REVIEW_OPEN] = "open",
                                                        [MED_REVIEW_ACCEPTED] = "accepted",
                                                        [MED_REVIEW_REJECTED] = "rejected",
                                                        [MED_REVIEW_ADDED] = "added"};

static r1_status review_no_memory(r1_err *err)
{
    R1_FAIL(err, R1_E_NOMEM, "no memory for the findings of a review");
}

void med_review_free(med_review *r)
{
    for (uint32_t i = 0; i < r->n; i++) {
        free(r->finding[i].id);
        free(r->finding[i].name);
        med_quote_free(&r->finding[i].quote);
    }
    for (uint32_t i = 0; i < r->n_note; i++) free(r->note[i]);
    free(r->finding);
    free(r->record);
    free(r->knowledge_base);
    *r = (med_review){.age_years = NAN};
}

/* ---- from a record ---- */

static r1_status review_quote(med_quote *q, const med_notes *n, const med_mention *m, r1_err *err)
{
    const med_sentence *s = &n->sentence[m->sentence];
    *q = (med_quote){.from = m->start - s->start,
                     .to = m->end - s->start,
                     .start = s->start,
                     .mentions = 1,
                     .section = (uint8_t)n->section[s->section].name,
                     .lab = m->lab,
                     .value = m->value,
                     .low = m->low,
                     .high = m->high};
    q->sentence = strndup(n->text + s->start, s->end - s->start);
    if (m->cue_end > m->cue_start)
        q->cue = strndup(n->text + m->cue_start, m->cue_end - m->cue_start);
    return q->sentence && (q->cue || m->cue_end == m->cue_start) ? R1_OK : review_no_memory(err);
}

static r1_status review_add(med_review *r, const med_kb *kb, const med_notes *n,
                            const med_mention *m, r1_err *err)
{
    if (r->n == r->cap) {
        uint32_t cap = r->cap ? r->cap * 2 : 64;
        med_review_finding *grown = r1_realloc_array(r->finding, cap, sizeof *grown);
        if (!grown) return review_no_memory(err);
        r->finding = grown;
        r->cap = cap;
    }
    med_review_finding *f = &r->finding[r->n++];
    *f = (med_review_finding){.id = strdup(med_str(kb, kb->term[m->term].id)),
                              .name = strdup(med_str(kb, kb->term[m->term].name)),
                              .relative = m->status == MED_FAMILY,
                              .status = m->denied                 ? MED_ABSENT
                                        : m->status == MED_FAMILY ? MED_PRESENT
                                                                  : m->status};
    if (!f->id || !f->name) return review_no_memory(err);
    if (n->sentence[m->sentence].kind == MED_UNIT_ADDED) {
        f->review = MED_REVIEW_ADDED;
        return R1_OK;
    }
    return review_quote(&f->quote, n, m, err);
}

/* Numbers by term and status, what relatives do not have last: place[] holds the finding's number
 * and 1, 0 for none yet. */
static r1_status review_findings(med_review *r, const med_kb *kb, const med_notes *n, r1_err *err)
{
    uint32_t beyond = 0, kinds = MED_STATUS_COUNT + 1;
    uint32_t *place = calloc((size_t)kb->n_term * kinds + 1, sizeof *place);
    r1_status st = place ? R1_OK : review_no_memory(err);
    for (uint32_t i = 0; i < n->n_mention && st == R1_OK; i++) {
        const med_mention *m = &n->mention[i];
        uint32_t kind = m->denied ? MED_STATUS_COUNT : (uint32_t)m->status;
        uint32_t *at = &place[(size_t)m->term * kinds + kind];
        if (*at) {
            r->finding[*at - 1].quote.mentions++;
        } else if (r->n < MED_DOCUMENT_FINDINGS_MAX) {
            st = review_add(r, kb, n, m, err);
            *at = r->n;
        } else {
            beyond++;
        }
    }
    free(place);
    if (beyond && st == R1_OK)
        st = r1_err_set(err, R1_E_FORMAT, __FILE__, __LINE__,
                        "the record has more than %d findings, the most of a review",
                        MED_DOCUMENT_FINDINGS_MAX);
    return st;
}

r1_status med_review_make(med_review *out, const med_kb *kb, const med_notes *notes,
                          const med_document *d, const char *record, r1_err *err)
{
    char sum[20];
    snprintf(sum, sizeof sum, "%016llx", (unsigned long long)kb->checksum);
    *out = (med_review){.record = strdup(record),
                        .knowledge_base = strdup(sum),
                        .sex = notes->sex,
                        .age_years = (double)notes->age_years,
                        .not_read = notes->n_unread,
                        .cut = notes->n_cut};
    r1_status st = out->record && out->knowledge_base ? R1_OK : review_no_memory(err);
    for (uint32_t i = 0; i < d->n_note && st == R1_OK; i++) {
        out->note[i] = strdup(d->note[i]);
        if (!out->note[i]) st = review_no_memory(err);
        if (out->note[i]) out->n_note++;
    }
    if (st == R1_OK) st = review_findings(out, kb, notes, err);
    if (st != R1_OK) med_review_free(out);
    return st;
}

/* ---- to a document ---- */

static void review_tell(med_document *d, const med_review *r, const uint32_t n[MED_REVIEW_STATES])
{
    med_document_note(
        d,
        "The findings were reviewed: %u accepted, %u added, %u rejected and left out, "
        "%u left open, which count as they were read.",
        n[MED_REVIEW_ACCEPTED], n[MED_REVIEW_ADDED], n[MED_REVIEW_REJECTED], n[MED_REVIEW_OPEN]);
    if (r->not_read)
        med_document_note(d, "Of the record, %u possible findings were not read.", r->not_read);
    if (r->cut)
        med_document_note(d, "Of the record, sentences were read in parts: %u cuts.", r->cut);
    for (uint32_t i = 0; i < r->n_note; i++) med_document_note(d, "%s", r->note[i]);
}

/* The strings of the review go over to the document. */
static r1_status review_state(med_document *d, const char *what, med_review *r, r1_err *err)
{
    uint32_t n[MED_REVIEW_STATES] = {0};
    for (uint32_t i = 0; i < r->n; i++) {
        med_review_finding *f = &r->finding[i];
        n[f->review]++;
        if (f->review == MED_REVIEW_REJECTED) continue;
        R1_TRY(med_state(d, f->id, f->name, f->relative ? MED_FAMILY : f->status, what, err));
        d->stated[d->n_stated - 1].quote = f->quote;
        d->stated[d->n_stated - 1].added = f->review == MED_REVIEW_ADDED && !f->quote.sentence;
        f->quote = (med_quote){0};
    }
    d->sex = r->sex;
    d->age_years = (float)r->age_years;
    d->signing = r->signing;
    d->title = r->record;
    r->record = NULL;
    review_tell(d, r, n);
    return R1_OK;
}

r1_status med_review_tree(med_document *d, const char *what, const json_t *tree, r1_err *err)
{
    med_review r;
    d->kind = MED_DOCUMENT_REVIEW;
    r1_status st = med_review_read(&r, what, tree, err);
    if (st == R1_OK) st = review_state(d, what, &r, err);
    med_review_free(&r);
    return st;
}
