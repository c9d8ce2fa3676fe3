/* met.h: which pictures a model has met, and pictures that two sets share. */
#ifndef CT_TASK_IMAGE_MET_H
#define CT_TASK_IMAGE_MET_H

#include <jansson.h>

#include "cotan/task.h"

/* Sets are scanned, with pixels. Of the records `index` [n] the hashes that the model keeps, new; NULL with *e. */
json_t *ct__met_json(const ct_allocator *a, const ct_images *s, const int64_t *index, int64_t n, ct_err *e);
/* How many in a hundred of those that model m keeps are in the set; 0 where it keeps none. */
ct_status ct__met_percent(ct_model *m, const ct_images *s, double *percent, ct_err *e);
/* How many pictures of `one` are among the records `index` [n] of `other`. */
ct_status ct__met_shared(const ct_allocator *a, const ct_images *one, const ct_images *other,
                         const int64_t *index, int64_t n, int64_t *shared, ct_err *e);

#endif
