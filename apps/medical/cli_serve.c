/* SPDX-License-Identifier: Apache-2.0 */
/* cli_serve.c - serve: the port, and with a topic the stream of records, until a signal. SIGHUP
 * reads the knowledge base anew. */
#include "cli_medical.h"
#include "ontology/med_sources.h"
#include "serve/med_port.h"
#include "store/store_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TURN_US = 50000, API_BYTES_MAX = 1 << 20, TOKEN_BYTES_MIN = 16 };

typedef struct {
    const r1_options *o;
    char kb[4096], model[4096], migrations[4096];
    char *api;
    med_keys *keys; /* NULL: there is no topic, and nothing is kept */
    med_service *service;
    med_intake *intake;
    med_port *port;
} serve_job;

static r1_status serve_token(const serve_job *j, const char *name, r1_err *err)
{
    const char *token = r1_options_str(j->o, name);
    if (!token) return R1_OK;
    R1_TRY(r1_options_private(j->o, name, err));
    const char *blank = strpbrk(token, " \t\r\n");
    if (blank)
        R1_FAIL(err, R1_E_INVAL, "--%s: expected no blanks, found one behind %zu characters", name,
                (size_t)(blank - token));
    if (strlen(token) < TOKEN_BYTES_MIN)
        R1_FAIL(err, R1_E_INVAL, "--%s: expected at least %d characters, found %zu", name,
                TOKEN_BYTES_MIN, strlen(token));
    return R1_OK;
}

/* What costs nothing is checked first. */
static r1_status serve_check(serve_job *j, r1_err *err)
{
    const r1_options *o = j->o;
    char path[R1_PATH_BYTES];
    size_t n = 0;
    if (!r1_options_str(o, "token"))
        R1_FAIL(err, R1_E_INVAL,
                "--token-file is needed: a file with the token that requests bear, "
                "which its owner alone can read");
    R1_TRY(serve_token(j, "token", err));
    R1_TRY(serve_token(j, "admin-token", err));
    R1_TRY(r1_http_check(r1_options_str(o, "http-listen"), NULL, err));
    if (r1_options_str(o, "topic")) {
        R1_TRY(r1_topic_check(r1_options_str(o, "topic"), err));
        R1_TRY(cli_open_keys(o, "--topic", &j->keys, err));
    }
    R1_TRY(r1_cli_shipped("schemas/http/r1-medical.openapi.json", path, err));
    return r1_file_read(path, API_BYTES_MAX, &j->api, &n, err);
}

static r1_status serve_service(serve_job *j, const r1_cli_call *call, r1_err *err)
{
    const char *kb = r1_options_str(j->o, "kb"), *model = r1_options_str(j->o, "model");
    med_service_opts s = {.precision = cli_precision(call),
                          .pin = r1_options_bool(j->o, "anchors"),
                          .judges = (unsigned)r1_options_int(j->o, "judges")};
    if (!kb) R1_TRY(r1_cli_shipped("ontology/r1med.xml", j->kb, err));
    if (!model) R1_TRY(r1_cli_shipped("models/medical-b.gguf", j->model, err));
    s.kb = kb ? kb : j->kb;
    if (r1_options_bool(j->o, "r1")) s.model = model ? model : j->model;
    return med_service_new(&j->service, &s, err);
}

static r1_status serve_intake(serve_job *j, r1_err *err)
{
    med_intake_opts in = {.service = j->service,
                          .keys = j->keys,
                          .keep_text = r1_options_bool(j->o, "keep-text"),
                          .topic = r1_options_str(j->o, "topic"),
                          .wait_s = (int)r1_options_int(j->o, "wait"),
                          .stream = {.brokers = r1_options_str(j->o, "brokers"),
                                     .client_id = "r1-medical",
                                     .group = r1_options_str(j->o, "group"),
                                     .extra = r1_options_str(j->o, "kafka-extra")}};
    if (!in.topic) return R1_OK;
    R1_TRY(r1_store_conninfo(j->o, &in.conninfo, err));
    if (!in.conninfo)
        R1_FAIL(err, R1_E_INVAL, "--topic needs --postgres: its records become rows there");
    R1_TRY(r1_cli_path(j->o, "migrations", j->migrations, err));
    in.migrations = j->migrations;
    return med_intake_start(&j->intake, &in, err);
}

static r1_status cli_serve_start(serve_job *j, const r1_cli_call *call, r1_err *err)
{
    R1_TRY(serve_check(j, err));
    R1_TRY(serve_service(j, call, err));
    R1_TRY(serve_intake(j, err));
    const med_port_opts p = {.listen = r1_options_str(j->o, "http-listen"),
                             .service = j->service,
                             .intake = j->intake,
                             .token = r1_options_str(j->o, "token"),
                             .admin_token = r1_options_str(j->o, "admin-token"),
                             .per_minute = (unsigned)r1_options_int(j->o, "rate"),
                             .wait_ms = (int)r1_options_int(j->o, "judge-wait"),
                             .api = j->api};
    R1_TRY(med_port_new(&j->port, &p, err));
    fprintf(stderr, "r1-medical serve: ready, http port %d%s%s\n", med_port_number(j->port),
            j->intake ? ", topic " : "", j->intake ? r1_options_str(j->o, "topic") : "");
    return R1_OK;
}

static void serve_reload(serve_job *j)
{
    r1_err err = {0};
    med_service_stats s;
    r1_status st = med_service_reload(j->service, &err);
    med_service_stats_read(j->service, &s);
    if (st == R1_OK)
        r1_log(R1_LOG_INFO, "knowledge_swapped", "knowledge_base=%s diseases=%u", s.checksum,
               s.n_profiled);
    else
        r1_log(R1_LOG_ERROR, "knowledge_kept", "reason=\"%s\"", err.msg);
}

int cli_serve_command(r1_cli_call *call)
{
    serve_job j = {.o = call->opts};
    r1_cli_watch_hangup();
    r1_cli_log_limit();
    r1_status st = cli_serve_start(&j, call, &call->err);
    while (st == R1_OK && !r1_cli_stopped()) {
        usleep(TURN_US);
        if (r1_cli_hangup()) serve_reload(&j);
        if (j.intake && med_intake_failed(j.intake, &call->err)) st = call->err.code;
        r1_cli_log_flush();
    }
    med_port_free(j.port);
    med_intake_stop(j.intake);
    med_service_free(j.service);
    med_keys_free(j.keys);
    free(j.api);
    return st == R1_OK ? R1_EXIT_OK : r1_cli_exit(st);
}

/* clang-format off */
const r1_option cli_serve_rows[] = {
    {.name = "http-listen", .section = "serve", .type = R1_OPT_STRING, .def = "127.0.0.1:9466",
     .help = "address and port of the HTTP service; port 0: any"},
    {.name = "token", .section = "serve", .type = R1_OPT_STRING, .secret = true,
     .help = "what requests bear; from a file that its owner alone can read"},
    {.name = "admin-token", .section = "serve", .type = R1_OPT_STRING, .secret = true,
     .help = "what a request to swap the knowledge base bears; none: SIGHUP alone swaps it"},
    {.name = "rate", .section = "serve", .type = R1_OPT_INT, .def = "600", .min = 1, .max = 1e6,
     .unit = "requests/min", .help = "requests with a token that are taken, all clients together"},
    {.name = "judges", .section = "serve", .type = R1_OPT_INT, .def = "2", .min = 1,
     .max = MED_JUDGES_MAX, .unit = "records", .help = "that are ranked at a time"},
    {.name = "judge-wait", .section = "serve", .type = R1_OPT_INT, .def = "5000", .min = 1,
     .max = 60000, .unit = "ms", .help = "how long a request waits for its turn"},
    CLI_KB_OPTION,
    CLI_R1_OPTIONS,
    {.name = "topic", .section = "kafka", .type = R1_OPT_STRING,
     .help = "of records, such as records; none: no stream"},
    CLI_KEYS_OPTION,
    {.name = "keep-text", .section = "medical", .type = R1_OPT_BOOL, .def = "false",
     .only = "topic",
     .help = "keep each record of the topic, sealed, for `records show`; off: none is kept"},
    {.name = "brokers", .section = "kafka", .type = R1_OPT_STRING, .def = "127.0.0.1:19092",
     .help = "host:port,host:port"},
    {.name = "group", .section = "kafka", .type = R1_OPT_STRING, .def = "r1-medical",
     .help = "consumer group whose offsets lag tools read"},
    {.name = "kafka-extra", .section = "kafka", .type = R1_OPT_STRING,
     .secret_keys = R1_STREAM_SECRETS, .help = "further librdkafka settings: key=value key=value"},
    {.name = "wait", .section = "kafka", .type = R1_OPT_INT, .def = "60", .max = 86400, .unit = "s",
     .help = "for PostgreSQL, the broker and the topic at the start"},
    R1_STORE_POSTGRES_ROW(NULL, "PostgreSQL connection for the records of the topic"),
    R1_STORE_DB_ROW("medical"),
    R1_STORE_MIGRATIONS_ROW,
};
/* clang-format on */
const size_t cli_serve_n_row = R1_COUNT(cli_serve_rows);
