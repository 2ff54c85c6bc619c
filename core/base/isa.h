/* SPDX-License-Identifier: Apache-2.0 */
/* isa.h - which instruction set the loops of core/cpu and core/memory use: the one reader of the
 * environment's R1_ISA, and the one list of its names.
 *
 * Without R1_ISA each loop takes the best that the processor has. With it, each loop takes the
 * one that is named, where it has one and the processor runs it; else the next best. A name that
 * is not in the list is an error of whoever sets it: r1_isa_check says so where a backend is
 * found and where a memory is made.
 *
 *   portable             no vectors of the processor's own
 *   avx2, avxvnni, avx512, avx512bf16
 *   wide, widebf16       the shapes of avx512 and avx512bf16 in plain C, for tests
 *
 * Loops that the compiler clones (R1_CLONES in cpu/cpu_ops.h) do not ask: all of their clones give
 * the same bits.
 *
 * Threads: any, as long as none sets the environment meanwhile. */
#ifndef BASE_ISA_H
#define BASE_ISA_H

#include "r1_base.h"

typedef enum {
    R1_ISA_PORTABLE,
    R1_ISA_AVX2,
    R1_ISA_AVXVNNI,
    R1_ISA_AVX512,
    R1_ISA_AVX512BF16,
    R1_ISA_WIDE,
    R1_ISA_WIDEBF16,
    R1_ISA_COUNT
} r1_isa;

const char *r1_isa_name(r1_isa isa);
/* What R1_ISA names; false: it is not set, empty, or not in the list. */
bool r1_isa_given(r1_isa *isa);
/* R1_E_INVAL where R1_ISA holds a name that is not in the list; the message has the list. */
r1_status r1_isa_check(r1_err *err);

#endif
