/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Settings of processes that share a stream: what differs is named with both values, whichever side
 * lacks it; a file stands by its content; each setting of the table reaches one of the lists. */
#include "fleet/member.h"
#include "serve/settings.h"
#include "serve/share_settings.h"
#include "support/r1_test.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void test_differ(void)
{
    fraud_shared_settings s = {0};
    char text[FRAUD_MEMBER_TEXT_BYTES];
    fraud_shared_add(&s, "currency", "%s", "EUR");
    fraud_shared_add(&s, "edges", "%d", 7);
    CU_ASSERT_EQUAL(fraud_shared_differ(&s, "{\"edges\":\"7\",\"currency\":\"EUR\"}", text), 0);
    CU_ASSERT_STRING_EQUAL(text, "");
    CU_ASSERT_EQUAL(fraud_shared_differ(&s, "{\"edges\":\"8\",\"currency\":\"EUR\"}", text), 1);
    CU_ASSERT_STRING_EQUAL(text, "edges: 7 here, 8 there");
    CU_ASSERT_EQUAL(fraud_shared_differ(&s, "{\"edges\":\"7\",\"pairs\":\"1\"}", text), 2);
    CU_ASSERT_STRING_EQUAL(text,
                           "currency: EUR here, not known there; pairs: not known here, 1 there");
    CU_ASSERT_EQUAL(fraud_shared_differ(&s, "no json", text), 2);
    fraud_shared_settings none = {0};
    CU_ASSERT_EQUAL(fraud_shared_differ(&none, "{}", text), 0);
}

/* Two long values that differ at their ends are two values. */
static void test_long_values(void)
{
    char a[600], b[600], text[FRAUD_MEMBER_TEXT_BYTES], json[800];
    fraud_shared_settings s = {0}, t = {0};
    memset(a, 'x', sizeof a);
    a[sizeof a - 1] = 0;
    memcpy(b, a, sizeof a);
    b[sizeof b - 2] = 'y';
    fraud_shared_add(&s, "policy", "%s", a);
    fraud_shared_add(&t, "policy", "%s", b);
    CU_ASSERT(strlen(s.row[0].value) < FRAUD_SHARED_VALUE_BYTES);
    CU_ASSERT(strcmp(s.row[0].value, t.row[0].value) != 0);
    snprintf(json, sizeof json, "{\"policy\":\"%s\"}", t.row[0].value);
    CU_ASSERT_EQUAL(fraud_shared_differ(&s, json, text), 1);
    CU_ASSERT(strlen(text) < sizeof text);
}

/* What fills the text leaves the count whole. */
static void test_many(void)
{
    fraud_shared_settings s = {0};
    char text[FRAUD_MEMBER_TEXT_BYTES], name[16];
    for (int i = 0; i < FRAUD_SHARED_SETTINGS_MAX; i++) {
        snprintf(name, sizeof name, "setting-%d", i);
        fraud_shared_add(&s, name, "%080d", i);
    }
    CU_ASSERT_EQUAL(fraud_shared_differ(&s, "{}", text), FRAUD_SHARED_SETTINGS_MAX);
    CU_ASSERT(strlen(text) < sizeof text);
}

/* ---- of a service ---- */

typedef struct {
    r1_options *o;
    fraud_parts parts;
    fraud_member member;
} some_service;

static void some_begin(some_service *s, const char *const *set, size_t n)
{
    r1_err err = {0};
    memset(s, 0, sizeof *s);
    R1_ASSERT_OK(r1_options_new(&s->o, fraud_serve_rows, fraud_serve_n_row, &err), &err);
    R1_ASSERT_OK(r1_options_set(s->o, "model", "none", "test", &err), &err);
    R1_ASSERT_OK(r1_options_set(s->o, "accounts", "1000", "test", &err), &err);
    R1_ASSERT_OK(r1_options_set(s->o, "memory-accounts", "100", "test", &err), &err);
    for (size_t i = 0; i + 1 < n; i += 2)
        R1_ASSERT_OK(r1_options_set(s->o, set[i], set[i + 1], "test", &err), &err);
    R1_ASSERT_OK(fraud_parts_engine(&s->parts, s->o, &err), &err);
    R1_ASSERT_OK(fraud_rates_load(&s->parts.rates, r1_options_str(s->o, "rates"),
                                  r1_options_str(s->o, "currency"), &err),
                 &err);
    R1_ASSERT_OK(fraud_map_load(&s->parts.map, r1_options_str(s->o, "map"), NULL, &err), &err);
    R1_ASSERT_OK(
        fraud_policy_build(&s->parts.policy, s->o, s->parts.rates, s->parts.calibrated_for, &err),
        &err);
    fraud_share_settings(&s->parts, &s->member);
}

static void some_end(some_service *s)
{
    fraud_parts_release(&s->parts);
    r1_options_free(s->o);
}

static char *some_json(const fraud_shared_settings *s)
{
    json_t *o = json_object();
    for (size_t i = 0; i < s->n; i++)
        json_object_set_new(o, s->row[i].name, json_string(s->row[i].value));
    char *text = json_dumps(o, 0);
    json_decref(o);
    return text;
}

static void some_file(char path[64], const char *name, const char *text)
{
    r1_err err = {0};
    snprintf(path, 64, "/tmp/r1-%s-%ld", name, (long)getpid());
    R1_ASSERT_OK(r1_file_write(path, text, strlen(text), &err), &err);
}

/* In which settings two services differ: "" where in none. */
static void some_differ(const char *const *a, size_t n_a, const char *const *b, size_t n_b,
                        char state[FRAUD_MEMBER_TEXT_BYTES], char decides[FRAUD_MEMBER_TEXT_BYTES])
{
    some_service x, y;
    some_begin(&x, a, n_a);
    some_begin(&y, b, n_b);
    char *json = some_json(&y.member.state), *other = some_json(&y.member.decides);
    fraud_shared_differ(&x.member.state, json, state);
    fraud_shared_differ(&x.member.decides, other, decides);
    free(json);
    free(other);
    some_end(&x);
    some_end(&y);
}

static void test_settings(void)
{
    static const struct {
        const char *name, *value;
        bool state;
    } rows[] = {{"currency", "EUR", true},       {"accounts", "2000", true},
                {"edges", "5000", true},         {"pairs", "5000", true},
                {"labels-waiting", "9", true},   {"seen-ids", "5000", true},
                {"time-ahead", "9", true},       {"time-behind", "9", true},
                {"unscorable", "block", false},  {"model-deadline", "70", false},
                {"merge-hold", "9", false},      {"merge-wait", "9", false},
                {"alerts-per-day", "9", false},  {"review-at", "0.7", false},
                {"decisions-topic", "d", false}, {"dead-topic", "d", false}};
    char state[FRAUD_MEMBER_TEXT_BYTES], decides[FRAUD_MEMBER_TEXT_BYTES];
    for (size_t i = 0; i < R1_COUNT(rows); i++) {
        const char *const set[] = {rows[i].name, rows[i].value};
        some_differ(NULL, 0, set, 2, state, decides);
        CU_ASSERT_EQUAL(*state != 0, rows[i].state);
        CU_ASSERT_EQUAL(*decides != 0, !rows[i].state);
        if (rows[i].state) CU_ASSERT_PTR_NOT_NULL(strstr(state, rows[i].name));
    }
    static const char *const idle[] = {"http-listen", "127.0.0.1:0", "group",
                                       "x",           "batch-rows",  "7"};
    some_differ(NULL, 0, idle, R1_COUNT(idle), state, decides);
    CU_ASSERT_STRING_EQUAL(state, "");
    CU_ASSERT_STRING_EQUAL(decides, "");
}

/* Files are compared by their content: another name with the same bytes is the same setting. */
static void test_files(void)
{
    char a[64], b[64], c[64], state[FRAUD_MEMBER_TEXT_BYTES], decides[FRAUD_MEMBER_TEXT_BYTES];
    some_file(a, "rates-a", "currency,rate,date\nUSD,0.9,2026-01-02\n");
    some_file(b, "rates-b", "currency,rate,date\nUSD,0.9,2026-01-02\n");
    some_file(c, "rates-c", "currency,rate,date\nUSD,0.8,2026-01-02\n");
    const char *const x[] = {"currency", "EUR", "rates", a},
                      *const y[] = {"currency", "EUR", "rates", b},
                      *const z[] = {"currency", "EUR", "rates", c};
    some_differ(x, 4, y, 4, state, decides);
    CU_ASSERT_STRING_EQUAL(state, "");
    CU_ASSERT_STRING_EQUAL(decides, "");
    some_differ(x, 4, z, 4, state, decides);
    CU_ASSERT_EQUAL(strncmp(state, "rates: ", 7), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(decides, "policy: ")); /* decisions name the rates */
    static const char fields[] = "[fields]\ntx_id = %s\nts = t\nfrom = f\nto = g\namount = a\n"
                                 "currency = \"EUR\"\nkind = \"transfer\"\n[time]\nformat = ms\n";
    char text[400];
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof text, fields, i < 2 ? "id" : "number");
        some_file(i == 0 ? a : i == 1 ? b : c, i == 0 ? "map-a" : i == 1 ? "map-b" : "map-c", text);
    }
    const char *const m[] = {"map", a}, *const n[] = {"map", b}, *const k[] = {"map", c};
    some_differ(m, 2, n, 2, state, decides);
    CU_ASSERT_STRING_EQUAL(state, "");
    some_differ(m, 2, k, 2, state, decides);
    CU_ASSERT_EQUAL(strncmp(state, "map: ", 5), 0);
    const char *const made[] = {"rates-a", "rates-b", "rates-c", "map-a", "map-b", "map-c"};
    for (size_t i = 0; i < R1_COUNT(made); i++) {
        snprintf(a, sizeof a, "/tmp/r1-%s-%ld", made[i], (long)getpid());
        unlink(a);
    }
}

/* A setting of serve that is new must be looked at here: it shapes the state, decisions, or is each
 * process's own. */
static void test_every_setting(void)
{
    static const struct {
        const char *name, *by; /* of one of the lists; NULL: each process's own */
    } known[] = {{"brokers", NULL},
                 {"kafka-extra", NULL},
                 {"extra", NULL},
                 {"topic", NULL},
                 {"labels-topic", NULL}, /* the genesis compares these */
                 {"decisions-topic", "decisions-topic"},
                 {"dead-topic", "dead-topic"},
                 {"group", NULL},
                 {"events-topic", NULL},
                 {"group-session", NULL},
                 {"held-memory", NULL},
                 {"fetch-wait", NULL},
                 {"fetch-min", NULL},
                 {"merge-hold", "merge-hold"},
                 {"merge-wait", "merge-wait"},
                 {"topics-refresh", NULL},
                 {"time-ahead", "time-ahead"},
                 {"time-behind", "time-behind"},
                 {"labels-waiting", "labels-waiting"},
                 {"postgres", NULL},
                 {"db", NULL},
                 {"migrations", NULL},
                 {"batch-rows", NULL},
                 {"start-timeout", NULL},
                 {"write-timeout", NULL},
                 {"admin-timeout", NULL},
                 {"snapshot-dir", NULL},
                 {"snapshot-every", NULL},
                 {"snapshot-keep", NULL},
                 {"wait", NULL},
                 {"until-idle", NULL},
                 {"stats", NULL},
                 {"stats-skip", NULL},
                 {"http-listen", NULL},
                 {"decide-wait", NULL},
                 {"map", "map"},
                 {"currency", "currency"},
                 {"zone", "zone"},
                 {"rates", "rates"},
                 {"unscorable", "unscorable"},
                 {"seen-ids", "seen-ids"},
                 {"model", "model"},
                 {"precision", "model"},
                 {"device", "model"}, /* its name stands behind the version */
                 {"r1", "model"},
                 {"graph", "model"},
                 {"memory", "model"},
                 {"signs", "model"},
                 {"memory-accounts", NULL}, /* without working memory it holds nothing */
                 {"model-deadline", "model-deadline"},
                 {"state-memory", "accounts"},
                 {"accounts", "accounts"},
                 {"edges", "edges"},
                 {"pairs", "pairs"},
                 {"review-at", "policy"},
                 {"block-at", "policy"},
                 {"rules", "policy"},
                 {"allow-list", "policy"},
                 {"block-list", "policy"},
                 {"list", "policy"},
                 {"alerts-per-day", "policy"},
                 {"calibration", "policy"},
                 {"pid-file", NULL}};
    some_service s;
    some_begin(&s, NULL, 0);
    for (size_t i = 0; i < fraud_serve_n_row; i++) {
        const char *name = fraud_serve_rows[i].name;
        size_t k = 0, n = 0;
        while (k < R1_COUNT(known) && strcmp(known[k].name, name) != 0) k++;
        if (k == R1_COUNT(known)) fprintf(stderr, "%s: in which list does it belong?\n", name);
        CU_ASSERT_FATAL(k < R1_COUNT(known));
        for (size_t j = 0; known[k].by && j < s.member.state.n; j++)
            n += !strcmp(s.member.state.row[j].name, known[k].by);
        for (size_t j = 0; known[k].by && j < s.member.decides.n; j++)
            n += !strcmp(s.member.decides.row[j].name, known[k].by);
        CU_ASSERT_EQUAL(n, known[k].by != NULL);
    }
    some_end(&s);
}

R1_TEST_MAIN("settings of processes that share", {"what differs is named", test_differ},
             {"long values", test_long_values}, {"many values", test_many},
             {"each setting stands in its list", test_settings}, {"files by content", test_files},
             {"every setting of serve is looked at", test_every_setting})
