/* SPDX-License-Identifier: Apache-2.0 */
/* cli_machine.c - r1 devices, r1 doctor: what the engine can run on, and whether what it needs is
 * there. */
#include "cli_r1.h"
#include "r1_backend.h"

#include <stdio.h>
#include <unistd.h>

static const char *const backends[] = {"cpu", "reference", "cuda"};

static int machine_devices(r1_cli_call *call)
{
    (void)call;
    for (size_t i = 0; i < R1_COUNT(backends); i++) {
        r1_err err = {0};
        const r1_backend *b = r1_backend_find(backends[i], &err);
        uint32_t n = 0;
        char text[256] = "";
        if (b && b->devices(&n, &err) == R1_OK)
            for (uint32_t d = 0; d < n; d++)
                if (b->device_text(d, text, sizeof text, &err) == R1_OK)
                    printf("%-10s %u  %s\n", backends[i], d, text);
        if (!b || !n) printf("%-10s -  %s\n", backends[i], err.msg);
    }
    return R1_EXIT_OK;
}

typedef struct {
    int problems;
} health;

static void machine_say(health *h, bool good, const char *what, const char *detail)
{
    printf("%-8s %-22s %s\n", good ? "good" : "problem", what, detail);
    h->problems += !good;
}

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

/* No backend is found with an R1_ISA that is at fault: nothing is known of CUDA then. */
static void say_cuda(void)
{
    r1_err err = {0};
    bool known = r1_backend_find("cpu", NULL);
    const r1_backend *cuda = known ? r1_backend_find("cuda", &err) : NULL;
    printf("%-8s %-22s %s\n",
           cuda    ? "good"
           : known ? "absent"
                   : "unknown",
           "CUDA (optional)",
           cuda    ? "usable"
           : known ? err.msg
                   : "not asked: R1_ISA is at fault");
}

static int machine_doctor(r1_cli_call *call)
{
    (void)call;
    health h = {0};
    char text[256] = "";
    r1_err err = {0};
    const r1_backend *chosen = r1_backend_find(NULL, &err);
    machine_say(&h, chosen, "R1_ISA, R1_BACKEND", chosen ? chosen->name : err.msg);
    r1_backend_cpu()->device_text(0, text, sizeof text, &err);
    machine_say(&h, true, "processor", text);
    machine_say(&h, product_is_right(), "matrix product", "oneDNN against sums in double");
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGE_SIZE);
    double gib = (double)pages * (double)page / (1 << 30);
    snprintf(text, sizeof text, "%.1f GiB (2 are needed)", gib);
    machine_say(&h, gib >= 2, "memory", text);
    say_cuda();
    return h.problems ? R1_EXIT_CHECK : R1_EXIT_OK;
}

const r1_command cli_machine_commands[] = {
    {.name = "devices",
     .summary = "what the engine can run on",
     .examples = "r1 devices",
     .run = machine_devices},
    {.name = "doctor",
     .summary = "checks of this machine; exit code 3 where something is wrong",
     .examples = "r1 doctor",
     .run = machine_doctor},
};
const size_t cli_machine_n = R1_COUNT(cli_machine_commands);
