/* SPDX-License-Identifier: Apache-2.0 */
/* cli_machine.c - r1 devices: what the engine can run on. */
#include "cli_r1.h"
#include "r1_backend.h"

#include <stdio.h>

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

const r1_command cli_machine_commands[] = {
    {.name = "devices",
     .summary = "what the engine can run on",
     .examples = "r1 devices",
     .run = machine_devices},
};
const size_t cli_machine_n = R1_COUNT(cli_machine_commands);
