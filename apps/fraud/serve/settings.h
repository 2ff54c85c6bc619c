/* SPDX-License-Identifier: GPL-3.0-or-later */
/* settings.h - the table of settings that serve, produce, db, dlq and config share. */
#ifndef FRAUD_SETTINGS_H
#define FRAUD_SETTINGS_H

#include "cli/r1_cli.h"

extern const r1_option fraud_serve_rows[];
extern const size_t fraud_serve_n_row;

/* Commands of the streaming side, for the program's table. */
int fraud_command_serve(r1_cli_call *call);
int fraud_command_produce(r1_cli_call *call);
int fraud_command_db(r1_cli_call *call);
int fraud_command_dlq(r1_cli_call *call);
int fraud_command_config(r1_cli_call *call);
extern const r1_option fraud_produce_rows[], fraud_db_rows[], fraud_dlq_rows[];
extern const size_t fraud_produce_n_row, fraud_db_n_row, fraud_dlq_n_row;

#endif
