/* SPDX-License-Identifier: Apache-2.0 */
/* driver.c - runs a libFuzzer entry point without libFuzzer: each seed of the corpus as it is, cut at many places, and
 * through rounds of deterministic mutation (bit flips, bytes, integers at their edges, copies, cuts). A crash, a sanitizer's
 * report or a time limit is the failure.
 *
 * driver ROUNDS FILE...; R1_TEST_SEED sets the random numbers. ROUNDS may be a time instead, such as 900s: rounds go on over all
 * files in turn until it has passed, and the count is printed. */
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

typedef struct {
    const char *path;
    char *seed;
    uint8_t *work;
    size_t size;
    uint64_t rounds;
} corpus_file;

static int load(corpus_file *f)
{
    r1_err err;
    if (r1_file_read(f->path, 1 << 24, &f->seed, &f->size, &err) != R1_OK) {
        fprintf(stderr, "driver: %s\n", err.msg);
        return 1;
    }
    f->work = malloc(f->size + 1);
    if (!f->work) return 1;
    memcpy(f->work, f->seed, f->size);
    return 0;
}

static void cut_everywhere(const corpus_file *f)
{
    LLVMFuzzerTestOneInput(f->work, f->size);
    for (size_t cut = 0; cut < f->size; cut += cut < 2048 ? 1 : f->size / 500 + 1) LLVMFuzzerTestOneInput(f->work, cut);
}

static void rounds(corpus_file *f, uint64_t n, r1_rng *r)
{
    for (uint64_t k = 0; f->size && k < n; k++) round_of((const uint8_t *)f->seed, f->size, f->work, r);
    f->rounds += n;
}

int main(int argc, char **argv)
{
    const char *text = getenv("R1_TEST_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : 20261124;
    enum { FILES_MAX = 16, TURN = 50 };
    corpus_file file[FILES_MAX] = {{0}};
    int n = argc - 2, bad = n < 1 || n > FILES_MAX;
    char *unit = NULL;
    uint64_t amount = bad ? 0 : strtoull(argv[1], &unit, 10);
    int64_t end = r1_mono_us() + (int64_t)amount * 1000000;
    bool timed = unit && *unit == 's';
    r1_rng r;
    printf("driver: R1_TEST_SEED=%llu\n", (unsigned long long)seed);
    r1_rng_seed(&r, seed);
    for (int i = 0; i < n && !bad; i++) {
        file[i].path = argv[i + 2];
        bad = load(&file[i]);
        if (bad) break;
        cut_everywhere(&file[i]);
        if (!timed) rounds(&file[i], amount, &r);
    }
    while (!bad && timed && r1_mono_us() < end)
        for (int i = 0; i < n; i++) rounds(&file[i], TURN, &r);
    for (int i = 0; i < n && i < FILES_MAX; i++) {
        if (file[i].path)
            printf("%s: %zu bytes, %llu rounds\n", file[i].path, file[i].size, (unsigned long long)file[i].rounds);
        free(file[i].work);
        free(file[i].seed);
    }
    return bad;
}
