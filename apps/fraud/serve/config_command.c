/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_command.c - `r1-fraud config`: what is in force, whether it is good, what a change of it
 * would do. */
#include "config/r1_config.h"
#include "serve/capacity.h"
#include "serve/parts.h"
#include "serve/policy_try.h"
#include "serve/price.h"
#include "serve/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const r1_option config_own_rows[] = {
    {.name = "since",
     .type = R1_OPT_STRING,
     .def = "7d",
     .help = "try: the span before the newest stored payment"},
    {.name = "rows",
     .type = R1_OPT_INT,
     .def = "5000000",
     .min = 1,
     .max = 1e9,
     .help = "try: stored payments that are read at most, the newest ones"},
    {.name = "show",
     .type = R1_OPT_INT,
     .def = "20",
     .min = 0,
     .max = 10000,
     .help = "try: alerts that are listed of those that appear, and of those that vanish"},
};

const r1_option *fraud_config_rows(size_t *n)
{
    static r1_option rows[FRAUD_JOINED_ROWS_MAX];
    *n = fraud_join_rows(rows, R1_COUNT(rows), config_own_rows, R1_COUNT(config_own_rows));
    return rows;
}

size_t fraud_join_rows(r1_option *rows, size_t max, const r1_option *own, size_t n_own)
{
    if (fraud_serve_n_row + n_own > max) abort();
    memcpy(rows, fraud_serve_rows, fraud_serve_n_row * sizeof *rows);
    memcpy(rows + fraud_serve_n_row, own, n_own * sizeof *rows);
    return fraud_serve_n_row + n_own;
}

/* Builds what serve would build, and stops. */
static int config_check(r1_cli_call *call)
{
    fraud_parts *parts = calloc(1, sizeof *parts);
    if (!parts) return R1_EXIT_FAILED;
    r1_status st = fraud_parts_build(parts, call->opts, &call->err);
    if (st == R1_OK) {
        fraud_policy_print_notes(parts->policy, stdout);
        printf("configuration: good, model %s, %s\n", fraud_engine_model_name(parts->engine),
               fraud_policy_text(parts->policy));
        puts("not connected: whether PostgreSQL, the broker and their topics are there was not "
             "asked; `r1-fraud db status` and `r1-fraud offsets show` ask them");
        const char *currency = r1_options_str(call->opts, "currency");
        printf("currency: %s\n", currency ? currency
                                          : "none is set: the first payment of the stream decides, "
                                            "others than its cannot be scored");
        printf("consumer group: %s\n", parts->group);
        fraud_capacity_print(parts->engine, "state: ", stdout);
        fraud_price_print(parts, 0, "memory: ", stdout);
    } else {
        fraud_policy_print_mistakes(call->opts, call->err.msg, stdout);
    }
    fraud_parts_release(parts);
    free(parts);
    return fraud_parts_exit(st);
}

/* ---- diff ---- */

static void diff_text(const r1_option *row, const char *key, const char *a, const char *b,
                      size_t *n)
{
    bool hides =
        row->secret || r1_option_hides(row, key ? key : row->name) || (row->secret_keys && !key);
    if (a == b || (a && b && !strcmp(a, b))) return;
    ++*n;
    if (hides)
        printf("%s%s%s: changed\n", row->name, key ? "." : "", key ? key : "");
    else
        printf("%s%s%s: %s -> %s\n", row->name, key ? "." : "", key ? key : "", a ? a : "not set",
               b ? b : "not set");
}

static const char *config_entry_of(const r1_options *o, const char *name, const char *key)
{
    const char *k, *text;
    for (size_t i = 0; r1_options_entry(o, name, i, &k, &text, NULL); i++)
        if (!strcmp(k, key)) return text;
    return NULL;
}

static void diff_many(const r1_option *row, const r1_options *a, const r1_options *b, size_t *n)
{
    const char *key, *text;
    for (size_t i = 0; r1_options_entry(a, row->name, i, &key, &text, NULL); i++)
        diff_text(row, key, text, config_entry_of(b, row->name, key), n);
    for (size_t i = 0; r1_options_entry(b, row->name, i, &key, &text, NULL); i++)
        if (!config_entry_of(a, row->name, key)) diff_text(row, key, NULL, text, n);
}

static size_t diff_settings(const r1_options *a, const r1_options *b)
{
    size_t n = 0;
    for (size_t i = 0; i < r1_options_count(a); i++) {
        const r1_option *row = r1_options_row(a, i);
        size_t before = n;
        if (!row->section) continue;
        if (row->many)
            diff_many(row, a, b, &n);
        else
            diff_text(row, NULL, r1_options_str(a, row->name), r1_options_str(b, row->name), &n);
        if (n > before && !fraud_setting_reloads(row, r1_options_has(a, "events-topic")))
            printf("  (%s needs a restart)\n", row->name);
    }
    return n;
}

static bool rule_of(const fraud_policy *p, const char *name, fraud_rule_info *out)
{
    for (size_t i = 0; i < fraud_policy_n_rule(p); i++) {
        fraud_policy_rule(p, i, out);
        if (!strcmp(out->name, name)) return true;
    }
    return false;
}

static size_t diff_rules(const fraud_policy *a, const fraud_policy *b)
{
    fraud_rule_info x, y;
    size_t n = 0;
    for (size_t i = 0; i < fraud_policy_n_rule(a); i++) {
        fraud_policy_rule(a, i, &x);
        bool there = rule_of(b, x.name, &y);
        if (there && !strcmp(x.line, y.line)) continue;
        n++;
        printf("rule %s %s\n  - %s\n", x.name, there ? "changes" : "goes", x.line);
        if (there) printf("  + %s\n", y.line);
    }
    for (size_t i = 0; i < fraud_policy_n_rule(b); i++) {
        fraud_policy_rule(b, i, &y);
        if (rule_of(a, y.name, &x)) continue;
        n++;
        printf("rule %s comes\n  + %s\n", y.name, y.line);
    }
    return n;
}

/* Entries of a that b has not, or has with another reason, expiry or owner. */
static size_t list_only(const fraud_account_list *a, const fraud_account_list *b, bool *differs)
{
    size_t n = 0;
    for (size_t i = 0; i < fraud_account_list_count(a); i++) {
        const fraud_list_entry *x = fraud_account_list_at(a, i),
                               *y = fraud_account_list_find(b, x->account, INT64_MIN);
        n += !y;
        *differs |= y && (strcmp(x->reason, y->reason) != 0 || strcmp(x->owner, y->owner) != 0 ||
                          x->until_ms != y->until_ms);
    }
    return n;
}

static size_t diff_list(const fraud_account_list *a, const fraud_account_list *b, const char *name)
{
    bool differs = false;
    size_t go = list_only(a, b, &differs), come = list_only(b, a, &differs);
    if (!go && !come && !differs) return 0;
    printf("list %s: %zu accounts come, %zu go%s\n", name, come, go,
           differs ? ", others change reason, expiry or owner" : "");
    return 1;
}

static size_t diff_lists(const fraud_policy *a, const fraud_policy *b)
{
    size_t n = 0;
    const fraud_account_list *l;
    for (size_t i = 0; (l = fraud_policy_list_at(a, i)); i++)
        n += diff_list(l, fraud_policy_list(b, fraud_account_list_name(l)),
                       fraud_account_list_name(l));
    for (size_t i = 0; (l = fraud_policy_list_at(b, i)); i++)
        if (!fraud_policy_list(a, fraud_account_list_name(l)))
            n += diff_list(NULL, l, fraud_account_list_name(l));
    return n;
}

/* ---- two configurations ---- */

typedef struct {
    r1_options *other;
    fraud_policy *before, *after;
} config_pair;

static r1_status pair_policy(fraud_policy **out, const r1_options *o, r1_err *err)
{
    char model[FRAUD_MODEL_NAME_BYTES];
    fraud_rates *rates;
    R1_TRY(
        fraud_rates_load(&rates, r1_options_str(o, "rates"), r1_options_str(o, "currency"), err));
    r1_status st = fraud_policy_build(out, o, rates, model, err);
    fraud_rates_free(rates);
    return st;
}

static r1_status pair_open(config_pair *p, r1_cli_call *call)
{
    R1_TRY(r1_cli_again(&p->other, call->rest[1], &call->err));
    R1_TRY(pair_policy(&p->before, call->opts, &call->err));
    r1_status st = pair_policy(&p->after, p->other, &call->err);
    if (st == R1_OK) fraud_policy_print_notes(p->after, stdout);
    return st;
}

static int pair_close(config_pair *p, r1_status st)
{
    fraud_policy_free(p->before);
    fraud_policy_free(p->after);
    r1_options_free(p->other);
    return r1_cli_exit(st);
}

static int config_diff(r1_cli_call *call)
{
    config_pair p = {0};
    r1_status st = pair_open(&p, call);
    if (st == R1_OK) {
        size_t n = diff_settings(call->opts, p.other);
        n += diff_rules(p.before, p.after) + diff_lists(p.before, p.after);
        printf("version %s -> %s, %zu differences\n", fraud_policy_version(p.before),
               fraud_policy_version(p.after), n);
    }
    return pair_close(&p, st);
}

static r1_status try_over_store(config_pair *p, r1_cli_call *call)
{
    fraud_try_opts o = {.rows_max = r1_options_int(call->opts, "rows"),
                        .list_max = (size_t)r1_options_int(call->opts, "show"),
                        .out = stdout};
    const char *conninfo;
    r1_store *s = NULL;
    R1_TRY(fraud_since_parse(r1_options_str(call->opts, "since"), &o.since_ms, &call->err));
    R1_TRY(r1_store_conninfo(call->opts, &conninfo, &call->err));
    r1_store_end_with_signal();
    R1_TRY(r1_store_open(&s, conninfo, "r1-fraud config", &call->err));
    r1_status st = fraud_policy_try(s, p->before, p->after, &o, &call->err);
    r1_store_close(s);
    return st;
}

static int config_try(r1_cli_call *call)
{
    config_pair p = {0};
    r1_status st = pair_open(&p, call);
    if (st == R1_OK) st = try_over_store(&p, call);
    return pair_close(&p, st);
}

/* ---- the command ---- */

static int config_sample(r1_cli_call *call)
{
    (void)call;
    return r1_config_sample(fraud_serve_rows, fraud_serve_n_row, stdout), R1_EXIT_OK;
}

static int config_dump(r1_cli_call *call) { return r1_config_dump(call->opts, stdout), R1_EXIT_OK; }

static const struct {
    const char *name;
    size_t n_operand;
    int (*run)(r1_cli_call *call);
} config_verbs[] = {{"check", 0, config_check},
                    {"dump", 0, config_dump},
                    {"sample", 0, config_sample},
                    {"diff", 1, config_diff},
                    {"try", 1, config_try}};

int fraud_command_config(r1_cli_call *call)
{
    const char *what = call->n_rest ? call->rest[0] : "check";
    for (size_t i = 0; i < R1_COUNT(config_verbs); i++)
        if (!strcmp(config_verbs[i].name, what) &&
            config_verbs[i].n_operand == (call->n_rest ? call->n_rest - 1 : 0))
            return config_verbs[i].run(call);
    r1_err_set(&call->err, R1_E_INVAL, __FILE__, __LINE__,
               "expected check, dump, sample, diff FILE or try FILE, found \"%s%s%s\"", what,
               call->n_rest > 1 ? " " : "", call->n_rest > 1 ? call->rest[1] : "");
    return R1_EXIT_USAGE;
}
