/* A trained model inside a C program: load once, predict from four threads, each with its own session.
 *   cc embed.c -lcotan -lpthread;  ./a.out model.safetensors
 * Without an argument it makes a small model first, so that the example runs alone. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cotan/model.h"

enum { THREADS = 4, ROUNDS = 200 };

typedef struct worker {
    ct_model *model;
    const float *in;
    float *out;
    int64_t in_count, out_count;
    ct_err error;
} worker;

static void *work(void *data) {
    worker *w = data;
    ct_session *s;
    const void *in[1] = {w->in};
    void *out[1] = {w->out};
    if (ct_session_new(ct_model_context(w->model), &s, &w->error)) return NULL;
    for (int i = 0; i < ROUNDS; i++)
        if (ct_run(s, ct_model_plan(w->model), in, 1, out))
            ct_fail(&w->error, CT_EINTERNAL, "%s", ct_session_error(s));
    ct_session_free(s);
    return NULL;
}

static ct_status make_model(const char *path, ct_err *e) {
    ct_ctx *c = ct_open(NULL);
    ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 16));
    ct_linear(ct_relu(ct_linear(x, "fc1", 32, (ct_lin){0})), "fc2", 4, (ct_lin){0});
    ct_status s = ct_model_save(c, path,
                                "{\"task\":\"example\",\"net\":\"h = relu(linear(input(x), \\\"fc1\\\", "
                                "32))\\ny = linear(h, \\\"fc2\\\", 4)\\n\","
                                "\"inputs\":[{\"name\":\"x\",\"dtype\":\"f32\",\"shape\":[-1,16]}]}",
                                e);
    ct_close(c);
    return s;
}

int main(int argc, char **argv) {
    const char *path = argc > 1 ? argv[1] : "embed_example.safetensors";
    ct_err e = {0};
    ct_model *m;
    if ((argc < 2 && make_model(path, &e)) || ct_model_open(path, NULL, &m, &e)) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    ct_shape in = ct_plan_input_shape(ct_model_plan(m), 0), out = ct_plan_output_shape(ct_model_plan(m), 0);
    uint64_t in_count = 0, out_count = 0;
    ct_shape_count(&in, 1, &in_count);
    ct_shape_count(&out, 1, &out_count);
    float *x = calloc(in_count, sizeof *x), *y = calloc(THREADS * out_count, sizeof *y);
    for (uint64_t i = 0; i < in_count; i++) x[i] = (float)(i % 7) / 7;
    pthread_t thread[THREADS];
    worker w[THREADS];
    int bad = 0;
    for (int i = 0; i < THREADS; i++) {
        w[i] = (worker){.model = m, .in = x, .out = y + i * (int64_t)out_count};
        pthread_create(&thread[i], NULL, work, &w[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        if (w[i].error.status) fprintf(stderr, "%s\n", w[i].error.text);
        bad |= w[i].error.status || memcmp(y, w[i].out, out_count * sizeof *y) != 0;
    }
    printf("%d threads, %d predictions each, the same bits: %s\n", THREADS, ROUNDS, bad ? "no" : "yes");
    free(x);
    free(y);
    ct_model_close(m);
    return bad;
}
