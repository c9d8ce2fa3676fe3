/* tensors.c: the list itself: rows found by name through a hash table, so that files of many tensors stay
 * linear. */
#include "model/tensors.h"

#include <string.h>

static const struct {
    const char *name;
    int32_t dtype;
} types[] = {{"F32", CT_F32}, {"F64", CT_F64}, {"BF16", CT_BF16}, {"I64", CT_I64},
             {"I32", CT_I32}, {"U8", CT_U8},   {"BOOL", CT_BOOL}, {"I8", CT_I8}};

const char *ct__safetensors_type(int32_t dtype) {
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].dtype == dtype) return types[i].name;
    return "";
}

int32_t ct__safetensors_dtype(const char *type) {
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, type) == 0) return types[i].dtype;
    return 0;
}

ct_status ct_tensors_new(const ct_allocator *a, ct_tensors **out, ct_err *e) {
    ct_tensors *t = ct_new(a, sizeof *t);
    if (!t) return ct_fail(e, CT_ELIMIT, "tensors: out of memory");
    t->allocator = a;
    t->arena.allocator = a;
    *out = t;
    return CT_OK;
}

void ct_tensors_free(ct_tensors *t) {
    if (!t) return;
    for (int64_t i = 0; i < t->count; i++)
        if (t->tensor[i].own) ct_delete(t->allocator, t->tensor[i].data, t->tensor[i].bytes + 64);
    ct_delete(t->allocator, t->tensor, (size_t)t->capacity * sizeof *t->tensor);
    ct_delete(t->allocator, t->names.slot, (size_t)t->names.size * sizeof *t->names.slot);
    ct_delete(t->allocator, t->pair, (size_t)t->pair_capacity * sizeof *t->pair);
    ct_delete(t->allocator, t->keys.slot, (size_t)t->keys.size * sizeof *t->keys.slot);
    ct_delete(t->allocator, t->file, t->file_bytes);
    ct_arena_free(&t->arena);
    ct_delete(t->allocator, t, sizeof *t);
}

/* ---- names to rows ---- */

/* Rows are structs that begin with their name. */
static const char *name_at(const void *rows, size_t stride, int64_t i) {
    return *(char *const *)(const void *)((const char *)rows + (size_t)i * stride);
}

/* The slot of the name, or the empty one where it would go. */
static int64_t *slot_of(const ct__index *x, const void *rows, size_t stride, const char *name) {
    uint64_t mask = (uint64_t)(x->size - 1), i = ct_hash64(name, strlen(name), 1) & mask;
    while (x->slot[i] && strcmp(name_at(rows, stride, x->slot[i] - 1), name) != 0) i = (i + 1) & mask;
    return &x->slot[i];
}

static int64_t find(const ct__index *x, const void *rows, size_t stride, const char *name) {
    return x->size ? *slot_of(x, rows, stride, name) - 1 : -1;
}

/* Room for one more row of `stride` bytes in *rows and in the index. */
static int reserve(const ct_allocator *a, void **rows, size_t stride, int64_t count, int64_t *capacity,
                   ct__index *x) {
    if (count < *capacity) return 1;
    int64_t larger = *capacity ? 2 * *capacity : 64, size = larger * 2;
    int64_t *slot = ct_new_array(a, (uint64_t)size, sizeof *slot);
    void *moved = slot ? ct_resize(a, *rows, (size_t)*capacity * stride, (size_t)larger * stride) : NULL;
    if (!moved) {
        ct_delete(a, slot, (size_t)size * sizeof *slot);
        return 0;
    }
    ct_delete(a, x->slot, (size_t)x->size * sizeof *slot);
    *rows = moved;
    *capacity = larger;
    *x = (ct__index){slot, size};
    for (int64_t i = 0; i < count; i++) *slot_of(x, moved, stride, name_at(moved, stride, i)) = i + 1;
    return 1;
}

int64_t ct_tensors_find(const ct_tensors *t, const char *name) {
    return find(&t->names, t->tensor, sizeof *t->tensor, name);
}

int64_t ct__tensors_key(const ct_tensors *t, const char *key) {
    return find(&t->keys, t->pair, sizeof *t->pair, key);
}

ct__tensor *ct__tensors_row(ct_tensors *t, char *name, ct_err *e) {
    void *rows = t->tensor;
    if (ct_tensors_find(t, name) >= 0) {
        ct_fail(e, CT_EDATA, "tensor \"%.200s\": given twice; wanted each name once; give it another name",
                name);
        return NULL;
    }
    if (!reserve(t->allocator, &rows, sizeof *t->tensor, t->count, &t->capacity, &t->names)) {
        ct_fail(e, CT_ELIMIT, "tensors: out of memory");
        return NULL;
    }
    t->tensor = rows;
    *slot_of(&t->names, rows, sizeof *t->tensor, name) = t->count + 1;
    t->tensor[t->count] = (ct__tensor){.name = name};
    return &t->tensor[t->count++];
}

ct_status ct__tensors_pair(ct_tensors *t, char *key, char *value, uint64_t place, ct_err *e) {
    void *rows = t->pair;
    if (!reserve(t->allocator, &rows, sizeof *t->pair, t->pairs, &t->pair_capacity, &t->keys))
        return ct_fail(e, CT_ELIMIT, "tensors: out of memory");
    t->pair = rows;
    *slot_of(&t->keys, rows, sizeof *t->pair, key) = t->pairs + 1;
    t->pair[t->pairs++] = (ct__pair){key, value, place};
    return CT_OK;
}

ct_status ct_tensors_add(ct_tensors *t, const char *name, const ct_array *from, ct_err *e) {
    uint64_t bytes = ct_array_count(from) * ct_dtype_size((ct_dtype)from->dtype);
    if (!ct_array_contiguous(from))
        return ct_fail(e, CT_EUSAGE, "tensor \"%.200s\": its array has gaps; wanted a contiguous one", name);
    void *data = ct_new(t->allocator, bytes + 64);
    char *copy = data ? ct_arena_text(&t->arena, name) : NULL;
    ct__tensor *row = copy ? ct__tensors_row(t, copy, e) : NULL;
    if (!row) {
        ct_delete(t->allocator, data, bytes + 64);
        return copy ? (e && e->status ? (ct_status)e->status : CT_EDATA)
                    : ct_fail(e, CT_ELIMIT, "tensor \"%.200s\": out of memory for %llu bytes", name,
                              (unsigned long long)bytes);
    }
    if (bytes) memcpy(data, from->data, bytes);
    row->data = data;
    row->bytes = bytes;
    row->own = 1;
    row->dtype = from->dtype;
    row->shape = ct_shape_make(from->rank, from->dim);
    return CT_OK;
}

ct_status ct_tensors_set(ct_tensors *t, const char *key, const char *value, ct_err *e) {
    int64_t i = ct__tensors_key(t, key);
    char *v = ct_arena_text(&t->arena, value), *k = i < 0 && v ? ct_arena_text(&t->arena, key) : NULL;
    if (!v || (i < 0 && !k)) return ct_fail(e, CT_ELIMIT, "tensors: out of memory");
    if (i < 0) return ct__tensors_pair(t, k, v, 0, e);
    t->pair[i].value = v;
    return CT_OK;
}

int64_t ct_tensors_count(const ct_tensors *t) { return t->count; }
const char *ct_tensors_name(const ct_tensors *t, int64_t i) {
    return i >= 0 && i < t->count ? t->tensor[i].name : "";
}

ct_status ct_tensors_at(const ct_tensors *t, int64_t i, ct_array *view) {
    if (i < 0 || i >= t->count) return CT_EUSAGE;
    *view = ct_array_view(t->tensor[i].data, (ct_dtype)t->tensor[i].dtype, t->tensor[i].shape);
    return CT_OK;
}

const char *ct_tensors_get(const ct_tensors *t, const char *key) {
    int64_t i = ct__tensors_key(t, key);
    return i < 0 ? NULL : t->pair[i].value;
}

/* An exponent of all ones is NaN or infinity in every format: compared as bits, whatever the float flags. */
static int64_t nonfinite_of(const ct__tensor *x) {
    int64_t n = 0;
    const void *data = x->data;
    if (x->dtype == CT_F32)
        for (uint64_t i = 0; i < x->bytes / 4; i++)
            n += (((const uint32_t *)data)[i] & 0x7F800000u) == 0x7F800000u;
    if (x->dtype == CT_BF16)
        for (uint64_t i = 0; i < x->bytes / 2; i++) n += (((const uint16_t *)data)[i] & 0x7F80u) == 0x7F80u;
    if (x->dtype == CT_F64)
        for (uint64_t i = 0; i < x->bytes / 8; i++) n += (((const uint64_t *)data)[i] >> 52 & 0x7FF) == 0x7FF;
    return n;
}

int64_t ct_tensors_nonfinite(const ct_tensors *t, int64_t *first) {
    int64_t all = 0;
    if (first) *first = -1;
    for (int64_t i = 0; i < t->count; i++) {
        int64_t n = nonfinite_of(&t->tensor[i]);
        if (n && !all && first) *first = i;
        all += n;
    }
    return all;
}
