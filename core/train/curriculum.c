/* SPDX-License-Identifier: Apache-2.0 */
/* curriculum.c - the units are sorted once by their difficulty; those in play are the first of
 * that order. */
#include "train/curriculum.h"

#include "r1_assert.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum { BY_ITEMS, BY_REFS, BY_BYTES, BY_NUM, BY_CAT } measure; /* of a sample */

typedef struct {
    measure by;
    uint32_t item, column;
    double sign;
} rule;

static bool find_column(const r1_column *c, uint32_t n, const char *name, uint32_t *column)
{
    for (*column = 0; *column < n; ++*column)
        if (strcmp(c[*column].name, name) == 0) return true;
    return false;
}

static r1_status parse_measure(rule *r, const char *text, const r1_desc *d, r1_err *err)
{
    static const char *const plain[] = {"items", "refs", "bytes"};
    r->sign = *text == '-' ? -1 : 1;
    if (*text == '-') text++;
    for (uint32_t i = 0; i < R1_COUNT(plain); i++)
        if (strcmp(text, plain[i]) == 0) {
            r->by = (measure)i;
            return R1_OK;
        }
    const char *dot = strrchr(text, '.');
    for (r->item = 0; dot && r->item < d->n_item; r->item++) {
        const r1_item_desc *it = &d->item[r->item];
        if (it->kind != R1_ITEM_TABLE || strlen(it->name) != (size_t)(dot - text) ||
            strncmp(it->name, text, (size_t)(dot - text)) != 0)
            continue;
        r->by = BY_NUM;
        if (find_column(it->row.num, it->row.n_num, dot + 1, &r->column)) return R1_OK;
        r->by = BY_CAT;
        if (find_column(it->row.cat, it->row.n_cat, dot + 1, &r->column)) return R1_OK;
    }
    R1_FAIL(err, R1_E_INVAL,
            "curriculum: difficulty \"%s\" is neither items, refs, bytes nor a table's ITEM.COLUMN",
            text);
}

static r1_status parse_pacing(r1_curriculum *c, const char *name, r1_err *err)
{
    static const char *const names[] = {"linear", "root", "step"};
    for (uint32_t i = 0; i < R1_COUNT(names); i++)
        if (strcmp(name, names[i]) == 0) {
            c->pacing = (r1_pacing)i;
            return R1_OK;
        }
    R1_FAIL(err, R1_E_INVAL, "curriculum: pacing \"%s\", expected linear, root or step", name);
}

static r1_status curriculum_parse(r1_curriculum *c, rule *r, const char *text, bool masks,
                                  const r1_desc *d, r1_err *err)
{
    char name[2 * R1_NAME_MAX + 4], pacing[16];
    int end = -1;
    if (sscanf(text, "%129[^:]:%15[^:]:%lf:%lf%n", name, pacing, &c->start, &c->full, &end) != 4 ||
        text[end])
        R1_FAIL(err, R1_E_INVAL, "curriculum \"%.100s\": expected MEASURE:PACING:START:FULL", text);
    if (!(c->start > 0 && c->start <= 1 && c->full > 0 && c->full <= 1))
        R1_FAIL(err, R1_E_INVAL, "curriculum: start %g and full %g must lie above 0, at most 1",
                c->start, c->full);
    R1_TRY(parse_pacing(c, pacing, err));
    c->by_mask = masks && strcmp(name, "mask") == 0;
    return c->by_mask ? R1_OK : parse_measure(r, name, d, err);
}

static double difficulty_of(const rule *r, const r1_desc *d, const r1_item *item)
{
    double sum = 0;
    if (r->by == BY_NUM || r->by == BY_CAT) {
        if (!item[r->item].present) return -INFINITY;
        double v = r->by == BY_NUM ? (double)item[r->item].num[r->column]
                                   : (double)item[r->item].cat[r->column];
        return isnan(v) ? -INFINITY : r->sign * v;
    }
    for (uint32_t i = 0; i < d->n_item; i++) {
        if (!item[i].present) continue;
        sum += r->by == BY_ITEMS ? 1 : 0;
        if (r->by == BY_REFS && d->item[i].kind == R1_ITEM_MEMORY) sum += item[i].n_ref;
        if (r->by == BY_BYTES && d->item[i].kind == R1_ITEM_TEXT) sum += item[i].text_bytes;
    }
    return r->sign * sum;
}

typedef struct {
    double difficulty;
    uint32_t unit;
} place;

static int by_difficulty(const void *a, const void *b)
{
    const place *x = a, *y = b;
    if (x->difficulty != y->difficulty) return x->difficulty < y->difficulty ? -1 : 1;
    return x->unit < y->unit ? -1 : 1;
}

/* A unit is as hard as its hardest sample. */
static r1_status measure_units(place *at, size_t n, const rule *r, const r1_desc *d,
                               const r1_data *data, r1_err *err)
{
    for (size_t u = 0; u < n; u++) {
        const r1_unit *unit = &data->unit[u];
        at[u] = (place){-INFINITY, (uint32_t)u};
        for (uint32_t i = 0; i < unit->count; i++) {
            r1_item item[R1_ITEMS_MAX];
            r1_sample s;
            R1_TRY(r1_shard_get(data->shard[unit->shard], unit->first + i, item, &s, err));
            at[u].difficulty = fmax(at[u].difficulty, difficulty_of(r, d, item));
        }
    }
    return R1_OK;
}

static r1_status sort_units(r1_curriculum *c, const rule *r, const r1_desc *d, const r1_data *data,
                            r1_err *err)
{
    place *at = calloc(c->n, sizeof *at);
    if (!at) R1_FAIL(err, R1_E_NOMEM, "curriculum: out of memory");
    r1_status st = measure_units(at, c->n, r, d, data, err);
    if (st != R1_OK) goto free_places;
    qsort(at, c->n, sizeof *at, by_difficulty);
    for (size_t u = 0; u < c->n; u++) c->order[u] = at[u].unit;
free_places:
    free(at);
    return st;
}

r1_status r1_curriculum_new(r1_curriculum *c, const char *text, bool masks, const r1_desc *d,
                            const r1_data *data, r1_err *err)
{
    rule r = {0};
    *c = (r1_curriculum){.n = data->n_unit, .start = 1, .full = 1};
    if (text) R1_TRY(curriculum_parse(c, &r, text, masks, d, err));
    c->order = calloc(c->n + 1, sizeof *c->order);
    if (!c->order) R1_FAIL(err, R1_E_NOMEM, "curriculum: no memory for %zu units", c->n);
    for (size_t u = 0; u < c->n; u++) c->order[u] = (uint32_t)u;
    return text && !c->by_mask ? sort_units(c, &r, d, data, err) : R1_OK;
}

void r1_curriculum_free(r1_curriculum *c)
{
    free(c->order);
    *c = (r1_curriculum){0};
}

double r1_curriculum_share(const r1_curriculum *c, double progress)
{
    double t = fmin(fmax(progress / c->full, 0), 1), s = c->start, share = t < 1 ? s : 1;
    if (t < 1 && c->pacing == R1_PACE_LINEAR) share = s + (1 - s) * t;
    if (t < 1 && c->pacing == R1_PACE_ROOT) share = sqrt(s * s + (1 - s * s) * t);
    R1_ASSERT(share > 0 && share <= 1, "curriculum: the share %g in play at progress %g", share,
              progress);
    return share;
}

size_t r1_curriculum_pool(const r1_curriculum *c, double progress)
{
    size_t n = c->by_mask ? c->n : (size_t)ceil(r1_curriculum_share(c, progress) * (double)c->n);
    n = n < 1 ? 1 : n > c->n ? c->n : n;
    R1_ASSERT(n >= 1 && n <= c->n, "curriculum: %zu of %zu units in play", n, c->n);
    return n;
}

/* Every place of an order names a unit. */
static bool curriculum_within(const uint32_t *order, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (order[i] >= n) return false;
    return true;
}

void r1_curriculum_epoch(const r1_curriculum *c, double progress, uint64_t seed, uint64_t epoch,
                         uint32_t *order)
{
    r1_rng rng;
    size_t n = c->n, pool = r1_curriculum_pool(c, progress);
    r1_rng_seed(&rng, seed ^ (epoch + 1) * 0x9e3779b97f4a7c15u);
    for (size_t i = 0; i < n; i++) order[i] = c->order[i % pool];
    for (size_t first = 0; first < n; first += pool) {
        size_t size = n - first < pool ? n - first : pool;
        for (size_t i = size; i > 1; i--) {
            size_t j = (size_t)r1_rng_below(&rng, i);
            uint32_t x = order[first + i - 1];
            order[first + i - 1] = order[first + j];
            order[first + j] = x;
        }
    }
    R1_DEEP_ASSERT(curriculum_within(order, n), "curriculum: an order of %zu units", n);
}
