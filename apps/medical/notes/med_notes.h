/* SPDX-License-Identifier: Apache-2.0 */
/* med_notes.h - reading a clinical record: sections, sentences, findings with span and status,
 * age and sex.
 *
 * Owns:    its lists. Spans are offsets into the caller's text, which must outlive it.
 * Threads: one per call; the lexicon is shared.
 * Limits:  MED_RECORD_BYTES_MAX of text, MED_MENTIONS_MAX findings: a record beyond is refused.
 *          A sentence of more than MED_SENTENCE_BYTES is read in parts, the next of which goes on
 *          with what the one before said (n_cut). A sentence of more than MED_HITS_MAX possible
 *          findings loses the rest (n_unread).
 * Status:  scopes of cues (med_scope.h) under a section's own status (med_headings.h). */
#ifndef MED_NOTES_H
#define MED_NOTES_H

#include "notes/med_lexicon.h"
#include "notes/med_recognise.h"
#include "notes/med_record.h"

/* what names the record in errors. Text must be UTF-8, without NUL bytes and not blank. */
r1_status med_notes_read(med_notes *out, const med_lexicon *lex, const med_kb *kb, const char *what,
                         const char *text, size_t len, r1_err *err);
void med_notes_free(med_notes *n);

/* One term of the record: how often it is mentioned, and where first. */
typedef struct {
    uint32_t term, n_mention, first_mention;
} med_finding;
/* The terms of that status, each once, in the order of the record. MED_PRESENT takes historical
 * ones too. out holds n_mention entries. Returns their number. */
uint32_t med_notes_findings(const med_notes *n, med_status status, med_finding *out);

#endif
