/* SPDX-License-Identifier: GPL-3.0-or-later */
/* policy.c - parses rules and lists once, decides without allocation. */
#include "decide/policy.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RULES_MAX = 256, CONDITIONS_MAX = 8, LIST_MAX = 100000, FILE_BYTES_MAX = 8 << 20 };

typedef enum { OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE } rule_op;
static const char *const op_names[] = {"==", "!=", "<=", ">=", "<", ">"};
static const rule_op op_values[] = {OP_EQ, OP_NE, OP_LE, OP_GE, OP_LT, OP_GT};

typedef enum {
    F_AMOUNT,
    F_AMOUNT_MINOR,
    F_PROBABILITY,
    F_LOGIT,
    F_DEGRADED,
    F_HOUR, /* numbers */
    F_KIND,
    F_CURRENCY,
    F_COUNTRY,
    F_CHANNEL,
    F_CATEGORY,
    F_FROM,
    F_TO,
    F_FINDING /* texts */
} rule_field;
static const char *const field_names[] = {
    "amount",   "amount_minor", "probability", "logit",    "degraded", "hour", "kind",
    "currency", "country",      "channel",     "category", "from",     "to",   "finding"};
static bool policy_is_text(rule_field f) { return f >= F_KIND; }

typedef struct {
    rule_field field;
    rule_op op;
    double number;
    char text[FRAUD_ACCOUNT_BYTES];
} condition;

typedef struct {
    char name[32];
    fraud_action action;
    size_t n_condition;
    condition condition[CONDITIONS_MAX];
} rule;

typedef struct {
    char *text;           /* owned: the file */
    const char **account; /* sorted */
    size_t n;
} list;

struct fraud_policy {
    double review_at, block_at;
    rule *rules;
    size_t n_rule;
    list allow, block;
    char version[17], text[160];
};

const char *fraud_action_name(fraud_action action)
{
    static const char *const names[] = {"allow", "review", "block"};
    return names[action];
}

/* ---- parsing ---- */

typedef struct {
    const char *path;
    int line;
    char *at;
    r1_err *err;
} parser;

static r1_status policy_expected(parser *p, const char *what)
{
    R1_FAIL(p->err, R1_E_INVAL, "%s:%d: expected %s, found \"%.40s\"", p->path, p->line, what,
            *p->at ? p->at : "end of line");
}

static void policy_skip(parser *p) { p->at += strspn(p->at, " \t\r"); }

static bool policy_take(parser *p, const char *word)
{
    policy_skip(p);
    size_t len = strlen(word);
    if (strncmp(p->at, word, len) != 0) return false;
    if (isalpha((unsigned char)word[0]) &&
        (isalnum((unsigned char)p->at[len]) || p->at[len] == '_'))
        return false;
    p->at += len;
    return true;
}

static r1_status parse_word(parser *p, char *out, size_t size, const char *what)
{
    policy_skip(p);
    size_t len = 0;
    while (isalnum((unsigned char)p->at[len]) || p->at[len] == '_') len++;
    if (!len || len >= size) return policy_expected(p, what);
    memcpy(out, p->at, len);
    out[len] = 0;
    p->at += len;
    return R1_OK;
}

static r1_status parse_field(parser *p, rule_field *out)
{
    for (size_t i = 0; i < R1_COUNT(field_names); i++)
        if (policy_take(p, field_names[i])) return *out = (rule_field)i, R1_OK;
    return policy_expected(p, "a field (amount, probability, kind, from, finding...)");
}

static r1_status parse_op(parser *p, condition *c)
{
    for (size_t i = 0; i < R1_COUNT(op_names); i++) {
        if (!policy_take(p, op_names[i])) continue;
        c->op = op_values[i];
        if (policy_is_text(c->field) && c->op != OP_EQ && c->op != OP_NE)
            return policy_expected(p, "== or != before a text");
        return R1_OK;
    }
    return policy_expected(p, "== != < <= > or >=");
}

static r1_status parse_value(parser *p, condition *c)
{
    policy_skip(p);
    if (!policy_is_text(c->field)) {
        char *end;
        c->number = strtod(p->at, &end);
        if (end == p->at) return policy_expected(p, "a number");
        p->at = end;
        return R1_OK;
    }
    if (*p->at != '"') return policy_expected(p, "a text in double quotes");
    size_t len = strcspn(p->at + 1, "\"");
    if (p->at[1 + len] != '"' || len >= sizeof c->text)
        return policy_expected(p, "a closing quote");
    memcpy(c->text, p->at + 1, len);
    c->text[len] = 0;
    p->at += len + 2;
    return R1_OK;
}

static r1_status parse_rule(parser *p, rule *r)
{
    R1_TRY(parse_word(p, r->name, sizeof r->name, "a name of letters, digits and _"));
    if (!policy_take(p, ":")) return policy_expected(p, "\":\" after the rule's name");
    do {
        if (r->n_condition == CONDITIONS_MAX) return policy_expected(p, "at most 8 conditions");
        condition *c = &r->condition[r->n_condition++];
        R1_TRY(parse_field(p, &c->field));
        R1_TRY(parse_op(p, c));
        R1_TRY(parse_value(p, c));
    } while (policy_take(p, "and"));
    if (!policy_take(p, "->")) return policy_expected(p, "\"and\" or \"->\"");
    for (int a = FRAUD_ALLOW; a <= FRAUD_BLOCK; a++) {
        if (!policy_take(p, fraud_action_name((fraud_action)a))) continue;
        r->action = (fraud_action)a;
        policy_skip(p);
        return *p->at ? policy_expected(p, "end of line") : R1_OK;
    }
    return policy_expected(p, "allow, review or block");
}

static r1_status parse_rules(fraud_policy *policy, const char *path, char *text, r1_err *err)
{
    policy->rules = calloc(RULES_MAX, sizeof *policy->rules);
    if (!policy->rules) R1_FAIL(err, R1_E_NOMEM, "no memory for rules");
    parser p = {.path = path, .err = err};
    char *next = text;
    for (char *line; (line = next);) {
        p.line++;
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        line[strcspn(line, "#")] = 0;
        p.at = line;
        policy_skip(&p);
        if (!*p.at) continue;
        if (policy->n_rule == RULES_MAX) return policy_expected(&p, "at most 256 rules");
        R1_TRY(parse_rule(&p, &policy->rules[policy->n_rule]));
        policy->n_rule++;
    }
    return R1_OK;
}

static int by_text(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

static r1_status read_list(list *l, const char *path, uint64_t *hash, r1_err *err)
{
    size_t len;
    R1_TRY(r1_file_read(path, FILE_BYTES_MAX, &l->text, &len, err));
    *hash = r1_hash64(l->text, len, *hash);
    l->account = calloc(LIST_MAX, sizeof *l->account);
    if (!l->account) R1_FAIL(err, R1_E_NOMEM, "%s: no memory for the list", path);
    char *next = l->text;
    for (char *line; (line = next);) {
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        line[strcspn(line, "#\r \t")] = 0;
        if (!*line) continue;
        if (l->n == LIST_MAX) R1_FAIL(err, R1_E_INVAL, "%s: more than %d accounts", path, LIST_MAX);
        l->account[l->n++] = line;
    }
    qsort(l->account, l->n, sizeof *l->account, by_text);
    return R1_OK;
}

static bool on_list(const list *l, const char *account)
{
    return l->n && bsearch(&account, l->account, l->n, sizeof *l->account, by_text);
}

static r1_status policy_read_all(fraud_policy *p, const fraud_policy_opts *o, r1_err *err)
{
    double thresholds[2] = {o->review_at, o->block_at};
    uint64_t hash = r1_hash64(thresholds, sizeof thresholds, 0);
    if (o->rules_path) {
        char *text;
        size_t len;
        R1_TRY(r1_file_read(o->rules_path, FILE_BYTES_MAX, &text, &len, err));
        hash = r1_hash64(text, len, hash);
        r1_status st = parse_rules(p, o->rules_path, text, err);
        free(text);
        R1_TRY(st);
    }
    if (o->allow_path) R1_TRY(read_list(&p->allow, o->allow_path, &hash, err));
    if (o->block_path) R1_TRY(read_list(&p->block, o->block_path, &hash, err));
    snprintf(p->version, sizeof p->version, "%016llx", (unsigned long long)hash);
    snprintf(p->text, sizeof p->text,
             "review_at=%g block_at=%g rules=%zu allow_list=%zu block_list=%zu", o->review_at,
             o->block_at, p->n_rule, p->allow.n, p->block.n);
    return R1_OK;
}

r1_status fraud_policy_new(fraud_policy **out, const fraud_policy_opts *o, r1_err *err)
{
    if (!(o->review_at >= 0 && o->review_at <= o->block_at))
        R1_FAIL(err, R1_E_INVAL, "thresholds: expected 0 <= review_at <= block_at, found %g and %g",
                o->review_at, o->block_at);
    fraud_policy *p = calloc(1, sizeof *p);
    if (!p) R1_FAIL(err, R1_E_NOMEM, "no memory for the policy");
    p->review_at = o->review_at;
    p->block_at = o->block_at;
    r1_status st = policy_read_all(p, o, err);
    if (st != R1_OK)
        fraud_policy_free(p);
    else
        *out = p;
    return st;
}

void fraud_policy_free(fraud_policy *p)
{
    if (!p) return;
    free(p->rules);
    free(p->allow.text);
    free(p->allow.account);
    free(p->block.text);
    free(p->block.account);
    free(p);
}

/* ---- deciding ---- */

static double policy_number_of(rule_field f, const fraud_payment *p, const fraud_result *r)
{
    double scale = 1;
    switch (f) {
    case F_AMOUNT:
        for (int i = 0; i < p->minor_digits; i++) scale *= 10;
        return (double)p->amount_minor / scale;
    case F_AMOUNT_MINOR: return (double)p->amount_minor;
    case F_PROBABILITY: return r->probability;
    case F_LOGIT: return r->logit;
    case F_DEGRADED: return r->degraded;
    default: return (double)(p->ts / 3600000 % 24);
    }
}

static const char *policy_text_of(rule_field f, const fraud_payment *p)
{
    switch (f) {
    case F_KIND: return fraud_kind_name(p->kind);
    case F_CURRENCY: return p->currency;
    case F_COUNTRY: return p->country;
    case F_CHANNEL: return p->channel;
    case F_CATEGORY: return p->category;
    case F_FROM: return p->from;
    default: return p->to;
    }
}

static bool has_finding(const fraud_result *r, const char *pattern)
{
    for (size_t i = 0; i < r->n_finding; i++)
        if (!strcmp(fraud_typology_name(r->finding[i].typology), pattern)) return true;
    return false;
}

static bool policy_holds(const condition *c, const fraud_payment *p, const fraud_result *r)
{
    if (policy_is_text(c->field)) {
        bool equal = c->field == F_FINDING ? has_finding(r, c->text)
                                           : !strcmp(policy_text_of(c->field, p), c->text);
        return equal == (c->op == OP_EQ);
    }
    double x = policy_number_of(c->field, p, r);
    switch (c->op) {
    case OP_EQ: return x == c->number;
    case OP_NE: return x != c->number;
    case OP_LT: return x < c->number;
    case OP_LE: return x <= c->number;
    case OP_GT: return x > c->number;
    case OP_GE: return x >= c->number;
    }
    return false;
}

static bool policy_matches(const rule *one, const fraud_payment *p, const fraud_result *r)
{
    for (size_t i = 0; i < one->n_condition; i++)
        if (!policy_holds(&one->condition[i], p, r)) return false;
    return true;
}

void fraud_policy_decide(const fraud_policy *p, const fraud_payment *payment,
                         const fraud_result *result, fraud_decision *out)
{
    if (on_list(&p->block, payment->from) || on_list(&p->block, payment->to)) {
        *out = (fraud_decision){FRAUD_BLOCK, "block_list"};
        return;
    }
    if (on_list(&p->allow, payment->from)) {
        *out = (fraud_decision){FRAUD_ALLOW, "allow_list"};
        return;
    }
    for (size_t i = 0; i < p->n_rule; i++) {
        if (!policy_matches(&p->rules[i], payment, result)) continue;
        *out = (fraud_decision){p->rules[i].action, p->rules[i].name};
        return;
    }
    double x = result->probability;
    *out = (fraud_decision){x >= p->block_at    ? FRAUD_BLOCK
                            : x >= p->review_at ? FRAUD_REVIEW
                                                : FRAUD_ALLOW,
                            NULL};
}

const char *fraud_policy_version(const fraud_policy *p) { return p->version; }
const char *fraud_policy_text(const fraud_policy *p) { return p->text; }
