/* calibration.h: what a model knows of its own certainty: "calibration" of its document. */
#ifndef CT_TASK_IMAGE_CALIBRATION_H
#define CT_TASK_IMAGE_CALIBRATION_H

#include <jansson.h>

#include "cotan/task.h"

/* Of every so many records one calibrates, evenly spread, so that few enough logits are kept for it. */
int64_t ct__calibration_every(int64_t records, int64_t classes);

/* {"temperature", "records", "scores"}: scores in units of 1e-7; NULL with *e. */
json_t *ct__calibration_json(const ct_allocator *a, const float *logits, const int64_t *label, int64_t rows,
                             int64_t classes, ct_err *e);

#endif
