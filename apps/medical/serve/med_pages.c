/* SPDX-License-Identifier: Apache-2.0 */
/* med_pages.c - records, findings and terms over HTTP: what was sent to the service, and its report
 * in the form that the client accepts. */
#include "print/med_put.h"
#include "report/med_interchange.h"
#include "serve/med_asked.h"
#include "serve/med_port_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- answers ---- */

void med_answer_text(r1_http_answer *a, int status, const char *type, char *text, size_t len)
{
    if (!text) return; /* 500 stands */
    a->status = status;
    a->type = type;
    a->body = text;
    a->body_len = len;
}

void med_answer_json(r1_http_answer *a, int status, json_t *o)
{
    char *text = o ? json_dumps(o, JSON_INDENT(1) | JSON_PRESERVE_ORDER) : NULL;
    json_decref(o);
    med_answer_text(a, status, "application/json", text, text ? strlen(text) : 0);
}

void med_answer_refused(r1_http_answer *a, int status, const char *why)
{
    med_answer_json(a, status, json_pack("{s:o}", "error", med_json_string(why)));
    a->retry_after_s = status == 503 || status == 429;
}

void med_answer_error(r1_http_answer *a, r1_status st, const r1_err *err)
{
    int status = st == R1_E_FORMAT || st == R1_E_INVAL  ? 422
                 : st == R1_E_AGAIN || st == R1_E_NOMEM ? 503
                                                        : 500;
    med_answer_refused(a, status, err->msg);
}

/* ---- Accept ---- */

static bool accept_covers(const char *range, size_t len, const char *type)
{
    const char *slash = strchr(type, '/');
    if (len == 3 && memcmp(range, "*/*", 3) == 0) return true;
    if (len == (size_t)(slash - type) + 2 && range[len - 1] == '*')
        return strncasecmp(range, type, len - 1) == 0;
    return strlen(type) == len && strncasecmp(range, type, len) == 0;
}

/* q of a range, "text/html;q=0.8"; 1 where it says none. */
static double accept_quality(const char *s, size_t len)
{
    for (size_t i = 0; i + 2 < len; i++)
        if (s[i] == ';') {
            size_t k = i + 1;
            while (k < len && s[k] == ' ') k++;
            if (k + 1 < len && (s[k] == 'q' || s[k] == 'Q') && s[k + 1] == '=')
                return strtod(s + k + 2, NULL);
        }
    return 1;
}

int med_accept(const char *accept, const char *const *type, int n)
{
    int best = -1;
    double quality = 0;
    if (!accept || !*accept) return 0;
    for (const char *s = accept; *s;) {
        size_t len = strcspn(s, ","), blank = strspn(s, " \t");
        if (blank < len) {
            size_t word = strcspn(s + blank, ",; \t");
            double q = accept_quality(s, len);
            for (int i = 0; i < n; i++)
                if (accept_covers(s + blank, word, type[i])) {
                    if (q > quality) best = i, quality = q;
                    break;
                }
        }
        s += len + (s[len] == ',');
    }
    return best;
}

/* ---- records and findings ---- */

static void page_json(const med_work *w, r1_http_answer *a, r1_err *err)
{
    json_t *report = NULL, *findings = NULL;
    char *text = NULL;
    r1_status st = med_report_json(w->report, true, &report, err);
    if (st == R1_OK && w->review.record) {
        st = med_review_write(&w->review, &text, err);
        if (st == R1_OK) findings = json_loads(text, 0, NULL);
    }
    free(text);
    if (st != R1_OK) {
        json_decref(report);
        med_answer_error(a, st, err);
        return;
    }
    json_t *o = json_pack("{s:o}", "report", report);
    if (o && findings && json_object_set_new(o, "findings", findings) != 0) {
        json_decref(o);
        o = NULL;
    }
    med_answer_json(a, 200, o);
}

static void page_html(const med_work *w, r1_http_answer *a, r1_err *err)
{
    char *text = NULL;
    r1_status st = med_report_html(w->report, &text, err);
    if (st != R1_OK) med_answer_error(a, st, err);
    if (st == R1_OK) med_answer_text(a, 200, "text/html; charset=utf-8", text, strlen(text));
}

static void page_plain(const med_work *w, r1_http_answer *a, r1_err *err)
{
    char *text = NULL;
    r1_status st = med_report_text(w->report, &text, err);
    if (st != R1_OK) med_answer_error(a, st, err);
    if (st == R1_OK) med_answer_text(a, 200, "text/plain; charset=utf-8", text, strlen(text));
}

static void page_pdf(const med_work *w, r1_http_answer *a, r1_err *err)
{
    char *bytes = NULL;
    size_t len = 0;
    r1_status st = med_report_pdf_bytes(w->report, &bytes, &len, err);
    if (st != R1_OK) med_answer_error(a, st, err);
    if (st == R1_OK) med_answer_text(a, 200, "application/pdf", bytes, len);
}

static const char fhir_type[] = "application/fhir+json",
                  packet_type[] = "application/vnd.ga4gh.phenopacket+json";

static void page_interchange(r1_status st, json_t *j, const char *type, r1_http_answer *a,
                             const r1_err *err)
{
    if (st != R1_OK) {
        med_answer_error(a, st, err);
        return;
    }
    med_answer_json(a, 200, j);
    if (a->body) a->type = type;
}

static void page_fhir(const med_work *w, r1_http_answer *a, r1_err *err)
{
    json_t *j = NULL;
    r1_status st = med_report_fhir(w->report, w->made, &j, err);
    page_interchange(st, j, fhir_type, a, err);
}

static void page_phenopacket(const med_work *w, r1_http_answer *a, r1_err *err)
{
    json_t *j = NULL;
    r1_status st = med_report_phenopacket(w->report, w->made, &j, err);
    page_interchange(st, j, packet_type, a, err);
}

static const char *const form_type[] = {"application/json", "text/html", "application/pdf",
                                        "text/plain",       fhir_type,   packet_type};
static void (*const form_page[])(const med_work *w, r1_http_answer *a, r1_err *err) = {
    page_json, page_html, page_pdf, page_plain, page_fhir, page_phenopacket};

/* The form that Accept asks for; below 0 it is answered. */
static int page_form(const r1_http_request *q, r1_http_answer *a)
{
    int form = med_accept(r1_http_header(q, "Accept"), form_type, R1_COUNT(form_type));
    if (form < 0)
        med_answer_refused(a, 406,
                           "Accept: expected application/json, text/html, application/pdf, "
                           "text/plain, application/fhir+json or "
                           "application/vnd.ga4gh.phenopacket+json");
    return form;
}

/* A body that is none, or no JSON where it must be, is refused before a judge is asked for. */
static bool page_body(const r1_http_request *q, bool json, r1_http_answer *a)
{
    char why[200] = "the body: expected a record, found nothing";
    json_error_t fault = {.line = 1};
    if (q->body_len && !json) return true;
    json_t *o = q->body_len ? json_loadb(q->body, q->body_len, JSON_DECODE_ANY, &fault) : NULL;
    json_decref(o);
    if (o) return true;
    if (q->body_len)
        snprintf(why, sizeof why,
                 "the body: line %d, column %d: expected JSON, found a fault: %.80s", fault.line,
                 fault.column, fault.text);
    med_answer_refused(a, 400, why);
    return false;
}

/* reviewed: the body must be a file of findings. */
static void page_work(struct med_port *p, const r1_http_request *q, bool reviewed,
                      r1_http_answer *a)
{
    med_lease lease;
    med_work w = {.document = {.age_years = NAN}, .review = {.age_years = NAN}};
    r1_err err = {0};
    int form = page_form(q, a);
    if (form < 0 || !page_body(q, reviewed, a)) return;
    r1_status st = med_service_lease(p->o.service, p->o.wait_ms, &lease, &err);
    if (st != R1_OK) {
        med_answer_error(a, st, &err);
        return;
    }
    st = med_work_do(&w, &lease, "record", q->body, q->body_len, &err);
    if (st == R1_OK && reviewed && w.document.kind != MED_DOCUMENT_REVIEW)
        st = r1_err_set(&err, R1_E_FORMAT, __FILE__, __LINE__,
                        "expected a file of findings (format \"" MED_REVIEW_FORMAT
                        "\"), found a %s: POST it to /v1/records",
                        med_document_name[w.document.kind]);
    if (st == R1_OK)
        form_page[form](&w, a, &err);
    else
        med_answer_error(a, st, &err);
    med_work_free(&w);
    med_service_return(p->o.service, &lease);
}

void med_page_records(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    page_work(ctx, q, false, a);
}

void med_page_findings(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    page_work(ctx, q, true, a);
}

/* ---- a record with what is known beside it ---- */

static void report_answer(struct med_port *p, med_asked *asked, int form, r1_http_answer *a)
{
    med_lease lease;
    med_work w = {.document = {.age_years = NAN}, .review = {.age_years = NAN}};
    r1_err err = {0};
    r1_status st = med_service_lease(p->o.service, p->o.wait_ms, &lease, &err);
    if (st != R1_OK) {
        med_answer_error(a, st, &err);
        return;
    }
    if (asked->has_genes) med_genes_check(&asked->genes, lease.kb);
    const med_given given = {.genes = asked->has_genes ? &asked->genes : NULL,
                             .sex = asked->sex,
                             .age_years = asked->age_years,
                             .listed = asked->listed};
    st = med_work_with(&w, &lease, "record", asked->record, asked->len, &given, &err);
    if (st == R1_OK)
        form_page[form](&w, a, &err);
    else if (st == R1_E_FORMAT || st == R1_E_INVAL)
        med_answer_refused(a, 400, err.msg);
    else
        med_answer_error(a, st, &err);
    med_work_free(&w);
    med_service_return(p->o.service, &lease);
}

void med_page_report(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    med_asked asked;
    r1_err err = {0};
    int form = page_form(q, a);
    if (form < 0) return;
    r1_status st = med_asked_read(&asked, q->body, q->body_len, &err);
    if (st == R1_OK)
        report_answer(ctx, &asked, form, a);
    else if (st == R1_E_FORMAT || st == R1_E_INVAL)
        med_answer_refused(a, 400, err.msg);
    else
        med_answer_error(a, st, &err);
    med_asked_free(&asked);
}

/* ---- terms ---- */

void med_page_terms(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    struct med_port *p = ctx;
    const char *words = r1_http_argument(q, "q"), *most = r1_http_argument(q, "n");
    char *end = NULL;
    unsigned long max = most ? strtoul(most, &end, 10) : 20;
    if (!words || strlen(words) > MED_QUERY_BYTES_MAX || (end && *end) || max < 1 ||
        max > MED_HITS_SHOWN_MAX) {
        med_answer_refused(a, 400, "expected q, words of at most 200 bytes, and n, 1 to 50");
        return;
    }
    med_name_hit hit[MED_HITS_SHOWN_MAX];
    med_lease l;
    med_service_look(p->o.service, &l);
    uint32_t n = med_names_search(l.names, words, strlen(words), hit, (uint32_t)max);
    json_t *list = json_array();
    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(
            list, json_pack("{s:o, s:o, s:o, s:b}", "id",
                            med_json_string(med_str(l.kb, l.kb->term[hit[i].term].id)), "name",
                            med_json_string(med_str(l.kb, l.kb->term[hit[i].term].name)), "match",
                            med_json_string(hit[i].text), "label", (int)hit[i].label));
    med_service_return(p->o.service, &l);
    med_answer_json(a, 200, json_pack("{s:o}", "terms", list));
}
