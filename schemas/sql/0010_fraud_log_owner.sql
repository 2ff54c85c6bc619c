-- Fraud, the log's owner: apply_seq numbers one log, so one service writes it. Until now two services of different topics could write to
-- one database: each fenced the owners of its own topics alone, and each rebuilt its state from the rows of both.
-- Run by `r1-fraud db migrate`, or by psql in the order of the numbers: psql -1 -f 0010_fraud_log_owner.sql
INSERT INTO r1.schema_migration (version, name) VALUES (10, '0010_fraud_log_owner.sql') ON CONFLICT DO NOTHING;

-- Whose log this is. A service of another cluster or of other topics is refused; `r1-fraud offsets reset` gives the log to it.
CREATE TABLE r1.log_owner (
    app        text PRIMARY KEY,
    cluster_id text   NOT NULL,
    payments   text   NOT NULL,                        -- topic
    labels     text,                                   -- topic, NULL: none was read so far
    owner      text   NOT NULL,
    epoch      bigint NOT NULL,                        -- raised by each new owner; an older one is fenced
    updated_at timestamptz NOT NULL DEFAULT now());

-- A log from before this migration belongs to the service whose rows it holds. Without a payment the first service takes it.
INSERT INTO r1.log_owner (app, cluster_id, payments, labels, owner, epoch)
SELECT 'fraud', o.cluster_id, o.topic,
       (SELECT l.topic FROM r1.label l ORDER BY l.apply_seq DESC LIMIT 1), o.owner, 1
FROM r1.stream_offset o
WHERE o.app = 'fraud'
  AND o.topic = (SELECT p.topic FROM r1.payment p WHERE p.topic <> 'http' ORDER BY p.apply_seq DESC LIMIT 1)
ORDER BY o.incarnation DESC, o.updated_at DESC LIMIT 1;

-- A service takes the log, or learns whose it is: taken is false where cluster or topics are not those of the log. The first labels
-- topic is taken along; a service without one leaves it as it is.
CREATE FUNCTION r1.take_log(p_app text, p_cluster text, p_payments text, p_labels text, p_owner text,
                            OUT taken boolean, OUT epoch bigint, OUT cluster_id text, OUT payments text, OUT labels text, OUT owner text)
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO r1.log_owner VALUES (p_app, p_cluster, p_payments, p_labels, p_owner, 0) ON CONFLICT DO NOTHING;
    SELECT o.epoch, o.cluster_id, o.payments, o.labels, o.owner INTO epoch, cluster_id, payments, labels, owner
    FROM r1.log_owner o WHERE o.app = p_app FOR UPDATE;
    taken := cluster_id = p_cluster AND payments = p_payments AND coalesce(labels = p_labels, true);
    IF taken THEN
        epoch := epoch + 1;
        labels := coalesce(labels, p_labels);
        owner := p_owner;
        UPDATE r1.log_owner o SET epoch = take_log.epoch, labels = take_log.labels, owner = p_owner, updated_at = now()
        WHERE o.app = p_app;
    END IF;
END $$;

-- In each transaction that writes the log: it goes on only in the epoch in which the log was taken. The lock on the row makes a new
-- owner wait for it, so what a rebuild reads is complete. It is shared, and writes no new version of the row.
CREATE FUNCTION r1.hold_log(p_app text, p_epoch bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM r1.log_owner WHERE app = p_app AND epoch = p_epoch FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the log of % is not in epoch % any more', p_app, p_epoch USING ERRCODE = 'R1F01';
    END IF;
END $$;

-- Who gave the log to other topics or another cluster, and why. Rows are never changed.
CREATE TABLE r1.log_audit (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at            timestamptz NOT NULL DEFAULT now(),
    db_user       text NOT NULL DEFAULT session_user,
    who           text NOT NULL,                       -- user@host of the command
    why           text NOT NULL CHECK (why <> ''),
    app           text NOT NULL,
    from_cluster  text NOT NULL,
    from_payments text NOT NULL,
    from_labels   text,
    to_cluster    text NOT NULL,
    to_payments   text NOT NULL,
    to_labels     text);

-- Gives the log by hand to the topic that now holds its payments or its labels, and fences its owner. A log that nobody has taken stays
-- so.
CREATE FUNCTION r1.reset_log(p_app text, p_cluster text, p_topic text, p_holds text, p_who text, p_why text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE was r1.log_owner; becomes r1.log_owner;
BEGIN
    SELECT * INTO was FROM r1.log_owner WHERE app = p_app FOR UPDATE;
    IF NOT FOUND THEN RETURN; END IF;
    UPDATE r1.log_owner SET cluster_id = p_cluster,
        payments = CASE p_holds WHEN 'payments' THEN p_topic ELSE payments END,
        labels = CASE p_holds WHEN 'labels' THEN p_topic ELSE labels END,
        epoch = epoch + 1, owner = p_who, updated_at = now()
    WHERE app = p_app RETURNING * INTO becomes;
    IF (was.cluster_id, was.payments, was.labels) IS DISTINCT FROM (becomes.cluster_id, becomes.payments, becomes.labels) THEN
        INSERT INTO r1.log_audit (who, why, app, from_cluster, from_payments, from_labels, to_cluster, to_payments, to_labels)
        VALUES (p_who, p_why, p_app, was.cluster_id, was.payments, was.labels, becomes.cluster_id, becomes.payments, becomes.labels);
    END IF;
END $$;

-- Where the guard of event time stands, moved in the transaction of the payment that changed it: the log alone does not tell, since
-- retention may have dropped the last payment, and leaps that are not believed yet stand in no state.
CREATE TABLE r1.time_guard (
    app     text    NOT NULL,
    topic   text    NOT NULL,
    live    boolean NOT NULL,                          -- the last good payment was dated near its message
    n_leap  integer NOT NULL,                          -- leaps in a row that agree
    leap_ms bigint  NOT NULL,                          -- event time of the last leap
    n_good  integer NOT NULL,                          -- payments that were good, counted up to those that settle a stream
    PRIMARY KEY (app, topic));

GRANT SELECT, INSERT, UPDATE ON r1.log_owner, r1.time_guard TO r1_fraud_writer;
GRANT SELECT, INSERT ON r1.log_audit TO r1_fraud_writer;
GRANT SELECT ON r1.log_owner, r1.log_audit, r1.time_guard TO r1_reader;
REVOKE EXECUTE ON FUNCTION r1.take_log, r1.hold_log, r1.reset_log FROM PUBLIC;
GRANT EXECUTE ON FUNCTION r1.take_log, r1.hold_log, r1.reset_log TO r1_fraud_writer;
