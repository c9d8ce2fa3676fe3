/* npy.h: the header of an .npy file, for those that read it whole and those that read it by rows. */
#ifndef CT_TENSOR_NPY_H
#define CT_TENSOR_NPY_H

#include "cotan.h"

#define CT__NPY_HEADER 10000u /* bytes of text at most: NumPy's own limit */

typedef struct ct__npy_type {
    char text[4]; /* kind and bytes of an element: "f4" */
    int32_t dtype;
    int32_t size;
} ct__npy_type;

typedef struct ct__npy_header {
    const ct__npy_type *type;
    ct_shape shape;
    int32_t big, fortran;
    int32_t seen; /* keys, one bit each */
} ct__npy_header;

/* Leaves the reader at the first byte of the data. */
ct_status ct__npy_header_read(ct_reader *r, ct__npy_header *h, ct_err *e);
/* `count` elements of the file, as they lie there, to elements of ours. */
void ct__npy_decode(const ct__npy_header *h, const uint8_t *from, uint64_t count, unsigned char *to);

#endif
