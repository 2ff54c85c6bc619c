/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check_propose.c - see check_propose.h. */
#include "check/check_propose.h"

#include "check/check_ends.h"
#include "payment/decimal.h"
#include "payment/words.h"
#include "text/r1_utf8.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WALK_DEPTH_MAX = 11, PLACES_MAX = 16 };

/* Names that others give to our fields, in English, German and ISO 20022, without regard to case,
 * points, blanks, _ and -. An umlaut falls out, so whrung is one. The first name that a message has
 * is taken; a name fits the whole path or its last part. */
static const struct {
    fraud_field f;
    const char *names[96]; /* up to a NULL */
} alike[] = {
    {FRAUD_F_TX_ID,
     {"txid",
      "transactionid",
      "paymentid",
      "endtoendid",
      "transactionref",
      "reference",
      "trxid",
      "uuid",
      "eventid",
      "buchungsid",
      "buchungsnummer",
      "transaktionsid",
      "instrid",
      "umsatzid",
      "belegnummer",
      "referenz",
      "id",
      "txnid",
      "transid",
      "trxref",
      "txnref",
      "tranid",
      "belnr",
      "ref",
      "referencia",
      "riferimento",
      "rfrence",
      "idoid",
      "messageid",
      "pspreference",
      "utr",
      "kundenreferenz",
      "rrn",
      "nsu",
      "msgid",
      "20",
      "buchungsnr",
      "transaktionsnummer",
      "transaktionsnr",
      "belegnr",
      "vorgangsnummer",
      "vorgang",
      "orderid",
      "orderno",
      "ordernumber",
      "numerooperacion",
      "idoperacion"}},
    {FRAUD_F_TS,
     {"ts",
      "timestamp",
      "bookedat",
      "createdat",
      "datetime",
      "transactiondate",
      "bookingdate",
      "executedat",
      "eventtime",
      "occurredat",
      "accptncdttm",
      "credttm",
      "zeitstempel",
      "zeitpunkt",
      "buchungszeit",
      "time",
      "buchungsdatum",
      "buchungstag",
      "bookgdt",
      "datum",
      "date",
      "created",
      "bookingdatetime",
      "transactiondatetime",
      "txndatetime",
      "txntime",
      "txndate",
      "transdate",
      "trandate",
      "txdate",
      "valuedate",
      "budat",
      "dateopration",
      "dateoperation",
      "fecha",
      "dataoperazione",
      "datecreated",
      "creationdate",
      "datahora",
      "bookgdtdttm",
      "valdtdttm",
      "bookgdtdt",
      "valdtdt",
      "createdatdate",
      "timestampdate"}},
    {FRAUD_F_TS_TIME,
     {"tstime",
      "timeofday",
      "uhrzeit",
      "buchungsuhrzeit",
      "buchungszeit",
      "bookingtime",
      "transactiontime",
      "txtime",
      "trxtime",
      "valuetime",
      "executiontime",
      "time",
      "zeit",
      "transtime",
      "txntime",
      "trantime",
      "cputm",
      "heure",
      "hora",
      "ora"}},
    {FRAUD_F_KIND,
     {"kind", "paymenttype", "transactiontype", "paymentmethod", "method", "zahlungsart",
      "buchungsart", "umsatzart", "type", "txntype", "transtype", "trantype", "txtype", "blart",
      "typeoperation", "typeopration", "tipo", "buchungstext"}},
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
      "nameorig",
      "accountfrom",
      "cardnumber",
      "cardid",
      "customerid",
      "customer",
      "payeraccount",
      "fromacct",
      "fromaccountnumber",
      "sourceacct",
      "senderaccountid",
      "payeraccountid",
      "debtoraccountidentification",
      "payervpa",
      "originaccount",
      "comptemetteur",
      "compteemetteur",
      "ordenante",
      "ordinante",
      "opdrachtgever",
      "dbtracctidothrid",
      "pan",
      "senderid",
      "payerid",
      "50k",
      "50a",
      "50f",
      "absenderkto",
      "auftraggeberkonto",
      "originatoraccount",
      "pagador",
      "pagadorchave",
      "chavepagador",
      "contapagador",
      "shopperreference",
      "originatoriban",
      "remitteraccount",
      "source",
      "cardtoken",
      "konto",
      "kontonr",
      "kontonummer",
      "auftragskonto",
      "cuentaorigen",
      "cuentaordenante",
      "cuentacargo",
      "src",
      "orig",
      "von",
      "sourceid",
      "fromid",
      "contaorigem",
      "contoorigine",
      "rekening"}},
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
      "recipient",
      "payeeaccount",
      "toacct",
      "toaccountnumber",
      "targetacct",
      "receiveraccountid",
      "payeeaccountid",
      "creditoraccountidentification",
      "payeevpa",
      "beneficiaryaccount",
      "comptebnficiaire",
      "comptebeneficiaire",
      "beneficiario",
      "begunstigde",
      "cdtracctidothrid",
      "receiverid",
      "payeeid",
      "59",
      "59a",
      "59f",
      "empfkto",
      "empfaengerkonto",
      "recebedor",
      "recebedorchave",
      "chaverecebedor",
      "contarecebedor",
      "merchantaccount",
      "auftraggeberbegnstigter",
      "empfngerkonto",
      "gegenkonto",
      "gegenkontonr",
      "gegenkontonummer",
      "gegenkontoiban",
      "ibangegenkonto",
      "cuentadestino",
      "cuentabeneficiario",
      "cuentaabono",
      "dst",
      "dest",
      "destination",
      "destinationaccount",
      "an",
      "targetid",
      "toid",
      "contadestino",
      "contodestinazione",
      "tegenrekening"}},
    {FRAUD_F_CURRENCY,
     {"currency", "currencycode", "ccy", "cur", "waehrung", "whrung", "waers", "devise", "divisa",
      "moneda", "moeda", "munt", "grosscurrency"}},
    {FRAUD_F_AMOUNT,
     {"amount",
      "amountvalue",
      "betrag",
      "grosscredit",
      "grossamount",
      "instdamt",
      "amt",
      "value",
      "sum",
      "summe",
      "total",
      "price",
      "intrbksttlmamttext",
      "instdamttext",
      "intrbksttlmamtvalue",
      "instdamtvalue",
      "intrbksttlmamt",
      "txnamount",
      "transactionamount",
      "wrbtr",
      "montant",
      "importe",
      "importo",
      "bedrag",
      "valor"}},
    {FRAUD_F_AMOUNT_MINOR, {"amountminor", "amountcents", "amountincents", "cents"}},
    {FRAUD_F_COUNTRY, {"country", "countrycode", "merchantcountry", "land"}},
    {FRAUD_F_CHANNEL, {"channel", "origin", "entrymode", "kanal", "canal", "kanaal"}},
    {FRAUD_F_CATEGORY, {"category", "mcc", "merchantcategory"}},
    {FRAUD_F_DEVICE, {"device", "deviceid", "devicefingerprint", "fingerprint"}},
    {FRAUD_F_TEXT,
     {"text", "remittanceinformation", "remittance", "description", "verwendungszweck", "ustrd",
      "purpose", "memo", "message", "note", "transactioninformation", "ustrd0", "concepto",
      "causale", "libelle", "libell", "rmtinfustrd0", "70", "remarks"}},
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
    return x;
}

/* 1.76723E+12: a spreadsheet shows a long number so, and its last digits are lost. */
static bool looks_rounded(const char *text)
{
    size_t n = strspn(text, "0123456789.,");
    return n && n < 12 && text[n] == 'E' && text[n + 1] == '+' && text[n + 2] &&
           !text[n + 2 + strspn(text + n + 2, "0123456789")];
}

/* Somebody's text as it can stand in a line of the mapping file. */
static void line_text(char *out, size_t size, const char *text)
{
    r1_utf8_clean(out, size, text);
    for (char *c = out; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = ' ';
}

static void path_see(check_path *x, size_t message, const json_t *v)
{
    char buf[32];
    const char *number = fraud_json_number(v, buf), *text = json_string_value(v);
    int64_t whole;
    x->flag = x->flag || json_is_boolean(v);
    if (!number && !text) text = json_is_true(v) ? "true" : json_is_false(v) ? "false" : "";
    if (number) text = number;
    fraud_decimal st = fraud_decimal_read(text, 0, &whole);
    x->value[message] = v;
    x->n++;
    x->fractions =
        x->fractions || st == FRAUD_DECIMAL_FINE || (st != FRAUD_DECIMAL_NONE && strchr(text, '.'));
    bool below = *text == '-' || (*text && text[strlen(text) - 1] == '-');
    x->negative = x->negative || below;
    x->positive = x->positive || (!below && *text >= '0' && *text <= '9');
    if (!number && !*x->rounded && looks_rounded(text))
        snprintf(x->rounded, sizeof x->rounded, "%s", text);
    if (*x->example) return;
    line_text(x->example, sizeof x->example, text);
}

/* A path that a line of the mapping file can hold. */
static bool path_is_plain(const char *path)
{
    for (const char *c = path; *c; c++)
        if ((unsigned char)*c < 0x20 || (strchr("#;", *c) && (c == path || c[-1] == ' ')))
            return false;
    return *path && *path != ' ' && *path != '"' && path[strlen(path) - 1] != ' ';
}

static void walk_value(check_proposal *p, size_t message, const json_t *v, const char *path,
                       int depth);

/* What no row of a mapping file can name. */
static void walk_pass(check_proposal *p, const char *path)
{
    if (p->n_unnamed++) return;
    r1_utf8_clean(p->unnamed, sizeof p->unnamed, path);
}

static void walk_object(check_proposal *p, size_t message, const json_t *o, const char *above,
                        int depth)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)o, key, v)
    {
        char path[CHECK_PATH_BYTES];
        int n = snprintf(path, sizeof path, "%s%s%s", above, *above ? "." : "", key);
        if (n < (int)sizeof path && path_is_plain(path))
            walk_value(p, message, v, path, depth);
        else
            walk_pass(p, path);
    }
}

/* Letters and digits in lower case. */
static void plain_name(const char *name, char *out, size_t size)
{
    size_t n = 0;
    for (; *name && n + 1 < size; name++)
        if (isalnum((unsigned char)*name)) out[n++] = (char)tolower((unsigned char)*name);
    out[n] = 0;
}

static bool is_one_of(const char *name, const char *const *names)
{
    char plain[CHECK_PATH_BYTES];
    plain_name(name, plain, sizeof plain);
    while (*names && strcmp(*names, plain) != 0) names++;
    return *names;
}

static bool has_one_of(const json_t *o, const char *const *names)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)o, key, v) if (is_one_of(key, names)) return true;
    return false;
}

/* Whether each place of the list has another word under the key. */
static bool key_parts(const json_t *list, const char *key)
{
    const char *word[PLACES_MAX];
    size_t n = json_array_size(list);
    if (n > PLACES_MAX) return false;
    for (size_t i = 0; i < n; i++) {
        word[i] = json_string_value(json_object_get(json_array_get(list, i), key));
        if (!word[i] || !*word[i] || strlen(word[i]) > 31) return false;
        for (const char *c = word[i]; *c; c++)
            if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-') return false;
        for (size_t k = 0; k < i; k++)
            if (!strcmp(word[i], word[k])) return false;
    }
    return true;
}

/* The key that tells what each place of a list is, as the role of a party; NULL: none does. A list
 * of what has amounts is one of payments. */
static const char *list_key(const json_t *list)
{
    static const char *const parts[] = {"role", "party",     "partytype", "partyrole",
                                        "side", "direction", "relation",  "function",
                                        "type", "kind",      NULL},
                             *const money[] = {"amount", "amt",    "instdamt",    "value",
                                               "sum",    "betrag", "amountminor", NULL};
    const char *key;
    json_t *v;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)list, i, v) if (has_one_of(v, money)) return NULL;
    json_object_foreach(json_array_get(list, 0), key,
                        v) if (is_one_of(key, parts) && key_parts(list, key)) return key;
    return NULL;
}

/* Of a list the place that its key names, else the first one. A list of objects that has more of
 * them, without such a key, holds several payments, maybe. */
static void walk_list(check_proposal *p, size_t message, const json_t *v, const char *above,
                      int depth)
{
    char path[CHECK_PATH_BYTES];
    const json_t *first = json_array_get(v, 0);
    bool many = json_is_object(first) && json_array_size(v) > 1;
    const char *key = many ? list_key(v) : NULL;
    for (size_t i = 0; key && i < json_array_size(v); i++) {
        const json_t *place = json_array_get(v, i);
        int n = snprintf(path, sizeof path, "%s[%s=%s]", above, key,
                         json_string_value(json_object_get(place, key)));
        if (n < (int)sizeof path) walk_value(p, message, place, path, depth);
    }
    if (key) return;
    int n = snprintf(path, sizeof path, "%s.0", above);
    size_t len = strlen(p->list); /* a list within the one that was found goes before it */
    bool inner = p->many && !strncmp(above, p->list, len) && above[len] == '.';
    if (many && (inner || json_array_size(v) > p->many)) {
        p->many = json_array_size(v);
        snprintf(p->list, sizeof p->list, "%s", above);
    }
    if (first && n < (int)sizeof path) walk_value(p, message, first, path, depth);
}

static void walk_value(check_proposal *p, size_t message, const json_t *v, const char *path,
                       int depth)
{
    if (json_is_object(v) && depth < WALK_DEPTH_MAX)
        walk_object(p, message, v, path, depth + 1);
    else if (json_is_array(v) && depth < WALK_DEPTH_MAX)
        walk_list(p, message, v, path, depth + 1);
    else if (json_is_string(v) || json_is_number(v) || json_is_boolean(v)) {
        check_path *x = path_of(p, path);
        if (x)
            path_see(x, message, v);
        else
            walk_pass(p, path);
    }
}

/* ---- what looks like ours ---- */

/* The currency that a name ends in, as "Amount (INR)" or amount_eur; "" where it does not. Returns
 * the bytes of the name without it, and without what else stands in brackets at its end. */
static size_t path_name_end(const char *name, char code[4])
{
    size_t len = strlen(name), end = len;
    const char *open = len && name[len - 1] == ')' ? strrchr(name, '(') : NULL;
    const char *at = open ? open + 1 : len > 4 && name[len - 4] == '_' ? name + len - 3 : "";
    *code = 0;
    if (open) end = (size_t)(open - name);
    if (strlen(at) - (open != NULL) != 3 || !*at) return end;
    for (int i = 0; i < 3; i++) code[i] = (char)toupper((unsigned char)at[i]);
    code[3] = 0;
    if (fraud_currency_digits(code) < 0) return *code = 0, end;
    return open ? end : len - 4;
}

static bool plain_fits(const char *name, size_t len, const char *wanted)
{
    char cut[CHECK_PATH_BYTES], plain[CHECK_PATH_BYTES];
    snprintf(cut, sizeof cut, "%.*s", (int)len, name);
    plain_name(cut, plain, sizeof plain);
    if (!strcmp(plain, wanted)) return true;
    size_t n = strlen(wanted), whole = strlen(plain); /* data.debtor.iban is debtoriban */
    return strchr(cut, '.') && n > 6 && whole > n && !strcmp(plain + whole - n, wanted);
}

static bool name_fits(const check_path *x, const char *name)
{
    char code[4];
    const char *last = strrchr(x->path, '.');
    size_t len = strlen(x->path), cut = path_name_end(x->path, code);
    if (plain_fits(x->path, len, name) || plain_fits(x->path, cut, name)) return true;
    return last && plain_fits(last + 1, strlen(last + 1), name);
}

static check_values values_of(const check_proposal *p, const check_path *x, const check_path *clock)
{
    return (check_values){x->value, clock ? clock->value : NULL, p->n_message};
}

static bool path_is_date(const check_proposal *p, const check_path *x)
{
    check_values v = values_of(p, x, NULL);
    check_form form;
    check_time_form(&v, &form);
    return *form.form;
}

static bool path_is_clock(const check_proposal *p, const check_path *x)
{
    check_values v = values_of(p, x, NULL);
    return check_is_clock(&v);
}

typedef bool (*path_fits)(const check_proposal *p, const check_path *x);

static check_path *find_alike(check_proposal *p, const char *const *names, path_fits fits)
{
    for (; *names; names++)
        for (size_t i = 0; i < p->n; i++)
            if (!p->path[i].taken && !p->path[i].flag && name_fits(&p->path[i], *names) &&
                (!fits || fits(p, &p->path[i])))
                return &p->path[i];
    return NULL;
}

/* Names of the sign of a booking, and names that other things have too. */
/* clang-format off */
static const char *const booking_names[] = {
    "sollhaben", "sollhabenkennzeichen", "sollhabenkz", "sh", "shkennzeichen", "shkz", "shkzg",
    "habensoll", "debehaber", "haberdebe", "dh", "signo", "vorzeichen", "drcr", "crdr", "dc",
    "debitcredit", "creditdebit", "debitcreditindicator", "creditdebitindicator", "cdtdbtind",
    "dcindicator", "dcflag", "afbij", "dareavere", "cargoabono", "debitoderkredit", NULL};
static const char *const booking_like[] = {
    "direction", "richtung", "sens", "sign", "sgn", "type", "txntype", "transtype", "trantype",
    "transactiontype", "txtype", "tipo", "indicator", "umsatzart", "buchungsart", NULL};
/* clang-format on */

static bool name_is_one_of(const check_path *x, const char *const *names)
{
    while (*names && !name_fits(x, *names)) names++;
    return *names;
}

/* The field that tells debits from credits, by its name and by its values. */
static void propose_booking(check_proposal *p)
{
    for (int name = CHECK_BOOKING_NAMED; name <= CHECK_BOOKING_UNNAMED; name++)
        for (size_t i = 0; i < p->n; i++) {
            check_path *x = &p->path[i];
            const check_values v = values_of(p, x, NULL);
            if (name == CHECK_BOOKING_NAMED && !name_is_one_of(x, booking_names)) continue;
            if (name == CHECK_BOOKING_LIKE && !name_is_one_of(x, booking_like)) continue;
            if (!check_booking_of(&v, (check_booking_name)name, &p->booking)) continue;
            p->of[FRAUD_F_BOOKING] = x;
            x->taken = true;
            return;
        }
}

/* Whether the values are dates with a time of day that is not one for all messages, as that of a
 * file's creation is. */
static bool path_is_instant(const check_proposal *p, const check_path *x)
{
    check_values v = values_of(p, x, NULL);
    check_form form;
    const json_t *first = NULL;
    bool differ = p->n_message < 2;
    if (x->flag) return false;
    for (size_t i = 0; i < p->n_message; i++) {
        if (!first) first = x->value[i];
        differ = differ || (x->value[i] && !json_equal((json_t *)(uintptr_t)x->value[i],
                                                       (json_t *)(uintptr_t)first));
    }
    check_time_form(&v, &form);
    return differ && *form.form && !form.dates;
}

/* A field that is called a time, in the middle of its name maybe. */
static check_path *find_instant(check_proposal *p)
{
    static const char *const parts[] = {"timestamp", "datetime", "dttm", "zeitstempel",
                                        "zeitpunkt"};
    char plain[CHECK_PATH_BYTES];
    for (size_t k = 0; k < R1_COUNT(parts); k++)
        for (size_t i = 0; i < p->n; i++) {
            plain_name(p->path[i].path, plain, sizeof plain);
            if (!p->path[i].taken && strstr(plain, parts[k]) && path_is_instant(p, &p->path[i]))
                return &p->path[i];
        }
    return NULL;
}

/* The time by its name, a date at least. A date alone gives way to a date with its time of day,
 * unless that stands in a field of its own. */
static check_path *find_time(check_proposal *p, const char *const *names)
{
    check_path *x = find_alike(p, names, path_is_date), *better = NULL;
    check_form form = {.dates = true};
    if (x) {
        check_values v = values_of(p, x, NULL);
        check_time_form(&v, &form);
    }
    if (x && !form.dates) return x;
    better = find_alike(p, names, path_is_instant);
    if (!better) better = find_instant(p);
    return better ? better : x;
}

/* A date goes before what is called time and is a time of day. */
static check_path *find_field(check_proposal *p, fraud_field f, const char *const *names)
{
    check_path *x;
    if (f == FRAUD_F_TS && (x = find_time(p, names))) return x;
    if (f == FRAUD_F_TS_TIME) return p->of[FRAUD_F_TS] ? find_alike(p, names, path_is_clock) : NULL;
    return find_alike(p, names, NULL);
}

/* A time of day of its own means something beside a date alone, or beside its midnight. */
static void propose_time(check_proposal *p)
{
    const check_path *ts = p->of[FRAUD_F_TS], *clock = p->of[FRAUD_F_TS_TIME];
    p->of[FRAUD_F_TS_TIME] = NULL;
    if (!ts) return;
    check_values one = values_of(p, ts, NULL), two = values_of(p, ts, clock);
    check_form both = {0};
    check_time_form_of_most(&one, &p->time);
    if (clock) check_time_form_of_most(&two, &both);
    if (!*both.form) return;
    p->time = both;
    p->of[FRAUD_F_TS_TIME] = clock;
}

/* Fields that tell which rows are payments that happened, by their names or by their words: booked,
 * declined, reversed. */
static void propose_states(check_proposal *p)
{
    static const char *const names[] = {"status",
                                        "state",
                                        "responsecode",
                                        "respcode",
                                        "response",
                                        "resultcode",
                                        "result",
                                        "transactionstatus",
                                        "paymentstatus",
                                        "txnstatus",
                                        "txstatus",
                                        "sts",
                                        "stscd",
                                        "txsts",
                                        "estado",
                                        "stato",
                                        "statut",
                                        "buchungsstatus",
                                        "rvslind",
                                        "reversal",
                                        "reversed",
                                        "isreversal",
                                        "reversalindicator",
                                        "storno",
                                        "stornokennzeichen",
                                        "cancelled",
                                        "canceled",
                                        "iscancelled",
                                        "isrefund",
                                        "refund",
                                        "refunded",
                                        "declined",
                                        "voided",
                                        "isvoid",
                                        "istest",
                                        "test",
                                        "testmode",
                                        NULL};
    for (size_t i = 0; i < p->n && p->n_state < CHECK_STATES_MAX; i++) {
        const check_path *x = &p->path[i];
        const check_values v = values_of(p, x, NULL);
        char *words = p->state[p->n_state].words;
        if (x->taken || x == p->sign) continue;
        if (name_is_one_of(x, names) ? check_few_words(&v, words) : check_odd_words(&v, words))
            p->state[p->n_state++].path = x;
    }
}

/* Signs of bookings beside names that say who pays: not one account in from for all of them. */
static void propose_no_sign(check_proposal *p)
{
    const check_path *from = p->of[FRAUD_F_FROM], *to = p->of[FRAUD_F_TO];
    const json_t *first = NULL;
    bool differ = false;
    if (!p->of[FRAUD_F_BOOKING] || !from || !to || !check_ends_tell(from->path, to->path)) return;
    for (size_t i = 0; i < p->n_message; i++) {
        if (!first) first = from->value[i];
        differ = differ || (from->value[i] && !json_equal((json_t *)(uintptr_t)from->value[i],
                                                          (json_t *)(uintptr_t)first));
    }
    if (!differ && p->n_message > 1) return;
    p->sign = p->of[FRAUD_F_BOOKING];
    p->of[FRAUD_F_BOOKING] = NULL;
    p->path[p->sign - p->path].taken = false;
}

/* A field of countries: its name says so, and all values are some. */
static bool path_is_country(const check_path *x)
{
    static const char *const names[] = {"land", "pais", "pays", "paese", NULL};
    char plain[CHECK_PATH_BYTES];
    const char *last = strrchr(x->path, '.');
    plain_name(last ? last + 1 : x->path, plain, sizeof plain);
    if (!strstr(plain, "country") && !is_one_of(plain, names)) return false;
    for (size_t i = 0; i < CHECK_SAMPLE; i++) {
        const char *text = json_string_value(x->value[i]);
        if (!x->value[i] || (text && !*text)) continue;
        if (!text || !fraud_country_of(text)) return false;
    }
    return true;
}

/* Where there are several, a name does not tell which of them is the place of payment. */
static void propose_country(check_proposal *p)
{
    size_t n = 0, len = 0;
    for (size_t i = 0; i < p->n; i++) {
        if (!path_is_country(&p->path[i])) continue;
        if (len < sizeof p->countries)
            len += (size_t)snprintf(p->countries + len, sizeof p->countries - len, "%s%s",
                                    n ? ", " : "", p->path[i].path);
        n++;
    }
    if (n < 2)
        *p->countries = 0;
    else
        p->of[FRAUD_F_COUNTRY] = NULL;
}

static void propose_fields(check_proposal *p)
{
    for (size_t i = 0; i < R1_COUNT(alike); i++) {
        check_path *x = find_field(p, alike[i].f, alike[i].names);
        if (x) x->taken = true;
        p->of[alike[i].f] = x;
    }
    if (p->of[FRAUD_F_AMOUNT] && p->of[FRAUD_F_AMOUNT_MINOR]) p->of[FRAUD_F_AMOUNT] = NULL;
}

/* ---- what no name tells: find_held asks of paths that are in all messages ---- */

/* Numbers count as times from 2001 on in seconds: smaller ones are amounts, and ids that count. */
static bool path_holds_times(const check_proposal *p, const check_path *x)
{
    for (size_t i = 0; i < p->n_message; i++) {
        char buf[32], *end = buf;
        const char *text = fraud_json_number(x->value[i], buf);
        if (!text) text = json_string_value(x->value[i]);
        if (text && strtod(text, &end) < 1e9 && !*end) return false;
    }
    return path_is_instant(p, x);
}

static bool path_holds_codes(const check_proposal *p, const check_path *x)
{
    for (size_t i = 0; i < p->n_message; i++) {
        const char *text = json_string_value(x->value[i]);
        if (!text || fraud_currency_digits(text) < 0) return false;
    }
    return true;
}

/* Sums have cents; a place on earth is told by its name. */
static bool path_holds_sums(const check_proposal *p, const check_path *x)
{
    const check_values v = values_of(p, x, NULL);
    check_form form;
    size_t n_text = 0;
    for (size_t i = 0; i < p->n_message; i++) {
        const char *text = json_string_value(x->value[i]);
        n_text += text != NULL;
        if (text && !strpbrk(text, "0123456789")) return false;
    }
    check_number_form(&v, &form);
    return (x->fractions || (n_text && strpbrk(x->example, ".,"))) && (!n_text || *form.form);
}

/* Words of which most are known as kinds. */
static bool path_holds_kinds(const check_proposal *p, const check_path *x)
{
    size_t n_known = 0;
    for (size_t i = 0; i < p->n_message; i++) {
        const char *text = json_string_value(x->value[i]);
        if (!text) return false;
        n_known += fraud_kind_of(text) != FRAUD_N_KIND;
    }
    return 2 * n_known > p->n_message;
}

/* The one field that is nothing else of ours, is in all messages and holds such values. */
static check_path *find_held(check_proposal *p, path_fits holds)
{
    check_path *found = NULL;
    for (size_t i = 0; i < p->n; i++) {
        check_path *x = &p->path[i];
        if (x->taken || x->flag || x->n < p->n_message || !holds(p, x)) continue;
        if (found) return NULL;
        found = x;
    }
    return found;
}

static void propose_held(check_proposal *p)
{
    static const struct {
        fraud_field f;
        path_fits holds;
    } held[] = {{FRAUD_F_TS, path_holds_times},
                {FRAUD_F_CURRENCY, path_holds_codes},
                {FRAUD_F_AMOUNT, path_holds_sums},
                {FRAUD_F_KIND, path_holds_kinds}};
    for (size_t i = 0; i < R1_COUNT(held); i++) {
        bool minor = held[i].f == FRAUD_F_AMOUNT && p->of[FRAUD_F_AMOUNT_MINOR];
        check_path *x = p->of[held[i].f] || minor ? NULL : find_held(p, held[i].holds);
        if (!x) continue;
        x->taken = x->held = true;
        p->of[held[i].f] = x;
    }
}

/* Shops and their categories stand in payments by card. */
static bool looks_like_cards(const check_proposal *p)
{
    const check_path *from = p->of[FRAUD_F_FROM], *to = p->of[FRAUD_F_TO];
    char a[CHECK_PATH_BYTES] = "", b[CHECK_PATH_BYTES] = "";
    if (from) plain_name(from->path, a, sizeof a);
    if (to) plain_name(to->path, b, sizeof b);
    return strstr(a, "card") || !strcmp(a, "pan") || strstr(b, "merchant");
}

/* Values of a field that is called amount may be minor units. That cannot be seen where all are
 * whole numbers, so the proposal says units and a person decides. */
void check_propose(check_proposal *p, const check_input *in)
{
    check_propose_end(p);
    for (size_t i = 0; i < in->n && i < CHECK_SAMPLE; i++) {
        fraud_json json;
        if (fraud_json_read(in->message[i].text, in->message[i].len, &json, NULL) != R1_OK)
            continue;
        p->message[p->n_message] = json.root;
        if (json_is_object(json.root)) walk_object(p, p->n_message, json.root, "", 0);
        p->n_message++;
    }
    propose_booking(p);
    propose_fields(p);
    propose_held(p);
    propose_country(p);
    propose_no_sign(p);
    propose_states(p);
    if (p->of[FRAUD_F_KIND]) {
        check_values v = values_of(p, p->of[FRAUD_F_KIND], NULL);
        if (!check_few_words(&v, p->kinds)) *p->kinds = 0;
    }
    propose_time(p);
    if (p->of[FRAUD_F_AMOUNT]) {
        check_values v = values_of(p, p->of[FRAUD_F_AMOUNT], NULL);
        check_number_form_of_most(&v, &p->number);
    }
    p->kind = p->of[FRAUD_F_KIND] ? NULL : looks_like_cards(p) ? "card" : "transfer";
    const check_path *sum =
        p->of[FRAUD_F_AMOUNT] ? p->of[FRAUD_F_AMOUNT] : p->of[FRAUD_F_AMOUNT_MINOR];
    if (sum) (void)path_name_end(sum->path, p->named);
    p->currency = p->of[FRAUD_F_CURRENCY] ? NULL : *p->named ? p->named : "?";
}

void check_propose_end(check_proposal *p)
{
    for (size_t i = 0; i < p->n_message; i++) json_decref(p->message[i]);
    memset(p, 0, sizeof *p);
}

/* ---- what only a person knows ---- */

static bool ask_format(const check_proposal *p, char *text, size_t size)
{
    const check_form *t = &p->time;
    if (!p->of[FRAUD_F_TS] || (*t->form && !*t->other)) return false;
    if (*t->other)
        snprintf(text, size, "Times such as %s are %s or %s, which differ. Which one holds?",
                 t->doubt, t->form, t->other);
    else
        snprintf(text, size,
                 "No known form reads all times, as %s. Which pattern of strptime does?",
                 p->of[FRAUD_F_TS]->example);
    return true;
}

static bool ask_zone(const check_proposal *p, char *text, size_t size)
{
    if (p->of[FRAUD_F_TS] && *p->time.form && p->time.zone) return false;
    snprintf(text, size,
             "%s no offset. In which zone are they: Z, an offset such as +01:00, or a name such as "
             "Europe/Berlin?",
             !p->of[FRAUD_F_TS] ? "No field looks like the time, and times may have"
             : p->time.zones    ? "Some times have"
                                : "The times have");
    return true;
}

static bool ask_amounts(const check_proposal *p, char *text, size_t size)
{
    const check_form *n = &p->number;
    if (!p->of[FRAUD_F_AMOUNT] || (*n->form && !*n->other)) return false;
    if (*n->other)
        snprintf(text, size, "Amounts such as %s are written as %s or as %s. Which one holds?",
                 n->doubt, n->form, n->other);
    else
        snprintf(text, size,
                 "No known form reads all amounts, as %s. How do they write 1234.50: 1234,50, "
                 "1.234,50, 1 234,50...?",
                 p->of[FRAUD_F_AMOUNT]->example);
    return true;
}

static bool ask_currency(const check_proposal *p, char *text, size_t size)
{
    if (p->of[FRAUD_F_CURRENCY] || *p->named) return false;
    snprintf(text, size, "No field looks like the currency. Which one are all amounts in?");
    return true;
}

static bool ask_country(const check_proposal *p, char *text, size_t size)
{
    if (!*p->countries) return false;
    snprintf(
        text, size,
        "Countries stand in %s. Ours is that of the place of payment: of the shop or terminal, "
        "else where the payer is. Which one is it? Where none is, delete this row.",
        p->countries);
    return true;
}

static bool ask_debit(const check_proposal *p, char *text, size_t size)
{
    if (!p->of[FRAUD_F_BOOKING] || *p->booking.debit) return false;
    snprintf(text, size, "%s holds %s. Which of these words say that the account in from pays?",
             p->of[FRAUD_F_BOOKING]->path, p->booking.found);
    return true;
}

static bool ask_credit(const check_proposal *p, char *text, size_t size)
{
    if (!p->of[FRAUD_F_BOOKING] || *p->booking.credit) return false;
    snprintf(text, size, "Which words of %s say that the account in from is paid?",
             p->of[FRAUD_F_BOOKING]->path);
    return true;
}

static bool ask_credits(const check_proposal *p, char *text, size_t size)
{
    if (!p->of[FRAUD_F_BOOKING]) return false;
    snprintf(text, size,
             "%s holds %s. In a credit the account in from is paid. Is the other one its payer "
             "(swap), or is nothing to be decided (leave-out)?",
             p->of[FRAUD_F_BOOKING]->path, p->booking.found);
    return true;
}

static const struct {
    const char *row;
    bool (*ask)(const check_proposal *p, char *text, size_t size);
} questions[] = {{"currency", ask_currency}, {"format", ask_format},   {"zone", ask_zone},
                 {"amounts", ask_amounts},   {"country", ask_country}, {"debit", ask_debit},
                 {"credit", ask_credit},     {"credits", ask_credits}};

bool check_question(const check_proposal *p, size_t n, const char **row, char *text, size_t size)
{
    for (size_t i = 0; i < R1_COUNT(questions); i++) {
        if (!questions[i].ask(p, text, size) || n--) continue;
        *row = questions[i].row;
        return true;
    }
    return false;
}

/* Whether the row has one. */
static bool question_of(const check_proposal *p, const char *row, char *text, size_t size)
{
    size_t i = 0;
    while (i < R1_COUNT(questions) && strcmp(questions[i].row, row) != 0) i++;
    return i < R1_COUNT(questions) && questions[i].ask(p, text, size);
}

bool check_holds_for_all(fraud_field f) { return f == FRAUD_F_KIND || f == FRAUD_F_CURRENCY; }

/* Each list on the path, from the outside, gives a message for each of its places, with all that
 * stands beside it: jq -c '. as $m | $m.a[] as $x1 | $m | .a = [$x1]'. */
const char *check_split_command(const check_proposal *p, char *text, size_t size)
{
    char each[400] = "", one[400] = "", part[CHECK_PATH_BYTES * 2];
    const char *at = p->list;
    size_t n_list = 0;
    *text = 0;
    if (!p->many || strpbrk(p->list, "'\"\\[")) return text;
    for (bool more = true; more;) {
        const char *next = strstr(at, ".0.");
        size_t n = 0, len = next ? (size_t)(next - at) : strlen(at);
        for (const char *key = at; key < at + len; key += strcspn(key, ".") + 1)
            n += (size_t)snprintf(part + n, sizeof part - n, "[\"%.*s\"]", (int)strcspn(key, "."),
                                  key);
        size_t e = strlen(each), o = strlen(one);
        snprintf(each + e, sizeof each - e, "$x%zu%s[] as $x%zu | ", n_list, part, n_list + 1);
        snprintf(one + o, sizeof one - o, "%s.%s = [$x%zu", n_list ? " | " : "", part, n_list + 1);
        n_list++;
        more = next;
        at = next ? next + 3 : at;
    }
    for (size_t i = 0; i < n_list; i++) {
        size_t o = strlen(one);
        snprintf(one + o, sizeof one - o, "]");
    }
    int n = snprintf(text, size, "jq -c '. as $x0 | %s$x0 | %s' FILE > NEW", each, one);
    if (n >= (int)size) *text = 0;
    return text;
}

/* ---- the file ---- */

static void put_field(const check_proposal *p, fraud_field i, FILE *f)
{
    const fraud_field_words *w = &fraud_fields[i];
    char text[CHECK_QUESTION_BYTES];
    const char *constant = i == FRAUD_F_KIND ? p->kind : i == FRAUD_F_CURRENCY ? p->currency : NULL;
    bool money = i == FRAUD_F_AMOUNT_MINOR && p->of[FRAUD_F_AMOUNT];
    if (constant && question_of(p, w->name, text, sizeof text))
        fprintf(f, "; %s\n%s = \"?\"\n", text, w->name);
    else if (constant)
        fprintf(f,
                "; no field of the messages looks like %s: is this constant right?\n"
                "%s = \"%s\"\n",
                w->name, w->name, constant);
    else if (i != FRAUD_F_CURRENCY && question_of(p, w->name, text, sizeof text))
        fprintf(f, "; %s\n%s = ?\n", text, w->name);
    else if (p->of[i])
        fprintf(f, "; %s, found for instance %s%s\n%s = %s\n", w->expected, p->of[i]->example,
                p->of[i]->held ? "; by its values, no name tells it: is it this field?" : "",
                w->name, p->of[i]->path);
    else if (w->required && !money)
        fprintf(f, "; needed: %s, as %s. Which field of yours is it?\n%s = ?\n", w->expected,
                w->example, w->name);
}

/* What the row's form does not read goes to a person, or is left out by a row of [rows]. */
static void put_odd(const check_form *form, FILE *f)
{
    char text[CHECK_FORM_BYTES];
    if (!form->n_odd) return;
    line_text(text, sizeof text, form->odd);
    fprintf(f, "; Not read so: %zu of the first values, as \"%s\". [rows] may leave them out.\n",
            form->n_odd, text);
}

static void put_row(const check_proposal *p, const char *row, const char *value, FILE *f)
{
    char text[CHECK_QUESTION_BYTES];
    if (question_of(p, row, text, sizeof text))
        fprintf(f, "; %s\n%s = ?\n", text, row);
    else if (value)
        fprintf(f, "%s = %s\n", row, value);
}

static void put_time(const check_proposal *p, FILE *f)
{
    fprintf(f, "\n[time]\n");
    if (*p->time.form && p->time.dates)
        fprintf(f, "; These are dates alone, so all payments of a day count at its midnight. Is "
                   "there a field\n; with the time of day? Then write ts_time = its path above.\n");
    if (strstr(p->time.form, "%y")) fprintf(f, "; Years of two digits are read as 1969 to 2068.\n");
    put_odd(&p->time, f);
    put_row(p, "format", p->of[FRAUD_F_TS] ? p->time.form : "iso", f);
    put_row(p, "zone", NULL, f);
}

static void put_money(const check_proposal *p, FILE *f)
{
    const check_path *x =
        p->of[FRAUD_F_AMOUNT] ? p->of[FRAUD_F_AMOUNT] : p->of[FRAUD_F_AMOUNT_MINOR];
    bool common = !strcmp(p->number.form, fraud_number_forms[0].example);
    fprintf(f, "\n[money]\n");
    put_odd(&p->number, f);
    put_row(p, "amounts", *p->number.form && !common ? p->number.form : NULL, f);
    if (x == p->of[FRAUD_F_AMOUNT] && x && common && !x->fractions)
        fprintf(f, "; All amounts are whole numbers. If they are cents, write amount_minor in the "
                   "place of amount.\n");
    if (x && x->negative && !x->positive)
        fprintf(f, "; All amounts are below 0.\nsign = negative\n");
    else if (x && x->negative)
        fprintf(f,
                "; Amounts below 0 are refunds, which cannot be scored. If they are the payments, "
                "write\n; sign = negative\n");
}

static void put_booking(const check_proposal *p, FILE *f)
{
    if (p->sign)
        fprintf(
            f,
            "\n; %s holds %s, and is not read: by their names from and to say who pays, also in "
            "a credit.\n; Where from is the account of the statement in each row, write booking "
            "= %s above and\n; debit, credit and credits in [booking].\n",
            p->sign->path, p->booking.found, p->sign->path);
    if (!p->of[FRAUD_F_BOOKING]) return;
    fprintf(f,
            "\n; Words that say that the account in from pays, and that it is paid.\n[booking]\n");
    put_row(p, "debit", p->booking.debit, f);
    put_row(p, "credit", p->booking.credit, f);
    put_row(p, "credits", NULL, f);
}

static void put_rows(const check_proposal *p, FILE *f)
{
    fprintf(
        f, "\n; Rows that are no payments, such as declined ones, are left out by what stands in a "
           "field.\n[rows]\n");
    for (size_t i = 0; i < p->n_state; i++)
        fprintf(f, "; %s holds %s.\n", p->state[i].path->path, p->state[i].words);
    if (p->n_state) fprintf(f, "; leave_out = %s is WORD, WORD", p->state[0].path->path);
    for (size_t i = 1; i < p->n_state; i++) fprintf(f, " or %s is WORD", p->state[i].path->path);
    fprintf(f, "%s\n",
            p->n_state ? ""
                       : "; leave_out = status is DECLINED, VOID or response.code is not "
                         "00");
}

static void put_kinds(const check_proposal *p, FILE *f)
{
    fprintf(f, "\n; Your words for our kinds, with commas; common ones are known.\n[kinds]\n");
    if (*p->kinds) fprintf(f, "; %s holds %s.\n", p->of[FRAUD_F_KIND]->path, p->kinds);
    fprintf(f, "; transfer = SCT, internal\n; card = POS\n; cash = ATM\n");
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
               "all messages.\n; Each ? waits for your answer.\n");
    char split[600];
    if (p->many)
        fprintf(f,
                "; %s has up to %zu places in one message. Send each payment by itself:\n;   %s\n",
                p->list, p->many, check_split_command(p, split, sizeof split));
    fprintf(f, "[fields]\n");
    for (int i = 0; i < FRAUD_N_F; i++) put_field(p, (fraud_field)i, f);
    put_time(p, f);
    put_money(p, f);
    put_booking(p, f);
    put_rows(p, f);
    put_kinds(p, f);
    fclose(f);
    return text;
}
