-- Fraud, dead letters: how often one was sent back. A letter that was sent back carries the header r1-dlq-id with the id of the letter
-- that it was, so that a message that dies again shows its chain.
-- Run by `r1-fraud db migrate`, or by psql in the order of the numbers: psql -1 -f 0009_fraud_dlq.sql
INSERT INTO r1.schema_migration (version, name) VALUES (9, '0009_fraud_dlq.sql') ON CONFLICT DO NOTHING;

ALTER TABLE r1.dead_letter
    ADD COLUMN replays integer NOT NULL DEFAULT 0,     -- times that `r1-fraud dlq` sent it back
    ADD COLUMN mended boolean NOT NULL DEFAULT false;  -- the last time with another payload
UPDATE r1.dead_letter SET replays = 1 WHERE replayed_at IS NOT NULL;
CREATE INDEX dead_letter_received ON r1.dead_letter (received_at);
GRANT UPDATE (replays, mended) ON r1.dead_letter TO r1_fraud_writer;
