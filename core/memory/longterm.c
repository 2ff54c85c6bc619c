/* SPDX-License-Identifier: Apache-2.0 */
/* longterm.c - views and changes of long-term memory.
 *
 * A view is a list of parts. For each part it knows how many rows belong to it, and which of them
 * are gone. Views share parts and marks. Nothing that a view shows is ever written:
 *
 *   r1_longterm_begin    lt->next becomes a copy of the list of lt->view
 *   insert               appends behind the rows that other views count, or opens a further part
 *   delete               marks a row in a copy of the marks
 *   r1_longterm_commit   the log is synced, then lt->view becomes lt->next; the old view goes
 *                        with its last reader
 *
 * There are two locks: the log's file lock between processes, and the mutex around the pointer
 * lt->view. */
#include "memory/longstore.h"

#include "base/isa.h"
#include "memory/scan.h"
#include "r1_assert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    FRESH_MIN = 1024,
    FRESH_MAX = 65536,
    MERGE_SPAN = 64,
    SCAN_ALL = 262144,
    QUERIES_AT_ONCE = 64
};

/* ---- views ---- */

static uint64_t *longterm_words(const dead_rows *d)
{
    return d ? dead_words((dead_rows *)(uintptr_t)d) : NULL;
}
uint64_t *dead_words(dead_rows *d) { return d ? d->word : NULL; }

static void dead_free(dead_rows *d)
{
    if (!d) return;
    unsigned had = atomic_fetch_sub_explicit(&d->refs, 1, memory_order_acq_rel);
    R1_ASSERT(had > 0, "long-term memory: marks with %u references are given back", had);
    if (had == 1) free(d);
}

r1_longterm_view *view_new(size_t n_part)
{
    r1_longterm_view *v = calloc(1, sizeof *v + n_part * sizeof v->part[0]);
    if (v) atomic_init(&v->refs, 1);
    return v;
}

r1_longterm_view *view_share(r1_longterm_view *v)
{
    atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    return v;
}

void view_free(r1_longterm_view *v)
{
    if (!v) return;
    unsigned had = atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel);
    R1_ASSERT(had > 0, "long-term memory: a view with %u references is closed", had);
    if (had != 1) return;
    for (size_t i = 0; i < v->n_part; i++) {
        part_free(v->part[i].p);
        dead_free(v->part[i].dead);
    }
    free(v);
}

static void copy_part(view_part *to, const view_part *from)
{
    *to = *from;
    part_share(to->p);
    if (to->dead) atomic_fetch_add_explicit(&to->dead->refs, 1, memory_order_relaxed);
}

static r1_longterm_view *view_copy(const r1_longterm_view *v)
{
    r1_longterm_view *c = view_new(v->n_part);
    for (size_t i = 0; c && i < v->n_part; i++) copy_part(&c->part[i], &v->part[i]);
    if (c) {
        c->n_part = v->n_part;
        c->n_live = v->n_live;
    }
    return c;
}

r1_status view_add(r1_longterm_view **v, part *p, r1_err *err)
{
    size_t n = (*v)->n_part;
    r1_longterm_view *grown = realloc(*v, sizeof **v + (n + 1) * sizeof grown->part[0]);
    if (!grown) R1_FAIL(err, R1_E_NOMEM, "no memory for a view of %zu parts", n + 1);
    grown->part[n] = (view_part){.p = p, .n = p->n};
    grown->n_part = n + 1;
    grown->n_live += p->n;
    *v = grown;
    return R1_OK;
}

r1_status view_kill(r1_longterm_view *v, size_t at, size_t row, r1_err *err)
{
    R1_ASSERT(at < v->n_part && row < v->part[at].n && v->n_live > 0,
              "long-term memory: row %zu of part %zu of %zu, %zu live", row, at, v->n_part,
              v->n_live);
    view_part *vp = &v->part[at];
    R1_ASSERT(!part_is_dead(longterm_words(vp->dead), row),
              "long-term memory: row %zu of part %zu dies twice", row, at);
    if (!vp->dead || atomic_load_explicit(&vp->dead->refs, memory_order_acquire) > 1) {
        size_t n_word = vp->p->cap / 64 + 1;
        dead_rows *d = calloc(1, sizeof *d + n_word * sizeof d->word[0]);
        if (!d) R1_FAIL(err, R1_E_NOMEM, "no memory to mark entries as gone");
        atomic_init(&d->refs, 1);
        d->n_word = n_word;
        if (vp->dead) memcpy(d->word, vp->dead->word, n_word * sizeof d->word[0]);
        dead_free(vp->dead);
        vp->dead = d;
    }
    vp->dead->word[row / 64] |= (uint64_t)1 << row % 64;
    vp->n_dead++;
    v->n_live--;
    return R1_OK;
}

static size_t count_marks(const view_part *vp)
{
    size_t n = 0;
    for (size_t w = 0; vp->dead && w < vp->dead->n_word; w++)
        n += (size_t)__builtin_popcountll(vp->dead->word[w]);
    return n;
}

static void check_part_ids(const view_part *vp, size_t at, uint64_t next_id)
{
    const part_record *rec = vp->p->rec;
    for (size_t row = 0; row < vp->n; row++) {
        R1_ASSERT(rec[row].id < next_id, "long-term memory: part %zu row %zu: id %llu, next %llu",
                  at, row, (unsigned long long)rec[row].id, (unsigned long long)next_id);
        R1_ASSERT(vp->p->coded || !vp->p->sorted || !row || rec[row - 1].id < rec[row].id,
                  "long-term memory: part %zu row %zu: id %llu after %llu", at, row,
                  (unsigned long long)rec[row].id, (unsigned long long)rec[row - 1].id);
    }
}

void view_check(const r1_longterm_view *v, uint64_t next_id)
{
    size_t n_live = 0;
    for (size_t i = 0; i < v->n_part; i++) {
        const view_part *vp = &v->part[i];
        R1_ASSERT(vp->n <= vp->p->n && vp->p->n <= vp->p->cap,
                  "long-term memory: part %zu: view %zu of %zu rows, room for %zu", i, vp->n,
                  vp->p->n, vp->p->cap);
        R1_ASSERT(!vp->dead || vp->dead->n_word == vp->p->cap / 64 + 1,
                  "long-term memory: part %zu: %zu words of marks for %zu rows", i,
                  vp->dead->n_word, vp->p->cap);
        R1_ASSERT(count_marks(vp) == vp->n_dead && vp->n_dead <= vp->n,
                  "long-term memory: part %zu: %zu rows dead, counted %zu of %zu", i, vp->n_dead,
                  count_marks(vp), vp->n);
        check_part_ids(vp, i, next_id);
        n_live += vp->n - vp->n_dead;
    }
    R1_ASSERT(n_live == v->n_live, "long-term memory: %zu live entries, counted %zu", v->n_live,
              n_live);
}

/* In sanitizer builds: a view that is published is whole. The walk of a large one comes after so
 * many changes that a change pays for 64 rows of it. */
static void view_changed(r1_longterm *lt, const r1_longterm_view *v)
{
    enum { PAID_PER_CHANGE = 64 };
    if (!R1_DEEP_CHECKS || ++lt->n_unchecked * PAID_PER_CHANGE < v->n_live) return;
    lt->n_unchecked = 0;
    view_check(v, lt->next_id);
}

static bool longterm_locate(const r1_longterm_view *v, uint64_t id, size_t *at, size_t *row)
{
    for (size_t i = v->n_part; i-- > 0;) {
        const view_part *vp = &v->part[i];
        size_t r = part_find(vp->p, vp->n, id, longterm_words(vp->dead));
        if (r == vp->n) continue;
        *at = i;
        *row = r;
        return true;
    }
    return false;
}

r1_longterm_view *r1_longterm_view_open(r1_longterm *lt)
{
    pthread_mutex_lock(&lt->lock);
    r1_longterm_view *v = view_share(lt->view);
    pthread_mutex_unlock(&lt->lock);
    return v;
}

void r1_longterm_view_close(r1_longterm_view *v) { view_free(v); }

static void longterm_publish(r1_longterm *lt, r1_longterm_view *v)
{
    view_changed(lt, v);
    pthread_mutex_lock(&lt->lock);
    r1_longterm_view *old = lt->view;
    lt->view = v;
    pthread_mutex_unlock(&lt->lock);
    view_free(old);
}

/* ---- life ---- */

static r1_status fill_defaults(r1_longterm_opts *o, r1_err *err)
{
    if (o->d_key < 1 || o->d_key > CODE_DIM_MAX || o->d_vector > CODE_DIM_MAX)
        R1_FAIL(err, R1_E_INVAL,
                "long-term memory: key width: expected 1..%d (vectors 0..%d), found %u and %u",
                CODE_DIM_MAX, CODE_DIM_MAX, o->d_key, o->d_vector);
    if (!o->code) o->code = R1_CODE_TRANSFORM;
    if (o->code != R1_CODE_TRANSFORM && o->code != R1_CODE_SPARSE)
        R1_FAIL(err, R1_E_INVAL, "long-term memory: code: expected 1 or 2, found %d", (int)o->code);
    if (!o->n_entry_max) o->n_entry_max = 1048576;
    if (!(o->key_bytes > 0)) o->key_bytes = (float)o->d_key * 4 / 15;
    if (!(o->vector_bytes > 0)) o->vector_bytes = (float)o->d_vector * 4 / 15;
    if (o->key_bytes < 6) o->key_bytes = 6;
    if (o->vector_bytes < 6) o->vector_bytes = 6;
    if (!o->n_atom) o->n_atom = 2048;
    if (!o->n_round) o->n_round = 12;
    if (o->n_atom > CODE_ATOM_MAX || o->n_list > CODE_LIST_MAX || o->n_entry_max > PART_ENTRIES_MAX)
        R1_FAIL(
            err, R1_E_INVAL,
            "long-term memory: expected at most %d atoms, %d lists, %zu entries; found %u, %u, %zu",
            CODE_ATOM_MAX, CODE_LIST_MAX, PART_ENTRIES_MAX, o->n_atom, o->n_list, o->n_entry_max);
    return R1_OK;
}

r1_status longterm_make(r1_longterm **out, const r1_longterm_opts *o, r1_err *err)
{
    R1_TRY(r1_isa_check(err));
    r1_longterm *lt = calloc(1, sizeof *lt);
    if (!lt) R1_FAIL(err, R1_E_NOMEM, "no memory for a long-term memory");
    lt->o = *o;
    r1_status st = fill_defaults(&lt->o, err);
    if (st == R1_OK && !(lt->view = view_new(0)))
        st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for a long-term memory");
    if (st != R1_OK) {
        free(lt);
        return st;
    }
    lt->next_id = 1;
    lt->file.fd = -1;
    pthread_mutex_init(&lt->lock, NULL);
    *out = lt;
    return R1_OK;
}

r1_status r1_longterm_new_with(r1_longterm **out, const r1_longterm_opts *opts, r1_err *err)
{
    return longterm_make(out, opts, err);
}

r1_status r1_longterm_new(r1_longterm **out, uint32_t d_key, size_t n_entry_max, r1_err *err)
{
    return longterm_make(out, &(r1_longterm_opts){.d_key = d_key, .n_entry_max = n_entry_max}, err);
}

r1_status r1_longterm_open(r1_longterm **out, const char *path, size_t n_entry_max, r1_err *err)
{
    return longfile_open(out, path, n_entry_max ? n_entry_max : 1048576, true, err);
}

r1_status r1_longterm_open_read(r1_longterm **out, const char *path, size_t n_entry_max,
                                r1_err *err)
{
    return longfile_open(out, path, n_entry_max ? n_entry_max : 1048576, false, err);
}

void r1_longterm_free(r1_longterm *lt)
{
    if (!lt) return;
    r1_longterm_rollback(lt);
    longfile_close(&lt->file);
    view_free(lt->view);
    pthread_mutex_destroy(&lt->lock);
    free(lt);
}

r1_status r1_longterm_save(r1_longterm *lt, const char *path, r1_err *err)
{
    return longfile_write(lt, lt->view, path, err);
}

/* ---- changes ---- */

r1_status r1_longterm_begin(r1_longterm *lt, r1_err *err)
{
    if (lt->next) R1_FAIL(err, R1_E_INVAL, "long-term memory: a change is open already");
    if (lt->file.fd >= 0 && !lt->file.writable)
        R1_FAIL(err, R1_E_INVAL, "%s was opened for reading", lt->file.path);
    lt->next = view_copy(lt->view);
    if (!lt->next) R1_FAIL(err, R1_E_NOMEM, "no memory for a change of long-term memory");
    lt->next_id_before = lt->next_id;
    return R1_OK;
}

/* Rows behind those that the published view counts were never seen. */
static void forget_unseen(r1_longterm *lt)
{
    for (size_t i = 0; i < lt->next->n_part; i++) {
        part *p = lt->next->part[i].p;
        if (p->coded || i >= lt->view->n_part || lt->view->part[i].p != p) continue;
        while (p->n > lt->view->part[i].n) free(p->value[--p->n]);
    }
}

void r1_longterm_rollback(r1_longterm *lt)
{
    if (!lt->next) return;
    longfile_rollback(&lt->file);
    forget_unseen(lt);
    view_free(lt->next);
    lt->next = NULL;
    lt->next_id = lt->next_id_before;
}

r1_status r1_longterm_commit(r1_longterm *lt, r1_err *err)
{
    if (!lt->next) R1_FAIL(err, R1_E_INVAL, "long-term memory: no change is open");
    R1_ASSERT(lt->next_id >= lt->next_id_before, "long-term memory: next id %llu, before %llu",
              (unsigned long long)lt->next_id, (unsigned long long)lt->next_id_before);
    r1_status st = longfile_commit(&lt->file, lt->next_id, err);
    if (st != R1_OK) {
        r1_longterm_rollback(lt);
        return st;
    }
    longterm_publish(lt, lt->next);
    lt->next = NULL;
    return R1_OK;
}

/* Opens a change where none is; *own tells the caller to end it. */
static r1_status longterm_join(r1_longterm *lt, bool *own, r1_err *err)
{
    *own = !lt->next;
    return *own ? r1_longterm_begin(lt, err) : R1_OK;
}

static r1_status longterm_leave(r1_longterm *lt, bool own, r1_status st, r1_err *err)
{
    if (!own) return st;
    if (st == R1_OK) return r1_longterm_commit(lt, err);
    r1_longterm_rollback(lt);
    return st;
}

/* The fresh part with room, or a further one, larger with the number of entries. */
static r1_status longterm_room(r1_longterm *lt, size_t *at, r1_err *err)
{
    r1_longterm_view *v = lt->next;
    if (v->n_live >= lt->o.n_entry_max)
        R1_FAIL(err, R1_E_NOMEM, "long-term memory is full: %zu entries", lt->o.n_entry_max);
    if (v->n_part) {
        const view_part *last = &v->part[v->n_part - 1];
        *at = v->n_part - 1;
        if (!last->p->coded && last->p->n < last->p->cap) return R1_OK;
    }
    size_t cap = v->n_live < FRESH_MIN ? FRESH_MIN : v->n_live > FRESH_MAX ? FRESH_MAX : v->n_live;
    part *p;
    R1_TRY(part_fresh(&p, lt->o.d_key, lt->o.d_vector, cap, err));
    r1_status st = view_add(&lt->next, p, err);
    if (st != R1_OK) part_free(p);
    *at = lt->next->n_part - 1;
    return st;
}

r1_status longterm_drop(r1_longterm *lt, uint64_t id, r1_err *err)
{
    size_t at, row;
    if (!longterm_locate(lt->next, id, &at, &row))
        R1_FAIL(err, R1_E_NOT_FOUND, "long-term memory has no entry %llu", (unsigned long long)id);
    return view_kill(lt->next, at, row, err);
}

r1_status longterm_put(r1_longterm *lt, uint64_t id, const r1_longterm_entry *e, r1_err *err)
{
    size_t at, row;
    if (longterm_locate(lt->next, id, &at, &row)) R1_TRY(view_kill(lt->next, at, row, err));
    R1_TRY(longterm_room(lt, &at, err));
    view_part *vp = &lt->next->part[at];
    R1_TRY(part_append(vp->p, e, id, err));
    vp->n = vp->p->n;
    lt->next->n_live++;
    return R1_OK;
}

r1_status longterm_drop_fresh(r1_longterm *lt, r1_err *err)
{
    r1_longterm_view *v = view_new(lt->next->n_part);
    if (!v) R1_FAIL(err, R1_E_NOMEM, "no memory for a view");
    for (size_t i = 0; i < lt->next->n_part; i++) {
        const view_part *vp = &lt->next->part[i];
        if (!vp->p->coded) continue;
        copy_part(&v->part[v->n_part++], vp);
        v->n_live += vp->n - vp->n_dead;
    }
    view_free(lt->next);
    lt->next = v;
    return R1_OK;
}

static r1_status check_entry(const r1_longterm *lt, const r1_longterm_entry *e, r1_err *err)
{
    if (e->value_bytes > PART_VALUE_MAX)
        R1_FAIL(err, R1_E_INVAL, "long-term memory: value: expected at most %d bytes, found %u",
                PART_VALUE_MAX, e->value_bytes);
    for (uint32_t c = 0; c < lt->o.d_key; c++)
        if (e->key[c] - e->key[c] != 0)
            R1_FAIL(err, R1_E_INVAL, "long-term memory: key: column %u is not a finite number", c);
    for (uint32_t c = 0; e->vector && c < lt->o.d_vector; c++)
        if (e->vector[c] - e->vector[c] != 0)
            R1_FAIL(err, R1_E_INVAL, "long-term memory: vector: column %u is not a finite number",
                    c);
    return R1_OK;
}

static r1_status put_logged(r1_longterm *lt, uint64_t id, const r1_longterm_entry *e, r1_err *err)
{
    R1_TRY(longterm_put(lt, id, e, err));
    return longfile_entry(&lt->file, id, e, lt->o.d_key, lt->o.d_vector, err);
}

r1_status r1_longterm_insert(r1_longterm *lt, const r1_longterm_entry *e, uint64_t *id, r1_err *err)
{
    bool own;
    R1_TRY(check_entry(lt, e, err));
    R1_TRY(longterm_join(lt, &own, err));
    uint64_t given = lt->next_id++;
    r1_status st = put_logged(lt, given, e, err);
    if (st != R1_OK) lt->next_id = given;
    if (id && st == R1_OK) *id = given;
    return longterm_leave(lt, own, st, err);
}

r1_status r1_longterm_update(r1_longterm *lt, uint64_t id, const r1_longterm_entry *e, r1_err *err)
{
    bool own;
    size_t at, row;
    R1_TRY(check_entry(lt, e, err));
    R1_TRY(longterm_join(lt, &own, err));
    r1_status st = R1_OK;
    if (!longterm_locate(lt->next, id, &at, &row))
        st = r1_err_set(err, R1_E_NOT_FOUND, __FILE__, __LINE__,
                        "long-term memory has no entry %llu", (unsigned long long)id);
    if (st == R1_OK) st = put_logged(lt, id, e, err);
    return longterm_leave(lt, own, st, err);
}

r1_status r1_longterm_delete(r1_longterm *lt, uint64_t id, r1_err *err)
{
    bool own;
    R1_TRY(longterm_join(lt, &own, err));
    r1_status st = longterm_drop(lt, id, err);
    if (st == R1_OK) st = longfile_delete(&lt->file, id, err);
    return longterm_leave(lt, own, st, err);
}

typedef struct {
    uint32_t source, version;
    int64_t before_us;
    bool by_time;
} doomed;

static bool is_doomed(const part_record *r, const doomed *d)
{
    if (d->by_time) return r->time_us < d->before_us;
    return r->source == d->source && (!d->version || r->version < d->version);
}

/* All or none: 0 where something failed. */
static size_t remove_all(r1_longterm *lt, const doomed *d)
{
    bool own;
    size_t removed = 0;
    if (longterm_join(lt, &own, NULL) != R1_OK) return 0;
    r1_status st = R1_OK;
    for (size_t i = 0; i < lt->next->n_part && st == R1_OK; i++)
        for (size_t row = 0; row < lt->next->part[i].n && st == R1_OK; row++) {
            const view_part *vp = &lt->next->part[i];
            if (part_is_dead(longterm_words(vp->dead), row) || !is_doomed(&vp->p->rec[row], d))
                continue;
            st = view_kill(lt->next, i, row, NULL);
            if (st == R1_OK) st = longfile_delete(&lt->file, vp->p->rec[row].id, NULL);
            removed++;
        }
    return longterm_leave(lt, own, st, NULL) == R1_OK ? removed : 0;
}

size_t r1_longterm_expire(r1_longterm *lt, uint32_t source, uint32_t version)
{
    return remove_all(lt, &(doomed){.source = source, .version = version});
}

size_t r1_longterm_age(r1_longterm *lt, int64_t before_us)
{
    return remove_all(lt, &(doomed){.before_us = before_us, .by_time = true});
}

/* ---- all live rows, and what runs over them ---- */

typedef struct {
    const part *p;
    uint32_t row;
} live_row;

static live_row *live_rows(const r1_longterm_view *v, bool fresh_only, size_t *n)
{
    live_row *all = malloc(sizeof *all * (v->n_live + 1));
    *n = 0;
    for (size_t i = 0; i < v->n_part && all; i++)
        for (size_t row = 0; row < v->part[i].n; row++)
            if (!(fresh_only && v->part[i].p->coded) &&
                !part_is_dead(longterm_words(v->part[i].dead), row))
                all[(*n)++] = (live_row){v->part[i].p, (uint32_t)row};
    return all;
}

/* Entity, source, newest first. */
static int by_owner(const void *a, const void *b)
{
    const live_row *x = a, *y = b;
    const part_record *r = &x->p->rec[x->row], *s = &y->p->rec[y->row];
    if (r->entity != s->entity) return r->entity < s->entity ? -1 : 1;
    if (r->source != s->source) return r->source < s->source ? -1 : 1;
    if (r->time_us != s->time_us) return r->time_us > s->time_us ? -1 : 1;
    return (r->id < s->id) - (r->id > s->id);
}

static const float *longterm_key_of(const live_row *l)
{
    return l->p->key + (size_t)l->row * l->p->d_key;
}

/* rows[0..n) are one owner's, newest first: each is compared with the MERGE_SPAN newest that
 * stay. */
static r1_status merge_group(r1_longterm *lt, const live_row *rows, size_t n, float cosine,
                             size_t *removed, r1_err *err)
{
    const scan_kernels *k = scan_best();
    size_t kept[MERGE_SPAN], n_kept = 0;
    uint32_t d = lt->o.d_key;
    for (size_t i = 0; i < n; i++) {
        const float *a = longterm_key_of(&rows[i]);
        bool near = false;
        for (size_t j = 0; j < n_kept && !near; j++) {
            const float *b = longterm_key_of(&rows[kept[j]]);
            float scale = sqrtf(k->dot(a, a, d) * k->dot(b, b, d));
            near = k->dot(a, b, d) >= cosine * scale;
        }
        if (!near) {
            if (n_kept < MERGE_SPAN) kept[n_kept++] = i;
            continue;
        }
        uint64_t id = rows[i].p->rec[rows[i].row].id;
        R1_TRY(longterm_drop(lt, id, err));
        R1_TRY(longfile_delete(&lt->file, id, err));
        ++*removed;
    }
    return R1_OK;
}

r1_status r1_longterm_merge(r1_longterm *lt, float cosine, size_t *n_removed, r1_err *err)
{
    bool own;
    size_t n = 0, removed = 0;
    R1_TRY(longterm_join(lt, &own, err));
    live_row *all = live_rows(lt->next, false, &n);
    r1_status st = all ? R1_OK
                       : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__,
                                    "no memory to merge %zu entries", lt->next->n_live);
    for (size_t i = 0; i < n && st == R1_OK; i++)
        if (!all[i].p->key)
            st = r1_err_set(err, R1_E_INVAL, __FILE__, __LINE__,
                            "long-term memory: merging needs full keys");
    if (st == R1_OK) qsort(all, n, sizeof *all, by_owner);
    for (size_t i = 0, end; i < n && st == R1_OK; i = end) {
        const part_record *r = &all[i].p->rec[all[i].row];
        for (end = i + 1; end < n; end++) {
            const part_record *s = &all[end].p->rec[all[end].row];
            if (s->entity != r->entity || s->source != r->source) break;
        }
        st = merge_group(lt, all + i, end - i, cosine, &removed, err);
    }
    free(all);
    st = longterm_leave(lt, own, st, err);
    if (n_removed) *n_removed = st == R1_OK ? removed : 0;
    return st;
}

static void live_entry(const void *ctx, size_t i, r1_longterm_entry *e, uint64_t *id)
{
    const live_row *l = (const live_row *)ctx + i;
    part_entry(l->p, l->row, e);
    *id = l->p->rec[l->row].id;
}

/* The new image as a part on the heap, in place of what was coded into it. */
static r1_status longterm_adopt(r1_longterm *lt, uint8_t *bytes, size_t len, r1_err *err)
{
    part_image *image = image_new(bytes, 0, -1);
    if (!image) {
        free(bytes);
        R1_FAIL(err, R1_E_NOMEM, "no memory for a part");
    }
    part *p = NULL;
    r1_status st = part_open(&p, image, bytes, len, "new part", err);
    if (st == R1_OK) st = view_add(&lt->next, p, err);
    if (st != R1_OK) part_free(p);
    image_free(image);
    return st;
}

static r1_status code_rows(r1_longterm *lt, const live_row *rows, size_t n, bool all, r1_err *err)
{
    uint8_t *bytes;
    size_t len;
    for (size_t i = 0; i < n; i++)
        if (!rows[i].p->key || (lt->o.d_vector && !rows[i].p->vector))
            R1_FAIL(err, R1_E_INVAL,
                    "long-term memory: only codes are kept, so old parts cannot be rebuilt");
    R1_TRY(part_build(&bytes, &len, &lt->o, live_entry, rows, n, err));
    r1_status st = longfile_reset(&lt->file, err);
    if (st == R1_OK) st = longfile_part(&lt->file, bytes, len, NULL, err);
    if (st == R1_OK && all) {
        r1_longterm_view *v = view_new(0);
        if (!v) st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for a view");
        if (v) {
            view_free(lt->next);
            lt->next = v;
        }
    } else if (st == R1_OK)
        st = longterm_drop_fresh(lt, err);
    if (st != R1_OK) {
        free(bytes);
        return st;
    }
    return longterm_adopt(lt, bytes, len, err);
}

/* Rebuilding all: the file starts anew as well, so that nothing that is gone takes room. */
static r1_status move_to_new_file(r1_longterm *lt, r1_err *err)
{
    char *path = lt->file.path;
    R1_TRY(longfile_write(lt, lt->next, path, err));
    r1_longterm *fresh;
    longfile old = lt->file;
    r1_status st = longfile_open(&fresh, path, lt->o.n_entry_max, true, err);
    if (st != R1_OK) { /* the file in hand is not the one at path any more: nothing may go there */
        lt->file.writable = false;
        r1_err_prefix(err, "the rebuilt memory is at %s, but cannot be opened: ", path);
        return st;
    }
    lt->file = fresh->file;
    fresh->file = old;
    r1_longterm_view *v = lt->next; /* the mapped twin takes its place */
    lt->next = NULL;
    longterm_publish(lt, view_share(fresh->view));
    view_free(v);
    r1_longterm_free(fresh);
    return R1_OK;
}

r1_status r1_longterm_consolidate(r1_longterm *lt, bool all, r1_err *err)
{
    if (lt->next) R1_FAIL(err, R1_E_INVAL, "long-term memory: a change is open");
    R1_TRY(r1_longterm_begin(lt, err));
    size_t n;
    live_row *rows = live_rows(lt->next, !all, &n);
    r1_longterm_view *held =
        view_share(lt->view); /* rows point into it while next is being replaced */
    longfile file = lt->file;
    bool anew = all && file.fd >= 0;
    if (anew) lt->file = (longfile){.fd = -1}; /* nothing goes to the old file */
    r1_status st =
        rows ? R1_OK : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory to consolidate");
    if (st == R1_OK && n) st = code_rows(lt, rows, n, all, err);
    free(rows);
    if (anew) lt->file = file;
    if (st == R1_OK && anew && n)
        st = move_to_new_file(lt, err);
    else if (st == R1_OK)
        st = r1_longterm_commit(lt, err);
    if (st != R1_OK) r1_longterm_rollback(lt);
    view_free(held);
    return st;
}

/* ---- reading ---- */

size_t r1_longterm_view_count(const r1_longterm_view *v) { return v->n_live; }

static r1_status longterm_find(const r1_longterm_view *v, uint64_t id, const part **p, size_t *row,
                               r1_err *err)
{
    size_t at;
    if (!longterm_locate(v, id, &at, row))
        R1_FAIL(err, R1_E_NOT_FOUND, "long-term memory has no entry %llu", (unsigned long long)id);
    *p = v->part[at].p;
    return R1_OK;
}

r1_status r1_longterm_view_get(const r1_longterm_view *v, uint64_t id, r1_longterm_entry *e,
                               r1_err *err)
{
    const part *p = NULL;
    size_t row = 0;
    R1_TRY(longterm_find(v, id, &p, &row, err));
    part_entry(p, row, e);
    return R1_OK;
}

r1_status r1_longterm_view_key(const r1_longterm_view *v, uint64_t id, float *key, r1_err *err)
{
    const part *p = NULL;
    size_t row = 0;
    R1_TRY(longterm_find(v, id, &p, &row, err));
    part_key(p, row, key);
    return R1_OK;
}

r1_status r1_longterm_view_vector(const r1_longterm_view *v, uint64_t id, bool from_code,
                                  float *vector, r1_err *err)
{
    const part *p = NULL;
    size_t row = 0;
    R1_TRY(longterm_find(v, id, &p, &row, err));
    if (!p->d_vector) R1_FAIL(err, R1_E_INVAL, "long-term memory: entries have no vectors");
    part_vector(p, row, from_code, vector);
    return R1_OK;
}

void r1_longterm_view_stats(const r1_longterm_view *v, r1_longterm_stats *s)
{
    *s = (r1_longterm_stats){.n_entry = v->n_live};
    for (size_t i = 0; i < v->n_part; i++) {
        const part *p = v->part[i].p;
        if (!p->coded) {
            s->n_fresh += v->part[i].n - v->part[i].n_dead;
            continue;
        }
        const size_t *bytes = p->section;
        s->n_part++;
        s->code_bytes += bytes[SECTION_KEY_START] + bytes[SECTION_KEY_LEN] +
                         bytes[SECTION_KEY_BYTES] + bytes[SECTION_SKETCH];
        s->index_bytes +=
            code_bytes(p->key_code) + bytes[SECTION_LIST_START] + bytes[SECTION_ID_ORDER];
        s->vector_code_bytes +=
            bytes[SECTION_VECTOR_START] + bytes[SECTION_VECTOR_LEN] + bytes[SECTION_VECTOR_BYTES];
        s->meta_bytes += bytes[SECTION_RECORD];
        s->full_bytes += bytes[SECTION_KEYS] + bytes[SECTION_VECTORS];
        s->value_bytes += bytes[SECTION_VALUES];
    }
}

/* a is a worse hit than b */
static bool longterm_worse(const r1_longterm_hit *a, const r1_longterm_hit *b)
{
    return a->score < b->score || (a->score == b->score && a->id > b->id);
}

/* hit[0..n) is a heap with its worst hit at the root. */
static void sift_down(r1_longterm_hit *hit, size_t n, size_t i)
{
    for (;;) {
        size_t low = i, l = 2 * i + 1, r = l + 1;
        if (l < n && longterm_worse(&hit[l], &hit[low])) low = l;
        if (r < n && longterm_worse(&hit[r], &hit[low])) low = r;
        if (low == i) return;
        r1_longterm_hit t = hit[i];
        hit[i] = hit[low];
        hit[low] = t;
        i = low;
    }
}

typedef struct {
    r1_longterm_hit *hit;
    size_t n, k;
} best;

static void longterm_offer(best *b, r1_longterm_hit h)
{
    if (b->n < b->k) {
        b->hit[b->n++] = h;
        if (b->n == b->k)
            for (size_t j = b->k / 2 + 1; j-- > 0;) sift_down(b->hit, b->n, j);
    } else if (b->k && longterm_worse(&b->hit[0], &h)) {
        b->hit[0] = h;
        sift_down(b->hit, b->n, 0);
    }
}

static int best_first(const void *a, const void *b)
{
    const r1_longterm_hit *x = a, *y = b;
    return longterm_worse(x, y) - longterm_worse(y, x);
}

static void search_exact(const view_part *vp, const float *q, best *b)
{
    const scan_kernels *k = scan_best();
    const part *p = vp->p;
    for (size_t row = 0; row < vp->n; row++)
        if (!part_is_dead(longterm_words(vp->dead), row))
            longterm_offer(
                b, (r1_longterm_hit){p->rec[row].id, k->dot(q, p->key + row * p->d_key, p->d_key)});
}

typedef struct {
    part_hit hit;
    const part *p;
} candidate;

static int by_code_score(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    if (x->hit.score != y->hit.score) return x->hit.score < y->hit.score ? 1 : -1;
    const uint64_t i = x->p->rec[x->hit.row].id, j = y->p->rec[y->hit.row].id;
    return (i > j) - (i < j);
}

/* Of n candidates in the order of their codes' scores: the best n_rerank by their full keys, or
 * all as they are. */
static r1_status offer_candidates(const candidate *all, size_t n, const float *q, bool codes_only,
                                  best *b, float *key, r1_err *err)
{
    const scan_kernels *k = scan_best();
    for (size_t i = 0; i < n; i++) {
        const part *p = all[i].p;
        float score = all[i].hit.score;
        if (p->key && !codes_only) {
            R1_TRY(part_read_key(p, all[i].hit.row, key, err));
            score = k->dot(q, key, p->d_key);
        }
        longterm_offer(b, (r1_longterm_hit){p->rec[all[i].hit.row].id, score});
    }
    return R1_OK;
}

/* Candidates of all parts for nq queries at once; b[nq]. */
static r1_status search_codes(const r1_longterm_view *v, const float *q, size_t nq,
                              const r1_longterm_query *how, size_t n_coded, best *b, r1_err *err)
{
    size_t wanted = how->codes_only ? how->k : how->n_rerank, d = v->part[0].p->d_key,
           n[QUERIES_AT_ONCE] = {0}, found[QUERIES_AT_ONCE];
    part_hit *hit = malloc(sizeof *hit * (nq * wanted + 1));
    candidate *all = malloc(sizeof *all * (nq * wanted * n_coded + 1));
    float *key = malloc(sizeof *key * d);
    r1_status st = hit && all && key
                       ? R1_OK
                       : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory to search");
    for (size_t i = 0; i < v->n_part && st == R1_OK && wanted; i++) {
        const part *p = v->part[i].p;
        if (!p->coded) continue;
        uint32_t probe = how->n_probe ? how->n_probe : p->n <= SCAN_ALL ? p->n_list : p->n_list / 4;
        st = part_candidates(p, q, nq, longterm_words(v->part[i].dead), probe,
                             how->n_sketch ? how->n_sketch : 2000, hit, wanted, found, err);
        for (size_t j = 0; j < nq && st == R1_OK; j++)
            R1_ASSERT(found[j] <= wanted && n[j] + found[j] <= wanted * n_coded,
                      "long-term memory: query %zu: %zu and %zu candidates of %zu", j, n[j],
                      found[j], wanted * n_coded);
        for (size_t j = 0; j < nq && st == R1_OK; j++)
            for (size_t t = 0; t < found[j]; t++)
                all[j * wanted * n_coded + n[j]++] = (candidate){hit[j * wanted + t], p};
    }
    for (size_t j = 0; j < nq && st == R1_OK; j++) {
        candidate *mine = all + j * wanted * n_coded;
        qsort(mine, n[j], sizeof *mine, by_code_score);
        st = offer_candidates(mine, n[j] < wanted ? n[j] : wanted, q + j * d, how->codes_only,
                              &b[j], key, err);
    }
    free(hit);
    free(all);
    free(key);
    return st;
}

static r1_status check_query(const float *q, uint32_t d, size_t i, r1_err *err)
{
    for (uint32_t c = 0; c < d; c++)
        if (q[c] - q[c] != 0)
            R1_FAIL(err, R1_E_INVAL,
                    "long-term memory: query %zu: column %u is not a finite number", i, c);
    return R1_OK;
}

/* nq <= QUERIES_AT_ONCE; h: defaults filled in. */
static r1_status search_some(const r1_longterm_view *v, const float *q, size_t nq,
                             const r1_longterm_query *h, r1_longterm_hit *hit, size_t stride,
                             size_t *n_hit, r1_err *err)
{
    best b[QUERIES_AT_ONCE];
    size_t n_coded = 0, d = v->part[0].p->d_key;
    for (size_t j = 0; j < nq; j++) b[j] = (best){hit + j * stride, 0, h->k};
    for (size_t i = 0; i < v->n_part; i++) {
        bool coded = v->part[i].p->coded && !(h->exact && v->part[i].p->key);
        n_coded += coded;
        for (size_t j = 0; j < nq && !coded; j++) search_exact(&v->part[i], q + j * d, &b[j]);
    }
    if (n_coded && h->exact)
        R1_FAIL(err, R1_E_INVAL, "long-term memory: an exact search needs full keys");
    if (n_coded) R1_TRY(search_codes(v, q, nq, h, n_coded, b, err));
    for (size_t j = 0; j < nq; j++) {
        qsort(b[j].hit, b[j].n, sizeof *hit, best_first);
        n_hit[j] = b[j].n;
    }
    return R1_OK;
}

r1_status r1_longterm_view_search_many(const r1_longterm_view *v, const float *q, size_t nq,
                                       const r1_longterm_query *how, r1_longterm_hit *hit,
                                       size_t *n_hit, r1_err *err)
{
    r1_longterm_query h = *how;
    uint32_t d = v->n_part ? v->part[0].p->d_key : 0;
    memset(n_hit, 0, nq * sizeof *n_hit);
    for (size_t i = 0; i < nq && v->n_part; i++) R1_TRY(check_query(q + i * d, d, i, err));
    if (h.k > v->n_live) h.k = v->n_live;
    if (!h.n_rerank) h.n_rerank = 100;
    if (h.n_rerank < h.k) h.n_rerank = (uint32_t)h.k;
    for (size_t i = 0; i < nq && v->n_part; i += QUERIES_AT_ONCE) {
        size_t n = nq - i < QUERIES_AT_ONCE ? nq - i : QUERIES_AT_ONCE;
        r1_status st = search_some(v, q + i * d, n, &h, hit + i * how->k, how->k, n_hit + i, err);
        if (st == R1_OK) continue;
        memset(n_hit, 0, nq * sizeof *n_hit);
        return st;
    }
    return R1_OK;
}

r1_status r1_longterm_view_search(const r1_longterm_view *v, const float *q,
                                  const r1_longterm_query *how, r1_longterm_hit *hit, size_t *n_hit,
                                  r1_err *err)
{
    return r1_longterm_view_search_many(v, q, 1, how, hit, n_hit, err);
}

/* ---- on the newest view ---- */

r1_status r1_longterm_get(r1_longterm *lt, uint64_t id, r1_longterm_entry *e, r1_err *err)
{
    r1_longterm_view *v = r1_longterm_view_open(lt);
    r1_status st = r1_longterm_view_get(v, id, e, err);
    r1_longterm_view_close(v);
    return st;
}

size_t r1_longterm_count(r1_longterm *lt)
{
    r1_longterm_view *v = r1_longterm_view_open(lt);
    size_t n = v->n_live;
    r1_longterm_view_close(v);
    return n;
}

r1_status r1_longterm_search(r1_longterm *lt, const float *query, size_t k, r1_longterm_hit *hit,
                             size_t *n_hit, r1_err *err)
{
    r1_longterm_view *v = r1_longterm_view_open(lt);
    r1_status st = r1_longterm_view_search(v, query, &(r1_longterm_query){.k = k}, hit, n_hit, err);
    r1_longterm_view_close(v);
    return st;
}
