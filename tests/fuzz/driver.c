/* SPDX-License-Identifier: Apache-2.0 */
/* driver.c - runs a libFuzzer entry point without libFuzzer: each seed of the corpus as it is,
 * cut at many places, with each bit of its head flipped, and through rounds of deterministic
 * mutation (bit flips, bytes, integers at their edges, copies, cuts). A crash, a sanitizer's
 * report or a time limit is the failure; the input under way then lies in PROGRAM.input.
 *
 * driver ROUNDS|SECONDSs FILE...: so many rounds for each file, or for so many seconds in turn.
 * R1_TEST_SEED sets the random numbers. */
#include "fuzz/fuzz.h"

#include <fcntl.h>

typedef struct {
    uint8_t *seed;
    size_t size;
    uint64_t rounds; /* done */
} corpus_file;

/* Where each input is made: a file that is mapped, so that it outlives a crash. Its first 8
 * bytes are the input's size. */
static uint8_t *desk;
static size_t desk_bytes;

static void try_desk(size_t size)
{
    uint64_t n = size;
    memcpy(desk, &n, sizeof n);
    LLVMFuzzerTestOneInput(desk + sizeof n, size);
}

static void driver_mutate(uint8_t *data, size_t *size, r1_rng *r)
{
    static const uint64_t edges[] = {0,      1,          0x7f,       0xff,      0x7fff,
                                     0xffff, 0x7fffffff, 0xffffffff, INT64_MAX, UINT64_MAX};
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
static void round_of(corpus_file *f, r1_rng *r)
{
    uint8_t *work = desk + sizeof(uint64_t);
    size_t n = f->size, head = f->size > 512 ? 512 : f->size;
    memcpy(work, f->seed, f->size);
    uint64_t count = 1 + r1_rng_below(r, 8);
    bool near = r1_rng_below(r, 2);
    for (uint64_t k = 0; k < count; k++) {
        size_t part = near && head < n ? head : n;
        driver_mutate(work, &part, r);
        if (!near || head >= n) n = part;
    }
    f->rounds++;
    try_desk(n);
}

/* As it is, cut everywhere in its first 512 bytes and at 64 places beyond, and each bit of its
 * first 256 bytes flipped. */
static void first_rounds(const corpus_file *f)
{
    uint8_t *work = desk + sizeof(uint64_t);
    memcpy(work, f->seed, f->size);
    try_desk(f->size);
    for (size_t cut = 0; cut < f->size; cut += cut < 512 ? 1 : f->size / 64 + 1) try_desk(cut);
    for (size_t bit = 0; bit < 8 * (f->size < 256 ? f->size : 256); bit++) {
        work[bit / 8] ^= (uint8_t)(1u << bit % 8);
        try_desk(f->size);
        work[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void driver_load(corpus_file *f, const char *path)
{
    char *seed;
    r1_err err;
    if (r1_file_read(path, 1 << 24, &seed, &f->size, &err) != R1_OK) {
        fprintf(stderr, "driver: %s\n", err.msg);
        exit(1);
    }
    f->seed = (uint8_t *)seed;
    if (f->size + sizeof(uint64_t) > desk_bytes) desk_bytes = f->size + sizeof(uint64_t);
}

static void set_desk(const char *program)
{
    char path[4096];
    snprintf(path, sizeof path, "%s.input", program);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd >= 0 && ftruncate(fd, (off_t)desk_bytes) == 0)
        desk = mmap(NULL, desk_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (!desk || desk == MAP_FAILED) {
        fprintf(stderr, "driver: %s cannot be made\n", path);
        exit(1);
    }
    close(fd);
}

int main(int argc, char **argv)
{
    const char *text = getenv("R1_TEST_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : 20261124;
    if (argc < 3) {
        fprintf(stderr, "driver ROUNDS|SECONDSs FILE...\n");
        return 2;
    }
    char *unit;
    uint64_t amount = strtoull(argv[1], &unit, 10);
    bool timed = *unit == 's';
    size_t n = (size_t)argc - 2;
    corpus_file *file = calloc(n, sizeof *file);
    r1_rng r;
    if (!file) return 1;
    printf("driver: R1_TEST_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    r1_rng_seed(&r, seed);
    for (size_t i = 0; i < n; i++) driver_load(&file[i], argv[i + 2]);
    set_desk(argv[0]);
    int64_t until = r1_mono_us() + (int64_t)(timed ? amount * 1000000 : 0);
    for (size_t i = 0; i < n; i++) first_rounds(&file[i]);
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < n; i++) {
            bool due = timed ? r1_mono_us() < until : file[i].rounds < amount;
            if (file[i].size && due) round_of(&file[i], &r);
            more = more || (file[i].size && due);
        }
    }
    for (size_t i = 0; i < n; i++) {
        printf("%s: %zu bytes, %llu rounds\n", argv[i + 2], file[i].size,
               (unsigned long long)file[i].rounds);
        free(file[i].seed);
    }
    free(file);
    return 0;
}
