-- Fraud, intake: every message with an id gets a decision, also one that cannot be scored, and an id that comes again with other
-- content is kept beside the first. So a payment may lack fields, a decision may lack a score, and an id may stand in two rows.
-- Run by `r1-fraud db migrate`, or by psql in the order of the numbers: psql -1 -f 0005_fraud_intake.sql
INSERT INTO r1.schema_migration (version, name) VALUES (5, '0005_fraud_intake.sql') ON CONFLICT DO NOTHING;

ALTER TABLE r1.payment
    DROP CONSTRAINT payment_tx_id_key,
    ALTER COLUMN ts DROP NOT NULL,
    ALTER COLUMN kind DROP NOT NULL,
    ALTER COLUMN from_id DROP NOT NULL,
    ALTER COLUMN to_id DROP NOT NULL,
    ALTER COLUMN amount_minor DROP NOT NULL,
    ALTER COLUMN currency DROP NOT NULL,
    ADD COLUMN applied boolean NOT NULL DEFAULT true,  -- false: decided apart; it moved no state, and a rebuild leaves it out
    ADD COLUMN content_hash bigint,                    -- of the fields as they were read: tells a repeated message from another
    ADD COLUMN broker_at timestamptz,                  -- when the broker took the message
    ADD COLUMN notes jsonb;                            -- ["country: ..."]: optional fields that were left out or changed
CREATE INDEX payment_tx ON r1.payment (tx_id);

-- NULL where a payment was decided without a score: unscorable, id_reused and the like stand in `rule`.
ALTER TABLE r1.decision ALTER COLUMN score DROP NOT NULL, ALTER COLUMN logit DROP NOT NULL;

CREATE OR REPLACE VIEW r1.alert AS
    SELECT p.tx_id, p.ts, p.kind, p.from_id, p.to_id, p.amount_minor, p.currency, d.decision, d.score, d.degraded, d.reasons, d.rule,
           d.decided_at, d.apply_seq, p.applied, p.notes
    FROM r1.decision d JOIN r1.payment p USING (apply_seq) WHERE d.decision <> 'allow';
