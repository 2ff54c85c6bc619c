/* SPDX-License-Identifier: Apache-2.0 */
/* sum.h - the checksum of a model's file, in a file of its own beside it: FILE.sum holds 16 hex
 * digits of r1_hash64 over all bytes, a blank and the number of bytes. A second line, of the model
 * that is being replaced, counts as well.
 *
 * It stands beside the model and not in it, so that a model's bytes, and all that is named by their
 * hash, stay as they were.
 *
 * Threads: pure functions on files.
 * Errors:  R1_E_FORMAT where the bytes are not those that were written, with what would help. */
#ifndef R1_SUM_H
#define R1_SUM_H

#include "r1_base.h"

/* *there tells whether there is a checksum; without one nothing is compared. */
r1_status r1_sum_check(const char *path, const void *data, size_t len, bool *there, r1_err *err);
/* Writes a model and its checksum. The new checksum stands beside the old one before the model is
 * replaced, so that a crash at any point leaves a model with a checksum that fits. */
r1_status r1_sum_save(const char *path, const void *data, size_t len, r1_err *err);
/* The checksum alone, of a model that is there. */
r1_status r1_sum_write(const char *path, const void *data, size_t len, r1_err *err);

#endif
