/* SPDX-License-Identifier: Apache-2.0 */
/* stream_internal.h - what consumer.c and producer.c share; the only header that shows
 * librdkafka. */
#ifndef R1_STREAM_INTERNAL_H
#define R1_STREAM_INTERNAL_H

#include "stream/stream.h"

#include <librdkafka/rdkafka.h>

/* A configuration with what both kinds share and opts->extra applied last. NULL and err on
 * failure. */
rd_kafka_conf_t *r1_stream_conf(const r1_stream_opts *opts, r1_err *err);
r1_status r1_stream_conf_set(rd_kafka_conf_t *conf, const char *key, const char *value,
                             r1_err *err);
r1_status r1_stream_fail(rd_kafka_resp_err_t code, const char *doing, r1_err *err);

#endif
