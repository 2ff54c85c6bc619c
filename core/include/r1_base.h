/* SPDX-License-Identifier: Apache-2.0 */
/* r1_base.h - what every room shares: status and error object, arenas, log callback, random
 * numbers, time, files, a progress line.
 *
 * Nothing here exits or reads the environment, and only r1_progress prints.
 *
 * Errors:  are returned. Zero is success everywhere. The message lies in an object that the
 *          caller owns, so that it can cross threads.
 * Owns:    what a function allocates is the caller's, and its comment says what releases it.
 * Threads: any, one at a time on each object; r1_log_set before threads start. */
#ifndef R1_BASE_H
#define R1_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define R1_API          __attribute__((visibility("default")))
#define R1_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define R1_COUNT(a)     (sizeof(a) / sizeof((a)[0]))
/* A constant's value as a literal: R1_TEXT_OF(R1_DEFAULT_LR) is "0.002". */
#define R1_TEXT_OF(constant) R1_QUOTE(constant)
#define R1_QUOTE(value)      #value

/* ---- status and error ------------------------------------------------------------------------ */

typedef enum {
    R1_OK = 0,
    R1_E_INVAL,     /* an argument or setting is wrong; the same call fails again */
    R1_E_NOMEM,     /* memory or a declared maximum is exhausted */
    R1_E_FORMAT,    /* bytes from outside do not have the form they must have */
    R1_E_IO,        /* the operating system refused a read, write, open or connect */
    R1_E_DEVICE,    /* an accelerator failed or is absent */
    R1_E_DB,        /* PostgreSQL answered with an error */
    R1_E_STREAM,    /* the broker answered with an error */
    R1_E_TIMEOUT,   /* a deadline passed */
    R1_E_AGAIN,     /* not now: try again later */
    R1_E_FENCED,    /* another owner has taken over; what was in hand must be dropped */
    R1_E_NOT_FOUND, /* the named thing does not exist */
    R1_E_CANCELLED  /* the user or a signal asked to stop */
} r1_status;

typedef struct r1_err {
    r1_status code;
    bool retriable; /* the same input may succeed later */
    bool fatal;     /* the handle that failed is finished: free it */
    const char *file;
    int line;
    char msg[384]; /* what, where, expected, found */
} r1_err;

/* Fills err (NULL accepted) and returns code, so that it can stand in a return statement. Flags
 * default from the code. */
R1_API r1_status r1_err_set(r1_err *err, r1_status code, const char *file, int line,
                            const char *fmt, ...) R1_PRINTF(5, 6);
/* Puts context before the present message ("reading config.ini: ..."). */
R1_API void r1_err_prefix(r1_err *err, const char *fmt, ...) R1_PRINTF(2, 3);
R1_API void r1_err_clear(r1_err *err);
R1_API const char *r1_status_name(r1_status code);

#define R1_FAIL(err, code, ...) return r1_err_set((err), (code), __FILE__, __LINE__, __VA_ARGS__)
#define R1_TRY(expr)                                                                               \
    do {                                                                                           \
        r1_status r1_try_st_ = (expr);                                                             \
        if (r1_try_st_ != R1_OK) return r1_try_st_;                                                \
    } while (0)

/* ---- arenas ---------------------------------------------------------------------------------- */

/* A region named by its lifetime (process, model, session, batch). Memory is zeroed, 64-byte
 * aligned, and released all at once. One thread at a time. bytes_max bounds it for ever: an
 * allocation that would pass it returns NULL. */
typedef struct r1_arena r1_arena;
R1_API r1_status r1_arena_new(r1_arena **out, size_t bytes_max, r1_err *err);
R1_API void r1_arena_free(r1_arena *a);  /* NULL is fine */
R1_API void r1_arena_reset(r1_arena *a); /* keeps the blocks, forgets the contents */
/* NULL when exhausted or count * size overflows. */
R1_API void *r1_arena_alloc(r1_arena *a, size_t count, size_t size);
/* len bytes of s and a NUL behind them. */
R1_API char *r1_arena_strdup(r1_arena *a, const char *s, size_t len);
R1_API size_t r1_arena_used(const r1_arena *a);

/* realloc(p, count * size) with an overflow check; on failure returns NULL and leaves p alone. */
R1_API void *r1_realloc_array(void *p, size_t count, size_t size);
/* 64-byte aligned, zeroed; free() releases it. */
R1_API void *r1_calloc_aligned(size_t count, size_t size);

/* ---- log ------------------------------------------------------------------------------------- */

typedef enum { R1_LOG_ERROR = 0, R1_LOG_WARN, R1_LOG_INFO, R1_LOG_DEBUG } r1_log_level;
/* One event: a stable name ("offset_fenced") and the text "key=value key=value". Called from any
 * thread. */
typedef void (*r1_log_fn)(void *ctx, r1_log_level level, const char *event, const char *text);
/* Before threads start; fn NULL: silence. */
R1_API void r1_log_set(r1_log_fn fn, void *ctx, r1_log_level max_level);
R1_API void r1_log(r1_log_level level, const char *event, const char *fmt, ...) R1_PRINTF(3, 4);

/* ---- random numbers -------------------------------------------------------------------------- */

/* xoshiro256++ (Blackman and Vigna 2019), seeded by splitmix64: the same seed gives the same
 * numbers everywhere. */
typedef struct {
    uint64_t s[4];
} r1_rng;
R1_API void r1_rng_seed(r1_rng *r, uint64_t seed);
R1_API uint64_t r1_rng_u64(r1_rng *r);
R1_API uint64_t r1_rng_below(r1_rng *r, uint64_t n); /* 0..n-1, unbiased; n > 0 */
R1_API double r1_rng_unit(r1_rng *r);                /* [0, 1) with 53 bits */
R1_API double r1_rng_normal(r1_rng *r);              /* mean 0, variance 1 */
R1_API double r1_rng_exponential(r1_rng *r, double mean);

/* ---- time, hashes, files --------------------------------------------------------------------- */

R1_API int64_t r1_time_us(void); /* microseconds since 1970, wall clock */
R1_API int64_t r1_mono_us(void); /* microseconds of a clock that never goes back */
/* Stable across machines and versions. */
R1_API uint64_t r1_hash64(const void *data, size_t len, uint64_t seed);
/* Of more bytes behind those that gave crc; crc 0: the first ones. */
R1_API uint32_t r1_crc32c(const void *data, size_t len, uint32_t crc);

/* Of a relative path ": a relative path, looked for as /FOLDER/PATH, from where the program was
 * started", else "". Returns text. */
R1_API const char *r1_file_where(const char *path, char *text, size_t size);
/* The error of a path that could not be opened, by errno and r1_file_where. Returns code. */
R1_API r1_status r1_file_refuse(const char *path, r1_status code, int why, r1_err *err);
/* Reads a whole file of at most bytes_max; *data is malloc'ed and has a NUL after its last byte. */
R1_API r1_status r1_file_read(const char *path, size_t bytes_max, char **data, size_t *len,
                              r1_err *err);
/* Whether what lies at path is written in place: a device, a pipe, a socket. A rename would put a
 * file in its place. */
R1_API bool r1_file_is_stream(const char *path);
/* Writes to a temporary beside path, fsyncs, renames, fsyncs the folder: the old or the new
 * file, never half of one. A symbolic link stays, and the file that it names is replaced. A device
 * or a pipe gets the bytes and stays what it is. */
R1_API r1_status r1_file_write(const char *path, const void *data, size_t len, r1_err *err);
/* mkdir -p, mode 0700 for what it makes. */
R1_API r1_status r1_mkdirs(const char *path, r1_err *err);

/* A progress line on standard error: redrawn on a terminal, one line per tenth elsewhere. total
 * 0: unknown. */
typedef struct r1_progress {
    const char *what;
    uint64_t total;
    int64_t start_us, last_us;
    int last_decile;
    bool tty;
} r1_progress;
R1_API void r1_progress_begin(r1_progress *p, const char *what, uint64_t total);
R1_API void r1_progress_update(r1_progress *p, uint64_t done, const char *note);
R1_API void r1_progress_end(r1_progress *p, uint64_t done, const char *note);

#endif
