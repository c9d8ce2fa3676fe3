/* net_call.c: calls in a net. An op call goes through the op's own attribute table: arguments are sorted by what they
 * are into tensors, the layer's name and attributes, so whatever a C builder accepts the text accepts, and nothing
 * else. */
#include <stdio.h>
#include <string.h>

#include "graph/net_build.h"

typedef struct call { /* arguments sorted by what they are */
    ct_t in[CT__MAX_IN];
    int32_t n_in;
    const char *name;
    ct__value attr[CT__MAX_ATTRS];
    uint8_t given[CT__MAX_ATTRS];
    ct__ints list;
} call;

static int32_t choice_index(const char *choices, const char *word) {
    size_t length = strlen(word);
    for (int32_t n = 0;; n++) {
        const char *end = strchr(choices, '|');
        size_t here = end ? (size_t)(end - choices) : strlen(choices);
        if (here == length && memcmp(choices, word, here) == 0) return n;
        if (!end) return -1;
        choices = end + 1;
    }
}

static ct_status set_attr(builder *b, const ct__expr *x, const ct__op *op, call *c, int32_t i,
                          const value *v) {
    const ct__attr *a = &op->attrs[i];
    if (a->type != CT__LIST && c->given[i])
        return FAIL(b, x, "%s: %s is given twice; wanted once; leave one out", op->name, a->name);
    c->given[i] = 1;
    if (a->type == CT__FLOAT && v->kind <= NUMBER_FLOAT) return c->attr[i].f = v->f, CT_OK;
    if (a->type == CT__INT && v->kind == NUMBER_INT) return c->attr[i].i = v->i, CT_OK;
    if (a->type == CT__TEXT && v->kind == TEXT) return c->attr[i].s = v->text, CT_OK;
    if (a->type == CT__CHOICE && v->kind == TEXT) {
        int32_t k = choice_index(a->choices, v->text);
        if (k < 0)
            return FAIL(b, x, "%s: %s is \"%.60s\"; wanted one of %s; choose one", op->name, a->name, v->text,
                        a->choices);
        return c->attr[i].i = k, CT_OK;
    }
    if (a->type == CT__LIST && v->kind == NUMBER_INT && c->list.count < 16) {
        c->list.v[c->list.count++] = v->i;
        c->attr[i].list = &c->list;
        return CT_OK;
    }
    static const char *const kinds[] = {"an integer", "a number", "a string", "a tensor", "none"};
    static const char *const wanted[] = {"",         "an integer", "a number",
                                         "a string", "a string",   "at most 16 integers"};
    return FAIL(b, x, "%s: %s is %s; wanted %s; change it", op->name, a->name, kinds[v->kind],
                wanted[a->type]);
}

static ct_status set_key(builder *b, const ct__expr *x, const ct__op *op, call *c, const char *key,
                         const value *v) {
    const char *names[CT__MAX_ATTRS];
    int32_t n = ct__attrs_count(op);
    for (int32_t i = 0; i < n; i++) {
        names[i] = op->attrs[i].name;
        if (strcmp(names[i], key) == 0) return set_attr(b, x, op, c, i, v);
    }
    const char *near = ct_nearest(key, names, (size_t)n);
    char all[300] = "";
    for (int32_t i = 0; i < n && !near; i++)
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i ? ", " : "", names[i]);
    return FAIL(b, x, "%s: no attribute %s; wanted %s; see docs/ops.md", op->name, key,
                near ? near
                : n  ? all
                     : "none");
}

static int32_t next_positional(const ct__op *op, const call *c) {
    for (int32_t i = 0; op->attrs && op->attrs[i].name; i++)
        if (op->attrs[i].offset == CT__POSITIONAL && (op->attrs[i].type == CT__LIST || !c->given[i]))
            return i;
    return -1;
}

static ct_status take_argument(builder *b, const ct__expr *x, const ct__op *op, call *c, const value *v) {
    if (v->kind == TENSOR || v->kind == NONE) {
        if (c->n_in == CT__MAX_IN || c->n_in >= op->inputs_max)
            return FAIL(b, x, "%s: one tensor more; wanted at most %d; take it out", op->name,
                        op->inputs_max);
        c->in[c->n_in++] = v->kind == TENSOR ? v->tensor : ct__none();
        return CT_OK;
    }
    if (v->kind == TEXT && op->layer && !c->name) return c->name = v->text, CT_OK;
    int32_t i = next_positional(op, c);
    if (i < 0) return FAIL(b, x, "%s: one argument too many; wanted key=value; see docs/ops.md", op->name);
    return set_attr(b, x, op, c, i, v);
}

ct_status ct__net_op(builder *b, frame *f, const ct__expr *x, const ct__op *op, value *out) {
    call c = {0};
    for (int32_t i = 0; i < x->args; i++) {
        value v;
        ct_status s = ct__net_eval(b, f, x->arg[i], &v);
        if (!s)
            s = x->key[i] ? set_key(b, x->arg[i], op, &c, x->key[i], &v)
                          : take_argument(b, x->arg[i], op, &c, &v);
        if (s) return s;
    }
    if (c.n_in < op->inputs_min)
        return FAIL(b, x, "%s: %d tensors; wanted %d; see docs/ops.md", op->name, c.n_in, op->inputs_min);
    if (op->layer && !c.name)
        return FAIL(b, x, "%s: no name; wanted a string after the tensors; write \"fc1\", for one", op->name);
    ct_err inner = {0};
    if (ct__attrs_complete(op, c.name, c.attr, c.given, &inner)) return FAIL(b, x, "%s", inner.text);
    ct__call made = {.op = op, .name = op->layer ? c.name : NULL, .in = c.in, .n_in = c.n_in, .attr = c.attr};
    ct_t y = ct__build_in(b->graph, &made);
    if (b->graph->error.status) return ct__net_graph_failed(b, x->line, x->column);
    *out = (value){.kind = TENSOR, .tensor = y};
    return CT_OK;
}

ct_status ct__net_input(builder *b, const ct__expr *x, value *out) {
    if (x->args != 1 || x->key[0] || x->arg[0]->kind != CT__EXPR_NAME)
        return FAIL(b, x,
                    "input: another argument; wanted the name of one input; write input(image), for one");
    const char *name = x->arg[0]->text, *names[32] = {0};
    ct_graph *g = b->graph;
    for (int32_t i = 0; i < g->nodes; i++)
        if (g->node[i]->op == &ct__op_input && strcmp(g->node[i]->name, name) == 0)
            return *out = (value){.kind = TENSOR, .tensor = {g->node[i], 0, 0}}, CT_OK;
    size_t n = 0;
    for (int32_t i = 0; b->env && i < b->env->n_inputs; i++) {
        const ct_net_input *in = &b->env->inputs[i];
        if (strcmp(in->name, name) == 0) {
            *out = (value){.kind = TENSOR, .tensor = ct_graph_input(g, name, (ct_dtype)in->dtype, in->shape)};
            return g->error.status ? ct__net_graph_failed(b, x->line, x->column) : CT_OK;
        }
        if (n < 32) names[n++] = in->name;
    }
    const char *near = ct_nearest(name, names, n);
    if (!near && n) near = names[0];
    return FAIL(b, x, "input: the task gives no %s; wanted %s; change the name", name,
                near ? near : "no input");
}

/* output(x, k): another output of x's op. */
ct_status ct__net_output(builder *b, frame *f, const ct__expr *x, value *out) {
    value t, k;
    if (x->args != 2)
        return FAIL(b, x, "output: %d arguments; wanted a tensor and a number; write output(x, 1)", x->args);
    ct_status s = ct__net_eval(b, f, x->arg[0], &t);
    if (!s) s = ct__net_eval(b, f, x->arg[1], &k);
    if (s) return s;
    if (t.kind != TENSOR || k.kind != NUMBER_INT || k.i < 0 || k.i >= t.tensor.node->n_out)
        return FAIL(b, x,
                    "output: another argument; wanted a tensor and the number of one of its outputs; see "
                    "docs/ops.md");
    *out = (value){.kind = TENSOR, .tensor = ct__output(t.tensor, (int32_t)k.i)};
    return CT_OK;
}

/* What a net may call: no sources, assignments, updates and helpers of other ops. */
int ct__net_may_call(const ct__op *op) {
    return op && !(op->flags & (CT__OP_INTERNAL | CT__OP_SOURCE | CT__OP_ASSIGN)) && !op->update;
}

ct_status ct__net_no_such_op(builder *b, const frame *f, const ct__expr *x) {
    const char *names[512] = {"input", "output"};
    size_t n = 2;
    for (int32_t i = 0; ct__ops[i] && n < 512; i++)
        if (ct__net_may_call(ct__ops[i])) names[n++] = ct__ops[i]->name;
    for (const ct__stmt *s = b->tree; s && s != f->defs_before && n < 512; s = s->next)
        if (s->kind == CT__STMT_DEF) names[n++] = s->name;
    const char *near = ct_nearest(x->text, names, n);
    return FAIL(b, x, "no op %s and no def above; wanted %s; see docs/ops.md", x->text,
                near ? near : "one of them");
}
