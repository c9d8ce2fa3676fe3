/* pca.c: principal component analysis (Pearson 1901, Hotelling 1933): the orthogonal directions along which centred
 * data varies most.
 *
 *     X - 1 mean' = U diag(s) V',   components V',   variance s^2 / (N - 1),   scores (X - 1 mean') V
 *
 * V are also the eigenvectors of the covariance matrix, with the variances as eigenvalues. One of three solvers finds
 * them; here they are chosen, cut off, given their signs and stored. */
#include "maths/pca.h"

#include <math.h>
#include <string.h>

/* ---- options ---- */

static ct_status check_options(ct__job *j, const ct_pca_options *o, int64_t most) {
    if (o->components < 0 || o->components > most)
        return ct_fail(
            j->e, CT_EUSAGE,
            "%s: %lld components; wanted 1 to %lld (0: all), the smaller extent of x; ask for fewer", j->name,
            (long long)o->components, (long long)most);
    if (!(o->variance >= 0 && o->variance < 1))
        return ct_fail(j->e, CT_EUSAGE,
                       "%s: variance %g; wanted a share above 0 and below 1; give one such as 0.95", j->name,
                       o->variance);
    if (o->variance > 0 && o->components)
        return ct_fail(j->e, CT_EUSAGE,
                       "%s: %lld components and variance %g; wanted one of the two; leave the other 0",
                       j->name, (long long)o->components, o->variance);
    if (o->solver < CT_PCA_AUTO || o->solver > CT_PCA_RANDOMISED)
        return ct_fail(j->e, CT_EUSAGE, "%s: solver %d; wanted a ct_pca_solver; choose one", j->name,
                       o->solver);
    if (o->oversample < 0 || o->passes < 0 || o->passes > 1000)
        return ct_fail(
            j->e, CT_EUSAGE,
            "%s: oversample %d, passes %d; wanted 0 (the default) or more (passes to 1000); give 0", j->name,
            o->oversample, o->passes);
    if (o->solver == CT_PCA_RANDOMISED && o->variance > 0)
        return ct_fail(j->e, CT_EUSAGE,
                       "%s: variance %g with the randomised solver, which does not find all variances; "
                       "wanted a number of components, or another solver; choose",
                       j->name, o->variance);
    return CT_OK;
}

static int solver_of(const ct__pca *p) {
    if (p->o.solver != CT_PCA_AUTO) return p->o.solver;
    return p->rows.n >= 10 * p->rows.d && p->rows.d <= 1000 ? CT_PCA_COVARIANCE : CT_PCA_SVD;
}

/* ---- fit ---- */

/* The scale of features needs their exact means first, and so do singular values. The other two solvers begin with
 * the mean of a few records, near enough to lose no digits, and correct it from the sums of their first pass. */
static ct_status centre(ct__job *j, ct__pca *p, int solver) {
    ct__rows *r = &p->rows;
    p->mean = ct__job_doubles(j, r->d, 1);
    if (p->o.scale) p->scale = ct__job_doubles(j, r->d, 1);
    if (!p->mean || (p->o.scale && !p->scale)) return CT_ELIMIT;
    ct_status s = CT_OK;
    if (p->o.scale || solver == CT_PCA_SVD) s = ct__rows_moments(j, r, p->mean, p->scale);
    for (int64_t k = 0; !s && p->scale && k < r->d; k++) {
        /* deviations of a constant are the rounding of its mean: no scale (scikit-learn's StandardScaler) */
        double deviation = sqrt(p->scale[k] * (double)(r->n - 1) / (double)r->n);
        p->scale[k] = deviation > (double)r->n * CT__EPS * fabs(p->mean[k]) ? deviation : 1;
    }
    r->mean = p->mean;
    r->scale = p->scale;
    return s;
}

ct_status ct__pca_guess(ct__job *j, ct__pca *p, const double *sample, int64_t count) {
    if (p->o.scale) return CT_OK;
    ct_array rows = ct_array_view((void *)(uintptr_t)sample, CT_F64, CT_SHAPE(count, p->rows.d));
    ct__rows r;
    ct_status s = ct__rows_open(j, &rows, "x", 1, &r);
    if (!s) s = ct__rows_moments(j, &r, p->mean, NULL);
    return s == CT_ENONFINITE ? (j->e ? (ct_error_clear(j->e), ct__rows_refuse(j, &p->rows)) : s) : s;
}

static int64_t chosen(const ct__pca *p) {
    double sum = 0;
    if (!(p->o.variance > 0)) return p->o.components ? p->o.components : p->most;
    for (int64_t k = 0; k < p->found; k++) {
        sum += p->total > 0 ? p->variance[k] / p->total : 0;
        if (sum > p->o.variance) return k + 1;
    }
    return p->found;
}

void ct__pca_sign(double *row, int64_t d) {
    int64_t at = 0;
    for (int64_t k = 1; k < d; k++)
        if (fabs(row[k]) > fabs(row[at])) at = k;
    double sign = row[at] < 0 ? -1 : 1;
    for (int64_t k = 0; k < d; k++) row[k] = sign * row[k] + 0.0; /* no -0 */
}

static double noise_of(const ct__pca *p, int64_t k) {
    if (k >= p->most) return 0;
    double left = p->total - ct__sum(p->variance, k);
    if (p->found == p->most) left = ct__sum(p->variance + k, p->most - k);
    return left > 0 ? left / (double)(p->most - k) : 0;
}

static ct_status store(ct__job *j, ct__pca *p, int64_t k, ct_pca *out) {
    int64_t d = p->rows.d;
    double *ratio = ct__job_doubles(j, k, 1);
    if (!ratio) return CT_ELIMIT;
    for (int64_t i = 0; i < k; i++) {
        ct__pca_sign(p->vectors + i * d, d);
        ratio[i] = p->total > 0 ? p->variance[i] / p->total : 0;
    }
    ct_array rows = ct_array_view(p->vectors, CT_F64, CT_SHAPE(k, d));
    ct_status s = ct__vector_store(j, p->mean, d, CT_F64, &out->mean);
    if (!s && p->scale) s = ct__vector_store(j, p->scale, d, CT_F64, &out->scale);
    if (!s) s = ct_array_new(j->allocator, CT_F64, CT_SHAPE(k, d), &out->components, j->e);
    if (!s) s = ct_array_copy(&out->components, &rows, j->e);
    if (!s) s = ct__vector_store(j, p->variance, k, CT_F64, &out->variance);
    if (!s) s = ct__vector_store(j, ratio, k, CT_F64, &out->ratio);
    if (!s) s = ct__vector_store(j, p->singular, k, CT_F64, &out->singular);
    out->total = p->total;
    out->noise = noise_of(p, k);
    out->samples = p->rows.n;
    out->whiten = p->o.whiten != 0;
    return s;
}

static ct_status fit(ct__job *j, const ct_array *x, ct__pca *p, ct_pca *out) {
    ct_status s = ct__rows_open(j, x, "x", 2, &p->rows);
    if (s) return s;
    p->most = p->rows.n < p->rows.d ? p->rows.n : p->rows.d;
    s = check_options(j, &p->o, p->most);
    if (s) return s;
    int solver = solver_of(p);
    if (solver == CT_PCA_SVD) s = ct__svd_room(j, p->most, p->rows.d, 1); /* of a triangle, or of all */
    if (solver == CT_PCA_COVARIANCE) s = ct__eigen_symmetric_room(j, p->rows.d, 1);
    if (!s) s = centre(j, p, solver);
    if (s) return s;
    s = solver == CT_PCA_SVD          ? ct__pca_svd(j, p)
        : solver == CT_PCA_COVARIANCE ? ct__pca_covariance(j, p)
                                      : ct__pca_randomised(j, p);
    /* the greatest of what follows: where the squares of the data overflow, it is infinite */
    if (!s && !isfinite(p->total)) s = ct__rows_refuse(j, &p->rows);
    return s ? s : store(j, p, chosen(p), out);
}

ct_status ct_pca_fit(const ct_maths *m, const ct_array *x, ct_pca_options o, ct_pca *out, ct_err *e) {
    ct__job j;
    ct__pca p = {.o = o};
    ct_pca result = {0};
    ct_status s = ct__job_begin(&j, m, "pca", e);
    if (!s) s = fit(&j, x, &p, &result);
    if (s)
        ct_pca_free(&result);
    else
        *out = result;
    ct__job_end(&j);
    return s;
}

void ct_pca_free(ct_pca *p) {
    if (!p) return;
    ct_array_free(&p->mean);
    ct_array_free(&p->scale);
    ct_array_free(&p->components);
    ct_array_free(&p->variance);
    ct_array_free(&p->ratio);
    ct_array_free(&p->singular);
    memset(p, 0, sizeof *p);
}
