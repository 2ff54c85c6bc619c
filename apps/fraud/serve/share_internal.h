/* SPDX-License-Identifier: GPL-3.0-or-later */
/* share_internal.h - what share.c and share_claims.c have in common.
 *
 * Owns and threads: as share.h. */
#ifndef FRAUD_SHARE_INTERNAL_H
#define FRAUD_SHARE_INTERNAL_H

#include "serve/share.h"

/* One record of a partition that was another's when it was applied. */
typedef struct held {
    struct held *next;
    size_t bytes;
    fraud_slot *slot; /* kept; NULL where nothing is to be scored */
    fraud_record r;
} held;

typedef struct {
    held *head, *tail;
    int64_t held_from;   /* what lies below is not held */
    int64_t decide_from; /* ours: what lies below was committed by an earlier owner */
    int64_t pushed;      /* ours: offset after the last record in the queue; 0: none */
    bool ours, given, leaves;
    bool grouped; /* the group says that it is this process's */
} share_partition;

/* A snapshot's part: what the state does not tell. Plain data. */
typedef struct {
    uint64_t version;
    int64_t spread; /* partitions of payments when the topic was opened */
    fraud_fleet_place place;
    fraud_time_guard guard;
    char currency[8];
} share_saved;

struct fraud_share {
    fraud_fleet *fleet;
    fraud_genesis genesis;
    bool opened, whole, placed, releases, claims;
    int64_t claim_us; /* monotonic: nothing is claimed before */
    int64_t again_us; /* how long what was claimed by another is left to it */
    uint64_t fences;  /* of the writer, as far as they were looked at */
    int64_t spread;   /* share_saved */
    share_saved saved;
    int64_t committed[FRAUD_EVENT_TOPICS][FRAUD_EVENT_PARTITIONS];
    share_partition of[FRAUD_EVENT_TOPICS][FRAUD_EVENT_PARTITIONS];
    r1_group_event change;
    int32_t n_waits; /* partitions of ours that held something when they became ours */
    fraud_share_stats stats;
    int64_t said_us;  /* monotonic */
    int64_t whole_us; /* monotonic: when each partition was last somebody's; 0: not joined */
    fraud_member member;
};

/* Records below this offset are held no longer. */
void fraud_held_prune(server *s, share_partition *of, int64_t below);

#endif
