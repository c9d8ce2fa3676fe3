/* images.c: pictures in memory and a transform list as a source. */
#include "data/transform/transform.h"

typedef struct images {
    const ct_allocator *allocator;
    const uint8_t *picture;
    const ct_array *labels;
    const ct_transform *transform;
    int64_t shape[3], made; /* made: floats of a result */
    ct__scratches pool;
} images;

static ct_status read_image(void *user, int64_t record, int64_t epoch, uint64_t seed, void *const *out,
                            ct_err *e) {
    images *s = user;
    const uint8_t *picture = s->picture + record * s->shape[0] * s->shape[1] * s->shape[2];
    ct_scratch *scratch = ct__scratches_take(&s->pool, e);
    if (!scratch) return CT_ELIMIT;
    ct_status status = ct__transform_from(s->transform, 0, scratch, picture, s->shape,
                                          (ct_draw){record, epoch, seed}, out[0], s->made, e);
    ct__scratches_give(&s->pool, scratch);
    if (s->labels) *(int64_t *)out[1] = ct_array_integer(s->labels, record);
    return status;
}

static void close_images(void *user) {
    images *s = user;
    ct__scratches_close(&s->pool);
    ct_delete(s->allocator, s, sizeof *s);
}

ct_status ct_source_images(const ct_allocator *a, const ct_array *array, const ct_array *labels,
                           const ct_transform *t, ct_source *out, ct_err *e) {
    int64_t made[3];
    if (array->dtype != CT_U8 || array->rank < 3 || array->rank > 4 || !ct_array_contiguous(array))
        return ct_fail(e, CT_EDATA, "images: %s of %d axes; wanted u8 [N,H,W] or [N,C,H,W]; convert them",
                       ct_dtype_name((ct_dtype)array->dtype), array->rank);
    if (labels && (labels->rank != 1 || labels->dim[0] != array->dim[0] || labels->dtype == CT_F32 ||
                   labels->dtype == CT_F64 || labels->dtype == CT_BF16))
        return ct_fail(e, CT_EDATA,
                       "labels: %lld of type %s; wanted %lld integers, one a picture; convert them",
                       labels->rank ? (long long)labels->dim[0] : 0, ct_dtype_name((ct_dtype)labels->dtype),
                       (long long)array->dim[0]);
    int grey = array->rank == 3;
    int64_t shape[3] = {grey ? 1 : array->dim[1], array->dim[array->rank - 2], array->dim[array->rank - 1]};
    ct_status s = ct_transform_shape(t, shape, made, e);
    if (s) return s;
    images *m = ct_new(a, sizeof *m);
    if (!m) return ct_fail(e, CT_ELIMIT, "images: out of memory");
    *m = (images){.allocator = a,
                  .picture = array->data,
                  .labels = labels,
                  .transform = t,
                  .shape = {shape[0], shape[1], shape[2]},
                  .made = made[0] * made[1] * made[2]};
    ct__scratches_open(&m->pool, a);
    ct_source r = {.user = m,
                   .count = array->dim[0],
                   .fields = labels ? 2 : 1,
                   .read = read_image,
                   .close = close_images};
    r.field[0] = (ct_field){"image", CT_F32, 0, ct_shape_make(3, made)};
    if (labels) r.field[1] = (ct_field){"label", CT_I64, 0, ct_shape_make(0, NULL)};
    *out = r;
    return CT_OK;
}
