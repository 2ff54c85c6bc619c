-- The dashboard: what a case is compared by with past cases.
-- Run by `r1-dashboard db migrate`, or by psql in the order of the numbers: psql -1 -f 0021_dashboard_similar.sql
INSERT INTO r1.schema_migration (version, name) VALUES (21, '0021_dashboard_similar.sql') ON CONFLICT DO NOTHING;

-- Its numbers, its ring, and the reasons of its alerts: code, and the mean contribution over all alerts.
CREATE FUNCTION r1.case_features(p_case bigint) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'score', coalesce(c.score_max, .5), 'amount', log(1 + r1.case_amount(c.at_risk)), 'alerts', ln(1 + c.n_alert),
        'accounts', ln(1 + c.n_member), 'hours', ln(1 + coalesce(extract(epoch FROM c.last_at - c.first_at), 0) / 3600),
        'pattern', c.pattern,
        'reasons', coalesce((SELECT jsonb_object_agg(code, weight) FROM (
            SELECT x ->> 'code' AS code, sum(coalesce((x ->> 'contribution')::float8, 1)) / greatest(c.n_alert, 1) AS weight
            FROM (SELECT apply_seq FROM r1.case_alert WHERE case_id = c.id ORDER BY apply_seq LIMIT 100) a
            JOIN r1.decision d USING (apply_seq), jsonb_array_elements(d.reasons) x
            WHERE x ->> 'code' IS NOT NULL GROUP BY 1) r), '{}'))
    FROM r1.fraud_case c WHERE c.id = p_case
$$;
