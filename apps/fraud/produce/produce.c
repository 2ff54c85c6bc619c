/* SPDX-License-Identifier: GPL-3.0-or-later */
/* produce.c - sends the lines of a file to a topic in an open loop: line i is due at start + i /
 * rate, whether or not the earlier ones have been taken, and its header sent_us is that intended
 * time. Late sends are counted, never forgiven. */
#include "payment/payment_map.h"
#include "serve/kafka_settings.h"
#include "serve/settings.h"
#include "stream/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const r1_option fraud_produce_rows[] = {
    FRAUD_BROKERS_ROW,
    FRAUD_KAFKA_EXTRA_ROW,
    FRAUD_KAFKA_SETTING_ROW,
    {.name = "topic",
     .section = "kafka",
     .type = R1_OPT_STRING,
     .def = "payments",
     .help = "topic that gets the lines"},
    {.name = "in", .type = R1_OPT_PATH, .help = "file with one JSON object per line"},
    {.name = "map",
     .section = "payments",
     .type = R1_OPT_PATH,
     .help = "mapping file, as of serve: tells which field is the message key"},
    {.name = "rate",
     .type = R1_OPT_FLOAT,
     .def = "0",
     .min = 0,
     .max = 1e6,
     .unit = "payments/s",
     .help = "open-loop rate; 0: as fast as possible"},
    {.name = "skip",
     .type = R1_OPT_INT,
     .def = "0",
     .min = 0,
     .max = 1e12,
     .unit = "lines",
     .help = "lines to pass over at the beginning"},
    {.name = "limit",
     .type = R1_OPT_INT,
     .def = "0",
     .min = 0,
     .max = 1e12,
     .unit = "lines",
     .help = "lines to send at most; 0: all"},
    {.name = "linger",
     .section = "kafka",
     .type = R1_OPT_INT,
     .def = "5",
     .min = 0,
     .max = 1000,
     .unit = "ms",
     .help = "how long the client gathers a set of messages; every set costs the broker and each "
             "fetch of it"},
    {.name = "create",
     .type = R1_OPT_INT,
     .def = "0",
     .min = 0,
     .max = 1024,
     .unit = "partitions",
     .help = "create the topic with so many partitions first, or give it so many"},
    {.name = "json", .type = R1_OPT_BOOL, .def = "false", .help = "print the counts as JSON"},
};
const size_t fraud_produce_n_row = R1_COUNT(fraud_produce_rows);

enum { FILE_BYTES_MAX = 1 << 30 };

typedef struct {
    const char *text;
    size_t len;
    size_t key_at, key_len; /* the value of "from", found in the text; key_len 0: none */
} line;

/* The message key is the paying account. Lines that are not payments go out without one. */
static void produce_find_key(const fraud_map *map, line *l)
{
    fraud_payment p;
    uint64_t content;
    r1_err why;
    char quoted[FRAUD_ACCOUNT_BYTES + 16];
    if (fraud_payment_read(map, l->text, l->len, &p, NULL, &content, &why) == FRAUD_READ_NOTHING ||
        !*p.from)
        return;
    int n = snprintf(quoted, sizeof quoted, "\"%s\"", p.from);
    for (size_t i = 0; i + (size_t)n <= l->len; i++) {
        if (memcmp(l->text + i, quoted, (size_t)n) != 0) continue;
        l->key_at = i + 1;
        l->key_len = (size_t)n - 2;
        return;
    }
}

static r1_status produce_split(const fraud_map *map, char *data, size_t len, size_t skip,
                               size_t limit, line **out, size_t *n, r1_err *err)
{
    size_t cap = 0, seen = 0;
    *out = NULL;
    *n = 0;
    for (char *p = data, *end = data + len; p < end;) {
        char *nl = memchr(p, '\n', (size_t)(end - p));
        size_t bytes = nl ? (size_t)(nl - p) : (size_t)(end - p);
        if (seen++ >= skip && (!limit || *n < limit) && bytes) {
            if (*n == cap) {
                line *grown = r1_realloc_array(*out, cap = cap ? cap * 2 : 4096, sizeof **out);
                if (!grown) R1_FAIL(err, R1_E_NOMEM, "no memory for %zu lines", cap);
                *out = grown;
            }
            (*out)[*n] = (line){.text = p, .len = bytes};
            produce_find_key(map, &(*out)[(*n)++]);
        }
        p += bytes + 1;
    }
    return R1_OK;
}

enum { TICK_US = 1000 };

/* An open loop sends when a payment is due, whatever became of the earlier ones. It wakes once a
 * tick and sends what has come due by then: a wake for each payment costs more processor time
 * than sending it, and delays it hardly less. */
static void wait_for_us(int64_t due)
{
    int64_t now = r1_time_us();
    if (due <= now) return;
    int64_t left = due - now > TICK_US ? due - now : TICK_US;
    struct timespec ts = {.tv_sec = left / 1000000, .tv_nsec = (long)(left % 1000000) * 1000};
    nanosleep(&ts, NULL);
}

typedef struct {
    uint64_t sent, late, delivered, failed;
    int64_t worst_late_us;
    double seconds;
} counts;

static r1_status produce_send_all(r1_producer *p, const r1_options *o, const line *l, size_t n,
                                  counts *c, r1_err *err)
{
    double rate = r1_options_float(o, "rate");
    const char *topic = r1_options_str(o, "topic");
    if (rate > 0) R1_TRY(r1_producer_warm(p, topic, 10000, err));
    int64_t begun = r1_mono_us(), start = r1_time_us() + 20000;
    r1_progress progress;
    r1_progress_begin(&progress, "sending", n);
    for (size_t i = 0; i < n && !r1_cli_stopped(); i++) {
        int64_t due = rate > 0 ? start + (int64_t)((double)i * 1e6 / rate) : r1_time_us();
        wait_for_us(due);
        int64_t behind = r1_time_us() - due;
        if (behind > 2 * TICK_US) c->late++;
        if (behind > c->worst_late_us) c->worst_late_us = behind;
        R1_TRY(r1_producer_send(p, topic, l[i].text + l[i].key_at, l[i].key_len, l[i].text,
                                l[i].len, due, 30000, err));
        c->sent++;
        r1_progress_update(&progress, c->sent, NULL);
    }
    R1_TRY(r1_producer_flush(p, 60000, err));
    c->seconds = (double)(r1_mono_us() - begun) * 1e-6;
    c->delivered = r1_producer_delivered(p);
    c->failed = r1_producer_failed(p);
    r1_progress_end(&progress, c->sent, NULL);
    return R1_OK;
}

static int produce_report(const counts *c, bool json)
{
    const char *form = json ? "{\"sent\": %llu, \"delivered\": %llu, \"failed\": %llu, "
                              "\"late_over_2ms\": %llu, \"worst_late_ms\": "
                              "%.3f, "
                              "\"seconds\": %.3f}\n"
                            : "sent %llu, delivered %llu, failed %llu, more than 2 ms late %llu "
                              "(worst %.3f ms), %.3f s\n";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* one of two literals */
    printf(form, (unsigned long long)c->sent, (unsigned long long)c->delivered,
           (unsigned long long)c->failed, (unsigned long long)c->late,
           (double)c->worst_late_us / 1e3, c->seconds);
#pragma GCC diagnostic pop
    return c->failed || c->delivered != c->sent ? R1_EXIT_PARTIAL : R1_EXIT_OK;
}

int fraud_command_produce(r1_cli_call *call)
{
    const r1_options *o = call->opts;
    if (!r1_options_str(o, "in")) {
        r1_err_set(&call->err, R1_E_INVAL, __FILE__, __LINE__, "expected --in FILE");
        return R1_EXIT_USAGE;
    }
    r1_stream_opts opts = {.brokers = r1_options_str(o, "brokers"),
                           .client_id = "r1-fraud-produce",
                           .extra = r1_options_str(o, "kafka-extra"),
                           .linger_ms = (int)r1_options_int(o, "linger")};
    fraud_kafka_settings(o, &opts);
    char *data = NULL;
    size_t len, n = 0;
    line *lines = NULL;
    counts c = {0};
    r1_producer *p = NULL;
    fraud_map *map = NULL;
    r1_status st = r1_file_read(r1_options_str(o, "in"), FILE_BYTES_MAX, &data, &len, &call->err);
    if (st == R1_OK) st = fraud_map_load(&map, r1_options_str(o, "map"), &call->err);
    if (st == R1_OK)
        st = produce_split(map, data, len, (size_t)r1_options_int(o, "skip"),
                           (size_t)r1_options_int(o, "limit"), &lines, &n, &call->err);
    if (st == R1_OK && r1_options_int(o, "create"))
        st = r1_topic_create(&opts, r1_options_str(o, "topic"), (int)r1_options_int(o, "create"),
                             15000, &call->err);
    if (st == R1_OK) st = r1_producer_new(&p, &opts, &call->err);
    if (st == R1_OK) st = produce_send_all(p, o, lines, n, &c, &call->err);
    r1_producer_free(p);
    fraud_map_free(map);
    free(lines);
    free(data);
    return st == R1_OK ? produce_report(&c, r1_options_bool(o, "json")) : r1_cli_exit(st);
}
