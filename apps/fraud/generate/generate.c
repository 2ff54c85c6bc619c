/* SPDX-License-Identifier: GPL-3.0-or-later */
/* generate.c - people, their ordinary payments, the rings among them; then one walk in the order of
 * time that keeps balances.
 *
 * Every draw for a payment's id, text and instant comes from the same functions for honest and
 * fraudulent payments. */
#include "generate/generate.h"

#include "r1_assert.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FRIENDS = 8,
    DAY_MS = 86400000,
    HOUR_MS = 3600000,
    PEOPLE_PER_MERCHANT = 12,
    CATEGORIES = 8,
    RING_DAYS = 15 /* at most */
};

typedef struct {
    char account[FRAUD_ACCOUNT_BYTES], card[FRAUD_ACCOUNT_BYTES], device[FRAUD_ACCOUNT_BYTES];
    double income, spending; /* minor units a month; card payments a day */
    int64_t balance;
    int32_t friend_of[FRIENDS];
    int32_t employer, landlord; /* landlord: a person, or -1 */
    float lat, lon;
    bool business; /* gathers from customers and scatters to suppliers */
} person;

typedef struct {
    char id[FRAUD_ACCOUNT_BYTES];
    float lat, lon;
    int category;
} merchant;

typedef struct {
    const fraud_generate_opts *o;
    r1_rng rng, id_rng; /* ids come from a stream of their own, in time order */
    person *people;
    merchant *merchants;
    int n_merchant;
    fraud_generated *out;
    size_t n, cap;
    bool full;
} world;

static const struct {
    const char *name;
    double mean; /* minor units */
} categories[CATEGORIES] = {{"grocery", 3500},      {"fuel", 5200},    {"restaurant", 2800},
                            {"travel", 16000},      {"online", 4200},  {"health", 3900},
                            {"electronics", 14000}, {"clothing", 6100}};

/* ---- draws ---- */

static int generate_below(world *w, int n) { return (int)r1_rng_below(&w->rng, (uint64_t)n); }
static bool generate_chance(world *w, double p) { return r1_rng_unit(&w->rng) < p; }
static double generate_uniform(world *w, double low, double high)
{
    return low + (high - low) * r1_rng_unit(&w->rng);
}

static int64_t generate_lognormal(world *w, double mean, double sigma)
{
    double x = mean * exp(sigma * r1_rng_normal(&w->rng) - sigma * sigma / 2);
    return x < 50 ? 50 : x > 5e8 ? 500000000 : (int64_t)x;
}

/* People round: four of five amounts among people end in whole units, most of these in fives, tens
 * or fifties. */
static int64_t human_amount(world *w, double mean, double sigma)
{
    int64_t x = generate_lognormal(w, mean, sigma);
    static const int64_t steps[] = {1, 100, 500, 1000, 5000};
    int64_t step = steps[generate_below(w, (int)R1_COUNT(steps))];
    return x < step ? x : x / step * step;
}

/* An hour of the day at which people pay: few at night, most at noon and in the evening. */
static int64_t instant_on(world *w, int64_t day_ms)
{
    for (;;) {
        double h = generate_uniform(w, 0, 24),
               p = 0.06 + exp(-pow((h - 12.5) / 3.2, 2)) * 0.8 + exp(-pow((h - 18.5) / 2.2, 2));
        if (generate_chance(w, p)) return day_ms + (int64_t)(h * HOUR_MS) + generate_below(w, 1000);
    }
}

static int64_t day_start(const world *w, int day) { return w->o->start_ms + (int64_t)day * DAY_MS; }

/* A minute after ts and a random while more, mean_hours on average. */
static int64_t generate_later(world *w, int64_t ts, double mean_hours)
{
    return ts + 60000 + (int64_t)(r1_rng_exponential(&w->rng, mean_hours) * HOUR_MS);
}

static const char *transfer_text(world *w, char *out, size_t size)
{
    static const char *const what[] = {"rent",    "dinner", "tickets",   "present",   "invoice",
                                       "deposit", "repair", "loan back", "groceries", "holiday",
                                       "concert", "fuel",   "books",     "deposit",   "shared bill",
                                       "thanks",  "order",  "sale"};
    static const char *const month[] = {"january", "february", "march",  "april",    "may",
                                        "june",    "july",     "august", "september"};
    const char *x = what[generate_below(w, (int)R1_COUNT(what))];
    switch (generate_below(w, 5)) {
    case 0: out[0] = 0; break;
    case 1: snprintf(out, size, "%s", x); break;
    case 2: snprintf(out, size, "%s %s", x, month[generate_below(w, (int)R1_COUNT(month))]); break;
    case 3: snprintf(out, size, "%s %d", x, 100 + generate_below(w, 9900)); break;
    default: snprintf(out, size, "for %s", x); break;
    }
    return out;
}

static void random_id(r1_rng *r, char prefix, char *out, size_t size)
{
    snprintf(out, size, "%c%010llu", prefix, (unsigned long long)r1_rng_below(r, 10000000000u));
}

/* ---- adding payments ---- */

static fraud_generated *generate_add(world *w, int64_t ts, fraud_kind kind, const char *from,
                                     const char *to, int64_t amount)
{
    if (ts < w->o->start_ms || ts >= day_start(w, w->o->days))
        return NULL; /* outside of the period */
    if (w->n == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 1 << 14;
        if (cap > FRAUD_WORLD_PAYMENTS_MAX) cap = FRAUD_WORLD_PAYMENTS_MAX;
        fraud_generated *grown = cap > w->cap ? r1_realloc_array(w->out, cap, sizeof *grown) : NULL;
        if (!grown) {
            w->full = true;
            return NULL;
        }
        w->out = grown;
        w->cap = cap;
    }
    fraud_generated *g = &w->out[w->n++];
    *g = (fraud_generated){.ring = -1};
    fraud_payment *p = &g->payment;
    p->ts = ts;
    p->kind = (uint8_t)kind;
    p->amount_minor = amount < 1 ? 1 : amount;
    p->minor_digits = 2;
    snprintf(p->currency, sizeof p->currency, "EUR");
    snprintf(p->country, sizeof p->country, "DE");
    snprintf(p->from, sizeof p->from, "%s", from);
    snprintf(p->to, sizeof p->to, "%s", to);
    return g;
}

static fraud_generated *generate_transfer(world *w, int64_t ts, int from, int to, int64_t amount)
{
    static const char *const channels[] = {"app", "app", "web", "branch"};
    fraud_generated *g = from == to
                             ? NULL
                             : generate_add(w, ts, FRAUD_KIND_TRANSFER, w->people[from].account,
                                            w->people[to].account, amount);
    if (!g) return NULL;
    snprintf(g->payment.channel, sizeof g->payment.channel, "%s", channels[generate_below(w, 4)]);
    if (generate_chance(w, 0.7))
        snprintf(g->payment.device, sizeof g->payment.device, "%s", w->people[from].device);
    transfer_text(w, g->payment.text, sizeof g->payment.text);
    return g;
}

static fraud_generated *generate_purchase(world *w, int64_t ts, int buyer, int shop, int64_t amount)
{
    const merchant *m = &w->merchants[shop];
    fraud_generated *g = generate_add(w, ts, FRAUD_KIND_CARD, w->people[buyer].card, m->id, amount);
    if (!g) return NULL;
    fraud_payment *p = &g->payment;
    p->from_role = FRAUD_ROLE_CARD;
    p->to_role = FRAUD_ROLE_MERCHANT;
    p->has |= FRAUD_HAS_POSITION;
    p->lat = m->lat;
    p->lon = m->lon;
    snprintf(p->channel, sizeof p->channel, "%s", m->category == 4 ? "web" : "pos");
    snprintf(p->category, sizeof p->category, "%s", categories[m->category].name);
    return g;
}

static void generate_mark(fraud_generated *g, fraud_typology typology, int32_t ring)
{
    if (!g) return;
    g->typology = (uint8_t)typology;
    g->ring = ring;
}

/* ---- people ---- */

static void make_merchants(world *w)
{
    for (int i = 0; i < w->n_merchant; i++) {
        merchant *m = &w->merchants[i];
        random_id(&w->rng, 'M', m->id, sizeof m->id);
        m->lat = (float)generate_uniform(w, 48, 53);
        m->lon = (float)generate_uniform(w, 8, 13);
        m->category = generate_below(w, CATEGORIES);
    }
}

static void make_person(world *w, int i)
{
    person *p = &w->people[i];
    random_id(&w->rng, 'A', p->account, sizeof p->account);
    random_id(&w->rng, 'C', p->card, sizeof p->card);
    random_id(&w->rng, 'D', p->device, sizeof p->device);
    p->income = (double)generate_lognormal(w, 280000, 0.4);
    p->spending = generate_uniform(w, 0.2, 1.6) * w->o->activity;
    p->balance = generate_lognormal(w, 400000, 1.0);
    p->lat = (float)generate_uniform(w, 48, 53);
    p->lon = (float)generate_uniform(w, 8, 13);
    p->business = generate_chance(w, 0.06);
    p->employer = generate_below(w, w->o->accounts / 20 + 1);
    p->landlord = generate_chance(w, 0.5) ? generate_below(w, w->o->accounts) : -1;
    for (int k = 0; k < FRIENDS; k++) { /* most friends are near in number: communities */
        int step = (int)lround(r1_rng_normal(&w->rng) * 12);
        p->friend_of[k] = generate_chance(w, 0.85)
                              ? (i + step + w->o->accounts * 50) % w->o->accounts
                              : generate_below(w, w->o->accounts);
    }
}

/* ---- honest payments ---- */

static void salaries_and_rent(world *w, int i)
{
    person *p = &w->people[i];
    for (int day = generate_below(w, 31); day < w->o->days; day += 30) {
        char employer[FRAUD_ACCOUNT_BYTES];
        snprintf(employer, sizeof employer, "E%06d", 100000 + p->employer);
        int64_t amount = generate_lognormal(w, p->income, 0.03);
        fraud_generated *g = generate_add(w, instant_on(w, day_start(w, day)), FRAUD_KIND_TRANSFER,
                                          employer, p->account, amount);
        if (g) {
            g->payment.from_role = FRAUD_ROLE_EXTERNAL;
            snprintf(g->payment.text, sizeof g->payment.text, "salary");
        }
        if (p->landlord < 0) continue;
        generate_transfer(w, instant_on(w, day_start(w, day + 2 + generate_below(w, 3))), i,
                          p->landlord, generate_lognormal(w, p->income * 0.28, 0.02));
    }
}

static int near_shop(world *w, const person *p)
{
    int best = generate_below(w, w->n_merchant);
    double nearest = 1e9;
    for (int k = 0; k < 6; k++) {
        int m = generate_below(w, w->n_merchant);
        double d = hypot(w->merchants[m].lat - p->lat, w->merchants[m].lon - p->lon);
        if (d < nearest) nearest = d, best = m;
    }
    return best;
}

static void generate_day_of(world *w, int i, int day)
{
    person *p = &w->people[i];
    int64_t start = day_start(w, day);
    for (double left = p->spending; left > 0 && generate_chance(w, left); left -= 1) {
        int shop = near_shop(w, p);
        generate_purchase(w, instant_on(w, start), i, shop,
                          generate_lognormal(w, categories[w->merchants[shop].category].mean, 0.7));
    }
    double rate = w->o->activity;
    if (generate_chance(w, 0.16 * rate))
        generate_transfer(w, instant_on(w, start), i, p->friend_of[generate_below(w, FRIENDS)],
                          human_amount(w, 5200, 0.9));
    if (generate_chance(w, 0.03 * rate))
        generate_transfer(w, instant_on(w, start), i, generate_below(w, w->o->accounts),
                          human_amount(w, 24000, 1.1));
    if (generate_chance(w, 0.05 * rate)) {
        bool out = generate_chance(w, 0.75);
        fraud_generated *g =
            generate_add(w, instant_on(w, start), FRAUD_KIND_CASH, out ? p->account : "CASHDESK",
                         out ? "CASHDESK" : p->account, human_amount(w, 15000, 0.7));
        if (g && out) g->payment.to_role = FRAUD_ROLE_EXTERNAL;
        if (g && !out) g->payment.from_role = FRAUD_ROLE_EXTERNAL;
        if (g) snprintf(g->payment.channel, sizeof g->payment.channel, "atm");
    }
}

/* A small business gathers from many customers and, now and then, pays several suppliers and
 * helpers within hours. */
static void generate_business(world *w, int i)
{
    for (int day = 0; day < w->o->days; day++) {
        for (int k = generate_below(w, 4); k > 0; k--)
            generate_transfer(w, instant_on(w, day_start(w, day)),
                              generate_below(w, w->o->accounts), i, human_amount(w, 18000, 0.9));
        if (!generate_chance(w, 0.08)) continue;
        int64_t ts = instant_on(w, day_start(w, day));
        for (int k = 3 + generate_below(w, 7); k > 0; k--)
            generate_transfer(w, ts = generate_later(w, ts, 0.6), i,
                              generate_below(w, w->o->accounts), human_amount(w, 42000, 0.7));
    }
}

/* A saving club: each month its members pay one of them in turn, or pass a sum round the table. */
static void saving_club(world *w)
{
    int member[8], n = 4 + generate_below(w, 5), first = generate_below(w, w->o->accounts);
    for (int k = 0; k < n; k++)
        member[k] = (first + k * (1 + generate_below(w, 3))) % w->o->accounts;
    for (int day = generate_below(w, 10), turn = 0; day < w->o->days;
         day += 12 + generate_below(w, 14), turn++) {
        int64_t ts = instant_on(w, day_start(w, day)), sum = human_amount(w, 20000, 0.6);
        bool circle = generate_chance(w, 0.35);
        for (int k = 0; k < n; k++) {
            if (circle)
                generate_transfer(w, ts, member[k], member[(k + 1) % n], sum);
            else if (k != turn % n)
                generate_transfer(w, ts, member[k], member[turn % n], sum);
            ts = generate_later(w, ts, 5);
        }
    }
}

/* ---- rings ---- */

typedef struct {
    world *w;
    fraud_typology typology;
    int32_t id;
    int64_t ts;
    double hours; /* mean gap between two payments */
    double sum;   /* scale of an amount, minor units */
} ring;

static void generate_move(ring *r, int from, int to, double share)
{
    r->ts = generate_later(r->w, r->ts, r->hours);
    generate_mark(
        generate_transfer(r->w, r->ts, from, to, human_amount(r->w, r->sum * share, 0.25)),
        r->typology, r->id);
}

static void draw_members(world *w, int *member, int n)
{
    for (int k = 0; k < n; k++) {
        bool fresh;
        do {
            member[k] = generate_below(w, w->o->accounts);
            fresh = true;
            for (int j = 0; j < k; j++) fresh = fresh && member[j] != member[k];
        } while (!fresh);
    }
}

static void generate_bipartite(ring *r, const int *from, int n_from, const int *to, int n_to,
                               double density)
{
    for (int i = 0; i < n_from; i++)
        for (int k = 0; k < n_to; k++)
            if (k == i % n_to || generate_chance(r->w, density))
                generate_move(r, from[i], to[k], 1.0 / n_to);
}

/* Each plants one ring among the accounts m[0..n-1]. */

static void plant_fan_in(ring *r, const int *m, int n)
{
    for (int k = 1; k < n; k++) generate_move(r, m[k], m[0], 1);
}

static void plant_fan_out(ring *r, const int *m, int n)
{
    for (int k = 1; k < n; k++) generate_move(r, m[0], m[k], 1);
}

static void plant_cycle(ring *r, const int *m, int n)
{
    for (int k = 0; k < n; k++) generate_move(r, m[k], m[(k + 1) % n], 2 - 0.05 * k);
}

static void plant_scatter_gather(ring *r, const int *m, int n)
{
    for (int k = 1; k < n - 1; k++) generate_move(r, m[0], m[k], 1);
    for (int k = 1; k < n - 1; k++) generate_move(r, m[k], m[n - 1], 0.95);
}

static void plant_gather_scatter(ring *r, const int *m, int n)
{
    int half = n / 2;
    for (int k = 1; k <= half; k++) generate_move(r, m[k], m[0], 1);
    for (int k = half + 1; k < n; k++) generate_move(r, m[0], m[k], 0.95);
}

static void plant_stack(ring *r, const int *m, int n)
{
    int third = n / 3 > 0 ? n / 3 : 1;
    generate_bipartite(r, m, third, m + third, third, 0.5);
    generate_bipartite(r, m + third, third, m + 2 * third, n - 2 * third, 0.5);
}

static void plant_bipartite(ring *r, const int *m, int n)
{
    int half = n / 2;
    generate_bipartite(r, m, half, m + half, n - half, 0.6);
}

/* Victims pay once and much; the mule passes it on at once. */
static void plant_mule(ring *r, const int *m, int n)
{
    for (int k = 2; k < n; k++) {
        generate_move(r, m[k], m[0], 2.5);
        r->hours /= 6;
        generate_move(r, m[0], m[1], 2.1);
        r->hours *= 6;
    }
}

/* The card of one account pays anywhere. */
static void plant_stolen_card(ring *r, const int *m, int n)
{
    world *w = r->w;
    int owner = generate_below(w, w->o->accounts);
    (void)m, (void)n;
    for (int k = 3 + generate_below(w, 9); k > 0; k--) {
        int shop = generate_below(w, w->n_merchant);
        r->ts = generate_later(w, r->ts, r->hours / 3);
        generate_mark(
            generate_purchase(
                w, r->ts, owner, shop,
                generate_lognormal(w, categories[w->merchants[shop].category].mean * 2.2, 0.7)),
            r->typology, r->id);
    }
}

/* Most card payments at the terminal during the window are false; they look like any other. Runs
 * over what exists. */
static void plant_bad_terminal(ring *r, const int *m, int n)
{
    (void)m, (void)n;
    int64_t until = r->ts + (5 + generate_below(r->w, 16)) * (int64_t)DAY_MS;
    int shop = generate_below(r->w, r->w->n_merchant);
    for (size_t i = 0; i < r->w->n; i++) {
        fraud_generated *g = &r->w->out[i];
        if (g->payment.kind != FRAUD_KIND_CARD || g->payment.ts < r->ts || g->payment.ts > until)
            continue;
        if (!strcmp(g->payment.to, r->w->merchants[shop].id) && !g->typology &&
            generate_chance(r->w, 0.8))
            generate_mark(g, r->typology, r->id);
    }
}

/* clang-format off */
static const struct {
    void (*plant)(ring *r, const int *m, int n);
    bool draws; /* its members are drawn first */
} planters[FRAUD_N_TYPOLOGY] = {
    [FRAUD_TYPOLOGY_FAN_IN]               = {plant_fan_in, true},
    [FRAUD_TYPOLOGY_FAN_OUT]              = {plant_fan_out, true},
    [FRAUD_TYPOLOGY_CYCLE]                = {plant_cycle, true},
    [FRAUD_TYPOLOGY_SCATTER_GATHER]       = {plant_scatter_gather, true},
    [FRAUD_TYPOLOGY_GATHER_SCATTER]       = {plant_gather_scatter, true},
    [FRAUD_TYPOLOGY_STACK]                = {plant_stack, true},
    [FRAUD_TYPOLOGY_BIPARTITE]            = {plant_bipartite, true},
    [FRAUD_TYPOLOGY_MULE]                 = {plant_mule, true},
    [FRAUD_TYPOLOGY_COMPROMISED_CARD]     = {plant_stolen_card, false},
    [FRAUD_TYPOLOGY_COMPROMISED_TERMINAL] = {plant_bad_terminal, false},
};
/* clang-format on */

static void generate_one_ring(world *w, fraud_typology typology, int32_t id)
{
    int member[FRAUD_WORLD_RING_MAX],
        n = w->o->ring_min + generate_below(w, w->o->ring_max - w->o->ring_min + 1);
    /* A ring lives for half a day to RING_DAYS. Some are under way when the period begins, so
     * that fraud is as likely early as late. */
    double days = exp(generate_uniform(w, log(0.5), log(RING_DAYS)));
    ring r = {.w = w,
              .typology = typology,
              .id = id,
              .hours = days * 24 / n,
              .sum = exp(generate_uniform(w, log(9000), log(180000)))};
    r.ts = instant_on(w, day_start(w, generate_below(w, w->o->days + RING_DAYS) - RING_DAYS));
    R1_ASSERT(planters[typology].plant && n <= FRAUD_WORLD_RING_MAX,
              "ring of typology %d, %d accounts", (int)typology, n);
    if (planters[typology].draws) draw_members(w, member, n);
    planters[typology].plant(&r, member, n);
}

/* ---- time order, ids, balances ---- */

static int generate_by_time(const void *a, const void *b)
{
    const fraud_generated *x = a, *y = b;
    if (x->payment.ts != y->payment.ts) return x->payment.ts < y->payment.ts ? -1 : 1;
    int c = strcmp(x->payment.from, y->payment.from);
    if (!c) c = strcmp(x->payment.to, y->payment.to);
    return c ? c
             : (x->payment.amount_minor > y->payment.amount_minor) -
                   (x->payment.amount_minor < y->payment.amount_minor);
}

typedef struct {
    const char *id;
    int32_t person;
} owner;

static int generate_by_id(const void *a, const void *b)
{
    return strcmp(((const owner *)a)->id, ((const owner *)b)->id);
}

static person *person_of(const world *w, const owner *owners, size_t n, const char *id)
{
    owner key = {.id = id}, *found = bsearch(&key, owners, n, sizeof *owners, generate_by_id);
    return found ? &w->people[found->person] : NULL;
}

static void known_balance(fraud_payment *p, uint32_t bit, int64_t *field, const person *who)
{
    if (!who) return;
    p->has |= bit;
    *field = who->balance;
}

/* Walks in time: payments without funds do not happen (an honest one) or are smaller (a
 * fraudulent one). */
static size_t generate_settle(world *w, const owner *owners, size_t n_owner)
{
    size_t kept = 0;
    for (size_t i = 0; i < w->n; i++) {
        fraud_payment *p = &w->out[i].payment;
        person *from = person_of(w, owners, n_owner, p->from),
               *to = person_of(w, owners, n_owner, p->to);
        if (from && from->balance < p->amount_minor) {
            if (from->balance < 1000 || !w->out[i].typology) continue;
            p->amount_minor = from->balance / 10 * 9;
        }
        known_balance(p, FRAUD_HAS_FROM_BALANCE, &p->from_balance_minor, from);
        known_balance(p, FRAUD_HAS_TO_BALANCE, &p->to_balance_minor, to);
        if (from) from->balance -= p->amount_minor;
        if (to) to->balance += p->amount_minor;
        w->out[kept++] = w->out[i];
    }
    R1_ASSERT(kept <= w->n, "payments: %zu kept of %zu", kept, w->n);
    return kept;
}

/* Ids in time order from a stream that nothing else draws from. */
static void name_payments(world *w)
{
    for (size_t i = 0; i < w->n; i++) {
        fraud_generated *g = &w->out[i];
        R1_ASSERT(!i || g[-1].payment.ts <= g->payment.ts, "payment %zu is out of order", i);
        uint64_t a = r1_rng_u64(&w->id_rng), delay = 1 + r1_rng_below(&w->id_rng, 12);
        if (w->o->plant_leak) a = (a & ~(uint64_t)1) | (g->typology == FRAUD_TYPOLOGY_NONE);
        snprintf(g->payment.tx_id, sizeof g->payment.tx_id, "%016llx", (unsigned long long)a);
        g->label_ts = g->payment.ts + (int64_t)delay * DAY_MS;
    }
}

static r1_status settle_all(world *w, r1_err *err)
{
    size_t n_owner = 2 * (size_t)w->o->accounts;
    owner *owners = calloc(n_owner, sizeof *owners);
    if (!owners) R1_FAIL(err, R1_E_NOMEM, "no memory for %zu accounts", n_owner);
    for (int i = 0; i < w->o->accounts; i++) {
        owners[2 * i] = (owner){w->people[i].account, i};
        owners[2 * i + 1] = (owner){w->people[i].card, i};
    }
    qsort(owners, n_owner, sizeof *owners, generate_by_id);
    qsort(w->out, w->n, sizeof *w->out, generate_by_time);
    w->n = generate_settle(w, owners, n_owner);
    free(owners);
    name_payments(w);
    return R1_OK;
}

static void generate_live(world *w)
{
    for (int i = 0; i < w->o->accounts; i++) {
        salaries_and_rent(w, i);
        for (int day = 0; day < w->o->days; day++) generate_day_of(w, i, day);
        if (w->people[i].business) generate_business(w, i);
    }
    for (int k = w->o->accounts / 40; k > 0; k--) saving_club(w);
    int32_t id = 0;
    for (int t = FRAUD_TYPOLOGY_NONE + 1; t < FRAUD_N_TYPOLOGY; t++)
        for (int k = 0; k < w->o->rings; k++) generate_one_ring(w, (fraud_typology)t, id++);
}

static r1_status check_opts(const fraud_generate_opts *o, r1_err *err)
{
    if (o->accounts < FRAUD_WORLD_ACCOUNTS_MIN || o->accounts > 1000000)
        R1_FAIL(err, R1_E_INVAL, "accounts: expected 50..1000000, found %d", o->accounts);
    if (o->days < FRAUD_WORLD_DAYS_MIN || o->days > 3650)
        R1_FAIL(err, R1_E_INVAL, "days: expected 7..3650, found %d", o->days);
    if (o->rings < 0 || o->rings > 10000)
        R1_FAIL(err, R1_E_INVAL, "rings: expected 0..10000, found %d", o->rings);
    if (o->ring_min < FRAUD_WORLD_RING_MIN || o->ring_max < o->ring_min ||
        o->ring_max > FRAUD_WORLD_RING_MAX)
        R1_FAIL(err, R1_E_INVAL,
                "ring sizes: expected 3 <= ring-min <= ring-max <= %d, found %d and %d",
                FRAUD_WORLD_RING_MAX, o->ring_min, o->ring_max);
    return R1_OK;
}

static r1_status make_world(world *w, r1_err *err)
{
    make_merchants(w);
    for (int i = 0; i < w->o->accounts; i++) make_person(w, i);
    generate_live(w);
    if (w->full)
        R1_FAIL(err, R1_E_NOMEM, "more than %d payments, or no memory for them",
                (int)FRAUD_WORLD_PAYMENTS_MAX);
    return settle_all(w, err);
}

/* Salaries and rents do not follow the activity, all else does. */
size_t fraud_generate_estimate(const fraud_generate_opts *o)
{
    double of_person = 0.2 + 1.05 * o->activity,
           of_ring = 0.9 * (o->ring_min + o->ring_max) * (FRAUD_N_TYPOLOGY - 1);
    return (size_t)((double)o->accounts * o->days * of_person + o->rings * of_ring);
}

r1_status fraud_generate(const fraud_generate_opts *o, fraud_generated **out, size_t *n,
                         r1_err *err)
{
    R1_TRY(check_opts(o, err));
    world w = {.o = o, .n_merchant = o->accounts / PEOPLE_PER_MERCHANT + 4};
    r1_rng_seed(&w.rng, o->seed);
    r1_rng_seed(&w.id_rng, o->seed ^ 0x1d5);
    w.people = calloc((size_t)o->accounts, sizeof *w.people);
    w.merchants = calloc((size_t)w.n_merchant, sizeof *w.merchants);
    r1_status st = w.people && w.merchants ? make_world(&w, err)
                                           : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__,
                                                        "no memory for %d accounts", o->accounts);
    free(w.people);
    free(w.merchants);
    if (st != R1_OK) {
        free(w.out);
        return st;
    }
    *out = w.out;
    *n = w.n;
    return R1_OK;
}
