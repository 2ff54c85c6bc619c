/* SPDX-License-Identifier: Apache-2.0 */
/* memory_limit.h - how much memory there is for a process, before it takes it.
 *
 * Owns: nothing. Threads: any. Errors: none; what cannot be read is 0. */
#ifndef R1_MEMORY_LIMIT_H
#define R1_MEMORY_LIMIT_H

#include "r1_base.h"

/* What this process may use: the least of the machine's MemAvailable and the limits of its control
 * groups; 0: neither can be read. root: "", or the folder of a copy of /proc and /sys. *what names
 * the one that holds. */
uint64_t r1_memory_limit(const char *root, const char **what);

#endif
