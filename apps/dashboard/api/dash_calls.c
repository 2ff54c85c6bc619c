/* SPDX-License-Identifier: Apache-2.0 */
/* dash_calls.c - the table of what the page may ask. Lists go on behind the last row that was
 * shown (keyset paging), so their cost does not grow with the page. */
#include "api/dash_call.h"

#define FRAUD    (DASH_VIEWER | DASH_ANALYST | DASH_SUPERVISOR | DASH_AUDITOR)
#define DECIDERS (DASH_ANALYST | DASH_SUPERVISOR)
#define ALL      (FRAUD | DASH_CLINICIAN | DASH_ADMINISTRATOR)

/* What the queue shows of a case c. */
#define CASE_ROW                                                                                   \
    "json_build_object('id', c.id, 'version', c.version, 'state', c.state, 'severity', "           \
    "c.severity, 'priority', c.priority, 'score', c.score_max, 'headline', c.headline, "           \
    "'reasons', (SELECT json_agg(x -> 'text') FROM (SELECT x FROM r1.decision d, "                 \
    "jsonb_array_elements(d.reasons) WITH ORDINALITY AS r (x, n) WHERE d.apply_seq = c.lead_seq "  \
    "AND coalesce((x ->> 'contribution')::float8, 1) > 0 ORDER BY n LIMIT 3) t), 'pattern', "      \
    "c.pattern, 'at_risk', (SELECT coalesce(json_agg(json_build_object('currency', key, "          \
    "'minor', value, 'digits', r1.minor_digits(key))), '[]') FROM "                                \
    "jsonb_each_text(c.at_risk)), 'n_alert', c.n_alert, 'n_member', c.n_member, 'first_at', "      \
    "c.first_at, 'last_at', c.last_at, 'opened_at', c.opened_at, 'due_at', c.due_at, 'owner', "    \
    "c.owner, 'snooze_until', c.snooze_until, 'outcome', c.outcome, 'reason_code', "               \
    "c.reason_code, 'proposed_by', c.proposed_by, 'closed_at', c.closed_at, 'closed_by', "         \
    "c.closed_by, 'merged_into', c.merged_into)"

/* $1 state, $2 owner, $3 severity, $4 account, $5 pattern, $6 lowest score */
#define CASE_FILTER                                                                                \
    "($1::text = 'any' OR c.state = $1 OR $1 = 'active' AND c.state <> 'closed') AND ($2::text "   \
    "IS NULL OR c.owner = $2 OR $2 = '-' AND c.owner IS NULL) AND ($3::text IS NULL OR "           \
    "c.severity = $3) AND ($4::text IS NULL OR EXISTS (SELECT FROM r1.case_member m WHERE "        \
    "m.case_id = c.id AND m.name = $4)) AND ($5::text IS NULL OR c.pattern = $5) AND ($6::real "   \
    "IS NULL OR c.score_max >= $6)"
#define CASE_FILTER_PARAMS                                                                         \
    {"state", DASH_TEXT, .max = 16, .def = "active"}, {"owner", DASH_TEXT},                        \
        {"severity", DASH_TEXT, .max = 16}, {"account", DASH_TEXT, .max = 1020},                   \
        {"pattern", DASH_TEXT, .max = 64},                                                         \
    {                                                                                              \
        "score", DASH_REAL                                                                         \
    }

/* A payment p with its decision d. */
#define PAYMENT_ROW                                                                                \
    "json_build_object('seq', p.apply_seq, 'tx_id', p.tx_id, 'ts', p.ts, 'kind', p.kind, 'from', " \
    "p.from_id, 'to', p.to_id, 'minor', p.amount_minor::text, 'currency', p.currency, 'digits', "  \
    "r1.minor_digits(p.currency), 'decision', d.decision, 'score', d.score, 'rule', d.rule)"

#define VERSION_PARAMS                                                                             \
    {"id", DASH_INT, .needed = true}, { "version", DASH_INT, .needed = true }

const dash_call dash_calls[] = {
    /* ---- cases ---- */
    {"GET", "cases", FRAUD,
     "SELECT json_build_object('cases', coalesce(json_agg(row ORDER BY priority DESC, id DESC), "
     "'[]'), 'open', (SELECT count(*) FROM (SELECT FROM r1.fraud_case c WHERE " CASE_FILTER
     " LIMIT 1001) few)) FROM (SELECT c.id, c.priority, " CASE_ROW
     " AS row FROM r1.fraud_case c WHERE " CASE_FILTER
     " AND ($7::real IS NULL OR (c.priority, c.id) < ($7::real, $8::bigint)) ORDER BY c.priority "
     "DESC, c.id DESC LIMIT 50) page",
     .param = {CASE_FILTER_PARAMS, {"after", DASH_REAL}, {"after_id", DASH_INT}}},
    {"GET", "cases/due", FRAUD,
     "SELECT json_build_object('cases', coalesce(json_agg(row ORDER BY due_at, id), '[]'), "
     "'open', (SELECT count(*) FROM (SELECT FROM r1.fraud_case c WHERE " CASE_FILTER
     " LIMIT 1001) few)) FROM (SELECT c.id, c.due_at, " CASE_ROW
     " AS row FROM r1.fraud_case c WHERE " CASE_FILTER
     " AND ($7::timestamptz IS NULL OR (c.due_at, c.id) > ($7::timestamptz, $8::bigint)) ORDER BY "
     "c.due_at, c.id LIMIT 50) page",
     .param = {CASE_FILTER_PARAMS, {"after", DASH_TIME}, {"after_id", DASH_INT}}},
    {"GET", "case", FRAUD,
     "SELECT json_build_object('case', " CASE_ROW
     ", 'alerts', (SELECT coalesce(json_agg(row ORDER BY seq), '[]') FROM (SELECT a.apply_seq AS "
     "seq, json_build_object('payment', " PAYMENT_ROW
     ", 'joined_by', a.joined_by, 'reasons', d.reasons, 'trace', d.trace, 'logit', d.logit, "
     "'degraded', d.degraded, 'list', d.list, 'would', d.would, 'model', d.model, 'config', "
     "d.config, 'decided_at', d.decided_at, 'notes', p.notes, 'findings', (SELECT "
     "json_agg(json_build_object('pattern', f.pattern, 'accounts', f.accounts, 'payments', "
     "f.payments) ORDER BY f.ordinal) FROM r1.finding f WHERE f.apply_seq = a.apply_seq), 'label', "
     "(SELECT l.is_fraud FROM r1.label l WHERE l.tx_id = p.tx_id ORDER BY l.apply_seq DESC LIMIT "
     "1)) AS row FROM r1.case_alert a JOIN r1.decision d USING (apply_seq) JOIN r1.payment p USING "
     "(apply_seq) WHERE a.case_id = c.id ORDER BY a.apply_seq DESC LIMIT 200) t), 'members', "
     "(SELECT coalesce(json_agg(json_build_object('kind', m.kind, 'name', m.name, 'joins', "
     "m.joins) ORDER BY m.kind, m.name), '[]') FROM (SELECT * FROM r1.case_member WHERE case_id = "
     "c.id ORDER BY kind, name LIMIT 500) m), 'events', (SELECT coalesce(json_agg(row ORDER BY "
     "id), '[]') FROM (SELECT e.id, json_build_object('id', e.id, 'at', e.at, 'actor', e.actor, "
     "'type', e.type, 'detail', e.detail) AS row FROM r1.case_event e WHERE e.case_id = c.id ORDER "
     "BY e.id DESC LIMIT 200) t), 'related', (SELECT coalesce(json_agg(row), '[]') FROM (SELECT "
     "json_build_object('id', o.id, 'state', o.state, 'outcome', o.outcome, 'headline', "
     "o.headline, 'n_alert', o.n_alert, 'score', o.score_max, 'shared', count(*), 'opened_at', "
     "o.opened_at) AS row FROM r1.case_member m JOIN r1.case_member n ON n.name = m.name AND "
     "n.kind "
     "= m.kind AND n.case_id <> m.case_id AND n.joins JOIN r1.fraud_case o ON o.id = n.case_id "
     "WHERE m.case_id = c.id AND m.joins GROUP BY o.id ORDER BY count(*) DESC, o.id DESC LIMIT 10) "
     "t), 'labels', (SELECT coalesce(json_agg(json_build_object('tx_id', l.tx_id, 'is_fraud', "
     "l.is_fraud, 'by', l.decided_by, 'at', l.decided_at, 'sent_at', l.sent_at) ORDER BY l.id), "
     "'[]') FROM r1.case_label l WHERE l.case_id = c.id), 'four_eyes', "
     "r1.case_amount(c.at_risk) > r1.case_number('four_eyes_amount')) FROM r1.fraud_case c WHERE "
     "c.id = $1::bigint",
     .viewed = "case.view", .object = "case", .param = {{"id", DASH_INT, .needed = true}}},
    {"POST", "cases/take", DECIDERS, "SELECT json_build_object('id', r1.case_take())",
     .writes = true},
    {"POST", "case/assign", DECIDERS,
     "SELECT json_build_object('done', true) FROM r1.case_assign($1::bigint, $2::integer, $3)",
     .writes = true, .param = {VERSION_PARAMS, {"owner", DASH_TEXT, .max = 64}}},
    {"POST", "case/note", DECIDERS,
     "SELECT json_build_object('done', true) FROM r1.case_note($1::bigint, $2)", .writes = true,
     .param = {{"id", DASH_INT, .needed = true}, {"text", DASH_TEXT, .needed = true, .max = 4000}}},
    {"POST", "case/decide", DECIDERS,
     "SELECT json_build_object('state', r1.case_decide($1::bigint, $2::integer, $3, $4, $5, "
     "$6::timestamptz, $7::bigint[]))",
     .writes = true,
     .param = {VERSION_PARAMS,
               {"outcome", DASH_TEXT, .needed = true, .max = 32},
               {"reason", DASH_TEXT, .needed = true, .max = 64},
               {"comment", DASH_TEXT, .needed = true, .max = 4000},
               {"until", DASH_TIME},
               {"payments", DASH_INTS}}},
    {"POST", "case/approve", DASH_SUPERVISOR,
     "SELECT json_build_object('state', r1.case_approve($1::bigint, $2::integer, $3::boolean, $4))",
     .writes = true,
     .param = {VERSION_PARAMS,
               {"agrees", DASH_BOOL, .needed = true},
               {"comment", DASH_TEXT, .max = 4000, .def = ""}}},
    {"POST", "case/reopen", DECIDERS,
     "SELECT json_build_object('done', true) FROM r1.case_reopen($1::bigint, $2::integer, $3)",
     .writes = true,
     .param = {VERSION_PARAMS, {"comment", DASH_TEXT, .needed = true, .max = 4000}}},
    {"POST", "case/merge", DECIDERS,
     "SELECT json_build_object('done', true) FROM r1.case_merge($1::bigint, $2::integer, "
     "$3::bigint)",
     .writes = true, .param = {VERSION_PARAMS, {"from", DASH_INT, .needed = true}}},
    {"POST", "case/split", DECIDERS,
     "SELECT json_build_object('id', r1.case_split($1::bigint, $2::integer, $3::bigint[]))",
     .writes = true, .param = {VERSION_PARAMS, {"payments", DASH_INTS, .needed = true}}},

    /* ---- the ring around a case, and accounts ---- */

    /* $2: how far from the members; $3: "alert" leaves out what came after the first alert.
     * Payments within the span of the case and the days before that join alerts. */
    {"GET", "case/ring", FRAUD,
     "WITH c AS (SELECT * FROM r1.fraud_case WHERE id = $1::bigint), span AS (SELECT c.first_at - "
     "r1.case_number('join_days')::float8 * interval '1 day' AS a, CASE WHEN $3 = 'alert' THEN "
     "(SELECT p.ts FROM r1.case_alert x JOIN r1.payment p USING (apply_seq) WHERE x.case_id = c.id "
     "ORDER BY apply_seq LIMIT 1) ELSE c.last_at + r1.case_number('join_days')::float8 * interval "
     "'1 day' END AS b FROM c), member AS (SELECT name FROM r1.case_member, c WHERE case_id = c.id "
     "AND kind = 'account'), joins AS (SELECT name FROM r1.case_member, c WHERE case_id = c.id AND "
     "kind = 'account' AND joins), one AS (SELECT array_agg(name) AS names FROM (SELECT name FROM "
     "member LIMIT 2000) m), near AS (SELECT name FROM member UNION (SELECT p.to_id FROM joins j, "
     "span s, LATERAL (SELECT to_id FROM r1.payment p WHERE p.from_id = j.name AND p.ts BETWEEN "
     "s.a "
     "AND s.b ORDER BY ts DESC LIMIT 50) p WHERE $2::integer >= 1 LIMIT 2000) UNION (SELECT "
     "p.from_id FROM joins j, span s, LATERAL (SELECT from_id FROM r1.payment p WHERE p.to_id = "
     "j.name AND p.ts BETWEEN s.a AND s.b ORDER BY ts DESC LIMIT 50) p WHERE $2::integer >= 1 "
     "LIMIT "
     "2000)), shown AS (SELECT array_agg(name) AS names FROM (SELECT name FROM near WHERE name IS "
     "NOT NULL LIMIT 2000) n), edge AS (SELECT p.apply_seq FROM shown, span s, unnest(shown.names) "
     "f, LATERAL (SELECT apply_seq, to_id FROM r1.payment p WHERE p.from_id = f AND p.ts BETWEEN "
     "s.a AND s.b ORDER BY p.ts DESC LIMIT 500) p WHERE p.to_id = ANY (shown.names) LIMIT 5001) "
     "SELECT json_build_object('from_at', (SELECT a FROM span), 'to_at', (SELECT b FROM span), "
     "'n_account', (SELECT count(*) FROM near), 'accounts', (SELECT coalesce(json_agg(json_build_"
     "object('name', n, 'member', n = ANY ((SELECT names FROM one)::text[]))), '[]') FROM shown, "
     "unnest(shown.names) n), 'capped', (SELECT count(*) > 5000 FROM edge) OR (SELECT count(*) > "
     "2000 FROM near), 'payments', (SELECT coalesce(json_agg(row ORDER BY ts), '[]') FROM (SELECT "
     "p.ts, " PAYMENT_ROW
     " AS row FROM (SELECT apply_seq FROM edge LIMIT 5000) e JOIN r1.payment p USING (apply_seq) "
     "LEFT JOIN r1.decision d USING (apply_seq)) t), 'alerts', (SELECT "
     "coalesce(json_agg(apply_seq), "
     "'[]') FROM r1.case_alert, c WHERE case_id = c.id)) FROM c",
     .param = {{"id", DASH_INT, .needed = true},
               {"hops", DASH_INT, .def = "0"},
               {"as_of", DASH_TEXT, .max = 8, .def = "now"}}},
    {"GET", "account", FRAUD,
     "SELECT json_build_object('account', $1::text, 'payments', (SELECT coalesce(json_agg(row "
     "ORDER BY ts DESC, seq DESC), '[]') FROM (SELECT p.ts, p.apply_seq AS seq, " PAYMENT_ROW
     " AS row FROM (SELECT apply_seq, ts FROM ((SELECT apply_seq, ts FROM r1.payment WHERE from_id "
     "= $1 AND ts < coalesce($2::timestamptz, 'infinity') ORDER BY ts DESC LIMIT 100) UNION "
     "(SELECT "
     "apply_seq, ts FROM r1.payment WHERE to_id = $1 AND ts < coalesce($2::timestamptz, "
     "'infinity') "
     "ORDER BY ts DESC LIMIT 100)) u ORDER BY ts DESC LIMIT 100) k JOIN r1.payment p USING "
     "(apply_seq) LEFT JOIN r1.decision d USING (apply_seq)) t), 'cases', (SELECT "
     "coalesce(json_agg(json_build_object('id', c.id, 'state', c.state, 'outcome', c.outcome, "
     "'headline', c.headline, 'opened_at', c.opened_at) ORDER BY c.id DESC), '[]') FROM (SELECT "
     "case_id FROM r1.case_member WHERE name = $1 AND kind = 'account' ORDER BY case_id DESC LIMIT "
     "20) m JOIN r1.fraud_case c ON c.id = m.case_id))",
     .viewed = "account.view", .object = "account",
     .param = {{"name", DASH_TEXT, .needed = true, .max = 1020}, {"before", DASH_TIME}}},
    {"GET", "search", FRAUD,
     "SELECT json_build_object('cases', (SELECT coalesce(json_agg(id), '[]') FROM r1.fraud_case "
     "WHERE id::text = $1), 'payments', (SELECT coalesce(json_agg(row), '[]') FROM (SELECT "
     "json_build_object('seq', p.apply_seq, 'tx_id', p.tx_id, 'ts', p.ts, 'from', p.from_id, 'to', "
     "p.to_id, 'case', a.case_id) AS row FROM r1.payment p LEFT JOIN r1.case_alert a USING "
     "(apply_seq) WHERE p.tx_id = $1 LIMIT 10) t), 'accounts', (SELECT coalesce(json_agg(name), "
     "'[]') FROM (SELECT DISTINCT name FROM r1.case_member WHERE name >= $1 AND name < $1 || "
     "U&'\\+10FFFF' AND kind = 'account' ORDER BY name LIMIT 10) t), 'account', EXISTS (SELECT "
     "FROM "
     "r1.payment WHERE from_id = $1) OR EXISTS (SELECT FROM r1.payment WHERE to_id = $1))",
     .param = {{"q", DASH_TEXT, .needed = true, .max = 1020}}},
    {"GET", "people", FRAUD | DASH_ADMINISTRATOR,
     "SELECT json_build_object('people', coalesce(json_agg(name ORDER BY name), '[]')) FROM "
     "r1.dash_user WHERE role IN ('analyst', 'supervisor') AND NOT disabled",
     .param = {{0}}},

    /* ---- rules, thresholds, health ---- */

    /* Payments of the last $1 rows of the log by score: all of them, and those whose truth is
     * known. */
    {"GET", "thresholds", FRAUD,
     "WITH d AS (SELECT d.apply_seq, d.score, d.decision, d.decided_at FROM (SELECT * FROM "
     "r1.decision ORDER BY apply_seq DESC LIMIT least(greatest($1::bigint, 0), 1000000)) d WHERE "
     "d.score IS NOT NULL), known AS (SELECT DISTINCT ON (p.apply_seq) "
     "d.score, l.is_fraud, p.amount_minor / 10 ^ r1.minor_digits(p.currency) AS amount FROM "
     "r1.label "
     "l JOIN r1.payment p ON p.tx_id = l.tx_id JOIN d ON d.apply_seq = p.apply_seq ORDER BY "
     "p.apply_seq, l.apply_seq DESC) SELECT json_build_object('payments', (SELECT count(*) FROM "
     "d), "
     "'seconds', (SELECT extract(epoch FROM s.ends[2] - s.ends[1]) FROM (SELECT percentile_disc("
     "ARRAY[0.001, 0.999]) WITHIN GROUP (ORDER BY p.ts) AS ends FROM d JOIN r1.payment p USING "
     "(apply_seq)) s), 'lowest', "
     "(SELECT min(score) FROM d WHERE decision = 'review'), 'bins', (SELECT "
     "coalesce(json_agg(json_build_array(b, n) ORDER BY b), '[]') FROM (SELECT least(floor(score * "
     "100), 99)::integer AS b, count(*) AS n FROM d GROUP BY 1) t), 'known', (SELECT "
     "coalesce(json_agg(json_build_array(b, fraud, other, amount) ORDER BY b), '[]') FROM (SELECT "
     "least(floor(score * 100), 99)::integer AS b, count(*) FILTER (WHERE is_fraud) AS fraud, "
     "count(*) FILTER (WHERE NOT is_fraud) AS other, coalesce(sum(amount) FILTER (WHERE is_fraud), "
     "0) AS amount FROM known GROUP BY 1) t))",
     .param = {{"rows", DASH_INT, .def = "200000"}}},
    {"GET", "rules", FRAUD,
     "WITH a AS (SELECT d.apply_seq, d.rule, d.decision, d.would FROM r1.decision d WHERE "
     "d.decision <> 'allow' AND d.decided_at > now() - $1::integer * interval '1 day' LIMIT "
     "200000), k AS (SELECT a.*, c.id AS case_id, c.outcome FROM a LEFT JOIN r1.case_alert x USING "
     "(apply_seq) LEFT JOIN r1.fraud_case c ON c.id = x.case_id AND c.state = 'closed') SELECT "
     "json_build_object('days', $1::integer, 'rules', (SELECT coalesce(json_agg(row ORDER BY n "
     "DESC), '[]') FROM (SELECT count(*) AS n, json_build_object('rule', coalesce(rule, ''), "
     "'hits', count(*), 'cases', count(DISTINCT case_id), 'fraud', count(*) FILTER (WHERE outcome "
     "= 'fraud'), 'false_positive', count(*) FILTER (WHERE outcome = 'false_positive'), 'unusual', "
     "count(*) FILTER (WHERE outcome = 'unusual'), 'open', count(*) FILTER (WHERE outcome IS "
     "NULL)) AS row FROM k GROUP BY rule) t), 'shadows', (SELECT coalesce(json_agg(row ORDER BY n "
     "DESC), '[]') FROM (SELECT count(*) AS n, json_build_object('rule', w ->> 'rule', 'action', w "
     "->> 'action', 'why', w ->> 'why', 'hits', count(*)) AS row FROM k, "
     "jsonb_array_elements(k.would) w GROUP BY w ->> 'rule', w ->> 'action', w ->> 'why') t))",
     .param = {{"days", DASH_INT, .def = "7"}}},
    {"GET", "health", FRAUD,
     "WITH newest AS (SELECT decided_at, decision, latency_us FROM r1.decision ORDER BY apply_seq "
     "DESC LIMIT 200000), d AS (SELECT * FROM newest WHERE decided_at > now() - interval '1 hour') "
     "SELECT json_build_object('now', now(), 'last_decided_at', (SELECT max(decided_at) FROM "
     "newest), 'minutes', (SELECT coalesce(json_agg(row ORDER BY "
     "minute), '[]') FROM (SELECT date_trunc('minute', decided_at) AS minute, "
     "json_build_array(date_trunc('minute', decided_at), count(*), count(*) FILTER (WHERE decision "
     "<> 'allow'), percentile_cont(.5) WITHIN GROUP (ORDER BY latency_us), percentile_cont(.99) "
     "WITHIN GROUP (ORDER BY latency_us), percentile_cont(.999) WITHIN GROUP (ORDER BY "
     "latency_us)) AS row FROM d GROUP BY 1) t), 'dead_letters', (SELECT "
     "coalesce(json_agg(json_build_object('app', app, 'stage', stage, 'reason', reason, 'n', n, "
     "'last_at', last_at) ORDER BY n DESC), '[]') FROM (SELECT app, stage, split_part(reason, ':', "
     "1) AS reason, count(*) AS n, max(received_at) AS last_at FROM (SELECT app, stage, reason, "
     "received_at FROM r1.dead_letter WHERE replayed_at IS NULL ORDER BY id DESC LIMIT 50000) l "
     "GROUP BY 1, 2, 3 ORDER BY count(*) DESC LIMIT 50) t), 'unscorable', (SELECT "
     "coalesce(json_agg(json_build_object('rule', rule, 'n', n) ORDER BY n DESC), '[]') FROM "
     "(SELECT "
     "rule, count(*) AS n FROM r1.decision WHERE decision <> 'allow' AND decided_at > now() - "
     "interval '1 day' AND score IS NULL GROUP BY rule LIMIT 50) t), 'streams', (SELECT "
     "coalesce(json_agg(json_build_object('app', app, 'topic', topic, 'partitions', n, "
     "'next_offset', next_offset, 'moved_at', moved_at, 'owners', owners)), '[]') FROM (SELECT "
     "app, "
     "topic, count(*) AS n, sum(next_offset) AS next_offset, max(updated_at) AS moved_at, "
     "array_agg(DISTINCT owner) AS owners FROM r1.stream_offset GROUP BY app, topic) t), "
     "'versions', (SELECT coalesce(json_agg(json_build_object('kind', kind, 'version', version, "
     "'detail', detail, 'first_used_at', first_used_at) ORDER BY first_used_at DESC), '[]') FROM "
     "(SELECT * FROM r1.fraud_version ORDER BY first_used_at DESC LIMIT 10) v), 'labels_waiting', "
     "(SELECT count(*) FROM r1.case_label WHERE sent_at IS NULL))",
     .param = {{0}}},

    /* ---- dead letters, and what was let go ---- */
    {"GET", "dead", FRAUD,
     "SELECT json_build_object('letters', coalesce(json_agg(row ORDER BY id DESC), '[]')) FROM "
     "(SELECT id, json_build_object('id', id, 'stage', stage, 'reason', reason, 'topic', topic, "
     "'partition', partition, 'offset', kafka_offset, 'received_at', received_at) AS row FROM "
     "r1.dead_letter WHERE app = 'fraud' AND replayed_at IS NULL AND ($1::text IS NULL OR stage = "
     "$1) AND ($2::text IS NULL OR split_part(reason, ':', 1) = $2) AND ($3::bigint IS NULL OR id "
     "< $3::bigint) ORDER BY id DESC LIMIT 50) t",
     .param = {{"stage", DASH_TEXT, .max = 16}, {"reason", DASH_TEXT}, {"before", DASH_INT}}},
    {"GET", "retention", DASH_AUDITOR | DASH_ADMINISTRATOR,
     "SELECT json_build_object('parts', (SELECT coalesce(json_agg(p ORDER BY p.of_table, p.name), "
     "'[]') FROM r1.log_partition p), 'gone', (SELECT coalesce(json_agg(g ORDER BY g.id DESC), "
     "'[]') FROM (SELECT id, done_at, done_by, of_table, name, from_at, to_at, n_row, archive, "
     "sha256 FROM r1.retention ORDER BY id DESC LIMIT 200) g), 'held', (SELECT "
     "json_build_object('dead_letters', (SELECT min(received_at) FROM r1.dead_letter), 'audit', "
     "(SELECT min(at) FROM r1.dash_audit))))",
     .param = {{0}}},

    /* ---- audit and administration ---- */
    {"GET", "audit", DASH_AUDITOR | DASH_ADMINISTRATOR,
     "SELECT json_build_object('rows', coalesce(json_agg(json_build_object('id', id, 'at', at, "
     "'actor', actor, 'role', role, 'action', action, 'object', object, 'detail', detail) ORDER BY "
     "id DESC), '[]'), 'chain', (SELECT row_to_json(v) FROM r1.audit_verify() v WHERE $4 = "
     "'true')) "
     "FROM (SELECT * FROM r1.dash_audit WHERE ($1::bigint IS NULL OR id < $1::bigint) AND "
     "($2::text "
     "IS NULL OR actor = $2) AND ($3::text IS NULL OR object = $3) ORDER BY id DESC LIMIT 100) a",
     .param = {{"before", DASH_INT},
               {"actor", DASH_TEXT},
               {"object", DASH_TEXT},
               {"verify", DASH_BOOL, .def = "false"}}},
    /* A page gives away what it shows, as a picture or a file: who may, and that it did. */
    {"POST", "export/said", FRAUD | DASH_CLINICIAN,
     "SELECT json_build_object('done', r1.audit('export', $1, json_build_object('as', "
     "$2::text)::jsonb)::text)",
     .writes = true,
     .param = {{"what", DASH_TEXT, .needed = true}, {"as", DASH_TEXT, .needed = true, .max = 16}}},
    {"GET", "users", DASH_ADMINISTRATOR | DASH_AUDITOR,
     "SELECT json_build_object('users', coalesce(json_agg(json_build_object('name', name, 'role', "
     "role, 'may_export', may_export, 'disabled', disabled, 'locked_until', CASE WHEN locked_until "
     "> "
     "now() THEN locked_until END, 'created_at', created_at, 'created_by', created_by) ORDER BY "
     "name), '[]'), 'unknown', (SELECT coalesce(sum(n), 0) FROM r1.dash_unknown WHERE hour > now() "
     "- interval '1 day')) FROM r1.dash_user",
     .param = {{0}}},
    {"POST", "user/set", DASH_ADMINISTRATOR,
     "WITH u AS (UPDATE r1.dash_user SET role = coalesce($2, role), disabled = "
     "coalesce($3::boolean, disabled), may_export = coalesce($4::boolean, may_export), failed = 0, "
     "locked_until = NULL WHERE name = $1 RETURNING id, name, role, disabled, may_export), gone AS "
     "(DELETE FROM r1.dash_session s USING u WHERE s.user_id = u.id) SELECT json_build_object("
     "'name', name, 'role', role, 'disabled', disabled, 'may_export', may_export, 'done', "
     "r1.audit('user.set', 'user ' || name, json_build_object('role', role, 'disabled', disabled, "
     "'may_export', may_export)::jsonb)::text) FROM u",
     .writes = true,
     .param = {{"name", DASH_TEXT, .needed = true, .max = 64},
               {"role", DASH_TEXT, .max = 16},
               {"disabled", DASH_BOOL},
               {"may_export", DASH_BOOL}}},
    {"GET", "settings", FRAUD | DASH_ADMINISTRATOR,
     "SELECT json_object_agg(name, value) FROM r1.case_setting", .param = {{0}}},
    {"POST", "settings/set", DASH_ADMINISTRATOR,
     "WITH s AS (UPDATE r1.case_setting SET value = $2::numeric WHERE name = $1 RETURNING *) "
     "SELECT "
     "json_build_object('name', name, 'value', value, 'done', r1.audit('setting.set', 'setting ' "
     "|| "
     "name, json_build_object('value', value)::jsonb)::text) FROM s",
     .writes = true,
     .param = {{"name", DASH_TEXT, .needed = true, .max = 64},
               {"value", DASH_REAL, .needed = true}}},

    /* ---- medical reports that are kept ---- */
    {"GET", "records", DASH_CLINICIAN,
     "SELECT json_build_object('records', coalesce(json_agg(row ORDER BY id DESC), '[]')) FROM "
     "(SELECT r.id, json_build_object('id', r.id, 'created_at', r.created_at, 'confident', "
     "r.confident, 'none_of_these', r.none_of_these, 'model', r.model, 'findings', (SELECT "
     "count(*) "
     "FROM r1.med_finding f WHERE f.report_id = r.id), 'first', (SELECT "
     "json_build_object('disease', "
     "c.disease, 'name', c.name, 'probability', c.probability) FROM r1.med_candidate c WHERE "
     "c.report_id = r.id AND c.rank = 1), 'outcome', (SELECT m.outcome FROM r1.med_record m WHERE "
     "m.report_id = r.id LIMIT 1), 'handled_at', (SELECT m.handled_at FROM r1.med_record m WHERE "
     "m.report_id = r.id LIMIT 1)) AS row FROM r1.med_report r WHERE $1::bigint IS NULL OR r.id < "
     "$1::bigint ORDER BY r.id DESC LIMIT 50) t",
     .viewed = "records.view", .object = "records before", .param = {{"before", DASH_INT}}},
    {"GET", "record", DASH_CLINICIAN,
     "SELECT json_build_object('id', r.id, 'created_at', r.created_at, 'confident', r.confident, "
     "'none_of_these', r.none_of_these, 'model', r.model, 'findings', (SELECT "
     "coalesce(json_agg(json_build_object('id', f.finding, 'name', f.name, 'status', f.status, "
     "'pinned', f.pinned) ORDER BY f.position), '[]') FROM r1.med_finding f WHERE f.report_id = "
     "r.id), 'candidates', (SELECT coalesce(json_agg(json_build_object('rank', c.rank, 'id', "
     "c.disease, 'name', c.name, 'probability', c.probability) ORDER BY c.rank), '[]') FROM "
     "r1.med_candidate c WHERE c.report_id = r.id)) FROM r1.med_report r WHERE r.id = $1::bigint",
     .viewed = "record.view", .object = "record", .param = {{"id", DASH_INT, .needed = true}}},

    /* ---- reviews; what is sealed of them is answered by dash_review.h ---- */
    {"GET", "reviews", DASH_CLINICIAN,
     "SELECT json_build_object('reviews', coalesce(json_agg(row ORDER BY id DESC), '[]')) FROM "
     "(SELECT v.id, json_build_object('id', v.id, 'made_at', v.made_at, 'made_by', v.made_by, "
     "'findings', v.n_finding, 'accepted', v.n_accepted, 'rejected', v.n_rejected, 'added', "
     "v.n_added, 'open', v.n_open, 'state', r1.review_state(v.id, v.signers), 'signatures', "
     "(SELECT "
     "coalesce(json_agg(signer ORDER BY signed_at), '[]') FROM r1.med_signature g WHERE "
     "g.review_id = v.id)) AS row FROM r1.med_review v WHERE $1::bigint IS NULL OR v.id < "
     "$1::bigint ORDER BY v.id DESC LIMIT 50) t",
     .param = {{"before", DASH_INT}}},
    {"POST", "review/sign", DASH_CLINICIAN,
     "SELECT json_build_object('state', r1.review_sign($1::bigint, $2))", .writes = true,
     .param = {{"id", DASH_INT, .needed = true}, {"hash", DASH_TEXT, .needed = true, .max = 64}}},
};
const size_t dash_n_call = R1_COUNT(dash_calls);

const dash_export dash_exports[] = {
    {"cases.csv", FRAUD,
     "SELECT c.id, c.state, c.severity, c.priority, c.score_max, c.headline, c.pattern, c.n_alert, "
     "c.n_member, c.at_risk::text AS at_risk_minor, c.first_at, c.last_at, c.opened_at, c.due_at, "
     "c.owner, c.outcome, c.reason_code, c.closed_at, c.closed_by FROM r1.fraud_case c ORDER BY "
     "c.id DESC LIMIT $1::integer"},
    {"labels.csv", FRAUD,
     "SELECT l.tx_id, l.is_fraud, l.case_id, l.decided_by, l.decided_at, l.sent_at FROM "
     "r1.case_label l ORDER BY l.id DESC LIMIT $1::integer"},
    {"audit.csv", DASH_AUDITOR | DASH_ADMINISTRATOR,
     "SELECT id, at, actor, role, action, object, detail::text AS detail, encode(hash, 'hex') AS "
     "hash FROM r1.dash_audit ORDER BY id DESC LIMIT $1::integer"},
};
const size_t dash_n_export = R1_COUNT(dash_exports);
