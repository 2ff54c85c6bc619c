/* SPDX-License-Identifier: Apache-2.0 */
/* med_chars.h - what a character of a record is to a reader: a part of a word, a blank of any
 * width, a mark, or nothing. Soft hyphens and signs without width are nothing. Signs of one
 * meaning are one mark.
 *
 * Threads: any. Units: bytes of the text, which is UTF-8. */
#ifndef MED_CHARS_H
#define MED_CHARS_H

#include <stdbool.h>
#include <stdint.h>

/* Marks are their own character; these have none. */
enum { MED_MARK_WORD = 0, MED_MARK_QUERY = 1, MED_MARK_ON = 2, MED_MARK_OFF = 3 };

typedef enum {
    MED_CHAR_OTHER,
    MED_CHAR_WORD,
    MED_CHAR_BLANK,
    MED_CHAR_NOTHING,
    MED_CHAR_MARK
} med_char_kind;
typedef struct {
    uint8_t len; /* bytes, at least 1 */
    uint8_t kind;
    char mark; /* of MED_CHAR_MARK */
} med_char;
/* at < end. */
med_char med_char_at(const char *text, uint32_t at, uint32_t end);
/* The blanks at text[at], of any kind but ends of lines. */
typedef struct {
    uint32_t len, wide; /* bytes, 0 for none; characters */
    bool tab;
} med_gap;
med_gap med_gap_at(const char *text, uint32_t at, uint32_t end);

#endif
