/* SPDX-License-Identifier: Apache-2.0 */
/* session.h - a session on a backend that is given rather than found by name; tests bring
 * devices of their own. */
#ifndef R1_SESSION_INTERNAL_H
#define R1_SESSION_INTERNAL_H

#include "infer/exec.h"
#include "r1_session.h"

r1_status r1_session_new_on(r1_session **out, const r1_model *m, const r1_session_opts *opts,
                            const r1_backend *be, r1_err *err);

#endif
