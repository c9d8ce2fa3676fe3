/* A trained model inside a C program: load once, predict from four threads, each with a session of its own.
 *   cc embed.c -lcotan -lpthread;  ./a.out model.safetensors
 * Without an argument it trains a small model first, so that the example runs alone. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "cotan/model.h"
#include "cotan/nn.h"

enum { THREADS = 4, ROUNDS = 200, MOST = 1 << 16 };

typedef struct worker {
    ct_model *model;
    float out[MOST]; /* of the last prediction */
    ct_err error;
} worker;

/* A model is immutable: any number of threads run its plan at the same time. After the first run nothing is
 * allocated. */
static void *work(void *data) {
    static const float in[MOST] = {1, 0.5f}; /* one sample; the rest of it zeros */
    worker *w = data;
    ct_session *s;
    if (ct_session_new(ct_model_context(w->model), &s, &w->error)) return NULL;
    for (int i = 0; i < ROUNDS; i++)
        if (ct_run(s, ct_model_plan(w->model), (const void *[]){in}, 1, (void *[]){w->out}))
            ct_fail(&w->error, CT_EINTERNAL, "%s", ct_session_error(s));
    ct_session_free(s);
    return NULL;
}

/* y = x0 + 2 x1, learned and saved: the net's text and what it takes come from the graph. */
static int make_model(const char *path, ct_err *e) {
    float in[4][2] = {{0, 0}, {1, 0}, {0, 1}, {1, 1}}, want[4] = {0, 1, 2, 3};
    ct_ctx *c = ct_open(NULL);
    ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 2)), y = ct_input(c, "y", CT_F32, CT_SHAPE(CT_N, 1));
    ct_t out = ct_linear(x, "fc", 1, (ct_lin){0}), loss = ct_mse(out, y, (ct_loss){0});
    ct_fit_options o = {.epochs = 500, .train = {.lr = 0.05}};
    ct_status s = ct_fit_rows(loss, (const void *[]){in, want}, 4, &o, NULL);
    if (s) ct_fail(e, s, "%s", ct_error(c));
    if (!s) s = ct_model_save_net(out, path, "{\"task\": \"example\"}", e);
    ct_close(c);
    return s;
}

int main(int argc, char **argv) {
    static worker w[THREADS];
    const char *path = argc > 1 ? argv[1] : "embed_example.safetensors";
    pthread_t thread[THREADS];
    ct_err e = {0};
    ct_model *m;
    if ((argc < 2 && make_model(path, &e)) || ct_model_open(path, NULL, &m, &e))
        return fprintf(stderr, "%s\n", e.text), 1;
    ct_shape in = ct_plan_input_shape(ct_model_plan(m), 0), out = ct_plan_output_shape(ct_model_plan(m), 0);
    uint64_t ins = 0, outs = 0;
    if (!ct_shape_count(&in, 1, &ins) || !ct_shape_count(&out, 1, &outs) || ins > MOST || outs > MOST)
        return fprintf(stderr, "%s: larger than this example's arrays\n", path), 1;
    for (int i = 0; i < THREADS; i++) {
        w[i].model = m;
        if (pthread_create(&thread[i], NULL, work, &w[i])) return 1;
    }
    int same = 1;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        if (w[i].error.status) return fprintf(stderr, "%s\n", w[i].error.text), 1;
        same &= memcmp(w[0].out, w[i].out, outs * sizeof(float)) == 0;
    }
    printf("the model says %.3f\n%d threads, %d predictions each, the same bits: %s\n", w[0].out[0], THREADS,
           ROUNDS, same ? "yes" : "no");
    ct_model_close(m);
    return !same;
}
