/* SPDX-License-Identifier: Apache-2.0 */
/* cli_doctor.c - r1 doctor: what this machine has, and what is missing for what it lacks.
 *
 * A check is good, a problem (exit code 3), absent (an option of the machine that is not there), or
 * unknown (it could not be asked). The driver is asked by its own functions, out of libcuda.so.1:
 * it has none of the plugin's. */
#include "cli_r1.h"
#include "r1_backend.h"

#include <dlfcn.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    int problems;
    json_t *checks; /* NULL: each line is printed at once */
} health;

static void doctor_say(health *h, const char *status, const char *what, const char *detail)
{
    h->problems += !strcmp(status, "problem");
    if (!h->checks) {
        printf("%-8s %-22s %s\n", status, what, detail);
        return;
    }
    json_t *text = json_string(detail);
    if (!text) text = json_string("(its text is not UTF-8)");
    json_array_append_new(
        h->checks, json_pack("{s:s,s:s,s:o}", "status", status, "what", what, "detail", text));
}

static const char *good_if(bool good) { return good ? "good" : "problem"; }

/* ---- the processor --------------------------------------------------------------------------- */

/* One product through the op against sums in double: a broken library or processor shows here. */
static bool product_is_right(void)
{
    enum { M = 37, N = 19, K = 65 };
    static float x[(M + R1_ROW_PAD) * K], w[N * K], y[(M + R1_ROW_PAD) * N];
    r1_rng rng;
    r1_rng_seed(&rng, 2);
    for (int i = 0; i < M * K; i++) x[i] = (float)r1_rng_normal(&rng);
    for (int i = 0; i < N * K; i++) w[i] = (float)r1_rng_normal(&rng);
    r1_op_args a = {.v = {[R1_LINEAR_X] = {x, M, K, R1_F32, K},
                          [R1_LINEAR_W] = {w, N, K, R1_F32, K},
                          [R1_LINEAR_Y] = {y, M, N, R1_F32, N}}};
    if (r1_backend_cpu()->forward[R1_OP_LINEAR](NULL, &a, NULL) != R1_OK) return false;
    for (int m = 0; m < M; m++)
        for (int n = 0; n < N; n++) {
            double sum = 0;
            for (int k = 0; k < K; k++) sum += (double)x[m * K + k] * w[n * K + k];
            if (sum - y[m * N + n] > 1e-3 || y[m * N + n] - sum > 1e-3) return false;
        }
    return true;
}

/* Whether the kernel names this feature of the processor. */
static bool has_flag(const char *flags, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = strstr(flags, name); at; at = strstr(at + n, name))
        if (at[-1] == ' ' && (at[n] == ' ' || at[n] == '\n' || !at[n])) return true;
    return false;
}

static void say_instructions(health *h)
{
    static const struct {
        const char *name, *flag;
    } sets[] = {
        {"AVX2", "avx2"},         {"AVX-512", "avx512f"},          {"AVX-512-VNNI", "avx512_vnni"},
        {"AVX-VNNI", "avx_vnni"}, {"AVX-512-BF16", "avx512_bf16"}, {"AMX-INT8", "amx_int8"},
        {"AMX-BF16", "amx_bf16"}};
    static char line[16384];
    char text[256] = "";
    FILE *f = fopen("/proc/cpuinfo", "r");
    bool found = false;
    while (f && !found && fgets(line, sizeof line, f)) found = !strncmp(line, "flags", 5);
    if (f) fclose(f);
    for (size_t i = 0; found && i < R1_COUNT(sets); i++) {
        size_t n = strlen(text);
        if (has_flag(line, sets[i].flag))
            snprintf(text + n, sizeof text - n, "%s%s", n ? ", " : "", sets[i].name);
    }
    doctor_say(h, found ? "good" : "unknown", "instruction sets",
               !found  ? "/proc/cpuinfo has no flags"
               : *text ? text
                       : "none of those that the engine knows");
}

static void say_processor(health *h)
{
    char text[256] = "";
    r1_err err = {0};
    r1_backend_cpu()->device_text(0, text, sizeof text, &err);
    doctor_say(h, "good", "processor", text);
    say_instructions(h);
    doctor_say(h, good_if(product_is_right()), "matrix product", "against sums in double");
    double gib =
        (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGE_SIZE) / (double)(1 << 30);
    snprintf(text, sizeof text, "%.1f GiB (2 are needed)", gib);
    doctor_say(h, good_if(gib >= 2), "memory", text);
}

/* ---- CUDA ------------------------------------------------------------------------------------ */

enum { CUDA_MAJOR = 75, CUDA_MINOR = 76 }; /* attributes of a device: its compute capability */

typedef struct {
    int (*init)(unsigned flags);
    int (*version)(int *v);
    int (*error)(int code, const char **text);
    int (*count)(int *n);
    int (*name)(char *text, int cap, int device);
    int (*memory)(size_t *bytes, int device);
    int (*attribute)(int *value, int which, int device);
} driver;

static bool driver_functions(void *library, driver *d)
{
    const struct {
        void *to;
        const char *name;
    } all[] = {{&d->init, "cuInit"},
               {&d->version, "cuDriverGetVersion"},
               {&d->error, "cuGetErrorString"},
               {&d->count, "cuDeviceGetCount"},
               {&d->name, "cuDeviceGetName"},
               {&d->memory, "cuDeviceTotalMem_v2"},
               {&d->attribute, "cuDeviceGetAttribute"}};
    for (size_t i = 0; i < R1_COUNT(all); i++) {
        void *symbol = dlsym(library, all[i].name);
        if (!symbol) return false;
        memcpy(all[i].to, &symbol, sizeof symbol);
    }
    return true;
}

static void say_devices(health *h, const driver *d)
{
    int n = 0;
    char what[32], name[128], text[256];
    if (d->count(&n) || !n) {
        doctor_say(h, "absent", "CUDA devices", "the driver counts none");
        return;
    }
    for (int i = 0; i < n; i++) {
        size_t bytes = 0;
        int major = 0, minor = 0;
        snprintf(what, sizeof what, "cuda:%d", i);
        if (d->name(name, sizeof name, i) || d->memory(&bytes, i) ||
            d->attribute(&major, CUDA_MAJOR, i) || d->attribute(&minor, CUDA_MINOR, i)) {
            doctor_say(h, "problem", what, "the driver does not describe it");
            continue;
        }
        bool enough = major >= 8;
        snprintf(text, sizeof text, "%s, compute capability %d.%d%s, %zu GiB", name, major, minor,
                 enough ? "" : " (8.0 is needed)", bytes >> 30);
        doctor_say(h, enough ? "good" : "absent", what, text);
    }
}

static void say_driver(health *h)
{
    driver d;
    char text[256];
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *why = dlerror();
        doctor_say(h, "absent", "CUDA driver", why ? why : "libcuda.so.1 does not open");
        return;
    }
    if (!driver_functions(library, &d)) {
        doctor_say(h, "absent", "CUDA driver", "libcuda.so.1 opens, but it is not NVIDIA's");
        return;
    }
    int version = 0, code = d.init(0);
    const char *words = "unknown";
    if (code && d.error(code, &words)) words = "unknown";
    d.version(&version);
    snprintf(text, sizeof text, "for CUDA %d.%d%s%s", version / 1000, version % 1000 / 10,
             code ? "; it does not start: " : "", code ? words : "");
    doctor_say(h, code ? "problem" : "good", "CUDA driver", text);
    if (!code) say_devices(h, &d);
}

static void say_plugin(health *h)
{
    char path[R1_PATH_BYTES], text[R1_PATH_BYTES + 512];
    uint32_t abi = 0;
    r1_err err = {0};
    if (r1_cuda_plugin(path, sizeof path, &abi, &err) != R1_OK) {
        doctor_say(h, "absent", "CUDA plugin", err.msg);
        return;
    }
    snprintf(text, sizeof text, "%s, version %u of the table (%d is needed)", path, abi,
             R1_BACKEND_ABI);
    doctor_say(h, good_if(abi == R1_BACKEND_ABI), "CUDA plugin", text);
    void *blas = dlopen("libcublasLt.so.13", RTLD_NOW | RTLD_NOLOAD);
    doctor_say(h, blas ? "good" : "absent", "CUDA libraries",
               blas ? "cuBLASLt 13; cudart is part of the plugin"
                    : "cuBLASLt 13 is not loaded: an emulated plugin needs none");
}

/* No backend is found with an R1_ISA that is at fault: nothing is known of CUDA then. */
static void say_cuda(health *h)
{
    r1_err err = {0};
    say_driver(h);
    say_plugin(h);
    if (!r1_backend_find("cpu", NULL)) {
        doctor_say(h, "unknown", "CUDA (optional)", "not asked: R1_ISA is at fault");
        return;
    }
    const r1_backend *cuda = r1_backend_find("cuda", &err);
    char text[512] = "";
    if (cuda && cuda->device_text(0, text, sizeof text, &err) != R1_OK)
        snprintf(text, sizeof text, "%s", err.msg);
    doctor_say(h, cuda ? "good" : "absent", "CUDA (optional)", cuda ? text : err.msg);
}

/* ---- models ---------------------------------------------------------------------------------- */

static void say_model(health *h, const char *path)
{
    char text[R1_PATH_BYTES + 256], sum[R1_PATH_BYTES + 8];
    r1_err err = {0};
    r1_model *m;
    if (r1_model_open(&m, path, &err) != R1_OK) {
        doctor_say(h, "problem", "model", err.msg);
        return;
    }
    snprintf(sum, sizeof sum, "%s.sum", path);
    snprintf(text, sizeof text, "%s: %s", path,
             access(sum, F_OK) ? "it opens; no checksum stands beside it" : "its checksum fits");
    doctor_say(h, "good", "model", text);
    r1_model_free(m);
}

static void say_shipped(health *h)
{
    static const char *const shipped[] = {"models/fraud-s.gguf", "models/fraud-s-int8.gguf",
                                          "models/medical-b.gguf"};
    char path[R1_PATH_BYTES];
    for (size_t i = 0; i < R1_COUNT(shipped); i++) {
        r1_err err = {0};
        if (r1_cli_shipped(shipped[i], path, &err) == R1_OK)
            say_model(h, path);
        else
            doctor_say(h, "absent", "model", err.msg);
    }
}

static int doctor_run(r1_cli_call *call)
{
    health h = {0};
    r1_err err = {0};
    if (r1_options_bool(call->opts, "json")) h.checks = json_array();
    const r1_backend *chosen = r1_backend_find(NULL, &err);
    doctor_say(&h, good_if(chosen), "R1_ISA, R1_BACKEND", chosen ? chosen->name : err.msg);
    say_processor(&h);
    say_cuda(&h);
    for (size_t i = 0; i < call->n_rest; i++) say_model(&h, call->rest[i]);
    if (!call->n_rest) say_shipped(&h);
    if (h.checks) {
        json_t *all = json_pack("{s:o,s:i}", "checks", h.checks, "problems", h.problems);
        json_dumpf(all, stdout, JSON_INDENT(1));
        putchar('\n');
        json_decref(all);
    }
    return h.problems ? R1_EXIT_CHECK : R1_EXIT_OK;
}

static const r1_option doctor_rows[] = {
    {.name = "json", .type = R1_OPT_BOOL, .def = "false", .help = "print one JSON object"},
};

const r1_command cli_doctor_commands[] = {
    {.name = "doctor",
     .summary = "what this machine has and what it lacks; exit code 3 where something is wrong",
     .examples = "r1 doctor\n"
                 "r1 doctor --json models/fraud-s.gguf",
     .options = doctor_rows,
     .n_options = R1_COUNT(doctor_rows),
     .operands = "[MODEL...]",
     .operands_max = R1_OPERANDS_ANY,
     .run = doctor_run},
};
const size_t cli_doctor_n = R1_COUNT(cli_doctor_commands);
