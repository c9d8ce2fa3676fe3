/* tensorboard.h: scalars as an event file that TensorBoard reads. */
#ifndef CT_TASK_TENSORBOARD_H
#define CT_TASK_TENSORBOARD_H

#include "cotan/base.h"

typedef struct ct__events {
    const ct_files *files;
    char path[4400];
    ct_text record, buffer; /* one event; those not written yet */
    int64_t every;          /* steps between those that are written */
} ct__events;

/* A new file in `folder`, which is made when absent. `name` becomes part of its name. step > 0: the run goes on behind
 * that step; what older files of the folder have later is dropped by the reader. */
ct_status ct__events_open(ct__events *v, const ct_files *f, const ct_allocator *a, const char *folder,
                          const char *name, int64_t step, ct_err *e);
void ct__events_add(ct__events *v, int64_t step, const char *tag, double value); /* what is not finite too */
ct_status ct__events_flush(ct__events *v, ct_err *e);                            /* append and sync */
void ct__events_close(ct__events *v);

#endif
