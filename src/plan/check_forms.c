/* check_forms.c: a case through the planner: whole, cut into shards, on four threads, with passes left out. All
 * must agree with the references; what the core promises to be the same bits must be. */
#include <math.h>
#include <string.h>

#include "plan/check.h"

/* The same values as bytes of the node's type. */
static void *bytes_of(ct_arena *arena, const ct__ref_array *a) {
    uint64_t n = ct__trial_count(a);
    char *p = ct_arena_array(arena, n + 16, 8);
    for (uint64_t i = 0; p && i < n; i++) {
        if (a->dtype == CT_F32)
            ((float *)(void *)p)[i] = (float)a->v[i];
        else if (a->dtype == CT_I64)
            ((int64_t *)(void *)p)[i] = (int64_t)a->v[i];
        else if (a->dtype == CT_I32)
            ((int32_t *)(void *)p)[i] = (int32_t)a->v[i];
        else
            ((uint8_t *)p)[i] = a->v[i] != 0;
    }
    return p;
}

static double number_at(const void *p, int32_t dtype, uint64_t i) {
    if (dtype == CT_F32) return (double)((const float *)p)[i];
    if (dtype == CT_I64) return (double)((const int64_t *)p)[i];
    if (dtype == CT_I32) return (double)((const int32_t *)p)[i];
    return (double)((const uint8_t *)p)[i];
}

static ct_status set_variables(ct__trial *t) {
    ct_status s = CT_OK;
    for (int32_t i = 0; i < t->interpreter.nodes && !s; i++) {
        const ct__var *v = t->graph->node[i]->var;
        if (!v || v->dtype != CT_F32) continue;
        void *p = bytes_of(&t->arena, &t->interpreter.source[i]);
        ct_array a = ct_array_view(p, (ct_dtype)v->dtype, v->shape);
        s = p ? ct_var_set(t->ctx, v->name, &a, &t->e) : ct_fail(&t->e, CT_ELIMIT, "case: out of memory");
    }
    return s;
}

static void mark(ct__trial *t, const ct__op *op) {
    for (int32_t k = 0; t->met && ct__ops[k]; k++)
        if (ct__ops[k] == op) t->met[k] = 1;
}
/* The ops that lead to the roots, those that they became in the plan, and what the passes put in. */
static void mark_ops(ct__trial *t, const ct_t *root, int32_t roots, const ct_plan *p) {
    const ct_graph *g = t->graph;
    uint8_t *reached = ct_arena_array(&t->arena, (uint64_t)g->nodes + 1, 1);
    for (int32_t i = 0; reached && i < roots; i++) reached[root[i].node->id] = 1;
    for (int32_t i = g->nodes - 1; reached && i >= 0; i--) {
        if (!reached[i]) continue;
        mark(t, g->node[i]->op);
        for (int32_t k = 0; k < g->node[i]->n_in; k++)
            if (g->node[i]->in[k].node) reached[g->node[i]->in[k].node->id] = 1;
    }
    for (int32_t i = 0; i < p->graph->nodes; i++) mark(t, p->graph->node[i]->op);
    for (int32_t i = 0; p->instance && i < p->instance->nodes; i++) mark(t, p->instance->node[i]->op);
}

static ct_status feed(ct__trial *t, const ct_plan *p, const void **in) {
    for (int32_t i = 0; i < p->inputs; i++) {
        in[i] = NULL;
        for (int32_t k = 0; k < t->graph->nodes && k < t->interpreter.nodes; k++)
            if (t->graph->node[k]->op == &ct__op_input &&
                strcmp(t->graph->node[k]->name, ct_plan_input_name(p, i)) == 0)
                in[i] = bytes_of(&t->arena, &t->interpreter.source[k]);
        if (!in[i])
            return ct_fail(&t->e, CT_EINTERNAL, "case: input %s has no value", ct_plan_input_name(p, i));
    }
    return CT_OK;
}

ct_status ct__trial_lowered(ct__trial *t, const ct_t *root, int32_t roots, ct_compile o, int64_t batch,
                            void **out) {
    ct_plan *p = NULL;
    ct_session *s = NULL;
    const void *in[CT__CHECK_INPUTS + CT__MAX_IN + CT__MAX_OUT];
    ct_status status = ct_plan_new(root, roots, NULL, 0, o, &p, &t->e);
    if (!status) status = ct_session_new(t->ctx, &s, &t->e);
    if (!status) status = feed(t, p, in);
    for (int32_t i = 0; !status && i < roots; i++) {
        uint64_t n = 0;
        ct_shape shape = ct_shape_of(root[i]);
        ct_shape_count(&shape, batch, &n);
        if (!(out[i] = ct_arena_array(&t->arena, n + 16, 8))) status = CT_ELIMIT;
    }
    if (!status) status = set_variables(t); /* a run in training moved the buffers */
    if (!status) {
        status = ct_run(s, p, in, batch, out);
        if (status) ct_fail(&t->e, status, "%s", ct_session_error(s));
    }
    if (!status) mark_ops(t, root, roots, p);
    ct_session_free(s);
    ct_plan_free(p);
    return status;
}

int ct__trial_agree(ct__trial *t, const char *what, const ct__ref_array *want, const void *have,
                    double tolerance) {
    double scale = ct__trial_scale(want);
    for (uint64_t i = 0, n = ct__trial_count(want); i < n; i++) {
        double x = number_at(have, want->dtype, i), y = want->v[i];
        int same = x == y || (isnan(x) && isnan(y)) || fabs(x - y) <= tolerance * scale;
        char text[300];
        if (same) continue;
        snprintf(text, sizeof text, "%s: element %llu is %.9g; wanted %.9g", what, (unsigned long long)i, x,
                 y);
        return ct__trial_fail(t, text);
    }
    return 1;
}

static int same_bits(ct__trial *t, const char *what, const ct__ref_array *like, const void *a,
                     const void *b) {
    if (memcmp(a, b, ct__trial_count(like) * ct_dtype_size((ct_dtype)like->dtype)) == 0) return 1;
    return ct__trial_fail(t, what);
}

int ct__trial_forms(ct__trial *t, const char *what, const ct_t *root, int32_t roots,
                    const ct__ref_array *want, int32_t train, double tolerance) {
    const struct {
        const char *name;
        ct_compile o;
    } forms[] = {{"whole batch", {.shard = t->batch}},
                 {"shards of 2", {.shard = 2, .one_thread = -1}},
                 {"shards of 1", {.shard = 1, .one_thread = -1}},
                 {"without fusion", {.shard = 2, .no_fuse = 1}},
                 {"without layouts", {.shard = t->batch, .no_layout = 1}},
                 {"without reuse", {.shard = 2, .no_reuse = 1}}};
    void *first[CT__MAX_IN + CT__MAX_OUT] = {0}, *again[CT__MAX_IN + CT__MAX_OUT] = {0};
    char text[160];
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        ct_compile o = forms[f].o;
        o.train = train;
        if (ct__trial_lowered(t, root, roots, o, t->batch, again)) return ct__trial_fail(t, forms[f].name);
        for (int32_t i = 0; i < roots; i++) {
            snprintf(text, sizeof text, "%s, %s, output %d", what, forms[f].name, i + 1);
            if (!ct__trial_agree(t, text, &want[i], again[i], tolerance)) return 0;
        }
        if (f == 1) memcpy(first, again, sizeof first);
        snprintf(text, sizeof text, "%s: memory reuse changed bits", what);
        for (int32_t i = 0; f == 5 && i < roots; i++)
            if (!same_bits(t, text, &want[i], first[i], again[i])) return 0;
    }
    ct_compile one = {.train = train, .shard = 2, .one_thread = 1};
    snprintf(text, sizeof text, "%s: one thread and %d differ in bits", what, t->ctx->threads);
    if (ct__trial_lowered(t, root, roots, one, t->batch, again)) return ct__trial_fail(t, "one thread");
    for (int32_t i = 0; i < roots; i++)
        if (!same_bits(t, text, &want[i], first[i], again[i])) return 0;
    return 1;
}
