/* SPDX-License-Identifier: GPL-3.0-or-later */
/* payment.c - JSON to fraud_payment and back. The parser is jansson; before it runs, the message
 * is bounded in size and depth. jansson sees to UTF-8, the row of each field to its type and
 * range, check_meaning to what several fields or a list say. */
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

bool fraud_country_exists(const char *c)
{
    return c[0] >= 'A' && c[0] <= 'Z' && c[1] >= 'A' && c[1] <= 'Z' && !c[2];
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
                "country: expected two capital letters (ISO 3166-1), found \"%s\"", p->country);
    if (!strcmp(p->from, p->to) && p->from_role == p->to_role)
        R1_FAIL(err, R1_E_FORMAT, "to: expected another end than from, found the same");
    return R1_OK;
}

/* ---- reading a message ---- */

/* Nesting of brackets outside of strings; jansson's own limit is 2,048, far beyond what a
 * payment needs. */
static int depth_of(const char *s, size_t len)
{
    int depth = 0, deepest = 0;
    bool inside = false;
    for (size_t i = 0; i < len; i++) {
        if (inside) {
            if (s[i] == '\\')
                i++;
            else if (s[i] == '"')
                inside = false;
        } else if (s[i] == '"') {
            inside = true;
        } else if (s[i] == '{' || s[i] == '[') {
            if (++depth > deepest) deepest = depth;
        } else if (s[i] == '}' || s[i] == ']') {
            depth--;
        }
    }
    return deepest;
}

static r1_status payment_parse(const char *json, size_t len, json_t **out, r1_err *err)
{
    if (len > FRAUD_PAYMENT_BYTES_MAX)
        R1_FAIL(err, R1_E_FORMAT, "message: expected at most %d bytes, found %zu",
                FRAUD_PAYMENT_BYTES_MAX, len);
    int depth = depth_of(json, len);
    if (depth > FRAUD_PAYMENT_DEPTH_MAX)
        R1_FAIL(err, R1_E_FORMAT, "message: expected nesting of at most %d, found %d",
                FRAUD_PAYMENT_DEPTH_MAX, depth);
    json_error_t why;
    json_t *o = json_loadb(json, len, JSON_REJECT_DUPLICATES, &why);
    if (!o)
        R1_FAIL(err, R1_E_FORMAT,
                "message: expected one JSON object, found an error at byte %d: %s", why.position,
                why.text);
    if (!json_is_object(o)) {
        json_decref(o);
        R1_FAIL(err, R1_E_FORMAT, "message: expected a JSON object, found something else");
    }
    *out = o;
    return R1_OK;
}

static const char *type_name(const json_t *v)
{
    static const char *const names[] = {"an object",     "an array", "a string", "an integer",
                                        "a real number", "true",     "false",    "null"};
    return names[json_typeof(v)];
}

/* ---- kinds of field ---- */

typedef struct field field;
typedef struct {
    json_t *o;
    bool given; /* whether the message has the field that was read last */
    r1_err *err;
} reader;

/* How a field is read, checked and printed. `in` is the struct that field.at counts in. read
 * leaves alone what the message lacks; put is asked for what is there. */
typedef struct {
    r1_status (*read)(reader *r, const field *f, void *in);
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
    uint8_t missing[2]; /* the word where the message has none: [1] for kind card */
};

static void *member(const field *f, void *in) { return (char *)in + f->at; }
static const void *member_of(const field *f, const void *in) { return (const char *)in + f->at; }

/* The value, or NULL where there is none: no key, or null. */
static json_t *read_given(reader *r, const char *name)
{
    json_t *v = json_object_get(r->o, name);
    r->given = v && !json_is_null(v);
    return r->given ? v : NULL;
}

/* ---- a text ---- */

static r1_status read_string(reader *r, const field *f, char *out, size_t size)
{
    json_t *v = read_given(r, f->name);
    if (!v) {
        if (f->required)
            R1_FAIL(r->err, R1_E_FORMAT, "%s: expected a string, found nothing", f->name);
        return R1_OK;
    }
    if (!json_is_string(v))
        R1_FAIL(r->err, R1_E_FORMAT, "%s: expected a string, found %s", f->name, type_name(v));
    size_t len = json_string_length(v);
    if (f->required && !len)
        R1_FAIL(r->err, R1_E_FORMAT, "%s: expected a string, found an empty one", f->name);
    if (len >= size)
        R1_FAIL(r->err, R1_E_FORMAT, "%s: expected at most %zu bytes, found %zu", f->name, size - 1,
                len);
    memcpy(out, json_string_value(v), len + 1);
    return R1_OK;
}

static r1_status read_text(reader *r, const field *f, void *in)
{
    return read_string(r, f, member(f, in), f->size);
}

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

static const field_kind text_field = {read_text, payment_check_text, put_text};

/* ---- an integer ---- */

static r1_status int_within(const field *f, int64_t x, r1_err *err)
{
    if (x < f->min || x > f->max)
        R1_FAIL(err, R1_E_FORMAT, "%s: expected %lld..%lld, found %lld", f->name, (long long)f->min,
                (long long)f->max, (long long)x);
    return R1_OK;
}

static r1_status read_int(reader *r, const field *f, void *in)
{
    json_t *v = read_given(r, f->name);
    if (!v) {
        if (f->required)
            R1_FAIL(r->err, R1_E_FORMAT, "%s: expected an integer, found nothing", f->name);
        return R1_OK;
    }
    if (!json_is_integer(v))
        R1_FAIL(r->err, R1_E_FORMAT, "%s: expected an integer, found %s", f->name, type_name(v));
    int64_t *out = member(f, in);
    *out = json_integer_value(v);
    return int_within(f, *out, r->err);
}

static r1_status check_int(const field *f, const void *in, r1_err *err)
{
    return int_within(f, *(const int64_t *)member_of(f, in), err);
}

static void put_int(json_t *o, const field *f, const void *in)
{
    json_object_set_new(o, f->name, json_integer(*(const int64_t *)member_of(f, in)));
}

static const field_kind int_field = {read_int, check_int, put_int};

/* ---- degrees ---- */

static r1_status degrees_within(const field *f, double x, r1_err *err)
{
    if (!(x >= (double)f->min && x <= (double)f->max))
        R1_FAIL(err, R1_E_FORMAT, "%s: expected %lld..%lld, found %g", f->name, (long long)f->min,
                (long long)f->max, x);
    return R1_OK;
}

static r1_status read_degrees(reader *r, const field *f, void *in)
{
    json_t *v = read_given(r, f->name);
    if (!v) return R1_OK;
    if (!json_is_number(v))
        R1_FAIL(r->err, R1_E_FORMAT, "%s: expected a number, found %s", f->name, type_name(v));
    R1_TRY(degrees_within(f, json_number_value(v), r->err));
    *(float *)member(f, in) = (float)json_number_value(v);
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

static const field_kind degrees_field = {read_degrees, check_degrees, put_degrees};

/* ---- a word out of a list, of a payment alone ---- */

static r1_status read_word(reader *r, const field *f, void *in)
{
    uint8_t *out = member(f, in);
    char text[FRAUD_WORD_BYTES] = "";
    R1_TRY(read_string(r, f, text, sizeof text));
    if (!*text) {
        const fraud_payment *p = in;
        *out = f->missing[p->kind == FRAUD_KIND_CARD];
        return R1_OK;
    }
    for (int i = 0; i < f->n_word; i++)
        if (!strcmp(f->word[i], text)) return *out = (uint8_t)i, R1_OK;
    R1_FAIL(r->err, R1_E_FORMAT, "%s: expected one of %s, %s, %s%s%s, found \"%s\"", f->name,
            f->word[0], f->word[1], f->word[2], f->n_word > 3 ? ", " : "",
            f->n_word > 3 ? f->word[3] : "", text);
}

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

static const field_kind word_field = {read_word, check_word, put_word};

/* ---- the fields ---- */

/* clang-format off */
#define MEMBER(type, name) .at = offsetof(type, name), .size = sizeof ((type *)NULL)->name
#define OF(name) MEMBER(fraud_payment, name)

/* In the order in which they are read and printed; a word's default needs the kind before it. */
static const field payment_fields[] = {
    {"tx_id",        &text_field, OF(tx_id), .required = true},
    {"ts",           &int_field,  OF(ts), .required = true, .min = FRAUD_TS_MIN,
                                          .max = FRAUD_TS_MAX},
    {"kind",         &word_field, OF(kind), .required = true, .word = kind_names,
                                          .n_word = FRAUD_N_KIND},
    {"from",         &text_field, OF(from), .required = true},
    {"to",           &text_field, OF(to), .required = true},
    {"from_role",    &word_field, OF(from_role), .word = role_names, .n_word = FRAUD_N_ROLE,
                                          .missing = {FRAUD_ROLE_ACCOUNT, FRAUD_ROLE_CARD}},
    {"to_role",      &word_field, OF(to_role), .word = role_names, .n_word = FRAUD_N_ROLE,
                                          .missing = {FRAUD_ROLE_ACCOUNT, FRAUD_ROLE_MERCHANT}},
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
static const field label_fields[] = {
    {"tx_id", &text_field, MEMBER(fraud_label, tx_id), .required = true},
    {"ts",    &int_field,  MEMBER(fraud_label, ts), .required = true, .min = FRAUD_TS_MIN,
                                          .max = FRAUD_TS_MAX},
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

static r1_status read_payment(reader *r, fraud_payment *p)
{
    bool both = false; /* fields of the position: they alone share a bit */
    for (size_t i = 0; i < R1_COUNT(payment_fields); i++) {
        const field *f = &payment_fields[i];
        R1_TRY(f->kind->read(r, f, p));
        if (!f->has || !r->given) continue;
        both = both || p->has & f->has;
        p->has |= f->has;
    }
    if (p->has & FRAUD_HAS_POSITION && !both)
        R1_FAIL(r->err, R1_E_FORMAT, "%s: expected both lat and lon or neither, found one",
                read_given(r, "lat") ? "lon" : "lat");
    int digits = fraud_currency_digits(p->currency);
    p->minor_digits = (uint8_t)(digits < 0 ? 0 : digits);
    return check_meaning(p, r->err);
}

r1_status fraud_payment_decode(const char *json, size_t len, fraud_payment *p, r1_err *err)
{
    memset(p, 0, sizeof *p);
    reader r = {.err = err};
    R1_TRY(payment_parse(json, len, &r.o, err));
    r1_status st = read_payment(&r, p);
    json_decref(r.o);
    if (st != R1_OK) memset(p, 0, sizeof *p);
    return st;
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

/* Of a message that is no payment that we can score: its JSON with keys in order, or its bytes. */
static uint64_t content_of_object(const json_t *o)
{
    char *text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
    uint64_t h = text ? hash_of_text(text, 1) : 0;
    free(text);
    return h;
}

fraud_reading fraud_payment_read(const char *json, size_t len, fraud_payment *p, uint64_t *content,
                                 r1_err *why)
{
    reader r = {.err = why};
    if (fraud_payment_decode(json, len, p, why) == R1_OK) {
        *content = fraud_payment_content(p);
        return FRAUD_READ_PAYMENT;
    }
    r1_err later;
    if (payment_parse(json, len, &r.o, &later) != R1_OK) return FRAUD_READ_NOTHING;
    r.err = &later;
    bool named = payment_fields[0].kind->read(&r, &payment_fields[0], p) == R1_OK;
    *content = content_of_object(r.o);
    p->kind = FRAUD_N_KIND;
    json_decref(r.o);
    return named ? FRAUD_READ_UNSCORABLE : FRAUD_READ_NOTHING;
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

/* ---- a label ---- */

static r1_status read_label(reader *r, fraud_label *l)
{
    for (size_t i = 0; i < R1_COUNT(label_fields); i++)
        R1_TRY(label_fields[i].kind->read(r, &label_fields[i], l));
    json_t *v = json_object_get(r->o, "is_fraud");
    if (!json_is_boolean(v))
        R1_FAIL(r->err, R1_E_FORMAT, "is_fraud: expected true or false, found %s",
                v ? type_name(v) : "nothing");
    l->is_fraud = json_is_true(v);
    return R1_OK;
}

r1_status fraud_label_decode(const char *json, size_t len, fraud_label *l, r1_err *err)
{
    memset(l, 0, sizeof *l);
    reader r = {.err = err};
    R1_TRY(payment_parse(json, len, &r.o, err));
    r1_status st = read_label(&r, l);
    json_decref(r.o);
    if (st != R1_OK) memset(l, 0, sizeof *l);
    return st;
}
