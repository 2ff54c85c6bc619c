/* SPDX-License-Identifier: Apache-2.0 */
/* med_blocks.h - the structure of a record: lines become sections and units before anything is
 * read in them.
 *
 *   line ──▶ blank, rule, heading, item of a list, row of a table, text
 *   text ──▶ paragraph: lines that go on are joined, also at a hyphen ──▶ sentences
 *
 * A heading ends the section before it, whatever it says. One that is known (med_headings.h) has a
 * meaning; under all others a finding is the patient's and present, unless the heading says more
 * ("The patient denies the following:"). An item of a list and a row of a table are units of their
 * own.
 *
 * Threads: one per call. */
#ifndef MED_BLOCKS_H
#define MED_BLOCKS_H

#include "notes/med_recognise.h"
#include "notes/med_record.h"

/* Fills n->section and n->sentence from n->text. They follow one another. */
r1_status med_blocks_split(med_notes *n, const med_lexicon *lex, med_recogniser *recogniser,
                           r1_err *err);

#endif
