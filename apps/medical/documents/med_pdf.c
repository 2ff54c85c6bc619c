/* SPDX-License-Identifier: Apache-2.0 */
/* med_pdf.c - the text layer of a PDF. pdftotext of poppler-utils reads it in a process of its own,
 * so that a broken file costs that process alone: it gets PDF_SECONDS of processor time and
 * PDF_MEMORY of address space. Columns stay side by side, so that a table's label and value do;
 * med_columns.c parts those of prose. */
#include "documents/med_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PDF_SECONDS = 20, PDF_POLL_MS = 30000 };
#define PDF_MEMORY ((rlim_t)1 << 30)

extern char **environ;

typedef struct {
    int in, out; /* our ends */
    pid_t pid;
} pdf_child;

/* Its input is a socket, as a write to one that is closed can be told to raise no signal. */
static r1_status pdf_start(pdf_child *c, const char *what, r1_err *err)
{
    static char *const args[] = {"pdftotext", "-q",   "-layout", "-enc", "UTF-8",
                                 "-eol",      "unix", "-",       "-",    NULL};
    int to[2] = {-1, -1}, from[2] = {-1, -1};
    posix_spawn_file_actions_t files;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, to) != 0 ||
        pipe2(from, O_CLOEXEC) != 0) {
        if (to[0] >= 0) close(to[0]), close(to[1]);
        R1_FAIL(err, R1_E_IO, "%s: no pipe to read a PDF: %s", what, strerror(errno));
    }
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, to[0], 0);
    posix_spawn_file_actions_adddup2(&files, from[1], 1);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    int failed = posix_spawnp(&c->pid, args[0], &files, NULL, args, environ);
    posix_spawn_file_actions_destroy(&files);
    close(to[0]);
    close(from[1]);
    c->in = to[1];
    c->out = from[0];
    if (failed) {
        close(c->in);
        close(c->out);
        R1_FAIL(err, R1_E_NOT_FOUND,
                "%s: a PDF is read by pdftotext, which cannot be started (%s): install the package "
                "poppler-utils, or give the record as text",
                what, strerror(failed));
    }
    const struct rlimit seconds = {PDF_SECONDS, PDF_SECONDS}, memory = {PDF_MEMORY, PDF_MEMORY};
    prlimit(c->pid, RLIMIT_CPU, &seconds, NULL);
    prlimit(c->pid, RLIMIT_AS, &memory, NULL);
    return R1_OK;
}

/* Feeds and reads at once, as neither pipe holds a whole file. false: it stood still too long. */
static bool pdf_exchange(const pdf_child *c, int *in, const char *s, size_t len, med_prose *p)
{
    char part[16384];
    fcntl(*in, F_SETFL, O_NONBLOCK);
    for (;;) {
        struct pollfd fd[2] = {{c->out, POLLIN, 0}, {*in, POLLOUT, 0}};
        int ready = poll(fd, *in >= 0 ? 2 : 1, PDF_POLL_MS);
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) return false;
        if (*in >= 0 && fd[1].revents) {
            ssize_t n = len ? send(*in, s, len, MSG_NOSIGNAL) : 0;
            if (n > 0) s += n, len -= (size_t)n;
            if (len == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
                close(*in);
                *in = -1;
            }
        }
        if (!fd[0].revents) continue;
        ssize_t got = read(c->out, part, sizeof part);
        if (got == 0) return true;
        if (got > 0) med_prose_add(p, part, (size_t)got);
        if (p->status != R1_OK) return true;
    }
}

static int pdf_run(pdf_child *c, const char *s, size_t len, med_prose *p, bool *still)
{
    int status = 0, in = c->in;
    *still = !pdf_exchange(c, &in, s, len, p);
    if (in >= 0) close(in);
    close(c->out);
    if (*still || p->status != R1_OK) kill(c->pid, SIGKILL);
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR) continue;
    return status;
}

static bool pdf_has_words(const med_prose *p)
{
    size_t letters = 0;
    for (size_t i = 0; i < p->n; i++) letters += (unsigned char)p->s[i] > ' ' && p->s[i] != '\f';
    return letters >= 3;
}

r1_status med_pdf_text(med_document *d, const char *what, const char *s, size_t len, r1_err *err)
{
    pdf_child c;
    med_prose p = {0};
    bool still = false;
    R1_TRY(pdf_start(&c, what, err));
    int status = pdf_run(&c, s, len, &p, &still);
    bool good = p.status == R1_OK && !still && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (p.status == R1_OK && (!good || !pdf_has_words(&p))) {
        free(p.s);
        if (still || (WIFSIGNALED(status) && !good))
            R1_FAIL(err, R1_E_FORMAT,
                    "%s: pdftotext did not come to an end within its bounds (%d s, %llu MiB): give "
                    "the record as text",
                    what, PDF_SECONDS, (unsigned long long)(PDF_MEMORY >> 20));
        if (!good && WIFEXITED(status) && WEXITSTATUS(status) == 3)
            R1_FAIL(err, R1_E_FORMAT,
                    "%s: its author forbade to take the text out, or it needs a password: save an "
                    "open copy",
                    what);
        if (!good)
            R1_FAIL(err, R1_E_FORMAT, "%s: pdftotext cannot read this PDF (exit %d)", what,
                    WIFEXITED(status) ? WEXITSTATUS(status) : -1);
        R1_FAIL(err, R1_E_FORMAT,
                "%s: a PDF without a text layer, as of a scanner: run text recognition (OCR) first",
                what);
    }
    return med_prose_finish(&p, d, what, err);
}
