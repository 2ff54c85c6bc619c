/* SPDX-License-Identifier: GPL-3.0-or-later */
/* payment_read.c - one message of the topic payments: a payment, a payment that cannot be scored,
 * or no payment.
 *
 * What a score needs and what is not there, or makes no sense, is told in words with field,
 * expected and found; the first fault wins. Everything else is read on, because a person who
 * decides wants to see it. An optional field that makes no sense is left out, with a note. */
#include "payment/currency.h"
#include "payment/decimal.h"
#include "payment/notes.h"
#include "payment/payment_map.h"
#include "payment/payment_text.h"
#include "payment/words.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FOUND_BYTES = 64 }; /* of a value that a message quotes */

typedef struct {
    const fraud_map *map;
    const json_t *o;
    fraud_payment *p;
    char *notes; /* NULL: nobody asks */
    bool bad;    /* a fault was told */
    r1_err *why; /* of the first fault */
} reading;

/* ---- telling ---- */

#define REFUSE(r, ...)                                                                             \
    do {                                                                                           \
        if (!(r)->bad) (void)r1_err_set((r)->why, R1_E_FORMAT, __FILE__, __LINE__, __VA_ARGS__);   \
        (r)->bad = true;                                                                           \
    } while (0)

static const char *read_name(const reading *r, fraud_field f) { return fraud_map_name(r->map, f); }

static const json_t *read_value(const reading *r, fraud_field f)
{
    return fraud_map_value(r->map, r->o, f);
}

/* What stands in a message, short: "\"GERMANY\"", "an object". */
static const char *read_found(const json_t *v, char out[FOUND_BYTES])
{
    char buf[32];
    const char *number = fraud_json_number(v, buf), *text = json_string_value(v);
    if (number)
        snprintf(out, FOUND_BYTES, "%.40s", number);
    else if (text)
        snprintf(out, FOUND_BYTES, "\"%.48s%s\"", text, strlen(text) > 48 ? "..." : "");
    else
        snprintf(out, FOUND_BYTES, "%s", fraud_json_type(v));
    return out;
}

static void read_leave_out(reading *r, fraud_field f, const json_t *v)
{
    char found[FOUND_BYTES];
    fraud_note(r->notes, "%s: expected %s, found %s: left out", read_name(r, f),
               fraud_fields[f].expected, read_found(v, found));
}

static void read_refuse(reading *r, fraud_field f, const json_t *v)
{
    char found[FOUND_BYTES];
    REFUSE(r, "%s: expected %s, found %s", read_name(r, f), fraud_fields[f].expected,
           read_found(v, found));
}

/* ---- ids ---- */

/* A text or a whole number; "" and a length of 0 where it cannot be one. */
static size_t read_as_id(const json_t *v, char *out, size_t size)
{
    char buf[32];
    const char *text = json_is_integer(v) ? fraud_json_number(v, buf) : json_string_value(v);
    size_t bytes = json_is_string(v) ? json_string_length(v) : text ? strlen(text) : 0, len = 0;
    *out = 0;
    if (!text || strlen(text) != bytes || !fraud_text_id(text, bytes, out, size, &len)) return 0;
    return len;
}

static void read_id(reading *r, fraud_field f, char *out, size_t size)
{
    const json_t *v = read_value(r, f);
    size_t len = read_as_id(v, out, size);
    if (*out) return;
    if (len)
        REFUSE(r, "%s: expected at most %zu bytes, found %zu", read_name(r, f), size - 1, len);
    else
        read_refuse(r, f, v);
}

/* ---- optional words ---- */

static void read_word(reading *r, fraud_field f, char *out, size_t size)
{
    const json_t *v = read_value(r, f);
    if (!v || (json_is_string(v) && !json_string_length(v))) return;
    (void)read_as_id(v, out, size);
    if (!*out) read_leave_out(r, f, v);
}

static void read_country(reading *r)
{
    const json_t *v = read_value(r, FRAUD_F_COUNTRY);
    const char *text = json_string_value(v), *code = text ? fraud_country_of(text) : NULL;
    if (!v || (text && !*text)) return;
    if (code && json_string_length(v) == strlen(text))
        snprintf(r->p->country, sizeof r->p->country, "%s", code);
    else
        read_leave_out(r, FRAUD_F_COUNTRY, v);
}

static void read_free_text(reading *r)
{
    const json_t *v = read_value(r, FRAUD_F_TEXT);
    bool cut = false;
    if (!v) return;
    if (!json_is_string(v)) {
        read_leave_out(r, FRAUD_F_TEXT, v);
        return;
    }
    if (!fraud_text_free(json_string_value(v), json_string_length(v), r->p->text, sizeof r->p->text,
                         &cut)) {
        read_leave_out(r, FRAUD_F_TEXT, v);
        return;
    }
    if (cut)
        fraud_note(r->notes, "%s: expected at most %d bytes, found %zu: cut",
                   read_name(r, FRAUD_F_TEXT), FRAUD_TEXT_BYTES - 1, json_string_length(v));
}

/* ---- kind and roles ---- */

static void read_kind(reading *r)
{
    const json_t *v = read_value(r, FRAUD_F_KIND);
    const char *text = json_string_value(v);
    fraud_kind kind = text ? fraud_map_kind(r->map, text) : FRAUD_N_KIND;
    r->p->kind = (uint8_t)kind;
    if (kind == FRAUD_N_KIND) read_refuse(r, FRAUD_F_KIND, v);
}

static void read_role(reading *r, fraud_field f, fraud_role missing, uint8_t *out)
{
    const json_t *v = read_value(r, f);
    const char *text = json_string_value(v);
    fraud_role role = text ? fraud_map_role(r->map, text) : FRAUD_N_ROLE;
    *out = (uint8_t)(role < FRAUD_N_ROLE ? role : missing);
    if (v && role == FRAUD_N_ROLE && !(text && !*text)) read_leave_out(r, f, v);
}

static void read_roles(reading *r)
{
    bool card = r->p->kind == FRAUD_KIND_CARD;
    read_role(r, FRAUD_F_FROM_ROLE, card ? FRAUD_ROLE_CARD : FRAUD_ROLE_ACCOUNT, &r->p->from_role);
    read_role(r, FRAUD_F_TO_ROLE, card ? FRAUD_ROLE_MERCHANT : FRAUD_ROLE_ACCOUNT, &r->p->to_role);
}

/* ---- time ---- */

/* A number of units since 1970, each `per` of a millisecond or `of` milliseconds. */
static bool time_number(const char *text, fraud_time_form form, int64_t *ms)
{
    int64_t x;
    if (form == FRAUD_TIME_S) {
        fraud_decimal st = fraud_decimal_read(text, 3, &x);
        if (st == FRAUD_DECIMAL_FINE) st = fraud_decimal_read(text, 9, &x), x /= 1000000;
        *ms = x;
        return st == FRAUD_DECIMAL_GOOD;
    }
    *ms = 0;
    if (fraud_decimal_read(text, 0, &x) != FRAUD_DECIMAL_GOOD) return false;
    *ms = form == FRAUD_TIME_US ? x / 1000 : form == FRAUD_TIME_NS ? x / 1000000 : x;
    return true;
}

static bool read_time_text(reading *r, const char *text, fraud_time_form form, const char *pattern,
                           int zone_minutes, int64_t *ms)
{
    bool zone = true;
    if (form == FRAUD_TIME_PATTERN) return fraud_time_pattern(text, pattern, zone_minutes, ms);
    if (form != FRAUD_TIME_ISO && time_number(text, form, ms)) return true;
    if (!fraud_time_iso(text, zone_minutes, ms, &zone)) return false;
    if (!zone && !r->map)
        fraud_note(r->notes, "%s: expected an offset such as Z or +01:00, found none: read as UTC",
                   read_name(r, FRAUD_F_TS));
    return true;
}

static void read_ms(reading *r, int64_t ms)
{
    if (ms >= FRAUD_TS_MIN && ms <= FRAUD_TS_MAX)
        r->p->ts = ms;
    else
        REFUSE(r, "%s: expected %lld..%lld, milliseconds from 1970 to 2100, found %lld%s",
               read_name(r, FRAUD_F_TS), (long long)FRAUD_TS_MIN, (long long)FRAUD_TS_MAX,
               (long long)ms,
               ms > FRAUD_TS_MAX * 100000 ? ": these look like nanoseconds"
               : ms > FRAUD_TS_MAX * 100  ? ": these look like microseconds"
                                          : "");
}

static void read_ts(reading *r)
{
    const json_t *v = read_value(r, FRAUD_F_TS);
    char buf[32];
    const char *pattern, *number, *text = json_string_value(v);
    int zone_minutes;
    int64_t ms = 0;
    fraud_time_form form = fraud_map_time(r->map, &pattern, &zone_minutes);
    if (json_is_integer(v) && form == FRAUD_TIME_MS) {
        read_ms(r, json_integer_value(v));
        return;
    }
    number = fraud_json_number(v, buf);
    bool good = number && form < FRAUD_TIME_ISO ? time_number(number, form, &ms)
                : text && !number ? read_time_text(r, text, form, pattern, zone_minutes, &ms)
                                  : false;
    if (good)
        read_ms(r, ms);
    else
        read_refuse(r, FRAUD_F_TS, v);
}

/* ---- money ---- */

static void read_currency(reading *r)
{
    const json_t *v = read_value(r, FRAUD_F_CURRENCY);
    const char *text = json_string_value(v);
    char code[4] = "";
    int digits = -1;
    if (text && strlen(text) == 3 && json_string_length(v) == 3)
        for (int i = 0; i < 3; i++) code[i] = (char)toupper((unsigned char)text[i]);
    fraud_currency_what what = fraud_currency_of(code, &digits);
    if (what == FRAUD_CURRENCY_UNKNOWN) {
        read_refuse(r, FRAUD_F_CURRENCY, v);
        return;
    }
    if (what == FRAUD_CURRENCY_NO_MONEY) {
        REFUSE(r, "%s: expected money, found %s, which has no minor unit",
               read_name(r, FRAUD_F_CURRENCY), code);
        return;
    }
    if (what == FRAUD_CURRENCY_HISTORIC)
        fraud_note(r->notes, "%s: %s is a historic code", read_name(r, FRAUD_F_CURRENCY), code);
    memcpy(r->p->currency, code, sizeof code);
    r->p->minor_digits = (uint8_t)digits;
}

static const char *decimal_words(fraud_decimal st)
{
    return st == FRAUD_DECIMAL_FINE    ? "more digits than the currency's minor unit has"
           : st == FRAUD_DECIMAL_LARGE ? "a larger number than 64 bits hold"
                                       : "no number";
}

/* An amount of one field; digits: of the minor unit, 0 where the field counts minor units. */
static fraud_decimal money_of(const json_t *v, int digits, int64_t *out)
{
    char buf[32];
    if (!digits && json_is_integer(v)) return *out = json_integer_value(v), FRAUD_DECIMAL_GOOD;
    const char *text = fraud_json_number(v, buf);
    *out = 0;
    if (!text) text = json_string_value(v);
    return text ? fraud_decimal_read(text, digits, out) : FRAUD_DECIMAL_NONE;
}

/* A commas's meaning is not guessed: 1,250 is a thousand here and one there. */
static void money_refuse(reading *r, fraud_field f, const json_t *v, fraud_decimal st)
{
    char found[FOUND_BYTES];
    const char *text = json_string_value(v);
    if (st == FRAUD_DECIMAL_NONE && text && strchr(text, ','))
        REFUSE(r, "%s: expected a point and no commas, as 1250.50, found %s", read_name(r, f),
               read_found(v, found));
    else if (st == FRAUD_DECIMAL_NONE)
        read_refuse(r, f, v);
    else
        REFUSE(r, "%s: expected %s, found %s: %s", read_name(r, f), fraud_fields[f].expected,
               read_found(v, found), decimal_words(st));
}

static int64_t amount_max(const fraud_payment *p)
{
    static const int64_t per[] = {100, 10, 1};
    return FRAUD_AMOUNT_MAX / (p->minor_digits < 2 ? per[p->minor_digits] : 1);
}

static void amount_check(reading *r, fraud_field f)
{
    fraud_payment *p = r->p;
    if (p->amount_minor < 0)
        REFUSE(r, "%s: expected more than 0, found %lld %s in minor units: a refund or a reversal",
               read_name(r, f), (long long)p->amount_minor, p->currency);
    else if (p->amount_minor == 0)
        REFUSE(r, "%s: expected more than 0, found 0", read_name(r, f));
    else if (p->amount_minor > amount_max(p))
        REFUSE(r, "%s: expected at most %lld %s in minor units, found %lld", read_name(r, f),
               (long long)amount_max(p), p->currency, (long long)p->amount_minor);
}

/* amount_minor, or amount; where a message has both, they say the same. */
static void read_amount(reading *r)
{
    fraud_payment *p = r->p;
    const json_t *minor = read_value(r, FRAUD_F_AMOUNT_MINOR),
                 *major = read_value(r, FRAUD_F_AMOUNT);
    fraud_field f = minor ? FRAUD_F_AMOUNT_MINOR : FRAUD_F_AMOUNT;
    int64_t other = 0;
    if (!minor && !major) {
        read_refuse(r, FRAUD_F_AMOUNT_MINOR, NULL);
        return;
    }
    if (!minor && !*p->currency) return; /* told already: without a currency it has no unit */
    fraud_decimal st = minor ? money_of(minor, 0, &p->amount_minor)
                             : money_of(major, p->minor_digits, &p->amount_minor);
    if (st != FRAUD_DECIMAL_GOOD) {
        money_refuse(r, f, minor ? minor : major, st);
        return;
    }
    amount_check(r, f);
    if (!minor || !major || !*p->currency) return;
    if (money_of(major, p->minor_digits, &other) != FRAUD_DECIMAL_GOOD)
        read_leave_out(r, FRAUD_F_AMOUNT, major);
    else if (other != p->amount_minor)
        REFUSE(r, "%s: expected what %s says, %lld in minor units, found %lld",
               read_name(r, FRAUD_F_AMOUNT), read_name(r, FRAUD_F_AMOUNT_MINOR),
               (long long)p->amount_minor, (long long)other);
}

static void read_balance(reading *r, fraud_field minor, fraud_field major, uint32_t has,
                         int64_t *out)
{
    const json_t *v = read_value(r, minor);
    fraud_field f = v ? minor : major;
    int64_t x;
    if (!v) v = read_value(r, major);
    if (!v || (json_is_string(v) && !json_string_length(v))) return;
    if (money_of(v, f == minor ? 0 : r->p->minor_digits, &x) != FRAUD_DECIMAL_GOOD ||
        x > FRAUD_AMOUNT_MAX || x < -FRAUD_AMOUNT_MAX || !*r->p->currency) {
        read_leave_out(r, f, v);
        return;
    }
    *out = x;
    r->p->has |= has;
}

/* ---- place ---- */

static bool degrees_of(const json_t *v, double limit, float *out)
{
    char buf[32], *end = buf;
    double x = json_real_value(v);
    *buf = 0;
    if (!json_is_real(v)) {
        const char *text = fraud_json_number(v, buf);
        if (!text) text = json_string_value(v);
        if (!text || !*text) return false;
        x = strtod(text, &end);
    }
    if (*end || !(x >= -limit && x <= limit)) return false;
    *out = (float)x;
    return true;
}

static void read_place(reading *r)
{
    const json_t *lat = read_value(r, FRAUD_F_LAT), *lon = read_value(r, FRAUD_F_LON);
    float x, y;
    if (!lat && !lon) return;
    if (degrees_of(lat, 90, &x) && degrees_of(lon, 180, &y)) {
        r->p->lat = x;
        r->p->lon = y;
        r->p->has |= FRAUD_HAS_POSITION;
        return;
    }
    char found[2][FOUND_BYTES];
    fraud_note(r->notes, "lat, lon: expected degrees in both, found %s and %s: left out",
               read_found(lat, found[0]), read_found(lon, found[1]));
}

/* ---- the whole ---- */

static void read_all(reading *r)
{
    fraud_payment *p = r->p;
    read_ts(r);
    read_kind(r);
    read_id(r, FRAUD_F_FROM, p->from, sizeof p->from);
    read_id(r, FRAUD_F_TO, p->to, sizeof p->to);
    read_roles(r);
    read_currency(r);
    read_amount(r);
    read_country(r);
    read_word(r, FRAUD_F_CHANNEL, p->channel, sizeof p->channel);
    read_word(r, FRAUD_F_CATEGORY, p->category, sizeof p->category);
    read_word(r, FRAUD_F_DEVICE, p->device, sizeof p->device);
    read_free_text(r);
    read_balance(r, FRAUD_F_FROM_BALANCE_MINOR, FRAUD_F_FROM_BALANCE, FRAUD_HAS_FROM_BALANCE,
                 &p->from_balance_minor);
    read_balance(r, FRAUD_F_TO_BALANCE_MINOR, FRAUD_F_TO_BALANCE, FRAUD_HAS_TO_BALANCE,
                 &p->to_balance_minor);
    read_place(r);
    if (*p->from && !strcmp(p->from, p->to) && p->from_role == p->to_role)
        REFUSE(r, "%s: expected another end than %s, found the same", read_name(r, FRAUD_F_TO),
               read_name(r, FRAUD_F_FROM));
}

/* Faults of the message as a whole, which a field does not show. */
static void read_form(reading *r, const fraud_json *json, size_t len)
{
    if (len > FRAUD_PAYMENT_BYTES_MAX)
        REFUSE(r, "message: expected at most %d bytes, found %zu", FRAUD_PAYMENT_BYTES_MAX, len);
    if (json->depth > FRAUD_PAYMENT_DEPTH_MAX)
        REFUSE(r, "message: expected nesting of at most %d, found %d", FRAUD_PAYMENT_DEPTH_MAX,
               json->depth);
    if (json->twice) REFUSE(r, "message: expected each key once, found a %s", json->key);
    if (json->mended)
        fraud_note(r->notes,
                   "message: expected JSON in UTF-8, found %d places that were mended: bytes, "
                   "controls, NaN",
                   json->mended);
}

static fraud_reading read_object(reading *r, const fraud_json *json, size_t len)
{
    if (!json_is_object(json->root)) {
        REFUSE(r, "message: expected a JSON object, found %s", fraud_json_type(json->root));
        return FRAUD_READ_NOTHING;
    }
    read_id(r, FRAUD_F_TX_ID, r->p->tx_id, sizeof r->p->tx_id);
    if (r->bad) return FRAUD_READ_NOTHING;
    read_form(r, json, len);
    read_all(r);
    return r->bad ? FRAUD_READ_UNSCORABLE : FRAUD_READ_PAYMENT;
}

/* Of a message that cannot be scored: its JSON with keys in order. */
static uint64_t content_of_object(const json_t *o)
{
    char *text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
    uint64_t h = text ? r1_hash64(text, strlen(text), 1) : 0;
    free(text);
    return h;
}

static fraud_reading read_json(const fraud_map *map, const fraud_json *json, size_t len,
                               fraud_payment *p, char *notes, uint64_t *content, r1_err *why)
{
    reading r = {.map = map, .o = json->root, .p = p, .notes = notes, .why = why};
    fraud_reading what = read_object(&r, json, len);
    if (what == FRAUD_READ_PAYMENT) *content = fraud_payment_content(p);
    if (what == FRAUD_READ_UNSCORABLE) *content = content_of_object(json->root);
    return what;
}

fraud_reading fraud_payment_read(const fraud_map *map, const char *text, size_t len,
                                 fraud_payment *p, char *notes, uint64_t *content, r1_err *why)
{
    fraud_json json;
    memset(p, 0, sizeof *p);
    *content = 0;
    if (notes) *notes = 0;
    if (fraud_json_read(text, len, &json, why) != R1_OK) return FRAUD_READ_NOTHING;
    fraud_reading what = read_json(map, &json, len, p, notes, content, why);
    json_decref(json.root);
    return what;
}

/* A log says what was applied in the place of what was paid (fraud_payment_log). The values are
 * our own, so they are taken as they stand. */
static void read_rate(const json_t *rate, fraud_payment *p)
{
    const char *currency = json_string_value(json_object_get(rate, "currency"));
    const json_t *amount = json_object_get(rate, "amount_minor"),
                 *from = json_object_get(rate, "from_balance_minor"),
                 *to = json_object_get(rate, "to_balance_minor");
    int digits = currency ? fraud_currency_digits(currency) : -1;
    if (digits < 0 || json_integer_value(amount) < 1) return;
    p->paid_minor = p->amount_minor;
    memcpy(p->paid_currency, p->currency, sizeof p->paid_currency);
    p->amount_minor = json_integer_value(amount);
    snprintf(p->currency, sizeof p->currency, "%s", currency);
    p->minor_digits = (uint8_t)digits;
    p->from_balance_minor = json_integer_value(from);
    p->to_balance_minor = json_integer_value(to);
    p->has &= ~(uint32_t)(FRAUD_HAS_FROM_BALANCE | FRAUD_HAS_TO_BALANCE);
    p->has |=
        FRAUD_HAS_PAID | (from ? FRAUD_HAS_FROM_BALANCE : 0u) | (to ? FRAUD_HAS_TO_BALANCE : 0u);
}

r1_status fraud_payment_decode(const char *text, size_t len, fraud_payment *p, r1_err *err)
{
    uint64_t content;
    fraud_json json;
    r1_err why = {0};
    memset(p, 0, sizeof *p);
    if (fraud_json_read(text, len, &json, &why) == R1_OK) {
        fraud_reading what = read_json(NULL, &json, len, p, NULL, &content, &why);
        const json_t *rate = json_object_get(json.root, "rate");
        if (what == FRAUD_READ_PAYMENT && rate) read_rate(rate, p);
        json_decref(json.root);
        if (what == FRAUD_READ_PAYMENT) return R1_OK;
    }
    memset(p, 0, sizeof *p);
    if (err) *err = why;
    return R1_E_FORMAT;
}

/* ---- a label ---- */

r1_status fraud_label_decode(const char *text, size_t len, fraud_label *l, r1_err *err)
{
    fraud_json json;
    fraud_payment p = {0};
    r1_err why = {0};
    memset(l, 0, sizeof *l);
    R1_TRY(fraud_json_read(text, len, &json, err));
    reading r = {.o = json.root, .p = &p, .why = &why};
    read_form(&r, &json, len);
    if (json_is_object(json.root)) {
        read_id(&r, FRAUD_F_TX_ID, l->tx_id, sizeof l->tx_id);
        read_ts(&r);
    } else {
        REFUSE(&r, "message: expected a JSON object, found %s", fraud_json_type(json.root));
    }
    const json_t *v = json_object_get(json.root, "is_fraud");
    if (!json_is_boolean(v))
        REFUSE(&r, "is_fraud: expected true or false, found %s", fraud_json_type(v));
    l->ts = p.ts;
    l->is_fraud = json_is_true(v);
    json_decref(json.root);
    if (!r.bad) return R1_OK;
    memset(l, 0, sizeof *l);
    if (err) *err = why;
    return R1_E_FORMAT;
}
