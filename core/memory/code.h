/* SPDX-License-Identifier: Apache-2.0 */
/* code.h - how a vector becomes a few bytes, and how a query is scored against those bytes
 * without unpacking the vector.
 *
 * A vector x is the centre of its list plus a residual r. y = F r turns r onto the principal
 * axes of the residuals, measured in the metric that queries see (covariance^0.6 of the
 * vectors). There one quantiser scale `quant` for all axes costs scores least. Two kinds follow:
 *
 *   transform  y / quant is rounded to integers z. Most trailing ones are zero, so this is a
 *              sparse code over an orthonormal dictionary. The leading axes (sigma of about
 *              3 quant and more) give four bits each to the sketch: sixteen bins that are
 *              scanned first. Places inside of bins and all other axes are range coded with
 *              static tables.
 *   sparse     y is approximated by few atoms of a learned, overcomplete dictionary. Orthogonal
 *              matching pursuit ends when no atom's product reaches 0.6 quant. Gaps of the
 *              sorted atoms and integer coefficients are range coded.
 *
 * score(q, code) = scale * (q . centre + sum_i z_i u_i), u = quant F^-1' q, or sum_k a_k (D u)_k
 * for sparse codes. scale makes the projection of the decoded vector on x equal to |x|: rounding
 * shortens vectors that are hard to code, and that would lower their scores. It lies in the
 * range coder's first state, where it costs nothing.
 *
 * One rate for all: quant is found on a sample so that codes have `bytes` on average. Easy
 * vectors take fewer.
 *
 * Threads: a code is never written after it was made; queries and scratch belong to one. */
#ifndef MEMORY_CODE_H
#define MEMORY_CODE_H

#include "memory/rans.h"
#include "r1_memory.h"

enum {
    CODE_DIM_MAX = 8192,
    CODE_LIST_MAX = 65536,
    CODE_ATOM_MAX = 4032, /* the high part of a gap is one of 63 symbols, the 64th is the end */
    CODE_SKETCH_MAX = 64,
    CODE_GROUPS = 24,
    CODE_WIDTHS = 96, /* bins up to this wide have a table; wider ones do not occur */
    CODE_TAILS = 8,
    CODE_TABLES = CODE_GROUPS + CODE_WIDTHS + CODE_TAILS,
    CODE_BIN = 16
};

typedef struct {
    r1_arena *arena; /* holds the arrays */
    uint32_t kind, d, n_list, m, n_sketch, n_atom, k_max;
    float quant;    /* the quantiser scale: y is about quant * z */
    float *centre;  /* [n_list][d] */
    float *forward; /* [m][d]: y = forward r */
    float *back;    /* [m][d]: r ~ sum_i y_i back_i */
    float *atom;    /* sparse: [n_atom][m], unit length */
    float *bin;     /* [n_sketch][16]: mean of the integers in each bin */
    int16_t *edge;  /* [n_sketch][15]: bin b holds edge[b-1] <= z < edge[b] */
    uint8_t *group; /* [m]: table of the axis; sketch axes: which tail table */
    /* groups, widths (table w - 1), tails; sparse: 0 high part of gaps, 1 low part,
     * 2 coefficients */
    rans_table table[CODE_TABLES];
} code;

typedef struct {
    float bytes; /* of one vector on average, sketch included */
    uint32_t kind, n_list, n_atom, rounds;
    uint64_t seed;
} code_opts;

/* Learns from the n rows of x (a sample is drawn where there are many). */
r1_status code_train(code **out, const float *x, size_t n, uint32_t d, const code_opts *opts,
                     r1_err *err);
void code_free(code *c);
size_t code_bytes(const code *c);        /* in memory, tables and all */
size_t code_packed_bytes(const code *c); /* as a section of a file */
void code_pack(const code *c, uint8_t *out);
r1_status code_unpack(code **out, const uint8_t *p, size_t len, r1_err *err);

/* Upper bound of one code's bytes. */
size_t code_entry_max(const code *c);
/* Encodes n rows with their lists. bytes: n * code_entry_max(c), row i's code is the first
 * len[i] of its part; sketch: [n][n_sketch] bins (0..15), NULL where n_sketch is 0. */
r1_status code_encode(const code *c, const float *x, size_t n, const uint32_t *list, uint8_t *bytes,
                      uint32_t *len, uint8_t *sketch, r1_err *err);
/* bin: the row's sketch, n_sketch values 0..15. x: f32[d]. Safe for any bytes. */
void code_decode(const code *c, uint32_t list, const uint8_t *bytes, size_t len, const uint8_t *bin,
                 float *x);

/* What a query needs: u f32[m], and for sparse codes table f32[n_atom]. */
void code_query(const code *c, const float *q, float *u, float *table);
float code_score(const code *c, const float *u, const float *table, float centre_dot,
                 const uint8_t *bytes, size_t len, const uint8_t *bin);

/* The integers of up to CODE_LANES codes at once, transform only: many independent chains
 * hide the coder's delays, and each axis' table is fetched once for all. codes: the code of lane
 * j from j * code_padded(c), whatever lies behind it (every symbol takes two bytes at most, so
 * damaged ones cannot lead further); bin: [n_sketch][CODE_LANES]; z: [n][m]. A code's score is
 * scale * (centre_dot + dot16(z, u)), as code_score has it, to the bit. */
enum { CODE_LANES = 32 };
size_t code_padded(const code *c);
void code_integers(const code *c, size_t n, const uint8_t *codes, const uint8_t *bin, int16_t *z,
                   float *scale);

/* omp.c: atoms (ascending) and coefficients of the y whose products with all atoms are p
 * (overwritten), least squares over the atoms chosen, until no product reaches `stop` or k_max
 * atoms are in use; gram[n_atom][n_atom] are the atoms' own products. Returns how many. scratch:
 * omp_scratch floats. */
size_t omp_scratch(uint32_t n_atom, uint32_t k_max);
uint32_t omp_encode(const float *gram, uint32_t n_atom, float *p, float stop, uint32_t k_max,
                    uint32_t *index, float *coef, float *scratch);
/* Online dictionary learning over mini-batches of y[n][m]; atoms that nobody used start again
 * from the row that is represented worst. sparsity: atoms per row while learning. */
r1_status omp_learn(float *atom, uint32_t n_atom, uint32_t m, const float *y, size_t n,
                    uint32_t sparsity, uint32_t rounds, uint64_t seed, r1_err *err);
r1_status omp_gram(const float *atom, uint32_t n_atom, uint32_t m, float **gram, r1_err *err);

#endif
