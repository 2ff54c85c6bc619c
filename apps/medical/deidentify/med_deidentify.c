/* SPDX-License-Identifier: Apache-2.0 */
/* med_deidentify.c - see med_deidentify.h. */
#include "deidentify/med_deidentify.h"

#include "deidentify/med_dates.h"
#include "med_data.h"
#include "r1_assert.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WORD_BYTES = 64,
    WORDS_SLOTS = 1 << 16,
    SPREAD_SLOTS = 1 << 12,
    SHIFTS = 104, /* whole weeks, up to a year to either side: a weekday stays true */
    AGE_CAP = 90,
    WRAPPED_BYTES = 64, /* a line of so many goes on in the next one, where nothing ends it */
    BODY_KEPT = 1,      /* a byte of an eponym */
    BODY_FINDING = 2,   /* a byte of a finding */
    BODY_TAKEN = 4      /* a byte of an identifier */
};

/* ---- words ---- */

/* Folded words as hashes of 64 bits; full sets refuse. */
typedef struct {
    uint64_t *slot;
    uint32_t n, cap; /* cap: a power of two */
} deid_words;

static r1_status deid_words_new(deid_words *s, uint32_t cap, r1_err *err)
{
    *s = (deid_words){calloc(cap, sizeof *s->slot), 0, cap};
    if (!s->slot) R1_FAIL(err, R1_E_NOMEM, "no memory for words");
    return R1_OK;
}

static uint64_t deid_word_hash(const char *s, size_t len)
{
    char folded[WORD_BYTES];
    size_t n = med_lexicon_fold(s, len, folded, sizeof folded);
    uint64_t h = n ? r1_hash64(folded, strlen(folded), 3) : 0;
    return h ? h : 1;
}

static bool deid_words_have(const deid_words *s, uint64_t hash)
{
    for (uint32_t i = (uint32_t)hash & (s->cap - 1); s->slot[i]; i = (i + 1) & (s->cap - 1))
        if (s->slot[i] == hash) return true;
    return false;
}

/* Beyond three quarters a set takes no more; true: it is in. */
static bool deid_words_add(deid_words *s, uint64_t hash)
{
    if (deid_words_have(s, hash)) return true;
    if (s->n >= s->cap / 4 * 3) return false;
    uint32_t i = (uint32_t)hash & (s->cap - 1);
    while (s->slot[i]) i = (i + 1) & (s->cap - 1);
    s->slot[i] = hash;
    s->n++;
    return true;
}

/* Bytes of the letters that begin at s; an apostrophe or a hyphen ends them. */
static size_t deid_word_len(const char *s, size_t len)
{
    size_t n = 0;
    while (n < len && (isalpha((unsigned char)s[n]) || (unsigned char)s[n] >= 0x80) &&
           memcmp(s + n, "\xe2\x80\x99", len - n < 3 ? len - n : 3) != 0 &&
           memcmp(s + n, "\xe2\x80\x93", len - n < 3 ? len - n : 3) != 0)
        n++;
    return n;
}

/* Calls for each word of s: fn(ctx, start, length). */
typedef void (*deid_word_fn)(void *ctx, const char *s, size_t at, size_t len);
static void deid_words_each(const char *s, size_t len, deid_word_fn fn, void *ctx)
{
    for (size_t at = 0; at < len;) {
        size_t n = deid_word_len(s + at, len - at);
        if (n) fn(ctx, s, at, n);
        at += n ? n : 1;
    }
}

/* ---- the vocabulary ---- */

struct med_deidentifier {
    med_identifiers *patterns;
    const med_lexicon *lex;
    const med_kb *kb;
    deid_words capitals; /* data/capitals.txt */
    deid_words ordinary; /* ordinary words, and first words of diseases' names */
    deid_words eponyms; /* data/eponyms.txt, and other words of those names with a capital letter */
};

static void capital_add(void *ctx, const char *s, size_t at, size_t len)
{
    deid_words *set = ctx;
    deid_words_add(set, deid_word_hash(s + at, len));
}

static void disease_add(void *ctx, const char *s, size_t at, size_t len)
{
    static const char *const behind[] = {"syndrome", "disease", "-"};
    med_deidentifier *d = ctx;
    const char *next = s + at + len + (s[at + len] == ' ');
    bool eponym = at > 0;
    for (size_t i = 0; i < R1_COUNT(behind); i++)
        eponym = eponym || strncmp(next, behind[i], strlen(behind[i])) == 0;
    if (len > 2 && (isupper((unsigned char)s[at]) || (unsigned char)s[at] >= 0x80))
        capital_add(eponym ? &d->eponyms : &d->ordinary, s, at, len);
}

static void deid_words_of_file(deid_words *set, const unsigned char *data, size_t len)
{
    const char *s = (const char *)data, *end = s + len;
    for (const char *nl; s < end; s = nl + 1) {
        nl = memchr(s, '\n', (size_t)(end - s));
        if (!nl) nl = end;
        if (*s != '#') deid_words_each(s, (size_t)(nl - s), capital_add, set);
    }
}

static void deidentifier_words(med_deidentifier *d)
{
    deid_words_of_file(&d->capitals, med_data_capitals, sizeof med_data_capitals);
    deid_words_of_file(&d->ordinary, med_data_ordinary, sizeof med_data_ordinary);
    deid_words_of_file(&d->eponyms, med_data_eponyms, sizeof med_data_eponyms);
    for (uint32_t i = 0; i < d->kb->n_disease; i++) {
        const char *name = med_str(d->kb, d->kb->disease[i].name);
        deid_words_each(name, strlen(name), disease_add, d);
    }
}

r1_status med_deidentifier_new(med_deidentifier **out, const med_lexicon *lex, const med_kb *kb,
                               r1_err *err)
{
    med_deidentifier *d = calloc(1, sizeof *d);
    if (!d) R1_FAIL(err, R1_E_NOMEM, "no memory to take identifiers out");
    d->lex = lex;
    d->kb = kb;
    r1_status st = med_identifiers_new(&d->patterns, err);
    if (st == R1_OK) st = deid_words_new(&d->capitals, WORDS_SLOTS, err);
    if (st == R1_OK) st = deid_words_new(&d->ordinary, WORDS_SLOTS, err);
    if (st == R1_OK) st = deid_words_new(&d->eponyms, WORDS_SLOTS, err);
    if (st == R1_OK) deidentifier_words(d);
    if (st == R1_OK)
        *out = d;
    else
        med_deidentifier_free(d);
    return st;
}

void med_deidentifier_free(med_deidentifier *d)
{
    if (!d) return;
    med_identifiers_free(d->patterns);
    free(d->capitals.slot);
    free(d->ordinary.slot);
    free(d->eponyms.slot);
    free(d);
}

/* ---- one text ---- */

typedef struct {
    med_identifier hit;
    uint32_t start, end;
} deid_span;
typedef struct {
    const med_deidentifier *d;
    const med_deidentify_opts *o;
    const char *text;
    size_t len;
    uint8_t *body;     /* [len] BODY_* */
    deid_words lower;  /* words that stand without a capital letter somewhere */
    deid_words spread; /* words of names */
    deid_span *span;
    uint32_t n, cap;
    int year;                   /* of the newest date */
    int day_first, month_first; /* dates that can be read in one way alone */
    bool first_is_month;
} deid_run;

/* Addresses of mail and pages are in lower case, whatever stands in them. */
static void lower_add(void *ctx, const char *s, size_t at, size_t len)
{
    deid_run *r = ctx;
    if (islower((unsigned char)s[at]) && !(r->body[at] & BODY_TAKEN))
        deid_words_add(&r->lower, deid_word_hash(s + at, len));
}

/* Whether a word is one of a vocabulary. eponyms: they count as words of one. */
static bool run_has_word(const deid_run *r, const char *s, size_t len, bool eponyms)
{
    uint8_t flags = 0;
    uint64_t hash = deid_word_hash(s, len);
    if (len > 1 && deid_words_have(&r->d->eponyms, hash)) return eponyms;
    return len < 2 || deid_words_have(&r->d->capitals, hash) ||
           deid_words_have(&r->d->ordinary, hash) ||
           med_lexicon_word(r->d->lex, s, len, &flags) != MED_WORD_UNKNOWN;
}

/* The same, where words that the text has in small letters somewhere are known too. */
static bool run_knows(const deid_run *r, const char *s, size_t len, bool eponyms)
{
    uint64_t hash = deid_word_hash(s, len);
    if (len > 1 && deid_words_have(&r->d->eponyms, hash)) return eponyms;
    return deid_words_have(&r->lower, hash) || run_has_word(r, s, len, eponyms);
}

static bool run_any(const deid_run *r, med_stretch s, uint8_t what)
{
    for (uint32_t i = s.start; i < s.end; i++)
        if (r->body[i] & what) return true;
    return false;
}

/* The part of a stretch that nobody took yet becomes a span: its longest one. */
static r1_status run_take(deid_run *r, const med_identifier *hit, r1_err *err)
{
    uint32_t start = hit->span.start, end = hit->span.end;
    while (start < end && (r->body[start] & BODY_TAKEN)) start++;
    while (end > start && (r->body[end - 1] & BODY_TAKEN)) end--;
    if (start == end || run_any(r, (med_stretch){start, end}, BODY_TAKEN)) return R1_OK;
    if (r->n == r->cap) {
        deid_span *grown = r1_realloc_array(r->span, r->cap * 2 + 64, sizeof *grown);
        if (!grown) R1_FAIL(err, R1_E_NOMEM, "no memory for identifiers");
        r->span = grown;
        r->cap = r->cap * 2 + 64;
    }
    for (uint32_t i = start; i < end; i++) r->body[i] |= BODY_TAKEN;
    r->span[r->n++] = (deid_span){*hit, start, end};
    return R1_OK;
}

/* ---- names ---- */

typedef struct {
    const deid_run *r;
    const med_identifier *hit;
    bool any, caps;  /* a word is in no vocabulary; the stretch is in capitals alone */
    size_t from, to; /* the words that may be a name */
} deid_name;

static bool all_capitals(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (islower((unsigned char)s[i])) return false;
    return true;
}

static void deid_name_word(void *ctx, const char *s, size_t at, size_t len)
{
    deid_name *n = ctx;
    uint64_t hash = deid_word_hash(s + at, len);
    bool small = n->hit->flags & MED_IDENTIFIER_SMALL;
    bool known = small ? run_has_word(n->r, s + at, len, true)
                 : n->hit->flags & MED_IDENTIFIER_PLACED
                     ? len < 2 || deid_words_have(&n->r->d->capitals, hash) ||
                           deid_words_have(&n->r->lower, hash)
                     : run_knows(n->r, s + at, len, !(n->hit->flags & MED_IDENTIFIER_EPONYM));
    bool cut = n->caps || small ? known : deid_words_have(&n->r->d->capitals, hash);
    n->any |= !known;
    if (cut || len < 2) return;
    if (n->from > at) n->from = at;
    n->to = at + len;
}

/* Cuts words of data/capitals.txt off both ends, and of dictated capitals words of any vocabulary;
 * false where all words are of one. What its place alone makes a name keeps its first word. */
static bool name_trim(const deid_run *r, const med_identifier *hit, med_stretch *s)
{
    const char *text = r->text + s->start;
    size_t len = s->end - s->start, first = deid_word_len(text, len);
    deid_name n = {.r = r, .hit = hit, .caps = all_capitals(text, len), .from = len};
    deid_words_each(text, len, deid_name_word, &n);
    if (hit->flags & MED_IDENTIFIER_UNKNOWN) {
        if (!n.any || n.from == len) return false;
        if (hit->flags & MED_IDENTIFIER_CLOSED) return true;
    } else {
        n.from = 0;
        if (n.to < first) n.to = first;
        while (n.to < len && (text[n.to] == '.' || isalnum((unsigned char)text[n.to]))) n.to++;
    }
    while (n.from > 0 && text[n.from - 1] != ' ') n.from--; /* "O'Neill" is one word */
    while (n.from > 1 && isupper((unsigned char)text[n.from - 2]) &&
           (n.from == 2 || text[n.from - 3] == ' '))
        n.from -= 2; /* "J F Neill" */
    *s = (med_stretch){s->start + (uint32_t)n.from, s->start + (uint32_t)(n.to ? n.to : len)};
    return true;
}

static void spread_add(void *ctx, const char *s, size_t at, size_t len)
{
    if (len > 2) deid_words_add(ctx, deid_word_hash(s + at, len));
}

/* Whether a word at that place begins a sentence or an item, so that its capital letter says
 * nothing. */
static bool begins_sentence(const char *text, uint32_t at)
{
    uint32_t i = at;
    while (i > 0 && (text[i - 1] == ' ' || text[i - 1] == '\t')) i--;
    if (i == 0) return true;
    if (text[i - 1] == '\n' || text[i - 1] == '\r') {
        while (i > 0 && isspace((unsigned char)text[i - 1])) i--;
        uint32_t end = i;
        while (i > 0 && text[i - 1] != '\n') i--;
        bool goes_on = end > 0 && (islower((unsigned char)text[end - 1]) || text[end - 1] == ',');
        return !goes_on || end - i < WRAPPED_BYTES;
    }
    if (text[i - 1] == '-' && i > 1 && isalnum((unsigned char)text[i - 2])) return false;
    return strchr(".!?:;|\"')]*>-", text[i - 1]) != NULL || (unsigned char)text[i - 1] >= 0x80;
}

static r1_status run_name(deid_run *r, const med_identifier *hit, r1_err *err)
{
    med_identifier name = *hit;
    if (!name_trim(r, hit, &name.span)) return R1_OK;
    if (hit->kind == MED_IDENTIFIER_PLACE) name.span = hit->span;
    bool guarded = hit->flags & MED_IDENTIFIER_GUARDED,
         unknown = hit->flags & MED_IDENTIFIER_UNKNOWN;
    if (guarded && all_capitals(r->text + name.span.start, name.span.end - name.span.start))
        return R1_OK; /* dictated: its letters say nothing */
    if ((guarded && run_any(r, name.span, BODY_FINDING)) ||
        (unknown && hit->kind == MED_IDENTIFIER_NAME && run_any(r, name.span, BODY_KEPT)))
        return R1_OK;
    if (hit->flags & MED_IDENTIFIER_SPREADS)
        deid_words_each(r->text + name.span.start, name.span.end - name.span.start, spread_add,
                        &r->spread);
    return run_take(r, &name, err);
}

/* Whether the next word, behind a blank or a comma, has a capital letter and is in no vocabulary:
 * two such words are names, wherever they stand. */
static bool name_goes_on(const deid_run *r, uint32_t end)
{
    uint32_t blank = end + (end < r->len && r->text[end] == ',');
    const char *s = r->text + blank + 1;
    size_t left = blank + 1 < r->len ? r->len - blank - 1 : 0, len = deid_word_len(s, left);
    return len > 1 && r->text[blank] == ' ' && isupper((unsigned char)*s) &&
           !all_capitals(s, len) && !run_knows(r, s, len, true);
}

/* Initials before a name are of it: "P. J. Smith". */
static uint32_t initials_before(const deid_run *r, uint32_t at)
{
    const char *t = r->text;
    for (uint32_t i = at; i > 1; at = i) {
        i -= t[i - 1] == ' ';
        if (i < 2 || t[--i] != '.') break;
        bool wide = (unsigned char)t[i - 1] >= 0x80;
        if (!wide && !isupper((unsigned char)t[i - 1])) break;
        do i--;
        while (i > 0 && ((unsigned char)t[i] & 0xc0) == 0x80);
        if (i > 0 && (isalnum((unsigned char)t[i - 1]) || (unsigned char)t[i - 1] >= 0x80)) break;
    }
    return at;
}

/* A word with a capital letter. */
static r1_status run_weak(deid_run *r, const med_identifier *hit, r1_err *err)
{
    med_identifier name = *hit;
    const char *s = r->text + hit->span.start;
    size_t len = hit->span.end - hit->span.start;
    if (run_any(r, hit->span, BODY_FINDING | BODY_KEPT | BODY_TAKEN)) return R1_OK;
    name.span.start = initials_before(r, hit->span.start);
    size_t skip = len > 4 && s[1] == '\''                            ? 2
                  : len > 6 && memcmp(s + 1, "\xe2\x80\x99", 3) == 0 ? 4
                                                                     : 0;
    bool small = islower((unsigned char)*s);
    bool known = small ? run_has_word(r, s, len, true)
                       : run_knows(r, s + skip, len - skip, true), /* "O'Neill" */
        begins = small || begins_sentence(r->text, name.span.start);
    bool spread = deid_words_have(&r->spread, deid_word_hash(s, len)) && !(known && begins);
    bool guess = hit->valued && !known && (!begins || name_goes_on(r, hit->span.end));
    if (!spread && !guess) return R1_OK;
    if (guess) spread_add(&r->spread, s, 0, len);
    name.kind = MED_IDENTIFIER_NAME;
    return run_take(r, &name, err);
}

/* ---- dates ---- */

static int stretch_number(const char *text, med_stretch s)
{
    int n = 0;
    for (uint32_t i = s.start; i < s.end && isdigit((unsigned char)text[i]); i++)
        n = n * 10 + (text[i] - '0');
    return n;
}

static void run_date(deid_run *r, const med_identifier *hit)
{
    int year = stretch_number(r->text, hit->date[MED_DATE_YEAR]);
    int a = stretch_number(r->text, hit->date[MED_DATE_FIRST]),
        b = stretch_number(r->text, hit->date[MED_DATE_SECOND]);
    if (year > 99 && year > r->year && year <= r->o->year) r->year = year;
    r->day_first += a > 12;
    r->month_first += b > 12;
}

/* A birth more than 90 years before the newest date is one 90 years before it. */
static void date_cap(const deid_run *r, const med_identifier *hit, int shifted, med_date *d)
{
    if (!(hit->flags & MED_IDENTIFIER_BIRTH) || !d->year || r->year - d->year <= AGE_CAP) return;
    d->year = r->year + shifted - AGE_CAP;
}

/* Days by which the patient's dates are shifted: weeks, not none. */
static int run_shift(const deid_run *r)
{
    if (!r->o->keys) return 0;
    int n =
        (int)med_index_number(r->o->keys, "dates", r->o->patient, strlen(r->o->patient), SHIFTS);
    return 7 * (n < SHIFTS / 2 ? n - SHIFTS / 2 : n - SHIFTS / 2 + 1);
}

static void write_date(FILE *f, const deid_run *r, const deid_span *s, int days)
{
    const med_identifiers *x = r->d->patterns;
    int newest = r->year ? r->year : r->o->year;
    med_date d = med_date_read(x, r->text, &s->hit, newest, r->first_is_month);
    date_cap(r, &s->hit, 0, &d);
    if (days && d.month && s->start == s->hit.span.start && s->end == s->hit.span.end)
        med_date_write(f, x, r->text, &s->hit, med_date_shift(d, days), r->first_is_month);
    else if (d.year) {
        uint32_t first = s->hit.date[MED_DATE_YEAR].start;
        for (int i = 0; i < MED_DATE_PARTS; i++)
            if (s->hit.date[i].end > s->hit.date[i].start && s->hit.date[i].start < first)
                first = s->hit.date[i].start;
        fprintf(f, "%.*s%d", (int)(first - s->start), r->text + s->start, d.year);
    } else {
        fputs("[DATE]", f);
    }
}

/* ---- the whole ---- */

static r1_status run_hit(void *ctx, const med_identifier *hit, r1_err *err)
{
    deid_run *r = ctx;
    bool words = hit->kind == MED_IDENTIFIER_NAME || hit->kind == MED_IDENTIFIER_PLACE ||
                 hit->kind == MED_IDENTIFIER_WEAK;
    if (words && !r->lower.n) deid_words_each(r->text, r->len, lower_add, r);
    switch (hit->kind) {
    case MED_IDENTIFIER_KEEP:
        for (uint32_t i = hit->span.start; i < hit->span.end; i++) r->body[i] |= BODY_KEPT;
        return R1_OK;
    case MED_IDENTIFIER_WEAK: return run_weak(r, hit, err);
    case MED_IDENTIFIER_NAME: return run_name(r, hit, err);
    case MED_IDENTIFIER_PLACE:
        if (hit->flags & MED_IDENTIFIER_UNKNOWN) return run_name(r, hit, err);
        return run_take(r, hit, err);
    case MED_IDENTIFIER_DATE: run_date(r, hit); return run_take(r, hit, err);
    default: return run_take(r, hit, err);
    }
}

static int span_order(const void *a, const void *b)
{
    const deid_span *x = a, *y = b;
    return x->start < y->start ? -1 : x->start > y->start;
}

static void write_span(FILE *f, const deid_run *r, const deid_span *s, int days)
{
    if (s->hit.kind == MED_IDENTIFIER_DATE)
        write_date(f, r, s, days);
    else if (s->hit.kind != MED_IDENTIFIER_AGE)
        fprintf(f, "[%s]", med_identifier_name[s->hit.kind]);
    else
        fputs(isdigit((unsigned char)r->text[s->start]) ? "90" : "ninety", f);
}

static r1_status run_write(deid_run *r, med_deidentified *out, r1_err *err)
{
    uint32_t at = 0;
    int days = run_shift(r);
    FILE *f = open_memstream(&out->text, &out->len);
    out->span = calloc(r->n + 1, sizeof *out->span);
    if (!f || !out->span) {
        if (f) fclose(f);
        R1_FAIL(err, R1_E_NOMEM, "no memory for a text without identifiers");
    }
    if (r->n) qsort(r->span, r->n, sizeof *r->span, span_order);
    for (uint32_t i = 0; i < r->n; i++) {
        const deid_span *s = &r->span[i];
        R1_ASSERT(s->start >= at, "spans overlap at %u", s->start);
        fwrite(r->text + at, 1, s->start - at, f);
        bool goes_on = i > 0 && s->start == r->span[i - 1].end &&
                       s->hit.kind == r->span[i - 1].hit.kind; /* found in two parts */
        if (!goes_on) write_span(f, r, s, days);
        at = s->end;
        out->span[out->n_span++] = (struct med_deidentified_span){s->start, s->end, s->hit.kind};
        out->n_of[s->hit.kind]++;
    }
    fwrite(r->text + at, 1, r->len - at, f);
    if (fclose(f) != 0) R1_FAIL(err, R1_E_NOMEM, "no memory for a text without identifiers");
    return R1_OK;
}

/* ---- findings before and after ---- */

static int finding_order(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Term and status of each finding, sorted; malloc'ed. */
static uint64_t *findings_of(const med_notes *n)
{
    uint64_t *f = malloc((n->n_mention + 1) * sizeof *f);
    for (uint32_t i = 0; f && i < n->n_mention; i++)
        f[i] = (uint64_t)n->mention[i].term << 8 | n->mention[i].status;
    if (f) qsort(f, n->n_mention, sizeof *f, finding_order);
    return f;
}

static uint32_t findings_differ(const uint64_t *a, uint32_t n, const uint64_t *b, uint32_t m)
{
    uint32_t i = 0, k = 0, differ = 0;
    while (i < n || k < m) {
        bool same = i < n && k < m && a[i] == b[k];
        bool first = !same && (k == m || (i < n && a[i] < b[k]));
        differ += !same;
        i += same || first;
        k += same || !first;
    }
    return differ;
}

static r1_status deid_compare(const deid_run *r, const med_notes *before, med_deidentified *out,
                              r1_err *err)
{
    med_notes after = {0};
    r1_status st = med_notes_read(&after, r->d->lex, r->d->kb, "the text that is left", out->text,
                                  out->len, err);
    uint64_t *a = findings_of(before), *b = findings_of(&after);
    if (st == R1_OK && (!a || !b))
        st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory to compare findings");
    if (st == R1_OK) {
        out->n_before = before->n_mention;
        out->n_after = after.n_mention;
        out->n_changed = findings_differ(a, before->n_mention, b, after.n_mention);
    }
    free(a);
    free(b);
    med_notes_free(&after);
    return st;
}

static r1_status deid_all(deid_run *r, med_deidentified *out, r1_err *err)
{
    med_notes before = {0};
    R1_TRY(med_notes_read(&before, r->d->lex, r->d->kb, "the record", r->text, r->len, err));
    for (uint32_t i = 0; i < before.n_mention; i++)
        for (uint32_t k = before.mention[i].start; k < before.mention[i].end; k++)
            r->body[k] |= before.mention[i].lab ? 0 : BODY_FINDING;
    r1_status st = med_identifiers_find(r->d->patterns, r->text, r->len, run_hit, r, err);
    r->first_is_month =
        r->month_first != r->day_first ? r->month_first > r->day_first : r->o->month_first;
    if (st == R1_OK) st = run_write(r, out, err);
    if (st == R1_OK) st = deid_compare(r, &before, out, err);
    med_notes_free(&before);
    return st;
}

r1_status med_deidentify(med_deidentified *out, const med_deidentifier *d,
                         const med_deidentify_opts *opts, const char *text, size_t len, r1_err *err)
{
    deid_run r = {.d = d, .o = opts, .text = text, .len = len, .body = calloc(len + 1, 1)};
    *out = (med_deidentified){0};
    R1_ASSERT(!opts->keys == !opts->patient, "keys and a patient come together: %d", 0);
    r1_status st =
        r.body ? R1_OK : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for a text");
    if (st == R1_OK) st = deid_words_new(&r.lower, WORDS_SLOTS, err);
    if (st == R1_OK) st = deid_words_new(&r.spread, SPREAD_SLOTS, err);
    if (st == R1_OK) st = deid_all(&r, out, err);
    free(r.body);
    free(r.lower.slot);
    free(r.spread.slot);
    free(r.span);
    return st;
}

void med_deidentified_free(med_deidentified *x)
{
    free(x->text);
    free(x->span);
    *x = (med_deidentified){0};
}
