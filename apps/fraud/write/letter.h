/* SPDX-License-Identifier: GPL-3.0-or-later */
/* letter.h - headers of a message as text for the column `headers` of r1.dead_letter, and back.
 *
 *     [["sent_us", "1700000000123456"], ["bin", {"hex": "00ff"}], ["none", null]]
 *
 * A name or value stands as text where it is UTF-8 without NUL, else in hexadecimal. Order and
 * repetition are kept.
 *
 * Owns:    texts and headers are the caller's to free.
 * Threads: pure.
 * Errors:  NULL where memory is short; R1_E_FORMAT for a text of another form. */
#ifndef FRAUD_LETTER_H
#define FRAUD_LETTER_H

#include "stream/stream.h"

/* NULL too where the message has no header: *none tells. At most R1_HEADERS_MAX are kept, and the
 * last one then says how many there were: ["r1.cut", "COUNT"]. */
char *fraud_headers_text(const r1_message *m, bool *none);

typedef struct {
    r1_header header[R1_HEADERS_MAX];
    size_t n;
    char *bytes; /* of names and values */
} fraud_headers;
/* text NULL: none. */
r1_status fraud_headers_parse(const char *text, fraud_headers *out, r1_err *err);
void fraud_headers_free(fraud_headers *h);

/* Bytes of "00ff..."; *out must hold half as many. False where it is no such text. */
bool fraud_hex_bytes(const char *hex, char *out, size_t *len);

#endif
