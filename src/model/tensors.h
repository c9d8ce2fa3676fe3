/* tensors.h: the list of tensors that the reader and the writer of safetensors share. */
#ifndef CT_MODEL_TENSORS_H
#define CT_MODEL_TENSORS_H

#include "cotan/model.h"

typedef struct ct__tensor {
    char *name;
    void *data; /* into `file`, or own memory */
    uint64_t bytes;
    ct_shape shape;
    int32_t dtype;
    int32_t own;
} ct__tensor;

struct ct_tensors {
    const ct_allocator *allocator;
    ct_arena arena; /* names, metadata */
    void *file;     /* the loaded bytes */
    uint64_t file_bytes;
    ct__tensor *tensor;
    int64_t count, capacity;
    int64_t *table; /* hash of names: index + 1 */
    int64_t table_size;
    const char **key, **value;
    int32_t keys, key_capacity;
};

/* A new row under a name not yet there: NULL with *e. */
ct__tensor *ct__tensors_row(ct_tensors *t, const char *name, ct_err *e);
const char *ct__safetensors_type(int32_t dtype); /* "F32" ... */
int32_t ct__safetensors_dtype(const char *type); /* 0: not read */
/* The header with padding, as the file begins. */
ct_status ct__safetensors_header(const ct_tensors *t, ct_text *out, ct_err *e);

#endif
