/* source.c: sources over arrays, parts of sources, and what identifies a data set. */
#include <string.h>

#include "cotan/data.h"

void ct_source_close(ct_source *s) {
    if (s->close) s->close(s->user);
    memset(s, 0, sizeof *s);
}

/* ---- arrays ---- */
typedef struct arrays {
    const ct_allocator *allocator;
    ct_array array[CT_MAX_FIELDS];
    uint64_t bytes[CT_MAX_FIELDS]; /* of a record */
    int64_t step[CT_MAX_FIELDS];   /* from one record to the next */
    int32_t count;
} arrays;

static ct_status read_arrays(void *user, int64_t record, int64_t epoch, uint64_t seed, void *const *out,
                             ct_err *e) {
    const arrays *s = user;
    (void)epoch;
    (void)seed;
    (void)e;
    for (int32_t i = 0; i < s->count; i++)
        memcpy(out[i], (const char *)s->array[i].data + record * s->step[i], s->bytes[i]);
    return CT_OK;
}

static void close_arrays(void *user) { ct_delete(((arrays *)user)->allocator, user, sizeof(arrays)); }

/* One row at a time: rows are contiguous, whatever lies between them. */
static int rows_contiguous(const ct_array *x) {
    int64_t want = 1;
    for (int32_t d = x->rank - 1; d >= 1; d--) {
        if (x->dim[d] > 1 && x->stride[d] != want) return 0;
        want *= x->dim[d];
    }
    return 1;
}

static ct_status check_array(const ct_array *x, const char *name, const ct_array *first,
                             const char *first_name, ct_err *e) {
    if (x->rank < 1)
        return ct_fail(e, CT_EDATA,
                       "source: array \"%.60s\" is a single number; wanted records along its first axis; "
                       "reshape it to [N,...]",
                       name);
    if (!rows_contiguous(x))
        return ct_fail(e, CT_EDATA,
                       "source: array \"%.60s\" has rows with gaps; wanted contiguous ones; copy it first",
                       name);
    if (x->dim[0] != first->dim[0])
        return ct_fail(e, CT_EDATA,
                       "source: array \"%.60s\" has %lld records, \"%.60s\" has %lld; wanted equal counts; "
                       "give arrays of the same records",
                       name, (long long)x->dim[0], first_name, (long long)first->dim[0]);
    return CT_OK;
}

ct_status ct_source_arrays(const ct_allocator *a, const ct_array *array, const char *const *names,
                           int32_t count, ct_source *out, ct_err *e) {
    if (count < 1 || count > CT_MAX_FIELDS)
        return ct_fail(e, CT_EUSAGE, "source: %d arrays; wanted 1 to %d", count, CT_MAX_FIELDS);
    arrays *s = ct_new(a, sizeof *s);
    if (!s) return ct_fail(e, CT_ELIMIT, "source: out of memory");
    ct_source r = {.user = s, .fields = count, .read = read_arrays, .close = close_arrays};
    s->allocator = a;
    s->count = count;
    for (int32_t i = 0; i < count; i++) {
        const ct_array *x = &array[i];
        ct_status bad = check_array(x, names[i], &array[0], names[0], e);
        if (bad) {
            ct_delete(a, s, sizeof *s);
            return bad;
        }
        s->array[i] = *x;
        s->bytes[i] = ct_dtype_size((ct_dtype)x->dtype);
        s->step[i] = x->stride[0] * (int64_t)s->bytes[i];
        for (int32_t d = 1; d < x->rank; d++) s->bytes[i] *= (uint64_t)x->dim[d];
        r.field[i] = (ct_field){names[i], x->dtype, 0, ct_shape_make(x->rank - 1, x->dim + 1)};
    }
    r.count = array[0].dim[0];
    *out = r;
    return CT_OK;
}

/* ---- a part ---- */
typedef struct subset {
    const ct_allocator *allocator;
    ct_source from;
    int64_t *index;
    int64_t count;
} subset;

static ct_status read_subset(void *user, int64_t record, int64_t epoch, uint64_t seed, void *const *out,
                             ct_err *e) {
    const subset *s = user;
    return s->from.read(s->from.user, s->index[record], epoch, seed, out, e);
}

static void close_subset(void *user) {
    subset *s = user;
    ct_delete(s->allocator, s->index, (size_t)s->count * sizeof *s->index);
    ct_delete(s->allocator, s, sizeof *s);
}

ct_status ct_source_subset(const ct_allocator *a, const ct_source *from, const int64_t *index, int64_t count,
                           ct_source *out, ct_err *e) {
    subset *s = ct_new(a, sizeof *s);
    int64_t *copy = ct_new_array(a, (uint64_t)count, sizeof *copy);
    if (!s || !copy) {
        ct_delete(a, s, sizeof *s);
        ct_delete(a, copy, (size_t)count * sizeof *copy);
        return ct_fail(e, CT_ELIMIT, "source: out of memory for %lld records", (long long)count);
    }
    for (int64_t i = 0; i < count; i++) {
        copy[i] = index[i];
        if (index[i] >= 0 && index[i] < from->count) continue;
        ct_delete(a, s, sizeof *s);
        ct_delete(a, copy, (size_t)count * sizeof *copy);
        return ct_fail(e, CT_EUSAGE, "source: record %lld; wanted 0 to %lld", (long long)index[i],
                       (long long)from->count - 1);
    }
    *s = (subset){a, *from, copy, count};
    *out = *from;
    out->user = s;
    out->count = count;
    out->read = read_subset;
    out->close = close_subset;
    return CT_OK;
}

/* ---- identity ---- */
static uint64_t record_bytes(const ct_field *f) {
    uint64_t count = 0, bytes = 0;
    return ct_shape_count(&f->shape, 1, &count) && ct_mul_ok(count, ct_dtype_size((ct_dtype)f->dtype), &bytes)
               ? bytes
               : 0;
}

ct_status ct_source_hash(const ct_allocator *a, const ct_source *s, const char *skip, ct_hash128 *out,
                         ct_err *e) {
    ct_hasher *h = ct_hasher_new(a);
    void *row[CT_MAX_FIELDS] = {0};
    uint64_t bytes[CT_MAX_FIELDS];
    ct_status status = h ? CT_OK : CT_ELIMIT;
    for (int32_t i = 0; i < s->fields; i++) {
        bytes[i] = record_bytes(&s->field[i]);
        row[i] = ct_new(a, bytes[i] + 64);
        if (!row[i]) status = CT_ELIMIT;
    }
    if (status) ct_fail(e, CT_ELIMIT, "data: out of memory");
    for (int32_t i = 0; i < s->fields && !status; i++)
        if (!skip || strcmp(skip, s->field[i].name) != 0) {
            char text[CT_SHAPE_TEXT];
            ct_shape_format(&s->field[i].shape, text);
            ct_hasher_add(h, s->field[i].name, strlen(s->field[i].name) + 1);
            ct_hasher_add(h, text, strlen(text) + 1);
        }
    for (int64_t r = 0; r < s->count && !status; r++) {
        status = s->read(s->user, r, -1, 0, row, e);
        for (int32_t i = 0; i < s->fields && !status; i++)
            if (!skip || strcmp(skip, s->field[i].name) != 0) ct_hasher_add(h, row[i], bytes[i]);
    }
    if (!status) *out = ct_hasher_end(h);
    for (int32_t i = 0; i < s->fields; i++) ct_delete(a, row[i], bytes[i] + 64);
    ct_hasher_free(h);
    return status;
}

int32_t ct_split_of(uint64_t seed, const void *key, size_t bytes) {
    return (int32_t)(ct_hash64(key, bytes, seed ^ 0x73706c6974ull) % 10000);
}
