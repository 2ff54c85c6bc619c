/* SPDX-License-Identifier: Apache-2.0 */
/* device.h - what r1_device_choose chose, for those that run plans. */
#ifndef R1_DEVICE_H
#define R1_DEVICE_H

#include "r1_backend.h"

/* The device's number where this backend was chosen, else 0. */
uint32_t r1_device_index(const r1_backend *be);
/* Whether a program asked for this backend by name: then nothing else may take its place. */
bool r1_device_forced(const r1_backend *be);

#endif
