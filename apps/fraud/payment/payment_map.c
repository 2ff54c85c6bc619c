/* SPDX-License-Identifier: GPL-3.0-or-later */
/* payment_map.c - see payment_map.h. The file is one of settings (r1_config.h), so its lines are
 * read and refused as everywhere. */
#include "payment/payment_map.h"

#include "config/r1_config.h"
#include "payment/words.h"
#include "text/nearest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define OPEN_WORDS  "your answer, the path of a field"
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
    [FRAUD_F_LON] = {"lon", false, "degrees, beside lat", "13.40"},
};

/* clang-format off */
#define ROW(of_name, of_section, words) \
    {.name = (of_name), .section = (of_section), .type = R1_OPT_STRING, .help = (words)}
#define FIELD(of_name) ROW(of_name, "fields", "path or \"constant\"")
#define WORDS(of_name, of_section) ROW(of_name, of_section, "words, with commas")
static const r1_option map_rows[] = { /* first one for each field, in their order */
    FIELD("tx-id"), FIELD("ts"), FIELD("ts-time"), FIELD("kind"), FIELD("from"), FIELD("to"),
    FIELD("from-role"), FIELD("to-role"), FIELD("currency"), FIELD("amount-minor"),
    FIELD("amount"), FIELD("country"),
    FIELD("channel"), FIELD("category"), FIELD("device"), FIELD("text"),
    FIELD("from-balance-minor"), FIELD("to-balance-minor"), FIELD("from-balance"),
    FIELD("to-balance"), FIELD("lat"), FIELD("lon"),
    {.name = "format", .section = "time", .type = R1_OPT_STRING, .def = "ms", .help = "of ts"},
    {.name = "zone", .section = "time", .type = R1_OPT_STRING,
     .help = "of ts; none: UTC, with a note"},
    {.name = "amounts", .section = "money", .type = R1_OPT_STRING, .def = "1234.50",
     .help = "how texts write 1234.50"},
    {.name = "sign", .section = "money", .type = R1_OPT_ENUM, .choices = "positive|negative",
     .def = "positive", .help = "of payments; the other one is of refunds"},
    WORDS("transfer", "kinds"), WORDS("cash", "kinds"), WORDS("card", "kinds"),
    WORDS("account", "roles"), WORDS("merchant", "roles"), WORDS("external", "roles"),
    WORDS("card-role", "roles"),
};
/* clang-format on */

enum { PATH_PARTS_MAX = 12, WORDS_MAX = 256 };

typedef struct {
    const char *word; /* in map.text */
    size_t len;
    int value;
} map_word;

struct fraud_map {
    r1_options *o;
    json_t *constant[FRAUD_N_F];
    char name[FRAUD_N_F][160];
    bool lists[FRAUD_N_F]; /* the path may lead through a list */
    map_word kind[WORDS_MAX], role[WORDS_MAX];
    size_t n_kind, n_role;
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

/* Bytes of [key=value] at the end of a part; 0: it is none, and belongs to a name. */
static size_t path_select(const char *at)
{
    size_t sign = *at == '[' ? strcspn(at, "=].") : 0, end = sign ? strcspn(at, "]") : 0;
    bool good =
        sign > 1 && at[sign] == '=' && at[end] == ']' && (!at[end + 1] || at[end + 1] == '.');
    return good ? end + 1 : 0;
}

/* Bytes of the first part of a path, up to a point outside of such brackets. */
static size_t path_part(const char *path)
{
    size_t n = 0;
    while (path[n] && path[n] != '.') {
        size_t select = path_select(path + n);
        n += select ? select : 1;
    }
    return n;
}

/* The bracket of a part of n bytes; NULL: it is a name. */
static const char *part_select(const char *part, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (path_select(part + i) == n - i) return part + i;
    return NULL;
}

/* "EUR" in quotes is a constant, anything else a path. */
static r1_status load_field(fraud_map *m, fraud_field f, r1_err *err)
{
    const char *text = map_row(m, f);
    snprintf(m->name[f], sizeof m->name[f], "%s", fraud_fields[f].name);
    if (!text) return R1_OK;
    size_t len = strlen(text);
    if (!strcmp(text, "?")) return map_expected(m, map_rows[f].name, OPEN_WORDS, err);
    if (*text == '"') {
        if (len < 3 || text[len - 1] != '"')
            return map_expected(m, map_rows[f].name, "a constant between quotes", err);
        m->constant[f] = json_stringn(text + 1, len - 2);
        if (!m->constant[f]) return map_expected(m, map_rows[f].name, "UTF-8", err);
        return R1_OK;
    }
    if (!len || *text == '.' || text[len - 1] == '.' || strstr(text, ".."))
        return map_expected(m, map_rows[f].name, "a path such as data.amount", err);
    int parts = 0;
    for (size_t at = 0, n; at <= len; at += n + 1) {
        n = path_part(text + at);
        parts++;
        m->lists[f] =
            m->lists[f] || part_select(text + at, n) || (at && text[at] >= '0' && text[at] <= '9');
    }
    if (parts > PATH_PARTS_MAX)
        return map_expected(m, map_rows[f].name, "a path of at most 12 parts", err);
    if (strcmp(text, fraud_fields[f].name) != 0)
        snprintf(m->name[f], sizeof m->name[f], "%.80s (%s)", text, fraud_fields[f].name);
    return R1_OK;
}

/* The words of one row, separated by commas. */
static r1_status load_words(fraud_map *m, const char *row, map_word *words, size_t *n, int value,
                            r1_err *err)
{
    const char *at = r1_options_str(m->o, row);
    while (at && *at) {
        at += strspn(at, " ,");
        size_t len = strcspn(at, ",");
        while (len && at[len - 1] == ' ') len--;
        if (len && *n == WORDS_MAX) return map_expected(m, row, "fewer words", err);
        if (len) words[(*n)++] = (map_word){at, len, value};
        at += strcspn(at, ",");
    }
    return R1_OK;
}

/* A word that a row above has too would never be read as this one. */
static r1_status load_word_once(const fraud_map *m, const char *row, const map_word *words,
                                size_t begin, size_t n, r1_err *err)
{
    for (size_t i = begin; i < n; i++)
        for (size_t k = 0; k < begin; k++)
            if (words[i].len == words[k].len &&
                !strncasecmp(words[i].word, words[k].word, words[i].len))
                R1_FAIL(err, R1_E_INVAL,
                        "%s: %s: expected words that no row above has, found \"%.*s\" there too",
                        r1_options_origin(m->o, row), row, (int)words[i].len, words[i].word);
    return R1_OK;
}

static r1_status load_all_words(fraud_map *m, r1_err *err)
{
    static const struct {
        const char *row;
        int value;
    } kinds[] = {{"transfer", FRAUD_KIND_TRANSFER},
                 {"card", FRAUD_KIND_CARD},
                 {"cash", FRAUD_KIND_CASH}},
      roles[] = {{"account", FRAUD_ROLE_ACCOUNT},
                 {"merchant", FRAUD_ROLE_MERCHANT},
                 {"external", FRAUD_ROLE_EXTERNAL},
                 {"card-role", FRAUD_ROLE_CARD}};
    for (size_t i = 0; i < R1_COUNT(kinds); i++) {
        size_t begin = m->n_kind;
        R1_TRY(load_words(m, kinds[i].row, m->kind, &m->n_kind, kinds[i].value, err));
        R1_TRY(load_word_once(m, kinds[i].row, m->kind, begin, m->n_kind, err));
    }
    for (size_t i = 0; i < R1_COUNT(roles); i++) {
        size_t begin = m->n_role;
        R1_TRY(load_words(m, roles[i].row, m->role, &m->n_role, roles[i].value, err));
        R1_TRY(load_word_once(m, roles[i].row, m->role, begin, m->n_role, err));
    }
    return R1_OK;
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
    return map_expected(m, "currency", "a code of ISO 4217 in quotes, or a path", err);
}

static r1_status load_kind_constant(const fraud_map *m, r1_err *err)
{
    static const char *const words[] = {"transfer", "card", "cash", NULL};
    const char *kind = json_string_value(m->constant[FRAUD_F_KIND]);
    if (!kind || fraud_map_kind(m, kind) < FRAUD_N_KIND) return R1_OK;
    return map_expected_of(m, "kind", "transfer, card or cash in quotes, or a path", words, err);
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
    map_note(faults, load_all_words(m, why));
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
    r1_options_free(m->o);
    free(m);
}

/* ---- asking ---- */

static bool map_place_fits(const json_t *place, const char *key, size_t n, const char *value,
                           size_t len)
{
    const json_t *v = json_object_getn(place, key, n);
    return json_is_string(v) && json_string_length(v) == len &&
           !memcmp(json_string_value(v), value, len);
}

/* The place of a list whose key has this value: parties[role=debtor]. *places: how many have it,
 * where more than one. A list that was written as its only object is one place. */
static const json_t *map_select(const json_t *in, const char *part, size_t n, const char *mark,
                                size_t *places)
{
    const json_t *list = json_object_getn(in, part, (size_t)(mark - part)), *found = NULL;
    size_t key = strcspn(mark, "=") - 1, count = 0,
           size = json_is_array(list) ? json_array_size(list) : 1;
    const char *value = mark + key + 2;
    for (size_t i = 0; i < size; i++) {
        const json_t *place = json_is_array(list) ? json_array_get(list, i) : list;
        if (!map_place_fits(place, mark + 1, key, value, (size_t)(part + n - 1 - value))) continue;
        if (!count++) found = place;
    }
    if (count > 1) *places = count;
    return found;
}

/* The value under the first part of a path, in an object by its key and in a list by its place. */
static const json_t *map_step(const json_t *in, const char *path, size_t n, size_t *places)
{
    char *end;
    const char *mark = part_select(path, n);
    if (json_is_object(in) && mark && !json_object_getn(in, path, n))
        return map_select(in, path, n, mark, places);
    if (!json_is_array(in)) return json_object_getn(in, path, n);
    if (*path < '0' || *path > '9') return NULL;
    unsigned long place = strtoul(path, &end, 10);
    return end == path + n ? json_array_get(in, place) : NULL;
}

/* "a.b.0.c" in objects and lists within each other. *places: of a list on the way with more than
 * one. */
static const json_t *map_walk(const json_t *in, const char *path, size_t *places)
{
    const json_t *whole = json_object_get(in, path);
    for (int i = 0; !whole && in && i < PATH_PARTS_MAX; i++) {
        size_t n = path_part(path);
        if (json_array_size(in) > 1) *places = json_array_size(in);
        in = map_step(in, path, n, places);
        if (!path[n]) return in;
        path += n + 1;
    }
    return whole;
}

const json_t *fraud_map_value(const fraud_map *m, const json_t *message, fraud_field f)
{
    const json_t *v = NULL;
    size_t places = 1;
    if (!m)
        v = json_object_get(message, fraud_fields[f].name);
    else if (m->constant[f])
        v = m->constant[f];
    else if (map_row(m, f))
        v = map_walk(message, map_row(m, f), &places);
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

size_t fraud_map_places(const fraud_map *m, const json_t *message, fraud_field f)
{
    size_t places = 1;
    if (m && m->lists[f]) (void)map_walk(message, map_row(m, f), &places);
    return places;
}

const char *fraud_map_name(const fraud_map *m, fraud_field f)
{
    return m ? m->name[f] : fraud_fields[f].name;
}

static int map_find(const map_word *words, size_t n, const char *text, int missing)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(text) == words[i].len && !strncasecmp(text, words[i].word, words[i].len))
            return words[i].value;
    return missing;
}

fraud_kind fraud_map_kind(const fraud_map *m, const char *word)
{
    int kind = m ? map_find(m->kind, m->n_kind, word, FRAUD_N_KIND) : FRAUD_N_KIND;
    return kind < FRAUD_N_KIND ? (fraud_kind)kind : fraud_kind_of(word);
}

fraud_role fraud_map_role(const fraud_map *m, const char *word)
{
    int role = m ? map_find(m->role, m->n_role, word, FRAUD_N_ROLE) : FRAUD_N_ROLE;
    return role < FRAUD_N_ROLE ? (fraud_role)role : fraud_role_of(word);
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
