/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check_propose.c - see check_propose.h. */
#include "check/check_propose.h"

#include "payment/decimal.h"
#include "text/r1_utf8.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WALK_DEPTH_MAX = 6 };

/* Names that others give to our fields, in English, German and ISO 20022, without regard to case,
 * points, blanks, _ and -. An umlaut falls out, so whrung is one. The first name that a message has
 * is taken; a name fits the whole path or its last part. */
static const struct {
    fraud_field f;
    const char *names[32]; /* up to a NULL */
} alike[] = {
    {FRAUD_F_TX_ID,
     {"txid", "transactionid", "paymentid", "endtoendid", "transactionref", "reference", "trxid",
      "uuid", "eventid", "buchungsid", "buchungsnummer", "transaktionsid", "instrid", "umsatzid",
      "belegnummer", "referenz", "id"}},
    {FRAUD_F_TS,
     {"ts",          "timestamp",  "bookedat",     "createdat",  "datetime",      "transactiondate",
      "bookingdate", "executedat", "eventtime",    "occurredat", "accptncdttm",   "credttm",
      "zeitstempel", "zeitpunkt",  "buchungszeit", "time",       "buchungsdatum", "buchungstag",
      "bookgdt",     "datum",      "date",         "created"}},
    {FRAUD_F_KIND,
     {"kind", "paymenttype", "transactiontype", "paymentmethod", "method", "zahlungsart",
      "buchungsart", "umsatzart", "type"}},
    {FRAUD_F_FROM,
     {"from",
      "debtoriban",
      "senderiban",
      "payeriban",
      "debtoraccount",
      "fromaccount",
      "senderaccount",
      "sourceaccount",
      "dbtracctidiban",
      "dbtracct",
      "debtoraccountiban",
      "auftraggeberiban",
      "auftraggeber",
      "zahler",
      "absender",
      "sender",
      "payer",
      "debtor",
      "source",
      "nameorig",
      "accountfrom",
      "cardnumber",
      "cardid",
      "customerid",
      "customer"}},
    {FRAUD_F_TO,
     {"to",
      "creditoriban",
      "receiveriban",
      "payeeiban",
      "creditoraccount",
      "toaccount",
      "receiveraccount",
      "targetaccount",
      "cdtracctidiban",
      "cdtracct",
      "creditoraccountiban",
      "empfaengeriban",
      "empfaenger",
      "empfngeriban",
      "empfnger",
      "beguenstigter",
      "zahlungsempfaenger",
      "beneficiary",
      "receiver",
      "payee",
      "creditor",
      "target",
      "namedest",
      "accountto",
      "merchantid",
      "merchant",
      "recipient"}},
    {FRAUD_F_CURRENCY, {"currency", "currencycode", "ccy", "cur", "waehrung", "whrung"}},
    {FRAUD_F_AMOUNT,
     {"amount", "amountvalue", "betrag", "instdamt", "amt", "value", "sum", "summe", "total",
      "price"}},
    {FRAUD_F_AMOUNT_MINOR, {"amountminor", "amountcents", "amountincents", "cents"}},
    {FRAUD_F_COUNTRY, {"country", "countrycode", "merchantcountry", "land"}},
    {FRAUD_F_CHANNEL, {"channel", "origin", "entrymode"}},
    {FRAUD_F_CATEGORY, {"category", "mcc", "merchantcategory"}},
    {FRAUD_F_DEVICE, {"device", "deviceid", "devicefingerprint", "fingerprint"}},
    {FRAUD_F_TEXT,
     {"text", "remittanceinformation", "remittance", "description", "verwendungszweck", "ustrd",
      "purpose", "memo", "message", "note"}},
    {FRAUD_F_FROM_BALANCE, {"frombalance", "oldbalanceorg", "balancebefore", "balance"}},
    {FRAUD_F_LAT, {"lat", "latitude"}},
    {FRAUD_F_LON, {"lon", "lng", "longitude"}},
};

/* ---- what their messages have ---- */

static check_path *path_of(check_proposal *p, const char *path)
{
    for (size_t i = 0; i < p->n; i++)
        if (!strcmp(p->path[i].path, path)) return &p->path[i];
    if (p->n == CHECK_PATHS_MAX) return NULL;
    check_path *x = &p->path[p->n++];
    snprintf(x->path, sizeof x->path, "%s", path);
    x->numbers = x->iso = x->zone = true;
    return x;
}

static void path_see(check_path *x, const json_t *v)
{
    char buf[32];
    const char *number = fraud_json_number(v, buf), *text = json_string_value(v);
    int64_t whole, ms;
    bool zone = false;
    if (!number && !text) text = "";
    fraud_decimal st = fraud_decimal_read(number ? number : text, 0, &whole);
    x->n++;
    x->numbers = x->numbers && st != FRAUD_DECIMAL_NONE;
    x->fractions = x->fractions || st == FRAUD_DECIMAL_FINE ||
                   (st != FRAUD_DECIMAL_NONE && strchr(number ? number : text, '.'));
    x->iso = x->iso && !number && fraud_time_iso(text, 0, &ms, &zone);
    x->zone = x->zone && zone;
    x->zones = x->zones || zone;
    if (st == FRAUD_DECIMAL_GOOD && whole > x->largest) x->largest = whole;
    if (*x->example) return;
    r1_utf8_clean(x->example, sizeof x->example, number ? number : text);
    for (char *c = x->example; *c; c++) /* it goes into a line of the mapping file */
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = ' ';
}

/* A path that a line of the mapping file can hold. */
static bool path_is_plain(const char *path)
{
    for (const char *c = path; *c; c++)
        if ((unsigned char)*c < 0x20 || strchr("=;#\"", *c)) return false;
    return *path && *path != ' ' && path[strlen(path) - 1] != ' ';
}

static void walk_object(check_proposal *p, const json_t *o, const char *above, int depth)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)o, key, v)
    {
        char path[CHECK_PATH_BYTES];
        int n = snprintf(path, sizeof path, "%s%s%s", above, *above ? "." : "", key);
        if (n >= (int)sizeof path || json_is_null(v) || !path_is_plain(path)) continue;
        if (json_is_object(v) && depth < WALK_DEPTH_MAX)
            walk_object(p, v, path, depth + 1);
        else if (json_is_string(v) || json_is_number(v)) {
            check_path *x = path_of(p, path);
            if (x) path_see(x, v);
        }
    }
}

/* ---- what looks like ours ---- */

/* Letters and digits in lower case. */
static void plain_name(const char *name, char *out, size_t size)
{
    size_t n = 0;
    for (; *name && n + 1 < size; name++)
        if (isalnum((unsigned char)*name)) out[n++] = (char)tolower((unsigned char)*name);
    out[n] = 0;
}

static bool name_fits(const check_path *x, const char *name)
{
    char plain[CHECK_PATH_BYTES], *last = strrchr(x->path, '.');
    plain_name(x->path, plain, sizeof plain);
    if (!strcmp(plain, name)) return true;
    if (!last) return false;
    plain_name(last, plain, sizeof plain);
    if (!strcmp(plain, name)) return true;
    size_t n = strlen(name), whole; /* data.debtor.iban is debtoriban */
    plain_name(x->path, plain, sizeof plain);
    whole = strlen(plain);
    return n > 6 && whole > n && !strcmp(plain + whole - n, name);
}

static check_path *find_alike(check_proposal *p, const char *const *names)
{
    for (; *names; names++)
        for (size_t i = 0; i < p->n; i++)
            if (!p->path[i].taken && name_fits(&p->path[i], *names)) return &p->path[i];
    return NULL;
}

/* The pattern of strptime that reads the text; the first one where none does. */
static const char *time_pattern(const char *text)
{
    static const char *const patterns[] = {
        "%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y",
        "%Y-%m-%d",          "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y"};
    int64_t ms;
    for (size_t i = 0; i < R1_COUNT(patterns); i++)
        if (fraud_time_pattern(text, patterns[i], 0, &ms)) return patterns[i];
    return patterns[0];
}

static const char *time_format(const check_path *x)
{
    if (!x || x->iso) return "iso";
    if (!x->numbers) return time_pattern(x->example);
    return x->largest < 100000000000         ? "s"
           : x->largest < 100000000000000    ? "ms"
           : x->largest < 100000000000000000 ? "us"
                                             : "ns";
}

/* Values of a field that is called amount may be minor units. That cannot be seen where all are
 * whole numbers, so the proposal says units and a person decides. */
void check_propose(check_proposal *p, const check_input *in)
{
    memset(p, 0, sizeof *p);
    for (size_t i = 0; i < in->n && i < CHECK_SAMPLE; i++) {
        fraud_json json;
        if (fraud_json_read(in->text[i], strlen(in->text[i]), &json, NULL) != R1_OK) continue;
        if (json_is_object(json.root)) walk_object(p, json.root, "", 0);
        json_decref(json.root);
    }
    for (size_t i = 0; i < R1_COUNT(alike); i++) {
        check_path *x = find_alike(p, alike[i].names);
        if (x) x->taken = true;
        p->of[alike[i].f] = x;
    }
    if (p->of[FRAUD_F_AMOUNT] && p->of[FRAUD_F_AMOUNT_MINOR]) p->of[FRAUD_F_AMOUNT] = NULL;
    p->format = time_format(p->of[FRAUD_F_TS]);
    p->kind = p->of[FRAUD_F_KIND] ? NULL : "transfer";
    p->currency = p->of[FRAUD_F_CURRENCY] ? NULL : "EUR";
}

bool check_holds_for_all(fraud_field f) { return f == FRAUD_F_KIND || f == FRAUD_F_CURRENCY; }

/* ---- the file ---- */

static void put_fields(const check_proposal *p, FILE *f)
{
    fprintf(f, "[fields]\n");
    for (int i = 0; i < FRAUD_N_F; i++) {
        const fraud_field_words *w = &fraud_fields[i];
        const char *constant = i == FRAUD_F_KIND       ? p->kind
                               : i == FRAUD_F_CURRENCY ? p->currency
                                                       : NULL;
        bool money = i == FRAUD_F_AMOUNT_MINOR && p->of[FRAUD_F_AMOUNT];
        if (constant)
            fprintf(f,
                    "; no field of the messages looks like %s: is this constant right?\n"
                    "%s = \"%s\"\n",
                    w->name, w->name, constant);
        else if (p->of[i])
            fprintf(f, "; %s, found for instance %s\n%s = %s\n", w->expected, p->of[i]->example,
                    w->name, p->of[i]->path);
        else if (w->required && !money)
            fprintf(f, "; needed: %s, as %s; write the path of your field behind the =\n; %s =\n",
                    w->expected, w->example, w->name);
    }
}

static void put_zone(const check_path *ts, FILE *f)
{
    if (!ts)
        fprintf(f, "; No field looks like the time. The zone of times that have no offset:\n");
    else if (ts->numbers || ts->zone)
        return; /* nothing to ask */
    else
        fprintf(f, "; %s no offset. Which one holds?\n",
                ts->zones ? "Some times have" : "The times have");
    fprintf(f, "zone = Z\n");
}

char *check_propose_text(const check_proposal *p)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    if (!f) return NULL;
    fprintf(f, "; Made by r1-fraud check from a sample. Read it before you use it:\n"
               ";   r1-fraud check --map THIS --in FILE\n"
               "; A path names objects within objects with points; a \"text\" in quotes holds for "
               "all messages.\n");
    put_fields(p, f);
    const check_path *amount = p->of[FRAUD_F_AMOUNT];
    if (amount && !amount->numbers)
        fprintf(f, "; Some amounts are no decimal numbers with a point, as 1125.50, and cannot be "
                   "scored.\n");
    else if (amount && !amount->fractions)
        fprintf(f, "; All amounts are whole numbers. If they are cents, write amount_minor in the "
                   "place of amount.\n");
    fprintf(f, "\n[time]\nformat = %s\n", p->format);
    put_zone(p->of[FRAUD_F_TS], f);
    fprintf(f, "\n; Your words for our kinds, with commas; common ones are known.\n[kinds]\n"
               "; transfer = SCT, internal\n; card = POS\n; cash = ATM\n");
    fclose(f);
    return text;
}
