/* SPDX-License-Identifier: Apache-2.0 */
/* loop.h - the one loop of training, which each stage runs through a table of functions.
 *
 *     r1_run_begin   opens the data, prepares the stage, resumes where a checkpoint exists
 *     r1_run_step    one step of the stage; then its line of metrics, validation, checkpoint
 *     r1_run_all     steps until the run is over, or a stop with a checkpoint
 *     r1_run_finish  keeps the best weights, judges them, writes the model
 *     r1_run_free    at any time
 *
 * A stage is a struct whose first member is its r1_run. The run owns what all stages have: data,
 * model, thread pool, optimiser, best weights, and an arena for the stage's buffers. The stage
 * owns what it adds, and frees it in `free`.
 *
 * Nothing random is carried along in any stage. What a step draws comes from (seed, step), and
 * the order of an epoch from (seed, epoch). So a checkpoint is weights, moments, best weights and
 * a few counters, and a resumed run gives the bytes of one that was not cut.
 *
 * "Step" alone means a step of this loop. Optimiser steps are counted in r1_adamw: one a step in
 * most stages, several in reinforcement.
 *
 * Invariants: a validation without gain is a validation (bad <= n_valid). Steps only rise.
 * Threads: one thread at a time; the pool's threads run within its calls. */
#ifndef R1_LOOP_H
#define R1_LOOP_H

#include "r1_run.h"
#include "train/adamw.h"
#include "train/checkpoint.h"
#include "train/data.h"

#include <stdio.h>

/* How fast this process goes; a resumed run begins anew. */
typedef struct {
    const char *what; /* leads the progress line */
    int64_t start_us;
    uint64_t seen; /* samples */
    uint64_t done; /* what the line said last */
    double flop;   /* operations done */
    double peak;   /* operations that the machine could do in a second */
    double loss;   /* its running mean */
    r1_progress line;
} r1_pace;

typedef enum { R1_EVENT_TRAIN = 0, R1_EVENT_VALID, R1_EVENT_END } r1_event_kind;

typedef struct r1_run r1_run;

/* What a stage is. Functions may be NULL where that is said. */
typedef struct {
    const char *name; /* in checkpoints and metrics; NULL: neither names it */
    const char *what; /* leads messages and the progress line */
    /* Defaults of what stages do not agree on. */
    double lr;
    uint32_t checkpoint_every, valid_every, patience;
    uint32_t note_every; /* steps between lines of metrics; 0: none */
    bool lower;          /* the least value of a validation is the best */
    /* The checkpoint of a run that is over is its last state. Where not, it stays what the last
     * checkpoint_every left. */
    bool keeps_end;
    /* Refuses options, before anything is opened; NULL. */
    r1_status (*check)(const r1_run *r, r1_err *err);
    /* The data are open: makes r->m, r->threads and the stage's own. */
    r1_status (*prepare)(r1_run *r, r1_err *err);
    /* After prepare, and after a checkpoint has been read where there is one. */
    r1_status (*start)(r1_run *r, bool resumed, r1_err *err);
    /* One step: from a batch or cases to changed weights. */
    r1_status (*step)(r1_run *r, double *loss, r1_err *err);
    /* After a step: the progress line; NULL: none. */
    void (*note)(r1_run *r, double loss);
    /* After a step and its note: an epoch's end. *due: validate now; it may come true. */
    r1_status (*turn)(r1_run *r, bool *due, r1_err *err);
    /* All steps or epochs are done. */
    bool (*over)(const r1_run *r);
    /* Judges the model on the validation's data. */
    r1_status (*validate)(r1_run *r, double *value, r1_err *err);
    /* Exchanges the weights with those that are validated and kept; NULL: they are the same. */
    void (*swap)(r1_run *r);
    /* The report, of the weights that are kept; sets the model's count of samples. */
    r1_status (*finish)(r1_run *r, r1_err *err);
    r1_status (*save)(const r1_run *r, r1_err *err); /* NULL: r1_model_save */
    /* Appends what a line of metrics says after "step": r1_metric and its like. */
    void (*figures)(const r1_run *r, r1_event_kind event, FILE *f);
    /* Adds its rows to a checkpoint; calls r1_run_counts where the run's own counters stand. */
    void (*state)(r1_run *r, r1_checkpoint *c);
    void (*free)(r1_run *r); /* what the stage owns */
} r1_stage;

struct r1_run {
    const r1_stage *stage;
    r1_run_opts *o; /* the stage's own, defaults filled in */
    r1_data train, valid;
    bool has_valid;
    r1_model *m;
    r1_thread_pool *threads;
    r1_adamw adam;
    r1_arena *room; /* of the stage's buffers */
    float *best;    /* the weights that validated best */
    /* what a checkpoint carries */
    uint64_t step;           /* steps done, earlier processes included */
    uint64_t bad, n_valid;   /* validations: since the last gain, all */
    uint64_t best_bits;      /* best_value's, at a checkpoint */
    double best_value;       /* of a validation; infinite before the first */
    uint64_t trained_before; /* samples that the model had seen before this run */
    r1_pace pace;
};

/* Takes the default where an option was left 0. */
#define R1_OR_DEFAULT(option, value)                                                               \
    do {                                                                                           \
        if (!(option)) (option) = (value);                                                         \
    } while (0)

/* opts: the stage's own copy, whose zeros become defaults. On error all is freed, r too. */
r1_status r1_run_begin(r1_run *r, const r1_stage *stage, r1_run_opts *opts, r1_err *err);
/* One step; *loss is 0 where the run was over. *done: it is over now, or at n_step_max. */
r1_status r1_run_step(r1_run *r, double *loss, bool *done, r1_err *err);
/* Steps until done. A stop leaves a checkpoint and gives R1_E_CANCELLED. */
r1_status r1_run_all(r1_run *r, r1_err *err);
r1_status r1_run_finish(r1_run *r, r1_err *err);
r1_status r1_run_checkpoint(r1_run *r, const char *path, r1_err *err);
void r1_run_free(r1_run *r); /* the stage's struct with it; NULL is fine */

/* ---- for stages ------------------------------------------------------------------------------ */

/* The model that the run trains: a new one from the description, or `init` under the heads of
 * `heads` (NULL: its own). */
r1_status r1_run_open_model(r1_run *r, const char *init, const char *heads, r1_err *err);
/* What the model is made from: `description`, or the shards' own. */
const char *r1_run_description(const r1_run *r);
/* Zeroed, of the run's arena; NULL where memory ends. */
void *r1_run_room(r1_run *r, size_t count, size_t size);
/* An error where the loss is no finite number. */
r1_status r1_run_check_loss(const r1_run *r, double loss, r1_err *err);
/* One optimiser step of the model by the gradients of dp, at the learning rate `rate`. */
void r1_run_descend(r1_run *r, r1_data_parallel *dp, double rate);
/* Validates where nothing has been validated, then takes the best weights. */
r1_status r1_run_keep_best(r1_run *r, r1_err *err);
/* Rows of a checkpoint: bad, n_valid, best_bits. */
void r1_run_counts(r1_run *r, r1_checkpoint *c);

/* After a step over samples: averages the loss and, where `progress`, prints where the run
 * stands. done, all: samples, earlier processes included. */
void r1_pace_note(r1_pace *p, bool progress, uint64_t epoch, double loss, uint64_t done,
                  uint64_t all);
/* The same with a text of the stage's own; done, all: steps. */
void r1_pace_say(r1_pace *p, bool progress, uint64_t done, uint64_t all, const char *text);
double r1_pace_seconds(const r1_pace *p);

/* Parts of a line of metrics. r1_metric leaves out what is not finite. Names are literals of the
 * stage: they are printed as they are, without an escape. */
void r1_metric(FILE *f, const char *name, double value);
void r1_metric_count(FILE *f, const char *name, uint64_t value);
void r1_metric_seconds(FILE *f, const r1_run *r);

#endif
