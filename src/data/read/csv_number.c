/* csv_number.c: a field as a number.
 *
 * Most numbers in files have at most fifteen digits and a small exponent: they are a whole number below 2^53 times or
 * divided by a power of ten that a double holds exactly, so one rounding gives the nearest double (Clinger 1990).
 * The rest goes through the library's own conversion, which is exact always and knows no locale. */
#include "data/read/csv.h"

#include <math.h>
#include <string.h>

typedef struct decimal { /* [+-] digits [. digits] [e [+-] digits] */
    int negative, valid;
    int digits;       /* significant ones */
    uint64_t whole;   /* of the first nineteen */
    int64_t exponent; /* of ten, for `whole` */
    const char *end;
} decimal;

static const char *read_digits(const char *s, decimal *d, int after_point) {
    for (; *s >= '0' && *s <= '9'; s++) {
        d->valid = 1;
        if (d->digits || *s != '0') d->digits++;
        if (d->digits <= 19)
            d->whole = d->whole * 10 + (uint64_t)(*s - '0');
        else
            d->exponent++;
        d->exponent -= after_point;
    }
    return s;
}

static decimal read_decimal(const char *s) {
    decimal d = {0};
    d.negative = *s == '-';
    if (*s == '-' || *s == '+') s++;
    s = read_digits(s, &d, 0);
    if (*s == '.') s = read_digits(s + 1, &d, 1);
    if (d.valid && (*s == 'e' || *s == 'E')) {
        int64_t exponent = 0;
        int negative = s[1] == '-';
        s += s[1] == '-' || s[1] == '+' ? 2 : 1;
        d.valid = *s >= '0' && *s <= '9';
        for (; *s >= '0' && *s <= '9'; s++)
            if (exponent < 1000000) exponent = exponent * 10 + (*s - '0');
        d.exponent += negative ? -exponent : exponent;
    }
    d.end = s;
    return d;
}

static int quick(const decimal *d, double *out) {
    static const double ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (d->digits > 15 || d->exponent < -22 || d->exponent > 22) return 0;
    double v = (double)d->whole;
    v = d->exponent < 0 ? v / ten[-d->exponent] : v * ten[d->exponent];
    *out = d->negative ? -v : v;
    return 1;
}

static int same_word(const char *text, size_t length, const char *word) {
    if (strlen(word) != length) return 0;
    for (size_t i = 0; i < length; i++) {
        char c = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] + ('a' - 'A')) : text[i];
        if (c != word[i]) return 0;
    }
    return 1;
}

static int is_missing(const char *text, size_t length) {
    static const char *const words[] = {"",     "na",  "n/a",  "nan",  "-nan",     "+nan",      "null",
                                        "none", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (same_word(text, length, words[i])) return 1;
    return 0;
}

static ct_status refuse(const ct_csv *c, int32_t column, const char *text, size_t length, const decimal *d,
                        ct_err *e) {
    const char *comma = memchr(text, ',', length);
    int whole = d->valid && d->end == text + length;
    return ct_csv_refuse(c, column, CT_EDATA, e, "\"%.*s%s\"; wanted %s", length > 60 ? 60 : (int)length,
                         text, length > 60 ? "..." : "",
                         whole   ? "a number that a double can hold (to 1.8e308); is it an id?"
                         : comma ? "a number with a decimal point; write 3.14 for 3,14"
                                 : "a number; leave the column out; if it is text, name it with --target");
}

ct_status ct_csv_number(const ct_csv *c, int32_t column, double *out, int32_t *missing, ct_err *e) {
    const char *text = ct_csv_text(c, column);
    char copy[64];
    while (*text == ' ' || *text == '\t') text++;
    size_t length = strlen(text);
    while (length && (text[length - 1] == ' ' || text[length - 1] == '\t')) length--;
    decimal d = read_decimal(text);
    *missing = 0;
    if (d.valid && d.end == text + length) {
        if (quick(&d, out)) return CT_OK;
        if (length < sizeof copy) {
            memcpy(copy, text, length);
            copy[length] = 0;
            if (ct_parse_number(copy, out)) return CT_OK;
        } else if (length == strlen(text) && ct_parse_number(text, out)) {
            return CT_OK;
        }
    } else if (is_missing(text, length)) {
        *missing = 1;
        *out = NAN;
        return CT_OK;
    }
    return refuse(c, column, text, length, &d, e);
}
