/* SPDX-License-Identifier: Apache-2.0 */
/* The store against a real PostgreSQL (CTest starts it): migrations, pipelined transactions,
 * fencing, lost connections. */
#include "store/store_columns.h"
#include "store/store_internal.h"
#include "support/r1_test.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *store_conninfo(void)
{
    const char *c = getenv("R1_TEST_PG");
    if (!c) fprintf(stderr, "R1_TEST_PG must name a database; ctest sets it\n");
    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    return c;
}

static r1_store *store_open_store(void)
{
    r1_err err = {0};
    r1_store *s = NULL;
    R1_ASSERT_OK(r1_store_open(&s, store_conninfo(), "test_store", &err), &err);
    return s;
}

static int64_t store_scalar(r1_store *s, const char *sql)
{
    r1_err err = {0};
    r1_rows *r;
    R1_ASSERT_OK(r1_store_query(s, sql, 0, NULL, &r, &err), &err);
    int64_t v = r1_rows_int(r, 0, 0);
    r1_rows_free(r);
    return v;
}

static void store_write_text(const char *dir, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    CU_ASSERT_EQUAL_FATAL(r1_file_write(path, text, strlen(text), NULL), R1_OK);
}

static void test_migrate(void)
{
    r1_err err = {0};
    r1_store *s = store_open_store();
    R1_ASSERT_OK(r1_store_script(s, "DROP SCHEMA IF EXISTS r1 CASCADE", &err), &err);
    const char *dir = r1_test_source("schemas/sql");
    CU_ASSERT_EQUAL(r1_store_migrated(s, dir, &err), R1_E_AGAIN);
    size_t applied;
    R1_ASSERT_OK(r1_store_migrate(s, dir, &applied, &err), &err);
    CU_ASSERT_TRUE(applied >= 1);
    R1_ASSERT_OK(r1_store_migrate(s, dir, &applied, &err), &err);
    CU_ASSERT_EQUAL(applied, 0);
    R1_ASSERT_OK(r1_store_migrated(s, dir, &err), &err);
    r1_store_close(s);
}

static void test_migrate_refusals(void)
{
    r1_err err = {0};
    r1_store *s = store_open_store();
    size_t applied;
    char dir[300];
    snprintf(dir, sizeof dir, "%s/sql", r1_test_tmpdir());
    R1_ASSERT_OK(r1_mkdirs(dir, &err), &err);
    R1_ASSERT_OK(r1_store_script(s, "DROP SCHEMA IF EXISTS r1 CASCADE", &err), &err);
    store_write_text(dir, "0001_a.sql", "CREATE TABLE r1.a (x integer)");
    store_write_text(dir, "0002_b.sql", "CREATE TABLE r1.b (x integer); SELECT nonsense");
    CU_ASSERT_EQUAL(r1_store_migrate(s, dir, &applied, &err), R1_E_DB);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "0002_b.sql"));
    CU_ASSERT_EQUAL(
        store_scalar(s,
                     "SELECT count(*) FROM pg_tables WHERE schemaname = 'r1' AND tablename = 'b'"),
        0); /* nothing half-written */
    store_write_text(dir, "0002_b.sql", "CREATE TABLE r1.b (x integer)");
    R1_ASSERT_OK(r1_store_migrate(s, dir, &applied, &err), &err);
    CU_ASSERT_EQUAL(applied, 1);
    store_write_text(dir, "0001_a.sql", "CREATE TABLE r1.a (x bigint)");
    CU_ASSERT_EQUAL(r1_store_migrate(s, dir, &applied, &err), R1_E_INVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "0001_a.sql"));
    R1_ASSERT_OK(
        r1_store_script(s, "INSERT INTO r1.schema_migration VALUES (99, 'future', 'x')", &err),
        &err);
    store_write_text(dir, "0001_a.sql", "CREATE TABLE r1.a (x integer)");
    CU_ASSERT_EQUAL(r1_store_migrated(s, dir, &err), R1_E_INVAL);
    R1_ASSERT_OK(r1_store_script(s, "DROP SCHEMA IF EXISTS r1 CASCADE", &err), &err);
    r1_store_close(s);
}

static void fresh_schema(r1_store *s)
{
    r1_err err = {0};
    size_t applied;
    R1_ASSERT_OK(r1_store_script(s, "DROP SCHEMA IF EXISTS r1 CASCADE", &err), &err);
    R1_ASSERT_OK(r1_store_migrate(s, r1_test_source("schemas/sql"), &applied, &err), &err);
}

static void store_prepare_all(r1_store *s)
{
    r1_err err = {0};
    R1_ASSERT_OK(
        r1_store_prepare(s, "letter",
                         "INSERT INTO r1.dead_letter (app, topic, partition, kafka_offset, stage, "
                         "reason, payload) "
                         "VALUES ('t', 't', 0, $1::bigint, 'decode', $2, convert_to($2, 'UTF8'))",
                         2, &err),
        &err);
    R1_ASSERT_OK(
        r1_store_prepare(
            s, "advance",
            "SELECT r1.advance_offset('c', 'a', 't', 0, $1::bigint, $2::bigint, $3::bigint)", 3,
            &err),
        &err);
}

/* One batch of n letters from offset `from` on under `epoch`. */
static r1_status store_write_batch(r1_store *s, int64_t from, int64_t n, int64_t epoch, r1_err *err)
{
    char old[24], new[24], ep[24], off[24];
    snprintf(old, sizeof old, "%lld", (long long)from);
    snprintf(new, sizeof new, "%lld", (long long)(from + n));
    snprintf(ep, sizeof ep, "%lld", (long long)epoch);
    R1_TRY(r1_store_batch_begin(s, err));
    const char *adv[] = {old, new, ep};
    r1_status st = r1_store_batch_add(s, "advance", 3, adv, err);
    for (int64_t i = 0; i < n && st == R1_OK; i++) {
        snprintf(off, sizeof off, "%lld", (long long)(from + i));
        const char *row[] = {off, "because"};
        st = r1_store_batch_add(s, "letter", 2, row, err);
    }
    if (st != R1_OK) {
        r1_store_batch_abort(s);
        return st;
    }
    return r1_store_batch_commit(s, err);
}

static int64_t store_take(r1_store *s, const char *owner)
{
    r1_err err = {0};
    r1_rows *r;
    R1_ASSERT_OK(
        r1_store_query(s, "SELECT next_offset, epoch FROM r1.take_partition('c', 'a', 't', 0, $1)",
                       1, &owner, &r, &err),
        &err);
    int64_t epoch = r1_rows_int(r, 0, 1);
    r1_rows_free(r);
    return epoch;
}

static void test_batches(void)
{
    r1_err err = {0};
    r1_store *s = store_open_store();
    fresh_schema(s);
    store_prepare_all(s);
    int64_t epoch = store_take(s, "one"), at = 0;
    for (int64_t n = 1; n <= 2000; n = n * 5 + 1) { /* one past and far past the flush interval */
        R1_ASSERT_OK(store_write_batch(s, at, n, epoch, &err), &err);
        at += n;
        CU_ASSERT_EQUAL(store_scalar(s, "SELECT count(*) FROM r1.dead_letter"), at);
        CU_ASSERT_EQUAL(store_scalar(s, "SELECT next_offset FROM r1.stream_offset"), at);
    }
    /* the same batch again, a gap, an old epoch: all are fenced and leave nothing */
    CU_ASSERT_EQUAL(store_write_batch(s, at - 1, 1, epoch, &err), R1_E_FENCED);
    CU_ASSERT_EQUAL(store_write_batch(s, at + 1, 300, epoch, &err), R1_E_FENCED);
    r1_store *other = store_open_store();
    CU_ASSERT_EQUAL(store_take(other, "two"), epoch + 1);
    CU_ASSERT_EQUAL(store_write_batch(s, at, 10, epoch, &err), R1_E_FENCED);
    CU_ASSERT_TRUE(err.fatal);
    CU_ASSERT_EQUAL(store_scalar(s, "SELECT count(*) FROM r1.dead_letter"), at);
    r1_store_close(other);
    /* a data error in the middle of a batch rolls all of it back and says which class */
    R1_ASSERT_OK(r1_store_batch_begin(s, &err), &err);
    const char *dup[] = {"0", "again"};
    r1_store_batch_add(s, "letter", 2, dup, &err);
    CU_ASSERT_EQUAL(r1_store_batch_commit(s, &err), R1_E_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "23505"));
    CU_ASSERT_STRING_EQUAL(r1_store_state(s), "23505");
    CU_ASSERT_EQUAL(store_scalar(s, "SELECT count(*) FROM r1.dead_letter"),
                    at); /* the store is usable afterwards */
    r1_store_close(s);
}

static void test_lost_connection(void)
{
    r1_err err = {0};
    r1_store *s = store_open_store(), *killer = store_open_store();
    fresh_schema(s);
    store_prepare_all(s);
    int64_t epoch = store_take(s, "one");
    R1_ASSERT_OK(r1_store_script(killer,
                                 "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                                 "application_name = 'test_store' "
                                 "AND pid <> pg_backend_pid()",
                                 &err),
                 &err);
    usleep(100000);
    CU_ASSERT_EQUAL(store_write_batch(s, 0, 700, epoch, &err), R1_E_DB);
    CU_ASSERT_TRUE(err.retriable);
    CU_ASSERT_FALSE(r1_store_alive(s));
    R1_ASSERT_OK(r1_store_reopen(s, &err), &err);
    R1_ASSERT_OK(store_write_batch(s, 0, 700, epoch, &err), &err);
    CU_ASSERT_EQUAL(store_scalar(s, "SELECT count(*) FROM r1.dead_letter"), 700);
    r1_store_close(killer);
    r1_store_close(s);
    CU_ASSERT_EQUAL(r1_store_open(&s, "host=/does/not/exist port=1", "x", &err), R1_E_DB);
    CU_ASSERT_TRUE(err.retriable);
}

static bool store_says(r1_store *s, const char *setting, const char *expected)
{
    r1_err err = {0};
    r1_rows *r;
    const char *param[] = {setting};
    R1_ASSERT_OK(r1_store_query(s, "SELECT current_setting($1)", 1, param, &r, &err), &err);
    bool same = !strcmp(r1_rows_text(r, 0, 0), expected);
    if (!same)
        fprintf(stderr, "%s: expected %s, found %s\n", setting, expected, r1_rows_text(r, 0, 0));
    r1_rows_free(r);
    return same;
}

/* The user's options have the last word, but for what results are read by. Seen: a longer
 * statement_timeout in the connection's text was overwritten. */
static void test_settings(void)
{
    r1_err err = {0};
    r1_store *s;
    char text[512];
    const r1_store_opts opts = {.application = "test_store", .statement_s = 5};
    R1_ASSERT_OK(r1_store_open_with(&s, store_conninfo(), &opts, &err), &err);
    CU_ASSERT_TRUE(store_says(s, "statement_timeout", "5s"));
    CU_ASSERT_TRUE(store_says(s, "search_path", "r1,pg_temp"));
    CU_ASSERT_STRING_EQUAL(r1_store_encoding(s), "UTF8");
    CU_ASSERT_FALSE(r1_store_pooled(s));
    r1_store_close(s);
    snprintf(text, sizeof text,
             "%s options='-c statement_timeout=7min -c timezone=Asia/Tokyo' application_name=mine",
             store_conninfo());
    R1_ASSERT_OK(r1_store_open_with(&s, text, &opts, &err), &err);
    CU_ASSERT_TRUE(store_says(s, "statement_timeout", "7min"));
    CU_ASSERT_TRUE(store_says(s, "timezone", "UTC"));
    CU_ASSERT_TRUE(store_says(s, "application_name", "mine"));
    r1_store_close(s);
    setenv("PGOPTIONS", "-c statement_timeout=8min", 1);
    R1_ASSERT_OK(r1_store_open(&s, store_conninfo(), "test_store", &err), &err);
    CU_ASSERT_TRUE(store_says(s, "statement_timeout", "8min"));
    unsetenv("PGOPTIONS");
    r1_store_close(s);
}

/* A server that takes the connection and says nothing: connect_timeout of the text counts. */
static void test_connect_timeout(void)
{
    r1_err err = {0};
    r1_store *s = NULL;
    char text[128];
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    CU_ASSERT_EQUAL_FATAL(listen(fd, 4), 0);
    getsockname(fd, (struct sockaddr *)&at, &len);
    snprintf(text, sizeof text, "host=127.0.0.1 port=%d user=x connect_timeout=2",
             (int)ntohs(at.sin_port));
    int64_t began = r1_mono_us();
    CU_ASSERT_EQUAL(r1_store_open(&s, text, "x", &err), R1_E_DB);
    CU_ASSERT_TRUE(err.retriable);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "no answer in time"));
    CU_ASSERT_TRUE(r1_mono_us() - began < 5000000);
    close(fd);
}

/* A name that does not resolve, a port that nobody listens on: both may come back. */
static void test_passing_failures(void)
{
    static const char *const text[] = {"host=no.such.host.invalid connect_timeout=3",
                                       "host=127.0.0.1 port=1"};
    for (size_t i = 0; i < R1_COUNT(text); i++) {
        r1_err err = {0};
        r1_store *s = NULL;
        CU_ASSERT_EQUAL(r1_store_open(&s, text[i], "x", &err), R1_E_DB);
        CU_ASSERT_TRUE(err.retriable);
    }
}

/* What waiting does not mend is final, and says what would. */
static void test_final_refusals(void)
{
    static const struct {
        const char *more, *expected;
    } cases[] = {
        {"dbname=nowhere", "create the database"},
        {"user=nobody_here", "check user, password and pg_hba.conf"},
        {"host=127.0.0.1 password=wrong", "check user, password and pg_hba.conf"},
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_err err = {0};
        r1_store *s = NULL;
        char text[512];
        snprintf(text, sizeof text, "%s %s", store_conninfo(), cases[i].more);
        CU_ASSERT_EQUAL(r1_store_open(&s, text, "x", &err), R1_E_DB);
        CU_ASSERT_FALSE(err.retriable);
        if (strstr(err.msg, cases[i].expected)) continue;
        fprintf(stderr, "%s: expected \"%s\", found \"%s\"\n", cases[i].more, cases[i].expected,
                err.msg);
        CU_FAIL("a refusal");
    }
}

/* A pooler gives each transaction another server connection: what was prepared or set is gone.
 * DISCARD ALL between two transactions is the same to the program. */
static void test_pooled(void)
{
    r1_err err = {0};
    r1_store *s = store_open_store();
    fresh_schema(s);
    store_prepare_all(s);
    int64_t epoch = store_take(s, "one");
    R1_ASSERT_OK(store_write_batch(s, 0, 3, epoch, &err), &err);
    R1_ASSERT_OK(r1_store_script(s, "DISCARD ALL", &err), &err);
    CU_ASSERT_EQUAL(store_write_batch(s, 3, 3, epoch, &err), R1_E_DB);
    CU_ASSERT_TRUE(err.retriable);
    CU_ASSERT_FALSE(r1_store_alive(s));
    R1_ASSERT_OK(r1_store_reopen(s, &err), &err);
    CU_ASSERT_TRUE(r1_store_pooled(s));
    for (int64_t at = 3; at < 9; at += 3) {
        R1_ASSERT_OK(r1_store_script(s, "DISCARD ALL", &err), &err);
        R1_ASSERT_OK(store_write_batch(s, at, 3, epoch, &err), &err);
        R1_ASSERT_OK(r1_store_script(s, "DISCARD ALL", &err), &err);
        CU_ASSERT_TRUE(store_says(s, "search_path", "r1,pg_temp"));
        CU_ASSERT_TRUE(store_says(s, "statement_timeout", "1min"));
    }
    CU_ASSERT_EQUAL(store_scalar(s, "SELECT count(*) FROM r1.dead_letter"), 9);
    size_t applied;
    CU_ASSERT_EQUAL(r1_store_migrate(s, r1_test_source("schemas/sql"), &applied, &err), R1_E_INVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "found a pooler"));
    r1_store_close(s);
}

/* LATIN1 and SQL_ASCII are refused before anything is written, with the remedy. */
static void test_encodings(void)
{
    static const char *const encoding[] = {"LATIN1", "SQL_ASCII"};
    for (size_t i = 0; i < R1_COUNT(encoding); i++) {
        r1_err err = {0};
        r1_store *s = store_open_store(), *other;
        char text[512];
        size_t applied;
        snprintf(text, sizeof text,
                 "CREATE DATABASE r1_other ENCODING '%s' LOCALE 'C' TEMPLATE template0",
                 encoding[i]);
        R1_ASSERT_OK(r1_store_script(s, "DROP DATABASE IF EXISTS r1_other", &err), &err);
        R1_ASSERT_OK(r1_store_script(s, text, &err), &err);
        snprintf(text, sizeof text, "%s dbname=r1_other", store_conninfo());
        R1_ASSERT_OK(r1_store_open(&other, text, "test_store", &err), &err);
        const char *dir = r1_test_source("schemas/sql");
        CU_ASSERT_EQUAL(r1_store_migrate(other, dir, &applied, &err), R1_E_INVAL);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, encoding[i]));
        CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "ENCODING 'UTF8'"));
        CU_ASSERT_EQUAL(r1_store_migrated(other, dir, &err), R1_E_INVAL);
        CU_ASSERT_EQUAL(
            store_scalar(other, "SELECT count(*) FROM pg_namespace WHERE nspname = 'r1'"), 0);
        r1_store_close(other);
        R1_ASSERT_OK(r1_store_script(s, "DROP DATABASE r1_other", &err), &err);
        r1_store_close(s);
    }
}

static void test_least_rights(void)
{
    r1_err err = {0};
    r1_store *s = store_open_store();
    fresh_schema(s);
    R1_ASSERT_OK(r1_store_script(s, "SET ROLE r1_reader", &err), &err);
    CU_ASSERT_EQUAL(r1_store_script(s, "DELETE FROM r1.dead_letter", &err), R1_E_DB);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "42501"));
    R1_ASSERT_OK(r1_store_script(s, "SELECT * FROM r1.dead_letter", &err), &err);
    R1_ASSERT_OK(r1_store_script(s, "SET ROLE r1_fraud_writer", &err), &err);
    CU_ASSERT_EQUAL(r1_store_script(s, "DROP TABLE r1.dead_letter", &err), R1_E_DB);
    CU_ASSERT_EQUAL(r1_store_script(s, "DELETE FROM r1.stream_offset", &err), R1_E_DB);
    r1_store_close(s);
}

/* What goes in as columns comes out as rows: every type, empty and quoted text, NULL, the ends
 * of a range; and a column short of a value is refused before anything is sent. Twin: the values
 * themselves, worked out again by PostgreSQL. */
static void test_columns(void)
{
    static const r1_column_type type[] = {R1_COL_INT8, R1_COL_INT4,      R1_COL_FLOAT4,
                                          R1_COL_BOOL, R1_COL_TIMESTAMP, R1_COL_TEXT};
    r1_err err = {0};
    r1_store *s = store_open_store();
    r1_columns *c;
    R1_ASSERT_OK(r1_store_script(s,
                                 "CREATE TEMP TABLE t (a bigint, b integer, c real, d boolean, e "
                                 "timestamptz, f text, g text)",
                                 &err),
                 &err);
    R1_ASSERT_OK(r1_store_prepare(s, "columns",
                                  "INSERT INTO t SELECT u.*, $7 FROM unnest($1::bigint[], "
                                  "$2::integer[], $3::real[], $4::boolean[], "
                                  "$5::timestamptz[], $6::text[]) AS u",
                                  7, &err),
                 &err);
    R1_ASSERT_OK(r1_columns_new(&c, type, R1_COUNT(type), &err), &err);
    for (int64_t i = 0; i < 300; i++) {
        r1_columns_int(c, 0, i == 0 ? INT64_MIN : i == 1 ? INT64_MAX : i);
        r1_columns_int(c, 1, -i);
        r1_columns_float(c, 2, (float)i / 4);
        r1_columns_bool(c, 3, i % 2);
        r1_columns_ms(c, 4, i * 1000 - 5000);
        if (i % 3)
            r1_columns_text(c, 5, i % 3 == 1 ? "" : "a\"b\\{,}'");
        else
            r1_columns_null(c, 5);
    }
    const char *same[] = {"same"};
    R1_ASSERT_OK(r1_store_batch_begin(s, &err), &err);
    R1_ASSERT_OK(r1_store_batch_add_columns(s, "columns", c, 1, same, &err), &err);
    R1_ASSERT_OK(r1_store_batch_commit(s, &err), &err);
    CU_ASSERT_EQUAL(store_scalar(s, "SELECT count(*) FROM t WHERE g = 'same' AND b BETWEEN -299 "
                                    "AND 0 AND c = -b / 4::real AND "
                                    "d = (b % 2 <> 0) AND e = to_timestamp(-b - 5)"),
                    300);
    CU_ASSERT_EQUAL(store_scalar(s, "SELECT count(*) FROM t WHERE f IS NOT DISTINCT FROM CASE -b % "
                                    "3 WHEN 1 THEN '' WHEN 2 THEN "
                                    "E'a\"b\\\\{,}\\'' END"),
                    300);
    CU_ASSERT_EQUAL(
        store_scalar(
            s,
            "SELECT count(*) FROM t WHERE a = CASE b WHEN 0 THEN -9223372036854775808 WHEN -1 THEN "
            "9223372036854775807 ELSE -b END"),
        300);
    r1_columns_int(c, 0, 1);
    R1_ASSERT_OK(r1_store_batch_begin(s, &err), &err);
    CU_ASSERT_EQUAL(r1_store_batch_add_columns(s, "columns", c, 1, same, &err), R1_E_INVAL);
    r1_store_batch_abort(s);
    r1_columns_clear(c);
    CU_ASSERT_EQUAL(r1_columns_rows(c), 0);
    r1_columns_free(c);
    r1_store_close(s);
}

/* The statement that a table of columns makes, and bytes that no text could carry. */
static void test_insert(void)
{
    static const r1_column column[] = {
        {.name = "a", .type = R1_COL_INT8},
        {.name = "same", .constant = true},
        {.name = "b", .type = R1_COL_BYTEA},
        {.name = "c", .type = R1_COL_TEXT, .before = "upper(", .after = ")"},
        {.name = "too", .constant = true}};
    r1_err err = {0};
    r1_store *s = store_open_store();
    r1_columns *c;
    char sql[256];
    CU_ASSERT_EQUAL(r1_columns_insert("t", column, R1_COUNT(column), sql, 80, &err), R1_E_INVAL);
    R1_ASSERT_OK(r1_columns_insert("t", column, R1_COUNT(column), sql, sizeof sql, &err), &err);
    CU_ASSERT_STRING_EQUAL(sql, "INSERT INTO t (a, same, b, c, too) SELECT u.a, $4, u.b, "
                                "upper(u.c), $5 FROM unnest($1::bigint[], $2::bytea[], "
                                "$3::text[]) AS u (a, b, c)");
    R1_ASSERT_OK(r1_columns_of(&c, column, R1_COUNT(column), &err), &err);
    R1_ASSERT_OK(
        r1_store_script(s, "CREATE TEMP TABLE t (a bigint, same text, b bytea, c text, too text)",
                        &err),
        &err);
    R1_ASSERT_OK(r1_store_prepare(s, "insert", sql, R1_COUNT(column), &err), &err);
    r1_columns_int(c, 0, 5);
    r1_columns_bytes(c, 1, "\0\xff\\", 3);
    r1_columns_text(c, 2, "word");
    const char *constant[] = {"one", "two"};
    R1_ASSERT_OK(r1_store_batch_begin(s, &err), &err);
    R1_ASSERT_OK(r1_store_batch_add_columns(s, "insert", c, 2, constant, &err), &err);
    R1_ASSERT_OK(r1_store_batch_commit(s, &err), &err);
    CU_ASSERT_EQUAL(store_scalar(s, "SELECT count(*) FROM t WHERE a = 5 AND same = 'one' AND too = "
                                    "'two' AND b = '\\x00ff5c'::bytea AND c = 'WORD'"),
                    1);
    r1_columns_short(c);
    R1_ASSERT_OK(r1_store_batch_begin(s, &err), &err);
    CU_ASSERT_EQUAL(r1_store_batch_add_columns(s, "insert", c, 2, constant, &err), R1_E_NOMEM);
    r1_store_batch_abort(s);
    r1_columns_free(c);
    r1_store_close(s);
}

/* More statements counted than sent: their results never come, and the store does not wait. */
static void test_missing_results(void)
{
    static const size_t missing[] = {1, 300}; /* found at the end, found on the way */
    for (size_t i = 0; i < R1_COUNT(missing); i++) {
        r1_err err = {0};
        r1_store *s = store_open_store();
        R1_ASSERT_OK(r1_store_prepare(s, "one", "SELECT $1::int", 1, &err), &err);
        R1_ASSERT_OK(r1_store_batch_begin(s, &err), &err);
        s->n_sent += missing[i];
        const char *param[] = {"1"};
        r1_status st = r1_store_batch_add(s, "one", 1, param, &err);
        CU_ASSERT_EQUAL(st, missing[i] == 1 ? R1_OK : R1_E_DB);
        CU_ASSERT_EQUAL(r1_store_batch_commit(s, &err), R1_E_DB);
        CU_ASSERT_TRUE(err.retriable);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "expected the results of"));
        CU_ASSERT_FALSE(r1_store_alive(s));
        R1_ASSERT_OK(r1_store_reopen(s, &err), &err);
        CU_ASSERT_EQUAL(store_scalar(s, "SELECT 5"), 5);
        r1_store_close(s);
    }
}

static void break_nested(void *ctx)
{
    (void)r1_store_batch_begin(ctx, NULL);
    (void)r1_store_batch_begin(ctx, NULL);
}

static void break_outside(void *ctx) { (void)r1_store_batch_add(ctx, "letter", 0, NULL, NULL); }

static void break_query_inside(void *ctx)
{
    (void)r1_store_batch_begin(ctx, NULL);
    (void)r1_store_query(ctx, "SELECT 1", 0, NULL, NULL, NULL);
}

static void break_type(void *ctx) { r1_columns_float(ctx, 0, 1); }
static void break_column(void *ctx) { r1_columns_text(ctx, 1, "x"); }

static void test_broken(void)
{
    static const r1_column_type type[] = {R1_COL_INT8};
    r1_err err = {0};
    r1_columns *c;
    R1_ASSERT_OK(r1_columns_new(&c, type, 1, &err), &err);
    CU_ASSERT_TRUE(r1_test_breaks(break_type, c, "column 0 has the type 0"));
    CU_ASSERT_TRUE(r1_test_breaks(break_column, c, "column 1"));
    r1_columns_free(c);
    static const struct {
        void (*fn)(void *ctx);
        const char *expected;
    } cases[] = {{break_nested, "a transaction inside of another one"},
                 {break_outside, "letter: outside of a transaction"},
                 {break_query_inside, "a query inside of a transaction"}};
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_store *s = store_open_store(); /* of its own: the broken process shares its socket */
        CU_ASSERT_TRUE(r1_test_breaks(cases[i].fn, s, cases[i].expected));
        r1_store_close(s);
    }
}

static void *end_soon(void *arg)
{
    (void)arg;
    usleep(200000);
    r1_store_end_all();
    return NULL;
}

/* In a process of its own, since it is for good. 0: what waited has failed, and all else does. */
static int end_waiting(void)
{
    r1_err err = {0};
    pthread_t ender;
    r1_store *asks = store_open_store(), *idle = store_open_store(), *late = NULL;
    int64_t began = r1_mono_us();
    pthread_create(&ender, NULL, end_soon, NULL);
    r1_status waited = r1_store_query(asks, "SELECT pg_sleep(20)", 0, NULL, NULL, &err);
    bool soon = r1_mono_us() - began < 5000000;
    pthread_join(ender, NULL);
    r1_status batch = r1_store_batch_begin(idle, &err);
    if (batch == R1_OK) batch = r1_store_batch_commit(idle, &err);
    r1_status again = r1_store_reopen(asks, &err),
              opened = r1_store_open(&late, store_conninfo(), "test_store", &err);
    bool cancelled = waited == R1_E_CANCELLED && batch == R1_E_CANCELLED &&
                     again == R1_E_CANCELLED && opened == R1_E_CANCELLED && !err.retriable;
    r1_store_close(idle);
    r1_store_close(asks);
    return soon && cancelled && !late ? 0 : 1;
}

static void test_end_all(void)
{
    int status = -1;
    pid_t child = fork();
    if (!child) _exit(end_waiting());
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_EQUAL(status, 0);
}

R1_TEST_MAIN("store", {"migrations", test_migrate},
             {"migrations that are refused", test_migrate_refusals},
             {"pipelined transactions and fencing", test_batches},
             {"lost connection", test_lost_connection}, {"settings of a connection", test_settings},
             {"a server that says nothing", test_connect_timeout},
             {"failures that pass", test_passing_failures},
             {"refusals that are final", test_final_refusals}, {"behind a pooler", test_pooled},
             {"encodings", test_encodings}, {"least rights", test_least_rights},
             {"columns", test_columns}, {"statements made of columns", test_insert},
             {"results that never come", test_missing_results},
             {"the end of all connections", test_end_all}, {"broken invariants", test_broken})
