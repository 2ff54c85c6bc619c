/* SPDX-License-Identifier: GPL-3.0-or-later */
/* snapshot_folder.h - names and lock of the files of a folder of snapshots.
 *
 * Owns: nothing but what it returns. Threads: one. Errors: R1_E_IO, R1_E_INVAL. */
#ifndef FRAUD_SNAPSHOT_FOLDER_H
#define FRAUD_SNAPSHOT_FOLDER_H

#include "r1_base.h"

enum { SNAPSHOT_NAME_BYTES = 48, SNAPSHOT_FILES_MAX = 256 };

typedef struct {
    char name[SNAPSHOT_NAME_BYTES];
    int64_t apply_seq;
} snapshot_name;

typedef struct { /* newest first */
    size_t n;
    snapshot_name file[SNAPSHOT_FILES_MAX];
} snapshot_list;

void snapshot_name_of(int64_t apply_seq, char name[SNAPSHOT_NAME_BYTES]);
/* Opens the folder, made where it is not there; the folder above it must be. */
r1_status snapshot_folder_open(const char *path, int *fd, r1_err *err);
/* Files with final names. Of more than SNAPSHOT_FILES_MAX the newest. */
r1_status snapshot_folder_list(int folder, snapshot_list *list, r1_err *err);
/* Removes temporary files, which a process that was killed may have left. */
void snapshot_folder_clean(int folder);
/* Whether the folder can be made and written: for config check. What was not there is not there
 * afterwards. R1_E_INVAL where it cannot. */
r1_status fraud_snapshots_check(const char *folder, r1_err *err);
/* -1: another process holds the lock, or it cannot be taken. */
int snapshot_folder_lock(int folder);

#endif
