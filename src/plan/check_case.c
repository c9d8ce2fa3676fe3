/* check_case.c: a case's text becomes a graph, and every source of the graph gets numbers. */
#include <math.h>
#include <string.h>

#include "plan/check.h"

int ct__trial_fail(ct__trial *t, const char *what) {
    ct_fail(&t->e, CT_EINTERNAL, "%s: %s: %s", t->op->name, t->c->text, what);
    return 0;
}

static const char *skip(const char *s) { return s + strspn(s, " "); }

static int64_t digits(const char **s) {
    int64_t v = 0;
    for (; **s >= '0' && **s <= '9'; ++*s) v = v * 10 + (**s - '0');
    return v;
}

/* "f32[N,3]", "i64<5>[N]" */
static int parse_type(ct__trial *t, const char *s, ct_net_input *in, int64_t *below) {
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
        s++;
        *below = digits(&s);
        s++;
    }
    if (!in->dtype || *s != '[') return ct__trial_fail(t, "wrong declaration");
    in->shape = ct_shape_make(0, NULL);
    for (s++; *s && *s != ']'; s = *s == ',' ? s + 1 : s) {
        int64_t v = CT_N;
        if (*s == 'N')
            s++;
        else
            v = digits(&s);
        if (in->shape.rank == CT_MAX_RANK) return ct__trial_fail(t, "too many axes");
        in->shape.dim[in->shape.rank++] = v;
        s = skip(s);
    }
    return 1;
}

int ct__trial_parse(ct__trial *t) {
    char *text = ct_arena_text(&t->arena, t->c->text);
    if (!text) return ct__trial_fail(t, "out of memory");
    t->batch = CT__CHECK_BATCH;
    for (;;) {
        char *end = strchr(text, ';'), *equal = strchr(text, '='), *paren = strchr(text, '(');
        if (!end || (paren && paren < end)) break;
        if (!equal || equal > end || t->inputs == CT__CHECK_INPUTS)
            return ct__trial_fail(t, "wrong declaration");
        *end = *equal = '\0';
        const char *name = skip(text), *type = skip(equal + 1);
        text = end + 1;
        if (strcmp(name, "N") == 0) {
            t->batch = digits(&type);
            continue;
        }
        ct_net_input *in = &t->input[t->inputs];
        in->name = name;
        if (!parse_type(t, type, in, &t->below[t->inputs])) return 0;
        t->inputs++;
    }
    t->call = skip(text);
    return 1;
}

ct_status ct__trial_build(ct__trial *t, const char *net, ct_t *y) {
    ct_net_env env = {.inputs = t->input, .n_inputs = t->inputs};
    return ct_net_build(t->graph, net, "case", &env, y, &t->e);
}

const char *ct__trial_net(ct__trial *t) {
    ct_text text = {.allocator = NULL};
    for (int32_t i = 0; i < t->inputs; i++)
        ct_text_format(&text, "%s = input(%s)\n", t->input[i].name, t->input[i].name);
    ct_text_format(&text, "y = %s\n", t->call);
    char *copy = text.data ? ct_arena_text(&t->arena, text.data) : NULL;
    ct_text_free(&text);
    return copy;
}

/* ---- data ---- */

static double draw(const ct__trial *t, ct_random *r, int32_t dtype, int64_t below) {
    if (dtype == CT_BOOL) return (double)ct_random_below(r, 2);
    if (dtype != CT_F32) return (double)ct_random_below(r, (uint64_t)(below > 0 ? below : 1));
    if (t->c->flags & CT__CASE_POSITIVE) return (double)(float)(0.1 + 1.9 * ct_random_uniform(r));
    if (t->c->flags & CT__CASE_UNIT) return (double)(float)(0.05 + 0.9 * ct_random_uniform(r));
    return (double)(float)ct_random_normal(r);
}

uint64_t ct__trial_count(const ct__ref_array *a) {
    uint64_t n = 0;
    ct_shape_count(&a->shape, 1, &n);
    return n;
}

double ct__trial_scale(const ct__ref_array *a) {
    double scale = 0;
    for (uint64_t i = 0, n = ct__trial_count(a); i < n; i++)
        if (isfinite(a->v[i]) && fabs(a->v[i]) > scale) scale = fabs(a->v[i]);
    return scale > 1e-2 ? scale : 1e-2;
}

static void fill(const ct__trial *t, ct__ref_array *a, uint64_t stream, int64_t below) {
    ct_random r = ct_random_stream(t->seed, stream);
    for (uint64_t i = 0, n = ct__trial_count(a); i < n; i++) a->v[i] = draw(t, &r, a->dtype, below);
}

static int64_t below_of(const ct__trial *t, const char *name) {
    for (int32_t i = 0; i < t->inputs; i++)
        if (strcmp(t->input[i].name, name) == 0) return t->below[i];
    return 2;
}

int ct__trial_sources(ct__trial *t) {
    ct_graph *g = t->graph;
    ct__interpreter *r = &t->interpreter;
    *r = (ct__interpreter){
        .graph = g, .batch = t->batch, .train = t->train, .nodes = g->nodes, .seed = t->ctx->options.seed};
    r->source = ct_arena_array(&t->arena, (uint64_t)g->nodes + 1, sizeof *r->source);
    if (!r->source) return ct__trial_fail(t, "out of memory");
    for (int32_t i = 0; i < g->nodes; i++) {
        ct_node *n = g->node[i];
        if (!(n->op->flags & CT__OP_SOURCE) || n->data) continue;
        if (!ct__ref_new(&t->arena, &n->out[0], t->batch, &r->source[i]))
            return ct__trial_fail(t, "out of memory");
        if (n->var && n->var->kind != CT_PARAM) { /* buffers keep their first values */
            for (uint64_t k = 0; k < n->var->count && n->var->dtype == CT_F32; k++)
                r->source[i].v[k] = (double)((const float *)n->var->data)[k];
            continue;
        }
        fill(t, &r->source[i], ct__name_key(n->name), below_of(t, n->name));
    }
    return 1;
}

int ct__trial_more_sources(ct__trial *t) {
    ct__interpreter old = t->interpreter;
    if (!ct__trial_sources(t)) return 0;
    memcpy(t->interpreter.source, old.source, (size_t)old.nodes * sizeof *old.source);
    return 1;
}
