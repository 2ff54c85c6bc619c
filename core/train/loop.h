/* SPDX-License-Identifier: Apache-2.0 */
/* loop.h - what the loops of the stages share: how fast they go, and how they run to their end
 * or stop with a checkpoint. */
#ifndef R1_LOOP_H
#define R1_LOOP_H

#include "r1_base.h"

/* Of this process alone: a resumed run begins anew. */
typedef struct {
    const char *what; /* leads the progress line */
    int64_t start_us;
    uint64_t seen; /* samples */
    double flop, peak,
        /* operations done, what the machine could do in a second, the running mean of the loss */
        loss;
    r1_progress line;
} r1_pace;

/* After a step: the loss is averaged and, where `progress`, the line says where the run stands.
 * done, all: samples, earlier processes included. */
void r1_pace_note(r1_pace *p, bool progress, uint64_t epoch, double loss, uint64_t done,
                  uint64_t all);
void r1_pace_end(r1_pace *p, uint64_t done);
double r1_pace_seconds(const r1_pace *p);

typedef struct {
    const char *what;       /* leads the message of a stop */
    const char *checkpoint; /* NULL: none */
    bool (*stopped)(void);  /* polled after each step; NULL */
    const uint64_t *step;
    r1_status (*advance)(void *stage, bool *done, r1_err *err);
    r1_status (*save)(void *stage, const char *path, r1_err *err);
} r1_loop;

/* Steps until done, then a checkpoint. A stop: a checkpoint and R1_E_CANCELLED. */
r1_status r1_loop_run(const r1_loop *l, void *stage, r1_err *err);

#endif
