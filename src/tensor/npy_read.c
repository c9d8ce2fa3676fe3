/* npy_read.c: NumPy's .npy, from the bytes.
 *
 *     "\x93NUMPY" major minor | header length (u16 in version 1, u32 in 2 and 3) | header | data
 *
 * The header is the text of a Python dictionary with three keys: {'descr': '<f4', 'fortran_order': False,
 * 'shape': (3, 4), }. It is read by a scanner for exactly this form: nothing is evaluated, nothing nests.
 * Memory is taken only when the shape times the size of an element is what the file still holds. Types
 * without a counterpart of ours are widened to the next that holds all their values (i2 and u2 to i32, u4
 * to i64, f2 to f32); u8 has none and is refused. */
#include "tensor/npy.h"

#include <stdio.h>
#include <string.h>

/* ---- the type ---- */

typedef ct__npy_type npy_type;

static const npy_type *type_of(const char *text) {
    static const npy_type types[] = {
        {"f4", CT_F32, 4}, {"f8", CT_F64, 8}, {"V2", CT_BF16, 2}, {"i8", CT_I64, 8},
        {"i4", CT_I32, 4}, {"u1", CT_U8, 1},  {"b1", CT_BOOL, 1}, {"i1", CT_I8, 1},
        {"f2", CT_F32, 2}, {"i2", CT_I32, 2}, {"u2", CT_I32, 2},  {"u4", CT_I64, 4},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(types[i].text, text)) return &types[i];
    return NULL;
}

typedef ct__npy_header header;

enum { KEY_DESCR = 1, KEY_FORTRAN = 2, KEY_SHAPE = 4 };

/* ---- the header's text ---- */

typedef struct scanner {
    const char *text; /* not NUL-terminated */
    uint64_t length, pos;
    uint64_t base; /* of the text in the file */
    const char *file;
    ct_err *e;
} scanner;

static ct_status bad(const scanner *s, const char *found, const char *wanted) {
    return ct_fail_at(s->e, CT_EDATA, s->file, (int64_t)(s->base + s->pos),
                      "%s; wanted %s; write it anew by numpy.save", found, wanted);
}

/* The next character that is not a blank, or 0 at the end. */
static char peek(scanner *s) {
    while (s->pos < s->length &&
           (s->text[s->pos] == ' ' || s->text[s->pos] == '\n' || s->text[s->pos] == '\t'))
        s->pos++;
    return s->pos < s->length ? s->text[s->pos] : 0;
}

static int accept(scanner *s, char c) {
    if (c == 0 || peek(s) != c) return 0;
    s->pos++;
    return 1;
}

static int accept_word(scanner *s, const char *word) {
    size_t n = strlen(word);
    (void)peek(s);
    if (s->length - s->pos < n || memcmp(s->text + s->pos, word, n) != 0) return 0;
    s->pos += n;
    return 1;
}

/* 'text' or "text", of less than `capacity` bytes */
static ct_status scan_string(scanner *s, char *out, size_t capacity, const char *wanted) {
    char quote = peek(s);
    if (quote != '\'' && quote != '"') return bad(s, "no string", wanted);
    uint64_t start = s->pos + 1, end = start;
    while (end < s->length && s->text[end] != quote) end++;
    if (end == s->length) return bad(s, "a string without end", wanted);
    if (end - start >= capacity) return bad(s, "a long string", wanted);
    memcpy(out, s->text + start, (size_t)(end - start));
    out[end - start] = 0;
    s->pos = end + 1;
    return CT_OK;
}

static ct_status scan_descr(scanner *s, header *h) {
    static const char wanted[] = "one of f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 b1 V2 after '<', '>' or '|'";
    char text[16], found[64];
    char c = peek(s);
    if (c == '[' || c == '(' || c == '{') return bad(s, "a structured type", wanted);
    scanner at = *s;
    ct_status status = scan_string(s, text, sizeof text, wanted);
    if (status) return status;
    const char *t = text;
    char order = *t == '<' || *t == '>' || *t == '|' || *t == '=' ? *t++ : '|';
    if (*t == 'O') return bad(&at, "pickled objects ('|O') are refused", wanted);
    h->type = type_of(t);
    if (!h->type || order == '=' || (order == '|' && h->type->size > 1 && h->type->text[0] != 'V')) {
        snprintf(found, sizeof found, "type '%s' is not supported", text);
        return bad(&at, found, wanted);
    }
    h->big = order == '>';
    return CT_OK;
}

static ct_status scan_extent(scanner *s, int64_t *out) {
    static const char wanted[] = "a whole number of 0 or more that fits in 63 bits";
    uint64_t value = 0, start;
    (void)peek(s);
    start = s->pos;
    while (s->pos < s->length && s->text[s->pos] >= '0' && s->text[s->pos] <= '9') {
        uint64_t digit = (uint64_t)(s->text[s->pos] - '0');
        if (value > ((uint64_t)INT64_MAX - digit) / 10) return bad(s, "an extent too large", wanted);
        value = value * 10 + digit;
        s->pos++;
    }
    if (s->pos == start) return bad(s, "an extent that is not a number", wanted);
    (void)accept(s, 'L'); /* Python 2's long */
    *out = (int64_t)value;
    return CT_OK;
}

static ct_status scan_shape(scanner *s, header *h) {
    if (!accept(s, '(')) return bad(s, "no shape", "a tuple such as (3, 4)");
    int32_t rank = 0;
    while (!accept(s, ')')) {
        if (rank == CT_MAX_RANK) return bad(s, "more than 8 dimensions", "at most 8");
        ct_status status = scan_extent(s, &h->shape.dim[rank]);
        if (status) return status;
        rank++;
        char c = peek(s);
        if (!accept(s, ',') && (c != ')' || rank == 1))
            return bad(s, "an extent not followed by ','", "a tuple such as (3, 4)");
    }
    h->shape.rank = rank;
    return CT_OK;
}

static ct_status scan_fortran(scanner *s, header *h) {
    if (accept_word(s, "True"))
        h->fortran = 1;
    else if (!accept_word(s, "False"))
        return bad(s, "no truth value", "True or False for 'fortran_order'");
    return CT_OK;
}

static ct_status scan_entry(scanner *s, header *h) {
    static const struct {
        const char *name;
        int32_t bit, reserved;
        ct_status (*scan)(scanner *s, header *h);
    } keys[] = {{"descr", KEY_DESCR, 0, scan_descr},
                {"fortran_order", KEY_FORTRAN, 0, scan_fortran},
                {"shape", KEY_SHAPE, 0, scan_shape}};
    static const char wanted[] = "'descr', 'fortran_order' and 'shape', once each";
    char key[24];
    scanner at = *s;
    ct_status status = scan_string(s, key, sizeof key, wanted);
    if (status) return status;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (strcmp(keys[i].name, key) != 0) continue;
        if (h->seen & keys[i].bit) return bad(&at, "a key twice", wanted);
        h->seen |= keys[i].bit;
        if (!accept(s, ':')) return bad(s, "a key without ':'", wanted);
        return keys[i].scan(s, h);
    }
    return bad(&at, "an unknown key", wanted);
}

static ct_status scan_header(scanner *s, header *h) {
    ct_status status;
    if (!accept(s, '{')) return bad(s, "no dictionary", "a header that starts with '{'");
    while (!accept(s, '}')) {
        if ((status = scan_entry(s, h))) return status;
        char c = peek(s);
        if (!accept(s, ',') && c != '}') return bad(s, "an entry not followed by ','", "',' or '}'");
    }
    if (peek(s) || s->pos != s->length) return bad(s, "text after the dictionary", "blanks and a newline");
    if (h->seen != (KEY_DESCR | KEY_FORTRAN | KEY_SHAPE))
        return bad(s, "a key is missing", "'descr', 'fortran_order' and 'shape', once each");
    return CT_OK;
}

/* ---- the file ---- */

ct_status ct__npy_header_read(ct_reader *r, header *h, ct_err *e) {
    static const uint8_t magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
    uint16_t short_length = 0;
    uint32_t length = 0;
    const uint8_t *p = ct_reader_take(r, 8, "the .npy magic and version", e);
    if (!p) return CT_EDATA;
    if (memcmp(p, magic, sizeof magic) != 0)
        return ct_fail_at(e, CT_EDATA, r->file, 0,
                          "not an .npy file; wanted the bytes \\x93NUMPY; check the name and the format");
    if (p[6] < 1 || p[6] > 3 || p[7] != 0)
        return ct_fail_at(e, CT_EDATA, r->file, 6,
                          ".npy version %u.%u; wanted 1.0, 2.0 or 3.0; write it anew by numpy.save",
                          (unsigned)p[6], (unsigned)p[7]);
    ct_status status;
    if (p[6] == 1) {
        status = ct_reader_u16le(r, &short_length, "the header's length", e);
        length = short_length;
    } else {
        status = ct_reader_u32le(r, &length, "the header's length", e);
    }
    if (status) return status;
    if (length > CT__NPY_HEADER)
        return ct_fail_at(e, CT_EDATA, r->file, 8,
                          "a header of %lu bytes; wanted at most %u; the file is damaged",
                          (unsigned long)length, CT__NPY_HEADER);
    scanner s = {.length = length, .base = r->pos, .file = r->file, .e = e};
    s.text = (const char *)ct_reader_take(r, length, "the header", e);
    return s.text ? scan_header(&s, h) : CT_EDATA;
}

/* Bits of an IEEE half as the value it stands for: exact in f32. */
static float half_value(uint32_t half) {
    uint32_t sign = (half & 0x8000u) << 16, exponent = half >> 10 & 31, fraction = half & 1023;
    uint32_t bits;
    float f;
    if (exponent == 0) {
        f = (float)fraction * 0x1p-24f;
        return sign ? -f : f;
    }
    bits = sign | fraction << 13 | (exponent == 31 ? 0x7F800000u : (exponent + 112) << 23);
    memcpy(&f, &bits, sizeof f);
    return f;
}

static int host_is_little(void) {
    const uint16_t one = 1;
    uint8_t first;
    memcpy(&first, &one, 1);
    return first == 1;
}

void ct__npy_decode(const header *h, const uint8_t *from, uint64_t count, unsigned char *to) {
    size_t size = (size_t)h->type->size, our_size = ct_dtype_size((ct_dtype)h->type->dtype);
    char kind = h->type->text[0];
    if (size == our_size && !h->big && host_is_little() && kind != 'b') {
        memcpy(to, from, (size_t)count * size);
        return;
    }
    for (uint64_t k = 0; k < count; k++, from += size, to += our_size) {
        uint64_t bits = 0;
        for (size_t b = 0; b < size; b++) bits |= (uint64_t)from[h->big ? size - 1 - b : b] << 8 * b;
        if (kind == 'f' && size == 2) {
            float f = half_value((uint32_t)bits);
            memcpy(to, &f, sizeof f);
        } else if (our_size == 8) {
            memcpy(to, &bits, 8);
        } else if (our_size == 4) {
            uint32_t v = kind == 'i' && size == 2 ? (uint32_t)(int32_t)(int16_t)bits : (uint32_t)bits;
            memcpy(to, &v, 4);
        } else if (our_size == 2) {
            uint16_t v = (uint16_t)bits;
            memcpy(to, &v, 2);
        } else {
            *to = kind == 'b' ? bits != 0 : (unsigned char)bits;
        }
    }
}

/* The array of Fortran order, whose first index runs fastest, into one of C order. */
static ct_status to_row_major(const ct_allocator *a, ct_array *array, ct_err *e) {
    ct_array view = *array, plain;
    int64_t stride = 1;
    ct_status status =
        ct_array_new(a, (ct_dtype)array->dtype, ct_shape_make(array->rank, array->dim), &plain, e);
    if (status) return status;
    for (int32_t i = 0; i < view.rank; i++) {
        view.stride[i] = stride;
        if (view.dim[i] > 0) stride *= view.dim[i];
    }
    status = ct_array_copy(&plain, &view, e);
    if (status) {
        ct_array_free(&plain);
        return status;
    }
    ct_array_free(array);
    *array = plain;
    return CT_OK;
}

/* The header, and whether the data is as long as it says; leaves the reader at the data, of *count elements. */
static ct_status read_header(ct_reader *r, header *h, uint64_t *count, ct_err *e) {
    uint64_t wanted;
    ct_status status = ct__npy_header_read(r, h, e);
    if (status) return status;
    uint64_t left = r->end - r->pos;
    if (!ct_shape_count(&h->shape, -1, count) || !ct_mul_ok(*count, (uint64_t)h->type->size, &wanted))
        return ct_fail_at(
            e, CT_EDATA, r->file, (int64_t)r->pos,
            "the shape's product overflows; wanted one that fits in 63 bits; the file is damaged");
    if (wanted != left)
        return ct_fail_at(
            e, CT_EDATA, r->file, (int64_t)r->pos,
            "%llu bytes of data; wanted %llu by its shape and type; the file is cut short or damaged",
            (unsigned long long)left, (unsigned long long)wanted);
    return CT_OK;
}

ct_status ct_npy_probe(const void *data, uint64_t bytes, const char *name, ct_dtype *dtype, ct_shape *shape,
                       ct_err *e) {
    ct_reader r = ct_reader_of(data, bytes, name);
    header h = {0};
    uint64_t count;
    ct_status status = read_header(&r, &h, &count, e);
    if (status) return status;
    *dtype = (ct_dtype)h.type->dtype;
    *shape = h.shape;
    return CT_OK;
}

ct_status ct_npy_parse(const ct_allocator *a, const void *data, uint64_t bytes, const char *name,
                       ct_array *out, ct_err *e) {
    ct_reader r = ct_reader_of(data, bytes, name);
    header h = {0};
    ct_array array;
    uint64_t count;
    ct_status status = read_header(&r, &h, &count, e);
    if (status) return status;
    status = ct_array_new(a, (ct_dtype)h.type->dtype, h.shape, &array, e);
    if (status) return status;
    ct__npy_decode(&h, r.base + r.pos, count, array.data);
    if (h.fortran && array.rank > 1) status = to_row_major(a, &array, e);
    if (status) {
        ct_array_free(&array);
        return status;
    }
    *out = array;
    return CT_OK;
}

ct_status ct_npy_load(const ct_files *f, const ct_allocator *a, const char *path, ct_array *out, ct_err *e) {
    void *data;
    uint64_t bytes;
    ct_status status = ct_file_read(f, a, path, 0, &data, &bytes, e);
    if (status) return status;
    status = ct_npy_parse(a, data, bytes, path, out, e);
    ct_delete(a, data, (size_t)bytes);
    return status;
}
