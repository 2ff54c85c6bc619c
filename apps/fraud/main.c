/* SPDX-License-Identifier: GPL-3.0-or-later */
/* main.c - r1-fraud: one table of its commands and their options. */
#include "eval/eval.h"
#include "generate/generate.h"
#include "replay/replay.h"
#include "retain/retain.h"
#include "serve/settings.h"
#include "train/train_command.h"

int main(int argc, char **argv)
{
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
         .examples = "r1-fraud produce --in payments.jsonl --rate 2000",
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
         .examples = "r1-fraud replay --in payments.jsonl --labels labels.jsonl --model "
                     "models/fraud-s.gguf --out scores.jsonl",
         .options = fraud_replay_rows,
         .n_options = fraud_replay_n_row,
         .run = fraud_command_replay},
        {.name = "dlq",
         .summary = "dead letters: list, show ID, replay ID",
         .examples = "r1-fraud dlq list --postgres 'dbname=r1'\nr1-fraud dlq replay 17 --postgres "
                     "'dbname=r1'\nr1-fraud dlq list --config fraud.ini",
         .config = true,
         .operands = "[list | show ID | replay ID]",
         .operands_max = 2,
         .options = fraud_dlq_rows,
         .n_options = fraud_dlq_n_row,
         .run = fraud_command_dlq},
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
         .summary = "settings of serve: check, dump (with origins), sample",
         .operands = "[check | dump | sample]",
         .operands_max = 1,
         .examples = "r1-fraud config sample > fraud.ini\nr1-fraud config check --config fraud.ini",
         .config = true,
         .options = fraud_serve_rows,
         .n_options = fraud_serve_n_row,
         .run = fraud_command_config},
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
