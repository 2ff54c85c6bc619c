/* SPDX-License-Identifier: GPL-3.0-or-later */
/* writer_state.c - the drawing of writer_state.h as a table. */
#include "write/writer_state.h"
#include "r1_assert.h"

#define TO(state) (1u << FRAUD_WRITER_##state)

/* One row a state: its name, and the states that may follow. */
static const struct {
    const char *name;
    unsigned next;
} states[FRAUD_N_WRITER_STATE] = {
    [FRAUD_WRITER_WAITS] = {"waits", TO(WRITES)},
    [FRAUD_WRITER_WRITES] = {"writes", TO(LANDED) | TO(RECOVERS) | TO(REFUSED) | TO(STOPPED)},
    [FRAUD_WRITER_RECOVERS] = {"recovers", TO(WRITES) | TO(LANDED) | TO(WAITS) | TO(STOPPED)},
    [FRAUD_WRITER_REFUSED] = {"refused", TO(WRITES) | TO(STOPPED)},
    [FRAUD_WRITER_LANDED] = {"landed", TO(WAITS) | TO(WRITES) | TO(STOPPED)},
    [FRAUD_WRITER_STOPPED] = {"stopped", 0},
};

void fraud_writer_move(fraud_writer_state *state, fraud_writer_state to)
{
    R1_ASSERT(*state < FRAUD_N_WRITER_STATE && to < FRAUD_N_WRITER_STATE, "states %d and %d",
              (int)*state, (int)to);
    R1_ASSERT(states[*state].next & 1u << to, "the writer %s and may not go to \"%s\"",
              states[*state].name, states[to].name);
    *state = to;
}
