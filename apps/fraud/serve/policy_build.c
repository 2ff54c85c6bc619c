/* SPDX-License-Identifier: GPL-3.0-or-later */
/* policy_build.c - see policy_build.h. */
#include "serve/policy_build.h"

#include "decide/calibration.h"
#include "payment/currency.h"
#include "payment/payment_map.h"
#include "text/r1_utf8.h"

#include <string.h>

static r1_status build_thresholds(fraud_policy_opts *p, const r1_options *o, fraud_calibration *c,
                                  r1_err *err)
{
    const char *calibration = r1_options_str(o, "calibration");
    bool review = r1_options_has(o, "review-at"), block = r1_options_has(o, "block-at");
    if (block && !calibration)
        R1_FAIL(err, R1_E_INVAL,
                "block-at: expected calibration beside it, found none: a model that has not met "
                "this stream blocks nothing; r1-fraud calibrate makes the file");
    if (calibration) R1_TRY(fraud_calibration_read(c, calibration, err));
    p->review_at = review        ? r1_options_float(o, "review-at")
                   : calibration ? c->review.at
                                 : FRAUD_DEFAULT_REVIEW_AT;
    p->block_at = block                           ? r1_options_float(o, "block-at")
                  : calibration && c->block.there ? c->block.at
                                                  : FRAUD_NEVER_BLOCKS;
    p->alerts_per_day = review || calibration ? 0 : r1_options_float(o, "alerts-per-day");
    p->calibration = calibration ? c->text : NULL;
    return R1_OK;
}

/* What the settings name; the thresholds stay 0. */
static fraud_policy_opts build_paths(const r1_options *o,
                                     fraud_named_list list[R1_OPTION_ENTRIES_MAX])
{
    fraud_policy_opts p = {.rules_path = r1_options_str(o, "rules"),
                           .allow_path = r1_options_str(o, "allow-list"),
                           .block_path = r1_options_str(o, "block-list"),
                           .list = list,
                           .currency = r1_options_str(o, "currency")};
    for (; r1_options_entry(o, "list", p.n_list, &list[p.n_list].name, &list[p.n_list].path, NULL);)
        if (++p.n_list == R1_OPTION_ENTRIES_MAX) break;
    return p;
}

r1_status fraud_policy_build(fraud_policy **out, const r1_options *o, const fraud_rates *rates,
                             char calibrated_for[FRAUD_MODEL_NAME_BYTES], r1_err *err)
{
    fraud_calibration c = {0};
    fraud_named_list list[R1_OPTION_ENTRIES_MAX];
    fraud_policy_opts p = build_paths(o, list);
    *out = NULL;
    p.rates = fraud_rates_hash(rates);
    *calibrated_for = 0;
    R1_TRY(fraud_currency_setting(p.currency, r1_options_origin(o, "currency"), err));
    R1_TRY(build_thresholds(&p, o, &c, err));
    memcpy(calibrated_for, c.model, sizeof c.model);
    fraud_map *map = NULL; /* for notes alone: who reads payments by it says what is wrong in it */
    r1_err why;
    if (fraud_map_load(&map, r1_options_str(o, "map"), NULL, &why) == R1_OK) p.map = map;
    r1_status st = fraud_policy_new(out, &p, err);
    fraud_map_free(map);
    return st;
}

void fraud_policy_print_notes(const fraud_policy *p, FILE *out)
{
    for (size_t i = 0; fraud_policy_note(p, i); i++) {
        fputs("note: ", out);
        r1_utf8_print(out, fraud_policy_note(p, i));
        fputc('\n', out);
    }
}

typedef struct {
    const char *known;
    FILE *out;
} mistakes;

static void print_mistake(void *ctx, const char *text)
{
    const mistakes *m = ctx;
    if (!strcmp(text, m->known)) return;
    fputs("also: ", m->out);
    r1_utf8_print(m->out, text);
    fputc('\n', m->out);
}

void fraud_policy_print_mistakes(const r1_options *o, const char *known, FILE *out)
{
    mistakes m = {known, out};
    fraud_named_list list[R1_OPTION_ENTRIES_MAX];
    fraud_policy_opts p = build_paths(o, list);
    fraud_policy *policy = NULL;
    r1_err err = {0};
    p.mistake = print_mistake;
    p.mistake_ctx = &m;
    if (fraud_policy_new(&policy, &p, &err) == R1_OK) fraud_policy_free(policy);
}

bool fraud_setting_reloads(const r1_option *row, bool shared)
{
    if (!strcmp(row->name, "rates")) return !shared;
    return row->section && !strcmp(row->section, "decision");
}
