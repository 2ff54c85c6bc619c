/* SPDX-License-Identifier: Apache-2.0 */
/* sync.h - what the rooms of core share beyond r1_base.h about files. */
#ifndef R1_SYNC_H
#define R1_SYNC_H

#include "r1_base.h"

/* Makes a rename into the folder of path durable; where the folder cannot be opened, nothing is
 * lost but that. */
void r1_sync_folder_of(const char *path);
/* The end of a file written beside its place: where st is R1_OK it takes path's name, durably;
 * else, or where that fails, tmp is removed. */
r1_status r1_file_settle(r1_status st, const char *tmp, const char *path, r1_err *err);

#endif
