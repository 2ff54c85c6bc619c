/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ladder.c - V1 (text), V2 (cross-modal attention) and R1 (CAWA and memory) at equal parameters
 * on generated payments.
 *
 *     ladder DIR TABLE.csv SEED[-SEED] [ARM[,ARM...]]
 *
 * v1         the payment's own fields and its remittance written out as one text
 * v2         payment, remittance, both ends, pair, pattern and graph joined by plain attention
 * v2_memory  v2 and working memory, plain attention throughout
 * v2_cawa    v2 with CAWA, without memory
 * r1         v2 with CAWA and memory: fraud-s as it ships
 *
 * Each seed has worlds of its own: six train, one validates, two test. Their first two weeks
 * fill the windows; no labels come back. The width of the feed-forward part makes the arms'
 * parameters equal to r1's. Shards of a seed lie in DIR and are removed after it. Each arm and
 * seed that TABLE.csv lacks adds one row; ap is over all payments of the test worlds, good ones
 * that were left out counted by weight. */
#include "experiments/arm_table.h"
#include "experiments/rungs.h"
#include "r1_train.h"
#include "walk/walk.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    TRAIN = 6,
    VALID = 1,
    TEST = 2,
    WORLDS = TRAIN + VALID + TEST,
    WARM_DAYS = 14,
    DAYS = 42,
    DAY = 86400000
};
static const double share = 0.1; /* of good payments that are kept */

static void ladder_give_up(const r1_err *err)
{
    fprintf(stderr, "ladder: %s\n", err->msg);
    exit(1);
}

/* ---- descriptions ---- */

/* fraud-s as it ships; free() it. */
static char *ladder_whole_description(void)
{
    r1_err err;
    char *whole;
    if (fraud_description(&(fraud_description_opts){.name = "ladder"}, &whole, &err) != R1_OK)
        ladder_give_up(&err);
    return whole;
}

static const char as_one_text[] =
    "{\"name\": \"payment\", \"kind\": \"text\", \"n_vocab\": 1024, \"n_token_max\": 48, "
    "\"hidden\": 64, \"n_layer\": 2}";

/* ---- worlds to shards ---- */

static void ladder_shard_path(char *path, size_t cap, const char *dir, int kind, int world)
{
    static const char *const name[] = {"text", "items", "memory"};
    snprintf(path, cap, "%s/%s-%d.r1s", dir, name[kind], world);
}

typedef struct {
    const fraud_generated *g;
    r1_shard_writer *w[RUNG_KINDS];
    uint64_t *event; /* [n]: 1 + index of the event made of an edge; 0: none yet */
    size_t n;
} writer;

static void as_text(const fraud_payment *p, char *text, size_t cap)
{
    time_t s = (time_t)(p->ts / 1000);
    struct tm t;
    char when[32];
    gmtime_r(&s, &t);
    strftime(when, sizeof when, "%a %H:%M", &t);
    snprintf(text, cap, "%s %lld.%02lld %s %s from %s to %s %s %s %s %.100s",
             fraud_kind_name(p->kind), (long long)(p->amount_minor / 100),
             (long long)(p->amount_minor % 100), p->currency, when, fraud_role_name(p->from_role),
             fraud_role_name(p->to_role), p->channel, p->category, p->country, p->text);
}

static r1_status ladder_add_events(writer *w, const fraud_features *f, uint64_t *ref, r1_err *err)
{
    for (uint32_t k = 0; k < f->n_ref; k++) {
        uint64_t *at = &w->event[f->ref_seq[k] % w->n];
        r1_event event = {f->event[k], f->event_cat[k]};
        if (!*at) {
            R1_TRY(r1_shard_add_event(w->w[RUNG_MEMORY], &event, at, err));
            ++*at;
        }
        ref[k] = *at - 1;
    }
    return R1_OK;
}

static r1_status ladder_add_sample(void *ctx, size_t i, const fraud_payment *p,
                                   const fraud_features *f, const fraud_state *s, r1_err *err)
{
    (void)s;
    writer *w = ctx;
    r1_item item[FRAUD_N_ITEM];
    uint64_t ref[FRAUD_REFS_MAX];
    char text[512];
    float target = w->g[i].typology != FRAUD_TYPOLOGY_NONE;
    r1_sample sample = {
        .item = item, .id = i + 1, .label = &target, .weight = target > 0 ? 1 : (float)(1 / share)};
    R1_TRY(ladder_add_events(w, f, ref, err));
    fraud_sample_fill(f, p, ref, FRAUD_CAPTURE_GRAPH | FRAUD_CAPTURE_MEMORY | FRAUD_SAMPLE_TEXT,
                      item);
    R1_TRY(r1_shard_add(w->w[RUNG_MEMORY], &sample, err));
    R1_TRY(
        r1_shard_add(w->w[RUNG_ITEMS], &sample, err)); /* the last item is not in its description */
    as_text(p, text, sizeof text);
    item[0] = (r1_item){.present = true, .text = text, .text_bytes = (uint32_t)strlen(text)};
    return r1_shard_add(w->w[RUNG_TEXT], &sample, err);
}

static fraud_generate_opts ladder_world(uint64_t seed, int index)
{
    r1_rng rng;
    r1_rng_seed(&rng, seed * 100 + (uint64_t)index + 500000);
    int ring_min = 3 + (int)r1_rng_below(&rng, 4);
    return (fraud_generate_opts){.seed = seed * 100 + (uint64_t)index + 500000,
                                 .start_ms = INT64_C(1735689600000) +
                                             (int64_t)r1_rng_below(&rng, 365) * DAY,
                                 .accounts = 400 + (int)r1_rng_below(&rng, 600),
                                 .days = DAYS,
                                 .rings = 8,
                                 .ring_min = ring_min,
                                 .ring_max = ring_min + 3 + (int)r1_rng_below(&rng, 10),
                                 .activity = 0.6 + 0.8 * r1_rng_unit(&rng)};
}

static void write_world(const char *dir, uint64_t seed, int index)
{
    r1_err err;
    r1_rng rng;
    fraud_generate_opts o = ladder_world(seed, index);
    fraud_generated *g;
    writer w = {0};
    char path[600];
    r1_rng_seed(&rng, o.seed + 7);
    if (fraud_generate(&o, &g, &w.n, &err) != R1_OK) ladder_give_up(&err);
    uint8_t *want = calloc(w.n, 1);
    char *whole = ladder_whole_description();
    w.g = g;
    w.event = calloc(w.n, sizeof *w.event);
    if (!want || !w.event) exit(1);
    for (size_t i = 0; i < w.n; i++) {
        bool kept = g[i].typology != FRAUD_TYPOLOGY_NONE || r1_rng_unit(&rng) < share;
        want[i] = kept && g[i].payment.ts >= o.start_ms + WARM_DAYS * (int64_t)DAY;
        g[i].label_ts = INT64_MAX;
    }
    for (int k = 0; k < RUNG_KINDS; k++) {
        char *text = rung_describe(whole, as_one_text, k, true, 128);
        ladder_shard_path(path, sizeof path, dir, k, index);
        if (r1_shard_create(&w.w[k], path, text, &err) != R1_OK) ladder_give_up(&err);
        free(text);
    }
    fraud_source s = fraud_source_generated(g, w.n);
    fraud_walk_opts walk = {.flags = FRAUD_CAPTURE_GRAPH | FRAUD_CAPTURE_MEMORY, .want = want};
    if (fraud_walk(&s, &walk, ladder_add_sample, &w, &err) != R1_OK) ladder_give_up(&err);
    for (int k = 0; k < RUNG_KINDS; k++)
        if (r1_shard_finish(w.w[k], &err) != R1_OK) ladder_give_up(&err);
    free(w.event);
    free(whole);
    free(want);
    free(g);
}

/* ---- one run ---- */

typedef struct {
    float logit, label;
} judged;

typedef struct {
    judged *x;
    size_t n, cap;
} judged_list;

static void ladder_take(void *ctx, uint64_t id, uint64_t group, float label, float logit)
{
    (void)id, (void)group;
    judged_list *l = ctx;
    if (l->n < l->cap) l->x[l->n++] = (judged){logit, label};
}

static int ladder_by_logit(const void *a, const void *b)
{
    const judged *x = a, *y = b;
    return (x->logit < y->logit) - (x->logit > y->logit);
}

/* Average precision, good payments by their weight; equal scores count as one step. */
static double weighted_ap(judged_list *l, size_t *n_fraud)
{
    double alerts = 0, right = 0, sum = 0, counted = 0;
    *n_fraud = 0;
    qsort(l->x, l->n, sizeof *l->x, ladder_by_logit);
    for (size_t i = 0; i < l->n; i++) {
        bool fraud = l->x[i].label > 0.5f;
        alerts += fraud ? 1 : 1 / share;
        right += fraud;
        *n_fraud += fraud;
        if (i + 1 < l->n && l->x[i + 1].logit == l->x[i].logit) continue;
        sum += (right - counted) * right / alerts;
        counted = right;
    }
    return sum / right;
}

typedef struct {
    double ap, auc, mflop, seconds;
    uint64_t weights;
    size_t n, n_fraud;
} result;

static void ladder_run(const rung *a, const char *dir, uint64_t seed, result *r)
{
    r1_err err;
    char shard[WORLDS][600], out[600];
    const char *path[WORLDS];
    clock_t began = clock();
    for (int i = 0; i < WORLDS; i++) {
        ladder_shard_path(shard[i], sizeof shard[i], dir, a->kind, i);
        path[i] = shard[i];
    }
    snprintf(out, sizeof out, "%s/%s.gguf", dir, a->name);
    char *whole = ladder_whole_description(), *description = rung_equal(whole, as_one_text, a);
    r1_model_info info = rung_info(description);
    r1_train_opts o = {.run = {.train = path,
                               .n_train = TRAIN,
                               .valid = path + TRAIN,
                               .n_valid = VALID,
                               .description = description,
                               .out = out,
                               .seed = seed,
                               .progress = true},
                       .mean_decay = 0.99,
                       .n_epoch = 6,
                       .metric = R1_STOP_AP};
    r1_model *m;
    r1_eval e;
    if (r1_train(&o, NULL, &err) != R1_OK || r1_model_open(&m, out, &err) != R1_OK)
        ladder_give_up(&err);
    judged_list l = {.cap = 1 << 20};
    l.x = malloc(l.cap * sizeof *l.x);
    if (!l.x) exit(1);
    r1_eval_opts eo = {.each = ladder_take, .ctx = &l};
    if (r1_evaluate(m, path + TRAIN + VALID, TEST, &eo, &e, &err) != R1_OK) ladder_give_up(&err);
    *r = (result){
        .auc = e.auc, .mflop = (double)info.flop_sample * 1e-6, .weights = info.n_weight, .n = l.n};
    r->ap = weighted_ap(&l, &r->n_fraud);
    r->seconds = (double)(clock() - began) / CLOCKS_PER_SEC;
    free(l.x);
    free(description);
    free(whole);
    r1_model_free(m);
    unlink(out);
}

/* ---- the table ---- */

static void ladder_append(const char *table, const rung *a, uint64_t seed, const result *r)
{
    FILE *f = rung_table(table, "arm,seed,weights,mflop,ap,auc,judged,fraud,seconds");
    fprintf(f, "%s,%llu,%llu,%.4f,%.5f,%.5f,%zu,%zu,%.1f\n", a->name, (unsigned long long)seed,
            (unsigned long long)r->weights, r->mflop, r->ap, r->auc, r->n, r->n_fraud, r->seconds);
    fclose(f);
}

static void one_seed(const char *dir, const char *table, uint64_t seed, const char *list)
{
    bool written = false;
    char path[600];
    for (size_t i = 0; i < RUNGS; i++) {
        result r;
        if (!arm_named(list, rungs[i].name) || arm_finished(table, rungs[i].name, seed, NULL))
            continue;
        for (int k = 0; !written && k < WORLDS; k++) write_world(dir, seed, k);
        written = true;
        ladder_run(&rungs[i], dir, seed, &r);
        ladder_append(table, &rungs[i], seed, &r);
        fprintf(stderr,
                "%s seed %llu: %llu weights, %.2f MFLOP, ap %.4f, auc %.4f, %zu of %zu fraudulent, "
                "%.0f processor "
                "seconds\n",
                rungs[i].name, (unsigned long long)seed, (unsigned long long)r.weights, r.mflop,
                r.ap, r.auc, r.n_fraud, r.n, r.seconds);
    }
    for (int k = 0; written && k < RUNG_KINDS; k++)
        for (int i = 0; i < WORLDS; i++) {
            ladder_shard_path(path, sizeof path, dir, k, i);
            unlink(path);
        }
}

int main(int argc, char **argv)
{
    r1_err err;
    uint64_t first, last;
    if (argc < 4 || argc > 5 || !arm_seeds(argv[3], &first, &last) || strlen(argv[1]) > 500) {
        fprintf(stderr, "usage: ladder DIR TABLE.csv SEED[-SEED] [ARM[,ARM...]]\n");
        return 2;
    }
    if (r1_mkdirs(argv[1], &err) != R1_OK) ladder_give_up(&err);
    for (uint64_t seed = first; seed <= last; seed++)
        one_seed(argv[1], argv[2], seed, argc > 4 ? argv[4] : NULL);
    return 0;
}
