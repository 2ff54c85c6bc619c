/* SPDX-License-Identifier: GPL-3.0-or-later */
/* protocol.h - which payments of a layout are trained on, validated on and judged.
 *
 * handbook: week w (0..3) trains on `train_days` days that end on 2018-07-31 + 7 w, waits 7 days
 * for labels, tests on 7 days; cards
 *   known to be compromised leave (Le Borgne et al. 2022, chapter 3, get_train_test_set); the week before training validates. Weeks
 *   FRAUD_WEEK_EARLIEST..-2 are the same split at earlier dates: settings are chosen there, their last judged day lies before any of week 0.
 * amlgentex: training draws are split at step 126 (before: train; from there: validate); every
 * payment of the judged draw is judged. r1: a training recording is split in the same way at
 * four fifths of its time; of the judged one all but the first 14 days, which fill the
 *   windows.
 * amlsim, sffsd, sparkov: the first 60 % of the time train (their last sixth validates), the
 * rest is judged. With opts.shuffled the
 *   labelled payments are drawn at random instead, class by class: 70 % train, 10 % validate, 20 % are judged. That is how S-FFSD's
 *   published figures are made, and it flatters: payments of one hour lie on both sides. */
#ifndef FRAUD_PROTOCOL_H
#define FRAUD_PROTOCOL_H

#include "dataset/dataset.h"

enum { FRAUD_USE_NONE = 0, FRAUD_USE_TRAIN = 1, FRAUD_USE_VALID = 2, FRAUD_USE_TEST = 3 };

/* Earlier weeks, for choosing settings alone; the judged days of week -2 end with 2018-07-31. */
enum { FRAUD_WEEK_EARLIEST = -5, FRAUD_WEEK_EARLIER = -2 };

typedef struct {
    bool
        /* this file is one of --train: all of it may be trained on; else it is the judged one */
        part_train;
    bool shuffled;
    int week, train_days;
} fraud_protocol_opts;

/* use: u8[d->n]. */
r1_status fraud_protocol(const fraud_dataset *d, const fraud_protocol_opts *opts, uint8_t *use,
                         r1_err *err);

#endif
