// The same from C++20: designated initialisers, and the C handles in unique_ptr.
#include <cstdio>
#include <memory>
#include <vector>

#include "cotan.h"

int main() {
    std::unique_ptr<ct_ctx, decltype(&ct_close)> c(ct_open(nullptr), ct_close);
    ct_t x = ct_input(c.get(), "x", CT_F32, CT_SHAPE(CT_N, 1, 8, 8));
    ct_t h = ct_relu(ct_conv2d(x, "conv", 4, 3, {.pad = 1}));
    ct_t y = ct_softmax(ct_linear(ct_flatten(h), "fc", 3, {}), 1);
    std::vector<float> in(2 * 64, 0.5f), out(2 * 3);
    if (ct_predict(c.get(), y, in.data(), 2, out.data())) {
        std::fprintf(stderr, "%s\n", ct_error(c.get()));
        return 1;
    }
    float sum = out[0] + out[1] + out[2];
    std::printf("probabilities %.3f %.3f %.3f\n", out[0], out[1], out[2]);
    return sum > 0.999f && sum < 1.001f ? 0 : 1;
}
