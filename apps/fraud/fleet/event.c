/* SPDX-License-Identifier: GPL-3.0-or-later */
/* event.c - see event.h. */
#include "fleet/event.h"

#include <endian.h>
#include <string.h>

enum { EVENT_VERSION = 1, CHECKED = FRAUD_EVENT_BYTES - 8 };
static const char event_magic[4] = {'R', '1', 'E', 'V'};

static void put64(uint8_t *at, uint64_t x)
{
    x = htole64(x);
    memcpy(at, &x, sizeof x);
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t x;
    memcpy(&x, at, sizeof x);
    return le64toh(x);
}

static void put32(uint8_t *at, uint32_t x)
{
    x = htole32(x);
    memcpy(at, &x, sizeof x);
}

static uint32_t get32(const uint8_t *at)
{
    uint32_t x;
    memcpy(&x, at, sizeof x);
    return le32toh(x);
}

void fraud_event_write(const fraud_event *e, uint8_t out[FRAUD_EVENT_BYTES])
{
    memcpy(out, event_magic, sizeof event_magic);
    out[4] = EVENT_VERSION;
    out[5] = 0;
    out[6] = (uint8_t)e->kind;
    out[7] = (uint8_t)e->topic;
    put32(out + 8, (uint32_t)e->partition);
    put32(out + 12, e->cut);
    put64(out + 16, (uint64_t)e->epoch);
    put64(out + 24, (uint64_t)e->number);
    put64(out + 32, e->log);
    put64(out + 40, (uint64_t)e->offset);
    put64(out + 48, (uint64_t)e->broker_ms);
    put64(out + 56, (uint64_t)e->sent_us);
    put64(out + 64, (uint64_t)e->machine_ms);
    put64(out + CHECKED, r1_hash64(out, CHECKED, EVENT_VERSION));
}

static r1_status event_bounds(const fraud_event *e, r1_err *err)
{
    if (e->kind < FRAUD_EVENT_GENESIS || e->kind >= FRAUD_N_EVENT_KIND)
        R1_FAIL(err, R1_E_FORMAT, "event: expected a kind of 1 to %d, found %d",
                FRAUD_N_EVENT_KIND - 1, (int)e->kind);
    if (e->topic < 0 || e->topic >= FRAUD_EVENT_TOPICS || e->partition < 0 ||
        e->partition >= FRAUD_EVENT_PARTITIONS || e->offset < 0 || e->offset == INT64_MAX)
        R1_FAIL(err, R1_E_FORMAT,
                "event: expected a topic below %d, a partition below %d and an offset, found %d, "
                "%d and %lld",
                FRAUD_EVENT_TOPICS, FRAUD_EVENT_PARTITIONS, e->topic, e->partition,
                (long long)e->offset);
    if (e->epoch < 1 || e->number < 0 || e->number == INT64_MAX)
        R1_FAIL(err, R1_E_FORMAT, "event: expected an epoch and a number, found %lld and %lld",
                (long long)e->epoch, (long long)e->number);
    if (e->broker_ms < 0 || e->sent_us < 0 || e->machine_ms < 0)
        R1_FAIL(err, R1_E_FORMAT, "event: expected times since 1970, found %lld, %lld and %lld",
                (long long)e->broker_ms, (long long)e->sent_us, (long long)e->machine_ms);
    return R1_OK;
}

r1_status fraud_event_read(fraud_event *e, const void *bytes, size_t len, r1_err *err)
{
    const uint8_t *in = bytes;
    if (len != FRAUD_EVENT_BYTES || memcmp(in, event_magic, sizeof event_magic) != 0)
        R1_FAIL(err, R1_E_FORMAT, "event: expected %d bytes that begin with R1EV, found %zu others",
                FRAUD_EVENT_BYTES, len);
    unsigned version = in[4] | (unsigned)in[5] << 8;
    if (version != EVENT_VERSION)
        R1_FAIL(err, R1_E_FORMAT, "event: expected version %d, found %u: update this program",
                EVENT_VERSION, version);
    uint64_t found = r1_hash64(in, CHECKED, EVENT_VERSION);
    if (get64(in + CHECKED) != found)
        R1_FAIL(err, R1_E_FORMAT, "event: expected the checksum %016llx, found %016llx",
                (unsigned long long)get64(in + CHECKED), (unsigned long long)found);
    *e = (fraud_event){.kind = (fraud_event_kind)in[6],
                       .topic = in[7],
                       .partition = (int32_t)get32(in + 8),
                       .cut = get32(in + 12),
                       .epoch = (int64_t)get64(in + 16),
                       .number = (int64_t)get64(in + 24),
                       .log = get64(in + 32),
                       .offset = (int64_t)get64(in + 40),
                       .broker_ms = (int64_t)get64(in + 48),
                       .sent_us = (int64_t)get64(in + 56),
                       .machine_ms = (int64_t)get64(in + 64)};
    return event_bounds(e, err);
}

fraud_fold_verdict fraud_fold_take(fraud_fold *f, const fraud_event *e)
{
    if (!f->begun) {
        if (e->kind != FRAUD_EVENT_GENESIS) return FRAUD_FOLD_VOID;
        *f = (fraud_fold){.begun = true, .log = e->log, .number = e->number};
        return FRAUD_FOLD_GENESIS;
    }
    if (e->log != f->log || e->kind == FRAUD_EVENT_GENESIS) return FRAUD_FOLD_VOID;
    if (e->kind == FRAUD_EVENT_MARKER) {
        if (e->epoch <= f->epoch) return FRAUD_FOLD_VOID;
        f->epoch = e->epoch;
        return FRAUD_FOLD_MARKER;
    }
    if (e->epoch != f->epoch || e->number != f->number + 1) return FRAUD_FOLD_VOID;
    f->number = e->number;
    return FRAUD_FOLD_MESSAGE;
}
