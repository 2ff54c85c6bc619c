/* SPDX-License-Identifier: Apache-2.0 */
/* epochs.c - see epochs.h. */
#include "train/epochs.h"

#include "r1_assert.h"

void r1_epochs_fill(uint32_t *n_epoch, uint32_t *n_batch, double *warmup)
{
    R1_OR_DEFAULT(*n_epoch, R1_DEFAULT_EPOCHS);
    R1_OR_DEFAULT(*n_batch, R1_DEFAULT_BATCH);
    R1_OR_DEFAULT(*warmup, R1_DEFAULT_WARMUP);
}

r1_status r1_epochs_new(r1_epochs *e, r1_run *r, const char *curriculum, bool masks, size_t cap,
                        r1_err *err)
{
    R1_TRY(r1_data_rows_new(&e->rows, r->m->desc, cap, err));
    R1_TRY(r1_curriculum_new(&e->curriculum, curriculum, masks, r->m->desc, &r->train, err));
    e->order = r1_run_room(r, r->train.n_unit, sizeof *e->order);
    if (e->order) return R1_OK;
    R1_FAIL(err, R1_E_NOMEM, "%s: out of memory", r->stage->what);
}

void r1_epochs_free(r1_epochs *e)
{
    r1_data_rows_free(&e->rows);
    r1_curriculum_free(&e->curriculum);
}

static void epochs_shuffle(r1_epochs *e, const r1_run *r)
{
    double progress = (double)e->epoch / e->n_epoch;
    r1_curriculum_epoch(&e->curriculum, progress, r->o->seed, e->epoch, e->order);
}

r1_status r1_epochs_start(r1_epochs *e, r1_run *r, bool resumed, r1_err *err)
{
    if (resumed && e->unit >= r->train.n_unit)
        R1_FAIL(err, R1_E_FORMAT, "checkpoint %s: unit %llu of %zu", r->o->checkpoint,
                (unsigned long long)e->unit, r->train.n_unit);
    r->adam.n_step = r->step; /* one a step: the checkpoint says it once */
    epochs_shuffle(e, r);
    return R1_OK;
}

r1_status r1_epochs_take(r1_epochs *e, r1_run *r, r1_err *err)
{
    R1_ASSERT(e->unit <= r->train.n_unit, "%s: unit %llu of %zu", r->stage->what,
              (unsigned long long)e->unit, r->train.n_unit);
    R1_TRY(r1_data_rows_take(&e->rows, &r->train, e->order, &e->unit, e->n_batch, err));
    R1_ASSERT(e->rows.n <= e->rows.cap, "%s: a batch of %zu, room for %zu", r->stage->what,
              e->rows.n, e->rows.cap);
    return R1_OK;
}

void r1_epochs_count(r1_epochs *e, r1_run *r)
{
    e->seen += e->rows.n;
    r->pace.seen += e->rows.n;
}

bool r1_epochs_ended(const r1_epochs *e, const r1_run *r) { return e->unit == r->train.n_unit; }

void r1_epochs_turn(r1_epochs *e, r1_run *r, bool *due)
{
    if (!r1_epochs_ended(e, r)) return;
    e->epoch++;
    e->unit = 0;
    epochs_shuffle(e, r);
    *due |= !(r->o->valid_every && r->has_valid);
}

bool r1_epochs_over(const r1_epochs *e) { return e->epoch >= e->n_epoch; }

double r1_epochs_progress(const r1_epochs *e, const r1_run *r)
{
    return (double)e->seen / ((double)r->train.n_sample * e->n_epoch);
}

double r1_epochs_rate(const r1_epochs *e, const r1_run *r)
{
    return r1_adamw_rate(r->o->lr, e->warmup, r1_epochs_progress(e, r));
}

void r1_epochs_note(r1_epochs *e, r1_run *r, double loss)
{
    r1_pace_note(&r->pace, r->o->progress, e->epoch, loss, e->seen, r->train.n_sample * e->n_epoch);
}

void r1_epochs_figures(const r1_epochs *e, const r1_run *r, FILE *f)
{
    r1_metric_count(f, "epoch", e->epoch);
    r1_metric_count(f, "samples", e->seen);
    r1_metric(f, "lr", r1_epochs_rate(e, r));
}

void r1_epochs_state(r1_epochs *e, r1_checkpoint *c)
{
    r1_checkpoint_counter(c, "epoch", &e->epoch);
    r1_checkpoint_counter(c, "unit", &e->unit);
    r1_checkpoint_counter(c, "seen", &e->seen);
}
