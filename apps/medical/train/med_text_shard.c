/* SPDX-License-Identifier: Apache-2.0 */
#include "train/med_text_shard.h"

#include "r1_shard.h"

#include <stdio.h>
#include <string.h>

enum { ITEMS = 4, TEXT_MAX = 4096, VALID_OF = 10 };

/* The label says whether a disease has the finding: it is there for finetuning, pretraining does
 * not read it. */
static const char description[] = "{\"name\": \"medical-terms\", \"d_align\": 512, \"d_model\": "
                                  "64, \"n_layer\": 1, \"n_head\": 4, \"n_head_cross\": "
                                  "4, \"d_ff\": 128, \"items\": ["
                                  "{\"name\": \"name\", \"kind\": \"text\", \"n_vocab\": 2048, "
                                  "\"n_token_max\": 24, \"hidden\": 64, \"n_layer\": 1},"
                                  "{\"name\": \"synonyms\", \"kind\": \"text\", \"n_vocab\": 2048, "
                                  "\"n_token_max\": 48, \"hidden\": 64, \"n_layer\": "
                                  "1},"
                                  "{\"name\": \"definition\", \"kind\": \"text\", \"n_vocab\": "
                                  "2048, \"n_token_max\": 64, \"hidden\": 64, "
                                  "\"n_layer\": 1},"
                                  "{\"name\": \"parents\", \"kind\": \"text\", \"n_vocab\": 2048, "
                                  "\"n_token_max\": 32, \"hidden\": 64, \"n_layer\": "
                                  "1}],"
                                  "\"heads\": [{\"name\": \"annotated\", \"kind\": \"binary\"}]}";

/* "a; b; c", cut where there is no more room. */
static void text_shard_append(char *to, const char *text)
{
    size_t n = strlen(to), len = strlen(text);
    if (n + len + 3 > TEXT_MAX) return;
    snprintf(to + n, TEXT_MAX - n, "%s%s", n ? "; " : "", text);
}

static void texts_of(const med_kb *kb, const med_term *t, char text[ITEMS][TEXT_MAX])
{
    for (int i = 0; i < ITEMS; i++) text[i][0] = 0;
    text_shard_append(text[0], med_str(kb, t->name));
    for (uint32_t i = 0; i < t->n_synonym; i++)
        if (kb->synonym[t->synonym_at + i].kind != MED_SYN_LABEL)
            text_shard_append(text[1], med_str(kb, kb->synonym[t->synonym_at + i].text));
    text_shard_append(text[2], med_str(kb, t->definition));
    for (uint32_t i = 0; i < t->n_parent; i++)
        text_shard_append(text[3], med_str(kb, kb->term[kb->parent[t->parent_at + i]].name));
}

static r1_status text_shard_add(r1_shard_writer *w, const med_kb *kb, uint32_t term, r1_err *err)
{
    char text[ITEMS][TEXT_MAX];
    r1_item item[ITEMS];
    const float label = kb->term[term].n_disease > 0;
    texts_of(kb, &kb->term[term], text);
    for (int i = 0; i < ITEMS; i++)
        item[i] = (r1_item){
            .present = text[i][0] != 0, .text = text[i], .text_bytes = (uint32_t)strlen(text[i])};
    return r1_shard_add(w, &(r1_sample){.item = item, .id = term, .label = &label}, err);
}

r1_status med_text_shards(const med_kb *kb, const char *dir, med_text_report *report, r1_err *err)
{
    static const char *const name[2] = {"train", "valid"};
    r1_shard_writer *w[2] = {NULL, NULL};
    char path[4200];
    *report = (med_text_report){0};
    r1_status st = r1_mkdirs(dir, err);
    for (int i = 0; st == R1_OK && i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s.r1s", dir, name[i]);
        st = r1_shard_create(&w[i], path, description, err);
    }
    for (uint32_t t = 0; st == R1_OK && t < kb->n_term; t++) {
        const char *id = med_str(kb, kb->term[t].id);
        bool valid = r1_hash64(id, strlen(id), 0) % VALID_OF == 0;
        st = text_shard_add(w[valid], kb, t, err);
        *(valid ? &report->n_valid : &report->n_train) += 1;
    }
    for (int i = 0; i < 2; i++)
        if (st == R1_OK)
            st = r1_shard_finish(w[i], err), w[i] = NULL;
        else
            r1_shard_abort(w[i]);
    return st;
}
