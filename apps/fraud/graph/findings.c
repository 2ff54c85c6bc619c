/* SPDX-License-Identifier: GPL-3.0-or-later */
/* findings.c - like edges around a new edge to igraph_t to findings; the only file that sees
 * igraph. */
#include "graph/findings.h"

#include "r1_assert.h"

#include <igraph/igraph.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { V_MAX = FRAUD_FINDING_NETWORK, E_MAX = 2 * V_MAX, SIDE_MAX = FRAUD_FINDING_NEAR };

typedef struct { /* a short list of vertices */
    int v[SIDE_MAX];
    int n;
} side;

typedef struct { /* the newest payments of one account and direction */
    const fraud_edge *like[FRAUD_FINDING_NEAR];
    int n_like, n_all; /* n_all: accounts at the other end, like or not */
} near_list;

typedef struct { /* the two-hop network of like edges; vertex 0 = u, vertex 1 = v */
    uint32_t id[V_MAX];
    int n_v;
    const fraud_edge *edge[E_MAX]; /* edge 0 = the new one */
    int src[E_MAX], dst[E_MAX];
    int n_e;
    igraph_t g;
    side u_in, u_out, v_in; /* neighbours */
} network;

typedef struct { /* what every search starts from */
    const fraud_state *s;
    const fraud_edge *new_edge;
    near_list u_in, u_out, v_in;
    network net; /* filled for the searches over two hops alone */
} around;

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
           fraud_pair_only(s, edge->pair);
}

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
        seq = fraud_edge_older(edge, seq, direction);
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

static int findings_vertex(network *w, uint32_t id)
{
    for (int i = 0; i < w->n_v; i++)
        if (w->id[i] == id) return i;
    if (w->n_v == V_MAX) return -1;
    w->id[w->n_v] = id;
    return w->n_v++;
}

static void take_edge(network *w, const fraud_edge *edge)
{
    for (int i = 0; i < w->n_e; i++)
        if (w->edge[i] == edge) return;
    if (w->n_e == E_MAX) return;
    int src = findings_vertex(w, edge->from), dst = findings_vertex(w, edge->to);
    if (src < 0 || dst < 0) return;
    w->edge[w->n_e] = edge;
    w->src[w->n_e] = src;
    w->dst[w->n_e++] = dst;
}

static void take_list(network *w, const near_list *l)
{
    for (int i = 0; i < l->n_like; i++) take_edge(w, l->like[i]);
}

static void walk_vertex(around *a, int v)
{
    near_list l;
    for (int d = 0; d < 2; d++) {
        findings_near_fill(a->s, a->net.id[v], d, a->new_edge, &l);
        take_list(&a->net, &l);
    }
}

/* Fills a->net but for its neighbours; false: igraph has no memory. */
static bool network_build(around *a)
{
    network *w = &a->net;
    w->n_v = w->n_e = 0;
    take_edge(w, a->new_edge);
    take_list(w, &a->u_in);
    take_list(w, &a->u_out);
    take_list(w, &a->v_in);
    R1_ASSERT(w->n_v >= 2 && w->id[0] == a->new_edge->from && w->id[1] == a->new_edge->to,
              "network: %d vertices", w->n_v);
    int first_hop = w->n_v;
    for (int v = 2; v < first_hop; v++) walk_vertex(a, v);
    R1_ASSERT(w->n_v <= V_MAX && w->n_e <= E_MAX, "network: %d vertices, %d edges", w->n_v, w->n_e);
    igraph_integer_t pair[2 * E_MAX];
    for (int i = 0; i < w->n_e; i++) pair[2 * i] = w->src[i], pair[2 * i + 1] = w->dst[i];
    igraph_vector_int_t view = {0};
    igraph_vector_int_view(&view, pair, 2 * w->n_e);
    return !igraph_create(&w->g, &view, w->n_v, IGRAPH_DIRECTED);
}

/* The payment from a to b; a like edge is the only one of its pair. -1: none. */
static int edge_of(const network *w, int a, int b)
{
    for (int i = 0; i < w->n_e; i++)
        if (w->src[i] == a && w->dst[i] == b) return i;
    return -1;
}

/* Did a pay b not later than c paid d? */
static bool findings_before(const network *w, int a, int b, int c, int d)
{
    int first = edge_of(w, a, b), second = edge_of(w, c, d);
    return first >= 0 && second >= 0 && w->edge[first]->ts <= w->edge[second]->ts;
}

static void findings_neighbours(const network *w, int v, igraph_neimode_t mode, side *out)
{
    igraph_vector_int_t list;
    out->n = 0;
    if (igraph_vector_int_init(&list, 0)) return;
    if (!igraph_neighbors(&w->g, &list, v, mode))
        for (igraph_integer_t i = 0; i < igraph_vector_int_size(&list) && out->n < SIDE_MAX; i++)
            out->v[out->n++] = (int)VECTOR(list)[i];
    igraph_vector_int_destroy(&list);
}

/* ---- writing a finding ----------------------------------------------------------------------- */

static void put_id(char *out, size_t cap, const char *id)
{
    size_t len = strlen(id);
    R1_ASSERT(len < cap, "finding: an id of %zu bytes", len);
    memcpy(out, id, len + 1);
}

static int account_index(fraud_finding *f, const char *name)
{
    for (int i = 0; i < f->n_account; i++)
        if (!strcmp(f->account[i], name)) return i;
    if (f->n_account == FRAUD_FINDING_ACCOUNTS_MAX) return -1;
    put_id(f->account[f->n_account], FRAUD_ACCOUNT_BYTES, name);
    return f->n_account++;
}

static void put_edge(const fraud_state *s, const fraud_edge *edge, fraud_finding *f)
{
    if (f->n_edge == FRAUD_FINDING_EDGES_MAX) return;
    char name[2][FRAUD_ID_BYTES], tx_id[FRAUD_ID_BYTES];
    fraud_state_name(s, edge->from, name[0]);
    fraud_state_name(s, edge->to, name[1]);
    fraud_edge_tx_id(s, edge, tx_id);
    int from = account_index(f, name[0]), to = account_index(f, name[1]);
    if (from < 0 || to < 0) return;
    f->edge[f->n_edge].from = (uint8_t)from;
    f->edge[f->n_edge].to = (uint8_t)to;
    f->edge[f->n_edge].amount_minor = edge->amount;
    f->edge[f->n_edge].ts = edge->ts;
    put_id(f->edge[f->n_edge].tx_id, FRAUD_TX_ID_BYTES, tx_id);
    if (!f->n_edge || edge->ts < f->ts_first) f->ts_first = edge->ts;
    if (!f->n_edge || edge->ts > f->ts_last) f->ts_last = edge->ts;
    f->amount_minor += edge->amount;
    f->n_edge++;
    R1_ASSERT(f->n_edge <= FRAUD_FINDING_EDGES_MAX && f->n_account <= FRAUD_FINDING_ACCOUNTS_MAX,
              "finding: %u edges, %u accounts", f->n_edge, f->n_account);
}

static void put_pair(const around *r, int a, int b, fraud_finding *f)
{
    int i = edge_of(&r->net, a, b);
    if (i >= 0) put_edge(r->s, r->net.edge[i], f);
}

typedef struct {
    fraud_finding *out;
    size_t n, cap;
} sink;

static fraud_finding *findings_start(sink *k, fraud_typology typology)
{
    R1_ASSERT(k->n <= k->cap, "findings: %zu of %zu", k->n, k->cap);
    if (k->n == k->cap) return NULL;
    fraud_finding *f = &k->out[k->n++];
    memset(f, 0, sizeof *f);
    f->typology = (uint8_t)typology;
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
        seq = fraud_edge_older(edge, seq, 1);
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

static void find_cycle(const around *a, sink *k)
{
    chain c = {.s = a->s, .new_edge = a->new_edge, .looks = FRAUD_FINDING_LOOKS};
    findings_extend(&c, 0, a->new_edge->from, a->new_edge->ts);
    R1_ASSERT(c.n_best <= FRAUD_FINDING_HOPS, "cycle: %d hops", c.n_best);
    fraud_finding *f = c.n_best ? findings_start(k, FRAUD_TYPOLOGY_CYCLE) : NULL;
    if (!f) return;
    put_edge(a->s, a->new_edge, f);
    for (int i = c.n_best - 1; i >= 0; i--) put_edge(a->s, c.best[i], f);
}

/* ---- fans: one end alone --------------------------------------------------------------------- */

/* Are the like payments enough of all accounts that the end meets? */
static bool findings_share(const near_list *l)
{
    return FRAUD_FINDING_SHARE_D * l->n_like >= FRAUD_FINDING_SHARE_N * l->n_all;
}

static void put_fan(const around *a, const near_list *l, fraud_typology typology, sink *k)
{
    if (l->n_like < FRAUD_FINDING_FAN || !findings_share(l)) return;
    fraud_finding *f = findings_start(k, typology);
    for (int i = 0; f && i < l->n_like; i++) put_edge(a->s, l->like[i], f);
}

static void find_fan_in(const around *a, sink *k)
{
    put_fan(a, &a->v_in, FRAUD_TYPOLOGY_FAN_IN, k);
}

static void find_fan_out(const around *a, sink *k)
{
    put_fan(a, &a->u_out, FRAUD_TYPOLOGY_FAN_OUT, k);
}

static void find_gather_scatter(const around *a, sink *k)
{
    const near_list *in = &a->u_in, *out = &a->u_out;
    if (out->n_like < FRAUD_FINDING_SPOKES || !findings_share(out) || !findings_share(in)) return;
    int64_t first_out = out->like[out->n_like - 1]->ts; /* newest first */
    int n_in = 0;
    for (int i = 0; i < in->n_like; i++) n_in += in->like[i]->ts <= first_out;
    fraud_finding *f =
        n_in >= FRAUD_FINDING_SPOKES ? findings_start(k, FRAUD_TYPOLOGY_GATHER_SCATTER) : NULL;
    if (!f) return;
    for (int i = 0; i < in->n_like; i++)
        if (in->like[i]->ts <= first_out) put_edge(a->s, in->like[i], f);
    for (int i = 0; i < out->n_like; i++) put_edge(a->s, out->like[i], f);
}

/* ---- two hops: over the network -------------------------------------------------------------- */

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
static side findings_passers(const network *w, int source)
{
    side mids = {.n = 0};
    for (int i = 0; i < w->v_in.n; i++)
        if (w->v_in.v[i] != source && findings_before(w, source, w->v_in.v[i], w->v_in.v[i], 1))
            findings_add(&mids, w->v_in.v[i]);
    return mids;
}

static void find_scatter_gather(const around *a, sink *k)
{
    const network *w = &a->net;
    side best = {.n = 0};
    int source = -1;
    for (int i = 0; i < w->u_in.n; i++) {
        if (w->u_in.v[i] == 1) continue;
        side mids = findings_passers(w, w->u_in.v[i]);
        if (findings_has(&mids, 0) && mids.n > best.n) best = mids, source = w->u_in.v[i];
    }
    fraud_finding *f =
        best.n >= FRAUD_FINDING_SPOKES ? findings_start(k, FRAUD_TYPOLOGY_SCATTER_GATHER) : NULL;
    for (int i = 0; f && i < best.n; i++) {
        put_pair(a, source, best.v[i], f);
        put_pair(a, best.v[i], 1, f);
    }
}

/* Accounts that paid a, then b, or both before these paid v. both: how many of them paid both. */
static side layer_of(const network *w, int a, int b, int *both)
{
    side layer = {.n = 0};
    *both = 0;
    for (int x = 2; x < w->n_v; x++) {
        if (x == a || x == b) continue;
        bool paid_a = findings_before(w, x, a, a, 1), paid_b = findings_before(w, x, b, b, 1);
        if (paid_a || paid_b) findings_add(&layer, x);
        *both += paid_a && paid_b;
    }
    return layer;
}

static void find_stack(const around *a, sink *k)
{
    const network *w = &a->net;
    side best = {.n = 0};
    int mid = -1, most = 0;
    for (int i = 0; i < w->v_in.n; i++) {
        int both, v = w->v_in.v[i];
        side layer = layer_of(w, 0, v, &both);
        if (v == 0 || layer.n < FRAUD_FINDING_SIDE || both < 1) continue;
        if (both * SIDE_MAX + layer.n <= most) continue;
        most = both * SIDE_MAX + layer.n;
        best = layer;
        mid = v;
    }
    fraud_finding *f = mid >= 0 ? findings_start(k, FRAUD_TYPOLOGY_STACK) : NULL;
    for (int i = 0; f && i < best.n; i++) {
        if (findings_before(w, best.v[i], 0, 0, 1)) put_pair(a, best.v[i], 0, f);
        if (findings_before(w, best.v[i], mid, mid, 1)) put_pair(a, best.v[i], mid, f);
    }
    if (f) put_pair(a, 0, 1, f), put_pair(a, mid, 1, f);
}

static void find_bipartite(const around *a, sink *k)
{
    const network *w = &a->net;
    side sources = {.v = {0}, .n = 1}, sinks = {.v = {1}, .n = 1}, outs;
    for (int i = 0; i < w->v_in.n; i++) {
        int b = w->v_in.v[i];
        if (b == 0 || findings_has(&w->u_out, b)) continue;
        findings_neighbours(w, b, IGRAPH_OUT, &outs);
        for (int j = 0; j < outs.n; j++) {
            int x = outs.v[j];
            if (x == 1 || x == 0 || !findings_has(&w->u_out, x) || findings_has(&w->v_in, x))
                continue;
            findings_add(&sources, b);
            findings_add(&sinks, x);
        }
    }
    if (sources.n < FRAUD_FINDING_SIDE || sinks.n < FRAUD_FINDING_SIDE ||
        sources.n + sinks.n < FRAUD_FINDING_BIPARTITE)
        return;
    fraud_finding *f = findings_start(k, FRAUD_TYPOLOGY_BIPARTITE);
    for (int i = 0; f && i < sources.n; i++)
        for (int j = 0; j < sinks.n; j++) put_pair(a, sources.v[i], sinks.v[j], f);
}

/* ---- the search ------------------------------------------------------------------------------ */

/* In the order in which findings are listed; those that need the network come last. */
/* clang-format off */
static const struct {
    fraud_typology typology;
    bool two_hops;
    void (*find)(const around *a, sink *k);
} finders[] = {
    {FRAUD_TYPOLOGY_CYCLE,          false, find_cycle},
    {FRAUD_TYPOLOGY_FAN_IN,         false, find_fan_in},
    {FRAUD_TYPOLOGY_FAN_OUT,        false, find_fan_out},
    {FRAUD_TYPOLOGY_GATHER_SCATTER, false, find_gather_scatter},
    {FRAUD_TYPOLOGY_SCATTER_GATHER, true,  find_scatter_gather},
    {FRAUD_TYPOLOGY_STACK,          true,  find_stack},
    {FRAUD_TYPOLOGY_BIPARTITE,      true,  find_bipartite},
};
/* clang-format on */

bool fraud_findings_looks_for(unsigned typology)
{
    for (size_t i = 0; i < R1_COUNT(finders); i++)
        if (finders[i].typology == typology) return true;
    return false;
}

static void findings_run(const around *a, bool two_hops, sink *k)
{
    for (size_t i = 0; i < R1_COUNT(finders); i++)
        if (finders[i].two_hops == two_hops) finders[i].find(a, k);
}

static void find_two_hops(around *a, sink *k)
{
    /* Every shape of two hops needs a second payer of v, and a payer of u or a second sink of u. */
    if (a->v_in.n_like < 2 || (a->u_in.n_like < 1 && a->u_out.n_like < 2)) return;
    if (!network_build(a)) return;
    findings_neighbours(&a->net, 0, IGRAPH_IN, &a->net.u_in);
    findings_neighbours(&a->net, 0, IGRAPH_OUT, &a->net.u_out);
    findings_neighbours(&a->net, 1, IGRAPH_IN, &a->net.v_in);
    findings_run(a, true, k);
    igraph_destroy(&a->net.g);
}

size_t fraud_findings_search(const fraud_state *s, uint64_t seq, fraud_finding *out, size_t cap)
{
    R1_ASSERT(fraud_state_has(s, seq) && seq + 1 == s->seq_next, "findings: edge %llu of %llu",
              (unsigned long long)seq, (unsigned long long)s->seq_next);
    around a;
    a.s = s;
    a.new_edge = fraud_state_edge(s, seq);
    if (!findings_like(s, a.new_edge, a.new_edge, 0)) return 0;
    sink k = {out, 0, cap};
    findings_near_fill(s, a.new_edge->from, 1, a.new_edge, &a.u_in);
    findings_near_fill(s, a.new_edge->from, 0, a.new_edge, &a.u_out);
    findings_near_fill(s, a.new_edge->to, 1, a.new_edge, &a.v_in);
    findings_run(&a, false, &k);
    find_two_hops(&a, &k);
    for (size_t i = 0; i < k.n; i++)
        R1_ASSERT(out[i].n_edge <= FRAUD_FINDING_EDGES_MAX &&
                      out[i].n_account <= FRAUD_FINDING_ACCOUNTS_MAX &&
                      out[i].ts_first <= out[i].ts_last,
                  "%s: %u edges, %u accounts", fraud_typology_name(out[i].typology), out[i].n_edge,
                  out[i].n_account);
    return k.n;
}
