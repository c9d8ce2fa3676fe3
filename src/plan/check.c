/* check.c: the case runner. Every op, every row of data, everything that must hold about it (DESIGN 4).
 *
 * A case is built, computed by the planner in several forms and by the references in double (check_forms.c), built
 * again from its own printed text, and differentiated (check_grad.c); optimiser steps are run (check_update.c). A row
 * with an error must fail with that text. From the written rows more shapes are derived (check_shapes.c) until an
 * op has SHAPES of them, and after that at random for as long as asked. Ops that only others use have no rows: they
 * count the cases whose plans had them. */
#include <math.h>
#include <string.h>

#include "plan/check.h"

#define SHAPES 20
#define LARGEST 6000 /* elements of a derived case's operand */

/* ---- one case ---- */

static int check_text(ct__trial *t, const ct__ref_array *want, double tolerance) {
    ct_text text = {.allocator = NULL};
    ct_graph *old = t->graph, *g = ct_graph_new(t->ctx);
    void *out[1];
    ct_t y;
    int ok = g && !ct_graph_print(t->y, &text);
    if (!ok) ct__trial_fail(t, "printing failed");
    ct__interpreter kept = t->interpreter;
    if (ok) {
        t->graph = g;
        if (ct__trial_build(t, text.data, &y)) ok = ct__trial_fail(t, "its printed text does not build");
        if (ok)
            ok = ct__trial_sources(t) &&
                 !ct__trial_lowered(t, &y, 1, (ct_compile){.train = 1, .shard = t->batch}, t->batch, out) &&
                 ct__trial_agree(t, "from its printed text", want, out[0], tolerance);
    }
    t->graph = old;
    t->interpreter = kept;
    ct_graph_free(g);
    ct_text_free(&text);
    return ok;
}

/* Everything of f32 that y depends on and that is no constant. */
static int find_wrt(ct__trial *t) {
    const ct_graph *g = t->graph;
    uint8_t *reached = ct_arena_array(&t->arena, (uint64_t)g->nodes + 1, 1);
    if (!reached) return ct__trial_fail(t, "out of memory");
    reached[t->y.node->id] = 1;
    for (int32_t i = g->nodes - 1; i >= 0; i--)
        for (int32_t k = 0; reached[i] && k < g->node[i]->n_in; k++)
            if (g->node[i]->in[k].node) reached[g->node[i]->in[k].node->id] = 1;
    for (int32_t i = 0; i < g->nodes; i++) {
        ct_node *n = g->node[i];
        if (!reached[i] || !(n->op->flags & CT__OP_SOURCE) || n->data || n->out[0].dtype != CT_F32) continue;
        if (n->var && n->var->kind != CT_PARAM) continue;
        if (t->n_wrt == CT__MAX_IN - CT__MAX_OUT) return ct__trial_fail(t, "too many operands");
        t->wrt[t->n_wrt++] = (ct_t){n, 0, 0};
    }
    return 1;
}

static int check_error(ct__trial *t, ct_status built) {
    void *out[CT__MAX_OUT];
    char text[600];
    ct_compile o = {.train = 1, .shard = 2};
    if (!built && !t->op->update && ct__trial_sources(t))
        built = ct__trial_lowered(t, &t->y, 1, o, t->batch, out);
    if (t->e.status && strstr(t->e.text, t->c->error)) {
        ct_error_clear(&t->e);
        return 1;
    }
    snprintf(text, sizeof text, "found error \"%.200s\"; wanted \"%.200s\"", t->e.text, t->c->error);
    ct_error_clear(&t->e);
    return ct__trial_fail(t, text);
}

static int too_large(const ct__trial *t) {
    for (int32_t i = 0; i < t->graph->nodes; i++) {
        uint64_t n;
        if (!ct_shape_count(&t->graph->node[i]->out[0].shape, t->batch, &n) || n > LARGEST) return 1;
    }
    return 0;
}

/* A derived shape that the op refuses, when it is built or when it first runs, is none. */
static int refused(ct__trial *t, ct_status built) {
    void *out[CT__MAX_OUT];
    if (!built && too_large(t)) return 1;
    if (!built && ct__trial_sources(t))
        built = ct__trial_lowered(t, &t->y, 1, (ct_compile){.train = 1, .shard = t->batch}, t->batch, out);
    return built == CT_EUSAGE || built == CT_EDATA;
}

static int modes_differ(const ct__ref_array *a, const ct__ref_array *b, int32_t n) {
    for (int32_t i = 0; i < n; i++)
        if (memcmp(a[i].v, b[i].v, ct__trial_count(&a[i]) * sizeof *a[i].v) != 0) return 1;
    return 0;
}

static int check_values(ct__trial *t) {
    ct_t out[CT__MAX_OUT];
    ct__ref_array want[2][CT__MAX_OUT];
    double tolerance = t->c->tolerance > 0 ? t->c->tolerance : 1e-5;
    int32_t n = t->y.node->n_out;
    if (!find_wrt(t)) return 0;
    for (int32_t i = 0; i < n; i++) out[i] = ct__output(t->y, i);
    for (t->train = 1; t->train >= 0; t->train--) {
        ct__ref_array *w = want[t->train];
        if (!ct__trial_sources(t)) return 0;
        if (ct__interpret(&t->interpreter, &t->arena, out, n, w, &t->e))
            return ct__trial_fail(t, "reference failed");
        if (!ct__trial_forms(t, t->train ? "training" : "evaluation", out, n, w, t->train, tolerance))
            return 0;
        if (t->train && !check_text(t, &w[0], tolerance)) return 0;
    }
    if (t->op->nondiff || (t->c->flags & CT__CASE_NO_GRAD) || t->n_wrt == 0) return 1;
    int modes = 1 + modes_differ(want[0], want[1], n);
    for (t->train = 1; t->train > 1 - modes; t->train--)
        if (!ct__trial_sources(t) || !ct__trial_gradient(t, out, n)) return 0;
    return 1;
}

static int check_case(ct__trial *t) {
    if (t->op->update) {
        int ok = ct__trial_update(t);
        return t->c->error ? check_error(t, CT_OK) : ok;
    }
    if (!ct__trial_parse(t)) return 0;
    const char *net = ct__trial_net(t);
    ct_status built = net ? ct__trial_build(t, net, &t->y) : CT_ELIMIT;
    if (t->c->error) return check_error(t, built);
    if (t->derived && refused(t, built)) {
        t->refused = 1;
        return 1;
    }
    return built ? ct__trial_fail(t, "does not build") : check_values(t);
}

/* ---- one op ---- */

typedef struct tour { /* the whole check */
    const ct_check_options *o;
    ct_check_result r;
    uint8_t *met;       /* [ops] of one case */
    int32_t *through;   /* [ops]: cases whose plans had the op */
    int32_t ops, cases; /* cases: of the op at hand */
} tour;

/* 1: the case counts; 0: a derived one that was refused. */
static int run_case(tour *w, const ct__op *op, const ct__case *c, int derived) {
    ct__trial t = {.c = c, .op = op, .seed = w->o->seed + 1, .met = w->met, .derived = derived, .train = 1};
    ct_options o = {.threads = 4, .seed = t.seed};
    char failure[CT_ERROR_TEXT] = "";
    memset(w->met, 0, (size_t)w->ops);
    t.ctx = ct_open(&o);
    t.graph = t.ctx ? t.ctx->graph : NULL;
    int ok = t.ctx && check_case(&t);
    if (!ok && strstr(t.e.text, c->text))
        snprintf(failure, sizeof failure, "%s", t.e.text);
    else if (!ok)
        snprintf(failure, sizeof failure, "%s: %.160s: %.700s", op->name, c->text,
                 t.e.status ? t.e.text : "out of memory");
    ct_arena_free(&t.arena);
    ct_close(t.ctx);
    if (ok && t.refused) return 0;
    for (int32_t i = 0; i < w->ops; i++) w->through[i] += w->met[i];
    w->r.cases++;
    w->cases++;
    w->r.failed += !ok;
    if (!ok && !w->r.first[0]) snprintf(w->r.first, sizeof w->r.first, "%s", failure);
    ct_check_row row = {op->name, c->text, ok ? NULL : failure, w->cases, 0};
    if (w->o->report) w->o->report(w->o->user, &row);
    return 1;
}

static int run_derived(tour *w, const ct__op *op, const ct__case *from, const char *text) {
    ct__case c = *from;
    if (!text || !text[0]) return 0;
    c.text = text;
    c.tolerance = 32 * (c.tolerance > 0 ? c.tolerance : 1e-5); /* the norm of two numbers cancels in f32 */
    if (strlen(text) > strlen(from->text) + 3) c.flags &= ~CT__CASE_SECOND; /* larger: first derivatives do */
    return run_case(w, op, &c, 1);
}

/* All single changes of the first row, then of the others until there are enough. */
static void more_shapes(tour *w, const ct__op *op, ct__shapes *s, int32_t shapes) {
    int first = 1;
    for (const ct__case *c = op->cases; c && c->text && !op->update; c++) {
        if (c->error) continue;
        for (int32_t k = 0; first || shapes < SHAPES; k++) {
            const char *text = ct__shapes_next(s, c, k);
            if (!text) break;
            shapes += run_derived(w, op, c, text);
        }
        first = 0;
    }
}

static void check_op(tour *w, const ct__op *op) {
    ct_arena arena = {0};
    ct__shapes *s = ct_arena_new(&arena, sizeof *s);
    int32_t shapes = 0;
    w->cases = 0;
    for (const ct__case *c = op->cases; c && c->text; c++) {
        shapes += run_case(w, op, c, 0) && !c->error;
        if (s) s->seen[s->count++] = ct_hash64(c->text, strlen(c->text), 0);
    }
    if (s && !w->o->written_only) {
        s->arena = &arena;
        s->op = op;
        more_shapes(w, op, s, shapes);
    }
    w->r.ops += w->cases > 0;
    ct_arena_free(&arena);
}

/* ---- at random ---- */

static const ct__case *any_case(const ct__op *op, ct_random *r) {
    uint64_t n = 0;
    while (op->cases && op->cases[n].text) n++;
    const ct__case *c = n ? &op->cases[ct_random_below(r, n)] : NULL;
    return c && !c->error ? c : NULL;
}

static void draw_shapes(tour *w) {
    ct_random r = ct_random_stream(w->o->seed, 4);
    for (int64_t i = 0; i < w->o->draws; i++) {
        ct_arena arena = {0};
        ct__shapes *s = ct_arena_new(&arena, sizeof *s);
        const ct__op *op = ct__ops[ct_random_below(&r, (uint64_t)w->ops)];
        const ct__case *c = op->update || (w->o->op && strcmp(w->o->op, op->name)) ? NULL : any_case(op, &r);
        if (s && c) {
            s->arena = &arena;
            run_derived(w, op, c, ct__shapes_draw(s, c, &r));
        }
        ct_arena_free(&arena);
    }
}

/* ---- all ---- */

/* An op that only others use: some case must have had it. A user's own op has no reference to be held against. */
static void count_internal(tour *w, int32_t i) {
    const ct__op *op = ct__ops[i];
    if ((op->cases && op->cases->text) || (op->flags & CT__OP_SOURCE) || !op->ref || op->tested) return;
    char failure[200] = "";
    if (!w->through[i]) {
        snprintf(failure, sizeof failure, "%s: has no case, and no other op's case leads to it", op->name);
        w->r.without++;
        if (!w->r.first[0]) snprintf(w->r.first, sizeof w->r.first, "%s", failure);
    }
    ct_check_row row = {op->name, "cases of other ops", failure[0] ? failure : NULL, w->through[i], 1};
    if (w->o->report) w->o->report(w->o->user, &row);
}

/* No such op: those that begin with the word, "conv" with conv1d and conv2d; else the nearest one. */
static ct_status unknown_op(const tour *w, ct_err *e) {
    const char *names[512], *near;
    char text[300] = "";
    size_t n = 0, length = 0;
    for (int32_t i = 0; i < w->ops && n < 512; i++)
        if (!(ct__ops[i]->flags & CT__OP_INTERNAL) && ct__ops[i]->cases && ct__ops[i]->cases->text)
            names[n++] = ct__ops[i]->name;
    for (size_t i = 0; i < n && w->o->op[0]; i++)
        if (strncmp(names[i], w->o->op, strlen(w->o->op)) == 0 && length < 240)
            length += (size_t)snprintf(text + length, sizeof text - length, "%s%.50s", length ? ", " : "",
                                       names[i]);
    near = length ? text : ct_nearest(w->o->op, names, n);
    return ct_fail(e, CT_EUSAGE, "check: no op \"%.60s\" with cases; wanted %s; docs/ops.md lists all",
                   w->o->op, near ? near : "an op's name");
}

static ct_status finish(const tour *w, ct_check_result *out, ct_err *e) {
    const ct_check_result *r = &w->r;
    if (w->o->op && r->cases == 0) return unknown_op(w, e);
    *out = *r;
    if (r->failed)
        return ct_fail(e, CT_EINTERNAL, "check: %d of %d cases failed; the first: %s", r->failed, r->cases,
                       r->first);
    if (r->without)
        return ct_fail(e, CT_EINTERNAL, "check: %d ops have no case; the first: %s", r->without, r->first);
    return CT_OK;
}

static ct_status open_tour(tour *w, const ct_check_options *o, ct_arena *arena, ct_err *e) {
    *w = (tour){.o = o};
    while (ct__ops[w->ops]) w->ops++;
    w->met = ct_arena_array(arena, (uint64_t)w->ops, sizeof *w->met);
    w->through = ct_arena_array(arena, (uint64_t)w->ops, sizeof *w->through);
    if (w->met && w->through) return CT_OK;
    ct_arena_free(arena);
    return ct_fail(e, CT_ELIMIT, "check: out of memory");
}

ct_status ct_check(const ct_check_options *o, ct_check_result *out, ct_err *e) {
    ct_arena arena = {0};
    tour w;
    ct_status s = open_tour(&w, o, &arena, e);
    if (s) return s;
    for (int32_t i = 0; i < w.ops; i++)
        if (!o->op || strcmp(o->op, ct__ops[i]->name) == 0) check_op(&w, ct__ops[i]);
    if (o->draws > 0) draw_shapes(&w);
    for (int32_t i = 0; i < w.ops && !o->op; i++) count_internal(&w, i);
    ct_arena_free(&arena);
    return finish(&w, out, e);
}

ct_status ct__check_record(const ct__op *op, const ct_check_options *o, ct_check_result *out, ct_err *e) {
    ct_arena arena = {0};
    tour w;
    ct_status s = open_tour(&w, o, &arena, e);
    if (s) return s;
    check_op(&w, op);
    ct_arena_free(&arena);
    return finish(&w, out, e);
}
