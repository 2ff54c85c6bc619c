/* SPDX-License-Identifier: Apache-2.0 */
/* key_data.c - key-data extraction from generated financial reports (financial_report.h) for
 * CAWA and its controls: the value and the unit of a metric in a period, of the group or of a
 * segment. Trained on texts of up to 800 tokens, asked in reports of 500, 2,000, 5,000 and
 * 15,000.
 *
 *     key_data TABLE.csv SEED[-SEED] [ARM[,ARM...]]
 *     key_data --show SEED TOKENS          prints one report with its questions and answers
 *
 * Each arm and seed that TABLE.csv lacks is trained and tested, and adds one row to it: a cut
 * loses the run in hand.
 *
 * The model is the trunk of trunk.h over embedded tokens joined with the five tokens before each
 * and with the scope and unit that its section's head names; no other sign of position. An
 * answer is the value, and the unit, whose embedding lies nearest to what the question's row
 * says: the table of tokens is the head. Arms differ in what adapts the scores; the width of the
 * feed-forward part makes their parameters equal.
 *
 * right_L: share of questions whose value and unit are right. restated_L, noisy_L, distracted_L:
 * the same of questions that are hard in that way (financial_report.h); easy_L: in none.
 * scaled_L: right_L of the same weights with the queries times one constant at test time, chosen
 * for each length on reports of their own (scale_L). */
#include "experiments/arm_table.h"
#include "experiments/financial_report.h"
#include "experiments/trunk.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    D = 64,
    SHIFT = 6, /* a token and those before it */
    SCOPE = SHIFT,
    UNIT,
    COLUMNS, /* of a row: each has an embedding */
    WIDE = COLUMNS * D,
    LEAST = 60, /* tokens of a text in training */
    MOST = 800,
    USUAL = 650,   /* where the length factor begins at 1 */
    TOKENS = 1000, /* of a step: reports are added until there are as many */
    STEPS = 600,
    LENGTHS = 4,
    SORTS = 5 /* of questions */
};
static const int32_t lengths[LENGTHS] = {500, 2000, 5000, 15000}, reports[LENGTHS] = {48, 6, 4, 2};
static const float scales[] = {1, 1.3f, 1.7f, 2.2f};
static const char *const sorts[SORTS] = {"right", "restated", "noisy", "distracted", "easy"};
static const float alike =
    1.8f; /* where queries and keys begin, as a multiple of the trunk's own */
static const double rate = 3e-3; /* of learning: one for all arms, tuned for none */

static const struct {
    trunk_arm arm;
    float beta;
} arms[] = {{{.name = "plain"}, 0},
            {{.name = "length", .length = true}, 0},
            {{.name = "context", .context = true}, 0.5f},
            {{.name = "both", .length = true, .context = true}, 0.5f},
            {{.name = "both_3", .length = true, .context = true}, 0.3f},
            {{.name = "low_rank", .low_rank = true}, 0.5f},
            {{.name = "gate", .gate = true}, 0}};

/* ---- a batch ---- */

enum { SEQ_MAX = 32, ROWS_MAX = REPORT_TOKENS_MAX, ASKED_MAX = SEQ_MAX * REPORT_QUESTIONS_MAX };

typedef struct {
    int32_t n_seq, n_row, n_asked;
    int32_t off[SEQ_MAX + 1];
    int32_t seen
        [COLUMNS]
        [ROWS_MAX]; /* the token, the one before it...; scope and unit of the section; -1: none */
    int32_t count[ROWS_MAX]; /* visible keys */
    int32_t asked[ASKED_MAX], each[ASKED_MAX + 1], value[ASKED_MAX], unit[ASKED_MAX];
    uint32_t hard[ASKED_MAX];
} batch;

static void key_data_batch_clear(batch *b) { b->n_seq = b->n_row = b->n_asked = 0; }

/* The report's i-th token, those before it, and what the head in force says; returns the row. */
static int32_t key_data_add_row(batch *b, const report *r, int32_t i, const int32_t *head)
{
    int32_t row = b->n_row++;
    for (int32_t k = 0; k < SHIFT; k++) b->seen[k][row] = i >= k ? r->token[i - k] : -1;
    for (int32_t k = SCOPE; k < COLUMNS; k++) b->seen[k][row] = head[k - SCOPE];
    b->count[row] = b->n_row - b->off[b->n_seq];
    return row;
}

/* A section's tokens. Heads are the only place of scopes, and of units. */
static void key_data_add_text(batch *b, const report *r, int32_t n)
{
    int32_t head[2] = {-1, -1};
    for (int32_t i = 0; i < n; i++) {
        int32_t t = r->token[i];
        if (t >= REPORT_SCOPE && t < REPORT_KIND)
            head[0] = t;
        else if (t >= REPORT_UNIT && t < REPORT_METRIC)
            head[1] = t;
        else if (t >= REPORT_KIND && t < REPORT_STOP)
            head[0] = head[1] = -1;
        key_data_add_row(b, r, i, head);
    }
}

/* Of a question only the last token becomes a row: it sees the others, and its scope as a
 * figure's row does. */
static void key_data_batch_add(batch *b, const report *r)
{
    key_data_add_text(b, r, r->n_token - r->n_question * REPORT_QUESTION);
    for (int32_t q = 0; q < r->n_question; q++) {
        int32_t at = b->n_asked++, head[2] = {REPORT_SCOPE + r->question[q].scope, -1};
        b->asked[at] = key_data_add_row(b, r, r->question[q].at, head);
        b->value[at] = r->question[q].value;
        b->unit[at] = r->question[q].unit;
        b->hard[at] = r->question[q].hard;
        b->each[at + 1] = at + 1;
    }
    b->off[++b->n_seq] = b->n_row;
}

/* ---- the model ---- */

typedef struct {
    tape t;
    trunk trunk;
    tape_tensor table, norm;
    tape_layer join;
    int32_t first[2]; /* the table's rows */
} model;

typedef struct {
    tape_tensor value, unit; /* logits of the asked rows */
} answers;

/* Queries and keys begin alike, and what is read of a row is written as it stands there: a
 * question looks at rows with the same words before the task has taught it to. */
static void begin_alike(trunk *k)
{
    for (int i = 0; i < TRUNK_LAYERS; i++) {
        float *q = k->block[i].qkv.w.v.p, *key = q + D * D, *value = key + D * D,
              *out = k->block[i].out.w.v.p;
        for (int c = 0; c < D * D; c++) {
            key[c] = q[c] *= alike;
            out[c] = value[c % D * D + c / D];
        }
    }
}

/* Rows of the table that stand for n tokens from `token` on (the first row is that of no token). */
static tape_tensor key_data_rows_of(tape_tensor table, int32_t token, int32_t n)
{
    size_t skip = (size_t)(1 + token) * (size_t)table.v.ld;
    table.v.p = (float *)table.v.p + skip;
    table.g.p = (float *)table.g.p + skip;
    table.v.rows = table.g.rows = n;
    return table;
}

static void key_data_model_open(model *m, const trunk_arm *arm, float beta, uint64_t seed)
{
    r1_rng rng;
    r1_rng_seed(&rng, seed);
    *m = (model){.first = {0, REPORT_TOKENS + 2}};
    tape_open(&m->t, (size_t)ROWS_MAX * (WIDE + 40 * D));
    m->table = tape_parameter(&m->t, &rng, m->first[1], D, 0.1, 0);
    m->join = tape_layer_open(&m->t, &rng, WIDE, D, 2);
    trunk_open(&m->trunk, &m->t, &rng, arm, D, beta, USUAL);
    begin_alike(&m->trunk);
    m->norm = tape_parameter(&m->t, &rng, 1, D, 0, 1);
}

static tape_tensor key_data_embedded(model *m, const batch *in)
{
    tape_tensor x = tape_matrix(&m->t, in->n_row, WIDE);
    for (int32_t k = 0; k < COLUMNS; k++) {
        tape_tensor embed[] = {[R1_EMBED_ID] = tape_ints(in->seen[k], in->n_row, 1),
                               [R1_EMBED_TABLE] = m->table,
                               [R1_EMBED_FIRST] = tape_ints(m->first, 1, 2),
                               [R1_EMBED_Y] = tape_columns(x, k * D, D)};
        tape_run(&m->t, R1_OP_EMBED, embed, R1_COUNT(embed), NULL, NULL);
    }
    return tape_add(&m->t, tape_columns(x, 0, D), tape_apply(&m->t, &m->join, x));
}

static answers key_data_forward(model *m, const batch *in, bool train)
{
    tape *t = &m->t;
    tape_tensor none = {0};
    tape_begin(t, train);
    tape_tensor h = trunk_run(&m->trunk, key_data_embedded(m, in), in->off, in->n_seq, in->count);
    tape_tensor asked = tape_matrix(t, in->n_asked, D), last = tape_matrix(t, in->n_asked, D);
    tape_tensor rows[] = {[R1_SEG_MEAN_X] = h,
                          [R1_SEG_MEAN_INDEX] = tape_ints(in->asked, 1, in->n_asked),
                          [R1_SEG_MEAN_OFF] = tape_ints(in->each, 1, in->n_asked + 1),
                          [R1_SEG_MEAN_Y] = asked};
    tape_run(t, R1_OP_SEG_MEAN, rows, R1_COUNT(rows), NULL, NULL);
    tape_norm(t, asked, m->norm, last);
    return (answers){
        tape_linear(t, last, key_data_rows_of(m->table, REPORT_VALUE, REPORT_VALUES), none),
        tape_linear(t, last, key_data_rows_of(m->table, REPORT_UNIT, REPORT_UNITS), none)};
}

/* ---- one run ---- */

typedef struct {
    double loss, share[SORTS][LENGTHS], scaled[LENGTHS], seconds;
    float scale[LENGTHS];
    size_t n_parameter;
} result;

/* The curriculum: figures without filler words and few of them at first; from `grown` 1 on all
 * lengths of training and the usual prose. */
static void add_lesson(batch *b, report *r, r1_rng *rng, double done)
{
    double grown = fmin(fmax((done - 0.25) / 0.5, 0), 1);
    int32_t text = LEAST + (int32_t)((0.1 + 0.9 * grown) * (MOST - LEAST) * r1_rng_unit(rng)),
            asked = text / 8;
    report_write(r, rng, text + asked * REPORT_QUESTION, asked, grown);
    key_data_batch_add(b, r);
}

/* Returns the mean loss of the last 50 steps. */
static double key_data_train(model *m, batch *b, report *r, uint64_t seed)
{
    r1_rng rng;
    double late = 0;
    r1_rng_seed(&rng, seed + 100000);
    for (int step = 0; step < STEPS; step++) {
        key_data_batch_clear(b);
        while (b->n_row < TOKENS && b->n_seq < SEQ_MAX)
            add_lesson(b, r, &rng, (double)step / STEPS);
        answers a = key_data_forward(m, b, true);
        double of_unit = tape_cross_entropy(&a.unit, b->unit),
               loss = tape_cross_entropy(&a.value, b->value) + of_unit;
        tape_backward(&m->t);
        tape_adamw(&m->t, trunk_rate(rate, step, STEPS), 0.01);
        if (step >= STEPS - 50) late += loss / 50;
        if (step % 100 == 99)
            fprintf(stderr, "step %d loss %.4f, of the unit %.4f\n", step + 1, loss, of_unit);
    }
    return late;
}

static void count_answers(const batch *b, const answers *a, int32_t *right, int32_t *all)
{
    for (int32_t q = 0; q < b->n_asked; q++) {
        bool good =
            tape_largest(&a->value, q) == b->value[q] && tape_largest(&a->unit, q) == b->unit[q];
        const bool in[SORTS] = {true, b->hard[q] & REPORT_IS_RESTATED, b->hard[q] & REPORT_IS_NOISY,
                                b->hard[q] & REPORT_IS_DISTRACTED, b->hard[q] == 0};
        for (int s = 0; s < SORTS; s++) right[s] += in[s] && good, all[s] += in[s];
    }
}

/* Shares of right answers by sort of question, the same reports for every arm of a seed. */
static void key_data_examine(model *m, batch *b, report *r, uint64_t seed, int32_t n_token,
                             int32_t n_report, double *share)
{
    r1_rng rng;
    int32_t right[SORTS] = {0}, all[SORTS] = {0};
    r1_rng_seed(&rng, seed);
    for (int32_t i = 0; i < n_report; i++) {
        key_data_batch_clear(b);
        report_write(r, &rng, n_token, n_token < 2000 ? 16 : REPORT_QUESTIONS_MAX, 1);
        key_data_batch_add(b, r);
        answers a = key_data_forward(m, b, false);
        count_answers(b, &a, right, all);
    }
    for (int s = 0; s < SORTS; s++) share[s] = all[s] ? (double)right[s] / all[s] : 0;
}

static void key_data_test(model *m, batch *b, report *r, uint64_t seed, result *to)
{
    for (int i = 0; i < LENGTHS; i++) {
        double best = -1, share[SORTS];
        uint64_t at = seed * 100 + (uint64_t)i;
        for (size_t k = 0; k < R1_COUNT(scales); k++) {
            m->trunk.scale = scales[k];
            key_data_examine(m, b, r, at + 1000000, lengths[i], lengths[i] < 2000 ? 12 : 1, share);
            if (share[0] > best) best = share[0], to->scale[i] = scales[k];
        }
        m->trunk.scale = to->scale[i];
        key_data_examine(m, b, r, at + 2000000, lengths[i], reports[i], share);
        to->scaled[i] = share[0];
        m->trunk.scale = 1;
        if (to->scale[i] != 1)
            key_data_examine(m, b, r, at + 2000000, lengths[i], reports[i], share);
        for (int s = 0; s < SORTS; s++) to->share[s][i] = share[s];
    }
}

static void key_data_run(size_t arm, uint64_t seed, result *to)
{
    static model m;
    static batch b;
    static report r;
    clock_t began = clock();
    if (!report_open(&r)) exit(1);
    key_data_model_open(&m, &arms[arm].arm, arms[arm].beta, seed);
    to->n_parameter = tape_scalars(&m.t);
    to->loss = key_data_train(&m, &b, &r, seed);
    double trained = (double)(clock() - began) / CLOCKS_PER_SEC;
    key_data_test(&m, &b, &r, seed, to);
    tape_close(&m.t);
    report_close(&r);
    to->seconds = (double)(clock() - began) / CLOCKS_PER_SEC;
    fprintf(stderr, "trained in %.0f of %.0f processor seconds\n", trained, to->seconds);
}

/* ---- the table ---- */

static bool key_data_append(const char *path, const char *arm, uint64_t seed, const result *r)
{
    FILE *f = fopen(path, "ae");
    if (!f) return false;
    if (ftell(f) == 0) {
        fprintf(f, "arm,seed,parameters,loss");
        for (int i = 0; i < LENGTHS; i++) {
            for (int s = 0; s < SORTS; s++) fprintf(f, ",%s_%d", sorts[s], lengths[i]);
            fprintf(f, ",scaled_%d,scale_%d", lengths[i], lengths[i]);
        }
        fprintf(f, ",seconds\n");
    }
    fprintf(f, "%s,%llu,%zu,%.5f", arm, (unsigned long long)seed, r->n_parameter, r->loss);
    for (int i = 0; i < LENGTHS; i++) {
        for (int s = 0; s < SORTS; s++) fprintf(f, ",%.5f", r->share[s][i]);
        fprintf(f, ",%.5f,%g", r->scaled[i], (double)r->scale[i]);
    }
    fprintf(f, ",%.1f\n", r->seconds);
    return fclose(f) == 0;
}

static int key_data_show(const char *seed, const char *tokens)
{
    static report r;
    r1_rng rng;
    long n = strtol(tokens, NULL, 10);
    if (n < 300 || n > REPORT_TOKENS_MAX || !report_open(&r)) {
        fprintf(stderr, "key_data: %s tokens: expected 300 to %d\n", tokens, REPORT_TOKENS_MAX);
        return 2;
    }
    r1_rng_seed(&rng, strtoull(seed, NULL, 10));
    report_write(&r, &rng, (int32_t)n, 16, 1);
    report_print(&r, stdout);
    report_close(&r);
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t first, last;
    if (argc == 4 && strcmp(argv[1], "--show") == 0) return key_data_show(argv[2], argv[3]);
    if (argc < 3 || argc > 4 || !arm_seeds(argv[2], &first, &last)) {
        fprintf(stderr,
                "usage: key_data TABLE.csv SEED[-SEED] [ARM[,ARM...]] | --show SEED TOKENS\n");
        return 2;
    }
    for (uint64_t seed = first; seed <= last; seed++)
        for (size_t i = 0; i < R1_COUNT(arms); i++) {
            const char *name = arms[i].arm.name;
            result r;
            if (!arm_named(argc > 3 ? argv[3] : NULL, name) ||
                arm_finished(argv[1], name, seed, NULL))
                continue;
            key_data_run(i, seed, &r);
            if (!key_data_append(argv[1], name, seed, &r)) {
                fprintf(stderr, "key_data: %s: cannot be written\n", argv[1]);
                return 1;
            }
            fprintf(stderr, "%s seed %llu: %.3f %.3f %.3f %.3f in %.0f processor seconds\n", name,
                    (unsigned long long)seed, r.share[0][0], r.share[0][1], r.share[0][2],
                    r.share[0][3], r.seconds);
        }
    return 0;
}
