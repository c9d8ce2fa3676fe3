/* evaluate.h: a net of one expression on given numbers, and its gradient by one of them. */
#ifndef TESTS_EVALUATE_H
#define TESTS_EVALUATE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cotan/nn.h"
#include "graph/graph.h"

typedef struct given {
    const char *name; /* input(NAME); or the full name of a parameter, when `variable` */
    const void *data;
    ct_shape shape;
    int32_t dtype;
    int32_t variable;
} given;

typedef struct evaluation {
    const char *net; /* "softmax(input(x), 1)" */
    const given *in;
    int32_t n;
    int32_t train, threads;
    int64_t batch, shard; /* shard 0: the whole batch */
    const char *by;       /* the input whose gradient is wanted, NULL: none */
    const float *dy;      /* the cotangent, NULL: ones */
    void *y;
    float *dx;
} evaluation;

static inline void build_evaluation(const evaluation *v, ct_ctx *c, ct_t out[2], ct_err *e) {
    ct_graph *g = ct_default_graph(c);
    ct_net_input input[8];
    int32_t inputs = 0;
    char text[600];
    for (int32_t i = 0; i < v->n; i++)
        if (!v->in[i].variable)
            input[inputs++] = (ct_net_input){v->in[i].name, v->in[i].shape, v->in[i].dtype, 0};
    ct_net_env env = {.inputs = input, .n_inputs = inputs};
    snprintf(text, sizeof text, "y = %s\n", v->net);
    if (ct_net_build(g, text, "net", &env, &out[0], e)) return;
    for (int32_t i = 0; i < v->n; i++) {
        ct_array a =
            ct_array_view((void *)(uintptr_t)v->in[i].data, (ct_dtype)v->in[i].dtype, v->in[i].shape);
        if (v->in[i].variable && ct_var_set(c, v->in[i].name, &a, e)) return;
    }
    if (!v->by) return;
    ct_t x = {0}, dy = v->dy ? ct_graph_input(g, "dy", CT_F32, ct_shape_of(out[0])) : (ct_t){0};
    for (int32_t i = 0; i < g->nodes; i++)
        if ((g->node[i]->op == &ct__op_input || g->node[i]->var) && strcmp(g->node[i]->name, v->by) == 0)
            x = (ct_t){g->node[i], 0, 0};
    if (ct_grad(out[0], v->dy ? &dy : NULL, &x, 1, &out[1])) ct_fail(e, CT_EUSAGE, "%s", ct_error(c));
}

/* The status, *e its text. */
static inline ct_status try_evaluation(const evaluation *v, ct_err *e) {
    ct_options options = {.threads = v->threads > 0 ? v->threads : 2};
    ct_ctx *c = ct_open(&options);
    ct_plan *p = NULL;
    ct_session *s = NULL;
    ct_t out[2] = {{0}};
    const void *feed[8] = {0};
    build_evaluation(v, c, out, e);
    ct_compile o = {.train = v->train, .shard = v->shard > 0 ? v->shard : v->batch};
    if (!e->status) ct_plan_new(out, v->by ? 2 : 1, NULL, 0, o, &p, e);
    if (!e->status) ct_session_new(c, &s, e);
    for (int32_t i = 0; !e->status && i < ct_plan_inputs(p); i++)
        for (int32_t k = -1; k < v->n; k++)
            if (strcmp(ct_plan_input_name(p, i), k < 0 ? "dy" : v->in[k].name) == 0)
                feed[i] = k < 0 ? (const void *)v->dy : v->in[k].data;
    if (!e->status) {
        ct_status status = ct_run(s, p, feed, v->batch, (void *[2]){v->y, v->dx});
        if (status) ct_fail(e, status, "%s", ct_session_error(s));
    }
    ct_session_free(s);
    ct_plan_free(p);
    ct_close(c);
    return (ct_status)e->status;
}

static inline void evaluate(evaluation v) {
    ct_err e = {0};
    if (v.batch == 0) v.batch = 1;
    if (try_evaluation(&v, &e)) fail_msg("%s: %s", v.net, e.text);
}

/* f32 rows named x. */
static inline given rows_of(const float *x, int64_t columns) {
    return (given){"x", x, CT_SHAPE(CT_N, columns), CT_F32, 0};
}

#endif
