/* SPDX-License-Identifier: Apache-2.0 */
/* witness.h - whether a topic is still the one that was read. One message of each topic is
 * remembered, and read again at the next look. A topic that was made anew has another message at
 * that offset, however far it has grown; so has one whose messages were lost and replaced.
 *
 * Kafka has an id of each topic for this (KIP-516), which librdkafka 2.0.2 does not show.
 *
 * Owns:    a client of its own: it fetches one message, where the reader's client would read on.
 * Threads: one.
 * Errors:  R1_E_STREAM, not retriable, where the topic is another one. A broker that gives no
 *          answer in time is no error. R1_E_INVAL and R1_E_NOMEM as r1_consumer_new. */
#ifndef R1_WITNESS_H
#define R1_WITNESS_H

#include "stream/stream.h"

typedef struct r1_witness r1_witness;
/* topic[0..n_topic-1] are borrowed. */
r1_status r1_witness_new(r1_witness **out, const r1_stream_opts *opts, const char *const *topic,
                         int n_topic, r1_err *err);
/* Reads the remembered message of the topic again, and remembers the one before `position`, which
 * is where the reader stands in that partition. Waits at most timeout_ms for each. */
r1_status r1_witness_look(r1_witness *w, int topic, int32_t partition, int64_t position,
                          int timeout_ms, r1_err *err);
void r1_witness_free(r1_witness *w); /* NULL is fine */

#endif
