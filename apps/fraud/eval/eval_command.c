/* SPDX-License-Identifier: GPL-3.0-or-later */
/* eval_command.c - `r1-fraud eval`: load, perhaps fit, score by the engine that serves, print figures. */
#include "eval.h"

#include "dataset.h"
#include "metrics.h"
#include "model_fit.h"
#include "protocol.h"
#include "walk.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const r1_option fraud_eval_rows[] = {
    {.name = "format",
     .type = R1_OPT_ENUM,
     .choices = "handbook|amlgentex|amlsim|sffsd|sparkov",
     .help = "layout of the data"},
    {.name = "data", .type = R1_OPT_PATH, .help = "file or folder to judge"},
    {.name = "accounts", .type = R1_OPT_PATH, .help = "file of accounts (amlsim: nodes.csv); default: beside the data"},
    {.name = "train", .type = R1_OPT_STRING, .help = "PATH[,PATH...]: fit on these first"},
    {.name = "protocol",
     .type = R1_OPT_ENUM,
     .def = "week",
     .choices = "week|weeks|earlier",
     .help =
         "handbook: one week (train 2018-07-25..31, judge 08-08..14), the mean of four, or the mean of four earlier "
         "weeks on which settings are chosen"},
    {.name = "train-days",
     .type = R1_OPT_INT,
     .def = "7",
     .min = 1,
     .max = 90,
     .unit = "days",
     .help = "handbook: days that train"},
    {.name = "model", .type = R1_OPT_PATH, .help = "score with this model file as it is"},
    {.name = "out", .type = R1_OPT_PATH, .help = "keep the fitted model here"},
    {.name = "no-r1", .type = R1_OPT_BOOL, .def = "false", .help = "score by the velocity rules"},
    {.name = "no-graph", .type = R1_OPT_BOOL, .def = "false", .help = "graph, patterns and findings off"},
    {.name = "no-memory", .type = R1_OPT_BOOL, .def = "false", .help = "working memory off"},
    {.name = "no-text", .type = R1_OPT_BOOL, .def = "false", .help = "remittance text off"},
    {.name = "epochs", .type = R1_OPT_INT, .def = "6", .min = 1, .max = 200, .help = "of fitting"},
    {.name = "lr", .type = R1_OPT_FLOAT, .def = "0.001", .min = 1e-6, .max = 0.1, .help = "learning rate of fitting"},
    {.name = "seed", .type = R1_OPT_INT, .def = "1", .min = 0, .max = 1e9, .help = "of fitting"},
    {.name = "fpr-velocity78",
     .type = R1_OPT_FLOAT,
     .def = "0.071",
     .min = 0,
     .max = 1,
     .help = "inner false-positive rate at which boosting on both-end velocity recalls .78 (bench/peers/fraud_gbm.py)"},
    {.name = "work", .type = R1_OPT_PATH, .def = "run/fraud-eval", .help = "folder for shards and the fitted model"},
    {.name = "features-out",
     .type = R1_OPT_PATH,
     .help =
         "write the columns of the judged (and training) payments as raw f32 rows (handbook: one file a week, PATH.W); "
         "names in PATH.txt"},
    {.name = "json", .type = R1_OPT_BOOL, .def = "false", .help = "one JSON object"}};
const size_t fraud_eval_n_row = R1_COUNT(fraud_eval_rows);

enum { TRAIN_MAX = 16 };

typedef struct {
    const r1_options *o;
    fraud_layout layout;
    fraud_dataset *data, *train[TRAIN_MAX];
    size_t n_train;
    bool train_is_data; /* one file holds both parts (time splits) */
    char train_path[TRAIN_MAX][512];
    char model[1024];
    double prevalence; /* of the training part; NaN: none */
    bool progress;
} eval_run;

/* ---- loading -------------------------------------------------------------------------------------------------------- */

static r1_status layout_of(eval_run *r, r1_err *err)
{
    const char *name = r1_options_str(r->o, "format");
    if (!name || !r1_options_str(r->o, "data")) R1_FAIL(err, R1_E_INVAL, "--format and --data are needed");
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
        if (len) snprintf(r->train_path[r->n_train++], sizeof r->train_path[0], "%.*s", (int)len, list);
        list += len + (list[len] == ',');
    }
    return R1_OK;
}

static r1_status load_all(eval_run *r, r1_err *err)
{
    const char *data = r1_options_str(r->o, "data");
    R1_TRY(fraud_dataset_load(&r->data, r->layout, data, r1_options_str(r->o, "accounts"), 0, err));
    r->train_is_data = r->n_train == 1 && !strcmp(r->train_path[0], data);
    if (r->layout != FRAUD_LAYOUT_AMLGENTEX && r->n_train) r->train_is_data = true;
    for (size_t i = 0; !r->train_is_data && i < r->n_train; i++)
        R1_TRY(fraud_dataset_load(&r->train[i], r->layout, r->train_path[i], NULL, (uint32_t)i + 1, err));
    return R1_OK;
}

/* ---- figures ---------------------------------------------------------------------------------------------------------- */

typedef struct {
    double sum[64];
    int count[64];
    char name[64][48];
    size_t n;
} figure_means; /* means over the weeks of a protocol */

static void figure(figure_means *m, const char *name, double value)
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
        figure(m, name, fraud_recall(x, n, fraud_threshold_fpr(x, n, rate[k].fpr), 0));
    }
}

static r1_status ring_figures(figure_means *m, const eval_run *r, const fraud_scored *x, size_t n, r1_err *err)
{
    if (!r->data->n_ring) return R1_OK;
    fraud_ring_figures at05, at1;
    R1_TRY(fraud_rings(x, n, fraud_threshold_fpr(x, n, 0.005), &at05, err));
    double one = fraud_threshold_fpr(x, n, 0.01);
    R1_TRY(fraud_rings(x, n, one, &at1, err));
    figure(m, "ring_any_fpr_0_5pct", at05.any);
    figure(m, "ring_half_fpr_0_5pct", at05.half);
    figure(m, "early3_recall_fpr_1pct", at1.early3);
    figure(m, "value_before_alert", at1.value_before);
    figure(m, "recall_at_velocity78",
           fraud_recall(x, n, fraud_threshold_fpr(x, n, r1_options_float(r->o, "fpr-velocity78")), 0));
    double sum = 0;
    int count = 0;
    for (size_t t = 1; t < r->data->n_typology; t++) {
        char name[64];
        double recall = fraud_recall(x, n, one, (unsigned)t);
        if (isnan(recall)) continue;
        snprintf(name, sizeof name, "recall_%s_fpr_1pct", r->data->typologies[t]);
        figure(m, name, recall);
        sum += recall;
        count++;
    }
    figure(m, "recall_macro_fpr_1pct", count ? sum / count : NAN);
    return R1_OK;
}

static size_t select_scored(const eval_run *r, const uint8_t *use, const double *score, const double *prob, bool inner,
                            fraud_scored *x)
{
    size_t n = 0;
    for (size_t i = 0; i < r->data->n; i++) {
        const fraud_case *c = &r->data->cases[i];
        if (use[i] != FRAUD_USE_TEST || c->label == FRAUD_LABEL_UNKNOWN) continue;
        if (inner && (c->from_role != FRAUD_ROLE_ACCOUNT || c->to_role != FRAUD_ROLE_ACCOUNT)) continue;
        x[n++] = (fraud_scored){.score = score[i],
                                .prob = prob[i],
                                .day = c->ts / 86400000,
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

static r1_status judge(const eval_run *r, const uint8_t *use, const double *score, const double *prob, figure_means *m,
                       r1_err *err)
{
    fraud_scored *x = malloc((r->data->n + 1) * sizeof *x);
    if (!x) R1_FAIL(err, R1_E_NOMEM, "no memory for %zu scores", r->data->n);
    bool transfers = r->layout == FRAUD_LAYOUT_AMLGENTEX || r->layout == FRAUD_LAYOUT_AMLSIM;
    size_t n = select_scored(r, use, score, prob, transfers, x), positives = 0;
    for (size_t i = 0; i < n; i++) positives += x[i].label;
    figure(m, "n", (double)n);
    figure(m, "positives", (double)positives);
    figure(m, "auc", fraud_auc(x, n));
    figure(m, "ap", fraud_ap(x, n));
    double rate = isnan(r->prevalence) ? (double)positives / (double)(n ? n : 1) : r->prevalence;
    figure(m, "f1", fraud_f1(x, n, fraud_threshold_rate(x, n, rate)));
    if (!transfers) figure(m, "cp100", fraud_card_precision(x, n, 100));
    figure(m, "ece", fraud_ece(x, n));
    rate_figures(m, x, n, "");
    r1_status st = ring_figures(m, r, x, n, err);
    if (transfers) {
        n = select_scored(r, use, score, prob, false, x);
        figure(m, "auc_all", fraud_auc(x, n));
        figure(m, "ap_all", fraud_ap(x, n));
        rate_figures(m, x, n, "_all");
    }
    free(x);
    return st;
}

/* ---- fitting ----------------------------------------------------------------------------------------------------------- */

static unsigned off_bits(const r1_options *o)
{
    return (r1_options_bool(o, "no-graph") ? FRAUD_CAPTURE_GRAPH : 0u) |
           (r1_options_bool(o, "no-memory") ? FRAUD_CAPTURE_MEMORY : 0u) |
           (r1_options_bool(o, "no-text") ? FRAUD_SAMPLE_TEXT : 0u);
}

static r1_status fit_add(fraud_fit *fit, const fraud_dataset *d, int week, int days, r1_err *err)
{
    uint8_t *use = malloc(d->n);
    if (!use) R1_FAIL(err, R1_E_NOMEM, "no memory");
    fraud_protocol(d, true, week, days, use);
    fraud_source s = fraud_source_dataset(d);
    r1_status st = fraud_fit_add(fit, &s, use, err);
    free(use);
    return st;
}

static r1_status fit(eval_run *r, int week, r1_err *err)
{
    const r1_options *o = r->o;
    fraud_fit_opts opts = {.folder = r1_options_str(o, "work"),
                           .description = {.name = FRAUD_LAYOUT_NAME[r->layout]},
                           .outer_share = r->layout == FRAUD_LAYOUT_AMLGENTEX ? 0.05 : 1,
                           .lr = r1_options_float(o, "lr"),
                           .n_epoch = (uint32_t)r1_options_int(o, "epochs"),
                           .off = off_bits(o),
                           .seed = (uint64_t)r1_options_int(o, "seed"),
                           .progress = r->progress};
    fraud_fit *f = NULL;
    R1_TRY(fraud_fit_new(&f, &opts, err));
    int days = (int)r1_options_int(o, "train-days");
    r1_status st = r->train_is_data ? fit_add(f, r->data, week, days, err) : R1_OK;
    for (size_t i = 0; st == R1_OK && !r->train_is_data && i < r->n_train; i++)
        st = fit_add(f, r->train[i], week, days, err);
    const char *out = r1_options_str(o, "out");
    if (out)
        snprintf(r->model, sizeof r->model, "%s", out);
    else
        snprintf(r->model, sizeof r->model, "%s.gguf", r1_options_str(o, "work"));
    if (st == R1_OK) st = fraud_fit_run(f, r->model, err);
    r->prevalence = fraud_fit_prevalence(f, r->layout == FRAUD_LAYOUT_AMLGENTEX || r->layout == FRAUD_LAYOUT_AMLSIM);
    fraud_fit_free(f);
    return st;
}

/* ---- columns as files --------------------------------------------------------------------------------------------------- */

enum { WEEKS_MAX = 8 };

typedef struct {
    const fraud_dataset *d;
    int n_week;
    FILE *f[WEEKS_MAX];
    uint8_t *use[WEEKS_MAX]; /* u8[d->n] */
    uint8_t *want;
} dump;

static bool put_columns(FILE *to, const float *head, size_t n_head, const fraud_features *f)
{
    float cat[FRAUD_N_PAYMENT_CAT];
    for (int k = 0; k < FRAUD_N_PAYMENT_CAT; k++) cat[k] = (float)f->payment_cat[k];
    fwrite(head, sizeof *head, n_head, to);
    fwrite(f->payment, sizeof(float), FRAUD_N_PAYMENT_NUM, to);
    fwrite(cat, sizeof(float), FRAUD_N_PAYMENT_CAT, to);
    fwrite(f->end, sizeof(float), 2 * FRAUD_N_END_NUM, to);
    fwrite(f->pair, sizeof(float), FRAUD_N_PAIR_NUM, to);
    fwrite(&f->pattern, sizeof(float), FRAUD_N_PATTERN_FEATURE, to);
    return !ferror(to);
}

static r1_status dump_row(void *ctx, size_t i, const fraud_payment *p, const fraud_features *f, const fraud_state *s,
                          r1_err *err)
{
    (void)s;
    dump *d = ctx;
    const fraud_case *c = &d->d->cases[i];
    for (int w = 0; w < d->n_week; w++) {
        if (!d->use[w][i]) continue;
        float head[] = {(float)d->use[w][i],
                        (float)c->label,
                        (float)fraud_payment_inner(p),
                        (float)i,
                        (float)((c->ts - d->d->start) / 86400000),
                        (float)c->from,
                        (float)c->to,
                        (float)c->ring};
        if (!put_columns(d->f[w], head, R1_COUNT(head), f))
            R1_FAIL(err, R1_E_IO, "writing columns: %s", strerror(errno));
    }
    return R1_OK;
}

static void put_list(FILE *f, const char *prefix, const char *const *name, size_t n)
{
    for (size_t i = 0; i < n; i++) fprintf(f, "%s%s\n", prefix, name[i]);
}

static r1_status dump_names(const char *path, r1_err *err)
{
    char at[1100];
    snprintf(at, sizeof at, "%.1090s.txt", path);
    FILE *f = fopen(at, "w");
    if (!f) R1_FAIL(err, R1_E_IO, "%s: %s", at, strerror(errno));
    fprintf(f, "use\nlabel\ninner\nrow\nday\nfrom\nto\nring\n");
    put_list(f, "payment_", FRAUD_PAYMENT_NUM, FRAUD_N_PAYMENT_NUM);
    for (int i = 0; i < FRAUD_N_PAYMENT_CAT; i++) fprintf(f, "cat_%s\n", FRAUD_PAYMENT_CAT[i].name);
    put_list(f, "sender_", FRAUD_END_NUM, FRAUD_N_END_NUM);
    put_list(f, "receiver_", FRAUD_END_NUM, FRAUD_N_END_NUM);
    put_list(f, "pair_", FRAUD_PAIR_NUM, FRAUD_N_PAIR_NUM);
    put_list(f, "pattern_", FRAUD_PATTERN_FEATURE, FRAUD_N_PATTERN_FEATURE);
    fclose(f);
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

static r1_status dump_open(const eval_run *r, const char *path, dump *d, r1_err *err)
{
    int first, last;
    weeks_of(r, &first, &last);
    d->want = calloc(r->data->n, 1);
    if (!d->want) R1_FAIL(err, R1_E_NOMEM, "no memory");
    for (int w = first; w <= last; w++) {
        char at[1040];
        bool weekly = r->layout == FRAUD_LAYOUT_HANDBOOK;
        snprintf(at, sizeof at, weekly ? "%s.%d" : "%s", path, w);
        R1_TRY(dump_names(at, err));
        d->f[d->n_week] = fopen(at, "wb");
        d->use[d->n_week] = malloc(r->data->n);
        if (!d->f[d->n_week]) R1_FAIL(err, R1_E_IO, "%s: %s", at, strerror(errno));
        if (!d->use[d->n_week]) R1_FAIL(err, R1_E_NOMEM, "no memory");
        fraud_protocol(r->data, false, w, (int)r1_options_int(r->o, "train-days"), d->use[d->n_week]);
        for (size_t i = 0; i < r->data->n; i++) d->want[i] |= d->use[d->n_week][i];
        d->n_week++;
    }
    return R1_OK;
}

static r1_status dump_columns(const eval_run *r, const char *path, r1_err *err)
{
    dump d = {.d = r->data};
    r1_status st = dump_open(r, path, &d, err);
    if (st == R1_OK) {
        fraud_source s = fraud_source_dataset(r->data);
        fraud_walk_opts walk = {.flags = FRAUD_CAPTURE_GRAPH, .want = d.want, .progress = r->progress};
        st = fraud_walk(&s, &walk, dump_row, &d, err);
    }
    for (int w = 0; w < WEEKS_MAX; w++) {
        free(d.use[w]);
        if (d.f[w] && fclose(d.f[w]) && st == R1_OK)
            st = r1_err_set(err, R1_E_IO, __FILE__, __LINE__, "%s: %s", path, strerror(errno));
    }
    free(d.want);
    return st;
}

/* ---- the command ------------------------------------------------------------------------------------------------------------ */

static r1_status score_week(eval_run *r, int week, figure_means *m, r1_err *err)
{
    if (r->n_train && !r1_options_bool(r->o, "no-r1")) R1_TRY(fit(r, week, err));
    fraud_engine *e = NULL;
    fraud_engine_opts opts = {.model_path = *r->model ? r->model : NULL,
                              .r1_off = r1_options_bool(r->o, "no-r1"),
                              .graph_off = r1_options_bool(r->o, "no-graph"),
                              .memory_off = r1_options_bool(r->o, "no-memory"),
                              .text_off = r1_options_bool(r->o, "no-text")};
    R1_TRY(fraud_engine_new(&e, &opts, err));
    size_t n = r->data->n;
    uint8_t *use = malloc(n), *want = malloc(n);
    double *score = malloc(n * sizeof *score), *prob = malloc(n * sizeof *prob);
    r1_status st = use && want && score && prob ? R1_OK : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory");
    if (st == R1_OK) {
        fraud_protocol(r->data, false, week, (int)r1_options_int(r->o, "train-days"), use);
        for (size_t i = 0; i < n; i++) want[i] = use[i] == FRAUD_USE_TEST;
        fraud_source s = fraud_source_dataset(r->data);
        st = fraud_walk_score(&s, e, want, r->progress, score, prob, err);
    }
    if (st == R1_OK) st = judge(r, use, score, prob, m, err);
    free(use);
    free(want);
    free(score);
    free(prob);
    fraud_engine_free(e);
    return st;
}

static void print_figures(const eval_run *r, const figure_means *m)
{
    r1_figures *f = r1_figures_new("r1-fraud eval");
    r1_figures_note(f, "data", r1_options_str(r->o, "data"));
    r1_figures_note(f, "train", r1_options_str(r->o, "train") ? r1_options_str(r->o, "train") : "none");
    r1_figures_note(f, "model", r1_options_bool(r->o, "no-r1") || !*r->model ? "rules" : r->model);
    for (size_t i = 0; i < m->n; i++) r1_figures_add(f, m->name[i], m->count[i] ? m->sum[i] / m->count[i] : NAN);
    r1_figures_print(f, r1_options_bool(r->o, "json"), stdout);
    r1_figures_free(f);
}

static r1_status run(eval_run *r, r1_err *err)
{
    R1_TRY(layout_of(r, err));
    R1_TRY(split_paths(r, err));
    if (r1_options_str(r->o, "model")) snprintf(r->model, sizeof r->model, "%s", r1_options_str(r->o, "model"));
    R1_TRY(load_all(r, err));
    const char *columns = r1_options_str(r->o, "features-out");
    if (columns) return dump_columns(r, columns, err);
    figure_means m = {0};
    int first, last;
    weeks_of(r, &first, &last);
    for (int w = first; w <= last; w++) R1_TRY(score_week(r, w, &m, err));
    print_figures(r, &m);
    return R1_OK;
}

int fraud_command_eval(r1_cli_call *call)
{
    eval_run r = {.o = call->opts, .prevalence = NAN, .progress = !r1_options_bool(call->opts, "json")};
    r1_status st = run(&r, &call->err);
    fraud_dataset_free(r.data);
    for (size_t i = 0; i < r.n_train; i++) fraud_dataset_free(r.train[i]);
    return r1_cli_exit(st);
}
