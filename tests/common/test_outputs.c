/* SPDX-License-Identifier: Apache-2.0 */
/* Outputs that are inputs, under whatever name, and outputs that cannot be written. */
#include "files/outputs.h"
#include "support/r1_test.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NAME_BYTES = 400 };

/* One output of a kind against one input. */
static r1_status check_one(const char *out, r1_output_kind kind, const char *in, r1_err *err)
{
    const r1_named_file o = {"--out", out, kind}, i = {"the shard", in, 0};
    return r1_outputs_check(&o, 1, &i, 1, err);
}

static void test_same_file(void)
{
    char shard[NAME_BYTES], other[NAME_BYTES], hard[NAME_BYTES], soft[NAME_BYTES];
    r1_err err;
    snprintf(shard, sizeof shard, "%s/a.r1s", r1_test_tmpdir());
    snprintf(other, sizeof other, "%s/./a.r1s", r1_test_tmpdir());
    snprintf(hard, sizeof hard, "%s/hard", r1_test_tmpdir());
    snprintf(soft, sizeof soft, "%s/soft", r1_test_tmpdir());
    R1_ASSERT_OK(r1_file_write(shard, "x", 1, &err), &err);
    CU_ASSERT_EQUAL(link(shard, hard), 0);
    CU_ASSERT_EQUAL(symlink(shard, soft), 0);
    const char *const names[] = {shard, other, hard, soft};
    for (size_t i = 0; i < R1_COUNT(names); i++) {
        CU_ASSERT_EQUAL(check_one(names[i], R1_OUTPUT_REPLACED, shard, &err), R1_E_INVAL);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "expected another file than the shard"));
        CU_ASSERT_EQUAL(check_one(names[i], R1_OUTPUT_IN_PLACE, NULL, &err), R1_OK);
    }
    const r1_named_file out = {"--out", soft, 0};
    const char *const in[] = {"/dev/null", shard};
    CU_ASSERT_EQUAL(r1_outputs_spare(&out, 1, "--valid", in, 2, &err), R1_E_INVAL);
    CU_ASSERT_EQUAL(r1_outputs_spare(&out, 1, "--valid", in, 1, &err), R1_OK);
}

/* Two outputs of one name that is not there yet; devices are never the same. */
static void test_same_output(void)
{
    char a[NAME_BYTES], b[NAME_BYTES];
    r1_err err;
    snprintf(a, sizeof a, "%s/new", r1_test_tmpdir());
    snprintf(b, sizeof b, "%s/../%s/new", r1_test_tmpdir(), strrchr(r1_test_tmpdir(), '/') + 1);
    const r1_named_file twice[] = {{"--out", a, 0}, {"--plot", NULL, 0}, {"--metrics", b, 0}};
    CU_ASSERT_EQUAL(r1_outputs_check(twice, 3, NULL, 0, &err), R1_E_INVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "--metrics"));
    const r1_named_file devices[] = {{"--out", "/dev/null", 0}, {"--labels", "/dev/null", 0}};
    CU_ASSERT_EQUAL(r1_outputs_check(devices, 2, NULL, 0, &err), R1_OK);
}

static void test_writable(void)
{
    char file[NAME_BYTES], below[NAME_BYTES];
    r1_err err;
    snprintf(file, sizeof file, "%s/plain", r1_test_tmpdir());
    snprintf(below, sizeof below, "%s/plain/deep/m.gguf", r1_test_tmpdir());
    R1_ASSERT_OK(r1_file_write(file, "x", 1, &err), &err);
    CU_ASSERT_EQUAL(check_one("/does/not/exist/m", R1_OUTPUT_REPLACED, NULL, &err), R1_E_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "/does/not/exist"));
    CU_ASSERT_EQUAL(check_one(r1_test_tmpdir(), R1_OUTPUT_REPLACED, NULL, &err), R1_E_IO);
    CU_ASSERT_EQUAL(check_one(below, R1_OUTPUT_REPLACED, NULL, &err), R1_E_IO);
    CU_ASSERT_EQUAL(check_one(below, R1_OUTPUT_BELOW, NULL, &err), R1_E_IO);
    snprintf(below, sizeof below, "%s/made/deep/m.gguf", r1_test_tmpdir());
    CU_ASSERT_EQUAL(check_one(below, R1_OUTPUT_REPLACED, NULL, &err), R1_E_IO);
    CU_ASSERT_EQUAL(check_one(below, R1_OUTPUT_BELOW, NULL, &err), R1_OK);
    CU_ASSERT_EQUAL(check_one("new-here", R1_OUTPUT_REPLACED, NULL, &err), R1_OK);
}

R1_TEST_MAIN("outputs", {"same file", test_same_file}, {"same output", test_same_output},
             {"writable", test_writable})
