/* SPDX-License-Identifier: Apache-2.0 */
/* med_train.c - see med_train.h: cases to shards, shards to models, out-of-fold logits to the
 * calibration. */
#include "train/med_train.h"

#include "cli/r1_cli.h"
#include "r1_shard.h"
#include "r1_train.h"
#include "train/med_simulate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PATH_BYTES = 1200,
    SIMULATED = MED_FOLDS, /* behind those of the folds: lists of simulated patients */
    /* of each of these lists the right disease and the one beside it, as single candidates */
    PAIRS,
    SHARDS
};
#define UNKNOWN 0.15 /* share of patients whose disease has no profile, taken for the calibration */

void med_fold_path(const char *dir, int fold, char *path, size_t cap)
{
    snprintf(path, cap, "%s/fold-%d.gguf", dir, fold);
}

/* ---- shards ---------------------------------------------------------------------------------- */

typedef struct {
    const med_train_opts *o;
    char path[SHARDS][PATH_BYTES];
    r1_shard_writer *writer[SHARDS];
    med_samples *samples;
    r1_rng rng;
    med_train_report *report;
    /* of the knowledge base in hand */
    const med_kb *kb;
    med_ranker *ranker;
    uint64_t *event_of[SHARDS]; /* [n_term]: 1 + its event in that shard */
} builder;

static r1_status train_event_index(builder *b, int shard, const med_anchor *a, uint64_t *index,
                                   r1_err *err)
{
    uint64_t *known = &b->event_of[shard][a->term];
    if (!*known) {
        r1_event e = {a->num, &a->system};
        R1_TRY(r1_shard_add_event(b->writer[shard], &e, index, err));
        *known = *index + 1;
    }
    *index = *known - 1;
    return R1_OK;
}

/* What the ranker makes of a case. */
typedef struct {
    med_candidate list[MED_RERANK_MAX];
    med_anchor anchor[MED_FINDINGS_MAX];
    uint32_t n, gold, n_anchor; /* gold: place of the right disease; MED_NONE: not among them */
} ranked;

static void hide_features(const builder *b, ranked *r)
{
    for (uint32_t i = 0; i < r->n; i++)
        for (int f = 0; f < MED_F_COUNT; f++)
            if (b->o->features_off >> f & 1) r->list[i].feature[f] = NAN;
}

static r1_status train_rank_case(const builder *b, const med_case *c, uint32_t disease, ranked *r,
                                 r1_err *err)
{
    r->gold = MED_NONE;
    r->n_anchor = med_case_anchors(b->kb, c, r->anchor, MED_FINDINGS_MAX);
    med_case_open(b->ranker, c);
    R1_TRY(med_rank(b->ranker, r->list, MED_RERANK_MAX, &r->n, err));
    for (uint32_t i = 0; i < r->n; i++)
        if (r->list[i].disease == disease) r->gold = i;
    hide_features(b, r);
    med_anchors_plan(b->kb, r->anchor, r->n_anchor, true);
    return R1_OK;
}

/* Of the open case. */
static r1_status fill_samples(builder *b, const ranked *r, int shard, r1_err *err)
{
    uint64_t ref[MED_FINDINGS_MAX];
    for (uint32_t i = 0; i < r->n_anchor; i++)
        R1_TRY(train_event_index(b, shard, &r->anchor[i], &ref[i], err));
    return med_samples_fill(b->samples, b->ranker, r->list, r->n, r->anchor, ref, err);
}

static r1_status add_candidate(builder *b, int shard, uint32_t i, uint64_t group, float label,
                               r1_err *err)
{
    r1_sample s = {.item = med_samples_item(b->samples, i),
                   .id = i,
                   .group = group,
                   .label = &label,
                   .weight = 1};
    return r1_shard_add(b->writer[shard], &s, err);
}

/* The whole list as it will be served, as one group: were low places shown only where the right
 * disease holds one, R1 would learn that from the place. */
static r1_status train_add_list(builder *b, const ranked *r, int shard, r1_err *err)
{
    R1_TRY(fill_samples(b, r, shard, err));
    b->report->n_group++;
    b->report->n_sample += r->n;
    for (uint32_t i = 0; i < r->n; i++)
        R1_TRY(add_candidate(b, shard, i, b->report->n_group, i == r->gold, err));
    return R1_OK;
}

static r1_status add_pair(builder *b, const ranked *r, r1_err *err)
{
    if (r->n < 2) return R1_OK;
    R1_TRY(fill_samples(b, r, PAIRS, err));
    R1_TRY(add_candidate(b, PAIRS, r->gold, 0, 1, err));
    return add_candidate(b, PAIRS, r->gold + 1 < r->n ? r->gold + 1 : r->gold - 1, 0, 0, err);
}

/* Nothing where the right disease is not among the candidates. */
static r1_status train_add_case(builder *b, const med_case *c, uint32_t disease, int shard,
                                r1_err *err)
{
    static _Thread_local ranked r;
    R1_TRY(train_rank_case(b, c, disease, &r, err));
    if (r.gold == MED_NONE) return R1_OK;
    R1_TRY(train_add_list(b, &r, shard, err));
    return shard == SIMULATED ? add_pair(b, &r, err) : R1_OK;
}

/* The case with each finding kept by a chance of two thirds; at least two stay. */
static r1_status add_copy(builder *b, const med_case *c, const med_case_row *row, r1_err *err)
{
    uint32_t kept[MED_FINDINGS_MAX], n = 0;
    for (uint32_t i = 0; i < c->n_observed; i++)
        if (r1_rng_unit(&b->rng) < 0.67 && n < MED_FINDINGS_MAX) kept[n++] = c->observed[i];
    if (n < 2 || n == c->n_observed) return R1_OK;
    med_case part = *c;
    part.observed = kept;
    part.n_observed = n;
    return train_add_case(b, &part, row->gold_disease, row->fold, err);
}

static r1_status train_add_cases(builder *b, const med_cases *cases, r1_err *err)
{
    r1_progress bar;
    r1_progress_begin(&bar, "ranking cases for training", cases->n);
    for (uint32_t i = 0; i < cases->n; i++) {
        const med_case_row *row = &cases->row[i];
        med_case c = med_cases_query(cases, row, true);
        c.skip.sole = true;
        if (row->gold_disease == MED_NONE) continue;
        med_case_open(b->ranker, &c);
        if (!med_covered(b->ranker, row->gold_disease)) continue;
        R1_TRY(train_add_case(b, &c, row->gold_disease, row->fold, err));
        for (uint32_t k = 0; k < b->o->n_copy; k++) R1_TRY(add_copy(b, &c, row, err));
        if (b->o->progress) r1_progress_update(&bar, i, "");
        if (r1_cli_stopped()) R1_FAIL(err, R1_E_CANCELLED, "stopped after %u cases", i);
    }
    if (b->o->progress) r1_progress_end(&bar, cases->n, "");
    return R1_OK;
}

/* Patients of diseases that no case has, so that nothing of a left-out fold is in them. */
static r1_status add_simulated(builder *b, const med_cases *cases, r1_err *err)
{
    uint8_t *avoid = calloc(b->kb->n_disease + 1u, 1);
    if (!avoid) R1_FAIL(err, R1_E_NOMEM, "no memory for %u diseases", b->kb->n_disease);
    for (uint32_t i = 0; i < cases->n; i++)
        if (cases->row[i].gold_disease != MED_NONE) avoid[cases->row[i].gold_disease] = 1;
    r1_status st = R1_OK;
    med_patient p;
    for (uint32_t i = 0;
         i < b->o->n_simulated && st == R1_OK && med_simulate(b->kb, avoid, &b->rng, &p); i++) {
        med_case c = med_patient_query(&p);
        st = train_add_case(b, &c, p.disease, SIMULATED, err);
        if (r1_cli_stopped())
            st =
                r1_err_set(err, R1_E_CANCELLED, __FILE__, __LINE__, "stopped after %u patients", i);
    }
    free(avoid);
    return st;
}

static r1_status add_kb(builder *b, const med_kb *kb, r1_err *err)
{
    med_cases cases = {0};
    b->kb = kb;
    r1_status st = med_ranker_new(&b->ranker, kb, err);
    for (int f = 0; f < SHARDS && st == R1_OK; f++) {
        b->event_of[f] = calloc(kb->n_term + 1u, sizeof **b->event_of);
        if (!b->event_of[f])
            st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for events");
    }
    if (st == R1_OK) st = med_cases_load(&cases, b->o->cases, kb, b->o->max_per_disease, err);
    if (st == R1_OK) st = train_add_cases(b, &cases, err);
    if (st == R1_OK) st = add_simulated(b, &cases, err);
    med_cases_free(&cases);
    for (int f = 0; f < SHARDS; f++) {
        free(b->event_of[f]);
        b->event_of[f] = NULL;
    }
    med_ranker_free(b->ranker);
    b->ranker = NULL;
    return st;
}

static r1_status close_shards(builder *b, r1_status st, r1_err *err)
{
    for (int f = 0; f < SHARDS; f++) {
        if (!b->writer[f]) continue;
        if (st == R1_OK)
            st = r1_shard_finish(b->writer[f], err);
        else
            r1_shard_abort(b->writer[f]);
    }
    return st;
}

static r1_status open_shard(builder *b, int shard, const char *name, const char *description,
                            r1_err *err)
{
    snprintf(b->path[shard], PATH_BYTES, "%s/%s.r1s", b->o->work, name);
    return r1_shard_create(&b->writer[shard], b->path[shard], description, err);
}

static r1_status open_shards(builder *b, r1_err *err)
{
    char *lists = NULL, *single = NULL, name[16];
    r1_status st = med_description("rank", &lists, err);
    if (st == R1_OK) st = med_description("binary", &single, err);
    for (int f = 0; f < MED_FOLDS && st == R1_OK; f++) {
        snprintf(name, sizeof name, "fold-%d", f);
        st = open_shard(b, f, name, lists, err);
    }
    if (st == R1_OK && b->o->n_simulated) st = open_shard(b, SIMULATED, "simulated", lists, err);
    if (st == R1_OK && b->o->n_simulated) st = open_shard(b, PAIRS, "simulated-pairs", single, err);
    free(lists);
    free(single);
    return st;
}

static r1_status med_train_write_shards(builder *b, const med_kb *const *kb, size_t n_kb,
                                        r1_err *err)
{
    r1_status st = open_shards(b, err);
    for (size_t i = 0; i < n_kb && st == R1_OK; i++) st = add_kb(b, kb[i], err);
    return close_shards(b, st, err);
}

/* ---- fitting --------------------------------------------------------------------------------- */

static r1_status train_fit(const builder *b, int without, const char *out, r1_err *err)
{
    const char *train[MED_FOLDS];
    char init[PATH_BYTES];
    size_t n = 0;
    for (int f = 0; f < MED_FOLDS; f++)
        if (f != without) train[n++] = b->path[f];
    if (without >= 0 && b->o->init_folds)
        med_fold_path(b->o->init_folds, without, init, sizeof init);
    else
        snprintf(init, sizeof init, "%s", b->o->init ? b->o->init : "");
    r1_train_opts t = {.run = {.train = train,
                               .n_train = n,
                               .out = out,
                               .lr = b->o->lr,
                               .weight_decay = b->o->weight_decay,
                               .n_slice = b->o->n_slice,
                               .n_thread = b->o->n_thread,
                               .seed = b->o->seed + (uint64_t)(without + 1),
                               .progress = b->o->progress,
                               .stopped = r1_cli_stopped},
                       .init = *init ? init : NULL,
                       .int8 = b->o->int8,
                       .mean_decay = b->o->mean_decay,
                       .item_drop = 0.1,
                       .n_epoch = b->o->n_epoch,
                       .n_batch = b->o->n_batch,
                       .metric = R1_STOP_TOP1};
    return r1_train(&t, NULL, err);
}

static r1_status fit_all(const builder *b, r1_err *err)
{
    char path[PATH_BYTES];
    for (int f = 0; f < MED_FOLDS; f++) {
        med_fold_path(b->o->folds, f, path, sizeof path);
        R1_TRY(train_fit(b, f, path, err));
    }
    return train_fit(b, -1, b->o->out, err);
}

/* ---- calibration ----------------------------------------------------------------------------- */

typedef struct {
    float logit[MED_RERANK_MAX];
    uint32_t n, gold; /* gold n: none of these */
    bool covered;     /* the knowledge base has a profile of the right disease */
} scored_list;

typedef struct {
    scored_list *v;
    uint32_t n;
} scored;

static r1_status score_kb(const med_train_opts *o, const med_kb *kb, med_reranker *const *model,
                          scored *s, r1_err *err)
{
    static _Thread_local med_candidate list[MED_RERANK_MAX];
    static _Thread_local med_anchor anchor[MED_FINDINGS_MAX];
    med_cases cases = {0};
    med_ranker *r = NULL;
    r1_status st = med_ranker_new(&r, kb, err);
    if (st == R1_OK) st = med_cases_load(&cases, o->cases, kb, o->max_per_disease, err);
    scored_list *v = st == R1_OK ? r1_realloc_array(s->v, s->n + cases.n + 1u, sizeof *v) : NULL;
    if (st == R1_OK && !v)
        st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for %u lists", cases.n);
    if (v) s->v = v;
    for (uint32_t i = 0; i < cases.n && st == R1_OK; i++) {
        const med_case_row *row = &cases.row[i];
        med_case c = med_cases_query(&cases, row, true);
        c.skip.sole = true;
        c.n_excluded = 0; /* denials stand outside what is calibrated */
        scored_list *to = &s->v[s->n];
        float none;
        uint32_t n_anchor = med_case_anchors(kb, &c, anchor, MED_FINDINGS_MAX);
        med_anchors_plan(kb, anchor, n_anchor, true);
        med_case_open(r, &c);
        st = med_rank(r, list, MED_RERANK_MAX, &to->n, err);
        if (st == R1_OK && to->n)
            st = med_rerank(model[row->fold], r, anchor, n_anchor, list, &to->n, &none, NULL, err);
        to->gold = to->n;
        to->covered = row->gold_disease != MED_NONE && med_covered(r, row->gold_disease);
        for (uint32_t k = 0; k < to->n; k++) {
            to->logit[k] = list[k].logit;
            if (list[k].disease == row->gold_disease) to->gold = k;
        }
        s->n += to->n > 0;
        if (r1_cli_stopped())
            st = r1_err_set(err, R1_E_CANCELLED, __FILE__, __LINE__, "stopped in calibration");
    }
    med_cases_free(&cases);
    med_ranker_free(r);
    return st;
}

/* Half of the left-out cases are of diseases that the knowledge base then does not know; of
 * patients it is rather UNKNOWN. */
static double weight_of_unknown(const scored *s)
{
    uint32_t known = 0;
    for (uint32_t i = 0; i < s->n; i++) known += s->v[i].covered;
    return s->n > known ? UNKNOWN / (1 - UNKNOWN) * known / (s->n - known) : 0;
}

/* Newton's method on the mean negative log likelihood of "this one of the list, or none (0)",
 * convex in both. */
static r1_calibration train_calibrate(const scored *s, double *loss)
{
    double a = 1, b = 0, unknown = weight_of_unknown(s);
    for (int round = 0; round < 40; round++) {
        double ga = 1e-3 * (a - 1), gb = 1e-3 * b, haa = 1e-3, hab = 0, hbb = 1e-3, total = 0,
               weight = 0;
        for (uint32_t i = 0; i < s->n; i++) {
            const scored_list *l = &s->v[i];
            double top = 0, sum, m1 = 0, m2 = 0, mass, w = l->covered ? 1 : unknown;
            for (uint32_t k = 0; k < l->n; k++) top = fmax(top, a * (double)l->logit[k] + b);
            sum = exp(-top);
            for (uint32_t k = 0; k < l->n; k++) sum += exp(a * (double)l->logit[k] + b - top);
            mass = 1 - exp(-top) / sum;
            for (uint32_t k = 0; k < l->n; k++) {
                double x = (double)l->logit[k], p = exp(a * x + b - top) / sum;
                m1 += p * x, m2 += p * x * x;
            }
            bool named = l->gold < l->n;
            double x = named ? (double)l->logit[l->gold] : 0;
            ga += w * (m1 - x);
            gb += w * (mass - named);
            haa += w * (m2 - m1 * m1);
            hab += w * m1 * (1 - mass);
            hbb += w * mass * (1 - mass);
            total += w * (top + log(sum) - (named ? a * x + b : 0));
            weight += w;
        }
        *loss = weight > 0 ? total / weight : NAN;
        double det = haa * hbb - hab * hab, da = (hbb * ga - hab * gb) / det,
               db = (haa * gb - hab * ga) / det;
        double step = fmax(fabs(da), fabs(db));
        if (!(det > 0) || !isfinite(step) || step < 1e-7) break;
        a -= da / fmax(1, step);
        b -= db / fmax(1, step);
    }
    return (r1_calibration){(float)a, (float)b};
}

static r1_status save_calibrated(const char *path, r1_calibration c, r1_err *err)
{
    r1_model *m = NULL;
    R1_TRY(r1_model_open(&m, path, err));
    r1_status st = r1_model_set_calibration(m, 0, c, err);
    if (st == R1_OK) st = r1_model_save(m, path, err);
    r1_model_free(m);
    return st;
}

static r1_status calibrate_all(const med_train_opts *o, const med_kb *const *kb, size_t n_kb,
                               med_train_report *rep, r1_err *err)
{
    char path[PATH_BYTES];
    r1_model *model[MED_FOLDS] = {0};
    med_reranker *x[MED_FOLDS] = {0};
    scored s = {0};
    r1_status st = R1_OK;
    for (int f = 0; f < MED_FOLDS && st == R1_OK; f++) {
        med_fold_path(o->folds, f, path, sizeof path);
        st = r1_model_open(&model[f], path, err);
        if (st == R1_OK) st = r1_model_set_calibration(model[f], 0, (r1_calibration){1, 0}, err);
        if (st == R1_OK) st = med_reranker_new(&x[f], model[f], R1_PRECISION_AUTO, err);
    }
    for (size_t i = 0; i < n_kb && st == R1_OK; i++) st = score_kb(o, kb[i], x, &s, err);
    if (st == R1_OK) rep->calibration = train_calibrate(&s, &rep->loss);
    for (int f = 0; f < MED_FOLDS; f++) {
        med_reranker_free(x[f]);
        r1_model_free(model[f]);
        med_fold_path(o->folds, f, path, sizeof path);
        if (st == R1_OK) st = save_calibrated(path, rep->calibration, err);
    }
    free(s.v);
    return st == R1_OK ? save_calibrated(o->out, rep->calibration, err) : st;
}

r1_status med_train(const med_train_opts *o, const med_kb *const *kb, size_t n_kb,
                    med_train_report *report, r1_err *err)
{
    builder *b = calloc(1, sizeof *b);
    if (!b) R1_FAIL(err, R1_E_NOMEM, "no memory for training");
    memset(report, 0, sizeof *report);
    b->o = o;
    b->report = report;
    r1_rng_seed(&b->rng, o->seed);
    r1_status st = med_samples_new(&b->samples, err);
    if (st == R1_OK) st = r1_mkdirs(o->work, err);
    if (st == R1_OK && !o->shards_only) st = r1_mkdirs(o->folds, err);
    if (st == R1_OK && !o->calibrate_only) st = med_train_write_shards(b, kb, n_kb, err);
    if (st == R1_OK && !o->calibrate_only && report->n_group == 0)
        st = r1_err_set(err, R1_E_FORMAT, __FILE__, __LINE__,
                        "%s: no case whose disease is among the candidates", o->cases);
    if (st == R1_OK && !o->calibrate_only && !o->shards_only) st = fit_all(b, err);
    if (st == R1_OK && !o->shards_only) st = calibrate_all(o, kb, n_kb, report, err);
    for (int f = 0; f < SHARDS; f++)
        if (b->path[f][0] && !(o->shards_only && st == R1_OK)) unlink(b->path[f]);
    med_samples_free(b->samples);
    free(b);
    return st;
}
