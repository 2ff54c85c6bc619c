/* SPDX-License-Identifier: GPL-3.0-or-later */
/* state.h - the transaction graph of the recent past: a ring of edges, the entities and pairs that
 * they join, exact sliding windows over them, and labels that became known.
 *
 * Edges lie in a ring in the order of their clamped time. Each entity's edges are chained newest
 * first by sequence number. An edge that leaves needs no unlinking: a walker stops at the first
 * number that is gone.
 *
 * Windows are exact. An edge is added to every window when it comes. One global tail per window
 * takes it out when it is older than FRAUD_WINDOW_MS[k]: a window holds the edges with
 * now - width < ts <= now. All sums are integers, so no rounding error accumulates and order does
 * not matter. Labels find an edge for FRAUD_RETENTION_MS.
 *
 * Owns:    every array, reserved by fraud_state_new; nothing allocates afterwards.
 * Threads: one at a time.
 * Units:   ms; hundredths of the currency's main unit; 1024 * ln(amount in main units).
 * Errors:  fraud_state_new has R1_E_INVAL or R1_E_NOMEM, fraud_state_label R1_E_NOT_FOUND. */
#ifndef FRAUD_STATE_H
#define FRAUD_STATE_H

#include "files/image.h"
#include "payment/payment.h"

/* The time windows, rising: name in code, length in ms, the length in figures as explanations of
 * items print it, and in words as the rules' reasons do. */
#define FRAUD_WINDOWS(X)                                                                           \
    X(1H, FRAUD_DAY_MS / 24, "1 hour", "an hour")                                                  \
    X(1D, FRAUD_DAY_MS, "1 day", "a day")                                                          \
    X(3D, 3 * FRAUD_DAY_MS, "3 days", "three days")                                                \
    X(7D, 7 * FRAUD_DAY_MS, "7 days", "seven days")                                                \
    X(28D, 28 * FRAUD_DAY_MS, "28 days", "28 days")
#define FRAUD_WINDOW_ID(name, ms, figures, words)   FRAUD_W_##name,
#define FRAUD_WINDOW_DAYS(name, ms, figures, words) FRAUD_DAYS_##name = (ms) / FRAUD_DAY_MS,
enum { FRAUD_WINDOWS(FRAUD_WINDOW_ID) FRAUD_N_WINDOW };
enum { FRAUD_WINDOWS(FRAUD_WINDOW_DAYS) }; /* whole days: FRAUD_DAYS_28D is 28 */
extern const int64_t FRAUD_WINDOW_MS[FRAUD_N_WINDOW];
extern const char *const FRAUD_WINDOW_FIGURES[FRAUD_N_WINDOW];
extern const char *const FRAUD_WINDOW_WORDS[FRAUD_N_WINDOW];
#define FRAUD_RETENTION_MS (INT64_C(56) * FRAUD_DAY_MS) /* edges stay findable for labels */
#define FRAUD_NONE         UINT32_MAX
#define FRAUD_NO_SEQ       UINT64_MAX

typedef struct { /* one entity, one window, one direction (0 out, 1 in) */
    uint32_t n, distinct, fraud;
    int64_t sum;           /* hundredths */
    int64_t ln, ln_square; /* of 1024 * ln(amount in main units) */
} fraud_window;

typedef struct {               /* what is known of an entity's frauds, one direction */
    uint32_t n, n_since_first; /* known frauds; payments since the first one's event time */
    int64_t first_ts, last_ts; /* event times of known frauds */
} fraud_known;

typedef struct {       /* what walks read comes first, in one cache line */
    uint64_t head[2];  /* newest edge out, in; FRAUD_NO_SEQ = none */
    uint64_t total[2]; /* payments ever, out and in */
    int64_t first_ts, last_ts[2];
    uint32_t live; /* edge ends in the ring */
    uint8_t role;
    fraud_window w[FRAUD_N_WINDOW][2];
    fraud_known known[2];
    uint64_t device, country; /* hashes of the last seen on the out side; 0 = none */
    float lat, lon;           /* last position on the out side; NaN = none */
    uint32_t next, lru_prev, lru_next;
    uint64_t key;
    char name[FRAUD_ACCOUNT_BYTES];
} fraud_entity;

typedef struct {
    uint64_t key;
    uint32_t from, to;
    uint32_t n[FRAUD_N_WINDOW];
    int64_t sum28;
    uint64_t total;
    int64_t first_ts, last_ts;
    uint32_t live, next, lru_prev, lru_next;
} fraud_pair;

typedef struct {        /* what walks read: one cache line an edge */
    int64_t ts, amount; /* clamped ms; hundredths */
    uint64_t prev[2];   /* older edge of `from` (out), of `to` (in) */
    uint32_t from, to, pair;
    int32_t ln; /* 1024 * ln(amount in main units) */
    uint8_t kind, fraud, depth, channel;
    bool external[2]; /* role of `from`, of `to` */
    uint8_t line_end[6];
} fraud_edge;
_Static_assert(sizeof(fraud_edge) == 64, "an edge is one cache line");

typedef struct { /* what only labels and findings read of the same edge */
    char tx_id[FRAUD_TX_ID_BYTES];
    uint64_t tx_prev; /* older edge in the same bucket of the tx index */
    uint64_t tx_hash;
} fraud_edge_name;

typedef struct { /* a hash table with LRU over a fixed array; used for entities and pairs */
    uint32_t *bucket;
    uint32_t n_bucket, cap, used, free_head, lru_head, lru_tail; /* lru_head = newest */
    uint64_t evicted;
} fraud_table;

typedef struct fraud_state {
    fraud_edge *edge;
    fraud_edge_name *edge_name; /* at the same index */
    fraud_entity *entity;
    fraud_pair *pair;
    uint64_t *tx_bucket;
    uint32_t edge_cap, tx_mask;
    fraud_table entities, pairs;
    uint64_t seq_next, seq_first;  /* edges seq_first..seq_next-1 are in the ring */
    uint64_t tail[FRAUD_N_WINDOW]; /* oldest edge of each window */
    int64_t now;
} fraud_state;

r1_status fraud_state_new(fraud_state **out, uint32_t edges_max, uint32_t entities_max,
                          uint32_t pairs_max, r1_err *err);
void fraud_state_free(fraud_state *s);

/* Moves the clock (never back) and expires; returns the clamped time. */
int64_t fraud_state_advance(fraud_state *s, int64_t ts);
/* The entity or FRAUD_NONE. */
uint32_t fraud_state_find(const fraud_state *s, const char *name);
/* The entity, made when new; may expire the oldest edges to make room. */
uint32_t fraud_state_entity(fraud_state *s, const char *name, uint8_t role);
uint32_t fraud_state_pair(const fraud_state *s, uint32_t from, uint32_t to); /* or FRAUD_NONE */
/* Adds the payment as the newest edge at s->now. Both entities must exist. */
uint64_t fraud_state_insert(fraud_state *s, const fraud_payment *p, uint32_t from, uint32_t to);
r1_status fraud_state_label(fraud_state *s, const char *tx_id, bool is_fraud, r1_err *err);
uint64_t fraud_state_digest(const fraud_state *s);
/* What is broken in the state, as a sentence; NULL: nothing. Reads all of it. Sanitizer builds call
 * it after a share of the changes. */
const char *fraud_state_fault(const fraud_state *s);
/* The same with one thread for each check. Every link must be known to stay in its array. */
const char *fraud_state_fault_at_once(const fraud_state *s);

/* ---- as sections of bytes: state_image.c ---- */

/* Raised with each change of what a row of the arrays means, where its size stays. */
enum { FRAUD_STATE_VERSION = 1, FRAUD_STATE_SECTIONS_MAX = 24 };
/* All that the state holds, one row an array or a group of numbers; returns how many rows. They
 * point into the state. */
size_t fraud_state_sections(fraud_state *s, r1_image_array out[FRAUD_STATE_SECTIONS_MAX]);
/* Changes nothing, neither allocates nor locks. */
r1_status fraud_state_save(fraud_state *s, r1_image_out *out, r1_err *err);
/* Into a new state of the same capacities. Every index is checked and the invariants hold, or it
 * is R1_E_FORMAT and the state must be freed. */
r1_status fraud_state_load(fraud_state *s, r1_image_in *in, r1_err *err);

static inline bool fraud_state_has(const fraud_state *s, uint64_t seq)
{
    return seq >= s->seq_first && seq < s->seq_next;
}
static inline const fraud_edge *fraud_state_edge(const fraud_state *s, uint64_t seq)
{
    return &s->edge[seq % s->edge_cap];
}
static inline const char *fraud_edge_tx_id(const fraud_state *s, const fraud_edge *edge)
{
    return s->edge_name[edge - s->edge].tx_id;
}
/* Amount in hundredths of the main unit. */
int64_t fraud_hundredths(const fraud_payment *p);
int32_t fraud_ln1024(int64_t hundredths);

#endif
