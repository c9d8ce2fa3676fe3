/* ref.h: reading the reference files of tests/ref, and comparing with them. Included by one test each. */
#ifndef CT_TESTS_REF_H
#define CT_TESTS_REF_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cotan/maths.h"
#include "cotan/model.h"

static ct_tensors *ref_file;

static inline void ref_open(const char *name) {
    char path[512];
    ct_err e = {0};
    snprintf(path, sizeof path, COTAN_SOURCE "/tests/ref/%s", name);
    if (ct_tensors_load(NULL, NULL, path, &ref_file, &e)) fail_msg("%s", e.text);
}

static inline int ref_close(void **state) {
    (void)state;
    ct_tensors_free(ref_file);
    return 0;
}

/* 1 and a view, or 0 when there is no such tensor. */
static inline int ref_find(const char *a, const char *b, ct_array *out) {
    char name[300];
    snprintf(name, sizeof name, "%s%s", a, b);
    int64_t i = ct_tensors_find(ref_file, name);
    return i >= 0 && ct_tensors_at(ref_file, i, out) == CT_OK;
}
static inline ct_array ref_get(const char *a, const char *b) {
    ct_array out = {0};
    if (!ref_find(a, b, &out)) fail_msg("no tensor %s%s", a, b);
    return out;
}
static inline double ref_number(const char *a, const char *b) {
    ct_array v = ref_get(a, b);
    return v.dtype == CT_I64 ? (double)*(int64_t *)v.data : *(double *)v.data;
}

/* |found - wanted| <= tolerance * scale; both NaN or the same infinity is equal too. */
static inline int near(double found, double wanted, double tolerance, double scale) {
    if (isnan(wanted)) return isnan(found);
    if (isinf(wanted)) return isinf(found) && (found > 0) == (wanted > 0);
    return fabs(found - wanted) <= tolerance * scale;
}

static inline void check_number(const char *name, const char *what, double found, double wanted,
                                double tolerance) {
    if (!near(found, wanted, tolerance, fabs(wanted)))
        fail_msg("%s%s: %.17g; wanted %.17g (off by %.2g)", name, what, found, wanted,
                 fabs(found - wanted) / fabs(wanted));
}

static inline double largest_of(const double *v, uint64_t n) {
    double most = 0;
    for (uint64_t i = 0; i < n; i++) most = fmax(most, fabs(v[i]));
    return most;
}

/* Arrays of f64, contiguous: equal shapes, each element to `tolerance` of the largest. */
static inline void check_array(const char *name, const char *what, const ct_array *found,
                               const ct_array *wanted, double tolerance) {
    char a[CT_SHAPE_TEXT], b[CT_SHAPE_TEXT];
    ct_shape f = ct_shape_make(found->rank, found->dim), w = ct_shape_make(wanted->rank, wanted->dim);
    if (!ct_shape_equal(&f, &w))
        fail_msg("%s%s: shape %s; wanted %s", name, what, ct_shape_format(&f, a), ct_shape_format(&w, b));
    assert_int_equal(found->dtype, CT_F64);
    const double *x = found->data, *y = wanted->data;
    double scale = largest_of(y, ct_array_count(wanted));
    for (uint64_t i = 0; i < ct_array_count(wanted); i++)
        if (!near(x[i], y[i], tolerance, scale))
            fail_msg("%s%s: element %llu is %.17g; wanted %.17g (off by %.2g of %.2g)", name, what,
                     (unsigned long long)i, x[i], y[i], fabs(x[i] - y[i]) / scale, scale);
}

#endif
