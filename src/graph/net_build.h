/* net_build.h: what building a net shares: values, the builder, and calls of ops. */
#ifndef CT_GRAPH_NET_BUILD_H
#define CT_GRAPH_NET_BUILD_H

#include "graph/net.h"

typedef enum kind { NUMBER_INT, NUMBER_FLOAT, TEXT, TENSOR, NONE } kind;
typedef struct value {
    int32_t kind;
    int32_t reserved;
    int64_t i;
    double f;
    const char *text;
    ct_t tensor;
} value;

typedef struct binding {
    const char *name;
    value value;
    struct binding *next;
} binding;

typedef struct frame { /* of the net, or of one def call */
    binding *first;
    const ct__stmt *defs_before; /* defs visible: those of the text before this statement */
    value last;
    int32_t returned, has_last;
} frame;

typedef struct builder {
    ct_graph *graph;
    ct_arena arena;
    const char *file;
    const ct_net_env *env;
    const ct__stmt *tree;
    int32_t calls, depth;
    uint64_t used; /* settings met, bit by index */
    ct_err *e;
} builder;

#define FAIL(b, x, ...) ct__net_fail((b)->e, (b)->file, (x)->line, (x)->column, __VA_ARGS__)

/* The graph's error at its place in the text, with its own status. */
ct_status ct__net_graph_failed(const builder *b, int32_t line, int32_t column);
ct_status ct__net_eval(builder *b, frame *f, const ct__expr *x, value *out);
/* net_call.c: input(NAME), output(x, k), an op, and what is said of a name that is none of them. */
ct_status ct__net_input(builder *b, const ct__expr *x, value *out);
ct_status ct__net_output(builder *b, frame *f, const ct__expr *x, value *out);
ct_status ct__net_op(builder *b, frame *f, const ct__expr *x, const ct__op *op, value *out);
int ct__net_may_call(const ct__op *op);
ct_status ct__net_no_such_op(builder *b, const frame *f, const ct__expr *x);

#endif
