/* SPDX-License-Identifier: Apache-2.0 */
/* bench_batch.c - r1-bench batch: the highest rate of requests at which p99 stays within the
 * budget, for the deadline batcher and for fixed batches with a timeout. Simulated on the costs
 * that are measured here first, then (--live) by the real clock.
 *
 * Rivals have every size and timeout of a grid, and the best of each trace counts: fixed batches
 * that pay for their longest request in every row (padded), the same without padding (ragged;
 * with 32 as the size, ragged_32), and batches of what is there, up to a size (greedy). */
#include "bench/batch_live.h"
#include "bench/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const r1_option options[] = {
    {.name = "budget",
     .type = R1_OPT_FLOAT,
     .def = "2",
     .min = 0.5,
     .max = 10000,
     .unit = "ms",
     .help = "deadline after arrival, which p99 must keep"},
    {.name = "requests",
     .type = R1_OPT_INT,
     .def = "60000",
     .min = 1000,
     .max = 10000000,
     .help = "of a simulated trace"},
    {.name = "trace",
     .type = R1_OPT_PATH,
     .help = "also a recorded one: lines \"microseconds length\"; gaps are scaled to the rate"},
    {.name = "live",
     .type = R1_OPT_FLOAT,
     .def = "0",
     .min = 0,
     .max = 60,
     .unit = "s",
     .help = "also by the real clock, three runs of this length a step; 0: not"},
    {.name = "seed", .type = R1_OPT_INT, .def = "1", .min = 0, .max = 1e9, .help = "of the traces"},
    {.name = "json", .type = R1_OPT_BOOL, .def = "false", .help = "print one JSON object"},
};

/* ---- traces ---------------------------------------------------------------------------------- */

/* Gaps of mean 1 and lengths; a rate makes times of them. */
typedef struct {
    const char *name;
    size_t n;
    double *gap;
    uint32_t *length;
} shape;

static void shape_free(shape *s)
{
    free(s->gap);
    free(s->length);
}

static r1_status shape_room(shape *s, size_t n, r1_err *err)
{
    s->n = n;
    s->gap = malloc(n * sizeof *s->gap);
    s->length = malloc(n * sizeof *s->length);
    if (!s->gap || !s->length) R1_FAIL(err, R1_E_NOMEM, "no memory for %zu requests", n);
    return R1_OK;
}

/* Mostly short, some long: 8 to 32, 32 to 96, 96 to 256. */
static uint32_t mixed_length(r1_rng *rng)
{
    uint64_t kind = r1_rng_below(rng, 100);
    if (kind < 75) return 8 + (uint32_t)r1_rng_below(rng, 24);
    if (kind < 95) return 32 + (uint32_t)r1_rng_below(rng, 64);
    return 96 + (uint32_t)r1_rng_below(rng, 161);
}

static void scale_gaps(shape *s)
{
    double sum = 0;
    for (size_t i = 0; i < s->n; i++) sum += s->gap[i];
    for (size_t i = 0; i < s->n; i++) s->gap[i] *= (double)s->n / sum;
}

/* Bursty: in turns of 200 requests on average twice, and half, as dense. */
static r1_status make_shape(shape *s, const char *name, size_t n, uint64_t seed, r1_err *err)
{
    r1_rng rng;
    double pace = 2;
    bool bursty = !strncmp(name, "bursty", 6), even = strstr(name, "even") != NULL;
    s->name = name;
    R1_TRY(shape_room(s, n, err));
    r1_rng_seed(&rng, seed);
    for (size_t i = 0; i < n; i++) {
        if (bursty && r1_rng_below(&rng, 200) == 0) pace = 1 / pace;
        s->gap[i] = r1_rng_exponential(&rng, bursty ? 1 / pace : 1);
        s->length[i] = even ? 32 : mixed_length(&rng);
    }
    scale_gaps(s);
    return R1_OK;
}

static r1_status parse_trace(shape *s, char *text, const char *path, r1_err *err)
{
    size_t i = 0;
    double last = 0;
    for (char *line = text; *line; i++) {
        char *end, *next;
        double at = strtod(line, &end);
        unsigned long length = strtoul(end, &next, 10);
        if (end == line || next == end || (*next != '\n' && *next) || !(at >= last) || at > 1e15 ||
            length < 1 || length > LIVE_LENGTH_MAX)
            R1_FAIL(
                err, R1_E_FORMAT,
                "%s:%zu: expected \"microseconds length\", times that never fall, lengths 1..%d",
                path, i + 1, LIVE_LENGTH_MAX);
        s->gap[i] = i ? at - last : 0;
        s->length[i] = (uint32_t)length;
        last = at;
        line = *next ? next + 1 : next;
    }
    s->n = i;
    if (i < 1000 || !(last > 0))
        R1_FAIL(err, R1_E_FORMAT, "%s: expected 1000 requests or more over some time, found %zu",
                path, i);
    scale_gaps(s);
    return R1_OK;
}

static r1_status read_shape(shape *s, const char *path, r1_err *err)
{
    char *text;
    size_t len, lines = 1;
    s->name = "trace";
    R1_TRY(r1_file_read(path, (size_t)1 << 30, &text, &len, err));
    for (size_t i = 0; i < len; i++) lines += text[i] == '\n';
    r1_status st = shape_room(s, lines, err);
    if (st == R1_OK) st = parse_trace(s, text, path, err);
    free(text);
    return st;
}

/* ---- simulation ------------------------------------------------------------------------------ */

typedef struct {
    double cost_us[3];
    int64_t budget_us;
    batch_trace t;
    r1_request *request;
    double *latency_us;
} simulation;

static double bench_batch_time_of(const simulation *s, size_t n, uint64_t units)
{
    return s->cost_us[0] + s->cost_us[1] * (double)n + s->cost_us[2] * (double)units;
}

static void set_rate(simulation *s, const shape *sh, double rate, size_t n)
{
    double at = 0;
    s->t.n = n < sh->n ? n : sh->n;
    for (size_t i = 0; i < s->t.n; i++) s->t.at_us[i] = at += sh->gap[i] * 1e6 / rate;
    memcpy(s->t.length, sh->length, s->t.n * sizeof *s->t.length);
}

static void bench_batch_finish(simulation *s, uint64_t useful, uint64_t executed, double end,
                               batch_outcome *out)
{
    size_t late = 0;
    for (size_t i = 0; i < s->t.n; i++) late += s->latency_us[i] > (double)s->budget_us;
    *out = (batch_outcome){.late = (double)late / (double)s->t.n,
                           .utilisation = (double)useful / (double)executed,
                           .rate = (double)s->t.n * 1e6 / end};
    out->p99_us = batch_quantile(s->latency_us, s->t.n, 0.99);
}

/* One worker that takes the oldest: a full batch, or what is there when the oldest has waited
 * for the timeout. */
static void simulate_fixed(simulation *s, const batch_rule *rule, batch_outcome *out)
{
    double now = 0;
    uint64_t useful = 0, executed = 0;
    for (size_t at = 0; at < s->t.n;) {
        size_t last = at + rule->size - 1;
        double full = last < s->t.n ? s->t.at_us[last] : INFINITY,
               patience = s->t.at_us[at] + (double)rule->timeout_us;
        now = fmax(now, fmin(full, patience));
        size_t to = at;
        uint64_t units = 0;
        uint32_t longest = 0;
        for (; to < s->t.n && to - at < rule->size && s->t.at_us[to] <= now; to++) {
            units += s->t.length[to];
            if (s->t.length[to] > longest) longest = s->t.length[to];
        }
        uint64_t paid = rule->padded ? (to - at) * (uint64_t)longest : units;
        now += bench_batch_time_of(s, to - at, paid);
        useful += units;
        executed += paid;
        for (; at < to; at++) s->latency_us[at] = now - s->t.at_us[at];
    }
    bench_batch_finish(s, useful, executed, now, out);
}

static r1_status simulate_batcher(simulation *s, batch_outcome *out, r1_err *err)
{
    r1_batcher_opts o = {.n_class = 1,
                         .classes = {{1, s->budget_us}},
                         .queue_max = R1_BATCH_QUEUE_MAX,
                         .cost_fixed = true};
    memcpy(o.cost_us, s->cost_us, sizeof o.cost_us);
    r1_batch_policy *p;
    R1_TRY(r1_batch_policy_new(&p, &o, err));
    double now = 0;
    uint64_t useful = 0;
    r1_status st = R1_OK;
    memset(s->request, 0, s->t.n * sizeof *s->request);
    for (size_t at = 0; (at < s->t.n || r1_batch_policy_queued(p)) && st == R1_OK;) {
        if (!r1_batch_policy_queued(p)) now = fmax(now, s->t.at_us[at]);
        for (; at < s->t.n && s->t.at_us[at] <= now && st == R1_OK; at++) {
            s->request[at].length = s->t.length[at];
            st = r1_batch_policy_add(p, &s->request[at], (int64_t)s->t.at_us[at], err);
        }
        r1_request *batch[512];
        size_t late, n = st == R1_OK ? r1_batch_policy_next(p, (int64_t)now, 1, batch, &late) : 0;
        uint64_t units = 0;
        for (size_t i = 0; i < n; i++) units += batch[i]->length;
        now += bench_batch_time_of(s, n, units);
        useful += units;
        for (size_t i = 0; i < n; i++) {
            size_t k = (size_t)(batch[i] - s->request);
            s->latency_us[k] = now - s->t.at_us[k];
        }
    }
    r1_batch_policy_free(p);
    if (st == R1_OK) bench_batch_finish(s, useful, useful, now, out);
    return st;
}

typedef r1_status (*try_fn)(simulation *s, const batch_rule *rule, batch_outcome *out, void *ctx,
                            r1_err *err);

static r1_status try_simulated(simulation *s, const batch_rule *rule, batch_outcome *out, void *ctx,
                               r1_err *err)
{
    (void)ctx;
    if (!rule->size) return simulate_batcher(s, out, err);
    simulate_fixed(s, rule, out);
    return R1_OK;
}

/* The run with the middle p99 of three: what the machine does beside must not decide. */
static r1_status try_live(simulation *s, const batch_rule *rule, batch_outcome *out, void *ctx,
                          r1_err *err)
{
    batch_outcome o[3];
    for (int i = 0; i < 3; i++) {
        R1_TRY(batch_live_run(ctx, &s->t, rule, s->budget_us, &o[i], err));
        for (int k = i; k > 0 && o[k].p99_us < o[k - 1].p99_us; k--) {
            batch_outcome swap = o[k];
            o[k] = o[k - 1];
            o[k - 1] = swap;
        }
    }
    *out = o[1];
    return R1_OK;
}

/* The highest rate whose p99 keeps the budget, between low and high, by bisection; the outcome
 * there. 0: not even low. */
static r1_status best_rate(simulation *s, const shape *sh, const batch_rule *rule, double low,
                           double high, int steps, double seconds, try_fn try, void *ctx,
                           double *rate, batch_outcome *at_best, r1_err *err)
{
    *rate = 0;
    *at_best = (batch_outcome){.p99_us = NAN, .utilisation = NAN};
    for (int i = 0; i < steps; i++) {
        batch_outcome o;
        double r = sqrt(low * high);
        set_rate(s, sh, r, seconds > 0 ? (size_t)(r * seconds) + 200 : sh->n);
        R1_TRY(try(s, rule, &o, ctx, err));
        if (o.p99_us <= (double)s->budget_us) {
            *rate = low = r;
            *at_best = o;
        } else {
            high = r;
        }
    }
    return R1_OK;
}

/* ---- the command ----------------------------------------------------------------------------- */

static const uint32_t sizes[] = {8, 16, 32, 64, 128};
static const double timeouts[] = {0.05, 0.1, 0.25, 0.5}; /* shares of the budget */

typedef enum { OURS, GREEDY, RAGGED, RAGGED_32, PADDED, KINDS } kind;
static const char *const kind_name[KINDS] = {"ours", "greedy", "fixed_ragged", "fixed_ragged_32",
                                             "fixed_padded"};

typedef struct {
    double rate;
    batch_rule rule;
    batch_outcome outcome;
} best;

static r1_status best_of_kind(simulation *s, const shape *sh, kind k, double capacity, best *b,
                              r1_err *err)
{
    *b = (best){0};
    for (size_t i = 0; i < (k == OURS ? 1 : R1_COUNT(sizes)); i++)
        for (size_t j = 0; j < (k == RAGGED_32 && sizes[i] != 32 ? 0
                                : k >= RAGGED                    ? R1_COUNT(timeouts)
                                                                 : 1);
             j++) {
            batch_rule rule = {.size = k == OURS ? 0 : sizes[i],
                               .timeout_us =
                                   k >= RAGGED ? (int64_t)(timeouts[j] * (double)s->budget_us) : 0,
                               .padded = k == PADDED};
            double rate;
            batch_outcome o;
            R1_TRY(best_rate(s, sh, &rule, capacity / 100, capacity * 1.5, 14, 0, try_simulated,
                             NULL, &rate, &o, err));
            if (rate > b->rate) *b = (best){rate, rule, o};
        }
    return R1_OK;
}

static void bench_batch_add(r1_figures *f, const char *what, const char *by, const char *trace,
                            double value)
{
    char name[96];
    snprintf(name, sizeof name, "%s%s%s_%s", what, *by ? "_" : "", by, trace);
    r1_figures_add(f, name, value);
}

/* Requests a second when every batch is as full as may be: what no order of work can exceed by
 * much. */
static double capacity_of(const simulation *s, const shape *sh)
{
    double units = 0;
    for (size_t i = 0; i < sh->n; i++) units += sh->length[i];
    return 1e6 / (s->cost_us[0] / 256 + s->cost_us[1] + s->cost_us[2] * units / (double)sh->n);
}

typedef struct {
    double gain, utilisation, p99_us; /* the worst so far of the traces whose lengths are mixed */
} headline;

static r1_status bench_batch_simulated(simulation *s, const shape *sh, best *by, headline *h,
                                       r1_figures *f, r1_err *err)
{
    double capacity = capacity_of(s, sh);
    for (int k = 0; k < KINDS; k++) {
        R1_TRY(best_of_kind(s, sh, (kind)k, capacity, &by[k], err));
        bench_batch_add(f, "rate", kind_name[k], sh->name, by[k].rate);
        if (k == OURS) continue;
        bench_batch_add(f, "gain_over", kind_name[k], sh->name, by[OURS].rate / by[k].rate);
        if (k >= RAGGED)
            bench_batch_add(f, "timeout_ms", kind_name[k], sh->name,
                            (double)by[k].rule.timeout_us / 1e3);
        bench_batch_add(f, "size", kind_name[k], sh->name, by[k].rule.size);
    }
    bench_batch_add(f, "of_capacity", "", sh->name, by[OURS].rate / capacity);
    bench_batch_add(f, "utilisation", "fixed_padded", sh->name, by[PADDED].outcome.utilisation);
    if (strstr(sh->name, "even")) return R1_OK;
    h->gain = fmin(h->gain, by[OURS].rate / by[RAGGED].rate);
    h->utilisation = fmin(h->utilisation, by[OURS].outcome.utilisation);
    h->p99_us = fmax(h->p99_us, by[OURS].outcome.p99_us);
    return R1_OK;
}

/* Around what was simulated; each kind by the rule that did best there. */
static r1_status bench_batch_live(simulation *s, const shape *sh, best *by, batch_live *l,
                                  double seconds, r1_figures *f, r1_err *err)
{
    double ours = 0;
    for (int k = 0; k < KINDS; k++) {
        double rate;
        batch_outcome o;
        if (!(by[k].rate > 0) || k == GREEDY || k == RAGGED_32) continue;
        R1_TRY(best_rate(s, sh, &by[k].rule, by[k].rate * 0.4, by[k].rate * 1.3, 6, seconds,
                         try_live, l, &rate, &o, err));
        bench_batch_add(f, "live_rate", kind_name[k], sh->name, rate);
        if (k == OURS) {
            ours = rate;
            bench_batch_add(f, "live_p99_ms", "", sh->name, o.p99_us / 1e3);
            bench_batch_add(f, "live_utilisation", "", sh->name, o.utilisation);
        } else {
            bench_batch_add(f, "live_gain_over", kind_name[k], sh->name, ours / rate);
        }
    }
    return R1_OK;
}

static r1_status each_shape(simulation *s, shape *shapes, size_t n, batch_live *l, double seconds,
                            r1_figures *f, r1_err *err)
{
    headline h = {INFINITY, INFINITY, 0};
    for (size_t i = 0; i < n; i++) {
        best by[KINDS];
        R1_TRY(bench_batch_simulated(s, &shapes[i], by, &h, f, err));
        if (seconds > 0) R1_TRY(bench_batch_live(s, &shapes[i], by, l, seconds, f, err));
    }
    r1_figures_add(f, "throughput_gain", h.gain);
    r1_figures_add(f, "utilisation", h.utilisation);
    r1_figures_add(f, "p99_ms", h.p99_us / 1e3);
    return R1_OK;
}

static r1_status bench_batch_measure(const r1_options *o, batch_live *l, simulation *s,
                                     shape *shapes, r1_figures *f, r1_err *err)
{
    static const char *const names[] = {"poisson", "bursty", "poisson_even"};
    size_t n = (size_t)r1_options_int(o, "requests"), n_shape = 0;
    double error;
    s->budget_us = (int64_t)(r1_options_float(o, "budget") * 1e3);
    R1_TRY(batch_live_costs(l, 2, s->cost_us, &error, err));
    r1_figures_add(f, "batch_us", s->cost_us[0]);
    r1_figures_add(f, "request_us", s->cost_us[1]);
    r1_figures_add(f, "token_us", s->cost_us[2]);
    r1_figures_add(f, "cost_error", error);
    for (; n_shape < R1_COUNT(names); n_shape++)
        R1_TRY(make_shape(&shapes[n_shape], names[n_shape], n,
                          (uint64_t)r1_options_int(o, "seed") + n_shape, err));
    if (r1_options_has(o, "trace"))
        R1_TRY(read_shape(&shapes[n_shape++], r1_options_str(o, "trace"), err));
    for (size_t i = 0; i < n_shape; i++)
        if (shapes[i].n > n) n = shapes[i].n;
    s->t.at_us = malloc(n * sizeof *s->t.at_us);
    s->t.length = malloc(n * sizeof *s->t.length);
    s->request = malloc(n * sizeof *s->request);
    s->latency_us = malloc(n * sizeof *s->latency_us);
    if (!s->t.at_us || !s->t.length || !s->request || !s->latency_us)
        R1_FAIL(err, R1_E_NOMEM, "no memory for %zu requests", n);
    return each_shape(s, shapes, n_shape, l, r1_options_float(o, "live"), f, err);
}

static int bench_batch(r1_cli_call *call)
{
    r1_figures *f = r1_figures_new("r1-bench batch");
    batch_live *l = NULL;
    simulation s = {0};
    shape shapes[4] = {0};
    if (!f) return R1_EXIT_FAILED;
    r1_figures_note(
        f, "peer",
        "fixed batches with a timeout, the best of a grid, on the same costs and traces");
    r1_status st = batch_live_new(&l, &call->err);
    if (st == R1_OK) st = bench_batch_measure(call->opts, l, &s, shapes, f, &call->err);
    if (st == R1_OK) r1_figures_print(f, r1_options_bool(call->opts, "json"), stdout);
    for (size_t i = 0; i < R1_COUNT(shapes); i++) shape_free(&shapes[i]);
    free(s.t.at_us);
    free(s.t.length);
    free(s.request);
    free(s.latency_us);
    batch_live_free(l);
    r1_figures_free(f);
    return r1_cli_exit(st);
}

const r1_command bench_batch_commands[] = {
    {.name = "batch",
     .summary = "the deadline batcher beside fixed batches with a timeout: the highest rate at "
                "which p99 keeps the budget",
     .examples = "r1-bench batch\nr1-bench batch --budget 5 --json\nr1-bench batch --live 1.5\n"
                 "r1-bench batch --trace arrivals.txt",
     .options = options,
     .n_options = R1_COUNT(options),
     .run = bench_batch},
};
const size_t bench_batch_n = R1_COUNT(bench_batch_commands);
