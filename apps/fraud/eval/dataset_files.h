/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dataset_files.h - what the readers of layouts share. */
#ifndef FRAUD_DATASET_FILES_H
#define FRAUD_DATASET_FILES_H

#include "eval/dataset.h"

/* Reads path itself, or path/name, or path/name.zst; at: which of them. *data is malloc'ed and
 * NUL-terminated. R1_E_NOT_FOUND: none. */
r1_status fraud_dataset_file(const char *path, const char *name, char *at, size_t at_bytes,
                             char **data, size_t *len, r1_err *err);
/* Fills an empty data set from a folder with payments.jsonl, labels.jsonl and perhaps
 * truth.jsonl. */
r1_status fraud_recording_load(fraud_dataset *d, const char *folder, r1_err *err);

#endif
