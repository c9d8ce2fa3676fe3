/* update.h: optimiser steps over flat segments.
 *
 * Every kernel is a ct__update_fn (graph/op.h): one pass over n floats of the parameter var[0], its moments
 * var[1..] and the gradient g. `data` is a ct__rule; scalars are the learning rate and the factor that the
 * gradient is multiplied by (1, or what clipping by the norm gives). A factor that is not finite, the sign of
 * a non-finite norm, leaves everything as it was. n may be anything; each element is computed by the same
 * expression wherever it lies, so the cut of a segment into pieces changes no bit. */
#ifndef CT_KERN_UPDATE_H
#define CT_KERN_UPDATE_H

#include "kern/simd.h"

typedef struct ct__rule {
    double beta1; /* Adam, Lion: of the mean; SGD, RMSprop: momentum */
    double beta2; /* Adam, Lion: second; RMSprop: alpha; Adadelta: rho; average: decay; SGD: dampening */
    double eps;
    double momentum_decay; /* NAdam: of its schedule; Adagrad: of the learning rate */
    double weight_decay; /* adds weight_decay * p to the gradient, or decoupled: p *= 1 - lr * weight_decay */
    double l1;           /* adds l1 * sign(p) to the gradient */
    double clip;         /* > 0: the gradient is first cut to [-clip, clip] */
    int32_t decoupled;
    int32_t nesterov;
} ct__rule;

typedef void (*ct__update_kernel)(const void *data, float *const *var, const float *g, int64_t n,
                                  const float *scalars, uint64_t step);

typedef struct ct__rows_used { /* of a table: slots with a row (-1: none) and its gradient */
    const int64_t *row;        /* [slots] */
    const float *values;       /* [slots, width] */
    int64_t slots, width;
} ct__rows_used;
/* The step on these rows of var[0] and its moments, all [.., width]. */
typedef void (*ct__update_rows)(const void *data, float *const *var, const ct__rows_used *rows,
                                const float *scalars, uint64_t step);

typedef struct ct__update_table {
    ct__update_kernel sgd;              /* p */
    ct__update_kernel sgd_momentum;     /* p, momentum */
    ct__update_kernel adam;             /* p, mean, square */
    ct__update_kernel nadam;            /* p, mean, square */
    ct__update_kernel lion;             /* p, mean */
    ct__update_kernel rmsprop;          /* p, square */
    ct__update_kernel rmsprop_centered; /* p, square, mean */
    ct__update_kernel rmsprop_momentum; /* p, square, momentum */
    ct__update_kernel rmsprop_both;     /* p, square, mean, momentum */
    ct__update_kernel adagrad;          /* p, sum */
    ct__update_kernel adadelta;         /* p, square, delta */
    ct__update_kernel average;          /* p (read), average; g and scalars are not used */
    ct__update_rows rows_sgd;           /* p */
    ct__update_rows rows_adam;          /* p, mean, square: PyTorch's SparseAdam */
    ct__update_rows rows_adagrad;       /* p, sum */
    /* The sum of x^2 in double: sixteen lanes, element i in lane i % 16, added pairwise. */
    double (*squares)(const float *x, int64_t n);
} ct__update_table;

#endif
