/* SPDX-License-Identifier: Apache-2.0 */
/* med_review.h - the findings of a record as a file that a person goes through before the ranking.
 * Each finding can be accepted, rejected, given another status, person or term, or added; sex and
 * age can be set. schemas/messages/findings.schema.json describes the file, and a test holds both
 * to each other.
 *
 *   record ──▶ med_notes ──▶ med_review ──▶ JSON ──▶ a person ──▶ JSON ──▶ med_document ──▶ report
 *
 * A finding stands once for each status and person, with its first place in the record and the
 * number of its mentions. What a person leaves alone stays `open` and counts as it was read; what
 * is rejected counts nowhere. Both are told.
 *
 * Owns:    a med_review owns its strings.
 * Threads: any, one review per call.
 * Limits:  MED_DOCUMENT_FINDINGS_MAX findings, MED_DOCUMENT_BYTES_MAX of a file.
 * Errors:  R1_E_FORMAT: what, where, expected, found. A member that is not known is refused, as it
 *          is a slip that would be lost in silence. */
#ifndef MED_REVIEW_H
#define MED_REVIEW_H

#include "documents/med_document.h"

#include <jansson.h>

#define MED_REVIEW_FORMAT "r1-findings"
enum { MED_REVIEW_VERSION = 1, MED_REVIEW_TEXT_MAX = 8192, MED_REVIEW_NAME_MAX = 1200 };

typedef enum {
    MED_REVIEW_OPEN, /* as it was read */
    MED_REVIEW_ACCEPTED,
    MED_REVIEW_REJECTED,
    MED_REVIEW_ADDED,
    MED_REVIEW_STATES
} med_review_state;
extern const char *const med_review_name[MED_REVIEW_STATES];

typedef struct {
    char *id, *name;   /* name NULL: not said */
    med_status status; /* never MED_FAMILY: `relative` says it */
    bool relative;
    med_review_state review;
    med_quote quote; /* where it stands; quote.sentence NULL: nowhere, as of an added one */
} med_review_finding;

typedef struct {
    char *record, *knowledge_base; /* names, NULL: not said */
    med_sex sex;
    double age_years; /* NaN: not said */
    med_review_finding *finding;
    uint32_t n, cap;
    uint32_t not_read, cut; /* of the record, see med_notes.h */
    med_signing signing;    /* zero: not said */
    char *note[MED_DOCUMENT_NOTES_MAX + 1];
    uint32_t n_note;
} med_review;

/* What was read of a record, each finding open. record: its name. *out is empty after a failure;
 * free it in any case. */
r1_status med_review_make(med_review *out, const med_kb *kb, const med_notes *notes,
                          const med_document *d, const char *record, r1_err *err);
void med_review_free(med_review *r);
/* malloc'ed text of the file. */
r1_status med_review_write(const med_review *r, char **out, r1_err *err);
r1_status med_review_read(med_review *out, const char *what, const json_t *tree, r1_err *err);

#endif
