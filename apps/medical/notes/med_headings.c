/* SPDX-License-Identifier: Apache-2.0 */
/* med_headings.c - see med_headings.h. Headings are kept in lower case, one blank between words. */
#include "notes/med_headings.h"

#include "notes/med_chars.h"
#include "notes/med_rows.h"

#include "ontology/med_map.h"

#include <stdlib.h>
#include <string.h>

enum { HEADING_ROWS_MAX = 400, HEADING_BYTES_MAX = 64 };

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
/* As the file calls them. */
static const char *const heading_sections[MED_SECTION_COUNT] = {
    [MED_SECTION_START] = "same",
    [MED_SECTION_PRESENT_ILLNESS] = "illness",
    [MED_SECTION_PAST_HISTORY] = "past",
    [MED_SECTION_FAMILY] = "family",
    [MED_SECTION_EXAMINATION] = "examination",
    [MED_SECTION_LABORATORY] = "laboratory",
    [MED_SECTION_IMAGING] = "imaging",
    [MED_SECTION_ASSESSMENT] = "assessment",
    [MED_SECTION_PLAN] = "plan",
    [MED_SECTION_MEDICATIONS] = "medications",
    [MED_SECTION_SOCIAL] = "social",
    [MED_SECTION_OTHER] = "other"};

struct med_headings {
    med_map *names; /* a name's value is its row */
    med_heading row[HEADING_ROWS_MAX];
    uint32_t n_row, n_name;
};

/* Lower case, one blank between words; 0 where it is too long for a heading. */
static size_t heading_plain(const char *s, size_t len, char out[HEADING_BYTES_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] | 32) : s[i];
        if ((unsigned char)c >= 128) {
            med_char x = med_char_at(s, (uint32_t)i, (uint32_t)len);
            if (x.kind == MED_CHAR_BLANK) c = ' ', i += x.len - 1u;
        }
        if (c == '\t' || c == '\n' || c == '\r') c = ' ';
        if (c == ' ' && (n == 0 || out[n - 1] == ' ')) continue;
        if (n + 1 == HEADING_BYTES_MAX) return 0;
        out[n++] = c;
    }
    while (n && out[n - 1] == ' ') n--;
    return n;
}

static uint32_t heading_word(const char *const *names, uint32_t n, const char *s, size_t len)
{
    for (uint32_t i = 0; i < n; i++)
        if (strlen(names[i]) == len && memcmp(names[i], s, len) == 0) return i;
    return n;
}

static r1_status heading_line(med_headings *h, const char *name, uint32_t line, const char *s,
                              size_t len, r1_err *err)
{
    const char *end = s + len, *one = memchr(s, '\t', len);
    const char *two = one ? memchr(one + 1, '\t', (size_t)(end - one - 1)) : NULL;
    int shown = (int)(len < 60 ? len : 60);
    if (!two || memchr(two + 1, '\t', (size_t)(end - two - 1)))
        R1_FAIL(err, R1_E_FORMAT,
                "%s:%u: expected section, status and headings, tabs between, found \"%.*s\"", name,
                line, shown, s);
    uint32_t section = heading_word(heading_sections, MED_SECTION_COUNT, s, (size_t)(one - s));
    uint32_t status =
        heading_word(med_status_name, MED_STATUS_COUNT, one + 1, (size_t)(two - one - 1));
    if (section == MED_SECTION_COUNT || status == MED_STATUS_COUNT || h->n_row == HEADING_ROWS_MAX)
        R1_FAIL(err, R1_E_FORMAT,
                "%s:%u: expected a section and a status (at most %d lines), "
                "found \"%.*s\"",
                name, line, HEADING_ROWS_MAX, shown, s);
    h->row[h->n_row] =
        (med_heading){(uint8_t)section, (uint8_t)status, section == MED_SECTION_START};
    for (const char *w = two + 1; w <= end;) {
        const char *bar = memchr(w, '|', (size_t)(end - w)), *stop = bar ? bar : end;
        char plain[HEADING_BYTES_MAX];
        size_t n = heading_plain(w, (size_t)(stop - w), plain);
        uint32_t at = n ? med_map_intern(h->names, plain, n) : MED_NONE;
        if (at == MED_NONE || med_map_get(h->names, at) != MED_NONE)
            R1_FAIL(err, R1_E_FORMAT,
                    "%s:%u: expected a heading that no line has yet, of at most %d bytes, "
                    "found \"%.*s\"",
                    name, line, HEADING_BYTES_MAX - 1, (int)(stop - w), w);
        med_map_set(h->names, at, h->n_row);
        h->n_name++;
        w = stop + 1;
    }
    h->n_row++;
    return R1_OK;
}

typedef struct {
    med_headings *h;
    const char *name;
} headings_reader;

static r1_status heading_row(void *reader, uint32_t line, const char *s, size_t len, r1_err *err)
{
    headings_reader *r = reader;
    return heading_line(r->h, r->name, line, s, len, err);
}

r1_status med_headings_new(med_headings **out, const char *name, const char *text, size_t len,
                           r1_err *err)
{
    med_headings *h = calloc(1, sizeof *h);
    if (!h) R1_FAIL(err, R1_E_NOMEM, "no memory for the headings");
    r1_status st = med_map_new(&h->names, (size_t)1 << 20, err);
    headings_reader r = {h, name};
    if (st == R1_OK) st = med_rows_read(name, text, len, heading_row, &r, err);
    if (st != R1_OK) {
        med_headings_free(h);
        return st;
    }
    *out = h;
    return R1_OK;
}

void med_headings_free(med_headings *h)
{
    if (!h) return;
    med_map_free(h->names);
    free(h);
}

uint32_t med_headings_count(const med_headings *h) { return h->n_name; }

const med_heading *med_headings_find(const med_headings *h, const char *s, size_t len)
{
    char plain[HEADING_BYTES_MAX];
    size_t n = heading_plain(s, len, plain);
    uint32_t at = n ? med_map_find(h->names, plain, n) : MED_NONE;
    return at == MED_NONE ? NULL : &h->row[med_map_get(h->names, at)];
}
