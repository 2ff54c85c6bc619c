/* SPDX-License-Identifier: Apache-2.0 */
/* med_text_shard.h - the texts of an ontology as shards, for r1 train --stage pretrain: which
 * name, which synonyms, which definition and which parents belong together. */
#ifndef MED_TEXT_SHARD_H
#define MED_TEXT_SHARD_H

#include "ontology/med_kb.h"

typedef struct {
    uint32_t n_train, n_valid; /* findings */
} med_text_report;

/* DIR/train.r1s and, with a tenth of the findings by a hash of their id, DIR/valid.r1s. */
r1_status med_text_shards(const med_kb *kb, const char *dir, med_text_report *report, r1_err *err);

#endif
