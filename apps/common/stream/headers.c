/* SPDX-License-Identifier: Apache-2.0 */
/* headers.c - the headers of a consumed message, one by one. */
#include "stream/stream_internal.h"

bool r1_message_header(const r1_message *m, size_t i, r1_header *out)
{
    rd_kafka_headers_t *h;
    const void *value;
    *out = (r1_header){0};
    if (!m->handle || rd_kafka_message_headers(m->handle, &h) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    if (rd_kafka_header_get_all(h, i + m->n_envelope, &out->name, &value, &out->len) !=
        RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    out->value = value;
    return true;
}
