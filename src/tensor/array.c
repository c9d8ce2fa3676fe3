/* array.c: host arrays, and the one conversion between all types of elements.
 *
 * An element is read into a number (an integer or a double, whichever holds the type exactly), checked
 * where the target is an integer, and written. A copy that can fail is first walked without writing: the
 * target is untouched when it does. Arrays of one type that are both contiguous are copied as bytes. */
#include "cotan.h"

#include <math.h>
#include <string.h>

/* ---- making and freeing ---- */

/* Row-major strides; the count is known to fit, so no product here can overflow. */
static void strides_row_major(ct_array *a) {
    int64_t stride = 1;
    for (int32_t i = a->rank - 1; i >= 0; i--) {
        a->stride[i] = stride;
        if (a->dim[i] > 0) stride *= a->dim[i];
    }
}

/* Zeroed (and so refused by every call that takes an array) when the shape or the type is not valid. */
ct_array ct_array_view(void *data, ct_dtype dtype, ct_shape shape) {
    ct_array a = {0};
    uint64_t count, bytes;
    if (!ct_dtype_size(dtype) || !ct_shape_count(&shape, -1, &count)) return a;
    if (!ct_mul_ok(count, ct_dtype_size(dtype), &bytes)) return a;
    a.data = data;
    a.rank = shape.rank;
    a.dtype = (int32_t)dtype;
    for (int32_t i = 0; i < shape.rank; i++) a.dim[i] = shape.dim[i];
    strides_row_major(&a);
    return a;
}

ct_status ct_array_new(const ct_allocator *a, ct_dtype dtype, ct_shape shape, ct_array *out, ct_err *e) {
    char text[CT_SHAPE_TEXT];
    uint64_t count, bytes;
    if (!ct_dtype_size(dtype)) return ct_fail(e, CT_EUSAGE, "array: type %d; wanted a ct_dtype", (int)dtype);
    if (!ct_shape_count(&shape, -1, &count) || !ct_mul_ok(count, ct_dtype_size(dtype), &bytes))
        return ct_fail(e, CT_EUSAGE,
                       "array: shape %s; wanted at most %d fixed extents whose product fits in memory",
                       ct_shape_format(&shape, text), CT_MAX_RANK);
    if (bytes == 0) bytes = 1; /* `owned` tells an owner from a view */
    void *data = ct_new_array(a, bytes, 1);
    if (!data)
        return ct_fail(e, CT_ELIMIT, "array: out of memory for %llu bytes of %s%s", (unsigned long long)bytes,
                       ct_dtype_name(dtype), ct_shape_format(&shape, text));
    *out = ct_array_view(data, dtype, shape);
    out->owned = bytes;
    if (a) out->allocator = *a;
    return CT_OK;
}

void ct_array_free(ct_array *a) {
    if (!a) return;
    if (a->owned) ct_delete(&a->allocator, a->data, (size_t)a->owned);
    memset(a, 0, sizeof *a);
}

static ct_shape shape_of(const ct_array *a) { return ct_shape_make(a->rank, a->dim); }

uint64_t ct_array_count(const ct_array *a) {
    uint64_t count;
    ct_shape s = shape_of(a);
    return ct_dtype_size((ct_dtype)a->dtype) && ct_shape_count(&s, -1, &count) ? count : 0;
}

int ct_array_contiguous(const ct_array *a) {
    int64_t stride = 1;
    if (ct_array_count(a) == 0) return 1;
    for (int32_t i = a->rank - 1; i >= 0; i--) {
        if (a->dim[i] != 1 && a->stride[i] != stride) return 0;
        stride *= a->dim[i];
    }
    return 1;
}

/* ---- one element ---- */

typedef struct number {
    int is_float;
    double f;
    int64_t i;
} number;

static float float_of_bits(uint32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static uint32_t bits_of_float(float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* Round to nearest, ties to even; a NaN stays one. */
static uint16_t bf16_of(float f) {
    uint32_t bits = bits_of_float(f);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

/* To float by "round to odd": cut towards zero, last bit set when anything was cut. Rounding that to bf16
 * gives what rounding the double once would have given. */
static float to_odd(double v) {
    float f = (float)v;
    if (isnan(v) || (double)f == v) return f;
    uint32_t bits = bits_of_float(f);
    if (fabs((double)f) > fabs(v)) bits--;
    return float_of_bits(bits | 1u);
}

/* The same for an integer that a double cannot hold: eleven bits cut, the next one set. */
static double to_odd_double(int64_t i) {
    uint64_t u = i < 0 ? (uint64_t)0 - (uint64_t)i : (uint64_t)i;
    if (u >> 53 && (u & 0x7FF)) u = (u & ~UINT64_C(0x7FF)) | 0x800;
    return i < 0 ? -(double)u : (double)u;
}

static number element_read(const unsigned char *p, int32_t dtype) {
    number n = {0};
    union {
        float f32;
        double f64;
        uint16_t bf16;
        int64_t i64;
        int32_t i32;
        int8_t i8;
    } u = {.i64 = 0};
    memcpy(&u, p, ct_dtype_size((ct_dtype)dtype));
    n.is_float = dtype == CT_F32 || dtype == CT_F64 || dtype == CT_BF16;
    switch (dtype) {
        case CT_F32:
            n.f = (double)u.f32;
            break;
        case CT_F64:
            n.f = u.f64;
            break;
        case CT_BF16:
            n.f = (double)float_of_bits((uint32_t)u.bf16 << 16);
            break;
        case CT_I64:
            n.i = u.i64;
            break;
        case CT_I32:
            n.i = u.i32;
            break;
        case CT_I8:
            n.i = u.i8;
            break;
        case CT_U8:
            n.i = *p;
            break;
        default:
            n.i = *p != 0;
            break;
    }
    return n;
}

int64_t ct_array_integer(const ct_array *a, int64_t i) {
    const unsigned char *p = a->data;
    return element_read(p + i * a->stride[0] * (int64_t)ct_dtype_size((ct_dtype)a->dtype), a->dtype).i;
}

/* The range of an integer type; bool takes any number, as "not zero". */
static void range_of(int32_t dtype, int64_t *low, int64_t *high) {
    *low = dtype == CT_I32 ? INT32_MIN : dtype == CT_I8 ? INT8_MIN : dtype == CT_U8 ? 0 : INT64_MIN;
    *high = dtype == CT_I32 ? INT32_MAX : dtype == CT_I8 ? INT8_MAX : dtype == CT_U8 ? UINT8_MAX : INT64_MAX;
}

/* The integer that `n` becomes in `dtype`: 1 and *out, or 0 where it has none. */
static int integer_of(number n, int32_t dtype, int64_t *out) {
    int64_t low, high;
    if (dtype == CT_BOOL) {
        *out = n.is_float ? n.f != 0.0 : n.i != 0;
        return !(n.is_float && isnan(n.f));
    }
    range_of(dtype, &low, &high);
    if (n.is_float) {
        double t = trunc(n.f);
        if (!(t >= -0x1p63 && t < 0x1p63)) return 0;
        n.i = (int64_t)t;
    }
    *out = n.i;
    return n.i >= low && n.i <= high;
}

static void float_write(unsigned char *p, int32_t dtype, number n) {
    if (dtype == CT_F64) {
        double v = n.is_float ? n.f : (double)n.i;
        memcpy(p, &v, sizeof v);
    } else if (dtype == CT_F32) {
        float v = n.is_float ? (float)n.f : (float)n.i;
        memcpy(p, &v, sizeof v);
    } else {
        uint16_t v = bf16_of(to_odd(n.is_float ? n.f : to_odd_double(n.i)));
        memcpy(p, &v, sizeof v);
    }
}

static void integer_write(unsigned char *p, int32_t dtype, int64_t i) {
    if (dtype == CT_I64) {
        memcpy(p, &i, sizeof i);
    } else if (dtype == CT_I32) {
        int32_t v = (int32_t)i;
        memcpy(p, &v, sizeof v);
    } else {
        *p = (unsigned char)(i & 0xFF);
    }
}

static int is_integer(int32_t dtype) { return dtype != CT_F32 && dtype != CT_F64 && dtype != CT_BF16; }

/* One element converted; `write` 0 only checks. 0: it does not fit. */
static int element_convert(unsigned char *to, int32_t to_type, const unsigned char *from, int32_t from_type,
                           int write) {
    number n = element_read(from, from_type);
    int64_t i;
    if (!is_integer(to_type)) {
        if (write) float_write(to, to_type, n);
        return 1;
    }
    if (!integer_of(n, to_type, &i)) return 0;
    if (write) integer_write(to, to_type, i);
    return 1;
}

/* ---- all elements ---- */

/* Both arrays walked in row-major order of the index. Returns 1, or 0 and the index of the element that
 * does not fit. Counted over elements, not rows: arrays with a short last axis are common. */
static int walk(const ct_array *to, const ct_array *from, int write, int64_t index[CT_MAX_RANK]) {
    int64_t to_size = (int64_t)ct_dtype_size((ct_dtype)to->dtype),
            from_size = (int64_t)ct_dtype_size((ct_dtype)from->dtype);
    unsigned char *t = to->data;
    const unsigned char *f = from->data;
    int same = to->dtype == from->dtype && to->dtype != CT_BOOL;
    memset(index, 0, CT_MAX_RANK * sizeof *index);
    for (uint64_t left = ct_array_count(to); left; left--) {
        if (same)
            memcpy(t, f, (size_t)to_size);
        else if (!element_convert(t, to->dtype, f, from->dtype, write))
            return 0;
        if (left == 1) break;
        int32_t k = to->rank - 1;
        for (; k > 0 && index[k] == to->dim[k] - 1; k--) {
            t -= index[k] * to->stride[k] * to_size;
            f -= index[k] * from->stride[k] * from_size;
            index[k] = 0;
        }
        index[k]++;
        t += to->stride[k] * to_size;
        f += from->stride[k] * from_size;
    }
    return 1;
}

/* Can an element of `from` be refused by `to`? */
static int may_fail(int32_t to, int32_t from) {
    if (!is_integer(to) || to == from || from == CT_BOOL) return 0;
    if (to == CT_BOOL) return !is_integer(from);
    if (!is_integer(from)) return 1;
    int64_t to_low, to_high, low, high;
    range_of(to, &to_low, &to_high);
    range_of(from, &low, &high);
    return low < to_low || high > to_high;
}

static ct_status does_not_fit(const ct_array *to, const ct_array *from, const int64_t index[CT_MAX_RANK],
                              ct_err *e) {
    char text[CT_SHAPE_TEXT];
    ct_shape place = ct_shape_make(from->rank, index);
    const unsigned char *p = from->data;
    for (int32_t i = 0; i < from->rank; i++)
        p += index[i] * from->stride[i] * (int64_t)ct_dtype_size((ct_dtype)from->dtype);
    number n = element_read(p, from->dtype);
    ct_text value = {0};
    if (n.is_float)
        ct_text_number(&value, n.f);
    else
        ct_text_format(&value, "%lld", (long long)n.i);
    ct_fail(e, CT_EDATA,
            "array: element %s is %s; wanted a number that fits in %s; clean the data or use a wider type",
            ct_shape_format(&place, text), value.data ? value.data : "?", ct_dtype_name((ct_dtype)to->dtype));
    ct_text_free(&value);
    return CT_EDATA;
}

ct_status ct_array_copy(ct_array *to, const ct_array *from, ct_err *e) {
    char wanted[CT_SHAPE_TEXT], found[CT_SHAPE_TEXT];
    int64_t index[CT_MAX_RANK];
    ct_shape a = shape_of(to), b = shape_of(from);
    uint64_t count;
    if (!ct_dtype_size((ct_dtype)to->dtype) || !ct_dtype_size((ct_dtype)from->dtype) ||
        !ct_shape_count(&a, -1, &count))
        return ct_fail(e, CT_EUSAGE, "array: not an array; wanted a valid type and shape; was it freed?");
    if (!ct_shape_equal(&a, &b))
        return ct_fail(e, CT_EUSAGE, "array: shape %s; wanted %s; copy between equal shapes",
                       ct_shape_format(&b, found), ct_shape_format(&a, wanted));
    if (count == 0) return CT_OK;
    if (!to->data || !from->data)
        return ct_fail(e, CT_EUSAGE, "array: no memory (NULL); wanted the data of %llu elements",
                       (unsigned long long)count);
    if (to->dtype == from->dtype && to->dtype != CT_BOOL && ct_array_contiguous(to) &&
        ct_array_contiguous(from)) {
        memmove(to->data, from->data, (size_t)count * ct_dtype_size((ct_dtype)to->dtype));
        return CT_OK;
    }
    if (may_fail(to->dtype, from->dtype) && !walk(to, from, 0, index))
        return does_not_fit(to, from, index, e);
    (void)walk(to, from, 1, index);
    return CT_OK;
}
