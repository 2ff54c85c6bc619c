/* SPDX-License-Identifier: GPL-3.0-or-later */
/* protocol.c - the splits, each as its source defines it. */
#include "dataset/protocol.h"

#include <stdlib.h>
#include <string.h>

enum {
    WEEK = 7,
    DELAY = FRAUD_HANDBOOK_DELAY_DAYS,
    HANDBOOK_TRAIN_END = 122, /* days after 2018-04-01: 2018-08-01 */
    CARDS_MAX = 1 << 16,
    SHUFFLE_SEED = 2
};

static int protocol_day_of(const fraud_dataset *d, size_t i)
{
    return (int)((d->cases[i].ts - d->start) / FRAUD_DAY_MS);
}

/* Cards with a fraudulent payment on a day in [from, to) become known. */
static void know_cards(const fraud_dataset *d, int from, int to, uint8_t *known)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->cases[i].label == FRAUD_LABEL_FRAUD && protocol_day_of(d, i) >= from &&
            protocol_day_of(d, i) < to && d->cases[i].from < CARDS_MAX)
            known[d->cases[i].from] = 1;
}

static r1_status handbook_test(const fraud_dataset *d, int train_from, int train_to, uint8_t *use,
                               r1_err *err)
{
    uint8_t *known = calloc(CARDS_MAX, 1);
    if (!known) R1_FAIL(err, R1_E_NOMEM, "no memory for the cards of %zu payments", d->n);
    know_cards(d, train_from, train_to, known);
    for (int k = 0; k < WEEK; k++) {
        int test = train_to + DELAY + k;
        know_cards(d, test - DELAY - 1, test - DELAY, known);
        for (size_t i = 0; i < d->n; i++)
            if (protocol_day_of(d, i) == test &&
                !(d->cases[i].from < CARDS_MAX && known[d->cases[i].from]))
                use[i] = FRAUD_USE_TEST;
    }
    free(known);
    return R1_OK;
}

static r1_status protocol_handbook(const fraud_dataset *d, int week, int train_days, uint8_t *use,
                                   r1_err *err)
{
    int to = HANDBOOK_TRAIN_END + WEEK * week, from = to - train_days;
    for (size_t i = 0; i < d->n; i++) {
        int day = protocol_day_of(d, i);
        if (day >= from && day < to) use[i] = FRAUD_USE_TRAIN;
        if (day >= from - WEEK && day < from) use[i] = FRAUD_USE_VALID;
    }
    return handbook_test(d, to - WEEK < from ? from : to - WEEK, to, use, err);
}

static void protocol_amlgentex(const fraud_dataset *d, bool part_train, uint8_t *use)
{
    for (size_t i = 0; i < d->n; i++)
        use[i] = !part_train                                     ? FRAUD_USE_TEST
                 : protocol_day_of(d, i) < FRAUD_AMLGENTEX_SPLIT ? FRAUD_USE_TRAIN
                                                                 : FRAUD_USE_VALID;
}

static void by_share(const fraud_dataset *d, uint8_t *use)
{
    for (size_t i = 0; i < d->n; i++) {
        if (d->cases[i].label == FRAUD_LABEL_UNKNOWN) continue;
        use[i] = i < d->n / 2        ? FRAUD_USE_TRAIN
                 : i < d->n * 6 / 10 ? FRAUD_USE_VALID
                                     : FRAUD_USE_TEST;
    }
}

static void protocol_recording(const fraud_dataset *d, bool part_train, uint8_t *use)
{
    for (size_t i = 0; i < d->n; i++) {
        if (d->cases[i].label == FRAUD_LABEL_UNKNOWN || protocol_day_of(d, i) < FRAUD_WARM_DAYS)
            continue;
        use[i] = !part_train        ? FRAUD_USE_TEST
                 : i < d->n / 5 * 4 ? FRAUD_USE_TRAIN
                                    : FRAUD_USE_VALID;
    }
}

/* Of each class in a random order: the first fifth is judged, the next tenth validates, the rest
 * trains. */
static r1_status protocol_shuffled(const fraud_dataset *d, uint8_t *use, r1_err *err)
{
    uint32_t *order = malloc((d->n + 1) * sizeof *order);
    if (!order) R1_FAIL(err, R1_E_NOMEM, "no memory for the order of %zu payments", d->n);
    for (uint8_t label = FRAUD_LABEL_GOOD; label <= FRAUD_LABEL_FRAUD; label++) {
        r1_rng rng;
        size_t n = 0;
        r1_rng_seed(&rng, SHUFFLE_SEED);
        for (size_t i = 0; i < d->n; i++) {
            if (d->cases[i].label != label) continue;
            size_t k = (size_t)r1_rng_below(&rng, n + 1);
            order[n++] = order[k];
            order[k] = (uint32_t)i;
        }
        for (size_t k = 0; k < n; k++)
            use[order[k]] = k < n / 5            ? FRAUD_USE_TEST
                            : k < n / 5 + n / 10 ? FRAUD_USE_VALID
                                                 : FRAUD_USE_TRAIN;
    }
    free(order);
    return R1_OK;
}

r1_status fraud_protocol(const fraud_dataset *d, const fraud_protocol_opts *o, uint8_t *use,
                         r1_err *err)
{
    memset(use, FRAUD_USE_NONE, d->n);
    if (d->layout == FRAUD_LAYOUT_HANDBOOK)
        return protocol_handbook(d, o->week, o->train_days, use, err);
    if (d->layout == FRAUD_LAYOUT_AMLGENTEX)
        protocol_amlgentex(d, o->part_train, use);
    else if (d->layout == FRAUD_LAYOUT_R1)
        protocol_recording(d, o->part_train, use);
    else if (o->shuffled)
        return protocol_shuffled(d, use, err);
    else
        by_share(d, use);
    return R1_OK;
}
