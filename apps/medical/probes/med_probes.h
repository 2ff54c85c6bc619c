/* SPDX-License-Identifier: Apache-2.0 */
/* med_probes.h - whether a denied finding can raise a disease, asked of generated patients.
 *
 * A probe is a simulated patient of one disease, with one to five denials of what that disease
 * typically shows, one after another; a quarter of them deny the parent in its place. Then come a
 * denial of what the disease does not have, and all denials once more, in another order and some
 * of them twice. Every answer is compared with the one before:
 *
 *   raised   a candidate's probability is higher than without the denial
 *   kept     the patient's disease is a candidate, and a typical finding denied did not lower it
 *   moved    a denial moved a candidate that does not have the finding by more than a point
 *   ordered  order or repetition changed a bit of a logit or of a probability
 *   lost     the candidates are others
 *
 * Owns:    nothing; the judge and the knowledge base are the caller's.
 * Threads: one. The same seed gives the same probes. */
#ifndef MED_PROBES_H
#define MED_PROBES_H

#include "rank/med_rank.h"

enum { MED_PROBE_LIST = 50 };
/* A finding is typical from this frequency on, if on average diseases have it less often. */
#define MED_PROBE_TYPICAL 0.3f

/* Ranks a case: fills list (room for MED_PROBE_LIST) and n. */
typedef r1_status (*med_probe_judge)(void *ctx, const med_case *c, med_candidate *list, uint32_t *n,
                                     r1_err *err);

typedef struct {
    uint32_t n_probe;
    uint64_t seed;
    bool progress;
} med_probes_opts;

typedef struct {
    uint32_t n_probe, n_listed;      /* listed: the patient's disease is among the candidates */
    uint32_t n_typical, n_unrelated; /* denials */
    uint64_t n_compared;             /* probabilities of candidates */
    uint32_t n_raised, n_kept, n_moved, n_ordered, n_lost;
    double largest_rise, largest_move; /* of a probability; a rise of 0: none */
    double before, after; /* mean probability of the listed diseases without and with the typical
                             denials */
} med_probes_result;

/* The number of violations: the sum of the five kinds. */
uint32_t med_probes_violations(const med_probes_result *res);
r1_status med_probes(const med_kb *kb, med_probe_judge judge, void *ctx,
                     const med_probes_opts *opts, med_probes_result *out, r1_err *err);

#endif
