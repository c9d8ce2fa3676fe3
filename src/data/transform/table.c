/* table.c: the steps there are. A new one is a record in a file of its own and a line here. */
#include "data/transform/transform.h"

extern const ct__step_row ct__step_resize, ct__step_center_crop, ct__step_random_crop,
    ct__step_random_resized_crop, ct__step_pad, ct__step_flip, ct__step_vertical_flip, ct__step_rotate,
    ct__step_affine, ct__step_color_jitter, ct__step_grey, ct__step_random_grey, ct__step_blur,
    ct__step_randaugment, ct__step_trivial_augment, ct__step_to_tensor, ct__step_normalize, ct__step_erasing,
    ct__step_mixup, ct__step_cutmix;

const ct__step_row *const ct__steps[] = {
    &ct__step_resize,
    &ct__step_center_crop,
    &ct__step_random_crop,
    &ct__step_random_resized_crop,
    &ct__step_pad,
    &ct__step_flip,
    &ct__step_vertical_flip,
    &ct__step_rotate,
    &ct__step_affine,
    &ct__step_color_jitter,
    &ct__step_grey,
    &ct__step_random_grey,
    &ct__step_blur,
    &ct__step_randaugment,
    &ct__step_trivial_augment,
    &ct__step_to_tensor,
    &ct__step_normalize,
    &ct__step_erasing,
    &ct__step_mixup,
    &ct__step_cutmix,
    NULL,
};
