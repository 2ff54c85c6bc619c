-- Sign-ins with names that nobody has. Anybody on the network can send them, so they are counted, and few of them are told one by one.
-- Run by `r1-dashboard db migrate`, or by psql in the order of the numbers: psql -1 -f 0018_dashboard_sign_in.sql
INSERT INTO r1.schema_migration (version, name) VALUES (18, '0018_dashboard_sign_in.sql') ON CONFLICT DO NOTHING;

CREATE TABLE r1.dash_unknown (
    hour timestamptz PRIMARY KEY,                      -- its beginning, UTC
    n    bigint NOT NULL CHECK (n > 0));               -- sign-ins with names that nobody has

-- The first ten of an hour stand in the audit trail with the name that was tried, the eleventh says that the rest is counted. So an hour
-- adds at most eleven rows to the trail and one here, and rows of more than 90 days ago go.
CREATE FUNCTION r1.sign_in_unknown(p_name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE this timestamptz := date_trunc('hour', now(), 'UTC'); found bigint;
BEGIN
    DELETE FROM r1.dash_unknown WHERE hour < this - interval '90 days';
    INSERT INTO r1.dash_unknown AS u VALUES (this, 1) ON CONFLICT (hour) DO UPDATE SET n = u.n + 1 RETURNING n INTO found;
    IF found <= 10 THEN
        PERFORM r1.audit('login.unknown', 'user ' || p_name, '{}');
    ELSIF found = 11 THEN
        PERFORM r1.audit('login.unknown', 'more users', jsonb_build_object('counted_in', 'r1.dash_unknown', 'hour', this));
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION r1.sign_in_unknown FROM PUBLIC;
GRANT EXECUTE ON FUNCTION r1.sign_in_unknown TO r1_dashboard;
GRANT SELECT ON r1.dash_unknown TO r1_auditor, r1_administrator;
