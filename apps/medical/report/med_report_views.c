/* SPDX-License-Identifier: Apache-2.0 */
/* med_report_views.c - the report as plain text and as one self-contained HTML page that prints
 * well. Everything that comes from the record is escaped. */
#include "report/med_report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *report_views_str(const json_t *o, const char *k)
{
    const char *s = json_string_value(json_object_get(o, k));
    return s ? s : "";
}
static double report_views_num(const json_t *o, const char *k)
{
    return json_number_value(json_object_get(o, k));
}

static void report_views_esc(FILE *f, const char *s)
{
    for (; *s; s++) switch (*s) {
        case '<': fputs("&lt;", f); break;
        case '>': fputs("&gt;", f); break;
        case '&': fputs("&amp;", f); break;
        case '"': fputs("&quot;", f); break;
        case '\n':
        case '\r': fputc(' ', f); break;
        default:
            if ((unsigned char)*s >= 32 || *s == '\t') fputc(*s, f);
        }
}

static void report_views_flat(FILE *f, const char *s)
{
    for (; *s; s++) fputc(*s == '\n' || *s == '\r' ? ' ' : *s, f);
}

static void text_findings(FILE *f, const char *head, const json_t *list)
{
    size_t i;
    json_t *o;
    fprintf(f, "\n%s (%zu)\n", head, json_array_size(list));
    json_array_foreach(list, i, o)
    {
        const json_t *e = json_object_get(o, "evidence");
        fprintf(f, "  %s %s%s\n      \"", report_views_str(o, "id"), report_views_str(o, "name"),
                json_is_true(json_object_get(o, "pinned")) ? "  [pinned]" : "");
        report_views_flat(f, report_views_str(e, "sentence"));
        fprintf(f, "\" (%s, bytes %d-%d, %s)\n", report_views_str(e, "section"),
                (int)report_views_num(e, "start"), (int)report_views_num(e, "end"),
                report_views_str(e, "status"));
        const json_t *w = json_object_get(o, "without");
        if (w)
            fprintf(f,
                    "      pinned with weight %.1f; without it the first candidate's probability "
                    "changes by %+.1f points\n",
                    report_views_num(o, "weight"), 100 * report_views_num(w, "change"));
    }
}

char *med_report_text(const json_t *r)
{
    char *out = NULL;
    size_t n = 0, i, j;
    FILE *f = open_memstream(&out, &n);
    if (!f) return NULL;
    json_t *c, *x;
    fprintf(f, "R1 MEDICAL REPORT: %s\n%s\n", report_views_str(r, "title"),
            report_views_str(r, "banner"));
    fprintf(f, "Sex %s, %d words read, knowledge base %s, ranked by %s\n",
            report_views_str(r, "sex"), (int)report_views_num(r, "words"),
            report_views_str(r, "knowledge_base"), report_views_str(r, "ranked_by"));
    fprintf(f, "\n%s\n",
            json_is_true(json_object_get(r, "confident")) ? "CANDIDATES"
                                                          : "NO CONFIDENT CANDIDATE. Nearest:");
    json_array_foreach(json_object_get(r, "candidates"), i, c)
    {
        fprintf(f, "  %2d. %5.1f %%  %s (%s)\n", (int)report_views_num(c, "rank"),
                100 * report_views_num(c, "probability"), report_views_str(c, "name"),
                report_views_str(c, "id"));
        if (i < 3)
            json_array_foreach(json_object_get(c, "contributions"), j, x)
                fprintf(f, "        %+6.2f  %s (%s)\n", report_views_num(x, "log_lr"),
                        report_views_str(x, "name"), report_views_str(x, "match"));
    }
    fprintf(f, "  None of these: %.1f %%\n", 100 * report_views_num(r, "none_of_these"));
    text_findings(f, "OBSERVED", json_object_get(r, "observed"));
    text_findings(f, "EXCLUDED", json_object_get(r, "excluded"));
    text_findings(f, "MENTIONED OTHERWISE (family, hypothetical, uncertain)",
                  json_object_get(r, "other_mentions"));
    fprintf(f, "\nSOURCES\n");
    json_array_foreach(json_object_get(r, "sources"), i, c)
        fprintf(f, "  %s, %s. %s\n", report_views_str(c, "name"), report_views_str(c, "version"),
                report_views_str(c, "licence"));
    fclose(f);
    return out;
}

static const char style[] =
    "body{font:15px/1.5 system-ui,sans-serif;color:#1b2733;max-width:60rem;margin:2rem "
    "auto;padding:0 1.2rem}"
    "h1{font-size:1.6rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .6rem;border-bottom:2px solid "
    "#0b6e75;padding-bottom:.2rem}"
    ".banner{background:#fff4d6;border-left:4px solid #c98a00;padding:.5rem .8rem;margin:1rem "
    "0}.meta{color:#5a6b7b}"
    ".card{border:1px solid #d5dee6;border-radius:8px;padding:.8rem 1rem;margin:.7rem "
    "0;break-inside:avoid}"
    ".p{float:right;font-weight:700;color:#0b6e75;font-size:1.1rem}.bar{background:#e5ecf1;height:"
    "6px;border-radius:"
    "3px;margin:.4rem 0}"
    ".bar "
    "i{display:block;height:6px;border-radius:3px;background:#0b6e75}table{border-collapse:"
    "collapse;width:100%}"
    "td,th{text-align:left;padding:.25rem .5rem;border-bottom:1px solid "
    "#e5ecf1;vertical-align:top}th{color:#5a6b7b;font-weight:600}"
    ".for{color:#1c5fa8}.against{color:#b3261e}.id{color:#5a6b7b;font-size:.85em}mark{background:#"
    "cdeff0}.pin{"
    "background:#0b6e75;"
    "color:#fff;border-radius:3px;padding:0 .35rem;font-size:.75em}@media "
    "print{body{margin:0;max-width:none;font-size:11px}}";

static void html_quote(FILE *f, const json_t *e)
{
    const char *s = report_views_str(e, "sentence");
    size_t len = strlen(s),
           a = (size_t)(report_views_num(e, "start") - report_views_num(e, "sentence_start")),
           b = a + strlen(report_views_str(e, "text"));
    if (a > len || b > len) a = b = 0;
    char *part = malloc(len + 1);
    if (!part) return;
    const size_t cut[] = {0, a, b, len};
    for (int i = 0; i < 3; i++) {
        memcpy(part, s + cut[i], cut[i + 1] - cut[i]);
        part[cut[i + 1] - cut[i]] = '\0';
        if (i == 1) fputs("<mark>", f);
        report_views_esc(f, part);
        if (i == 1) fputs("</mark>", f);
    }
    free(part);
}

static void html_findings(FILE *f, const char *head, const json_t *list)
{
    size_t i;
    json_t *o;
    fprintf(f,
            "<h2>%s</h2><table><tr><th>Finding</th><th>In the record</th><th>Section, "
            "status</th><th>Without it</th></tr>",
            head);
    json_array_foreach(list, i, o)
    {
        const json_t *e = json_object_get(o, "evidence"), *w = json_object_get(o, "without");
        fputs("<tr><td>", f);
        report_views_esc(f, report_views_str(o, "name"));
        fprintf(f, " <span class=id>%s</span>", report_views_str(o, "id"));
        if (json_is_true(json_object_get(o, "pinned")))
            fprintf(f, " <span class=pin>anchor, weight %.1f</span>",
                    report_views_num(o, "weight"));
        fprintf(f, "</td><td>");
        html_quote(f, e);
        fprintf(f, "</td><td>%s, %s</td><td>", report_views_str(e, "section"),
                report_views_str(e, "status"));
        if (w) fprintf(f, "%+.1f points", 100 * report_views_num(w, "change"));
        fputs("</td></tr>", f);
    }
    fputs("</table>", f);
}

static void html_candidate(FILE *f, const json_t *c)
{
    size_t j;
    json_t *x;
    fprintf(f, "<div class=card><span class=p>%.1f %%</span><b>%d. ",
            100 * report_views_num(c, "probability"), (int)report_views_num(c, "rank"));
    report_views_esc(f, report_views_str(c, "name"));
    fprintf(f, "</b> <span class=id>%s", report_views_str(c, "id"));
    json_array_foreach(json_object_get(c, "genes"), j, x) fprintf(f, " %s", json_string_value(x));
    fprintf(f, "</span><div class=bar><i style=\"width:%.1f%%\"></i></div><table>",
            100 * report_views_num(c, "probability"));
    json_array_foreach(json_object_get(c, "contributions"), j, x)
    {
        double lr = report_views_num(x, "log_lr");
        fputs("<tr><td>", f);
        report_views_esc(f, report_views_str(x, "name"));
        fprintf(f, "</td><td>%s", report_views_str(x, "match"));
        if (report_views_str(x, "matched")[0]) fputs(" with ", f);
        report_views_esc(f, report_views_str(x, "matched"));
        fprintf(f, "</td><td class=%s>%+.2f</td></tr>", lr >= 0 ? "for" : "against", lr);
    }
    fputs("</table>", f);
    if (json_array_size(json_object_get(c, "typical_not_reported"))) {
        fputs("<p class=meta>Typical, not reported (ask next): ", f);
        json_array_foreach(json_object_get(c, "typical_not_reported"), j, x)
        {
            report_views_esc(f, report_views_str(x, "name"));
            fprintf(f, " (%.0f %%)%s", 100 * report_views_num(x, "frequency"),
                    j + 1 < json_array_size(json_object_get(c, "typical_not_reported")) ? ", "
                                                                                        : "");
        }
        fputs("</p>", f);
    }
    fputs("</div>", f);
}

char *med_report_html(const json_t *r)
{
    char *out = NULL;
    size_t n = 0, i;
    FILE *f = open_memstream(&out, &n);
    if (!f) return NULL;
    json_t *c;
    fprintf(f,
            "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>R1 medical "
            "report</title><style>%s</style></head><body><h1>",
            style);
    report_views_esc(f, report_views_str(r, "title"));
    fprintf(f, "</h1><p class=meta>Sex %s", report_views_str(r, "sex"));
    if (json_object_get(r, "age_years"))
        fprintf(f, ", age %.1f years", report_views_num(r, "age_years"));
    fprintf(f, ", %d words read, knowledge base %s, ranked by ", (int)report_views_num(r, "words"),
            report_views_str(r, "knowledge_base"));
    report_views_esc(f, report_views_str(r, "ranked_by"));
    fprintf(f, "</p><p class=banner>%s</p><h2>%s</h2>", report_views_str(r, "banner"),
            json_is_true(json_object_get(r, "confident"))
                ? "Candidates"
                : "No confident candidate; the nearest are");
    json_array_foreach(json_object_get(r, "candidates"), i, c) html_candidate(f, c);
    fprintf(f, "<p>None of these: %.1f %%</p>", 100 * report_views_num(r, "none_of_these"));
    html_findings(f, "Observed findings", json_object_get(r, "observed"));
    html_findings(f, "Excluded findings", json_object_get(r, "excluded"));
    html_findings(f, "Mentioned otherwise", json_object_get(r, "other_mentions"));
    fputs("<h2>Sources</h2><ul>", f);
    json_array_foreach(json_object_get(r, "sources"), i, c)
    {
        fputs("<li>", f);
        report_views_esc(f, report_views_str(c, "name"));
        fputs(", ", f);
        report_views_esc(f, report_views_str(c, "version"));
        fputs(". ", f);
        report_views_esc(f, report_views_str(c, "licence"));
        fputs("</li>", f);
    }
    fputs("</ul></body></html>\n", f);
    fclose(f);
    return out;
}
