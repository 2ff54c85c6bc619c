/* SPDX-License-Identifier: Apache-2.0 */
/* med_rerank.h - R1 over the candidates of the likelihood ranking: one sample per candidate, one
 * group per record. Its evidence steps:
 *
 *   fit       what the ranking measured of the candidate, and where that stands in the list (table)
 *   findings  the record's findings in working memory; pinned ones weigh more (memory). A bucket
 *             per finding says how the candidate matches it: kind of match, frequency.
 *   match     exact, broader, unexplained; strongest and weakest likelihood ratio (table)
 *   typical   what the disease usually shows and the record does not report (table)
 *   against   sex, age, profile of a parent, Orphanet group (table)
 *
 * R1 gives the calibrated logit, with "none of these" at 0; med_posterior adds the denials. R1
 * reads nothing of them: published lists of excluded findings are the columns of the disease's own
 * table, so that it would learn a denial as a sign of the disease. Training writes the very same
 * samples.
 *
 * Owns:    session, working memory, scratch. Borrows model and knowledge base.
 * Threads: one per re-ranker. */
#ifndef MED_RERANK_H
#define MED_RERANK_H

#include "anchors/med_anchors.h"
#include "r1_session.h"
#include "rank/med_rank.h"

/* Candidates that R1 re-ranks; findings of one record; evidence steps, and which one is memory. */
enum { MED_RERANK_MAX = 50, MED_FINDINGS_MAX = 512, MED_N_ITEM = 5, MED_ITEM_FINDINGS = 1 };
extern const char *const MED_ITEM_NAME[MED_N_ITEM];
/* What the logit is the sum of: the prior, what each evidence step added, the denials. */
enum {
    MED_TRACE_PRIOR,
    MED_TRACE_ITEM,
    MED_TRACE_DENIED = MED_TRACE_ITEM + MED_N_ITEM,
    MED_N_TRACE
};

/* The model's description (JSON), malloc'ed. kind, of its head: "rank" for lists, as it serves;
 * "binary" for single candidates, which the evidence policy learns from. */
r1_status med_description(const char *kind, char **json, r1_err *err);

/* The samples of one list, in its order. Where refs point is the caller's: ref[i] of anchor i
 * that is held. */
typedef struct med_samples med_samples;
r1_status med_samples_new(med_samples **out, r1_err *err);
void med_samples_free(med_samples *s); /* NULL is fine */
/* list: as med_rank gave it for the case that is open in r, n <= MED_RERANK_MAX; anchors in the
 * order of the case's observed findings. */
r1_status med_samples_fill(med_samples *s, med_ranker *r, const med_candidate *list, uint32_t n,
                           const med_anchor *anchor, const uint64_t *ref, r1_err *err);
const r1_item *med_samples_item(const med_samples *s, uint32_t candidate);

typedef struct med_reranker med_reranker;
/* How reports name a model and its precision, with its NUL. */
void med_reranker_name(const r1_model *m, r1_precision precision, char *text, size_t cap);
r1_status med_reranker_new(med_reranker **out, const r1_model *m, r1_precision precision,
                           r1_err *err);
void med_reranker_free(med_reranker *x); /* NULL is fine */

/* Findings of a query as anchors to be planned: one per observed term. n <= max. */
uint32_t med_case_anchors(const med_kb *kb, const med_case *c, med_anchor *out, uint32_t max);

/* Scores and sorts list[0..n) and fills logit and posterior. Candidates beyond MED_RERANK_MAX are
 * dropped, and *n says so. The list answers the case that is open in r.
 * anchor: planned, one for each of the n_anchor findings of that case. trace: NULL, or MED_N_TRACE
 * numbers per candidate in the new order. none: probability that it is none of these. */
r1_status med_rerank(med_reranker *x, med_ranker *r, const med_anchor *anchor, uint32_t n_anchor,
                     med_candidate *list, uint32_t *n, float *none, double *trace, r1_err *err);
/* A whole case: opens it, finds the candidates, plans its anchors (pin as in med_anchors_plan) and
 * judges them, by the likelihood where x is NULL. list has room for MED_RERANK_MAX. At most
 * MED_FINDINGS_MAX observed findings. */
r1_status med_rerank_case(med_reranker *x, med_ranker *r, const med_case *c, bool pin,
                          med_candidate *list, uint32_t *n, float *none, r1_err *err);

#endif
