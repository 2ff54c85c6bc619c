/* SPDX-License-Identifier: Apache-2.0 */
/* dash_call.h - what the page may ask: a table of calls. Each is one statement of SQL whose answer
 * is one JSON text, run as the role of its user.
 *
 * Owns:    the table is static. Texts of an answer are malloc'ed and the caller's.
 * Threads: any, with a store each.
 * Errors:  R1_E_INVAL: a parameter, named with what was expected and found. Of the store: as
 *          dash_call_run says. */
#ifndef DASH_CALL_H
#define DASH_CALL_H

#include "http/http.h"
#include "store/store.h"

typedef enum {
    DASH_VIEWER = 1,
    DASH_ANALYST = 2,
    DASH_SUPERVISOR = 4,
    DASH_CLINICIAN = 8,
    DASH_ADMINISTRATOR = 16,
    DASH_AUDITOR = 32
} dash_role;
/* 0: no role of that name. */
dash_role dash_role_of(const char *name);

typedef enum {
    DASH_TEXT = 0,
    DASH_INT,  /* a whole number of 64 bits */
    DASH_REAL, /* finite */
    DASH_BOOL,
    DASH_TIME, /* ISO 8601 with a zone */
    DASH_INTS  /* a list of whole numbers; in a query with commas between them */
} dash_type;

enum { DASH_PARAMS_MAX = 10, DASH_LIST_MAX = 1000 };

typedef struct {
    const char *name;
    dash_type type;
    bool needed;
    size_t max;      /* bytes of a text; 0: 200 */
    const char *def; /* where it is not given; NULL: SQL NULL */
} dash_param;

typedef struct {
    const char *method, *path; /* behind /api/v1/ */
    unsigned roles;            /* of dash_role: who may ask */
    const char *sql;           /* one row with one JSON text; no row: 404 */
    const char *viewed;        /* audited as seen: the action; its object is `object` and $1 */
    const char *object;
    bool writes;
    dash_param param[DASH_PARAMS_MAX];
} dash_call;

extern const dash_call dash_calls[];
extern const size_t dash_n_call;

/* Tables that are given away as CSV; $1 is the most rows. */
typedef struct {
    const char *name;
    unsigned roles;
    const char *sql;
} dash_export;
extern const dash_export dash_exports[];
extern const size_t dash_n_export;
enum { DASH_EXPORT_ROWS_MAX = 100000 };

typedef struct {
    char *text[DASH_PARAMS_MAX]; /* malloc'ed; NULL: not given */
    size_t n;
} dash_values;
void dash_values_free(dash_values *v);
/* Reads the parameters of a request, those of a POST from its JSON body. */
r1_status dash_values_read(const dash_call *c, const r1_http_request *q, dash_values *out,
                           r1_err *err);

typedef struct {
    const char *name, *role; /* of the user */
} dash_who;

/* Runs it in a transaction of its own. *status is that of HTTP; *text is the answer, or an error
 * in JSON. */
void dash_call_run(const dash_call *c, const dash_values *v, const dash_who *who, r1_store *s,
                   int *status, char **text);
/* The rows as CSV, a cell that a spreadsheet would take for a formula behind an apostrophe. */
void dash_export_run(const dash_export *e, const dash_who *who, r1_store *s, int *status,
                     char **text, size_t *len);

/* {"error": TEXT}, malloc'ed. */
char *dash_error_text(const char *text);
/* What a failure of the store says to a person, and its status of HTTP. */
char *dash_failure(r1_store *s, const r1_err *err, int *status);
/* Begins a transaction as a user. */
r1_status dash_begin(r1_store *s, const dash_who *who, bool writes, r1_err *err);
r1_status dash_commit(r1_store *s, r1_err *err);
void dash_rollback(r1_store *s);

#endif
