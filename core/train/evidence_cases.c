/* SPDX-License-Identifier: Apache-2.0 */
/* evidence_cases.c - see evidence_cases.h. */
#include "train/evidence_cases.h"

enum { CASES_MAX = 4096, GROUP_MAX = 1024 };

void r1_cases_fill(uint32_t *n_step, uint32_t *n_case, uint32_t *n_group)
{
    R1_OR_DEFAULT(*n_step, R1_DEFAULT_STEPS);
    R1_OR_DEFAULT(*n_case, R1_DEFAULT_CASES);
    R1_OR_DEFAULT(*n_group, R1_DEFAULT_TRACES);
}

r1_status r1_cases_check(const r1_cases *c, const r1_run *r, r1_err *err)
{
    if (c->n_group >= 2 && c->n_group <= GROUP_MAX && c->n_case <= CASES_MAX) return R1_OK;
    R1_FAIL(err, R1_E_INVAL, "%s: %u traces of %u cases a step; expected 2 to %d of at most %d",
            r->stage->what, c->n_group, c->n_case, GROUP_MAX, CASES_MAX);
}

r1_status r1_cases_open(r1_cases *c, r1_run *r, const r1_evidence_spec *spec, r1_err *err)
{
    R1_TRY(r1_evidence_make(&c->rules, spec, &r->train, err));
    R1_TRY(r1_evidence_labelled(&c->rules, &r->train, r->o->train[0], err));
    return r->has_valid ? r1_evidence_labelled(&c->rules, &r->valid, r->o->valid[0], err) : R1_OK;
}

r1_status r1_cases_reserve(r1_cases *c, const r1_run *r, r1_err *err)
{
    R1_TRY(r1_data_rows_new(&c->rows, r->m->desc, c->n_case, err));
    return r1_rollout_new(&c->rollout, &c->rules, (size_t)c->n_case * c->n_group, err);
}

r1_status r1_cases_check_resumed(const r1_run *r, r1_err *err)
{
    if (r->adam.n_step >= r->step) return R1_OK;
    R1_FAIL(err, R1_E_FORMAT, "checkpoint %s: %llu updates in %llu steps", r->o->checkpoint,
            (unsigned long long)r->adam.n_step, (unsigned long long)r->step);
}

void r1_cases_free(r1_cases *c)
{
    r1_data_rows_free(&c->rows);
    r1_rollout_free(&c->rollout);
}
