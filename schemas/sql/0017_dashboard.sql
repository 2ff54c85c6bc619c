-- The dashboard: users and their sessions, cases made of alerts, an audit trail as a chain of hashes, and the labels that outcomes
-- become. The server connects as a login role that is granted r1_dashboard. Each request runs as the role of its user (SET LOCAL ROLE)
-- with the user's name in the setting r1.actor, so that PostgreSQL itself refuses what a role may not do.
-- Run by `r1-dashboard db migrate`, or by psql in the order of the numbers: psql -1 -f 0017_dashboard.sql
INSERT INTO r1.schema_migration (version, name) VALUES (17, '0017_dashboard.sql') ON CONFLICT DO NOTHING;

-- ---- roles ----

-- r1_viewer reads; r1_analyst decides, too; r1_supervisor approves and takes over; r1_clinician reads medical reports and nothing of
-- payments; r1_administrator keeps users; r1_auditor reads everything that was done.
DO $$
DECLARE r text;
BEGIN
    FOREACH r IN ARRAY ARRAY['r1_dashboard', 'r1_viewer', 'r1_analyst', 'r1_supervisor', 'r1_clinician', 'r1_administrator',
                             'r1_auditor'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', r);
        END IF;
    END LOOP;
END $$;
GRANT r1_viewer TO r1_analyst, r1_auditor;
GRANT r1_analyst TO r1_supervisor;
GRANT r1_viewer, r1_analyst, r1_supervisor, r1_clinician, r1_administrator, r1_auditor TO r1_dashboard;
GRANT USAGE ON SCHEMA r1 TO r1_dashboard, r1_viewer, r1_analyst, r1_supervisor, r1_clinician, r1_administrator, r1_auditor;
GRANT SELECT ON r1.schema_migration TO r1_dashboard;

-- Who asks, as the server has set it; NULL outside of a request.
CREATE FUNCTION r1.actor() RETURNS text LANGUAGE sql STABLE AS $$ SELECT nullif(current_setting('r1.actor', true), '') $$;

-- Digits behind the point of an ISO 4217 currency.
CREATE FUNCTION r1.minor_digits(p_currency text) RETURNS integer LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN p_currency IN ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV', 'XAF',
                            'XOF', 'XPF') THEN 0
        WHEN p_currency IN ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') THEN 3
        WHEN p_currency IN ('CLF', 'UYW') THEN 4
        ELSE 2 END
$$;

-- ---- users ----

CREATE TABLE r1.dash_user (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL UNIQUE CHECK (name ~ '^[a-z0-9][a-z0-9._@-]{0,63}$'),
    role          text NOT NULL CHECK (role IN ('viewer', 'analyst', 'supervisor', 'clinician', 'administrator', 'auditor')),
    may_export    boolean NOT NULL DEFAULT false,
    password_hash text,                                -- Argon2id; NULL: signs in through a proxy alone
    disabled      boolean NOT NULL DEFAULT false,
    failed        integer NOT NULL DEFAULT 0,          -- wrong passwords since the last right one
    locked_until  timestamptz,                         -- 2^(failed - 4) s after the last wrong one, at most an hour
    created_at    timestamptz NOT NULL DEFAULT now(),
    created_by    text NOT NULL);

CREATE TABLE r1.dash_session (
    token_hash bytea PRIMARY KEY,                      -- SHA-256 of the cookie's token, which is stored nowhere
    user_id    bigint NOT NULL REFERENCES r1.dash_user ON DELETE CASCADE,
    csrf       text NOT NULL,
    began_at   timestamptz NOT NULL DEFAULT now(),
    seen_at    timestamptz NOT NULL DEFAULT now());
CREATE INDEX dash_session_user ON r1.dash_session (user_id);
GRANT SELECT, UPDATE (failed, locked_until) ON r1.dash_user TO r1_dashboard;
GRANT SELECT, INSERT, UPDATE (seen_at), DELETE ON r1.dash_session TO r1_dashboard;
GRANT SELECT (id, name, role, may_export, disabled, failed, locked_until, created_at, created_by) ON r1.dash_user
    TO r1_administrator, r1_auditor;
GRANT SELECT (name, role, disabled) ON r1.dash_user TO r1_viewer;
GRANT INSERT (name, role, may_export, password_hash, created_by),
      UPDATE (role, may_export, password_hash, disabled, failed, locked_until) ON r1.dash_user TO r1_administrator;
GRANT SELECT (user_id), DELETE ON r1.dash_session TO r1_administrator;

-- ---- audit ----

-- Who saw and did what. Each row holds the hash of the one before, so that a row that was changed or taken out breaks the chain.
CREATE TABLE r1.dash_audit (
    id     bigint PRIMARY KEY,
    at     timestamptz NOT NULL,
    actor  text NOT NULL,
    role   text NOT NULL,
    action text NOT NULL,
    object text NOT NULL,                              -- "case 17", "user ann"
    detail jsonb NOT NULL,
    hash   bytea NOT NULL);                            -- SHA-256 over the one before and this row
CREATE INDEX dash_audit_object ON r1.dash_audit (object, id);
CREATE INDEX dash_audit_actor ON r1.dash_audit (actor, id);

CREATE FUNCTION r1.audit_hash(p_before bytea, p_id bigint, p_at timestamptz, p_actor text, p_role text, p_action text, p_object text,
                              p_detail jsonb) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT sha256(p_before || convert_to(jsonb_build_array(p_id, (extract(epoch FROM p_at) * 1000000)::bigint, p_actor, p_role, p_action,
                                                           p_object, p_detail)::text, 'UTF8'))
$$;

-- One writer at a time: the chain has one end. The lock is held until the transaction ends, so this is its last statement.
CREATE FUNCTION r1.audit(p_action text, p_object text, p_detail jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE last r1.dash_audit; at timestamptz; who text := coalesce(r1.actor(), session_user); as_role text;
BEGIN
    PERFORM pg_advisory_xact_lock(7231, 17);
    SELECT * INTO last FROM r1.dash_audit ORDER BY id DESC LIMIT 1;
    at := clock_timestamp();
    as_role := coalesce(nullif(current_setting('role', true), 'none'), session_user);
    INSERT INTO r1.dash_audit VALUES (coalesce(last.id, 0) + 1, at, who, as_role, p_action, p_object, p_detail,
        r1.audit_hash(coalesce(last.hash, ''), coalesce(last.id, 0) + 1, at, who, as_role, p_action, p_object, p_detail));
END $$;

-- What somebody looked at, once in ten minutes.
CREATE FUNCTION r1.audit_view(p_action text, p_object text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM r1.dash_audit WHERE object = p_object AND action = p_action AND actor = r1.actor()
               AND at > now() - interval '10 minutes') THEN RETURN; END IF;
    PERFORM r1.audit(p_action, p_object, '{}');
END $$;

-- The rows whose hash does not follow from the row before, and gaps.
CREATE FUNCTION r1.audit_verify(OUT rows bigint, OUT broken bigint, OUT first_broken bigint) LANGUAGE sql STABLE AS $$
    WITH chain AS (SELECT a.*, lag(hash) OVER w AS before, lag(id) OVER w AS id_before FROM r1.dash_audit a WINDOW w AS (ORDER BY id)),
         bad AS (SELECT id FROM chain WHERE id <> coalesce(id_before, 0) + 1
                 OR hash <> r1.audit_hash(coalesce(before, ''), id, at, actor, role, action, object, detail))
    SELECT (SELECT count(*) FROM chain), (SELECT count(*) FROM bad), (SELECT min(id) FROM bad)
$$;

CREATE FUNCTION r1.only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are only added', TG_TABLE_NAME USING ERRCODE = '42501';
END $$;
CREATE TRIGGER dash_audit_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON r1.dash_audit
    FOR EACH STATEMENT EXECUTE FUNCTION r1.only_grows();
GRANT SELECT ON r1.dash_audit TO r1_auditor, r1_administrator;
REVOKE EXECUTE ON FUNCTION r1.audit, r1.audit_view FROM PUBLIC;
GRANT EXECUTE ON FUNCTION r1.audit, r1.audit_view TO r1_dashboard, r1_viewer, r1_clinician, r1_administrator, r1_auditor;

-- ---- cases ----

-- Hours until a case of a severity should be decided, and the amount above which a second person agrees, in units of a currency.
CREATE TABLE r1.case_setting (
    name  text PRIMARY KEY,
    value numeric NOT NULL CHECK (value >= 0));
INSERT INTO r1.case_setting VALUES ('hours_critical', 4), ('hours_high', 12), ('hours_medium', 48), ('hours_low', 120),
    ('four_eyes_amount', 10000), ('join_days', 7), ('hub_payers', 60), ('case_alerts_max', 500);

CREATE TABLE r1.fraud_case (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version      integer NOT NULL DEFAULT 1,           -- raised by each change; who decides names the one that was seen
    state        text NOT NULL DEFAULT 'open'
                 CHECK (state IN ('open', 'waiting', 'snoozed', 'escalated', 'approval', 'closed')),
    severity     text NOT NULL CHECK (severity IN ('low', 'medium', 'high', 'critical')),
    priority     real NOT NULL,
    score_max    real,                                 -- NULL: rules and lists alone
    lead_seq     bigint NOT NULL,                      -- the alert that speaks for the case
    headline     text NOT NULL,                        -- its first reason
    pattern      text,                                 -- of its ring, NULL: none was found
    at_risk      jsonb NOT NULL,                       -- {"EUR": 12345}: amounts of its alerts in minor units
    n_alert      integer NOT NULL,
    n_member     integer NOT NULL,
    first_at     timestamptz,                          -- event time of its alerts
    last_at      timestamptz,
    opened_at    timestamptz NOT NULL DEFAULT now(),
    due_at       timestamptz NOT NULL,
    owner        text,
    snooze_until timestamptz,
    outcome      text CHECK (outcome IN ('fraud', 'false_positive', 'unusual')),
    reason_code  text,
    proposed_by  text,                                 -- state approval: who wants to close it
    closed_at    timestamptz,
    closed_by    text,
    n_closed     integer NOT NULL DEFAULT 0,           -- how often; a reversed decision is a second event
    merged_into  bigint REFERENCES r1.fraud_case,
    CHECK ((state = 'closed') = (closed_at IS NOT NULL)),
    CHECK (state <> 'snoozed' OR snooze_until IS NOT NULL));
CREATE INDEX fraud_case_queue ON r1.fraud_case (priority DESC, id DESC) WHERE state <> 'closed';
CREATE INDEX fraud_case_free ON r1.fraud_case (priority DESC, id DESC) WHERE state = 'open' AND owner IS NULL;
CREATE INDEX fraud_case_owner ON r1.fraud_case (owner, priority DESC, id DESC) WHERE state <> 'closed';
CREATE INDEX fraud_case_due ON r1.fraud_case (due_at) WHERE state <> 'closed';
CREATE INDEX fraud_case_closed ON r1.fraud_case (closed_at DESC) WHERE state = 'closed';
CREATE INDEX fraud_case_snoozed ON r1.fraud_case (snooze_until) WHERE state = 'snoozed';

CREATE TABLE r1.case_alert (
    apply_seq bigint PRIMARY KEY,
    case_id   bigint NOT NULL REFERENCES r1.fraud_case,
    joined_by text NOT NULL,                           -- "first", "account a17", "device d3", or who moved it
    joined_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX case_alert_case ON r1.case_alert (case_id, apply_seq);

CREATE TABLE r1.case_member (
    case_id bigint NOT NULL REFERENCES r1.fraud_case,
    kind    text NOT NULL CHECK (kind IN ('account', 'device')),
    name    text NOT NULL,
    joins   boolean NOT NULL,                          -- false: so many pay it that it joins no alerts
    PRIMARY KEY (case_id, kind, name));
CREATE INDEX case_member_name ON r1.case_member (name, kind, case_id);

-- What happened to a case. Rows are only added.
CREATE TABLE r1.case_event (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id bigint NOT NULL REFERENCES r1.fraud_case,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor   text NOT NULL,                             -- '': the service itself
    type    text NOT NULL CHECK (type IN ('opened', 'joined', 'taken', 'assigned', 'released', 'note', 'decided', 'proposed', 'approved',
                                          'refused', 'escalated', 'snoozed', 'woken', 'waiting', 'reopened', 'merged', 'split')),
    detail  jsonb NOT NULL DEFAULT '{}');
CREATE INDEX case_event_case ON r1.case_event (case_id, id);
CREATE TRIGGER case_event_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON r1.case_event
    FOR EACH STATEMENT EXECUTE FUNCTION r1.only_grows();

-- What an outcome says of a payment: a message of the topic of labels, sent at least once. A reversed decision is a second row.
CREATE TABLE r1.case_label (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id    bigint NOT NULL REFERENCES r1.fraud_case,
    apply_seq  bigint NOT NULL,
    tx_id      text NOT NULL,
    is_fraud   boolean NOT NULL,
    n_closed   integer NOT NULL,
    decided_by text NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT now(),
    sent_at    timestamptz,                            -- acknowledged by the broker
    UNIQUE (apply_seq, case_id, n_closed));
CREATE INDEX case_label_unsent ON r1.case_label (id) WHERE sent_at IS NULL;

-- How far alerts have been gathered, by decided_at.
CREATE TABLE r1.case_cursor (one boolean PRIMARY KEY DEFAULT true CHECK (one), gathered_to timestamptz NOT NULL);
INSERT INTO r1.case_cursor VALUES (true, '-infinity');

-- The pages hear of each change: "id version".
CREATE FUNCTION r1.case_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('r1_case', NEW.id || ' ' || NEW.version);
    RETURN NULL;
END $$;
CREATE TRIGGER fraud_case_changed AFTER INSERT OR UPDATE ON r1.fraud_case FOR EACH ROW EXECUTE FUNCTION r1.case_changed();

CREATE FUNCTION r1.case_number(p_name text) RETURNS numeric LANGUAGE sql STABLE AS $$
    SELECT value FROM r1.case_setting WHERE name = p_name
$$;

-- The largest of the amounts of a case, in units of its currency.
CREATE FUNCTION r1.case_amount(p_at_risk jsonb) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(max(value::numeric / 10 ^ r1.minor_digits(key)), 0) FROM jsonb_each_text(p_at_risk)
$$;

-- The first reason that raises the score, in words; else the rule.
CREATE FUNCTION r1.first_reason(p_reasons jsonb, p_rule text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce((SELECT x ->> 'text' FROM jsonb_array_elements(p_reasons) WITH ORDINALITY AS r (x, n)
                     WHERE coalesce((x ->> 'contribution')::float8, 1) > 0 ORDER BY n LIMIT 1), 'rule ' || p_rule, 'no reason is kept')
$$;

-- Counts, amounts, severity, priority and deadline of a case anew, from its alerts.
CREATE FUNCTION r1.case_weigh(p_case bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE c r1.fraud_case; s record; lead record; amount numeric;
BEGIN
    SELECT * INTO c FROM r1.fraud_case WHERE id = p_case FOR UPDATE;
    SELECT count(*) AS n, max(d.score) AS score, min(p.ts) AS first_at, max(p.ts) AS last_at, bool_or(d.decision = 'block') AS blocked
    INTO s FROM r1.case_alert a JOIN r1.decision d USING (apply_seq) JOIN r1.payment p USING (apply_seq) WHERE a.case_id = p_case;
    IF s.n = 0 THEN RETURN; END IF;
    SELECT d.apply_seq, d.reasons, d.rule, (SELECT pattern FROM r1.finding f WHERE f.apply_seq = d.apply_seq ORDER BY ordinal LIMIT 1) AS pattern
    INTO lead FROM r1.case_alert a JOIN r1.decision d USING (apply_seq)
    WHERE a.case_id = p_case ORDER BY d.score DESC NULLS LAST, d.apply_seq LIMIT 1;
    SELECT coalesce(jsonb_object_agg(currency, total), '{}') INTO c.at_risk
    FROM (SELECT p.currency, sum(p.amount_minor) AS total FROM r1.case_alert a JOIN r1.payment p USING (apply_seq)
          WHERE a.case_id = p_case AND p.currency IS NOT NULL AND p.amount_minor > 0 GROUP BY p.currency) m;
    amount := r1.case_amount(c.at_risk);
    c.severity := CASE
        WHEN s.blocked OR (coalesce(s.score, .5) >= .9 AND amount >= 10000) THEN 'critical'
        WHEN coalesce(s.score, .5) >= .7 OR amount >= 10000 OR lead.pattern IS NOT NULL AND s.n >= 3 THEN 'high'
        WHEN coalesce(s.score, .5) >= .3 OR amount >= 1000 THEN 'medium'
        ELSE 'low' END;
    UPDATE r1.fraud_case SET version = version + 1, severity = c.severity, score_max = s.score, lead_seq = lead.apply_seq,
        headline = r1.first_reason(lead.reasons, lead.rule), pattern = lead.pattern, at_risk = c.at_risk, n_alert = s.n,
        n_member = (SELECT count(*) FROM r1.case_member WHERE case_id = p_case AND kind = 'account'),
        first_at = s.first_at, last_at = s.last_at, due_at = opened_at + r1.case_number('hours_' || c.severity)::float8 * interval '1 hour',
        priority = coalesce(s.score, .5) * log(10 + amount) * (1 + .15 * least(s.n - 1, 10))
    WHERE id = p_case;
END $$;

-- One alert joins the case of its accounts, ring or device, or opens one.
CREATE FUNCTION r1.case_join(p_seq bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    p r1.payment; d r1.decision; ends text[]; ring text[]; device text; hubs text[] := '{}'; x text; n integer;
    found record; opened boolean := false;
BEGIN
    SELECT * INTO p FROM r1.payment WHERE apply_seq = p_seq;
    SELECT * INTO d FROM r1.decision WHERE apply_seq = p_seq;
    ends := array_remove(ARRAY[p.from_id, p.to_id], NULL);
    SELECT coalesce(array_agg(DISTINCT a), '{}') INTO ring FROM r1.finding f, unnest(f.accounts) a WHERE f.apply_seq = p_seq;
    device := substring(p.payload FROM '"device"\s*:\s*"([^"\\]{1,255})"');
    -- A shop that everybody pays says nothing about who acts together.
    FOREACH x IN ARRAY ends LOOP
        SELECT count(DISTINCT from_id) INTO n
        FROM (SELECT from_id FROM r1.payment WHERE to_id = x ORDER BY ts DESC LIMIT 500) recent;
        IF n >= r1.case_number('hub_payers') THEN hubs := hubs || x; END IF;
    END LOOP;
    SELECT c.id, m.kind, m.name INTO found
    FROM r1.case_member m JOIN r1.fraud_case c ON c.id = m.case_id
    WHERE m.joins AND c.state <> 'closed' AND c.n_alert < r1.case_number('case_alerts_max')
      AND (m.kind = 'account' AND m.name = ANY (ends || ring) AND NOT m.name = ANY (hubs) OR m.kind = 'device' AND m.name = device)
      AND (c.last_at IS NULL OR p.ts IS NULL
           OR p.ts BETWEEN c.first_at - r1.case_number('join_days')::float8 * interval '1 day'
                       AND c.last_at + r1.case_number('join_days')::float8 * interval '1 day')
    ORDER BY count(*) OVER (PARTITION BY c.id) DESC, c.id LIMIT 1;
    IF found.id IS NULL THEN
        opened := true;
        INSERT INTO r1.fraud_case (severity, priority, lead_seq, headline, at_risk, n_alert, n_member, due_at)
        VALUES ('low', 0, p_seq, '', '{}', 0, 0, now()) RETURNING id INTO found.id;
    END IF;
    INSERT INTO r1.case_alert (apply_seq, case_id, joined_by)
    VALUES (p_seq, found.id, CASE WHEN opened THEN 'first' ELSE found.kind || ' ' || found.name END);
    INSERT INTO r1.case_member (case_id, kind, name, joins)
    SELECT found.id, 'account', a, NOT a = ANY (hubs) FROM unnest(ends || ring) a WHERE a <> ''
    UNION SELECT found.id, 'device', device, true WHERE device IS NOT NULL
    ON CONFLICT DO NOTHING;
    PERFORM r1.case_weigh(found.id);
    INSERT INTO r1.case_event (case_id, actor, type, detail)
    VALUES (found.id, '', CASE WHEN opened THEN 'opened' ELSE 'joined' END,
            jsonb_build_object('apply_seq', p_seq, 'tx_id', p.tx_id, 'by', CASE WHEN opened THEN NULL ELSE found.kind || ' ' || found.name END));
    -- Who waits or sleeps is woken by news.
    UPDATE r1.fraud_case SET state = 'open', snooze_until = NULL, version = version + 1
    WHERE id = found.id AND state IN ('snoozed', 'waiting');
    RETURN found.id;
END $$;

-- The alerts that no case has yet, at most p_max of them, oldest first; -1: another server is at it. A row becomes visible some time
-- after its decided_at, so the last ten minutes are looked at again. Sleepers whose time is over wake.
CREATE FUNCTION r1.gather_cases(p_max integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a record; n integer := 0; w record;
BEGIN
    IF NOT pg_try_advisory_xact_lock(7231, 18) THEN RETURN -1; END IF;
    FOR a IN SELECT d.apply_seq, d.decided_at FROM r1.decision d
             WHERE d.decision <> 'allow' AND d.decided_at > (SELECT gathered_to - interval '10 minutes' FROM r1.case_cursor)
               AND NOT EXISTS (SELECT FROM r1.case_alert c WHERE c.apply_seq = d.apply_seq)
             ORDER BY d.decided_at, d.apply_seq LIMIT p_max LOOP
        PERFORM r1.case_join(a.apply_seq);
        n := n + 1;
    END LOOP;
    IF n > 0 THEN UPDATE r1.case_cursor SET gathered_to = greatest(gathered_to, a.decided_at); END IF;
    FOR w IN UPDATE r1.fraud_case SET state = 'open', snooze_until = NULL, version = version + 1
             WHERE state = 'snoozed' AND snooze_until <= now() RETURNING id LOOP
        INSERT INTO r1.case_event (case_id, actor, type) VALUES (w.id, '', 'woken');
    END LOOP;
    RETURN n;
END $$;
REVOKE EXECUTE ON FUNCTION r1.case_weigh, r1.case_join, r1.gather_cases FROM PUBLIC;
GRANT EXECUTE ON FUNCTION r1.gather_cases TO r1_dashboard;

-- ---- what people do with a case ----

-- Refusals by SQLSTATE: R1D04 there is none, R1D09 somebody was faster, R1D22 what was said does not fit, 42501 not allowed.

-- Locks the case as it was seen; who does not own it takes it by this, unless another one does.
CREATE FUNCTION r1.case_hold(p_case bigint, p_version integer) RETURNS r1.fraud_case LANGUAGE plpgsql AS $$
DECLARE c r1.fraud_case;
BEGIN
    SELECT * INTO c FROM r1.fraud_case WHERE id = p_case;
    IF c.id IS NULL THEN RAISE EXCEPTION 'there is no case %', p_case USING ERRCODE = 'R1D04'; END IF;
    IF c.owner IS NOT NULL AND c.owner <> r1.actor() AND NOT pg_has_role(current_user, 'r1_supervisor', 'MEMBER') THEN
        RAISE EXCEPTION 'case % belongs to %', p_case, c.owner USING ERRCODE = 'R1D09';
    END IF;
    SELECT * INTO c FROM r1.fraud_case WHERE id = p_case FOR UPDATE;
    IF c.version IS DISTINCT FROM p_version THEN
        RAISE EXCEPTION 'case % has changed since it was read: expected version %, found %', p_case, p_version, c.version
            USING ERRCODE = 'R1D09';
    END IF;
    RETURN c;
END $$;

-- The free case of the highest priority becomes the actor's; NULL: none is free.
CREATE FUNCTION r1.case_take() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE taken bigint;
BEGIN
    UPDATE r1.fraud_case SET owner = r1.actor(), version = version + 1
    WHERE id = (SELECT id FROM r1.fraud_case WHERE state = 'open' AND owner IS NULL
                ORDER BY priority DESC, id DESC LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING id INTO taken;
    IF taken IS NOT NULL THEN
        INSERT INTO r1.case_event (case_id, actor, type) VALUES (taken, r1.actor(), 'taken');
        PERFORM r1.audit('case.take', 'case ' || taken, '{}');
    END IF;
    RETURN taken;
END $$;

-- p_owner NULL: nobody's.
CREATE FUNCTION r1.case_assign(p_case bigint, p_version integer, p_owner text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE c r1.fraud_case := r1.case_hold(p_case, p_version);
BEGIN
    IF c.state = 'closed' THEN RAISE EXCEPTION 'case % is closed', p_case USING ERRCODE = 'R1D22'; END IF;
    IF p_owner IS NOT NULL AND NOT EXISTS (SELECT FROM r1.dash_user WHERE name = p_owner AND NOT disabled
                                           AND role IN ('analyst', 'supervisor')) THEN
        RAISE EXCEPTION 'owner: expected an analyst or a supervisor, found %', p_owner USING ERRCODE = 'R1D22';
    END IF;
    UPDATE r1.fraud_case SET owner = p_owner, version = version + 1 WHERE id = p_case;
    INSERT INTO r1.case_event (case_id, actor, type, detail)
    VALUES (p_case, r1.actor(), CASE WHEN p_owner IS NULL THEN 'released' WHEN p_owner = r1.actor() THEN 'taken' ELSE 'assigned' END,
            jsonb_build_object('owner', p_owner, 'before', c.owner));
    PERFORM r1.audit('case.assign', 'case ' || p_case, jsonb_build_object('owner', p_owner));
END $$;

CREATE FUNCTION r1.case_note(p_case bigint, p_text text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM r1.fraud_case WHERE id = p_case) THEN
        RAISE EXCEPTION 'there is no case %', p_case USING ERRCODE = 'R1D04';
    END IF;
    IF btrim(p_text) = '' THEN RAISE EXCEPTION 'note: expected some text' USING ERRCODE = 'R1D22'; END IF;
    INSERT INTO r1.case_event (case_id, actor, type, detail) VALUES (p_case, r1.actor(), 'note', jsonb_build_object('text', p_text));
    PERFORM pg_notify('r1_case', p_case || ' note');
    PERFORM r1.audit('case.note', 'case ' || p_case, '{}');
END $$;

-- The label of each alert: those of p_seqs are as the outcome says, the others of the case are the contrary of fraud; NULL: all.
CREATE FUNCTION r1.case_close(c r1.fraud_case, p_outcome text, p_reason text, p_seqs bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE r1.fraud_case SET state = 'closed', outcome = p_outcome, reason_code = p_reason, closed_at = now(), closed_by = r1.actor(),
        proposed_by = NULL, snooze_until = NULL, n_closed = n_closed + 1, version = version + 1, owner = coalesce(owner, r1.actor())
    WHERE id = c.id;
    INSERT INTO r1.case_label (case_id, apply_seq, tx_id, is_fraud, n_closed, decided_by)
    SELECT c.id, a.apply_seq, p.tx_id, p_outcome = 'fraud' AND (p_seqs IS NULL OR a.apply_seq = ANY (p_seqs)), c.n_closed + 1, r1.actor()
    FROM r1.case_alert a JOIN r1.payment p USING (apply_seq) WHERE a.case_id = c.id;
END $$;

-- p_what: fraud, false_positive, unusual (closes it; above the amount of four eyes it waits for a second person), escalate, snooze
-- (p_until), need_information.
CREATE FUNCTION r1.case_decide(p_case bigint, p_version integer, p_what text, p_reason text, p_comment text, p_until timestamptz,
                               p_seqs bigint[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    c r1.fraud_case := r1.case_hold(p_case, p_version);
    closes boolean := p_what IN ('fraud', 'false_positive', 'unusual');
    four boolean; detail jsonb;
BEGIN
    IF c.state IN ('closed', 'approval') THEN
        RAISE EXCEPTION 'case % is %: reopen it first', p_case, CASE c.state WHEN 'closed' THEN 'closed' ELSE 'proposed to be closed' END
            USING ERRCODE = 'R1D22';
    END IF;
    IF coalesce(p_reason, '') !~ '^[a-z0-9_]{1,64}$' THEN
        RAISE EXCEPTION 'reason: expected a code of small letters, found "%"', left(p_reason, 80) USING ERRCODE = 'R1D22';
    END IF;
    IF btrim(coalesce(p_comment, '')) = '' THEN RAISE EXCEPTION 'comment: expected some text' USING ERRCODE = 'R1D22'; END IF;
    detail := jsonb_build_object('outcome', p_what, 'reason', p_reason, 'comment', p_comment, 'score', c.score_max, 'until', p_until,
                                 'payments', to_jsonb(p_seqs));
    IF closes THEN
        IF EXISTS (SELECT FROM unnest(p_seqs) s WHERE NOT EXISTS (SELECT FROM r1.case_alert a WHERE a.apply_seq = s AND a.case_id = p_case))
        THEN RAISE EXCEPTION 'payments: expected alerts of case %', p_case USING ERRCODE = 'R1D22'; END IF;
        four := r1.case_amount(c.at_risk) > r1.case_number('four_eyes_amount');
        IF four THEN
            UPDATE r1.fraud_case SET state = 'approval', outcome = p_what, reason_code = p_reason, proposed_by = r1.actor(),
                owner = coalesce(owner, r1.actor()), version = version + 1 WHERE id = p_case;
            INSERT INTO r1.case_event (case_id, actor, type, detail) VALUES (p_case, r1.actor(), 'proposed', detail);
        ELSE
            PERFORM r1.case_close(c, p_what, p_reason, p_seqs);
            INSERT INTO r1.case_event (case_id, actor, type, detail) VALUES (p_case, r1.actor(), 'decided', detail);
        END IF;
        PERFORM r1.audit(CASE WHEN four THEN 'case.propose' ELSE 'case.decide' END, 'case ' || p_case, detail - 'comment');
        RETURN CASE WHEN four THEN 'approval' ELSE 'closed' END;
    ELSIF p_what = 'escalate' THEN
        UPDATE r1.fraud_case SET state = 'escalated', owner = NULL, version = version + 1 WHERE id = p_case;
    ELSIF p_what = 'snooze' THEN
        IF p_until IS NULL OR p_until NOT BETWEEN now() AND now() + interval '90 days' THEN
            RAISE EXCEPTION 'until: expected a time within the next 90 days, found %', coalesce(p_until::text, 'none')
                USING ERRCODE = 'R1D22';
        END IF;
        UPDATE r1.fraud_case SET state = 'snoozed', snooze_until = p_until, version = version + 1 WHERE id = p_case;
    ELSIF p_what = 'need_information' THEN
        UPDATE r1.fraud_case SET state = 'waiting', version = version + 1 WHERE id = p_case;
    ELSE
        RAISE EXCEPTION 'outcome: expected fraud, false_positive, unusual, escalate, snooze or need_information, found "%"',
            left(p_what, 80) USING ERRCODE = 'R1D22';
    END IF;
    INSERT INTO r1.case_event (case_id, actor, type, detail)
    VALUES (p_case, r1.actor(), CASE p_what WHEN 'escalate' THEN 'escalated' WHEN 'snooze' THEN 'snoozed' ELSE 'waiting' END, detail);
    PERFORM r1.audit('case.' || p_what, 'case ' || p_case, detail - 'comment');
    RETURN p_what;
END $$;

-- The second person agrees or not; never the one who proposed it.
CREATE FUNCTION r1.case_approve(p_case bigint, p_version integer, p_agrees boolean, p_comment text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE c r1.fraud_case := r1.case_hold(p_case, p_version); proposal jsonb; seqs bigint[];
BEGIN
    IF NOT pg_has_role(current_user, 'r1_supervisor', 'MEMBER') THEN
        RAISE EXCEPTION 'a supervisor agrees to it' USING ERRCODE = '42501';
    END IF;
    IF c.state <> 'approval' THEN RAISE EXCEPTION 'case % waits for nobody''s approval', p_case USING ERRCODE = 'R1D22'; END IF;
    IF c.proposed_by = r1.actor() THEN
        RAISE EXCEPTION 'case % was proposed by %: another person agrees to it', p_case, c.proposed_by USING ERRCODE = '42501';
    END IF;
    SELECT detail INTO proposal FROM r1.case_event WHERE case_id = p_case AND type = 'proposed' ORDER BY id DESC LIMIT 1;
    IF jsonb_typeof(proposal -> 'payments') = 'array' THEN
        seqs := ARRAY(SELECT x::bigint FROM jsonb_array_elements_text(proposal -> 'payments') x);
    END IF;
    IF p_agrees THEN
        PERFORM r1.case_close(c, c.outcome, c.reason_code, seqs);
    ELSE
        UPDATE r1.fraud_case SET state = 'open', outcome = NULL, reason_code = NULL, owner = proposed_by, proposed_by = NULL,
            version = version + 1 WHERE id = p_case;
    END IF;
    INSERT INTO r1.case_event (case_id, actor, type, detail)
    VALUES (p_case, r1.actor(), CASE WHEN p_agrees THEN 'approved' ELSE 'refused' END, jsonb_build_object('comment', p_comment));
    PERFORM r1.audit(CASE WHEN p_agrees THEN 'case.approve' ELSE 'case.refuse' END, 'case ' || p_case, '{}');
    RETURN CASE WHEN p_agrees THEN 'closed' ELSE 'open' END;
END $$;

CREATE FUNCTION r1.case_reopen(p_case bigint, p_version integer, p_comment text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE c r1.fraud_case := r1.case_hold(p_case, p_version);
BEGIN
    IF c.state = 'open' OR c.merged_into IS NOT NULL THEN
        RAISE EXCEPTION 'case % is open, or part of another one', p_case USING ERRCODE = 'R1D22';
    END IF;
    IF btrim(coalesce(p_comment, '')) = '' THEN RAISE EXCEPTION 'comment: expected some text' USING ERRCODE = 'R1D22'; END IF;
    UPDATE r1.fraud_case SET state = 'open', outcome = NULL, reason_code = NULL, proposed_by = NULL, closed_at = NULL, closed_by = NULL,
        snooze_until = NULL, owner = r1.actor(), version = version + 1 WHERE id = p_case;
    INSERT INTO r1.case_event (case_id, actor, type, detail)
    VALUES (p_case, r1.actor(), 'reopened', jsonb_build_object('comment', p_comment, 'outcome', c.outcome));
    PERFORM r1.audit('case.reopen', 'case ' || p_case, '{}');
END $$;

-- Everything of p_from becomes part of p_case.
CREATE FUNCTION r1.case_merge(p_case bigint, p_version integer, p_from bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE a r1.fraud_case; b r1.fraud_case;
BEGIN
    IF p_case = p_from THEN RAISE EXCEPTION 'from: expected another case' USING ERRCODE = 'R1D22'; END IF;
    a := r1.case_hold(p_case, p_version);
    SELECT * INTO b FROM r1.fraud_case WHERE id = p_from;
    IF b.id IS NULL THEN RAISE EXCEPTION 'there is no case %', p_from USING ERRCODE = 'R1D04'; END IF;
    b := r1.case_hold(p_from, b.version);
    IF a.state IN ('closed', 'approval') OR b.state IN ('closed', 'approval') THEN
        RAISE EXCEPTION 'both cases must be open' USING ERRCODE = 'R1D22';
    END IF;
    INSERT INTO r1.case_member (case_id, kind, name, joins)
    SELECT p_case, kind, name, joins FROM r1.case_member WHERE case_id = p_from ON CONFLICT DO NOTHING;
    UPDATE r1.case_alert SET case_id = p_case, joined_by = 'merged by ' || r1.actor() WHERE case_id = p_from;
    PERFORM r1.case_weigh(p_case);
    UPDATE r1.fraud_case SET state = 'closed', merged_into = p_case, closed_at = now(), closed_by = r1.actor(), n_alert = 0,
        at_risk = '{}', version = version + 1 WHERE id = p_from;
    INSERT INTO r1.case_event (case_id, actor, type, detail)
    VALUES (p_case, r1.actor(), 'merged', jsonb_build_object('from', p_from)), (p_from, r1.actor(), 'merged', jsonb_build_object('into', p_case));
    PERFORM r1.audit('case.merge', 'case ' || p_case, jsonb_build_object('from', p_from));
END $$;

-- Some alerts become a case of their own; at least one stays.
CREATE FUNCTION r1.case_split(p_case bigint, p_version integer, p_seqs bigint[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE c r1.fraud_case := r1.case_hold(p_case, p_version); made bigint; n integer;
BEGIN
    IF c.state IN ('closed', 'approval') THEN RAISE EXCEPTION 'case % is not open', p_case USING ERRCODE = 'R1D22'; END IF;
    SELECT count(*) INTO n FROM r1.case_alert WHERE case_id = p_case AND apply_seq = ANY (p_seqs);
    IF n = 0 OR n <> cardinality(p_seqs) OR n = c.n_alert THEN
        RAISE EXCEPTION 'payments: expected some and not all alerts of case %', p_case USING ERRCODE = 'R1D22';
    END IF;
    INSERT INTO r1.fraud_case (severity, priority, lead_seq, headline, at_risk, n_alert, n_member, due_at, owner)
    VALUES ('low', 0, p_seqs[1], '', '{}', 0, 0, c.due_at, r1.actor()) RETURNING id INTO made;
    UPDATE r1.case_alert SET case_id = made, joined_by = 'split by ' || r1.actor() WHERE apply_seq = ANY (p_seqs);
    INSERT INTO r1.case_member (case_id, kind, name, joins)
    SELECT DISTINCT made, 'account', m.name, m.joins
    FROM r1.payment p JOIN r1.case_member m ON m.case_id = p_case AND m.kind = 'account' AND m.name IN (p.from_id, p.to_id)
    WHERE p.apply_seq = ANY (p_seqs);
    PERFORM r1.case_weigh(made);
    PERFORM r1.case_weigh(p_case);
    INSERT INTO r1.case_event (case_id, actor, type, detail)
    VALUES (p_case, r1.actor(), 'split', jsonb_build_object('into', made)), (made, r1.actor(), 'split', jsonb_build_object('from', p_case));
    PERFORM r1.audit('case.split', 'case ' || p_case, jsonb_build_object('into', made));
    RETURN made;
END $$;

-- ---- who may do it ----

GRANT SELECT ON r1.payment, r1.decision, r1.finding, r1.label, r1.alert, r1.duplicate, r1.fraud_version, r1.stream_offset,
    r1.fraud_case, r1.case_alert, r1.case_member, r1.case_event, r1.case_label, r1.case_setting TO r1_viewer;
GRANT SELECT (id, app, topic, partition, kafka_offset, stage, reason, received_at, replayed_at) ON r1.dead_letter TO r1_viewer;
GRANT INSERT, UPDATE ON r1.fraud_case TO r1_analyst;
GRANT INSERT, UPDATE (case_id, joined_by) ON r1.case_alert TO r1_analyst;
GRANT INSERT ON r1.case_member, r1.case_event, r1.case_label TO r1_analyst;
GRANT UPDATE ON r1.case_setting TO r1_administrator;
GRANT SELECT ON r1.case_setting TO r1_administrator;
GRANT EXECUTE ON FUNCTION r1.case_weigh TO r1_analyst;
GRANT SELECT, UPDATE (sent_at) ON r1.case_label TO r1_dashboard;
GRANT SELECT ON r1.med_report, r1.med_finding, r1.med_candidate, r1.med_record, r1.med_waiting TO r1_clinician;

ALTER TABLE r1.fraud_case ENABLE ROW LEVEL SECURITY;
CREATE POLICY case_read ON r1.fraud_case FOR SELECT TO r1_viewer USING (true);
CREATE POLICY case_open ON r1.fraud_case FOR INSERT TO r1_analyst WITH CHECK (true);
-- An analyst changes what is free or own, a supervisor anything.
CREATE POLICY case_own ON r1.fraud_case FOR UPDATE TO r1_analyst
    USING (owner IS NULL OR owner = r1.actor() OR pg_has_role(current_user, 'r1_supervisor', 'MEMBER')) WITH CHECK (true);
ALTER TABLE r1.case_event ENABLE ROW LEVEL SECURITY;
CREATE POLICY event_read ON r1.case_event FOR SELECT TO r1_viewer USING (true);
-- Nobody speaks for another.
CREATE POLICY event_own ON r1.case_event FOR INSERT TO r1_analyst WITH CHECK (actor = r1.actor());
ALTER TABLE r1.case_label ENABLE ROW LEVEL SECURITY;
CREATE POLICY label_read ON r1.case_label FOR SELECT TO r1_viewer, r1_dashboard USING (true);
CREATE POLICY label_sent ON r1.case_label FOR UPDATE TO r1_dashboard USING (true);
CREATE POLICY label_own ON r1.case_label FOR INSERT TO r1_analyst WITH CHECK (decided_by = r1.actor());
