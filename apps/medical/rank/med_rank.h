/* SPDX-License-Identifier: Apache-2.0 */
/* med_rank.h - which diseases explain a set of findings, by likelihood ratios, information content
 * and overlap over the profiles of a knowledge base. R1 re-ranks what is made here; without R1 this
 * ranking is the answer.
 *
 *   one-way   share of the findings' information that the disease accounts for
 *             (Resnik 1995, asymmetric)
 *   LR        sum of log likelihood ratios of the findings (Robinson et al. 2020, LIRICAL)
 *   coverage  share of the disease's expected information that was found
 *   simGIC    weighted Jaccard over both closures (Pesquita et al. 2008)
 *   size      log of the profile's length; it is subtracted, as large profiles match everything
 *
 * Denials, the excluded findings, stand apart. They take no part in choosing candidates, in the
 * score or in a feature: only med_posterior reads their sum, after the probabilities are there.
 *   1. A denied finding is denied with all its descendants. It says nothing of its ancestors.
 *   2. A disease pays for each finding of its own annotation that is denied, once, however often
 *      and by whichever ancestor: w log((1 - f) / (1 - b)), never above 0. f is its frequency in
 *      the disease, b that in all diseases (MED_DENIED_SURE bounds both).
 *   3. A denial of an observed finding, or of an ancestor of one, does not count.
 *   So a denial more never raises a sum, and no order or repetition changes it.
 *
 * Opposites: a finding that is the opposite of what a disease has (med_opposites.h) matches none of
 * the terms that the disease has by that opposite alone, and nothing in general (MED_MATCH_BROAD).
 * It lowers a disease no more than a finding that the disease does not have.
 *
 * Sex: rows that speak of men alone do not count in a woman, and the other way round. Where the sex
 * is not known all rows count.
 *
 * Use:     open a case, then rank, rescore and explain under it as often as needed. The dear part
 *          (ancestors of the findings, profiles without the case's publication) is done once.
 * Owns:    one workspace for the open case. Borrows the knowledge base, and the arrays of the
 *          open case.
 * Threads: one per ranker.
 * Tested:  findings may come in any order. A finding that a disease has never lowers that
 *          disease's LR. A denial raises no disease. Nothing is allocated after med_ranker_new. */
#ifndef MED_RANK_H
#define MED_RANK_H

#include "ontology/med_kb.h"

enum { MED_QUERY_MAX = 64, MED_CANDIDATES_MAX = 512 };
/* What a denial makes of a frequency of 1. Findings that every patient of other publications had
 * are observed in two thirds of the mentions of a case; those of nine in ten, in four fifths. */
#define MED_DENIED_SURE 0.8f
typedef enum { MED_SEX_UNKNOWN = 0, MED_SEX_FEMALE, MED_SEX_MALE } med_sex;

/* What is asked. Of more than MED_QUERY_MAX observed terms the least informative are left out; any
 * number may be excluded. */
typedef struct {
    const uint32_t *observed, *excluded; /* terms */
    const float *weight;                 /* per observed term, 1 = plain; NULL: all 1 */
    uint32_t n_observed, n_excluded;
    med_sex sex;
    float age_years;    /* NaN: unknown */
    med_leave_out skip; /* rows of the case's own publication do not exist */
} med_case;

enum {
    MED_F_SCORE,
    MED_F_ONEWAY,
    MED_F_LR,
    MED_F_COVERAGE,
    MED_F_SIMGIC,
    MED_F_SIZE,
    MED_F_RANK,
    MED_F_GAP,
    MED_F_EXACT,
    MED_F_BROADER,
    MED_F_UNEXPLAINED,
    MED_F_BEST_IC,
    MED_F_WORST_IC,
    MED_F_MEAN_IC,
    MED_F_LR_MAX,
    MED_F_LR_MIN,
    MED_F_FREQ_MEAN,
    MED_F_MISSING,
    MED_F_MISSING_TOP,
    MED_F_SEX,
    MED_F_ONSET,
    MED_F_MEMORY,
    MED_F_INHERITED,
    MED_F_ORPHANET,
    MED_F_COUNT
};
extern const char *const med_feature_name[MED_F_COUNT];

typedef struct {
    uint32_t disease;
    float score; /* of the ranking without R1 */
    float feature[MED_F_COUNT];
    float denied;           /* sum of what the denials say, <= 0 */
    float logit, posterior; /* filled by med_posterior; whoever has the last word gives it logits */
} med_candidate;

/* How one finding fits one disease. */
typedef enum {
    MED_MATCH_NONE = 0,
    MED_MATCH_BROAD,
    MED_MATCH_SPECIFIC,
    MED_MATCH_EXACT
} med_match_kind;
typedef struct {
    uint32_t term;    /* the finding */
    uint32_t matched; /* the disease's most informative term above it (or it); MED_NONE */
    /* of med_explain, with MED_MATCH_NONE: what the disease has that is the opposite; MED_NONE */
    uint32_t opposite;
    med_match_kind kind;
    float ic, freq, log_lr;
} med_match;

typedef struct {
    float oneway, lr, coverage, simgic, size, onset, sex, orphanet;
    float denied; /* of the log likelihood ratios of denials, outside the score */
} med_weights;
extern const med_weights med_weights_default;

typedef struct med_ranker med_ranker;
/* R1_E_INVAL where no disease of the knowledge base has a profile: there is nothing to rank. */
r1_status med_ranker_new(med_ranker **out, const med_kb *kb, r1_err *err);
void med_ranker_free(med_ranker *r); /* NULL is fine */
const med_kb *med_ranker_kb(const med_ranker *r);
void med_ranker_weights(med_ranker *r, const med_weights *w);
/* Without long-term memory the candidates are those of the likelihood alone. */
void med_ranker_use_memory(med_ranker *r, bool on);

/* Opens a case; the one that was open before is closed. Its arrays must live until the last call
 * under it. All calls below need an open case. */
void med_case_open(med_ranker *r, const med_case *c);
void med_case_close(med_ranker *r);
const med_case *med_case_of(const med_ranker *r); /* the open one */
/* How many findings of the open case are informative, but beyond MED_QUERY_MAX. */
uint32_t med_case_left_out(const med_ranker *r);

/* The best candidates, best first, equal scores by number of the disease. *n is at most max and
 * MED_CANDIDATES_MAX. */
r1_status med_rank(med_ranker *r, med_candidate *out, uint32_t max, uint32_t *n, r1_err *err);
/* Candidates of another case (for instance one with one finding more), scored and sorted anew. */
void med_rescore(med_ranker *r, med_candidate *list, uint32_t n);
/* The findings of the case under one disease; match holds n_observed entries. excluded holds
 * n_excluded: what that denial takes from the candidate's logit, <= 0. They add up to `denied`:
 * what several denials cover is told at the first of them. */
void med_explain(med_ranker *r, uint32_t disease, med_match *match, float *excluded);
/* What one more denial would take from the disease's logit, <= 0. */
float med_denied_more(const med_ranker *r, uint32_t disease, uint32_t term);
/* How the findings fit each disease of a list: match[k * n_observed + i] is finding i under
 * list[k]. */
void med_explain_list(med_ranker *r, const med_candidate *list, uint32_t n, med_match *match);
/* What the disease shows in the open case's patient: without rows of the other sex, and without
 * what is left out. It lives until the next case is opened. */
const med_profile *med_case_profile(const med_ranker *r, uint32_t disease, uint32_t *n);
/* Whether a disease has a profile once the case's own publication is left out. */
bool med_covered(med_ranker *r, uint32_t disease);
/* The last word. On entry logit is what the observed findings, sex and age say, with "none of
 * these" at 0. Their softmax is the probability without denials. Each disease's is then multiplied
 * by exp(denied), and what is lost goes to "none of these": so a denial raises no disease, not even
 * one that has the finding less often than another. On return logit holds the denials too, and the
 * list is sorted by it, equal ones by score, then by number. Returns the probability of none. */
float med_posterior(med_candidate *list, uint32_t n);
/* The same by the likelihood alone: logits from scores, by the calibrated scale. */
float med_posterior_likelihood(med_candidate *list, uint32_t n);

#endif
