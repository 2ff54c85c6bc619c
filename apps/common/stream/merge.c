/* SPDX-License-Identifier: Apache-2.0 */
/* merge.c - a ring of places for each source, and a heap of the sources that hold something. */
#include "stream/merge.h"
#include "r1_assert.h"

#include <stdlib.h>

typedef struct {
    r1_merge_key key;
    int64_t due_ms; /* held until then */
    void *item;
} merge_place;

typedef struct {
    merge_place *ring;
    uint32_t head, n;
    uint32_t at;          /* in the heap, where n > 0 */
    int64_t last_ms;      /* place of the newest message so far */
    int64_t leap_base_ms; /* place before the leap that is neither believed nor contradicted */
    uint32_t n_leap;      /* messages since then, that one included; 0: no leap is open */
    bool any;             /* some message has come */
    bool more;            /* has more to give */
    bool given_up;        /* was waited for in vain; until its next message */
} merge_source;

struct r1_merge {
    r1_merge_opts o;
    merge_source *source;
    merge_place *places;
    uint32_t *heap;
    uint32_t n_source, n_heap;
    uint32_t n_behind; /* sources that are waited for: is_behind */
    int64_t waiting_since_ms;
    bool waiting;
    int64_t last_ms;  /* latest place given */
    int64_t begin_ms; /* place of the last one that was given before this merge began */
    r1_merge_stats stats;
};
static const int64_t merge_far = INT64_C(1) << 60; /* beyond every place; differences of two fit */

/* ---- life ---- */

r1_status r1_merge_new(r1_merge **out, const r1_merge_opts *o, r1_err *err)
{
    R1_ASSERT(o->sources_max >= 1 && o->places >= 2, "%u sources of %u places", o->sources_max,
              o->places);
    *out = NULL;
    r1_merge *m = calloc(1, sizeof *m);
    if (m) {
        m->o = *o;
        m->last_ms = m->begin_ms = -merge_far;
        m->source = calloc(o->sources_max, sizeof *m->source);
        m->places = calloc((size_t)o->sources_max * o->places, sizeof *m->places);
        m->heap = calloc(o->sources_max, sizeof *m->heap);
    }
    if (!m || !m->source || !m->places || !m->heap) {
        r1_merge_free(m);
        R1_FAIL(err, R1_E_NOMEM, "no memory to merge %u partitions", o->sources_max);
    }
    *out = m;
    return R1_OK;
}

void r1_merge_free(r1_merge *m)
{
    if (!m) return;
    free(m->source);
    free(m->places);
    free(m->heap);
    free(m);
}

void r1_merge_resume(r1_merge *m, int64_t place_ms) { m->last_ms = m->begin_ms = place_ms; }

static merge_source *merge_source_of(const r1_merge *m, uint32_t source)
{
    R1_ASSERT(source < m->n_source, "source %u of %u", source, m->n_source);
    return &m->source[source];
}

uint32_t r1_merge_open(r1_merge *m)
{
    R1_ASSERT(m->n_source < m->o.sources_max, "all %u sources are open", m->n_source);
    uint32_t i = m->n_source++;
    m->source[i] =
        (merge_source){.ring = m->places + (size_t)i * m->o.places, .last_ms = -merge_far};
    return i;
}

/* ---- the heap of heads ---- */

static int merge_compare(const r1_merge_key *a, const r1_merge_key *b)
{
    if (a->ms != b->ms) return a->ms < b->ms ? -1 : 1;
    if (a->rank != b->rank) return a->rank < b->rank ? -1 : 1;
    if (a->us != b->us) return a->us < b->us ? -1 : 1;
    return a->tie < b->tie ? -1 : a->tie > b->tie;
}

static const merge_place *merge_head(const r1_merge *m, uint32_t source)
{
    return &m->source[source].ring[m->source[source].head];
}

static bool merge_before(const r1_merge *m, uint32_t a, uint32_t b)
{
    int c = merge_compare(&merge_head(m, a)->key, &merge_head(m, b)->key);
    return c ? c < 0 : a < b;
}

static void heap_put(r1_merge *m, uint32_t at, uint32_t source)
{
    m->heap[at] = source;
    m->source[source].at = at;
}

static void heap_rise(r1_merge *m, uint32_t at)
{
    uint32_t source = m->heap[at];
    for (; at && merge_before(m, source, m->heap[(at - 1) / 2]); at = (at - 1) / 2)
        heap_put(m, at, m->heap[(at - 1) / 2]);
    heap_put(m, at, source);
}

static void heap_sink(r1_merge *m, uint32_t at)
{
    uint32_t source = m->heap[at];
    for (uint32_t child; (child = 2 * at + 1) < m->n_heap; at = child) {
        if (child + 1 < m->n_heap && merge_before(m, m->heap[child + 1], m->heap[child])) child++;
        if (!merge_before(m, m->heap[child], source)) break;
        heap_put(m, at, m->heap[child]);
    }
    heap_put(m, at, source);
}

/* Whether the next message decides where the head stands: there is none, or it is of a leap that
 * is neither believed nor contradicted. */
static bool is_behind(const merge_source *s)
{
    bool open = !s->n || (s->n_leap && s->n_leap >= s->n);
    return open && s->more && !s->given_up;
}

static bool merge_consistent(const r1_merge *m)
{
    uint32_t holding = 0, behind = 0;
    for (uint32_t i = 0; i < m->n_source; i++) {
        const merge_source *s = &m->source[i];
        holding += s->n > 0;
        behind += is_behind(s);
        if (s->n && m->heap[s->at] != i) return false;
        for (uint32_t k = 1; k < s->n; k++)
            if (s->ring[(s->head + k) % m->o.places].key.ms <
                s->ring[(s->head + k - 1) % m->o.places].key.ms)
                return false;
    }
    for (uint32_t at = 1; at < m->n_heap; at++)
        if (merge_before(m, m->heap[at], m->heap[(at - 1) / 2])) return false;
    return holding == m->n_heap && behind == m->n_behind;
}

/* ---- sources ---- */

void r1_merge_mark(r1_merge *m, uint32_t source, bool more)
{
    merge_source *s = merge_source_of(m, source);
    m->n_behind -= is_behind(s);
    s->more = more;
    m->n_behind += is_behind(s);
}

uint32_t r1_merge_room(const r1_merge *m, uint32_t source)
{
    return m->o.places - merge_source_of(m, source)->n;
}

uint32_t r1_merge_held(const r1_merge *m, uint32_t source) { return merge_source_of(m, source)->n; }

bool r1_merge_any(const r1_merge *m) { return m->n_heap > 0; }

/* The leap is contradicted: its messages go to where it began. */
static void leap_undo(r1_merge *m, uint32_t source)
{
    merge_source *s = &m->source[source];
    uint32_t n = s->n_leap < s->n ? s->n_leap : s->n;
    for (uint32_t k = s->n - n; k < s->n; k++)
        s->ring[(s->head + k) % m->o.places].key.ms = s->leap_base_ms;
    m->stats.leaps += s->n_leap;
    s->last_ms = s->leap_base_ms;
    s->n_leap = 0;
    if (n && n == s->n) heap_rise(m, s->at); /* its head has changed */
}

/* The source's first message. Near the last one that an earlier merge gave it is believed at once;
 * far behind it, it stands where this merge begins. */
static int64_t merge_first(const r1_merge *m, merge_source *s, int64_t ms)
{
    bool resumes = m->begin_ms > -merge_far;
    s->any = true;
    if (resumes && ms < m->begin_ms - m->o.leap_ms) return m->begin_ms;
    if (resumes && ms <= m->begin_ms + m->o.leap_ms) return ms;
    s->leap_base_ms = m->begin_ms; /* the first one may be wrong as well */
    s->n_leap = 1;
    return ms;
}

/* The place of the source's next message, whose own time is ms. */
static int64_t merge_place_of(r1_merge *m, uint32_t source, int64_t ms)
{
    merge_source *s = &m->source[source];
    if (ms == R1_MERGE_NO_TIME) return s->any ? s->last_ms : m->begin_ms;
    R1_ASSERT(ms > -merge_far && ms < merge_far, "place %lld", (long long)ms);
    if (s->n_leap && ms < s->last_ms - m->o.leap_ms) leap_undo(m, source);
    if (!s->any) {
        ms = merge_first(m, s, ms);
    } else if (s->n_leap) {
        s->n_leap++;
    } else if (ms > s->last_ms && ms - s->last_ms > m->o.leap_ms) {
        s->leap_base_ms = s->last_ms;
        s->n_leap = 1;
    }
    if (s->n_leap >= R1_MERGE_BELIEVED) s->n_leap = 0;
    if (s->n_leap == 1 || ms > s->last_ms) s->last_ms = ms;
    return s->last_ms;
}

/* Whether a message is held from its arrival on: where its stamp tells no age, and where the source
 * was at its end and this one is old. Broker or reader then stood still, and what the other sources
 * have of that time is on its way as well. */
static bool merge_paused(const merge_source *s, int64_t stamp_ms, int64_t now_ms)
{
    bool stamped = stamp_ms > 0 && stamp_ms < now_ms;
    return !stamped || (!s->more && now_ms - stamp_ms > R1_MERGE_PAUSE_MS);
}

void r1_merge_put(r1_merge *m, uint32_t source, const r1_merge_key *key, int64_t stamp_ms,
                  int64_t now_ms, void *item)
{
    merge_source *s = merge_source_of(m, source);
    R1_ASSERT(s->n < m->o.places, "source %u: %u messages are held", source, s->n);
    m->n_behind -= is_behind(s);
    s->given_up = false;
    merge_place p = {.key = *key, .item = item};
    p.key.ms = merge_place_of(m, source, key->ms);
    p.due_ms = (merge_paused(s, stamp_ms, now_ms) ? now_ms : stamp_ms) + m->o.hold_ms;
    s->ring[(s->head + s->n++) % m->o.places] = p;
    m->n_behind += is_behind(s);
    if (s->n > 1) return;
    m->heap[m->n_heap] = source;
    heap_rise(m, m->n_heap++);
}

/* ---- giving ---- */

static void *merge_take(r1_merge *m, uint32_t source)
{
    merge_source *s = &m->source[source];
    void *item = s->ring[s->head].item;
    m->n_behind -= is_behind(s);
    s->head = (s->head + 1) % m->o.places;
    s->n--;
    m->n_behind += is_behind(s);
    if (s->n) {
        heap_sink(m, s->at);
    } else {
        uint32_t at = s->at, last = m->heap[--m->n_heap];
        if (at < m->n_heap) {
            heap_put(m, at, last);
            heap_sink(m, at);
            heap_rise(m, m->source[last].at);
        }
    }
    return item;
}

static void merge_give_up(r1_merge *m)
{
    for (uint32_t i = 0; i < m->n_source; i++) {
        if (!is_behind(&m->source[i])) continue;
        m->source[i].given_up = true;
        m->stats.behind++;
    }
    m->n_behind = 0;
}

/* Whether the oldest message may not be given yet. */
static r1_merge_state merge_waits(r1_merge *m, int64_t now_ms, int64_t mono_ms, int64_t *until_ms)
{
    if (m->n_behind) {
        if (!m->waiting) m->waiting_since_ms = mono_ms;
        m->waiting = true;
        *until_ms = m->waiting_since_ms + m->o.wait_ms;
        if (mono_ms < *until_ms) return R1_MERGE_BEHIND;
        merge_give_up(m);
    }
    m->waiting = false;
    if (m->n_heap == m->n_source) return R1_MERGE_READY; /* nobody can have an older one */
    *until_ms = merge_head(m, m->heap[0])->due_ms;
    return now_ms < *until_ms && *until_ms - now_ms <= m->o.hold_ms ? R1_MERGE_HELD
                                                                    : R1_MERGE_READY;
}

r1_merge_state r1_merge_next(r1_merge *m, int64_t now_ms, int64_t mono_ms, uint32_t *source,
                             void **item, int64_t *until_ms)
{
    if (!m->n_heap) return R1_MERGE_EMPTY;
    r1_merge_state state = merge_waits(m, now_ms, mono_ms, until_ms);
    if (state != R1_MERGE_READY) return state;
    const r1_merge_key key = merge_head(m, m->heap[0])->key;
    if (key.ms < m->last_ms)
        m->stats.late++;
    else
        m->last_ms = key.ms;
    *source = m->heap[0];
    *item = merge_take(m, *source);
    R1_DEEP_ASSERT(merge_consistent(m), "%u of %u sources hold something", m->n_heap, m->n_source);
    return R1_MERGE_READY;
}

void *r1_merge_drop(r1_merge *m, uint32_t source)
{
    return merge_source_of(m, source)->n ? merge_take(m, source) : NULL;
}

r1_merge_stats r1_merge_counts(const r1_merge *m) { return m->stats; }
