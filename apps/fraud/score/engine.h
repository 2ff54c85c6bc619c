/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine.h - the fraud engine: applies payments to its state in order and scores what it captured.
 *
 * The state is exact sliding windows of entities and pairs, the ring of recent edges, delayed
 * labels and working memory.
 * (1) fraud_engine_apply and fraud_engine_label alone change state; scores never do.
 * (2) The same calls in the same order give the same state, scores and reasons bit for bit. It
 *     does not matter how the slots are split into batches, whether all or some of them are
 *     scored, or how many threads run.
 * (3) There is no wall clock, no I/O, no randomness: time is event time. A payment older than the
 *     newest one seen is applied at the newest time, because the state's clock never goes back.
 *     The slot's `clamped_ms` says by how much.
 * (4) A slot holds what scoring needs until the next fraud_engine_score. It is scored by the first
 *     one after its apply, after any number of other applies, or not at all. At most
 *     fraud_engine_opts.slots_max are filled and unreleased at a time.
 *
 * Owns:    state, slots, model. Threads: one at a time per engine, and one more that scores a batch
 *          meanwhile (fraud_engine_score_batch); one engine with findings per process, because
 *          igraph is not thread-safe here.
 * Errors:  apply takes a payment that fraud_payment_check has passed; sanitizer builds assert it.
 *          Where it fails for an apply_seq that does not rise or for want of a slot, state is as
 *          before. Where working memory fails, the payment counts without its entry: err->fatal
 *          says that this engine is finished, and no slot is taken. */
#ifndef FRAUD_ENGINE_H
#define FRAUD_ENGINE_H

#include "files/image.h"
#include "payment/payment.h"
#include "r1_model.h"
#include "score/moved.h"
#include "score/result.h"
#include "score/waiting.h"

typedef struct fraud_engine fraud_engine;
typedef struct fraud_slot fraud_slot;                 /* one captured payment */
typedef struct fraud_recall_batch fraud_recall_batch; /* recall.h */

#define FRAUD_PRECISION_HELP                                                                       \
    "of the model's linear layers and of working memory's entries; auto: 8-bit integers where "    \
    "the model was trained "                                                                       \
    "for them"

/* Plain numbers, because settings print them. */
#define FRAUD_DEFAULT_MODEL          "models/fraud-s-int8.gguf" /* serve, replay */
#define FRAUD_EDGES_DEFAULT          1048576
#define FRAUD_ENTITIES_DEFAULT       262144
#define FRAUD_PAIRS_DEFAULT          1048576
#define FRAUD_LABELS_WAITING_DEFAULT 100000

typedef struct {
    const char *model_path; /* NULL: no model, the velocity rules score and results say degraded */
    bool r1_off;            /* score by rules although a model is given */
    bool graph_off;         /* no graph item, no patterns, no findings */
    bool memory_off;        /* no working-memory item */
    bool text_off;
    bool signs_off; /* the model's or the rules' own score, without floors (signs.h) */
    r1_precision precision;
    const char *zone; /* of the customers, by a name of the tz database: what hour and weekday a
                         payment has; NULL: UTC */
    /* 0: the default. What is full forgets its oldest edge or its longest idle row. */
    uint32_t slots_max;      /* 1,024 */
    uint32_t edges_max;      /* of the ring: FRAUD_EDGES_DEFAULT */
    uint32_t entities_max;   /* FRAUD_ENTITIES_DEFAULT */
    uint32_t pairs_max;      /* FRAUD_PAIRS_DEFAULT */
    uint32_t rings_max;      /* of working memory, one per account and direction: 131,072 */
    uint32_t labels_waiting; /* FRAUD_LABELS_WAITING_DEFAULT */
} fraud_engine_opts;

r1_status fraud_engine_new(fraud_engine **out, const fraud_engine_opts *opts, r1_err *err);
void fraud_engine_free(fraud_engine *e); /* NULL is fine */
/* Before a live stream: touches the memory that its first payments will use. */
void fraud_engine_warm(fraud_engine *e);

/* Applies p (microseconds; no allocation) and, with slot != NULL, captures what scoring needs
 * into a free slot that stays the caller's until fraud_slot_release. slot == NULL: state only
 * (rebuild, or another owner scores it). apply_seq must rise from call to call; R1_E_AGAIN when
 * no slot is free (state untouched). */
r1_status fraud_engine_apply(fraud_engine *e, const fraud_payment *p, int64_t apply_seq,
                             fraud_slot **slot, r1_err *err);
void fraud_slot_release(fraud_engine *e, fraud_slot *slot);
/* A copy of a filled slot, which it releases. The copy may be scored at any time, by any later
 * fraud_engine_score, and changes nothing of what a snapshot or another batch needs: with it a
 * payment waits until it is known who decides it. fraud_slot_release frees it. The apply that
 * filled the slot stood between two calls of fraud_engine_keeps. NULL: memory is short, and the
 * slot is the caller's as before. */
fraud_slot *fraud_slot_keep(fraud_engine *e, fraud_slot *slot);
size_t fraud_slot_kept_bytes(const fraud_slot *slot); /* of a copy */
/* From now on slots are filled so that they can be kept. */
void fraud_engine_keeps(fraud_engine *e, bool on);
const fraud_payment *fraud_slot_payment(const fraud_slot *slot);
int64_t fraud_slot_seq(const fraud_slot *slot);
const struct fraud_facts *fraud_slot_facts(const fraud_slot *slot); /* score/rules.h */
int64_t fraud_slot_clamped_ms(const fraud_slot *slot); /* 0: the payment's time was not behind */

/* A label that became known: counts into the entities of the payment from now on. It never moves
 * the state's clock. A second label for the same payment replaces the first. Of two that became
 * known in the same millisecond "fraud" holds, whichever comes first: partitions have no order
 * within it. R1_E_NOT_FOUND: the
 * payment is unknown. The label then waits for it (waiting.h), and counts directly after the
 * payment, should it come. ts: when it became known (ms). */
r1_status fraud_engine_label(fraud_engine *e, const char *tx_id, bool is_fraud, int64_t ts,
                             r1_err *err);

/* Labels that wait for their payment. Borrowed; a snapshot saves and loads it. */
fraud_waiting *fraud_engine_waiting(fraud_engine *e);
/* Newest event time applied (ms); negative: nothing was applied yet. */
int64_t fraud_engine_clock(const fraud_engine *e);

/* Shows the key of every entry of working memory as it is made (recall.h); false where the
 * engine has none. */
bool fraud_engine_watch(fraud_engine *e, void (*sink)(void *ctx, const float *key, size_t width),
                        void *ctx);

/* ---- capacity -------------------------------------------------------------------------------- */

typedef struct {
    uint64_t accounts, accounts_max, accounts_evicted, accounts_bytes; /* bytes: reserved */
    uint64_t edges, edges_max, edges_bytes;
    uint64_t pairs, pairs_max, pairs_evicted, pairs_bytes;
    uint64_t name_bytes, name_bytes_max; /* of the ids of edges */
    /* Edges that left while a window still held them, by what was full. They count in aged
     * windows since. */
    uint64_t cut_edges, cut_names, cut_accounts, cut_pairs;
    int64_t exact_ms;  /* exact windows reach back so far; -1: nothing was ever cut */
    int64_t oldest_ms; /* age of the oldest edge; 0: there is none */
    uint64_t state_bytes;
    uint64_t rings, rings_max, memory_bytes; /* of working memory; 0 where it is off */
} fraud_capacity;

/* How full the state is and what it reserves. @locality the engine's thread */
void fraud_engine_capacity(const fraud_engine *e, fraud_capacity *out);
/* Column i, from 0, that was ever far outside of what the model's training saw, as
 * "receiver.in_n_1h", and of how many payments. false behind the last one. */
bool fraud_engine_outside(const fraud_engine *e, size_t i, char name[64], uint64_t *n);
/* How far the scored payments have moved from the model's training (moved.h); NULL: no model. */
const fraud_moved *fraud_engine_moved(const fraud_engine *e);
/* How many scores were unsure for such a column (signs.h). */
uint64_t fraud_engine_unsure(const fraud_engine *e);
/* What the state of such an engine reserves, without working memory. */
uint64_t fraud_engine_state_bytes(const fraud_engine_opts *opts);

/* ---- scoring --------------------------------------------------------------------------------- */

/* Scores n <= FRAUD_SCORE_MAX slots, kept ones among them; result[i] belongs to slot[i]. The slots
 * stay filled. */
r1_status fraud_engine_score(fraud_engine *e, fraud_slot *const *slot, size_t n,
                             fraud_result *result, r1_err *err);

/* The same in two halves, so that another thread scores while this one applies. The engine's thread
 * offers what it has applied, and says when it was taken: payments that it applies from then on are
 * of the next batch. The scoring thread gets the slots and b, one batch at a time. It must be done
 * before the next batch is taken, and before any function here is called that asks for no filled
 * slot. b is NULL where working memory is off. Slots are released on the engine's thread. */
r1_status fraud_engine_offer(fraud_engine *e, fraud_recall_batch **b, r1_err *err);
void fraud_engine_taken(fraud_engine *e);
/* @locality the scoring thread */
r1_status fraud_engine_score_batch(fraud_engine *e, fraud_recall_batch *b, fraud_slot *const *slot,
                                   size_t n, fraud_result *result, r1_err *err);

/* The same by the rules alone, at once: for a payment that the model would decide too late. The
 * result says degraded. */
void fraud_engine_score_by_rules(const fraud_slot *slot, fraud_result *result);

/* Puts the reasons, with words, to the result of a slot that is still filled. Scoring leaves them
 * out, as most payments are allowed and nobody reads theirs. @locality any thread */
void fraud_engine_explain(const fraud_slot *slot, fraud_result *result);

/* ---- what the caller records with a decision ------------------------------------------------- */

const char *fraud_engine_model_name(const fraud_engine *e); /* "fraud-s" or "rules" */
uint64_t fraud_engine_model_hash(const fraud_engine *e);    /* of the file; 0 without a model */
uint64_t fraud_engine_schema_hash(const fraud_engine *e);   /* of the feature schema */
/* Of what shapes the state beside settings: versions of its bytes, windows, the schema. */
uint64_t fraud_engine_form(const fraud_engine *e);
bool fraud_engine_remembers(const fraud_engine *e); /* it has working memory, of its model */
/* A hash over the state: windows, ring, labels, those that wait included, working memory.
 * Encodes what waits, where no slot is filled. Slow: reads all of it. */
uint64_t fraud_engine_digest(fraud_engine *e);

/* ---- the engine as sections of bytes --------------------------------------------------------- */

/* Before fraud_engine_save, on the engine's thread: R1_E_AGAIN while a slot is filled. */
r1_status fraud_engine_settle(fraud_engine *e, r1_err *err);
/* Model, capacities, state and working memory of a settled engine. It changes nothing, allocates
 * nothing and takes no lock: a child of fork may call it. */
r1_status fraud_engine_save(fraud_engine *e, r1_image_out *out, r1_err *err);
/* Into an engine with the same model and capacities that has applied nothing. From then on it gives
 * the scores of the one that was saved. R1_E_FORMAT where the bytes are damaged, or of another
 * model, capacity or version: the message says which. After a failure the engine can be emptied or
 * freed, no more. */
r1_status fraud_engine_load(fraud_engine *e, r1_image_in *in, r1_err *err);
/* As fraud_engine_new made it. err->fatal: it is finished. */
r1_status fraud_engine_empty(fraud_engine *e, r1_err *err);
int64_t fraud_engine_last_seq(const fraud_engine *e); /* apply_seq; INT64_MIN: none yet */

#endif
