/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_event.c - any bytes as the header of an event and as a genesis: refused with a reason, or
 * written again to the same. */
#include "fleet/event.h"
#include "fuzz/fuzz.h"

static void event_repair(uint8_t *data, size_t size)
{
    uint64_t sum;
    if (size != FRAUD_EVENT_BYTES) return;
    memcpy(data, "R1EV\1", 6);
    sum = r1_hash64(data, FRAUD_EVENT_BYTES - 8, 1);
    memcpy(data + FRAUD_EVENT_BYTES - 8, &sum, sizeof sum);
}

static void event_try(const uint8_t *data, size_t size)
{
    fraud_event e;
    r1_err err = {0};
    uint8_t again[FRAUD_EVENT_BYTES];
    if (fraud_event_read(&e, data, size, &err) != R1_OK) {
        fuzz_refused(&err);
        return;
    }
    fraud_event_write(&e, again);
    if (memcmp(again, data, size) != 0) abort();
}

static void genesis_try(const uint8_t *data, size_t size)
{
    static fraud_genesis g, again;
    r1_err err = {0};
    if (fraud_genesis_read(&g, (const char *)data, size, &err) != R1_OK) {
        fuzz_refused(&err);
        return;
    }
    char *text = fraud_genesis_write(&g);
    if (!text || fraud_genesis_read(&again, text, strlen(text), &err) != R1_OK ||
        again.last_seq != g.last_seq)
        abort();
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    event_try(data, size);
    if (size >= FRAUD_EVENT_BYTES) fuzz_twice(data, FRAUD_EVENT_BYTES, event_repair, event_try);
    char *copy = fuzz_copy(data, size);
    genesis_try((const uint8_t *)copy, size);
    free(copy);
    return 0;
}
