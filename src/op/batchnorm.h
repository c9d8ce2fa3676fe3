/* batchnorm.h: batch norm's layer (batchnorm.c) and the ops that plans make of it (batchnorm_parts.c). */
#ifndef CT_OP_BATCHNORM_H
#define CT_OP_BATCHNORM_H

#include "op/common.h"

extern const ct__op ct__op_bn_stats, ct__op_bn_finish, ct__op_bn_normalize, ct__op_bn_apply, ct__op_bn_sums,
    ct__op_bn_data, ct__op_bn_count;
extern const ct__attr ct__bn_eps_attrs[];

/* An internal op that keeps the layer's name, for plans and errors. */
ct_t ct__bn_make(const ct__op *op, const char *name, const ct_t *in, int32_t n_in, const ct__value *attr);
/* by_mode.c: `train` in plans for training, `evaluate` in the others. */
ct_t ct__by_mode(ct_t train, ct_t evaluate);

/* ---- for references ---- */
typedef struct ct__grid { /* element (n, c, s) at (n * c_all + c) * places + s */
    int64_t n, c, places;
} ct__grid;
ct__grid ct__grid_of(const ct__ref_array *x);
int64_t ct__channel_of(const ct__grid *g, int64_t i);
/* Mean and sum of squared deviations of channel c. */
void ct__bn_moments(const ct__ref_array *x, int64_t c, double *mean, double *m2);
/* r->out[0] of channel c; attribute 0 is eps. */
void ct__bn_ref_normalized(ct__ref *r, int64_t c, double mean, double var, const ct__ref_array *weight,
                           const ct__ref_array *bias);

#endif
