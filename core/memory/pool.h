/* SPDX-License-Identifier: Apache-2.0 */
/* pool.h - core's own view of working memory: where an entry's K and V lie, and the order of batches. */
#ifndef R1_POOL_H
#define R1_POOL_H

#include "r1_memory.h"

/* K f32[d_memory] then V f32[d_memory]; NULL when the handle names nothing any more. */
float *r1_memory_entry(const r1_memory *mem, uint64_t handle);
/* Blocks until all earlier tickets have stored; then the caller stores and calls r1_memory_stored. */
void r1_memory_wait(r1_memory *mem, uint64_t ticket);
void r1_memory_stored(r1_memory *mem, uint64_t ticket);

#endif
