/* SPDX-License-Identifier: Apache-2.0 */
/* Half floats against their definition, and files of them. */
#include "support/r1_test.h"
#include "vectors/r1_vectors.h"

#include <math.h>
#include <stdlib.h>

/* Every half float is its own nearest; what lies between two goes to the nearer, from the middle
 * to the even one. */
static void test_halves(void)
{
    for (uint32_t h = 0; h < 65536; h++) {
        float v = r1_half_value((uint16_t)h);
        bool finite = (h & 0x7c00) != 0x7c00;
        CU_ASSERT_EQUAL(isfinite(v), finite);
        if (!finite) continue;
        CU_ASSERT_EQUAL(r1_half_of(v), h);
        if ((h & 0x7fff) == 0x7bff) continue; /* none beyond it */
        float next = r1_half_value((uint16_t)(h + 1)), middle = v + (next - v) / 2;
        CU_ASSERT_EQUAL(r1_half_of(middle), h + (h & 1));
        CU_ASSERT_EQUAL(r1_half_of(nextafterf(middle, v)), h);
        CU_ASSERT_EQUAL(r1_half_of(nextafterf(middle, next)), h + 1);
    }
    CU_ASSERT_EQUAL(r1_half_of(1e30f), 0x7bff);
    CU_ASSERT_EQUAL(r1_half_of(-INFINITY), 0xfbff);
    CU_ASSERT_EQUAL(r1_half_value(0x3c00), 1.0f);
}

static void test_files(void)
{
    r1_err err = {0};
    r1_vectors v;
    char path[300], *data;
    size_t len;
    const float a[2] = {1, -2}, b[2] = {3, 4};
    R1_ASSERT_OK(r1_vectors_open(&v, r1_test_tmpdir(), "few", &err), &err);
    r1_vectors_put(&v, false, a, 2, false);
    r1_vectors_put(&v, true, b, 2, true);
    r1_vectors_put(&v, false, b, 2, false);
    R1_ASSERT_OK(r1_vectors_close(&v, &err), &err);
    snprintf(path, sizeof path, "%s/few_base.f16", r1_test_tmpdir());
    R1_ASSERT_OK(r1_file_read(path, 100, &data, &len, &err), &err);
    CU_ASSERT_EQUAL(len, 8);
    CU_ASSERT_EQUAL(r1_half_value((uint16_t)((uint8_t)data[2] | (uint8_t)data[3] << 8)), -2);
    free(data);
    snprintf(path, sizeof path, "%s/few_queries.f16", r1_test_tmpdir());
    R1_ASSERT_OK(r1_file_read(path, 100, &data, &len, &err), &err);
    CU_ASSERT_EQUAL(len, 4);
    CU_ASSERT_DOUBLE_EQUAL(r1_half_value((uint16_t)((uint8_t)data[2] | (uint8_t)data[3] << 8)), 0.8,
                           0.0005);
    free(data);
    CU_ASSERT_EQUAL(r1_vectors_open(&v, "/does/not/exist", "few", &err), R1_E_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "/does/not/exist/few_base.f16"));
    R1_ASSERT_OK(r1_vectors_close(&v, &err), &err);
}

R1_TEST_MAIN("vectors", {"half floats", test_halves}, {"files", test_files})
