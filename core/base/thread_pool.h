/* SPDX-License-Identifier: Apache-2.0 */
/* thread_pool.h - a thread pool: threads that live as long as a run and take numbered jobs.
 *
 * The jobs of a call run in any order on any thread, and the calling thread takes jobs too. What
 * a job computes must depend on its number alone. A call neither makes threads nor allocates.
 *
 *     idle --r1_thread_pool_run--> working --the last job ends--> idle --r1_thread_pool_free
 *
 * Threads: one caller at a time; a job may not call its pool. Both are asserted. */
#ifndef R1_THREAD_POOL_H
#define R1_THREAD_POOL_H

#include "r1_base.h"

enum { R1_THREAD_POOL_MAX = 256 };

typedef struct r1_thread_pool r1_thread_pool; /* NULL stands for the caller alone */

/* A pool of n threads, of which the caller is one. n 0: one for each processor that this process
 * may use. At most `most` are made. */
r1_status r1_thread_pool_new(r1_thread_pool **out, uint32_t n, uint32_t most, r1_err *err);
void r1_thread_pool_free(r1_thread_pool *p); /* NULL is fine */
uint32_t r1_thread_pool_threads(const r1_thread_pool *p);

typedef r1_status (*r1_thread_pool_job)(void *ctx, uint32_t k, r1_err *err);
/* Calls job(ctx, k, ..) for k = 0..n-1 and returns when all have ended. Where several failed, the
 * error of the lowest number is reported, whichever came first. */
r1_status r1_thread_pool_run(r1_thread_pool *p, r1_thread_pool_job job, void *ctx, uint32_t n,
                             r1_err *err);

#endif
