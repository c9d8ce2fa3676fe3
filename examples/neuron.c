/* One neuron by hand: y = sigmoid(w x + b), its loss, and the gradient that the library derives beside the one
 * that calculus gives.   cc neuron.c -lcotan -lm */
#include <math.h>
#include <stdio.h>

#include "cotan.h"

int main(void) {
    ct_ctx *c = ct_open(NULL);
    ct_graph *g = ct_default_graph(c);
    ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(1)), target = ct_number(g, 1);
    ct_t w = ct_var_new(g, CT_PARAM, "w", CT_F32, CT_SHAPE(1), (ct_init){.kind = CT_INIT_CONSTANT, .a = 0.5});
    ct_t b =
        ct_var_new(g, CT_PARAM, "b", CT_F32, CT_SHAPE(1), (ct_init){.kind = CT_INIT_CONSTANT, .a = -0.25});
    ct_t y = ct_sigmoid(ct_add(ct_mul(w, x), b));
    ct_t loss = ct_mse(y, ct_expand(target, CT_SHAPE(1)), (ct_loss){0});
    ct_t wrt[2] = {w, b}, grad[2], out[4];
    ct_grad(loss, NULL, wrt, 2, grad);
    out[0] = y;
    out[1] = loss;
    out[2] = grad[0];
    out[3] = grad[1];

    ct_plan *plan;
    ct_err e = {0};
    float in[1] = {2}, v[4];
    const void *ins[1] = {in};
    void *outs[4] = {&v[0], &v[1], &v[2], &v[3]};
    if (ct_plan_new(out, 4, NULL, 0, (ct_compile){0}, &plan, &e) ||
        ct_run(ct_default_session(c), plan, ins, 1, outs)) {
        fprintf(stderr, "%s\n", e.status ? e.text : ct_session_error(ct_default_session(c)));
        return 1;
    }
    double z = 0.5 * 2 - 0.25, s = 1 / (1 + exp(-z)), slope = 2 * (s - 1) * s * (1 - s); /* dL/dz */
    printf("y = %.6f, by hand %.6f\n", (double)v[0], s);
    printf("loss = %.6f, by hand %.6f\n", (double)v[1], (s - 1) * (s - 1));
    printf("dL/dw = %.6f, by hand %.6f\n", (double)v[2], slope * 2);
    printf("dL/db = %.6f, by hand %.6f\n", (double)v[3], slope);
    int same = fabs((double)v[2] - slope * 2) < 1e-6 && fabs((double)v[3] - slope) < 1e-6;
    ct_plan_free(plan);
    ct_close(c);
    return same ? 0 : 1;
}
