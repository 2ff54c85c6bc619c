/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim_stream.c - the messages of a seed: payments among few accounts, with rings, repetitions by a
 * producer, labels early and late, and messages that are odd in all the ways that intake knows. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

enum { ACCOUNTS = 24, PAYMENTS_MIN = 120, PAYMENTS_MORE = 240, TEXT_BYTES = 512 };

typedef struct {
    sim_stream *s;
    r1_rng rng;
    bool at_once;
    int64_t from_us; /* nothing can be read before */
    int64_t open_us; /* of the partition that is added */
    char past[PAYMENTS_MIN + PAYMENTS_MORE][TEXT_BYTES];
    int n_past;
} making;

static uint64_t draw(making *m, uint64_t n) { return r1_rng_below(&m->rng, n); }

static int64_t stamp_of(int64_t us) { return (SIM_WALL_US + us - SIM_BEGIN_US) / 1000; }

static void put(making *m, sim_topic_id topic, int partition, int64_t at_us, const char *key,
                const char *text)
{
    int64_t stamp = stamp_of(at_us), visible = at_us + (int64_t)draw(m, 2000);
    int64_t sent = draw(m, 4) ? stamp * 1000 - (int64_t)draw(m, 3000) : 0;
    if (visible < m->from_us) visible = m->from_us;
    bool there = m->at_once || m->s->history; /* a backlog is there from the beginning on */
    sim_publish(topic, partition, there ? SIM_BEGIN_US : visible, stamp, sent, key, text,
                strlen(text), NULL);
    m->s->n++;
}

static int partition_of(making *m, const char *key, int64_t at_us)
{
    int n = m->s->partitions - (m->s->added && at_us < m->open_us + 8000000);
    return (int)(r1_hash64(key, strlen(key), 7) % (uint64_t)n);
}

static void account(making *m, char out[8], int i)
{
    (void)m;
    snprintf(out, 8, "a%d", i);
}

/* One row per way of being odd; NULL: as in a plain one. */
static const struct {
    const char *ts, *kind, *amount, *currency, *end;
} odd_rows[] = {
    {.amount = "-5"},        {.currency = "XXQ"},     {.ts = "1700000000"}, {.ts = "4102444800000"},
    {.ts = "1262304000000"}, {.ts = "\"yesterday\""}, {.kind = "seance"},   {.end = ""},
    {.end = "} {"},
};

static const char *either(const char *odd, const char *plain) { return odd ? odd : plain; }

static void odd_text(making *m, char *text, int i, int64_t ts, const char *from, const char *to)
{
    size_t row = draw(m, R1_COUNT(odd_rows));
    char at[24];
    snprintf(at, sizeof at, "%lld", (long long)ts);
    snprintf(text, TEXT_BYTES,
             "{\"tx_id\":\"o%d\",\"ts\":%s,\"kind\":\"%s\",\"from\":\"%s\",\"to\":\"%s\","
             "\"amount_minor\":%s,\"currency\":\"%s\"%s",
             i, either(odd_rows[row].ts, at), either(odd_rows[row].kind, "transfer"), from, to,
             either(odd_rows[row].amount, "500"), either(odd_rows[row].currency, "EUR"),
             either(odd_rows[row].end, "}"));
}

static void plain_text(making *m, char *text, int i, int64_t ts, const char *from, const char *to)
{
    static const char *const kinds[] = {"transfer", "transfer", "transfer", "card", "cash"};
    uint64_t amount = draw(m, 4) ? 100 + draw(m, 20000) : 900000 + draw(m, 99999);
    snprintf(text, TEXT_BYTES,
             "{\"tx_id\":\"t%d\",\"ts\":%lld,\"kind\":\"%s\",\"from\":\"%s\",\"to\":\"%s\","
             "\"amount_minor\":%llu,\"currency\":\"EUR\"}",
             i, (long long)ts, kinds[draw(m, R1_COUNT(kinds))], from, to,
             (unsigned long long)amount);
}

static void add_label(making *m, int i, int64_t at_us, int64_t back_ms, int partitions)
{
    char text[128], id[16];
    snprintf(id, sizeof id, "t%d", i);
    snprintf(text, sizeof text, "{\"tx_id\":\"%s\",\"is_fraud\":%s,\"ts\":%lld}", id,
             draw(m, 2) ? "true" : "false", (long long)(stamp_of(at_us) - back_ms));
    put(m, SIM_LABELS, (int)draw(m, (uint64_t)partitions), at_us, id, text);
}

/* How far back message i of n is dated. */
static int64_t back_ms(const making *m, int i, int n)
{
    return m->s->history ? INT64_C(1728000000) / n * (n - i) : 0;
}

/* Payment i, and what comes with it. A ring is three payments in a row. */
static void add_payment(making *m, int i, int n, int64_t at_us)
{
    char from[8], to[8], text[TEXT_BYTES];
    bool ring = i % 12 < 3;
    int a = ring ? i / 12 % (ACCOUNTS / 3) * 3 + i % 3 : (int)draw(m, ACCOUNTS);
    int b = ring ? a / 3 * 3 + (a + 1) % 3 : (a + 1 + (int)draw(m, ACCOUNTS - 1)) % ACCOUNTS;
    account(m, from, a);
    account(m, to, b);
    int64_t ts = stamp_of(at_us) - (m->s->history ? back_ms(m, i, n) : (int64_t)draw(m, 2000));
    int p = partition_of(m, from, at_us);
    if (draw(m, 16) == 0) {
        odd_text(m, text, i, ts, from, to);
        put(m, SIM_PAYMENTS, p, at_us, from, text);
        return;
    }
    plain_text(m, text, i, ts, from, to);
    put(m, SIM_PAYMENTS, p, at_us, from, text);
    memcpy(m->past[m->n_past++], text, TEXT_BYTES);
    uint64_t again = draw(m, 24);
    if (again == 0) { /* the producer's own retry */
        put(m, SIM_PAYMENTS, p, at_us, from, text);
    } else if (again == 1) { /* an older one, wherever its key leads now */
        const char *old = m->past[draw(m, (uint64_t)m->n_past)];
        put(m, SIM_PAYMENTS, partition_of(m, old, at_us), at_us, from, old);
    } else if (again == 2) { /* an id that was used, with other content */
        plain_text(m, text, (int)draw(m, (uint64_t)i + 1), ts, to, from);
        put(m, SIM_PAYMENTS, p, at_us, from, text);
    }
}

/* Messages of one topic are made in the order of time: labels have a walk of their own. */
static void make_messages(making *m, const int64_t *at_us, int n, int label_partitions)
{
    for (int i = 0; i < n; i++) add_payment(m, i, n, at_us[i]);
    for (int i = 0; i < n; i++) {
        if (draw(m, 3)) continue;
        int of = i - 20 + (int)draw(m, 25);
        add_label(m, of < 0 ? 0 : of, at_us[i] + 1000 + (int64_t)draw(m, 9000), back_ms(m, i, n),
                  label_partitions);
    }
}

void sim_stream_make(sim_stream *s, uint64_t seed, bool at_once)
{
    static making m;
    static int64_t at_us[PAYMENTS_MIN + PAYMENTS_MORE];
    memset(&m, 0, sizeof m);
    memset(s, 0, sizeof *s);
    m.s = s;
    m.at_once = at_once;
    r1_rng_seed(&m.rng, seed);
    s->partitions = 1 + (int)draw(&m, 4);
    s->added = s->partitions > 1 && draw(&m, 3) == 0;
    s->history = !s->added && draw(&m, 4) == 0;
    s->anew = !s->added && !s->history && draw(&m, 4) == 0;
    int n = PAYMENTS_MIN + (int)draw(&m, PAYMENTS_MORE), label_partitions = 1 + (int)draw(&m, 2);
    s->begin_us = SIM_BEGIN_US + 2000000;
    int64_t at = s->begin_us;
    for (int i = 0; i < n; i++) { /* in bursts and alone */
        at += draw(&m, 3) ? (int64_t)draw(&m, 8000) : (int64_t)draw(&m, 400000);
        at_us[i] = at;
    }
    s->end_us = at + 20000;
    s->anew_us = s->end_us + 30000000;
    sim_topic_make(SIM_PAYMENTS, s->partitions);
    sim_topic_make(SIM_LABELS, label_partitions);
    sim_topic_make(SIM_DECISIONS, 1);
    sim_topic_make(SIM_DEAD, 1);
    m.open_us = s->begin_us + (at - s->begin_us) / 3;
    if (s->added && !at_once) sim->topic[SIM_PAYMENTS].part[s->partitions - 1].open_us = m.open_us;
    make_messages(&m, at_us, n, label_partitions);
}

void sim_stream_anew(sim_stream *s, uint64_t seed, int64_t from_us)
{
    static making m;
    memset(&m, 0, sizeof m);
    m.s = s;
    m.from_us = from_us;
    r1_rng_seed(&m.rng, seed + 1);
    for (int p = 0; p < s->partitions; p++) s->n_before[p] = sim->topic[SIM_PAYMENTS].part[p].n;
    sim_topic_make(SIM_PAYMENTS, s->partitions);
    int n = 20 + (int)draw(&m, PAYMENTS_MIN);
    int64_t at = s->anew_us + 6000000;
    for (int i = 0; i < n; i++) {
        at += (int64_t)draw(&m, 100000);
        add_payment(&m, 1000 + i, n, at);
    }
    s->end_us = at > from_us ? at : from_us;
}
