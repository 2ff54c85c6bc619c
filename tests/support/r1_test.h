/* SPDX-License-Identifier: Apache-2.0 */
/* r1_test.h - what every test program shares: one CUnit suite as its main, the printed seed, paths.
 *
 *     static void test_round_trip(void) { CU_ASSERT_EQUAL(1, 1); }
 *     R1_TEST_MAIN("arena", {"round trip", test_round_trip})
 */
#ifndef R1_TEST_H
#define R1_TEST_H

#include <CUnit/Basic.h>

#include "r1_base.h"

typedef struct {
    const char *name;
    void (*fn)(void);
} r1_test_case;

/* Runs the cases; prints the seed (R1_TEST_SEED overrides it) and returns the number of
 * failures, at most 100. */
int r1_test_run(const char *suite, const r1_test_case *cases, size_t n);
/* The seed of this run. */
uint64_t r1_test_seed(void);
/* "../shared/NAME" or $R1_SHARED/NAME where it exists, else NULL after one printed line. */
const char *r1_test_shared(const char *name);
/* Path below the source root. The result lives in a static ring of eight buffers. */
const char *r1_test_source(const char *name);
/* A fresh folder under the system's temporary one, removed at exit. */
const char *r1_test_tmpdir(void);
/* A path in that folder. The result lives in a static ring of sixteen buffers. */
const char *r1_test_in_tmp(const char *name);
/* Both are read whole, and asserted to be readable. */
bool r1_test_same_files(const char *a, const char *b);

/* Runs fn(ctx) in a process of its own. True where it ended by a broken invariant (r1_assert.h)
 * whose line holds `expected`; else prints what happened instead. Call it from one thread. */
bool r1_test_breaks(void (*fn)(void *ctx), void *ctx, const char *expected);

#define R1_TEST_MAIN(suite, ...)                                                                   \
    int main(void)                                                                                 \
    {                                                                                              \
        static const r1_test_case cases[] = {__VA_ARGS__};                                         \
        return r1_test_run(suite, cases, sizeof cases / sizeof *cases);                            \
    }

/* Asserts R1_OK and prints the message where it is not. */
#define R1_ASSERT_OK(expr, err)                                                                    \
    do {                                                                                           \
        r1_status st_ = (expr);                                                                    \
        if (st_ != R1_OK)                                                                          \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #expr, (err)->msg);             \
        CU_ASSERT_EQUAL_FATAL(st_, R1_OK);                                                         \
    } while (0)

#endif
