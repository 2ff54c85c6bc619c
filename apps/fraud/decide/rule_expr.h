/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rule_expr.h - the condition of a rule: read, checked against the vocabulary (rule_words.h), made
 * a small program, and run.
 *
 *     or         := and { "or" and }
 *     and        := not { "and" not }
 *     not        := "not" not | comparison
 *     comparison := sum [ ("==" | "!=" | "<" | "<=" | ">" | ">=") sum
 *                       | ["not"] "in" ( set | range | list )
 *                       | ("contains" | "begins") TEXT ]
 *     set        := "(" value { "," value } ")"
 *     range      := value ".." value               both ends belong to it
 *     list       := "list" "(" TEXT ")"
 *     sum        := product { ("+" | "-") product }
 *     product    := factor { ("*" | "/") factor }
 *     factor     := ["-" | "+"] factor | "(" or ")" | NUMBER [CURRENCY] | DURATION | TEXT
 *                 | FIELD | FUNCTION "(" argument { "," argument } ")"
 *
 * A duration is a number and s, min, h, d or w. A comparison that names a currency is false for a
 * payment in another one; `not` turns that too. A comparison is false where a side is not finite,
 * as after a division by zero.
 *
 * Owns:    a program is one block.
 * Threads: read-only once compiled. rule_program_run neither allocates nor loops back: it takes at
 *          most RULE_CODE_MAX steps.
 * Errors:  R1_E_INVAL with FILE:LINE:COLUMN, what was expected, what was found, and the nearest
 *          word.
 * Limits:  RULE_CODE_MAX steps, RULE_DEPTH_MAX levels, RULE_VALUES_MAX values in sets. */
#ifndef FRAUD_RULE_EXPR_H
#define FRAUD_RULE_EXPR_H

#include "decide/rule_code.h"

/* What a rule may name besides the vocabulary, and whom to tell what is allowed but odd. */
typedef struct {
    const fraud_account_list *(*list)(void *ctx, const char *name); /* NULL: none has that name */
    /* Offers the names of the lists to a search for the nearest; may be NULL. */
    const char *(*list_nearest)(void *ctx, const char *name, char *text, size_t size);
    void (*note)(void *ctx, const char *text); /* FILE:LINE:COLUMN: what */
    const char *currency; /* of the stream: an amount in another one is noted; NULL: not known */
    /* By which messages are read: a field that it never fills is noted; NULL: our own names. */
    const fraud_map *map;
    void *ctx;
} rule_context;

/* Reads a condition that begins at *at in the source's line, up to "->" or the end of the line; *at
 * comes to stand there. */
r1_status rule_program_new(rule_program **out, const fraud_lines *s, const char **at,
                           const rule_context *context, r1_err *err);
void rule_program_free(rule_program *p); /* NULL is fine */
/* The entry of a list that made the condition true, where one did. */
typedef struct {
    const fraud_account_list *list;
    const fraud_list_entry *entry;
} rule_hit;
/* hit may be NULL. */
bool rule_program_run(const rule_program *p, const fraud_subject *s, rule_hit *hit);

#endif
