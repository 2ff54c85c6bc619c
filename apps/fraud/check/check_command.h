/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check_command.h - `r1-fraud check`: what the service would make of somebody's messages, before
 * they are sent. */
#ifndef FRAUD_CHECK_COMMAND_H
#define FRAUD_CHECK_COMMAND_H

#include "cli/r1_cli.h"

extern const r1_option fraud_check_rows[];
extern const size_t fraud_check_n_row;
int fraud_command_check(r1_cli_call *call);

#endif
