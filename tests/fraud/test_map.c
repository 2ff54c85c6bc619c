/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The mapping file: numbers and times of other countries by the form that it states, local time
 * against a twin that asks each second of UTC, and mistakes that are refused with line, row,
 * expected and found. */
#include "payment/notes.h"
#include "payment/payment_map.h"
#include "support/r1_test.h"

#include <stdlib.h>
#include <string.h>

#define FIELDS                                                                                     \
    "[fields]\ntx_id = id\nts = day\nkind = \"transfer\"\nfrom = a\nto = b\namount = sum\n"        \
    "currency = cur\n"

static r1_status map_of(const char *text, fraud_map **out, r1_err *err)
{
    const char *path = r1_test_in_tmp("map.ini");
    R1_TRY(r1_file_write(path, text, strlen(text), err));
    return fraud_map_load(out, path, NULL, err);
}

/* The payment of a message; what: how it was read. */
static fraud_payment map_read(const fraud_map *m, const char *message, fraud_reading *what,
                              char notes[FRAUD_NOTES_BYTES], r1_err *why)
{
    fraud_payment p;
    uint64_t content;
    *why = (r1_err){0};
    *what = fraud_payment_read(m, message, strlen(message), &p, notes, &content, why);
    return p;
}

/* ---- numbers ---- */

static void test_number_forms(void)
{
    static const struct {
        const char *form, *text, *plain; /* plain NULL: refused */
    } cases[] = {
        {"1234.50", "1250.5", "1250.5"},
        {"1234.50", "1,250.50", "1,250.50"}, /* decimal.h refuses it */
        {"1.234,50", "1.234,50", "1234.50"},
        {"1.234,50", "-1.234.567,5", "-1234567.5"},
        {"1.234,50", "1234,50", "1234.50"},
        {"1.234,50", "1.234", "1234"},
        {"1.234,50", "125.50", NULL},
        {"1.234,50", "1.2345", NULL},
        {"1.234,50", "1234.567,00", NULL},
        {"1.234,50", "1..234", NULL},
        {"1.234,50", ",50", NULL},
        {"1.234,50", "1,", NULL},
        {"1.234,50", "1,5,5", NULL},
        {"1.234,50", "1e3", NULL},
        {"1.234,50", "", NULL},
        {"1.234,50", "12,50 EUR", NULL},
        {"1234,50", "1234,50", "1234.50"},
        {"1234,50", "1.234,50", NULL},
        {"1,234.50", "1,234.50", "1234.50"},
        {"1,234.50", "1,5", NULL},
        {"1 234,50", "1 234,50", "1234.50"},
        {"1 234,50",
         "1\xc2\xa0"
         "234\xe2\x80\xaf"
         "567,50",
         "1234567.50"},
        {"1 234,50", " 234,50", NULL},
        {"1'234.50", "1'234.50", "1234.50"},
        {"1'234.50",
         "1\xe2\x80\x99"
         "234.50",
         "1234.50"},
        {"12,34,567.50", "12,34,567.50", "1234567.50"},
        {"1,234.50", "$1,250.00", "1250.00"},
        {"1,234.50", "-$ 1,250.00", "-1250.00"},
        {"1.234,50", "1.250,00 \xe2\x82\xac", "1250.00"},
        {"1.234,50", "1.250,00-", "-1250.00"},
        {"1.234,50", "-1.250,00-", NULL},
        {"1.234,50", "R$ 1.250,00", "1250.00"},
        {"12,34,567.50",
         "\xe2\x82\xb9"
         "1,25,000.50",
         "125000.50"},
        {"1 234,50", "1 250,00 kr", "1250.00"},
        {"1.234,50", "-", NULL},
        {"1.234,50", "\xe2\x82\xac", NULL},
        {"12,34,567.50", "1,234.50", "1234.50"},
        {"12,34,567.50", "1,234,567.50", NULL},
    };
    char out[FRAUD_NUMBER_BYTES], digits[80];
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        const char *plain =
            fraud_number_plain(fraud_number_form_of(cases[i].form), cases[i].text, out);
        bool good = plain ? cases[i].plain && !strcmp(plain, cases[i].plain) : !cases[i].plain;
        if (!good) printf("%s as %s: %s\n", cases[i].text, cases[i].form, plain ? plain : "NULL");
        CU_ASSERT_TRUE(good);
    }
    memset(digits, '1', sizeof digits - 1);
    digits[sizeof digits - 1] = 0;
    CU_ASSERT_PTR_NULL(fraud_number_plain(&fraud_number_forms[3], digits, out));
    CU_ASSERT_PTR_NULL(fraud_number_form_of("1.234.50"));
}

/* A number in each form comes back: written by a twin, read by each. */
static void test_number_round_trip(void)
{
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    for (int i = 0; i < 2000; i++) {
        const fraud_number_form *f = &fraud_number_forms[r1_rng_below(&rng, FRAUD_N_NUMBER_FORM)];
        char digits[24], text[FRAUD_NUMBER_BYTES], want[40], buf[FRAUD_NUMBER_BYTES];
        snprintf(
            digits, sizeof digits, "%llu",
            (unsigned long long)r1_rng_below(&rng, (uint64_t)1 << (1 + r1_rng_below(&rng, 55))));
        size_t len = strlen(digits), n = 0;
        for (size_t k = 0; k < len; k++) {
            size_t left = len - k;
            bool mark = f->lakh ? left == 3 || (left > 3 && left % 2 == 1) : left % 3 == 0;
            if (k && f->group && mark) text[n++] = f->group;
            text[n++] = digits[k];
        }
        snprintf(text + n, sizeof text - n, "%c%02d", f->point, i % 100);
        snprintf(want, sizeof want, "%s.%02d", digits, i % 100);
        const char *plain = fraud_number_plain(f, text, buf);
        if (!plain || strcmp(plain, want))
            printf("%s: %s, found %s\n", f->example, text, plain ? plain : "none");
        CU_ASSERT_TRUE(plain && !strcmp(plain, want));
    }
}

/* ---- days of a spreadsheet ---- */

/* Against a twin in whole milliseconds: day and part of it, with a point and with a comma. */
static void test_excel_days(void)
{
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    int64_t ms;
    for (int i = 0; i < 2000; i++) {
        int64_t day = (int64_t)r1_rng_below(&rng, 60000), part = (int64_t)r1_rng_below(&rng, 86400);
        char text[64];
        snprintf(text, sizeof text, "%lld.%09lld", (long long)day,
                 (long long)((part * 1000000000 + 43200) / 86400));
        if (i % 2) *strchr(text, '.') = ',';
        int64_t want = ((day - 25569) * 86400 + part) * 1000;
        bool good = fraud_time_excel(text, &ms) && ms - want <= 1 && want - ms <= 1;
        if (!good) printf("%s: %lld, found %lld\n", text, (long long)want, (long long)ms);
        CU_ASSERT_TRUE(good);
    }
    static const char *const bad[] = {"",   "45987.", ".5",      "45987.5x",
                                      "-1", "1e5",    "1234567", "4 5"};
    for (size_t i = 0; i < R1_COUNT(bad); i++) CU_ASSERT_FALSE(fraud_time_excel(bad[i], &ms));
    CU_ASSERT_TRUE(fraud_time_excel("45987.53", &ms) && ms == INT64_C(1764160992000));
}

/* ---- local time ---- */

/* Each second of UTC around a change, by what the wall shows then. */
static void test_local_time(void)
{
    static const struct {
        const char *zone;
        int64_t utc;                                 /* of a change */
    } changes[] = {{"Europe/Berlin", 1774746000},    /* 2026-03-29 01:00 UTC */
                   {"Europe/Berlin", 1792890000},    /* 2026-10-25 01:00 UTC */
                   {"America/New_York", 1793512800}, /* 2026-11-01 06:00 UTC */
                   {"Australia/Lord_Howe", 1775314800}, {"Asia/Kolkata", 1775314800},
                   {"Pacific/Apia", 1325239200}}; /* 2011-12-30: a day that was left out */
    r1_err err = {0};
    for (size_t i = 0; i < R1_COUNT(changes); i++) {
        fraud_zone *z;
        R1_ASSERT_OK(fraud_zone_open(&z, changes[i].zone, &err), &err);
        for (int64_t at = -30 * 3600; at < 30 * 3600; at += 600) {
            int64_t local = changes[i].utc + at, first = INT64_MAX, utc;
            int n = 0;
            for (int64_t u = local - 15 * 3600; u <= local + 15 * 3600; u += 300)
                if (u + fraud_zone_offset(z, u * 1000) == local) {
                    if (u < first) first = u;
                    n++;
                }
            fraud_local what = fraud_zone_utc(z, local, &utc);
            CU_ASSERT_EQUAL(what, n == 0   ? FRAUD_LOCAL_NEVER
                                  : n == 1 ? FRAUD_LOCAL_ONCE
                                           : FRAUD_LOCAL_TWICE);
            if (n) CU_ASSERT_EQUAL(utc, first);
        }
        fraud_zone_free(z);
    }
}

/* ---- times by the file ---- */

static void test_map_times(void)
{
    static const struct {
        const char *time, *day, *clock; /* of the section [time], and JSON values */
        int64_t ms;                     /* 0: refused, with the word */
        const char *word;
    } cases[] = {
        {"format = %d.%m.%Y %H:%M:%S\nzone = Europe/Berlin\n", "\"30.11.2026\"", "\"10:15:30\"",
         1796030130000, ""},
        {"format = %d.%m.%Y %H:%M:%S\nzone = Europe/Berlin\n", "\"30.07.2026\"", "\"10:15:30\"",
         1785399330000, ""},
        {"format = %d.%m.%Y %H:%M:%S\nzone = +01:00\n", "\"30.07.2026\"", "\"10:15:30\"",
         1785402930000, ""},
        {"format = %Y%m%d %H%M%S\nzone = Z\n", "20261130", "93015", 1796031015000, ""},
        {"format = %Y%m%d %H%M%S\nzone = Z\n", "20261130", "15", 1795996815000, ""},
        {"format = %Y%m%d %H%M%S\nzone = Z\n", "20261130", "\"93015\"", 0, "%Y%m%d %H%M%S"},
        {"format = iso\nzone = Z\n", "\"2026-11-30\"", "\"10:15\"", 1796033700000, ""},
        {"format = iso\nzone = Z\n", "\"2026-11-30T00:00:00.000\"", "\"10:15\"", 1796033700000, ""},
        {"format = iso\nzone = Z\n", "\"2026-11-30T10:15:00\"", "\"10:15\"", 0, "together with"},
        {"format = iso\nzone = Z\n", "\"2026-11-30\"", "null", 0, "clock (ts_time)"},
        {"format = %d/%m/%Y %I:%M %p\nzone = Z\n", "\"03/04/2026\"", "\"10:15 pm\"", 1775254500000,
         ""},
        {"format = %m/%d/%Y %I:%M %p\nzone = Z\n", "\"03/04/2026\"", "\"10:15 pm\"", 1772662500000,
         ""},
        {"format = %d.%m.%Y %H:%M\nzone = Z\n", "\"30.11.26\"", "\"10:15\"", 0, "%d.%m.%Y"},
        {"format = %Y%j %H:%M\nzone = Z\n", "\"2026334\"", "\"10:15\"", 1796033700000, ""},
        {"format = %d-%b-%y %H.%M.%S\nzone = Z\n", "\"30-NOV-26\"", "\"10.15.00\"", 1796033700000,
         ""},
        {"format = %d.%m.%Y %H:%M\n", "\"31.02.2026\"", "\"10:15\"", 0, "%d.%m.%Y"},
    };
    char text[1024], message[512], notes[FRAUD_NOTES_BYTES];
    r1_err err = {0}, why;
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        fraud_map *m;
        fraud_reading what;
        snprintf(text, sizeof text, FIELDS "ts_time = clock\n[time]\n%s", cases[i].time);
        R1_ASSERT_OK(map_of(text, &m, &err), &err);
        snprintf(message, sizeof message,
                 "{\"id\":\"1\",\"day\":%s,\"clock\":%s,\"a\":\"A\",\"b\":\"B\",\"sum\":1,"
                 "\"cur\":\"EUR\"}",
                 cases[i].day, cases[i].clock);
        fraud_payment p = map_read(m, message, &what, notes, &why);
        if (p.ts != cases[i].ms)
            printf("%s: %s, found %lld: %s\n", cases[i].time, message, (long long)p.ts, why.msg);
        CU_ASSERT_EQUAL(p.ts, cases[i].ms);
        CU_ASSERT_EQUAL(what, cases[i].ms ? FRAUD_READ_PAYMENT : FRAUD_READ_UNSCORABLE);
        CU_ASSERT_PTR_NOT_NULL(strstr(why.msg, cases[i].word));
        fraud_map_free(m);
    }
}

/* An hour that comes twice and one that never was are told. */
static void test_map_clock_changes(void)
{
    static const struct {
        const char *day, *note;
    } cases[] = {{"2026-10-25 02:30:00", "set back"},
                 {"2026-03-29 02:30:00", "leapt over"},
                 {"2026-03-29 03:30:00", ""},
                 {"2026-10-25 02:30:00+01:00[Europe/Berlin]", ""},
                 {"2026-10-25 02:30:00+01", ""}};
    char message[512], notes[FRAUD_NOTES_BYTES];
    r1_err err = {0}, why;
    fraud_map *m;
    fraud_reading what;
    R1_ASSERT_OK(map_of(FIELDS "[time]\nformat = iso\nzone = Europe/Berlin\n", &m, &err), &err);
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        snprintf(message, sizeof message,
                 "{\"id\":\"1\",\"day\":\"%s\",\"a\":\"A\",\"b\":\"B\",\"sum\":1,\"cur\":\"EUR\"}",
                 cases[i].day);
        (void)map_read(m, message, &what, notes, &why);
        CU_ASSERT_EQUAL(what, FRAUD_READ_PAYMENT);
        CU_ASSERT_PTR_NOT_NULL(strstr(notes, cases[i].note));
        if (!*cases[i].note) CU_ASSERT_STRING_EQUAL(notes, "");
    }
    fraud_map_free(m);
}

/* A time without an offset is UTC where no row says its zone, and then a note says so: in each
 * form, in one field and in two. */
static void test_map_no_zone(void)
{
    static const struct {
        const char *rows, *format, *day, *clock;
        bool note;
    } cases[] = {
        {"", "iso", "\"2026-11-30 10:15:30\"", "0", true},
        {"", "iso", "\"2026-11-30T10:15:30Z\"", "0", false},
        {"", "%d.%m.%Y %H:%M", "\"30.11.2026 10:15\"", "0", true},
        {"", "%d.%m.%Y %H:%M", "\"30.11.2026 10:15 +0100\"", "0", false},
        {"", "%d.%m.%Y %H:%M%z", "\"30.11.2026 10:15+0100\"", "0", false},
        {"", "%d.%m.%Y", "\"30.11.2026\"", "0", true},
        {"", "excel", "45987.53", "0", true},
        {"", "ms", "\"2026-11-30 10:15:30\"", "0", true},
        {"", "s", "1796030130", "0", false},
        {"ts_time = clock\n", "%d.%m.%Y %H:%M", "\"30.11.2026\"", "\"10:15\"", true},
        {"ts_time = clock\n", "iso", "\"2026-11-30\"", "\"10:15\"", true},
        {"ts_time = clock\n", "iso", "\"2026-11-30\"", "\"10:15Z\"", false},
    };
    static const char *const zones[] = {"", "zone = Z\n", "zone = +01:00\n",
                                        "zone = Europe/Berlin\n"};
    char text[1024], message[512], notes[FRAUD_NOTES_BYTES];
    r1_err err = {0}, why;
    for (size_t i = 0; i < R1_COUNT(cases) * R1_COUNT(zones); i++) {
        size_t c = i / R1_COUNT(zones), z = i % R1_COUNT(zones);
        fraud_map *m;
        fraud_reading what;
        snprintf(text, sizeof text, FIELDS "%s[time]\nformat = %s\n%s", cases[c].rows,
                 cases[c].format, zones[z]);
        R1_ASSERT_OK(map_of(text, &m, &err), &err);
        snprintf(message, sizeof message,
                 "{\"id\":\"1\",\"day\":%s,\"clock\":%s,\"a\":\"A\",\"b\":\"B\",\"sum\":1,"
                 "\"cur\":\"EUR\"}",
                 cases[c].day, cases[c].clock);
        (void)map_read(m, message, &what, notes, &why);
        CU_ASSERT_EQUAL(what, FRAUD_READ_PAYMENT);
        bool note = strstr(notes, "or the row zone of the mapping file, found none: read as UTC");
        if (note != (cases[c].note && !z)) printf("%s%s: %s\n", text, message, notes);
        CU_ASSERT_EQUAL(note, cases[c].note && !z);
        fraud_map_free(m);
    }
}

/* ---- money and lists by the file ---- */

static void test_map_money(void)
{
    static const struct {
        const char *money, *sum;
        int64_t minor; /* 0: refused, with the word */
        const char *word;
    } cases[] = {
        {"amounts = 1.234,50\n", "\"1.234,50\"", 123450, ""},
        {"amounts = 1.234,50\n", "1234.5", 123450, ""}, /* a number of JSON has one form */
        {"amounts = 1.234,50\n", "\"125.50\"", 0,
         "sum (amount): expected a number written as 1.23"},
        {"", "\"1.234,50\"", 0, "the row amounts"},
        {"sign = negative\n", "\"-125.50\"", 12550, ""},
        {"sign = negative\n", "125.50", -12550, "expected less than 0, found 12550 EUR"},
        {"sign = negative\n", "-9223372036854775808", 0, "larger"},
        {"sign = negative\namounts = 1 234,50\n", "\"-1 000,00\"", 100000, ""},
        {"amounts = 1 234,50\n",
         "\"1\xc2\xa0"
         "000,00\"",
         100000, ""},
    };
    char text[1024], message[512], notes[FRAUD_NOTES_BYTES];
    r1_err err = {0}, why;
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        fraud_map *m;
        fraud_reading what;
        snprintf(text, sizeof text, FIELDS "[money]\n%s", cases[i].money);
        R1_ASSERT_OK(map_of(text, &m, &err), &err);
        snprintf(message, sizeof message,
                 "{\"id\":\"1\",\"day\":1767225600000,\"a\":\"A\",\"b\":\"B\",\"sum\":%s,"
                 "\"cur\":\"EUR\"}",
                 cases[i].sum);
        fraud_payment p = map_read(m, message, &what, notes, &why);
        CU_ASSERT_EQUAL(p.amount_minor, cases[i].minor);
        CU_ASSERT_EQUAL(what, *cases[i].word ? FRAUD_READ_UNSCORABLE : FRAUD_READ_PAYMENT);
        if (!strstr(why.msg, cases[i].word)) printf("%s: %s\n", message, why.msg);
        CU_ASSERT_PTR_NOT_NULL(strstr(why.msg, cases[i].word));
        fraud_map_free(m);
    }
}

/* ISO 20022 as JSON: a list of one payment is read, one of several is no single payment. */
static void test_map_lists(void)
{
    static const char file[] =
        "[fields]\ntx_id = D.Tx.0.Id\nts = D.At\nkind = \"transfer\"\nfrom = D.Tx.0.Dbtr.IBAN\n"
        "to = D.Tx.0.Cdtr.IBAN\namount = D.Tx.0.Amt.#text\ncurrency = D.Tx.0.Amt.@Ccy\n"
        "text = D.Tx.0.Ustrd.0\n";
#define TX                                                                                         \
    "{\"Id\":\"1\",\"Dbtr\":{\"IBAN\":\"A\"},\"Cdtr\":{\"IBAN\":\"B\"},"                           \
    "\"Amt\":{\"@Ccy\":\"EUR\",\"#text\":\"1.50\"},\"Ustrd\":[\"x\",\"y\"]}"
    char notes[FRAUD_NOTES_BYTES];
    r1_err err = {0}, why;
    fraud_map *m;
    fraud_reading what;
    R1_ASSERT_OK(map_of(file, &m, &err), &err);
    fraud_payment p =
        map_read(m, "{\"D\":{\"At\":1767225600000,\"Tx\":[" TX "]}}", &what, notes, &why);
    CU_ASSERT_EQUAL(what, FRAUD_READ_PAYMENT);
    CU_ASSERT_EQUAL(p.amount_minor, 150);
    CU_ASSERT_STRING_EQUAL(p.text, "x");
    (void)map_read(m, "{\"D\":{\"At\":1767225600000,\"Tx\":[" TX "," TX "]}}", &what, notes, &why);
    CU_ASSERT_EQUAL(what, FRAUD_READ_UNSCORABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.msg, "expected one place in its list, found 2"));
    fraud_map_free(m);
}

/* parties[role=debtor] takes the one place of a list that has this word. */
static void test_map_select(void)
{
    static const struct {
        const char *parties, *from, *why; /* from NULL: refused with why */
    } cases[] = {
        {"[{\"role\":\"debtor\",\"acc\":\"A\"},{\"role\":\"other\"}]", "A", NULL},
        {"[{\"role\":\"x\"},7,[],{\"role\":\"debtor\",\"acc\":\"B\"}]", "B", NULL},
        {"{\"role\":\"debtor\",\"acc\":\"C\"}", "C", NULL},
        {"[{\"role\":\"debtors\",\"acc\":\"A\"}]", NULL, "found nothing"},
        {"[]", NULL, "found nothing"},
        {"null", NULL, "found nothing"},
        {"[{\"role\":\"debtor\",\"acc\":\"A\"},{\"role\":\"debtor\",\"acc\":\"B\"}]", NULL,
         "expected one place in its list, found 2"},
    };
    char message[400], notes[FRAUD_NOTES_BYTES];
    r1_err err = {0}, why;
    fraud_map *m;
    fraud_reading what;
    R1_ASSERT_OK(map_of("[fields]\ntx_id = id\nts = at\nkind = \"card\"\n"
                        "from = deep.parties[role=debtor].acc\nto = to\namount_minor = n\n"
                        "currency = \"EUR\"\n",
                        &m, &err),
                 &err);
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        snprintf(
            message, sizeof message,
            "{\"id\":\"1\",\"at\":1767225600000,\"to\":\"T\",\"n\":5,\"deep\":{\"parties\":%s}}",
            cases[i].parties);
        fraud_payment p = map_read(m, message, &what, notes, &why);
        bool good = cases[i].from ? what == FRAUD_READ_PAYMENT && !strcmp(p.from, cases[i].from)
                                  : what == FRAUD_READ_UNSCORABLE && strstr(why.msg, cases[i].why);
        if (!good) printf("%s: \"%s\", %s\n", message, p.from, why.msg);
        CU_ASSERT_TRUE(good);
    }
    fraud_map_free(m);
    /* other brackets are part of a name */
    static const char *const names[] = {"acc [DE]", "acc[at", "[role=x]", "acc[role]", "acc[=x]"};
    for (size_t i = 0; i < R1_COUNT(names); i++) {
        char file[300];
        snprintf(file, sizeof file, FIELDS "text = deep.%s\n[time]\nformat = ms\n", names[i]);
        R1_ASSERT_OK(map_of(file, &m, &err), &err);
        snprintf(message, sizeof message,
                 "{\"id\":\"1\",\"day\":1767225600000,\"a\":\"A\",\"b\":\"B\",\"sum\":5,"
                 "\"cur\":\"EUR\",\"deep\":{\"%s\":\"found\"}}",
                 names[i]);
        fraud_payment p = map_read(m, message, &what, notes, &why);
        if (strcmp(p.text, "found") != 0) printf("%s: %s\n", names[i], p.text);
        CU_ASSERT_STRING_EQUAL(p.text, "found");
        fraud_map_free(m);
    }
}

/* ---- debits and credits, rows that are left out ---- */

#define SIDES                                                                                      \
    FIELDS "from_role = ra\nto_role = rb\nfrom_balance = ba\nto_balance = bb\nbooking = d.sh\n"    \
           "[booking]\ndebit = S, Soll, false\ncredit = H, Haben, true\n"

/* Of a credit payer and payee change places, with all that belongs to them; the message key is the
 * payer's account. */
static void test_map_booking(void)
{
    static const struct {
        const char *rows, *sign, *sum, *from; /* from NULL: refused with why */
        const char *why;
    } cases[] = {
        {"", "\"S\"", "5", "A", ""},
        {"", "\" soll\"", "5", "A", ""},
        {"", "false", "5", "A", ""},
        {"", "\"h\"", "5", "B", ""},
        {"", "\"Haben\"", "5", "B", ""},
        {"", "true", "5", "B", ""},
        {"credits = swap\n", "\"H\"", "5", "B", ""},
        {"credits = leave-out\n", "\"S\"", "5", "A", ""},
        {"[money]\nsign = negative\n", "\"S\"", "-5", "A", ""},
        {"[money]\nsign = negative\n", "\"H\"", "5", "B", ""},
        {"[money]\nsign = negative\n", "\"H\"", "-5", NULL, "expected more than 0"},
        {"", "\"X\"", "5", NULL,
         "d.sh (booking): expected a word of the rows debit and credit, found \"X\""},
        {"", "null", "5", NULL, "found nothing"},
        {"", "7", "5", NULL, "found 7"},
        {"", "[]", "5", NULL, "found an array"},
    };
    char text[1024], message[512], notes[FRAUD_NOTES_BYTES], key[FRAUD_ACCOUNT_BYTES];
    r1_err err = {0}, why;
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        fraud_map *m;
        fraud_reading what;
        snprintf(text, sizeof text, SIDES "%s", cases[i].rows);
        R1_ASSERT_OK(map_of(text, &m, &err), &err);
        snprintf(
            message, sizeof message,
            "{\"id\":\"1\",\"day\":1767225600000,\"a\":\"A\",\"b\":\"B\",\"ra\":\"card\","
            "\"rb\":\"external\",\"ba\":7,\"bb\":9,\"sum\":%s,\"cur\":\"EUR\",\"d\":{\"sh\":%s}}",
            cases[i].sum, cases[i].sign);
        fraud_payment p = map_read(m, message, &what, notes, &why);
        bool swaps = cases[i].from && *cases[i].from == 'B';
        bool good = cases[i].from
                        ? what == FRAUD_READ_PAYMENT && !strcmp(p.from, cases[i].from) &&
                              !strcmp(p.to, swaps ? "A" : "B") && p.amount_minor == 500 &&
                              p.from_role == (swaps ? FRAUD_ROLE_EXTERNAL : FRAUD_ROLE_CARD) &&
                              p.to_role == (swaps ? FRAUD_ROLE_CARD : FRAUD_ROLE_EXTERNAL) &&
                              p.from_balance_minor == (swaps ? 900 : 700) &&
                              p.to_balance_minor == (swaps ? 700 : 900)
                        : what == FRAUD_READ_UNSCORABLE && strstr(why.msg, cases[i].why);
        if (!good) printf("%s %s: from %s, %s\n", cases[i].rows, message, p.from, why.msg);
        CU_ASSERT_TRUE(good);
        if (cases[i].from) {
            CU_ASSERT_TRUE(fraud_payment_key(m, message, strlen(message), key, NULL));
            CU_ASSERT_STRING_EQUAL(key, cases[i].from);
        }
        fraud_map_free(m);
    }
}

static void test_map_leaves_out(void)
{
    static const struct {
        const char *rows, *fields, *why; /* why NULL: read */
    } cases[] = {
        {"credits = leave-out\n", "\"d\":{\"sh\":\"H\"}",
         "d.sh: left out by map.ini:17, found \"H\""},
        {"credits = leave-out\n", "\"d\":{\"sh\":\"S\"}", NULL},
        {"[rows]\nleave_out = status is DECLINED, VOID\n",
         "\"d\":{\"sh\":\"S\"},\"status\":\"declined\"",
         "status: left out by map.ini:18, found \"declined\""},
        {"[rows]\nleave_out = status is DECLINED, VOID\n",
         "\"d\":{\"sh\":\"S\"},\"status\":\"BOOKED\"", NULL},
        {"[rows]\nleave_out = status is DECLINED, VOID\n", "\"d\":{\"sh\":\"S\"}", NULL},
        {"[rows]\nleave_out = r.code is not 00, 000\n",
         "\"d\":{\"sh\":\"S\"},\"r\":{\"code\":\"05\"}",
         "r.code: left out by map.ini:18, found \"05\""},
        {"[rows]\nleave_out = r.code is not 00, 000\n",
         "\"d\":{\"sh\":\"S\"},\"r\":{\"code\":\"00\"}", NULL},
        {"[rows]\nleave_out = r.code is not 0\n", "\"d\":{\"sh\":\"S\"},\"r\":{\"code\":0}", NULL},
        {"[rows]\nleave_out = r.code is not 0\n", "\"d\":{\"sh\":\"S\"},\"r\":{\"code\":51}",
         "found \"51\""},
        {"[rows]\nleave_out = r.code is not 00\n", "\"d\":{\"sh\":\"S\"},\"r\":{\"code\":\"\"}",
         NULL},
        {"[rows]\nleave_out = test is true or status is VOID\n",
         "\"d\":{\"sh\":\"S\"},\"test\":true", "test: left out by"},
        {"[rows]\nleave_out = test is true or status is VOID\n",
         "\"d\":{\"sh\":\"S\"},\"test\":false,\"status\":\"void\"", "status: left out by"},
        /* whatever else is wrong in it */
        {"[rows]\nleave_out = test is true\n", "\"test\":true,\"id\":null", "test: left out by"},
    };
    char text[1024], message[512], notes[FRAUD_NOTES_BYTES], key[FRAUD_ACCOUNT_BYTES];
    r1_err err = {0}, why;
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        fraud_map *m;
        fraud_reading what;
        snprintf(text, sizeof text, SIDES "%s", cases[i].rows);
        R1_ASSERT_OK(map_of(text, &m, &err), &err);
        snprintf(message, sizeof message,
                 "{\"id\":\"1\",\"day\":1767225600000,\"a\":\"A\",\"b\":\"B\",\"sum\":5,"
                 "\"cur\":\"EUR\",%s}",
                 cases[i].fields);
        (void)map_read(m, message, &what, notes, &why);
        char *file = strstr(why.msg, "map.ini"), *dir = strstr(why.msg, "left out by ");
        if (file && dir) memmove(dir + strlen("left out by "), file, strlen(file) + 1);
        bool good = cases[i].why ? what == FRAUD_READ_LEFT_OUT && strstr(why.msg, cases[i].why)
                                 : what == FRAUD_READ_PAYMENT;
        if (!good) printf("%s %s: %d, %s\n", cases[i].rows, message, what, why.msg);
        CU_ASSERT_TRUE(good);
        r1_err told = {0};
        CU_ASSERT_EQUAL(fraud_payment_key(m, message, strlen(message), key, &told), !cases[i].why);
        fraud_map_free(m);
    }
}

/* ---- mistakes in the file ---- */

/* Words and conditions go on in other lines of the same key; a line is short, lists are long. */
static void test_map_long_rows(void)
{
    char text[4096] = FIELDS "[kinds]\n", word[32];
    size_t len = strlen(text);
    for (int i = 0; i < 200; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%sW%d",
                                i % 25 ? ", "
                                : i    ? "\ncard = "
                                       : "card = ",
                                i);
    snprintf(text + len, sizeof text - len,
             "\n[rows]\nleave_out = cur is none\nleave_out = id is a, b\n");
    fraud_map *m;
    r1_err err = {0};
    R1_ASSERT_OK(map_of(text, &m, &err), &err);
    for (int i = 0; i < 200; i++) {
        snprintf(word, sizeof word, "w%d", i);
        CU_ASSERT_EQUAL(fraud_map_kind(m, word), FRAUD_KIND_CARD);
    }
    CU_ASSERT_EQUAL(fraud_map_kind(m, "W200"), FRAUD_N_KIND);
    json_t *one = json_loads("{\"id\": \"b\"}", 0, NULL),
           *two = json_loads("{\"cur\": \"none\"}", 0, NULL),
           *kept = json_loads("{\"id\": \"c\", \"cur\": \"EUR\"}", 0, NULL);
    CU_ASSERT_TRUE(fraud_map_leaves_out(m, one, &err) && fraud_map_leaves_out(m, two, &err));
    CU_ASSERT_FALSE(fraud_map_leaves_out(m, kept, &err));
    json_decref(one), json_decref(two), json_decref(kept);
    fraud_map_free(m);
    CU_ASSERT_EQUAL(map_of(FIELDS "currency = c\n", &m, &err), R1_E_INVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "currency: expected the key once"));
    snprintf(text, sizeof text, FIELDS "[kinds]\ncard = %0200d\n", 1);
    CU_ASSERT_EQUAL(map_of(text, &m, &err), R1_E_INVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "go on in another line that begins with card ="));
}

static void test_map_refused(void)
{
    static const struct {
        const char *rows, *words;
    } cases[] = {
        {"[time]\nzone = Europe/Berlni\n",
         "map.ini:10: zone: expected Z, an offset such as +01:00"},
        {"[time]\nzone = Europe/Berlni\n", "did you mean \"Europe/Berlin\"?"},
        {"[time]\nzone = ?\n", "found \"?\""},
        {"[time]\nformat = ?\n",
         "map.ini:10: format: expected ms, s, us, ns, iso, excel or a pattern"},
        {"[time]\nformat = %d.%m.%Y %H:%M:%S.%f\n", "no %f: fractions of a second"},
        {"[time]\nformat = %d.%m.%Y %H:%M %Z\n", "no %Z: a name such as CET tells no zone"},
        {"[time]\nformat = %H:%M\n", "year, month and day"},
        {"[time]\nformat = %d.%m.%Y %H:%M %p\n", "%I and %p together"},
        {"[time]\nformat = %d.%m.%Y %I:%M\n", "%I and %p together"},
        {"[time]\nformat = %s\n", "not %s"},
        {"[time]\nformat = %d.%m.%Y%\n", "conversions out of"},
        {"ts_time = clock\n[time]\nformat = ms\n", "iso or a pattern beside ts_time"},
        {"[money]\namounts = ?\n", "expected one of 1234.50 or 1234,50 or"},
        {"[money]\nsign = minus\n", "positive|negative"},
        {"from_role = a.b.c.d.e.f.g.h.i.j.k.l.m\n", "at most 12 parts"},
        {"[booking]\ndebit = S\n", "debit: expected the row booking of [fields] beside it"},
        {"booking = sh\n", "[booking] expected a row debit with the words of the field booking"},
        {"booking = sh\n[booking]\ndebit = ?\ncredit = H\n",
         "map.ini:11: debit: expected your answer, words with commas, found \"?\""},
        {"booking = sh\n[booking]\ndebit = S\ncredit = H, s\n", "found \"s\" there too"},
        {"booking = sh\n[booking]\ndebit = S\ncredit = H\ncredits = ?\n", "swap|leave-out"},
        {"[rows]\nleave_out = status DECLINED\n",
         "leave_out: expected FIELD is WORD, WORD or FIELD is not WORD, found \"status DECLINED\""},
        {"[rows]\nleave_out = status is not ,\n", "expected FIELD is WORD, WORD"},
        {"[rows]\nleave_out = a..b is X\n", "expected a path such as data.amount, found \"a..b\""},
        {"[rows]\nleave_out = a is X or b\n", "expected FIELD is WORD, WORD"},
        {"country = ?\n", "map.ini:9: country: expected your answer, the path of a field, found"},
    };
    char text[1024];
    r1_err err;
    fraud_map *m;
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        err = (r1_err){0};
        snprintf(text, sizeof text, FIELDS "%s", cases[i].rows);
        CU_ASSERT_NOT_EQUAL(map_of(text, &m, &err), R1_OK);
        if (!strstr(err.msg, cases[i].words)) printf("%s: %s\n", cases[i].rows, err.msg);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, cases[i].words));
    }
}

/* All mistakes of one file are told, each with line, key, expected, found and the nearest word. */
static void test_map_mistakes(void)
{
    static const char file[] = "[fields]\ntx-idd = i\nts = t\nkind = \"transfr\"\nfrom = a..b\n"
                               "amount = x\ncurrency = \"?\"\nfrom_role = a.b.\n"
                               "[time]\nformat = ISO\nzone = Europe/Berlni\nsign = negative\n"
                               "[money]\namounts = ?\nthis is no row\n"
                               "[kinds]\ntransfer = SCT, x\ncard = POS, sct\n";
    static const char *const told[] = {
        "map.ini has 13 mistakes:\n",
        "map.ini:2: unknown key \"tx-idd\"; did you mean \"tx_id\"?\n",
        "map.ini:12: key \"sign\" belongs to section [money], found in [time]\n",
        "map.ini:15: expected [section] or key = value\n",
        "map.ini:5: from: expected a path such as data.amount, found \"a..b\"\n",
        "map.ini:8: from_role: expected a path such as data.amount, found \"a.b.\"\n",
        "map.ini: [fields] expected a row for tx_id (an id",
        "map.ini: [fields] expected a row for to (the payee's",
        "map.ini:18: card: expected words that no row above has, found \"sct\" there too\n",
        "map.ini:10: format: expected ms, s, us, ns, iso, excel or a pattern such as %d.%m.%Y "
        "%H:%M, "
        "found "
        "\"ISO\"; did you mean \"iso\"?\n",
        "map.ini:11: zone: expected Z, an offset such as +01:00 or a zone such as Europe/Berlin, "
        "found \"Europe/Berlni\"; did you mean \"Europe/Berlin\"?\n",
        "map.ini:14: amounts: expected one of 1234.50 or",
        "map.ini:7: currency: expected a code of ISO 4217 in quotes, or a path, found \"?\"\n",
        "map.ini:4: kind: expected transfer, card or cash in quotes, or a path, found \"transfr\"; "
        "did you mean \"transfer\"?\n"};
    const char *path = r1_test_in_tmp("map.ini");
    r1_err err = {0};
    fraud_map *m;
    char *text;
    size_t len, lines = 0;
    FILE *f = open_memstream(&text, &len);
    R1_ASSERT_OK(r1_file_write(path, file, strlen(file), &err), &err);
    CU_ASSERT_EQUAL(fraud_map_load(&m, path, f, &err), R1_E_INVAL);
    fclose(f);
    for (size_t i = 0; i < R1_COUNT(told); i++) {
        if (!strstr(text, told[i])) printf("expected %s, found\n%s", told[i], text);
        CU_ASSERT_PTR_NOT_NULL(strstr(text, told[i]));
    }
    for (const char *s = text; *s; s++) lines += *s == '\n';
    CU_ASSERT_EQUAL(lines, R1_COUNT(told));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "map.ini:2: unknown key"));
    free(text);
}

R1_TEST_MAIN("map", {"numbers of other countries", test_number_forms},
             {"long rows", test_map_long_rows},
             {"numbers come back in each form", test_number_round_trip},
             {"days of a spreadsheet", test_excel_days},
             {"local time against a twin", test_local_time},
             {"times in one field and in two", test_map_times},
             {"hours that come twice or never", test_map_clock_changes},
             {"times without a zone", test_map_no_zone}, {"debits and credits", test_map_booking},
             {"rows left out", test_map_leaves_out}, {"amounts by the file", test_map_money},
             {"a list of payments", test_map_lists}, {"a place by its word", test_map_select},
             {"mistakes are refused by line", test_map_refused},
             {"all mistakes are told", test_map_mistakes})
