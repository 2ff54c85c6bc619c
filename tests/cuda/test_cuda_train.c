/* SPDX-License-Identifier: Apache-2.0 */
/* Training on the CUDA table, emulated, beside training on the CPU: the same samples in the same
 * order. Each step's loss stays beside the CPU's, in f32 and with rounding to learned steps.
 *
 * On a card (test_cuda_train_card) more steps run.
 *
 * Tolerance: 2e-4 of the loss, and 3e-2 after STEADY steps. Both sum in f32, in other orders, and
 * steps carry the last bits on. Where values are rounded, a last bit may decide which way: there it
 * is 3e-2 from the second step on. */
#include "core/toy.h"
#include "support/r1_test.h"

#include "r1_backend.h"
#include "r1_train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifdef R1_TEST_CARD
enum { STEPS = 50, SAMPLES = 800 };
static const r1_backend *the_card(r1_err *err) { return r1_backend_find("cuda", err); }
#else
const r1_backend *r1_backend_cuda(uint32_t abi_version, r1_err *err); /* the emulated plugin */
enum { STEPS = 10, SAMPLES = 200 };
static const r1_backend *the_card(r1_err *err) { return r1_backend_cuda(R1_BACKEND_ABI, err); }
#endif
enum { STEADY = 10 }; /* steps that stay beside the CPU's to the last digits */

/* The losses of the first steps; the trainer's error where it does not begin. */
static r1_status train_on(const char *backend, const char *shard, bool int8, double loss[STEPS],
                          r1_err *err)
{
    r1_train_opts o = {.run = {.train = &shard, .n_train = 1, .seed = 3, .n_thread = 1},
                       .n_batch = 16,
                       .int8 = int8};
    r1_trainer *t;
    bool done = false;
    setenv("R1_BACKEND", backend, 1);
    r1_status st = r1_trainer_new(&t, &o, err);
    for (int k = 0; st == R1_OK && k < STEPS && !done; k++)
        st = r1_trainer_step(t, &loss[k], &done, err);
    if (t) r1_trainer_free(t);
    unsetenv("R1_BACKEND");
    return st;
}

static r1_backend emulated;

static const char *shard_of(char path[300])
{
    r1_err err = {0};
    toy data;
    snprintf(path, 300, "%s", r1_test_in_tmp("toy.shard"));
    toy_make(&data, SAMPLES, r1_test_seed());
    R1_ASSERT_OK(toy_write(&data, path, &err), &err);
    toy_free(&data);
    return path;
}

static void beside_cpu(bool int8)
{
    r1_err err = {0};
    char path[300];
    double cpu[STEPS], cuda[STEPS];
    const char *shard = shard_of(path);
    R1_ASSERT_OK(train_on("cpu", shard, int8, cpu, &err), &err);
    R1_ASSERT_OK(train_on("emulated", shard, int8, cuda, &err), &err);
    for (int k = 0; k < STEPS; k++) {
        double most = (int8 && k > 0) || k >= STEADY ? 3e-2 : 2e-4;
        bool near = fabs(cpu[k] - cuda[k]) <= most * fabs(cpu[k]);
        if (!near) printf("step %d: loss %.9g on the CPU, %.9g emulated\n", k, cpu[k], cuda[k]);
        CU_ASSERT_TRUE(near);
    }
}

static void test_f32(void)
{
    r1_err err = {0};
    const r1_backend *card = the_card(&err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(card);
    emulated = *card;
    emulated.name = "emulated";
    R1_ASSERT_OK(r1_backend_register(&emulated, &err), &err);
    beside_cpu(false);
}

static void test_int8(void) { beside_cpu(true); }

/* A table without gradients does not train, nor does another one in its place. */
static void test_without_gradients(void)
{
    static r1_backend forward_only;
    r1_err err = {0};
    char path[300];
    double loss[STEPS];
    forward_only = *r1_backend_cpu();
    forward_only.name = "forward-only";
    for (int op = 0; op < R1_OP_COUNT; op++) forward_only.backward[op] = NULL;
    R1_ASSERT_OK(r1_backend_register(&forward_only, &err), &err);
    CU_ASSERT_EQUAL(train_on("forward-only", shard_of(path), false, loss, &err), R1_E_INVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "backend forward-only has no gradients"));
}

static const r1_test_case cases[] = {
    {"f32", test_f32}, {"learned steps", test_int8}, {"without gradients", test_without_gradients}};

int main(void)
{
    r1_err err = {0};
    if (!the_card(&err)) {
        printf("no card, so nothing is tested: %s\n", err.msg);
        return 77; /* CTest's mark of a test that was passed over */
    }
    return r1_test_run("training on the cuda table", cases, R1_COUNT(cases));
}
