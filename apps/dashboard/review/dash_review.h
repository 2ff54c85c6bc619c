/* SPDX-License-Identifier: Apache-2.0 */
/* dash_review.h - what a clinician made of a record's findings, kept sealed in r1.med_review. The
 * document is what r1-medical serve answered: {"findings": ..., "report": ...}, with sorted names,
 * so its hash follows from what it says.
 *
 * Owns:    answers are malloc'ed and the caller's. Keys are borrowed.
 * Threads: any, with a store each.
 * Errors:  R1_E_INVAL: the document has no findings. R1_E_NOT_FOUND: no such review, or the file of
 *          keys lacks the one that sealed it. R1_E_FORMAT: the stored row was changed. Of the
 *          store: as r1_store_query. */
#ifndef DASH_REVIEW_H
#define DASH_REVIEW_H

#include "api/dash_call.h"
#include "privacy/med_keys.h"

#include <jansson.h>

/* Stores it, in one transaction with its audit row; signs: who stores it signs it, too. before: the
 * review that it goes on from, 0: none. *text: {"id", "state", "hash"}. */
r1_status dash_review_save(r1_store *s, const dash_who *who, const med_keys *keys,
                           const json_t *document, int64_t before, bool signs, char **text,
                           r1_err *err);
/* *text: the review with its signatures and its document. Audited as seen. */
r1_status dash_review_open(r1_store *s, const dash_who *who, const med_keys *keys, int64_t id,
                           char **text, r1_err *err);

#endif
