/* SPDX-License-Identifier: Apache-2.0 */
/* test_slices.c - training on several threads: the bits depend on the number of slices alone, in
 * every stage and across a resumption; several slices have the gradient of one; what fails on a
 * worker is reported as if it had failed on the caller; nothing is allocated once a run goes. */
#include "base/thread_pool.h"
#include "core/alloc_count.h"
#include "core/runs.h"
#include "core/toy.h"
#include "support/maze.h"
#include "support/r1_test.h"
#include "train/data.h"
#include "train/data_parallel.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- thread pool ----------------------------------------------------------------------------- */

typedef struct {
    atomic_uint done[40];
    uint32_t bad[2]; /* jobs that fail; 0: none */
} tally;

static r1_status count_job(void *ctx, uint32_t k, r1_err *err)
{
    tally *t = ctx;
    atomic_fetch_add(&t->done[k], 1);
    if (k && (k == t->bad[0] || k == t->bad[1])) R1_FAIL(err, R1_E_INVAL, "job %u", k);
    return R1_OK;
}

/* Each job once, whoever takes it; of two that fail, the lower one speaks, each time. */
static void test_thread_pool(void)
{
    r1_err err;
    for (uint32_t n_thread = 1; n_thread <= 5; n_thread++) {
        r1_thread_pool *c;
        R1_ASSERT_OK(r1_thread_pool_new(&c, n_thread, 40, &err), &err);
        CU_ASSERT_EQUAL(r1_thread_pool_threads(c), n_thread);
        for (uint32_t round = 0; round < 82; round++) {
            tally t = {.bad = {round % 3 ? 0 : 7, round % 3 ? 0 : 3}};
            uint32_t n = round % 41;
            r1_status st = r1_thread_pool_run(c, count_job, &t, n, &err);
            for (uint32_t k = 0; k < 40; k++) CU_ASSERT(atomic_load(&t.done[k]) == (k < n));
            bool fails = t.bad[1] && n > t.bad[1];
            CU_ASSERT_EQUAL(st, fails ? R1_E_INVAL : R1_OK);
            if (fails) CU_ASSERT_STRING_EQUAL(err.msg, "job 3");
        }
        r1_thread_pool_free(c);
    }
    r1_thread_pool *c;
    R1_ASSERT_OK(r1_thread_pool_new(&c, 64, 3, &err), &err);
    CU_ASSERT_EQUAL(r1_thread_pool_threads(c), 3); /* no more than can work */
    r1_thread_pool_free(c);
    CU_ASSERT_EQUAL(r1_thread_pool_new(&c, 1000, 1000, &err), R1_E_INVAL);
}

/* ---- cuts ------------------------------------------------------------------------------------ */

/* Random groups: the slices are the batch, in order; none cuts a group or passes its room, and
 * none is longer than its share and a group. */
static void test_cut(void)
{
    enum { N = 200, GROUP = 9 };
    r1_rng rng;
    r1_sample s[N] = {0};
    r1_rng_seed(&rng, r1_test_seed());
    for (int round = 0; round < 2000; round++) {
        size_t n = 1 + r1_rng_below(&rng, N);
        r1_data_parallel w = {.n_slice = 1 + (uint32_t)r1_rng_below(&rng, 12)};
        uint64_t most = r1_rng_below(&rng, 2) ? 1 : GROUP;
        size_t share = (n + w.n_slice - 1) / w.n_slice;
        w.cap = (uint32_t)((share < R1_SLICE_LEAST ? R1_SLICE_LEAST : share) + most - 1);
        for (size_t i = 0, id = 1, left = 0; i < n; i++, left--) {
            if (left == 0) left = 1 + r1_rng_below(&rng, most), id++;
            s[i].group = most == 1 && id % 2 ? 0 : id;
        }
        r1_pack_source src = {.sample = s, .n_sample = n};
        r1_data_parallel_cut(&w, &src);
        size_t at = 0;
        for (uint32_t k = 0; k < w.n_slice; k++) {
            const r1_slice *x = &w.slice[k];
            CU_ASSERT_EQUAL(x->first, at);
            CU_ASSERT(x->n <= w.cap);
            at += x->n;
            if (at > 0 && at < n) CU_ASSERT(s[at].group == 0 || s[at].group != s[at - 1].group);
        }
        CU_ASSERT_EQUAL(at, n);
        CU_ASSERT(w.slice[0].n > 0);
    }
}

/* ---- the toy, with weights and missing labels ------------------------------------------------ */

static const char *toy_path[1];

static void write_toy(size_t n, bool alone)
{
    r1_err err;
    r1_rng rng;
    toy t;
    toy_path[0] = r1_test_in_tmp("toy.r1s");
    r1_rng_seed(&rng, r1_test_seed());
    (alone ? toy_make_alone : toy_make)(&t, n, r1_test_seed());
    for (size_t i = 0; i < n; i++) {
        t.sample[i].sample.weight = (float)(0.2 + 3 * r1_rng_unit(&rng));
        if (r1_rng_unit(&rng) < 0.2) t.sample[i].label[0] = NAN;
    }
    R1_ASSERT_OK(toy_write(&t, toy_path[0], &err), &err);
    toy_free(&t);
}

static r1_train_opts finetune_opts(void)
{
    return (r1_train_opts){.run = {.train = toy_path, .n_train = 1, .seed = 3, .lr = 4e-3},
                           .n_batch = 64,
                           .n_epoch = 3};
}

/* All that a checkpoint holds has the bytes of one thread for 2 and 5, and where one number is
 * followed by another. */
static void test_slices_threads(void)
{
    static const uint32_t threads[] = {2, 5};
    r1_err err;
    r1_trainer *t;
    const char *whole = r1_test_in_tmp("whole.ck"), *half = r1_test_in_tmp("half.ck"),
               *other = r1_test_in_tmp("other.ck");
    write_toy(192, false);
    for (int form = 0; form < 3;
         form++) { /* plain; with a running mean that is validated; rounding to learned steps */
        r1_train_opts o = finetune_opts();
        o.run.n_slice = 4;
        o.run.n_thread = 1;
        o.mean_decay = form == 1 ? 0.9 : 0;
        o.int8 = form == 2;
        o.run.valid = toy_path;
        o.run.n_valid = form == 1;
        o.run.valid_every = 2;
        run_train(o, 4, whole, NULL);
        for (size_t i = 0; i < R1_COUNT(threads); i++) {
            o.run.n_thread = threads[i];
            run_train(o, 4, other, NULL);
            CU_ASSERT(r1_test_same_files(whole, other));
            run_train(o, 2, half, NULL);
            o.run.n_thread = 1 + threads[i] % 3;
            run_train(o, 4, other, half);
            CU_ASSERT(r1_test_same_files(whole, other));
        }
    }
    r1_train_opts o = finetune_opts();
    run_train(o, 2, half, NULL);
    const char *of_slices[] = {half, whole}; /* of one slice, of four */
    for (int k = 0; k < 2; k++) {
        o.run.checkpoint = of_slices[k];
        o.run.n_slice = k ? 1 : 4;
        CU_ASSERT_EQUAL(r1_trainer_new(&t, &o, &err), R1_E_INVAL);
        CU_ASSERT(strstr(err.msg, "another run") != NULL);
    }
    o.run.n_slice = 65;
    o.run.checkpoint = NULL;
    CU_ASSERT_EQUAL(r1_trainer_new(&t, &o, &err), R1_E_INVAL);
    CU_ASSERT(strstr(err.msg, "65 slices") != NULL);
}

/* ---- several slices beside one --------------------------------------------------------------- */

/* After one step the first moment is a tenth of the gradient, where nothing is clipped. */
static float *moment_of(const char *checkpoint, size_t *n)
{
    return run_tensor(checkpoint, "moment1", n);
}

/* Sums of a few hundred products in f32, in another order: 1e-5 of the gradient's length. */
static void same_gradient(const char *a, const char *b)
{
    size_t nx, ny;
    float *x = moment_of(a, &nx), *y = moment_of(b, &ny);
    double apart = 0, length = 0;
    CU_ASSERT_EQUAL_FATAL(nx, ny);
    for (size_t i = 0; i < nx; i++) {
        apart += ((double)x[i] - y[i]) * ((double)x[i] - y[i]);
        length += (double)x[i] * x[i];
    }
    if (sqrt(apart) > 1e-5 * sqrt(length))
        printf("gradients %g apart, length %g\n", sqrt(apart), sqrt(length));
    CU_ASSERT(length > 0 && sqrt(apart) <= 1e-5 * sqrt(length));
    free(x);
    free(y);
}

static r1_pretrain_opts pretrain_opts(void)
{
    return (r1_pretrain_opts){
        .run = {.train = toy_path, .n_train = 1, .seed = 3}, .n_batch = 64, .n_epoch = 2};
}

/* Weights, missing labels, rank groups of four, batches that no number of slices divides, more
 * slices than fit. */
static void test_oracle(void)
{
    static const uint32_t slices[] = {2, 7, 64};
    const char *one = r1_test_in_tmp("one.ck"), *many = r1_test_in_tmp("many.ck");
    for (int alone = 0; alone < 2; alone++) {
        write_toy(150, alone);
        r1_train_opts o = finetune_opts();
        o.run.clip = 1e9;
        o.n_batch = 133;
        run_train(o, 1, one, NULL);
        for (size_t i = 0; i < R1_COUNT(slices); i++) {
            o.run.n_slice = slices[i];
            run_train(o, 1, many, NULL);
            same_gradient(one, many);
        }
    }
    /* texts are left out: one that lies in two slices is masked in each */
    r1_pretrain_opts p = pretrain_opts();
    p.run.clip = 1e9;
    p.items_off = 1u << 3;
    p.weight[0] = -1;
    p.n_batch = 133;
    run_pretrain(p, 1, one, NULL);
    for (size_t i = 0; i < R1_COUNT(slices); i++) {
        p.run.n_slice = slices[i];
        run_pretrain(p, 1, many, NULL);
        same_gradient(one, many);
    }
}

static void test_slices_pretrain(void)
{
    const char *whole = r1_test_in_tmp("whole.ck"), *half = r1_test_in_tmp("half.ck"),
               *other = r1_test_in_tmp("other.ck");
    write_toy(160, true);
    r1_pretrain_opts o = pretrain_opts();
    o.run.n_slice = 4;
    o.run.n_thread = 1;
    run_pretrain(o, 4, whole, NULL);
    for (o.run.n_thread = 2; o.run.n_thread <= 3; o.run.n_thread++) {
        run_pretrain(o, 4, other, NULL);
        CU_ASSERT(r1_test_same_files(whole, other));
        run_pretrain(o, 2, half, NULL);
        r1_pretrain_opts rest = o;
        rest.run.n_thread = 4 - o.run.n_thread;
        run_pretrain(rest, 4, other, half);
        CU_ASSERT(r1_test_same_files(whole, other));
    }
    r1_err err;
    r1_pretrainer *t;
    o.run.n_slice = 1;
    o.run.checkpoint = whole;
    CU_ASSERT_EQUAL(r1_pretrainer_new(&t, &o, &err), R1_E_INVAL);
}

/* ---- evidence -------------------------------------------------------------------------------- */

/* The reward model and the policy that reads it. */
static void test_evidence(void)
{
    r1_err err;
    maze m;
    char reward_text[4096];
    const char *path = r1_test_in_tmp("maze.r1s"), *worth = r1_test_in_tmp("worth.gguf"),
               *worth2 = r1_test_in_tmp("worth2.gguf");
    const char *whole = r1_test_in_tmp("whole.ck"), *half = r1_test_in_tmp("half.ck"),
               *other = r1_test_in_tmp("other.ck");
    maze_make(&m, 3, 7);
    R1_ASSERT_OK(maze_write(&m, path, 60, 1, &err), &err);
    maze_description(&m, true, reward_text, sizeof reward_text);
    r1_reward_opts w = {.run = {.train = &path,
                                .n_train = 1,
                                .valid = &path,
                                .n_valid = 1,
                                .description = reward_text,
                                .out = worth,
                                .n_slice = 3,
                                .n_thread = 1,
                                .seed = 5},
                        .given = 1,
                        .n_step = 3,
                        .n_case = 24,
                        .n_group = 4};
    R1_ASSERT_OK(r1_reward_train(&w, NULL, &err), &err);
    w.run.n_thread = 3;
    w.run.out = worth2;
    R1_ASSERT_OK(r1_reward_train(&w, NULL, &err), &err);
    CU_ASSERT(r1_test_same_files(worth, worth2));
    r1_reinforce_opts o = {
        .run = {.train = &path, .n_train = 1, .n_slice = 3, .n_thread = 1, .seed = 3},
        .given = 1,
        .reward_model = worth,
        .kl = 0.01,
        .n_step = 8,
        .n_case = 24,
        .n_group = 4};
    run_reinforce(o, 4, whole, NULL);
    for (o.run.n_thread = 2; o.run.n_thread <= 3; o.run.n_thread++) {
        run_reinforce(o, 4, other, NULL);
        CU_ASSERT(r1_test_same_files(whole, other));
    }
    run_reinforce(o, 2, half, NULL);
    o.run.n_thread = 2;
    run_reinforce(o, 4, other, half);
    CU_ASSERT(r1_test_same_files(whole, other));
    /* one update of one pass: several slices have the gradient of one */
    o.n_pass = 1;
    o.run.clip = 1e9;
    o.run.n_slice = 1;
    run_reinforce(o, 1, whole, NULL);
    for (o.run.n_slice = 2; o.run.n_slice <= 5; o.run.n_slice++) {
        run_reinforce(o, 1, other, NULL);
        same_gradient(whole, other);
    }
}

/* ---- failures -------------------------------------------------------------------------------- */

static r1_status fill_job(void *ctx, uint32_t k, r1_err *err)
{
    return r1_data_parallel_fill(ctx, k, err);
}
static r1_event slices_toy_event(void *ctx, uint64_t i) { return ((const toy *)ctx)->event[i]; }

/* Samples that cannot be packed, in two slices: the first one's error comes, from any number of
 * threads. */
static void test_bad_sample(void)
{
    enum { N = 80 };
    r1_err err;
    toy t;
    r1_model *m;
    r1_sample s[N];
    toy_make_alone(&t, N, r1_test_seed());
    for (size_t i = 0; i < N; i++) s[i] = t.sample[i].sample;
    t.sample[50].item[2] = (r1_item){.present = true, .n_node = 9};
    t.sample[70].item[1] = (r1_item){.present = true, .n_ref = 7};
    R1_ASSERT_OK(r1_model_new(&m, toy_description, 5, &err), &err);
    for (uint32_t n_thread = 1; n_thread <= 3; n_thread++) {
        r1_thread_pool *c;
        r1_data_parallel w;
        R1_ASSERT_OK(r1_thread_pool_new(&c, n_thread, 4, &err), &err);
        R1_ASSERT_OK(r1_data_parallel_new(&w, m, c, 4, N, 1, &err), &err);
        r1_pack_source src = {.sample = s,
                              .n_sample = N,
                              .event = slices_toy_event,
                              .event_ctx = &t,
                              .n_event = t.n_event};
        r1_data_parallel_cut(&w, &src);
        for (int round = 0; round < 20; round++) {
            CU_ASSERT_EQUAL(r1_data_parallel_each(&w, fill_job, &w, &err), R1_E_INVAL);
            CU_ASSERT(strstr(err.msg, "9 nodes") != NULL);
        }
        r1_data_parallel_free(&w);
        r1_thread_pool_free(c);
    }
    r1_model_free(m);
    toy_free(&t);
}

/* A loss that is no number ends the run at the same step with the same words, and no update is
 * made of it. */
static void test_bad_loss(void)
{
    char first[384] = "";
    write_toy(128, false);
    for (uint32_t n_thread = 1; n_thread <= 3; n_thread++) {
        r1_err err;
        r1_trainer *t;
        double loss;
        bool done = false;
        r1_status st = R1_OK;
        r1_train_opts o = finetune_opts();
        o.run.n_slice = 4;
        o.run.n_thread = n_thread;
        o.run.lr = 1e30;
        R1_ASSERT_OK(r1_trainer_new(&t, &o, &err), &err);
        while (st == R1_OK && !done) st = r1_trainer_step(t, &loss, &done, &err);
        CU_ASSERT_EQUAL(st, R1_E_INVAL);
        CU_ASSERT(strstr(err.msg, "the loss is not finite at step") != NULL);
        if (n_thread == 1) snprintf(first, sizeof first, "%s", err.msg);
        CU_ASSERT_STRING_EQUAL(err.msg, first);
        r1_trainer_free(t);
    }
}

/* On the scalar reference, whose ops allocate nothing either (oneDNN's products do): steps
 * inside of an epoch. */
static void test_slices_no_allocation(void)
{
#ifdef COUNTING
    r1_err err;
    r1_trainer *t;
    double loss;
    bool done;
    write_toy(256, false);
    r1_train_opts o = finetune_opts();
    o.run.n_slice = 4;
    o.run.n_thread = 3;
    o.mean_decay = 0.9;
    setenv("R1_BACKEND", "reference", 1);
    R1_ASSERT_OK(r1_trainer_new(&t, &o, &err), &err);
    unsetenv("R1_BACKEND");
    R1_ASSERT_OK(r1_trainer_step(t, &loss, &done, &err), &err);
    unsigned long before = alloc_count();
    for (int k = 0; k < 2; k++) R1_ASSERT_OK(r1_trainer_step(t, &loss, &done, &err), &err);
    CU_ASSERT_EQUAL(alloc_count(), before);
    r1_trainer_free(t);
#else
    printf("skipped: a sanitizer's allocator ");
#endif
}

R1_TEST_MAIN("slices", {"thread pool", test_thread_pool}, {"cut", test_cut},
             {"threads give the same bits", test_slices_threads},
             {"slices beside one", test_oracle}, {"pretraining", test_slices_pretrain},
             {"evidence", test_evidence}, {"bad sample", test_bad_sample},
             {"bad loss", test_bad_loss}, {"no allocation", test_slices_no_allocation})
