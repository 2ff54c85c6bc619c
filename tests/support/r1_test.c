/* SPDX-License-Identifier: Apache-2.0 */
/* r1_test.c - runs one CUnit suite and turns its failures into the exit code. */
#include "support/r1_test.h"

#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t seed;
static char tmpdir[256];

uint64_t r1_test_seed(void) { return seed; }

static char *test_buffer(void)
{
    static char ring[8][4096];
    static unsigned next;
    return ring[next++ % 8];
}

static const char *source_root(void)
{
    const char *root = getenv("R1_SOURCE");
    return root ? root : ".";
}

const char *r1_test_source(const char *name)
{
    char *p = test_buffer();
    snprintf(p, 4096, "%s/%s", source_root(), name);
    return p;
}

const char *r1_test_shared(const char *name)
{
    char *p = test_buffer();
    const char *shared = getenv("R1_SHARED");
    if (shared)
        snprintf(p, 4096, "%s/%s", shared, name);
    else
        snprintf(p, 4096, "%s/../shared/%s", source_root(), name);
    if (!access(p, R_OK)) return p;
    fprintf(stderr, "skipped: %s is not here (set R1_SHARED to the folder that holds %s)\n", p,
            name);
    return NULL;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static void remove_tmpdir(void) { nftw(tmpdir, remove_one, 16, FTW_DEPTH | FTW_PHYS); }

const char *r1_test_tmpdir(void)
{
    if (*tmpdir) return tmpdir;
    const char *base = getenv("TMPDIR");
    snprintf(tmpdir, sizeof tmpdir, "%s/r1-test-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(tmpdir)) abort();
    atexit(remove_tmpdir);
    return tmpdir;
}

const char *r1_test_in_tmp(const char *name)
{
    static char ring[16][512];
    static unsigned next;
    char *p = ring[next++ % 16];
    snprintf(p, sizeof ring[0], "%s/%s", r1_test_tmpdir(), name);
    return p;
}

bool r1_test_same_files(const char *a, const char *b)
{
    r1_err err;
    char *x, *y;
    size_t nx, ny;
    R1_ASSERT_OK(r1_file_read(a, 1 << 28, &x, &nx, &err), &err);
    R1_ASSERT_OK(r1_file_read(b, 1 << 28, &y, &ny, &err), &err);
    bool same = nx == ny && memcmp(x, y, nx) == 0;
    free(x);
    free(y);
    return same;
}

/* The child of r1_test_breaks: its standard error goes to the parent. */
static _Noreturn void test_break(void (*fn)(void *ctx), void *ctx, int to)
{
    const struct rlimit none = {0};
    setrlimit(RLIMIT_CORE, &none);
    dup2(to, STDERR_FILENO);
    close(to);
    fn(ctx);
    _exit(0);
}

bool r1_test_breaks(void (*fn)(void *ctx), void *ctx, const char *expected)
{
    char text[8192];
    size_t len = 0;
    int ends[2], status = 0;
    fflush(NULL);
    if (pipe(ends)) abort();
    pid_t child = fork();
    if (child < 0) abort();
    if (!child) close(ends[0]), test_break(fn, ctx, ends[1]);
    close(ends[1]);
    for (ssize_t n; len + 1 < sizeof text; len += (size_t)n)
        if ((n = read(ends[0], text + len, sizeof text - 1 - len)) <= 0) break;
    text[len] = 0;
    close(ends[0]);
    waitpid(child, &status, 0);
    bool broke = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
    if (broke && strstr(text, "broken invariant") && strstr(text, expected)) return true;
    fprintf(stderr, "expected a broken invariant with \"%s\", found %s and: %s\n", expected,
            broke ? "an abort" : "no abort", text);
    return false;
}

int r1_test_run(const char *suite, const r1_test_case *cases, size_t n)
{
    const char *given = getenv("R1_TEST_SEED");
    seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    printf("suite %s, R1_TEST_SEED=%llu\n", suite, (unsigned long long)seed);
    if (CU_initialize_registry() != CUE_SUCCESS) return 100;
    CU_pSuite s = CU_add_suite(suite, NULL, NULL);
    for (size_t i = 0; i < n; i++) CU_add_test(s, cases[i].name, cases[i].fn);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed > 100 ? 100 : (int)failed;
}
