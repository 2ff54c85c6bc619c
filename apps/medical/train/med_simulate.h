/* SPDX-License-Identifier: Apache-2.0 */
/* med_simulate.h - patients out of the annotations: a disease drawn among those with a profile,
 * findings by their frequency, some of them told less exactly, some that belong to no disease of
 * the patient, some looked for and absent. What pretraining reads beside the published cases;
 * their labels are as good as the annotations.
 *
 * Owns: nothing; borrows the knowledge base and the caller's arrays. The same seed gives the
 * same patients. */
#ifndef MED_SIMULATE_H
#define MED_SIMULATE_H

#include "rank/med_rank.h"

enum { MED_SIMULATED_FINDINGS = 14, MED_SIMULATED_EXCLUDED = 4 };

typedef struct {
    uint32_t observed[MED_SIMULATED_FINDINGS], excluded[MED_SIMULATED_EXCLUDED];
    uint32_t n_observed, n_excluded, disease;
} med_patient;

/* avoid: u8[n_disease], diseases that are not drawn; NULL: none. False: no disease with at least
 * two findings was met. */
bool med_simulate(const med_kb *kb, const uint8_t *avoid, r1_rng *rng, med_patient *out);
/* The query of a patient; borrows it. */
med_case med_patient_query(const med_patient *p);

#endif
