/* SPDX-License-Identifier: GPL-3.0-or-later */
/* findings.c - ego network to igraph_t to findings; the only file that sees igraph. */
#include "findings.h"

#include <igraph/igraph.h>
#include <stdio.h>
#include <string.h>

enum { V_MAX = 160, E_MAX = 300, PER_VERTEX = 24, SIDE_MAX = 32, FAN = 5, SPOKES = 3 };

typedef struct {
    const fraud_state *s;
    uint32_t id[V_MAX];
    int n_v;
    uint64_t seq[E_MAX];
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

/* ---- the ego network ------------------------------------------------------------------------------------------------ */

static int vertex(ego *e, uint32_t id)
{
    for (int i = 0; i < e->n_v; i++)
        if (e->id[i] == id) return i;
    if (e->n_v == V_MAX || e->s->entity[id].role == FRAUD_ROLE_EXTERNAL) return -1;
    e->id[e->n_v] = id;
    return e->n_v++;
}

static void take_edge(ego *e, uint64_t seq)
{
    for (int i = 0; i < e->n_e; i++)
        if (e->seq[i] == seq) return;
    if (e->n_e == E_MAX) return;
    const fraud_edge *edge = fraud_state_edge(e->s, seq);
    if (edge->from == edge->to) return;
    int src = vertex(e, edge->from), dst = vertex(e, edge->to);
    if (src < 0 || dst < 0) return;
    e->seq[e->n_e] = seq;
    e->src[e->n_e] = src;
    e->dst[e->n_e++] = dst;
}

static void walk_vertex(ego *e, int v)
{
    int64_t since = e->s->now - FRAUD_WINDOW_MS[FRAUD_W_7D];
    for (int d = 0; d < 2; d++) {
        uint64_t seq = e->s->entity[e->id[v]].head[d];
        for (int i = 0; i < PER_VERTEX && fraud_state_has(e->s, seq); i++) {
            const fraud_edge *edge = fraud_state_edge(e->s, seq);
            if (edge->ts <= since) break;
            take_edge(e, seq);
            seq = edge->prev[d];
        }
    }
}

static bool build(ego *e, uint64_t seq)
{
    take_edge(e, seq); /* vertex 0 = u, 1 = v */
    if (e->n_v < 2) return false;
    walk_vertex(e, 0);
    walk_vertex(e, 1);
    int first_ring = e->n_v;
    for (int v = 2; v < first_ring; v++) walk_vertex(e, v);
    igraph_integer_t pair[2 * E_MAX];
    for (int i = 0; i < e->n_e; i++) pair[2 * i] = e->src[i], pair[2 * i + 1] = e->dst[i];
    igraph_vector_int_t view = {0};
    igraph_vector_int_view(&view, pair, 2 * e->n_e);
    if (igraph_create(&e->g, &view, e->n_v, IGRAPH_DIRECTED)) return false;
    if (!igraph_simplify(&e->g, true, true, NULL)) return true; /* payments of a pair become one edge */
    igraph_destroy(&e->g);
    return false;
}

/* The newest payment from a to b that is not later than ts; -1: none. */
static int edge_before(const ego *e, int a, int b, int64_t ts)
{
    int best = -1;
    for (int i = 0; i < e->n_e; i++) {
        if (e->src[i] != a || e->dst[i] != b || fraud_state_edge(e->s, e->seq[i])->ts > ts) continue;
        if (best < 0 || e->seq[i] > e->seq[best]) best = i;
    }
    return best;
}

/* ---- writing a finding -------------------------------------------------------------------------------------------------- */

static int account_index(fraud_finding *f, const char *name)
{
    for (int i = 0; i < f->n_account; i++)
        if (!strcmp(f->account[i], name)) return i;
    if (f->n_account == FRAUD_FINDING_ACCOUNTS_MAX) return -1;
    snprintf(f->account[f->n_account], FRAUD_ACCOUNT_BYTES, "%s", name);
    return f->n_account++;
}

static void put_edge(const ego *e, int i, fraud_finding *f)
{
    if (i < 0 || f->n_edge == FRAUD_FINDING_EDGES_MAX) return;
    const fraud_edge *edge = fraud_state_edge(e->s, e->seq[i]);
    int from = account_index(f, e->s->entity[edge->from].name), to = account_index(f, e->s->entity[edge->to].name);
    if (from < 0 || to < 0) return;
    f->edge[f->n_edge].from = (uint8_t)from;
    f->edge[f->n_edge].to = (uint8_t)to;
    f->edge[f->n_edge].amount_minor = edge->amount;
    f->edge[f->n_edge].ts = edge->ts;
    memcpy(f->edge[f->n_edge].tx_id, fraud_state_tx_id(e->s, e->seq[i]), FRAUD_TX_ID_BYTES);
    if (!f->n_edge || edge->ts < f->ts_first) f->ts_first = edge->ts;
    if (!f->n_edge || edge->ts > f->ts_last) f->ts_last = edge->ts;
    f->amount_minor += edge->amount;
    f->n_edge++;
}

static void put_pair(const ego *e, int a, int b, fraud_finding *f) { put_edge(e, edge_before(e, a, b, INT64_MAX), f); }

typedef struct {
    fraud_finding *out;
    size_t n, cap;
} sink;

static fraud_finding *start(sink *k, unsigned pattern)
{
    if (k->n == k->cap) return NULL;
    fraud_finding *f = &k->out[k->n++];
    memset(f, 0, sizeof *f);
    f->pattern = (uint8_t)pattern;
    return f;
}

/* ---- igraph queries ------------------------------------------------------------------------------------------------------ */

static void neighbours(const ego *e, int v, igraph_neimode_t mode, side *out)
{
    igraph_vector_int_t list;
    out->n = 0;
    if (igraph_vector_int_init(&list, 0)) return;
    if (!igraph_neighbors(&e->g, &list, v, mode))
        for (igraph_integer_t i = 0; i < igraph_vector_int_size(&list) && out->n < SIDE_MAX; i++)
            out->v[out->n++] = (int)VECTOR(list)[i];
    igraph_vector_int_destroy(&list);
}

static bool has(const side *s, int v)
{
    for (int i = 0; i < s->n; i++)
        if (s->v[i] == v) return true;
    return false;
}

static void add(side *s, int v)
{
    if (s->n < SIDE_MAX && !has(s, v)) s->v[s->n++] = v;
}

/* path: vertices v ... u. In the order of time, read from its end: each payment not later than the one after it. */
static bool timed_cycle(const ego *e, const igraph_integer_t *path, igraph_integer_t n, int *edges)
{
    int64_t ts = fraud_state_edge(e->s, e->seq[0])->ts;
    for (igraph_integer_t i = n - 1; i > 0; i--) {
        edges[i - 1] = edge_before(e, (int)path[i - 1], (int)path[i], ts);
        if (edges[i - 1] < 0) return false;
        ts = fraud_state_edge(e->s, e->seq[edges[i - 1]])->ts;
    }
    return true;
}

/* igraph gives all paths one after the other, each closed by -1; the shortest that is in the order of time is reported. */
static void find_cycle(const ego *e, sink *k)
{
    igraph_vector_int_t paths;
    int edges[8], best[8];
    igraph_integer_t best_n = 0, start_at = 0;
    if (igraph_vector_int_init(&paths, 0)) return;
    if (!igraph_get_all_simple_paths(&e->g, &paths, 1, igraph_vss_1(0), 4, IGRAPH_OUT)) {
        for (igraph_integer_t i = 0; i < igraph_vector_int_size(&paths); i++) {
            if (VECTOR(paths)[i] >= 0) continue;
            igraph_integer_t n = i - start_at;
            if (n >= 2 && n <= 5 && (!best_n || n < best_n) && timed_cycle(e, &VECTOR(paths)[start_at], n, edges)) {
                best_n = n;
                memcpy(best, edges, sizeof best);
            }
            start_at = i + 1;
        }
    }
    igraph_vector_int_destroy(&paths);
    fraud_finding *f = best_n ? start(k, FRAUD_PATTERN_CYCLE) : NULL;
    if (!f) return;
    put_edge(e, 0, f);
    for (igraph_integer_t i = 0; i + 1 < best_n; i++) put_edge(e, best[i], f);
}

static void find_fans(const ego *e, const side *v_in, const side *u_out, sink *k)
{
    fraud_finding *f = v_in->n >= FAN ? start(k, FRAUD_PATTERN_FAN_IN) : NULL;
    for (int i = 0; f && i < v_in->n; i++) put_pair(e, v_in->v[i], 1, f);
    f = u_out->n >= FAN ? start(k, FRAUD_PATTERN_FAN_OUT) : NULL;
    for (int i = 0; f && i < u_out->n; i++) put_pair(e, 0, u_out->v[i], f);
}

static bool find_scatter_gather(const ego *e, const side *u_in, const side *v_in, sink *k)
{
    side best = {.n = 0}, outs;
    int source = -1;
    for (int i = 0; i < u_in->n; i++) {
        if (u_in->v[i] == 1) continue;
        side mids = {.n = 0};
        neighbours(e, u_in->v[i], IGRAPH_OUT, &outs);
        for (int j = 0; j < outs.n; j++)
            if (has(v_in, outs.v[j])) add(&mids, outs.v[j]);
        if (mids.n > best.n) best = mids, source = u_in->v[i];
    }
    fraud_finding *f = best.n >= SPOKES ? start(k, FRAUD_PATTERN_SCATTER_GATHER) : NULL;
    for (int i = 0; f && i < best.n; i++) {
        put_pair(e, source, best.v[i], f);
        put_pair(e, best.v[i], 1, f);
    }
    return best.n >= SPOKES;
}

static void find_gather_scatter(const ego *e, const side *u_in, const side *u_out, sink *k)
{
    if (u_in->n < SPOKES || u_out->n < SPOKES) return;
    fraud_finding *f = start(k, FRAUD_PATTERN_GATHER_SCATTER);
    for (int i = 0; f && i < u_in->n; i++) put_pair(e, u_in->v[i], 0, f);
    for (int i = 0; f && i < u_out->n; i++) put_pair(e, 0, u_out->v[i], f);
}

/* Did mid pass on to v, later, about what the layer's end had paid it? */
static bool passed_on(const ego *e, int layer, int mid)
{
    int out = edge_before(e, mid, 1, INT64_MAX);
    if (out < 0) return false;
    const fraud_edge *later = fraud_state_edge(e->s, e->seq[out]);
    int in = edge_before(e, layer, mid, later->ts);
    if (in < 0) return false;
    int32_t lost = fraud_state_edge(e->s, e->seq[in])->ln - later->ln;
    return lost > -128 && lost < 384; /* between 12 % more and 31 % less */
}

static void find_stack(const ego *e, const side *v_in, sink *k)
{
    side layer = {.n = 0}, mids = {.n = 0}, ins;
    for (int i = 0; i < v_in->n; i++) {
        int b = v_in->v[i];
        neighbours(e, b, IGRAPH_IN, &ins);
        for (int j = 0; j < ins.n; j++) {
            if (ins.v[j] == 1 || has(v_in, ins.v[j]) || !passed_on(e, ins.v[j], b)) continue;
            add(&layer, ins.v[j]);
            add(&mids, b);
        }
    }
    if (layer.n < 2 || mids.n < 2) return;
    fraud_finding *f = start(k, FRAUD_PATTERN_STACK);
    for (int i = 0; f && i < mids.n; i++) {
        for (int j = 0; j < layer.n; j++) put_pair(e, layer.v[j], mids.v[i], f);
        put_pair(e, mids.v[i], 1, f);
    }
}

static void find_bipartite(const ego *e, const side *v_in, const side *u_out, sink *k)
{
    side sources = {.v = {0}, .n = 1}, sinks = {.v = {1}, .n = 1}, outs;
    for (int i = 0; i < v_in->n; i++) {
        int b = v_in->v[i];
        if (b == 0) continue;
        neighbours(e, b, IGRAPH_OUT, &outs);
        for (int j = 0; j < outs.n; j++) {
            if (outs.v[j] == 1 || outs.v[j] == 0 || !has(u_out, outs.v[j])) continue;
            add(&sources, b);
            add(&sinks, outs.v[j]);
        }
    }
    if (sources.n < 2 || sinks.n < 2 || sources.n + sinks.n < 5) return;
    fraud_finding *f = start(k, FRAUD_PATTERN_BIPARTITE);
    for (int i = 0; f && i < sources.n; i++)
        for (int j = 0; j < sinks.n; j++) put_pair(e, sources.v[i], sinks.v[j], f);
}

size_t fraud_findings_search(const fraud_state *s, uint64_t seq, fraud_finding *out, size_t cap)
{
    ego e;
    e.s = s;
    e.n_v = e.n_e = 0;
    if (!build(&e, seq)) return 0;
    sink k = {out, 0, cap};
    side u_in, u_out, v_in;
    neighbours(&e, 0, IGRAPH_IN, &u_in);
    neighbours(&e, 0, IGRAPH_OUT, &u_out);
    neighbours(&e, 1, IGRAPH_IN, &v_in);
    find_cycle(&e, &k);
    find_fans(&e, &v_in, &u_out, &k);
    if (!find_scatter_gather(&e, &u_in, &v_in, &k)) find_stack(&e, &v_in, &k);
    find_gather_scatter(&e, &u_in, &u_out, &k);
    find_bipartite(&e, &v_in, &u_out, &k);
    igraph_destroy(&e.g);
    return k.n;
}
