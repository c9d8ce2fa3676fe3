/* check_grad.c: derivatives of a case, first and second.
 *
 * The gradient graph goes through the references and must agree with differences of the references' values, in
 * double, with a random cotangent:
 *     f'(x) = (8 (f(x+h) - f(x-h)) - (f(x+2h) - f(x-2h))) / 12 h        four points, error h^4 f'''''/30
 * and through the planner, against the references. A kink within 2h of x falsifies a difference, and so does a
 * fifth derivative that is large: then a smaller h is tried. A wrong gradient agrees at none. */
#include <math.h>
#include <string.h>

#include "plan/check.h"

#define TOLERANCE 1e-6
/* Elements of an array that are differenced: in a written case, in one derived from it. */
#define SAMPLES 24
#define DERIVED_SAMPLES 6

/* sum of y[i] * cotangent[i]; the cotangents, new inputs, are added to made[]. */
static ct_t dot_with_cotangent(ct__trial *t, const ct_t *y, int32_t n, const char *prefix, ct_t *made,
                               int32_t *count) {
    ct_t sum = ct__none();
    for (int32_t i = 0; i < n; i++) {
        char name[64];
        if (ct_dtype_of(y[i]) != CT_F32) continue;
        snprintf(name, sizeof name, "%s%d", prefix, i);
        ct_t c = ct_graph_input(t->graph, name, CT_F32, ct_shape_of(y[i]));
        if (!ct_ok(c)) return c;
        made[(*count)++] = c;
        ct_t part = ct_sum(ct_mul(y[i], c), ct_shape_make(0, NULL), (ct_reduce){0});
        sum = sum.node ? ct_add(sum, part) : part;
    }
    return sum;
}

static int value_of(ct__trial *t, ct_arena *arena, ct_t loss, double *out) {
    ct__ref_array r;
    if (ct__interpret(&t->interpreter, arena, &loss, 1, &r, &t->e))
        return ct__trial_fail(t, "reference failed");
    *out = r.v[0];
    ct_arena_free(arena);
    return 1;
}

typedef struct difference {
    ct_t loss;
    double *x; /* the element */
    double have, scale;
    double want; /* the last estimate */
} difference;

/* 1: agrees, 0: does not, -1: an error. */
static int agrees_at(ct__trial *t, difference *d, double h) {
    static const double at[4] = {1, -1, 2, -2};
    ct_arena arena = {0};
    double keep = *d->x, f[4];
    int ok = 1;
    h *= fabs(keep) > 1 ? fabs(keep) : 1;
    for (int i = 0; i < 4 && ok; i++) {
        *d->x = keep + at[i] * h;
        ok = value_of(t, &arena, d->loss, &f[i]);
    }
    *d->x = keep;
    ct_arena_free(&arena);
    if (!ok) return -1;
    if (!isfinite(f[0])) return 1; /* no value, no derivative */
    d->want = (8 * (f[0] - f[1]) - (f[2] - f[3])) / (12 * h);
    return fabs(d->have - d->want) <= TOLERANCE * (d->scale + 1e-4 * fabs(f[0]));
}

static int check_element(ct__trial *t, const char *what, difference *d, const char *name, uint64_t k) {
    static const double steps[] = {4e-4, 4e-5, 4e-6, 4e-7, 4e-8};
    char text[300];
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        int r = agrees_at(t, d, steps[i]);
        if (r) return r > 0;
    }
    snprintf(text, sizeof text, "%s by \"%.60s\" element %llu is %.12g; differences say %.12g", what, name,
             (unsigned long long)k, d->have, d->want);
    return ct__trial_fail(t, text);
}

/* d loss / d wrt against differences, on a sample of elements. */
static int check_differences(ct__trial *t, const char *what, ct_t loss, const ct__ref_array *grad) {
    for (int32_t i = 0; i < t->n_wrt; i++) {
        ct__ref_array *x = &t->interpreter.source[t->wrt[i].node->id];
        uint64_t count = ct__trial_count(x), stride = count / (t->derived ? DERIVED_SAMPLES : SAMPLES) + 1;
        double scale = ct__trial_scale(&grad[i]);
        for (uint64_t k = 0; k < count; k += stride) {
            difference d = {loss, &x->v[k], grad[i].v[k], scale, 0};
            if (!check_element(t, what, &d, t->wrt[i].node->name, k)) return 0;
        }
    }
    return 1;
}

static int check_order(ct__trial *t, const char *what, ct_t loss, ct_t *grad, double tolerance) {
    ct__ref_array value[CT__MAX_IN];
    char text[100];
    if (ct_grad(loss, NULL, t->wrt, t->n_wrt, grad)) return ct__trial_fail(t, t->graph->error.text);
    if (!ct__trial_more_sources(t)) return 0;
    snprintf(text, sizeof text, "reference of the %s failed", what);
    if (ct__interpret(&t->interpreter, &t->arena, grad, t->n_wrt, value, &t->e))
        return ct__trial_fail(t, text);
    return check_differences(t, what, loss, value) &&
           ct__trial_forms(t, what, grad, t->n_wrt, value, t->train, tolerance);
}

/* In the mode at hand. The second derivative is that of the gradient by everything it depends on, its cotangent
 * included. */
int ct__trial_gradient(ct__trial *t, const ct_t *y, int32_t n_out) {
    ct_t grad[CT__MAX_IN], second[CT__MAX_IN], made[CT__MAX_OUT], more[CT__MAX_IN];
    double tolerance = t->c->tolerance > 0 ? t->c->tolerance : 1e-5;
    int32_t n_made = 0, n_more = 0, n = t->n_wrt;
    ct_t loss = dot_with_cotangent(t, y, n_out, t->train ? "cotangent" : "evaluated", made, &n_made);
    if (!loss.node) return 1;
    if (!check_order(t, "gradient", loss, grad, 4 * tolerance)) return 0;
    if (!(t->c->flags & CT__CASE_SECOND)) return 1;
    loss = dot_with_cotangent(t, grad, n, t->train ? "second" : "evaluated.second", more, &n_more);
    for (int32_t i = 0; i < n_made; i++) t->wrt[t->n_wrt++] = made[i];
    int ok = check_order(t, "second gradient", loss, second, 20 * tolerance);
    t->n_wrt = n;
    return ok;
}
