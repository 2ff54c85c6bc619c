/* SPDX-License-Identifier: Apache-2.0 */
/* dash_review.c - see dash_review.h. */
#include "review/dash_review.h"

#include "access/dash_password.h"
#include "privacy/med_seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_REVIEW = 4 };
static const char *const review_names[N_REVIEW] = {"accepted", "rejected", "added", "open"};

/* The row that a document is bound to. */
static med_place review_place(int64_t id)
{
    return (med_place){.cluster = "r1.med_review", .topic = "review", .offset = id};
}

/* How many findings there are, and how many of each review, added to n; none said: open. */
static r1_status review_tally(const json_t *document, size_t *all, size_t n[N_REVIEW], r1_err *err)
{
    const json_t *list = json_object_get(json_object_get(document, "findings"), "findings"), *f;
    size_t i;
    if (!json_is_array(list) || !json_is_object(json_object_get(document, "report")))
        R1_FAIL(err, R1_E_INVAL, "the review: expected findings with their report");
    *all = json_array_size(list);
    json_array_foreach(list, i, f)
    {
        const char *said = json_string_value(json_object_get(f, "review"));
        size_t k = 0;
        while (said && k < N_REVIEW - 1 && strcmp(said, review_names[k]) != 0) k++;
        n[said ? k : N_REVIEW - 1]++;
    }
    return R1_OK;
}

static r1_status review_id(r1_store *s, int64_t *id, r1_err *err)
{
    r1_rows *rows = NULL;
    R1_TRY(r1_store_query(s, "SELECT nextval('r1.med_review_id')", 0, NULL, &rows, err));
    *id = r1_rows_int(rows, 0, 0);
    r1_rows_free(rows);
    return R1_OK;
}

static r1_status review_insert(r1_store *s, const med_keys *keys, const char *bytes,
                               const json_t *document, const char *id, const char *before,
                               const char *hash, r1_err *err)
{
    char count[1 + N_REVIEW][24], *hex = NULL;
    size_t all = 0, n[N_REVIEW] = {0};
    const med_place place = review_place(strtoll(id, NULL, 10));
    R1_TRY(review_tally(document, &all, n, err));
    R1_TRY(med_seal(keys, &place, "review", bytes, strlen(bytes), &hex, err));
    snprintf(count[0], sizeof count[0], "%zu", all);
    for (size_t i = 0; i < N_REVIEW; i++) snprintf(count[i + 1], sizeof count[0], "%zu", n[i]);
    const char *param[] = {id,       before,   count[0], count[1], count[2],
                           count[3], count[4], hash,     hex,      med_keys_name(keys, 0)};
    r1_status st = r1_store_query(
        s,
        "INSERT INTO r1.med_review (id, made_by, before_id, n_finding, n_accepted, n_rejected, "
        "n_added, n_open, signers, hash, sealed, seal_key) SELECT $1::bigint, r1.actor(), "
        "$2::bigint, $3::integer, $4::integer, $5::integer, $6::integer, $7::integer, "
        "least(greatest(r1.case_number('report_signers'), 1), 2)::integer, $8::bytea, "
        "decode($9, 'hex'), $10",
        10, param, NULL, err);
    free(hex);
    return st;
}

/* The last statements of its transaction: the audit trail is locked from there on. */
static r1_status review_end(r1_store *s, const char *id, const char *hash, bool signs, char **text,
                            r1_err *err)
{
    r1_rows *rows = NULL;
    const char *param[] = {id, hash + 2}; /* behind \x */
    R1_TRY(r1_store_query(s,
                          "SELECT r1.audit('review.save', 'review ' || $1, "
                          "json_build_object('hash', $2::text)::jsonb)",
                          2, param, NULL, err));
    R1_TRY(r1_store_query(s,
                          signs ? "SELECT json_build_object('id', $1::bigint, 'hash', $2::text, "
                                  "'state', r1.review_sign($1::bigint, $2))"
                                : "SELECT json_build_object('id', $1::bigint, 'hash', $2::text, "
                                  "'state', 'draft')",
                          2, param, &rows, err));
    *text = strdup(r1_rows_text(rows, 0, 0));
    r1_rows_free(rows);
    if (!*text) R1_FAIL(err, R1_E_NOMEM, "no memory for an answer");
    return R1_OK;
}

static r1_status review_write(r1_store *s, const med_keys *keys, const char *bytes,
                              const json_t *document, int64_t before, bool signs, char **text,
                              r1_err *err)
{
    char number[24], from[24], hash[67];
    int64_t id;
    R1_TRY(review_id(s, &id, err));
    snprintf(number, sizeof number, "%lld", (long long)id);
    snprintf(from, sizeof from, "%lld", (long long)before);
    dash_hash(bytes, strlen(bytes), hash);
    R1_TRY(review_insert(s, keys, bytes, document, number, before ? from : NULL, hash, err));
    return review_end(s, number, hash, signs, text, err);
}

r1_status dash_review_save(r1_store *s, const dash_who *who, const med_keys *keys,
                           const json_t *document, int64_t before, bool signs, char **text,
                           r1_err *err)
{
    char *bytes = json_dumps(document, JSON_COMPACT | JSON_SORT_KEYS);
    *text = NULL;
    if (!bytes) R1_FAIL(err, R1_E_NOMEM, "no memory for a review");
    r1_status st = dash_begin(s, who, true, err);
    if (st == R1_OK) {
        st = review_write(s, keys, bytes, document, before, signs, text, err);
        if (st == R1_OK) st = dash_commit(s, err);
        if (st != R1_OK) dash_rollback(s);
    }
    med_seal_forget(bytes, strlen(bytes));
    if (st != R1_OK) {
        free(*text);
        *text = NULL;
    }
    return st;
}

/* ---- reading ---- */

static r1_status review_ask(r1_store *s, const char *id, r1_rows **rows, r1_err *err)
{
    const char *seen[] = {"review.view", id}, *param[] = {id};
    R1_TRY(r1_store_query(
        s,
        "SELECT v.seal_key, encode(v.sealed, 'hex'), encode(v.hash, 'hex'), "
        "json_build_object('id', "
        "v.id, 'made_at', v.made_at, 'made_by', v.made_by, 'before', v.before_id, 'signers', "
        "v.signers, 'state', r1.review_state(v.id, v.signers), 'hash', encode(v.hash, 'hex'), "
        "'signatures', (SELECT coalesce(json_agg(json_build_object('signer', g.signer, 'at', "
        "g.signed_at) ORDER BY g.signed_at), '[]') FROM r1.med_signature g WHERE g.review_id = "
        "v.id)) FROM r1.med_review v WHERE v.id = $1::bigint",
        1, param, rows, err));
    if (!r1_rows_count(*rows)) R1_FAIL(err, R1_E_NOT_FOUND, "there is no review %s", id);
    return r1_store_query(s, "SELECT r1.audit_view($1, 'review ' || $2)", 2, seen, NULL, err);
}

static r1_status review_show(const r1_rows *rows, const med_keys *keys, int64_t id, char **text,
                             r1_err *err)
{
    char *bytes = NULL, hash[67];
    size_t len = 0;
    const med_place place = review_place(id);
    R1_TRY(med_unseal(keys, r1_rows_text(rows, 0, 0), &place, "review", r1_rows_text(rows, 0, 1),
                      &bytes, &len, err));
    dash_hash(bytes, len, hash);
    json_t *document = NULL, *all = json_loads(r1_rows_text(rows, 0, 3), 0, NULL);
    if (!strcmp(hash + 2, r1_rows_text(rows, 0, 2))) document = json_loadb(bytes, len, 0, NULL);
    med_seal_forget(bytes, len);
    if (all && document && !json_object_update(all, document)) *text = json_dumps(all, 0);
    bool whole = document != NULL;
    json_decref(document);
    json_decref(all);
    if (!whole)
        R1_FAIL(err, R1_E_FORMAT, "review %lld: its hash is not that of its document",
                (long long)id);
    if (!*text) R1_FAIL(err, R1_E_NOMEM, "no memory for a review");
    return R1_OK;
}

r1_status dash_review_open(r1_store *s, const dash_who *who, const med_keys *keys, int64_t id,
                           char **text, r1_err *err)
{
    char number[24];
    r1_rows *rows = NULL;
    *text = NULL;
    snprintf(number, sizeof number, "%lld", (long long)id);
    R1_TRY(dash_begin(s, who, true, err));
    r1_status st = review_ask(s, number, &rows, err);
    if (st == R1_OK)
        st = dash_commit(s, err);
    else
        dash_rollback(s);
    if (st == R1_OK) st = review_show(rows, keys, id, text, err);
    r1_rows_free(rows);
    return st;
}
