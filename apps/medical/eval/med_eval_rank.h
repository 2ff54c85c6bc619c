/* SPDX-License-Identifier: Apache-2.0 */
/* med_eval_rank.h - how often the right disease comes first: ranking figures over published
 * cases. Ties count by the position in the list (equal scores by number of the disease), so that
 * the same input gives the same figure. */
#ifndef MED_EVAL_RANK_H
#define MED_EVAL_RANK_H

#include "eval/med_cases.h"
#include "r1_train.h"
#include "rank/med_rerank.h"

typedef struct {
    bool leave_publication_out;
    bool
        /* leave out only rows that cite nothing else (the rule of the marks of 2026-11, which is
         * lenient) */
        sole;
    bool pin; /* key findings are anchors */
    bool progress;
    med_reranker *const *
        /* [MED_FOLDS]: each case goes to the model that did not see its disease; NULL: no R1 */
        fold;
    med_reranker *const
        *f32; /* [MED_FOLDS]: the same models in f32, to compare `fold` in int8 with; NULL: none */
} med_eval_rank_opts;

typedef struct {
    uint32_t n, n_covered, n_unknown_term;
    double top1, top3, top5, top10, top1_covered, top3_covered, top10_covered, mrr, ece,
        ms_per_case;
    double top1_f32; /* NaN: not asked for */
    r1_comparison
        int8; /* first: f32, second: fold; equal scores count for neither, in top1 by their place */
} med_eval_rank_result;

r1_status med_eval_rank(med_ranker *r, const med_cases *cases, const med_eval_rank_opts *opts,
                        med_eval_rank_result *out, r1_err *err);

#endif
