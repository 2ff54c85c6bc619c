/* SPDX-License-Identifier: GPL-3.0-or-later */
/* share_settings.c - see share_settings.h. */
#include "serve/share_settings.h"

#include "serve/capacity.h"
#include "snapshot/snap_file.h"

static void share_add_number(fraud_shared_settings *s, const fraud_parts *p, const char *name)
{
    fraud_shared_add(s, name, "%lld", (long long)r1_options_int(p->o, name));
}

static void share_add_text(fraud_shared_settings *s, const fraud_parts *p, const char *name)
{
    const char *text = r1_options_str(p->o, name);
    fraud_shared_add(s, name, "%s", text && *text ? text : "none");
}

/* The file's hash. */
static void share_add_hash(fraud_shared_settings *s, const char *name, uint64_t hash)
{
    if (hash)
        fraud_shared_add(s, name, "%016llx", (unsigned long long)hash);
    else
        fraud_shared_add(s, name, "none");
}

/* Entries of working memory are what the model made of payments. */
static void share_add_state(const fraud_parts *p, fraud_shared_settings *s)
{
    fraud_engine_opts sizes = {0};
    r1_err err = {0};
    const char *currency = r1_options_str(p->o, "currency");
    fraud_shared_add(s, "state-format", "%d.%016llx", FRAUD_SNAP_FORMAT,
                     (unsigned long long)fraud_engine_form(p->engine));
    fraud_shared_add(s, "currency", "%s", currency ? currency : "of the first payment");
    const char *zone = r1_options_str(p->o, "zone");
    fraud_shared_add(s, "zone", "%s", zone ? zone : "UTC");
    share_add_hash(s, "rates", fraud_rates_hash(p->rates));
    fraud_shared_add(s, "map", "%s", p->map ? fraud_map_version(p->map) : "none");
    if (fraud_capacity_read(p->o, &sizes, &err) == R1_OK) { /* it was good at the start */
        fraud_shared_add(s, "accounts", "%u", sizes.entities_max);
        fraud_shared_add(s, "edges", "%u", sizes.edges_max);
        fraud_shared_add(s, "pairs", "%u", sizes.pairs_max);
    }
    share_add_number(s, p, "labels-waiting");
    share_add_number(s, p, "seen-ids");
    share_add_number(s, p, "time-ahead");
    share_add_number(s, p, "time-behind");
    if (!fraud_engine_remembers(p->engine)) return;
    fraud_shared_add(s, "model", "%s", p->model);
    share_add_number(s, p, "memory-accounts");
}

static void share_add_decides(const fraud_parts *p, fraud_shared_settings *s)
{
    if (!fraud_engine_remembers(p->engine)) fraud_shared_add(s, "model", "%s", p->model);
    fraud_shared_add(s, "policy", "%s %s", fraud_policy_version(p->policy),
                     fraud_policy_text(p->policy));
    share_add_text(s, p, "unscorable");
    share_add_number(s, p, "model-deadline");
    share_add_number(s, p, "merge-hold");
    share_add_number(s, p, "merge-wait");
    share_add_text(s, p, "decisions-topic");
    share_add_text(s, p, "dead-topic");
}

void fraud_share_settings(const fraud_parts *parts, fraud_member *out)
{
    out->state.n = out->decides.n = 0;
    share_add_state(parts, &out->state);
    share_add_decides(parts, &out->decides);
}
