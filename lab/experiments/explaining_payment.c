/* SPDX-License-Identifier: GPL-3.0-or-later */
/* explaining_payment.c - "which past payment explains this one": of the payments that both ends
 * have made and received, the model points to the one that most likely belongs to the same ring.
 * Trained on the last 32 of them, asked among the last 32, 128 and 512.
 *
 *     explaining_payment TABLE.csv SEED[-SEED] [ARM[,ARM...]]
 *
 * The worlds are generated; their truth knows the ring of each payment. A case is a payment of a
 * ring with an earlier payment of the same ring among its last 32, and one of none; each seed
 * has worlds of its own, and those that test are never trained on. The model is the trunk of
 * trunk.h over the past payments, oldest first, and the payment itself as the last token, whose
 * projection points. Counterparties are known by a random code that is drawn anew for each case.
 * Each arm and seed that TABLE.csv lacks adds one row.
 *
 * top_N: share of cases where the payment pointed to is of the ring. hard_N: the same where the
 * newest payment is not of the ring. any_N: the same as top_N of a payment picked at random;
 * last_N: of the newest one. */
#include "experiments/arm_table.h"
#include "experiments/trunk.h"
#include "generate/generate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    TRAIN_WORLDS = 4,
    TEST_WORLDS = 2,
    CODE = 8,
    PLAIN_FEATURES = 18,
    FEATURES = PLAIN_FEATURES + CODE,
    D = 32,
    PAST = 32,
    LONGEST = 512,
    BATCH = 32,
    EPOCHS = 8,
    DAYS = 70,
    WARM_DAYS = 14,
    DAY = 86400000,
    LENGTHS = 3
};
static const int32_t lengths[LENGTHS] = {PAST, 128, LONGEST};
static const double rate = 3e-3; /* of learning: one for all arms, tuned for none */
static const trunk_arm arms[] = {{.name = "plain"},
                                 {.name = "length", .length = true},
                                 {.name = "context", .context = true},
                                 {.name = "both", .length = true, .context = true},
                                 {.name = "low_rank", .low_rank = true}};

static void *explaining_payment_room(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);
    if (p) return p;
    fprintf(stderr, "explaining_payment: out of memory\n");
    exit(1);
}

/* ---- a world and its accounts ---- */

typedef struct {
    fraud_generated *g;
    size_t n;
    uint32_t *end[2]; /* [n]: number of the sender, of the receiver */
    int32_t
        *prev[2]; /* [n]: the payment before that the sender (receiver) had to do with; -1: none */
} world;

typedef struct {
    uint64_t *hash;
    uint32_t *number;
    size_t mask, n;
} names;

static uint32_t explaining_payment_number_of(names *t, const char *name)
{
    uint64_t h = r1_hash64(name, strlen(name), 11) | 1;
    size_t at = (size_t)h & t->mask;
    while (t->hash[at] && t->hash[at] != h) at = (at + 1) & t->mask;
    if (!t->hash[at]) {
        t->hash[at] = h;
        t->number[at] = (uint32_t)t->n++;
    }
    return t->number[at];
}

static void link_ends(world *w)
{
    names t = {.mask = (1u << 18) - 1};
    t.hash = explaining_payment_room(t.mask + 1, sizeof *t.hash);
    t.number = explaining_payment_room(t.mask + 1, sizeof *t.number);
    int32_t *last = explaining_payment_room(t.mask + 1, sizeof *last);
    memset(last, 0xff, (t.mask + 1) * sizeof *last);
    for (size_t i = 0; i < w->n && t.n < t.mask / 2; i++) {
        const fraud_payment *p = &w->g[i].payment;
        const char *const name[2] = {p->from, p->to};
        for (int k = 0; k < 2; k++) {
            w->end[k][i] = explaining_payment_number_of(&t, name[k]);
            w->prev[k][i] = last[w->end[k][i]];
        }
        for (int k = 0; k < 2; k++) last[w->end[k][i]] = (int32_t)i;
    }
    free(t.hash);
    free(t.number);
    free(last);
}

static void world_open(world *w, uint64_t seed)
{
    r1_err err;
    r1_rng rng;
    r1_rng_seed(&rng, seed);
    int ring_min = 3 + (int)r1_rng_below(&rng, 4);
    fraud_generate_opts o = {.seed = seed,
                             .start_ms = INT64_C(1735689600000),
                             .accounts = 500 + (int)r1_rng_below(&rng, 500),
                             .days = DAYS,
                             .rings = 12,
                             .ring_min = ring_min,
                             .ring_max = ring_min + 3 + (int)r1_rng_below(&rng, 8),
                             .activity = 0.6 + 0.8 * r1_rng_unit(&rng)};
    if (fraud_generate(&o, &w->g, &w->n, &err) != R1_OK) {
        fprintf(stderr, "explaining_payment: %s\n", err.msg);
        exit(1);
    }
    for (int k = 0; k < 2; k++) {
        w->end[k] = explaining_payment_room(w->n, sizeof *w->end[k]);
        w->prev[k] = explaining_payment_room(w->n, sizeof *w->prev[k]);
    }
    link_ends(w);
}

static void world_close(world *w)
{
    for (int k = 0; k < 2; k++) {
        free(w->end[k]);
        free(w->prev[k]);
    }
    free(w->g);
}

/* The payment before j that account `who` had to do with. */
static int32_t explaining_payment_before(const world *w, int32_t j, uint32_t who)
{
    return w->end[0][j] == who ? w->prev[0][j] : w->prev[1][j];
}

/* The last payments of both ends of payment i before it, newest first; at most `most`. */
static int32_t past_of(const world *w, size_t i, int32_t most, int32_t *past)
{
    int32_t n = 0, a = w->prev[0][i], b = w->prev[1][i];
    while (n < most && (a >= 0 || b >= 0)) {
        int32_t j = a > b ? a : b;
        past[n++] = j;
        if (a == j) a = explaining_payment_before(w, a, w->end[0][i]);
        if (b == j) b = explaining_payment_before(w, b, w->end[1][i]);
    }
    return n;
}

static bool same_ring(const world *w, size_t i, int32_t j)
{
    return w->g[i].ring >= 0 && w->g[j].ring == w->g[i].ring;
}

/* ---- cases ---- */

typedef struct {
    uint32_t world, payment;
} one_case;

typedef struct {
    one_case *x;
    size_t n;
} case_list;

static void find_cases(const world *all, uint32_t first, uint32_t n_world, case_list *list)
{
    int32_t past[PAST];
    size_t cap = 0;
    for (uint32_t k = first; k < first + n_world; k++) cap += all[k].n;
    *list = (case_list){.x = explaining_payment_room(cap, sizeof *list->x)};
    for (uint32_t k = first; k < first + n_world; k++)
        for (size_t i = 0; i < all[k].n; i++) {
            if (all[k].g[i].ring < 0 ||
                all[k].g[i].payment.ts < all[k].g[0].payment.ts + WARM_DAYS * (int64_t)DAY)
                continue;
            int32_t n = past_of(&all[k], i, PAST, past), right = 0;
            for (int32_t j = 0; j < n; j++) right += same_ring(&all[k], i, past[j]);
            if (right && right < n) list->x[list->n++] = (one_case){k, (uint32_t)i};
        }
}

/* ---- a batch ---- */

enum { ROWS_MAX = BATCH * (PAST + 1) + LONGEST + 1 };

typedef struct {
    int32_t n_seq, n_row;
    int32_t off[BATCH + 1], last[BATCH], each[BATCH + 1], count[ROWS_MAX];
    bool right[ROWS_MAX];
    float x[ROWS_MAX][FEATURES];
} batch;

static void explaining_payment_code_of(uint64_t draw, uint32_t account, float *to)
{
    r1_rng rng;
    r1_rng_seed(&rng, draw * 0x9e3779b97f4a7c15u + account);
    for (int c = 0; c < CODE; c++) to[c] = r1_rng_below(&rng, 2) ? 1 : -1;
}

/* Payment j as seen from payment i; j = i: itself. */
static void explaining_payment_features(const world *w, size_t i, size_t j, uint64_t draw, float *x)
{
    const fraud_payment *p = &w->g[i].payment, *q = &w->g[j].payment;
    double amount = log1p((double)q->amount_minor / 100),
           own = log1p((double)p->amount_minor / 100);
    double hour = (double)(q->ts % DAY) / DAY * 6.28318530717958;
    memset(x, 0, FEATURES * sizeof *x);
    x[0] = (float)(amount / 4);
    x[1] = (float)(amount - own);
    x[2] = (float)exp(-2 * fabs(amount - own));
    x[3] = (float)(log1p((double)(p->ts - q->ts) / 3600000) / 4);
    x[4] = (float)sin(hour);
    x[5] = (float)cos(hour);
    x[6 + q->kind] = 1;
    x[9] = i == j;
    x[10] = i != j && w->end[0][j] == w->end[0][i];
    x[11] = i != j && w->end[1][j] == w->end[0][i];
    x[12] = i != j && w->end[0][j] == w->end[1][i];
    x[13] = i != j && w->end[1][j] == w->end[1][i];
    x[14] = q->from_role == FRAUD_ROLE_ACCOUNT;
    x[15] = q->to_role == FRAUD_ROLE_ACCOUNT;
    x[16] = (float)(p->ts - q->ts < DAY);
    x[17] = q->amount_minor % 10000 == 0;
    bool other = w->end[0][j] == w->end[0][i] || w->end[0][j] == w->end[1][i];
    explaining_payment_code_of(draw, w->end[other][j], x + PLAIN_FEATURES);
}

static void explaining_payment_batch_add(batch *b, const world *all, const one_case *c,
                                         int32_t most, uint64_t draw)
{
    int32_t past[LONGEST];
    const world *w = &all[c->world];
    int32_t n = past_of(w, c->payment, most, past), start = b->off[b->n_seq];
    for (int32_t k = 0; k <= n; k++) { /* oldest first, itself last */
        size_t j = k < n ? (size_t)past[n - 1 - k] : c->payment;
        int32_t row = start + k;
        b->count[row] = k + 1;
        b->right[row] = k < n && same_ring(w, c->payment, (int32_t)j);
        explaining_payment_features(w, c->payment, j, draw, b->x[row]);
    }
    b->last[b->n_seq] = start + n;
    b->each[b->n_seq + 1] = b->n_seq + 1;
    b->off[++b->n_seq] = b->n_row = start + n + 1;
}

static void explaining_payment_batch_clear(batch *b)
{
    b->n_seq = b->n_row = b->off[0] = b->each[0] = 0;
}

/* ---- the model ---- */

typedef struct {
    tape t;
    trunk trunk;
    tape_layer in, asks, offers;
    tape_tensor norm;
} model;

typedef struct {
    tape_tensor asks, offers; /* [n_seq, D], [n_row, D] */
} pointed;

static void explaining_payment_model_open(model *m, const trunk_arm *arm, uint64_t seed)
{
    r1_rng rng;
    r1_rng_seed(&rng, seed);
    tape_open(&m->t, (size_t)ROWS_MAX * D * 160);
    m->in = tape_layer_open(&m->t, &rng, FEATURES, D, 1);
    trunk_open(&m->trunk, &m->t, &rng, arm, D, 0.5f, PAST + 1);
    m->norm = tape_parameter(&m->t, &rng, 1, D, 0, 1);
    m->asks = tape_layer_open(&m->t, &rng, D, D, 1);
    m->offers = tape_layer_open(&m->t, &rng, D, D, 1);
}

static pointed explaining_payment_forward(model *m, batch *b, bool train)
{
    tape *t = &m->t;
    tape_begin(t, train);
    tape_tensor x = {.v = {b->x, b->n_row, FEATURES, R1_F32, FEATURES}};
    tape_tensor h = trunk_run(&m->trunk, tape_apply(t, &m->in, x), b->off, b->n_seq, b->count);
    tape_tensor y = tape_matrix(t, b->n_row, D), last = tape_matrix(t, b->n_seq, D);
    tape_norm(t, h, m->norm, y);
    tape_tensor rows[] = {[R1_SEG_MEAN_X] = y,
                          [R1_SEG_MEAN_INDEX] = tape_ints(b->last, 1, b->n_seq),
                          [R1_SEG_MEAN_OFF] = tape_ints(b->each, 1, b->n_seq + 1),
                          [R1_SEG_MEAN_Y] = last};
    tape_run(t, R1_OP_SEG_MEAN, rows, R1_COUNT(rows), NULL, NULL);
    pointed p;
    p.asks = tape_apply(t, &m->asks, last);
    p.offers = tape_apply(t, &m->offers, y);
    return p;
}

static float *explaining_payment_row_of(const r1_view *v, int64_t r)
{
    return (float *)v->p + r * v->ld;
}

/* Softmax over the past payments of case s. Returns their number. */
static int32_t explaining_payment_shares(const batch *b, const pointed *p, int32_t s, double *share)
{
    int32_t n = b->off[s + 1] - b->off[s] - 1;
    double top = -INFINITY, sum = 0;
    for (int32_t k = 0; k < n; k++) {
        share[k] = 0;
        for (int c = 0; c < D; c++)
            share[k] += (double)explaining_payment_row_of(&p->asks.v, s)[c] *
                        explaining_payment_row_of(&p->offers.v, b->off[s] + k)[c] / sqrt(D);
        top = fmax(top, share[k]);
    }
    for (int32_t k = 0; k < n; k++) sum += share[k] = exp(share[k] - top);
    for (int32_t k = 0; k < n; k++) share[k] /= sum;
    return n;
}

/* - log of the share of the right ones, mean over the cases; gradients into p. */
static double loss_of(const batch *b, const pointed *p)
{
    double share[LONGEST], sum = 0;
    for (int32_t s = 0; s < b->n_seq; s++) {
        int32_t n = explaining_payment_shares(b, p, s, share);
        double right = 1e-12;
        for (int32_t k = 0; k < n; k++) right += b->right[b->off[s] + k] ? share[k] : 0;
        sum -= log(right);
        for (int32_t k = 0; k < n; k++) {
            int32_t row = b->off[s] + k;
            float d =
                (float)((share[k] - (b->right[row] ? share[k] / right : 0)) / b->n_seq / sqrt(D));
            for (int c = 0; c < D; c++) {
                explaining_payment_row_of(&p->asks.g, s)[c] +=
                    d * explaining_payment_row_of(&p->offers.v, row)[c];
                explaining_payment_row_of(&p->offers.g, row)[c] +=
                    d * explaining_payment_row_of(&p->asks.v, s)[c];
            }
        }
    }
    return sum / b->n_seq;
}

static double explaining_payment_train(model *m, batch *b, const world *all, case_list *l,
                                       uint64_t seed)
{
    r1_rng rng;
    double late = 0;
    int per = (int)(l->n / BATCH), steps = per * EPOCHS;
    r1_rng_seed(&rng, seed + 100000);
    for (int step = 0; step < steps; step++) {
        for (size_t i = l->n; step % per == 0 && i > 1; i--) {
            size_t k = (size_t)r1_rng_below(&rng, i);
            one_case c = l->x[i - 1];
            l->x[i - 1] = l->x[k], l->x[k] = c;
        }
        explaining_payment_batch_clear(b);
        for (int i = 0; i < BATCH; i++)
            explaining_payment_batch_add(b, all, &l->x[(size_t)(step % per * BATCH + i)], PAST,
                                         r1_rng_u64(&rng));
        pointed p = explaining_payment_forward(m, b, true);
        double loss = loss_of(b, &p);
        tape_backward(&m->t);
        tape_adamw(&m->t, trunk_rate(rate, step, steps), 0.01);
        if (step >= steps - 50) late += loss / 50;
        if (step % 200 == 199) fprintf(stderr, "step %d of %d loss %.4f\n", step + 1, steps, loss);
    }
    return late;
}

typedef struct {
    double loss, top[LENGTHS], hard[LENGTHS], any[LENGTHS], newest[LENGTHS], past[LENGTHS], seconds;
    size_t n_parameter, n_train, n_test;
} result;

static void count_case(const batch *b, const pointed *p, int32_t s, int at, result *r)
{
    double share[LONGEST];
    int32_t n = explaining_payment_shares(b, p, s, share), best = 0, right = 0, from = b->off[s];
    for (int32_t k = 0; k < n; k++) {
        if (share[k] > share[best]) best = k;
        right += b->right[from + k];
    }
    r->top[at] += b->right[from + best];
    r->newest[at] += b->right[from + n - 1];
    r->hard[at] += b->right[from + best] && !b->right[from + n - 1];
    r->any[at] += (double)right / n;
    r->past[at] += n;
}

static void explaining_payment_test(model *m, batch *b, const world *all, const case_list *l,
                                    result *r)
{
    for (int at = 0; at < LENGTHS; at++) {
        for (size_t i = 0; i < l->n;) {
            explaining_payment_batch_clear(b);
            while (i < l->n && b->n_seq < BATCH && b->n_row + lengths[at] + 1 <= ROWS_MAX) {
                explaining_payment_batch_add(b, all, &l->x[i], lengths[at], i + 1);
                i++;
            }
            pointed p = explaining_payment_forward(m, b, false);
            for (int32_t s = 0; s < b->n_seq; s++) count_case(b, &p, s, at, r);
        }
        r->hard[at] /= (double)l->n - r->newest[at];
        r->top[at] /= (double)l->n, r->any[at] /= (double)l->n, r->newest[at] /= (double)l->n;
        r->past[at] /= (double)l->n;
    }
}

static void explaining_payment_run(const trunk_arm *arm, uint64_t seed, result *r)
{
    world all[TRAIN_WORLDS + TEST_WORLDS];
    case_list learn, unseen;
    static model m;
    static batch b;
    clock_t began = clock();
    *r = (result){0};
    for (uint32_t k = 0; k < TRAIN_WORLDS + TEST_WORLDS; k++)
        world_open(&all[k], 600000 + seed * 100 + k);
    find_cases(all, 0, TRAIN_WORLDS, &learn);
    find_cases(all, TRAIN_WORLDS, TEST_WORLDS, &unseen);
    explaining_payment_model_open(&m, arm, seed);
    r->n_parameter = tape_scalars(&m.t);
    r->n_train = learn.n;
    r->n_test = unseen.n;
    r->loss = explaining_payment_train(&m, &b, all, &learn, seed);
    explaining_payment_test(&m, &b, all, &unseen, r);
    tape_close(&m.t);
    free(learn.x);
    free(unseen.x);
    for (uint32_t k = 0; k < TRAIN_WORLDS + TEST_WORLDS; k++) world_close(&all[k]);
    r->seconds = (double)(clock() - began) / CLOCKS_PER_SEC;
}

/* ---- the table ---- */

static bool explaining_payment_append(const char *table, const trunk_arm *arm, uint64_t seed,
                                      const result *r)
{
    FILE *f = fopen(table, "ae");
    if (!f) return false;
    if (ftell(f) == 0) {
        fprintf(f, "arm,seed,parameters,trained,tested,loss");
        for (int i = 0; i < LENGTHS; i++)
            fprintf(f, ",top_%d,hard_%d,any_%d,last_%d,past_%d", lengths[i], lengths[i], lengths[i],
                    lengths[i], lengths[i]);
        fprintf(f, ",seconds\n");
    }
    fprintf(f, "%s,%llu,%zu,%zu,%zu,%.5f", arm->name, (unsigned long long)seed, r->n_parameter,
            r->n_train, r->n_test, r->loss);
    for (int i = 0; i < LENGTHS; i++)
        fprintf(f, ",%.5f,%.5f,%.5f,%.5f,%.1f", r->top[i], r->hard[i], r->any[i], r->newest[i],
                r->past[i]);
    fprintf(f, ",%.1f\n", r->seconds);
    return fclose(f) == 0;
}

int main(int argc, char **argv)
{
    uint64_t first, last;
    if (argc < 3 || argc > 4 || !arm_seeds(argv[2], &first, &last)) {
        fprintf(stderr, "usage: explaining_payment TABLE.csv SEED[-SEED] [ARM[,ARM...]]\n");
        return 2;
    }
    for (uint64_t seed = first; seed <= last; seed++)
        for (size_t i = 0; i < R1_COUNT(arms); i++) {
            result r;
            if (!arm_named(argc > 3 ? argv[3] : NULL, arms[i].name) ||
                arm_finished(argv[1], arms[i].name, seed, NULL))
                continue;
            explaining_payment_run(&arms[i], seed, &r);
            if (!explaining_payment_append(argv[1], &arms[i], seed, &r)) {
                fprintf(stderr, "explaining_payment: %s: cannot be written\n", argv[1]);
                return 1;
            }
            fprintf(stderr,
                    "%s seed %llu: %zu cases learned, %zu asked: %.3f %.3f %.3f in %.0f processor "
                    "seconds\n",
                    arms[i].name, (unsigned long long)seed, r.n_train, r.n_test, r.top[0], r.top[1],
                    r.top[2], r.seconds);
        }
    return 0;
}
