/* SPDX-License-Identifier: Apache-2.0 */
/* med_identifiers.h - the patterns of data/identifiers.tsv, and what of a text they match.
 *
 * Owns:    the compiled patterns.
 * Threads: read-only after med_identifiers_new.
 * Units:   bytes of the text.
 * Limits:  a pattern that needs more than PCRE2's bounds of work somewhere ends the search, so that
 *          no text counts as searched that was not. */
#ifndef MED_IDENTIFIERS_H
#define MED_IDENTIFIERS_H

#include "r1_base.h"

/* The kinds of HIPAA's Safe Harbor that a text can hold, 45 CFR 164.514(b)(2)(i), and two rules. */
typedef enum {
    MED_IDENTIFIER_NAME,
    MED_IDENTIFIER_PLACE,
    MED_IDENTIFIER_DATE,
    MED_IDENTIFIER_AGE, /* over 89 */
    MED_IDENTIFIER_PHONE,
    MED_IDENTIFIER_FAX,
    MED_IDENTIFIER_EMAIL,
    MED_IDENTIFIER_SSN,
    MED_IDENTIFIER_MRN,
    MED_IDENTIFIER_PLAN,
    MED_IDENTIFIER_ACCOUNT,
    MED_IDENTIFIER_LICENCE,
    MED_IDENTIFIER_VEHICLE,
    MED_IDENTIFIER_DEVICE,
    MED_IDENTIFIER_URL,
    MED_IDENTIFIER_IP,
    MED_IDENTIFIER_BIOMETRIC,
    MED_IDENTIFIER_ID, /* any other number or code */
    MED_IDENTIFIER_COUNT,
    MED_IDENTIFIER_KEEP = MED_IDENTIFIER_COUNT, /* what a weaker rule must not take */
    MED_IDENTIFIER_WEAK,
    MED_IDENTIFIER_ROWS
} med_identifier_kind;
extern const char *const med_identifier_name[MED_IDENTIFIER_ROWS];

/* A row's flags. */
enum {
    MED_IDENTIFIER_SPREADS = 1, /* n: its words are names wherever they stand */
    MED_IDENTIFIER_UNKNOWN = 2, /* w: one of its words must be in no vocabulary */
    MED_IDENTIFIER_GUARDED = 4, /* g: no finding, nothing kept and no capitals alone */
    MED_IDENTIFIER_BIRTH = 8,   /* b */
    MED_IDENTIFIER_EPONYM = 16, /* e: with w, a word may be an eponym */
    MED_IDENTIFIER_PLACED = 32, /* p: with w, a word may be one of a finding's name */
    MED_IDENTIFIER_SMALL = 64,  /* s: with w, it may be in small letters */
    MED_IDENTIFIER_CLOSED = 128 /* c: with s, marks close it: all its words are the name */
};

typedef struct {
    uint32_t start, end; /* equal: the group did not match */
} med_stretch;
/* The parts of a date, groups of the same names. */
typedef enum {
    MED_DATE_YEAR,
    MED_DATE_MONTH,
    MED_DATE_DAY,
    MED_DATE_NAME,    /* M: of the month */
    MED_DATE_FIRST,   /* a */
    MED_DATE_SECOND,  /* b */
    MED_DATE_ORDINAL, /* o */
    MED_DATE_PARTS
} med_date_part;
typedef struct {
    med_identifier_kind kind;
    unsigned flags;
    med_stretch span;
    bool valued; /* the group v matched */
    med_stretch date[MED_DATE_PARTS];
} med_identifier;

typedef struct med_identifiers med_identifiers;
r1_status med_identifiers_new(med_identifiers **out, r1_err *err);
void med_identifiers_free(med_identifiers *x); /* NULL is fine */

/* Each match of each row, in the order of the rows. The text must be UTF-8. */
typedef r1_status (*med_identifier_fn)(void *ctx, const med_identifier *hit, r1_err *err);
r1_status med_identifiers_find(const med_identifiers *x, const char *text, size_t len,
                               med_identifier_fn fn, void *ctx, r1_err *err);

/* Number of a month's name, 1 to 12; 0: none. */
int med_identifiers_month(const med_identifiers *x, const char *s, size_t len);
/* Its name; brief: the shortest form. */
const char *med_identifiers_month_name(const med_identifiers *x, int month, bool brief);

#endif
