-- Fraud, the hot path: payment and decision rows are written by one owner in one transaction, 2,000 a second and more, and are never
-- changed afterwards. A foreign key costs each row a look-up and a row lock there (a quarter of PostgreSQL's time, measured), for
-- a fault that the writer cannot make; r1.orphan lists what the keys would have refused, for checks and operators.
-- Run by `r1-fraud db migrate`, or by psql in the order of the numbers: psql -1 -f 0004_fraud_hot_path.sql
INSERT INTO r1.schema_migration (version, name) VALUES (4, '0004_fraud_hot_path.sql') ON CONFLICT DO NOTHING;

ALTER TABLE r1.decision DROP CONSTRAINT decision_apply_seq_fkey, DROP CONSTRAINT decision_model_fkey, DROP CONSTRAINT decision_config_fkey;

CREATE VIEW r1.orphan AS
    SELECT d.apply_seq, 'decision without payment' AS fault
    FROM r1.decision d LEFT JOIN r1.payment p USING (apply_seq) WHERE p.apply_seq IS NULL
    UNION ALL
    SELECT p.apply_seq, 'payment without decision' FROM r1.payment p LEFT JOIN r1.decision d USING (apply_seq) WHERE d.apply_seq IS NULL
    UNION ALL
    SELECT d.apply_seq, 'unknown version' FROM r1.decision d
    WHERE NOT EXISTS (SELECT FROM r1.fraud_version v WHERE v.version = d.model)
       OR NOT EXISTS (SELECT FROM r1.fraud_version v WHERE v.version = d.config);
GRANT SELECT ON r1.orphan TO r1_reader;
