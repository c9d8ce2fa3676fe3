/* net_print.c: tree to text, in the one canonical form; and settings written into a net's params. */
#include <string.h>

#include "graph/net.h"

static int level_of(const ct__expr *x) {
    if (x->kind == CT__EXPR_BINARY) return x->op == '+' || x->op == '-' ? 1 : 2;
    return x->kind == CT__EXPR_NEGATE ? 3 : 4;
}

static void write_expr(ct_text *t, const ct__expr *x, int least);

static void write_string(ct_text *t, const char *s) {
    ct_text_add(t, "\"");
    for (; *s; s++) {
        if (*s == '"' || *s == '\\') ct_text_add(t, "\\");
        ct_text_bytes(t, s, 1);
    }
    ct_text_add(t, "\"");
}

static void write_call(ct_text *t, const ct__expr *x) {
    ct_text_format(t, "%s(", x->text);
    for (int32_t i = 0; i < x->args; i++) {
        if (i) ct_text_add(t, ", ");
        if (x->key[i]) ct_text_format(t, "%s=", x->key[i]);
        write_expr(t, x->arg[i], 0);
    }
    ct_text_add(t, ")");
}

/* The literal as it was written: a real stays a real. */
static void write_expr(ct_text *t, const ct__expr *x, int least) {
    int level = level_of(x);
    if (level < least) ct_text_add(t, "(");
    switch (x->kind) {
        case CT__EXPR_STRING:
            write_string(t, x->text);
            break;
        case CT__EXPR_CALL:
            write_call(t, x);
            break;
        case CT__EXPR_NEGATE:
            ct_text_add(t, "-");
            write_expr(t, x->arg[0], 3);
            break;
        case CT__EXPR_BINARY:
            write_expr(t, x->arg[0], level);
            ct_text_format(t, " %c ", x->op);
            write_expr(t, x->arg[1], level + 1);
            break;
        default:
            ct_text_add(t, x->text);
            break;
    }
    if (level < least) ct_text_add(t, ")");
}

static void write_head(ct_text *t, const ct__stmt *s) {
    switch (s->kind) {
        case CT__STMT_PARAM:
            ct_text_format(t, "param %s = ", s->name);
            break;
        case CT__STMT_ASSIGN:
            ct_text_format(t, "%s = ", s->name);
            break;
        case CT__STMT_RETURN:
            ct_text_add(t, "return ");
            break;
        case CT__STMT_SCOPE:
            ct_text_add(t, "scope ");
            break;
        case CT__STMT_FOR:
            ct_text_format(t, "for %s in ", s->name);
            break;
        default:
            ct_text_format(t, "def %s(", s->name);
            break;
    }
    for (int32_t i = 0; i < s->params; i++) {
        ct_text_format(t, "%s%s", i ? ", " : "", s->param[i]);
        if (!s->preset[i]) continue;
        ct_text_add(t, "=");
        write_expr(t, s->preset[i], 0);
    }
    if (s->kind == CT__STMT_DEF) ct_text_add(t, ")");
    if (s->value) write_expr(t, s->value, s->to ? 1 : 0);
    if (s->to) {
        ct_text_add(t, "..");
        write_expr(t, s->to, 1);
    }
}

void ct__net_write(ct_text *t, const ct__stmt *s, int32_t indent) {
    for (; s; s = s->next) {
        for (int32_t i = 0; i < indent; i++) ct_text_add(t, "    ");
        write_head(t, s);
        if (s->kind >= CT__STMT_DEF) {
            ct_text_add(t, " {\n");
            ct__net_write(t, s->body, indent + 1);
            for (int32_t i = 0; i < indent; i++) ct_text_add(t, "    ");
            ct_text_add(t, "}");
        }
        ct_text_add(t, "\n");
    }
}

static int is_whole(const ct__expr *x) {
    int whole = x->kind != CT__EXPR_FLOAT;
    for (int32_t i = 0; i < x->args; i++) whole = whole && is_whole(x->arg[i]);
    return whole;
}

/* The value of a setting as an expression of the param's kind: a text, a whole number, a number. */
static ct_status literal(ct_arena *a, const ct__expr *old, const ct_setting *set, ct__expr **out, ct_err *e) {
    ct__expr *x = ct_arena_new(a, sizeof *x);
    if (!x || !(x->text = ct_arena_text(a, set->value))) return ct_fail(e, CT_ELIMIT, "net: out of memory");
    *out = x;
    x->kind = old->kind == CT__EXPR_STRING ? CT__EXPR_STRING : CT__EXPR_INT;
    if (x->kind == CT__EXPR_STRING) return CT_OK;
    int whole = ct_parse_integer(set->value, &x->i);
    if (whole && is_whole(old)) return CT_OK;
    if (whole && !(x->text = ct_arena_format(a, "%s.0", set->value))) /* a number stays one */
        return ct_fail(e, CT_ELIMIT, "net: out of memory");
    x->kind = CT__EXPR_FLOAT;
    if (!is_whole(old) && ct_parse_number(set->value, &x->f)) return CT_OK;
    return ct_fail(e, CT_EUSAGE, "--set: %s=%.60s; wanted %s; give one", set->name, set->value,
                   is_whole(old) ? "an integer" : "a number");
}

static ct_status apply(ct_arena *a, ct__stmt *s, const ct_setting *set, ct_err *e) {
    const char *names[64];
    size_t n = 0;
    for (; s; s = s->next) {
        if (s->kind != CT__STMT_PARAM) continue;
        if (strcmp(s->name, set->name) == 0) return literal(a, s->value, set, &s->value, e);
        if (n < 64) names[n++] = s->name;
    }
    const char *near = ct_nearest(set->name, names, n);
    return ct_fail(e, CT_EUSAGE, "--set: %s, of which the net has no param; wanted %s; see its `param` lines",
                   set->name, near ? near : "one that it has");
}

ct_status ct_net_print(const char *text, const char *file, const ct_setting *settings, int32_t n_settings,
                       ct_text *out, ct_err *e) {
    ct_arena a = {.allocator = out->allocator};
    ct__stmt *tree;
    ct_status s = ct__net_parse(&a, text, file, &tree, e);
    for (int32_t i = 0; !s && i < n_settings; i++) s = apply(&a, tree, &settings[i], e);
    if (!s) ct__net_write(out, tree, 0);
    if (!s && out->failed) s = ct_fail(e, CT_ELIMIT, "net: out of memory");
    ct_arena_free(&a);
    return s;
}
