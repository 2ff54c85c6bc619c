/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check_command.c - reads messages as `serve` would, and says in one screen what each field must
 * be, what was found, and how to map it. */
#include "check/check_command.h"

#include "check/check_ends.h"
#include "check/check_propose.h"
#include "check/check_stream.h"
#include "files/outputs.h"
#include "payment/currency.h"
#include "payment/iban.h"
#include "payment/message_path.h"
#include "payment/notes.h"
#include "text/nearest.h"
#include "text/r1_utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* clang-format off */
const r1_option fraud_check_rows[] = {
    {.name = "in", .type = R1_OPT_PATH, .def = "-",
     .help = "messages: JSON lines, one JSON array, or CSV with a header; -: standard input"},
    {.name = "map", .section = "payments", .type = R1_OPT_PATH,
     .help = "mapping file, as of serve"},
    {.name = "currency", .section = "payments", .type = R1_OPT_STRING,
     .help = "of the stream, as of serve; none: that of the first payment"},
    {.name = "rates", .section = "payments", .type = R1_OPT_PATH,
     .help = "rates of other currencies, as of serve"},
    {.name = "propose", .type = R1_OPT_PATH, .help = "write a mapping file for these messages"},
    {.name = "out", .type = R1_OPT_PATH,
     .help = "write the messages as JSON lines, as they were read"},
};
/* clang-format on */
const size_t fraud_check_n_row = R1_COUNT(fraud_check_rows);

enum {
    WHYS_MAX = 64,
    WHY_SHOWN = 12,
    WORDS_MAX = 20,
    WORD_BYTES = 64,
    PAIRS_MAX = 5,
    SHARES_SHOWN = 12,
    RATE_DAYS_MAX = 31 /* an older rate is told */
};

typedef struct {
    char text[WORD_BYTES];
    size_t n;
} check_word;

/* A reason, without what was found, and how often it holds. */
typedef struct {
    char text[FRAUD_NOTES_BYTES];
    size_t n, first; /* first: message, from 0 */
    fraud_reading what;
    check_word word[WORDS_MAX]; /* that were found, where the field takes words */
    size_t n_word, n_other;     /* n_other: messages with further words */
} check_why;

typedef struct {
    check_input in;
    check_proposal proposal;
    fraud_map *map;
    check_stream stream;
    size_t n[FRAUD_N_READING];
    size_t n_repeated;
    struct {
        size_t message, earlier;
    } repeated[PAIRS_MAX]; /* the first ones */
    check_why why[WHYS_MAX];
    size_t n_why;
    size_t n_iban; /* ends of payments that are IBANs with blanks or small letters */
    char iban[64]; /* the first of them */
} check;

/* ---- counting ---- */

/* Reasons are one where they differ in the value alone. */
static size_t why_length(const char *text)
{
    const char *found = strstr(text, ", found ");
    return found ? (size_t)(found - text) : strlen(text);
}

/* Whether the reason is of a field whose values are few words, which a mapping file can list. */
static bool why_has_words(const char *text)
{
    static const char *const names[] = {"kind",     "from_role", "to_role",
                                        "currency", "country",   "booking"};
    const char *end = strstr(text, ": expected");
    if (strstr(text, ": left out by ")) return true;
    size_t len = end ? (size_t)(end - text) : 0;
    if (len && text[len - 1] == ')') len--;
    for (size_t i = 0; i < R1_COUNT(names); i++) {
        size_t n = strlen(names[i]);
        bool ends = len >= n && !memcmp(text + len - n, names[i], n);
        if (ends && (len == n || text[len - n - 1] == '(')) return true;
    }
    return false;
}

/* What stands behind "found", up to a further remark. */
static void why_count_word(check_why *w, const char *text)
{
    const char *found = strstr(text, ", found ");
    if (!found || !why_has_words(text)) return;
    found += strlen(", found ");
    const char *quote = *found == '"' ? strrchr(found + 1, '"') : NULL;
    size_t k = 0, len = quote ? (size_t)(quote + 1 - found) : strcspn(found, " :,");
    if (len >= WORD_BYTES) len = WORD_BYTES - 1;
    while (k < w->n_word &&
           (strlen(w->word[k].text) != len || memcmp(w->word[k].text, found, len) != 0))
        k++;
    if (k == WORDS_MAX) {
        w->n_other++;
        return;
    }
    if (k == w->n_word) memcpy(w->word[w->n_word++].text, found, len);
    w->word[k].n++;
}

static void check_count(check *c, size_t i, fraud_reading what, const char *text)
{
    size_t k = 0, len = why_length(text);
    while (k < c->n_why && (c->why[k].what != what || why_length(c->why[k].text) != len ||
                            strncmp(c->why[k].text, text, len) != 0))
        k++;
    if (k == WHYS_MAX) k = WHYS_MAX - 1;
    if (k == c->n_why) {
        c->n_why++;
        c->why[k] = (check_why){.first = i, .what = what};
        snprintf(c->why[k].text, sizeof c->why[k].text, "%s", text);
    }
    c->why[k].n++;
    if (c->why[k].what == what) why_count_word(&c->why[k], text);
}

/* What the messages before it make of a message with an id. */
static r1_status check_beside(check *c, const check_next *next, fraud_reading *what, bool *counted,
                              r1_err *why, r1_err *err)
{
    check_verdict verdict;
    size_t earlier, len;
    char place[64];
    R1_TRY(check_stream_next(&c->stream, next, &verdict, &earlier, why, err));
    *counted = verdict == CHECK_REPEATED;
    if (*counted && c->n_repeated < PAIRS_MAX) {
        c->repeated[c->n_repeated].message = next->message;
        c->repeated[c->n_repeated].earlier = earlier;
    }
    c->n_repeated += *counted;
    if (verdict == CHECK_APART) *what = FRAUD_READ_UNSCORABLE;
    if (verdict == CHECK_APART && earlier != next->message) {
        len = strlen(why->msg);
        snprintf(why->msg + len, sizeof why->msg - len, ", which %s has",
                 check_input_place(&c->in, earlier, place, sizeof place));
    }
    return R1_OK;
}

static void check_end(check *c, const char *account)
{
    if (!fraud_iban_is_odd(account)) return;
    if (!c->n_iban++) snprintf(c->iban, sizeof c->iban, "%.63s", account);
}

static r1_status check_message(check *c, size_t i, r1_err *err)
{
    fraud_payment p;
    char notes[FRAUD_NOTES_BYTES];
    check_next next = {.p = &p, .message = i};
    r1_err why = {0};
    bool counted = false;
    fraud_reading what = fraud_payment_read(c->map, c->in.message[i].text, c->in.message[i].len, &p,
                                            notes, &next.content, &why);
    next.scorable = what == FRAUD_READ_PAYMENT;
    bool own = what != FRAUD_READ_NOTHING && what != FRAUD_READ_LEFT_OUT;
    if (own) R1_TRY(check_beside(c, &next, &what, &counted, &why, err));
    if (counted) return R1_OK;
    c->n[what]++;
    if (what == FRAUD_READ_PAYMENT) {
        check_end(c, p.from);
        check_end(c, p.to);
    }
    if (what != FRAUD_READ_PAYMENT) check_count(c, i, what, why.msg);
    json_t *list = *notes ? json_loads(notes, 0, NULL) : NULL, *note;
    size_t k;
    json_array_foreach(list, k, note)
        check_count(c, i, FRAUD_READ_PAYMENT, json_string_value(note));
    json_decref(list);
    return R1_OK;
}

/* ---- telling ---- */

/* All words, where there is more than one. */
static void print_words(const check_why *w)
{
    bool kind = strstr(w->text, "kind: expected") || strstr(w->text, "(kind): exp");
    size_t named = 0; /* the first that is a word: not "", not nothing */
    while (named < w->n_word && (w->word[named].text[0] != '"' || strlen(w->word[named].text) < 3))
        named++;
    if (kind && named < w->n_word) {
        const char *word = w->word[named].text;
        printf("    say which kind a word is: in [kinds] of a mapping file, as card = ");
        char bare[WORD_BYTES];
        snprintf(bare, sizeof bare, "%.*s", (int)strlen(word) - 2, word + 1);
        r1_utf8_print(stdout, bare);
        putchar('\n');
    }
    if (w->n_word < 2) return;
    printf("    found in all:");
    for (size_t k = 0; k < w->n_word; k++) {
        printf("%s %zu x ", k ? "," : "", w->word[k].n);
        r1_utf8_print(stdout, w->word[k].text);
    }
    if (w->n_other) printf(", and %zu x others", w->n_other);
    putchar('\n');
}

static void print_whys(const check *c, fraud_reading what, const char *title)
{
    size_t shown = 0;
    char place[64];
    for (size_t k = 0; k < c->n_why; k++) {
        const check_why *w = &c->why[k];
        if (w->what != what) continue;
        if (!shown++) printf("\n%s\n", title);
        if (shown > WHY_SHOWN) continue;
        printf("  %zu x, first in %s: ", w->n,
               check_input_place(&c->in, w->first, place, sizeof place));
        r1_utf8_print(stdout, w->text);
        putchar('\n');
        print_words(w);
    }
    if (shown > WHY_SHOWN) printf("  and %zu more\n", shown - WHY_SHOWN);
}

static void print_field(const check *c, fraud_field f)
{
    const fraud_field_words *w = &fraud_fields[f];
    const check_path *x = c->proposal.of[f];
    bool ours = x && !strcmp(x->path, w->name);
    if (!x && !w->required) return;
    if (f == FRAUD_F_AMOUNT_MINOR && !x && c->proposal.of[FRAUD_F_AMOUNT]) return;
    printf("  %-12s %s\n", w->name, w->expected);
    if (!x)
        printf("               found no field that looks like it: add it, or write %s = %s\n",
               w->name, check_holds_for_all(f) ? w->example : "the path of yours");
    else {
        printf("               %s \"%s\"%s, as ", ours ? "found" : "your field", x->path,
               ours      ? ""
               : x->held ? " holds such values"
                         : " looks like it");
        r1_utf8_print(stdout, x->example);
        if (!ours) printf(": write %s = %s", w->name, x->path);
        putchar('\n');
    }
}

/* A row of the mapping file whose path no message of the sample has: a slip in writing, maybe. */
static void print_unmatched_row(const check *c, const char *row, const char *path, size_t *shown)
{
    const check_proposal *p = &c->proposal;
    char near[96];
    for (size_t i = 0, places = 1; i < p->n_message; i++) {
        const json_t *v = message_path_find(p->message[i], path, &places);
        if (v && !json_is_null(v)) return;
    }
    r1_nearest nearest = {.found = path};
    for (size_t k = 0; k < p->n; k++) r1_nearest_offer(&nearest, p->path[k].path);
    if (!(*shown)++) printf("\nRows of the mapping file that no message fits:\n");
    printf("  %s = %s: expected a field that messages have, found it in none of %zu%s\n", row, path,
           p->n_message, r1_nearest_text(&nearest, near, sizeof near));
}

static void print_unmatched(const check *c)
{
    size_t shown = 0;
    char row[400];
    for (int f = 0; f < FRAUD_N_F; f++) {
        const char *path = fraud_map_path(c->map, (fraud_field)f);
        if (!path) continue;
        snprintf(row, sizeof row, "%s: %s", fraud_map_origin(c->map, (fraud_field)f),
                 fraud_fields[f].name);
        print_unmatched_row(c, row, path, &shown);
    }
    for (size_t i = 0; fraud_map_condition(c->map, i); i++)
        print_unmatched_row(c, "leave_out", fraud_map_condition(c->map, i), &shown);
}

/* Values that the form of the others does not read. */
static void print_odd_values(const check_form *form)
{
    if (!form->n_odd) return;
    printf("    not read so: %zu of the first values, as \"", form->n_odd);
    r1_utf8_print(stdout, form->odd);
    printf("\"\n");
}

/* Forms that the sample shows, and what it cannot show. */
static void print_forms(const check_proposal *p)
{
    char text[CHECK_QUESTION_BYTES];
    const char *row;
    if (*p->time.form && !*p->time.other)
        printf("  the form of your times looks like %s: write format = %s\n", p->time.form,
               p->time.form);
    print_odd_values(&p->time);
    if (*p->number.form && !*p->number.other &&
        strcmp(p->number.form, fraud_number_forms[0].example) != 0)
        printf("  your amounts are written as %s: write amounts = %s\n", p->number.form,
               p->number.form);
    print_odd_values(&p->number);
    for (size_t i = 0; check_question(p, i, &row, text, sizeof text); i++) {
        printf("  ");
        r1_utf8_print(stdout, text);
        printf(" Write %s = %s\n", row, strcmp(row, "currency") ? "..." : "\"...\"");
    }
}

static void print_fields(const check *c)
{
    printf("\nWhat a payment needs, and what your messages have:\n");
    for (int f = 0; f < FRAUD_N_F; f++) print_field(c, (fraud_field)f);
    print_forms(&c->proposal);
    printf("  fields of yours that are not read:");
    size_t n = 0;
    for (size_t i = 0; i < c->proposal.n && n < 12; i++)
        if (!c->proposal.path[i].taken) {
            printf(" ");
            r1_utf8_print(stdout, c->proposal.path[i].path);
            n++;
        }
    size_t more = 0;
    for (size_t i = 0; i < c->proposal.n; i++) more += !c->proposal.path[i].taken;
    if (more > n) printf(", and %zu more", more - n);
    printf("%s\n", n ? "" : " none");
    if (!c->proposal.n_unnamed) return;
    printf(
        "  %zu values of yours cannot be named in a mapping file, as they have other signs than a "
        "path can, more than %d\n  bytes, or come behind %d others; the first one is ",
        c->proposal.n_unnamed, CHECK_PATH_BYTES - 1, CHECK_PATHS_MAX);
    r1_utf8_print(stdout, c->proposal.unnamed);
    printf(": rename it\n");
}

static bool check_has_condition(const check *c, const char *path)
{
    size_t i = 0;
    while (fraud_map_condition(c->map, i) && strcmp(fraud_map_condition(c->map, i), path) != 0) i++;
    return fraud_map_condition(c->map, i);
}

/* Whether a row of the mapping file, or our own name, reads the path. */
static bool check_reads(const check *c, const char *path)
{
    for (int f = 0; f < FRAUD_N_F; f++) {
        const char *read = c->map ? fraud_map_path(c->map, (fraud_field)f) : fraud_fields[f].name;
        if (read && !strcmp(read, path)) return true;
    }
    return false;
}

/* States that are not read: what was declined is then decided as all others are. */
static void print_states(const check *c)
{
    const check_proposal *p = &c->proposal;
    for (size_t i = 0; i < p->n_state; i++) {
        const check_path *x = p->state[i].path;
        if (check_has_condition(c, x->path) || check_reads(c, x->path)) continue;
        printf("\n");
        r1_utf8_print(stdout, x->path);
        printf(" is not read, and holds ");
        r1_utf8_print(stdout, p->state[i].words);
        printf(". Rows that are no payments, such as declined ones, are left\nout by leave_out = ");
        r1_utf8_print(stdout, x->path);
        printf(" is WORD, WORD in [rows] of a mapping file.\n");
    }
}

/* A sign of bookings that is not read: then who is paid is taken for who pays, in each credit. */
static void print_booking(const check *c)
{
    const check_path *x = c->proposal.of[FRAUD_F_BOOKING];
    if (!x || fraud_map_path(c->map, FRAUD_F_BOOKING)) return;
    if (check_has_condition(c, x->path)) return;
    printf("\n");
    r1_utf8_print(stdout, x->path);
    printf(" looks like the sign of a booking, and is not read: ");
    r1_utf8_print(stdout, c->proposal.booking.found);
    printf(". Where it tells credits, payer and payee change places there.\nWrite booking = ");
    r1_utf8_print(stdout, x->path);
    printf(" in [fields] of a mapping file, and debit, credit and credits in [booking]: --propose "
           "does.\n");
}

/* A sign beside ends whose names say who pays. Where a mapping file reads it all the same, payer
 * and payee change places in each credit. */
static void print_sign(const check *c)
{
    const check_path *x = c->proposal.sign;
    const char *from = fraud_map_path(c->map, FRAUD_F_FROM),
               *to = fraud_map_path(c->map, FRAUD_F_TO);
    bool read = fraud_map_path(c->map, FRAUD_F_BOOKING);
    if (!x || (c->map && !check_ends_tell(from, to))) return;
    printf("\n");
    r1_utf8_print(stdout, x->path);
    printf(" looks like the sign of a booking, and %s: ", read ? "is read" : "is not read");
    r1_utf8_print(stdout, c->proposal.booking.found);
    printf(". By their names from and to say\nwho pays, also in a credit. %s\n",
           read ? "Take the row booking away, unless from is the account of the statement in each "
                  "row."
                : "Where from is the account of the statement in each row, read it as booking.");
}

/* A list of payments in one message. */
static void print_many(const check *c)
{
    char split[600];
    if (!c->proposal.many) return;
    printf("\n");
    r1_utf8_print(stdout, c->proposal.list);
    printf(" is a list of up to %zu places in one message. Where they are payments, send each by "
           "itself:\n  %s\n",
           c->proposal.many, check_split_command(&c->proposal, split, sizeof split));
}

/* Nothing to be decided is no good end: a condition leaves out all rows. */
static bool check_good(const check *c)
{
    if (c->n[FRAUD_READ_LEFT_OUT] == c->in.n) return false;
    return c->n[FRAUD_READ_PAYMENT] + c->n[FRAUD_READ_LEFT_OUT] + c->n_repeated == c->in.n &&
           !c->in.counts.n_fault;
}

/* What the next commands must be told too. */
static void print_next(const check *c, const r1_options *o, const char *lines)
{
    const char *currency = r1_options_str(o, "currency"), *rates = r1_options_str(o, "rates");
    static const char *const options[] = {"map", "currency", "rates"};
    const char *in = r1_options_str(o, "in");
    const char *same = c->map ? ", and serve the same --currency" : " needs the same --currency";
    printf("Send them with r1-fraud produce --in %s; serve%s%s%s.\n", lines ? lines : in,
           c->map     ? " and produce need the same --map"
           : currency ? ""
                      : " reads them as they are",
           currency ? same : "", currency && rates ? " and --rates" : "");
    printf("Score them without a stream: r1-fraud replay --in %s", lines ? lines : in);
    for (size_t i = 0; i < R1_COUNT(options); i++)
        if (r1_options_str(o, options[i]))
            printf(" --%s %s", options[i], r1_options_str(o, options[i]));
    putchar('\n');
}

/* Which currencies the payments are in, those of most first. */
static void print_shares(const check_stream *s)
{
    size_t all = 0;
    for (size_t i = 0; i < s->n_share; i++) all += s->share[i].n;
    printf("\nPayments are in %zu currencies:", s->n_share);
    for (size_t i = 0; i < s->n_share && i < SHARES_SHOWN; i++)
        printf("%s %zu in %s (%.1f %%)", i ? "," : "", s->share[i].n, s->share[i].code,
               100.0 * (double)s->share[i].n / (double)all);
    fputs(s->n_share > SHARES_SHOWN ? ", and others.\n" : ".\n", stdout);
}

/* Where it is met: the stream has more than one currency. The one of most payments is proposed: a
 * stray first payment would make all others unscorable. */
static void print_currencies(check *c, const r1_options *o)
{
    check_stream *s = &c->stream;
    char place[64];
    check_stream_rank(s);
    if (s->n_share > 1) print_shares(s);
    if (s->rate_age_ms > RATE_DAYS_MAX * FRAUD_DAY_MS)
        printf(
            "A rate of %s is %lld days older than a payment that it converts: it holds until the "
            "next row of the table.\n",
            s->rate_code, (long long)(s->rate_age_ms / FRAUD_DAY_MS));
    if (!s->n_foreign) return;
    if (s->told)
        printf("%zu of them are in another currency than %s%s and go to a person.", s->n_foreign,
               s->gate.currency, r1_options_str(o, "rates") ? " and have no rate," : "");
    else
        printf("No setting names the stream's currency, so the first payment tells it: %s, in %s. "
               "%zu payments are in another one and go to a person.",
               s->gate.currency, check_input_place(&c->in, s->first, place, sizeof place),
               s->n_foreign);
    printf(" Name the stream's currency and rates of the others, here and for serve:\n  "
           "--currency %s --rates rates.csv, a table of currency,rate,date.\n",
           s->told ? s->gate.currency : s->share[0].code);
}

/* What of the file is no message; with the messages it adds up to all of the file. */
static void print_rows(const check *c)
{
    const fraud_messages_counts *n = &c->in.counts;
    const char *kind = n->rows ? "row" : "line";
    if (n->n_fault)
        printf("%zu more %s%s cannot be read and %s no message:\n", n->n_fault, kind,
               n->n_fault == 1 ? "" : "s", n->n_fault == 1 ? "is" : "are");
    for (size_t i = 0; i < n->n_fault && i < CHECK_FAULTS_MAX; i++) {
        printf("  line %zu: ", c->in.fault[i].line);
        r1_utf8_print(stdout, c->in.fault[i].why);
        putchar('\n');
    }
    if (n->n_fault > CHECK_FAULTS_MAX) printf("  and %zu more\n", n->n_fault - CHECK_FAULTS_MAX);
    if (n->n_blank)
        printf("%zu more %s%s blank\n", n->n_blank, kind, n->n_blank == 1 ? " is" : "s are");
    if (c->in.notes && *c->in.notes) {
        printf("\nOf the file:\n");
        r1_utf8_print(stdout, c->in.notes);
    }
}

/* Of ids and accounts, several become one so. */
static void print_rounded(const check *c)
{
    for (size_t i = 0; i < c->proposal.n; i++) {
        const check_path *x = &c->proposal.path[i];
        if (!*x->rounded) continue;
        printf("\nThe field ");
        r1_utf8_print(stdout, x->path);
        printf(
            " holds numbers as %s: a spreadsheet has rounded them, and digits are lost. Make the "
            "column a text and\nexport it again.\n",
            x->rounded);
    }
}

static void print_ibans(const check *c)
{
    if (!c->n_iban) return;
    printf("\n%zu payers and payees are an IBAN with blanks or small letters, as ", c->n_iban);
    r1_utf8_print(stdout, c->iban);
    printf(
        ". Accounts are compared as they are\nwritten: one that is written in two ways counts as "
        "two, and lists must write it as the payments do.\n");
}

static void print_repeated(const check *c)
{
    char a[64], b[64];
    if (!c->n_repeated) return;
    printf("%zu more are the same as an earlier message: the service drops them as duplicates\n",
           c->n_repeated);
    for (size_t i = 0; i < c->n_repeated && i < PAIRS_MAX; i++)
        printf("  %s is the same as %s\n",
               check_input_place(&c->in, c->repeated[i].message, a, sizeof a),
               check_input_place(&c->in, c->repeated[i].earlier, b, sizeof b));
    if (c->n_repeated > PAIRS_MAX) printf("  and %zu more\n", c->n_repeated - PAIRS_MAX);
}

static void check_print(check *c, const r1_options *o)
{
    const char *proposed = r1_options_str(o, "propose"), *lines = r1_options_str(o, "out");
    printf("%zu messages (%s): %zu can be scored, %zu cannot and go to a person, %zu are no "
           "payments\n",
           c->in.n, c->in.form, c->n[FRAUD_READ_PAYMENT], c->n[FRAUD_READ_UNSCORABLE],
           c->n[FRAUD_READ_NOTHING]);
    if (c->n[FRAUD_READ_LEFT_OUT])
        printf("%zu more are left out by the mapping file%s\n", c->n[FRAUD_READ_LEFT_OUT],
               c->n[FRAUD_READ_LEFT_OUT] == c->in.n ? ": nothing is left to be decided" : "");
    print_repeated(c);
    print_rows(c);
    print_rounded(c);
    print_ibans(c);
    print_unmatched(c);
    print_whys(c, FRAUD_READ_LEFT_OUT,
               "Left out by the mapping file (counted, nothing is decided):");
    print_whys(c, FRAUD_READ_NOTHING, "No payments (dead letters):");
    print_whys(c, FRAUD_READ_UNSCORABLE,
               "Cannot be scored (a person decides, or the setting unscorable):");
    print_whys(c, FRAUD_READ_PAYMENT, "Read otherwise than written (a note on the decision):");
    bool good = check_good(c);
    if (!good && !c->map) print_fields(c);
    print_booking(c);
    print_sign(c);
    print_states(c);
    print_many(c);
    if (proposed)
        printf("\nA proposal is in %s. Read it, then: r1-fraud check --map %s --in FILE\n",
               proposed, proposed);
    else if (!good && !c->map)
        printf("\nr1-fraud check --in FILE --propose map.ini writes a mapping file.\n");
    if (!c->map && c->proposal.of[FRAUD_F_TS] && !strcmp(c->proposal.time.form, "s"))
        printf(
            "\nYour times look like seconds; as milliseconds they lie in 1970. Use a mapping file "
            "with format = s.\n");
    if (good && !c->map && *c->proposal.number.other)
        printf("\nAmounts such as %s are read as %s. Where they are written as %s, use a mapping "
               "file.\n",
               c->proposal.number.doubt, c->proposal.number.form, c->proposal.number.other);
    if (lines) printf("They are in %s as JSON lines.\n", lines);
    print_currencies(c, o);
    if (good) print_next(c, o, lines);
}

/* ---- the command ---- */

static r1_status check_write_lines(const check *c, const char *path, r1_err *err)
{
    char *text = NULL;
    size_t len;
    FILE *f = path ? open_memstream(&text, &len) : NULL;
    if (!path) return R1_OK;
    if (!f) R1_FAIL(err, R1_E_NOMEM, "%s: no memory", path);
    for (size_t i = 0; i < c->in.n; i++) {
        fwrite(c->in.message[i].text, 1, c->in.message[i].len, f);
        putc('\n', f);
    }
    fclose(f);
    r1_status st = r1_file_write(path, text, len, err);
    free(text);
    return st;
}

/* The last line of a proposal. Answers change what stands above it. */
static const char sum_words[] = "; Nobody has answered yet while the sum of the lines above is ";

static void proposal_sum(const char *text, size_t len, char line[128])
{
    snprintf(line, 128, "%s%016llx\n", sum_words, (unsigned long long)r1_hash64(text, len, 0));
}

/* A mapping file holds somebody's answers: nothing but an unanswered proposal is replaced. */
static r1_status check_spare_answers(const char *path, r1_err *err)
{
    char *text = NULL, line[128] = "";
    size_t len = 0;
    if (!path || access(path, F_OK) != 0 || r1_file_is_stream(path)) return R1_OK;
    R1_TRY(r1_file_read(path, 1 << 20, &text, &len, err));
    const char *end = strstr(text, sum_words);
    if (end) proposal_sum(text, (size_t)(end - text), line);
    bool bare = !len || (end && !strcmp(end, line));
    free(text);
    if (bare) return R1_OK;
    R1_FAIL(
        err, R1_E_INVAL,
        "--propose %s: expected a new file or a proposal that nobody has answered, found a file "
        "that would be lost: name another one, or remove it",
        path);
}

static r1_status check_write_map(const check *c, const char *path, r1_err *err)
{
    if (!path) return R1_OK;
    char *rows = check_propose_text(&c->proposal), *text = NULL, line[128];
    size_t len = rows ? strlen(rows) : 0;
    if (rows) {
        proposal_sum(rows, len, line);
        text = malloc(len + sizeof line);
    }
    r1_status st = R1_OK;
    if (text)
        st = r1_file_write(path, text,
                           (size_t)snprintf(text, len + sizeof line, "%s%s", rows, line), err);
    else
        st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "%s: no memory", path);
    free(text);
    free(rows);
    return st;
}

static r1_status check_run(check *c, const r1_options *o, r1_err *err)
{
    const char *in = r1_options_str(o, "in"), *map = r1_options_str(o, "map");
    const r1_named_file out[] = {{"--out", r1_options_str(o, "out"), 0},
                                 {"--propose", r1_options_str(o, "propose"), 0}};
    const r1_named_file from[] = {{"--in", strcmp(in, "-") ? in : NULL, 0},
                                  {"--map", map, 0},
                                  {"--rates", r1_options_str(o, "rates"), 0}};
    R1_TRY(r1_outputs_check(out, R1_COUNT(out), from, R1_COUNT(from), err));
    R1_TRY(check_spare_answers(r1_options_str(o, "propose"), err));
    R1_TRY(fraud_currency_setting(r1_options_str(o, "currency"), r1_options_origin(o, "currency"),
                                  err));
    R1_TRY(fraud_map_load(&c->map, map, stderr, err));
    R1_TRY(check_input_read(&c->in, in, err));
    check_propose(&c->proposal, &c->in);
    R1_TRY(check_stream_begin(&c->stream, r1_options_str(o, "currency"), r1_options_str(o, "rates"),
                              c->in.n, err));
    for (size_t i = 0; i < c->in.n; i++) R1_TRY(check_message(c, i, err));
    R1_TRY(check_write_map(c, r1_options_str(o, "propose"), err));
    R1_TRY(check_write_lines(c, r1_options_str(o, "out"), err));
    check_print(c, o);
    return R1_OK;
}

int fraud_command_check(r1_cli_call *call)
{
    check *c = calloc(1, sizeof *c);
    if (!c) return R1_EXIT_FAILED;
    r1_status st = check_run(c, call->opts, &call->err);
    bool partial = !check_good(c);
    check_stream_end(&c->stream);
    check_propose_end(&c->proposal);
    fraud_map_free(c->map);
    check_input_free(&c->in);
    free(c);
    return st != R1_OK ? r1_cli_exit(st) : partial ? R1_EXIT_PARTIAL : R1_EXIT_OK;
}
