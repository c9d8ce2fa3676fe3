/* The article's third block, as numpy prints it:
 *     A = np.array([[1, 2], [3, 4]]);  eigenvalues, eigenvectors = np.linalg.eig(A)
 * and its use, "in PCA, by the eigenvalues and eigenvectors of the covariance matrix": they are the components and
 * variances of ct_pca_fit, up to the order and to the sign of each vector, which the definition leaves open. */
#include <math.h>
#include <stdio.h>

#include "cotan/maths.h"

enum { N = 7, D = 3 };
static const double records[N][D] = {{2, 1, 0}, {4, 1, -1}, {3, 2, 2}, {6, 4, 1},
                                     {8, 3, 0}, {7, 5, 3},  {9, 6, -2}};

/* The largest difference between the two ways; -1: an error. */
static double compare(ct_err *e) {
    ct_array x = ct_array_view((void *)(uintptr_t)records, CT_F64, CT_SHAPE(N, D)), covariance;
    ct_eigen v;
    ct_pca p;
    double worst = 0;
    if (ct_stat_covariance(NULL, &x, 1, &covariance, e) || ct_matrix_eigen(NULL, &covariance, &v, e) ||
        ct_pca_fit(NULL, &x, (ct_pca_options){0}, &p, e))
        return -1;
    const double *value = v.values.data, *vector = v.vectors.data, *variance = p.variance.data,
                 *row = p.components.data;
    for (int k = 0; k < D; k++) {
        int same = 0; /* the eigenvalue that belongs to component k */
        for (int i = 1; i < D; i++)
            if (fabs(value[i] - variance[k]) < fabs(value[same] - variance[k])) same = i;
        double dot = 0;
        for (int l = 0; l < D; l++) dot += vector[l * D + same] * row[k * D + l];
        worst = fmax(worst, fmax(fabs(value[same] - variance[k]), fabs(fabs(dot) - 1)));
        printf("component %d: variance %.6f, share %.4f\n", k + 1, variance[k], ((double *)p.ratio.data)[k]);
    }
    ct_pca_free(&p);
    ct_eigen_free(&v);
    ct_array_free(&covariance);
    return worst;
}

int main(void) {
    double a[2][2] = {{1, 2}, {3, 4}};
    ct_array A = ct_array_view(a, CT_F64, CT_SHAPE(2, 2));
    ct_eigen v;
    ct_err e = {0};
    if (ct_matrix_eigen(NULL, &A, &v, &e)) return puts(e.text), 1;
    const double *value = v.values.data, *x = v.vectors.data;
    printf("[%.8f  %.8f]\n", value[0], value[1]);
    printf("[[%.8f %.8f]\n [ %.8f %.8f]]\n", x[0], x[1], x[2], x[3]);
    ct_eigen_free(&v);
    double worst = compare(&e);
    if (worst < 0) return puts(e.text), 1;
    printf("eig of the covariance and PCA differ by less than 1e-12: %s\n", worst < 1e-12 ? "yes" : "no");
    return worst >= 1e-12;
}
