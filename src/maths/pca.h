/* pca.h: what the solvers of principal components share. */
#ifndef CT_MATHS_PCA_H
#define CT_MATHS_PCA_H

#include "maths/rows.h"

typedef struct ct__pca {
    ct_pca_options o;
    ct__rows rows; /* centred and scaled as they are read */
    double *mean, *scale;
    int64_t most;     /* min(N,D) */
    int64_t found;    /* directions that the solver gives */
    double *vectors;  /* [found,D] rows, orthonormal, by variance */
    double *variance; /* [found] */
    double *singular; /* [found] */
    double total;     /* variance of all features */
} ct__pca;

ct_status ct__pca_svd(ct__job *j, ct__pca *p);
ct_status ct__pca_covariance(ct__job *j, ct__pca *p);
ct_status ct__pca_randomised(ct__job *j, ct__pca *p);
/* Unless the mean is known: p->mean becomes that of a sample [count,D] of the records, to be corrected later. */
ct_status ct__pca_guess(ct__job *j, ct__pca *p, const double *sample, int64_t count);
/* The largest element by absolute value, the first of equals, becomes positive. */
void ct__pca_sign(double *row, int64_t d);
/* R [D,D], upper triangular by columns, with the singular values and right vectors of the rows; N > D. */
ct_status ct__pca_triangle(ct__job *j, const ct__rows *r, ct__matrix *out);

#endif
