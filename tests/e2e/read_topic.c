/* SPDX-License-Identifier: Apache-2.0 */
/* read_topic BROKERS TOPIC - a topic from its first message to the last one that is there now, one
 * JSON object a line: {partition, offset, key, headers: [[name, value]], payload}. Bytes that are
 * no text of UTF-8 come as null, with their number in key_bytes or payload_bytes. For tests. */
#include "stream/stream.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum { PARTITIONS_MAX = 64, TIMEOUT_MS = 5000 };

static json_t *bytes(const char *b, size_t len)
{
    json_t *text = b ? json_stringn(b, len) : NULL;
    return text ? text : json_null();
}

static void show(const r1_message *m)
{
    json_t *headers = json_array();
    r1_header h;
    for (size_t i = 0; r1_message_header(m, i, &h); i++)
        json_array_append_new(headers, json_pack("[s, o]", h.name, bytes(h.value, h.len)));
    json_t *o = json_pack("{s:i, s:I, s:o, s:b, s:o, s:o, s:b}", "partition", (int)m->partition,
                          "offset", (json_int_t)m->offset, "key", bytes(m->key, m->key_len),
                          "has_key", m->key != NULL, "headers", headers, "payload",
                          bytes(m->payload, m->payload_len), "has_payload", m->payload != NULL);
    char *text = json_dumps(o, JSON_COMPACT);
    puts(text);
    free(text);
    json_decref(o);
}

static r1_status read_all(r1_consumer *c, r1_err *err)
{
    r1_start from[PARTITIONS_MAX];
    int32_t n;
    R1_TRY(r1_consumer_partitions(c, 0, &n, TIMEOUT_MS, err));
    if (n > PARTITIONS_MAX) R1_FAIL(err, R1_E_INVAL, "at most %d partitions", PARTITIONS_MAX);
    int64_t left = 0;
    for (int32_t p = 0; p < n; p++) {
        from[p] = (r1_start){.witness_offset = -1};
        R1_TRY(
            r1_consumer_range(c, 0, p, &from[p].next_offset, &from[p].end_offset, TIMEOUT_MS, err));
        left += from[p].end_offset - from[p].next_offset;
    }
    R1_TRY(r1_consumer_add(c, 0, from, n, err));
    int64_t until = r1_mono_us() + 30000000;
    for (r1_message m; left > 0 && r1_mono_us() < until;) {
        r1_status st = r1_consumer_poll(c, 100, &m, err);
        if (st == R1_E_TIMEOUT) continue;
        R1_TRY(st);
        show(&m);
        if (m.offset < from[m.partition].end_offset) left--;
        r1_message_free(&m);
    }
    if (left > 0) R1_FAIL(err, R1_E_TIMEOUT, "%lld messages did not come", (long long)left);
    return R1_OK;
}

int main(int argc, char **argv)
{
    if (argc != 3) return 2;
    const r1_stream_opts opts = {.brokers = argv[1], .client_id = "read_topic", .fetch_wait_ms = 1};
    r1_err err = {0};
    r1_consumer *c = NULL;
    const char *const topic[] = {argv[2]};
    r1_status st = r1_consumer_new(&c, &opts, topic, 1, &err);
    if (st == R1_OK) st = read_all(c, &err);
    r1_consumer_free(c);
    if (st != R1_OK) fprintf(stderr, "read_topic: %s\n", err.msg);
    return st != R1_OK;
}
