/* SPDX-License-Identifier: GPL-3.0-or-later */
/* produce.c - sends the messages of a file or a pipe to a topic in an open loop: message i is due
 * at start + i / rate, whether or not the earlier ones have been taken, and its header sent_us is
 * that intended time. Late sends are counted, never forgiven.
 *
 * The key is the payer's account, so Kafka keeps the order of each account; without one it is the
 * message's id; without both there is none. Such a message is no payment that can be decided, so it
 * is counted, told, and in the exit code, but where --as-lines asks for any line.
 *
 * A topic that the broker has not is refused: one that is misspelt would be made, and nobody would
 * read what was sent. --create makes one. */
#include "payment/message_file.h"
#include "payment/payment_map.h"
#include "serve/kafka_settings.h"
#include "serve/settings.h"
#include "stream/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

const r1_option fraud_produce_rows[] = {
    FRAUD_BROKERS_ROW,
    FRAUD_KAFKA_EXTRA_ROW,
    FRAUD_KAFKA_SETTING_ROW,
    {.name = "topic",
     .section = "kafka",
     .type = R1_OPT_STRING,
     .def = "payments",
     .help = "topic that gets the messages; the broker must have it, or see --create"},
    {.name = "in",
     .type = R1_OPT_PATH,
     .help = "messages, as of check: JSON lines, one JSON array or CSV; -: standard input"},
    {.name = "as-lines",
     .type = R1_OPT_BOOL,
     .def = "false",
     .help = "send each line as it stands, whatever it is"},
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
     .unit = "messages",
     .help = "messages to pass over at the beginning"},
    {.name = "limit",
     .type = R1_OPT_INT,
     .def = "0",
     .min = 0,
     .max = 1e12,
     .unit = "messages",
     .help = "messages to send at most; 0: all"},
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

enum { FAULTS_SHOWN = 12, AHEAD_BYTES = 256 << 20, ANSWER_MS = 15000 };

typedef struct {
    char *text; /* owned, where it was read ahead */
    size_t len;
    uint64_t number; /* of the message in the file, from 1 */
    char key[FRAUD_ACCOUNT_BYTES];
} produced;

typedef struct {
    uint64_t sent, late, keyless, faults, left_out;
    int64_t worst_late_us;
    r1_producer_counts broker; /* what it took */
    double seconds;
} counts;

typedef struct {
    fraud_messages *in;
    const fraud_map *map;
    bool as_lines;
    uint64_t skip, limit, taken; /* limit 0: all */
    uint64_t n_message;          /* of the file, up to now */
    uint64_t n_done;             /* up to the last one that was sent */
    produced *ahead;             /* [n_ahead], owned: read before the clock starts */
    size_t n_ahead, at;
    bool end;
    counts c;
} source;

/* ---- messages ---- */

/* A row that is no message is told at once; the exit code tells it too. */
static void source_fault(source *s, const fraud_messages_item *item)
{
    if (s->c.faults++ < FAULTS_SHOWN)
        fprintf(stderr, "line %zu: not sent: %s\n", item->line, item->why);
    if (s->c.faults == FAULTS_SHOWN)
        fprintf(stderr, "more lines that are not sent are counted alone\n");
}

/* What the mapping file leaves out is not sent, unless lines are sent as they stand. */
static bool source_takes(source *s, const fraud_messages_item *item, produced *l)
{
    r1_err why = {0};
    bool kept = fraud_payment_key(s->map, item->text, item->len, l->key, &why);
    if (!kept && !s->as_lines) {
        if (!s->c.left_out++) fprintf(stderr, "line %zu: not sent: %s\n", item->line, why.msg);
        return false;
    }
    l->text = (char *)(uintptr_t)item->text;
    l->len = item->len;
    return true;
}

/* The next message from the file into *l, whose text is borrowed. */
static r1_status source_read(source *s, produced *l, r1_err *err)
{
    fraud_messages_item item;
    *l = (produced){0};
    while (!s->end && (!s->limit || s->taken < s->limit)) {
        R1_TRY(fraud_messages_next(s->in, &item, err));
        s->end = item.what == FRAUD_MESSAGES_END;
        if (item.what == FRAUD_MESSAGES_FAULT) source_fault(s, &item);
        if (item.what != FRAUD_MESSAGES_ONE) continue;
        s->n_message++;
        if (s->skip) {
            s->skip--;
            continue;
        }
        if (!source_takes(s, &item, l)) continue;
        s->taken++;
        l->number = s->n_message;
        return R1_OK;
    }
    s->end = true;
    return R1_OK;
}

/* With a rate, messages of a file are read ahead, so that reading them takes no time from sending;
 * what a pipe holds is sent as it comes. */
static r1_status source_read_ahead(source *s, r1_err *err)
{
    produced l;
    size_t bytes = 0;
    while (bytes < AHEAD_BYTES) {
        R1_TRY(source_read(s, &l, err));
        if (!l.text) return R1_OK;
        if (s->n_ahead % 4096 == 0) {
            produced *more = r1_realloc_array(s->ahead, s->n_ahead + 4096, sizeof *more);
            if (!more) R1_FAIL(err, R1_E_NOMEM, "no memory for %zu messages", s->n_ahead);
            s->ahead = more;
        }
        char *text = malloc(l.len + 1);
        if (!text) R1_FAIL(err, R1_E_NOMEM, "no memory for %zu messages", s->n_ahead);
        memcpy(text, l.text, l.len);
        l.text = text;
        s->ahead[s->n_ahead++] = l;
        bytes += sizeof l + l.len;
    }
    return R1_OK;
}

/* l->text NULL: there are no more. */
static r1_status source_next(source *s, produced *l, r1_err *err)
{
    if (s->at == s->n_ahead) return source_read(s, l, err);
    *l = s->ahead[s->at++];
    return R1_OK;
}

static void source_end(source *s)
{
    for (size_t i = 0; i < s->n_ahead; i++) free(s->ahead[i].text);
    free(s->ahead);
    fraud_messages_close(s->in);
}

/* ---- sending ---- */

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

static r1_status produce_one(r1_producer *p, const char *topic, source *s, const produced *l,
                             int64_t due, r1_err *err)
{
    counts *c = &s->c;
    wait_for_us(due);
    int64_t behind = r1_time_us() - due;
    if (behind > 2 * TICK_US) c->late++;
    if (behind > c->worst_late_us) c->worst_late_us = behind;
    const r1_sending message = {.topic = topic,
                                .key = l->key,
                                .key_len = strlen(l->key),
                                .payload = l->text,
                                .payload_len = l->len,
                                .sent_us = due,
                                .number = l->number};
    R1_TRY(r1_producer_send(p, &message, 30000, err));
    c->sent++;
    s->n_done = l->number;
    c->keyless += !*l->key;
    return R1_OK;
}

static r1_status produce_loop(r1_producer *p, const r1_options *o, source *s, r1_err *err)
{
    double rate = r1_options_float(o, "rate");
    const char *topic = r1_options_str(o, "topic");
    struct stat of;
    produced l;
    bool file =
        r1_options_str(o, "in") && !stat(r1_options_str(o, "in"), &of) && S_ISREG(of.st_mode);
    if (rate > 0 && file) R1_TRY(source_read_ahead(s, err));
    if (rate > 0) R1_TRY(r1_producer_warm(p, topic, 10000, err));
    int64_t start = r1_time_us() + 20000;
    r1_progress progress;
    r1_progress_begin(&progress, "sending", file ? s->n_ahead : 0);
    r1_status st = R1_OK;
    while (!r1_cli_stopped()) {
        st = source_next(s, &l, err);
        if (st != R1_OK || !l.text) break;
        int64_t due = rate > 0 ? start + (int64_t)((double)s->c.sent * 1e6 / rate) : r1_time_us();
        st = produce_one(p, topic, s, &l, due, err);
        if (st != R1_OK) break;
        r1_progress_update(&progress, s->c.sent, NULL);
    }
    r1_progress_end(&progress, s->c.sent, NULL);
    return st == R1_E_CANCELLED ? R1_OK : st;
}

/* What was sent is waited for and counted, also where the input ends in a fault. */
static r1_status produce_send_all(r1_producer *p, const r1_options *o, source *s, r1_err *err)
{
    int64_t begun = r1_mono_us();
    r1_err why;
    r1_status st = produce_loop(p, o, s, err), flushed = r1_producer_flush(p, 60000, &why);
    if (st == R1_OK && flushed != R1_OK && err) *err = why;
    s->c.seconds = (double)(r1_mono_us() - begun) * 1e-6;
    r1_producer_forget(p); /* what is still on its way counts as failed */
    s->c.broker = r1_producer_count(p);
    return st == R1_OK ? flushed : st;
}

static void produce_counts(const source *s, bool json)
{
    const counts *c = &s->c;
    const char *form =
        json ? "{\"sent\": %llu, \"delivered\": %llu, \"failed\": %llu, \"sent_again\": %llu, "
               "\"late_over_2ms\": %llu, \"worst_late_ms\": "
               "%.3f, "
               "\"seconds\": %.3f, \"without_key\": %llu, \"faults\": %llu, "
               "\"left_out\": %llu}\n"
             : "sent %llu, delivered %llu, failed %llu, sent again %llu, more than 2 ms late %llu "
               "(worst %.3f ms), %.3f s, %llu without payer and id and so without "
               "a key, %llu rows at fault not sent, %llu left out by the mapping file\n";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* one of two literals */
    printf(form, (unsigned long long)c->sent, (unsigned long long)c->broker.delivered,
           (unsigned long long)c->broker.failed, (unsigned long long)c->broker.again,
           (unsigned long long)c->late, (double)c->worst_late_us / 1e3, c->seconds,
           (unsigned long long)c->keyless, (unsigned long long)c->faults,
           (unsigned long long)c->left_out);
#pragma GCC diagnostic pop
}

static bool source_is_left(const source *s) { return !(s->end && s->at == s->n_ahead); }

/* Where it stopped, and how to go on. Whether anything is left to send. */
static bool produce_rest(const source *s, bool broken)
{
    const r1_producer_counts *b = &s->c.broker;
    bool left = (broken || r1_cli_stopped()) && source_is_left(s);
    uint64_t done = b->first_failed ? b->first_failed - 1 : s->n_done;
    if (b->renewed)
        fprintf(stderr,
                "the broker and the client disagreed about what had arrived %llu times, so %llu "
                "messages were sent again and may have come twice; serve knows them by their ids\n",
                (unsigned long long)b->renewed, (unsigned long long)b->again);
    if (b->first_failed)
        fprintf(stderr,
                "message %llu of the file did not arrive, %llu in all: --skip %llu goes on there; "
                "those behind it that came already come twice, and serve knows them by their ids\n",
                (unsigned long long)b->first_failed, (unsigned long long)b->failed,
                (unsigned long long)done);
    else if (left)
        fprintf(stderr,
                "stopped %s behind message %llu of the file; the others were not sent: "
                "--skip %llu goes on\n",
                broken ? "by the fault" : "by a signal", (unsigned long long)done,
                (unsigned long long)done);
    return left;
}

static int produce_report(const source *s, bool broken, bool json)
{
    const counts *c = &s->c;
    char hint[256];
    produce_counts(s, json);
    if (!json) fraud_messages_notes(s->in, stdout);
    if (*fraud_messages_hint(s->in, hint, sizeof hint)) fprintf(stderr, "%s\n", hint);
    bool odd = c->keyless && !s->as_lines;
    if (odd)
        fprintf(stderr,
                "%llu of %llu messages: expected a payer or an id in each, found neither, so their "
                "order is not kept and they cannot be decided: r1-fraud check --in FILE%s says "
                "what they lack\n",
                (unsigned long long)c->keyless, (unsigned long long)c->sent,
                s->map ? " --map MAP" : "");
    bool left = produce_rest(s, broken);
    bool whole = !c->broker.failed && c->broker.delivered == c->sent;
    return odd || left || c->faults || !whole ? R1_EXIT_PARTIAL : R1_EXIT_OK;
}

/* That the topic is there, or is made. */
static r1_status produce_topic(r1_producer *p, const r1_stream_opts *opts, const r1_options *o,
                               r1_err *err)
{
    const char *topic = r1_options_str(o, "topic");
    int n = (int)r1_options_int(o, "create");
    if (n) return r1_topic_create(opts, topic, n, ANSWER_MS, err);
    r1_status st = r1_producer_knows(p, topic, ANSWER_MS, err);
    if (st != R1_E_INVAL) return st;
    r1_err why = *err;
    bool asks = why.msg[0] && why.msg[strlen(why.msg) - 1] == '?';
    R1_FAIL(err, R1_E_INVAL, "%s%s --create N makes it with N partitions", why.msg,
            asks ? "" : ";");
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
    source s = {.as_lines = r1_options_bool(o, "as-lines"),
                .skip = (uint64_t)r1_options_int(o, "skip"),
                .limit = (uint64_t)r1_options_int(o, "limit")};
    r1_producer *p = NULL;
    fraud_map *map = NULL;
    r1_err *err = &call->err;
    r1_status st = fraud_messages_open(&s.in, r1_options_str(o, "in"),
                                       r1_options_bool(o, "as-lines"), r1_cli_stopped, err);
    if (st == R1_OK) st = fraud_map_load(&map, r1_options_str(o, "map"), stderr, err);
    s.map = map;
    if (st == R1_OK) st = r1_producer_new(&p, &opts, err);
    if (st == R1_OK) st = produce_topic(p, &opts, o, err);
    if (st == R1_OK) st = produce_send_all(p, o, &s, err);
    bool broken = st == R1_E_STREAM;
    int code = st == R1_OK || s.c.sent ? produce_report(&s, broken, r1_options_bool(o, "json")) : 0;
    r1_producer_free(p);
    source_end(&s);
    fraud_map_free(map);
    return st == R1_OK || (broken && s.c.sent) ? code : r1_cli_exit(st);
}
