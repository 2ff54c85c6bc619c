-- Fraud: the replay log, decisions with their reasons, findings, duplicates, labels.
INSERT INTO r1.schema_migration (version, name) VALUES (2, '0002_fraud.sql') ON CONFLICT DO NOTHING;

-- What decisions were made with: a model file or a rule configuration, named by its hash.
CREATE TABLE r1.fraud_version (
    version   text PRIMARY KEY,
    kind      text NOT NULL CHECK (kind IN ('model', 'config')),
    detail    text NOT NULL,
    first_used_at timestamptz NOT NULL DEFAULT now());

-- Payments in the order in which their owner applied them to its state: the log from which that state is rebuilt.
CREATE TABLE r1.payment (
    apply_seq    bigint PRIMARY KEY,
    tx_id        text   NOT NULL UNIQUE,
    ts           timestamptz NOT NULL,                 -- event time
    kind         text   NOT NULL,
    from_id      text   NOT NULL,
    to_id        text   NOT NULL,
    amount_minor bigint NOT NULL,                      -- in the currency's smallest unit
    currency     text   NOT NULL,
    topic        text   NOT NULL,
    partition    integer NOT NULL,
    kafka_offset bigint NOT NULL,
    payload      text   NOT NULL,                      -- the message as it came, unknown fields included
    written_at   timestamptz NOT NULL DEFAULT now());
CREATE INDEX payment_from ON r1.payment (from_id, ts DESC);
CREATE INDEX payment_to   ON r1.payment (to_id, ts DESC);

CREATE TABLE r1.decision (
    apply_seq   bigint PRIMARY KEY REFERENCES r1.payment,
    decision    text NOT NULL CHECK (decision IN ('allow', 'review', 'block')),
    score       real NOT NULL CHECK (score BETWEEN 0 AND 1), -- calibrated probability
    logit       real NOT NULL,
    degraded    boolean NOT NULL,                      -- rules alone decided: the model was late or absent
    trace       real[] NOT NULL,                       -- prior, then what each evidence step added to the logit
    reasons     jsonb,                                 -- [{code, contribution, text}], in order of contribution
    rule        text,                                  -- the rule or list that decided, NULL: the threshold
    model       text NOT NULL REFERENCES r1.fraud_version,
    config      text NOT NULL REFERENCES r1.fraud_version,
    latency_us  bigint,                                -- from the intended send time to the decision
    decided_at  timestamptz NOT NULL DEFAULT now());
CREATE INDEX decision_alert ON r1.decision (decided_at DESC) WHERE decision <> 'allow';

-- A pattern in the transaction graph around one payment, as evidence.
CREATE TABLE r1.finding (
    apply_seq bigint NOT NULL REFERENCES r1.payment,
    ordinal   integer NOT NULL,
    pattern   text NOT NULL,                           -- cycle, fan_in, scatter_gather...
    accounts  text[] NOT NULL,
    payments  text[] NOT NULL,                         -- tx_id of the edges
    PRIMARY KEY (apply_seq, ordinal));

-- The same tx_id at a second offset: the first one won, this one touched no state.
CREATE TABLE r1.duplicate (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tx_id        text NOT NULL,
    topic        text NOT NULL,
    partition    integer NOT NULL,
    kafka_offset bigint NOT NULL,
    payload      text NOT NULL,
    received_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (topic, partition, kafka_offset));

-- What became known later. apply_seq stands in the same order as that of payments, because labels are state too.
CREATE TABLE r1.label (
    apply_seq bigint PRIMARY KEY,
    tx_id     text NOT NULL,
    is_fraud  boolean NOT NULL,
    known_at  timestamptz NOT NULL,
    source    text NOT NULL,
    topic        text NOT NULL,
    partition    integer NOT NULL,
    kafka_offset bigint NOT NULL,
    payload   text NOT NULL);
CREATE INDEX label_tx ON r1.label (tx_id);

CREATE VIEW r1.alert AS
    SELECT p.tx_id, p.ts, p.kind, p.from_id, p.to_id, p.amount_minor, p.currency, d.decision, d.score, d.degraded, d.reasons, d.rule,
           d.decided_at, d.apply_seq
    FROM r1.decision d JOIN r1.payment p USING (apply_seq) WHERE d.decision <> 'allow';

GRANT SELECT, INSERT ON r1.fraud_version, r1.payment, r1.decision, r1.finding, r1.duplicate, r1.label TO r1_fraud_writer;
GRANT SELECT ON r1.fraud_version, r1.payment, r1.decision, r1.finding, r1.duplicate, r1.label, r1.alert TO r1_reader;
