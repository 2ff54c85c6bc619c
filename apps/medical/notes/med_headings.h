/* SPDX-License-Identifier: Apache-2.0 */
/* med_headings.h - the headings of a record that have a meaning, read from a file
 * (data/headings.tsv, whose head describes its form).
 *
 * Owns:    its table.
 * Threads: read-only after med_headings_new.
 * Errors:  a line that does not fit: R1_E_FORMAT with file, line, expected, found. */
#ifndef MED_HEADINGS_H
#define MED_HEADINGS_H

#include "ontology/med_kb.h"

typedef enum {
    MED_PRESENT,
    MED_ABSENT,
    MED_FAMILY,
    MED_HISTORICAL,
    MED_HYPOTHETICAL,
    MED_UNCERTAIN,
    MED_STATUS_COUNT
} med_status;
extern const char *const med_status_name[MED_STATUS_COUNT];

typedef enum {
    MED_SECTION_START, /* before the first heading */
    MED_SECTION_PRESENT_ILLNESS,
    MED_SECTION_PAST_HISTORY,
    MED_SECTION_FAMILY,
    MED_SECTION_EXAMINATION,
    MED_SECTION_LABORATORY,
    MED_SECTION_IMAGING,
    MED_SECTION_ASSESSMENT,
    MED_SECTION_PLAN,
    MED_SECTION_MEDICATIONS,
    MED_SECTION_SOCIAL,
    MED_SECTION_OTHER, /* a heading without a meaning: the patient's, present */
    MED_SECTION_COUNT
} med_section_kind;
extern const char *const med_section_name[MED_SECTION_COUNT];

/* What a heading means. */
typedef struct {
    uint8_t section; /* MED_SECTION_* */
    uint8_t status;  /* MED_* of a finding for which no word says another one */
    bool same;       /* the section before it goes on */
} med_heading;

typedef struct med_headings med_headings;
/* name: of the file, for errors. text need not outlive the call. */
r1_status med_headings_new(med_headings **out, const char *name, const char *text, size_t len,
                           r1_err *err);
void med_headings_free(med_headings *h); /* NULL is fine */
/* s: the heading without marks around it, of any case. NULL: it has no meaning. */
const med_heading *med_headings_find(const med_headings *h, const char *s, size_t len);
uint32_t med_headings_count(const med_headings *h);

#endif
