/* SPDX-License-Identifier: Apache-2.0 */
/* stream.h - Kafka for both applications: a consumer whose offsets live in PostgreSQL, and a
 * producer.
 *
 * The consumer takes partitions by hand at the offsets that the caller gives (they come from
 * r1.take_partition), so a rebalance never moves work behind the owner's back; auto.offset.reset
 * is `error`, so a gap is reported and never skipped. Offsets committed to Kafka are hints for
 * lag tools. The partitions of all its topics are merged into one order of time.
 *
 * Threads: one thread at a time per handle, but for what says otherwise; librdkafka's own threads
 * stay inside.
 * Errors:  R1_E_STREAM; retriable while librdkafka goes on by itself (broker away), not retriable
 *          for a gap or a refusal. R1_E_INVAL: a setting that librdkafka does not take.
 *          R1_E_NOMEM. */
#ifndef R1_STREAM_H
#define R1_STREAM_H

#include "stream/merge.h"

typedef struct r1_message r1_message;

/* Derives the place of a message, once, when it arrives: key.ms, rank and tie; what is not set is
 * 0. note: memory of the message's own, note_bytes of it, which r1_consumer_poll hands out beside
 * it. */
typedef struct {
    void (*place)(void *ctx, const r1_message *m, void *note, r1_merge_key *key);
    void *ctx;
    size_t note_bytes;
} r1_placer;

enum { R1_STREAM_SETTINGS_MAX = 64 };
/* Pieces of librdkafka's names whose values are secret. */
#define R1_STREAM_SECRETS "password|secret|key.pem|jaas"
typedef struct {
    const char *name, *value;
} r1_stream_setting;

typedef struct {
    const char *brokers;   /* "host:port,host:port" */
    const char *client_id; /* shown in the broker's logs */
    const char *group;     /* consumer: for the hint commits; NULL: none */
    /* "key=value key=value" passed to librdkafka, none of what this room sets; NULL: none */
    const char *extra;
    r1_stream_setting setting[R1_STREAM_SETTINGS_MAX]; /* the same, with any value */
    size_t n_setting;
    int fetch_wait_ms; /* consumer: 1 for the embedded broker, more for a real one; 0: 5 */
    /* consumer: what the broker gathers before it answers a fetch, within the wait; 0: 1 */
    int fetch_min_bytes;
    /* consumer: what is read ahead of each partition, KiB; 0: 1,024. librdkafka looks once a second
     * whether a full queue has room again, so this is also what a second can bring */
    int queue_kib;
    int linger_ms; /* producer */
    /* consumer: how long a message of a live stream waits for an older one, and a backlog for a
     * partition that has more to give; merge.h */
    int merge_hold_ms, merge_wait_ms;
    int64_t merge_leap_ms;
    r1_placer placer; /* consumer; place NULL: the messages' time stamps */
    /* producer: a message waits for its broker for ever instead of five minutes, as others behind
     * it must not overtake it */
    bool patient;
} r1_stream_opts;

/* ---- checks without a connection: R1_E_INVAL with expected and found ---- */

/* A name that Kafka takes: 1 to 249 letters, digits, '.', '_' and '-', not "." or "..". */
r1_status r1_topic_check(const char *name, r1_err *err);
/* What r1_consumer_new and r1_producer_new would refuse: brokers, opts->extra, settings that do not
 * fit each other. A client that knows no broker is made and ended, which takes milliseconds. */
r1_status r1_consumer_check(const r1_stream_opts *opts, r1_err *err);
r1_status r1_producer_check(const r1_stream_opts *opts, r1_err *err);

/* ---- consumer ---- */

enum { R1_PARTITION_PLACES = 16 }; /* messages of a partition that wait for their turn */
enum { R1_TOPICS_MAX = 4, R1_PARTITIONS_MAX = 1024 }; /* of one consumer; of one topic */

typedef struct r1_consumer r1_consumer;

struct r1_message {
    int topic; /* index into the consumer's topics */
    int32_t partition;
    int64_t offset;
    int64_t broker_ms; /* time stamp of the broker or producer, 0 when unknown */
    /* Header "sent_us": intended send time, microseconds since 1970; 0 when absent or absurd. */
    int64_t sent_us;
    const char *key, *payload; /* not terminated; borrowed until r1_message_free */
    size_t key_len, payload_len;
    const void *note; /* what the placer wrote; until the next r1_consumer_poll */
    void *handle;
    size_t n_envelope; /* headers in front that r1_message_header leaves out */
};

/* Where reading a partition begins. */
typedef struct {
    int64_t next_offset;
    int64_t end_offset; /* the broker is known to hold messages below it */
    /* The last message that was read and its identity: it is read once more, and must be the same.
     * witness_offset -1: none is known. */
    int64_t witness_offset;
    uint64_t witness;
} r1_start;

/* topic[0..n_topic-1] are borrowed. */
r1_status r1_consumer_new(r1_consumer **out, const r1_stream_opts *opts, const char *const *topic,
                          int n_topic, r1_err *err);
void r1_consumer_free(r1_consumer *c);                          /* NULL is fine */
const char *r1_consumer_topic(const r1_consumer *c, int topic); /* its name */
/* Number of partitions of the topic; waits at most timeout_ms. R1_E_NOT_FOUND where the topic
 * does not exist; asking does not make it. Any thread. */
r1_status r1_consumer_partitions(r1_consumer *c, int topic, int32_t *n, int timeout_ms,
                                 r1_err *err);
/* Identity of the cluster (KIP-78); the buffer gets "" where the broker has none. */
r1_status r1_consumer_cluster(r1_consumer *c, char *out, size_t size, int timeout_ms, r1_err *err);
/* Before the first partition: messages up to this place were given to an earlier reader. */
void r1_consumer_resume(r1_consumer *c, int64_t place_ms);
/* Reads n further partitions of the topic, from its first one that is not read yet. */
r1_status r1_consumer_add(r1_consumer *c, int topic, const r1_start *start, int32_t n, r1_err *err);
/* R1_OK and a message; R1_E_TIMEOUT when none is due; R1_E_STREAM for errors, not retriable for a
 * gap and for a partition whose witness is another message. Within a partition in order of
 * offsets, among partitions and topics merged by their places (merge.h). */
r1_status r1_consumer_poll(r1_consumer *c, int timeout_ms, r1_message *out, r1_err *err);
void r1_message_free(r1_message *m);
/* A header of a message. Names may come twice, a value may be absent (NULL). */
typedef struct {
    const char *name, *value;
    size_t len; /* of the value */
} r1_header;
enum {
    R1_HEADERS_MAX = 64,       /* that one message is asked for */
    R1_POST_HEADERS_MAX = 1024 /* that one message is sent with */
};
/* Header i of a message in the order of sending; false past the last one. Borrowed until
 * r1_message_free. */
bool r1_message_header(const r1_message *m, size_t i, r1_header *out);
/* A hash of time stamp, key and payload. Two messages that share it are one. */
uint64_t r1_message_identity(const r1_message *m);
r1_merge_stats r1_consumer_merged(const r1_consumer *c);
/* Partitions whose witness was not read again yet. */
uint32_t r1_consumer_unseen(const r1_consumer *c);
/* The partition whose witness was found to be another message last; -1: none. */
int32_t r1_consumer_other(const r1_consumer *c);
/* Whether some message has arrived that was not given yet. */
bool r1_consumer_holds(const r1_consumer *c);
/* Headers sent_us that were no time and were left out. */
uint64_t r1_consumer_absurd(const r1_consumer *c);
/* Offset after the last message of the partition that has arrived. Any thread. */
int64_t r1_consumer_position(r1_consumer *c, int topic, int32_t partition);
/* Asynchronous hint; errors are ignored, they concern lag tools alone. */
void r1_consumer_hint(r1_consumer *c, int topic, int32_t partition, int64_t next_offset);
/* The same for partitions 0..n-1; those of next_offset 0 are left out. Any thread. */
void r1_consumer_hint_all(r1_consumer *c, int topic, const int64_t *next_offset, int32_t n);
/* The next offset that the broker would give, as far as its last answer told: no request. -1: not
 * known. Any thread. */
int64_t r1_consumer_high(const r1_consumer *c, int topic, int32_t partition);
/* First and next offset that the broker holds. Any thread. */
r1_status r1_consumer_range(r1_consumer *c, int topic, int32_t partition, int64_t *low,
                            int64_t *high, int timeout_ms, r1_err *err);

/* ---- producer ---- */

typedef struct r1_producer r1_producer;
enum { R1_PRODUCER_BATCH_BYTES = 32768 }; /* of several messages; one alone may be larger */

/* librdkafka ends a client for good where it and the broker disagree about the numbers of its
 * batches, which happens after the death of a partition's leader. Then another client takes its
 * place, with a log line producer_renewed. What was on its way may stand in the topic twice. Other
 * errors that end a client are told where something is sent. */

/* Borrows the texts of opts until r1_producer_free. */
r1_status r1_producer_new(r1_producer **out, const r1_stream_opts *opts, r1_err *err);
void r1_producer_free(r1_producer *p); /* drops what is not delivered: flush first; NULL is fine */
/* A message of a caller that counts alone. */
typedef struct {
    const char *topic, *key, *payload;
    size_t key_len, payload_len;
    int64_t sent_us; /* header; 0: none */
    uint64_t number; /* of the caller's, from 1, higher with each: says where a failure was */
} r1_sending;
/* Copies the message. Waits while the client's queue is full, at most timeout_ms. A new client
 * sends again what the one before it had on its way, in the order of the numbers. */
r1_status r1_producer_send(r1_producer *p, const r1_sending *m, int timeout_ms, r1_err *err);
/* What became of a message that was posted; written by r1_producer_poll and r1_producer_flush. */
typedef enum {
    R1_ACK_WAITS = 0, /* on its way */
    R1_ACK_DONE,      /* the broker has it, on all its replicas in step */
    R1_ACK_FAILED,    /* it did not arrive, and may be posted again */
    R1_ACK_REFUSED    /* the broker can never take it: too large, or no valid record */
} r1_ack;

/* A message whole: key and payload may be absent (NULL), which is another thing than empty. */
typedef struct {
    const char *topic, *key, *payload;
    size_t key_len, payload_len;
    const r1_header *header;
    size_t n_header; /* at most R1_POST_HEADERS_MAX */
    r1_ack *ack;     /* borrowed until it says something else than R1_ACK_WAITS */
} r1_post;
/* Copies everything but ack, and does not wait. R1_E_AGAIN: the client's queue is full, or a new
 * client has begun, and what was posted before has its answer now. R1_E_INVAL: no broker could
 * take it. */
r1_status r1_producer_post(r1_producer *p, const r1_post *post, r1_err *err);
/* Gives up what is on its way: each message has its answer or is counted as failed afterwards. */
void r1_producer_forget(r1_producer *p);
/* Learns the topic's leaders and gives the client a second to fetch its producer id, which
 * librdkafka does in the background and which holds back the first messages: without this an
 * open loop would measure the client's start. */
r1_status r1_producer_warm(r1_producer *p, const char *topic, int timeout_ms, r1_err *err);
/* R1_E_INVAL where the broker has no such topic: many brokers would make one of any name that a
 * message asks for. The text names the nearest that it has. */
r1_status r1_producer_knows(r1_producer *p, const char *topic, int timeout_ms, r1_err *err);
void r1_producer_poll(r1_producer *p);
r1_status r1_producer_flush(r1_producer *p, int timeout_ms, r1_err *err);
typedef struct {
    uint64_t delivered, failed; /* messages */
    uint64_t first_failed;      /* lowest number of r1_producer_send that failed; 0: none */
    uint64_t renewed, again;    /* clients that took another's place; messages they sent again */
} r1_producer_counts;
r1_producer_counts r1_producer_count(const r1_producer *p);
/* Creates the topic. An existing one gets as many partitions where it has fewer and the broker can
 * add some. The embedded broker chooses their number: fewer than asked for are a warning. */
r1_status r1_topic_create(const r1_stream_opts *opts, const char *topic, int n_partition,
                          int timeout_ms, r1_err *err);

#endif
