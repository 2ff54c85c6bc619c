/* SPDX-License-Identifier: Apache-2.0 */
/* Base of the engine: published vectors for the checksum and the generator, properties of arenas
 * and files. */
#include "base/arena_state.h"
#include "base/isa.h"
#include "memory/scan.h"
#include "r1_assert.h"
#include "r1_backend.h"
#include "r1_memory.h"
#include "support/r1_test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_crc32c(void)
{
    /* RFC 3720, appendix B.4 */
    unsigned char zeros[32] = {0}, ones[32], up[32];
    memset(ones, 0xff, 32);
    for (int i = 0; i < 32; i++) up[i] = (unsigned char)i;
    CU_ASSERT_EQUAL(r1_crc32c(zeros, 32, 0), 0x8a9136aau);
    CU_ASSERT_EQUAL(r1_crc32c(ones, 32, 0), 0x62a8ab43u);
    CU_ASSERT_EQUAL(r1_crc32c(up, 32, 0), 0x46dd794eu);
    CU_ASSERT_EQUAL(r1_crc32c(up + 10, 22, r1_crc32c(up, 10, 0)), 0x46dd794eu);
}

static void test_rng(void)
{
    r1_rng r = {
        {1, 2, 3, 4}}; /* first outputs of the authors' xoshiro256plusplus.c for this state */
    CU_ASSERT_EQUAL(r1_rng_u64(&r), 41943041u);
    CU_ASSERT_EQUAL(r1_rng_u64(&r), 58720359u);
    CU_ASSERT_EQUAL(r1_rng_u64(&r), 3588806011781223u);
    r1_rng_seed(&r, r1_test_seed());
    double sum = 0, sq = 0;
    for (int i = 0; i < 100000; i++) {
        double x = r1_rng_normal(&r);
        sum += x;
        sq += x * x;
        CU_ASSERT_TRUE(r1_rng_below(&r, 7) < 7);
    }
    CU_ASSERT_DOUBLE_EQUAL(sum / 1e5, 0.0, 0.02); /* six standard errors */
    CU_ASSERT_DOUBLE_EQUAL(sq / 1e5, 1.0, 0.03);
}

static void test_arena(void)
{
    r1_err err = {0};
    r1_arena *a;
    R1_ASSERT_OK(r1_arena_new(&a, 1 << 20, &err), &err);
    for (int round = 0; round < 3; round++) {
        size_t n = 0;
        unsigned char *p;
        while ((p = r1_arena_alloc(a, 1, 1000))) {
            CU_ASSERT_EQUAL((uintptr_t)p % 64, 0);
            CU_ASSERT_EQUAL(p[0] | p[999], 0);
            memset(p, 0xee, 1000);
            n++;
        }
        CU_ASSERT_TRUE(n > 900 && n * 1000 <= 1 << 20);
        r1_arena_reset(a);
    }
    CU_ASSERT_PTR_NULL(r1_arena_alloc(a, SIZE_MAX / 2, 3));
    r1_arena_free(a);
}

/* What is no file is written in place; a link stays one. */
static void test_base_streams(void)
{
    r1_err err = {0};
    char pipe_path[300], link_path[300], file_path[300], buf[8] = "";
    struct stat s;
    snprintf(pipe_path, sizeof pipe_path, "%s/pipe", r1_test_tmpdir());
    snprintf(link_path, sizeof link_path, "%s/link", r1_test_tmpdir());
    snprintf(file_path, sizeof file_path, "%s/named", r1_test_tmpdir());
    CU_ASSERT_EQUAL_FATAL(mkfifo(pipe_path, 0600), 0);
    int reader = open(pipe_path, O_RDONLY | O_NONBLOCK);
    CU_ASSERT_TRUE_FATAL(reader >= 0);
    R1_ASSERT_OK(r1_file_write(pipe_path, "abc", 3, &err), &err);
    CU_ASSERT_EQUAL(read(reader, buf, sizeof buf), 3);
    close(reader);
    CU_ASSERT_TRUE_FATAL(lstat(pipe_path, &s) == 0 && S_ISFIFO(s.st_mode));
    R1_ASSERT_OK(r1_file_write(file_path, "old", 3, &err), &err);
    CU_ASSERT_EQUAL_FATAL(symlink(file_path, link_path), 0);
    R1_ASSERT_OK(r1_file_write(link_path, "newer", 5, &err), &err);
    CU_ASSERT_TRUE(lstat(link_path, &s) == 0 && S_ISLNK(s.st_mode));
    CU_ASSERT_TRUE(stat(file_path, &s) == 0 && s.st_size == 5);
    if (r1_file_is_stream("/dev/full")) /* where the machine has it */
        CU_ASSERT_EQUAL(r1_file_write("/dev/full", "abc", 3, &err), R1_E_IO);
}

static void test_base_file(void)
{
    r1_err err = {0};
    char path[300], *data;
    size_t len;
    snprintf(path, sizeof path, "%s/f", r1_test_tmpdir());
    R1_ASSERT_OK(r1_file_write(path, "abc", 3, &err), &err);
    R1_ASSERT_OK(r1_file_read(path, 3, &data, &len, &err), &err);
    CU_ASSERT_STRING_EQUAL(data, "abc");
    free(data);
    CU_ASSERT_EQUAL(r1_file_read(path, 2, &data, &len, &err), R1_E_FORMAT);
    CU_ASSERT_EQUAL(r1_file_read("/does/not/exist", 2, &data, &len, &err), R1_E_NOT_FOUND);
}

/* One vocabulary: each name of the list is taken; another is refused with the list wherever loops
 * are chosen. */
static void test_isa(void)
{
    const char *before = getenv("R1_ISA");
    char *kept = before ? strdup(before) : NULL;
    r1_err err = {0};
    r1_isa isa;
    for (int i = 0; i < R1_ISA_COUNT; i++) {
        setenv("R1_ISA", r1_isa_name((r1_isa)i), 1);
        CU_ASSERT(r1_isa_given(&isa) && isa == (r1_isa)i);
        CU_ASSERT_EQUAL(r1_isa_check(&err), R1_OK);
    }
    static const char *const unknown[] = {"scalar", "AVX2", "avx", "avx2 ", "portable,avx2"};
    for (size_t i = 0; i < R1_COUNT(unknown); i++) {
        r1_memory *mem = NULL;
        r1_longterm *lt = NULL;
        setenv("R1_ISA", unknown[i], 1);
        CU_ASSERT_FALSE(r1_isa_given(&isa));
        CU_ASSERT_EQUAL(r1_isa_check(&err), R1_E_INVAL);
        for (int k = 0; k < R1_ISA_COUNT; k++)
            CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, r1_isa_name((r1_isa)k)));
        CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, unknown[i]));
        CU_ASSERT_PTR_NULL(r1_backend_find("cpu", &err));
        CU_ASSERT_EQUAL(r1_memory_new(&mem, NULL, &(r1_memory_opts){.width = 4}, &err), R1_E_INVAL);
        CU_ASSERT_EQUAL(r1_longterm_new(&lt, 4, 10, &err), R1_E_INVAL);
    }
    setenv("R1_ISA", "", 1);
    CU_ASSERT(!r1_isa_given(&isa) && r1_isa_check(&err) == R1_OK);
    setenv("R1_ISA", "portable", 1);
    CU_ASSERT_STRING_EQUAL(scan_best()->name, "portable"); /* the first call of this process */
    if (kept)
        setenv("R1_ISA", kept, 1);
    else
        unsetenv("R1_ISA");
    free(kept);
}

static void break_now(void *ctx)
{
    int have = *(int *)ctx;
    R1_ASSERT(have == 2, "columns: filled %d of %d", have, 2);
}

static void break_deep(void *ctx)
{
    int have = *(int *)ctx;
    R1_DEEP_ASSERT(have == 2, "columns: filled %d of %d", have, 2);
}

/* A broken invariant ends the process and says what, where and with which values. The dear ones
 * are silent where they are not built. */
static void test_base_assert(void)
{
    int one = 1, two = 2;
    CU_ASSERT(r1_test_breaks(break_now, &one, "have == 2: columns: filled 1 of 2"));
    CU_ASSERT(r1_test_breaks(break_now, &one, "test_base.c"));
    break_now(&two);
    if (R1_DEEP_CHECKS) {
        CU_ASSERT(r1_test_breaks(break_deep, &one, "filled 1 of 2"));
    } else {
        break_deep(&one);
    }
}

static void break_arena_sum(r1_arena *a) { a->bytes--; }
static void break_arena_fill(r1_arena *a) { a->first->used = a->first->size + 64; }
static void break_arena_current(r1_arena *a) { a->cur = NULL; }
static void break_arena_limit(r1_arena *a) { a->bytes_max = 1; }

typedef struct {
    void (*plant)(r1_arena *a);
    const char *expected;
} planted_arena;

static void plant_and_check_arena(void *ctx)
{
    const planted_arena *p = ctx;
    r1_arena *a;
    if (r1_arena_new(&a, 1 << 20, NULL) != R1_OK) return;
    for (int i = 0; i < 3; i++) r1_arena_alloc(a, 1, 50000);
    arena_check(a);
    p->plant(a);
    arena_check(a);
}

static void test_arena_breaks(void)
{
    static const planted_arena cases[] = {{break_arena_sum, "bytes, counted"},
                                          {break_arena_fill, "bytes used of a block of"},
                                          {break_arena_current, "the current block is none"},
                                          {break_arena_limit, "of 1"}};
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        planted_arena p = cases[i];
        CU_ASSERT(r1_test_breaks(plant_and_check_arena, &p, p.expected));
    }
}

R1_TEST_MAIN("base", {"crc32c", test_crc32c}, {"random numbers", test_rng}, {"arena", test_arena},
             {"files", test_base_file}, {"streams and links", test_base_streams},
             {"instruction sets", test_isa}, {"broken invariants", test_base_assert},
             {"broken arenas", test_arena_breaks})
