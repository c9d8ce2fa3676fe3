/* images_source.c: from a record to what a net reads.
 *
 * A picture is read from its file in a thread's scratch, decoded, and taken through the transform. What the
 * transform's first steps make, as long as they draw nothing and leave bytes, is the same in every epoch: the scan
 * keeps it while the cache has room, first come, first kept; epochs visit every record once, so a cache that threw
 * out the oldest would never hit. Nothing that is read depends on what was kept: of a kept picture too the file is
 * looked at (size, time, inode), so that a file that is gone or changed ends a run with any memory. */
#include <math.h>
#include <string.h>

#include "data/read/images.h"

/* ---- pixels ---- */

static ct_status array_planes(const ct_images *s, const ct__record *r, uint8_t **planes, int64_t shape[3]) {
    const ct_array *x = &s->array[r->part];
    int grey = x->rank == 3;
    shape[0] = grey ? 1 : x->dim[1];
    shape[1] = x->dim[grey ? 1 : 2];
    shape[2] = x->dim[grey ? 2 : 3];
    *planes = (uint8_t *)x->data + r->number * shape[0] * shape[1] * shape[2];
    return CT_OK;
}

ct_status ct__images_planes(const ct_images *s, int64_t i, ct_scratch *scratch, uint8_t **planes,
                            int64_t shape[3], ct_err *e) {
    char path[CT__PATH];
    uint8_t *data;
    ct__stamp now;
    int over;
    const ct__record *r = &s->record[i];
    if (s->in_arrays) return array_planes(s, r, planes, shape);
    ct_picture_options o = s->o.picture;
    o.channels = (int32_t)s->channels;
    ct_status status = ct__images_file(s, r->path, path, e);
    if (!status) status = ct__slurp(s->files, scratch, path, &data, &now, &over, e);
    if (!status && s->scanned) status = ct__unchanged(path, &r->stamp, &now, e);
    if (!status)
        status = ct__picture_decode(scratch, data, (uint64_t)now.bytes, path, &o, NULL, NULL, planes, shape,
                                    NULL, e);
    return status;
}

/* A scan takes broken pictures out, so indices from before it may be too large. */
static ct_status check_records(const ct_images *s, const int64_t *index, int64_t n, ct_err *e) {
    for (int64_t k = 0; k < n; k++)
        if (index[k] < 0 || index[k] >= s->count)
            return ct_fail(e, CT_EUSAGE,
                           "%s: record %lld; wanted 0 to %lld; give another, and take indices after the scan",
                           s->name, (long long)index[k], (long long)s->count - 1);
    return CT_OK;
}

ct_status ct_images_read(const ct_images *s, int64_t i, const ct_allocator *a, ct_array *out, ct_err *e) {
    uint8_t *planes;
    int64_t shape[3];
    if (check_records(s, &i, 1, e)) return CT_EUSAGE;
    ct__scratches *pool = (ct__scratches *)(uintptr_t)&s->scratches; /* has its own lock */
    ct_scratch *scratch = ct__scratches_take(pool, e);
    if (!scratch) return CT_ELIMIT;
    ct_status status = ct__images_planes(s, i, scratch, &planes, shape, e);
    if (!status) status = ct_array_new(a, CT_U8, CT_SHAPE(shape[0], shape[1], shape[2]), out, e);
    if (!status) memcpy(out->data, planes, (size_t)(shape[0] * shape[1] * shape[2]));
    ct__scratches_give(pool, scratch);
    return status;
}

char *ct__prefix_text(ct_images *s, const ct_transform *t) {
    ct_transform *first = ct_new(s->allocator, sizeof *first);
    ct_text text = {.allocator = s->allocator};
    if (!first) return NULL;
    first->steps = ct__transform_prefix(t);
    if (first->steps) memcpy(first->step, t->step, (size_t)first->steps * sizeof *t->step);
    ct_transform_text(first, &text);
    char *copy = text.failed ? NULL : ct_arena_text(&s->arena, text.data ? text.data : "");
    ct_text_free(&text);
    ct_delete(s->allocator, first, sizeof *first);
    return copy;
}

void ct__images_shape(const ct_images *s, int64_t i, int64_t shape[3]) {
    const ct__record *r = &s->record[i];
    shape[0] = s->in_arrays ? r->channels : s->channels;
    shape[1] = r->height;
    shape[2] = r->width;
}

/* ---- the source ---- */

/* What the set keeps of record i, as long as its file is the one that was scanned. */
static ct_status kept_planes(const ct_images *s, int64_t i, uint8_t **planes, ct_err *e) {
    char path[CT__PATH];
    const ct__record *r = &s->record[i];
    *planes = r->kept;
    ct_status status = ct__images_file(s, r->path, path, e);
    return status ? status : ct__unchanged(path, &r->stamp, NULL, e);
}

typedef struct source {
    ct_images *s;
    const ct_transform *t;
    int64_t *index, count, made; /* made: floats of a result */
    int32_t prefix, kept;        /* kept: the set keeps what the first `prefix` steps make */
} source;

static ct_status read_picture(void *user, int64_t k, int64_t epoch, uint64_t seed, void *const *out,
                              ct_err *e) {
    source *q = user;
    ct_images *s = q->s;
    int64_t i = q->index[k], shape[3];
    const ct__record *r = &s->record[i];
    uint8_t *planes = q->kept ? r->kept : NULL;
    int32_t first = planes ? q->prefix : 0;
    ct_scratch *scratch = ct__scratches_take(&s->scratches, e);
    if (!scratch) return CT_ELIMIT;
    ct_status status = CT_OK;
    ct__images_shape(s, i, shape);
    if (planes) {
        status = kept_planes(s, i, &planes, e);
        if (!status) status = ct__transform_shape(q->t, q->prefix, shape, shape, e);
    } else {
        status = ct__images_planes(s, i, scratch, &planes, shape, e);
    }
    if (!status)
        status = ct__transform_from(q->t, first, scratch, planes, shape, (ct_draw){i, epoch, seed}, out[0],
                                    q->made, e);
    ct__scratches_give(&s->scratches, scratch);
    if (!s->o.unlabelled) *(int64_t *)out[1] = r->label;
    return status;
}

static void close_source(void *user) {
    source *q = user;
    const ct_allocator *a = q->s->allocator;
    ct_delete(a, q->index, ((size_t)q->count + 1) * sizeof *q->index);
    ct_delete(a, q, sizeof *q);
}

static const char *name_of(const ct_images *s, int64_t i, char out[32]) {
    if (s->record[i].path) return s->record[i].path;
    int64_t number = s->record[i].number;
    int at = 31;
    out[at] = 0;
    do out[--at] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    return out + at;
}

/* All records must come out alike. */
static ct_status one_shape(const ct_images *s, const int64_t *index, int64_t n, const ct_transform *t,
                           int64_t made[3], ct_err *e) {
    int64_t shape[3], other[3];
    char a[32], b[32];
    for (int64_t k = 0; k < n; k++) {
        ct__images_shape(s, index[k], shape);
        ct_err inner = {0};
        ct_status status = ct_transform_shape(t, shape, k ? other : made, &inner);
        if (status) return ct_fail(e, CT_EDATA, "%s: %s: %s", s->name, name_of(s, index[k], a), inner.text);
        if (k && memcmp(made, other, sizeof other) != 0)
            return ct_fail(
                e, CT_EDATA,
                "%s: %s becomes [%lld,%lld,%lld], %s [%lld,%lld,%lld]; wanted one size; put resize "
                "WIDTHxHEIGHT, or resize and center_crop, into the transform",
                s->name, name_of(s, index[0], a), (long long)made[0], (long long)made[1], (long long)made[2],
                name_of(s, index[k], b), (long long)other[0], (long long)other[1], (long long)other[2]);
    }
    return CT_OK;
}

ct_status ct_images_source(ct_images *s, const int64_t *index, int64_t n, const ct_transform *t,
                           ct_source *out, ct_err *e) {
    int64_t made[3];
    if (!s->scanned && !s->in_arrays)
        return ct_fail(e, CT_EUSAGE, "%s: not scanned; wanted its sizes; call ct_images_scan first", s->name);
    if (n < 1) return ct_fail(e, CT_EDATA, "%s: 0 records; wanted at least one; give more data", s->name);
    ct_status status = check_records(s, index, n, e);
    if (!status) status = one_shape(s, index, n, t, made, e);
    if (status) return status;
    char *text = ct__prefix_text(s, t);
    int kept = text && s->prefix && strcmp(text, s->prefix) == 0;
    source *q = ct_new(s->allocator, sizeof *q);
    int64_t *copy = ct_new_array(s->allocator, (uint64_t)n + 1, sizeof *copy);
    if (!q || !copy) {
        ct_delete(s->allocator, q, sizeof *q);
        ct_delete(s->allocator, copy, ((size_t)n + 1) * sizeof *copy);
        return ct_fail(e, CT_ELIMIT, "%s: out of memory for %lld records", s->name, (long long)n);
    }
    memcpy(copy, index, (size_t)n * sizeof *copy);
    *q = (source){s, t, copy, n, made[0] * made[1] * made[2], ct__transform_prefix(t), kept};
    *out = (ct_source){.user = q,
                       .count = n,
                       .fields = s->o.unlabelled ? 1 : 2,
                       .read = read_picture,
                       .close = close_source};
    out->field[0] = (ct_field){"image", CT_F32, 0, ct_shape_make(3, made)};
    if (!s->o.unlabelled) out->field[1] = (ct_field){"label", CT_I64, 0, ct_shape_make(0, NULL)};
    return CT_OK;
}

/* ---- identity and moments ---- */

static ct_status check_pixels(const ct_images *s, const int64_t *index, int64_t n, ct_err *e) {
    if (s->scanned < 2)
        return ct_fail(e, CT_EUSAGE, "%s: its pixels are not scanned; wanted them; call ct_images_scan",
                       s->name);
    return check_records(s, index, n, e);
}

ct_status ct_images_hash(const ct_images *s, const int64_t *index, int64_t n, int labels, ct_hash128 *out,
                         ct_err *e) {
    ct_status status = check_pixels(s, index, n, e);
    if (status) return status;
    ct_hasher *h = ct_hasher_new(s->allocator);
    if (!h) return ct_fail(e, CT_ELIMIT, "%s: out of memory", s->name);
    for (int64_t k = 0; k < n; k++) {
        const ct__record *r = &s->record[index[k]];
        uint64_t v[3] = {r->hash.low, r->hash.high, labels ? (uint64_t)r->label : 0};
        ct_hasher_add(h, v, labels ? sizeof v : 2 * sizeof *v);
    }
    *out = ct_hasher_end(h);
    ct_hasher_free(h);
    return CT_OK;
}

ct_status ct_images_moments(const ct_images *s, const int64_t *index, int64_t n, double mean[3],
                            double std[3], ct_err *e) {
    ct_status status = check_pixels(s, index, n, e);
    if (status) return status;
    for (int c = 0; c < 3; c++) {
        uint64_t sum = 0, square = 0, count = 0;
        for (int64_t k = 0; k < n; k++) {
            const ct__record *r = &s->record[index[k]];
            sum += r->sum[c];
            square += r->square[c];
            count += r->pixels;
        }
        double total = (double)count * 255, variance;
        mean[c] = count ? (double)sum / total : 0;
        variance = count ? (double)square / (total * 255) - mean[c] * mean[c] : 0;
        std[c] = variance > 0 ? sqrt(variance) : 0;
    }
    return CT_OK;
}
