/* SPDX-License-Identifier: GPL-3.0-or-later */
/* notes.c - see notes.h. */
#include "payment/notes.h"

#include "text/r1_utf8.h"

#include <stdio.h>
#include <string.h>

#define MORE "\"there is more to say than fits here\""

/* Writes text between quotes as JSON. out holds six bytes for each byte of text, the quotes and a
 * NUL. */
static size_t note_quote(char *out, const char *text)
{
    size_t n = 0;
    out[n++] = '"';
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\') out[n++] = '\\';
        if (*c >= 0x20)
            out[n++] = (char)*c;
        else
            n += (size_t)snprintf(out + n, 7, "\\u%04x", *c);
    }
    out[n++] = '"';
    return n;
}

void fraud_note(char *notes, const char *fmt, ...)
{
    char raw[200], text[200], quoted[6 * sizeof text + 3];
    if (!notes) return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(raw, sizeof raw, fmt, args);
    va_end(args);
    r1_utf8_clean(text, sizeof text, raw);
    size_t len = strlen(notes), n = note_quote(quoted, text);
    size_t at = len ? len - 1 : 0; /* the closing bracket goes */
    if (strstr(notes, MORE)) return;
    if (at + n + sizeof MORE + 4 > FRAUD_NOTES_BYTES) {
        n = sizeof MORE - 1;
        memcpy(quoted, MORE, n);
    }
    notes[at++] = len ? ',' : '[';
    memcpy(notes + at, quoted, n);
    memcpy(notes + at + n, "]", 2);
}
