/* SPDX-License-Identifier: Apache-2.0 */
/* test_financial_report.c - the generated reports against a reader of their text: it knows the
 * grammar in financial_report.h and nothing of what the generator meant, and has to answer every
 * question. */
#include "experiments/financial_report.h"
#include "support/r1_test.h"

#include <string.h>

enum {
    FACTS = REPORT_SCOPES * REPORT_METRICS * REPORT_SPANS * REPORT_YEARS,
    STATEMENT = REPORT_METRICS / REPORT_STATEMENTS
};

static report the_report;
static uint16_t votes[FACTS][REPORT_VALUES]; /* mentions since the last restatement */
static bool restated[FACTS], mentioned[FACTS];
static int32_t first_value[FACTS], unit_of[REPORT_SCOPES][REPORT_STATEMENTS];

static bool financial_report_within(int32_t token, int32_t from, int32_t n)
{
    return token >= from && token < from + n;
}
static bool is_value(int32_t t) { return financial_report_within(t, REPORT_VALUE, REPORT_VALUES); }

static int32_t financial_report_fact(int32_t scope, int32_t metric, int32_t span, int32_t year)
{
    return ((scope * REPORT_METRICS + metric) * REPORT_SPANS + span) * REPORT_YEARS + year;
}

static void financial_report_mention(int32_t f, int32_t value)
{
    if (!mentioned[f]) first_value[f] = value;
    mentioned[f] = true;
    votes[f][value]++;
}

/* A cell "year value" behind a legible metric and span, then a restatement of it. Returns the
 * tokens read. */
static int32_t read_cell(const int32_t *t, int32_t n, int32_t scope, int32_t metric, int32_t span)
{
    bool year = n > 1 && financial_report_within(t[0], REPORT_YEAR, REPORT_YEARS);
    if (n < 2 || (!year && t[0] != REPORT_SMUDGE) || (!is_value(t[1]) && t[1] != REPORT_SMUDGE))
        return 0;
    int32_t f = year ? financial_report_fact(scope, metric, span, t[0] - REPORT_YEAR) : -1;
    if (year && is_value(t[1])) financial_report_mention(f, t[1] - REPORT_VALUE);
    if (n < 4 || t[2] != REPORT_RESTATED) return 2;
    if (!year) return 4;
    restated[f] = true;
    memset(votes[f], 0, sizeof votes[f]);
    if (is_value(t[3])) financial_report_mention(f, t[3] - REPORT_VALUE);
    return 4;
}

static int32_t financial_report_text_of(const report *r)
{
    int32_t n = 0;
    while (n < r->n_token && r->section[n] >= 0) n++;
    return n;
}

static void read_report(const report *r)
{
    const int32_t *t = r->token;
    int32_t n = financial_report_text_of(r), scope = -1, unit = -1;
    memset(votes, 0, sizeof votes);
    memset(restated, 0, sizeof restated);
    memset(mentioned, 0, sizeof mentioned);
    memset(unit_of, 0xff, sizeof unit_of);
    for (int32_t i = 0; i < n;) {
        if (financial_report_within(t[i], REPORT_KIND, REPORT_KINDS)) {
            CU_ASSERT_FATAL(i + 2 < n &&
                            financial_report_within(t[i + 1], REPORT_SCOPE, REPORT_SCOPES) &&
                            financial_report_within(t[i + 2], REPORT_UNIT, REPORT_UNITS));
            scope = t[i + 1] - REPORT_SCOPE;
            unit = t[i + 2] - REPORT_UNIT;
            i += 3;
        } else if (i + 1 < n && financial_report_within(t[i], REPORT_METRIC, REPORT_METRICS) &&
                   financial_report_within(t[i + 1], REPORT_SPAN, REPORT_SPANS)) {
            int32_t metric = t[i] - REPORT_METRIC, span = t[i + 1] - REPORT_SPAN;
            int32_t cell = read_cell(t + i + 2, n - i - 2, scope, metric, span);
            if (cell) unit_of[scope][metric / STATEMENT] = unit;
            i += 2 + cell;
            if (cell == 2) i += read_cell(t + i, n - i, scope, metric, span);
        } else {
            i++;
        }
    }
}

/* The value that most legible mentions give; -1 where none has more than half. */
static int32_t financial_report_value_of(int32_t f)
{
    int32_t best = 0, all = 0;
    for (int32_t v = 0; v < REPORT_VALUES; v++) {
        all += votes[f][v];
        if (votes[f][v] > votes[f][best]) best = v;
    }
    return 2 * votes[f][best] > all ? best : -1;
}

/* Others that state the same metric and period, as far as they can be read. */
static int32_t financial_report_others(const report_question *q)
{
    int32_t n = 0;
    for (int32_t s = 0; s < REPORT_SCOPES; s++)
        n += s != q->scope && mentioned[financial_report_fact(s, q->metric, q->span, q->year)];
    return n;
}

static void check_question(const report *r, const report_question *q, int32_t at)
{
    int32_t f = financial_report_fact(q->scope, q->metric, q->span, q->year), all = 0;
    const int32_t words[REPORT_QUESTION] = {REPORT_SCOPE + q->scope, REPORT_METRIC + q->metric,
                                            REPORT_SPAN + q->span, REPORT_YEAR + q->year,
                                            REPORT_ASK};
    CU_ASSERT_EQUAL(q->at, at + REPORT_QUESTION - 1);
    CU_ASSERT_EQUAL(memcmp(r->token + at, words, sizeof words), 0);
    CU_ASSERT_EQUAL(financial_report_value_of(f), q->value);
    CU_ASSERT_EQUAL(unit_of[q->scope][q->metric / STATEMENT], q->unit);
    CU_ASSERT(q->scope <= REPORT_SEGMENTS);
    CU_ASSERT_EQUAL((q->hard & REPORT_IS_RESTATED) != 0, restated[f]);
    for (int32_t v = 0; v < REPORT_VALUES; v++) all += votes[f][v];
    if (q->hard & REPORT_IS_NOISY) CU_ASSERT(all > votes[f][q->value]);
    if (financial_report_others(q) >= 2) CU_ASSERT(q->hard & REPORT_IS_DISTRACTED);
}

typedef struct {
    int32_t asked, restated, noisy, distracted,
        changed; /* changed: the first mention says another value */
} tally;

static void check_report(int32_t n_token, int32_t n_question, tally *sum)
{
    const report *r = &the_report;
    int32_t text = financial_report_text_of(r);
    CU_ASSERT_EQUAL_FATAL(r->n_token, n_token);
    CU_ASSERT_EQUAL_FATAL(text + r->n_question * REPORT_QUESTION, n_token);
    CU_ASSERT(r->n_question <= n_question);
    for (int32_t i = 0; i < n_token; i++)
        CU_ASSERT(financial_report_within(r->token[i], 0, REPORT_TOKENS));
    for (int32_t i = 1; i < text; i++)
        CU_ASSERT_EQUAL(r->section[i],
                        r->section[i - 1] +
                            financial_report_within(r->token[i], REPORT_KIND, REPORT_KINDS));
    read_report(r);
    for (int32_t k = 0; k < r->n_question; k++) {
        const report_question *q = &r->question[k];
        check_question(r, q, text + k * REPORT_QUESTION);
        sum->asked++;
        sum->restated += (q->hard & REPORT_IS_RESTATED) != 0;
        sum->noisy += (q->hard & REPORT_IS_NOISY) != 0;
        sum->distracted += (q->hard & REPORT_IS_DISTRACTED) != 0;
        sum->changed +=
            first_value[financial_report_fact(q->scope, q->metric, q->span, q->year)] != q->value;
    }
}

/* Every question can be answered from the text by the grammar alone, at all lengths, and each
 * kind of difficulty is there. */
static void test_reader(void)
{
    static const int32_t lengths[] = {200, 300, 500, 1000, 2000, 5000, 15000, REPORT_TOKENS_MAX};
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    CU_ASSERT_FATAL(report_open(&the_report));
    for (size_t i = 0; i < R1_COUNT(lengths); i++) {
        int32_t n_question = lengths[i] < 2000 ? lengths[i] / 20 : 64;
        tally sum = {0};
        for (int32_t done = 0; done < 200000; done += lengths[i]) {
            report_write(&the_report, &rng, lengths[i], n_question, i % 2 ? 1 : 0.5);
            check_report(lengths[i], n_question, &sum);
        }
        CU_ASSERT(sum.asked > 100 && sum.restated > 0 && sum.noisy > 0 && sum.changed > 0);
        CU_ASSERT(sum.distracted > 0 || lengths[i] < 500);
    }
    report_close(&the_report);
}

static void test_repeats(void)
{
    static int32_t token[3000];
    r1_rng rng;
    CU_ASSERT_FATAL(report_open(&the_report));
    for (int turn = 0; turn < 2; turn++) {
        r1_rng_seed(&rng, r1_test_seed());
        report_write(&the_report, &rng, 3000, 20, 1);
        if (turn) CU_ASSERT_EQUAL(memcmp(token, the_report.token, sizeof token), 0);
        memcpy(token, the_report.token, sizeof token);
        report_write(&the_report, &rng, 700, 20, 0.5); /* leaves nothing behind */
    }
    report_close(&the_report);
}

/* A value taken for another differs from it in one digit. */
static void test_lookalikes(void)
{
    int32_t other[8], with = 0;
    for (int32_t v = 0; v < REPORT_VALUES; v++) {
        int32_t n = report_lookalikes(v, other);
        CU_ASSERT_FATAL(n <= 8);
        with += n > 0;
        for (int32_t i = 0; i < n; i++) {
            int32_t a = REPORT_LOWEST + v, b = REPORT_LOWEST + other[i];
            CU_ASSERT(financial_report_within(other[i], 0, REPORT_VALUES));
            CU_ASSERT_EQUAL((a / 10 != b / 10) + (a % 10 != b % 10), 1);
        }
    }
    CU_ASSERT(with > REPORT_VALUES / 2);
}

R1_TEST_MAIN("financial report", {"a reader answers every question", test_reader},
             {"the same seed, the same report", test_repeats}, {"misread values", test_lookalikes})
