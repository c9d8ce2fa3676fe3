/* err.c: what failed, in one line.
 *
 * An error is a record that the caller owns, so nothing is global and two threads never share one. The
 * first error stays: when one failure makes a chain of calls fail, the cause is what the user reads. Text
 * that came from a file or a user may hold anything, so every text passes ct_escape before it is kept: a
 * record is always one line of valid UTF-8 that a terminal cannot be tricked by. */
#include "cotan/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the printable UTF-8 sequence at `s` (NUL-terminated), or 0: a control character, or invalid. */
static size_t printable(const unsigned char *s) {
    unsigned char c = s[0];
    if (c < 0x80) return c >= 0x20 && c != 0x7F;
    size_t n = c >= 0xC2 && c <= 0xDF ? 2 : (c & 0xF0) == 0xE0 ? 3 : c >= 0xF0 && c <= 0xF4 ? 4 : 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80) return 0;
    if (n == 2 && c == 0xC2 && s[1] < 0xA0) return 0; /* C1 controls */
    if (n == 3 && ((c == 0xE0 && s[1] < 0xA0) || (c == 0xED && s[1] > 0x9F)))
        return 0; /* overlong, surrogates */
    if (n == 3 && c == 0xE2 && s[1] == 0x80 && (s[2] == 0xA8 || s[2] == 0xA9)) return 0; /* line separators */
    if (n == 4 && ((c == 0xF0 && s[1] < 0x90) || (c == 0xF4 && s[1] > 0x8F))) return 0;
    return n;
}

const char *ct_escape(const char *text, char *out, size_t capacity) {
    static const char hex[] = "0123456789abcdef";
    const unsigned char *s = (const unsigned char *)(text ? text : "");
    size_t used = 0;
    if (capacity == 0) return out;
    while (*s) {
        size_t n = printable(s), wanted = n ? n : 4;
        if (wanted >= capacity - used) break; /* a character is never cut */
        if (n) {
            memcpy(out + used, s, n);
        } else {
            out[used] = '\\';
            out[used + 1] = 'x';
            out[used + 2] = hex[*s >> 4];
            out[used + 3] = hex[*s & 15];
        }
        used += wanted;
        s += n ? n : 1;
    }
    out[used] = 0;
    return out;
}

/* `raw` is longer than the text it becomes, and escaping never shortens: a character that the formatting
 * cut at the end of `raw` lies beyond what is kept. */
#define RAW_TEXT (CT_ERROR_TEXT + 8)

static void record(ct_err *e, ct_status status, const char *file, int64_t pos, const char *raw) {
    e->status = (int32_t)status;
    e->column = 0;
    e->pos = pos >= 0 ? pos : -1;
    ct_escape(file, e->file, sizeof e->file);
    ct_escape(raw, e->text, sizeof e->text);
}

#define LONG_NAME 480 /* of a file: longer ones lose their middle, or the text would have no room */

static const char *short_name(const char *file, char out[LONG_NAME + 8]) {
    size_t n = file ? strlen(file) : 0;
    if (n <= LONG_NAME) return file ? file : "";
    snprintf(out, LONG_NAME + 8, "%.*s...%s", LONG_NAME / 2, file, file + n - LONG_NAME / 2);
    return out;
}

/* The text is WHERE followed by what the format makes. */
static void compose(ct_err *e, ct_status status, const char *file, int64_t pos, const char *where,
                    const char *format, va_list args) {
    char raw[RAW_TEXT];
    int n = snprintf(raw, sizeof raw, "%s", where);
    if (n < 0) n = 0;
    if ((size_t)n < sizeof raw && vsnprintf(raw + n, sizeof raw - (size_t)n, format, args) < 0) raw[n] = 0;
    record(e, status, file, pos, raw);
}

static int takes(const ct_err *e, ct_status status) {
    return e && e->status == CT_OK && status != CT_OK; /* the first error stays */
}

ct_status ct_fail(ct_err *e, ct_status status, const char *format, ...) {
    va_list args;
    if (!takes(e, status)) return status;
    va_start(args, format);
    compose(e, status, "", -1, "", format, args);
    va_end(args);
    return status;
}

ct_status ct_fail_at(ct_err *e, ct_status status, const char *file, int64_t pos, const char *format, ...) {
    char where[RAW_TEXT], name[LONG_NAME + 8];
    va_list args;
    if (!takes(e, status)) return status;
    if (pos >= 0)
        snprintf(where, sizeof where, "%s:@%lld: ", short_name(file, name), (long long)pos);
    else
        snprintf(where, sizeof where, "%s: ", short_name(file, name));
    va_start(args, format);
    compose(e, status, file, pos, where, format, args);
    va_end(args);
    return status;
}

ct_status ct_fail_line(ct_err *e, ct_status status, const char *file, int32_t line, int32_t column,
                       const char *format, ...) {
    char where[RAW_TEXT], name[LONG_NAME + 8];
    va_list args;
    if (!takes(e, status)) return status;
    snprintf(where, sizeof where, "%s:%d:%d: ", short_name(file, name), line, column);
    va_start(args, format);
    compose(e, status, file, line, where, format, args);
    va_end(args);
    e->column = column;
    return status;
}

void ct_error_clear(ct_err *e) {
    if (!e) return;
    memset(e, 0, sizeof *e);
    e->pos = -1;
}

const char *ct_status_name(ct_status status) {
    switch (status) {
        case CT_OK:
            return "ok";
        case CT_EINTERNAL:
            return "internal";
        case CT_EUSAGE:
            return "usage";
        case CT_EDATA:
            return "data";
        case CT_EIO:
            return "io";
        case CT_ELIMIT:
            return "limit";
        case CT_ENONFINITE:
            return "nonfinite";
        case CT_EPEER:
            return "peer";
        case CT_ECANCEL:
            return "cancel";
    }
    return "unknown";
}
