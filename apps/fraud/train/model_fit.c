/* SPDX-License-Identifier: GPL-3.0-or-later */
/* model_fit.c - writes shards and hands them to the engine's trainer. */
#include "train/model_fit.h"

#include "dataset/protocol.h"
#include "r1_assert.h"
#include "r1_shard.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHARDS_MAX = 32, PATH_BYTES = 1200 };

struct fraud_fit {
    fraud_fit_opts opts;
    char folder[1024];
    char *description;
    char train[SHARDS_MAX][PATH_BYTES], valid[SHARDS_MAX][PATH_BYTES];
    size_t n, count[SHARDS_MAX][2]; /* samples for training, for validation */
    double fraud[2], all[2];        /* all payments, inner transfers */
};

r1_status fraud_fit_new(fraud_fit **out, const fraud_fit_opts *opts, r1_err *err)
{
    *out = NULL;
    fraud_fit *f = calloc(1, sizeof *f);
    if (!f) R1_FAIL(err, R1_E_NOMEM, "no memory for a fit");
    f->opts = *opts;
    snprintf(f->folder, sizeof f->folder, "%s", opts->folder);
    r1_status st = fraud_description(&opts->description, &f->description, err);
    if (st == R1_OK) st = r1_mkdirs(f->folder, err);
    if (st != R1_OK) {
        fraud_fit_free(f);
        return st;
    }
    *out = f;
    return R1_OK;
}

void fraud_fit_free(fraud_fit *f)
{
    if (!f) return;
    for (size_t i = 0; i < f->n;
         i++) { /* of what is kept, shards without samples go all the same */
        if (!f->opts.keep || !f->count[i][0]) unlink(f->train[i]);
        if (!f->opts.keep || !f->count[i][1]) unlink(f->valid[i]);
    }
    if (!f->opts.keep) rmdir(f->folder);
    free(f->description);
    free(f);
}

double fraud_fit_prevalence(const fraud_fit *f, bool inner)
{
    return f->all[inner] > 0 ? f->fraud[inner] / f->all[inner] : 0;
}

/* ---- shards ---------------------------------------------------------------------------------- */

typedef struct { /* events go into a shard once, when a sample first names them */
    r1_shard_writer *w;
    uint64_t *seq; /* [cap]: the edge whose event is remembered in this place */
    uint64_t *index;
} event_shard;

enum { EVENT_PLACES = 1 << 20 };

typedef struct {
    fraud_fit *fit;
    const fraud_source *source;
    const uint8_t *use;
    event_shard shard[2];
} builder;

static r1_status model_fit_event_index(event_shard *e, const fraud_features *f, uint32_t i,
                                       uint64_t *index, r1_err *err)
{
    R1_ASSERT(i < f->n_ref, "reference %u of %u", i, f->n_ref);
    size_t place = (size_t)(f->ref_seq[i] % EVENT_PLACES);
    if (e->seq[place] != f->ref_seq[i] + 1) {
        r1_event event = {f->event[i], f->event_cat[i]};
        R1_TRY(r1_shard_add_event(e->w, &event, &e->index[place], err));
        e->seq[place] = f->ref_seq[i] + 1;
    }
    *index = e->index[place];
    return R1_OK;
}

static double model_fit_share_of(const fraud_fit *f, const fraud_payment *p)
{
    double share = fraud_payment_inner(p) ? f->opts.inner_share : f->opts.outer_share;
    return share > 0 ? share : 1;
}

/* Which payments become samples, before anything costly is captured: fraudulent ones, and good
 * ones with the chance of their share. */
static void model_fit_choose(const fraud_fit *f, const fraud_source *s, const uint8_t *use,
                             uint8_t *want)
{
    r1_rng rng;
    fraud_payment p;
    r1_rng_seed(&rng, f->opts.seed + f->n);
    for (size_t i = 0; i < s->n; i++) {
        uint8_t label = fraud_source_label(s, i);
        want[i] = (use[i] == FRAUD_USE_TRAIN || use[i] == FRAUD_USE_VALID) &&
                  label != FRAUD_LABEL_UNKNOWN;
        if (!want[i] || label == FRAUD_LABEL_FRAUD) continue;
        fraud_source_payment(s, i, &p);
        want[i] = r1_rng_unit(&rng) < model_fit_share_of(f, &p);
    }
}

static r1_status model_fit_add_sample(void *ctx, size_t i, const fraud_payment *p,
                                      const fraud_features *f, const fraud_state *s, r1_err *err)
{
    (void)s;
    builder *b = ctx;
    R1_ASSERT(b->fit->n > 0 && b->fit->n <= SHARDS_MAX && i < b->source->n,
              "shard %zu, payment %zu of %zu", b->fit->n, i, b->source->n);
    bool inner = fraud_payment_inner(p);
    double share = model_fit_share_of(b->fit, p);
    uint8_t label = fraud_source_label(b->source, i);
    event_shard *e = &b->shard[b->use[i] == FRAUD_USE_VALID];
    uint64_t ref[FRAUD_REFS_MAX];
    for (uint32_t k = 0; k < f->n_ref; k++) R1_TRY(model_fit_event_index(e, f, k, &ref[k], err));
    r1_item item[FRAUD_N_ITEM];
    fraud_sample_fill(f, p, ref, ~b->fit->opts.off, item);
    float target = label == FRAUD_LABEL_FRAUD;
    float weight = label == FRAUD_LABEL_GOOD ? (float)(1 / share) : 1;
    r1_sample sample = {.item = item, .id = i + 1, .label = &target, .weight = weight};
    for (int k = 0; k <= inner; k++) {
        b->fit->fraud[k] += label == FRAUD_LABEL_FRAUD;
        b->fit->all[k] += (double)weight;
    }
    b->fit->count[b->fit->n - 1][b->use[i] == FRAUD_USE_VALID]++;
    return r1_shard_add(e->w, &sample, err);
}

static r1_status shard_open(event_shard *e, const char *path, const char *description, r1_err *err)
{
    e->seq = calloc(EVENT_PLACES, sizeof *e->seq);
    e->index = calloc(EVENT_PLACES, sizeof *e->index);
    if (!e->seq || !e->index) R1_FAIL(err, R1_E_NOMEM, "no memory for event places");
    return r1_shard_create(&e->w, path, description, err);
}

/* st: of what was written so far; a shard is whole or not there. */
static r1_status shard_close(event_shard *e, r1_status st, r1_err *err)
{
    free(e->seq);
    free(e->index);
    if (st == R1_OK) return r1_shard_finish(e->w, err);
    r1_shard_abort(e->w);
    return st;
}

static r1_status fit_write(builder *b, size_t at, uint8_t *want, r1_err *err)
{
    fraud_fit *f = b->fit;
    model_fit_choose(f, b->source, b->use, want);
    f->n++; /* from here on its files are removed with the fit */
    R1_TRY(shard_open(&b->shard[0], f->train[at], f->description, err));
    R1_TRY(shard_open(&b->shard[1], f->valid[at], f->description, err));
    fraud_walk_opts walk = {.flags = (FRAUD_CAPTURE_GRAPH | FRAUD_CAPTURE_MEMORY) & ~f->opts.off,
                            .want = want,
                            .progress = f->opts.progress};
    return fraud_walk(b->source, &walk, model_fit_add_sample, b, err);
}

r1_status fraud_fit_add(fraud_fit *f, const fraud_source *s, const uint8_t *use, r1_err *err)
{
    if (f->n == SHARDS_MAX) R1_FAIL(err, R1_E_NOMEM, "at most %d recordings", SHARDS_MAX);
    size_t at = f->n;
    snprintf(f->train[at], PATH_BYTES, "%s/train-%zu.r1s", f->folder, at);
    snprintf(f->valid[at], PATH_BYTES, "%s/valid-%zu.r1s", f->folder, at);
    builder b = {.fit = f, .source = s, .use = use};
    uint8_t *want = malloc(s->n + 1);
    if (!want) R1_FAIL(err, R1_E_NOMEM, "no memory for the choice of %zu payments", s->n);
    r1_status st = fit_write(&b, at, want, err);
    st = shard_close(&b.shard[0], st, err);
    st = shard_close(&b.shard[1], st, err);
    free(want);
    return st;
}

/* ---- training -------------------------------------------------------------------------------- */

r1_status fraud_fit_run(fraud_fit *f, uint64_t seed, const char *out, r1_train_report *report,
                        r1_err *err)
{
    const char *train[SHARDS_MAX], *valid[SHARDS_MAX];
    size_t n_train = 0, n_valid = 0;
    for (size_t i = 0; i < f->n; i++) {
        if (f->count[i][0]) train[n_train++] = f->train[i];
        if (f->count[i][1]) valid[n_valid++] = f->valid[i];
    }
    r1_train_opts opts = {.run = {.train = train,
                                  .n_train = n_train,
                                  .valid = n_valid ? valid : NULL,
                                  .n_valid = n_valid,
                                  .out = out,
                                  .lr = f->opts.lr,
                                  .weight_decay = f->opts.weight_decay,
                                  .n_slice = f->opts.n_slice,
                                  .n_thread = f->opts.n_thread,
                                  .patience = f->opts.patience,
                                  .seed = seed,
                                  .progress = f->opts.progress,
                                  .stopped = r1_cli_stopped},
                          .init = f->opts.init,
                          .mean_decay = f->opts.mean_decay,
                          .item_drop = f->opts.item_drop,
                          .int8 = f->opts.int8,
                          .n_epoch = f->opts.n_epoch,
                          .n_batch = f->opts.n_batch,
                          .metric = R1_STOP_AP};
    R1_TRY(r1_train(&opts, report, err));
    r1_log(R1_LOG_INFO, "trained",
           "steps=%llu samples=%llu seconds=%.1f valid_loss=%.5f valid_ap=%.4f valid_auc=%.4f "
           "valid_ece=%.4f",
           (unsigned long long)report->n_step, (unsigned long long)report->n_sample,
           report->seconds, report->valid.loss, report->valid.ap, report->valid.auc,
           report->valid.ece);
    return R1_OK;
}

/* ---- thresholds ------------------------------------------------------------------------------ */

typedef struct {
    float logit, weight;
    bool fraud;
} judged;

typedef struct {
    judged *x;
    size_t n, cap;
    float good_weight;
} judged_list;

static void take_judged(void *ctx, uint64_t id, uint64_t group, float label, float logit)
{
    (void)id, (void)group;
    judged_list *l = ctx;
    bool fraud = label > 0.5f;
    if (l->n < l->cap) l->x[l->n++] = (judged){logit, fraud ? 1 : l->good_weight, fraud};
}

static int model_fit_by_logit(const void *a, const void *b)
{
    const judged *x = a, *y = b;
    return (x->logit < y->logit) - (x->logit > y->logit);
}

static void lowest_threshold(judged_list *l, double precision, fraud_fit_threshold *out)
{
    double all = 0, fraud = 0, alerts = 0, right = 0;
    *out = (fraud_fit_threshold){.prob = 2};
    qsort(l->x, l->n, sizeof *l->x, model_fit_by_logit);
    for (size_t i = 0; i < l->n; i++) all += (double)l->x[i].weight, fraud += l->x[i].fraud;
    for (size_t i = 0; i < l->n; i++) {
        alerts += (double)l->x[i].weight;
        right += l->x[i].fraud;
        if ((i + 1 < l->n && l->x[i + 1].logit == l->x[i].logit) || right < precision * alerts)
            continue;
        *out = (fraud_fit_threshold){1 / (1 + exp(-(double)l->x[i].logit)), right / alerts,
                                     right / fraud, alerts / all};
    }
}

static r1_status model_fit_judge_valid(const fraud_fit *f, const char *path,
                                       const char *const *valid, size_t n_valid, judged_list *l,
                                       r1_err *err)
{
    r1_model *m = NULL;
    r1_eval e;
    r1_eval_opts opts = {.int8 = f->opts.int8, .each = take_judged, .ctx = l};
    R1_TRY(r1_model_open(&m, path, err));
    r1_status st = r1_evaluate(m, valid, n_valid, &opts, &e, err);
    r1_model_free(m);
    return st;
}

r1_status fraud_fit_threshold_at(const fraud_fit *f, const char *model, double precision,
                                 fraud_fit_threshold *out, r1_err *err)
{
    const char *valid[SHARDS_MAX];
    size_t n_valid = 0;
    judged_list l = {.good_weight = (float)(f->opts.inner_share > 0 ? 1 / f->opts.inner_share : 1)};
    for (size_t i = 0; i < f->n; i++)
        if (f->count[i][1]) valid[n_valid++] = f->valid[i], l.cap += f->count[i][1];
    if (!n_valid) R1_FAIL(err, R1_E_INVAL, "a threshold needs payments that validate, found none");
    if (f->opts.inner_share != f->opts.outer_share)
        R1_FAIL(err, R1_E_INVAL, "a threshold needs one share of good payments, found %g and %g",
                f->opts.inner_share, f->opts.outer_share);
    l.x = r1_realloc_array(NULL, l.cap, sizeof *l.x);
    if (!l.x) R1_FAIL(err, R1_E_NOMEM, "no memory for %zu scores", l.cap);
    r1_status st = model_fit_judge_valid(f, model, valid, n_valid, &l, err);
    R1_ASSERT(st != R1_OK || l.n == l.cap, "threshold: %zu of %zu payments", l.n, l.cap);
    if (st == R1_OK) lowest_threshold(&l, precision, out);
    free(l.x);
    return st;
}
