/* SPDX-License-Identifier: Apache-2.0 */
/* json.h - JSON (RFC 8259) for model descriptions: jansson reads, nodes lie in an arena.
 *
 * A text has at most R1_JSON_BYTES_MAX bytes and is nested at most R1_JSON_DEPTH_MAX deep. Names
 * that come twice in an object, NUL in a string and text after the value are refused. Every
 * number is read as a double. Errors name the byte. Threads: any; the functions keep nothing. */
#ifndef R1_JSON_H
#define R1_JSON_H

#include "r1_base.h"

enum { R1_JSON_DEPTH_MAX = 16, R1_JSON_BYTES_MAX = 1 << 20 };

typedef enum {
    R1_JSON_NULL,
    R1_JSON_BOOL,
    R1_JSON_NUMBER,
    R1_JSON_STRING,
    R1_JSON_ARRAY,
    R1_JSON_OBJECT
} r1_json_type;

typedef struct r1_json {
    r1_json_type type;
    const char *name; /* in an object, else NULL */
    const char *str;  /* STRING */
    double num;       /* NUMBER, BOOL (0 or 1) */
    uint32_t count;   /* children */
    bool seen;        /* set by r1_json_member: what is never asked for can be reported */
    struct r1_json *child, *next;
} r1_json;

/* Nodes, names and strings are the arena's. */
r1_status r1_json_parse(r1_arena *arena, const char *text, size_t len, r1_json **root, r1_err *err);
r1_json *r1_json_member(const r1_json *object, const char *name); /* NULL when absent */
/* Name of a member that was never asked for, anywhere below; NULL: none. */
const char *r1_json_unseen(const r1_json *node);

#endif
