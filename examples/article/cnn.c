/* The article's seventh block, its CNN for pictures [3,32,32], with the weights of weights.h under PyTorch's names and two
 * pictures by the same pattern. The net is the library's own language: the text that a model file carries. */
#include "weights.h"

static const char net[] = "h = maxpool2d(relu(conv2d(input(x), \"conv1\", 32, 3, pad=1)), 2)\n"
                          "h = maxpool2d(relu(conv2d(h, \"conv2\", 64, 3, pad=1)), 2)\n"
                          "h = relu(linear(flatten(h), \"fc1\", 128))\n"
                          "y = linear(h, \"fc2\", 10)\n";

int main(void) {
    static float x[2 * 3 * 32 * 32], y[2][10];
    static const struct {
        const char *layer;
        double weight, bias;
    } layers[] = {{"conv1", 0.2, 0.1}, {"conv2", 0.1, 0.1}, {"fc1", 0.05, 0.1}, {"fc2", 0.2, 0.1}};
    ct_ctx *c = ct_open(NULL);
    ct_net_input in = {"x", CT_SHAPE(CT_N, 3, 32, 32), CT_F32, 0};
    ct_net_env env = {.inputs = &in, .n_inputs = 1};
    ct_t model;
    ct_err e = {0};
    if (ct_net_build(ct_default_graph(c), net, "cnn", &env, &model, &e)) return puts(e.text), 1;
    for (int i = 0; i < 4; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s.weight", layers[i].layer);
        if (set_weights(c, name, layers[i].weight)) return 1;
        snprintf(name, sizeof name, "%s.bias", layers[i].layer);
        if (set_weights(c, name, layers[i].bias)) return 1;
    }
    for (int i = 0; i < 2 * 3 * 32 * 32; i++) x[i] = pattern(i, 1);
    if (ct_predict(c, model, x, 2, y)) return puts(ct_error(c)), 1;
    print_row("picture 0", y[0], 10);
    print_row("picture 1", y[1], 10);
    ct_close(c);
    return 0;
}
