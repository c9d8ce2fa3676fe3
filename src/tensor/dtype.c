/* dtype.c: the types of elements, one row each. */
#include "cotan.h"

typedef struct dtype_row {
    const char *name;
    size_t size;
} dtype_row;

static const dtype_row *row_of(ct_dtype d) {
    static const dtype_row rows[] = {
        [CT_F32] = {"f32", 4}, [CT_F64] = {"f64", 8}, [CT_BF16] = {"bf16", 2}, [CT_I64] = {"i64", 8},
        [CT_I32] = {"i32", 4}, [CT_U8] = {"u8", 1},   [CT_BOOL] = {"bool", 1}, [CT_I8] = {"i8", 1},
    };
    static const dtype_row none = {"invalid", 0};
    return (int)d >= CT_F32 && (int)d <= CT_I8 ? &rows[d] : &none;
}

const char *ct_dtype_name(ct_dtype d) { return row_of(d)->name; }

size_t ct_dtype_size(ct_dtype d) { return row_of(d)->size; }
