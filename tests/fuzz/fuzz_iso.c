/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_iso.c - any bytes as a message of ISO 20022: refused with a reason, or payments as JSON that
 * is read as a message, in as many pieces as the parser asks for. */
#include "fuzz/fuzz.h"
#include "payment/message_iso.h"
#include "payment/payment.h"

typedef struct {
    const char *at;
    size_t n;
} iso_bytes;

static int iso_give(void *ctx, char *to, int cap)
{
    iso_bytes *b = ctx;
    size_t n = b->n < (size_t)cap ? b->n : (size_t)cap;
    memcpy(to, b->at, n);
    b->at += n;
    b->n -= n;
    return (int)n;
}

static void iso_message(const fraud_messages_item *item)
{
    static fraud_payment p;
    uint64_t content;
    r1_err why = {0};
    if (item->what == FRAUD_MESSAGES_FAULT) {
        if (!item->why || !*item->why) abort();
        return;
    }
    if (item->len != strlen(item->text)) abort();
    if (fraud_payment_read(NULL, item->text, item->len, &p, NULL, &content, &why) !=
        FRAUD_READ_PAYMENT)
        fuzz_refused(&why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = fuzz_copy(data, size);
    iso_bytes bytes = {copy, size};
    message_iso *x;
    fraud_messages_item item;
    r1_err err = {0};
    if (message_iso_new(&x, iso_give, &bytes, &err) != R1_OK) abort();
    r1_status st;
    while ((st = message_iso_next(x, &item, &err)) == R1_OK && item.what != FRAUD_MESSAGES_END)
        iso_message(&item);
    if (st != R1_OK) fuzz_refused(&err);
    message_iso_free(x);
    free(copy);
    return 0;
}
