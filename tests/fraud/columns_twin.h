/* SPDX-License-Identifier: GPL-3.0-or-later */
/* columns_twin.h - each column of features/columns.h computed from the plain list of all earlier
 * payments: no windows, no rings and no running sums.
 *
 * A twin has its column's name. An event's numbers are the payment's of the same names. The pattern
 * depth, the other nodes and the other edges of the ego network have none. */
#ifndef COLUMNS_TWIN_H
#define COLUMNS_TWIN_H

#include "features/columns.h"

enum { N_ACCOUNT = 9, N_EXTERNAL = 2 /* the first accounts */, OUT = 0, IN = 1 };
#define HOUR INT64_C(3600000)
#define DAY  INT64_C(86400000)
#define EVER INT64_MAX

typedef struct {
    fraud_payment p;
    int64_t ts, cents, due; /* the newest time so far; hundredths; when its label comes */
    int end[2];             /* accounts: the sender, the receiver */
    bool is_fraud, known;   /* what it is; what was told so far */
} past;

typedef struct {
    const past *list, *new; /* the earlier payments; the one that is asked about */
    int n, self, other;     /* of the list; the end whose columns are asked, and the other end */
    int side;               /* of self: 0 the sender, 1 the receiver */
} question;

typedef struct {
    const char *name;
    double (*value)(const question *q, int direction, int64_t width);
    int direction;
    int64_t width; /* ms */
} twin;

extern const twin END_TWIN[FRAUD_N_END_NUM];
extern const twin PAIR_TWIN[FRAUD_N_PAIR_NUM];
extern const twin PAYMENT_TWIN[FRAUD_N_PAYMENT_NUM];
extern const twin CATEGORY_TWIN[FRAUD_N_PAYMENT_CAT];
extern const twin EVENT_CATEGORY_TWIN[FRAUD_N_EVENT_CAT];
extern const twin NODE_TWIN[FRAUD_N_NODE_NUM];
extern const twin NEW_EDGE_TWIN[FRAUD_N_EDGE_NUM];
extern const twin PATTERN_TWIN[FRAUD_N_PATTERN_NUM - 1];

/* Places of the end's payments of one direction, younger than the width, newest first; at most
 * max. */
int columns_newest(const question *q, int direction, int64_t width, int max, int *at);

#endif
