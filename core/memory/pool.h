/* SPDX-License-Identifier: Apache-2.0 */
/* pool.h - core's own view of working memory: an entry's K and V, and the order of batches. */
#ifndef R1_POOL_H
#define R1_POOL_H

#include "r1_memory.h"

/* K f32[d_memory] then V f32[d_memory]; false when the handle names nothing any more. Any
 * thread: the order of batches keeps two from the same entry. */
bool r1_memory_read(const r1_memory *mem, uint64_t handle, float *kv);
bool r1_memory_write(r1_memory *mem, uint64_t handle, const float *kv);
bool r1_memory_rounds(const r1_memory *mem); /* what is read differs from what was written */
void r1_memory_blank(r1_memory *mem, uint64_t handle); /* as it was before it was stored */
/* Blocks until all earlier tickets have stored; then the caller stores and calls
 * r1_memory_stored. */
void r1_memory_wait(r1_memory *mem, uint64_t ticket);
void r1_memory_stored(r1_memory *mem, uint64_t ticket);

#endif
