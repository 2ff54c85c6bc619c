/* SPDX-License-Identifier: Apache-2.0 */
/* dash_server.h - the dashboard's port: the page, its calls, who may make them.
 *
 * A request with a body must bear the session's token against forged requests (X-R1-CSRF), and come
 * from this page where the browser says from where it comes. The session's cookie is of no use to
 * scripts and to other sites.
 *
 *     what                                bound
 *     body of a call                      64 KiB, of a medical record 4 MiB, of rules 256 KiB
 *     r1-fraud, run for a supervisor      one at a time of each kind, 120 s, 256 KiB of its output
 *     calls at a time                     64; logins 2, as each takes 64 MiB
 *     pages that listen for news          128
 *     wrong passwords of a user           4; then 2 s, 4 s, 8 s ... one hour between tries
 *     session                             session_idle_s without a request, session_max_s in all
 *
 * Owns:    the listening port and the connections. Texts of the options are borrowed.
 * Threads: one starts and stops it; requests run on threads of their own.
 * Errors:  as r1_http_start; R1_E_AGAIN where the schema lags behind. */
#ifndef DASH_SERVER_H
#define DASH_SERVER_H

#include "privacy/med_keys.h"
#include "serve/dash_live.h"
#include "serve/dash_pool.h"
#include "similar/dash_similar.h"

typedef struct {
    const char *listen;
    const char *certificate, *key; /* PEM texts; NULL: plain HTTP */
    dash_pool *pool;
    dash_live *live;
    int session_idle_s, session_max_s;
    dash_similar *similar;
    const char *proxy_header, *proxy_secret; /* who signs in at a proxy; NULL: nobody */
    const char *medical, *medical_token;     /* address of r1-medical serve; NULL: none */
    const med_keys *keys;                    /* seal reviews; NULL: none is kept */
    const char *fraud_metrics;               /* address of r1-fraud serve; NULL: none */
    const char *fraud_config;                /* file of its settings; NULL: none */
} dash_server_opts;

typedef struct dash_server dash_server;
r1_status dash_server_start(dash_server **out, const dash_server_opts *opts, r1_err *err);
int dash_server_port(const dash_server *s);
void dash_server_stop(dash_server *s); /* NULL is fine */

#endif
