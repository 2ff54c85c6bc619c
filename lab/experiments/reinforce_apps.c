/* SPDX-License-Identifier: Apache-2.0 */
/* reinforce_apps.c - the learned evidence policy on an application's own providers, against
 * every fixed set of them at equal cost.
 *
 *     reinforce_apps NAME SEED DIR SHARD.r1s[,SHARD.r1s...] [VALID.r1s TEST.r1s]
 *
 * The shards are those that the application's training wrote (r1-fraud train --work, r1-medical
 * train --work). From each, cases of equal parts are made: every positive, and for each a
 * negative: of a ranking group the candidate beside it, else any. The verdict is yes or no; half
 * of the verdicts of a guesser are right. Without shards of their own for them, a fifth of the
 * cases by chance validates and a fifth tests. The first item is given; asking for item i costs
 * PRICE times its share of the FLOP of all. One model is trained to give the verdict with items
 * hidden at random; it judges all sets. The policy starts from its weights, its verdicts
 * included. DIR gets NAME-SEED-sets.csv (set, MFLOP, right on valid, right on test) and
 * NAME-SEED-policy.csv (price; of the policy on test: reward, right, MFLOP, items asked; the
 * best set by validation at that price, and at no more than the policy's cost). */
#include "r1_reinforce.h"
#include "r1_train.h"
#include "train/rollout.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    SHARDS_MAX = 32,
    SETS_MAX = 1 << 10,
    N_STEP = 200,
    N_CASE = 32,
    N_GROUP = 8,
    CASES_RUN = 256
};

static const double prices[] = {0.05, 0.1, 0.2};

typedef struct {
    const char *name, *dir;
    unsigned seed;
    char shard[3][SHARDS_MAX][600], base[600], start[600], policy[600]; /* train, valid, test */
    size_t n_shard[3];
    uint32_t n_item;
    double flop[R1_ITEMS_MAX], flop_all,
        flop_rest; /* of each item; of those that may be asked for; of what is always run */
    uint32_t n_set;
    double right[2][SETS_MAX]; /* valid, test; by bits of the items but the first */
} run;

/* ---- cases ----------------------------------------------------------------------------------- */

/* The shard's description with two heads of this experiment. */
static r1_status reinforce_apps_describe(const char *shard, uint32_t n_item, char **out,
                                         r1_err *err)
{
    const char *heads = strstr(shard, "\"heads\"");
    size_t n = heads ? (size_t)(heads - shard) : 0;
    *out = heads ? malloc(n + 200) : NULL;
    if (!*out) R1_FAIL(err, R1_E_INVAL, "the shard's description has no heads");
    memcpy(*out, shard, n);
    snprintf(*out + n, 200,
             "\"heads\": [{\"name\": \"verdict\", \"kind\": \"class\", \"n\": 2}, {\"name\": "
             "\"act\", \"kind\": "
             "\"class\", \"n\": %u}]}",
             n_item + 2);
    return R1_OK;
}

typedef struct {
    r1_shard *s;
    r1_shard_writer *w;
    r1_item item[R1_ITEMS_MAX];
    size_t n;
    int part; /* of the positives: 0 three fifths, 1, 2 a fifth each; -1: all */
} copy;

static r1_status reinforce_apps_put(copy *c, size_t index, r1_err *err)
{
    r1_sample s;
    R1_TRY(r1_shard_get(c->s, index, c->item, &s, err));
    const float label[2] = {s.label[0] > 0.5f, NAN};
    s.label = label;
    s.group = 0;
    s.weight = 1;
    s.id = c->n++;
    return r1_shard_add(c->w, &s, err);
}

/* What stands beside a positive: the next of its group, or the one before where it is the last;
 * without groups any negative. */
static r1_status negative_for(copy *c, size_t at, r1_rng *rng, size_t *found, r1_err *err)
{
    size_t n = r1_shard_n_sample(c->s);
    r1_sample s;
    R1_TRY(r1_shard_get(c->s, at, c->item, &s, err));
    uint64_t group = s.group;
    for (int i = 0; i < 1000; i++) {
        size_t k = !group  ? (size_t)r1_rng_below(rng, n)
                   : i % 2 ? at - (size_t)(i / 2 + 1)
                           : at + (size_t)(i / 2 + 1);
        if (k >= n) continue;
        R1_TRY(r1_shard_get(c->s, k, c->item, &s, err));
        if (s.group != group || !(s.label[0] <= 0.5f)) continue;
        *found = k;
        return R1_OK;
    }
    R1_FAIL(err, R1_E_INVAL, "sample %zu: no negative beside it", at);
}

static r1_status copy_cases(copy *c, r1_rng *rng, r1_err *err)
{
    for (size_t i = 0; i < r1_shard_n_event(c->s); i++) {
        r1_event e = r1_shard_event(c->s, i);
        uint64_t index;
        R1_TRY(r1_shard_add_event(c->w, &e, &index, err));
    }
    for (size_t i = 0; i < r1_shard_n_sample(c->s); i++) {
        r1_sample s;
        size_t other = 0;
        R1_TRY(r1_shard_get(c->s, i, c->item, &s, err));
        if (!(s.label[0] > 0.5f)) continue;
        uint64_t fifth = r1_hash64(&i, sizeof i, 5) % 5;
        if (c->part >= 0 && (fifth < 3 ? 0 : (int)fifth - 2) != c->part) continue;
        R1_TRY(reinforce_apps_put(c, i, err));
        R1_TRY(negative_for(c, i, rng, &other, err));
        R1_TRY(reinforce_apps_put(c, other, err));
    }
    return R1_OK;
}

static r1_status make_cases(run *r, const char *from, const char *to, int part, uint64_t seed,
                            r1_err *err)
{
    copy c = {.part = part};
    char *text = NULL;
    r1_rng rng;
    r1_rng_seed(&rng, seed);
    R1_TRY(r1_shard_open(&c.s, from, err));
    r1_status st = r1_shard_n_item(c.s) <= R1_ITEMS_MAX ? R1_OK : R1_E_INVAL;
    r->n_item = (uint32_t)r1_shard_n_item(c.s);
    if (st == R1_OK) st = reinforce_apps_describe(r1_shard_description(c.s), r->n_item, &text, err);
    if (st == R1_OK) st = r1_shard_create(&c.w, to, text, err);
    if (st == R1_OK) st = copy_cases(&c, &rng, err);
    if (st == R1_OK)
        st = r1_shard_finish(c.w, err);
    else
        r1_shard_abort(c.w);
    if (st == R1_OK) fprintf(stderr, "%s: %zu cases\n", to, c.n);
    free(text);
    r1_shard_close(c.s);
    return st;
}

/* Cases of one part from each shard of the list, to DIR/NAME-SEED-PART-i.r1s. */
static r1_status cases_of(run *r, const char *list, int part, int use, r1_err *err)
{
    static const char *const name[] = {"train", "valid", "test"};
    while (*list) {
        char from[600];
        size_t len = strcspn(list, ",");
        snprintf(from, sizeof from, "%.*s", (int)len, list);
        list += len + (list[len] == ',');
        if (r->n_shard[use] == SHARDS_MAX)
            R1_FAIL(err, R1_E_INVAL, "more than %d shards", SHARDS_MAX);
        char *to = r->shard[use][r->n_shard[use]];
        snprintf(to, sizeof r->shard[0][0], "%s/%s-%u-%s-%zu.r1s", r->dir, r->name, r->seed,
                 name[use], r->n_shard[use]);
        R1_TRY(make_cases(r, from, to, part,
                          r->seed * 1000 + (uint64_t)use * 100 + r->n_shard[use]++, err));
    }
    return R1_OK;
}

static r1_status all_cases(run *r, char **list, r1_err *err)
{
    for (int use = 0; use < 3; use++)
        R1_TRY(cases_of(r, list[1] ? list[use] : list[0], list[1] ? -1 : use, use, err));
    return R1_OK;
}

static size_t paths_of(const run *r, int use, const char **path)
{
    for (size_t i = 0; i < r->n_shard[use]; i++) path[i] = r->shard[use][i];
    return r->n_shard[use];
}

/* ---- fixed sets ------------------------------------------------------------------------------ */

static r1_status train_base(run *r, r1_err *err)
{
    const char *train[SHARDS_MAX], *valid[SHARDS_MAX];
    r1_train_opts o = {.run = {.train = train,
                               .n_train = paths_of(r, 0, train),
                               .valid = valid,
                               .n_valid = paths_of(r, 1, valid),
                               .out = r->base,
                               .seed = r->seed,
                               .progress = true},
                       .item_drop = 0.5,
                       .n_epoch = 8,
                       .mean_decay = 0.99};
    return access(r->base, F_OK) == 0 ? R1_OK : r1_train(&o, NULL, err);
}

/* What the policy starts from: the base, with its verdicts copied to where the policy says them. */
static r1_status make_start(const run *r, r1_err *err)
{
    r1_model *m;
    R1_TRY(r1_model_open(&m, r->base, err));
    for (uint32_t i = 0; i < m->net.plan.n_tensor; i++) {
        const r1_tensor *t = &m->net.plan.tensor[i];
        bool weight = strcmp(t->name, "head.out.weight") == 0;
        if (t->space != R1_SPACE_WEIGHT || (!weight && strcmp(t->name, "head.out.bias") != 0))
            continue;
        size_t width = weight ? t->cols : 1;
        float *w = r1_model_weight(m, (int16_t)i); /* rows: two verdicts, the items, two verdicts */
        memcpy(w + (2 + r->n_item) * width, w, 2 * width * sizeof *w);
    }
    r1_status st = r1_model_save(m, r->start, err);
    r1_model_free(m);
    return st;
}

typedef struct {
    run *r;
    const r1_model *m;
} flop_reader;

static void read_flop(void *ctx, const char *part, uint64_t flop)
{
    flop_reader *f = ctx;
    int k = r1_model_item(f->m, part);
    if (k > 0)
        f->r->flop[k] = (double)flop * 1e-6, f->r->flop_all += (double)flop * 1e-6;
    else
        f->r->flop_rest += (double)flop * 1e-6;
}

/* Share of right verdicts when `held` is all that is known. */
static r1_status judge_set(r1_actor *a, const r1_data *d, r1_data_rows *rows, uint32_t held,
                           double *right, r1_err *err)
{
    r1_node node[CASES_RUN];
    size_t n_right = 0;
    for (size_t u = 0; u < d->n_unit;) {
        r1_data_rows_clear(rows);
        for (; u < d->n_unit && rows->n < CASES_RUN; u++)
            R1_TRY(r1_data_rows_add(rows, d, &d->unit[u], err));
        for (size_t i = 0; i < rows->n; i++) node[i] = (r1_node){(uint32_t)i, held};
        R1_TRY(r1_actor_run(a, d, rows, node, rows->n, err));
        for (size_t i = 0; i < rows->n; i++) {
            const float *x = r1_actor_logits(a) + i * r1_actor_stride(a);
            n_right += (x[1] > x[0]) == (rows->sample[i].label[0] > 0.5f);
        }
    }
    *right = (double)n_right / (double)d->n_unit;
    return R1_OK;
}

static double mflop_of(const run *r, uint32_t set)
{
    double sum = r->flop_rest;
    for (uint32_t k = 1; k < r->n_item; k++)
        if (set >> (k - 1) & 1) sum += r->flop[k];
    return sum;
}

static r1_status judge_sets(run *r, const r1_model *m, int use, double *right, r1_err *err)
{
    const char *path[SHARDS_MAX];
    r1_data d;
    r1_data_rows rows = {0};
    r1_actor a = {0};
    R1_TRY(r1_data_open(&d, path, paths_of(r, use, path), err));
    r1_status st = r1_actor_new(&a, m, "verdict", 2, CASES_RUN, NULL, 1, err);
    if (st == R1_OK) st = r1_data_rows_new(&rows, a.m->desc, CASES_RUN, err);
    for (uint32_t s = 0; st == R1_OK && s < r->n_set; s++)
        st = judge_set(&a, &d, &rows, s << 1 | 1, &right[s], err);
    r1_data_rows_free(&rows);
    r1_actor_free(&a);
    r1_data_close(&d);
    return st;
}

static r1_status all_sets(run *r, r1_err *err)
{
    char path[600];
    r1_model *m;
    r->n_set = 1u << (r->n_item - 1);
    if (r->n_set > SETS_MAX)
        R1_FAIL(err, R1_E_INVAL, "%u items: more than %d sets", r->n_item, SETS_MAX);
    R1_TRY(r1_model_open(&m, r->base, err));
    r1_status st = r1_model_flops(m, read_flop, &(flop_reader){r, m}, err);
    if (st == R1_OK) st = judge_sets(r, m, 1, r->right[0], err);
    if (st == R1_OK) st = judge_sets(r, m, 2, r->right[1], err);
    r1_model_free(m);
    R1_TRY(st);
    snprintf(path, sizeof path, "%s/%s-%u-sets.csv", r->dir, r->name, r->seed);
    FILE *f = fopen(path, "we");
    if (!f) R1_FAIL(err, R1_E_IO, "%s: cannot be written", path);
    fprintf(f, "name,seed,set,mflop,valid,test\n");
    for (uint32_t s = 0; s < r->n_set; s++)
        fprintf(f, "%s,%u,%u,%.4f,%.5f,%.5f\n", r->name, r->seed, s << 1 | 1, mflop_of(r, s),
                r->right[0][s], r->right[1][s]);
    return fclose(f) == 0
               ? R1_OK
               : r1_err_set(err, R1_E_IO, __FILE__, __LINE__, "%s: cannot be written", path);
}

/* The set with the best validation: reward at a price, or right verdicts within a number of
 * MFLOP. */
static uint32_t best_set(const run *r, double price, double mflop_max)
{
    uint32_t best = 0;
    double top = -INFINITY;
    for (uint32_t s = 0; s < r->n_set; s++) {
        double cost = price * (mflop_of(r, s) - r->flop_rest) / r->flop_all;
        if (mflop_of(r, s) > mflop_max + 1e-9 || r->right[0][s] - cost <= top) continue;
        top = r->right[0][s] - cost;
        best = s;
    }
    return best;
}

/* ---- the policy ------------------------------------------------------------------------------ */

static r1_status one_policy(run *r, double price, FILE *table, r1_err *err)
{
    const char *train[SHARDS_MAX], *valid[SHARDS_MAX], *test[SHARDS_MAX];
    double cost[R1_ITEMS_MAX] = {0};
    r1_model *m;
    r1_policy_eval e;
    for (uint32_t k = 1; k < r->n_item; k++) cost[k] = price * r->flop[k] / r->flop_all;
    r1_reinforce_opts o = {.run = {.train = train,
                                   .n_train = paths_of(r, 0, train),
                                   .valid = valid,
                                   .n_valid = paths_of(r, 1, valid),
                                   .out = r->policy,
                                   .seed = r->seed,
                                   .progress = true},
                           .init = r->start,
                           .cost = cost,
                           .given = 1,
                           .variant = R1_POLICY_DR_GRPO,
                           .n_step = N_STEP,
                           .n_case = N_CASE,
                           .n_group = N_GROUP};
    R1_TRY(r1_reinforce(&o, NULL, err));
    R1_TRY(r1_model_open(&m, r->policy, err));
    r1_policy_judge_opts j = {
        .data = test, .n_data = paths_of(r, 2, test), .cost = cost, .given = 1};
    r1_status st = r1_policy_judge(m, &j, &e, err);
    r1_model_free(m);
    R1_TRY(st);
    double mflop = r->flop_rest + e.cost / price * r->flop_all;
    uint32_t same = best_set(r, price, INFINITY), within = best_set(r, 0, mflop);
    double paid = price * (mflop_of(r, same) - r->flop_rest) / r->flop_all;
    fprintf(table, "%s,%u,%.3f,%.5f,%.5f,%.4f,%.3f,%u,%.5f,%.5f,%.4f,%u,%.5f,%.4f\n", r->name,
            r->seed, price, e.reward, e.right, mflop, e.n_ask, same << 1 | 1,
            r->right[1][same] - paid, r->right[1][same], mflop_of(r, same), within << 1 | 1,
            r->right[1][within], mflop_of(r, within));
    fflush(table);
    return R1_OK;
}

static r1_status reinforce_apps_policies(run *r, r1_err *err)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s-%u-policy.csv", r->dir, r->name, r->seed);
    FILE *f = fopen(path, "we");
    if (!f) R1_FAIL(err, R1_E_IO, "%s: cannot be written", path);
    fprintf(f, "name,seed,price,reward,right,mflop,asks,set,set_reward,set_right,set_mflop,within,"
               "within_right,within_"
               "mflop\n");
    r1_status st = R1_OK;
    for (size_t i = 0; st == R1_OK && i < R1_COUNT(prices); i++)
        st = one_policy(r, prices[i], f, err);
    fclose(f);
    return st;
}

int main(int argc, char **argv)
{
    static run r;
    r1_err err = {0};
    if ((argc != 5 && argc != 7) || strlen(argv[1]) > 40 || strlen(argv[3]) > 400) {
        fprintf(stderr, "usage: reinforce_apps NAME SEED DIR SHARD.r1s,... [VALID.r1s TEST.r1s]\n");
        return 2;
    }
    r.name = argv[1], r.dir = argv[3];
    r.seed = (unsigned)strtoul(argv[2], NULL, 10);
    snprintf(r.base, sizeof r.base, "%s/%s-%u-base.gguf", r.dir, r.name, r.seed);
    snprintf(r.start, sizeof r.start, "%s/%s-%u-start.gguf", r.dir, r.name, r.seed);
    snprintf(r.policy, sizeof r.policy, "%s/%s-%u-policy.gguf", r.dir, r.name, r.seed);
    r1_status st = r1_mkdirs(r.dir, &err);
    if (st == R1_OK) st = all_cases(&r, argv + 4, &err);
    if (st == R1_OK) st = train_base(&r, &err);
    if (st == R1_OK) st = make_start(&r, &err);
    if (st == R1_OK) st = all_sets(&r, &err);
    if (st == R1_OK) st = reinforce_apps_policies(&r, &err);
    if (st != R1_OK)
        fprintf(stderr, "reinforce_apps: %s\n", err.msg);
    else
        printf("%s, seed %u: %.1f processor seconds\n", r.name, r.seed,
               (double)clock() / CLOCKS_PER_SEC);
    return st == R1_OK ? 0 : 1;
}
