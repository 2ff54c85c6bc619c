/* SPDX-License-Identifier: GPL-3.0-or-later */
/* message_json.c - one pass looks for what jansson cannot read or would read inexactly. Only where
 * it finds something, a second pass writes a mended copy. In it, such a number is a text that
 * begins with MARK. */
#include "payment/message_json.h"

#include "r1_assert.h"
#include "text/r1_utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK     "\x7f#"        /* what a number begins with that became a text */
#define REPLACED "\xef\xbf\xbd" /* U+FFFD */

enum {
    PLAIN_DIGITS = 18, /* of an integer that 64 bits hold for certain */
    REAL_DIGITS = 15,  /* that a double gives back */
    GROWTH = 6         /* of a mended text */
};

/* What a first look finds. */
typedef struct {
    int depth, deepest;
    bool inside; /* a string */
    bool marks;  /* there are numbers to mark */
} look;

static bool number_goes_on(char c)
{
    return (c >= '0' && c <= '9') || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-';
}

static size_t number_length(const char *s, size_t len)
{
    size_t n = 0;
    while (n < len && number_goes_on(s[n])) n++;
    return n;
}

/* By the grammar of JSON; another one is left to jansson to refuse. */
static bool number_is_json(const char *s, size_t len)
{
    size_t i = s[0] == '-', digits = i;
    while (i < len && s[i] >= '0' && s[i] <= '9') i++;
    if (i == digits || (s[digits] == '0' && i > digits + 1)) return false;
    if (i < len && s[i] == '.') {
        for (digits = ++i; i < len && s[i] >= '0' && s[i] <= '9';) i++;
        if (i == digits) return false;
    }
    if (i < len && (s[i] == 'e' || s[i] == 'E')) {
        i++;
        if (i < len && (s[i] == '+' || s[i] == '-')) i++;
        for (digits = i; i < len && s[i] >= '0' && s[i] <= '9';) i++;
        if (i == digits) return false;
    }
    return i == len;
}

/* An integer that 64 bits hold for certain, or a decimal number of at most 15 digits, which a
 * double gives back as it was written. */
static bool number_is_plain(const char *s, size_t len)
{
    bool point = false;
    for (size_t i = 0; i < len; i++) {
        if (s[i] == 'e' || s[i] == 'E') return false;
        point = point || s[i] == '.';
    }
    return len <= (point ? REAL_DIGITS + 1 : PLAIN_DIGITS);
}

static void look_through(const char *s, size_t len, look *l)
{
    memset(l, 0, sizeof *l);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (l->inside) {
            if (c == '\\')
                i++;
            else if (c == '"')
                l->inside = false;
        } else if (c == '"') {
            l->inside = true;
        } else if (c == '{' || c == '[') {
            if (++l->depth > l->deepest) l->deepest = l->depth;
        } else if (c == '}' || c == ']') {
            l->depth--;
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            size_t n = number_length(s + i, len - i);
            l->marks = l->marks || !number_is_plain(s + i, n);
            i += n - 1;
        }
    }
}

/* ---- the mended copy ---- */

typedef struct {
    const char *s;
    size_t len, at;
    char *out;
    size_t n;
    int mended;
    bool marks; /* numbers are marked */
} mender;

static void mend_put(mender *m, const char *text, size_t n)
{
    memcpy(m->out + m->n, text, n);
    m->n += n;
}

/* The number of \uXXXX at p, or -1. */
static int escape_code(const char *p, size_t left)
{
    int code = 0;
    if (left < 6 || p[0] != '\\' || p[1] != 'u') return -1;
    for (int i = 2; i < 6; i++) {
        const char *hex = "0123456789abcdef", *at = p[i] ? strchr(hex, p[i] | 0x20) : NULL;
        if (!at || (p[i] < 'A' && p[i] > '9')) return -1;
        code = code * 16 + (int)(at - hex);
    }
    return code;
}

static void mend_escape(mender *m)
{
    const char *p = m->s + m->at;
    size_t left = m->len - m->at;
    int code = escape_code(p, left);
    bool first = code >= 0xd800 && code < 0xdc00, second = code >= 0xdc00 && code < 0xe000;
    int next = first ? escape_code(p + 6, left - 6) : -1;
    size_t n = code >= 0 ? 6 : left < 2 ? left : 2;
    if (second || (first && !(next >= 0xdc00 && next < 0xe000))) {
        mend_put(m, REPLACED, sizeof REPLACED - 1);
        m->mended++;
    } else {
        mend_put(m, p, first ? n = 12 : n);
    }
    m->at += n;
}

static void mend_string(mender *m)
{
    mend_put(m, "\"", 1);
    for (m->at++; m->at < m->len;) {
        const char *p = m->s + m->at;
        size_t n = r1_utf8_char(p, m->len - m->at);
        if (*p == '\\') {
            mend_escape(m);
            continue;
        }
        if (!n)
            mend_put(m, REPLACED, sizeof REPLACED - 1);
        else if ((unsigned char)*p < 0x20)
            mend_put(m, " ", 1);
        else
            mend_put(m, p, n);
        m->mended += !n || (unsigned char)*p < 0x20;
        m->at += n ? n : 1;
        if (*p == '"') return;
    }
}

static void mend_number(mender *m)
{
    const char *p = m->s + m->at;
    size_t n = number_length(p, m->len - m->at);
    bool marked = m->marks && !number_is_plain(p, n) && number_is_json(p, n);
    if (marked) mend_put(m, "\"" MARK, sizeof MARK);
    mend_put(m, p, n);
    if (marked) mend_put(m, "\"", 1);
    m->at += n;
}

/* Python's json and others write what JSON lacks. */
static bool mend_word(mender *m)
{
    static const char *const words[] = {"NaN", "Infinity", "-Infinity"};
    for (size_t i = 0; i < R1_COUNT(words); i++) {
        size_t n = strlen(words[i]);
        if (m->len - m->at < n || memcmp(m->s + m->at, words[i], n) != 0) continue;
        mend_put(m, "null", 4);
        m->at += n;
        m->mended++;
        return true;
    }
    return false;
}

static void mend_all(mender *m)
{
    if (m->len >= 3 && !memcmp(m->s, "\xef\xbb\xbf", 3)) m->at = 3, m->mended++;
    while (m->at < m->len) {
        char c = m->s[m->at];
        if (c == '"') {
            mend_string(m);
        } else if (mend_word(m)) {
            continue;
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            mend_number(m);
        } else {
            bool good = c && !((unsigned char)c & 0x80);
            mend_put(m, good ? &c : REPLACED, good ? 1 : sizeof REPLACED - 1);
            m->at++;
        }
    }
    R1_ASSERT(m->n <= m->len * GROWTH, "%zu bytes of %zu", m->n, m->len);
}

static r1_status mend_text(const char *text, size_t len, bool marks, mender *m, r1_err *err)
{
    *m = (mender){.s = text, .len = len, .marks = marks, .out = malloc(len * GROWTH + 1)};
    if (!m->out) R1_FAIL(err, R1_E_NOMEM, "no memory for a message of %zu bytes", len);
    mend_all(m);
    m->out[m->n] = 0;
    return R1_OK;
}

char *fraud_json_mend(const char *text, size_t len, size_t *out_len)
{
    mender m;
    if (mend_text(text, len, false, &m, NULL) != R1_OK) return NULL;
    *out_len = m.n;
    return m.out;
}

/* ---- reading ---- */

static json_t *json_load(const char *text, size_t len, fraud_json *out, json_error_t *why)
{
    json_t *o = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, why);
    if (o || json_error_code(why) != json_error_duplicate_key) return o;
    out->twice = true;
    snprintf(out->key, sizeof out->key, "%.63s", why->text);
    return json_loadb(text, len, JSON_ALLOW_NUL, why);
}

r1_status fraud_json_read(const char *text, size_t len, fraud_json *out, r1_err *err)
{
    json_error_t why;
    look l;
    memset(out, 0, sizeof *out);
    if (len > FRAUD_MESSAGE_BYTES_MAX)
        R1_FAIL(err, R1_E_FORMAT, "message: expected at most %d bytes, found %zu",
                FRAUD_MESSAGE_BYTES_MAX, len);
    look_through(text, len, &l);
    out->depth = l.deepest;
    bool whole = len && !memchr(text, 0, len); /* jansson would pass over a NUL */
    if (!l.marks && whole) out->root = json_load(text, len, out, &why);
    if (out->root) return R1_OK;
    mender m;
    R1_TRY(mend_text(text, len, l.marks, &m, err));
    out->root = json_load(m.out, m.n, out, &why);
    out->mended = m.mended;
    free(m.out);
    if (!out->root)
        R1_FAIL(err, R1_E_FORMAT,
                "message: expected one JSON object, found an error at byte %d: %s", why.position,
                why.text);
    return R1_OK;
}

const char *fraud_json_number(const json_t *v, char buf[32])
{
    if (json_is_integer(v)) {
        snprintf(buf, 32, "%lld", (long long)json_integer_value(v));
        return buf;
    }
    if (json_is_real(v)) { /* of at most REAL_DIGITS digits, else it were a text */
        snprintf(buf, 32, "%.*g", REAL_DIGITS, json_real_value(v));
        return buf;
    }
    const char *text = json_string_value(v);
    return text && !strncmp(text, MARK, sizeof MARK - 1) ? text + sizeof MARK - 1 : NULL;
}

const char *fraud_json_type(const json_t *v)
{
    static const char *const names[] = {"an object",     "an array", "a string", "an integer",
                                        "a real number", "true",     "false",    "null"};
    char buf[32];
    if (!v) return "nothing";
    if (json_is_string(v) && fraud_json_number(v, buf)) return "a real number";
    return names[json_typeof(v)];
}
