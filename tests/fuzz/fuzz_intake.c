/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_intake.c - any bytes as a mapping file, as a table of rates, and as somebody's messages for
 * `r1-fraud check`: refused with a reason, or read; and what is proposed is a mapping file. */
#include "check/check_propose.h"
#include "fuzz/fuzz.h"
#include "payment/notes.h"
#include "payment/rates.h"

static const char *const messages[] = {
    "{\"id\":\"t1\",\"at\":\"2026-01-01T00:00:00Z\",\"type\":\"SCT\",\"payer\":{\"iban\":\"A\"},"
    "\"payee\":{\"iban\":\"B\"},\"sum\":12.5,\"ccy\":\"EUR\"}",
    "{\"id\":\"t1\",\"at\":\"25.10.2026\",\"clock\":23015,\"type\":\"SCT\",\"payer\":[{\"iban\":"
    "\"A\"},{}],\"payee\":{\"iban\":\"B\"},\"sum\":\"-1.234,50\",\"ccy\":\"EUR\"}"};

static void try_map(const char *path)
{
    r1_err err = {0};
    fraud_map *map;
    fraud_payment p;
    char notes[FRAUD_NOTES_BYTES];
    uint64_t content;
    if (fraud_map_load(&map, path, NULL, &err) != R1_OK) {
        fuzz_refused(&err);
        return;
    }
    for (size_t i = 0; i < R1_COUNT(messages); i++)
        if (fraud_payment_read(map, messages[i], strlen(messages[i]), &p, notes, &content, &err) ==
                FRAUD_READ_PAYMENT &&
            fraud_payment_check(&p, &err) != R1_OK)
            abort();
    fraud_map_free(map);
}

static void try_rates(const char *path)
{
    r1_err err = {0};
    fraud_rates *rates;
    fraud_payment p = {.ts = 1767225600000,
                       .amount_minor = FRAUD_AMOUNT_MAX,
                       .currency = "JPY",
                       .has = FRAUD_HAS_TO_BALANCE,
                       .to_balance_minor = -FRAUD_AMOUNT_MAX};
    if (fraud_rates_load(&rates, path, "EUR", &err) != R1_OK) {
        fuzz_refused(&err);
        return;
    }
    if (fraud_rates_convert(rates, "EUR", &p, &err) &&
        (p.amount_minor < 1 || p.amount_minor > FRAUD_AMOUNT_MAX))
        abort();
    fraud_rates_free(rates);
}

/* A proposal that lacks nothing and asks nothing is a mapping file. */
static void try_input(const char *path)
{
    static check_proposal proposal;
    r1_err err = {0};
    check_input in;
    fraud_map *map;
    char again[64], question[256];
    const char *row;
    if (check_input_read(&in, path, &err) != R1_OK) {
        fuzz_refused(&err);
        return;
    }
    check_propose(&proposal, &in);
    char *text = check_propose_text(&proposal);
    int fd = fuzz_file((const uint8_t *)text, strlen(text), again);
    bool whole = proposal.of[FRAUD_F_TX_ID] && proposal.of[FRAUD_F_TS] &&
                 proposal.of[FRAUD_F_FROM] && proposal.of[FRAUD_F_TO] &&
                 (proposal.of[FRAUD_F_AMOUNT] || proposal.of[FRAUD_F_AMOUNT_MINOR]) &&
                 !check_question(&proposal, 0, &row, question, sizeof question);
    if (fraud_map_load(&map, again, NULL, &err) == R1_OK)
        fraud_map_free(map);
    else if (whole) {
        fprintf(stderr, "%s\n%s", err.msg, text);
        abort();
    }
    close(fd);
    free(text);
    check_input_free(&in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int fd = fuzz_file(data, size, path);
    try_map(path);
    try_rates(path);
    try_input(path);
    close(fd);
    return 0;
}
