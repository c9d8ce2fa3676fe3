/* The article's Sequential: Linear(10, 50), ReLU, Linear(50, 1), mean squared error, Adam.
 *   cc sequential.c -lcotan -lm */
#include <math.h>
#include <stdio.h>

#include "cotan/nn.h"

enum { SAMPLES = 512 };

int main(void) {
    static float in[SAMPLES][10], out[SAMPLES][1];
    ct_random r = ct_random_stream(7, 0);
    for (int i = 0; i < SAMPLES; i++) { /* something to learn: a sum, bent */
        double sum = 0;
        for (int k = 0; k < 10; k++) sum += (k + 1) * (double)(in[i][k] = (float)ct_random_normal(&r));
        out[i][0] = (float)(sin(sum / 10) + 0.1 * sum);
    }
    ct_ctx *c = ct_open(NULL);
    ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 10)), y = ct_input(c, "y", CT_F32, CT_SHAPE(CT_N, 1));
    ct_t h = ct_relu(ct_linear(x, "0", 50, (ct_lin){0}));                   /* [N,50] */
    ct_t loss = ct_mse(ct_linear(h, "2", 1, (ct_lin){0}), y, (ct_loss){0}); /* a scalar */

    ct_epoch last;
    ct_fit_options fit = {.epochs = 60, .batch = 32, .train = {.lr = 3e-3}};
    if (ct_fit_rows(loss, (const void *[]){in, out}, SAMPLES, &fit, &last)) {
        fprintf(stderr, "%s\n", ct_error(c));
        return 1;
    }
    printf("loss %.4f after %lld epochs\n", last.loss, (long long)last.epoch);
    ct_close(c);
    return 0;
}
