/* mix.c: mixup and cutmix in training: the batch is mixed before the net sees it, and its labels become shares.
 * The loader's batch is not touched; the net's label input is f32 [N, classes]. */
#include <string.h>

#include "task/image/job.h"

static uint64_t most_rows(const ct__image_job *j) {
    return (uint64_t)(j->recipe.batch < j->train_count ? j->recipe.batch : j->train_count);
}

ct_status ct__image_mix_open(ct__image_job *j) {
    uint64_t pixels = (uint64_t)(j->shape[0] * j->shape[1] * j->shape[2]), rows = most_rows(j);
    uint64_t values = 0, shares = 0;
    j->like = j->train_source;
    if (!ct_transform_mixes(j->transform)) return CT_OK;
    int64_t classes[1] = {j->classes};
    j->like.field[1].dtype = CT_F32;
    j->like.field[1].shape = ct_shape_make(1, classes);
    if (ct_mul_ok(pixels, rows, &values) && ct_mul_ok((uint64_t)j->classes, rows, &shares)) {
        j->mixed = ct_new_array(&j->o->allocator, values, sizeof *j->mixed);
        j->shares = ct_new_array(&j->o->allocator, shares, sizeof *j->shares);
    }
    return j->mixed && j->shares ? CT_OK : ct_fail(j->e, CT_ELIMIT, "mixing: out of memory");
}

void ct__image_mix_close(ct__image_job *j) {
    uint64_t pixels = (uint64_t)(j->shape[0] * j->shape[1] * j->shape[2]), rows = most_rows(j);
    ct_delete(&j->o->allocator, j->mixed, pixels * rows * sizeof *j->mixed);
    ct_delete(&j->o->allocator, j->shares, (uint64_t)j->classes * rows * sizeof *j->shares);
    j->mixed = j->shares = NULL;
}

ct_status ct__image_mix(ct__image_job *j, const ct_batch *b, ct_batch *out) {
    *out = *b;
    if (!j->mixed) return CT_OK;
    size_t values = (size_t)(b->rows * j->shape[0] * j->shape[1] * j->shape[2]);
    memcpy(j->mixed, b->field[0], values * sizeof *j->mixed);
    out->field[0] = j->mixed;
    out->field[1] = j->shares;
    return ct_mix(j->transform, j->mixed, j->shape, b->field[1], b->rows, j->classes,
                  (ct_draw){b->position, b->epoch, j->recipe.seed}, j->shares, j->e);
}
