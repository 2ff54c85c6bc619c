/* SPDX-License-Identifier: Apache-2.0 */
/* med_put.h - strings of outside sources into a medium: the one place where they are escaped.
 *
 * A string out of an ontology, an annotation file, a record, a model or a file name may hold any
 * bytes. What all media do with them:
 *
 *   bytes that are not UTF-8         U+FFFD, one for each byte
 *   control characters               their number in brackets, as [U+001B]
 *   bidirectional overrides, tags,
 *   line and paragraph separators    the same
 *   line breaks                      a blank, since every field is of one line
 *   more than MED_STRING_MAX bytes   the rest is left out, and its length is told
 *
 * HTML turns < > & " into references as well. Outside strings stand in text alone, never in an
 * attribute, a style, a script or an address. MED_TABLE turns tabs into blanks.
 *
 * Threads: any. Errors: those of the stream. */
#ifndef MED_PUT_H
#define MED_PUT_H

#include "r1_base.h"

#include <jansson.h>
#include <stdio.h>

enum { MED_STRING_MAX = 2000, MED_SPAN_MAX = 8192 };

typedef enum { MED_TEXT_LINE, MED_TABLE, MED_HTML } med_medium;

/* fprintf whose template is ours and whose strings are not: %s and %.*s are escaped, the template
 * is written as it is. Conversions: %s %.*s %d %u %zu %f with flags, %%. A %s is bounded by
 * MED_STRING_MAX, a %.*s (which may hold NUL bytes) by MED_SPAN_MAX. */
void med_put(FILE *f, med_medium m, const char *template, ...) R1_PRINTF(3, 4);

/* The bytes as a JSON string: what is not UTF-8 is replaced, what is too long is left out and
 * told. jansson escapes the rest. NULL: no memory. */
json_t *med_json_span(const char *s, size_t len);
json_t *med_json_string(const char *s); /* NULL is the empty string */

#endif
