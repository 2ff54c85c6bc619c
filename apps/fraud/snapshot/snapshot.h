/* SPDX-License-Identifier: GPL-3.0-or-later */
/* snapshot.h - the state of the service as files in a folder, written beside the stream, so that a
 * start reads the newest good one and the log's tail instead of the whole log.
 *
 *    due ──▶ a child of fork writes its copy of the state to a temporary file and syncs it
 *        ──▶ the parent sees that the log holds the snapshot's apply_seq, and tells the child
 *        ──▶ the child gives the file its name, syncs the folder, removes the oldest, ends
 *
 * (1) A file with a final name is whole, and the log held its last row when it got that name.
 * (2) The parent never waits: it forks, and asks at each tick how far the child is. A child that
 *     needs longer than the limit is killed.
 * (3) In the child nothing allocates, locks or formats. All buffers and names are made before.
 * (4) A failure costs a line of the log, a count, and nothing else. No half file stays.
 * (5) One process at a time writes into a folder: it holds the lock of the file "lock". Another one
 *     reads, and takes over when the first has ended.
 *
 * What a snapshot holds are parts: rows of a table that the service gives. The first section says
 * of which log it is (fraud_snapshot_log).
 *
 * Owns:    folder, lock, child, buffers; borrows parts and texts.
 * Threads: one: that which changes what the parts hold.
 * Units:   microseconds of the monotonic clock, where nothing else is said. */
#ifndef FRAUD_SNAPSHOT_H
#define FRAUD_SNAPSHOT_H

#include "files/image.h"
#include "payment/payment.h"

enum {
    FRAUD_SNAPSHOT_KEEP_MAX = 64,
    FRAUD_SNAPSHOT_TOPIC_BYTES = 256,
    FRAUD_SNAPSHOT_STREAM_BYTES = 1024
};

/* The row of the log that the snapshot ends with, and where the stream stood. */
typedef struct {
    int64_t apply_seq;           /* 0: the log was empty */
    int64_t incarnation, offset; /* of the topic: it may have been made anew */
    int32_t partition, spare;
    char topic[FRAUD_SNAPSHOT_TOPIC_BYTES];
    char tx_id[FRAUD_TX_ID_BYTES];
    char log_id[64];                          /* of this log, and no other that was ever made */
    char stream[FRAUD_SNAPSHOT_STREAM_BYTES]; /* cluster, topics, epochs: for the reader's eyes */
} fraud_snapshot_log;

/* One thing that a snapshot holds. The order of parts is that in the file. */
typedef struct {
    const char *name;
    bool optional; /* a file without its section is good: the part stays empty */
    void *ctx;
    r1_status (*settle)(void *ctx, r1_err *err);                  /* before a fork; may be NULL */
    r1_status (*save)(void *ctx, r1_image_out *out, r1_err *err); /* (3) holds for it */
    r1_status (*load)(void *ctx, r1_image_in *in, r1_err *err);
    r1_status (*empty)(void *ctx, r1_err *err); /* as before load, whatever load did */
} fraud_snapshot_part;

typedef struct {
    const char *folder;
    uint32_t keep; /* 2 .. FRAUD_SNAPSHOT_KEEP_MAX files */
    int64_t every_us, limit_us;
    const fraud_snapshot_part *part;
    size_t n_part;
    uint32_t n_thread; /* that load; 0: one for each processor */
    bool in_caller;    /* never forks: the tick writes, and waits for the commit by itself */
    bool shared;       /* several processes may have the folder: one writes, which is no failure of
                        * the others */
} fraud_snapshots_opts;

typedef struct {
    uint64_t written, failed, refused; /* refused: files that a start passed over */
    uint64_t bytes;                    /* of the newest */
    double seconds;                    /* that it took to write */
    int64_t fork_us, fork_us_max;      /* how long fork held the stream up */
    int64_t newest_at_us;              /* wall clock of the newest, or of the start without one */
    int64_t apply_seq;                 /* of the newest; 0: none */
    char loaded[48];                   /* file that the start came from; "": none */
} fraud_snapshots_stats;

typedef struct fraud_snapshots fraud_snapshots;
/* Makes the folder where it is not there, takes the lock, removes what a crash left. R1_E_IO where
 * the folder cannot be used. */
r1_status fraud_snapshots_new(fraud_snapshots **out, const fraud_snapshots_opts *opts, r1_err *err);
void fraud_snapshots_free(fraud_snapshots *s); /* kills a child; NULL is fine */

/* Says whether a file is of the log at hand: R1_OK; R1_E_NOT_FOUND: of another log, or not of this
 * one any more, and the next file is tried; else the start ends. */
typedef r1_status fraud_snapshot_judge(void *ctx, const fraud_snapshot_log *log, r1_err *err);
/* Loads the newest good file into empty parts. *log is its log; apply_seq 0 where there is none.
 * Each file that is passed over is named on standard error with the reason. */
r1_status fraud_snapshots_load(fraud_snapshots *s, fraud_snapshot_judge *judge, void *ctx,
                               fraud_snapshot_log *log, r1_err *err);

/* Whether fraud_snapshots_tick would begin a new file for a state that stands at apply_seq. */
bool fraud_snapshots_due(const fraud_snapshots *s, int64_t apply_seq);
/* Between two changes of the parts. log: where they stand; NULL: nothing to begin now.
 * committed_seq: up to where the log is in PostgreSQL. */
void fraud_snapshots_tick(fraud_snapshots *s, const fraud_snapshot_log *log, int64_t committed_seq);
/* At the end of the service, in the caller: a last file, unless the newest holds all. The log
 * holds log->apply_seq. */
r1_status fraud_snapshots_last(fraud_snapshots *s, const fraud_snapshot_log *log, r1_err *err);

const fraud_snapshots_stats *fraud_snapshots_read(const fraud_snapshots *s);

#endif
