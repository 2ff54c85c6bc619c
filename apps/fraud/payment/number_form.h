/* SPDX-License-Identifier: GPL-3.0-or-later */
/* number_form.h - decimal numbers as they are written in other countries, to the form with a point
 * and no marks between thousands.
 *
 * A form is named by an example. Which one holds is told, never guessed: "1.234" is a thousand in
 * one form and one in another. Marks may be missing, and stand in their places where they are not.
 * A text of another form is refused. A sign of money ($, R$, kr, and those of EUR, GBP, JPY, INR,
 * PLN) before or behind the number is read over, since the currency is told by itself; a minus may
 * stand behind, as in SAP.
 *
 * Threads: pure functions. Errors: a result that says no. */
#ifndef FRAUD_NUMBER_FORM_H
#define FRAUD_NUMBER_FORM_H

#include "r1_base.h"

enum { FRAUD_NUMBER_BYTES = 64, FRAUD_N_NUMBER_FORM = 9 };

typedef struct {
    const char *example; /* its name */
    char point;          /* between units and fractions: '.' or ',' */
    char group;          /* between thousands; 0: none. ' ' and '\'' stand for their kinds */
    bool lakh;           /* groups of two digits before the last three */
} fraud_number_form;

/* The first one is that of JSON, which texts have where nothing else is told. */
extern const fraud_number_form fraud_number_forms[FRAUD_N_NUMBER_FORM];

/* The form with this example, NULL: there is none. */
const fraud_number_form *fraud_number_form_of(const char *example);
/* The text with a point and no marks; NULL: it is not of this form. The first form gives back each
 * text as it is, so that exponents and refusals stay those of decimal.h. */
const char *fraud_number_plain(const fraud_number_form *form, const char *text,
                               char out[FRAUD_NUMBER_BYTES]);

#endif
