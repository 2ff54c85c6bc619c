/* SPDX-License-Identifier: GPL-3.0-or-later */
/* calibrate_command.c - `r1-fraud calibrate`: thresholds from the user's own stream, out of a
 * recording that the model scores now, or out of the decisions that are stored. */
#include "decide/calibration.h"
#include "files/outputs.h"
#include "payment/currency.h"
#include "payment/message_file.h"
#include "serve/parts.h"
#include "serve/policy_try.h"
#include "serve/settings.h"
#include "serve/stream_gate.h"
#include "text/r1_utf8.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    CALIBRATE_PAYMENTS_MAX = 20000000,
    /* Below these the thresholds are noted as weak: a week has each day once, and the highest
     * percent of a thousand payments is ten. */
    CALIBRATE_PAYMENTS_FEW = 1000,
    CALIBRATE_DAYS_FEW = 7,
    CALIBRATE_FRAUD_FEW = 20
};

static const r1_option calibrate_own_rows[] = {
    {.name = "in",
     .type = R1_OPT_PATH,
     .help =
         "recorded payments, as of check: JSON lines, one JSON array or CSV, with map and rates "
         "as of serve; without it the stored decisions are read"},
    {.name = "labels", .type = R1_OPT_PATH, .only = "in", .help = "recorded labels, JSON lines"},
    {.name = "since",
     .type = R1_OPT_STRING,
     .def = "28d",
     .help = "the span before the newest stored payment"},
    {.name = "review-precision",
     .type = R1_OPT_FLOAT,
     .min = 0.001,
     .max = 1,
     .help = "share of reviewed payments that are fraud; needs labels. Without it alerts-per-day "
             "decides"},
    {.name = "block-precision",
     .type = R1_OPT_FLOAT,
     .min = 0.001,
     .max = 1,
     .help = "the lower end of the interval of the blocked payments' precision; needs labels"},
    {.name = "blocks-per-day",
     .type = R1_OPT_FLOAT,
     .max = 1e9,
     .help = "payments that the score may block in a day, where no block-precision is named"},
    {.name = "out", .type = R1_OPT_PATH, .help = "file to write, for the setting calibration"},
};

const r1_option *fraud_calibrate_rows(size_t *n)
{
    static r1_option rows[FRAUD_JOINED_ROWS_MAX];
    *n = fraud_join_rows(rows, R1_COUNT(rows), calibrate_own_rows, R1_COUNT(calibrate_own_rows));
    return rows;
}

typedef struct {
    uint64_t id; /* hash of tx_id */
    size_t at;
} named_payment;

/* Lines of a recording. */
typedef struct {
    uint64_t n, bad;
    uint64_t left_out, repeated; /* by the mapping file; the same as an earlier one */
    uint64_t first_bad;          /* its line */
    char why[200];
} calibration_lines;

typedef struct {
    const r1_options *o;
    fraud_parts parts;
    fraud_scored *x;
    uint64_t *id; /* of a recording: of each payment */
    size_t n, cap;
    int64_t first_ms, last_ms;
    uint64_t labels, fraud;
    calibration_lines of_payments, of_labels;
    uint64_t unknown; /* labels of no payment here */
    bool raised;      /* a budget reached below the least probability that is shown */
    fraud_calibration out;
    r1_status st; /* of a row */
    r1_err *err;
} calibration_run;

/* ---- payments and labels ---- */

static r1_status run_add(calibration_run *r, float logit, int8_t label, int64_t ts, uint64_t id)
{
    if (r->n == CALIBRATE_PAYMENTS_MAX)
        R1_FAIL(r->err, R1_E_INVAL, "expected at most %d payments, found more: a shorter --since",
                CALIBRATE_PAYMENTS_MAX);
    if (r->n == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 4096;
        fraud_scored *x = realloc(r->x, cap * sizeof *x);
        if (x) r->x = x;
        uint64_t *ids = x ? realloc(r->id, cap * sizeof *ids) : NULL;
        if (!ids) R1_FAIL(r->err, R1_E_NOMEM, "no memory for %zu payments", cap);
        r->id = ids;
        r->cap = cap;
    }
    if (!r->n || ts < r->first_ms) r->first_ms = ts;
    if (!r->n || ts > r->last_ms) r->last_ms = ts;
    r->id[r->n] = id;
    r->x[r->n++] = (fraud_scored){logit, label};
    return R1_OK;
}

static uint64_t id_hash(const char *tx_id) { return r1_hash64(tx_id, strlen(tx_id), 3); }

static int by_id(const void *a, const void *b)
{
    const named_payment *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

/* A line without its end; false at the end of the file. One that is too long is cut to `size` and
 * is no JSON then. */
static bool calibrate_line(FILE *f, char *line, size_t size, size_t *len)
{
    if (!fgets(line, (int)size, f)) return false;
    *len = strcspn(line, "\n");
    for (int c = line[*len]; c != '\n' && c != EOF && *len + 1 == size;) c = fgetc(f);
    line[*len] = 0;
    return true;
}

static void lines_refuse(calibration_lines *l, uint64_t line, const char *why)
{
    if (l->bad++) return;
    l->first_bad = line;
    snprintf(l->why, sizeof l->why, "%.199s", why);
}

static r1_status open_recording(const r1_options *o, const char *option, FILE **f, r1_err *err)
{
    const char *path = r1_options_str(o, option);
    *f = path ? fopen(path, "r") : NULL;
    r1_status st = path && !*f ? r1_file_refuse(path, R1_E_IO, errno, err) : R1_OK;
    if (st != R1_OK) r1_err_prefix(err, "%s: ", option);
    return st;
}

static r1_status mark_labels(calibration_run *r, FILE *f)
{
    char line[FRAUD_PAYMENT_BYTES_MAX + 2];
    size_t len;
    named_payment *names = calloc(r->n + 1, sizeof *names);
    if (!names) R1_FAIL(r->err, R1_E_NOMEM, "no memory for labels");
    for (size_t i = 0; i < r->n; i++) names[i] = (named_payment){r->id[i], i};
    qsort(names, r->n, sizeof *names, by_id);
    while (calibrate_line(f, line, sizeof line, &len)) {
        fraud_label l;
        r1_err why = {0};
        r->of_labels.n++;
        if (fraud_label_decode(line, len, &l, &why) != R1_OK) {
            lines_refuse(&r->of_labels, r->of_labels.n, why.msg);
            continue;
        }
        const named_payment key = {.id = id_hash(l.tx_id)};
        const named_payment *p = bsearch(&key, names, r->n, sizeof *names, by_id);
        r->unknown += !p;
        if (p) r->x[p->at].label = l.is_fraud;
    }
    free(names);
    return R1_OK;
}

/* A payment as the stream has it; false: it counts elsewhere. */
static r1_status recorded_payment(calibration_run *r, fraud_gate *gate,
                                  const fraud_messages_item *item, fraud_payment *p, bool *taken)
{
    r1_err why = {0};
    uint64_t content;
    fraud_gate_verdict v = FRAUD_GATE_UNREAD;
    *taken = false;
    fraud_reading what =
        fraud_payment_read(r->parts.map, item->text, item->len, p, NULL, &content, &why);
    if (what == FRAUD_READ_LEFT_OUT) return r->of_payments.left_out++, R1_OK;
    if (what != FRAUD_READ_NOTHING)
        R1_TRY(fraud_gate_next(gate, p, what == FRAUD_READ_PAYMENT, content, &v, &why, r->err));
    *taken = v == FRAUD_GATE_TAKES;
    r->of_payments.repeated += v == FRAUD_GATE_REPEATED;
    if (!*taken && v != FRAUD_GATE_REPEATED) lines_refuse(&r->of_payments, item->line, why.msg);
    return R1_OK;
}

/* Scores the recording as a stream without labels would be: none of them is known in time. */
static r1_status score_recording(calibration_run *r, fraud_messages *in, fraud_gate *gate)
{
    fraud_messages_item item;
    fraud_result result;
    fraud_payment p;
    fraud_slot *slot;
    bool taken;
    for (int64_t seq = 0; !r1_cli_stopped();) {
        R1_TRY(fraud_messages_next(in, &item, r->err));
        if (item.what == FRAUD_MESSAGES_END) break;
        r->of_payments.n++;
        if (item.what == FRAUD_MESSAGES_FAULT) {
            lines_refuse(&r->of_payments, item.line, item.why);
            continue;
        }
        R1_TRY(recorded_payment(r, gate, &item, &p, &taken));
        if (!taken) continue;
        R1_TRY(fraud_engine_apply(r->parts.engine, &p, ++seq, &slot, r->err));
        r1_status st = fraud_engine_score(r->parts.engine, &slot, 1, &result, r->err);
        fraud_slot_release(r->parts.engine, slot);
        if (st == R1_OK && isfinite(result.logit))
            st = run_add(r, (float)result.logit, -1, p.ts, id_hash(p.tx_id));
        R1_TRY(st);
    }
    return R1_OK;
}

static r1_status read_recording(calibration_run *r)
{
    const fraud_gate_opts opts = {.currency = r1_options_str(r->o, "currency"),
                                  .rates = r1_options_str(r->o, "rates"),
                                  .ids_max = (size_t)r1_options_int(r->o, "seen-ids"),
                                  .behind_ms = r1_options_int(r->o, "time-behind") * 3600000};
    fraud_messages *in = NULL;
    FILE *labels = NULL;
    fraud_gate gate = {0};
    r1_status st =
        fraud_messages_open(&in, r1_options_str(r->o, "in"), false, r1_cli_stopped, r->err);
    if (st == R1_OK) st = open_recording(r->o, "labels", &labels, r->err);
    if (st == R1_OK) st = fraud_gate_begin(&gate, &opts, r->err);
    if (st == R1_OK) st = score_recording(r, in, &gate);
    if (st == R1_OK && labels) st = mark_labels(r, labels);
    fraud_messages_close(in);
    fraud_gate_end(&gate);
    if (labels) fclose(labels);
    snprintf(r->out.source, sizeof r->out.source, "file %.200s", r1_options_str(r->o, "in"));
    return st;
}

static const char *const sql_scores =
    "SELECT d.logit, (extract(epoch FROM p.ts) * 1000)::bigint, (SELECT l.is_fraud FROM r1.label l "
    "WHERE l.tx_id = p.tx_id ORDER BY l.apply_seq DESC LIMIT 1) FROM r1.payment p JOIN r1.decision "
    "d USING (apply_seq) WHERE p.applied AND d.logit IS NOT NULL AND NOT d.degraded AND d.model = "
    "$1 AND p.ts > (SELECT max(ts) FROM r1.payment WHERE applied) - make_interval(secs => "
    "$2::double precision)";

static int score_row(void *ctx, const r1_rows *row)
{
    calibration_run *r = ctx;
    const char *label = r1_rows_text(row, 0, 2);
    r->st = run_add(r, strtof(r1_rows_text(row, 0, 0), NULL), label ? *label == 't' : -1,
                    r1_rows_int(row, 0, 1), 0);
    return r->st != R1_OK;
}

static r1_status read_stored(calibration_run *r)
{
    char seconds[24];
    const char *conninfo, *param[] = {r->parts.model, seconds};
    int64_t since;
    r1_store *s = NULL;
    R1_TRY(fraud_since_parse(r1_options_str(r->o, "since"), &since, r->err));
    snprintf(seconds, sizeof seconds, "%lld", (long long)(since / 1000));
    R1_TRY(r1_store_conninfo(r->o, &conninfo, r->err));
    r1_store_end_with_signal();
    R1_TRY(r1_store_open(&s, conninfo, "r1-fraud calibrate", r->err));
    r1_status st = r1_store_each(s, sql_scores, 2, param, score_row, r, r->err);
    r1_store_close(s);
    snprintf(r->out.source, sizeof r->out.source, "stored decisions of %s",
             r1_options_str(r->o, "since"));
    return st != R1_OK ? st : r->st;
}

/* ---- the thresholds ---- */

static r1_status need_labels(const calibration_run *r, const char *option)
{
    const calibration_lines *l = &r->of_labels;
    char unread[64] = "", unknown[64] = "";
    if (!r1_options_has(r->o, option) || (r->labels && r->fraud)) return R1_OK;
    if (l->bad)
        snprintf(unread, sizeof unread, ", %llu lines of labels refused",
                 (unsigned long long)l->bad);
    if (r->unknown)
        snprintf(unknown, sizeof unknown, ", %llu of no payment here",
                 (unsigned long long)r->unknown);
    R1_FAIL(r->err, R1_E_INVAL,
            "%s: expected labels of this stream, found %llu, of them fraud %llu%s%s", option,
            (unsigned long long)r->labels, (unsigned long long)r->fraud, unread, unknown);
}

static r1_status need_cut(const calibration_run *r, const char *option, const fraud_threshold *c)
{
    if (c->there) return R1_OK;
    R1_FAIL(r->err, R1_E_INVAL,
            "%s: expected a threshold that reaches %g, found none in %zu payments", option,
            r1_options_float(r->o, option), r->n);
}

/* By the precision where it is named, else by the budget where that is: a budget alone says nothing
 * about what a score is worth, so it does not go below what the service shows without it. */
static r1_status find_cut(calibration_run *r, const char *precision, const char *budget, bool sure,
                          fraud_threshold *out)
{
    const r1_options *o = r->o;
    R1_TRY(need_labels(r, precision));
    if (r1_options_has(o, precision)) {
        fraud_threshold_by_precision(r->x, r->n, r->out.days, r1_options_float(o, precision), sure,
                                     out);
        return need_cut(r, precision, out);
    }
    if (!r1_options_has(o, budget)) return R1_OK;
    fraud_threshold_by_budget(r->x, r->n, r->out.days, r1_options_float(o, budget), r->labels > 0,
                              out);
    R1_TRY(need_cut(r, budget, out));
    r->raised |=
        fraud_threshold_raise(r->x, r->n, r->out.days, FRAUD_DEFAULT_REVIEW_AT, r->labels > 0, out);
    return R1_OK;
}

static r1_status find_cuts(calibration_run *r)
{
    fraud_calibration *c = &r->out;
    R1_TRY(find_cut(r, "review-precision", "alerts-per-day", false, &c->review));
    R1_TRY(find_cut(r, "block-precision", "blocks-per-day", true, &c->block));
    if (c->block.there && c->block.at < c->review.at) c->review.at = c->block.at;
    return R1_OK;
}

static void run_time(int64_t ms, char *out, size_t size)
{
    time_t s = (time_t)(ms / 1000);
    struct tm tm;
    gmtime_r(&s, &tm);
    strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static void describe_run(calibration_run *r)
{
    fraud_calibration *c = &r->out;
    for (size_t i = 0; i < r->n; i++) {
        r->labels += r->x[i].label >= 0;
        r->fraud += r->x[i].label == 1;
    }
    c->payments = r->n;
    c->labels = r->labels;
    c->fraud = r->fraud;
    c->days = (double)(r->last_ms - r->first_ms) / (double)FRAUD_DAY_MS;
    if (c->days < 1) c->days = 1;
    run_time(r->first_ms, c->first, sizeof c->first);
    run_time(r->last_ms, c->last, sizeof c->last);
    run_time(r1_time_us() / 1000, c->made_at, sizeof c->made_at);
    snprintf(c->model, sizeof c->model, "%s", r->parts.model);
}

static void print_cut(const char *name, const fraud_threshold *c)
{
    if (!c->there) {
        printf("%-7s never\n", name);
        return;
    }
    printf("%-7s from probability %.6g, %.4g payments a day", name, c->at, c->per_day);
    if (isfinite(c->precision))
        printf(", precision %.3f (95 %% between %.3f and %.3f), recall %.3f", c->precision, c->low,
               c->high, c->recall);
    putchar('\n');
}

/* ---- what is odd ---- */

static void print_refused(const char *what, const calibration_lines *l)
{
    if (l->left_out)
        printf("note: %llu of %llu messages left out by the mapping file\n",
               (unsigned long long)l->left_out, (unsigned long long)l->n);
    if (l->repeated)
        printf(
            "note: %llu of %llu messages are the same as an earlier one: dropped as duplicates\n",
            (unsigned long long)l->repeated, (unsigned long long)l->n);
    if (!l->bad) return;
    printf("note: %llu of %llu %s refused, the first is line %llu: ", (unsigned long long)l->bad,
           (unsigned long long)l->n, what, (unsigned long long)l->first_bad);
    r1_utf8_print(stdout, l->why);
    putchar('\n');
}

static void print_odd(const calibration_run *r)
{
    if (r->unknown)
        printf("note: %llu labels of no payment here\n", (unsigned long long)r->unknown);
    if (r->n < CALIBRATE_PAYMENTS_FEW || r->out.days < CALIBRATE_DAYS_FEW)
        printf("note: %zu payments of %.1f days are few: thresholds hold for the days to come from "
               "%d payments and %d days on\n",
               r->n, r->out.days, CALIBRATE_PAYMENTS_FEW, CALIBRATE_DAYS_FEW);
    if (r->labels && r->fraud < CALIBRATE_FRAUD_FEW)
        printf("note: labels of fraud: %llu, which are few: expected %d\n",
               (unsigned long long)r->fraud, CALIBRATE_FRAUD_FEW);
    if (r->raised)
        printf("note: the budget reaches below probability %g, under which no payment is shown\n",
               FRAUD_DEFAULT_REVIEW_AT);
    fraud_moved_print(fraud_engine_moved(r->parts.engine), stdout);
    if (fraud_engine_unsure(r->parts.engine))
        printf("note: %llu scores are unsure, as a column lies far outside of what the model was "
               "trained on\n",
               (unsigned long long)fraud_engine_unsure(r->parts.engine));
}

static r1_status run_all(calibration_run *r)
{
    const char *out = r1_options_str(r->o, "out");
    if (!out) R1_FAIL(r->err, R1_E_INVAL, "out: expected a file to write, found none");
    const r1_named_file to = {"--out", out, R1_OUTPUT_REPLACED};
    const char *in = r1_options_str(r->o, "in");
    const r1_named_file from[] = {{"--in", in && strcmp(in, "-") ? in : NULL, 0},
                                  {"--labels", r1_options_str(r->o, "labels"), 0}};
    R1_TRY(r1_outputs_check(&to, 1, from, R1_COUNT(from), r->err));
    R1_TRY(fraud_currency_setting(r1_options_str(r->o, "currency"),
                                  r1_options_origin(r->o, "currency"), r->err));
    R1_TRY(fraud_parts_engine(&r->parts, r->o, r->err));
    R1_TRY(fraud_map_load(&r->parts.map, r1_options_str(r->o, "map"), stderr, r->err));
    R1_TRY(in ? read_recording(r) : read_stored(r));
    print_refused("messages of payments", &r->of_payments);
    print_refused("lines of labels", &r->of_labels);
    if (!r->n)
        R1_FAIL(r->err, R1_E_INVAL, "expected payments scored by the model %s, found none",
                r->parts.model);
    describe_run(r);
    fraud_scored_sort(r->x, r->n);
    r1_status st = find_cuts(r);
    print_odd(r);
    R1_TRY(st);
    R1_TRY(fraud_calibration_write(&r->out, out, r->err));
    printf("%zu payments of %.1f days, %llu labelled, %llu fraud, model %s\n", r->n, r->out.days,
           (unsigned long long)r->labels, (unsigned long long)r->fraud, r->parts.model);
    print_cut("review", &r->out.review);
    print_cut("block", &r->out.block);
    printf("written to %s: name it as the setting calibration\n", out);
    return R1_OK;
}

int fraud_command_calibrate(r1_cli_call *call)
{
    calibration_run *r = calloc(1, sizeof *r);
    if (!r) return R1_EXIT_FAILED;
    r->o = call->opts;
    r->err = &call->err;
    r1_status st = run_all(r);
    bool partial = r->of_payments.bad || r->of_labels.bad;
    fraud_parts_release(&r->parts);
    free(r->x);
    free(r->id);
    free(r);
    return st == R1_OK && partial ? R1_EXIT_PARTIAL : r1_cli_exit(st);
}
