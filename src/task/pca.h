/* pca.h: the parts of the job that finds a file's principal components. */
#ifndef CT_TASK_PCA_H
#define CT_TASK_PCA_H

#include <jansson.h>

#include "cotan/task.h"
#include "task/records.h"
#include "task/run.h"

#define CT__PCA_POINTS 2000 /* of the plot */

typedef struct ct__pca_point {
    double x, y, value; /* scores 1 and 2; the target's number, or NaN */
    int32_t label, reserved;
} ct__pca_point;

typedef struct ct__pca_job {
    const ct_pca_task *o;
    ct_err *e;
    ct_pca_result *result;
    ct__records records;
    ct__run run;
    ct_arena arena;
    ct_array batch; /* room for rows of the file */
    int32_t *label; /* of the batch */
    double *value;
    int64_t rows;   /* of a batch */
    ct_array whole; /* all rows of a CSV that is not streamed */
    int32_t *labels;
    double *values;
    ct__pca_point *point;
    int64_t points, every; /* every which record is one */
    char data_hash[33];
} ct__pca_job;

void ct__pca_tell(const ct__pca_job *j, int32_t kind, const char *key, const char *format, ...)
    CT_PRINTF(4, 5);
ct_status ct__pca_save_model(ct__pca_job *j); /* pca_model.c */
ct_status ct__pca_report(ct__pca_job *j);     /* pca_report.c */

#endif
