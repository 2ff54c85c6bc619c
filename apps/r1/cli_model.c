/* SPDX-License-Identifier: Apache-2.0 */
/* cli_model.c - r1 eval and r1 info: models over shards that the applications wrote. */
#include "cli_r1.h"
#include "r1_pretrain.h"
#include "r1_reinforce.h"
#include "r1_session.h"
#include "r1_train.h"
#include "text/r1_utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- options --------------------------------------------------------------------------------- */

static const r1_option eval_rows[] = {
    {.name = "model", .type = R1_OPT_PATH, .help = "model file"},
    {.name = "head",
     .only = "!policy",
     .type = R1_OPT_STRING,
     .help = "head to judge; default: the first"},
    {.name = "off",
     .only = "!policy",
     .type = R1_OPT_STRING,
     .help = "items treated as absent, separated by commas"},
    {.name = "steps",
     .only = "!policy",
     .type = R1_OPT_INT,
     .def = "0",
     .min = 0,
     .max = 24,
     .help = "stop after so many items; 0: all"},
    {.name = "no-length",
     .only = "!policy",
     .type = R1_OPT_BOOL,
     .def = "false",
     .help = "CAWA's length factor off"},
    {.name = "no-context",
     .only = "!policy",
     .type = R1_OPT_BOOL,
     .def = "false",
     .help = "CAWA's context factor off"},
    {.name = "beta",
     .only = "!policy",
     .type = R1_OPT_FLOAT,
     .min = 0,
     .max = 0.9,
     .help = "CAWA's beta; default: the file's"},
    {.name = "int8",
     .only = "!policy",
     .type = R1_OPT_BOOL,
     .def = "false",
     .help = "also with linear layers in 8-bit integers: the figures, and what they change, beside "
             "those in f32"},
    R1_CLI_DEVICE(NULL),
    {.name = "policy",
     .type = R1_OPT_STRING,
     .help = "judge this head of --stage reinforce (\"act\") as a policy, with the options that "
             "training had"},
    {.name = "truth",
     .only = "policy",
     .type = R1_OPT_STRING,
     .help = "the shards' head whose label is right; default: the first"},
    {.name = "given",
     .only = "policy",
     .type = R1_OPT_STRING,
     .help = "items that every trace starts with"},
    {.name = "needs",
     .only = "policy",
     .type = R1_OPT_STRING,
     .help = "ITEM=ITEM+ITEM,...: one of these must be held before"},
    {.name = "asks",
     .only = "policy",
     .type = R1_OPT_INT,
     .def = "0",
     .min = 0,
     .max = 24,
     .help = "most items asked; 0: all"},
    {.name = "cost",
     .only = "policy",
     .type = R1_OPT_STRING,
     .help = "ITEM=COST,...: what asking costs of the 1 that a right verdict earns"},
    {.name = "retrieval",
     .only = "!policy",
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
    r1_eval_opts e = {.run_flags = cli_run_flags(o),
                      .n_step = (uint32_t)r1_options_int(o, "steps"),
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
    if (st == R1_OK) cli_add_eval(f, &v);
    if (st == R1_OK && r1_options_bool(o, "retrieval")) st = add_retrieval(f, call, m, &call->err);
    if (st == R1_OK && r1_options_bool(o, "int8")) st = add_int8(call, f, m, &v, &s);
    scored_free(&s);
    return st;
}

/* What a policy earns on the shards. */
static r1_status judge_policy(r1_cli_call *call, const r1_model *m, r1_figures *f)
{
    const r1_options *o = call->opts;
    cli_rules s = {0};
    r1_policy_eval e;
    R1_TRY(cli_read_rules(&s, m, o, &call->err));
    r1_policy_judge_opts p = {.data = call->rest,
                              .n_data = call->n_rest,
                              .policy = r1_options_str(o, "policy"),
                              .truth = r1_options_str(o, "truth"),
                              .cost = s.cost,
                              .door = s.door,
                              .given = s.given,
                              .n_ask_max = (uint32_t)r1_options_int(o, "asks")};
    R1_TRY(r1_policy_judge(m, &p, &e, &call->err));
    cli_add_policy(f, &e);
    return R1_OK;
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
        st = r1_options_has(call->opts, "policy") ? judge_policy(call, m, f)
                                                  : judge_heads(call, m, f);
    }
    if (st == R1_OK) r1_figures_print(f, r1_options_bool(call->opts, "json"), stdout);
    r1_figures_free(f);
    r1_model_free(m);
    return r1_cli_exit(st);
}

/* ---- info ------------------------------------------------------------------------------------ */

/* A text of a model's file as UTF-8. Without JSON, which has escapes of its own, a terminal gets
 * no character that it would obey. */
static void model_text(char *out, size_t size, const char *text, bool json)
{
    char *safe = NULL;
    size_t len;
    FILE *f = json ? NULL : open_memstream(&safe, &len);
    if (f) {
        r1_utf8_print(f, text);
        fclose(f);
    }
    r1_utf8_clean(out, size, json ? text : safe ? safe : "");
    free(safe);
}

typedef struct {
    r1_figures *f;
    bool json;
} info_parts;

static void part_flop(void *ctx, const char *part, uint64_t flop)
{
    const info_parts *p = ctx;
    char text[81], name[96];
    model_text(text, sizeof text, part, p->json);
    snprintf(name, sizeof name, "flop_%s", text);
    r1_figures_add(p->f, name, (double)flop);
}

static void add_calibration(const info_parts *p, const r1_model *m)
{
    char head[100], name[128];
    for (size_t h = 0; h < r1_model_n_head(m); h++) {
        r1_calibration c = r1_model_calibration(m, h);
        model_text(head, sizeof head, r1_model_head_name(m, h), p->json);
        snprintf(name, sizeof name, "head_%s_scale", head);
        r1_figures_add(p->f, name, (double)c.scale);
        snprintf(name, sizeof name, "head_%s_bias", head);
        r1_figures_add(p->f, name, (double)c.bias);
        if (!r1_model_isotonic(m, h).n) continue;
        snprintf(name, sizeof name, "head_%s_isotonic_knots", head);
        r1_figures_add(p->f, name, r1_model_isotonic(m, h).n);
    }
}

/* "row (table), history (memory)"; what does not fit is left out. */
static void list_items(char *out, size_t size, const r1_model *m, bool json)
{
    static const char *const kinds[] = {"table", "text", "graph", "memory"};
    char name[61];
    *out = 0;
    for (size_t i = 0, n = 0; i < r1_model_n_item(m) && n + 100 < size; i++) {
        model_text(name, sizeof name, r1_model_item_name(m, i), json);
        n += (size_t)snprintf(out + n, size - n, "%s%s (%s)", i ? ", " : "", name,
                              kinds[r1_model_item_kind(m, i)]);
    }
}

static r1_status model_describe(r1_cli_call *call, const r1_model *m)
{
    bool json = r1_options_bool(call->opts, "json");
    char hash[20], items[1024], name[1024];
    r1_model_info info;
    R1_TRY(r1_model_get_info(m, &info, &call->err));
    r1_figures *f = r1_figures_new("r1 info");
    if (!f) R1_FAIL(&call->err, R1_E_NOMEM, "out of memory");
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)r1_model_schema_hash(m));
    list_items(items, sizeof items, m, json);
    model_text(name, sizeof name, r1_model_name(m), json);
    r1_figures_note(f, "model", call->rest[0]);
    r1_figures_note(f, "name", name);
    r1_figures_note(f, "schema_hash", hash);
    r1_figures_note(f, "items", items);
    r1_figures_add(f, "weights", (double)info.n_weight);
    r1_figures_add(f, "file_bytes", (double)info.weight_bytes);
    r1_figures_add(f, "ops", info.n_op);
    r1_figures_add(f, "trained_samples", (double)info.trained_samples);
    r1_figures_add(f, "beta", (double)r1_model_beta(m));
    r1_figures_note(f, "int8_steps", info.int8_steps ? "learned" : "none");
    r1_figures_add(f, "mflop_sample", (double)info.flop_sample * 1e-6);
    info_parts parts = {.f = f, .json = json};
    r1_status st = r1_model_flops(m, part_flop, &parts, &call->err);
    add_calibration(&parts, m);
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
        r1_utf8_print(stdout, r1_model_description(m)), putchar('\n');
    else if (st == R1_OK)
        st = model_describe(call, m);
    r1_model_free(m);
    return r1_cli_exit(st);
}

static int model_seal(r1_cli_call *call)
{
    r1_status st = call->n_rest ? R1_OK
                                : r1_err_set(&call->err, R1_E_INVAL, __FILE__, __LINE__,
                                             "expected model files, found none");
    for (size_t i = 0; st == R1_OK && i < call->n_rest; i++)
        st = r1_model_seal(call->rest[i], &call->err);
    return r1_cli_exit(st);
}

const r1_command cli_model_commands[] = {
    {.name = "eval",
     .operands = "SHARD...",
     .operands_max = R1_OPERANDS_ANY,
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
     .operands = "MODEL",
     .operands_max = 1,
     .summary = "what a model file holds: items, schema hash, size, work per sample counted from "
                "the plan, calibration",
     .examples = "r1 info m.gguf\nr1 info --description m.gguf",
     .options = info_rows,
     .n_options = R1_COUNT(info_rows),
     .run = model_info},
    {.name = "seal",
     .operands = "MODEL...",
     .operands_max = R1_OPERANDS_ANY,
     .summary = "write MODEL.sum, the checksum that is verified when the model is opened",
     .examples = "r1 seal m.gguf",
     .run = model_seal},
};
const size_t cli_model_n = R1_COUNT(cli_model_commands);
