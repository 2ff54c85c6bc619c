/* SPDX-License-Identifier: Apache-2.0 */
/* med_quantity.h - the text of a unit as quantities see it, and numbers in it.
 *
 * Signs of one meaning become one character: dashes, blanks, comparators, the small u for micro, x
 * for times, digits behind ^ for raised ones. The borders of cells become |. Each character knows
 * its byte of the record.
 *
 * Threads: one per call. */
#ifndef MED_QUANTITY_H
#define MED_QUANTITY_H

#include "notes/med_record.h"

enum {
    MED_PLAIN_BYTES = 3 * MED_SENTENCE_BYTES,
    MED_PLAIN_UP = 1,    /* an arrow upwards */
    MED_PLAIN_DOWN = 2,  /* an arrow downwards */
    MED_PLAIN_OTHER = 3, /* a letter or sign beyond ASCII that has no place here */
    MED_NUMBER_DIGITS = 15
};

typedef struct {
    char c[MED_PLAIN_BYTES + 1];      /* in lower case, NUL at the end */
    char raw[MED_PLAIN_BYTES + 1];    /* as it stands */
    uint32_t at[MED_PLAIN_BYTES + 1]; /* its byte of the record; of the NUL: the end */
    uint32_t n;
} med_plain;

/* Empties p. */
void med_plain_clear(med_plain *p);
/* Adds text[start, end), as far as there is room. */
void med_plain_add(med_plain *p, const char *text, uint32_t start, uint32_t end,
                   med_token_rules rules);
/* Adds the border of a cell that stands at that byte. */
void med_plain_border(med_plain *p, uint32_t at);
/* Adds the k-th cell of another text; false: it has none. p and from differ. */
bool med_plain_cell(med_plain *p, const med_plain *from, uint32_t k);

typedef struct {
    double value;
    double other; /* its other reading: 5.400 is 5.4 or 5400; NaN: none */
    uint32_t len; /* characters */
} med_number;

/* The number at s: 5400, 5,400, 5 400, 5'400, 5.4, 5,4, .4. separator: of CSV, which divides no
 * number. False: there is none, or it is a date, a version or a time. */
bool med_number_at(const char *s, char separator, med_number *out);

#endif
