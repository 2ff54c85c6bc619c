/* SPDX-License-Identifier: Apache-2.0 */
/* dash_session.h - users of the dashboard and their sessions, in PostgreSQL.
 *
 * Owns:    nothing.
 * Threads: any, with a store each.
 * Errors:  R1_E_NOT_FOUND: no such session, or name and password do not fit. R1_E_AGAIN: too many
 *          wrong passwords; the text says for how long. R1_E_INVAL: a name, role or password that
 *          is none. Else as r1_store_query. */
#ifndef DASH_SESSION_H
#define DASH_SESSION_H

#include "access/dash_password.h"
#include "api/dash_call.h"

typedef struct {
    int idle_s, max_s;
    bool tls;
} dash_sessions;

typedef struct {
    char name[72], role[24], csrf[DASH_TOKEN_BYTES];
    bool may_export;
} dash_user;

const char *dash_cookie_name(const dash_sessions *s);
/* The value of Set-Cookie; token NULL: one that ends the cookie. */
void dash_cookie_text(const dash_sessions *s, const char *token, char *text, size_t size);

r1_status dash_session_find(const dash_sessions *s, r1_store *store, const char *token,
                            dash_user *out, r1_err *err);
r1_status dash_session_login(const dash_sessions *s, r1_store *store, const char *name,
                             const char *password, dash_user *out, char token[DASH_TOKEN_BYTES],
                             r1_err *err);
/* A proxy vouches for the name. */
r1_status dash_session_proxy(const dash_sessions *s, r1_store *store, const char *name,
                             dash_user *out, char token[DASH_TOKEN_BYTES], r1_err *err);
r1_status dash_session_end(r1_store *store, const char *token, r1_err *err);
r1_status dash_session_password(r1_store *store, const dash_user *user, const char *old,
                                const char *fresh, r1_err *err);
/* password NULL: one who signs in through a proxy. */
r1_status dash_user_add(r1_store *store, const dash_who *by, const char *name, const char *role,
                        const char *password, r1_err *err);
/* A fresh password, and the lock of wrong ones undone; ends the user's sessions. */
r1_status dash_user_password(r1_store *store, const dash_who *by, const char *name,
                             const char *password, r1_err *err);

#endif
