/* stat.h: what statistics and tests share. */
#ifndef CT_MATHS_STAT_H
#define CT_MATHS_STAT_H

#include <math.h>

#include "maths/maths.h"
#include "maths/special.h"

/* A list of finite doubles, at least `least` of them. */
ct_status ct__stat_load(ct__job *j, const ct_array *x, const char *what, int64_t least, double **v,
                        int64_t *n);
/* Sum of squared deviations from `mean`; CT_ENONFINITE where it overflows. */
ct_status ct__squares(ct__job *j, const double *v, int64_t n, double mean, double *out);
/* Average ranks from 1; *ties (may be NULL) gets sum (t^3 - t) over groups of t equal values. */
ct_status ct__ranks(ct__job *j, const double *v, int64_t n, double *ranks, double *ties);
ct_status ct__check_ddof(ct__job *j, int64_t ddof);
ct_status ct__level(const char *name, double level, double *out, ct_err *e); /* 0: 0.95 */

/* P of Student's t beyond `t`, by the alternative. */
double ct__t_tail(double t, double df, ct_alternative alternative);
double ct__t_quantile(double p, double df);
double ct__normal_tail(double z, ct_alternative alternative);
ct_status ct__check_alternative(ct__job *j, ct_alternative alternative);
void ct__sort(double *v, int64_t n);

#endif
