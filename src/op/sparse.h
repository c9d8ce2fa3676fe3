/* sparse.h: what a table's gradient by rows and the steps on it share: slots are cut into eight tasks where there is
 * work for threads. */
#ifndef CT_OP_SPARSE_H
#define CT_OP_SPARSE_H

#include "op/common.h"

static inline int32_t ct__sparse_pieces(const ct_shape *values) {
    return values->dim[0] * values->dim[1] >= 65536 ? 8 : 0;
}
static inline void ct__sparse_share(int64_t slots, const ct__exec *x, int64_t *begin, int64_t *end) {
    *begin = slots * x->task / x->tasks;
    *end = slots * (x->task + 1) / x->tasks;
}

#endif
