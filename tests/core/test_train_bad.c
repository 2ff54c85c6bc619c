/* SPDX-License-Identifier: Apache-2.0 */
/* test_train_bad.c - training on poor data and on a disk that fills up. */
#include "model/model.h"
#include "r1_session.h"
#include "r1_shard.h"
#include "r1_train.h"
#include "support/r1_test.h"

#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { N = 400 };

/* Columns that vary, that never do, that are never known, that are known once; a text that is
 * always empty; items that no sample has. */
static const char description[] =
    "{\"name\":\"poor\",\"d_align\":16,\"d_model\":8,\"n_layer\":1,\"n_head\":2,\"n_head_cross\":2,"
    "\"d_ff\":12,"
    "\"event\":{\"num\":[\"e\"],"
    "\"n_bin\":3,\"hidden\":5,\"d_memory\":4,\"n_head\":2},\"items\":[{\"name\":\"row\",\"kind\":"
    "\"table\",\"num\":["
    "\"varies\",\"constant\","
    "\"missing\",\"once\"],\"cat\":[{\"name\":\"same\",\"n\":3},{\"name\":\"unknown\",\"n\":3}],"
    "\"n_bin\":4,\"d_cat\":"
    "2,\"hidden\":6},"
    "{\"name\":\"words\",\"kind\":\"text\",\"n_vocab\":300,\"n_token_max\":8,\"hidden\":8,\"n_"
    "layer\":1},"
    "{\"name\":\"net\",\"kind\":\"graph\",\"node\":[\"f\"],\"edge\":[\"w\"],\"n_node_max\":4,\"n_"
    "edge_max\":4,"
    "\"hidden\":4,\"n_layer\":1},"
    "{\"name\":\"past\",\"kind\":\"memory\",\"query\":\"row\",\"n_ref_max\":4,\"n_bucket\":2},"
    "{\"name\":\"never\",\"kind\":\"table\",\"num\":[\"x\"],\"n_bin\":3,\"hidden\":4}],\"heads\":[{"
    "\"name\":\"h\","
    "\"kind\":\"binary\"}]}";

static char train_path[300], out_path[300];

static void train_bad_fill(r1_item *item, float *num, int32_t *cat, r1_rng *rng, bool known)
{
    num[0] = (float)r1_rng_normal(rng);
    num[1] = 7;
    num[2] = NAN;
    num[3] = known ? 1e30f : NAN;
    cat[0] = 1;
    cat[1] = -1;
    memset(item, 0, 5 * sizeof *item);
    item[0] = (r1_item){.present = true, .num = num, .cat = cat};
    item[1] = (r1_item){.present = true, .text = "", .text_bytes = 0};
    item[2] = (r1_item){.present = true};
    item[3] = (r1_item){.present = true};
}

static void write_poor(size_t n)
{
    r1_err err = {0};
    r1_shard_writer *w;
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    snprintf(train_path, sizeof train_path, "%s/poor.r1s", r1_test_tmpdir());
    snprintf(out_path, sizeof out_path, "%s/poor.gguf", r1_test_tmpdir());
    R1_ASSERT_OK(r1_shard_create(&w, train_path, description, &err), &err);
    for (size_t i = 0; i < n; i++) {
        r1_item item[5];
        float num[4];
        int32_t cat[2];
        train_bad_fill(item, num, cat, &rng, i == n / 2);
        float label = num[0] > 0;
        R1_ASSERT_OK(r1_shard_add(w, &(r1_sample){.item = item, .id = i, .label = &label}, &err),
                     &err);
    }
    R1_ASSERT_OK(r1_shard_finish(w, &err), &err);
}

static r1_train_opts train_bad_options(void)
{
    static const char *path[1];
    path[0] = train_path;
    return (r1_train_opts){.run = {.train = path,
                                   .n_train = 1,
                                   .valid = path,
                                   .n_valid = 1,
                                   .out = out_path,
                                   .lr = 0.02,
                                   .seed = 1},
                           .n_epoch = 12,
                           .n_batch = 64};
}

/* What says nothing does no harm: the one column that does is learned, and every score is
 * finite, that of an empty sample too. */
static void test_poor_columns(void)
{
    r1_err err = {0};
    r1_train_report rep;
    r1_model *m;
    r1_session *s;
    r1_result res;
    r1_rng rng;
    write_poor(N);
    r1_train_opts o = train_bad_options();
    R1_ASSERT_OK(r1_train(&o, &rep, &err), &err);
    printf("AUC %.3f ", rep.valid.auc);
    CU_ASSERT(isfinite(rep.valid.loss) && rep.valid.auc > 0.95);
    R1_ASSERT_OK(r1_model_open(&m, out_path, &err), &err);
    R1_ASSERT_OK(r1_session_new(&s, m, NULL, &err), &err);
    r1_rng_seed(&rng, r1_test_seed() + 1);
    for (int i = 0; i < 4; i++) {
        r1_item item[5];
        float num[4];
        int32_t cat[2];
        train_bad_fill(item, num, cat, &rng, i == 1);
        if (i == 2) memset(item, 0, sizeof item);
        if (i == 3) num[0] = num[1] = num[3] = INFINITY, cat[0] = 9;
        R1_ASSERT_OK(
            r1_session_run(s, &(r1_batch){.sample = &(r1_sample){.item = item}, .n_sample = 1},
                           &res, &err),
            &err);
        CU_ASSERT(isfinite(res.logit[0]) && res.prob[0] >= 0 && res.prob[0] <= 1);
    }
    r1_session_free(s);
    r1_model_free(m);
}

static void test_no_data(void)
{
    r1_err err = {0};
    write_poor(0);
    r1_train_opts o = train_bad_options();
    CU_ASSERT(r1_train(&o, NULL, &err) != R1_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, train_path));
}

static size_t files_in(const char *folder)
{
    DIR *d = opendir(folder);
    size_t n = 0;
    while (d && readdir(d)) n++;
    closedir(d);
    return n;
}

/* The largest file that this process may write: what lies beyond is refused as on a full disk. */
static void train_bad_disk(rlim_t bytes)
{
    struct rlimit l;
    getrlimit(RLIMIT_FSIZE, &l);
    l.rlim_cur = bytes;
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &l), 0);
}

/* Full after so many bytes: the error names the file, the one before it is as it was, nothing
 * else is left; with room again the run goes on from it to the bytes of a run that met no
 * obstacle. */
static void test_disk_full(void)
{
    r1_err err = {0};
    r1_trainer *t;
    char ck[300], *before, *after, *whole, *again;
    size_t n_before, n_after, n_whole, n_again;
    bool done = false;
    double loss;
    write_poor(N);
    r1_train_opts o = train_bad_options();
    R1_ASSERT_OK(r1_train(&o, NULL, &err), &err);
    R1_ASSERT_OK(r1_file_read(out_path, 1 << 24, &whole, &n_whole, &err), &err);
    snprintf(ck, sizeof ck, "%s/poor.ck", r1_test_tmpdir());
    o.run.checkpoint = ck;
    o.run.checkpoint_every = 1 << 30;
    R1_ASSERT_OK(r1_trainer_new(&t, &o, &err), &err);
    for (int i = 0; i < 5; i++) R1_ASSERT_OK(r1_trainer_step(t, &loss, &done, &err), &err);
    R1_ASSERT_OK(r1_trainer_checkpoint(t, ck, &err), &err);
    R1_ASSERT_OK(r1_file_read(ck, 1 << 24, &before, &n_before, &err), &err);
    size_t files = files_in(r1_test_tmpdir());
    for (int i = 0; i < 5; i++) R1_ASSERT_OK(r1_trainer_step(t, &loss, &done, &err), &err);
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t room = 0; room < n_before; room += n_before / 16 + 1) {
        err.msg[0] = 0;
        train_bad_disk(room);
        r1_status st = r1_trainer_checkpoint(t, ck, &err),
                  model = r1_model_save(r1_trainer_model(t), out_path, NULL);
        train_bad_disk(RLIM_INFINITY);
        CU_ASSERT_EQUAL(st, R1_E_IO);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, ck));
        CU_ASSERT(model == R1_E_IO || room > n_whole);
        R1_ASSERT_OK(r1_file_read(ck, 1 << 24, &after, &n_after, &err), &err);
        CU_ASSERT(n_after == n_before && memcmp(before, after, n_before) == 0);
        CU_ASSERT_EQUAL(files_in(r1_test_tmpdir()), files);
        free(after);
    }
    signal(SIGXFSZ, SIG_DFL);
    r1_trainer_free(t);
    R1_ASSERT_OK(r1_train(&o, NULL, &err), &err); /* goes on from the fifth step */
    R1_ASSERT_OK(r1_file_read(out_path, 1 << 24, &again, &n_again, &err), &err);
    CU_ASSERT(n_again == n_whole && memcmp(whole, again, n_whole) == 0);
    free(before);
    free(whole);
    free(again);
}

/* A weight that is not a number is refused with its tensor's name. */
static void test_bad_weights(void)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    r1_err err = {0};
    r1_model *m, *read;
    for (size_t i = 0; i < R1_COUNT(bad); i++) {
        R1_ASSERT_OK(r1_model_new(&m, description, 1, &err), &err);
        m->weights[i] = bad[i];
        snprintf(out_path, sizeof out_path, "%s/bad.gguf", r1_test_tmpdir());
        R1_ASSERT_OK(r1_model_save(m, out_path, &err), &err);
        r1_model_free(m);
        CU_ASSERT_EQUAL(r1_model_open(&read, out_path, &err), R1_E_FORMAT);
        CU_ASSERT(strstr(err.msg, "tensor") && strstr(err.msg, "not finite"));
    }
}

R1_TEST_MAIN("training, bad input", {"poor columns", test_poor_columns}, {"no data", test_no_data},
             {"disk full", test_disk_full}, {"weights not finite", test_bad_weights})
