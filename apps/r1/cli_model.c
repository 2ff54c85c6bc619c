/* SPDX-License-Identifier: Apache-2.0 */
/* cli_model.c - r1 train, eval, info: models over shards that the applications wrote. */
#include "cli_r1.h"
#include "r1_pretrain.h"
#include "r1_session.h"
#include "r1_train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- options --------------------------------------------------------------------------------- */

static const r1_option train_rows[] = {
    {.name = "stage",
     .type = R1_OPT_ENUM,
     .def = "finetune",
     .choices = "pretrain|finetune|reinforce|reward",
     .help = "without labels; heads on labels; which evidence to ask for; what a trace of evidence "
             "is worth"},
    {.name = "curriculum",
     .type = R1_OPT_STRING,
     .help = "MEASURE:PACING:START:FULL, from simple to complex: difficulty "
             "items|refs|bytes|ITEM.COLUMN, pacing "
             "linear|root|step, shares of the data and of the training; pretrain also knows the "
             "difficulty mask"},
    {.name = "plot",
     .type = R1_OPT_PATH,
     .help = "SVG picture of the metrics, written at the end; needs --metrics"},
    {.name = "valid",
     .type = R1_OPT_STRING,
     .help = "validation shards, separated by commas: early stopping, calibration"},
    {.name = "out", .type = R1_OPT_PATH, .help = "model file to write (GGUF)"},
    {.name = "description",
     .type = R1_OPT_PATH,
     .help = "model description (JSON); default: the shards' own"},
    {.name = "init",
     .type = R1_OPT_PATH,
     .help = "model to start from; other heads than the shards' make way for new ones"},
    {.name = "checkpoint",
     .type = R1_OPT_PATH,
     .help = "written while training; resumed from when it exists"},
    {.name = "metrics", .type = R1_OPT_PATH, .help = "JSON lines, appended"},
    {.name = "epochs",
     .type = R1_OPT_INT,
     .def = "4",
     .min = 1,
     .max = 10000,
     .help = "passes over the data"},
    {.name = "batch",
     .type = R1_OPT_INT,
     .def = "256",
     .min = 1,
     .max = 4096,
     .unit = "samples",
     .help = "a step's"},
    R1_CLI_SLICES("4"),
    R1_CLI_THREADS,
    {.name = "lr",
     .type = R1_OPT_FLOAT,
     .min = 1e-7,
     .max = 1,
     .help = "highest learning rate; default: 0.002, reinforce 0.001"},
    {.name = "weight-decay",
     .type = R1_OPT_FLOAT,
     .def = "0.01",
     .min = 1e-9,
     .max = 1,
     .help = "AdamW's"},
    {.name = "mean-decay",
     .type = R1_OPT_FLOAT,
     .def = "0",
     .min = 0,
     .max = 0.99999,
     .help = "keep a running mean of the weights with this decay and validate it; 0: none"},
    {.name = "beta",
     .type = R1_OPT_FLOAT,
     .min = 0,
     .max = 0.9,
     .help = "CAWA's beta; default: the init model's or the description's"},
    {.name = "item-drop",
     .type = R1_OPT_FLOAT,
     .def = "0.05",
     .min = -1,
     .max = 0.9,
     .help = "chance that an item is hidden; -1: never"},
    {.name = "int8",
     .type = R1_OPT_BOOL,
     .def = "false",
     .help = "finetune: for int8, linear layers round to learned steps; starts well from a trained "
             "--init"},
    {.name = "metric",
     .type = R1_OPT_ENUM,
     .def = "loss",
     .choices = "loss|ap|top1",
     .help = "what early stopping watches"},
    {.name = "calibration",
     .type = R1_OPT_ENUM,
     .def = "temperature",
     .choices = "temperature|isotonic",
     .help =
         "of binary heads: scale and bias, or these and a monotone map (pool adjacent violators)"},
    {.name = "patience",
     .type = R1_OPT_INT,
     .def = "3",
     .min = 1,
     .max = 1000,
     .help = "validations without gain"},
    {.name = "seed",
     .type = R1_OPT_INT,
     .def = "1",
     .min = 0,
     .max = 9e15,
     .help = "of weights and order"},
    {.name = "no-length", .type = R1_OPT_BOOL, .def = "false", .help = "CAWA's length factor off"},
    {.name = "no-context",
     .type = R1_OPT_BOOL,
     .def = "false",
     .help = "CAWA's context factor off"},
    {.name = "off", .type = R1_OPT_STRING, .help = "items never shown, separated by commas"},
    {.name = "mask",
     .type = R1_OPT_FLOAT,
     .def = "0.2",
     .min = 0.01,
     .max = 0.9,
     .help = "pretrain: share of tokens and columns that are hidden"},
    {.name = "parts",
     .type = R1_OPT_STRING,
     .help = "pretrain: of tokens,columns,next,align those to learn from, each with =WEIGHT or "
             "alone; default: all"},
    {.name = "truth",
     .type = R1_OPT_STRING,
     .help = "reinforce, reward: the head whose label is right; default: the first"},
    {.name = "given",
     .type = R1_OPT_STRING,
     .help = "reinforce, reward: items that every trace starts with"},
    {.name = "needs",
     .type = R1_OPT_STRING,
     .help = "reinforce, reward: ITEM=ITEM+ITEM,...: one of these must be held before"},
    {.name = "asks",
     .type = R1_OPT_INT,
     .def = "0",
     .min = 0,
     .max = 24,
     .help = "reinforce, reward: most items asked; 0: all"},
    {.name = "steps",
     .type = R1_OPT_INT,
     .def = "300",
     .min = 1,
     .max = 1e7,
     .help = "reinforce, reward: updates"},
    {.name = "cases",
     .type = R1_OPT_INT,
     .def = "32",
     .min = 1,
     .max = 4096,
     .help = "reinforce, reward: cases a step"},
    {.name = "traces",
     .type = R1_OPT_INT,
     .def = "16",
     .min = 2,
     .max = 1024,
     .help = "reinforce, reward: traces a case"},
    {.name = "cost",
     .type = R1_OPT_STRING,
     .help = "reinforce: ITEM=COST,...: what asking costs of the 1 that a right verdict earns"},
    {.name = "variant",
     .type = R1_OPT_ENUM,
     .def = "dr_grpo",
     .choices = "grpo|dr_grpo",
     .help = "reinforce: the second without bias by length and deviation"},
    {.name = "entropy",
     .type = R1_OPT_FLOAT,
     .def = "0.05",
     .min = -1,
     .max = 10,
     .help = "reinforce: what keeps it trying; below 0: none"},
    {.name = "kl",
     .type = R1_OPT_FLOAT,
     .def = "0",
     .min = 0,
     .max = 10,
     .help = "reinforce: weight of the divergence from the start"},
    {.name = "reward-model",
     .type = R1_OPT_PATH,
     .help = "reinforce: a model of --stage reward that judges beside the label"},
    {.name = "reward-share",
     .type = R1_OPT_FLOAT,
     .def = "0.5",
     .min = 0.01,
     .max = 1,
     .help = "reinforce: the share that it judges"},
    {.name = "json", .type = R1_OPT_BOOL, .def = "false", .help = "print one JSON object"},
};

static const r1_option eval_rows[] = {
    {.name = "model", .type = R1_OPT_PATH, .help = "model file"},
    {.name = "head", .type = R1_OPT_STRING, .help = "head to judge; default: the first"},
    {.name = "off", .type = R1_OPT_STRING, .help = "items treated as absent, separated by commas"},
    {.name = "steps",
     .type = R1_OPT_INT,
     .def = "0",
     .min = 0,
     .max = 24,
     .help = "stop after so many items; 0: all"},
    {.name = "no-length", .type = R1_OPT_BOOL, .def = "false", .help = "CAWA's length factor off"},
    {.name = "no-context",
     .type = R1_OPT_BOOL,
     .def = "false",
     .help = "CAWA's context factor off"},
    {.name = "beta",
     .type = R1_OPT_FLOAT,
     .min = 0,
     .max = 0.9,
     .help = "CAWA's beta; default: the file's"},
    {.name = "int8",
     .type = R1_OPT_BOOL,
     .def = "false",
     .help = "also with linear layers in 8-bit integers: the figures, and what they change, beside "
             "those in f32"},
    {.name = "backend",
     .type = R1_OPT_ENUM,
     .def = "cpu",
     .choices = "cpu|reference|cuda",
     .help = "what runs the plan"},
    {.name = "policy",
     .type = R1_OPT_STRING,
     .help = "judge this head of --stage reinforce (\"act\") as a policy, with the options below "
             "as in training"},
    {.name = "truth",
     .type = R1_OPT_STRING,
     .help = "policy: the shards' head whose label is right; default: the first"},
    {.name = "given", .type = R1_OPT_STRING, .help = "policy: items that every trace starts with"},
    {.name = "needs",
     .type = R1_OPT_STRING,
     .help = "policy: ITEM=ITEM+ITEM,...: one of these must be held before"},
    {.name = "asks",
     .type = R1_OPT_INT,
     .def = "0",
     .min = 0,
     .max = 24,
     .help = "policy: most items asked; 0: all"},
    {.name = "cost",
     .type = R1_OPT_STRING,
     .help = "policy: ITEM=COST,...: what asking costs of the 1 that a right verdict earns"},
    {.name = "retrieval",
     .type = R1_OPT_BOOL,
     .def = "false",
     .help = "how often each item finds another one's row of its own sample in the common space, "
             "among 256"},
    {.name = "json", .type = R1_OPT_BOOL, .def = "false", .help = "print one JSON object"},
};

static const r1_option info_rows[] = {
    {.name = "description",
     .type = R1_OPT_BOOL,
     .def = "false",
     .help = "print the description (JSON) alone"},
    {.name = "json", .type = R1_OPT_BOOL, .def = "false", .help = "print one JSON object"},
};

/* ---- helpers --------------------------------------------------------------------------------- */

r1_status cli_split(cli_list *l, const char *text, r1_err *err)
{
    memset(l, 0, sizeof *l);
    if (!text) return R1_OK;
    size_t len = strlen(text) + 1;
    l->copy = malloc(len);
    if (!l->copy) R1_FAIL(err, R1_E_NOMEM, "out of memory");
    memcpy(l->copy, text, len);
    for (char *p = l->copy; p;) {
        char *comma = strchr(p, ',');
        if (comma) *comma++ = 0;
        if (l->n == CLI_PATHS_MAX)
            R1_FAIL(err, R1_E_INVAL, "more than %d names in \"%.60s...\"", CLI_PATHS_MAX, text);
        l->item[l->n++] = p;
        p = comma;
    }
    return R1_OK;
}

r1_status cli_items(const r1_model *m, const char *option, const char *names, uint32_t *mask,
                    r1_err *err)
{
    cli_list l;
    *mask = 0;
    r1_status st = cli_split(&l, names, err);
    for (size_t i = 0; st == R1_OK && i < l.n; i++) {
        int k = r1_model_item(m, l.item[i]);
        if (k < 0)
            st = r1_err_set(err, R1_E_INVAL, __FILE__, __LINE__,
                            "%s %s: the model has no such item", option, l.item[i]);
        else
            *mask |= 1u << k;
    }
    free(l.copy);
    return st;
}

static uint32_t run_flags(const r1_options *o)
{
    return (r1_options_bool(o, "no-length") ? R1_RUN_NO_LENGTH : 0u) |
           (r1_options_bool(o, "no-context") ? R1_RUN_NO_CONTEXT : 0u);
}

double cli_beta(const r1_options *o)
{
    double beta = r1_options_has(o, "beta") ? r1_options_float(o, "beta") : 0;
    return r1_options_has(o, "beta") && beta == 0 ? -1 : beta;
}

static void add_eval(r1_figures *f, const r1_eval *v)
{
    r1_figures_add(f, "n", (double)v->n);
    r1_figures_add(f, "positives", (double)v->n_positive);
    r1_figures_add(f, "loss", v->loss);
    if (!isnan(v->auc)) {
        r1_figures_add(f, "auc", v->auc);
        r1_figures_add(f, "ap", v->ap);
        r1_figures_add(f, "ece", v->ece);
    }
    if (!isnan(v->top1)) {
        r1_figures_add(f, "top1", v->top1);
        r1_figures_add(f, "mrr", v->mrr);
    }
}

/* ---- train ----------------------------------------------------------------------------------- */

/* Items to hide are named before a model exists: one is made from the same description to ask
 * it. */
static r1_status hidden_items(const char *const *shard, const char *description, const char *names,
                              uint32_t *mask, r1_err *err)
{
    r1_shard *s = NULL;
    r1_model *m = NULL;
    *mask = 0;
    if (!names) return R1_OK;
    r1_status st = r1_shard_open(&s, shard[0], err);
    if (st == R1_OK)
        st = r1_model_new(&m, description ? description : r1_shard_description(s), 0, err);
    if (st == R1_OK) st = cli_items(m, "--off", names, mask, err);
    r1_model_free(m);
    r1_shard_close(s);
    return st;
}

static r1_stop_metric model_metric_of(const char *name)
{
    return strcmp(name, "ap") == 0     ? R1_STOP_AP
           : strcmp(name, "top1") == 0 ? R1_STOP_TOP1
                                       : R1_STOP_LOSS;
}

static r1_status run_training(r1_cli_call *call, const cli_list *valid, const char *description,
                              uint32_t items_off, r1_train_report *rep)
{
    const r1_options *o = call->opts;
    r1_train_opts t = {.run = {.train = call->rest,
                               .n_train = call->n_rest,
                               .valid = valid->n ? valid->item : NULL,
                               .n_valid = valid->n,
                               .description = description,
                               .out = r1_options_str(o, "out"),
                               .checkpoint = r1_options_str(o, "checkpoint"),
                               .metrics = r1_options_str(o, "metrics"),
                               .lr = r1_options_has(o, "lr") ? r1_options_float(o, "lr") : 0,
                               .weight_decay = r1_options_float(o, "weight-decay"),
                               .n_slice = (uint32_t)r1_options_int(o, "slices"),
                               .n_thread = (uint32_t)r1_options_int(o, "threads"),
                               .patience = (uint32_t)r1_options_int(o, "patience"),
                               .seed = (uint64_t)r1_options_int(o, "seed"),
                               .progress = true,
                               .stopped = r1_cli_stopped},
                       .init = r1_options_str(o, "init"),
                       .mean_decay = r1_options_float(o, "mean-decay"),
                       .beta = cli_beta(o),
                       .item_drop = r1_options_float(o, "item-drop"),
                       .n_epoch = (uint32_t)r1_options_int(o, "epochs"),
                       .n_batch = (uint32_t)r1_options_int(o, "batch"),
                       .curriculum = r1_options_str(o, "curriculum"),
                       .int8 = r1_options_bool(o, "int8"),
                       .isotonic = strcmp(r1_options_str(o, "calibration"), "isotonic") == 0,
                       .metric = model_metric_of(r1_options_str(o, "metric")),
                       .run_flags = run_flags(o),
                       .items_off = items_off};
    return r1_train(&t, rep, &call->err);
}

static int model_finetune(r1_cli_call *call, const cli_list *valid, const char *description,
                          uint32_t items_off)
{
    r1_train_report rep;
    r1_status st = run_training(call, valid, description, items_off, &rep);
    r1_figures *f = st == R1_OK ? r1_figures_new("r1 train") : NULL;
    if (f) {
        r1_figures_note(f, "model", r1_options_str(call->opts, "out"));
        r1_figures_add(f, "steps", (double)rep.n_step);
        r1_figures_add(f, "seconds", rep.seconds);
        r1_figures_add(f, "samples_s", rep.samples_s);
        if (valid->n) add_eval(f, &rep.valid);
        if (valid->n && !isnan(rep.raw.ece)) {
            r1_figures_add(f, "ece_before", rep.raw.ece);
            r1_figures_add(f, "ece_crossed", rep.ece_crossed);
            r1_figures_add(f, "loss_before", rep.raw.loss);
        }
        r1_figures_print(f, r1_options_bool(call->opts, "json"), stdout);
    }
    r1_figures_free(f);
    return r1_cli_exit(st);
}

static r1_status read_train(r1_cli_call *call, cli_list *valid, char **description,
                            uint32_t *items_off)
{
    const r1_options *o = call->opts;
    size_t len;
    R1_TRY(cli_split(valid, r1_options_str(o, "valid"), &call->err));
    if (!call->n_rest || !r1_options_str(o, "out"))
        R1_FAIL(&call->err, R1_E_INVAL, "name at least one shard, and --out");
    if (r1_options_str(o, "plot") && !r1_options_str(o, "metrics"))
        R1_FAIL(&call->err, R1_E_INVAL, "--plot draws what --metrics wrote: name both");
    if (r1_options_str(o, "description"))
        R1_TRY(
            r1_file_read(r1_options_str(o, "description"), 1 << 20, description, &len, &call->err));
    return hidden_items(call->rest, *description, r1_options_str(o, "off"), items_off, &call->err);
}

static int model_train(r1_cli_call *call)
{
    cli_list valid = {0};
    char *description = NULL;
    uint32_t items_off = 0;
    const char *stage = r1_options_str(call->opts, "stage"),
               *plot = r1_options_str(call->opts, "plot");
    r1_status st = read_train(call, &valid, &description, &items_off);
    int code = r1_cli_exit(st);
    if (st == R1_OK)
        code = strcmp(stage, "reinforce") == 0 ? cli_reinforce(call, &valid, description)
               : strcmp(stage, "reward") == 0  ? cli_reward(call, &valid, description)
               : strcmp(stage, "pretrain") == 0
                   ? cli_pretrain(call, &valid, description, items_off)
                   : model_finetune(call, &valid, description, items_off);
    if (st == R1_OK && code == R1_EXIT_OK && plot)
        code = r1_cli_exit(cli_plot(r1_options_str(call->opts, "metrics"), plot, &call->err));
    free(valid.copy);
    free(description);
    return code;
}

/* ---- eval ------------------------------------------------------------------------------------ */

static r1_status model_head_of(const r1_model *m, const char *name, uint32_t *head, r1_err *err)
{
    *head = 0;
    if (!name) return R1_OK;
    for (uint32_t h = 0; h < r1_model_n_head(m); h++)
        if (strcmp(r1_model_head_name(m, h), name) == 0) {
            *head = h;
            return R1_OK;
        }
    R1_FAIL(err, R1_E_INVAL, "--head %s: the model has no such head", name);
}

/* The scores of one pass; NAN labels are left out. */
typedef struct {
    float *logit, *label;
    uint64_t *group;
    size_t n, cap;
    bool full;
    double seconds;
} scored;

static void scored_free(scored *s)
{
    free(s->logit);
    free(s->label);
    free(s->group);
}

static void take_score(void *ctx, uint64_t id, uint64_t group, float label, float logit)
{
    (void)id;
    scored *s = ctx;
    if (isnan(label)) return;
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 4096;
        float *a = r1_realloc_array(s->logit, cap, sizeof *a);
        if (a) s->logit = a;
        float *b = r1_realloc_array(s->label, cap, sizeof *b);
        if (b) s->label = b;
        uint64_t *c = r1_realloc_array(s->group, cap, sizeof *c);
        if (c) s->group = c;
        s->full |= !a || !b || !c;
        if (s->full) return;
        s->cap = cap;
    }
    s->logit[s->n] = logit;
    s->label[s->n] = label;
    s->group[s->n++] = group;
}

static r1_status run_eval(r1_cli_call *call, r1_model *m, bool int8, r1_eval *v, scored *s)
{
    const r1_options *o = call->opts;
    r1_eval_opts e = {.run_flags = run_flags(o),
                      .n_step = (uint32_t)r1_options_int(o, "steps"),
                      .backend = r1_options_str(o, "backend"),
                      .int8 = int8,
                      .each = take_score,
                      .ctx = s};
    R1_TRY(model_head_of(m, r1_options_str(o, "head"), &e.head, &call->err));
    R1_TRY(cli_items(m, "--off", r1_options_str(o, "off"), &e.items_off, &call->err));
    if (r1_options_has(o, "beta"))
        R1_TRY(r1_model_set_beta(m, (float)r1_options_float(o, "beta"), &call->err));
    int64_t began = r1_mono_us();
    R1_TRY(r1_evaluate(m, call->rest, call->n_rest, &e, v, &call->err));
    s->seconds = (double)(r1_mono_us() - began) * 1e-6;
    if (s->full) R1_FAIL(&call->err, R1_E_NOMEM, "no memory for %zu scores", 2 * s->cap);
    return R1_OK;
}

/* What int8 changes: the metric's difference with its interval, in itself and of the metric. */
static r1_status add_int8(r1_cli_call *call, r1_figures *f, r1_model *m, const r1_eval *v,
                          const scored *first)
{
    r1_eval v8;
    r1_comparison c;
    scored second = {0};
    r1_status st = run_eval(call, m, true, &v8, &second);
    bool rank = !isnan(v->top1);
    r1_compare_opts o = {.first = first->logit,
                         .second = second.logit,
                         .label = first->label,
                         .group = rank ? first->group : NULL,
                         .n = first->n,
                         .rank = rank,
                         .seed = 1};
    if (st == R1_OK) st = r1_compare(&o, &c, &call->err);
    if (st == R1_OK) {
        double base = rank ? v->top1 : v->ap;
        r1_figures_add(f, "int8_loss", v8.loss);
        r1_figures_add(f, rank ? "int8_top1" : "int8_ap", rank ? v8.top1 : v8.ap);
        r1_figures_add(f, "int8_change", (c.second - c.first) / base);
        r1_figures_add(f, "int8_change_low", c.low / base);
        r1_figures_add(f, "int8_change_high", c.high / base);
        r1_figures_add(f, "int8_kl", c.kl);
        r1_figures_add(f, "int8_agree", c.agree);
        r1_figures_add(f, "int8_speedup", first->seconds / second.seconds);
    }
    scored_free(&second);
    return st;
}

void cli_retrieval(r1_figures *f, const r1_model *m, const char *what, const r1_retrieval *p,
                   double value)
{
    char name[160];
    snprintf(name, sizeof name, "recall1%s_%.60s_%.60s", what, r1_model_item_name(m, p->a),
             r1_model_item_name(m, p->b));
    r1_figures_add(f, name, value);
}

static r1_status add_retrieval(r1_figures *f, const r1_cli_call *call, const r1_model *m,
                               r1_err *err)
{
    r1_retrieval pair[R1_PRETRAIN_PAIRS_MAX];
    size_t n;
    R1_TRY(r1_retrieve(m, call->rest, call->n_rest, pair, &n, err));
    for (size_t k = 0; k < n; k++) {
        if (!pair[k].n) continue;
        cli_retrieval(f, m, "", &pair[k], pair[k].before);
        cli_retrieval(f, m, "_chance", &pair[k], pair[k].chance);
    }
    return R1_OK;
}

static r1_status judge_heads(r1_cli_call *call, r1_model *m, r1_figures *f)
{
    const r1_options *o = call->opts;
    r1_eval v;
    scored s = {0};
    r1_status st = run_eval(call, m, false, &v, &s);
    if (st == R1_OK) add_eval(f, &v);
    if (st == R1_OK && r1_options_bool(o, "retrieval")) st = add_retrieval(f, call, m, &call->err);
    if (st == R1_OK && r1_options_bool(o, "int8")) st = add_int8(call, f, m, &v, &s);
    scored_free(&s);
    return st;
}

static int model_eval(r1_cli_call *call)
{
    r1_model *m = NULL;
    const char *path = r1_options_str(call->opts, "model");
    r1_figures *f = r1_figures_new("r1 eval");
    r1_status st = !f ? r1_err_set(&call->err, R1_E_NOMEM, __FILE__, __LINE__, "out of memory")
                   : path && call->n_rest ? R1_OK
                                          : r1_err_set(&call->err, R1_E_INVAL, __FILE__, __LINE__,
                                                       "name --model and at least one shard");
    if (st == R1_OK) st = r1_model_open(&m, path, &call->err);
    if (st == R1_OK) {
        r1_figures_note(f, "model", path);
        r1_figures_note(f, "data", call->rest[0]);
        st = r1_options_has(call->opts, "policy") ? cli_judge(call, m, f) : judge_heads(call, m, f);
    }
    if (st == R1_OK) r1_figures_print(f, r1_options_bool(call->opts, "json"), stdout);
    r1_figures_free(f);
    r1_model_free(m);
    return r1_cli_exit(st);
}

/* ---- info ------------------------------------------------------------------------------------ */

static void part_flop(void *ctx, const char *part, uint64_t flop)
{
    char name[96];
    snprintf(name, sizeof name, "flop_%.80s", part);
    r1_figures_add(ctx, name, (double)flop);
}

static void add_calibration(r1_figures *f, const r1_model *m)
{
    char name[128];
    for (size_t h = 0; h < r1_model_n_head(m); h++) {
        r1_calibration c = r1_model_calibration(m, h);
        snprintf(name, sizeof name, "head_%s_scale", r1_model_head_name(m, h));
        r1_figures_add(f, name, (double)c.scale);
        snprintf(name, sizeof name, "head_%s_bias", r1_model_head_name(m, h));
        r1_figures_add(f, name, (double)c.bias);
        if (!r1_model_isotonic(m, h).n) continue;
        snprintf(name, sizeof name, "head_%s_isotonic_knots", r1_model_head_name(m, h));
        r1_figures_add(f, name, r1_model_isotonic(m, h).n);
    }
}

static r1_status model_describe(r1_cli_call *call, const r1_model *m)
{
    static const char *const kinds[] = {"table", "text", "graph", "memory"};
    bool json = r1_options_bool(call->opts, "json");
    char hash[20], items[1024] = "";
    r1_model_info info;
    R1_TRY(r1_model_get_info(m, &info, &call->err));
    r1_figures *f = r1_figures_new("r1 info");
    if (!f) R1_FAIL(&call->err, R1_E_NOMEM, "out of memory");
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)r1_model_schema_hash(m));
    for (size_t i = 0, n = 0; i < r1_model_n_item(m) && n < sizeof items - 100; i++)
        n += (size_t)snprintf(items + n, sizeof items - n, "%s%.60s (%s)", i ? ", " : "",
                              r1_model_item_name(m, i), kinds[r1_model_item_kind(m, i)]);
    r1_figures_note(f, "model", call->rest[0]);
    r1_figures_note(f, "name", r1_model_name(m));
    r1_figures_note(f, "schema_hash", hash);
    r1_figures_note(f, "items", items);
    r1_figures_add(f, "weights", (double)info.n_weight);
    r1_figures_add(f, "file_bytes", (double)info.weight_bytes);
    r1_figures_add(f, "ops", info.n_op);
    r1_figures_add(f, "trained_samples", (double)info.trained_samples);
    r1_figures_add(f, "beta", (double)r1_model_beta(m));
    r1_figures_note(f, "int8_steps", info.int8_steps ? "learned" : "none");
    r1_figures_add(f, "mflop_sample", (double)info.flop_sample * 1e-6);
    r1_status st = r1_model_flops(m, part_flop, f, &call->err);
    add_calibration(f, m);
    r1_figures_print(f, json, stdout);
    r1_figures_free(f);
    return st;
}

static int model_info(r1_cli_call *call)
{
    r1_model *m = NULL;
    r1_status st = call->n_rest == 1 ? R1_OK
                                     : r1_err_set(&call->err, R1_E_INVAL, __FILE__, __LINE__,
                                                  "name one model file");
    if (st == R1_OK) st = r1_model_open(&m, call->rest[0], &call->err);
    if (st == R1_OK && r1_options_bool(call->opts, "description"))
        printf("%s\n", r1_model_description(m));
    else if (st == R1_OK)
        st = model_describe(call, m);
    r1_model_free(m);
    return r1_cli_exit(st);
}

const r1_command cli_model_commands[] = {
    {.name = "train",
     .summary = "trains a model on shards; cut and run again, it goes on from its checkpoint to "
                "the same bytes",
     .examples = "r1 train --out m.gguf --valid valid.r1s train.r1s\n"
                 "r1 train --out m.gguf --valid v.r1s --checkpoint m.ck --epochs 8 --metrics "
                 "m.jsonl a.r1s b.r1s\n"
                 "r1 train --init base.gguf --out tuned.gguf --lr 0.0005 --valid v.r1s new.r1s\n"
                 "r1 train --stage pretrain --curriculum mask:linear:0.3:0.5 --out base.gguf "
                 "--valid v.r1s a.r1s b.r1s\n"
                 "r1 train --stage reward --given row --out worth.gguf --valid v.r1s a.r1s\n"
                 "r1 train --stage reinforce --given row --cost history=0.02,ego=0.05 "
                 "--reward-model worth.gguf --out "
                 "policy.gguf --valid v.r1s a.r1s",
     .options = train_rows,
     .n_options = R1_COUNT(train_rows),
     .run = model_train},
    {.name = "eval",
     .summary = "figures of a model on shards; switches take items and CAWA's factors away",
     .examples = "r1 eval --model m.gguf test.r1s --json\n"
                 "r1 eval --model m.gguf --off history,graph test.r1s\nr1 eval --model m.gguf "
                 "--no-context test.r1s\n"
                 "r1 eval --model policy.gguf --policy act --given row --cost "
                 "history=0.02,ego=0.05 test.r1s",
     .options = eval_rows,
     .n_options = R1_COUNT(eval_rows),
     .run = model_eval},
    {.name = "info",
     .summary = "what a model file holds: items, schema hash, size, work per sample counted from "
                "the plan, calibration",
     .examples = "r1 info m.gguf\nr1 info --description m.gguf",
     .options = info_rows,
     .n_options = R1_COUNT(info_rows),
     .run = model_info},
};
const size_t cli_model_n = R1_COUNT(cli_model_commands);
