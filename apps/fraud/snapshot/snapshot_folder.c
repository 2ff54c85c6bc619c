/* SPDX-License-Identifier: GPL-3.0-or-later */
/* snapshot_folder.c - see snapshot_folder.h. */
#include "snapshot/snapshot_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_BEFORE "snapshot-"
#define NAME_BEHIND ".r1snap"
#define NAME_OPEN   ".writing"
enum { SEQ_DIGITS = 20 };

void snapshot_name_of(int64_t apply_seq, char name[SNAPSHOT_NAME_BYTES])
{
    snprintf(name, SNAPSHOT_NAME_BYTES, NAME_BEFORE "%0*lld" NAME_BEHIND, SEQ_DIGITS,
             (long long)apply_seq);
}

/* The apply_seq that a name tells; -1 where it is no snapshot's. */
static int64_t seq_of(const char *name)
{
    char again[SNAPSHOT_NAME_BYTES];
    if (strncmp(name, NAME_BEFORE, strlen(NAME_BEFORE)) != 0) return -1;
    errno = 0;
    int64_t seq = strtoll(name + strlen(NAME_BEFORE), NULL, 10);
    if (errno || seq < 0) return -1;
    snapshot_name_of(seq, again);
    return strcmp(again, name) ? -1 : seq;
}

r1_status snapshot_folder_open(const char *path, int *fd, r1_err *err)
{
    char where[256];
    *fd = -1;
    if (!*path) R1_FAIL(err, R1_E_INVAL, "snapshot-dir: expected a folder, found \"\"");
    if (mkdir(path, 0700) && errno != EEXIST)
        R1_FAIL(err, R1_E_IO, "snapshot-dir: making the folder %s: %s%s", path, strerror(errno),
                r1_file_where(path, where, sizeof where));
    *fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd < 0)
        R1_FAIL(err, R1_E_IO, "snapshot-dir: opening %s: %s%s", path, strerror(errno),
                r1_file_where(path, where, sizeof where));
    return R1_OK;
}

static void list_insert(snapshot_list *list, const char *name, int64_t seq)
{
    size_t at = list->n;
    while (at > 0 && list->file[at - 1].apply_seq < seq) at--;
    if (at == SNAPSHOT_FILES_MAX) return;
    if (list->n < SNAPSHOT_FILES_MAX) list->n++;
    memmove(&list->file[at + 1], &list->file[at], (list->n - 1 - at) * sizeof list->file[0]);
    snprintf(list->file[at].name, sizeof list->file[at].name, "%s", name);
    list->file[at].apply_seq = seq;
}

/* Calls fn for each name in the folder. */
static r1_status each_name(int folder, void (*fn)(void *ctx, const char *name), void *ctx,
                           r1_err *err)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* a place of its own */
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        int why = errno;
        if (fd >= 0) close(fd);
        R1_FAIL(err, R1_E_IO, "snapshot-dir: reading the folder: %s", strerror(why));
    }
    for (struct dirent *entry; (entry = readdir(dir));) fn(ctx, entry->d_name);
    closedir(dir);
    return R1_OK;
}

static void on_name(void *ctx, const char *name)
{
    int64_t seq = seq_of(name);
    if (seq >= 0) list_insert(ctx, name, seq);
}

r1_status snapshot_folder_list(int folder, snapshot_list *list, r1_err *err)
{
    list->n = 0;
    return each_name(folder, on_name, list, err);
}

static void remove_open(void *ctx, const char *name)
{
    const int *folder = ctx;
    size_t len = strlen(name), tail = strlen(NAME_OPEN);
    if (len > tail && !strncmp(name, NAME_BEFORE, strlen(NAME_BEFORE)) &&
        !strcmp(name + len - tail, NAME_OPEN))
        unlinkat(*folder, name, 0);
}

void snapshot_folder_clean(int folder) { (void)each_name(folder, remove_open, &folder, NULL); }

int snapshot_folder_lock(int folder)
{
    int fd = openat(folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return -1;
    if (!flock(fd, LOCK_EX | LOCK_NB)) return fd;
    close(fd);
    return -1;
}

/* Whether there was a folder before, a trial file tells what permissions do not. */
r1_status fraud_snapshots_check(const char *folder, r1_err *err)
{
    struct stat info;
    bool there = !stat(folder, &info);
    int fd;
    char trial[64];
    R1_TRY(snapshot_folder_open(folder, &fd, err));
    snprintf(trial, sizeof trial, NAME_BEFORE "%ld" NAME_OPEN, (long)getpid());
    int file = openat(fd, trial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int why = errno;
    if (file >= 0) {
        close(file);
        unlinkat(fd, trial, 0);
    }
    close(fd);
    if (!there) rmdir(folder);
    if (file < 0)
        R1_FAIL(err, R1_E_INVAL,
                "snapshot-dir: expected a folder that can be written, found "
                "\"%s\": %s",
                folder, strerror(why));
    return R1_OK;
}
