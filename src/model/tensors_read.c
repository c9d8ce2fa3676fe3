/* tensors_read.c: the safetensors reader. 8 bytes of header length, a JSON header, then the data.
 *
 * The header goes through a scan of our own first, which bounds its depth and finds keys given twice (with
 * both places), then through jansson. Nothing is allocated from a number of the header; ranges must tile the
 * data exactly: sorted by begin, each starts where the one before ends. Empty tensors may lie anywhere
 * inside. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "model/tensors.h"

#define HEADER_LIMIT (100ull << 20)
#define DEPTH_LIMIT 64

typedef struct header {
    const char *file;
    const char *text;
    uint64_t length, data_bytes;
    const uint8_t *data;
    ct_err *e;
} header;

#define AT(h, pos, ...) ct_fail_at((h)->e, CT_EDATA, (h)->file, (int64_t)(pos), __VA_ARGS__)

/* ---- the scan ---- */
typedef struct scan {
    const header *h;
    const ct_allocator *allocator;
    uint64_t *key; /* table of key positions + 1 */
    uint64_t size, used;
} scan;

static uint64_t key_end(const header *h, uint64_t at) {
    while (at < h->length && h->text[at] != '"') at += h->text[at] == '\\' ? 2 : 1;
    return at;
}

static ct_status note_key(scan *s, uint64_t begin, uint64_t end) {
    const header *h = s->h;
    if (2 * s->used >= s->size) {
        uint64_t size = s->size ? 2 * s->size : 1024, *old = s->key, count = s->size;
        s->key = ct_new_array(s->allocator, size, sizeof *s->key);
        if (!s->key) {
            s->key = old;
            return ct_fail(h->e, CT_ELIMIT, "%s: out of memory", h->file);
        }
        s->size = size;
        s->used = 0;
        for (uint64_t i = 0; i < count; i++)
            if (old[i]) note_key(s, old[i] - 1, key_end(h, old[i] - 1));
        ct_delete(s->allocator, old, count * sizeof *old);
    }
    uint64_t slot = ct_hash64(h->text + begin, end - begin, 7);
    for (;; slot++) {
        uint64_t *k = &s->key[slot & (s->size - 1)];
        if (!*k) {
            *k = begin + 1;
            s->used++;
            return CT_OK;
        }
        uint64_t other = *k - 1, other_end = key_end(h, other);
        if (other_end - other == end - begin && memcmp(h->text + other, h->text + begin, end - begin) == 0)
            return AT(h, begin + 8, "key \"%.*s\" is given twice, first @%llu; wanted it once",
                      (int)(end - begin < 100 ? end - begin : 100), h->text + begin,
                      (unsigned long long)other + 8);
    }
}

static ct_status scan_keys(scan *s) {
    const header *h = s->h;
    int depth = 0;
    for (uint64_t i = 0; i < h->length; i++) {
        char c = h->text[i];
        if (c == '{' || c == '[') depth++;
        if (c == '}' || c == ']') depth--;
        if (depth > DEPTH_LIMIT) return AT(h, i + 8, "nested deeper than %d levels", DEPTH_LIMIT);
        if (c != '"') continue;
        uint64_t begin = i + 1, end = key_end(h, begin), next = end + 1;
        while (next < h->length && strchr(" \t\r\n", h->text[next]) && h->text[next]) next++;
        if (depth == 1 && next < h->length && h->text[next] == ':') {
            ct_status status = note_key(s, begin, end);
            if (status) return status;
        }
        i = end;
    }
    return CT_OK;
}

/* ---- tensors ---- */

static int whole(const json_t *v, uint64_t *out) { /* 0..2^53 */
    if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > 9007199254740992ll)
        return 0;
    *out = (uint64_t)json_integer_value(v);
    return 1;
}

static int safe_name(const char *name) {
    for (const unsigned char *c = (const unsigned char *)name; *c; c++)
        if (*c < 32 || *c == 127) return 0;
    return strstr(name, "../") == NULL;
}

static ct_status read_shape(const header *h, const char *name, const json_t *list, ct_shape *shape) {
    if (!json_is_array(list)) return AT(h, 8, "tensor \"%.100s\": no shape; wanted a list of extents", name);
    if (json_array_size(list) > CT_MAX_RANK)
        return AT(h, 8, "tensor \"%.100s\": %zu axes; wanted at most %d", name, json_array_size(list),
                  CT_MAX_RANK);
    shape->rank = (int32_t)json_array_size(list);
    for (int32_t i = 0; i < shape->rank; i++) {
        uint64_t extent;
        if (!whole(json_array_get(list, (size_t)i), &extent))
            return AT(h, 8, "tensor \"%.100s\": extent %d is no whole number from 0 to 2^53", name, i + 1);
        shape->dim[i] = (int64_t)extent;
    }
    return CT_OK;
}

static ct_status read_type(const header *h, const char *name, const char *type, int32_t *dtype) {
    static const char *const others[] = {"F16",     "F8_E4M3", "F8_E5M2", "F8_E8M0", "F4",  "F6_E2M3",
                                         "F6_E3M2", "U16",     "I16",     "U32",     "U64", "C64"};
    *dtype = ct__safetensors_dtype(type ? type : "");
    for (size_t i = 0; !*dtype && type && i < sizeof others / sizeof *others; i++)
        if (strcmp(others[i], type) == 0)
            return AT(h, 8,
                      "tensor \"%.100s\": type %s is not supported; wanted F32, F64, BF16, I64, I32, I8, U8 "
                      "or BOOL; convert it first",
                      name, type);
    if (!*dtype)
        return AT(h, 8, "tensor \"%.100s\": \"%.40s\" is no type of this format; wanted F32, BF16 ...", name,
                  type ? type : "");
    return CT_OK;
}

static ct_status read_tensor(const header *h, ct_tensors *t, const char *name, const json_t *v) {
    uint64_t begin, end, count, bytes;
    ct_shape shape = {{0}, 0, 0};
    int32_t dtype;
    if (!safe_name(name)) {
        char shown[200];
        return AT(h, 8, "tensor \"%s\": control bytes or \"../\" in its name",
                  ct_escape(name, shown, sizeof shown));
    }
    if (!json_is_object(v))
        return AT(h, 8, "tensor \"%.100s\": no object; wanted dtype, shape and data_offsets", name);
    ct_status s = read_type(h, name, json_string_value(json_object_get(v, "dtype")), &dtype);
    if (!s) s = read_shape(h, name, json_object_get(v, "shape"), &shape);
    if (s) return s;
    const json_t *offsets = json_object_get(v, "data_offsets");
    if (json_array_size(offsets) != 2 || !whole(json_array_get(offsets, 0), &begin) ||
        !whole(json_array_get(offsets, 1), &end))
        return AT(h, 8, "tensor \"%.100s\": data_offsets are not two whole numbers from 0 to 2^53", name);
    if (begin > end || end > h->data_bytes)
        return AT(
            h, 8, "tensor \"%.100s\": data from %llu to %llu; wanted a range within the %llu bytes there are",
            name, (unsigned long long)begin, (unsigned long long)end, (unsigned long long)h->data_bytes);
    if (!ct_shape_count(&shape, 1, &count) || !ct_mul_ok(count, ct_dtype_size((ct_dtype)dtype), &bytes))
        return AT(h, 8, "tensor \"%.100s\": the product of its extents overflows", name);
    if (bytes != end - begin)
        return AT(h, 8, "tensor \"%.100s\": its range has %llu bytes; its shape wants %llu", name,
                  (unsigned long long)(end - begin), (unsigned long long)bytes);
    ct__tensor *row = ct__tensors_row(t, name, h->e);
    if (!row) return (ct_status)(h->e && h->e->status ? h->e->status : CT_ELIMIT);
    row->data = (void *)(uintptr_t)(h->data + begin);
    row->bytes = bytes;
    row->dtype = dtype;
    row->shape = shape;
    return CT_OK;
}

static ct_status read_metadata(const header *h, ct_tensors *t, json_t *meta) {
    const char *key;
    json_t *v;
    if (!json_is_object(meta)) return AT(h, 8, "__metadata__ is no object; wanted strings by name");
    json_object_foreach(meta, key, v) {
        if (!json_is_string(v)) return AT(h, 8, "__metadata__: \"%.100s\" is no string", key);
        ct_status s = ct_tensors_set(t, key, json_string_value(v), h->e);
        if (s) return s;
    }
    return CT_OK;
}

static int by_begin(const void *a, const void *b) {
    const ct__tensor *x = *(ct__tensor *const *)a, *y = *(ct__tensor *const *)b;
    if (x->data != y->data) return x->data < y->data ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

static ct_status check_tiling(const header *h, const ct_tensors *t) {
    ct_status s = CT_OK;
    const ct__tensor **order = ct_new_array(t->allocator, (uint64_t)t->count + 1, sizeof *order);
    if (!order) return ct_fail(h->e, CT_ELIMIT, "%s: out of memory", h->file);
    int64_t n = 0;
    for (int64_t i = 0; i < t->count; i++)
        if (t->tensor[i].bytes) order[n++] = &t->tensor[i];
    qsort(order, (size_t)n, sizeof *order, by_begin);
    const uint8_t *at = h->data;
    const char *before = "the header";
    for (int64_t i = 0; i < n && !s; i++) {
        const uint8_t *begin = order[i]->data;
        if (begin < at)
            s = AT(h, begin - h->data, "tensors \"%.100s\" and \"%.100s\" overlap", before, order[i]->name);
        if (begin > at)
            s = AT(h, at - h->data, "%llu bytes between \"%.100s\" and \"%.100s\" belong to no tensor",
                   (unsigned long long)(begin - at), before, order[i]->name);
        at = begin + order[i]->bytes;
        before = order[i]->name;
    }
    if (!s && (uint64_t)(at - h->data) != h->data_bytes)
        s = AT(h, at - h->data, "%llu bytes after the last tensor; wanted none",
               (unsigned long long)(h->data_bytes - (uint64_t)(at - h->data)));
    ct_delete(t->allocator, order, ((size_t)t->count + 1) * sizeof *order);
    return s;
}

/* The format aligns nothing: what lies askew for its type gets memory of its own. */
static ct_status align(const header *h, ct_tensors *t) {
    for (int64_t i = 0; i < t->count; i++) {
        ct__tensor *row = &t->tensor[i];
        if ((uintptr_t)row->data % ct_dtype_size((ct_dtype)row->dtype) == 0) continue;
        void *own = ct_new(t->allocator, row->bytes + 64);
        if (!own) return ct_fail(h->e, CT_ELIMIT, "%s: out of memory", h->file);
        memcpy(own, row->data, row->bytes);
        row->data = own;
        row->own = 1;
    }
    return CT_OK;
}

static ct_status read_header(const header *h, ct_tensors *t) {
    json_error_t je;
    const char *name;
    json_t *v;
    scan k = {h, t->allocator, NULL, 0, 0};
    ct_status s = scan_keys(&k);
    ct_delete(t->allocator, k.key, k.size * sizeof *k.key);
    if (s) return s;
    json_t *root = json_loadb(h->text, h->length, JSON_REJECT_DUPLICATES, &je);
    if (!root) return AT(h, 8 + je.position, "the header is no JSON: %s", je.text);
    if (!json_is_object(root)) s = AT(h, 8, "the header is no JSON object");
    if (!s) json_object_foreach(root, name, v) {
            s = strcmp(name, "__metadata__") == 0 ? read_metadata(h, t, v) : read_tensor(h, t, name, v);
            if (s) break;
        }
    json_decref(root);
    if (!s) s = check_tiling(h, t);
    return s ? s : align(h, t);
}

static ct_status parse(ct_tensors *t, const void *data, uint64_t bytes, const char *name, ct_err *e) {
    ct_reader r = ct_reader_of(data, bytes, name);
    uint64_t length = 0;
    ct_status s = ct_reader_u64le(&r, &length, "the header's length", e);
    if (s) return s;
    if (length > HEADER_LIMIT || length > r.end - r.pos)
        return ct_fail_at(
            e, CT_EDATA, name, 0,
            "header of %llu bytes; wanted at most %llu, what is left of the file (limit 100 MB)",
            (unsigned long long)length, (unsigned long long)(r.end - r.pos));
    header h = {name, (const char *)r.base + 8, length, r.end - 8 - length, r.base + 8 + length, e};
    return read_header(&h, t);
}

ct_status ct_tensors_parse(const ct_allocator *a, const void *data, uint64_t bytes, const char *name,
                           ct_tensors **out, ct_err *e) {
    ct_tensors *t;
    ct_status s = ct_tensors_new(a, &t, e);
    if (s) return s;
    t->file = ct_new(a, bytes + 64);
    t->file_bytes = bytes + 64;
    if (!t->file)
        s = ct_fail(e, CT_ELIMIT, "%s: out of memory for %llu bytes", name, (unsigned long long)bytes);
    if (!s && bytes) memcpy(t->file, data, bytes);
    if (!s) s = parse(t, t->file, bytes, name, e);
    if (s)
        ct_tensors_free(t);
    else
        *out = t;
    return s;
}

ct_status ct_tensors_load(const ct_files *f, const ct_allocator *a, const char *path, ct_tensors **out,
                          ct_err *e) {
    ct_tensors *t;
    ct_status s = ct_tensors_new(a, &t, e);
    if (s) return s;
    s = ct_file_read(f, a, path, 0, &t->file, &t->file_bytes, e);
    if (!s) s = parse(t, t->file, t->file_bytes, path, e);
    if (s)
        ct_tensors_free(t);
    else
        *out = t;
    return s;
}
