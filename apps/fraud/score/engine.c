/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine.c - applies payments to the state and scores what it captured before each of them.
 *
 * What scores here are the velocity rules: facts about both ends and the pair, each with a fixed weight in logits, so that the
 * trace adds up. They are what decides where no model is given, and every result of theirs says `degraded`. */
#include "engine.h"
#include "state.h"

#include <math.h>
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

/* What scoring needs, captured before the payment itself counts. */
typedef struct {
    fraud_window from[FRAUD_N_WINDOW][2], to[FRAUD_N_WINDOW][2];
    fraud_known from_known, to_known;
    uint32_t pair_28d;
    int64_t since_in_ms; /* since money last came to the sender; -1: never */
    double amount;       /* main units */
    int32_t ln;
    bool new_from, new_to;
} facts;

struct fraud_slot {
    fraud_payment payment;
    int64_t seq, clamped_ms;
    facts f;
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
};

/* ---- life ---- */

r1_status fraud_engine_new(fraud_engine **out, const fraud_engine_opts *o, r1_err *err)
{
    if (o->model_path)
        R1_FAIL(err, R1_E_NOT_FOUND, "%s: this build scores by rules: give no model (--model none)", o->model_path);
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
    fraud_state_free(e->state);
    free(e->slots);
    free(e);
}

/* ---- capture ---- */

static void capture(const fraud_state *s, uint32_t from, uint32_t to, const fraud_payment *p, facts *f)
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

/* ---- rules ---- */

enum { ITEM_PAYMENT, ITEM_SENDER, ITEM_RECEIVER, ITEM_PAIR, ITEM_LABELS, ITEM_GRAPH, N_ITEM };
static const char *const item_names[N_ITEM] = {"payment", "sender", "receiver", "pair", "labels", "graph"};
static const double prior_logit = -5.0; /* about seven payments in a thousand */

static void add_fact(fraud_result *r, int item, double delta, const char *code, const char *text)
{
    r->item[item].delta += delta;
    if (delta == 0 || r->n_reason == FRAUD_REASONS_MAX) return;
    fraud_reason *x = &r->reason[r->n_reason++];
    snprintf(x->code, sizeof x->code, "%s", code);
    snprintf(x->text, sizeof x->text, "%s", text);
    snprintf(x->item, sizeof x->item, "%s", item_names[item]);
    x->contribution = delta;
}

static double clamp(double x, double low, double high) { return x < low ? low : x > high ? high : x; }

static void rule_payment(const facts *f, fraud_result *r)
{
    const fraud_window *w = &f->from[FRAUD_W_28D][0];
    if (w->n < 3) return;
    double mean = (double)w->ln / w->n / 1024, z = (double)f->ln / 1024 - mean;
    char text[192];
    snprintf(text, sizeof text, "amount %.2f is %.1f times the sender's usual %.2f of 28 days", f->amount, exp(z),
             exp(mean));
    add_fact(r, ITEM_PAYMENT, clamp(0.7 * (z - 0.5), -0.5, 1.8), "amount_unusual", text);
}

static void rule_sender(const facts *f, fraud_result *r)
{
    char text[192];
    const fraud_window *day = &f->from[FRAUD_W_1D][0], *in = &f->from[FRAUD_W_1D][1];
    if (day->distinct >= 3) {
        snprintf(text, sizeof text, "sender paid %u different ends within a day", day->distinct);
        add_fact(r, ITEM_SENDER, clamp(0.35 * (day->distinct - 2.0), 0, 2), "sender_fan_out", text);
    }
    double share = in->sum > 0 ? f->amount * 100 / (double)in->sum : 0;
    if (share > 0.6 && share < 1.1 && f->since_in_ms >= 0) {
        snprintf(text, sizeof text, "passes on %.0f %% of what came in %.1f hours before", 100 * share,
                 (double)f->since_in_ms / 3600000);
        add_fact(r, ITEM_SENDER, 1.3, "pass_through", text);
    }
}

static void rule_receiver(const facts *f, fraud_result *r)
{
    char text[192];
    const fraud_window *w = &f->to[FRAUD_W_3D][1];
    if (w->distinct < 4) return;
    snprintf(text, sizeof text, "receiver was paid by %u different ends within three days", w->distinct);
    add_fact(r, ITEM_RECEIVER, clamp(0.3 * (w->distinct - 3.0), 0, 2), "receiver_fan_in", text);
}

static void rule_pair(const facts *f, fraud_result *r)
{
    if (!f->pair_28d)
        add_fact(r, ITEM_PAIR, 0.4, "new_pair", "these two ends have not paid each other within 28 days");
    else
        add_fact(r, ITEM_PAIR, -0.6, "known_pair", "the sender has paid this end before");
}

static void rule_labels(const facts *f, fraud_result *r)
{
    char text[192];
    if (f->to_known.n) {
        snprintf(text, sizeof text, "%u payments to this end are known to be fraudulent", f->to_known.n);
        add_fact(r, ITEM_LABELS, 2.2, "receiver_known_fraud", text);
    }
    if (f->from_known.n) {
        snprintf(text, sizeof text, "%u payments from this end are known to be fraudulent", f->from_known.n);
        add_fact(r, ITEM_LABELS, 2.0, "sender_known_fraud", text);
    }
}

static void rule_graph(const fraud_slot *slot, fraud_result *r)
{
    static const double weight[FRAUD_N_PATTERN] = {
        [FRAUD_PATTERN_CYCLE] = 2.4, [FRAUD_PATTERN_FAN_IN] = 0.7, [FRAUD_PATTERN_FAN_OUT] = 0.7};
    for (size_t i = 0; i < slot->n_finding; i++) {
        const fraud_finding *f = &slot->finding[i];
        char text[192];
        snprintf(text, sizeof text, "closes a %s of %u accounts over %.2f within %.1f days",
                 fraud_pattern_name(f->pattern), f->n_account, (double)f->amount_minor / 100,
                 (double)(f->ts_last - f->ts_first) / (double)FRAUD_DAY_MS);
        add_fact(r, ITEM_GRAPH, weight[f->pattern], fraud_pattern_name(f->pattern), text);
    }
}

static int by_contribution(const void *a, const void *b)
{
    const fraud_reason *x = a, *y = b;
    if (fabs(x->contribution) != fabs(y->contribution)) return fabs(x->contribution) < fabs(y->contribution) ? 1 : -1;
    return strcmp(x->code, y->code);
}

static void score_one(const fraud_slot *slot, fraud_result *r)
{
    memset(r, 0, sizeof *r);
    r->degraded = true;
    r->n_item = N_ITEM;
    for (int i = 0; i < N_ITEM; i++) snprintf(r->item[i].name, sizeof r->item[i].name, "%s", item_names[i]);
    rule_payment(&slot->f, r);
    rule_sender(&slot->f, r);
    rule_receiver(&slot->f, r);
    rule_pair(&slot->f, r);
    rule_labels(&slot->f, r);
    rule_graph(slot, r);
    r->prior_logit = r->logit = prior_logit;
    for (int i = 0; i < N_ITEM; i++) r->logit += r->item[i].delta;
    r->probability = 1 / (1 + exp(-r->logit));
    qsort(r->reason, r->n_reason, sizeof *r->reason, by_contribution);
    r->n_finding = slot->n_finding;
    memcpy(r->finding, slot->finding, slot->n_finding * sizeof *slot->finding);
}

r1_status fraud_engine_score(fraud_engine *e, fraud_slot *const *slot, size_t n, fraud_result *result, r1_err *err)
{
    (void)e, (void)err;
    for (size_t i = 0; i < n; i++) score_one(slot[i], &result[i]);
    return R1_OK;
}

/* ---- what the caller records ---- */

const char *fraud_engine_model_name(const fraud_engine *e)
{
    (void)e;
    return "rules";
}

uint64_t fraud_engine_model_hash(const fraud_engine *e)
{
    (void)e;
    return 0;
}

uint64_t fraud_engine_schema_hash(const fraud_engine *e)
{
    (void)e;
    return 0;
}

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
