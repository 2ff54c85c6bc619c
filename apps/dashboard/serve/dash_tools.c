/* SPDX-License-Identifier: Apache-2.0 */
/* dash_tools.c - what a supervisor asks of r1-fraud itself: a change of the policy over stored
 * payments, and dead letters that are shown, mended and sent again. */
#include "serve/dash_server_internal.h"
#include "tool/dash_tool.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 60000, TRY_SECONDS = 120, LETTER_SECONDS = 30 };

static const dash_call try_call = {"POST", "try", DASH_SUPERVISOR,
                                   .param = {{"since", DASH_TEXT, .max = 8, .def = "7d"},
                                             {"review_at", DASH_REAL},
                                             {"alerts_per_day", DASH_INT},
                                             {"rules", DASH_TEXT, .max = TEXT_MAX},
                                             {"allow_list", DASH_TEXT, .max = TEXT_MAX},
                                             {"block_list", DASH_TEXT, .max = TEXT_MAX}}};
static const dash_call show_call = {"POST", "dead/show", DASH_SUPERVISOR,
                                    .param = {{"id", DASH_INT, .needed = true}}};
static const dash_call mend_call = {
    "POST", "dead/mend", DASH_SUPERVISOR,
    .param = {{"id", DASH_INT, .needed = true},
              {"payload", DASH_TEXT, .needed = true, .max = TEXT_MAX},
              {"send", DASH_BOOL, .def = "false"}}};

/* What it printed, with the code of its end: 0 for what went well. */
static void tool_reply(r1_http_answer *a, dash_tool_answer *t)
{
    json_t *j = json_pack("{s:i, s:s, s:b}", "code", t->code, "text", t->text, "cut", (int)t->cut);
    if (j) dash_reply_json(a, 200, json_dumps(j, 0));
    if (!j) dash_reply_error(a, 502, "r1-fraud: expected UTF-8, found other bytes");
    json_decref(j);
    free(t->text);
}

static void tool_answer(r1_http_answer *a, const dash_tool_job *job)
{
    r1_err err = {0};
    dash_tool_answer t;
    if (dash_tool_run(job, &t, &err) == R1_OK)
        tool_reply(a, &t);
    else
        dash_reply_error(a, err.code == R1_E_TIMEOUT ? 504 : 502, err.msg);
}

/* ---- a change of the policy ---- */

static bool is_span(const char *text)
{
    size_t n = strspn(text, "0123456789");
    return n > 0 && n <= 5 && (text[n] == 'd' || text[n] == 'h') && !text[n + 1];
}

static void run_try(const dash_server *s, const dash_values *v, r1_http_answer *a)
{
    r1_err err = {0};
    char *settings = NULL;
    char *const *text = v->text;
    const char *const rows[] = {"review_at",
                                text[1],
                                "alerts_per_day",
                                text[2],
                                "rules",
                                text[3] ? DASH_TOOL_FILE(1) : NULL,
                                "allow_list",
                                text[4] ? DASH_TOOL_FILE(2) : NULL,
                                "block_list",
                                text[5] ? DASH_TOOL_FILE(3) : NULL,
                                NULL};
    if (dash_tool_settings(s->o.fraud_config, rows, &settings, &err) != R1_OK) {
        dash_reply_error(a, 502, err.msg);
    } else {
        const dash_tool_job job = {.args = {"config", "try", DASH_TOOL_FILE(0), "--config",
                                            s->o.fraud_config, "--since", text[0]},
                                   .file = {settings, text[3], text[4], text[5]},
                                   .seconds_max = TRY_SECONDS};
        tool_answer(a, &job);
    }
    free(settings);
}

/* ---- dead letters ---- */

static void run_show(const dash_server *s, const dash_values *v, r1_http_answer *a)
{
    const dash_tool_job job = {.args = {"dlq", "show", v->text[0], "--config", s->o.fraud_config},
                               .seconds_max = LETTER_SECONDS};
    tool_answer(a, &job);
}

static void run_mend(const dash_server *s, const dash_values *v, r1_http_answer *a)
{
    bool sends = !strcmp(v->text[2], "true");
    const dash_tool_job job = {.args = {"dlq", "mend", v->text[0], "--payload", DASH_TOOL_FILE(0),
                                        "--config", s->o.fraud_config, sends ? NULL : "--dry-run"},
                               .file = {v->text[1]},
                               .seconds_max = LETTER_SECONDS};
    tool_answer(a, &job);
}

/* ---- routes ---- */

typedef struct {
    const dash_call *call;
    const char *action;
    void (*run)(const dash_server *s, const dash_values *v, r1_http_answer *a);
} tool_route;

static const tool_route tool_routes[] = {{&try_call, "config.try", run_try},
                                         {&show_call, "dead.show", run_show},
                                         {&mend_call, "dead.mend", run_mend}};

/* Who asked, and of which letter or span; written before the program runs. */
static r1_status tool_audit(const tool_route *r, const dash_values *v, const dash_user *user,
                            r1_store *store, r1_err *err)
{
    const dash_who who = {user->name, user->role};
    const bool mends = r->call == &mend_call;
    const char *param[] = {r->action, r->call == &try_call ? "policy over " : "dead letter ",
                           v->text[0], mends ? v->text[2] : NULL};
    R1_TRY(dash_begin(store, &who, true, err));
    r1_status st = r1_store_query(store,
                                  "SELECT r1.audit($1, $2 || $3, "
                                  "jsonb_strip_nulls(jsonb_build_object('send', $4::boolean)))",
                                  4, param, NULL, err);
    if (st == R1_OK) return dash_commit(store, err);
    dash_rollback(store);
    return st;
}

void dash_on_tool(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    dash_server *s = ctx;
    r1_store *store;
    dash_user user;
    r1_err err = {0};
    dash_values v = {0};
    const tool_route *r = &tool_routes[0];
    bool runs = false;
    const char *name = q->path + strlen("/api/v1/");
    while (strcmp(r->call->path, name) != 0) r++; /* the port's table has these alone */
    if (!dash_server_begin(s, q, &store, &user, a)) return;
    if (!(r->call->roles & dash_role_of(user.role)))
        dash_reply_error(a, 403, "a supervisor does this");
    else if (!s->o.fraud_config)
        dash_reply_error(a, 404, "no settings of r1-fraud serve were given (--fraud-config)");
    else if (dash_values_read(r->call, q, &v, &err) != R1_OK)
        dash_reply_error(a, 422, err.msg);
    else if (r->call == &try_call && !is_span(v.text[0]))
        dash_reply_error(a, 422, "since: expected a span such as 7d or 24h");
    else if (tool_audit(r, &v, &user, store, &err) != R1_OK)
        dash_reply_failure(a, store, &err);
    else
        runs = true;
    dash_pool_give(s->o.pool, store);
    if (runs) r->run(s, &v, a);
    dash_values_free(&v);
}
