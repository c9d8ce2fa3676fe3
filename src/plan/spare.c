/* spare.c: outputs that nobody reads are not computed, where the op can do without them: the bias gradient of a
 * layer without bias, the places of the winners of a pool that only predicts. */
#include "plan/plan.h"

ct_status ct__pass_spare(ct__instance *t) {
    for (int32_t i = 0; i < t->nodes; i++) {
        ct__pnode *n = t->node[i];
        for (int32_t k = 1; (n->op->flags & CT__OP_SPARE) && k < n->n_out; k++)
            if (n->out[k] >= 0 && !t->val[n->out[k]].uses) n->out[k] = -1;
    }
    return CT_OK;
}
