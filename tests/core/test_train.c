/* SPDX-License-Identifier: Apache-2.0 */
/* test_train.c - the toy task end to end: learned, needs every item, resumes to the bit, shards
 * survive damage. */
#include "core/runs.h"
#include "core/toy.h"
#include "file/gguf.h"
#include "model/model.h"
#include "r1_reinforce.h"
#include "r1_train.h"
#include "support/r1_test.h"
#include "train/isotonic.h"
#include "train/score_metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char train_path[256], valid_path[256];

static void test_train_write_shards(size_t n_train)
{
    r1_err err;
    toy t;
    snprintf(train_path, sizeof train_path, "%s/train.r1s", r1_test_tmpdir());
    snprintf(valid_path, sizeof valid_path, "%s/valid.r1s", r1_test_tmpdir());
    toy_make(&t, n_train, 1);
    R1_ASSERT_OK(toy_write(&t, train_path, &err), &err);
    toy_free(&t);
    toy_make(&t, 1200, 2);
    R1_ASSERT_OK(toy_write(&t, valid_path, &err), &err);
    toy_free(&t);
}

static r1_train_opts train_options(void)
{
    static const char *train[1], *valid[1];
    train[0] = train_path;
    valid[0] = valid_path;
    return (r1_train_opts){
        .train = train, .n_train = 1, .valid = valid, .n_valid = 1, .seed = 3, .n_batch = 128};
}

static double auc_without(const char *model, uint32_t items_off, uint32_t n_step)
{
    r1_err err;
    r1_model *m;
    r1_eval v;
    const char *shard = valid_path;
    R1_ASSERT_OK(r1_model_open(&m, model, &err), &err);
    r1_eval_opts o = {.items_off = items_off, .n_step = n_step};
    R1_ASSERT_OK(r1_evaluate(m, &shard, 1, &o, &v, &err), &err);
    r1_model_free(m);
    return v.auc;
}

/* Learned above a threshold that no three items reach; without any one it falls. */
static void test_train_learns(void)
{
    r1_err err;
    r1_train_report rep;
    char out[300];
#ifdef __SANITIZE_THREAD__
    printf("skipped: this takes minutes here, and threads are what test_slices is for ");
    return;
#endif
    test_train_write_shards(8000);
    snprintf(out, sizeof out, "%s/toy.gguf", r1_test_tmpdir());
    r1_train_opts o = train_options();
    o.out = out;
    o.n_epoch = 8;
    o.lr = 4e-3;
    R1_ASSERT_OK(r1_train(&o, &rep, &err), &err);
    printf("toy: auc %.4f ap %.4f loss %.4f ece %.4f top1 of order, %.0f samples/s, %.1f s ",
           rep.valid.auc, rep.valid.ap, rep.valid.loss, rep.valid.ece, rep.samples_s, rep.seconds);
    CU_ASSERT(rep.valid.auc > 0.93);
    for (uint32_t i = 0; i < TOY_ITEMS; i++) {
        double without = auc_without(out, 1u << i, 0);
        printf(" -%u %.3f", i, without);
        CU_ASSERT(without < rep.valid.auc - 0.02);
    }
    double one = auc_without(out, 0, 1), two = auc_without(out, 0, 2),
           four = auc_without(out, 0, 4);
    printf(" steps 1 %.3f 2 %.3f 4 %.3f ", one, two, four);
    CU_ASSERT(one < two && two < four);
}

/* 20 steps equal 10 steps, a checkpoint, a new process' worth of state, and 10 more: byte by
 * byte, epochs crossed. */
static void resume_with(double mean_decay, bool int8)
{
    const char *whole = r1_test_in_tmp("whole.ck"), *half = r1_test_in_tmp("half.ck"),
               *rest = r1_test_in_tmp("rest.ck");
    test_train_write_shards(1500);
    r1_train_opts o = train_options();
    o.mean_decay = mean_decay;
    o.int8 = int8;
    run_train(o, 20, whole, NULL);
    run_train(o, 10, half, NULL);
    run_train(o, 20, rest, half);
    CU_ASSERT(r1_test_same_files(whole, rest));
    r1_err err;
    r1_trainer *t;
    o.checkpoint = whole;
    o.seed = 4;
    CU_ASSERT_EQUAL(r1_trainer_new(&t, &o, &err), R1_E_INVAL);
}

static void test_train_resume(void)
{
    resume_with(0, false);
    resume_with(0.9, false);
    resume_with(
        0.9,
        /* the first steps come from the first batch, which a resumed run must not fit again */
        true);
}

/* A tensor of a checkpoint of the trainer as it stands; malloc'ed. */
static float *train_tensor_of(r1_trainer *t, const char *name, size_t *n)
{
    const char *path = r1_test_in_tmp("mean.ck");
    r1_err err;
    R1_ASSERT_OK(r1_trainer_checkpoint(t, path, &err), &err);
    return run_tensor(path, name, n);
}

/* The running mean against a twin in double over the weights of each step; what is not trained
 * stays as it was, bit by bit. */
static void test_mean(void)
{
    r1_err err;
    r1_trainer *t;
    double loss, *twin, keep;
    bool done;
    size_t n, moved = 0;
    test_train_write_shards(1500);
    r1_train_opts o = train_options();
    o.mean_decay = 0.6;
    R1_ASSERT_OK(r1_trainer_new(&t, &o, &err), &err);
    float *first = train_tensor_of(t, "weights", &n);
    twin = calloc(n, sizeof *twin);
    CU_ASSERT_FATAL(twin != NULL);
    for (size_t i = 0; i < n; i++) twin[i] = (double)first[i];
    for (int step = 1; step <= 14; step++) {
        R1_ASSERT_OK(r1_trainer_step(t, &loss, &done, &err), &err);
        float *w = train_tensor_of(t, "weights", &n);
        keep = fmin(0.6, (1.0 + step) / (10.0 + step)); /* reaches its limit at step 13 */
        for (size_t i = 0; i < n; i++) twin[i] = keep * twin[i] + (1 - keep) * (double)w[i];
        free(w);
    }
    float *mean = train_tensor_of(t, "mean", &n), *last = train_tensor_of(t, "weights", &n);
    for (size_t i = 0; i < n; i++) {
        bool still = memcmp(&first[i], &last[i], sizeof *first) == 0,
             kept = memcmp(&first[i], &mean[i], sizeof *first) == 0;
        moved += !still;
        CU_ASSERT((still && kept) || fabs((double)mean[i] - twin[i]) < 1e-5);
    }
    CU_ASSERT(moved > n / 4);
    free(first), free(last), free(mean), free(twin);
    r1_trainer_free(t);
}

/* Finetuning starts where the file ended and keeps its bins. */
static void test_finetune(void)
{
    r1_err err;
    char first[300], second[300];
    r1_train_report a, b;
    test_train_write_shards(1500);
    snprintf(first, sizeof first, "%s/first.gguf", r1_test_tmpdir());
    snprintf(second, sizeof second, "%s/second.gguf", r1_test_tmpdir());
    r1_train_opts o = train_options();
    o.n_epoch = 3;
    o.out = first;
    R1_ASSERT_OK(r1_train(&o, &a, &err), &err);
    o.init = first;
    o.out = second;
    o.seed = 9;
    R1_ASSERT_OK(r1_train(&o, &b, &err), &err);
    CU_ASSERT(b.valid.loss < a.valid.loss);
    r1_model *m;
    r1_model_info info;
    R1_ASSERT_OK(r1_model_open(&m, second, &err), &err);
    R1_ASSERT_OK(r1_model_get_info(m, &info, &err), &err);
    CU_ASSERT_EQUAL(info.trained_samples, a.n_sample + b.n_sample);
    r1_model_free(m);
}

/* The toy's description with `from` replaced by `to`; free() it. */
static char *train_changed(const char *from, const char *to)
{
    const char *at = strstr(toy_description, from);
    CU_ASSERT_FATAL(at != NULL);
    size_t n = strlen(toy_description) + strlen(to) + 1;
    char *text = malloc(n);
    CU_ASSERT_FATAL(text != NULL);
    snprintf(text, n, "%.*s%s%s", (int)(at - toy_description), toy_description, to,
             at + strlen(from));
    return text;
}

/* Of the weights, to the bit. */
static void check_heads_alone_differ(const r1_model *now, const r1_model *m)
{
    size_t same = 0, other = 0;
    for (uint32_t i = 0; i < now->net.plan.n_tensor; i++) {
        const r1_tensor *x = &now->net.plan.tensor[i], *y = &m->net.plan.tensor[i];
        if (x->space != R1_SPACE_WEIGHT) continue;
        if (strncmp(x->name, "head.out.", 9) == 0) {
            CU_ASSERT_NOT_EQUAL(x->mul * x->cols, y->mul * y->cols);
            other++;
            continue;
        }
        CU_ASSERT_STRING_EQUAL(x->name, y->name);
        CU_ASSERT_EQUAL(memcmp(r1_model_weight(now, (int16_t)i), r1_model_weight(m, (int16_t)i),
                               (size_t)x->mul * x->cols * sizeof(float)),
                        0);
        same++;
    }
    CU_ASSERT(same > 40 && other == 2);
    CU_ASSERT_EQUAL(r1_model_schema_hash(now), now->desc->schema_hash);
}

/* The policy's stage and the last one start from files of each other's: all but the heads is the
 * file's own before the first step; other widths, other items and learned steps are refused and
 * leave it as it was. */
static void test_other_heads(void)
{
    r1_err err;
    char first[300], alone[300];
    const char *single = alone;
    toy cases;
    r1_model *m, *before;
    char *policy = train_changed("{\"name\":\"risk\",\"kind\":\"binary\"}",
                                 "{\"name\":\"act\",\"kind\":\"class\",\"n\":6}"),
         *wide = train_changed("\"d_ff\":", "\"d_ff\":1"),
         *items =
             train_changed("\"kind\":\"table\",\"num\":[\"", "\"kind\":\"table\",\"num\":[\"x");
    test_train_write_shards(600);
    snprintf(first, sizeof first, "%s/policy.gguf", r1_test_tmpdir());
    snprintf(alone, sizeof alone, "%s/alone.r1s", r1_test_tmpdir());
    toy_make_alone(&cases, 40, 3);
    R1_ASSERT_OK(toy_write(&cases, alone, &err), &err);
    toy_free(&cases);
    r1_train_opts o = train_options();
    R1_ASSERT_OK(r1_model_new(&m, toy_description, 17, &err), &err);
    R1_ASSERT_OK(r1_model_save(m, first, &err), &err);
    r1_reinforcer *r;
    R1_ASSERT_OK(
        r1_reinforcer_new(
            &r,
            &(r1_reinforce_opts){
                .train = &single, .n_train = 1, .init = first, .description = policy, .seed = 5},
            &err),
        &err);
    check_heads_alone_differ(r1_reinforcer_model(r), m);
    r1_reinforcer_free(r);
    r1_model_free(m);
    R1_ASSERT_OK(r1_model_new(&m, policy, 17, &err), &err);
    R1_ASSERT_OK(r1_model_save(m, first, &err), &err);
    o.init = first;
    r1_trainer *t;
    R1_ASSERT_OK(r1_trainer_new(&t, &o, &err), &err);
    check_heads_alone_differ(r1_trainer_model(t), m);
    r1_trainer_free(t);
    before = m;
    CU_ASSERT_EQUAL(r1_model_change_heads(&m, wide, 1, &err), R1_E_INVAL);
    CU_ASSERT(m == before && strstr(err.msg, " x ") != NULL);
    CU_ASSERT_EQUAL(r1_model_change_heads(&m, items, 1, &err), R1_E_INVAL);
    CU_ASSERT(m == before && strstr(err.msg, "other items") != NULL);
    R1_ASSERT_OK(r1_model_add_steps(m, &err), &err);
    CU_ASSERT_EQUAL(r1_model_change_heads(&m, toy_description, 1, &err), R1_E_INVAL);
    CU_ASSERT(m == before && strstr(err.msg, "learned steps") != NULL);
    r1_model *none = m;
    CU_ASSERT_EQUAL(r1_model_open_as(&none, first, items, 1, &err), R1_E_INVAL);
    CU_ASSERT(none == NULL && strstr(err.msg, first) != NULL);
    r1_model_free(m);
    free(policy), free(wide), free(items);
}

static r1_eval train_evaluate(const r1_model *m, bool int8)
{
    r1_err err;
    r1_eval v;
    const char *shard = valid_path;
    r1_eval_opts o = {.int8 = int8};
    R1_ASSERT_OK(r1_evaluate(m, &shard, 1, &o, &v, &err), &err);
    return v;
}

/* The first learned steps of activations, or of a weight. */
static float *train_steps_of(const r1_model *m, bool of_weight)
{
    const r1_plan *p = &m->net.plan;
    for (uint32_t i = 0; i < p->n_call; i++)
        if (p->call[i].op == R1_OP_LSQ &&
            (p->tensor[p->call[i].v[R1_LSQ_X].t].space == R1_SPACE_WEIGHT) == of_weight)
            return r1_model_weight(m, p->call[i].v[R1_LSQ_STEP].t);
    return NULL;
}

/* A session in int8 rounds by the steps of the file, one in f32 does not know them; a step that
 * is none is refused. */
static void train_check_steps(r1_model *m)
{
    r1_err err;
    char path[300];
    snprintf(path, sizeof path, "%s/steps.gguf", r1_test_tmpdir());
    for (int of_weight = 0; of_weight < 2; of_weight++) {
        float *step = train_steps_of(m, of_weight), old;
        CU_ASSERT_PTR_NOT_NULL_FATAL(step);
        r1_eval f32 = train_evaluate(m, false), int8 = train_evaluate(m, true);
        old = *step;
        *step *= 30;
        CU_ASSERT_EQUAL(train_evaluate(m, false).loss, f32.loss);
        CU_ASSERT_NOT_EQUAL(train_evaluate(m, true).loss, int8.loss);
        for (int i = 0; i < 3; i++) {
            static const float bad[] = {0, -1, 1e30f};
            r1_model *none = NULL;
            *step = bad[i];
            R1_ASSERT_OK(r1_model_save(m, path, &err), &err);
            CU_ASSERT_EQUAL(r1_model_open(&none, path, &err), R1_E_FORMAT);
            CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "step"));
        }
        *step = old;
    }
}

/* Quantisation-aware: int8 of the trained model is as good as f32 of the one it started from,
 * the steps have moved, and the file keeps them. Without the option, a model that has steps goes
 * on with them. */
static void test_train_int8(void)
{
    r1_err err;
    char first[300], second[300];
    r1_model *m;
    r1_model_info info;
    test_train_write_shards(1500);
    snprintf(first, sizeof first, "%s/first.gguf", r1_test_tmpdir());
    snprintf(second, sizeof second, "%s/second.gguf", r1_test_tmpdir());
    r1_train_opts o = train_options();
    o.n_epoch = 3;
    o.out = first;
    R1_ASSERT_OK(r1_train(&o, NULL, &err), &err);
    R1_ASSERT_OK(r1_model_open(&m, first, &err), &err);
    double before = train_evaluate(m, false).loss;
    r1_model_free(m);
    o.init = first;
    o.out = second;
    float step[2][2];
    for (int round = 0; round < 2; round++) {
        o.int8 = round == 0;
        o.n_epoch = 1;
        R1_ASSERT_OK(r1_train(&o, NULL, &err), &err);
        R1_ASSERT_OK(r1_model_open(&m, second, &err), &err);
        R1_ASSERT_OK(r1_model_get_info(m, &info, &err), &err);
        CU_ASSERT_TRUE(info.int8_steps);
        CU_ASSERT(train_evaluate(m, true).loss < before + 0.002);
        for (int k = 0; k < 2; k++) step[round][k] = *train_steps_of(m, k);
        if (round) train_check_steps(m);
        r1_model_free(m);
        o.init = second;
    }
    CU_ASSERT(step[0][0] != step[1][0] && step[0][1] != step[1][1]);
}

/* What is read is what was written, field by field; damaged files are refused and never crash. */
static void test_shard(void)
{
    r1_err err;
    toy t;
    r1_shard *s;
    r1_item item[TOY_ITEMS];
    r1_sample got;
    char path[300], bad[300], *data;
    size_t len;
    toy_make(&t, 60, 5);
    snprintf(path, sizeof path, "%s/s.r1s", r1_test_tmpdir());
    snprintf(bad, sizeof bad, "%s/bad.r1s", r1_test_tmpdir());
    R1_ASSERT_OK(toy_write(&t, path, &err), &err);
    R1_ASSERT_OK(r1_shard_open(&s, path, &err), &err);
    CU_ASSERT_EQUAL(r1_shard_n_sample(s), 60);
    CU_ASSERT_EQUAL(r1_shard_n_event(s), t.n_event);
    for (size_t i = 0; i < 60; i++) {
        const toy_sample *x = &t.sample[i];
        R1_ASSERT_OK(r1_shard_get(s, i, item, &got, &err), &err);
        CU_ASSERT_EQUAL(got.group, x->sample.group);
        CU_ASSERT_EQUAL(memcmp(got.label, x->label, sizeof x->label), 0);
        if (item[0].present) CU_ASSERT_EQUAL(memcmp(item[0].num, x->num, sizeof x->num), 0);
        if (item[1].present) CU_ASSERT_EQUAL(memcmp(item[1].ref, x->ref, x->item[1].n_ref * 8), 0);
        if (item[2].present) CU_ASSERT_EQUAL(memcmp(item[2].dst, x->dst, x->item[2].n_edge * 4), 0);
        if (item[3].present)
            CU_ASSERT_EQUAL(memcmp(item[3].text, x->text, x->item[3].text_bytes), 0);
    }
    r1_shard_close(s);
    R1_ASSERT_OK(r1_file_read(path, 1 << 28, &data, &len, &err), &err);
    r1_rng r;
    r1_rng_seed(&r, r1_test_seed());
    for (int k = 0; k < 300; k++) {
        size_t at = r1_rng_below(&r, len), n = k % 3 ? len : at;
        uint8_t keep = (uint8_t)data[at];
        if (k % 3) data[at] = (char)(keep ^ 1u << r1_rng_below(&r, 8));
        R1_ASSERT_OK(r1_file_write(bad, data, n, &err), &err);
        if (r1_shard_open(&s, bad, &err) == R1_OK) r1_shard_close(s);
        data[at] = (char)keep;
    }
    free(data);
    toy_free(&t);
}

/* Against definitions by counting pairs. */
static void test_metrics(void)
{
    const float score[] = {3, 2, 2, 1, 0}, label[] = {1, 0, 1, 0, 1};
    /* pairs: 3>2 3>1; 2=2 (half) 2>1; 0<2 0<1: 3.5 of 6 */
    CU_ASSERT_DOUBLE_EQUAL(r1_metric_auc(score, label, 5), 3.5 / 6, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(r1_metric_ap(score, label, 5), (1.0 + 2.0 / 3 + 3.0 / 5) / 3, 1e-12);
    CU_ASSERT(isnan(r1_metric_auc(score, label, 1)));
}

/* ---- isotonic calibration -------------------------------------------------------------------- */

enum { FEW = 8 };

/* Least weighted squared error of a rising function, by trying every way to cut the distinct
 * scores into runs. */
static double least_error(const float *score, const float *label, const float *weight, size_t n)
{
    float at[FEW];
    size_t distinct = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < distinct && at[k] < score[i]) k++;
        if (k < distinct && at[k] == score[i]) continue;
        for (size_t j = distinct++; j > k; j--) at[j] = at[j - 1];
        at[k] = score[i];
    }
    double best = INFINITY;
    for (unsigned cuts = 0; cuts < 1u << (distinct - 1);
         cuts++) { /* bit k: a run ends after distinct score k */
        double error = 0, before = -INFINITY;
        for (size_t from = 0, to; from < distinct; from = to) {
            double sum = 0, mass = 0, square = 0;
            for (to = from + 1; to < distinct && !(cuts >> (to - 1) & 1); to++) {
            }
            for (size_t i = 0; i < n; i++) {
                if (score[i] < at[from] || score[i] > at[to - 1]) continue;
                sum += (double)weight[i] * (double)label[i];
                square += (double)weight[i] * (double)label[i] * (double)label[i];
                mass += (double)weight[i];
            }
            if (sum / mass < before) error = INFINITY;
            before = sum / mass;
            error += square - sum * sum / mass;
        }
        best = fmin(best, error);
    }
    return best;
}

/* On small cases with ties and weights: rising, and no rising function is nearer. */
static void test_isotonic_blocks(void)
{
    r1_rng r;
    r1_err err;
    r1_rng_seed(&r, r1_test_seed());
    for (int round = 0; round < 3000; round++) {
        float score[FEW], label[FEW], weight[FEW];
        r1_block block[FEW];
        size_t n = 1 + (size_t)r1_rng_below(&r, FEW), n_block;
        for (size_t i = 0; i < n; i++) {
            score[i] = (float)r1_rng_below(&r, 6);
            label[i] = (float)r1_rng_below(&r, 2);
            weight[i] = 0.25f + (float)r1_rng_below(&r, 8);
        }
        R1_ASSERT_OK(r1_isotonic_blocks(score, label, weight, n, block, &n_block, &err), &err);
        double error = 0;
        for (size_t k = 0; k < n_block; k++) {
            CU_ASSERT(k == 0 ||
                      (block[k].value > block[k - 1].value && block[k].low > block[k - 1].high));
            for (size_t i = 0; i < n; i++)
                if (score[i] >= (float)block[k].low && score[i] <= (float)block[k].high)
                    error += (double)weight[i] * pow((double)label[i] - block[k].value, 2);
        }
        CU_ASSERT_DOUBLE_EQUAL(error, least_error(score, label, weight, n), 1e-6);
    }
}

/* Of many scores: knots rise and are finite whatever the number of blocks; a model takes them,
 * and gives back through a file what it had; a rising map never lets two scores change places. */
static void test_isotonic_map(void)
{
    enum { MANY = 30000 };
    r1_rng r;
    r1_err err;
    r1_model *m, *again;
    char path[300];
    float *score = calloc(3 * MANY, sizeof *score), *label = score + MANY, *weight = label + MANY;
    r1_block *block = calloc(MANY, sizeof *block);
    static float x[R1_ISOTONIC_MAX], y[R1_ISOTONIC_MAX];
    size_t n_block;
    CU_ASSERT_FATAL(score != NULL && block != NULL);
    r1_rng_seed(&r, r1_test_seed());
    for (int i = 0; i < MANY; i++) {
        score[i] = (float)(3 * r1_rng_normal(&r));
        label[i] = r1_rng_unit(&r) < 1 / (1 + exp(-0.5 * (double)score[i] + 1));
        weight[i] = 1;
    }
    R1_ASSERT_OK(r1_isotonic_blocks(score, label, weight, MANY, block, &n_block, &err), &err);
    size_t n = r1_isotonic_knots(block, n_block, x, y);
    CU_ASSERT(n > 10);
    R1_ASSERT_OK(r1_model_new(&m, toy_description, 1, &err), &err);
    R1_ASSERT_OK(r1_model_set_isotonic(m, 0, (r1_isotonic){(uint32_t)n, x, y}, &err), &err);
    snprintf(path, sizeof path, "%s/isotonic.gguf", r1_test_tmpdir());
    R1_ASSERT_OK(r1_model_save(m, path, &err), &err);
    R1_ASSERT_OK(r1_model_open(&again, path, &err), &err);
    float last = -INFINITY;
    double off = 0;
    for (int i = -800; i <= 800; i++) {
        float at = (float)i / 100, v = r1_model_calibrated(m, 0, at);
        CU_ASSERT(v > last);
        CU_ASSERT_EQUAL(v, r1_model_calibrated(again, 0, at));
        if (i > -300 && i < 300)
            off = fmax(off, fabs(1 / (1 + exp(-(double)v)) - 1 / (1 + exp(-0.5 * (double)at + 1))));
        last = v;
    }
    printf("%zu knots, off by at most %.3f ", n, off);
    CU_ASSERT(off < 0.1);
    /* one value per score: more blocks than fit */
    for (int i = 0; i < MANY; i++) block[i] = (r1_block){i, i, i, (i + 1.0) / (MANY + 1.0), 1};
    n = r1_isotonic_knots(block, MANY, x, y);
    CU_ASSERT(n > R1_ISOTONIC_MAX / 4 && n <= R1_ISOTONIC_MAX);
    R1_ASSERT_OK(r1_model_set_isotonic(m, 0, (r1_isotonic){(uint32_t)n, x, y}, &err), &err);
    block[0] = (r1_block){0, 1, 0.5, 0, 7}, block[1] = (r1_block){2, 3, 2.5, 1, 9};
    n = r1_isotonic_knots(block, 2, x, y);
    CU_ASSERT(n == 2 && isfinite(y[0]) && isfinite(y[1]) && y[0] < y[1]);
    const float good[] = {0, 1}, flat[] = {1, 1}, bad[] = {0, NAN};
    CU_ASSERT_EQUAL(r1_model_set_isotonic(m, 0, (r1_isotonic){2, flat, good}, &err), R1_E_INVAL);
    CU_ASSERT_EQUAL(r1_model_set_isotonic(m, 0, (r1_isotonic){2, good, flat}, &err), R1_E_INVAL);
    CU_ASSERT_EQUAL(r1_model_set_isotonic(m, 0, (r1_isotonic){2, good, bad}, &err), R1_E_INVAL);
    CU_ASSERT_EQUAL(r1_model_set_isotonic(m, 1, (r1_isotonic){2, good, good}, &err),
                    R1_E_INVAL); /* a rank head */
    r1_model_free(m);
    r1_model_free(again);
    free(score);
    free(block);
}

/* The same weights with both calibrations: the map changes probabilities and no order, and a
 * session's trace still adds up. */
static void test_isotonic_training(void)
{
    r1_err err;
    r1_train_report plain, mapped;
    char out[300];
    test_train_write_shards(1500);
    snprintf(out, sizeof out, "%s/mapped.gguf", r1_test_tmpdir());
    r1_train_opts o = train_options();
    o.n_epoch = 2;
    R1_ASSERT_OK(r1_train(&o, &plain, &err), &err);
    o.isotonic = true;
    o.out = out;
    R1_ASSERT_OK(r1_train(&o, &mapped, &err), &err);
    printf("ece %.4f raw, %.4f scaled (crossed %.4f), %.4f mapped (crossed %.4f) ", plain.raw.ece,
           plain.valid.ece, plain.ece_crossed, mapped.valid.ece, mapped.ece_crossed);
    CU_ASSERT_DOUBLE_EQUAL(mapped.valid.auc, plain.valid.auc, 1e-4);
    CU_ASSERT(mapped.valid.ece < plain.valid.ece + 0.005);
    CU_ASSERT(isfinite(mapped.ece_crossed) && mapped.ece_crossed >= 0);
    toy t;
    r1_model *m;
    r1_session *s;
    r1_result res;
    toy_make_alone(&t, 40, 9);
    R1_ASSERT_OK(r1_model_open(&m, out, &err), &err);
    CU_ASSERT(r1_model_isotonic(m, 0).n > 1);
    R1_ASSERT_OK(r1_session_new(&s, m, NULL, &err), &err);
    r1_sample sample[40];
    for (int i = 0; i < 40; i++) sample[i] = t.sample[i].sample;
    r1_batch b = {.sample = sample, .n_sample = 40, .event = t.event, .n_event = t.n_event};
    R1_ASSERT_OK(r1_session_run(s, &b, &res, &err), &err);
    for (size_t i = 0; i < 40; i++) {
        double sum = 0;
        for (size_t p = 0; p <= res.n_step; p++)
            sum += res.trace[(i * (res.n_step + 1) + p) * res.n_output];
        CU_ASSERT_EQUAL((float)sum, res.logit[i * res.n_output]);
    }
    r1_session_free(s);
    r1_model_free(m);
    toy_free(&t);
}

/* Each score by its weight is each score repeated. */
static void test_weighted_ece(void)
{
    r1_rng r;
    float logit[600], label[600], whole[600];
    r1_rng_seed(&r, r1_test_seed());
    for (size_t i = 0; i < 600; i++) {
        logit[i] = (float)r1_rng_normal(&r);
        label[i] = (float)r1_rng_below(&r, 2);
        whole[i] = 3;
    }
    CU_ASSERT_DOUBLE_EQUAL(r1_metric_ece(logit, label, whole, 600),
                           r1_metric_ece(logit, label, NULL, 600), 1e-9);
    /* one bin's worth of equal scores: the weighted share of positives against the probability */
    for (size_t i = 0; i < 600; i++)
        logit[i] = 0, label[i] = i % 2 ? 1.0f : 0.0f, whole[i] = i % 2 ? 1.0f : 3.0f;
    double ece = r1_metric_ece(logit, label, whole, 600);
    CU_ASSERT(ece > 0.2 && ece < 0.5);
}

R1_TEST_MAIN("train", {"metrics", test_metrics}, {"shard", test_shard},
             {"resume", test_train_resume}, {"running mean", test_mean},
             {"finetune", test_finetune}, {"other heads", test_other_heads},
             {"for int8", test_train_int8}, {"isotonic blocks", test_isotonic_blocks},
             {"isotonic map", test_isotonic_map}, {"isotonic training", test_isotonic_training},
             {"ece by weight", test_weighted_ece}, {"toy task", test_train_learns})
