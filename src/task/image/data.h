/* data.h: pictures and labels of a folder, cut into the parts that training may see. */
#ifndef CT_TASK_IMAGE_DATA_H
#define CT_TASK_IMAGE_DATA_H

#include "cotan/task.h"

typedef struct ct__pictures { /* one part of a folder of idx files */
    ct_array images, labels;
    char path[4300], labels_path[4300]; /* of the images, of the labels */
} ct__pictures;

enum { CT__PART_TRAIN = 1, CT__PART_TEST = 2 };
/* The usual MNIST names, .gz or not: train-images-idx3-ubyte, t10k-images..., test-images.... */
ct_status ct__pictures_load(const ct_files *f, const ct_allocator *a, const char *folder, int part,
                            int64_t limit, ct__pictures *out, ct_err *e);
/* CT_EDATA unless x is [N,H,W] or [N,C,H,W] bytes, none of the extents 0. */
ct_status ct__pictures_pixels(const ct_array *x, const char *path, ct_err *e);
int ct__pictures_has(const char *folder, int part);
/* Sets the two paths alone; 0: they are not there. */
int ct__pictures_find(const char *folder, int part, ct__pictures *out);
void ct__pictures_free(ct__pictures *p);
int64_t ct__pictures_label(const ct__pictures *p, int64_t i);
/* Classes: the largest label + 1. CT_EDATA, naming record and byte, for a negative label; CT_ELIMIT above 65535. */
ct_status ct__pictures_classes(const ct__pictures *p, int64_t *classes, ct_err *e);
/* CT_EDATA naming record and byte when a label is outside of 0..classes-1. */
ct_status ct__pictures_check(const ct__pictures *p, int64_t classes, ct_err *e);

/* Records by the split rule: tenths 0..9 by hash of (seed, record): which = 0 validation, 1 test; the rest
 * train. with_test 0: a folder with its own test part. Returns the index list of `part`:
 * "train", "validation", "test" or "all"; "kept": all but the test, what is trained on where validation has a
 * folder of its own. */
ct_status ct__pictures_split(const ct_allocator *a, int64_t count, uint64_t seed, int with_test,
                             const char *part, int64_t **index, int64_t *n, ct_err *e);
/* "normalize mean=... std=..." of the records listed, one number a channel. */
ct_status ct__pictures_normalize(const ct__pictures *p, const int64_t *index, int64_t n, ct_text *out,
                                 ct_err *e);

#endif
