/* SPDX-License-Identifier: GPL-3.0-or-later */
/* arrival.c - see arrival.h for the places. */
#include "serve/arrival.h"

#include <string.h>

int64_t fraud_arrival_ms(const fraud_time_band *band, int64_t ts, int64_t message_ms,
                         int64_t machine_ms)
{
    const fraud_time_case c = {ts, message_ms, machine_ms, -1};
    if (fraud_time_judge(band, &c) != FRAUD_TIME_GOOD) return R1_MERGE_NO_TIME;
    bool known = message_ms > 0 && message_ms <= machine_ms + band->ahead_ms;
    int64_t stamp = known ? message_ms : machine_ms;
    return message_ms > 0 && stamp - ts <= FRAUD_LIVE_MS ? stamp : ts;
}

static void arrival_read(const fraud_map *map, fraud_arrival *a, const r1_message *m)
{
    r1_err_clear(&a->why);
    if (m->topic == FRAUD_TOPIC_PAYMENTS) {
        a->reading = fraud_payment_read(map, m->payload, m->payload_len, &a->payment, a->notes,
                                        &a->content, &a->why);
        return;
    }
    r1_status st = fraud_label_decode(m->payload, m->payload_len, &a->label, &a->why);
    a->reading = st == R1_OK ? FRAUD_READ_PAYMENT : FRAUD_READ_NOTHING;
}

void fraud_arrival_place(void *opts, const r1_message *m, void *arrival, r1_merge_key *key)
{
    const fraud_arrival_opts *o = opts;
    fraud_arrival *a = arrival;
    bool payment = m->topic == FRAUD_TOPIC_PAYMENTS;
    int64_t began = r1_mono_us();
    arrival_read(o->map, a, m);
    a->took_us = r1_mono_us() - began;
    a->odd_time = false;
    key->rank = payment;
    key->ms = R1_MERGE_NO_TIME;
    if (a->reading != FRAUD_READ_PAYMENT) return;
    const char *tx_id = payment ? a->payment.tx_id : a->label.tx_id;
    int64_t ts = payment ? a->payment.ts : a->label.ts;
    key->tie = r1_hash64(tx_id, strlen(tx_id), 0);
    key->ms = fraud_arrival_ms(&o->band, ts, m->broker_ms, r1_time_us() / 1000);
    a->odd_time = key->ms == R1_MERGE_NO_TIME;
}
