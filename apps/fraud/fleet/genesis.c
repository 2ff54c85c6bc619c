/* SPDX-License-Identifier: GPL-3.0-or-later */
/* genesis.c - the payload of the event that opens a log to several processes. */
#include "fleet/event.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { GENESIS_BYTES_MAX = 1 << 18 };

char *fraud_genesis_write(const fraud_genesis *g)
{
    json_t *next = json_array();
    for (int t = 0; t < FRAUD_EVENT_TOPICS; t++) {
        json_t *of = json_array();
        for (int32_t p = 0; p < g->n_partition[t]; p++)
            json_array_append_new(of, json_integer(g->next[t][p]));
        json_array_append_new(next, of);
    }
    json_t *o =
        json_pack("{s:I, s:s, s:s, s:s, s:s, s:b, s:i, s:I, s:o}", "last_seq",
                  (json_int_t)g->last_seq, "made", g->made, "cluster", g->cluster, "payments",
                  g->payments, "labels", g->labels, "live", (int)g->live, "n_leap", (int)g->n_leap,
                  "leap_ms", (json_int_t)g->leap_ms, "next", next);
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    return text;
}

static bool genesis_text(const json_t *o, const char *name, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(o, name));
    if (!text || strlen(text) >= size) return false;
    memcpy(out, text, strlen(text) + 1);
    return true;
}

static bool genesis_whole(const json_t *o, const char *name, int64_t min, int64_t max, int64_t *out)
{
    const json_t *x = json_object_get(o, name);
    *out = json_integer_value(x);
    return json_is_integer(x) && *out >= min && *out <= max;
}

static bool genesis_offsets(const json_t *all, fraud_genesis *g)
{
    if (json_array_size(all) != FRAUD_EVENT_TOPICS) return false;
    for (size_t t = 0; t < FRAUD_EVENT_TOPICS; t++) {
        const json_t *of = json_array_get(all, t);
        size_t n = json_array_size(of);
        if (!json_is_array(of) || n > FRAUD_EVENT_PARTITIONS) return false;
        g->n_partition[t] = (int32_t)n;
        for (size_t p = 0; p < n; p++) {
            const json_t *x = json_array_get(of, p);
            g->next[t][p] = json_integer_value(x);
            if (!json_is_integer(x) || g->next[t][p] < 0) return false;
        }
    }
    return true;
}

r1_status fraud_genesis_read(fraud_genesis *g, const char *text, size_t len, r1_err *err)
{
    int64_t n_leap = 0;
    memset(g, 0, sizeof *g);
    json_t *o = text && len && len <= GENESIS_BYTES_MAX
                    ? json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL)
                    : NULL;
    const json_t *live = json_object_get(o, "live");
    bool good = json_is_object(o) && json_is_boolean(live) &&
                genesis_whole(o, "last_seq", 0, INT64_MAX - 1, &g->last_seq) &&
                genesis_text(o, "made", g->made, sizeof g->made) &&
                genesis_text(o, "cluster", g->cluster, sizeof g->cluster) &&
                genesis_text(o, "payments", g->payments, sizeof g->payments) &&
                genesis_text(o, "labels", g->labels, sizeof g->labels) &&
                genesis_whole(o, "n_leap", 0, INT32_MAX, &n_leap) &&
                genesis_whole(o, "leap_ms", INT64_MIN, INT64_MAX, &g->leap_ms) &&
                genesis_offsets(json_object_get(o, "next"), g);
    g->live = json_is_true(live);
    g->n_leap = (uint32_t)n_leap;
    json_decref(o);
    if (good) return R1_OK;
    R1_FAIL(
        err, R1_E_FORMAT,
        "genesis: expected an object with last_seq, made, cluster, payments, labels, live, n_leap, "
        "leap_ms and next, found %zu bytes of another form",
        len);
}
