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
    ct_delete(t->allocator, t->table, (size_t)t->table_size * sizeof *t->table);
    ct_delete(t->allocator, t->file, t->file_bytes);
    ct_arena_free(&t->arena);
    ct_delete(t->allocator, t, sizeof *t);
}

static uint64_t slot_of(const ct_tensors *t, const char *name) {
    return ct_hash64(name, strlen(name), 1) & (uint64_t)(t->table_size - 1);
}

int64_t ct_tensors_find(const ct_tensors *t, const char *name) {
    if (!t->table_size) return -1;
    for (uint64_t i = slot_of(t, name);; i = (i + 1) & (uint64_t)(t->table_size - 1)) {
        if (!t->table[i]) return -1;
        if (strcmp(t->tensor[t->table[i] - 1].name, name) == 0) return t->table[i] - 1;
    }
}

static void put(ct_tensors *t, int64_t index) {
    uint64_t i = slot_of(t, t->tensor[index].name);
    while (t->table[i]) i = (i + 1) & (uint64_t)(t->table_size - 1);
    t->table[i] = index + 1;
}

static int reserve(ct_tensors *t) {
    if (t->count < t->capacity) return 1;
    int64_t capacity = t->capacity ? 2 * t->capacity : 64;
    ct__tensor *rows = ct_resize(t->allocator, t->tensor, (size_t)t->capacity * sizeof *rows,
                                 (size_t)capacity * sizeof *rows);
    if (!rows) return 0;
    t->tensor = rows;
    t->capacity = capacity;
    int64_t *table = ct_new_array(t->allocator, (uint64_t)capacity * 4, sizeof *table);
    if (!table) return 0;
    ct_delete(t->allocator, t->table, (size_t)t->table_size * sizeof *table);
    t->table = table;
    t->table_size = capacity * 4;
    for (int64_t i = 0; i < t->count; i++) put(t, i);
    return 1;
}

ct__tensor *ct__tensors_row(ct_tensors *t, const char *name, ct_err *e) {
    char shown[200];
    if (ct_tensors_find(t, name) >= 0) {
        ct_fail(e, CT_EDATA, "tensor \"%s\": given twice; wanted each name once",
                ct_escape(name, shown, sizeof shown));
        return NULL;
    }
    char *copy = reserve(t) ? ct_arena_text(&t->arena, name) : NULL;
    if (!copy) {
        ct_fail(e, CT_ELIMIT, "tensors: out of memory");
        return NULL;
    }
    ct__tensor *row = &t->tensor[t->count++];
    *row = (ct__tensor){.name = copy};
    put(t, t->count - 1);
    return row;
}

ct_status ct_tensors_add(ct_tensors *t, const char *name, const ct_array *from, ct_err *e) {
    uint64_t bytes = ct_array_count(from) * ct_dtype_size((ct_dtype)from->dtype);
    if (!ct_array_contiguous(from))
        return ct_fail(e, CT_EUSAGE, "tensor \"%.200s\": its array has gaps; wanted a contiguous one", name);
    void *data = ct_new(t->allocator, bytes + 64);
    ct__tensor *row = data ? ct__tensors_row(t, name, e) : NULL;
    if (!row) {
        ct_delete(t->allocator, data, bytes + 64);
        return data ? (e && e->status ? (ct_status)e->status : CT_EDATA)
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
    const char *k = ct_arena_text(&t->arena, key), *v = ct_arena_text(&t->arena, value);
    if (!k || !v) return ct_fail(e, CT_ELIMIT, "tensors: out of memory");
    for (int32_t i = 0; i < t->keys; i++)
        if (strcmp(t->key[i], key) == 0) return t->value[i] = v, CT_OK;
    if (t->keys == t->key_capacity) {
        int32_t capacity = t->key_capacity ? 2 * t->key_capacity : 8;
        const char **list = ct_arena_array(&t->arena, 2 * (uint64_t)capacity, sizeof *list);
        if (!list) return ct_fail(e, CT_ELIMIT, "tensors: out of memory");
        for (int32_t i = 0; i < t->keys; i++) {
            list[i] = t->key[i];
            list[capacity + i] = t->value[i];
        }
        t->key = list;
        t->value = list + capacity;
        t->key_capacity = capacity;
    }
    t->key[t->keys] = k;
    t->value[t->keys++] = v;
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
    for (int32_t i = 0; i < t->keys; i++)
        if (strcmp(t->key[i], key) == 0) return t->value[i];
    return NULL;
}
