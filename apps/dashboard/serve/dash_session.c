/* SPDX-License-Identifier: Apache-2.0 */
/* dash_session.c - see dash_session.h. */
#include "serve/dash_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES = 5, LOCK_MAX_S = 3600, TOUCH_S = 30 };

static const dash_who nobody = {"", "dashboard"};

const char *dash_cookie_name(const dash_sessions *s)
{
    return s->tls ? "__Host-r1_session" : "r1_session";
}

void dash_cookie_text(const dash_sessions *s, const char *token, char *text, size_t size)
{
    snprintf(text, size, "%s=%s; Path=/; HttpOnly; SameSite=Strict%s; Max-Age=%d",
             dash_cookie_name(s), token ? token : "", s->tls ? "; Secure" : "",
             token ? s->max_s : 0);
}

/* ---- sessions ---- */

static void user_of(const r1_rows *rows, dash_user *out)
{
    const char *csrf = r1_rows_text(rows, 0, 3);
    snprintf(out->name, sizeof out->name, "%s", r1_rows_text(rows, 0, 0));
    snprintf(out->role, sizeof out->role, "%s", r1_rows_text(rows, 0, 1));
    out->may_export = !strcmp(r1_rows_text(rows, 0, 2), "t");
    snprintf(out->csrf, sizeof out->csrf, "%s", csrf ? csrf : "");
}

static r1_status session_ask(const dash_sessions *s, r1_store *store, const char *hash,
                             dash_user *out, r1_err *err)
{
    char idle[16], most[16];
    r1_rows *rows;
    snprintf(idle, sizeof idle, "%d", s->idle_s);
    snprintf(most, sizeof most, "%d", s->max_s);
    const char *param[] = {hash, idle, most};
    R1_TRY(r1_store_query(
        store,
        "SELECT u.name, u.role, u.may_export, s.csrf, s.seen_at < now() - interval '30 s' FROM "
        "r1.dash_session s JOIN r1.dash_user u ON u.id = s.user_id WHERE s.token_hash = $1::bytea "
        "AND NOT u.disabled AND s.seen_at > now() - $2::integer * interval '1 s' AND s.began_at > "
        "now() - $3::integer * interval '1 s'",
        3, param, &rows, err));
    r1_status st = R1_OK;
    bool stale = false;
    if (r1_rows_count(rows)) {
        user_of(rows, out);
        stale = !strcmp(r1_rows_text(rows, 0, 4), "t");
    } else {
        st = r1_err_set(err, R1_E_NOT_FOUND, __FILE__, __LINE__, "there is no such session");
    }
    r1_rows_free(rows);
    if (st == R1_OK && stale)
        st = r1_store_query(
            store, "UPDATE r1.dash_session SET seen_at = now() WHERE token_hash = $1::bytea", 1,
            param, NULL, err);
    return st;
}

static r1_status session_close(r1_store *store, r1_status st, r1_err *err)
{
    if (st == R1_OK) return dash_commit(store, err);
    dash_rollback(store);
    return st;
}

r1_status dash_session_find(const dash_sessions *s, r1_store *store, const char *token,
                            dash_user *out, r1_err *err)
{
    char hash[67];
    if (!token || strlen(token) != DASH_TOKEN_BYTES - 1)
        R1_FAIL(err, R1_E_NOT_FOUND, "there is no session");
    dash_hash(token, strlen(token), hash);
    R1_TRY(dash_begin(store, &nobody, true, err));
    return session_close(store, session_ask(s, store, hash, out, err), err);
}

static r1_status session_begin(r1_store *store, dash_user *u, char token[DASH_TOKEN_BYTES],
                               r1_err *err)
{
    char hash[67];
    R1_TRY(dash_token(token, err));
    R1_TRY(dash_token(u->csrf, err));
    dash_hash(token, strlen(token), hash);
    const char *param[] = {hash, u->name, u->csrf};
    return r1_store_query(
        store,
        "WITH u AS (UPDATE r1.dash_user SET failed = 0, locked_until = NULL WHERE "
        "name = $2 RETURNING id) INSERT INTO r1.dash_session (token_hash, "
        "user_id, csrf) SELECT $1::bytea, id, $3 FROM u",
        3, param, NULL, err);
}

static r1_status session_audit(r1_store *store, const char *actor, const char *action, r1_err *err)
{
    const char *param[] = {actor, action};
    R1_TRY(r1_store_query(store, "SELECT set_config('r1.actor', $1, true)", 1, param, NULL, err));
    return r1_store_query(store, "SELECT r1.audit($2, 'user ' || $1, '{}')", 2, param, NULL, err);
}

/* *known: the name is there. */
static r1_status login_look(r1_store *store, const char *name, dash_user *out, char *hash,
                            bool *known, r1_err *err)
{
    r1_rows *rows;
    const char *param[] = {name};
    R1_TRY(r1_store_query(
        store,
        "SELECT name, role, may_export, NULL, password_hash, greatest(0, ceil(extract(epoch FROM "
        "locked_until - now())))::integer FROM r1.dash_user WHERE name = $1 AND NOT disabled",
        1, param, &rows, err));
    *known = r1_rows_count(rows) > 0;
    hash[0] = 0;
    int64_t locked_s = *known ? r1_rows_int(rows, 0, 5) : 0;
    if (*known) {
        const char *stored = r1_rows_text(rows, 0, 4);
        user_of(rows, out);
        snprintf(hash, DASH_HASH_BYTES, "%s", stored ? stored : "");
    }
    r1_rows_free(rows);
    if (locked_s > 0)
        R1_FAIL(err, R1_E_AGAIN, "too many wrong passwords: try again in %lld s",
                (long long)locked_s);
    return R1_OK;
}

/* A name that nobody has is counted, and told in the audit trail a few times an hour. */
static r1_status login_unknown(r1_store *store, const char *name, r1_err *err)
{
    const char *param[] = {name};
    R1_TRY(dash_begin(store, &nobody, true, err));
    return session_close(
        store, r1_store_query(store, "SELECT r1.sign_in_unknown($1)", 1, param, NULL, err), err);
}

static r1_status login_failed(r1_store *store, const char *name, r1_err *err)
{
    char tries[16], most[16];
    snprintf(tries, sizeof tries, "%d", TRIES);
    snprintf(most, sizeof most, "%d", LOCK_MAX_S);
    const char *param[] = {name, tries, most};
    R1_TRY(dash_begin(store, &nobody, true, err));
    r1_status st = r1_store_query(
        store,
        "UPDATE r1.dash_user SET failed = failed + 1, locked_until = CASE WHEN failed + 1 >= "
        "$2::integer THEN now() + least(2 ^ least(failed + 2 - $2::integer, 20), $3::integer) * "
        "interval '1 s' END WHERE name = $1",
        3, param, NULL, err);
    if (st == R1_OK) st = session_audit(store, name, "login.failed", err);
    return session_close(store, st, err);
}

static r1_status login_done(r1_store *store, dash_user *u, char token[DASH_TOKEN_BYTES],
                            const char *action, r1_err *err)
{
    R1_TRY(dash_begin(store, &nobody, true, err));
    r1_status st = session_begin(store, u, token, err);
    if (st == R1_OK) st = session_audit(store, u->name, action, err);
    return session_close(store, st, err);
}

r1_status dash_session_login(const dash_sessions *s, r1_store *store, const char *name,
                             const char *password, dash_user *out, char token[DASH_TOKEN_BYTES],
                             r1_err *err)
{
    char hash[DASH_HASH_BYTES];
    bool known;
    (void)s;
    if (strlen(name) > 64) R1_FAIL(err, R1_E_NOT_FOUND, "name and password do not fit together");
    R1_TRY(dash_begin(store, &nobody, false, err));
    R1_TRY(session_close(store, login_look(store, name, out, hash, &known, err), err));
    if (!dash_password_fits(password, known && *hash ? hash : NULL)) {
        R1_TRY(known ? login_failed(store, name, err) : login_unknown(store, name, err));
        R1_FAIL(err, R1_E_NOT_FOUND, "name and password do not fit together");
    }
    return login_done(store, out, token, "login", err);
}

r1_status dash_session_proxy(const dash_sessions *s, r1_store *store, const char *name,
                             dash_user *out, char token[DASH_TOKEN_BYTES], r1_err *err)
{
    char hash[DASH_HASH_BYTES];
    bool known;
    r1_err locked = {0};
    (void)s;
    R1_TRY(dash_begin(store, &nobody, false, err));
    r1_status st = login_look(store, name, out, hash, &known, &locked);
    R1_TRY(session_close(store, st == R1_E_AGAIN ? R1_OK : st, err));
    if (!known) R1_FAIL(err, R1_E_NOT_FOUND, "there is no user %.64s", name);
    return login_done(store, out, token, "login.proxy", err);
}

r1_status dash_session_end(r1_store *store, const char *token, r1_err *err)
{
    char hash[67];
    R1_TRY(dash_begin(store, &nobody, true, err));
    dash_hash(token, strlen(token), hash);
    const char *param[] = {hash};
    r1_status st = r1_store_query(store, "DELETE FROM r1.dash_session WHERE token_hash = $1::bytea",
                                  1, param, NULL, err);
    return session_close(store, st, err);
}

/* ---- users ---- */

static r1_status password_write(r1_store *store, const char *name, const char *hash, r1_err *err)
{
    r1_rows *rows;
    const char *param[] = {name, hash};
    R1_TRY(
        r1_store_query(store,
                       "WITH u AS (UPDATE r1.dash_user SET password_hash = $2, failed = 0, "
                       "locked_until = NULL WHERE name = $1 RETURNING id, name), gone AS (DELETE "
                       "FROM r1.dash_session s USING u WHERE s.user_id = u.id) SELECT "
                       "r1.audit('user.password', 'user ' || name, '{}') FROM u",
                       2, param, &rows, err));
    bool done = r1_rows_count(rows) > 0;
    r1_rows_free(rows);
    if (!done) R1_FAIL(err, R1_E_INVAL, "name: expected a user, found %.64s", name);
    return R1_OK;
}

r1_status dash_user_password(r1_store *store, const dash_who *by, const char *name,
                             const char *password, r1_err *err)
{
    char hash[DASH_HASH_BYTES];
    R1_TRY(dash_password_hash(password, hash, err));
    R1_TRY(dash_begin(store, by, true, err));
    return session_close(store, password_write(store, name, hash, err), err);
}

r1_status dash_session_password(r1_store *store, const dash_user *user, const char *old,
                                const char *fresh, r1_err *err)
{
    char hash[DASH_HASH_BYTES];
    bool known;
    dash_user same;
    const dash_who by = {user->name, "administrator"}; /* of one's own password alone */
    R1_TRY(dash_begin(store, &nobody, false, err));
    R1_TRY(session_close(store, login_look(store, user->name, &same, hash, &known, err), err));
    if (!known) R1_FAIL(err, R1_E_NOT_FOUND, "the user %.64s may not sign in any more", user->name);
    if (!dash_password_fits(old, *hash ? hash : NULL)) {
        R1_TRY(login_failed(store, user->name, err));
        R1_FAIL(err, R1_E_INVAL, "old: this is not the password");
    }
    return dash_user_password(store, &by, user->name, fresh, err);
}

r1_status dash_user_add(r1_store *store, const dash_who *by, const char *name, const char *role,
                        const char *password, r1_err *err)
{
    char hash[DASH_HASH_BYTES] = "";
    if (!dash_role_of(role))
        R1_FAIL(err, R1_E_INVAL,
                "role: expected viewer, analyst, supervisor, clinician, administrator or auditor, "
                "found %.40s",
                role);
    if (!*name || strlen(name) > 64 ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._@-") != strlen(name))
        R1_FAIL(err, R1_E_INVAL, "name: expected at most 64 of a-z, 0-9 and . _ @ -, found %.80s",
                name);
    if (password) R1_TRY(dash_password_hash(password, hash, err));
    const char *param[] = {name, role, password ? hash : NULL, *by->name ? by->name : "setup"};
    R1_TRY(dash_begin(store, by, true, err));
    r1_status st =
        r1_store_query(store,
                       "INSERT INTO r1.dash_user (name, role, password_hash, created_by) "
                       "VALUES ($1, $2, $3, $4)",
                       4, param, NULL, err);
    if (st == R1_OK)
        st = r1_store_query(store,
                            "SELECT r1.audit('user.add', 'user ' || $1, json_build_object('role', "
                            "$2::text)::jsonb)",
                            2, param, NULL, err);
    if (st == R1_E_FORMAT && !strcmp(r1_store_state(store), "23505")) {
        dash_rollback(store);
        R1_FAIL(err, R1_E_INVAL, "name: there is a user %.64s already", name);
    }
    return session_close(store, st, err);
}
