/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A record of each kind becomes its rows in a real PostgreSQL (CTest starts it) and is read back;
 * reasons are printed to the same bytes as by the longer way that came before: as text, parsed
 * again, printed again. */
#include "store/store.h"
#include "support/r1_test.h"
#include "write/letter.h"
#include "write/message.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static r1_store *rows_open(void)
{
    r1_err err = {0};
    r1_store *s = NULL;
    size_t applied;
    const char *conninfo = getenv("R1_TEST_PG");
    if (!conninfo) fprintf(stderr, "R1_TEST_PG must name a database; ctest sets it\n");
    CU_ASSERT_PTR_NOT_NULL_FATAL(conninfo);
    R1_ASSERT_OK(r1_store_open(&s, conninfo, "test_rows", &err), &err);
    R1_ASSERT_OK(r1_store_script(s, "DROP SCHEMA IF EXISTS r1 CASCADE", &err), &err);
    R1_ASSERT_OK(r1_store_migrate(s, r1_test_source("schemas/sql"), &applied, &err), &err);
    return s;
}

/* One row of text columns, joined by "|"; NULL is "-". */
static void rows_expect(r1_store *s, const char *sql, const char *expected)
{
    r1_err err = {0};
    r1_rows *r;
    char text[1024] = "";
    size_t n = 0;
    R1_ASSERT_OK(r1_store_query(s, sql, 0, NULL, &r, &err), &err);
    for (size_t i = 0; i < r1_rows_count(r); i++)
        for (size_t c = 0; c < r1_rows_cols(r); c++) {
            const char *value = r1_rows_text(r, i, c);
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n ? "|" : "",
                                  value ? value : "-");
        }
    r1_rows_free(r);
    if (strcmp(text, expected) != 0) {
        fprintf(stderr, "%s:\n  expected %s\n  found    %s\n", sql, expected, text);
        CU_FAIL("rows");
    }
}

static const char rows_written[] = "2026-01-02T03:04:05.000006Z";

static fraud_record rows_payment(void)
{
    fraud_record r = {.kind = FRAUD_RECORD_PAYMENT,
                      .apply_seq = 7,
                      .decided_us = 2500,
                      .probability = 0.25f,
                      .logit = -1.5f,
                      .degraded = true,
                      .applied = true,
                      .trace = {-4.1, 0.2},
                      .n_trace = 2,
                      .decision = {FRAUD_REVIEW, "big"},
                      .message = {.partition = 3, .offset = 41, .sent_us = 500}};
    r.message.payload = "{\"a\": 1}";
    r.message.payload_len = 8;
    r.payment = (fraud_payment){.tx_id = "t\"1", .ts = 1767225600123, .amount_minor = 1250};
    snprintf(r.payment.currency, sizeof r.payment.currency, "EUR");
    snprintf(r.payment.from, sizeof r.payment.from, "A");
    snprintf(r.payment.to, sizeof r.payment.to, "B");
    return r;
}

static fraud_alert *rows_alert(void)
{
    static fraud_result result;
    result = (fraud_result){.n_reason = 1, .n_finding = 2};
    result.reason[0] =
        (fraud_reason){.code = "fan", .text = "two \"words\"", .item = "graph", .contribution = .5};
    result.finding[0].typology = FRAUD_TYPOLOGY_CYCLE;
    result.finding[0].n_account = 2;
    snprintf(result.finding[0].account[0], FRAUD_ACCOUNT_BYTES, "A");
    snprintf(result.finding[0].account[1], FRAUD_ACCOUNT_BYTES, "{,\"\\}");
    result.finding[0].n_edge = 1;
    snprintf(result.finding[0].edge[0].tx_id, FRAUD_TX_ID_BYTES, "t1");
    result.finding[1].typology = FRAUD_TYPOLOGY_STACK;
    return fraud_alert_of(&result);
}

static void test_each_kind(void)
{
    r1_err err = {0};
    r1_store *s = rows_open();
    fraud_ledger ledger = {.topic = {"payments", "labels"}};
    const fraud_names names = {
        .ledger = &ledger, .model = "m", .config = "c", .written_at = rows_written};
    fraud_rows *rows;
    R1_ASSERT_OK(fraud_rows_new(&rows, &names, &err), &err);
    R1_ASSERT_OK(fraud_rows_prepare(rows, s, &err), &err);
    char bytes[256];
    for (int i = 0; i < 256; i++) bytes[i] = (char)i;
    fraud_record payment = rows_payment(), plain = rows_payment(), duplicate = rows_payment();
    fraud_record dead = rows_payment(), empty = rows_payment(), label = rows_payment();
    payment.alert = rows_alert();
    plain.apply_seq = 8;
    plain.message.offset = 42;
    plain.message.sent_us = 0;
    plain.decision = (fraud_decision){.action = FRAUD_ALLOW};
    snprintf(plain.payment.tx_id, sizeof plain.payment.tx_id, "t2");
    duplicate.kind = FRAUD_RECORD_DUPLICATE;
    dead.kind = empty.kind = FRAUD_RECORD_DEAD;
    dead.topic = FRAUD_TOPIC_LABELS;
    dead.stage = FRAUD_STAGE_DECODE;
    empty.stage = FRAUD_STAGE_WRITE;
    dead.message.payload = bytes;
    dead.message.payload_len = sizeof bytes;
    empty.message.payload_len = 0;
    snprintf(dead.reason, sizeof dead.reason, "because");
    label.kind = FRAUD_RECORD_LABEL;
    label.topic = FRAUD_TOPIC_LABELS;
    label.apply_seq = 9;
    label.label = (fraud_label){.tx_id = "t1", .ts = 1767225600999, .is_fraud = true};
    fraud_record *all[] = {&payment, &duplicate, &dead, &plain, &empty, &label};
    dead.message.key = "k\0";
    dead.message.key_len = 2;
    empty.message.payload = NULL; /* a tombstone */
    R1_ASSERT_OK(r1_store_batch_begin(s, &err), &err);
    R1_ASSERT_OK(fraud_rows_warm(rows, s, &err), &err);
    R1_ASSERT_OK(r1_store_batch_commit(s, &err), &err);
    rows_expect(s, "SELECT count(*) FROM r1.payment", "0");
    R1_ASSERT_OK(r1_store_batch_begin(s, &err), &err);
    R1_ASSERT_OK(fraud_rows_add(rows, s, all, R1_COUNT(all), &err), &err);
    R1_ASSERT_OK(r1_store_batch_commit(s, &err), &err);
    rows_expect(s,
                "SELECT apply_seq, tx_id, ts, kind, from_id, to_id, amount_minor, currency, topic, "
                "partition, kafka_offset, payload FROM r1.payment WHERE apply_seq = 7",
                "7|t\"1|2026-01-01 00:00:00.123+00|transfer|A|B|1250|EUR|payments|3|41|{\"a\": 1}");
    rows_expect(s,
                "SELECT apply_seq, decision, score, logit, degraded, trace, reasons, rule, model, "
                "config, latency_us FROM r1.decision ORDER BY 1",
                "7|review|0.25|-1.5|t|{-4.1,0.2}|[{\"code\": \"rule\", \"text\": \"rule big\"}, "
                "{\"code\": \"fan\", \"item\": \"graph\", "
                "\"text\": \"two \\\"words\\\"\", \"contribution\": 0.5}]|big|m|c|2000|"
                "8|allow|0.25|-1.5|t|{-4.1,0.2}|-|-|m|c|-");
    rows_expect(s,
                "SELECT apply_seq, ordinal, pattern, accounts, payments FROM r1.finding ORDER BY "
                "ordinal",
                "7|1|cycle|{A,\"{,\\\"\\\\}\"}|{t1}|7|2|stack|{}|{}");
    rows_expect(s, "SELECT tx_id, topic, partition, kafka_offset, payload FROM r1.duplicate",
                "t\"1|payments|3|41|{\"a\": 1}");
    rows_expect(s,
                "SELECT app, topic, partition, kafka_offset, stage, reason, length(payload), "
                "md5(payload), key, headers FROM r1.dead_letter ORDER BY id",
                "fraud|labels|3|41|decode|because|256|e2c865db4162bed963bfaa9ef6ac18f0|\\x6b00|-|"
                "fraud|payments|3|41|write||-|-|-|-");
    rows_expect(s,
                "SELECT DISTINCT p.written_at, d.written_at, f.written_at, l.written_at FROM "
                "r1.payment p, r1.decision d, r1.finding f, r1.label l",
                "2026-01-02 03:04:05.000006+00|2026-01-02 03:04:05.000006+00|"
                "2026-01-02 03:04:05.000006+00|2026-01-02 03:04:05.000006+00");
    rows_expect(s,
                "SELECT apply_seq, tx_id, is_fraud, known_at, source, topic, partition, "
                "kafka_offset, payload FROM r1.label",
                "9|t1|t|2026-01-01 00:00:00.999+00|topic|labels|3|41|{\"a\": 1}");
    free(payment.alert);
    r1_store_close(s);
    fraud_rows_free(rows);
}

/* A payment whose row PostgreSQL refuses: what a rebuild needs stands there, and no more. */
static void test_bare(void)
{
    r1_err err = {0};
    r1_store *s = rows_open();
    fraud_ledger ledger = {.topic = {"payments", "labels"}};
    const fraud_names names = {
        .ledger = &ledger, .model = "m", .config = "c", .written_at = rows_written};
    fraud_rows *rows;
    R1_ASSERT_OK(fraud_rows_new(&rows, &names, &err), &err);
    R1_ASSERT_OK(fraud_rows_prepare(rows, s, &err), &err);
    fraud_record r = rows_payment(), *all[] = {&r};
    r.alert = rows_alert();
    r.bare = true;
    R1_ASSERT_OK(r1_store_batch_begin(s, &err), &err);
    R1_ASSERT_OK(fraud_rows_add(rows, s, all, 1, &err), &err);
    R1_ASSERT_OK(r1_store_batch_commit(s, &err), &err);
    rows_expect(s,
                "SELECT apply_seq, tx_id, ts, kind, from_id, to_id, amount_minor, currency, topic, "
                "partition, kafka_offset, payload FROM r1.payment",
                "7|t\"1|-|-|-|-|-|-|payments|3|41|{\"a\": 1}");
    rows_expect(s, "SELECT decision, score, trace, reasons, rule FROM r1.decision",
                "review|0.25|{}|-|-");
    rows_expect(s, "SELECT count(*) FROM r1.finding", "0");
    free(r.alert);
    r1_store_close(s);
    fraud_rows_free(rows);
}

/* A payment that was decided without a score: it is NULL, and so is what could not be read. */
static void test_apart(void)
{
    r1_err err = {0};
    r1_store *s = rows_open();
    fraud_ledger ledger = {.topic = {"payments", "labels"}};
    const fraud_names names = {
        .ledger = &ledger, .model = "m", .config = "c", .written_at = rows_written};
    fraud_rows *rows;
    R1_ASSERT_OK(fraud_rows_new(&rows, &names, &err), &err);
    R1_ASSERT_OK(fraud_rows_prepare(rows, s, &err), &err);
    fraud_record r = rows_payment();
    r.payment = (fraud_payment){.tx_id = "t1", .kind = FRAUD_N_KIND};
    r.applied = false;
    r.content_hash = UINT64_MAX;
    r.message.broker_ms = 1767225600000;
    snprintf(r.notes, sizeof r.notes, "[\"country: left out\"]");
    fraud_record_set_apart(&r, "unscorable", "unscorable: \"why\"", FRAUD_BLOCK);
    r.decided_us = 2500;
    fraud_record *all[] = {&r};
    R1_ASSERT_OK(r1_store_batch_begin(s, &err), &err);
    R1_ASSERT_OK(fraud_rows_add(rows, s, all, 1, &err), &err);
    R1_ASSERT_OK(r1_store_batch_commit(s, &err), &err);
    rows_expect(s,
                "SELECT tx_id, ts, kind, from_id, to_id, amount_minor, currency, applied, "
                "content_hash, broker_at, notes FROM r1.payment",
                "t1|-|-|-|-|-|-|f|-1|2026-01-01 00:00:00+00|[\"country: left out\"]");
    rows_expect(s, "SELECT decision, score, logit, degraded, trace, reasons, rule FROM r1.decision",
                "block|-|-|f|{}|[{\"code\": \"unscorable\", \"text\": \"unscorable: "
                "\\\"why\\\"\"}]|unscorable");
    r1_store_close(s);
    fraud_rows_free(rows);
}

static bool rows_has_type(const json_t *v, const char *type)
{
    if (!strcmp(type, "null")) return json_is_null(v);
    return !strcmp(type, "string")    ? json_is_string(v)
           : !strcmp(type, "integer") ? json_is_integer(v)
           : !strcmp(type, "number")  ? json_is_number(v)
           : !strcmp(type, "boolean") ? json_is_boolean(v)
                                      : !strcmp(type, "array") && json_is_array(v);
}

/* Every key is described with its type, and every required one is there. */
static void rows_check(const json_t *schema, const json_t *message)
{
    const char *key;
    json_t *v;
    size_t i;
    json_array_foreach(json_object_get(schema, "required"), i, v)
        CU_ASSERT_PTR_NOT_NULL(json_object_get(message, json_string_value(v)));
    json_object_foreach((json_t *)(uintptr_t)message, key, v)
    {
        const json_t *row = json_object_get(json_object_get(schema, "properties"), key);
        CU_ASSERT_PTR_NOT_NULL_FATAL(row);
        const json_t *type =
            json_object_get(row, "type"); /* a word, or several of which one fits */
        bool fits = json_is_string(type) && rows_has_type(v, json_string_value(type));
        for (size_t k = 0; k < json_array_size(type); k++)
            fits = fits || rows_has_type(v, json_string_value(json_array_get(type, k)));
        CU_ASSERT_TRUE(fits);
    }
}

static void test_message(void)
{
    static const fraud_ledger ledger = {.cluster = "here"};
    const fraud_names names = {.ledger = &ledger, .model = "m", .config = "c"};
    json_t *schema =
        json_load_file(r1_test_source("schemas/messages/decision.schema.json"), 0, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(schema);
    const json_t *reason =
        json_object_get(json_object_get(json_object_get(schema, "properties"), "reasons"), "items");
    fraud_record r = rows_payment();
    for (int alert = 0; alert < 2; alert++) {
        if (alert) r.alert = rows_alert();
        char *text = fraud_decision_message(&r, &names);
        json_t *message = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        rows_check(schema, message);
        CU_ASSERT_EQUAL(json_array_size(json_object_get(message, "reasons")), (size_t)alert + 1);
        for (size_t k = 0; k <= (size_t)alert; k++)
            rows_check(reason, json_array_get(json_object_get(message, "reasons"), k));
        json_decref(message);
        free(text);
    }
    free(r.alert);
    r.alert = NULL;
    fraud_record_set_apart(&r, "id_reused", "words", FRAUD_REVIEW);
    char *text = fraud_decision_message(&r, &names);
    json_t *message = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    rows_check(schema, message);
    CU_ASSERT_TRUE(json_is_null(json_object_get(message, "score")));
    rows_check(reason, json_array_get(json_object_get(message, "reasons"), 0));
    json_decref(message);
    free(text);
    json_decref(schema);
}

/* Twin: the message that is made of a record for whoever asks at once, and the one that the outbox
 * makes of its rows. */
static void test_message_twin(void)
{
    r1_err err = {0};
    r1_store *s = rows_open();
    fraud_ledger ledger = {.topic = {"payments", "labels"}, .cluster = "here"};
    const fraud_names names = {
        .ledger = &ledger, .model = "m", .config = "c", .written_at = rows_written};
    fraud_rows *rows;
    R1_ASSERT_OK(fraud_rows_new(&rows, &names, &err), &err);
    R1_ASSERT_OK(fraud_rows_prepare(rows, s, &err), &err);
    fraud_record alert = rows_payment(), plain = rows_payment(), apart = rows_payment(),
                 passed = rows_payment(); /* a rule allows: its name is the only reason */
    fraud_record *all[] = {&alert, &plain, &apart, &passed};
    passed.apply_seq = 11;
    passed.decision.action = FRAUD_ALLOW;
    apart.apply_seq = 10;
    snprintf(apart.notes, sizeof apart.notes, "[\"country: left out\"]");
    fraud_record_set_apart(&apart, "unscorable", "unscorable: \"why\"", FRAUD_BLOCK);
    alert.alert = rows_alert();
    plain.apply_seq = 9;
    plain.decision = (fraud_decision){.action = FRAUD_ALLOW};
    R1_ASSERT_OK(r1_store_batch_begin(s, &err), &err);
    R1_ASSERT_OK(fraud_rows_add(rows, s, all, R1_COUNT(all), &err), &err);
    R1_ASSERT_OK(r1_store_batch_commit(s, &err), &err);
    const char *param[] = {"here", "1", "100", "-infinity", "infinity", "10"};
    r1_rows *found;
    R1_ASSERT_OK(r1_store_query(s, fraud_message_sql, R1_COUNT(param), param, &found, &err), &err);
    CU_ASSERT_EQUAL_FATAL(r1_rows_count(found), R1_COUNT(all));
    for (size_t i = 0; i < R1_COUNT(all); i++) {
        char *text = fraud_decision_message(all[i], &names);
        json_t *of_record = json_loads(text, 0, NULL),
               *of_rows = json_loads(r1_rows_text(found, i, 3), 0, NULL);
        CU_ASSERT_STRING_EQUAL(r1_rows_text(found, i, 2), "A");
        CU_ASSERT_TRUE(json_equal(of_record, of_rows));
        if (!json_equal(of_record, of_rows))
            fprintf(stderr, "record %s\nrows   %s\n", text, r1_rows_text(found, i, 3));
        json_decref(of_record);
        json_decref(of_rows);
        free(text);
    }
    r1_rows_free(found);
    free(alert.alert);
    r1_store_close(s);
    fraud_rows_free(rows);
}

/* What stands in the column comes back to the same headers; other texts are refused. */
static void test_headers(void)
{
    static const char text[] =
        "[[\"a\", \"x\"], [\"a\", null], [\"b\", \"\"], [{\"hex\": \"ff\"}, {\"hex\": \"00fe\"}]]";
    static const char *const bad[] = {"{}",
                                      "[1]",
                                      "[[\"a\"]]",
                                      "[[null, \"x\"]]",
                                      "[[\"a\", 1]]",
                                      "[[\"a\", {\"hex\": \"0\"}]]",
                                      "[[\"a\", {\"hex\": \"0G\"}]]",
                                      "["};
    r1_err err = {0};
    fraud_headers h;
    R1_ASSERT_OK(fraud_headers_parse(text, &h, &err), &err);
    CU_ASSERT_EQUAL_FATAL(h.n, 4);
    CU_ASSERT_TRUE(!strcmp(h.header[0].name, "a") && h.header[0].len == 1 &&
                   *h.header[0].value == 'x');
    CU_ASSERT_TRUE(!strcmp(h.header[1].name, "a") && !h.header[1].value);
    CU_ASSERT_TRUE(h.header[2].value && h.header[2].len == 0);
    CU_ASSERT_TRUE(!strcmp(h.header[3].name, "\xff") && h.header[3].len == 2 &&
                   !memcmp(h.header[3].value, "\0\xfe", 2));
    fraud_headers_free(&h);
    R1_ASSERT_OK(fraud_headers_parse(NULL, &h, &err), &err);
    CU_ASSERT_EQUAL(h.n, 0);
    for (size_t i = 0; i < R1_COUNT(bad); i++)
        CU_ASSERT_EQUAL(fraud_headers_parse(bad[i], &h, &err), R1_E_FORMAT);
}

/* Twin: nine digits, parsed, printed with all digits. */
static void test_alert_bytes(void)
{
    static fraud_result result;
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    for (int i = 0; i < 5000; i++) {
        double x = (r1_rng_unit(&rng) - .5) * exp2((double)r1_rng_below(&rng, 80) - 40);
        if (i % 50 == 0) x = 0;
        if (i % 50 == 1) x = (double)r1_rng_below(&rng, 1000);
        result = (fraud_result){.n_reason = 1};
        result.reason[0] = (fraud_reason){.code = "c", .item = "i", .text = "t", .contribution = x};
        fraud_alert *e = fraud_alert_of(&result);
        const fraud_decision by_score = {.action = FRAUD_REVIEW};
        json_t *plain = json_pack("[{s:s, s:s, s:f, s:s}]", "code", "c", "item", "i",
                                  "contribution", x, "text", "t");
        char *first = json_dumps(plain, JSON_COMPACT | JSON_REAL_PRECISION(9));
        json_t *again = json_loads(first, 0, NULL), *reasons = fraud_alert_reasons(e, &by_score);
        char *second = json_dumps(again, JSON_COMPACT),
             *own_first = fraud_alert_reasons_text(e, &by_score),
             *own_second = json_dumps(reasons, JSON_COMPACT);
        CU_ASSERT_STRING_EQUAL(first, own_first);
        CU_ASSERT_STRING_EQUAL(second, own_second);
        json_decref(plain);
        json_decref(again);
        json_decref(reasons);
        free(first);
        free(second);
        free(own_first);
        free(own_second);
        free(e);
    }
}

static void break_alert(void *ctx) { free(fraud_alert_of(ctx)); }

static void test_broken(void)
{
    static fraud_result result = {.n_reason = FRAUD_REASONS_MAX + 1};
    CU_ASSERT_TRUE(r1_test_breaks(break_alert, &result, "17 reasons, 0 findings"));
}

/* PostgreSQL takes UTF-8 alone: a reason is cut between two characters. */
static void test_reason(void)
{
    static const struct {
        size_t plain; /* bytes before the characters of 3 bytes */
        size_t len;   /* of the reason */
    } cases[] = {{0, 249}, {1, 250}, {2, 248}, {246, 249}, {247, 250}, {248, 248}};
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_err err = {0};
        fraud_record r = {.kind = FRAUD_RECORD_PAYMENT};
        memset(err.msg, 'a', cases[i].plain);
        for (size_t n = cases[i].plain; n + 3 < sizeof err.msg; n += 3)
            memcpy(err.msg + n, "\xe2\x82\xac", 3);
        fraud_record_refuse(&r, FRAUD_STAGE_VALIDATE, &err);
        CU_ASSERT_EQUAL(r.kind, FRAUD_RECORD_DEAD);
        CU_ASSERT_EQUAL(r.stage, FRAUD_STAGE_VALIDATE);
        CU_ASSERT_EQUAL(strlen(r.reason), cases[i].len);
        CU_ASSERT_EQUAL(memcmp(r.reason, err.msg, cases[i].len), 0);
    }
}

R1_TEST_MAIN("rows", {"a dead letter's reason", test_reason},
             {"a record of each kind", test_each_kind}, {"a row that was refused", test_bare},
             {"a decision without a score", test_apart},
             {"a message from a record and from rows", test_message_twin},
             {"headers of a dead letter", test_headers},
             {"a decision's message and its schema", test_message},
             {"the bytes of reasons", test_alert_bytes}, {"broken invariant", test_broken})
