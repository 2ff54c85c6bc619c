/* SPDX-License-Identifier: Apache-2.0 */
/* med_eval_annotate.h - recognised findings against annotated corpora.
 *
 * Criterion: a mention is right when it overlaps a gold span of the same finding (ids are
 * brought to the knowledge base's present ones). One mention answers one span, and one span has
 * one mention: a second one over it is wrong. Documents by their sets of findings. Gold that is
 * marked as negated is left out of the gold and what is recognised there as absent is left out
 * too; it counts for negation_f1 alone. Corpora in the format gsc mark every name, denied or not,
 * so there a denial counts as a mention. What was measured is left out: the corpora mark names,
 * not values. A gold span that only a value answers therefore counts as missed. */
#ifndef MED_EVAL_ANNOTATE_H
#define MED_EVAL_ANNOTATE_H

#include "notes/med_notes.h"

typedef struct {
    uint32_t docs, gold, predicted, unknown_gold, n_word;
    double precision, recall, f1, doc_f1, negation_f1, words_per_s;
} med_eval_annotate_result;

/* format: gsc and id68 (folders ann/ and corpus/), brat (.txt beside .ann), bc8t3 (one table).
 * show: prints what was missed and what was wrong to standard error. */
r1_status med_eval_annotate(const char *format, const char *path, const med_kb *kb,
                            const med_lexicon *lex, bool show, med_eval_annotate_result *out,
                            r1_err *err);

#endif
