/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_medical.h"
const r1_command cli_rank_commands[1] = {{0}};
const size_t cli_rank_n = 0;
