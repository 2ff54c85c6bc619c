/* SPDX-License-Identifier: Apache-2.0 */
/* store_command.c - see store_command.h. */
#include "store/store_command.h"
#include "store/store.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

r1_status r1_store_conninfo(const r1_options *o, const char **out, r1_err *err)
{
    const char *older = r1_options_str(o, "db"), *given = r1_options_str(o, "postgres");
    *out = older ? older : given;
    if (*out && r1_store_has_password(*out))
        R1_TRY(r1_options_private(o, older ? "db" : "postgres", err));
    if (!older) return R1_OK;
    if (given && strcmp(r1_options_origin(o, "postgres"), "default") != 0)
        R1_FAIL(err, R1_E_INVAL, "expected --postgres or its older name --db, found both");
    r1_log(R1_LOG_WARN, "older_name", "found=--db expected=--postgres");
    return R1_OK;
}

static void *signal_main(void *arg)
{
    const struct timespec look = {.tv_nsec = 50000000};
    (void)arg;
    while (!r1_cli_stopped()) nanosleep(&look, NULL);
    for (int64_t until = r1_mono_us() + 2000000; r1_mono_us() < until;) nanosleep(&look, NULL);
    r1_store_end_all();
    return NULL;
}

static void signal_begin(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, signal_main, NULL) == 0) pthread_detach(thread);
}

void r1_store_end_with_signal(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, signal_begin);
}

const r1_option r1_store_rows[] = {
    R1_STORE_POSTGRES_ROW(R1_STORE_POSTGRES_DEFAULT, R1_STORE_POSTGRES_HELP),
    R1_STORE_DB_ROW("medical"),
    R1_STORE_MIGRATIONS_ROW,
    R1_STORE_ADMIN_TIMEOUT_ROW,
};
const size_t r1_store_n_row = R1_COUNT(r1_store_rows);

/* Says what will be made where others see it, before it is made. */
static r1_status store_announce(r1_store *s, const char *dir, r1_err *err)
{
    r1_err why = {0};
    if (r1_store_migrated(s, dir, &why) != R1_E_AGAIN) return R1_OK;
    r1_rows *r;
    R1_TRY(r1_store_query(s,
                          "SELECT string_agg(n, ', ') FROM "
                          "unnest(ARRAY['r1_fraud_writer', 'r1_medical_writer', 'r1_reader']) n "
                          "WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = n)",
                          0, NULL, &r, err));
    puts("to be made: tables, views and functions in the schema r1");
    if (r1_rows_text(r, 0, 0))
        printf("roles, which the whole cluster shares and none of which may log in: %s\n",
               r1_rows_text(r, 0, 0));
    r1_rows_free(r);
    return R1_OK;
}

static r1_status store_migrate(r1_store *s, const char *dir, r1_err *err)
{
    size_t applied = 0;
    char where[256];
    printf("database %s\n", r1_store_where(s, where, sizeof where));
    R1_TRY(store_announce(s, dir, err));
    R1_TRY(r1_store_migrate(s, dir, &applied, err));
    printf("%zu migrations applied\n", applied);
    return R1_OK;
}

static r1_status store_status(r1_store *s, const char *dir, r1_err *err)
{
    r1_status st = r1_store_migrated(s, dir, err);
    r1_err why = *err;
    if (st == R1_E_AGAIN) R1_FAIL(err, st, "%s: run `db migrate`", why.msg);
    R1_TRY(st);
    char where[256];
    printf("database %s\nschema: up to date\n", r1_store_where(s, where, sizeof where));
    return R1_OK;
}

static const struct {
    const char *name;
    r1_status (*run)(r1_store *s, const char *dir, r1_err *err);
} verbs[] = {{"migrate", store_migrate}, {"status", store_status}};

int r1_store_command(r1_cli_call *call)
{
    const char *what = call->n_rest == 1 ? call->rest[0] : "", *conninfo = NULL;
    size_t i = 0;
    while (i < R1_COUNT(verbs) && strcmp(verbs[i].name, what) != 0) i++;
    if (i == R1_COUNT(verbs)) {
        r1_err_set(&call->err, R1_E_INVAL, __FILE__, __LINE__,
                   "expected migrate or status, found \"%s\"", what);
        return R1_EXIT_USAGE;
    }
    char dir[R1_PATH_BYTES];
    r1_store *s = NULL;
    r1_status st = r1_store_conninfo(call->opts, &conninfo, &call->err);
    if (st == R1_OK) st = r1_cli_path(call->opts, "migrations", dir, &call->err);
    const r1_store_opts opts = {.application = "r1 db",
                                .statement_s = r1_options_int(call->opts, "admin-timeout")};
    r1_store_end_with_signal();
    if (st == R1_OK) st = r1_store_open_with(&s, conninfo, &opts, &call->err);
    if (st == R1_OK) st = verbs[i].run(s, dir, &call->err);
    r1_store_close(s);
    return st == R1_E_AGAIN ? R1_EXIT_CHECK : r1_cli_exit(st);
}
