/* SPDX-License-Identifier: Apache-2.0 */
/* sync.h - what the rooms of core share beyond r1_base.h about files. */
#ifndef R1_SYNC_H
#define R1_SYNC_H

/* Makes a rename into the folder of path durable; where the folder cannot be opened, nothing is lost but that. */
void r1_sync_folder_of(const char *path);

#endif
