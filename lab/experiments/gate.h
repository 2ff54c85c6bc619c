/* SPDX-License-Identifier: Apache-2.0 */
/* gate.h - the output gate of Qiu et al. (2025), a control of CAWA: what an attention's result is
 * worth, by column.
 *
 *     y = x * sigmoid(g)          X [R, C]   G [R, C]   Y [R, C]
 *
 * The engine does not have it. A tape runs it by tape_run_own(). */
#ifndef R1_EXPERIMENT_GATE_H
#define R1_EXPERIMENT_GATE_H

#include "experiments/tape.h"

enum { GATE_X = 0, GATE_G, GATE_Y, GATE_VIEWS };
extern const tape_op gate_op;

#endif
