/* SPDX-License-Identifier: Apache-2.0 */
/* Working memory as bytes and back. Property: a pool that was saved and loaded goes on as the one
 * that was not, handle by handle and bit by bit. Every bit of a small image is flipped: the image
 * is refused, or the pool keeps its invariants and can be used. */
#include "memory/pool_internal.h"
#include "support/r1_test.h"

#include <stdlib.h>
#include <string.h>

enum { WIDTH = 5, BYTES_MAX = 1 << 22 };

typedef struct {
    uint8_t *data;
    size_t n, at;
} bytes;

static r1_status bytes_put(void *ctx, const void *data, size_t n, r1_err *err)
{
    bytes *b = ctx;
    if (b->n + n > BYTES_MAX) R1_FAIL(err, R1_E_NOMEM, "image of more than %d bytes", BYTES_MAX);
    memcpy(b->data + b->n, data, n);
    b->n += n;
    return R1_OK;
}

static r1_status bytes_get(void *ctx, void *data, size_t n, r1_err *err)
{
    bytes *b = ctx;
    if (n > b->n - b->at) R1_FAIL(err, R1_E_FORMAT, "the image ends at %zu bytes", b->n);
    memcpy(data, b->data + b->at, n);
    b->at += n;
    return R1_OK;
}

static bytes save_image(const r1_memory *mem)
{
    r1_err err = {0};
    bytes b = {.data = malloc(BYTES_MAX)};
    R1_ASSERT_OK(r1_memory_save(mem, bytes_put, &b, &err), &err);
    return b;
}

static r1_memory *image_pool(r1_precision precision, uint32_t quota, uint32_t n_entity)
{
    r1_err err = {0};
    r1_memory *mem;
    r1_memory_opts o = {.bytes_max = r1_memory_bytes(WIDTH, precision, quota, n_entity),
                        .quota = quota,
                        .n_entity_max = n_entity,
                        .width = WIDTH,
                        .precision = precision};
    R1_ASSERT_OK(r1_memory_new(&mem, NULL, &o, &err), &err);
    return mem;
}

/* One batch: appends for one to three of `n_key` entities, some pins. Returns a hash of all that
 * it was told. */
static uint64_t image_batch(r1_memory *mem, r1_rng *rng, uint64_t n_key, uint64_t told)
{
    r1_err err = {0};
    uint64_t ticket, handle[64];
    R1_ASSERT_OK(r1_memory_begin(mem, &ticket, &err), &err);
    for (uint64_t k = 1 + r1_rng_below(rng, 12); k > 0; k--) {
        uint64_t entity[3], made = 0;
        float key[WIDTH], value[WIDTH];
        size_t n = 1 + r1_rng_below(rng, 3);
        for (size_t i = 0; i < n; i++) entity[i] = r1_rng_below(rng, n_key);
        for (int i = 0; i < WIDTH; i++)
            key[i] = (float)r1_rng_normal(rng), value[i] = (float)r1_rng_normal(rng);
        r1_status st = r1_memory_append(mem, ticket, entity, n, k, &made, &err);
        if (st == R1_OK) (void)r1_memory_put(mem, made, key, value, &err); /* it may be gone */
        float weight = (float)r1_rng_below(rng, 9);
        if (r1_rng_below(rng, 4) == 0)
            (void)r1_memory_pin(mem, entity[0], made, weight, r1_rng_below(rng, 2) ? 0 : 1 << 20,
                                &err);
        size_t in_ring = r1_memory_ring(mem, entity[0], handle, NULL, R1_COUNT(handle));
        told = r1_hash64(handle, in_ring * sizeof *handle, told + made + (uint64_t)st);
    }
    r1_memory_end(mem, ticket);
    return told;
}

static void check_going_on(r1_precision precision)
{
    r1_err err = {0};
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    for (int round = 0; round < 12; round++) {
        r1_memory *one = image_pool(precision, 7 + 20 * (round % 2), 9),
                  *two = image_pool(precision, 7 + 20 * (round % 2), 9);
        for (int i = 0; i < round * 25; i++) image_batch(one, &rng, 14, 0);
        bytes b = save_image(one);
        R1_ASSERT_OK(r1_memory_load(two, bytes_get, &b, &err), &err);
        CU_ASSERT_EQUAL(b.at, b.n);
        CU_ASSERT_EQUAL(r1_memory_digest(one), r1_memory_digest(two));
        pool_check(two);
        r1_rng twin = rng;
        for (int i = 0; i < 60; i++)
            CU_ASSERT_EQUAL_FATAL(image_batch(one, &rng, 14, 0), image_batch(two, &twin, 14, 0));
        CU_ASSERT_EQUAL(r1_memory_digest(one), r1_memory_digest(two));
        pool_check(two);
        free(b.data);
        r1_memory_free(one);
        r1_memory_free(two);
    }
}

static void test_going_on(void)
{
    check_going_on(R1_PRECISION_F32);
    check_going_on(R1_PRECISION_INT8);
}

/* An open batch, another pool's image, an image that ends early, a pool that was used. */
static void test_refused(void)
{
    r1_err err = {0};
    r1_rng rng;
    r1_rng_seed(&rng, 5);
    uint64_t ticket;
    r1_memory *mem = image_pool(R1_PRECISION_F32, 7, 9);
    for (int i = 0; i < 20; i++) image_batch(mem, &rng, 14, 0);
    bytes b = save_image(mem);
    R1_ASSERT_OK(r1_memory_begin(mem, &ticket, &err), &err);
    bytes none = {.data = b.data};
    CU_ASSERT_EQUAL(r1_memory_save(mem, bytes_put, &none, &err), R1_E_AGAIN);
    CU_ASSERT_EQUAL(r1_memory_load(mem, bytes_get, &b, &err), R1_E_INVAL);
    r1_memory_free(mem);
    const uint32_t shape[][2] = {{7, 10}, {8, 9}};
    for (size_t i = 0; i < R1_COUNT(shape); i++) {
        mem = image_pool(R1_PRECISION_F32, shape[i][0], shape[i][1]);
        b.at = 0;
        CU_ASSERT_EQUAL(r1_memory_load(mem, bytes_get, &b, &err), R1_E_FORMAT);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "expected an image of"));
        r1_memory_free(mem);
    }
    for (size_t cut = 0; cut < b.n; cut += 1 + cut / 8) {
        bytes part = {.data = b.data, .n = cut};
        mem = image_pool(R1_PRECISION_F32, 7, 9);
        CU_ASSERT_EQUAL(r1_memory_load(mem, bytes_get, &part, &err), R1_E_FORMAT);
        r1_memory_free(mem);
    }
    free(b.data);
}

/* Bits flipped, and numbers at their edges in the place of others. */
static void try_damaged(bytes *b, size_t *taken)
{
    r1_err err = {0};
    r1_rng rng;
    r1_rng_seed(&rng, 9);
    r1_memory *mem = image_pool(R1_PRECISION_INT8, 5, 4);
    b->at = 0;
    r1_status st = r1_memory_load(mem, bytes_get, b, &err);
    CU_ASSERT_TRUE(st == R1_OK || st == R1_E_FORMAT);
    if (st == R1_OK) {
        pool_check(mem);
        for (int i = 0; i < 10; i++) image_batch(mem, &rng, 6, 0);
        pool_check(mem);
        ++*taken;
    }
    r1_memory_free(mem);
}

static void test_damaged_images(void)
{
    static const uint32_t edges[] = {0, 1, 14, 15, 16, INT32_MAX, UINT32_MAX - 1, UINT32_MAX};
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    r1_memory *mem = image_pool(R1_PRECISION_INT8, 5, 4);
    for (int i = 0; i < 30; i++) image_batch(mem, &rng, 6, 0);
    bytes b = save_image(mem);
    size_t taken = 0;
    for (size_t i = 0; i < 8 * b.n; i += 1 + r1_rng_below(&rng, 3)) {
        b.data[i / 8] ^= (uint8_t)(1u << i % 8);
        try_damaged(&b, &taken);
        b.data[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    for (size_t at = 0; at + 4 <= b.n; at += 4) {
        uint32_t keep;
        memcpy(&keep, b.data + at, 4);
        memcpy(b.data + at, &edges[r1_rng_below(&rng, R1_COUNT(edges))], 4);
        try_damaged(&b, &taken);
        memcpy(b.data + at, &keep, 4);
    }
    printf(" [%zu bytes, %zu damaged images taken] ", b.n, taken);
    CU_ASSERT_TRUE(taken > 0); /* keys and values carry no checksum here */
    free(b.data);
    r1_memory_free(mem);
}

R1_TEST_MAIN("pool image", {"a loaded pool goes on as the saved one", test_going_on},
             {"refused", test_refused}, {"damaged images", test_damaged_images})
