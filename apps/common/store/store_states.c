/* SPDX-License-Identifier: Apache-2.0 */
/* store_states.c - the table. Codes are those of PostgreSQL's errcodes.txt; a pooler uses some of
 * them too. */
#include "store/store_states.h"

#include <string.h>

#define WAITS(prefix, remedy)                                                                      \
    {                                                                                              \
        (prefix), R1_STATE_TRANSIENT, false, false, (remedy)                                       \
    }
#define WAITS_ANEW(prefix, remedy)                                                                 \
    {                                                                                              \
        (prefix), R1_STATE_TRANSIENT, true, false, (remedy)                                        \
    }
#define POOLED(prefix, remedy)                                                                     \
    {                                                                                              \
        (prefix), R1_STATE_TRANSIENT, true, true, (remedy)                                         \
    }
#define DATA(prefix, remedy)                                                                       \
    {                                                                                              \
        (prefix), R1_STATE_DATA, false, false, (remedy)                                            \
    }
#define ENDS(prefix, remedy)                                                                       \
    {                                                                                              \
        (prefix), R1_STATE_FATAL, false, false, (remedy)                                           \
    }

static const char defect[] = "a defect of the program: report it";
static const char migrate[] = "run `db migrate`";

static const r1_state_row states[] = {
    {"R1F01", R1_STATE_FENCED, false, false, ""},
    DATA("R1D", ""), /* refusals by functions of the schema, to a person */
    {"R1F02", R1_STATE_FENCED, false, false, "start again: the state then comes from the log"},
    WAITS_ANEW("08", ""), /* connections; poolers say all of theirs as 08P01 */
    DATA("22", ""),
    DATA("23", ""),
    WAITS_ANEW("25006", "the server is read-only: a standby, or default_transaction_read_only"),
    WAITS_ANEW("25P01", ""),
    WAITS_ANEW("25P02", ""),
    WAITS_ANEW("25P03", ""), /* idle in transaction for too long */
    WAITS_ANEW("25P04", ""), /* transaction_timeout, from PostgreSQL 17 on */
    ENDS("25", defect),
    POOLED("26000", ""), /* the prepared statement is on another server connection */
    ENDS("28", "check user, password and pg_hba.conf"),
    ENDS("3D", "create the database, or name another one"),
    ENDS("3F", migrate),
    WAITS("40", ""), /* serialisation, deadlock, completion unknown */
    DATA("40002", ""),
    ENDS("42501", "grant the missing right: GRANT r1_fraud_writer TO the user of the connection"),
    POOLED("42P05", ""), /* the prepared statement is there already, of another client */
    ENDS("42P01", migrate),
    ENDS("42703", migrate),
    ENDS("42P07",
         "an object of this name is there, which no migration made: name another database"),
    ENDS("42883", migrate),
    ENDS("42", "a migration is missing or a defect: run `db migrate`"),
    DATA("44", ""),
    WAITS("53100", "the server's disk is full: make room"),
    WAITS("53200", "the server is out of memory"),
    WAITS("53300", "no connection is free: raise max_connections or close others"),
    WAITS("53", "the server is short of something"),
    DATA("54", ""), /* a row or an index entry that is too large */
    WAITS("55000", ""),
    WAITS("55006", ""),
    WAITS("55P03", "a lock is held by another session"),
    ENDS("55", defect),
    ENDS("57P04", "the database was dropped: create it and run `db migrate`"),
    WAITS("57014", "a time-out, or somebody cancelled the statement"),
    WAITS_ANEW("57", ""), /* shutdown, crash, starting up */
    WAITS_ANEW("58", "the server's disk or system failed: see PostgreSQL's log"),
    WAITS("72", ""),
    ENDS("F0", "PostgreSQL's configuration file is at fault"),
    ENDS("XX001", "the data is corrupted: see PostgreSQL's log, restore a backup"),
    ENDS("XX002", "an index is corrupted: REINDEX"),
    WAITS_ANEW("XX", "see PostgreSQL's log"), /* among them "tuple concurrently updated" */
};

const r1_state_row *r1_state_of(const char *sqlstate)
{
    static const r1_state_row unknown = ENDS("", defect);
    const r1_state_row *best = &unknown;
    for (size_t i = 0; i < R1_COUNT(states); i++) {
        size_t len = strlen(states[i].prefix);
        if (len > strlen(best->prefix) && !strncmp(sqlstate, states[i].prefix, len))
            best = &states[i];
    }
    return best;
}

r1_status r1_state_status(const r1_state_row *row)
{
    static const r1_status status[R1_N_STATE_KIND] = {[R1_STATE_TRANSIENT] = R1_E_DB,
                                                      [R1_STATE_DATA] = R1_E_FORMAT,
                                                      [R1_STATE_FENCED] = R1_E_FENCED,
                                                      [R1_STATE_FATAL] = R1_E_DB};
    return status[row->kind];
}
