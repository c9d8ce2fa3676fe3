/* net_build.c: tree to graph. Names are bound in frames, one of the net and one of each call of a def; net_call.c
 * makes the ops. The work is bounded: at most MAX_CALLS calls and loop turns, so that a small hostile text cannot ask
 * for a huge graph. */
#include <stdio.h>
#include <string.h>

#include "graph/net_build.h"

#define MAX_CALLS 200000

static ct_status run_block(builder *b, frame *f, const ct__stmt *s);

ct_status ct__net_graph_failed(const builder *b, int32_t line, int32_t column) {
    const ct_err *g = &b->graph->error;
    return ct_fail_line(b->e, (ct_status)g->status, b->file, line, column, "%s", g->text);
}

static ct_status bind(builder *b, frame *f, const char *name, const value *v) {
    for (binding *i = f->first; i; i = i->next)
        if (strcmp(i->name, name) == 0) {
            i->value = *v;
            return CT_OK;
        }
    binding *n = ct_arena_new(&b->arena, sizeof *n);
    if (!n) return ct_fail(b->e, CT_ELIMIT, "%s: out of memory", b->file);
    *n = (binding){name, *v, f->first};
    f->first = n;
    return CT_OK;
}

static value integer(int64_t i) { return (value){.kind = NUMBER_INT, .i = i, .f = (double)i}; }

static ct_status lookup(builder *b, const frame *f, const ct__expr *x, value *out) {
    const char *names[128];
    size_t n = 0;
    for (const binding *i = f->first; i; i = i->next) {
        if (strcmp(i->name, x->text) == 0) {
            *out = i->value;
            return CT_OK;
        }
        if (n < 128) names[n++] = i->name;
    }
    for (int32_t i = 0; b->env && i < b->env->n_constants; i++) {
        if (n < 128) names[n++] = b->env->constants[i].name;
        if (strcmp(b->env->constants[i].name, x->text) != 0) continue;
        *out = integer(0);
        if (!ct_parse_integer(b->env->constants[i].value, &out->i))
            return FAIL(b, x, "constant %s is \"%s\"; wanted an integer; give another", x->text,
                        b->env->constants[i].value);
        out->f = (double)out->i;
        return CT_OK;
    }
    if (strcmp(x->text, "N") == 0) return *out = integer(CT_N), CT_OK;
    if (strcmp(x->text, "none") == 0) return *out = (value){.kind = NONE}, CT_OK;
    const char *near = ct_nearest(x->text, names, n);
    return FAIL(b, x, "%s is not defined; wanted %s; assign it above", x->text,
                near ? near : "a name that is");
}

/* "layer{i}": names in braces are replaced by their integer values. */
static ct_status interpolate(builder *b, const frame *f, const ct__expr *x, value *out) {
    ct_text t = {.allocator = &b->graph->ctx->allocator};
    ct_status s = CT_OK;
    for (const char *c = x->text; *c && !s; c++) {
        const char *close = *c == '{' ? strchr(c, '}') : NULL;
        if (!close) {
            ct_text_bytes(&t, c, 1);
            continue;
        }
        char name[64];
        value v;
        snprintf(name, sizeof name, "%.*s", (int)(close - c - 1 < 63 ? close - c - 1 : 63), c + 1);
        ct__expr inner = {.kind = CT__EXPR_NAME, .line = x->line, .column = x->column, .text = name};
        s = lookup(b, f, &inner, &v);
        if (!s && v.kind != NUMBER_INT)
            s = FAIL(b, x, "{%s} is no integer; wanted a name of one; put one in the braces", name);
        if (!s) ct_text_format(&t, "%lld", (long long)v.i);
        c = close;
    }
    if (!s) {
        *out = (value){.kind = TEXT, .text = ct_arena_text(&b->arena, t.data ? t.data : "")};
        if (t.failed || !out->text) s = ct_fail(b->e, CT_ELIMIT, "%s: out of memory", b->file);
    }
    ct_text_free(&t);
    return s;
}

static ct_status arithmetic(builder *b, const ct__expr *x, const value *p, const value *q, value *out) {
    if (p->kind == TENSOR || q->kind == TENSOR)
        return FAIL(b, x, "'%c' with a tensor; wanted numbers; use add(), sub(), mul() or div()", x->op);
    if (p->kind > NUMBER_FLOAT || q->kind > NUMBER_FLOAT)
        return FAIL(b, x, "'%c' with a text; wanted numbers; take the quotes away", x->op);
    if (p->kind == NUMBER_INT && q->kind == NUMBER_INT) {
        int64_t r = 0;
        int bad = 0;
        if (x->op == '+') bad = __builtin_add_overflow(p->i, q->i, &r);
        if (x->op == '-') bad = __builtin_sub_overflow(p->i, q->i, &r);
        if (x->op == '*') bad = __builtin_mul_overflow(p->i, q->i, &r);
        if (x->op == '/') {
            bad = q->i == 0 || (p->i == INT64_MIN && q->i == -1);
            if (!bad) r = p->i / q->i;
        }
        if (bad)
            return FAIL(b, x, "%lld %c %lld has no value; wanted an integer of 64 bits; change it",
                        (long long)p->i, x->op, (long long)q->i);
        *out = integer(r);
        return CT_OK;
    }
    double r = x->op == '+'   ? p->f + q->f
               : x->op == '-' ? p->f - q->f
               : x->op == '*' ? p->f * q->f
                              : p->f / q->f;
    *out = (value){.kind = NUMBER_FLOAT, .f = r};
    return CT_OK;
}

/* ---- defs ---- */

static ct_status call_def(builder *b, frame *f, const ct__expr *x, const ct__stmt *d, value *out) {
    frame inner = {.defs_before = d};
    uint8_t given[16] = {0};
    ct_status s = CT_OK;
    int32_t next = 0;
    for (int32_t i = 0; i < x->args; i++) {
        int32_t k = x->key[i] ? 0 : next++;
        value v;
        while (x->key[i] && k < d->params && strcmp(d->param[k], x->key[i]) != 0) k++;
        if (k >= d->params && x->key[i]) {
            const char *near = ct_nearest(x->key[i], d->param, (size_t)d->params);
            return FAIL(b, x->arg[i], "%s: no parameter %s; wanted %s; see its def in line %d", d->name,
                        x->key[i], near ? near : "one that it has", d->line);
        }
        if (k >= d->params)
            return FAIL(b, x->arg[i], "%s: one argument too many; wanted %d; see its def in line %d", d->name,
                        d->params, d->line);
        if (given[k])
            return FAIL(b, x->arg[i], "%s: %s is given twice; wanted once; leave one out", d->name,
                        d->param[k]);
        given[k] = 1;
        if ((s = ct__net_eval(b, f, x->arg[i], &v)) || (s = bind(b, &inner, d->param[k], &v))) return s;
    }
    for (int32_t k = 0; k < d->params; k++) {
        value v;
        if (given[k]) continue;
        if (!d->preset[k])
            return FAIL(b, x, "%s: %s is not given; wanted a value; see its def in line %d", d->name,
                        d->param[k], d->line);
        if ((s = ct__net_eval(b, &inner, d->preset[k], &v)) || (s = bind(b, &inner, d->param[k], &v)))
            return s;
    }
    for (const ct__stmt *p = b->tree; p; p = p->next) { /* params of the net are seen inside defs */
        if (p->kind != CT__STMT_PARAM) continue;
        for (binding *i = f->first; i; i = i->next)
            if (strcmp(i->name, p->name) == 0 && (s = bind(b, &inner, i->name, &i->value))) return s;
    }
    s = run_block(b, &inner, d->body);
    if (!s && !inner.returned)
        return FAIL(b, x, "%s: ended without a return; wanted a value; end the def with return", d->name);
    *out = inner.last;
    return s;
}

/* A def sees only the defs before it, so there is no recursion. */
static const ct__stmt *find_def(const builder *b, const frame *f, const char *name) {
    const ct__stmt *found = NULL;
    for (const ct__stmt *s = b->tree; s && s != f->defs_before; s = s->next)
        if (s->kind == CT__STMT_DEF && strcmp(s->name, name) == 0) found = s;
    return found;
}

static ct_status eval_call(builder *b, frame *f, const ct__expr *x, value *out) {
    if (++b->calls > MAX_CALLS)
        return ct_fail_line(b->e, CT_ELIMIT, b->file, x->line, x->column,
                            "more than %d calls; wanted a smaller net; see its loops", MAX_CALLS);
    const ct__stmt *d = find_def(b, f, x->text);
    if (d) return call_def(b, f, x, d, out);
    if (strcmp(x->text, "input") == 0) return ct__net_input(b, x, out);
    if (strcmp(x->text, "output") == 0) return ct__net_output(b, f, x, out);
    const ct__op *op = ct__op_find(x->text);
    if (ct__net_may_call(op)) return ct__net_op(b, f, x, op, out);
    return ct__net_no_such_op(b, f, x);
}

ct_status ct__net_eval(builder *b, frame *f, const ct__expr *x, value *out) {
    value p, q;
    ct_status s;
    switch (x->kind) {
        case CT__EXPR_INT:
            return *out = integer(x->i), CT_OK;
        case CT__EXPR_FLOAT:
            return *out = (value){.kind = NUMBER_FLOAT, .f = x->f}, CT_OK;
        case CT__EXPR_STRING:
            return interpolate(b, f, x, out);
        case CT__EXPR_NAME:
            return lookup(b, f, x, out);
        case CT__EXPR_CALL:
            return eval_call(b, f, x, out);
        case CT__EXPR_NEGATE:
            s = ct__net_eval(b, f, x->arg[0], &p);
            if (!s && p.kind > NUMBER_FLOAT) s = FAIL(b, x, "'-' with a tensor; wanted a number; use neg()");
            if (!s)
                *out = p.kind == NUMBER_INT ? integer(p.i == INT64_MIN ? p.i : -p.i)
                                            : (value){.kind = NUMBER_FLOAT, .f = -p.f};
            return s;
        default:
            s = ct__net_eval(b, f, x->arg[0], &p);
            if (!s) s = ct__net_eval(b, f, x->arg[1], &q);
            return s ? s : arithmetic(b, x, &p, &q, out);
    }
}

/* ---- statements ---- */

static ct_status run_param(builder *b, frame *f, const ct__stmt *s) {
    value v;
    for (const binding *i = f->first; i; i = i->next)
        if (strcmp(i->name, s->name) == 0)
            return FAIL(b, s, "param %s: the name is taken; wanted a new one; rename it", s->name);
    ct_status status = ct__net_eval(b, f, s->value, &v);
    for (int32_t i = 0; !status && b->env && i < b->env->n_settings; i++) {
        const ct_setting *set = &b->env->settings[i];
        if (strcmp(set->name, s->name) != 0) continue;
        b->used |= i < 64 ? 1ull << i : 0;
        double number;
        int64_t whole;
        if (v.kind == TEXT)
            v.text = set->value;
        else if (ct_parse_integer(set->value, &whole))
            v = v.kind == NUMBER_FLOAT ? (value){.kind = NUMBER_FLOAT, .f = (double)whole} : integer(whole);
        else if (v.kind == NUMBER_FLOAT && ct_parse_number(set->value, &number))
            v.f = number;
        else
            return ct_fail(b->e, CT_EUSAGE, "--set: %s=%.60s; wanted %s; give one", s->name, set->value,
                           v.kind == NUMBER_INT ? "an integer" : "a number");
    }
    return status ? status : bind(b, f, s->name, &v);
}

static ct_status run_for(builder *b, frame *f, const ct__stmt *s) {
    value from, to;
    ct_status status = ct__net_eval(b, f, s->value, &from);
    if (!status) status = ct__net_eval(b, f, s->to, &to);
    if (!status && (from.kind != NUMBER_INT || to.kind != NUMBER_INT))
        return FAIL(b, s, "for: another type; wanted integers around '..'; write for i in 0..n { ... }");
    for (int64_t i = status ? 0 : from.i; !status && i < to.i; i++) {
        value v = integer(i);
        if (++b->calls > MAX_CALLS)
            return ct_fail_line(b->e, CT_ELIMIT, b->file, s->line, s->column,
                                "more than %d turns; wanted a smaller net; see its loops", MAX_CALLS);
        status = bind(b, f, s->name, &v);
        if (!status) status = run_block(b, f, s->body);
        if (f->returned) break;
    }
    return status;
}

static ct_status run_scope(builder *b, frame *f, const ct__stmt *s) {
    value v;
    ct_status status = ct__net_eval(b, f, s->value, &v);
    if (status) return status;
    ct_scope_push(b->graph, v.text);
    if (b->graph->error.status) return ct__net_graph_failed(b, s->line, s->column);
    status = run_block(b, f, s->body);
    ct_scope_pop(b->graph);
    return status;
}

static ct_status run_stmt(builder *b, frame *f, const ct__stmt *s) {
    value v;
    ct_status status;
    switch (s->kind) {
        case CT__STMT_PARAM:
            return run_param(b, f, s);
        case CT__STMT_FOR:
            return run_for(b, f, s);
        case CT__STMT_SCOPE:
            return run_scope(b, f, s);
        case CT__STMT_DEF:
            return CT_OK;
        case CT__STMT_RETURN:
            if (f->defs_before == NULL)
                return FAIL(
                    b, s, "return outside of a def; wanted it inside; the last name assigned is the output");
            f->returned = 1;
            return ct__net_eval(b, f, s->value, &f->last);
        default:
            status = ct__net_eval(b, f, s->value, &v);
            if (status) return status;
            f->last = v;
            f->has_last = 1;
            return bind(b, f, s->name, &v);
    }
}

static ct_status run_block(builder *b, frame *f, const ct__stmt *s) {
    ct_status status = CT_OK;
    if (b->depth >= CT__NET_DEPTH)
        return ct_fail_line(b->e, CT_ELIMIT, b->file, s ? s->line : 1, s ? s->column : 1,
                            "nested deeper than %d levels; wanted a flatter net; name the inner parts",
                            CT__NET_DEPTH);
    b->depth++;
    for (; s && !status && !f->returned; s = s->next) status = run_stmt(b, f, s);
    b->depth--;
    return status;
}

ct_status ct_net_build(ct_graph *g, const char *text, const char *file, const ct_net_env *env, ct_t *y,
                       ct_err *e) {
    builder b = {.graph = g,
                 .arena = {.allocator = &g->ctx->allocator},
                 .file = file ? file : "net",
                 .env = env,
                 .e = e};
    frame f = {0};
    ct__stmt *tree = NULL;
    ct_status s = ct_graph_status(g, e);
    if (!s) s = ct__net_parse(&b.arena, text, file, &tree, e);
    b.tree = tree;
    if (!s) s = run_block(&b, &f, tree);
    for (int32_t i = 0; !s && env && i < env->n_settings && i < 64; i++)
        if (!(b.used >> i & 1)) { /* the printer's check has the nearest name */
            ct_text none = {.allocator = &g->ctx->allocator};
            s = ct_net_print(text, file, &env->settings[i], 1, &none, e);
            ct_text_free(&none);
        }
    if (!s && (!f.has_last || f.last.kind != TENSOR))
        s = ct_fail_at(e, CT_EUSAGE, b.file, -1,
                       "the last name assigned is no tensor; wanted the net's output; assign it last");
    if (!s) *y = f.last.tensor;
    ct_arena_free(&b.arena);
    return s;
}
