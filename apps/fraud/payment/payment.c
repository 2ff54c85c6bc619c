/* SPDX-License-Identifier: GPL-3.0-or-later */
/* payment.c - a payment as it must be, and as JSON. The row of each field sees to its type and
 * range, check_meaning to what several fields or a list say. payment_read.c reads messages. */
#include "payment/payment.h"

#include "text/r1_utf8.h"

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[FRAUD_N_KIND] = {"transfer", "card", "cash"};
static const char *const role_names[FRAUD_N_ROLE] = {"account", "card", "merchant", "external"};

const char *fraud_kind_name(unsigned kind)
{
    return kind < FRAUD_N_KIND ? kind_names[kind] : "unknown";
}
const char *fraud_role_name(unsigned role)
{
    return role < FRAUD_N_ROLE ? role_names[role] : "unknown";
}

bool fraud_payment_inner(const fraud_payment *p)
{
    return p->from_role == FRAUD_ROLE_ACCOUNT && p->to_role == FRAUD_ROLE_ACCOUNT &&
           p->kind == FRAUD_KIND_TRANSFER;
}

/* What the checks of single fields cannot know. */
static r1_status check_meaning(const fraud_payment *p, r1_err *err)
{
    int digits = fraud_currency_digits(p->currency);
    if (digits < 0)
        R1_FAIL(err, R1_E_FORMAT, "currency: expected an ISO 4217 code, found \"%s\"", p->currency);
    if (digits != p->minor_digits)
        R1_FAIL(err, R1_E_FORMAT, "minor_digits: expected %d for %s, found %d", digits, p->currency,
                p->minor_digits);
    if (*p->country && !fraud_country_exists(p->country))
        R1_FAIL(err, R1_E_FORMAT,
                "country: expected two capital letters of ISO 3166-1, found \"%s\"", p->country);
    if (!strcmp(p->from, p->to) && p->from_role == p->to_role)
        R1_FAIL(err, R1_E_FORMAT, "to: expected another end than from, found the same");
    return R1_OK;
}

/* ---- kinds of field ---- */

typedef struct field field;

/* How a field is checked and printed; put is asked for what is there. */
typedef struct {
    r1_status (*check)(const field *f, const void *in, r1_err *err);
    void (*put)(json_t *o, const field *f, const void *in);
} field_kind;

struct field {
    const char *name;
    const field_kind *kind;
    size_t at, size; /* of the member, bytes */
    bool required;
    uint32_t has;            /* fraud_has bit that says whether it is there; 0: always, texts may
                              * be empty */
    int64_t min, max;        /* of a number */
    const char *const *word; /* [n_word]: what a word may be */
    int n_word;
};

static const void *member_of(const field *f, const void *in) { return (const char *)in + f->at; }

/* ---- a text ---- */

static r1_status payment_check_text(const field *f, const void *in, r1_err *err)
{
    const char *text = member_of(f, in);
    size_t len = strnlen(text, f->size);
    if (len == f->size || !r1_utf8_valid(text, len))
        R1_FAIL(err, R1_E_FORMAT, "%s: expected UTF-8, found other bytes", f->name);
    if (f->required && !len)
        R1_FAIL(err, R1_E_FORMAT, "%s: expected a string, found an empty one", f->name);
    return R1_OK;
}

static void payment_put_string(json_t *o, const char *name, const char *text)
{
    if (*text) json_object_set_new(o, name, json_string(text));
}

static void put_text(json_t *o, const field *f, const void *in)
{
    payment_put_string(o, f->name, member_of(f, in));
}

static const field_kind text_field = {payment_check_text, put_text};

/* ---- an integer ---- */

static r1_status int_within(const field *f, int64_t x, r1_err *err)
{
    if (x < f->min || x > f->max)
        R1_FAIL(err, R1_E_FORMAT, "%s: expected %lld..%lld, found %lld", f->name, (long long)f->min,
                (long long)f->max, (long long)x);
    return R1_OK;
}

static r1_status check_int(const field *f, const void *in, r1_err *err)
{
    return int_within(f, *(const int64_t *)member_of(f, in), err);
}

static void put_int(json_t *o, const field *f, const void *in)
{
    json_object_set_new(o, f->name, json_integer(*(const int64_t *)member_of(f, in)));
}

static const field_kind int_field = {check_int, put_int};

/* ---- degrees ---- */

static r1_status degrees_within(const field *f, double x, r1_err *err)
{
    if (!(x >= (double)f->min && x <= (double)f->max))
        R1_FAIL(err, R1_E_FORMAT, "%s: expected %lld..%lld, found %g", f->name, (long long)f->min,
                (long long)f->max, x);
    return R1_OK;
}

static r1_status check_degrees(const field *f, const void *in, r1_err *err)
{
    return degrees_within(f, (double)*(const float *)member_of(f, in), err);
}

static void put_degrees(json_t *o, const field *f, const void *in)
{
    json_object_set_new(o, f->name, json_real((double)*(const float *)member_of(f, in)));
}

static const field_kind degrees_field = {check_degrees, put_degrees};

/* ---- a word out of a list, of a payment alone ---- */

static r1_status check_word(const field *f, const void *in, r1_err *err)
{
    unsigned x = *(const uint8_t *)member_of(f, in);
    if (x >= (unsigned)f->n_word)
        R1_FAIL(err, R1_E_FORMAT, "%s: expected a known value, found %u", f->name, x);
    return R1_OK;
}

static void put_word(json_t *o, const field *f, const void *in)
{
    payment_put_string(o, f->name, f->word[*(const uint8_t *)member_of(f, in)]);
}

static const field_kind word_field = {check_word, put_word};

/* ---- the fields ---- */

/* clang-format off */
#define MEMBER(type, name) .at = offsetof(type, name), .size = sizeof ((type *)NULL)->name
#define OF(name) MEMBER(fraud_payment, name)

/* In the order in which they are printed. */
static const field payment_fields[] = {
    {"tx_id",        &text_field, OF(tx_id), .required = true},
    {"ts",           &int_field,  OF(ts), .required = true, .min = FRAUD_TS_MIN,
                                          .max = FRAUD_TS_MAX},
    {"kind",         &word_field, OF(kind), .required = true, .word = kind_names,
                                          .n_word = FRAUD_N_KIND},
    {"from",         &text_field, OF(from), .required = true},
    {"to",           &text_field, OF(to), .required = true},
    {"from_role",    &word_field, OF(from_role), .word = role_names, .n_word = FRAUD_N_ROLE},
    {"to_role",      &word_field, OF(to_role), .word = role_names, .n_word = FRAUD_N_ROLE},
    {"amount_minor", &int_field,  OF(amount_minor), .required = true, .min = 1,
                                          .max = FRAUD_AMOUNT_MAX},
    {"currency",     &text_field, OF(currency), .required = true},
    {"country",      &text_field, OF(country)},
    {"channel",      &text_field, OF(channel)},
    {"category",     &text_field, OF(category)},
    {"device",       &text_field, OF(device)},
    {"text",         &text_field, OF(text)},
    {"from_balance_minor", &int_field, OF(from_balance_minor), .has = FRAUD_HAS_FROM_BALANCE,
                                          .min = -FRAUD_AMOUNT_MAX, .max = FRAUD_AMOUNT_MAX},
    {"to_balance_minor",   &int_field, OF(to_balance_minor), .has = FRAUD_HAS_TO_BALANCE,
                                          .min = -FRAUD_AMOUNT_MAX, .max = FRAUD_AMOUNT_MAX},
    {"lat",          &degrees_field, OF(lat), .has = FRAUD_HAS_POSITION, .min = -90, .max = 90},
    {"lon",          &degrees_field, OF(lon), .has = FRAUD_HAS_POSITION, .min = -180, .max = 180},
};
#undef OF
#undef MEMBER
/* clang-format on */

/* ---- a payment ---- */

r1_status fraud_payment_check(const fraud_payment *p, r1_err *err)
{
    for (size_t i = 0; i < R1_COUNT(payment_fields); i++) {
        const field *f = &payment_fields[i];
        if (!f->has || p->has & f->has) R1_TRY(f->kind->check(f, p, err));
    }
    return check_meaning(p, err);
}

/* ---- what is compared when an id comes again ---- */

static uint64_t hash_of_text(const char *text, uint64_t seed)
{
    return r1_hash64(text, strlen(text), seed);
}

uint64_t fraud_payment_content(const fraud_payment *p)
{
    const int64_t numbers[] = {p->ts,
                               p->kind,
                               p->from_role,
                               p->to_role,
                               p->amount_minor,
                               p->has,
                               p->has & FRAUD_HAS_FROM_BALANCE ? p->from_balance_minor : 0,
                               p->has & FRAUD_HAS_TO_BALANCE ? p->to_balance_minor : 0};
    const float place[] = {p->has & FRAUD_HAS_POSITION ? p->lat : 0,
                           p->has & FRAUD_HAS_POSITION ? p->lon : 0};
    uint64_t h = r1_hash64(numbers, sizeof numbers, r1_hash64(place, sizeof place, 0));
    const char *const texts[] = {p->tx_id,   p->currency, p->country, p->from, p->to,
                                 p->channel, p->category, p->device,  p->text};
    for (size_t i = 0; i < R1_COUNT(texts); i++) h = hash_of_text(texts[i], h + i);
    return h;
}

static json_t *to_json(const fraud_payment *p)
{
    json_t *o = json_object();
    for (size_t i = 0; i < R1_COUNT(payment_fields); i++) {
        const field *f = &payment_fields[i];
        if (!f->has || p->has & f->has) f->kind->put(o, f, p);
    }
    return o;
}

r1_status fraud_payment_encode(const fraud_payment *p, char *json, size_t cap, size_t *len,
                               r1_err *err)
{
    R1_TRY(fraud_payment_check(p, err));
    json_t *o = to_json(p);
    *len =
        json_dumpb(o, json, cap - 1,
                   JSON_COMPACT | JSON_REAL_PRECISION(9)); /* 9 digits carry every float exactly */
    json_decref(o);
    if (!*len || *len > cap - 1)
        R1_FAIL(err, R1_E_NOMEM, "a payment needs %zu bytes of JSON, %zu are there", *len, cap);
    json[*len] = 0;
    return R1_OK;
}

/* ---- what a log keeps ---- */

/* {"currency", "amount_minor", ...}: what was applied in the place of what was paid. */
static json_t *rate_json(const fraud_payment *p)
{
    json_t *o = json_pack("{s:s, s:I}", "currency", p->currency, "amount_minor",
                          (json_int_t)p->amount_minor);
    if (p->has & FRAUD_HAS_FROM_BALANCE)
        json_object_set_new(o, "from_balance_minor", json_integer(p->from_balance_minor));
    if (p->has & FRAUD_HAS_TO_BALANCE)
        json_object_set_new(o, "to_balance_minor", json_integer(p->to_balance_minor));
    return o;
}

char *fraud_payment_log(const fraud_payment *paid, const fraud_payment *p, const char *original,
                        size_t len)
{
    const size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(9);
    json_t *o = to_json(paid);
    if (p->has & FRAUD_HAS_PAID) json_object_set_new(o, "rate", rate_json(p));
    char *plain = json_dumps(o, flags);
    json_object_set_new(o, "original", json_stringn(original, len));
    char *whole = json_dumps(o, flags);
    json_decref(o);
    if (whole && strlen(whole) <= FRAUD_PAYMENT_BYTES_MAX) return free(plain), whole;
    free(whole);
    return plain;
}
