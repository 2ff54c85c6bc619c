/* SPDX-License-Identifier: Apache-2.0 */
/* example_payment.h - the toy task that the examples share: is this payment fraud? Two items of
 * evidence, a table row and a text.
 *
 * The description names the items and their columns in order; a sample brings one r1_item for
 * each, in the same order. */
#ifndef EXAMPLE_PAYMENT_H
#define EXAMPLE_PAYMENT_H

#include "r1.h"

#include <math.h>
#include <string.h>

static const char payment_description[] =
    "{\"name\": \"payments\", \"d_align\": 64, \"d_model\": 32, \"n_layer\": 1, "
    "\"n_head\": 4, \"n_head_cross\": 4, \"d_ff\": 64,"
    " \"items\": ["
    "  {\"name\": \"payment\", \"kind\": \"table\", \"num\": [\"amount_log\", "
    "\"hour\"], \"cat\": [{\"name\": \"channel\", \"n\": 3}],"
    "   \"n_bin\": 8, \"d_cat\": 4, \"hidden\": 32},"
    "  {\"name\": \"note\", \"kind\": \"text\", \"n_vocab\": 320, "
    "\"n_token_max\": 16, \"hidden\": 16, \"n_layer\": 1, \"n_head\": 2}],"
    " \"heads\": [{\"name\": \"fraud\", \"kind\": \"binary\"}]}";

enum { PAYMENT_ITEMS = 2, CHANNEL_CARD = 0, CHANNEL_TRANSFER, CHANNEL_CASH };

/* A sample borrows what it points to, so its numbers live beside it. */
typedef struct {
    float num[2];
    int32_t channel;
    r1_item item[PAYMENT_ITEMS];
} payment;

/* hour NAN: not known. note NULL: there is none. */
static inline r1_sample payment_sample(payment *p, double amount, double hour, int32_t channel,
                                       const char *note)
{
    *p = (payment){.num = {(float)log10(amount), (float)hour}, .channel = channel};
    p->item[0] = (r1_item){.present = true, .num = p->num, .cat = &p->channel};
    p->item[1] = (r1_item){
        .present = note != NULL, .text = note, .text_bytes = note ? (uint32_t)strlen(note) : 0};
    return (r1_sample){.item = p->item};
}

#endif
