/* SPDX-License-Identifier: Apache-2.0 */
/* machine.h - the plan that training runs, with room for n samples, and what fills it. */
#ifndef R1_MACHINE_H
#define R1_MACHINE_H

#include "infer/pack.h"

/* On the first backend that has gradients and works in host memory. On error both are NULL or the caller's to free. */
r1_status r1_machine_new(r1_exec **e, r1_pack **pack, const r1_model *m, uint32_t n, r1_err *err);
/* All phases, over what the pack was filled with. */
r1_status r1_machine_forward(r1_exec *e, r1_err *err);

#endif
