/* SPDX-License-Identifier: GPL-3.0-or-later */
/* replay.c - payments of a file as check and produce read it (message_file.h), and lines of labels
 * merged in by the time at which they became known; one line of scores each.
 *
 * The same files give the same bytes, whatever --batch is, once their dates are past. What is no
 * payment is counted, reported and passed over; what the mapping file leaves out, and what comes
 * again, is counted. A payment that cannot be scored (serve/stream_gate.h has the reasons beside
 * its own fields), or whose score is no number, has a line {"tx_id", "unscorable": why}. Where
 * there is any of these, rows that are left out or come again aside, the exit code is
 * R1_EXIT_PARTIAL. */
#include "replay/replay.h"

#include "files/outputs.h"
#include "payment/currency.h"
#include "payment/message_file.h"
#include "payment/notes.h"
#include "payment/payment_map.h"
#include "r1_assert.h"
#include "score/engine.h"
#include "score/verdict.h"
#include "serve/stream_gate.h"
#include "text/r1_utf8.h"
#include "vectors/r1_vectors.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
const r1_option fraud_replay_rows[] = {
    {.name = "in", .type = R1_OPT_PATH,
     .help = "payments, as of check: JSON lines, one JSON array or CSV; -: standard input"},
    {.name = "labels", .type = R1_OPT_PATH, .help = "labels, one JSON object a line, sorted by ts"},
    {.name = "out", .type = R1_OPT_PATH, .def = "scores.jsonl",
     .help = "scores, one JSON object a line"},
    {.name = "map", .section = "payments", .type = R1_OPT_PATH,
     .help = "mapping file, as of serve"},
    {.name = "currency", .section = "payments", .type = R1_OPT_STRING,
     .help = "in which amounts are compared; none: that of the first payment"},
    {.name = "zone", .section = "payments", .type = R1_OPT_STRING,
     .help = "of the customers, as Europe/Berlin: hours and weekdays are theirs; none: UTC"},
    {.name = "rates", .section = "payments", .type = R1_OPT_PATH,
     .help = "exchange rates, as of serve"},
    {.name = "time-behind", .section = "time", .type = R1_OPT_INT, .def = "168", .min = 1,
     .max = 8760, .unit = "h",
     .help = "how far from the newest payment one may be dated, as of serve"},
    {.name = "model", .section = "model", .type = R1_OPT_PATH, .def = FRAUD_DEFAULT_MODEL,
     .help = "model file, as of serve; none: the rules alone"},
    {.name = "batch", .type = R1_OPT_INT, .def = "64", .min = 1, .max = FRAUD_SCORE_MAX,
     .unit = "payments",
     .help = "scored together"},
    {.name = "precision", .section = "model", .type = R1_OPT_ENUM, .def = "auto",
     .choices = R1_CLI_PRECISIONS, .help = FRAUD_PRECISION_HELP},
    R1_CLI_DEVICE("model"),
    {.name = "keys", .type = R1_OPT_PATH,
     .help = "folder for payments_base.f16 and payments_queries.f16 (every fiftieth): the keys "
             "of working memory, for r1-bench memory"},
    {.name = "r1", .section = "model", .type = R1_OPT_BOOL, .def = "true",
     .help = "score with the model"},
    {.name = "graph", .section = "model", .type = R1_OPT_BOOL, .def = "true",
     .help = "graph, patterns and findings"},
    {.name = "memory", .section = "model", .type = R1_OPT_BOOL, .def = "true",
     .help = "working memory"},
    {.name = "signs", .section = "model", .type = R1_OPT_BOOL, .def = "true",
     .help = "floors under a score, by signs that an analyst knows"},
    {.name = "columns", .type = R1_OPT_PATH,
     .help = "file for the counts of the model's columns, as MODEL.columns.json has them"},
};
/* clang-format on */
const size_t fraud_replay_n_row = R1_COUNT(fraud_replay_rows);

enum { BATCH_MAX = FRAUD_SCORE_MAX, LINE_MAX_BYTES = FRAUD_PAYMENT_BYTES_MAX + 2 };

typedef struct {
    fraud_engine *engine;
    fraud_map *map;
    fraud_gate gate;
    fraud_messages *in;
    char model[R1_PATH_BYTES]; /* "none": the rules */
    FILE *labels, *out;
    r1_vectors keys;
    uint64_t n_key;
    fraud_label label; /* the next one, when have_label */
    bool have_label;
    fraud_slot *slot[BATCH_MAX];
    fraud_result result[BATCH_MAX];
    size_t n_slot, batch;
    int64_t seq;
    uint64_t n, bad, unscorable, not_finite, late_labels, left_out, repeated, noted;
    uint64_t label_line, bad_labels, first_bad_label;
    char bad_label[200];
} replay;

/* false: end of file. A line that is too long comes back cut at its limit and fails to decode. */
static bool replay_read_line(FILE *f, char *line, size_t *len)
{
    if (!fgets(line, LINE_MAX_BYTES, f)) return false;
    *len = strcspn(line, "\n");
    if (line[*len] != '\n')
        for (int c = getc(f); c != EOF && c != '\n';) c = getc(f);
    return true;
}

static void next_label(replay *r)
{
    char line[LINE_MAX_BYTES];
    size_t len;
    r1_err err;
    r->have_label = false;
    while (r->labels && !r->have_label && replay_read_line(r->labels, line, &len)) {
        r->have_label = fraud_label_decode(line, len, &r->label, &err) == R1_OK;
        r->label_line++;
        if (r->have_label || r->bad_labels++) continue;
        r->first_bad_label = r->label_line;
        snprintf(r->bad_label, sizeof r->bad_label, "%.199s", err.msg);
    }
}

static r1_status labels_until(replay *r, int64_t ts, r1_err *err)
{
    for (; r->have_label && r->label.ts <= ts; next_label(r)) {
        r1_status st =
            fraud_engine_label(r->engine, r->label.tx_id, r->label.is_fraud, r->label.ts, err);
        if (st == R1_E_NOT_FOUND)
            r->late_labels++;
        else if (st != R1_OK)
            return st;
    }
    return R1_OK;
}

static json_t *score_json(const fraud_slot *slot, const fraud_result *x)
{
    json_t *trace = json_array(), *reasons = json_array(), *findings = json_array();
    for (size_t i = 0; i < x->n_item; i++)
        json_array_append_new(
            trace, json_pack("{s:s,s:f}", "item", x->item[i].name, "delta", x->item[i].delta));
    for (size_t i = 0; i < x->n_reason; i++)
        json_array_append_new(reasons,
                              json_pack("{s:s,s:s,s:s,s:f}", "code", x->reason[i].code, "text",
                                        x->reason[i].text, "item", x->reason[i].item,
                                        "contribution", x->reason[i].contribution));
    for (size_t i = 0; i < x->n_finding; i++)
        json_array_append_new(findings, json_pack("{s:s,s:i,s:i,s:I}", "pattern",
                                                  fraud_typology_name(x->finding[i].typology),
                                                  "accounts", (int)x->finding[i].n_account, "edges",
                                                  (int)x->finding[i].n_edge, "amount_minor",
                                                  (json_int_t)x->finding[i].amount_minor));
    return json_pack("{s:s,s:I,s:f,s:f,s:f,s:b,s:o,s:o,s:o}", "tx_id",
                     fraud_slot_payment(slot)->tx_id, "apply_seq", (json_int_t)fraud_slot_seq(slot),
                     "probability", x->probability, "logit", x->logit, "prior_logit",
                     x->prior_logit, "degraded", (int)x->degraded, "trace", trace, "reasons",
                     reasons, "findings", findings);
}

/* Takes the line. */
static r1_status replay_write(replay *r, json_t *line, r1_err *err)
{
    if (!line) R1_FAIL(err, R1_E_NOMEM, "no memory for a line of scores");
    bool good = json_dumpf(line, r->out, JSON_COMPACT | JSON_REAL_PRECISION(17)) == 0 &&
                putc('\n', r->out) != EOF;
    json_decref(line);
    if (!good) R1_FAIL(err, R1_E_IO, "writing scores: %s", strerror(errno));
    return R1_OK;
}

/* What the service would give to a person: the line has words in the place of a score. */
static json_t *unscorable_json(const char *tx_id, const char *why)
{
    return json_pack("{s:s,s:s}", "tx_id", tx_id, "unscorable", why);
}

static r1_status replay_write_score(replay *r, size_t i, r1_err *err)
{
    char fault[FRAUD_VERDICT_BYTES];
    if (fraud_verdict_counts(&r->result[i], fault))
        return replay_write(r, score_json(r->slot[i], &r->result[i]), err);
    r->not_finite++;
    return replay_write(r, unscorable_json(fraud_slot_payment(r->slot[i])->tx_id, fault), err);
}

static r1_status replay_flush(replay *r, r1_err *err)
{
    r1_status st = fraud_engine_score(r->engine, r->slot, r->n_slot, r->result, err);
    for (size_t i = 0; i < r->n_slot; i++) {
        if (st == R1_OK) fraud_engine_explain(r->slot[i], &r->result[i]);
        if (st == R1_OK) st = replay_write_score(r, i, err);
        fraud_slot_release(r->engine, r->slot[i]);
    }
    r->n_slot = 0;
    return st;
}

/* What is no payment, or cannot be scored; err tells why. */
static r1_status replay_refuse(replay *r, size_t line, fraud_reading what, const fraud_payment *p,
                               r1_err *err)
{
    const r1_err why = *err;
    if (!(r->bad + r->unscorable)) fprintf(stderr, "line %zu: %s\n", line, why.msg);
    r->bad += what == FRAUD_READ_NOTHING;
    r->unscorable += what == FRAUD_READ_UNSCORABLE;
    if (what == FRAUD_READ_NOTHING) return R1_OK;
    R1_TRY(replay_flush(r, err)); /* lines keep their order */
    return replay_write(r, unscorable_json(p->tx_id, why.msg), err);
}

/* A row of the file that is no message. */
static r1_status replay_fault(replay *r, const fraud_messages_item *item, r1_err *err)
{
    r1_err_clear(err);
    (void)r1_err_set(err, R1_E_FORMAT, __FILE__, __LINE__, "%s", item->why);
    return replay_refuse(r, item->line, FRAUD_READ_NOTHING, NULL, err);
}

/* The first one is shown, all are counted. */
static void replay_note(replay *r, size_t line, const char *notes)
{
    if (*notes && !r->noted++) fprintf(stderr, "line %zu: note: %s\n", line, notes);
}

static r1_status replay_message(replay *r, const fraud_messages_item *item, r1_err *err)
{
    fraud_payment p;
    uint64_t content;
    char notes[FRAUD_NOTES_BYTES];
    fraud_reading what =
        fraud_payment_read(r->map, item->text, item->len, &p, notes, &content, err);
    if (what == FRAUD_READ_LEFT_OUT) return r->left_out++, R1_OK;
    if (what != FRAUD_READ_NOTHING) {
        fraud_gate_verdict v;
        r1_err fault;
        r1_status st =
            fraud_gate_next(&r->gate, &p, what == FRAUD_READ_PAYMENT, content, &v, err, &fault);
        if (st != R1_OK) return *err = fault, st;
        if (v == FRAUD_GATE_REPEATED) return r->repeated++, R1_OK;
        if (v != FRAUD_GATE_TAKES) what = FRAUD_READ_UNSCORABLE;
    }
    if (what != FRAUD_READ_NOTHING) replay_note(r, item->line, notes);
    if (what != FRAUD_READ_PAYMENT) return replay_refuse(r, item->line, what, &p, err);
    R1_TRY(labels_until(r, p.ts, err));
    R1_ASSERT(r->n_slot < r->batch && r->batch <= BATCH_MAX, "batch: %zu of %zu", r->n_slot,
              r->batch);
    R1_TRY(fraud_engine_apply(r->engine, &p, ++r->seq, &r->slot[r->n_slot], err));
    r->n_slot++;
    r->n++;
    return r->n_slot == r->batch ? replay_flush(r, err) : R1_OK;
}

static r1_status replay_run(replay *r, r1_err *err)
{
    fraud_messages_item item;
    next_label(r);
    while (!r1_cli_stopped()) {
        R1_TRY(fraud_messages_next(r->in, &item, err));
        if (item.what == FRAUD_MESSAGES_END) break;
        R1_TRY(item.what == FRAUD_MESSAGES_FAULT ? replay_fault(r, &item, err)
                                                 : replay_message(r, &item, err));
    }
    return replay_flush(r, err);
}

static void keep_key(void *ctx, const float *key, size_t width)
{
    replay *r = ctx;
    r1_vectors_put(&r->keys, ++r->n_key % 50 == 0, key, width, false);
}

/* The model as serve finds it. */
static r1_status replay_find_model(replay *r, const r1_options *o, r1_err *err)
{
    if (r1_options_bool(o, "r1")) return r1_cli_path(o, "model", r->model, err);
    snprintf(r->model, sizeof r->model, "none");
    return R1_OK;
}

static r1_status replay_open_file(FILE **f, const char *path, const char *mode, r1_err *err)
{
    if (!path) return R1_OK;
    *f = fopen(path, mode);
    return *f ? R1_OK : r1_file_refuse(path, R1_E_IO, errno, err);
}

/* Scores and keys are neither payments, labels nor the model. */
static r1_status replay_check_files(const r1_options *o, const char *model, r1_err *err)
{
    const char *keys = r1_options_str(o, "keys");
    char base[4200], queries[4200];
    snprintf(base, sizeof base, "%s/payments_base.f16", keys ? keys : "");
    snprintf(queries, sizeof queries, "%s/payments_queries.f16", keys ? keys : "");
    const r1_named_file out[] = {{"--out", r1_options_str(o, "out"), R1_OUTPUT_IN_PLACE},
                                 {"--columns", r1_options_str(o, "columns"), R1_OUTPUT_REPLACED},
                                 {"--keys", keys ? base : NULL, R1_OUTPUT_IN_PLACE},
                                 {"--keys", keys ? queries : NULL, R1_OUTPUT_IN_PLACE}};
    const char *from = r1_options_str(o, "in");
    const r1_named_file in[] = {{"--in", strcmp(from, "-") ? from : NULL, 0},
                                {"--map", r1_options_str(o, "map"), 0},
                                {"--rates", r1_options_str(o, "rates"), 0},
                                {"--labels", r1_options_str(o, "labels"), 0},
                                {"--model", model, 0}};
    return r1_outputs_check(out, R1_COUNT(out), in, R1_COUNT(in), err);
}

static r1_status replay_open_gate(replay *r, const r1_options *o, r1_err *err)
{
    const char *currency = r1_options_str(o, "currency");
    R1_TRY(fraud_currency_setting(currency, r1_options_origin(o, "currency"), err));
    R1_TRY(fraud_map_load(&r->map, r1_options_str(o, "map"), stderr, err));
    const fraud_gate_opts gate = {.currency = currency,
                                  .rates = r1_options_str(o, "rates"),
                                  .behind_ms = r1_options_int(o, "time-behind") * 3600000};
    return fraud_gate_begin(&r->gate, &gate, err);
}

static r1_status replay_open_all(replay *r, const r1_options *o, r1_err *err)
{
    if (!r1_options_str(o, "in")) R1_FAIL(err, R1_E_INVAL, "--in is needed");
    R1_TRY(replay_find_model(r, o, err));
    fraud_engine_opts opts = {.model_path = strcmp(r->model, "none") ? r->model : NULL,
                              .graph_off = !r1_options_bool(o, "graph"),
                              .memory_off = !r1_options_bool(o, "memory"),
                              .signs_off = !r1_options_bool(o, "signs"),
                              .zone = r1_options_str(o, "zone"),
                              .precision = r1_cli_precision(r1_options_str(o, "precision"))};
    R1_TRY(replay_check_files(o, opts.model_path, err));
    R1_TRY(replay_open_gate(r, o, err));
    R1_TRY(fraud_engine_new(&r->engine, &opts, err));
    R1_TRY(fraud_messages_open(&r->in, r1_options_str(o, "in"), false, r1_cli_stopped, err));
    R1_TRY(replay_open_file(&r->labels, r1_options_str(o, "labels"), "r", err));
    R1_TRY(replay_open_file(&r->out, r1_options_str(o, "out"), "w", err));
    const char *keys = r1_options_str(o, "keys");
    if (!keys) return R1_OK;
    R1_TRY(r1_vectors_open(&r->keys, keys, "payments", err));
    if (!fraud_engine_watch(r->engine, keep_key, r))
        R1_FAIL(err, R1_E_INVAL, "--keys needs a model with working memory");
    return R1_OK;
}

static void replay_name_model(const replay *r)
{
    if (strcmp(r->model, "none") != 0)
        fprintf(stderr, "scored by the model %s\n", r->model);
    else
        fputs("scored by the rules (--model none), which are not what serve scores with where its "
              "settings do not say so\n",
              stderr);
}

/* What of the file was read otherwise than it stands, or not at all. */
static void replay_tell(const replay *r)
{
    char hint[256];
    fraud_messages_notes(r->in, stderr);
    if (*fraud_messages_hint(r->in, hint, sizeof hint)) fprintf(stderr, "%s\n", hint);
    if (r->noted)
        fprintf(stderr, "%llu payments were read otherwise than written\n",
                (unsigned long long)r->noted);
    if (r->repeated)
        printf("%llu messages are the same as an earlier one: dropped as duplicates\n",
               (unsigned long long)r->repeated);
    if (r->bad_labels) {
        printf("%llu lines of labels refused, the first is line %llu: ",
               (unsigned long long)r->bad_labels, (unsigned long long)r->first_bad_label);
        r1_utf8_print(stdout, r->bad_label);
        putchar('\n');
    }
    if (r->left_out)
        printf("%llu messages were left out by the mapping file\n",
               (unsigned long long)r->left_out);
}

/* Columns on which the model has to judge beyond what its training saw. */
static void replay_outside(const fraud_engine *e)
{
    char name[64];
    uint64_t n;
    for (size_t i = 0; fraud_engine_outside(e, i, name, &n); i++)
        fprintf(stderr, "%s of %llu payments lies far outside of what the model was trained on\n",
                name, (unsigned long long)n);
    fraud_moved_print(fraud_engine_moved(e), stderr);
    if (fraud_engine_unsure(e))
        fprintf(stderr, "%llu scores are unsure for such columns: they are for a person\n",
                (unsigned long long)fraud_engine_unsure(e));
}

static r1_status replay_all(replay *r, const r1_options *o, r1_err *err)
{
    R1_TRY(replay_open_all(r, o, err));
    R1_TRY(replay_run(r, err));
    FILE *out = r->out;
    r->out = NULL;
    bool bad = ferror(out) != 0;
    bad |= fclose(out) != 0;
    if (bad) R1_FAIL(err, R1_E_IO, "writing scores: %s", strerror(errno));
    R1_TRY(r1_vectors_close(&r->keys, err));
    const char *columns = r1_options_str(o, "columns");
    if (columns && fraud_engine_moved(r->engine))
        R1_TRY(fraud_moved_write(fraud_engine_moved(r->engine), columns, err));
    if (r->unscorable + r->not_finite)
        printf("%llu payments cannot be scored, %llu scores are not finite\n",
               (unsigned long long)r->unscorable, (unsigned long long)r->not_finite);
    printf("%llu payments scored, %llu lines refused, %llu labels without their payment, state "
           "%016llx\n",
           (unsigned long long)r->n, (unsigned long long)r->bad, (unsigned long long)r->late_labels,
           (unsigned long long)fraud_engine_digest(r->engine));
    replay_tell(r);
    replay_outside(r->engine);
    replay_name_model(r);
    return R1_OK;
}

int fraud_command_replay(r1_cli_call *call)
{
    replay *r = calloc(1, sizeof *r);
    if (!r) return R1_EXIT_FAILED;
    r->batch = (size_t)r1_options_int(call->opts, "batch");
    r1_status st = replay_all(r, call->opts, &call->err);
    r1_err late; /* after a failure, what closing says is of no interest */
    if (st != R1_OK) r1_vectors_close(&r->keys, &late);
    if (r->out) fclose(r->out);
    fraud_messages_close(r->in);
    if (r->labels) fclose(r->labels);
    bool partial = r->bad + r->bad_labels + r->unscorable + r->not_finite > 0;
    fraud_engine_free(r->engine);
    fraud_map_free(r->map);
    fraud_gate_end(&r->gate);
    free(r);
    return st != R1_OK ? r1_cli_exit(st) : partial ? R1_EXIT_PARTIAL : R1_EXIT_OK;
}
