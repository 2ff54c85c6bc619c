/* SPDX-License-Identifier: GPL-3.0-or-later */
/* offsets.c - the command `offsets`: where each partition stands beside what the broker holds, and
 * how reading goes on where the two do not fit.
 *
 *     --to resume      where it stands; behind what was deleted unread, at the first message that
 *                      is left. The topic is the same, so its incarnation stays
 *     --to beginning   the first message, in a new incarnation
 *     --to end         behind the last message, in a new incarnation: what is there is passed over
 *
 * A reset raises the epochs of the log and of each partition, so an owner that still runs is
 * fenced. It gives the log to this topic and cluster (write/log_owner.h). In the transaction that
 * moves the offsets, r1.offset_audit and r1.log_audit get who, when, from, to and why. */
#include "fleet/lease.h"
#include "serve/settings.h"
#include "stream/stream.h"
#include "write/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_MS = 5000, WITNESS_MS = 2000 };

const r1_option fraud_offsets_rows[] = {
    R1_STORE_POSTGRES_ROW(R1_STORE_POSTGRES_DEFAULT, R1_STORE_POSTGRES_HELP),
    R1_STORE_DB_ROW(NULL),
    FRAUD_BROKERS_ROW,
    FRAUD_KAFKA_EXTRA_ROW,
    {.name = "topic",
     .section = "kafka",
     .type = R1_OPT_STRING,
     .def = "payments",
     .help = "topic whose offsets are meant: that of payments or that of labels"},
    {.name = "to",
     .type = R1_OPT_ENUM,
     .choices = "resume|beginning|end",
     .help = "of reset: resume goes on where each partition stands, or at the first message that "
             "is left; beginning and end begin a new incarnation there"},
    {.name = "holds",
     .type = R1_OPT_ENUM,
     .choices = "payments|labels",
     .help = "of reset: what the topic holds, where the log in the database knows another topic"},
    {.name = "why",
     .type = R1_OPT_STRING,
     .help = "of reset and unshare: the reason, for the audit"},
};
const size_t fraud_offsets_n_row = R1_COUNT(fraud_offsets_rows);

/* One partition: what the database says, and what the broker. */
typedef struct {
    bool stored; /* the database has a row of this cluster */
    int64_t next, incarnation, last_offset;
    uint64_t last_identity;
    int64_t low, high;
    char fault[384]; /* what does not fit; "": nothing */
} partition_state;

typedef struct {
    const r1_options *o;
    r1_store *store;
    r1_consumer *consumer;
    const char *topic;
    char cluster[64];
    char other[64];      /* another cluster that the topic was read from; "": none */
    int64_t incarnation; /* the newest that any cluster has; 0: none */
    const char *holds;   /* "payments" or "labels"; NULL: the log knows other topics */
    char log[384];       /* whose the log is, in words; "": nobody's yet */
    int32_t n;
    partition_state *part; /* n of them */
} offsets;

/* ---- looking ---- */

static r1_status offsets_rows(offsets *f, r1_err *err)
{
    r1_rows *rows;
    const char *param[] = {f->topic};
    R1_TRY(r1_store_query(f->store,
                          "SELECT cluster_id, partition, next_offset, incarnation, last_offset, "
                          "last_identity FROM r1.stream_offset WHERE app = 'fraud' AND topic = $1",
                          1, param, &rows, err));
    for (size_t i = 0; i < r1_rows_count(rows); i++) {
        int64_t p = r1_rows_int(rows, i, 1), incarnation = r1_rows_int(rows, i, 3);
        if (incarnation > f->incarnation) f->incarnation = incarnation;
        if (strcmp(r1_rows_text(rows, i, 0), f->cluster) != 0) {
            if (r1_rows_int(rows, i, 2))
                snprintf(f->other, sizeof f->other, "%s", r1_rows_text(rows, i, 0));
            continue;
        }
        if (p >= f->n) continue; /* the topic has fewer partitions now */
        f->part[p].stored = true;
        f->part[p].next = r1_rows_int(rows, i, 2);
        f->part[p].incarnation = incarnation;
        f->part[p].last_offset = r1_rows_text(rows, i, 4) ? r1_rows_int(rows, i, 4) : -1;
        f->part[p].last_identity = (uint64_t)r1_rows_int(rows, i, 5);
    }
    r1_rows_free(rows);
    return R1_OK;
}

/* Whose the log is, and what the topic is to it. A log of nobody is taken by the first start. */
static r1_status offsets_log(offsets *f, r1_err *err)
{
    r1_rows *rows;
    R1_TRY(r1_store_query(f->store,
                          "SELECT cluster_id, payments, coalesce(labels, 'none'), owner FROM "
                          "r1.log_owner WHERE app = 'fraud'",
                          0, NULL, &rows, err));
    if (r1_rows_count(rows)) {
        const char *payments = r1_rows_text(rows, 0, 1), *labels = r1_rows_text(rows, 0, 2);
        snprintf(f->log, sizeof f->log,
                 "the log is of payments %.80s, labels %.80s, cluster \"%.60s\", owner %.95s",
                 payments, labels, r1_rows_text(rows, 0, 0), r1_rows_text(rows, 0, 3));
        if (!strcmp(f->topic, payments)) f->holds = "payments";
        if (!strcmp(f->topic, labels)) f->holds = "labels";
    } else {
        f->holds = "payments";
    }
    r1_rows_free(rows);
    if (r1_options_has(f->o, "holds")) f->holds = r1_options_str(f->o, "holds");
    return R1_OK;
}

static void offsets_judge(offsets *f)
{
    bool other = *f->other != 0;
    for (int32_t p = 0; p < f->n; p++) other &= !f->part[p].stored;
    for (int32_t p = 0; p < f->n; p++) {
        partition_state *s = &f->part[p];
        if (other)
            snprintf(s->fault, sizeof s->fault, "was read from the cluster \"%s\" before",
                     f->other);
        else if (s->stored && s->next < s->low)
            snprintf(s->fault, sizeof s->fault, "%lld messages were deleted before they were read",
                     (long long)(s->low - s->next));
        else if (s->stored && s->next > s->high)
            snprintf(s->fault, sizeof s->fault, "the topic was made anew, or lost messages");
    }
    if (!other) *f->other = 0;
}

/* Reads the last message of each partition once more. */
static r1_status offsets_witness(offsets *f, r1_err *err)
{
    r1_start *start = calloc(f->n > 0 ? (size_t)f->n : 1, sizeof *start);
    if (!start) R1_FAIL(err, R1_E_NOMEM, "no memory for %d partitions", f->n);
    bool any = false;
    for (int32_t p = 0; p < f->n; p++) {
        const partition_state *s = &f->part[p];
        bool known =
            s->stored && !*s->fault && s->last_offset >= s->low && s->last_offset < s->next;
        start[p] = (r1_start){.next_offset = known ? s->next : s->high,
                              .end_offset = s->high,
                              .witness_offset = known ? s->last_offset : -1,
                              .witness = s->last_identity};
        any |= known;
    }
    r1_status st = any ? r1_consumer_add(f->consumer, 0, start, f->n, err) : R1_OK;
    free(start);
    int64_t until = r1_mono_us() + (int64_t)WITNESS_MS * 1000;
    while (st == R1_OK && any && r1_mono_us() < until && r1_consumer_unseen(f->consumer)) {
        r1_message m;
        r1_err why = {0};
        r1_status one = r1_consumer_poll(f->consumer, 50, &m, &why);
        if (one == R1_OK) r1_message_free(&m);
        int32_t p = r1_consumer_other(f->consumer);
        if (one != R1_E_STREAM || p < 0) continue;
        snprintf(f->part[p].fault, sizeof f->part[p].fault, "%s", why.msg);
    }
    return st;
}

static r1_status offsets_look(offsets *f, r1_err *err)
{
    R1_TRY(r1_consumer_partitions(f->consumer, 0, &f->n, ANSWER_MS, err));
    R1_TRY(r1_consumer_cluster(f->consumer, f->cluster, sizeof f->cluster, ANSWER_MS, err));
    f->part = calloc(f->n > 0 ? (size_t)f->n : 1, sizeof *f->part);
    if (!f->part) R1_FAIL(err, R1_E_NOMEM, "no memory for %d partitions", f->n);
    R1_TRY(offsets_rows(f, err));
    R1_TRY(offsets_log(f, err));
    for (int32_t p = 0; p < f->n; p++)
        R1_TRY(r1_consumer_range(f->consumer, 0, p, &f->part[p].low, &f->part[p].high, ANSWER_MS,
                                 err));
    offsets_judge(f);
    return offsets_witness(f, err);
}

/* ---- show ---- */

static int offsets_show(const offsets *f)
{
    int faults = 0;
    printf("topic %s, cluster \"%s\", incarnation %lld\n", f->topic, f->cluster,
           (long long)f->incarnation);
    if (*f->log) printf("%s\n", f->log);
    printf("%9s %12s %14s %14s %14s  %s\n", "partition", "incarnation", "next offset",
           "broker's first", "broker's next", "state");
    for (int32_t p = 0; p < f->n; p++) {
        const partition_state *s = &f->part[p];
        printf("%9d %12lld %14lld %14lld %14lld  ", p, (long long)s->incarnation,
               (long long)s->next, (long long)s->low, (long long)s->high);
        if (*s->fault)
            printf("%s\n", s->fault);
        else
            printf("%s, %lld to read\n", s->stored ? "good" : "new",
                   (long long)(s->high - (s->next > s->low ? s->next : s->low)));
        faults += *s->fault != 0;
    }
    if (faults)
        printf("%d of %d partitions do not fit: see r1-fraud offsets reset --help\n", faults, f->n);
    return faults ? R1_EXIT_PARTIAL : R1_EXIT_OK;
}

/* ---- reset ---- */

static r1_status reset_target(const offsets *f, int32_t p, int64_t *next, r1_err *err)
{
    const partition_state *s = &f->part[p];
    const char *to = r1_options_str(f->o, "to");
    *next = !strcmp(to, "end") ? s->high : s->low;
    if (strcmp(to, "resume") != 0) return R1_OK;
    bool gap = s->next < s->low;
    if (s->stored) *next = gap ? s->low : s->next;
    if (!*f->other && s->next <= s->high && (!*s->fault || gap)) return R1_OK;
    R1_FAIL(err, R1_E_INVAL,
            "partition %d of %s: expected --to beginning or --to end, found resume, where %s", p,
            f->topic, s->fault);
}

static r1_status reset_one(offsets *f, int32_t p, int64_t incarnation, const char *who, r1_err *err)
{
    int64_t next;
    R1_TRY(reset_target(f, p, &next, err));
    char number[16], inc[24], to[24];
    snprintf(number, sizeof number, "%d", p);
    snprintf(inc, sizeof inc, "%lld", (long long)incarnation);
    snprintf(to, sizeof to, "%lld", (long long)next);
    const char *row[] = {f->cluster, f->topic, number, inc, to, who, r1_options_str(f->o, "why")};
    R1_TRY(r1_store_batch_add(f->store, "reset", R1_COUNT(row), row, err));
    printf("partition %d: from %lld to %lld, incarnation %lld\n", p, (long long)f->part[p].next,
           (long long)next, (long long)incarnation);
    return R1_OK;
}

static r1_status reset_log(const offsets *f, const char *who, r1_err *err)
{
    const char *row[] = {f->cluster, f->topic, f->holds, who, r1_options_str(f->o, "why")};
    return r1_store_batch_add(f->store, "reset_log", R1_COUNT(row), row, err);
}

enum { WHO_BYTES = 160 };

static void offsets_who(char who[WHO_BYTES])
{
    char host[64] = "host";
    const char *user = getenv("USER");
    gethostname(host, sizeof host - 1);
    snprintf(who, WHO_BYTES, "%.80s@%s", user && *user ? user : "unknown", host);
}

static r1_status offsets_reset(offsets *f, r1_err *err)
{
    if (!f->holds)
        R1_FAIL(err, R1_E_INVAL, "topic %s: expected --holds payments or --holds labels, as %s",
                f->topic, f->log);
    char who[WHO_BYTES];
    offsets_who(who);
    bool same = !strcmp(r1_options_str(f->o, "to"), "resume") && f->incarnation;
    int64_t incarnation = f->incarnation + !same;
    R1_TRY(r1_store_prepare(f->store, "reset",
                            "SELECT r1.reset_offset($1, 'fraud', $2, $3::integer, $4::integer, "
                            "$5::bigint, $6, $7)",
                            7, err));
    R1_TRY(r1_store_prepare(f->store, "reset_log",
                            "SELECT r1.reset_log('fraud', $1, $2, $3, $4, $5)", 5, err));
    R1_TRY(r1_store_batch_begin(f->store, err));
    r1_status st = reset_log(f, who, err);
    for (int32_t p = 0; st == R1_OK && p < f->n; p++) st = reset_one(f, p, incarnation, who, err);
    if (st == R1_OK) return r1_store_batch_commit(f->store, err);
    r1_store_batch_abort(f->store);
    return st;
}

/* ---- unshare ---- */

static r1_status offsets_unshare(const offsets *f, r1_err *err)
{
    char who[WHO_BYTES];
    const char *param[] = {who, r1_options_str(f->o, "why")};
    offsets_who(who);
    R1_TRY(r1_store_query(f->store, "SELECT r1.close_shared('fraud', $1, $2)", R1_COUNT(param),
                          param, NULL, err));
    printf("the log goes back to one process; to share it again, begin with a new events-topic\n");
    return R1_OK;
}

/* ---- the command ---- */

static r1_status offsets_store(offsets *f, r1_err *err)
{
    const char *conninfo = NULL;
    R1_TRY(r1_store_conninfo(f->o, &conninfo, err));
    r1_store_end_with_signal();
    return r1_store_open(&f->store, conninfo, "r1-fraud offsets", err);
}

static r1_status offsets_open(offsets *f, r1_err *err)
{
    R1_TRY(r1_topic_check(f->topic, err));
    R1_TRY(offsets_store(f, err));
    const r1_stream_opts opts = {.brokers = r1_options_str(f->o, "brokers"),
                                 .client_id = "r1-fraud-offsets",
                                 .extra = r1_options_str(f->o, "kafka-extra")};
    R1_TRY(r1_consumer_new(&f->consumer, &opts, &f->topic, 1, err));
    return offsets_look(f, err);
}

/* Whether the options are those of the subcommand. */
static r1_status offsets_words(const r1_options *o, const char *what, r1_err *err)
{
    const char *why = r1_options_str(o, "why");
    bool reset = !strcmp(what, "reset"), unshare = !strcmp(what, "unshare");
    if (!reset && !unshare && strcmp(what, "show") != 0)
        R1_FAIL(err, R1_E_INVAL, "expected show, reset or unshare, found \"%s\"", what);
    if (reset && !r1_options_has(o, "to"))
        R1_FAIL(err, R1_E_INVAL,
                "expected reset --to resume|beginning|end --why TEXT, found no --to");
    if ((reset || unshare) && (!why || !*why))
        R1_FAIL(err, R1_E_INVAL, "expected %s%s --why TEXT, found no --why", what,
                reset ? " --to resume|beginning|end" : "");
    return R1_OK;
}

static r1_status offsets_run(offsets *f, const char *what, int *code, r1_err *err)
{
    if (!strcmp(what, "unshare")) {
        R1_TRY(offsets_store(f, err));
        return offsets_unshare(f, err);
    }
    R1_TRY(offsets_open(f, err));
    if (!strcmp(what, "show")) return *code = offsets_show(f), R1_OK;
    R1_TRY(fraud_lease_alone(f->store, err));
    return offsets_reset(f, err);
}

int fraud_command_offsets(r1_cli_call *call)
{
    const char *what = call->n_rest ? call->rest[0] : "show";
    if (offsets_words(call->opts, what, &call->err) != R1_OK) return R1_EXIT_USAGE;
    offsets f = {.o = call->opts, .topic = r1_options_str(call->opts, "topic")};
    int code = R1_EXIT_OK;
    r1_status st = offsets_run(&f, what, &code, &call->err);
    r1_consumer_free(f.consumer);
    r1_store_close(f.store);
    free(f.part);
    return st == R1_OK ? code : r1_cli_exit(st);
}
