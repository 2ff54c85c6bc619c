/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rule_words.h - the vocabulary of rules: which fields and functions exist, of which type, between
 * which values they lie, and how they are read. One row each.
 *
 * Owns:    nothing. Threads: pure functions. Errors: none. */
#ifndef FRAUD_RULE_WORDS_H
#define FRAUD_RULE_WORDS_H

#include "payment/payment_map.h"
#include "payment/zone.h"
#include "score/engine.h"

/* What one payment is judged by. */
typedef struct {
    const fraud_payment *payment;
    const fraud_result *result;
    const struct fraud_facts *facts; /* score/rules.h: from before the payment counted */
    const char *notes; /* JSON of optional fields that were left out; NULL or "": none */
} fraud_subject;

typedef enum {
    RULE_BOOL,   /* a condition */
    RULE_NUMBER, /* without a unit */
    RULE_MONEY,  /* main units of a currency */
    RULE_TIME,   /* ms */
    RULE_TEXT
} rule_type;

typedef struct {
    const char *name;
    rule_type type;
    /* Not a text: how it is read, and between which values it lies. */
    double (*number)(const fraud_subject *s);
    double min, max;
    bool whole;
    bool flag; /* 0 or 1, and a condition of its own */
    /* A text: whether the payment has it; text: the one that it has, NULL: it may have several. */
    bool (*is)(const fraud_subject *s, const char *text);
    const char *(*text)(const fraud_subject *s);
    /* Which texts exist: those that are listed (NULL: not this one), or those that a function
     * knows. */
    const char *(*listed)(unsigned i);
    unsigned n_listed;
    bool (*exists)(const char *text);
    const char *expected; /* of exists, in words */
} rule_field;
extern const rule_field rule_fields[];
extern const size_t rule_n_field;

/* Whose payments a function looks at. */
typedef enum {
    RULE_SENDER,       /* what `from` has paid */
    RULE_RECEIVER,     /* what `to` has received */
    RULE_SENDER_IN,    /* what `from` has received */
    RULE_RECEIVER_OUT, /* what `to` has paid */
    RULE_PAIR,         /* what `from` has paid to `to` */
    RULE_N_SIDE
} rule_side;
extern const char *const rule_side_names[RULE_N_SIDE];

typedef struct {
    rule_side side;
    unsigned window; /* FRAUD_W_1H... */
    const fraud_zone *zone;
} rule_call;

typedef enum { RULE_ARGS_SIDE_WINDOW, RULE_ARGS_SIDE, RULE_ARGS_ZONE } rule_args;
typedef struct {
    const char *name;
    rule_type type;
    rule_args args;
    unsigned sides; /* bits of rule_side */
    double (*number)(const fraud_subject *s, const rule_call *call);
    double min, max;
    bool whole;
} rule_function;
extern const rule_function rule_functions[];
extern const size_t rule_n_function;

const rule_field *rule_field_of(const char *name); /* NULL: none */
/* The field of messages that fills it and may be missing; FRAUD_N_F: it needs none. */
fraud_field rule_field_from(const rule_field *f);
const rule_function *rule_function_of(const char *name); /* NULL: none */
/* The window of this length; false where there is none. */
bool rule_window_of(double ms, unsigned *window);
/* "1h, 1d, 3d, 7d, 28d" */
const char *rule_windows_text(char *text, size_t size);
bool rule_value_exists(const rule_field *f, const char *text);
/* "one of transfer, card, cash", or the words of a row whose values no list holds. */
const char *rule_values_text(const rule_field *f, char *text, size_t size);
/* `; did you mean "transfer"?`, or "". */
const char *rule_value_nearest(const rule_field *f, const char *found, char *text, size_t size);
/* The same among fields, functions and words of the grammar. */
const char *rule_word_nearest(const char *found, char *text, size_t size);

#endif
