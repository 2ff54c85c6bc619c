/* SPDX-License-Identifier: Apache-2.0 */
/* evidence_cases.h - what the stages share that draw cases and run traces of evidence on them:
 * reinforcement and the reward model. Progress is counted in steps. */
#ifndef R1_EVIDENCE_CASES_H
#define R1_EVIDENCE_CASES_H

#include "train/loop.h"
#include "train/rollout.h"

typedef struct {
    uint32_t n_case, n_group; /* cases a step, traces a case */
    r1_evidence_rules rules;
    r1_data_rows rows; /* the cases in hand */
    r1_rollout rollout;
} r1_cases;

/* Takes the defaults of the stage's own options. */
void r1_cases_fill(uint32_t *n_step, uint32_t *n_case, uint32_t *n_group);
/* n_case and n_group are set by the stage. */
r1_status r1_cases_check(const r1_cases *c, const r1_run *r, r1_err *err);
/* The rules, from the run's data; cases without a label are left out. */
r1_status r1_cases_open(r1_cases *c, r1_run *r, const r1_evidence_spec *spec, r1_err *err);
/* After the run's model is made: room for a step's cases and traces. */
r1_status r1_cases_reserve(r1_cases *c, const r1_run *r, r1_err *err);
/* Counters that a checkpoint brought: at least one optimiser step a step. */
r1_status r1_cases_check_resumed(const r1_run *r, r1_err *err);
void r1_cases_free(r1_cases *c);

#endif
