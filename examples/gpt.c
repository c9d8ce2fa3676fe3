/* A GPT block trained on the bytes of a text, here its own source, and what it writes then: 29 lines.
 *   cc gpt.c -lcotan -lm;  ./a.out [FILE] */
#include <stdio.h>
#include "cotan/nn.h"

enum { T = 32, D = 64, MOST = 8192 }; /* bytes of a window, width, bytes of text */

static ct_t gpt(ct_t ids) { /* [N,T] */
    ct_t x = ct_position(ct_embedding(ids, "wte", 256, D, (ct_embed){0}), "wpe", T, (ct_positions){0});
    ct_t y = ct_linear(ct_layer_norm(x, "ln1", (ct_layernorm){0}), "qkv", 3 * D, (ct_lin){0}); /* [N,T,3D] */
    y = ct_self_attention(y, (ct_t){0}, 4, (ct_self_attend){.causal = 1});                     /* [N,T,D] */
    x = ct_add(x, ct_linear(y, "proj", D, (ct_lin){0}));                                       /* [N,T,D] */
    y = ct_linear(ct_layer_norm(x, "ln2", (ct_layernorm){0}), "up", 4 * D, (ct_lin){0});       /* [N,T,4D] */
    x = ct_add(x, ct_linear(ct_gelu(y), "down", D, (ct_lin){0}));                              /* [N,T,D] */
    return ct_linear(x, "head", 256, (ct_lin){0});                                             /* [N,T,256] */
}

int main(int argc, char **argv) {
    static int64_t text[MOST + 64], n; /* learned are its windows, by the same ones one byte on */
    FILE *f = fopen(argc > 1 ? argv[1] : __FILE__, "rb");
    for (int byte; f && n < MOST && (byte = getc(f)) != EOF; n++) text[n] = byte;
    ct_ctx *c = ct_open(NULL);
    ct_t x = ct_input(c, "ids", CT_I64, CT_SHAPE(CT_N, T)), logits = gpt(x);
    ct_t y = ct_input(c, "next", CT_I64, CT_SHAPE(CT_N, T));
    ct_t loss = ct_cross_entropy(ct_transpose(logits, 1, 2), y, (ct_t){0}, (ct_ce){0});
    ct_t best = ct_argmax(ct_slice(logits, 1, T - 1, T, 1), 2, (ct_argmax_options){0}); /* [N,1] */
    ct_fit_options o = {.epochs = 4, .batch = 16, .hop = 1, .train = {.lr = 3e-3}};
    ct_epoch last;
    if (ct_fit_rows(loss, (const void *[]){text, text + 1}, n - T, &o, &last)) return puts(ct_error(c)), 1;
    for (int i = T; i < T + 64 && !ct_predict(c, best, text + i - T, 1, text + i); i++) putchar((int)text[i]);
    printf("\nloss %.3f\n", last.loss);
    ct_close(c);
}
