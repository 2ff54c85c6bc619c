/* SPDX-License-Identifier: Apache-2.0 */
/* bench_memory.c - r1-bench memory: long-term memory beside flat search and beside other codes
 * of the same size, on vectors from files: DIR holds one *_base.f16 and one *_queries.f16, rows
 * of little-endian half floats.
 *
 * More entries than the base has are made by jitter: copies with a Gaussian offset of the given
 * length, brought back to the original's length. Truth is exact f32 search; recall@10 counts
 * entries, not scores. Rates are per processor second of one thread; build_s too, and
 * build_wall_s beside it. Run with OMP_NUM_THREADS=1.
 *
 * --mixture N makes the vectors instead: N centres, crowds of unequal size around them, variance
 * falling along the axes. --needle streams entries through instant, working and long-term memory
 * and asks for single ones again. */
#include "bench/bench.h"
#include "bench/bench_needle.h"
#include "bench/rivals.h"
#include "vectors/r1_vectors.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { K = 10, FLAT_QUERIES = 40, BATCH = 64 };

static const r1_option options[] = {
    {.name = "vectors",
     .type = R1_OPT_PATH,
     .help = "folder with one *_base.f16 and one *_queries.f16"},
    {.name = "columns",
     .type = R1_OPT_INT,
     .def = "384",
     .min = 1,
     .max = 8192,
     .help = "width of a vector"},
    {.name = "entries",
     .type = R1_OPT_INT,
     .def = "0",
     .min = 0,
     .max = 16777216,
     .help = "0: as many as the base has; more: jittered"},
    {.name = "jitter",
     .type = R1_OPT_FLOAT,
     .def = "0.3",
     .min = 0,
     .max = 10,
     .help = "length of the offset of copies"},
    {.name = "queries",
     .type = R1_OPT_INT,
     .def = "1000",
     .min = 1,
     .max = 100000,
     .help = "at most this many"},
    {.name = "ratio",
     .type = R1_OPT_FLOAT,
     .def = "15",
     .min = 2,
     .max = 64,
     .help = "f32 bytes over code bytes"},
    {.name = "code",
     .type = R1_OPT_ENUM,
     .def = "transform",
     .choices = "transform|sparse",
     .help = "how vectors are coded"},
    {.name = "values",
     .type = R1_OPT_BOOL,
     .def = "true",
     .help = "entries carry a second vector (their own key), coded too"},
    {.name = "lists",
     .type = R1_OPT_INT,
     .def = "0",
     .min = 0,
     .max = 65536,
     .help = "of the coarse index; 0: by size"},
    {.name = "atoms",
     .type = R1_OPT_INT,
     .def = "4000",
     .min = 16,
     .max = 4032,
     .help = "of --code sparse"},
    {.name = "probe",
     .type = R1_OPT_INT,
     .def = "0",
     .min = 0,
     .max = 65536,
     .help = "lists looked into; 0: a quarter, all up to 262,144 entries"},
    {.name = "sketch",
     .type = R1_OPT_INT,
     .def = "0",
     .min = 0,
     .max = 1000000,
     .help = "candidates that leave the sketch; 0: 2,000"},
    {.name = "rerank",
     .type = R1_OPT_INT,
     .def = "0",
     .min = 0,
     .max = 100000,
     .help = "compared by full keys; 0: 100"},
    {.name = "mixture",
     .type = R1_OPT_INT,
     .def = "0",
     .min = 0,
     .max = 100000,
     .help = "instead of --vectors: rows around this many centres"},
    {.name = "needle",
     .type = R1_OPT_STRING,
     .help = "retrieval through the tiers after so many tokens instead, e.g. "
             "1000,10000,100000,1000000"},
    {.name = "curve",
     .type = R1_OPT_BOOL,
     .def = "false",
     .help = "recall from codes at 4:1 to 32:1, ours and every rival's"},
    {.name = "points",
     .type = R1_OPT_STRING,
     .def = "4,8,12,15,20,24,32",
     .help = "the curve's ratios, in this order"},
    {.name = "sparse-points",
     .type = R1_OPT_BOOL,
     .def = "true",
     .help = "sparse codes too, from 15:1 (minutes each)"},
    {.name = "dir",
     .type = R1_OPT_PATH,
     .def = "/tmp",
     .help = "where the memory's file goes while it is measured"},
    {.name = "seed",
     .type = R1_OPT_INT,
     .def = "1",
     .min = 0,
     .max = 1e9,
     .help = "of jitter and training"},
    {.name = "json", .type = R1_OPT_BOOL, .def = "false", .help = "print one JSON object"},
};

typedef struct {
    float *base, *query;
    size_t n, nq;
    uint32_t d;
    uint64_t *truth; /* [nq][K] row numbers */
    double flat_qps, flat_batch_qps;
} bench;

/* Processor time of this process, which runs one thread: other work on the machine does not
 * count. */
static int64_t cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- data ---- */

static r1_status find_file(const char *dir, const char *end, char *path, size_t cap, r1_err *err)
{
    DIR *d = opendir(dir);
    if (!d) R1_FAIL(err, R1_E_NOT_FOUND, "%s: cannot be opened as a folder", dir);
    struct dirent *e;
    bool found = false;
    while (!found && (e = readdir(d))) {
        size_t n = strlen(e->d_name), k = strlen(end);
        found = n >= k && strcmp(e->d_name + n - k, end) == 0;
        if (found) snprintf(path, cap, "%s/%s", dir, e->d_name);
    }
    closedir(d);
    if (!found) R1_FAIL(err, R1_E_NOT_FOUND, "%s: no file *%s", dir, end);
    return R1_OK;
}

/* rows[at_least] where that is more than the file has; the rest is left for the caller. */
static r1_status bench_memory_load(const char *dir, const char *end, uint32_t d, size_t at_least,
                                   float **out, size_t *n, r1_err *err)
{
    char path[4096], *data;
    size_t len;
    R1_TRY(find_file(dir, end, path, sizeof path, err));
    R1_TRY(r1_file_read(path, (size_t)4 << 30, &data, &len, err));
    *n = len / 2 / d;
    if (*n < 16 || len % (2 * (size_t)d)) {
        free(data);
        R1_FAIL(err, R1_E_FORMAT,
                "%s: expected whole rows of %u half floats, 16 or more; found %zu bytes", path, d,
                len);
    }
    *out = malloc(sizeof **out * d * (*n > at_least ? *n : at_least));
    for (size_t i = 0; *out && i < *n * d; i++) {
        uint16_t h;
        memcpy(&h, data + 2 * i, 2);
        (*out)[i] = r1_half_value(h);
        if ((*out)[i] - (*out)[i] != 0) {
            free(data);
            R1_FAIL(err, R1_E_FORMAT, "%s: row %zu, column %zu is not a finite number", path, i / d,
                    i % d);
        }
    }
    free(data);
    if (!*out) R1_FAIL(err, R1_E_NOMEM, "no memory for the vectors of %s", path);
    return R1_OK;
}

/* Rows around n_centre centres: crowd c is drawn c + 1 times less often than the first, axis k
 * has deviation 1 / (1 + k / 16) */
static r1_status bench_memory_mixture(bench *b, size_t n_centre, size_t n, size_t nq, uint64_t seed,
                                      r1_err *err)
{
    r1_rng rng;
    uint32_t d = b->d;
    float *centre = malloc(sizeof *centre * n_centre * d);
    double *share = malloc(sizeof *share * n_centre), total = 0;
    b->base = malloc(sizeof *b->base * n * d);
    b->query = malloc(sizeof *b->query * nq * d);
    bool good = centre && share && b->base && b->query;
    r1_rng_seed(&rng, seed);
    for (size_t c = 0; good && c < n_centre; c++) {
        for (uint32_t k = 0; k < d; k++)
            centre[c * d + k] = (float)(r1_rng_normal(&rng) / (1 + k / 16.0));
        share[c] = total += 1 / (double)(c + 1);
    }
    for (size_t i = 0; good && i < n + nq; i++) {
        float *x = i < n ? b->base + i * d : b->query + (i - n) * d;
        double u = r1_rng_unit(&rng) * total, s = 0;
        size_t low = 0, high = n_centre - 1;
        while (low < high) {
            size_t mid = (low + high) / 2;
            if (share[mid] < u)
                low = mid + 1;
            else
                high = mid;
        }
        for (uint32_t k = 0; k < d; k++) {
            x[k] = centre[low * d + k] + (float)(r1_rng_normal(&rng) * 0.7 / (1 + k / 16.0));
            s += (double)x[k] * x[k];
        }
        for (uint32_t k = 0; k < d; k++) x[k] = (float)(x[k] / sqrt(s + 1e-30));
    }
    free(centre);
    free(share);
    b->nq = nq;
    return good ? R1_OK
                : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for %zu rows", n);
}

static float bench_memory_length(const float *x, uint32_t d)
{
    double s = 0;
    for (uint32_t k = 0; k < d; k++) s += (double)x[k] * x[k];
    return (float)sqrt(s);
}

static void bench_memory_jitter(bench *b, size_t base, double by, uint64_t seed)
{
    r1_rng rng;
    r1_rng_seed(&rng, seed);
    for (size_t i = base; i < b->n; i++) {
        const float *from = b->base + i % base * b->d;
        float *to = b->base + i * b->d;
        for (uint32_t k = 0; k < b->d; k++)
            to[k] = from[k] + (float)(r1_rng_normal(&rng) * by / sqrt(b->d));
        float f = bench_memory_length(from, b->d) / (bench_memory_length(to, b->d) + 1e-30f);
        for (uint32_t k = 0; k < b->d; k++) to[k] *= f;
    }
}

/* ---- flat search ---- */

static void best_of(const float *score, size_t n, uint64_t *out)
{
    size_t used = 0;
    float s[K];
    for (size_t i = 0; i < n; i++) {
        if (used == K && !(score[i] > s[K - 1])) continue;
        size_t at = used < K ? used++ : K - 1;
        for (; at > 0 && score[i] > s[at - 1]; at--) {
            s[at] = s[at - 1];
            out[at] = out[at - 1];
        }
        s[at] = score[i];
        out[at] = i;
    }
}

static r1_status bench_memory_flat(bench *b, r1_err *err)
{
    const rival_blas *blas = rival_blas_open();
    float *score = malloc(sizeof *score * b->n * BATCH);
    uint64_t ignored[K];
    if (!score) R1_FAIL(err, R1_E_NOMEM, "no memory for %zu scores", b->n * BATCH);
    size_t n = b->nq < FLAT_QUERIES ? b->nq : FLAT_QUERIES;
    blas->gemv(b->base, b->n, b->d, b->query, score);
    int64_t t = cpu_us();
    for (size_t i = 0; i < n; i++) {
        blas->gemv(b->base, b->n, b->d, b->query + i * b->d, score);
        best_of(score, b->n, ignored);
    }
    b->flat_qps = (double)n * 1e6 / (double)(cpu_us() - t + 1);
    t = cpu_us();
    for (size_t at = 0; at < b->nq; at += BATCH) {
        size_t rows = b->nq - at < BATCH ? b->nq - at : BATCH;
        blas->gemm_nt(b->query + at * b->d, b->base, rows, b->n, b->d, score);
        for (size_t i = 0; i < rows; i++) best_of(score + i * b->n, b->n, b->truth + (at + i) * K);
    }
    b->flat_batch_qps = (double)b->nq * 1e6 / (double)(cpu_us() - t + 1);
    free(score);
    return R1_OK;
}

static size_t in_truth(const bench *b, size_t query, uint64_t row)
{
    for (int k = 0; k < K; k++)
        if (b->truth[query * K + (size_t)k] == row) return 1;
    return 0;
}

/* ---- ours ---- */

static r1_status bench_memory_fill(const bench *b, const r1_longterm_opts *o, r1_longterm **out,
                                   double *seconds, r1_err *err)
{
    int64_t t = cpu_us();
    r1_longterm *lt;
    R1_TRY(r1_longterm_new_with(&lt, o, err));
    r1_status st = r1_longterm_begin(lt, err);
    for (size_t i = 0; i < b->n && st == R1_OK; i++) {
        const float *x = b->base + i * b->d;
        st = r1_longterm_insert(
            lt, &(r1_longterm_entry){.key = x, .vector = o->d_vector ? x : NULL, .entity = i}, NULL,
            err);
    }
    if (st == R1_OK) st = r1_longterm_commit(lt, err);
    if (st == R1_OK) st = r1_longterm_consolidate(lt, true, err);
    *seconds = (double)(cpu_us() - t) / 1e6;
    if (st != R1_OK) {
        r1_longterm_free(lt);
        return st;
    }
    *out = lt;
    return R1_OK;
}

static r1_status recall_of(const bench *b, const r1_longterm_view *v, const r1_longterm_query *how,
                           double *recall, double *qps, r1_err *err)
{
    size_t right = 0, n = 0;
    r1_longterm_hit hit[K];
    int64_t t = cpu_us();
    for (size_t i = 0; i < b->nq; i++) {
        R1_TRY(r1_longterm_view_search(v, b->query + i * b->d, how, hit, &n, err));
        for (size_t k = 0; k < n; k++) right += in_truth(b, i, hit[k].id - 1);
    }
    *qps = (double)b->nq * 1e6 / (double)(cpu_us() - t + 1);
    *recall = (double)right / (double)(b->nq * K);
    return R1_OK;
}

/* Queries in batches of BATCH: their rate. */
static r1_status batch_rate(const bench *b, const r1_longterm_view *v, const r1_longterm_query *how,
                            double *qps, r1_err *err)
{
    r1_longterm_hit hit[BATCH * K];
    size_t n_hit[BATCH];
    int64_t t = cpu_us();
    for (size_t i = 0; i < b->nq; i += BATCH)
        R1_TRY(r1_longterm_view_search_many(
            v, b->query + i * b->d, b->nq - i < BATCH ? b->nq - i : BATCH, how, hit, n_hit, err));
    *qps = (double)b->nq * 1e6 / (double)(cpu_us() - t + 1);
    return R1_OK;
}

/* Squared error of decoded second vectors over their energy, on a sample. */
static r1_status vector_error(const bench *b, const r1_longterm_view *v, double *out, r1_err *err)
{
    double e = 0, s = 0;
    float *x = malloc(sizeof *x * b->d);
    r1_status st =
        x ? R1_OK : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for a vector");
    for (size_t i = 0; i < b->n && st == R1_OK; i += b->n / 1000 + 1) {
        st = r1_longterm_view_vector(v, i + 1, true, x, err);
        for (uint32_t k = 0; k < b->d && st == R1_OK; k++) {
            double diff = x[k] - b->base[i * b->d + k];
            e += diff * diff;
            s += (double)b->base[i * b->d + k] * b->base[i * b->d + k];
        }
    }
    free(x);
    *out = e / s;
    return st;
}

/* Resident megabytes of this process; file pages count once they are touched. */
static double resident_mb(void)
{
    long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f) return NAN;
    if (fscanf(f, "%ld %ld", &pages, &resident) != 2) resident = 0;
    fclose(f);
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

static r1_status bench_memory_measure(const bench *b, r1_longterm *lt, const r1_longterm_query *how,
                                      double before_mb, r1_figures *f, r1_err *err)
{
    r1_longterm_view *v = r1_longterm_view_open(lt);
    r1_longterm_stats s;
    double recall = 0, codes = 0, qps = 0, codes_qps = 0, error = 0, full = 0, batch = 0;
    r1_longterm_view_stats(v, &s);
    r1_longterm_query alone = *how, wide = *how;
    alone.codes_only = true;
    alone.n_probe = wide.n_probe = UINT32_MAX;
    r1_status st = recall_of(b, v, how, &recall, &qps, err);
    double rss = resident_mb();
    if (st == R1_OK)
        st = recall_of(b, v, how, &recall, &qps,
                       err); /* again, now that the file's pages are in memory */
    if (st == R1_OK) st = batch_rate(b, v, how, &batch, err);
    if (st == R1_OK) st = recall_of(b, v, &alone, &codes, &codes_qps, err);
    if (st == R1_OK) st = recall_of(b, v, &wide, &full, &codes_qps, err);
    if (st == R1_OK && s.vector_code_bytes) st = vector_error(b, v, &error, err);
    double n = (double)s.n_entry, raw = n * b->d * 4;
    bool values = s.vector_code_bytes > 0;
    r1_figures_add(f, "entries", n);
    r1_figures_add(f, "ratio",
                   raw * (values ? 2 : 1) / (double)(s.code_bytes + s.vector_code_bytes));
    r1_figures_add(f, "key_bytes", (double)s.code_bytes / n);
    if (values) r1_figures_add(f, "value_bytes", (double)s.vector_code_bytes / n);
    r1_figures_add(f, "meta_bytes", (double)s.meta_bytes / n);
    r1_figures_add(f, "recall10", recall);
    r1_figures_add(f, "recall10_codes", codes);
    r1_figures_add(f, "recall10_all_lists", full);
    if (values) r1_figures_add(f, "value_error", error);
    r1_figures_add(f, "qps", qps);
    r1_figures_add(f, "qps_all_lists", codes_qps);
    r1_figures_add(f, "flat_qps", b->flat_qps);
    r1_figures_add(f, "over_flat", qps / b->flat_qps);
    r1_figures_add(f, "flat_batch_qps", b->flat_batch_qps);
    r1_figures_add(f, "batch_qps", batch);
    r1_figures_add(f, "over_flat_batch", batch / b->flat_batch_qps);
    r1_figures_add(f, "resident_mb", (double)(s.code_bytes + s.index_bytes) / 1e6);
    r1_figures_add(f, "index_mb", (double)s.index_bytes / 1e6);
    r1_figures_add(f, "grown_mb", rss - before_mb);
    r1_longterm_view_close(v);
    return st;
}

/* Built in memory, saved, closed, opened again: what is measured is the mapped file. */
static r1_status through_file(const bench *b, const r1_longterm_opts *o,
                              const r1_longterm_query *how, const char *dir, r1_figures *f,
                              r1_err *err)
{
    char path[4096];
    r1_longterm *lt;
    double build = 0;
    snprintf(path, sizeof path, "%s/r1_bench_memory.%ld", dir, (long)getpid());
    int64_t wall = r1_mono_us();
    R1_TRY(bench_memory_fill(b, o, &lt, &build, err));
    int64_t t = cpu_us();
    r1_status st = r1_longterm_save(lt, path, err);
    double save = (double)(cpu_us() - t) / 1e6, walls = (double)(r1_mono_us() - wall) / 1e6;
    r1_longterm_free(lt);
    double before_mb = resident_mb();
    t = cpu_us();
    if (st == R1_OK) st = r1_longterm_open_read(&lt, path, b->n, err);
    double opening = (double)(cpu_us() - t) / 1e6;
    if (st == R1_OK) {
        st = bench_memory_measure(b, lt, how, before_mb, f, err);
        r1_longterm_free(lt);
    }
    unlink(path);
    r1_figures_add(f, "build_s", build + save);
    r1_figures_add(f, "build_wall_s", walls);
    r1_figures_add(f, "open_s", opening);
    return st;
}

/* ---- the curve ---- */

static double rival_recall(const bench *b, const float *decoded, float *score)
{
    const rival_blas *blas = rival_blas_open();
    uint64_t found[K];
    size_t right = 0;
    for (size_t at = 0; at < b->nq; at += BATCH) {
        size_t n = b->nq - at < BATCH ? b->nq - at : BATCH;
        blas->gemm_nt(b->query + at * b->d, decoded, n, b->n, b->d, score);
        for (size_t i = 0; i < n; i++) {
            best_of(score + i * b->n, b->n, found);
            for (int k = 0; k < K; k++) right += in_truth(b, at + i, found[k]);
        }
    }
    return (double)right / (double)(b->nq * K);
}

/* What a point adds: the figure, and its share of the progress line. */
static void note_point(r1_figures *f, char *note, size_t cap, int ratio, const char *name,
                       double recall)
{
    char figure[64];
    size_t used = strlen(note);
    snprintf(figure, sizeof figure, "codes_%d_%s", ratio, name);
    r1_figures_add(f, figure, recall);
    snprintf(note + used, cap - used, " %s %.4f", name, recall);
}

static r1_status point_of_ours(const bench *b, r1_longterm_opts o, r1_code_kind kind, int ratio,
                               char *note, size_t cap, r1_figures *f, r1_err *err)
{
    const char *name = kind == R1_CODE_SPARSE ? "sparse" : "transform";
    char figure[64];
    r1_longterm *lt;
    double seconds, recall = 0, qps;
    r1_longterm_stats s;
    o.code = kind;
    o.d_vector = 0;
    o.key_bytes = (float)(b->d * 4 / (uint32_t)ratio);
    R1_TRY(bench_memory_fill(b, &o, &lt, &seconds, err));
    r1_longterm_view *v = r1_longterm_view_open(lt);
    r1_longterm_query how = {.k = K, .codes_only = true, .n_probe = UINT32_MAX};
    r1_status st = recall_of(b, v, &how, &recall, &qps, err);
    r1_longterm_view_stats(v, &s);
    r1_longterm_view_close(v);
    r1_longterm_free(lt);
    note_point(f, note, cap, ratio, name, recall);
    snprintf(figure, sizeof figure, "bytes_%d_%s", ratio, name);
    r1_figures_add(f, figure, (double)s.code_bytes / (double)s.n_entry);
    snprintf(figure, sizeof figure, "build_s_%d_%s", ratio, name);
    r1_figures_add(f, figure, seconds);
    return st;
}

/* All methods at one ratio. */
static r1_status bench_memory_point(const bench *b, const r1_longterm_opts *o, int ratio,
                                    bool sparse, float *decoded, float *score, char *note,
                                    size_t cap, r1_figures *f, r1_err *err)
{
    size_t bytes = (size_t)b->d * 4 / (size_t)ratio, used;
    snprintf(note, cap, "%d:1", ratio);
    R1_TRY(point_of_ours(b, *o, R1_CODE_TRANSFORM, ratio, note, cap, f, err));
    for (int k = 0; k < RIVAL_COUNT; k++) {
        R1_TRY(rival_code((rival_kind)k, b->base, b->n, b->d, bytes, o->seed, decoded, &used, err));
        note_point(f, note, cap, ratio, rival_name((rival_kind)k), rival_recall(b, decoded, score));
    }
    /* richer sparse codes take minutes to find */
    return sparse && ratio >= 15 ? point_of_ours(b, *o, R1_CODE_SPARSE, ratio, note, cap, f, err)
                                 : R1_OK;
}

static r1_status bench_memory_curve(const bench *b, const r1_longterm_opts *o, const char *points,
                                    bool sparse, r1_figures *f, r1_err *err)
{
    float *decoded = malloc(sizeof *decoded * b->n * b->d),
          *score = malloc(sizeof *score * b->n * BATCH);
    r1_status st = decoded && score ? R1_OK
                                    : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__,
                                                 "no memory for the rivals");
    r1_progress p;
    uint64_t done = 0, total = 1;
    for (const char *c = points; *c; c++) total += *c == ',';
    r1_progress_begin(&p, "curve", total);
    for (char *end; st == R1_OK && *points && !r1_cli_stopped(); points = *end ? end + 1 : end) {
        char note[256];
        long ratio = strtol(points, &end, 10);
        if (ratio < 2 || ratio > 64 || (*end && *end != ','))
            st = r1_err_set(err, R1_E_INVAL, __FILE__, __LINE__,
                            "--points: expected ratios from 2 to 64 and commas, found %.40s",
                            points);
        if (st == R1_OK)
            st = bench_memory_point(b, o, (int)ratio, sparse, decoded, score, note, sizeof note, f,
                                    err);
        if (st == R1_OK) r1_progress_update(&p, ++done, note);
    }
    r1_progress_end(&p, done, "");
    free(decoded);
    free(score);
    return st;
}

/* ---- the command ---- */

static r1_status bench_memory_prepare(bench *b, const r1_options *o, r1_err *err)
{
    size_t want = (size_t)r1_options_int(o, "entries"), most = (size_t)r1_options_int(o, "queries"),
           base;
    const char *dir = r1_options_str(o, "vectors");
    size_t centres = (size_t)r1_options_int(o, "mixture");
    if (!dir && !centres) R1_FAIL(err, R1_E_INVAL, "memory needs --vectors DIR or --mixture N");
    b->d = (uint32_t)r1_options_int(o, "columns");
    if (centres) {
        base = want ? want : 100000;
        R1_TRY(
            bench_memory_mixture(b, centres, base, most, (uint64_t)r1_options_int(o, "seed"), err));
    } else {
        R1_TRY(bench_memory_load(dir, "_base.f16", b->d, want, &b->base, &base, err));
        R1_TRY(bench_memory_load(dir, "_queries.f16", b->d, 0, &b->query, &b->nq, err));
    }
    b->n = want ? want : base;
    if (b->nq > most) b->nq = most;
    if (r1_options_has(o, "needle")) {
        b->n = base;
        return R1_OK;
    }
    if (b->n > base)
        bench_memory_jitter(b, base, r1_options_float(o, "jitter"),
                            (uint64_t)r1_options_int(o, "seed"));
    b->truth = malloc(sizeof *b->truth * b->nq * K);
    if (!b->truth) R1_FAIL(err, R1_E_NOMEM, "no memory for the truth");
    return bench_memory_flat(b, err);
}

static r1_status bench_memory_run(r1_cli_call *call, bench *b, r1_figures *f)
{
    const r1_options *o = call->opts;
    R1_TRY(bench_memory_prepare(b, o, &call->err));
    if (r1_options_has(o, "needle")) {
        needle_stream s = {b->base,
                           b->query,
                           b->n,
                           b->nq,
                           b->d,
                           r1_options_float(o, "jitter"),
                           (uint64_t)r1_options_int(o, "seed")};
        return bench_needle(&s, r1_options_str(o, "needle"), f, &call->err);
    }
    float bytes = (float)(b->d * 4 / r1_options_float(o, "ratio"));
    bool sparse = strcmp(r1_options_str(o, "code"), "sparse") == 0;
    r1_longterm_opts opts = {.d_key = b->d,
                             .d_vector = r1_options_bool(o, "values") ? b->d : 0,
                             .n_entry_max = b->n,
                             .code = sparse ? R1_CODE_SPARSE : R1_CODE_TRANSFORM,
                             .key_bytes = bytes,
                             .vector_bytes = bytes,
                             .n_list = (uint32_t)r1_options_int(o, "lists"),
                             .n_atom = (uint32_t)r1_options_int(o, "atoms"),
                             .seed = (uint64_t)r1_options_int(o, "seed")};
    r1_longterm_query how = {.k = K,
                             .n_probe = (uint32_t)r1_options_int(o, "probe"),
                             .n_sketch = (uint32_t)r1_options_int(o, "sketch"),
                             .n_rerank = (uint32_t)r1_options_int(o, "rerank")};
    R1_TRY(through_file(b, &opts, &how, r1_options_str(o, "dir"), f, &call->err));
    if (!r1_options_bool(o, "curve")) return R1_OK;
    return bench_memory_curve(b, &opts, r1_options_str(o, "points"),
                              r1_options_bool(o, "sparse-points"), f, &call->err);
}

static int bench_memory(r1_cli_call *call)
{
    bench b = {0};
    char peer[400];
    r1_figures *f = r1_figures_new("r1-bench memory");
    if (!f) return R1_EXIT_FAILED;
    snprintf(peer, sizeof peer, "flat f32 search, one thread, %s", rival_blas_open()->name);
    r1_figures_note(f, "peer", peer);
    r1_figures_note(f, "data",
                    r1_options_has(call->opts, "vectors") ? r1_options_str(call->opts, "vectors")
                                                          : "");
    r1_status st = bench_memory_run(call, &b, f);
    if (st == R1_OK) r1_figures_print(f, r1_options_bool(call->opts, "json"), stdout);
    r1_figures_free(f);
    free(b.base);
    free(b.query);
    free(b.truth);
    return r1_cli_exit(st);
}

const r1_command bench_memory_commands[] = {
    {.name = "memory",
     .summary = "long-term memory beside flat search and beside other codes of the same size, on "
                "vectors from files",
     .examples = "r1-bench memory --vectors DIR\nr1-bench memory --vectors DIR --entries 1048576 "
                 "--no-values --queries "
                 "200 --json\n"
                 "r1-bench memory --vectors DIR --curve --json\n"
                 "r1-bench memory --vectors DIR --needle 1000,10000,100000,1000000 --json",
     .options = options,
     .n_options = R1_COUNT(options),
     .run = bench_memory},
};
const size_t bench_memory_n = R1_COUNT(bench_memory_commands);
