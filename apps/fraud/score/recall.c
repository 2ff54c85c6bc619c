/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recall.c - see recall.h. A batch's ticket is open from its first payment until it has run: what
 * its references name is not used again before. */
#include "score/recall.h"

#include "r1_assert.h"

#include <stdlib.h>

enum { WAITING_MAX = 256 };

/* The entries of one batch of payments, until they are encoded. */
struct fraud_recall_batch {
    uint64_t ticket; /* 0: none is open */
    uint32_t n;      /* waiting to be encoded */
    float num[WAITING_MAX][FRAUD_N_EVENT_NUM];
    int32_t cat[WAITING_MAX][FRAUD_N_EVENT_CAT];
    r1_event event[WAITING_MAX];
    uint64_t handle[WAITING_MAX];
};

struct fraud_recall {
    r1_memory *pool;
    r1_memory_opts opts; /* of the pool */
    const r1_model *model;
    r1_session *session;
    uint64_t rings_max, bytes_max;
    fraud_recall_batch batch[2]; /* the open one, and one that is scored meanwhile */
    int open;
    fraud_key_sink sink;
    void *sink_ctx;
    size_t width;
    float *key; /* [width], for the sink */
};

r1_status fraud_recall_new(fraud_recall **out, const r1_model *m, r1_session *session,
                           uint32_t rings_max, r1_err *err)
{
    *out = NULL;
    fraud_recall *r = calloc(1, sizeof *r);
    if (!r) R1_FAIL(err, R1_E_NOMEM, "no memory for the working memory");
    size_t width = r1_model_entry_width(m);
    r1_precision precision = r1_session_precision(session);
    r1_memory_opts o = {.bytes_max = r1_memory_bytes(width, precision, FRAUD_HISTORY, rings_max),
                        .precision = precision,
                        .quota = FRAUD_HISTORY,
                        .n_entity_max = rings_max};
    r->opts = o;
    r->model = m;
    r->session = session;
    r->rings_max = rings_max;
    r->bytes_max = o.bytes_max;
    r->width = width;
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < WAITING_MAX; i++)
            r->batch[k].event[i] = (r1_event){r->batch[k].num[i], r->batch[k].cat[i]};
    r->key = calloc(width, sizeof *r->key);
    r1_status st = r->key ? r1_memory_new(&r->pool, m, &o, err)
                          : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__,
                                       "no memory for a key of %zu", width);
    if (st != R1_OK) {
        fraud_recall_free(r);
        return st;
    }
    *out = r;
    return R1_OK;
}

void fraud_recall_free(fraud_recall *r)
{
    if (!r) return;
    r1_memory_free(r->pool);
    free(r->key);
    free(r);
}

r1_memory *fraud_recall_pool(const fraud_recall *r) { return r->pool; }

void fraud_recall_sizes(const fraud_recall *r, uint64_t *rings, uint64_t *rings_max,
                        uint64_t *bytes)
{
    r1_memory_counts counts;
    r1_memory_stats(r->pool, &counts);
    *rings = counts.n_entity;
    *rings_max = r->rings_max;
    *bytes = r->bytes_max;
}

/* An entity's key is a hash of its name; the lowest bit tells its two rings apart. */
static uint64_t ring_key(const fraud_entity *e, int direction)
{
    return (e->key & ~UINT64_C(1)) | (uint64_t)direction;
}

void fraud_recall_look(const fraud_recall *r, const fraud_state *s, uint32_t from, uint32_t to,
                       fraud_features *f)
{
    const uint32_t end[2] = {from, to};
    f->n_ref = 0;
    for (int role = 0; role < 4; role++) { /* sender out, sender in, receiver out, receiver in */
        const fraud_entity *self = &s->entity[end[role / 2]];
        uint32_t other = end[1 - role / 2];
        int direction = role % 2;
        uint64_t handle[FRAUD_HISTORY], seq[FRAUD_HISTORY];
        if (self->role == FRAUD_ROLE_EXTERNAL) continue;
        size_t n = r1_memory_ring(r->pool, ring_key(self, direction), handle, seq, FRAUD_HISTORY);
        R1_ASSERT(n <= FRAUD_HISTORY, "working memory: a ring of %zu", n);
        for (size_t i = n; i-- > 0;) {
            if (!fraud_state_has(s, seq[i])) continue;
            const fraud_edge *edge = fraud_state_edge(s, seq[i]);
            fraud_features_ref(s, seq[i], role, (direction ? edge->from : edge->to) == other,
                               handle[i], f);
        }
    }
}

static r1_status recall_encode(fraud_recall *r, fraud_recall_batch *b, r1_err *err)
{
    uint32_t n = b->n;
    R1_ASSERT(n <= WAITING_MAX && (!n || b->ticket), "working memory: %u wait without a ticket", n);
    b->n = 0;
    if (!n) return R1_OK;
    R1_TRY(r1_session_store(r->session, r->pool, b->ticket, b->event, b->handle, n, err));
    for (uint32_t i = 0; r->sink && i < n; i++) {
        R1_TRY(r1_memory_get(r->pool, b->handle[i], r->key, NULL, err));
        r->sink(r->sink_ctx, r->key, r->width);
    }
    return R1_OK;
}

void fraud_recall_watch(fraud_recall *r, fraud_key_sink sink, void *ctx)
{
    r->sink = sink;
    r->sink_ctx = ctx;
}

static fraud_recall_batch *open_batch(fraud_recall *r) { return &r->batch[r->open]; }

static r1_status open_ticket(fraud_recall *r, r1_err *err)
{
    fraud_recall_batch *b = open_batch(r);
    return b->ticket ? R1_OK : r1_memory_begin(r->pool, &b->ticket, err);
}

static void end_ticket(fraud_recall *r, fraud_recall_batch *b)
{
    if (b->ticket) r1_memory_end(r->pool, b->ticket);
    b->ticket = 0;
}

r1_status fraud_recall_add(fraud_recall *r, const fraud_state *s, uint64_t seq, bool held,
                           r1_err *err)
{
    const fraud_edge *edge = fraud_state_edge(s, seq);
    uint64_t key[2];
    size_t n = 0;
    if (!edge->external_from) key[n++] = ring_key(&s->entity[edge->from], 0);
    if (!edge->external_to) key[n++] = ring_key(&s->entity[edge->to], 1);
    if (!n) return R1_OK;
    fraud_recall_batch *b = open_batch(r);
    R1_TRY(open_ticket(r, err));
    R1_ASSERT(b->n < WAITING_MAX, "working memory: %u of %d wait", b->n, (int)WAITING_MAX);
    fraud_features_event(s, seq, b->num[b->n], b->cat[b->n]);
    R1_TRY(r1_memory_append(r->pool, b->ticket, key, n, seq, &b->handle[b->n], err));
    if (++b->n < WAITING_MAX) return R1_OK;
    R1_TRY(recall_encode(r, b, err));
    if (!held) end_ticket(r, b);
    return R1_OK;
}

r1_status fraud_recall_offer(fraud_recall *r, fraud_recall_batch **b, r1_err *err)
{
    *b = open_batch(r);
    return open_ticket(r, err);
}

void fraud_recall_taken(fraud_recall *r)
{
    r->open = !r->open;
    R1_ASSERT(!open_batch(r)->ticket && !open_batch(r)->n,
              "working memory: two batches are scored at once");
}

r1_status fraud_recall_encode(fraud_recall *r, fraud_recall_batch *b, uint64_t *ticket, r1_err *err)
{
    *ticket = b->ticket;
    R1_TRY(recall_encode(r, b, err));
    b->ticket = 0;
    return R1_OK;
}

r1_status fraud_recall_settle(fraud_recall *r, r1_err *err)
{
    R1_ASSERT(!r->batch[!r->open].ticket, "working memory: a batch is scored while it settles");
    R1_TRY(recall_encode(r, open_batch(r), err));
    end_ticket(r, open_batch(r));
    return R1_OK;
}

r1_status fraud_recall_empty(fraud_recall *r, r1_err *err)
{
    r1_memory_free(r->pool);
    r->pool = NULL;
    for (int k = 0; k < 2; k++) r->batch[k].ticket = r->batch[k].n = 0;
    r1_status st = r1_memory_new(&r->pool, r->model, &r->opts, err);
    if (st != R1_OK && err) err->fatal = true;
    return st;
}
