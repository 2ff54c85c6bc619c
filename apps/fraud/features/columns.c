/* SPDX-License-Identifier: GPL-3.0-or-later */
/* columns.c - reads the state into columns. Nothing here changes state. */
#include "features/columns.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const FRAUD_PAYMENT_NUM[] = {"amount",     "hour",      "hour_sin", "hour_cos",
                                         "weekday",    "month_day", "cents",    "round",
                                         "text_bytes", "night",     "self"};
const fraud_category FRAUD_PAYMENT_CAT[] = {{"kind", 3},      {"from_role", 4}, {"to_role", 4},
                                            {"currency", 32}, {"channel", 16},  {"category", 64},
                                            {"country", 64},  {"weekend", 2}};
const char *const FRAUD_END_NUM[] = {"out_n_1h",
                                     "out_sum_1h",
                                     "out_distinct_1h",
                                     "in_n_1h",
                                     "in_sum_1h",
                                     "in_distinct_1h",
                                     "out_n_1d",
                                     "out_sum_1d",
                                     "out_distinct_1d",
                                     "in_n_1d",
                                     "in_sum_1d",
                                     "in_distinct_1d",
                                     "out_n_3d",
                                     "out_sum_3d",
                                     "out_distinct_3d",
                                     "in_n_3d",
                                     "in_sum_3d",
                                     "in_distinct_3d",
                                     "out_n_7d",
                                     "out_sum_7d",
                                     "out_distinct_7d",
                                     "in_n_7d",
                                     "in_sum_7d",
                                     "in_distinct_7d",
                                     "out_n_28d",
                                     "out_sum_28d",
                                     "out_distinct_28d",
                                     "in_n_28d",
                                     "in_sum_28d",
                                     "in_distinct_28d",
                                     "out_over_mean_28d",
                                     "in_over_mean_28d",
                                     "out_z_28d",
                                     "in_z_28d",
                                     "out_over_mean_7d",
                                     "in_over_mean_7d",
                                     "over_median",
                                     "over_max",
                                     "large_recent",
                                     "through_1d",
                                     "through_3d",
                                     "through_7d",
                                     "through_28d",
                                     "net_28d",
                                     "since_out",
                                     "since_in",
                                     "gap",
                                     "age",
                                     "total_out",
                                     "total_in",
                                     "match_ratio",
                                     "match_age",
                                     "spread_out",
                                     "spread_in",
                                     "burst_out",
                                     "burst_in",
                                     "known_out",
                                     "known_in",
                                     "since_first_known_out",
                                     "since_first_known_in",
                                     "since_last_known_out",
                                     "since_last_known_in",
                                     "known_share_out",
                                     "known_share_in",
                                     "known_7d_out",
                                     "known_7d_in",
                                     "known_28d_out",
                                     "known_28d_in",
                                     "new_device",
                                     "new_country",
                                     "distance",
                                     "balance",
                                     "over_balance"};
const char *const FRAUD_PAIR_NUM[] = {
    "n_1h", "n_1d",    "n_3d",     "n_7d",       "n_28d",     "sum_28d",   "total",    "since",
    "age",  "back_7d", "back_28d", "since_back", "over_mean", "share_out", "share_in", "fresh"};
const char *const FRAUD_EVENT_NUM[] = {"amount", "hour_sin", "hour_cos", "weekday", "round"};
const fraud_category FRAUD_EVENT_CAT[] = {{"kind", 3}, {"channel", 16}, {"weekend", 2}};
const char *const FRAUD_NODE_FEATURE[] = {"distinct_out", "distinct_in", "n_out", "n_in",
                                          "external"};
const char *const FRAUD_EDGE_FEATURE[] = {"amount",   "over_new", "age",    "is_new",
                                          "port_out", "port_in",  "repeats"};

static float columns_ln1p(double x) { return (float)log1p(x); }
static float columns_hours(int64_t now, int64_t ts)
{
    return ts < 0 ? NAN : columns_ln1p((double)(now - ts) / 3600000.0);
}
static double ln_of(int32_t ln1024) { return (double)ln1024 / 1024.0; }

typedef struct {
    double hour;
    int weekday, month_day; /* 0 = Monday */
} clock_parts;

static clock_parts clock_of(int64_t ts)
{
    int64_t day = ts / FRAUD_DAY_MS; /* 1970-01-01 was a Thursday */
    int64_t z = day + 719468, era = z / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    return (clock_parts){(double)(ts % FRAUD_DAY_MS) / 3600000.0, (int)((day + 3) % 7),
                         (int)(doy - (153 * mp + 2) / 5 + 1)};
}

/* How round an amount is: 0 = cents, 1 = whole, 2 = tens, 3 = hundreds, 4 = thousands. */
static float columns_roundness(int64_t hundredths)
{
    int level = 0;
    for (int64_t unit = 100; level < 4 && hundredths % unit == 0; unit *= 10) level++;
    return (float)level;
}

static int32_t word_category(const char *word, int n)
{
    return *word ? (int32_t)(r1_hash64(word, strlen(word), 3) % (uint64_t)n) : -1;
}

static void payment_columns(const fraud_state *s, const fraud_payment *p, fraud_features *f)
{
    int64_t amount = fraud_hundredths(p);
    clock_parts c = clock_of(s->now);
    float num[FRAUD_N_PAYMENT_NUM] = {(float)ln_of(fraud_ln1024(amount)),
                                      (float)c.hour,
                                      (float)sin(c.hour * M_PI / 12),
                                      (float)cos(c.hour * M_PI / 12),
                                      (float)c.weekday,
                                      (float)c.month_day,
                                      (float)(amount % 100),
                                      columns_roundness(amount),
                                      (float)strlen(p->text),
                                      c.hour < 6,
                                      !strcmp(p->from, p->to)};
    memcpy(f->payment, num, sizeof num);
    int32_t cat[FRAUD_N_PAYMENT_CAT] = {p->kind,
                                        p->from_role,
                                        p->to_role,
                                        word_category(p->currency, 32),
                                        word_category(p->channel, 16),
                                        word_category(p->category, 64),
                                        word_category(p->country, 64),
                                        c.weekday >= 5};
    memcpy(f->payment_cat, cat, sizeof cat);
}

/* ---- one end --------------------------------------------------------------------------------- */

static float *window_columns(const fraud_entity *e, float *out)
{
    for (int k = 0; k < FRAUD_N_WINDOW; k++) {
        for (int d = 0; d < 2; d++) {
            *out++ = columns_ln1p(e->w[k][d].n);
            *out++ = columns_ln1p((double)e->w[k][d].sum / 100);
            *out++ = columns_ln1p(e->w[k][d].distinct);
        }
    }
    return out;
}

static double mean_ln(const fraud_window *w) { return w->n ? (double)w->ln / w->n / 1024 : NAN; }

static float z_score(const fraud_window *w, double x)
{
    if (w->n < 3) return NAN;
    double mean = mean_ln(w), var = (double)w->ln_square / w->n / (1024.0 * 1024.0) - mean * mean;
    return (float)((x - mean) / (sqrt(var > 0 ? var : 0) + 0.1));
}

static float *level_columns(const fraud_entity *e, double ln, float *out)
{
    const fraud_window *w28 = e->w[FRAUD_W_28D], *w7 = e->w[FRAUD_W_7D];
    for (int d = 0; d < 2; d++) *out++ = (float)(ln - mean_ln(&w28[d]));
    for (int d = 0; d < 2; d++) *out++ = z_score(&w28[d], ln);
    for (int d = 0; d < 2; d++) *out++ = (float)(ln - mean_ln(&w7[d]));
    return out;
}

static int compare_int(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* Over the newest 32 payments of the end's own direction. */
static float *recent_columns(const fraud_state *s, const fraud_entity *e, int direction, double ln,
                             float *out, float *gap)
{
    int32_t amount[32], sorted[32];
    int64_t ts[32];
    int n = 0;
    for (uint64_t seq = e->head[direction]; n < 32 && fraud_state_has(s, seq);) {
        const fraud_edge *edge = fraud_state_edge(s, seq);
        amount[n] = sorted[n] = edge->ln;
        ts[n++] = edge->ts;
        seq = edge->prev[direction];
    }
    *gap = n > 1 ? columns_hours(ts[0], ts[1]) : NAN;
    if (!n) {
        out[0] = out[1] = out[2] = NAN;
        return out + 3;
    }
    qsort(sorted, (size_t)n, sizeof *sorted, compare_int);
    int32_t median = sorted[n / 2];
    double large = 0;
    for (int i = 0; i < n; i++)
        large += ts[i] > s->now - FRAUD_WINDOW_MS[FRAUD_W_7D] && amount[i] > median + 1024;
    *out++ = (float)(ln - ln_of(median));
    *out++ = (float)(ln - ln_of(sorted[n - 1]));
    *out++ = columns_ln1p(large);
    return out;
}

static float *flow_columns(const fraud_entity *e, float *out)
{
    static const int at[4] = {FRAUD_W_1D, FRAUD_W_3D, FRAUD_W_7D, FRAUD_W_28D};
    for (int i = 0; i < 4; i++) {
        const fraud_window *w = e->w[at[i]];
        *out++ = w[0].n + w[1].n
                     ? columns_ln1p((double)w[0].sum / 100) - columns_ln1p((double)w[1].sum / 100)
                     : NAN;
    }
    const fraud_window *w = e->w[FRAUD_W_28D];
    double all = (double)w[0].sum + (double)w[1].sum;
    *out++ = all > 0 ? (float)(((double)w[1].sum - (double)w[0].sum) / all) : NAN;
    return out;
}

/* The payment of the opposite direction within 28 days that is nearest in amount. */
static float *match_columns(const fraud_state *s, const fraud_entity *e, int direction, double ln,
                            float *out)
{
    double best = INFINITY;
    int64_t ts = 0;
    uint64_t seq = e->head[direction];
    for (int i = 0; i < 16 && fraud_state_has(s, seq); i++) {
        const fraud_edge *edge = fraud_state_edge(s, seq);
        if (edge->ts <= s->now - FRAUD_WINDOW_MS[FRAUD_W_28D]) break;
        if (fabs(ln - ln_of(edge->ln)) < best) best = fabs(ln - ln_of(edge->ln)), ts = edge->ts;
        seq = edge->prev[direction];
    }
    *out++ = isinf(best) ? NAN : (float)best;
    *out++ = isinf(best) ? NAN : columns_hours(s->now, ts);
    return out;
}

static float *habit_columns(const fraud_entity *e, float *out)
{
    for (int d = 0; d < 2; d++) {
        const fraud_window *w = &e->w[FRAUD_W_28D][d];
        *out++ = w->n ? (float)log((double)w->distinct / w->n) : NAN;
    }
    for (int d = 0; d < 2; d++)
        *out++ = (float)(columns_ln1p(e->w[FRAUD_W_1D][d].n) -
                         columns_ln1p((double)e->w[FRAUD_W_28D][d].n / 28));
    return out;
}

static float *known_columns(const fraud_state *s, const fraud_entity *e, float *out)
{
    for (int d = 0; d < 2; d++) *out++ = columns_ln1p(e->known[d].n);
    for (int d = 0; d < 2; d++)
        *out++ = e->known[d].n ? columns_hours(s->now, e->known[d].first_ts) : NAN;
    for (int d = 0; d < 2; d++)
        *out++ = e->known[d].n ? columns_hours(s->now, e->known[d].last_ts) : NAN;
    for (int d = 0; d < 2; d++)
        *out++ = e->known[d].n
                     ? (float)((double)e->known[d].n / (double)(e->known[d].n_since_first + 1))
                     : 0.0f;
    static const int at[2] = {FRAUD_W_7D, FRAUD_W_28D};
    for (int i = 0; i < 2; i++)
        for (int d = 0; d < 2; d++)
            *out++ = e->w[at[i]][d].n
                         ? (float)((double)e->w[at[i]][d].fraud / (double)e->w[at[i]][d].n)
                         : 0.0f;
    return out;
}

static float columns_changed(uint64_t last, const char *word)
{
    if (!last || !*word) return NAN;
    return (r1_hash64(word, strlen(word), 1) | 1) != last;
}

static float columns_distance(const fraud_entity *e, const fraud_payment *p)
{
    if (!(p->has & FRAUD_HAS_POSITION) || isnan(e->lat)) return NAN;
    double rad = M_PI / 180,
           x = ((double)p->lon - (double)e->lon) * cos(((double)p->lat + (double)e->lat) * rad / 2);
    double y = (double)p->lat - (double)e->lat;
    return columns_ln1p(sqrt(x * x + y * y) * 111.2);
}

static float *place_columns(const fraud_entity *e, const fraud_payment *p, int side, double ln,
                            float *out)
{
    *out++ = side ? NAN : columns_changed(e->device, p->device);
    *out++ = side ? NAN : columns_changed(e->country, p->country);
    *out++ = side ? NAN : columns_distance(e, p);
    bool has = p->has & (side ? FRAUD_HAS_TO_BALANCE : FRAUD_HAS_FROM_BALANCE);
    double unit = pow(10, p->minor_digits),
           balance = (double)(side ? p->to_balance_minor : p->from_balance_minor) / unit;
    float level = has ? columns_ln1p(balance > 0 ? balance : 0) : NAN;
    *out++ = level;
    *out++ = (float)(ln - (double)level);
    return out;
}

static void end_columns(const fraud_state *s, const fraud_payment *p, uint32_t i, int side,
                        double ln, float *out)
{
    const fraud_entity *e = &s->entity[i];
    float gap;
    out = window_columns(e, out);
    out = level_columns(e, ln, out);
    out = recent_columns(s, e, side, ln, out, &gap);
    out = flow_columns(e, out);
    *out++ = columns_hours(s->now, e->last_ts[0]);
    *out++ = columns_hours(s->now, e->last_ts[1]);
    *out++ = gap;
    *out++ = columns_hours(s->now, e->first_ts);
    *out++ = columns_ln1p((double)e->total[0]);
    *out++ = columns_ln1p((double)e->total[1]);
    out = match_columns(s, e, !side, ln, out);
    out = habit_columns(e, out);
    out = known_columns(s, e, out);
    place_columns(e, p, side, ln, out);
}

static void pair_columns(const fraud_state *s, uint32_t from, uint32_t to, double ln, float *out)
{
    static const fraud_pair none = {.last_ts = -1, .first_ts = -1};
    uint32_t i = fraud_state_pair(s, from, to), b = fraud_state_pair(s, to, from);
    const fraud_pair *pair = i == FRAUD_NONE ? &none : &s->pair[i],
                     *back = b == FRAUD_NONE ? &none : &s->pair[b];
    for (int k = 0; k < FRAUD_N_WINDOW; k++) *out++ = columns_ln1p(pair->n[k]);
    *out++ = columns_ln1p((double)pair->sum28 / 100);
    *out++ = columns_ln1p((double)pair->total);
    *out++ = columns_hours(s->now, pair->last_ts);
    *out++ = columns_hours(s->now, pair->first_ts);
    *out++ = columns_ln1p(back->n[FRAUD_W_7D]);
    *out++ = columns_ln1p(back->n[FRAUD_W_28D]);
    *out++ = columns_hours(s->now, back->last_ts);
    uint32_t n = pair->n[FRAUD_W_28D], n_out = s->entity[from].w[FRAUD_W_28D][0].n,
             n_in = s->entity[to].w[FRAUD_W_28D][1].n;
    *out++ = n ? (float)(ln - log((double)pair->sum28 / 100 / n)) : NAN;
    *out++ = n_out ? (float)((double)n / n_out) : NAN;
    *out++ = n_in ? (float)((double)n / n_in) : NAN;
    *out = pair->total == 0;
}

void fraud_features_tables(const fraud_state *s, const fraud_payment *p, uint32_t from, uint32_t to,
                           fraud_features *f)
{
    double ln = ln_of(fraud_ln1024(fraud_hundredths(p)));
    payment_columns(s, p, f);
    end_columns(s, p, from, 0, ln, f->end[0]);
    end_columns(s, p, to, 1, ln, f->end[1]);
    pair_columns(s, from, to, ln, f->pair);
}

/* ---- history --------------------------------------------------------------------------------- */

void fraud_features_ref(const fraud_state *s, uint64_t seq, int role, bool same, uint64_t handle,
                        fraud_features *f)
{
    const fraud_edge *edge = fraud_state_edge(s, seq);
    uint32_t i = f->n_ref++;
    while (i > 0 && f->ref_seq[i - 1] > seq) { /* oldest first */
        f->ref_seq[i] = f->ref_seq[i - 1];
        f->ref_handle[i] = f->ref_handle[i - 1];
        f->bucket[i] = f->bucket[i - 1];
        i--;
    }
    int64_t age = s->now - edge->ts;
    int band = age < FRAUD_DAY_MS        ? 0
               : age < 7 * FRAUD_DAY_MS  ? 1
               : age < 28 * FRAUD_DAY_MS ? 2
                                         : 3;
    f->ref_seq[i] = seq;
    f->ref_handle[i] = handle;
    f->bucket[i] = (uint8_t)(role * 8 + band * 2 + same);
}

void fraud_features_event(const fraud_state *s, uint64_t seq, float num[FRAUD_N_EVENT_NUM],
                          int32_t cat[FRAUD_N_EVENT_CAT])
{
    const fraud_edge *edge = fraud_state_edge(s, seq);
    clock_parts c = clock_of(edge->ts);
    num[0] = (float)ln_of(edge->ln);
    num[1] = (float)sin(c.hour * M_PI / 12);
    num[2] = (float)cos(c.hour * M_PI / 12);
    num[3] = (float)c.weekday;
    num[4] = columns_roundness(edge->amount);
    cat[0] = edge->kind;
    cat[1] = edge->channel;
    cat[2] = c.weekday >= 5;
}

void fraud_features_history(const fraud_state *s, uint32_t from, uint32_t to, fraud_features *f)
{
    f->n_ref = 0;
    uint32_t end[2] = {from, to};
    for (int role = 0; role < 4; role++) { /* sender out, sender in, receiver out, receiver in */
        uint32_t self = end[role / 2], other = end[1 - role / 2];
        int direction = role % 2;
        uint64_t seq = s->entity[self].head[direction];
        if (s->entity[self].role == FRAUD_ROLE_EXTERNAL) continue;
        for (int i = 0; i < FRAUD_HISTORY && fraud_state_has(s, seq); i++) {
            const fraud_edge *edge = fraud_state_edge(s, seq);
            fraud_features_ref(s, seq, role, (direction ? edge->from : edge->to) == other, 0, f);
            seq = edge->prev[direction];
        }
    }
    for (uint32_t i = 0; i < f->n_ref; i++)
        fraud_features_event(s, f->ref_seq[i], f->event[i], f->event_cat[i]);
}

/* ---- ego network ----------------------------------------------------------------------------- */

typedef struct {
    uint32_t id[FRAUD_EGO_NODES_MAX];
    uint64_t seq[FRAUD_EGO_EDGES_MAX];
} ego_ids;

static int ego_node(ego_ids *ids, fraud_features *f, uint32_t id)
{
    for (uint32_t i = 0; i < f->n_node; i++)
        if (ids->id[i] == id) return (int)i;
    if (f->n_node == FRAUD_EGO_NODES_MAX) return -1;
    ids->id[f->n_node] = id;
    return (int)f->n_node++;
}

static void ego_edge(const fraud_state *s, ego_ids *ids, fraud_features *f, uint64_t seq, int port,
                     int direction, int32_t ln)
{
    if (f->n_edge == FRAUD_EGO_EDGES_MAX) return;
    for (uint32_t i = 1; i < f->n_edge; i++)
        if (ids->seq[i] == seq) return;
    const fraud_edge *edge = fraud_state_edge(s, seq);
    int src = ego_node(ids, f, edge->from), dst = ego_node(ids, f, edge->to);
    if (src < 0 || dst < 0) return;
    uint32_t i = f->n_edge++;
    ids->seq[i] = seq;
    f->src[i] = src;
    f->dst[i] = dst;
    float x[FRAUD_N_EDGE_FEATURE] = {(float)ln_of(edge->ln),
                                     (float)ln_of(ln - edge->ln),
                                     columns_hours(s->now, edge->ts),
                                     0,
                                     direction ? 0 : (float)port,
                                     direction ? (float)port : 0,
                                     columns_ln1p(s->pair[edge->pair].n[FRAUD_W_28D])};
    memcpy(f->edge[i], x, sizeof x);
}

static void ego_walk(const fraud_state *s, ego_ids *ids, fraud_features *f, uint32_t id,
                     int direction, int cap, int32_t ln)
{
    uint64_t seq = s->entity[id].head[direction];
    if (s->entity[id].role == FRAUD_ROLE_EXTERNAL) return;
    for (int i = 0; i < cap && fraud_state_has(s, seq); i++) {
        const fraud_edge *edge = fraud_state_edge(s, seq);
        if (edge->ts <= s->now - FRAUD_WINDOW_MS[FRAUD_W_28D]) return;
        ego_edge(s, ids, f, seq, i + 1, direction, ln);
        seq = edge->prev[direction];
    }
}

static void node_columns(const fraud_state *s, const ego_ids *ids, fraud_features *f)
{
    for (uint32_t i = 0; i < f->n_node; i++) {
        const fraud_entity *e = &s->entity[ids->id[i]];
        const fraud_window *w = e->w[FRAUD_W_28D];
        float x[FRAUD_N_NODE_FEATURE] = {columns_ln1p(w[0].distinct), columns_ln1p(w[1].distinct),
                                         columns_ln1p(w[0].n), columns_ln1p(w[1].n),
                                         e->role == FRAUD_ROLE_EXTERNAL};
        memcpy(f->node[i], x, sizeof x);
        f->mark[i] = i < 2 ? (uint8_t)(i + 1) : 0;
    }
}

void fraud_features_ego(const fraud_state *s, const fraud_payment *p, uint32_t from, uint32_t to,
                        fraud_features *f)
{
    ego_ids ids;
    int32_t ln = fraud_ln1024(fraud_hundredths(p));
    f->n_node = f->n_edge = 0;
    f->src[0] = ego_node(&ids, f, from);
    f->dst[0] = ego_node(&ids, f, to);
    float x[FRAUD_N_EDGE_FEATURE] = {(float)ln_of(ln), 0, 0, 1, 0, 0, 0};
    memcpy(f->edge[0], x, sizeof x);
    ids.seq[0] = FRAUD_NO_SEQ;
    f->n_edge = 1;
    for (int side = 0; side < 2; side++)
        for (int d = 0; d < 2; d++) ego_walk(s, &ids, f, side ? to : from, d, 6, ln);
    uint32_t ring = f->n_node;
    for (uint32_t i = 2; i < ring && f->n_edge < FRAUD_EGO_EDGES_MAX; i++)
        for (int d = 0; d < 2; d++) ego_walk(s, &ids, f, ids.id[i], d, 2, ln);
    node_columns(s, &ids, f);
}
