-- Fraud, several processes over one stream: who appends to the topic of events that all of them read, and which log that topic is of.
-- Run by `r1-fraud db migrate`, or by psql in the order of the numbers: psql -1 -f 0011_fraud_shared.sql
INSERT INTO r1.schema_migration (version, name) VALUES (11, '0011_fraud_shared.sql') ON CONFLICT DO NOTHING;

-- The sequencer: one process at a time, for as long as it renews its lease by the clock of the database. Events of an epoch that is
-- not the newest in the topic are void, so the lease says who works, and not what counts.
CREATE TABLE r1.sequencer (
    app        text PRIMARY KEY,
    cluster_id text   NOT NULL,
    events     text   NOT NULL,                        -- the topic
    log_id     bigint,                                 -- of the topic's first event, NULL: it holds none yet
    epoch      bigint NOT NULL,                        -- raised by each new sequencer
    owner      text   NOT NULL,
    until      timestamptz NOT NULL,                   -- then another one may take over
    updated_at timestamptz NOT NULL DEFAULT now());

-- Asks for the lease, or renews it: p_epoch is the asker's own, 0 where it has none; p_seen is the highest one that the topic holds.
-- epoch is 0 where another process has it. Where cluster or topic are not those of the log, events and cluster_id say whose it is.
CREATE FUNCTION r1.lease_sequencer(p_app text, p_cluster text, p_events text, p_owner text, p_epoch bigint, p_seen bigint, p_ms integer,
                                   OUT epoch bigint, OUT owner text, OUT cluster_id text, OUT events text, OUT log_id bigint)
LANGUAGE plpgsql AS $$
DECLARE had r1.sequencer;
BEGIN
    IF p_ms > 0 THEN
        INSERT INTO r1.sequencer VALUES (p_app, p_cluster, p_events, NULL, 0, '', clock_timestamp()) ON CONFLICT DO NOTHING;
    END IF;
    SELECT * INTO had FROM r1.sequencer s WHERE s.app = p_app FOR UPDATE;
    epoch := 0; owner := had.owner; cluster_id := had.cluster_id; events := had.events; log_id := had.log_id;
    IF p_ms <= 0 OR had.cluster_id <> p_cluster OR had.events <> p_events THEN RETURN; END IF;
    IF had.owner = p_owner AND had.epoch = p_epoch AND p_epoch > 0 AND p_epoch >= p_seen THEN
        epoch := p_epoch;
    ELSIF had.until <= clock_timestamp() OR had.owner = p_owner THEN
        epoch := greatest(had.epoch, p_seen) + 1;
        owner := p_owner;
    ELSE
        RETURN;
    END IF;
    UPDATE r1.sequencer s SET epoch = lease_sequencer.epoch, owner = p_owner, updated_at = now(),
        until = clock_timestamp() + make_interval(secs => p_ms / 1000.0)
    WHERE s.app = p_app;
END $$;

-- At an orderly end: the next one need not wait.
CREATE FUNCTION r1.release_sequencer(p_app text, p_owner text, p_epoch bigint) RETURNS void LANGUAGE sql AS $$
    UPDATE r1.sequencer SET until = clock_timestamp(), updated_at = now()
    WHERE app = p_app AND owner = p_owner AND epoch = p_epoch
$$;

-- The log is open to several processes from now on: its topic's first event has this id.
CREATE FUNCTION r1.open_shared(p_app text, p_log bigint) RETURNS bigint LANGUAGE sql AS $$
    UPDATE r1.sequencer SET log_id = coalesce(log_id, p_log), updated_at = now() WHERE app = p_app RETURNING log_id
$$;

-- The log goes back to one process, or to another topic of events: every owner is fenced. For an operator, who has stopped all.
CREATE FUNCTION r1.close_shared(p_app text, p_who text, p_why text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE o r1.stream_offset;
BEGIN
    IF p_why = '' THEN RAISE EXCEPTION 'expected a reason, found none'; END IF;
    IF NOT EXISTS (SELECT FROM r1.sequencer WHERE app = p_app) THEN RAISE EXCEPTION 'expected a log that is shared, found one of one process'; END IF;
    IF EXISTS (SELECT FROM r1.sequencer WHERE app = p_app AND until > clock_timestamp()) THEN
        RAISE EXCEPTION 'expected that all processes have stopped, found the sequencer %', (SELECT owner FROM r1.sequencer WHERE app = p_app);
    END IF;
    FOR o IN UPDATE r1.stream_offset SET epoch = epoch + 1, owner = p_who, updated_at = now() WHERE app = p_app RETURNING * LOOP
        INSERT INTO r1.offset_audit (who, why, app, topic, partition, cluster_id, from_incarnation, from_offset, to_incarnation, to_offset)
        VALUES (p_who, p_why, o.app, o.topic, o.partition, o.cluster_id, o.incarnation, o.next_offset, o.incarnation, o.next_offset);
    END LOOP;
    UPDATE r1.log_owner SET epoch = epoch + 1, owner = p_who, updated_at = now() WHERE app = p_app;
    DELETE FROM r1.sequencer WHERE app = p_app;
END $$;

GRANT SELECT, INSERT, UPDATE, DELETE ON r1.sequencer TO r1_fraud_writer;
GRANT SELECT ON r1.sequencer TO r1_reader;
REVOKE EXECUTE ON FUNCTION r1.lease_sequencer, r1.release_sequencer, r1.open_shared, r1.close_shared FROM PUBLIC;
GRANT EXECUTE ON FUNCTION r1.lease_sequencer, r1.release_sequencer, r1.open_shared, r1.close_shared TO r1_fraud_writer;
