/* SPDX-License-Identifier: Apache-2.0 */
/* Every SQLSTATE that PostgreSQL documents (its errcodes.txt) has one meaning, and the meaning is
 * that of its class. The codes that a running service meets are listed one by one, with what must
 * become of them. */
#include "store/store_states.h"
#include "support/r1_test.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *code;
    r1_state_kind kind;
    bool reconnect;
} met[] = {
    {"25006", R1_STATE_TRANSIENT, true},  /* read-only after a fail-over */
    {"57014", R1_STATE_TRANSIENT, false}, /* cancelled, statement_timeout */
    {"55P03", R1_STATE_TRANSIENT, false}, /* lock_timeout */
    {"57P01", R1_STATE_TRANSIENT, true},  /* administrator's shutdown */
    {"57P02", R1_STATE_TRANSIENT, true},  /* crash */
    {"57P03", R1_STATE_TRANSIENT, true},  /* starting up, recovery */
    {"57P05", R1_STATE_TRANSIENT, true},  /* idle session time-out */
    {"57P04", R1_STATE_FATAL, false},     /* database dropped */
    {"53300", R1_STATE_TRANSIENT, false}, /* too many connections */
    {"53100", R1_STATE_TRANSIENT, false}, /* disk full */
    {"53200", R1_STATE_TRANSIENT, false}, /* out of memory */
    {"40001", R1_STATE_TRANSIENT, false}, /* serialisation */
    {"40P01", R1_STATE_TRANSIENT, false}, /* deadlock */
    {"08006", R1_STATE_TRANSIENT, true},  /* connection lost */
    {"08001", R1_STATE_TRANSIENT, true},  /* connection refused */
    {"08P01", R1_STATE_TRANSIENT, true},  /* what PgBouncer says of itself */
    {"26000", R1_STATE_TRANSIENT, true},  /* prepared statement vanished behind a pooler */
    {"42P05", R1_STATE_TRANSIENT, true},  /* and another client's is there */
    {"25P03", R1_STATE_TRANSIENT, true},  /* idle in transaction */
    {"28P01", R1_STATE_FATAL, false},     /* password */
    {"28000", R1_STATE_FATAL, false},     /* pg_hba.conf */
    {"3D000", R1_STATE_FATAL, false},     /* no such database */
    {"3F000", R1_STATE_FATAL, false},     /* no such schema */
    {"42P01", R1_STATE_FATAL, false},     /* no such table */
    {"42P07", R1_STATE_FATAL, false},     /* a table that is there */
    {"42501", R1_STATE_FATAL, false},     /* permission denied */
    {"XX001", R1_STATE_FATAL, false},     /* data corrupted */
    {"22021", R1_STATE_DATA, false},      /* bytes that are no text */
    {"22008", R1_STATE_DATA, false},      /* time out of range */
    {"22P05", R1_STATE_DATA, false},      /* a character that the encoding lacks */
    {"23505", R1_STATE_DATA, false},      /* unique */
    {"23514", R1_STATE_DATA, false},      /* check */
    {"54000", R1_STATE_DATA, false},      /* too large for an index */
    {"R1F02", R1_STATE_FENCED, false},    {"R1F01", R1_STATE_FENCED, false},
    {"ZZ999", R1_STATE_FATAL, false}, /* nobody's */
    {"", R1_STATE_FATAL, false},
};

static void test_met(void)
{
    for (size_t i = 0; i < R1_COUNT(met); i++) {
        const r1_state_row *row = r1_state_of(met[i].code);
        if (row->kind == met[i].kind && row->reconnect == met[i].reconnect) continue;
        fprintf(stderr, "%s: expected %d %d, found %d %d\n", met[i].code, (int)met[i].kind,
                met[i].reconnect, (int)row->kind, row->reconnect);
        CU_FAIL("a code");
    }
    /* `db migrate` itself meets it, in a schema of somebody else */
    CU_ASSERT_PTR_NULL(strstr(r1_state_of("42P07")->remedy, "db migrate"));
}

/* What a whole class must be, and must not be; "" ends the exceptions. */
static void states_check(const char *code)
{
    const r1_state_row *row = r1_state_of(code);
    bool data = !strncmp(code, "22", 2) || !strncmp(code, "23", 2) || !strncmp(code, "44", 2) ||
                !strncmp(code, "54", 2) || !strcmp(code, "40002");
    CU_ASSERT_EQUAL(row->kind == R1_STATE_DATA, data);
    CU_ASSERT_NOT_EQUAL(row->kind, R1_STATE_FENCED);
    if (row->kind == R1_STATE_FATAL) CU_ASSERT_TRUE(*row->remedy); /* it says what would help */
    if (!strncmp(code, "28", 2) || !strncmp(code, "3D", 2) || !strncmp(code, "3F", 2))
        CU_ASSERT_EQUAL(row->kind, R1_STATE_FATAL);
    if (!strncmp(code, "42", 2) && strcmp(code, "42P05") != 0)
        CU_ASSERT_EQUAL(row->kind, R1_STATE_FATAL);
    if (!strncmp(code, "08", 2) || !strncmp(code, "53", 2))
        CU_ASSERT_EQUAL(row->kind, R1_STATE_TRANSIENT);
    if (row->pooled) CU_ASSERT_TRUE(row->reconnect);
    r1_status st = r1_state_status(row);
    CU_ASSERT_EQUAL(st, row->kind == R1_STATE_DATA ? R1_E_FORMAT : R1_E_DB);
}

static void test_all(void)
{
    glob_t found;
    CU_ASSERT_EQUAL_FATAL(glob("/usr/share/postgresql/*/errcodes.txt", 0, NULL, &found), 0);
    FILE *f = fopen(found.gl_pathv[found.gl_pathc - 1], "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    char line[512], code[8];
    size_t n = 0;
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "%5[0-9A-Z] %*[EWS] ", code) != 1 || strlen(code) != 5) continue;
        if (line[5] != ' ') continue;
        states_check(code);
        n++;
    }
    fclose(f);
    globfree(&found);
    CU_ASSERT_TRUE(n > 250);
}

R1_TEST_MAIN("store_states", {"codes that a service meets", test_met},
             {"every documented code", test_all})
