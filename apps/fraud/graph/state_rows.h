/* SPDX-License-Identifier: GPL-3.0-or-later */
/* state_rows.h - what the state is made of: windows, edges, entities, pairs, tables. state.h says
 * how they behave, and aged.h what goes on of edges that had to leave.
 *
 * Owns:  nothing; fraud_state_new makes the state. Threads: one at a time.
 * Units: ms; hundredths of the currency's main unit; 1024 * ln(amount in main units). */
#ifndef FRAUD_STATE_ROWS_H
#define FRAUD_STATE_ROWS_H

#include "graph/names.h"
#include "payment/payment.h"
#include "r1_assert.h"

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
enum {
    FRAUD_WINDOWS(FRAUD_WINDOW_ID) FRAUD_N_WINDOW,
    FRAUD_WIDE_FROM = FRAUD_W_7D, /* from here windows hold logarithms and frauds too */
    FRAUD_N_WIDE = FRAUD_N_WINDOW - FRAUD_WIDE_FROM
};
enum { FRAUD_WINDOWS(FRAUD_WINDOW_DAYS) }; /* whole days: FRAUD_DAYS_28D is 28 */
extern const int64_t FRAUD_WINDOW_MS[FRAUD_N_WINDOW];
extern const char *const FRAUD_WINDOW_FIGURES[FRAUD_N_WINDOW];
extern const char *const FRAUD_WINDOW_WORDS[FRAUD_N_WINDOW];
#define FRAUD_RETENTION_MS (INT64_C(56) * FRAUD_DAY_MS) /* edges stay findable for labels */
#define FRAUD_NONE         UINT32_MAX
#define FRAUD_NO_SEQ       UINT64_MAX
#define FRAUD_NEVER        INT64_MIN /* a time before all others */

typedef struct { /* one entity, one window, one direction (0 out, 1 in), as it is read */
    double n, distinct;
    double sum;                  /* hundredths */
    double fraud, ln, ln_square; /* of 1024 * ln(amount); NaN in windows below FRAUD_WIDE_FROM */
    bool aged;                   /* a part of it rests on aged aggregates */
} fraud_window;

typedef struct { /* the exact part of a window */
    uint32_t n, distinct;
    int64_t sum; /* hundredths */
} fraud_exact;

typedef struct {           /* and of a wide one */
    int64_t ln, ln_square; /* of 1024 * ln(amount in main units) */
    uint32_t fraud;
} fraud_spread;

typedef struct {               /* what is known of an entity's frauds, one direction */
    uint32_t n, n_since_first; /* known frauds; payments since the first one's event time */
    int64_t first_ts, last_ts; /* event times of known frauds */
    uint64_t first_seq;        /* the edge of first_ts, which may be gone */
    int64_t gone_ts;           /* the newest of those whose edges are gone; FRAUD_NEVER: none */
} fraud_known;

typedef struct {       /* what walks read comes first, in one cache line */
    uint64_t head[2];  /* newest edge out, in; FRAUD_NO_SEQ = none */
    uint64_t total[2]; /* payments ever, out and in */
    int64_t first_ts, last_ts[2];
    uint32_t live;      /* edge ends in the ring */
    uint8_t role, born; /* born: how often the row was taken, of two bits */
    fraud_exact w[FRAUD_N_WINDOW][2];
    fraud_spread wide[FRAUD_N_WIDE][2];
    fraud_known known[2];
    uint64_t device, country; /* hashes of the last seen on the out side; 0 = none */
    float lat, lon;           /* last position on the out side; NaN = none */
    uint32_t next, lru_prev, lru_next;
    fraud_name name;
    uint64_t key; /* hash of the name */
} fraud_entity;

typedef struct {
    uint32_t from, to;
    uint32_t n[FRAUD_N_WINDOW];
    uint32_t total; /* payments ever; stays at its maximum */
    int64_t sum28;
    int64_t first_ts, last_ts;
    uint32_t live : 28, from_born : 2, to_born : 2; /* edges in the ring; of the rows it names */
    uint32_t next, lru_prev, lru_next;
} fraud_pair;
_Static_assert(sizeof(fraud_pair) == 72 && sizeof(fraud_entity) == 472, "their price");

typedef struct {
    int64_t ts, amount; /* clamped ms; hundredths */
    uint32_t older[2];  /* how many edges before this one lies the older edge of `from` (out), of
                           `to` (in); 0: none */
    uint32_t from, to, pair;
    int32_t ln;    /* 1024 * ln(amount in main units) */
    uint32_t name; /* place of the tx_id among the names */
    uint8_t kind, depth, channel;
    bool fraud : 1, external_from : 1, external_to : 1; /* roles of the two ends */
} fraud_edge;
_Static_assert(sizeof(fraud_edge) == 48, "ten million edges are 480 MB");

typedef struct {      /* a hash table with LRU over a fixed array; used for entities and pairs */
    uint32_t *bucket; /* row + 1; 0: empty */
    uint32_t n_bucket, cap, used, free_head, lru_head, lru_tail; /* lru_head = newest */
    uint64_t evicted;
    int64_t evicted_ts; /* newest payment of a row that was evicted; FRAUD_NEVER: none was */
} fraud_table;

/* What made room at the cost of an edge that was still in a window. */
typedef enum {
    FRAUD_CUT_EDGES, /* the ring was full */
    FRAUD_CUT_NAMES,
    FRAUD_CUT_ENTITIES, /* every row had an edge */
    FRAUD_CUT_PAIRS,
    FRAUD_N_CUT
} fraud_cut;

typedef struct fraud_aged_entity fraud_aged_entity;
typedef struct fraud_aged_pair fraud_aged_pair;

typedef struct fraud_state {
    void *block;
    size_t block_bytes;
    fraud_edge *edge;
    fraud_entity *entity;
    fraud_pair *pair;
    fraud_aged_entity *aged_entity; /* at the same index; untouched until an edge is cut */
    fraud_aged_pair *aged_pair;
    uint32_t *tx_bucket; /* low bits of the newest edge's number, plus 1 */
    uint32_t edge_cap, tx_mask;
    fraud_table entities, pairs;
    fraud_name_ring tx_names;
    fraud_name_pool names;
    uint64_t seq_next, seq_first;  /* edges seq_first..seq_next-1 are in the ring */
    uint64_t edge_lap;             /* the edge that has, or will have, place 0 in this lap */
    uint64_t tail[FRAUD_N_WINDOW]; /* oldest edge of each window */
    int64_t now;
    int64_t cut_ts; /* newest edge that was cut: exact windows begin after it; FRAUD_NEVER: none */
    uint64_t cut[FRAUD_N_CUT];
    double unit; /* of the newest payment's currency, for columns: fraud_currency_unit */
    const struct fraud_zone *zone; /* in which hours and weekdays are read; NULL: UTC. Borrowed. */
} fraud_state;

/* Whether window k has lost edges before their time. */
static inline bool fraud_state_cut(const fraud_state *s, int k)
{
    return s->cut_ts > s->now - FRAUD_WINDOW_MS[k];
}
static inline bool fraud_state_has(const fraud_state *s, uint64_t seq)
{
    return seq >= s->seq_first && seq < s->seq_next;
}
static inline fraud_edge *fraud_state_edge(const fraud_state *s, uint64_t seq)
{
    uint64_t at = seq - s->edge_lap; /* of the lap before: wraps around */
    R1_DEEP_ASSERT(seq <= s->seq_next && seq + s->edge_cap >= s->seq_next,
                   "ring: edge %llu of %llu, %u places", (unsigned long long)seq,
                   (unsigned long long)s->seq_next, s->edge_cap);
    return &s->edge[at < s->edge_cap ? at : at + s->edge_cap];
}
/* The next older edge of the sender (direction 0) or the receiver of edge seq. */
static inline uint64_t fraud_edge_older(const fraud_edge *edge, uint64_t seq, int direction)
{
    return edge->older[direction] ? seq - edge->older[direction] : FRAUD_NO_SEQ;
}
static inline bool fraud_edge_external(const fraud_edge *edge, int end)
{
    return end ? edge->external_to : edge->external_from;
}

#endif
