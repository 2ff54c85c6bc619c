/* SPDX-License-Identifier: Apache-2.0 */
/* isa.c - see isa.h. */
#include "base/isa.h"

#include "r1_assert.h"

#include <stdlib.h>
#include <string.h>

static const char *const isa_names[R1_ISA_COUNT] = {"portable",   "avx2", "avxvnni", "avx512",
                                                    "avx512bf16", "wide", "widebf16"};

const char *r1_isa_name(r1_isa isa)
{
    R1_ASSERT((unsigned)isa < R1_ISA_COUNT, "instruction set %d of %d", (int)isa, R1_ISA_COUNT);
    return isa_names[isa];
}

/* NULL: R1_ISA is not set, or empty. */
static const char *isa_wanted(void)
{
    const char *wanted = getenv("R1_ISA");
    return wanted && *wanted ? wanted : NULL;
}

bool r1_isa_given(r1_isa *isa)
{
    const char *wanted = isa_wanted();
    for (int i = 0; wanted && i < R1_ISA_COUNT; i++)
        if (strcmp(wanted, isa_names[i]) == 0) {
            *isa = (r1_isa)i;
            return true;
        }
    return false;
}

r1_status r1_isa_check(r1_err *err)
{
    r1_isa isa;
    if (!isa_wanted() || r1_isa_given(&isa)) return R1_OK;
    R1_FAIL(err, R1_E_INVAL,
            "environment: R1_ISA: expected portable, avx2, avxvnni, avx512, avx512bf16, wide or "
            "widebf16, found \"%.40s\"",
            isa_wanted());
}
