/* SPDX-License-Identifier: Apache-2.0 */
/* Long-term memory: readers beside a writer see one state each. For the thread sanitizer too. */
#include "r1_memory.h"
#include "support/r1_test.h"

#include <pthread.h>
#include <stdatomic.h>

enum { D = 4 };

static void longterm_readers_random_row(r1_rng *rng, float *x)
{
    for (int c = 0; c < D; c++) x[c] = (float)r1_rng_normal(rng);
}

/* Every entry of a generation has the same version; a replacement changes all of them at once. */
enum { GEN = 60, GENERATIONS = 40 };
static atomic_bool stop;

static void *longterm_readers_reader(void *arg)
{
    r1_longterm *lt = arg;
    size_t mixed = 0, views = 0;
    while (!atomic_load(&stop)) {
        r1_err err = {0};
        r1_longterm_view *v = r1_longterm_view_open(lt);
        float q[D] = {1, 0, 0, 0};
        r1_longterm_hit hit[GEN];
        size_t n = 0;
        uint32_t first = 0;
        mixed += r1_longterm_view_search(
                     v, q, &(r1_longterm_query){.k = GEN, .n_probe = 1000, .n_sketch = 1000}, hit,
                     &n, &err) != R1_OK ||
                 n != GEN;
        for (size_t i = 0; i < n; i++) {
            r1_longterm_entry e = {0};
            mixed += r1_longterm_view_get(v, hit[i].id, &e, &err) != R1_OK;
            if (i == 0) first = e.version;
            mixed += e.version != first;
        }
        r1_longterm_view_close(v);
        views++;
    }
    printf(" [%zu views] ", views);
    return (void *)(uintptr_t)mixed;
}

static void put_generation(r1_longterm *lt, uint32_t version, r1_rng *rng)
{
    r1_err err = {0};
    R1_ASSERT_OK(r1_longterm_begin(lt, &err), &err);
    for (int i = 0; i < GEN; i++) {
        float key[D];
        longterm_readers_random_row(rng, key);
        R1_ASSERT_OK(
            r1_longterm_insert(
                lt, &(r1_longterm_entry){.key = key, .source = 1, .version = version}, NULL, &err),
            &err);
    }
    CU_ASSERT_EQUAL(r1_longterm_expire(lt, 1, version), version > 1 ? GEN : 0);
    R1_ASSERT_OK(r1_longterm_commit(lt, &err), &err);
}

static void test_readers(void)
{
    r1_rng rng;
    r1_err err = {0};
    r1_longterm *lt;
    pthread_t t[2];
    r1_rng_seed(&rng, r1_test_seed());
    R1_ASSERT_OK(r1_longterm_new(&lt, D, 0, &err), &err);
    put_generation(lt, 1, &rng);
    atomic_store(&stop, false);
    for (int i = 0; i < 2; i++) pthread_create(&t[i], NULL, longterm_readers_reader, lt);
    for (uint32_t g = 2; g < GENERATIONS; g++) {
        put_generation(lt, g, &rng);
        if (g % 4 == 0) R1_ASSERT_OK(r1_longterm_consolidate(lt, g % 8 == 0, &err), &err);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++) {
        void *mixed;
        pthread_join(t[i], &mixed);
        CU_ASSERT_PTR_NULL(mixed);
    }
    r1_longterm_free(lt);
}

R1_TEST_MAIN("long-term memory, many threads", {"readers", test_readers})
