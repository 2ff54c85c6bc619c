/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rule_expr.c - reads a condition by recursive descent and writes its program as it goes. One
 * function is one line of the grammar in rule_expr.h; each returns what its part is: a type, and
 * the field or constant where it is nothing more. */
#include "decide/rule_expr.h"

#include "decide/rule_advice.h"
#include "text/nearest.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHARS_MAX = 8192 };

/* ---- what a part of the condition is ---- */

typedef struct {
    rule_type type;
    const rule_field *field; /* where it is a field and nothing more */
    const rule_function *function;
    bool constant;
    double value;     /* of a constant */
    char currency[4]; /* of money; "": that of the stream */
    bool bare;        /* a number that stands for money as it is */
    bool grouped;     /* a number such as 1.000, which some read as a thousand */
    const char *at;   /* where it begins */
} expr_part;

typedef struct {
    const fraud_lines *s;
    const char *at;
    const rule_context *context;
    r1_err *err;
    int depth;
    bool names_currency; /* the condition has `currency ==` or an amount in one */
    const char *bare_at; /* an amount was compared without a currency, first here */
    double bare_value;   /* with this one */
    rule_program p;
    rule_step step[RULE_CODE_MAX];
    const char *text[RULE_VALUES_MAX];
    double number[RULE_VALUES_MAX];
    char chars[CHARS_MAX];
} expr_parser;

/* ---- faults ---- */

/* Up to 40 bytes of what stands there: a word, or signs up to a blank. */
static const char *expr_found(const char *at, char *text, size_t size)
{
    size_t len = 0;
    while (isalnum((unsigned char)at[len]) || at[len] == '_') len++;
    if (!len) len = strcspn(at, " \t");
    if (len > size - 1) len = size - 1;
    while (len && ((unsigned char)at[len] & 0xc0) == 0x80) len--; /* whole characters */
    snprintf(text, size, "%.*s", (int)len, *at ? at : "");
    return *at ? text : "end of line";
}

static r1_status expr_fail(const expr_parser *p, const char *at, const char *expected,
                           const char *found, const char *nearest)
{
    R1_FAIL(p->err, R1_E_INVAL, "%s:%d:%d: expected %s, found %s%s", p->s->path, p->s->n,
            fraud_lines_column(p->s, at), expected, found, nearest);
}

static r1_status expr_expected(const expr_parser *p, const char *what)
{
    char found[41], quoted[48], advice[96];
    bool text = strstr(what, "text") != NULL;
    snprintf(quoted, sizeof quoted, "\"%s\"", expr_found(p->at, found, sizeof found));
    return expr_fail(p, p->at, what, quoted, rule_advice(p->at, text, advice, sizeof advice));
}

/* ---- signs and words ---- */

static void expr_skip(expr_parser *p)
{
    p->at += strspn(p->at, " \t");
    if (*p->at == '#') p->at += strlen(p->at); /* a comment */
}

static bool expr_is_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

static bool expr_take(expr_parser *p, const char *word)
{
    expr_skip(p);
    size_t len = strlen(word);
    if (strncmp(p->at, word, len) != 0 ||
        (isalpha((unsigned char)*word) && expr_is_word(p->at[len])))
        return false;
    bool arrow = *p->at == '-' && p->at[1] == '>', differs = *p->at == '<' && p->at[1] == '>';
    if (len == 1 && (arrow || differs)) return false; /* SQL's <> is told */
    p->at += len;
    return true;
}

static r1_status expr_need(expr_parser *p, const char *sign, const char *what)
{
    return expr_take(p, sign) ? R1_OK : expr_expected(p, what);
}

static bool expr_word(expr_parser *p, char *out, size_t size)
{
    size_t len = 0;
    expr_skip(p);
    if (!isalpha((unsigned char)*p->at) && *p->at != '_') return false;
    while (expr_is_word(p->at[len])) len++;
    if (len >= size) return false;
    memcpy(out, p->at, len);
    out[len] = 0;
    p->at += len;
    return true;
}

static r1_status expr_emit(expr_parser *p, const rule_step *step)
{
    if (p->p.n_step == RULE_CODE_MAX) {
        char most[48];
        snprintf(most, sizeof most, "at most %d steps in a rule", RULE_CODE_MAX);
        return expr_expected(p, most);
    }
    p->step[p->p.n_step++] = *step;
    return R1_OK;
}

static r1_status expr_emit_op(expr_parser *p, rule_op op)
{
    return expr_emit(p, &(rule_step){.op = (uint8_t)op});
}

/* A text in quotes, kept for the program. */
static r1_status expr_text(expr_parser *p, const char **out)
{
    expr_skip(p);
    if (*p->at != '"') return expr_expected(p, "a text in double quotes");
    size_t len = strcspn(p->at + 1, "\"");
    if (p->at[1 + len] != '"') return expr_expected(p, "a closing quote");
    if (p->p.n_char + len + 1 > CHARS_MAX) return expr_expected(p, "at most 8 KiB of texts");
    char *text = p->chars + p->p.n_char;
    memcpy(text, p->at + 1, len);
    text[len] = 0;
    p->p.n_char += len + 1;
    p->at += len + 2;
    *out = text;
    return R1_OK;
}

/* ---- constants ---- */

static const struct {
    const char *unit;
    double ms;
} expr_units[] = {{"s", 1e3}, {"min", 6e4}, {"h", 36e5}, {"d", 864e5}, {"w", 6048e5}};

/* Digits, a point that is not the first of two, an exponent. */
static size_t expr_number_length(const char *at)
{
    size_t n = strspn(at, "0123456789");
    if (at[n] == '.' && at[n + 1] != '.') n += 1 + strspn(at + n + 1, "0123456789");
    if (n && (at[n] == 'e' || at[n] == 'E')) {
        size_t e = n + 1 + (at[n + 1] == '+' || at[n + 1] == '-');
        size_t digits = strspn(at + e, "0123456789");
        if (digits) n = e + digits;
    }
    return n;
}

/* "1.000": one to three digits, the first of them not 0, a point and three more. */
static bool expr_is_grouped(const char *at, size_t len)
{
    size_t n = strspn(at, "0123456789");
    return *at != '0' && n >= 1 && n <= 3 && len == n + 4 && at[n] == '.';
}

/* A point begins decimals. Where nothing is counted in thousandths, a thousand may be meant. */
static void expr_note_grouped(const expr_parser *p, expr_part *part)
{
    const rule_context *c = p->context;
    char text[400];
    if (!part->grouped || !c || !c->note) return;
    part->grouped = false;
    snprintf(text, sizeof text,
             "%.200s:%d:%d: the point begins decimals, so this is %.15g: write %.15g where "
             "thousands are meant",
             p->s->path, p->s->n, fraud_lines_column(p->s, part->at), part->value,
             part->value * 1000);
    c->note(c->ctx, text);
}

/* Payments come to rules in the currency of the stream: an amount in another one never matches. */
static void expr_note_currency(const expr_parser *p, const char *at, const char *what,
                               const char *named)
{
    const rule_context *c = p->context;
    char text[320];
    if (!c || !c->note || !c->currency || !strcmp(c->currency, named)) return;
    snprintf(text, sizeof text, "%.200s:%d:%d: %s %s never matches, because the stream is in %s",
             p->s->path, p->s->n, fraud_lines_column(p->s, at), what, named, c->currency);
    c->note(c->ctx, text);
}

/* A field that no row of the mapping file fills is missing in each payment. */
static void expr_note_unfilled(const expr_parser *p, const char *at, const rule_field *f)
{
    const rule_context *c = p->context;
    fraud_field from = rule_field_from(f);
    char text[320];
    if (!c || !c->note || from == FRAUD_N_F || fraud_map_fills(c->map, from)) return;
    snprintf(text, sizeof text,
             "%.200s:%d:%d: %s is missing in each payment, because the mapping file has no row %s",
             p->s->path, p->s->n, fraud_lines_column(p->s, at), f->name, fraud_fields[from].name);
    c->note(c->ctx, text);
}

/* One kind for all messages: another one never matches. */
static void expr_note_kind(const expr_parser *p, const char *at, const char *value)
{
    const rule_context *c = p->context;
    const char *word = c ? fraud_map_constant(c->map, FRAUD_F_KIND) : NULL;
    unsigned kind = word ? (unsigned)fraud_map_kind(c->map, word) : FRAUD_N_KIND;
    char text[320];
    if (!c || !c->note || kind >= FRAUD_N_KIND || !strcmp(fraud_kind_name(kind), value)) return;
    snprintf(text, sizeof text,
             "%.200s:%d:%d: kind as %s never matches, because the mapping file says %s for each "
             "payment",
             p->s->path, p->s->n, fraud_lines_column(p->s, at), value, fraud_kind_name(kind));
    c->note(c->ctx, text);
}

/* "1h" after its number: a duration; " EUR" or "EUR": money. */
static r1_status expr_unit(expr_parser *p, expr_part *part)
{
    char word[8];
    const char *before = p->at;
    for (size_t i = 0; i < R1_COUNT(expr_units); i++) {
        size_t len = strlen(expr_units[i].unit);
        if (strncmp(p->at, expr_units[i].unit, len) != 0 || expr_is_word(p->at[len])) continue;
        p->at += len;
        part->type = RULE_TIME;
        part->value *= expr_units[i].ms;
        return R1_OK;
    }
    bool joined = expr_is_word(*p->at);
    expr_skip(p);
    bool capitals = isupper((unsigned char)p->at[0]) && isupper((unsigned char)p->at[1]),
         joins = expr_take(p, "AND") || expr_take(p, "OR"); /* told behind the number */
    if (joins) p->at = before, capitals = false;
    if (capitals && expr_word(p, word, sizeof word)) {
        char nearest[80];
        const rule_field *currency = rule_field_of("currency");
        if (!rule_value_exists(currency, word)) {
            char quoted[16];
            snprintf(quoted, sizeof quoted, "\"%s\"", word);
            return expr_fail(p, p->at - strlen(word), "an ISO 4217 code behind the amount", quoted,
                             rule_value_nearest(currency, word, nearest, sizeof nearest));
        }
        expr_note_currency(p, p->at - strlen(word), "an amount in", word);
        part->type = RULE_MONEY;
        part->bare = false;
        snprintf(part->currency, sizeof part->currency, "%.3s", word);
        if (fraud_currency_digits(word) == 3) part->grouped = false;
        expr_note_grouped(p, part);
        p->names_currency = true;
        return R1_OK;
    }
    p->at = before;
    return joined ? expr_expected(p, "a blank, a currency, or s, min, h, d, w behind a number")
                  : R1_OK;
}

static r1_status expr_number(expr_parser *p, expr_part *part)
{
    char text[64];
    size_t len = expr_number_length(p->at);
    if (len >= sizeof text) return expr_expected(p, "a number of at most 63 digits");
    memcpy(text, p->at, len);
    text[len] = 0;
    part->type = RULE_NUMBER;
    part->constant = part->bare = true;
    part->grouped = expr_is_grouped(text, len);
    part->value = strtod(text, NULL);
    if (!isfinite(part->value)) return expr_expected(p, "a number that is finite");
    p->at += len;
    R1_TRY(expr_unit(p, part));
    return expr_emit(p, &(rule_step){.op = RULE_OP_NUMBER, .of.number = part->value});
}

/* ---- fields and functions ---- */

static r1_status expr_side(expr_parser *p, const rule_function *f, rule_call *call)
{
    char word[32] = "", expected[128], found[48];
    expr_skip(p);
    const char *at = p->at;
    r1_nearest near = {.found = word};
    size_t n = 0;
    expr_word(p, word, sizeof word);
    for (unsigned i = 0; i < RULE_N_SIDE; i++) {
        if (!(f->sides & 1u << i)) continue;
        if (!strcmp(word, rule_side_names[i])) return call->side = (rule_side)i, R1_OK;
        n += (size_t)snprintf(expected + n, sizeof expected - n, "%s%s", n ? ", " : "one of ",
                              rule_side_names[i]);
        r1_nearest_offer(&near, rule_side_names[i]);
    }
    char nearest[80];
    snprintf(found, sizeof found, "\"%s\"", *word ? word : expr_found(at, nearest, 40));
    return expr_fail(p, at, expected, found, r1_nearest_text(&near, nearest, sizeof nearest));
}

static r1_status expr_window(expr_parser *p, rule_call *call)
{
    char windows[64], expected[96];
    double ms = -1;
    expr_skip(p);
    const char *at = p->at;
    size_t len = expr_number_length(at);
    if (len && len < 16) {
        expr_part part = {.value = strtod(at, NULL)};
        p->at += len;
        R1_TRY(expr_unit(p, &part));
        if (part.type == RULE_TIME) ms = part.value;
    }
    if (rule_window_of(ms, &call->window)) return R1_OK;
    snprintf(expected, sizeof expected, "one of the windows %s",
             rule_windows_text(windows, sizeof windows));
    p->at = at;
    return expr_expected(p, expected);
}

static r1_status expr_zone(expr_parser *p, rule_call *call)
{
    const char *name;
    r1_err why = {0};
    expr_skip(p);
    const char *at = p->at;
    R1_TRY(expr_text(p, &name));
    if (p->p.n_zone == RULE_ZONES_MAX) return expr_expected(p, "at most 8 time zones in a rule");
    r1_status st = fraud_zone_open(&p->p.zone[p->p.n_zone], name, &why);
    if (st != R1_OK)
        R1_FAIL(p->err, st, "%s:%d:%d: %.180s", p->s->path, p->s->n, fraud_lines_column(p->s, at),
                why.msg);
    call->zone = p->p.zone[p->p.n_zone++];
    return R1_OK;
}

static r1_status expr_call(expr_parser *p, const rule_function *f, expr_part *part)
{
    rule_step step = {.op = RULE_OP_CALL, .of.function = f};
    R1_TRY(expr_need(p, "(", "\"(\" behind the function's name"));
    if (f->args == RULE_ARGS_ZONE) {
        R1_TRY(expr_zone(p, &step.call));
    } else {
        R1_TRY(expr_side(p, f, &step.call));
        if (f->args == RULE_ARGS_SIDE_WINDOW) {
            R1_TRY(expr_need(p, ",", "\",\" and a window"));
            R1_TRY(expr_window(p, &step.call));
        }
    }
    R1_TRY(expr_need(p, ")", "\")\""));
    part->type = f->type;
    part->function = f;
    return expr_emit(p, &step);
}

static r1_status expr_unknown(expr_parser *p, const char *at, const char *word)
{
    char nearest[96], found[48];
    if (!strcmp(word, "nan") || !strcmp(word, "inf"))
        return expr_fail(p, at, "a number that is finite", word, "");
    snprintf(found, sizeof found, "\"%.40s\"", word);
    rule_word_nearest(word, nearest, sizeof nearest);
    if (!*nearest) rule_advice(at, false, nearest, sizeof nearest);
    return expr_fail(p, at, "a field or a function", found, nearest);
}

static r1_status expr_named(expr_parser *p, expr_part *part)
{
    char word[64];
    const char *at = p->at;
    if (!expr_word(p, word, sizeof word)) return expr_expected(p, "a field, a function or a value");
    const rule_function *function = rule_function_of(word);
    const rule_field *field = rule_field_of(word);
    const char *behind = p->at + strspn(p->at, " \t");
    if (function && (*behind == '(' || !field)) return expr_call(p, function, part);
    if (!field) return expr_unknown(p, at, word);
    part->type = field->type;
    part->field = field;
    expr_note_unfilled(p, at, field);
    if (field->type == RULE_TEXT) return R1_OK; /* read by the comparison */
    return expr_emit(p, &(rule_step){.op = RULE_OP_FIELD, .of.field = field});
}

/* ---- arithmetic ---- */

static r1_status expr_or(expr_parser *p, expr_part *part);

static const char *expr_type_name(const expr_part *part)
{
    static const char *const names[] = {"a condition", "a number", "an amount", "a duration",
                                        "a text"};
    return names[part->type];
}

static bool expr_is_sum(const expr_part *part)
{
    return part->type == RULE_NUMBER || part->type == RULE_MONEY || part->type == RULE_TIME;
}

static r1_status expr_need_sum(const expr_parser *p, const expr_part *part)
{
    if (expr_is_sum(part)) return R1_OK;
    return expr_fail(p, part->at, "a number", expr_type_name(part), "");
}

static r1_status expr_deeper(expr_parser *p)
{
    char most[48];
    snprintf(most, sizeof most, "at most %d levels of brackets", RULE_DEPTH_MAX);
    return ++p->depth > RULE_DEPTH_MAX ? expr_expected(p, most) : R1_OK;
}

static r1_status expr_factor(expr_parser *p, expr_part *part)
{
    expr_skip(p);
    *part = (expr_part){.at = p->at};
    bool sign = (*p->at == '-' && p->at[1] != '>') || *p->at == '+';
    if (sign) {
        const char *at = p->at;
        bool minus = *p->at++ == '-';
        R1_TRY(expr_deeper(p));
        R1_TRY(expr_factor(p, part));
        p->depth--;
        part->at = at;
        R1_TRY(expr_need_sum(p, part));
        if (!minus) return R1_OK;
        part->field = NULL;
        part->function = NULL;
        part->value = -part->value;
        return expr_emit_op(p, RULE_OP_NEGATE);
    }
    if (*p->at == '(') {
        p->at++;
        const char *at = part->at;
        R1_TRY(expr_deeper(p));
        R1_TRY(expr_or(p, part));
        p->depth--;
        part->at = at;
        return expr_need(p, ")", "\")\"");
    }
    if (isdigit((unsigned char)*p->at) || (*p->at == '.' && isdigit((unsigned char)p->at[1])))
        return expr_number(p, part);
    if (*p->at == '"') return expr_expected(p, "a field before a text");
    return expr_named(p, part);
}

/* Adds and subtracts like with like; a bare number fits an amount. */
static r1_status expr_alike(expr_parser *p, expr_part *x, const expr_part *y)
{
    bool money = (x->type == RULE_MONEY && y->type == RULE_NUMBER) ||
                 (x->type == RULE_NUMBER && y->type == RULE_MONEY);
    if (x->type != y->type && !money) {
        char expected[64];
        snprintf(expected, sizeof expected, "%s as on the left side", expr_type_name(x));
        return expr_fail(p, y->at, expected, expr_type_name(y), "");
    }
    if (money) x->type = RULE_MONEY;
    if (*x->currency && *y->currency && strcmp(x->currency, y->currency) != 0) {
        char expected[64];
        snprintf(expected, sizeof expected, "an amount in %s as on the left side", x->currency);
        return expr_fail(p, y->at, expected, y->currency, "");
    }
    if (*y->currency) memcpy(x->currency, y->currency, sizeof x->currency);
    return R1_OK;
}

/* An amount times a number is an amount; an amount by an amount is a number. */
static r1_status expr_scaled(expr_parser *p, expr_part *x, const expr_part *y, bool divides)
{
    if (x->type == RULE_NUMBER && y->type != RULE_NUMBER && !divides)
        x->type = y->type;
    else if (x->type == y->type && divides && x->type != RULE_NUMBER)
        x->type = RULE_NUMBER;
    else if (y->type != RULE_NUMBER)
        return expr_fail(p, y->at, "a number without a unit", expr_type_name(y), "");
    if (*y->currency) memcpy(x->currency, y->currency, sizeof x->currency);
    return R1_OK;
}

static void expr_joined(expr_part *x, const expr_part *y)
{
    x->constant = x->constant && y->constant;
    x->bare = x->bare && y->bare;
    x->grouped = false;
    x->field = NULL;
    x->function = NULL;
}

static r1_status expr_product(expr_parser *p, expr_part *part)
{
    R1_TRY(expr_factor(p, part));
    for (;;) {
        bool times = expr_take(p, "*");
        if (!times && !expr_take(p, "/")) return R1_OK;
        expr_part right;
        R1_TRY(expr_need_sum(p, part));
        R1_TRY(expr_factor(p, &right));
        R1_TRY(expr_need_sum(p, &right));
        R1_TRY(expr_scaled(p, part, &right, !times));
        part->value = times ? part->value * right.value : part->value / right.value;
        expr_joined(part, &right);
        R1_TRY(expr_emit_op(p, times ? RULE_OP_MULTIPLY : RULE_OP_DIVIDE));
    }
}

static r1_status expr_sum(expr_parser *p, expr_part *part)
{
    R1_TRY(expr_product(p, part));
    for (;;) {
        bool plus = expr_take(p, "+");
        if (!plus && !expr_take(p, "-")) return R1_OK;
        expr_part right;
        R1_TRY(expr_need_sum(p, part));
        R1_TRY(expr_product(p, &right));
        R1_TRY(expr_need_sum(p, &right));
        R1_TRY(expr_alike(p, part, &right));
        part->value = plus ? part->value + right.value : part->value - right.value;
        expr_joined(part, &right);
        R1_TRY(expr_emit_op(p, plus ? RULE_OP_ADD : RULE_OP_SUBTRACT));
    }
}

/* ---- comparisons ---- */

static const struct {
    const char *name; /* a longer one before its beginning */
} expr_relations[RULE_N_RELATION] = {
    [RULE_EQUAL] = {"=="},    [RULE_DIFFERENT] = {"!="}, [RULE_AT_MOST] = {"<="},
    [RULE_AT_LEAST] = {">="}, [RULE_BELOW] = {"<"},      [RULE_ABOVE] = {">"},
};

static bool expr_relation(expr_parser *p, rule_relation *out)
{
    for (unsigned i = 0; i < RULE_N_RELATION; i++)
        if (expr_take(p, expr_relations[i].name)) return *out = (rule_relation)i, true;
    return false;
}

/* A constant beside a field or function alone lies where that one can lie: else the comparison is
 * always true or always false. */
static r1_status expr_in_range(const expr_parser *p, const expr_part *part, const expr_part *value)
{
    const char *name = part->field ? part->field->name : part->function ? part->function->name : "";
    double min = part->field      ? part->field->min
                 : part->function ? part->function->min
                                  : 0,
           max = part->field      ? part->field->max
                 : part->function ? part->function->max
                                  : 0;
    bool whole = part->field ? part->field->whole : part->function && part->function->whole;
    char expected[128], found[32];
    if (!*name || !value->constant) return R1_OK;
    if (value->value >= min && value->value <= max &&
        !(whole && value->value != floor(value->value)))
        return R1_OK;
    if (part->type == RULE_TIME) {
        min /= 864e5, max /= 864e5;
        snprintf(expected, sizeof expected, "%s between %.15g and %.15g days", name, min, max);
        snprintf(found, sizeof found, "%.15g days", value->value / 864e5);
    } else {
        snprintf(expected, sizeof expected, "%s as %s%.15g to %.15g", name,
                 whole ? "a whole number from " : "", min, max);
        snprintf(found, sizeof found, "%.15g", value->value);
    }
    return expr_fail(p, value->at, expected, found, "");
}

/* Amounts and counts have no thousandths. */
static void expr_thousandths(const expr_parser *p, const expr_part *x, expr_part *value)
{
    bool whole = x->field ? x->field->whole : x->function && x->function->whole;
    if (value->constant && (whole || x->type == RULE_MONEY)) expr_note_grouped(p, value);
}

static r1_status expr_comparable(expr_parser *p, expr_part *x, expr_part *y)
{
    R1_TRY(expr_need_sum(p, x));
    R1_TRY(expr_need_sum(p, y));
    if (x->constant && y->constant)
        return expr_fail(p, x->at, "a field or a function on one side", "constants on both", "");
    bool bare = (x->type == RULE_MONEY && y->type == RULE_NUMBER && y->bare) ||
                (y->type == RULE_MONEY && x->type == RULE_NUMBER && x->bare);
    const expr_part *plain = x->type == RULE_NUMBER ? x : y;
    bool zero = y->type == RULE_NUMBER && y->constant && y->value == 0;
    bool nothing = plain->constant && plain->value == 0; /* 0 is 0 in every currency */
    if (bare && !nothing && !p->bare_at) {
        p->bare_at = plain->at;
        p->bare_value = plain->value;
    }
    if (x->type == RULE_TIME && y->type == RULE_NUMBER && !zero)
        return expr_fail(p, y->at, "a duration such as 7d", "a number without a unit", "");
    R1_TRY(expr_in_range(p, x, y));
    R1_TRY(expr_in_range(p, y, x));
    expr_thousandths(p, x, y);
    expr_thousandths(p, y, x);
    if (x->type == RULE_TIME && zero) return R1_OK;
    return expr_alike(p, x, y);
}

static r1_status expr_compared(expr_parser *p, expr_part *x, rule_relation relation)
{
    expr_part y;
    R1_TRY(expr_sum(p, &y));
    R1_TRY(expr_comparable(p, x, &y));
    rule_step step = {.op = RULE_OP_COMPARE, .relation = (uint8_t)relation};
    memcpy(step.currency, x->currency, sizeof step.currency);
    return expr_emit(p, &step);
}

/* One text that the field can have, into the program's texts. */
static r1_status expr_value(expr_parser *p, const rule_field *f, bool any)
{
    const char *text, *at;
    char values[192], nearest[96], found[48];
    if (p->p.n_text == RULE_VALUES_MAX) return expr_expected(p, "at most 256 texts in a rule");
    expr_skip(p);
    at = p->at;
    R1_TRY(expr_text(p, &text));
    p->text[p->p.n_text++] = text;
    if (any || rule_value_exists(f, text)) {
        if (!any && !strcmp(f->name, "currency")) expr_note_currency(p, at, "currency as", text);
        if (!any && !strcmp(f->name, "kind")) expr_note_kind(p, at, text);
        return R1_OK;
    }
    const char *words = rule_values_text(f, values, sizeof values);
    snprintf(found, sizeof found, "\"%.40s\"", text);
    R1_FAIL(p->err, R1_E_INVAL, "%s:%d:%d: %s: expected %s, found %s%s", p->s->path, p->s->n,
            fraud_lines_column(p->s, at), f->name, words, found,
            rule_value_nearest(f, text, nearest, sizeof nearest));
}

static r1_status expr_text_is(expr_parser *p, const rule_field *f, rule_relation relation)
{
    rule_step step = {.op = RULE_OP_IS_ANY, .n = 1, .of.field = f, .first = (uint16_t)p->p.n_text};
    if (relation != RULE_EQUAL && relation != RULE_DIFFERENT)
        return expr_expected(p, "== or != before a text");
    R1_TRY(expr_value(p, f, false));
    if (!strcmp(f->name, "currency")) p->names_currency = true;
    R1_TRY(expr_emit(p, &step));
    return relation == RULE_DIFFERENT ? expr_emit_op(p, RULE_OP_NOT) : R1_OK;
}

static r1_status expr_text_part(expr_parser *p, const rule_field *f, rule_op op)
{
    rule_step step = {.op = (uint8_t)op, .n = 1, .of.field = f, .first = (uint16_t)p->p.n_text};
    expr_skip(p);
    if (!f->text) return expr_expected(p, "==, != or in behind this field");
    if (p->at[0] == '"' && p->at[1] == '"') return expr_expected(p, "a text that is not empty");
    R1_TRY(expr_value(p, f, true));
    return expr_emit(p, &step);
}

static r1_status expr_on_list(expr_parser *p, const expr_part *x)
{
    const char *name, *at;
    char nearest[96] = "", found[48];
    R1_TRY(expr_need(p, "(", "\"(\" behind list"));
    expr_skip(p);
    at = p->at;
    R1_TRY(expr_text(p, &name));
    R1_TRY(expr_need(p, ")", "\")\""));
    if (!x->field || x->field->type != RULE_TEXT || !x->field->text)
        return expr_fail(p, x->at, "a field with one text, such as from", expr_type_name(x), "");
    rule_step step = {.op = RULE_OP_ON_LIST, .of.field = x->field};
    const rule_context *c = p->context;
    step.list = c && c->list ? c->list(c->ctx, name) : NULL;
    if (step.list) return expr_emit(p, &step);
    if (c && c->list_nearest) c->list_nearest(c->ctx, name, nearest, sizeof nearest);
    snprintf(found, sizeof found, "\"%.40s\"", name);
    return expr_fail(p, at, "the name of a list of the settings", found, nearest);
}

static r1_status expr_text_set(expr_parser *p, const rule_field *f)
{
    rule_step step = {.op = RULE_OP_IS_ANY, .of.field = f, .first = (uint16_t)p->p.n_text};
    R1_TRY(expr_need(p, "(", "\"(\" and texts, or list(\"NAME\")"));
    do R1_TRY(expr_value(p, f, false));
    while (expr_take(p, ","));
    step.n = (uint16_t)(p->p.n_text - step.first);
    if (!strcmp(f->name, "currency")) p->names_currency = true;
    R1_TRY(expr_need(p, ")", "\",\" or \")\""));
    return expr_emit(p, &step);
}

/* A constant, which the program does not push. */
static r1_status expr_constant(expr_parser *p, expr_part *x, double *out)
{
    expr_part y;
    size_t n = p->p.n_step;
    R1_TRY(expr_sum(p, &y));
    if (!y.constant) return expr_fail(p, y.at, "a constant", expr_type_name(&y), "");
    R1_TRY(expr_comparable(p, x, &y));
    p->p.n_step = n;
    *out = y.value;
    return R1_OK;
}

static r1_status expr_number_set(expr_parser *p, expr_part *x)
{
    rule_step step = {.op = RULE_OP_IN_VALUES, .first = (uint16_t)p->p.n_number};
    R1_TRY(expr_need(p, "(", "\"(\""));
    do {
        if (p->p.n_number == RULE_VALUES_MAX)
            return expr_expected(p, "at most 256 values in a rule");
        R1_TRY(expr_constant(p, x, &p->number[p->p.n_number]));
        p->p.n_number++;
    } while (expr_take(p, ","));
    R1_TRY(expr_need(p, ")", "\",\" or \")\""));
    step.n = (uint16_t)(p->p.n_number - step.first);
    memcpy(step.currency, x->currency, sizeof step.currency);
    return expr_emit(p, &step);
}

static r1_status expr_range(expr_parser *p, expr_part *x)
{
    double low, high;
    expr_skip(p);
    const char *at = p->at;
    R1_TRY(expr_constant(p, x, &low));
    R1_TRY(expr_need(p, "..", "\"..\" and the upper end"));
    R1_TRY(expr_constant(p, x, &high));
    if (low > high) return expr_fail(p, at, "a lower end below the upper one", "it above", "");
    R1_TRY(expr_emit(p, &(rule_step){.op = RULE_OP_NUMBER, .of.number = low}));
    R1_TRY(expr_emit(p, &(rule_step){.op = RULE_OP_NUMBER, .of.number = high}));
    rule_step step = {.op = RULE_OP_IN_RANGE};
    memcpy(step.currency, x->currency, sizeof step.currency);
    return expr_emit(p, &step);
}

static r1_status expr_in(expr_parser *p, expr_part *x)
{
    if (expr_take(p, "list")) return expr_on_list(p, x);
    if (x->field && x->type == RULE_TEXT) return expr_text_set(p, x->field);
    R1_TRY(expr_need_sum(p, x));
    expr_skip(p);
    return *p->at == '(' ? expr_number_set(p, x) : expr_range(p, x);
}

static r1_status expr_text_compared(expr_parser *p, expr_part *x)
{
    rule_relation relation;
    const rule_field *f = x->field;
    if (expr_take(p, "contains")) return expr_text_part(p, f, RULE_OP_CONTAINS);
    if (expr_take(p, "begins")) return expr_text_part(p, f, RULE_OP_BEGINS);
    expr_skip(p);
    const char *at = p->at;
    if (!expr_relation(p, &relation)) return expr_expected(p, "== != in, contains or begins");
    if (relation != RULE_EQUAL && relation != RULE_DIFFERENT) p->at = at;
    return expr_text_is(p, f, relation);
}

static r1_status expr_comparison(expr_parser *p, expr_part *part)
{
    R1_TRY(expr_sum(p, part));
    const char *at = part->at;
    const char *before = p->at;
    bool inverse = expr_take(p, "not");
    if (expr_take(p, "in")) {
        R1_TRY(expr_in(p, part));
        *part = (expr_part){.type = RULE_BOOL, .at = at};
        return inverse ? expr_emit_op(p, RULE_OP_NOT) : R1_OK;
    }
    p->at = before;
    rule_relation relation;
    if (part->type == RULE_TEXT) {
        R1_TRY(expr_text_compared(p, part));
    } else if (part->type == RULE_BOOL || !expr_relation(p, &relation)) {
        return R1_OK;
    } else {
        R1_TRY(expr_compared(p, part, relation));
    }
    *part = (expr_part){.type = RULE_BOOL, .at = at};
    return R1_OK;
}

/* ---- and, or, not ---- */

/* A condition, or a flag that stands for one. */
static r1_status expr_need_condition(const expr_parser *p, expr_part *part)
{
    if (part->type == RULE_BOOL) return R1_OK;
    if (part->field && part->field->flag) return part->type = RULE_BOOL, R1_OK;
    return expr_expected(p, "== != < <= > >= or in");
}

static r1_status expr_not(expr_parser *p, expr_part *part)
{
    expr_skip(p);
    const char *at = p->at;
    if (!expr_take(p, "not")) return expr_comparison(p, part);
    R1_TRY(expr_deeper(p));
    R1_TRY(expr_not(p, part));
    p->depth--;
    R1_TRY(expr_need_condition(p, part));
    *part = (expr_part){.type = RULE_BOOL, .at = at};
    return expr_emit_op(p, RULE_OP_NOT);
}

/* part, then all that the word joins to it: the left side decides where it can. */
static r1_status expr_chain(expr_parser *p, expr_part *part, const char *word, rule_op op,
                            r1_status (*next)(expr_parser *, expr_part *))
{
    R1_TRY(next(p, part));
    const char *at = part->at;
    while (expr_take(p, word)) {
        expr_part right;
        size_t jump = p->p.n_step;
        R1_TRY(expr_need_condition(p, part));
        R1_TRY(expr_emit_op(p, op));
        R1_TRY(next(p, &right));
        R1_TRY(expr_need_condition(p, &right));
        p->step[jump].n = (uint16_t)p->p.n_step;
        *part = (expr_part){.type = RULE_BOOL, .at = at};
    }
    return R1_OK;
}

static r1_status expr_and(expr_parser *p, expr_part *part)
{
    return expr_chain(p, part, "and", RULE_OP_AND, expr_not);
}

static r1_status expr_or(expr_parser *p, expr_part *part)
{
    return expr_chain(p, part, "or", RULE_OP_OR, expr_and);
}

/* ---- the program ---- */

static r1_status expr_condition(expr_parser *p)
{
    expr_part part;
    R1_TRY(expr_or(p, &part));
    R1_TRY(expr_need_condition(p, &part));
    expr_skip(p);
    if (*p->at && strncmp(p->at, "->", 2) != 0)
        return expr_expected(p, "\"and\", \"or\" or \"->\"");
    return R1_OK;
}

/* Payments come to rules in the currency of the stream, so an amount without one is in that: it
 * means another sum in another stream, and a rule that names its currency does not. */
static void expr_note(const expr_parser *p)
{
    char text[400];
    if (!p->bare_at || p->names_currency || !p->context || !p->context->note) return;
    const char *currency = p->context->currency;
    snprintf(text, sizeof text,
             "%.200s:%d:%d: an amount without a currency is in that of the stream%s%s: %s %.15g %s",
             p->s->path, p->s->n, fraud_lines_column(p->s, p->bare_at), currency ? ", " : "",
             currency ? currency : "", currency ? "write" : "name it, as in", p->bare_value,
             currency ? currency : "EUR");
    p->context->note(p->context->ctx, text);
}

/* One block: program, steps, texts, numbers, characters. */
static r1_status expr_copy(const expr_parser *x, rule_program **out, r1_err *err)
{
    const rule_program *p = &x->p;
    size_t steps = p->n_step * sizeof *p->step, texts = p->n_text * sizeof *p->text,
           numbers = p->n_number * sizeof *p->number;
    rule_program *fresh = calloc(1, sizeof *fresh + steps + texts + numbers + p->n_char + 1);
    if (!fresh) R1_FAIL(err, R1_E_NOMEM, "no memory for a rule");
    *fresh = *p;
    fresh->step = (rule_step *)(fresh + 1);
    fresh->text = (const char **)((char *)fresh->step + steps);
    fresh->number = (double *)((char *)fresh->text + texts);
    fresh->chars = (char *)fresh->number + numbers;
    memcpy(fresh->step, x->step, steps);
    memcpy(fresh->number, x->number, numbers);
    memcpy(fresh->chars, x->chars, p->n_char);
    for (size_t i = 0; i < p->n_text; i++) fresh->text[i] = fresh->chars + (x->text[i] - x->chars);
    *out = fresh;
    return R1_OK;
}

r1_status rule_program_new(rule_program **out, const fraud_lines *s, const char **at,
                           const rule_context *context, r1_err *err)
{
    *out = NULL;
    expr_parser *p = calloc(1, sizeof *p);
    if (!p) R1_FAIL(err, R1_E_NOMEM, "no memory to read a rule");
    p->s = s;
    p->at = *at;
    p->context = context;
    p->err = err;
    r1_status st = expr_condition(p);
    if (st == R1_OK) st = expr_copy(p, out, err);
    if (st == R1_OK)
        expr_note(p);
    else
        for (size_t i = 0; i < p->p.n_zone; i++) fraud_zone_free(p->p.zone[i]);
    *at = p->at;
    free(p);
    return st;
}

void rule_program_free(rule_program *p)
{
    if (!p) return;
    for (size_t i = 0; i < p->n_zone; i++) fraud_zone_free(p->zone[i]);
    free(p);
}
