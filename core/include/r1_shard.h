/* SPDX-License-Identifier: Apache-2.0 */
/* r1_shard.h - training data on disk: events and samples of one description, in order.
 *
 * The writer streams to path + ".part", which r1_shard_finish renames; its memory stays small.
 * The reader maps the file and checks every size and reference once at open. The samples that it
 * hands out point into the map, and live as long as the shard is open.
 *
 * Threads: a writer belongs to one thread; many threads may read a shard.
 * Format: docs/file-formats.md. */
#ifndef R1_SHARD_H
#define R1_SHARD_H

#include "r1_sample.h"

typedef struct r1_shard_writer r1_shard_writer;
R1_API r1_status r1_shard_create(r1_shard_writer **out, const char *path,
                                 const char *description_json, r1_err *err);
/* *index is what memory items' refs name; refs must point to events added before. */
R1_API r1_status r1_shard_add_event(r1_shard_writer *w, const r1_event *event, uint64_t *index,
                                    r1_err *err);
/* sample->label must be set; event and event_handle are ignored. */
R1_API r1_status r1_shard_add(r1_shard_writer *w, const r1_sample *sample, r1_err *err);
R1_API r1_status r1_shard_finish(r1_shard_writer *w, r1_err *err); /* frees w also on error */
R1_API void r1_shard_abort(r1_shard_writer *w); /* removes what was written; NULL is fine */

typedef struct r1_shard r1_shard;
R1_API r1_status r1_shard_open(r1_shard **out, const char *path, r1_err *err);
R1_API void r1_shard_close(r1_shard *s);
R1_API const char *r1_shard_description(const r1_shard *s);
R1_API uint64_t r1_shard_schema_hash(const r1_shard *s);
R1_API size_t r1_shard_n_sample(const r1_shard *s);
R1_API size_t r1_shard_n_event(const r1_shard *s);
R1_API size_t r1_shard_n_item(const r1_shard *s);
/* item: room for n_item; *sample then points to it and into the map. */
R1_API r1_status r1_shard_get(const r1_shard *s, size_t index, r1_item *item, r1_sample *sample,
                              r1_err *err);
R1_API r1_event r1_shard_event(const r1_shard *s, size_t index);

#endif
