/* SPDX-License-Identifier: GPL-3.0-or-later */
/* typology.h - the kinds of fraud that the program knows, one row each: the generator plants
 * them, findings name them, rules, reports and the laboratory print them.
 *
 * To add one: a row here, its planter in generate/generate.c, its search in graph/findings.c
 * where the graph shows it, its weight in score/rules.c.
 * Threads: any. */
#ifndef FRAUD_TYPOLOGY_H
#define FRAUD_TYPOLOGY_H

#include "r1_base.h"

/* Name in code; name in files, rules and reports. The generator plants rings in this order. */
#define FRAUD_TYPOLOGIES(X)                                                                        \
    X(NONE, "none")                                                                                \
    X(FAN_IN, "fan_in")                                                                            \
    X(FAN_OUT, "fan_out")                                                                          \
    X(CYCLE, "cycle")                                                                              \
    X(SCATTER_GATHER, "scatter_gather")                                                            \
    X(GATHER_SCATTER, "gather_scatter")                                                            \
    X(STACK, "stack")                                                                              \
    X(BIPARTITE, "bipartite")                                                                      \
    X(MULE, "mule")                                                                                \
    X(COMPROMISED_CARD, "compromised_card")                                                        \
    X(COMPROMISED_TERMINAL, "compromised_terminal")

#define FRAUD_TYPOLOGY_ID(id, name) FRAUD_TYPOLOGY_##id,
typedef enum { FRAUD_TYPOLOGIES(FRAUD_TYPOLOGY_ID) FRAUD_N_TYPOLOGY } fraud_typology;

extern const char *const FRAUD_TYPOLOGY_NAME[FRAUD_N_TYPOLOGY];
const char *fraud_typology_name(unsigned typology);   /* "unknown" where there is none */
fraud_typology fraud_typology_find(const char *name); /* FRAUD_N_TYPOLOGY: not known */

#endif
