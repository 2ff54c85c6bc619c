/* SPDX-License-Identifier: Apache-2.0 */
/* ladder_medical.c - V1 (text), V2 (cross-modal attention) and R1 (CAWA and memory) at equal
 * parameters, re-ranking diseases for published cases.
 *
 *     ladder_medical DIR TABLE.csv CASES.tsv KB SEED[-SEED] [ARM[,ARM...]]
 *
 * v1         the case's findings and the candidate, its name and what it usually shows, written
 *            out as one text
 * v2         what the ranking measured, how the findings match, what is typical, what speaks
 *            against, joined by plain attention
 * v2_memory  v2 and the findings in working memory, plain attention throughout
 * v2_cawa    v2 with CAWA, without memory
 * r1         v2 with CAWA and memory: medical-b's form
 *
 * Lists of 50 candidates as they are served, at most five cases of a disease, the case's own
 * publication left out. Seed S is judged on the fold of diseases S mod 5 and trained on the
 * other four, so five seeds judge every list once. The width of the feed-forward part makes the
 * arms' parameters equal to r1's. Shards lie in DIR and stay. Each arm and seed that TABLE.csv
 * lacks adds one row. */
#include "eval/med_cases.h"
#include "experiments/arm_table.h"
#include "experiments/rungs.h"
#include "ontology/med_sources.h"
#include "r1_train.h"
#include "rank/med_rerank.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CASES_MAX = 5, CASE_FINDINGS = 5, SHOWN = 4, TEXT_BYTES = 2048, PROFILE_MAX = 1 << 14 };
static const char as_one_text[] = "{\"name\": \"case\", \"kind\": \"text\", \"n_vocab\": 512, "
                                  "\"n_token_max\": 80, \"hidden\": 32, "
                                  "\"n_layer\": 2}";

static void ladder_medical_give_up(const r1_err *err)
{
    fprintf(stderr, "ladder_medical: %s\n", err->msg);
    exit(1);
}

static void ladder_medical_need(r1_status st, const r1_err *err)
{
    if (st != R1_OK) ladder_medical_give_up(err);
}

static char *ladder_medical_whole_description(void)
{
    r1_err err;
    char *whole;
    ladder_medical_need(med_description("rank", &whole, &err), &err);
    return whole;
}

static void ladder_medical_shard_path(char *path, size_t cap, const char *dir, int kind, int fold)
{
    static const char *const name[] = {"text", "items", "memory"};
    snprintf(path, cap, "%s/%s-%d.r1s", dir, name[kind], fold);
}

/* ---- cases to shards ---- */

typedef struct {
    const med_kb *kb;
    med_ranker *ranker;
    med_samples *samples;
    r1_shard_writer *w[RUNG_KINDS][MED_FOLDS];
    float *work;          /* [n_term] */
    med_profile *profile; /* [PROFILE_MAX] */
    uint64_t n_group;
} writer;

static void ladder_medical_append(char *to, const char *text, const char *between)
{
    size_t n = strlen(to);
    snprintf(to + n, TEXT_BYTES - n, "%s%s", n ? between : "", text);
}

/* The most telling findings first: terms by their number in rank[n], falling. */
static size_t most_telling(const float *worth, size_t n, size_t max, uint32_t *rank)
{
    size_t k = 0;
    for (; k < max && k < n; k++) {
        size_t best = n;
        for (size_t i = 0; i < n; i++) {
            bool taken = false;
            for (size_t j = 0; j < k; j++) taken |= rank[j] == i;
            if (!taken && worth[i] > 0 && (best == n || worth[i] > worth[best])) best = i;
        }
        if (best == n) break;
        rank[k] = (uint32_t)best;
    }
    return k;
}

static void case_text(const writer *w, const med_case *c, char *text)
{
    float worth[MED_FINDINGS_MAX];
    uint32_t rank[CASE_FINDINGS];
    size_t n = c->n_observed < MED_FINDINGS_MAX ? c->n_observed : MED_FINDINGS_MAX;
    for (size_t i = 0; i < n; i++) worth[i] = w->kb->term[c->observed[i]].ic + 1e-6f;
    n = most_telling(worth, n, CASE_FINDINGS, rank);
    text[0] = 0;
    for (size_t i = 0; i < n; i++)
        ladder_medical_append(text, med_str(w->kb, w->kb->term[c->observed[rank[i]]].name), ", ");
}

/* The disease's profile is made anew, without the case's own publication. */
static void candidate_text(const writer *w, const med_case *c, uint32_t disease, char *text)
{
    static float worth[PROFILE_MAX];
    const med_disease *d = &w->kb->disease[disease];
    uint32_t rank[SHOWN];
    uint32_t n = med_profile_make(w->kb, w->kb->row + d->row_at, d->n_row, c->skip, w->work,
                                  w->profile, PROFILE_MAX);
    for (uint32_t i = 0; i < n; i++) {
        bool direct = w->profile[i].term & MED_PROFILE_DIRECT;
        worth[i] =
            direct ? w->profile[i].freq * w->kb->term[MED_PROFILE_TERM(w->profile[i])].ic : 0;
    }
    size_t shown = most_telling(worth, n, SHOWN, rank);
    ladder_medical_append(text, med_str(w->kb, d->name), " | ");
    for (size_t i = 0; i < shown; i++)
        ladder_medical_append(
            text, med_str(w->kb, w->kb->term[MED_PROFILE_TERM(w->profile[rank[i]])].name),
            i ? ", " : ": ");
}

static void ladder_medical_add_list(writer *w, const med_case *c, const med_case_row *row,
                                    const med_candidate *list, uint32_t n)
{
    static med_anchor anchor[MED_FINDINGS_MAX];
    r1_err err;
    uint64_t ref[MED_FINDINGS_MAX];
    char of_case[TEXT_BYTES], text[TEXT_BYTES];
    r1_shard_writer **to[RUNG_KINDS];
    for (int k = 0; k < RUNG_KINDS; k++) to[k] = &w->w[k][row->fold];
    uint32_t n_anchor = med_case_anchors(w->kb, c, anchor, MED_FINDINGS_MAX);
    med_anchors_plan(w->kb, anchor, n_anchor, true);
    for (uint32_t i = 0; i < n_anchor; i++) {
        r1_event e = {anchor[i].num, &anchor[i].system};
        ladder_medical_need(r1_shard_add_event(*to[RUNG_MEMORY], &e, &ref[i], &err), &err);
    }
    ladder_medical_need(med_samples_fill(w->samples, w->ranker, list, n, anchor, ref, &err), &err);
    case_text(w, c, of_case);
    w->n_group++;
    for (uint32_t i = 0; i < n; i++) {
        float label = list[i].disease == row->gold_disease;
        const r1_item *all = med_samples_item(w->samples, i);
        r1_item some[MED_N_ITEM];
        int k = 0;
        for (int j = 0; j < MED_N_ITEM; j++)
            if (j != MED_ITEM_FINDINGS) some[k++] = all[j];
        r1_sample s = {.item = all, .id = i, .group = w->n_group, .label = &label, .weight = 1};
        ladder_medical_need(r1_shard_add(*to[RUNG_MEMORY], &s, &err), &err);
        s.item = some;
        ladder_medical_need(r1_shard_add(*to[RUNG_ITEMS], &s, &err), &err);
        memcpy(text, of_case, sizeof text);
        candidate_text(w, c, list[i].disease, text);
        some[0] = (r1_item){.present = true, .text = text, .text_bytes = (uint32_t)strlen(text)};
        ladder_medical_need(r1_shard_add(*to[RUNG_TEXT], &s, &err), &err);
    }
}

static void ladder_medical_add_cases(writer *w, const med_cases *cases)
{
    static med_candidate list[MED_RERANK_MAX];
    r1_err err;
    for (uint32_t i = 0; i < cases->n; i++) {
        const med_case_row *row = &cases->row[i];
        med_case c = med_cases_query(cases, row, true);
        c.skip.sole = true;
        uint32_t n = 0;
        bool listed = false;
        med_case_open(w->ranker, &c);
        ladder_medical_need(med_rank(w->ranker, list, MED_RERANK_MAX, &n, &err), &err);
        for (uint32_t k = 0; k < n; k++) listed |= list[k].disease == row->gold_disease;
        if (listed) ladder_medical_add_list(w, &c, row, list, n);
    }
    fprintf(stderr, "%llu lists\n", (unsigned long long)w->n_group);
}

static void ladder_medical_write_shards(const char *dir, const char *cases_path,
                                        const char *kb_path)
{
    r1_err err;
    writer w = {0};
    med_cases cases = {0};
    med_kb *kb;
    char path[600], *whole = ladder_medical_whole_description();
    ladder_medical_need(med_sources_open(&kb, kb_path, &err), &err);
    ladder_medical_need(med_ranker_new(&w.ranker, kb, &err), &err);
    ladder_medical_need(med_samples_new(&w.samples, &err), &err);
    ladder_medical_need(med_cases_load(&cases, cases_path, kb, CASES_MAX, &err), &err);
    w.kb = kb;
    w.work = calloc(kb->n_term + 1u, sizeof *w.work);
    w.profile = calloc(PROFILE_MAX, sizeof *w.profile);
    if (!w.work || !w.profile) exit(1);
    for (int k = 0; k < RUNG_KINDS; k++) {
        char *description = rung_describe(whole, as_one_text, k, true, 96);
        for (int f = 0; f < MED_FOLDS; f++) {
            ladder_medical_shard_path(path, sizeof path, dir, k, f);
            ladder_medical_need(r1_shard_create(&w.w[k][f], path, description, &err), &err);
        }
        free(description);
    }
    ladder_medical_add_cases(&w, &cases);
    for (int k = 0; k < RUNG_KINDS; k++)
        for (int f = 0; f < MED_FOLDS; f++)
            ladder_medical_need(r1_shard_finish(w.w[k][f], &err), &err);
    med_cases_free(&cases);
    med_samples_free(w.samples);
    med_ranker_free(w.ranker);
    med_kb_free(kb);
    free(w.work);
    free(w.profile);
    free(whole);
}

/* ---- one run ---- */

typedef struct {
    r1_eval eval;
    r1_model_info info;
    double seconds;
} result;

static result ladder_medical_run(const rung *a, const char *dir, uint64_t seed)
{
    r1_err err;
    result r;
    int test = (int)(seed % MED_FOLDS);
    char shard[MED_FOLDS][600], out[600];
    const char *train[MED_FOLDS], *judged = shard[test];
    size_t n_train = 0;
    clock_t began = clock();
    for (int f = 0; f < MED_FOLDS; f++) {
        ladder_medical_shard_path(shard[f], sizeof shard[f], dir, a->kind, f);
        if (f != test) train[n_train++] = shard[f];
    }
    snprintf(out, sizeof out, "%s/%s.gguf", dir, a->name);
    char *whole = ladder_medical_whole_description(),
         *description = rung_equal(whole, as_one_text, a);
    r1_train_opts o = {.run = {.train = train,
                               .n_train = n_train,
                               .description = description,
                               .out = out,
                               .seed = seed,
                               .progress = true},
                       .mean_decay = 0.99,
                       .item_drop =
                           a->kind == RUNG_TEXT ? -1 : 0, /* of one item none may be hidden */
                       .n_epoch = 3,
                       .n_batch = 250,
                       .metric = R1_STOP_TOP1};
    r1_model *m;
    r1_eval_opts eo = {0};
    ladder_medical_need(r1_train(&o, NULL, &err), &err);
    ladder_medical_need(r1_model_open(&m, out, &err), &err);
    ladder_medical_need(r1_evaluate(m, &judged, 1, &eo, &r.eval, &err), &err);
    r.info = rung_info(description);
    r.seconds = (double)(clock() - began) / CLOCKS_PER_SEC;
    r1_model_free(m);
    unlink(out);
    free(description);
    free(whole);
    return r;
}

static void one_arm(const char *dir, const char *table, const rung *a, uint64_t seed)
{
    result r = ladder_medical_run(a, dir, seed);
    FILE *f = rung_table(table, "arm,seed,weights,mflop,top1,mrr,loss,lists,seconds");
    fprintf(f, "%s,%llu,%llu,%.4f,%.5f,%.5f,%.5f,%llu,%.1f\n", a->name, (unsigned long long)seed,
            (unsigned long long)r.info.n_weight, (double)r.info.flop_sample * 1e-6, r.eval.top1,
            r.eval.mrr, r.eval.loss, (unsigned long long)r.eval.n_positive, r.seconds);
    fclose(f);
}

int main(int argc, char **argv)
{
    r1_err err;
    char path[600];
    uint64_t first, last;
    if (argc < 6 || argc > 7 || !arm_seeds(argv[5], &first, &last) || strlen(argv[1]) > 500) {
        fprintf(stderr,
                "usage: ladder_medical DIR TABLE.csv CASES.tsv KB SEED[-SEED] [ARM[,ARM...]]\n");
        return 2;
    }
    ladder_medical_need(r1_mkdirs(argv[1], &err), &err);
    ladder_medical_shard_path(path, sizeof path, argv[1], RUNG_MEMORY,
                              MED_FOLDS - 1); /* the last that is finished */
    if (access(path, F_OK) != 0) ladder_medical_write_shards(argv[1], argv[3], argv[4]);
    for (uint64_t seed = first; seed <= last; seed++)
        for (size_t i = 0; i < RUNGS; i++)
            if (arm_named(argc > 6 ? argv[6] : NULL, rungs[i].name) &&
                !arm_finished(argv[2], rungs[i].name, seed, NULL))
                one_arm(argv[1], argv[2], &rungs[i], seed);
    return 0;
}
