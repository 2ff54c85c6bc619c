/* SPDX-License-Identifier: Apache-2.0 */
/* cli_stage.c - r1 train: its options, each with the stages that use it, and the four stages.
 *
 * A row's `only` says for which stages it holds; r1_options_check refuses it in the others.
 * Defaults are those of r1_run.h. For reinforce and reward, names of items become bits and costs,
 * and the stage's head joins the shards' description. */
#include "cli_r1.h"
#include "files/outputs.h"
#include "r1_pretrain.h"
#include "r1_reinforce.h"
#include "r1_train.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const r1_option train_rows[] = {
    {.name = "stage",
     .type = R1_OPT_ENUM,
     .def = "finetune",
     .choices = "pretrain|finetune|reinforce|reward",
     .help = "without labels; heads on labels; which evidence to ask for; what a trace of evidence "
             "is worth"},
    {.name = "curriculum",
     .only = "stage=pretrain|finetune|reinforce",
     .type = R1_OPT_STRING,
     .help = "MEASURE:PACING:START:FULL, from simple to complex: difficulty "
             "items|refs|bytes|ITEM.COLUMN, pacing "
             "linear|root|step, shares of the data and of the training; pretrain also knows the "
             "difficulty mask"},
    {.name = "plot",
     .type = R1_OPT_PATH,
     .only = "metrics",
     .help = "SVG picture of the metrics, written at the end"},
    {.name = "valid",
     .type = R1_OPT_STRING,
     .help = "validation shards, separated by commas: early stopping, calibration"},
    {.name = "out", .type = R1_OPT_PATH, .help = "model file to write (GGUF)"},
    {.name = "description",
     .type = R1_OPT_PATH,
     .help = "model description (JSON); default: the shards' own"},
    {.name = "init",
     .only = "stage=pretrain|finetune|reinforce",
     .type = R1_OPT_PATH,
     .help = "model to start from; other heads than the shards' make way for new ones"},
    {.name = "checkpoint",
     .type = R1_OPT_PATH,
     .help = "written while training; resumed from when it exists"},
    {.name = "metrics", .type = R1_OPT_PATH, .help = "JSON lines, appended"},
    {.name = "epochs",
     .only = "stage=pretrain|finetune",
     .type = R1_OPT_INT,
     .def = R1_TEXT_OF(R1_DEFAULT_EPOCHS),
     .min = 1,
     .max = 10000,
     .help = "passes over the data"},
    {.name = "batch",
     .only = "stage=pretrain|finetune",
     .type = R1_OPT_INT,
     .def = R1_TEXT_OF(R1_DEFAULT_BATCH),
     .min = 1,
     .max = 4096,
     .unit = "samples",
     .help = "a step's"},
    R1_CLI_SLICES("4"),
    R1_CLI_THREADS,
    R1_CLI_DEVICE(NULL),
    {.name = "lr",
     .type = R1_OPT_FLOAT,
     .min = 1e-7,
     .max = 1,
     .help = "highest learning rate; default: " R1_TEXT_OF(R1_DEFAULT_LR) ", reinforce " R1_TEXT_OF(
         R1_DEFAULT_LR_REINFORCE)},
    {.name = "weight-decay",
     .type = R1_OPT_FLOAT,
     .def = R1_TEXT_OF(R1_DEFAULT_WEIGHT_DECAY),
     .min = 1e-9,
     .max = 1,
     .help = "AdamW's"},
    {.name = "mean-decay",
     .only = "stage=finetune",
     .type = R1_OPT_FLOAT,
     .def = "0",
     .min = 0,
     .max = 0.99999,
     .help = "keep a running mean of the weights with this decay and validate it; 0: none"},
    {.name = "beta",
     .only = "stage=finetune|reinforce|reward",
     .type = R1_OPT_FLOAT,
     .min = 0,
     .max = 0.9,
     .help = "CAWA's beta; default: the init model's or the description's"},
    {.name = "item-drop",
     .only = "stage=finetune",
     .type = R1_OPT_FLOAT,
     .def = R1_TEXT_OF(R1_DEFAULT_ITEM_DROP),
     .min = -1,
     .max = 0.9,
     .help = "chance that an item is hidden; -1: never"},
    {.name = "int8",
     .only = "stage=finetune",
     .type = R1_OPT_BOOL,
     .def = "false",
     .help = "for int8, linear layers round to learned steps; starts well from a trained "
             "--init"},
    {.name = "metric",
     .only = "stage=finetune",
     .type = R1_OPT_ENUM,
     .def = "loss",
     .choices = "loss|ap|top1",
     .help = "what early stopping watches"},
    {.name = "calibration",
     .only = "stage=finetune",
     .type = R1_OPT_ENUM,
     .def = "temperature",
     .choices = "temperature|isotonic",
     .help =
         "of binary heads: scale and bias, or these and a monotone map (pool adjacent violators)"},
    {.name = "patience",
     .type = R1_OPT_INT,
     .def = R1_TEXT_OF(R1_DEFAULT_PATIENCE),
     .min = 1,
     .max = 1000,
     .help = "validations without gain"},
    {.name = "seed",
     .type = R1_OPT_INT,
     .def = "1",
     .min = 0,
     .max = 9e15,
     .help = "of weights and order"},
    {.name = "no-length",
     .only = "stage=finetune",
     .type = R1_OPT_BOOL,
     .def = "false",
     .help = "CAWA's length factor off"},
    {.name = "no-context",
     .only = "stage=finetune",
     .type = R1_OPT_BOOL,
     .def = "false",
     .help = "CAWA's context factor off"},
    {.name = "off",
     .only = "stage=pretrain|finetune",
     .type = R1_OPT_STRING,
     .help = "items never shown, separated by commas"},
    {.name = "mask",
     .only = "stage=pretrain",
     .type = R1_OPT_FLOAT,
     .def = R1_TEXT_OF(R1_DEFAULT_MASK),
     .min = 0.01,
     .max = 0.9,
     .help = "share of tokens and columns that are hidden"},
    {.name = "parts",
     .only = "stage=pretrain",
     .type = R1_OPT_STRING,
     .help = "of tokens,columns,next,align those to learn from, each with =WEIGHT or "
             "alone; default: all"},
    {.name = "truth",
     .only = "stage=reinforce|reward",
     .type = R1_OPT_STRING,
     .help = "the head whose label is right; default: the first"},
    {.name = "given",
     .only = "stage=reinforce|reward",
     .type = R1_OPT_STRING,
     .help = "items that every trace starts with"},
    {.name = "needs",
     .only = "stage=reinforce|reward",
     .type = R1_OPT_STRING,
     .help = "ITEM=ITEM+ITEM,...: one of these must be held before"},
    {.name = "asks",
     .only = "stage=reinforce|reward",
     .type = R1_OPT_INT,
     .def = "0",
     .min = 0,
     .max = 24,
     .help = "most items asked; 0: all"},
    {.name = "steps",
     .only = "stage=reinforce|reward",
     .type = R1_OPT_INT,
     .def = R1_TEXT_OF(R1_DEFAULT_STEPS),
     .min = 1,
     .max = 1e7,
     .help = "updates"},
    {.name = "cases",
     .only = "stage=reinforce|reward",
     .type = R1_OPT_INT,
     .def = R1_TEXT_OF(R1_DEFAULT_CASES),
     .min = 1,
     .max = 4096,
     .help = "cases a step"},
    {.name = "traces",
     .only = "stage=reinforce|reward",
     .type = R1_OPT_INT,
     .def = R1_TEXT_OF(R1_DEFAULT_TRACES),
     .min = 2,
     .max = 1024,
     .help = "traces a case"},
    {.name = "cost",
     .only = "stage=reinforce",
     .type = R1_OPT_STRING,
     .help = "ITEM=COST,...: what asking costs of the 1 that a right verdict earns"},
    {.name = "variant",
     .only = "stage=reinforce",
     .type = R1_OPT_ENUM,
     .def = "dr_grpo",
     .choices = "grpo|dr_grpo",
     .help = "the second without bias by length and deviation"},
    {.name = "entropy",
     .only = "stage=reinforce",
     .type = R1_OPT_FLOAT,
     .def = R1_TEXT_OF(R1_DEFAULT_ENTROPY),
     .min = -1,
     .max = 10,
     .help = "what keeps it trying; below 0: none"},
    {.name = "kl",
     .only = "stage=reinforce",
     .type = R1_OPT_FLOAT,
     .def = "0",
     .min = 0,
     .max = 10,
     .help = "weight of the divergence from the start"},
    {.name = "reward-model",
     .only = "stage=reinforce",
     .type = R1_OPT_PATH,
     .help = "a model of --stage reward that judges beside the label"},
    {.name = "reward-share",
     .only = "stage=reinforce",
     .type = R1_OPT_FLOAT,
     .def = R1_TEXT_OF(R1_DEFAULT_REWARD_SHARE),
     .min = 0.01,
     .max = 1,
     .help = "the share that it judges"},
    {.name = "json", .type = R1_OPT_BOOL, .def = "false", .help = "print one JSON object"},
};

/* What all stages read from the command line. */
typedef struct {
    r1_cli_call *call;
    cli_list valid;
    char *description; /* owned; NULL: the shards' own */
    uint32_t items_off;
    cli_rules rules; /* of reinforce and reward */
} training;

static r1_run_opts train_run_opts(const training *t)
{
    const r1_options *o = t->call->opts;
    return (r1_run_opts){.train = t->call->rest,
                         .n_train = t->call->n_rest,
                         .valid = t->valid.n ? t->valid.item : NULL,
                         .n_valid = t->valid.n,
                         .description = t->description,
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
                         .stopped = r1_cli_stopped};
}

/* ---- description ----------------------------------------------------------------------------- */

/* Number of verdicts of the head that tells right from wrong; 0: there is no such head. */
static size_t verdicts_of(const json_t *heads, const char *truth)
{
    size_t i;
    const json_t *h;
    json_array_foreach(heads, i, h)
    {
        const char *name = json_string_value(json_object_get(h, "name")),
                   *kind = json_string_value(json_object_get(h, "kind"));
        if (truth && (!name || strcmp(name, truth) != 0)) continue;
        if (kind && strcmp(kind, "binary") == 0) return 2;
        if (kind && strcmp(kind, "class") == 0)
            return (size_t)json_integer_value(json_object_get(h, "n"));
        return 0;
    }
    return 0;
}

/* The shards' description with the stage's one head: as many outputs as verdicts, and for the
 * policy one more for each item. */
static r1_status with_head(const char *shard, const char *truth, const char *head, char **out,
                           r1_err *err)
{
    json_t *root = json_loads(shard, 0, NULL), *heads = json_object_get(root, "heads");
    size_t n = verdicts_of(heads, truth),
           items = strcmp(head, "act") == 0 ? json_array_size(json_object_get(root, "items")) : 0;
    json_t *own =
        json_pack("[{s:s,s:s,s:I}]", "name", head, "kind", "class", "n", (json_int_t)(n + items));
    *out = NULL;
    if (n && own && json_object_set(root, "heads", own) == 0) *out = json_dumps(root, JSON_COMPACT);
    json_decref(own);
    json_decref(root);
    if (*out) return R1_OK;
    R1_FAIL(err, R1_E_INVAL, "--truth %s: the shards have no binary or class head of this name",
            truth ? truth : "(the first)");
}

/* The description with the stage's head, where none was named, and the rules of asking. */
static r1_status read_rules(training *t, const char *head)
{
    r1_err *err = &t->call->err;
    const r1_options *o = t->call->opts;
    r1_shard *shard = NULL;
    r1_model *m = NULL; /* to ask it for its items */
    r1_status st = r1_shard_open(&shard, t->call->rest[0], err);
    if (st != R1_OK) return st;
    if (!t->description)
        st = with_head(r1_shard_description(shard), r1_options_str(o, "truth"), head,
                       &t->description, err);
    if (st != R1_OK) goto close_shard;
    st = r1_model_new(&m, t->description, 0, err);
    if (st != R1_OK) goto close_shard;
    st = cli_read_rules(&t->rules, m, o, err);
    r1_model_free(m);
close_shard:
    r1_shard_close(shard);
    return st;
}

/* ---- pretrain -------------------------------------------------------------------------------- */

static r1_status set_part(double *weight, const char *text, r1_err *err)
{
    size_t len = strcspn(text, "=");
    char *end = NULL;
    for (size_t k = 0; k < R1_PRETRAIN_PARTS; k++) {
        const char *name = r1_pretrain_part_name(k);
        if (strlen(name) != len || strncmp(name, text, len) != 0) continue;
        weight[k] = text[len] ? strtod(text + len + 1, &end) : 1;
        if (weight[k] > 0 && weight[k] <= 1000 && (!end || (end != text + len + 1 && !*end)))
            return R1_OK;
    }
    R1_FAIL(err, R1_E_INVAL,
            "--parts %s: expected tokens, columns, next or align, each with =WEIGHT up to 1000 or "
            "alone",
            text);
}

/* Parts that the list leaves out are not asked. */
static r1_status read_parts(double *weight, const char *text, r1_err *err)
{
    cli_list l;
    for (int k = 0; text && k < R1_PRETRAIN_PARTS; k++) weight[k] = -1;
    r1_status st = cli_split(&l, text, err);
    for (size_t i = 0; st == R1_OK && i < l.n; i++) st = set_part(weight, l.item[i], err);
    free(l.copy);
    return st;
}

static void print_pretrain(r1_cli_call *call, const r1_model *m, const r1_pretrain_report *rep)
{
    r1_figures *f = r1_figures_new("r1 train --stage pretrain");
    if (!f) return;
    r1_figures_note(f, "model", r1_options_str(call->opts, "out"));
    r1_figures_add(f, "steps", (double)rep->n_step);
    r1_figures_add(f, "seconds", rep->seconds);
    r1_figures_add(f, "samples_s", rep->samples_s);
    if (!isnan(rep->loss)) r1_figures_add(f, "loss", rep->loss);
    for (size_t k = 0; k < R1_PRETRAIN_PARTS; k++)
        if (!isnan(rep->part[k])) r1_figures_add(f, r1_pretrain_part_name(k), rep->part[k]);
    for (size_t k = 0; k < rep->n_pair; k++) {
        const r1_retrieval *p = &rep->pair[k];
        if (!p->n) continue;
        cli_retrieval(f, m, "_before", p, p->before);
        cli_retrieval(f, m, "", p, p->after);
        cli_retrieval(f, m, "_chance", p, p->chance);
    }
    r1_figures_print(f, r1_options_bool(call->opts, "json"), stdout);
    r1_figures_free(f);
}

static int train_pretrain(training *c)
{
    r1_cli_call *call = c->call;
    const r1_options *o = call->opts;
    r1_pretrain_report rep;
    r1_model *m = NULL;
    r1_pretrain_opts t = {.run = train_run_opts(c),
                          .init = r1_options_str(o, "init"),
                          .curriculum = r1_options_str(o, "curriculum"),
                          .mask = r1_options_float(o, "mask"),
                          .n_epoch = (uint32_t)r1_options_int(o, "epochs"),
                          .n_batch = (uint32_t)r1_options_int(o, "batch"),
                          .items_off = c->items_off};
    r1_status st = read_parts(t.weight, r1_options_str(o, "parts"), &call->err);
    if (st == R1_OK) st = r1_pretrain(&t, &rep, &call->err);
    /* what was written is asked for its items' names */
    if (st == R1_OK) st = r1_model_open(&m, t.run.out, &call->err);
    if (st == R1_OK) print_pretrain(call, m, &rep);
    r1_model_free(m);
    return r1_cli_exit(st);
}

/* ---- finetune -------------------------------------------------------------------------------- */

static r1_stop_metric stop_metric_of(const char *name)
{
    return strcmp(name, "ap") == 0     ? R1_STOP_AP
           : strcmp(name, "top1") == 0 ? R1_STOP_TOP1
                                       : R1_STOP_LOSS;
}

static void print_finetune(r1_cli_call *call, const r1_train_report *rep, bool judged)
{
    r1_figures *f = r1_figures_new("r1 train");
    if (!f) return;
    r1_figures_note(f, "model", r1_options_str(call->opts, "out"));
    r1_figures_add(f, "steps", (double)rep->n_step);
    r1_figures_add(f, "seconds", rep->seconds);
    r1_figures_add(f, "samples_s", rep->samples_s);
    if (judged) cli_add_eval(f, &rep->valid);
    if (judged && !isnan(rep->raw.ece)) {
        r1_figures_add(f, "ece_before", rep->raw.ece);
        r1_figures_add(f, "ece_crossed", rep->ece_crossed);
        r1_figures_add(f, "loss_before", rep->raw.loss);
    }
    r1_figures_print(f, r1_options_bool(call->opts, "json"), stdout);
    r1_figures_free(f);
}

static int train_finetune(training *c)
{
    r1_cli_call *call = c->call;
    const r1_options *o = call->opts;
    r1_train_report rep;
    r1_train_opts t = {.run = train_run_opts(c),
                       .init = r1_options_str(o, "init"),
                       .mean_decay = r1_options_float(o, "mean-decay"),
                       .beta = cli_beta(o),
                       .item_drop = r1_options_float(o, "item-drop"),
                       .n_epoch = (uint32_t)r1_options_int(o, "epochs"),
                       .n_batch = (uint32_t)r1_options_int(o, "batch"),
                       .curriculum = r1_options_str(o, "curriculum"),
                       .int8 = r1_options_bool(o, "int8"),
                       .isotonic = strcmp(r1_options_str(o, "calibration"), "isotonic") == 0,
                       .metric = stop_metric_of(r1_options_str(o, "metric")),
                       .run_flags = cli_run_flags(o),
                       .items_off = c->items_off};
    r1_status st = r1_train(&t, &rep, &call->err);
    if (st == R1_OK) print_finetune(call, &rep, c->valid.n > 0);
    return r1_cli_exit(st);
}

/* ---- reinforce and reward -------------------------------------------------------------------- */

static void print_reinforce(r1_cli_call *call, const r1_reinforce_report *rep, bool judged)
{
    r1_figures *f = r1_figures_new("r1 train --stage reinforce");
    if (!f) return;
    r1_figures_note(f, "model", r1_options_str(call->opts, "out"));
    r1_figures_add(f, "steps", (double)rep->n_step);
    r1_figures_add(f, "traces", (double)rep->n_trace);
    r1_figures_add(f, "seconds", rep->seconds);
    if (judged) cli_add_policy(f, &rep->valid);
    r1_figures_print(f, r1_options_bool(call->opts, "json"), stdout);
    r1_figures_free(f);
}

static int train_reinforce(training *c)
{
    r1_cli_call *call = c->call;
    const r1_options *o = call->opts;
    r1_reinforce_report rep = {0};
    r1_status st = read_rules(c, R1_DEFAULT_POLICY_HEAD);
    bool grpo = strcmp(r1_options_str(o, "variant"), "grpo") == 0;
    r1_reinforce_opts t = {.run = train_run_opts(c),
                           .init = r1_options_str(o, "init"),
                           .truth = r1_options_str(o, "truth"),
                           .cost = c->rules.cost,
                           .door = c->rules.door,
                           .given = c->rules.given,
                           .n_ask_max = (uint32_t)r1_options_int(o, "asks"),
                           .variant = grpo ? R1_POLICY_GRPO : R1_POLICY_DR_GRPO,
                           .reward_model = r1_options_str(o, "reward-model"),
                           .reward_share = r1_options_float(o, "reward-share"),
                           .curriculum = r1_options_str(o, "curriculum"),
                           .beta = cli_beta(o),
                           .kl = r1_options_float(o, "kl"),
                           .entropy = r1_options_float(o, "entropy"),
                           .n_step = (uint32_t)r1_options_int(o, "steps"),
                           .n_case = (uint32_t)r1_options_int(o, "cases"),
                           .n_group = (uint32_t)r1_options_int(o, "traces")};
    if (st == R1_OK) st = r1_reinforce(&t, &rep, &call->err);
    if (st == R1_OK) print_reinforce(call, &rep, c->valid.n > 0);
    return r1_cli_exit(st);
}

static void print_reward(r1_cli_call *call, const r1_reward_report *rep)
{
    r1_figures *f = r1_figures_new("r1 train --stage reward");
    if (!f) return;
    r1_figures_note(f, "model", r1_options_str(call->opts, "out"));
    r1_figures_add(f, "steps", (double)rep->n_step);
    r1_figures_add(f, "seconds", rep->seconds);
    r1_figures_add(f, "pairs", (double)rep->n_pair);
    r1_figures_add(f, "agreement", rep->agreement);
    r1_figures_add(f, "auc", rep->auc);
    r1_figures_add(f, "ece", rep->ece);
    r1_figures_print(f, r1_options_bool(call->opts, "json"), stdout);
    r1_figures_free(f);
}

static int train_reward(training *c)
{
    r1_cli_call *call = c->call;
    const r1_options *o = call->opts;
    r1_reward_report rep = {0};
    r1_status st = read_rules(c, R1_DEFAULT_REWARD_HEAD);
    r1_reward_opts t = {.run = train_run_opts(c),
                        .truth = r1_options_str(o, "truth"),
                        .door = c->rules.door,
                        .given = c->rules.given,
                        .n_ask_max = (uint32_t)r1_options_int(o, "asks"),
                        .beta = cli_beta(o),
                        .n_step = (uint32_t)r1_options_int(o, "steps"),
                        .n_case = (uint32_t)r1_options_int(o, "cases"),
                        .n_group = (uint32_t)r1_options_int(o, "traces")};
    if (st == R1_OK) st = r1_reward_train(&t, &rep, &call->err);
    if (st == R1_OK) print_reward(call, &rep);
    return r1_cli_exit(st);
}

/* ---- the command ----------------------------------------------------------------------------- */

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

/* Nothing that is read may be written over, and what is written has its place. */
static r1_status check_files(const training *t)
{
    const r1_options *o = t->call->opts;
    r1_err *err = &t->call->err;
    const r1_named_file out[] = {
        {"--out", r1_options_str(o, "out"), R1_OUTPUT_REPLACED},
        {"--checkpoint", r1_options_str(o, "checkpoint"), R1_OUTPUT_REPLACED},
        {"--metrics", r1_options_str(o, "metrics"), R1_OUTPUT_IN_PLACE},
        {"--plot", r1_options_str(o, "plot"), R1_OUTPUT_REPLACED}};
    const r1_named_file in[] = {{"--init", r1_options_str(o, "init"), 0},
                                {"--description", r1_options_str(o, "description"), 0},
                                {"--reward-model", r1_options_str(o, "reward-model"), 0}};
    R1_TRY(r1_outputs_check(out, R1_COUNT(out), in, R1_COUNT(in), err));
    R1_TRY(r1_outputs_spare(out, R1_COUNT(out), "the shard", t->call->rest, t->call->n_rest, err));
    return r1_outputs_spare(out, R1_COUNT(out), "--valid", t->valid.item, t->valid.n, err);
}

static r1_status read_training(training *t)
{
    r1_cli_call *call = t->call;
    const r1_options *o = call->opts;
    const char *path = r1_options_str(o, "description");
    size_t len;
    R1_TRY(cli_split(&t->valid, r1_options_str(o, "valid"), &call->err));
    if (!call->n_rest || !r1_options_str(o, "out"))
        R1_FAIL(&call->err, R1_E_INVAL, "name at least one shard, and --out");
    R1_TRY(check_files(t));
    if (path) R1_TRY(r1_file_read(path, 1 << 20, &t->description, &len, &call->err));
    return hidden_items(call->rest, t->description, r1_options_str(o, "off"), &t->items_off,
                        &call->err);
}

static int train_run(r1_cli_call *call)
{
    static const struct {
        const char *name;
        int (*run)(training *t);
    } stages[] = {{"pretrain", train_pretrain},
                  {"finetune", train_finetune},
                  {"reinforce", train_reinforce},
                  {"reward", train_reward}};
    training t = {.call = call};
    const char *stage = r1_options_str(call->opts, "stage"),
               *plot = r1_options_str(call->opts, "plot");
    int code = r1_cli_exit(read_training(&t));
    for (size_t i = 0; code == R1_EXIT_OK && i < R1_COUNT(stages); i++)
        if (strcmp(stage, stages[i].name) == 0) code = stages[i].run(&t);
    if (code == R1_EXIT_OK && plot)
        code = r1_cli_exit(cli_plot(r1_options_str(call->opts, "metrics"), plot, &call->err));
    free(t.valid.copy);
    free(t.description);
    return code;
}

const r1_command cli_train_commands[] = {
    {.name = "train",
     .operands = "SHARD...",
     .operands_max = R1_OPERANDS_ANY,
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
     .run = train_run}};
const size_t cli_train_n = R1_COUNT(cli_train_commands);
