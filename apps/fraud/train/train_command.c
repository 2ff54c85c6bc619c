/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train_command.c - worlds of different sizes, ring sizes and activities, one seed each; the
 * last quarter of them validates: it stops the training, calibrates, and gives the thresholds
 * that the command prints.
 *
 * Of four worlds in a row, two train after two weeks that fill the windows, two from their first
 * payment on, as a service that has just begun; and in every second one labels come back, as
 * they do where analysts work. */
#include "train/train_command.h"

#include "dataset/protocol.h"
#include "files/outputs.h"
#include "generate/generate.h"
#include "train/model_fit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
const r1_option fraud_train_rows[] = {
    {.name = "out", .type = R1_OPT_PATH, .def = "fraud-s.gguf", .help = "model file to write"},
    {.name = "seed", .type = R1_OPT_INT, .def = "1000", .min = 0, .max = 1e9,
     .help = "of the first world; the next ones follow"},
    {.name = "worlds", .type = R1_OPT_INT, .def = "16", .min = 2, .max = 30,
     .help = "generated worlds, each with its own sizes"},
    {.name = "accounts", .type = R1_OPT_INT, .def = "1500", .min = 100, .max = 100000,
     .help = "customers of a world, on average"},
    {.name = "days", .type = R1_OPT_INT, .def = "56", .min = 21, .max = 365, .unit = "days",
     .help = "length of a world"},
    {.name = "rings", .type = R1_OPT_INT, .def = "12", .min = 1, .max = 1000,
     .help = "rings of each typology in a world"},
    {.name = "share", .type = R1_OPT_FLOAT, .def = "0.1", .min = 0.001, .max = 1,
     .help = "of good payments that are kept (with their weight)"},
    {.name = "epochs", .type = R1_OPT_INT, .def = "4", .min = 1, .max = 100,
     .help = "passes over the samples"},
    {.name = "lr", .type = R1_OPT_FLOAT, .def = R1_TEXT_OF(R1_DEFAULT_LR), .min = 1e-6, .max = 0.1,
     .help = "greatest learning rate"},
    R1_CLI_SLICES("4"),
    R1_CLI_THREADS,
    R1_CLI_DEVICE(NULL),
    {.name = "mean-decay", .type = R1_OPT_FLOAT, .def = "0.995", .min = 0, .max = 0.9999,
     .help = "of the running mean of the weights; 0: none"},
    {.name = "init", .type = R1_OPT_PATH,
     .help = "model file to start from, which keeps its columns' bins"},
    {.name = "int8", .type = R1_OPT_BOOL, .def = "false",
     .help = "train for linear layers in 8-bit integers: their steps are learned"},
    {.name = "review-precision", .type = R1_OPT_FLOAT, .def = "0.3", .min = 0.01, .max = 1,
     .help = "share of right alerts that the printed review threshold has on the validating "
             "worlds"},
    {.name = "block-precision", .type = R1_OPT_FLOAT, .def = "0.9", .min = 0.01, .max = 1,
     .help = "the same of the block threshold"},
    {.name = "work", .type = R1_OPT_PATH, .def = "run/fraud-train", .help = "folder for shards"},
    {.name = "shards-only", .type = R1_OPT_BOOL, .def = "false",
     .help = "write the shards of all worlds to --work, for r1 train, and end there"},
};
/* clang-format on */
const size_t fraud_train_n_row = R1_COUNT(fraud_train_rows);

enum { WARM_DAYS = 14, DAY = 86400000 };

/* Worlds differ, so that no one size is learned: from half to three halves of the size, rings
 * from small to large. */
static fraud_generate_opts train_command_world(const r1_options *o, int index)
{
    r1_rng rng;
    uint64_t seed = (uint64_t)r1_options_int(o, "seed") + (uint64_t)index;
    r1_rng_seed(&rng, seed);
    int accounts = (int)r1_options_int(o, "accounts");
    int ring_min = 3 + (int)r1_rng_below(&rng, 4);
    return (fraud_generate_opts){
        .seed = seed,
        .start_ms = INT64_C(1735689600000) + (int64_t)r1_rng_below(&rng, 365) * DAY,
        .accounts = accounts / 2 + (int)r1_rng_below(&rng, (uint64_t)accounts),
        .days = (int)r1_options_int(o, "days"),
        .rings = (int)r1_options_int(o, "rings"),
        .ring_min = ring_min,
        .ring_max = ring_min + 3 + (int)r1_rng_below(&rng, 10),
        .activity = 0.6 + 0.8 * r1_rng_unit(&rng)};
}

static r1_status train_command_add_world(fraud_fit *fit, const r1_options *o, int index, bool valid,
                                         r1_err *err)
{
    fraud_generate_opts w = train_command_world(o, index);
    fraud_generated *g = NULL;
    size_t n = 0;
    R1_TRY(fraud_generate(&w, &g, &n, err));
    uint8_t *use = malloc(n ? n : 1);
    r1_status st =
        use ? R1_OK
            : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for %zu payments", n);
    int64_t first = w.start_ms + (index % 4 < 2 ? WARM_DAYS : 0) * (int64_t)DAY;
    for (size_t i = 0; use && i < n; i++) {
        use[i] = g[i].payment.ts < first ? FRAUD_USE_NONE
                 : valid                 ? FRAUD_USE_VALID
                                         : FRAUD_USE_TRAIN;
        if (index % 2) g[i].label_ts = INT64_MAX;
    }
    fraud_source s = fraud_source_generated(g, n);
    if (st == R1_OK) st = fraud_fit_add(fit, &s, use, err);
    free(use);
    free(g);
    return st;
}

/* The lowest probability from which on the share of right alerts is at least the one asked for. */
static r1_status print_threshold(fraud_fit *fit, const char *model, const char *name,
                                 double precision, r1_err *err)
{
    fraud_fit_threshold t;
    R1_TRY(fraud_fit_threshold_at(fit, model, precision, &t, err));
    if (t.prob > 1) {
        printf("%s: at no probability are %.0f %% of alerts right on the validating worlds\n", name,
               100 * precision);
        return R1_OK;
    }
    printf("%s at probability %.4f: precision %.3f, recall %.3f, %.3f %% of all payments on the "
           "validating worlds\n",
           name, t.prob, t.precision, t.recall, 100 * t.rate);
    return R1_OK;
}

static r1_status print_thresholds(fraud_fit *fit, const r1_options *o, r1_err *err)
{
    const char *model = r1_options_str(o, "out");
    R1_TRY(print_threshold(fit, model, "review", r1_options_float(o, "review-precision"), err));
    return print_threshold(fit, model, "block", r1_options_float(o, "block-precision"), err);
}

static r1_status train_command_train(const r1_options *o, r1_err *err)
{
    fraud_fit_opts opts = {.folder = r1_options_str(o, "work"),
                           .inner_share = r1_options_float(o, "share"),
                           .outer_share = r1_options_float(o, "share"),
                           .lr = r1_options_float(o, "lr"),
                           .mean_decay = r1_options_float(o, "mean-decay"),
                           .init = r1_options_str(o, "init"),
                           .int8 = r1_options_bool(o, "int8"),
                           .n_epoch = (uint32_t)r1_options_int(o, "epochs"),
                           .n_slice = (uint32_t)r1_options_int(o, "slices"),
                           .n_thread = (uint32_t)r1_options_int(o, "threads"),
                           .seed = (uint64_t)r1_options_int(o, "seed"),
                           .keep = r1_options_bool(o, "shards-only"),
                           .progress = true};
    const r1_named_file out = {"--out", opts.keep ? NULL : r1_options_str(o, "out"), 0},
                        in = {"--init", opts.init, 0};
    R1_TRY(r1_outputs_check(&out, 1, &in, 1, err));
    fraud_fit *fit = NULL;
    R1_TRY(fraud_fit_new(&fit, &opts, err));
    int worlds = (int)r1_options_int(o, "worlds"), first_valid = worlds - (worlds + 3) / 4;
    r1_status st = R1_OK;
    for (int i = 0; st == R1_OK && i < worlds; i++)
        st = train_command_add_world(fit, o, i, i >= first_valid, err);
    r1_train_report report;
    if (st == R1_OK && !opts.keep)
        st = fraud_fit_run(fit, opts.seed, r1_options_str(o, "out"), &report, err);
    if (st == R1_OK && !opts.keep) st = print_thresholds(fit, o, err);
    fraud_fit_free(fit);
    return st;
}

int fraud_command_train(r1_cli_call *call)
{
    r1_status st = train_command_train(call->opts, &call->err);
    const char *what = r1_options_bool(call->opts, "shards-only") ? "work" : "out";
    if (st == R1_OK) printf("wrote %s\n", r1_options_str(call->opts, what));
    return r1_cli_exit(st);
}
