/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine.c - applies payments to the state, captures what scoring needs before each of them, and hands it to the model or the rules. */
#include "engine.h"
#include "explain.h"
#include "rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLOTS_DEFAULT = 1024,
    EDGES_DEFAULT = 1 << 20,
    ENTITIES_DEFAULT = 1 << 18,
    PAIRS_DEFAULT = 1 << 20,
    CYCLE_LENGTH_MAX = 5,
    WALK_MAX = 400
};

struct fraud_slot {
    fraud_payment payment;
    int64_t seq, clamped_ms;
    fraud_facts f;
    fraud_features features; /* filled when a model scores */
    uint8_t n_finding;
    fraud_finding finding[FRAUD_FINDINGS_MAX];
    fraud_slot *next_free;
};

struct fraud_engine {
    fraud_state *state;
    fraud_slot *slots, *free_slot;
    uint32_t n_slot, n_used;
    int64_t last_seq;
    bool graph_off;
    unsigned capture;     /* FRAUD_CAPTURE_* */
    fraud_scorer *scorer; /* NULL: rules */
    fraud_scoring scoring[FRAUD_SCORER_BATCH];
};

/* ---- life ---- */

static r1_status open_scorer(fraud_engine *e, const fraud_engine_opts *o, r1_err *err)
{
    if (!o->model_path || o->r1_off) return R1_OK;
    unsigned off = (o->graph_off ? FRAUD_CAPTURE_GRAPH : 0u) | (o->memory_off ? FRAUD_CAPTURE_MEMORY : 0u) |
                   (o->text_off ? FRAUD_SAMPLE_TEXT : 0u);
    e->capture = (FRAUD_CAPTURE_GRAPH | FRAUD_CAPTURE_MEMORY) & ~off;
    return fraud_scorer_new(&e->scorer, o->model_path, off, err);
}

r1_status fraud_engine_new(fraud_engine **out, const fraud_engine_opts *o, r1_err *err)
{
    *out = NULL;
    fraud_engine *e = calloc(1, sizeof *e);
    if (!e) R1_FAIL(err, R1_E_NOMEM, "no memory for the fraud engine");
    e->n_slot = o->slots_max ? o->slots_max : SLOTS_DEFAULT;
    e->graph_off = o->graph_off;
    e->last_seq = INT64_MIN;
    e->slots = calloc(e->n_slot, sizeof *e->slots);
    r1_status st =
        e->slots ? R1_OK : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for %u slots", e->n_slot);
    if (st == R1_OK)
        st = fraud_state_new(&e->state, o->edges_max ? o->edges_max : EDGES_DEFAULT,
                             o->entities_max ? o->entities_max : ENTITIES_DEFAULT,
                             o->pairs_max ? o->pairs_max : PAIRS_DEFAULT, err);
    if (st == R1_OK) st = open_scorer(e, o, err);
    if (st != R1_OK) {
        fraud_engine_free(e);
        return st;
    }
    for (uint32_t i = 0; i < e->n_slot; i++) {
        e->slots[i].next_free = e->free_slot;
        e->free_slot = &e->slots[i];
    }
    *out = e;
    return R1_OK;
}

void fraud_engine_free(fraud_engine *e)
{
    if (!e) return;
    fraud_scorer_free(e->scorer);
    fraud_state_free(e->state);
    free(e->slots);
    free(e);
}

/* ---- capture ---- */

static void capture(const fraud_state *s, uint32_t from, uint32_t to, const fraud_payment *p, fraud_facts *f)
{
    const fraud_entity *a = &s->entity[from], *b = &s->entity[to];
    memset(f, 0, sizeof *f);
    memcpy(f->from, a->w, sizeof f->from);
    memcpy(f->to, b->w, sizeof f->to);
    f->from_known = a->known[0];
    f->to_known = b->known[1];
    uint32_t pair = fraud_state_pair(s, from, to);
    f->pair_28d = pair == FRAUD_NONE ? 0 : s->pair[pair].n[FRAUD_W_28D];
    f->since_in_ms = a->total[1] ? s->now - a->last_ts[1] : -1;
    f->new_from = !a->total[0];
    f->new_to = !b->total[1];
    f->amount = (double)fraud_hundredths(p) / 100;
    f->ln = fraud_ln1024(fraud_hundredths(p));
}

/* ---- findings ---- */

static uint8_t account_index(fraud_finding *f, const char *name)
{
    for (uint8_t i = 0; i < f->n_account; i++)
        if (!strcmp(f->account[i], name)) return i;
    snprintf(f->account[f->n_account], FRAUD_ACCOUNT_BYTES, "%s", name);
    return (uint8_t)f->n_account++;
}

static bool add_edge(const fraud_state *s, fraud_finding *f, const fraud_edge *e)
{
    if (f->n_edge == FRAUD_FINDING_EDGES_MAX || f->n_account + 2 > FRAUD_FINDING_ACCOUNTS_MAX) return false;
    uint8_t from = account_index(f, s->entity[e->from].name), to = account_index(f, s->entity[e->to].name);
    f->edge[f->n_edge].from = from;
    f->edge[f->n_edge].to = to;
    f->edge[f->n_edge].amount_minor = e->amount;
    f->edge[f->n_edge].ts = e->ts;
    memcpy(f->edge[f->n_edge].tx_id, e->tx_id, FRAUD_TX_ID_BYTES);
    if (!f->n_edge || e->ts < f->ts_first) f->ts_first = e->ts;
    if (!f->n_edge || e->ts > f->ts_last) f->ts_last = e->ts;
    f->amount_minor += e->amount;
    f->n_edge++;
    return true;
}

/* seq, or FRAUD_NO_SEQ where that edge has left the ring or is older than `since`. */
static uint64_t still(const fraud_state *s, uint64_t seq, int64_t since)
{
    bool gone = seq == FRAUD_NO_SEQ || !fraud_state_has(s, seq) || fraud_state_edge(s, seq)->ts < since;
    return gone ? FRAUD_NO_SEQ : seq;
}

typedef struct {
    const fraud_state *s;
    uint32_t target;
    int64_t since;
    uint64_t path[CYCLE_LENGTH_MAX];
    int budget;
} walk;

/* Money that came to `at` before `ts`, back along its way to the target: a cycle through the new edge (from -> to) is a path from
 * `to` ... to `from`, so we walk backwards from `from` and look for `to`. */
static int walk_back(walk *w, uint32_t at, int64_t ts, int depth)
{
    for (uint64_t q = still(w->s, w->s->entity[at].head[1], w->since); q != FRAUD_NO_SEQ;
         q = still(w->s, fraud_state_edge(w->s, q)->prev[1], w->since)) {
        if (--w->budget < 0) return 0;
        const fraud_edge *e = fraud_state_edge(w->s, q);
        if (e->ts > ts || e->from == at) continue;
        w->path[depth] = q;
        if (e->from == w->target) return depth + 1;
        if (depth + 2 >= CYCLE_LENGTH_MAX) continue;
        int n = walk_back(w, e->from, e->ts, depth + 1);
        if (n) return n;
    }
    return 0;
}

static void find_cycle(const fraud_state *s, fraud_slot *slot, uint64_t seq)
{
    const fraud_edge *e = fraud_state_edge(s, seq);
    walk w = {.s = s, .target = e->to, .since = s->now - FRAUD_WINDOW_MS[FRAUD_W_7D], .budget = WALK_MAX};
    int n = walk_back(&w, e->from, e->ts, 0);
    if (!n) return;
    fraud_finding *f = &slot->finding[slot->n_finding++];
    *f = (fraud_finding){.pattern = FRAUD_PATTERN_CYCLE};
    add_edge(s, f, e);
    for (int i = 0; i < n; i++) add_edge(s, f, fraud_state_edge(s, w.path[i]));
}

static void find_fan(const fraud_state *s, fraud_slot *slot, uint64_t seq, int direction)
{
    const fraud_edge *newest = fraud_state_edge(s, seq);
    uint32_t hub = direction ? newest->to : newest->from;
    if (s->entity[hub].w[FRAUD_W_3D][direction].distinct < 5) return;
    fraud_finding *f = &slot->finding[slot->n_finding++];
    *f = (fraud_finding){.pattern = direction ? FRAUD_PATTERN_FAN_IN : FRAUD_PATTERN_FAN_OUT};
    int64_t since = s->now - FRAUD_WINDOW_MS[FRAUD_W_3D];
    for (uint64_t q = seq; q != FRAUD_NO_SEQ; q = still(s, fraud_state_edge(s, q)->prev[direction], since))
        if (!add_edge(s, f, fraud_state_edge(s, q))) break;
}

static void find_patterns(const fraud_state *s, fraud_slot *slot, uint64_t seq)
{
    if (!fraud_payment_inner(&slot->payment)) return;
    find_cycle(s, slot, seq);
    find_fan(s, slot, seq, 0);
    find_fan(s, slot, seq, 1);
}

/* ---- apply ---- */

r1_status fraud_engine_apply(fraud_engine *e, const fraud_payment *p, int64_t apply_seq, fraud_slot **out, r1_err *err)
{
    if (out) *out = NULL;
    R1_TRY(fraud_payment_check(p, err));
    if (apply_seq <= e->last_seq)
        R1_FAIL(err, R1_E_INVAL, "apply_seq: expected more than %lld, found %lld", (long long)e->last_seq,
                (long long)apply_seq);
    if (out && !e->free_slot) R1_FAIL(err, R1_E_AGAIN, "all %u slots are in use", e->n_slot);
    e->last_seq = apply_seq;
    int64_t ts = fraud_state_advance(e->state, p->ts);
    uint32_t from = fraud_state_entity(e->state, p->from, p->from_role),
             to = fraud_state_entity(e->state, p->to, p->to_role);
    fraud_slot *slot = NULL;
    if (out) {
        slot = e->free_slot;
        e->free_slot = slot->next_free;
        e->n_used++;
        slot->payment = *p;
        slot->seq = apply_seq;
        slot->clamped_ms = ts - p->ts;
        slot->n_finding = 0;
        capture(e->state, from, to, p, &slot->f);
        if (e->scorer) fraud_capture(e->state, p, from, to, e->capture, &slot->features);
    }
    uint64_t seq = fraud_state_insert(e->state, p, from, to);
    if (slot && !e->graph_off) find_patterns(e->state, slot, seq);
    if (out) *out = slot;
    return R1_OK;
}

void fraud_slot_release(fraud_engine *e, fraud_slot *slot)
{
    slot->next_free = e->free_slot;
    e->free_slot = slot;
    e->n_used--;
}

const fraud_payment *fraud_slot_payment(const fraud_slot *slot) { return &slot->payment; }
int64_t fraud_slot_seq(const fraud_slot *slot) { return slot->seq; }
int64_t fraud_slot_clamped_ms(const fraud_slot *slot) { return slot->clamped_ms; }

r1_status fraud_engine_label(fraud_engine *e, const char *tx_id, bool is_fraud, int64_t ts, r1_err *err)
{
    fraud_state_advance(e->state, ts);
    return fraud_state_label(e->state, tx_id, is_fraud, err);
}

/* ---- scoring ---- */

static r1_status score_by_model(fraud_engine *e, fraud_slot *const *slot, size_t n, fraud_result *result, r1_err *err)
{
    for (size_t i = 0; i < n; i++)
        e->scoring[i] = (fraud_scoring){.features = &slot[i]->features, .payment = &slot[i]->payment};
    R1_TRY(fraud_scorer_run(e->scorer, e->scoring, n, err));
    for (size_t i = 0; i < n; i++) {
        fraud_rules_score(&slot[i]->f, slot[i]->finding, slot[i]->n_finding, &result[i]);
        fraud_explain(&slot[i]->f, &e->scoring[i], &result[i]);
    }
    return R1_OK;
}

r1_status fraud_engine_score(fraud_engine *e, fraud_slot *const *slot, size_t n, fraud_result *result, r1_err *err)
{
    for (size_t a = 0; e->scorer && a < n; a += FRAUD_SCORER_BATCH) {
        size_t m = n - a < FRAUD_SCORER_BATCH ? n - a : FRAUD_SCORER_BATCH;
        R1_TRY(score_by_model(e, slot + a, m, result + a, err));
    }
    for (size_t i = 0; !e->scorer && i < n; i++)
        fraud_rules_score(&slot[i]->f, slot[i]->finding, slot[i]->n_finding, &result[i]);
    return R1_OK;
}

/* ---- what the caller records ---- */

const char *fraud_engine_model_name(const fraud_engine *e) { return e->scorer ? fraud_scorer_name(e->scorer) : "rules"; }
uint64_t fraud_engine_model_hash(const fraud_engine *e) { return e->scorer ? fraud_scorer_hash(e->scorer) : 0; }
uint64_t fraud_engine_schema_hash(const fraud_engine *e) { return e->scorer ? fraud_scorer_schema(e->scorer) : 0; }
uint64_t fraud_engine_digest(const fraud_engine *e) { return fraud_state_digest(e->state); }

size_t fraud_engine_limits(const fraud_engine *e, fraud_limit *out, size_t cap)
{
    const fraud_limit all[] = {
        {"edges", e->state->seq_next - e->state->seq_first, e->state->edge_cap, e->state->evicted_early},
        {"entities", e->state->entities.used, e->state->entities.cap, e->state->entities.evicted},
        {"pairs", e->state->pairs.used, e->state->pairs.cap, e->state->pairs.evicted},
        {"slots", e->n_used, e->n_slot, 0},
    };
    size_t n = cap < R1_COUNT(all) ? cap : R1_COUNT(all);
    memcpy(out, all, n * sizeof *out);
    return n;
}

int64_t fraud_engine_clock(const fraud_engine *e) { return e->state->now; }
int64_t fraud_engine_window_ms(void) { return FRAUD_WINDOW_MS[FRAUD_W_28D]; }
