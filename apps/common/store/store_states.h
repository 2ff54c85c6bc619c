/* SPDX-License-Identifier: Apache-2.0 */
/* store_states.h - what an SQLSTATE means for whoever has work to do: one table for all of them.
 *
 * Owns:    nothing. Threads: pure. Errors: none; an unknown code is fatal. */
#ifndef R1_STORE_STATES_H
#define R1_STORE_STATES_H

#include "r1_base.h"

typedef enum {
    R1_STATE_TRANSIENT = 0, /* the same work succeeds later: wait and repeat */
    R1_STATE_DATA,          /* the values are at fault: repeating does not help */
    R1_STATE_FENCED,        /* another owner has taken over */
    R1_STATE_FATAL,         /* somebody must change something first */
    R1_N_STATE_KIND
} r1_state_kind;

typedef struct {
    const char *prefix; /* a whole code or its first two characters; the longest match counts */
    r1_state_kind kind;
    bool reconnect;     /* only a fresh connection gets past it */
    bool pooled;        /* said by a pooler between the program and PostgreSQL */
    const char *remedy; /* what helps, in words; "": nothing to add */
} r1_state_row;

/* The row of a code of five characters; never NULL. */
const r1_state_row *r1_state_of(const char *sqlstate);
r1_status r1_state_status(const r1_state_row *row);

#endif
