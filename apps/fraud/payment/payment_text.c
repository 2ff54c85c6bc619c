/* SPDX-License-Identifier: GPL-3.0-or-later */
/* payment_text.c - see payment_text.h; the normal forms and the clusters are utf8proc's. */
#include "payment/payment_text.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

static bool text_is_ascii(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] & 0x80) return false;
    return true;
}

/* The normal form in malloc'ed memory; text is UTF-8. */
static char *text_normal(const char *text, size_t len, utf8proc_option_t form, size_t *out_len)
{
    utf8proc_uint8_t *out = NULL;
    utf8proc_ssize_t n = utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)len, &out,
                                      UTF8PROC_STABLE | UTF8PROC_COMPOSE | form);
    if (n < 0) return NULL;
    *out_len = (size_t)n;
    return (char *)out;
}

static void text_trim(const char **s, size_t *len)
{
    while (*len && strchr(" \t\r\n", **s)) ++*s, --*len;
    while (*len && strchr(" \t\r\n", (*s)[*len - 1])) --*len;
}

bool fraud_text_id(const char *text, size_t text_len, char *out, size_t size, size_t *len)
{
    text_trim(&text, &text_len);
    char *normal = NULL;
    *len = text_len;
    if (!text_is_ascii(text, text_len)) {
        normal = text_normal(text, text_len, 0, len);
        if (!normal) return false;
        text = normal;
    }
    size_t n = *len < size ? *len : 0;
    memcpy(out, text, n);
    out[n] = 0;
    free(normal);
    return true;
}

/* The longest start of at most max bytes that ends between two clusters. One cluster may be longer,
 * by any number of combining characters: it is then cut between two characters. */
static size_t text_border(const char *s, size_t len, size_t max)
{
    size_t cluster = 0, character = 0;
    utf8proc_int32_t before = -1, state = 0;
    for (size_t at = 0; at < len && at <= max;) {
        utf8proc_int32_t code;
        utf8proc_ssize_t n =
            utf8proc_iterate((const utf8proc_uint8_t *)s + at, (utf8proc_ssize_t)(len - at), &code);
        if (n <= 0) break;
        if (before < 0 || utf8proc_grapheme_break_stateful(before, code, &state)) cluster = at;
        character = at;
        before = code;
        at += (size_t)n;
    }
    return cluster ? cluster : character;
}

bool fraud_text_free(const char *text, size_t text_len, char *out, size_t size, bool *cut)
{
    char *normal = NULL;
    size_t len = text_len;
    if (!text_is_ascii(text, text_len)) {
        normal = text_normal(text, text_len, UTF8PROC_COMPAT, &len);
        if (!normal) return false;
        text = normal;
    }
    *cut = len >= size;
    if (*cut) len = text_border(text, len, size - 1);
    for (size_t i = 0; i < len; i++) out[i] = text[i] ? text[i] : ' ';
    out[len] = 0;
    free(normal);
    return true;
}
