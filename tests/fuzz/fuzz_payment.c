/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_payment.c - any bytes as a message of the topics payments and labels: refused with a
 * reason, or a payment that passes its own check and survives being written and read again. */
#include "fuzz/fuzz.h"
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
    err = (r1_err){0};
    if (fraud_label_decode(copy, size, &l, &err) != R1_OK) fuzz_refused(&err);
    free(copy);
    return 0;
}
