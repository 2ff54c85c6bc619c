/* SPDX-License-Identifier: Apache-2.0 */
/* cli_dash_serve.c - serve: the port and the worker, until a signal. */
#include "cli_dashboard.h"
#include "http/http.h"
#include "serve/dash_server.h"
#include "serve/dash_worker.h"
#include "store/store_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TURN_US = 50000, PEM_BYTES_MAX = 1 << 20 };

typedef struct {
    const r1_options *o;
    const char *conninfo;
    char *certificate, *key;
    med_keys *keys; /* NULL: no review is kept */
    dash_pool *pool;
    dash_similar *similar;
    dash_live *live;
    dash_worker *worker;
    dash_server *server;
} dash_job;

static r1_status job_tls(dash_job *j, r1_err *err)
{
    const char *certificate = r1_options_str(j->o, "tls-certificate"),
               *key = r1_options_str(j->o, "tls-key");
    size_t n;
    bool loopback;
    R1_TRY(r1_http_check(r1_options_str(j->o, "http-listen"), &loopback, err));
    if (!certificate != !key)
        R1_FAIL(err, R1_E_INVAL, "expected --tls-certificate and --tls-key together");
    if (!certificate && !loopback && !r1_options_bool(j->o, "plain-http"))
        R1_FAIL(err, R1_E_INVAL,
                "--http-listen: expected an address of this machine alone, or --tls-certificate "
                "with --tls-key; --plain-http allows passwords to cross the network in the clear, "
                "as behind a proxy that has TLS");
    if (!certificate) return R1_OK;
    if (!r1_http_knows_tls())
        R1_FAIL(err, R1_E_INVAL, "this build of libmicrohttpd has no TLS: put a proxy in front");
    R1_TRY(r1_file_private(key, err));
    R1_TRY(r1_file_read(certificate, PEM_BYTES_MAX, &j->certificate, &n, err));
    return r1_file_read(key, PEM_BYTES_MAX, &j->key, &n, err);
}

/* A secret and what it belongs to come together. */
static r1_status job_pair(const dash_job *j, const char *name, const char *secret, r1_err *err)
{
    const char *value = r1_options_str(j->o, name), *token = r1_options_str(j->o, secret);
    if (!value != !token)
        R1_FAIL(err, R1_E_INVAL, "expected --%s and --%s-file together", name, secret);
    return value ? r1_options_private(j->o, secret, err) : R1_OK;
}

static r1_status job_check(dash_job *j, r1_err *err)
{
    const char *topic = r1_options_str(j->o, "labels-topic"), *keys = r1_options_str(j->o, "keys");
    R1_TRY(job_tls(j, err));
    R1_TRY(job_pair(j, "medical", "medical-token", err));
    R1_TRY(job_pair(j, "proxy-header", "proxy-secret", err));
    if (topic) R1_TRY(r1_topic_check(topic, err));
    if (keys) R1_TRY(med_keys_open(&j->keys, keys, err));
    return r1_store_conninfo(j->o, &j->conninfo, err);
}

/* The schema is looked at once, and somebody must be there who can sign in. */
static r1_status job_database(dash_job *j, r1_err *err)
{
    char migrations[R1_PATH_BYTES];
    r1_store *s = NULL;
    r1_rows *rows = NULL;
    R1_TRY(r1_cli_path(j->o, "migrations", migrations, err));
    R1_TRY(dash_pool_new(&j->pool, j->conninfo, (size_t)r1_options_int(j->o, "connections"), err));
    R1_TRY(dash_pool_take(j->pool, &s, err));
    r1_status st = r1_store_migrated(s, migrations, err);
    if (st == R1_OK)
        st = r1_store_query(s, "SELECT count(*) FROM r1.dash_user WHERE NOT disabled", 0, NULL,
                            &rows, err);
    if (st == R1_OK && r1_rows_int(rows, 0, 0) == 0)
        fprintf(stderr, "r1-dashboard serve: nobody can sign in yet: "
                        "r1-dashboard user add NAME --role analyst\n");
    r1_rows_free(rows);
    dash_pool_give(j->pool, s);
    return st;
}

static r1_status job_start(dash_job *j, r1_err *err)
{
    R1_TRY(job_check(j, err));
    R1_TRY(job_database(j, err));
    R1_TRY(dash_similar_new(&j->similar, err));
    R1_TRY(dash_live_start(&j->live, j->conninfo, err));
    const int idle_s = (int)r1_options_int(j->o, "session-idle") * 60,
              max_s = (int)r1_options_int(j->o, "session-max") * 3600;
    const dash_worker_opts w = {.conninfo = j->conninfo,
                                .labels_topic = r1_options_str(j->o, "labels-topic"),
                                .stream = {.brokers = r1_options_str(j->o, "brokers"),
                                           .client_id = "r1-dashboard",
                                           .extra = r1_options_str(j->o, "kafka-extra")},
                                .session_idle_s = idle_s,
                                .session_max_s = max_s,
                                .similar = j->similar};
    R1_TRY(dash_worker_start(&j->worker, &w, err));
    const dash_server_opts o = {.listen = r1_options_str(j->o, "http-listen"),
                                .certificate = j->certificate,
                                .key = j->key,
                                .pool = j->pool,
                                .live = j->live,
                                .similar = j->similar,
                                .session_idle_s = idle_s,
                                .session_max_s = max_s,
                                .proxy_header = r1_options_str(j->o, "proxy-header"),
                                .proxy_secret = r1_options_str(j->o, "proxy-secret"),
                                .medical = r1_options_str(j->o, "medical"),
                                .medical_token = r1_options_str(j->o, "medical-token"),
                                .keys = j->keys,
                                .fraud_metrics = r1_options_str(j->o, "fraud-metrics"),
                                .fraud_config = r1_options_str(j->o, "fraud-config")};
    R1_TRY(dash_server_start(&j->server, &o, err));
    fprintf(stderr, "r1-dashboard serve: ready, %s port %d\n", j->certificate ? "https" : "http",
            dash_server_port(j->server));
    return R1_OK;
}

int dash_serve_command(r1_cli_call *call)
{
    dash_job j = {.o = call->opts};
    r1_cli_log_limit();
    r1_store_end_with_signal();
    r1_status st = job_start(&j, &call->err);
    while (st == R1_OK && !r1_cli_stopped()) {
        usleep(TURN_US);
        r1_cli_log_flush();
    }
    dash_server_stop(j.server);
    dash_worker_stop(j.worker);
    dash_live_stop(j.live);
    dash_pool_free(j.pool);
    dash_similar_free(j.similar);
    med_keys_free(j.keys);
    free(j.certificate);
    free(j.key);
    return st == R1_OK ? R1_EXIT_OK : r1_cli_exit(st);
}

/* clang-format off */
const r1_option dash_serve_rows[] = {
    {.name = "http-listen", .section = "dashboard", .type = R1_OPT_STRING, .def = "127.0.0.1:9480",
     .help = "address and port of the page; port 0: any"},
    {.name = "tls-certificate", .section = "dashboard", .type = R1_OPT_STRING,
     .help = "file of the certificate and its chain, in PEM"},
    {.name = "tls-key", .section = "dashboard", .type = R1_OPT_STRING,
     .help = "file of its key, in PEM, which its owner alone can read"},
    {.name = "plain-http", .section = "dashboard", .type = R1_OPT_BOOL, .def = "false",
     .help = "listen without TLS on an address that other machines reach"},
    {.name = "session-idle", .section = "dashboard", .type = R1_OPT_INT, .def = "30", .min = 1,
     .max = 1440, .unit = "minutes", .help = "without a request, after which a session ends"},
    {.name = "session-max", .section = "dashboard", .type = R1_OPT_INT, .def = "10", .min = 1,
     .max = 168, .unit = "hours", .help = "after which a session ends"},
    {.name = "proxy-header", .section = "dashboard", .type = R1_OPT_STRING,
     .help = "header with the user's name, from a proxy that signs people in, as by OIDC"},
    {.name = "proxy-secret", .section = "dashboard", .type = R1_OPT_STRING, .secret = true,
     .help = "what the proxy says in the header X-R1-Proxy-Secret"},
    {.name = "connections", .section = "dashboard", .type = R1_OPT_INT, .def = "8", .min = 1,
     .max = DASH_POOL_MAX, .help = "to PostgreSQL, for requests; two more are for news and cases"},
    {.name = "fraud-metrics", .section = "dashboard", .type = R1_OPT_STRING,
     .help = "address and port of r1-fraud serve, for the page on health"},
    {.name = "fraud-config", .section = "dashboard", .type = R1_OPT_STRING,
     .help = "settings of r1-fraud serve: a supervisor tries rules and mends dead letters by them"},
    {.name = "medical", .section = "dashboard", .type = R1_OPT_STRING,
     .help = "address and port of r1-medical serve, for clinicians"},
    {.name = "medical-token", .section = "dashboard", .type = R1_OPT_STRING, .secret = true,
     .help = "what r1-medical serve wants of a request"},
    {.name = "keys", .section = "dashboard", .type = R1_OPT_STRING,
     .help = "file of keys that seals reviews of records; none: no review is kept"},
    {.name = "labels-topic", .section = "kafka", .type = R1_OPT_STRING,
     .help = "where outcomes of cases go as labels; none: they wait in r1.case_label"},
    {.name = "brokers", .section = "kafka", .type = R1_OPT_STRING, .def = "127.0.0.1:19092",
     .help = "host:port,host:port"},
    {.name = "kafka-extra", .section = "kafka", .type = R1_OPT_STRING,
     .secret_keys = R1_STREAM_SECRETS, .help = "further librdkafka settings: key=value key=value"},
    R1_STORE_POSTGRES_ROW(R1_STORE_POSTGRES_DEFAULT, R1_STORE_POSTGRES_HELP),
    R1_STORE_DB_ROW(NULL),
    R1_STORE_MIGRATIONS_ROW,
};
/* clang-format on */
const size_t dash_serve_n_row = R1_COUNT(dash_serve_rows);
