/* SPDX-License-Identifier: GPL-3.0-or-later */
/* findings.c - like edges around a new edge to igraph_t to findings; the only file that sees
 * igraph. */
#include "graph/findings.h"

#include <igraph/igraph.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { V_MAX = 160, E_MAX = 320, SIDE_MAX = FRAUD_FINDING_NEAR, SHARE_N = 3, SHARE_D = 5 };

typedef struct {
    const fraud_state *s;
    const fraud_edge *new_edge;
    uint32_t id[V_MAX]; /* vertex 0 = u, 1 = v */
    int n_v;
    const fraud_edge *edge[E_MAX]; /* edge 0 = the new one */
    int src[E_MAX], dst[E_MAX];
    int n_e;
    igraph_t g;
} ego;

typedef struct { /* a short list of vertices */
    int v[SIDE_MAX];
    int n;
} side;

void fraud_findings_init(void)
{
    igraph_set_error_handler(igraph_error_handler_ignore);
    igraph_set_warning_handler(igraph_warning_handler_ignore);
}

/* ---- like edges ------------------------------------------------------------------------------ */

static bool findings_inner(const fraud_state *s, const fraud_edge *edge)
{
    return edge->from != edge->to && s->entity[edge->from].role == FRAUD_ROLE_ACCOUNT &&
           s->entity[edge->to].role == FRAUD_ROLE_ACCOUNT;
}

static bool findings_like(const fraud_state *s, const fraud_edge *edge, const fraud_edge *new_edge,
                          int band)
{
    return findings_inner(s, edge) && abs(edge->ln - new_edge->ln) <= band &&
           s->pair[edge->pair].n[FRAUD_W_28D] == 1;
}

typedef struct { /* the newest payments of one account and direction */
    const fraud_edge *like[FRAUD_FINDING_NEAR];
    int n_like, n_all; /* n_all: accounts at the other end, like or not */
} near_list;

static uint32_t findings_other_end(const fraud_edge *edge, int direction)
{
    return direction ? edge->from : edge->to;
}

static void findings_near_fill(const fraud_state *s, uint32_t id, int direction,
                               const fraud_edge *new_edge, near_list *l)
{
    uint32_t seen[FRAUD_FINDING_NEAR];
    uint64_t seq = s->entity[id].head[direction];
    l->n_like = l->n_all = 0;
    for (int i = 0; i < FRAUD_FINDING_NEAR && fraud_state_has(s, seq); i++) {
        const fraud_edge *edge = fraud_state_edge(s, seq);
        if (edge->ts <= new_edge->ts - FRAUD_WINDOW_MS[FRAUD_W_28D]) return;
        seq = edge->prev[direction];
        if (!findings_inner(s, edge)) continue;
        int k = 0;
        while (k < l->n_all && seen[k] != findings_other_end(edge, direction)) k++;
        if (k == l->n_all) seen[l->n_all++] = findings_other_end(edge, direction);
        if (edge->ts > new_edge->ts - FRAUD_FINDING_DAYS * FRAUD_DAY_MS &&
            findings_like(s, edge, new_edge, FRAUD_FINDING_BAND))
            l->like[l->n_like++] = edge;
    }
}

/* ---- the network ----------------------------------------------------------------------------- */

static int findings_vertex(ego *e, uint32_t id)
{
    for (int i = 0; i < e->n_v; i++)
        if (e->id[i] == id) return i;
    if (e->n_v == V_MAX) return -1;
    e->id[e->n_v] = id;
    return e->n_v++;
}

static void take_edge(ego *e, const fraud_edge *edge)
{
    for (int i = 0; i < e->n_e; i++)
        if (e->edge[i] == edge) return;
    if (e->n_e == E_MAX) return;
    int src = findings_vertex(e, edge->from), dst = findings_vertex(e, edge->to);
    if (src < 0 || dst < 0) return;
    e->edge[e->n_e] = edge;
    e->src[e->n_e] = src;
    e->dst[e->n_e++] = dst;
}

static void take_list(ego *e, const near_list *l)
{
    for (int i = 0; i < l->n_like; i++) take_edge(e, l->like[i]);
}

static void walk_vertex(ego *e, int v)
{
    near_list l;
    for (int d = 0; d < 2; d++) {
        findings_near_fill(e->s, e->id[v], d, e->new_edge, &l);
        take_list(e, &l);
    }
}

static bool findings_build(ego *e, const near_list *u_in, const near_list *u_out,
                           const near_list *v_in)
{
    e->n_v = e->n_e = 0;
    take_edge(e, e->new_edge);
    take_list(e, u_in);
    take_list(e, u_out);
    take_list(e, v_in);
    int first_hop = e->n_v;
    for (int v = 2; v < first_hop; v++) walk_vertex(e, v);
    igraph_integer_t pair[2 * E_MAX];
    for (int i = 0; i < e->n_e; i++) pair[2 * i] = e->src[i], pair[2 * i + 1] = e->dst[i];
    igraph_vector_int_t view = {0};
    igraph_vector_int_view(&view, pair, 2 * e->n_e);
    return !igraph_create(&e->g, &view, e->n_v, IGRAPH_DIRECTED);
}

/* The payment from a to b; a like edge is the only one of its pair. -1: none. */
static int edge_of(const ego *e, int a, int b)
{
    for (int i = 0; i < e->n_e; i++)
        if (e->src[i] == a && e->dst[i] == b) return i;
    return -1;
}

/* Did a pay b not later than c paid d? */
static bool findings_before(const ego *e, int a, int b, int c, int d)
{
    int first = edge_of(e, a, b), second = edge_of(e, c, d);
    return first >= 0 && second >= 0 && e->edge[first]->ts <= e->edge[second]->ts;
}

/* ---- writing a finding ----------------------------------------------------------------------- */

static int account_index(fraud_finding *f, const char *name)
{
    for (int i = 0; i < f->n_account; i++)
        if (!strcmp(f->account[i], name)) return i;
    if (f->n_account == FRAUD_FINDING_ACCOUNTS_MAX) return -1;
    snprintf(f->account[f->n_account], FRAUD_ACCOUNT_BYTES, "%s", name);
    return f->n_account++;
}

static void put_edge(const fraud_state *s, const fraud_edge *edge, fraud_finding *f)
{
    if (f->n_edge == FRAUD_FINDING_EDGES_MAX) return;
    int from = account_index(f, s->entity[edge->from].name),
        to = account_index(f, s->entity[edge->to].name);
    if (from < 0 || to < 0) return;
    f->edge[f->n_edge].from = (uint8_t)from;
    f->edge[f->n_edge].to = (uint8_t)to;
    f->edge[f->n_edge].amount_minor = edge->amount;
    f->edge[f->n_edge].ts = edge->ts;
    memcpy(f->edge[f->n_edge].tx_id, fraud_edge_tx_id(s, edge), FRAUD_TX_ID_BYTES);
    if (!f->n_edge || edge->ts < f->ts_first) f->ts_first = edge->ts;
    if (!f->n_edge || edge->ts > f->ts_last) f->ts_last = edge->ts;
    f->amount_minor += edge->amount;
    f->n_edge++;
}

static void put_pair(const ego *e, int a, int b, fraud_finding *f)
{
    int i = edge_of(e, a, b);
    if (i >= 0) put_edge(e->s, e->edge[i], f);
}

typedef struct {
    fraud_finding *out;
    size_t n, cap;
} sink;

static fraud_finding *findings_start(sink *k, unsigned pattern)
{
    if (k->n == k->cap) return NULL;
    fraud_finding *f = &k->out[k->n++];
    memset(f, 0, sizeof *f);
    f->pattern = (uint8_t)pattern;
    return f;
}

/* ---- cycles: over the state, in time --------------------------------------------------------- */

typedef struct {
    const fraud_state *s;
    const fraud_edge *new_edge;
    const fraud_edge *path[FRAUD_FINDING_HOPS],
        *best[FRAUD_FINDING_HOPS]; /* from its end (into u) backwards */
    int n_best, looks;
} chain;

static bool on_path(const chain *c, int n, uint32_t id)
{
    for (int i = 0; i < n; i++)
        if (c->path[i]->from == id) return true;
    return id == c->new_edge->from;
}

/* The path's last n edges stand; `at` is where it has come from so far. Shorter ones than the
 * best are looked for. */
static void findings_extend(chain *c, int n, uint32_t at, int64_t ts)
{
    int limit = c->n_best ? c->n_best - 1 : FRAUD_FINDING_HOPS;
    if (n == limit) return;
    uint64_t seq = c->s->entity[at].head[1];
    for (int i = 0; i < FRAUD_FINDING_NEAR && fraud_state_has(c->s, seq) && c->looks > 0; i++) {
        const fraud_edge *edge = fraud_state_edge(c->s, seq);
        if (edge->ts < ts - FRAUD_FINDING_GAP_DAYS * FRAUD_DAY_MS ||
            edge->ts <= c->new_edge->ts - FRAUD_FINDING_DAYS * FRAUD_DAY_MS)
            return;
        seq = edge->prev[1];
        c->looks--;
        if (edge->ts > ts || edge == c->new_edge ||
            !findings_like(c->s, edge, c->new_edge, FRAUD_FINDING_CYCLE_BAND) ||
            on_path(c, n, edge->from))
            continue;
        c->path[n] = edge;
        if (edge->from != c->new_edge->to)
            findings_extend(c, n + 1, edge->from, edge->ts);
        else if (n > 0) {
            c->n_best = n + 1;
            memcpy(c->best, c->path, sizeof c->best);
            return;
        }
    }
}

static void find_cycle(const fraud_state *s, const fraud_edge *new_edge, sink *k)
{
    chain c = {.s = s, .new_edge = new_edge, .looks = FRAUD_FINDING_LOOKS};
    findings_extend(&c, 0, new_edge->from, new_edge->ts);
    fraud_finding *f = c.n_best ? findings_start(k, FRAUD_PATTERN_CYCLE) : NULL;
    if (!f) return;
    put_edge(s, new_edge, f);
    for (int i = c.n_best - 1; i >= 0; i--) put_edge(s, c.best[i], f);
}

/* ---- fans: one end alone --------------------------------------------------------------------- */

static void find_fan(const fraud_state *s, const near_list *l, unsigned pattern, sink *k)
{
    if (l->n_like < FRAUD_FINDING_FAN || SHARE_D * l->n_like < SHARE_N * l->n_all) return;
    fraud_finding *f = findings_start(k, pattern);
    for (int i = 0; f && i < l->n_like; i++) put_edge(s, l->like[i], f);
}

/* u paid 3 and more, after 3 and more others had paid it. */
static void find_gather_scatter(const fraud_state *s, const near_list *u_in, const near_list *u_out,
                                sink *k)
{
    int n_in = 0;
    if (u_out->n_like < FRAUD_FINDING_SPOKES || SHARE_D * u_out->n_like < SHARE_N * u_out->n_all ||
        SHARE_D * u_in->n_like < SHARE_N * u_in->n_all)
        return;
    int64_t first_out = u_out->like[u_out->n_like - 1]->ts; /* newest first */
    for (int pass = 0; pass < 2; pass++) {
        fraud_finding *f = pass && n_in >= FRAUD_FINDING_SPOKES
                               ? findings_start(k, FRAUD_PATTERN_GATHER_SCATTER)
                               : NULL;
        if (pass && !f) return;
        for (int i = 0; i < u_in->n_like; i++) {
            if (u_in->like[i]->ts > first_out) continue;
            n_in += !pass;
            if (pass) put_edge(s, u_in->like[i], f);
        }
        for (int i = 0; pass && i < u_out->n_like; i++) put_edge(s, u_out->like[i], f);
    }
}

/* ---- two hops: over igraph ------------------------------------------------------------------- */

static void findings_neighbours(const ego *e, int v, igraph_neimode_t mode, side *out)
{
    igraph_vector_int_t list;
    out->n = 0;
    if (igraph_vector_int_init(&list, 0)) return;
    if (!igraph_neighbors(&e->g, &list, v, mode))
        for (igraph_integer_t i = 0; i < igraph_vector_int_size(&list) && out->n < SIDE_MAX; i++)
            out->v[out->n++] = (int)VECTOR(list)[i];
    igraph_vector_int_destroy(&list);
}

static bool findings_has(const side *s, int v)
{
    for (int i = 0; i < s->n; i++)
        if (s->v[i] == v) return true;
    return false;
}

static void findings_add(side *s, int v)
{
    if (s->n < SIDE_MAX && !findings_has(s, v)) s->v[s->n++] = v;
}

/* Accounts that `source` paid and that paid v afterwards. */
static side findings_passers(const ego *e, int source, const side *v_in)
{
    side mids = {.n = 0};
    for (int i = 0; i < v_in->n; i++)
        if (v_in->v[i] != source && findings_before(e, source, v_in->v[i], v_in->v[i], 1))
            findings_add(&mids, v_in->v[i]);
    return mids;
}

static void find_scatter_gather(const ego *e, const side *u_in, const side *v_in, sink *k)
{
    side best = {.n = 0};
    int source = -1;
    for (int i = 0; i < u_in->n; i++) {
        if (u_in->v[i] == 1) continue;
        side mids = findings_passers(e, u_in->v[i], v_in);
        if (findings_has(&mids, 0) && mids.n > best.n) best = mids, source = u_in->v[i];
    }
    fraud_finding *f =
        best.n >= FRAUD_FINDING_SPOKES ? findings_start(k, FRAUD_PATTERN_SCATTER_GATHER) : NULL;
    for (int i = 0; f && i < best.n; i++) {
        put_pair(e, source, best.v[i], f);
        put_pair(e, best.v[i], 1, f);
    }
}

/* Accounts that paid a, then b, or both before these paid v. both: how many of them paid both. */
static side layer_of(const ego *e, int a, int b, int *both)
{
    side layer = {.n = 0};
    *both = 0;
    for (int x = 2; x < e->n_v; x++) {
        if (x == a || x == b) continue;
        bool paid_a = findings_before(e, x, a, a, 1), paid_b = findings_before(e, x, b, b, 1);
        if (paid_a || paid_b) findings_add(&layer, x);
        *both += paid_a && paid_b;
    }
    return layer;
}

static void find_stack(const ego *e, const side *v_in, sink *k)
{
    side best = {.n = 0};
    int mid = -1, most = 0;
    for (int i = 0; i < v_in->n; i++) {
        int both;
        side layer = layer_of(e, 0, v_in->v[i], &both);
        if (v_in->v[i] == 0 || layer.n < 2 || both < 1 || both * SIDE_MAX + layer.n <= most)
            continue;
        most = both * SIDE_MAX + layer.n;
        best = layer;
        mid = v_in->v[i];
    }
    fraud_finding *f = mid >= 0 ? findings_start(k, FRAUD_PATTERN_STACK) : NULL;
    for (int i = 0; f && i < best.n; i++) {
        if (findings_before(e, best.v[i], 0, 0, 1)) put_pair(e, best.v[i], 0, f);
        if (findings_before(e, best.v[i], mid, mid, 1)) put_pair(e, best.v[i], mid, f);
    }
    if (f) put_pair(e, 0, 1, f), put_pair(e, mid, 1, f);
}

static void find_bipartite(const ego *e, const side *v_in, const side *u_out, sink *k)
{
    side sources = {.v = {0}, .n = 1}, sinks = {.v = {1}, .n = 1}, outs;
    for (int i = 0; i < v_in->n; i++) {
        int b = v_in->v[i];
        if (b == 0 || findings_has(u_out, b)) continue;
        findings_neighbours(e, b, IGRAPH_OUT, &outs);
        for (int j = 0; j < outs.n; j++) {
            if (outs.v[j] == 1 || outs.v[j] == 0 || !findings_has(u_out, outs.v[j]) ||
                findings_has(v_in, outs.v[j]))
                continue;
            findings_add(&sources, b);
            findings_add(&sinks, outs.v[j]);
        }
    }
    if (sources.n < 2 || sinks.n < 2 || sources.n + sinks.n < 5) return;
    fraud_finding *f = findings_start(k, FRAUD_PATTERN_BIPARTITE);
    for (int i = 0; f && i < sources.n; i++)
        for (int j = 0; j < sinks.n; j++) put_pair(e, sources.v[i], sinks.v[j], f);
}

static void find_two_hops(const fraud_state *s, const fraud_edge *new_edge, const near_list *u_in,
                          const near_list *u_out, const near_list *v_in, sink *k)
{
    /* Every shape of two hops needs a second payer of v, and a payer of u or a second sink of u. */
    if (v_in->n_like < 2 || (u_in->n_like < 1 && u_out->n_like < 2)) return;
    ego e = {.s = s, .new_edge = new_edge};
    if (!findings_build(&e, u_in, u_out, v_in)) return;
    side in_u, out_u, in_v;
    findings_neighbours(&e, 0, IGRAPH_IN, &in_u);
    findings_neighbours(&e, 0, IGRAPH_OUT, &out_u);
    findings_neighbours(&e, 1, IGRAPH_IN, &in_v);
    find_scatter_gather(&e, &in_u, &in_v, k);
    find_stack(&e, &in_v, k);
    find_bipartite(&e, &in_v, &out_u, k);
    igraph_destroy(&e.g);
}

size_t fraud_findings_search(const fraud_state *s, uint64_t seq, fraud_finding *out, size_t cap)
{
    const fraud_edge *new_edge = fraud_state_edge(s, seq);
    sink k = {out, 0, cap};
    near_list u_in, u_out, v_in;
    if (!findings_like(s, new_edge, new_edge, 0)) return 0;
    findings_near_fill(s, new_edge->from, 1, new_edge, &u_in);
    findings_near_fill(s, new_edge->from, 0, new_edge, &u_out);
    findings_near_fill(s, new_edge->to, 1, new_edge, &v_in);
    find_cycle(s, new_edge, &k);
    find_fan(s, &v_in, FRAUD_PATTERN_FAN_IN, &k);
    find_fan(s, &u_out, FRAUD_PATTERN_FAN_OUT, &k);
    find_gather_scatter(s, &u_in, &u_out, &k);
    find_two_hops(s, new_edge, &u_in, &u_out, &v_in, &k);
    return k.n;
}
