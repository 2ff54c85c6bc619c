/* SPDX-License-Identifier: Apache-2.0 */
/* backend_find.c - from a name to a backend, and the names that a program brings itself. The
 * CUDA plugin is opened once per process, and only where a driver is: opening it costs a third
 * of a second and 200 MB, which a machine without a GPU need not pay. */
#include "base/isa.h"
#include "infer/device.h"

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

r1_status r1_cuda_plugin(char *path, size_t cap, uint32_t *abi, r1_err *err)
{
    *abi = 0;
    void *plugin = open_plugin(path, cap);
    if (!plugin) {
        const char *why = dlerror();
        R1_FAIL(err, R1_E_DEVICE, "%s does not open: %s", path, why ? why : "unknown reason");
    }
    const void *symbol = dlsym(plugin, R1_BACKEND_CUDA_ABI_SYMBOL);
    if (symbol) memcpy(abi, symbol, sizeof *abi);
    return R1_OK;
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
        r1_err_set(&cuda_err, R1_E_DEVICE, __FILE__, __LINE__, "no CUDA: %s does not open: %s",
                   tried, why ? why : "unknown reason");
        return;
    }
    r1_backend_cuda_fn make;
    void *symbol = dlsym(plugin, R1_BACKEND_CUDA_SYMBOL);
    memcpy(&make, &symbol, sizeof make);
    if (symbol)
        cuda = make(R1_BACKEND_ABI, &cuda_err);
    else
        r1_err_set(&cuda_err, R1_E_DEVICE, __FILE__, __LINE__, "no CUDA: %s does not export %s",
                   tried, R1_BACKEND_CUDA_SYMBOL);
}

/* ---- backends of the caller's own ------------------------------------------------------------ */

static struct {
    pthread_mutex_t lock;
    const r1_backend *table[R1_BACKENDS_MAX];
    size_t n;
} own = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const r1_backend *find_own(const char *name) /* under the lock */
{
    for (size_t i = 0; i < own.n; i++)
        if (!strcmp(own.table[i]->name, name)) return own.table[i];
    return NULL;
}

/* The name of a function that the table lacks; NULL: it has all. */
static const char *backend_find_lacking(const r1_backend *b)
{
    const struct {
        const char *name;
        bool there;
    } needed[] = {
        {"devices", b->devices},
        {"device_text", b->device_text},
        {"buffer_new", b->buffer_new},
        {"buffer_free", b->buffer_free},
        {"upload", b->upload},
        {"download", b->download},
        {"stream_new", b->stream_new},
        {"stream_free", b->stream_free},
        {"stream_sync", b->stream_sync},
        {"event_new", b->event_new},
        {"event_free", b->event_free},
        {"event_record", b->event_record},
        {"event_wait", b->event_wait},
        {"supports", b->supports},
        {"pack or pack_int8 (packed_free is there)", !b->packed_free || b->pack || b->pack_int8},
        {"packed_free (pack or pack_int8 is there)",
         b->packed_free || (!b->pack && !b->pack_int8)}};
    for (size_t i = 0; i < R1_COUNT(needed); i++)
        if (!needed[i].there) return needed[i].name;
    return NULL;
}

/* The first op whose forward or backward is missing where it must be there; R1_OP_COUNT: none. */
static r1_op lacking_op(const r1_backend *b, const char **direction)
{
    bool any = false;
    for (int op = 0; op < R1_OP_COUNT; op++) any = any || b->backward[op];
    for (int op = 0; op < R1_OP_COUNT; op++) {
        *direction = "forward";
        if (b->host_memory && !b->forward[op] && op != R1_OP_TAIL_NORM) return (r1_op)op;
        *direction = "backward";
        if (any && !b->backward[op] && r1_backend_cpu()->backward[op]) return (r1_op)op;
    }
    return R1_OP_COUNT;
}

static bool built_in(const char *name)
{
    return !strcmp(name, "cpu") || !strcmp(name, "reference") || !strcmp(name, "cuda");
}

r1_status r1_backend_register(const r1_backend *b, r1_err *err)
{
    if (!b || !b->name || !*b->name)
        R1_FAIL(err, R1_E_INVAL, "backend: expected a table with a name, found none");
    if (b->abi != R1_BACKEND_ABI)
        R1_FAIL(err, R1_E_INVAL, "backend %s: expected version %d of the table, found %u", b->name,
                R1_BACKEND_ABI, b->abi);
    const char *missing = backend_find_lacking(b), *direction;
    if (missing) R1_FAIL(err, R1_E_INVAL, "backend %s: the table lacks %s", b->name, missing);
    r1_op op = lacking_op(b, &direction);
    if (op != R1_OP_COUNT)
        R1_FAIL(err, R1_E_INVAL, "backend %s: the table lacks %s of %s", b->name, direction,
                r1_op_name(op));
    pthread_mutex_lock(&own.lock);
    const r1_backend *same = find_own(b->name);
    bool taken = built_in(b->name) || (same && same != b), full = !same && own.n == R1_BACKENDS_MAX;
    if (!taken && !full && !same) own.table[own.n++] = b;
    pthread_mutex_unlock(&own.lock);
    if (taken) R1_FAIL(err, R1_E_INVAL, "backend %s: the name is taken by another table", b->name);
    if (full)
        R1_FAIL(err, R1_E_NOMEM, "backend %s: %d are registered already, which is the most",
                b->name, R1_BACKENDS_MAX);
    return R1_OK;
}

/* ---- the choice of the process --------------------------------------------------------------- */

static struct {
    const r1_backend *be; /* NULL: none was made */
    uint32_t index;
    bool forced;
    char name[64];
} chosen;

uint32_t r1_device_index(const r1_backend *be) { return be == chosen.be ? chosen.index : 0; }
bool r1_device_forced(const r1_backend *be) { return be == chosen.be && chosen.forced; }

const char *r1_device_name(void)
{
    const char *env = getenv("R1_BACKEND");
    return chosen.be ? chosen.name : env && *env ? env : "cpu";
}

/* N of "cuda:N". */
static r1_status device_number(const char *text, uint32_t *n, r1_err *err)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || value > 1023)
        R1_FAIL(err, R1_E_INVAL,
                "device: expected a number from 0 on behind \"cuda:\", found \"%s\"", text);
    *n = (uint32_t)value;
    return R1_OK;
}

static r1_status choose_cuda(const char *number, r1_err *err)
{
    uint32_t index = 0, n = 0;
    r1_err why = {0};
    if (number) R1_TRY(device_number(number, &index, err));
    const r1_backend *be = r1_backend_find("cuda", &why);
    if (!be) {
        if (err) *err = why;
        return why.code ? why.code : R1_E_DEVICE;
    }
    R1_TRY(be->devices(&n, err));
    if (index >= n)
        R1_FAIL(err, R1_E_INVAL, "device cuda:%u: this machine has %u (cuda:0 to cuda:%u)", index,
                n, n ? n - 1 : 0);
    chosen.be = be;
    chosen.index = index;
    chosen.forced = true;
    snprintf(chosen.name, sizeof chosen.name, "cuda:%u", index);
    return R1_OK;
}

/* What is found by its name; its first device. */
static r1_status choose_named(const char *name, r1_err *err)
{
    r1_err why = {0};
    const r1_backend *be = *name ? r1_backend_find(name, &why) : NULL;
    if (!*name || (!be && why.code == R1_E_INVAL))
        R1_FAIL(err, R1_E_INVAL, "device: expected cpu, cuda, cuda:N or auto, found \"%s\"", name);
    if (!be) {
        if (err) *err = why;
        return why.code ? why.code : R1_E_DEVICE;
    }
    chosen.be = be;
    chosen.index = 0;
    chosen.forced = true;
    snprintf(chosen.name, sizeof chosen.name, "%s", name);
    return R1_OK;
}

r1_status r1_device_choose(const char *device, r1_err *err)
{
    R1_TRY(r1_isa_check(err));
    if (!strcmp(device, "cuda")) return choose_cuda(NULL, err);
    if (!strncmp(device, "cuda:", 5)) return choose_cuda(device + 5, err);
    if (strcmp(device, "auto") != 0) return choose_named(device, err);
    r1_status st = choose_cuda(NULL, NULL);
    if (st != R1_OK) st = choose_named("cpu", err);
    chosen.forced = false;
    return st;
}

const r1_backend *r1_backend_find(const char *name, r1_err *err)
{
    if (r1_isa_check(err) != R1_OK) return NULL;
    if (!name && chosen.be) return chosen.be;
    if (!name) name = getenv("R1_BACKEND");
    if (!name || !*name || !strcmp(name, "cpu")) return r1_backend_cpu();
    if (!strcmp(name, "reference")) return r1_backend_reference();
    if (strcmp(name, "cuda") != 0) {
        pthread_mutex_lock(&own.lock);
        const r1_backend *b = find_own(name);
        pthread_mutex_unlock(&own.lock);
        if (!b)
            r1_err_set(err, R1_E_INVAL, __FILE__, __LINE__,
                       "backend: expected cpu, reference, cuda or a registered name, found \"%s\"",
                       name);
        return b;
    }
    pthread_once(&cuda_once, find_cuda);
    if (!cuda && err) *err = cuda_err;
    return cuda;
}
