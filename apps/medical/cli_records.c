/* SPDX-License-Identifier: Apache-2.0 */
/* cli_records.c - what is stored of patients: keys, look-ups, one record opened, a fresh key for
 * all, retention, erasure. */
#include "cli_medical.h"
#include "print/med_put.h"
#include "records/med_records.h"
#include "store/store_command.h"
#include "text/r1_utf8.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DAYS_MAX = 36500, WHO_BYTES = 256 };

typedef struct {
    const r1_options *o;
    char who[WHO_BYTES];
    med_keys *keys;
    med_records m;
} records_job;

/* --by, or the account and the host. */
static void records_who(records_job *j)
{
    const char *by = r1_options_str(j->o, "by");
    const struct passwd *account = getpwuid(getuid());
    char host[64] = "host";
    gethostname(host, sizeof host - 1);
    if (by)
        snprintf(j->who, sizeof j->who, "%.250s", by);
    else if (account)
        snprintf(j->who, sizeof j->who, "%.100s@%.60s", account->pw_name, host);
    else
        snprintf(j->who, sizeof j->who, "%ld@%.60s", (long)getuid(), host);
}

/* why: what needs keys; NULL: nothing does. */
static r1_status records_open(records_job *j, const r1_cli_call *call, const char *why, r1_err *err)
{
    const char *conninfo = NULL;
    j->o = call->opts;
    cli_private_files();
    records_who(j);
    if (why && !r1_options_has(j->o, "keys")) return cli_open_keys(j->o, why, &j->keys, err);
    R1_TRY(r1_store_conninfo(j->o, &conninfo, err));
    const r1_store_opts opts = {.application = "r1-medical records",
                                .statement_s = r1_options_int(j->o, "admin-timeout")};
    j->m = (med_records){.who = j->who};
    r1_store_end_with_signal();
    R1_TRY(r1_store_open_with(&j->m.store, conninfo, &opts, err));
    if (!why) return R1_OK;
    r1_err again;
    r1_status st = cli_open_keys(j->o, why, &j->keys, err);
    if (st != R1_OK) med_records_audit(&j->m, "refused", "keys", 0, why, &again);
    j->m.keys = j->keys;
    return st;
}

static int records_close(records_job *j, r1_status st)
{
    r1_store_close(j->m.store);
    med_keys_free(j->keys);
    return st == R1_OK ? R1_EXIT_OK : r1_cli_exit(st);
}

/* ---- key ---- */

int cli_key_command(r1_cli_call *call)
{
    const char *path = r1_options_str(call->opts, "keys"),
               *label = r1_options_str(call->opts, "label");
    char name[MED_KEY_NAME_BYTES], today[16];
    time_t now = (time_t)(r1_time_us() / 1000000);
    struct tm tm;
    strftime(today, sizeof today, "%Y-%m-%d", gmtime_r(&now, &tm));
    r1_status st = R1_OK;
    if (!path)
        st = r1_err_set(&call->err, R1_E_INVAL, __FILE__, __LINE__,
                        "expected --keys FILE, the file to be made or to get a fresh key");
    if (st == R1_OK) st = med_keys_add(path, label ? label : today, name, &call->err);
    if (st != R1_OK) return r1_cli_exit(st);
    med_put(stdout, MED_TEXT_LINE, "key %s seals from the next start of a service on\n", name);
    med_put(stdout, MED_TEXT_LINE,
            "keep a copy of %s elsewhere than the database's: without it what is sealed is lost\n",
            path);
    return R1_EXIT_OK;
}

/* ---- find ---- */

static void find_print(void *ctx, const med_stored *r)
{
    static const char columns[] = "place\toutcome\treceived\treport\tdisease\tname\tprobability"
                                  "\tid\treason\n";
    size_t *n = ctx;
    if (!(*n)++) fputs(columns, stdout);
    if (r->topic)
        med_put(stdout, MED_TABLE, "%s/%s/%s", r->topic, r->partition, r->offset);
    else
        fputs("r1-medical report", stdout);
    med_put(stdout, MED_TABLE, "\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r->outcome, r->received,
            r->report ? r->report : "", r->disease ? r->disease : "", r->name ? r->name : "",
            r->probability ? r->probability : "", r->id ? r->id : "", r->why ? r->why : r->reason);
}

/* Refuses keys that are not the database's. Says which rows they do not find. */
static r1_status records_admit(records_job *j, const char *what, r1_err *err)
{
    char others[200] = "";
    R1_TRY(med_records_admit(&j->m, what, MED_KNOWN_READ, others, sizeof others, err));
    if (*others)
        fprintf(stderr,
                "some rows are indexed by another key (%s): they are not found by this one. "
                "`records rotate` indexes ids anew; indexes of records stay\n",
                others);
    return R1_OK;
}

/* The blind index of --id or of the file --record; *by says which. */
static r1_status records_index(const records_job *j, med_find_by *by, char index[MED_INDEX_BYTES],
                               r1_err *err)
{
    const char *id = r1_options_str(j->o, "id"), *path = r1_options_str(j->o, "record");
    if (!id == !path) R1_FAIL(err, R1_E_INVAL, "expected one of --id ID and --record FILE");
    *by = id ? MED_FIND_INDEX : MED_FIND_RECORD;
    if (id && med_index_id_is_blank(id, strlen(id)))
        R1_FAIL(err, R1_E_INVAL,
                "--id: expected an id with at least one character beside blanks, found %zu bytes "
                "of blanks",
                strlen(id));
    if (id) {
        med_index_of_id(j->keys, id, strlen(id), index);
        return R1_OK;
    }
    char *bytes = NULL;
    size_t len = 0;
    R1_TRY(r1_file_read(path, MED_DOCUMENT_BYTES_MAX, &bytes, &len, err));
    med_index_of_record(j->keys, bytes, len, index);
    free(bytes);
    return R1_OK;
}

static r1_status find_run(records_job *j, r1_cli_call *call, r1_err *err)
{
    char index[MED_INDEX_BYTES] = "";
    med_find_by by = MED_FIND_WAITING;
    size_t n = 0;
    bool more = false, waiting = r1_options_bool(call->opts, "waiting");
    R1_TRY(records_open(j, call, "a look-up", err));
    if (waiting && (r1_options_has(j->o, "id") || r1_options_has(j->o, "record")))
        R1_FAIL(err, R1_E_INVAL, "expected one of --waiting, --id and --record, found two");
    if (!waiting) R1_TRY(records_index(j, &by, index, err));
    R1_TRY(records_admit(j, "find", err));
    R1_TRY(med_records_find(&j->m, by, index, find_print, &n, &more, err));
    fprintf(stderr, "%zu records%s\n", n, more ? ", and more: the oldest are shown" : "");
    return R1_OK;
}

int cli_find_command(r1_cli_call *call)
{
    records_job j = {0};
    return records_close(&j, find_run(&j, call, &call->err));
}

/* ---- show ---- */

/* Line by line: nothing of it may move the reader's terminal. */
static void show_text(const char *text)
{
    putchar('\n');
    for (size_t len; *text; text += len) {
        len = strcspn(text, "\n");
        for (size_t at = 0, n; at < len; at += n) {
            n = len - at < MED_SPAN_MAX ? len - at : MED_SPAN_MAX;
            med_put(stdout, MED_TEXT_LINE, "%.*s", (int)n, text + at);
        }
        putchar('\n');
        len += text[len] == '\n';
    }
}

static r1_status show_print(const med_opened *o, const char *out, r1_err *err)
{
    med_put(stdout, MED_TEXT_LINE, "outcome: %s\nreason: %s\nreceived: %s\n", o->outcome, o->reason,
            o->received);
    med_put(stdout, MED_TEXT_LINE, "id: %s\n", o->id ? o->id : "none");
    if (!o->text) {
        puts("text: not kept; `serve` keeps it with --keep-text, and the topic may still have it");
        return R1_OK;
    }
    if (out) return r1_file_write(out, o->text, o->text_len, err);
    if (strlen(o->text) != o->text_len || !r1_utf8_valid(o->text, o->text_len))
        R1_FAIL(err, R1_E_INVAL, "the record is no text: expected --out FILE for its %zu bytes",
                o->text_len);
    show_text(o->text);
    return R1_OK;
}

static r1_status show_run(records_job *j, r1_cli_call *call, r1_err *err)
{
    med_opened o;
    R1_TRY(records_open(j, call, "a sealed record", err));
    R1_TRY(records_admit(j, "show", err));
    r1_status st = med_records_show(&j->m, call->rest[0], r1_options_str(j->o, "cluster"), &o, err);
    if (st == R1_OK) st = show_print(&o, r1_options_str(j->o, "out"), err);
    med_opened_free(&o);
    return st;
}

int cli_show_command(r1_cli_call *call)
{
    records_job j = {0};
    return records_close(&j, show_run(&j, call, &call->err));
}

/* ---- rotate ---- */

static void rotate_say(const char *why)
{
    med_put(stderr, MED_TEXT_LINE, "stays as it is: %s\n", why);
}

typedef struct {
    const med_keys *keys;
    bool used[MED_KEYS_MAX];
} rotate_use;

static void rotate_used(void *ctx, const char *key, const char *n)
{
    rotate_use *use = ctx;
    const char *name;
    size_t i = 0;
    while ((name = med_keys_name(use->keys, i)) && strcmp(name, key) != 0) i++;
    if (name) use->used[i] = true;
    med_put(stdout, MED_TEXT_LINE, "%s seals %s values%s\n", key, n,
            name ? "" : ": its line is missing from the file of keys");
}

static r1_status rotate_run_all(records_job *j, r1_cli_call *call, uint64_t *failed, r1_err *err)
{
    med_rotated r = {0};
    const char *name;
    R1_TRY(records_open(j, call, "a rotation", err));
    r1_status st = med_records_rotate(&j->m, rotate_say, &r, err);
    *failed = r.failed;
    printf("%llu values sealed anew, %llu ids and %llu hashes of earlier versions taken in, %llu "
           "ids indexed anew, %llu stay as they are\n",
           (unsigned long long)r.n[MED_RESEALED], (unsigned long long)r.n[MED_TAKEN_ID],
           (unsigned long long)r.n[MED_TAKEN_HASH], (unsigned long long)r.n[MED_REINDEXED],
           (unsigned long long)r.failed);
    R1_TRY(st);
    rotate_use use = {.keys = j->keys, .used = {true}};
    R1_TRY(med_records_keys(&j->m, rotate_used, &use, err));
    for (size_t i = 0; (name = med_keys_name(j->keys, i)); i++)
        if (!use.used[i])
            med_put(stdout, MED_TEXT_LINE,
                    "%s seals nothing any more here: its line may go, once no backup needs it\n",
                    name);
    return R1_OK;
}

int cli_rotate_command(r1_cli_call *call)
{
    records_job j = {0};
    uint64_t failed = 0;
    int code = records_close(&j, rotate_run_all(&j, call, &failed, &call->err));
    return code == R1_EXIT_OK && failed ? R1_EXIT_PARTIAL : code;
}

/* ---- retain, erase ---- */

static r1_status cli_retain_days(const char *text, int64_t *days, r1_err *err)
{
    char *end = NULL;
    long n = strtol(text, &end, 10);
    if (end == text || strcmp(end, "d") != 0 || n < 1 || n > DAYS_MAX)
        R1_FAIL(err, R1_E_INVAL, "--older-than: expected days from 1d to %dd, found \"%.20s\"",
                DAYS_MAX, text);
    *days = n;
    return R1_OK;
}

static void forget_print(const med_forgotten *f, bool dry)
{
    printf("%s %llu records, %llu reports, %llu dead letters\n", dry ? "would delete" : "deleted",
           (unsigned long long)f->records, (unsigned long long)f->reports,
           (unsigned long long)f->dead_letters);
}

static r1_status cli_retain_run(records_job *j, r1_cli_call *call, r1_err *err)
{
    int64_t days = 0;
    char cutoff[32];
    med_forgotten f;
    bool dry = r1_options_bool(call->opts, "dry-run");
    R1_TRY(cli_retain_days(r1_options_str(call->opts, "older-than"), &days, err));
    R1_TRY(records_open(j, call, NULL, err));
    R1_TRY(med_records_retain(&j->m, days, dry, cutoff, &f, err));
    forget_print(&f, dry);
    printf("before %.10s; %llu older ones stay, because they wait for a person\n", cutoff,
           (unsigned long long)f.waiting);
    return R1_OK;
}

int cli_retain_command(r1_cli_call *call)
{
    records_job j = {0};
    return records_close(&j, cli_retain_run(&j, call, &call->err));
}

static void erase_places(void *ctx, const char *places)
{
    *(bool *)ctx = true;
    med_put(stdout, MED_TEXT_LINE, "the topic keeps its message: %s\n", places);
}

static r1_status cli_erase_run(records_job *j, r1_cli_call *call, r1_err *err)
{
    char index[MED_INDEX_BYTES];
    med_find_by by;
    med_forgotten f;
    bool dry = r1_options_bool(call->opts, "dry-run"), places = false;
    R1_TRY(records_open(j, call, "an erasure", err));
    R1_TRY(records_index(j, &by, index, err));
    R1_TRY(records_admit(j, "erase", err));
    R1_TRY(med_records_erase(&j->m, by, index, dry, erase_places, &places, &f, err));
    forget_print(&f, dry);
    if (!dry)
        puts("not erased: messages of topics, backups, files of reports and reviews, copies of "
             "others; deleted rows lie in the database's files until VACUUM");
    return R1_OK;
}

int cli_erase_command(r1_cli_call *call)
{
    records_job j = {0};
    return records_close(&j, cli_erase_run(&j, call, &call->err));
}

/* ---- options ---- */

/* clang-format off */
#define RECORDS_OPTIONS                                                                            \
    R1_STORE_POSTGRES_ROW(R1_STORE_POSTGRES_DEFAULT, R1_STORE_POSTGRES_HELP),                      \
    R1_STORE_DB_ROW("medical"),                                                                    \
    R1_STORE_ADMIN_TIMEOUT_ROW,                                                                    \
    {.name = "by", .type = R1_OPT_STRING,                                                          \
     .help = "who asks, for the audit (default: the account and the host)"}
#define RECORDS_WHOSE                                                                              \
    {.name = "id", .type = R1_OPT_STRING, .secret = true,                                          \
     .help = "the key of the messages; case and blanks do not count. Others of the machine see "   \
             "a command line: --id-file names a file with it"},                                    \
    {.name = "record", .type = R1_OPT_PATH, .help = "a record's file, as it was sent"}
#define RECORDS_DRY                                                                                \
    {.name = "dry-run", .type = R1_OPT_BOOL, .def = "false", .help = "say how many, delete nothing"}

const r1_option cli_key_rows[] = {
    CLI_KEYS_OPTION,
    {.name = "label", .type = R1_OPT_STRING,
     .help = "how the fresh key's name begins (default: today's date)"},
};
const size_t cli_key_n_row = R1_COUNT(cli_key_rows);
const r1_option cli_find_rows[] = {
    CLI_KEYS_OPTION,
    RECORDS_OPTIONS,
    RECORDS_WHOSE,
    {.name = "waiting", .type = R1_OPT_BOOL, .def = "false",
     .help = "those that a person has not handled yet"},
};
const size_t cli_find_n_row = R1_COUNT(cli_find_rows);
const r1_option cli_show_rows[] = {
    CLI_KEYS_OPTION,
    RECORDS_OPTIONS,
    {.name = "cluster", .type = R1_OPT_STRING, .help = "of the topic, where several are stored"},
    {.name = "out", .type = R1_OPT_PATH, .help = "file for the record's bytes"},
};
const size_t cli_show_n_row = R1_COUNT(cli_show_rows);
const r1_option cli_rotate_rows[] = {
    CLI_KEYS_OPTION,
    RECORDS_OPTIONS,
};
const size_t cli_rotate_n_row = R1_COUNT(cli_rotate_rows);
const r1_option cli_retain_rows[] = {
    RECORDS_OPTIONS,
    {.name = "older-than", .section = "medical", .type = R1_OPT_STRING, .def = "400d",
     .help = "days that are kept"},
    RECORDS_DRY,
};
const size_t cli_retain_n_row = R1_COUNT(cli_retain_rows);
const r1_option cli_erase_rows[] = {
    CLI_KEYS_OPTION,
    RECORDS_OPTIONS,
    RECORDS_WHOSE,
    RECORDS_DRY,
};
const size_t cli_erase_n_row = R1_COUNT(cli_erase_rows);
/* clang-format on */
