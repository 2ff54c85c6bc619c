/* SPDX-License-Identifier: Apache-2.0 */
/* crew.h - threads that live as long as a run and work off numbered jobs.
 *
 * The jobs of a call run in any order on any thread, the caller's among them: what they compute
 * must depend on their number alone. Made once: a call neither makes threads nor allocates. One
 * caller at a time; a job may not call the crew. */
#ifndef R1_CREW_H
#define R1_CREW_H

#include "r1_base.h"

enum { R1_CREW_THREADS_MAX = 256 };

typedef struct r1_crew r1_crew; /* NULL stands for the caller alone */

/* n threads, the caller being one of them; n 0: as many as the machine has processors for this
 * process, at most `most`. */
r1_status r1_crew_new(r1_crew **out, uint32_t n, uint32_t most, r1_err *err);
void r1_crew_free(r1_crew *c); /* NULL is fine */
uint32_t r1_crew_threads(const r1_crew *c);

typedef r1_status (*r1_crew_job)(void *ctx, uint32_t k, r1_err *err);
/* job(ctx, k, ..) for k = 0..n-1; returns when all have ended. Where some failed, the one of the
 * lowest number is reported, whichever came first. */
r1_status r1_crew_run(r1_crew *c, r1_crew_job job, void *ctx, uint32_t n, r1_err *err);

#endif
