/* A GPT block trained on the bytes of its own source: token and position embeddings, causal attention, an MLP.
 * It memorises the text, then writes what it has learned.   cc gpt.c -lcotan -lm;  ./a.out [FILE] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cotan/nn.h"

enum { T = 32, D = 64, HEADS = 4, STEPS = 300, BATCH = 16 };

static ct_t heads(ct_t qkv, int part) { /* [N,T,3D] -> [N,HEADS,T,D/HEADS] */
    ct_t x = ct_slice(qkv, 2, part * D, (part + 1) * D, 1);
    return ct_transpose(ct_reshape(x, CT_SHAPE(CT_N, T, HEADS, D / HEADS)), 1, 2);
}

static ct_t block(ct_t x) {
    ct_t qkv = ct_linear(ct_layer_norm(x, "ln1", (ct_layernorm){0}), "qkv", 3 * D, (ct_lin){0});
    ct_t y = ct_attention(heads(qkv, 0), heads(qkv, 1), heads(qkv, 2), (ct_t){0}, (ct_attend){.causal = 1});
    x = ct_add(x, ct_linear(ct_reshape(ct_transpose(y, 1, 2), CT_SHAPE(CT_N, T, D)), "proj", D, (ct_lin){0}));
    y = ct_gelu(ct_linear(ct_layer_norm(x, "ln2", (ct_layernorm){0}), "up", 4 * D, (ct_lin){0}));
    return ct_add(x, ct_linear(y, "down", D, (ct_lin){0}));
}

static ct_t gpt(ct_ctx *c) { /* ids [N,T] -> logits [N,T,256] */
    ct_t ids = ct_input(c, "ids", CT_I64, CT_SHAPE(CT_N, T));
    ct_t position = ct_var_new(ct_default_graph(c), CT_PARAM, "wpe", CT_F32, CT_SHAPE(T, D),
                               (ct_init){.kind = CT_INIT_NORMAL, .b = 0.02});
    ct_t x = ct_add(ct_embedding(ids, "wte", 256, D, (ct_embed){0}), position);
    return ct_linear(block(x), "head", 256, (ct_lin){0});
}

int main(int argc, char **argv) {
    char text[4096];
    FILE *f = fopen(argc > 1 ? argv[1] : __FILE__, "rb");
    size_t n = f ? fread(text, 1, sizeof text, f) : 0;
    if (f) fclose(f);
    if (n < 2 * T) return 1;
    ct_ctx *c = ct_open(NULL);
    ct_t logits = gpt(c), next = ct_input(c, "next", CT_I64, CT_SHAPE(CT_N, T));
    ct_t loss = ct_cross_entropy(ct_reshape(logits, CT_SHAPE(-T, 256)), ct_reshape(next, CT_SHAPE(-T)),
                                 (ct_t){0}, (ct_ce){0});
    ct_plan *step;
    ct_err e = {0};
    if (ct_compile_train(loss, NULL, 0, &(ct_train){.lr = 3e-3}, &step, &e))
        return fprintf(stderr, "%s\n", e.text), 1;

    int64_t in[BATCH][T], out[BATCH][T];
    float now = 0;
    ct_random r = ct_random_stream(1, 0);
    for (int s = 0; s < STEPS; s++) {
        for (int b = 0; b < BATCH; b++) {
            size_t at = ct_random_below(&r, n - T);
            for (int t = 0; t < T; t++)
                in[b][t] = (unsigned char)text[at + (size_t)t],
                out[b][t] = (unsigned char)text[at + (size_t)t + 1];
        }
        if (ct_run(ct_default_session(c), step, (const void *[]){in, out}, BATCH, (void *[]){&now, NULL}))
            return fprintf(stderr, "%s\n", ct_session_error(ct_default_session(c))), 1;
        if (s % 50 == 49) printf("step %d loss %.3f\n", s + 1, (double)now);
    }
    static float p[T * 256]; /* sample: the most likely byte each time */
    for (int t = 0; t < T; t++) in[0][t] = (unsigned char)text[t];
    for (int i = 0; i < 64; i++) {
        if (ct_predict(c, logits, in, 1, p)) return fprintf(stderr, "%s\n", ct_error(c)), 1;
        int best = 0;
        for (int k = 1; k < 256; k++) best = p[(T - 1) * 256 + k] > p[(T - 1) * 256 + best] ? k : best;
        memmove(in[0], in[0] + 1, (T - 1) * sizeof **in);
        in[0][T - 1] = best;
        putchar(best);
    }
    putchar('\n');
    ct_plan_free(step);
    ct_close(c);
    return now < 1.5f ? 0 : 1;
}
