/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_peak.h - the multiply-add limit of this machine, which no product can exceed. */
#ifndef R1_CPU_PEAK_H
#define R1_CPU_PEAK_H

/* G operations a second of f32 multiply-adds in registers, with the widest vectors that the
 * processor has. A multiplication and an addition are two operations. Runs for `seconds` on the
 * calling thread and returns the best of several repetitions. */
double r1_cpu_peak_gops(double seconds);

#endif
