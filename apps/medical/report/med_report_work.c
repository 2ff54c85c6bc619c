/* SPDX-License-Identifier: Apache-2.0 */
/* med_report_work.c - see med_report_work.h. */
#include "report/med_report_work.h"

#include "r1_assert.h"
#include "text/r1_utf8.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NAME_SHOWN = 120, JOINED_BYTES = 1024 };

const char *med_report_id(const med_report_work *w, uint32_t term)
{
    return med_str(w->kb, w->kb->term[term].id);
}

const char *med_report_name(const med_report_work *w, uint32_t term)
{
    const char *label = med_labels_of(w->labels, term);
    return label ? label : med_str(w->kb, w->kb->term[term].name);
}

const char *med_report_disease(const med_report_work *w, uint32_t disease)
{
    return med_str(w->kb, w->kb->disease[disease].name);
}

r1_status med_report_say(med_report_work *w, const char **out, r1_err *err, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    char *to = n < 0 ? NULL : r1_arena_alloc(w->report->arena, (size_t)n + 1, 1);
    if (to) vsnprintf(to, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(ap);
    if (!to) R1_FAIL(err, R1_E_NOMEM, "no memory for a report");
    *out = to;
    return R1_OK;
}

/* How many bytes of a name are shown, whole characters. */
static int work_shown(const char *name)
{
    size_t len = strlen(name), n = 0, step;
    while (n < len) {
        uint32_t c;
        step = r1_utf8_next(name + n, len - n, &c);
        if (n + step > NAME_SHOWN) break;
        n += step;
    }
    return (int)n;
}

r1_status med_report_join(med_report_work *w, const char *const *name, uint32_t n, const char **out,
                          r1_err *err)
{
    char all[JOINED_BYTES];
    size_t at = 0;
    const char *comma = MED_SAY(w->report->language, LIST_COMMA);
    for (uint32_t i = 0; i < n; i++) {
        int shown = work_shown(name[i]);
        if (at + (size_t)shown + 16 > sizeof all) break;
        at += (size_t)snprintf(all + at, sizeof all - at, "%s%.*s%s", i ? comma : "", shown,
                               name[i], name[i][shown] ? "..." : "");
    }
    *out = r1_arena_strdup(w->report->arena, all, at);
    if (!*out) R1_FAIL(err, R1_E_NOMEM, "no memory for a report");
    return R1_OK;
}

r1_status med_report_age(med_report_work *w, double years, const char **out, r1_err *err)
{
    med_words_language l = w->report->language;
    if (years >= 2) return med_report_say(w, out, err, MED_SAY(l, YEARS_F), floor(years + 1e-4));
    if (years * 12 >= 2)
        return med_report_say(w, out, err, MED_SAY(l, MONTHS_F), floor(years * 12 + 1e-3));
    return med_report_say(w, out, err, MED_SAY(l, DAYS_F), round(years * 365.25));
}

r1_status med_report_quote_of(med_report_work *w, const med_mention *m, med_report_quote *q,
                              r1_err *err)
{
    const med_notes *n = w->notes;
    R1_ASSERT(m->sentence < n->n_sentence, "mention: sentence %u of %u", m->sentence,
              n->n_sentence);
    const med_sentence *s = &n->sentence[m->sentence];
    R1_ASSERT(s->start <= m->start && m->start <= m->end && m->end <= s->end && s->end <= n->len,
              "mention: bytes %u to %u, sentence %u to %u, record %zu", m->start, m->end, s->start,
              s->end, n->len);
    R1_ASSERT(m->cue_start <= m->cue_end && m->cue_end <= n->len, "cue: bytes %u to %u of %zu",
              m->cue_start, m->cue_end, n->len);
    R1_ASSERT(s->section < n->n_section, "sentence: section %u of %u", s->section, n->n_section);
    R1_ASSERT(m->status < MED_STATUS_COUNT, "mention: status %d", (int)m->status);
    *q = (med_report_quote){.start = m->start,
                            .end = m->end,
                            .sentence_start = s->start,
                            .text = {n->text + m->start, m->end - m->start},
                            .sentence = {n->text + s->start, s->end - s->start},
                            .section = med_section_name[n->section[s->section].name],
                            .status = med_status_name[m->status]};
    q->added = s->kind == MED_UNIT_ADDED;
    if (q->added) {
        q->text = q->sentence = (med_span){0};
        q->section = NULL;
    }
    if (m->cue_end > m->cue_start)
        q->cue = (med_span){n->text + m->cue_start, m->cue_end - m->cue_start};
    if (!m->lab) return R1_OK;
    med_report_lab *lab;
    MED_REPORT_LIST_OF(w->report->arena, lab, 1, err);
    *lab = (med_report_lab){(double)m->value, (double)m->low, (double)m->high};
    q->lab = lab;
    return R1_OK;
}

bool med_report_row_speaks(const med_report_work *w, const med_row *row)
{
    return !(row->flags & MED_ROW_MALE && w->notes->sex == MED_SEX_FEMALE) &&
           !(row->flags & MED_ROW_FEMALE && w->notes->sex == MED_SEX_MALE);
}

void med_report_counts(const med_report_work *w, uint32_t disease, uint32_t term, uint32_t *n,
                       uint32_t *m, bool *stated)
{
    const med_disease *d = &w->kb->disease[disease];
    *n = *m = 0;
    *stated = false;
    for (uint32_t i = 0; i < d->n_row; i++) {
        const med_row *row = &w->kb->row[d->row_at + i];
        if (row->term != term || (row->flags & MED_ROW_NEGATED && !row->m)) continue;
        if (!med_report_row_speaks(w, row)) continue;
        *n += row->m ? row->n : 0;
        *m += row->m;
        *stated |= row->m || row->freq >= 0;
    }
}

bool med_report_due(const med_report_work *w, uint32_t disease, uint32_t term)
{
    const med_disease *d = &w->kb->disease[disease];
    double age = (double)w->notes->age_years;
    uint32_t onset = 0;
    for (uint32_t i = 0; i < d->n_row; i++) {
        const med_row *row = &w->kb->row[d->row_at + i];
        if (row->term != term || row->flags & MED_ROW_NEGATED || !med_report_row_speaks(w, row))
            continue;
        if (!MED_ROW_ONSET(*row)) return true;
        onset |= MED_ROW_ONSET(*row);
    }
    return isnan(age) || !onset || age >= (double)med_onset_from(onset);
}

float med_report_frequency(const med_report_work *w, uint32_t disease, uint32_t term)
{
    uint32_t low = 0, high;
    const med_profile *p = med_case_profile(w->ranker, disease, &high);
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        uint32_t t = MED_PROFILE_TERM(p[mid]);
        if (t == term) return p[mid].freq;
        if (t < term)
            low = mid + 1;
        else
            high = mid;
    }
    return 0;
}
