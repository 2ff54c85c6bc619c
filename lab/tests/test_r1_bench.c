/* SPDX-License-Identifier: Apache-2.0 */
/* test_r1_bench.c - r1-bench as a user runs it: exit codes, the JSON's figures, bad files. */
#include "support/r1_program.h"
#include "support/r1_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUN(...)                                                                                   \
    r1_program_run("r1-bench", out, sizeof out, (const char *const[]){__VA_ARGS__, NULL})

/* Half floats of random sign and mantissa, sizes .5 to 1. */
static void write_halves(const char *path, int n, r1_rng *rng)
{
    r1_err err;
    uint16_t *h = malloc(sizeof *h * (size_t)n);
    for (int i = 0; i < n; i++)
        h[i] = (uint16_t)((r1_rng_u64(rng) & 0x8000) | 14 << 10 | (r1_rng_u64(rng) & 1023));
    R1_ASSERT_OK(r1_file_write(path, h, sizeof *h * (size_t)n, &err), &err);
    free(h);
}

static void test_bench_memory(void)
{
    static char out[1 << 16];
    char base[300], queries[300];
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    snprintf(base, sizeof base, "%s/x_base.f16", r1_test_tmpdir());
    snprintf(queries, sizeof queries, "%s/x_queries.f16", r1_test_tmpdir());
    write_halves(base, 16 * 500, &rng);
    write_halves(queries, 16 * 20, &rng);
    CU_ASSERT_EQUAL(RUN("memory", "--vectors", r1_test_tmpdir(), "--columns", "16", "--entries",
                        "900", "--ratio", "4", "--dir", r1_test_tmpdir(), "--json"),
                    0);
    CU_ASSERT_EQUAL(r1_program_figure(out, "entries"), 900);
    CU_ASSERT(r1_program_figure(out, "ratio") > 3.5);
    CU_ASSERT(r1_program_figure(out, "recall10") >
              0.95); /* 900 entries: nearly all of the right ten are among the 100 re-ranked */
    CU_ASSERT(r1_program_figure(out, "recall10") >= r1_program_figure(out, "recall10_codes") &&
              r1_program_figure(out, "recall10_codes") > 0.5);
    CU_ASSERT(r1_program_figure(out, "over_flat") > 0 &&
              r1_program_figure(out, "resident_mb") > 0 && r1_program_figure(out, "build_s") > 0);
    CU_ASSERT_EQUAL(RUN("memory"), 2);
    CU_ASSERT_EQUAL(RUN("memory", "--vectors", "/nonexistent"), 1);
    CU_ASSERT_EQUAL(RUN("memory", "--vectors", r1_test_tmpdir(), "--columns", "17"), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(out, "x_base.f16"));
}

/* The figures agree with each other; a recorded trace is read, and a bad one refused with its
 * line. */
static void test_bench_batch(void)
{
    static char out[1 << 16];
    char path[300];
    snprintf(path, sizeof path, "%s/arrivals.txt", r1_test_tmpdir());
    FILE *f = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    for (int i = 0; i < 1500; i++) fprintf(f, "%d %d\n", i * 100 + i % 7, 1 + i % 200);
    fclose(f);
    CU_ASSERT_EQUAL(
        RUN("batch", "--budget", "500", "--requests", "1000", "--trace", path, "--json"), 0);
    CU_ASSERT_EQUAL(r1_program_figure(out, "utilisation"), 1);
    CU_ASSERT_TRUE(r1_program_figure(out, "p99_ms") > 0 && r1_program_figure(out, "p99_ms") <= 500);
    CU_ASSERT_TRUE(r1_program_figure(out, "rate_ours_trace") > 0);
    CU_ASSERT_DOUBLE_EQUAL(r1_program_figure(out, "gain_over_greedy_bursty"),
                           r1_program_figure(out, "rate_ours_bursty") /
                               r1_program_figure(out, "rate_greedy_bursty"),
                           1e-3);
    f = fopen(path, "a");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fprintf(f, "200000 0\n");
    fclose(f);
    CU_ASSERT_EQUAL(RUN("batch", "--requests", "1000", "--trace", path), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(out, "arrivals.txt:1501"));
}

/* Needles at all depths of a stream are found wherever they are by then: among what is in hand
 * alone; in working memory too; most of them among the codes of long-term memory. */
static void test_needle(void)
{
    char out[16384];
    CU_ASSERT_EQUAL(RUN("memory", "--mixture", "60", "--columns", "48", "--entries", "4000",
                        "--needle", "900,9000,30000", "--json"),
                    0);
    CU_ASSERT(r1_program_figure(out, "needle_900_found") >= 0.95 &&
              r1_program_figure(out, "needle_900_from_instant") >= 0.95);
    CU_ASSERT(r1_program_figure(out, "needle_9000_found") >= 0.9 &&
              r1_program_figure(out, "needle_9000_from_working") > 0.8);
    CU_ASSERT(r1_program_figure(out, "needle_30000_found") >= 0.9 &&
              r1_program_figure(out, "needle_30000_from_longterm") > 0.5);
    CU_ASSERT(r1_program_figure(out, "needle_30000_cosine") > 0.8);
    CU_ASSERT_EQUAL(RUN("memory", "--mixture", "60", "--columns", "48", "--needle", "900,x"), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(out, "found 900,x") || strstr(out, "found x"));
}

/* Every shape and both shares are there. Speeds are not judged. */
static void test_bench_attention(void)
{
    static char out[1 << 16];
    CU_ASSERT_EQUAL(RUN("attention", "--seconds", "0.05", "--json"), 0);
    CU_ASSERT_TRUE(r1_program_figure(out, "gops_1x1024x8x64_causal_bf16") > 0);
    CU_ASSERT_TRUE(r1_program_figure(out, "fused_over_separate") > 0);
    CU_ASSERT(isfinite(r1_program_figure(out, "cawa_overhead")));
    CU_ASSERT(isfinite(r1_program_figure(out, "low_rank_overhead_4x256x4x32")));
    CU_ASSERT_EQUAL(RUN("cawa", "--seconds", "0"), 2);
}

R1_TEST_MAIN("r1-bench", {"attention", test_bench_attention}, {"batch", test_bench_batch},
             {"memory", test_bench_memory}, {"needle", test_needle})
