/* SPDX-License-Identifier: Apache-2.0 */
/* test_r1_options.c - each option of r1 train with each stage, and of r1 eval with a policy and
 * without: it is refused with a message that names it, the stage and those that know it, or it is
 * used. Used is what changes the model, what is printed, or a file; or what is refused for a
 * wrong value. */
#include "core/toy.h"
#include "support/r1_program.h"
#include "support/r1_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARGS_MAX = 48, OUT_BYTES = 1 << 16 };

static char said[OUT_BYTES];

typedef struct {
    const char *arg[ARGS_MAX];
    size_t n;
} line;

static void add(line *l, const char *text)
{
    CU_ASSERT_FATAL(l->n + 1 < ARGS_MAX);
    if (text) l->arg[l->n++] = text;
}

/* An option stands once: this one goes, with its value. */
static void take_out(line *l, const char *option)
{
    enum { WORDS = 2 };
    size_t i = 0;
    while (i < l->n && strcmp(l->arg[i], option) != 0) i++;
    if (i == l->n) return;
    memmove(&l->arg[i], &l->arg[i + WORDS], (l->n - i - WORDS) * sizeof *l->arg);
    l->n -= WORDS;
    l->arg[l->n] = NULL;
}

/* Runs r1; both of its streams go to `said`. */
static int run_r1(const line *l) { return r1_program_run("r1", said, sizeof said, l->arg); }

/* ---- what a run leaves ----------------------------------------------------------------------- */

typedef struct {
    uint64_t model, printed;
} trace;

/* Of what was printed without times and progress. */
static uint64_t printed_hash(void)
{
    uint64_t h = 1;
    for (const char *p = said; *p;) {
        size_t len = strcspn(p, "\n") + 1;
        char row[256];
        snprintf(row, sizeof row, "%.*s", (int)len, p);
        if (!strstr(row, "second") && !strstr(row, "samples_s") && !strstr(row, "speedup") &&
            !strstr(row, " s left") && !strstr(row, " in "))
            h = r1_hash64(row, strlen(row), h);
        p += strlen(p) < len ? strlen(p) : len;
    }
    return h;
}

static uint64_t file_hash(const char *path)
{
    char *data;
    size_t len;
    if (r1_file_read(path, 1 << 26, &data, &len, NULL) != R1_OK) return 0;
    uint64_t h = r1_hash64(data, len, 1);
    free(data);
    return h;
}

/* ---- training -------------------------------------------------------------------------------- */

enum { PRETRAIN = 1, FINETUNE = 2, REINFORCE = 4, REWARD = 8, EPOCHS = 3, CASES = 12, ALL = 15 };
enum { STAGES = 4 };
static const char *const stage_name[STAGES] = {"pretrain", "finetune", "reinforce", "reward"};

static struct {
    char shard[300], other[300], out[300], description[STAGES][300], model[STAGES][300];
    char metrics[300], checkpoint[300], plot[300];
} file;

/* value: what the option is given; "@..." names a file of ours. also: words that it needs beside
 * it. shows: stages in which a short run shows what it does; in the others it is only accepted.
 * bad: the value is wrong, and the message must say so. */
typedef struct {
    const char *name, *value, *also;
    uint32_t stages, shows;
    bool bad;
} train_option;

static const train_option train_options[] = {
    {"curriculum", "row.a:linear:0.3:0.9", NULL, EPOCHS | REINFORCE, EPOCHS | REINFORCE, false},
    {"plot", "@plot", "--metrics @metrics", ALL, ALL, false},
    {"valid", "@other", NULL, ALL, ALL, false},
    {"description", "@description", NULL, ALL, ALL, false},
    {"init", "@init", NULL, EPOCHS | REINFORCE, EPOCHS | REINFORCE, false},
    /* the reward model's is first written after 50 steps */
    {"checkpoint", "@checkpoint", NULL, ALL, EPOCHS | REINFORCE, false},
    {"metrics", "@metrics", NULL, ALL, ALL, false},
    {"epochs", "2", NULL, EPOCHS, EPOCHS, false},
    {"batch", "9", NULL, EPOCHS, EPOCHS, false},
    {"slices", "2", NULL, ALL, EPOCHS | REINFORCE, false},
    {"threads", "1", NULL, ALL, 0, false},
    {"lr", "0.03", NULL, ALL, ALL, false},
    {"weight-decay", "0.9", NULL, ALL, ALL, false},
    {"mean-decay", "0.5", NULL, FINETUNE, FINETUNE, false},
    {"beta", "0.7", NULL, FINETUNE | CASES, FINETUNE | CASES, false},
    {"item-drop", "0.7", NULL, FINETUNE, FINETUNE, false},
    {"int8", NULL, NULL, FINETUNE, FINETUNE, false},
    {"metric", "top1", NULL, FINETUNE, FINETUNE, false},
    {"calibration", "isotonic", NULL, FINETUNE, FINETUNE, false},
    /* a run of several validations: test_train, test_reinforce */
    {"patience", "1", NULL, ALL, 0, false},
    {"seed", "9", NULL, ALL, ALL, false},
    {"no-length", NULL, NULL, FINETUNE, FINETUNE, false},
    {"no-context", NULL, NULL, FINETUNE, FINETUNE, false},
    {"off", "words", NULL, EPOCHS, EPOCHS, false},
    {"mask", "0.6", NULL, PRETRAIN, PRETRAIN, false},
    {"parts", "columns", NULL, PRETRAIN, PRETRAIN, false},
    {"truth", "order", NULL, CASES, CASES, true}, /* a head of another kind */
    {"given", "row", NULL, CASES, CASES, false},
    {"needs", "words=row", NULL, CASES, CASES, false},
    {"asks", "1", NULL, CASES, CASES, false},
    {"steps", "5", NULL, CASES, CASES, false},
    {"cases", "5", NULL, CASES, CASES, false},
    {"traces", "3", NULL, CASES, CASES, false},
    {"cost", "words=0.3", NULL, REINFORCE, REINFORCE, false},
    {"variant", "grpo", NULL, REINFORCE, REINFORCE, false},
    {"entropy", "2", NULL, REINFORCE, REINFORCE, false},
    {"kl", "5", NULL, REINFORCE, REINFORCE, false},
    {"reward-model", "@worth", NULL, REINFORCE, REINFORCE, false},
    {"reward-share", "0.9", "--reward-model @worth", REINFORCE, REINFORCE, false},
    {"device", "cpu", NULL, ALL, 0, false},
    {"device", "abacus", NULL, ALL, ALL, true},
    {"json", NULL, NULL, ALL, ALL, false},
};

static const char *file_of(const char *word, int stage)
{
    static const char *const name[] = {"@plot",       "@metrics", "@other", "@description",
                                       "@checkpoint", "@worth",   "@init"};
    const char *path[] = {file.plot,       file.metrics,  file.other,   file.description[stage],
                          file.checkpoint, file.model[3], file.model[1]};
    for (size_t i = 0; i < R1_COUNT(name); i++)
        if (word && strcmp(word, name[i]) == 0) return path[i];
    return word;
}

/* A short run of a stage with an option more; NULL: without. */
static int train(int stage, const train_option *o, trace *left)
{
    char dashed[40], copy[200], *rest = copy;
    line l = {0};
    const char *const common[] = {"train",    "--stage", stage_name[stage], "--out", file.out,
                                  "--slices", "1",       "--threads",       "1",     "--valid",
                                  file.shard};
    for (size_t i = 0; i < R1_COUNT(common); i++) add(&l, common[i]);
    char size[] = "--epochs 1 --batch 20", few[] = "--steps 3 --cases 4 --traces 4";
    char *at = 1u << stage & EPOCHS ? size : few;
    for (char *p = strtok_r(at, " ", &at); p; p = strtok_r(NULL, " ", &at)) add(&l, p);
    unlink(file.metrics), unlink(file.checkpoint), unlink(file.plot), unlink(file.out);
    if (o) {
        snprintf(dashed, sizeof dashed, "--%s", o->name);
        take_out(&l, dashed);
        add(&l, dashed);
        add(&l, file_of(o->value, stage));
        bool known = o->stages >> stage & 1;
        snprintf(copy, sizeof copy, "%s", known && o->also ? o->also : "");
        for (char *p = strtok_r(rest, " ", &rest); p; p = strtok_r(NULL, " ", &rest))
            add(&l, file_of(p, stage));
    }
    add(&l, file.shard);
    int code = run_r1(&l);
    *left = (trace){file_hash(file.out), printed_hash()};
    return code;
}

static bool left_file(const train_option *o)
{
    const char *path = file_of(o->value, 0);
    bool ours = path == file.plot || path == file.metrics || path == file.checkpoint;
    return ours && access(path, F_OK) == 0;
}

static void stages_in_words(uint32_t stages, char *text, size_t size)
{
    size_t n = 0;
    *text = 0;
    for (int s = 0; s < STAGES; s++)
        if (stages >> s & 1)
            n += (size_t)snprintf(text + n, size - n, "%s%s", n ? ", " : "", stage_name[s]);
}

static void check_refused(const train_option *o, int stage, int code)
{
    char option[40], found[40], known[80];
    snprintf(option, sizeof option, "--%s is used", o->name);
    snprintf(found, sizeof found, "found --stage %s", stage_name[stage]);
    stages_in_words(o->stages, known, sizeof known);
    bool good = code == 2 && strstr(said, option) && strstr(said, found) && strstr(said, known);
    if (!good) printf("--stage %s --%s: %d, %s\n", stage_name[stage], o->name, code, said);
    CU_ASSERT(good);
}

static void check_used(const train_option *o, int stage, int code, trace left, trace plain)
{
    bool good = o->bad ? code == 2 && strstr(said, o->value)
                       : code == 0 && (!(o->shows >> stage & 1) || left.model != plain.model ||
                                       left.printed != plain.printed || left_file(o));
    if (!good) printf("--stage %s --%s: %d, %s\n", stage_name[stage], o->name, code, said);
    CU_ASSERT(good);
}

/* The description of a stage's model with another width. */
static void write_description(int stage)
{
    line l = {{"info", "--description", file.model[stage]}, 3};
    CU_ASSERT_EQUAL_FATAL(run_r1(&l), 0);
    char *at = strstr(said, "\"d_ff\":");
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    at[strlen("\"d_ff\":")] = '1'; /* it has two digits */
    CU_ASSERT_EQUAL_FATAL(r1_file_write(file.description[stage], said, strlen(said), NULL), R1_OK);
}

static void write_files(void)
{
    r1_err err;
    toy t;
    trace left;
    for (int k = 0; k < 2; k++) {
        char *path = k ? file.other : file.shard;
        snprintf(path, sizeof file.shard, "%s/%d.r1s", r1_test_tmpdir(), k);
        toy_make_alone(&t, k ? 30 : 60, 3 + (uint64_t)k);
        R1_ASSERT_OK(toy_write(&t, path, &err), &err);
        toy_free(&t);
    }
    snprintf(file.metrics, sizeof file.metrics, "%s/m.jsonl", r1_test_tmpdir());
    snprintf(file.checkpoint, sizeof file.checkpoint, "%s/run.ck", r1_test_tmpdir());
    snprintf(file.plot, sizeof file.plot, "%s/m.svg", r1_test_tmpdir());
    for (int s = 0; s < STAGES; s++) {
        snprintf(file.out, sizeof file.out, "%s/%s.gguf", r1_test_tmpdir(), stage_name[s]);
        snprintf(file.model[s], sizeof file.model[s], "%s", file.out);
        snprintf(file.description[s], sizeof file.description[s], "%s/%s.json", r1_test_tmpdir(),
                 stage_name[s]);
        CU_ASSERT_EQUAL_FATAL(train(s, NULL, &left), 0);
        write_description(s);
    }
    snprintf(file.out, sizeof file.out, "%s/out.gguf", r1_test_tmpdir());
}

static void test_train_options(void)
{
#ifdef __SANITIZE_THREAD__
    printf("skipped: one thread, and this takes minutes here ");
    return;
#endif
    for (int s = 0; s < STAGES; s++) {
        trace plain, left;
        CU_ASSERT_EQUAL(train(s, NULL, &plain), 0);
        for (size_t i = 0; i < R1_COUNT(train_options); i++) {
            const train_option *o = &train_options[i];
            int code = train(s, o, &left);
            if (o->stages >> s & 1)
                check_used(o, s, code, left, plain);
            else
                check_refused(o, s, code);
        }
    }
}

/* ---- eval ------------------------------------------------------------------------------------ */

typedef struct {
    const char *name, *value;
    bool policy, heads; /* where it is known */
    bool bad;           /* as above */
    bool silent;        /* it is accepted, and these figures do not show it */
} eval_option;

static const eval_option eval_options[] = {
    {"head", "order", .heads = true},
    {"off", "words", .heads = true},
    {"steps", "1", .heads = true},
    {"no-length", NULL, .heads = true},
    {"no-context", NULL, .heads = true},
    {"beta", "0.9", .heads = true},
    {"int8", NULL, .heads = true},
    {"device", "cpu", .policy = true, .heads = true, .silent = true},
    {"device", "abacus", .policy = true, .heads = true, .bad = true},
    {"retrieval", NULL, .heads = true},
    {"truth", "order", .policy = true, .bad = true},
    {"given", "row", .policy = true},
    {"needs", "words=nothing", .policy = true, .bad = true},
    {"asks", "1", .policy = true, .silent = true}, /* this policy does not ask */
    {"cost", "nothing=0.3", .policy = true, .bad = true},
    {"json", NULL, .policy = true, .heads = true},
};

/* The name in a value that the shards do not have. */
static const char *wrong_word(const char *value)
{
    return strstr(value, "nothing") ? "nothing" : value;
}

static int evaluate(bool policy, const eval_option *o, uint64_t *printed)
{
    char dashed[40];
    line l = {0};
    add(&l, "eval");
    add(&l, "--model");
    add(&l, file.model[policy ? 2 : 1]);
    add(&l, policy ? "--policy" : NULL);
    add(&l, policy ? "act" : NULL);
    snprintf(dashed, sizeof dashed, "--%s", o ? o->name : "");
    add(&l, o ? dashed : NULL);
    add(&l, o ? o->value : NULL);
    add(&l, file.shard);
    int code = run_r1(&l);
    *printed = printed_hash();
    return code;
}

static void test_eval_options(void)
{
#ifdef __SANITIZE_THREAD__
    printf("skipped: one thread, and this takes minutes here ");
    return;
#endif
    for (int policy = 0; policy < 2; policy++) {
        uint64_t plain, printed;
        CU_ASSERT_EQUAL(evaluate(policy, NULL, &plain), 0);
        for (size_t i = 0; i < R1_COUNT(eval_options); i++) {
            const eval_option *o = &eval_options[i];
            int code = evaluate(policy, o, &printed);
            bool known = policy ? o->policy : o->heads;
            bool good = !known   ? code == 2 && strstr(said, o->name) && strstr(said, "--policy")
                        : o->bad ? code == 2 && strstr(said, wrong_word(o->value))
                                 : code == 0 && (o->silent || printed != plain);
            if (!good) printf("eval, policy %d, --%s: %d, %s\n", policy, o->name, code, said);
            CU_ASSERT(good);
        }
    }
}

/* ---- no option is forgotten ------------------------------------------------------------------ */

static bool is_tested(const char *command, const char *name)
{
    static const char *const common[] = {"stage", "out",       "model",     "policy",
                                         "help",  "log-level", "log-format"};
    for (size_t i = 0; i < R1_COUNT(common); i++)
        if (strcmp(name, common[i]) == 0) return true;
    bool of_train = strcmp(command, "train") == 0;
    for (size_t i = 0; i < R1_COUNT(train_options); i++)
        if (of_train && strcmp(name, train_options[i].name) == 0) return true;
    for (size_t i = 0; i < R1_COUNT(eval_options); i++)
        if (!of_train && strcmp(name, eval_options[i].name) == 0) return true;
    return false;
}

/* Every option that help shows has a row above, and help says where it holds. */
static void test_complete(void)
{
    static const char *const commands[] = {"train", "eval"};
    for (size_t c = 0; c < R1_COUNT(commands); c++) {
        line l = {{commands[c], "--help"}, 2};
        size_t n = 0;
        CU_ASSERT_EQUAL(run_r1(&l), 0);
        for (const char *p = strstr(said, "\n  --"); p; p = strstr(p + 1, "\n  --"), n++) {
            char name[40];
            snprintf(name, sizeof name, "%.*s", (int)strcspn(p + 5, " \n"), p + 5);
            if (!is_tested(commands[c], name)) printf("r1 %s --%s has no row\n", commands[c], name);
            CU_ASSERT(is_tested(commands[c], name));
        }
        CU_ASSERT(n > 15);
        const char *says = c ? "(only with --policy)" : "(only with --stage reinforce, reward)";
        CU_ASSERT_PTR_NOT_NULL(strstr(said, says));
    }
}

static void test_files(void) { write_files(); }

R1_TEST_MAIN("options of r1", {"files", test_files}, {"train", test_train_options},
             {"eval", test_eval_options}, {"complete", test_complete})
