/* SPDX-License-Identifier: Apache-2.0 */
/* reward.c - the reward stage: traces at random, contrasted case by case.
 *
 * The validation's first half stops the training and calibrates. Agreement is judged on the other
 * half. What a step draws comes from (seed, step). */
#include "r1_reinforce.h"
#include "r1_train.h"
#include "train/contrast.h"
#include "train/evaluate.h"
#include "train/evidence_cases.h"
#include "train/score_metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NODES_RUN = 256, WATCHED = 256 };

typedef struct {
    r1_run run; /* first: what the loop is given */
    r1_reward_opts o;
    r1_cases cases;
    r1_actor actor;
    r1_node *end; /* [n_trace] where each trace spoke */
    double *score, *grad;
    bool *right;
    double loss_mean; /* of this process alone */
    double figure;    /* the loss of the last validation */
    r1_reward_report report;
} rewarder;

static rewarder *rewarder_of(r1_run *r) { return (rewarder *)r; }
static const rewarder *rewarder_seen(const r1_run *r) { return (const rewarder *)r; }

static void reward_fill(r1_reward_opts *o)
{
    r1_cases_fill(&o->n_step, &o->n_case, &o->n_group);
    R1_OR_DEFAULT(o->contrast, R1_DEFAULT_CONTRAST);
    R1_OR_DEFAULT(o->temperature, R1_DEFAULT_TEMPERATURE);
    R1_OR_DEFAULT(o->reserve, R1_DEFAULT_RESERVE);
    R1_OR_DEFAULT(o->head, R1_DEFAULT_REWARD_HEAD);
}

/* ---- what is set up -------------------------------------------------------------------------- */

static r1_status reward_check(const r1_run *r, r1_err *err)
{
    if (!r->o->n_valid)
        R1_FAIL(err, R1_E_INVAL, "reward: no validation shards; expected one or more");
    return r1_cases_check(&rewarder_seen(r)->cases, r, err);
}

static r1_status reward_make_model(rewarder *t, r1_err *err)
{
    r1_run *r = &t->run;
    R1_TRY(r1_run_open_model(r, NULL, NULL, err));
    R1_TRY(r1_model_choose_beta(r->m, t->o.beta, err));
    R1_TRY(r1_evidence_check(&t->cases.rules, r->m, "reward: the description", err));
    return r1_fit(r->m, &r->train, err);
}

static r1_status reward_reserve(rewarder *t, r1_err *err)
{
    r1_run *r = &t->run;
    size_t n = (size_t)t->o.n_case * t->o.n_group;
    R1_TRY(r1_cases_reserve(&t->cases, r, err));
    t->cases.rollout.reserve = (float)t->o.reserve;
    t->end = r1_run_room(r, n, sizeof *t->end);
    t->score = r1_run_room(r, n, sizeof *t->score);
    t->grad = r1_run_room(r, n, sizeof *t->grad);
    t->right = r1_run_room(r, n, sizeof *t->right);
    if (t->end && t->score && t->grad && t->right) return R1_OK;
    R1_FAIL(err, R1_E_NOMEM, "reward: out of memory");
}

static r1_status reward_prepare(r1_run *r, r1_err *err)
{
    rewarder *t = rewarder_of(r);
    r1_evidence_spec spec = {t->o.truth, NULL, t->o.door, t->o.given, t->o.n_ask_max};
    R1_TRY(r1_cases_open(&t->cases, r, &spec, err));
    R1_TRY(reward_make_model(t, err));
    R1_TRY(r1_thread_pool_new(&r->threads, r->o->n_thread, r->o->n_slice, err));
    R1_TRY(r1_actor_new(&t->actor, r->m, t->o.head, t->cases.rules.n_verdict, NODES_RUN, r->threads,
                        r->o->n_slice, err));
    return reward_reserve(t, err);
}

static r1_status reward_start(r1_run *r, bool resumed, r1_err *err)
{
    return resumed ? r1_cases_check_resumed(r, err) : R1_OK;
}

static void reward_release(r1_run *r)
{
    r1_actor_free(&rewarder_of(r)->actor);
    r1_cases_free(&rewarder_of(r)->cases);
}

/* Hash of what makes the numbers: a run goes on with the very same settings alone. */
static uint64_t reward_run_hash(const rewarder *t)
{
    const r1_reward_opts *o = &t->o;
    const r1_run_opts *run = &o->run;
    const double real[] = {
        run->lr,    run->weight_decay,     run->clip, o->contrast, o->temperature,
        o->reserve, (double)t->run.m->beta};
    const uint64_t whole[] = {run->seed,        o->n_step,     o->n_case,          o->n_group,
                              run->valid_every, run->patience, t->run.train.n_unit};
    uint64_t h = r1_hash64(&t->cases.rules, sizeof t->cases.rules,
                           r1_hash64(whole, sizeof whole, r1_hash64(real, sizeof real, 2)));
    return run->n_slice > 1 ? r1_hash64(&run->n_slice, sizeof run->n_slice, h) : h;
}

static void reward_state(r1_run *r, r1_checkpoint *c)
{
    r1_checkpoint_must(c, "run", reward_run_hash(rewarder_of(r)), 0);
    r1_checkpoint_counter(c, "update", &r->adam.n_step);
    r1_run_counts(r, c);
}

/* ---- a step ---------------------------------------------------------------------------------- */

static void reward_ends(rewarder *t)
{
    for (size_t i = 0; i < t->cases.rollout.n_trace; i++) {
        const r1_trace *x = &t->cases.rollout.trace[i];
        t->end[i] = (r1_node){x->row, x->held};
        t->right[i] = x->right;
    }
}

static float *output_of(float *rows, const rewarder *t, size_t i, size_t at)
{
    return rows + (i - at) * r1_actor_stride(&t->actor) + t->cases.rollout.trace[i].verdict;
}

/* Scores of the traces at..at+n-1, which the actor then holds. */
static r1_status score_some(rewarder *t, const r1_data *d, size_t at, size_t n, r1_err *err)
{
    R1_TRY(r1_actor_run(&t->actor, d, &t->cases.rows, t->end + at, n, err));
    for (size_t i = at; i < at + n; i++)
        t->score[i] = (double)r1_actor_logits(
            &t->actor)[(i - at) * r1_actor_stride(&t->actor) + t->cases.rollout.trace[i].verdict];
    return R1_OK;
}

static size_t reward_piece(const rewarder *t, size_t at)
{
    size_t left = t->cases.rollout.n_trace - at;
    return left < t->actor.cap ? left : t->actor.cap;
}

static r1_status reward_score_all(rewarder *t, const r1_data *d, r1_err *err)
{
    for (size_t at = 0; at < t->cases.rollout.n_trace; at += t->actor.cap)
        R1_TRY(score_some(t, d, at, reward_piece(t, at), err));
    return R1_OK;
}

/* Mean loss of the cases whose traces are scored; their slopes to grad, or NULL. */
static double reward_contrast(const rewarder *t, double *grad)
{
    size_t g = t->o.n_group;
    double loss = 0, share = 1 / (double)t->cases.rows.n;
    for (size_t c = 0; c < t->cases.rows.n; c++)
        loss += share * r1_contrast_loss(t->score + c * g, t->right + c * g, g, t->o.contrast,
                                         t->o.temperature, share, grad ? grad + c * g : NULL);
    return loss;
}

static r1_status reward_descend(rewarder *t, double *loss, r1_err *err)
{
    R1_TRY(reward_score_all(t, &t->run.train, err));
    memset(t->grad, 0, t->cases.rollout.n_trace * sizeof *t->grad);
    *loss = reward_contrast(t, t->grad);
    R1_TRY(r1_run_check_loss(&t->run, *loss, err));
    for (size_t at = 0; at < t->cases.rollout.n_trace; at += t->actor.cap) {
        size_t n = reward_piece(t, at);
        R1_TRY(r1_actor_run(&t->actor, &t->run.train, &t->cases.rows, t->end + at, n, err));
        for (size_t i = at; i < at + n; i++)
            *output_of(r1_actor_grad(&t->actor), t, i, at) = (float)t->grad[i];
        R1_TRY(r1_actor_backward(&t->actor, err));
    }
    return R1_OK;
}

static r1_status reward_learn(r1_run *r, double *loss, r1_err *err)
{
    rewarder *t = rewarder_of(r);
    r1_cases *c = &t->cases;
    r1_rng rng;
    r1_rng_seed(&rng, r->o->seed ^ (r->step + 1) * 0xd1b54a32d192ed03u);
    r1_data_rows_clear(&c->rows);
    for (uint32_t i = 0; i < t->o.n_case; i++) {
        const r1_unit *u = &r->train.unit[r1_rng_below(&rng, r->train.n_unit)];
        R1_TRY(r1_data_rows_add(&c->rows, &r->train, u, err));
    }
    R1_TRY(r1_rollout_run(&c->rollout, &c->rules, NULL, &r->train, &c->rows, t->o.n_group, false,
                          &rng, err));
    reward_ends(t);
    R1_TRY(reward_descend(t, loss, err));
    double rate = r1_adamw_rate(r->o->lr, 0, (double)r->step / t->o.n_step);
    r1_run_descend(r, &t->actor.parallel, rate);
    return R1_OK;
}

static void reward_note(r1_run *r, double loss)
{
    rewarder *t = rewarder_of(r);
    char text[48];
    t->loss_mean = t->loss_mean == 0 ? loss : 0.95 * t->loss_mean + 0.05 * loss;
    snprintf(text, sizeof text, "loss %.4f", t->loss_mean);
    r1_pace_say(&r->pace, r->o->progress, r->step, t->o.n_step, text);
}

static r1_status reward_turn(r1_run *r, bool *due, r1_err *err)
{
    (void)err;
    *due |= r->step == rewarder_of(r)->o.n_step;
    return R1_OK;
}

static bool reward_over(const r1_run *r) { return r->step >= rewarder_seen(r)->o.n_step; }

/* ---- validation ------------------------------------------------------------------------------ */

/* The next cases of the validation from *at on, and their traces, scored. */
static r1_status next_valid(rewarder *t, size_t *at, size_t to, r1_rng *rng, r1_err *err)
{
    r1_data_rows_clear(&t->cases.rows);
    for (; *at < to && t->cases.rows.n < t->o.n_case; ++*at)
        R1_TRY(r1_data_rows_add(&t->cases.rows, &t->run.valid, &t->run.valid.unit[*at], err));
    R1_TRY(r1_rollout_run(&t->cases.rollout, &t->cases.rules, NULL, &t->run.valid, &t->cases.rows,
                          t->o.n_group, false, rng, err));
    reward_ends(t);
    return reward_score_all(t, &t->run.valid, err);
}

/* What stops the training are traces of the half that calibrates, the same ones each time: the
 * other half only judges. Where there is none to watch, the last weights are the best. */
static r1_status reward_watch(r1_run *r, double *value, r1_err *err)
{
    rewarder *t = rewarder_of(r);
    size_t to = r->valid.n_unit / 2 < WATCHED ? r->valid.n_unit / 2 : WATCHED;
    double sum = 0;
    r1_rng rng;
    r1_rng_seed(&rng, r->o->seed ^ 0x9e3779b97f4a7c15u);
    for (size_t at = 0; at < to;) {
        R1_TRY(next_valid(t, &at, to, &rng, err));
        sum += reward_contrast(t, NULL) * (double)t->cases.rows.n / (double)to;
    }
    if (to == 0) r->best_value = INFINITY;
    *value = t->figure = sum;
    return R1_OK;
}

/* ---- unseen cases ---------------------------------------------------------------------------- */

/* Traces of the units from..to-1, as r1_scores: logit = score, label = right, group = case. */
static r1_status sample_traces(rewarder *t, size_t from, size_t to, r1_scores *s, uint32_t *held,
                               uint32_t *verdict, r1_err *err)
{
    r1_rng rng;
    r1_rng_seed(&rng, t->run.o->seed ^ 0x2545f4914f6cdd1du);
    for (size_t u = from; u < to;) {
        R1_TRY(next_valid(t, &u, to, &rng, err));
        for (size_t i = 0; i < t->cases.rollout.n_trace; i++, s->n++) {
            const r1_trace *x = &t->cases.rollout.trace[i];
            s->logit[s->n] = (float)t->score[i];
            s->label[s->n] = x->right;
            s->weight[s->n] = 1;
            s->id[s->n] = t->cases.rows.sample[x->row].id;
            held[s->n] = x->held;
            verdict[s->n] = x->verdict;
        }
    }
    return R1_OK;
}

static void count_pairs(const rewarder *t, const r1_scores *s, r1_reward_report *r)
{
    size_t g = t->o.n_group;
    double ordered = 0;
    for (size_t i = 0; i < s->n; i++)
        for (size_t j = i / g * g; s->label[i] > 0.5f && j < i / g * g + g; j++) {
            if (s->label[j] > 0.5f) continue;
            ordered += s->logit[i] > s->logit[j] ? 1 : s->logit[i] == s->logit[j] ? 0.5 : 0;
            r->n_pair++;
        }
    r->agreement = r->n_pair ? ordered / (double)r->n_pair : NAN;
}

/* Traces of the half that calibrates, those of the half that judges, and of the latter the items
 * held and the verdict said. */
typedef struct {
    r1_scores fit, judged;
    uint32_t *held, *verdict;
} unseen;

static r1_status unseen_sample(rewarder *t, unseen *u, r1_err *err)
{
    r1_desc one = *t->run.m->desc; /* room for one number a trace */
    r1_model shape = {.desc = &one};
    one.n_headc = one.n_output = 1;
    size_t units = t->run.valid.n_unit, half = units / 2, n = (units - half) * t->o.n_group;
    u->held = r1_run_room(&t->run, n + 1, sizeof *u->held);
    u->verdict = r1_run_room(&t->run, n + 1, sizeof *u->verdict);
    if (!u->held || !u->verdict) R1_FAIL(err, R1_E_NOMEM, "reward: out of memory");
    R1_TRY(r1_scores_new(&u->fit, &shape, half * t->o.n_group, err));
    R1_TRY(r1_scores_new(&u->judged, &shape, n, err));
    R1_TRY(sample_traces(t, 0, half, &u->fit, u->held, u->verdict, err));
    return sample_traces(t, half, units, &u->judged, u->held, u->verdict, err);
}

static void unseen_judge(rewarder *t, unseen *u)
{
    const r1_desc *d = t->run.m->desc;
    r1_reward_report *report = &t->report;
    r1_calibration c = r1_calibration_fit(&u->fit, 0, 0);
    r1_scores *s = &u->judged;
    uint32_t head = 0;
    while (strcmp(d->head[head].name, t->o.head) != 0) head++;
    t->run.m->calibration[head] = c;
    for (size_t i = 0; i < s->n; i++) s->logit[i] = s->logit[i] * c.scale + c.bias;
    count_pairs(t, s, report);
    report->auc = r1_metric_auc(s->logit, s->label, s->n);
    report->ece = r1_metric_ece(s->logit, s->label, NULL, s->n);
    report->n_trace = s->n;
    for (size_t i = 0; t->o.each && i < s->n; i++)
        t->o.each(t->o.ctx, s->id[i], u->held[i], u->verdict[i], s->label[i] > 0.5f,
                  1 / (1 + exp(-(double)s->logit[i])));
}

static r1_status reward_end(r1_run *r, r1_err *err)
{
    rewarder *t = rewarder_of(r);
    unseen u = {0};
    t->report = (r1_reward_report){0};
    if (r->n_valid) memcpy(r->m->weights, r->best, r->m->net.plan.weight_bytes);
    r1_status st = unseen_sample(t, &u, err);
    if (st == R1_OK) unseen_judge(t, &u);
    r1_scores_free(&u.fit);
    r1_scores_free(&u.judged);
    t->report.n_step = r->step;
    t->report.seconds = r1_pace_seconds(&r->pace);
    r->m->trained_samples = r->step * t->o.n_case * t->o.n_group;
    return st;
}

static void reward_figures(const r1_run *r, r1_event_kind event, FILE *f)
{
    const rewarder *t = rewarder_seen(r);
    const r1_reward_report *report = &t->report;
    r1_metric_seconds(f, r);
    r1_metric(f, "loss", event == R1_EVENT_END ? t->loss_mean : t->figure);
    if (event != R1_EVENT_END) return;
    r1_metric(f, "agreement", report->agreement);
    r1_metric(f, "auc", report->auc);
    r1_metric(f, "ece", report->ece);
    r1_metric_count(f, "pairs", report->n_pair);
}

/* ---- the stage ------------------------------------------------------------------------------- */

static const r1_stage reward = {
    .name = "reward",
    .what = "reward",
    .lr = R1_DEFAULT_LR,
    .checkpoint_every = R1_DEFAULT_CASES_CHECKPOINT_EVERY,
    .valid_every = R1_DEFAULT_CASES_VALID_EVERY,
    .lower = true,
    .check = reward_check,
    .prepare = reward_prepare,
    .start = reward_start,
    .step = reward_learn,
    .note = reward_note,
    .turn = reward_turn,
    .over = reward_over,
    .validate = reward_watch,
    .finish = reward_end,
    .figures = reward_figures,
    .state = reward_state,
    .free = reward_release,
};

r1_status r1_reward_train(const r1_reward_opts *opts, r1_reward_report *report, r1_err *err)
{
    rewarder *t = calloc(1, sizeof *t);
    if (!t) R1_FAIL(err, R1_E_NOMEM, "reward: out of memory");
    t->o = *opts;
    reward_fill(&t->o);
    t->cases.n_case = t->o.n_case;
    t->cases.n_group = t->o.n_group;
    R1_TRY(r1_run_begin(&t->run, &reward, &t->o.run, err));
    r1_status st = r1_run_all(&t->run, err);
    if (st == R1_OK) st = r1_run_finish(&t->run, err);
    if (st == R1_OK && report) *report = t->report;
    r1_run_free(&t->run);
    return st;
}
