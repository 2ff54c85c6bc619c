/* SPDX-License-Identifier: Apache-2.0 */
/* longstore.h - the inside of long-term memory: what longterm.c (views and changes) and
 * longfile.c (the file) share. */
#ifndef MEMORY_STORE_H
#define MEMORY_STORE_H

#include "memory/part.h"

#include <pthread.h>

/* Which rows of a part are gone: shared by views until one of them must change it. */
typedef struct {
    atomic_uint refs;
    size_t n_word;
    uint64_t word[];
} dead_rows;

typedef struct {
    part *p;
    size_t n;        /* rows of the part that belong to the view */
    dead_rows *dead; /* NULL: none */
    size_t n_dead;
} view_part;

struct r1_longterm_view {
    atomic_uint refs;
    size_t n_part, n_live;
    view_part part[];
};

typedef struct {
    int fd; /* -1: the memory has no file */
    char *path;
    bool writable;
    uint64_t end; /* where the next transaction starts */
    uint64_t txn;
    uint8_t *buf; /* blocks of the open transaction that are not written yet */
    size_t used, cap;
    uint64_t at; /* where the next byte of the transaction goes */
} longfile;

struct r1_longterm {
    r1_longterm_opts o; /* defaults filled in */
    uint64_t next_id;
    pthread_mutex_t lock; /* guards `view` alone: which view is the newest */
    r1_longterm_view *view;
    r1_longterm_view *next; /* the writer's, between begin and commit */
    uint64_t next_id_before;
    size_t n_unchecked; /* changes since the last view_check, in sanitizer builds */
    longfile file;
};

uint64_t *dead_words(dead_rows *d); /* NULL for NULL */
r1_longterm_view *view_new(size_t n_part);
r1_longterm_view *view_share(r1_longterm_view *v);
void view_free(r1_longterm_view *v);
/* Adds a part (takes the share) behind the others; *v may move. */
r1_status view_add(r1_longterm_view **v, part *p, r1_err *err);
r1_status view_kill(r1_longterm_view *v, size_t at, size_t row, r1_err *err);
/* Walks a view and aborts at the first broken invariant: rows of a part lie inside of it, marks
 * are as many as n_dead says, n_live is what remains, ids are below next_id, and they rise where
 * the part says so. */
void view_check(const r1_longterm_view *v, uint64_t next_id);

/* ---- longfile.c ---- */

enum { BLOCK_ENTRY = 1, BLOCK_DELETE = 2, BLOCK_PART = 3, BLOCK_RESET = 4 };

/* Appends one block to the open transaction. Without a file: nothing. */
r1_status longfile_entry(longfile *f, uint64_t id, const r1_longterm_entry *e, uint32_t d_key,
                         uint32_t d_vector, r1_err *err);
r1_status longfile_delete(longfile *f, uint64_t id, r1_err *err);
r1_status longfile_part(longfile *f, const uint8_t *image, size_t bytes, uint64_t *payload_at,
                        r1_err *err);
/* Forgets all entries that are not in parts (they are in the part that follows). */
r1_status longfile_reset(longfile *f, r1_err *err);
r1_status longfile_commit(longfile *f, uint64_t next_id, r1_err *err);
void longfile_rollback(longfile *f);
void longfile_close(longfile *f);
r1_status longfile_open(r1_longterm **out, const char *path, size_t n_max, bool writable,
                        r1_err *err);
/* Starts a new file at path (which must not be in use), header written, transaction open. */
r1_status longfile_create(longfile *f, const char *path, const r1_longterm_opts *o, r1_err *err);
/* Writes view as a file beside path and renames it. */
r1_status longfile_write(const r1_longterm *lt, const r1_longterm_view *v, const char *path,
                         r1_err *err);

/* ---- for longfile.c, in longterm.c: changes without a log and without publishing, on lt->next  */
r1_status longterm_make(r1_longterm **out, const r1_longterm_opts *o, r1_err *err);
r1_status longterm_put(r1_longterm *lt, uint64_t id, const r1_longterm_entry *e,
                       r1_err *err); /* replaces an entry with the id */
r1_status longterm_drop(r1_longterm *lt, uint64_t id, r1_err *err);
r1_status longterm_drop_fresh(r1_longterm *lt, r1_err *err);

#endif
