/* SPDX-License-Identifier: Apache-2.0 */
/* med_hooks.c - CDS Hooks 2.0: what the service offers to a record system, and one card. The
 * resources of the prefetch are read as one FHIR bundle, by the same reader as every bundle. */
#include "print/med_put.h"
#include "serve/med_port_internal.h"

#include "text/r1_utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CARD_SUMMARY_BYTES = 139, CARD_CANDIDATES = 5 };

static const char *const prefetch_key[] = {"patient", "conditions", "observations"};

void med_page_hooks(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    (void)ctx;
    (void)q;
    med_answer_json(
        a, 200,
        json_pack("{s:[{s:s, s:s, s:s, s:s, s:{s:s, s:s, s:s}}]}", "services", "hook",
                  "patient-view", "id", "r1-rare-disease", "title", "Rare diseases by findings",
                  "description",
                  "Diseases that the patient's findings with HPO codes speak for; no diagnosis.",
                  "prefetch", prefetch_key[0], "Patient/{{context.patientId}}", prefetch_key[1],
                  "Condition?patient={{context.patientId}}", prefetch_key[2],
                  "Observation?patient={{context.patientId}}"));
}

/* ---- the bundle ---- */

static void bundle_add(json_t *entries, json_t *resource)
{
    json_t *inner = json_object_get(resource, "entry"), *e;
    size_t i;
    if (!json_is_object(resource)) return;
    if (!json_is_array(inner))
        json_array_append_new(entries, json_pack("{s:O}", "resource", resource));
    else
        json_array_foreach(inner, i, e) json_array_append(entries, e);
}

/* malloc'ed text of one bundle; NULL: the request holds no prefetch. */
static char *card_bundle(const json_t *request)
{
    const json_t *prefetch = json_object_get(request, "prefetch");
    if (!json_is_object(prefetch)) return NULL;
    json_t *entries = json_array();
    for (size_t i = 0; i < R1_COUNT(prefetch_key); i++)
        bundle_add(entries, json_object_get(prefetch, prefetch_key[i]));
    json_t *o = json_pack("{s:s, s:s, s:o}", "resourceType", "Bundle", "type", "collection",
                          "entry", entries);
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    return text;
}

/* ---- the card ---- */

/* An outside string in Markdown: signs of the language stand behind a backslash. */
static void card_put(FILE *f, const char *s)
{
    char *text = NULL;
    size_t n = 0;
    FILE *plain = open_memstream(&text, &n);
    if (!plain) return;
    med_put(plain, MED_TEXT_LINE, "%s", s);
    fclose(plain);
    for (size_t i = 0; i < n; i++) {
        if (strchr("\\`*_{}[]<>()#+-.!|&~", text[i])) fputc('\\', f);
        fputc(text[i], f);
    }
    free(text);
}

static void card_detail(FILE *f, const med_report *r)
{
    if (r->scope) {
        card_put(f, r->scope);
        fputs("\n\n", f);
    }
    fprintf(f, "%s\n\n", r->confident ? "Candidates:" : "No candidate is confident. Nearest:");
    for (uint32_t i = 0; i < r->n_candidate && i < CARD_CANDIDATES; i++) {
        fprintf(f, "%u. ", r->candidate[i].rank);
        card_put(f, r->candidate[i].name);
        fputs(" (", f);
        card_put(f, r->candidate[i].id);
        fprintf(f, "), %.0f %%\n", r->candidate[i].probability * 100);
    }
    fprintf(f, "\nNone of these: %.0f %%. %u findings observed, %u excluded.\n",
            r->none_of_these * 100, r->observed.n, r->excluded.n);
    for (uint32_t i = 0; i < r->reading.n; i++) {
        fputs("\n- ", f);
        card_put(f, r->reading.s[i]);
    }
    fputs("\n\nFor decision support by qualified professionals; not a diagnosis.\n", f);
}

/* At most CARD_SUMMARY_BYTES, whole characters. */
static json_t *card_summary(const med_report *r)
{
    char text[400];
    char among[40] = "";
    if (r->scope) snprintf(among, sizeof among, "Among %u diseases only: ", r->diseases);
    snprintf(text, sizeof text, "%s%s%.300s", among,
             r->confident ? "Consider " : "Not confident; nearest: ",
             r->n_candidate ? r->candidate[0].name : "no disease");
    size_t n = strlen(text) > CARD_SUMMARY_BYTES ? CARD_SUMMARY_BYTES : strlen(text);
    while (n && !r1_utf8_valid(text, n)) n--;
    text[n] = '\0';
    return med_json_string(text);
}

static json_t *card_of(json_t *summary, char *detail, const char *knowledge_base)
{
    char source[80];
    snprintf(source, sizeof source, "R1 medical, knowledge base %.20s", knowledge_base);
    json_t *o =
        json_pack("{s:[{s:o, s:s, s:s, s:{s:s}}]}", "cards", "summary", summary, "indicator",
                  "info", "detail", detail ? detail : "", "source", "label", source);
    free(detail);
    return o;
}

static json_t *card_ranked(const med_work *w)
{
    char *detail = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&detail, &n);
    if (!f) return NULL;
    card_detail(f, w->report);
    fclose(f);
    return card_of(card_summary(w->report), detail, w->report->knowledge_base);
}

/* No finding with a code that is known is no fault of the client's: the card says so. */
static json_t *card_refused(const med_lease *l, const char *why)
{
    char *detail = NULL, sum[20];
    size_t n = 0;
    FILE *f = open_memstream(&detail, &n);
    if (!f) return NULL;
    card_put(f, why);
    fclose(f);
    snprintf(sum, sizeof sum, "%016llx", (unsigned long long)l->kb->checksum);
    return card_of(json_string("No finding of this record can be ranked"), detail, sum);
}

void med_page_card(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    struct med_port *p = ctx;
    json_t *request = json_loadb(q->body, q->body_len, JSON_REJECT_DUPLICATES, NULL);
    const char *hook = json_string_value(json_object_get(request, "hook"));
    bool ours = hook && strcmp(hook, "patient-view") == 0;
    char *bundle = ours ? card_bundle(request) : NULL;
    json_decref(request);
    if (!bundle) {
        med_answer_refused(a, ours ? 412 : 400,
                           ours ? "expected a prefetch with patient, conditions and observations"
                                : "expected a CDS Hooks request with the hook patient-view");
        return;
    }
    med_lease lease;
    med_work w;
    r1_err err = {0};
    r1_status st = med_service_lease(p->o.service, p->o.wait_ms, &lease, &err);
    if (st == R1_OK) {
        st = med_work_do(&w, &lease, "record", bundle, strlen(bundle), &err);
        if (st == R1_OK)
            med_answer_json(a, 200, card_ranked(&w));
        else if (st == R1_E_FORMAT)
            med_answer_json(a, 200, card_refused(&lease, err.msg));
        else
            med_answer_error(a, st, &err);
        med_work_free(&w);
        med_service_return(p->o.service, &lease);
    } else {
        med_answer_error(a, st, &err);
    }
    free(bundle);
}
