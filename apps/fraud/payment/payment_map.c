/* SPDX-License-Identifier: GPL-3.0-or-later */
/* payment_map.c - see payment_map.h. The file is one of settings (r1_config.h), so its lines are
 * read and refused as everywhere. */
#include "payment/payment_map.h"

#include "config/r1_config.h"
#include "payment/currency.h"
#include "payment/message_path.h"
#include "payment/row_filter.h"
#include "payment/word_list.h"
#include "payment/words.h"
#include "text/nearest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ROLE_WORDS  "account, card, merchant or external"
#define UNIT_WORDS  "a decimal number of the currency's unit"
#define CENTS_WORDS "a whole number of cents"

const fraud_field_words fraud_fields[FRAUD_N_F] = {
    [FRAUD_F_TX_ID] = {"tx_id", true, "an id of its own, a text of at most 255 bytes",
                       "\"t-1001\""},
    [FRAUD_F_TS] = {"ts", true, "milliseconds since 1970, or an ISO text with offset",
                    "\"2026-11-30T14:05:09Z\""},
    [FRAUD_F_TS_TIME] = {"ts_time", false, "the time of day, where ts is a date", "\"14:05:09\""},
    [FRAUD_F_KIND] = {"kind", true, "transfer, card or cash", "\"transfer\""},
    [FRAUD_F_FROM] = {"from", true, "the payer's account or card, a text",
                      "\"DE89370400440532013000\""},
    [FRAUD_F_TO] = {"to", true, "the payee's account or shop, a text",
                    "\"FR7630006000011234567890189\""},
    [FRAUD_F_FROM_ROLE] = {"from_role", false, ROLE_WORDS, "\"account\""},
    [FRAUD_F_TO_ROLE] = {"to_role", false, ROLE_WORDS, "\"merchant\""},
    [FRAUD_F_CURRENCY] = {"currency", true, "a code of ISO 4217", "\"EUR\""},
    [FRAUD_F_AMOUNT_MINOR] = {"amount_minor", true, "a whole number of cents, or amount = 125.50",
                              "12550"},
    [FRAUD_F_AMOUNT] = {"amount", false, UNIT_WORDS, "125.50"},
    [FRAUD_F_COUNTRY] = {"country", false, "a code of ISO 3166-1, DE or DEU", "\"DE\""},
    [FRAUD_F_CHANNEL] = {"channel", false, "a word of at most 31 bytes", "\"app\""},
    [FRAUD_F_CATEGORY] = {"category", false, "a word of at most 31 bytes", "\"grocery\""},
    [FRAUD_F_DEVICE] = {"device", false, "a text of at most 255 bytes", "\"d-77\""},
    [FRAUD_F_TEXT] = {"text", false, "a text", "\"Invoice 17\""},
    [FRAUD_F_FROM_BALANCE_MINOR] = {"from_balance_minor", false, CENTS_WORDS, "99000"},
    [FRAUD_F_TO_BALANCE_MINOR] = {"to_balance_minor", false, CENTS_WORDS, "0"},
    [FRAUD_F_FROM_BALANCE] = {"from_balance", false, UNIT_WORDS, "990.00"},
    [FRAUD_F_TO_BALANCE] = {"to_balance", false, UNIT_WORDS, "0.00"},
    [FRAUD_F_LAT] = {"lat", false, "degrees, beside lon", "52.52"},
    [FRAUD_F_BOOKING] = {"booking", false, "a word of the rows debit and credit", "\"S\""},
    [FRAUD_F_LON] = {"lon", false, "degrees, beside lat", "13.40"},
};

/* clang-format off */
#define FIELD(of_name) \
    {.name = (of_name), .section = "fields", .type = R1_OPT_STRING, \
     .help = "path or \"constant\""}
#define WORDS(of_name, of_section) \
    {.name = (of_name), .section = (of_section), .type = R1_OPT_STRING, .joins = ", ", \
     .help = "words, with commas"}
static const r1_option map_rows[] = { /* first one for each field, in their order */
    FIELD("tx-id"), FIELD("ts"), FIELD("ts-time"), FIELD("kind"), FIELD("from"), FIELD("to"),
    FIELD("from-role"), FIELD("to-role"), FIELD("currency"), FIELD("amount-minor"),
    FIELD("amount"), FIELD("country"),
    FIELD("channel"), FIELD("category"), FIELD("device"), FIELD("text"),
    FIELD("from-balance-minor"), FIELD("to-balance-minor"), FIELD("from-balance"),
    FIELD("to-balance"), FIELD("lat"), FIELD("lon"), FIELD("booking"),
    {.name = "format", .section = "time", .type = R1_OPT_STRING, .def = "ms", .help = "of ts"},
    {.name = "zone", .section = "time", .type = R1_OPT_STRING,
     .help = "of ts; none: UTC, with a note"},
    {.name = "amounts", .section = "money", .type = R1_OPT_STRING, .def = "1234.50",
     .help = "how texts write 1234.50"},
    {.name = "sign", .section = "money", .type = R1_OPT_ENUM, .choices = "positive|negative",
     .def = "positive", .help = "of payments; the other one is of refunds"},
    WORDS("debit", "booking"), WORDS("credit", "booking"),
    {.name = "credits", .section = "booking", .type = R1_OPT_ENUM, .choices = "swap|leave-out",
     .def = "swap", .help = "of what is booked as a credit: payer and payee change places"},
    {.name = "leave-out", .section = "rows", .type = R1_OPT_STRING, .joins = " or ",
     .help = "FIELD is WORD, WORD or FIELD is not WORD: messages to leave out"},
    WORDS("transfer", "kinds"), WORDS("cash", "kinds"), WORDS("card", "kinds"),
    WORDS("account", "roles"), WORDS("merchant", "roles"), WORDS("external", "roles"),
    WORDS("card-role", "roles"),
};
/* clang-format on */

struct fraud_map {
    r1_options *o;
    json_t *constant[FRAUD_N_F];
    char name[FRAUD_N_F][160];
    bool lists[FRAUD_N_F]; /* the path may lead through a list */
    fraud_word_list kinds, roles, bookings;
    fraud_row_filter *filter; /* NULL: all messages are read */
    bool credits_left_out;
    fraud_time_style time;
    fraud_zone *zone; /* NULL: an offset */
    const fraud_number_form *numbers;
    int sign;
    char version[20];
};

/* ---- loading ---- */

static const char *map_row(const fraud_map *m, fraud_field f)
{
    return r1_options_str(m->o, map_rows[f].name);
}

/* words: those that the row may hold, for the nearest, up to a NULL; NULL: none. */
static r1_status map_expected_of(const fraud_map *m, const char *row, const char *what,
                                 const char *const *words, r1_err *err)
{
    const char *text = r1_options_str(m->o, row);
    char bare[64], near[96] = "", name[32];
    size_t quote = *text == '"', len = strlen(text) - quote;
    if (quote && len && text[len] == '"') len--;
    snprintf(bare, sizeof bare, "%.*s", (int)len, text + quote);
    r1_nearest nearest = {.found = bare};
    for (; words && *words; words++) r1_nearest_offer(&nearest, *words);
    for (size_t i = 0; i <= strlen(row) && i < sizeof name; i++)
        name[i] = row[i] == '-' ? '_' : row[i];
    R1_FAIL(err, R1_E_INVAL, "%s: %.31s: expected %s, found %s%.100s%s%s",
            r1_options_origin(m->o, row), name, what, quote ? "" : "\"", text, quote ? "" : "\"",
            r1_nearest_text(&nearest, near, sizeof near));
}

static r1_status map_expected(const fraud_map *m, const char *row, const char *what, r1_err *err)
{
    return map_expected_of(m, row, what, NULL, err);
}

/* "EUR" in quotes is a constant, anything else a path. */
static r1_status load_field(fraud_map *m, fraud_field f, r1_err *err)
{
    const char *text = map_row(m, f);
    snprintf(m->name[f], sizeof m->name[f], "%s", fraud_fields[f].name);
    if (!text) return R1_OK;
    size_t len = strlen(text);
    if (*text == '"') {
        if (len < 3 || text[len - 1] != '"')
            return map_expected(m, map_rows[f].name, "a constant between quotes", err);
        m->constant[f] = json_stringn(text + 1, len - 2);
        if (!m->constant[f]) return map_expected(m, map_rows[f].name, "UTF-8", err);
        return R1_OK;
    }
    const char *fault = message_path_fault(text);
    if (fault) return map_expected(m, map_rows[f].name, fault, err);
    m->lists[f] = message_path_has_list(text);
    if (strcmp(text, fraud_fields[f].name) != 0)
        snprintf(m->name[f], sizeof m->name[f], "%.80s (%s)", text, fraud_fields[f].name);
    return R1_OK;
}

/* The words of one row. One that a row above has too would never be read as this one. */
static r1_status load_words(const fraud_map *m, const char *row, fraud_word_list *words, int value,
                            r1_err *err)
{
    const char *text = r1_options_str(m->o, row);
    size_t begin = words->n;
    if (!text) return R1_OK;
    if (!strcmp(text, "?")) return map_expected(m, row, "your answer, words with commas", err);
    if (!fraud_words_add(words, text, strlen(text), value))
        return map_expected(m, row, "fewer words", err);
    for (size_t i = begin; i < words->n; i++)
        for (size_t k = 0; k < begin; k++)
            if (words->word[i].len == words->word[k].len &&
                !strncasecmp(words->word[i].text, words->word[k].text, words->word[i].len))
                R1_FAIL(err, R1_E_INVAL,
                        "%s: %s: expected words that no row above has, found \"%.*s\" there too",
                        r1_options_origin(m->o, row), row, (int)words->word[i].len,
                        words->word[i].text);
    return R1_OK;
}

static r1_status load_all_words(fraud_map *m, r1_err *err)
{
    const struct {
        const char *row;
        fraud_word_list *words;
        int value;
    } rows[] = {
        {"transfer", &m->kinds, FRAUD_KIND_TRANSFER},  {"card", &m->kinds, FRAUD_KIND_CARD},
        {"cash", &m->kinds, FRAUD_KIND_CASH},          {"account", &m->roles, FRAUD_ROLE_ACCOUNT},
        {"merchant", &m->roles, FRAUD_ROLE_MERCHANT},  {"external", &m->roles, FRAUD_ROLE_EXTERNAL},
        {"card-role", &m->roles, FRAUD_ROLE_CARD},     {"debit", &m->bookings, FRAUD_BOOKING_DEBIT},
        {"credit", &m->bookings, FRAUD_BOOKING_CREDIT}};
    for (size_t i = 0; i < R1_COUNT(rows); i++)
        R1_TRY(load_words(m, rows[i].row, rows[i].words, rows[i].value, err));
    return R1_OK;
}

/* The booking sign needs its words, and they need the field. */
static r1_status load_booking(fraud_map *m, const char *path, r1_err *err)
{
    const char *words[] = {"debit", "credit"};
    bool field = map_row(m, FRAUD_F_BOOKING);
    m->credits_left_out = !strcmp(r1_options_str(m->o, "credits"), "leave-out");
    for (size_t i = 0; i < R1_COUNT(words); i++) {
        bool row = r1_options_str(m->o, words[i]);
        if (row && !field)
            return map_expected(m, words[i], "the row booking of [fields] beside it", err);
        if (field && !row)
            R1_FAIL(err, R1_E_INVAL,
                    "%s: [booking] expected a row %s with the words of the field booking, found "
                    "none",
                    path, words[i]);
    }
    return R1_OK;
}

static r1_status load_filter(fraud_map *m, r1_err *err)
{
    const char *text = r1_options_str(m->o, "leave-out");
    r1_err why = {0};
    r1_status st = text ? fraud_row_filter_new(&m->filter, text, &why) : R1_OK;
    if (st == R1_OK) return R1_OK;
    R1_FAIL(err, st, "%s: leave_out: expected %s", r1_options_origin(m->o, "leave-out"), why.msg);
}

static r1_status load_format(fraud_map *m, r1_err *err)
{
    static const char *const forms[] = {"ms", "s", "us", "ns", "iso", "excel", NULL};
    const char *format = r1_options_str(m->o, "format");
    char why[128];
    m->time.form = FRAUD_TIME_PATTERN;
    m->time.pattern = format;
    for (size_t i = 0; forms[i]; i++)
        if (!strcmp(format, forms[i])) m->time.form = (fraud_time_form)i;
    if (m->time.form == FRAUD_TIME_PATTERN && !strchr(format, '%'))
        return map_expected_of(m, "format",
                               "ms, s, us, ns, iso, excel or a pattern such as %d.%m.%Y %H:%M",
                               forms, err);
    if (m->time.form == FRAUD_TIME_PATTERN && !fraud_time_pattern_check(format, why, sizeof why))
        return map_expected(m, "format", why, err);
    if (m->time.form < FRAUD_TIME_PATTERN && m->time.form != FRAUD_TIME_ISO &&
        fraud_map_splits_time(m))
        return map_expected(m, "format", "iso or a pattern beside ts_time", err);
    return R1_OK;
}

/* "Z", an offset or the name of a zone. */
static r1_status load_zone(fraud_map *m, r1_err *err)
{
    const char *text = r1_options_str(m->o, "zone");
    char near[96];
    m->time.told = text;
    if (!text || fraud_time_zone(text, &m->time.zone_minutes)) return R1_OK;
    r1_status st = fraud_zone_open(&m->zone, text, NULL);
    m->time.zone = m->zone;
    if (st == R1_OK) return R1_OK;
    if (st == R1_E_NOMEM) R1_FAIL(err, R1_E_NOMEM, "zone: no memory");
    R1_FAIL(err, R1_E_INVAL,
            "%s: zone: expected Z, an offset such as +01:00 or a zone such as Europe/Berlin, found "
            "\"%.60s\"%s",
            r1_options_origin(m->o, "zone"), text, fraud_zone_nearest(text, near, sizeof near));
}

static r1_status load_money(fraud_map *m, r1_err *err)
{
    char forms[128] = "";
    m->sign = strcmp(r1_options_str(m->o, "sign"), "negative") ? 1 : -1;
    m->numbers = fraud_number_form_of(r1_options_str(m->o, "amounts"));
    if (m->numbers) return R1_OK;
    for (size_t i = 0, n = 0; i < FRAUD_N_NUMBER_FORM; i++)
        n += (size_t)snprintf(forms + n, sizeof forms - n, "%s%s", i ? " or " : "one of ",
                              fraud_number_forms[i].example);
    return map_expected(m, "amounts", forms, err);
}

/* What holds for all messages is looked at once, before the first one comes. */
static r1_status load_currency_constant(const fraud_map *m, r1_err *err)
{
    const char *currency = json_string_value(m->constant[FRAUD_F_CURRENCY]);
    if (!currency || fraud_currency_digits(currency) >= 0) return R1_OK;
    char near[64];
    R1_FAIL(err, R1_E_INVAL,
            "%s: currency: expected a code of ISO 4217 in quotes, or a path, found \"%.60s\"%s",
            r1_options_origin(m->o, "currency"), currency,
            fraud_currency_nearest(currency, near, sizeof near));
}

static r1_status load_kind_constant(const fraud_map *m, r1_err *err)
{
    static const char *const words[] = {"transfer", "card", "cash", NULL};
    const char *kind = json_string_value(m->constant[FRAUD_F_KIND]);
    if (!kind || fraud_map_kind(m, kind) < FRAUD_N_KIND) return R1_OK;
    return map_expected_of(m, "kind", "transfer, card or cash in quotes, or a path", words, err);
}

/* One field for both ends is a slip in copying: each payment would be to its own payer. */
static r1_status load_ends(const fraud_map *m, r1_err *err)
{
    const char *from = map_row(m, FRAUD_F_FROM), *to = map_row(m, FRAUD_F_TO);
    if (!from || !to || strcmp(from, to) != 0) return R1_OK;
    return map_expected(m, "to", "another field than from", err);
}

static r1_status load_needed(const fraud_map *m, fraud_field f, const char *path, r1_err *err)
{
    bool other = f == FRAUD_F_AMOUNT_MINOR && map_row(m, FRAUD_F_AMOUNT);
    if (!fraud_fields[f].required || map_row(m, f) || other) return R1_OK;
    R1_FAIL(err, R1_E_INVAL, "%s: [fields] expected a row for %s (%s), found none", path,
            fraud_fields[f].name, fraud_fields[f].expected);
}

/* All mistakes of a file, a line each; the first one is the error. */
typedef struct {
    r1_err *err, last;
    size_t n;
    FILE *all;
} map_faults;

static void map_note(map_faults *f, r1_status st)
{
    if (st == R1_OK) return;
    if (!f->n++ && f->err) *f->err = f->last;
    fprintf(f->all, "  %s\n", f->last.msg);
}

static r1_status load_map_rows(fraud_map *m, const char *path, map_faults *faults)
{
    r1_err *why = &faults->last;
    R1_TRY(r1_options_new(&m->o, map_rows, R1_COUNT(map_rows), faults->err));
    r1_status st = r1_config_load_all(m->o, NULL, 0, path, faults->all, &faults->n, faults->err);
    if (st != R1_OK && !faults->n) return st;
    for (int f = 0; f < FRAUD_N_F; f++) map_note(faults, load_field(m, (fraud_field)f, why));
    for (int f = 0; f < FRAUD_N_F; f++) map_note(faults, load_needed(m, (fraud_field)f, path, why));
    map_note(faults, load_ends(m, why));
    map_note(faults, load_all_words(m, why));
    map_note(faults, load_booking(m, path, why));
    map_note(faults, load_filter(m, why));
    map_note(faults, load_format(m, why));
    map_note(faults, load_zone(m, why));
    map_note(faults, load_money(m, why));
    map_note(faults, load_currency_constant(m, why));
    map_note(faults, load_kind_constant(m, why));
    return faults->n ? R1_E_INVAL : R1_OK;
}

static r1_status load_map(fraud_map *m, const char *path, FILE *mistakes, r1_err *err)
{
    char *text, *told = NULL;
    size_t len;
    R1_TRY(r1_file_read(path, 1 << 20, &text, &len, err));
    snprintf(m->version, sizeof m->version, "%016llx", (unsigned long long)r1_hash64(text, len, 0));
    free(text);
    map_faults faults = {.err = err, .all = open_memstream(&told, &len)};
    if (!faults.all) R1_FAIL(err, R1_E_NOMEM, "%s: no memory for a mapping file", path);
    r1_status st = load_map_rows(m, path, &faults);
    fclose(faults.all);
    if (mistakes && faults.n > 1)
        fprintf(mistakes, "%s has %zu mistakes:\n%s", path, faults.n, told);
    free(told);
    return st;
}

r1_status fraud_map_load(fraud_map **out, const char *path, FILE *mistakes, r1_err *err)
{
    *out = NULL;
    if (!path) return R1_OK;
    fraud_map *m = calloc(1, sizeof *m);
    if (!m) R1_FAIL(err, R1_E_NOMEM, "%s: no memory for a mapping file", path);
    r1_status st = load_map(m, path, mistakes, err);
    if (st == R1_OK)
        *out = m;
    else
        fraud_map_free(m);
    return st;
}

void fraud_map_free(fraud_map *m)
{
    if (!m) return;
    for (int f = 0; f < FRAUD_N_F; f++) json_decref(m->constant[f]);
    fraud_zone_free(m->zone);
    fraud_row_filter_free(m->filter);
    r1_options_free(m->o);
    free(m);
}

/* ---- asking ---- */

const json_t *fraud_map_value(const fraud_map *m, const json_t *message, fraud_field f)
{
    const json_t *v = NULL;
    size_t places = 1;
    if (!m)
        v = json_object_get(message, fraud_fields[f].name);
    else if (m->constant[f])
        v = m->constant[f];
    else if (map_row(m, f))
        v = message_path_find(message, map_row(m, f), &places);
    return json_is_null(v) ? NULL : v;
}

const char *fraud_map_path(const fraud_map *m, fraud_field f)
{
    return m && !m->constant[f] ? map_row(m, f) : NULL;
}

const char *fraud_map_origin(const fraud_map *m, fraud_field f)
{
    return fraud_map_path(m, f) ? r1_options_origin(m->o, map_rows[f].name) : NULL;
}

bool fraud_map_fills(const fraud_map *m, fraud_field f) { return !m || map_row(m, f); }

const char *fraud_map_constant(const fraud_map *m, fraud_field f)
{
    return m ? json_string_value(m->constant[f]) : NULL;
}

size_t fraud_map_places(const fraud_map *m, const json_t *message, fraud_field f)
{
    size_t places = 1;
    if (m && m->lists[f]) (void)message_path_find(message, map_row(m, f), &places);
    return places;
}

const char *fraud_map_name(const fraud_map *m, fraud_field f)
{
    return m ? m->name[f] : fraud_fields[f].name;
}

fraud_kind fraud_map_kind(const fraud_map *m, const char *word)
{
    int kind = m ? fraud_words_find(&m->kinds, word, FRAUD_N_KIND) : FRAUD_N_KIND;
    return kind < FRAUD_N_KIND ? (fraud_kind)kind : fraud_kind_of(word);
}

fraud_role fraud_map_role(const fraud_map *m, const char *word)
{
    int role = m ? fraud_words_find(&m->roles, word, FRAUD_N_ROLE) : FRAUD_N_ROLE;
    return role < FRAUD_N_ROLE ? (fraud_role)role : fraud_role_of(word);
}

fraud_booking fraud_map_booking(const fraud_map *m, const json_t *message)
{
    char buf[32];
    if (!m || !map_row(m, FRAUD_F_BOOKING)) return FRAUD_BOOKING_DEBIT;
    const char *word = message_path_word(fraud_map_value(m, message, FRAUD_F_BOOKING), buf);
    int found =
        word ? fraud_words_find(&m->bookings, word, FRAUD_BOOKING_UNKNOWN) : FRAUD_BOOKING_UNKNOWN;
    return (fraud_booking)found;
}

bool fraud_map_leaves_out(const fraud_map *m, const json_t *message, r1_err *why)
{
    char word[64];
    if (!m || !json_is_object(message)) return false;
    const char *path = fraud_row_filter_hit(m->filter, message, word), *row = "leave-out";
    if (!path && m->credits_left_out && fraud_map_booking(m, message) == FRAUD_BOOKING_CREDIT) {
        char buf[32];
        path = map_row(m, FRAUD_F_BOOKING);
        row = "credits";
        snprintf(word, sizeof word, "%s",
                 message_path_word(fraud_map_value(m, message, FRAUD_F_BOOKING), buf));
    }
    if (!path) return false;
    (void)r1_err_set(why, R1_E_FORMAT, __FILE__, __LINE__,
                     "%.60s: left out by %.120s, found \"%s\"", path, r1_options_origin(m->o, row),
                     word);
    return true;
}

const char *fraud_map_condition(const fraud_map *m, size_t i)
{
    return m ? fraud_row_filter_path(m->filter, i) : NULL;
}

fraud_time_style fraud_map_time(const fraud_map *m)
{
    return m ? m->time : (fraud_time_style){.form = FRAUD_TIME_MS};
}

bool fraud_map_splits_time(const fraud_map *m) { return m && map_row(m, FRAUD_F_TS_TIME); }

const fraud_number_form *fraud_map_numbers(const fraud_map *m)
{
    return m ? m->numbers : &fraud_number_forms[0];
}

int fraud_map_sign(const fraud_map *m) { return m ? m->sign : 1; }

const char *fraud_map_version(const fraud_map *m) { return m ? m->version : ""; }
