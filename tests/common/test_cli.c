/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files: keys, sections, origins in messages, and a sample file that its own
 * parser accepts. Log lines as JSON: a message may hold any bytes. */
#include "cli/r1_cli.h"
#include "config/r1_config.h"
#include "support/r1_test.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const r1_option table[] = {
    {.name = "brokers",
     .section = "kafka",
     .type = R1_OPT_STRING,
     .def = "127.0.0.1:19092",
     .help = "brokers"},
    {.name = "batch-rows",
     .section = "writer",
     .type = R1_OPT_INT,
     .def = "500",
     .min = 1,
     .max = 500,
     .unit = "rows",
     .help = "rows"},
    {.name = "password",
     .section = "postgres",
     .type = R1_OPT_STRING,
     .secret = true,
     .help = "password"},
};

static const char *file_with(const char *text)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/test.ini", r1_test_tmpdir());
    CU_ASSERT_EQUAL_FATAL(r1_file_write(path, text, strlen(text), NULL), R1_OK);
    return path;
}

static void test_load(void)
{
    static const struct {
        const char *text, *needle; /* needle NULL: must load */
    } cases[] = {
        {"[writer]\nbatch_rows = 20\n", NULL},
        {"# note\n[kafka]\nbrokers = a:1,b:2 ; comment\n\n[writer]\nbatch_rows=1\n", NULL},
        {"[writer]\nbatch_rows = 501\n", ":2: batch-rows must lie in 1..500"},
        {"[kafka]\n\nbatch_rows = 5\n", ":3: key \"batch_rows\" belongs to section [writer]"},
        {"[kafka]\nnonsense = 5\n", ":2: unknown key"},
        {"[kafka]\nbrokers\n", ":2: expected"},
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_err err = {0};
        r1_options *o;
        R1_ASSERT_OK(r1_options_new(&o, table, R1_COUNT(table), &err), &err);
        r1_status st = r1_config_load(o, file_with(cases[i].text), &err);
        CU_ASSERT_EQUAL(st, cases[i].needle ? R1_E_INVAL : R1_OK);
        if (cases[i].needle && !strstr(err.msg, cases[i].needle)) {
            fprintf(stderr, "case %zu: expected \"%s\", found \"%s\"\n", i, cases[i].needle,
                    err.msg);
            CU_FAIL("message");
        }
        r1_options_free(o);
    }
}

static void test_sample_round_trip(void)
{
    char *text;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    r1_config_sample(table, R1_COUNT(table), f);
    fclose(f);
    r1_err err = {0};
    r1_options *o;
    R1_ASSERT_OK(r1_options_new(&o, table, R1_COUNT(table), &err), &err);
    R1_ASSERT_OK(r1_config_load(o, file_with(text), &err), &err);
    CU_ASSERT_EQUAL(r1_options_int(o, "batch-rows"), 500);
    free(text);
    R1_ASSERT_OK(r1_options_set(o, "password", "tiger", "test", &err), &err);
    f = open_memstream(&text, &len);
    r1_config_dump(o, f);
    fclose(f);
    CU_ASSERT_PTR_NULL(strstr(text, "tiger"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "password = ***"));
    free(text);
    r1_options_free(o);
}

#define COMMIT_A "0123456789abcdef0123456789abcdef01234567"
#define COMMIT_B "89abcdef0123456789abcdef0123456789abcdef"

/* Writes root/name and the folders before it. */
static void commit_put(const char *root, const char *name, const char *text)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", root, name);
    for (char *c = strchr(path + strlen(root), '/'); c; c = strchr(c + 1, '/')) {
        *c = 0;
        mkdir(path, 0777);
        *c = '/';
    }
    CU_ASSERT_EQUAL_FATAL(r1_file_write(path, text, strlen(text), NULL), R1_OK);
}

static void commit_is(const char *root, const char *expected)
{
    char found[41];
    r1_cli_commit(root, found, sizeof found);
    CU_ASSERT_STRING_EQUAL(found, expected);
}

/* Each kind of checkout in a folder of its own; a later put changes what the one before said. */
static void test_commit(void)
{
    char root[300], other[300], link[400];
    snprintf(root, sizeof root, "%s/checkout", r1_test_tmpdir());
    snprintf(other, sizeof other, "%s/worktree", r1_test_tmpdir());
    mkdir(root, 0777);
    mkdir(other, 0777);
    commit_is(root, "unknown");
    commit_put(root, ".git/HEAD", "ref: refs/heads/main\n");
    commit_is(root, "unknown"); /* a branch without a commit */
    commit_put(root, ".git/packed-refs",
               "# pack-refs with: peeled fully-peeled sorted\n" COMMIT_B
               " refs/heads/main-2\n" COMMIT_A " refs/heads/main\n" COMMIT_B " refs/tags/1\n"
               "^" COMMIT_A "\n");
    commit_is(root, COMMIT_A);
    commit_put(root, ".git/refs/heads/main", COMMIT_B "\n"); /* the loose one is newer */
    commit_is(root, COMMIT_B);
    commit_put(root, ".git/HEAD", COMMIT_A "\n"); /* no branch */
    commit_is(root, COMMIT_A);
    commit_put(root, ".git/HEAD", "nonsense\n");
    commit_is(root, "unknown");

    commit_put(root, ".git/worktrees/w/HEAD", "ref: refs/heads/main\n");
    commit_put(root, ".git/worktrees/w/commondir", "../..\n");
    snprintf(link, sizeof link, "gitdir: %s/.git/worktrees/w\n", root);
    commit_put(other, ".git", link);
    commit_is(other, COMMIT_B);
    commit_put(root, ".git/worktrees/w/HEAD", "ref: refs/tags/1\n"); /* packed */
    commit_is(other, COMMIT_B);
    commit_put(other, ".git", "gitdir: ../checkout/.git/worktrees/w\n");
    commit_is(other, COMMIT_B);
    commit_put(other, ".git", "gitdir: ../absent\n");
    commit_is(other, "unknown");
}

/* ---- log lines as JSON ---- */

static const char *const log_messages[] = {"plain", "quote \" \\ tab \t", "M\xfcller",
                                           "\xe6\xbc\xa2"};

static int log_command(r1_cli_call *call)
{
    (void)call;
    for (size_t i = 0; i < R1_COUNT(log_messages); i++)
        r1_log(R1_LOG_WARN, "row_refused", "%s", log_messages[i]);
    return R1_EXIT_OK;
}

/* Runs the command with standard error in a file, and returns that file's text. */
static char *log_lines(void)
{
    static const r1_command commands[] = {{.name = "log", .run = log_command}};
    const r1_program program = {.name = "r1-test", .commands = commands, .n_commands = 1};
    char *argv[] = {"r1-test", "log", "--log-format", "json", NULL}, path[300], *text;
    size_t len;
    snprintf(path, sizeof path, "%s/log.jsonl", r1_test_tmpdir());
    fflush(stderr);
    int before = dup(2), to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CU_ASSERT_TRUE_FATAL(before >= 0 && to >= 0 && dup2(to, 2) == 2);
    int code = r1_cli_main(&program, 4, argv);
    fflush(stderr);
    dup2(before, 2);
    close(before);
    close(to);
    r1_log_set(NULL, NULL, R1_LOG_ERROR);
    CU_ASSERT_EQUAL(code, R1_EXIT_OK);
    CU_ASSERT_EQUAL_FATAL(r1_file_read(path, 1 << 16, &text, &len, NULL), R1_OK);
    return text;
}

static void test_log_json(void)
{
    char *text = log_lines(), *at = text;
    for (size_t i = 0; i < R1_COUNT(log_messages); i++) {
        size_t len = strcspn(at, "\n");
        json_t *o = json_loadb(at, len, 0, NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(o);
        CU_ASSERT_EQUAL(memcmp(at, "{\"ts\":\"2", 8), 0);
        CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(o, "level")), "warn");
        CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(o, "event")), "row_refused");
        CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(o, "msg")),
                               i == 2 ? "M\xef\xbf\xbdller" : log_messages[i]);
        json_decref(o);
        at += len + 1;
    }
    CU_ASSERT_EQUAL(*at, 0);
    free(text);
}

R1_TEST_MAIN("cli", {"log lines as JSON", test_log_json}, {"load", test_load},
             {"sample file", test_sample_round_trip}, {"commit of a checkout", test_commit})
