/* SPDX-License-Identifier: GPL-3.0-or-later */
/* payment.c - JSON to fraud_payment and back. The parser is jansson; before it runs, the message
 * is bounded in size and depth. jansson sees to UTF-8, the reader of each field to its type and
 * range, check_meaning to what several fields or a list say. */
#include "payment/payment.h"

#include <jansson.h>
#include <math.h>
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

/* ---- checks ---- */

/* Well-formed UTF-8 (RFC 3629), terminated within size. */
static bool payment_is_text(const char *s, size_t size)
{
    const unsigned char *p = (const unsigned char *)s;
    size_t len = strnlen(s, size);
    if (len == size) return false;
    for (size_t i = 0; i < len;) {
        size_t n = p[i] < 0x80                   ? 1
                   : p[i] >= 0xc2 && p[i] < 0xe0 ? 2
                   : p[i] >= 0xe0 && p[i] < 0xf0 ? 3
                   : p[i] >= 0xf0 && p[i] < 0xf5 ? 4
                                                 : 0;
        if (!n || i + n > len) return false;
        for (size_t k = 1; k < n; k++)
            if ((p[i + k] & 0xc0) != 0x80) return false;
        if ((p[i] == 0xe0 && p[i + 1] < 0xa0) || (p[i] == 0xed && p[i + 1] > 0x9f) ||
            (p[i] == 0xf0 && p[i + 1] < 0x90) || (p[i] == 0xf4 && p[i + 1] > 0x8f))
            return false;
        i += n;
    }
    return true;
}

static r1_status check_texts(const fraud_payment *p, r1_err *err)
{
    const struct {
        const char *name, *text;
        size_t size;
        bool required;
    } rows[] = {{"tx_id", p->tx_id, sizeof p->tx_id, true},
                {"from", p->from, sizeof p->from, true},
                {"to", p->to, sizeof p->to, true},
                {"currency", p->currency, sizeof p->currency, true},
                {"country", p->country, sizeof p->country, false},
                {"channel", p->channel, sizeof p->channel, false},
                {"category", p->category, sizeof p->category, false},
                {"device", p->device, sizeof p->device, false},
                {"text", p->text, sizeof p->text, false}};
    for (size_t i = 0; i < R1_COUNT(rows); i++) {
        if (!payment_is_text(rows[i].text, rows[i].size))
            R1_FAIL(err, R1_E_FORMAT, "%s: expected UTF-8, found other bytes", rows[i].name);
        if (rows[i].required && !*rows[i].text)
            R1_FAIL(err, R1_E_FORMAT, "%s: expected a string, found an empty one", rows[i].name);
    }
    return R1_OK;
}

bool fraud_country_exists(const char *c)
{
    return c[0] >= 'A' && c[0] <= 'Z' && c[1] >= 'A' && c[1] <= 'Z' && !c[2];
}

/* What the readers of single fields cannot know. */
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

/* What the readers of single fields have seen to. */
static r1_status check_fields(const fraud_payment *p, r1_err *err)
{
    R1_TRY(check_texts(p, err));
    if (p->ts < FRAUD_TS_MIN || p->ts > FRAUD_TS_MAX)
        R1_FAIL(err, R1_E_FORMAT, "ts: expected ms since 1970 before 2100, found %lld",
                (long long)p->ts);
    if (p->amount_minor < 1 || p->amount_minor > FRAUD_AMOUNT_MAX)
        R1_FAIL(err, R1_E_FORMAT, "amount_minor: expected 1..%lld, found %lld",
                (long long)FRAUD_AMOUNT_MAX, (long long)p->amount_minor);
    if (p->kind >= FRAUD_N_KIND || p->from_role >= FRAUD_N_ROLE || p->to_role >= FRAUD_N_ROLE)
        R1_FAIL(err, R1_E_FORMAT, "kind or role: expected a known value, found %u, %u, %u", p->kind,
                p->from_role, p->to_role);
    if (p->has & FRAUD_HAS_POSITION && !(fabsf(p->lat) <= 90 && fabsf(p->lon) <= 180))
        R1_FAIL(err, R1_E_FORMAT, "lat, lon: expected degrees, found %g, %g", (double)p->lat,
                (double)p->lon);
    return R1_OK;
}

r1_status fraud_payment_check(const fraud_payment *p, r1_err *err)
{
    R1_TRY(check_fields(p, err));
    return check_meaning(p, err);
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

/* ---- one field ---- */

typedef struct {
    json_t *o;
    r1_err *err;
} reader;

static r1_status read_text(reader *r, const char *name, bool required, char *out, size_t size)
{
    json_t *v = json_object_get(r->o, name);
    if (!v || json_is_null(v)) {
        if (required) R1_FAIL(r->err, R1_E_FORMAT, "%s: expected a string, found nothing", name);
        return R1_OK;
    }
    if (!json_is_string(v))
        R1_FAIL(r->err, R1_E_FORMAT, "%s: expected a string, found %s", name, type_name(v));
    size_t len = json_string_length(v);
    if (required && !len)
        R1_FAIL(r->err, R1_E_FORMAT, "%s: expected a string, found an empty one", name);
    if (len >= size)
        R1_FAIL(r->err, R1_E_FORMAT, "%s: expected at most %zu bytes, found %zu", name, size - 1,
                len);
    memcpy(out, json_string_value(v), len + 1);
    return R1_OK;
}

static r1_status read_int(reader *r, const char *name, bool required, int64_t min, int64_t max,
                          int64_t *out, bool *found)
{
    json_t *v = json_object_get(r->o, name);
    *found = v && !json_is_null(v);
    if (!*found) {
        if (required) R1_FAIL(r->err, R1_E_FORMAT, "%s: expected an integer, found nothing", name);
        return R1_OK;
    }
    if (!json_is_integer(v))
        R1_FAIL(r->err, R1_E_FORMAT, "%s: expected an integer, found %s", name, type_name(v));
    int64_t x = json_integer_value(v);
    if (x < min || x > max)
        R1_FAIL(r->err, R1_E_FORMAT, "%s: expected %lld..%lld, found %lld", name, (long long)min,
                (long long)max, (long long)x);
    *out = x;
    return R1_OK;
}

static r1_status read_degrees(reader *r, const char *name, double limit, float *out, bool *found)
{
    json_t *v = json_object_get(r->o, name);
    *found = v && !json_is_null(v);
    if (!*found) return R1_OK;
    if (!json_is_number(v))
        R1_FAIL(r->err, R1_E_FORMAT, "%s: expected a number, found %s", name, type_name(v));
    double x = json_number_value(v);
    if (!(fabs(x) <= limit))
        R1_FAIL(r->err, R1_E_FORMAT, "%s: expected %g..%g, found %g", name, -limit, limit, x);
    *out = (float)x;
    return R1_OK;
}

static r1_status read_name(reader *r, const char *name, const char *const *names, int n,
                           int fallback, uint8_t *out)
{
    char text[FRAUD_WORD_BYTES] = "";
    R1_TRY(read_text(r, name, fallback < 0, text, sizeof text));
    if (!*text) return *out = (uint8_t)fallback, R1_OK;
    for (int i = 0; i < n; i++)
        if (!strcmp(names[i], text)) return *out = (uint8_t)i, R1_OK;
    R1_FAIL(r->err, R1_E_FORMAT, "%s: expected one of %s, %s, %s%s%s, found \"%s\"", name, names[0],
            names[1], names[2], n > 3 ? ", " : "", n > 3 ? names[3] : "", text);
}

/* ---- a payment ---- */

static r1_status read_ends(reader *r, fraud_payment *p)
{
    int from = p->kind == FRAUD_KIND_CARD ? FRAUD_ROLE_CARD : FRAUD_ROLE_ACCOUNT;
    int to = p->kind == FRAUD_KIND_CARD ? FRAUD_ROLE_MERCHANT : FRAUD_ROLE_ACCOUNT;
    R1_TRY(read_text(r, "from", true, p->from, sizeof p->from));
    R1_TRY(read_text(r, "to", true, p->to, sizeof p->to));
    R1_TRY(read_name(r, "from_role", role_names, FRAUD_N_ROLE, from, &p->from_role));
    return read_name(r, "to_role", role_names, FRAUD_N_ROLE, to, &p->to_role);
}

static r1_status read_balances(reader *r, fraud_payment *p)
{
    bool found;
    R1_TRY(read_int(r, "from_balance_minor", false, -FRAUD_AMOUNT_MAX, FRAUD_AMOUNT_MAX,
                    &p->from_balance_minor, &found));
    if (found) p->has |= FRAUD_HAS_FROM_BALANCE;
    R1_TRY(read_int(r, "to_balance_minor", false, -FRAUD_AMOUNT_MAX, FRAUD_AMOUNT_MAX,
                    &p->to_balance_minor, &found));
    if (found) p->has |= FRAUD_HAS_TO_BALANCE;
    return R1_OK;
}

static r1_status read_position(reader *r, fraud_payment *p)
{
    bool lat, lon;
    R1_TRY(read_degrees(r, "lat", 90, &p->lat, &lat));
    R1_TRY(read_degrees(r, "lon", 180, &p->lon, &lon));
    if (lat != lon)
        R1_FAIL(r->err, R1_E_FORMAT, "%s: expected both lat and lon or neither, found one",
                lat ? "lon" : "lat");
    if (lat) p->has |= FRAUD_HAS_POSITION;
    return R1_OK;
}

static r1_status read_payment(reader *r, fraud_payment *p)
{
    bool found;
    R1_TRY(read_text(r, "tx_id", true, p->tx_id, sizeof p->tx_id));
    R1_TRY(read_int(r, "ts", true, FRAUD_TS_MIN, FRAUD_TS_MAX, &p->ts, &found));
    R1_TRY(read_name(r, "kind", kind_names, FRAUD_N_KIND, -1, &p->kind));
    R1_TRY(read_ends(r, p));
    R1_TRY(read_int(r, "amount_minor", true, 1, FRAUD_AMOUNT_MAX, &p->amount_minor, &found));
    R1_TRY(read_text(r, "currency", true, p->currency, sizeof p->currency));
    R1_TRY(read_text(r, "country", false, p->country, sizeof p->country));
    R1_TRY(read_text(r, "channel", false, p->channel, sizeof p->channel));
    R1_TRY(read_text(r, "category", false, p->category, sizeof p->category));
    R1_TRY(read_text(r, "device", false, p->device, sizeof p->device));
    R1_TRY(read_text(r, "text", false, p->text, sizeof p->text));
    R1_TRY(read_balances(r, p));
    R1_TRY(read_position(r, p));
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

/* ---- writing ---- */

static void payment_put_text(json_t *o, const char *name, const char *text)
{
    if (*text) json_object_set_new(o, name, json_string(text));
}

static json_t *to_json(const fraud_payment *p)
{
    json_t *o = json_object();
    payment_put_text(o, "tx_id", p->tx_id);
    json_object_set_new(o, "ts", json_integer(p->ts));
    payment_put_text(o, "kind", fraud_kind_name(p->kind));
    payment_put_text(o, "from", p->from);
    payment_put_text(o, "to", p->to);
    payment_put_text(o, "from_role", fraud_role_name(p->from_role));
    payment_put_text(o, "to_role", fraud_role_name(p->to_role));
    json_object_set_new(o, "amount_minor", json_integer(p->amount_minor));
    payment_put_text(o, "currency", p->currency);
    payment_put_text(o, "country", p->country);
    payment_put_text(o, "channel", p->channel);
    payment_put_text(o, "category", p->category);
    payment_put_text(o, "device", p->device);
    payment_put_text(o, "text", p->text);
    if (p->has & FRAUD_HAS_FROM_BALANCE)
        json_object_set_new(o, "from_balance_minor", json_integer(p->from_balance_minor));
    if (p->has & FRAUD_HAS_TO_BALANCE)
        json_object_set_new(o, "to_balance_minor", json_integer(p->to_balance_minor));
    if (p->has & FRAUD_HAS_POSITION) {
        json_object_set_new(o, "lat", json_real((double)p->lat));
        json_object_set_new(o, "lon", json_real((double)p->lon));
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
    bool found;
    R1_TRY(read_text(r, "tx_id", true, l->tx_id, sizeof l->tx_id));
    R1_TRY(read_int(r, "ts", true, FRAUD_TS_MIN, FRAUD_TS_MAX, &l->ts, &found));
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
