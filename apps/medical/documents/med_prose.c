/* SPDX-License-Identifier: Apache-2.0 */
/* med_prose.c - see med_parts.h. Owns the growing text, dates and ids of terms. */
#include "documents/med_parts.h"

#include "r1_assert.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

static bool prose_room(med_prose *p, size_t more)
{
    if (p->status != R1_OK) return false;
    if (p->n + more >= MED_DOCUMENT_BYTES_MAX) {
        p->status = R1_E_FORMAT;
        return false;
    }
    size_t cap = p->cap ? p->cap : 4096;
    while (cap < p->n + more + 1) cap *= 2;
    if (cap == p->cap) return true;
    char *s = realloc(p->s, cap);
    if (!s) {
        p->status = R1_E_NOMEM;
        return false;
    }
    p->s = s;
    p->cap = cap;
    return true;
}

void med_prose_add(med_prose *p, const char *s, size_t len)
{
    if (!prose_room(p, len)) return;
    if (len) memcpy(p->s + p->n, s, len);
    p->n += len;
    p->s[p->n] = '\0';
}

void med_prose_char(med_prose *p, uint32_t codepoint)
{
    utf8proc_uint8_t bytes[4];
    if (codepoint == 0 || !utf8proc_codepoint_valid((utf8proc_int32_t)codepoint))
        codepoint = 0xfffd;
    utf8proc_ssize_t n = utf8proc_encode_char((utf8proc_int32_t)codepoint, bytes);
    med_prose_add(p, (const char *)bytes, (size_t)n);
}

void med_prose_line(med_prose *p)
{
    while (p->n && (p->s[p->n - 1] == ' ' || p->s[p->n - 1] == '\t')) p->n--;
    if (p->n == 0 || (p->n > 1 && p->s[p->n - 1] == '\n' && p->s[p->n - 2] == '\n')) return;
    med_prose_add(p, "\n", 1);
}

r1_status med_prose_finish(med_prose *p, med_document *d, const char *what, r1_err *err)
{
    med_prose_add(p, "", 0);
    if (p->status != R1_OK) free(p->s);
    if (p->status == R1_E_NOMEM) R1_FAIL(err, R1_E_NOMEM, "%s: no memory for its text", what);
    if (p->status != R1_OK)
        R1_FAIL(err, R1_E_FORMAT, "%s: its text has more than %zu bytes, the most that is read",
                what, MED_DOCUMENT_BYTES_MAX);
    R1_ASSERT(!d->text, "document: a second text");
    med_struck_note(d, p->struck);
    d->text = p->s;
    d->len = p->n;
    return R1_OK;
}

r1_status med_state(med_document *d, const char *id, const char *label, med_status status,
                    const char *what, r1_err *err)
{
    if (d->n_stated == MED_DOCUMENT_FINDINGS_MAX)
        R1_FAIL(err, R1_E_FORMAT, "%s: more than %d findings, the most that a list may hold", what,
                MED_DOCUMENT_FINDINGS_MAX);
    if (d->n_stated == d->cap_stated) {
        uint32_t cap = d->cap_stated ? d->cap_stated * 2 : 64;
        med_stated *grown = r1_realloc_array(d->stated, cap, sizeof *grown);
        if (!grown) R1_FAIL(err, R1_E_NOMEM, "%s: no memory for its findings", what);
        d->stated = grown;
        d->cap_stated = cap;
    }
    med_stated s = {.id = strdup(id), .label = label ? strdup(label) : NULL, .status = status};
    if (!s.id || (label && !s.label)) {
        free(s.id);
        free(s.label);
        R1_FAIL(err, R1_E_NOMEM, "%s: no memory for its findings", what);
    }
    d->stated[d->n_stated++] = s;
    return R1_OK;
}

void med_document_note(med_document *d, const char *fmt, ...)
{
    if (d->n_note > MED_DOCUMENT_NOTES_MAX) return;
    char *s = NULL;
    va_list args;
    va_start(args, fmt);
    int n =
        d->n_note < MED_DOCUMENT_NOTES_MAX
            ? vasprintf(&s, fmt, args)
            : asprintf(&s, "more was noted: the first %d notes stand here", MED_DOCUMENT_NOTES_MAX);
    va_end(args);
    if (n >= 0) d->note[d->n_note++] = s;
}

size_t med_hpo_id(const char *s, size_t len, char id[MED_HPO_ID_BYTES])
{
    static const char prefix[] = "HP";
    if (len < 10) return 0;
    for (int i = 0; i < 2; i++)
        if (toupper((unsigned char)s[i]) != prefix[i]) return 0;
    if (s[2] != ':' && s[2] != '_') return 0;
    for (int i = 3; i < 10; i++)
        if (!isdigit((unsigned char)s[i])) return 0;
    if (len > 10 && isdigit((unsigned char)s[10])) return 0;
    snprintf(id, MED_HPO_ID_BYTES, "HP:%.7s", s + 3);
    return 10;
}

float med_iso_years(const char *duration)
{
    static const struct {
        char unit;
        double years;
    } units[] = {{'Y', 1}, {'M', 1.0 / 12}, {'W', 7 / 365.25}, {'D', 1 / 365.25}};
    double years = 0;
    if (!duration || *duration != 'P' || !duration[1]) return NAN;
    for (const char *s = duration + 1; *s && *s != 'T';) {
        char *end;
        if (!isdigit((unsigned char)*s)) return NAN;
        double v = strtod(s, &end);
        size_t i = 0;
        while (i < R1_COUNT(units) && units[i].unit != *end) i++;
        if (i == R1_COUNT(units)) return NAN;
        years += v * units[i].years;
        s = end + 1;
    }
    return years < 150 ? (float)years : NAN;
}

float med_years_between(const char *from, const char *to)
{
    int y[2], m[2] = {1, 1}, day[2] = {1, 1};
    const char *date[] = {from, to};
    for (int i = 0; i < 2; i++)
        if (!date[i] || sscanf(date[i], "%4d-%2d-%2d", &y[i], &m[i], &day[i]) < 1) return NAN;
    double years = y[1] - y[0] + (m[1] - m[0]) / 12.0 + (day[1] - day[0]) / 365.25;
    return years >= 0 && years < 150 ? (float)years : NAN;
}

void med_keep_birth(med_document *d, const char *date)
{
    unsigned y, m, day;
    if (!date) return;
    int n = sscanf(date, "%4u-%2u-%2u", &y, &m, &day);
    if (n < 1 || y < 1880 || y > 2200 || (n > 1 && (m < 1 || m > 12)) ||
        (n > 2 && (day < 1 || day > 31)))
        return;
    size_t at = (size_t)snprintf(d->born, sizeof d->born, "%04u", y % 10000);
    if (n > 1) at += (size_t)snprintf(d->born + at, sizeof d->born - at, "-%02u", m % 100);
    if (n > 2) snprintf(d->born + at, sizeof d->born - at, "-%02u", day % 100);
}
