/* SPDX-License-Identifier: Apache-2.0 */
/* dash_tool.h - runs r1-fraud, the program beside this one, for what it does already: a change of
 * the policy over stored payments, and dead letters.
 *
 * Owns:    answers are malloc'ed and the caller's.
 * Threads: any.
 * Errors:  R1_E_NOT_FOUND: the program is not there. R1_E_TIMEOUT: it ran too long and was ended.
 *          R1_E_INVAL: the settings cannot be read. What it refused itself is an answer. */
#ifndef DASH_TOOL_H
#define DASH_TOOL_H

#include "r1_base.h"

enum { DASH_TOOL_FILES = 4, DASH_TOOL_ARGS = 16, DASH_TOOL_BYTES_MAX = 256 << 10 };

/* The path by which the program finds text i. */
#define DASH_TOOL_FILE(i)                                                                          \
    ((const char *[DASH_TOOL_FILES]){"/dev/fd/10", "/dev/fd/11", "/dev/fd/12", "/dev/fd/13"}[i])

typedef struct {
    const char *args[DASH_TOOL_ARGS];  /* behind the program's name; NULL ends them */
    const char *file[DASH_TOOL_FILES]; /* texts, in memory alone; NULL: none */
    int seconds_max;
} dash_tool_job;

typedef struct {
    int code;   /* of its end */
    char *text; /* standard output and error, UTF-8 */
    bool cut;   /* there was more than DASH_TOOL_BYTES_MAX */
} dash_tool_answer;

r1_status dash_tool_run(const dash_tool_job *job, dash_tool_answer *out, r1_err *err);

/* The settings in the file at path, with rows of [decision] in the place of its own. *out:
 * malloc'ed. rows: name and value by turns, NULL values are left as they are; a NULL name ends
 * them. */
r1_status dash_tool_settings(const char *path, const char *const *rows, char **out, r1_err *err);

#endif
