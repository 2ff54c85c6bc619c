/* SPDX-License-Identifier: GPL-3.0-or-later */
/* price.h - what all that grows costs in memory when it is full, beside what the machine has:
 * state, working memory, ids, labels, queue, messages that were read ahead; and a snapshot's disk.
 *
 * Prices are upper bounds of what the settings allow. Program, libraries and model are not among
 * them.
 *
 * Owns:    nothing. Threads: the reading thread's. Errors: none; what cannot be read is 0. */
#ifndef FRAUD_PRICE_H
#define FRAUD_PRICE_H

#include "serve/parts.h"

enum { FRAUD_PRICES_MAX = 8 };
/* Of all partitions, and of each where there are many. */
enum { FRAUD_READ_AHEAD_KIB = 32768, FRAUD_READ_AHEAD_MIN_KIB = 1024 };

typedef struct {
    const char *part;  /* of the metric's label */
    const char *words; /* behind the number */
    uint64_t n, bytes;
} fraud_price;

/* partitions: of all topics together; 0: not known yet, one. Returns how many there are. */
size_t fraud_price_list(const fraud_parts *p, int32_t partitions,
                        fraud_price out[FRAUD_PRICES_MAX]);
/* KiB that librdkafka may read ahead of one partition. */
int fraud_read_ahead_kib(int32_t partitions);

/* In words, a line each with `before` in front: prices, their sum, the machine's memory, disk of
 * snapshots; and a line that begins with "warning:" where one of them does not suffice. */
void fraud_price_print(const fraud_parts *p, int32_t partitions, const char *before, FILE *out);

#endif
