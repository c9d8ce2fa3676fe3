/* bench.c: cotan bench: a whole training step (forward, loss, gradient, update) of standard nets on eight
 * batches in turn, and the prediction of one sample from buffer to buffer. Inputs are random, of a fixed seed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "cli/bench.h"

#define BATCHES 8

#define GPT_BLOCK(k) \
    "a = self_attention(linear(layer_norm(h, \"blocks." k ".ln1\", no_bias=1), \"blocks." k \
    ".qkv\", 384, no_bias=1), 4, causal=1)\n" \
    "h = add(h, linear(a, \"blocks." k ".proj\", 128, no_bias=1))\n" \
    "m = gelu(linear(layer_norm(h, \"blocks." k ".ln2\", no_bias=1), \"blocks." k \
    ".up\", 512, no_bias=1))\n" \
    "h = add(h, linear(m, \"blocks." k ".down\", 128, no_bias=1))\n"

static const work works[] = {
    {"mlp-small",
     "h = relu(linear(input(image), \"0\", 50))\ny = linear(h, \"2\", 1)\n",
     {10},
     32,
     0,
     32,
     0,
     1},
    {"mlp", "mlp", {1, 28, 28}, 128, 10, 128, 0, 0},
    {"cnn", "cnn", {3, 32, 32}, 64, 10, 64, 0, 0},
    {"resnet20", "resnet20", {3, 32, 32}, 128, 10, 128, 0, 0},
    {"alexnet", "alexnet", {3, 224, 224}, 16, 1000, 16, 0, 0},
    {"gpt",
     "h = position(embedding(input(image), \"wte\", 65, 128), \"wpe\", 64)\n" GPT_BLOCK("0") GPT_BLOCK("1")
         GPT_BLOCK("2") GPT_BLOCK("3") "y = linear(layer_norm(h, \"ln\", no_bias=1), \"head\", 65, "
                                       "no_bias=1, tie=\"wte.weight\")\n",
     {64},
     12,
     65,
     768,
     1,
     0},
    {0},
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Seconds since the process was started, by the kernel's record of it. */
static double since_exec(void) {
    char text[1024], *p;
    FILE *f = fopen("/proc/self/stat", "r");
    struct timespec t;
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f) fclose(f);
    text[n] = 0;
    p = strrchr(text, ')');
    for (int i = 0; p && i < 20; i++) p = strchr(p + 1, ' ');
    if (!p) return NAN;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9 - strtod(p, NULL) / (double)sysconf(_SC_CLK_TCK);
}

static ct_status build(bench *b) {
    const work *w = b->w;
    const char *text = ct_preset_text(w->net);
    char classes[32];
    ct_options o = cli_context(b->c);
    ct_shape shape = {{CT_N}, 1, 0};
    b->sample = 1;
    for (int i = 0; i < 3 && w->shape[i]; i++) {
        shape.dim[shape.rank++] = w->shape[i];
        b->sample *= w->shape[i];
    }
    if (!o.threads) o.threads = 1;
    snprintf(classes, sizeof classes, "%lld", (long long)w->classes);
    ct_setting constants[1] = {{"classes", classes}};
    ct_net_input input = {"image", shape, w->tokens ? CT_I64 : CT_F32, 0};
    ct_setting settings[1] = {{"drop", "0"}}; /* compared without dropout */
    ct_net_env env = {.inputs = &input,
                      .n_inputs = 1,
                      .constants = constants,
                      .n_constants = 1,
                      .settings = settings,
                      .n_settings = b->c->weights && strcmp(w->name, "alexnet") == 0};
    b->ctx = ct_open(&o);
    if (!b->ctx) return ct_fail(&b->c->e, CT_ELIMIT, "out of memory");
    ct_graph *g = ct_default_graph(b->ctx);
    ct_status s = ct_net_build(g, text ? text : w->net, w->name, &env, &b->y, &b->c->e);
    if (s) return s;
    b->outputs = ct_shape_of(b->y).dim[ct_shape_of(b->y).rank - 1] * (w->tokens ? w->shape[0] : 1);
    if (w->mse)
        b->loss = ct_mse(b->y, ct_graph_input(g, "target", CT_F32, ct_shape_of(b->y)), (ct_loss){0});
    else if (w->tokens)
        b->loss =
            ct_cross_entropy(ct_reshape(b->y, CT_SHAPE(-w->shape[0], w->classes)),
                             ct_reshape(ct_graph_input(g, "target", CT_I64, CT_SHAPE(CT_N, w->shape[0])),
                                        CT_SHAPE(-w->shape[0])),
                             (ct_t){0}, (ct_ce){0});
    else
        b->loss = ct_cross_entropy(b->y, ct_graph_input(g, "target", CT_I64, CT_SHAPE(CT_N)), (ct_t){0},
                                   (ct_ce){0});
    s = ct_compile_train(b->loss, NULL, 0, &(ct_train){.lr = 1e-3, .batch = w->batch}, &b->train, &b->c->e);
    if (!s) s = ct_plan_new(&b->y, 1, NULL, 0, (ct_compile){.batch = 1}, &b->predict, &b->c->e);
    if (!s) s = ct_session_new(b->ctx, &b->session, &b->c->e);
    return s;
}

static ct_status make_data(bench *b) {
    const work *w = b->w;
    int64_t n = BATCHES * w->batch, targets = n * (w->tokens ? w->shape[0] : 1);
    ct_random r = ct_random_stream(7, 0);
    b->x_bytes = (size_t)(w->batch * b->sample) * (w->tokens ? 8 : 4);
    b->target_bytes = (size_t)(targets / BATCHES) * (w->mse ? 4 : 8);
    b->x = calloc(BATCHES, b->x_bytes);
    b->target = calloc(BATCHES, b->target_bytes);
    b->out = calloc((size_t)(b->outputs * w->batch), 4);
    if (!b->x || !b->target || !b->out) return ct_fail(&b->c->e, CT_ELIMIT, "out of memory");
    for (int64_t i = 0; i < n * b->sample; i++) {
        if (w->tokens)
            ((int64_t *)b->x)[i] = (int64_t)ct_random_below(&r, (uint64_t)w->classes);
        else
            ((float *)b->x)[i] = (float)ct_random_normal(&r);
    }
    for (int64_t i = 0; i < targets; i++) {
        if (w->mse)
            ((float *)b->target)[i] = (float)ct_random_normal(&r);
        else
            ((int64_t *)b->target)[i] = (int64_t)ct_random_below(&r, (uint64_t)w->classes);
    }
    return CT_OK;
}

static ct_status one_step(bench *b, int64_t turn) {
    int64_t k = turn % BATCHES;
    float loss;
    const void *in[2] = {(char *)b->x + (size_t)k * b->x_bytes,
                         (char *)b->target + (size_t)k * b->target_bytes};
    void *out[2] = {&loss, NULL};
    ct_status s = ct_run(b->session, b->train, in, b->w->batch, out);
    return s ? ct_fail(&b->c->e, s, "bench %s: %s", b->w->name, ct_session_error(b->session)) : CT_OK;
}
static ct_status one_prediction(bench *b) {
    const void *in[1] = {b->x};
    ct_status s = ct_run(b->session, b->predict, in, 1, &b->out);
    return s ? ct_fail(&b->c->e, s, "bench %s: %s", b->w->name, ct_session_error(b->session)) : CT_OK;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static ct_status measure(bench *b) {
    double seconds = b->c->seconds > 0 ? b->c->seconds : 0.5;
    int64_t turn = 0, n = 0;
    ct_status s = one_step(b, turn++);
    b->first = since_exec();
    for (int i = 0; !s && i < 3; i++) s = one_step(b, turn++);
    for (int k = 0; !s && k < 5; k++) {
        double begin = now();
        for (n = 0; !s && now() - begin < seconds; n++) s = one_step(b, turn++);
        b->step[k] = (now() - begin) / (double)n * 1e3;
    }
    qsort(b->step, 5, sizeof *b->step, ascending);
    for (int i = 0; !s && i < 10; i++) s = one_prediction(b);
    double begin = now();
    for (n = 0; !s && now() - begin < seconds; n++) s = one_prediction(b);
    b->predict_us = (now() - begin) / (double)n * 1e6;
    return s;
}

static void report(const bench *b, int first_of_process) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double peak = (double)usage.ru_maxrss / 1024, rate = (double)b->w->items / b->step[0] * 1e3;
    if (b->c->json) {
        cli_json(json_pack("{s:s, s:s, s:i, s:f, s:f, s:f, s:o, s:f, s:f}", "name", b->w->name, "mode",
                           "cotan", "threads", ct_threads(b->ctx), "step_ms", b->step[0], "step_ms_median",
                           b->step[2], "items_per_s", rate, "start_to_first_step_s",
                           first_of_process ? cli_number(b->first) : json_null(), "predict_one_us",
                           b->predict_us, "peak_mb", peak));
        return;
    }
    printf("%-12s %10.3f ms (median %.3f) %12.0f items/s   one %9.1f us   at most %.0f MB\n", b->w->name,
           b->step[0], b->step[2], rate, b->predict_us, peak);
    fflush(stdout);
}

static ct_status run(cli *c, const work *w, int first_of_process) {
    bench b = {.c = c, .w = w};
    ct_status s = build(&b);
    if (!s && c->gradients) {
        s = bench_gradients(&b);
    } else if (!s && c->losses) {
        s = bench_losses(&b);
    } else if (!s) {
        s = make_data(&b);
        if (!s) s = measure(&b);
        if (!s) report(&b, first_of_process);
    }
    ct_plan_free(b.train);
    ct_plan_free(b.predict);
    ct_session_free(b.session);
    ct_close(b.ctx);
    free(b.x);
    free(b.target);
    free(b.out);
    return s;
}

static const work *work_of(const char *name) {
    for (const work *w = works; w->name; w++)
        if (strcmp(w->name, name) == 0) return w;
    return NULL;
}

int cli_bench(cli *c) {
    for (int32_t i = 0; i < c->words; i++) {
        const char *names[16];
        size_t n = 0;
        if (work_of(c->word[i])) continue;
        for (const work *w = works; w->name; w++) names[n++] = w->name;
        const char *near = ct_nearest(c->word[i], names, n);
        ct_fail(&c->e, CT_EUSAGE, "bench %.60s: no such net; wanted %s; see cotan bench --help", c->word[i],
                near ? near : "mlp-small, mlp, cnn, resnet20, alexnet or gpt");
        return cli_fail(c);
    }
    int first = 1;
    int writes = (c->gradients != NULL) + (c->losses != NULL);
    if ((c->weights != NULL) != writes || (c->weights && c->words != 1)) {
        ct_fail(
            &c->e, CT_EUSAGE,
            "bench: --weights without a place for what comes of them, or of several nets; wanted one net and "
            "--gradients or --losses; see cotan bench --help");
        return cli_fail(c);
    }
    for (const work *w = works; w->name; w++) {
        int wanted = c->words == 0;
        for (int32_t i = 0; i < c->words; i++) wanted |= strcmp(c->word[i], w->name) == 0;
        if (!wanted) continue;
        if (run(c, w, first)) return cli_fail(c);
        first = 0;
    }
    return 0;
}
