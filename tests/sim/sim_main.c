/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim_main.c - fraud_sim: seeds one after the other, each against the run of its stream without
 * faults.
 *
 * Exit code: 0 where no seed found a fault, 3 where one did, 2 for wrong usage. */
#include "sim_plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char usage[] =
    "usage: fraud_sim --postgres CONNINFO --folder DIR --migrations DIR [OPTIONS]\n"
    "  --seed N        one seed\n"
    "  --from N --count N --step N   several of them; --until-found: up to the first fault\n"
    "  --trace         prints each step\n"
    "  --fleet         two or three services share the stream\n"
    "  --twice         runs each seed twice, which must give the same trace\n"
    "  --plant WHAT    fence, merge, snapshot, loss: a fault of the service, which must be found;\n"
    "                  fence and loss need a database whose functions do not check\n"
    "  --model FILE    of the service in one stream of six; none: rules alone everywhere\n";

typedef struct {
    sim_run run;
    uint64_t from, count, step;
    bool twice, until_found;
} options;

static const char *const plant_names[] = {"none", "fence", "merge", "snapshot", "loss"};

static bool read_plant(options *o, const char *text)
{
    for (size_t i = 0; i < R1_COUNT(plant_names); i++)
        if (!strcmp(text, plant_names[i])) return o->run.plant = (sim_plant)i, true;
    return false;
}

static bool read_option(options *o, const char *name, const char *value)
{
    if (!strcmp(name, "--postgres")) return o->run.conninfo = value, true;
    if (!strcmp(name, "--folder")) return o->run.folder = value, true;
    if (!strcmp(name, "--migrations")) return o->run.migrations = value, true;
    if (!strcmp(name, "--model")) return o->run.model = value, true;
    if (!strcmp(name, "--plant")) return read_plant(o, value);
    if (!strcmp(name, "--seed")) return o->from = strtoull(value, NULL, 10), true;
    if (!strcmp(name, "--from")) return o->from = strtoull(value, NULL, 10), true;
    if (!strcmp(name, "--count")) return o->count = strtoull(value, NULL, 10), true;
    if (!strcmp(name, "--step")) return o->step = strtoull(value, NULL, 10), o->step > 0;
    return false;
}

static bool read_options(options *o, int argc, char **argv)
{
    *o = (options){.run.model = "none", .count = 1, .step = 1};
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--trace")) {
            o->run.traced = true;
        } else if (!strcmp(argv[i], "--twice")) {
            o->twice = true;
        } else if (!strcmp(argv[i], "--until-found")) {
            o->until_found = true;
        } else if (!strcmp(argv[i], "--fleet")) {
            o->run.fleet = true;
        } else if (i + 1 < argc && read_option(o, argv[i], argv[i + 1])) {
            i++;
        } else {
            return false;
        }
    }
    return o->run.conninfo && o->run.folder && o->run.migrations;
}

int __real_clock_gettime(clockid_t id, struct timespec *t);

static double now(void)
{
    struct timespec t;
    __real_clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The reference of the seed's stream, kept from seed to seed. */
static const sim_results *reference_of(const sim_run *run)
{
    static sim_results *kept;
    static uint64_t of = UINT64_MAX;
    uint64_t stream = run->seed / SIM_STREAM_SEEDS;
    if (stream == of && kept) return kept;
    sim_results_free(kept);
    kept = sim_reference(run);
    of = stream;
    return kept;
}

static bool one_seed(options *o, uint64_t seed, sim_outcome *out)
{
    memset(out, 0, sizeof *out);
    o->run.seed = seed;
    const sim_results *reference = reference_of(&o->run);
    if (!reference) {
        snprintf(out->found, sizeof out->found, "without faults: %.900s", sim->found);
        return false;
    }
    sim_run_seed(&o->run, reference, out);
    sim_outcome again = {0};
    if (o->twice && !*out->found) sim_run_seed(&o->run, reference, &again);
    if (o->twice && !*out->found && again.trace != out->trace)
        snprintf(out->found, sizeof out->found,
                 "the same seed gave the trace %016" PRIx64 " and then %016" PRIx64, out->trace,
                 again.trace);
    return !*out->found;
}

int main(int argc, char **argv)
{
    options o;
    if (!read_options(&o, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    char log_path[1024];
    snprintf(log_path, sizeof log_path, "%s.log", o.run.folder);
    o.run.log_path = log_path;
    sim_check_open(o.run.conninfo);
    sim_open();
    uint64_t failed = 0, compared = 0, ran = 0;
    double began = now();
    for (uint64_t i = 0; i < o.count && !(failed && o.until_found); i++) {
        uint64_t seed = o.from + i * o.step;
        sim_outcome out;
        FILE *log = fopen(log_path, "w"); /* of one seed */
        if (log) fclose(log);
        bool good = one_seed(&o, seed, &out);
        ran++;
        failed += !good;
        compared += out.compared;
        if (!good || o.count == 1)
            printf("seed %" PRIu64 ": trace %016" PRIx64
                   ", %d services, %.1f s of the world, %" PRIu64 " steps, %s%s%s\n",
                   seed, out.trace, out.services, out.seconds, out.gives,
                   out.compared ? "compared" : "not compared", good ? "" : ": ", out.found);
        if (!good)
            printf("  again: tests/sim/test_sim.py one --seed %" PRIu64 " --plant %s%s --trace\n",
                   seed, plant_names[o.run.plant], o.run.fleet ? " --fleet" : "");
        fflush(stdout);
    }
    printf("%" PRIu64 " seeds, %" PRIu64 " with faults, %" PRIu64
           " compared with the run without faults, %.1f s\n",
           ran, failed, compared, now() - began);
    return failed ? 3 : 0;
}
