/* SPDX-License-Identifier: GPL-3.0-or-later */
/* main.c - r1-fraud: the table of its commands. */
#include "eval/eval.h"
#include "generate/generate.h"
#include "replay/replay.h"
#include "serve/settings.h"
#include "train/train_command.h"

static const r1_command commands[] = {
    {.name = "serve",
     .summary = "score the stream: payments from Kafka, decisions with reasons to PostgreSQL, "
                "exactly once",
     .examples =
         "r1-fraud serve --brokers 127.0.0.1:19092 --postgres 'dbname=r1'\nr1-fraud serve --config "
         "fraud.ini\n"
         "r1-fraud serve --model none        rules alone decide, and each decision says degraded",
     .config = true,
     .run = fraud_command_serve},
    {.name = "generate",
     .summary = "make payments with planted rings: ten typologies, seeded",
     .examples = "r1-fraud generate --seed 7 --accounts 2000 --days 60 --out payments.jsonl "
                 "--labels labels.jsonl",
     .run = fraud_command_generate},
    {.name = "produce",
     .summary = "send the lines of a file to a topic, in an open loop at a fixed rate",
     .examples = "r1-fraud produce --in payments.jsonl --rate 2000",
     .run = fraud_command_produce},
    {.name = "train",
     .summary = "train a model on generated worlds, calibrate it, write one GGUF file",
     .examples = "r1-fraud train --out models/fraud-s.gguf --seed 1000 --worlds 10\n"
                 "r1-fraud eval --format handbook --data FILE --train FILE --out handbook.gguf     "
                 "trains on a public layout",
     .run = fraud_command_train},
    {.name = "eval",
     .summary = "figures on a labelled public layout, with the shipped model, --model, or one "
                "fitted on --train first",
     .examples = "r1-fraud eval --format amlgentex --train amlgentex_a --data amlgentex_b --json\n"
                 "r1-fraud eval --format handbook --data handbook_transactions.csv.zst --protocol "
                 "weeks --no-r1",
     .run = fraud_command_eval},
    {.name = "replay",
     .summary = "score a file of payments in order; the same file gives the same bytes",
     .examples = "r1-fraud replay --in payments.jsonl --labels labels.jsonl --model "
                 "models/fraud-s.gguf --out scores.jsonl",
     .run = fraud_command_replay},
    {.name = "dlq",
     .summary = "dead letters: list, show ID, replay ID",
     .examples =
         "r1-fraud dlq list --postgres 'dbname=r1'\nr1-fraud dlq replay 17 --postgres 'dbname=r1'",
     .run = fraud_command_dlq},
    {.name = "config",
     .summary = "settings of serve: check, dump (with origins), sample",
     .examples = "r1-fraud config sample > fraud.ini\nr1-fraud config check --config fraud.ini",
     .config = true,
     .run = fraud_command_config},
    {.name = "db",
     .summary = "database schema: migrate, status",
     .examples = "r1-fraud db migrate --postgres 'dbname=r1'",
     .run = fraud_command_db},
};

int main(int argc, char **argv)
{
    r1_command table[R1_COUNT(commands)];
    for (size_t i = 0; i < R1_COUNT(commands); i++) table[i] = commands[i];
    const struct {
        const r1_option *rows;
        size_t n;
    } options[R1_COUNT(commands)] = {{fraud_serve_rows, fraud_serve_n_row},
                                     {fraud_generate_rows, fraud_generate_n_row},
                                     {fraud_produce_rows, fraud_produce_n_row},
                                     {fraud_train_rows, fraud_train_n_row},
                                     {fraud_eval_rows, fraud_eval_n_row},
                                     {fraud_replay_rows, fraud_replay_n_row},
                                     {fraud_dlq_rows, fraud_dlq_n_row},
                                     {fraud_serve_rows, fraud_serve_n_row},
                                     {fraud_db_rows, fraud_db_n_row}};
    for (size_t i = 0; i < R1_COUNT(commands); i++) {
        table[i].options = options[i].rows;
        table[i].n_options = options[i].n;
    }
    const r1_program program = {.name = "r1-fraud",
                                .summary = "fraud on a stream of payments",
                                .commands = table,
                                .n_commands = R1_COUNT(table)};
    return r1_cli_main(&program, argc, argv);
}
