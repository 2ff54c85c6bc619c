/* SPDX-License-Identifier: Apache-2.0 */
/* stream_internal.h - what the clients of this room share; the only header that shows
 * librdkafka. */
#ifndef R1_STREAM_INTERNAL_H
#define R1_STREAM_INTERNAL_H

#include "stream/stream.h"

#include <librdkafka/rdkafka.h>

/* A configuration with what both kinds share but for the brokers, and opts->extra applied last.
 * NULL and err on failure. */
rd_kafka_conf_t *r1_stream_conf(const r1_stream_opts *opts, r1_err *err);
r1_status r1_stream_conf_set(rd_kafka_conf_t *conf, const char *key, const char *value,
                             r1_err *err);
/* Sets name and value of each row. On failure *conf is destroyed and NULL. */
r1_status r1_stream_conf_rows(rd_kafka_conf_t **conf, const char *const (*rows)[2], size_t n,
                              r1_err *err);
/* A client of conf, which it takes, at failure too. brokers NULL: none, so it connects nowhere.
 * R1_E_INVAL where librdkafka refuses the settings. */
r1_status r1_stream_client(rd_kafka_t **out, rd_kafka_type_t type, rd_kafka_conf_t *conf,
                           const char *brokers, r1_err *err);
/* Whether librdkafka makes a client of conf, which it takes. Some settings are at fault only beside
 * others, and only a client's making tells. It knows no broker and ends at once. */
r1_status r1_stream_try(rd_kafka_type_t type, rd_kafka_conf_t *conf, r1_err *err);
r1_status r1_stream_fail(rd_kafka_resp_err_t code, const char *doing, r1_err *err);

#endif
