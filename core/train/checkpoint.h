/* SPDX-License-Identifier: Apache-2.0 */
/* checkpoint.h - the state of a run as a table of counters and blocks. One table writes the file
 * and reads it back.
 *
 * A file is written whole beside the old one and renamed. So the old or the new state is there
 * after any crash, and a full disk leaves the old. The order of the rows is the file's order. */
#ifndef R1_CHECKPOINT_H
#define R1_CHECKPOINT_H

#include "r1_base.h"

enum { R1_CHECKPOINT_ROWS = 8 };

/* The rows that are written and read. A row's name is NULL where the table ends. Pointers are
 * borrowed. */
typedef struct {
    const char *stage;       /* "reinforce"; NULL: none is written (finetune) */
    const char *description; /* of the model */
    /* What must be the same for going on. unsaid not 0: this value is not written, and is what a
     * file says that has no such row. */
    struct {
        const char *name;
        uint64_t value, unsaid;
    } must[R1_CHECKPOINT_ROWS];
    struct {
        const char *name;
        uint64_t *value;
    } counter[R1_CHECKPOINT_ROWS];
    struct {
        const char *name;
        float *data; /* all of block_bytes */
    } block[R1_CHECKPOINT_ROWS];
    size_t block_bytes;
} r1_checkpoint;

/* Append a row. */
void r1_checkpoint_must(r1_checkpoint *c, const char *name, uint64_t value, uint64_t unsaid);
void r1_checkpoint_counter(r1_checkpoint *c, const char *name, uint64_t *value);
void r1_checkpoint_block(r1_checkpoint *c, const char *name, float *data);

r1_status r1_checkpoint_save(const r1_checkpoint *c, const char *path, r1_err *err);
/* R1_E_INVAL for another run's, R1_E_FORMAT for what is not a checkpoint. The state is then
 * undefined. */
r1_status r1_checkpoint_load(const r1_checkpoint *c, const char *path, r1_err *err);

#endif
