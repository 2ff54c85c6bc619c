/* SPDX-License-Identifier: GPL-3.0-or-later */
/* eval_command.c - `r1-fraud eval`: load, perhaps fit, score by the engine that serves, print
 * figures. */
#include "eval/eval.h"

#include "dataset/dataset.h"
#include "dataset/protocol.h"
#include "decide/policy.h"
#include "eval/columns_file.h"
#include "eval/metrics.h"
#include "files/outputs.h"
#include "train/model_fit.h"
#include "walk/walk.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRAIN_MAX = 16, SEEDS_MAX = 16 };
/* Learning rates where none is named. */
#define LR_FROM_RANDOM 0.001
#define LR_FROM_MODEL  0.0005

/* clang-format off */
const r1_option fraud_eval_rows[] = {
    {.name = "format", .type = R1_OPT_ENUM, .choices = FRAUD_LAYOUT_CHOICES,
     .help = "layout of the data"},
    {.name = "data", .type = R1_OPT_PATH,
     .help = "file or folder to judge (r1: a folder with payments.jsonl, labels.jsonl and "
             "perhaps truth.jsonl)"},
    {.name = "accounts", .type = R1_OPT_PATH,
     .help = "file of accounts (amlsim: nodes.csv); default: beside the data"},
    {.name = "train", .type = R1_OPT_STRING, .help = "PATH[,PATH...]: fit on these first"},
    {.name = "protocol", .type = R1_OPT_ENUM, .def = "week",
     .choices = "week|weeks|earlier|shuffled",
     .help = "handbook: one week (train 2018-07-25..31, judge 08-08..14), the mean of four, or "
             "the mean of four earlier weeks on which settings are chosen; amlsim, sffsd, "
             "sparkov: shuffled draws the judged fifth at random"},
    {.name = "train-days", .type = R1_OPT_INT, .def = "7", .min = 1, .max = 90, .unit = "days",
     .help = "handbook: days that train"},
    {.name = "model", .type = R1_OPT_PATH, .help = "score with this model file as it is"},
    {.name = "init", .type = R1_OPT_PATH,
     .help = "fitting starts from this model file (handbook: from models/fraud-start.gguf where "
             "none is named)"},
    {.name = "from-scratch", .type = R1_OPT_BOOL, .def = "false",
     .help = "fitting starts from random weights"},
    {.name = "out", .type = R1_OPT_PATH, .help = "keep the fitted model here"},
    {.name = "no-r1", .type = R1_OPT_BOOL, .def = "false", .help = "score by the velocity rules"},
    {.name = "precision", .type = R1_OPT_ENUM, .def = "auto", .choices = R1_CLI_PRECISIONS,
     .help = FRAUD_PRECISION_HELP},
    R1_CLI_DEVICE(NULL),
    {.name = "int8", .type = R1_OPT_BOOL, .def = "false",
     .help = "--precision int8, and what that changes beside f32"},
    {.name = "no-graph", .type = R1_OPT_BOOL, .def = "false",
     .help = "graph, patterns and findings off"},
    {.name = "no-memory", .type = R1_OPT_BOOL, .def = "false", .help = "working memory off"},
    {.name = "no-text", .type = R1_OPT_BOOL, .def = "false", .help = "remittance text off"},
    {.name = "epochs", .type = R1_OPT_INT, .def = "6", .min = 1, .max = 200, .help = "of fitting"},
    {.name = "batch", .type = R1_OPT_INT, .def = "256", .min = 8, .max = 4096,
     .help = "payments a step of fitting"},
    R1_CLI_SLICES("1"),
    R1_CLI_THREADS,
    {.name = "lr", .type = R1_OPT_FLOAT, .min = 1e-6, .max = 0.1,
     .help = "learning rate of fitting (default " R1_TEXT_OF(LR_FROM_RANDOM)
             " from random weights, " R1_TEXT_OF(LR_FROM_MODEL) " from a model)"},
    {.name = "mean-decay", .type = R1_OPT_FLOAT, .def = "0", .min = 0, .max = 0.9999,
     .help = "of the running mean of the weights; 0: none"},
    {.name = "weight-decay", .type = R1_OPT_FLOAT, .def = R1_TEXT_OF(R1_DEFAULT_WEIGHT_DECAY),
     .min = 1e-9, .max = 10,
     .help = "of fitting"},
    {.name = "seed", .type = R1_OPT_INT, .def = "1", .min = 0, .max = 1e9, .help = "of fitting"},
    {.name = "seeds", .type = R1_OPT_INT, .def = "1", .min = 1, .max = SEEDS_MAX,
     .help = "fits with so many seeds in a row: figures are means, NAME_sd their standard "
             "deviation"},
    {.name = "review-at", .type = R1_OPT_FLOAT, .def = R1_TEXT_OF(FRAUD_DEFAULT_REVIEW_AT),
     .min = 0, .max = 1,
     .help = "as serve's: what it would catch"},
    {.name = "block-at", .type = R1_OPT_FLOAT, .def = R1_TEXT_OF(FRAUD_DEFAULT_BLOCK_AT),
     .min = 0, .max = 1,
     .help = "as serve's: what it would catch"},
    {.name = "fpr-velocity78", .type = R1_OPT_FLOAT, .def = "0.071", .min = 0, .max = 1,
     .help = "inner false-positive rate at which boosting on both-end velocity recalls .78"},
    {.name = "work", .type = R1_OPT_PATH, .def = "run/fraud-eval",
     .help = "folder for shards and the fitted model"},
    {.name = "features-out", .type = R1_OPT_PATH,
     .help = "write the columns of the judged (and training) payments as raw f32 rows (handbook: "
             "one file a week, PATH.W); names in PATH.txt"},
    {.name = "json", .type = R1_OPT_BOOL, .def = "false", .help = "one JSON object"},
};
/* clang-format on */
const size_t fraud_eval_n_row = R1_COUNT(fraud_eval_rows);

typedef struct {
    const r1_options *o;
    fraud_layout layout;
    fraud_dataset *data, *train[TRAIN_MAX];
    size_t n_train;
    bool train_is_data; /* one file holds both parts (time splits) */
    char train_path[TRAIN_MAX][512], init[R1_PATH_BYTES];
    char model[1024];
    double prevalence; /* of the training part; NaN: none */
    bool progress;
} eval_run;

/* ---- loading --------------------------------------------------------------------------------- */

static r1_status layout_of(eval_run *r, r1_err *err)
{
    const char *name = r1_options_str(r->o, "format");
    if (!name || !r1_options_str(r->o, "data"))
        R1_FAIL(err, R1_E_INVAL, "--format and --data are needed");
    for (int i = 0; i < FRAUD_N_LAYOUT; i++)
        if (!strcmp(name, FRAUD_LAYOUT_NAME[i])) r->layout = (fraud_layout)i;
    return R1_OK;
}

static r1_status split_paths(eval_run *r, r1_err *err)
{
    const char *list = r1_options_str(r->o, "train");
    while (list && *list) {
        size_t len = strcspn(list, ",");
        if (r->n_train == TRAIN_MAX || len >= sizeof r->train_path[0])
            R1_FAIL(err, R1_E_INVAL, "--train: at most %d paths of at most %zu bytes", TRAIN_MAX,
                    sizeof r->train_path[0] - 1);
        if (len)
            snprintf(r->train_path[r->n_train++], sizeof r->train_path[0], "%.*s", (int)len, list);
        list += len + (list[len] == ',');
    }
    return R1_OK;
}

static r1_status load_all(eval_run *r, r1_err *err)
{
    const char *data = r1_options_str(r->o, "data");
    R1_TRY(fraud_dataset_load(&r->data, r->layout, data, r1_options_str(r->o, "accounts"), 0, err));
    r->train_is_data = r->n_train == 1 && !strcmp(r->train_path[0], data);
    bool recordings = r->layout == FRAUD_LAYOUT_AMLGENTEX || r->layout == FRAUD_LAYOUT_R1;
    if (!recordings && r->n_train) r->train_is_data = true;
    for (size_t i = 0; !r->train_is_data && i < r->n_train; i++)
        R1_TRY(fraud_dataset_load(&r->train[i], r->layout, r->train_path[i], NULL, (uint32_t)i + 1,
                                  err));
    return R1_OK;
}

/* ---- figures --------------------------------------------------------------------------------- */

typedef struct {
    double sum[80];
    int count[80];
    char name[80][48];
    size_t n;
} figure_means; /* means over the weeks of a protocol */

static void eval_command_figure(figure_means *m, const char *name, double value)
{
    size_t i = 0;
    while (i < m->n && strcmp(m->name[i], name)) i++;
    if (i == R1_COUNT(m->sum)) return;
    if (i == m->n) snprintf(m->name[m->n++], sizeof m->name[0], "%s", name);
    if (isnan(value)) return;
    m->sum[i] += value;
    m->count[i]++;
}

static void rate_figures(figure_means *m, const fraud_scored *x, size_t n, const char *suffix)
{
    static const struct {
        const char *name;
        double fpr;
    } rate[] = {{"recall_fpr_0_1pct", 0.001},
                {"recall_fpr_0_5pct", 0.005},
                {"recall_fpr_1pct", 0.01},
                {"recall_fpr_5pct", 0.05}};
    char name[64];
    for (size_t k = 0; k < R1_COUNT(rate); k++) {
        snprintf(name, sizeof name, "%s%s", rate[k].name, suffix);
        eval_command_figure(m, name, fraud_recall(x, n, fraud_threshold_fpr(x, n, rate[k].fpr), 0));
    }
}

/* What an operator sees at a threshold of the settings: alerts, how many are right, what they
 * catch. */
static r1_status threshold_figures(figure_means *m, const eval_run *r, fraud_scored *x, size_t n,
                                   const char *which, r1_err *err)
{
    double at = r1_options_float(r->o, which), alerts = 0, right = 0, fraud = 0;
    char name[64];
    int len = (int)strcspn(which, "-");
    for (size_t i = 0; i < n; i++) {
        bool alert = x[i].prob >= at;
        alerts += alert;
        right += alert && x[i].label;
        fraud += x[i].label;
    }
    const struct {
        const char *name;
        double value;
    } all[] = {
        {"rate", alerts / (double)n}, {"precision", right / alerts}, {"recall", right / fraud}};
    for (size_t k = 0; k < R1_COUNT(all); k++) {
        snprintf(name, sizeof name, "%.*s_%s", len, which, all[k].name);
        eval_command_figure(m, name, all[k].value);
    }
    if (!r->data->n_ring) return R1_OK;
    fraud_ring_figures rings;
    for (size_t i = 0; i < n; i++) x[i].score = x[i].prob;
    R1_TRY(fraud_rings(x, n, at, &rings, err));
    snprintf(name, sizeof name, "%.*s_ring_any", len, which);
    eval_command_figure(m, name, rings.any);
    return R1_OK;
}

static r1_status ring_figures(figure_means *m, const eval_run *r, const fraud_scored *x, size_t n,
                              r1_err *err)
{
    if (!r->data->n_ring) return R1_OK;
    fraud_ring_figures at05, at1;
    R1_TRY(fraud_rings(x, n, fraud_threshold_fpr(x, n, 0.005), &at05, err));
    double one = fraud_threshold_fpr(x, n, 0.01);
    R1_TRY(fraud_rings(x, n, one, &at1, err));
    eval_command_figure(m, "ring_any_fpr_0_5pct", at05.any);
    eval_command_figure(m, "ring_half_fpr_0_5pct", at05.half);
    eval_command_figure(m, "early3_recall_fpr_1pct", at1.early3);
    eval_command_figure(m, "value_before_alert", at1.value_before);
    eval_command_figure(
        m, "recall_at_velocity78",
        fraud_recall(x, n, fraud_threshold_fpr(x, n, r1_options_float(r->o, "fpr-velocity78")), 0));
    double sum = 0;
    int count = 0;
    for (size_t t = 1; t < r->data->n_typology; t++) {
        char name[64];
        double recall = fraud_recall(x, n, one, (unsigned)t);
        if (isnan(recall)) continue;
        snprintf(name, sizeof name, "recall_%s_fpr_1pct", r->data->typologies[t]);
        eval_command_figure(m, name, recall);
        sum += recall;
        count++;
    }
    eval_command_figure(m, "recall_macro_fpr_1pct", count ? sum / count : NAN);
    return R1_OK;
}

static size_t select_scored(const eval_run *r, const uint8_t *use, const double *score,
                            const double *prob, bool inner, fraud_scored *x)
{
    size_t n = 0;
    for (size_t i = 0; i < r->data->n; i++) {
        const fraud_case *c = &r->data->cases[i];
        if (use[i] != FRAUD_USE_TEST || c->label == FRAUD_LABEL_UNKNOWN) continue;
        if (inner && (c->from_role != FRAUD_ROLE_ACCOUNT || c->to_role != FRAUD_ROLE_ACCOUNT))
            continue;
        x[n++] = (fraud_scored){.score = score[i],
                                .prob = prob[i],
                                .day = c->ts / FRAUD_DAY_MS,
                                .amount = c->amount_minor,
                                .card = c->from,
                                .from = c->from,
                                .to = c->to,
                                .ring = c->ring,
                                .label = c->label,
                                .typology = c->typology};
    }
    return n;
}

static bool transfers_alone(const eval_run *r)
{
    return r->layout == FRAUD_LAYOUT_AMLGENTEX || r->layout == FRAUD_LAYOUT_AMLSIM;
}

static r1_status eval_command_judge(const eval_run *r, const uint8_t *use, const double *score,
                                    const double *prob, figure_means *m, r1_err *err)
{
    fraud_scored *x = malloc((r->data->n + 1) * sizeof *x);
    if (!x) R1_FAIL(err, R1_E_NOMEM, "no memory for %zu scores", r->data->n);
    bool transfers = transfers_alone(r);
    size_t n = select_scored(r, use, score, prob, transfers, x), positives = 0;
    for (size_t i = 0; i < n; i++) positives += x[i].label;
    eval_command_figure(m, "n", (double)n);
    eval_command_figure(m, "positives", (double)positives);
    eval_command_figure(m, "auc", fraud_auc(x, n));
    eval_command_figure(m, "ap", fraud_ap(x, n));
    double rate = isnan(r->prevalence) ? (double)positives / (double)(n ? n : 1) : r->prevalence;
    eval_command_figure(m, "f1", fraud_f1(x, n, fraud_threshold_rate(x, n, rate)));
    if (!transfers) eval_command_figure(m, "cp100", fraud_card_precision(x, n, 100));
    eval_command_figure(m, "ece", fraud_ece(x, n));
    rate_figures(m, x, n, "");
    r1_status st = ring_figures(m, r, x, n, err);
    if (transfers) {
        n = select_scored(r, use, score, prob, false, x);
        eval_command_figure(m, "auc_all", fraud_auc(x, n));
        eval_command_figure(m, "ap_all", fraud_ap(x, n));
        rate_figures(m, x, n, "_all");
    }
    if (st == R1_OK) st = threshold_figures(m, r, x, n, "review-at", err);
    if (st == R1_OK) st = threshold_figures(m, r, x, n, "block-at", err);
    free(x);
    return st;
}

/* ---- fitting --------------------------------------------------------------------------------- */

static unsigned off_bits(const r1_options *o)
{
    return (r1_options_bool(o, "no-graph") ? FRAUD_CAPTURE_GRAPH : 0u) |
           (r1_options_bool(o, "no-memory") ? FRAUD_CAPTURE_MEMORY : 0u) |
           (r1_options_bool(o, "no-text") ? FRAUD_SAMPLE_TEXT : 0u);
}

static fraud_protocol_opts protocol_of(const eval_run *r, int week, bool part_train)
{
    return (fraud_protocol_opts){.part_train = part_train,
                                 .week = week,
                                 .train_days = (int)r1_options_int(r->o, "train-days"),
                                 .shuffled = !strcmp(r1_options_str(r->o, "protocol"), "shuffled")};
}

static r1_status fit_add(fraud_fit *fit, const fraud_dataset *d,
                         const fraud_protocol_opts *protocol, r1_err *err)
{
    uint8_t *use = malloc(d->n);
    if (!use) R1_FAIL(err, R1_E_NOMEM, "no memory");
    fraud_source s = fraud_source_dataset(d);
    r1_status st = fraud_protocol(d, protocol, use, err);
    if (st == R1_OK) st = fraud_fit_add(fit, &s, use, err);
    free(use);
    return st;
}

/* Good payments that are kept, with their weight: in AMLGentex few of those that no ring passes
 * through. Elsewhere all: leaving good payments out of the handbook costs a quarter of the
 * average precision (docs/log/2026-11-26.md). */
static double kept_share(fraud_layout layout)
{
    return layout == FRAUD_LAYOUT_AMLGENTEX ? 0.05 : 1;
}

/* The handbook's week has too few frauds for random weights; AMLGentex, which has twice as many,
 * does better without (docs/log/2026-11-26.md). */
static r1_status eval_command_start_of(eval_run *r, const char **init, r1_err *err)
{
    *init = NULL;
    if (r1_options_bool(r->o, "from-scratch")) return R1_OK;
    if (r1_options_has(r->o, "init"))
        *init = r1_options_str(r->o, "init");
    else if (r->layout == FRAUD_LAYOUT_HANDBOOK) {
        R1_TRY(r1_cli_shipped("models/fraud-start.gguf", r->init, err));
        *init = r->init;
    }
    return R1_OK;
}

static r1_status fit_shards(eval_run *r, int week, fraud_fit **out, r1_err *err)
{
    const r1_options *o = r->o;
    const char *init;
    R1_TRY(eval_command_start_of(r, &init, err));
    fraud_fit_opts opts = {.folder = r1_options_str(o, "work"),
                           .description = {.name = FRAUD_LAYOUT_NAME[r->layout]},
                           .init = init,
                           .outer_share = kept_share(r->layout),
                           .lr = r1_options_has(o, "lr") ? r1_options_float(o, "lr")
                                 : init                  ? LR_FROM_MODEL
                                                         : LR_FROM_RANDOM,
                           .mean_decay = r1_options_float(o, "mean-decay"),
                           .weight_decay = r1_options_float(o, "weight-decay"),
                           .n_epoch = (uint32_t)r1_options_int(o, "epochs"),
                           .n_batch = (uint32_t)r1_options_int(o, "batch"),
                           .n_slice = (uint32_t)r1_options_int(o, "slices"),
                           .n_thread = (uint32_t)r1_options_int(o, "threads"),
                           .off = off_bits(o),
                           .seed = (uint64_t)r1_options_int(o, "seed"),
                           .progress = r->progress};
    R1_TRY(fraud_fit_new(out, &opts, err));
    fraud_protocol_opts protocol = protocol_of(r, week, true);
    r1_status st = r->train_is_data ? fit_add(*out, r->data, &protocol, err) : R1_OK;
    for (size_t i = 0; st == R1_OK && !r->train_is_data && i < r->n_train; i++)
        st = fit_add(*out, r->train[i], &protocol, err);
    r->prevalence = fraud_fit_prevalence(*out, transfers_alone(r));
    return st;
}

static r1_status fit_one(eval_run *r, fraud_fit *f, int seed, figure_means *m, r1_err *err)
{
    const char *out = r1_options_str(r->o, "out");
    r1_train_report report;
    if (out)
        snprintf(r->model, sizeof r->model, "%s", out);
    else
        snprintf(r->model, sizeof r->model, "%s.gguf", r1_options_str(r->o, "work"));
    R1_TRY(fraud_fit_run(f, (uint64_t)seed, r->model, &report, err));
    eval_command_figure(m, "valid_ap", report.valid.ap);
    return R1_OK;
}

static void weeks_of(const eval_run *r, int *first, int *last)
{
    const char *name = r1_options_str(r->o, "protocol");
    if (r->layout != FRAUD_LAYOUT_HANDBOOK) name = "week";
    bool earlier = !strcmp(name, "earlier");
    *first = earlier ? FRAUD_WEEK_EARLIEST : 0;
    *last = earlier ? FRAUD_WEEK_EARLIER : !strcmp(name, "weeks") ? 3 : 0;
}

/* ---- the command ----------------------------------------------------------------------------- */

static r1_status walk_scores(eval_run *r, const uint8_t *want, r1_precision precision,
                             double *score, double *prob, r1_err *err)
{
    fraud_engine *e = NULL;
    fraud_engine_opts opts = {.model_path = *r->model ? r->model : NULL,
                              .r1_off = r1_options_bool(r->o, "no-r1"),
                              .graph_off = r1_options_bool(r->o, "no-graph"),
                              .memory_off = r1_options_bool(r->o, "no-memory"),
                              .text_off = r1_options_bool(r->o, "no-text"),
                              .signs_off = true, /* the model is judged, or the rules */
                              .precision = precision};
    R1_TRY(fraud_engine_new(&e, &opts, err));
    fraud_source s = fraud_source_dataset(r->data);
    r1_status st = fraud_walk_score(&s, e, want, r->progress, score, prob, err);
    fraud_engine_free(e);
    return st;
}

typedef struct { /* of compare_scores, for n payments */
    fraud_scored *x, *y;
    float *v; /* first, second, label */
    uint64_t *ring;
} comparison;

/* Whole rings are drawn: their payments' scores hang together. */
static r1_status compare_selected(const eval_run *r, const uint8_t *use, const double *f32,
                                  const double *int8, const comparison *w, figure_means *m,
                                  r1_err *err)
{
    size_t n = r->data->n + 1;
    r1_comparison c = {0};
    r1_compare_opts o = {
        .first = w->v, .second = w->v + n, .label = w->v + 2 * n, .group = w->ring, .seed = 1};
    o.n = select_scored(r, use, f32, f32, transfers_alone(r), w->x);
    select_scored(r, use, int8, int8, transfers_alone(r), w->y);
    for (size_t i = 0; i < o.n; i++) {
        const fraud_scored *x = &w->x[i];
        w->v[i] = (float)x->score, w->v[n + i] = (float)w->y[i].score;
        w->v[2 * n + i] = x->label;
        w->ring[i] = x->label && x->ring >= 0 ? 1 + (uint64_t)x->ring : 0;
    }
    R1_TRY(r1_compare(&o, &c, err));
    eval_command_figure(m, "ap_f32", c.first);
    eval_command_figure(m, "int8_change", (c.second - c.first) / c.first);
    eval_command_figure(m, "int8_change_low", c.low / c.first);
    eval_command_figure(m, "int8_change_high", c.high / c.first);
    eval_command_figure(m, "int8_kl", c.kl);
    eval_command_figure(m, "int8_agree", c.agree);
    return R1_OK;
}

static r1_status compare_scores(const eval_run *r, const uint8_t *use, const double *f32,
                                const double *int8, figure_means *m, r1_err *err)
{
    size_t n = r->data->n + 1;
    comparison w = {.x = r1_realloc_array(NULL, 2 * n, sizeof *w.x),
                    .v = r1_realloc_array(NULL, 3 * n, sizeof *w.v),
                    .ring = r1_realloc_array(NULL, n, sizeof *w.ring)};
    w.y = w.x ? w.x + n : NULL;
    r1_status st = w.x && w.v && w.ring
                       ? compare_selected(r, use, f32, int8, &w, m, err)
                       : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory");
    free(w.x);
    free(w.v);
    free(w.ring);
    return st;
}

/* score: f64[3 * n], scores, probabilities and, to compare with, scores in f32. */
static r1_status score_into(eval_run *r, const uint8_t *use, const uint8_t *want, double *score,
                            figure_means *m, r1_err *err)
{
    double *prob = score + r->data->n, *f32 = prob + r->data->n;
    bool int8 = r1_options_bool(r->o, "int8") && !r1_options_bool(r->o, "no-r1");
    r1_precision precision =
        int8 ? R1_PRECISION_INT8 : r1_cli_precision(r1_options_str(r->o, "precision"));
    if (int8) R1_TRY(walk_scores(r, want, R1_PRECISION_F32, f32, prob, err));
    R1_TRY(walk_scores(r, want, precision, score, prob, err));
    R1_TRY(eval_command_judge(r, use, score, prob, m, err));
    return int8 ? compare_scores(r, use, f32, score, m, err) : R1_OK;
}

static r1_status score_model(eval_run *r, const uint8_t *use, const uint8_t *want, figure_means *m,
                             r1_err *err)
{
    double *score = r1_realloc_array(NULL, 3 * r->data->n, sizeof *score);
    if (!score) R1_FAIL(err, R1_E_NOMEM, "no memory for %zu scores", r->data->n);
    r1_status st = score_into(r, use, want, score, m, err);
    free(score);
    return st;
}

/* Long runs show what they have: the mean so far of this seed. */
static void log_ap(const figure_means *m, int week, int seed)
{
    size_t i = 0;
    while (i < m->n && strcmp(m->name[i], "ap") != 0) i++;
    if (i == m->n || !m->count[i]) return;
    r1_log(R1_LOG_INFO, "judged", "week=%d seed=%d weeks=%d ap=%.4f", week, seed, m->count[i],
           m->sum[i] / m->count[i]);
}

static r1_status score_seeds(eval_run *r, int week, const uint8_t *use, const uint8_t *want,
                             fraud_fit *f, figure_means *means, int n_seed, r1_err *err)
{
    int first = (int)r1_options_int(r->o, "seed");
    for (int k = 0; k < n_seed; k++) {
        if (f) R1_TRY(fit_one(r, f, first + k, &means[k], err));
        R1_TRY(score_model(r, use, want, &means[k], err));
        log_ap(&means[k], week, first + k);
    }
    return R1_OK;
}

/* means: one set of figures a seed. */
static r1_status score_week(eval_run *r, int week, figure_means *means, int n_seed, r1_err *err)
{
    size_t n = r->data->n;
    bool fits = r->n_train && !r1_options_bool(r->o, "no-r1");
    fraud_fit *f = NULL;
    fraud_protocol_opts protocol = protocol_of(r, week, false);
    uint8_t *use = r1_realloc_array(NULL, 2 * n, sizeof *use), *want = use ? use + n : NULL;
    if (!use) R1_FAIL(err, R1_E_NOMEM, "no memory for the split of %zu payments", n);
    r1_status st = fraud_protocol(r->data, &protocol, use, err);
    if (st != R1_OK) goto free_use;
    for (size_t i = 0; i < n; i++) want[i] = use[i] == FRAUD_USE_TEST;
    st = fits ? fit_shards(r, week, &f, err) : R1_OK;
    if (st != R1_OK) goto free_fit;
    st = score_seeds(r, week, use, want, f, means, n_seed, err);
free_fit:
    fraud_fit_free(f);
free_use:
    free(use);
    return st;
}

/* The mean over seeds of the means over weeks, and how far the seeds lie apart. */
static void eval_command_add_figure(r1_figures *f, const figure_means *means, int n_seed, size_t i)
{
    double sum = 0, square = 0;
    for (int k = 0; k < n_seed; k++) {
        double x = means[k].count[i] ? means[k].sum[i] / means[k].count[i] : NAN;
        sum += x;
        square += x * x;
    }
    char name[64];
    double mean = sum / n_seed, var = (square - n_seed * mean * mean) / (n_seed - 1);
    r1_figures_add(f, means[0].name[i], mean);
    snprintf(name, sizeof name, "%s_sd", means[0].name[i]);
    bool count = !strcmp(means[0].name[i], "n") || !strcmp(means[0].name[i], "positives");
    if (n_seed > 1 && !count) r1_figures_add(f, name, sqrt(var > 0 ? var : 0));
}

static void eval_command_print_figures(const eval_run *r, const figure_means *means, int n_seed)
{
    r1_figures *f = r1_figures_new("r1-fraud eval");
    r1_figures_note(f, "data", r1_options_str(r->o, "data"));
    r1_figures_note(f, "train",
                    r1_options_str(r->o, "train") ? r1_options_str(r->o, "train") : "none");
    r1_figures_note(f, "model", r1_options_bool(r->o, "no-r1") || !*r->model ? "rules" : r->model);
    for (size_t i = 0; i < means->n; i++) eval_command_add_figure(f, means, n_seed, i);
    r1_figures_print(f, r1_options_bool(r->o, "json"), stdout);
    r1_figures_free(f);
}

static r1_status write_columns(const eval_run *r, const char *path, r1_err *err)
{
    fraud_columns_opts o = {
        .data = r->data, .protocol = protocol_of(r, 0, false), .progress = r->progress};
    weeks_of(r, &o.first_week, &o.last_week);
    return fraud_columns_write(&o, path, err);
}

/* What is kept is none of the files that are read. */
static r1_status eval_check_files(const eval_run *r, r1_err *err)
{
    const r1_options *o = r->o;
    const r1_named_file out[] = {{"--out", r1_options_str(o, "out"), R1_OUTPUT_REPLACED},
                                 {"--features-out", r1_options_str(o, "features-out"), 0}};
    const r1_named_file in[] = {{"--data", r1_options_str(o, "data"), 0},
                                {"--accounts", r1_options_str(o, "accounts"), 0},
                                {"--model", r1_options_str(o, "model"), 0},
                                {"--init", r1_options_str(o, "init"), 0}};
    R1_TRY(r1_outputs_check(out, R1_COUNT(out), in, R1_COUNT(in), err));
    for (size_t i = 0; i < r->n_train; i++) {
        const char *train = r->train_path[i];
        R1_TRY(r1_outputs_spare(out, R1_COUNT(out), "--train", &train, 1, err));
    }
    return R1_OK;
}

static r1_status eval_command_run(eval_run *r, r1_err *err)
{
    R1_TRY(layout_of(r, err));
    R1_TRY(split_paths(r, err));
    R1_TRY(eval_check_files(r, err));
    if (r1_options_str(r->o, "model"))
        snprintf(r->model, sizeof r->model, "%s", r1_options_str(r->o, "model"));
    R1_TRY(load_all(r, err));
    const char *columns = r1_options_str(r->o, "features-out");
    if (columns) return write_columns(r, columns, err);
    figure_means *means = calloc(SEEDS_MAX, sizeof *means);
    if (!means) R1_FAIL(err, R1_E_NOMEM, "no memory");
    int first, last, n_seed = r->n_train ? (int)r1_options_int(r->o, "seeds") : 1;
    r1_status st = R1_OK;
    weeks_of(r, &first, &last);
    for (int w = first; st == R1_OK && w <= last; w++) st = score_week(r, w, means, n_seed, err);
    if (st == R1_OK) eval_command_print_figures(r, means, n_seed);
    free(means);
    return st;
}

int fraud_command_eval(r1_cli_call *call)
{
    eval_run r = {
        .o = call->opts, .prevalence = NAN, .progress = !r1_options_bool(call->opts, "json")};
    r1_status st = eval_command_run(&r, &call->err);
    fraud_dataset_free(r.data);
    for (size_t i = 0; i < r.n_train; i++) fraud_dataset_free(r.train[i]);
    return r1_cli_exit(st);
}
