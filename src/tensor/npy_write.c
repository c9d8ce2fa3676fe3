/* npy_write.c: NumPy's .npy, version 1.0, C order, the machine's byte order; atomic as every file.
 *
 * The header is padded so that the data starts at a multiple of 64 bytes, as numpy.save does. NumPy has no
 * bf16 of its own; '<V2' is what its extension types write. */
#include "cotan.h"

#include <stdio.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define ORDER ">"
#else
#define ORDER "<"
#endif

static const char *descr_of(int32_t dtype) {
    switch (dtype) {
        case CT_F32:
            return ORDER "f4";
        case CT_F64:
            return ORDER "f8";
        case CT_BF16:
            return ORDER "V2";
        case CT_I64:
            return ORDER "i8";
        case CT_I32:
            return ORDER "i4";
        case CT_U8:
            return "|u1";
        case CT_BOOL:
            return "|b1";
        default:
            return "|i1";
    }
}

#define PREFIX 10u /* magic, version, length */
#define HEADER_ROOM 512u

/* Eight extents of at most 19 digits: the text is far below the room. Returns the bytes to write. */
static size_t make_header(const ct_array *a, unsigned char out[HEADER_ROOM]) {
    char text[HEADER_ROOM - 64];
    size_t used = (size_t)snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (",
                                   descr_of(a->dtype));
    for (int32_t i = 0; i < a->rank; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%lld%s", i ? " " : "",
                                 (long long)a->dim[i], a->rank == 1 || i + 1 < a->rank ? "," : "");
    used += (size_t)snprintf(text + used, sizeof text - used, "), }");
    size_t total = (PREFIX + used + 1 + 63) / 64 * 64, length = total - PREFIX;
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    out[8] = (unsigned char)(length & 255);
    out[9] = (unsigned char)(length >> 8);
    memset(out + PREFIX, ' ', length);
    memcpy(out + PREFIX, text, used);
    out[total - 1] = '\n';
    return total;
}

static ct_status write_file(const ct_files *f, const ct_allocator *a, const char *path, const ct_array *plain,
                            ct_err *e) {
    unsigned char header[HEADER_ROOM];
    size_t header_bytes = make_header(plain, header);
    ct_writer *w;
    ct_status status = ct_writer_open(f, a, path, &w, e);
    if (status) return status;
    status = ct_writer_write(w, header, header_bytes, e);
    if (!status)
        status =
            ct_writer_write(w, plain->data, ct_array_count(plain) * ct_dtype_size((ct_dtype)plain->dtype), e);
    if (!status) return ct_writer_commit(w, e);
    ct_writer_abandon(w);
    return status;
}

ct_status ct_npy_save(const ct_files *f, const ct_allocator *a, const char *path, const ct_array *from,
                      ct_err *e) {
    ct_array plain = {0};
    ct_shape shape = ct_shape_make(from->rank, from->dim);
    uint64_t count;
    if (!ct_dtype_size((ct_dtype)from->dtype) || !ct_shape_count(&shape, -1, &count))
        return ct_fail(e, CT_EUSAGE, "array: not an array; wanted a valid type and shape; was it freed?");
    if (count && !from->data)
        return ct_fail(e, CT_EUSAGE, "array: no memory (NULL); wanted the data to save");
    if (ct_array_contiguous(from)) return write_file(f, a, path, from, e);
    ct_status status = ct_array_new(a, (ct_dtype)from->dtype, shape, &plain, e);
    if (!status) status = ct_array_copy(&plain, from, e);
    if (!status) status = write_file(f, a, path, &plain, e);
    ct_array_free(&plain);
    return status;
}
