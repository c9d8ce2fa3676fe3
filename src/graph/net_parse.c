/* net_parse.c: text to tree, by recursive descent over a one-token window. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "graph/net.h"

enum { END, NAME, INTEGER, REAL, STRING, RANGE, MARK }; /* MARK: one character, in `mark` */

typedef struct parser {
    ct_arena *arena;
    const char *file, *at, *line_start;
    int32_t line, depth;
    int32_t token, token_line, token_column;
    char mark;
    const char *text; /* NAME, STRING, numbers as written */
    ct_err *e;
} parser;

ct_status ct__net_fail(ct_err *e, const char *file, int32_t line, int32_t column, const char *format, ...) {
    char text[700];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    return ct_fail_line(e, CT_EUSAGE, file, line, column, "%s", text);
}

#define FAIL(p, ...) ct__net_fail((p)->e, (p)->file, (p)->token_line, (p)->token_column, __VA_ARGS__)

static int is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static int is_digit(char c) { return c >= '0' && c <= '9'; }

static char *copy(parser *p, const char *from, size_t length) {
    char *t = ct_arena_new(p->arena, length + 1);
    if (t)
        memcpy(t, from, length);
    else
        ct_fail(p->e, CT_ELIMIT, "%.200s: out of memory", p->file);
    return t;
}

static void skip_space(parser *p) {
    for (;; p->at++) {
        if (*p->at == '\n') {
            p->line++;
            p->line_start = p->at + 1;
        } else if (*p->at == '#') {
            while (p->at[1] && p->at[1] != '\n') p->at++;
        } else if (*p->at != ' ' && *p->at != '\t' && *p->at != '\r') {
            return;
        }
    }
}

static ct_status lex_number(parser *p) {
    const char *begin = p->at;
    p->token = INTEGER;
    while (is_digit(*p->at)) p->at++;
    if (*p->at == '.' && p->at[1] != '.') {
        p->token = REAL;
        p->at++;
        while (is_digit(*p->at)) p->at++;
    }
    if (*p->at == 'e' || *p->at == 'E') {
        p->token = REAL;
        p->at++;
        if (*p->at == '+' || *p->at == '-') p->at++;
        while (is_digit(*p->at)) p->at++;
    }
    p->text = copy(p, begin, (size_t)(p->at - begin));
    return p->text ? CT_OK : CT_ELIMIT;
}

/* Inside quotes: \" \\ and any byte but a line end. */
static ct_status lex_string(parser *p) {
    size_t length = 0;
    const char *c = p->at + 1;
    for (; *c != '"'; c++, length++) {
        if (*c == '\0' || *c == '\n')
            return FAIL(p, "string without end; wanted a quote on the same line; close it");
        if (*c == '\\' && (c[1] == '"' || c[1] == '\\')) c++;
    }
    char *t = copy(p, p->at, length);
    if (!t) return CT_ELIMIT;
    length = 0;
    for (c = p->at + 1; *c != '"'; c++) {
        if (*c == '\\' && (c[1] == '"' || c[1] == '\\')) c++;
        t[length++] = *c;
    }
    t[length] = '\0';
    p->at = c + 1;
    p->text = t;
    p->token = STRING;
    return CT_OK;
}

static ct_status advance(parser *p) {
    skip_space(p);
    p->token_line = p->line;
    p->token_column = (int32_t)(p->at - p->line_start) + 1;
    if (*p->at == '\0') {
        p->token = END;
        return CT_OK;
    }
    if (is_digit(*p->at)) return lex_number(p);
    if (*p->at == '"') return lex_string(p);
    if (is_letter(*p->at)) {
        const char *begin = p->at;
        while (is_letter(*p->at) || is_digit(*p->at)) p->at++;
        p->token = NAME;
        p->text = copy(p, begin, (size_t)(p->at - begin));
        return p->text ? CT_OK : CT_ELIMIT;
    }
    if (p->at[0] == '.' && p->at[1] == '.') {
        p->token = RANGE;
        p->at += 2;
        return CT_OK;
    }
    if (!strchr("=(){},+-*/", *p->at)) {
        char shown[16], one[2] = {*p->at, '\0'};
        return FAIL(
            p, "found '%s'; wanted a name, a number, a string or one of = ( ) { } , + - * /; take it out",
            ct_escape(one, shown, sizeof shown));
    }
    p->token = MARK;
    p->mark = *p->at++;
    return CT_OK;
}

static int is_mark(const parser *p, char c) { return p->token == MARK && p->mark == c; }
static int is_word(const parser *p, const char *w) { return p->token == NAME && strcmp(p->text, w) == 0; }

static const char *found(const parser *p, char out[80]) {
    if (p->token == END) return "the end";
    if (p->token == RANGE) return "'..'";
    if (p->token == MARK)
        snprintf(out, 80, "'%c'", p->mark);
    else
        snprintf(out, 80, p->token == STRING ? "\"%.60s\"" : "%.60s", p->text);
    return out;
}

static ct_status expect(parser *p, char c) {
    char text[80];
    if (!is_mark(p, c)) return FAIL(p, "found %s; wanted '%c'; put it before", found(p, text), c);
    return advance(p);
}

/* ---- expressions ---- */

static ct_status parse_expr(parser *p, ct__expr **out);

static ct__expr *expr_new(parser *p, int32_t kind, int32_t args) {
    ct__expr *x = ct_arena_new(p->arena, sizeof *x);
    ct__expr **arg = ct_arena_array(p->arena, (uint64_t)args + 1, sizeof *arg);
    if (!x || !arg) {
        ct_fail(p->e, CT_ELIMIT, "%.200s: out of memory", p->file);
        return NULL;
    }
    *x = (ct__expr){.kind = kind, .line = p->token_line, .column = p->token_column, .arg = arg, .args = args};
    return x;
}

#define MAX_ARGS 80

static ct_status parse_call(parser *p, ct__expr *x) {
    ct__expr *arg[MAX_ARGS];
    const char *key[MAX_ARGS];
    char text[80];
    ct_status s = advance(p);
    int32_t n = 0;
    while (!s && !is_mark(p, ')')) {
        if (n == MAX_ARGS)
            return FAIL(p, "more than %d arguments; wanted fewer; use several calls", MAX_ARGS);
        if (n && !is_mark(p, ','))
            return FAIL(p, "found %s; wanted ',' or ')'; close the call", found(p, text));
        if (n && (s = advance(p))) return s;
        key[n] = NULL;
        if (p->token == NAME) { /* NAME "=" ? look ahead without consuming */
            parser saved = *p;
            if ((s = advance(p))) return s;
            if (is_mark(p, '=')) {
                key[n] = saved.text;
                s = advance(p);
            } else {
                *p = saved;
            }
        }
        if (!s) s = parse_expr(p, &arg[n++]);
    }
    if (s) return s;
    x->kind = CT__EXPR_CALL;
    x->args = n;
    x->arg = ct_arena_array(p->arena, (uint64_t)n + 1, sizeof *x->arg);
    x->key = ct_arena_array(p->arena, (uint64_t)n + 1, sizeof *x->key);
    if (!x->arg || !x->key) return ct_fail(p->e, CT_ELIMIT, "%.200s: out of memory", p->file);
    for (int32_t i = 0; i < n; i++) {
        x->arg[i] = arg[i];
        x->key[i] = key[i];
    }
    return advance(p);
}

static ct_status parse_atom(parser *p, ct__expr **out) {
    char text[80];
    ct__expr *x = expr_new(p, CT__EXPR_NAME, 0);
    if (!x) return CT_ELIMIT;
    *out = x;
    x->text = p->text;
    if (p->token == INTEGER) {
        x->kind = CT__EXPR_INT;
        if (!ct_parse_integer(p->text, &x->i))
            return FAIL(p, "%.60s is out of range; wanted an integer of 64 bits; use a smaller one", p->text);
    } else if (p->token == REAL) {
        x->kind = CT__EXPR_FLOAT;
        if (!ct_parse_number(p->text, &x->f))
            return FAIL(p, "%.60s is out of range; wanted a finite number; use a smaller one", p->text);
    } else if (p->token == STRING) {
        x->kind = CT__EXPR_STRING;
    } else if (p->token != NAME) {
        return FAIL(p, "found %s; wanted a name, a number, a string or '('; put it before", found(p, text));
    }
    int name = p->token == NAME;
    ct_status s = advance(p);
    return !s && name && is_mark(p, '(') ? parse_call(p, x) : s;
}

static ct_status too_deep(parser *p) {
    return ct_fail_line(p->e, CT_ELIMIT, p->file, p->token_line, p->token_column,
                        "nested deeper than %d levels; wanted a flatter net; name the inner parts",
                        CT__NET_DEPTH);
}

static ct_status parse_factor(parser *p, ct__expr **out) {
    ct_status s;
    if (p->depth >= CT__NET_DEPTH) return too_deep(p);
    p->depth++;
    if (is_mark(p, '-')) {
        ct__expr *x = expr_new(p, CT__EXPR_NEGATE, 1);
        s = x ? advance(p) : CT_ELIMIT;
        if (!s) s = parse_factor(p, &x->arg[0]);
        if (!s) *out = x;
    } else if (is_mark(p, '(')) {
        s = advance(p);
        if (!s) s = parse_expr(p, out);
        if (!s) s = expect(p, ')');
    } else {
        s = parse_atom(p, out);
    }
    p->depth--;
    return s;
}

static ct_status parse_binary(parser *p, ct__expr **out, const char *ops,
                              ct_status (*operand)(parser *, ct__expr **)) {
    ct_status s = operand(p, out);
    while (!s && p->token == MARK && strchr(ops, p->mark)) {
        ct__expr *x = expr_new(p, CT__EXPR_BINARY, 2);
        if (!x) return CT_ELIMIT;
        x->op = p->mark;
        x->arg[0] = *out;
        s = advance(p);
        if (!s) s = operand(p, &x->arg[1]);
        *out = x;
    }
    return s;
}

static ct_status parse_term(parser *p, ct__expr **out) { return parse_binary(p, out, "*/", parse_factor); }
static ct_status parse_expr(parser *p, ct__expr **out) { return parse_binary(p, out, "+-", parse_term); }

/* ---- statements ---- */

static ct_status parse_block(parser *p, ct__stmt **out, int braces);

static ct_status take_name(parser *p, const char **out) {
    char text[80];
    if (p->token != NAME) return FAIL(p, "found %s; wanted a name; put one before", found(p, text));
    *out = p->text;
    return advance(p);
}

static ct_status parse_def(parser *p, ct__stmt *d) {
    const char *param[16];
    ct__expr *preset[16];
    ct_status s = advance(p);
    if (!s) s = take_name(p, &d->name);
    if (!s) s = expect(p, '(');
    while (!s && !is_mark(p, ')')) {
        if (d->params == 16) return FAIL(p, "more than 16 parameters; wanted fewer; split the def");
        if (d->params && (s = expect(p, ','))) return s;
        preset[d->params] = NULL;
        for (int32_t i = 0; p->token == NAME && i < d->params; i++)
            if (strcmp(param[i], p->text) == 0)
                return FAIL(p, "%s: a parameter twice; wanted each once; rename one", p->text);
        if ((s = take_name(p, &param[d->params]))) return s;
        if (is_mark(p, '=') && !(s = advance(p))) s = parse_expr(p, &preset[d->params]);
        d->params++;
    }
    if (!s) s = expect(p, ')');
    if (s) return s;
    d->param = ct_arena_array(p->arena, (uint64_t)d->params + 1, sizeof *d->param);
    d->preset = ct_arena_array(p->arena, (uint64_t)d->params + 1, sizeof *d->preset);
    if (!d->param || !d->preset) return ct_fail(p->e, CT_ELIMIT, "%.200s: out of memory", p->file);
    for (int32_t i = 0; i < d->params; i++) {
        d->param[i] = param[i];
        d->preset[i] = preset[i];
    }
    return parse_block(p, &d->body, 1);
}

static ct_status parse_for(parser *p, ct__stmt *d) {
    char text[80];
    ct_status s = advance(p);
    if (!s) s = take_name(p, &d->name);
    if (!s && !is_word(p, "in"))
        return FAIL(p, "found %s; wanted 'in'; write for i in 0..n { ... }", found(p, text));
    if (!s) s = advance(p);
    if (!s) s = parse_expr(p, &d->value);
    if (!s && p->token != RANGE)
        return FAIL(p, "found %s; wanted '..'; write for i in 0..n { ... }", found(p, text));
    if (!s) s = advance(p);
    if (!s) s = parse_expr(p, &d->to);
    return s ? s : parse_block(p, &d->body, 1);
}

static ct_status parse_scope(parser *p, ct__stmt *d) {
    char text[80];
    ct_status s = advance(p);
    if (!s && p->token != STRING)
        return FAIL(p, "found %s; wanted the scope's name as a string; write scope \"name\" { ... }",
                    found(p, text));
    if (!s) s = parse_atom(p, &d->value);
    return s ? s : parse_block(p, &d->body, 1);
}

static ct_status parse_assign(parser *p, ct__stmt *d) {
    ct_status s = take_name(p, &d->name);
    if (!s) s = expect(p, '=');
    return s ? s : parse_expr(p, &d->value);
}

static ct_status parse_stmt(parser *p, ct__stmt *d) {
    char text[80];
    d->line = p->token_line;
    d->column = p->token_column;
    if (p->depth > 1 && (is_word(p, "def") || is_word(p, "param")))
        return FAIL(p, "%s inside a block; wanted it outside; move it to the top", p->text);
    if (is_word(p, "def")) return d->kind = CT__STMT_DEF, parse_def(p, d);
    if (is_word(p, "for")) return d->kind = CT__STMT_FOR, parse_for(p, d);
    if (is_word(p, "scope")) return d->kind = CT__STMT_SCOPE, parse_scope(p, d);
    if (is_word(p, "return") || is_word(p, "param")) {
        int is_param = p->text[0] == 'p';
        ct_status s = advance(p);
        d->kind = is_param ? CT__STMT_PARAM : CT__STMT_RETURN;
        if (s) return s;
        return is_param ? parse_assign(p, d) : parse_expr(p, &d->value);
    }
    if (p->token != NAME)
        return FAIL(p, "found %s; wanted a statement; write NAME = ..., def, for, scope or param",
                    found(p, text));
    d->kind = CT__STMT_ASSIGN;
    return parse_assign(p, d);
}

static ct_status parse_block(parser *p, ct__stmt **out, int braces) {
    ct_status s = CT_OK;
    if (p->depth >= CT__NET_DEPTH) return too_deep(p);
    p->depth++;
    if (braces) s = expect(p, '{');
    while (!s && p->token != END && !(braces && is_mark(p, '}'))) {
        ct__stmt *d = ct_arena_new(p->arena, sizeof *d);
        if (!d) return ct_fail(p->e, CT_ELIMIT, "%.200s: out of memory", p->file);
        *out = d;
        out = &d->next;
        s = parse_stmt(p, d);
    }
    p->depth--;
    return !s && braces ? expect(p, '}') : s;
}

ct_status ct__net_parse(ct_arena *a, const char *text, const char *file, ct__stmt **out, ct_err *e) {
    parser p = {.arena = a, .file = file ? file : "net", .at = text, .line_start = text, .line = 1, .e = e};
    *out = NULL;
    ct_status s = advance(&p);
    if (!s) s = parse_block(&p, out, 0);
    if (!s && !*out)
        return FAIL(&p, "the net is empty; wanted at least one NAME = op(...); see cotan presets cnn");
    return s;
}
