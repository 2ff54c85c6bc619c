/* SPDX-License-Identifier: GPL-3.0-or-later */
/* protocol.h - which payments of a layout are trained on, validated on and judged.
 *
 * handbook: week w (0..3) trains on `train_days` days that end on 2018-07-31 + 7 w, waits 7 days for labels, tests on 7 days; cards
 *   known to be compromised leave (Le Borgne et al. 2022, chapter 3, get_train_test_set); the week before training validates. Weeks
 *   FRAUD_WEEK_EARLIEST..-2 are the same split at earlier dates: settings are chosen there, their last judged day lies before any of week 0.
 * amlgentex: training draws are split at step 126 (before: train; from there: validate); every payment of the judged draw is judged.
 * amlsim, sffsd, sparkov: the first 60 % of the time train (their last sixth validates), the rest is judged. */
#ifndef FRAUD_PROTOCOL_H
#define FRAUD_PROTOCOL_H

#include "dataset.h"

enum { FRAUD_USE_NONE = 0, FRAUD_USE_TRAIN = 1, FRAUD_USE_VALID = 2, FRAUD_USE_TEST = 3 };

/* Earlier weeks, for choosing settings alone; the judged days of week -2 end with 2018-07-31. */
enum { FRAUD_WEEK_EARLIEST = -5, FRAUD_WEEK_EARLIER = -2 };

/* use: u8[d->n]. part_train: this file is one of --train (all of it may be trained on); else it is the judged one. */
void fraud_protocol(const fraud_dataset *d, bool part_train, int week, int train_days, uint8_t *use);

#endif
