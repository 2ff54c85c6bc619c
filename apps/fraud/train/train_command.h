/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train_command.h - `r1-fraud train`: a model from generated worlds. */
#ifndef FRAUD_TRAIN_COMMAND_H
#define FRAUD_TRAIN_COMMAND_H

#include "cli/r1_cli.h"

extern const r1_option fraud_train_rows[];
extern const size_t fraud_train_n_row;
int fraud_command_train(r1_cli_call *call);

#endif
