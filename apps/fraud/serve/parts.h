/* SPDX-License-Identifier: GPL-3.0-or-later */
/* parts.h - everything that `serve` makes out of its settings before it asks the outside for
 * anything: model, rules, lists, queue, and the checks of what it will ask for.
 *
 * `config check` builds the same parts and stops, so what it calls good is what `serve` starts
 * with. No connection is made. No file stays: the one of --stats is made for a moment, to know that
 * it can be.
 *
 * Owns:    what it made; borrows the settings.
 * Threads: one.
 * Errors:  R1_E_NOMEM, else a fault of the configuration with what was expected and what was found;
 *          fraud_parts_exit turns it into the exit code. */
#ifndef FRAUD_PARTS_H
#define FRAUD_PARTS_H

#include "cli/r1_cli.h"
#include "payment/payment_map.h"
#include "payment/rates.h"
#include "serve/arrival.h"
#include "serve/policy_build.h"
#include "serve/txset.h"
#include "write/ledger.h"

enum { FRAUD_BATCH_MAX = FRAUD_SCORE_MAX, FRAUD_QUEUE_RECORDS = 8192 };

typedef struct {
    const r1_options *o;
    r1_stream_opts stream;            /* of consumer and producer */
    fraud_arrival_opts arrival;       /* how a message is read when it arrives */
    const char *topic[FRAUD_N_TOPIC]; /* NULL: not consumed */
    char group[300];                  /* the consumer group */
    const char *conninfo;             /* of PostgreSQL */
    char migrations[R1_PATH_BYTES];
    fraud_rates *rates; /* NULL: amounts are compared within one currency */
    fraud_map *map;     /* NULL: messages use our own names */
    fraud_engine *engine;
    fraud_policy *policy;
    fraud_pace *pace;
    fraud_txset *seen;
    fraud_queue *queue;
    char calibrated_for[FRAUD_MODEL_NAME_BYTES]; /* the model that the thresholds are of; "": any */
    char model[64], model_text[128];             /* as decision rows name it, and what is in it */
} fraud_parts;

/* On failure *parts holds what was made so far: release it all the same. */
r1_status fraud_parts_build(fraud_parts *parts, const r1_options *o, r1_err *err);
/* The engine and its names alone, for commands that score recorded payments. */
r1_status fraud_parts_engine(fraud_parts *parts, const r1_options *o, r1_err *err);
/* All but the queue, which lends Kafka messages and must go before the consumers. */
void fraud_parts_release(fraud_parts *parts);
/* What the setting `unscorable` decides. */
fraud_action fraud_parts_unscorable(const fraud_parts *parts);
/* 2 for a configuration at fault, 1 where memory was short. */
int fraud_parts_exit(r1_status st);

#endif
