/* calibration.h: what a model knows of its own certainty: "calibration" of its document. */
#ifndef CT_TASK_IMAGE_CALIBRATION_H
#define CT_TASK_IMAGE_CALIBRATION_H

#include <jansson.h>

#include "cotan/task.h"

#define CT__CALIBRATION_NUMBERS (1 << 24) /* logits that training keeps for it at most */

/* {"temperature", "records", "scores"}: scores in units of 1e-7; NULL with *e. */
json_t *ct__calibration_json(const ct_allocator *a, const float *logits, const int64_t *label, int64_t rows,
                             int64_t classes, ct_err *e);

#endif
