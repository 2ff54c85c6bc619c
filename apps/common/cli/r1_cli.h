/* SPDX-License-Identifier: Apache-2.0 */
/* r1_cli.h - the command line that all programs share: a table of commands, each with its table
 * of options. Help, manual page and completion are printed from these tables.
 *
 * Exit codes: 0 good, 1 failed at run time, 2 usage or configuration, 3 a check found problems,
 * 4 partial result. */
#ifndef R1_CLI_H
#define R1_CLI_H

#include "config/r1_options.h"
#include "r1_model.h"

enum {
    R1_EXIT_OK = 0,
    R1_EXIT_FAILED = 1,
    R1_EXIT_USAGE = 2,
    R1_EXIT_CHECK = 3,
    R1_EXIT_PARTIAL = 4
};

typedef struct {
    const r1_options *opts;
    const char **rest; /* operands, as many as the command's row allows */
    size_t n_rest;
    /* Filled by the command; r1_cli_main prints it when the command returns non-zero. */
    r1_err err;
} r1_cli_call;

typedef struct {
    const char *name;    /* "serve"; two words ("eval annotate") make a command with a subcommand */
    const char *summary; /* one line */
    const char *examples; /* shown first by --help; one command per line */
    const r1_option *options;
    size_t n_options;
    /* Whether it takes --config FILE (INI) and the environment, for the rows with a section. */
    bool config;
    const char *operands; /* what may stand behind the options, "[FILE]"; NULL: nothing */
    size_t operands_min, operands_max;
    int (*run)(r1_cli_call *call);
} r1_command;
enum { R1_OPERANDS_ANY = 1 << 20 }; /* operands_max of a command that takes all it gets */

typedef struct {
    const char *name;    /* "r1-fraud" */
    const char *summary; /* one line */
    const r1_command *commands;
    size_t n_commands;
} r1_program;

/* Runs the command that argv names. Sets the log sink (--log-level, --log-format on every
 * command). */
int r1_cli_main(const r1_program *program, int argc, char **argv);

/* For a service: warnings and errors of one event are printed once a second at most, and the next
 * line says how many were left out. r1_cli_log_flush prints what was left out at the end of a
 * trouble; call it every second or so. */
void r1_cli_log_limit(void);
void r1_cli_log_flush(void);

const char *r1_cli_version(void); /* of the programs, "1.2.3" */

/* True once SIGINT or SIGTERM has come; r1_cli_main installs the handlers. Poll it in loops. */
bool r1_cli_stopped(void);

/* Takes SIGHUP as a question from now on; without this call it ends the process. */
void r1_cli_watch_hangup(void);
/* True once for any number of SIGHUPs since the last call. */
bool r1_cli_hangup(void);
/* The settings of this call read once more, from file, environment and the same command line;
 * config: another file in the place of --config, or NULL. The caller frees them before the program
 * ends. From any thread, one at a time. */
r1_status r1_cli_again(r1_options **out, const char *config, r1_err *err);

/* The exit code that fits a status: R1_E_INVAL gives 2, all else 1. */
int r1_cli_exit(r1_status st);

/* A file that comes with the programs ("schemas/sql", "models/fraud-s.gguf"): below $R1_SOURCE,
 * share/r1 beside the program, the source tree that it was built from, or share/r1 of the
 * installation. path: R1_PATH_BYTES. */
enum { R1_PATH_BYTES = 4096 };
r1_status r1_cli_shipped(const char *name, char *path, r1_err *err);
/* A path option's value. Where that is the default, set by someone or not, and is not there, the
 * shipped file of that name. */
r1_status r1_cli_path(const r1_options *o, const char *option, char *path, r1_err *err);

/* The choices of a row `precision` (r1_session_opts.precision), and what one of them says. */
#define R1_CLI_PRECISIONS "auto|f32|int8"
r1_precision r1_cli_precision(const char *choice);

/* The rows of every command that trains (r1_run_opts.n_slice, n_thread); slices: the default,
 * as text. Shipped models and published figures were trained with one slice. */
#define R1_CLI_SLICES(slices)                                                                      \
    {                                                                                              \
        .name = "slices", .type = R1_OPT_INT, .def = slices, .min = 1, .max = 64,                  \
        .help = "of a batch, which threads work off; part of a run like its seed: another number " \
                "gives other roundings"                                                            \
    }
#define R1_CLI_THREADS                                                                             \
    {                                                                                              \
        .name = "threads", .type = R1_OPT_INT, .def = "0", .max = 64,                              \
        .help = "that train, at most one a slice; 0: the machine's processors. The bytes are the " \
                "same for any number"                                                              \
    }

/* The row of every command that runs a model; section: of its configuration, or NULL. r1_cli_main
 * makes the choice before the command runs, and says on stderr what it was. */
#define R1_CLI_DEVICE(of)                                                                          \
    {                                                                                              \
        .name = "device", .section = of, .type = R1_OPT_STRING,                                    \
        .help = "what runs the model: cpu, cuda, cuda:N, or auto (the card where it works, else "  \
                "the CPU); not given: R1_BACKEND, else cpu"                                        \
    }

/* The commit that the git checkout at root stands on, as 40 digits; "unknown" outside of one.
 * Reads git's files, with loose and packed branches, and in a worktree too. */
void r1_cli_commit(const char *root, char *out, size_t size);

/* Flat `figures` object that every eval and bench command prints with --json. Owns copies of the
 * names. */
typedef struct r1_figures r1_figures;
r1_figures *r1_figures_new(const char *command);
void r1_figures_free(r1_figures *f);
void r1_figures_add(r1_figures *f, const char *name, double value); /* NaN is printed as null */
void r1_figures_note(r1_figures *f, const char *key, const char *value); /* data, peer, model... */
void r1_figures_print(const r1_figures *f, bool json, FILE *out); /* adds machine and commit */

#endif
