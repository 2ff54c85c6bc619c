/* SPDX-License-Identifier: GPL-3.0-or-later */
/* share_claims.c - whose partitions are.
 *
 * The group says who should have a partition, and a claim in PostgreSQL who has it: a claim raises
 * the partition's epoch, and what an earlier owner writes is refused. So a group that is lost, as
 * it is for seconds where the broker dies that coordinates it, stops nobody: its members go on with
 * what they have, adrift, until they meet another's claim. */
#include "r1_assert.h"
#include "serve/share_internal.h"
#include "text/quote.h"

#include <string.h>

/* The budgets of a process are its share of the payments. */
static void share_budgets(server *s)
{
    int32_t n = s->ledger.n_partition[FRAUD_TOPIC_PAYMENTS];
    int32_t owned[FRAUD_EVENT_TOPICS] = {0};
    for (int t = 0; t < FRAUD_EVENT_TOPICS; t++)
        for (int p = 0; p < FRAUD_EVENT_PARTITIONS; p++) owned[t] += s->share->of[t][p].ours;
    memcpy(s->share->stats.owned, owned, sizeof owned);
    s->share->member.owned = owned[FRAUD_TOPIC_PAYMENTS];
    fraud_fleet_tell(s->share->fleet, &s->share->member);
    fraud_pace_share(s->parts.pace, n ? (double)owned[0] / n : 1);
}

/* It is ours: what the database says is committed is not decided again. */
static r1_status share_claim(server *s, int t, int32_t p, r1_err *err)
{
    struct fraud_share *h = s->share;
    share_partition *of = &h->of[t][p];
    if (!r1_store_alive(s->store)) R1_TRY(r1_store_reopen(s->store, err));
    R1_TRY(fraud_ledger_claim(&s->ledger, s->store, (fraud_topic)t, p, err));
    int64_t next = s->ledger.claim[t][p].next_offset;
    of->given = false;
    if (next < of->held_from && next < fraud_fleet_where(h->fleet)->next[t][p])
        R1_FAIL(err, R1_E_AGAIN,
                "partition %d of %s: expected its messages from offset %lld on in memory, found "
                "them from %lld on (held-memory): start again, the state then comes from an older "
                "snapshot and the events behind it",
                p, s->ledger.topic[t], (long long)next, (long long)of->held_from);
    fraud_held_prune(s, of, next);
    fraud_writer_unfence(s->writer, (fraud_topic)t, p);
    of->ours = true;
    of->decide_from = next;
    of->pushed = 0;
    h->n_waits += of->head != NULL;
    h->stats.takeovers++;
    r1_log(R1_LOG_INFO, "partition_taken", "topic=%s partition=%d offset=%lld held=%d",
           s->ledger.topic[t], p, (long long)next, of->head != NULL);
    return R1_OK;
}

static void share_drop(struct fraud_share *h, share_partition *of)
{
    if (of->ours && of->head) h->n_waits--;
    if (of->pushed > of->held_from) of->held_from = of->pushed;
    if (of->ours && of->decide_from > of->held_from) of->held_from = of->decide_from;
    of->ours = of->given = false;
}

static void share_change_one(struct fraud_share *h, share_partition *of, r1_group_kind kind)
{
    of->grouped = kind == R1_GROUP_GIVEN;
    if (kind == R1_GROUP_GIVEN) {
        of->given = !of->ours;
    } else if (kind == R1_GROUP_LOST && of->ours) {
        of->leaves = false; /* it goes on, adrift */
    } else {
        share_drop(h, of);
        of->leaves = kind == R1_GROUP_TAKEN;
    }
}

static void share_change(server *s, const r1_group_event *e)
{
    struct fraud_share *h = s->share;
    for (int i = 0; i < e->n; i++) {
        int32_t p = e->at[i].partition;
        share_change_one(h, &h->of[FRAUD_TOPIC_PAYMENTS][p], e->kind);
        for (int64_t q = p; p < h->spread && q < s->ledger.n_partition[FRAUD_TOPIC_LABELS];
             q += h->spread)
            share_change_one(h, &h->of[FRAUD_TOPIC_LABELS][q], e->kind);
    }
    h->again_us = 0;
    h->releases |= e->kind == R1_GROUP_TAKEN;
    h->claims |= e->kind == R1_GROUP_GIVEN;
    const char *const words[] = {"", "given", "taken", "lost"};
    r1_log(R1_LOG_INFO, "partitions", "change=%s n=%d", words[e->kind], e->n);
    share_budgets(s);
}

/* Whether the writer still has records that we decided. */
static bool share_unwritten(server *s, int t, int32_t p)
{
    int64_t pushed = s->share->of[t][p].pushed;
    return pushed && fraud_writer_next(s->writer, (fraud_topic)t, p) < pushed;
}

/* What is taken from us is let go once all that we read of it is committed. */
static bool share_released(server *s)
{
    for (int t = 0; t < FRAUD_EVENT_TOPICS; t++)
        for (int32_t p = 0; p < s->ledger.n_partition[t]; p++) {
            share_partition *of = &s->share->of[t][p];
            if (!of->leaves) continue;
            if (share_unwritten(s, t, p)) return false;
            of->leaves = false;
        }
    return true;
}

/* PostgreSQL is away: the partition stays another's until it is back. */
static void share_claim_waits(server *s, const r1_err *err)
{
    int64_t now = r1_mono_us();
    if (now - s->share->said_us < 1000000) return;
    s->share->said_us = now;
    r1_log(R1_LOG_WARN, "claim_waits", "error=\"%s\"", r1_log_quote(err->msg).text);
}

/* A partition that was lost and given back may have records in the writer's hands. They go out
 * under their own claim first: a new one would move it under the writer. */
static r1_status share_claims(server *s, r1_err *err)
{
    bool waits = false;
    for (int t = 0; t < FRAUD_EVENT_TOPICS; t++)
        for (int32_t p = 0; p < FRAUD_EVENT_PARTITIONS; p++) {
            if (!s->share->of[t][p].given) continue;
            bool unwritten = share_unwritten(s, t, p);
            waits |= unwritten;
            if (unwritten) continue;
            r1_status st = share_claim(s, t, p, err);
            if (st == R1_E_DB && err->retriable) return share_claim_waits(s, err), R1_OK;
            R1_TRY(st);
        }
    s->share->claims = waits;
    share_budgets(s);
    return R1_OK;
}

/* What another process has claimed is its own. Where the group says otherwise it is claimed back,
 * but not at once: the other one may be about to hear of it. */
static void share_fenced(server *s)
{
    enum { AGAIN_US = 1000000, AGAIN_MAX_US = 16000000 };
    struct fraud_share *h = s->share;
    uint64_t fences = s->writer ? fraud_writer_fences(s->writer) : 0; /* none while it replays */
    if (fences == h->fences) return;
    h->fences = fences;
    for (int t = 0; t < FRAUD_EVENT_TOPICS; t++)
        for (int p = 0; p < FRAUD_EVENT_PARTITIONS; p++) {
            share_partition *of = &h->of[t][p];
            if (!of->ours || !fraud_writer_fenced(s->writer, (fraud_topic)t, p)) continue;
            share_drop(h, of);
            of->given = of->grouped;
            h->claims |= of->given;
        }
    h->again_us = h->again_us ? h->again_us * 2 : AGAIN_US;
    if (h->again_us > AGAIN_MAX_US) h->again_us = AGAIN_MAX_US;
    h->claim_us = r1_mono_us() + h->again_us;
    share_budgets(s);
}

static void share_committed(server *s)
{
    struct fraud_share *h = s->share;
    if (!fraud_fleet_committed(h->fleet, h->committed)) return;
    for (int t = 0; t < FRAUD_EVENT_TOPICS; t++)
        for (int32_t p = 0; p < FRAUD_EVENT_PARTITIONS; p++)
            if (!h->of[t][p].ours) fraud_held_prune(s, &h->of[t][p], h->committed[t][p]);
}

/* A partition that no process was given is decided by nobody: while the group changes hands, or for
 * ever where another service is a member of the same group. */
static void share_missing(server *s)
{
    enum { SESSIONS = 3 };
    struct fraud_share *h = s->share;
    int32_t n = s->ledger.n_partition[FRAUD_TOPIC_PAYMENTS];
    int64_t now = r1_mono_us();
    if (!h->whole_us) return;
    h->stats.missing = fraud_fleet_missing(h->fleet, n);
    if (!h->stats.missing) h->whole_us = now;
    if (!h->stats.missing ||
        now - h->whole_us < SESSIONS * 1000 * r1_options_int(s->o, "group-session"))
        return;
    h->whole_us = now; /* said again after as long */
    r1_log(
        R1_LOG_WARN, "partitions_of_nobody",
        "topic=%s partitions=%d of=%d group=%s expected=\"a consumer group of the processes of one "
        "database alone\" their payments are decided by nobody",
        s->parts.topic[FRAUD_TOPIC_PAYMENTS], h->stats.missing, n, s->parts.group);
}

r1_status fraud_share_turn(server *s, r1_err *err)
{
    struct fraud_share *h = s->share;
    R1_TRY(fraud_fleet_status(h->fleet, err));
    share_committed(s);
    if (h->releases && share_released(s)) {
        h->releases = false;
        fraud_fleet_released(h->fleet);
    }
    if (fraud_fleet_change(h->fleet, &h->change)) share_change(s, &h->change);
    share_fenced(s);
    share_missing(s);
    return h->claims && r1_mono_us() >= h->claim_us ? share_claims(s, err) : R1_OK;
}
