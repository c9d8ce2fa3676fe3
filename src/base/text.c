/* text.c: text that grows, and numbers as text.
 *
 * Appends do not return a status: running out of memory is remembered in the text and checked once at the
 * end, so that printing code stays a plain sequence of lines.
 *
 * Numbers are written and read in the "C" locale whatever the host program has set, by POSIX's per-thread
 * locales; a file written under one language reads back under any other. */
#include "cotan/base.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- growing ---- */

static int reserve(ct_text *t, size_t more) {
    uint64_t wanted;
    if (t->failed) return 0;
    if (!ct_add_ok(t->length, more, &wanted) || wanted > (uint64_t)PTRDIFF_MAX / 4) {
        t->failed = 1;
        return 0;
    }
    if (wanted < t->capacity) return 1;
    size_t capacity = t->capacity ? t->capacity * 2 : 64;
    while (capacity <= wanted) capacity *= 2;
    char *data = ct_resize(t->allocator, t->data, t->capacity, capacity);
    if (!data) {
        t->failed = 1;
        return 0;
    }
    t->data = data;
    t->capacity = capacity;
    return 1;
}

void ct_text_bytes(ct_text *t, const char *bytes, size_t length) {
    if (!reserve(t, length)) return;
    if (length) memcpy(t->data + t->length, bytes, length);
    t->length += length;
    t->data[t->length] = 0;
}

void ct_text_add(ct_text *t, const char *text) { ct_text_bytes(t, text, strlen(text)); }

void ct_text_format(ct_text *t, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0) {
        t->failed = 1;
        return;
    }
    if (!reserve(t, (size_t)n)) return;
    va_start(args, format);
    vsnprintf(t->data + t->length, (size_t)n + 1, format, args);
    va_end(args);
    t->length += (size_t)n;
}

void ct_text_free(ct_text *t) {
    const ct_allocator *allocator = t->allocator;
    ct_delete(allocator, t->data, t->capacity);
    memset(t, 0, sizeof *t);
    t->allocator = allocator;
}

/* ---- numbers ---- */

/* By bits: where denormals are flushed, == would call two of them equal. */
static int same(double a, double b) { return memcmp(&a, &b, sizeof a) == 0; }

/* "1e+20" -> "1e20", "1e-05" -> "1e-5" */
static void shorten_exponent(char *text) {
    char *to = strchr(text, 'e');
    if (!to) return;
    const char *from = ++to;
    if (*from == '-') to++;
    if (*from == '-' || *from == '+') from++;
    while (*from == '0' && from[1]) from++;
    memmove(to, from, strlen(from) + 1);
}

/* 15 digits survive decimal -> double -> decimal, so a number that has a short form shows it there, its
 * zeros stripped by %g; 17 digits always read back equal. Denormals hold fewer digits: from one up. */
static void shortest(double value, locale_t c, char *out, size_t capacity) {
    for (int digits = fabs(value) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        snprintf(out, capacity, "%.*g", digits, value);
        if (same(strtod_l(out, NULL, c), value)) break;
    }
    shorten_exponent(out);
}

void ct_text_number(ct_text *t, double value) {
    char text[40];
    if (isnan(value)) {
        ct_text_add(t, "nan");
        return;
    }
    if (isinf(value)) {
        ct_text_add(t, value < 0 ? "-inf" : "inf");
        return;
    }
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (c == (locale_t)0) {
        t->failed = 1;
        return;
    }
    locale_t old = uselocale(c);
    shortest(value, c, text, sizeof text);
    uselocale(old);
    freelocale(c);
    ct_text_add(t, text);
}

static const char *skip_digits(const char *s, int *count) {
    while (*s >= '0' && *s <= '9') {
        s++;
        *count = 1;
    }
    return s;
}

/* [+-] digits [. digits] [e [+-] digits], a digit on one side of the point at least, and nothing after */
static int is_decimal(const char *s) {
    int digits = 0;
    if (*s == '+' || *s == '-') s++;
    s = skip_digits(s, &digits);
    if (*s == '.') s = skip_digits(s + 1, &digits);
    if (!digits) return 0;
    if (*s == 'e' || *s == 'E') {
        s++;
        digits = 0;
        if (*s == '+' || *s == '-') s++;
        s = skip_digits(s, &digits);
        if (!digits) return 0;
    }
    return *s == 0;
}

int ct_parse_number(const char *text, double *out) {
    if (!text || !is_decimal(text)) return 0;
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (c == (locale_t)0) return 0;
    double value = strtod_l(text, NULL, c);
    freelocale(c);
    if (!isfinite(value)) return 0;
    *out = value;
    return 1;
}

int ct_parse_integer(const char *text, int64_t *out) {
    if (!text) return 0;
    int negative = *text == '-';
    const char *s = text + (*text == '-' || *text == '+');
    uint64_t value = 0, limit = (uint64_t)INT64_MAX + (uint64_t)negative;
    if (!*s) return 0;
    for (; *s; s++) {
        if (*s < '0' || *s > '9') return 0;
        uint64_t digit = (uint64_t)(*s - '0');
        if (value > (limit - digit) / 10) return 0;
        value = value * 10 + digit;
    }
    *out = negative ? (value ? -(int64_t)(value - 1) - 1 : 0) : (int64_t)value;
    return 1;
}

const char *ct_group_digits(int64_t n, char out[32]) {
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)n), at = 0;
    for (int i = 0; i < length; i++) {
        out[at++] = digits[i];
        if ((length - i - 1) % 3 == 0 && i < length - 1 && digits[i] != '-') out[at++] = ',';
    }
    out[at] = '\0';
    return out;
}
