/* SPDX-License-Identifier: Apache-2.0 */
/* med_eval_rank.c - see med_eval_rank.h. */
#include "eval/med_eval_rank.h"

#include "cli/r1_cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LIST = MED_RERANK_MAX, BINS = 15 };

typedef struct {
    float p;
    bool right;
} guess;

static int by_p(const void *a, const void *b)
{
    float x = ((const guess *)a)->p, y = ((const guess *)b)->p;
    return (x > y) - (x < y);
}

/* Expected calibration error of the first place's probability, 15 bins of equal mass. */
static double ece_of(guess *g, size_t n)
{
    double sum = 0;
    if (n == 0) return NAN;
    qsort(g, n, sizeof *g, by_p);
    for (size_t b = 0; b < BINS; b++) {
        size_t lo = n * b / BINS, hi = n * (b + 1) / BINS;
        double p = 0, right = 0;
        for (size_t i = lo; i < hi; i++) p += g[i].p, right += g[i].right;
        sum += fabs(p - right);
    }
    return sum / (double)n;
}

typedef struct {
    uint32_t at[11]; /* at[k]: cases whose disease stood at place <= k */
    double reciprocal;
} tally;

static void eval_rank_count(tally *t, uint32_t place)
{
    if (place == 0) return;
    t->reciprocal += 1.0 / place;
    for (uint32_t k = place; k <= 10; k++) t->at[k]++;
}

/* From 1; 0: not in the list. */
static uint32_t eval_rank_place_of(const med_candidate *list, uint32_t n, uint32_t disease)
{
    for (uint32_t k = 0; k < n; k++)
        if (list[k].disease == disease) return k + 1;
    return 0;
}

/* The last word on what med_rank found: R1's, or without R1 the likelihood's. */
static r1_status eval_rank_judge(med_ranker *r, med_reranker *x, bool pin, med_candidate *list,
                                 uint32_t *n, r1_err *err)
{
    static _Thread_local med_anchor anchor[MED_FINDINGS_MAX];
    float none;
    if (x) {
        uint32_t n_anchor =
            med_case_anchors(med_ranker_kb(r), med_case_of(r), anchor, MED_FINDINGS_MAX);
        med_anchors_plan(med_ranker_kb(r), anchor, n_anchor, pin);
        return med_rerank(x, r, anchor, n_anchor, list, n, &none, NULL, err);
    }
    med_posterior_likelihood(list, *n);
    return R1_OK;
}

/* The logits of all candidates of all cases, by two judges. */
typedef struct {
    float *first, *second, *label; /* [n * LIST] */
    uint64_t *group;
    size_t n;
} pairs;

static r1_status pairs_new(pairs *p, size_t n, r1_err *err)
{
    size_t all = n * LIST + 1;
    *p = (pairs){calloc(all, sizeof(float)), calloc(all, sizeof(float)), calloc(all, sizeof(float)),
                 calloc(all, sizeof(uint64_t)), 0};
    if (!p->first || !p->second || !p->label || !p->group)
        R1_FAIL(err, R1_E_NOMEM, "no memory for %zu cases", n);
    return R1_OK;
}

static void pairs_free(pairs *p)
{
    free(p->first);
    free(p->second);
    free(p->label);
    free(p->group);
}

/* Both lists hold the same candidates, each in its own order. */
static void pairs_add(pairs *p, const med_candidate *a, const med_candidate *b, uint32_t n,
                      uint32_t gold)
{
    uint64_t group = p->n ? p->group[p->n - 1] + 1 : 1;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = 0;
        while (k + 1 < n && b[k].disease != a[i].disease) k++;
        p->first[p->n] = a[i].logit;
        p->second[p->n] = b[k].logit;
        p->label[p->n] = a[i].disease == gold;
        p->group[p->n++] = group;
    }
}

/* A case whose list is empty is a miss of both. */
static r1_status pairs_compare(const pairs *p, uint32_t n_case, r1_comparison *c, r1_err *err)
{
    r1_compare_opts o = {p->first, p->second, p->label, p->group, p->n, true, 0, 1};
    R1_TRY(r1_compare(&o, c, err));
    double listed = (double)p->group[p->n - 1] / n_case;
    c->first *= listed, c->second *= listed, c->low *= listed, c->high *= listed;
    return R1_OK;
}

r1_status med_eval_rank(med_ranker *r, const med_cases *cases, const med_eval_rank_opts *opts,
                        med_eval_rank_result *out, r1_err *err)
{
    static _Thread_local med_candidate list[LIST], other[LIST];
    memset(out, 0, sizeof *out);
    guess *g = calloc(cases->n + 1u, sizeof *g);
    if (!g) R1_FAIL(err, R1_E_NOMEM, "no memory for %u cases", cases->n);
    tally all = {0};
    uint32_t f32_first = 0;
    pairs both = {0};
    r1_status st = opts->f32 ? pairs_new(&both, cases->n, err) : R1_OK;
    r1_progress bar;
    r1_progress_begin(&bar, "ranking cases", cases->n);
    int64_t t0 = r1_mono_us();
    for (uint32_t i = 0; i < cases->n && st == R1_OK; i++) {
        const med_case_row *row = &cases->row[i];
        med_case q = med_cases_query(cases, row, opts->leave_publication_out);
        q.skip.sole = opts->sole;
        uint32_t n = 0, place;
        med_case_open(r, &q);
        st = med_rank(r, list, LIST, &n, err);
        memcpy(other, list, n * sizeof *list);
        if (st == R1_OK)
            st = eval_rank_judge(r, opts->fold ? opts->fold[row->fold] : NULL, opts->pin, list, &n,
                                 err);
        if (st == R1_OK && opts->f32) {
            st = eval_rank_judge(r, opts->f32[row->fold], opts->pin, other, &n, err);
            if (st == R1_OK) pairs_add(&both, other, list, n, row->gold_disease);
            f32_first += eval_rank_place_of(other, n, row->gold_disease) == 1;
        }
        place = eval_rank_place_of(list, n, row->gold_disease);
        bool covered = row->gold_disease != MED_NONE && med_covered(r, row->gold_disease);
        out->n_covered += covered;
        eval_rank_count(&all, place);
        g[i] = (guess){n ? list[0].posterior : 0, place == 1};
        if (opts->progress && i % 64 == 0) r1_progress_update(&bar, i, "");
        if (r1_cli_stopped())
            st = r1_err_set(err, R1_E_CANCELLED, __FILE__, __LINE__, "stopped after %u cases", i);
    }
    if (opts->progress) r1_progress_end(&bar, cases->n, "");
    double n = cases->n, c = out->n_covered ? out->n_covered : 1;
    out->n = cases->n;
    out->n_unknown_term = cases->n_unknown_term;
    out->top1 = all.at[1] / n;
    out->top3 = all.at[3] / n;
    out->top5 = all.at[5] / n;
    out->top10 = all.at[10] / n;
    out->top1_covered = all.at[1] / c;
    out->top3_covered = all.at[3] / c;
    out->top10_covered = all.at[10] / c;
    out->top1_f32 = opts->f32 ? f32_first / n : NAN;
    out->mrr = all.reciprocal / n;
    out->ece = ece_of(g, cases->n);
    out->ms_per_case = (double)(r1_mono_us() - t0) / 1e3 / n;
    if (st == R1_OK && both.n) st = pairs_compare(&both, cases->n, &out->int8, err);
    pairs_free(&both);
    free(g);
    return st;
}
