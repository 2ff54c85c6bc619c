/* SPDX-License-Identifier: GPL-3.0-or-later */
/* protocol.h - which payments of a data set are trained on, which validate, which are judged.
 *
 * handbook: week w trains on `train_days` days that end 7 * w days after 2018-07-31. It waits
 *   FRAUD_HANDBOOK_DELAY_DAYS for labels and judges the seven days after. Cards that are known to
 *   be compromised leave (Le Borgne et al. 2022, chapter 3, get_train_test_set). The week before
 *   training validates. Weeks FRAUD_WEEK_EARLIEST..FRAUD_WEEK_EARLIER are the same split at earlier
 *   dates, for choosing settings: their last judged day lies before any of week 0.
 * amlgentex: a draw to train on trains before step FRAUD_AMLGENTEX_SPLIT and validates from there.
 *   Every payment of the judged draw is judged.
 * r1: of any recording, the first FRAUD_WARM_DAYS fill the windows and are not used. Of one to
 *   train on, the first four fifths of the payments train and the last fifth validates.
 * amlsim, sffsd, sparkov: of the payments in the order of time, the first half trains, the next
 *   tenth validates, the rest is judged.
 *   With opts.shuffled the labelled payments are drawn at random instead, class by class: seven
 *   tenths train, one tenth validates, two tenths are judged. The published figures of S-FFSD are
 *   made in that way. It flatters: payments of one hour lie on both sides.
 * Owns: nothing. Threads: any. Errors: R1_E_NOMEM. */
#ifndef FRAUD_PROTOCOL_H
#define FRAUD_PROTOCOL_H

#include "dataset/cases.h"

enum { FRAUD_USE_NONE = 0, FRAUD_USE_TRAIN = 1, FRAUD_USE_VALID = 2, FRAUD_USE_TEST = 3 };

enum {
    FRAUD_WEEK_EARLIEST = -5,
    FRAUD_WEEK_EARLIER = -2, /* its judged days end with 2018-07-31 */
    FRAUD_HANDBOOK_DELAY_DAYS = 7,
    FRAUD_AMLGENTEX_SPLIT = 126,
    FRAUD_WARM_DAYS = 14
};

typedef struct {
    bool part_train; /* this is one of --train: all of it may be trained on; else it is judged */
    bool shuffled;
    int week, train_days; /* of the handbook */
} fraud_protocol_opts;

/* use: u8[d->n]. */
r1_status fraud_protocol(const fraud_dataset *d, const fraud_protocol_opts *opts, uint8_t *use,
                         r1_err *err);

#endif
