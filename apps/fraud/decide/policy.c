/* SPDX-License-Identifier: GPL-3.0-or-later */
/* policy.c - parses rules and lists once, decides without allocation. */
#include "decide/policy.h"

#include "graph/findings.h"
#include "text/r1_utf8.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RULES_MAX = 256, CONDITIONS_MAX = 8, LIST_MAX = 100000, FILE_BYTES_MAX = 8 << 20 };

/* What a decision names where a list made it. */
static const char ALLOW_LIST[] = "allow_list", BLOCK_LIST[] = "block_list";

/* ---- operators: one row each, a longer name before its beginning ---- */

typedef struct {
    const char *name;
    bool texts; /* compares texts too; else numbers alone */
    bool (*holds)(double x, double y);
} rule_op;

static bool op_equal(double x, double y) { return x == y; }
static bool op_differs(double x, double y) { return x != y; }
static bool op_at_most(double x, double y) { return x <= y; }
static bool op_at_least(double x, double y) { return x >= y; }
static bool op_below(double x, double y) { return x < y; }
static bool op_above(double x, double y) { return x > y; }

static const rule_op ops[] = {
    {"==", true, op_equal},     {"!=", true, op_differs}, {"<=", false, op_at_most},
    {">=", false, op_at_least}, {"<", false, op_below},   {">", false, op_above},
};

/* ---- fields: one row each ---- */

typedef struct {
    const char *name;
    /* A number: how it is read, and between which values it can lie. NULL: a text. */
    double (*number)(const fraud_payment *p, const fraud_result *r);
    double min, max;
    bool whole;
    /* A text: whether the payment has it. */
    bool (*is)(const fraud_payment *p, const fraud_result *r, const char *text);
    /* Which texts exist: those that are listed (NULL: not this one), or those that a function
     * knows. */
    const char *(*listed)(unsigned i);
    unsigned n_listed;
    bool (*exists)(const char *text);
    const char *expected; /* of exists, in words */
} rule_field;

static double field_amount(const fraud_payment *p, const fraud_result *r)
{
    double scale = 1;
    (void)r;
    for (int i = 0; i < p->minor_digits; i++) scale *= 10;
    return (double)p->amount_minor / scale;
}
static double field_amount_minor(const fraud_payment *p, const fraud_result *r)
{
    (void)r;
    return (double)p->amount_minor;
}
static double field_probability(const fraud_payment *p, const fraud_result *r)
{
    (void)p;
    return r->probability;
}
static double field_logit(const fraud_payment *p, const fraud_result *r)
{
    (void)p;
    return r->logit;
}
static double field_degraded(const fraud_payment *p, const fraud_result *r)
{
    (void)p;
    return r->degraded;
}
static double field_hour(const fraud_payment *p, const fraud_result *r)
{
    (void)r;
    return (double)(p->ts / 3600000 % 24);
}

#define FIELD_IS(field, text_of)                                                                   \
    static bool field##_is(const fraud_payment *p, const fraud_result *r, const char *text)        \
    {                                                                                              \
        (void)r;                                                                                   \
        return !strcmp(text_of, text);                                                             \
    }
FIELD_IS(kind, fraud_kind_name(p->kind))
FIELD_IS(currency, p->currency)
FIELD_IS(country, p->country)
FIELD_IS(channel, p->channel)
FIELD_IS(category, p->category)
FIELD_IS(from, p->from)
FIELD_IS(to, p->to)

static bool finding_is(const fraud_payment *p, const fraud_result *r, const char *text)
{
    (void)p;
    for (size_t i = 0; i < r->n_finding; i++)
        if (!strcmp(fraud_typology_name(r->finding[i].typology), text)) return true;
    return false;
}

/* A rule may name what can be found, not every typology that the generator plants. */
static const char *finding_name(unsigned i)
{
    return fraud_findings_looks_for(i) ? fraud_typology_name(i) : NULL;
}

static bool currency_exists(const char *text) { return fraud_currency_digits(text) >= 0; }
static bool country_exists(const char *text) { return !*text || fraud_country_exists(text); }
static bool word_exists(const char *text) { return strlen(text) < FRAUD_WORD_BYTES; }
static bool account_exists(const char *text) { return *text && strlen(text) < FRAUD_ACCOUNT_BYTES; }

_Static_assert(FRAUD_WORD_BYTES == 32 && FRAUD_ACCOUNT_BYTES == 256,
               "the sizes in the words below");

static const rule_field fields[] = {
    {.name = "amount", .number = field_amount, .max = (double)FRAUD_AMOUNT_MAX},
    {.name = "amount_minor", .number = field_amount_minor, .max = (double)FRAUD_AMOUNT_MAX},
    {.name = "probability", .number = field_probability, .max = 1},
    {.name = "logit", .number = field_logit, .min = -1000, .max = 1000},
    {.name = "degraded", .number = field_degraded, .max = 1, .whole = true},
    {.name = "hour", .number = field_hour, .max = 23, .whole = true},
    {.name = "kind", .is = kind_is, .listed = fraud_kind_name, .n_listed = FRAUD_N_KIND},
    {.name = "currency",
     .is = currency_is,
     .exists = currency_exists,
     .expected = "an ISO 4217 code"},
    {.name = "country",
     .is = country_is,
     .exists = country_exists,
     .expected = "two capital letters (ISO 3166-1) or \"\""},
    {.name = "channel", .is = channel_is, .exists = word_exists, .expected = "at most 31 bytes"},
    {.name = "category", .is = category_is, .exists = word_exists, .expected = "at most 31 bytes"},
    {.name = "from", .is = from_is, .exists = account_exists, .expected = "1 to 255 bytes"},
    {.name = "to", .is = to_is, .exists = account_exists, .expected = "1 to 255 bytes"},
    {.name = "finding", .is = finding_is, .listed = finding_name, .n_listed = FRAUD_N_TYPOLOGY},
};

typedef struct {
    const rule_field *field;
    const rule_op *op;
    double number;
    char text[128];
} condition;

typedef struct {
    char name[32];
    int line; /* in the file */
    fraud_action action;
    size_t n_condition;
    condition condition[CONDITIONS_MAX];
} rule;

typedef struct {
    const char *account; /* first: by_text compares it */
    int line;            /* in the file */
} entry;

typedef struct {
    char *text;   /* owned: the file */
    entry *entry; /* sorted */
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

static r1_status parse_field(parser *p, condition *c)
{
    for (size_t i = 0; i < R1_COUNT(fields); i++)
        if (policy_take(p, fields[i].name)) return c->field = &fields[i], R1_OK;
    return policy_expected(p, "a field (amount, probability, kind, from, finding...)");
}

static r1_status parse_op(parser *p, condition *c)
{
    for (size_t i = 0; i < R1_COUNT(ops); i++) {
        if (!policy_take(p, ops[i].name)) continue;
        c->op = &ops[i];
        return c->field->number || c->op->texts ? R1_OK
                                                : policy_expected(p, "== or != before a text");
    }
    return policy_expected(p, "== != < <= > or >=");
}

static r1_status policy_number(parser *p, condition *c)
{
    const rule_field *f = c->field;
    char *end;
    c->number = strtod(p->at, &end);
    if (end == p->at) return policy_expected(p, "a number");
    bool good = c->number >= f->min && c->number <= f->max &&
                !(f->whole && c->number != (double)(int)c->number);
    if (!good)
        R1_FAIL(p->err, R1_E_INVAL, "%s:%d: %s: expected %s%.15g to %.15g, found %.*s", p->path,
                p->line, f->name, f->whole ? "a whole number from " : "", f->min, f->max,
                (int)(end - p->at), p->at);
    p->at = end;
    return R1_OK;
}

/* "one of transfer, card, cash", or the words of a row whose values no list holds. */
static const char *values_of(const rule_field *f, char *out, size_t size)
{
    if (!f->listed) return f->expected;
    size_t n = (size_t)snprintf(out, size, "one of");
    const char *before = " ";
    for (unsigned i = 0; i < f->n_listed && n < size; i++) {
        const char *name = f->listed(i);
        if (!name) continue;
        n += (size_t)snprintf(out + n, size - n, "%s%s", before, name);
        before = ", ";
    }
    return out;
}

static bool value_exists(const rule_field *f, const char *text)
{
    for (unsigned i = 0; i < f->n_listed; i++) {
        const char *name = f->listed(i);
        if (name && !strcmp(name, text)) return true;
    }
    return f->exists && f->exists(text);
}

static r1_status parse_text(parser *p, condition *c)
{
    if (*p->at != '"') return policy_expected(p, "a text in double quotes");
    size_t len = strcspn(p->at + 1, "\"");
    if (p->at[1 + len] != '"' || len >= sizeof c->text)
        return policy_expected(p, "a closing quote");
    memcpy(c->text, p->at + 1, len);
    c->text[len] = 0;
    char values[160];
    if (!value_exists(c->field, c->text))
        R1_FAIL(p->err, R1_E_INVAL, "%s:%d: %s: expected %s, found \"%.40s\"", p->path, p->line,
                c->field->name, values_of(c->field, values, sizeof values), c->text);
    p->at += len + 2;
    return R1_OK;
}

static r1_status parse_value(parser *p, condition *c)
{
    policy_skip(p);
    return c->field->number ? policy_number(p, c) : parse_text(p, c);
}

static r1_status parse_rule(parser *p, rule *r)
{
    R1_TRY(parse_word(p, r->name, sizeof r->name, "a name of letters, digits and _"));
    if (!policy_take(p, ":")) return policy_expected(p, "\":\" after the rule's name");
    do {
        if (r->n_condition == CONDITIONS_MAX) return policy_expected(p, "at most 8 conditions");
        condition *c = &r->condition[r->n_condition++];
        R1_TRY(parse_field(p, c));
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

/* A decision names its rule, so a name stands for one. */
static r1_status rule_is_new(const parser *p, const fraud_policy *policy, const rule *fresh)
{
    if (!strcmp(fresh->name, ALLOW_LIST) || !strcmp(fresh->name, BLOCK_LIST))
        R1_FAIL(p->err, R1_E_INVAL,
                "%s:%d: expected a name that no list has in a decision, found \"%s\"", p->path,
                p->line, fresh->name);
    for (size_t i = 0; i < policy->n_rule; i++)
        if (!strcmp(fresh->name, policy->rules[i].name))
            R1_FAIL(p->err, R1_E_INVAL,
                    "%s:%d: expected a name of its own, found \"%s\" of line %d again", p->path,
                    p->line, fresh->name, policy->rules[i].line);
    return R1_OK;
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
        rule *fresh = &policy->rules[policy->n_rule];
        R1_TRY(parse_rule(&p, fresh));
        R1_TRY(rule_is_new(&p, policy, fresh));
        fresh->line = p.line;
        policy->n_rule++;
    }
    return R1_OK;
}

static int by_text(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

/* What a reader of the file would not see, and what belongs to no text; NULL: neither. */
static const char *policy_unseen(uint32_t code)
{
    return code == R1_UTF8_BAD    ? "a byte that is not UTF-8"
           : code == 0            ? "a zero byte"
           : code == 0xfeff       ? "a byte order mark"
           : r1_utf8_hidden(code) ? "a character that is not seen"
                                  : NULL;
}

static r1_status policy_is_text(const char *path, const char *text, size_t len, r1_err *err)
{
    int line = 1;
    for (size_t i = 0; i < len;) {
        uint32_t code;
        i += r1_utf8_next(text + i, len - i, &code);
        const char *unseen = policy_unseen(code);
        if (unseen) R1_FAIL(err, R1_E_INVAL, "%s:%d: expected text, found %s", path, line, unseen);
        line += code == '\n';
    }
    return R1_OK;
}

/* A whole file as text, its bytes mixed into the version. */
static r1_status policy_read(const char *path, char **text, uint64_t *hash, r1_err *err)
{
    size_t len;
    R1_TRY(r1_file_read(path, FILE_BYTES_MAX, text, &len, err));
    *hash = r1_hash64(*text, len, *hash);
    r1_status st = policy_is_text(path, *text, len, err);
    if (st == R1_OK) return R1_OK;
    free(*text);
    *text = NULL;
    return st;
}

/* One line: an account, a comment, both, or nothing. *account is NULL where there is none. */
static r1_status parse_account(parser *p, const char **account)
{
    *account = NULL;
    p->at[strcspn(p->at, "#")] = 0;
    policy_skip(p);
    if (!*p->at) return R1_OK;
    char *start = p->at;
    size_t len = strcspn(start, " \t\r");
    p->at += len;
    policy_skip(p);
    if (*p->at) return policy_expected(p, "one account a line");
    start[len] = 0;
    if (strpbrk(start, ",\"") || *start == '\'')
        R1_FAIL(p->err, R1_E_INVAL,
                "%s:%d: expected an account without commas and quotes, found %.80s", p->path,
                p->line, start);
    if (!account_exists(start))
        R1_FAIL(p->err, R1_E_INVAL, "%s:%d: expected an account of at most %d bytes, found %zu",
                p->path, p->line, FRAUD_ACCOUNT_BYTES - 1, len);
    *account = start;
    return R1_OK;
}

static r1_status read_list(list *l, const char *path, uint64_t *hash, r1_err *err)
{
    R1_TRY(policy_read(path, &l->text, hash, err));
    l->entry = calloc(LIST_MAX, sizeof *l->entry);
    if (!l->entry) R1_FAIL(err, R1_E_NOMEM, "%s: no memory for the list", path);
    parser p = {.path = path, .err = err};
    char *next = l->text;
    for (char *line; (line = next);) {
        const char *account;
        p.line++;
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        p.at = line;
        R1_TRY(parse_account(&p, &account));
        if (!account) continue;
        if (l->n == LIST_MAX)
            R1_FAIL(err, R1_E_INVAL, "%s:%d: expected at most %d accounts, found more", path,
                    p.line, LIST_MAX);
        l->entry[l->n++] = (entry){account, p.line};
    }
    qsort(l->entry, l->n, sizeof *l->entry, by_text);
    return R1_OK;
}

static const entry *on_list(const list *l, const char *account)
{
    const entry key = {.account = account};
    return l->n ? bsearch(&key, l->entry, l->n, sizeof *l->entry, by_text) : NULL;
}

/* An account to pass and to block is a mistake of one of the two files. */
static r1_status lists_apart(const fraud_policy *p, const fraud_policy_opts *o, r1_err *err)
{
    for (size_t i = 0; i < p->block.n; i++) {
        const entry *block = &p->block.entry[i], *allow = on_list(&p->allow, block->account);
        if (allow)
            R1_FAIL(err, R1_E_INVAL,
                    "%s:%d: expected an account that %s has not, found %s of its "
                    "line %d",
                    o->block_path, block->line, o->allow_path, block->account, allow->line);
    }
    return R1_OK;
}

static r1_status policy_read_all(fraud_policy *p, const fraud_policy_opts *o, r1_err *err)
{
    double thresholds[2] = {o->review_at, o->block_at};
    uint64_t hash = r1_hash64(thresholds, sizeof thresholds, 0);
    if (o->rules_path) {
        char *text;
        R1_TRY(policy_read(o->rules_path, &text, &hash, err));
        r1_status st = parse_rules(p, o->rules_path, text, err);
        free(text);
        R1_TRY(st);
    }
    if (o->allow_path) R1_TRY(read_list(&p->allow, o->allow_path, &hash, err));
    if (o->block_path) R1_TRY(read_list(&p->block, o->block_path, &hash, err));
    R1_TRY(lists_apart(p, o, err));
    snprintf(p->version, sizeof p->version, "%016llx", (unsigned long long)hash);
    snprintf(p->text, sizeof p->text,
             "review_at=%g block_at=%g rules=%zu allow_list=%zu block_list=%zu", o->review_at,
             o->block_at, p->n_rule, p->allow.n, p->block.n);
    return R1_OK;
}

r1_status fraud_policy_new(fraud_policy **out, const fraud_policy_opts *o, r1_err *err)
{
    if (!(o->review_at >= 0 && o->review_at <= o->block_at))
        R1_FAIL(err, R1_E_INVAL, "thresholds: expected 0 <= review-at <= block-at, found %g and %g",
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
    free(p->allow.entry);
    free(p->block.text);
    free(p->block.entry);
    free(p);
}

/* ---- deciding ---- */

static bool policy_holds(const condition *c, const fraud_payment *p, const fraud_result *r)
{
    if (c->field->number) return c->op->holds(c->field->number(p, r), c->number);
    return c->op->holds(!c->field->is(p, r, c->text), 0); /* equal texts differ by 0 */
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
        *out = (fraud_decision){FRAUD_BLOCK, BLOCK_LIST};
        return;
    }
    if (on_list(&p->allow, payment->from)) {
        *out = (fraud_decision){FRAUD_ALLOW, ALLOW_LIST};
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
