/* check_update.c: optimiser steps. A case is a shape and settings,
 *     [3,17] weight_decay=0.1 decoupled=1 step=1000
 * the settings being the op's attributes, or step (completed before), lr, scale. The parameter and its moments
 * take STEPS steps with a gradient that is summed over a sharded batch, in several cuts; each step must be the
 * reference's from the same numbers, and one thread and four must give the same bits. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plan/check.h"

#define STEPS 5
#define TOLERANCE 2e-6

typedef struct setup {
    ct_shape shape;
    ct__value attr[CT__MAX_ATTRS];
    uint8_t given[CT__MAX_ATTRS];
    double lr, scale;
    uint64_t step;
} setup;

static int set_one(ct__trial *t, setup *u, const char *key, double value) {
    const ct__attr *a = t->op->attrs;
    if (strcmp(key, "step") == 0) return u->step = (uint64_t)value, 1;
    if (strcmp(key, "lr") == 0) return u->lr = value, 1;
    if (strcmp(key, "scale") == 0) return u->scale = value, 1;
    for (int32_t i = 0; a && a[i].name; i++) {
        if (strcmp(a[i].name, key) != 0) continue;
        u->given[i] = 1;
        if (a[i].type == CT__INT)
            u->attr[i].i = (int64_t)value;
        else
            u->attr[i].f = value;
        return 1;
    }
    return ct__trial_fail(t, "no such setting");
}

static int parse(ct__trial *t, setup *u) {
    const char *s = t->c->text;
    *u = (setup){.lr = 0.01, .scale = 1};
    for (s += *s == '['; *s && *s != ']'; s += *s == ',') {
        char *end;
        u->shape.dim[u->shape.rank++] = strtoll(s, &end, 10);
        if (end == s || u->shape.rank > 4) return ct__trial_fail(t, "wrong shape");
        s = end;
    }
    for (s += *s == ']'; *s; s += strcspn(s, " ")) {
        char key[32], number[32];
        double value;
        s += strspn(s, " ");
        if (sscanf(s, "%31[a-z0-9_]=%31s", key, number) != 2 || !ct_parse_number(number, &value))
            return ct__trial_fail(t, "wrong setting");
        if (!set_one(t, u, key, value)) return 0;
    }
    return 1;
}

typedef struct optimiser { /* the nodes */
    ct_t var[CT__MAX_OUT]; /* parameter, moments */
    ct_t node, g;
    int32_t vars;
} optimiser;

static int build(ct__trial *t, const setup *u, optimiser *o) {
    const ct__update *update = t->op->update;
    ct_t in[2 + CT__MAX_OUT + 2];
    int32_t n = 2;
    ct_shape rows = {{CT_N}, u->shape.rank + 1, 0};
    for (int32_t i = 0; i < u->shape.rank; i++) rows.dim[i + 1] = u->shape.dim[i];
    o->vars = 1 + update->moments;
    for (int32_t i = 0; i < o->vars; i++) {
        char name[16];
        snprintf(name, sizeof name, "v%d", i);
        o->var[i] = ct_var_new(t->graph, i ? CT_MOMENT : CT_PARAM, name, CT_F32, u->shape,
                               (ct_init){.kind = i ? CT_INIT_ZEROS : CT_INIT_NORMAL, .b = 1});
    }
    o->g = ct_graph_input(t->graph, "g", CT_F32, rows);
    in[0] = o->var[0];
    in[1] = update->scalars ? ct_sum(o->g, CT_SHAPE(0), (ct_reduce){0}) : o->var[0];
    for (int32_t i = 1; i < o->vars; i++) in[n++] = o->var[i];
    if (update->scalars) {
        in[n++] = ct_scalar(t->graph, "lr", u->lr);
        in[n++] = ct_number(t->graph, u->scale);
    }
    ct__value attr[CT__MAX_ATTRS];
    memcpy(attr, u->attr, sizeof attr);
    if (ct__attrs_complete(t->op, NULL, attr, u->given, &t->e)) return 0;
    o->node = ct__make(t->op, in, n, attr);
    return ct_ok(o->node) ? 1 : ct__trial_fail(t, t->graph->error.text);
}

/* ---- one cut of the batch ---- */

typedef struct state { /* parameter and moments of a run, f32 */
    float *v[CT__MAX_OUT];
    uint64_t count;
} state;

static int read_state(ct__trial *t, const optimiser *o, state *s) {
    for (int32_t i = 0; i < o->vars; i++) {
        const ct__var *v = o->var[i].node->var;
        ct_array a = ct_array_view(s->v[i], CT_F32, v->shape);
        if (ct_var_get(t->ctx, v->name, &a, &t->e)) return ct__trial_fail(t, "reading a variable failed");
    }
    return 1;
}

static int new_state(ct__trial *t, const optimiser *o, state *s) {
    ct_shape_count(&o->var[0].node->var->shape, 1, &s->count);
    for (int32_t i = 0; i < o->vars; i++)
        if (!(s->v[i] = ct_arena_array(&t->arena, s->count + 16, sizeof(float))))
            return ct__trial_fail(t, "out of memory");
    return 1;
}

/* What the reference makes of the numbers before the step and the summed gradient, which is multiplied by `nudge`. */
static int reference(ct__trial *t, const setup *u, const optimiser *o, const state *before, const float *g,
                     double nudge, uint64_t step, ct__ref_array out[CT__MAX_OUT]) {
    ct__interpreter *r = &t->interpreter;
    ct_t root[CT__MAX_OUT];
    if (!ct__trial_sources(t)) return 0;
    for (int32_t i = 0; i < o->vars; i++) {
        root[i] = ct__output(o->node, i);
        for (uint64_t k = 0; k < before->count; k++)
            r->source[o->var[i].node->id].v[k] = (double)before->v[i][k];
    }
    for (uint64_t k = 0; k < before->count * (uint64_t)t->batch; k++)
        r->source[o->g.node->id].v[k] = (double)g[k] * nudge;
    for (int32_t i = 0; i < t->graph->nodes; i++)
        if (t->graph->node[i]->op == &ct__op_scalar) r->source[i].v[0] = (double)(float)u->lr;
    r->step = step;
    if (ct__interpret(r, &t->arena, root, o->vars, out, &t->e)) return ct__trial_fail(t, "reference failed");
    return 1;
}

/* The same; but where a step has a kink (Lion's sign of a sum that may cancel), either side of it will do: each element
 * is that of three references, of gradients next to each other, which is nearest to what came. */
static int nearest_reference(ct__trial *t, const setup *u, const optimiser *o, const state *before,
                             const state *after, const float *g, uint64_t step,
                             ct__ref_array out[CT__MAX_OUT]) {
    static const double nudges[] = {1 - 4e-7, 1 + 4e-7};
    if (!reference(t, u, o, before, g, 1, step, out)) return 0;
    for (int side = 0; side < 2; side++) {
        ct__ref_array other[CT__MAX_OUT];
        if (!reference(t, u, o, before, g, nudges[side], step, other)) return 0;
        for (int32_t i = 0; i < o->vars; i++)
            for (uint64_t k = 0; k < before->count; k++)
                if (fabs(other[i].v[k] - (double)after->v[i][k]) < fabs(out[i].v[k] - (double)after->v[i][k]))
                    out[i].v[k] = other[i].v[k];
    }
    return 1;
}

static int one_step(ct__trial *t, const setup *u, const optimiser *o, ct_plan *p, ct_session *s,
                    ct_random *r) {
    state before = {{0}, 0}, after = {{0}, 0};
    ct__ref_array want[CT__MAX_OUT];
    if (!new_state(t, o, &before) || !new_state(t, o, &after) || !read_state(t, o, &before)) return 0;
    uint64_t n = before.count * (uint64_t)t->batch, step = ct_session_step_of(s);
    float *g = ct_arena_array(&t->arena, n + 1, sizeof *g);
    if (!g) return ct__trial_fail(t, "out of memory");
    for (uint64_t i = 0; i < n; i++) /* some elements have no gradient; sums over the batch are exact */
        g[i] = i % before.count % 5 == 3 ? 0 : (float)floor(ct_random_normal(r) * 300) / 1024;
    const void *in[1] = {g};
    if (ct_run(s, p, in, t->batch, NULL)) return ct__trial_fail(t, ct_session_error(s));
    if (!read_state(t, o, &after) || !nearest_reference(t, u, o, &before, &after, g, step, want)) return 0;
    for (int32_t i = 0; i < o->vars; i++) {
        char what[60];
        snprintf(what, sizeof what, "step %llu, variable %d", (unsigned long long)step + 1, i);
        if (!ct__trial_agree(t, what, &want[i], after.v[i], TOLERANCE)) return 0;
    }
    return 1;
}

static int run_cut(ct__trial *t, const setup *u, const optimiser *o, ct_compile options, state *end) {
    ct_plan *p = NULL;
    ct_session *s = NULL;
    ct_random r = ct_random_stream(t->seed, 77);
    ct_var_init_all(t->ctx, t->seed);
    int ok = !ct_plan_new(NULL, 0, &o->node, 1, options, &p, &t->e) && !ct_session_new(t->ctx, &s, &t->e);
    if (ok) ct_session_step(s, u->step);
    if (ok)
        for (int32_t k = 0; ct__ops[k]; k++)
            if (t->met && ct__ops[k] == t->op) t->met[k] = 1;
    for (int i = 0; i < STEPS && ok; i++) ok = one_step(t, u, o, p, s, &r);
    ok = ok && new_state(t, o, end) && read_state(t, o, end);
    ct_session_free(s);
    ct_plan_free(p);
    return ok;
}

int ct__trial_update(ct__trial *t) {
    static const ct_compile cuts[] = {{.train = 1, .shard = CT__CHECK_BATCH},
                                      {.train = 1, .shard = 2},
                                      {.train = 1, .shard = 2, .one_thread = 1}};
    setup u;
    optimiser o = {.vars = 0};
    state end[3] = {{{0}, 0}};
    t->batch = CT__CHECK_BATCH;
    if (!parse(t, &u) || !build(t, &u, &o)) return 0;
    for (int i = 0; i < 3; i++)
        if (!run_cut(t, &u, &o, cuts[i], &end[i])) return 0;
    for (int32_t i = 0; i < o.vars; i++)
        if (memcmp(end[1].v[i], end[2].v[i], end[1].count * sizeof(float)) != 0)
            return ct__trial_fail(t, "one thread and four differ in bits");
    return 1;
}
