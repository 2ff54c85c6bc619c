/* SPDX-License-Identifier: Apache-2.0 */
/* test_reinforce.c - the reinforce stage against twins: advantages and losses by their
 * definitions, gradients by finite differences, exact values of mazes by enumeration of decision
 * trees and worlds, traces by the rules they must obey; then runs that learn a small maze,
 * resume to the bit and refuse what is wrong. */
#include "core/runs.h"
#include "r1_reinforce.h"
#include "r1_session.h"
#include "support/maze.h"
#include "support/r1_test.h"
#include "train/contrast.h"
#include "train/curriculum.h"
#include "train/rollout.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- advantages and loss --------------------------------------------------------------------- */

/* Mean and deviation as they are defined, over pairs: the variance is half the mean squared
 * difference. */
static void test_advantages(void)
{
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    for (int round = 0; round < 200; round++) {
        enum { GROUPS = 3 };
        size_t size = 2 + r1_rng_below(&rng, 7);
        double reward[GROUPS * 8], grpo[GROUPS * 8], plain[GROUPS * 8];
        for (size_t i = 0; i < GROUPS * size; i++)
            reward[i] =
                i / size == 1 ? 0.25 : (double)r1_rng_below(&rng, 2) - 0.1 * r1_rng_unit(&rng);
        r1_advantages(R1_POLICY_GRPO, reward, GROUPS, size, grpo);
        r1_advantages(R1_POLICY_DR_GRPO, reward, GROUPS, size, plain);
        for (size_t g = 0; g < GROUPS; g++) {
            const double *r = reward + g * size;
            double pairs = 0;
            for (size_t i = 0; i < size; i++)
                for (size_t j = 0; j < size; j++) pairs += (r[i] - r[j]) * (r[i] - r[j]);
            double deviation = sqrt(pairs / 2 / (double)(size * size));
            for (size_t i = 0; i < size; i++) {
                double above = 0;
                for (size_t j = 0; j < size; j++) above += (r[i] - r[j]) / (double)size;
                CU_ASSERT_DOUBLE_EQUAL(plain[g * size + i], above, 1e-12);
                CU_ASSERT_DOUBLE_EQUAL(grpo[g * size + i], above / (deviation + 1e-4), 1e-9);
            }
        }
    }
    /* GRPO: every trace weighs the same whatever its length; the variant: every decision does */
    CU_ASSERT_DOUBLE_EQUAL(5 * r1_decision_weight(R1_POLICY_GRPO, 10, 5, 9),
                           r1_decision_weight(R1_POLICY_GRPO, 10, 1, 9), 1e-15);
    CU_ASSERT_DOUBLE_EQUAL(r1_decision_weight(R1_POLICY_DR_GRPO, 10, 5, 9), 1.0 / 90, 1e-15);
}

enum { ACTIONS = 6, ROWS = 5, DECISIONS = 9, STRIDE = 8 };

typedef struct {
    r1_policy_terms terms;
    r1_decision d[DECISIONS];
    float logits[ROWS * STRIDE];
} problem;

static void random_problem(problem *p, r1_rng *rng)
{
    p->terms = (r1_policy_terms){0.1 + 0.3 * r1_rng_unit(rng), r1_rng_unit(rng), r1_rng_unit(rng)};
    for (int i = 0; i < ROWS * STRIDE; i++) p->logits[i] = (float)r1_rng_normal(rng);
    for (int i = 0; i < DECISIONS; i++) {
        r1_decision *d = &p->d[i];
        d->row = r1_rng_below(rng, ROWS);
        d->action = (uint32_t)r1_rng_below(rng, ACTIONS);
        d->permitted = r1_rng_below(rng, 1 << ACTIONS) | 1u << d->action;
        d->old_log = -0.2 - 2 * r1_rng_unit(rng);
        d->ref_log = -0.2 - 2 * r1_rng_unit(rng);
        d->advantage = r1_rng_normal(rng);
        d->weight = 0.1 + r1_rng_unit(rng);
    }
}

/* The objective as the papers write it, one decision at a time, from probabilities. nearest: how
 * close a ratio lies to a bound. */
static double plain_loss(const problem *p, const double *logits, double *nearest)
{
    double loss = 0;
    for (int i = 0; i < DECISIONS; i++) {
        const r1_decision *d = &p->d[i];
        double sum = 0, entropy = 0, pi = 0;
        for (int a = 0; a < ACTIONS; a++)
            sum += d->permitted >> a & 1 ? exp(logits[d->row * STRIDE + (size_t)a]) : 0;
        for (int a = 0; a < ACTIONS; a++) {
            double q = d->permitted >> a & 1 ? exp(logits[d->row * STRIDE + (size_t)a]) / sum : 0;
            if (q > 0) entropy -= q * log(q);
            if (a == (int)d->action) pi = q;
        }
        double ratio = pi / exp(d->old_log), against = exp(d->ref_log) / pi,
               low = 1 - p->terms.clip, high = 1 + p->terms.clip;
        double clipped = ratio < low ? low : ratio > high ? high : ratio;
        double gain = ratio * d->advantage < clipped * d->advantage ? ratio * d->advantage
                                                                    : clipped * d->advantage;
        loss -= d->weight *
                (gain - p->terms.kl * (against - log(against) - 1) + p->terms.entropy * entropy);
        *nearest = fmin(*nearest, fmin(fabs(ratio - low), fabs(ratio - high)));
    }
    return loss;
}

static void test_policy_loss(void)
{
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    int compared = 0, cut = 0;
    for (int round = 0; round < 300; round++) {
        problem p;
        double logits[ROWS * STRIDE], nearest = 1;
        float grad[ROWS * STRIDE] = {0};
        r1_policy_stats stats = {0};
        random_problem(&p, &rng);
        for (int i = 0; i < ROWS * STRIDE; i++) logits[i] = (double)p.logits[i];
        double loss =
            r1_policy_loss(&p.terms, p.d, DECISIONS, p.logits, STRIDE, ACTIONS, grad, &stats);
        CU_ASSERT_DOUBLE_EQUAL(loss, plain_loss(&p, logits, &nearest), 1e-9 * (1 + fabs(loss)));
        cut += stats.clipped > 0;
        if (nearest < 1e-4) continue; /* the loss has a corner there */
        for (int i = 0; i < ROWS * STRIDE; i++) {
            const double h = 1e-5;
            double x = logits[i], unused = 1;
            logits[i] = x + h;
            double up = plain_loss(&p, logits, &unused);
            logits[i] = x - h;
            double down = plain_loss(&p, logits, &unused);
            logits[i] = x;
            CU_ASSERT_DOUBLE_EQUAL((double)grad[i], (up - down) / (2 * h),
                                   2e-5 * (1 + fabs((double)grad[i])));
            compared++;
        }
    }
    CU_ASSERT(compared > 5000 && cut > 20);
}

/* ---- mazes against enumeration --------------------------------------------------------------- */

static double
n_tree(uint32_t
           /* decision trees over so many rooms that are not entered: say 0, say 1, or enter one */
           rooms)
{
    return rooms == 0 ? 2 : 2 + rooms * n_tree(rooms - 1) * n_tree(rooms - 1);
}

/* Reward of tree number `index` in one world: verdict y, a sign behind each door. -INFINITY
 * where it walks through a wall. */
static double reinforce_walk(const maze *m, uint64_t index, int y, uint32_t signs)
{
    uint32_t in = 0, left = m->n_room;
    double reward = 0;
    while (index >= 2) {
        uint64_t below = (uint64_t)n_tree(left - 1), each = below * below, k = (index - 2) / each,
                 rest = (index - 2) % each;
        uint32_t room = 0;
        while (in >> room & 1 || k-- > 0) room++;
        if (m->door[room] && !(m->door[room] & in)) return -INFINITY;
        reward -= m->cost[room];
        in |= 1u << room;
        left--;
        index = signs >> room & 1 ? rest / below : rest % below;
    }
    return reward + ((int)index == y);
}

static double reinforce_chance(const maze *m, uint32_t level, int y, int z, uint32_t signs)
{
    double p = 0.25;
    for (uint32_t i = 0; i < m->n_room; i++)
        p *= signs >> i & 1 ? m->p[level][i][y][z] : 1 - m->p[level][i][y][z];
    return p;
}

/* All decision trees in all worlds: the best one's value is what dynamic programming says. */
static void test_best(void)
{
    for (uint32_t n_room = 1; n_room <= 3; n_room++)
        for (uint64_t seed = 0; seed < 6; seed++) {
            maze m;
            double best = -INFINITY;
            uint32_t level = (uint32_t)seed % MAZE_LEVELS;
            maze_make(&m, n_room, r1_test_seed() + seed);
            for (uint64_t tree = 0; tree < (uint64_t)n_tree(n_room); tree++) {
                double value = 0;
                for (int y = 0; y < 2 && value > -INFINITY; y++)
                    for (int z = 0; z < 2; z++)
                        for (uint32_t signs = 0; signs < 1u << n_room; signs++)
                            value += reinforce_chance(&m, level, y, z, signs) *
                                     reinforce_walk(&m, tree, y, signs);
                best = fmax(best, value);
            }
            CU_ASSERT_DOUBLE_EQUAL(maze_best(&m, level, NULL), best, 1e-12);
        }
}

static uint32_t reinforce_code_of(const maze *m, uint32_t opened, uint32_t signs)
{
    uint32_t code = 0;
    for (uint32_t i = 0; i < m->n_room; i++)
        if (opened >> i & 1) code += (1 + (signs >> i & 1)) * m->power[i];
    return code;
}

/* Expected reward of a random policy in one world. */
static double reinforce_follow(const maze *m, const double *prob, int y, uint32_t opened,
                               uint32_t signs)
{
    uint32_t code = reinforce_code_of(m, opened, signs);
    double sum = 0;
    for (uint32_t a = 0; a < m->n_action; a++) {
        double p = prob[(size_t)code * m->n_action + a];
        if (p == 0) continue;
        sum += p * (a >= m->n_room
                        ? (int)(a - m->n_room) == y
                        : reinforce_follow(m, prob, y, opened | 1u << a, signs) - m->cost[a]);
    }
    return sum;
}

/* Values of random policies world by world; the best policy's own value; a subset's value never
 * above it. */
static void test_value(void)
{
    static double prob[MAZE_CODES_MAX * MAZE_ACTIONS_MAX];
    uint8_t act[MAZE_CODES_MAX];
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    for (uint32_t n_room = 1; n_room <= 5; n_room++) {
        maze m;
        double value = 0;
        maze_make(&m, n_room, r1_test_seed() + n_room);
        for (uint32_t code = 0; code < m.n_code; code++) {
            double *p = prob + (size_t)code * m.n_action, sum = 0;
            for (uint32_t a = 0; a < m.n_action; a++)
                sum += p[a] = maze_permitted(&m, code, a) ? r1_rng_unit(&rng) : 0;
            for (uint32_t a = 0; a < m.n_action; a++) p[a] /= sum;
        }
        for (int y = 0; y < 2; y++)
            for (int z = 0; z < 2; z++)
                for (uint32_t signs = 0; signs < 1u << n_room; signs++)
                    value += reinforce_chance(&m, 1, y, z, signs) *
                             reinforce_follow(&m, prob, y, 0, signs);
        CU_ASSERT_DOUBLE_EQUAL(maze_value(&m, 1, prob, NULL), value, 1e-12);
        double best = maze_best(&m, 1, act);
        CU_ASSERT(value <= best && maze_best_subset(&m, 1, NULL) <= best + 1e-12);
        memset(prob, 0, sizeof prob);
        for (uint32_t code = 0; code < m.n_code; code++)
            prob[(size_t)code * m.n_action + act[code]] = 1;
        CU_ASSERT_DOUBLE_EQUAL(maze_value(&m, 1, prob, NULL), best, 1e-12);
    }
}

/* ---- a small maze as shards ------------------------------------------------------------------ */

static maze m3;
static char train_path[300], valid_path[300];
static double costs[1 + MAZE_ROOMS_MAX];
static uint32_t doors[1 + MAZE_ROOMS_MAX];

static void write_maze(void)
{
    r1_err err;
    maze_make(&m3, 3, 7);
    snprintf(train_path, sizeof train_path, "%s/maze.r1s", r1_test_tmpdir());
    snprintf(valid_path, sizeof valid_path, "%s/maze_valid.r1s", r1_test_tmpdir());
    R1_ASSERT_OK(maze_write(&m3, train_path, 3000, 1, &err), &err);
    R1_ASSERT_OK(maze_write(&m3, valid_path, 500, 2, &err), &err);
    for (uint32_t i = 0; i < m3.n_room; i++) {
        costs[1 + i] = m3.cost[i];
        doors[1 + i] = m3.door[i] << 1;
    }
}

static r1_reinforce_opts reinforce_options(void)
{
    static const char *train[1], *valid[1];
    train[0] = train_path;
    valid[0] = valid_path;
    return (r1_reinforce_opts){.run = {.train = train,
                                       .n_train = 1,
                                       .valid = valid,
                                       .n_valid = 1,
                                       .valid_every = 10,
                                       .seed = 3},
                               .cost = costs,
                               .door = doors,
                               .given = 1,
                               .variant = R1_POLICY_DR_GRPO,
                               .n_step = 60,
                               .n_case = 16,
                               .n_group = 8,
                               .curriculum = "entrance.level:linear:0.5:0.5",
                               .kl = 0.01};
}

/* ---- traces ---------------------------------------------------------------------------------- */

static void check_trace(const r1_evidence_rules *rules, const r1_rollout *r,
                        const r1_data_rows *cases, uint32_t i)
{
    const r1_trace *t = &r->trace[i];
    uint32_t held = rules->given, n = 0;
    double cost = 0;
    for (size_t k = 0; k < r->n_decision;
         k++) { /* nodes come in the order of steps, so a trace's decisions do */
        const r1_decision *d = &r->decision[k];
        double p[R1_ACTIONS_MAX];
        if (d->trace != i) continue;
        CU_ASSERT(r->node[d->row].held == held && r->node[d->row].row == t->row);
        CU_ASSERT(d->permitted == r1_evidence_permitted(rules, held) &&
                  d->permitted >> d->action & 1);
        r1_policy_log(r->logits + d->row * r->n_action, r->n_action, d->permitted, p);
        CU_ASSERT_EQUAL(p[d->action], d->old_log);
        n++;
        if (d->action >= rules->n_item) {
            CU_ASSERT(n == t->n_decision && d->action - rules->n_item == t->verdict);
            continue;
        }
        CU_ASSERT(!rules->door[d->action] || (rules->door[d->action] & held));
        held |= 1u << d->action;
        cost += rules->cost[d->action];
    }
    CU_ASSERT(t->done && n == t->n_decision && held == t->held);
    CU_ASSERT_DOUBLE_EQUAL(t->reward, ((float)t->verdict == cases->sample[t->row].label[0]) - cost,
                           1e-12);
}

static void test_rollout(void)
{
    r1_err err;
    r1_data d;
    r1_model *m;
    r1_actor actor;
    r1_data_rows cases;
    r1_rollout r;
    r1_rng rng;
    char text[4096];
    const char *path = train_path;
    write_maze();
    maze_description(&m3, false, text, sizeof text);
    R1_ASSERT_OK(r1_data_open(&d, &path, 1, &err), &err);
    R1_ASSERT_OK(r1_model_new(&m, text, 5, &err), &err);
    R1_ASSERT_OK(r1_actor_new(&actor, m, "act", 6, 7, NULL, 1, &err),
                 &err); /* a run's size that divides nothing */
    R1_ASSERT_OK(r1_data_rows_new(&cases, m->desc, 40, &err), &err);
    r1_evidence_rules rules = {.n_item = 4, .n_verdict = 2, .given = 1, .n_ask_max = 4};
    memcpy(rules.cost, costs, sizeof costs);
    memcpy(rules.door, doors, sizeof doors);
    for (uint32_t i = 0; i < 40; i++)
        R1_ASSERT_OK(r1_data_rows_add(&cases, &d, &d.unit[i], &err), &err);
    R1_ASSERT_OK(r1_rollout_new(&r, &rules, 40 * 12, &err), &err);
    for (uint32_t budget = 0; budget <= 4; budget++) {
        rules.n_ask_max = budget;
        r1_rng_seed(&rng, r1_test_seed());
        R1_ASSERT_OK(r1_rollout_run(&r, &rules, budget % 2 ? &actor : NULL, &d, &cases, 12, false,
                                    &rng, &err),
                     &err);
        for (uint32_t i = 0; i < r.n_trace; i++) {
            check_trace(&rules, &r, &cases, i);
            CU_ASSERT(r.trace[i].n_decision <= budget + 1 && r.trace[i].row == i / 12);
        }
        for (size_t a = 0; a < r.n_node; a++) /* a state is one node */
            for (size_t b = a + 1; b < r.n_node && b < a + 12; b++)
                CU_ASSERT(r.node[a].row != r.node[b].row || r.node[a].held != r.node[b].held);
    }
    /* uniform: of traces without budget each verdict is said half of the time (8,000 tosses; 5
     * standard deviations) */
    size_t said[2] = {0, 0};
    rules.n_ask_max = 0;
    for (int k = 0; k < 20; k++) {
        R1_ASSERT_OK(r1_rollout_run(&r, &rules, NULL, &d, &cases, 10, false, &rng, &err), &err);
        for (size_t i = 0; i < r.n_trace; i++) said[r.trace[i].verdict]++;
    }
    CU_ASSERT(said[0] + said[1] == 8000 && fabs((double)said[0] - 4000) < 5 * sqrt(2000));
    r1_rollout_free(&r);
    r1_data_rows_free(&cases);
    r1_actor_free(&actor);
    r1_model_free(m);
    r1_data_close(&d);
}

/* The loss of fixed decisions as a function of the weights, along random directions: central
 * differences beside the backward pass. */
static void test_weight_gradient(void)
{
    r1_err err;
    r1_data d;
    r1_model *m;
    r1_actor actor;
    r1_data_rows cases;
    r1_rng rng;
    char text[4096];
    const char *path = train_path;
    enum { N = 12 };
    r1_node node[N];
    r1_decision decision[N];
    const r1_policy_terms terms = {
        10, 0.3, 0.1}; /* nothing is clipped: a kink has no slope; "policy loss" tests those */
    write_maze();
    maze_description(&m3, false, text, sizeof text);
    r1_rng_seed(&rng, r1_test_seed());
    R1_ASSERT_OK(r1_data_open(&d, &path, 1, &err), &err);
    R1_ASSERT_OK(r1_model_new(&m, text, 5, &err), &err);
    R1_ASSERT_OK(r1_actor_new(&actor, m, "act", 6, N, NULL, 1, &err), &err);
    R1_ASSERT_OK(r1_data_rows_new(&cases, m->desc, N, &err), &err);
    for (uint32_t i = 0; i < N; i++) {
        R1_ASSERT_OK(r1_data_rows_add(&cases, &d, &d.unit[i], &err), &err);
        node[i] = (r1_node){i, 1u | (uint32_t)r1_rng_below(&rng, 16)};
        uint32_t action = (uint32_t)r1_rng_below(&rng, 6);
        decision[i] = (r1_decision){.row = i,
                                    .permitted = 0x3f,
                                    .action = action,
                                    .old_log = -1.8,
                                    .ref_log = -1.5,
                                    .advantage = r1_rng_normal(&rng),
                                    .weight = 1.0 / N};
    }
    size_t n = m->net.plan.weight_bytes / sizeof(float);
    float *grad = malloc(n * sizeof *grad), *kept = malloc(n * sizeof *kept),
          *way = malloc(n * sizeof *way);
    CU_ASSERT_FATAL(grad && kept && way);
    R1_ASSERT_OK(r1_actor_run(&actor, &d, &cases, node, N, &err), &err);
    r1_policy_loss(&terms, decision, N, r1_actor_logits(&actor), r1_actor_stride(&actor), 6,
                   r1_actor_grad(&actor), NULL);
    R1_ASSERT_OK(r1_actor_backward(&actor, &err), &err);
    memcpy(grad, actor.parallel.grad[0], n * sizeof *grad);
    memcpy(kept, m->weights, n * sizeof *kept);
    for (int round = 0; round < 20; round++) {
        const double h = 4e-3;
        double along = 0, loss[2];
        memset(way, 0, n * sizeof *way);
        for (uint32_t k = 0; k < m->net.plan.n_tensor; k++) {
            const r1_tensor *t = &m->net.plan.tensor[k];
            if (t->space != R1_SPACE_WEIGHT || t->frozen) continue;
            for (size_t i = 0; i < (size_t)t->mul * t->cols; i++)
                way[t->offset / 4 + i] = (float)r1_rng_normal(&rng) * 0.1f;
        }
        for (size_t i = 0; i < n; i++) along += way[i] != 0 ? (double)grad[i] * (double)way[i] : 0;
        for (int side = 0; side < 2; side++) {
            for (size_t i = 0; i < n; i++)
                if (way[i] != 0) m->weights[i] = kept[i] + (float)(side ? h : -h) * way[i];
            R1_ASSERT_OK(r1_actor_run(&actor, &d, &cases, node, N, &err), &err);
            loss[side] = r1_policy_loss(&terms, decision, N, r1_actor_logits(&actor),
                                        r1_actor_stride(&actor), 6, NULL, NULL);
        }
        double slope = (loss[1] - loss[0]) / (2 * h);
        /* f32 forward passes: 1e-7 of a loss near 1 over 2 h */
        CU_ASSERT_DOUBLE_EQUAL(slope, along, 2e-3 + 0.02 * fabs(along));
    }
    free(grad), free(kept), free(way);
    r1_data_rows_free(&cases);
    r1_actor_free(&actor);
    r1_model_free(m);
    r1_data_close(&d);
}

/* ---- runs ------------------------------------------------------------------------------------ */

/* 24 steps equal 11, a checkpoint, a new process' worth of state, and 13 more: byte by byte,
 * validations and the curriculum crossed. What is damaged or another run's is refused. */
static void test_reinforce_resume(void)
{
    r1_err err;
    r1_reinforcer *t;
    char whole[300], half[300], rest[300], bad[300], *data;
    size_t len;
    write_maze();
    snprintf(whole, sizeof whole, "%s/whole.ck", r1_test_tmpdir());
    snprintf(half, sizeof half, "%s/half.ck", r1_test_tmpdir());
    snprintf(rest, sizeof rest, "%s/rest.ck", r1_test_tmpdir());
    snprintf(bad, sizeof bad, "%s/bad.ck", r1_test_tmpdir());
    r1_reinforce_opts o = reinforce_options();
    run_reinforce(o, 24, whole, NULL);
    run_reinforce(o, 11, half, NULL);
    run_reinforce(o, 24, rest, half);
    CU_ASSERT(r1_test_same_files(whole, rest));
    o.run.checkpoint = half;
    o.run.seed = 4;
    CU_ASSERT_EQUAL(r1_reinforcer_new(&t, &o, &err), R1_E_INVAL);
    o = reinforce_options();
    o.run.checkpoint = bad;
    R1_ASSERT_OK(r1_file_read(half, 1 << 28, &data, &len, &err), &err);
    for (size_t k = 0; k < 64; k++) {
        R1_ASSERT_OK(r1_file_write(bad, data, len * k / 64, &err), &err);
        CU_ASSERT_NOT_EQUAL(r1_reinforcer_new(&t, &o, &err), R1_OK);
    }
    free(data);
}

static double regret_of(const r1_model *model)
{
    double sum = 0;
    r1_err err;
    r1_session *s;
    R1_ASSERT_OK(r1_session_new(&s, model, NULL, &err), &err);
    for (int32_t level = 0; level < MAZE_LEVELS; level++) {
        double prob[27 * 5] = {0};
        for (uint32_t code = 0; code < m3.n_code; code++) {
            int32_t sign[3];
            r1_item item[4] = {{.present = true, .cat = &level}};
            for (uint32_t i = 0; i < 3; i++) {
                bool opened = m3.opened[code] >> i & 1;
                sign[i] = opened ? (int32_t)maze_sign(&m3, code, i) : -1;
                item[1 + i] = (r1_item){.present = opened, .cat = &sign[i]};
            }
            r1_sample sample = {.item = item};
            r1_result res;
            R1_ASSERT_OK(
                r1_session_run(s, &(r1_batch){.sample = &sample, .n_sample = 1}, &res, &err), &err);
            uint32_t best = 3;
            for (uint32_t a = 0; a < 5; a++) /* outputs: verdict, entrance, rooms, verdicts */
                if (maze_permitted(&m3, code, a) && res.logit[2 + a] > res.logit[2 + best])
                    best = a;
            prob[code * 5 + best] = 1;
        }
        sum +=
            (maze_best(&m3, (uint32_t)level, NULL) - maze_value(&m3, (uint32_t)level, prob, NULL)) /
            MAZE_LEVELS;
    }
    r1_session_free(s);
    return sum;
}

typedef struct {
    double reward, right;
    size_t n;
} tally;

static void each_case(void *ctx, uint64_t id, uint32_t held, uint32_t verdict, bool right)
{
    tally *t = ctx;
    CU_ASSERT(id < 1u << 20 && held & 1 && verdict < 2);
    t->reward += right;
    for (uint32_t i = 0; i < m3.n_room; i++) t->reward -= held >> (1 + i) & 1 ? costs[1 + i] : 0;
    t->right += right;
    t->n++;
}

/* The file judged on the validating cases earns what the report says, and case by case the same;
 * prices change what is paid, not what is done; a policy that may ask nothing pays nothing. */
static void check_judged(const r1_model *m, const r1_reinforce_opts *o, const r1_policy_eval *said)
{
    r1_err err;
    r1_policy_eval e, dear, mute;
    tally sum = {0};
    double twice[R1_ITEMS_MAX];
    for (uint32_t i = 0; i <= m3.n_room; i++) twice[i] = 2 * costs[i];
    r1_policy_judge_opts j = {.data = o->run.valid,
                              .n_data = 1,
                              .cost = costs,
                              .door = doors,
                              .given = 1,
                              .each = each_case,
                              .ctx = &sum};
    R1_ASSERT_OK(r1_policy_judge(m, &j, &e, &err), &err);
    CU_ASSERT(e.reward == said->reward && e.right == said->right && e.cost == said->cost &&
              e.n == said->n);
    CU_ASSERT_EQUAL(sum.n, e.n);
    CU_ASSERT_DOUBLE_EQUAL(sum.reward / (double)sum.n, e.reward, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(sum.right / (double)sum.n, e.right, 1e-9);
    j.cost = twice, j.each = NULL;
    R1_ASSERT_OK(r1_policy_judge(m, &j, &dear, &err), &err);
    CU_ASSERT(dear.right == e.right && dear.n_ask == e.n_ask);
    CU_ASSERT_DOUBLE_EQUAL(dear.cost, 2 * e.cost, 1e-12);
    j.given = (2u << m3.n_room) - 1; /* all is held: nothing is left to ask */
    R1_ASSERT_OK(r1_policy_judge(m, &j, &mute, &err), &err);
    CU_ASSERT(mute.cost == 0 && mute.n_ask == 0);
    j.policy = "worth";
    CU_ASSERT_EQUAL(r1_policy_judge(m, &j, &mute, &err), R1_E_INVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "worth"));
}

/* The unbiased variant comes close to the best policy, measured exactly through a session over
 * the written file. GRPO divides by the deviation, so where all traces of a case are right their
 * costs weigh as much as a wrong verdict elsewhere: it asks too little and is held to a quarter
 * of the way. */
static void test_reinforce_learns(void)
{
#ifdef __SANITIZE_THREAD__
    printf("skipped: this takes minutes here, and threads are what test_slices is for ");
    return;
#endif
    r1_err err;
    char out[300];
    write_maze();
    snprintf(out, sizeof out, "%s/policy.gguf", r1_test_tmpdir());
    for (int v = 0; v < 2; v++) {
        r1_reinforce_report rep;
        r1_model *m;
        r1_reinforce_opts o = reinforce_options();
        o.variant = (r1_policy_variant)v;
        o.run.out = out;
        o.n_step = 300;
        o.n_case = 32;
        o.n_group = 16;
        o.kl = 0;
        o.run.lr = 2e-3;
        o.entropy = v ? 0.05 : 0.3;
        o.curriculum = NULL;
        R1_ASSERT_OK(r1_reinforce(&o, &rep, &err), &err);
        R1_ASSERT_OK(r1_model_open(&m, out, &err), &err);
        double regret = regret_of(m), guess = 0;
        for (uint32_t l = 0; l < MAZE_LEVELS; l++)
            guess += (maze_best(&m3, l, NULL) - 0.5) / MAZE_LEVELS;
        printf("variant %d: regret %.4f, of guessing %.4f, unseen cases earn %.4f ", v, regret,
               guess, rep.valid.reward);
        CU_ASSERT(regret < (v ? 0.1 : 0.75) * guess);
        check_judged(m, &o, &rep.valid);
        r1_model_free(m);
    }
}

/* ---- the reward model ------------------------------------------------------------------------ */

/* Ranking and contrast as they are defined, from probabilities. */
static double plain_contrast(const double *s, const bool *right, size_t n, double contrast,
                             double t)
{
    double pairs = 0, ranking = 0, info = 0, n_right = 0;
    for (size_t i = 0; i < n; i++) {
        double others = 0;
        if (!right[i]) continue;
        n_right++;
        for (size_t j = 0; j < n; j++) {
            if (right[j]) continue;
            pairs++;
            ranking -= log(exp(s[i]) / (exp(s[i]) + exp(s[j])));
            others += exp(s[j] / t);
        }
        info -= log(exp(s[i] / t) / (exp(s[i] / t) + others));
    }
    return pairs == 0 ? 0 : ranking / pairs + contrast * info / n_right;
}

static void test_contrast(void)
{
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    for (int round = 0; round < 300; round++) {
        double s[9], grad[9] = {0}, contrast = r1_rng_unit(&rng), t = 0.3 + r1_rng_unit(&rng),
                     scale = 0.1 + r1_rng_unit(&rng);
        size_t n = 1 + r1_rng_below(&rng, 9);
        bool right[9];
        for (size_t i = 0; i < n; i++) {
            s[i] = 2 * r1_rng_normal(&rng);
            right[i] = r1_rng_below(&rng, 2);
        }
        double loss = r1_contrast_loss(s, right, n, contrast, t, scale, grad);
        CU_ASSERT_DOUBLE_EQUAL(loss, plain_contrast(s, right, n, contrast, t),
                               1e-10 * (1 + fabs(loss)));
        for (size_t i = 0; i < n; i++) {
            double x = s[i];
            s[i] = x + 1e-5;
            double up = plain_contrast(s, right, n, contrast, t);
            s[i] = x - 1e-5;
            double down = plain_contrast(s, right, n, contrast, t);
            s[i] = x;
            CU_ASSERT_DOUBLE_EQUAL(grad[i], scale * (up - down) / 2e-5, 1e-7);
        }
    }
}

typedef struct {
    double belief[16];
    bool right[16];
    uint64_t id;
    size_t n;
    double ordered, pairs, worth_error;
    r1_shard *shard;
} bayes;

static void reinforce_end_case(bayes *b)
{
    for (size_t i = 0; i < b->n; i++)
        for (size_t j = 0; b->right[i] && j < b->n; j++) {
            if (b->right[j]) continue;
            b->ordered += b->belief[i] > b->belief[j] ? 1 : b->belief[i] == b->belief[j] ? 0.5 : 0;
            b->pairs++;
        }
    b->n = 0;
}

static void reinforce_each_trace(void *ctx, uint64_t id, uint32_t held, uint32_t verdict,
                                 bool right, double worth)
{
    bayes *b = ctx;
    r1_item item[4];
    r1_sample s;
    r1_err err;
    uint32_t signs = 0;
    double w[2] = {0, 0};
    if (id != b->id || b->n == 16) reinforce_end_case(b);
    b->id = id;
    R1_ASSERT_OK(r1_shard_get(b->shard, id, item, &s, &err), &err);
    for (uint32_t i = 0; i < 3; i++) signs |= (uint32_t)item[1 + i].cat[0] << i;
    for (int y = 0; y < 2; y++)
        for (int z = 0; z < 2; z++)
            w[y] += maze_weight(&m3, (uint32_t)item[0].cat[0],
                                reinforce_code_of(&m3, held >> 1, signs), y, z);
    b->belief[b->n] = w[verdict] / (w[0] + w[1]);
    b->worth_error += fabs(worth - b->belief[b->n]);
    b->right[b->n++] = right;
}

static r1_reward_opts reward_options(const char *description)
{
    r1_reinforce_opts o = reinforce_options();
    return (r1_reward_opts){.run = {.train = o.run.train,
                                    .n_train = 1,
                                    .valid = o.run.valid,
                                    .n_valid = 1,
                                    .description = description,
                                    .seed = 5},
                            .door = doors,
                            .given = 1};
}

/* On unseen cases it orders right and wrong traces about as well as Bayes' rule with the maze in
 * hand, and says probabilities near his. */
static void test_reward(void)
{
#ifdef __SANITIZE_THREAD__
    printf("skipped: this takes minutes here, and threads are what test_slices is for ");
    return;
#endif
    r1_err err;
    char text[4096], out[300];
    r1_reward_report rep;
    bayes b = {0};
    write_maze();
    maze_description(&m3, true, text, sizeof text);
    snprintf(out, sizeof out, "%s/worth.gguf", r1_test_tmpdir());
    r1_reward_opts o = reward_options(text);
    R1_ASSERT_OK(r1_shard_open(&b.shard, valid_path, &err), &err);
    o.run.out = out;
    o.each = reinforce_each_trace;
    o.ctx = &b;
    R1_ASSERT_OK(r1_reward_train(&o, &rep, &err), &err);
    reinforce_end_case(&b);
    r1_shard_close(b.shard);
    double belief = b.ordered / b.pairs, off = b.worth_error / (double)rep.n_trace;
    printf("agreement %.4f, of Bayes %.4f, auc %.4f, ece %.4f, off Bayes by %.4f ", rep.agreement,
           belief, rep.auc, rep.ece, off);
    CU_ASSERT((double)rep.n_pair == b.pairs && rep.n_pair > 5000);
    CU_ASSERT(rep.agreement > belief - 0.03 && belief > 0.6);
    CU_ASSERT(off < 0.1);
    /* as the judge of a policy: another share of it is another run */
    r1_reinforcer *t;
    char ck[300];
    snprintf(ck, sizeof ck, "%s/judged.ck", r1_test_tmpdir());
    r1_reinforce_opts p = reinforce_options();
    p.reward_model = out;
    run_reinforce(p, 3, ck, NULL);
    p.run.checkpoint = ck;
    R1_ASSERT_OK(r1_reinforcer_new(&t, &p, &err), &err);
    r1_reinforcer_free(t);
    p.reward_share = 0.25;
    CU_ASSERT_EQUAL(r1_reinforcer_new(&t, &p, &err), R1_E_INVAL);
    p.reward_model = train_path; /* not a model */
    CU_ASSERT_EQUAL(r1_reinforcer_new(&t, &p, &err), R1_E_FORMAT);
}

/* 8 steps and 12 more from their checkpoint write the file of 20. */
static void test_reward_resume(void)
{
    r1_err err;
    char text[4096], whole[300], rest[300], ck[300];
    write_maze();
    maze_description(&m3, true, text, sizeof text);
    snprintf(whole, sizeof whole, "%s/whole.gguf", r1_test_tmpdir());
    snprintf(rest, sizeof rest, "%s/rest.gguf", r1_test_tmpdir());
    snprintf(ck, sizeof ck, "%s/reward.ck", r1_test_tmpdir());
    r1_reward_opts o = reward_options(text);
    o.n_step = 20;
    o.run.valid_every = 3;
    o.run.out = whole;
    R1_ASSERT_OK(r1_reward_train(&o, NULL, &err), &err);
    o.run.out = rest;
    o.run.checkpoint = ck;
    o.run.n_step_max = 8;
    R1_ASSERT_OK(r1_reward_train(&o, NULL, &err), &err);
    o.run.n_step_max = 0;
    R1_ASSERT_OK(r1_reward_train(&o, NULL, &err), &err);
    CU_ASSERT(r1_test_same_files(whole, rest));
    o.contrast = 0.25;
    CU_ASSERT_EQUAL(r1_reward_train(&o, NULL, &err), R1_E_INVAL);
    o = reward_options(text);
    o.run.n_valid = 0;
    CU_ASSERT_EQUAL(r1_reward_train(&o, NULL, &err), R1_E_INVAL);
    o = reward_options(NULL); /* the shards' own description has no such head */
    CU_ASSERT_EQUAL(r1_reward_train(&o, NULL, &err), R1_E_INVAL);
}

/* Losses of the validations that a metrics file names; returns how many. */
static size_t reinforce_watched(const char *path, double *loss, size_t cap)
{
    char line[512];
    size_t n = 0;
    FILE *f = fopen(path, "r");
    CU_ASSERT_FATAL(f != NULL);
    while (fgets(line, sizeof line, f)) {
        const char *at = strstr(line, "\"loss\":");
        if (strstr(line, "\"valid\"") && at && n < cap) loss[n++] = strtod(at + 7, NULL);
    }
    fclose(f);
    return n;
}

/* Pushed too hard it stops `patience` validations after its best one, and what it writes are the
 * weights of that step. */
static void test_reward_stops(void)
{
    enum { EVERY = 4, PATIENCE = 2 };
    r1_err err;
    r1_reward_report rep;
    r1_model *kept, *then;
    char text[4096], out[300], early[300], metrics[300];
    double loss[256];
    size_t best = 0, n;
    write_maze();
    maze_description(&m3, true, text, sizeof text);
    snprintf(out, sizeof out, "%s/stopped.gguf", r1_test_tmpdir());
    snprintf(early, sizeof early, "%s/early.gguf", r1_test_tmpdir());
    snprintf(metrics, sizeof metrics, "%s/stopped.jsonl", r1_test_tmpdir());
    r1_reward_opts o = reward_options(text);
    o.run.lr = 0.1;
    o.n_case = 8;
    o.n_step = 400;
    o.run.valid_every = EVERY;
    o.run.patience = PATIENCE;
    o.run.out = out;
    o.run.metrics = metrics;
    R1_ASSERT_OK(r1_reward_train(&o, &rep, &err), &err);
    n = reinforce_watched(metrics, loss, R1_COUNT(loss));
    for (size_t i = 1; i < n; i++)
        if (loss[i] < loss[best]) best = i;
    printf("best after %zu of %llu steps ", (best + 1) * EVERY, (unsigned long long)rep.n_step);
    CU_ASSERT(rep.n_step < 400);
    CU_ASSERT_EQUAL(n, best + 1 + PATIENCE);
    CU_ASSERT_EQUAL(rep.n_step, n * EVERY);
    o.run.metrics = NULL;
    o.run.out = early;
    o.run.n_step_max = (best + 1) * EVERY;
    R1_ASSERT_OK(r1_reward_train(&o, NULL, &err), &err);
    R1_ASSERT_OK(r1_model_open(&kept, out, &err), &err);
    R1_ASSERT_OK(r1_model_open(&then, early, &err), &err);
    CU_ASSERT(memcmp(kept->weights, then->weights, kept->net.plan.weight_bytes) == 0);
    r1_model_free(kept);
    r1_model_free(then);
}

/* ---- curriculum and bad input ---------------------------------------------------------------- */

static void test_curriculum(void)
{
    static const char *const bad[] = {"",
                                      "items",
                                      "items:linear:0.1",
                                      "items:linear:0:1",
                                      "items:linear:0.5:1.5",
                                      "items:fast:0.5:1",
                                      "entrance.nothing:linear:0.5:1",
                                      "nowhere.level:linear:0.5:1",
                                      "items:linear:0.5:1x",
                                      "items:linear:nan:1"};
    r1_err err;
    r1_data d;
    r1_desc *desc;
    r1_curriculum c;
    char text[4096];
    const char *path = train_path;
    write_maze();
    size_t len = maze_description(&m3, false, text, sizeof text);
    R1_ASSERT_OK(r1_data_open(&d, &path, 1, &err), &err);
    R1_ASSERT_OK(r1_desc_parse(&desc, text, len, &err), &err);
    for (size_t i = 0; i < R1_COUNT(bad); i++) {
        CU_ASSERT_EQUAL(r1_curriculum_new(&c, bad[i], false, desc, &d, &err), R1_E_INVAL);
        CU_ASSERT(strncmp(err.msg, "curriculum", 10) == 0);
    }
    for (int sign = 0; sign < 2; sign++) {
        R1_ASSERT_OK(r1_curriculum_new(&c,
                                       sign ? "-entrance.level:root:0.25:0.5"
                                            : "entrance.level:linear:0.25:0.5",
                                       false, desc, &d, &err),
                     &err);
        int32_t before = sign ? 9 : -9;
        uint8_t *met = calloc(d.n_unit, 1);
        for (size_t u = 0; u < d.n_unit; u++) {
            r1_item item[R1_ITEMS_MAX];
            r1_sample s;
            R1_ASSERT_OK(r1_shard_get(d.shard[0], d.unit[c.order[u]].first, item, &s, &err), &err);
            CU_ASSERT(sign ? item[0].cat[0] <= before : item[0].cat[0] >= before);
            before = item[0].cat[0];
            CU_ASSERT(!met[c.order[u]]);
            met[c.order[u]] = 1;
        }
        double twin = sign ? sqrt(0.0625 + 0.9375 * 0.5) : 0.25 + 0.75 * 0.5; /* half of the way */
        CU_ASSERT_EQUAL(r1_curriculum_pool(&c, 0.25), (size_t)ceil(twin * (double)d.n_unit));
        CU_ASSERT_EQUAL(r1_curriculum_pool(&c, 0), (size_t)ceil(0.25 * (double)d.n_unit));
        CU_ASSERT_EQUAL(r1_curriculum_pool(&c, 0.5), d.n_unit);
        free(met);
        r1_curriculum_free(&c);
    }
    r1_desc_free(desc);
    r1_data_close(&d);
}

static void test_reinforce_refused(void)
{
    r1_err err;
    r1_reinforcer *t;
    double wrong[4] = {0, NAN, 0, 0};
    write_maze();
    r1_reinforce_opts o = reinforce_options();
    o.n_group = 1;
    CU_ASSERT_EQUAL(r1_reinforcer_new(&t, &o, &err), R1_E_INVAL);
    o = reinforce_options();
    o.policy = "verdict"; /* a binary head */
    CU_ASSERT_EQUAL(r1_reinforcer_new(&t, &o, &err), R1_E_INVAL);
    o.policy = "nothing";
    CU_ASSERT_EQUAL(r1_reinforcer_new(&t, &o, &err), R1_E_INVAL);
    o = reinforce_options();
    o.truth = "nothing";
    CU_ASSERT_EQUAL(r1_reinforcer_new(&t, &o, &err), R1_E_INVAL);
    o.truth = "act"; /* its labels are all missing */
    o.policy = "act";
    CU_ASSERT_EQUAL(r1_reinforcer_new(&t, &o, &err), R1_E_INVAL);
    o = reinforce_options();
    o.cost = wrong;
    CU_ASSERT_EQUAL(r1_reinforcer_new(&t, &o, &err), R1_E_INVAL);
    o = reinforce_options();
    o.curriculum = "hard";
    CU_ASSERT_EQUAL(r1_reinforcer_new(&t, &o, &err), R1_E_INVAL);
}

R1_TEST_MAIN("reinforce", {"advantages", test_advantages}, {"policy loss", test_policy_loss},
             {"best policy", test_best}, {"value of a policy", test_value},
             {"traces", test_rollout}, {"gradient of the weights", test_weight_gradient},
             {"curriculum", test_curriculum}, {"refused", test_reinforce_refused},
             {"resume", test_reinforce_resume}, {"learns", test_reinforce_learns},
             {"contrast", test_contrast}, {"reward model", test_reward},
             {"reward model resumes", test_reward_resume},
             {"reward model stops", test_reward_stops})
