-- Medical reports: which record was read (by its hash only), the findings with their spans, the candidates. Least PHI: no
-- text of the record is stored here; spans are byte offsets into a record that stays where it was.
-- Run by `r1-medical db migrate`, or by psql in the order of the numbers: psql -1 -f 0003_medical.sql
INSERT INTO r1.schema_migration (version, name) VALUES (3, '0003_medical.sql') ON CONFLICT DO NOTHING;

CREATE TABLE r1.med_report (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    record_hash    text NOT NULL,                      -- of the record's bytes
    knowledge_base text NOT NULL,                      -- checksum of the knowledge base
    model          text,                               -- model and version, NULL: ranking without R1
    confident      boolean NOT NULL,
    none_of_these  double precision NOT NULL CHECK (none_of_these BETWEEN 0 AND 1),
    created_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (record_hash, knowledge_base));

CREATE TABLE r1.med_finding (
    report_id bigint NOT NULL REFERENCES r1.med_report ON DELETE CASCADE,
    position  integer NOT NULL,
    finding   text NOT NULL,                           -- HP:... or R1:...
    name      text NOT NULL,
    status    text NOT NULL CHECK (status IN ('present', 'absent', 'family', 'historical', 'hypothetical', 'uncertain')),
    span_from integer NOT NULL CHECK (span_from >= 0),
    span_to   integer NOT NULL CHECK (span_to >= span_from),
    pinned    boolean NOT NULL,
    PRIMARY KEY (report_id, position));

CREATE TABLE r1.med_candidate (
    report_id   bigint NOT NULL REFERENCES r1.med_report ON DELETE CASCADE,
    rank        integer NOT NULL CHECK (rank > 0),
    disease     text NOT NULL,
    name        text NOT NULL,
    probability double precision NOT NULL CHECK (probability BETWEEN 0 AND 1),
    score       double precision NOT NULL,
    PRIMARY KEY (report_id, rank));

GRANT SELECT, INSERT ON r1.med_report, r1.med_finding, r1.med_candidate TO r1_medical_writer;
GRANT SELECT ON r1.med_report, r1.med_finding, r1.med_candidate TO r1_reader;
