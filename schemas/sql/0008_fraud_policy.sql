-- Fraud, the policy of each decision: rules and lists change while the service runs, so each row of r1.decision names the version
-- that decided it, what shadow rules would have done, and the list that an account stood on.
-- Run by `r1-fraud db migrate`, or by psql in the order of the numbers: psql -1 -f 0008_fraud_policy.sql
INSERT INTO r1.schema_migration (version, name) VALUES (8, '0008_fraud_policy.sql') ON CONFLICT DO NOTHING;

ALTER TABLE r1.decision ADD COLUMN would jsonb, ADD COLUMN list text;
COMMENT ON COLUMN r1.decision.would IS
    '[{"rule", "action", "why": "shadow" or "cap"}]: rules that matched and did not decide; null: none';
COMMENT ON COLUMN r1.decision.list IS 'the list that decided or made its rule true: NAME: REASON (OWNER); null: none';
