/* SPDX-License-Identifier: Apache-2.0 */
/* Merging partitions by time, on a fake source with seeded schedules of arrival. The oracle is the
 * merge of the whole partitions at once: a stream that is read in one go, live, with pauses, or in
 * bursts comes out in that order, whatever came when. */
#include "stream/merge.h"
#include "support/r1_test.h"

#include <stdlib.h>
#include <string.h>

enum { N = 4000, SOURCES_MAX = 16, PLACES = 8, HOLD = 20, WAIT = 1000, LEAP = 100000 };

typedef struct {
    r1_merge_key key;
    int64_t stamp, arrives;
    uint32_t source;
} message;

static message stream[N];
static uint32_t expected[N], got[N];

typedef enum { ONE_GO, LIVE, PAUSES, BURSTS, N_SCHEDULE } schedule;
static const char *const names[N_SCHEDULE] = {"one go", "live", "pauses", "bursts"};

/* Times rise by 0 to 4 ms; every sixth message is a label, which goes first in its millisecond. */
static void make_stream(r1_rng *rng, uint32_t sources)
{
    int64_t t = 1000000;
    for (uint32_t i = 0; i < N; i++) {
        t += (int64_t)r1_rng_below(rng, 5);
        stream[i].key = (r1_merge_key){t, i % 6 != 0, t * 1000 + i, r1_rng_u64(rng)};
        stream[i].stamp = t + 500;
        bool label = i % 6 == 0 && sources > 1; /* of a topic of its own */
        stream[i].source =
            label ? 0 : (uint32_t)r1_rng_below(rng, sources - (sources > 1)) + (sources > 1);
    }
}

/* When the reader could have each message. Live: within the hold of its stamp. */
static void make_schedule(r1_rng *rng, schedule how)
{
    int64_t last[SOURCES_MAX] = {0};
    for (uint32_t i = 0; i < N; i++) {
        int64_t delay = (int64_t)r1_rng_below(rng, HOLD), at = stream[i].stamp + delay;
        if (how == ONE_GO) at = 0;
        if (at < last[stream[i].source]) at = last[stream[i].source];
        stream[i].arrives = last[stream[i].source] = at;
    }
}

/* The oracle: the smallest head of the partitions, looked for anew each time. */
static bool twin_before(const message *a, const message *b)
{
    if (a->key.ms != b->key.ms) return a->key.ms < b->key.ms;
    if (a->key.rank != b->key.rank) return a->key.rank < b->key.rank;
    if (a->key.us != b->key.us) return a->key.us < b->key.us;
    return a->key.tie < b->key.tie;
}

static void merge_twin(uint32_t sources)
{
    uint32_t next[SOURCES_MAX];
    for (uint32_t s = 0; s < sources; s++)
        for (next[s] = 0; next[s] < N && stream[next[s]].source != s;) next[s]++;
    for (uint32_t k = 0; k < N; k++) {
        uint32_t best = SOURCES_MAX;
        for (uint32_t s = 0; s < sources; s++)
            if (next[s] < N &&
                (best == SOURCES_MAX || twin_before(&stream[next[s]], &stream[next[best]])))
                best = s;
        expected[k] = next[best];
        do next[best]++;
        while (next[best] < N && stream[next[best]].source != best);
    }
}

/* What a broker holds of a partition at this time, and what of it has come over: some each turn. */
static void take_over(r1_merge *m, r1_rng *rng, uint32_t source, uint32_t *next, int64_t now,
                      bool all)
{
    uint32_t some = (uint32_t)r1_rng_below(rng, PLACES + 1);
    while (*next < N && stream[*next].arrives <= now && r1_merge_room(m, source) && (all || some)) {
        r1_merge_put(m, source, &stream[*next].key, stream[*next].stamp, now, &stream[*next]);
        some -= some > 0;
        do ++*next;
        while (*next < N && stream[*next].source != source);
    }
    r1_merge_mark(m, source, *next < N && stream[*next].arrives <= now);
}

static r1_merge_stats run_merge(r1_rng *rng, schedule how, uint32_t sources, int64_t hold)
{
    r1_err err = {0};
    r1_merge *m;
    const r1_merge_opts o = {SOURCES_MAX, PLACES, hold, WAIT, LEAP};
    R1_ASSERT_OK(r1_merge_new(&m, &o, &err), &err);
    uint32_t next[SOURCES_MAX], n = 0, source;
    for (uint32_t s = 0; s < sources; s++) {
        CU_ASSERT_EQUAL(r1_merge_open(m), s);
        for (next[s] = 0; next[s] < N && stream[next[s]].source != s;) next[s]++;
    }
    int64_t now = how == ONE_GO ? stream[N - 1].stamp + 1000 : stream[0].stamp, until;
    void *item;
    for (int64_t turn = 0; n < N && turn < 4000000; turn++) {
        /* Looks ten times a second, or sleeps for a while, and finds all that came meanwhile. */
        bool sleeps = (how == BURSTS && now % 100) || (how == PAUSES && now % 5000 > 3000);
        for (uint32_t s = 0; s < sources && !sleeps; s++)
            take_over(m, rng, s, &next[s], now, how == LIVE);
        while (n < N && !sleeps &&
               r1_merge_next(m, now, now, &source, &item, &until) == R1_MERGE_READY)
            got[n++] = (uint32_t)((message *)item - stream);
        now += turn % 3 == 0; /* several turns in a millisecond */
    }
    CU_ASSERT_EQUAL(n, N);
    r1_merge_stats stats = r1_merge_counts(m);
    r1_merge_free(m);
    return stats;
}

static void test_schedules(void)
{
    static const uint32_t sources[] = {1, 4, 16};
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    for (size_t p = 0; p < R1_COUNT(sources); p++) {
        for (int how = 0; how < N_SCHEDULE; how++) {
            make_stream(&rng, sources[p]);
            make_schedule(&rng, (schedule)how);
            merge_twin(sources[p]);
            r1_merge_stats stats = run_merge(&rng, (schedule)how, sources[p], HOLD);
            bool same = memcmp(got, expected, sizeof got) == 0;
            if (!same || stats.late)
                fprintf(stderr, "%u sources, %s: %s, %llu late\n", sources[p], names[how],
                        same ? "same order" : "another order", (unsigned long long)stats.late);
            CU_ASSERT_TRUE(same);
            CU_ASSERT_EQUAL(stats.late, 0);
        }
    }
}

/* The order depends on the messages, not on how they are spread over partitions. */
static void test_partitions(void)
{
    static uint32_t one[N];
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    make_stream(&rng, 16);
    make_schedule(&rng, ONE_GO);
    run_merge(&rng, ONE_GO, 16, HOLD);
    memcpy(one, got, sizeof one);
    for (uint32_t i = 0; i < N; i++)
        if (stream[i].source > 3) stream[i].source = 1 + stream[i].source % 3;
    run_merge(&rng, ONE_GO, 4, HOLD);
    CU_ASSERT_EQUAL(memcmp(got, one, sizeof one), 0);
    /* In one partition the broker's order stands: it is the order of sending. */
    static message sorted[N];
    for (uint32_t i = 0; i < N; i++) sorted[i] = stream[one[i]];
    memcpy(stream, sorted, sizeof stream);
    for (uint32_t i = 0; i < N; i++) stream[i].source = 0;
    run_merge(&rng, ONE_GO, 1, HOLD);
    for (uint32_t i = 0; i < N; i++) CU_ASSERT_EQUAL_FATAL(got[i], i);
}

/* Control: without the hold the live stream comes out in another order, and it is counted. */
static void test_control_without_hold(void)
{
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    make_stream(&rng, 4);
    make_schedule(&rng, LIVE);
    merge_twin(4);
    r1_merge_stats stats = run_merge(&rng, LIVE, 4, 0);
    CU_ASSERT_NOT_EQUAL(memcmp(got, expected, sizeof got), 0);
    CU_ASSERT_TRUE(stats.late > 0);
}

/* ---- one wrong date ---- */

/* Partition 0 holds 10, 2100, 30, 50 and partition 1 holds 20, 40: the wrong one stands where it
 * is, and holds nobody up. */
static void test_wrong_date(void)
{
    r1_err err = {0};
    r1_merge *m;
    const r1_merge_opts o = {2, PLACES, 0, WAIT, LEAP};
    static const int64_t far = 4102444799999;
    static const struct {
        uint32_t source;
        int64_t ms;
    } in[] = {{0, 10}, {0, far}, {0, 30}, {0, 50}, {1, 20}, {1, 40}};
    static const int64_t out[] = {10, far, 20, 30, 40, 50};
    R1_ASSERT_OK(r1_merge_new(&m, &o, &err), &err);
    r1_merge_open(m), r1_merge_open(m);
    static int64_t item[R1_COUNT(in)];
    for (size_t i = 0; i < R1_COUNT(in); i++) {
        r1_merge_key key = {.ms = in[i].ms};
        item[i] = in[i].ms;
        r1_merge_put(m, in[i].source, &key, 1, 1, &item[i]);
    }
    for (size_t i = 0; i < R1_COUNT(out); i++) {
        uint32_t source;
        int64_t until;
        void *got_item = NULL;
        CU_ASSERT_EQUAL(r1_merge_next(m, 2, 2, &source, &got_item, &until), R1_MERGE_READY);
        CU_ASSERT_PTR_NOT_NULL_FATAL(got_item);
        CU_ASSERT_EQUAL(*(int64_t *)got_item, out[i]);
    }
    CU_ASSERT_TRUE(r1_merge_counts(m).leaps >= 1);
    CU_ASSERT_EQUAL(r1_merge_counts(m).late, 0);
    r1_merge_free(m);
}

/* The first message of a partition is the wrong one; one without a time stands where it is. */
static void test_wrong_from_the_start(void)
{
    r1_err err = {0};
    r1_merge *m;
    const r1_merge_opts o = {2, PLACES, 0, WAIT, LEAP};
    static const int64_t in[] = {4102444799999, 30, R1_MERGE_NO_TIME, 50};
    R1_ASSERT_OK(r1_merge_new(&m, &o, &err), &err);
    r1_merge_open(m), r1_merge_open(m);
    static int index[] = {0, 1, 2, 3, 4};
    for (size_t i = 0; i < R1_COUNT(in); i++)
        r1_merge_put(m, 0, &(r1_merge_key){.ms = in[i]}, 1, 1, &index[i]);
    r1_merge_put(m, 1, &(r1_merge_key){.ms = 40}, 1, 1, &index[4]);
    static const int out[] = {0, 1, 2, 4, 3};
    for (size_t i = 0; i < R1_COUNT(out); i++) {
        uint32_t source;
        int64_t until;
        void *got_item = NULL;
        CU_ASSERT_EQUAL(r1_merge_next(m, 2, 2, &source, &got_item, &until), R1_MERGE_READY);
        CU_ASSERT_PTR_NOT_NULL_FATAL(got_item);
        CU_ASSERT_EQUAL(*(int *)got_item, out[i]);
    }
    r1_merge_free(m);
}

/* After a restart: three messages of a source, the third dated years back. Without the place where
 * the merge before ended, it would contradict the two before it. */
static void test_restart_and_an_old_date(void)
{
    static const int64_t in[] = {300, 400, 300 - 2 * LEAP};
    r1_err err = {0};
    r1_merge *m;
    const r1_merge_opts o = {2, PLACES, 0, WAIT, LEAP};
    static int index[] = {0, 1, 2, 3};
    R1_ASSERT_OK(r1_merge_new(&m, &o, &err), &err);
    r1_merge_resume(m, 200);
    r1_merge_open(m), r1_merge_open(m);
    for (size_t i = 0; i < R1_COUNT(in); i++)
        r1_merge_put(m, 0, &(r1_merge_key){.ms = in[i]}, 1, 1, &index[i]);
    r1_merge_put(m, 1, &(r1_merge_key){.ms = 250}, 1, 1, &index[3]);
    static const int out[] = {3, 0, 1, 2};
    for (size_t i = 0; i < R1_COUNT(out); i++) {
        uint32_t source;
        int64_t until;
        void *got_item = NULL;
        CU_ASSERT_EQUAL(r1_merge_next(m, 2, 2, &source, &got_item, &until), R1_MERGE_READY);
        CU_ASSERT_PTR_NOT_NULL_FATAL(got_item);
        CU_ASSERT_EQUAL(*(int *)got_item, out[i]);
    }
    CU_ASSERT_EQUAL(r1_merge_counts(m).late, 0);
    r1_merge_free(m);
}

/* The broker was away: what one partition has comes some milliseconds before the other's. */
static void test_pause(void)
{
    r1_err err = {0};
    r1_merge *m;
    const r1_merge_opts o = {2, PLACES, HOLD, WAIT, LEAP};
    int a = 0, b = 0;
    uint32_t source;
    int64_t until;
    void *item;
    R1_ASSERT_OK(r1_merge_new(&m, &o, &err), &err);
    r1_merge_open(m), r1_merge_open(m);
    r1_merge_put(m, 0, &(r1_merge_key){.ms = 1200}, 1200, 5000, &a);
    CU_ASSERT_EQUAL(r1_merge_next(m, 5001, 5001, &source, &item, &until), R1_MERGE_HELD);
    CU_ASSERT_EQUAL(until, 5000 + HOLD);
    r1_merge_put(m, 1, &(r1_merge_key){.ms = 1100}, 1100, 5005, &b);
    CU_ASSERT_EQUAL(r1_merge_next(m, 5006, 5006, &source, &item, &until), R1_MERGE_READY);
    CU_ASSERT_PTR_EQUAL(item, &b);
    CU_ASSERT_EQUAL(r1_merge_next(m, 5000 + HOLD, 5000 + HOLD, &source, &item, &until),
                    R1_MERGE_READY);
    CU_ASSERT_PTR_EQUAL(item, &a);
    CU_ASSERT_EQUAL(r1_merge_counts(m).late, 0);
    r1_merge_free(m);
}

/* Of a burst each message is held from its arrival on, not the first one alone: the other source
 * may bring more of that time. */
static void test_burst_after_a_pause(void)
{
    r1_err err = {0};
    r1_merge *m;
    const r1_merge_opts o = {2, PLACES, HOLD, WAIT, LEAP};
    int a[2], b[2], *const order[] = {&a[0], &b[0], &b[1], &a[1]};
    uint32_t source;
    int64_t until;
    void *item;
    R1_ASSERT_OK(r1_merge_new(&m, &o, &err), &err);
    r1_merge_open(m), r1_merge_open(m);
    r1_merge_put(m, 0, &(r1_merge_key){.ms = 1200}, 1200, 5000, &a[0]);
    r1_merge_put(m, 0, &(r1_merge_key){.ms = 1210}, 1210, 5000, &a[1]);
    r1_merge_put(m, 1, &(r1_merge_key){.ms = 1205}, 1205, 5001, &b[0]);
    for (int i = 0; i < 4; i++) {
        int64_t now = i < 3 ? 5002 : 5000 + HOLD;
        if (i == 2) {
            CU_ASSERT_EQUAL(r1_merge_next(m, now, now, &source, &item, &until), R1_MERGE_HELD);
            r1_merge_put(m, 1, &(r1_merge_key){.ms = 1207}, 1207, now, &b[1]);
        }
        CU_ASSERT_EQUAL(r1_merge_next(m, now, now, &source, &item, &until), R1_MERGE_READY);
        CU_ASSERT_PTR_EQUAL(item, order[i]);
    }
    CU_ASSERT_EQUAL(r1_merge_counts(m).late, 0);
    r1_merge_free(m);
}

/* ---- a leap that nothing tells of yet ---- */

/* Seen by the simulator: in a backlog the order hung on whether the message that contradicts a
 * wrong first date had arrived when that date's turn came. */
static void test_leap_waits_for_its_next(void)
{
    r1_err err = {0};
    r1_merge *m;
    const r1_merge_opts o = {2, PLACES, HOLD, WAIT, LEAP};
    int a[2], b = 0, *const order[] = {&a[0], &a[1], &b};
    uint32_t source;
    int64_t until;
    void *item;
    R1_ASSERT_OK(r1_merge_new(&m, &o, &err), &err);
    r1_merge_open(m), r1_merge_open(m);
    r1_merge_mark(m, 0, true);
    r1_merge_put(m, 0, &(r1_merge_key){.ms = 10 * LEAP}, 100, 5000, &a[0]);
    r1_merge_put(m, 1, &(r1_merge_key){.ms = 1000}, 100, 5000, &b);
    CU_ASSERT_EQUAL(r1_merge_next(m, 5000, 5000, &source, &item, &until), R1_MERGE_BEHIND);
    CU_ASSERT_EQUAL(until, 5000 + WAIT);
    r1_merge_put(m, 0, &(r1_merge_key){.ms = 990}, 100, 5001, &a[1]);
    r1_merge_mark(m, 0, false);
    for (int i = 0; i < 3; i++) {
        int64_t now = 5001 + i * HOLD;
        CU_ASSERT_EQUAL(r1_merge_next(m, now, now, &source, &item, &until), R1_MERGE_READY);
        CU_ASSERT_PTR_EQUAL(item, order[i]);
    }
    CU_ASSERT_EQUAL(r1_merge_counts(m).late, 0);
    CU_ASSERT_EQUAL(r1_merge_counts(m).leaps, 1);
    r1_merge_free(m);
}

/* ---- waits are bounded ---- */

static void test_waits(void)
{
    r1_err err = {0};
    r1_merge *m;
    const r1_merge_opts o = {2, PLACES, HOLD, WAIT, LEAP};
    int a = 0, b = 0;
    uint32_t source;
    int64_t until;
    void *item;
    R1_ASSERT_OK(r1_merge_new(&m, &o, &err), &err);
    r1_merge_open(m), r1_merge_open(m);
    CU_ASSERT_EQUAL(r1_merge_next(m, 5, 5, &source, &item, &until), R1_MERGE_EMPTY);
    r1_merge_mark(m, 1, true);
    r1_merge_put(m, 0, &(r1_merge_key){.ms = 7}, 100, 100, &a);
    CU_ASSERT_EQUAL(r1_merge_next(m, 200, 200, &source, &item, &until), R1_MERGE_BEHIND);
    CU_ASSERT_EQUAL(until, 200 + WAIT);
    CU_ASSERT_EQUAL(r1_merge_next(m, 199 + WAIT, 199 + WAIT, &source, &item, &until),
                    R1_MERGE_BEHIND);
    CU_ASSERT_EQUAL(r1_merge_next(m, 200 + WAIT, 200 + WAIT, &source, &item, &until),
                    R1_MERGE_READY);
    CU_ASSERT_EQUAL(r1_merge_counts(m).behind, 1);
    /* Given up: not waited for again until it gives something. */
    r1_merge_put(m, 0, &(r1_merge_key){.ms = 8}, 5000, 5000, &a);
    CU_ASSERT_EQUAL(r1_merge_next(m, 5001, 5001, &source, &item, &until), R1_MERGE_HELD);
    CU_ASSERT_EQUAL(until, 5000 + HOLD);
    r1_merge_mark(m, 1, false); /* nothing behind it tells of a leap */
    r1_merge_put(m, 1, &(r1_merge_key){.ms = 3}, 5002, 5002, &b); /* late: 7 has been given */
    CU_ASSERT_EQUAL(r1_merge_next(m, 5002, 5002, &source, &item, &until), R1_MERGE_READY);
    CU_ASSERT_PTR_EQUAL(item, &b);
    CU_ASSERT_EQUAL(r1_merge_counts(m).late, 1);
    /* A stamp in the future is held from its arrival. */
    CU_ASSERT_PTR_EQUAL(r1_merge_drop(m, 0), &a);
    CU_ASSERT_PTR_NULL(r1_merge_drop(m, 0));
    r1_merge_put(m, 0, &(r1_merge_key){.ms = 9}, 4102444799999, 6000, &a);
    CU_ASSERT_EQUAL(r1_merge_next(m, 6000, 6000, &source, &item, &until), R1_MERGE_HELD);
    CU_ASSERT_EQUAL(r1_merge_next(m, 6000 + HOLD, 6000 + HOLD, &source, &item, &until),
                    R1_MERGE_READY);
    r1_merge_free(m);
}

R1_TEST_MAIN("merge", {"schedules", test_schedules},
             {"restart and an old date", test_restart_and_an_old_date}, {"pause", test_pause},
             {"burst after a pause", test_burst_after_a_pause}, {"partitions", test_partitions},
             {"control without hold", test_control_without_hold}, {"wrong date", test_wrong_date},
             {"wrong from the start", test_wrong_from_the_start},
             {"a leap waits for its next", test_leap_waits_for_its_next}, {"waits", test_waits})
