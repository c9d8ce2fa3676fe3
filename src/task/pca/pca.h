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
ct_status ct__pca_memory(ct__pca_job *j); /* CT_ELIMIT, with its text */
const char *ct__pca_solver(int32_t solver);

/* fit.c */
ct_status ct__pca_batch(ct__pca_job *j); /* makes room for one */
ct_status ct__pca_fit(ct__pca_job *j);
/* Row `from` and those behind it: a view of memory, or the next of the file; *labels and *values may be NULL. */
ct_status ct__pca_next(ct__pca_job *j, int64_t from, ct_array *x, const int32_t **labels,
                       const double **values);
ct_maths ct__pca_maths(const ct__pca_job *j);
/* A failure of the maths as one of the file: "pca: x[4,1] is nan; ..." becomes "FILE: x[4,1] is nan; ...". */
ct_status ct__pca_with_file(ct__pca_job *j, ct_status s, const ct_err *inner);

ct_status ct__pca_score(ct__pca_job *j);      /* score.c */
ct_status ct__pca_save_model(ct__pca_job *j); /* model.c */
ct_status ct__pca_report(ct__pca_job *j);     /* report.c */
/* Mean and components as pictures (pictures.c); 0: the records are no pictures that fit. */
int ct__pca_pictures(const ct__pca_job *j, ct_text *t);

#endif
