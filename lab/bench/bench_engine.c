/* SPDX-License-Identifier: Apache-2.0 */
/* bench_engine.c - r1-bench gemm, score, attention, cawa: what the engine's ops and models reach
 * on this machine, beside their peers. */
#include "bench/bench.h"
#include "bench/measure.h"
#include "cpu/cpu_peak.h"

#include <stdio.h>
#include <stdlib.h>

static const r1_option bench_rows[] = {
    {.name = "seconds",
     .type = R1_OPT_FLOAT,
     .def = "0.5",
     .min = 0.05,
     .max = 60,
     .unit = "s",
     .help = "per measurement"},
    {.name = "json", .type = R1_OPT_BOOL, .def = "false", .help = "print one JSON object"},
};

/* Layers of fraud-s (128 wide), of a model 512 wide, and a product that fills the second-level
 * cache. */
static const struct {
    const char *name;
    int64_t m, n, k;
} shapes[] = {{"64x128x128", 64, 128, 128},
              {"256x512x128", 256, 512, 128},
              {"256x512x512", 256, 512, 512},
              {"512x2048x512", 512, 2048, 512}};

enum { FIGURES = 8 }; /* per shape; the worst over the shapes is the figure without one */
static const char
    *const gemm_figure[FIGURES] = {"f32_gops",
                                   "f32_over_onednn",
                                   "int8_gops",
                                   "int8_over_onednn",
                                   "int8_over_f32",
                                   "learned_gops",
                                   "learned_over_onednn",
                                   "learned_over_f32"}; /* learned: int8 with learned steps */

static r1_status bench_shape(size_t i, double seconds, double *figure, r1_err *err)
{
    int64_t m = shapes[i].m, n = shapes[i].n, k = shapes[i].k;
    double bare, bare8;
    R1_TRY(measure_product(m, n, k, seconds, &bare, err));
    R1_TRY(measure_linear(m, n, k, seconds, &figure[0], err));
    R1_TRY(measure_product_int8(m, n, k, seconds, &bare8, err));
    R1_TRY(measure_linear_int8(m, n, k, false, seconds, &figure[2], err));
    R1_TRY(measure_linear_int8(m, n, k, true, seconds, &figure[5], err));
    figure[1] = figure[0] / bare;
    figure[3] = figure[2] / bare8;
    figure[4] = figure[2] / figure[0];
    figure[6] = figure[5] / bare8;
    figure[7] = figure[5] / figure[0];
    return R1_OK;
}

static int bench_gemm(r1_cli_call *call)
{
    double seconds = r1_options_float(call->opts, "seconds"), worst[FIGURES];
    r1_figures *f = r1_figures_new("r1-bench gemm");
    if (!f) return R1_EXIT_FAILED;
    r1_figures_note(f, "peer", "oneDNN's bare products (f32; u8s8s32), same process and thread");
    r1_figures_add(f, "roofline_gops", r1_cpu_peak_gops(seconds));
    r1_status st = R1_OK;
    for (size_t i = 0; i < R1_COUNT(shapes) && st == R1_OK; i++) {
        double figure[FIGURES] = {0};
        st = bench_shape(i, seconds, figure, &call->err);
        for (size_t k = 0; k < FIGURES; k++) {
            char name[64];
            snprintf(name, sizeof name, "%s_%s", gemm_figure[k], shapes[i].name);
            r1_figures_add(f, name, figure[k]);
            if (i == 0 || figure[k] < worst[k]) worst[k] = figure[k];
        }
    }
    for (size_t k = 1; k < FIGURES; k++) r1_figures_add(f, gemm_figure[k], worst[k]);
    if (st == R1_OK) r1_figures_print(f, r1_options_bool(call->opts, "json"), stdout);
    r1_figures_free(f);
    return r1_cli_exit(st);
}

/* ---- whole samples ---- */

static const r1_option score_rows[] = {
    {.name = "model",
     .type = R1_OPT_PATH,
     .help = "model file (default: the shipped models/fraud-s.gguf)"},
    {.name = "batch",
     .type = R1_OPT_INT,
     .def = "32",
     .min = 1,
     .max = 4096,
     .unit = "samples",
     .help = "a run's"},
    {.name = "seconds",
     .type = R1_OPT_FLOAT,
     .def = "2",
     .min = 0.05,
     .max = 60,
     .unit = "s",
     .help = "per measurement"},
    {.name = "json", .type = R1_OPT_BOOL, .def = "false", .help = "print one JSON object"},
};

/* A trunk 512 wide over eight tables of eight numbers. */
static void wide_description(FILE *f)
{
    fprintf(f, "{\"name\": \"wide-512\", \"d_align\": 512, \"d_model\": 512, \"n_layer\": 4, "
               "\"n_head\": 8, \"d_ff\": 2048, "
               "\"items\": [");
    for (int i = 0; i < 8; i++)
        fprintf(
            f,
            "%s{\"name\": \"t%d\", \"kind\": \"table\", \"n_bin\": 16, \"hidden\": 512, \"num\": "
            "[\"a\", \"b\", \"c\", \"d\", \"e\", \"f\", \"g\", \"h\"]}",
            i ? ", " : "", i);
    fprintf(f, "], \"heads\": [{\"name\": \"h\", \"kind\": \"binary\"}]}");
}

static r1_status bench_model(const char *name, const r1_model *m, const r1_options *o,
                             r1_figures *f, r1_err *err)
{
    char text[96];
    double rate[2];
    uint32_t batch = (uint32_t)r1_options_int(o, "batch");
    R1_TRY(measure_score(m, batch, r1_options_float(o, "seconds"), rate, err));
    snprintf(text, sizeof text, "%s_f32_samples_s", name);
    r1_figures_add(f, text, rate[0]);
    snprintf(text, sizeof text, "%s_int8_samples_s", name);
    r1_figures_add(f, text, rate[1]);
    snprintf(text, sizeof text, "%s_int8_over_f32", name);
    r1_figures_add(f, text, rate[1] / rate[0]);
    return R1_OK;
}

/* The same description with random weights, without and with learned steps. */
static r1_status bench_both(const char *name, const char *description, const r1_options *o,
                            r1_figures *f, r1_err *err)
{
    for (int learned = 0; learned < 2; learned++) {
        char text[64];
        r1_model *m = NULL;
        snprintf(text, sizeof text, "%s%s", name, learned ? "_learned" : "");
        r1_status st = measure_model(&m, description, learned, err);
        r1_model_info info;
        if (st == R1_OK) st = r1_model_get_info(m, &info, err);
        if (st == R1_OK) st = bench_model(text, m, o, f, err);
        if (st == R1_OK && learned) {
            snprintf(text, sizeof text, "%s_mflop_sample", name);
            r1_figures_add(f, text, (double)info.flop_sample * 1e-6);
        }
        r1_model_free(m);
        R1_TRY(st);
    }
    return R1_OK;
}

static r1_status bench_score_all(const r1_options *o, r1_figures *f, r1_err *err)
{
    char path[R1_PATH_BYTES], *wide = NULL;
    size_t len;
    const char *given = r1_options_str(o, "model");
    r1_model *m = NULL;
    if (!given) R1_TRY(r1_cli_shipped("models/fraud-s.gguf", path, err));
    R1_TRY(r1_model_open(&m, given ? given : path, err));
    r1_status st = bench_both(r1_model_name(m), r1_model_description(m), o, f, err);
    r1_model_free(m);
    R1_TRY(st);
    FILE *text = open_memstream(&wide, &len);
    if (!text) R1_FAIL(err, R1_E_NOMEM, "out of memory");
    wide_description(text);
    if (fclose(text) != 0) st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "out of memory");
    if (st == R1_OK) st = bench_both("wide-512", wide, o, f, err);
    free(wide);
    return st;
}

static int bench_score(r1_cli_call *call)
{
    r1_figures *f = r1_figures_new("r1-bench score");
    if (!f) return R1_EXIT_FAILED;
    r1_figures_note(f, "peer", "f32 in the same process and thread");
    r1_status st = bench_score_all(call->opts, f, &call->err);
    if (st == R1_OK) r1_figures_print(f, r1_options_bool(call->opts, "json"), stdout);
    r1_figures_free(f);
    return r1_cli_exit(st);
}

/* ---- attention ---- */

static const struct {
    const char *name;
    attend_shape shape;
} attend_shapes[] = {
    {"64x9x4x32_causal", {64, 9, 4, 32, true, false}}, /* the trunk of fraud-s in batches of 64 */
    {"16x64x4x32", {16, 64, 4, 32, false, false}},
    {"4x256x4x32", {4, 256, 4, 32, false, false}},
    {"4x256x4x32_causal", {4, 256, 4, 32, true, false}},
    {"1x1024x4x32", {1, 1024, 4, 32, false, false}},
    {"1x1024x4x32_causal", {1, 1024, 4, 32, true, false}},
    {"1x1024x8x64_causal", {1, 1024, 8, 64, true, false}},
    {"1x1024x8x64_causal_bf16", {1, 1024, 8, 64, true, true}},
    {"1x4096x2x64_causal", {1, 4096, 2, 64, true, false}},
};

static double attend_gflop(const attend_shape *s)
{
    double pairs = (double)s->n_seq * (double)s->length *
                   (double)(s->causal ? s->length + 1 : 2 * s->length) / 2;
    return 4e-9 * pairs * s->n_head * s->width;
}

static void add_attend(r1_figures *f, const char *what, size_t i, double value, double *worst,
                       bool higher_is_worse)
{
    char name[96];
    snprintf(name, sizeof name, "%s_%s", what, attend_shapes[i].name);
    r1_figures_add(f, name, value);
    /* short sequences have figures of their own: what is measured there is the ops' start */
    if (attend_shapes[i].shape.length >= 64 && (higher_is_worse ? value > *worst : value < *worst))
        *worst = value;
}

static int bench_attend(r1_cli_call *call)
{
    double seconds = r1_options_float(call->opts, "seconds"), over_separate = 1e30,
           overhead = -1e30;
    r1_figures *f = r1_figures_new("r1-bench attention");
    if (!f) return R1_EXIT_FAILED;
    r1_figures_note(
        f, "peer",
        "oneDNN's two products with a softmax between them; the same kernel without CAWA");
    r1_figures_add(f, "roofline_gops", r1_cpu_peak_gops(seconds / 4));
    r1_status st = R1_OK;
    for (size_t i = 0; i < R1_COUNT(attend_shapes) && st == R1_OK; i++) {
        const attend_shape *s = &attend_shapes[i].shape;
        attend_times t = {0};
        st = measure_attend(s, seconds, &t, &call->err);
        if (st != R1_OK) break;
        double none = 0, plain = t.plain_scale_us + t.attend_us;
        add_attend(f, "gops", i, attend_gflop(s) * 1e6 / t.attend_us, &none, true);
        if (!s->bf16)
            add_attend(f, "fused_over_separate", i, t.separate_us / t.attend_us, &over_separate,
                       false);
        add_attend(f, "cawa_overhead", i, (t.cawa_scale_us - t.plain_scale_us) / plain, &overhead,
                   true);
        add_attend(f, "context_overhead", i, t.context_us / plain, &none, true);
        add_attend(f, "low_rank_overhead", i, (t.low_rank_us - t.attend_us) / plain, &none, true);
    }
    r1_figures_add(f, "fused_over_separate", over_separate);
    r1_figures_add(f, "cawa_overhead", overhead);
    if (st == R1_OK) r1_figures_print(f, r1_options_bool(call->opts, "json"), stdout);
    r1_figures_free(f);
    return r1_cli_exit(st);
}

const r1_command bench_engine_commands[] = {
    {.name = "gemm",
     .summary = "the linear layer in f32 and int8, beside oneDNN's bare products and the machine's "
                "multiply-add limit, on one "
                "thread",
     .examples = "r1-bench gemm\nr1-bench gemm --json --seconds 2",
     .options = bench_rows,
     .n_options = R1_COUNT(bench_rows),
     .run = bench_gemm},
    {.name = "score",
     .summary = "whole samples a second in f32 and int8, without and with learned steps, at the "
                "size of a model and "
                "512 wide, on "
                "one thread; random weights",
     .examples = "r1-bench score\nr1-bench score --model models/medical-b.gguf --batch 64",
     .options = score_rows,
     .n_options = R1_COUNT(score_rows),
     .run = bench_score},
    {.name = "attention",
     .summary =
         "fused attention beside separate operations, and with CAWA beside without, on one thread",
     .examples = "r1-bench attention\nr1-bench attention --json --seconds 2",
     .options = bench_rows,
     .n_options = R1_COUNT(bench_rows),
     .run = bench_attend},
    {.name = "cawa",
     .summary = "the same measurements as attention",
     .examples = "r1-bench cawa --json",
     .options = bench_rows,
     .n_options = R1_COUNT(bench_rows),
     .run = bench_attend},
};
const size_t bench_engine_n = R1_COUNT(bench_engine_commands);
