/* SPDX-License-Identifier: Apache-2.0 */
/* op_cases.h - random operands for every op: shapes 1, odd, one past a warp and one past a
 * block; gaps between rows and the padding rows hold NaN or infinity; optional operands come and
 * go. Used to compare backends with the scalar reference. */
#ifndef R1_OP_CASES_H
#define R1_OP_CASES_H

#include "tensor/r1_op.h"

void op_case_seed(uint64_t seed);
void op_case_make(r1_op op, r1_op_args *a); /* v filled, g empty */
void op_case_free(r1_op_args *a);
int op_case_output(r1_op op); /* its one output slot */
r1_view op_case_floats(int64_t rows, int32_t cols);
/* Prints the first difference beyond abs_tol + rel_tol * |expected|. */
bool op_case_equal(const char *what, const r1_view *expected, const r1_view *got, double abs_tol,
                   double rel_tol);

#endif
