/* bench.h: what measuring a net (bench.c) and comparing it with other programs (bench_equal.c) share. */
#ifndef CT_CLI_BENCH_H
#define CT_CLI_BENCH_H

#include "cli/cli.h"

typedef struct work {
    const char *name;
    const char *net;  /* preset name, or net text; of input(image) or input(ids) */
    int64_t shape[3]; /* of one sample; 0 ends it */
    int64_t batch, classes, items;
    int32_t tokens, mse; /* tokens: inputs are ids below classes, targets too */
} work;

typedef struct bench {
    cli *c;
    const work *w;
    ct_ctx *ctx;
    ct_t y, loss;
    ct_plan *train, *predict;
    ct_session *session;
    void *x, *target, *out;
    int64_t sample, outputs; /* elements of one sample and its result */
    size_t x_bytes, target_bytes;
    double first, step[5], predict_us;
} bench;

/* --weights FILE --gradients FILE: the loss and every gradient at given weights and one batch. */
ct_status bench_gradients(bench *b);
/* --weights FILE --losses FILE: the losses of training freely on given batches. */
ct_status bench_losses(bench *b);

#endif
