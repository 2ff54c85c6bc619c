/* SPDX-License-Identifier: Apache-2.0 */
/* broker.c - r1-broker: librdkafka's mock cluster as a program on a fixed loopback port, for
 * demos and tests.
 *
 * The mock cluster listens where the kernel likes; this program gives it a fixed port by
 * standing in for bind(), which the dynamic linker lets an executable do for the libraries that
 * it loads. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "cli/r1_cli.h"

#include <dlfcn.h>
#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- the port ---- */

static int next_port; /* of the next listener that asks for any loopback port; 0: leave it alone */

__attribute__((visibility("default"))) int bind(int fd, __CONST_SOCKADDR_ARG target, socklen_t len)
{
    const struct sockaddr *addr = target.__sockaddr__; /* glibc declares a transparent union */
    typedef int (*bind_fn)(int, const struct sockaddr *, socklen_t);
    static bind_fn real;
    if (!real) {
        void *found = dlsym(RTLD_NEXT, "bind");
        memcpy(&real, &found, sizeof real);
    }
    struct sockaddr_in in;
    if (next_port && addr->sa_family == AF_INET && len >= (socklen_t)sizeof in) {
        memcpy(&in, addr, sizeof in);
        if (in.sin_port == 0 && in.sin_addr.s_addr == htonl(INADDR_LOOPBACK)) {
            int one = 1;
            setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
            /* The accepted connections inherit it: the mock leaves Nagle's algorithm on, which
             * holds a second answer back until the client's delayed ACK, 40 ms. */
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            in.sin_port = htons((uint16_t)next_port++);
            return real(fd, (const struct sockaddr *)&in, (socklen_t)sizeof in);
        }
    }
    return real(fd, addr, len);
}

/* librdkafka ends the program where a listener of the mock cluster finds its port taken, so this is
 * asked first. */
static bool port_is_free(int port)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0) return false;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    bool good = !bind(fd, (const struct sockaddr *)&in, (socklen_t)sizeof in) && !listen(fd, 1);
    close(fd);
    return good;
}

/* ---- the command ---- */

static const r1_option serve_rows[] = {
    {.name = "port",
     .type = R1_OPT_INT,
     .def = "19092",
     .min = 1024,
     .max = 65000,
     .help = "loopback port of the broker"},
    {.name = "partitions",
     .type = R1_OPT_INT,
     .def = "4",
     .min = 1,
     .max = 1024,
     .help = "partitions of each of these topics; one that a client makes has 4"},
    {.name = "topics",
     .type = R1_OPT_STRING,
     .def = "payments,labels,decisions,payments.dlq",
     .help = "topics, comma separated; NAME:N has N partitions"},
};

/* librdkafka's broker has this number built in, for topics that it makes by itself. */
enum { MADE_BY_CLIENTS = 4 };

static r1_status make_topics(rd_kafka_mock_cluster_t *mc, const char *topics, int partitions,
                             r1_err *err)
{
    char *copy = strdup(topics), *save = NULL;
    if (!copy) R1_FAIL(err, R1_E_NOMEM, "no memory for the topics");
    r1_status st = R1_OK;
    for (char *t = strtok_r(copy, ",", &save); t && st == R1_OK; t = strtok_r(NULL, ",", &save)) {
        char *colon = strchr(t, ':'), *end = "";
        long n = colon ? strtol(colon + 1, &end, 10) : partitions;
        if (colon) *colon = 0;
        if (n < 1 || n > 1024 || *end) {
            st = r1_err_set(err, R1_E_INVAL, __FILE__, __LINE__,
                            "topic %s: expected 1 to 1024 partitions, found \"%s\"", t,
                            colon ? colon + 1 : "");
            break;
        }
        rd_kafka_resp_err_t code = rd_kafka_mock_topic_create(mc, t, (int)n, 1);
        if (code)
            st = r1_err_set(err, R1_E_STREAM, __FILE__, __LINE__, "topic %s: %s", t,
                            rd_kafka_err2str(code));
    }
    free(copy);
    return st;
}

static r1_status run_cluster(rd_kafka_t *rk, const r1_options *o, r1_err *err)
{
    int port = (int)r1_options_int(o, "port");
    next_port = port;
    rd_kafka_mock_cluster_t *mc = port_is_free(port) ? rd_kafka_mock_cluster_new(rk, 1) : NULL;
    bool taken = next_port == port; /* bind() was not asked, or failed */
    next_port = 0;
    if (!mc || taken)
        R1_FAIL(err, R1_E_IO, "port %d of 127.0.0.1 cannot be taken: is another broker running?",
                port);
    r1_status st =
        make_topics(mc, r1_options_str(o, "topics"), (int)r1_options_int(o, "partitions"), err);
    if (st == R1_OK && r1_options_int(o, "partitions") != MADE_BY_CLIENTS)
        fprintf(stderr,
                "r1-broker: a topic that is not in --topics %s gets %d partitions when a client "
                "asks for it\n",
                r1_options_str(o, "topics"), MADE_BY_CLIENTS);
    if (st == R1_OK) {
        printf("bootstrap.servers=%s\n", rd_kafka_mock_cluster_bootstraps(mc));
        fflush(stdout);
    }
    struct timespec tick = {.tv_nsec = 100000000};
    while (st == R1_OK && !r1_cli_stopped()) nanosleep(&tick, NULL);
    rd_kafka_mock_cluster_destroy(mc);
    return st;
}

static int broker_serve(r1_cli_call *call)
{
    char why[256];
    rd_kafka_conf_t *conf =
        rd_kafka_conf_new(); /* the cluster needs a client to live in; it never connects */
    rd_kafka_conf_set(conf, "log_level", "3", why, sizeof why);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (!rk) {
        rd_kafka_conf_destroy(conf);
        r1_err_set(&call->err, R1_E_STREAM, __FILE__, __LINE__, "librdkafka: %s", why);
        return R1_EXIT_FAILED;
    }
    r1_status st = run_cluster(rk, call->opts, &call->err);
    rd_kafka_destroy(rk);
    return r1_cli_exit(st);
}

static const r1_command commands[] = {
    {.name = "serve",
     .summary = "run the embedded broker until it is stopped. It keeps everything in memory (a "
                "restart loses topics, "
                "messages and "
                "offsets), holds 5 MiB per partition and drops older messages, has no "
                "transactions, access control, "
                "TLS or compaction, "
                "and listens on loopback only: for demos and tests, never for production",
     .examples = "r1-broker serve --port 19092 --partitions 4",
     .options = serve_rows,
     .n_options = R1_COUNT(serve_rows),
     .run = broker_serve},
};

int main(int argc, char **argv)
{
    static const r1_program program = {.name = "r1-broker",
                                       .summary = "an embedded Kafka broker for demos and tests",
                                       .commands = commands,
                                       .n_commands = R1_COUNT(commands)};
    return r1_cli_main(&program, argc, argv);
}
