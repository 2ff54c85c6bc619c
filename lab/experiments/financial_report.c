/* SPDX-License-Identifier: Apache-2.0 */
/* financial_report.c - see financial_report.h. */
#include "experiments/financial_report.h"

#include <stdlib.h>
#include <string.h>

enum { GROUP = 0, PRO_FORMA = REPORT_SCOPES - 2, OUTLOOK, PERIODS = REPORT_SPANS * REPORT_YEARS };
enum { OF_A_STATEMENT = REPORT_METRICS / REPORT_STATEMENTS };
enum { FACTS = REPORT_SCOPES * REPORT_METRICS * PERIODS };

struct report_fact {
    int32_t value;           /* the one that holds */
    int32_t intact, misread; /* legible mentions of it since it was last restated */
    bool stated, restated;
    bool clean; /* mentioned in a section without noise */
    bool lost;  /* restated where the labels cannot be read: the reader knows nothing of it */
};

/* What is drawn once for a report. */
typedef struct {
    report *r;
    r1_rng *rng;
    int32_t year, n_year, n_segment, n_peer; /* `year`: the newest */
    int32_t segment[REPORT_SEGMENTS], peer[REPORT_PEERS];
    int32_t unit[REPORT_SCOPES][REPORT_STATEMENTS];
    double prose;     /* filler words, as a multiple of the usual number */
    double tables;    /* rows of a section, as a multiple of those in a short report */
    int32_t n_stated; /* facts, in the report's `order` */
    int32_t end;      /* tokens that the sections may take */
} plan;

enum {
    LINE_MAX = 24 /* tokens of a figure and what stands before it */,
    HEAD = 3,
    LEAST = HEAD + 2 /* a section */
};

/* ---- words ---- */

static const char *const units[] = {"units", "thousands", "millions", "billions"};
static const char *const metrics[] = {
    "revenue", "gross-profit", "operating-income",    "net-income", "cash",           "debt",
    "equity",  "inventory",    "operating-cash-flow", "capex",      "free-cash-flow", "dividends"};
static const char *const spans[] = {"FY", "Q1", "Q2", "Q3", "Q4"};
static const char *const scopes[] = {"group",     "cloud",  "devices", "retail",    "energy",
                                     "logistics", "health", "media",   "services",  "Aldane",
                                     "Borwick",   "Cestor", "Dunmoor", "pro-forma", "outlook"};
static const char *const kinds[] = {"LETTER", "RESULTS",   "TABLE",   "SEGMENT", "NOTES",
                                    "PEERS",  "PRO-FORMA", "OUTLOOK", "RISKS"};
enum { LETTER, RESULTS, TABLE, SEGMENT, NOTES, PEERS, AS_IF, AHEAD, RISKS };

static void print_token(int32_t t, FILE *to)
{
    if (t < REPORT_UNIT)
        fprintf(to, "%d", REPORT_LOWEST + t);
    else if (t < REPORT_METRIC)
        fputs(units[t - REPORT_UNIT], to);
    else if (t < REPORT_SPAN)
        fputs(metrics[t - REPORT_METRIC], to);
    else if (t < REPORT_YEAR)
        fputs(spans[t - REPORT_SPAN], to);
    else if (t < REPORT_SCOPE)
        fprintf(to, "%d", 2002 + t - REPORT_YEAR);
    else if (t < REPORT_KIND)
        fputs(scopes[t - REPORT_SCOPE], to);
    else if (t < REPORT_STOP)
        fputs(kinds[t - REPORT_KIND], to);
    else if (t >= REPORT_FILLER)
        fprintf(to, "w%d", t - REPORT_FILLER);
    else
        fputs(t == REPORT_STOP       ? "."
              : t == REPORT_RESTATED ? "restated"
              : t == REPORT_SMUDGE   ? "###"
                                     : "?",
              to);
}

void report_print(const report *r, FILE *to)
{
    for (int32_t i = 0, q = 0; i < r->n_token; i++) {
        int32_t t = r->token[i];
        bool head = t >= REPORT_KIND && t < REPORT_STOP;
        bool question =
            r->section[i] < 0 && (r->section[i - 1] >= 0 || r->token[i - 1] == REPORT_ASK);
        if (i) fputs(head || question ? "\n" : " ", to);
        print_token(t, to);
        if (q < r->n_question && r->question[q].at == i) {
            const report_question *a = &r->question[q++];
            fprintf(to, " -> %d %s%s%s%s", REPORT_LOWEST + a->value, units[a->unit],
                    a->hard & REPORT_IS_RESTATED ? " (restated)" : "",
                    a->hard & REPORT_IS_NOISY ? " (noisy)" : "",
                    a->hard & REPORT_IS_DISTRACTED ? " (distracted)" : "");
        }
    }
    fputs("\n", to);
}

int32_t report_lookalikes(int32_t value, int32_t *other)
{
    static const char *const alike[] = {"86", "7",  "",  "8",  "",
                                        "6",  "58", "1", "30", ""}; /* by digit */
    int32_t n = 0, number = value + REPORT_LOWEST;
    for (int32_t place = 1; place <= 10; place *= 10)
        for (const char *d = alike[number / place % 10]; *d; d++) {
            int32_t x = number + (*d - '0' - number / place % 10) * place - REPORT_LOWEST;
            if (x >= 0 && x < REPORT_VALUES) other[n++] = x;
        }
    return n;
}

/* ---- draws ---- */

static int32_t financial_report_below(plan *p, int32_t n)
{
    return (int32_t)r1_rng_below(p->rng, (uint64_t)n);
}
static bool financial_report_chance(plan *p, double share) { return r1_rng_unit(p->rng) < share; }

static void financial_report_shuffled(plan *p, int32_t *x, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        int32_t k = financial_report_below(p, i + 1);
        x[i] = x[k];
        x[k] = i;
    }
}

static int32_t at_most(int32_t x, int32_t most) { return x < most ? x : most; }

static void draw_plan(plan *p, int32_t n_token)
{
    p->n_year = at_most(2 + n_token / 1600, 12);
    p->n_segment = at_most(1 + n_token / 1200, REPORT_SEGMENTS);
    p->n_peer = at_most(1 + n_token / 4000, REPORT_PEERS);
    p->year = p->n_year - 1 + financial_report_below(p, REPORT_YEARS - p->n_year + 1);
    p->tables = 1 + n_token / 8000.0;
    financial_report_shuffled(p, p->segment, REPORT_SEGMENTS);
    financial_report_shuffled(p, p->peer, REPORT_PEERS);
    for (int s = 0; s < REPORT_SCOPES; s++)
        for (int k = 0; k < REPORT_STATEMENTS; k++)
            p->unit[s][k] = financial_report_below(p, REPORT_UNITS);
}

/* ---- facts ---- */

static int32_t fact_index(int32_t scope, int32_t metric, int32_t span, int32_t year)
{
    return ((scope * REPORT_METRICS + metric) * REPORT_SPANS + span) * REPORT_YEARS + year;
}
static int32_t year_of(int32_t fact) { return fact % REPORT_YEARS; }
static int32_t span_of(int32_t fact) { return fact / REPORT_YEARS % REPORT_SPANS; }
static int32_t financial_report_metric_of(int32_t fact) { return fact / PERIODS % REPORT_METRICS; }
static int32_t scope_of(int32_t fact) { return fact / PERIODS / REPORT_METRICS; }

/* One of the plan's periods: mostly the newest years. */
static int32_t draw_fact(plan *p, int32_t scope, int32_t statement)
{
    int32_t back = financial_report_chance(p, 0.5) ? financial_report_below(p, 2)
                                                   : financial_report_below(p, p->n_year);
    return fact_index(scope, statement * OF_A_STATEMENT + financial_report_below(p, OF_A_STATEMENT),
                      financial_report_below(p, REPORT_SPANS), p->year - back);
}

/* One that `source` has stated before, for `scope`: in noisy sections alone or not; a fresh one
 * where a few tries find none. */
static int32_t draw_again(plan *p, int32_t source, int32_t scope, int32_t statement, bool noisy)
{
    for (int tries = 0; tries < 60 && p->n_stated > 0; tries++) {
        int32_t f = p->r->order[financial_report_below(p, p->n_stated)];
        if (scope_of(f) == source && financial_report_metric_of(f) / OF_A_STATEMENT == statement &&
            p->r->fact[f].clean != noisy)
            return fact_index(scope, financial_report_metric_of(f), span_of(f), year_of(f));
    }
    return draw_fact(p, scope, statement);
}

static report_fact *fact_at(plan *p, int32_t f)
{
    report_fact *x = &p->r->fact[f];
    if (x->stated) return x;
    *x = (report_fact){.value = financial_report_below(p, REPORT_VALUES), .stated = true};
    p->r->order[p->n_stated++] = f;
    return x;
}

/* ---- lines ---- */

static void financial_report_add(plan *p, int32_t token)
{
    report *r = p->r;
    r->section[r->n_token] = r->n_section - 1;
    r->token[r->n_token++] = token;
}

/* A label as it reads; false in *legible where it does not. */
static void add_label(plan *p, int32_t token, double noise, bool *legible)
{
    bool smudged = financial_report_chance(p, noise / 2);
    *legible &= !smudged;
    financial_report_add(p, smudged ? REPORT_SMUDGE : token);
}

static int32_t financial_report_read_value(plan *p, int32_t value, double noise)
{
    int32_t other[8], n = report_lookalikes(value, other);
    if (!financial_report_chance(p, noise)) return REPORT_VALUE + value;
    return n && financial_report_chance(p, 0.85)
               ? REPORT_VALUE + other[financial_report_below(p, n)]
               : REPORT_SMUDGE;
}

/* Writes the fact's value as it reads and counts the mention. */
static void add_value(plan *p, report_fact *x, double noise, bool legible)
{
    int32_t t = financial_report_read_value(p, x->value, noise);
    financial_report_add(p, t);
    x->clean |= noise == 0;
    x->intact += legible && t == REPORT_VALUE + x->value;
    x->misread += legible && t != REPORT_VALUE + x->value && t != REPORT_SMUDGE;
}

static void financial_report_add_figure(plan *p, int32_t f, double noise, bool two_years)
{
    bool legible = true, legible_year = true;
    int32_t before =
        fact_index(scope_of(f), financial_report_metric_of(f), span_of(f), year_of(f) - 1);
    add_label(p, REPORT_METRIC + financial_report_metric_of(f), noise, &legible);
    add_label(p, REPORT_SPAN + span_of(f), noise, &legible);
    add_label(p, REPORT_YEAR + year_of(f), noise, &legible_year);
    add_value(p, fact_at(p, f), noise, legible && legible_year);
    if (!two_years || year_of(f) <= p->year - p->n_year + 1) return;
    add_label(p, REPORT_YEAR + year_of(before), noise, &legible);
    add_value(p, fact_at(p, before), noise, legible);
}

static void add_restatement(plan *p, int32_t f, double noise)
{
    bool legible = true;
    report_fact *x = fact_at(p, f);
    int32_t old = x->value;
    add_label(p, REPORT_METRIC + financial_report_metric_of(f), noise, &legible);
    add_label(p, REPORT_SPAN + span_of(f), noise, &legible);
    add_label(p, REPORT_YEAR + year_of(f), noise, &legible);
    financial_report_add(p, financial_report_read_value(p, old, noise));
    financial_report_add(p, REPORT_RESTATED);
    *x = (report_fact){.value =
                           (old + 1 + financial_report_below(p, REPORT_VALUES - 1)) % REPORT_VALUES,
                       .stated = true,
                       .restated = true,
                       .lost = !legible};
    add_value(p, x, noise, legible);
}

static void add_fillers(plan *p, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        financial_report_add(p, REPORT_FILLER + financial_report_below(p, REPORT_FILLERS));
}

static void add_decoy(plan *p)
{
    if (financial_report_chance(p, 0.5)) {
        financial_report_add(p, REPORT_METRIC + financial_report_below(p, REPORT_METRICS));
        financial_report_add(p, REPORT_SPAN + financial_report_below(p, REPORT_SPANS));
        financial_report_add(p, REPORT_YEAR + p->year - financial_report_below(p, p->n_year));
    } else {
        add_fillers(p, 1);
        financial_report_add(p, REPORT_VALUE + financial_report_below(p, REPORT_VALUES));
    }
    add_fillers(p, 3); /* a value that follows is not this one's */
}

/* ---- sections ---- */

static int32_t financial_report_room(const plan *p) { return p->end - p->r->n_token; }

static double draw_noise(plan *p)
{
    return financial_report_chance(p, 0.4) ? 0.15 + 0.25 * r1_rng_unit(p->rng) : 0;
}

static void add_head(plan *p, int32_t kind, int32_t scope, int32_t statement)
{
    p->r->n_section++;
    financial_report_add(p, REPORT_KIND + kind);
    financial_report_add(p, REPORT_SCOPE + scope);
    financial_report_add(p, REPORT_UNIT + p->unit[scope][statement]);
}

/* prose: filler words before a figure, on average; again: share of figures that `source` has
 * stated before. */
static void add_section(plan *p, int32_t kind, int32_t scope, double prose, int32_t source,
                        double again)
{
    int32_t statement = financial_report_below(p, REPORT_STATEMENTS),
            rows = (int32_t)(p->tables * (5 + financial_report_below(p, 4)));
    double noise = draw_noise(p);
    bool scanned = noise > 0 && kind != NOTES && source == scope;
    if (scanned)
        again = 0.85, rows += rows / 2; /* what reads badly in one place stands in several */
    add_head(p, kind, scope, statement);
    for (int32_t i = 0; i < rows && financial_report_room(p) >= LINE_MAX + 1 + LEAST; i++) {
        add_fillers(p,
                    at_most((int32_t)r1_rng_exponential(p->rng, prose * p->prose), LINE_MAX / 2));
        if (prose > 1 && financial_report_chance(p, 0.15 * p->prose)) add_decoy(p);
        int32_t f = financial_report_chance(p, again)
                        ? draw_again(p, source, scope, statement, scanned)
                        : draw_fact(p, scope, statement);
        if (kind == NOTES && p->r->fact[f].stated && financial_report_chance(p, 0.6))
            add_restatement(p, f, noise);
        else
            financial_report_add_figure(p, f, noise, kind != NOTES && prose < 1);
    }
    financial_report_add(p, REPORT_STOP);
}

static void add_risks(plan *p, int32_t n)
{
    add_head(p, RISKS, GROUP, financial_report_below(p, REPORT_STATEMENTS));
    while (n > LINE_MAX / 2) {
        int32_t from = p->r->n_token;
        add_fillers(p, 4 + financial_report_below(p, 3));
        if (financial_report_chance(p, 0.3)) add_decoy(p);
        n -= p->r->n_token - from;
    }
    add_fillers(p, n);
    financial_report_add(p, REPORT_STOP);
}

static void add_any(plan *p)
{
    double u = r1_rng_unit(p->rng);
    if (u < 0.08)
        add_section(p, RESULTS, GROUP, 4, GROUP, 0.4);
    else if (u < 0.33)
        add_section(p, TABLE, GROUP, 0.2, GROUP, 0.3);
    else if (u < 0.51) {
        int32_t scope = 1 + p->segment[financial_report_below(p, p->n_segment)];
        add_section(p, SEGMENT, scope, 0.2, scope, 0.3);
    } else if (u < 0.67)
        add_section(p, NOTES, GROUP, 2, GROUP, 0.8);
    else if (u < 0.77)
        add_section(p, PEERS, 1 + REPORT_SEGMENTS + p->peer[financial_report_below(p, p->n_peer)],
                    1.5, GROUP, 0.7);
    else if (u < 0.86)
        add_section(p, AS_IF, PRO_FORMA, 0.2, GROUP, 0.7);
    else if (u < 0.94)
        add_section(p, AHEAD, OUTLOOK, 3, GROUP, 0.7);
    else if (financial_report_chance(p, p->prose))
        add_risks(p, at_most((int32_t)(p->tables * (20 + financial_report_below(p, 20))),
                             financial_report_room(p) - HEAD - 1 - LEAST));
}

/* ---- questions ---- */

static bool financial_report_askable(const report_fact *x)
{
    return x->stated && !x->lost && x->intact > x->misread;
}

static uint32_t hard_of(const report *r, int32_t f)
{
    const report_fact *x = &r->fact[f];
    int32_t others = 0;
    for (int32_t s = 0; s < REPORT_SCOPES; s++)
        others +=
            s != scope_of(f) &&
            r->fact[fact_index(s, financial_report_metric_of(f), span_of(f), year_of(f))].stated;
    return (x->restated ? REPORT_IS_RESTATED : 0u) |
           (!x->clean && x->misread ? REPORT_IS_NOISY : 0u) |
           (others >= 2 ? REPORT_IS_DISTRACTED : 0u);
}

static void financial_report_ask(plan *p, int32_t f)
{
    report *r = p->r;
    financial_report_add(p, REPORT_SCOPE + scope_of(f));
    financial_report_add(p, REPORT_METRIC + financial_report_metric_of(f));
    financial_report_add(p, REPORT_SPAN + span_of(f));
    financial_report_add(p, REPORT_YEAR + year_of(f));
    financial_report_add(p, REPORT_ASK);
    for (int32_t i = 1; i <= REPORT_QUESTION; i++) r->section[r->n_token - i] = -1;
    r->question[r->n_question++] = (report_question){
        .scope = scope_of(f),
        .metric = financial_report_metric_of(f),
        .span = span_of(f),
        .year = year_of(f),
        .value = r->fact[f].value,
        .unit = p->unit[scope_of(f)][financial_report_metric_of(f) / OF_A_STATEMENT],
        .at = r->n_token - 1,
        .hard = hard_of(r, f)};
}

/* What may be asked, in random order; returns how many. */
static int32_t askable_facts(plan *p, int32_t *list)
{
    int32_t n = 0;
    for (int32_t f = 0; f < (1 + REPORT_SEGMENTS) * REPORT_METRICS * PERIODS; f++)
        if (financial_report_askable(&p->r->fact[f])) {
            int32_t k = financial_report_below(p, n + 1);
            list[n++] = list[k];
            list[k] = f;
        }
    return n;
}

static void ask_all(plan *p, int32_t n, int32_t n_question)
{
    static const uint32_t turn[] = {REPORT_IS_RESTATED, REPORT_IS_NOISY, REPORT_IS_DISTRACTED, 0};
    int32_t *list = p->r->order;
    for (int32_t q = 0; q < n_question; q++) {
        int32_t k = 0;
        while (k < n - 1 && (hard_of(p->r, list[k]) & turn[q % 4]) != turn[q % 4]) k++;
        financial_report_ask(p, list[k]);
        list[k] = list[--n];
    }
}

/* ---- a report ---- */

bool report_open(report *r)
{
    *r = (report){.fact = calloc(FACTS, sizeof *r->fact), .order = calloc(FACTS, sizeof *r->order)};
    return r->fact && r->order;
}

void report_close(report *r)
{
    free(r->fact);
    free(r->order);
}

void report_write(report *r, r1_rng *rng, int32_t n_token, int32_t n_question, double prose)
{
    plan p = {.r = r, .rng = rng, .prose = prose, .end = n_token - n_question * REPORT_QUESTION};
    r->n_token = r->n_section = r->n_question = 0;
    memset(r->fact, 0, FACTS * sizeof *r->fact);
    draw_plan(&p, n_token);
    add_section(&p, LETTER, GROUP, 5, GROUP, 0);
    while (financial_report_room(&p) >= HEAD + LINE_MAX + 1 + LEAST) add_any(&p);
    int32_t n = askable_facts(&p, r->order), asked = at_most(n_question, n);
    add_risks(&p, n_token - asked * REPORT_QUESTION - r->n_token - HEAD - 1);
    ask_all(&p, n, asked);
}
