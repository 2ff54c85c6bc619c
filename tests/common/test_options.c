/* SPDX-License-Identifier: Apache-2.0 */
/* test_options.c - settings from the command line: values, bounds, secrets from a file, and
 * errors that name the setting. */
#include "config/r1_options.h"
#include "support/r1_test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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
    chmod(path, 0644);
    CU_ASSERT_EQUAL(r1_options_set(o, "password-file", path, "test", &err), R1_E_INVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "found mode 644: chmod 600"));
    chmod(path, 0600);
    R1_ASSERT_OK(r1_options_set(o, "password-file", path, "test", &err), &err);
    CU_ASSERT_STRING_EQUAL(r1_options_str(o, "password"), "tiger");
    r1_options_free(o);
}

/* NAME.KEY = value: any value, the last one counts, and a secret one comes from a file. */
static void test_families(void)
{
    static const r1_option table[] = {{.name = "extra",
                                       .section = "s",
                                       .type = R1_OPT_STRING,
                                       .many = true,
                                       .secret_keys = "password|pem",
                                       .help = "any"}};
    r1_err err = {0};
    r1_options *o;
    R1_ASSERT_OK(r1_options_new(&o, table, 1, &err), &err);
    CU_ASSERT_EQUAL(r1_options_set(o, "extra", "x", "test", &err), R1_E_INVAL);
    CU_ASSERT_EQUAL(r1_options_set(o, "extra.", "x", "test", &err), R1_E_INVAL);
    CU_ASSERT_EQUAL(r1_options_set(o, "other.a", "x", "test", &err), R1_E_INVAL);
    R1_ASSERT_OK(r1_options_set(o, "extra.a.b", "one = two", "test", &err), &err);
    R1_ASSERT_OK(r1_options_set(o, "extra.c", "", "test", &err), &err);
    R1_ASSERT_OK(r1_options_set(o, "extra.a.b", "three", "test", &err), &err);
    const char *key, *text, *origin;
    CU_ASSERT_TRUE_FATAL(r1_options_entry(o, "extra", 0, &key, &text, &origin));
    CU_ASSERT_STRING_EQUAL(key, "a.b");
    CU_ASSERT_STRING_EQUAL(text, "three");
    CU_ASSERT_TRUE(r1_options_entry(o, "extra", 1, &key, &text, NULL));
    CU_ASSERT_FALSE(r1_options_entry(o, "extra", 2, &key, &text, NULL));
    R1_ASSERT_OK(r1_options_check(o, &err), &err);
    R1_ASSERT_OK(r1_options_set(o, "extra.my.password", "x", "command line", &err), &err);
    CU_ASSERT_EQUAL(r1_options_check(o, &err), R1_E_INVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "extra.my.password_file"));
    char name[32];
    r1_status st = R1_OK;
    for (int i = 0; st == R1_OK && i < 2 * R1_OPTION_ENTRIES_MAX; i++) {
        snprintf(name, sizeof name, "extra.n%d", i);
        st = r1_options_set(o, name, "x", "test", &err);
    }
    CU_ASSERT_EQUAL(st, R1_E_INVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "at most 64 settings extra.NAME"));
    r1_options_free(o);
}

/* The second one won in silence. A file, the environment and the command line go over each other as
 * before. */
static void test_options_twice(void)
{
    static const r1_option table[] = {
        {.name = "in", .section = "s", .type = R1_OPT_PATH, .help = "a file"},
        {.name = "graph", .type = R1_OPT_BOOL, .def = "true", .help = "a switch"},
        {.name = "extra", .section = "s", .type = R1_OPT_STRING, .many = true, .help = "any"}};
    static char *const twice[][2] = {{"--in=a", "--in=b"},
                                     {"--in=a", "--in=a"},
                                     {"--graph", "--no-graph"},
                                     {"--extra.x=1", "--extra.x=2"}};
    static const char *const said[] = {"--in once", "--in once", "--graph once", "--extra.x once"};
    const char *rest[2];
    size_t n_rest;
    r1_err err = {0};
    for (size_t i = 0; i < R1_COUNT(twice); i++) {
        r1_options *o;
        char *argv[] = {twice[i][0], twice[i][1]};
        R1_ASSERT_OK(r1_options_new(&o, table, R1_COUNT(table), &err), &err);
        CU_ASSERT_EQUAL(r1_options_parse(o, 2, argv, rest, &n_rest, &err), R1_E_INVAL);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, said[i]));
        r1_options_free(o);
    }
    r1_options *o;
    char *argv[] = {"--in=c", "--extra.y=1"};
    R1_ASSERT_OK(r1_options_new(&o, table, R1_COUNT(table), &err), &err);
    R1_ASSERT_OK(r1_options_set(o, "in", "a", "x.ini:1", &err), &err);
    R1_ASSERT_OK(r1_options_set(o, "in", "b", "environment", &err), &err);
    R1_ASSERT_OK(r1_options_parse(o, 2, argv, rest, &n_rest, &err), &err);
    CU_ASSERT_STRING_EQUAL(r1_options_str(o, "in"), "c");
    r1_options_free(o);
}

/* Settings of a file had "did you mean", options had not. */
static void test_options_nearest(void)
{
    static const r1_option table[] = {
        {.name = "alerts-per-day", .type = R1_OPT_INT, .help = "alerts"},
        {.name = "graph", .type = R1_OPT_BOOL, .def = "true", .help = "graph"}};
    static const struct {
        char *arg;
        const char *said;
    } cases[] = {
        {"--alerts-per-dy=1", "--alerts-per-dy is not known; did you mean --alerts-per-day?"},
        {"--grph", "--grph is not known; did you mean --graph?"},
        {"--no-grap", "--no-grap is not known; did you mean --no-graph?"},
        {"--rate=1", "--rate is not known; --help lists them"}};
    const char *rest[2];
    size_t n;
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        char *argv[] = {cases[i].arg};
        r1_err err = {0};
        r1_options *o;
        R1_ASSERT_OK(r1_options_new(&o, table, R1_COUNT(table), &err), &err);
        CU_ASSERT_EQUAL(r1_options_parse(o, 1, argv, rest, &n, &err), R1_E_INVAL);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, cases[i].said));
        r1_options_free(o);
    }
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

R1_TEST_MAIN("options", {"options", test_options}, {"families", test_families},
             {"an option given twice", test_options_twice},
             {"the nearest option", test_options_nearest}, {"unknown setting", test_options_breaks})
