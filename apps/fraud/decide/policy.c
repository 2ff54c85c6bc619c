/* SPDX-License-Identifier: GPL-3.0-or-later */
/* policy.c - reads rules and lists once, decides without allocation unless a shadow matches. */
#include "decide/policy.h"

#include "decide/rule_advice.h"
#include "decide/rule_expr.h"
#include "text/nearest.h"

#include <ctype.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RULES_BYTES_MAX = 8 << 20,
    RULE_LINE_BYTES = 2048,
    NOTES_MAX = 32,
    MISTAKES_MAX = 32,
    NOTE_BYTES = 400,
    WOULD_BYTES = 1024,
    CAP_MAX = 1000000
};

/* What a decision names where a list made it. */
static const char ALLOW_LIST[] = "allow_list", BLOCK_LIST[] = "block_list";

typedef struct {
    fraud_rule_info info;
    int line_number;
    char *line; /* owned */
    rule_program *when;
} rule;

struct fraud_policy {
    fraud_policy_opts o; /* without the paths */
    size_t n_rule, n_list, n_note;
    rule rules[FRAUD_RULES_MAX];
    fraud_account_list *allow, *block, *list[FRAUD_LISTS_MAX];
    char note[NOTES_MAX][NOTE_BYTES];
    char version[17], text[480], calibration[160];
    atomic_uint *holders;
    size_t n_mistake;
    r1_status first_mistake;
    r1_err first_err;
};

const char *fraud_action_name(fraud_action action)
{
    static const char *const names[] = {"allow", "review", "block"};
    return names[action];
}

/* ---- notes and names ---- */

static void policy_note(void *ctx, const char *text)
{
    fraud_policy *p = ctx;
    if (p->n_note == NOTES_MAX) return;
    if (p->n_note + 1 == NOTES_MAX) text = "further notes of this kind are left out";
    snprintf(p->note[p->n_note++], NOTE_BYTES, "%s", text);
}

/* Tells a mistake to who asked for all of them: R1_OK where reading goes on. */
static r1_status policy_mistake(fraud_policy *p, r1_status st, const r1_err *why, r1_err *err)
{
    if (st == R1_OK) return R1_OK;
    if (!p->o.mistake || st == R1_E_NOMEM) {
        if (err) *err = *why;
        return st;
    }
    if (!p->n_mistake++) {
        p->first_mistake = st;
        p->first_err = *why;
    }
    p->o.mistake(p->o.mistake_ctx, why->msg);
    if (p->n_mistake < MISTAKES_MAX) return R1_OK;
    if (err) *err = p->first_err;
    return p->first_mistake;
}

const fraud_account_list *fraud_policy_list_at(const fraud_policy *p, size_t i)
{
    const fraud_account_list *first[] = {p->allow, p->block};
    for (size_t k = 0; k < R1_COUNT(first); k++) {
        if (!first[k]) continue;
        if (!i--) return first[k];
    }
    return i < p->n_list ? p->list[i] : NULL;
}

const fraud_account_list *fraud_policy_list(const fraud_policy *p, const char *name)
{
    const fraud_account_list *l;
    for (size_t i = 0; (l = fraud_policy_list_at(p, i)); i++)
        if (!strcmp(fraud_account_list_name(l), name)) return l;
    return NULL;
}

static const fraud_account_list *policy_list_of(void *ctx, const char *name)
{
    return fraud_policy_list(ctx, name);
}

static const char *policy_list_nearest(void *ctx, const char *name, char *text, size_t size)
{
    const fraud_account_list *l;
    r1_nearest near = {.found = name};
    for (size_t i = 0; (l = fraud_policy_list_at(ctx, i)); i++)
        r1_nearest_offer(&near, fraud_account_list_name(l));
    return r1_nearest_text(&near, text, size);
}

/* ---- one rule ---- */

typedef struct {
    const fraud_lines *s;
    const char *at;
    r1_err *err;
} parser;

static void policy_skip(parser *p)
{
    p->at += strspn(p->at, " \t");
    if (*p->at == '#') p->at += strlen(p->at);
}

static r1_status policy_expected(parser *p, const char *what)
{
    char advice[96];
    policy_skip(p);
    rule_advice(p->at, strstr(what, "text") != NULL, advice, sizeof advice);
    R1_FAIL(p->err, R1_E_INVAL, "%s:%d:%d: expected %s, found \"%.40s\"%s", p->s->path, p->s->n,
            fraud_lines_column(p->s, p->at), what, *p->at ? p->at : "end of line", advice);
}

static bool policy_take(parser *p, const char *word)
{
    policy_skip(p);
    size_t len = strlen(word);
    if (strncmp(p->at, word, len) != 0) return false;
    bool letter = isalpha((unsigned char)word[0]);
    if (letter && (isalnum((unsigned char)p->at[len]) || p->at[len] == '_')) return false;
    p->at += len;
    return true;
}

static r1_status parse_name(parser *p, char out[FRAUD_RULE_NAME_BYTES])
{
    policy_skip(p);
    size_t len = 0;
    while (isalnum((unsigned char)p->at[len]) || p->at[len] == '_') len++;
    if (!len || len >= FRAUD_RULE_NAME_BYTES)
        return policy_expected(p, "a name of 1 to 31 letters, digits and _");
    memcpy(out, p->at, len);
    out[len] = 0;
    p->at += len;
    return R1_OK;
}

static r1_status parse_cap(parser *p, uint32_t *cap)
{
    policy_skip(p);
    char *end;
    unsigned long n = isdigit((unsigned char)*p->at) ? strtoul(p->at, &end, 10) : 0;
    if (n < 1 || n > CAP_MAX) return policy_expected(p, "a number from 1 to 1000000 behind max");
    p->at = end;
    if (!policy_take(p, "/")) return policy_expected(p, "\"/h\"");
    if (!policy_take(p, "h")) return policy_expected(p, "h: a cap is by the hour");
    *cap = (uint32_t)n;
    return R1_OK;
}

/* Whose rule it is and why: for readers of the file alone. */
static r1_status parse_remark(parser *p)
{
    policy_skip(p);
    size_t len = *p->at == '"' ? strcspn(p->at + 1, "\"") : 0;
    if (*p->at != '"' || p->at[1 + len] != '"')
        return policy_expected(p, "a text in double quotes");
    p->at += len + 2;
    return R1_OK;
}

static r1_status parse_option(parser *p, fraud_rule_info *r)
{
    if (policy_take(p, "off")) return r->off = true, R1_OK;
    if (policy_take(p, "shadow")) return r->shadow = true, R1_OK;
    if (policy_take(p, "max")) return parse_cap(p, &r->max_hour);
    if (policy_take(p, "owner") || policy_take(p, "note")) return parse_remark(p);
    return policy_expected(p, "off, shadow, max N/h, owner \"...\" or note \"...\"");
}

static r1_status refuse_action(parser *p)
{
    char word[32], near[96];
    policy_skip(p);
    size_t len = strspn(p->at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    snprintf(word, sizeof word, "%.*s", (int)len, p->at);
    r1_nearest nearest = {.found = word};
    for (int a = FRAUD_ALLOW; a <= FRAUD_BLOCK; a++)
        r1_nearest_offer(&nearest, fraud_action_name((fraud_action)a));
    r1_status st = policy_expected(p, "allow, review or block");
    size_t at = p->err ? strlen(p->err->msg) : 0;
    if (p->err && len)
        snprintf(p->err->msg + at, sizeof p->err->msg - at, "%s",
                 r1_nearest_text(&nearest, near, sizeof near));
    return st;
}

static r1_status parse_action(parser *p, fraud_action *action)
{
    if (!policy_take(p, "->")) return policy_expected(p, "\"and\", \"or\" or \"->\"");
    for (int a = FRAUD_ALLOW; a <= FRAUD_BLOCK; a++) {
        if (!policy_take(p, fraud_action_name((fraud_action)a))) continue;
        *action = (fraud_action)a;
        policy_skip(p);
        return *p->at ? policy_expected(p, "end of line") : R1_OK;
    }
    return refuse_action(p);
}

static r1_status parse_rule(parser *p, rule *r, const rule_context *context)
{
    R1_TRY(parse_name(p, r->info.name));
    if (policy_take(p, "[")) {
        do R1_TRY(parse_option(p, &r->info));
        while (policy_take(p, ","));
        if (!policy_take(p, "]")) return policy_expected(p, "\",\" or \"]\" behind an option");
    }
    if (!policy_take(p, ":")) return policy_expected(p, "\":\" after the rule's name");
    R1_TRY(rule_program_new(&r->when, p->s, &p->at, context, p->err));
    return parse_action(p, &r->info.action);
}

/* A decision names its rule, so a name stands for one. */
static r1_status rule_is_new(const parser *p, const fraud_policy *policy, const rule *fresh)
{
    const char *name = fresh->info.name;
    static const char *const apart[] = {"unscorable", "time_suspect", "id_reused"};
    if (!strcmp(name, ALLOW_LIST) || !strcmp(name, BLOCK_LIST))
        R1_FAIL(p->err, R1_E_INVAL,
                "%s:%d: expected a name that no list has in a decision, found \"%s\"", p->s->path,
                p->s->n, name);
    for (size_t i = 0; i < R1_COUNT(apart); i++)
        if (!strcmp(name, apart[i]))
            R1_FAIL(p->err, R1_E_INVAL,
                    "%s:%d: expected a name that no decision without a score has, found \"%s\"",
                    p->s->path, p->s->n, name);
    for (size_t i = 0; i < policy->n_rule; i++)
        if (!strcmp(name, policy->rules[i].info.name))
            R1_FAIL(p->err, R1_E_INVAL,
                    "%s:%d: expected a name of its own, found \"%s\" of line %d again", p->s->path,
                    p->s->n, name, policy->rules[i].line_number);
    return R1_OK;
}

static r1_status keep_line(rule *r, const fraud_lines *s, r1_err *err)
{
    const char *from = s->line + strspn(s->line, " \t");
    size_t len = strlen(from);
    while (len && strchr(" \t", from[len - 1])) len--;
    r->line = calloc(1, len + 1);
    if (!r->line) R1_FAIL(err, R1_E_NOMEM, "%s: no memory for a rule", s->path);
    memcpy(r->line, from, len);
    r->info.line = r->line;
    r->line_number = s->n;
    return R1_OK;
}

static r1_status parse_line(fraud_policy *policy, parser *p, const rule_context *context)
{
    rule *fresh = &policy->rules[policy->n_rule];
    if (strlen(p->s->line) >= RULE_LINE_BYTES)
        R1_FAIL(p->err, R1_E_INVAL, "%s:%d: expected a line of at most %d bytes, found %zu",
                p->s->path, p->s->n, RULE_LINE_BYTES - 1, strlen(p->s->line));
    if (policy->n_rule == FRAUD_RULES_MAX)
        R1_FAIL(p->err, R1_E_INVAL, "%s:%d: expected at most %d rules, found more", p->s->path,
                p->s->n, FRAUD_RULES_MAX);
    r1_status st = parse_rule(p, fresh, context);
    if (st == R1_OK) st = rule_is_new(p, policy, fresh);
    if (st == R1_OK) st = keep_line(fresh, p->s, p->err);
    if (st == R1_OK) return policy->n_rule++, R1_OK;
    rule_program_free(fresh->when);
    *fresh = (rule){0};
    return st;
}

static r1_status parse_rules(fraud_policy *policy, fraud_lines *s, r1_err *err)
{
    const rule_context context = {.list = policy_list_of,
                                  .list_nearest = policy_list_nearest,
                                  .note = policy_note,
                                  .currency = policy->o.currency,
                                  .map = policy->o.map,
                                  .ctx = policy};
    bool some = false;
    while (fraud_lines_next(s)) {
        r1_err why = {0};
        parser p = {.s = s, .at = s->line, .err = &why};
        policy_skip(&p);
        if (!*p.at) continue;
        r1_status st = parse_line(policy, &p, &context);
        R1_TRY(policy_mistake(policy, st, &why, err));
        some = true;
    }
    char text[NOTE_BYTES];
    snprintf(text, sizeof text, "%.200s: no rule stands in this file", s->path);
    if (!some) policy_note(policy, text);
    return R1_OK;
}

/* ---- lists ---- */

/* Says what is allowed but odd in a list that was read, one note for each kind. */
static void policy_list_notes(fraud_policy *p, const fraud_account_list *l, const char *path)
{
    char text[NOTE_BYTES];
    if (!fraud_account_list_count(l)) {
        snprintf(text, sizeof text, "%.200s: no account stands in this list", path);
        policy_note(p, text);
    }
    for (int kind = 0; kind < FRAUD_N_LIST_ODD; kind++) {
        int line;
        size_t n = fraud_account_list_odd(l, (fraud_list_odd)kind, &line);
        if (!n) continue;
        int end =
            snprintf(text, sizeof text, "%.200s:%d: %s", path, line, fraud_list_odd_text[kind]);
        if (n > 1) snprintf(text + end, sizeof text - (size_t)end, " (%zu lines in all)", n);
        policy_note(p, text);
    }
}

static r1_status policy_list_read(fraud_policy *p, fraud_account_list **out, const char *name,
                                  const char *path, uint64_t *hash, r1_err *err)
{
    r1_err why = {0};
    if (!path) return R1_OK;
    r1_status st = fraud_account_list_read(out, name, path, hash, &why);
    if (st == R1_OK) return policy_list_notes(p, *out, path), R1_OK;
    R1_TRY(policy_mistake(p, st, &why, err));
    return fraud_account_list_parse(out, name, "", 0, err); /* rules may ask for it all the same */
}

static bool list_name_good(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("_-.", name[i])) return false;
    return len && len < FRAUD_LIST_NAME_BYTES && strcmp(name, ALLOW_LIST) != 0 &&
           strcmp(name, BLOCK_LIST) != 0;
}

static r1_status policy_named_lists(fraud_policy *p, const fraud_policy_opts *o, uint64_t *hash,
                                    r1_err *err)
{
    if (o->n_list > FRAUD_LISTS_MAX)
        R1_FAIL(err, R1_E_INVAL, "list: expected at most %d named lists, found %zu",
                FRAUD_LISTS_MAX, o->n_list);
    for (size_t i = 0; i < o->n_list; i++) {
        const fraud_named_list *l = &o->list[i];
        if (!list_name_good(l->name))
            R1_FAIL(err, R1_E_INVAL,
                    "list.%.40s: expected a name of 1 to 31 letters, digits, '_', '-' and '.', "
                    "other than allow_list and block_list",
                    l->name);
        *hash = r1_hash64(l->name, strlen(l->name), *hash);
        R1_TRY(policy_list_read(p, &p->list[p->n_list], l->name, l->path, hash, err));
        p->n_list++;
    }
    return R1_OK;
}

/* An account to pass and to block is a mistake of one of the two files. */
static r1_status lists_apart(const fraud_policy *p, r1_err *err)
{
    for (size_t i = 0; i < fraud_account_list_count(p->block); i++) {
        const fraud_list_entry *block = fraud_account_list_at(p->block, i),
                               *allow = fraud_account_list_find(p->allow, block->account, 0);
        if (allow)
            R1_FAIL(err, R1_E_INVAL,
                    "%s:%d: expected an account that %s has not, found %s of its line %d",
                    fraud_account_list_path(p->block), block->line,
                    fraud_account_list_path(p->allow), block->account, allow->line);
    }
    return R1_OK;
}

/* ---- life ---- */

static void policy_describe(fraud_policy *p, uint64_t hash)
{
    const fraud_policy_opts *o = &p->o;
    char block[32] = "never", budget[48] = "";
    if (o->block_at <= 1) snprintf(block, sizeof block, "%g", o->block_at);
    if (o->alerts_per_day > 0)
        snprintf(budget, sizeof budget, " alerts_per_day=%g", o->alerts_per_day);
    snprintf(p->version, sizeof p->version, "%016llx", (unsigned long long)hash);
    size_t n = (size_t)snprintf(
        p->text, sizeof p->text,
        "review_at=%g block_at=%s%s rules=%zu allow_list=%zu block_list=%zu", o->review_at, block,
        budget, p->n_rule, fraud_account_list_count(p->allow), fraud_account_list_count(p->block));
    for (size_t i = 0; i < p->n_list && n + 60 < sizeof p->text; i++)
        n += (size_t)snprintf(p->text + n, sizeof p->text - n, " %s=%zu",
                              fraud_account_list_name(p->list[i]),
                              fraud_account_list_count(p->list[i]));
    if (o->rates && n < sizeof p->text)
        n += (size_t)snprintf(p->text + n, sizeof p->text - n, " rates=%016llx",
                              (unsigned long long)o->rates);
    if (*p->calibration && n < sizeof p->text)
        snprintf(p->text + n, sizeof p->text - n, " %s", p->calibration);
}

static r1_status policy_rules_read(fraud_policy *p, const char *path, uint64_t *hash, r1_err *err)
{
    fraud_lines s;
    r1_err why = {0};
    if (!path) return R1_OK;
    r1_status st = fraud_lines_open(&s, path, RULES_BYTES_MAX, hash, &why);
    if (st != R1_OK) return policy_mistake(p, st, &why, err);
    st = parse_rules(p, &s, err);
    fraud_lines_close(&s);
    return st;
}

static r1_status policy_read_all(fraud_policy *p, const fraud_policy_opts *o, r1_err *err)
{
    const double numbers[] = {o->review_at, o->block_at, o->alerts_per_day};
    uint64_t hash = r1_hash64(numbers, sizeof numbers, 0);
    hash = r1_hash64(p->calibration, strlen(p->calibration), hash);
    if (o->rates) hash = r1_hash64(&o->rates, sizeof o->rates, hash);
    R1_TRY(policy_list_read(p, &p->allow, ALLOW_LIST, o->allow_path, &hash, err));
    R1_TRY(policy_list_read(p, &p->block, BLOCK_LIST, o->block_path, &hash, err));
    R1_TRY(policy_named_lists(p, o, &hash, err));
    r1_err why = {0};
    r1_status st = lists_apart(p, &why);
    R1_TRY(policy_mistake(p, st, &why, err));
    R1_TRY(policy_rules_read(p, o->rules_path, &hash, err));
    if (p->n_mistake) {
        if (err) *err = p->first_err;
        return p->first_mistake;
    }
    policy_describe(p, hash);
    p->o.currency = NULL; /* borrowed for the reading alone */
    p->o.map = NULL;
    p->o.mistake = NULL;
    return R1_OK;
}

r1_status fraud_policy_new(fraud_policy **out, const fraud_policy_opts *o, r1_err *err)
{
    if (!(o->review_at >= 0 && o->review_at <= o->block_at))
        R1_FAIL(err, R1_E_INVAL, "thresholds: expected 0 <= review-at <= block-at, found %g and %g",
                o->review_at, o->block_at);
    fraud_policy *p = calloc(1, sizeof *p);
    if (p) p->holders = malloc(sizeof *p->holders);
    if (!p || !p->holders) {
        free(p);
        R1_FAIL(err, R1_E_NOMEM, "no memory for the policy");
    }
    atomic_init(p->holders, 1);
    p->o = (fraud_policy_opts){.review_at = o->review_at,
                               .block_at = o->block_at,
                               .alerts_per_day = o->alerts_per_day,
                               .currency = o->currency,
                               .map = o->map,
                               .rates = o->rates,
                               .mistake = o->mistake,
                               .mistake_ctx = o->mistake_ctx};
    if (o->calibration) snprintf(p->calibration, sizeof p->calibration, "%s", o->calibration);
    r1_status st = policy_read_all(p, o, err);
    if (st != R1_OK)
        fraud_policy_free(p);
    else
        *out = p;
    return st;
}

void fraud_policy_free(fraud_policy *p)
{
    if (!p || atomic_fetch_sub(p->holders, 1) != 1) return;
    for (size_t i = 0; i < p->n_rule; i++) {
        rule_program_free(p->rules[i].when);
        free(p->rules[i].line);
    }
    for (size_t i = 0; i < FRAUD_LISTS_MAX; i++) fraud_account_list_free(p->list[i]);
    fraud_account_list_free(p->allow);
    fraud_account_list_free(p->block);
    free(p->holders);
    free(p);
}

/* ---- deciding ---- */

/* Adds one shadow to the decision; without memory it is only counted. */
static void add_would(fraud_decision *out, const fraud_rule_info *r, const char *why)
{
    static const char more[] = ",{\"more\":true}]";
    if (!out->would) out->would = calloc(1, WOULD_BYTES);
    if (!out->would) return;
    size_t n = strlen(out->would), room = WOULD_BYTES - n;
    if (n) room++, n--; /* over the bracket */
    char text[128];
    int len = snprintf(text, sizeof text, "%s{\"rule\":\"%s\",\"action\":\"%s\",\"why\":\"%s\"}]",
                       n ? "," : "[", r->name, fraud_action_name(r->action), why);
    if ((size_t)len + sizeof more < room)
        memcpy(out->would + n, text, (size_t)len + 1);
    else if (strstr(out->would, "\"more\"") == NULL)
        memcpy(out->would + n, more, sizeof more);
}

static bool decide_by_lists(const fraud_policy *p, const fraud_payment *pay, fraud_decision *out)
{
    const fraud_list_entry *from = fraud_account_list_find(p->block, pay->from, pay->ts),
                           *to = fraud_account_list_find(p->block, pay->to, pay->ts),
                           *pass = fraud_account_list_find(p->allow, pay->from, pay->ts);
    if (!from && !to && !pass) return false;
    bool block = from || to;
    out->action = block ? FRAUD_BLOCK : FRAUD_ALLOW;
    out->rule = block ? BLOCK_LIST : ALLOW_LIST;
    out->list = block ? p->block : p->allow;
    out->entry = from ? from : to ? to : pass;
    return true;
}

void fraud_policy_block_listed(const fraud_policy *p, const fraud_payment *pay, int64_t now_ms,
                               fraud_decision *d)
{
    const fraud_list_entry *entry = fraud_account_list_find(p->block, pay->from, now_ms);
    if (!entry) entry = fraud_account_list_find(p->block, pay->to, now_ms);
    if (!entry) return;
    d->action = FRAUD_BLOCK;
    d->rule = BLOCK_LIST;
    d->list = p->block;
    d->entry = entry;
}

static bool decide_by_rules(const fraud_policy *p, fraud_pace *pace, const fraud_subject *s,
                            fraud_decision *out)
{
    for (size_t i = 0; i < p->n_rule; i++) {
        const fraud_rule_info *r = &p->rules[i].info;
        rule_hit hit = {0};
        if (r->off || !rule_program_run(p->rules[i].when, s, &hit)) continue;
        bool decides =
            pace ? fraud_pace_match(pace, i, s->payment->ts, r->max_hour, r->shadow) : !r->shadow;
        if (!decides) {
            add_would(out, r, r->shadow ? "shadow" : "cap");
            continue;
        }
        out->action = r->action;
        out->rule = r->name;
        out->list = hit.list;
        out->entry = hit.entry;
        return true;
    }
    return false;
}

static fraud_action decide_by_score(const fraud_policy *p, fraud_pace *pace, const fraud_result *r)
{
    if (r->probability >= p->o.block_at) return FRAUD_BLOCK;
    if (!(r->probability >= p->o.review_at)) return FRAUD_ALLOW;
    if (!pace || !(p->o.alerts_per_day > 0)) return FRAUD_REVIEW;
    double border = fraud_pace_border(pace, p->o.alerts_per_day);
    return (double)(float)r->logit >= border ? FRAUD_REVIEW : FRAUD_ALLOW;
}

void fraud_policy_decide(const fraud_policy *p, fraud_pace *pace, const fraud_subject *s,
                         fraud_decision *out)
{
    *out = (fraud_decision){0};
    fraud_decision_stamp(out, p);
    if (!decide_by_lists(p, s->payment, out) && !decide_by_rules(p, pace, s, out))
        out->action = decide_by_score(p, pace, s->result);
    if (pace) fraud_pace_note(pace, s->payment->ts, (float)s->result->logit);
}

void fraud_decision_stamp(fraud_decision *d, const fraud_policy *p)
{
    if (d->policy) return;
    atomic_fetch_add(p->holders, 1);
    d->policy = p;
}

/* The hold of a decision is the same as the maker's: whoever is last frees it. */
static fraud_policy *policy_of(const fraud_policy *p)
{
    union {
        const fraud_policy *held;
        fraud_policy *freed;
    } u = {.held = p};
    return u.freed;
}

void fraud_decision_release(fraud_decision *d)
{
    free(d->would);
    fraud_policy_free(policy_of(d->policy));
    *d = (fraud_decision){0};
}

const char *fraud_decision_list(const fraud_decision *d, char *text, size_t size)
{
    if (!d->list || !d->entry) return NULL;
    const fraud_list_entry *e = d->entry;
    snprintf(text, size, "%s%s%s%s%s%s", fraud_account_list_name(d->list), *e->reason ? ": " : "",
             e->reason, *e->owner ? " (" : "", e->owner, *e->owner ? ")" : "");
    return text;
}

/* ---- what is in it ---- */

const char *fraud_policy_version(const fraud_policy *p) { return p->version; }
const char *fraud_policy_text(const fraud_policy *p) { return p->text; }
const char *fraud_policy_note(const fraud_policy *p, size_t i)
{
    return i < p->n_note ? p->note[i] : NULL;
}
size_t fraud_policy_n_rule(const fraud_policy *p) { return p->n_rule; }
void fraud_policy_rule(const fraud_policy *p, size_t i, fraud_rule_info *out)
{
    *out = p->rules[i].info;
}
const fraud_policy_opts *fraud_policy_opts_of(const fraud_policy *p) { return &p->o; }

void fraud_policy_pace(const fraud_policy *p, fraud_pace *pace)
{
    char name[FRAUD_RULES_MAX][FRAUD_RULE_NAME_BYTES];
    for (size_t i = 0; i < p->n_rule; i++)
        memcpy(name[i], p->rules[i].info.name, FRAUD_RULE_NAME_BYTES);
    fraud_pace_rules(pace, name, p->n_rule);
    if (p->o.alerts_per_day > 0) fraud_pace_border(pace, p->o.alerts_per_day);
}
