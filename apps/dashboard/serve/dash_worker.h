/* SPDX-License-Identifier: Apache-2.0 */
/* dash_worker.h - what happens without a person: alerts become cases, sleepers wake, labels go to
 * their topic, sessions end.
 *
 * Several servers may run over one database: one of them at a time gathers. A label is marked as
 * sent after the broker has it, so it arrives at least once, with the same key and content.
 *
 * Owns:    a thread, a connection and a producer.
 * Threads: one starts and stops it.
 * Errors:  R1_E_NOMEM; of the producer's settings. What fails later is logged and tried again. */
#ifndef DASH_WORKER_H
#define DASH_WORKER_H

#include "similar/dash_similar.h"
#include "store/store.h"
#include "stream/stream.h"

typedef struct {
    const char *conninfo;
    const char *labels_topic; /* NULL: labels wait in r1.case_label */
    r1_stream_opts stream;
    int session_idle_s, session_max_s;
    dash_similar *similar; /* filled with closed cases; borrowed */
} dash_worker_opts;

typedef struct {
    uint64_t gathered, labels_sent, failures;
} dash_worker_stats;

typedef struct dash_worker dash_worker;
r1_status dash_worker_start(dash_worker **out, const dash_worker_opts *opts, r1_err *err);
void dash_worker_stats_read(dash_worker *w, dash_worker_stats *out);
void dash_worker_stop(dash_worker *w); /* NULL is fine */

#endif
