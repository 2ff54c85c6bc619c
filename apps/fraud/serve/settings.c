/* SPDX-License-Identifier: GPL-3.0-or-later */
/* settings.c - one row per setting of serve, and the command config. */
#include "serve/settings.h"
#include "config/r1_config.h"
#include "serve/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const r1_option fraud_serve_rows[] = {
    FRAUD_BROKERS_ROW,
    FRAUD_KAFKA_EXTRA_ROW,
    {.name = "topic",
     .section = "kafka",
     .type = R1_OPT_STRING,
     .def = "payments",
     .help = "topic with payments"},
    {.name = "labels-topic",
     .section = "kafka",
     .type = R1_OPT_STRING,
     .help = "topic with labels that became known"},
    {.name = "decisions-topic",
     .section = "kafka",
     .type = R1_OPT_STRING,
     .help = "topic that gets each committed decision"},
    {.name = "dead-topic",
     .section = "kafka",
     .type = R1_OPT_STRING,
     .help = "topic that gets each dead letter, besides the table"},
    {.name = "group",
     .section = "kafka",
     .type = R1_OPT_STRING,
     .def = "r1-fraud",
     .help = "consumer group, for lag tools alone"},
    {.name = "fetch-wait",
     .section = "kafka",
     .type = R1_OPT_INT,
     .def = "1",
     .min = 1,
     .max = 1000,
     .unit = "ms",
     .help = "how long the broker may hold an empty fetch: 1 for the embedded broker, 5 and more "
             "for a real one"},
    {.name = "fetch-min",
     .section = "kafka",
     .type = R1_OPT_INT,
     .def = "1",
     .min = 1,
     .max = 1 << 20,
     .unit = "bytes",
     .help = "what the broker gathers before it answers a fetch, within fetch-wait: more spares "
             "requests on both sides"},
    R1_STORE_POSTGRES_ROW(R1_STORE_POSTGRES_DEFAULT, R1_STORE_POSTGRES_HELP),
    R1_STORE_DB_ROW(NULL),
    R1_STORE_MIGRATIONS_ROW,
    {.name = "batch-rows",
     .section = "postgres",
     .type = R1_OPT_INT,
     .def = "500",
     .min = 1,
     .max = 500,
     .unit = "rows",
     .help = "most records in one transaction"},
    R1_STORE_TIMEOUT_ROW(
        "start-timeout", "3600",
        "longest statement while the service starts; 0: no limit. A "
        "statement_timeout in the connection's options goes first, here and below"),
    R1_STORE_TIMEOUT_ROW("write-timeout", "60", "longest statement while it writes; 0: no limit"),
    R1_STORE_ADMIN_TIMEOUT_ROW,
    {.name = "wait",
     .section = "service",
     .type = R1_OPT_INT,
     .def = "60",
     .min = 0,
     .max = 86400,
     .unit = "s",
     .help = "how long to wait at start for PostgreSQL and the broker"},
    {.name = "until-idle",
     .type = R1_OPT_INT,
     .def = "0",
     .min = 0,
     .max = 3600,
     .unit = "s",
     .help = "end when nothing has come for so long; 0: never"},
    {.name = "stats",
     .type = R1_OPT_PATH,
     .help = "write counts and latencies to this file at the end (JSON)"},
    {.name = "stats-skip",
     .type = R1_OPT_INT,
     .def = "0",
     .min = 0,
     .max = 1e9,
     .unit = "payments",
     .help = "first payments whose latency does not count: a warm-up"},
    {.name = "unscorable",
     .section = "payments",
     .type = R1_OPT_ENUM,
     .def = "review",
     .choices = "allow|review|block",
     .help = "decision about a payment that cannot be scored, or whose id an earlier one has"},
    {.name = "seen-ids",
     .section = "payments",
     .type = R1_OPT_INT,
     .def = "12000000",
     .min = 1000,
     .max = 2e9,
     .unit = "ids",
     .help = "how many of the last ids are known again for certain, up to 43 bytes each"},
    {.name = "model",
     .section = "model",
     .type = R1_OPT_PATH,
     .def = "models/fraud-s-int8.gguf",
     .help = "model file; none: rules alone"},
    {.name = "precision",
     .section = "model",
     .type = R1_OPT_ENUM,
     .def = "auto",
     .choices = R1_CLI_PRECISIONS,
     .help = FRAUD_PRECISION_HELP},
    {.name = "r1",
     .section = "model",
     .type = R1_OPT_BOOL,
     .def = "true",
     .help = "score with the model"},
    {.name = "graph",
     .section = "model",
     .type = R1_OPT_BOOL,
     .def = "true",
     .help = "graph evidence and findings"},
    {.name = "memory",
     .section = "model",
     .type = R1_OPT_BOOL,
     .def = "true",
     .help = "working-memory evidence"},
    {.name = "memory-accounts",
     .section = "model",
     .type = R1_OPT_INT,
     .def = "65536",
     .min = 16,
     .max = 1 << 24,
     .help = "accounts whose last payments are remembered as entries, up to 8 KiB each; the one "
             "idle longest goes first"},
    {.name = "model-deadline",
     .section = "model",
     .type = R1_OPT_INT,
     .def = "0",
     .min = 0,
     .max = 3600000,
     .unit = "ms",
     .help = "a payment sent longer ago is decided by the rules, marked degraded, so that a "
             "backlog drains; 0: never"},
    {.name = "review-at",
     .section = "decision",
     .type = R1_OPT_FLOAT,
     .def = R1_TEXT_OF(FRAUD_DEFAULT_REVIEW_AT),
     .min = 0,
     .max = 1,
     .help = "probability from which a payment is reviewed"},
    {.name = "block-at",
     .section = "decision",
     .type = R1_OPT_FLOAT,
     .def = R1_TEXT_OF(FRAUD_DEFAULT_BLOCK_AT),
     .min = 0,
     .max = 1,
     .help = "probability from which it is blocked"},
    {.name = "rules", .section = "decision", .type = R1_OPT_PATH, .help = "file of rules"},
    {.name = "allow-list",
     .section = "decision",
     .type = R1_OPT_PATH,
     .help = "file of accounts whose payments pass"},
    {.name = "block-list",
     .section = "decision",
     .type = R1_OPT_PATH,
     .help = "file of accounts whose payments are blocked"},
};
const size_t fraud_serve_n_row = R1_COUNT(fraud_serve_rows);

/* Builds what serve would build, and stops. */
static int config_check(r1_cli_call *call)
{
    fraud_parts *parts = calloc(1, sizeof *parts);
    if (!parts) return R1_EXIT_FAILED;
    r1_status st = fraud_parts_build(parts, call->opts, &call->err);
    if (st == R1_OK)
        printf("configuration: good, model %s, %s\n", fraud_engine_model_name(parts->engine),
               fraud_policy_text(parts->policy));
    fraud_parts_release(parts);
    free(parts);
    return fraud_parts_exit(st);
}

int fraud_command_config(r1_cli_call *call)
{
    const char *what = call->n_rest ? call->rest[0] : "check";
    if (!strcmp(what, "sample"))
        return r1_config_sample(fraud_serve_rows, fraud_serve_n_row, stdout), R1_EXIT_OK;
    if (!strcmp(what, "dump")) return r1_config_dump(call->opts, stdout), R1_EXIT_OK;
    if (!strcmp(what, "check")) return config_check(call);
    r1_err_set(&call->err, R1_E_INVAL, __FILE__, __LINE__,
               "expected check, dump or sample, found \"%s\"", what);
    return R1_EXIT_USAGE;
}
