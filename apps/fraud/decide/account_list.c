/* SPDX-License-Identifier: GPL-3.0-or-later */
/* account_list.c - lines to entries, entries into a table by hash. */
#include "decide/account_list.h"

#include "payment/iban.h"
#include "payment/payment.h"
#include "payment/zone.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LIST_BYTES_MAX = 128 << 20, LIST_FIELDS = 4 };

typedef enum { LIST_ACCOUNT, LIST_REASON, LIST_EXPIRY, LIST_OWNER } list_field;
static const struct {
    const char *name;
    size_t bytes; /* at most, NUL included */
} list_fields[LIST_FIELDS] = {[LIST_ACCOUNT] = {"account", FRAUD_ACCOUNT_BYTES},
                              [LIST_REASON] = {"reason", FRAUD_LIST_REASON_BYTES},
                              [LIST_EXPIRY] = {"expiry", 32},
                              [LIST_OWNER] = {"owner", FRAUD_LIST_OWNER_BYTES}};

struct fraud_account_list {
    char name[FRAUD_LIST_NAME_BYTES];
    fraud_lines source; /* lends every text of the entries */
    fraud_list_entry *entry;
    size_t n, cap;
    size_t n_odd[FRAUD_N_LIST_ODD];
    int first_odd[FRAUD_N_LIST_ODD]; /* line */
    size_t n_plain;                  /* lines whose account has no digit */
    int64_t read_ms;                 /* the time of this machine */
    uint32_t *slot;                  /* index + 1; 0: empty */
    size_t mask;
    list_field column[LIST_FIELDS];
    size_t n_column;
    char path[512];
};

/* ---- one line to fields ---- */

static r1_status list_fail(const fraud_lines *s, const char *expected, const char *found)
{
    R1_FAIL(s->err, R1_E_INVAL, "%s:%d: expected %s, found %.80s", s->path, s->n, expected,
            *found ? found : "the end of the line");
}

/* The quote that ends a field, or the end of the line. */
static const char *list_quote_end(const char *at)
{
    for (; *at; at++) {
        if (*at == '"' && at[1] != '"') break;
        at += *at == '"';
    }
    return at;
}

/* A field in quotes; its text replaces it. *at comes to stand behind it. */
static r1_status list_quoted(const fraud_lines *s, char **at, char **out)
{
    char *from = *at + 1, *to = *out = *at;
    const char *end = list_quote_end(from);
    if (!*end) return list_fail(s, "the quote that ends the field on its line", *at);
    for (; from < end; from++) {
        from += *from == '"';
        *to++ = *from;
    }
    *at = from + 1 + strspn(from + 1, " \t");
    *to = 0;
    return **at && **at != ',' ? list_fail(s, "a comma behind the quoted field", *at) : R1_OK;
}

/* A field without quotes ends at *stop, before blanks and the comma. */
static r1_status list_plain(const fraud_lines *s, char **at, char **out, char **stop)
{
    char *from = *at, *end = from + strcspn(from, ",");
    *at = end;
    while (end > from && strchr(" \t", end[-1])) end--;
    *out = from;
    *stop = end;
    if (*from == '\'') return list_fail(s, "double quotes around a name, or none", from);
    for (const char *c = from; c < end; c++) {
        if (*c == '"')
            return list_fail(s, "a quote at both ends of a field, and twice inside", from);
        if (*c == '\t') return list_fail(s, "no tab inside of a field", from);
        if (*c == '#' && c > from && strchr(" \t", c[-1]))
            return list_fail(
                s, "a comment on a line of its own, or quotes around a text with \" #\"", from);
    }
    return R1_OK;
}

/* Cuts the line into its fields; each ends in NUL. */
static r1_status list_cut(const fraud_lines *s, char *field[LIST_FIELDS + 1], size_t *n)
{
    char *at = s->line;
    for (*n = 0;;) {
        at += strspn(at, " \t");
        char *stop = NULL;
        R1_TRY(*at == '"' ? list_quoted(s, &at, &field[*n])
                          : list_plain(s, &at, &field[*n], &stop));
        bool more = *at == ',';
        if (stop) *stop = 0;
        ++*n;
        if (!more) return R1_OK;
        if (*n == LIST_FIELDS)
            return list_fail(s, "at most four fields: account, reason, expiry, owner", at + 1);
        at++;
    }
}

/* ---- fields to an entry ---- */

static int list_digits(const char *s, int n)
{
    int x = 0;
    for (int i = 0; i < n; i++) {
        if (!isdigit((unsigned char)s[i])) return -1;
        x = x * 10 + s[i] - '0';
    }
    return x;
}

/* "2027-12-31": the moment after this day. */
static bool list_until(const char *text, int64_t *out)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (strlen(text) != 10 || text[4] != '-' || text[7] != '-') return false;
    int year = list_digits(text, 4), month = list_digits(text + 5, 2),
        day = list_digits(text + 8, 2);
    if (year < 1970 || month < 1 || month > 12) return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (day < 1 || day > days[month - 1] + (month == 2 && leap)) return false;
    *out = (fraud_days_of(year, month, day) + 1) * FRAUD_DAY_MS;
    return true;
}

static bool list_is_header(fraud_account_list *l, char *const *field, size_t n)
{
    list_field column[LIST_FIELDS];
    bool taken[LIST_FIELDS] = {false};
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < LIST_FIELDS && strcmp(field[i], list_fields[k].name) != 0) k++;
        if (k == LIST_FIELDS || taken[k]) return false;
        taken[k] = true;
        column[i] = (list_field)k;
    }
    if (!taken[LIST_ACCOUNT]) return false;
    memcpy(l->column, column, sizeof column);
    l->n_column = n;
    return true;
}

static r1_status list_entry_of(const fraud_account_list *l, char *const *field, size_t n,
                               fraud_list_entry *e)
{
    const fraud_lines *s = &l->source;
    const char *text[LIST_FIELDS] = {"", "", "", ""};
    if (n > l->n_column)
        return list_fail(s, "no more fields than the first line names", field[n - 1]);
    for (size_t i = 0; i < n; i++) {
        list_field k = l->column[i];
        if (strlen(field[i]) >= list_fields[k].bytes)
            R1_FAIL(s->err, R1_E_INVAL, "%s:%d: expected an %s of at most %zu bytes, found %zu",
                    s->path, s->n, list_fields[k].name, list_fields[k].bytes - 1, strlen(field[i]));
        text[k] = field[i];
    }
    *e = (fraud_list_entry){text[LIST_ACCOUNT], text[LIST_REASON], text[LIST_OWNER], INT64_MAX,
                            s->n};
    if (!*e->account) return list_fail(s, "an account", "\"\"");
    if (*text[LIST_EXPIRY] && !list_until(text[LIST_EXPIRY], &e->until_ms))
        return list_fail(s, "an expiry as a date, 2027-12-31", text[LIST_EXPIRY]);
    return R1_OK;
}

/* ---- what is odd ---- */

const char *const fraud_list_odd_text[FRAUD_N_LIST_ODD] = {
    [FRAUD_LIST_REPEATED] = "an account that stands above already: the later expiry counts",
    [FRAUD_LIST_SEMICOLON] = "an account with a semicolon in it: commas stand between fields",
    [FRAUD_LIST_HEADER] = "an account that looks like the name of a column: a line of names has "
                          "account, reason, expiry and owner",
    [FRAUD_LIST_EXPIRED] = "an expiry in the past: the account is on the list no more",
    [FRAUD_LIST_DATED] = "a date as the reason: the expiry is the third field, so none is named",
    [FRAUD_LIST_IBAN] = "an IBAN with blanks or small letters: it holds for payments that write it "
                        "so, and for no others",
};

static void list_note_odd(fraud_account_list *l, fraud_list_odd kind, int line)
{
    if (!l->n_odd[kind]++) l->first_odd[kind] = line;
}

static bool list_has_digit(const char *text) { return strpbrk(text, "0123456789") != NULL; }

/* What other systems call the column of accounts, in small letters. */
static bool list_is_column(const char *text)
{
    static const char *const names[] = {
        "account",  "account_id",       "account_no", "accounts", "account number", "counterparty",
        "customer", "empf\xc3\xa4nger", "iban",       "id",       "konto",          "kontonummer",
        "name",     "number",           "payee",      "receiver", "sender"};
    for (size_t i = 0; i < R1_COUNT(names); i++)
        if (!strcasecmp(text, names[i])) return true;
    return false;
}

static void list_look_at(fraud_account_list *l, const fraud_list_entry *e)
{
    int64_t ms;
    if (strchr(e->account, ';')) list_note_odd(l, FRAUD_LIST_SEMICOLON, e->line);
    if (e->until_ms <= l->read_ms) list_note_odd(l, FRAUD_LIST_EXPIRED, e->line);
    if (fraud_iban_is_odd(e->account)) list_note_odd(l, FRAUD_LIST_IBAN, e->line);
    if (list_until(e->reason, &ms)) list_note_odd(l, FRAUD_LIST_DATED, e->line);
    l->n_plain += !list_has_digit(e->account);
}

/* The first account, beside all others: a name of a column, or the only one without a digit. */
static void list_look_at_first(fraud_account_list *l)
{
    const fraud_list_entry *e = l->entry;
    if (!l->n) return;
    bool alone = !list_has_digit(e->account) && l->n > 2 && l->n_plain == 1;
    if (alone || list_is_column(e->account)) list_note_odd(l, FRAUD_LIST_HEADER, e->line);
}

/* ---- the table ---- */

static uint32_t *list_slot(const fraud_account_list *l, const char *account)
{
    size_t i = (size_t)r1_hash64(account, strlen(account), 0) & l->mask;
    while (l->slot[i] && strcmp(l->entry[l->slot[i] - 1].account, account) != 0)
        i = (i + 1) & l->mask;
    return &l->slot[i];
}

static r1_status list_rehash(fraud_account_list *l, r1_err *err)
{
    size_t n_slot = l->mask ? 2 * (l->mask + 1) : 64;
    uint32_t *slot = calloc(n_slot, sizeof *slot);
    if (!slot) R1_FAIL(err, R1_E_NOMEM, "%s: no memory for the list", l->path);
    free(l->slot);
    l->slot = slot;
    l->mask = n_slot - 1;
    for (size_t i = 0; i < l->n; i++) *list_slot(l, l->entry[i].account) = (uint32_t)i + 1;
    return R1_OK;
}

static r1_status list_room(fraud_account_list *l, r1_err *err)
{
    if (l->n == FRAUD_LIST_ENTRIES_MAX)
        R1_FAIL(err, R1_E_INVAL, "%s:%d: expected at most %d accounts, found more", l->path,
                l->source.n, FRAUD_LIST_ENTRIES_MAX);
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 64;
        fraud_list_entry *grown = realloc(l->entry, cap * sizeof *grown);
        if (!grown) R1_FAIL(err, R1_E_NOMEM, "%s: no memory for the list", l->path);
        l->entry = grown;
        l->cap = cap;
    }
    return 2 * (l->n + 1) > l->mask ? list_rehash(l, err) : R1_OK;
}

static r1_status list_put(fraud_account_list *l, const fraud_list_entry *e, r1_err *err)
{
    R1_TRY(list_room(l, err));
    uint32_t *slot = list_slot(l, e->account);
    if (!*slot) {
        l->entry[l->n++] = *e;
        *slot = (uint32_t)l->n;
        return R1_OK;
    }
    list_note_odd(l, FRAUD_LIST_REPEATED, e->line);
    if (e->until_ms > l->entry[*slot - 1].until_ms) l->entry[*slot - 1] = *e;
    return R1_OK;
}

static r1_status list_lines(fraud_account_list *l, r1_err *err)
{
    bool first = true;
    while (fraud_lines_next(&l->source)) {
        const char *text = l->source.line + strspn(l->source.line, " \t");
        if (!*text || *text == '#') continue;
        char *field[LIST_FIELDS + 1];
        fraud_list_entry e;
        size_t n;
        R1_TRY(list_cut(&l->source, field, &n));
        bool header = first && list_is_header(l, field, n);
        first = false;
        if (header) continue;
        R1_TRY(list_entry_of(l, field, n, &e));
        list_look_at(l, &e);
        R1_TRY(list_put(l, &e, err));
    }
    list_look_at_first(l);
    return R1_OK;
}

/* ---- life ---- */

static r1_status list_new(fraud_account_list **out, const char *name, const char *path, r1_err *err)
{
    fraud_account_list *l = calloc(1, sizeof *l);
    if (!l) R1_FAIL(err, R1_E_NOMEM, "%s: no memory for the list", path);
    snprintf(l->name, sizeof l->name, "%s", name);
    snprintf(l->path, sizeof l->path, "%s", path);
    for (size_t i = 0; i < LIST_FIELDS; i++) l->column[i] = (list_field)i;
    l->n_column = LIST_FIELDS;
    l->read_ms = r1_time_us() / 1000;
    *out = l;
    return list_rehash(l, err);
}

static r1_status list_finish(fraud_account_list **l, r1_status st, r1_err *err)
{
    if (st == R1_OK) st = list_lines(*l, err);
    if (st == R1_OK) return R1_OK;
    fraud_account_list_free(*l);
    *l = NULL;
    return st;
}

r1_status fraud_account_list_read(fraud_account_list **out, const char *name, const char *path,
                                  uint64_t *hash, r1_err *err)
{
    *out = NULL;
    r1_status st = list_new(out, name, path, err);
    if (st == R1_OK) st = fraud_lines_open(&(*out)->source, path, LIST_BYTES_MAX, hash, err);
    return list_finish(out, st, err);
}

r1_status fraud_account_list_parse(fraud_account_list **out, const char *name, const char *data,
                                   size_t len, r1_err *err)
{
    *out = NULL;
    r1_status st = list_new(out, name, name, err);
    if (st == R1_OK) st = fraud_lines_of(&(*out)->source, name, data, len, err);
    return list_finish(out, st, err);
}

void fraud_account_list_free(fraud_account_list *l)
{
    if (!l) return;
    fraud_lines_close(&l->source);
    free(l->entry);
    free(l->slot);
    free(l);
}

/* ---- look-up ---- */

const fraud_list_entry *fraud_account_list_find(const fraud_account_list *l, const char *account,
                                                int64_t ts_ms)
{
    if (!l || !l->n) return NULL;
    uint32_t at = *list_slot(l, account);
    const fraud_list_entry *e = at ? &l->entry[at - 1] : NULL;
    return e && ts_ms < e->until_ms ? e : NULL;
}

const char *fraud_account_list_name(const fraud_account_list *l) { return l->name; }
const char *fraud_account_list_path(const fraud_account_list *l) { return l->path; }
size_t fraud_account_list_count(const fraud_account_list *l) { return l ? l->n : 0; }
const fraud_list_entry *fraud_account_list_at(const fraud_account_list *l, size_t i)
{
    return &l->entry[i];
}
size_t fraud_account_list_odd(const fraud_account_list *l, fraud_list_odd kind, int *line)
{
    *line = l->first_odd[kind];
    return l->n_odd[kind];
}
