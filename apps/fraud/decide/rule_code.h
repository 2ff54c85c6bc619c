/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rule_code.h - the program that a condition becomes: what rule_expr.c writes and rule_run.c reads.
 *
 * A stack of numbers; a condition is 0 or 1 on it. Jumps go forward alone.
 * Owns: nothing. Threads: plain data. Errors: none. */
#ifndef FRAUD_RULE_CODE_H
#define FRAUD_RULE_CODE_H

#include "decide/account_list.h"
#include "decide/rule_words.h"

enum { RULE_CODE_MAX = 256, RULE_DEPTH_MAX = 32, RULE_VALUES_MAX = 256, RULE_ZONES_MAX = 8 };

typedef enum {
    RULE_OP_NUMBER, /* pushes number */
    RULE_OP_FIELD,  /* pushes the field's number */
    RULE_OP_CALL,   /* pushes the function's number */
    RULE_OP_NEGATE,
    RULE_OP_ADD,
    RULE_OP_SUBTRACT,
    RULE_OP_MULTIPLY,
    RULE_OP_DIVIDE,
    RULE_OP_COMPARE,   /* two numbers by `relation`, in `currency` where it is named */
    RULE_OP_IN_RANGE,  /* x, low, high */
    RULE_OP_IN_VALUES, /* x among number[first..first + n) */
    RULE_OP_IS_ANY,    /* pushes whether the field is one of text[first..first + n) */
    RULE_OP_CONTAINS,  /* the same of text[first] within it */
    RULE_OP_BEGINS,
    RULE_OP_ON_LIST,
    RULE_OP_NOT,
    RULE_OP_AND, /* 0 on top: jumps to n, else drops it */
    RULE_OP_OR   /* 1 on top: jumps to n, else drops it */
} rule_op;

typedef enum {
    RULE_EQUAL,
    RULE_DIFFERENT,
    RULE_AT_MOST,
    RULE_AT_LEAST,
    RULE_BELOW,
    RULE_ABOVE,
    RULE_N_RELATION
} rule_relation;

typedef struct {
    uint8_t op, relation;
    uint16_t first, n;
    char currency[4];
    union {
        double number;
        const rule_field *field;
        const rule_function *function;
    } of;
    const fraud_account_list *list;
    rule_call call;
} rule_step;

typedef struct rule_program {
    size_t n_step, n_text, n_number, n_zone, n_char;
    rule_step *step;
    const char **text;
    double *number;
    fraud_zone *zone[RULE_ZONES_MAX]; /* owned */
    char *chars;                      /* of the texts */
} rule_program;

/* A level of brackets holds a side of a comparison, of a sum and of a product. */
enum { RULE_STACK_MAX = 4 * (RULE_DEPTH_MAX + 2) };

#endif
