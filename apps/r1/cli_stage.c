/* SPDX-License-Identifier: Apache-2.0 */
/* cli_stage.c - r1 train --stage pretrain, reinforce and reward, r1 eval --policy: names of
 * items become bits and costs, the stage's head joins the shards' description. */
#include "cli_r1.h"
#include "r1_pretrain.h"
#include "r1_reinforce.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What reinforce and reward read from the options. */
typedef struct {
    char *description; /* owned */
    double cost[R1_ITEMS_MAX];
    uint32_t door[R1_ITEMS_MAX], given;
} setting;

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

/* ---- "item=value,item=value" ----------------------------------------------------------------- */

static r1_status set_value(setting *s, const r1_model *m, char *pair, bool cost, r1_err *err)
{
    const char *option = cost ? "--cost" : "--needs";
    char *value = strchr(pair, '='), *end;
    if (!value)
        R1_FAIL(err, R1_E_INVAL, "%s %s: expected ITEM=%s", option, pair,
                cost ? "NUMBER" : "ITEM+ITEM");
    *value++ = 0;
    int k = r1_model_item(m, pair);
    if (k < 0) R1_FAIL(err, R1_E_INVAL, "%s %s: the shards have no such item", option, pair);
    if (!cost) {
        for (char *plus = value; (plus = strchr(plus, '+'));) *plus = ',';
        return cli_items(m, option, value, &s->door[k], err);
    }
    s->cost[k] = strtod(value, &end);
    if (end == value || *end || !(s->cost[k] >= 0) || !isfinite(s->cost[k]))
        R1_FAIL(err, R1_E_INVAL, "--cost %s=%s: expected a number, 0 or more", pair, value);
    return R1_OK;
}

static r1_status set_values(setting *s, const r1_model *m, const char *text, bool cost, r1_err *err)
{
    cli_list l;
    r1_status st = cli_split(&l, text, err);
    for (size_t i = 0; st == R1_OK && i < l.n; i++)
        st = set_value(s, m, l.copy + (l.item[i] - l.copy), cost, err);
    free(l.copy);
    return st;
}

static r1_status read_items(setting *s, const r1_model *m, const r1_options *o, r1_err *err)
{
    R1_TRY(set_values(s, m, r1_options_str(o, "cost"), true, err));
    R1_TRY(set_values(s, m, r1_options_str(o, "needs"), false, err));
    return cli_items(m, "--given", r1_options_str(o, "given"), &s->given, err);
}

static r1_status read_setting(setting *s, r1_cli_call *call, const char *description,
                              const char *head)
{
    r1_shard *shard;
    memset(s, 0, sizeof *s);
    R1_TRY(r1_shard_open(&shard, call->rest[0], &call->err));
    r1_status st = R1_OK;
    if (description) {
        s->description = strdup(description);
        if (!s->description)
            st = r1_err_set(&call->err, R1_E_NOMEM, __FILE__, __LINE__, "out of memory");
    } else {
        st = with_head(r1_shard_description(shard), r1_options_str(call->opts, "truth"), head,
                       &s->description, &call->err);
    }
    r1_shard_close(shard);
    r1_model *m = NULL; /* to ask it for its items */
    if (st == R1_OK) st = r1_model_new(&m, s->description, 0, &call->err);
    if (st == R1_OK) st = read_items(s, m, call->opts, &call->err);
    r1_model_free(m);
    return st;
}

static void add_policy(r1_figures *f, const r1_policy_eval *e)
{
    r1_figures_add(f, "n", (double)e->n);
    r1_figures_add(f, "reward", e->reward);
    r1_figures_add(f, "right", e->right);
    r1_figures_add(f, "cost", e->cost);
    r1_figures_add(f, "asks", e->n_ask);
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

int cli_pretrain(r1_cli_call *call, const cli_list *valid, const char *description,
                 uint32_t items_off)
{
    const r1_options *o = call->opts;
    r1_pretrain_report rep;
    r1_model *m = NULL;
    r1_pretrain_opts t = {.run = {.train = call->rest,
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
                          .curriculum = r1_options_str(o, "curriculum"),
                          .mask = r1_options_float(o, "mask"),
                          .n_epoch = (uint32_t)r1_options_int(o, "epochs"),
                          .n_batch = (uint32_t)r1_options_int(o, "batch"),
                          .items_off = items_off};
    r1_status st = read_parts(t.weight, r1_options_str(o, "parts"), &call->err);
    if (st == R1_OK) st = r1_pretrain(&t, &rep, &call->err);
    if (st == R1_OK)
        st = r1_model_open(&m, t.run.out,
                           &call->err); /* what was written, asked for its items' names */
    if (st == R1_OK) print_pretrain(call, m, &rep);
    r1_model_free(m);
    return r1_cli_exit(st);
}

/* ---- reinforce and reward -------------------------------------------------------------------- */

int cli_reinforce(r1_cli_call *call, const cli_list *valid, const char *description)
{
    const r1_options *o = call->opts;
    setting s;
    r1_reinforce_report rep = {0};
    r1_status st = read_setting(&s, call, description, "act");
    r1_reinforce_opts t = {.run = {.train = call->rest,
                                   .n_train = call->n_rest,
                                   .valid = valid->n ? valid->item : NULL,
                                   .n_valid = valid->n,
                                   .description = s.description,
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
                           .truth = r1_options_str(o, "truth"),
                           .cost = s.cost,
                           .door = s.door,
                           .given = s.given,
                           .n_ask_max = (uint32_t)r1_options_int(o, "asks"),
                           .variant = strcmp(r1_options_str(o, "variant"), "grpo") == 0
                                          ? R1_POLICY_GRPO
                                          : R1_POLICY_DR_GRPO,
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
    free(s.description);
    r1_figures *f = st == R1_OK ? r1_figures_new("r1 train --stage reinforce") : NULL;
    if (f) {
        r1_figures_note(f, "model", t.run.out);
        r1_figures_add(f, "steps", (double)rep.n_step);
        r1_figures_add(f, "traces", (double)rep.n_trace);
        r1_figures_add(f, "seconds", rep.seconds);
        if (valid->n) add_policy(f, &rep.valid);
        r1_figures_print(f, r1_options_bool(o, "json"), stdout);
    }
    r1_figures_free(f);
    return r1_cli_exit(st);
}

int cli_reward(r1_cli_call *call, const cli_list *valid, const char *description)
{
    const r1_options *o = call->opts;
    setting s;
    r1_reward_report rep = {0};
    r1_status st = read_setting(&s, call, description, "worth");
    r1_reward_opts t = {.run = {.train = call->rest,
                                .n_train = call->n_rest,
                                .valid = valid->n ? valid->item : NULL,
                                .n_valid = valid->n,
                                .description = s.description,
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
                        .truth = r1_options_str(o, "truth"),
                        .door = s.door,
                        .given = s.given,
                        .n_ask_max = (uint32_t)r1_options_int(o, "asks"),
                        .beta = cli_beta(o),
                        .n_step = (uint32_t)r1_options_int(o, "steps"),
                        .n_case = (uint32_t)r1_options_int(o, "cases"),
                        .n_group = (uint32_t)r1_options_int(o, "traces")};
    if (st == R1_OK) st = r1_reward_train(&t, &rep, &call->err);
    free(s.description);
    r1_figures *f = st == R1_OK ? r1_figures_new("r1 train --stage reward") : NULL;
    if (f) {
        r1_figures_note(f, "model", t.run.out);
        r1_figures_add(f, "steps", (double)rep.n_step);
        r1_figures_add(f, "seconds", rep.seconds);
        r1_figures_add(f, "pairs", (double)rep.n_pair);
        r1_figures_add(f, "agreement", rep.agreement);
        r1_figures_add(f, "auc", rep.auc);
        r1_figures_add(f, "ece", rep.ece);
        r1_figures_print(f, r1_options_bool(o, "json"), stdout);
    }
    r1_figures_free(f);
    return r1_cli_exit(st);
}

/* ---- judging --------------------------------------------------------------------------------- */

r1_status cli_judge(r1_cli_call *call, const r1_model *m, r1_figures *f)
{
    const r1_options *o = call->opts;
    setting s = {0};
    r1_policy_eval e;
    R1_TRY(read_items(&s, m, o, &call->err));
    r1_policy_judge_opts p = {.data = call->rest,
                              .n_data = call->n_rest,
                              .policy = r1_options_str(o, "policy"),
                              .truth = r1_options_str(o, "truth"),
                              .cost = s.cost,
                              .door = s.door,
                              .given = s.given,
                              .n_ask_max = (uint32_t)r1_options_int(o, "asks")};
    R1_TRY(r1_policy_judge(m, &p, &e, &call->err));
    add_policy(f, &e);
    return R1_OK;
}
