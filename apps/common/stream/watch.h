/* SPDX-License-Identifier: Apache-2.0 */
/* watch.h - looks at a consumer's topics every few seconds, beside the hot path: partitions that
 * were added, a topic that is gone, offsets that began again.
 *
 * A topic that was made anew is seen by a next offset at the broker that lies before what was
 * read, by fewer partitions, or by another message at an offset that was read (witness.h).
 *
 * Owns:    a thread, and a client for the last of these; borrows the consumer, which must outlive
 *          it.
 * Threads: start, news and stop belong to the caller's one.
 * Errors:  R1_E_STREAM, not retriable; a broker that is away is no news. */
#ifndef R1_WATCH_H
#define R1_WATCH_H

#include "stream/stream.h"

typedef struct r1_watch r1_watch;
/* n_partition[n_topic]: how many partitions the caller reads. opts: as those of c. */
r1_status r1_watch_start(r1_watch **out, r1_consumer *c, const r1_stream_opts *opts, int n_topic,
                         const int32_t *n_partition, int interval_ms, r1_err *err);
/* Cheap where nothing is new. *grown: some topic has more partitions than the caller reads;
 * n_partition then gets what each has now. It is told again until r1_watch_reads. */
r1_status r1_watch_news(r1_watch *w, bool *grown, int32_t *n_partition, r1_err *err);
/* The caller reads so many now. */
void r1_watch_reads(r1_watch *w, const int32_t *n_partition);
void r1_watch_stop(r1_watch *w); /* NULL is fine; waits for a request under way */

#endif
