/* SPDX-License-Identifier: GPL-3.0-or-later */
/* intake_currency.c - the currency of the stream: the setting, else that of the first payment that
 * was applied. Amounts of others are converted by the rates of the user, or are not compared. */
#include "payment/currency.h"
#include "serve/server.h"

#include <stdio.h>
#include <string.h>

/* In which the payments of the log were applied, "" where it is empty: one currency for all,
 * because another one was converted or was not applied. */
static r1_status currency_of_log(server *s, char out[4], r1_err *err)
{
    r1_rows *rows;
    fraud_payment p = {0};
    R1_TRY(r1_store_query(s->store,
                          "SELECT payload FROM r1.payment WHERE applied ORDER BY apply_seq LIMIT 1",
                          0, NULL, &rows, err));
    const char *text = r1_rows_count(rows) ? r1_rows_text(rows, 0, 0) : NULL;
    r1_status st = text ? fraud_payment_decode(text, strlen(text), &p, err) : R1_OK;
    r1_rows_free(rows);
    memcpy(out, p.currency, sizeof p.currency);
    return st;
}

r1_status fraud_serve_currency_begin(server *s, r1_err *err)
{
    const char *setting = r1_options_str(s->o, "currency");
    char log[4] = "";
    const char *where = *s->applied_in ? "snapshot" : "log";
    if (!*s->applied_in) {
        R1_TRY(currency_of_log(s, log, err));
        memcpy(s->applied_in, log, sizeof log);
    }
    const char *applied = s->applied_in;
    snprintf(s->currency, sizeof s->currency, "%.3s", setting ? setting : applied);
    s->currency_from = setting ? "setting" : *applied ? "log" : "none";
    if (setting && *applied && strcmp(setting, applied) != 0)
        R1_FAIL(err, R1_E_INVAL,
                "currency: expected %s, in which the amounts of the %s are, found %s: rates do not "
                "convert what was applied; keep the setting currency = %s, or begin with a "
                "database of its own",
                applied, where, setting, applied);
    if (*s->currency)
        fprintf(stderr, "r1-fraud serve: amounts are compared in %s, by %s\n", s->currency,
                setting ? "the setting currency" : "the first payment of the log");
    else
        fprintf(stderr, "r1-fraud serve: no setting currency: the first payment will decide in "
                        "which one amounts are compared\n");
    return R1_OK;
}

void fraud_serve_currency_taken(server *s, const fraud_record *r)
{
    const fraud_payment *p = &r->payment;
    const fraud_time_case c = {
        .ts = p->ts, .message_ms = r->message.broker_ms, .machine_ms = r1_time_us() / 1000};
    memcpy(s->applied_in, p->currency, sizeof p->currency);
    if (*s->currency) return; /* a setting told it */
    memcpy(s->currency, p->currency, sizeof s->currency);
    s->currency_from = "payment";
    r1_log(R1_LOG_WARN, "currency_taken",
           "currency=%s topic=%s partition=%d offset=%lld dated=%s remedy=\"name the setting "
           "currency; payments in another one cannot be scored without rates\"",
           s->currency, s->ledger.topic[r->topic], (int)r->message.partition,
           (long long)r->message.offset, fraud_time_live(&s->guard.band, &c) ? "live" : "history");
}

/* ---- in a snapshot ---- */

static r1_image_array currency_array(server *s)
{
    return (r1_image_array){.name = "currency",
                            .data = s->applied_in,
                            .row_bytes = sizeof s->applied_in,
                            .n = 1,
                            .n_max = 1};
}

static r1_status save_currency(void *ctx, r1_image_out *out, r1_err *err)
{
    const r1_image_array a = currency_array(ctx);
    return r1_image_put_array(out, &a, 1, err);
}

static r1_status load_currency(void *ctx, r1_image_in *in, r1_err *err)
{
    server *s = ctx;
    r1_image_array a = currency_array(s);
    R1_TRY(r1_image_get_array(in, &a, 1, err));
    bool ends = !s->applied_in[3];
    if (ends && (!*s->applied_in || fraud_currency_digits(s->applied_in) >= 0)) return R1_OK;
    R1_FAIL(err, R1_E_FORMAT, "currency: expected a code of ISO 4217 or none, found \"%.3s\"",
            s->applied_in);
}

static r1_status empty_currency(void *ctx, r1_err *err)
{
    server *s = ctx;
    (void)err;
    memset(s->applied_in, 0, sizeof s->applied_in);
    return R1_OK;
}

fraud_snapshot_part fraud_serve_currency_part(server *s)
{
    return (fraud_snapshot_part){.name = "currency",
                                 .optional = true,
                                 .ctx = s,
                                 .save = save_currency,
                                 .load = load_currency,
                                 .empty = empty_currency};
}

/* ---- of a payment ---- */

bool fraud_serve_currency(server *s, fraud_record *r, r1_err *why)
{
    bool same = !*s->currency || !strcmp(s->currency, r->payment.currency);
    if (same && !s->parts.map) return true;
    const fraud_payment paid = r->payment;
    if (*s->currency && !fraud_rates_convert(s->parts.rates, s->currency, &r->payment, why)) {
        r->foreign = true;
        return false;
    }
    r->log = fraud_payment_log(&paid, &r->payment, r->message.payload, r->message.payload_len);
    return r->log || (r1_err_set(why, R1_E_NOMEM, __FILE__, __LINE__, "no memory"), false);
}
