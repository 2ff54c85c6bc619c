/* SPDX-License-Identifier: Apache-2.0 */
/* migrate.c - brings a database to the schema of a folder of numbered SQL files. Each file
 * records itself in r1.schema_migration, so psql can apply them too; this code adds the checksum
 * and refuses to go on over a changed file. */
#include "store/store_internal.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

enum { FILES_MAX = 256, FILE_BYTES_MAX = 1 << 20 };

typedef struct {
    int version;
    char name[128], path[1024], checksum[24];
    char *sql;
} migration;

static int by_version(const void *a, const void *b)
{
    const migration *x = a, *y = b;
    return (x->version > y->version) - (x->version < y->version);
}

static bool is_migration(const char *name)
{
    return strlen(name) > 9 && strspn(name, "0123456789") == 4 && name[4] == '_' &&
           !strcmp(name + strlen(name) - 4, ".sql");
}

static r1_status read_one(const char *dir, const char *name, migration *m, r1_err *err)
{
    size_t len;
    m->version = (int)strtol(name, NULL, 10);
    snprintf(m->name, sizeof m->name, "%.120s", name);
    snprintf(m->path, sizeof m->path, "%s/%.120s", dir, name);
    R1_TRY(r1_file_read(m->path, FILE_BYTES_MAX, &m->sql, &len, err));
    snprintf(m->checksum, sizeof m->checksum, "%016llx",
             (unsigned long long)r1_hash64(m->sql, len, 0));
    return R1_OK;
}

static void free_all(migration *m, size_t n)
{
    for (size_t i = 0; i < n; i++) free(m[i].sql);
    free(m);
}

static r1_status read_folder(const char *dir, migration **out, size_t *n, r1_err *err)
{
    char where[256];
    DIR *d = opendir(dir);
    if (!d)
        R1_FAIL(err, R1_E_NOT_FOUND, "%s: no folder of migrations%s", dir,
                r1_file_where(dir, where, sizeof where));
    migration *m = calloc(FILES_MAX, sizeof *m);
    r1_status st =
        m ? R1_OK : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for migrations");
    *n = 0;
    for (struct dirent *e; st == R1_OK && (e = readdir(d));)
        if (is_migration(e->d_name) && *n < FILES_MAX)
            st = read_one(dir, e->d_name, &m[(*n)++], err);
    closedir(d);
    for (size_t i = 1; st == R1_OK && i < *n; i++) {
        qsort(m, *n, sizeof *m, by_version);
        if (m[i].version == m[i - 1].version)
            st = r1_err_set(err, R1_E_INVAL, __FILE__, __LINE__,
                            "two migrations have the number %d: %s and %s", m[i].version,
                            m[i - 1].name, m[i].name);
    }
    if (st != R1_OK) {
        if (m) free_all(m, *n);
        return st;
    }
    *out = m;
    return R1_OK;
}

r1_status r1_store_migrations_check(const char *dir, r1_err *err)
{
    migration *m;
    size_t n;
    R1_TRY(read_folder(dir, &m, &n, err));
    free_all(m, n);
    if (!n) R1_FAIL(err, R1_E_INVAL, "%s: expected files NNNN_name.sql, found none", dir);
    return R1_OK;
}

static const char *const ledger = "CREATE SCHEMA IF NOT EXISTS r1;"
                                  "CREATE TABLE IF NOT EXISTS r1.schema_migration (version integer "
                                  "PRIMARY KEY, name text NOT NULL, "
                                  "checksum text, applied_at timestamptz NOT NULL DEFAULT now());";

/* *state: 0 not applied, 1 applied and equal, 2 applied by psql (no checksum yet). */
static r1_status migrate_state_of(r1_store *s, const migration *m, int *state, r1_err *err)
{
    char version[16];
    snprintf(version, sizeof version, "%d", m->version);
    const char *param[] = {version};
    r1_rows *r;
    R1_TRY(r1_store_query(s, "SELECT checksum FROM r1.schema_migration WHERE version = $1::integer",
                          1, param, &r, err));
    const char *sum = r1_rows_count(r) ? r1_rows_text(r, 0, 0) : NULL;
    *state = r1_rows_count(r) == 0 ? 0 : sum ? 1 : 2;
    r1_status st = R1_OK;
    if (sum && strcmp(sum, m->checksum) != 0)
        st = r1_err_set(err, R1_E_INVAL, __FILE__, __LINE__,
                        "migration %s was applied with checksum %s, the file now has %s", m->name,
                        sum, m->checksum);
    r1_rows_free(r);
    return st;
}

static r1_status migrate_apply(r1_store *s, const migration *m, int state, r1_err *err)
{
    char version[16];
    snprintf(version, sizeof version, "%d", m->version);
    const char *param[] = {version, m->name, m->checksum};
    R1_TRY(r1_store_query(s, "BEGIN", 0, NULL, NULL, err));
    r1_status st = state == 0 ? r1_store_script(s, m->sql, err) : R1_OK;
    if (st == R1_OK)
        st = r1_store_query(s,
                            "INSERT INTO r1.schema_migration (version, name, checksum) VALUES "
                            "($1::integer, $2, $3) "
                            "ON CONFLICT (version) DO UPDATE SET name = excluded.name, checksum = "
                            "excluded.checksum",
                            3, param, NULL, err);
    if (st == R1_OK) st = r1_store_query(s, "COMMIT", 0, NULL, NULL, err);
    if (st == R1_OK) return R1_OK;
    r1_store_query(s, "ROLLBACK", 0, NULL, NULL, NULL);
    r1_err_prefix(err, "migration %s: ", m->name);
    return st;
}

static r1_status refuse_unknown(r1_store *s, const migration *m, size_t n, r1_err *err)
{
    r1_rows *r;
    R1_TRY(r1_store_query(s, "SELECT coalesce(max(version), 0) FROM r1.schema_migration", 0, NULL,
                          &r, err));
    int64_t newest = r1_rows_int(r, 0, 0);
    r1_rows_free(r);
    if (n && newest > m[n - 1].version)
        R1_FAIL(err, R1_E_INVAL,
                "the database has migration %lld, newer than this program knows (%d): install the "
                "newer program",
                (long long)newest, m[n - 1].version);
    return R1_OK;
}

/* ---- what a database must be, and what a migration will do ---- */

/* Texts of every script are written as they came: a database of another encoding refuses some of
 * them, and one of SQL_ASCII checks none. */
static r1_status migrate_encoding(const r1_store *s, r1_err *err)
{
    const char *found = r1_store_encoding(s);
    if (!strcmp(found, "UTF8")) return R1_OK;
    R1_FAIL(err, R1_E_INVAL,
            "the database: expected the encoding UTF8, found %s: CREATE DATABASE ... ENCODING "
            "'UTF8' TEMPLATE template0",
            found);
}

/* What PUBLIC may do on the schema public: 0001 takes it away, 0006 gives it back. */
static const char note_public[] =
    "SELECT set_config('r1.public_acl', coalesce((SELECT string_agg(privilege_type, ',') FROM "
    "pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) a WHERE nspname = "
    "'public' AND a.grantee = 0), ''), false)";

static r1_status migrate_may(r1_store *s, const char *sql, const char *what, r1_err *err)
{
    r1_rows *r;
    R1_TRY(r1_store_query(s, sql, 0, NULL, &r, err));
    bool may = !strcmp(r1_rows_text(r, 0, 0), "t");
    r1_rows_free(r);
    if (may) return R1_OK;
    R1_FAIL(err, R1_E_INVAL, "the user of the connection lacks %s", what);
}

/* Rights that the first migration needs, named before it fails halfway. */
static r1_status migrate_rights(r1_store *s, r1_err *err)
{
    R1_TRY(migrate_may(s,
                       "SELECT has_database_privilege(current_database(), 'CREATE') OR "
                       "to_regnamespace('r1') IS NOT NULL",
                       "the right to create a schema: GRANT CREATE ON DATABASE", err));
    return migrate_may(s,
                       "SELECT (SELECT count(*) = 3 FROM pg_roles WHERE rolname IN "
                       "('r1_fraud_writer', 'r1_medical_writer', 'r1_reader')) OR (SELECT rolsuper "
                       "OR rolcreaterole FROM pg_roles WHERE rolname = current_user)",
                       "CREATEROLE: grant it, or have r1_fraud_writer, r1_medical_writer and "
                       "r1_reader created first",
                       err);
}

static r1_status migrate_before(r1_store *s, r1_err *err)
{
    if (r1_store_pooled(s))
        R1_FAIL(err, R1_E_INVAL,
                "migrations: expected a connection straight to PostgreSQL, found a pooler");
    R1_TRY(migrate_encoding(s, err));
    r1_rows *r;
    R1_TRY(r1_store_query(s, "SELECT to_regclass('r1.dead_letter') IS NULL", 0, NULL, &r, err));
    bool first = !strcmp(r1_rows_text(r, 0, 0), "t");
    r1_rows_free(r);
    if (!first) return R1_OK;
    R1_TRY(migrate_rights(s, err));
    return r1_store_query(s, note_public, 0, NULL, NULL, err);
}

static const char *const lock_key = "7295201011"; /* any constant: one migrator at a time */

r1_status r1_store_migrate(r1_store *s, const char *dir, size_t *applied, r1_err *err)
{
    migration *m;
    size_t n;
    *applied = 0;
    R1_TRY(migrate_before(s, err));
    R1_TRY(read_folder(dir, &m, &n, err));
    r1_status st =
        r1_store_query(s, "SELECT pg_advisory_lock($1::bigint)", 1, &lock_key, NULL, err);
    if (st == R1_OK) st = r1_store_script(s, ledger, err);
    if (st == R1_OK) st = refuse_unknown(s, m, n, err);
    for (size_t i = 0; st == R1_OK && i < n; i++) {
        int state = 0;
        st = migrate_state_of(s, &m[i], &state, err);
        if (st != R1_OK || state == 1) continue;
        st = migrate_apply(s, &m[i], state, err);
        if (st == R1_OK) ++*applied;
    }
    r1_store_query(s, "SELECT pg_advisory_unlock($1::bigint)", 1, &lock_key, NULL, NULL);
    free_all(m, n);
    return st;
}

r1_status r1_store_migrated(r1_store *s, const char *dir, r1_err *err)
{
    migration *m;
    size_t n;
    R1_TRY(migrate_encoding(s, err));
    R1_TRY(read_folder(dir, &m, &n, err));
    r1_rows *r = NULL;
    r1_status st = r1_store_query(s, "SELECT to_regclass('r1.schema_migration') IS NOT NULL", 0,
                                  NULL, &r, err);
    if (st == R1_OK && strcmp(r1_rows_text(r, 0, 0), "t") != 0)
        st = r1_err_set(err, R1_E_AGAIN, __FILE__, __LINE__, "the database has no schema");
    r1_rows_free(r);
    if (st == R1_OK) st = refuse_unknown(s, m, n, err);
    for (size_t i = 0; st == R1_OK && i < n; i++) {
        int state = 0;
        st = migrate_state_of(s, &m[i], &state, err);
        if (st == R1_OK && state == 0)
            st = r1_err_set(err, R1_E_AGAIN, __FILE__, __LINE__, "migration %s is not applied",
                            m[i].name);
    }
    free_all(m, n);
    return st;
}
