/* op.h: the op interface. An op is one record, declared in one file of src/op/; everything else (graph,
 * text, gradient, planner, docs, tests) calls through the record and never asks which op it is.
 *
 * The life of a record: build (attributes checked against the table, slots bound, infer) -> grad (nodes out
 * of other ops) -> expand (simpler ops, when a plan is made) -> batch (what a piece of the batch may do) ->
 * layout (which storage order each operand wants) -> lower (a kernel with its data). `ref` computes the same
 * in plain loops of doubles: it is the oracle of the case runner. */
#ifndef CT_GRAPH_OP_H
#define CT_GRAPH_OP_H

#include "cotan.h"

typedef struct ct__op ct__op;

/* ---- attributes ---- */
typedef struct ct__ints { /* a short list of integers: axes, extents, pads */
    int64_t v[16];
    int32_t count;
    int32_t reserved;
} ct__ints;

typedef union ct__value {
    int64_t i;
    double f;
    const char *s; /* NULL: not given */
    const ct__ints *list;
    const ct_graph *graph;
} ct__value;

typedef enum ct__attr_type {
    CT__INT = 1,
    CT__FLOAT = 2,
    CT__CHOICE = 3,
    CT__TEXT = 4,
    CT__LIST = 5,
    CT__GRAPH =
        6 /* reserved for bodies of loops and branches (scan, ONNX If and Loop): no record may have one yet */
} ct__attr_type;

/* One row of an op's attribute table. The option struct of the C builder has the same fields in the same
 * order (int32_t for INT and CHOICE, double for FLOAT, const char * for TEXT; offset says where), zero
 * meaning the default; a positional attribute is an argument of the builder instead (offset -1).
 * A row with def != 0 whose range contains 0 is allowed as positional only. */
typedef struct ct__attr {
    const char *name;
    int32_t type;   /* a ct__attr_type */
    int32_t offset; /* in the option struct, -1: positional */
    double def, min, max;
    const char *choices; /* CHOICE: "mean|sum|none", value = index */
    const char *help;
} ct__attr;

#define CT__POSITIONAL (-1)
/* Rows. OPT_*: a field of option struct S; POS_*: positional. CT__NODEF as default: must be given. */
#define CT__NODEF (-1.7976931348623157e308)
#define OPT_INT(S, field, def, min, max, help) \
    { #field, CT__INT, (int32_t)offsetof(S, field), def, min, max, NULL, help }
#define OPT_FLOAT(S, field, def, min, max, help) \
    { #field, CT__FLOAT, (int32_t)offsetof(S, field), def, min, max, NULL, help }
#define OPT_CHOICE(S, field, choices, help) \
    { #field, CT__CHOICE, (int32_t)offsetof(S, field), 0, 0, 0, choices, help }
#define OPT_TEXT(S, field, help) \
    { #field, CT__TEXT, (int32_t)offsetof(S, field), 0, 0, 0, NULL, help }
#define POS_INT(field, def, min, max, help) \
    { #field, CT__INT, CT__POSITIONAL, def, min, max, NULL, help }
#define POS_FLOAT(field, def, min, max, help) \
    { #field, CT__FLOAT, CT__POSITIONAL, def, min, max, NULL, help }
#define POS_CHOICE(field, choices, help) \
    { #field, CT__CHOICE, CT__POSITIONAL, 0, 0, 0, choices, help }
#define POS_TEXT(field, help) \
    { #field, CT__TEXT, CT__POSITIONAL, 0, 0, 0, NULL, help }
/* The last positional; in text: all remaining numbers. */
#define POS_LIST(field, help) \
    { #field, CT__LIST, CT__POSITIONAL, 0, 0, 0, NULL, help }
#define CT__MAX_ATTRS 24
#define CT__MAX_IN 64
#define CT__MAX_OUT 4

/* ---- shapes ---- */
typedef struct ct__type {
    int32_t dtype; /* 0: absent operand */
    int32_t reserved;
    ct_shape shape;
} ct__type;

typedef struct ct__infer { /* in: op..in; out: n_out (preset to 1, dtype of in[0]) and out[] */
    const ct__op *op;
    const char *name;      /* of the node, or "" */
    const ct__value *attr; /* in the order of the op's table */
    int32_t n_in, n_out;
    const ct__type *in;
    ct__type *out;
    ct_err *e;
} ct__infer;
/* Record 'op "name": ...' and return CT_EUSAGE. */
ct_status ct__infer_fail(const ct__infer *f, const char *format, ...) CT_PRINTF(2, 3);
/* The common checks, each with its own text; CT_OK or CT_EUSAGE recorded. */
ct_status ct__infer_rank(const ct__infer *f, int32_t input, int32_t min, int32_t max);
ct_status ct__infer_dtype(const ct__infer *f, int32_t input, int32_t dtype);
ct_status ct__infer_same_shape(const ct__infer *f, int32_t a, int32_t b);
/* NumPy broadcasting of two shapes; N broadcasts against 1 and N only. 1 when they fit. */
int ct__broadcast(const ct_shape *a, const ct_shape *b, ct_shape *out);
/* Normalise axis (negative from the end); -1 when out of range. */
int32_t ct__axis(int64_t axis, int32_t rank);

/* ---- parameter slots of layers ---- */
#define CT__MAX_SLOTS 5
/* A parameter or buffer that the op itself creates, an extra input after the data inputs. */
typedef struct ct__slot {
    const char *name; /* "weight", "bias": full name = scope.node.weight */
    ct_shape shape;   /* rank -1: absent for these attributes */
    ct_init init;     /* the default */
    int32_t kind;     /* CT_PARAM or CT_BUFFER */
    int32_t dtype;    /* 0: f32 */
} ct__slot;

/* ---- gradient ---- */
typedef struct ct__grad {
    ct_graph *graph;
    ct_node *node;
    const ct__value *attr;
    int32_t n_in, n_out;
    const ct_t *in;      /* absent: node NULL */
    const ct_t *out;     /* the forward results */
    const ct_t *dout;    /* node NULL: zero */
    const uint8_t *need; /* need[i]: din[i] is wanted */
    ct_t *din;           /* to fill; node NULL: zero. A larger broadcast shape is summed down by the walk */
} ct__grad;

/* ---- placement ---- */
typedef enum ct__place_kind { CT__REPLICATE = 0, CT__SHARD = 1, CT__PARTIAL = 2 } ct__place_kind;
typedef struct ct__batch {
    const ct__op *op;
    const ct__value *attr;
    int32_t n_in, n_out;
    const ct__type *in, *out; /* symbolic */
    const uint8_t *in_place;  /* ct__place_kind; PARTIAL has been resolved to REPLICATE before the question */
    uint8_t *out_place;       /* to fill */
} ct__batch;
/* The position of the extent that holds N, -1 when there is none, -2 when there are several. */
int32_t ct__batch_axis(const ct_shape *s);
/* Ready rules. Rows: output row r depends on row r of the sharded inputs alone. 0: needs the whole batch. */
int ct__batch_rows(ct__batch *b);

/* ---- layouts ---- */
typedef enum ct__layout_kind {
    CT__PLAIN = 0,   /* row-major */
    CT__BLOCKED = 1, /* axis 1 (channels) in blocks of b: [N][C/b][...][b], lanes beyond C zero */
    CT__PANEL = 2,   /* a matrix [O,I] as panel16 of its transpose (gemm.h) */
    CT__FLIP = 3,    /* a matrix [O,I] as panel16 of itself */
    CT__CONV = 4     /* a convolution weight in oneDNN's order: `opaque` */
} ct__layout_kind;
typedef struct ct__layout {
    int32_t kind;
    int32_t opaque_bytes;
    uint64_t bytes;     /* of storage, when it is not count * element size (PANEL, FLIP, CONV, BLOCKED) */
    const void *opaque; /* lives as long as the plan or the variable */
    const void *shape;  /* CONV: its ct__conv_shape */
} ct__layout;

typedef struct ct__layouts {   /* the question to an op: which order for each operand? */
    const struct ct__lower *l; /* shapes and attributes, as for lower */
    const ct__layout *in_now;  /* what the producers give (a variable: its home) */
    const uint8_t *in_free;    /* in_now[i] is a variable of no home yet: the op's wish decides it */
    ct__layout *in, *out;      /* preset PLAIN; to fill */
} ct__layouts;

/* ---- kernels ---- */
typedef struct ct__exec { /* what a kernel may know of the run */
    int32_t thread;
    int32_t train;
    int64_t task, tasks; /* shard or piece number */
    int64_t row0;        /* first row of this shard in the batch */
    int64_t batch;       /* rows of the whole batch */
    uint64_t seed, step;
    const double *scalars; /* the session's, by ct_scalar index */
    void *scratch;         /* as many bytes as lower asked for */
    ct_err *e;             /* this thread's */
} ct__exec;
/* arg: inputs, then outputs, in the record's order; absent: NULL. Pointers are 64-aligned except those to
 * users' buffers and to rows inside a gathered batch. */
typedef ct_status (*ct__kernel)(const void *data, void *const *arg, const ct__exec *x);

typedef struct ct__fused { /* a consumer taken into this op's kernel */
    const ct__op *op;
    const ct__value *attr;
    /* asked whether to fuse: of its other input (symbolic), when it has two; else NULL */
    const ct__type *other;
} ct__fused;

struct ct__simd;
typedef struct ct__lower {
    const ct__op *op;
    const ct__value *attr;
    const char *name;
    const struct ct__simd *simd;
    const ct_allocator *allocator;
    ct_arena *arena; /* of the plan instance: kernel data lives here */
    int32_t n_in, n_out;
    const ct__type *in, *out; /* concrete: of one task; the whole batch in once and piece phases */
    /* of inputs, then outputs, N as -k: what a mean divides by is its product at N = batch */
    const ct__type *symbolic;
    const ct__layout *in_layout, *out_layout;
    const ct__fused *fused;
    int32_t n_fused;
    int32_t train;
    int64_t batch;  /* rows of the whole batch */
    int64_t shards; /* of the batch */
    int64_t pieces; /* > 0: the op is cut over outputs into so many tasks (x->task of x->tasks) */
    ct_err *e;
    /* to fill */
    ct__kernel run;
    void *data; /* plain data in the arena; may hold objects that `dispose` frees */
    void (*dispose)(void *data);
    uint64_t scratch; /* bytes */
    const char *impl;
    double flops;
} ct__lower;

/* ---- reference ---- */
typedef struct ct__ref_array {
    double *v; /* row-major; integers as doubles */
    ct_shape shape;
    int32_t dtype; /* the graph's */
    int32_t present;
} ct__ref_array;
typedef struct ct__ref {
    const ct__value *attr;
    const char *name;
    int32_t n_in, n_out;
    const ct__ref_array *in;
    ct__ref_array *out; /* shapes set, zeros */
    int32_t train;
    int32_t reserved;
    int64_t batch; /* what N is */
    uint64_t seed, step;
} ct__ref;

/* ---- cases: rows of data for the runner ---- */
typedef struct ct__case {
    /* inputs and call in the net language: "x=f32[2,3,5,5]; conv2d(x, \"c\", 4, 3, pad=1)" */
    const char *text;
    const char *error; /* NULL: must succeed; else a part of the error text */
    double tolerance;  /* lowered against ref, relative; 0: 1e-5 */
    int32_t flags;     /* CT__CASE_* */
    int32_t reserved;
} ct__case;
#define CT__CASE_NO_GRAD 1  /* at kinks, integers */
#define CT__CASE_POSITIVE 2 /* inputs drawn from 0.1..2 instead of normal */
#define CT__CASE_UNIT 4     /* inputs drawn from 0.05..0.95 */
#define CT__CASE_SECOND 8   /* check second derivatives too */

/* ---- optimiser updates ---- */
/* One pass over n contiguous floats: var[0] the parameter, var[1..] its moments, g the gradient; all updated
 * in place. scalars: the op's scalar inputs in order. */
typedef void (*ct__update_fn)(const void *data, float *const *var, const float *g, int64_t n,
                              const float *scalars, uint64_t step);
typedef struct ct__update {
    int32_t moments; /* inputs: param, grad, moments..., scalars...; outputs: param, moments... */
    int32_t scalars;
    int32_t reads_parameter; /* 1: the parameter stays as it is */
    int32_t reserved;
    /* data for the function, from attributes, in the arena; NULL: out of memory */
    const void *(*prepare)(const struct ct__lower *l, ct__update_fn *fn);
} ct__update;

/* ---- the record ---- */
#define CT__OP_RANDOM 1 /* never merged */
#define CT__OP_ASSIGN 2 /* writes variables: output i replaces input i (assign) */
#define CT__OP_LINEAR 4 /* jointly linear in all inputs: partial sums pass through */
#define CT__OP_VIEW 8   /* the output is the input's memory in another shape (reshape) */
#define CT__OP_ZERO 16  /* elementwise with f(0,..) = 0: keeps padding lanes zero */
#define CT__OP_FOLLOW \
    32 /* layout: blocked in, blocked out, when the ranks and shapes agree (elementwise, pooling) */
#define CT__OP_SOURCE 64      /* no computation: input, variable, constant, scalar */
#define CT__OP_INPLACE 128    /* output 0 may take input 0's memory when that dies here */
#define CT__OP_ACTIVATION 256 /* x -> f(x), one input: producers may fuse it */
#define CT__OP_SPARE 1024     /* outputs after the first may be absent: nobody reads them */
#define CT__OP_INTERNAL 512   /* a helper of another op: no public builder */

enum { CT__FUSE_NO = 0, CT__FUSE_WITH = 1, CT__FUSE_ALONE = 2 };

typedef void (*ct__tile_any)(float *dst, const float *a, const float *b, const float *c, int64_t n,
                             const float *p);

struct ct__op {
    const char *name;
    const char *summary;            /* one line for docs */
    const ct__attr *attrs;          /* ends with a row of name NULL; NULL: none */
    int32_t inputs_min, inputs_max; /* data inputs, before slots */
    int32_t layer;                  /* 1: takes a name, and slots */
    int32_t flags;
    ct_status (*infer)(ct__infer *f);
    /* Fills out[], returns how many, or -1 with the error recorded. Types of data inputs are in f. */
    int32_t (*slots)(const ct__infer *f, ct__slot out[CT__MAX_SLOTS]);
    void (*grad)(ct__grad *g);
    const char *nondiff; /* why there is no gradient */
    /* The same value out of simpler ops, or node NULL ct_t's to keep the node as it is (for this mode). Used
     * when a plan is made, and to differentiate an op without grad. Assignments are added to *effects. */
    int (*expand)(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out); /* 1: expanded */
    /* The same value out of other ops, for an op without grad to be differentiated through; plans keep the op. */
    int (*compose)(ct_graph *g, ct_node *node, const ct_t *in, ct_t *out);
    int (*batch)(ct__batch *b); /* NULL: needs the whole batch */
    void (*layout)(ct__layouts *q);
    /* May lower take the consumer of output 0 in? CT__FUSE_NO, _WITH its other inputs appended, _ALONE without. */
    int (*fuse)(const ct__lower *l, const ct__fused *consumer);
    ct_status (*lower)(ct__lower *l);
    ct__tile_any (*tile)(const struct ct__simd *simd, const ct__value *attr,
                         float p[4]); /* elementwise f32 */
    void (*merge)(const void *data, float *const *part, int32_t parts,
                  float *out); /* of partial outputs, in order; out may be part[0]; NULL: sum */
    const ct__update *update;
    double (*flops)(const ct__lower *l);
    /* > 0: the parameter is so big that the op runs on the whole batch, cut over outputs into so many tasks.
     * l has the whole batch's shapes; constants and shapes alone may decide. */
    int32_t (*pieces)(const ct__lower *l);
    void (*ref)(ct__ref *r);
    const ct__case *cases; /* ends with text NULL */
    const char *tested;    /* the test of an op that no row can say: it writes a session's state */
};

#endif
