/* SPDX-License-Identifier: Apache-2.0 */
/* dash_medical.c - what clinicians ask: r1-medical serve reads and ranks; reviews are kept. */
#include "http/http_get.h"
#include "review/dash_review.h"
#include "serve/dash_server_internal.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPORT_BYTES_MAX = 32 << 20, MEDICAL_MS = 30000 };

static const char json_form[] = "application/json";

/* One of the forms that r1-medical serve writes. */
static const char *form_of(const char *accept)
{
    static const char *const forms[] = {"application/pdf", "application/fhir+json",
                                        "application/vnd.ga4gh.phenopacket+json", "text/html"};
    for (size_t i = 0; accept && i < R1_COUNT(forms); i++)
        if (!strcmp(accept, forms[i])) return forms[i];
    return json_form;
}

/* type: of the body; NULL: there is none. */
static r1_status medical_send(const dash_server *s, const char *path, const char *type,
                              const char *form, const char *body, size_t len, r1_http_answer *a,
                              r1_err *err)
{
    char headers[512];
    if (type && strpbrk(type, "\r\n")) R1_FAIL(err, R1_E_INVAL, "Content-Type: expected one line");
    a->type = form;
    snprintf(headers, sizeof headers,
             "Authorization: Bearer %.200s\r\nContent-Type: %.100s\r\nAccept: %s\r\n",
             s->o.medical_token, type ? type : "text/plain", form);
    const r1_http_question ask = {.address = s->o.medical,
                                  .method = body ? "POST" : "GET",
                                  .path = path,
                                  .headers = headers,
                                  .body = body,
                                  .body_len = len,
                                  .timeout_ms = MEDICAL_MS,
                                  .bytes_max = REPORT_BYTES_MAX};
    R1_TRY(r1_http_ask(&ask, &a->status, &a->body, &a->body_len, err));
    if (a->status != 200) a->type = json_form;
    return R1_OK;
}

/* The member by which findings say who signed them; NULL: there is none. The store says that, and
 * no page. */
static const char *signing_member(const json_t *findings)
{
    static const char *const ours[] = {"signed", "review", "hash"};
    const char *found = NULL;
    for (size_t i = 0; i < R1_COUNT(ours); i++)
        if (json_object_get(findings, ours[i])) found = ours[i];
    return found;
}

static r1_status medical_unsigned(const r1_http_request *q, r1_err *err)
{
    json_t *j = json_loadb(q->body, q->body_len, 0, NULL);
    const char *found = signing_member(j);
    json_decref(j);
    if (found)
        R1_FAIL(err, R1_E_INVAL,
                "\"%s\": expected findings without it, found it: signatures come from the kept "
                "review (?review=ID)",
                found);
    return R1_OK;
}

/* The findings of a kept review, with its signatures where it is signed. review: as
 * dash_review_open gives it. */
static r1_status medical_signed(const char *review, char **body, r1_err *err)
{
    size_t i;
    json_t *all = json_loads(review, 0, NULL), *findings = json_object_get(all, "findings"),
           *list = json_array(), *g;
    const char *state = json_string_value(json_object_get(all, "state"));
    if (state && !strcmp(state, "signed")) {
        json_array_foreach(json_object_get(all, "signatures"), i, g)
        {
            json_array_append_new(list, json_pack("{s:O, s:O}", "by", json_object_get(g, "signer"),
                                                  "at", json_object_get(g, "at")));
        }
        json_object_set(findings, "signed", list);
        json_object_set(findings, "review", json_object_get(all, "id"));
        json_object_set(findings, "hash", json_object_get(all, "hash"));
    }
    *body = json_dumps(findings, JSON_COMPACT);
    json_decref(list);
    json_decref(all);
    if (!*body) R1_FAIL(err, R1_E_NOMEM, "no memory for the findings of a review");
    return R1_OK;
}

static r1_status medical_ask(const dash_server *s, const r1_http_request *q, const char *form,
                             r1_http_answer *a, r1_err *err)
{
    char path[1024];
    const char *name = q->path + strlen("/api/v1/medical/"), *said = r1_http_argument(q, "q"),
               *type = r1_http_header(q, "Content-Type");
    bool post = !strcmp(q->method, "POST");
    int n = snprintf(path, sizeof path, "/v1/%s", name);
    for (const unsigned char *p = (const unsigned char *)(said ? said : ""); *p; p++) {
        if (n > (int)sizeof path - 16) R1_FAIL(err, R1_E_INVAL, "q: expected at most 300 bytes");
        n += snprintf(path + n, sizeof path - (size_t)n, "%s%%%02X",
                      p == (const unsigned char *)said ? "?q=" : "", *p);
    }
    return medical_send(s, path, post ? type : NULL, form, post ? q->body : NULL, q->body_len, a,
                        err);
}

/* Who may ask at all; false: it is answered. */
static bool medical_admits(const dash_server *s, const dash_user *user, r1_http_answer *a)
{
    if (dash_role_of(user->role) != DASH_CLINICIAN) {
        dash_reply_error(a, 403, "a clinician reads records");
        return false;
    }
    if (!s->o.medical) {
        dash_reply_error(a, 404, "no address of r1-medical serve was given (--medical)");
        return false;
    }
    return true;
}

/* What is read, ranked or given away. */
static r1_status medical_audit(const dash_user *user, const char *name, const char *form,
                               r1_store *store, r1_err *err)
{
    const dash_who who = {user->name, user->role};
    bool gives = form != json_form;
    const char *param[] = {gives                      ? "export"
                           : !strcmp(name, "records") ? "record.read"
                                                      : "record.rank",
                           form};
    R1_TRY(dash_begin(store, &who, true, err));
    r1_status st = r1_store_query(
        store,
        gives ? "SELECT r1.audit($1, 'record', json_build_object('as', $2::text)::jsonb)"
              : "SELECT r1.audit($1, 'record', '{}')",
        gives ? 2 : 1, param, NULL, err);
    if (st == R1_OK) return dash_commit(store, err);
    dash_rollback(store);
    return st;
}

/* The findings of the kept review that the request names, into *body; NULL: it names none. */
static r1_status medical_kept(const dash_server *s, const r1_http_request *q, const dash_user *user,
                              r1_store *store, char **body, r1_err *err)
{
    const char *said = r1_http_argument(q, "review");
    const dash_who who = {user->name, user->role};
    char *text = NULL, *end;
    *body = NULL;
    if (!said) return R1_OK;
    const int64_t id = strtoll(said, &end, 10);
    if (id <= 0 || *end || !s->o.keys)
        R1_FAIL(err, R1_E_INVAL, "review: expected the number of a kept review, found another");
    R1_TRY(dash_review_open(store, &who, s->o.keys, id, &text, err));
    r1_status st = medical_signed(text, body, err);
    free(text);
    return st;
}

void dash_on_medical(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    static const char *const calls[] = {"terms", "records", "findings"};
    dash_server *s = ctx;
    r1_store *store;
    dash_user user;
    r1_err err = {0};
    const char *name = q->path + strlen("/api/v1/medical/"),
               *form = form_of(r1_http_header(q, "Accept"));
    bool known = false, asks = false, post = !strcmp(q->method, "POST");
    char *body = NULL;
    for (size_t i = 0; i < R1_COUNT(calls); i++) known = known || !strcmp(calls[i], name);
    if (!dash_server_begin(s, q, &store, &user, a)) return;
    if (!medical_admits(s, &user, a)) {
    } else if (!known) {
        dash_reply_error(a, 404, "there is no such call");
    } else if (form != json_form && !user.may_export) {
        dash_reply_error(a, 403, "to export is a right of its own, which you do not have");
    } else if (post && medical_unsigned(q, &err) != R1_OK) {
        dash_reply_error(a, 422, err.msg);
    } else if (post && !strcmp(name, "findings") &&
               medical_kept(s, q, &user, store, &body, &err) != R1_OK) {
        if (err.code == R1_E_INVAL || err.code == R1_E_NOT_FOUND)
            dash_reply_error(a, err.code == R1_E_INVAL ? 422 : 404, err.msg);
        else
            dash_reply_failure(a, store, &err);
    } else if (post && medical_audit(&user, name, form, store, &err) != R1_OK) {
        dash_reply_failure(a, store, &err);
    } else {
        asks = true;
    }
    dash_pool_give(s->o.pool, store); /* nobody waits for a ranking with a connection in hand */
    r1_status st = R1_OK;
    if (asks && body)
        st = medical_send(s, "/v1/findings", json_form, form, body, strlen(body), a, &err);
    else if (asks)
        st = medical_ask(s, q, form, a, &err);
    if (st != R1_OK) dash_reply_error(a, err.code == R1_E_INVAL ? 422 : 502, err.msg);
    free(body);
}

/* ---- reviews ---- */

static bool review_admits(const dash_server *s, const dash_user *user, r1_http_answer *a)
{
    if (!medical_admits(s, user, a)) return false;
    if (!s->o.keys)
        dash_reply_error(a, 404, "no file of keys was given (--keys), so no review is kept");
    return s->o.keys != NULL;
}

/* What is signed is what the service says of the findings, and not what a page says of them. */
static r1_status review_rank(const dash_server *s, json_t *findings, json_t **document,
                             r1_http_answer *a, r1_err *err)
{
    char *body = json_dumps(findings, JSON_COMPACT);
    if (!body) R1_FAIL(err, R1_E_NOMEM, "no memory for findings");
    r1_status st =
        medical_send(s, "/v1/findings", json_form, json_form, body, strlen(body), a, err);
    free(body);
    if (st != R1_OK || a->status != 200) return st;
    json_t *j = json_loadb(a->body, a->body_len, 0, NULL);
    free(a->body);
    *a = (r1_http_answer){.status = 500};
    if (j && !json_object_get(j, "findings")) json_object_set(j, "findings", findings);
    *document = j;
    if (!j) R1_FAIL(err, R1_E_IO, "r1-medical serve: expected JSON, found another text");
    return R1_OK;
}

/* body: as on_review_save has read it. */
static void review_keep(dash_server *s, const dash_user *user, json_t *findings, int64_t before,
                        bool signs, r1_http_answer *a)
{
    r1_err err = {0};
    r1_store *store;
    json_t *document = NULL;
    char *text = NULL;
    const dash_who who = {user->name, user->role};
    if (review_rank(s, findings, &document, a, &err) != R1_OK) {
        dash_reply_error(a, 502, err.msg);
    } else if (document && dash_pool_take(s->o.pool, &store, &err) != R1_OK) {
        dash_reply_error(a, 503, "the database does not answer at the moment");
    } else if (document) {
        if (dash_review_save(store, &who, s->o.keys, document, before, signs, &text, &err) == R1_OK)
            dash_reply_json(a, 200, text);
        else if (err.code == R1_E_INVAL)
            dash_reply_error(a, 422, err.msg);
        else
            dash_reply_failure(a, store, &err);
        dash_pool_give(s->o.pool, store);
    }
    json_decref(document);
}

void dash_on_review_save(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    dash_server *s = ctx;
    r1_store *store;
    dash_user user;
    json_t *findings = NULL;
    json_int_t before = 0;
    int signs = 0;
    if (!dash_server_begin(s, q, &store, &user, a)) return;
    dash_pool_give(s->o.pool, store);
    if (!review_admits(s, &user, a)) return;
    json_t *j = json_loadb(q->body, q->body_len, JSON_REJECT_DUPLICATES, NULL);
    if (!j ||
        json_unpack(j, "{s:o, s:b, s?I!}", "findings", &findings, "sign", &signs, "before",
                    &before) ||
        !json_is_object(findings) || before < 0)
        dash_reply_error(a, 422,
                         "expected {\"findings\": OBJECT, \"sign\": BOOLEAN, \"before\": NUMBER}");
    else if (signing_member(findings))
        dash_reply_error(a, 422,
                         "findings: expected none of signed, review and hash: who signed is "
                         "said by the store");
    else
        review_keep(s, &user, findings, before, signs, a);
    json_decref(j);
}

void dash_on_review(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    dash_server *s = ctx;
    r1_store *store;
    dash_user user;
    r1_err err = {0};
    char *text = NULL, *end = NULL;
    const char *said = r1_http_argument(q, "id");
    if (!dash_server_begin(s, q, &store, &user, a)) return;
    int64_t id = said ? strtoll(said, &end, 10) : 0;
    if (!review_admits(s, &user, a)) {
    } else if (id <= 0 || *end) {
        dash_reply_error(a, 422, "id: expected a whole number above 0");
    } else {
        const dash_who who = {user.name, user.role};
        if (dash_review_open(store, &who, s->o.keys, id, &text, &err) == R1_OK)
            dash_reply_json(a, 200, text);
        else if (err.code == R1_E_NOT_FOUND)
            dash_reply_error(a, 404, err.msg);
        else if (err.code == R1_E_FORMAT && !*r1_store_state(store))
            dash_reply_error(a, 409, err.msg);
        else
            dash_reply_failure(a, store, &err);
    }
    dash_pool_give(s->o.pool, store);
}
