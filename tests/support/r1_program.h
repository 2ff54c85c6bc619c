/* SPDX-License-Identifier: Apache-2.0 */
/* r1_program.h - for tests of whole programs: runs one as a user does, reads figures of its
 * JSON. */
#ifndef R1_PROGRAM_H
#define R1_PROGRAM_H

#include <stddef.h>

/* Runs `program` of this build with the arguments, which end with NULL. Returns its exit code, -1
 * where a signal ended it; out gets both streams, cut to cap. */
int r1_program_run(const char *program, char *out, size_t cap, const char *const *args);
/* The number that stands behind "name": in json; -1 where it is not there. */
double r1_program_figure(const char *json, const char *name);

#endif
