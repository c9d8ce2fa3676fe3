/* cotan/base.h: the ground that every room stands on, public so that readers, ops and tools outside the
 * library can be written with the same care: status codes and error text, memory, checked sizes, bounded
 * reading, atomic writing, random numbers, hashing, growing text.
 *
 * Rules that hold everywhere: a call that can fail returns ct_status; out-parameters are set on success
 * only; nothing prints, exits, aborts or reads the environment. Unless a line says otherwise, functions
 * may be called from any thread on different objects. */
#ifndef COTAN_BASE_H
#define COTAN_BASE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define CT_API __attribute__((visibility("default")))
#define CT_PRINTF(a, b) __attribute__((format(printf, a, b)))
#else
#define CT_API
#define CT_PRINTF(a, b)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- status and errors ---- */

/* The numbers are the exit codes of the command. */
typedef enum ct_status {
    CT_OK = 0,
    CT_EINTERNAL = 1,  /* a promise of the library itself is broken */
    CT_EUSAGE = 2,     /* a wrong call, option or shape */
    CT_EDATA = 3,      /* bad bytes in a file or record */
    CT_EIO = 4,        /* the operating system refused */
    CT_ELIMIT = 5,     /* a stated limit, or memory */
    CT_ENONFINITE = 6, /* NaN or infinity where numbers must be finite */
    CT_EPEER = 7,      /* another process of the same job was lost */
    CT_ECANCEL = 8     /* stopped on request, by cancel flag or deadline */
} ct_status;

#define CT_ERROR_TEXT 1000

/* The text of what failed. Zero-initialise. The first error stays: later ones do not overwrite it.
 * `text` is one line, "WHERE: found; wanted; what to do", non-printing bytes escaped. */
typedef struct ct_err {
    int32_t status; /* a ct_status */
    int32_t column; /* > 0: `file` is text, `pos` a line and this the column, both from 1 */
    int64_t pos;    /* else a byte offset in `file`; -1: unknown */
    char file[256]; /* the file the error is about, or "" */
    char text[CT_ERROR_TEXT];
} ct_err;

/* Record an error (if none is recorded yet) and return `status`. `e` may be NULL. */
CT_API ct_status ct_fail(ct_err *e, ct_status status, const char *format, ...) CT_PRINTF(3, 4);
/* The same, for a place in a file: the text becomes "FILE:@POS: ..." (pos >= 0) or "FILE: ...". */
CT_API ct_status ct_fail_at(ct_err *e, ct_status status, const char *file, int64_t pos, const char *format,
                            ...) CT_PRINTF(5, 6);
/* The same, for a place in a text, line and column from 1: "FILE:LINE:COLUMN: ...". */
CT_API ct_status ct_fail_line(ct_err *e, ct_status status, const char *file, int32_t line, int32_t column,
                              const char *format, ...) CT_PRINTF(6, 7);
CT_API void ct_error_clear(ct_err *e);
/* "usage", "data", "io", "limit", ... Static storage. */
CT_API const char *ct_status_name(ct_status status);

/* ---- checked sizes: 1 and *out set when the result fits in 64 bits, else 0 ---- */
static inline int ct_mul_ok(uint64_t a, uint64_t b, uint64_t *out) {
    if (a != 0 && b > UINT64_MAX / a) return 0;
    *out = a * b;
    return 1;
}
static inline int ct_add_ok(uint64_t a, uint64_t b, uint64_t *out) {
    if (b > UINT64_MAX - a) return 0;
    *out = a + b;
    return 1;
}

/* ---- memory ---- */

/* The allocator hook. `allocate` returns memory aligned to 64 bytes, or NULL; `release` gets the size
 * that was asked for. Both must be callable from any thread. A zeroed ct_allocator means the default
 * (aligned_alloc and free; from 2 MB on, mappings that ask for huge pages). */
typedef struct ct_allocator {
    void *(*allocate)(void *user, size_t bytes);
    void (*release)(void *user, void *memory, size_t bytes);
    void *user;
} ct_allocator;

/* `a` may be NULL (default). Zero bytes give a valid pointer. Memory is zeroed. */
CT_API void *ct_new(const ct_allocator *a, size_t bytes);
CT_API void *ct_new_array(const ct_allocator *a, uint64_t count, uint64_t size); /* NULL on overflow too */
CT_API void ct_delete(const ct_allocator *a, void *memory, size_t bytes);        /* NULL is fine */
/* Memory of the same contents and `bytes` long, the rest zeroed; NULL leaves the old one untouched. */
CT_API void *ct_resize(const ct_allocator *a, void *memory, size_t old_bytes, size_t bytes);

/* An arena: allocations freed together. Zero-initialise, set `allocator` (or leave it NULL). */
typedef struct ct_arena {
    const ct_allocator *allocator; /* must outlive the arena */
    struct ct_arena_chunk *chunk;
    uint64_t bytes; /* taken from the allocator so far */
} ct_arena;
CT_API void *ct_arena_new(ct_arena *a, uint64_t bytes); /* zeroed, aligned to 16; NULL when out of memory */
CT_API void *ct_arena_array(ct_arena *a, uint64_t count, uint64_t size);
CT_API char *ct_arena_text(ct_arena *a, const char *text); /* a copy */
CT_API char *ct_arena_format(ct_arena *a, const char *format, ...) CT_PRINTF(2, 3);
CT_API void ct_arena_free(ct_arena *a); /* everything; the arena may be used again */

/* ---- growing text ---- */
typedef struct ct_text {
    const ct_allocator *allocator;
    char *data; /* NUL-terminated, or NULL when empty */
    size_t length, capacity;
    int32_t failed; /* an append ran out of memory; checked once at the end */
    int32_t reserved;
} ct_text;
CT_API void ct_text_add(ct_text *t, const char *text);
CT_API void ct_text_bytes(ct_text *t, const char *bytes, size_t length);
CT_API void ct_text_format(ct_text *t, const char *format, ...) CT_PRINTF(2, 3);
CT_API void ct_text_free(ct_text *t);
/* Numbers as text and back, independent of the locale (always '.'). */
/* The shortest form that reads back equal; nan, inf, -inf. */
CT_API void ct_text_number(ct_text *t, double value);
/* The whole of `text` as a number: 1 and *out set, or 0 (empty, hex, spaces, trailing bytes, out of range). */
CT_API int ct_parse_number(const char *text, double *out);
CT_API int ct_parse_integer(const char *text, int64_t *out);

/* ---- random numbers: Philox4x32-10 (Salmon et al. 2011) ----
 * A counter-based generator: the same (key, counter) gives the same four words, on any machine, in any
 * order, from any thread. */
CT_API void ct_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
typedef struct ct_random { /* a stream: draws in sequence from (seed, stream) */
    uint32_t key[2];
    uint32_t counter[4];
    uint32_t word[4];
    int32_t used; /* words of `word` given out */
    int32_t reserved;
} ct_random;
CT_API ct_random ct_random_stream(uint64_t seed, uint64_t stream);
CT_API uint32_t ct_random_u32(ct_random *r);
CT_API uint64_t ct_random_below(ct_random *r, uint64_t n); /* uniform in 0..n-1 without bias; n >= 1 */
CT_API double ct_random_uniform(ct_random *r);             /* [0, 1), 53 bits */
CT_API double ct_random_normal(ct_random *r);              /* standard normal, Box-Muller */

/* ---- hashing: xxHash (XXH3) ---- */
CT_API uint64_t ct_hash64(const void *data, size_t bytes, uint64_t seed);
typedef struct ct_hash128 {
    uint64_t low, high;
} ct_hash128;
CT_API ct_hash128 ct_hash_bytes(const void *data, size_t bytes);
CT_API void ct_hash_hex(ct_hash128 hash, char out[33]); /* 32 lower-case digits, high word first, NUL */
/* An incremental xxh3-128. */
typedef struct ct_hasher ct_hasher;
CT_API ct_hasher *ct_hasher_new(const ct_allocator *a); /* NULL: out of memory */
CT_API void ct_hasher_add(ct_hasher *h, const void *data, size_t bytes);
CT_API ct_hash128 ct_hasher_end(ct_hasher *h); /* may be called at any time; does not reset */
CT_API void ct_hasher_free(ct_hasher *h);

/* ---- threads ---- */

/* Run tasks 0..count-1 on up to `threads` threads (the caller is one of them, and alone for 1), started for this call,
 * and return when all are done. task(job, number, thread): which thread runs which is not determined; thread 0 is the
 * caller. CT_ELIMIT: no memory. With fewer threads than asked for, where the system refuses more, all tasks are run all the same. */
CT_API ct_status ct_parallel(const ct_allocator *a, int32_t threads,
                             void (*task)(void *job, int64_t number, int32_t thread), void *job,
                             int64_t count, ct_err *e);
/* Signals are the host program's. Threads made by this one between the two take none but faults (ct_parallel's are made
 * so). 1, or 0: nothing was blocked. */
typedef struct ct_signals {
    uint64_t mask[16]; /* of the calling thread, the system's */
} ct_signals;
CT_API int ct_signals_block(ct_signals *old);
CT_API void ct_signals_restore(const ct_signals *old);

/* ---- files ---- */

/* The file-operations seam: every file the library touches goes through such a table, so that a test can
 * fail, shorten or lose any operation. Semantics and return values are POSIX's (errno set on -1). A NULL
 * table, or NULL members, mean the operating system's own. */
typedef struct ct_files {
    void *user;
    int (*open)(void *user, const char *path, int flags, int mode);
    int64_t (*read)(void *user, int fd, void *buffer, size_t bytes);
    int64_t (*write)(void *user, int fd, const void *buffer, size_t bytes);
    int (*fsync)(void *user, int fd);
    int (*close)(void *user, int fd);
    int (*rename)(void *user, const char *from, const char *to);
    int (*unlink)(void *user, const char *path);
    int (*mkdir)(void *user, const char *path, int mode);
} ct_files;

/* A whole file in memory. Refuses what is not a regular file (CT_EIO) and more than `limit` bytes
 * (CT_ELIMIT; 0 = no limit but memory). Short reads and EINTR are retried; a file that shrinks or grows
 * while it is read is CT_EIO "changed while reading". *data is freed with ct_delete(a, data, bytes). */
CT_API ct_status ct_file_read(const ct_files *f, const ct_allocator *a, const char *path, uint64_t limit,
                              void **data, uint64_t *bytes, ct_err *e);

/* Atomic replacement: temporary file in the same folder, write, fsync, rename, fsync of the folder. The
 * old file stays as it is until the rename. */
typedef struct ct_writer ct_writer;
CT_API ct_status ct_writer_open(const ct_files *f, const ct_allocator *a, const char *path, ct_writer **w,
                                ct_err *e);
CT_API ct_status ct_writer_write(ct_writer *w, const void *data, uint64_t bytes, ct_err *e);
/* Make it the file. The writer is freed in any case; on failure the temporary file is removed. */
CT_API ct_status ct_writer_commit(ct_writer *w, ct_err *e);
CT_API void ct_writer_abandon(ct_writer *w); /* remove the temporary file, free; NULL is fine */
CT_API ct_status ct_file_write(const ct_files *f, const ct_allocator *a, const char *path, const void *data,
                               uint64_t bytes, ct_err *e);
/* Remove the temporary files that killed writers of `path` left. Only where nobody else may be writing it. */
CT_API void ct_writer_clean(const ct_files *f, const char *path);

/* Append to a file and sync it; made when absent, its folder is synced too. When it fails, a part may stand at the
 * end. */
CT_API ct_status ct_file_append(const ct_files *f, const char *path, const void *data, uint64_t bytes,
                                ct_err *e);
/* Over what is there. The folder is not synced. */
CT_API ct_status ct_file_rename(const ct_files *f, const char *from, const char *to, ct_err *e);
/* A file that is not there is fine. The folder is not synced. */
CT_API ct_status ct_file_remove(const ct_files *f, const char *path, ct_err *e);
/* Make a folder and sync the one it stands in. *made: 0 when it was there already. */
CT_API ct_status ct_folder_make(const ct_files *f, const char *path, int32_t *made, ct_err *e);
/* Make the names in the folder of the file `path` last over a power loss. */
CT_API ct_status ct_folder_sync(const ct_files *f, const char *path, ct_err *e);

/* A file that one process at a time holds, its pid as text inside; the kernel releases it with the process.
 * CT_EIO, naming that pid, when another holds it. *lock is given to ct_file_unlock, which empties the file, or
 * removes it. */
CT_API ct_status ct_file_lock(const ct_files *f, const char *path, int32_t *lock, ct_err *e);
CT_API void ct_file_unlock(const ct_files *f, const char *path, int32_t lock, int32_t remove);

/* The one bounded reader: every binary format is read through it; it never passes its end. */
typedef struct ct_reader {
    const uint8_t *base;
    uint64_t end, pos;
    const char *file; /* for error texts */
} ct_reader;
CT_API ct_reader ct_reader_of(const void *data, uint64_t bytes, const char *file);
/* `bytes` bytes at the position, or NULL and CT_EDATA recorded ("file:@pos: N bytes left; wanted M ..."). */
CT_API const uint8_t *ct_reader_take(ct_reader *r, uint64_t bytes, const char *what, ct_err *e);
CT_API ct_status ct_reader_u8(ct_reader *r, uint8_t *out, const char *what, ct_err *e);
CT_API ct_status ct_reader_u16le(ct_reader *r, uint16_t *out, const char *what, ct_err *e);
CT_API ct_status ct_reader_u32le(ct_reader *r, uint32_t *out, const char *what, ct_err *e);
CT_API ct_status ct_reader_u32be(ct_reader *r, uint32_t *out, const char *what, ct_err *e);
CT_API ct_status ct_reader_u64le(ct_reader *r, uint64_t *out, const char *what, ct_err *e);

/* Text made safe for one line: control bytes and invalid UTF-8 as \xNN. Returns `out`. */
CT_API const char *ct_escape(const char *text, char *out, size_t capacity);
CT_API const char *ct_group_digits(int64_t n, char out[32]); /* 60,000; returns out */
/* The nearest of `count` names to `word` by edit distance, or NULL when none is near. */
CT_API const char *ct_nearest(const char *word, const char *const *names, size_t count);

#ifdef __cplusplus
}
#endif
#endif
