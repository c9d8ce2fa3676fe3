/* rows.h: what must hold for every malformed file that is given to a reader of the library.
 *
 * A row is data: its code, the bytes, the status and parts of the text. The runner copies the bytes to memory
 * of exactly their length (so that a read past the end is seen), counts what the reader allocates, and holds:
 * the status, a text that is one line WHERE: found; wanted; what to do, no block left, at most four times
 * the file and 16 MiB in use at once; and again with each allocation failing in turn. */
#ifndef CT_TESTS_ROWS_H
#define CT_TESTS_ROWS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "cotan/base.h"
#include "meter.h"

/* Reads `bytes` bytes and frees what it made of them. */
typedef ct_status (*rows_reader)(const ct_allocator *a, const void *data, uint64_t bytes, ct_err *e);

static inline void rows_one_line(const char *code, const ct_err *e) {
    const char *wanted = strstr(e->text, "; wanted ");
    if (!wanted || !strstr(wanted + 2, "; ") || !strstr(e->text, ": ") || strchr(e->text, '\n'))
        fail_msg("%s: \"%s\"; wanted WHERE: found; wanted; what to do", code, e->text);
}

static inline void rows_refused(const char *code, rows_reader read, const void *data, uint64_t n,
                                ct_status status, const char *part) {
    void *exact = malloc(n ? n : 1);
    meter m = METER;
    ct_allocator a = meter_hook(&m);
    ct_err e = {0};
    assert_non_null(exact);
    if (n) memcpy(exact, data, n);
    ct_status found = read(&a, exact, n, &e);
    if (found != status || e.status != (int32_t)status)
        fail_msg("%s: status %d; wanted %d (%s)", code, (int)found, (int)status, e.text);
    if (!strstr(e.text, part)) fail_msg("%s: \"%s\"; wanted \"%s\"", code, e.text, part);
    rows_one_line(code, &e);
    if (m.live || m.live_bytes) fail_msg("%s: %lld blocks are lost", code, (long long)m.live);
    if (m.most_bytes > (int64_t)(4 * n + (16u << 20)))
        fail_msg("%s: %lld bytes in use for a file of %lld", code, (long long)m.most_bytes, (long long)n);
    for (int64_t k = 0; k < 2 * m.calls && k < 128; k++) {
        meter f = METER;
        f.fail_at = k / 2, f.persistent = k % 2 != 0;
        ct_err inner = {0};
        a.user = &f;
        found = read(&a, exact, n, &inner);
        if ((found != status && found != CT_ELIMIT) || !inner.text[0] || f.live)
            fail_msg("%s: with allocation %lld failing: status %d, %lld blocks are lost (%s)", code,
                     (long long)k / 2, (int)found, (long long)f.live, inner.text);
    }
    free(exact);
}

/* The same reader on what is right: 1 when read; every allocation failing in turn is CT_ELIMIT without a leak. */
static inline int64_t rows_accepted(const char *code, rows_reader read, const void *data, uint64_t n) {
    meter m = METER;
    ct_allocator a = meter_hook(&m);
    ct_err e = {0};
    if (read(&a, data, n, &e)) fail_msg("%s: %s", code, e.text);
    if (m.live) fail_msg("%s: %lld blocks are lost", code, (long long)m.live);
    for (int64_t k = 0; k < 2 * m.calls && k < 128; k++) {
        meter f = METER;
        f.fail_at = k / 2, f.persistent = k % 2 != 0;
        ct_err inner = {0};
        a.user = &f;
        ct_status found = read(&a, data, n, &inner);
        if (found != CT_ELIMIT || !inner.text[0] || f.live)
            fail_msg("%s: with allocation %lld failing: status %d, %lld blocks are lost (%s)", code,
                     (long long)k / 2, (int)found, (long long)f.live, inner.text);
    }
    return m.most_bytes;
}

#endif
