/* The article's fifth block: nn.Sequential(nn.Linear(10, 50), nn.ReLU(), nn.Linear(50, 1)), with the weights of weights.h
 * under PyTorch's names, 0.weight [50,10], 0.bias, 2.weight [1,50], 2.bias; x [2,10] by the same pattern. */
#include "weights.h"

int main(void) {
    float x[20], y[2];
    ct_ctx *c = ct_open(NULL);
    ct_t in = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 10));
    ct_t model = ct_linear(ct_relu(ct_linear(in, "0", 50, (ct_lin){0})), "2", 1, (ct_lin){0});
    if (set_weights(c, "0.weight", 0.5) || set_weights(c, "0.bias", 0.1) || set_weights(c, "2.weight", 0.3) ||
        set_weights(c, "2.bias", 0.2))
        return 1;
    for (int i = 0; i < 20; i++) x[i] = pattern(i, 1);
    if (ct_predict(c, model, x, 2, y)) return puts(ct_error(c)), 1;
    print_row("model(x)", y, 2);
    ct_close(c);
    return 0;
}
