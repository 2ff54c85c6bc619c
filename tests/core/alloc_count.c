/* SPDX-License-Identifier: Apache-2.0 */
#include "core/alloc_count.h"

#ifdef COUNTING
#include <stdatomic.h>
#include <stdlib.h>

static atomic_ulong n_alloc;
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
void *malloc(size_t n)
{
    atomic_fetch_add(&n_alloc, 1);
    return __libc_malloc(n);
}
void *calloc(size_t n, size_t size)
{
    atomic_fetch_add(&n_alloc, 1);
    return __libc_calloc(n, size);
}
void *realloc(void *p, size_t n)
{
    atomic_fetch_add(&n_alloc, 1);
    return __libc_realloc(p, n);
}

unsigned long alloc_count(void) { return atomic_load(&n_alloc); }
#else
typedef int alloc_count_nothing; /* a file must declare something */
#endif
