/* SPDX-License-Identifier: GPL-3.0-or-later */
/* letter.c - see letter.h. */
#include "write/letter.h"
#include "text/r1_utf8.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- to text ---- */

static json_t *letter_bytes(const char *bytes, size_t len)
{
    static const char digit[] = "0123456789abcdef";
    if (!bytes) return json_null();
    if (!memchr(bytes, 0, len) && r1_utf8_valid(bytes, len)) return json_stringn(bytes, len);
    char *hex = malloc(2 * len + 1);
    if (!hex) return NULL;
    for (size_t i = 0; i < len; i++) {
        hex[2 * i] = digit[(unsigned char)bytes[i] >> 4];
        hex[2 * i + 1] = digit[(unsigned char)bytes[i] & 15];
    }
    json_t *o = json_pack("{s:s%}", "hex", hex, 2 * len);
    free(hex);
    return o;
}

char *fraud_headers_text(const r1_message *m, bool *none)
{
    json_t *all = json_array();
    r1_header h;
    size_t n = 0;
    for (; r1_message_header(m, n, &h); n++) {
        if (n >= R1_HEADERS_MAX - 1) continue;
        json_t *pair = json_array();
        json_array_append_new(pair, letter_bytes(h.name, strlen(h.name)));
        json_array_append_new(pair, letter_bytes(h.value, h.len));
        json_array_append_new(all, pair);
    }
    if (n >= R1_HEADERS_MAX) {
        char count[24];
        snprintf(count, sizeof count, "%zu", n);
        json_array_append_new(all, json_pack("[s, s]", "r1.cut", count));
    }
    *none = n == 0;
    char *text = n && all ? json_dumps(all, JSON_COMPACT) : NULL;
    json_decref(all);
    return text;
}

/* ---- and back ---- */

static int letter_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

bool fraud_hex_bytes(const char *hex, char *out, size_t *len)
{
    for (*len = 0; *hex; hex += 2, ++*len) {
        int high = letter_digit(hex[0]), low = high < 0 ? -1 : letter_digit(hex[1]);
        if (low < 0) return false;
        out[*len] = (char)(high << 4 | low);
    }
    return true;
}

/* Puts the bytes of a name or value at *at, a NUL behind them, and moves *at past it. */
static bool letter_take(const json_t *v, char **at, const char **out, size_t *len)
{
    const char *hex = json_string_value(json_object_get(v, "hex"));
    *out = NULL;
    *len = 0;
    if (json_is_null(v)) return true;
    if (!json_is_string(v) && !hex) return false;
    if (hex && !fraud_hex_bytes(hex, *at, len)) return false;
    if (!hex) memcpy(*at, json_string_value(v), *len = json_string_length(v));
    *out = *at;
    (*at)[*len] = 0;
    *at += *len + 1;
    return true;
}

r1_status fraud_headers_parse(const char *text, fraud_headers *out, r1_err *err)
{
    memset(out, 0, sizeof *out);
    if (!text) return R1_OK;
    json_t *all = json_loads(text, 0, NULL);
    out->bytes = malloc(strlen(text) + 1); /* the bytes are fewer than their text */
    bool good = json_is_array(all) && out->bytes && json_array_size(all) <= R1_HEADERS_MAX;
    char *at = out->bytes;
    for (; good && out->n < json_array_size(all); out->n++) {
        const json_t *pair = json_array_get(all, out->n);
        r1_header *h = &out->header[out->n];
        size_t name_len;
        good = json_array_size(pair) == 2 &&
               letter_take(json_array_get(pair, 0), &at, &h->name, &name_len) && h->name &&
               letter_take(json_array_get(pair, 1), &at, &h->value, &h->len);
    }
    json_decref(all);
    if (good) return R1_OK;
    fraud_headers_free(out);
    R1_FAIL(err, R1_E_FORMAT,
            "headers of a dead letter: expected [[name, value], ...], found "
            "another text");
}

void fraud_headers_free(fraud_headers *h)
{
    free(h->bytes);
    memset(h, 0, sizeof *h);
}
