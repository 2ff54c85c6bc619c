/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pattern.c - the names of the patterns, as they stand in rules, rows and reports. */
#include "score/engine.h"

const char *fraud_pattern_name(unsigned pattern)
{
    static const char *const names[FRAUD_N_PATTERN] = {
        "cycle", "fan_in", "fan_out", "scatter_gather", "gather_scatter", "stack", "bipartite"};
    return pattern < FRAUD_N_PATTERN ? names[pattern] : "unknown";
}
