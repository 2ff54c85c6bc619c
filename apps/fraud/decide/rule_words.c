/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rule_words.c - one row per field and function of the rules. */
#include "decide/rule_words.h"

#include "graph/findings.h"
#include "payment/words.h"
#include "score/rules.h"
#include "text/nearest.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- numbers of the payment and its score ---- */

#define WORDS_NUMBER(name, value)                                                                  \
    static double name(const fraud_subject *s) { return (double)(value); }

static double words_amount(const fraud_subject *s)
{
    double scale = 1;
    for (int i = 0; i < s->payment->minor_digits; i++) scale *= 10;
    return (double)s->payment->amount_minor / scale;
}
WORDS_NUMBER(words_amount_minor, s->payment->amount_minor)
WORDS_NUMBER(words_probability, s->result->probability)
WORDS_NUMBER(words_logit, s->result->logit)
WORDS_NUMBER(words_degraded, s->result->degraded)
WORDS_NUMBER(words_hour_utc, s->payment->ts / 3600000 % 24)
WORDS_NUMBER(words_new_payee, s->facts->pair_28d == 0)
WORDS_NUMBER(words_new_device, s->facts->new_device)
WORDS_NUMBER(words_new_sender, s->facts->new_from)
WORDS_NUMBER(words_new_receiver, s->facts->new_to)
WORDS_NUMBER(words_noted, s->notes && * s->notes)

/* ---- texts ---- */

#define WORDS_TEXT(field, value)                                                                   \
    static const char *field##_text(const fraud_subject *s) { return value; }                      \
    static bool field##_is(const fraud_subject *s, const char *text)                               \
    {                                                                                              \
        return !strcmp(value, text);                                                               \
    }
WORDS_TEXT(words_kind, fraud_kind_name(s->payment->kind))
WORDS_TEXT(words_currency, s->payment->currency)
WORDS_TEXT(words_country, s->payment->country)
WORDS_TEXT(words_channel, s->payment->channel)
WORDS_TEXT(words_category, s->payment->category)
WORDS_TEXT(words_from, s->payment->from)
WORDS_TEXT(words_to, s->payment->to)
WORDS_TEXT(words_device, s->payment->device)
WORDS_TEXT(words_remittance, s->payment->text)

static bool words_finding_is(const fraud_subject *s, const char *text)
{
    for (size_t i = 0; i < s->result->n_finding; i++)
        if (!strcmp(fraud_typology_name(s->result->finding[i].typology), text)) return true;
    return false;
}

/* A rule may name what can be found, not every typology that the generator plants. */
static const char *words_finding_name(unsigned i)
{
    return fraud_findings_looks_for(i) ? fraud_typology_name(i) : NULL;
}

static bool words_country_exists(const char *text) { return !*text || fraud_country_exists(text); }
static bool words_currency_exists(const char *text) { return fraud_currency_digits(text) >= 0; }
static bool words_word_exists(const char *text) { return strlen(text) < FRAUD_WORD_BYTES; }
static bool words_account_exists(const char *text)
{
    return *text && strlen(text) < FRAUD_ACCOUNT_BYTES;
}
static bool words_device_exists(const char *text) { return strlen(text) < FRAUD_ACCOUNT_BYTES; }
static bool words_text_exists(const char *text) { return strlen(text) < FRAUD_TEXT_BYTES; }

#define WORDS_FLAG(of_name, of_number)                                                             \
    {                                                                                              \
        .name = (of_name), .type = RULE_NUMBER, .number = (of_number), .max = 1, .whole = true,    \
        .flag = true                                                                               \
    }
#define WORDS_FIELD(of_name, function, ...)                                                        \
    {                                                                                              \
        .name = (of_name), .type = RULE_TEXT, .is = function##_is, .text = function##_text,        \
        __VA_ARGS__                                                                                \
    }

const rule_field rule_fields[] = {
    {.name = "amount", .type = RULE_MONEY, .number = words_amount, .max = (double)FRAUD_AMOUNT_MAX},
    {.name = "amount_minor",
     .type = RULE_NUMBER,
     .number = words_amount_minor,
     .max = (double)FRAUD_AMOUNT_MAX,
     .whole = true},
    {.name = "probability", .type = RULE_NUMBER, .number = words_probability, .max = 1},
    {.name = "logit", .type = RULE_NUMBER, .number = words_logit, .min = -1000, .max = 1000},
    WORDS_FLAG("degraded", words_degraded),
    {.name = "hour", .type = RULE_NUMBER, .number = words_hour_utc, .max = 23, .whole = true},
    WORDS_FLAG("new_payee", words_new_payee),
    WORDS_FLAG("new_device", words_new_device),
    WORDS_FLAG("new_sender", words_new_sender),
    WORDS_FLAG("new_receiver", words_new_receiver),
    WORDS_FLAG("noted", words_noted),
    WORDS_FIELD("kind", words_kind, .listed = fraud_kind_name, .n_listed = FRAUD_N_KIND),
    WORDS_FIELD("currency", words_currency, .exists = words_currency_exists,
                .expected = "an ISO 4217 code"),
    WORDS_FIELD("country", words_country, .exists = words_country_exists,
                .expected = "a code of ISO 3166-1, two capital letters, or \"\""),
    WORDS_FIELD("channel", words_channel, .exists = words_word_exists,
                .expected = "at most 31 bytes"),
    WORDS_FIELD("category", words_category, .exists = words_word_exists,
                .expected = "at most 31 bytes"),
    WORDS_FIELD("from", words_from, .exists = words_account_exists, .expected = "1 to 255 bytes"),
    WORDS_FIELD("to", words_to, .exists = words_account_exists, .expected = "1 to 255 bytes"),
    WORDS_FIELD("device", words_device, .exists = words_device_exists,
                .expected = "at most 255 bytes"),
    WORDS_FIELD("text", words_remittance, .exists = words_text_exists,
                .expected = "at most 1023 bytes"),
    {.name = "finding",
     .type = RULE_TEXT,
     .is = words_finding_is,
     .listed = words_finding_name,
     .n_listed = FRAUD_N_TYPOLOGY},
};
const size_t rule_n_field = R1_COUNT(rule_fields);
_Static_assert(FRAUD_WORD_BYTES == 32 && FRAUD_ACCOUNT_BYTES == 256 && FRAUD_TEXT_BYTES == 1024,
               "the sizes in the words above");

/* ---- functions over what came before ---- */

const char *const rule_side_names[RULE_N_SIDE] = {
    [RULE_SENDER] = "sender",       [RULE_RECEIVER] = "receiver",
    [RULE_SENDER_IN] = "sender_in", [RULE_RECEIVER_OUT] = "receiver_out",
    [RULE_PAIR] = "pair",
};

static const fraud_window *words_window(const fraud_subject *s, const rule_call *c)
{
    const fraud_facts *f = s->facts;
    return c->side == RULE_SENDER      ? &f->from[c->window][0]
           : c->side == RULE_RECEIVER  ? &f->to[c->window][1]
           : c->side == RULE_SENDER_IN ? &f->from[c->window][1]
                                       : &f->to[c->window][0];
}

static double words_count(const fraud_subject *s, const rule_call *c)
{
    return c->side == RULE_PAIR ? s->facts->pair[c->window] : words_window(s, c)->n;
}
static double words_sum(const fraud_subject *s, const rule_call *c)
{
    return (double)words_window(s, c)->sum / 100;
}
static double words_distinct(const fraud_subject *s, const rule_call *c)
{
    return words_window(s, c)->distinct;
}
static double words_age(const fraud_subject *s, const rule_call *c)
{
    return (double)(c->side == RULE_SENDER     ? s->facts->age_from_ms
                    : c->side == RULE_RECEIVER ? s->facts->age_to_ms
                                               : s->facts->age_pair_ms);
}
static double words_hour(const fraud_subject *s, const rule_call *c)
{
    return fraud_zone_hour(c->zone, s->payment->ts);
}
static double words_weekday(const fraud_subject *s, const rule_call *c)
{
    return fraud_zone_weekday(c->zone, s->payment->ts);
}

enum {
    WORDS_ENDS =
        1 << RULE_SENDER | 1 << RULE_RECEIVER | 1 << RULE_SENDER_IN | 1 << RULE_RECEIVER_OUT,
    WORDS_ALL = WORDS_ENDS | 1 << RULE_PAIR,
    WORDS_AGED = 1 << RULE_SENDER | 1 << RULE_RECEIVER | 1 << RULE_PAIR
};

const rule_function rule_functions[] = {
    {"count", RULE_NUMBER, RULE_ARGS_SIDE_WINDOW, WORDS_ALL, words_count, 0, UINT32_MAX, true},
    {"sum", RULE_MONEY, RULE_ARGS_SIDE_WINDOW, WORDS_ENDS, words_sum, 0, 1e18, false},
    {"distinct", RULE_NUMBER, RULE_ARGS_SIDE_WINDOW, WORDS_ENDS, words_distinct, 0, UINT32_MAX,
     true},
    {"age", RULE_TIME, RULE_ARGS_SIDE, WORDS_AGED, words_age, 0, (double)FRAUD_TS_MAX, false},
    {"hour", RULE_NUMBER, RULE_ARGS_ZONE, 0, words_hour, 0, 23, true},
    {"weekday", RULE_NUMBER, RULE_ARGS_ZONE, 0, words_weekday, 1, 7, true},
};
const size_t rule_n_function = R1_COUNT(rule_functions);

/* ---- look-up ---- */

const rule_field *rule_field_of(const char *name)
{
    for (size_t i = 0; i < rule_n_field; i++)
        if (!strcmp(rule_fields[i].name, name)) return &rule_fields[i];
    return NULL;
}

fraud_field rule_field_from(const rule_field *f)
{
    static const struct {
        const char *name;
        fraud_field from;
    } rows[] = {{"country", FRAUD_F_COUNTRY},   {"channel", FRAUD_F_CHANNEL},
                {"category", FRAUD_F_CATEGORY}, {"device", FRAUD_F_DEVICE},
                {"new_device", FRAUD_F_DEVICE}, {"text", FRAUD_F_TEXT}};
    for (size_t i = 0; i < R1_COUNT(rows); i++)
        if (!strcmp(rows[i].name, f->name)) return rows[i].from;
    return FRAUD_N_F;
}

const rule_function *rule_function_of(const char *name)
{
    for (size_t i = 0; i < rule_n_function; i++)
        if (!strcmp(rule_functions[i].name, name)) return &rule_functions[i];
    return NULL;
}

bool rule_window_of(double ms, unsigned *window)
{
    for (unsigned w = 0; w < FRAUD_N_WINDOW; w++)
        if ((double)FRAUD_WINDOW_MS[w] == ms) return *window = w, true;
    return false;
}

const char *rule_windows_text(char *text, size_t size)
{
    size_t n = 0;
    for (unsigned w = 0; w < FRAUD_N_WINDOW && n < size; w++) {
        int64_t hours = FRAUD_WINDOW_MS[w] / (FRAUD_DAY_MS / 24), days = hours / 24;
        n += (size_t)snprintf(text + n, size - n, "%s%lld%c", w ? ", " : "",
                              (long long)(days ? days : hours), days ? 'd' : 'h');
    }
    return text;
}

const char *rule_values_text(const rule_field *f, char *text, size_t size)
{
    if (!f->listed) return f->expected;
    size_t n = (size_t)snprintf(text, size, "one of");
    const char *before = " ";
    for (unsigned i = 0; i < f->n_listed && n < size; i++) {
        const char *name = f->listed(i);
        if (!name) continue;
        n += (size_t)snprintf(text + n, size - n, "%s%s", before, name);
        before = ", ";
    }
    return text;
}

bool rule_value_exists(const rule_field *f, const char *text)
{
    for (unsigned i = 0; i < f->n_listed; i++) {
        const char *name = f->listed(i);
        if (name && !strcmp(name, text)) return true;
    }
    return f->exists && f->exists(text);
}

/* ---- what was meant ---- */

/* Codes of capital letters that exist, tried one by one: for a message alone. */
static const char *words_code_nearest(const rule_field *f, const char *found, char *text,
                                      size_t size)
{
    char code[4] = "AAA", best[4] = "";
    size_t letters = f->exists == words_country_exists ? 2 : 3;
    r1_nearest near = {.found = found};
    code[letters] = 0;
    for (int n = 26 * 26 * (letters == 3 ? 26 : 1); n > 0; n--) {
        const char *before = near.best;
        size_t d = near.distance;
        if (f->exists(code)) r1_nearest_offer(&near, code);
        if (near.best && (near.best != before || near.distance != d))
            memcpy(best, code, sizeof best), near.best = best;
        for (size_t k = letters; k-- > 0;) {
            if (code[k]++ < 'Z') break;
            code[k] = 'A';
        }
    }
    return r1_nearest_text(&near, text, size);
}

/* What others write for a country that ISO 3166-1 names otherwise: reserved codes, those of the
 * European Union, codes of its own for a part. */
static const struct {
    const char *found, *code;
} words_other_codes[] = {{"UK", "GB"}, {"EL", "GR"}, {"XI", "GB"},
                         {"FX", "FR"}, {"AC", "SH"}, {"TA", "SH"}};

/* The code that this one stands for, NULL: none. */
static const char *words_country_meant(const char *found)
{
    for (size_t i = 0; i < R1_COUNT(words_other_codes); i++)
        if (!strcasecmp(words_other_codes[i].found, found)) return words_other_codes[i].code;
    return fraud_country_of(found); /* of three letters, or in small ones */
}

const char *rule_value_nearest(const rule_field *f, const char *found, char *text, size_t size)
{
    r1_nearest near = {.found = found};
    const char *meant = f->exists == words_country_exists ? words_country_meant(found) : NULL;
    if (meant) {
        snprintf(text, size, "; did you mean \"%s\"?", meant);
        return text;
    }
    if (f->exists == words_country_exists || f->exists == words_currency_exists)
        return words_code_nearest(f, found, text, size);
    for (unsigned i = 0; i < f->n_listed; i++)
        if (f->listed(i)) r1_nearest_offer(&near, f->listed(i));
    return r1_nearest_text(&near, text, size);
}

const char *rule_word_nearest(const char *found, char *text, size_t size)
{
    static const char *const grammar[] = {"and", "or", "not", "in", "list", "contains", "begins"};
    r1_nearest near = {.found = found};
    for (size_t i = 0; i < rule_n_field; i++) r1_nearest_offer(&near, rule_fields[i].name);
    for (size_t i = 0; i < rule_n_function; i++) r1_nearest_offer(&near, rule_functions[i].name);
    for (size_t i = 0; i < R1_COUNT(grammar); i++) r1_nearest_offer(&near, grammar[i]);
    return r1_nearest_text(&near, text, size);
}
