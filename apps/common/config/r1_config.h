/* SPDX-License-Identifier: Apache-2.0 */
/* r1_config.h - INI files over a table of settings (r1_options.h). Read with inih; unknown keys
 * and bad values stop. */
#ifndef R1_CONFIG_H
#define R1_CONFIG_H

#include "config/r1_options.h"

/* The settings of another command that reads the same file. */
typedef struct {
    const r1_option *rows;
    size_t n;
} r1_config_table;

/* Applies every key of the file; errors begin with "FILE:LINE" and tell of the first bad line. At
 * most 1 MiB. A comment has a line of its own ('#' or ';') or stands behind " ;".
 * A key that o lacks and one of the n other tables has is passed over. others may be NULL. */
r1_status r1_config_load(r1_options *o, const r1_config_table *others, size_t n, const char *path,
                         r1_err *err);
/* The same, and goes on behind a mistake: o gets all that is right, out a line for each mistake, as
 * below. err tells of the first one. */
r1_status r1_config_load_all(r1_options *o, const r1_config_table *others, size_t n,
                             const char *path, FILE *out, size_t *n_mistake, r1_err *err);
/* What r1_config_load would refuse in the file, a line each, indented by two blanks: all bad keys
 * and the first line that is neither a key nor a section. Returns how many there are; no more than
 * R1_CONFIG_MISTAKES_MAX are printed. */
enum { R1_CONFIG_MISTAKES_MAX = 20 };
size_t r1_config_mistakes(const r1_option *table, size_t n_row, const r1_config_table *others,
                          size_t n, const char *path, FILE *out);
/* Prints a complete sample file: every row with its help, unit and default, secrets left out. */
void r1_config_sample(const r1_option *table, size_t n, FILE *out);
/* Prints the values in force as a file that r1_config_load takes, each below a comment with its
 * origin. A secret is printed as ***, and as a comment. */
void r1_config_dump(const r1_options *o, FILE *out);

#endif
