/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim_twin.h - the decisions of a log against those that its order gives without any fault.
 *
 * Threads: the reading thread of a service that has restored its state and reads nothing yet. */
#ifndef SIM_TWIN_H
#define SIM_TWIN_H

#include "serve/server.h"

/* Notes a fault where a row's decision is another one. */
r1_status sim_twin_decides(server *s, r1_err *err);

#endif
