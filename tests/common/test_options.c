/* SPDX-License-Identifier: Apache-2.0 */
/* test_options.c - settings from the command line: values, bounds, secrets from a file, and
 * errors that name the setting. */
#include "config/r1_options.h"
#include "support/r1_test.h"

#include <stdlib.h>
#include <string.h>

static void test_options(void)
{
    static const r1_option table[] = {
        {.name = "rate",
         .type = R1_OPT_INT,
         .def = "10",
         .min = 1,
         .max = 100,
         .section = "s",
         .help = "rate"},
        {.name = "deep-mode", .type = R1_OPT_BOOL, .def = "false", .help = "mode"},
        {.name = "kind", .type = R1_OPT_ENUM, .choices = "a|bb", .def = "a", .help = "kind"},
        {.name = "password",
         .type = R1_OPT_STRING,
         .secret = true,
         .section = "s",
         .help = "password"},
    };
    r1_err err = {0};
    r1_options *o;
    R1_ASSERT_OK(r1_options_new(&o, table, R1_COUNT(table), &err), &err);
    char *argv[] = {"--rate=42", "x", "--deep-mode", "--kind", "bb", "--", "--y"};
    const char *rest[8];
    size_t n;
    R1_ASSERT_OK(r1_options_parse(o, (int)R1_COUNT(argv), argv, rest, &n, &err), &err);
    CU_ASSERT_EQUAL(r1_options_int(o, "rate"), 42);
    CU_ASSERT_TRUE(r1_options_bool(o, "deep-mode"));
    CU_ASSERT_STRING_EQUAL(r1_options_str(o, "kind"), "bb");
    CU_ASSERT_EQUAL(n, 2);
    CU_ASSERT_STRING_EQUAL(rest[1], "--y");
    static const char *const bad[][2] = {{"rate", "0"}, {"rate", "1x"},        {"rate", ""},
                                         {"kind", "b"}, {"kind", "a|bb"},      {"kind", ""},
                                         {"nope", "1"}, {"deep-mode", "maybe"}};
    for (size_t i = 0; i < R1_COUNT(bad); i++) {
        CU_ASSERT_EQUAL(r1_options_set(o, bad[i][0], bad[i][1], "test", &err), R1_E_INVAL);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, bad[i][0]));
    }
    CU_ASSERT_EQUAL(r1_options_int(o, "rate"), 42);
    char path[300];
    snprintf(path, sizeof path, "%s/secret", r1_test_tmpdir());
    R1_ASSERT_OK(r1_file_write(path, "tiger\n", 6, &err), &err);
    R1_ASSERT_OK(r1_options_set(o, "password-file", path, "test", &err), &err);
    CU_ASSERT_STRING_EQUAL(r1_options_str(o, "password"), "tiger");
    r1_options_free(o);
}

static void ask_for_nothing(void *ctx)
{
    static const r1_option table[] = {{.name = "rate", .type = R1_OPT_INT, .help = "rate"}};
    r1_options *o;
    (void)ctx;
    if (r1_options_new(&o, table, R1_COUNT(table), NULL) == R1_OK) r1_options_int(o, "rat");
}

/* A setting that no table has is a fault of the program, not of its user. */
static void test_options_breaks(void)
{
    CU_ASSERT(r1_test_breaks(ask_for_nothing, NULL, "settings is \"rat\""));
}

R1_TEST_MAIN("options", {"options", test_options}, {"unknown setting", test_options_breaks})
