/* SPDX-License-Identifier: Apache-2.0 */
#include "core/runs.h"

#include "file/gguf.h"
#include "support/r1_test.h"

#include <stdlib.h>
#include <string.h>

enum { NEVER = 1000000 };

void run_train(r1_train_opts o, uint64_t n, const char *checkpoint, const char *resume)
{
    r1_err err;
    r1_trainer *t;
    double loss;
    bool done = false;
    o.run.n_step_max = n;
    o.run.checkpoint = resume;
    o.run.checkpoint_every = NEVER;
    R1_ASSERT_OK(r1_trainer_new(&t, &o, &err), &err);
    while (!done) R1_ASSERT_OK(r1_trainer_step(t, &loss, &done, &err), &err);
    R1_ASSERT_OK(r1_trainer_checkpoint(t, checkpoint, &err), &err);
    r1_trainer_free(t);
}

void run_pretrain(r1_pretrain_opts o, uint64_t n, const char *checkpoint, const char *resume)
{
    r1_err err;
    r1_pretrainer *t;
    double loss;
    bool done = false;
    o.run.n_step_max = n;
    o.run.checkpoint = resume;
    o.run.checkpoint_every = NEVER;
    R1_ASSERT_OK(r1_pretrainer_new(&t, &o, &err), &err);
    while (!done) R1_ASSERT_OK(r1_pretrainer_step(t, &loss, &done, &err), &err);
    R1_ASSERT_OK(r1_pretrainer_checkpoint(t, checkpoint, &err), &err);
    r1_pretrainer_free(t);
}

void run_reinforce(r1_reinforce_opts o, uint64_t n, const char *checkpoint, const char *resume)
{
    r1_err err;
    r1_reinforcer *t;
    bool done = false;
    o.run.n_step_max = n;
    o.run.checkpoint = resume;
    o.run.checkpoint_every = NEVER;
    R1_ASSERT_OK(r1_reinforcer_new(&t, &o, &err), &err);
    while (!done) R1_ASSERT_OK(r1_reinforcer_step(t, NULL, &done, &err), &err);
    CU_ASSERT_EQUAL(r1_reinforcer_n_step(t), n);
    R1_ASSERT_OK(r1_reinforcer_checkpoint(t, checkpoint, &err), &err);
    r1_reinforcer_free(t);
}

float *run_tensor(const char *checkpoint, const char *name, size_t *n)
{
    r1_err err;
    char *data;
    size_t len;
    r1_gguf g;
    R1_ASSERT_OK(r1_file_read(checkpoint, 1 << 28, &data, &len, &err), &err);
    R1_ASSERT_OK(r1_gguf_parse(&g, data, len, &err), &err);
    const r1_gguf_tensor *x = r1_gguf_find_tensor(&g, name);
    CU_ASSERT_FATAL(x != NULL);
    float *copy = malloc(x->bytes);
    CU_ASSERT_FATAL(copy != NULL);
    memcpy(copy, x->data, x->bytes);
    *n = x->bytes / sizeof *copy;
    r1_gguf_free(&g);
    free(data);
    return copy;
}
