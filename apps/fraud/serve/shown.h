/* SPDX-License-Identifier: GPL-3.0-or-later */
/* shown.h - what the service shows of itself: a copy that the reading thread takes once a second,
 * so that whoever asks for metrics touches nothing that works.
 *
 * Owns:    nothing; borrows the topics' names and the HTTP server.
 * Threads: filled by the reading thread; read by any, under the port's lock. */
#ifndef FRAUD_SHOWN_H
#define FRAUD_SHOWN_H

#include "http/http.h"
#include "score/moved.h"
#include "write/writer.h"

enum {
    FRAUD_METRICS_MAX = 128,
    FRAUD_SHOWN_PRICES = 8,
    FRAUD_SHOWN_OUTSIDE = 200,
    FRAUD_SHOWN_MOVED = 20
};

/* Where the service stands in its life. */
typedef enum {
    FRAUD_PHASE_WAITS = 0, /* for PostgreSQL or the broker, at start */
    FRAUD_PHASE_REBUILDS,  /* state from the log */
    FRAUD_PHASE_RUNS,
    FRAUD_PHASE_STOPS,
    FRAUD_N_PHASE
} fraud_phase;
const char *fraud_phase_name(fraud_phase phase);

typedef struct {
    fraud_writer_stats w;
    double value[FRAUD_METRICS_MAX]; /* of each row of the table that is one number */
    fraud_phase phase;
    bool ready;
    const char *topic[FRAUD_N_TOPIC]; /* NULL: not consumed */
    int32_t n_partition[FRAUD_N_TOPIC];
    int64_t high[FRAUD_N_TOPIC][FRAUD_PARTITIONS_MAX]; /* next offset of the broker; -1: unknown */
    char owner[96], cluster[64];
    char log_id[64]; /* of the database's log; "": not known yet */
    char model[64], model_name[64], schema[20], config[64];
    double price[FRAUD_SHOWN_PRICES]; /* bytes; serve/price.h */
    const char *price_part[FRAUD_SHOWN_PRICES];
    size_t n_price;
    uint64_t memory_limit;
    struct { /* columns far outside of what the model's training saw; n 0: no more */
        char name[64];
        uint64_t n;
    } outside[FRAUD_SHOWN_OUTSIDE];
    fraud_moved_column moved[FRAUD_SHOWN_MOVED]; /* from training, the furthest first */
    size_t n_moved;
    char currency[4];          /* of the stream; "": not known yet */
    const char *currency_from; /* static */
    size_t in_flight;
    uint64_t reloads[2]; /* taken, refused */
    char waits[256];     /* fraud_reload_waits */
    int64_t started_us;
    fraud_pace *pace;    /* counts of rules; borrowed */
    const r1_http *http; /* NULL: none */
    const r1_http_route *route;
    size_t n_route;
} fraud_shown;

/* Prints all of it in Prometheus' text format; NULL: memory is short. */
char *fraud_metrics_text(const fraud_shown *shown, size_t *len);

#endif
