/* SPDX-License-Identifier: GPL-3.0-or-later */
/* replay.h - `r1-fraud replay`: scores a file of payments in order, by the engine that serves. */
#ifndef FRAUD_REPLAY_H
#define FRAUD_REPLAY_H

#include "cli/r1_cli.h"

extern const r1_option fraud_replay_rows[];
extern const size_t fraud_replay_n_row;
int fraud_command_replay(r1_cli_call *call);

#endif
