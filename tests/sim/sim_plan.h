/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim_plan.h - one seed from its beginning to its checks.
 *
 * Threads: the director's. */
#ifndef SIM_PLAN_H
#define SIM_PLAN_H

#include "sim.h"

typedef struct {
    uint64_t seed;
    sim_plant plant;
    bool traced; /* each step is printed */
    const char *conninfo, *folder, *migrations, *model, *log_path;
} sim_run;

typedef struct {
    uint64_t trace; /* the same seed has the same */
    bool compared;  /* with the run without faults; else messages were counted as late */
    int services;   /* that were started */
    uint64_t gives; /* of the baton */
    double seconds; /* of the world */
    char found[SIM_FOUND_BYTES]; /* the first fault; "": none */
} sim_outcome;

/* The stream of the seed without faults, read in one go. NULL: a fault was found even so, which
 * sim->found tells. */
sim_results *sim_reference(const sim_run *run);
void sim_run_seed(const sim_run *run, const sim_results *reference, sim_outcome *out);

#endif
