/* SPDX-License-Identifier: Apache-2.0 */
/* loop.c - see loop.h. */
#include "train/loop.h"

#include "cpu/cpu_peak.h"
#include "r1_assert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void r1_pace_note(r1_pace *p, bool progress, uint64_t epoch, double loss, uint64_t done,
                  uint64_t all)
{
    char text[128];
    p->loss = p->loss == 0 ? loss : 0.98 * p->loss + 0.02 * loss;
    if (!progress) return;
    if (!p->line.what) r1_progress_begin(&p->line, p->what, all);
    double spent = r1_pace_seconds(p);
    if (p->peak == 0) p->peak = r1_cpu_peak_gops(0.05) * 1e9;
    snprintf(text, sizeof text,
             "epoch %llu loss %.4f, %.0f samples/s, %.0f %% of the machine's peak",
             (unsigned long long)epoch + 1, p->loss, (double)p->seen / spent,
             100 * p->flop / spent / p->peak);
    p->done = done;
    r1_progress_update(&p->line, done, text);
}

void r1_pace_say(r1_pace *p, bool progress, uint64_t done, uint64_t all, const char *text)
{
    if (!progress) return;
    if (!p->line.what) r1_progress_begin(&p->line, p->what, all);
    p->done = done;
    r1_progress_update(&p->line, done, text);
}

double r1_pace_seconds(const r1_pace *p) { return (double)(r1_mono_us() - p->start_us) * 1e-6; }

/* ---- metrics --------------------------------------------------------------------------------- */

void r1_metric(FILE *f, const char *name, double value)
{
    if (isfinite(value)) fprintf(f, ",\"%s\":%.6g", name, value);
}

void r1_metric_count(FILE *f, const char *name, uint64_t value)
{
    fprintf(f, ",\"%s\":%llu", name, (unsigned long long)value);
}

void r1_metric_seconds(FILE *f, const r1_run *r)
{
    fprintf(f, ",\"seconds\":%.3f", r1_pace_seconds(&r->pace));
}

static void run_write_metrics(const r1_run *r, r1_event_kind event)
{
    static const char *const names[] = {"train", "valid", "end"};
    FILE *f = r->o->metrics ? fopen(r->o->metrics, "ae") : NULL;
    if (!f) return;
    fputc('{', f);
    if (r->stage->name) fprintf(f, "\"stage\":\"%s\",", r->stage->name);
    fprintf(f, "\"event\":\"%s\",\"step\":%llu", names[event], (unsigned long long)r->step);
    r->stage->figures(r, event, f);
    fprintf(f, "}\n");
    fclose(f);
}

/* ---- what is set up -------------------------------------------------------------------------- */

static void run_fill_options(r1_run_opts *o, const r1_stage *s)
{
    R1_OR_DEFAULT(o->lr, s->lr);
    R1_OR_DEFAULT(o->weight_decay, R1_DEFAULT_WEIGHT_DECAY);
    R1_OR_DEFAULT(o->clip, R1_DEFAULT_CLIP);
    R1_OR_DEFAULT(o->n_slice, R1_DEFAULT_SLICES);
    R1_OR_DEFAULT(o->checkpoint_every, s->checkpoint_every);
    R1_OR_DEFAULT(o->valid_every, s->valid_every);
    R1_OR_DEFAULT(o->patience, s->patience);
}

static r1_status run_open_data(r1_run *r, r1_err *err)
{
    const r1_run_opts *o = r->o;
    R1_TRY(r1_data_open(&r->train, o->train, o->n_train, err));
    if (!o->n_valid) return R1_OK;
    R1_TRY(r1_data_open(&r->valid, o->valid, o->n_valid, err));
    r->has_valid = true;
    if (r1_shard_schema_hash(r->valid.shard[0]) == r1_shard_schema_hash(r->train.shard[0]))
        return R1_OK;
    R1_FAIL(err, R1_E_INVAL, "%s: shard %s has another feature schema than %s", r->stage->what,
            o->valid[0], o->train[0]);
}

const char *r1_run_description(const r1_run *r)
{
    return r->o->description ? r->o->description : r1_shard_description(r->train.shard[0]);
}

r1_status r1_run_open_model(r1_run *r, const char *init, const char *heads, r1_err *err)
{
    if (!init)
        R1_TRY(r1_model_new(&r->m, r1_run_description(r), r->o->seed, err));
    else if (!heads)
        R1_TRY(r1_model_open(&r->m, init, err));
    else
        R1_TRY(r1_model_open_as(&r->m, init, heads, r->o->seed, err));
    r->trained_before = r->m->trained_samples;
    return R1_OK;
}

void *r1_run_room(r1_run *r, size_t count, size_t size)
{
    return r1_arena_alloc(r->room, count, size);
}

static r1_status run_reserve(r1_run *r, r1_err *err)
{
    size_t bytes = r->m->net.plan.weight_bytes;
    R1_TRY(r1_adamw_new(&r->adam, r->m, err));
    r->best = r1_run_room(r, bytes + 64, 1);
    if (!r->best) R1_FAIL(err, R1_E_NOMEM, "%s: out of memory", r->stage->what);
    memcpy(r->best, r->m->weights, bytes);
    return R1_OK;
}

/* ---- checkpoint ------------------------------------------------------------------------------ */

void r1_run_counts(r1_run *r, r1_checkpoint *c)
{
    r1_checkpoint_counter(c, "bad", &r->bad);
    r1_checkpoint_counter(c, "n_valid", &r->n_valid);
    r1_checkpoint_counter(c, "best_bits", &r->best_bits);
}

static r1_checkpoint run_state(r1_run *r)
{
    r1_checkpoint c = {.stage = r->stage->name,
                       .description = r->m->desc->text,
                       .block_bytes = r->m->net.plan.weight_bytes};
    r1_checkpoint_counter(&c, "step", &r->step);
    r1_checkpoint_block(&c, "weights", r->m->weights);
    r1_checkpoint_block(&c, "moment1", r->adam.m);
    r1_checkpoint_block(&c, "moment2", r->adam.v);
    r1_checkpoint_block(&c, "best", r->best);
    r->stage->state(r, &c);
    return c;
}

r1_status r1_run_checkpoint(r1_run *r, const char *path, r1_err *err)
{
    R1_ASSERT(r->bad <= r->n_valid, "%s: %llu of %llu validations without gain", r->stage->what,
              (unsigned long long)r->bad, (unsigned long long)r->n_valid);
    r1_checkpoint c = run_state(r);
    memcpy(&r->best_bits, &r->best_value, sizeof r->best_bits);
    return r1_checkpoint_save(&c, path, err);
}

static r1_status run_resume(r1_run *r, r1_err *err)
{
    r1_checkpoint c = run_state(r);
    R1_TRY(r1_checkpoint_load(&c, r->o->checkpoint, err));
    memcpy(&r->best_value, &r->best_bits, sizeof r->best_value);
    r1_net_derive(&r->m->net, r->m->desc, r->m->weights);
    if (r->bad <= r->n_valid) return R1_OK;
    R1_FAIL(err, R1_E_FORMAT, "checkpoint %s: %llu of %llu validations without gain",
            r->o->checkpoint, (unsigned long long)r->bad, (unsigned long long)r->n_valid);
}

/* ---- life ------------------------------------------------------------------------------------ */

static r1_status run_set_up(r1_run *r, r1_err *err)
{
    const r1_stage *s = r->stage;
    if (s->check) R1_TRY(s->check(r, err));
    R1_TRY(r1_arena_new(&r->room, SIZE_MAX, err));
    R1_TRY(run_open_data(r, err));
    R1_TRY(s->prepare(r, err));
    R1_TRY(run_reserve(r, err));
    bool resumed = r->o->checkpoint && access(r->o->checkpoint, F_OK) == 0;
    if (resumed) R1_TRY(run_resume(r, err));
    return s->start(r, resumed, err);
}

r1_status r1_run_begin(r1_run *r, const r1_stage *stage, r1_run_opts *opts, r1_err *err)
{
    *r = (r1_run){.stage = stage, .o = opts, .best_value = stage->lower ? INFINITY : -INFINITY};
    run_fill_options(opts, stage);
    r1_status st = run_set_up(r, err);
    if (st != R1_OK) {
        r1_run_free(r);
        return st;
    }
    r->pace = (r1_pace){.what = stage->what, .start_us = r1_mono_us()};
    return R1_OK;
}

void r1_run_free(r1_run *r)
{
    if (!r) return;
    r->stage->free(r);
    r1_adamw_free(&r->adam);
    r1_thread_pool_free(r->threads);
    r1_model_free(r->m);
    if (r->train.shard) r1_data_close(&r->train);
    if (r->valid.shard) r1_data_close(&r->valid);
    r1_arena_free(r->room);
    free(r);
}

/* ---- a step ---------------------------------------------------------------------------------- */

r1_status r1_run_check_loss(const r1_run *r, double loss, r1_err *err)
{
    if (isfinite(loss)) return R1_OK;
    R1_FAIL(err, R1_E_INVAL,
            "%s: the loss is not finite at step %llu: lower the learning rate (%g)", r->stage->what,
            (unsigned long long)r->step, r->o->lr);
}

void r1_run_descend(r1_run *r, r1_data_parallel *dp, double rate)
{
    uint64_t before = r->adam.n_step;
    r1_adamw_step(&r->adam, r->m, dp, rate, r->o->weight_decay, r->o->clip);
    R1_ASSERT(r->adam.n_step == before + 1 && r->adam.n_step > r->step,
              "%s: optimiser step %llu of step %llu", r->stage->what,
              (unsigned long long)r->adam.n_step, (unsigned long long)r->step);
}

static bool run_finished(const r1_run *r)
{
    return r->stage->over(r) || (r->o->patience && r->bad >= r->o->patience);
}

static bool run_at_limit(const r1_run *r)
{
    return r->o->n_step_max && r->step >= r->o->n_step_max;
}

static r1_status run_judge(r1_run *r, r1_err *err)
{
    size_t bytes = r->m->net.plan.weight_bytes;
    double value;
    if (r->has_valid) {
        R1_TRY(r->stage->validate(r, &value, err));
        r->n_valid++;
        r->bad++;
        if (r->stage->lower ? value < r->best_value : value > r->best_value) {
            r->best_value = value;
            r->bad = 0;
            memcpy(r->best, r->m->weights, bytes);
        }
        run_write_metrics(r, R1_EVENT_VALID);
        return R1_OK;
    }
    memcpy(r->best, r->m->weights, bytes);
    return R1_OK;
}

static r1_status run_validate(r1_run *r, r1_err *err)
{
    if (r->stage->swap) r->stage->swap(r);
    r1_status st = run_judge(r, err);
    if (r->stage->swap) r->stage->swap(r);
    return st;
}

r1_status r1_run_step(r1_run *r, double *loss, bool *done, r1_err *err)
{
    const r1_run_opts *o = r->o;
    const r1_stage *s = r->stage;
    *loss = 0;
    *done = run_finished(r);
    if (*done) return R1_OK;
    R1_TRY(s->step(r, loss, err));
    r->step++;
    if (s->note) s->note(r, *loss);
    if (s->note_every && r->step % s->note_every == 0) run_write_metrics(r, R1_EVENT_TRAIN);
    bool due = o->valid_every && r->step % o->valid_every == 0;
    R1_TRY(s->turn(r, &due, err));
    if (due) R1_TRY(run_validate(r, err));
    if (o->checkpoint && r->step % o->checkpoint_every == 0)
        R1_TRY(r1_run_checkpoint(r, o->checkpoint, err));
    *done = run_finished(r) || run_at_limit(r);
    return R1_OK;
}

r1_status r1_run_all(r1_run *r, r1_err *err)
{
    const r1_run_opts *o = r->o;
    for (bool done = false; !done;) {
        double loss;
        R1_TRY(r1_run_step(r, &loss, &done, err));
        if (done || !o->stopped || !o->stopped()) continue;
        if (o->checkpoint) R1_TRY(r1_run_checkpoint(r, o->checkpoint, err));
        R1_FAIL(err, R1_E_CANCELLED, "%s: stopped at step %llu", r->stage->what,
                (unsigned long long)r->step);
    }
    if (!o->checkpoint || (!r->stage->keeps_end && !run_at_limit(r))) return R1_OK;
    return r1_run_checkpoint(r, o->checkpoint, err);
}

/* ---- the end --------------------------------------------------------------------------------- */

r1_status r1_run_keep_best(r1_run *r, r1_err *err)
{
    if (r->n_valid == 0) R1_TRY(run_validate(r, err));
    memcpy(r->m->weights, r->best, r->m->net.plan.weight_bytes);
    return R1_OK;
}

r1_status r1_run_finish(r1_run *r, r1_err *err)
{
    R1_TRY(r->stage->finish(r, err));
    if (r->pace.line.what) r1_progress_end(&r->pace.line, r->pace.done, "");
    run_write_metrics(r, R1_EVENT_END);
    if (!r->o->out) return R1_OK;
    return r->stage->save ? r->stage->save(r, err) : r1_model_save(r->m, r->o->out, err);
}
