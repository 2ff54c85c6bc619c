/* SPDX-License-Identifier: Apache-2.0 */
/* eigen.c - eigenvectors of a symmetric matrix by LAPACK's dsyevd.
 *
 * LAPACK is opened when the first code is learned, and stays open. It is not linked: with it,
 * every program that uses libr1 takes twice as long to start (7 ms more), and most of them never
 * learn a code. OpenBLAS, where it is the LAPACK of the machine, runs with one thread meanwhile,
 * because its sums depend on the number of threads. The lock keeps that setting ours.
 *
 * Threads: any; one decomposition at a time. */
#include "memory/linalg.h"
#include "r1_assert.h"

#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Fortran's convention: all by address, the lengths of the two texts at the end. */
typedef void (*dsyevd_fn)(const char *jobz, const char *uplo, const int *n, double *a,
                          const int *lda, double *w, double *work, const int *lwork, int *iwork,
                          const int *liwork, int *info, size_t jobz_len, size_t uplo_len);

static struct {
    pthread_mutex_t lock;
    dsyevd_fn dsyevd;
    int (*get_threads)(void); /* OpenBLAS alone has these two */
    void (*set_threads)(int n);
} lapack = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* A function's address as a pointer to a function: POSIX allows it, C does not say how. */
static void eigen_symbol(void *lib, const char *name, void *out)
{
    void *p = dlsym(lib, name);
    memcpy(out, &p, sizeof p);
}

/* Under the lock. */
static r1_status eigen_open(r1_err *err)
{
    if (lapack.dsyevd) return R1_OK;
    void *lib = dlopen("liblapack.so.3", RTLD_NOW | RTLD_LOCAL);
    if (!lib)
        R1_FAIL(err, R1_E_NOT_FOUND, "learning codes needs LAPACK (liblapack.so.3): %s", dlerror());
    eigen_symbol(lib, "dsyevd_", &lapack.dsyevd);
    eigen_symbol(lib, "openblas_get_num_threads", &lapack.get_threads);
    eigen_symbol(lib, "openblas_set_num_threads", &lapack.set_threads);
    if (!lapack.dsyevd) R1_FAIL(err, R1_E_NOT_FOUND, "liblapack.so.3 lacks dsyevd");
    return R1_OK;
}

/* a becomes its eigenvectors, one after another, w its eigenvalues in rising order. Returns
 * LAPACK's info. Under the lock. */
static int eigen_solve(double *a, size_t n, double *w, double *work, int lwork, int *iwork,
                       int liwork)
{
    int size = (int)n, info = 0, threads = 0;
    bool alone = lapack.get_threads && lapack.set_threads;
    if (alone && (threads = lapack.get_threads()) > 1) lapack.set_threads(1);
    lapack.dsyevd("V", "U", &size, a, &size, w, work, &lwork, iwork, &liwork, &info, 1, 1);
    if (alone && threads > 1) lapack.set_threads(threads);
    return info;
}

/* Falling order; what is zero within rounding becomes zero. */
static void eigen_copy(const double *w, const double *z, size_t n, double *value, double *v)
{
    double total = 0;
    for (size_t k = 0; k < n; k++) total += w[k] * w[k];
    for (size_t k = 0; k < n; k++) {
        size_t from = n - 1 - k;
        bool zero = !(w[from] > 0 && w[from] * w[from] > total * 1e-22);
        value[k] = w[from] > 0 ? w[from] : 0;
        if (zero)
            memset(v + k * n, 0, n * sizeof *v);
        else
            memcpy(v + k * n, z + from * n, n * sizeof *v);
        R1_ASSERT(!k || value[k] <= value[k - 1], "eigenvalue %zu: %g after %g", k, value[k],
                  value[k - 1]);
    }
}

r1_status linalg_eigen(const double *a, size_t n, double *value, double *v, r1_err *err)
{
    size_t lwork = 1 + 6 * n + 2 * n * n, liwork = 3 + 5 * n;
    double *z = r1_calloc_aligned(n * n + n + lwork, sizeof *z), *w = z + n * n;
    int *iwork = r1_calloc_aligned(liwork, sizeof *iwork), info = 0;
    r1_status st = R1_OK;
    if (!z || !iwork)
        st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for %zu eigenvectors", n);
    if (st == R1_OK) {
        memcpy(z, a, n * n * sizeof *z);
        pthread_mutex_lock(&lapack.lock);
        st = eigen_open(err);
        if (st == R1_OK) info = eigen_solve(z, n, w, w + n, (int)lwork, iwork, (int)liwork);
        pthread_mutex_unlock(&lapack.lock);
    }
    if (info)
        st = r1_err_set(err, R1_E_INVAL, __FILE__, __LINE__,
                        "the eigenvectors of a matrix of %zu columns were not found (LAPACK: %d)",
                        n, info);
    if (st == R1_OK) eigen_copy(w, z, n, value, v);
    free(z);
    free(iwork);
    return st;
}
