/* SPDX-License-Identifier: GPL-3.0-or-later */
/* settings.h - the commands of the streaming side, and the settings that they share. */
#ifndef FRAUD_SETTINGS_H
#define FRAUD_SETTINGS_H

#include "store/store_command.h"

#define FRAUD_BROKERS_ROW                                                                          \
    {                                                                                              \
        .name = "brokers", .section = "kafka", .type = R1_OPT_STRING, .def = "127.0.0.1:19092",    \
        .help = "host:port,host:port"                                                              \
    }
#define FRAUD_KAFKA_EXTRA_ROW                                                                      \
    {                                                                                              \
        .name = "kafka-extra", .section = "kafka", .type = R1_OPT_STRING,                          \
        .help = "further librdkafka settings: key=value key=value"                                 \
    }

extern const r1_option fraud_serve_rows[];
extern const size_t fraud_serve_n_row;

/* Commands of the streaming side, for the program's table. */
int fraud_command_serve(r1_cli_call *call);
int fraud_command_produce(r1_cli_call *call);
int fraud_command_dlq(r1_cli_call *call);
int fraud_command_status(r1_cli_call *call);
int fraud_command_config(r1_cli_call *call);
extern const r1_option fraud_produce_rows[], fraud_dlq_rows[], fraud_status_rows[];
extern const size_t fraud_produce_n_row, fraud_dlq_n_row, fraud_status_n_row;

#endif
