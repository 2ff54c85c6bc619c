/* SPDX-License-Identifier: Apache-2.0 */
/* merge.h - many sources of messages merged into one order of time.
 *
 * A source is one partition. Its messages keep their order; among sources the oldest goes first.
 * The order depends on what the sources hold, not on when it arrived, as long as these waits see
 * it:
 *
 *     a source without a message     that has more to give        is waited for, at most wait_ms
 *                                    that is at its end           is not waited for
 *     a source whose first message leaps ahead (below), with nothing behind it that tells whether
 *                                    to believe it                as one without a message
 *     the oldest message             younger than hold_ms, and    is held until it is hold_ms old:
 *                                    some source is at its end    an older one may be on its way
 *
 *     a message older than R1_MERGE_PAUSE_MS is held for hold_ms from its arrival on: the broker or
 *       of a source at its end           the reader stood still, others' messages come next
 *
 * A message that came too late all the same is given at once and counted.
 *
 * A message's place: its own time, but never before that of the message in front of it. So one
 * that lies behind keeps its partition's order. One that leaps ahead by more than leap_ms gives
 * back its place where a message behind it contradicts it: one wrong date would else hold up
 * its whole partition. R1_MERGE_BELIEVED messages that agree with it confirm it.
 *
 * Owns:    its places, reserved by r1_merge_new; the items are the caller's.
 * Threads: one at a time.
 * Units:   milliseconds; times of items since 1970, `now_ms` on the same clock, `mono_ms` on one
 *          that never goes back.
 * Errors:  R1_E_NOMEM. */
#ifndef R1_MERGE_H
#define R1_MERGE_H

#include "r1_base.h"

enum { R1_MERGE_BELIEVED = 3, R1_MERGE_PAUSE_MS = 250 };

/* As key.ms: the message has no time of its own. It stands where it is in its source. */
#define R1_MERGE_NO_TIME INT64_MIN

/* A place in the order, decided by the first field that differs. */
typedef struct {
    int64_t ms;    /* the time by which messages are merged */
    uint32_t rank; /* of the kinds of messages that share a millisecond */
    int64_t us;    /* when it was sent, as exactly as that is known */
    uint64_t tie;  /* anything that depends on the message alone */
} r1_merge_key;

typedef struct {
    uint32_t sources_max;
    uint32_t places; /* of each source: messages that have arrived and wait for their turn */
    int64_t hold_ms, wait_ms, leap_ms;
} r1_merge_opts;

typedef struct {
    uint64_t late;   /* given after one whose place is in a later millisecond */
    uint64_t behind; /* times that a source was waited for in vain */
    uint64_t leaps;  /* messages whose leap ahead was contradicted */
} r1_merge_stats;

typedef enum {
    R1_MERGE_EMPTY = 0, /* nothing has arrived */
    R1_MERGE_READY,
    R1_MERGE_HELD,  /* the oldest is too young: *until_ms of now_ms */
    R1_MERGE_BEHIND /* a source has more to give: at most until *until_ms of mono_ms */
} r1_merge_state;

typedef struct r1_merge r1_merge;
r1_status r1_merge_new(r1_merge **out, const r1_merge_opts *opts, r1_err *err);
void r1_merge_free(r1_merge *m); /* NULL is fine */

/* Before the first source: an earlier merge gave messages up to this place. So the first message of
 * a source has something to be held against, and what is behind counts as late. */
void r1_merge_resume(r1_merge *m, int64_t place_ms);
/* One more source, whose number is returned: 0, 1, 2... It is at its end. */
uint32_t r1_merge_open(r1_merge *m);
/* Whether the source has more to give than has arrived. */
void r1_merge_mark(r1_merge *m, uint32_t source, bool more);
uint32_t r1_merge_room(const r1_merge *m, uint32_t source); /* free places */
uint32_t r1_merge_held(const r1_merge *m, uint32_t source); /* taken places */
bool r1_merge_any(const r1_merge *m);                       /* whether any source holds one */
/* The next message of the source, which must have room. stamp_ms: when it was sent, 0 unknown. */
void r1_merge_put(r1_merge *m, uint32_t source, const r1_merge_key *key, int64_t stamp_ms,
                  int64_t now_ms, void *item);
/* READY: takes the next item out. */
r1_merge_state r1_merge_next(r1_merge *m, int64_t now_ms, int64_t mono_ms, uint32_t *source,
                             void **item, int64_t *until_ms);
/* Takes out any item of the source, in its order; NULL: none is left. For the end. */
void *r1_merge_drop(r1_merge *m, uint32_t source);
r1_merge_stats r1_merge_counts(const r1_merge *m);

#endif
