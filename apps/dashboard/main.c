/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the commands of r1-dashboard. */
#include "cli_dashboard.h"
#include "store/store_command.h"

int main(int argc, char **argv)
{
    /* clang-format off */
    const r1_command commands[] = {
        {.name = "serve",
         .summary = "the page for analysts and clinicians, and the worker that makes cases",
         .examples = "r1-dashboard serve --postgres 'dbname=r1'\n"
                     "r1-dashboard serve --postgres 'dbname=r1' --labels-topic labels --brokers "
                     "127.0.0.1:19092 --medical 127.0.0.1:9466 --medical-token-file token",
         .config = true,
         .options = dash_serve_rows, .n_options = dash_serve_n_row, .run = dash_serve_command},
        {.name = "user add",
         .summary = "add a user; without --password-file a password is made and printed once",
         .examples = "r1-dashboard user add ann --role analyst --postgres 'dbname=r1'\n"
                     "r1-dashboard user add root --role administrator --password-file secret",
         .config = true, .operands = "NAME", .operands_min = 1, .operands_max = 1,
         .options = dash_user_rows, .n_options = dash_user_n_row, .run = dash_user_add_command},
        {.name = "user password",
         .summary = "a fresh password for a user, whose sessions end and whose lock is undone",
         .examples = "r1-dashboard user password ann --postgres 'dbname=r1'",
         .config = true, .operands = "NAME", .operands_min = 1, .operands_max = 1,
         .options = dash_user_rows, .n_options = dash_user_n_row,
         .run = dash_user_password_command},
        {.name = "audit verify",
         .summary = "whether the audit trail is whole, by its hashes (exit code 3: it is not)",
         .examples = "r1-dashboard audit verify --postgres 'dbname=r1'", .config = true,
         .options = dash_verify_rows, .n_options = dash_verify_n_row, .run = dash_verify_command},
        {R1_STORE_COMMAND("r1-dashboard")},
    };
    /* clang-format on */
    const r1_program program = {
        .name = "r1-dashboard",
        .summary = "the page on which analysts decide cases and clinicians go through records",
        .commands = commands,
        .n_commands = R1_COUNT(commands)};
    return r1_cli_main(&program, argc, argv);
}
