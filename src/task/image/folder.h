/* folder.h: sets of picture files (folders of classes, lists, CIFAR, .npy) in the jobs; idx files have
 * data.h. */
#ifndef CT_TASK_IMAGE_FOLDER_H
#define CT_TASK_IMAGE_FOLDER_H

#include "cotan/task.h"

/* 1: `data` is there and holds no idx files by MNIST's names. */
int ct__is_folder(const char *data);
/* 1: a folder, or a file that is meant as a picture. */
int ct__is_pictures(const char *path);
/* 1: "-", or a file that begins as idx files do, plain or compressed, or one that cannot be read. */
int ct__is_idx(const char *path);
/* Bytes of decoded pictures that may be kept: a quarter of the machine's memory, at most 2 GiB. */
uint64_t ct__cache_bytes(void);
int32_t ct__all_threads(int32_t wanted); /* 0: the cores allowed */

/* The parts of the jobs that are about picture files. */
ct_status ct__folder_evaluate(ct_model *m, const char *data, const ct_evaluate_options *o, ct_evaluation *out,
                              ct_err *e); /* folder_evaluate.c */
ct_status ct__bytes_predict(ct_model *m, const char *name, const void *data, uint64_t bytes,
                            const ct_predict_options *o, int (*each)(void *user, const ct_prediction *p),
                            void *user, ct_err *e);
/* alone: the path is all that was asked for, and if it is a file that cannot be read, the call fails with its error. */
ct_status ct__files_predict(ct_model *m, const char *const *path, int64_t n, int alone,
                            const ct_predict_options *o, int (*each)(void *user, const ct_prediction *p),
                            void *user, ct_err *e); /* files.c */

#endif
