/* SPDX-License-Identifier: GPL-3.0-or-later */
/* message_json.h - the bytes of a message to JSON, mended where other systems are careless.
 *
 * A number that neither 64 bits nor a double give back as it was written stays a text, which
 * fraud_json_number gives. What is mended: a byte order mark, bytes that are no UTF-8, control
 * characters in texts, half of a surrogate pair, NaN and Infinity in the place of numbers.
 *
 * Owns:    *out is the caller's, json_decref ends it.
 * Threads: pure functions.
 * Errors:  R1_E_FORMAT: no JSON, with the byte and the reason.
 * Bounds:  FRAUD_MESSAGE_BYTES_MAX, and jansson's nesting of 2,048. */
#ifndef FRAUD_MESSAGE_JSON_H
#define FRAUD_MESSAGE_JSON_H

#include "r1_base.h"

#include <jansson.h>

enum { FRAUD_MESSAGE_BYTES_MAX = 1 << 20 };

typedef struct {
    json_t *root;
    int depth;    /* of nesting */
    int mended;   /* places that were mended */
    bool twice;   /* a key stands twice in an object; the last one is in root */
    char key[64]; /* what jansson says of it */
} fraud_json;

r1_status fraud_json_read(const char *text, size_t len, fraud_json *out, r1_err *err);

/* The message as well-formed text without NUL, for a database: mended as fraud_json_read does it,
 * in malloc'ed memory with a NUL behind it. NULL: no memory. Numbers stay as they are. */
char *fraud_json_mend(const char *text, size_t len, size_t *out_len);

/* A number as it was written; NULL where v is none. buf holds integers. */
const char *fraud_json_number(const json_t *v, char buf[32]);

/* "a string", "a number"... */
const char *fraud_json_type(const json_t *v);

#endif
