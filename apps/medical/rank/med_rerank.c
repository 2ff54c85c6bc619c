/* SPDX-License-Identifier: Apache-2.0 */
/* med_rerank.c - see med_rerank.h. The one place that knows both the ranking's features and the
 * model's items.
 *
 * The description is printed by hand, because models and shards store its very bytes, spaces
 * included. Its names come from the tables of this program, so none needs an escape. */
#include "rank/med_rerank.h"

#include "r1_assert.h"
#include "r1_backend.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    N_CONTEXT = 5,
    N_FIT = 6 + 2 * N_CONTEXT,
    N_MATCH = 10,
    N_TYPICAL = 2,
    N_AGAINST = 4,
    FREQ_BANDS = 3
};
enum { BUCKETS = 4 * FREQ_BANDS, RECORD = 1 /* the one entity of the working memory */ };

const char *const MED_ITEM_NAME[MED_N_ITEM] = {"fit", "findings", "match", "typical", "against"};

/* Features as they stand; of the first N_CONTEXT of the fit also place and distance in the list. */
static const uint8_t fit_feature[6] = {MED_F_SCORE,  MED_F_ONEWAY,   MED_F_LR,
                                       MED_F_SIMGIC, MED_F_COVERAGE, MED_F_MEMORY};
static const uint8_t match_feature[N_MATCH - 1] = {MED_F_EXACT,   MED_F_BROADER,  MED_F_UNEXPLAINED,
                                                   MED_F_BEST_IC, MED_F_WORST_IC, MED_F_MEAN_IC,
                                                   MED_F_LR_MAX,  MED_F_LR_MIN,   MED_F_FREQ_MEAN};
/* The profile's size is not among them: the case's own publication is taken out of the right
 * disease alone, so that its size would say which one it is. The likelihood's small, fixed
 * correction for size stands in the score. */
static const uint8_t typical_feature[N_TYPICAL] = {MED_F_MISSING, MED_F_MISSING_TOP};
static const uint8_t against_feature[N_AGAINST] = {MED_F_SEX, MED_F_ONSET, MED_F_INHERITED,
                                                   MED_F_ORPHANET};

/* ---- description ----------------------------------------------------------------------------- */

static void rerank_put_names(FILE *f, const uint8_t *feature, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fprintf(f, "%s\"%s\"", i ? ", " : "", med_feature_name[feature[i]]);
}

static void rerank_put_table(FILE *f, const char *name, const uint8_t *feature, size_t n,
                             const char *more, int hidden)
{
    fprintf(f, "  {\"name\": \"%s\", \"kind\": \"table\", \"num\": [", name);
    rerank_put_names(f, feature, n);
    fprintf(f, "%s], \"n_bin\": 10, \"hidden\": %d}", more, hidden);
}

r1_status med_description(const char *kind, char **json, r1_err *err)
{
    size_t len;
    FILE *f = open_memstream(json, &len);
    if (!f) R1_FAIL(err, R1_E_NOMEM, "no memory for the description");
    fprintf(f, "{\"name\": \"medical-b\", \"d_align\": 64, \"d_model\": 48, \"n_layer\": 2, "
               "\"n_head\": 4, "
               "\"n_head_cross\": 4, \"d_ff\": 96,\n \"beta\": 0.3, \"cawa_length\": true, "
               "\"cawa_context\": true, "
               "\"step_loss\": 0.2,\n \"event\": {\"num\": [");
    for (int i = 0; i < MED_N_EVENT_NUM; i++)
        fprintf(f, "%s\"%s\"", i ? ", " : "", MED_EVENT_NUM[i]);
    fprintf(f,
            "], \"cat\": [{\"name\": \"system\", \"n\": %d}], \"n_bin\": 8, \"d_cat\": 8, "
            "\"hidden\": 32, "
            "\"d_memory\": 32, \"n_head\": 4},\n \"items\": [\n",
            MED_N_SYSTEM);
    fprintf(f, "  {\"name\": \"fit\", \"kind\": \"table\", \"num\": [");
    rerank_put_names(f, fit_feature, R1_COUNT(fit_feature));
    for (int i = 0; i < N_CONTEXT; i++)
        fprintf(f, ", \"place_%s\", \"behind_%s\"", med_feature_name[fit_feature[i]],
                med_feature_name[fit_feature[i]]);
    fprintf(f, "], \"n_bin\": 10, \"hidden\": 48},\n");
    fprintf(f,
            "  {\"name\": \"findings\", \"kind\": \"memory\", \"query\": \"fit\", \"n_ref_max\": "
            "%d, \"n_bucket\": "
            "%d},\n",
            MED_RING, BUCKETS);
    rerank_put_table(f, "match", match_feature, R1_COUNT(match_feature), ", \"n_findings\"", 32);
    fprintf(f, ",\n");
    rerank_put_table(f, "typical", typical_feature, N_TYPICAL, "", 16);
    fprintf(f, ",\n");
    rerank_put_table(f, "against", against_feature, N_AGAINST, "", 16);
    fprintf(f, "],\n \"heads\": [{\"name\": \"disease\", \"kind\": \"%s\"}]}\n", kind);
    if (fclose(f)) R1_FAIL(err, R1_E_NOMEM, "no memory for the description");
    return R1_OK;
}

/* ---- samples --------------------------------------------------------------------------------- */

typedef struct {
    float fit[N_FIT], match[N_MATCH], typical[N_TYPICAL], against[N_AGAINST];
    uint64_t ref[MED_RING];
    float log_weight[MED_RING];
    uint8_t bucket[MED_RING];
    r1_item item[MED_N_ITEM];
} row;

struct med_samples {
    row row[MED_RERANK_MAX];
    med_match *match; /* [n][n_observed] */
    size_t cap_match;
};

r1_status med_samples_new(med_samples **out, r1_err *err)
{
    *out = calloc(1, sizeof **out);
    if (!*out) R1_FAIL(err, R1_E_NOMEM, "no memory for samples");
    return R1_OK;
}

void med_samples_free(med_samples *s)
{
    if (!s) return;
    free(s->match);
    free(s);
}

static uint8_t rerank_bucket_of(const med_match *m)
{
    int band = m->freq < 0.1f ? 0 : m->freq < 0.5f ? 1 : 2;
    return (uint8_t)((int)m->kind * FREQ_BANDS + (m->kind == MED_MATCH_NONE ? 0 : band));
}

static void fill_tables(row *x, const med_candidate *c, uint32_t n_observed)
{
    for (size_t i = 0; i < R1_COUNT(fit_feature); i++) x->fit[i] = c->feature[fit_feature[i]];
    for (size_t i = 0; i < R1_COUNT(match_feature); i++) x->match[i] = c->feature[match_feature[i]];
    x->match[N_MATCH - 1] = (float)n_observed;
    for (size_t i = 0; i < N_TYPICAL; i++) x->typical[i] = c->feature[typical_feature[i]];
    for (size_t i = 0; i < N_AGAINST; i++) x->against[i] = c->feature[against_feature[i]];
}

/* How many of the list stand before each candidate by one feature, as a log, and how far behind
 * the best it is. */
static void fill_context(med_samples *s, const med_candidate *list, uint32_t n)
{
    for (uint32_t k = 0; k < N_CONTEXT; k++) {
        uint8_t feature = fit_feature[k];
        float best = -1e30f;
        for (uint32_t i = 0; i < n; i++) best = fmaxf(best, list[i].feature[feature]);
        for (uint32_t i = 0; i < n; i++) {
            float v = list[i].feature[feature];
            uint32_t before = 0;
            for (uint32_t j = 0; j < n; j++) before += list[j].feature[feature] > v;
            s->row[i].fit[R1_COUNT(fit_feature) + 2 * k] = log1pf((float)before);
            s->row[i].fit[R1_COUNT(fit_feature) + 2 * k + 1] = best - v;
        }
    }
}

static void fill_refs(row *x, const med_match *match, uint32_t n, const med_anchor *anchor,
                      const uint64_t *ref)
{
    uint32_t k = 0;
    for (uint32_t i = 0; i < n && k < MED_RING; i++) {
        if (!anchor[i].held) continue;
        x->ref[k] = ref[i];
        x->bucket[k] = rerank_bucket_of(&match[i]);
        x->log_weight[k++] = med_anchor_log_weight(&anchor[i]);
    }
    x->item[0] = (r1_item){.present = true, .num = x->fit};
    x->item[MED_ITEM_FINDINGS] = (r1_item){.present = k > 0,
                                           .n_ref = k,
                                           .ref = x->ref,
                                           .bucket = x->bucket,
                                           .log_weight = x->log_weight};
    x->item[2] = (r1_item){.present = true, .num = x->match};
    x->item[3] = (r1_item){.present = true, .num = x->typical};
    x->item[4] = (r1_item){.present = true, .num = x->against};
}

r1_status med_samples_fill(med_samples *s, med_ranker *r, const med_candidate *list, uint32_t n,
                           const med_anchor *anchor, const uint64_t *ref, r1_err *err)
{
    const med_case *c = med_case_of(r);
    size_t need = (size_t)n * c->n_observed;
    if (n > MED_RERANK_MAX)
        R1_FAIL(err, R1_E_INVAL, "%u candidates, at most %d are weighed", n, MED_RERANK_MAX);
    if (need > s->cap_match) {
        med_match *m = r1_realloc_array(s->match, need * 2, sizeof *m);
        if (!m) R1_FAIL(err, R1_E_NOMEM, "no memory for %zu matches", need);
        s->match = m;
        s->cap_match = need * 2;
    }
    med_explain_list(r, list, n, s->match);
    for (uint32_t i = 0; i < n; i++) {
        fill_tables(&s->row[i], &list[i], c->n_observed);
        fill_refs(&s->row[i], s->match + (size_t)i * c->n_observed, c->n_observed, anchor, ref);
    }
    fill_context(s, list, n);
    return R1_OK;
}

const r1_item *med_samples_item(const med_samples *s, uint32_t candidate)
{
    return s->row[candidate].item;
}

uint32_t med_case_anchors(const med_kb *kb, const med_case *c, med_anchor *out, uint32_t max)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->n_observed && n < max; i++) {
        if (c->observed[i] >= kb->n_term) continue;
        out[n++] = (med_anchor){
            .term = c->observed[i], .source = i, .certainty = c->weight ? c->weight[i] : 1};
    }
    return n;
}

/* ---- scoring --------------------------------------------------------------------------------- */

struct med_reranker {
    const r1_model *model;
    r1_session *session;
    r1_memory *memory;
    med_samples *samples;
    r1_sample sample[MED_RING + MED_RERANK_MAX];
    r1_item absent[MED_N_ITEM];
    uint64_t handle[MED_FINDINGS_MAX];
};

void med_reranker_name(const r1_model *m, r1_precision precision, char *text, size_t cap)
{
    bool int8 = precision == R1_PRECISION_INT8, cpu = !strcmp(r1_device_name(), "cpu");
    snprintf(text, cap, "%s%s%s%s", r1_model_name(m), int8 ? " (int8)" : "", cpu ? "" : " on ",
             cpu ? "" : r1_device_name());
}

r1_status med_reranker_new(med_reranker **out, const r1_model *m, r1_precision precision,
                           r1_err *err)
{
    char *json = NULL;
    r1_status st = med_description("rank", &json, err);
    if (st == R1_OK) st = r1_model_check_schema(m, json, err);
    free(json);
    R1_TRY(st);
    med_reranker *x = calloc(1, sizeof *x);
    if (!x) R1_FAIL(err, R1_E_NOMEM, "no memory for a re-ranker");
    r1_session_opts so = {.n_sample_max = MED_RERANK_MAX + MED_RING, .precision = precision};
    r1_memory_opts mo = {.bytes_max = (size_t)4 << 20, .quota = MED_RING, .n_entity_max = 4};
    x->model = m;
    st = r1_session_new(&x->session, m, &so, err);
    if (st == R1_OK) st = r1_memory_new(&x->memory, m, &mo, err);
    if (st == R1_OK) st = med_samples_new(&x->samples, err);
    if (st != R1_OK) {
        med_reranker_free(x);
        return st;
    }
    *out = x;
    return R1_OK;
}

void med_reranker_free(med_reranker *x)
{
    if (!x) return;
    med_samples_free(x->samples);
    r1_session_free(x->session);
    r1_memory_free(x->memory);
    free(x);
}

/* The findings that the ring holds become entries: each rides on a candidate's sample, which
 * does not read it as its own; where there are more findings than candidates, on samples without
 * items. Returns the number of samples. */
static uint32_t rerank_add_events(med_reranker *x, const med_anchor *anchor, uint32_t n_anchor,
                                  uint32_t n)
{
    uint32_t k = 0;
    for (uint32_t i = 0; i < n_anchor; i++) {
        if (!x->handle[i]) continue;
        if (k >= n) x->sample[k] = (r1_sample){.item = x->absent};
        x->sample[k].event = (r1_event){anchor[i].num, &anchor[i].system};
        x->sample[k++].event_handle = x->handle[i];
    }
    return k > n ? k : n;
}

/* Logits and probabilities, best first, with the trace of each. Returns the probability of none. */
static float take_result(const r1_result *res, med_candidate *list, uint32_t n, double *trace)
{
    size_t steps = res->n_step + 1;
    double own[MED_RERANK_MAX][MED_N_TRACE];
    uint32_t disease[MED_RERANK_MAX];
    R1_ASSERT(steps == MED_TRACE_DENIED, "%zu steps of evidence", steps);
    for (uint32_t i = 0; i < n; i++) {
        list[i].logit = res->logit[i];
        disease[i] = list[i].disease;
        memcpy(own[i], res->trace + i * steps, steps * sizeof own[i][0]);
        own[i][MED_TRACE_DENIED] = (double)list[i].denied;
    }
    float none = med_posterior(list, n);
    for (uint32_t i = 0; i < n && trace; i++)
        for (uint32_t j = 0; j < n; j++)
            if (disease[j] == list[i].disease)
                memcpy(trace + (size_t)i * MED_N_TRACE, own[j], sizeof own[j]);
    return none;
}

r1_status med_rerank(med_reranker *x, med_ranker *r, const med_anchor *anchor, uint32_t n_anchor,
                     med_candidate *list, uint32_t *n, float *none, double *trace, r1_err *err)
{
    const med_case *c = med_case_of(r);
    uint64_t ticket;
    r1_result res;
    if (*n > MED_RERANK_MAX) *n = MED_RERANK_MAX;
    *none = 1;
    if (*n == 0) return R1_OK;
    if (n_anchor > MED_FINDINGS_MAX || n_anchor != c->n_observed)
        R1_FAIL(err, R1_E_INVAL, "%u anchors for %u findings, at most %d", n_anchor, c->n_observed,
                MED_FINDINGS_MAX);
    R1_TRY(r1_memory_begin(x->memory, &ticket, err));
    r1_status st = med_anchors_append(x->memory, ticket, RECORD, anchor, n_anchor, x->handle, err);
    if (st == R1_OK) st = med_samples_fill(x->samples, r, list, *n, anchor, x->handle, err);
    if (st != R1_OK) {
        r1_memory_cancel(x->memory, ticket);
        return st;
    }
    for (uint32_t i = 0; i < *n; i++)
        x->sample[i] = (r1_sample){.item = med_samples_item(x->samples, i), .id = list[i].disease};
    uint32_t n_sample = rerank_add_events(x, anchor, n_anchor, *n);
    r1_batch batch = {
        .sample = x->sample, .n_sample = n_sample, .pool = x->memory, .ticket = ticket};
    st = r1_session_run(x->session, &batch, &res, err);
    if (st == R1_OK) *none = take_result(&res, list, *n, trace);
    r1_memory_forget(x->memory, RECORD);
    return st;
}

r1_status med_rerank_case(med_reranker *x, med_ranker *r, const med_case *c, bool pin,
                          med_candidate *list, uint32_t *n, float *none, r1_err *err)
{
    static _Thread_local med_anchor anchor[MED_FINDINGS_MAX];
    med_case_open(r, c);
    R1_TRY(med_rank(r, list, MED_RERANK_MAX, n, err));
    if (!x) {
        *none = med_posterior_likelihood(list, *n);
        return R1_OK;
    }
    uint32_t n_anchor = med_case_anchors(med_ranker_kb(r), c, anchor, MED_FINDINGS_MAX);
    med_anchors_plan(med_ranker_kb(r), anchor, n_anchor, pin);
    return med_rerank(x, r, anchor, n_anchor, list, n, none, NULL, err);
}
