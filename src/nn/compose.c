/* compose.c: layers that are made of layers. Each is a few lines of ops that a program may write itself. */
#include "cotan/nn.h"

/* [N,T,3D] -> part k of three, [N,H,T,D/H] */
static ct_t heads_of(ct_t qkv, int64_t k, int64_t tokens, int64_t width, int64_t heads) {
    ct_t part = ct_slice(qkv, 2, k * width, (k + 1) * width, 1);
    return ct_transpose(ct_reshape(part, CT_SHAPE(CT_N, tokens, heads, width / heads)), 1, 2);
}

ct_t ct_self_attention(ct_t x, const char *name, int64_t heads, ct_attend o) {
    ct_shape s = ct_shape_of(x);
    ct_graph *g = ct_graph_of(x);
    if (!ct_ok(x)) return x;
    int64_t tokens = s.rank == 3 ? s.dim[1] : 0, width = s.rank == 3 ? s.dim[2] : 0;
    /* A wrong shape is left to the ops, whose errors name what they find: a head count that does not divide the
     * width makes a reshape that does not fit. */
    if (heads < 1 || s.rank != 3) return ct_reshape(x, CT_SHAPE(CT_N, tokens, heads, width));
    ct_scope_push(g, name);
    ct_t qkv = ct_linear(x, "qkv", 3 * width, (ct_lin){0}); /* [N,T,3D] */
    ct_t y = ct_attention(heads_of(qkv, 0, tokens, width, heads), heads_of(qkv, 1, tokens, width, heads),
                          heads_of(qkv, 2, tokens, width, heads), (ct_t){0, 0, 0}, o);              /* [N,H,T,D/H] */
    y = ct_linear(ct_reshape(ct_transpose(y, 1, 2), s), "proj", width, (ct_lin){0});                 /* [N,T,D] */
    ct_scope_pop(g);
    return y;
}
