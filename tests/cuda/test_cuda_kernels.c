/* SPDX-License-Identifier: Apache-2.0 */
/* Every kernel of cuda/, run by the emulator, against the scalar reference on random shapes: 1,
 * odd, one past a warp and one past a block. Run with R1_EMU_ORDER 0, 1 and 2 (CTest does),
 * which changes the order of lanes and warps.
 *
 * Tolerance: abs 2e-5 + rel 2e-5. The reference sums in double, the kernels in f32 over at most
 * 300 terms of size 1, whose rounding stays below 300 * 2^-24 = 1.8e-5. */
#include "support/op_cases.h"
#include "support/r1_test.h"

#include <stdlib.h>
#include <string.h>

const r1_backend *r1_backend_cuda(uint32_t abi_version, r1_err *err); /* the emulated plugin */

static void one_round(const r1_backend *cuda, r1_op op)
{
    r1_err err = {0};
    r1_op_args a;
    op_case_make(op, &a);
    int out = op_case_output(op);
    r1_view got = op_case_floats(a.v[out].rows, a.v[out].cols);
    R1_ASSERT_OK(r1_op_get(op)->forward(NULL, &a, &err), &err);
    r1_view expected = a.v[out];
    a.v[out] = got;
    CU_ASSERT_TRUE(cuda->supports(op, &a));
    R1_ASSERT_OK(cuda->forward[op](NULL, &a, &err), &err);
    CU_ASSERT_TRUE(op_case_equal(r1_op_name(op), &expected, &got, 2e-5, 2e-5));
    free(expected.p);
    op_case_free(&a);
}

static void test_kernels(void)
{
    r1_err err = {0};
    const r1_backend *cuda = r1_backend_cuda(R1_BACKEND_ABI, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(cuda);
    op_case_seed(r1_test_seed());
    for (int op = 0; op < R1_OP_COUNT; op++)
        for (int round = 0; round < 12 && op != R1_OP_LSQ;
             round++) /* LSQ runs in training alone, on the host */
            one_round(cuda, (r1_op)op);
}

static void test_table(void)
{
    r1_err err = {0};
    CU_ASSERT_PTR_NULL(r1_backend_cuda(R1_BACKEND_ABI + 1, &err));
    CU_ASSERT_EQUAL(err.code, R1_E_DEVICE);
    const r1_backend *cuda = r1_backend_cuda(R1_BACKEND_ABI, &err);
    r1_stream *s;
    r1_device_event *e;
    void *p;
    float there[3] = {1, 2, 3}, back[3] = {0};
    char text[128];
    uint32_t n;
    R1_ASSERT_OK(cuda->devices(&n, &err), &err);
    CU_ASSERT_EQUAL(n, 1);
    R1_ASSERT_OK(cuda->device_text(0, text, sizeof text, &err), &err);
    R1_ASSERT_OK(cuda->stream_new(&s, 0, &err), &err);
    R1_ASSERT_OK(cuda->event_new(&e, &err), &err);
    R1_ASSERT_OK(cuda->buffer_new(&p, sizeof there, &err), &err);
    R1_ASSERT_OK(cuda->upload(s, p, there, sizeof there, &err), &err);
    R1_ASSERT_OK(cuda->event_record(e, s, &err), &err);
    R1_ASSERT_OK(cuda->event_wait(e, s, &err), &err);
    R1_ASSERT_OK(cuda->download(s, back, p, sizeof back, &err), &err);
    R1_ASSERT_OK(cuda->stream_sync(s, &err), &err);
    CU_ASSERT_EQUAL(memcmp(there, back, sizeof there), 0);
    cuda->buffer_free(p);
    cuda->event_free(e);
    cuda->stream_free(s);
    r1_op_args wide = {0};
    wide.v[R1_ATTEND_Q].cols = 1024;
    wide.i[R1_ATTEND_HEADS] = 4;
    CU_ASSERT_FALSE(
        cuda->supports(R1_OP_ATTEND, &wide)); /* 256 columns a head: more than the kernel holds */
}

R1_TEST_MAIN("cuda kernels, emulated", {"kernels against the reference", test_kernels},
             {"table", test_table})
