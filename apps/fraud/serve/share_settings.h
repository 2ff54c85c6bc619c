/* SPDX-License-Identifier: GPL-3.0-or-later */
/* share_settings.h - what one of several processes tells the others of its settings
 * (fleet/member.h). A setting is added to one of two lists:
 *
 *     state     two processes with other values would have another state behind one message
 *     decides   they would give one payment another decision, or another order or way out
 *
 * Owns: nothing. Threads: the reading thread's. */
#ifndef FRAUD_SHARE_SETTINGS_H
#define FRAUD_SHARE_SETTINGS_H

#include "fleet/member.h"
#include "serve/parts.h"

/* Of the parts as they are: those that a reload has changed, too. owner and waits stay. */
void fraud_share_settings(const fraud_parts *parts, fraud_member *out);

#endif
