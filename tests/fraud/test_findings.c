/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_findings.c - every typology of findings.h against a twin that reads the definition over
 * the raw list of payments: small random graphs, amounts of a few sizes, some ends external,
 * some pairs that met before. Also: the edges of a finding exist, the gate is open where
 * something is found, and honest shapes (a shop that always gathers, a pair that always pays)
 * are no finding. */
#include "graph/findings.h"
#include "graph/patterns.h"
#include "support/r1_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ACCOUNTS_MAX = 14, PAYMENTS_MAX = 60, ROUNDS = 8000 };

typedef struct {
    int from, to;
    int64_t ts, amount;
} raw;

typedef struct { /* the list up to the new payment, which is its last */
    raw p[PAYMENTS_MAX];
    int n, accounts, external; /* account number `external` is an external end */
} world;

/* ---- the definition, read over the list ------------------------------------------------------ */

static const raw *findings_newest(const world *w) { return &w->p[w->n - 1]; }
static int64_t findings_age(const world *w, int i) { return findings_newest(w)->ts - w->p[i].ts; }

static bool test_findings_inner(const world *w, int i)
{
    return w->p[i].from != w->p[i].to && w->p[i].from != w->external && w->p[i].to != w->external;
}

static bool like_within(const world *w, int i, int band)
{
    int met = 0;
    for (int k = 0; k < w->n; k++)
        met += w->p[k].from == w->p[i].from && w->p[k].to == w->p[i].to &&
               findings_age(w, k) < 28 * FRAUD_DAY_MS;
    return test_findings_inner(w, i) && met == 1 &&
           findings_age(w, i) < FRAUD_FINDING_DAYS * FRAUD_DAY_MS &&
           abs(fraud_ln1024(w->p[i].amount) - fraud_ln1024(findings_newest(w)->amount)) <= band;
}

static bool test_findings_like(const world *w, int i)
{
    return like_within(w, i, FRAUD_FINDING_BAND);
}

/* The like payment from a to b; -1: none. */
static int findings_paid(const world *w, int a, int b)
{
    for (int i = 0; i < w->n; i++)
        if (w->p[i].from == a && w->p[i].to == b && test_findings_like(w, i)) return i;
    return -1;
}

static bool findings_passed(const world *w, int a, int b, int c)
{
    int first = findings_paid(w, a, b), second = findings_paid(w, b, c);
    return first >= 0 && second >= 0 && w->p[first].ts <= w->p[second].ts;
}

/* Fewest payments of a path from `at` (left not before ts) to u; seen: accounts that it has been
 * to. 99: none. */
static int findings_shortest(const world *w, int at, int64_t ts, unsigned seen, int hops)
{
    int best = 99;
    int64_t gap = FRAUD_FINDING_GAP_DAYS * FRAUD_DAY_MS;
    for (int i = 0; i + 1 < w->n && hops < FRAUD_FINDING_HOPS; i++) {
        if (w->p[i].from != at || w->p[i].ts < ts || (hops && w->p[i].ts > ts + gap) ||
            !like_within(w, i, FRAUD_FINDING_CYCLE_BAND))
            continue;
        if (w->p[i].to == findings_newest(w)->from) {
            if (hops > 0 && findings_age(w, i) <= gap && hops + 1 < best) best = hops + 1;
            continue;
        }
        if (seen >> w->p[i].to & 1) continue;
        int found = findings_shortest(w, w->p[i].to, w->p[i].ts, seen | 1u << w->p[i].to, hops + 1);
        if (found < best) best = found;
    }
    return best;
}

static int findings_cycle(const world *w)
{
    int n = findings_shortest(w, findings_newest(w)->to, INT64_MIN / 2,
                              1u << findings_newest(w)->to | 1u << findings_newest(w)->from, 0);
    return n == 99 ? 0 : n + 1;
}

/* Like payments of an end, and whether they are enough of the accounts that it meets. direction
 * 1: into it. */
static int findings_fan(const world *w, int who, int direction, bool *usual)
{
    bool seen[ACCOUNTS_MAX] = {false};
    int n = 0, all = 0;
    for (int i = 0; i < w->n; i++) {
        if ((direction ? w->p[i].to : w->p[i].from) != who || !test_findings_inner(w, i) ||
            findings_age(w, i) >= 28 * FRAUD_DAY_MS)
            continue;
        int other = direction ? w->p[i].from : w->p[i].to;
        all += !seen[other];
        seen[other] = true;
        n += test_findings_like(w, i);
    }
    *usual = FRAUD_FINDING_SHARE_D * n < FRAUD_FINDING_SHARE_N * all;
    return n;
}

static int fan_edges(const world *w, int who, int direction)
{
    bool usual;
    int n = findings_fan(w, who, direction, &usual);
    return n >= FRAUD_FINDING_FAN && !usual ? n : 0;
}

static int gather_scatter(const world *w)
{
    int u = findings_newest(w)->from, n_in = 0;
    int64_t first = INT64_MAX;
    bool usual_in, usual_out;
    int n_out = findings_fan(w, u, 0, &usual_out);
    findings_fan(w, u, 1, &usual_in);
    for (int i = 0; i < w->n; i++)
        if (w->p[i].from == u && test_findings_like(w, i) && w->p[i].ts < first) first = w->p[i].ts;
    for (int i = 0; i < w->n; i++)
        n_in += w->p[i].to == u && test_findings_like(w, i) && w->p[i].ts <= first;
    return n_in >= 3 && n_out >= 3 && !usual_in && !usual_out ? n_in + n_out : 0;
}

static int scatter_gather(const world *w)
{
    int u = findings_newest(w)->from, v = findings_newest(w)->to, best = 0;
    for (int s = 0; s < w->accounts; s++) {
        int mids = 0;
        if (s == u || s == v || !findings_passed(w, s, u, v)) continue;
        for (int m = 0; m < w->accounts; m++)
            mids += m != s && m != v && findings_passed(w, s, m, v);
        if (mids > best) best = mids;
    }
    return best >= 3 ? 2 * best : 0;
}

static int findings_stack(const world *w)
{
    int u = findings_newest(w)->from, v = findings_newest(w)->to, best = 0, edges = 0;
    for (int b = 0; b < w->accounts; b++) {
        int layer = 0, both = 0;
        if (b == u || b == v || findings_paid(w, b, v) < 0) continue;
        for (int x = 0; x < w->accounts; x++) {
            if (x == u || x == v || x == b) continue;
            bool paid_u = findings_passed(w, x, u, v), paid_b = findings_passed(w, x, b, v);
            layer += paid_u || paid_b;
            both += paid_u && paid_b;
        }
        if (layer >= 2 && both >= 1 && both * 100 + layer > best)
            best = both * 100 + layer, edges = layer + both + 2;
    }
    return edges;
}

static int findings_bipartite(const world *w)
{
    int u = findings_newest(w)->from, v = findings_newest(w)->to;
    bool source[ACCOUNTS_MAX] = {false}, target[ACCOUNTS_MAX] = {false};
    source[u] = target[v] = true;
    for (int b = 0; b < w->accounts; b++) {
        if (b == u || findings_paid(w, b, v) < 0 || findings_paid(w, u, b) >= 0) continue;
        for (int x = 0; x < w->accounts; x++)
            if (x != v && x != u && findings_paid(w, u, x) >= 0 && findings_paid(w, b, x) >= 0 &&
                findings_paid(w, x, v) < 0)
                source[b] = target[x] = true;
    }
    int sources = 0, targets = 0, edges = 0;
    for (int a = 0; a < w->accounts; a++) {
        sources += source[a], targets += target[a];
        for (int x = 0; source[a] && x < w->accounts; x++)
            edges += target[x] && findings_paid(w, a, x) >= 0;
    }
    return sources >= 2 && targets >= 2 && sources + targets >= 5 ? edges : 0;
}

/* ---- the state, and the comparison ----------------------------------------------------------- */

static void findings_account_name(const world *w, int i, char *out, size_t size)
{
    snprintf(out, size, "%c%d", i == w->external ? 'x' : 'a', i);
}

static uint64_t findings_insert(fraud_state *s, const world *w, int i, bool *gate)
{
    fraud_payment p = {
        .ts = w->p[i].ts, .amount_minor = w->p[i].amount, .minor_digits = 2, .currency = "EUR"};
    snprintf(p.tx_id, sizeof p.tx_id, "%d", i);
    findings_account_name(w, w->p[i].from, p.from, sizeof p.from);
    findings_account_name(w, w->p[i].to, p.to, sizeof p.to);
    fraud_state_advance(s, p.ts);
    uint8_t from_role = w->p[i].from == w->external ? FRAUD_ROLE_EXTERNAL : FRAUD_ROLE_ACCOUNT,
            to_role = w->p[i].to == w->external ? FRAUD_ROLE_EXTERNAL : FRAUD_ROLE_ACCOUNT;
    uint32_t from = fraud_state_entity(s, p.from, from_role),
             to = fraud_state_entity(s, p.to, to_role);
    fraud_patterns pattern;
    fraud_patterns_count(s, from, to, fraud_ln1024(p.amount_minor), &pattern);
    *gate = fraud_patterns_gate(s, from, to, &pattern);
    return fraud_state_insert(s, &p, from, to);
}

static int edges_of(const fraud_finding *f, size_t n, unsigned pattern)
{
    int edges = 0;
    for (size_t i = 0; i < n; i++)
        if (f[i].typology == pattern) edges = f[i].n_edge;
    return edges;
}

/* Every edge of a finding is a like payment of the list; the new one is among them. */
static void edges_are_true(const world *w, const fraud_finding *f)
{
    bool has_new = false;
    for (int i = 0; i < f->n_edge; i++) {
        int at = (int)strtol(f->edge[i].tx_id, NULL, 10);
        char from[16], to[16];
        CU_ASSERT_FATAL(at >= 0 && at < w->n);
        findings_account_name(w, w->p[at].from, from, sizeof from);
        findings_account_name(w, w->p[at].to, to, sizeof to);
        CU_ASSERT(like_within(w, at,
                              f->typology == FRAUD_TYPOLOGY_CYCLE ? FRAUD_FINDING_CYCLE_BAND
                                                                  : FRAUD_FINDING_BAND));
        CU_ASSERT_STRING_EQUAL(f->account[f->edge[i].from], from);
        CU_ASSERT_STRING_EQUAL(f->account[f->edge[i].to], to);
        CU_ASSERT_EQUAL(f->edge[i].amount_minor, w->p[at].amount);
        has_new = has_new || at == w->n - 1;
    }
    CU_ASSERT(has_new);
}

static void findings_compare(const world *w, const fraud_finding *f, size_t n, bool gate,
                             int seen[FRAUD_N_TYPOLOGY])
{
    bool can = test_findings_like(w, w->n - 1);
    const int want[FRAUD_N_TYPOLOGY] = {
        [FRAUD_TYPOLOGY_CYCLE] = findings_cycle(w),
        [FRAUD_TYPOLOGY_FAN_IN] = fan_edges(w, findings_newest(w)->to, 1),
        [FRAUD_TYPOLOGY_FAN_OUT] = fan_edges(w, findings_newest(w)->from, 0),
        [FRAUD_TYPOLOGY_SCATTER_GATHER] = scatter_gather(w),
        [FRAUD_TYPOLOGY_GATHER_SCATTER] = gather_scatter(w),
        [FRAUD_TYPOLOGY_STACK] = findings_stack(w),
        [FRAUD_TYPOLOGY_BIPARTITE] = findings_bipartite(w)};
    for (unsigned k = 0; k < FRAUD_N_TYPOLOGY; k++) {
        int expected = can ? want[k] : 0, got = edges_of(f, n, k);
        if (expected > FRAUD_FINDING_EDGES_MAX) expected = FRAUD_FINDING_EDGES_MAX;
        if (expected != got)
            printf("%s: expected %d edges, found %d\n", fraud_typology_name(k), expected, got);
        CU_ASSERT_EQUAL(got, expected);
        seen[k] += expected > 0;
    }
    for (size_t i = 0; i < n; i++) edges_are_true(w, &f[i]);
    if (n) CU_ASSERT(gate);
}

static void run_world(const world *w, int seen[FRAUD_N_TYPOLOGY])
{
    fraud_state *s = NULL;
    r1_err err;
    bool gate = false;
    uint64_t seq = 0;
    fraud_finding f[FRAUD_N_TYPOLOGY];
    CU_ASSERT_EQUAL_FATAL(fraud_state_new(&s, 128, 32, 256, &err), R1_OK);
    for (int i = 0; i < w->n; i++) seq = findings_insert(s, w, i, &gate);
    size_t n = fraud_findings_search(s, seq, f, R1_COUNT(f));
    findings_compare(w, f, n, gate, seen);
    fraud_state_free(s);
}

static int findings_below(r1_rng *r, int n) { return (int)r1_rng_below(r, (uint64_t)n); }

enum { FREE, ORDERED, HUB, LAYERS, SHAPES };

/* Who pays whom: anyone; mostly from low to high numbers; first to account 0, then from it; from
 * accounts 0 and 1 to others, and from these to the last. */
static void draw_ends(r1_rng *r, const world *w, int shape, int i, raw *p)
{
    int a = findings_below(r, w->accounts), b = findings_below(r, w->accounts);
    bool late = 2 * i >= w->n, last = i + 1 == w->n;
    if (shape == ORDERED && a > b && findings_below(r, 8))
        p->from = b, p->to = a;
    else
        p->from = a, p->to = b;
    if (shape == HUB && (last || findings_below(r, 2))) *(late ? &p->from : &p->to) = 0;
    if (shape != LAYERS || (!last && !findings_below(r, 6))) return;
    p->from = late ? 2 + findings_below(r, w->accounts - 3)
                   : findings_below(r, 4) == 0; /* from account 0, now and then 1 */
    p->to = late ? w->accounts - 1 : 2 + findings_below(r, w->accounts - 3);
}

static void draw_world(r1_rng *r, world *w)
{
    static const int64_t amounts[] = {10000, 10000, 12000, 15000, 22000, 60000};
    w->accounts = 6 + findings_below(r, 8);
    w->external = findings_below(r, 3) ? -1 : findings_below(r, w->accounts);
    w->n = 12 + findings_below(r, PAYMENTS_MAX - 12);
    int shape = findings_below(r, SHAPES);
    if (shape == LAYERS) w->n = 6 + findings_below(r, 16);
    bool dense = shape == LAYERS || findings_below(r, 2);
    int64_t ts = INT64_C(1700000000000),
            days = findings_below(r, 3)
                       ? 8
                       : 32; /* within the window of findings, or past all windows */
    for (int i = 0; i < w->n; i++) {
        ts += findings_below(r, 5)
                  ? (int64_t)r1_rng_below(r, (uint64_t)(2 * days * FRAUD_DAY_MS / w->n))
                  : 0;
        w->p[i] = (raw){.ts = ts,
                        .amount = dense ? 10000 : amounts[findings_below(r, R1_COUNT(amounts))]};
        draw_ends(r, w, shape, i, &w->p[i]);
    }
}

static void findings_as_by_brute_force(void)
{
    int seen[FRAUD_N_TYPOLOGY] = {0};
    r1_rng r;
    r1_rng_seed(&r, r1_test_seed());
    for (int round = 0; round < ROUNDS; round++) {
        world w;
        draw_world(&r, &w);
        run_world(&w, seen);
    }
    for (unsigned k = 0; k < FRAUD_N_TYPOLOGY; k++) {
        if (!fraud_findings_looks_for(k)) continue;
        if (seen[k] < 5)
            printf("%s: only %d of %d worlds have one\n", fraud_typology_name(k), seen[k], ROUNDS);
        CU_ASSERT(seen[k] >= 5);
    }
}

/* ---- honest shapes --------------------------------------------------------------------------- */

static size_t test_findings_findings_of(const raw *p, int n, unsigned pattern)
{
    world w = {.n = n, .accounts = ACCOUNTS_MAX, .external = -1};
    memcpy(w.p, p, (size_t)n * sizeof *p);
    fraud_state *s = NULL;
    r1_err err;
    bool gate;
    uint64_t seq = 0;
    fraud_finding f[FRAUD_N_TYPOLOGY];
    size_t count = 0;
    CU_ASSERT_EQUAL_FATAL(fraud_state_new(&s, 128, 32, 256, &err), R1_OK);
    for (int i = 0; i < n; i++) seq = findings_insert(s, &w, i, &gate);
    size_t all = fraud_findings_search(s, seq, f, R1_COUNT(f));
    for (size_t i = 0; i < all; i++) count += f[i].typology == pattern;
    fraud_state_free(s);
    return count;
}

static void honest_shapes_are_no_finding(void)
{
    raw p[PAYMENTS_MAX];
    int64_t start = INT64_C(1700000000000);
    for (int i = 0; i < 6; i++)
        p[i] = (raw){1 + i, 0, start + i * FRAUD_DAY_MS, 10000}; /* six pay one: a fan */
    CU_ASSERT_EQUAL(test_findings_findings_of(p, 6, FRAUD_TYPOLOGY_FAN_IN), 1);
    for (int i = 0; i < 6; i++)
        p[6 + i] = p[i], p[i].ts -= 8 * FRAUD_DAY_MS; /* who paid before, as they always do */
    CU_ASSERT_EQUAL(test_findings_findings_of(p, 12, FRAUD_TYPOLOGY_FAN_IN), 0);
    for (int i = 0; i < 6; i++)
        p[i] = (raw){7 + i, 0, start - (20 - i) * FRAUD_DAY_MS,
                     300 + 90000 * i}; /* a shop: all amounts */
    CU_ASSERT_EQUAL(test_findings_findings_of(p, 12, FRAUD_TYPOLOGY_FAN_IN), 0);
}

static void cycles_take_their_time(void)
{
    raw p[5];
    int64_t start = INT64_C(1700000000000), day = FRAUD_DAY_MS;
    for (int i = 0; i < 5; i++)
        p[i] = (raw){i, (i + 1) % 5, start + i * 2 * day - i, 10000 + 500 * i};
    CU_ASSERT_EQUAL(test_findings_findings_of(p, 5, FRAUD_TYPOLOGY_CYCLE), 1);
    p[4].ts = p[3].ts + 5 * day; /* money that rests longer than the gap is not passed on */
    CU_ASSERT_EQUAL(test_findings_findings_of(p, 5, FRAUD_TYPOLOGY_CYCLE), 0);
    for (int i = 0; i < 5; i++)
        p[i] = (raw){i, (i + 1) % 5, start + (i == 4 ? 5 : 4 - i) * day,
                     10000}; /* against the order */
    raw turned[5] = {p[3], p[2], p[1], p[0], p[4]};
    CU_ASSERT_EQUAL(test_findings_findings_of(turned, 5, FRAUD_TYPOLOGY_CYCLE), 0);
}

static void search_an_old_edge(void *ctx)
{
    fraud_finding f[FRAUD_FINDINGS_MAX];
    fraud_state *s = ctx;
    fraud_findings_search(s, s->seq_next - 2, f, R1_COUNT(f));
}

/* Findings are of the newest edge alone: any other would miss what came after it. */
static void old_edges_are_not_searched(void)
{
    fraud_state *s = NULL;
    r1_err err;
    bool gate;
    world w = {.n = 2, .accounts = 3, .external = -1};
    w.p[0] = (raw){0, 1, INT64_C(1700000000000), 10000};
    w.p[1] = (raw){1, 2, INT64_C(1700000000000), 10000};
    CU_ASSERT_EQUAL_FATAL(fraud_state_new(&s, 128, 32, 256, &err), R1_OK);
    for (int i = 0; i < w.n; i++) findings_insert(s, &w, i, &gate);
    CU_ASSERT(r1_test_breaks(search_an_old_edge, s, "findings: edge 0 of 2"));
    fraud_state_free(s);
}

int main(void)
{
    static const r1_test_case cases[] = {
        {"findings as by brute force", findings_as_by_brute_force},
        {"honest shapes are no finding", honest_shapes_are_no_finding},
        {"cycles take their time", cycles_take_their_time},
        {"old edges are not searched", old_edges_are_not_searched},
    };
    fraud_findings_init();
    return r1_test_run("fraud findings", cases, R1_COUNT(cases));
}
