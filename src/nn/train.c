/* train.c: from a loss to a training plan: gradients, clipping, guard, one update a parameter.
 *
 * Everything is graph: the planner merges the updates of a group into one pass over flat segments, which also
 * adds up the gradients of the shards. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cotan/nn.h"

static const char *const names[] = {"adam",    "adamw",   "sgd",      "nadam",
                                    "rmsprop", "adagrad", "adadelta", "lion"};
#define COUNT ((int32_t)(sizeof names / sizeof *names))

const char *ct_optimiser_name(int32_t kind) { return kind >= 0 && kind < COUNT ? names[kind] : NULL; }
int32_t ct_optimiser_of(const char *name) {
    for (int32_t i = 0; i < COUNT; i++)
        if (strcmp(names[i], name) == 0) return i;
    return -1;
}

static double given(double v, double otherwise) { return v == 0 ? otherwise : v == CT_ZERO ? 0 : v; }

double ct_optimiser_lr(int32_t kind) {
    static const double lr[] = {1e-3, 1e-3, 1e-2, 2e-3, 1e-2, 1e-2, 1.0, 1e-4};
    kind &= ~CT_DECOUPLED;
    return kind >= 0 && kind < COUNT ? lr[kind] : NAN;
}

/* The moment `name` of a parameter, zeros at first; another training of the same parameters goes on with it. */
static ct_t moment_named(ct_t param, const char *name) {
    ct_var_info v;
    ct_graph *g = ct_graph_of(param);
    if (!ct_var_find(ct_context(param), name, &v) && v.kind == CT_MOMENT) return ct_graph_param(g, name);
    return ct_var_new(g, CT_MOMENT, name, CT_F32, ct_shape_of(param), (ct_init){.kind = CT_INIT_ZEROS});
}
static int32_t rule_of(const ct_train *t) { return t->optimiser & ~CT_DECOUPLED; }
static int32_t apart(const ct_train *t) { return (t->optimiser & CT_DECOUPLED) != 0; } /* decoupled decay */

static ct_t moment(ct_t param, const char *suffix) {
    char name[900];
    snprintf(name, sizeof name, "%s.%s", ct_name_of(param), suffix);
    return moment_named(param, name);
}

typedef struct update { /* what one parameter's update takes */
    const ct_train *t;
    ct_t param, grad, rows, lr, scale; /* rows: of a table's gradient, else none */
    double decay;
} update;

static ct_t adam(const update *u) {
    const ct_train *t = u->t;
    ct_adam o = {.weight_decay = u->decay,
                 .l1 = t->l1,
                 .decoupled = rule_of(t) == CT_ADAMW || apart(t),
                 .momentum_decay = rule_of(t) == CT_NADAM ? t->alpha : 0};
    double beta1 = given(t->beta1, 0.9), beta2 = given(t->beta2, 0.999), eps = given(t->eps, 1e-8);
    ct_t m = moment(u->param, "exp_avg"), v = moment(u->param, "exp_avg_sq");
    if (rule_of(t) == CT_NADAM)
        return ct_nadam_update(u->param, u->grad, m, v, u->lr, u->scale, beta1, beta2, eps, o);
    return ct_adam_update(u->param, u->grad, m, v, u->lr, u->scale, beta1, beta2, eps, o);
}

static ct_t sgd(const update *u) {
    const ct_train *t = u->t;
    ct_t none = {0, 0, 0}, buffer = t->momentum > 0 ? moment(u->param, "momentum_buffer") : none;
    return ct_sgd_update(u->param, u->grad, buffer, u->lr, u->scale,
                         (ct_sgd){.momentum = t->momentum,
                                  .dampening = t->alpha,
                                  .nesterov = t->nesterov,
                                  .weight_decay = u->decay,
                                  .l1 = t->l1,
                                  .decoupled = apart(t)});
}

static ct_t rmsprop(const update *u) {
    const ct_train *t = u->t;
    ct_t none = {0, 0, 0}, square = moment(u->param, "square_avg"),
         average = t->centered ? moment(u->param, "grad_avg") : none;
    ct_t buffer = t->momentum > 0 ? moment(u->param, "momentum_buffer") : none;
    return ct_rmsprop_update(
        u->param, u->grad, square, average, buffer, u->lr, u->scale, given(t->alpha, 0.99),
        given(t->eps, 1e-8),
        (ct_rmsprop){.momentum = t->momentum, .weight_decay = u->decay, .l1 = t->l1, .decoupled = apart(t)});
}

/* Steps on the rows of a table that the batch used. */
static ct_t sparse(const update *u) {
    const ct_train *t = u->t;
    if (t->optimiser == CT_SGD) return ct_sparse_sgd_update(u->param, u->rows, u->grad, u->lr, u->scale);
    if (t->optimiser == CT_ADAGRAD)
        return ct_sparse_adagrad_update(u->param, u->rows, u->grad, moment(u->param, "sum"), u->lr, u->scale,
                                        given(t->eps, 1e-10));
    return ct_sparse_adam_update(u->param, u->rows, u->grad, moment(u->param, "exp_avg"),
                                 moment(u->param, "exp_avg_sq"), u->lr, u->scale, given(t->beta1, 0.9),
                                 given(t->beta2, 0.999), given(t->eps, 1e-8));
}

/* What PyTorch has a sparse rule for. */
static ct_status check_sparse(const update *u, ct_err *e) {
    const ct_train *t = u->t;
    int known =
        t->optimiser == CT_ADAM || t->optimiser == CT_ADAGRAD || (t->optimiser == CT_SGD && t->momentum == 0);
    if (!known)
        return ct_fail(
            e, CT_EUSAGE,
            "train: table \"%s\" is sparse, and %s%s has no rule for rows; wanted adam, adagrad or sgd; take "
            "one of these, or leave sparse out",
            ct_name_of(u->param), names[t->optimiser], t->momentum > 0 ? " with momentum" : "");
    if (u->decay != 0 || t->l1 != 0)
        return ct_fail(
            e, CT_EUSAGE,
            "train: table \"%s\" is sparse, and decay would touch all its rows; wanted a group without decay "
            "for it, or no sparse",
            ct_name_of(u->param));
    return CT_OK;
}

static ct_t make_update(const update *u) {
    const ct_train *t = u->t;
    if (u->rows.node) return sparse(u);
    switch (rule_of(t)) {
        case CT_SGD:
            return sgd(u);
        case CT_RMSPROP:
            return rmsprop(u);
        case CT_ADAGRAD:
            return ct_adagrad_update(
                u->param, u->grad, moment(u->param, "sum"), u->lr, u->scale, given(t->eps, 1e-10),
                (ct_adagrad){
                    .lr_decay = t->alpha, .weight_decay = u->decay, .l1 = t->l1, .decoupled = apart(t)});
        case CT_ADADELTA:
            return ct_adadelta_update(
                u->param, u->grad, moment(u->param, "square_avg"), moment(u->param, "acc_delta"), u->lr,
                u->scale, given(t->alpha, 0.9), given(t->eps, 1e-6),
                (ct_adadelta){.weight_decay = u->decay, .l1 = t->l1, .decoupled = apart(t)});
        case CT_LION:
            return ct_lion_update(u->param, u->grad, moment(u->param, "exp_avg"), u->lr, u->scale,
                                  given(t->beta1, 0.9), given(t->beta2, 0.99),
                                  (ct_lion){.weight_decay = u->decay, .l1 = t->l1});
        default:
            return adam(u);
    }
}

/* ---- groups ---- */

static int matches(const ct_group *g, const char *name) {
    size_t n = strlen(name), prefix = g->prefix ? strlen(g->prefix) : 0,
           suffix = g->suffix ? strlen(g->suffix) : 0;
    if (prefix && (strncmp(name, g->prefix, prefix) != 0 || (name[prefix] != '\0' && name[prefix] != '.')))
        return 0;
    return !suffix || (n >= suffix && strcmp(name + n - suffix, g->suffix) == 0);
}

static const ct_group *group_of(const ct_train *t, const char *name) {
    for (int32_t i = 0; i < t->groups; i++)
        if (matches(&t->group[i], name)) return &t->group[i];
    return NULL;
}

static double decay_of(const ct_train *t, const ct_group *g) {
    double common = rule_of(t) == CT_ADAMW ? given(t->weight_decay, 0.01) : given(t->weight_decay, 0);
    return g ? given(g->weight_decay, common) : common;
}

/* ---- the plan ---- */

typedef struct built {
    ct_t *param, *grad, *rows, *effect, *out; /* rows: of a table's gradient, else none */
    uint8_t *average_begins;
    int32_t params, effects, outs;
} built;

static void add_average(const ct_train *t, built *b, int32_t i) {
    char name[900];
    ct_var_info v;
    snprintf(name, sizeof name, "ema.%s", ct_name_of(b->param[i]));
    b->average_begins[i] = ct_var_find(ct_context(b->param[i]), name, &v) != CT_OK;
    ct_t step = b->effect[b->effects - 1];
    b->effect[b->effects++] = ct_average_update(moment_named(b->param[i], name), step, t->average);
}

/* Gradients as the norm and the updates take them: tables by rows, values cut. */
static void prepare_gradients(const ct_train *t, built *b) {
    ct_t none = {0, 0, 0};
    for (int32_t i = 0; i < b->params; i++) {
        b->rows[i] = none;
        ct_t values = ct_sparse_rows(b->grad[i], &b->rows[i]);
        if (values.node) b->grad[i] = values;
        if (t->clip_value > 0) b->grad[i] = ct_clip(b->grad[i], -t->clip_value, t->clip_value);
    }
}

static ct_status build_updates(const ct_train *t, ct_t loss, built *b, ct_err *e) {
    ct_graph *g = ct_graph_of(loss);
    ct_t lr = ct_scalar(g, "lr", t->lr > 0 ? t->lr : ct_optimiser_lr(rule_of(t))), none = {0, 0, 0}, norm;
    prepare_gradients(t, b);
    ct_t length = t->clip_norm > 0 ? ct_global_norm(b->grad, b->params) : none,
         scale = ct_guard(loss, length, isinf(t->clip_norm) ? 0 : t->clip_norm, &norm);
    b->out[b->outs++] = loss;
    b->out[b->outs++] = norm;
    for (int32_t i = 0; i < b->params; i++) {
        const ct_group *group = group_of(t, ct_name_of(b->param[i]));
        update u = {t, b->param[i], b->grad[i], b->rows[i], lr, scale, decay_of(t, group)};
        ct_status s = b->rows[i].node ? check_sparse(&u, e) : CT_OK;
        if (s) return s;
        if (group && group->lr_scale > 0) u.lr = ct_mul_scalar(lr, group->lr_scale);
        b->effect[b->effects++] = make_update(&u);
        if (t->average > 0) add_average(t, b, i);
    }
    return CT_OK;
}

static ct_status check(const ct_train *t, ct_t loss, ct_err *e) {
    if (!ct_ok(loss))
        return ct_fail(e, CT_EUSAGE, "train: no loss; wanted a tensor: %s",
                       loss.node ? ct_error(ct_context(loss)) : "none given");
    if (ct_shape_of(loss).rank != 0)
        return ct_fail(e, CT_EUSAGE, "train: the loss has %d axes; wanted a scalar, such as a mean",
                       ct_shape_of(loss).rank);
    if (rule_of(t) < 0 || rule_of(t) >= COUNT)
        return ct_fail(e, CT_EUSAGE, "train: optimiser %d; wanted 0 to %d", t->optimiser, COUNT - 1);
    if (t->average < 0 || t->average >= 1)
        return ct_fail(e, CT_EUSAGE, "train: average %g; wanted 0 to under 1", t->average);
    return CT_OK;
}

/* An average begins as a copy of its parameter. */
static ct_status begin_averages(ct_ctx *c, const built *b, ct_err *e) {
    ct_status s = CT_OK;
    for (int32_t i = 0; i < b->params && !s; i++) {
        char name[900];
        ct_array a;
        if (!b->average_begins[i]) continue;
        snprintf(name, sizeof name, "ema.%s", ct_name_of(b->param[i]));
        s = ct_array_new(ct_allocator_of(c), CT_F32, ct_shape_of(b->param[i]), &a, e);
        if (s) return s;
        s = ct_var_get(c, ct_name_of(b->param[i]), &a, e);
        if (!s) s = ct_var_set(c, name, &a, e);
        ct_array_free(&a);
    }
    return s;
}

ct_status ct_compile_train(ct_t loss, const ct_t *more, int32_t n_more, const ct_train *t, ct_plan **out,
                           ct_err *e) {
    ct_status s = check(t, loss, e);
    if (s) return s;
    ct_arena arena = {.allocator = ct_allocator_of(ct_context(loss))};
    built b = {.params = ct_parameters(loss, NULL, 0)};
    uint64_t n = (uint64_t)b.params + 1;
    b.param = ct_arena_array(&arena, n, sizeof *b.param);
    b.grad = ct_arena_array(&arena, n, sizeof *b.grad);
    b.rows = ct_arena_array(&arena, n, sizeof *b.rows);
    b.average_begins = ct_arena_array(&arena, n, 1);
    b.effect = ct_arena_array(&arena, 2 * n, sizeof *b.effect);
    b.out = ct_arena_array(&arena, (uint64_t)n_more + 2, sizeof *b.out);
    if (!b.param || !b.grad || !b.rows || !b.average_begins || !b.effect || !b.out)
        s = ct_fail(e, CT_ELIMIT, "train: out of memory");
    if (!s && b.params == 0 && !(s = ct_graph_status(ct_graph_of(loss), e)))
        s = ct_fail(e, CT_EUSAGE,
                    "train: the loss depends on no parameter that may change; wanted at least one");
    if (!s && ct_parameters(loss, b.param, b.params) != b.params) s = ct_graph_status(ct_graph_of(loss), e);
    if (!s) {
        s = ct_grad(loss, NULL, b.param, b.params, b.grad);
        if (!s) s = build_updates(t, loss, &b, e);
        for (int32_t i = 0; i < n_more; i++) b.out[b.outs++] = more[i];
        if (ct_graph_status(ct_graph_of(loss), e)) s = ct_graph_status(ct_graph_of(loss), e);
    }
    ct_compile o = {.train = 1, .batch = t->batch, .shard = t->shard, .one_thread = t->one_thread};
    if (!s) s = ct_plan_new(b.out, b.outs, b.effect, b.effects, o, out, e);
    if (!s && t->average > 0) s = begin_averages(ct_context(loss), &b, e);
    ct_arena_free(&arena);
    return s;
}
