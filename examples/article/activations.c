/* The article's first block: sigmoid(x) = 1 / (1 + exp(-x)), tanh(x), relu(x) = max(0, x).
 *     x = np.array([-100, -2, -1, 0, 0.5, 3])
 * The original's sigmoid overflows inside exp(100), with a warning; this one does not. */
#include "weights.h"

enum { N = 6 };

int main(void) {
    static const float x[N] = {-100, -2, -1, 0, 0.5f, 3};
    static const char *const names[] = {"sigmoid", "tanh", "relu"};
    float y[N];
    ct_ctx *c = ct_open(NULL);
    ct_t in = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N));
    ct_t out[] = {ct_sigmoid(in), ct_tanh(in), ct_relu(in)};
    for (int i = 0; i < 3; i++) {
        if (ct_predict(c, out[i], x, N, y)) return puts(ct_error(c)), 1;
        print_row(names[i], y, N);
    }
    ct_close(c);
    return 0;
}
