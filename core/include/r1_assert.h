/* SPDX-License-Identifier: Apache-2.0 */
/* r1_assert.h - invariants that the program checks itself.
 *
 * An assertion guards what only a fault of our own can break. Input from outside is never
 * asserted: it gets an r1_err. A broken invariant prints one line with file, line, expression and
 * values on standard error, tells the log callback (event "assert"), and aborts. A service that
 * aborts is started again and rebuilds its state from the log.
 *
 *     R1_ASSERT(out == end, "columns: filled %zu of %zu", (size_t)(out - columns), n_column);
 *     R1_DEEP_ASSERT(pool_consistent(pool), "pool: %u entries", pool->n_entry);
 *
 * R1_ASSERT stays in every build, so it must be cheap: comparisons of values at hand.
 * R1_DEEP_ASSERT may cost a walk over a structure. It is checked in sanitizer builds and in
 * fuzzers alone (R1_DEEP_CHECKS); elsewhere its operands are compiled and never evaluated.
 * Threads: any. Errors: none are returned. */
#ifndef R1_ASSERT_H
#define R1_ASSERT_H

#include "r1_base.h"

#ifndef R1_DEEP_CHECKS
#define R1_DEEP_CHECKS 0
#endif

/* Does not return. expr: the broken invariant as text; fmt: the values that break it. */
R1_API _Noreturn void r1_assert_failed(const char *file, int line, const char *expr,
                                       const char *fmt, ...) R1_PRINTF(4, 5);

#define R1_ASSERT(cond, ...)                                                                       \
    do {                                                                                           \
        if (__builtin_expect(!(cond), 0))                                                          \
            r1_assert_failed(__FILE__, __LINE__, #cond, __VA_ARGS__);                              \
    } while (0)

#define R1_DEEP_ASSERT(cond, ...)                                                                  \
    do {                                                                                           \
        if (R1_DEEP_CHECKS && !(cond)) r1_assert_failed(__FILE__, __LINE__, #cond, __VA_ARGS__);   \
    } while (0)

#endif
