/* SPDX-License-Identifier: Apache-2.0 */
/* driver.c - runs a libFuzzer entry point without libFuzzer: each seed of the corpus as it is, cut at many places, and
 * through rounds of deterministic mutation (bit flips, bytes, integers at their edges, copies, cuts). A crash, a sanitizer's
 * report or a time limit is the failure.
 *
 * driver ROUNDS FILE...; R1_TEST_SEED sets the random numbers. */
#include "r1_base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mutate(uint8_t *data, size_t *size, r1_rng *r)
{
    static const uint64_t edges[] = {0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff, INT64_MAX, UINT64_MAX};
    size_t at = (size_t)r1_rng_below(r, *size), other = (size_t)r1_rng_below(r, *size), n;
    switch (r1_rng_below(r, 5)) {
    case 0: data[at] ^= (uint8_t)(1u << r1_rng_below(r, 8)); break;
    case 1: data[at] = (uint8_t)r1_rng_u64(r); break;
    case 2:
        n = (size_t)1 << r1_rng_below(r, 4);
        if (at + n <= *size) memcpy(data + at, &edges[r1_rng_below(r, R1_COUNT(edges))], n);
        break;
    case 3:
        n = *size - (at > other ? at : other);
        memmove(data + at, data + other, n > 64 ? 64 : n);
        break;
    case 4:
        if (r1_rng_below(r, 8) == 0) *size = at + 1;
        break;
    }
}

/* Mutations gather near the start, where headers lie, in half of the rounds. */
static void round_of(const uint8_t *seed, size_t size, uint8_t *work, r1_rng *r)
{
    size_t n = size, head = size > 512 ? 512 : size;
    memcpy(work, seed, size);
    uint64_t count = 1 + r1_rng_below(r, 8);
    bool near = r1_rng_below(r, 2);
    for (uint64_t k = 0; k < count; k++) {
        size_t part = near && head < n ? head : n;
        mutate(work, &part, r);
        if (!near || head >= n) n = part;
    }
    LLVMFuzzerTestOneInput(work, n);
}

static int run_file(const char *path, uint64_t rounds, r1_rng *r)
{
    char *seed;
    size_t size;
    r1_err err;
    if (r1_file_read(path, 1 << 24, &seed, &size, &err) != R1_OK) {
        fprintf(stderr, "driver: %s\n", err.msg);
        return 1;
    }
    uint8_t *work = malloc(size + 1);
    if (!work) return 1;
    memcpy(work, seed, size);
    LLVMFuzzerTestOneInput(work, size);
    for (size_t cut = 0; cut < size; cut += cut < 2048 ? 1 : size / 500 + 1) LLVMFuzzerTestOneInput(work, cut);
    for (uint64_t k = 0; size && k < rounds; k++) round_of((const uint8_t *)seed, size, work, r);
    printf("%s: %zu bytes, %llu rounds\n", path, size, (unsigned long long)rounds);
    free(work);
    free(seed);
    return 0;
}

int main(int argc, char **argv)
{
    const char *text = getenv("R1_TEST_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : 20261124;
    r1_rng r;
    printf("driver: R1_TEST_SEED=%llu\n", (unsigned long long)seed);
    r1_rng_seed(&r, seed);
    int bad = argc < 3;
    for (int i = 2; i < argc; i++) bad |= run_file(argv[i], strtoull(argv[1], NULL, 10), &r);
    return bad;
}
