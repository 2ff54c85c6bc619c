/* SPDX-License-Identifier: Apache-2.0 */
/* cli_dash_users.c - user add, user password, audit verify: for who has the database. */
#include "cli_dashboard.h"
#include "serve/dash_session.h"
#include "store/store_command.h"

#include <stdio.h>

static r1_status users_open(const r1_cli_call *call, r1_store **s, r1_err *err)
{
    const char *conninfo;
    char migrations[R1_PATH_BYTES];
    R1_TRY(r1_store_conninfo(call->opts, &conninfo, err));
    R1_TRY(r1_cli_path(call->opts, "migrations", migrations, err));
    R1_TRY(r1_store_open(s, conninfo, "r1-dashboard", err));
    return r1_store_migrated(*s, migrations, err);
}

typedef r1_status users_fn(r1_store *s, const dash_who *by, const char *name, const char *role,
                           const char *password, r1_err *err);

static r1_status users_password(r1_store *s, const dash_who *by, const char *name, const char *role,
                                const char *password, r1_err *err)
{
    (void)role;
    return dash_user_password(s, by, name, password, err);
}

static int users_do(r1_cli_call *call, users_fn *fn)
{
    static const dash_who by = {"setup", "administrator"};
    r1_store *s = NULL;
    char made[DASH_TOKEN_BYTES] = "";
    const char *given = r1_options_str(call->opts, "password");
    bool by_proxy = r1_options_bool(call->opts, "by-proxy");
    r1_status st = given ? r1_options_private(call->opts, "password", &call->err) : R1_OK;
    if (st == R1_OK) st = users_open(call, &s, &call->err);
    if (st == R1_OK && !given && !by_proxy) st = dash_token(made, &call->err);
    const char *password = given ? given : by_proxy ? NULL : made;
    if (st == R1_OK)
        st = fn(s, &by, call->rest[0], r1_options_str(call->opts, "role"), password, &call->err);
    r1_store_close(s);
    if (st == R1_OK && *made) printf("password of %s, shown once: %s\n", call->rest[0], made);
    return st == R1_OK ? R1_EXIT_OK : r1_cli_exit(st);
}

int dash_user_add_command(r1_cli_call *call) { return users_do(call, dash_user_add); }
int dash_user_password_command(r1_cli_call *call) { return users_do(call, users_password); }

int dash_verify_command(r1_cli_call *call)
{
    r1_store *s = NULL;
    r1_rows *rows = NULL;
    r1_status st = users_open(call, &s, &call->err);
    if (st == R1_OK)
        st = r1_store_query(s, "SELECT rows, broken, first_broken FROM r1.audit_verify()", 0, NULL,
                            &rows, &call->err);
    int code = st == R1_OK ? R1_EXIT_OK : r1_cli_exit(st);
    if (st == R1_OK) {
        long long broken = (long long)r1_rows_int(rows, 0, 1);
        printf("%lld rows, %lld that do not follow from the one before",
               (long long)r1_rows_int(rows, 0, 0), broken);
        if (broken) printf(", the first is row %lld", (long long)r1_rows_int(rows, 0, 2));
        puts("");
        if (broken) code = R1_EXIT_CHECK;
    }
    r1_rows_free(rows);
    r1_store_close(s);
    return code;
}

/* clang-format off */
const r1_option dash_user_rows[] = {
    {.name = "role", .type = R1_OPT_ENUM, .def = "analyst",
     .choices = "viewer|analyst|supervisor|clinician|administrator|auditor",
     .help = "what the user may do; of `user add` alone"},
    {.name = "password", .type = R1_OPT_STRING, .secret = true,
     .help = "of 12 characters or more, from a file that its owner alone can read"},
    {.name = "by-proxy", .type = R1_OPT_BOOL, .def = "false",
     .help = "no password: the user signs in at the proxy; see serve --proxy-header"},
    R1_STORE_POSTGRES_ROW(R1_STORE_POSTGRES_DEFAULT, R1_STORE_POSTGRES_HELP),
    R1_STORE_DB_ROW(NULL),
    R1_STORE_MIGRATIONS_ROW,
};
const size_t dash_user_n_row = R1_COUNT(dash_user_rows);
const r1_option dash_verify_rows[] = {
    R1_STORE_POSTGRES_ROW(R1_STORE_POSTGRES_DEFAULT, R1_STORE_POSTGRES_HELP),
    R1_STORE_DB_ROW(NULL),
    R1_STORE_MIGRATIONS_ROW,
};
const size_t dash_verify_n_row = R1_COUNT(dash_verify_rows);
/* clang-format on */
