/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scorer_absent.c - stands in for scorer.c while libr1 has no session. */
#include "scorer.h"

r1_status fraud_scorer_new(fraud_scorer **out, const char *path, unsigned off, r1_err *err)
{
    (void)off;
    *out = NULL;
    R1_FAIL(err, R1_E_NOT_FOUND, "%s: this build scores by rules: give no model (--model none)", path);
}
void fraud_scorer_free(fraud_scorer *s) { (void)s; }
const char *fraud_scorer_name(const fraud_scorer *s) { return (void)s, "rules"; }
uint64_t fraud_scorer_hash(const fraud_scorer *s) { return (void)s, 0; }
uint64_t fraud_scorer_schema(const fraud_scorer *s) { return (void)s, 0; }
r1_status fraud_scorer_run(fraud_scorer *s, fraud_scoring *x, size_t n, r1_err *err)
{
    (void)s, (void)x, (void)n;
    R1_FAIL(err, R1_E_NOT_FOUND, "no model");
}
