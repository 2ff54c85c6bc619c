/* SPDX-License-Identifier: GPL-3.0-or-later */
/* calibration.c - see calibration.h. */
#include "decide/calibration.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CALIBRATION_BYTES_MAX = 1 << 16, CUT_MIN = 20 };

/* ---- the file ---- */

static r1_status calibration_number(const char *path, const json_t *o, const char *where,
                                    const char *field, double min, double max, double *out,
                                    r1_err *err)
{
    const json_t *x = json_object_get(o, field);
    double value = json_is_number(x) ? json_number_value(x) : NAN;
    if (!(value >= min && value <= max))
        R1_FAIL(err, R1_E_INVAL, "%s: %s.%s: expected a number from %g to %g, found %s", path,
                where, field, min, max,
                !x                  ? "none"
                : json_is_number(x) ? "another"
                                    : "no number");
    *out = value;
    return R1_OK;
}

static r1_status calibration_cut(const char *path, const json_t *root, const char *name,
                                 fraud_threshold *out, r1_err *err)
{
    const json_t *o = json_object_get(root, name);
    *out = (fraud_threshold){.precision = NAN, .low = NAN, .high = NAN, .recall = NAN};
    if (!o || json_is_null(o)) return R1_OK;
    if (!json_is_object(o))
        R1_FAIL(err, R1_E_INVAL, "%s: %s: expected an object or null", path, name);
    out->there = true;
    R1_TRY(calibration_number(path, o, name, "at", 0, 1, &out->at, err));
    return calibration_number(path, o, name, "per_day", 0, 1e12, &out->per_day, err);
}

static r1_status calibration_take(fraud_calibration *c, const char *path, const json_t *root,
                                  r1_err *err)
{
    const char *format = json_string_value(json_object_get(root, "format")),
               *model = json_string_value(json_object_get(root, "model")),
               *made = json_string_value(json_object_get(root, "made_at"));
    if (!format || strcmp(format, FRAUD_CALIBRATION_FORMAT) != 0)
        R1_FAIL(err, R1_E_INVAL, "%s: format: expected \"%s\", found \"%.40s\"", path,
                FRAUD_CALIBRATION_FORMAT, format ? format : "none");
    if (!model || strlen(model) >= sizeof c->model || !*model)
        R1_FAIL(err, R1_E_INVAL, "%s: model: expected the version of a model", path);
    if (!made || strlen(made) >= sizeof c->made_at)
        R1_FAIL(err, R1_E_INVAL, "%s: made_at: expected a time", path);
    snprintf(c->model, sizeof c->model, "%s", model);
    snprintf(c->made_at, sizeof c->made_at, "%s", made);
    R1_TRY(calibration_cut(path, root, "review", &c->review, err));
    R1_TRY(calibration_cut(path, root, "block", &c->block, err));
    if (!c->review.there)
        R1_FAIL(err, R1_E_INVAL, "%s: review: expected a threshold, found none", path);
    if (c->block.there && c->block.at < c->review.at)
        R1_FAIL(err, R1_E_INVAL, "%s: block.at: expected at least review.at (%g), found %g", path,
                c->review.at, c->block.at);
    return R1_OK;
}

r1_status fraud_calibration_read(fraud_calibration *c, const char *path, r1_err *err)
{
    char *text;
    size_t len;
    json_error_t why;
    memset(c, 0, sizeof *c);
    R1_TRY(r1_file_read(path, CALIBRATION_BYTES_MAX, &text, &len, err));
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
    uint64_t hash = r1_hash64(text, len, 0);
    free(text);
    if (!root) R1_FAIL(err, R1_E_INVAL, "%s:%d: %.120s", path, why.line, why.text);
    r1_status st = calibration_take(c, path, root, err);
    json_decref(root);
    snprintf(c->text, sizeof c->text, "calibration=%016llx made_at=%s", (unsigned long long)hash,
             c->made_at);
    return st;
}

static json_t *calibration_real(double x) { return isfinite(x) ? json_real(x) : json_null(); }

static json_t *calibration_cut_json(const fraud_threshold *c)
{
    if (!c->there) return json_null();
    return json_pack("{s:f, s:f, s:o, s:o, s:o, s:o}", "at", c->at, "per_day", c->per_day,
                     "precision", calibration_real(c->precision), "precision_low",
                     calibration_real(c->low), "precision_high", calibration_real(c->high),
                     "recall", calibration_real(c->recall));
}

r1_status fraud_calibration_write(const fraud_calibration *c, const char *path, r1_err *err)
{
    json_t *root = json_pack(
        "{s:s, s:s, s:s, s:{s:s, s:s, s:s, s:f, s:I, s:I, s:I}, s:o, s:o}", "format",
        FRAUD_CALIBRATION_FORMAT, "made_at", c->made_at, "model", c->model, "stream", "source",
        c->source, "first", c->first, "last", c->last, "days", c->days, "payments",
        (json_int_t)c->payments, "labels", (json_int_t)c->labels, "fraud", (json_int_t)c->fraud,
        "review", calibration_cut_json(&c->review), "block", calibration_cut_json(&c->block));
    char *text = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) : NULL;
    json_decref(root);
    if (!text) R1_FAIL(err, R1_E_NOMEM, "%s: no memory to write it", path);
    r1_status st = r1_file_write(path, text, strlen(text), err);
    free(text);
    return st;
}

r1_status fraud_calibration_fits(const char *calibrated_for, const char *model, r1_err *err)
{
    if (!*calibrated_for || !strcmp(calibrated_for, model)) return R1_OK;
    R1_FAIL(err, R1_E_INVAL,
            "calibration: expected one that was found with the model %s, found one of %s: run "
            "r1-fraud calibrate again",
            model, calibrated_for);
}

/* ---- cuts ---- */

void fraud_wilson(double hits, double n, double *low, double *high)
{
    const double z = 1.959963984540054;
    if (!(n > 0)) {
        *low = 0, *high = 1;
        return;
    }
    double p = hits / n, middle = (p + z * z / (2 * n)) / (1 + z * z / n),
           half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n);
    *low = middle - half > 0 ? middle - half : 0;
    *high = middle + half < 1 ? middle + half : 1;
}

static int scored_order(const void *a, const void *b)
{
    const fraud_scored *x = a, *y = b;
    return (x->logit < y->logit) - (x->logit > y->logit);
}

void fraud_scored_sort(fraud_scored *x, size_t n) { qsort(x, n, sizeof *x, scored_order); }

/* Where nothing is cut: k payments above, and the next one has another score. */
static bool cut_between(const fraud_scored *x, size_t n, size_t k)
{
    return k == n || x[k - 1].logit != x[k].logit;
}

static double cut_probability(double logit) { return 1 / (1 + exp(-logit)); }

/* What a cut at this probability is worth, which has the first k payments above it. */
static void cut_measure(const fraud_scored *x, size_t n, size_t k, double at, double days,
                        bool labelled, fraud_threshold *out)
{
    double caught = 0, fraud = 0;
    for (size_t i = 0; i < n; i++) {
        fraud += x[i].label == 1;
        if (i < k) caught += x[i].label == 1;
    }
    *out = (fraud_threshold){.there = true,
                             .at = at,
                             .per_day = (double)k / days,
                             .precision = NAN,
                             .low = NAN,
                             .high = NAN,
                             .recall = NAN};
    if (!labelled) return;
    out->recall = fraud > 0 ? caught / fraud : NAN;
    if (!k) return;
    out->precision = caught / (double)k;
    fraud_wilson(caught, (double)k, &out->low, &out->high);
}

/* The cut below the first k payments, halfway to the next score. */
static void cut_at(const fraud_scored *x, size_t n, size_t k, double days, bool labelled,
                   fraud_threshold *out)
{
    double logit = k < n ? ((double)x[k - 1].logit + (double)x[k].logit) / 2 : x[k - 1].logit;
    cut_measure(x, n, k, cut_probability(logit), days, labelled, out);
}

bool fraud_threshold_raise(const fraud_scored *x, size_t n, double days, double least,
                           bool labelled, fraud_threshold *cut)
{
    size_t k = 0;
    if (!cut->there || cut->at >= least) return false;
    while (k < n && cut_probability(x[k].logit) >= least) k++;
    cut_measure(x, n, k, least, days, labelled, cut);
    return true;
}

void fraud_threshold_by_precision(const fraud_scored *x, size_t n, double days, double precision,
                                  bool sure, fraud_threshold *out)
{
    size_t best = 0;
    double caught = 0;
    for (size_t k = 1; k <= n; k++) {
        caught += x[k - 1].label == 1;
        double low = caught / (double)k, high;
        if (sure) fraud_wilson(caught, (double)k, &low, &high);
        if (k >= CUT_MIN && low >= precision && cut_between(x, n, k)) best = k;
    }
    *out = (fraud_threshold){0};
    if (best) cut_at(x, n, best, days, true, out);
}

void fraud_threshold_by_budget(const fraud_scored *x, size_t n, double days, double per_day,
                               bool labelled, fraud_threshold *out)
{
    size_t best = 0;
    for (size_t k = 1; k <= n && (double)k <= per_day * days; k++)
        if (cut_between(x, n, k)) best = k;
    *out = (fraud_threshold){0};
    if (best) cut_at(x, n, best, days, labelled, out);
}
