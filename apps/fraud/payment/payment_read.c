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
#include "payment/time_fields.h"
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
    bool swaps;  /* a credit: whom the file calls payer is paid */
    r1_err *why; /* of the first fault */
} reading;

/* ---- telling ---- */

#define REFUSE(r, ...)                                                                             \
    do {                                                                                           \
        if (!(r)->bad) (void)r1_err_set((r)->why, R1_E_FORMAT, __FILE__, __LINE__, __VA_ARGS__);   \
        (r)->bad = true;                                                                           \
    } while (0)

/* Where the field is read: of a credit, what belongs to one end stands at the other one. */
static fraud_field read_field(const reading *r, fraud_field f)
{
    static const fraud_field ends[][2] = {{FRAUD_F_FROM, FRAUD_F_TO},
                                          {FRAUD_F_FROM_ROLE, FRAUD_F_TO_ROLE},
                                          {FRAUD_F_FROM_BALANCE_MINOR, FRAUD_F_TO_BALANCE_MINOR},
                                          {FRAUD_F_FROM_BALANCE, FRAUD_F_TO_BALANCE}};
    for (size_t i = 0; r->swaps && i < R1_COUNT(ends); i++)
        for (int k = 0; k < 2; k++)
            if (ends[i][k] == f) return ends[i][!k];
    return f;
}

static const char *read_name(const reading *r, fraud_field f)
{
    return fraud_map_name(r->map, read_field(r, f));
}

static const json_t *read_value(const reading *r, fraud_field f)
{
    return fraud_map_value(r->map, r->o, read_field(r, f));
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

/* What the clock on the wall shows becomes UTC. */
static void read_local(reading *r, const fraud_time_style *style, int64_t *ms)
{
    fraud_local what = fraud_time_utc(style, ms);
    if (!style->told)
        fraud_note(r->notes,
                   "%s: expected an offset such as Z or +01:00%s, found none: read as UTC",
                   read_name(r, FRAUD_F_TS), r->map ? ", or the row zone of the mapping file" : "");
    else if (what == FRAUD_LOCAL_TWICE)
        fraud_note(r->notes,
                   "%s: expected an offset, as the clock was set back over this time: read as the "
                   "first of the two",
                   read_name(r, FRAUD_F_TS));
    else if (what == FRAUD_LOCAL_NEVER)
        fraud_note(r->notes,
                   "%s: expected a time that the clock showed, found one that it leapt over: read "
                   "as if it had not leapt yet",
                   read_name(r, FRAUD_F_TS));
}

static void refuse_ts(reading *r, const json_t *v, const fraud_time_style *style)
{
    static const char *const forms[] = {
        [FRAUD_TIME_MS] = "milliseconds since 1970, or an ISO text with offset",
        [FRAUD_TIME_S] = "seconds since 1970",
        [FRAUD_TIME_US] = "microseconds since 1970",
        [FRAUD_TIME_NS] = "nanoseconds since 1970",
        [FRAUD_TIME_ISO] = "an ISO text such as 2026-11-30T14:05:09",
        [FRAUD_TIME_EXCEL] = "days of a spreadsheet since 1899-12-30, such as 45987.53",
        [FRAUD_TIME_PATTERN] = "a time of the form"};
    char found[FOUND_BYTES], clock[FOUND_BYTES], beside[224] = "", and[FOUND_BYTES + 8] = "";
    bool pattern = style->form == FRAUD_TIME_PATTERN;
    if (fraud_map_splits_time(r->map)) {
        snprintf(beside, sizeof beside, " together with %s", read_name(r, FRAUD_F_TS_TIME));
        snprintf(and, sizeof and, " and %s", read_found(read_value(r, FRAUD_F_TS_TIME), clock));
    }
    REFUSE(r, "%s: expected %s%s%s%s, found %s%s", read_name(r, FRAUD_F_TS), forms[style->form],
           pattern ? " " : "", pattern ? style->pattern : "", beside, read_found(v, found), and);
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
    const fraud_time_style style = fraud_map_time(r->map);
    char text[FRAUD_TIME_TEXT_BYTES];
    int64_t ms;
    bool zone;
    if (json_is_integer(v) && style.form == FRAUD_TIME_MS) {
        read_ms(r, json_integer_value(v));
        return;
    }
    bool good = fraud_map_splits_time(r->map)
                    ? fraud_time_join(v, read_value(r, FRAUD_F_TS_TIME), &style, text)
                    : fraud_time_text(v, text);
    if (!good || !fraud_time_read(&style, text, &ms, &zone)) {
        refuse_ts(r, v, &style);
        return;
    }
    if (!zone) read_local(r, &style, &ms);
    read_ms(r, ms);
}

/* ---- debit or credit ---- */

static void read_booking(reading *r)
{
    fraud_booking booking = fraud_map_booking(r->map, r->o);
    r->swaps = booking == FRAUD_BOOKING_CREDIT;
    if (booking == FRAUD_BOOKING_UNKNOWN)
        read_refuse(r, FRAUD_F_BOOKING, read_value(r, FRAUD_F_BOOKING));
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
static fraud_decimal money_of(const reading *r, const json_t *v, int digits, int64_t *out)
{
    char buf[32], plain[FRAUD_NUMBER_BYTES];
    if (!digits && json_is_integer(v)) return *out = json_integer_value(v), FRAUD_DECIMAL_GOOD;
    const char *text = fraud_json_number(v, buf);
    *out = 0;
    if (!text && json_is_string(v))
        text = fraud_number_plain(fraud_map_numbers(r->map), json_string_value(v), plain);
    return text ? fraud_decimal_read(text, digits, out) : FRAUD_DECIMAL_NONE;
}

/* A comma's meaning is not guessed: 1,250 is a thousand here and one there. */
static void money_refuse(reading *r, fraud_field f, const json_t *v, fraud_decimal st)
{
    const fraud_number_form *form = fraud_map_numbers(r->map);
    char found[FOUND_BYTES];
    const char *text = json_string_value(v);
    if (st == FRAUD_DECIMAL_NONE && text && form != fraud_number_forms)
        REFUSE(r, "%s: expected a number written as %s, found %s", read_name(r, f), form->example,
               read_found(v, found));
    else if (st == FRAUD_DECIMAL_NONE && text && strpbrk(text, ",' \xc2\xe2"))
        REFUSE(r,
               "%s: expected a point and no commas, as 1250.50, or the row amounts in a mapping "
               "file, found %s",
               read_name(r, f), read_found(v, found));
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

/* Those of credits are above 0 where those of debits are below it. */
static int amount_sign(const reading *r) { return r->swaps ? 1 : fraud_map_sign(r->map); }

static void amount_check(reading *r, fraud_field f)
{
    fraud_payment *p = r->p;
    int sign = amount_sign(r);
    const char *side = sign > 0 ? "more" : "less";
    if (p->amount_minor < 0)
        REFUSE(r, "%s: expected %s than 0, found %lld %s in minor units: a refund or a reversal",
               read_name(r, f), side, (long long)p->amount_minor * sign, p->currency);
    else if (p->amount_minor == 0)
        REFUSE(r, "%s: expected %s than 0, found 0", read_name(r, f), side);
    else if (p->amount_minor > amount_max(p))
        REFUSE(r, "%s: expected at most %lld %s in minor units, found %lld", read_name(r, f),
               (long long)amount_max(p), p->currency, (long long)p->amount_minor);
}

/* Above 0 for a payment, whichever sign those of the sender have. */
static int64_t amount_signed(const reading *r, int64_t amount)
{
    if (amount_sign(r) > 0) return amount;
    return amount == INT64_MIN ? INT64_MAX : -amount;
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
    fraud_decimal st = minor ? money_of(r, minor, 0, &p->amount_minor)
                             : money_of(r, major, p->minor_digits, &p->amount_minor);
    if (st != FRAUD_DECIMAL_GOOD) {
        money_refuse(r, f, minor ? minor : major, st);
        return;
    }
    p->amount_minor = amount_signed(r, p->amount_minor);
    amount_check(r, f);
    if (!minor || !major || !*p->currency) return;
    if (money_of(r, major, p->minor_digits, &other) != FRAUD_DECIMAL_GOOD)
        read_leave_out(r, FRAUD_F_AMOUNT, major);
    else if (amount_signed(r, other) != p->amount_minor)
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
    if (money_of(r, v, f == minor ? 0 : r->p->minor_digits, &x) != FRAUD_DECIMAL_GOOD ||
        x > FRAUD_AMOUNT_MAX || x < -FRAUD_AMOUNT_MAX || !*r->p->currency) {
        read_leave_out(r, f, v);
        return;
    }
    *out = x;
    r->p->has |= has;
}

/* ---- place ---- */

static bool degrees_of(const reading *r, const json_t *v, double limit, float *out)
{
    char buf[32], *end = buf, plain[FRAUD_NUMBER_BYTES];
    double x = json_real_value(v);
    *buf = 0;
    if (!json_is_real(v)) {
        const char *text = fraud_json_number(v, buf);
        if (!text && json_is_string(v))
            text = fraud_number_plain(fraud_map_numbers(r->map), json_string_value(v), plain);
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
    if (degrees_of(r, lat, 90, &x) && degrees_of(r, lon, 180, &y)) {
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

/* A list of payments in one message: one of them would be decided, the others would not. */
static void read_places(reading *r)
{
    for (int f = 0; r->map && f < FRAUD_N_F; f++) {
        bool needed = fraud_fields[f].required || f == FRAUD_F_AMOUNT;
        size_t n = needed ? fraud_map_places(r->map, r->o, (fraud_field)f) : 1;
        if (n > 1)
            REFUSE(r, "%s: expected one place in its list, found %zu: send each payment by itself",
                   read_name(r, (fraud_field)f), n);
    }
}

static fraud_reading read_object(reading *r, const fraud_json *json, size_t len)
{
    if (!json_is_object(json->root)) {
        REFUSE(r, "message: expected a JSON object, found %s", fraud_json_type(json->root));
        return FRAUD_READ_NOTHING;
    }
    if (fraud_map_leaves_out(r->map, r->o, r->why)) return FRAUD_READ_LEFT_OUT;
    read_id(r, FRAUD_F_TX_ID, r->p->tx_id, sizeof r->p->tx_id);
    if (r->bad) return FRAUD_READ_NOTHING;
    read_form(r, json, len);
    read_booking(r);
    read_places(r);
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

bool fraud_payment_key(const fraud_map *map, const char *text, size_t len,
                       char key[FRAUD_ACCOUNT_BYTES], r1_err *why)
{
    fraud_json json;
    *key = 0;
    if (fraud_json_read(text, len, &json, NULL) != R1_OK) return true;
    static const fraud_field fields[] = {FRAUD_F_FROM, FRAUD_F_TX_ID};
    const reading r = {.map = map,
                       .o = json.root,
                       .swaps = fraud_map_booking(map, json.root) == FRAUD_BOOKING_CREDIT};
    bool counts = !fraud_map_leaves_out(map, json.root, why);
    for (size_t i = 0; i < R1_COUNT(fields) && !*key && json_is_object(json.root); i++)
        (void)read_as_id(read_value(&r, fields[i]), key, FRAUD_ACCOUNT_BYTES);
    json_decref(json.root);
    return counts;
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
