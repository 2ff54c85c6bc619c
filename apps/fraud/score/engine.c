/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine.c - applies payments to the state, captures what scoring needs before each of them, and
 * hands it to the model or the rules. */
#include "score/engine.h"

#include "graph/findings.h"
#include "payment/currency.h"
#include "payment/zone.h"
#include "r1_assert.h"
#include "score/explain.h"
#include "score/rules.h"
#include "score/signs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_DEFAULT = 1024, RINGS_DEFAULT = 1 << 17, TIE_SETS = 1024 };

struct fraud_slot {
    fraud_payment payment;
    int64_t seq, clamped_ms;
    fraud_facts f;
    fraud_signs signs;
    fraud_features features; /* filled when a model scores */
    fraud_slot *next_free;
    bool filled; /* the caller's, until it is released */
    bool kept;   /* a block of its own, cut behind its findings */
    bool signs_off;
    uint8_t n_finding;
    fraud_finding finding[FRAUD_FINDINGS_MAX]; /* last: a kept slot has n_finding of them */
};

struct fraud_engine {
    fraud_state *state;
    fraud_waiting *waiting;
    uint32_t labels_waiting;
    fraud_waiting_row *waiting_rows; /* of the last settle */
    uint64_t tie[TIE_SETS][2];       /* the last labels "fraud", as hashes of payment and time */
    fraud_slot *slots, *free_slot;
    uint32_t n_slot, n_used;
    int64_t last_seq;
    char currency[4]; /* of the newest payment */
    fraud_zone *zone; /* NULL: UTC */
    uint64_t zone_hash;
    bool graph_off, signs_off;
    bool keeps;           /* slots are filled so that they can be kept */
    unsigned capture;     /* FRAUD_CAPTURE_* */
    fraud_scorer *scorer; /* NULL: rules */
    fraud_scoring scoring[FRAUD_SCORE_MAX];
};

/* ---- life ---- */

static r1_status open_scorer(fraud_engine *e, const fraud_engine_opts *o, r1_err *err)
{
    if (!o->model_path || o->r1_off) return R1_OK;
    unsigned off = (o->graph_off ? FRAUD_CAPTURE_GRAPH : 0u) |
                   (o->memory_off ? FRAUD_CAPTURE_MEMORY : 0u) |
                   (o->text_off ? FRAUD_SAMPLE_TEXT : 0u);
    e->capture = FRAUD_CAPTURE_GRAPH & ~off;
    return fraud_scorer_new(&e->scorer, o->model_path, off, o->precision,
                            o->rings_max ? o->rings_max : RINGS_DEFAULT, err);
}

static r1_status open_engine(fraud_engine *e, const fraud_engine_opts *o, r1_err *err)
{
    e->n_slot = o->slots_max ? o->slots_max : SLOTS_DEFAULT;
    e->graph_off = o->graph_off;
    e->signs_off = o->signs_off;
    e->last_seq = INT64_MIN;
    e->slots = calloc(e->n_slot, sizeof *e->slots);
    if (!e->slots) R1_FAIL(err, R1_E_NOMEM, "no memory for %u slots", e->n_slot);
    for (uint32_t i = 0; i < e->n_slot; i++) {
        e->slots[i].next_free = e->free_slot;
        e->free_slot = &e->slots[i];
    }
    R1_TRY(fraud_state_new(&e->state, o->edges_max ? o->edges_max : FRAUD_EDGES_DEFAULT,
                           o->entities_max ? o->entities_max : FRAUD_ENTITIES_DEFAULT,
                           o->pairs_max ? o->pairs_max : FRAUD_PAIRS_DEFAULT, err));
    if (o->zone) {
        R1_TRY(fraud_zone_open(&e->zone, o->zone, err));
        e->zone_hash = r1_hash64(o->zone, strlen(o->zone), 0);
        e->state->zone = e->zone;
    }
    e->labels_waiting = o->labels_waiting ? o->labels_waiting : FRAUD_LABELS_WAITING_DEFAULT;
    R1_TRY(fraud_waiting_new(&e->waiting, e->labels_waiting, err));
    return open_scorer(e, o, err);
}

r1_status fraud_engine_new(fraud_engine **out, const fraud_engine_opts *o, r1_err *err)
{
    *out = NULL;
    fraud_findings_init();
    fraud_engine *e = calloc(1, sizeof *e);
    if (!e) R1_FAIL(err, R1_E_NOMEM, "no memory for the fraud engine");
    r1_status st = open_engine(e, o, err);
    if (st != R1_OK) {
        fraud_engine_free(e);
        return st;
    }
    *out = e;
    return R1_OK;
}

void fraud_engine_free(fraud_engine *e)
{
    if (!e) return;
    fraud_scorer_free(e->scorer);
    fraud_state_free(e->state);
    fraud_zone_free(e->zone);
    fraud_waiting_free(e->waiting);
    free(e->waiting_rows);
    free(e->slots);
    free(e);
}

/* ---- capture ---- */

static int64_t engine_age(const fraud_state *s, const fraud_entity *e)
{
    return e->total[0] + e->total[1] ? s->now - e->first_ts : 0;
}

/* What rules of the user ask for besides. */
static void engine_capture_ages(const fraud_state *s, const fraud_entity *a, const fraud_entity *b,
                                uint32_t pair, const fraud_payment *p, fraud_facts *f)
{
    f->age_from_ms = engine_age(s, a);
    f->age_to_ms = engine_age(s, b);
    f->new_device =
        a->device && *p->device && (r1_hash64(p->device, strlen(p->device), 1) | 1) != a->device;
    if (pair == FRAUD_NONE) return;
    memcpy(f->pair, s->pair[pair].n, sizeof f->pair);
    f->age_pair_ms = s->now - s->pair[pair].first_ts;
}

static void engine_capture(const fraud_state *s, uint32_t from, uint32_t to, const fraud_payment *p,
                           fraud_facts *f)
{
    const fraud_entity *a = &s->entity[from], *b = &s->entity[to];
    memset(f, 0, sizeof *f);
    for (int k = 0; k < FRAUD_N_WINDOW; k++)
        for (int d = 0; d < 2; d++) {
            f->from[k][d] = fraud_state_window(s, from, k, d);
            f->to[k][d] = fraud_state_window(s, to, k, d);
        }
    f->from_known = a->known[0];
    f->to_known = b->known[1];
    uint32_t pair = fraud_state_pair(s, from, to);
    f->pair_28d = pair == FRAUD_NONE ? 0 : fraud_pair_n(s, pair, FRAUD_W_28D);
    f->pair_aged = pair != FRAUD_NONE && f->pair_28d > s->pair[pair].n[FRAUD_W_28D];
    f->pair_since = fraud_pair_since(s, from, to);
    f->from_since = fraud_entity_since(s, from);
    f->to_since = fraud_entity_since(s, to);
    f->now = s->now;
    f->local = s->zone != NULL;
    f->local_ms = fraud_state_local(s, s->now);
    memcpy(f->currency, p->currency, sizeof f->currency);
    f->since_in_ms = a->total[1] ? s->now - a->last_ts[1] : -1;
    f->new_from = !a->total[0];
    f->new_to = !b->total[1];
    f->amount = (double)fraud_hundredths(p) / 100;
    f->ln = fraud_ln1024(fraud_hundredths(p));
    engine_capture_ages(s, a, b, pair, p, f);
}

/* ---- findings ---- */

/* The cheap gate, then igraph. Both read the state only. n: what the new edge closes, where it
 * has been counted already. */
static bool engine_gate(const fraud_state *s, uint32_t from, uint32_t to, const fraud_payment *p,
                        const fraud_patterns *n)
{
    fraud_patterns own;
    if (!fraud_payment_inner(p)) return false;
    if (!n) fraud_patterns_count(s, from, to, fraud_ln1024(fraud_hundredths(p)), &own);
    return fraud_patterns_gate(s, from, to, n ? n : &own);
}

bool fraud_engine_watch(fraud_engine *e, fraud_key_sink sink, void *ctx)
{
    fraud_recall *recall = e->scorer ? fraud_scorer_recall(e->scorer) : NULL;
    if (recall) fraud_recall_watch(recall, sink, ctx);
    return recall != NULL;
}

/* ---- apply ---- */

static fraud_slot *slot_take(fraud_engine *e)
{
    fraud_slot *slot = e->free_slot;
    R1_ASSERT(!slot->filled && e->n_used < e->n_slot, "slot %td is not free, %u of %u are used",
              slot - e->slots, e->n_used, e->n_slot);
    e->free_slot = slot->next_free;
    slot->filled = true;
    e->n_used++;
    return slot;
}

/* What scoring needs, before the payment itself counts. */
static void slot_fill(fraud_engine *e, fraud_slot *slot, const fraud_payment *p, uint32_t from,
                      uint32_t to)
{
    fraud_recall *recall = e->scorer ? fraud_scorer_recall(e->scorer) : NULL;
    slot->payment = *p;
    slot->seq = e->last_seq;
    slot->clamped_ms = e->state->now - p->ts;
    slot->n_finding = 0;
    slot->signs_off = e->signs_off;
    engine_capture(e->state, from, to, p, &slot->f);
    fraud_signs_capture(e->state, p, from, to, &slot->signs);
    if (e->scorer) fraud_capture(e->state, p, from, to, e->capture, &slot->features);
    if (recall) fraud_recall_look(recall, e->state, from, to, &slot->features);
    for (uint32_t i = 0; recall && e->keeps && i < slot->features.n_ref; i++)
        fraud_features_event(e->state, slot->features.ref_seq[i], slot->features.event[i],
                             slot->features.event_cat[i]);
    R1_ASSERT(slot->clamped_ms >= 0, "slot: the clock stands %lld ms behind its payment",
              (long long)-slot->clamped_ms);
}

/* The label that came before its payment counts now. */
static void engine_label_waiting(fraud_engine *e, const char *tx_id)
{
    bool is_fraud;
    if (!fraud_waiting_take(e->waiting, tx_id, &is_fraud)) return;
    r1_status st = fraud_state_label(e->state, tx_id, is_fraud, NULL);
    R1_ASSERT(st == R1_OK, "label: status %d for the newest payment", (int)st);
}

r1_status fraud_engine_apply(fraud_engine *e, const fraud_payment *p, int64_t apply_seq,
                             fraud_slot **out, r1_err *err)
{
    if (out) *out = NULL;
    R1_DEEP_ASSERT(fraud_payment_check(p, NULL) == R1_OK, "payment \"%.63s\" at apply_seq %lld",
                   p->tx_id, (long long)apply_seq);
    if (apply_seq <= e->last_seq)
        R1_FAIL(err, R1_E_INVAL, "apply_seq: expected more than %lld, found %lld",
                (long long)e->last_seq, (long long)apply_seq);
    if (out && !e->free_slot) R1_FAIL(err, R1_E_AGAIN, "all %u slots are in use", e->n_slot);
    e->last_seq = apply_seq;
    fraud_state_advance(e->state, p->ts);
    if (memcmp(e->currency, p->currency, sizeof e->currency) != 0) {
        memcpy(e->currency, p->currency, sizeof e->currency);
        e->state->unit = fraud_currency_unit(p->currency);
    }
    uint32_t from = fraud_state_entity(e->state, p->from, p->from_role),
             to = fraud_state_entity(e->state, p->to, p->to_role);
    fraud_recall *recall = e->scorer ? fraud_scorer_recall(e->scorer) : NULL;
    fraud_slot *slot = out ? slot_take(e) : NULL;
    if (slot) slot_fill(e, slot, p, from, to);
    bool counted = e->scorer && (e->capture & FRAUD_CAPTURE_GRAPH);
    bool search = slot && !e->graph_off &&
                  engine_gate(e->state, from, to, p, counted ? &slot->features.pattern : NULL);
    uint64_t seq = fraud_state_insert(e->state, p, from, to);
    r1_status st = recall ? fraud_recall_add(recall, e->state, seq, e->n_used > 0, err) : R1_OK;
    if (st != R1_OK) { /* the payment counts, its entry of working memory is missing */
        if (slot) fraud_slot_release(e, slot);
        if (err) err->fatal = true;
        return st;
    }
    if (search)
        slot->n_finding =
            (uint8_t)fraud_findings_search(e->state, seq, slot->finding, FRAUD_FINDINGS_MAX);
    engine_label_waiting(e, p->tx_id);
    if (out) *out = slot;
    return R1_OK;
}

void fraud_engine_keeps(fraud_engine *e, bool on) { e->keeps = on; }

static size_t kept_slot_bytes(const fraud_slot *slot)
{
    return offsetof(fraud_slot, finding) + slot->n_finding * sizeof slot->finding[0];
}

size_t fraud_slot_kept_bytes(const fraud_slot *slot) { return kept_slot_bytes(slot); }

fraud_slot *fraud_slot_keep(fraud_engine *e, fraud_slot *slot)
{
    fraud_slot *copy = malloc(kept_slot_bytes(slot));
    R1_ASSERT(slot->filled && !slot->kept, "slot of apply_seq %lld", (long long)slot->seq);
    if (!copy) return NULL;
    memcpy(copy, slot, kept_slot_bytes(slot));
    copy->kept = true;
    fraud_slot_release(e, slot);
    return copy;
}

void fraud_slot_release(fraud_engine *e, fraud_slot *slot)
{
    if (slot->kept) {
        free(slot);
        return;
    }
    R1_ASSERT(slot >= e->slots && slot < e->slots + e->n_slot, "slot %td of %u", slot - e->slots,
              e->n_slot);
    R1_ASSERT(slot->filled && e->n_used > 0, "slot %td is released twice, %u are used",
              slot - e->slots, e->n_used);
    slot->filled = false;
    slot->next_free = e->free_slot;
    e->free_slot = slot;
    e->n_used--;
}

const fraud_payment *fraud_slot_payment(const fraud_slot *slot) { return &slot->payment; }
int64_t fraud_slot_seq(const fraud_slot *slot) { return slot->seq; }
const fraud_facts *fraud_slot_facts(const fraud_slot *slot) { return &slot->f; }
int64_t fraud_slot_clamped_ms(const fraud_slot *slot) { return slot->clamped_ms; }

/* Whether the label contradicts one that says fraud and became known in the same millisecond. */
static bool engine_label_tied(fraud_engine *e, const char *tx_id, bool is_fraud, int64_t ts)
{
    uint64_t mark = r1_hash64(tx_id, strlen(tx_id), (uint64_t)ts) | 1, *set = e->tie[mark >> 54];
    bool known = set[0] == mark || set[1] == mark;
    if (!is_fraud || known) return known && !is_fraud;
    set[1] = set[0];
    set[0] = mark;
    return false;
}

r1_status fraud_engine_label(fraud_engine *e, const char *tx_id, bool is_fraud, int64_t ts,
                             r1_err *err)
{
    if (engine_label_tied(e, tx_id, is_fraud, ts)) return R1_OK;
    r1_status st = fraud_state_label(e->state, tx_id, is_fraud, err);
    if (st == R1_E_NOT_FOUND) fraud_waiting_put(e->waiting, tx_id, is_fraud, ts);
    return st;
}

fraud_waiting *fraud_engine_waiting(fraud_engine *e) { return e->waiting; }
int64_t fraud_engine_clock(const fraud_engine *e) { return e->state->now; }

/* ---- scoring ---- */

static fraud_recall *recall_of(const fraud_engine *e)
{
    return e->scorer ? fraud_scorer_recall(e->scorer) : NULL;
}

static fraud_explained slot_explained(const fraud_slot *slot)
{
    return (fraud_explained){&slot->f,      &slot->features, &slot->payment,
                             slot->finding, slot->n_finding, &slot->signs};
}

static void score_take(const fraud_slot *slot, const fraud_scoring *x, fraud_result *r)
{
    const fraud_explained explained = slot_explained(slot);
    memset(r, 0, offsetof(fraud_result, reason)); /* of the rest, n_reason and n_finding are read */
    r->n_item = FRAUD_N_ITEM;
    for (int i = 0; i < FRAUD_N_ITEM; i++) {
        r->item[i].name = fraud_item_name(i);
        r->item[i].delta = x->delta[i];
    }
    r->prior_logit = x->prior;
    r->logit = x->logit;
    r->probability = x->prob;
    r->amount_max = x->amount_max;
    r->n_outside = x->n_outside;
    if (x->n_outside) memcpy(r->outside, x->outside, sizeof r->outside);
    r->n_finding = slot->n_finding;
    memcpy(r->finding, slot->finding, slot->n_finding * sizeof slot->finding[0]);
    if (!slot->signs_off) fraud_signs_apply(&explained, r);
}

void fraud_engine_explain(const fraud_slot *slot, fraud_result *r)
{
    const fraud_explained x = slot_explained(slot);
    R1_ASSERT(slot->filled, "slot of apply_seq %lld is free", (long long)slot->seq);
    fraud_explain(&x, r);
}

/* Of the slots those that are kept, or those that are not: the two refer to entries of different
 * memories. */
static size_t score_pick(fraud_engine *e, fraud_slot *const *slot, size_t n, bool kept)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        if (slot[i]->kept == kept)
            e->scoring[k++] =
                (fraud_scoring){.features = &slot[i]->features, .payment = &slot[i]->payment};
    return k;
}

static void score_hand_out(fraud_engine *e, fraud_slot *const *slot, size_t n, bool kept,
                           fraud_result *result)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        if (slot[i]->kept == kept) score_take(slot[i], &e->scoring[k++], &result[i]);
}

static r1_status score_by_model(fraud_engine *e, fraud_recall_batch *b, fraud_slot *const *slot,
                                size_t n, fraud_result *result, r1_err *err)
{
    for (size_t i = 0; i < n; i++)
        R1_ASSERT(slot[i]->filled, "slot of apply_seq %lld is free", (long long)slot[i]->seq);
    size_t k = score_pick(e, slot, n, false);
    if (k || b) R1_TRY(fraud_scorer_run(e->scorer, b, e->scoring, k, err));
    score_hand_out(e, slot, n, false, result);
    if (!(k = score_pick(e, slot, n, true))) return R1_OK;
    R1_TRY(fraud_scorer_run_kept(e->scorer, e->scoring, k, err));
    score_hand_out(e, slot, n, true, result);
    return R1_OK;
}

void fraud_engine_score_by_rules(const fraud_slot *slot, fraud_result *result)
{
    const fraud_explained x = slot_explained(slot);
    R1_ASSERT(slot->filled, "slot of apply_seq %lld is free", (long long)slot->seq);
    fraud_rules_score(&slot->f, slot->finding, slot->n_finding, result);
    if (!slot->signs_off) fraud_signs_apply(&x, result);
}

r1_status fraud_engine_offer(fraud_engine *e, fraud_recall_batch **b, r1_err *err)
{
    *b = NULL;
    return recall_of(e) ? fraud_recall_offer(recall_of(e), b, err) : R1_OK;
}

void fraud_engine_taken(fraud_engine *e)
{
    if (recall_of(e)) fraud_recall_taken(recall_of(e));
}

r1_status fraud_engine_score_batch(fraud_engine *e, fraud_recall_batch *b, fraud_slot *const *slot,
                                   size_t n, fraud_result *result, r1_err *err)
{
    if (n > FRAUD_SCORE_MAX)
        R1_FAIL(err, R1_E_INVAL, "expected at most %d payments to score together, found %zu",
                FRAUD_SCORE_MAX, n);
    if (e->scorer) return score_by_model(e, b, slot, n, result, err);
    for (size_t i = 0; i < n; i++) fraud_engine_score_by_rules(slot[i], &result[i]);
    return R1_OK;
}

r1_status fraud_engine_score(fraud_engine *e, fraud_slot *const *slot, size_t n,
                             fraud_result *result, r1_err *err)
{
    fraud_recall_batch *b = NULL;
    bool all_kept = n > 0; /* then nothing waits that this batch would encode */
    for (size_t i = 0; i < n && n <= FRAUD_SCORE_MAX; i++) all_kept = all_kept && slot[i]->kept;
    if (!all_kept && n <= FRAUD_SCORE_MAX) {
        R1_TRY(fraud_engine_offer(e, &b, err));
        fraud_engine_taken(e);
    }
    return fraud_engine_score_batch(e, b, slot, n, result, err);
}

/* ---- capacity ---- */

static uint32_t size_or(uint32_t n, uint32_t otherwise) { return n ? n : otherwise; }

uint64_t fraud_engine_state_bytes(const fraud_engine_opts *o)
{
    return fraud_state_bytes(size_or(o->edges_max, FRAUD_EDGES_DEFAULT),
                             size_or(o->entities_max, FRAUD_ENTITIES_DEFAULT),
                             size_or(o->pairs_max, FRAUD_PAIRS_DEFAULT));
}

void fraud_engine_capacity(const fraud_engine *e, fraud_capacity *out)
{
    const fraud_state *s = e->state;
    fraud_recall *recall = e->scorer ? fraud_scorer_recall(e->scorer) : NULL;
    *out = (fraud_capacity){.accounts = s->entities.used,
                            .accounts_max = s->entities.cap,
                            .accounts_evicted = s->entities.evicted,
                            .accounts_bytes = fraud_state_bytes_of(s, FRAUD_PART_ENTITIES),
                            .edges = s->seq_next - s->seq_first,
                            .edges_max = s->edge_cap,
                            .edges_bytes = fraud_state_bytes_of(s, FRAUD_PART_EDGES),
                            .pairs = s->pairs.used,
                            .pairs_max = s->pairs.cap,
                            .pairs_evicted = s->pairs.evicted,
                            .pairs_bytes = fraud_state_bytes_of(s, FRAUD_PART_PAIRS),
                            .name_bytes = (uint64_t)s->tx_names.n_used * FRAUD_NAME_CHUNK,
                            .name_bytes_max = (uint64_t)s->tx_names.n_chunk * FRAUD_NAME_CHUNK,
                            .cut_edges = s->cut[FRAUD_CUT_EDGES],
                            .cut_names = s->cut[FRAUD_CUT_NAMES],
                            .cut_accounts = s->cut[FRAUD_CUT_ENTITIES],
                            .cut_pairs = s->cut[FRAUD_CUT_PAIRS],
                            .exact_ms = s->cut_ts == FRAUD_NEVER ? -1 : s->now - s->cut_ts,
                            .state_bytes = s->block_bytes};
    if (out->edges) out->oldest_ms = s->now - fraud_state_edge(s, s->seq_first)->ts;
    if (recall) fraud_recall_sizes(recall, &out->rings, &out->rings_max, &out->memory_bytes);
}

bool fraud_engine_outside(const fraud_engine *e, size_t i, char name[64], uint64_t *n)
{
    _Static_assert(FRAUD_COLUMN_NAME_BYTES == 64, "engine.h says so");
    _Static_assert((int)FRAUD_COLUMN_NAME_BYTES == (int)FRAUD_OUTSIDE_BYTES, "a result holds it");
    return e->scorer && fraud_scorer_outside(e->scorer, i, name, n);
}

const fraud_moved *fraud_engine_moved(const fraud_engine *e)
{
    return e->scorer ? fraud_scorer_moved(e->scorer) : NULL;
}

uint64_t fraud_engine_unsure(const fraud_engine *e)
{
    return e->scorer ? fraud_scorer_unsure(e->scorer) : 0;
}

/* ---- what the caller records ---- */

const char *fraud_engine_model_name(const fraud_engine *e)
{
    return e->scorer ? fraud_scorer_name(e->scorer) : "rules";
}
uint64_t fraud_engine_model_hash(const fraud_engine *e)
{
    return e->scorer ? fraud_scorer_hash(e->scorer) : 0;
}
uint64_t fraud_engine_schema_hash(const fraud_engine *e)
{
    return e->scorer ? fraud_scorer_schema(e->scorer) : 0;
}

void fraud_engine_warm(fraud_engine *e)
{
    fraud_state_warm(e->state);
    if (recall_of(e)) r1_memory_warm(fraud_recall_pool(recall_of(e)));
}

uint64_t fraud_engine_digest(fraud_engine *e)
{
    uint64_t state = fraud_state_digest(e->state), waiting = fraud_waiting_digest(e->waiting);
    fraud_recall *recall = recall_of(e);
    if (waiting) state = r1_hash64(&waiting, sizeof waiting, state);
    if (!recall) return state;
    if (!e->n_used) (void)fraud_recall_settle(recall, NULL);
    uint64_t memory = r1_memory_digest(fraud_recall_pool(recall));
    return r1_hash64(&memory, sizeof memory, state);
}

int64_t fraud_engine_last_seq(const fraud_engine *e) { return e->last_seq; }

/* ---- as sections of bytes ---- */

enum { ENGINE_VERSION = 2, WAITING_VERSION = 1, MEMORY_VERSION = 1 };

/* What an engine must have in common with the one that was saved. */
typedef struct {
    uint64_t model, schema;
    int64_t window_ms[FRAUD_N_WINDOW], retention_ms;
    uint64_t memory; /* 1: it has working memory */
    uint64_t labels_waiting, n_waiting;
    int64_t last_seq;
} engine_head;

static engine_head head_of_engine(const fraud_engine *e)
{
    engine_head h = {.model = fraud_engine_model_hash(e),
                     .schema = fraud_engine_schema_hash(e),
                     .retention_ms = FRAUD_RETENTION_MS,
                     .memory = recall_of(e) != NULL,
                     .labels_waiting = e->labels_waiting,
                     .n_waiting = fraud_waiting_count(e->waiting),
                     .last_seq = e->last_seq};
    memcpy(h.window_ms, FRAUD_WINDOW_MS, sizeof h.window_ms);
    return h;
}

uint64_t fraud_engine_form(const fraud_engine *e)
{
    const engine_head own = head_of_engine(e);
    const uint64_t form[] = {ENGINE_VERSION, WAITING_VERSION, MEMORY_VERSION, FRAUD_STATE_VERSION,
                             own.schema,     own.memory,      FRAUD_N_WINDOW};
    uint64_t hash = r1_hash64(form, sizeof form, (uint64_t)own.retention_ms);
    return r1_hash64(own.window_ms, sizeof own.window_ms, hash) ^ e->zone_hash;
}

bool fraud_engine_remembers(const fraud_engine *e) { return recall_of(e) != NULL; }

r1_status fraud_engine_settle(fraud_engine *e, r1_err *err)
{
    if (e->n_used) R1_FAIL(err, R1_E_AGAIN, "%u slots are filled", e->n_used);
    fraud_recall *recall = recall_of(e);
    free(e->waiting_rows);
    e->waiting_rows = calloc((size_t)fraud_waiting_count(e->waiting) + 1, sizeof *e->waiting_rows);
    if (!e->waiting_rows)
        R1_FAIL(err, R1_E_NOMEM, "no memory for %u labels that wait",
                fraud_waiting_count(e->waiting));
    fraud_waiting_save(e->waiting, e->waiting_rows);
    return recall ? fraud_recall_settle(recall, err) : R1_OK;
}

r1_status fraud_engine_save(fraud_engine *e, r1_image_out *out, r1_err *err)
{
    engine_head h = head_of_engine(e);
    R1_TRY(out->section(out, "engine", ENGINE_VERSION, err));
    R1_TRY(out->put(out, &h, sizeof h, err));
    R1_TRY(out->put(out, e->tie, sizeof e->tie, err));
    R1_TRY(fraud_state_save(e->state, out, err));
    const r1_image_array waiting = {"waiting", e->waiting_rows, sizeof *e->waiting_rows,
                                    h.n_waiting, h.n_waiting};
    R1_TRY(r1_image_put_array(out, &waiting, WAITING_VERSION, err));
    if (!recall_of(e)) return R1_OK;
    R1_TRY(out->section(out, "memory", MEMORY_VERSION, err));
    return r1_memory_save(fraud_recall_pool(recall_of(e)), out->put, out, err);
}

static r1_status engine_head_check(const fraud_engine *e, const engine_head *h, r1_err *err)
{
    const engine_head own = head_of_engine(e);
    if (h->model != own.model || h->schema != own.schema)
        R1_FAIL(err, R1_E_FORMAT,
                "engine: expected model %016llx of schema %016llx, found %016llx of %016llx",
                (unsigned long long)own.model, (unsigned long long)own.schema,
                (unsigned long long)h->model, (unsigned long long)h->schema);
    if (memcmp(h->window_ms, own.window_ms, sizeof own.window_ms) != 0 ||
        h->retention_ms != own.retention_ms)
        R1_FAIL(err, R1_E_FORMAT, "engine: expected a longest window of %lld ms, found others",
                (long long)own.window_ms[FRAUD_N_WINDOW - 1]);
    if (h->memory != own.memory)
        R1_FAIL(err, R1_E_FORMAT, "engine: expected %s working memory, found one %s it",
                own.memory ? "a" : "no", h->memory ? "with" : "without");
    if (h->labels_waiting != own.labels_waiting || h->n_waiting > own.labels_waiting)
        R1_FAIL(err, R1_E_FORMAT, "engine: expected room for %llu labels that wait, found %llu",
                (unsigned long long)own.labels_waiting, (unsigned long long)h->labels_waiting);
    return R1_OK;
}

static r1_status read_waiting(fraud_engine *e, r1_image_in *in, uint64_t n, r1_err *err)
{
    fraud_waiting_row *row = calloc((size_t)n + 1, sizeof *row);
    if (!row) R1_FAIL(err, R1_E_NOMEM, "no memory for %llu labels", (unsigned long long)n);
    r1_image_array a = {"waiting", row, sizeof *row, n, n};
    r1_status st = r1_image_get_array(in, &a, WAITING_VERSION, err);
    if (st == R1_OK) st = fraud_waiting_load(e->waiting, row, (size_t)a.n, err);
    free(row);
    return st;
}

static r1_status engine_read(fraud_engine *e, r1_image_in *in, r1_err *err)
{
    engine_head h;
    R1_TRY(in->section(in, "engine", ENGINE_VERSION, err));
    R1_TRY(in->get(in, &h, sizeof h, err));
    R1_TRY(engine_head_check(e, &h, err));
    R1_TRY(in->get(in, e->tie, sizeof e->tie, err));
    R1_TRY(fraud_state_load(e->state, in, err));
    R1_TRY(read_waiting(e, in, h.n_waiting, err));
    if (recall_of(e)) {
        R1_TRY(in->section(in, "memory", MEMORY_VERSION, err));
        R1_TRY(r1_memory_load(fraud_recall_pool(recall_of(e)), in->get, in, err));
    }
    e->last_seq = h.last_seq;
    return R1_OK;
}

r1_status fraud_engine_empty(fraud_engine *e, r1_err *err)
{
    const fraud_state *s = e->state;
    uint32_t edges = s->edge_cap, entities = s->entities.cap, pairs = s->pairs.cap;
    if (e->n_used) R1_FAIL(err, R1_E_AGAIN, "%u slots are filled", e->n_used);
    e->last_seq = INT64_MIN;
    memset(e->tie, 0, sizeof e->tie);
    memset(e->currency, 0, sizeof e->currency);
    fraud_state_free(e->state);
    fraud_waiting_free(e->waiting);
    e->waiting = NULL;
    r1_status st = fraud_state_new(&e->state, edges, entities, pairs, err);
    if (st == R1_OK) e->state->zone = e->zone;
    if (st == R1_OK) st = fraud_waiting_new(&e->waiting, e->labels_waiting, err);
    if (st == R1_OK && recall_of(e)) st = fraud_recall_empty(recall_of(e), err);
    if (st != R1_OK && err) err->fatal = true;
    return st;
}

r1_status fraud_engine_load(fraud_engine *e, r1_image_in *in, r1_err *err)
{
    if (e->last_seq != INT64_MIN || e->n_used)
        R1_FAIL(err, R1_E_INVAL, "engine: expected one that has applied nothing, found %lld",
                (long long)e->last_seq);
    return engine_read(e, in, err);
}
