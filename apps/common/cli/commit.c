/* SPDX-License-Identifier: Apache-2.0 */
/* commit.c - the commit that a git checkout stands on, read from git's files. A branch lies in a
 * file of its own or as a line of packed-refs. In a worktree .git is a file that names the folder
 * with HEAD, and that folder names the one with the branches. */
#include "cli/r1_cli.h"

#include <stdlib.h>
#include <string.h>

enum { DIGITS = 40, LINE_MAX_BYTES = 4096, PACKED_MAX_BYTES = 1 << 24 };

/* The first line of folder/name into out, which is empty where there is none. */
static bool commit_line(const char *folder, const char *name, char *out)
{
    char path[2 * R1_PATH_BYTES], *text;
    size_t len;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    *out = 0;
    if (r1_file_read(path, LINE_MAX_BYTES - 1, &text, &len, NULL) != R1_OK) return false;
    text[strcspn(text, "\r\n")] = 0;
    snprintf(out, LINE_MAX_BYTES, "%s", text);
    free(text);
    return *out != 0;
}

static bool commit_valid(const char *text) { return strspn(text, "0123456789abcdef") >= DIGITS; }

/* `to`, seen from `from` unless it is absolute; false where the path is too long. */
static bool commit_folder(char *out, const char *from, const char *to)
{
    int n = *to == '/' ? snprintf(out, R1_PATH_BYTES, "%s", to)
                       : snprintf(out, R1_PATH_BYTES, "%s/%s", from, to);
    return n > 0 && n < R1_PATH_BYTES;
}

/* The line "HASH REF" of packed-refs; a line "^HASH" behind it says what a tag points to. */
static bool commit_packed(const char *folder, const char *ref, char *out)
{
    char path[2 * R1_PATH_BYTES], *text;
    size_t len;
    bool found = false;
    snprintf(path, sizeof path, "%s/packed-refs", folder);
    if (r1_file_read(path, PACKED_MAX_BYTES, &text, &len, NULL) != R1_OK) return false;
    for (char *line = text, *next; !found && line && *line; line = next) {
        char *end = strchr(line, '\n');
        next = end ? end + 1 : NULL;
        if (end) *end = 0;
        const char *name = strchr(line, ' ');
        found = commit_valid(line) && name && !strcmp(name + 1, ref);
        if (found) snprintf(out, LINE_MAX_BYTES, "%s", line);
    }
    free(text);
    return found;
}

/* What a branch stands at; `git` has HEAD, and `shared`, often the same, has the branches. */
static bool commit_of_ref(const char *git, const char *shared, const char *ref, char *out)
{
    return commit_line(git, ref, out) || commit_line(shared, ref, out) ||
           commit_packed(shared, ref, out);
}

void r1_cli_commit(const char *root, char *out, size_t size)
{
    static const char link[] = "gitdir: ", branch[] = "ref: ";
    char line[LINE_MAX_BYTES], head[LINE_MAX_BYTES];
    char git[R1_PATH_BYTES], shared[R1_PATH_BYTES];
    snprintf(out, size, "unknown");
    bool linked = commit_line(root, ".git", line) && !strncmp(line, link, sizeof link - 1);
    if (!commit_folder(git, root, linked ? line + sizeof link - 1 : ".git")) return;
    if (!commit_folder(shared, git, commit_line(git, "commondir", line) ? line : ".")) return;
    if (!commit_line(git, "HEAD", head)) return;
    if (!strncmp(head, branch, sizeof branch - 1)) {
        if (!commit_of_ref(git, shared, head + sizeof branch - 1, line)) return;
    } else {
        memcpy(line, head, sizeof line);
    }
    if (commit_valid(line)) snprintf(out, size, "%.*s", DIGITS, line);
}
