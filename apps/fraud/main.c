/* SPDX-License-Identifier: GPL-3.0-or-later */
/* main.c - r1-fraud: one table of its commands and their options. */
#include "check/check_command.h"
#include "eval/eval.h"
#include "generate/generate.h"
#include "replay/replay.h"
#include "retain/retain.h"
#include "serve/settings.h"
#include "train/train_command.h"

int main(int argc, char **argv)
{
    size_t n_config, n_reload, n_calibrate;
    const r1_option *config_rows = fraud_config_rows(&n_config),
                    *reload_rows = fraud_reload_rows(&n_reload),
                    *calibrate_rows = fraud_calibrate_rows(&n_calibrate);
    const r1_command commands[] = {
        {.name = "serve",
         .summary = "score the stream: payments from Kafka, decisions with reasons to PostgreSQL, "
                    "exactly once",
         .examples = "r1-fraud serve --brokers 127.0.0.1:19092 --postgres 'dbname=r1'\nr1-fraud "
                     "serve --config "
                     "fraud.ini\n"
                     "r1-fraud serve --model none        rules alone decide, and each decision "
                     "says degraded",
         .config = true,
         .options = fraud_serve_rows,
         .n_options = fraud_serve_n_row,
         .run = fraud_command_serve},
        {.name = "generate",
         .summary = "make payments with planted rings: ten typologies, seeded",
         .examples = "r1-fraud generate --seed 7 --accounts 2000 --days 60 --out payments.jsonl "
                     "--labels labels.jsonl",
         .options = fraud_generate_rows,
         .n_options = fraud_generate_n_row,
         .run = fraud_command_generate},
        {.name = "produce",
         .summary = "send the lines of a file to a topic, in an open loop at a fixed rate",
         .examples = "r1-fraud produce --in payments.jsonl --rate 2000\n"
                     "r1-fraud produce --in payments.jsonl --config fraud.ini",
         .config = true,
         .options = fraud_produce_rows,
         .n_options = fraud_produce_n_row,
         .run = fraud_command_produce},
        {.name = "train",
         .summary = "train a model on generated worlds, calibrate it, write one GGUF file",
         .examples =
             "r1-fraud train --out models/fraud-s.gguf --seed 1000 --worlds 10\n"
             "r1-fraud eval --format handbook --data FILE --train FILE --out handbook.gguf     "
             "trains on a public layout",
         .options = fraud_train_rows,
         .n_options = fraud_train_n_row,
         .run = fraud_command_train},
        {.name = "eval",
         .summary = "figures on a labelled public layout, with the shipped model, --model, or one "
                    "fitted on --train first",
         .examples =
             "r1-fraud eval --format amlgentex --train amlgentex_a --data amlgentex_b --json\n"
             "r1-fraud eval --format handbook --data handbook_transactions.csv.zst --protocol "
             "weeks --no-r1",
         .options = fraud_eval_rows,
         .n_options = fraud_eval_n_row,
         .run = fraud_command_eval},
        {.name = "replay",
         .summary = "score a file of payments in order; the same file gives the same bytes",
         .examples = "r1-fraud replay --in my_payments.csv --map map.ini --out scores.jsonl\n"
                     "r1-fraud replay --in payments.jsonl --labels labels.jsonl --model "
                     "models/fraud-s.gguf --out scores.jsonl",
         .config = true,
         .options = fraud_replay_rows,
         .n_options = fraud_replay_n_row,
         .run = fraud_command_replay},
        {.name = "check",
         .summary = "what the service would make of your messages: what is expected, what was "
                    "found, and a mapping file from your names to ours",
         .examples = "r1-fraud check --in my_payments.csv --propose map.ini\n"
                     "r1-fraud check --in my_payments.csv --map map.ini\n"
                     "r1-fraud check --in my_payments.csv --config fraud.ini",
         .config = true,
         .options = fraud_check_rows,
         .n_options = fraud_check_n_row,
         .run = fraud_command_check},
        {.name = "dlq",
         .summary = "dead letters: list them, show one, send back as they are or mended",
         .examples = "r1-fraud dlq list --postgres 'dbname=r1'\nr1-fraud dlq replay --stage "
                     "write --since 24h --dry-run --config fraud.ini\nr1-fraud dlq mend 17 "
                     "--config fraud.ini",
         .config = true,
         .operands = "[list | show ID | replay [ID] | mend ID]",
         .operands_max = 2,
         .options = fraud_dlq_rows,
         .n_options = fraud_dlq_n_row,
         .run = fraud_command_dlq},
        {.name = "offsets",
         .summary = "where each partition stands beside what the broker holds; reset and unshare, "
                    "audited",
         .examples = "r1-fraud offsets show --postgres 'dbname=r1'\nr1-fraud offsets reset --to "
                     "beginning --why 'topic was made anew'",
         .config = true,
         .operands = "[show | reset | unshare]",
         .operands_max = 1,
         .options = fraud_offsets_rows,
         .n_options = fraud_offsets_n_row,
         .run = fraud_command_offsets},
        {.name = "status",
         .summary =
             "what runs where: owners, lag, versions, troubles of the last day, in one screen",
         .examples = "r1-fraud status --postgres 'dbname=r1'\nr1-fraud status --config fraud.ini "
                     "--json",
         .config = true,
         .options = fraud_status_rows,
         .n_options = fraud_status_n_row,
         .run = fraud_command_status},
        {.name = "config",
         .summary =
             "settings of serve: check, dump (with origins), sample; diff and try of a change",
         .operands = "[check | dump | sample | diff FILE | try FILE]",
         .operands_max = 2,
         .examples =
             "r1-fraud config sample > fraud.ini\nr1-fraud config check --config fraud.ini\n"
             "r1-fraud config diff new.ini --config fraud.ini\n"
             "r1-fraud config try new.ini --config fraud.ini --since 7d",
         .config = true,
         .options = config_rows,
         .n_options = n_config,
         .run = fraud_command_config},
        {.name = "reload",
         .summary = "check rules, lists and thresholds, ask the running service to take them, and "
                    "wait for its answer",
         .examples = "r1-fraud reload --config fraud.ini",
         .config = true,
         .options = reload_rows,
         .n_options = n_reload,
         .run = fraud_command_reload},
        {.name = "calibrate",
         .summary = "thresholds for one stream: from a recording or the stored decisions",
         .examples = "r1-fraud calibrate --config fraud.ini --since 28d --review-precision 0.3 "
                     "--block-precision 0.9 --out calibration.json\n"
                     "r1-fraud calibrate --in payments.jsonl --labels labels.jsonl "
                     "--review-precision 0.3 --out calibration.json",
         .config = true,
         .options = calibrate_rows,
         .n_options = n_calibrate,
         .run = fraud_command_calibrate},
        {.name = "db",
         .summary =
             "database: migrate and status of its schema, retain takes old weeks off the log",
         .examples = "r1-fraud db migrate --postgres 'dbname=r1'\nr1-fraud db status\nr1-fraud db "
                     "retain --older-than 400d --archive /backup/r1 --dry-run",
         .operands = "migrate | status | retain",
         .operands_min = 1,
         .operands_max = 1,
         .config = true,
         .options = fraud_db_rows,
         .n_options = fraud_db_n_row,
         .run = fraud_command_db},
    };
    const r1_program program = {.name = "r1-fraud",
                                .summary = "fraud on a stream of payments",
                                .commands = commands,
                                .n_commands = R1_COUNT(commands)};
    return r1_cli_main(&program, argc, argv);
}
