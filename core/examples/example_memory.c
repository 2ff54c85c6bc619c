/* SPDX-License-Identifier: Apache-2.0 */
/* example_memory.c - the memory alone, without a score: rings and anchors of working memory,
 * then long-term memory.
 *
 *     example_memory FILE        writes and reopens FILE */
#include "r1.h"

#include <stdio.h>
#include <string.h>

/* Working memory takes from the model how wide an entry is and how one is made from an event. */
static const char description[] = "{\"name\": \"visits\", \"d_align\": 32, \"d_model\": 16, "
                                  "\"n_layer\": 1, \"n_head\": 2, \"n_head_cross\": 2, "
                                  "\"d_ff\": 16,"
                                  " \"event\": {\"num\": [\"severity\"], \"cat\": [], \"n_bin\": "
                                  "4, \"hidden\": 8, \"d_memory\": 8, \"n_head\": 2},"
                                  " \"items\": [{\"name\": \"now\", \"kind\": \"table\", \"num\": "
                                  "[\"severity\"], \"cat\": [], \"n_bin\": 4, "
                                  "\"hidden\": 8},"
                                  "           {\"name\": \"past\", \"kind\": \"memory\", "
                                  "\"query\": \"now\", \"n_ref_max\": 8, \"n_bucket\": 2}],"
                                  " \"heads\": [{\"name\": \"risk\", \"kind\": \"binary\"}]}";

/* Ten events of one entity meet a ring of eight. The second is pinned, an anchor: the oldest
 * others make room. */
static r1_status example_memory_working(const r1_model *model, r1_session *session,
                                        r1_memory *memory, r1_err *err)
{
    const uint64_t patient = r1_hash64("patient 7", 9, 0);
    uint64_t ticket, handle[10], kept[8], number[8];
    float severity[10];
    r1_event event[10];
    R1_TRY(r1_memory_begin(
        memory, &ticket,
        err)); /* a ticket is one batch: nothing it names is reused before it ends */
    r1_status st = R1_OK;
    for (size_t i = 0; i < 10 && st == R1_OK; i++) {
        severity[i] = (float)i / 10;
        event[i] = (r1_event){.num = &severity[i]};
        st = r1_memory_append(memory, ticket, &patient, 1, i, &handle[i], err);
        if (i == 1 && st == R1_OK) st = r1_memory_pin(memory, patient, handle[1], 1, 0, err);
    }
    size_t n = r1_memory_ring(memory, patient, kept, number,
                              8); /* what a sample of this patient would refer to */
    if (st == R1_OK)
        st = r1_session_store(session, memory, ticket, event, handle, 10,
                              err); /* makes keys and values */
    if (st != R1_OK) {
        r1_memory_cancel(memory, ticket);
        return st;
    }
    r1_memory_end(memory, ticket);
    printf("ring:");
    for (size_t i = 0; i < n; i++) printf(" %llu", (unsigned long long)number[i]);
    printf("\nentry: %zu bytes\n", 2 * r1_model_entry_width(model) * sizeof(float));
    return R1_OK;
}

static r1_status example_memory_search(r1_longterm *lt, const char *when, r1_err *err)
{
    const float query[4] = {1, 0.2F, 0, 0};
    r1_longterm_hit hit[2];
    r1_longterm_entry e;
    size_t n;
    R1_TRY(r1_longterm_search(lt, query, 2, hit, &n, err));
    printf("%s:", when);
    for (size_t i = 0; i < n; i++) {
        R1_TRY(r1_longterm_get(lt, hit[i].id, &e, err));
        printf(" %.*s (%.2f)", (int)e.value_bytes, (const char *)e.value, (double)hit[i].score);
    }
    printf("\n");
    return R1_OK;
}

/* Entries are found by the inner product of keys; a source that brings a new version replaces
 * what it said before. */
static r1_status example_memory_longterm(r1_longterm *lt, const char *path, r1_err *err)
{
    static const float key[3][4] = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0.5F, 0.5F, 0, 0}};
    static const char *const value[] = {"fever", "rash", "both"};
    for (uint32_t i = 0; i < 3; i++) {
        r1_longterm_entry e = {.key = key[i],
                               .value = value[i],
                               .value_bytes = (uint32_t)strlen(value[i]),
                               .version = i};
        R1_TRY(r1_longterm_insert(lt, &e, NULL, err));
    }
    R1_TRY(example_memory_search(lt, "found", err));
    R1_TRY(r1_longterm_save(lt, path, err)); /* the old file or the new one, never half */
    r1_longterm *again;
    R1_TRY(r1_longterm_open(&again, path, 1000, err));
    size_t n = r1_longterm_expire(again, 0, 1); /* of source 0, what is older than version 1 */
    printf("expired: %zu of %zu\n", n, r1_longterm_count(lt));
    r1_status st = example_memory_search(again, "reopened", err);
    r1_longterm_free(again);
    return st;
}

int main(int argc, char **argv)
{
    r1_err err;
    r1_model *model = NULL;
    r1_session *session = NULL;
    r1_memory *memory = NULL;
    r1_longterm *lt = NULL;
    if (argc != 2) {
        fprintf(stderr, "usage: example_memory FILE\n");
        return 2;
    }
    r1_memory_opts opts = {.bytes_max = 1 << 20,
                           .quota = 8}; /* a limit of bytes for all, a quota of entries for each */
    r1_status st = r1_model_new(&model, description, 1, &err);
    if (st == R1_OK) st = r1_session_new(&session, model, NULL, &err);
    if (st == R1_OK) st = r1_memory_new(&memory, model, &opts, &err);
    if (st == R1_OK) st = example_memory_working(model, session, memory, &err);
    if (st == R1_OK) st = r1_longterm_new(&lt, 4, 1000, &err);
    if (st == R1_OK) st = example_memory_longterm(lt, argv[1], &err);
    if (st != R1_OK) fprintf(stderr, "example_memory: %s\n", err.msg);
    r1_longterm_free(lt);
    r1_memory_free(memory);
    r1_session_free(session);
    r1_model_free(model);
    return st == R1_OK ? 0 : 1;
}
