/* SPDX-License-Identifier: Apache-2.0 */
/* Working memory against a twin of plain lists: contexts, quotas, anchors with weight and end,
 * entities that go, what reaches long-term memory; then the limits that hold whatever happens:
 * bytes, open batches, a quarter of anchors. */
#include "memory/pool_internal.h"
#include "support/r1_test.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 6, SERIALS = 40000, PLACES = 400, ENTITIES = 12, ROOM = 7, QUOTA = 37 };

static r1_memory *open_pool(size_t bytes, uint32_t quota, uint32_t n_entity)
{
    r1_err err = {0};
    r1_memory *mem;
    r1_memory_opts o = {
        .bytes_max = bytes, .quota = quota, .n_entity_max = n_entity, .width = WIDTH};
    R1_ASSERT_OK(r1_memory_new(&mem, NULL, &o, &err), &err);
    return mem;
}

/* Key and value of an entry follow from its number. */
static void numbers_of(uint64_t serial, float *key, float *value)
{
    r1_rng rng;
    r1_rng_seed(&rng, serial + 1);
    for (int c = 0; c < WIDTH; c++) {
        key[c] = (float)r1_rng_normal(&rng);
        value[c] = (float)r1_rng_normal(&rng);
    }
}

/* What a pool holds of them: itself, or the nearest of 255 even steps. */
static void held_of(uint64_t serial, r1_precision precision, float *key, float *value)
{
    numbers_of(serial, key, value);
    for (int half = 0; half < 2 && precision == R1_PRECISION_INT8; half++) {
        float *x = half ? value : key, most = 0;
        for (int c = 0; c < WIDTH; c++) most = fmaxf(most, fabsf(x[c]));
        float step = most / 127;
        for (int c = 0; c < WIDTH; c++) x[c] = step * rintf(x[c] / step) + 0.0F; /* no -0 */
    }
}

static void put_serial(r1_memory *mem, uint64_t handle, uint64_t serial)
{
    float key[WIDTH], value[WIDTH];
    r1_err err = {0};
    numbers_of(serial, key, value);
    R1_ASSERT_OK(r1_memory_put(mem, handle, key, value, &err), &err);
}

/* ---- the twin ---- */

typedef struct {
    uint64_t serial;
    bool pinned, passed; /* passed: its turn to leave came while it was held */
    float weight;
    int64_t until;
} twin_place;

typedef struct {
    uint64_t key, order; /* order: of the last append */
    bool used;
    uint32_t quota;
    size_t n;
    twin_place place[PLACES];
} twin_ring;

static twin_ring twin[ROOM];
static int n_ref[SERIALS];
static bool lost[SERIALS], left[SERIALS];
static uint64_t owner[SERIALS], handle_at[SERIALS], twin_order;
static int64_t made_at[SERIALS], twin_now;

static bool twin_holds(const twin_place *p) { return p->pinned && p->until > twin_now; }

static void twin_remove(twin_ring *r, size_t i)
{
    uint64_t serial = r->place[i].serial;
    memmove(r->place + i, r->place + i + 1, (r->n - i - 1) * sizeof r->place[0]);
    r->n--;
    left[serial] |= --n_ref[serial] == 0;
}

static bool twin_evict(twin_ring *r)
{
    for (size_t i = 0; i < r->n; i++) {
        if (twin_holds(&r->place[i])) {
            r->place[i].passed = true;
            continue;
        }
        twin_remove(r, i);
        return true;
    }
    return false;
}

static uint32_t twin_pinned(const twin_ring *r)
{
    uint32_t n = 0;
    for (size_t i = 0; i < r->n; i++) n += r->place[i].pinned;
    return n;
}

static void twin_unpin(twin_ring *r, size_t i)
{
    bool passed = r->place[i].passed;
    r->place[i].pinned = false;
    if (passed) twin_remove(r, i);
}

static void twin_settle(twin_ring *r)
{
    for (size_t i = r->n; i-- > 0;)
        if (r->place[i].pinned && !twin_holds(&r->place[i])) twin_unpin(r, i);
}

static size_t twin_lightest(const twin_ring *r)
{
    size_t low = r->n;
    for (size_t i = 0; i < r->n; i++)
        if (r->place[i].pinned && (low == r->n || r->place[i].weight < r->place[low].weight))
            low = i;
    return low;
}

static twin_ring *twin_find(uint64_t key)
{
    for (int i = 0; i < ROOM; i++)
        if (twin[i].used && twin[i].key == key) return &twin[i];
    return NULL;
}

static twin_ring *twin_oldest(void)
{
    twin_ring *r = NULL;
    for (int i = 0; i < ROOM; i++)
        if (twin[i].used && (!r || twin[i].order < r->order)) r = &twin[i];
    return r;
}

static void twin_drop(twin_ring *r, bool for_good)
{
    while (r->n) {
        lost[r->place[0].serial] |= for_good;
        twin_remove(r, 0);
    }
    r->used = false;
}

static twin_ring *twin_new(uint64_t key)
{
    twin_ring *r = NULL;
    for (int tries = 0;; tries++) {
        for (int i = 0; i < ROOM && !r; i++)
            if (!twin[i].used) r = &twin[i];
        if (r || tries == ROOM) break;
        twin_ring *old = twin_oldest();
        twin_settle(old);
        if (twin_pinned(old))
            old->order = ++twin_order;
        else
            twin_drop(old, false);
    }
    if (!r) return NULL;
    *r = (twin_ring){.key = key, .used = true, .quota = QUOTA, .order = ++twin_order};
    return r;
}

static bool twin_push(uint64_t key, uint64_t serial)
{
    twin_ring *r = twin_find(key);
    if (!r) r = twin_new(key);
    if (!r) return false;
    while (r->n >= r->quota && twin_evict(r)) {
    }
    r->order = ++twin_order;
    r->place[r->n++] = (twin_place){.serial = serial};
    n_ref[serial]++;
    return true;
}

/* ---- both, step by step ---- */

static void pool_compare(const r1_memory *mem, uint64_t key)
{
    uint64_t handle[PLACES], meta[PLACES];
    r1_memory_anchor anchor[PLACES];
    const twin_ring *r = twin_find(key);
    size_t n = r1_memory_ring(mem, key, handle, meta, PLACES), want = r ? r->n : 0, k = 0,
           all_anchors = 0;
    CU_ASSERT_EQUAL_FATAL(n, want);
    for (size_t i = 0; i < n; i++) {
        CU_ASSERT_EQUAL_FATAL(meta[i], r->place[i].serial);
        CU_ASSERT_EQUAL(handle[i], handle_at[meta[i]]);
    }
    if (n > 3) { /* the newest alone */
        CU_ASSERT_EQUAL(r1_memory_ring(mem, key, handle, meta, 3), 3);
        for (size_t i = 0; i < 3; i++) CU_ASSERT_EQUAL(meta[i], r->place[r->n - 3 + i].serial);
    }
    size_t n_anchor = r1_memory_anchors(mem, key, anchor, PLACES);
    for (size_t i = 0; i < want; i++) {
        if (!twin_holds(&r->place[i])) continue;
        all_anchors++;
        if (k >= n_anchor) continue;
        CU_ASSERT_EQUAL(anchor[k].meta, r->place[i].serial);
        CU_ASSERT_EQUAL(anchor[k].weight, r->place[i].weight);
        CU_ASSERT_EQUAL(anchor[k].until_us, r->place[i].until == INT64_MAX ? 0 : r->place[i].until);
        k++;
    }
    CU_ASSERT_EQUAL(n_anchor, all_anchors);
    if (r) CU_ASSERT_TRUE(n_anchor * 4 <= r->quota);
}

static uint64_t step_append(r1_memory *mem, r1_rng *rng, uint64_t ticket, uint64_t serial)
{
    uint64_t entity[3];
    size_t n = 1 + r1_rng_below(rng, 3);
    r1_err err = {0};
    for (size_t k = 0; k < n; k++)
        entity[k] = 100 + r1_rng_below(rng, ENTITIES); /* the same twice now and then */
    owner[serial] = entity[0];
    made_at[serial] = twin_now;
    n_ref[serial] = 1;
    bool whole = true;
    size_t k = 0;
    for (; k < n && whole; k++) {
        bool again = false;
        for (size_t j = 0; j < k; j++) again |= entity[j] == entity[k];
        if (!again) whole = twin_push(entity[k], serial);
    }
    r1_status st = r1_memory_append(mem, ticket, entity, n, serial, &handle_at[serial], &err);
    CU_ASSERT_EQUAL(st, whole ? R1_OK : R1_E_NOMEM);
    if (!whole) {
        lost[serial] = true;
        for (size_t j = 0; j + 1 < k; j++) {
            twin_ring *r = twin_find(entity[j]);
            if (r && r->n && r->place[r->n - 1].serial == serial) twin_remove(r, r->n - 1);
        }
    } else {
        put_serial(mem, handle_at[serial], serial);
    }
    left[serial] |= --n_ref[serial] == 0;
    return entity[0];
}

static void step_pin(r1_memory *mem, r1_rng *rng)
{
    r1_err err = {0};
    twin_ring *r = &twin[r1_rng_below(rng, ROOM)];
    if (!r->used || !r->n) return;
    size_t i = r1_rng_below(rng, r->n);
    uint64_t handle = handle_at[r->place[i].serial], serial = r->place[i].serial;
    if (r1_rng_below(rng, 4) == 0) {
        R1_ASSERT_OK(r1_memory_unpin(mem, r->key, handle, &err), &err);
        twin_unpin(r, i);
        return;
    }
    float weight = (float)r1_rng_below(rng, 6);
    int64_t until = r1_rng_below(rng, 12) ? twin_now + 1 + (int64_t)r1_rng_below(rng, 200) : 0;
    r1_status st = r1_memory_pin(mem, r->key, handle, weight, until, &err), want = R1_OK;
    if (!r->place[i].pinned && (twin_pinned(r) + 1) * 4 > r->quota) {
        twin_settle(r);
        size_t low = twin_lightest(r);
        if ((twin_pinned(r) + 1) * 4 > r->quota) {
            if (low == r->n || r->place[low].weight >= weight)
                want = R1_E_NOMEM;
            else
                twin_unpin(r, low);
        }
    }
    CU_ASSERT_EQUAL(st, want);
    for (i = 0; i < r->n && r->place[i].serial != serial; i++) {
    }
    if (want != R1_OK || i == r->n) return;
    r->place[i].pinned = true;
    r->place[i].weight = weight;
    r->place[i].until = until ? until : INT64_MAX;
}

static void step_quota(r1_memory *mem, r1_rng *rng)
{
    r1_err err = {0};
    twin_ring *r = &twin[r1_rng_below(rng, ROOM)];
    if (!r->used) return;
    r->quota = 1 + (uint32_t)r1_rng_below(rng, 2 * QUOTA);
    if (twin_pinned(r) * 4 > r->quota) twin_settle(r);
    while (twin_pinned(r) * 4 > r->quota) twin_unpin(r, twin_lightest(r));
    while (r->n > r->quota && twin_evict(r)) {
    }
    R1_ASSERT_OK(r1_memory_set_quota(mem, r->key, r->quota, &err), &err);
}

static void twin_cancel(uint64_t first, uint64_t end)
{
    for (int i = 0; i < ROOM; i++)
        for (size_t k = twin[i].n; twin[i].used && k-- > 0;)
            if (twin[i].place[k].serial >= first && twin[i].place[k].serial < end) {
                lost[twin[i].place[k].serial] = true;
                twin_remove(&twin[i], k);
            }
}

/* Every entry that left is there with all that belongs to it, and no other. */
static void compare_longterm(r1_longterm *lt, uint64_t n_serial)
{
    r1_err err = {0};
    static bool seen[SERIALS];
    size_t want = 0;
    memset(seen, 0, sizeof seen);
    for (uint64_t s = 0; s < n_serial; s++) want += left[s] && !lost[s];
    CU_ASSERT_EQUAL(r1_longterm_count(lt), want);
    for (uint64_t id = 1; id <= want; id++) {
        r1_longterm_entry e;
        float key[WIDTH], value[WIDTH];
        uint64_t s = 0;
        R1_ASSERT_OK(r1_longterm_get(lt, id, &e, &err), &err);
        CU_ASSERT_EQUAL_FATAL(e.value_bytes, 8);
        memcpy(&s, e.value, 8);
        CU_ASSERT_TRUE_FATAL(s < n_serial && left[s] && !lost[s] && !seen[s]);
        seen[s] = true;
        numbers_of(s, key, value);
        CU_ASSERT_EQUAL(memcmp(key, e.key, sizeof key), 0);
        CU_ASSERT_EQUAL(memcmp(value, e.vector, sizeof value), 0);
        CU_ASSERT_TRUE(e.entity == owner[s] && e.time_us == made_at[s] && e.source == 5 &&
                       e.version == 9);
    }
}

static void test_pool_twin(void)
{
    r1_rng rng;
    r1_err err = {0};
    r1_rng_seed(&rng, r1_test_seed());
    r1_memory *mem =
        open_pool(r1_memory_bytes(WIDTH, R1_PRECISION_F32, 2 * QUOTA, ROOM), QUOTA, ROOM);
    r1_longterm *lt;
    r1_longterm_opts o = {.d_key = WIDTH, .d_vector = WIDTH};
    R1_ASSERT_OK(r1_longterm_new_with(&lt, &o, &err), &err);
    R1_ASSERT_OK(r1_memory_attach(mem, lt, 5, 9, &err), &err);
    uint64_t serial = 0, batches = 0, cancelled = 0, refused = 0;
    twin_now = 1;
    r1_memory_clock(mem, twin_now);
    while (serial < SERIALS / 2) {
        uint64_t ticket = 0, first = serial, n = 1 + r1_rng_below(&rng, 20);
        R1_ASSERT_OK(r1_memory_begin(mem, &ticket, &err), &err);
        for (uint64_t k = 0; k < n; k++) {
            uint64_t entity = step_append(mem, &rng, ticket, serial);
            refused += lost[serial];
            serial++;
            if (r1_rng_below(&rng, 3) == 0) step_pin(mem, &rng);
            if (r1_rng_below(&rng, 60) == 0) step_quota(mem, &rng);
            pool_compare(mem, entity);
        }
        if (r1_rng_below(&rng, 40) == 0) {
            r1_memory_cancel(mem, ticket);
            twin_cancel(first, serial);
            cancelled++;
        } else {
            r1_memory_end(mem, ticket);
        }
        twin_now += (int64_t)r1_rng_below(&rng, 30);
        r1_memory_clock(mem, twin_now);
        r1_memory_clock(mem, twin_now - 5); /* it never goes back */
        if (r1_rng_below(&rng, 20) == 0) {
            twin_ring *r = &twin[r1_rng_below(&rng, ROOM)];
            r1_memory_forget(mem, r->used ? r->key : 1);
            if (r->used) twin_drop(r, true);
        }
        if (++batches % 16 == 0) R1_ASSERT_OK(r1_memory_consolidate(mem, NULL, &err), &err);
        for (int i = 0; i < ROOM; i++)
            if (twin[i].used) pool_compare(mem, twin[i].key);
    }
    R1_ASSERT_OK(r1_memory_consolidate(mem, NULL, &err), &err);
    compare_longterm(lt, serial);
    r1_memory_counts c;
    r1_memory_stats(mem, &c);
    CU_ASSERT_TRUE(c.n_waiting == 0 && c.n_moved == r1_longterm_count(lt) && c.n_moved < c.n_left);
    printf(" [%llu moved, %llu batches cancelled, %llu appends refused] ",
           (unsigned long long)c.n_moved, (unsigned long long)cancelled,
           (unsigned long long)refused);
    r1_memory_free(mem);
    r1_longterm_free(lt);
}

/* ---- limits ---- */

/* A pool with far more entities than room goes on for ever: it takes no more bytes than it was
 * given, a slot is not handed out while a batch that may name it is open, anchors stay, and
 * every entry is either there or in long-term memory. */
static void test_full_pool(void)
{
    enum { ROUNDS = 500, BATCH = 16, OPEN = 3 };
    r1_err err = {0};
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    size_t bytes = 60000;
    r1_memory *mem = open_pool(bytes, 200, 40);
    r1_longterm *lt;
    r1_memory_counts c;
    r1_longterm_opts o = {.d_key = WIDTH, .d_vector = WIDTH, .n_entry_max = 0};
    R1_ASSERT_OK(r1_longterm_new_with(&lt, &o, &err), &err);
    R1_ASSERT_OK(r1_memory_attach(mem, lt, 1, 1, &err), &err);
    uint64_t ticket[OPEN] = {0}, used[OPEN][BATCH] = {{0}}, anchored[10], made = 0;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        uint64_t *mine = used[round % OPEN];
        if (ticket[round % OPEN]) r1_memory_end(mem, ticket[round % OPEN]);
        R1_ASSERT_OK(r1_memory_begin(mem, &ticket[round % OPEN], &err), &err);
        memset(mine, 0, sizeof used[0]);
        for (int i = 0; i < BATCH; i++) {
            uint64_t entity = r1_rng_below(&rng, 1000), handle;
            if (round < 10 && i == 0) entity = 5000 + round;
            R1_ASSERT_OK(
                r1_memory_append(mem, ticket[round % OPEN], &entity, 1, made, &handle, &err), &err);
            for (int b = 0; b < OPEN; b++)
                for (int k = 0; k < BATCH; k++)
                    CU_ASSERT_TRUE((uint32_t)used[b][k] != (uint32_t)handle);
            mine[i] = handle;
            put_serial(mem, handle, made++);
            if (round < 10 && i == 0) {
                anchored[round] = handle;
                R1_ASSERT_OK(r1_memory_pin(mem, entity, handle, 1, 0, &err), &err);
            }
        }
        r1_memory_stats(mem, &c);
        CU_ASSERT_TRUE(c.bytes <= bytes);
    }
    for (uint64_t k = 0; k < 10; k++) {
        uint64_t handle[4], meta[4];
        CU_ASSERT_EQUAL(r1_memory_ring(mem, 5000 + k, handle, meta, 4), 1);
        CU_ASSERT_EQUAL(handle[0], anchored[k]);
        CU_ASSERT_EQUAL(meta[0], k * BATCH);
    }
    for (int b = 0; b < OPEN; b++) r1_memory_end(mem, ticket[b]);
    R1_ASSERT_OK(r1_memory_consolidate(mem, NULL, &err), &err);
    r1_memory_stats(mem, &c);
    CU_ASSERT_TRUE(c.n_entry + r1_longterm_count(lt) == made && c.n_entry <= c.n_entry_room &&
                   c.n_anchor == 10);
    r1_memory_free(mem);
    r1_longterm_free(lt);
}

/* One context of 15,360 and one of the default 10,240; a quarter of it anchors, whatever their
 * order. */
static void test_long_context(void)
{
    r1_err err = {0};
    uint64_t ticket = 0, handle, entity = 1, made = 0;
    for (uint32_t quota = 0; quota <= 15360; quota += 15360) {
        uint32_t length = quota ? quota : 10240, quarter = length / 4;
        r1_memory *mem = open_pool(64 << 20, quota, 4);
        r1_memory_anchor *anchor = malloc(sizeof *anchor * length);
        uint64_t *ring = malloc(sizeof *ring * 2 * length), *meta = ring + length;
        R1_ASSERT_OK(r1_memory_begin(mem, &ticket, &err), &err);
        for (made = 0; made < 3 * (uint64_t)length; made++) {
            R1_ASSERT_OK(r1_memory_append(mem, ticket, &entity, 1, made, &handle, &err), &err);
            if (made < quarter) R1_ASSERT_OK(r1_memory_pin(mem, entity, handle, 2, 0, &err), &err);
        }
        CU_ASSERT_EQUAL(r1_memory_pin(mem, entity, handle, 2, 0, &err), R1_E_NOMEM);
        CU_ASSERT_EQUAL(r1_memory_ring(mem, entity, ring, meta, length), length);
        for (uint64_t k = 0; k < length; k++)
            CU_ASSERT_EQUAL(meta[k], k < quarter ? k : made - length + k);
        R1_ASSERT_OK(r1_memory_pin(mem, entity, handle, 3, 0, &err),
                     &err); /* the first gives way */
        CU_ASSERT_EQUAL(r1_memory_anchors(mem, entity, anchor, length), quarter);
        CU_ASSERT_EQUAL(anchor[0].meta, 1);
        CU_ASSERT_EQUAL(anchor[quarter - 1].meta, made - 1);
        r1_memory_end(mem, ticket);
        free(anchor);
        free(ring);
        r1_memory_free(mem);
    }
}

/* When long-term memory takes no more, appends fail with its reason, nothing is lost, and they
 * go on once there is room. */
static void test_full_longterm(void)
{
    r1_err err = {0};
    r1_memory *mem = open_pool(20000, 50, 4);
    r1_longterm *lt;
    r1_longterm_opts o = {.d_key = WIDTH, .d_vector = WIDTH, .n_entry_max = 30};
    uint64_t ticket, handle, entity = 3, made = 0;
    r1_memory_counts c;
    r1_status st = R1_OK;
    R1_ASSERT_OK(r1_longterm_new_with(&lt, &o, &err), &err);
    o.d_vector = WIDTH + 1;
    r1_longterm *other;
    R1_ASSERT_OK(r1_longterm_new_with(&other, &o, &err), &err);
    CU_ASSERT_EQUAL(r1_memory_attach(mem, other, 1, 1, &err), R1_E_INVAL);
    r1_longterm_free(other);
    R1_ASSERT_OK(r1_memory_attach(mem, lt, 1, 1, &err), &err);
    for (; made < 1000 && st == R1_OK; made += st == R1_OK) {
        R1_ASSERT_OK(r1_memory_begin(mem, &ticket, &err), &err);
        st = r1_memory_append(mem, ticket, &entity, 1, made, &handle, &err);
        if (st == R1_OK) put_serial(mem, handle, made);
        r1_memory_end(mem, ticket);
    }
    CU_ASSERT_EQUAL(st, R1_E_NOMEM);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "long-term memory is full"));
    r1_memory_stats(mem, &c);
    CU_ASSERT_EQUAL(c.n_entry + c.n_waiting + r1_longterm_count(lt), made);
    r1_longterm_expire(lt, 1, 0);
    size_t before = (size_t)c.n_waiting, moved = 0;
    CU_ASSERT_EQUAL(r1_memory_consolidate(mem, &moved, &err), before > 30 ? R1_E_NOMEM : R1_OK);
    R1_ASSERT_OK(r1_memory_attach(mem, NULL, 0, 0, &err), &err); /* or it is told to drop them */
    R1_ASSERT_OK(r1_memory_begin(mem, &ticket, &err), &err);
    R1_ASSERT_OK(r1_memory_append(mem, ticket, &entity, 1, made, &handle, &err), &err);
    r1_memory_end(mem, ticket);
    r1_memory_free(mem);
    r1_longterm_free(lt);
}

/* A search through the tiers finds what a scan over all entries ever made finds, wherever each
 * of them is by then. */
static void pool_search(r1_precision precision)
{
    enum { MADE = 900, K = 7, QUERIES = 60 };
    r1_err err = {0};
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    r1_memory *mem;
    r1_memory_opts mo = {.bytes_max = 1 << 20,
                         .quota = 64,
                         .n_entity_max = 2,
                         .width = WIDTH,
                         .precision = precision};
    R1_ASSERT_OK(r1_memory_new(&mem, NULL, &mo, &err), &err);
    r1_longterm *lt;
    r1_longterm_opts o = {.d_key = WIDTH, .d_vector = WIDTH};
    R1_ASSERT_OK(r1_longterm_new_with(&lt, &o, &err), &err);
    R1_ASSERT_OK(r1_memory_attach(mem, lt, 1, 1, &err), &err);
    uint64_t entity = 8, ticket = 0, handle, made = 0;
    size_t by_tier[2] = {0};
    for (; made < MADE; made++) {
        if (made % 30 == 0) {
            if (ticket) r1_memory_end(mem, ticket);
            R1_ASSERT_OK(r1_memory_begin(mem, &ticket, &err), &err);
        }
        R1_ASSERT_OK(r1_memory_append(mem, ticket, &entity, 1, made, &handle, &err), &err);
        put_serial(mem, handle, made);
        if (made == 20) R1_ASSERT_OK(r1_memory_pin(mem, entity, handle, 1, 0, &err), &err);
        if (made == 400) R1_ASSERT_OK(r1_memory_consolidate(mem, NULL, &err), &err);
    }
    r1_memory_end(mem, ticket);
    for (int i = 0; i < QUERIES; i++) {
        float q[WIDTH], key[WIDTH], value[WIDTH], score[K];
        uint64_t best[K];
        size_t n = 0, n_hit;
        r1_memory_hit hit[K];
        for (int c = 0; c < WIDTH; c++) q[c] = (float)r1_rng_normal(&rng);
        for (uint64_t s = 0; s < MADE; s++) {
            held_of(s, precision, key, value);
            double dot = 0;
            for (int c = 0; c < WIDTH; c++) dot += (double)q[c] * key[c];
            size_t at = n < K ? n++ : K;
            if (at == K && !((float)dot > score[--at])) continue;
            for (; at > 0 && (float)dot > score[at - 1]; at--) {
                score[at] = score[at - 1];
                best[at] = best[at - 1];
            }
            score[at] = (float)dot;
            best[at] = s;
        }
        R1_ASSERT_OK(r1_memory_search(mem, entity, q, K, hit, &n_hit, &err), &err);
        CU_ASSERT_EQUAL_FATAL(n_hit, K);
        for (int k = 0; k < K; k++) {
            /* The entry of this place, or one whose own score differs from it by rounding alone. */
            double own = 0;
            CU_ASSERT_FATAL(hit[k].meta < MADE);
            held_of(hit[k].meta, precision, key, value);
            for (int c = 0; c < WIDTH; c++) own += (double)q[c] * key[c];
            CU_ASSERT_TRUE(hit[k].meta == best[k] || fabs(own - (double)score[k]) < 1e-5);
            for (int j = 0; j < k; j++) CU_ASSERT_TRUE(hit[j].meta != hit[k].meta);
            CU_ASSERT_EQUAL(hit[k].entity, entity);
            CU_ASSERT_TRUE(hit[k].score - score[k] < 1e-5F && score[k] - hit[k].score < 1e-5F);
            CU_ASSERT_TRUE((hit[k].handle != 0) != (hit[k].id != 0));
            by_tier[hit[k].id != 0]++;
            if (!hit[k].handle) continue;
            float got_key[WIDTH], got_value[WIDTH];
            R1_ASSERT_OK(r1_memory_get(mem, hit[k].handle, got_key, got_value, &err), &err);
            CU_ASSERT_TRUE(memcmp(key, got_key, sizeof key) == 0 &&
                           memcmp(value, got_value, sizeof value) == 0);
        }
    }
    CU_ASSERT_TRUE(by_tier[0] > 0 && by_tier[1] > 0);
    r1_memory_free(mem);
    r1_longterm_free(lt);
}

static void test_pool_search(void) { pool_search(R1_PRECISION_F32); }

static void test_bytes_search(void) { pool_search(R1_PRECISION_INT8); }

static r1_memory *open_bytes(uint32_t width, size_t bytes)
{
    r1_err err = {0};
    r1_memory *mem;
    r1_memory_opts o = {.bytes_max = bytes,
                        .quota = 8,
                        .n_entity_max = 4,
                        .width = width,
                        .precision = R1_PRECISION_INT8};
    R1_ASSERT_OK(r1_memory_new(&mem, NULL, &o, &err), &err);
    return mem;
}

/* Numbers of any size come back within half a step of the largest; what cannot be a step comes
 * back as zeros; what is not finite spoils its own half alone; and the same bytes hold more than
 * three times the entries of 64 numbers. */
static void test_bytes(void)
{
    r1_err err = {0};
    r1_memory *mem = open_bytes(WIDTH, 1 << 20);
    uint64_t ticket, handle, entity = 1;
    R1_ASSERT_OK(r1_memory_begin(mem, &ticket, &err), &err);
    R1_ASSERT_OK(r1_memory_append(mem, ticket, &entity, 1, 0, &handle, &err), &err);
    for (uint64_t serial = 0; serial < 400; serial++) {
        float x[2 * WIDTH], got[2 * WIDTH], size = ldexpf(1, (int)(serial % 250) - 125),
                                            most[2] = {0};
        numbers_of(serial, x, x + WIDTH);
        for (int c = 0; c < 2 * WIDTH; c++) {
            x[c] *= size;
            most[c / WIDTH] = fmaxf(most[c / WIDTH], fabsf(x[c]));
        }
        R1_ASSERT_OK(r1_memory_put(mem, handle, x, x + WIDTH, &err), &err);
        R1_ASSERT_OK(r1_memory_get(mem, handle, got, got + WIDTH, &err), &err);
        for (int c = 0; c < 2 * WIDTH; c++) {
            float step = most[c / WIDTH] / 127, far = fabsf(got[c] - x[c]);
            CU_ASSERT_TRUE(step < FLT_MIN ? got[c] == 0 : far <= step * .50002F);
        }
    }
    float odd[2 * WIDTH] = {1, 2, NAN, 4, 5, 6, 0}, got[2 * WIDTH];
    CU_ASSERT_TRUE(r1_memory_write(mem, handle, odd) && r1_memory_read(mem, handle, got));
    for (int c = 0; c < WIDTH; c++) CU_ASSERT_TRUE(isnan(got[c]) && got[WIDTH + c] == 0);
    uint64_t gone = handle + (UINT64_C(1) << 32); /* of another generation */
    CU_ASSERT_FALSE(r1_memory_write(mem, gone, odd) || r1_memory_read(mem, gone, got));
    r1_memory_end(mem, ticket);
    r1_memory_free(mem);
    size_t f32 = r1_memory_bytes(64, R1_PRECISION_F32, 16, 100000);
    CU_ASSERT_TRUE(r1_memory_bytes(64, R1_PRECISION_INT8, 16, 3 * 100000) < f32 + f32 / 4);
}

static void test_pool_bad_input(void)
{
    r1_err err = {0};
    r1_memory *mem;
    float x[WIDTH] = {0}, bad[WIDTH] = {0};
    bad[2] = __builtin_inff();
    const r1_memory_opts wrong[] = {
        {.width = 0},
        {.width = 9000},
        {.width = WIDTH, .quota = (1 << 20) + 1},
        {.width = WIDTH, .bytes_max = 300},
        {.width = WIDTH, .precision = (r1_precision)2},
        {.width = WIDTH, .bytes_max = 1 << 20, .n_entity_max = 1 << 20}};
    for (size_t i = 0; i < R1_COUNT(wrong); i++)
        CU_ASSERT_EQUAL(r1_memory_new(&mem, NULL, &wrong[i], &err), R1_E_INVAL);
    mem = open_pool(1 << 20, 8, 4);
    uint64_t ticket, handle, entity = 1;
    R1_ASSERT_OK(r1_memory_begin(mem, &ticket, &err), &err);
    CU_ASSERT_EQUAL(r1_memory_append(mem, ticket + 1, &entity, 1, 0, &handle, &err), R1_E_INVAL);
    CU_ASSERT_EQUAL(r1_memory_append(mem, ticket, &entity, 9, 0, &handle, &err), R1_E_INVAL);
    R1_ASSERT_OK(r1_memory_append(mem, ticket, &entity, 1, 0, &handle, &err), &err);
    CU_ASSERT_EQUAL(r1_memory_put(mem, handle + 1, x, x, &err), R1_E_NOT_FOUND);
    CU_ASSERT_EQUAL(r1_memory_put(mem, handle, x, bad, &err), R1_E_INVAL);
    CU_ASSERT_EQUAL(r1_memory_pin(mem, entity, handle, -1, 0, &err), R1_E_INVAL);
    CU_ASSERT_EQUAL(r1_memory_pin(mem, entity, handle, bad[2], 0, &err), R1_E_INVAL);
    r1_memory_clock(mem, 50);
    CU_ASSERT_EQUAL(r1_memory_pin(mem, entity, handle, 1, 50, &err), R1_E_INVAL);
    CU_ASSERT_EQUAL(r1_memory_pin(mem, 2, handle, 1, 0, &err), R1_E_NOT_FOUND);
    CU_ASSERT_EQUAL(r1_memory_unpin(mem, entity, handle + 1, &err), R1_E_NOT_FOUND);
    CU_ASSERT_EQUAL(r1_memory_set_quota(mem, entity, 0, &err), R1_E_INVAL);
    size_t n;
    r1_memory_hit hit;
    CU_ASSERT_EQUAL(r1_memory_search(mem, entity, bad, 1, &hit, &n, &err), R1_E_INVAL);
    r1_memory_end(mem, ticket);
    r1_memory_free(mem);
}

/* ---- broken invariants: one planted for each family, each caught by the walk ---- */

enum { KEY_A = 7, KEY_B = 8 };

/* Two rings: A with 20 entries over two blocks (one an anchor), B shares four of them. One entry
 * is deferred under an open ticket. */
static r1_memory *planted_pool(void)
{
    r1_err err = {0};
    uint64_t ticket, handle, both[] = {KEY_A, KEY_B};
    r1_memory *mem = open_pool(1 << 20, 20, 8);
    R1_ASSERT_OK(r1_memory_begin(mem, &ticket, &err), &err);
    for (int i = 0; i < 21; i++) {
        size_t n = i % 5 == 4 ? 2 : 1;
        R1_ASSERT_OK(r1_memory_append(mem, ticket, both, n, 0, &handle, &err), &err);
    }
    R1_ASSERT_OK(r1_memory_pin(mem, KEY_A, handle, 1, 0, &err), &err);
    return mem;
}

static void break_references(r1_memory *mem) { mem->slot[mem->slots.used - 1].n_ref++; }
static void break_deferred_tag(r1_memory *mem) { mem->slot[mem->deferred_head].tag = 99; }
static void break_deferred_count(r1_memory *mem) { mem->n_deferred++; }
static void break_generation(r1_memory *mem) { mem->slot[mem->slots.used - 1].generation++; }
static void break_order(r1_memory *mem) { mem->newest = mem->oldest; }
static void break_line(r1_memory *mem) { mem->ring[0].end--; }
static void break_block(r1_memory *mem) { mem->block[mem->ring[0].last].older = 5000; }
static void break_anchors(r1_memory *mem) { mem->ring[0].n_pinned++; }
static void break_table(r1_memory *mem) { mem->ring[0].key = 9; }
static void break_quota(r1_memory *mem) { mem->ring[0].quota = 5; }
static void break_entries(r1_memory *mem) { mem->n_entry--; }

typedef struct {
    void (*plant)(r1_memory *mem);
    const char *expected;
} planted;

static void plant_and_check(void *ctx)
{
    const planted *p = ctx;
    r1_memory *mem = planted_pool();
    p->plant(mem);
    pool_check(mem);
}

static void test_pool_breaks(void)
{
    static const planted cases[] = {{break_references, "references, counted"},
                                    {break_deferred_tag, "has tag 99"},
                                    {break_deferred_count, "deferred list: 1 slots, expected 2"},
                                    {break_generation, "names the dead handle"},
                                    {break_order, "order of rings"},
                                    {break_line, "ring 0 ends in block"},
                                    {break_block, "no neighbour that knows it"},
                                    {break_anchors, "2 anchors, counted 1"},
                                    {break_table, "is not found by its key"},
                                    {break_quota, "entries of 5"},
                                    {break_entries, "entries, counted 20"}};
    r1_memory *whole = planted_pool();
    pool_check(whole);
    r1_memory_end(whole, 1);
    r1_memory_free(whole);
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        planted p = cases[i];
        CU_ASSERT(r1_test_breaks(plant_and_check, &p, p.expected));
    }
}

/* The cheap ones, which every build has. */
static void end_twice(void *ctx)
{
    (void)ctx;
    r1_memory *mem = planted_pool();
    r1_memory_end(mem, 1);
    r1_memory_end(mem, 1);
}

static void release_twice(void *ctx)
{
    (void)ctx;
    r1_memory *mem = planted_pool();
    mem->slot[pool_slot_of(mem->block[mem->ring[0].first].place[mem->ring[0].start] >> 1)].n_ref =
        0;
    r1_memory_forget(mem, KEY_A);
}

static void test_pool_breaks_cheap(void)
{
    CU_ASSERT(r1_test_breaks(end_twice, NULL, "ticket 1, ended 1"));
    CU_ASSERT(r1_test_breaks(release_twice, NULL, "has no references left"));
}

R1_TEST_MAIN("working memory", {"twin", test_pool_twin}, {"full pool", test_full_pool},
             {"long context", test_long_context}, {"full long-term memory", test_full_longterm},
             {"search", test_pool_search}, {"bytes", test_bytes},
             {"search in bytes", test_bytes_search}, {"bad input", test_pool_bad_input},
             {"broken invariants", test_pool_breaks},
             {"broken, in every build", test_pool_breaks_cheap})
