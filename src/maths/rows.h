/* rows.h: records read in blocks, converted, centred and scaled on the way: no copy of the data is made. */
#ifndef CT_MATHS_ROWS_H
#define CT_MATHS_ROWS_H

#include "maths/maths.h"

typedef struct ct__rows {
    const ct_array *x; /* [n,d] */
    int64_t n, d;
    const double *mean;  /* [d] subtracted; NULL: nothing */
    const double *scale; /* [d] divided by; NULL: nothing */
    int64_t block;       /* rows of a block: of the shape alone */
} ct__rows;

/* Checks the array and sets all but mean and scale. `rows_min`: how many records it takes. */
ct_status ct__rows_open(ct__job *j, const ct_array *x, const char *what, int64_t rows_min, ct__rows *out);
/* Rows from .. from + count - 1 -> out [count,d]. */
ct_status ct__rows_read(const ct__rows *r, int64_t from, int64_t count, double *out, ct_err *e);
void ct__rows_single(const double *block, int64_t count, float *out); /* as f32 */

/* Walks all blocks, cut into at most `lanes` runs of blocks, each a task. `each` gets a block and its lane, and
 * adds to what belongs to the lane; lanes are then merged in order by the caller. */
typedef ct_status (*ct__rows_each)(void *user, int64_t lane, int64_t from, int64_t count, const double *block,
                                   ct_err *e);
int64_t ct__rows_lanes(const ct__rows *r, int64_t most);
ct_status ct__rows_walk(ct__job *j, const ct__rows *r, int64_t lanes, double operations, ct__rows_each each,
                        void *user);

/* Sums of columns, lane by lane: a block's plain sums are added up with compensation. */
typedef struct ct__column_sums {
    double *sum, *lost, *part; /* [lanes,d] */
    int64_t lanes, d;
} ct__column_sums;
ct_status ct__column_sums_new(ct__job *j, int64_t lanes, int64_t d, ct__column_sums *out);
void ct__column_sums_add(ct__column_sums *c, int64_t lane, int64_t count, const double *block, int square);
ct_status ct__column_sums_total(ct__job *j, const ct__column_sums *c, double *total);

/* `count` rows as they are -> out [count,d]: one of each of `count` equal runs of rows, chosen by `seed`. */
ct_status ct__rows_sample(ct__job *j, const ct__rows *r, int64_t count, uint64_t seed, double *out);
/* Means, and with `variance` the sums of squared deviations over n - 1 (two passes). Not finite: CT_ENONFINITE. */
ct_status ct__rows_moments(ct__job *j, const ct__rows *r, double *mean, double *variance);
/* CT_ENONFINITE that names the first element that is not finite, or says that sums overflow. */
ct_status ct__rows_refuse(ct__job *j, const ct__rows *r);

#endif
