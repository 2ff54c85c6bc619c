/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An archive says what it holds, and a damaged one is not believed. Twin: the rows that went in. */
#include "retain/row_archive.h"
#include "support/r1_test.h"

#include <stdlib.h>
#include <string.h>

static r1_status archive_make(const char *path, size_t n, fraud_archived *out, r1_err *err)
{
    fraud_archive *a;
    char row[64];
    R1_TRY(fraud_archive_new(&a, path, err));
    r1_status st = R1_OK;
    for (size_t i = 0; st == R1_OK && i < n; i++) {
        int len = snprintf(row, sizeof row, "%zu\tvalue \\n %zu\n", i, i * i);
        st = fraud_archive_row(a, row, (size_t)len, err);
    }
    return fraud_archive_close(a, st, out, err);
}

static void test_round_trip(void)
{
    static const size_t sizes[] = {0, 1, 2, 100000};
    for (size_t i = 0; i < R1_COUNT(sizes); i++) {
        r1_err err = {0};
        fraud_archived made, found;
        const char *path = r1_test_in_tmp("a.zst");
        R1_ASSERT_OK(archive_make(path, sizes[i], &made, &err), &err);
        R1_ASSERT_OK(fraud_archive_check(path, &found, &err), &err);
        CU_ASSERT_EQUAL(found.rows, sizes[i]);
        CU_ASSERT_EQUAL(made.rows, found.rows);
        CU_ASSERT_STRING_EQUAL(made.sha256, found.sha256);
        CU_ASSERT_EQUAL(strlen(found.sha256), 64);
    }
}

/* Cut anywhere, or one bit turned anywhere: refused, or another hash. */
static void test_damage(void)
{
    r1_err err = {0};
    fraud_archived made, found;
    r1_rng rng;
    char *bytes;
    size_t len;
    const char *path = r1_test_in_tmp("b.zst"), *bad = r1_test_in_tmp("bad.zst");
    R1_ASSERT_OK(archive_make(path, 2000, &made, &err), &err);
    R1_ASSERT_OK(r1_file_read(path, 1 << 20, &bytes, &len, &err), &err);
    r1_rng_seed(&rng, r1_test_seed());
    for (int i = 0; i < 200; i++) {
        size_t at = (size_t)r1_rng_below(&rng, (uint32_t)len);
        bool cut = i % 2;
        bytes[at] ^= (char)(cut ? 0 : 1 << i / 2 % 8);
        R1_ASSERT_OK(r1_file_write(bad, bytes, cut ? at : len, &err), &err);
        bytes[at] ^= (char)(cut ? 0 : 1 << i / 2 % 8);
        r1_status st = fraud_archive_check(bad, &found, &err);
        CU_ASSERT_TRUE(st == R1_E_FORMAT || (!cut && strcmp(found.sha256, made.sha256) != 0));
    }
    free(bytes);
}

static void test_refusals(void)
{
    r1_err err = {0};
    fraud_archive *a;
    fraud_archived out;
    CU_ASSERT_EQUAL(fraud_archive_new(&a, "/does/not/exist/x", &err), R1_E_IO);
    CU_ASSERT_EQUAL(fraud_archive_check("/does/not/exist/x", &out, &err), R1_E_IO);
    const char *path = r1_test_in_tmp("c.zst"); /* a failed one leaves nothing */
    R1_ASSERT_OK(fraud_archive_new(&a, path, &err), &err);
    CU_ASSERT_EQUAL(fraud_archive_close(a, R1_E_DB, &out, &err), R1_E_DB);
    CU_ASSERT_EQUAL(fraud_archive_check(path, &out, &err), R1_E_IO);
}

R1_TEST_MAIN("archive", {"round trip", test_round_trip}, {"damage", test_damage},
             {"refusals", test_refusals})
