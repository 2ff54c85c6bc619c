/* SPDX-License-Identifier: Apache-2.0 */
/* backend_find.c - from a name to a backend. The CUDA plugin is opened once per process, and only where a driver is: opening it
 * costs a third of a second and 200 MB, which a machine without a GPU need not pay. */
#include "r1_backend.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const r1_backend *cuda;
static r1_err cuda_err; /* why there is none */
static pthread_once_t cuda_once = PTHREAD_ONCE_INIT;

/* The folder of a path, in place. */
static bool cut_to_folder(char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash) return false;
    *slash = 0;
    return true;
}

/* $R1_CUDA_PLUGIN, else beside libr1, else in ../lib of the program. */
static void *open_plugin(char *tried, size_t size)
{
    char path[PATH_MAX + 64];
    const char *given = getenv("R1_CUDA_PLUGIN");
    if (given) {
        snprintf(tried, size, "%s", given);
        return dlopen(given, RTLD_NOW | RTLD_LOCAL);
    }
    ssize_t len = readlink("/proc/self/exe", path, PATH_MAX);
    path[len > 0 ? len : 0] = 0;
    snprintf(tried, size, "libr1_cuda.so");
    if (!cut_to_folder(path)) return dlopen("libr1_cuda.so", RTLD_NOW | RTLD_LOCAL);
    size_t n = strlen(path);
    snprintf(path + n, sizeof path - n, "/../lib/libr1_cuda.so");
    void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    return plugin ? plugin : dlopen("libr1_cuda.so", RTLD_NOW | RTLD_LOCAL);
}

static void find_cuda(void)
{
    char tried[PATH_MAX];
    void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!driver) {
        r1_err_set(&cuda_err, R1_E_DEVICE, __FILE__, __LINE__,
                   "no CUDA: this machine has no NVIDIA driver (libcuda.so.1 does not open)");
        return;
    }
    void *plugin = open_plugin(tried, sizeof tried);
    if (!plugin) {
        const char *why = dlerror();
        r1_err_set(&cuda_err, R1_E_DEVICE, __FILE__, __LINE__, "no CUDA: %s does not open: %s", tried,
                   why ? why : "unknown reason");
        return;
    }
    r1_backend_cuda_fn make;
    void *symbol = dlsym(plugin, R1_BACKEND_CUDA_SYMBOL);
    memcpy(&make, &symbol, sizeof make);
    if (symbol)
        cuda = make(R1_BACKEND_ABI, &cuda_err);
    else
        r1_err_set(&cuda_err, R1_E_DEVICE, __FILE__, __LINE__, "no CUDA: %s does not export %s", tried,
                   R1_BACKEND_CUDA_SYMBOL);
}

const r1_backend *r1_backend_find(const char *name, r1_err *err)
{
    if (!name) name = getenv("R1_BACKEND");
    if (!name || !*name || !strcmp(name, "cpu")) return r1_backend_cpu();
    if (!strcmp(name, "reference")) return r1_backend_reference();
    if (strcmp(name, "cuda") != 0) {
        r1_err_set(err, R1_E_INVAL, __FILE__, __LINE__, "backend: expected cpu, reference or cuda, found \"%s\"", name);
        return NULL;
    }
    pthread_once(&cuda_once, find_cuda);
    if (!cuda && err) *err = cuda_err;
    return cuda;
}
