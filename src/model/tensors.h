/* tensors.h: the list of tensors that the reader and the writer of safetensors share. */
#ifndef CT_MODEL_TENSORS_H
#define CT_MODEL_TENSORS_H

#include "cotan/model.h"

typedef struct ct__tensor {
    char *name;
    void *data;            /* into `file`, or own memory */
    uint64_t bytes, place; /* place: of its name in a loaded file */
    ct_shape shape;
    int32_t dtype;
    int32_t own;
} ct__tensor;

typedef struct ct__pair { /* of metadata */
    char *key, *value;
    uint64_t place;
} ct__pair;

/* Rows found by name: a hash table of row numbers + 1. */
typedef struct ct__index {
    int64_t *slot;
    int64_t size; /* a power of two, at least twice the rows */
} ct__index;

struct ct_tensors {
    const ct_allocator *allocator;
    ct_arena arena; /* names, metadata */
    void *file;     /* the loaded bytes */
    uint64_t file_bytes;
    ct__tensor *tensor;
    int64_t count, capacity;
    ct__pair *pair;
    int64_t pairs, pair_capacity;
    ct__index names, keys;
};

/* A new row under a name not yet there, which lives in the arena: NULL with *e. */
ct__tensor *ct__tensors_row(ct_tensors *t, char *name, ct_err *e);
int64_t ct__tensors_key(const ct_tensors *t, const char *key); /* -1: none */
/* A new pair, both texts in the arena, under a key not yet there. */
ct_status ct__tensors_pair(ct_tensors *t, char *key, char *value, uint64_t place, ct_err *e);
const char *ct__safetensors_type(int32_t dtype); /* "F32" ... */
int32_t ct__safetensors_dtype(const char *type); /* 0: not read */
/* The header with padding, as the file begins. */
ct_status ct__safetensors_header(const ct_tensors *t, ct_text *out, ct_err *e);

#endif
