/* An op of one's own: the "squash" y = x / (1 + |x|), forward and backward as callbacks, used in a net and
 * differentiated like any other.   cc custom_op.c -lcotan -lm */
#include <math.h>
#include <stdio.h>

#include "cotan.h"

static ct_status same_shape(void *user, const ct_shape *in, int32_t n, ct_shape *out, ct_err *e) {
    (void)user, (void)n, (void)e;
    *out = in[0];
    return CT_OK;
}

static int64_t count(const ct_shape *s) {
    uint64_t n = 0;
    ct_shape_count(s, 1, &n);
    return (int64_t)n;
}

static ct_status forward(void *user, const ct_shape *shape, const float *const *in, int32_t n, float *out,
                         ct_err *e) {
    (void)user, (void)n, (void)e;
    for (int64_t i = 0; i < count(&shape[0]); i++) out[i] = in[0][i] / (1 + fabsf(in[0][i]));
    return CT_OK;
}

static ct_status backward(void *user, const ct_shape *shape, const float *const *in, int32_t n,
                          const float *out, const float *dout, float *const *din, ct_err *e) {
    (void)user, (void)n, (void)e, (void)out;
    for (int64_t i = 0; i < count(&shape[0]); i++) {
        float s = 1 / (1 + fabsf(in[0][i]));
        din[0][i] = dout[i] * s * s;
    }
    return CT_OK;
}

int main(void) {
    static const ct_custom squash = {
        .name = "squash", .per_sample = 1, .shape = same_shape, .forward = forward, .backward = backward};
    ct_ctx *c = ct_open(NULL);
    ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 3));
    ct_t y = ct_custom_op(&squash, &x, 1), grad;
    ct_grad(ct_sum(y, ct_shape_make(0, NULL), (ct_reduce){0}), NULL, &x, 1, &grad);
    float in[6] = {-2, -1, 0, 1, 2, 3}, out[6];
    if (ct_predict(c, grad, in, 2, out)) {
        fprintf(stderr, "%s\n", ct_error(c));
        return 1;
    }
    int right = 1;
    for (int i = 0; i < 6; i++) {
        double want = 1 / pow(1 + fabs((double)in[i]), 2);
        printf("squash'(%g) = %.6f\n", (double)in[i], (double)out[i]);
        right &= fabs((double)out[i] - want) < 1e-6;
    }
    ct_close(c);
    return right ? 0 : 1;
}
