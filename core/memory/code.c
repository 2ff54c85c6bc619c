/* SPDX-License-Identifier: Apache-2.0 */
/* code.c - training, packing, encoding, scoring: see code.h. */
#include "memory/code.h"

#include "cpu/cpu_ops.h"
#include "memory/linalg.h"
#include "memory/scan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SAMPLE_MAX = 65536, /* rows that everything is learned from */
    COVARIANCE_ROWS = 16384,
    QUANT_SAMPLE = 3000, /* rows that the quantiser scale is found on; sparse: fewer */
    SPARSE_SAMPLE = 384,
    KMEANS_ROUNDS = 6,
    HALF = RANS_SYMBOLS / 2 - 1, /* largest integer of a plain axis */
    Z_MAX = 1000,                /* of a sketch axis */
    GAP_END = 63,                /* after the last gap */
    SPARSE_HALF = 63,            /* largest coefficient, as an integer */
    GAP_LOW = 6,                 /* bits of a gap that are coded as they are */
    ENCODE_ROWS = 1024
};
/* The widest axis has at most so many integers: bins and tails hold no more, and recall is past
 * .98 there. */
static const double finest = 200;
static const double metric_power = 0.6, sketch_sigma = 3.0;
/* An axis whose sigma is below this share of the quantiser scale would round to anything but zero
 * once in a thousand rows: it is dropped. */
static const double coded_sigma = 0.16;
/* three bytes of the coder's state less what it carries, and what fitted tables lose on other
 * rows (measured) */
static const double state_bytes = 2.6;
static const float stop_share = 0.6f;

static const rans_table *group_table(const code *c, uint32_t i) { return &c->table[c->group[i]]; }
static const rans_table *tail_table(const code *c, uint32_t i)
{
    return &c->table[CODE_GROUPS + CODE_WIDTHS + c->group[i]];
}
static const rans_table *width_table(const code *c, int w)
{
    return &c->table[CODE_GROUPS + w - 1];
}

void code_free(code *c)
{
    if (!c) return;
    r1_arena_free(c->arena);
    free(c);
}

static bool code_alloc(code *c)
{
    static const double none[RANS_SYMBOLS];
    for (uint32_t w = 1; w <= CODE_WIDTHS; w++)
        rans_table_fit(&c->table[CODE_GROUPS + w - 1], none, 0, w - 1); /* even */
    r1_arena *a;
    if (r1_arena_new(&a, SIZE_MAX, NULL) != R1_OK) return false;
    c->arena = a;
    c->centre = r1_arena_alloc(a, (size_t)c->n_list * c->d, sizeof(float));
    c->forward = r1_arena_alloc(a, (size_t)c->m * c->d, sizeof(float));
    c->back = r1_arena_alloc(a, (size_t)c->m * c->d, sizeof(float));
    c->atom = r1_arena_alloc(a, (size_t)c->n_atom * c->m, sizeof(float));
    c->bin = r1_arena_alloc(a, (size_t)c->n_sketch * CODE_BIN, sizeof(float));
    c->edge = r1_arena_alloc(a, (size_t)c->n_sketch * (CODE_BIN - 1), sizeof(int16_t));
    c->group = r1_arena_alloc(a, c->m, 1);
    return c->centre && c->forward && c->back && c->atom && c->bin && c->edge && c->group;
}

/* ---- principal axes in the metric of the queries ---- */

/* y += w x */
R1_CLONES static void add_scaled(double *restrict y, const double *restrict x, double w, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] += w * x[i];
}

/* Of at most COVARIANCE_ROWS rows spread over the n. */
static void code_covariance(const float *x, size_t n, size_t d, const float *mean, double *row,
                            double *out)
{
    size_t stride = n > COVARIANCE_ROWS ? n / COVARIANCE_ROWS : 1, used = 0;
    memset(out, 0, d * d * sizeof *out);
    for (size_t i = 0; i < n; i += stride, used++) {
        for (size_t a = 0; a < d; a++)
            row[a] = (double)x[i * d + a] - (mean ? (double)mean[a] : 0.0);
        for (size_t a = 0; a < d; a++) add_scaled(out + a * d + a, row + a, row[a], d - a);
    }
    for (size_t a = 0; a < d; a++)
        for (size_t b = a; b < d; b++) out[b * d + a] = out[a * d + b] /= (double)used;
}

static void code_multiply(const double *a, const double *b, size_t n, double *out)
{
    memset(out, 0, n * n * sizeof *out);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++) add_scaled(out + i * n, b + k * n, a[i * n + k], n);
}

/* out = V' diag(value^power) V, rows of v are the eigenvectors; tiny values are lifted so that
 * the power stays finite. */
static void power_of(const double *value, const double *v, size_t n, double power, double *out)
{
    memset(out, 0, n * n * sizeof *out);
    double low = value[0] * 1e-7 + 1e-30;
    for (size_t k = 0; k < n; k++) {
        double f = pow(value[k] > low ? value[k] : low, power);
        for (size_t i = 0; i < n; i++) add_scaled(out + i * n, v + k * n, f * v[k * n + i], n);
    }
}

/* x: sample, r: its residuals. Fills m, forward and back (rows beyond the rank dropped). */
static r1_status code_axes(code *c, const float *x, const float *r, size_t n, const float *mean,
                           r1_err *err)
{
    size_t d = c->d, dd = d * d;
    r1_status st;
    double *buf = malloc(sizeof *buf * (5 * dd + 3 * d));
    if (!buf) R1_FAIL(err, R1_E_NOMEM, "no memory for the axes of %zu columns", d);
    double *cov = buf, *v = cov + dd, *metric = v + dd, *t = metric + dd, *inv = t + dd,
           *value = inv + dd, *row = value + d, *other = row + d;
    code_covariance(x, n, d, mean, row, cov);
    if ((st = linalg_eigen(cov, d, value, v, err)) != R1_OK) goto done;
    power_of(value, v, d, metric_power / 2, metric);
    power_of(value, v, d, -metric_power / 2, inv);
    code_covariance(r, n, d, NULL, row, cov);
    code_multiply(metric, cov, d, t);
    code_multiply(t, metric, d, cov);
    if ((st = linalg_eigen(cov, d, value, v, err)) != R1_OK) goto done;
    c->m = 0;
    while (c->m < d && value[c->m] > value[0] * 1e-7) c->m++;
    if (!(value[0] > 0)) c->m = 0;
    for (size_t k = 0; k < c->m; k++) { /* rows of V metric and V / metric */
        memset(row, 0, 2 * d * sizeof *row);
        for (size_t j = 0; j < d; j++) {
            add_scaled(row, metric + j * d, v[k * d + j], d);
            add_scaled(other, inv + j * d, v[k * d + j], d);
        }
        for (size_t i = 0; i < d; i++) {
            c->forward[k * d + i] = (float)row[i];
            c->back[k * d + i] = (float)other[i];
        }
    }
done:
    free(buf);
    return st;
}

/* ---- tables and quantiser scale ---- */

static int clamp_z(float z, int most)
{
    float r = roundf(z);
    return r > (float)most ? most : r < (float)-most ? -most : (int)r;
}

/* Bin of z among 15 edges. */
static int code_bin_of(const int16_t *edge, int z)
{
    int b = 0;
    while (b < CODE_BIN - 1 && z >= edge[b]) b++;
    return b;
}

/* Fifteen distinct edges near the quantiles of the n values of z, inner bins at most CODE_WIDTHS
 * wide. */
static void fit_edges(const int *count, size_t n, int16_t *edge)
{
    size_t seen = 0;
    int z = -Z_MAX, prev = -Z_MAX - 1;
    for (int b = 0; b < CODE_BIN - 1; b++) {
        size_t want = n * (size_t)(b + 1) / CODE_BIN;
        while (z < Z_MAX && seen + (size_t)count[z + Z_MAX] <= want)
            seen += (size_t)count[z++ + Z_MAX];
        int e = z, low = prev + 1, high = Z_MAX - (CODE_BIN - 2 - b);
        if (b > 0 && e > prev + CODE_WIDTHS) e = prev + CODE_WIDTHS;
        if (e < low) e = low;
        if (e > high) e = high;
        edge[b] = (int16_t)(prev = e);
    }
}

/* What is coded of z beside its bin: the table and the symbol. */
static const rans_table *code_inside(const code *c, uint32_t i, int bin, int z, uint32_t *symbol)
{
    const int16_t *edge = c->edge + i * (CODE_BIN - 1);
    int at;
    if (bin == 0)
        at = edge[0] - 1 - z;
    else
        at = z - edge[bin - 1];
    const rans_table *t = bin == 0 || bin == CODE_BIN - 1
                              ? tail_table(c, i)
                              : width_table(c, edge[bin] - edge[bin - 1]);
    *symbol = rans_clamp(t, at);
    return t;
}

static int from_inside(const code *c, uint32_t i, int bin, uint32_t symbol)
{
    const int16_t *edge = c->edge + i * (CODE_BIN - 1);
    return bin == 0 ? edge[0] - 1 - (int)symbol : edge[bin - 1] + (int)symbol;
}

static double code_bits_of(const rans_table *t, uint32_t symbol)
{
    return RANS_BITS - log2(t->freq[symbol]);
}

typedef struct {
    const float *y; /* [n][stride] */
    size_t n, stride;
    double *sigma;  /* [m] */
    int *histogram; /* [2 Z_MAX + 1] */
} fit_data;

static void fit_sketch_axis(code *c, const fit_data *f, uint32_t i, double *tail)
{
    int16_t *edge = c->edge + i * (CODE_BIN - 1);
    float *bin = c->bin + i * CODE_BIN;
    double sum[CODE_BIN] = {0};
    size_t count[CODE_BIN] = {0};
    memset(f->histogram, 0, sizeof *f->histogram * (2 * Z_MAX + 1));
    for (size_t r = 0; r < f->n; r++)
        f->histogram[clamp_z(f->y[r * f->stride + i] / c->quant, Z_MAX) + Z_MAX]++;
    fit_edges(f->histogram, f->n, edge);
    for (int z = -Z_MAX; z <= Z_MAX; z++) {
        int b = code_bin_of(edge, z), k = f->histogram[z + Z_MAX];
        sum[b] += (double)z * k;
        count[b] += (size_t)k;
        if (b == 0 || b == CODE_BIN - 1) {
            int at = b ? z - edge[b - 1] : edge[0] - 1 - z;
            tail[at < RANS_SYMBOLS ? at : RANS_SYMBOLS - 1] += k;
        }
    }
    for (int b = 0; b < CODE_BIN; b++) {
        int low = b ? edge[b - 1] : edge[0] - 1,
            high = b < CODE_BIN - 1 ? edge[b] - 1 : edge[b - 1];
        bin[b] = count[b] ? (float)(sum[b] / (double)count[b]) : (float)(low + high) / 2;
    }
}

/* Axes are in falling order of variance, so neighbours share a table. */
static void fit_tables(code *c, const fit_data *f)
{
    double count[RANS_SYMBOLS];
    uint32_t plain = c->m - c->n_sketch;
    for (uint32_t g = 0; g < CODE_GROUPS; g++) {
        uint32_t from = c->n_sketch + plain * g / CODE_GROUPS,
                 to = c->n_sketch + plain * (g + 1) / CODE_GROUPS;
        memset(count, 0, sizeof count);
        for (uint32_t i = from; i < to; i++) {
            c->group[i] = (uint8_t)g;
            for (size_t r = 0; r < f->n; r++)
                count[clamp_z(f->y[r * f->stride + i] / c->quant, HALF) + HALF]++;
        }
        double reach = from < to ? 4.5 * f->sigma[from] / c->quant + 2 : 2;
        uint32_t half = reach < HALF ? (uint32_t)reach : HALF;
        for (uint32_t z = 0; z < HALF - half; z++) { /* what is clamped into the range */
            count[HALF - half] += count[z];
            count[HALF + half] += count[2 * HALF - z];
        }
        rans_table_fit(&c->table[g], count, HALF - half, HALF + half);
    }
    for (uint32_t g = 0; g < CODE_TAILS; g++) {
        memset(count, 0, sizeof count);
        for (uint32_t i = c->n_sketch * g / CODE_TAILS; i < c->n_sketch * (g + 1) / CODE_TAILS;
             i++) {
            c->group[i] = (uint8_t)g;
            fit_sketch_axis(c, f, i, count);
        }
        uint32_t last = RANS_SYMBOLS - 1;
        while (last > 1 && count[last] == 0) last--;
        rans_table_fit(&c->table[CODE_GROUPS + CODE_WIDTHS + g], count, 0, last);
    }
}

/* Mean bytes of the sample at the present quantiser scale, without running the coder. */
static double transform_bytes(code *c, const fit_data *f)
{
    double bits = 0;
    c->n_sketch = c->m = 0;
    while (c->m < f->stride && f->sigma[c->m] / c->quant >= coded_sigma) c->m++;
    while (c->n_sketch < c->m && c->n_sketch < CODE_SKETCH_MAX &&
           f->sigma[c->n_sketch] / c->quant >= sketch_sigma)
        c->n_sketch++;
    c->n_sketch &= ~3u;
    fit_tables(c, f);
    for (size_t r = 0; r < f->n; r++)
        for (uint32_t i = 0; i < c->m; i++) {
            float z = f->y[r * f->stride + i] / c->quant;
            if (i < c->n_sketch) {
                uint32_t symbol;
                int zi = clamp_z(z, Z_MAX), bin = code_bin_of(c->edge + i * (CODE_BIN - 1), zi);
                const rans_table *t = code_inside(c, i, bin, zi, &symbol);
                bits += code_bits_of(t, symbol);
            } else
                bits += code_bits_of(group_table(c, i),
                                     rans_clamp(group_table(c, i), clamp_z(z, HALF) + HALF));
        }
    return bits / 8 / (double)f->n + c->n_sketch * 0.5 + state_bytes;
}

static void fit_sparse_tables(code *c, const double *high, const double *coefs)
{
    static const double even[RANS_SYMBOLS];
    rans_table_fit(&c->table[0], high, 0, GAP_END);
    rans_table_fit(&c->table[1], even, 0, (1 << GAP_LOW) - 1);
    rans_table_fit(&c->table[2], coefs, HALF - SPARSE_HALF, HALF + SPARSE_HALF);
}

static double sparse_bytes(code *c, const fit_data *f, const float *gram, const float *product,
                           float *scratch, float *p)
{
    double bits = 0, high[RANS_SYMBOLS] = {0}, coefs[RANS_SYMBOLS] = {0};
    uint32_t *index = malloc(sizeof *index * c->k_max);
    float *coef = malloc(sizeof *coef * c->k_max);
    for (size_t r = 0; r < f->n && index && coef; r++) {
        memcpy(p, product + r * c->n_atom, sizeof *p * c->n_atom);
        uint32_t k = omp_encode(gram, c->n_atom, p, stop_share * c->quant, c->k_max, index, coef,
                                scratch),
                 next = 0;
        for (uint32_t t = 0; t < k; t++) {
            int z = clamp_z(coef[t] / c->quant, SPARSE_HALF);
            if (z == 0) continue;
            high[(index[t] - next) >> GAP_LOW]++;
            coefs[z + HALF]++;
            next = index[t] + 1;
        }
        high[GAP_END]++;
    }
    free(index);
    free(coef);
    fit_sparse_tables(c, high, coefs);
    for (uint32_t s = 0; s <= GAP_END; s++)
        bits += high[s] * (code_bits_of(&c->table[0], s) + (s < GAP_END ? GAP_LOW : 0));
    for (uint32_t s = HALF - SPARSE_HALF; s <= HALF + SPARSE_HALF; s++)
        bits += coefs[s] * code_bits_of(&c->table[2], s);
    return bits / 8 / (double)f->n + state_bytes;
}

/* Steps are doubled and halved on a logarithmic scale until the mean length fits. */
static r1_status fit_quant(code *c, const fit_data *f, double bytes, r1_err *err)
{
    static const double none[RANS_SYMBOLS];
    float *gram = NULL, *product = NULL, *scratch = NULL;
    if (c->kind == R1_CODE_SPARSE && !c->m) {
        fit_sparse_tables(c, none, none);
        return R1_OK;
    }
    if (c->kind == R1_CODE_SPARSE) {
        R1_TRY(omp_gram(c->atom, c->n_atom, c->m, &gram, err));
        product = malloc(sizeof *product * f->n * c->n_atom);
        scratch = malloc(sizeof *scratch * (omp_scratch(c->n_atom, c->k_max) + c->n_atom));
        r1_status st =
            product && scratch
                ? linalg_product(f->y, f->n, c->atom, c->n_atom, c->m, product, err)
                : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for sparse codes");
        if (st != R1_OK) {
            free(gram);
            free(product);
            free(scratch);
            return st;
        }
    }
    double top = c->m ? f->sigma[0] : 1, low = log(top / finest + 1e-30),
           high = log(top * 16 + 1e-30);
    for (int round = 0; round < 14; round++) {
        c->quant = (float)exp((low + high) / 2);
        double used = gram ? sparse_bytes(c, f, gram, product, scratch,
                                          scratch + omp_scratch(c->n_atom, c->k_max))
                           : transform_bytes(c, f);
        if (used > bytes)
            low = (low + high) / 2;
        else
            high = (low + high) / 2;
    }
    free(gram);
    free(product);
    free(scratch);
    return R1_OK;
}

/* ---- training ---- */

/* At most SAMPLE_MAX rows of x, drawn without repetition, in random order. */
static r1_status draw_sample(const float *x, size_t n, uint32_t d, uint64_t seed, float **out,
                             size_t *n_sample, r1_err *err)
{
    *n_sample = n < SAMPLE_MAX ? n : SAMPLE_MAX;
    uint32_t *row = r1_realloc_array(NULL, n, sizeof *row);
    *out = r1_realloc_array(NULL, *n_sample, d * sizeof **out);
    if (!row || !*out) {
        free(row);
        R1_FAIL(err, R1_E_NOMEM, "no memory to learn a code from %zu rows", *n_sample);
    }
    r1_rng rng;
    r1_rng_seed(&rng, seed);
    for (size_t i = 0; i < n; i++) row[i] = (uint32_t)i;
    for (size_t i = 0; i < *n_sample; i++) {
        size_t j = i + (size_t)r1_rng_below(&rng, n - i);
        uint32_t t = row[i];
        row[i] = row[j];
        row[j] = t;
        memcpy(*out + i * d, x + (size_t)row[i] * d, d * sizeof *x);
    }
    free(row);
    return R1_OK;
}

/* Rows at the end of the sample that centres are not learned from. The quantiser scale is found
 * on them, since codes of rows that the centres have not seen are longer. */
static size_t held_out(size_t n) { return n > 4 * QUANT_SAMPLE ? QUANT_SAMPLE : 0; }

/* Axes, dictionary, tables from a sample x and its residuals r; y is [n][m] afterwards. */
static r1_status train_on(code *c, const float *x, float *r, size_t n, const float *mean,
                          const code_opts *o, r1_err *err)
{
    R1_TRY(code_axes(c, x, r, n, mean, err));
    float *y = malloc(sizeof *y * (n * c->m + 1));
    double *sigma = calloc(c->m + 1u, sizeof *sigma);
    int *histogram = malloc(sizeof *histogram * (2 * Z_MAX + 1));
    r1_status st = R1_OK;
    if (!y || !sigma || !histogram)
        st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for a sample");
    if (st == R1_OK && c->m) st = linalg_product(r, n, c->forward, c->m, c->d, y, err);
    for (size_t i = 0; i < n * c->m && st == R1_OK; i++)
        sigma[i % c->m] += (double)y[i] * y[i] / (double)n;
    for (uint32_t i = 0; i < c->m && st == R1_OK; i++) sigma[i] = sqrt(sigma[i]);
    if (st == R1_OK && c->kind == R1_CODE_SPARSE && c->m)
        st = omp_learn(c->atom, c->n_atom, c->m, y, n, c->k_max / 3 + 1, o->rounds, o->seed + 2,
                       err);
    size_t most = c->kind == R1_CODE_SPARSE ? SPARSE_SAMPLE : QUANT_SAMPLE,
           rows = n < most ? n : most;
    fit_data f = {y ? y + (n - rows) * c->m : NULL, rows, c->m, sigma, histogram};
    if (st == R1_OK) st = fit_quant(c, &f, o->bytes, err);
    free(y);
    free(sigma);
    free(histogram);
    return st;
}

r1_status code_train(code **out, const float *x, size_t n, uint32_t d, const code_opts *o,
                     r1_err *err)
{
    if (n < 1 || o->n_list > n || o->n_list > CODE_LIST_MAX || !(o->bytes >= 2) ||
        o->n_atom > CODE_ATOM_MAX)
        R1_FAIL(err, R1_E_INVAL,
                "code: expected 1 row or more, at most as many lists as rows, 2 bytes or more; "
                "found %zu rows, "
                "%u lists, %.1f bytes",
                n, o->n_list, (double)o->bytes);
    code *c = calloc(1, sizeof *c);
    if (!c) R1_FAIL(err, R1_E_NOMEM, "no memory for a code");
    *c = (code){.kind = o->kind,
                .d = d,
                .m = d,
                .n_sketch = o->kind == R1_CODE_SPARSE ? 0 : CODE_SKETCH_MAX,
                .n_list = o->n_list ? o->n_list : 1,
                .n_atom = o->kind == R1_CODE_SPARSE ? o->n_atom : 0,
                .quant = 1,
                .k_max = o->kind == R1_CODE_SPARSE ? (uint32_t)(o->bytes * 1.2f) + 4 : 0};
    float *sample = NULL, *r = NULL, *mean = NULL;
    uint32_t *near = NULL;
    size_t ns = 0;
    r1_status st = draw_sample(x, n, d, o->seed, &sample, &ns, err);
    if (st == R1_OK && (!code_alloc(c) || !(r = malloc(sizeof *r * ns * d)) ||
                        !(near = calloc(ns, sizeof *near)) || !(mean = calloc(d, sizeof *mean))))
        st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__,
                        "no memory to learn a code from %zu rows", ns);
    for (size_t i = 0; i < ns * d && st == R1_OK; i++) mean[i % d] += sample[i] / (float)ns;
    if (st == R1_OK && c->n_list == 1)
        memcpy(c->centre, mean, d * sizeof *mean);
    else if (st == R1_OK) {
        size_t seen = ns - held_out(ns);
        if (seen < c->n_list) seen = ns;
        st = linalg_kmeans(sample, seen, d, c->n_list, KMEANS_ROUNDS, o->seed + 1, c->centre, near,
                           err);
        if (st == R1_OK)
            st = linalg_nearest(sample + seen * d, ns - seen, d, c->centre, c->n_list, near + seen,
                                err);
    }
    for (size_t i = 0; i < ns && st == R1_OK; i++)
        for (uint32_t k = 0; k < d; k++)
            r[i * d + k] = sample[i * d + k] - c->centre[(size_t)near[i] * d + k];
    if (st == R1_OK) st = train_on(c, sample, r, ns, mean, o, err);
    free(sample);
    free(r);
    free(near);
    free(mean);
    if (st != R1_OK) {
        code_free(c);
        return st;
    }
    *out = c;
    return R1_OK;
}

/* ---- entries ---- */

size_t code_entry_max(const code *c)
{
    /* a symbol takes at most ten bits */
    size_t symbols = c->kind == R1_CODE_SPARSE ? 3u * c->k_max + 1 : c->m;
    return 8 + symbols * RANS_BITS / 8;
}

enum { SCALE_STEPS = (1 << RANS_FREE) - 1 };
static float code_scale_of(uint32_t carried)
{
    return 0.5f + (float)carried * (1.5f / SCALE_STEPS);
}
static uint32_t carried_of(double scale)
{
    double v = (scale - 0.5) * (SCALE_STEPS / 1.5);
    return !(v > 0) ? 0 : v > SCALE_STEPS ? SCALE_STEPS : (uint32_t)lrint(v);
}

typedef struct {
    int *z; /* transform: [m]; sparse: [k_max] */
    uint32_t *index;
    float *coef, *yhat, *scratch;
    float *gram; /* malloc'ed by omp_gram; all else is the call's arena's */
} encoder;

/* The integers of y, and the y that they stand for. Returns how many symbols there are (sparse:
 * atoms). */
static uint32_t code_quantise(const code *c, encoder *e, const float *y, float *product)
{
    if (c->kind != R1_CODE_SPARSE) {
        for (uint32_t i = 0; i < c->m; i++) {
            e->z[i] = clamp_z(y[i] / c->quant, i < c->n_sketch ? Z_MAX : HALF);
            if (i >= c->n_sketch)
                e->z[i] = (int)rans_clamp(group_table(c, i), e->z[i] + HALF) - HALF;
            else { /* the tails end where their table ends */
                uint32_t symbol;
                int bin = code_bin_of(c->edge + i * (CODE_BIN - 1), e->z[i]);
                code_inside(c, i, bin, e->z[i], &symbol);
                e->z[i] = from_inside(c, i, bin, symbol);
            }
            e->yhat[i] = (float)e->z[i] * c->quant;
        }
        return c->m;
    }
    if (!c->m) return 0; /* nothing varies: the centre is all */
    uint32_t k = omp_encode(e->gram, c->n_atom, product, stop_share * c->quant, c->k_max, e->index,
                            e->coef, e->scratch),
             kept = 0;
    memset(e->yhat, 0, sizeof *e->yhat * c->m);
    for (uint32_t t = 0; t < k; t++) {
        int z = clamp_z(e->coef[t] / c->quant, SPARSE_HALF);
        if (!z) continue;
        e->z[kept] = z;
        e->index[kept++] = e->index[t];
        for (uint32_t i = 0; i < c->m; i++)
            e->yhat[i] += (float)z * c->quant * c->atom[(size_t)e->index[t] * c->m + i];
    }
    return kept;
}

/* Last symbol first. */
static void put_transform(const code *c, const encoder *e, rans_encoder *r, uint8_t *sketch)
{
    for (uint32_t i = c->m; i-- > 0;) {
        if (i >= c->n_sketch) {
            rans_put(r, group_table(c, i), (uint32_t)(e->z[i] + HALF));
            continue;
        }
        uint32_t symbol;
        int bin = code_bin_of(c->edge + i * (CODE_BIN - 1), e->z[i]);
        const rans_table *t = code_inside(c, i, bin, e->z[i], &symbol);
        rans_put(r, t, symbol);
        sketch[i] = (uint8_t)bin;
    }
}

static void put_sparse(const code *c, const encoder *e, rans_encoder *r, uint32_t k)
{
    rans_put(r, &c->table[0], GAP_END);
    for (uint32_t t = k; t-- > 0;) {
        uint32_t gap = e->index[t] - (t ? e->index[t - 1] + 1 : 0);
        rans_put(r, &c->table[2], (uint32_t)(e->z[t] + HALF));
        rans_put(r, &c->table[1], gap & ((1u << GAP_LOW) - 1));
        rans_put(r, &c->table[0], gap >> GAP_LOW);
    }
}

static void code_encode_row(const code *c, encoder *e, const float *x, const float *centre,
                            const float *y, const float *back_x, float *product, uint8_t *bytes,
                            uint32_t *len, uint8_t *sketch)
{
    uint32_t k = code_quantise(c, e, y, product);
    double xx = 0, xh = 0;
    for (uint32_t i = 0; i < c->d; i++) {
        xx += (double)x[i] * x[i];
        xh += (double)x[i] * centre[i];
    }
    for (uint32_t i = 0; i < c->m; i++) xh += (double)e->yhat[i] * back_x[i];
    uint8_t *end = bytes + code_entry_max(c);
    rans_encoder r;
    rans_begin(&r, bytes, end, carried_of(xh > 0.1 * xx ? xx / xh : 1));
    if (c->kind == R1_CODE_SPARSE)
        put_sparse(c, e, &r, k);
    else
        put_transform(c, e, &r, sketch);
    rans_finish(&r);
    *len = (uint32_t)(end - r.p);
    memmove(bytes, r.p, *len);
}

static r1_status encoder_new(encoder *e, const code *c, r1_arena *a, r1_err *err)
{
    size_t z = c->m > c->k_max ? c->m : c->k_max;
    *e = (encoder){.z = r1_arena_alloc(a, z + 1, sizeof *e->z),
                   .index = r1_arena_alloc(a, c->k_max + 1u, sizeof *e->index),
                   .coef = r1_arena_alloc(a, c->k_max + 1u, sizeof *e->coef),
                   .yhat = r1_arena_alloc(a, c->m + 1u, sizeof *e->yhat),
                   .scratch =
                       r1_arena_alloc(a, omp_scratch(c->n_atom, c->k_max) + 1, sizeof *e->scratch)};
    if (!e->z || !e->index || !e->coef || !e->yhat || !e->scratch)
        R1_FAIL(err, R1_E_NOMEM, "no memory to encode");
    return c->n_atom && c->m ? omp_gram(c->atom, c->n_atom, c->m, &e->gram, err) : R1_OK;
}

/* Of one tile of rows. */
typedef struct {
    float *r;  /* [rows][d]: residuals */
    float *y;  /* [rows][m]: on the axes */
    float *bx; /* [rows][m]: products with back */
    float *p;  /* [rows][n_atom]: products with the atoms */
} encode_tile;

static r1_status tile_new(encode_tile *t, const code *c, size_t rows, r1_arena *a, r1_err *err)
{
    *t = (encode_tile){.r = r1_arena_alloc(a, rows * c->d, sizeof *t->r),
                       .y = r1_arena_alloc(a, rows * c->m, sizeof *t->y),
                       .bx = r1_arena_alloc(a, rows * c->m, sizeof *t->bx),
                       .p = r1_arena_alloc(a, rows * c->n_atom, sizeof *t->p)};
    if (!t->r || !t->y || !t->bx || !t->p) R1_FAIL(err, R1_E_NOMEM, "no memory to encode");
    return R1_OK;
}

static r1_status tile_fill(encode_tile *t, const code *c, const float *x, const uint32_t *list,
                           size_t rows, r1_err *err)
{
    for (size_t i = 0; i < rows * c->d; i++)
        t->r[i] = x[i] - c->centre[(size_t)list[i / c->d] * c->d + i % c->d];
    if (!c->m) return R1_OK;
    R1_TRY(linalg_product(t->r, rows, c->forward, c->m, c->d, t->y, err));
    R1_TRY(linalg_product(x, rows, c->back, c->m, c->d, t->bx, err));
    return c->n_atom ? linalg_product(t->y, rows, c->atom, c->n_atom, c->m, t->p, err) : R1_OK;
}

r1_status code_encode(const code *c, const float *x, size_t n, const uint32_t *list, uint8_t *bytes,
                      uint32_t *len, uint8_t *sketch, r1_err *err)
{
    size_t d = c->d, m = c->m, stride = code_entry_max(c), tile = n < ENCODE_ROWS ? n : ENCODE_ROWS;
    encoder e = {0};
    encode_tile t;
    r1_arena *a;
    R1_TRY(r1_arena_new(&a, SIZE_MAX, err));
    r1_status st = encoder_new(&e, c, a, err);
    if (st != R1_OK || (st = tile_new(&t, c, tile, a, err)) != R1_OK) goto done;
    for (size_t at = 0; at < n; at += tile) {
        size_t rows = n - at < tile ? n - at : tile;
        if ((st = tile_fill(&t, c, x + at * d, list + at, rows, err)) != R1_OK) goto done;
        for (size_t i = 0; i < rows; i++)
            code_encode_row(c, &e, x + (at + i) * d, c->centre + (size_t)list[at + i] * d,
                            t.y + i * m, t.bx + i * m, t.p + i * c->n_atom,
                            bytes + (at + i) * stride, &len[at + i],
                            sketch ? sketch + (at + i) * c->n_sketch : NULL);
    }
done:
    free(e.gram);
    r1_arena_free(a);
    return st;
}

/* Calls each(i, z) for what the code holds: an axis and its integer, or an atom and that of its
 * coefficient. */
#define FOR_SYMBOLS(c, r, bin, I, Z, BODY)                                                         \
    if ((c)->kind == R1_CODE_SPARSE) {                                                             \
        for (uint32_t I = 0, next_ = 0, k_ = 0; k_ < (c)->k_max; k_++) {                           \
            uint32_t high_ = rans_get(&(r), &(c)->table[0]);                                       \
            if (high_ == GAP_END) break;                                                           \
            I = next_ + (high_ << GAP_LOW | rans_get(&(r), &(c)->table[1]));                       \
            int Z = (int)rans_get(&(r), &(c)->table[2]) - HALF;                                    \
            if (I >= (c)->n_atom) break;                                                           \
            next_ = I + 1;                                                                         \
            BODY                                                                                   \
        }                                                                                          \
    } else {                                                                                       \
        for (uint32_t I = 0; I < (c)->n_sketch; I++) {                                             \
            int b_ = (bin)[I] & (CODE_BIN - 1), w_ = CODE_BIN;                                     \
            const int16_t *e_ = (c)->edge + I * (CODE_BIN - 1);                                    \
            bool tail_ = b_ == 0 || b_ == CODE_BIN - 1;                                            \
            if (!tail_) w_ = e_[b_] - e_[b_ - 1];                                                  \
            int Z = from_inside(                                                                   \
                (c), I, b_, rans_get(&(r), tail_ ? tail_table((c), I) : width_table((c), w_)));    \
            BODY                                                                                   \
        }                                                                                          \
        for (uint32_t I = (c)->n_sketch; I < (c)->m; I++) {                                        \
            int Z = (int)rans_get(&(r), group_table((c), I)) - HALF;                               \
            BODY                                                                                   \
        }                                                                                          \
    }

void code_decode(const code *c, uint32_t list, const uint8_t *bytes, size_t len, const uint8_t *bin,
                 float *x)
{
    rans_decoder r;
    rans_open(&r, bytes, bytes + len);
    memcpy(x, c->centre + (size_t)list * c->d, sizeof *x * c->d);
    FOR_SYMBOLS(c, r, bin, i, z, {
        const float w = (float)z * c->quant;
        for (uint32_t a = 0; a < (c->kind == R1_CODE_SPARSE ? c->m : 1); a++) {
            const float v = c->kind == R1_CODE_SPARSE ? w * c->atom[(size_t)i * c->m + a] : w;
            const float *back = c->back + (size_t)(c->kind == R1_CODE_SPARSE ? a : i) * c->d;
            for (uint32_t k = 0; k < c->d && v != 0; k++) x[k] += v * back[k];
        }
    })
    float scale = code_scale_of(rans_carried(&r));
    for (uint32_t k = 0; k < c->d; k++) x[k] *= scale;
}

void code_query(const code *c, const float *q, float *u, float *table)
{
    const scan_kernels *k = scan_best();
    for (uint32_t i = 0; i < c->m; i++)
        u[i] = c->quant * k->dot(c->back + (size_t)i * c->d, q, c->d);
    for (uint32_t j = 0; j < c->n_atom; j++) table[j] = k->dot(c->atom + (size_t)j * c->m, u, c->m);
}

float code_score(const code *c, const float *u, const float *table, float centre_dot,
                 const uint8_t *bytes, size_t len, const uint8_t *bin)
{
    int16_t whole[CODE_DIM_MAX];
    rans_decoder r;
    rans_open(&r, bytes, bytes + len);
    float s = 0;
    FOR_SYMBOLS(c, r, bin, i, z, {
        if (c->kind == R1_CODE_SPARSE)
            s += (float)z * table[i];
        else
            whole[i] = (int16_t)z;
    })
    if (c->kind != R1_CODE_SPARSE) s = scan_best()->dot16(whole, u, c->m);
    return (centre_dot + s) * code_scale_of(rans_carried(&r));
}

size_t code_padded(const code *c) { return 2 * (size_t)c->m + 8; }

/* Where a table lies among the words that begin with the first one's. */
static uint32_t table_at(const code *c, const rans_table *t)
{
    _Static_assert(sizeof(rans_table) % sizeof(uint32_t) == 0, "tables are whole words apart");
    return (uint32_t)(t - c->table) * (uint32_t)(sizeof *t / sizeof(uint32_t));
}

/* One bin of a sketch axis: whose table codes what lies inside it, and how a symbol becomes a
 * step. */
typedef struct {
    uint32_t table;
    int base, sign;
} bin_rule;

static void rules_of(const code *c, uint32_t axis, bin_rule *rule)
{
    const int16_t *edge = c->edge + axis * (CODE_BIN - 1);
    for (int b = 0; b < CODE_BIN; b++) {
        bool tail = b == 0 || b == CODE_BIN - 1;
        const rans_table *t = tail ? tail_table(c, axis) : width_table(c, edge[b] - edge[b - 1]);
        rule[b] = (bin_rule){table_at(c, t), b ? edge[b - 1] : edge[0] - 1, b ? 1 : -1};
    }
}

typedef struct {
    uint32_t x[CODE_LANES], at[CODE_LANES]; /* states, places in codes */
    const uint8_t *codes;
} lanes;

/* bin: of the lanes, at this axis. */
static void sketch_symbols(const code *c, uint32_t axis, const uint8_t *bin, lanes *l,
                           int16_t *symbol)
{
    bin_rule rule[CODE_BIN];
    uint32_t table[CODE_LANES];
    rules_of(c, axis, rule);
    for (size_t j = 0; j < CODE_LANES; j++) table[j] = rule[bin[j] & (CODE_BIN - 1)].table;
    scan_best()->symbols(c->table->slot, table, l->x, l->at, l->codes, symbol);
    for (size_t j = 0; j < CODE_LANES; j++) {
        const bin_rule *b = &rule[bin[j] & (CODE_BIN - 1)];
        symbol[j] = (int16_t)(b->base + b->sign * symbol[j]);
    }
}

void code_integers(const code *c, size_t n, const uint8_t *codes, const uint8_t *bin, int16_t *z,
                   float *scale)
{
    enum { AXES = 8 }; /* decoded side by side, then turned: a row's integers lie together */
    static const uint32_t first[CODE_LANES];
    const scan_kernels *k = scan_best();
    lanes l = {.codes = codes};
    uint32_t m = c->m;
    int16_t symbol[AXES * CODE_LANES], rest[CODE_LANES * AXES];
    for (size_t j = 0; j < n; j++) {
        const uint8_t *p = codes + j * code_padded(c);
        l.x[j] = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        l.at[j] = (uint32_t)(p + 3 - codes);
    }
    for (uint32_t i = 0; i < m;) {
        bool sketch = i < c->n_sketch;
        uint32_t end = sketch ? c->n_sketch : m, axes = end - i < AXES ? end - i : AXES;
        for (uint32_t a = 0; a < axes; a++) {
            if (sketch)
                sketch_symbols(c, i + a, bin + (i + a) * CODE_LANES, &l, symbol + a * CODE_LANES);
            else
                k->symbols(group_table(c, i + a)->slot, first, l.x, l.at, codes,
                           symbol + a * CODE_LANES);
        }
        k->turn(symbol, sketch ? 0 : HALF, axes == AXES ? z + i : rest, axes == AXES ? m : AXES, n);
        for (size_t j = 0; j < n && axes < AXES; j++)
            memcpy(z + j * m + i, rest + j * AXES, axes * sizeof *z);
        i += axes;
    }
    for (size_t j = 0; j < n; j++)
        scale[j] = code_scale_of(l.x[j] >> (15 - RANS_FREE) & ((1u << RANS_FREE) - 1));
}

/* ---- as bytes ---- */

/* Eight numbers, then the arrays, then the tables' frequencies (but for the even ones of the
 * widths). */

typedef struct {
    uint32_t kind, d, n_list, m, n_sketch, n_atom, k_max;
    float quant;
} packed_head;

static size_t arrays_bytes(const packed_head *h)
{
    return sizeof(float) * ((size_t)h->n_list * h->d + 2 * (size_t)h->m * h->d +
                            (size_t)h->n_atom * h->m + (size_t)h->n_sketch * CODE_BIN) +
           sizeof(int16_t) * h->n_sketch * (CODE_BIN - 1) + h->m +
           sizeof(uint16_t) * RANS_SYMBOLS * (CODE_TABLES - CODE_WIDTHS);
}

static packed_head code_head_of(const code *c)
{
    return (packed_head){c->kind,     c->d,      c->n_list, c->m,
                         c->n_sketch, c->n_atom, c->k_max,  c->quant};
}

size_t code_packed_bytes(const code *c)
{
    packed_head h = code_head_of(c);
    return sizeof h + arrays_bytes(&h);
}

size_t code_bytes(const code *c) { return sizeof *c + code_packed_bytes(c); }

/* Moves each array in the order of the file; to: copy out, else copy in. */
static void arrays_move(code *c, uint8_t *p, bool out)
{
    struct {
        void *data;
        size_t bytes;
    } part[7 + CODE_TABLES - CODE_WIDTHS] = {
        {c->centre, sizeof(float) * c->n_list * c->d},
        {c->forward, sizeof(float) * c->m * c->d},
        {c->back, sizeof(float) * c->m * c->d},
        {c->atom, sizeof(float) * c->n_atom * c->m},
        {c->bin, sizeof(float) * c->n_sketch * CODE_BIN},
        {c->edge, sizeof(int16_t) * c->n_sketch * (CODE_BIN - 1)},
        {c->group, c->m}};
    for (size_t t = 0; t < CODE_TABLES - CODE_WIDTHS; t++) {
        rans_table *table = &c->table[t < CODE_GROUPS ? t : t + CODE_WIDTHS];
        part[7 + t].data = table->freq;
        part[7 + t].bytes = sizeof table->freq;
    }
    for (size_t i = 0; i < R1_COUNT(part); p += part[i].bytes, i++) {
        if (out)
            memcpy(p, part[i].data, part[i].bytes);
        else
            memcpy(part[i].data, p, part[i].bytes);
    }
}

void code_pack(const code *c, uint8_t *out)
{
    packed_head h = code_head_of(c);
    code copy = *c; /* shares the arrays; nothing of it is written */
    memcpy(out, &h, sizeof h);
    arrays_move(&copy, out + sizeof h, true);
}

/* Everything that decoding relies on. */
static bool code_sound(code *c)
{
    for (uint32_t i = 0; i < c->m; i++)
        if (c->group[i] >= (i < c->n_sketch ? CODE_TAILS : CODE_GROUPS)) return false;
    for (uint32_t i = 0; i < c->n_sketch; i++)
        for (int b = 1; b < CODE_BIN - 1; b++) {
            int w = c->edge[i * (CODE_BIN - 1) + (uint32_t)b] -
                    c->edge[i * (CODE_BIN - 1) + (uint32_t)b - 1];
            if (w < 1 || w > CODE_WIDTHS) return false;
        }
    bool sparse = c->kind == R1_CODE_SPARSE;
    for (int t = 0; t < (sparse ? 3 : CODE_TABLES); t++)
        if (!rans_table_link(&c->table[t])) return false;
    return true;
}

r1_status code_unpack(code **out, const uint8_t *p, size_t len, r1_err *err)
{
    packed_head h;
    if (len < sizeof h)
        R1_FAIL(err, R1_E_FORMAT, "code: expected at least %zu bytes, found %zu", sizeof h, len);
    memcpy(&h, p, sizeof h);
    bool sparse = h.kind == R1_CODE_SPARSE;
    if ((h.kind != R1_CODE_TRANSFORM && !sparse) || h.d < 1 || h.d > CODE_DIM_MAX || h.n_list < 1 ||
        h.n_list > CODE_LIST_MAX || h.m > h.d || h.n_sketch > CODE_SKETCH_MAX || h.n_sketch > h.m ||
        h.n_sketch % 4 || h.n_atom > CODE_ATOM_MAX || h.k_max > 65536 ||
        (sparse && (h.n_sketch || !h.n_atom)) || (!sparse && h.n_atom) || !(h.quant > 0) ||
        h.quant - h.quant != 0)
        R1_FAIL(err, R1_E_FORMAT,
                "code: its sizes are out of range (kind %u, %u columns, %u lists, %u axes)", h.kind,
                h.d, h.n_list, h.m);
    if (arrays_bytes(&h) != len - sizeof h)
        R1_FAIL(err, R1_E_FORMAT, "code: expected %zu bytes, found %zu",
                arrays_bytes(&h) + sizeof h, len);
    code *c = calloc(1, sizeof *c);
    if (!c) R1_FAIL(err, R1_E_NOMEM, "no memory for a code");
    *c = (code){.kind = h.kind,
                .d = h.d,
                .n_list = h.n_list,
                .m = h.m,
                .n_sketch = h.n_sketch,
                .n_atom = h.n_atom,
                .k_max = h.k_max,
                .quant = h.quant};
    if (!code_alloc(c)) {
        code_free(c);
        R1_FAIL(err, R1_E_NOMEM, "no memory for a code of %zu bytes", len);
    }
    uint8_t *bytes =
        malloc(len); /* arrays_move writes through a plain pointer in the other direction */
    if (bytes) {
        memcpy(bytes, p, len);
        arrays_move(c, bytes + sizeof h, false);
    }
    bool good = bytes && code_sound(c);
    free(bytes);
    if (!good) {
        code_free(c);
        R1_FAIL(err, R1_E_FORMAT, "code: its tables do not fit together");
    }
    *out = c;
    return R1_OK;
}
