/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz.h - what entry points share. */
#ifndef FUZZ_H
#define FUZZ_H

#include "r1_base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A refusal says why. */
static inline void fuzz_refused(const r1_err *err)
{
    if (err->code == R1_OK || !err->msg[0]) abort();
}

/* The bytes in a block of exactly their size, so that a read past the end is seen. Free it. */
static inline void *fuzz_copy(const uint8_t *data, size_t size)
{
    void *copy = malloc(size ? size : 1);
    if (!copy) abort();
    if (size) memcpy(copy, data, size);
    return copy;
}

/* The bytes as a file in memory, for readers that take a path; close(fd) ends it. */
static inline int fuzz_file(const uint8_t *data, size_t size, char path[64])
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) abort();
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

/* As it is, and with its checksums made right again, so that the checks behind them are reached. */
static inline void fuzz_twice(const uint8_t *data, size_t size,
                              void (*repair)(uint8_t *data, size_t size),
                              void (*try_bytes)(const uint8_t *data, size_t size))
{
    uint8_t *copy = fuzz_copy(data, size);
    try_bytes(data, size);
    repair(copy, size);
    try_bytes(copy, size);
    free(copy);
}

#endif
