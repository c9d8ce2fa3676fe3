/* evaluate.h: a value over a whole source, shared by ct_evaluate and ct_fit. */
#ifndef CT_NN_EVALUATE_H
#define CT_NN_EVALUATE_H

#include "cotan/nn.h"

/* The mean of a scalar over rows and, with logits [N,C] and integer labels in the last field, their accuracy, else
 * NaN. accuracy may be NULL. */
ct_status ct__evaluate(ct_t value, ct_t logits, const ct_source *data, int64_t batch, double *mean,
                       double *accuracy, ct_err *e);

#endif
