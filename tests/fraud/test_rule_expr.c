/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Conditions of rules. Oracle twin: random trees are printed as text, with the fewest brackets and
 * with more, and read back; a walk over the tree itself must judge every payment alike. */
#include "decide/rule_expr.h"
#include "score/rules.h"
#include "support/r1_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the twin ---- */

typedef enum {
    TWIN_NUMBER,
    TWIN_FIELD, /* a number of the payment */
    TWIN_ADD,
    TWIN_SUB,
    TWIN_MUL,
    TWIN_DIV,
    TWIN_COMPARE,
    TWIN_TEXT, /* country in ("..", "..") */
    TWIN_FLAG,
    TWIN_NOT,
    TWIN_AND,
    TWIN_OR
} twin_kind;

typedef struct twin {
    twin_kind kind;
    int which; /* field, relation, flag, bits of countries */
    double number;
    struct twin *x, *y;
} twin;

static const char *const twin_numbers[] = {
    "amount_minor",           "probability", "count(sender, 1h)",
    "distinct(receiver, 3d)", "logit",       "count(pair, 28d)"};
static const char *const twin_relations[] = {"==", "!=", "<=", ">=", "<", ">"};
static const char *const twin_flags[] = {"degraded", "new_payee", "new_device"};
static const char *const twin_countries[] = {"DE", "NG", "RU", "FR"};

static twin *twin_new(twin_kind kind, twin *x, twin *y)
{
    twin *t = calloc(1, sizeof *t);
    if (!t) abort();
    *t = (twin){.kind = kind, .x = x, .y = y};
    return t;
}

static void twin_free(twin *t)
{
    if (!t) return;
    twin_free(t->x);
    twin_free(t->y);
    free(t);
}

static twin *twin_sum(r1_rng *rng, int depth)
{
    uint64_t pick = r1_rng_below(rng, depth > 0 ? 6 : 2);
    if (pick >= 2) {
        twin *x = twin_sum(rng, depth - 1), *y = twin_sum(rng, depth - 1);
        return twin_new((twin_kind)(TWIN_ADD + (int)pick - 2), x, y);
    }
    twin *t = twin_new(pick ? TWIN_FIELD : TWIN_NUMBER, NULL, NULL);
    t->which = (int)r1_rng_below(rng, R1_COUNT(twin_numbers));
    t->number = (double)r1_rng_below(rng, 5) / 4.0;
    return t;
}

static bool twin_constant(const twin *t)
{
    return t->kind == TWIN_NUMBER ||
           (t->kind != TWIN_FIELD && twin_constant(t->x) && twin_constant(t->y));
}

static twin *twin_condition(r1_rng *rng, int depth)
{
    uint64_t pick = r1_rng_below(rng, depth > 0 ? 8 : 4);
    if (pick >= 6) {
        twin *x = twin_condition(rng, depth - 1), *y = twin_condition(rng, depth - 1);
        return twin_new(pick == 6 ? TWIN_AND : TWIN_OR, x, y);
    }
    if (pick >= 4) return twin_new(TWIN_NOT, twin_condition(rng, depth - 1), NULL);
    twin *t = twin_new(pick == 0 ? TWIN_FLAG : pick == 1 ? TWIN_TEXT : TWIN_COMPARE, NULL, NULL);
    t->which = (int)r1_rng_below(rng, pick == 0 ? 3 : pick == 1 ? 15 : 6) + (pick == 1);
    if (t->kind != TWIN_COMPARE) return t;
    t->x = twin_sum(rng, depth > 0 ? 2 : 0);
    t->y = twin_sum(rng, depth > 0 ? 2 : 0);
    if (twin_constant(t->x)) {
        twin_free(t->x);
        t->x = twin_new(TWIN_FIELD, NULL, NULL); /* of two constants none is a rule */
    }
    return t;
}

static double twin_field(int which, const fraud_subject *s)
{
    switch (which) {
    case 0: return (double)s->payment->amount_minor;
    case 1: return s->result->probability;
    case 2: return s->facts->from[FRAUD_W_1H][0].n;
    case 3: return s->facts->to[FRAUD_W_3D][1].distinct;
    case 4: return s->result->logit;
    default: return s->facts->pair[FRAUD_W_28D];
    }
}

static double twin_value(const twin *t, const fraud_subject *s)
{
    if (t->kind == TWIN_NUMBER) return t->number;
    if (t->kind == TWIN_FIELD) return twin_field(t->which, s);
    double x = twin_value(t->x, s), y = twin_value(t->y, s);
    return t->kind == TWIN_ADD   ? x + y
           : t->kind == TWIN_SUB ? x - y
           : t->kind == TWIN_MUL ? x * y
                                 : x / y;
}

static bool twin_compare(int relation, double x, double y)
{
    bool held[] = {x == y, x != y, x <= y, x >= y, x<y, x> y};
    return isfinite(x) && isfinite(y) && held[relation];
}

static bool twin_holds(const twin *t, const fraud_subject *s)
{
    switch (t->kind) {
    case TWIN_COMPARE: return twin_compare(t->which, twin_value(t->x, s), twin_value(t->y, s));
    case TWIN_FLAG:
        return t->which == 0   ? s->result->degraded
               : t->which == 1 ? !s->facts->pair_28d
                               : s->facts->new_device;
    case TWIN_TEXT:
        for (int i = 0; i < 4; i++)
            if (t->which & 1 << i && !strcmp(s->payment->country, twin_countries[i])) return true;
        return false;
    case TWIN_NOT: return !twin_holds(t->x, s);
    case TWIN_AND: return twin_holds(t->x, s) && twin_holds(t->y, s);
    default: return twin_holds(t->x, s) || twin_holds(t->y, s);
    }
}

/* How tightly a node binds: brackets stand where a child binds less tightly than its place asks. */
static int twin_binds(twin_kind kind)
{
    switch (kind) {
    case TWIN_OR: return 0;
    case TWIN_AND: return 1;
    case TWIN_NOT: return 2;
    case TWIN_COMPARE:
    case TWIN_TEXT: return 3;
    case TWIN_ADD:
    case TWIN_SUB: return 4;
    case TWIN_MUL:
    case TWIN_DIV: return 5;
    default: return 6;
    }
}

typedef struct {
    char *out;
    size_t n, size;
    r1_rng *rng; /* brackets that need not be */
} printer;

static void print_text(printer *p, const char *text)
{
    int n =
        snprintf(p->out + p->n, p->size - p->n, "%s%s", text, r1_rng_below(p->rng, 4) ? " " : "  ");
    p->n += (size_t)n;
}

static void print_twin(printer *p, const twin *t, int place)
{
    static const char *const sign[] = {[TWIN_ADD] = "+", [TWIN_SUB] = "-",   [TWIN_MUL] = "*",
                                       [TWIN_DIV] = "/", [TWIN_AND] = "and", [TWIN_OR] = "or"};
    int binds = twin_binds(t->kind);
    bool brackets = binds < place || !r1_rng_below(p->rng, 8);
    char number[32];
    if (brackets) print_text(p, "(");
    switch (t->kind) {
    case TWIN_NUMBER:
        snprintf(number, sizeof number, "%g", t->number);
        print_text(p, number);
        break;
    case TWIN_FIELD: print_text(p, twin_numbers[t->which]); break;
    case TWIN_FLAG: print_text(p, twin_flags[t->which]); break;
    case TWIN_TEXT:
        print_text(p, "country in (");
        for (int i = 0, first = 1; i < 4; i++) {
            if (!(t->which & 1 << i)) continue;
            snprintf(number, sizeof number, "%s\"%s\"", first ? "" : ",", twin_countries[i]);
            print_text(p, number);
            first = 0;
        }
        print_text(p, ")");
        break;
    case TWIN_NOT:
        print_text(p, "not");
        print_twin(p, t->x, 2);
        break;
    default:
        print_twin(p, t->x, t->kind == TWIN_COMPARE ? 4 : binds);
        print_text(p, t->kind == TWIN_COMPARE ? twin_relations[t->which] : sign[t->kind]);
        print_twin(p, t->y, t->kind == TWIN_COMPARE ? 4 : binds + 1);
    }
    if (brackets) print_text(p, ")");
}

/* ---- the tests ---- */

static r1_status expr_read(rule_program **out, const char *text, r1_err *err)
{
    fraud_lines s;
    R1_TRY(fraud_lines_of(&s, "rule", text, strlen(text), err));
    fraud_lines_next(&s);
    const char *at = s.line;
    r1_status st = rule_program_new(out, &s, &at, NULL, err);
    fraud_lines_close(&s);
    return st;
}

static void expr_subject(r1_rng *rng, fraud_payment *p, fraud_result *r, fraud_facts *f)
{
    memset(p, 0, sizeof *p);
    p->amount_minor = 1 + (int64_t)r1_rng_below(rng, 3);
    snprintf(p->country, sizeof p->country, "%s", twin_countries[r1_rng_below(rng, 4)]);
    r->probability = (double)r1_rng_below(rng, 5) / 4.0;
    r->logit = (double)r1_rng_below(rng, 5) / 2.0 - 1;
    r->degraded = r1_rng_below(rng, 2);
    f->from[FRAUD_W_1H][0].n = (uint32_t)r1_rng_below(rng, 3);
    f->to[FRAUD_W_3D][1].distinct = (uint32_t)r1_rng_below(rng, 3);
    f->pair[FRAUD_W_28D] = f->pair_28d = (uint32_t)r1_rng_below(rng, 2);
    f->new_device = r1_rng_below(rng, 2);
}

static void test_twin(void)
{
    enum { TREES = 4000, PAYMENTS = 20 };
    static char text[1 << 16];
    static fraud_result result;
    static fraud_facts facts;
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    size_t read = 0, held = 0;
    for (int i = 0; i < TREES; i++) {
        twin *t = twin_condition(&rng, 1 + (int)r1_rng_below(&rng, 5));
        printer out = {.out = text, .size = sizeof text, .rng = &rng};
        print_twin(&out, t, 0);
        rule_program *p;
        r1_err err = {0};
        if (expr_read(&p, text, &err) != R1_OK) { /* too long, too deep, or out of a range */
            bool known = strstr(err.msg, "at most") || strstr(err.msg, " to ");
            if (!known) fprintf(stderr, "%s\n%s\n", text, err.msg);
            CU_ASSERT_TRUE(known);
            twin_free(t);
            continue;
        }
        read++;
        for (int k = 0; k < PAYMENTS; k++) {
            fraud_payment pay;
            expr_subject(&rng, &pay, &result, &facts);
            const fraud_subject s = {&pay, &result, &facts, NULL};
            bool expected = twin_holds(t, &s);
            held += expected;
            if (rule_program_run(p, &s, NULL) == expected) continue;
            fprintf(stderr, "%s\nexpected %d\n", text, expected);
            CU_FAIL("twin");
        }
        rule_program_free(p);
        twin_free(t);
    }
    CU_ASSERT_TRUE(read > TREES / 2);
    CU_ASSERT_TRUE(held > read * PAYMENTS / 5 && held < read * PAYMENTS * 4 / 5);
}

/* Each condition over one payment: 12,500 EUR on Sunday 29 March 2026, 01:30 UTC, when Berlin goes
 * from 3 to 4 o'clock half an hour before. */
static void test_conditions(void)
{
    static const struct {
        const char *text;
        bool holds;
    } cases[] = {
        {"amount > 10000 EUR", true},
        {"amount > 10000 USD", false},
        {"amount < 10000 USD", false},
        {"not amount > 10000 USD", true},
        {"amount > 10000EUR and amount in 12500..12500", true},
        {"amount in 1..2 USD", false},
        {"amount in (12500 EUR, 3 EUR)", true},
        {"amount == 3 * 4000 EUR + 500 EUR", true},
        {"amount > 5 * sum(sender, 7d) / count(sender, 7d)", false},
        {"sum(sender, 1d) > 900 EUR", true},
        {"sum(sender, 24h) > 900 USD", false},
        {"sum(receiver, 1d) / count(sender, 168h) >= 0", true},
        {"count(pair, 1d) / 0 > 1 or count(pair, 1d) / 0 <= 1", false},
        {"count(sender, 1h) > 5", true},
        {"count(sender_in, 1h) == 0", true},
        {"distinct(receiver, 1d) == 4", true},
        {"age(sender) < 7d", true},
        {"age(sender) >= 48h and age(sender) <= 2d", true},
        {"age(receiver) > 0", false},
        {"new_payee and not new_device", true},
        {"new_sender == 0", true},
        {"noted", true},
        {"hour == 1", true},
        {"hour(\"UTC\") == 1", true},
        {"hour(\"Europe/Berlin\") == 3", true},
        {"hour(\"Europe/Berlin\") in 0..5", true},
        {"hour(\"America/New_York\") == 21", true},
        {"weekday(\"UTC\") == 7 and weekday(\"America/New_York\") == 6", true},
        {"kind in (\"transfer\", \"cash\")", true},
        {"kind not in (\"transfer\", \"cash\")", false},
        {"country in (\"NG\", \"RU\", \"\")", true},
        {"from begins \"DE\" and from contains \"#\"", true},
        {"text contains \"crypto # 1\" # a comment", true},
        {"finding in (\"stack\", \"cycle\")", true},
        {"finding not in (\"stack\", \"cycle\")", false},
        {"hour in (0, 1, 2)", true},
        {"probability in 0.25..0.5", true},
        {"-logit == 0.5 and +logit < -0.4", true},
        {"logit > -1.5 - -1", false},
        {"1e4 < amount and .5 > probability", true},
        {"not not (hour < 6)", true},
        {"hour < 6 or hour < 1 and hour > 5", true},
        {"(hour < 6 or hour < 1) and hour > 5", false},
    };
    static fraud_result result = {.probability = 0.3, .logit = -0.5, .n_finding = 1};
    static fraud_facts facts = {.age_from_ms = 2 * FRAUD_DAY_MS};
    fraud_payment p;
    memset(&p, 0, sizeof p);
    result.finding[0].typology = FRAUD_TYPOLOGY_CYCLE;
    facts.from[FRAUD_W_1H][0].n = 6;
    facts.from[FRAUD_W_1D][0].sum = 100000;
    facts.from[FRAUD_W_7D][0] = (fraud_window){.n = 2, .sum = 600000};
    facts.to[FRAUD_W_1D][1].distinct = 4;
    snprintf(p.from, sizeof p.from, "DE#1");
    snprintf(p.currency, sizeof p.currency, "EUR");
    snprintf(p.text, sizeof p.text, "for crypto # 1");
    p.minor_digits = 2;
    p.amount_minor = 1250000;
    p.ts = INT64_C(1774747800000);
    const fraud_subject s = {&p, &result, &facts, "[\"device\"]"};
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        rule_program *program;
        r1_err err = {0};
        if (expr_read(&program, cases[i].text, &err) != R1_OK ||
            rule_program_run(program, &s, NULL) != cases[i].holds) {
            fprintf(stderr, "%s: expected %d, %s\n", cases[i].text, cases[i].holds, err.msg);
            CU_FAIL("condition");
        }
        rule_program_free(program);
    }
}

/* What other languages and word processors write is answered with what rules write. */
static void test_advice(void)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"amount = 5 EUR", "found \"=\"; write == for equal"},
        {"amount => 5 EUR", "; write >= to compare"},
        {"amount =< 5 EUR", "; write <="},
        {"amount <> 5 EUR", "; write !="},
        {"country == DE", "; write \"DE\""},
        {"from == to", "; a field is compared with texts, not with another field"},
        {"country == 'DE'", "; write double quotes"},
        {"country == \xe2\x80\x9c"
         "DE\xe2\x80\x9d",
         "; write straight double quotes"},
        {"device == null", "; write \"\" for a text that is missing"},
        {"finding == cycle", "; write \"cycle\""},
        {"from in list(mules)", "; write \"mules\""},
        {"country in [\"DE\"]", "; write ( and )"},
        {"amount > 1000 eur", "found \"eur\"; write a currency in capitals behind its number"},
        {"amount > EUR 1000", "found \"EUR\"; write a currency in capitals behind its number"},
        {"amount > \xe2\x82\xac"
         "1000",
         "; write EUR behind the number"},
        {"amount > 1,000 EUR", "; write 1000.50, without marks between thousands"},
        {"amount > 10k EUR", "; write 1000 for a thousand"},
        {"amount > 5 && noted", "; write and"},
        {"amount > 5 || noted", "; write or"},
        {"amount > 5 AND noted", "found \"AND\"; write and in small letters"},
        {"!noted", "; write not"},
        {"noted is 1", "; write =="},
        {"noted == true", "; a flag stands alone"},
        {"5 < amount < 10", "; join two comparisons by and"},
        {"amount between 5 and 10", "found \"between\"; write in 5..10"},
        {"text like \"gift\"", "; write contains or begins"},
        {"age(sender) < 7 days", "expected a duration such as 7d"},
        {"age(sender) < 7days", "; write d, without a blank before it"},
        {"count(sender, 60m) > 5", "; write min for minutes"},
        {"amount\xc2\xa0> 5", "; write an ordinary blank"},
        {"probability > 0.8%", "; write 0.8 for 80 %"},
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_err err = {0};
        rule_program *p = NULL;
        (void)expr_read(&p, cases[i].text, &err);
        if (p || !strstr(err.msg, cases[i].words)) printf("%s: %s\n", cases[i].text, err.msg);
        CU_ASSERT_PTR_NULL(p);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, cases[i].words));
        rule_program_free(p);
    }
}

static void expr_keep_note(void *ctx, const char *text) { snprintf(ctx, 400, "%s", text); }

/* A note names what stands there, and a number that some read as a thousand has one. */
static void test_notes_of_amounts(void)
{
    static const struct {
        const char *text, *currency, *note;
    } cases[] = {
        {"amount > 1000", "EUR", "is in that of the stream, EUR: write 1000 EUR"},
        {"amount > 2 * 250", "CHF", "is in that of the stream, CHF: write 500 CHF"},
        {"amount > 1000", NULL, "is in that of the stream: name it, as in 1000 EUR"},
        {"amount > 1.000 EUR", "EUR",
         "rule:1:10: the point begins decimals, so this is 1: write 1000 where thousands"},
        {"amount in 10.500..20000 EUR", "EUR", "rule:1:11: the point begins decimals, so this is"},
        {"count(sender, 1d) > 1.000", "EUR", "write 1000 where thousands are meant"},
        {"amount_minor in (2.000, 5)", "EUR", "write 2000 where thousands are meant"},
        {"sum(sender, 1d) > 999.001 EUR", "EUR", "write 999001 where thousands are meant"},
        {"amount > 1.00 EUR and amount < 1000.000 EUR", "EUR", ""},
        {"amount > 1.000 BHD", "BHD", ""},
        {"amount > 1.125 * sum(sender, 7d)", "EUR", ""},
        {"probability > 0.500 and logit > 1.500", "EUR", ""},
        {"amount > 0", "EUR", ""},
        {"amount > 5 USD", "EUR",
         "rule:1:12: an amount in USD never matches, because the stream is in EUR"},
        {"currency in (\"EUR\", \"USD\")", "EUR",
         "rule:1:21: currency as USD never matches, because the stream is in EUR"},
        {"currency == \"EUR\" and amount > 5", "EUR", ""},
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        char note[400] = "";
        fraud_lines s;
        rule_program *p;
        r1_err err = {0};
        const rule_context context = {
            .note = expr_keep_note, .currency = cases[i].currency, .ctx = note};
        R1_ASSERT_OK(fraud_lines_of(&s, "rule", cases[i].text, strlen(cases[i].text), &err), &err);
        fraud_lines_next(&s);
        const char *at = s.line;
        R1_ASSERT_OK(rule_program_new(&p, &s, &at, &context, &err), &err);
        if (!strstr(note, cases[i].note) || (!*cases[i].note && *note)) {
            fprintf(stderr, "%s: expected \"%s\", found \"%s\"\n", cases[i].text, cases[i].note,
                    note);
            CU_FAIL("note");
        }
        rule_program_free(p);
        fraud_lines_close(&s);
    }
}

/* A rule on what the mapping file never fills is noted, and one that its constant contradicts. */
static void test_notes_of_map(void)
{
    static const struct {
        const char *text, *note;
    } cases[] = {
        {"country in (\"DE\", \"AT\")", "rule:1:1: country is missing in each payment, because the "
                                        "mapping file has no row country"},
        {"amount > 5 EUR and new_device",
         "rule:1:20: new_device is missing in each payment, because "
         "the mapping file has no row device"},
        {"text contains \"x\"", "text is missing"},
        {"category == \"x\"", "category is missing"},
        {"kind == \"card\"", "rule:1:9: kind as card never matches, because the mapping file says "
                             "transfer for each payment"},
        {"kind == \"transfer\" and channel == \"web\"", ""},
    };
    static const char file[] = "[fields]\ntx_id = a\nts = b\nkind = \"transfer\"\nfrom = c\n"
                               "to = d\namount = e\ncurrency = \"EUR\"\nchannel = f\n";
    const char *path = r1_test_in_tmp("map.ini");
    r1_err err = {0};
    fraud_map *map;
    R1_ASSERT_OK(r1_file_write(path, file, strlen(file), &err), &err);
    R1_ASSERT_OK(fraud_map_load(&map, path, NULL, &err), &err);
    for (size_t i = 0; i < 2 * R1_COUNT(cases); i++) { /* without a mapping file nothing is said */
        size_t k = i / 2;
        char note[400] = "";
        fraud_lines s;
        rule_program *p;
        const rule_context context = {
            .note = expr_keep_note, .currency = "EUR", .map = i % 2 ? NULL : map, .ctx = note};
        R1_ASSERT_OK(fraud_lines_of(&s, "rule", cases[k].text, strlen(cases[k].text), &err), &err);
        fraud_lines_next(&s);
        const char *at = s.line;
        R1_ASSERT_OK(rule_program_new(&p, &s, &at, &context, &err), &err);
        bool good = i % 2 || !*cases[k].note ? !*note : strstr(note, cases[k].note) != NULL;
        if (!good) fprintf(stderr, "%s: found \"%s\"\n", cases[k].text, note);
        CU_ASSERT_TRUE(good);
        rule_program_free(p);
        fraud_lines_close(&s);
    }
    fraud_map_free(map);
}

/* Depth, length and values are bounded, and a rule at its bound still runs. */
static void test_bounds(void)
{
    static char text[1 << 14];
    rule_program *p;
    r1_err err = {0};
    static fraud_result result;
    static fraud_facts facts;
    fraud_payment pay = {.ts = 1};
    size_t n = (size_t)snprintf(text, sizeof text, "logit <= ");
    for (int i = 0; i < RULE_DEPTH_MAX; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "1 + 1 * (");
    n += (size_t)snprintf(text + n, sizeof text - n, "hour");
    for (int i = 0; i < RULE_DEPTH_MAX; i++) n += (size_t)snprintf(text + n, sizeof text - n, ")");
    R1_ASSERT_OK(expr_read(&p, text, &err), &err);
    CU_ASSERT_TRUE(rule_program_run(p, &(fraud_subject){&pay, &result, &facts, NULL}, NULL));
    rule_program_free(p);
    memset(text, '(', RULE_DEPTH_MAX);
    snprintf(text + RULE_DEPTH_MAX, 64, "hour < 6");
    n = strlen(text);
    memset(text + n, ')', RULE_DEPTH_MAX);
    text[n + RULE_DEPTH_MAX] = 0;
    R1_ASSERT_OK(expr_read(&p, text, &err), &err);
    CU_ASSERT_TRUE(rule_program_run(p, &(fraud_subject){&pay, &result, &facts, NULL}, NULL));
    rule_program_free(p);
    memmove(text + 1, text, strlen(text) + 1);
    *text = '(';
    CU_ASSERT_EQUAL(expr_read(&p, text, &err), R1_E_INVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "at most 32 levels of brackets"));
    n = (size_t)snprintf(text, sizeof text, "hour == 1");
    for (int i = 0; i < 80; i++) n += (size_t)snprintf(text + n, sizeof text - n, " or hour == 1");
    CU_ASSERT_EQUAL(expr_read(&p, text, &err), R1_E_INVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "at most 256 steps in a rule"));
    n = (size_t)snprintf(text, sizeof text, "hour in (1");
    for (int i = 0; i < 256; i++) n += (size_t)snprintf(text + n, sizeof text - n, ",1");
    snprintf(text + n, sizeof text - n, ")");
    CU_ASSERT_EQUAL(expr_read(&p, text, &err), R1_E_INVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "at most 256 values in a rule"));
}

/* Zones against the changes of 2026 and of a year behind the tables of the files. */
static void test_zones(void)
{
    static const struct {
        const char *zone;
        int year, month, day, hour; /* UTC */
        int local;
    } cases[] = {
        {"Europe/Berlin", 2026, 3, 29, 0, 1},      {"Europe/Berlin", 2026, 3, 29, 1, 3},
        {"Europe/Berlin", 2026, 10, 25, 0, 2},     {"Europe/Berlin", 2026, 10, 25, 1, 2},
        {"Europe/Berlin", 2050, 7, 1, 12, 14},     {"Europe/Berlin", 2050, 1, 1, 12, 13},
        {"America/New_York", 2026, 3, 8, 6, 1},    {"America/New_York", 2026, 3, 8, 7, 3},
        {"Asia/Kolkata", 2026, 1, 1, 19, 0},       {"Asia/Kolkata", 1970, 1, 1, 0, 5},
        {"Australia/Sydney", 2060, 1, 1, 0, 11},   {"Australia/Sydney", 2060, 7, 1, 0, 10},
        {"Pacific/Kiritimati", 2026, 5, 5, 12, 2},
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        fraud_zone *z;
        r1_err err = {0};
        R1_ASSERT_OK(fraud_zone_open(&z, cases[i].zone, &err), &err);
        int64_t ts = fraud_days_of(cases[i].year, cases[i].month, cases[i].day) * 86400000 +
                     cases[i].hour * INT64_C(3600000);
        int local = fraud_zone_hour(z, ts);
        if (local != cases[i].local) {
            fprintf(stderr, "%s case %zu: expected %d, found %d\n", cases[i].zone, i,
                    cases[i].local, local);
            CU_FAIL("zone");
        }
        fraud_zone_free(z);
    }
}

R1_TEST_MAIN("rule_expr", {"twin", test_twin}, {"conditions", test_conditions},
             {"advice", test_advice}, {"notes of amounts", test_notes_of_amounts},
             {"notes of the mapping file", test_notes_of_map}, {"bounds", test_bounds},
             {"zones", test_zones})
