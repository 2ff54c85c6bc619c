/* SPDX-License-Identifier: Apache-2.0 */
/* r1_options.h - one table of settings per program or command.
 *
 * A row parses, validates, documents and prints itself. Command line, INI file and environment
 * all end in r1_options_set, which names the origin in its errors.
 *
 * Owns:    copies of the values; borrows the table, which is static.
 * Threads: read-only after start.
 * Errors:  R1_E_INVAL names origin, setting, what was expected and what was found. */
#ifndef R1_OPTIONS_H
#define R1_OPTIONS_H

#include "r1_base.h"

#include <stdio.h>

typedef enum {
    R1_OPT_BOOL,
    R1_OPT_INT,
    R1_OPT_FLOAT,
    R1_OPT_STRING,
    R1_OPT_PATH,
    R1_OPT_ENUM
} r1_option_type;

typedef struct {
    /* "batch-rows": --batch-rows, key batch_rows in the INI file, R1_BATCH_ROWS in the
     * environment */
    const char *name;
    const char *section; /* INI section; NULL: on the command line only */
    r1_option_type type;
    const char *def;     /* NULL: no default, r1_options_has() tells */
    double min, max;     /* for INT and FLOAT; both 0: no limits */
    const char *unit;    /* "ms", "rows"; NULL: none */
    bool secret;         /* printed as ***; read from a file named by --NAME-file or NAME_file */
    const char *choices; /* ENUM: "allow|review|block" */
    const char *help;
    /* A family of settings: NAME.KEY = value for any KEY, which r1_options_entry reads; at most
     * R1_OPTION_ENTRIES_MAX. It has no value of its own, and the environment sets none of it. */
    bool many;
    /* Pieces of names, "password|secret": the value behind such a KEY, or behind such a word in a
     * text of KEY=value, is printed as ***. */
    const char *secret_keys; /* of a family also KEY_file = PATH, as for a secret row */
    /* Where the row means something: "stage=reinforce|reward" where the option `stage` has one of
     * these values, "policy" where `policy` is given, "!policy" where it is not; NULL: always.
     * r1_options_check refuses a value that was set elsewhere. */
    const char *only;
    /* What stands between the values of a key that a file has on several lines, as ", "; NULL: a
     * file has the key once. */
    const char *joins;
} r1_option;

enum { R1_OPTION_ENTRIES_MAX = 64 };

typedef struct r1_options r1_options;
r1_status r1_options_new(r1_options **out, const r1_option *table, size_t n, r1_err *err);
void r1_options_free(r1_options *o);
/* origin is for messages and for `config`: "command line", "fraud.ini:12", "environment". Later
 * calls win, but a second one from the command line is R1_E_INVAL. */
r1_status r1_options_set(r1_options *o, const char *name, const char *value, const char *origin,
                         r1_err *err);
/* Parses --name value, --name=value, --flag, --no-flag; "--flag false" is refused. What is left (a
 * lone "-" too) goes to rest[0..*n_rest). */
r1_status r1_options_parse(r1_options *o, int argc, char **argv, const char **rest, size_t *n_rest,
                           r1_err *err);
/* After all values are set: R1_E_INVAL where one was given that its row's `only` excludes. */
r1_status r1_options_check(const r1_options *o, r1_err *err);
/* R1_E_INVAL where a row's value, which holds a secret, came from somewhere else than a file that
 * its owner alone can read. r1_options_check does so for secret_keys. */
r1_status r1_options_private(const r1_options *o, const char *name, r1_err *err);
/* R1_E_INVAL where a file, which holds a secret, can be read by others than its owner. What is not
 * there, and what is no file, is for its reader to refuse. */
r1_status r1_file_private(const char *path, r1_err *err);
/* The variable of the environment that sets the row, "R1_BATCH_ROWS"; false: none does. */
bool r1_option_env_name(const r1_option *row, char *name, size_t size);
/* R1_<NAME> for every row that has a section. */
r1_status r1_options_env(r1_options *o, r1_err *err);
bool r1_options_has(const r1_options *o, const char *name);
/* A name that the table lacks is a fault of the program: these abort on it. */
bool r1_options_bool(const r1_options *o, const char *name);
int64_t r1_options_int(const r1_options *o, const char *name);
double r1_options_float(const r1_options *o, const char *name);
const char *r1_options_str(const r1_options *o, const char *name); /* NULL when absent */
const char *r1_options_origin(const r1_options *o, const char *name);
/* Entry i of a row that is `many`, in the order in which they were first set; false behind the
 * last one. origin may be NULL. */
bool r1_options_entry(const r1_options *o, const char *name, size_t i, const char **key,
                      const char **text, const char **origin);
/* Whether a KEY is one of the row's secret_keys. */
bool r1_option_hides(const r1_option *row, const char *key);
size_t r1_options_count(const r1_options *o);
const r1_option *r1_options_row(const r1_options *o, size_t index);
/* A row's `only` in words, "only with --stage reinforce, reward"; "" where it always holds. */
void r1_option_only(const r1_option *row, char *text, size_t size);
/* A row's limits, "1..1048576"; "" where it has none. */
void r1_option_range(const r1_option *row, char *text, size_t size);
void r1_options_help(const r1_option *table, size_t n, FILE *out);

#endif
