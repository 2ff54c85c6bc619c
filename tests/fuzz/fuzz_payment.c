/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_payment.c - any bytes as a message of the topics payments and labels: refused with a
 * reason, or a payment that passes its own check and survives being written and read again. The
 * notes are JSON, and what a database stores of the message reads as the message does. */
#include "fuzz/fuzz.h"
#include "payment/message_json.h"
#include "payment/notes.h"
#include "payment/payment.h"

static void payment_again(const fraud_payment *p)
{
    char json[FRAUD_PAYMENT_BYTES_MAX];
    size_t len;
    r1_err err = {0};
    fraud_payment q;
    if (fraud_payment_check(p, &err) != R1_OK ||
        fraud_payment_encode(p, json, sizeof json, &len, &err) != R1_OK ||
        fraud_payment_decode(json, len, &q, &err) != R1_OK || memcmp(p, &q, sizeof q) != 0) {
        fprintf(stderr, "%s\n", err.msg);
        abort();
    }
}

/* A message of any kind: notes that are JSON, and the same reading after it was mended. */
static void payment_reading(const char *text, size_t size)
{
    fraud_payment p, q;
    char notes[FRAUD_NOTES_BYTES];
    uint64_t content, again;
    size_t len;
    r1_err why = {0};
    fraud_reading what = fraud_payment_read(NULL, text, size, &p, notes, &content, &why);
    if (what != FRAUD_READ_PAYMENT) fuzz_refused(&why);
    json_t *list = *notes ? json_loads(notes, 0, NULL) : json_array();
    if (!json_is_array(list) || (what != FRAUD_READ_NOTHING && !*p.tx_id)) abort();
    json_decref(list);
    char *mended = fraud_json_mend(text, size, &len);
    if (fraud_payment_read(NULL, mended, len, &q, NULL, &again, &why) != what ||
        memcmp(&p, &q, sizeof p) != 0 || (what == FRAUD_READ_PAYMENT && content != again))
        abort();
    free(mended);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    r1_err err = {0};
    fraud_payment p;
    fraud_label l;
    char *copy = fuzz_copy(data, size);
    if (fraud_payment_decode(copy, size, &p, &err) == R1_OK)
        payment_again(&p);
    else
        fuzz_refused(&err);
    payment_reading(copy, size);
    err = (r1_err){0};
    if (fraud_label_decode(copy, size, &l, &err) != R1_OK) fuzz_refused(&err);
    free(copy);
    return 0;
}
