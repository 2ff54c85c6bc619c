/* SPDX-License-Identifier: GPL-3.0-or-later */
/* eval.h - `r1-fraud eval`: a data set, a protocol (dataset/protocol.h), figures (metrics.h). */
#ifndef FRAUD_EVAL_H
#define FRAUD_EVAL_H

#include "cli/r1_cli.h"

extern const r1_option fraud_eval_rows[];
extern const size_t fraud_eval_n_row;
int fraud_command_eval(r1_cli_call *call);

#endif
