-- Medical, review: what a clinician made of a record's findings, and who signed the report. Neither changes afterwards.
-- Run by `r1-dashboard db migrate`, or by psql in the order of the numbers: psql -1 -f 0019_medical_review.sql
INSERT INTO r1.schema_migration (version, name) VALUES (19, '0019_medical_review.sql') ON CONFLICT DO NOTHING;

-- How many clinicians sign a report: 1, or 2 for four eyes.
INSERT INTO r1.case_setting VALUES ('report_signers', 1);
GRANT SELECT ON r1.case_setting TO r1_clinician;

-- The document is {"findings": ..., "report": ...}: each finding with its review, and the ranking with its versions. It quotes the
-- record, so it lies sealed (apps/medical/privacy/med_seal.h), bound to this row.
CREATE SEQUENCE r1.med_review_id;
CREATE TABLE r1.med_review (
    id         bigint PRIMARY KEY,
    made_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    made_by    text NOT NULL,
    before_id  bigint REFERENCES r1.med_review,        -- the review that this one went on from
    n_finding  integer NOT NULL,
    n_accepted integer NOT NULL,
    n_rejected integer NOT NULL,
    n_added    integer NOT NULL,
    n_open     integer NOT NULL,                       -- nobody has looked at them
    signers    integer NOT NULL CHECK (signers IN (1, 2)),  -- how many must sign, as it was set when this was made
    hash       bytea NOT NULL CHECK (length(hash) = 32),    -- SHA-256 of the document
    seal_key   text NOT NULL,
    sealed     bytea NOT NULL);
ALTER TABLE r1.med_review ALTER COLUMN sealed SET STORAGE EXTERNAL;
CREATE INDEX med_review_before ON r1.med_review (before_id);

CREATE TABLE r1.med_signature (
    review_id bigint NOT NULL REFERENCES r1.med_review ON DELETE CASCADE,
    signer    text NOT NULL,
    signed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    hash      bytea NOT NULL,                          -- of the document that was seen
    PRIMARY KEY (review_id, signer));

-- Rows do not change. Who owns the tables may delete one, where a patient asks to be forgotten.
CREATE TRIGGER med_review_grows BEFORE UPDATE OR TRUNCATE ON r1.med_review FOR EACH STATEMENT EXECUTE FUNCTION r1.only_grows();
CREATE TRIGGER med_signature_grows BEFORE UPDATE OR TRUNCATE ON r1.med_signature FOR EACH STATEMENT EXECUTE FUNCTION r1.only_grows();

GRANT USAGE ON SEQUENCE r1.med_review_id TO r1_clinician;
GRANT SELECT, INSERT ON r1.med_review, r1.med_signature TO r1_clinician;
ALTER TABLE r1.med_review ENABLE ROW LEVEL SECURITY;
CREATE POLICY review_read ON r1.med_review FOR SELECT TO r1_clinician USING (true);
CREATE POLICY review_own ON r1.med_review FOR INSERT TO r1_clinician WITH CHECK (made_by = r1.actor());
ALTER TABLE r1.med_signature ENABLE ROW LEVEL SECURITY;
CREATE POLICY signature_read ON r1.med_signature FOR SELECT TO r1_clinician USING (true);
-- Nobody signs for another.
CREATE POLICY signature_own ON r1.med_signature FOR INSERT TO r1_clinician WITH CHECK (signer = r1.actor());

-- How a review stands: draft, waiting for the second clinician, or signed.
CREATE FUNCTION r1.review_state(p_id bigint, p_signers integer) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN n = 0 THEN 'draft' WHEN n < p_signers THEN 'waits_for_second' ELSE 'signed' END
    FROM (SELECT count(*) AS n FROM r1.med_signature WHERE review_id = p_id) s
$$;

-- Signs what was seen; returns the state. Two who sign at a time are one behind the other.
CREATE FUNCTION r1.review_sign(p_id bigint, p_hash text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE v r1.med_review; said text;
BEGIN
    PERFORM pg_advisory_xact_lock(7231, 19);
    SELECT * INTO v FROM r1.med_review WHERE id = p_id;
    IF v.id IS NULL THEN RAISE EXCEPTION 'there is no review %', p_id USING ERRCODE = 'R1D04'; END IF;
    IF encode(v.hash, 'hex') IS DISTINCT FROM p_hash THEN
        RAISE EXCEPTION 'hash: expected that of review %, %, found %', p_id, encode(v.hash, 'hex'), left(p_hash, 80)
            USING ERRCODE = 'R1D09';
    END IF;
    IF EXISTS (SELECT FROM r1.med_signature WHERE review_id = p_id AND signer = r1.actor()) THEN
        RAISE EXCEPTION 'review %: % has signed it, another clinician signs second', p_id, r1.actor() USING ERRCODE = 'R1D09';
    END IF;
    IF r1.review_state(p_id, v.signers) = 'signed' THEN
        RAISE EXCEPTION 'review % is signed', p_id USING ERRCODE = 'R1D09';
    END IF;
    INSERT INTO r1.med_signature (review_id, signer, hash) VALUES (p_id, r1.actor(), v.hash);
    said := r1.review_state(p_id, v.signers);
    PERFORM r1.audit('review.sign', 'review ' || p_id, jsonb_build_object('state', said, 'hash', p_hash));
    RETURN said;
END $$;
