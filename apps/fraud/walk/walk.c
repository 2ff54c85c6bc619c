/* SPDX-License-Identifier: GPL-3.0-or-later */
/* walk.c - payments and labels of a recording in the order in which a service would have seen
 * them. */
#include "walk/walk.h"

#include "cli/r1_cli.h"
#include "r1_assert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

fraud_source fraud_source_dataset(const fraud_dataset *d)
{
    return (fraud_source){.dataset = d, .n = d->n};
}
fraud_source fraud_source_generated(const fraud_generated *g, size_t n)
{
    return (fraud_source){.generated = g, .n = n};
}

void fraud_source_payment(const fraud_source *s, size_t i, fraud_payment *p)
{
    R1_ASSERT(i < s->n, "payment %zu of %zu", i, s->n);
    if (s->dataset)
        fraud_dataset_payment(s->dataset, i, p);
    else
        *p = s->generated[i].payment;
}

uint8_t fraud_source_label(const fraud_source *s, size_t i)
{
    if (s->dataset) return s->dataset->cases[i].label;
    return s->generated[i].typology ? FRAUD_LABEL_FRAUD : FRAUD_LABEL_GOOD;
}

static int64_t label_ts(const fraud_source *s, size_t i)
{
    return s->dataset ? s->dataset->cases[i].label_ts : s->generated[i].label_ts;
}

/* ---- labels ---------------------------------------------------------------------------------- */

typedef struct {
    int64_t ts;
    uint32_t i;
} due;

static int by_due(const void *a, const void *b)
{
    const due *x = a, *y = b;
    if (x->ts != y->ts) return x->ts < y->ts ? -1 : 1;
    return (x->i > y->i) - (x->i < y->i);
}

r1_status fraud_label_queue_new(fraud_label_queue *q, const fraud_source *s, r1_err *err)
{
    memset(q, 0, sizeof *q);
    due *all = malloc((s->n + 1) * sizeof *all);
    q->order = malloc((s->n + 1) * sizeof *q->order);
    if (!all || !q->order) {
        free(all);
        fraud_label_queue_free(q);
        R1_FAIL(err, R1_E_NOMEM, "no memory for the labels of %zu payments", s->n);
    }
    for (size_t i = 0; i < s->n; i++)
        if (fraud_source_label(s, i) == FRAUD_LABEL_FRAUD && label_ts(s, i) != INT64_MAX)
            all[q->n++] = (due){label_ts(s, i), (uint32_t)i};
    qsort(all, q->n, sizeof *all, by_due);
    for (size_t i = 0; i < q->n; i++) q->order[i] = all[i].i;
    free(all);
    return R1_OK;
}

void fraud_label_queue_free(fraud_label_queue *q)
{
    free(q->order);
    q->order = NULL;
}

bool fraud_label_queue_due(fraud_label_queue *q, const fraud_source *s, int64_t now, size_t *i,
                           int64_t *ts)
{
    if (q->next == q->n || label_ts(s, q->order[q->next]) > now) return false;
    R1_ASSERT(q->next < q->n && q->order[q->next] < s->n, "label %zu of %zu", q->next, q->n);
    *i = q->order[q->next++];
    *ts = label_ts(s, *i);
    return true;
}

/* One past the last wanted payment: what comes later moves nothing that is asked for. */
static size_t end_of_want(const uint8_t *want, size_t n)
{
    while (n && !want[n - 1]) n--;
    return n;
}

/* ---- walking the state ----------------------------------------------------------------------- */

static r1_status labels_due(fraud_state *state, const fraud_source *s, fraud_label_queue *q,
                            int64_t now, r1_err *err)
{
    size_t i;
    int64_t ts;
    fraud_payment p;
    while (fraud_label_queue_due(q, s, now, &i, &ts)) {
        fraud_source_payment(s, i, &p);
        r1_status st = fraud_state_label(state, p.tx_id, true, err);
        if (st != R1_OK && st != R1_E_NOT_FOUND) return st;
    }
    return R1_OK;
}

static r1_status walk_all(fraud_state *state, const fraud_source *s, const fraud_walk_opts *o,
                          fraud_label_queue *q, fraud_features *f, fraud_visit visit, void *ctx,
                          r1_err *err)
{
    r1_progress bar;
    size_t n = end_of_want(o->want, s->n);
    if (o->progress) r1_progress_begin(&bar, "reading payments", n);
    fraud_payment p;
    for (size_t i = 0; i < n; i++) {
        fraud_source_payment(s, i, &p);
        R1_TRY(labels_due(state, s, q, p.ts, err));
        fraud_state_advance(state, p.ts);
        uint32_t from = fraud_state_entity(state, p.from, p.from_role),
                 to = fraud_state_entity(state, p.to, p.to_role);
        if (o->want[i]) {
            fraud_capture(state, &p, from, to, o->flags, f);
            R1_TRY(visit(ctx, i, &p, f, state, err));
        }
        fraud_state_insert(state, &p, from, to);
        if (o->progress && i % 4096 == 0) r1_progress_update(&bar, i, "");
    }
    if (o->progress) r1_progress_end(&bar, n, "");
    return R1_OK;
}

r1_status fraud_walk(const fraud_source *s, const fraud_walk_opts *o, fraud_visit visit, void *ctx,
                     r1_err *err)
{
    fraud_state *state = NULL;
    fraud_label_queue q;
    fraud_features *f = calloc(1, sizeof *f);
    if (!f) R1_FAIL(err, R1_E_NOMEM, "no memory for features");
    r1_status st = fraud_label_queue_new(&q, s, err);
    if (st != R1_OK) goto free_features;
    st = fraud_state_new(&state, o->edges_max ? o->edges_max : FRAUD_EDGES_DEFAULT,
                         o->entities_max ? o->entities_max : FRAUD_ENTITIES_DEFAULT,
                         o->pairs_max ? o->pairs_max : FRAUD_PAIRS_DEFAULT, err);
    if (st != R1_OK) goto free_queue;
    st = walk_all(state, s, o, &q, f, visit, ctx, err);
    fraud_state_free(state);
free_queue:
    fraud_label_queue_free(&q);
free_features:
    free(f);
    return st;
}

/* ---- walking an engine ----------------------------------------------------------------------- */

enum { BATCH = FRAUD_SCORE_MAX };
typedef struct {
    fraud_slot *slot[BATCH];
    size_t at[BATCH], n;
    fraud_result result[BATCH];
    double *score, *prob;
} batch;

static r1_status walk_flush(fraud_engine *e, batch *b, r1_err *err)
{
    r1_status st = b->n ? fraud_engine_score(e, b->slot, b->n, b->result, err) : R1_OK;
    for (size_t i = 0; i < b->n; i++) {
        if (st == R1_OK) {
            b->score[b->at[i]] = b->result[i].logit;
            b->prob[b->at[i]] = b->result[i].probability;
        }
        fraud_slot_release(e, b->slot[i]);
    }
    b->n = 0;
    return st;
}

static r1_status walk_score_all(const fraud_source *s, fraud_engine *e, const uint8_t *want,
                                bool progress, fraud_label_queue *q, batch *b, r1_err *err)
{
    r1_progress bar;
    size_t n = end_of_want(want, s->n), k;
    if (progress) r1_progress_begin(&bar, "scoring", n);
    fraud_payment p, known;
    int64_t ts;
    for (size_t i = 0; i < n; i++) {
        fraud_source_payment(s, i, &p);
        while (fraud_label_queue_due(q, s, p.ts, &k, &ts)) {
            fraud_source_payment(s, k, &known);
            r1_status st = fraud_engine_label(e, known.tx_id, true, ts, err);
            if (st != R1_OK && st != R1_E_NOT_FOUND) return st;
        }
        R1_ASSERT(b->n < BATCH, "batch: %zu of %d", b->n, (int)BATCH);
        R1_TRY(fraud_payment_check(&p, err)); /* rows of a public layout come unchecked */
        R1_TRY(fraud_engine_apply(e, &p, (int64_t)i + 1, want[i] ? &b->slot[b->n] : NULL, err));
        if (want[i]) b->at[b->n++] = i;
        if (b->n == BATCH) R1_TRY(walk_flush(e, b, err));
        if (progress && i % 4096 == 0) r1_progress_update(&bar, i, "");
    }
    if (progress) r1_progress_end(&bar, n, "");
    return walk_flush(e, b, err);
}

r1_status fraud_walk_score(const fraud_source *s, fraud_engine *e, const uint8_t *want,
                           bool progress, double *score, double *prob, r1_err *err)
{
    fraud_label_queue q;
    batch *b = calloc(1, sizeof *b);
    if (!b) R1_FAIL(err, R1_E_NOMEM, "no memory for a batch");
    b->score = score;
    b->prob = prob;
    for (size_t i = 0; i < s->n; i++) score[i] = prob[i] = NAN;
    r1_status st = fraud_label_queue_new(&q, s, err);
    if (st == R1_OK) st = walk_score_all(s, e, want, progress, &q, b, err);
    fraud_label_queue_free(&q);
    free(b);
    return st;
}
