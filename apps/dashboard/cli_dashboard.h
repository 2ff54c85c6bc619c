/* SPDX-License-Identifier: Apache-2.0 */
/* cli_dashboard.h - the commands of r1-dashboard, each with its table of options.
 *
 * Threads: one. Errors: call->err, which r1_cli_main prints. */
#ifndef CLI_DASHBOARD_H
#define CLI_DASHBOARD_H

#include "cli/r1_cli.h"

int dash_serve_command(r1_cli_call *call);
extern const r1_option dash_serve_rows[];
extern const size_t dash_serve_n_row;
int dash_user_add_command(r1_cli_call *call);
int dash_user_password_command(r1_cli_call *call);
extern const r1_option dash_user_rows[];
extern const size_t dash_user_n_row;
int dash_verify_command(r1_cli_call *call);
extern const r1_option dash_verify_rows[];
extern const size_t dash_verify_n_row;

#endif
