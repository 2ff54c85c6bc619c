/* SPDX-License-Identifier: Apache-2.0 */
/* med_service.c - see med_service.h. */
#include "serve/med_service.h"

#include "cli/r1_cli.h"
#include "ontology/med_sources.h"
#include "r1_assert.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A knowledge base and all that works on it. */
struct med_knowledge {
    med_kb *kb;
    med_lexicon *lex;
    med_names *names;
    med_ranker *ranker[MED_JUDGES_MAX];
    med_reranker *reranker[MED_JUDGES_MAX];
    bool busy[MED_JUDGES_MAX];
    unsigned refs; /* leases, and one of the service */
    int64_t since_us;
};
typedef struct med_knowledge knowledge;

struct med_service {
    med_service_opts o;
    r1_model *model;
    char judge[128];      /* name and precision of the model, for reports */
    char program[64];     /* the same of this program */
    pthread_mutex_t lock; /* guards current, refs and busy, the counts */
    pthread_cond_t freed;
    knowledge *current;
    uint64_t swaps, failed_swaps;
    pthread_mutex_t reload_lock; /* one at a time; lock may be taken under it */
};

/* ---- knowledge ---- */

static void knowledge_free(knowledge *k)
{
    if (!k) return;
    for (unsigned i = 0; i < MED_JUDGES_MAX; i++) {
        med_reranker_free(k->reranker[i]);
        med_ranker_free(k->ranker[i]);
    }
    med_names_free(k->names);
    med_lexicon_free(k->lex);
    med_kb_free(k->kb);
    free(k);
}

static r1_status knowledge_fill(const med_service *s, knowledge *k, r1_err *err)
{
    R1_TRY(med_sources_open(&k->kb, s->o.kb, err));
    R1_TRY(med_kb_hold(&k->kb, s->o.kb, err));
    if (k->kb->n_profiled == 0)
        R1_FAIL(err, R1_E_FORMAT, "%s: a knowledge base without diseases cannot rank", s->o.kb);
    R1_TRY(med_lexicon_new(&k->lex, k->kb, err));
    R1_TRY(med_names_new(&k->names, k->kb, err));
    for (unsigned i = 0; i < s->o.judges; i++) {
        R1_TRY(med_ranker_new(&k->ranker[i], k->kb, err));
        if (s->model) R1_TRY(med_reranker_new(&k->reranker[i], s->model, s->o.precision, err));
    }
    k->since_us = r1_time_us();
    k->refs = 1;
    return R1_OK;
}

static r1_status knowledge_new(const med_service *s, knowledge **out, r1_err *err)
{
    knowledge *k = calloc(1, sizeof *k);
    if (!k) R1_FAIL(err, R1_E_NOMEM, "no memory for a knowledge base");
    r1_status st = knowledge_fill(s, k, err);
    if (st == R1_OK)
        *out = k;
    else
        knowledge_free(k);
    return st;
}

/* Under the lock: one reference less; true: the caller frees it outside of the lock. */
static bool knowledge_drop(knowledge *k)
{
    R1_ASSERT(k->refs > 0, "a knowledge base with %u references", k->refs);
    return --k->refs == 0;
}

/* ---- life ---- */

static r1_status service_model(med_service *s, r1_err *err)
{
    if (!s->o.model) return R1_OK;
    R1_TRY(r1_model_open(&s->model, s->o.model, err));
    med_reranker_name(s->model, s->o.precision, s->judge, sizeof s->judge);
    return R1_OK;
}

r1_status med_service_new(med_service **out, const med_service_opts *opts, r1_err *err)
{
    R1_ASSERT(opts->judges >= 1 && opts->judges <= MED_JUDGES_MAX, "%u judges", opts->judges);
    med_service *s = calloc(1, sizeof *s);
    pthread_condattr_t attr;
    if (!s) R1_FAIL(err, R1_E_NOMEM, "no memory for the service");
    s->o = *opts;
    snprintf(s->program, sizeof s->program, "r1-medical %s", r1_cli_version());
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->reload_lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->freed, &attr);
    pthread_condattr_destroy(&attr);
    r1_status st = service_model(s, err);
    if (st == R1_OK) st = knowledge_new(s, &s->current, err);
    if (st == R1_OK)
        *out = s;
    else
        med_service_free(s);
    return st;
}

void med_service_free(med_service *s)
{
    if (!s) return;
    R1_ASSERT(!s->current || s->current->refs == 1, "%u leases are out", s->current->refs - 1);
    knowledge_free(s->current);
    r1_model_free(s->model);
    pthread_cond_destroy(&s->freed);
    pthread_mutex_destroy(&s->reload_lock);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

r1_status med_service_reload(med_service *s, r1_err *err)
{
    knowledge *fresh = NULL, *old = NULL;
    pthread_mutex_lock(&s->reload_lock);
    r1_status st = knowledge_new(s, &fresh, err);
    pthread_mutex_lock(&s->lock);
    if (st == R1_OK) {
        old = s->current;
        s->current = fresh;
        s->swaps++;
        if (!knowledge_drop(old)) old = NULL;
        pthread_cond_broadcast(&s->freed);
    } else {
        s->failed_swaps++;
    }
    pthread_mutex_unlock(&s->lock);
    knowledge_free(old);
    pthread_mutex_unlock(&s->reload_lock);
    return st;
}

/* ---- leases ---- */

static void lease_of(const med_service *s, knowledge *k, med_lease *out)
{
    k->refs++;
    *out =
        (med_lease){.of = k, .kb = k->kb, .lex = k->lex, .names = k->names, .program = s->program};
}

void med_service_look(med_service *s, med_lease *out)
{
    pthread_mutex_lock(&s->lock);
    lease_of(s, s->current, out);
    pthread_mutex_unlock(&s->lock);
}

/* Under the lock. */
static bool lease_judge(const med_service *s, med_lease *out)
{
    knowledge *k = s->current;
    for (unsigned i = 0; i < s->o.judges; i++) {
        if (k->busy[i]) continue;
        lease_of(s, k, out);
        k->busy[i] = true;
        out->place = i;
        out->judge = (med_judge){k->ranker[i], k->reranker[i], s->judge, s->o.pin};
        return true;
    }
    return false;
}

r1_status med_service_lease(med_service *s, int wait_ms, med_lease *out, r1_err *err)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    int late = 0;
    pthread_mutex_lock(&s->lock);
    bool has = lease_judge(s, out);
    while (!has && late != ETIMEDOUT) {
        late = pthread_cond_timedwait(&s->freed, &s->lock, &until);
        has = lease_judge(s, out);
    }
    pthread_mutex_unlock(&s->lock);
    if (!has)
        R1_FAIL(err, R1_E_AGAIN, "%u records are ranked, and none of them ended in %d ms",
                s->o.judges, wait_ms);
    return R1_OK;
}

void med_service_return(med_service *s, med_lease *l)
{
    pthread_mutex_lock(&s->lock);
    if (l->judge.ranker) l->of->busy[l->place] = false;
    bool last = knowledge_drop(l->of);
    pthread_cond_signal(&s->freed);
    pthread_mutex_unlock(&s->lock);
    if (last) knowledge_free(l->of);
    *l = (med_lease){0};
}

void med_service_stats_read(med_service *s, med_service_stats *out)
{
    pthread_mutex_lock(&s->lock);
    const knowledge *k = s->current;
    *out = (med_service_stats){.swaps = s->swaps,
                               .failed_swaps = s->failed_swaps,
                               .n_term = k->kb->n_term,
                               .n_disease = k->kb->n_disease,
                               .n_profiled = k->kb->n_profiled,
                               .judges = s->o.judges,
                               .since_us = k->since_us};
    for (unsigned i = 0; i < s->o.judges; i++) out->busy += k->busy[i];
    snprintf(out->checksum, sizeof out->checksum, "%016llx", (unsigned long long)k->kb->checksum);
    pthread_mutex_unlock(&s->lock);
}

/* ---- a record ---- */

r1_status med_work_do(med_work *w, const med_lease *l, const char *title, const char *bytes,
                      size_t len, r1_err *err)
{
    const med_given nothing = {.age_years = NAN};
    return med_work_with(w, l, title, bytes, len, &nothing, err);
}

r1_status med_work_with(med_work *w, const med_lease *l, const char *title, const char *bytes,
                        size_t len, const med_given *given, r1_err *err)
{
    *w = (med_work){.document = {.age_years = NAN}, .review = {.age_years = NAN}};
    R1_TRY(med_document_read(&w->document, "the record", bytes, len, err));
    R1_TRY(med_document_one_patient(&w->document, "the record", "", err));
    if (given->listed) R1_TRY(med_document_as_list(&w->document, "the record", err));
    R1_TRY(med_document_notes(&w->document, l->lex, l->kb, "the record", &w->notes, err));
    for (uint32_t i = 0; given->genes && i < given->genes->n_note; i++)
        med_document_note(&w->document, "%s", given->genes->note[i]);
    if (given->sex != MED_SEX_UNKNOWN) w->notes.sex = given->sex;
    if (!isnan(given->age_years)) w->notes.age_years = given->age_years;
    time_t now = (time_t)(r1_time_us() / 1000000);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(w->date, sizeof w->date, "%Y-%m-%d", &tm);
    strftime(w->made, sizeof w->made, "%Y-%m-%dT%H:%M:%SZ", &tm);
    if (w->document.title) title = w->document.title;
    if (w->document.kind != MED_DOCUMENT_REVIEW)
        R1_TRY(med_review_make(&w->review, l->kb, &w->notes, &w->document, title, err));
    const med_report_record record = {
        .title = title,
        .notes = &w->notes,
        .reading = {(const char *const *)w->document.note, w->document.n_note},
        .date = w->date,
        .program = l->program,
        .signing = &w->document.signing,
        .genes = given->genes};
    return med_report_make(l->kb, &l->judge, &record, &w->report, err);
}

void med_work_free(med_work *w)
{
    med_report_free(w->report);
    med_review_free(&w->review);
    med_notes_free(&w->notes);
    med_document_free(&w->document);
    *w = (med_work){.document = {.age_years = NAN}, .review = {.age_years = NAN}};
}
