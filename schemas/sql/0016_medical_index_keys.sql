-- Medical, which index keys made the blind indexes of this database: another file of keys is told, where it found nothing before.
-- Refused access is noted in the audit too.
-- Run by `r1-medical db migrate`, or by psql in the order of the numbers: psql -1 -f 0016_medical_index_keys.sql
INSERT INTO r1.schema_migration (version, name) VALUES (16, '0016_medical_index_keys.sql') ON CONFLICT DO NOTHING;

CREATE TABLE r1.med_index_key (
    name        text PRIMARY KEY,                      -- the key's fingerprint, with which each of its indexes begins
    check_value text,                                  -- blind index of a fixed word; NULL: until the key's next use
    first_seen  timestamptz NOT NULL DEFAULT now());
INSERT INTO r1.med_index_key (name)
    SELECT DISTINCT split_part(i, ':', 1)
    FROM (SELECT key_index AS i FROM r1.med_record UNION SELECT record_hash FROM r1.med_record
          UNION SELECT record_hash FROM r1.med_report) x
    WHERE i LIKE '%:%';

ALTER TABLE r1.med_audit DROP CONSTRAINT med_audit_what_check;
ALTER TABLE r1.med_audit ADD CONSTRAINT med_audit_what_check
    CHECK (what IN ('find', 'show', 'rotate', 'adopt', 'retain', 'erase', 'refused'));

GRANT SELECT, INSERT, UPDATE (check_value) ON r1.med_index_key TO r1_medical_writer;
