/* SPDX-License-Identifier: Apache-2.0 */
/* test_train_asserts.c - each family of invariants of the training rooms, broken on purpose in a
 * process of its own: the program must notice, and say what it found. */
#include "base/thread_pool.h"
#include "core/toy.h"
#include "r1_assert.h"
#include "r1_train.h"
#include "support/maze.h"
#include "support/r1_test.h"
#include "train/checkpoint.h"
#include "train/curriculum.h"
#include "train/evaluate.h"
#include "train/loop.h"
#include "train/quantiser.h"
#include "train/rollout.h"

#include <stdlib.h>
#include <string.h>

/* ---- thread pool ----------------------------------------------------------------------------- */

static r1_status nothing(void *ctx, uint32_t k, r1_err *err)
{
    (void)ctx, (void)k, (void)err;
    return R1_OK;
}

static r1_status call_own_pool(void *ctx, uint32_t k, r1_err *err)
{
    (void)k;
    return r1_thread_pool_run(ctx, nothing, NULL, 2, err);
}

static r1_status free_own_pool(void *ctx, uint32_t k, r1_err *err)
{
    (void)k, (void)err;
    r1_thread_pool_free(ctx);
    return R1_OK;
}

static void with_pool(r1_thread_pool_job job)
{
    r1_err err;
    r1_thread_pool *p;
    if (r1_thread_pool_new(&p, 2, 2, &err) == R1_OK) r1_thread_pool_run(p, job, p, 2, &err);
}

static void pool_in_pool(void *ctx)
{
    (void)ctx;
    with_pool(call_own_pool);
}

static void pool_freed(void *ctx)
{
    (void)ctx;
    with_pool(free_own_pool);
}

static void test_pool_states(void)
{
    CU_ASSERT(r1_test_breaks(pool_in_pool, NULL, "thread pool: called while"));
    CU_ASSERT(r1_test_breaks(pool_freed, NULL, "thread pool: freed while"));
}

/* ---- slices ---------------------------------------------------------------------------------- */

static void slice_without_room(void *ctx)
{
    enum { N = 40 };
    static r1_sample s[N];
    r1_pack_source src = {.sample = s, .n_sample = N};
    r1_data_parallel dp = {.n_slice = 2, .cap = 19};
    (void)ctx;
    r1_data_parallel_cut(&dp, &src);
}

static void slice_past_batch(void *ctx)
{
    static r1_sample s[4];
    r1_pack_source src = {.sample = s, .n_sample = 4};
    r1_data_parallel dp = {.n_slice = 1, .cap = 8, .slice = {{.first = 2, .n = 3}}, .src = &src};
    (void)ctx;
    r1_data_parallel_fill(&dp, 0, NULL);
}

static void no_slice_covers(void *ctx)
{
    static r1_sample s[4];
    r1_pack_source src = {.sample = s, .n_sample = 4};
    r1_data_parallel dp = {.n_slice = 0, .cap = 8};
    (void)ctx;
    r1_data_parallel_cut(&dp, &src);
}

static void test_slices(void)
{
    CU_ASSERT(r1_test_breaks(slice_without_room, NULL, "20 samples, room for 19"));
    CU_ASSERT(r1_test_breaks(slice_past_batch, NULL, "samples 2 + 3 of 4"));
    CU_ASSERT(r1_test_breaks(no_slice_covers, NULL, "cover 0 of 4 samples"));
}

/* ---- gradients and the optimiser ------------------------------------------------------------- */

static r1_model *toy_model(void)
{
    r1_err err;
    r1_model *m;
    R1_ASSERT_OK(r1_model_new(&m, toy_description, 5, &err), &err);
    return m;
}

static void gradient_in_weights(void *ctx)
{
    r1_model *m = ctx;
    r1_err err;
    r1_adamw a;
    r1_data_parallel dp = {.n_slice = 1, .grad = {m->weights}};
    if (r1_adamw_new(&a, m, &err) == R1_OK) r1_adamw_step(&a, m, &dp, 0.1, 0, 1);
}

/* The plan says fewer bytes than its tensors have. */
static void tensor_past_weights(void *ctx)
{
    r1_model *m = ctx;
    m->net.plan.weight_bytes /= 2;
    r1_adamw_mean(m, m->weights, 0.5);
}

static void too_many_views(void *ctx)
{
    const r1_exec *e[R1_QUANTISER_VIEWS_MAX + 1] = {0};
    r1_quantiser_fit(ctx, e, R1_QUANTISER_VIEWS_MAX + 1);
}

static void test_optimiser(void)
{
    r1_model *m = toy_model();
    CU_ASSERT(r1_test_breaks(gradient_in_weights, m, "each with gradients of its own"));
    CU_ASSERT(r1_test_breaks(tensor_past_weights, m, "bytes of weights"));
    CU_ASSERT(r1_test_breaks(too_many_views, m, "65 runs, room for 64"));
    r1_model_free(m);
}

/* ---- a run ----------------------------------------------------------------------------------- */

static r1_trainer *toy_trainer(void)
{
    static const char *path;
    r1_err err;
    r1_trainer *t;
    toy y;
    path = r1_test_in_tmp("toy.r1s");
    toy_make(&y, 60, 1);
    R1_ASSERT_OK(toy_write(&y, path, &err), &err);
    toy_free(&y);
    r1_train_opts o = {.run = {.train = &path, .n_train = 1}, .n_batch = 20};
    R1_ASSERT_OK(r1_trainer_new(&t, &o, &err), &err);
    return t;
}

/* A stage's struct begins with its run (loop.h). */
static r1_run *run_of(void *trainer) { return trainer; }

static void one_step(void *trainer)
{
    r1_err err;
    double loss;
    bool done;
    r1_trainer_step(trainer, &loss, &done, &err);
}

static void step_before_optimiser(void *t)
{
    run_of(t)->step = 5;
    one_step(t);
}

static void too_many_bad(void *t)
{
    r1_err err;
    run_of(t)->bad = run_of(t)->n_valid + 1;
    r1_trainer_checkpoint(t, r1_test_in_tmp("never.ck"), &err);
}

static void fewer_units(void *t)
{
    r1_err err;
    double loss;
    bool done;
    r1_trainer_step(t, &loss, &done, &err);
    run_of(t)->train.n_unit = 1;
    r1_trainer_step(t, &loss, &done, &err);
}

static void checkpoint_overflows(void *ctx)
{
    r1_checkpoint c = {0};
    uint64_t n = 0;
    (void)ctx;
    for (int i = 0; i <= R1_CHECKPOINT_ROWS; i++) r1_checkpoint_counter(&c, "more", &n);
}

static void checkpoint_without_block(void *ctx)
{
    r1_checkpoint c = {0};
    (void)ctx;
    r1_checkpoint_block(&c, "nowhere", NULL);
}

static void test_run(void)
{
    r1_trainer *t = toy_trainer();
    CU_ASSERT(r1_test_breaks(step_before_optimiser, t, "optimiser step 0 of step 5"));
    CU_ASSERT(r1_test_breaks(too_many_bad, t, "1 of 0 validations without gain"));
    CU_ASSERT(r1_test_breaks(fewer_units, t, "of 1"));
    CU_ASSERT(r1_test_breaks(checkpoint_overflows, NULL, "checkpoint: no row for more"));
    CU_ASSERT(r1_test_breaks(checkpoint_without_block, NULL, "checkpoint: no row for nowhere"));
    r1_trainer_free(t);
}

/* Counters that a file brings are no invariant: they get an error. */
static void test_bad_checkpoint(void)
{
    static const char *path;
    const char *ck = r1_test_in_tmp("bad.ck");
    r1_err err;
    r1_trainer *t = toy_trainer(), *again;
    run_of(t)->bad = 7;
    run_of(t)->n_valid = 8;
    R1_ASSERT_OK(r1_trainer_checkpoint(t, ck, &err), &err);
    r1_trainer_free(t);
    path = r1_test_in_tmp("toy.r1s");
    char *data, *at = NULL;
    size_t len;
    R1_ASSERT_OK(r1_file_read(ck, 1 << 26, &data, &len, &err), &err);
    static const char key[] = "r1.train.n_valid";
    for (size_t i = 0; !at && i + sizeof key + 12 < len; i++)
        if (memcmp(data + i, key, sizeof key - 1) == 0) at = data + i + sizeof key - 1 + 4;
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    CU_ASSERT_EQUAL_FATAL(*at, 8);
    *at = 6;
    R1_ASSERT_OK(r1_file_write(ck, data, len, &err), &err);
    free(data);
    r1_train_opts o = {.run = {.train = &path, .n_train = 1, .checkpoint = ck}, .n_batch = 20};
    CU_ASSERT_EQUAL(r1_trainer_new(&again, &o, &err), R1_E_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "7 of 6 validations"));
}

/* ---- curriculum ------------------------------------------------------------------------------ */

static void share_past_one(void *ctx)
{
    r1_curriculum c = {.n = 10, .start = 1.5, .full = 1};
    (void)ctx;
    r1_curriculum_share(&c, 0);
}

static void pool_of_none(void *ctx)
{
    r1_curriculum c = {.n = 0, .start = 1, .full = 1};
    (void)ctx;
    r1_curriculum_pool(&c, 0);
}

static void order_past_units(void *ctx)
{
    uint32_t own[3] = {0, 1, 7}, order[3];
    r1_curriculum c = {.order = own, .n = 3, .start = 1, .full = 1};
    (void)ctx;
    r1_curriculum_epoch(&c, 0, 1, 0, order);
}

static void test_curriculum_bounds(void)
{
    CU_ASSERT(r1_test_breaks(share_past_one, NULL, "the share 1.5 in play"));
    CU_ASSERT(r1_test_breaks(pool_of_none, NULL, "1 of 0 units in play"));
    if (R1_DEEP_CHECKS) CU_ASSERT(r1_test_breaks(order_past_units, NULL, "an order of 3 units"));
}

/* ---- traces and batches ---------------------------------------------------------------------- */

typedef struct {
    r1_data data;
    r1_evidence_rules rules;
    r1_data_rows cases;
    r1_rollout rollout;
    r1_model *m;
} traces;

static void traces_open(traces *t)
{
    r1_err err;
    maze z;
    const char *path = r1_test_in_tmp("maze.r1s");
    maze_make(&z, 3, 7);
    R1_ASSERT_OK(maze_write(&z, path, 8, 1, &err), &err);
    R1_ASSERT_OK(r1_data_open(&t->data, &path, 1, &err), &err);
    R1_ASSERT_OK(r1_evidence_make(&t->rules, &(r1_evidence_spec){.given = 1}, &t->data, &err),
                 &err);
    R1_ASSERT_OK(r1_model_new(&t->m, r1_shard_description(t->data.shard[0]), 1, &err), &err);
    R1_ASSERT_OK(r1_data_rows_new(&t->cases, t->m->desc, 4, &err), &err);
    R1_ASSERT_OK(r1_rollout_new(&t->rollout, &t->rules, 8, &err), &err);
    for (size_t u = 0; u < 4; u++)
        R1_ASSERT_OK(r1_data_rows_add(&t->cases, &t->data, &t->data.unit[u], &err), &err);
}

static void traces_run(traces *t, uint32_t n_group)
{
    r1_err err;
    r1_rng rng;
    r1_rng_seed(&rng, 1);
    r1_rollout_run(&t->rollout, &t->rules, NULL, &t->data, &t->cases, n_group, false, &rng, &err);
}

static void too_many_traces(void *ctx) { traces_run(ctx, 3); }

/* What is asked for is never held, so a trace asks for ever. */
static void asks_for_ever(void *ctx)
{
    traces *t = ctx;
    t->rules.n_verdict = 0; /* no way to end */
    t->rollout.n_action = t->rules.n_item;
    traces_run(t, 2);
}

static void row_past_batch(void *ctx)
{
    traces *t = ctx;
    r1_err err;
    r1_data_rows_add(&t->cases, &t->data, &t->data.unit[5], &err);
}

static void event_past_last(void *ctx)
{
    traces *t = ctx;
    r1_data_event(&t->data, t->data.n_event);
}

static void scores_past_room(void *ctx)
{
    traces *t = ctx;
    r1_err err;
    r1_scores s;
    r1_eval_opts o = {0};
    if (r1_scores_new(&s, t->m, 3, &err) == R1_OK)
        r1_score_data(t->m, &t->data, &o, NULL, &s, &err);
}

static void test_traces(void)
{
    traces t = {0};
    traces_open(&t);
    CU_ASSERT(r1_test_breaks(too_many_traces, &t, "room for"));
    CU_ASSERT(r1_test_breaks(asks_for_ever, &t, "rollout: trace"));
    CU_ASSERT(r1_test_breaks(row_past_batch, &t, "a batch of 4 samples and 1 more, room for 4"));
    CU_ASSERT(r1_test_breaks(event_past_last, &t, "event 0 of 0"));
    CU_ASSERT(r1_test_breaks(scores_past_room, &t, "room for 3"));
    traces_run(&t, 2); /* and as it should be, it runs */
    CU_ASSERT(t.rollout.n_decision >= 8);
    r1_rollout_free(&t.rollout);
    r1_data_rows_free(&t.cases);
    r1_model_free(t.m);
    r1_data_close(&t.data);
}

R1_TEST_MAIN("training, broken invariants", {"thread pool", test_pool_states},
             {"slices", test_slices}, {"optimiser", test_optimiser}, {"run", test_run},
             {"checkpoint", test_bad_checkpoint}, {"curriculum", test_curriculum_bounds},
             {"traces", test_traces})
