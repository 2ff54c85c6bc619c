-- Fraud, order: which incarnation of a topic an offset belongs to. A topic that was deleted and made again, or another cluster, begins
-- again at offset 0, so that (topic, partition, offset) alone names two messages. `r1-fraud offsets reset` begins an incarnation.
-- Run by `r1-fraud db migrate`, or by psql in the order of the numbers: psql -1 -f 0007_fraud_order.sql
INSERT INTO r1.schema_migration (version, name) VALUES (7, '0007_fraud_order.sql') ON CONFLICT DO NOTHING;

ALTER TABLE r1.stream_offset
    ADD COLUMN incarnation   integer NOT NULL DEFAULT 1,  -- of the topic, counted over all clusters
    ADD COLUMN last_offset   bigint,                      -- the last message that was committed, NULL: none is known
    ADD COLUMN last_identity bigint;                      -- a hash of its time stamp, key and payload

ALTER TABLE r1.dead_letter
    ADD COLUMN incarnation integer NOT NULL DEFAULT 1,
    DROP CONSTRAINT dead_letter_app_topic_partition_kafka_offset_key,
    ADD UNIQUE (app, topic, incarnation, partition, kafka_offset);
ALTER TABLE r1.duplicate
    ADD COLUMN incarnation integer NOT NULL DEFAULT 1,
    DROP CONSTRAINT duplicate_topic_partition_kafka_offset_key,
    ADD UNIQUE (topic, incarnation, partition, kafka_offset);
ALTER TABLE r1.payment ADD COLUMN incarnation integer NOT NULL DEFAULT 1;
ALTER TABLE r1.label ADD COLUMN incarnation integer NOT NULL DEFAULT 1;

-- A new owner takes a partition: raises the epoch and learns where to read on, and what the last message was.
DROP FUNCTION r1.take_partition;
CREATE FUNCTION r1.take_partition(p_cluster text, p_app text, p_topic text, p_partition integer, p_owner text,
                                  OUT next_offset bigint, OUT epoch bigint, OUT incarnation integer,
                                  OUT last_offset bigint, OUT last_identity bigint)
LANGUAGE sql AS $$
    INSERT INTO r1.stream_offset AS o (cluster_id, app, topic, partition, next_offset, epoch, owner, incarnation)
    VALUES (p_cluster, p_app, p_topic, p_partition, 0, 1, p_owner,
            (SELECT coalesce(max(s.incarnation) FILTER (WHERE s.cluster_id = p_cluster), max(s.incarnation) + 1, 1)
             FROM r1.stream_offset s WHERE s.app = p_app AND s.topic = p_topic))
    ON CONFLICT (cluster_id, app, topic, partition)
    DO UPDATE SET epoch = o.epoch + 1, owner = excluded.owner, updated_at = now()
    RETURNING o.next_offset, o.epoch, o.incarnation, o.last_offset, o.last_identity
$$;

-- As advance_offset with seven parameters; p_identity is that of the message before p_new.
CREATE FUNCTION r1.advance_offset(p_cluster text, p_app text, p_topic text, p_partition integer,
                                  p_old bigint, p_new bigint, p_epoch bigint, p_identity bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE r1.stream_offset
    SET next_offset = p_new, last_offset = p_new - 1, last_identity = p_identity, updated_at = now()
    WHERE cluster_id = p_cluster AND app = p_app AND topic = p_topic AND partition = p_partition
      AND next_offset = p_old AND epoch = p_epoch;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'partition % of % is not at offset % in epoch % any more', p_partition, p_topic, p_old, p_epoch
            USING ERRCODE = 'R1F01';
    END IF;
END $$;

-- Who moved offsets by hand, from where to where, and why. Rows are never changed.
CREATE TABLE r1.offset_audit (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at               timestamptz NOT NULL DEFAULT now(),
    db_user          text NOT NULL DEFAULT session_user,
    who              text NOT NULL,                      -- user@host of the command
    why              text NOT NULL CHECK (why <> ''),
    app              text NOT NULL,
    topic            text NOT NULL,
    partition        integer NOT NULL,
    cluster_id       text NOT NULL,                      -- the one that is read from now on
    from_incarnation integer,                            -- NULL: the partition was not read before
    from_offset      bigint,
    to_incarnation   integer NOT NULL,
    to_offset        bigint NOT NULL);

-- Moves one partition by hand, and fences its owner.
CREATE FUNCTION r1.reset_offset(p_cluster text, p_app text, p_topic text, p_partition integer,
                                p_incarnation integer, p_new bigint, p_who text, p_why text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE was r1.stream_offset;
BEGIN
    SELECT * INTO was FROM r1.stream_offset
    WHERE cluster_id = p_cluster AND app = p_app AND topic = p_topic AND partition = p_partition FOR UPDATE;
    INSERT INTO r1.offset_audit (who, why, app, topic, partition, cluster_id, from_incarnation, from_offset, to_incarnation, to_offset)
    VALUES (p_who, p_why, p_app, p_topic, p_partition, p_cluster, was.incarnation, was.next_offset, p_incarnation, p_new);
    INSERT INTO r1.stream_offset AS o (cluster_id, app, topic, partition, next_offset, epoch, owner, incarnation)
    VALUES (p_cluster, p_app, p_topic, p_partition, p_new, 1, p_who, p_incarnation)
    ON CONFLICT (cluster_id, app, topic, partition)
    DO UPDATE SET next_offset = p_new, epoch = o.epoch + 1, owner = p_who, incarnation = p_incarnation, updated_at = now(),
                  last_offset = NULL, last_identity = NULL;
END $$;

GRANT SELECT, INSERT ON r1.offset_audit TO r1_fraud_writer;
GRANT SELECT ON r1.offset_audit TO r1_reader;
REVOKE EXECUTE ON FUNCTION r1.take_partition(text, text, text, integer, text),
    r1.advance_offset(text, text, text, integer, bigint, bigint, bigint, bigint),
    r1.reset_offset(text, text, text, integer, integer, bigint, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION r1.take_partition(text, text, text, integer, text),
    r1.advance_offset(text, text, text, integer, bigint, bigint, bigint, bigint),
    r1.reset_offset(text, text, text, integer, integer, bigint, text, text) TO r1_fraud_writer;
