/* SPDX-License-Identifier: GPL-3.0-or-later */
/* capacity.h - the settings of the state's size: what they ask for, what it costs, what it holds,
 * and how full it is.
 *
 * Owns: nothing. Threads: the engine's. Errors: R1_E_INVAL names the setting. */
#ifndef FRAUD_CAPACITY_H
#define FRAUD_CAPACITY_H

#include "config/r1_options.h"
#include "score/engine.h"

/* Sets edges_max, entities_max, pairs_max and rings_max. */
r1_status fraud_capacity_read(const r1_options *o, fraud_engine_opts *out, r1_err *err);
/* In words, a line each with `before` in front: price, and time of exact windows by rate. */
void fraud_capacity_print(const fraud_engine *e, const char *before, FILE *out);
/* "1,000,000" and "1.6 GiB". */
void fraud_print_count(FILE *out, uint64_t n);
void fraud_print_bytes(FILE *out, uint64_t bytes);

#endif
