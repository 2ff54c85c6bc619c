-- Fraud, several processes over one stream: which of them live, with which settings, so that one whose state would part from that of the others does not join.
-- Run by `r1-fraud db migrate`, or by psql in the order of the numbers: psql -1 -f 0012_fraud_members.sql
INSERT INTO r1.schema_migration (version, name) VALUES (12, '0012_fraud_members.sql') ON CONFLICT DO NOTHING;

-- One row for each process, which says every second that it lives. Rows of those that have gone stay a week, for whoever asks when.
CREATE TABLE r1.member (
    app     text,
    owner   text,                                      -- host/process
    version text  NOT NULL,                            -- of the program
    state   jsonb NOT NULL,                            -- settings that shape the state, by content: equal for all that live
    decides jsonb NOT NULL,                            -- settings that shape decisions alone, by content
    waits   text  NOT NULL,                            -- settings whose files have changed and need a restart, '': none
    owned   integer NOT NULL,                          -- partitions of payments that the consumer group gave it
    since   timestamptz NOT NULL,
    until   timestamptz NOT NULL,                      -- it counts as live so long; of one that has left: when it did
    PRIMARY KEY (app, owner));

-- The process lives, for p_ms from now. Gives the others that live. Where the state of one of them has other settings, nothing is
-- written. One at a time, so that of two that start together the second sees the first.
CREATE FUNCTION r1.beat_member(p_app text, p_owner text, p_version text, p_state jsonb, p_decides jsonb, p_waits text,
                               p_owned integer, p_ms integer)
RETURNS TABLE (owner text, state text, decides text, owned integer)
LANGUAGE plpgsql AS $$
DECLARE at timestamptz;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    PERFORM FROM r1.sequencer s WHERE s.app = p_app FOR UPDATE;
    at := clock_timestamp();
    IF NOT EXISTS (SELECT FROM r1.member m WHERE m.app = p_app AND m.owner <> p_owner AND m.until > at AND m.state <> p_state) THEN
        INSERT INTO r1.member AS m VALUES (p_app, p_owner, p_version, p_state, p_decides, p_waits, p_owned, at, at + make_interval(secs => p_ms / 1000.0))
        ON CONFLICT ON CONSTRAINT member_pkey DO UPDATE SET version = p_version, state = p_state, decides = p_decides, waits = p_waits, owned = p_owned,
            since = CASE WHEN m.until > at THEN m.since ELSE at END, until = excluded.until;
        DELETE FROM r1.member m WHERE m.app = p_app AND m.until < at - interval '7 days';
    END IF;
    RETURN QUERY SELECT m.owner, m.state::text, m.decides::text, m.owned FROM r1.member m
        WHERE m.app = p_app AND m.owner <> p_owner AND m.until > at ORDER BY m.since, m.owner;
END $$;

-- At an orderly end.
CREATE FUNCTION r1.leave_member(p_app text, p_owner text) RETURNS void LANGUAGE sql AS $$
    UPDATE r1.member SET until = clock_timestamp() WHERE app = p_app AND owner = p_owner
$$;

-- As in 0011, and: a process that lives and is not the sequencer is a process too.
CREATE OR REPLACE FUNCTION r1.close_shared(p_app text, p_who text, p_why text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE o r1.stream_offset; live text;
BEGIN
    IF p_why = '' THEN RAISE EXCEPTION 'expected a reason, found none'; END IF;
    IF NOT EXISTS (SELECT FROM r1.sequencer WHERE app = p_app) THEN RAISE EXCEPTION 'expected a log that is shared, found one of one process'; END IF;
    IF EXISTS (SELECT FROM r1.sequencer WHERE app = p_app AND until > clock_timestamp()) THEN
        RAISE EXCEPTION 'expected that all processes have stopped, found the sequencer %', (SELECT owner FROM r1.sequencer WHERE app = p_app);
    END IF;
    SELECT string_agg(owner, ', ' ORDER BY owner) INTO live FROM r1.member WHERE app = p_app AND until > clock_timestamp();
    IF live IS NOT NULL THEN
        RAISE EXCEPTION 'expected that all processes have stopped, found % (one that was killed counts for ten seconds)', live;
    END IF;
    FOR o IN UPDATE r1.stream_offset SET epoch = epoch + 1, owner = p_who, updated_at = now() WHERE app = p_app RETURNING * LOOP
        INSERT INTO r1.offset_audit (who, why, app, topic, partition, cluster_id, from_incarnation, from_offset, to_incarnation, to_offset)
        VALUES (p_who, p_why, o.app, o.topic, o.partition, o.cluster_id, o.incarnation, o.next_offset, o.incarnation, o.next_offset);
    END LOOP;
    UPDATE r1.log_owner SET epoch = epoch + 1, owner = p_who, updated_at = now() WHERE app = p_app;
    DELETE FROM r1.sequencer WHERE app = p_app;
    DELETE FROM r1.member WHERE app = p_app;
    DELETE FROM r1.time_guard WHERE app = p_app;       -- of before the log was shared: its last rows tell more
END $$;

GRANT SELECT, INSERT, UPDATE, DELETE ON r1.member TO r1_fraud_writer;
GRANT DELETE ON r1.time_guard TO r1_fraud_writer;      -- for close_shared
GRANT SELECT ON r1.member TO r1_reader;
REVOKE EXECUTE ON FUNCTION r1.beat_member, r1.leave_member FROM PUBLIC;
GRANT EXECUTE ON FUNCTION r1.beat_member, r1.leave_member TO r1_fraud_writer;
