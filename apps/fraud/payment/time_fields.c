/* SPDX-License-Identifier: GPL-3.0-or-later */
/* time_fields.c - see time_fields.h. */
#include "payment/time_fields.h"

#include "payment/message_json.h"

#include <stdio.h>
#include <string.h>

enum { PIECE_BYTES = 64 };

/* width: digits to which a whole number is filled up. */
static bool time_piece(const json_t *v, int width, char out[PIECE_BYTES])
{
    char buf[32];
    const char *text = fraud_json_number(v, buf);
    if (json_is_integer(v)) {
        snprintf(out, PIECE_BYTES, "%0*lld", width, (long long)json_integer_value(v));
        return true;
    }
    if (!text) text = json_string_value(v);
    if (!text) return false;
    text += strspn(text, " ");
    size_t len = strlen(text);
    while (len && text[len - 1] == ' ') len--;
    if (!len || len >= PIECE_BYTES) return false;
    memcpy(out, text, len);
    out[len] = 0;
    return true;
}

bool fraud_time_text(const json_t *v, char out[FRAUD_TIME_TEXT_BYTES])
{
    return time_piece(v, 0, out);
}

/* Digits of a time of day without marks, in a pattern; else 0. */
static int clock_width(const fraud_time_style *style)
{
    if (style->form != FRAUD_TIME_PATTERN) return 0;
    return strstr(style->pattern, "%H%M%S") ? 6 : strstr(style->pattern, "%H%M") ? 4 : 0;
}

bool fraud_time_join(const json_t *date, const json_t *clock, const fraud_time_style *style,
                     char out[FRAUD_TIME_TEXT_BYTES])
{
    char day[PIECE_BYTES], time[PIECE_BYTES];
    if (!time_piece(date, 0, day) || !time_piece(clock, clock_width(style), time)) return false;
    bool midnight = style->form == FRAUD_TIME_ISO && strlen(day) > 11 &&
                    (day[10] == 'T' || day[10] == ' ') && !day[11 + strspn(day + 11, "0:.")];
    snprintf(out, FRAUD_TIME_TEXT_BYTES, "%.*s %s", midnight ? 10 : (int)strlen(day), day, time);
    return true;
}
