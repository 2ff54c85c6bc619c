/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_dataset.c - every layout from an excerpt that is written here; what a broken file is
 * told; the splits by their definitions; our own layout gives back what the generator made, and
 * scores as the generated payments do. */
#include "dataset/dataset.h"
#include "dataset/protocol.h"
#include "generate/generate.h"
#include "support/r1_test.h"
#include "walk/walk.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *dataset_put(const char *name, const char *text)
{
    static char path[4][400];
    static int turn;
    char *at = path[turn++ % 4];
    r1_err err;
    snprintf(at, sizeof path[0], "%s/%s", r1_test_tmpdir(), name);
    R1_ASSERT_OK(r1_file_write(at, text, strlen(text), &err), &err);
    return at;
}

static fraud_dataset *dataset_load(fraud_layout layout, const char *path, const char *accounts)
{
    r1_err err;
    fraud_dataset *d = NULL;
    R1_ASSERT_OK(fraud_dataset_load(&d, layout, path, accounts, 7, &err), &err);
    return d;
}

static void dataset_refused(fraud_layout layout, const char *path, const char *accounts,
                            const char *says)
{
    r1_err err;
    fraud_dataset *d = NULL;
    CU_ASSERT_NOT_EQUAL(fraud_dataset_load(&d, layout, path, accounts, 0, &err), R1_OK);
    CU_ASSERT_PTR_NULL(d);
    if (!strstr(err.msg, says)) printf("expected \"%s\", found \"%s\"\n", says, err.msg);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, says));
}

/* ---- public layouts -------------------------------------------------------------------------- */

static void dataset_amlsim(void)
{
    const char *nodes = dataset_put("nodes.csv", "nodeid,isFraud\n0,0\n1,1\n2,1\n3,0\n"),
               *rows = dataset_put(
                   "amlsim.csv",
                   "sourceNodeId,targetNodeId,value,time\n1,2,12.5,3\n0,1,7,1\n2,3,0.001,2\n");
    fraud_dataset *d = dataset_load(FRAUD_LAYOUT_AMLSIM, rows, nodes);
    CU_ASSERT_EQUAL_FATAL(d->n, 3);
    /* sorted by day; only the transfer between two fraudulent accounts counts as fraudulent;
     * nothing is less than a cent */
    CU_ASSERT(d->cases[0].from == 0 && d->cases[0].label == FRAUD_LABEL_GOOD);
    CU_ASSERT(d->cases[1].amount_minor == 1 && d->cases[1].label == FRAUD_LABEL_GOOD);
    CU_ASSERT(d->cases[2].amount_minor == 1250 && d->cases[2].label == FRAUD_LABEL_FRAUD);
    CU_ASSERT_EQUAL(d->cases[2].ts - d->cases[0].ts, 2 * 86400000);
    fraud_payment p;
    fraud_dataset_payment(d, 2, &p);
    CU_ASSERT_STRING_EQUAL(p.tx_id, "7-2");
    CU_ASSERT(fraud_payment_inner(&p));
    fraud_dataset_free(d);
    dataset_refused(FRAUD_LAYOUT_AMLSIM, rows, rows, "expected the header \"nodeid,isFraud");
    dataset_refused(FRAUD_LAYOUT_AMLSIM,
                    dataset_put("bad.csv", "sourceNodeId,targetNodeId,value,time\n1,2,lots,3\n"),
                    nodes, "bad.csv:2: expected a number, found \"lots\"");
}

static void dataset_sffsd(void)
{
    const char *rows = dataset_put(
        "s-ffsd.csv", "Time,Source,Target,Amount,Location,Type,Labels\n"
                      "0,S1,T1,10.0,L1,TP1,0\n1,S2,T1,20.0,L1,TP2,2\n2,S1,\"T,2\",30.5,L2,TP1,1\n");
    fraud_dataset *d = dataset_load(FRAUD_LAYOUT_SFFSD, rows, NULL);
    CU_ASSERT_EQUAL_FATAL(d->n, 3);
    CU_ASSERT_EQUAL(d->cases[1].label, FRAUD_LABEL_UNKNOWN);
    CU_ASSERT_EQUAL(d->cases[2].label, FRAUD_LABEL_FRAUD);
    CU_ASSERT_EQUAL(d->cases[0].from, d->cases[2].from);
    CU_ASSERT_STRING_EQUAL(d->words[d->cases[2].to], "T,2");
    fraud_payment p;
    fraud_dataset_payment(d, 2, &p);
    CU_ASSERT_EQUAL(p.kind, FRAUD_KIND_CARD);
    CU_ASSERT_STRING_EQUAL(p.category, "TP1");
    CU_ASSERT_EQUAL(d->cases[2].label_ts, INT64_MAX); /* its labels are never fed back */
    fraud_dataset_free(d);
    dataset_refused(
        FRAUD_LAYOUT_SFFSD,
        dataset_put("bad.csv",
                    "Time,Source,Target,Amount,Location,Type,Labels\n0,S1,T1,10.0,L1,TP1,3\n"),
        NULL, "bad.csv:2: expected a label 0..2, found 3");
    dataset_refused(
        FRAUD_LAYOUT_SFFSD,
        dataset_put("bad.csv", "Time,Source,Target,Amount,Location,Type,Labels\n0,S1,T1\n"), NULL,
        "expected 4 fields, found 3");
}

static void dataset_sparkov(void)
{
    const char *rows = dataset_put(
        "sparkov.csv",
        "trans_num,ts,customer,gender,city,state,lat,long,city_pop,job,profile,category,merchant,"
        "merch_lat,merch_long,amt,is_fraud\n"
        "a,1546300860,c9,F,X,Y,1,2,3,\"Clerk, senior\",p,grocery_pos,Kirlin,40.5,-73.5,107.23,0\n"
        "b,1546300800,c9,F,X,Y,1,2,3,Clerk,p,misc_net,Rau,41.5,-70,4.97,1\n");
    fraud_dataset *d = dataset_load(FRAUD_LAYOUT_SPARKOV, rows, NULL);
    CU_ASSERT_EQUAL_FATAL(d->n, 2);
    fraud_payment p;
    fraud_dataset_payment(d, 1, &p);
    CU_ASSERT_EQUAL(p.ts, INT64_C(1546300860000));
    CU_ASSERT_EQUAL(p.amount_minor, 10723);
    CU_ASSERT_STRING_EQUAL(p.text, "Kirlin");
    CU_ASSERT_STRING_EQUAL(p.category, "grocery_pos");
    CU_ASSERT_DOUBLE_EQUAL((double)p.lat, 40.5, 1e-6);
    CU_ASSERT_EQUAL(d->cases[0].label, 1);
    CU_ASSERT_EQUAL(d->cases[0].label_ts - d->cases[0].ts, 7 * INT64_C(86400000));
    fraud_dataset_free(d);
    dataset_refused(FRAUD_LAYOUT_SPARKOV, r1_test_tmpdir(), NULL,
                    "transactions.csv[.zst] in this folder, found neither");
}

/* ---- splits ---------------------------------------------------------------------------------- */

static void dataset_ibm(void)
{
    static const char head[] =
        "Timestamp,From Bank,Account,To Bank,Account,Amount Received,Receiving Currency,Amount "
        "Paid,Payment Currency,Payment Format,Is Laundering\n";
    char text[2048];
    snprintf(text, sizeof text,
             "%s2022/09/01 00:20,010,A,010,A,9,US Dollar,9,US Dollar,Reinvestment,0\n"
             "2022/09/01 00:22,010,A,011,A,12.5,US Dollar,12.5,US Dollar,Cheque,1\n"
             "2022/09/01 00:21,011,A,020,C,900,Yen,900,Yen,Cash,0\n"
             "2022/09/01 00:23,011,A,020,C,7,Euro,7,Euro,Wire,1\n",
             head);
    const char *rows = dataset_put("X_Trans.csv", text);
    (void)dataset_put("X_Patterns.txt",
                      "BEGIN LAUNDERING ATTEMPT - FAN-OUT:  Max 16-degree Fan-Out\n"
                      "2022/09/01 00:22,010,A,011,A,12.5,US Dollar,12.5,US Dollar,Cheque,1\n"
                      "END LAUNDERING ATTEMPT - FAN-OUT\n\n"
                      "BEGIN LAUNDERING ATTEMPT - GATHER-SCATTER\n"
                      "2022/09/01 00:23,011,A,020,C,7,Euro,7,Euro,Wire,1\n"
                      "END LAUNDERING ATTEMPT - GATHER-SCATTER\n");
    fraud_dataset *d = dataset_load(FRAUD_LAYOUT_IBM, rows, NULL);
    CU_ASSERT_EQUAL_FATAL(d->n, 3); /* the payment of an account to itself is none */
    CU_ASSERT_EQUAL(d->cases[0].amount_minor, 900); /* a unit of yen is a hundred */
    CU_ASSERT(d->cases[0].kind == FRAUD_KIND_CASH && d->cases[0].ring < 0);
    CU_ASSERT_EQUAL(d->cases[0].from, d->cases[1].to); /* by bank and account */
    CU_ASSERT_NOT_EQUAL(d->cases[1].from, d->cases[1].to);
    CU_ASSERT(d->cases[1].ring == 0 && d->cases[2].ring == 1 && d->n_ring == 2);
    CU_ASSERT_STRING_EQUAL(d->typologies[d->cases[1].typology], "fan_out");
    CU_ASSERT_STRING_EQUAL(d->typologies[d->cases[2].typology], "gather_scatter");
    CU_ASSERT_EQUAL(d->cases[1].ts, INT64_C(1661991720000));
    fraud_dataset_free(d);
    (void)dataset_put("X_Patterns.txt",
                      "BEGIN LAUNDERING ATTEMPT - CYCLE\n"
                      "2022/09/01 00:22,010,A,011,A,13,US Dollar,13,US Dollar,Cheque,1\n");
    dataset_refused(FRAUD_LAYOUT_IBM, rows, NULL,
                    "X_Patterns.txt:2: expected a laundering payment of the table");
    snprintf(text, sizeof text, "%s2022-09-01 00:20,1,A,1,B,9,Euro,9,Euro,Wire,0\n", head);
    dataset_refused(FRAUD_LAYOUT_IBM, dataset_put("bad.csv", text), NULL,
                    "bad.csv:2: expected a time as %Y/%m/%d %H:%M, found \"2022-09-01 00:20\"");
    snprintf(text, sizeof text, "%s2022/09/01 00:20,1,A,1,B,9,Gold,9,Gold,Wire,0\n", head);
    dataset_refused(FRAUD_LAYOUT_IBM, dataset_put("bad.csv", text), NULL, "found \"Gold\"");
}

static void dataset_paysim(void)
{
    const char *rows = dataset_put(
        "paysim.csv",
        "step,type,amount,nameOrig,oldbalanceOrg,newbalanceOrig,nameDest,oldbalanceDest,"
        "newbalanceDest,isFraud,isFlaggedFraud\n"
        "1,PAYMENT,9839.64,C1,170136.0,160296.36,M1,0.0,0.0,0,0\n"
        "2,CASH_IN,100,C1,50,150,C9,0,0,0,0\n3,TRANSFER,181.0,C1,181.0,0.0,C2,0.0,0.0,1,0\n");
    fraud_dataset *d = dataset_load(FRAUD_LAYOUT_PAYSIM, rows, NULL);
    fraud_payment p;
    CU_ASSERT_EQUAL_FATAL(d->n, 3);
    CU_ASSERT(d->cases[0].to_role == FRAUD_ROLE_MERCHANT && d->cases[0].amount_minor == 983964);
    CU_ASSERT_EQUAL(d->cases[0].balance[0], 17013600);
    CU_ASSERT(d->cases[1].to == d->cases[0].from && d->cases[1].kind == FRAUD_KIND_CASH);
    CU_ASSERT(d->cases[1].balance[1] == 5000 && d->cases[1].balance[0] == INT64_MIN);
    CU_ASSERT_EQUAL(d->cases[2].ts - d->cases[0].ts, 2 * 3600000);
    CU_ASSERT_EQUAL(d->cases[2].label, FRAUD_LABEL_FRAUD);
    fraud_dataset_payment(d, 2, &p);
    CU_ASSERT(fraud_payment_inner(&p) && fraud_payment_check(&p, NULL) == R1_OK);
    fraud_dataset_free(d);
}

static void dataset_samld(void)
{
    static const char head[] =
        "Time,Date,Sender_account,Receiver_account,Amount,Payment_currency,Received_currency,"
        "Sender_bank_location,Receiver_bank_location,Payment_type,Is_laundering,Laundering_type\n";
    char text[1024];
    snprintf(text, sizeof text,
             "%s10:35:19,2022-10-07,8724731955,2769355426,1459.15,UK pounds,UK pounds,UK,UK,Cash "
             "Deposit,0,Normal_Cash_Deposits\n"
             "10:35:20,2022-10-07,1491989064,8724731955,6019.64,UK pounds,Dirham,UK,UAE,Cross-"
             "border,1,Smurfing\n",
             head);
    fraud_dataset *d = dataset_load(FRAUD_LAYOUT_SAMLD, dataset_put("SAML-D.csv", text), NULL);
    CU_ASSERT_EQUAL_FATAL(d->n, 2);
    CU_ASSERT(d->cases[0].kind == FRAUD_KIND_CASH && d->cases[0].amount_minor == 145915);
    CU_ASSERT_EQUAL(d->cases[1].to, d->cases[0].from);
    CU_ASSERT_EQUAL(d->cases[1].ts - d->cases[0].ts, 1000);
    CU_ASSERT_STRING_EQUAL(d->typologies[d->cases[1].typology], "Smurfing");
    fraud_dataset_free(d);
    snprintf(text, sizeof text, "%s10:35,2022-10-07,1,2,1,a,a,a,a,a,0,x\n", head);
    dataset_refused(FRAUD_LAYOUT_SAMLD, dataset_put("bad.csv", text), NULL,
                    "bad.csv:2: expected a time");
}

static void dataset_ulb(void)
{
    char *text;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fputs("\"Time\"", f);
    for (int i = 1; i <= 28; i++) fprintf(f, ",\"V%d\"", i);
    fputs(",\"Amount\",\"Class\"\n0", f);
    for (int i = 1; i <= 28; i++) fputs(",-1.5", f);
    fputs(",149.62,\"0\"\n1e+05", f);
    for (int i = 1; i <= 28; i++) fputs(",0", f);
    fputs(",0,\"1\"\n", f);
    fclose(f);
    fraud_dataset *d = dataset_load(FRAUD_LAYOUT_ULB, dataset_put("creditcard.csv", text), NULL);
    CU_ASSERT_EQUAL_FATAL(d->n, 2);
    CU_ASSERT(d->cases[0].amount_minor == 14962 && d->cases[0].label == FRAUD_LABEL_GOOD);
    CU_ASSERT(d->cases[1].amount_minor == 1 && d->cases[1].label == FRAUD_LABEL_FRAUD);
    CU_ASSERT_NOT_EQUAL(d->cases[0].from, d->cases[1].from);
    CU_ASSERT_EQUAL(d->cases[1].ts - d->cases[0].ts, 100000000);
    fraud_dataset_free(d);
    free(text);
}

static void dataset_elliptic(void)
{
    const char *rows = dataset_put("elliptic_txs_edgelist.csv", "txId1,txId2\n11,12\n12,13\n");
    (void)dataset_put("elliptic_txs_classes.csv", "txId,class\n11,1\n12,2\n13,unknown\n99,2\n");
    (void)dataset_put("elliptic_txs_features.csv", "11,1,-0.1\n12,2,0.3\n13,4,0\n");
    fraud_dataset *d = dataset_load(FRAUD_LAYOUT_ELLIPTIC, rows, NULL);
    CU_ASSERT_EQUAL_FATAL(d->n, 2);
    CU_ASSERT(d->cases[0].label == FRAUD_LABEL_FRAUD && d->cases[1].label == FRAUD_LABEL_GOOD);
    CU_ASSERT_EQUAL(d->cases[1].ts - d->cases[0].ts, 28 * FRAUD_DAY_MS);
    CU_ASSERT_EQUAL(d->cases[0].to, d->cases[1].from);
    fraud_dataset_free(d);
    (void)dataset_put("elliptic_txs_classes.csv", "txId,class\n11,9\n");
    dataset_refused(FRAUD_LAYOUT_ELLIPTIC, rows, NULL, "classes.csv:2: expected 1, 2 or unknown");
}

static fraud_dataset *dataset_made(fraud_layout layout, size_t n)
{
    fraud_dataset *d = calloc(1, sizeof *d);
    CU_ASSERT_FATAL(d != NULL);
    d->layout = layout;
    d->n = n;
    d->cases = calloc(n, sizeof *d->cases);
    CU_ASSERT_FATAL(d->cases != NULL);
    return d;
}

static void count_uses(const fraud_dataset *d, const uint8_t *use, int label, size_t count[4])
{
    memset(count, 0, 4 * sizeof *count);
    for (size_t i = 0; i < d->n; i++)
        if (d->cases[i].label == label) count[use[i]]++;
}

/* 1000 good, 200 fraudulent, 300 without a label. */
static void shuffled_split(void)
{
    enum { N = 1500 };
    r1_err err;
    uint8_t use[N], again[N];
    size_t good[4], fraud[4], unknown[4], early = 0;
    fraud_dataset *d = dataset_made(FRAUD_LAYOUT_SFFSD, N);
    for (int i = 0; i < N; i++)
        d->cases[i].label = i % 15 < 10   ? FRAUD_LABEL_GOOD
                            : i % 15 < 12 ? FRAUD_LABEL_FRAUD
                                          : FRAUD_LABEL_UNKNOWN;
    fraud_protocol_opts o = {.shuffled = true};
    R1_ASSERT_OK(fraud_protocol(d, &o, use, &err), &err);
    R1_ASSERT_OK(fraud_protocol(d, &o, again, &err), &err);
    CU_ASSERT_EQUAL(memcmp(use, again, N), 0);
    count_uses(d, use, FRAUD_LABEL_GOOD, good);
    count_uses(d, use, FRAUD_LABEL_FRAUD, fraud);
    count_uses(d, use, FRAUD_LABEL_UNKNOWN, unknown);
    CU_ASSERT(good[FRAUD_USE_TEST] == 200 && good[FRAUD_USE_VALID] == 100 &&
              good[FRAUD_USE_TRAIN] == 700);
    CU_ASSERT(fraud[FRAUD_USE_TEST] == 40 && fraud[FRAUD_USE_VALID] == 20 &&
              fraud[FRAUD_USE_TRAIN] == 140);
    CU_ASSERT_EQUAL(unknown[FRAUD_USE_NONE], 300);
    for (int i = 0; i < N / 2; i++) early += use[i] == FRAUD_USE_TEST;
    CU_ASSERT(early > 80 &&
              early <
                  160); /* 120 expected, standard deviation about 7: drawn from all of the time */
    o.shuffled = false; /* by time: nothing judged lies before anything trained on */
    R1_ASSERT_OK(fraud_protocol(d, &o, use, &err), &err);
    for (int i = 0; i < N; i++)
        CU_ASSERT(use[i] == FRAUD_USE_NONE || (use[i] == FRAUD_USE_TEST) == (i >= N * 6 / 10));
    fraud_dataset_free(d);
}

/* One payment of each of 200 cards a day for 183 days. Week 0 as the book prints it; an earlier
 * week ends before week 0's days. */
static void handbook_weeks(void)
{
    enum { DAYS = 183, CARDS = 200, N = DAYS * CARDS };
    static uint8_t use[N];
    r1_err err;
    fraud_dataset *d = dataset_made(FRAUD_LAYOUT_HANDBOOK, N);
    for (int i = 0; i < N; i++) {
        d->cases[i].ts = (int64_t)(i / CARDS) * 86400000 + i % CARDS;
        d->cases[i].from = i % CARDS;
        d->cases[i].label =
            i % CARDS == 5 &&
            (i / CARDS == 118 || i / CARDS == 125); /* card 5: caught in training and after */
    }
    for (int week = FRAUD_WEEK_EARLIEST; week <= 3; week++) {
        fraud_protocol_opts o = {.week = week, .train_days = 7};
        int first[4] = {N, N, N, N}, last[4] = {-1, -1, -1, -1};
        R1_ASSERT_OK(fraud_protocol(d, &o, use, &err), &err);
        for (int i = 0; i < N; i++) {
            if (i / CARDS < first[use[i]]) first[use[i]] = i / CARDS;
            if (i / CARDS > last[use[i]]) last[use[i]] = i / CARDS;
            if (week == 0 && use[i] == FRAUD_USE_TEST) CU_ASSERT(i % CARDS != 5);
        }
        CU_ASSERT(first[FRAUD_USE_TRAIN] == 115 + 7 * week &&
                  last[FRAUD_USE_TRAIN] == 121 + 7 * week);
        CU_ASSERT(first[FRAUD_USE_VALID] == 108 + 7 * week &&
                  last[FRAUD_USE_VALID] == 114 + 7 * week);
        CU_ASSERT(first[FRAUD_USE_TEST] == 129 + 7 * week &&
                  last[FRAUD_USE_TEST] == 135 + 7 * week);
        if (week <= FRAUD_WEEK_EARLIER) CU_ASSERT(last[FRAUD_USE_TEST] < 129 - 7);
    }
    fraud_dataset_free(d);
}

/* ---- our own layout -------------------------------------------------------------------------- */

static void write_recording(const fraud_generated *g, size_t n)
{
    size_t cap = n * FRAUD_PAYMENT_BYTES_MAX + 1, len, at[3] = {0};
    char *text[3];
    r1_err err;
    for (int k = 0; k < 3; k++) {
        text[k] = malloc(cap);
        CU_ASSERT_FATAL(text[k] != NULL);
        *text[k] = 0;
    }
    for (size_t i = 0; i < n; i++) {
        const fraud_payment *p = &g[i].payment;
        R1_ASSERT_OK(fraud_payment_encode(p, text[0] + at[0], cap - at[0], &len, &err), &err);
        at[0] += len;
        at[0] += (size_t)snprintf(text[0] + at[0], 2, "\n");
        at[1] += (size_t)snprintf(text[1] + at[1], 200,
                                  "{\"tx_id\":\"%s\",\"is_fraud\":%s,\"ts\":%lld}\n", p->tx_id,
                                  g[i].typology ? "true" : "false", (long long)g[i].label_ts);
        if (g[i].typology)
            at[2] += (size_t)snprintf(text[2] + at[2], 200,
                                      "{\"tx_id\":\"%s\",\"typology\":\"%s\",\"ring\":%d}\n",
                                      p->tx_id, fraud_typology_name(g[i].typology), g[i].ring);
    }
    dataset_put("payments.jsonl", text[0]);
    dataset_put("labels.jsonl", text[1]);
    dataset_put("truth.jsonl", text[2]);
    for (int k = 0; k < 3; k++) free(text[k]);
}

static void dataset_score(const fraud_source *s, double *logit)
{
    r1_err err;
    fraud_engine *e = NULL;
    double *prob = malloc(s->n * sizeof *prob);
    uint8_t *want = malloc(s->n);
    CU_ASSERT_FATAL(prob && want);
    memset(want, 1, s->n);
    R1_ASSERT_OK(fraud_engine_new(&e, &(fraud_engine_opts){0}, &err), &err); /* the rules */
    R1_ASSERT_OK(fraud_walk_score(s, e, want, false, logit, prob, &err), &err);
    fraud_engine_free(e);
    free(prob);
    free(want);
}

static void dataset_recording(void)
{
    fraud_generate_opts o = {.seed = r1_test_seed(),
                             .start_ms = INT64_C(1735689600000),
                             .accounts = 60,
                             .days = 25,
                             .rings = 2,
                             .ring_min = 4,
                             .ring_max = 6,
                             .activity = 1};
    fraud_generated *g = NULL;
    size_t n = 0;
    r1_err err;
    R1_ASSERT_OK(fraud_generate(&o, &g, &n, &err), &err);
    write_recording(g, n);
    fraud_dataset *d = dataset_load(FRAUD_LAYOUT_R1, r1_test_tmpdir(), NULL);
    CU_ASSERT_EQUAL_FATAL(d->n, n);
    uint8_t *use = malloc(n);
    double *a = malloc(n * sizeof *a), *b = malloc(n * sizeof *b);
    CU_ASSERT_FATAL(use && a && b);
    R1_ASSERT_OK(fraud_protocol(d, &(fraud_protocol_opts){0}, use, &err), &err);
    for (size_t i = 0; i < n; i++) {
        const fraud_case *c = &d->cases[i];
        CU_ASSERT_EQUAL(c->typology, g[i].typology);
        CU_ASSERT_EQUAL(c->ring, g[i].ring);
        CU_ASSERT_EQUAL(c->label, g[i].typology ? FRAUD_LABEL_FRAUD : FRAUD_LABEL_GOOD);
        CU_ASSERT_EQUAL(use[i], c->ts >= d->start + 14 * INT64_C(86400000) ? FRAUD_USE_TEST
                                                                           : FRAUD_USE_NONE);
        if (i)
            CU_ASSERT((c->from == c[-1].from) == !strcmp(g[i].payment.from, g[i - 1].payment.from));
    }
    fraud_source recorded = fraud_source_dataset(d), generated = fraud_source_generated(g, n);
    dataset_score(&recorded, a);
    dataset_score(&generated, b);
    CU_ASSERT_EQUAL(memcmp(a, b, n * sizeof *a), 0);
    fraud_dataset_free(d);
    dataset_put("labels.jsonl", "{\"tx_id\":\"nobody\",\"is_fraud\":true,\"ts\":1}\n");
    dataset_refused(FRAUD_LAYOUT_R1, r1_test_tmpdir(), NULL,
                    "labels.jsonl:1: tx_id \"nobody\": no such payment");
    dataset_put("payments.jsonl", "{\"tx_id\":");
    dataset_refused(FRAUD_LAYOUT_R1, r1_test_tmpdir(), NULL, "payments.jsonl:1: ");
    free(use), free(a), free(b), free(g);
}

typedef struct {
    fraud_dataset d;
    size_t i;
} broken_set;

static void give_out(void *ctx)
{
    broken_set *b = ctx;
    fraud_payment p;
    fraud_dataset_payment(&b->d, b->i, &p);
}

static void broken_sets_stop(void)
{
    fraud_case cases[2] = {{.category = -1, .text = -1}, {.category = 3, .text = -1}};
    broken_set b = {.d = {.cases = cases, .n = 2, .cap = 2}, .i = 2};
    CU_ASSERT(r1_test_breaks(give_out, &b, "case 2 of 2"));
    b.i = 1;
    CU_ASSERT(r1_test_breaks(give_out, &b, "words 3 and -1 of 0"));
}

R1_TEST_MAIN("fraud data sets", {"dataset_amlsim", dataset_amlsim},
             {"dataset_sffsd", dataset_sffsd}, {"dataset_sparkov", dataset_sparkov},
             {"dataset_ibm", dataset_ibm}, {"dataset_paysim", dataset_paysim},
             {"dataset_samld", dataset_samld}, {"dataset_ulb", dataset_ulb},
             {"dataset_elliptic", dataset_elliptic}, {"shuffled split", shuffled_split},
             {"handbook weeks", handbook_weeks}, {"our own layout", dataset_recording},
             {"broken sets stop", broken_sets_stop})
