/* SPDX-License-Identifier: Apache-2.0 */
/* dash_server_internal.h - what the handlers of the port share: dash_server.c, dash_medical.c and
 * dash_tools.c.
 *
 * Owns:    answers own their texts.
 * Threads: handlers run on threads of the port; nothing here changes after the start.
 * Errors:  are answered. */
#ifndef DASH_SERVER_INTERNAL_H
#define DASH_SERVER_INTERNAL_H

#include "http/http.h"
#include "serve/dash_server.h"
#include "serve/dash_session.h"

struct dash_server {
    dash_server_opts o;
    dash_sessions sessions;
    r1_http *http;
};

/* text: malloc'ed, and the answer's from here on; NULL: no memory, 500. */
void dash_reply_json(r1_http_answer *a, int status, char *text);
void dash_reply_error(r1_http_answer *a, int status, const char *text);
/* What the database refused or could not do. */
void dash_reply_failure(r1_http_answer *a, r1_store *store, const r1_err *err);
/* What most handlers begin with; *store is to be given back where it says true. */
bool dash_server_begin(dash_server *s, const r1_http_request *q, r1_store **store, dash_user *user,
                       r1_http_answer *a);

void dash_on_medical(void *ctx, const r1_http_request *q, r1_http_answer *a);
void dash_on_review_save(void *ctx, const r1_http_request *q, r1_http_answer *a);
void dash_on_tool(void *ctx, const r1_http_request *q, r1_http_answer *a);
void dash_on_review(void *ctx, const r1_http_request *q, r1_http_answer *a);

#endif
