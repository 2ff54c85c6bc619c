/* SPDX-License-Identifier: Apache-2.0 */
/* alloc_count.h - every allocation of the process is counted (alloc_count.c stands in for
 * malloc, calloc and realloc); not under sanitizers, which bring their own allocator. */
#ifndef R1_TEST_ALLOC_COUNT_H
#define R1_TEST_ALLOC_COUNT_H

#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
#define COUNTING 1
unsigned long alloc_count(void);
#endif

#endif
