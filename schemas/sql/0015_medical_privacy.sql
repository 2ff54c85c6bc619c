-- Medical, privacy: what names a patient or quotes a record lies sealed in r1.med_sealed, bound to its row; a blind index finds it.
-- r1.med_record.key and hashes of 16 digits are of earlier versions: `r1-medical records rotate` seals the one and indexes the other.
-- Run by `r1-medical db migrate`, or by psql in the order of the numbers: psql -1 -f 0015_medical_privacy.sql
INSERT INTO r1.schema_migration (version, name) VALUES (15, '0015_medical_privacy.sql') ON CONFLICT DO NOTHING;

ALTER TABLE r1.med_record ADD COLUMN key_index text;   -- blind index of the message's key; NULL: it had none
CREATE INDEX med_record_key_index ON r1.med_record (key_index);
CREATE INDEX med_record_received ON r1.med_record (received_at);
CREATE INDEX med_report_created ON r1.med_report (created_at);

CREATE TABLE r1.med_sealed (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cluster_id   text    NOT NULL,
    topic        text    NOT NULL,
    partition    integer NOT NULL,
    kafka_offset bigint  NOT NULL,
    kind         text    NOT NULL CHECK (kind IN ('id', 'text')),  -- the message's key; the record
    seal_key     text    NOT NULL,                     -- the name of the key that sealed it
    sealed       bytea   NOT NULL,                     -- apps/medical/privacy/med_seal.h
    UNIQUE (cluster_id, topic, partition, kafka_offset, kind),
    FOREIGN KEY (cluster_id, topic, partition, kafka_offset) REFERENCES r1.med_record ON DELETE CASCADE);
ALTER TABLE r1.med_sealed ALTER COLUMN sealed SET STORAGE EXTERNAL;  -- sealed bytes do not get smaller
CREATE INDEX med_sealed_key ON r1.med_sealed (seal_key, id);

-- As before, with the blind index; `key` is of rows that `records rotate` has not taken in yet.
CREATE OR REPLACE VIEW r1.med_waiting AS
    SELECT r.cluster_id, r.topic, r.partition, r.kafka_offset, r.key, r.outcome, r.reason, r.received_at, r.report_id,
           c.disease, c.name, c.probability, r.key_index
    FROM r1.med_record r LEFT JOIN r1.med_candidate c ON c.report_id = r.report_id AND c.rank = 1
    WHERE r.outcome <> 'reported' AND r.handled_at IS NULL
    ORDER BY r.received_at;

-- Who looked, sealed anew, let go or erased, when, and how many; never a text. Rows are only added.
CREATE TABLE r1.med_audit (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    who     text   NOT NULL,                           -- as the command was told, or the account and host
    db_user text   NOT NULL DEFAULT session_user,
    what    text   NOT NULL CHECK (what IN ('find', 'show', 'rotate', 'adopt', 'retain', 'erase')),
    kind    text   NOT NULL,                           -- id, text, hash, record, report, dead_letter
    n       bigint NOT NULL CHECK (n >= 0),
    detail  text   NOT NULL DEFAULT '');               -- names of keys, a day, a place; nothing of a record

-- The service writes no key in the clear any more, even by mistake.
REVOKE INSERT ON r1.med_record FROM r1_medical_writer;
GRANT INSERT (cluster_id, topic, partition, kafka_offset, key_index, outcome, reason, record_hash, report_id)
    ON r1.med_record TO r1_medical_writer;
GRANT SELECT, INSERT ON r1.med_sealed TO r1_medical_writer;
GRANT SELECT, INSERT ON r1.med_audit TO r1_medical_writer;
GRANT SELECT ON r1.med_audit TO r1_reader;
