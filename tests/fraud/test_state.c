/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_state.c - the incremental windows against a twin that recounts from the raw list, also
 * with a small ring, labels and a clock that runs backwards; pattern counts against brute force;
 * the digest tells states apart; each kind of broken invariant is seen. */
#include "graph/patterns.h"
#include "r1_assert.h"
#include "support/r1_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_PAYMENT = 3000, N_ACCOUNT = 14 };

typedef struct {
    int from, to;
    int64_t ts, amount;
    bool fraud;
} raw;

static fraud_payment state_payment(int i, int from, int to, int64_t ts, int64_t amount)
{
    fraud_payment p = {.ts = ts, .amount_minor = amount, .minor_digits = 2, .currency = "EUR"};
    snprintf(p.tx_id, sizeof p.tx_id, "t%d", i);
    snprintf(p.from, sizeof p.from, "a%d", from);
    snprintf(p.to, sizeof p.to, "a%d", to);
    return p;
}

static void state_insert(fraud_state *s, const fraud_payment *p)
{
    fraud_state_advance(s, p->ts);
    uint32_t from = fraud_state_entity(s, p->from, 0), to = fraud_state_entity(s, p->to, 0);
    fraud_state_insert(s, p, from, to);
}

static uint32_t state_account(const fraud_state *s, int i)
{
    char name[16];
    snprintf(name, sizeof name, "a%d", i);
    return fraud_state_find(s, name);
}

/* The slow, obvious window: recount every payment that is in it. first: the oldest payment that
 * the ring still holds. */
static fraud_window state_recount(const raw *r, int first, int n, int who, int direction,
                                  int64_t now, int64_t width)
{
    fraud_window w = {.n = 0};
    bool seen[N_ACCOUNT] = {false};
    for (int i = first; i < n; i++) {
        if ((direction ? r[i].to : r[i].from) != who || r[i].ts <= now - width) continue;
        int other = direction ? r[i].from : r[i].to;
        int64_t ln = lround(1024 * log((double)r[i].amount / 100));
        w.n++;
        w.sum += (double)r[i].amount;
        w.ln += (double)ln;
        w.ln_square += (double)(ln * ln);
        w.distinct += !seen[other];
        w.fraud += r[i].fraud;
        seen[other] = true;
    }
    return w;
}

static void state_compare(const fraud_state *s, const raw *r, int n, uint32_t edge_cap)
{
    int first = n > (int)edge_cap ? n - (int)edge_cap : 0;
    for (int a = 0; a < N_ACCOUNT; a++) {
        uint32_t e = state_account(s, a);
        if (e == FRAUD_NONE) continue;
        for (int k = 0; k < FRAUD_N_WINDOW; k++) {
            for (int d = 0; d < 2; d++) {
                fraud_window want = state_recount(r, first, n, a, d, s->now, FRAUD_WINDOW_MS[k]);
                const fraud_exact *got = &s->entity[e].w[k][d];
                CU_ASSERT_EQUAL(got->n, want.n);
                CU_ASSERT_EQUAL(got->sum, want.sum);
                CU_ASSERT_EQUAL(got->distinct, want.distinct);
                if (k < FRAUD_WIDE_FROM) continue;
                const fraud_spread *wide = &s->entity[e].wide[k - FRAUD_WIDE_FROM][d];
                CU_ASSERT_EQUAL(wide->ln, want.ln);
                CU_ASSERT_EQUAL(wide->ln_square, want.ln_square);
                CU_ASSERT_EQUAL(wide->fraud, want.fraud);
                if (fraud_state_cut(s, k)) continue;
                fraud_window read = fraud_state_window(s, e, k, d);
                CU_ASSERT(read.n == want.n && read.sum == want.sum && read.ln == want.ln &&
                          read.distinct == want.distinct && read.fraud == want.fraud);
            }
        }
    }
}

static void run_windows(uint32_t edge_cap)
{
    static raw r[N_PAYMENT];
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed() + edge_cap);
    fraud_state *s = NULL;
    r1_err err;
    CU_ASSERT_EQUAL_FATAL(fraud_state_new(&s, edge_cap, 64, 4096, &err), R1_OK);
    int64_t ts = INT64_C(1700000000000), newest = ts;
    for (int i = 0; i < N_PAYMENT; i++) {
        ts += (int64_t)r1_rng_exponential(&rng, 2.5e6);
        int64_t at = r1_rng_below(&rng, 10) ? ts : ts - 7200000; /* one in ten comes late */
        if (at > newest) newest = at;
        r[i] = (raw){(int)r1_rng_below(&rng, N_ACCOUNT), (int)r1_rng_below(&rng, N_ACCOUNT), newest,
                     1 + (int64_t)r1_rng_below(&rng, 500000), false};
        fraud_payment p = state_payment(i, r[i].from, r[i].to, at, r[i].amount);
        state_insert(s, &p);
        CU_ASSERT_PTR_NULL(i % 97 ? NULL : fraud_state_fault(s));
        if (i > 40 && !r1_rng_below(&rng, 12)) {
            int known = i - (int)r1_rng_below(&rng, 40);
            char id[16];
            snprintf(id, sizeof id, "t%d", known);
            r1_status st = fraud_state_label(s, id, true, &err);
            if (known > i - (int)edge_cap) CU_ASSERT_EQUAL(st, R1_OK);
            if (st == R1_OK) r[known].fraud = true;
        }
        if (i % 97 == 0 || i == N_PAYMENT - 1) state_compare(s, r, i + 1, edge_cap);
    }
    fraud_state_free(s);
}

static void windows_are_exact(void) { run_windows(1 << 14); }
static void windows_are_exact_when_the_ring_is_small(void) { run_windows(50); }

static void idle_entities_make_room(void)
{
    fraud_state *s = NULL;
    r1_err err;
    CU_ASSERT_EQUAL_FATAL(fraud_state_new(&s, 8, 6, 8, &err), R1_OK);
    for (int i = 0; i < 500; i++) {
        fraud_payment p = state_payment(i, i, i + 1, 1000 + i, 100);
        state_insert(s, &p);
        CU_ASSERT(s->entities.used <= 6);
        CU_ASSERT(state_account(s, i) != FRAUD_NONE && state_account(s, i + 1) != FRAUD_NONE);
        CU_ASSERT_PTR_NULL(fraud_state_fault(s));
    }
    CU_ASSERT(s->entities.evicted > 400);
    fraud_state_free(s);
}

/* Everything at one time: rows are taken again at the very time at which they were taken before,
 * and a pair of the account that was there is not the new account's. */
static void new_accounts_inherit_no_pairs(void)
{
    fraud_state *s = NULL;
    r1_err err;
    CU_ASSERT_EQUAL_FATAL(fraud_state_new(&s, 4, 6, 64, &err), R1_OK);
    for (int i = 0; i < 300; i++) {
        fraud_payment p = state_payment(i, i, i + 1, 1000, 100);
        uint32_t from = fraud_state_entity(s, p.from, 0), to = fraud_state_entity(s, p.to, 0);
        if (!i) fraud_state_advance(s, p.ts);
        CU_ASSERT_EQUAL(fraud_state_pair(s, from, to), FRAUD_NONE);
        CU_ASSERT_EQUAL(fraud_state_pair(s, to, from), FRAUD_NONE);
        fraud_state_insert(s, &p, from, to);
        CU_ASSERT_EQUAL(s->pair[fraud_state_pair(s, from, to)].total, 1);
        CU_ASSERT_PTR_NULL(fraud_state_fault(s));
    }
    fraud_state_free(s);
}

/* A table whose rows all have an edge must not be walked: what leaves is told by the end of its
 * list. The payment's other end, and every row that still has an edge, stay. */
static void full_tables_are_not_walked(void)
{
    enum { ROWS = 32, EDGES = 400 };
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    r1_err err;
    fraud_state *s = NULL;
    CU_ASSERT_EQUAL_FATAL(fraud_state_new(&s, EDGES, ROWS, 2 * ROWS, &err), R1_OK);
    for (int i = 0; i < 4000; i++) {
        bool fresh = !r1_rng_below(&rng, 20);
        int from = fresh ? 1000 + i : (int)r1_rng_below(&rng, ROWS),
            to = r1_rng_below(&rng, 3) ? (from + 1) % ROWS : (int)r1_rng_below(&rng, ROWS);
        fraud_payment p = state_payment(i, from, to, 1000 + i, 100);
        uint64_t evicted = s->entities.evicted, edges = s->seq_next - s->seq_first;
        state_insert(s, &p);
        CU_ASSERT(state_account(s, from) != FRAUD_NONE && state_account(s, to) != FRAUD_NONE);
        if (s->entities.evicted == evicted && edges < EDGES && s->pairs.used < 2 * ROWS)
            CU_ASSERT_EQUAL(s->seq_next - s->seq_first, edges + 1);
        CU_ASSERT_PTR_NULL(fraud_state_fault(s));
    }
    CU_ASSERT(s->entities.evicted > 100 && s->pairs.evicted > 100);
    fraud_state_free(s);
}

/* What is known of one account's frauds, counted from the list. */
static fraud_known known_recount(const raw *r, int n, int who, int direction)
{
    fraud_known known = {.n = 0};
    for (int i = 0; i < n; i++) {
        if ((direction ? r[i].to : r[i].from) != who || !r[i].fraud) continue;
        if (!known.n++) known.first_ts = r[i].ts;
        known.last_ts = r[i].ts;
    }
    for (int i = 0; known.n && i < n; i++)
        known.n_since_first +=
            (direction ? r[i].to : r[i].from) == who && r[i].ts >= known.first_ts;
    return known;
}

static void compare_known(const fraud_state *s, const raw *r, int n)
{
    for (int a = 0; a < N_ACCOUNT; a++)
        for (int d = 0; d < 2; d++) {
            uint32_t e = state_account(s, a);
            if (e == FRAUD_NONE) continue;
            fraud_known want = known_recount(r, n, a, d);
            const fraud_known *got = &s->entity[e].known[d];
            CU_ASSERT(got->n == want.n && got->n_since_first == want.n_since_first);
            CU_ASSERT(got->first_ts == want.first_ts && got->last_ts == want.last_ts);
        }
}

/* Labels come in any order, also newest first, and are taken back in any order; several payments
 * have one time. Seen: the first and the last known fraud stayed after they were taken back. */
static void run_labels(uint32_t edge_cap, int newest_first)
{
    enum { N = 400 };
    static raw r[N];
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    fraud_state *s = NULL;
    r1_err err;
    CU_ASSERT_EQUAL_FATAL(fraud_state_new(&s, edge_cap, 64, 512, &err), R1_OK);
    for (int i = 0; i < N; i++) {
        r[i] = (raw){(int)r1_rng_below(&rng, N_ACCOUNT), (int)r1_rng_below(&rng, 2), 1000 * (i / 3),
                     100, false};
        fraud_payment p = state_payment(i, r[i].from, r[i].to, r[i].ts, 100);
        state_insert(s, &p);
        for (int k = 0; k < 3; k++) {
            int known = newest_first ? N - 1 - (i * 3 + k) % N : (int)r1_rng_below(&rng, N);
            if (known > i) continue;
            char id[16];
            bool fraud = r1_rng_below(&rng, 2);
            snprintf(id, sizeof id, "t%d", known);
            if (fraud_state_label(s, id, fraud, &err) == R1_OK) r[known].fraud = fraud;
        }
        const char *fault = fraud_state_fault(s);
        if (fault) printf("%s\n", fault);
        CU_ASSERT_PTR_NULL_FATAL(fault);
        if (edge_cap > N) compare_known(s, r, i + 1);
    }
    fraud_state_free(s);
}

static void labels_are_taken_back(void)
{
    run_labels(1 << 10, 0);
    run_labels(40, 0);
}

static void labels_come_newest_first(void)
{
    run_labels(1 << 10, 1);
    run_labels(40, 1);
}

/* Cycles through a new edge u -> v, counted over all triples and quadruples of edges. */
static void brute_cycles(const raw *r, int n, int u, int v, float count[3])
{
    count[0] = count[1] = count[2] = 0;
    for (int i = 0; i < n; i++) {
        if (r[i].from != v) continue;
        if (r[i].to == u) count[0]++;
        for (int j = 0; j < n; j++) {
            if (r[j].to != u || r[j].from == v || r[j].from == u) continue;
            if (r[i].to == r[j].from && r[i].ts <= r[j].ts) count[1]++;
            for (int k = 0; k < n; k++) {
                if (r[k].to != r[j].from || r[k].ts > r[j].ts || r[k].from == u || r[k].from == v ||
                    r[k].from == r[j].from)
                    continue;
                if (r[i].to == r[k].from && r[i].ts <= r[k].ts) count[2]++;
            }
        }
    }
}

static void cycles_as_by_brute_force(void)
{
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    r1_err err;
    for (int round = 0; round < 60; round++) {
        raw r[36];
        fraud_state *s = NULL;
        CU_ASSERT_EQUAL_FATAL(fraud_state_new(&s, 64, 64, 64, &err), R1_OK);
        int n = 4 + (int)r1_rng_below(&rng, 32), accounts = 8 + (int)r1_rng_below(&rng, 5);
        for (int i = 0; i < n; i++) {
            int from = (int)r1_rng_below(&rng, (uint64_t)accounts),
                to = (from + 1 + (int)r1_rng_below(&rng, (uint64_t)accounts - 1)) % accounts;
            r[i] = (raw){from, to, 1000 * i, 100, false};
            fraud_payment p = state_payment(i, from, to, r[i].ts, r[i].amount);
            state_insert(s, &p);
        }
        int u = (int)r1_rng_below(&rng, (uint64_t)accounts), v = (u + 1) % accounts;
        char name[2][16];
        snprintf(name[0], 16, "a%d", u);
        snprintf(name[1], 16, "a%d", v);
        uint32_t from = fraud_state_entity(s, name[0], 0), to = fraud_state_entity(s, name[1], 0);
        fraud_patterns p;
        float want[3];
        fraud_patterns_count(s, from, to, 0, &p);
        brute_cycles(r, n, u, v, want);
        CU_ASSERT_EQUAL(p.cycle2, want[0]);
        CU_ASSERT_EQUAL(p.cycle3, want[1]);
        CU_ASSERT_EQUAL(p.cycle4, want[2]);
        fraud_state_free(s);
    }
}

static void digest_tells_states_apart(void)
{
    fraud_state *s[3] = {NULL, NULL, NULL};
    r1_err err;
    for (int k = 0; k < 3; k++) {
        CU_ASSERT_EQUAL_FATAL(fraud_state_new(&s[k], 256, 64, 256, &err), R1_OK);
        for (int i = 0; i < 100; i++) {
            fraud_payment p =
                state_payment(i, i % 7, (i * 3 + 1) % 11, 1000 * i, k == 2 && i == 50 ? 101 : 100);
            state_insert(s[k], &p);
        }
    }
    CU_ASSERT_EQUAL(fraud_state_digest(s[0]), fraud_state_digest(s[1]));
    CU_ASSERT_NOT_EQUAL(fraud_state_digest(s[0]), fraud_state_digest(s[2]));
    CU_ASSERT_EQUAL(fraud_state_label(s[1], "t60", true, &err), R1_OK);
    CU_ASSERT_NOT_EQUAL(fraud_state_digest(s[0]), fraud_state_digest(s[1]));
    CU_ASSERT_EQUAL(fraud_state_label(s[1], "nobody", true, &err), R1_E_NOT_FOUND);
    for (int k = 0; k < 3; k++) fraud_state_free(s[k]);
}

/* ---- broken invariants ----------------------------------------------------------------------- */

static fraud_state *small_state(void)
{
    fraud_state *s = NULL;
    r1_err err;
    CU_ASSERT_EQUAL_FATAL(fraud_state_new(&s, 64, 16, 64, &err), R1_OK);
    for (int i = 0; i < 20; i++) {
        fraud_payment p = state_payment(i, i % 5, (i * 3 + 1) % 7, 1000 * i, 100 + i);
        state_insert(s, &p);
    }
    CU_ASSERT_PTR_NULL_FATAL(fraud_state_fault(s));
    return s;
}

static fraud_edge *newest_edge(fraud_state *s) { return &s->edge[(s->seq_next - 1) % s->edge_cap]; }
static fraud_entity *sender_of(fraud_state *s) { return &s->entity[newest_edge(s)->from]; }

static void break_ring(fraud_state *s) { s->seq_first = s->seq_next + 1; }
static void break_tail(fraud_state *s) { s->tail[FRAUD_W_7D] = s->tail[FRAUD_W_3D] + 1; }
static void break_clock(fraud_state *s) { newest_edge(s)->ts = s->now + 1; }
static void break_order(fraud_state *s) { newest_edge(s)->ts = 0; }
static void break_pair_of_edge(fraud_state *s) { newest_edge(s)->pair = s->pairs.lru_tail; }
static void break_chain(fraud_state *s) { newest_edge(s)->older[0] = UINT32_MAX; }
static void break_owner(fraud_state *s) { sender_of(s)->head[0] = s->seq_next - 2; }
static void break_window(fraud_state *s) { sender_of(s)->w[FRAUD_W_1D][0].sum++; }
static void break_live(fraud_state *s) { sender_of(s)->live--; }
static void break_distinct(fraud_state *s) { sender_of(s)->w[FRAUD_W_1H][0].distinct++; }
static void break_pair_count(fraud_state *s) { s->pair[newest_edge(s)->pair].live++; }
static void break_pair_window(fraud_state *s) { s->pair[newest_edge(s)->pair].n[0]++; }
static void break_pair_sum(fraud_state *s) { s->pair[newest_edge(s)->pair].sum28++; }
static void break_pair_total(fraud_state *s) { s->pair[newest_edge(s)->pair].total++; }
static void break_pair_last(fraud_state *s) { s->pair[newest_edge(s)->pair].last_ts++; }
static void break_pair_first(fraud_state *s) { s->pair[newest_edge(s)->pair].first_ts--; }
static void break_list(fraud_state *s) { s->entity[s->entities.lru_tail].lru_prev = FRAUD_NONE; }
static void break_bucket(fraud_state *s) { sender_of(s)->key++; }
static void break_idle(fraud_state *s)
{
    fraud_pair *row = &s->pair[s->pairs.lru_head]; /* in front of rows that have edges */
    row->live = 0;
    newest_edge(s)->pair = s->pairs.lru_tail;
}
static void break_used(fraud_state *s) { s->pairs.used++; }

static void each_fault_is_seen(void)
{
    static const struct {
        void (*plant)(fraud_state *s);
        const char *fault;
    } cases[] = {{break_ring, "more edges than it has places"},
                 {break_tail, "a wider window begins later"},
                 {break_clock, "newer than the clock"},
                 {break_order, "order of their time"},
                 {break_pair_of_edge, "names another pair"},
                 {break_chain, "leads to before the first edge"},
                 {break_owner, "holds another's edge"},
                 {break_window, "differs from its edges"},
                 {break_live, "lost count of its edges"},
                 {break_distinct, "are not the pairs that met"},
                 {break_pair_count, "pairs have lost count of their edges"},
                 {break_pair_window, "pairs have lost count of a window"},
                 {break_pair_sum, "a pair's sum differs from its edges"},
                 {break_pair_total, "a pair's history differs from its edges"},
                 {break_pair_last, "a pair's times differ from its edges"},
                 {break_pair_first, "a pair's history differs from its edges"},
                 {break_list, "does not lead back"},
                 {break_bucket, "not in the bucket of its key"},
                 {break_idle, "stands in front of one with an edge"},
                 {break_used, "lost count of its rows"}};
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        fraud_state *s = small_state();
        cases[i].plant(s);
        const char *fault = fraud_state_fault(s);
        if (!fault || !strstr(fault, cases[i].fault))
            printf("expected \"%s\", found \"%s\"\n", cases[i].fault, fault ? fault : "nothing");
        CU_ASSERT(fault && strstr(fault, cases[i].fault));
        fraud_state_free(s);
    }
}

static void insert_one_more(void *ctx)
{
    fraud_payment p = state_payment(99, 1, 2, 50000, 100);
    state_insert(ctx, &p);
}

static void far_later(void *ctx) { fraud_state_advance(ctx, 100 * FRAUD_DAY_MS); }

static void take_label_back(void *ctx)
{
    r1_err err;
    fraud_state_label(ctx, "t19", false, &err);
}

static void broken_states_stop(void)
{
    fraud_state *s = small_state();
    sender_of(s)->w[FRAUD_W_1H][0].n = 0;
    CU_ASSERT(r1_test_breaks(far_later, s, "window: 0 payments"));
    fraud_state_free(s);
    s = small_state();
    sender_of(s)->live = 0;
    CU_ASSERT(r1_test_breaks(far_later, s, "rows that hold none"));
    fraud_state_free(s);
    s = small_state();
    newest_edge(s)->fraud = true; /* and no one counted it */
    CU_ASSERT(r1_test_breaks(take_label_back, s, "labels: -1 of 0"));
    fraud_state_free(s);
    s = small_state();
    newest_edge(s)->ts = 60000;
    CU_ASSERT(r1_test_breaks(insert_one_more, s, "the clock went back"));
    fraud_state_free(s);
#if R1_DEEP_CHECKS
    s = small_state();
    sender_of(s)->w[FRAUD_W_1D][0].sum++; /* no cheap check meets it */
    CU_ASSERT(r1_test_breaks(insert_one_more, s, "a window differs from its edges"));
    fraud_state_free(s);
#endif
}

int main(void)
{
    static const r1_test_case cases[] = {
        {"windows are exact", windows_are_exact},
        {"windows are exact when the ring is small", windows_are_exact_when_the_ring_is_small},
        {"idle entities make room", idle_entities_make_room},
        {"new accounts inherit no pairs", new_accounts_inherit_no_pairs},
        {"full tables are not walked", full_tables_are_not_walked},
        {"labels are taken back", labels_are_taken_back},
        {"labels come newest first", labels_come_newest_first},
        {"cycles as by brute force", cycles_as_by_brute_force},
        {"digest tells states apart", digest_tells_states_apart},
        {"each fault is seen", each_fault_is_seen},
        {"broken states stop", broken_states_stop},
    };
    return r1_test_run("fraud state", cases, R1_COUNT(cases));
}
