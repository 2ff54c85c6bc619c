/* SPDX-License-Identifier: Apache-2.0 */
/* med_dates.h - a date of a text: read from its parts, shifted by days, and written in the form in
 * which it stood: "03.04.19", "4th of March", "MARCH 2019".
 *
 * Threads: any. Errors: none; what is no date of the calendar counts on into the next month. */
#ifndef MED_DATES_H
#define MED_DATES_H

#include "deidentify/med_identifiers.h"

#include <stdio.h>

typedef struct {
    int year, month, day; /* year 0: not said; month 0: not said; day 0: not said */
    bool brief_year;      /* two digits */
} med_date;

/* year: of the text's newest date, by which two digits get their century. month_first: what two
 * numbers mean of which both may be a month. */
med_date med_date_read(const med_identifiers *x, const char *text, const med_identifier *hit,
                       int year, bool month_first);
/* A date without a year stays one, and so does a month without a day. */
med_date med_date_shift(med_date d, int days);
/* The span of hit with other numbers. Returns whether each of its parts had a place. */
void med_date_write(FILE *f, const med_identifiers *x, const char *text, const med_identifier *hit,
                    med_date d, bool month_first);

#endif
