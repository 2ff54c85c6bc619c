/* SPDX-License-Identifier: Apache-2.0 */
/* dash_similar.c - see dash_similar.h. */
#include "similar/dash_similar.h"

#include "r1_memory.h"

#include <jansson.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Numbers stand first; ring and reasons share the places behind them. */
enum { N_NUMBER = 5, N_HASHED = DASH_SIMILAR_WIDTH - N_NUMBER, HITS = 32, TIME_BYTES = 64 };
static const struct {
    const char *name;
    float scale, near; /* to about 1; how near two must be to be called alike */
} numbers[N_NUMBER] = {{"score", 1.0F, .1F},
                       {"amount", .25F, .2F},
                       {"alerts", .3F, .2F},
                       {"accounts", .3F, .2F},
                       {"hours", .15F, .3F}};
static const float ring_weight = 1.0F, reason_scale = .4F, reason_least = .1F;

struct dash_similar {
    r1_longterm *lt;
    char closed_at[TIME_BYTES], id[24]; /* of the last case that was taken in */
    _Atomic uint64_t held;
};

r1_status dash_similar_new(dash_similar **out, r1_err *err)
{
    dash_similar *s = calloc(1, sizeof *s);
    if (!s) R1_FAIL(err, R1_E_NOMEM, "no memory for past cases");
    snprintf(s->closed_at, sizeof s->closed_at, "-infinity");
    snprintf(s->id, sizeof s->id, "0");
    r1_status st = r1_longterm_new(&s->lt, DASH_SIMILAR_WIDTH, 0, err);
    if (st == R1_OK)
        *out = s;
    else
        free(s);
    return st;
}

void dash_similar_free(dash_similar *s)
{
    if (!s) return;
    r1_longterm_free(s->lt);
    free(s);
}

/* ---- a case as numbers ---- */

static void vector_add(float *v, const char *name, float weight)
{
    uint32_t h = r1_crc32c(name, strlen(name), 0);
    v[N_NUMBER + h % N_HASHED] += h & 0x80000000U ? -weight : weight;
}

static void vector_of(json_t *features, float v[DASH_SIMILAR_WIDTH])
{
    const char *ring = json_string_value(json_object_get(features, "pattern")), *code;
    json_t *weight;
    float sum = 0;
    memset(v, 0, DASH_SIMILAR_WIDTH * sizeof *v);
    for (size_t i = 0; i < N_NUMBER; i++)
        v[i] =
            numbers[i].scale * (float)json_number_value(json_object_get(features, numbers[i].name));
    if (ring) vector_add(v, ring, ring_weight);
    json_object_foreach(json_object_get(features, "reasons"), code, weight)
        vector_add(v, code, reason_scale * (float)json_number_value(weight));
    for (size_t i = 0; i < DASH_SIMILAR_WIDTH; i++) sum += v[i] * v[i];
    for (size_t i = 0; sum > 0 && i < DASH_SIMILAR_WIDTH; i++) v[i] /= sqrtf(sum);
}

/* What both have: numbers that are near, the same ring, reasons that weigh alike. */
static json_t *alike(json_t *a, json_t *b)
{
    json_t *out = json_array(), *weight;
    const char *ring = json_string_value(json_object_get(a, "pattern")), *code,
               *other = json_string_value(json_object_get(b, "pattern"));
    if (ring && other && !strcmp(ring, other)) json_array_append_new(out, json_string(ring));
    json_object_foreach(json_object_get(a, "reasons"), code, weight)
    {
        double x = json_number_value(weight),
               y = json_number_value(json_object_get(json_object_get(b, "reasons"), code));
        if (x * y > 0 && fabs(x) >= (double)reason_least && fabs(y) >= (double)reason_least)
            json_array_append_new(out, json_string(code));
    }
    for (size_t i = 0; i < N_NUMBER; i++)
        if (fabs(json_number_value(json_object_get(a, numbers[i].name)) -
                 json_number_value(json_object_get(b, numbers[i].name))) <= (double)numbers[i].near)
            json_array_append_new(out, json_string(numbers[i].name));
    return out;
}

/* ---- taking in ---- */

static r1_status case_insert(dash_similar *s, const r1_rows *rows, size_t i, r1_err *err)
{
    float key[DASH_SIMILAR_WIDTH];
    int64_t id = r1_rows_int(rows, i, 0);
    json_t *features = json_loads(r1_rows_text(rows, i, 2), 0, NULL);
    if (!features) R1_FAIL(err, R1_E_FORMAT, "case %lld: its features are no JSON", (long long)id);
    vector_of(features, key);
    json_decref(features);
    const r1_longterm_entry entry = {
        .key = key, .value = &id, .value_bytes = sizeof id, .entity = (uint64_t)id};
    uint64_t place;
    R1_TRY(r1_longterm_insert(s->lt, &entry, &place, err));
    atomic_fetch_add(&s->held, 1);
    return R1_OK;
}

static r1_status cases_insert(dash_similar *s, const r1_rows *rows, r1_err *err)
{
    size_t n = r1_rows_count(rows);
    R1_TRY(r1_longterm_begin(s->lt, err));
    uint64_t before = atomic_load(&s->held);
    r1_status st = R1_OK;
    for (size_t i = 0; st == R1_OK && i < n; i++) st = case_insert(s, rows, i, err);
    if (st == R1_OK) st = r1_longterm_commit(s->lt, err);
    if (st == R1_OK && n) {
        snprintf(s->id, sizeof s->id, "%s", r1_rows_text(rows, n - 1, 0));
        snprintf(s->closed_at, sizeof s->closed_at, "%s", r1_rows_text(rows, n - 1, 1));
    }
    if (st != R1_OK) {
        r1_longterm_rollback(s->lt);
        atomic_store(&s->held, before);
    }
    return st;
}

/* A case becomes visible some time after its closed_at, so the last seconds wait. */
r1_status dash_similar_load(dash_similar *s, r1_store *store, bool *more, r1_err *err)
{
    char most[16];
    r1_rows *rows = NULL;
    snprintf(most, sizeof most, "%d", DASH_SIMILAR_LOAD);
    const char *param[] = {s->closed_at, s->id, most};
    R1_TRY(r1_store_query(
        store,
        "SELECT id, closed_at::text, r1.case_features(id) FROM (SELECT id, closed_at FROM "
        "r1.fraud_case WHERE state = 'closed' AND outcome IS NOT NULL AND (closed_at, id) > "
        "($1::timestamptz, $2::bigint) AND closed_at < now() - interval '5 s' ORDER BY closed_at, "
        "id LIMIT $3::integer) c",
        3, param, &rows, err));
    *more = r1_rows_count(rows) == DASH_SIMILAR_LOAD;
    r1_status st = r1_rows_count(rows) ? cases_insert(s, rows, err) : R1_OK;
    r1_rows_free(rows);
    return st;
}

/* ---- asking ---- */

static r1_status similar_search(dash_similar *s, json_t *features, const char *id, char *ids,
                                size_t size, r1_err *err)
{
    float query[DASH_SIMILAR_WIDTH];
    r1_longterm_hit hit[HITS];
    size_t n = 0, at = 1;
    vector_of(features, query);
    ids[0] = '{';
    r1_longterm_view *view = r1_longterm_view_open(s->lt);
    if (!view) R1_FAIL(err, R1_E_NOMEM, "no memory for a view of past cases");
    const r1_longterm_query how = {.k = HITS};
    r1_status st = r1_longterm_view_search(view, query, &how, hit, &n, err);
    for (size_t i = 0; st == R1_OK && i < n; i++) {
        r1_longterm_entry e;
        char one[24];
        st = r1_longterm_view_get(view, hit[i].id, &e, err);
        if (st != R1_OK) break;
        snprintf(one, sizeof one, "%llu", (unsigned long long)e.entity);
        if (strcmp(one, id) != 0)
            at += (size_t)snprintf(ids + at, size - at, "%s%s", at > 1 ? "," : "", one);
    }
    r1_longterm_view_close(view);
    snprintf(ids + at, size - at, "}");
    return st;
}

/* As the cases are now: one that was opened again has no outcome. */
static r1_status similar_rows(r1_store *store, const char *ids, r1_rows **rows, r1_err *err)
{
    char most[16];
    snprintf(most, sizeof most, "%d", DASH_SIMILAR_MAX);
    const char *param[] = {ids, most};
    return r1_store_query(
        store,
        "SELECT json_build_object('id', c.id, 'outcome', c.outcome, 'reason_code', c.reason_code, "
        "'headline', c.headline, 'closed_at', c.closed_at, 'score', c.score_max, 'n_alert', "
        "c.n_alert), r1.case_features(c.id) FROM (SELECT u.id, min(u.place) AS place FROM "
        "unnest($1::bigint[]) WITH ORDINALITY u (id, place) GROUP BY u.id) u JOIN r1.fraud_case c "
        "ON c.id = u.id WHERE c.state = 'closed' AND c.outcome IS NOT NULL ORDER BY u.place LIMIT "
        "$2::integer",
        2, param, rows, err);
}

static json_t *similar_case(const r1_rows *rows, size_t i, json_t *features)
{
    float a[DASH_SIMILAR_WIDTH], b[DASH_SIMILAR_WIDTH], likeness = 0;
    json_t *row = json_loads(r1_rows_text(rows, i, 0), 0, NULL),
           *other = json_loads(r1_rows_text(rows, i, 1), 0, NULL);
    if (row && other) {
        vector_of(features, a);
        vector_of(other, b);
        for (size_t k = 0; k < DASH_SIMILAR_WIDTH; k++) likeness += a[k] * b[k];
        json_object_set_new(row, "likeness", json_real((double)likeness));
        json_object_set_new(row, "alike", alike(features, other));
    }
    json_decref(other);
    return row;
}

static r1_status similar_text(dash_similar *s, r1_store *store, json_t *features, const char *id,
                              char **text, r1_err *err)
{
    char ids[HITS * 24 + 4];
    r1_rows *rows = NULL;
    R1_TRY(similar_search(s, features, id, ids, sizeof ids, err));
    R1_TRY(similar_rows(store, ids, &rows, err));
    json_t *list = json_array();
    for (size_t i = 0; i < r1_rows_count(rows); i++)
        json_array_append_new(list, similar_case(rows, i, features));
    r1_rows_free(rows);
    json_t *all = json_pack("{s:I, s:o}", "held", (json_int_t)atomic_load(&s->held), "cases", list);
    *text = all ? json_dumps(all, 0) : NULL;
    json_decref(all);
    if (!*text) R1_FAIL(err, R1_E_NOMEM, "no memory for past cases");
    return R1_OK;
}

r1_status dash_similar_find(dash_similar *s, r1_store *store, const char *id, char **text,
                            r1_err *err)
{
    r1_rows *rows = NULL;
    const char *param[] = {id};
    *text = NULL;
    R1_TRY(r1_store_query(store, "SELECT r1.case_features($1::bigint)", 1, param, &rows, err));
    const char *said = r1_rows_text(rows, 0, 0);
    json_t *features = said ? json_loads(said, 0, NULL) : NULL;
    r1_rows_free(rows);
    if (!features) return R1_OK;
    r1_status st = similar_text(s, store, features, id, text, err);
    json_decref(features);
    return st;
}
