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
    {.name = "bytes", .section = "writer", .type = R1_OPT_INT, .max = 1 << 20, .help = "bytes"},
    {.name = "share",
     .section = "writer",
     .type = R1_OPT_FLOAT,
     .min = 0.25,
     .max = 1,
     .help = "share"},
    {.name = "sync", .section = "writer", .type = R1_OPT_BOOL, .def = "true", .help = "sync"},
    {.name = "form",
     .section = "writer",
     .type = R1_OPT_ENUM,
     .choices = "text|json",
     .def = "text",
     .help = "form"},
    {.name = "password",
     .section = "postgres",
     .type = R1_OPT_STRING,
     .secret = true,
     .help = "password"},
};

/* Of another command that reads the same file. */
static const r1_option other_table[] = {
    {.name = "host", .section = "postgres", .type = R1_OPT_STRING, .help = "host"},
    {.name = "token",
     .section = "postgres",
     .type = R1_OPT_STRING,
     .secret = true,
     .help = "token"},
    {.name = "password", .section = "older", .type = R1_OPT_STRING, .help = "password"},
    {.name = "only-typed", .type = R1_OPT_STRING, .help = "on the command line alone"},
};
static const r1_config_table others[] = {{other_table, R1_COUNT(other_table)}};

static const char *file_with(const char *text)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/test.ini", r1_test_tmpdir());
    CU_ASSERT_EQUAL_FATAL(r1_file_write(path, text, strlen(text), NULL), R1_OK);
    return path;
}

#define GOOD "[kafka]\nbrokers = b:1\n"
#define LONG                                                                                       \
    "a-broker-of-a-long-name.example.org:19092,a-broker-of-a-long-name.example.org:19093,a-broker" \
    "-of-a-long-name.example.org:19094,"

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
        {"[kafka]\nbrokers = a:1 # mine\n" GOOD,
         ":2: brokers: expected a comment on a line of its"},
        {"[kafka]\nbrokers = # none\n", ":2: brokers: expected a comment on a line of its own"},
        {"[kafka]\nbrokers = a:1#2 ; c # d\n", NULL},
        {"[kafka]\nbrokers = a:1\n\nbrokers = b:1\n",
         ":4: brokers: expected the key once, found it "
         "at line 2 too"},
        {"[writer]\nbatch_rows = 5\nbatch-rows = 6\n", ":3: batch-rows: expected the key once"},
        {"[postgres]\npassword = a\npassword_file = /dev/null\n", ":3: password_file: expected"},
        {"[writer]\nbytes = -1\n", ":2: bytes must lie in 0..1048576, found -1"},
        /* Another command's keys are passed over, in their section. */
        {"[postgres]\nhost = x\ntoken = 1\ntoken_file = /does/not/exist\n", NULL},
        {"[writer]\nhost = x\n",
         ":2: key \"host\" belongs to section [postgres], found in [writer]"},
        {"[postgres]\nhost_file = x\n", ":2: unknown key \"host_file\""},
        {"[postgres]\nonly_typed = x\n", ":2: unknown key \"only_typed\""},
        {"[older]\npassword = x\n", NULL},
        {"[log]\npassword = x\n",
         ":2: key \"password\" belongs to section [postgres], found in [log]"},
        /* A good key behind the one at fault changes nothing. */
        {"[writer]\nbatch_rows = 0\n" GOOD, ":2: batch-rows must lie in 1..500"},
        {"[writer]\nbatch_rows = x\n" GOOD, ":2: batch-rows must be a whole number"},
        {"[writer]\nsync = maybe\n" GOOD, ":2: sync must be true or false, found \"maybe\""},
        {"[writer]\nform = tree\n" GOOD, ":2: form must be one of text|json, found \"tree\""},
        {"[kafka]\nnonsense = 5\n" GOOD, ":2: unknown key \"nonsense\""},
        {"[writer]\nbrokers = a:1\n" GOOD, ":2: key \"brokers\" belongs to section [kafka]"},
        {"[postgres]\npassword_file = /does/not/exist\n" GOOD,
         ":2: password-file: /does/not/exist: No such"},
        {"[kafka]\nbrokers\n" GOOD "[writer]\nbatch_rows = 0\n", ":2: expected [section]"},
        {"[writer]\nbatch_rows = 0\n[kafka\n", ":2: batch-rows must lie"},
        {"[kafka]\nbrokers = " LONG LONG "\n" GOOD, ":2: expected a line of at most 198 bytes"},
        {"; " LONG LONG "\n[kafka]\n  # " LONG LONG "\n" GOOD, NULL},
        {"[writer]\nsync = true\n  batch_rows = 0\n", ":3: batch-rows must lie"},
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_err err = {0};
        r1_options *o;
        R1_ASSERT_OK(r1_options_new(&o, table, R1_COUNT(table), &err), &err);
        r1_status st = r1_config_load(o, others, R1_COUNT(others), file_with(cases[i].text), &err);
        CU_ASSERT_EQUAL(st != R1_OK, cases[i].needle != NULL);
        if (st != R1_OK && !strstr(cases[i].text, "/does/not/exist"))
            CU_ASSERT_EQUAL(st, R1_E_INVAL);
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
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "# bytes; 0..1048576\n#bytes =\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "# share; 0.25..1\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "# password; secret: better in a file of its own\n"
                                        "#password =\n#password_file = "));
    r1_err err = {0};
    r1_options *o;
    R1_ASSERT_OK(r1_options_new(&o, table, R1_COUNT(table), &err), &err);
    R1_ASSERT_OK(r1_config_load(o, others, R1_COUNT(others), file_with(text), &err), &err);
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

/* What dump prints is a file again: values come back, but a secret and what INI cannot hold. */
/* What stands behind a zero byte would not be read. */
static void test_load_zero_byte(void)
{
    static const char text[] = "[writer]\nbatch_rows = 5\0\nbytes = -1\n";
    char path[300], *said = NULL;
    size_t len, n_mistake;
    r1_err err = {0};
    r1_options *o;
    snprintf(path, sizeof path, "%s/zero.ini", r1_test_tmpdir());
    R1_ASSERT_OK(r1_file_write(path, text, sizeof text - 1, &err), &err);
    R1_ASSERT_OK(r1_options_new(&o, table, R1_COUNT(table), &err), &err);
    CU_ASSERT_EQUAL(r1_config_load(o, others, R1_COUNT(others), path, &err), R1_E_INVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "zero.ini:2: expected text, found a zero byte"));
    FILE *all = open_memstream(&said, &len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(all);
    CU_ASSERT_EQUAL(r1_config_load_all(o, others, R1_COUNT(others), path, all, &n_mistake, &err),
                    R1_E_INVAL);
    fclose(all);
    free(said);
    r1_options_free(o);
}

static void test_dump_round_trip(void)
{
    static const char *const brokers[] = {"a:1,b:2", "a b#c;d", "x #y", "x ;y",
                                          " x",      "#x",      "x\ny", ""};
    for (size_t i = 0; i < R1_COUNT(brokers); i++) {
        r1_err err = {0};
        r1_options *o, *again;
        char *text;
        size_t len;
        R1_ASSERT_OK(r1_options_new(&o, table, R1_COUNT(table), &err), &err);
        R1_ASSERT_OK(r1_options_new(&again, table, R1_COUNT(table), &err), &err);
        R1_ASSERT_OK(r1_options_set(o, "brokers", brokers[i], "command line", &err), &err);
        R1_ASSERT_OK(r1_options_set(o, "batch-rows", "7", "test.ini:3", &err), &err);
        R1_ASSERT_OK(r1_options_set(o, "password", "tiger", "environment", &err), &err);
        FILE *f = open_memstream(&text, &len);
        r1_config_dump(o, f);
        fclose(f);
        R1_ASSERT_OK(r1_config_load(again, NULL, 0, file_with(text), &err), &err);
        CU_ASSERT_STRING_EQUAL(r1_options_str(again, "brokers"),
                               i < 2 ? brokers[i] : "127.0.0.1:19092");
        CU_ASSERT_EQUAL(r1_options_int(again, "batch-rows"), 7);
        CU_ASSERT_PTR_NULL(r1_options_str(again, "password"));
        CU_ASSERT_PTR_NOT_NULL(strstr(text, "# test.ini:3\nbatch_rows = 7\n"));
        free(text);
        r1_options_free(again);
        r1_options_free(o);
    }
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

static const r1_option switches[] = {
    {.name = "graph", .type = R1_OPT_BOOL, .def = "true", .help = "graph"},
    {.name = "no-text", .type = R1_OPT_BOOL, .def = "false", .help = "no text"},
};

static int quiet_command(r1_cli_call *call) { return call->n_rest > 3; }

static const r1_command commands[] = {
    {.name = "log", .run = log_command},
    {.name = "none", .run = quiet_command, .options = switches, .n_options = R1_COUNT(switches)},
    {.name = "one", .run = quiet_command, .operands = "FILE", .operands_min = 1, .operands_max = 1},
    {.name = "some", .run = quiet_command, .operands = "[FILE...]", .operands_max = 3},
    {.name = "two words", .summary = "with a subcommand", .run = quiet_command},
};

/* Runs the program with descriptor fd in a file, and returns that file's text. */
static char *said_by(int argc, char **argv, int fd, int expected)
{
    const r1_program program = {
        .name = "r1-test", .commands = commands, .n_commands = R1_COUNT(commands)};
    char path[300], *text;
    size_t len;
    snprintf(path, sizeof path, "%s/said", r1_test_tmpdir());
    fflush(NULL);
    int before = dup(fd), to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CU_ASSERT_TRUE_FATAL(before >= 0 && to >= 0 && dup2(to, fd) == fd);
    int code = r1_cli_main(&program, argc, argv);
    fflush(NULL);
    dup2(before, fd);
    close(before);
    close(to);
    r1_log_set(NULL, NULL, R1_LOG_ERROR);
    CU_ASSERT_EQUAL(code, expected);
    CU_ASSERT_EQUAL_FATAL(r1_file_read(path, 1 << 16, &text, &len, NULL), R1_OK);
    return text;
}

static void test_log_json(void)
{
    char *argv[] = {"r1-test", "log", "--log-format", "json", NULL};
    char *text = said_by(4, argv, STDERR_FILENO, R1_EXIT_OK), *at = text;
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

/* ---- operands and switches ---- */

static void test_operands(void)
{
    static const struct {
        char *argv[6], *says; /* NULL: must run */
    } cases[] = {
        {{"none"}, NULL},
        {{"none", "a"}, "expected options alone, found \"a\""},
        {{"one", "a"}, NULL},
        {{"one"}, "expected FILE, found \"\""},
        {{"one", "a", "b"}, "expected FILE, found \"a\" \"b\""},
        {{"some"}, NULL},
        {{"two", "words"}, NULL},
        {{"two"}, "two words          with a subcommand"},
        {{"two", "worlds"}, "did you mean \"two words\"?"},
        {{"some", "a", "b", "c"}, NULL},
        {{"some", "a", "b", "c", "d"}, "expected [FILE...], found \"a\" \"b\" \"c\" \"d\""},
        {{"none", "--graph", "--no-text"}, NULL},
        {{"none", "--no-graph", "--no-text=false"}, NULL},
        {{"none", "--graph", "false"}, "expected --no-graph or --graph=false, found --graph false"},
        {{"none", "--graph", "on"}, "expected --graph or --graph=on, found --graph on"},
        {{"none", "--no-graph", "true"},
         "expected --no-graph or --graph=true, found --no-graph true"},
        {{"none", "--no-graph=false"},
         "expected --no-graph or --graph=true, found --no-graph=false"},
        {{"none", "--no-text", "0"}, "expected --no-text=0, found --no-text 0"},
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        char *argv[8] = {"r1-test"};
        int argc = 1;
        for (; argc < 7 && cases[i].argv[argc - 1]; argc++) argv[argc] = cases[i].argv[argc - 1];
        char *text = said_by(argc, argv, STDERR_FILENO, cases[i].says ? R1_EXIT_USAGE : R1_EXIT_OK);
        if (cases[i].says && !strstr(text, cases[i].says)) {
            fprintf(stderr, "case %zu: expected \"%s\", found \"%s\"\n", i, cases[i].says, text);
            CU_FAIL("message");
        }
        free(text);
    }
}

static void test_help(void)
{
    char *none[] = {"r1-test", "none", "--help", NULL}, *one[] = {"r1-test", "one", "--help", NULL};
    char *text = said_by(3, none, STDOUT_FILENO, R1_EXIT_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\n  r1-test none [OPTIONS]\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "graph (default true; --no-graph turns it off)\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "no text\n"));
    free(text);
    text = said_by(3, one, STDOUT_FILENO, R1_EXIT_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\n  r1-test one [OPTIONS] FILE\n"));
    free(text);
    char *two[] = {"r1-test", "two", "--help", NULL};
    text = said_by(3, two, STDOUT_FILENO, R1_EXIT_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "two words          with a subcommand"));
    free(text);
}

R1_TEST_MAIN("cli", {"operands", test_operands}, {"help", test_help},
             {"log lines as JSON", test_log_json}, {"load", test_load},
             {"load of a zero byte", test_load_zero_byte}, {"dump", test_dump_round_trip},
             {"sample file", test_sample_round_trip}, {"commit of a checkout", test_commit})
