/* SPDX-License-Identifier: GPL-3.0-or-later */
/* server.h - what the files of the live path share: the running service, and the batch that it
 * works on.
 *
 * Start and end lie in serve.c, one turn of the loop in serve_loop.c, one message in intake.c,
 * scoring in scores.c, and what is counted in serve_metrics.c.
 *
 * Owns:    all that is in `server`, except the settings.
 * Threads: the reading thread's. The scoring thread has a batch, and reads policy and pace while it
 *          has one (scores.h); the writer has its own state. */
#ifndef FRAUD_SERVER_H
#define FRAUD_SERVER_H

#include "serve/arrival.h"
#include "serve/ending.h"
#include "serve/parts.h"
#include "serve/rebuild.h"
#include "serve/reload.h"
#include "serve/shown.h"
#include "snapshot/snapshot.h"
#include "stream/watch.h"

enum { FRAUD_SERVE_PARTS = 5 }; /* of a snapshot: serve_snapshot.c */

typedef struct {
    const r1_options *o;
    fraud_parts parts;
    fraud_ledger ledger;
    fraud_writer *writer;
    r1_store *store;
    int32_t n_partition[FRAUD_N_TOPIC]; /* that the broker told of */
    r1_watch *watch;                    /* for added partitions and topics made anew */
    int32_t n_assigned[FRAUD_N_TOPIC];  /* that are read */
    r1_consumer *consumer;              /* its topics are numbered as fraud_topic */
    fraud_time_guard guard;
    fraud_arrival arrival; /* of a message that came by no topic */
    r1_producer *producer;
    int64_t last_seq;
    char currency[4];          /* in which amounts are compared; "": not known yet */
    const char *currency_from; /* "setting", "log" or "payment"; "none": not known yet */
    char applied_in[8];        /* currency of the amounts in the state; "": none was applied */
    /* apart: decided beside the state; not_finite: with a score that is no number */
    uint64_t consumed, apart, not_finite;
    uint64_t time_suspect;    /* of those apart, for their date */
    uint64_t labels_odd_time; /* applied, although their date cannot be believed */
    int64_t last_message_us;  /* monotonic */
    int64_t away_us;          /* monotonic: since when the broker fails; 0: it does not */
    int64_t http_next;        /* offset of the next payment of POST /v1/decide */
    fraud_rebuilt rebuilt;
    fraud_reload *reload;
    fraud_snapshots *snapshots; /* NULL: no folder is set */
    fraud_snapshot_part part[FRAUD_SERVE_PARTS];
    fraud_snapshot_log log;  /* where the state stands */
    int64_t snapshot_seq;    /* highest row of a snapshot that the log ends before; 0: none */
    int64_t sent_seq;        /* highest row whose decision went to its topic; 0: none */
    bool orderly;            /* the loop ended without a failure: the state is that of the log */
    struct fraud_port *port; /* port.h */
    struct fraud_scores *scores; /* scores.h */
    struct fraud_share *share;   /* share.h; NULL: this process works alone */
    int64_t machine_ms;          /* shared: the clock of the event in hand */
    bool no_slot;                /* shared: the event in hand is not to be scored */
    fraud_ending *ending;
} server;

enum { BATCH_MAX = FRAUD_BATCH_MAX };
typedef struct {
    fraud_record *record[BATCH_MAX]; /* in order of consumption, pushed in this order */
    size_t n;
    fraud_slot *slot[BATCH_MAX]; /* of the payments among them */
    fraud_record *scored[BATCH_MAX];
    size_t n_slot;
    fraud_recall_batch *memory; /* of these payments: fraud_engine_offer */
    fraud_result result[BATCH_MAX];
} batch;

/* ---- intake.c: one message ---- */

/* The next message of the merged topics, in a record of its own. R1_E_TIMEOUT when none is due or
 * no record is free. */
r1_status fraud_serve_poll(server *s, int timeout_ms, fraud_record **out, r1_err *err);
/* Applies a message that was read; its record goes into the batch. */
r1_status fraud_serve_accept(server *s, batch *b, fraud_record *r, fraud_topic topic, r1_err *err);
/* Turns a score into the decision of the record; puts reasons to the score of an alert. */
r1_status fraud_serve_decide(server *s, fraud_record *r, const fraud_slot *slot, fraud_result *res,
                             r1_err *err);

/* ---- assign.c: where reading begins ---- */

/* Partitions of all topics that are consumed. */
int32_t fraud_serve_partitions(const server *s);
/* Topics that are consumed: 0, 1... of fraud_topic. */
int fraud_serve_topics(const server *s);
/* Begins to read the partitions that are taken and not yet read. R1_E_STREAM, not retriable, where
 * a stored offset does not fit what the broker holds. */
r1_status fraud_serve_assign(server *s, r1_err *err);

/* Takes and reads the partitions that were added since, and begins to watch for further ones. An
 * error of the watch ends the service. */
r1_status fraud_serve_watch(server *s, r1_err *err);
/* ---- guard_resume.c: the guard of event time across a restart ---- */

/* The last payments that were applied: how many there are, at most FRAUD_TIME_BELIEVED, and the
 * times of the newest. */
r1_status fraud_serve_last_applied(const server *s, fraud_time_case *last, size_t *n, r1_err *err);
r1_status fraud_serve_resume_guard(server *s, r1_err *err); /* before the first message */
fraud_guard_mark fraud_serve_guard_mark(const server *s);   /* of the guard as it stands */

/* ---- intake_currency.c: amounts of several currencies ---- */

/* By the setting, the state and the log, before the first payment. Refuses a setting in which the
 * amounts of the state are not. */
r1_status fraud_serve_currency_begin(server *s, r1_err *err);
/* Puts a payment into the stream's currency. false: it cannot be scored, why tells. */
bool fraud_serve_currency(server *s, fraud_record *r, r1_err *why);
/* After a payment was applied: the first one of the stream decides its currency, and is told. */
void fraud_serve_currency_taken(server *s, const fraud_record *r);
/* A snapshot's part: in which currency the amounts of the state are. */
fraud_snapshot_part fraud_serve_currency_part(server *s);

/* ---- serve_loop.c: one turn after the other ---- */

/* Reads, scores and hands over until the user stops the service, it is idle or it fails. */
r1_status fraud_serve_loop(server *s, r1_err *err);

/* ---- serve_snapshot.c: the state across a restart ---- */

/* The state of the newest good snapshot and the log's tail, or of the whole log. Ownership has been
 * taken. */
r1_status fraud_serve_restore(server *s, r1_err *err);
/* The last number that was given, where the log's rows end with last_row: numbers of rows that are
 * gone are not given again. What is seen to be gone is said and noted. */
r1_status fraud_serve_last_number(const server *s, int64_t last_row, int64_t *out, r1_err *err);
r1_status fraud_serve_name_log(server *s, r1_err *err); /* s->log.log_id: when the log was made */
/* Notes the last record of the batch that has an apply_seq, before the writer gets it. */
void fraud_serve_mark(server *s, const batch *b);
/* Whether fraud_serve_snapshot_tick would write a file. */
bool fraud_serve_snapshot_due(const server *s);
/* Between two turns of the loop. drained: no slot is filled; else none is begun. */
void fraud_serve_snapshot_tick(server *s, bool drained);
/* At the end, after the writer has stopped. */
void fraud_serve_snapshot_last(server *s);

/* ---- serve_metrics.c: what is counted ---- */

/* Copies what /metrics prints. The reading thread's. */
void fraud_metrics_take(const server *s, fraud_shown *out);
/* Writes counts and latencies as JSON to the file `path`. */
r1_status fraud_serve_stats(const server *s, const fraud_writer_stats *w, const char *path,
                            r1_err *err);

#endif
