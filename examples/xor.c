/* XOR: the problem that a single layer cannot solve, learned by two.   cc xor.c -lcotan -lm */
#include <stdio.h>

#include "cotan/nn.h"

int main(void) {
    float in[4][2] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}}, target[4][1] = {{0}, {1}, {1}, {0}}, p[4];
    ct_options o = {.seed = 1};
    ct_ctx *c = ct_open(&o);
    ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 2)), y = ct_input(c, "y", CT_F32, CT_SHAPE(CT_N, 1));
    ct_t logit = ct_linear(ct_tanh(ct_linear(x, "hidden", 8, (ct_lin){0})), "out", 1, (ct_lin){0});
    ct_t loss = ct_bce_logits(logit, y, (ct_loss){0});

    ct_array arrays[2] = {ct_array_view(in, CT_F32, CT_SHAPE(4, 2)),
                          ct_array_view(target, CT_F32, CT_SHAPE(4, 1))};
    const char *names[2] = {"x", "y"};
    ct_source data;
    ct_epoch last;
    ct_err e = {0};
    ct_fit_options fit = {.epochs = 400, .batch = 4, .train = {.optimiser = CT_ADAM, .lr = 0.05}};
    if (ct_source_arrays(NULL, arrays, names, 2, &data, &e) ||
        ct_fit(loss, (ct_t){0}, &data, &fit, &last, &e) || ct_predict(c, ct_sigmoid(logit), in, 4, p)) {
        fprintf(stderr, "%s%s\n", e.text, ct_error(c));
        return 1;
    }
    int right = 0;
    for (int i = 0; i < 4; i++) {
        printf("%.0f xor %.0f = %.3f\n", (double)in[i][0], (double)in[i][1], (double)p[i]);
        right += (p[i] > 0.5f) == (target[i][0] > 0.5f);
    }
    printf("loss %.4f after %lld steps\n", last.loss, (long long)last.steps);
    ct_source_close(&data);
    ct_close(c);
    return right == 4 && last.loss < 0.05 ? 0 : 1;
}
