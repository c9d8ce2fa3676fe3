/* graph.h: nodes, variables, the context. Private to the rooms above; users see handles.
 *
 * A graph is an arena of immutable nodes in order of creation, so an input always precedes its users.
 * Equal nodes are made once (hash-consing), random and assigning ops excepted. The first error of building
 * sticks to the graph; from then on builders return the poison node. */
#ifndef CT_GRAPH_GRAPH_H
#define CT_GRAPH_GRAPH_H

#include <pthread.h>

#include "graph/op.h"

typedef struct ct__derived { /* a copy of a variable in another storage order (plan/derived.c) */
    struct ct__derived *next;
    ct__layout layout;
    void *data, *opaque; /* opaque: what the layout points to */
    uint64_t bytes, opaque_bytes;
    uint64_t version; /* atomic: of the variable when it was made; 0: never */
    int32_t users;    /* plan instances */
    int32_t reserved;
    pthread_mutex_t lock; /* of refreshing */
} ct__derived;

typedef struct ct__var {
    const char *name; /* full */
    int32_t kind;     /* ct_var_kind */
    int32_t dtype;
    int32_t frozen;
    int32_t index;  /* in the context */
    ct_shape shape; /* concrete */
    uint64_t count;
    ct_init init;
    int64_t fan_in, fan_out;
    void *data;        /* in home order, 64-aligned; NULL for CT_STATE */
    uint64_t bytes;    /* of storage */
    ct__layout home;   /* PLAIN until the first plan that uses it fixes it */
    void *home_opaque; /* owned copies of home.opaque and home.shape */
    uint64_t home_opaque_bytes;
    int32_t home_fixed;
    int32_t reserved;
    uint64_t version; /* from 1, grows with every change */
    ct__derived *derived;
} ct__var;

typedef struct ct__alias { /* of a tied parameter: the name that the layer's own would have */
    const char *name;
    int32_t var; /* index */
    int32_t reserved;
} ct__alias;

struct ct_node {
    const ct__op *op;
    ct_graph *graph;
    const char *name; /* full name, or "" */
    const ct__value *attr;
    ct_t *in; /* absent: node NULL */
    ct__type *out;
    ct__var *var;     /* of a variable node */
    const void *data; /* of a constant */
    int32_t n_in, n_out;
    int32_t data_inputs; /* of n_in, before slots */
    int32_t id;          /* position in graph->node */
    uint64_t hash;
};

struct ct_graph {
    ct_ctx *ctx;
    uint64_t serial; /* of the context's graphs; an address may come again */
    ct_arena arena;
    ct_node **node;
    int32_t nodes, capacity;
    int32_t *table; /* hash table of node ids + 1, open addressing */
    int32_t table_size;
    int32_t depth;   /* of scopes */
    char scope[512]; /* "layer1." or "" */
    uint16_t scope_length[32];
    ct_node *poison;
    ct_t *effects; /* assignments made by expand */
    int32_t n_effects, effects_capacity;
    int32_t private_names; /* 1: a plan's work graph: names need not be unique */
    int32_t no_merge;      /* 1: equal nodes are made anew (sources excepted) */
    int32_t reserved;
    ct_err error;
};

#define CT__MAX_SCALARS 64
struct ct_ctx {
    ct_options options; /* .files points to the copy below */
    ct_files files;
    ct_allocator allocator;
    struct ct_pool *pool; /* opened at first use */
    int32_t pool_busy;    /* atomic: a run has the threads */
    int32_t threads;
    pthread_mutex_t lock; /* plans being made: homes and derived copies of variables */
    uint64_t graphs;      /* made so far */
    int32_t vars, var_capacity;
    ct__var **var;
    ct__alias *alias; /* other names of tied parameters, in order of creation */
    int32_t aliases, alias_capacity;
    ct_arena arena;     /* names of variables */
    int32_t *var_table; /* hash of names: index + 1 */
    int32_t var_table_size;
    int32_t scalars;
    const char *scalar_name[CT__MAX_SCALARS];
    double scalar_initial[CT__MAX_SCALARS];
    ct_graph *graph;     /* the default graph */
    ct_session *session; /* the default session; how the upper room frees it, and its error */
    void (*session_free)(ct_session *s);
    ct_err *(*session_error)(ct_session *s);
    void *plans; /* cache of ct_predict; how the upper room frees it, or what of it is of one graph */
    void (*plans_free)(void *plans);
    void (*plans_forget)(void *plans, const ct_graph *g);
    const struct ct__simd *simd; /* set by the upper room at first use */
    ct_err error;
};

/* ---- building ---- */
typedef struct ct__call { /* one op to be built */
    const ct__op *op;
    const char *name; /* of a layer or a random op; NULL: none */
    const ct_t *in;
    int32_t n_in;
    int32_t reserved;
    const ct__value *attr; /* complete, in table order; or NULL: all defaults */
    const void *options;   /* or: the option struct; positional values in attr_pos in table order */
    const ct__value *positional;
    ct_init weight_init, bias_init; /* override of slots; zero: default */
} ct__call;
/* Build (or find) the node; its output 0. Poison after an error. The graph is that of the first present
 * input; sources pass it in ct__build_in. */
ct_t ct__build(const ct__call *call);
ct_t ct__build_in(ct_graph *g, const ct__call *call);
/* Shorthand for kernel-only helpers and gradients: attributes complete, no name. */
ct_t ct__make(const ct__op *op, const ct_t *in, int32_t n_in, const ct__value *attr);
ct_t ct__output(ct_t first, int32_t out); /* another output of the same node */
ct_t ct__poison(ct_graph *g);
static inline ct_t ct__none(void) {
    ct_t t = {0, 0, 0};
    return t;
}
static inline const ct__type *ct__type_of(ct_t x) { return &x.node->out[x.out]; }
/* Defaults filled in, ranges checked ("op \"name\": pad is -3; wanted 0..65535"). */
ct_status ct__attrs_complete(const ct__op *op, const char *name, ct__value *attr, const uint8_t *given,
                             ct_err *e);
int32_t ct__attrs_count(const ct__op *op);
const ct__ints *ct__list_copy(ct_arena *a, const int64_t *v, int32_t count);
uint64_t ct__name_key(const char *full_name); /* key of random numbers for a scoped name */
/* Copy of a node in another graph with other inputs (same op, attributes, name, variable, data). */
ct_t ct__rebuild(ct_graph *g, const ct_node *node, const ct_t *in);
/* A side effect of an expansion: an assignment that the plan performs at the end of each run. */
void ct__effect(ct_graph *g, ct_t assignment);
void ct__graph_fail(ct_graph *g, const char *format, ...) CT_PRINTF(2, 3);

/* The table of all ops, made by the generator in src/op/; ends with NULL. */
extern const ct__op *const ct__ops[];
const ct__op *ct__op_find(const char *name);

/* Sources, defined in source.c. */
extern const ct__op ct__op_input, ct__op_var, ct__op_constant, ct__op_scalar;

/* ---- variables ---- */
ct__var *ct__var_lookup(const ct_ctx *c, const char *name);
/* Create or bind; NULL with *e. */
ct__var *ct__var_bind(ct_ctx *c, ct_var_kind kind, const char *name, int32_t dtype, const ct_shape *shape,
                      const ct_init *init, ct_err *e);
/* Note the name of a tied parameter; CT_EUSAGE where it is another variable's. */
ct_status ct__alias_bind(ct_ctx *c, const char *name, const ct__var *v, ct_err *e);
/* Besides ct_init_kind: standard normal, row `a` zeros (an embedding with a padding row). */
#define CT__INIT_PADDED 64
/* Draw the initial values, plain order, from (seed, name). */
void ct__var_draw(const ct__var *v, uint64_t seed, float *out);

ct_status ct__pool_of(ct_ctx *c, struct ct_pool **out, ct_err *e);

#endif
