/* SPDX-License-Identifier: GPL-3.0-or-later */
/* settings.h - the commands of the streaming side, and the settings that they share. */
#ifndef FRAUD_SETTINGS_H
#define FRAUD_SETTINGS_H

#include "store/store_command.h"
#include "stream/stream.h"

#define FRAUD_BROKERS_ROW                                                                          \
    {                                                                                              \
        .name = "brokers", .section = "kafka", .type = R1_OPT_STRING, .def = "127.0.0.1:19092",    \
        .help = "host:port,host:port"                                                              \
    }
#define FRAUD_KAFKA_EXTRA_ROW                                                                      \
    {                                                                                              \
        .name = "kafka-extra", .section = "kafka", .type = R1_OPT_STRING,                          \
        .secret_keys = R1_STREAM_SECRETS,                                                          \
        .help = "further librdkafka settings: key=value key=value"                                 \
    }

#define FRAUD_KAFKA_SETTING_ROW                                                                    \
    {                                                                                              \
        .name = "extra", .section = "kafka", .type = R1_OPT_STRING, .many = true,                  \
        .secret_keys = R1_STREAM_SECRETS,                                                          \
        .help = "a librdkafka setting of this name, with any value"                                \
    }

extern const r1_option fraud_serve_rows[];
extern const size_t fraud_serve_n_row;

/* The rows of serve, and own ones behind them. Returns how many. */
enum { FRAUD_JOINED_ROWS_MAX = 96 };
size_t fraud_join_rows(r1_option *rows, size_t max, const r1_option *own, size_t n_own);
const r1_option *fraud_config_rows(size_t *n);
const r1_option *fraud_reload_rows(size_t *n);
const r1_option *fraud_calibrate_rows(size_t *n);

/* Commands of the streaming side, for the program's table. */
int fraud_command_serve(r1_cli_call *call);
int fraud_command_produce(r1_cli_call *call);
int fraud_command_dlq(r1_cli_call *call);
int fraud_command_status(r1_cli_call *call);
int fraud_command_offsets(r1_cli_call *call);
int fraud_command_config(r1_cli_call *call);
int fraud_command_reload(r1_cli_call *call);
int fraud_command_calibrate(r1_cli_call *call);
extern const r1_option fraud_produce_rows[], fraud_dlq_rows[], fraud_status_rows[],
    fraud_offsets_rows[];
extern const size_t fraud_produce_n_row, fraud_dlq_n_row, fraud_status_n_row, fraud_offsets_n_row;

#endif
