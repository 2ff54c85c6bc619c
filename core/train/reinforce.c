/* SPDX-License-Identifier: Apache-2.0 */
/* reinforce.c - the reinforce stage: a step draws cases and lets the policy run a group of traces
 * on each. It turns rewards into advantages within the groups, and makes n_pass updates from those
 * traces.
 *
 * What a step draws comes from (seed, step). A checkpoint also carries the reference: the weights
 * at the start, from which the policy must not stray. */
#include "r1_reinforce.h"

#include "r1_assert.h"
#include "train/curriculum.h"
#include "train/evidence_cases.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NODES_RUN = 256 };

struct r1_reinforcer {
    r1_run run; /* first: what the loop is given */
    r1_reinforce_opts o;
    r1_cases cases;
    r1_actor actor;
    r1_model *judge_model; /* NULL: the label alone */
    r1_actor judge;
    /* [node][n_verdict] where a trace spoke: the judge's probability that it is right */
    double *worth;
    bool *spoken; /* [node] */
    r1_curriculum curriculum;
    float *reference; /* weights: those at the start */
    double *reward, *advantage;
    r1_policy_stats stats;
    r1_policy_eval sampled; /* means of the last step's traces */
    r1_policy_eval figures; /* the same, or those of the last validation */
    r1_reinforce_report report;
};

static r1_reinforcer *reinforcer_of(r1_run *r) { return (r1_reinforcer *)r; }
static const r1_reinforcer *reinforcer_seen(const r1_run *r) { return (const r1_reinforcer *)r; }

static void reinforce_fill(r1_reinforce_opts *o)
{
    r1_cases_fill(&o->n_step, &o->n_case, &o->n_group);
    R1_OR_DEFAULT(o->ratio_clip, R1_DEFAULT_RATIO_CLIP);
    R1_OR_DEFAULT(o->entropy, R1_DEFAULT_ENTROPY);
    if (o->entropy < 0) o->entropy = 0;
    R1_OR_DEFAULT(o->warmup, R1_DEFAULT_WARMUP_REINFORCE);
    R1_OR_DEFAULT(o->reward_share, R1_DEFAULT_REWARD_SHARE);
    R1_OR_DEFAULT(o->policy, R1_DEFAULT_POLICY_HEAD);
    R1_OR_DEFAULT(o->n_pass, R1_DEFAULT_PASSES);
}

/* ---- what is set up -------------------------------------------------------------------------- */

static r1_status reinforce_check(const r1_run *r, r1_err *err)
{
    return r1_cases_check(&reinforcer_seen(r)->cases, r, err);
}

static r1_status reinforce_make_model(r1_reinforcer *t, r1_err *err)
{
    r1_run *r = &t->run;
    R1_TRY(r1_run_open_model(r, t->o.init, r->o->description, err));
    R1_TRY(r1_model_choose_beta(r->m, t->o.beta, err));
    R1_TRY(r1_evidence_check(&t->cases.rules, r->m, "reinforce: the model", err));
    return t->o.init ? R1_OK : r1_fit(r->m, &r->train, err);
}

/* The reward model's head is named R1_DEFAULT_REWARD_HEAD. */
static r1_status make_judge(r1_reinforcer *t, r1_err *err)
{
    const r1_evidence_rules *rules = &t->cases.rules;
    size_t n = t->cases.rollout.cap;
    if (!t->o.reward_model) return R1_OK;
    R1_TRY(r1_model_open(&t->judge_model, t->o.reward_model, err));
    R1_TRY(r1_evidence_check(rules, t->judge_model, t->o.reward_model, err));
    R1_TRY(r1_actor_new(&t->judge, t->judge_model, R1_DEFAULT_REWARD_HEAD, rules->n_verdict,
                        NODES_RUN, t->run.threads, t->run.o->n_slice, err));
    t->worth = r1_run_room(&t->run, n * rules->n_verdict, sizeof *t->worth);
    t->spoken = r1_run_room(&t->run, n, sizeof *t->spoken);
    if (t->worth && t->spoken) return R1_OK;
    R1_FAIL(err, R1_E_NOMEM, "reinforce: out of memory");
}

static r1_status reinforce_reserve(r1_reinforcer *t, r1_err *err)
{
    r1_run *r = &t->run;
    size_t n = (size_t)t->o.n_case * t->o.n_group, bytes = r->m->net.plan.weight_bytes;
    R1_TRY(r1_cases_reserve(&t->cases, r, err));
    R1_TRY(make_judge(t, err));
    t->reference = r1_run_room(r, bytes + 64, 1);
    t->reward = r1_run_room(r, n, sizeof *t->reward);
    t->advantage = r1_run_room(r, n, sizeof *t->advantage);
    if (!t->reference || !t->reward || !t->advantage)
        R1_FAIL(err, R1_E_NOMEM, "reinforce: out of memory");
    memcpy(t->reference, r->m->weights, bytes);
    return R1_OK;
}

static r1_status reinforce_prepare(r1_run *r, r1_err *err)
{
    r1_reinforcer *t = reinforcer_of(r);
    const r1_evidence_rules *rules = &t->cases.rules;
    r1_evidence_spec spec = {t->o.truth, t->o.cost, t->o.door, t->o.given, t->o.n_ask_max};
    R1_TRY(r1_cases_open(&t->cases, r, &spec, err));
    R1_TRY(reinforce_make_model(t, err));
    R1_TRY(r1_thread_pool_new(&r->threads, r->o->n_thread, r->o->n_slice, err));
    R1_TRY(r1_actor_new(&t->actor, r->m, t->o.policy, rules->n_item + rules->n_verdict, NODES_RUN,
                        r->threads, r->o->n_slice, err));
    R1_TRY(r1_curriculum_new(&t->curriculum, t->o.curriculum, false, r->m->desc, &r->train, err));
    return reinforce_reserve(t, err);
}

static r1_status reinforce_start(r1_run *r, bool resumed, r1_err *err)
{
    return resumed ? r1_cases_check_resumed(r, err) : R1_OK;
}

static void reinforce_release(r1_run *r)
{
    r1_reinforcer *t = reinforcer_of(r);
    r1_actor_free(&t->actor);
    r1_actor_free(&t->judge);
    r1_model_free(t->judge_model);
    r1_curriculum_free(&t->curriculum);
    r1_cases_free(&t->cases);
}

/* ---- checkpoint ------------------------------------------------------------------------------ */

/* Hash of what makes the numbers: a run goes on with the very same settings alone. */
static uint64_t reinforce_run_hash(const r1_reinforcer *t)
{
    const r1_reinforce_opts *o = &t->o;
    const r1_run_opts *run = &o->run;
    const double real[] = {run->lr, run->weight_decay, run->clip, o->ratio_clip,
                           o->kl,   o->entropy,        o->warmup, (double)t->run.m->beta};
    const uint64_t whole[] = {run->seed,          o->n_step, o->n_case,
                              o->n_group,         o->n_pass, (uint64_t)o->variant,
                              t->run.train.n_unit};
    uint64_t h = r1_hash64(real, sizeof real, 1);
    h = r1_hash64(whole, sizeof whole, h);
    h = r1_hash64(&t->cases.rules, sizeof t->cases.rules, h);
    if (run->n_slice > 1) h = r1_hash64(&run->n_slice, sizeof run->n_slice, h);
    if (t->judge_model) {
        h = r1_hash64(&o->reward_share, sizeof o->reward_share, h);
        h = r1_hash64(t->judge_model->weights, t->judge_model->net.plan.weight_bytes, h);
    }
    return o->curriculum ? r1_hash64(o->curriculum, strlen(o->curriculum), h) : h;
}

static void reinforce_state(r1_run *r, r1_checkpoint *c)
{
    r1_reinforcer *t = reinforcer_of(r);
    r1_checkpoint_must(c, "run", reinforce_run_hash(t), 0);
    r1_checkpoint_counter(c, "update", &r->adam.n_step);
    r1_run_counts(r, c);
    r1_checkpoint_block(c, "reference", t->reference);
}

/* ---- traces ---------------------------------------------------------------------------------- */

static double reinforce_progress_of(const r1_reinforcer *t)
{
    return (double)t->run.step / (double)t->o.n_step;
}

static r1_status draw_cases(r1_reinforcer *t, r1_rng *rng, r1_err *err)
{
    size_t pool = r1_curriculum_pool(&t->curriculum, reinforce_progress_of(t));
    r1_data_rows_clear(&t->cases.rows);
    for (uint32_t i = 0; i < t->o.n_case; i++) {
        uint32_t u = t->curriculum.order[r1_rng_below(rng, pool)];
        R1_TRY(r1_data_rows_add(&t->cases.rows, &t->run.train, &t->run.train.unit[u], err));
    }
    return R1_OK;
}

/* What the reward model says of each verdict at some nodes. */
static r1_status ask_judge(r1_reinforcer *t, const r1_node *node, const size_t *place, size_t n,
                           r1_err *err)
{
    r1_calibration c = {1, 0};
    const r1_desc *d = t->judge_model->desc;
    for (uint32_t h = 0; h < d->n_headc; h++)
        if (d->head[h].output == t->judge.output) c = t->judge_model->calibration[h];
    R1_TRY(r1_actor_run(&t->judge, &t->run.train, &t->cases.rows, node, n, err));
    for (size_t i = 0; i < n; i++)
        for (uint32_t v = 0; v < t->cases.rules.n_verdict; v++) {
            double x = (double)r1_actor_logits(&t->judge)[i * r1_actor_stride(&t->judge) + v];
            t->worth[place[i] * t->cases.rules.n_verdict + v] =
                1 / (1 + exp(-((double)c.scale * x + (double)c.bias)));
        }
    return R1_OK;
}

/* The label says whether this verdict was right this once; the reward model how often such a
 * trace is. The mixture keeps the mean. */
static r1_status reinforce_reward(r1_reinforcer *t, r1_err *err)
{
    r1_rollout *r = &t->cases.rollout;
    for (size_t i = 0; i < r->n_trace; i++) t->reward[i] = r->trace[i].reward;
    if (!t->judge_model) return R1_OK;
    memset(t->spoken, 0, r->n_node * sizeof *t->spoken);
    for (size_t i = 0; i < r->n_trace; i++) t->spoken[r->trace[i].node] = true;
    for (size_t at = 0; at < r->n_node;) {
        r1_node node[NODES_RUN];
        size_t place[NODES_RUN], n = 0;
        for (; at < r->n_node && n < NODES_RUN; at++)
            if (t->spoken[at]) place[n] = at, node[n++] = r->node[at];
        if (n > 0) R1_TRY(ask_judge(t, node, place, n, err));
    }
    for (size_t i = 0; i < r->n_trace; i++) {
        const r1_trace *x = &r->trace[i];
        double worth = t->worth[x->node * t->cases.rules.n_verdict + x->verdict];
        t->reward[i] += t->o.reward_share * (worth - (x->right ? 1 : 0));
    }
    return R1_OK;
}

static void reinforce_weigh(r1_reinforcer *t)
{
    r1_rollout *r = &t->cases.rollout;
    r1_advantages(t->o.variant, t->reward, t->cases.rows.n, t->o.n_group, t->advantage);
    for (size_t i = 0; i < r->n_decision; i++) {
        r1_decision *d = &r->decision[i];
        d->advantage = t->advantage[d->trace];
        d->weight = r1_decision_weight(t->o.variant, r->n_trace, r->trace[d->trace].n_decision,
                                       t->cases.rules.n_ask_max + 1);
    }
}

/* ---- updates --------------------------------------------------------------------------------- */

/* Calls fn on runs of nodes that have been scored, with the decisions made there. */
typedef r1_status (*chunk_fn)(r1_reinforcer *t, r1_decision *d, size_t n, r1_err *err);

static r1_status over_nodes(r1_reinforcer *t, chunk_fn fn, r1_err *err)
{
    r1_rollout *r = &t->cases.rollout;
    size_t from = 0;
    for (size_t at = 0; at < r->n_node; at += t->actor.cap) {
        size_t n = r->n_node - at < t->actor.cap ? r->n_node - at : t->actor.cap, to = from;
        R1_TRY(r1_actor_run(&t->actor, &t->run.train, &t->cases.rows, r->node + at, n, err));
        while (to < r->n_decision && r->decision[to].row < at + n) r->decision[to++].row -= at;
        r1_status st = fn(t, r->decision + from, to - from, err);
        for (; from < to; from++) r->decision[from].row += at;
        R1_TRY(st);
    }
    return R1_OK;
}

static r1_status reinforce_refer(r1_reinforcer *t, r1_decision *d, size_t n, r1_err *err)
{
    double log_prob[R1_ACTIONS_MAX];
    (void)err;
    for (size_t i = 0; i < n; i++) {
        r1_policy_log(r1_actor_logits(&t->actor) + d[i].row * r1_actor_stride(&t->actor),
                      t->cases.rollout.n_action, d[i].permitted, log_prob);
        d[i].ref_log = log_prob[d[i].action];
    }
    return R1_OK;
}

static r1_status reinforce_gradient(r1_reinforcer *t, r1_decision *d, size_t n, r1_err *err)
{
    /* what keeps the policy trying fades: over the last fifth of the steps reward alone counts */
    r1_policy_terms terms = {t->o.ratio_clip, t->o.kl,
                             t->o.entropy * fmax(0, 1 - reinforce_progress_of(t) / 0.8)};
    double loss =
        r1_policy_loss(&terms, d, n, r1_actor_logits(&t->actor), r1_actor_stride(&t->actor),
                       t->cases.rollout.n_action, r1_actor_grad(&t->actor), &t->stats);
    R1_TRY(r1_run_check_loss(&t->run, loss, err));
    return r1_actor_backward(&t->actor, err);
}

static r1_status refer_all(r1_reinforcer *t, r1_err *err)
{
    r1_model *m = t->run.m;
    float *now = m->weights;
    m->weights = t->reference;
    r1_status st = over_nodes(t, reinforce_refer, err);
    m->weights = now;
    return st;
}

static double reinforce_rate(const r1_reinforcer *t)
{
    return r1_adamw_rate(t->run.o->lr, t->o.warmup, reinforce_progress_of(t));
}

static r1_status reinforce_update(r1_reinforcer *t, r1_err *err)
{
    if (t->o.kl > 0) R1_TRY(refer_all(t, err));
    for (uint32_t pass = 0; pass < t->o.n_pass; pass++) {
        t->stats = (r1_policy_stats){0};
        R1_TRY(over_nodes(t, reinforce_gradient, err));
        r1_run_descend(&t->run, &t->actor.parallel, reinforce_rate(t));
    }
    return R1_OK;
}

static r1_status reinforce_learn(r1_run *r, double *loss, r1_err *err)
{
    r1_reinforcer *t = reinforcer_of(r);
    r1_cases *c = &t->cases;
    r1_rng rng;
    (void)loss; /* traces earn; no one number is descended */
    r1_rng_seed(&rng, r->o->seed ^ (r->step + 1) * 0x9e3779b97f4a7c15u);
    R1_TRY(draw_cases(t, &rng, err));
    R1_TRY(r1_rollout_run(&c->rollout, &c->rules, &t->actor, &r->train, &c->rows, t->o.n_group,
                          false, &rng, err));
    R1_TRY(reinforce_reward(t, err));
    reinforce_weigh(t);
    R1_TRY(reinforce_update(t, err));
    t->figures = (r1_policy_eval){0};
    r1_rollout_add(&t->figures, &c->rollout);
    r1_rollout_means(&t->figures);
    t->sampled = t->figures;
    return R1_OK;
}

static void reinforce_note(r1_run *r, double loss)
{
    const r1_reinforcer *t = reinforcer_of(r);
    const r1_policy_eval *e = &t->figures;
    char text[96];
    (void)loss;
    snprintf(text, sizeof text, "reward %.4f right %.3f asks %.2f", e->reward, e->right, e->n_ask);
    r1_pace_say(&r->pace, r->o->progress, r->step, t->o.n_step, text);
}

static r1_status reinforce_turn(r1_run *r, bool *due, r1_err *err)
{
    (void)err;
    *due |= r->step == reinforcer_of(r)->o.n_step;
    return R1_OK;
}

static bool reinforce_over(const r1_run *r) { return r->step >= reinforcer_seen(r)->o.n_step; }

/* ---- validation and the end ------------------------------------------------------------------ */

static r1_status reinforce_judge(r1_reinforcer *t, r1_err *err)
{
    r1_cases *c = &t->cases;
    return r1_rollout_judge(&c->rollout, &c->rules, &t->actor, &t->run.valid, &c->rows, NULL, NULL,
                            &t->figures, err);
}

static r1_status reinforce_validate(r1_run *r, double *value, r1_err *err)
{
    r1_reinforcer *t = reinforcer_of(r);
    R1_TRY(reinforce_judge(t, err));
    *value = t->figures.reward;
    return R1_OK;
}

static r1_status reinforce_end(r1_run *r, r1_err *err)
{
    r1_reinforcer *t = reinforcer_of(r);
    t->report =
        (r1_reinforce_report){.n_step = r->step, .n_trace = r->step * t->o.n_case * t->o.n_group};
    if (r->has_valid) {
        R1_TRY(r1_run_keep_best(r, err));
        R1_TRY(reinforce_judge(t, err));
        t->report.valid = t->figures;
    }
    t->figures = t->report.valid;
    r->m->trained_samples = r->trained_before + t->report.n_trace;
    t->report.seconds = r1_pace_seconds(&r->pace);
    return R1_OK;
}

static void reinforce_figures(const r1_run *r, r1_event_kind event, FILE *f)
{
    const r1_reinforcer *t = reinforcer_seen(r);
    const r1_policy_eval *e = &t->figures;
    size_t n = t->cases.rollout.n_decision;
    double decisions = n ? (double)n : 1;
    r1_metric_seconds(f, r);
    r1_metric(f, "reward", e->reward);
    r1_metric(f, "right", e->right);
    r1_metric(f, "cost", e->cost);
    r1_metric(f, "asks", e->n_ask);
    if (event != R1_EVENT_TRAIN) return;
    r1_metric(f, "lr", reinforce_rate(t));
    r1_metric(f, "entropy", t->stats.entropy / decisions);
    r1_metric(f, "kl", t->stats.kl / decisions);
    r1_metric(f, "clipped", t->stats.clipped / decisions);
}

/* ---- the stage ------------------------------------------------------------------------------- */

static const r1_stage reinforce = {
    .name = "reinforce",
    .what = "reinforce",
    .lr = R1_DEFAULT_LR_REINFORCE,
    .checkpoint_every = R1_DEFAULT_CASES_CHECKPOINT_EVERY,
    .valid_every = R1_DEFAULT_CASES_VALID_EVERY,
    .note_every = 10,
    .keeps_end = true,
    .check = reinforce_check,
    .prepare = reinforce_prepare,
    .start = reinforce_start,
    .step = reinforce_learn,
    .note = reinforce_note,
    .turn = reinforce_turn,
    .over = reinforce_over,
    .validate = reinforce_validate,
    .finish = reinforce_end,
    .figures = reinforce_figures,
    .state = reinforce_state,
    .free = reinforce_release,
};

r1_status r1_reinforcer_new(r1_reinforcer **out, const r1_reinforce_opts *opts, r1_err *err)
{
    r1_reinforcer *t = calloc(1, sizeof *t);
    if (!t) R1_FAIL(err, R1_E_NOMEM, "reinforce: out of memory");
    t->o = *opts;
    reinforce_fill(&t->o);
    t->cases.n_case = t->o.n_case;
    t->cases.n_group = t->o.n_group;
    R1_TRY(r1_run_begin(&t->run, &reinforce, &t->o.run, err));
    *out = t;
    return R1_OK;
}

r1_status r1_reinforcer_step(r1_reinforcer *t, r1_policy_eval *mean, bool *done, r1_err *err)
{
    double loss;
    t->sampled = (r1_policy_eval){0};
    R1_TRY(r1_run_step(&t->run, &loss, done, err));
    if (mean) *mean = t->sampled;
    return R1_OK;
}

r1_status r1_reinforcer_checkpoint(r1_reinforcer *t, const char *path, r1_err *err)
{
    return r1_run_checkpoint(&t->run, path, err);
}

r1_status r1_reinforcer_finish(r1_reinforcer *t, r1_reinforce_report *report, r1_err *err)
{
    R1_TRY(r1_run_finish(&t->run, err));
    if (report) *report = t->report;
    return R1_OK;
}

const r1_model *r1_reinforcer_model(const r1_reinforcer *t) { return t->run.m; }
uint64_t r1_reinforcer_n_step(const r1_reinforcer *t) { return t->run.step; }

void r1_reinforcer_free(r1_reinforcer *t)
{
    if (t) r1_run_free(&t->run);
}

r1_status r1_reinforce(const r1_reinforce_opts *opts, r1_reinforce_report *report, r1_err *err)
{
    r1_reinforcer *t;
    R1_TRY(r1_reinforcer_new(&t, opts, err));
    r1_status st = r1_run_all(&t->run, err);
    if (st == R1_OK) st = r1_reinforcer_finish(t, report, err);
    r1_reinforcer_free(t);
    return st;
}
