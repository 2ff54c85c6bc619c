/* SPDX-License-Identifier: Apache-2.0 */
/* associative_recall.c - multi-query associative recall (Arora et al. 2023, "Zoology") for CAWA
 * and its controls: a sequence of pairs of a key and a value, then keys whose values are asked.
 * Trained at 8 to 32 pairs, asked at 32, 128, 512 and 2,048.
 *
 *     associative_recall TABLE.csv SEED[-SEED] [ARM[,ARM...]] [LR]
 *
 * Each arm and seed that TABLE.csv lacks is trained and tested, and adds one row to it: a cut
 * loses the run in hand. LR is for a look at another learning rate than the one that all arms
 * have.
 *
 * The model is the trunk of core/model/build.c, twice, over embedded tokens joined with the
 * token before each (no other sign of position). Arms differ in what adapts the scores; the
 * width of the feed-forward part makes their parameters equal.
 *
 * `scaled_N` is the same model with its queries times one constant at test time, chosen for each
 * length on sequences of their own. */
#include "experiments/arm_table.h"
#include "experiments/trunk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    N_KEY = 4096,
    N_VALUE = 256,
    D = 32,
    PAIRS_LOW = 8,
    PAIRS_HIGH = 32,
    ASKED = 16, /* in training; at most as many in a sequence as it has pairs */
    BATCH = 32,
    STEPS = 800,
    LENGTHS = 4
};
static const int32_t lengths[LENGTHS] = {32, 128, 512, 2048};
static const float beta = 0.5f, scales[] = {1, 1.25f, 1.5f, 1.8f, 2.2f, 2.7f};

static const double rate = 3e-3; /* of learning: one for all arms, tuned for none */
static const trunk_arm arms[] = {{.name = "plain"},
                                 {.name = "gate", .gate = true},
                                 {.name = "length", .length = true},
                                 {.name = "context", .context = true},
                                 {.name = "both", .length = true, .context = true},
                                 {.name = "low_rank", .low_rank = true},
                                 {.name = "length_low_rank", .length = true, .low_rank = true}};

/* ---- sequences ---- */

typedef struct {
    int32_t n_seq, n_row, n_asked;
    int32_t *off;                     /* [n_seq + 1] */
    int32_t *token;                   /* [n_row] */
    int32_t *before;                  /* [n_row]: the token before; -1 at a sequence's start */
    int32_t *count;                   /* [n_row]: visible keys */
    int32_t *asked;                   /* [n_asked]: rows */
    int32_t *answer;                  /* [n_asked] */
    int32_t *each;                    /* [n_asked + 1]: 0, 1, 2... */
    int32_t key[N_KEY], value[N_KEY]; /* the deck that keys are drawn from */
} batch;

enum { ROWS_MAX = BATCH * (2 * PAIRS_HIGH + ASKED) + 2 * 2048 + 64, ASKED_MAX = BATCH * 32 };

static void batch_open(batch *b)
{
    *b = (batch){.off = calloc(BATCH + 1, sizeof(int32_t)),
                 .token = calloc(ROWS_MAX, sizeof(int32_t)),
                 .before = calloc(ROWS_MAX, sizeof(int32_t)),
                 .count = calloc(ROWS_MAX, sizeof(int32_t)),
                 .asked = calloc(ASKED_MAX, sizeof(int32_t)),
                 .answer = calloc(ASKED_MAX, sizeof(int32_t)),
                 .each = calloc(ASKED_MAX + 1, sizeof(int32_t))};
    for (int32_t i = 0; b->each && i <= ASKED_MAX; i++) b->each[i] = i;
    if (!b->off || !b->token || !b->before || !b->count || !b->asked || !b->answer || !b->each)
        exit(1);
}

static void batch_close(batch *b)
{
    int32_t *const all[] = {b->off, b->token, b->before, b->count, b->asked, b->answer, b->each};
    for (size_t i = 0; i < R1_COUNT(all); i++) free(all[i]);
}

static void associative_recall_add_row(batch *b, int32_t token)
{
    int32_t at = b->n_row++, start = b->off[b->n_seq];
    b->token[at] = token;
    b->before[at] = at > start ? b->token[at - 1] : -1;
    b->count[at] = at - start + 1;
}

/* Keys differ within a sequence, values need not; those asked differ. */
static void add_sequence(batch *b, r1_rng *rng, int32_t pairs, int32_t asked)
{
    int32_t *key = b->key, *value = b->value;
    for (int32_t i = 0; i < pairs; i++) {
        int32_t k = i + (int32_t)r1_rng_below(rng, (uint64_t)(N_KEY - i)), t = key[i];
        key[i] = key[k], key[k] = t;
        value[i] = (int32_t)r1_rng_below(rng, N_VALUE);
        associative_recall_add_row(b, key[i]);
        associative_recall_add_row(b, N_KEY + value[i]);
    }
    for (int32_t i = 0; i < asked; i++) { /* the first ones after another draw */
        int32_t k = i + (int32_t)r1_rng_below(rng, (uint64_t)(pairs - i)), t = key[i], u = value[i];
        key[i] = key[k], key[k] = t;
        value[i] = value[k], value[k] = u;
        b->asked[b->n_asked] = b->n_row;
        b->answer[b->n_asked++] = value[i];
        associative_recall_add_row(b, key[i]);
    }
    b->off[++b->n_seq] = b->n_row;
}

static void associative_recall_batch_clear(batch *b) { b->n_seq = b->n_row = b->n_asked = 0; }

/* A fresh deck: what follows depends on its own seed alone. */
static void batch_restart(batch *b)
{
    for (int32_t i = 0; i < N_KEY; i++) b->key[i] = i;
}

/* ---- the model ---- */

typedef struct {
    tape t;
    trunk trunk;
    tape_tensor table, norm;
    tape_layer join, head;
    int32_t first[2]; /* the table's rows */
} model;

static void associative_recall_model_open(model *m, const trunk_arm *arm, uint64_t seed)
{
    r1_rng rng;
    r1_rng_seed(&rng, seed);
    *m = (model){.first = {0, N_KEY + N_VALUE + 2}};
    tape_open(&m->t, (size_t)ROWS_MAX * D * 48);
    m->table = tape_parameter(&m->t, &rng, m->first[1], D, 0.3, 0);
    m->join = tape_layer_open(&m->t, &rng, 2 * D, D, 1);
    trunk_open(&m->trunk, &m->t, &rng, arm, D, beta, PAIRS_LOW + PAIRS_HIGH + ASKED / 2);
    m->norm = tape_parameter(&m->t, &rng, 1, D, 0, 1);
    m->head = tape_layer_open(&m->t, &rng, D, N_VALUE, 1);
}

/* Logits of the asked rows, [n_asked][N_VALUE]. */
static tape_tensor associative_recall_forward(model *m, const batch *in, bool train)
{
    tape *t = &m->t;
    tape_begin(t, train);
    tape_tensor pair = tape_matrix(t, in->n_row, 2 * D);
    for (int32_t k = 0; k < 2; k++) {
        tape_tensor embed[] = {[R1_EMBED_ID] = tape_ints(k ? in->before : in->token, in->n_row, 1),
                               [R1_EMBED_TABLE] = m->table,
                               [R1_EMBED_FIRST] = tape_ints(m->first, 1, 2),
                               [R1_EMBED_Y] = tape_columns(pair, k * D, D)};
        tape_run(t, R1_OP_EMBED, embed, R1_COUNT(embed), NULL, NULL);
    }
    tape_tensor h =
        trunk_run(&m->trunk, tape_apply(t, &m->join, pair), in->off, in->n_seq, in->count);
    tape_tensor asked = tape_matrix(t, in->n_asked, D), last = tape_matrix(t, in->n_asked, D);
    tape_tensor rows[] = {[R1_SEG_MEAN_X] = h,
                          [R1_SEG_MEAN_INDEX] = tape_ints(in->asked, 1, in->n_asked),
                          [R1_SEG_MEAN_OFF] = tape_ints(in->each, 1, in->n_asked + 1),
                          [R1_SEG_MEAN_Y] = asked};
    tape_run(t, R1_OP_SEG_MEAN, rows, R1_COUNT(rows), NULL, NULL);
    tape_norm(t, asked, m->norm, last);
    return tape_apply(t, &m->head, last);
}

static int32_t right_of(const batch *in, const tape_tensor *y)
{
    int32_t right = 0;
    for (int32_t r = 0; r < in->n_asked; r++) right += tape_largest(y, r) == in->answer[r];
    return right;
}

/* ---- one run ---- */

/* Returns the mean loss of the last 50 steps. */
static double associative_recall_train(model *m, batch *b, uint64_t seed, double lr)
{
    r1_rng rng;
    double late = 0;
    r1_rng_seed(&rng, seed + 100000);
    batch_restart(b);
    for (int step = 0; step < STEPS; step++) {
        associative_recall_batch_clear(b);
        for (int i = 0; i < BATCH; i++) {
            int32_t pairs = PAIRS_LOW + (int32_t)r1_rng_below(&rng, PAIRS_HIGH - PAIRS_LOW + 1);
            add_sequence(b, &rng, pairs, pairs < ASKED ? pairs : ASKED);
        }
        tape_tensor y = associative_recall_forward(m, b, true);
        double loss = tape_cross_entropy(&y, b->answer);
        tape_backward(&m->t);
        tape_adamw(&m->t, trunk_rate(lr, step, STEPS), 0.01);
        if (step >= STEPS - 50) late += loss / 50;
        if (step % 100 == 99) fprintf(stderr, "step %d loss %.4f\n", step + 1, loss);
    }
    return late;
}

/* Share of right answers: sequences of `pairs` pairs with 32 asked keys each, the same for every
 * arm of a seed. */
static double associative_recall_accuracy(model *m, batch *b, uint64_t seed, int32_t pairs,
                                          int n_seq)
{
    r1_rng rng;
    int32_t right = 0, all = 0;
    r1_rng_seed(&rng, seed);
    batch_restart(b);
    for (int done = 0; done < n_seq;) {
        associative_recall_batch_clear(b);
        while (done < n_seq && b->n_seq < BATCH && b->n_row + 2 * pairs + 32 <= 2 * 2048 + 32) {
            add_sequence(b, &rng, pairs, 32);
            done++;
        }
        tape_tensor y = associative_recall_forward(m, b, false);
        right += right_of(b, &y);
        all += b->n_asked;
    }
    return (double)right / all;
}

typedef struct {
    double loss, as_is[LENGTHS], scaled[LENGTHS], seconds;
    float scale[LENGTHS];
    size_t n_parameter;
} result;

static void associative_recall_test(model *m, batch *b, uint64_t seed, result *r)
{
    for (int i = 0; i < LENGTHS; i++) {
        int n_seq = lengths[i] < 2048 ? 64 : 32;
        double best = -1;
        uint64_t at = seed * 100 + (uint64_t)i;
        for (size_t k = 0; k < R1_COUNT(scales); k++) {
            m->trunk.scale = scales[k];
            double found = associative_recall_accuracy(m, b, at + 1000000, lengths[i], n_seq / 8);
            if (found > best) best = found, r->scale[i] = scales[k];
        }
        m->trunk.scale = r->scale[i];
        r->scaled[i] = associative_recall_accuracy(m, b, at + 2000000, lengths[i], n_seq);
        m->trunk.scale = 1;
        r->as_is[i] = r->scale[i] == 1
                          ? r->scaled[i]
                          : associative_recall_accuracy(m, b, at + 2000000, lengths[i], n_seq);
    }
}

static void associative_recall_run(const trunk_arm *arm, uint64_t seed, double lr, result *r)
{
    static model m;
    batch b;
    clock_t began = clock();
    batch_open(&b);
    associative_recall_model_open(&m, arm, seed);
    r->n_parameter = tape_scalars(&m.t);
    r->loss = associative_recall_train(&m, &b, seed, lr);
    associative_recall_test(&m, &b, seed, r);
    tape_close(&m.t);
    batch_close(&b);
    r->seconds = (double)(clock() - began) / CLOCKS_PER_SEC;
}

/* ---- the table ---- */

static bool associative_recall_append(const char *path, const trunk_arm *arm, uint64_t seed,
                                      double lr, const result *r)
{
    FILE *f = fopen(path, "ae");
    if (!f) return false;
    if (ftell(f) == 0) {
        fprintf(f, "arm,seed,lr,parameters,loss");
        for (int i = 0; i < LENGTHS; i++)
            fprintf(f, ",right_%d,scaled_%d,scale_%d", lengths[i], lengths[i], lengths[i]);
        fprintf(f, ",seconds\n");
    }
    fprintf(f, "%s,%llu,%g,%zu,%.5f", arm->name, (unsigned long long)seed, lr, r->n_parameter,
            r->loss);
    for (int i = 0; i < LENGTHS; i++)
        fprintf(f, ",%.5f,%.5f,%g", r->as_is[i], r->scaled[i], (double)r->scale[i]);
    fprintf(f, ",%.1f\n", r->seconds);
    return fclose(f) == 0;
}

int main(int argc, char **argv)
{
    uint64_t first, last;
    if (argc < 3 || argc > 5 || !arm_seeds(argv[2], &first, &last)) {
        fprintf(stderr, "usage: associative_recall TABLE.csv SEED[-SEED] [ARM[,ARM...]] [LR]\n");
        return 2;
    }
    for (uint64_t seed = first; seed <= last; seed++)
        for (size_t i = 0; i < R1_COUNT(arms); i++) {
            double lr = argc > 4 ? strtod(argv[4], NULL) : rate;
            result r;
            if (!arm_named(argc > 3 ? argv[3] : NULL, arms[i].name) ||
                arm_finished(argv[1], arms[i].name, seed, &lr))
                continue;
            associative_recall_run(&arms[i], seed, lr, &r);
            if (!associative_recall_append(argv[1], &arms[i], seed, lr, &r)) {
                fprintf(stderr, "associative_recall: %s: cannot be written\n", argv[1]);
                return 1;
            }
            fprintf(stderr, "%s seed %llu: %.3f %.3f %.3f %.3f in %.0f processor seconds\n",
                    arms[i].name, (unsigned long long)seed, r.as_is[0], r.as_is[1], r.as_is[2],
                    r.as_is[3], r.seconds);
        }
    return 0;
}
