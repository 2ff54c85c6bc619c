/* SPDX-License-Identifier: Apache-2.0 */
/* The producer where librdkafka ends its client for good, on librdkafka's own mock broker, which
 * answers as it is told. Seen: after a node of a cluster was killed, the client's error was the end
 * of the program. */
#include "stream/stream.h"
#include "support/r1_test.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PRODUCE = 0, INIT_PRODUCER_ID = 22, HALF = 300, N = 2 * HALF, WAIT_MS = 20000 };

static rd_kafka_t *home; /* of the mock broker; it connects nowhere */
static rd_kafka_mock_cluster_t *broker;
static char topic[24];

static void fresh_topic(void)
{
    static int n;
    snprintf(topic, sizeof topic, "t%d", n++);
    rd_kafka_mock_topic_create(broker, topic, 1, 1);
}

/* What is sent between two flushes is one batch: the mock broker takes a later batch whose
 * forerunner it has just refused, which no broker does. */
static r1_producer *producer_made(void)
{
    const r1_stream_opts opts = {.brokers = rd_kafka_mock_cluster_bootstraps(broker),
                                 .client_id = "test",
                                 .linger_ms = 5000};
    r1_producer *p = NULL;
    r1_err err;
    CU_ASSERT_EQUAL_FATAL(r1_producer_new(&p, &opts, &err), R1_OK);
    return p;
}

static void send_numbers(r1_producer *p, int from, int to)
{
    r1_err err;
    for (int i = from; i < to; i++) {
        char text[16];
        const r1_sending m = {.topic = topic,
                              .key = "k",
                              .key_len = 1,
                              .payload = text,
                              .payload_len = (size_t)snprintf(text, sizeof text, "%d", i),
                              .sent_us = 1700000000000000 + i,
                              .number = (uint64_t)i + 1};
        CU_ASSERT_EQUAL(r1_producer_send(p, &m, WAIT_MS, &err), R1_OK);
    }
}

/* All numbers stand in the topic, each first time in its order, with its header. Returns how many
 * messages there are. */
static int read_numbers(void)
{
    const char *const topics[] = {topic};
    const r1_stream_opts opts = {.brokers = rd_kafka_mock_cluster_bootstraps(broker)};
    const r1_start start = {.witness_offset = -1};
    r1_consumer *c = NULL;
    r1_message m;
    r1_err err;
    int n = 0, next = 0;
    CU_ASSERT_EQUAL_FATAL(r1_consumer_new(&c, &opts, topics, 1, &err), R1_OK);
    CU_ASSERT_EQUAL(r1_consumer_add(c, 0, &start, 1, &err), R1_OK);
    while (r1_consumer_poll(c, next < N ? WAIT_MS : 500, &m, &err) == R1_OK) {
        int number = (int)strtol(m.payload, NULL, 10);
        n++;
        CU_ASSERT_TRUE(number <= next);
        CU_ASSERT_EQUAL(m.sent_us, 1700000000000000 + number);
        if (number == next) next++;
        r1_message_free(&m);
    }
    CU_ASSERT_EQUAL(next, N);
    r1_consumer_free(c);
    return n;
}

/* The broker says once that it expects another number of a batch, as a new leader does. */
static void disagree(void)
{
    rd_kafka_mock_push_request_errors(broker, PRODUCE, 1,
                                      RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
}

static void test_messages_go_on(void)
{
    r1_err err;
    fresh_topic();
    r1_producer *p = producer_made();
    send_numbers(p, 0, HALF);
    CU_ASSERT_EQUAL(r1_producer_flush(p, WAIT_MS, &err), R1_OK);
    disagree();
    send_numbers(p, HALF, N);
    CU_ASSERT_EQUAL(r1_producer_flush(p, WAIT_MS, &err), R1_OK);
    const r1_producer_counts c = r1_producer_count(p);
    CU_ASSERT_EQUAL(c.renewed, 1);
    CU_ASSERT_EQUAL(c.delivered, N);
    CU_ASSERT_EQUAL(c.failed, 0);
    CU_ASSERT_TRUE(c.again > 0);
    r1_producer_free(p);
    CU_ASSERT_TRUE(read_numbers() >= N);
}

static r1_status post_number(r1_producer *p, int i, r1_ack *ack)
{
    char text[16], sent[24];
    r1_err err;
    const r1_header header = {"sent_us", sent,
                              (size_t)snprintf(sent, sizeof sent, "%d%06d", 1700000000, i)};
    const r1_post post = {.topic = topic,
                          .payload = text,
                          .payload_len = (size_t)snprintf(text, sizeof text, "%d", i),
                          .header = &header,
                          .n_header = 1,
                          .ack = ack};
    return r1_producer_post(p, &post, &err);
}

/* As an outbox does: all from the first one that failed on, once each has its answer. */
static void post_numbers(r1_producer *p)
{
    static r1_ack ack[N];
    r1_err err;
    int from = 0;
    for (int tries = 0; from < N && tries < 10; tries++) {
        int to = from;
        while (to < N && (r1_producer_poll(p), from == to || ack[from] != R1_ACK_FAILED) &&
               post_number(p, to, &ack[to]) == R1_OK)
            to++;
        CU_ASSERT_EQUAL(r1_producer_flush(p, WAIT_MS, &err), R1_OK);
        while (from < to && ack[from] == R1_ACK_DONE) from++;
        for (int i = from; i < to; i++) CU_ASSERT_NOT_EQUAL(ack[i], R1_ACK_WAITS);
    }
    CU_ASSERT_EQUAL(from, N);
}

static void test_posts_are_answered(void)
{
    fresh_topic();
    r1_producer *p = producer_made();
    disagree();
    post_numbers(p);
    CU_ASSERT_EQUAL(r1_producer_count(p).renewed, 1);
    r1_producer_free(p);
    CU_ASSERT_TRUE(read_numbers() >= N);
}

/* What the next client would meet again is an error with its reason. */
static void test_a_right_that_lacks_is_told(void)
{
    r1_ack ack = R1_ACK_WAITS;
    r1_err err = {0};
    char text[] = "1";
    fresh_topic();
    const r1_post post = {.topic = topic, .payload = text, .payload_len = 1, .ack = &ack};
    rd_kafka_mock_push_request_errors(broker, INIT_PRODUCER_ID, 1,
                                      RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED);
    r1_producer *p = producer_made();
    r1_status st = R1_OK;
    int64_t until = r1_mono_us() + (int64_t)WAIT_MS * 1000;
    while (st == R1_OK && r1_mono_us() < until) {
        r1_producer_forget(p);
        st = r1_producer_post(p, &post, &err);
        r1_producer_flush(p, 10, NULL);
    }
    CU_ASSERT_EQUAL(st, R1_E_STREAM);
    CU_ASSERT_FALSE(err.retriable);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "uthorization"));
    CU_ASSERT_EQUAL(r1_producer_count(p).renewed, 0);
    r1_producer_free(p);
}

/* What is given up says where it began. */
static void test_where_it_stopped(void)
{
    r1_err err;
    fresh_topic();
    r1_producer *p = producer_made();
    send_numbers(p, 0, HALF);
    CU_ASSERT_EQUAL(r1_producer_flush(p, WAIT_MS, &err), R1_OK);
    rd_kafka_mock_broker_set_down(broker, 1);
    send_numbers(p, HALF, N);
    CU_ASSERT_EQUAL(r1_producer_flush(p, 200, &err), R1_E_STREAM);
    r1_producer_forget(p);
    rd_kafka_mock_broker_set_up(broker, 1);
    const r1_producer_counts c = r1_producer_count(p);
    CU_ASSERT_EQUAL(c.delivered, HALF);
    CU_ASSERT_EQUAL(c.failed, HALF);
    CU_ASSERT_EQUAL(c.first_failed, HALF + 1);
    r1_producer_free(p);
}

int main(void)
{
    static const r1_test_case cases[] = {
        {"messages go on with a new client", test_messages_go_on},
        {"posts are answered, and go on", test_posts_are_answered},
        {"a right that lacks is told", test_a_right_that_lacks_is_told},
        {"what is given up says where it began", test_where_it_stopped},
    };
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "3", why, sizeof why);
    home = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    broker = home ? rd_kafka_mock_cluster_new(home, 1) : NULL;
    if (!broker) return 1;
    int rc = r1_test_run("producer", cases, R1_COUNT(cases));
    rd_kafka_mock_cluster_destroy(broker);
    rd_kafka_destroy(home);
    return rc;
}
