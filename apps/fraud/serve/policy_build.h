/* SPDX-License-Identifier: GPL-3.0-or-later */
/* policy_build.h - the settings of section [decision] to a policy, for `serve`, its reload, and the
 * commands that try a change.
 *
 * Without a calibration no score blocks. Without review-at a budget of alerts a day decides what is
 * reviewed, from FRAUD_DEFAULT_REVIEW_AT on.
 *
 * Owns:    nothing. Threads: any.
 * Errors:  R1_E_INVAL with what was expected and what was found, R1_E_NOMEM. */
#ifndef FRAUD_POLICY_BUILD_H
#define FRAUD_POLICY_BUILD_H

#include "cli/r1_cli.h"
#include "decide/policy.h"
#include "payment/rates.h"

enum { FRAUD_MODEL_NAME_BYTES = 64 };

/* rates: by which the amounts that it judges are converted; the version tells them. NULL: none.
 * calibrated_for: the model that the calibration is for, "" without one. */
r1_status fraud_policy_build(fraud_policy **out, const r1_options *o, const fraud_rates *rates,
                             char calibrated_for[FRAUD_MODEL_NAME_BYTES], r1_err *err);
/* Prints what the files have that is allowed but odd. */
void fraud_policy_print_notes(const fraud_policy *p, FILE *out);
/* Reads rules and lists once more and prints each mistake but the one in `known`: for a check that
 * has failed. */
void fraud_policy_print_mistakes(const r1_options *o, const char *known, FILE *out);
/* Whether a running service takes a change of this row; else it needs a restart. shared: it is one
 * of several processes, in which rates must change at one place of the stream. */
bool fraud_setting_reloads(const r1_option *row, bool shared);

#endif
