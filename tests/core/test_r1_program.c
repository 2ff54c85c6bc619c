/* SPDX-License-Identifier: Apache-2.0 */
/* test_r1_program.c - r1 train, eval and info as a user runs them: exit codes, the JSON's figures,
 * bad files. */
#include "core/toy.h"
#include "support/r1_program.h"
#include "support/r1_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUN(...) r1_program_run("r1", out, sizeof out, (const char *const[]){__VA_ARGS__, NULL})

/* The stages: what a trace is worth, which evidence to ask for, the heads; each draws its curves
 * and refuses names that are not there. */
static void test_stages(void)
{
#ifdef __SANITIZE_THREAD__
    printf("skipped: one thread, and this takes minutes here ");
    return;
#endif
    static char out[1 << 16];
    char shard[300], worth[300], policy[300], model[300], metrics[300], plot[300], *svg;
    size_t len;
    r1_err err;
    toy t;
    snprintf(shard, sizeof shard, "%s/s.r1s", r1_test_tmpdir());
    snprintf(worth, sizeof worth, "%s/worth.gguf", r1_test_tmpdir());
    snprintf(policy, sizeof policy, "%s/policy.gguf", r1_test_tmpdir());
    snprintf(model, sizeof model, "%s/heads.gguf", r1_test_tmpdir());
    snprintf(metrics, sizeof metrics, "%s/s.jsonl", r1_test_tmpdir());
    snprintf(plot, sizeof plot, "%s/s.svg", r1_test_tmpdir());
    toy_make_alone(&t, 300, 3);
    R1_ASSERT_OK(toy_write(&t, shard, &err), &err);
    toy_free(&t);
    CU_ASSERT_EQUAL(RUN("train", "--stage", "reward", "--given", "row", "--steps", "4", "--cases",
                        "8", "--traces", "8", "--valid", shard, "--out", worth, "--json", shard),
                    0);
    CU_ASSERT(r1_program_figure(out, "agreement") >= 0 && r1_program_figure(out, "pairs") > 100);
    CU_ASSERT_EQUAL(RUN("train", "--stage", "reinforce", "--given", "row", "--cost",
                        "history=0.02,ego=0.05", "--needs", "words=history+ego", "--reward-model",
                        worth, "--steps", "12", "--cases", "4", "--traces", "4", "--metrics",
                        metrics, "--plot", plot),
                    2); /* no shard, no --out */
    CU_ASSERT_EQUAL(RUN("train", "--stage", "reinforce", "--cost", "history=0.02,ego=0.05",
                        "--reward-model", worth, "--steps", "12", "--cases", "4", "--traces", "4",
                        "--metrics", metrics, "--plot", plot, "--out", policy, "--valid", shard,
                        "--json", shard),
                    0);
    CU_ASSERT(r1_program_figure(out, "steps") == 12 &&
              r1_program_figure(out, "traces") == 12 * 16 && r1_program_figure(out, "n") == 300);
    CU_ASSERT_DOUBLE_EQUAL(r1_program_figure(out, "reward"),
                           r1_program_figure(out, "right") - r1_program_figure(out, "cost"), 1e-5);
    double reward = r1_program_figure(out, "reward");
    CU_ASSERT_EQUAL(RUN("eval", "--model", policy, "--policy", "act", "--cost",
                        "history=0.02,ego=0.05", "--json", shard),
                    0);
    CU_ASSERT_DOUBLE_EQUAL(r1_program_figure(out, "reward"), reward, 1e-9);
    CU_ASSERT_EQUAL(RUN("eval", "--model", policy, "--policy", "fraud", shard), 2);
    R1_ASSERT_OK(r1_file_read(plot, 1 << 20, &svg, &len, &err), &err);
    CU_ASSERT(strncmp(svg, "<svg ", 5) == 0 && strstr(svg, "polyline") &&
              strstr(svg, "valid reward") && strstr(svg, "</svg>"));
    free(svg);
    CU_ASSERT_EQUAL(RUN("info", "--description", policy), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(out, "\"act\""));
    CU_ASSERT_EQUAL(RUN("train", "--curriculum", "row.a:linear:0.3:0.5", "--epochs", "2", "--out",
                        model, "--valid", shard, "--json", shard),
                    0);
    CU_ASSERT(r1_program_figure(out, "ece_before") >= 0 && r1_program_figure(out, "ece") >= 0 &&
              r1_program_figure(out, "loss") <= r1_program_figure(out, "loss_before") + 1e-6);
    CU_ASSERT_EQUAL(RUN("train", "--stage", "reinforce", "--init", model, "--given", "row",
                        "--cost", "history=0.02", "--steps", "2", "--cases", "4", "--traces", "4",
                        "--out", policy, shard),
                    0); /* heads for verdicts make way for the policy's */
    CU_ASSERT_EQUAL(RUN("info", "--description", policy), 0);
    CU_ASSERT(strstr(out, "\"act\"") && !strstr(out, "\"risk\""));
    CU_ASSERT_EQUAL(
        RUN("train", "--curriculum", "row.nothing:linear:0.3:0.5", "--out", model, shard), 2);
    CU_ASSERT_EQUAL(
        RUN("train", "--stage", "reinforce", "--cost", "nothing=1", "--out", policy, shard), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(out, "nothing"));
    CU_ASSERT_EQUAL(
        RUN("train", "--stage", "reinforce", "--cost", "ego=-1", "--out", policy, shard), 2);
    CU_ASSERT_EQUAL(
        RUN("train", "--stage", "reinforce", "--truth", "order", "--out", policy, shard), 2);
    CU_ASSERT_EQUAL(RUN("train", "--out", shard, shard), 2); /* would destroy its own data */
    CU_ASSERT_EQUAL(RUN("train", "--out", model, "--checkpoint", shard, "--valid", shard, shard),
                    2);
    CU_ASSERT_EQUAL(RUN("train", "--out", "/does/not/exist/m.gguf", shard), 1);
    CU_ASSERT_EQUAL(RUN("train", "--plot", plot, "--out", model, shard), 2);
}

/* Rows of an item do not depend on the samples beside it: those of two shards end with those of
 * the second. */
static void test_embed(void)
{
#ifdef __SANITIZE_THREAD__
    printf("skipped: one thread, and this takes minutes here ");
    return;
#endif
    r1_err err;
    toy t;
    char out[8192], shard[2][300], model[300], dir[2][300], path[700], *data[2];
    size_t len[2];
    snprintf(model, sizeof model, "%s/embed.gguf", r1_test_tmpdir());
    for (int i = 0; i < 2; i++) {
        snprintf(shard[i], sizeof shard[i], "%s/embed-%d.r1s", r1_test_tmpdir(), i);
        snprintf(dir[i], sizeof dir[i], "%s/vectors-%d", r1_test_tmpdir(), i);
        toy_make_alone(&t, 300 + 101 * (size_t)i, (uint64_t)i);
        R1_ASSERT_OK(toy_write(&t, shard[i], &err), &err);
        toy_free(&t);
    }
    CU_ASSERT_EQUAL(RUN("train", "--epochs", "1", "--out", model, shard[0]), 0);
    CU_ASSERT_EQUAL(RUN("embed", "--model", model, "--item", "row", "--queries", "words", "--out",
                        dir[0], "--json", shard[0], shard[1]),
                    0);
    double columns = r1_program_figure(out, "columns"),
           n[2] = {r1_program_figure(out, "n")}; /* some samples lack the item */
    CU_ASSERT(n[0] > 650 && n[0] < 701 && r1_program_figure(out, "queries") >= 13 &&
              r1_program_figure(out, "queries") <= 15);
    CU_ASSERT_EQUAL(RUN("embed", "--model", model, "--item", "row", "--queries", "words", "--out",
                        dir[1], "--json", shard[1]),
                    0);
    n[1] = r1_program_figure(out, "n");
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/row_base.f16", dir[i]);
        R1_ASSERT_OK(r1_file_read(path, 1 << 24, &data[i], &len[i], &err), &err);
        CU_ASSERT_EQUAL((double)len[i], n[i] * columns * 2);
    }
    CU_ASSERT_EQUAL(memcmp(data[0] + len[0] - len[1], data[1], len[1]), 0);
    free(data[0]);
    free(data[1]);
    CU_ASSERT_EQUAL(
        RUN("embed", "--model", model, "--item", "row", "--out", dir[1], "--json", shard[1]), 0);
    CU_ASSERT_EQUAL(r1_program_figure(out, "n") + r1_program_figure(out, "queries"), n[1]);
    CU_ASSERT_EQUAL(RUN("embed", "--model", model, "--item", "nothing", "--out", dir[1], shard[1]),
                    2);
    CU_ASSERT_PTR_NOT_NULL(strstr(out, "nothing"));
}

/* Without labels, then with: the base is an ordinary model, its curves are drawn, what it finds
 * is asked of it again. */
static void test_r1_program_pretrain(void)
{
#ifdef __SANITIZE_THREAD__
    printf("skipped: one thread, and this takes minutes here ");
    return;
#endif
    static char out[1 << 16];
    char shard[300], base[300], model[300], metrics[300], plot[300], *svg;
    size_t len;
    r1_err err;
    toy t;
    snprintf(shard, sizeof shard, "%s/p.r1s", r1_test_tmpdir());
    snprintf(base, sizeof base, "%s/base.gguf", r1_test_tmpdir());
    snprintf(model, sizeof model, "%s/tuned.gguf", r1_test_tmpdir());
    snprintf(metrics, sizeof metrics, "%s/p.jsonl", r1_test_tmpdir());
    snprintf(plot, sizeof plot, "%s/p.svg", r1_test_tmpdir());
    toy_make_alone(&t, 400, 3);
    R1_ASSERT_OK(toy_write(&t, shard, &err), &err);
    toy_free(&t);
    CU_ASSERT_EQUAL(RUN("train", "--stage", "pretrain", "--curriculum", "mask:root:0.5:0.5",
                        "--epochs", "2", "--batch", "32", "--metrics", metrics, "--plot", plot,
                        "--valid", shard, "--out", base, "--json", shard),
                    0);
    CU_ASSERT(r1_program_figure(out, "tokens") > 0 && r1_program_figure(out, "columns") > 0 &&
              r1_program_figure(out, "next") > 0 && r1_program_figure(out, "align") > 0);
    double found = r1_program_figure(out, "recall1_ego_words");
    CU_ASSERT(found >= 0 && r1_program_figure(out, "recall1_before_ego_words") >= 0);
    CU_ASSERT(r1_program_figure(out, "recall1_chance_ego_words") > 0 &&
              r1_program_figure(out, "recall1_chance_ego_words") < 0.1);
    CU_ASSERT_EQUAL(r1_program_figure(out, "recall1_row_history"),
                    -1); /* history is asked by row: no pair */
    R1_ASSERT_OK(r1_file_read(plot, 1 << 20, &svg, &len, &err), &err);
    CU_ASSERT(strstr(svg, "polyline") && strstr(svg, "valid loss"));
    free(svg);
    CU_ASSERT_EQUAL(RUN("eval", "--model", base, "--retrieval", "--json", shard), 0);
    CU_ASSERT_DOUBLE_EQUAL(r1_program_figure(out, "recall1_ego_words"), found, 1e-5);
    CU_ASSERT_EQUAL(RUN("train", "--int8", "--init", base, "--epochs", "1", "--out", model, shard),
                    0); /* learned steps too */
    CU_ASSERT_EQUAL(RUN("eval", "--model", model, "--retrieval", "--json", shard), 0);
    CU_ASSERT(r1_program_figure(out, "recall1_ego_words") >= 0);
    CU_ASSERT_EQUAL(RUN("train", "--init", base, "--calibration", "isotonic", "--epochs", "2",
                        "--out", model, "--valid", shard, "--json", shard),
                    0);
    CU_ASSERT(r1_program_figure(out, "ece_crossed") >= 0 && r1_program_figure(out, "ece") >= 0);
    CU_ASSERT_EQUAL(RUN("info", "--json", model), 0);
    CU_ASSERT(r1_program_figure(out, "head_risk_isotonic_knots") > 1 &&
              r1_program_figure(out, "trained_samples") == 1600);
    CU_ASSERT_EQUAL(
        RUN("train", "--stage", "pretrain", "--parts", "tokens,rows", "--out", base, shard), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(out, "rows"));
    CU_ASSERT_EQUAL(
        RUN("train", "--stage", "pretrain", "--parts", "tokens=x", "--out", base, shard), 2);
    CU_ASSERT_EQUAL(RUN("train", "--stage", "pretrain", "--off", "nothing", "--out", base, shard),
                    2);
    CU_ASSERT_EQUAL(RUN("train", "--curriculum", "mask:root:0.5:0.5", "--out", model, shard), 2);
}

static void test_commands(void)
{
    static char out[1 << 16];
    char shard[300], model[300], metrics[300], cut[300];
    r1_err err;
    toy t;
    char *data;
    size_t len;
    snprintf(shard, sizeof shard, "%s/a.r1s", r1_test_tmpdir());
    snprintf(model, sizeof model, "%s/a.gguf", r1_test_tmpdir());
    snprintf(metrics, sizeof metrics, "%s/a.jsonl", r1_test_tmpdir());
    snprintf(cut, sizeof cut, "%s/cut.gguf", r1_test_tmpdir());
    toy_make(&t, 600, 3);
    R1_ASSERT_OK(toy_write(&t, shard, &err), &err);
    toy_free(&t);
    CU_ASSERT_EQUAL(RUN("train", "--out", model, "--valid", shard, "--epochs", "2", "--metrics",
                        metrics, "--json", shard),
                    0);
    CU_ASSERT(r1_program_figure(out, "auc") > 0.5);
    CU_ASSERT_EQUAL(RUN("eval", "--model", model, "--json", shard), 0);
    double whole = r1_program_figure(out, "loss");
    CU_ASSERT_EQUAL(r1_program_figure(out, "n"), 600);
    CU_ASSERT_EQUAL(
        RUN("eval", "--model", model, "--off", "history,ego", "--no-context", "--json", shard), 0);
    CU_ASSERT(r1_program_figure(out, "loss") > 0 && r1_program_figure(out, "loss") != whole);
    double last = whole;
    for (int i = 0; i < 3;
         /* the file's beta is the one it was trained with, and each other one scores otherwise */
         i++) {
        static const char *const beta[] = {"0", "0.5", "0.9"};
        CU_ASSERT_EQUAL(RUN("eval", "--model", model, "--beta", beta[i], "--json", shard), 0);
        CU_ASSERT(r1_program_figure(out, "loss") != last);
        last = r1_program_figure(out, "loss");
        CU_ASSERT_EQUAL(RUN("train", "--out", cut, "--beta", beta[i], "--epochs", "1", shard), 0);
        CU_ASSERT_EQUAL(RUN("info", "--json", cut), 0);
        CU_ASSERT_DOUBLE_EQUAL(r1_program_figure(out, "beta"), strtod(beta[i], NULL), 1e-6);
    }
    CU_ASSERT_EQUAL(RUN("train", "--out", cut, "--beta", "0.95", shard), 2);
    CU_ASSERT_EQUAL(RUN("info", "--json", model), 0);
    CU_ASSERT(r1_program_figure(out, "trained_samples") == 1200 &&
              r1_program_figure(out, "mflop_sample") > 0);
    CU_ASSERT_EQUAL(RUN("info", "--description", model), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(out, "\"history\""));
    R1_ASSERT_OK(r1_file_read(metrics, 1 << 20, &data, &len, &err), &err);
    CU_ASSERT_PTR_NOT_NULL(strstr(data, "\"event\":\"valid\""));
    free(data);
    CU_ASSERT_EQUAL(RUN("eval", "--model", model, "--off", "nothing", shard), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(out, "nothing"));
    CU_ASSERT_EQUAL(RUN("eval", shard), 2);
    CU_ASSERT_EQUAL(RUN("train", shard), 2);
    CU_ASSERT_EQUAL(RUN("eval", "--model", shard, shard), 1);
    CU_ASSERT_EQUAL(RUN("eval", "--model", "/nonexistent", shard), 1);
    R1_ASSERT_OK(r1_file_read(model, 1 << 24, &data, &len, &err), &err);
    R1_ASSERT_OK(r1_file_write(cut, data, len / 2, &err), &err);
    free(data);
    CU_ASSERT_EQUAL(RUN("info", cut), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(out, "damaged"));
}

/* The old spelling of r1-bench: its command runs where the program is beside r1, else a message
 * names it. */
static void test_bench_forwarded(void)
{
    static char out[1 << 16];
    int code = RUN("bench", "gemm", "--help");
    CU_ASSERT(code == 0 || code == 1);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(out, code == 0 ? "r1-bench gemm" : "r1 bench: expected the program"));
}

R1_TEST_MAIN("r1", {"train, eval, info", test_commands}, {"stages of training", test_stages},
             {"embed", test_embed}, {"pretrain", test_r1_program_pretrain},
             {"bench forwarded", test_bench_forwarded})
