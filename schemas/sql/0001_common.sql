-- What every application shares: roles, the offsets that make a stream exactly-once, dead letters.
-- Run by `r1-fraud db migrate`, or by psql in the order of the numbers: psql -1 -f 0001_common.sql
CREATE SCHEMA IF NOT EXISTS r1;
CREATE TABLE IF NOT EXISTS r1.schema_migration (
    version integer PRIMARY KEY, name text NOT NULL, checksum text, applied_at timestamptz NOT NULL DEFAULT now());
INSERT INTO r1.schema_migration (version, name) VALUES (1, '0001_common.sql') ON CONFLICT DO NOTHING;

REVOKE ALL ON SCHEMA public FROM PUBLIC;

-- Roles belong to the whole cluster, so they may exist already. None may log in: grant them to login roles.
DO $$
DECLARE r text;
BEGIN
    FOREACH r IN ARRAY ARRAY['r1_fraud_writer', 'r1_medical_writer', 'r1_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', r);
        END IF;
    END LOOP;
END $$;
GRANT USAGE ON SCHEMA r1 TO r1_fraud_writer, r1_medical_writer, r1_reader;
GRANT SELECT ON r1.schema_migration TO r1_fraud_writer, r1_medical_writer, r1_reader;

-- Where the next read of a partition starts. Written only by advance_offset() and take_partition().
CREATE TABLE r1.stream_offset (
    cluster_id  text    NOT NULL,
    app         text    NOT NULL,
    topic       text    NOT NULL,
    partition   integer NOT NULL CHECK (partition >= 0),
    next_offset bigint  NOT NULL CHECK (next_offset >= 0),
    epoch       bigint  NOT NULL,                      -- raised by each new owner; an older one is fenced
    owner       text    NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (cluster_id, app, topic, partition));

-- A new owner takes a partition: raises the epoch and learns where to read on.
CREATE FUNCTION r1.take_partition(p_cluster text, p_app text, p_topic text, p_partition integer, p_owner text,
                                  OUT next_offset bigint, OUT epoch bigint)
LANGUAGE sql AS $$
    INSERT INTO r1.stream_offset AS o (cluster_id, app, topic, partition, next_offset, epoch, owner)
    VALUES (p_cluster, p_app, p_topic, p_partition, 0, 1, p_owner)
    ON CONFLICT (cluster_id, app, topic, partition)
    DO UPDATE SET epoch = o.epoch + 1, owner = excluded.owner, updated_at = now()
    RETURNING o.next_offset, o.epoch
$$;

-- Compare and set, in the transaction that writes the results. A second owner, or a batch that was already written,
-- ends the transaction with SQLSTATE R1F01.
CREATE FUNCTION r1.advance_offset(p_cluster text, p_app text, p_topic text, p_partition integer,
                                  p_old bigint, p_new bigint, p_epoch bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE r1.stream_offset SET next_offset = p_new, updated_at = now()
    WHERE cluster_id = p_cluster AND app = p_app AND topic = p_topic AND partition = p_partition
      AND next_offset = p_old AND epoch = p_epoch;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'partition % of % is not at offset % in epoch % any more', p_partition, p_topic, p_old, p_epoch
            USING ERRCODE = 'R1F01';
    END IF;
END $$;

-- What could not be processed, with its reason, in the transaction that moves the offset past it.
CREATE TABLE r1.dead_letter (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    app         text NOT NULL,
    topic       text NOT NULL,
    partition   integer NOT NULL,
    kafka_offset bigint NOT NULL,
    stage       text NOT NULL,                         -- decode | validate | write
    reason      text NOT NULL,
    key         bytea,
    payload     bytea NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    replayed_at timestamptz,
    UNIQUE (app, topic, partition, kafka_offset));

GRANT SELECT, INSERT, UPDATE ON r1.stream_offset TO r1_fraud_writer;
GRANT SELECT, INSERT ON r1.dead_letter TO r1_fraud_writer;
GRANT UPDATE (replayed_at) ON r1.dead_letter TO r1_fraud_writer;
GRANT SELECT ON r1.stream_offset, r1.dead_letter TO r1_reader;
REVOKE EXECUTE ON FUNCTION r1.take_partition, r1.advance_offset FROM PUBLIC;
GRANT EXECUTE ON FUNCTION r1.take_partition, r1.advance_offset TO r1_fraud_writer;
