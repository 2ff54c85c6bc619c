/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine.h - the fraud engine: applies payments to its state in order and scores what it
 * captured.
 *
 * State = exact sliding windows of entities and pairs, the ring buffer of recent edges, delayed
 * labels, working memory. (1) Only fraud_engine_apply and fraud_engine_label change state;
 * scores never do.
 * (2) The same calls in the same order give the same state, scores and reasons bit for bit,
 * however the scored slots are
 *     split into batches, whether all or only some of them are scored, and with any number of threads.
 * (3) No wall clock, no I/O, no randomness: time is event time. A payment older than the newest
 * one seen is applied at the
 *     newest time (the state's clock never goes back); the slot's `clamped_ms` says by how much.
 * (4) A slot holds what scoring needs until the next fraud_engine_score: a slot is scored by the
 * first one after its apply, after
 *     any number of other applies, or not at all. At most fraud_engine_opts.slots_max are filled and unreleased at a time.
 * Threads: one thread at a time per engine; one engine with graph findings per process (igraph
 * is not thread-safe here).
 * Errors:  apply takes a payment that fraud_payment_check has passed; sanitizer builds assert it.
 *          It fails for an apply_seq that does not rise; state is then as before. */
#ifndef FRAUD_ENGINE_H
#define FRAUD_ENGINE_H

#include "payment/payment.h"
#include "r1_model.h"

typedef struct fraud_engine fraud_engine;
typedef struct fraud_slot fraud_slot; /* one captured payment */

#define FRAUD_PRECISION_HELP                                                                       \
    "of the model's linear layers and of working memory's entries; auto: 8-bit integers where "    \
    "the model was trained "                                                                       \
    "for them"

typedef struct {
    const char *model_path; /* NULL: no model, the velocity rules score and results say degraded */
    bool r1_off;            /* score by rules although a model is given */
    bool graph_off;         /* no graph item, no patterns, no findings */
    bool memory_off;        /* no working-memory item */
    bool text_off;
    r1_precision precision;
    uint32_t slots_max; /* default 1,024 */
    uint32_t
        /* ring buffer, default 1,048,576; the oldest edge leaves all windows when it is full */
        edges_max;
    uint32_t
        entities_max;   /* default 262,144; the longest idle entity is forgotten when it is full */
    uint32_t pairs_max; /* default 1,048,576 */
    uint32_t rings_max; /* of working memory, one per account and direction, default 131,072 */
    int threads;        /* of the model's session, default 1 */
} fraud_engine_opts;

r1_status fraud_engine_new(fraud_engine **out, const fraud_engine_opts *opts, r1_err *err);
void fraud_engine_free(fraud_engine *e); /* NULL is fine */

/* Applies p (microseconds; no allocation) and, with slot != NULL, captures what scoring needs
 * into a free slot that stays the caller's until fraud_slot_release. slot == NULL: state only
 * (rebuild, or another owner scores it). apply_seq must rise from call to call; R1_E_AGAIN when
 * no slot is free (state untouched). */
r1_status fraud_engine_apply(fraud_engine *e, const fraud_payment *p, int64_t apply_seq,
                             fraud_slot **slot, r1_err *err);
void fraud_slot_release(fraud_engine *e, fraud_slot *slot);
const fraud_payment *fraud_slot_payment(const fraud_slot *slot);
int64_t fraud_slot_seq(const fraud_slot *slot);
int64_t fraud_slot_clamped_ms(const fraud_slot *slot); /* 0: the payment's time was not behind */

/* A label that became known: counts into the entities of the payment from now on. An unknown
 * tx_id (older than the ring) is R1_E_NOT_FOUND, a second label for the same payment replaces
 * the first. ts: when it became known (ms). */
r1_status fraud_engine_label(fraud_engine *e, const char *tx_id, bool is_fraud, int64_t ts,
                             r1_err *err);

/* Shows the key of every entry of working memory as it is made (recall.h); false where the
 * engine has none. */
bool fraud_engine_watch(fraud_engine *e, void (*sink)(void *ctx, const float *key, size_t width),
                        void *ctx);

/* ---- results --------------------------------------------------------------------------------- */

enum {
    FRAUD_ITEMS_MAX = 12,
    FRAUD_REASONS_MAX = 8,
    FRAUD_FINDINGS_MAX = 6,
    FRAUD_FINDING_EDGES_MAX = 24,
    FRAUD_FINDING_ACCOUNTS_MAX = 24
};

typedef struct {
    char code
        /* stable: "receiver_fan_in", "cycle_3", "new_pair"... documented in
         * apps/fraud/score/README.md */
        [32];
    char text[192]; /* the facts, in words, with figures */
    char item[24];  /* evidence item it belongs to */
    double
        /* logit the item added (+) or took away (-); one item's facts share it in equal parts */
        contribution;
} fraud_reason;

typedef enum {
    FRAUD_PATTERN_CYCLE = 0,
    FRAUD_PATTERN_FAN_IN,
    FRAUD_PATTERN_FAN_OUT,
    FRAUD_PATTERN_SCATTER_GATHER,
    FRAUD_PATTERN_GATHER_SCATTER,
    FRAUD_PATTERN_STACK,
    FRAUD_PATTERN_BIPARTITE,
    FRAUD_N_PATTERN
} fraud_pattern;
const char *fraud_pattern_name(unsigned pattern); /* "fan_in"... */

typedef struct {
    uint8_t pattern; /* fraud_pattern */
    uint16_t n_account, n_edge;
    int64_t amount_minor;      /* of the edges listed */
    int64_t ts_first, ts_last; /* of the edges listed */
    char account[FRAUD_FINDING_ACCOUNTS_MAX][FRAUD_ACCOUNT_BYTES];
    struct {
        uint8_t from, to; /* index into account */
        int64_t amount_minor, ts;
        char tx_id[FRAUD_TX_ID_BYTES];
    } edge[FRAUD_FINDING_EDGES_MAX];
} fraud_finding;

typedef struct {
    double probability; /* calibrated, of fraud */
    double logit;       /* calibrated; prior_logit + the sum of item[].delta equals it */
    double prior_logit;
    bool degraded; /* no model: the rules' score */
    uint8_t n_item, n_reason, n_finding;
    struct {
        char name[24];
        double delta;
    } item[FRAUD_ITEMS_MAX];                   /* in evidence order */
    fraud_reason reason[FRAUD_REASONS_MAX];    /* largest |contribution| first */
    fraud_finding finding[FRAUD_FINDINGS_MAX]; /* present whether or not the score is high */
} fraud_result;

enum { FRAUD_SCORE_MAX = 64 };
/* Scores n <= FRAUD_SCORE_MAX slots; result[i] belongs to slot[i]. The slots stay filled. */
r1_status fraud_engine_score(fraud_engine *e, fraud_slot *const *slot, size_t n,
                             fraud_result *result, r1_err *err);

/* The same by the rules alone, at once: for a payment that the model would decide too late. The
 * result says degraded. */
void fraud_engine_score_by_rules(const fraud_slot *slot, fraud_result *result);

/* ---- what the caller records with a decision ------------------------------------------------- */

const char *fraud_engine_model_name(const fraud_engine *e); /* "fraud-s 1" or "rules" */
uint64_t
fraud_engine_model_hash(const fraud_engine *e); /* of the file's bytes; 0 without a model */
uint64_t fraud_engine_schema_hash(const fraud_engine *e); /* of the feature schema */
/* A hash over the entire state (windows, ring, labels, memory); slow: reads all of it. */
uint64_t fraud_engine_digest(const fraud_engine *e);

typedef struct {
    const char *name; /* "edges", "entities", "pairs", "slots" */
    uint64_t used, max;
    uint64_t evicted_early; /* left the state before its longest window ended, because of max */
} fraud_limit;
/* Writes up to cap limits and returns their number. */
size_t fraud_engine_limits(const fraud_engine *e, fraud_limit *out, size_t cap);
int64_t fraud_engine_clock(const fraud_engine *e); /* newest event time, ms; INT64_MIN at first */
int64_t fraud_engine_window_ms(void); /* the longest window: what a rebuild must replay at least */

#endif
