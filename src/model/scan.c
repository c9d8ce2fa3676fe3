/* scan.c: the calls of scan.h; the grammar is RFC 8259's. */
#include "model/scan.h"

#include <string.h>

#define DEPTH_LIMIT 64
#define LARGEST 9007199254740992ull /* 2^53: beyond it other readers' numbers are not exact */

static void skip_blanks(ct__scan *s) {
    while (s->at < s->length && memchr(" \t\r\n", s->text[s->at], 4)) s->at++;
}

static char peek(ct__scan *s) {
    skip_blanks(s);
    return s->at < s->length ? s->text[s->at] : 0;
}

int ct__scan_accept(ct__scan *s, char c) {
    if (peek(s) != c || s->at == s->length) return 0;
    s->at++;
    return 1;
}

static ct_status unexpected(ct__scan *s, const char *wanted) {
    char c = peek(s), shown[8], text[2] = {c, 0};
    if (s->at == s->length)
        return CT__SCAN_FAIL(s, s->at, "the header ends; wanted %s; the file is cut short or damaged",
                             wanted);
    return CT__SCAN_FAIL(s, s->at, "'%s', no JSON here; wanted %s; the file is damaged or not of this format",
                         ct_escape(text, shown, sizeof shown), wanted);
}

ct_status ct__scan_expect(ct__scan *s, char c) {
    char wanted[] = {'\'', c, '\'', 0};
    return ct__scan_accept(s, c) ? CT_OK : unexpected(s, wanted);
}

ct_status ct__scan_end(ct__scan *s) {
    skip_blanks(s);
    return s->at == s->length ? CT_OK : unexpected(s, "blanks to the end of the header");
}

/* ---- strings ---- */

/* Bytes of the UTF-8 sequence at p, `left` bytes before the end; 0: none (RFC 3629). */
static size_t sequence(const unsigned char *p, uint64_t left) {
    size_t n = p[0] < 0x80                    ? 1
               : p[0] >= 0xC2 && p[0] <= 0xDF ? 2
               : (p[0] & 0xF0) == 0xE0        ? 3
               : p[0] >= 0xF0 && p[0] <= 0xF4 ? 4
                                              : 0;
    if (n > left) return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80) return 0;
    if (n == 3 && ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F))) return 0;
    if (n == 4 && ((p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))) return 0;
    return n;
}

static int hex4(const char *p, uint64_t left, uint32_t *out) {
    *out = 0;
    for (int i = 0; i < 4; i++) {
        char c = left > (uint64_t)i ? p[i] : 0;
        uint32_t v = c >= '0' && c <= '9'                 ? (uint32_t)(c - '0')
                     : (c | 32) >= 'a' && (c | 32) <= 'f' ? (uint32_t)((c | 32) - 'a') + 10
                                                          : 16;
        if (v == 16) return 0;
        *out = *out << 4 | v;
    }
    return 1;
}

static size_t put_utf8(uint32_t c, char *to) {
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6) to[i] = (char)(0x80 | (c & 0x3F));
    to[0] = (char)((n == 2 ? 0xC0 : n == 3 ? 0xE0 : 0xF0) | c);
    return n;
}

/* \uXXXX at s->at, a pair where it begins one. 0: malformed, or NUL. */
static int unicode_escape(ct__scan *s, uint32_t *out) {
    uint32_t low;
    if (!hex4(s->text + s->at + 2, s->length - s->at - 2, out) || *out == 0) return 0;
    s->at += 6;
    if (*out < 0xD800 || *out > 0xDFFF) return 1;
    if (*out > 0xDBFF || s->length - s->at < 6 || memcmp(s->text + s->at, "\\u", 2) != 0 ||
        !hex4(s->text + s->at + 2, 4, &low) || low < 0xDC00 || low > 0xDFFF)
        return 0;
    *out = 0x10000 + ((*out - 0xD800) << 10) + (low - 0xDC00);
    s->at += 6;
    return 1;
}

/* The escape at s->at as 1 to 4 bytes; 0: it is wrong. */
static size_t escape(ct__scan *s, char to[4]) {
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    char c = s->at + 1 < s->length ? s->text[s->at + 1] : 0;
    const char *known = c ? strchr(names, c) : NULL;
    uint32_t code;
    if (known) {
        to[0] = values[known - names];
        s->at += 2;
        return 1;
    }
    return c == 'u' && unicode_escape(s, &code) ? put_utf8(code, to) : 0;
}

/* The string whose first byte is s->at to `to`, which has room for what it takes in the text; or, where `to` is
 * NULL, only checked. */
static ct_status decode(ct__scan *s, char *to) {
    while (s->text[s->at] != '"') {
        unsigned char c = (unsigned char)s->text[s->at];
        uint64_t place = s->at;
        char piece[4];
        size_t n;
        if (c == '\\') {
            n = escape(s, piece);
            if (n == 0)
                return CT__SCAN_FAIL(
                    s, place,
                    "a wrong escape, a lone surrogate or NUL in a string; wanted JSON's; the file is "
                    "damaged");
        } else {
            n = sequence((const unsigned char *)s->text + s->at, s->length - s->at);
            if (c < 32 || n == 0)
                return CT__SCAN_FAIL(
                    s, s->at,
                    "byte 0x%02x in a string; wanted UTF-8 without control characters; the file is "
                    "damaged or not of this format",
                    c);
            memcpy(piece, s->text + s->at, n);
            s->at += n;
        }
        if (to) memcpy(to, piece, n);
        if (to) to += n;
    }
    if (to) *to = 0;
    s->at++;
    return CT_OK;
}

/* After the opening quote: how many bytes to the closing one. */
static ct_status measure(ct__scan *s, uint64_t *bytes, uint64_t *place) {
    if (!ct__scan_accept(s, '"')) return unexpected(s, "a string");
    *place = s->at - 1;
    uint64_t end = s->at;
    while (end < s->length && s->text[end] != '"') end += s->text[end] == '\\' ? 2 : 1;
    if (end >= s->length)
        return CT__SCAN_FAIL(s, *place,
                             "a string without end; wanted '\"'; the file is cut short or damaged");
    *bytes = end - s->at;
    return CT_OK;
}

ct_status ct__scan_string(ct__scan *s, ct_arena *a, char **out, uint64_t *place) {
    uint64_t bytes = 0;
    ct_status status = measure(s, &bytes, place);
    if (status) return status;
    *out = ct_arena_new(a, bytes + 1);
    return *out ? decode(s, *out) : ct_fail(s->e, CT_ELIMIT, "%s: out of memory", s->file);
}

ct_status ct__scan_word(ct__scan *s, char out[CT__SCAN_WORD], uint64_t *place) {
    uint64_t bytes = 0;
    ct_status status = measure(s, &bytes, place);
    if (status) return status;
    if (bytes < CT__SCAN_WORD) return decode(s, out);
    out[0] = 0;
    return decode(s, NULL);
}

/* ---- numbers and the rest ---- */

static int digit(const ct__scan *s) {
    return s->at < s->length && s->text[s->at] >= '0' && s->text[s->at] <= '9';
}

ct_status ct__scan_whole(ct__scan *s, const char *what, uint64_t *out) {
    uint64_t value = 0;
    (void)peek(s);
    uint64_t place = s->at;
    int ok = digit(s);
    while (ok && digit(s)) {
        value = value * 10 + (uint64_t)(s->text[s->at++] - '0');
        ok = value <= LARGEST && !(value < 10 && s->at - place > 1);
    }
    if (ok && s->at < s->length && strchr(".eE", s->text[s->at]) && s->text[s->at]) ok = 0;
    if (!ok)
        return CT__SCAN_FAIL(s, place, "%s: no whole number from 0 to 2^53; wanted one; the file is damaged",
                             what);
    *out = value;
    return CT_OK;
}

static int number(ct__scan *s) {
    if (s->at < s->length && s->text[s->at] == '-') s->at++;
    uint64_t begin = s->at;
    while (digit(s)) s->at++;
    if (s->at == begin || (s->text[begin] == '0' && s->at - begin > 1)) return 0;
    if (s->at < s->length && s->text[s->at] == '.') {
        begin = ++s->at;
        while (digit(s)) s->at++;
        if (s->at == begin) return 0;
    }
    if (s->at < s->length && (s->text[s->at] | 32) == 'e') {
        s->at++;
        if (s->at < s->length && (s->text[s->at] == '+' || s->text[s->at] == '-')) s->at++;
        begin = s->at;
        while (digit(s)) s->at++;
        if (s->at == begin) return 0;
    }
    return 1;
}

static ct_status scalar(ct__scan *s) {
    static const char *const words[] = {"true", "false", "null"};
    uint64_t bytes, place;
    if (peek(s) == '"') {
        ct_status status = measure(s, &bytes, &place);
        return status ? status : decode(s, NULL);
    }
    for (size_t i = 0; i < 3; i++) {
        size_t n = strlen(words[i]);
        if (s->length - s->at < n || memcmp(s->text + s->at, words[i], n) != 0) continue;
        s->at += n;
        return CT_OK;
    }
    place = s->at;
    if (number(s)) return CT_OK;
    s->at = place;
    return unexpected(s, "a JSON value");
}

static ct_status key(ct__scan *s) {
    ct_status status = peek(s) == '"' ? scalar(s) : unexpected(s, "a key");
    return status ? status : ct__scan_expect(s, ':');
}

/* Open brackets are a bit each, so depth is bounded and nothing recurses. */
ct_status ct__scan_skip(ct__scan *s) {
    uint64_t object = 0; /* bit d: level d is an object */
    int depth = 0;
    for (;;) {
        ct_status status = CT_OK;
        char c = peek(s);
        if (c == '{' || c == '[') {
            if (depth == DEPTH_LIMIT)
                return ct_fail_at(
                    s->e, CT_ELIMIT, s->file, (int64_t)(s->base + s->at),
                    "nested deeper than %d levels; wanted at most that; the file is not of this format",
                    DEPTH_LIMIT);
            object = c == '{' ? object | 1ull << depth : object & ~(1ull << depth);
            depth++;
            s->at++;
            if (!ct__scan_accept(s, c == '{' ? '}' : ']')) {
                if (c == '{') status = key(s);
                if (status) return status;
                continue;
            }
            depth--;
        } else {
            status = scalar(s);
        }
        for (; !status && depth; depth--) {
            int is_object = object >> (depth - 1) & 1;
            if (ct__scan_accept(s, ',')) {
                if (is_object) status = key(s);
                break;
            }
            status = ct__scan_expect(s, is_object ? '}' : ']');
        }
        if (status || !depth) return status;
    }
}
