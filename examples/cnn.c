/* The article's CNN, trained on pictures made here: a bright bar in noise that lies (class 0) or stands (class 1).
 *   cc cnn.c -lcotan -lm */
#include <stdio.h>

#include "cotan/nn.h"

static ct_t net(ct_t x) {                                           /* [N,3,32,32]  */
    x = ct_relu(ct_conv2d(x, "conv1", 32, 3, (ct_conv){.pad = 1})); /* [N,32,32,32] */
    x = ct_maxpool2d(x, 2, (ct_pool){0});                           /* [N,32,16,16] */
    x = ct_relu(ct_conv2d(x, "conv2", 64, 3, (ct_conv){.pad = 1})); /* [N,64,16,16] */
    x = ct_flatten(ct_maxpool2d(x, 2, (ct_pool){0}));               /* [N,4096]     */
    x = ct_relu(ct_linear(x, "fc1", 128, (ct_lin){0}));             /* [N,128]      */
    return ct_linear(x, "fc2", 10, (ct_lin){0});                    /* [N,10]       */
}

/* Record i of an endless set, always the same: a source may make its records, read them, or look them up. */
static ct_status draw(void *user, int64_t i, int64_t epoch, uint64_t seed, void *const *out, ct_err *e) {
    ct_random r = ct_random_stream(3, (uint64_t)i);
    float *p = out[0];
    int64_t at = (int64_t)ct_random_below(&r, 32), standing = i % 2;
    (void)user, (void)epoch, (void)seed, (void)e;
    for (int k = 0; k < 3 * 32 * 32; k++) p[k] = 0.5f * (float)ct_random_normal(&r);
    for (int c = 0; c < 3; c++)
        for (int k = 0; k < 32; k++) p[c * 1024 + (standing ? k * 32 + at : at * 32 + k)] += 1;
    *(int64_t *)out[1] = standing;
    return CT_OK;
}
static ct_status draw_other(void *user, int64_t i, int64_t epoch, uint64_t seed, void *const *out,
                            ct_err *e) {
    return draw(user, 1000000 + i, epoch, seed, out, e); /* never trained on */
}

static int tell(void *user, const ct_epoch *row) { /* after each epoch; 0: go on */
    (void)user;
    printf("epoch %lld  loss %.4f  validation %.4f  accuracy %.3f%s\n", (long long)row->epoch, row->loss,
           row->validation, row->accuracy, row->best ? "  best so far" : "");
    return 0;
}

int main(void) {
    ct_ctx *c = ct_open(NULL);
    ct_t x = ct_input(c, "image", CT_F32, CT_SHAPE(CT_N, 3, 32, 32)), y = net(x);
    ct_t loss = ct_cross_entropy(y, ct_input(c, "label", CT_I64, CT_SHAPE(CT_N)), (ct_t){0}, (ct_ce){0});
    ct_source train = {.count = 512,
                       .fields = 2,
                       .field = {{"image", CT_F32, 0, CT_SHAPE(3, 32, 32)},
                                 {"label", CT_I64, 0, {{0}, 0, 0}}},
                       .read = draw},
              validation = train;
    validation.count = 256;
    validation.read = draw_other;
    ct_fit_options o = {.epochs = 12, .validation = &validation, .patience = 4, .callback = tell};
    ct_epoch last;
    ct_err e = {0};
    ct_status s = ct_fit(loss, y, &train, &o, &last, &e);
    if (s) fprintf(stderr, "%s\n", e.text);
    ct_close(c);
    return s != CT_OK;
}
