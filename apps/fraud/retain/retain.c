/* SPDX-License-Identifier: GPL-3.0-or-later */
/* retain.c - what is old, slice by slice: a slice is a week's partition, or the old rows of a
 * table without weeks. */
#include "retain/retain.h"
#include "retain/row_archive.h"
#include "store/store.h"
#include "store/store_command.h"
#include "text/quote.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    DAYS_MIN = 35, /* the state looks back 28 days: what is older moves no score after a restart */
    DAYS_MAX = 36500,
    SLICES_MAX = 4096,
    NAME_BYTES = 64,
    SQL_BYTES = 1024,
    FILE_BYTES = 4096
};

const r1_option fraud_db_rows[] = {
    R1_STORE_POSTGRES_ROW(R1_STORE_POSTGRES_DEFAULT, R1_STORE_POSTGRES_HELP),
    R1_STORE_DB_ROW(NULL),
    R1_STORE_MIGRATIONS_ROW,
    R1_STORE_ADMIN_TIMEOUT_ROW,
    {.name = "older-than",
     .type = R1_OPT_STRING,
     .def = "400d",
     .help = "retain: days that are kept, at least 35"},
    {.name = "archive",
     .type = R1_OPT_PATH,
     .help = "retain: folder for what is dropped, compressed, with a manifest; without it nothing "
             "is kept"},
    {.name = "dry-run", .type = R1_OPT_BOOL, .def = "false", .help = "retain: say, and do nothing"},
};
const size_t fraud_db_n_row = R1_COUNT(fraud_db_rows);

/* ---- slices ---- */

/* Tables whose old rows are deleted: the key that counts them, and which rows are old ($1). */
static const struct {
    const char *table, *name, *key, *old;
} row_tables[] = {
    {"payment", "payment_rest", "apply_seq", "written_at < %s"},
    {"decision", "decision_rest", "apply_seq", "written_at < %s"},
    {"finding", "finding_rest", "apply_seq", "written_at < %s"},
    {"label", "label_rest", "apply_seq", "written_at < %s"},
    {"duplicate", "duplicate", "id", "received_at < %s"},
    {"dead_letter", "dead_letter", "id",
     "app = 'fraud' AND received_at < %s AND (sent_at IS NOT NULL OR send_error IS NOT NULL OR NOT "
     "EXISTS (SELECT FROM r1.outbox WHERE app = 'fraud' AND kind = 'dead_letter'))"},
};

typedef struct {
    char table[NAME_BYTES], name[NAME_BYTES], from[NAME_BYTES], to[NAME_BYTES];
    const char *key;
    char old[512]; /* which rows of `name`; "true" for a whole partition */
    bool partition;
    int64_t rows, first, last, bytes;
    char file[FILE_BYTES];
    fraud_archived archived;
} retain_slice;

typedef struct {
    r1_store *s;
    const char *archive; /* NULL: none */
    bool dry;
    char cutoff[NAME_BYTES]; /* midnight of UTC: what was written before goes */
    retain_slice *slice;
    size_t n;
} retain_run;

static r1_status retain_add(retain_run *r, const retain_slice *slice, r1_err *err)
{
    if (r->n == SLICES_MAX)
        R1_FAIL(err, R1_E_NOMEM, "more than %d partitions and tables are old", SLICES_MAX);
    r->slice[r->n++] = *slice;
    return R1_OK;
}

static r1_status retain_count(retain_run *r, retain_slice *x, r1_err *err)
{
    char sql[SQL_BYTES];
    snprintf(
        sql, sizeof sql,
        "SELECT count(*), min(%s), max(%s), pg_total_relation_size('r1.%s') FROM r1.%s WHERE %s",
        x->key, x->key, x->name, x->name, x->old);
    r1_rows *rows;
    R1_TRY(r1_store_query(r->s, sql, 0, NULL, &rows, err));
    x->rows = r1_rows_int(rows, 0, 0);
    x->first = r1_rows_int(rows, 0, 1);
    x->last = r1_rows_int(rows, 0, 2);
    x->bytes = r1_rows_int(rows, 0, 3);
    r1_rows_free(rows);
    return R1_OK;
}

/* In the order in which the writer takes their locks: another order could deadlock with it. */
static r1_status retain_partitions(retain_run *r, r1_err *err)
{
    const char *param[] = {r->cutoff};
    r1_rows *rows;
    R1_TRY(r1_store_query(r->s,
                          "SELECT of_table, name, from_at, to_at FROM r1.log_partition WHERE to_at "
                          "<= $1::timestamptz ORDER BY to_at, array_position(ARRAY['payment', "
                          "'decision', 'finding', 'label'], of_table::text)",
                          1, param, &rows, err));
    r1_status st = R1_OK;
    for (size_t i = 0; st == R1_OK && i < r1_rows_count(rows); i++) {
        const char *from = r1_rows_text(rows, i, 2);
        retain_slice x = {.key = "apply_seq", .partition = true};
        snprintf(x.table, NAME_BYTES, "%s", r1_rows_text(rows, i, 0));
        snprintf(x.name, NAME_BYTES, "%s", r1_rows_text(rows, i, 1));
        snprintf(x.from, NAME_BYTES, "%s", from ? from : "");
        snprintf(x.to, NAME_BYTES, "%s", r1_rows_text(rows, i, 3));
        snprintf(x.old, sizeof x.old, "true");
        st = retain_count(r, &x, err);
        if (st == R1_OK) st = retain_add(r, &x, err);
    }
    r1_rows_free(rows);
    return st;
}

static r1_status retain_rows(retain_run *r, r1_err *err)
{
    for (size_t i = 0; i < R1_COUNT(row_tables); i++) {
        char quoted[NAME_BYTES + 2];
        retain_slice x = {.key = row_tables[i].key};
        snprintf(quoted, sizeof quoted, "'%s'", r->cutoff);
        snprintf(x.table, NAME_BYTES, "%s", row_tables[i].table);
        snprintf(x.name, NAME_BYTES, "%s", row_tables[i].name);
        snprintf(x.to, NAME_BYTES, "%s", r->cutoff);
        const char *at = strstr(row_tables[i].old, "%s");
        snprintf(x.old, sizeof x.old, "%.*s%s%s", (int)(at - row_tables[i].old), row_tables[i].old,
                 quoted, at + 2);
        R1_TRY(retain_count(r, &x, err));
        if (x.rows) R1_TRY(retain_add(r, &x, err));
    }
    return R1_OK;
}

/* A decision that a topic has not acknowledged must stay. */
static r1_status retain_topics(retain_run *r, r1_err *err)
{
    r1_rows *rows;
    R1_TRY(r1_store_query(r->s,
                          "SELECT topic, next_seq FROM r1.outbox WHERE app = 'fraud' AND kind = "
                          "'decision' ORDER BY next_seq LIMIT 1",
                          0, NULL, &rows, err));
    bool any = r1_rows_count(rows) > 0;
    int64_t next = any ? r1_rows_int(rows, 0, 1) : INT64_MAX;
    char topic[256];
    snprintf(topic, sizeof topic, "%s", any ? r1_rows_text(rows, 0, 0) : "");
    r1_rows_free(rows);
    for (size_t i = 0; i < r->n; i++)
        if (!strcmp(r->slice[i].table, "decision") && r->slice[i].last >= next)
            R1_FAIL(err, R1_E_INVAL,
                    "%s: expected that topic %s has it, found that it has acknowledged up to "
                    "apply_seq %lld alone: start the service, or delete the topic's row of "
                    "r1.outbox",
                    r->slice[i].name, topic, (long long)next - 1);
    return R1_OK;
}

/* ---- the archive ---- */

static r1_status retain_write(retain_run *r, retain_slice *x, r1_err *err)
{
    char sql[SQL_BYTES];
    int len = snprintf(x->file, FILE_BYTES, "%s/%s%s%.10s.copy.zst", r->archive, x->name,
                       x->partition ? "_to_" : "_before_", x->to);
    if (len >= FILE_BYTES)
        R1_FAIL(err, R1_E_INVAL, "%s: the folder's name is too long", r->archive);
    snprintf(sql, sizeof sql, "COPY (SELECT * FROM r1.%s WHERE %s ORDER BY %s) TO STDOUT", x->name,
             x->old, x->key);
    fraud_archive *a;
    R1_TRY(fraud_archive_new(&a, x->file, err));
    r1_status st = r1_store_copy_out(r->s, sql, fraud_archive_row, a, err);
    R1_TRY(fraud_archive_close(a, st, &x->archived, err));
    if (x->archived.rows != (uint64_t)x->rows)
        R1_FAIL(err, R1_E_FORMAT, "%s: expected %lld rows, found %llu", x->file, (long long)x->rows,
                (unsigned long long)x->archived.rows);
    return R1_OK;
}

static json_t *retain_columns(retain_run *r, const retain_slice *x)
{
    const char *param[] = {x->name};
    r1_rows *rows;
    json_t *names = json_array();
    if (r1_store_query(r->s,
                       "SELECT attname FROM pg_attribute WHERE attrelid = format('r1.%I', "
                       "$1::text)::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
                       1, param, &rows, NULL) != R1_OK)
        return names;
    for (size_t i = 0; i < r1_rows_count(rows); i++)
        json_array_append_new(names, json_string(r1_rows_text(rows, i, 0)));
    r1_rows_free(rows);
    return names;
}

static json_t *retain_entry(retain_run *r, const retain_slice *x)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:I, s:I, s:I, s:s, s:s, s:I, s:s}", "table",
                     x->table, "name", x->name, "file", strrchr(x->file, '/') + 1, "format",
                     "COPY text, zstd", "columns", retain_columns(r, x), "rows",
                     (json_int_t)x->rows, "first", (json_int_t)x->first, "last",
                     (json_int_t)x->last, "from", x->from, "to", x->to, "bytes",
                     (json_int_t)x->archived.bytes, "sha256", x->archived.sha256);
}

static r1_status retain_manifest(retain_run *r, size_t from, size_t to, r1_err *err)
{
    r1_rows *rows;
    R1_TRY(r1_store_query(r->s,
                          "SELECT max(version), current_database(), now() FROM r1.schema_migration",
                          0, NULL, &rows, err));
    json_t *o = json_pack("{s:I, s:s, s:s, s:o}", "schema_version",
                          (json_int_t)r1_rows_int(rows, 0, 0), "database", r1_rows_text(rows, 0, 1),
                          "made_at", r1_rows_text(rows, 0, 2), "files", json_array());
    r1_rows_free(rows);
    for (size_t i = from; i < to; i++)
        json_array_append_new(json_object_get(o, "files"), retain_entry(r, &r->slice[i]));
    char path[FILE_BYTES];
    snprintf(path, sizeof path, "%s/manifest_%s%.10s.json", r->archive,
             r->slice[from].partition ? "to_" : "before_", r->slice[from].to);
    char *text = json_dumps(o, JSON_INDENT(2));
    json_decref(o);
    if (!text) R1_FAIL(err, R1_E_NOMEM, "%s: no memory for the manifest", path);
    r1_status st = r1_file_write(path, text, strlen(text), err);
    free(text);
    return st;
}

/* ---- dropping ---- */

static r1_status retain_audit(retain_run *r, const retain_slice *x, r1_err *err)
{
    char rows[24], first[24], last[24];
    snprintf(rows, sizeof rows, "%lld", (long long)x->rows);
    snprintf(first, sizeof first, "%lld", (long long)x->first);
    snprintf(last, sizeof last, "%lld", (long long)x->last);
    const char *param[] = {x->table,
                           x->name,
                           *x->from ? x->from : NULL,
                           x->to,
                           rows,
                           x->rows ? first : NULL,
                           x->rows ? last : NULL,
                           r->archive ? x->file : NULL,
                           r->archive ? x->archived.sha256 : NULL};
    return r1_store_query(r->s,
                          "INSERT INTO r1.retention (of_table, name, from_at, to_at, n_row, "
                          "first_seq, last_seq, archive, sha256) VALUES ($1, $2, $3::timestamptz, "
                          "$4::timestamptz, $5::bigint, $6::bigint, $7::bigint, $8, $9)",
                          R1_COUNT(param), param, NULL, err);
}

static r1_status retain_again(retain_run *r, const retain_slice *x, r1_err *err)
{
    retain_slice now = *x;
    R1_TRY(retain_count(r, &now, err));
    if (now.rows == x->rows && now.last == x->last) return R1_OK;
    R1_FAIL(err, R1_E_FORMAT, "%s: expected %lld rows as before, found %lld: nothing is dropped",
            x->name, (long long)x->rows, (long long)now.rows);
}

/* A week is counted under a lock that lets others read; none writes to it any more. */
static r1_status retain_verify(retain_run *r, const retain_slice *x, r1_err *err)
{
    char sql[SQL_BYTES];
    if (!x->partition) return R1_OK;
    snprintf(sql, sizeof sql, "LOCK TABLE r1.%s IN SHARE MODE", x->name);
    R1_TRY(r1_store_query(r->s, sql, 0, NULL, NULL, err));
    return retain_again(r, x, err);
}

/* The table's lock is held from here to the end of the transaction, so this comes last. */
static r1_status retain_drop_week(retain_run *r, const retain_slice *x, r1_err *err)
{
    char sql[SQL_BYTES];
    snprintf(sql, sizeof sql, "LOCK TABLE ONLY r1.%s IN ACCESS EXCLUSIVE MODE", x->table);
    R1_TRY(r1_store_query(r->s, sql, 0, NULL, NULL, err));
    snprintf(sql, sizeof sql, "DROP TABLE r1.%s", x->name);
    return r1_store_query(r->s, sql, 0, NULL, NULL, err);
}

static r1_status retain_delete(retain_run *r, const retain_slice *x, r1_err *err)
{
    char sql[SQL_BYTES];
    snprintf(sql, sizeof sql, "DELETE FROM r1.%s WHERE %s AND %s <= %lld", x->name, x->old, x->key,
             (long long)x->last);
    r1_rows *rows;
    R1_TRY(r1_store_query(r->s, sql, 0, NULL, &rows, err));
    int64_t n = r1_rows_affected(rows);
    r1_rows_free(rows);
    if (n == x->rows) return R1_OK;
    R1_FAIL(err, R1_E_FORMAT, "%s: expected %lld rows as before, found %lld: nothing is deleted",
            x->name, (long long)x->rows, (long long)n);
}

/* One transaction. A lock that does not come at once ends it: whoever waits for a lock makes the
 * service wait behind it. */
static r1_status retain_drop_once(retain_run *r, size_t from, size_t to, r1_err *err)
{
    R1_TRY(r1_store_query(r->s, "BEGIN", 0, NULL, NULL, err));
    r1_status st = r1_store_query(r->s, "SET LOCAL lock_timeout = '500ms'", 0, NULL, NULL, err);
    for (size_t i = from; st == R1_OK && i < to; i++) st = retain_verify(r, &r->slice[i], err);
    for (size_t i = from; st == R1_OK && i < to; i++) st = retain_audit(r, &r->slice[i], err);
    for (size_t i = from; st == R1_OK && i < to; i++)
        st = r->slice[i].partition ? retain_drop_week(r, &r->slice[i], err)
                                   : retain_delete(r, &r->slice[i], err);
    if (st == R1_OK) st = r1_store_query(r->s, "COMMIT", 0, NULL, NULL, err);
    if (st != R1_OK) r1_store_query(r->s, "ROLLBACK", 0, NULL, NULL, NULL);
    return st;
}

static r1_status retain_drop(retain_run *r, size_t from, size_t to, r1_err *err)
{
    enum { TRIES = 6 };
    for (int i = 1;; i++) {
        r1_status st = retain_drop_once(r, from, to, err);
        if (st != R1_E_DB || !err->retriable || i == TRIES) return st;
        r1_log(R1_LOG_WARN, "retain_waits", "try=%d error=\"%s\"", i, r1_log_quote(err->msg).text);
        nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
        r1_err_clear(err);
    }
}

static void retain_say(const retain_run *r, const retain_slice *x)
{
    printf("%s %s: %lld rows",
           r->dry       ? "would drop"
           : r->archive ? "archived"
                        : "dropped",
           x->name, (long long)x->rows);
    if (x->rows) printf(", %s %lld to %lld", x->key, (long long)x->first, (long long)x->last);
    if (x->partition) printf(", %.1f MB", (double)x->bytes / 1e6);
    printf(", before %.10s\n", x->to);
}

/* What ends with the same week goes together. */
static r1_status retain_group(retain_run *r, size_t from, size_t to, r1_err *err)
{
    for (size_t i = from; !r->dry && r->archive && i < to; i++)
        R1_TRY(retain_write(r, &r->slice[i], err));
    if (!r->dry && r->archive) R1_TRY(retain_manifest(r, from, to, err));
    if (!r->dry) R1_TRY(retain_drop(r, from, to, err));
    for (size_t i = from; i < to; i++) retain_say(r, &r->slice[i]);
    return R1_OK;
}

static r1_status retain_all(retain_run *r, r1_err *err)
{
    R1_TRY(retain_partitions(r, err));
    R1_TRY(retain_rows(r, err));
    R1_TRY(retain_topics(r, err));
    if (!r->n) printf("nothing was written before %.10s\n", r->cutoff);
    for (size_t from = 0, to; from < r->n; from = to) {
        for (to = from + 1; to < r->n && !strcmp(r->slice[to].to, r->slice[from].to) &&
                            r->slice[to].partition == r->slice[from].partition;)
            to++;
        R1_TRY(retain_group(r, from, to, err));
    }
    return R1_OK;
}

/* ---- the command ---- */

static r1_status retain_days(const char *text, long *days, r1_err *err)
{
    char *end;
    errno = 0;
    *days = strtol(text, &end, 10);
    bool number = end != text && !errno && (!strcmp(end, "d") || !*end);
    if (number && *days >= DAYS_MIN && *days <= DAYS_MAX) return R1_OK;
    R1_FAIL(err, R1_E_INVAL, "older-than: expected %d to %d days such as 400d, found \"%s\"%s",
            DAYS_MIN, DAYS_MAX, text,
            number ? ": the state looks back 28 days and is made of the log" : "");
}

static r1_status retain_cutoff(retain_run *r, long days, r1_err *err)
{
    char text[24];
    snprintf(text, sizeof text, "%ld", days);
    const char *param[] = {text};
    r1_rows *rows;
    R1_TRY(r1_store_query(r->s,
                          "SELECT date_trunc('day', now()) - make_interval(days => $1::integer)", 1,
                          param, &rows, err));
    snprintf(r->cutoff, sizeof r->cutoff, "%s", r1_rows_text(rows, 0, 0));
    r1_rows_free(rows);
    return R1_OK;
}

static r1_status retain_begin(retain_run *r, const r1_options *o, long days, r1_err *err)
{
    char dir[R1_PATH_BYTES];
    r->archive = r1_options_str(o, "archive");
    r->dry = r1_options_bool(o, "dry-run");
    if (r->archive && !r->dry) R1_TRY(r1_mkdirs(r->archive, err));
    R1_TRY(r1_cli_path(o, "migrations", dir, err));
    R1_TRY(r1_store_migrated(r->s, dir, err));
    r->slice = calloc(SLICES_MAX, sizeof *r->slice);
    if (!r->slice) R1_FAIL(err, R1_E_NOMEM, "no memory for the list of partitions");
    return retain_cutoff(r, days, err);
}

static r1_status retain_command(const r1_options *o, r1_err *err)
{
    const char *conninfo;
    long days;
    R1_TRY(retain_days(r1_options_str(o, "older-than"), &days, err));
    R1_TRY(r1_store_conninfo(o, &conninfo, err));
    const r1_store_opts opts = {.application = "r1-fraud retain",
                                .statement_s = r1_options_int(o, "admin-timeout")};
    retain_run r = {0};
    r1_store_end_with_signal();
    R1_TRY(r1_store_open_with(&r.s, conninfo, &opts, err));
    r1_status st = retain_begin(&r, o, days, err);
    if (st == R1_OK) st = retain_all(&r, err);
    r1_store_close(r.s);
    free(r.slice);
    return st;
}

int fraud_command_db(r1_cli_call *call)
{
    const char *what = call->n_rest ? call->rest[0] : "";
    if (!strcmp(what, "migrate") || !strcmp(what, "status")) return r1_store_command(call);
    if (strcmp(what, "retain") != 0) {
        r1_err_set(&call->err, R1_E_INVAL, __FILE__, __LINE__,
                   "expected migrate, status or retain, found \"%s\"", what);
        return R1_EXIT_USAGE;
    }
    return r1_cli_exit(retain_command(call->opts, &call->err));
}
