/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check_ends.h - whether the names of the two ends of a payment say who pays.
 *
 * Of DbtrAcct and CdtrAcct the first one pays in each row, whatever a sign of bookings says beside
 * them: that sign is of the account whose statement it is. Of Konto and Gegenkonto the sign tells.
 *
 * Threads: pure functions. Errors: none. */
#ifndef FRAUD_CHECK_ENDS_H
#define FRAUD_CHECK_ENDS_H

#include "r1_base.h"

/* from, to: paths in a message; NULL: there is none. */
bool check_ends_tell(const char *from, const char *to);

#endif
