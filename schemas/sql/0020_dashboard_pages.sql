-- The dashboard: lists of closed cases in the order of the queue, and the page of retention: what is held, and what `db retain` let go.
-- Run by `r1-dashboard db migrate`, or by psql in the order of the numbers: psql -1 -f 0020_dashboard_pages.sql
INSERT INTO r1.schema_migration (version, name) VALUES (20, '0020_dashboard_pages.sql') ON CONFLICT DO NOTHING;

CREATE INDEX fraud_case_priority ON r1.fraud_case (priority DESC, id DESC);
CREATE INDEX fraud_case_by_due ON r1.fraud_case (due_at, id);

GRANT SELECT ON r1.retention, r1.log_partition TO r1_auditor, r1_administrator;
GRANT SELECT (received_at) ON r1.dead_letter TO r1_administrator;
