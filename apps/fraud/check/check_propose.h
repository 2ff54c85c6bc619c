/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check_propose.h - which fields of somebody's messages look like ours: by their names, and where
 * the name fits, by what stands in them. A person reads the proposal before it is used. What a
 * sample cannot tell is asked for: the row holds "?", and the mapping file is refused until
 * somebody has answered.
 *
 * Owns:    a proposal holds the sample; the caller frees its text. Threads: one.
 * Errors:  R1_E_NOMEM. */
#ifndef FRAUD_CHECK_PROPOSE_H
#define FRAUD_CHECK_PROPOSE_H

#include "check/check_booking.h"
#include "check/check_forms.h"
#include "check/check_input.h"
#include "payment/payment_map.h"

enum {
    CHECK_PATH_BYTES = 128,
    CHECK_PATHS_MAX = 512,
    CHECK_SAMPLE = 200,
    CHECK_STATES_MAX = 4,
    CHECK_QUESTION_BYTES = 480
};

/* One field of their messages, as the first CHECK_SAMPLE messages show it. */
typedef struct {
    char path[CHECK_PATH_BYTES];
    char example[64];
    const json_t *value[CHECK_SAMPLE]; /* by message; NULL: it lacks the field */
    size_t n;                          /* messages that have it */
    bool taken;                        /* by a field of ours */
    bool held;                         /* taken for its values; its name tells nothing */
    char rounded[64];                  /* a value such as 1.76723E+12, or "" */
    bool fractions;                    /* a number with a point */
    bool negative;                     /* a number below 0 */
    bool positive;                     /* a number above 0 */
    bool flag;                         /* true and false, no texts and numbers */
} check_path;

typedef struct {
    json_t *message[CHECK_SAMPLE]; /* owned */
    size_t n_message;
    check_path path[CHECK_PATHS_MAX];
    size_t n;
    const check_path *of[FRAUD_N_F]; /* NULL: nothing looks like it */
    check_form time, number;         /* of ts, of the amount */
    check_booking booking;           /* of that field or of sign, where there is one */
    const check_path *sign; /* of bookings, beside ends whose names say who pays; else NULL */
    struct {
        const check_path *path; /* whether a row is a payment that happened, maybe */
        char words[CHECK_WORDS_BYTES];
    } state[CHECK_STATES_MAX];
    size_t n_state;
    char kinds[CHECK_WORDS_BYTES];    /* the words of kind, where they are few, or "" */
    size_t n_unnamed;                 /* fields that a mapping file cannot name, in all messages */
    char unnamed[CHECK_PATH_BYTES];   /* the first of them */
    char countries[CHECK_PATH_BYTES]; /* paths of several countries, or "" */
    char named[4];                    /* the currency that the amount's name ends in, or "" */
    size_t many;                      /* places of a list of payments in one message; 0: none */
    char list[CHECK_PATH_BYTES];      /* its path */
    /* A constant where they have no field: a word, or "?" where a person must say. NULL: they have
     * one. */
    const char *kind, *currency;
} check_proposal;

/* p is all zero bytes, or ended. */
void check_propose(check_proposal *p, const check_input *in);
void check_propose_end(check_proposal *p);
/* Whether a constant can stand for the field. One id, payer, time or amount for all messages would
 * make one payment of them. */
bool check_holds_for_all(fraud_field f);
/* What cannot be seen in the messages: the row of the mapping file, and the question; n from 0.
 * false behind the last one. */
bool check_question(const check_proposal *p, size_t n, const char **row, char *text, size_t size);
/* How a message with a list of payments is taken apart: a command, or "" where there is none. */
const char *check_split_command(const check_proposal *p, char *text, size_t size);
/* The mapping file as text; free it. */
char *check_propose_text(const check_proposal *p);

#endif
