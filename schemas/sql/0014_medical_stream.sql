-- Medical, records by a topic: each message becomes exactly one row here, in the transaction that moves the offset behind it. What a
-- message holds is kept nowhere: a row names its place in the topic, a hash, and the report.
-- Run by `r1-medical db migrate`, or by psql in the order of the numbers: psql -1 -f 0014_medical_stream.sql
INSERT INTO r1.schema_migration (version, name) VALUES (14, '0014_medical_stream.sql') ON CONFLICT DO NOTHING;

CREATE TABLE r1.med_record (
    cluster_id   text    NOT NULL,
    topic        text    NOT NULL,
    partition    integer NOT NULL CHECK (partition >= 0),
    kafka_offset bigint  NOT NULL CHECK (kafka_offset >= 0),
    key          bytea,                                -- of the message: who sent it knows its record by it
    outcome      text    NOT NULL CHECK (outcome IN ('reported', 'person', 'dead')),
    reason       text    NOT NULL,                     -- why a person or a dead letter; '' for 'reported'
    record_hash  text,                                 -- of the record's bytes; NULL: dead
    report_id    bigint  REFERENCES r1.med_report ON DELETE CASCADE,
    received_at  timestamptz NOT NULL DEFAULT now(),
    handled_at   timestamptz,                          -- when a person had looked at it
    handled_by   text,
    CHECK ((outcome = 'dead') = (report_id IS NULL)),
    PRIMARY KEY (cluster_id, topic, partition, kafka_offset));
CREATE INDEX med_record_report ON r1.med_record (report_id);
CREATE INDEX med_record_waiting ON r1.med_record (received_at) WHERE outcome <> 'reported' AND handled_at IS NULL;

-- What the service could not decide, oldest first: a person looks, and sets handled_at and handled_by.
CREATE VIEW r1.med_waiting AS
    SELECT r.cluster_id, r.topic, r.partition, r.kafka_offset, r.key, r.outcome, r.reason, r.received_at, r.report_id,
           c.disease, c.name, c.probability
    FROM r1.med_record r LEFT JOIN r1.med_candidate c ON c.report_id = r.report_id AND c.rank = 1
    WHERE r.outcome <> 'reported' AND r.handled_at IS NULL
    ORDER BY r.received_at;

GRANT SELECT, INSERT ON r1.med_record TO r1_medical_writer;
GRANT UPDATE (handled_at, handled_by) ON r1.med_record TO r1_medical_writer;
GRANT UPDATE (record_hash) ON r1.med_report TO r1_medical_writer;
GRANT SELECT ON r1.med_waiting TO r1_medical_writer, r1_reader;
GRANT SELECT ON r1.med_record TO r1_reader;
GRANT SELECT, INSERT, UPDATE ON r1.stream_offset TO r1_medical_writer;
GRANT SELECT, INSERT ON r1.dead_letter TO r1_medical_writer;
GRANT EXECUTE ON FUNCTION r1.take_partition(text, text, text, integer, text),
    r1.advance_offset(text, text, text, integer, bigint, bigint, bigint, bigint) TO r1_medical_writer;
