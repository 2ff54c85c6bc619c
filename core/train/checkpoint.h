/* SPDX-License-Identifier: Apache-2.0 */
/* checkpoint.h - the state of a run as a table of counters and blocks: one table writes it and
 * reads it back.
 *
 * Written whole beside the old one and renamed, so that the old or the new state is there after
 * any crash; a full disk leaves the old. */
#ifndef R1_CHECKPOINT_H
#define R1_CHECKPOINT_H

#include "r1_base.h"

enum { R1_CHECKPOINT_ROWS = 8 };

typedef struct {
    const char *stage;       /* "reinforce"; NULL: none is written (finetune) */
    const char *description; /* of the model */
    struct {
        const char *name;
        uint64_t value,
            /* unsaid not 0: this value is not written, and is what a file says that has no such
             * row */
            unsaid;
    } must[R1_CHECKPOINT_ROWS]; /* what must be the same for going on */
    struct {
        const char *name;
        uint64_t *value;
    } counter[R1_CHECKPOINT_ROWS]; /* name NULL ends */
    struct {
        const char *name;
        float *data;
    } block[R1_CHECKPOINT_ROWS]; /* all of block_bytes */
    size_t block_bytes;
} r1_checkpoint;

r1_status r1_checkpoint_save(const r1_checkpoint *c, const char *path, r1_err *err);
/* R1_E_INVAL for another run's, R1_E_FORMAT for what is not a checkpoint; the state is then
 * undefined. */
r1_status r1_checkpoint_load(const r1_checkpoint *c, const char *path, r1_err *err);

#endif
