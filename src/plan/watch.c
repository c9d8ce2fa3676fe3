/* watch.c: looking at values while a plan runs.
 *
 * A run that ends with a loss or a gradient that is no finite number has changed nothing, so it can be run again
 * on the same inputs, step number and random numbers. That replay stops before anything is written and looks at
 * every value: first at inputs and variables, then at what each step makes. The step to blame is the first
 * whose result has a NaN or an infinity although its operands are finite (a mask of minus infinity is no fault).
 * With ct_options.trap every run looks, and any such number ends it.
 *
 * Debug builds also look at padding lanes after every step: they are zero, as kernels read them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kern/conv.h"
#include "op/relayout.h"
#include "plan/plan.h"

static int64_t first_bad(const float *x, uint64_t n) {
    for (uint64_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return (int64_t)i;
    return -1;
}

/* The type of value v as task `ragged` or not of its node sees it. */
static ct__type type_of_task(const ct__instance *t, const ct__pnode *n, const ct__val *v, int ragged) {
    ct__type type = v->type;
    int64_t rows = n->kind == CT__SHARDED ? ct__rows_of(t, v, ragged) : t->batch;
    for (int32_t i = 0; i < type.shape.rank; i++)
        if (type.shape.dim[i] < 0) type.shape.dim[i] *= -rows;
    return type;
}

typedef struct place { /* coordinates as text, "[3,0,5]" */
    char text[CT_SHAPE_TEXT];
    double value;
    int64_t row; /* on the batch axis; -1: there is none */
} place;

/* Element `at` of a plain array; `row0` samples of the batch lie before it on axis `axis` (-1: none). */
static void describe(place *p, const ct_shape *s, int64_t at, int32_t axis, int64_t row0) {
    ct_shape index = {.rank = s->rank};
    for (int32_t i = s->rank - 1; i >= 0; i--) {
        index.dim[i] = at % s->dim[i] + (i == axis ? row0 : 0);
        at /= s->dim[i];
    }
    ct_shape_format(&index, p->text);
    p->row = axis < 0 ? -1 : index.dim[axis];
}

/* The first bad element in logical order; found by way of a plain copy, as memory is no matter here. */
static void find_place(const ct__instance *t, place *p, const ct__type *type, const ct__layout *layout,
                       const float *x, int32_t axis, int64_t row0) {
    static const ct__layout plain = {.kind = CT__PLAIN};
    ct_ctx *c = t->plan->ctx;
    uint64_t bytes = ct__layout_bytes(&plain, type);
    float *copy = layout->kind == CT__PLAIN ? NULL : ct_new(&c->allocator, bytes);
    const float *y = x;
    if (copy && !ct__relayout_now(c, type, layout, &plain, x, copy, NULL)) y = copy;
    int64_t at = layout->kind == CT__PLAIN || y == copy ? first_bad(y, bytes / sizeof *y) : -1;
    snprintf(p->text, sizeof p->text, "?");
    p->value = NAN;
    p->row = -1;
    if (at >= 0) {
        p->value = (double)y[at];
        describe(p, &type->shape, at, axis, row0);
    }
    ct_delete(&c->allocator, copy, bytes);
}

/* Records an error, and which sample of the batch it is about: `each` rows of the place are one. */
static ct_status told(ct_err *e, ct_status status, const place *p, int64_t each) {
    if (e) e->pos = p->row < 0 ? -1 : p->row / each;
    return status;
}

static int is_float(const ct__val *v) { return v->type.dtype == CT_F32; }

static int finite_operands(const ct__instance *t, const ct__step *s, int ragged, void *const *arg) {
    const ct__pnode *n = s->node;
    for (int32_t i = 0; i < n->n_in; i++) {
        if (!arg[i] || !is_float(&t->val[n->in[i]])) continue;
        ct__type type = type_of_task(t, n, &t->val[n->in[i]], ragged);
        uint64_t bytes = ct__storage_bytes(&t->val[n->in[i]].layout, &type);
        if (first_bad(arg[i], bytes / sizeof(float)) >= 0) return 0;
    }
    return 1;
}

/* The name of the nearest layer or variable that a nameless step works on. */
static const char *name_near(const ct__instance *t, const ct__pnode *n, int32_t depth) {
    for (int pass = 0; pass < 2 && depth < 16; pass++)
        for (int32_t i = 0; i < n->n_in; i++) {
            const ct__pnode *p = n->in[i] >= 0 ? t->node[t->val[n->in[i]].node] : NULL;
            if (!p || p->op == &ct__op_constant) continue;
            const char *name = p->name[0] ? p->name : pass ? name_near(t, p, depth + 1) : "";
            if (name[0]) return name;
        }
    return "";
}

ct_status ct__watch_step(const ct__instance *t, const ct__step *s, int64_t task, void *const *arg,
                         const ct__exec *x, int strict) {
    const ct__pnode *n = s->node;
    int ragged = n->kind == CT__SHARDED && task == t->shards - 1;
    for (int32_t k = 0; k < n->n_out; k++) {
        const ct__val *v = n->out[k] >= 0 ? &t->val[n->out[k]] : NULL;
        const float *out = arg[n->n_in + k];
        if (!v || !out || !is_float(v)) continue;
        ct__type type = type_of_task(t, n, v, ragged);
        if (first_bad(out, ct__storage_bytes(&v->layout, &type) / sizeof *out) < 0) continue;
        if (!strict && !finite_operands(t, s, ragged, arg)) continue;
        place p;
        int cut = n->kind == CT__SHARDED;
        int32_t axis = !cut || v->place == CT__SHARD ? ct__batch_axis(&v->type.shape) : -1;
        int64_t each = axis < 0 ? 1 : -v->type.shape.dim[axis];
        find_place(t, &p, &type, &v->layout, out, axis, cut && axis >= 0 ? x->row0 * each : 0);
        const char *name = n->name[0] ? n->name : name_near(t, n, 0), *after = n->name[0] ? "" : "after ";
        ct_fail(x->e, CT_ENONFINITE,
                "%s%s %s\"%s\": element %s of its result is %g at step %llu; wanted finite numbers; nothing "
                "was updated; a lower learning rate, or a look at that sample, may help",
                n->op->name, s->fused, after, name, p.text, p.value, (unsigned long long)x->step + 1);
        return told(x->e, CT_ENONFINITE, &p, each);
    }
    return CT_OK;
}

/* Inputs and variables, before the first step. */
ct_status ct__watch_sources(const ct__instance *t, void *const *base, uint64_t step, ct_err *e) {
    for (int32_t i = 0; i < t->nodes; i++) {
        const ct__pnode *n = t->node[i];
        int input = n->op == &ct__op_input,
            variable = n->op == &ct__op_var && n->origin->var->kind != CT_MOMENT;
        const ct__val *v = input || variable ? &t->val[n->out[0]] : NULL;
        if (!v || v->base < 0 || !is_float(v)) continue;
        const float *x = base[v->base];
        ct__pnode once = *n;
        once.kind = CT__ONCE;
        ct__type type = type_of_task(t, &once, v, 0);
        if (!x || first_bad(x, ct__storage_bytes(&v->layout, &type) / sizeof *x) < 0) continue;
        place p;
        int32_t axis = input ? ct__batch_axis(&v->type.shape) : -1;
        find_place(t, &p, &type, &v->layout, x, axis, 0);
        ct_fail(e, CT_ENONFINITE, "%s \"%s\": element %s is %g before step %llu; wanted finite numbers; %s",
                input ? "input" : "variable", n->name, p.text, p.value, (unsigned long long)step + 1,
                input ? "clean the data" : "go back to weights that are finite");
        return told(e, CT_ENONFINITE, &p, axis < 0 ? 1 : -v->type.shape.dim[axis]);
    }
    return CT_OK;
}

/* ---- padding ---- */

#ifdef CT_CHECKED
static int zero(const float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (x[i] != 0) return 0;
    return 1;
}

static int padding_zero(const ct__layout *l, const ct_shape *s, const float *x) {
    int64_t b = l->kind == CT__BLOCKED ? ct__block_channels() : 16, lanes = 0, count = 1, groups = 1;
    if (l->kind == CT__BLOCKED) {
        for (int32_t i = 2; i < s->rank; i++) count *= s->dim[i];
        lanes = s->dim[1];
        groups = s->dim[0];
    } else if (l->kind == CT__PANEL || l->kind == CT__FLIP) {
        lanes = s->dim[l->kind == CT__PANEL ? 0 : 1];
        count = s->dim[l->kind == CT__PANEL ? 1 : 0];
    }
    int64_t used = lanes % b, blocks = (lanes + b - 1) / b;
    for (int64_t g = 0; used && g < groups; g++) {
        const float *last = x + ((g + 1) * blocks - 1) * count * b;
        for (int64_t i = 0; i < count; i++)
            if (!zero(last + i * b + used, b - used)) return 0;
    }
    return 1;
}

/* An optimiser's step writes its variables, which are operands. */
ct_status ct__watch_padding(const ct__instance *t, const ct__step *s, int64_t task, void *const *arg,
                            ct_err *e) {
    const ct__pnode *n = s->node;
    int ragged = n->kind == CT__SHARDED && task == t->shards - 1;
    for (int32_t i = n->op->update ? 0 : n->n_in; i < n->n_in + n->n_out; i++) {
        const ct__val *v = n->in[i] >= 0 ? &t->val[n->in[i]] : NULL; /* outputs follow inputs */
        if (!v || !arg[i] || !is_float(v)) continue;
        ct__type type = type_of_task(t, n, v, ragged);
        if (padding_zero(&v->layout, &type.shape, arg[i])) continue;
        return ct_fail(e, CT_EINTERNAL, "%s \"%s\": operand %d: padding lanes are not zero after the step",
                       n->op->name, n->name, i + 1);
    }
    return CT_OK;
}
#else
ct_status ct__watch_padding(const ct__instance *t, const ct__step *s, int64_t task, void *const *arg,
                            ct_err *e) {
    (void)t, (void)s, (void)task, (void)arg, (void)e;
    return CT_OK;
}
#endif
