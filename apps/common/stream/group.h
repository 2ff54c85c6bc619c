/* SPDX-License-Identifier: Apache-2.0 */
/* group.h - membership in a consumer group that says who owns which partitions. It reads no
 * message: whoever owns a partition gets its messages by another way.
 *
 * Assignment is cooperative (KIP-429, cooperative-sticky): partitions that stay with their owner
 * are not taken from it. Partitions and topics that are added are given out by themselves.
 *
 *     GIVEN   these are ours from now on
 *     TAKEN   another one gets these, after r1_group_release: first end what is under way
 *     LOST    for session_ms the broker did not hear of us, or we of it: others may have these
 *
 * Owns:    a client with its threads. Borrows the topics' names.
 * Threads: one at a time, but for r1_group_hint_all.
 * Errors:  R1_E_STREAM; R1_E_INVAL where the broker refuses session_ms. */
#ifndef R1_GROUP_H
#define R1_GROUP_H

#include "stream/stream.h"

typedef enum { R1_GROUP_NOTHING = 0, R1_GROUP_GIVEN, R1_GROUP_TAKEN, R1_GROUP_LOST } r1_group_kind;

enum { R1_GROUP_PARTITIONS_MAX = R1_TOPICS_MAX * R1_PARTITIONS_MAX };
typedef struct {
    r1_group_kind kind;
    int n;
    struct {
        int topic; /* index into the group's topics */
        int32_t partition;
    } at[R1_GROUP_PARTITIONS_MAX];
} r1_group_event;

typedef struct r1_group r1_group;
/* opts->group names the group. The partitions of the first n_given topics are given out; offsets of
 * all may be told. session_ms: a member that the broker has not heard of for so long
 * is dead. */
r1_status r1_group_new(r1_group **out, const r1_stream_opts *opts, const char *const *topic,
                       int n_topic, int n_given, int session_ms, r1_err *err);
/* Leaves the group, so that others get the partitions at once; NULL is fine. */
void r1_group_free(r1_group *g);
/* What changed, within timeout_ms. Call it often: the broker hears of us by it, too. After TAKEN
 * nothing comes before r1_group_release. */
r1_status r1_group_poll(r1_group *g, int timeout_ms, r1_group_event *out, r1_err *err);
void r1_group_release(r1_group *g);
/* Offsets of partitions 0..n-1 for lag tools, asynchronously; those of next_offset 0 are left out.
 * Any thread. */
void r1_group_hint_all(r1_group *g, int topic, const int64_t *next_offset, int32_t n);

#endif
