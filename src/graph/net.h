/* net.h: the syntax tree of the net text, shared by its parser, printer and builder.
 *
 *     text    = { stmt }
 *     stmt    = NAME "=" expr | "param" NAME "=" expr | "return" expr
 *             | "def" NAME "(" [ NAME ["=" expr] {"," ...} ] ")" block
 *             | "for" NAME "in" expr ".." expr block | "scope" STRING block
 *     block   = "{" { stmt } "}"
 *     expr    = term { ("+"|"-") term }         term = factor { ("*"|"/") factor }
 *     factor  = NUMBER | STRING | NAME | NAME "(" [ arg {"," arg} ] ")" | "(" expr ")" | "-" factor
 *     arg     = [ NAME "=" ] expr
 *
 * '#' begins a comment; a line end separates nothing. Everything of a tree lives in one arena. */
#ifndef CT_GRAPH_NET_H
#define CT_GRAPH_NET_H

#include "graph/graph.h"

#define CT__NET_DEPTH 64 /* of nesting, in blocks and in expressions */

typedef enum ct__expr_kind {
    CT__EXPR_INT,
    CT__EXPR_FLOAT,
    CT__EXPR_STRING,
    CT__EXPR_NAME,
    CT__EXPR_CALL,
    CT__EXPR_BINARY,
    CT__EXPR_NEGATE
} ct__expr_kind;
typedef struct ct__expr {
    int32_t kind, line, column;
    char op; /* BINARY: + - * / */
    int64_t i;
    double f;
    const char *text;      /* NAME, STRING (unescaped), CALL */
    struct ct__expr **arg; /* CALL arguments; BINARY: 2; NEGATE: 1 */
    const char **key;      /* CALL: name of each argument, or NULL */
    int32_t args;
} ct__expr;

typedef enum ct__stmt_kind {
    CT__STMT_ASSIGN,
    CT__STMT_PARAM,
    CT__STMT_RETURN,
    CT__STMT_DEF,
    CT__STMT_FOR,
    CT__STMT_SCOPE
} ct__stmt_kind;
typedef struct ct__stmt {
    int32_t kind, line, column;
    int32_t params;
    const char *name;
    ct__expr *value, *to; /* FOR: from value to `to`, exclusive */
    const char **param;   /* DEF */
    ct__expr **preset;    /* DEF: default of each parameter, or NULL */
    struct ct__stmt *body, *next;
} ct__stmt;

/* Errors are FILE:LINE:COL: ... and CT_EDATA. */
ct_status ct__net_parse(ct_arena *a, const char *text, const char *file, ct__stmt **out, ct_err *e);
ct_status ct__net_fail(ct_err *e, const char *file, int32_t line, int32_t column, const char *format, ...)
    CT_PRINTF(5, 6);
void ct__net_write(ct_text *t, const ct__stmt *s, int32_t indent);

#endif
