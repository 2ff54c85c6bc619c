/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim_database.c - faults at PostgreSQL. The connection and the server are real; each call of the
 * store passes here first, gives the baton away, and may find the server gone, read-only, or
 * refusing.
 *
 * A refusal is raised by PostgreSQL itself, with an SQLSTATE that passes, so store.c reads a real
 * error. A broken connection is a socket that was shut down. Only the lost answer of a commit is
 * made here: the transaction is committed, and the caller hears that the connection broke. */
#include "sim.h"
#include "store/store_columns.h"
#include "store/store_internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STORES_MAX = 16, TRIP_US = 1500, SLOW_US = 2000000, STALL_US = 6000000 };

r1_status __real_r1_store_open_with(r1_store **out, const char *conninfo, const r1_store_opts *opts,
                                    r1_err *err);
r1_status __wrap_r1_store_open_with(r1_store **out, const char *conninfo, const r1_store_opts *opts,
                                    r1_err *err);
r1_status __wrap_r1_store_open(r1_store **out, const char *conninfo, const char *application,
                               r1_err *err);
r1_status __real_r1_store_reopen(r1_store *s, r1_err *err);
r1_status __wrap_r1_store_reopen(r1_store *s, r1_err *err);
void __real_r1_store_close(r1_store *s);
void __wrap_r1_store_close(r1_store *s);
r1_status __real_r1_store_query(r1_store *s, const char *sql, size_t n_param,
                                const char *const *param, r1_rows **out, r1_err *err);
r1_status __wrap_r1_store_query(r1_store *s, const char *sql, size_t n_param,
                                const char *const *param, r1_rows **out, r1_err *err);
r1_status __real_r1_store_prepare(r1_store *s, const char *name, const char *sql, size_t n_param,
                                  r1_err *err);
r1_status __wrap_r1_store_prepare(r1_store *s, const char *name, const char *sql, size_t n_param,
                                  r1_err *err);
r1_status __real_r1_store_batch_begin(r1_store *s, r1_err *err);
r1_status __wrap_r1_store_batch_begin(r1_store *s, r1_err *err);
r1_status __real_r1_store_batch_commit(r1_store *s, r1_err *err);
r1_status __wrap_r1_store_batch_commit(r1_store *s, r1_err *err);
void __real_r1_store_batch_abort(r1_store *s);
void __wrap_r1_store_batch_abort(r1_store *s);

int __real_usleep(useconds_t us);

/* Which restart of PostgreSQL a connection is of, and whether it takes writes. */
static struct {
    r1_store *store;
    uint64_t restart;
    bool reads;
} known[STORES_MAX];

static int known_of(const r1_store *s)
{
    for (int i = 0; i < STORES_MAX; i++)
        if (known[i].store == s) return i;
    return -1;
}

static void learn(r1_store *s)
{
    int i = known_of(s);
    if (i < 0) i = known_of(NULL);
    if (i < 0) return;
    known[i].store = s;
    known[i].restart = sim->n_restart;
    known[i].reads = false;
}

static bool server_down(void)
{
    return sim->now_us >= sim->fault.down_us && sim->now_us < sim->fault.up_us;
}

static bool server_reads(void)
{
    return sim->now_us >= sim->fault.read_us && sim->now_us < sim->fault.write_us;
}

static void cut(r1_store *s)
{
    if (s->conn && PQsocket(s->conn) >= 0) shutdown(PQsocket(s->conn), SHUT_RDWR);
}

/* Before a statement: a trip over the network, and what the server has become meanwhile. */
static void before(r1_store *s)
{
    sim_sleep_until(sim->now_us + (int64_t)sim_below(TRIP_US));
    if (server_down() && sim->n_restart % 2 == 0) sim->n_restart++; /* odd: it is down */
    if (!server_down() && sim->n_restart % 2) sim->n_restart++;
    int i = known_of(s);
    if (i < 0 || !s->conn) return;
    if (known[i].restart != sim->n_restart) {
        cut(s);
        return;
    }
    if (known[i].reads == server_reads()) return;
    const char *sql = server_reads() ? "SET default_transaction_read_only = on"
                                     : "SET default_transaction_read_only = off";
    PQclear(PQexecParams(s->conn, sql, 0, NULL, NULL, NULL, NULL, 0));
    known[i].reads = server_reads();
}

/* The sequencer's lease and the processes that live go by PostgreSQL's clock: that of the world, in
 * this database. */
static void tell_time(r1_store *s)
{
    char text[40];
    const char *param[] = {text};
    snprintf(text, sizeof text, "%.6f", (double)(SIM_WALL_US + sim->now_us - SIM_BEGIN_US) * 1e-6);
    if (s->conn)
        PQclear(PQexecParams(s->conn,
                             "SELECT set_config('r1.sim_now', to_timestamp($1::float8)::text, "
                             "false)",
                             1, NULL, param, NULL, NULL, 0));
}

static const char *passing_state(void)
{
    static const char *const states[] = {"40001", "40P01", "55P03", "57014", "57P01",
                                         "53100", "53300", "25006", "57P03", "08006"};
    return states[sim_below(R1_COUNT(states))];
}

static void raise_sql(char *sql, size_t size)
{
    const char *state = passing_state();
    snprintf(sql, size, "DO $$ BEGIN RAISE EXCEPTION 'simulated' USING ERRCODE = '%s'; END $$",
             state);
    sim_say("PostgreSQL refuses with %s", state);
}

static r1_status not_there(r1_err *err)
{
    r1_err_set(err, R1_E_DB, __FILE__, __LINE__,
               "connecting to PostgreSQL: no answer, as the seed has it");
    if (err) err->retriable = true;
    return R1_E_DB;
}

/* ---- connections ---- */

r1_status __wrap_r1_store_open_with(r1_store **out, const char *conninfo, const r1_store_opts *opts,
                                    r1_err *err)
{
    if (!sim_inside()) return __real_r1_store_open_with(out, conninfo, opts, err);
    sim_sleep_until(sim->now_us + (int64_t)sim_below(TRIP_US));
    if (server_down()) return not_there(err);
    sim_hold();
    r1_status st = __real_r1_store_open_with(out, conninfo, opts, err);
    sim_release();
    if (!server_down() && sim->n_restart % 2) sim->n_restart++;
    if (st == R1_OK) learn(*out);
    return st;
}

r1_status __wrap_r1_store_open(r1_store **out, const char *conninfo, const char *application,
                               r1_err *err)
{
    const r1_store_opts opts = {.application = application, .statement_s = R1_STATEMENT_S};
    return __wrap_r1_store_open_with(out, conninfo, &opts, err);
}

r1_status __wrap_r1_store_reopen(r1_store *s, r1_err *err)
{
    if (!sim_inside()) return __real_r1_store_reopen(s, err);
    sim_sleep_until(sim->now_us + (int64_t)sim_below(TRIP_US));
    if (server_down()) return not_there(err);
    sim_hold();
    r1_status st = __real_r1_store_reopen(s, err);
    sim_release();
    if (sim->n_restart % 2) sim->n_restart++;
    if (st == R1_OK) learn(s);
    return st;
}

void __wrap_r1_store_close(r1_store *s)
{
    int i = known_of(s);
    if (s && i >= 0) known[i].store = NULL;
    __real_r1_store_close(s);
}

/* ---- statements ---- */

r1_status __wrap_r1_store_query(r1_store *s, const char *sql, size_t n_param,
                                const char *const *param, r1_rows **out, r1_err *err)
{
    if (!sim_inside()) return __real_r1_store_query(s, sql, n_param, param, out, err);
    char raised[128];
    before(s);
    if (strstr(sql, "sequencer") || strstr(sql, "_member") || strstr(sql, "_shared")) tell_time(s);
    bool refused = sim_chance(sim->fault.refuse);
    if (refused) raise_sql(raised, sizeof raised);
    sim_hold();
    r1_status st = refused ? __real_r1_store_query(s, raised, 0, NULL, out, err)
                           : __real_r1_store_query(s, sql, n_param, param, out, err);
    sim_release();
    return st;
}

r1_status __wrap_r1_store_prepare(r1_store *s, const char *name, const char *sql, size_t n_param,
                                  r1_err *err)
{
    if (sim_inside()) before(s);
    return __real_r1_store_prepare(s, name, sql, n_param, err);
}

/* ---- transactions ---- */

/* A statement of the pipeline that PostgreSQL refuses, and with it the transaction. */
static void refuse_batch(r1_store *s)
{
    char sql[128];
    raise_sql(sql, sizeof sql);
    if (PQsendQueryParams(s->conn, sql, 0, NULL, NULL, NULL, NULL, 0)) s->n_sent++;
}

r1_status __wrap_r1_store_batch_begin(r1_store *s, r1_err *err)
{
    if (!sim_inside()) return __real_r1_store_batch_begin(s, err);
    before(s);
    if (sim_chance(sim->fault.cut_before)) {
        sim_say("the connection breaks");
        cut(s);
    }
    sim_hold();
    r1_status st = __real_r1_store_batch_begin(s, err);
    if (st != R1_OK)
        sim_release();
    else if (sim_chance(sim->fault.refuse))
        refuse_batch(s);
    return st;
}

void __wrap_r1_store_batch_abort(r1_store *s)
{
    __real_r1_store_batch_abort(s);
    if (sim_inside()) sim_release();
}

static r1_status answer_lost(r1_store *s, r1_err *err)
{
    sim_say("the answer of a commit is lost");
    r1_store_drop(s);
    r1_err_set(err, R1_E_DB, __FILE__, __LINE__,
               "transaction: server closed the connection, as the seed has it (SQLSTATE 08006)");
    if (err) err->retriable = true;
    return R1_E_DB;
}

/* Until PostgreSQL has done all of the transaction but its commit, so that its locks do not depend
 * on the machine's load. */
static void await_backend(r1_store *s)
{
    enum { QUIET = 3, LOOK_REAL_US = 1000 };
    char pid[16];
    const char *param[] = {pid};
    PGconn *other = PQconnectdb(s->conninfo);
    snprintf(pid, sizeof pid, "%d", PQbackendPID(s->conn));
    (void)PQsendFlushRequest(s->conn);
    while (PQflush(s->conn) > 0) {
    }
    for (int quiet = 0; quiet < QUIET; __real_usleep(LOOK_REAL_US)) {
        PGresult *res = PQexecParams(other,
                                     "SELECT FROM pg_stat_activity WHERE pid = $1::integer AND "
                                     "wait_event IS DISTINCT FROM 'ClientRead'",
                                     1, NULL, param, NULL, NULL, 0);
        quiet = PQntuples(res) ? 0 : quiet + 1;
        PQclear(res);
    }
    PQfinish(other);
}

/* The transaction stands with its locks while others go on. Then it is committed, its connection
 * breaks, or a last statement of it is refused. */
static void stall(r1_store *s)
{
    if (!s->conn) return;
    await_backend(s);
    int64_t until = sim->now_us + (int64_t)sim_below(STALL_US);
    sim_say("a transaction stands still");
    sim_release();
    sim_sleep_until(until);
    sim_hold();
    int i = known_of(s);
    uint64_t how = sim_below(3);
    if (how == 0 || (i >= 0 && known[i].restart != sim->n_restart)) cut(s);
    if (how == 1) refuse_batch(s);
}

r1_status __wrap_r1_store_batch_commit(r1_store *s, r1_err *err)
{
    if (!sim_inside()) return __real_r1_store_batch_commit(s, err);
    if (sim_chance(sim->fault.stall)) stall(s);
    if (sim_chance(sim->fault.kill_before)) sim_die();
    r1_status st = __real_r1_store_batch_commit(s, err);
    sim_release();
    sim_say("commit: %s", r1_status_name(st));
    if (st != R1_OK) return st;
    if (sim_chance(sim->fault.kill_after)) sim_die();
    if (sim_chance(sim->fault.cut_after)) return answer_lost(s, err);
    bool slow = sim_chance(sim->fault.slow);
    sim_sleep_until(sim->now_us + (int64_t)sim_below(slow ? SLOW_US : TRIP_US));
    return st;
}
