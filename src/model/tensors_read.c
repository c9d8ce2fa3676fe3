/* tensors_read.c: the safetensors reader. 8 bytes of header length, a JSON header, then the data.
 *
 * The header is read in one pass (scan.h). Nothing is allocated from a number of it; ranges must tile the data
 * exactly: sorted by begin, each starts where the one before ends. Empty tensors may lie anywhere inside. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/scan.h"
#include "model/tensors.h"

#define HEADER_LIMIT (100ull << 20)

typedef struct header {
    ct__scan scan;
    const uint8_t *data;
    uint64_t data_bytes;
} header;

/* What the header says of one tensor; the places are of each key, 0: not given. */
typedef struct entry {
    const char *name;
    uint64_t place, type_at, shape_at, offsets_at;
    int32_t dtype;
    ct_shape shape;
    uint64_t begin, end;
} entry;

#define AT(h, place, ...) CT__SCAN_FAIL(&(h)->scan, place, __VA_ARGS__)
#define DAMAGED "the file is damaged"

/* ---- one tensor ---- */

static int safe_name(const char *name) {
    for (const unsigned char *c = (const unsigned char *)name; *c; c++)
        if (*c < 32 || *c == 127) return 0;
    return strstr(name, "../") == NULL;
}

static ct_status read_type(header *h, entry *x) {
    static const char *const others[] = {"F16",     "F8_E4M3", "F8_E5M2", "F8_E8M0", "F4",  "F6_E2M3",
                                         "F6_E3M2", "U16",     "I16",     "U32",     "U64", "C64"};
    char type[CT__SCAN_WORD];
    ct_status s = ct__scan_word(&h->scan, type, &x->type_at);
    if (s) return s;
    x->dtype = ct__safetensors_dtype(type);
    for (size_t i = 0; !x->dtype && i < sizeof others / sizeof *others; i++)
        if (strcmp(others[i], type) == 0)
            return AT(h, x->type_at,
                      "tensor \"%.100s\": type %s is not supported; wanted F32, F64, BF16, I64, I32, I8, U8 "
                      "or BOOL; "
                      "convert it first",
                      x->name, type);
    if (x->dtype) return CT_OK;
    return AT(h, x->type_at,
              "tensor \"%.100s\": \"%s\" is no type of this format; wanted F32, F64, BF16, I64, I32, I8, U8 "
              "or BOOL; " DAMAGED,
              x->name, type);
}

static ct_status read_shape(header *h, entry *x) {
    char what[160];
    snprintf(what, sizeof what, "tensor \"%.100s\": an extent", x->name);
    x->shape_at = h->scan.at;
    ct_status s = ct__scan_expect(&h->scan, '[');
    for (int first = 1; !s && !(first && ct__scan_accept(&h->scan, ']')); first = 0) {
        uint64_t extent = 0;
        if (x->shape.rank == CT_MAX_RANK)
            return AT(h, x->shape_at,
                      "tensor \"%.100s\": more than %d axes; wanted at most that; reshape it first", x->name,
                      CT_MAX_RANK);
        s = ct__scan_whole(&h->scan, what, &extent);
        x->shape.dim[x->shape.rank++] = (int64_t)extent;
        if (s || ct__scan_accept(&h->scan, ',')) continue;
        return ct__scan_expect(&h->scan, ']');
    }
    return s;
}

static ct_status read_offsets(header *h, entry *x) {
    char what[160];
    snprintf(what, sizeof what, "tensor \"%.100s\": a data_offset", x->name);
    x->offsets_at = h->scan.at;
    ct_status s = ct__scan_expect(&h->scan, '[');
    if (!s) s = ct__scan_whole(&h->scan, what, &x->begin);
    if (!s) s = ct__scan_expect(&h->scan, ',');
    if (!s) s = ct__scan_whole(&h->scan, what, &x->end);
    return s ? s : ct__scan_expect(&h->scan, ']');
}

static ct_status twice(const header *h, const char *key, uint64_t place, uint64_t before) {
    return AT(h, place, "key \"%.100s\" is given twice, first @%llu; wanted it once; " DAMAGED, key,
              (unsigned long long)(h->scan.base + before));
}

static ct_status read_field(header *h, entry *x) {
    char key[CT__SCAN_WORD];
    uint64_t at = 0;
    ct_status s = ct__scan_word(&h->scan, key, &at);
    if (!s) s = ct__scan_expect(&h->scan, ':');
    if (s) return s;
    uint64_t *seen = strcmp(key, "dtype") == 0          ? &x->type_at
                     : strcmp(key, "shape") == 0        ? &x->shape_at
                     : strcmp(key, "data_offsets") == 0 ? &x->offsets_at
                                                        : NULL;
    if (!seen) return ct__scan_skip(&h->scan);
    if (*seen) return twice(h, key, at, *seen);
    s = seen == &x->type_at ? read_type(h, x) : seen == &x->shape_at ? read_shape(h, x) : read_offsets(h, x);
    *seen = at;
    return s;
}

static ct_status check_entry(const header *h, const entry *x) {
    uint64_t count, bytes;
    if (!safe_name(x->name)) {
        char shown[200];
        return AT(h, x->place,
                  "tensor \"%s\": control bytes or \"../\" in its name; wanted a name without; rename it",
                  ct_escape(x->name, shown, sizeof shown));
    }
    if (!x->type_at || !x->shape_at || !x->offsets_at)
        return AT(h, x->place, "tensor \"%.100s\": no %s; wanted dtype, shape and data_offsets; " DAMAGED,
                  x->name,
                  !x->type_at    ? "dtype"
                  : !x->shape_at ? "shape"
                                 : "data_offsets");
    if (x->begin > x->end || x->end > h->data_bytes)
        return AT(
            h, x->offsets_at,
            "tensor \"%.100s\": data from %llu to %llu; wanted a range within the %llu bytes there are; "
            "the file is cut short or damaged",
            x->name, (unsigned long long)x->begin, (unsigned long long)x->end,
            (unsigned long long)h->data_bytes);
    if (!ct_shape_count(&x->shape, 1, &count) || !ct_mul_ok(count, ct_dtype_size((ct_dtype)x->dtype), &bytes))
        return AT(
            h, x->shape_at,
            "tensor \"%.100s\": the product of its extents overflows; wanted what the file holds; " DAMAGED,
            x->name);
    if (bytes != x->end - x->begin)
        return AT(h, x->offsets_at,
                  "tensor \"%.100s\": %llu bytes of data; wanted %llu by its shape and type; " DAMAGED,
                  x->name, (unsigned long long)(x->end - x->begin), (unsigned long long)bytes);
    return CT_OK;
}

static ct_status read_tensor(header *h, ct_tensors *t, char *name, uint64_t place) {
    entry x = {.name = name, .place = place};
    int64_t other = ct_tensors_find(t, name);
    if (other >= 0) return twice(h, name, place, t->tensor[other].place);
    ct_status s = ct__scan_expect(&h->scan, '{');
    int empty = !s && ct__scan_accept(&h->scan, '}');
    while (!s && !empty) {
        s = read_field(h, &x);
        if (!s && !ct__scan_accept(&h->scan, ',')) {
            s = ct__scan_expect(&h->scan, '}');
            break;
        }
    }
    if (!s) s = check_entry(h, &x);
    if (s) return s;
    ct__tensor *row = ct__tensors_row(t, name, h->scan.e);
    if (!row) return CT_ELIMIT;
    row->data = (void *)(uintptr_t)(h->data + x.begin);
    row->bytes = x.end - x.begin;
    row->place = place;
    row->dtype = x.dtype;
    row->shape = x.shape;
    return CT_OK;
}

static ct_status read_metadata(header *h, ct_tensors *t) {
    ct_status s = ct__scan_expect(&h->scan, '{');
    if (s || ct__scan_accept(&h->scan, '}')) return s;
    for (;;) {
        char *key = NULL, *value = NULL;
        uint64_t at = 0, value_at = 0;
        s = ct__scan_string(&h->scan, &t->arena, &key, &at);
        int64_t other = s ? -1 : ct__tensors_key(t, key);
        if (other >= 0) return twice(h, key, at, t->pair[other].place);
        if (!s) s = ct__scan_expect(&h->scan, ':');
        if (!s) s = ct__scan_string(&h->scan, &t->arena, &value, &value_at);
        if (!s) s = ct__tensors_pair(t, key, value, at, h->scan.e);
        if (s || !ct__scan_accept(&h->scan, ',')) break;
    }
    return s ? s : ct__scan_expect(&h->scan, '}');
}

/* ---- the whole ---- */

static int by_begin(const void *a, const void *b) {
    const ct__tensor *x = *(ct__tensor *const *)a, *y = *(ct__tensor *const *)b;
    if (x->data != y->data) return x->data < y->data ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

static ct_status check_tiling(const header *h, const ct_tensors *t) {
    ct_status s = CT_OK;
    const ct__tensor **order = ct_new_array(t->allocator, (uint64_t)t->count + 1, sizeof *order);
    if (!order) return ct_fail(h->scan.e, CT_ELIMIT, "%s: out of memory", h->scan.file);
    int64_t n = 0;
    for (int64_t i = 0; i < t->count; i++)
        if (t->tensor[i].bytes) order[n++] = &t->tensor[i];
    qsort(order, (size_t)n, sizeof *order, by_begin);
    const uint8_t *at = h->data;
    const char *before = "the header";
    for (int64_t i = 0; i < n && !s; i++) {
        const uint8_t *begin = order[i]->data;
        if (begin < at)
            s = AT(h, order[i]->place,
                   "tensors \"%.100s\" and \"%.100s\" overlap; wanted ranges that do not; " DAMAGED, before,
                   order[i]->name);
        if (begin > at)
            s = AT(
                h, order[i]->place,
                "%llu bytes between \"%.100s\" and \"%.100s\" belong to no tensor; wanted no hole; " DAMAGED,
                (unsigned long long)(begin - at), before, order[i]->name);
        at = begin + order[i]->bytes;
        before = order[i]->name;
    }
    uint64_t used = (uint64_t)(at - h->data);
    if (!s && used != h->data_bytes)
        s = AT(h, h->scan.length + used, "%llu bytes after the last tensor; wanted none; " DAMAGED,
               (unsigned long long)(h->data_bytes - used));
    ct_delete(t->allocator, order, ((size_t)t->count + 1) * sizeof *order);
    return s;
}

/* The format aligns nothing: what lies askew for its type gets memory of its own. */
static ct_status align(const header *h, ct_tensors *t) {
    for (int64_t i = 0; i < t->count; i++) {
        ct__tensor *row = &t->tensor[i];
        if ((uintptr_t)row->data % ct_dtype_size((ct_dtype)row->dtype) == 0) continue;
        void *own = ct_new(t->allocator, row->bytes + 64);
        if (!own) return ct_fail(h->scan.e, CT_ELIMIT, "%s: out of memory", h->scan.file);
        memcpy(own, row->data, row->bytes);
        row->data = own;
        row->own = 1;
    }
    return CT_OK;
}

static ct_status read_header(header *h, ct_tensors *t) {
    uint64_t metadata_at = 0;
    ct_status s = ct__scan_expect(&h->scan, '{');
    int empty = !s && ct__scan_accept(&h->scan, '}');
    while (!s && !empty) {
        char *name = NULL;
        uint64_t at = 0;
        s = ct__scan_string(&h->scan, &t->arena, &name, &at);
        if (!s) s = ct__scan_expect(&h->scan, ':');
        if (s) return s;
        if (strcmp(name, "__metadata__") != 0)
            s = read_tensor(h, t, name, at);
        else
            s = metadata_at ? twice(h, name, at, metadata_at) : read_metadata(h, t);
        if (strcmp(name, "__metadata__") == 0) metadata_at = at;
        if (!s && !ct__scan_accept(&h->scan, ',')) {
            s = ct__scan_expect(&h->scan, '}');
            break;
        }
    }
    if (!s) s = ct__scan_end(&h->scan);
    if (!s) s = check_tiling(h, t);
    return s ? s : align(h, t);
}

/* A length that fits the file when its bytes are turned round was written on a big-endian machine. */
static int is_turned(uint64_t length, uint64_t left) {
    uint64_t turned = 0;
    for (int i = 0; i < 8; i++) turned = turned << 8 | (length >> (8 * i) & 255);
    return turned <= left;
}

/* Eight bytes of text would be a length beyond every file. */
static int is_text(const unsigned char *data, uint64_t bytes) {
    int text = bytes >= 8;
    for (uint64_t i = 0; i < bytes && i < 64; i++)
        text &= (data[i] >= 32 && data[i] != 127 && data[i] < 0xf5) || data[i] == '\n' || data[i] == '\r' ||
                data[i] == '\t';
    return text;
}

/* What else the file may be, by its first bytes, and what to do then. */
static const char *other_format(const unsigned char *data, uint64_t length, uint64_t left) {
    if (memcmp(data, "PK\3\4", 4) == 0 || (data[0] == 0x80 && data[1] >= 2 && data[1] <= 5))
        return "it looks like torch.save's: save the state_dict with safetensors.torch.save_file";
    if (length > left && is_turned(length, left))
        return "its length is big-endian: write the file little-endian";
    return "the file is cut short or not of this format";
}

static ct_status parse(ct_tensors *t, const void *data, uint64_t bytes, const char *name, ct_err *e) {
    ct_reader r = ct_reader_of(data, bytes, name);
    uint64_t length = 0;
    if (is_text(data, bytes))
        return ct_fail_at(e, CT_EDATA, name, 0,
                          "found text; wanted a safetensors file, as cotan train writes it; give a model");
    ct_status s = ct_reader_u64le(&r, &length, "the header's length", e);
    if (s) return s;
    uint64_t left = r.end - r.pos;
    if (length > HEADER_LIMIT || length > left)
        return ct_fail_at(
            e, CT_EDATA, name, 0,
            "a header of %llu bytes; wanted at most %llu, what is left of the file, and 100 MB; %s",
            (unsigned long long)length, (unsigned long long)left, other_format(data, length, left));
    header h = {{name, (const char *)r.base + 8, length, 0, 8, e}, r.base + 8 + length, left - length};
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
