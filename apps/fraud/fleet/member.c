/* SPDX-License-Identifier: GPL-3.0-or-later */
/* member.c - see member.h; the rules are functions of schemas/sql/0012_fraud_members.sql. */
#include "fleet/member.h"

#include "cli/r1_cli.h"
#include "fleet/lease.h"
#include "r1_assert.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- settings ---- */

void fraud_shared_add(fraud_shared_settings *s, const char *name, const char *format, ...)
{
    char whole[1024];
    va_list ap;
    R1_ASSERT(s->n < FRAUD_SHARED_SETTINGS_MAX && strlen(name) < FRAUD_SHARED_NAME_BYTES,
              "%zu settings, %s", s->n, name);
    va_start(ap, format);
    int len = vsnprintf(whole, sizeof whole, format, ap);
    va_end(ap);
    char *value = s->row[s->n].value;
    snprintf(s->row[s->n].name, sizeof s->row[s->n].name, "%s", name);
    if (len < FRAUD_SHARED_VALUE_BYTES)
        memcpy(value, whole, (size_t)len + 1);
    else
        snprintf(value, FRAUD_SHARED_VALUE_BYTES, "%.80s..%016llx", whole,
                 (unsigned long long)r1_hash64(whole, strlen(whole), 0));
    s->n++;
}

static char *shared_json(const fraud_shared_settings *s)
{
    json_t *o = json_object();
    for (size_t i = 0; o && i < s->n; i++)
        json_object_set_new(o, s->row[i].name, json_string(s->row[i].value));
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    return text;
}

static void shared_note(char *text, size_t *at, const char *name, const char *mine,
                        const char *theirs)
{
    if (*at + 1 >= FRAUD_MEMBER_TEXT_BYTES) return;
    int len = snprintf(text + *at, FRAUD_MEMBER_TEXT_BYTES - *at, "%s%s: %s here, %s there",
                       *at ? "; " : "", name, mine, theirs);
    *at += len > 0 ? (size_t)len : 0;
}

size_t fraud_shared_differ(const fraud_shared_settings *mine, const char *theirs,
                           char text[FRAUD_MEMBER_TEXT_BYTES])
{
    json_t *o = json_loads(theirs, 0, NULL), *x;
    const char *name;
    size_t n = 0, at = 0;
    *text = 0;
    for (size_t i = 0; i < mine->n; i++) {
        const char *value = json_string_value(json_object_get(o, mine->row[i].name));
        if (value && !strcmp(value, mine->row[i].value)) continue;
        shared_note(text, &at, mine->row[i].name, mine->row[i].value, value ? value : "not known");
        n++;
    }
    json_object_foreach(o, name, x)
    {
        size_t i = 0;
        while (i < mine->n && strcmp(mine->row[i].name, name) != 0) i++;
        if (i < mine->n) continue;
        const char *value = json_string_value(x);
        shared_note(text, &at, name, "not known", value ? value : "?");
        n++;
    }
    json_decref(o);
    return n;
}

/* ---- among the others ---- */

static r1_status member_alike(const fraud_member *m, const r1_rows *rows, size_t i, r1_err *err)
{
    char text[FRAUD_MEMBER_TEXT_BYTES];
    size_t n = fraud_shared_differ(&m->state, r1_rows_text(rows, i, 1), text);
    if (!n) return R1_OK;
    R1_FAIL(err, R1_E_INVAL,
            "events-topic: expected the settings of %.60s, which shares this stream, found %zu "
            "that shape the state and differ: %.250s. Stop every process, then start each with the "
            "same (one that was killed counts for %d s)",
            r1_rows_text(rows, i, 0), n, text, FRAUD_MEMBER_LIVE_MS / 1000);
}

static void member_note(const fraud_member *m, const r1_rows *rows, size_t i, fraud_members *out)
{
    char text[FRAUD_MEMBER_TEXT_BYTES];
    size_t n = fraud_shared_differ(&m->decides, r1_rows_text(rows, i, 2), text),
           at = strlen(out->text);
    if (n)
        snprintf(out->text + at, sizeof out->text - at, "%s%.90s: %s", at ? " | " : "",
                 r1_rows_text(rows, i, 0), text);
    out->differ += n;
}

static r1_status member_ask(const fraud_member *m, r1_store *s, const char *state,
                            const char *decides, r1_rows **rows, r1_err *err)
{
    char live[16], owned[16];
    snprintf(owned, sizeof owned, "%d", m->owned);
    snprintf(live, sizeof live, "%d", FRAUD_MEMBER_LIVE_MS);
    const char *param[] = {m->owner, r1_cli_version(), state, decides, m->waits, owned, live};
    if (!state || !decides) R1_FAIL(err, R1_E_NOMEM, "no memory for settings");
    return r1_store_query(s,
                          "SELECT owner, state, decides, owned FROM r1.beat_member('fraud', $1, "
                          "$2, $3::jsonb, $4::jsonb, $5, $6::integer, $7::integer)",
                          R1_COUNT(param), param, rows, err);
}

r1_status fraud_member_beat(const fraud_member *m, r1_store *s, fraud_members *out, r1_err *err)
{
    char *state = shared_json(&m->state), *decides = shared_json(&m->decides);
    r1_rows *rows = NULL;
    r1_status st = member_ask(m, s, state, decides, &rows, err);
    *out = (fraud_members){0};
    for (size_t i = 0; st == R1_OK && i < r1_rows_count(rows); i++) {
        st = member_alike(m, rows, i, err);
        if (st == R1_OK) member_note(m, rows, i, out);
        out->n++;
        out->owned += (int)r1_rows_int(rows, i, 3);
    }
    if (rows) r1_rows_free(rows);
    free(state);
    free(decides);
    return st;
}

r1_status fraud_member_leave(const fraud_member *m, r1_store *s, r1_err *err)
{
    const char *param[] = {m->owner};
    return r1_store_query(s, "SELECT r1.leave_member('fraud', $1)", 1, param, NULL, err);
}
