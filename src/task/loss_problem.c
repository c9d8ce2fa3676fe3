/* loss_problem.c: a loss of a graph as a function of its parameters, for minimisers: the vector goes into the parameters,
 * a plan with the loss and its gradients runs over all records, batch after batch, and the means are weighed by rows:
 *
 *     f(x) = sum over batches b of rows_b / rows * loss_b,  and the same sum of gradients, in doubles */
#include <math.h>
#include <string.h>

#include "cotan/task.h"

#define ROWS 4096

typedef struct part { /* a parameter */
    ct_var_info info;
    int64_t count;
    float *value, *gradient; /* [count] */
} part;

struct ct_loss_problem {
    ct_ctx *ctx;
    const ct_allocator *allocator;
    ct_arena arena;
    ct_plan *plan;
    ct_session *session;
    part *parts;
    int32_t n_parts, n_inputs;
    int64_t size, rows, batch;
    const char **in; /* [n_inputs] the data */
    size_t *stride;  /* [n_inputs] bytes of a record; 0: the same for every batch */
    const void **at; /* [n_inputs] of a batch */
    void **out;      /* loss and gradients */
    float loss;
    ct_err e; /* of the run that failed */
};

static ct_status memory(ct_err *e) {
    return ct_fail(e, CT_ELIMIT, "loss problem: out of memory; use a smaller net");
}

/* ---- making ---- */

static ct_status make_parts(ct_loss_problem *p, const ct_t *wrt, ct_err *e) {
    p->parts = ct_arena_array(&p->arena, (uint64_t)p->n_parts, sizeof *p->parts);
    p->out = ct_arena_array(&p->arena, (uint64_t)p->n_parts + 1, sizeof *p->out);
    if (!p->parts || !p->out) return memory(e);
    p->out[0] = &p->loss;
    for (int32_t i = 0; i < p->n_parts; i++) {
        part *v = &p->parts[i];
        ct_status s = ct_var_find(p->ctx, ct_name_of(wrt[i]), &v->info);
        if (s)
            return ct_fail(e, s,
                           "loss problem: parameter \"%.80s\" is gone; wanted it; make the problem anew",
                           ct_name_of(wrt[i]));
        v->count = (int64_t)v->info.count;
        v->value = ct_arena_array(&p->arena, v->info.count, sizeof(float));
        v->gradient = p->out[i + 1] = ct_arena_array(&p->arena, v->info.count, sizeof(float));
        if (!v->value || !v->gradient) return memory(e);
        p->size += v->count;
    }
    return CT_OK;
}

/* One whose records are not along its first axis is given whole. */
static ct_status make_inputs(ct_loss_problem *p, const void *const *in, ct_err *e) {
    p->n_inputs = ct_plan_inputs(p->plan);
    uint64_t n = (uint64_t)p->n_inputs + 1;
    p->in = ct_arena_array(&p->arena, n, sizeof *p->in);
    p->stride = ct_arena_array(&p->arena, n, sizeof *p->stride);
    p->at = ct_arena_array(&p->arena, n, sizeof *p->at);
    if (!p->in || !p->stride || !p->at) return memory(e);
    for (int32_t i = 0; i < p->n_inputs; i++) {
        ct_shape s = ct_plan_input_shape(p->plan, i);
        size_t bytes = ct_dtype_size(ct_plan_input_dtype(p->plan, i));
        if (!in || !in[i])
            return ct_fail(e, CT_EUSAGE,
                           "loss problem: no data for input \"%.80s\"; wanted its records; give them",
                           ct_plan_input_name(p->plan, i));
        p->in[i] = in[i];
        for (int32_t k = 0; k < s.rank; k++) {
            if (s.dim[k] != CT_N)
                bytes *= (size_t)s.dim[k];
            else if (k > 0)
                p->batch = p->rows;
        }
        p->stride[i] = s.rank > 0 && s.dim[0] == CT_N ? bytes : 0;
    }
    return CT_OK;
}

static ct_status make_plan(ct_loss_problem *p, ct_t loss, int32_t train, ct_err *e) {
    ct_shape shape = ct_shape_of(loss);
    p->n_parts = ct_parameters(loss, NULL, 0);
    ct_status s = p->n_parts ? CT_OK : ct_graph_status(ct_graph_of(loss), e);
    if (s) return s;
    if (shape.rank != 0 || p->n_parts == 0 || ct_dtype_of(loss) != CT_F32) {
        char text[CT_SHAPE_TEXT];
        return ct_fail(
            e, CT_EUSAGE,
            "loss problem: a loss of shape %s in %s with %d parameters; wanted a scalar in f32 that "
            "depends on some; give the loss of a net",
            ct_shape_format(&shape, text), ct_dtype_name(ct_dtype_of(loss)), (int)p->n_parts);
    }
    ct_t *node = ct_arena_array(&p->arena, 2 * (uint64_t)p->n_parts + 1, sizeof *node), *wrt;
    if (!node) return memory(e);
    wrt = node + p->n_parts + 1;
    node[0] = loss;
    if (ct_parameters(loss, wrt, p->n_parts) != p->n_parts) return memory(e);
    s = ct_grad(loss, NULL, wrt, p->n_parts, node + 1);
    if (s) {
        (void)ct_graph_status(ct_graph_of(loss), e);
        return s;
    }
    ct_compile how = {.train = train, .batch = p->batch};
    s = ct_plan_new(node, p->n_parts + 1, NULL, 0, how, &p->plan, e);
    if (!s) s = ct_session_new(p->ctx, &p->session, e);
    return s ? s : make_parts(p, wrt, e);
}

ct_status ct_loss_problem_new(ct_t loss, const void *const *in, int64_t rows, const ct_loss_options *o,
                              ct_loss_problem **out, ct_err *e) {
    ct_ctx *c = ct_context(loss);
    *out = NULL;
    if (c && !ct_ok(loss)) return ct_graph_status(ct_graph_of(loss), e); /* why it is poison */
    if (!c || rows < 1)
        return ct_fail(e, CT_EUSAGE,
                       "loss problem: %s, %lld records; wanted a loss and at least one; give both",
                       c ? "a loss" : "no loss", (long long)rows);
    const ct_allocator *a = ct_allocator_of(c);
    ct_loss_problem *p = ct_new(a, sizeof *p);
    if (!p) return memory(e);
    *p = (ct_loss_problem){.ctx = c, .allocator = a, .arena = {.allocator = a}, .rows = rows};
    p->batch = o && o->batch > 0 ? o->batch : ROWS;
    if (p->batch > rows) p->batch = rows;
    ct_status s = make_plan(p, loss, o ? o->train : 0, e);
    if (!s) s = make_inputs(p, in, e);
    if (s)
        ct_loss_problem_free(p);
    else
        *out = p;
    return s;
}

void ct_loss_problem_free(ct_loss_problem *p) {
    if (!p) return;
    ct_session_free(p->session);
    ct_plan_free(p->plan);
    ct_arena_free(&p->arena);
    ct_delete(p->allocator, p, sizeof *p);
}

int64_t ct_loss_problem_size(const ct_loss_problem *p) { return p->size; }

/* ---- the vector and the parameters ---- */

static ct_array value_of(const part *v) { return ct_array_view(v->value, CT_F32, v->info.shape); }

ct_status ct_loss_problem_get(ct_loss_problem *p, double *x, ct_err *e) {
    for (int32_t i = 0; i < p->n_parts; x += p->parts[i++].count) {
        const part *v = &p->parts[i];
        ct_array a = value_of(v);
        ct_status s = ct_var_get(p->ctx, v->info.name, &a, e);
        if (s) return s;
        for (int64_t k = 0; k < v->count; k++) x[k] = (double)v->value[k];
    }
    return CT_OK;
}

ct_status ct_loss_problem_set(ct_loss_problem *p, const double *x, ct_err *e) {
    for (int32_t i = 0; i < p->n_parts; x += p->parts[i++].count) {
        const part *v = &p->parts[i];
        ct_array a = value_of(v);
        for (int64_t k = 0; k < v->count; k++) v->value[k] = (float)x[k];
        ct_status s = ct_var_set(p->ctx, v->info.name, &a, e);
        if (s) return s;
    }
    return CT_OK;
}

/* ---- the function ---- */

static void add_gradient(const ct_loss_problem *p, double weight, double *gradient) {
    for (int32_t i = 0; i < p->n_parts; gradient += p->parts[i++].count) {
        const part *v = &p->parts[i];
        for (int64_t k = 0; k < v->count; k++) gradient[k] += weight * (double)v->gradient[k];
    }
}

/* Numbers that are not finite are f's, not an error. */
static ct_status run_batch(ct_loss_problem *p, int64_t from, int64_t rows) {
    for (int32_t i = 0; i < p->n_inputs; i++) p->at[i] = p->in[i] + (size_t)from * p->stride[i];
    ct_status s = ct_run(p->session, p->plan, p->at, rows, p->out);
    if (s == CT_ENONFINITE) {
        p->loss = NAN;
        return CT_OK;
    }
    return s ? ct_fail(&p->e, s, "%s", ct_session_error(p->session)) : CT_OK;
}

static double value(void *user, const double *x, double *gradient) {
    ct_loss_problem *p = user;
    double sum = 0;
    if (gradient) memset(gradient, 0, (size_t)p->size * sizeof *gradient);
    ct_status s = p->e.status ? (ct_status)p->e.status : ct_loss_problem_set(p, x, &p->e);
    for (int64_t from = 0; !s && from < p->rows; from += p->batch) {
        int64_t rows = p->rows - from < p->batch ? p->rows - from : p->batch;
        double weight = (double)rows / (double)p->rows;
        s = run_batch(p, from, rows);
        sum += weight * (double)p->loss;
        if (!s && gradient) add_gradient(p, weight, gradient);
    }
    return s ? NAN : sum;
}

ct_problem ct_loss_problem_of(ct_loss_problem *p) {
    return (ct_problem){.user = p, .n = p->size, .f = value};
}

ct_status ct_loss_problem_status(const ct_loss_problem *p, ct_err *e) {
    return p->e.status ? ct_fail(e, (ct_status)p->e.status, "%s", p->e.text) : CT_OK;
}

ct_status ct_minimise_loss(ct_t loss, const void *const *in, int64_t rows, const ct_loss_options *how,
                           const ct_minimise_options *o, ct_minimise_result *out, ct_err *e) {
    ct_loss_problem *p;
    ct_minimise_options options =
        o ? *o : (ct_minimise_options){.max_iterations = 200, .gradient_tolerance = 1e-5};
    ct_status s = ct_loss_problem_new(loss, in, rows, how, &p, e);
    if (s) return s;
    ct_maths m = {.allocator = p->allocator, .threads = 1};
    ct_minimise_result result = {0};
    ct_err inner = {0};
    double *x = ct_arena_array(&p->arena, (uint64_t)p->size, sizeof *x);
    ct_problem f = ct_loss_problem_of(p);
    s = x ? ct_loss_problem_get(p, x, e) : memory(e);
    if (!s) {
        s = ct_minimise(&m, &f, x, &options, &result, &inner);
        if (p->e.status)
            s = ct_loss_problem_status(p, e);
        else if (s)
            ct_fail(e, s, "%s", inner.text);
        else
            s = ct_loss_problem_set(p, x, e);
    }
    if (!s && out) *out = result;
    ct_loss_problem_free(p);
    return s;
}
