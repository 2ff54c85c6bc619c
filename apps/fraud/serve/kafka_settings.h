/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kafka_settings.h - settings of librdkafka, extra.NAME = value, for a client.
 *
 * Owns: nothing; opts borrows the texts of the settings. Threads: any. Errors: none. */
#ifndef FRAUD_KAFKA_SETTINGS_H
#define FRAUD_KAFKA_SETTINGS_H

#include "config/r1_options.h"
#include "stream/stream.h"

/* The entries of the row `extra` into opts. */
void fraud_kafka_settings(const r1_options *o, r1_stream_opts *opts);

#endif
