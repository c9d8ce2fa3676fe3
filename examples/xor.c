/* XOR, which a single layer cannot learn, by two: a whole program in 14 lines.   cc xor.c -lcotan -lm */
#include <stdio.h>
#include "cotan/nn.h"

int main(void) {
    float in[4][2] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}}, want[4] = {0, 1, 1, 0}, p[4];
    ct_ctx *c = ct_open(&(ct_options){.seed = 1});
    ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 2)), y = ct_input(c, "y", CT_F32, CT_SHAPE(CT_N, 1));
    ct_t h = ct_tanh(ct_linear(x, "hidden", 8, (ct_lin){0})), out = ct_linear(h, "out", 1, (ct_lin){0});
    ct_t loss = ct_bce_logits(out, y, (ct_loss){0}), probability = ct_sigmoid(out); /* [], [N,1] */
    ct_fit_options o = {.epochs = 400, .train = {.lr = 0.05}};
    if (!ct_fit_rows(loss, (const void *[]){in, want}, 4, &o, NULL)) ct_predict(c, probability, in, 4, p);
    if (ct_error_status(c)) return puts(ct_error(c)), 1;
    for (int i = 0; i < 4; i++) printf("%.0f xor %.0f = %.3f\n", in[i][0], in[i][1], p[i]);
    ct_close(c);
}
