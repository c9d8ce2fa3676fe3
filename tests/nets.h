/* nets.h: the nets of the benchmarks (bench/) as tests build them. */
#ifndef TESTS_NETS_H
#define TESTS_NETS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <string.h>

#include "cotan/nn.h"

#define GPT_BLOCK(k) \
    "a = self_attention(linear(layer_norm(h, \"blocks." k ".ln1\", no_bias=1), \"blocks." k \
    ".qkv\", 384, no_bias=1), 4, causal=1)\n" \
    "h = add(h, linear(a, \"blocks." k ".proj\", 128, no_bias=1))\n" \
    "m = gelu(linear(layer_norm(h, \"blocks." k ".ln2\", no_bias=1), \"blocks." k \
    ".up\", 512, no_bias=1))\n" \
    "h = add(h, linear(m, \"blocks." k ".down\", 128, no_bias=1))\n"

typedef struct bench_net {
    const char *name;
    const char *net; /* text, or NULL: the preset of that name */
    ct_shape input;  /* with N */
    int64_t batch;
    const char *classes;
    int32_t tokens, mse;
} bench_net;

#define NETS 6
static inline bench_net net_at(int i) {
    const bench_net all[NETS] = {
        {"mlp-small", "h = relu(linear(input(image), \"0\", 50))\ny = linear(h, \"2\", 1)\n",
         CT_SHAPE(CT_N, 10), 32, "1", 0, 1},
        {"mlp", NULL, CT_SHAPE(CT_N, 1, 28, 28), 128, "10", 0, 0},
        {"cnn", NULL, CT_SHAPE(CT_N, 3, 32, 32), 64, "10", 0, 0},
        {"resnet20", NULL, CT_SHAPE(CT_N, 3, 32, 32), 128, "10", 0, 0},
        {"alexnet", NULL, CT_SHAPE(CT_N, 3, 224, 224), 16, "1000", 0, 0},
        {"gpt",
         "h = position(embedding(input(image), \"wte\", 65, 128), \"wpe\", 64)\n" GPT_BLOCK("0")
             GPT_BLOCK("1") GPT_BLOCK("2")
                 GPT_BLOCK("3") "y = linear(layer_norm(h, \"ln\", no_bias=1), \"head\", 65, no_bias=1, "
                                "tie=\"wte.weight\")\n",
         CT_SHAPE(CT_N, 64), 12, "65", 1, 0}};
    return all[i];
}

static inline ct_t build_net(ct_ctx *c, const bench_net *n) {
    ct_setting classes = {"classes", n->classes};
    ct_net_input in = {"image", n->input, n->tokens ? CT_I64 : CT_F32, 0};
    ct_net_env env = {.inputs = &in, .n_inputs = 1, .constants = &classes, .n_constants = 1};
    ct_err e = {0};
    ct_t y;
    if (ct_net_build(ct_default_graph(c), n->net ? n->net : ct_preset_text(n->name), n->name, &env, &y, &e))
        fail_msg("%s: %s", n->name, e.text);
    return y;
}

static inline ct_t net_loss(ct_t y, const bench_net *n) {
    ct_graph *g = ct_graph_of(y);
    ct_t none = {0, 0, 0};
    if (n->mse) return ct_mse(y, ct_graph_input(g, "target", CT_F32, ct_shape_of(y)), (ct_loss){0});
    if (n->tokens)
        return ct_cross_entropy(
            ct_reshape(y, CT_SHAPE(-64, 65)),
            ct_reshape(ct_graph_input(g, "target", CT_I64, CT_SHAPE(CT_N, 64)), CT_SHAPE(-64)), none,
            (ct_ce){0});
    return ct_cross_entropy(y, ct_graph_input(g, "target", CT_I64, CT_SHAPE(CT_N)), none, (ct_ce){0});
}

#endif
