/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check_forms.h - in which forms of the mapping file the values of a field can be read, and whether
 * those that can read them mean the same.
 *
 * Threads: one. Errors: none; a form that is "" says that none reads all values. */
#ifndef FRAUD_CHECK_FORMS_H
#define FRAUD_CHECK_FORMS_H

#include "payment/number_form.h"
#include "payment/time_fields.h"

enum { CHECK_FORM_BYTES = 48 };

typedef struct {
    char form[CHECK_FORM_BYTES]; /* as the mapping file names it; "": none */
    /* Another one that reads all values too and gives others; "": none. A person must say. */
    char other[CHECK_FORM_BYTES];
    char doubt[CHECK_FORM_BYTES]; /* the first value on which they differ */
    bool dates;                   /* the form has no time of day */
    bool zone, zones;             /* of times: all have an offset, some have */
    /* Values that no form reads, where the others have one: at most a tenth of all. */
    size_t n_odd;
    char odd[CHECK_FORM_BYTES]; /* the first of them */
} check_form;

/* n values, of which some may be NULL: a message without the field. */
typedef struct {
    const json_t *const *value;
    const json_t *const *clock; /* of a second field with the time of day; NULL: there is none */
    size_t n;
} check_values;

/* Of texts alone: numbers of JSON have one form. */
void check_number_form(const check_values *v, check_form *out);
/* The form of times between 1990 and 2100; those in the future count only where no other form
 * fits. */
void check_time_form(const check_values *v, check_form *out);
/* The same of most values: where no form reads all, a few that none reads are left out. */
void check_number_form_of_most(const check_values *v, check_form *out);
void check_time_form_of_most(const check_values *v, check_form *out);
/* Whether the values are times of day. */
bool check_is_clock(const check_values *v);

#endif
