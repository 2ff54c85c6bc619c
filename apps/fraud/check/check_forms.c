/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check_forms.c - see check_forms.h. All forms are tried on all values; the first one that fits is
 * proposed, and the first one after it that means something else is the doubt. */
#include "check/check_forms.h"

#include "payment/decimal.h"
#include "payment/message_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define YEAR_1990_MS INT64_C(631152000000)
#define YEAR_2100_MS INT64_C(4102444800000)
#define TWO_DAYS_MS  INT64_C(172800000)

enum { ZONE_NAME_BYTES = 8 };

/* One form of times, and how it reads one value. */
typedef struct {
    fraud_time_style style;
    bool dates;
    int64_t latest_ms;
} form_of_time;

static void form_name(const form_of_time *f, char out[CHECK_FORM_BYTES])
{
    snprintf(out, CHECK_FORM_BYTES, "%s",
             f->style.form == FRAUD_TIME_PATTERN ? f->style.pattern
                                                 : fraud_time_form_name(f->style.form));
}

static bool form_text(const check_values *v, size_t i, const form_of_time *f,
                      char out[FRAUD_TIME_TEXT_BYTES])
{
    return v->clock ? fraud_time_join(v->value[i], v->clock[i], &f->style, out)
                    : fraud_time_text(v->value[i], out);
}

static bool form_reads(const form_of_time *f, const char *text, int64_t *ms, bool *zone)
{
    *zone = true;
    bool good = f->style.form < FRAUD_TIME_ISO ? fraud_time_number(text, f->style.form, ms)
                                               : fraud_time_read(&f->style, text, ms, zone);
    return good && *ms >= YEAR_1990_MS && *ms <= f->latest_ms;
}

/* Whether the form reads all values, and there is one. */
static bool form_reads_all(const form_of_time *f, const check_values *v)
{
    char text[FRAUD_TIME_TEXT_BYTES];
    size_t n = 0;
    int64_t ms;
    bool zone;
    for (size_t i = 0; i < v->n; i++) {
        if (!v->value[i]) continue;
        if (!form_text(v, i, f, text) || !form_reads(f, text, &ms, &zone)) return false;
        n++;
    }
    return n > 0;
}

/* The first value that two forms read otherwise, into doubt; false: there is none. */
static bool forms_differ(const form_of_time *a, const form_of_time *b, const check_values *v,
                         char doubt[CHECK_FORM_BYTES])
{
    char text[FRAUD_TIME_TEXT_BYTES];
    int64_t x, y;
    bool zone;
    for (size_t i = 0; i < v->n; i++) {
        if (!v->value[i] || !form_text(v, i, a, text)) continue;
        if (form_reads(a, text, &x, &zone) && form_reads(b, text, &y, &zone) && x == y) continue;
        snprintf(doubt, CHECK_FORM_BYTES, "%.47s", text);
        return true;
    }
    return false;
}

static void form_zones(const form_of_time *f, const check_values *v, check_form *out)
{
    char text[FRAUD_TIME_TEXT_BYTES];
    int64_t ms;
    bool zone;
    out->zone = true;
    for (size_t i = 0; i < v->n; i++) {
        if (!v->value[i] || !form_text(v, i, f, text) || !form_reads(f, text, &ms, &zone)) continue;
        out->zone = out->zone && zone;
        out->zones = out->zones || zone;
    }
}

/* Forms in the order in which they are proposed. */
static const char *const days[] = {
    "%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y",  "%m/%d/%Y",     "%Y/%m/%d",   "%d-%m-%Y",
    "%m-%d-%Y", "%Y%m%d",   "%d%m%Y",    "%m%d%Y",       "%d.%m.%y",   "%d/%m/%y",
    "%m/%d/%y", "%d-%m-%y", "%m-%d-%y",  "%y%m%d",       "%d%m%y",     "%d-%b-%Y",
    "%d-%b-%y", "%d %b %Y", "%b %d, %Y", "%a, %d %b %Y", "%d. %b. %Y", "%d/%b/%Y"};
static const char *const clocks[] = {"",          " %H:%M:%S", " %H:%M", "T%H:%M:%S",
                                     "%H%M%S",    " %H.%M.%S", " %H.%M", " %I:%M:%S %p",
                                     " %I:%M %p", "T%H%M%S",   " %Hh%M", ", %H:%M:%S",
                                     ", %H:%M"};

typedef struct {
    const check_values *v;
    check_form *out;
    form_of_time first;
    char pattern[CHECK_FORM_BYTES]; /* of first */
    bool *read;                     /* [v->n]: only marks what some form reads; NULL: searches */
} search;

static void search_mark(search *s, const form_of_time *f)
{
    char text[FRAUD_TIME_TEXT_BYTES];
    int64_t ms;
    bool zone;
    for (size_t i = 0; i < s->v->n; i++)
        s->read[i] = s->read[i] || (s->v->value[i] && form_text(s->v, i, f, text) &&
                                    form_reads(f, text, &ms, &zone));
}

/* Notes the form as the first one that fits, or as the first that means something else. */
static void search_try(search *s, const form_of_time *f)
{
    if (s->read) {
        search_mark(s, f);
        return;
    }
    if (*s->out->other || !form_reads_all(f, s->v)) return;
    if (!*s->out->form) {
        form_name(f, s->out->form);
        s->out->dates = f->dates;
        s->first = *f;
        if (f->style.pattern) {
            snprintf(s->pattern, sizeof s->pattern, "%s", f->style.pattern);
            s->first.style.pattern = s->pattern;
        }
        form_zones(f, s->v, s->out);
    } else if (forms_differ(&s->first, f, s->v, s->out->doubt)) {
        form_name(f, s->out->other);
    }
}

/* A name such as CET with a blank before it, which ends all values: it stands in the pattern as it
 * is, and the row zone says what it means. "" where there is none, or one that tells an offset. */
static void values_zone_name(const check_values *v, char name[ZONE_NAME_BYTES])
{
    char text[FRAUD_TIME_TEXT_BYTES];
    int offset;
    *name = 0;
    for (size_t i = 0; i < v->n; i++) {
        if (!v->value[i]) continue;
        const char *end = fraud_time_text(v->value[i], text) ? strrchr(text, ' ') : NULL;
        size_t len = end ? strspn(end + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") : 0;
        bool fits = len >= 3 && len <= 5 && !end[1 + len] && !fraud_time_zone(end + 1, &offset) &&
                    (!*name || !strcmp(name, end));
        snprintf(name, ZONE_NAME_BYTES, "%s", fits ? end : "");
        if (!fits) return;
    }
}

static bool values_are_whole(const check_values *v)
{
    char text[FRAUD_TIME_TEXT_BYTES];
    for (size_t i = 0; i < v->n; i++)
        if (v->value[i] && fraud_time_text(v->value[i], text) && strpbrk(text, ".,")) return false;
    return true;
}

static void search_forms(search *s, int64_t latest_ms)
{
    form_of_time f = {.style.form = FRAUD_TIME_ISO, .latest_ms = latest_ms};
    char pattern[CHECK_FORM_BYTES], name[ZONE_NAME_BYTES];
    values_zone_name(s->v, name);
    search_try(s, &f);
    for (int unit = FRAUD_TIME_MS; unit < FRAUD_TIME_ISO && !s->v->clock; unit++) {
        f.style.form = (fraud_time_form)unit;
        search_try(s, &f);
    }
    f.style.form = FRAUD_TIME_EXCEL;
    f.dates = values_are_whole(s->v);
    if (!s->v->clock) search_try(s, &f);
    f.style = (fraud_time_style){.form = FRAUD_TIME_PATTERN, .pattern = pattern};
    for (size_t d = 0; d < R1_COUNT(days); d++)
        for (size_t c = s->v->clock != NULL; c < R1_COUNT(clocks); c++) {
            snprintf(pattern, sizeof pattern, "%s%s%s", days[d], clocks[c], name);
            f.dates = !c;
            search_try(s, &f);
        }
}

void check_time_form(const check_values *v, check_form *out)
{
    search s = {.v = v, .out = out};
    memset(out, 0, sizeof *out);
    search_forms(&s, r1_time_us() / 1000 + TWO_DAYS_MS);
    if (!*out->form) search_forms(&s, YEAR_2100_MS);
}

/* ---- most values ---- */

/* The values without those that no form reads, into kept[v->n]; false: none is odd, or too many
 * are. */
static bool values_keep(const check_values *v, const bool *read, const json_t **kept,
                        check_form *out)
{
    enum { ODD_SHARE = 10 };
    size_t n = 0, n_odd = 0;
    const json_t *odd = NULL;
    for (size_t i = 0; i < v->n; i++) {
        kept[i] = read[i] ? v->value[i] : NULL;
        n += v->value[i] != NULL;
        n_odd += v->value[i] && !read[i];
        if (!odd && v->value[i] && !read[i]) odd = v->value[i];
    }
    if (!n_odd || n_odd * ODD_SHARE > n) return false;
    const char *text = json_string_value(odd);
    out->n_odd = n_odd;
    snprintf(out->odd, sizeof out->odd, "%.47s", text ? text : "a number");
    return true;
}

typedef void (*form_of_values)(const check_values *v, check_form *out);
typedef void (*values_mark)(const check_values *v, bool *read);

static void form_of_most(const check_values *v, form_of_values form_of, values_mark mark,
                         check_form *out)
{
    form_of(v, out);
    if (*out->form || !v->n) return;
    check_form most = {0};
    bool *read = calloc(v->n, sizeof *read);
    const json_t **kept = calloc(v->n, sizeof *kept);
    if (read && kept) mark(v, read);
    if (read && kept && values_keep(v, read, kept, &most)) {
        const check_values rest = {kept, v->clock, v->n};
        form_of(&rest, out);
        out->n_odd = most.n_odd;
        memcpy(out->odd, most.odd, sizeof out->odd);
    }
    free(read);
    free(kept);
}

static void times_mark(const check_values *v, bool *read)
{
    check_form none = {0};
    search s = {.v = v, .out = &none, .read = read};
    search_forms(&s, YEAR_2100_MS);
}

void check_time_form_of_most(const check_values *v, check_form *out)
{
    form_of_most(v, check_time_form, times_mark, out);
}

bool check_is_clock(const check_values *v)
{
    json_t *day = json_string("2020-02-02");
    bool found = false;
    for (size_t c = 1; c < R1_COUNT(clocks) && day && !found; c++) {
        char pattern[CHECK_FORM_BYTES];
        snprintf(pattern, sizeof pattern, "%%Y-%%m-%%d%s", clocks[c]);
        form_of_time f = {.style = {.form = FRAUD_TIME_PATTERN, .pattern = pattern},
                          .latest_ms = YEAR_2100_MS};
        size_t n = 0, good = 0;
        for (size_t i = 0; i < v->n; i++) {
            char text[FRAUD_TIME_TEXT_BYTES];
            int64_t ms;
            bool zone;
            if (!v->value[i]) continue;
            n++;
            good += fraud_time_join(day, v->value[i], &f.style, text) &&
                    form_reads(&f, text, &ms, &zone);
        }
        found = n && n == good;
    }
    json_decref(day);
    return found;
}

/* ---- numbers ---- */

/* Ten thousandths, which no currency is finer than. */
static bool number_reads(const fraud_number_form *f, const char *text, int64_t *out)
{
    char buf[FRAUD_NUMBER_BYTES];
    const char *plain = fraud_number_plain(f, text, buf);
    return plain && fraud_decimal_read(plain, 4, out) == FRAUD_DECIMAL_GOOD;
}

static const char *amount_text(const json_t *v)
{
    char buf[32];
    return fraud_json_number(v, buf) ? NULL : json_string_value(v);
}

static bool number_fits(const fraud_number_form *f, const check_values *v)
{
    int64_t x;
    for (size_t i = 0; i < v->n; i++) {
        const char *text = amount_text(v->value[i]);
        if (text && !number_reads(f, text, &x)) return false;
    }
    return true;
}

static bool numbers_differ(const fraud_number_form *a, const fraud_number_form *b,
                           const check_values *v, char doubt[CHECK_FORM_BYTES])
{
    int64_t x = 0, y = 0;
    for (size_t i = 0; i < v->n; i++) {
        const char *text = amount_text(v->value[i]);
        if (!text || (number_reads(a, text, &x) && number_reads(b, text, &y) && x == y)) continue;
        snprintf(doubt, CHECK_FORM_BYTES, "%.47s", text);
        return true;
    }
    return false;
}

void check_number_form(const check_values *v, check_form *out)
{
    const fraud_number_form *first = NULL;
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < FRAUD_N_NUMBER_FORM && !*out->other; i++) {
        const fraud_number_form *f = &fraud_number_forms[i];
        if (!number_fits(f, v)) continue;
        if (!first) {
            first = f;
            snprintf(out->form, sizeof out->form, "%s", f->example);
        } else if (numbers_differ(first, f, v, out->doubt)) {
            snprintf(out->other, sizeof out->other, "%s", f->example);
        }
    }
}

static void numbers_mark(const check_values *v, bool *read)
{
    int64_t x;
    for (size_t i = 0; i < v->n; i++) {
        const char *text = amount_text(v->value[i]);
        read[i] = v->value[i] && !text;
        for (size_t k = 0; text && k < FRAUD_N_NUMBER_FORM; k++)
            read[i] = read[i] || number_reads(&fraud_number_forms[k], text, &x);
    }
}

void check_number_form_of_most(const check_values *v, check_form *out)
{
    form_of_most(v, check_number_form, numbers_mark, out);
}
