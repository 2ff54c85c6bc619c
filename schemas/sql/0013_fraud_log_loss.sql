-- Fraud, commits that PostgreSQL lost: after a fail-over to a standby that was behind, the newest commits are gone, which were
-- acknowledged. Until now a service went on where its next batch touched no partition that was set back.
-- Run by `r1-fraud db migrate`, or by psql in the order of the numbers: psql -1 -f 0013_fraud_log_loss.sql
INSERT INTO r1.schema_migration (version, name) VALUES (13, '0013_fraud_log_loss.sql') ON CONFLICT DO NOTHING;

-- Where the log ends, moved in each transaction of its owner. It is of last_epoch alone: another owner reads the log first.
ALTER TABLE r1.log_owner ADD COLUMN last_seq bigint, ADD COLUMN last_epoch bigint;

-- In each transaction of the one process that writes the log: it goes on only in the epoch in which the log was taken, and only behind
-- the row that was committed last. The lock on the row makes a new owner wait for it, so what a rebuild reads is complete.
CREATE FUNCTION r1.move_log(p_app text, p_epoch bigint, p_from bigint, p_to bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE has r1.log_owner;
BEGIN
    UPDATE r1.log_owner SET last_seq = p_to, last_epoch = p_epoch
    WHERE app = p_app AND epoch = p_epoch AND (last_epoch IS DISTINCT FROM p_epoch OR last_seq = p_from);
    IF FOUND THEN RETURN; END IF;
    SELECT * INTO has FROM r1.log_owner WHERE app = p_app;
    IF has.epoch = p_epoch AND has.last_seq < p_from THEN
        RAISE EXCEPTION 'the log of % ends at row %, and rows up to % were committed: PostgreSQL has lost commits', p_app, has.last_seq, p_from
            USING ERRCODE = 'R1F02';
    END IF;
    RAISE EXCEPTION 'the log of % is not in epoch % any more', p_app, p_epoch USING ERRCODE = 'R1F01';
END $$;

-- Rows that were committed and are gone. Their numbers are not given again, so that an id of the decisions topic stays that of one
-- decision. Rows are never changed.
CREATE TABLE r1.log_loss (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL DEFAULT now(),
    app      text NOT NULL,
    owner    text NOT NULL,                            -- who saw it
    from_seq bigint NOT NULL,                          -- apply_seq
    to_seq   bigint NOT NULL CHECK (to_seq >= from_seq));

-- An owner, or a snapshot, knows rows up to p_to. Where the log ends before, that is noted, and from is the first row that is gone. NULL:
-- nothing is, or the log has a newer owner, who has read it as it is.
CREATE FUNCTION r1.note_loss(p_app text, p_epoch bigint, p_owner text, p_to bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE last bigint; has bigint;
BEGIN
    SELECT epoch INTO has FROM r1.log_owner WHERE app = p_app AND epoch <= p_epoch FOR UPDATE;
    IF NOT FOUND THEN RETURN NULL; END IF;
    -- Retention may have dropped the last row, so the rows alone do not tell.
    SELECT greatest((SELECT max(apply_seq) FROM r1.payment), (SELECT max(apply_seq) FROM r1.label),
                    (SELECT max(to_seq) FROM r1.log_loss WHERE app = p_app),
                    (SELECT last_seq FROM r1.log_owner WHERE app = p_app), 0) INTO last;
    IF last >= p_to THEN RETURN NULL; END IF;
    INSERT INTO r1.log_loss (app, owner, from_seq, to_seq) VALUES (p_app, p_owner, last + 1, p_to);
    -- The taking was lost as well: the owner before it does not know of these numbers.
    IF has < p_epoch THEN UPDATE r1.log_owner SET epoch = p_epoch + 1 WHERE app = p_app; END IF;
    RETURN last + 1;
END $$;

GRANT SELECT, INSERT ON r1.log_loss TO r1_fraud_writer;
GRANT SELECT ON r1.log_loss TO r1_reader;
REVOKE EXECUTE ON FUNCTION r1.move_log, r1.note_loss FROM PUBLIC;
GRANT EXECUTE ON FUNCTION r1.move_log, r1.note_loss TO r1_fraud_writer;
