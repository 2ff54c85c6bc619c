/* SPDX-License-Identifier: Apache-2.0 */
/* store_command.h - how every program names its database on the command line, and the command
 * `db migrate`, `db status` that every program has.
 *
 * Threads: one. Errors: as r1_store_open. */
#ifndef R1_STORE_COMMAND_H
#define R1_STORE_COMMAND_H

#include "cli/r1_cli.h"

/* --postgres, R1_POSTGRES, [postgres] postgres = ...; default: NULL, or a connection as text. */
#define R1_STORE_POSTGRES_ROW(default, text)                                                       \
    {                                                                                              \
        .name = "postgres", .section = "postgres", .type = R1_OPT_STRING, .secret = true,          \
        .def = (default), .help = (text)                                                           \
    }
#define R1_STORE_POSTGRES_DEFAULT "host=/run/postgresql dbname=r1"
#define R1_STORE_POSTGRES_HELP    "PostgreSQL connection as libpq takes it"
/* The older name. ini: the section of an INI file that knew it; NULL: the command line alone. */
#define R1_STORE_DB_ROW(ini)                                                                       \
    {                                                                                              \
        .name = "db", .section = (ini), .type = R1_OPT_STRING, .secret = true,                     \
        .help = "older name of --postgres"                                                         \
    }
#define R1_STORE_MIGRATIONS_ROW                                                                    \
    {                                                                                              \
        .name = "migrations", .section = "postgres", .type = R1_OPT_PATH, .def = "schemas/sql",    \
        .help = "folder of the numbered migrations"                                                \
    }

/* Time-outs of statements by purpose: R1_STORE_TIMEOUT_ROW("write-timeout", "60", "..."). */
#define R1_STORE_TIMEOUT_ROW(row, seconds, text)                                                   \
    {                                                                                              \
        .name = (row), .section = "postgres", .type = R1_OPT_INT, .def = (seconds), .min = 0,      \
        .max = 604800, .unit = "s", .help = (text)                                                 \
    }
#define R1_STORE_ADMIN_TIMEOUT_ROW                                                                 \
    R1_STORE_TIMEOUT_ROW("admin-timeout", "0", "longest statement of `db`; 0: no limit")

/* The connection out of the rows postgres and db; *out is NULL where none was named. Logs a
 * warning for the older name; R1_E_INVAL where both were given. */
r1_status r1_store_conninfo(const r1_options *o, const char **out, r1_err *err);

/* For a command, before it opens a store: a signal that asks it to stop also ends its connections,
 * two seconds later, so it ends though PostgreSQL hangs. May be called again. */
void r1_store_end_with_signal(void);

/* The command's row, for the table of a program of this name; not for a static table, because the
 * number of options is no constant there. */
#define R1_STORE_COMMAND(program)                                                                  \
    .name = "db", .summary = "database schema: migrate, status",                                   \
    .examples = program " db migrate --postgres 'dbname=r1'\n" program " db status",               \
    .operands = "migrate | status", .operands_min = 1, .operands_max = 1, .config = true,          \
    .options = r1_store_rows, .n_options = r1_store_n_row, .run = r1_store_command
extern const r1_option r1_store_rows[];
extern const size_t r1_store_n_row;
int r1_store_command(r1_cli_call *call);

#endif
