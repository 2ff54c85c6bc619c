/* SPDX-License-Identifier: Apache-2.0 */
/* med_records_rotate.c - what older keys sealed is sealed by the first key of the file, and what
 * earlier versions left in the clear is taken in. Each batch is read, opened and sealed here; one
 * statement then writes it with its audit row, where nobody has changed the rows meanwhile. */
#include "records/med_records.h"

#include "cli/r1_cli.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct {
    const med_records *m;
    void (*say)(const char *why);
    med_rotated *out;
    char last[24]; /* of r1.med_sealed.id: rows up to it are done, or do not open */
} rotate_run;

/* One kind of row that rotation takes in. */
typedef struct {
    /* At most MED_RECORDS_BATCH rows. $1: the last id, $2: the first key's name, or the index
     * key's; or no parameter */
    const char *read;
    size_t n_param;
    bool by_index;
    /* $1: the rows as JSON, $2 the key's name, $3 who; the number of rows is its result */
    const char *write;
    /* Adds row i to the JSON; R1_E_FORMAT, R1_E_NOT_FOUND: it does not open. */
    r1_status (*row)(const rotate_run *r, const r1_rows *rows, size_t i, json_t *list, r1_err *err);
} rotate_kind;

static r1_status rotate_unseal(const rotate_run *r, const r1_rows *rows, size_t i, char **bytes,
                               size_t *len, med_place *place, r1_err *err)
{
    *place = (med_place){r1_rows_text(rows, i, 1), r1_rows_text(rows, i, 2),
                         (int32_t)r1_rows_int(rows, i, 3), r1_rows_int(rows, i, 4)};
    return med_unseal(r->m->keys, r1_rows_text(rows, i, 6), place, r1_rows_text(rows, i, 5),
                      r1_rows_text(rows, i, 7), bytes, len, err);
}

static r1_status rotate_add(json_t *list, json_t *row, r1_err *err)
{
    if (row && json_array_append_new(list, row) == 0) return R1_OK;
    R1_FAIL(err, R1_E_NOMEM, "no memory for rows to be sealed");
}

static r1_status rotate_reseal(const rotate_run *r, const r1_rows *rows, size_t i, json_t *list,
                               r1_err *err)
{
    char *bytes = NULL, *hex = NULL;
    size_t len = 0;
    med_place place;
    R1_TRY(rotate_unseal(r, rows, i, &bytes, &len, &place, err));
    r1_status st = med_seal(r->m->keys, &place, r1_rows_text(rows, i, 5), bytes, len, &hex, err);
    med_seal_forget(bytes, len);
    if (st == R1_OK)
        st = rotate_add(list,
                        json_pack("{s:s, s:s, s:s}", "id", r1_rows_text(rows, i, 0), "old",
                                  r1_rows_text(rows, i, 6), "hex", hex),
                        err);
    free(hex);
    return st;
}

static r1_status rotate_reindex(const rotate_run *r, const r1_rows *rows, size_t i, json_t *list,
                                r1_err *err)
{
    char *bytes = NULL, index[MED_INDEX_BYTES];
    size_t len = 0;
    med_place place;
    R1_TRY(rotate_unseal(r, rows, i, &bytes, &len, &place, err));
    med_index_of_id(r->m->keys, bytes, len, index);
    med_seal_forget(bytes, len);
    return rotate_add(list, json_pack("{s:s, s:s}", "id", r1_rows_text(rows, i, 0), "index", index),
                      err);
}

/* The key of a message that an earlier version stored as it came. */
static r1_status rotate_adopt_id(const rotate_run *r, const r1_rows *rows, size_t i, json_t *list,
                                 r1_err *err)
{
    const med_place place = {r1_rows_text(rows, i, 1), r1_rows_text(rows, i, 2),
                             (int32_t)r1_rows_int(rows, i, 3), r1_rows_int(rows, i, 4)};
    const char *digits = r1_rows_text(rows, i, 5);
    char index[MED_INDEX_BYTES], *hex = NULL;
    size_t len = strlen(digits) / 2;
    char *id = malloc(len + 1);
    if (!id) R1_FAIL(err, R1_E_NOMEM, "no memory for an id");
    for (size_t k = 0; k < len; k++) {
        const char two[] = {digits[2 * k], digits[2 * k + 1], '\0'};
        id[k] = (char)strtoul(two, NULL, 16);
    }
    id[len] = '\0';
    med_index_of_id(r->m->keys, id, len, index);
    r1_status st = med_seal(r->m->keys, &place, MED_SEALED_ID, id, len, &hex, err);
    med_seal_forget(id, len);
    if (st == R1_OK)
        st = rotate_add(list,
                        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "c", place.cluster, "t",
                                  place.topic, "p", r1_rows_text(rows, i, 3), "o",
                                  r1_rows_text(rows, i, 4), "i", index, "hex", hex),
                        err);
    free(hex);
    return st;
}

static r1_status rotate_adopt_hash(const rotate_run *r, const r1_rows *rows, size_t i, json_t *list,
                                   r1_err *err)
{
    char index[MED_INDEX_BYTES];
    const char *old = r1_rows_text(rows, i, 1);
    med_index_of_hash(r->m->keys, old, index);
    return rotate_add(list, json_pack("{s:s, s:s}", "old", old, "new", index), err);
}

#define AUDITED(what, kind, from)                                                                  \
    "a AS (INSERT INTO r1.med_audit (who, what, kind, n, detail) SELECT $3, '" what "', '" kind    \
    "', count(*), $2 FROM " from " HAVING count(*) > 0) SELECT count(*) FROM " from
#define PLACE_IS(a, b)                                                                             \
    a ".cluster_id = " b ".c AND " a ".topic = " b ".t AND " a ".partition = " b ".p AND " a       \
      ".kafka_offset = " b ".o"
static const rotate_kind rotate_kinds[MED_ROTATED_COUNT] = {
    [MED_TAKEN_ID] =
        {.read = "SELECT 0, cluster_id, topic, partition, kafka_offset, encode(key, 'hex') FROM "
                 "r1.med_record WHERE key IS NOT NULL LIMIT 256",
         .write =
             "WITH v AS (SELECT * FROM jsonb_to_recordset($1::jsonb) AS v (c text, t text, p "
             "integer, o bigint, i text, hex text)), u AS (UPDATE r1.med_record r SET key = NULL, "
             "key_index = v.i FROM v WHERE " PLACE_IS(
                 "r",
                 "v") " AND r.key IS NOT NULL RETURNING "
                      "v.c, v.t, v.p, v.o, v.hex), s AS (INSERT INTO r1.med_sealed (cluster_id, "
                      "topic, "
                      "partition, kafka_offset, kind, seal_key, sealed) SELECT c, t, p, o, "
                      "'" MED_SEALED_ID "', $2, decode(hex, 'hex') FROM u), d AS (UPDATE "
                      "r1.dead_letter d SET key = NULL "
                      "FROM u WHERE d.app = 'medical' AND d.topic = u.t AND d.partition = u.p AND "
                      "d.kafka_offset = u.o), " AUDITED("adopt", "id", "u"),
         .row = rotate_adopt_id},
    [MED_TAKEN_HASH] =
        {.read = "SELECT DISTINCT 0, record_hash FROM r1.med_report WHERE record_hash ~ "
                 "'^[0-9a-f]{16}$' LIMIT 256",
         .write =
             "WITH v AS (SELECT * FROM jsonb_to_recordset($1::jsonb) AS v (old text, new text)), "
             "m AS (UPDATE r1.med_record r SET record_hash = v.new FROM v WHERE r.record_hash = "
             "v.old), u AS (UPDATE r1.med_report r SET record_hash = v.new FROM v WHERE "
             "r.record_hash = v.old RETURNING true), " AUDITED("adopt", "hash", "u"),
         .row = rotate_adopt_hash},
    [MED_RESEALED] =
        {.read =
             "SELECT id, cluster_id, topic, partition, kafka_offset, kind, seal_key, "
             "encode(sealed, "
             "'hex') FROM (SELECT *, sum(length(sealed)) OVER (ORDER BY id) - length(sealed) AS "
             "before FROM (SELECT * FROM r1.med_sealed WHERE id > $1::bigint AND seal_key <> $2 "
             "ORDER BY id LIMIT 256) y) x WHERE before < 8388608 ORDER BY id",
         .write =
             "WITH v AS (SELECT * FROM jsonb_to_recordset($1::jsonb) AS v (id bigint, old text, "
             "hex text)), u AS (UPDATE r1.med_sealed s SET seal_key = $2, sealed = decode(v.hex, "
             "'hex') FROM v WHERE s.id = v.id AND s.seal_key = v.old RETURNING true), " AUDITED(
                 "rotate", "sealed", "u"),
         .row = rotate_reseal,
         .n_param = 2},
    [MED_REINDEXED] =
        {.read =
             "SELECT s.id, s.cluster_id, s.topic, s.partition, s.kafka_offset, s.kind, s.seal_key, "
             "encode(s.sealed, 'hex') FROM r1.med_sealed s JOIN r1.med_record r USING (cluster_id, "
             "topic, partition, kafka_offset) WHERE s.id > $1::bigint AND s.kind = '" MED_SEALED_ID
             "' AND split_part(r.key_index, ':', 1) <> $2 ORDER BY s.id LIMIT 256",
         .write =
             "WITH v AS (SELECT * FROM jsonb_to_recordset($1::jsonb) AS v (id bigint, index "
             "text)), u AS (UPDATE r1.med_record r SET key_index = v.index FROM v, r1.med_sealed "
             "s WHERE s.id = v.id AND r.cluster_id = s.cluster_id AND r.topic = s.topic AND "
             "r.partition = s.partition AND r.kafka_offset = s.kafka_offset RETURNING "
             "true), " AUDITED("rotate", "index", "u"),
         .row = rotate_reindex,
         .n_param = 2,
         .by_index = true},
};

/* The rows of a batch that open, as JSON; the others are counted, and told. */
static r1_status rotate_list(rotate_run *r, const rotate_kind *kind, const r1_rows *rows,
                             json_t *list, r1_err *err)
{
    for (size_t i = 0; i < r1_rows_count(rows); i++) {
        r1_err why = {0};
        r1_status st = kind->row(r, rows, i, list, &why);
        if (st == R1_E_FORMAT || st == R1_E_NOT_FOUND) {
            if (r->out->failed++ < MED_RECORDS_SAID_MAX) r->say(why.msg);
        } else if (st != R1_OK) {
            *err = why;
            return st;
        }
        snprintf(r->last, sizeof r->last, "%s", r1_rows_text(rows, i, 0));
    }
    return R1_OK;
}

static r1_status rotate_write(rotate_run *r, const rotate_kind *kind, const json_t *list,
                              uint64_t *n, r1_err *err)
{
    char *text = json_dumps(list, JSON_COMPACT);
    r1_rows *rows = NULL;
    if (!text) R1_FAIL(err, R1_E_NOMEM, "no memory for rows to be sealed");
    const char *param[] = {text, med_keys_name(r->m->keys, 0), r->m->who};
    r1_status st = r1_store_query(r->m->store, kind->write, R1_COUNT(param), param, &rows, err);
    if (st == R1_OK) *n += (uint64_t)r1_rows_int(rows, 0, 0);
    r1_rows_free(rows);
    free(text);
    return st;
}

/* One transaction; *more: another batch may find something. */
static r1_status rotate_batch(rotate_run *r, med_rotated_kind of, bool *more, r1_err *err)
{
    const rotate_kind *kind = &rotate_kinds[of];
    char last[sizeof r->last];
    const char *param[] = {last, kind->by_index ? med_index_name(r->m->keys)
                                                : med_keys_name(r->m->keys, 0)};
    r1_rows *rows = NULL;
    uint64_t before = r->out->n[of];
    memcpy(last, r->last, sizeof last);
    R1_TRY(r1_store_query(r->m->store, kind->read, kind->n_param, param, &rows, err));
    json_t *list = json_array();
    r1_status st = list ? rotate_list(r, kind, rows, list, err)
                        : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for rows");
    if (st == R1_OK && json_array_size(list)) st = rotate_write(r, kind, list, &r->out->n[of], err);
    *more = r1_rows_count(rows) && (r->out->n[of] > before || strcmp(last, r->last) != 0);
    json_decref(list);
    r1_rows_free(rows);
    return st;
}

/* One rotation at a time: two with different files would seal anew what the other one sealed. The
 * lock is the connection's, so it goes with a process that was killed; the server may need a moment
 * to see that. */
static r1_status rotate_alone(const med_records *m, r1_err *err)
{
    enum { TRIES = 20, PAUSE_NS = 250000000 };
    if (r1_store_pooled(m->store))
        R1_FAIL(err, R1_E_INVAL,
                "a rotation holds a lock of its connection: expected a connection to PostgreSQL "
                "itself, found a pooler");
    for (int i = 0; i < TRIES; i++) {
        r1_rows *rows = NULL;
        R1_TRY(r1_store_query(m->store,
                              "SELECT pg_try_advisory_lock(hashtextextended('r1.med_rotate', 0))",
                              0, NULL, &rows, err));
        bool got = strcmp(r1_rows_text(rows, 0, 0), "t") == 0;
        r1_rows_free(rows);
        if (got) return R1_OK;
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    }
    R1_FAIL(err, R1_E_AGAIN,
            "another `records rotate` runs on this database: expected one at a time; run it again "
            "when that one has ended");
}

r1_status med_records_rotate(const med_records *m, void (*say)(const char *why), med_rotated *out,
                             r1_err *err)
{
    *out = (med_rotated){0};
    R1_TRY(rotate_alone(m, err));
    R1_TRY(med_records_admit(m, "rotate", MED_KNOWN_ROTATE, NULL, 0, err));
    for (med_rotated_kind of = 0; of < MED_ROTATED_COUNT; of++) {
        rotate_run r = {.m = m, .say = say, .out = out, .last = "0"};
        for (bool more = true; more;) {
            if (r1_cli_stopped())
                R1_FAIL(err, R1_E_CANCELLED, "stopped: the same command goes on where it stood");
            R1_TRY(rotate_batch(&r, of, &more, err));
        }
    }
    return med_known_forget(m->store, m->keys, err);
}

r1_status med_records_keys(const med_records *m, med_key_use_fn fn, void *ctx, r1_err *err)
{
    r1_rows *rows = NULL;
    R1_TRY(r1_store_query(m->store,
                          "SELECT seal_key, count(*) FROM r1.med_sealed GROUP BY 1 ORDER BY 1", 0,
                          NULL, &rows, err));
    for (size_t i = 0; i < r1_rows_count(rows); i++)
        fn(ctx, r1_rows_text(rows, i, 0), r1_rows_text(rows, i, 1));
    r1_rows_free(rows);
    return R1_OK;
}
