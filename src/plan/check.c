/* check.c: the case runner. One op, one row of data, everything that must hold about it (DESIGN 4).
 *
 * A case is text: declarations of inputs, then one call in the net language,
 *     x=f32[N,3]; t=i64<5>[N]; cross_entropy(x, t)
 * It is built, computed by the planner in several forms (uncut, cut into shards, four threads, without
 * fusion and layouts, from its own printed text) and by the references in double, and differentiated: the
 * gradient graph through the references against central differences with a random cotangent, and through
 * the planner against the references. A row with an error must fail with that text. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plan/interpret.h"
#include "plan/plan.h"

#define MAX_INPUTS 8
#define BATCH 11  /* more shards of 1 than lanes, a ragged one of 2 */
#define STEP 1e-5 /* of central differences */
#define GRAD_TOLERANCE 1e-6
#define SAMPLES 24 /* elements of an array that are differenced */

typedef struct trial { /* one case in one context */
    const ct__case *c;
    const ct__op *op;
    ct_ctx *ctx;
    ct_graph *graph;
    ct_arena arena;
    ct_net_input input[MAX_INPUTS];
    int64_t below[MAX_INPUTS]; /* of integers */
    int32_t inputs, n_wrt;
    const char *call;
    ct_t y;
    ct_t wrt[CT__MAX_IN];
    uint64_t seed;
    ct__interpreter interpreter;
    ct_err e;
} trial;

static int fail(trial *t, const char *what) {
    ct_fail(&t->e, CT_EINTERNAL, "%s: %s: %s", t->op->name, t->c->text, what);
    return 0;
}

/* ---- text of a case ---- */

static const char *skip(const char *s) { return s + strspn(s, " "); }

static int parse_type(trial *t, const char *s, ct_net_input *in, int64_t *below) {
    static const struct {
        const char *name;
        int32_t dtype;
    } types[] = {{"f32", CT_F32}, {"i64", CT_I64}, {"i32", CT_I32}, {"bool", CT_BOOL}};
    size_t n = strcspn(s, "<[");
    in->dtype = 0;
    for (size_t i = 0; i < 4; i++)
        if (strlen(types[i].name) == n && memcmp(types[i].name, s, n) == 0) in->dtype = types[i].dtype;
    s += n;
    *below = 2;
    if (*s == '<') {
        *below = 0;
        for (s++; *s >= '0' && *s <= '9'; s++) *below = *below * 10 + (*s - '0');
        s++;
    }
    if (!in->dtype || *s != '[') return fail(t, "wrong declaration");
    in->shape = ct_shape_make(0, NULL);
    for (s++; *s && *s != ']'; s = *s == ',' ? s + 1 : s) {
        int64_t v = 0;
        if (*s == 'N')
            v = CT_N, s++;
        else
            for (; *s >= '0' && *s <= '9'; s++) v = v * 10 + (*s - '0');
        if (in->shape.rank == CT_MAX_RANK) return fail(t, "too many axes");
        in->shape.dim[in->shape.rank++] = v;
        s = skip(s);
    }
    return 1;
}

static int parse_case(trial *t) {
    char *text = ct_arena_text(&t->arena, t->c->text);
    if (!text) return fail(t, "out of memory");
    for (;;) {
        char *end = strchr(text, ';'), *equal = strchr(text, '='), *paren = strchr(text, '(');
        if (!end || (paren && paren < end)) break;
        if (!equal || equal > end || t->inputs == MAX_INPUTS) return fail(t, "wrong declaration");
        *end = *equal = '\0';
        ct_net_input *in = &t->input[t->inputs];
        in->name = skip(text);
        if (!parse_type(t, skip(equal + 1), in, &t->below[t->inputs])) return 0;
        t->inputs++;
        text = end + 1;
    }
    t->call = skip(text);
    return 1;
}

static ct_status build(trial *t, const char *net, ct_t *y) {
    ct_net_env env = {.inputs = t->input, .n_inputs = t->inputs};
    return ct_net_build(t->graph, net, "case", &env, y, &t->e);
}

static const char *net_text(trial *t) {
    ct_text text = {.allocator = NULL};
    for (int32_t i = 0; i < t->inputs; i++)
        ct_text_format(&text, "%s = input(%s)\n", t->input[i].name, t->input[i].name);
    ct_text_format(&text, "y = %s\n", t->call);
    char *copy = text.data ? ct_arena_text(&t->arena, text.data) : NULL;
    ct_text_free(&text);
    return copy;
}

/* ---- data ---- */

static double draw(const trial *t, ct_random *r, int32_t dtype, int64_t below) {
    if (dtype == CT_BOOL) return (double)ct_random_below(r, 2);
    if (dtype != CT_F32) return (double)ct_random_below(r, (uint64_t)(below > 0 ? below : 1));
    if (t->c->flags & CT__CASE_POSITIVE) return (double)(float)(0.1 + 1.9 * ct_random_uniform(r));
    if (t->c->flags & CT__CASE_UNIT) return (double)(float)(0.05 + 0.9 * ct_random_uniform(r));
    return (double)(float)ct_random_normal(r);
}

static uint64_t count_of(const ct__ref_array *a) {
    uint64_t n = 0;
    ct_shape_count(&a->shape, 1, &n);
    return n;
}

static void fill(const trial *t, ct__ref_array *a, uint64_t stream, int64_t below) {
    ct_random r = ct_random_stream(t->seed, stream);
    for (uint64_t i = 0, n = count_of(a); i < n; i++) a->v[i] = draw(t, &r, a->dtype, below);
}

static int below_of(const trial *t, const char *name) {
    for (int32_t i = 0; i < t->inputs; i++)
        if (strcmp(t->input[i].name, name) == 0) return (int)t->below[i];
    return 2;
}

/* Values for every source node of the graph; variables are set to them as well. */
static int make_sources(trial *t) {
    ct_graph *g = t->graph;
    ct__interpreter *r = &t->interpreter;
    *r = (ct__interpreter){
        .graph = g, .batch = BATCH, .train = 1, .nodes = g->nodes, .seed = t->ctx->options.seed};
    r->source = ct_arena_array(&t->arena, (uint64_t)g->nodes + 1, sizeof *r->source);
    if (!r->source) return fail(t, "out of memory");
    for (int32_t i = 0; i < g->nodes; i++) {
        ct_node *n = g->node[i];
        if (!(n->op->flags & CT__OP_SOURCE) || n->data) continue;
        if (!ct__ref_new(&t->arena, &n->out[0], BATCH, &r->source[i])) return fail(t, "out of memory");
        if (n->var && n->var->kind != CT_PARAM) { /* buffers keep their first values */
            for (uint64_t k = 0; k < n->var->count && n->var->dtype == CT_F32; k++)
                r->source[i].v[k] = (double)((const float *)n->var->data)[k];
            continue;
        }
        fill(t, &r->source[i], ct__name_key(n->name), below_of(t, n->name));
    }
    return 1;
}

/* For lowering: the same values as bytes of the node's type. */
static void *bytes_of(ct_arena *arena, const ct__ref_array *a) {
    uint64_t n = count_of(a);
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

static int set_variables(trial *t) {
    for (int32_t i = 0; i < t->interpreter.nodes; i++) {
        const ct__var *v = t->graph->node[i]->var;
        if (!v || v->dtype != CT_F32) continue;
        void *p = bytes_of(&t->arena, &t->interpreter.source[i]);
        ct_array a = ct_array_view(p, (ct_dtype)v->dtype, v->shape);
        if (!p || ct_var_set(t->ctx, v->name, &a, &t->e)) return fail(t, "setting a parameter failed");
    }
    return 1;
}

/* ---- the planner's side ---- */

static int lowered(trial *t, const ct_t *root, int32_t roots, ct_compile o, int64_t batch, void **out) {
    ct_plan *p = NULL;
    ct_session *s = NULL;
    const void *in[MAX_INPUTS + CT__MAX_OUT + 1] = {0};
    ct_status status = ct_plan_new(root, roots, NULL, 0, o, &p, &t->e);
    if (!status) status = ct_session_new(t->ctx, &s, &t->e);
    for (int32_t i = 0; !status && i < p->inputs; i++) {
        for (int32_t k = 0; k < t->graph->nodes && k < t->interpreter.nodes; k++)
            if (t->graph->node[k]->op == &ct__op_input &&
                strcmp(t->graph->node[k]->name, ct_plan_input_name(p, i)) == 0)
                in[i] = bytes_of(&t->arena, &t->interpreter.source[k]);
        if (!in[i])
            status = ct_fail(&t->e, CT_EINTERNAL, "case: input %s has no value", ct_plan_input_name(p, i));
    }
    for (int32_t i = 0; !status && i < roots; i++) {
        uint64_t n = 0;
        ct_shape shape = ct_shape_of(root[i]);
        ct_shape_count(&shape, batch, &n);
        if (!(out[i] = ct_arena_array(&t->arena, n + 16, 8))) status = CT_ELIMIT;
    }
    if (!status && !set_variables(t)) status = CT_EINTERNAL; /* a run in training moved the buffers */
    if (!status) {
        status = ct_run(s, p, in, batch, out);
        if (status) ct_fail(&t->e, status, "%s", ct_session_error(s));
    }
    ct_session_free(s);
    ct_plan_free(p);
    return status == CT_OK;
}

static double scale_of(const ct__ref_array *a) {
    double scale = 0;
    for (uint64_t i = 0, n = count_of(a); i < n; i++)
        if (isfinite(a->v[i]) && fabs(a->v[i]) > scale) scale = fabs(a->v[i]);
    return scale > 1e-3 ? scale : 1e-3;
}

static int agree(trial *t, const char *what, const ct__ref_array *want, const void *have, double tolerance) {
    double scale = scale_of(want);
    for (uint64_t i = 0, n = count_of(want); i < n; i++) {
        double x = number_at(have, want->dtype, i), y = want->v[i];
        int same = x == y || (isnan(x) && isnan(y)) || fabs(x - y) <= tolerance * scale;
        char text[300];
        if (same) continue;
        snprintf(text, sizeof text, "%s: element %llu is %.9g; wanted %.9g", what, (unsigned long long)i, x,
                 y);
        return fail(t, text);
    }
    return 1;
}

static int same_bits(trial *t, const char *what, const ct__ref_array *like, const void *a, const void *b) {
    if (memcmp(a, b, count_of(like) * ct_dtype_size((ct_dtype)like->dtype)) == 0) return 1;
    return fail(t, what);
}

/* Uncut, cut, four threads, without passes: against the references and each other. */
static int check_forms(trial *t, const char *what, const ct_t *root, int32_t roots, const ct__ref_array *want,
                       int32_t train, double tolerance) {
    static const struct {
        const char *name;
        ct_compile o;
    } forms[] = {{"whole batch", {.shard = BATCH}},
                 {"shards of 2", {.shard = 2, .one_thread = -1}},
                 {"shards of 1", {.shard = 1, .one_thread = -1}},
                 {"without fusion", {.shard = 2, .no_fuse = 1}},
                 {"without layouts", {.shard = BATCH, .no_layout = 1}},
                 {"without reuse", {.shard = 2, .no_reuse = 1}}};
    void *first[CT__MAX_IN + CT__MAX_OUT] = {0}, *again[CT__MAX_IN + CT__MAX_OUT] = {0};
    char text[160];
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        ct_compile o = forms[f].o;
        o.train = train;
        if (!lowered(t, root, roots, o, BATCH, again)) return fail(t, forms[f].name);
        for (int32_t i = 0; i < roots; i++) {
            snprintf(text, sizeof text, "%s, %s, output %d", what, forms[f].name, i + 1);
            if (!agree(t, text, &want[i], again[i], tolerance)) return 0;
        }
        if (f == 1) memcpy(first, again, sizeof first);
        snprintf(text, sizeof text, "%s: memory reuse changed bits", what);
        for (int32_t i = 0; f == 5 && i < roots; i++)
            if (!same_bits(t, text, &want[i], first[i], again[i])) return 0;
    }
    int32_t threads = t->ctx->threads;
    ct_compile one = {.train = train, .shard = 2, .one_thread = 1};
    snprintf(text, sizeof text, "%s: one thread and %d differ in bits", what, threads);
    if (!lowered(t, root, roots, one, BATCH, again)) return fail(t, "one thread");
    for (int32_t i = 0; i < roots; i++)
        if (!same_bits(t, text, &want[i], first[i], again[i])) return 0;
    return 1;
}

/* ---- gradients ---- */

static ct_t dot_with_cotangent(trial *t, const ct_t *y, int32_t n, const char *prefix) {
    ct_t sum = ct__none();
    for (int32_t i = 0; i < n; i++) {
        char name[64];
        if (ct_dtype_of(y[i]) != CT_F32) continue;
        snprintf(name, sizeof name, "%s%d", prefix, i);
        ct_t c = ct_graph_input(t->graph, name, CT_F32, ct_shape_of(y[i]));
        if (!ct_ok(c)) return c;
        ct_t part = ct_sum(ct_mul(y[i], c), ct_shape_make(0, NULL), (ct_reduce){0});
        sum = sum.node ? ct_add(sum, part) : part;
    }
    return sum;
}

static int value_of(trial *t, ct_arena *arena, ct_t loss, double *out) {
    ct__ref_array r;
    if (ct__interpret(&t->interpreter, arena, &loss, 1, &r, &t->e)) return fail(t, "reference failed");
    *out = r.v[0];
    ct_arena_free(arena);
    return 1;
}

/* d loss / d wrt against central differences, on a sample of elements. */
static int check_differences(trial *t, const char *what, ct_t loss, const ct_t *wrt, int32_t n,
                             const ct__ref_array *grad) {
    for (int32_t i = 0; i < n; i++) {
        ct__ref_array *x = &t->interpreter.source[wrt[i].node->id];
        uint64_t count = count_of(x), stride = count / SAMPLES + 1;
        double scale = scale_of(&grad[i]);
        if (scale < 1e-2) scale = 1e-2;
        for (uint64_t k = 0; k < count; k += stride) {
            ct_arena arena = {0};
            double keep = x->v[k], h = STEP * (fabs(keep) > 1 ? fabs(keep) : 1), up, down;
            char text[300];
            x->v[k] = keep + h;
            int ok = value_of(t, &arena, loss, &up);
            x->v[k] = keep - h;
            ok = ok && value_of(t, &arena, loss, &down);
            x->v[k] = keep;
            ct_arena_free(&arena);
            if (!ok) return 0;
            double want = (up - down) / (2 * h);
            if (fabs(grad[i].v[k] - want) <= GRAD_TOLERANCE * (scale + fabs(up) * 1e-3)) continue;
            snprintf(text, sizeof text, "%s by \"%.60s\" element %llu is %.9g; differences say %.9g", what,
                     wrt[i].node->name, (unsigned long long)k, grad[i].v[k], want);
            return fail(t, text);
        }
    }
    return 1;
}

static int extend_sources(trial *t) {
    ct__interpreter old = t->interpreter;
    if (!make_sources(t)) return 0;
    memcpy(t->interpreter.source, old.source, (size_t)old.nodes * sizeof *old.source);
    return 1;
}

static int check_gradient(trial *t, const ct_t *y, int32_t n_out) {
    ct_t grad[CT__MAX_IN], second[CT__MAX_IN];
    ct__ref_array value[CT__MAX_IN];
    ct_t loss = dot_with_cotangent(t, y, n_out, "cotangent");
    if (!loss.node) return 1;
    if (ct_grad(loss, NULL, t->wrt, t->n_wrt, grad)) return fail(t, t->graph->error.text);
    if (!extend_sources(t)) return 0;
    if (ct__interpret(&t->interpreter, &t->arena, grad, t->n_wrt, value, &t->e))
        return fail(t, "reference of the gradient failed");
    if (!check_differences(t, "gradient", loss, t->wrt, t->n_wrt, value)) return 0;
    if (!check_forms(t, "gradient", grad, t->n_wrt, value, 1,
                     t->c->tolerance > 0 ? 4 * t->c->tolerance : 4e-5))
        return 0;
    if (!(t->c->flags & CT__CASE_SECOND)) return 1;
    loss = dot_with_cotangent(t, grad, t->n_wrt, "second");
    if (ct_grad(loss, NULL, t->wrt, t->n_wrt, second)) return fail(t, t->graph->error.text);
    if (!extend_sources(t)) return 0;
    if (ct__interpret(&t->interpreter, &t->arena, second, t->n_wrt, value, &t->e))
        return fail(t, "reference of the second gradient failed");
    if (!check_differences(t, "second gradient", loss, t->wrt, t->n_wrt, value)) return 0;
    return check_forms(t, "second gradient", second, t->n_wrt, value, 1,
                       t->c->tolerance > 0 ? 16 * t->c->tolerance : 2e-4);
}

/* ---- one case ---- */

static int check_text(trial *t, const ct__ref_array *want, double tolerance) {
    ct_text text = {.allocator = NULL};
    ct_graph *old = t->graph, *g = ct_graph_new(t->ctx);
    void *out[1];
    ct_t y;
    int ok = g && !ct_graph_print(t->y, &text);
    if (!ok) fail(t, "printing failed");
    ct__interpreter kept = t->interpreter;
    if (ok) {
        t->graph = g;
        ct_status s = build(t, text.data, &y);
        if (s) ok = fail(t, "its printed text does not build");
        if (ok)
            ok = make_sources(t) && lowered(t, &y, 1, (ct_compile){.train = 1, .shard = BATCH}, BATCH, out) &&
                 agree(t, "from its printed text", want, out[0], tolerance);
    }
    t->graph = old;
    t->interpreter = kept;
    ct_graph_free(g);
    ct_text_free(&text);
    return ok;
}

static void find_wrt(trial *t) {
    const ct_node *n = t->y.node;
    for (int32_t i = 0; i < n->n_in; i++) {
        ct_t x = n->in[i];
        int seen = 0;
        for (int32_t k = 0; k < t->n_wrt; k++) seen |= t->wrt[k].node == x.node;
        if (!x.node || seen || x.node->out[x.out].dtype != CT_F32 || !(x.node->op->flags & CT__OP_SOURCE) ||
            x.node->data)
            continue;
        if (x.node->var && x.node->var->kind != CT_PARAM) continue;
        t->wrt[t->n_wrt++] = x;
    }
}

static int check_error(trial *t, ct_status built) {
    void *out[CT__MAX_OUT];
    char text[600];
    if (!built)
        built = make_sources(t) && lowered(t, &t->y, 1, (ct_compile){.train = 1, .shard = 2}, BATCH, out)
                    ? CT_OK
                    : CT_EUSAGE;
    if (built && strstr(t->e.text, t->c->error)) {
        ct_error_clear(&t->e);
        return 1;
    }
    snprintf(text, sizeof text, "found error \"%.200s\"; wanted \"%.200s\"", t->e.text, t->c->error);
    ct_error_clear(&t->e);
    return fail(t, text);
}

static int check_case(trial *t) {
    ct_t out[CT__MAX_OUT];
    ct__ref_array want[CT__MAX_OUT];
    double tolerance = t->c->tolerance > 0 ? t->c->tolerance : 1e-5;
    if (!parse_case(t)) return 0;
    const char *net = net_text(t);
    ct_status built = net ? build(t, net, &t->y) : CT_ELIMIT;
    if (t->c->error) return check_error(t, built);
    if (built) return fail(t, "does not build");
    find_wrt(t);
    int32_t n = t->y.node->n_out;
    for (int32_t i = 0; i < n; i++) out[i] = ct__output(t->y, i);
    if (!make_sources(t) || !set_variables(t)) return 0;
    for (int32_t train = 1; train >= 0; train--) {
        t->interpreter.train = train;
        if (ct__interpret(&t->interpreter, &t->arena, out, n, want, &t->e))
            return fail(t, "reference failed");
        if (!check_forms(t, train ? "training" : "evaluation", out, n, want, train, tolerance)) return 0;
        if (train && !check_text(t, &want[0], tolerance)) return 0;
    }
    t->interpreter.train = 1;
    if (t->op->nondiff || (t->c->flags & CT__CASE_NO_GRAD) || t->n_wrt == 0) return 1;
    return check_gradient(t, out, n);
}

static ct_status run_case(const ct__op *op, const ct__case *c, uint64_t seed, ct_err *e) {
    trial t = {.c = c, .op = op, .seed = seed};
    ct_options o = {.threads = 4, .seed = seed};
    t.ctx = ct_open(&o);
    t.graph = t.ctx ? t.ctx->graph : NULL;
    if (!t.ctx) return ct_fail(e, CT_ELIMIT, "check: out of memory");
    int ok = check_case(&t);
    if (!ok) ct_fail(e, CT_EINTERNAL, "%s", t.e.status ? t.e.text : "failed without a text");
    if (!ok && !strstr(e->text, c->text)) {
        char text[CT_ERROR_TEXT];
        snprintf(text, sizeof text, "%.800s", t.e.text);
        ct_error_clear(e);
        ct_fail(e, CT_EINTERNAL, "%s: %.160s: %s", op->name, c->text, text);
    }
    ct_arena_free(&t.arena);
    ct_close(t.ctx);
    return ok ? CT_OK : CT_EINTERNAL;
}

ct_status ct_check(const ct_check_options *o, ct_check_result *out, ct_err *e) {
    ct_check_result r = {0};
    for (int32_t i = 0; ct__ops[i]; i++) {
        const ct__op *op = ct__ops[i];
        int32_t cases = 0;
        if (o->op && strcmp(o->op, op->name) != 0) continue;
        for (const ct__case *c = op->cases; c && c->text; c++) {
            ct_err failure = {0};
            ct_status s = run_case(op, c, o->seed + 1, &failure);
            r.cases++;
            cases++;
            r.failed += s != CT_OK;
            if (s && !r.first[0]) snprintf(r.first, sizeof r.first, "%s", failure.text);
            ct_check_row row = {op->name, c->text, s ? failure.text : NULL, cases, 0};
            if (o->report) o->report(o->user, &row);
        }
        r.ops += cases > 0;
        r.without +=
            !cases && !(op->flags & (CT__OP_INTERNAL | CT__OP_SOURCE | CT__OP_ASSIGN)) && !op->update;
    }
    if (o->op && !r.cases) return ct_fail(e, CT_EUSAGE, "check: no op %s with cases; see docs/ops.md", o->op);
    *out = r;
    if (r.failed)
        return ct_fail(e, CT_EINTERNAL, "check: %d of %d cases failed; the first: %s", r.failed, r.cases,
                       r.first);
    if (r.without && !o->op) return ct_fail(e, CT_EINTERNAL, "check: %d ops have no case", r.without);
    return CT_OK;
}
