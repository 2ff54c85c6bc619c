/* SPDX-License-Identifier: Apache-2.0 */
/* outputs.h - refuses, before work begins, what a command could not write or would destroy.
 *
 * An output must be another file than each input and each other output. It must also be possible
 * to write it: its folder is there and takes new files.
 *
 * Same: one device and inode, whatever the names. Where a file is not there yet: one folder and one
 * name in it. Devices and pipes are never the same as another file. */
#ifndef R1_OUTPUTS_H
#define R1_OUTPUTS_H

#include "r1_base.h"

typedef enum {
    R1_OUTPUT_REPLACED = 0, /* written beside the old file, then renamed */
    R1_OUTPUT_IN_PLACE,     /* opened and written; the folder must be there */
    R1_OUTPUT_BELOW         /* the command makes the folders above it */
} r1_output_kind;

typedef struct {
    const char *what;    /* for messages: "--out" */
    const char *path;    /* NULL: not asked for */
    r1_output_kind kind; /* of an output */
} r1_named_file;

/* R1_E_INVAL where an output is an input or another output, R1_E_IO where it cannot be written.
 * An input that is a folder, or not there, is passed over. */
r1_status r1_outputs_check(const r1_named_file *out, size_t n_out, const r1_named_file *in,
                           size_t n_in, r1_err *err);
/* The same for inputs of one kind: files, each called `what`. */
r1_status r1_outputs_spare(const r1_named_file *out, size_t n_out, const char *what,
                           const char *const *in, size_t n_in, r1_err *err);

#endif
