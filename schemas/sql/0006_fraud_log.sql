-- Fraud, the log of a year: payments, decisions, findings and labels in partitions by the week in which they were written, so that
-- old weeks are dropped or archived as a whole (`r1-fraud db retain`); the outbox that feeds the topics of decisions and dead
-- letters; and what 0001 took from everybody on the schema public is given back.
-- Run by `r1-fraud db migrate`, or by psql in the order of the numbers: psql -1 -f 0006_fraud_log.sql
INSERT INTO r1.schema_migration (version, name) VALUES (6, '0006_fraud_log.sql') ON CONFLICT DO NOTHING;

-- ---- the neighbours' schema ----

-- 0001 revoked every right on the schema public from PUBLIC, and so a neighbour in the same database could not read its own tables.
-- The setting r1.public_acl is the note that `db migrate` took before 0001 in the same session. Without it USAGE comes back, which is
-- PostgreSQL's own default since version 15.
DO $$
DECLARE
    had text := coalesce(current_setting('r1.public_acl', true), 'USAGE');
    w text;
BEGIN
    FOREACH w IN ARRAY string_to_array(had, ',') LOOP
        IF to_regnamespace('public') IS NOT NULL AND w IN ('USAGE', 'CREATE') THEN
            EXECUTE format('GRANT %s ON SCHEMA public TO PUBLIC', w);
        END IF;
    END LOOP;
END $$;

-- ---- the log in partitions ----

-- written_at never falls from one apply_seq to the next: the writer sees to it. So the oldest partition is the beginning of the log,
-- and dropping it leaves a log that begins later. decision, finding and label get the column here; their older rows carry the time
-- of this migration.
--
-- apply_seq is unique within a partition. Across partitions nothing of PostgreSQL's guards it, as a unique index of a partitioned
-- table must hold the partition key. What guards it: one owner writes, its transaction moves the offsets by compare-and-set and
-- epoch (r1.advance_offset), and apply_seq only rises. The view r1.orphan shows a number that stands twice.
--
-- A week and not a day, because each query that reads the whole log locks every partition and each of its indexes: 400 days of them
-- do not fit into the locks of a server with its default settings (max_locks_per_transaction).
--
-- Tables that hold rows become the first partition as they are: no row is rewritten. They are scanned once, to prove their bounds.
DO $$
DECLARE
    t text; d record; x text; v record; a record;
    -- The first partition ends with this week, in UTC.
    ends text := to_char(date_trunc('week', now() AT TIME ZONE 'UTC') + interval '7 days', 'YYYY-MM-DD') || ' 00:00:00+00';
    filled boolean := false; has_rows boolean;
    views text[] := '{}'; indexes text[];
BEGIN
    -- A view is bound to its table, not to a name: those of others would go on to show the first partition alone.
    SELECT string_agg(DISTINCT w.oid::regclass::text, ', ') INTO x
    FROM pg_depend p JOIN pg_rewrite r ON r.oid = p.objid JOIN pg_class w ON w.oid = r.ev_class
    WHERE p.classid = 'pg_rewrite'::regclass AND p.refobjid IN ('r1.payment'::regclass, 'r1.decision'::regclass,
          'r1.finding'::regclass, 'r1.label'::regclass) AND w.relnamespace <> 'r1'::regnamespace;
    IF x IS NOT NULL THEN
        RAISE EXCEPTION 'views outside of the schema r1 read the tables that become partitioned: %', x
            USING HINT = 'drop them, migrate, and create them again';
    END IF;
    FOR v IN SELECT DISTINCT w.oid, w.relname, w.relacl, w.relowner
             FROM pg_depend p JOIN pg_rewrite r ON r.oid = p.objid JOIN pg_class w ON w.oid = r.ev_class
             WHERE p.classid = 'pg_rewrite'::regclass AND p.refobjid IN ('r1.payment'::regclass, 'r1.decision'::regclass,
                   'r1.finding'::regclass, 'r1.label'::regclass) ORDER BY w.oid LOOP
        views := views || format('CREATE VIEW r1.%I AS %s', v.relname, pg_get_viewdef(v.oid));
        FOR a IN SELECT grantee, privilege_type FROM aclexplode(v.relacl) WHERE grantee <> v.relowner LOOP
            views := views || format('GRANT %s ON r1.%I TO %s', a.privilege_type, v.relname,
                                     CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END);
        END LOOP;
        EXECUTE format('DROP VIEW r1.%I', v.relname);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['payment', 'decision', 'finding', 'label'] LOOP
        EXECUTE format('ALTER TABLE r1.%I ADD COLUMN IF NOT EXISTS written_at timestamptz NOT NULL DEFAULT now()', t);
        EXECUTE format('SELECT EXISTS (SELECT FROM r1.%I)', t) INTO has_rows;
        filled := filled OR has_rows;
        FOR d IN SELECT conname FROM pg_constraint WHERE conrelid = format('r1.%I', t)::regclass AND contype = 'f' LOOP
            EXECUTE format('ALTER TABLE r1.%I DROP CONSTRAINT %I', t, d.conname);
        END LOOP;
    END LOOP;
    FOREACH t IN ARRAY ARRAY['payment', 'decision', 'finding', 'label'] LOOP
        SELECT coalesce(array_agg(pg_get_indexdef(indexrelid)), '{}') INTO indexes
        FROM pg_index WHERE indrelid = format('r1.%I', t)::regclass AND NOT indisunique;
        FOR d IN SELECT indexrelid::regclass::text AS full_name, c.relname
                 FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE indrelid = format('r1.%I', t)::regclass LOOP
            EXECUTE format('ALTER INDEX %s RENAME TO %I', d.full_name, d.relname || '_first');
        END LOOP;
        EXECUTE format('ALTER TABLE r1.%I RENAME TO %I', t, t || '_first');
        EXECUTE format('CREATE TABLE r1.%I (LIKE r1.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMMENTS) '
                       'PARTITION BY RANGE (written_at)', t, t || '_first');
        FOREACH x IN ARRAY indexes LOOP EXECUTE x; END LOOP;
        FOR a IN SELECT grantee, privilege_type FROM pg_class c, aclexplode(c.relacl)
                 WHERE c.oid = format('r1.%I', t || '_first')::regclass AND grantee <> c.relowner LOOP
            EXECUTE format('GRANT %s ON r1.%I TO %s', a.privilege_type, t,
                           CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END);
        END LOOP;
        IF filled THEN
            EXECUTE format('ALTER TABLE r1.%I ATTACH PARTITION r1.%I FOR VALUES FROM (MINVALUE) TO (%L)', t, t || '_first', ends);
        ELSE
            EXECUTE format('DROP TABLE r1.%I', t || '_first');
        END IF;
        -- What no week holds lands here instead of being refused. `db retain` says where this is not empty.
        EXECUTE format('CREATE TABLE r1.%I PARTITION OF r1.%I DEFAULT', t || '_rest', t);
        EXECUTE format('ALTER TABLE r1.%I ADD PRIMARY KEY (%s)', t || '_rest',
                       CASE t WHEN 'finding' THEN 'apply_seq, ordinal' ELSE 'apply_seq' END);
    END LOOP;
    FOREACH x IN ARRAY views LOOP EXECUTE x; END LOOP;
END $$;

-- This week and the next ones that have no partition yet get one. The service calls it, and it has no right to make tables itself: the
-- function runs with its owner's. A lock that does not come in two seconds is left for the next call; rows then go to the rest.
CREATE FUNCTION r1.make_partitions(p_weeks integer, OUT made integer, OUT missing integer, OUT in_rest bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' SET timezone = 'UTC' AS $$
DECLARE
    t text; name text; week timestamptz; n bigint;
BEGIN
    made := 0; missing := 0; in_rest := 0;
    FOREACH t IN ARRAY ARRAY['payment', 'decision', 'finding', 'label'] LOOP
        FOR i IN 0..least(greatest(p_weeks, 0), 60) LOOP
            week := date_trunc('week', now()) + make_interval(weeks => i);
            name := t || to_char(week, '_YYYYMMDD');
            CONTINUE WHEN to_regclass(format('r1.%I', name)) IS NOT NULL;
            BEGIN
                EXECUTE format('CREATE TABLE r1.%I (LIKE r1.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)', name, t);
                EXECUTE format('ALTER TABLE r1.%I ADD PRIMARY KEY (%s)', name,
                               CASE t WHEN 'finding' THEN 'apply_seq, ordinal' ELSE 'apply_seq' END);
                EXECUTE format('ALTER TABLE r1.%I ATTACH PARTITION r1.%I FOR VALUES FROM (%L) TO (%L)', t, name, week,
                               week + interval '7 days');
                made := made + 1;
            EXCEPTION
                WHEN invalid_object_definition THEN NULL; -- the first partition holds this week
                WHEN lock_not_available OR check_violation THEN missing := missing + 1;
            END;
        END LOOP;
        EXECUTE format('SELECT count(*) FROM r1.%I', t || '_rest') INTO n;
        in_rest := in_rest + n;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION r1.make_partitions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION r1.make_partitions TO r1_fraud_writer;
SELECT r1.make_partitions(2);

-- Which weeks there are. from_at NULL: from the beginning; both NULL: the rest.
CREATE VIEW r1.log_partition AS
    SELECT p.relname AS of_table, c.relname AS name,
           substring(pg_get_expr(c.relpartbound, c.oid) FROM $x$FROM \('([^']+)'\)$x$)::timestamptz AS from_at,
           substring(pg_get_expr(c.relpartbound, c.oid) FROM $x$TO \('([^']+)'\)$x$)::timestamptz AS to_at,
           pg_total_relation_size(c.oid) AS bytes
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
    WHERE p.relnamespace = 'r1'::regnamespace AND p.relkind = 'p' AND c.relkind = 'r';
GRANT SELECT ON r1.log_partition TO r1_reader, r1_fraud_writer;

CREATE OR REPLACE VIEW r1.orphan AS
    SELECT d.apply_seq, 'decision without payment' AS fault
    FROM r1.decision d LEFT JOIN r1.payment p USING (apply_seq) WHERE p.apply_seq IS NULL
    UNION ALL
    SELECT p.apply_seq, 'payment without decision' FROM r1.payment p LEFT JOIN r1.decision d USING (apply_seq) WHERE d.apply_seq IS NULL
    UNION ALL
    SELECT d.apply_seq, 'unknown version' FROM r1.decision d
    WHERE NOT EXISTS (SELECT FROM r1.fraud_version v WHERE v.version = d.model)
       OR NOT EXISTS (SELECT FROM r1.fraud_version v WHERE v.version = d.config)
    UNION ALL
    SELECT f.apply_seq, 'finding without payment'
    FROM r1.finding f LEFT JOIN r1.payment p USING (apply_seq) WHERE p.apply_seq IS NULL
    UNION ALL
    SELECT apply_seq, 'apply_seq twice' FROM (SELECT apply_seq FROM r1.payment UNION ALL SELECT apply_seq FROM r1.label) s
    GROUP BY apply_seq HAVING count(*) > 1
    UNION ALL
    SELECT apply_seq, 'decision twice' FROM r1.decision GROUP BY apply_seq HAVING count(*) > 1;

-- What `db retain` did, one row per table and week.
CREATE TABLE r1.retention (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    done_at   timestamptz NOT NULL DEFAULT now(),
    done_by   text NOT NULL DEFAULT session_user,
    of_table  text NOT NULL,
    name      text NOT NULL,                           -- the partition, or the table of which rows were deleted
    from_at   timestamptz,
    to_at     timestamptz NOT NULL,
    n_row     bigint NOT NULL,
    first_seq bigint,
    last_seq  bigint,
    archive   text,                                    -- file, NULL: dropped without one
    sha256    text);                                   -- of the file
GRANT SELECT ON r1.retention TO r1_reader;

-- ---- the outbox ----

-- Rows of r1.decision and r1.dead_letter are the messages; this says how far each topic has them. It moves after the broker has
-- acknowledged, so after a crash some are sent again and none is missing. A topic begins with the row that is new when the service
-- first names it.
CREATE TABLE r1.outbox (
    cluster_id text   NOT NULL,
    app        text   NOT NULL,
    kind       text   NOT NULL CHECK (kind IN ('decision', 'dead_letter')),
    topic      text   NOT NULL,
    next_seq   bigint NOT NULL,                        -- decisions: apply_seq; dead letters: id. Lower ones are acknowledged
    from_at    timestamptz NOT NULL,                   -- decisions: written_at of the last acknowledged, so that old weeks are not read
    epoch      bigint NOT NULL,                        -- raised by each new owner; an older one is fenced
    owner      text   NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (cluster_id, app, kind, topic));
GRANT SELECT, INSERT, UPDATE ON r1.outbox TO r1_fraud_writer;
GRANT SELECT ON r1.outbox TO r1_reader;

CREATE FUNCTION r1.take_outbox(p_cluster text, p_app text, p_kind text, p_topic text, p_owner text,
                               OUT next_seq bigint, OUT from_at timestamptz, OUT epoch bigint)
LANGUAGE sql AS $$
    INSERT INTO r1.outbox AS o (cluster_id, app, kind, topic, next_seq, from_at, epoch, owner)
    SELECT p_cluster, p_app, p_kind, p_topic,
           CASE p_kind WHEN 'decision' THEN coalesce((SELECT apply_seq FROM r1.payment ORDER BY apply_seq DESC LIMIT 1), 0)
                       ELSE coalesce((SELECT max(id) FROM r1.dead_letter), 0) END + 1,
           coalesce((SELECT written_at FROM r1.payment ORDER BY apply_seq DESC LIMIT 1), now() - interval '1 day'), 1, p_owner
    ON CONFLICT (cluster_id, app, kind, topic)
    DO UPDATE SET epoch = o.epoch + 1, owner = excluded.owner, updated_at = now()
    RETURNING o.next_seq, o.from_at, o.epoch
$$;

CREATE FUNCTION r1.move_outbox(p_cluster text, p_app text, p_kind text, p_topic text, p_next bigint, p_from timestamptz, p_epoch bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE r1.outbox SET next_seq = p_next, from_at = p_from, updated_at = now()
    WHERE cluster_id = p_cluster AND app = p_app AND kind = p_kind AND topic = p_topic AND epoch = p_epoch AND next_seq <= p_next;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the outbox of % is not in epoch % any more', p_topic, p_epoch USING ERRCODE = 'R1F01';
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION r1.take_outbox, r1.move_outbox FROM PUBLIC;
GRANT EXECUTE ON FUNCTION r1.take_outbox, r1.move_outbox TO r1_fraud_writer;

-- A dead letter as it came: its key, its headers in their order as [["name", "value"], ...], and no payload where it was a tombstone.
-- A header without value has null; a name or value that is no text of UTF-8 stands as {"hex": "00ff"}.
ALTER TABLE r1.dead_letter
    ALTER payload DROP NOT NULL,
    ADD headers jsonb,
    ADD sent_at timestamptz,                           -- acknowledged by the topic of dead letters
    ADD send_error text;                               -- why the broker can never take it, such as its size
CREATE INDEX dead_letter_unsent ON r1.dead_letter (id) WHERE sent_at IS NULL AND send_error IS NULL;
GRANT UPDATE (sent_at, send_error) ON r1.dead_letter TO r1_fraud_writer;
