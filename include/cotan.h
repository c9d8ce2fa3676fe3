/* cotan.h: the core. Describe a net as a graph, compile it to a plan, run it.
 *
 *     ct_ctx *c = ct_open(NULL);
 *     ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 10));              // [N,10]
 *     ct_t y = ct_linear(x, "fc", 1, (ct_lin){0});                        // [N,1]
 *     float in[10] = {1}, out[1];
 *     if (ct_predict(c, y, in, 1, out)) puts(ct_error(c));
 *     ct_close(c);
 *
 * Four lifetimes. ct_ctx: parameters, threads, settings; used by one thread at a time. ct_graph: the nodes
 * and the sticky error of building them. ct_plan: a compiled graph, immutable, shared by any threads.
 * ct_session: the memory and the state of one running thread. A small program names only the first, which
 * owns everything and is closed once.
 *
 * Shapes are outermost first: [N,C,H,W], [N,T,C], [N,D]. N, the batch size, is the only free extent. */
#ifndef COTAN_H
#define COTAN_H

#include "cotan/base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CT_VERSION "0.1.0"

/* ---- types of elements, shapes, host arrays ---- */

typedef enum ct_dtype {
    CT_F32 = 1,
    CT_F64 = 2,
    CT_BF16 = 3,
    CT_I64 = 4,
    CT_I32 = 5,
    CT_U8 = 6,
    CT_BOOL = 7,
    CT_I8 = 8
} ct_dtype;
CT_API const char *ct_dtype_name(ct_dtype d); /* "f32", ... */
CT_API size_t ct_dtype_size(ct_dtype d);      /* bytes of one element */

#define CT_MAX_RANK 8
#define CT_N (-1) /* the batch size, as an extent; -k means k*N */

typedef struct ct_shape {
    int64_t dim[CT_MAX_RANK];
    int32_t rank;
    int32_t reserved;
} ct_shape;
CT_API ct_shape ct_shape_make(int32_t rank, const int64_t *dim);
/* CT_SHAPE(CT_N, 3, 32, 32), in C and in C++; at most eight extents. A scalar is ct_shape_make(0, NULL). */
#define CT_COUNT_(a, b, c, d, e, f, g, h, n, ...) n
#define CT_COUNT(...) CT_COUNT_(__VA_ARGS__, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#ifdef __cplusplus
#define CT_SHAPE(...) (ct_shape{{__VA_ARGS__}, CT_COUNT(__VA_ARGS__), 0})
#else
#define CT_SHAPE(...) ((ct_shape){{__VA_ARGS__}, CT_COUNT(__VA_ARGS__), 0})
#endif
/* The product of the extents with N = `n`: 1 and *count, or 0 when it overflows or an extent is invalid. */
CT_API int ct_shape_count(const ct_shape *s, int64_t n, uint64_t *count);
CT_API int ct_shape_equal(const ct_shape *a, const ct_shape *b);
#define CT_SHAPE_TEXT 192
CT_API const char *ct_shape_format(const ct_shape *s, char out[CT_SHAPE_TEXT]); /* "[N,3,32,32]" */

/* A strided host array: a view of memory, or its owner (`owned` set by ct_array_new and the loaders).
 * Strides count elements. */
typedef struct ct_array {
    void *data;
    int64_t dim[CT_MAX_RANK];
    int64_t stride[CT_MAX_RANK];
    int32_t rank;
    int32_t dtype;  /* a ct_dtype */
    uint64_t owned; /* bytes to give back, 0 for a view */
    ct_allocator allocator;
} ct_array;
/* A new array of zeros, row-major; to be freed. CT_ELIMIT: out of memory. */
CT_API ct_status ct_array_new(const ct_allocator *a, ct_dtype dtype, ct_shape shape, ct_array *out,
                              ct_err *e);
/* A view of contiguous row-major memory, which stays the caller's. */
CT_API ct_array ct_array_view(void *data, ct_dtype dtype, ct_shape shape);
/* Gives the memory back, forgets a view; then zeroed. */
CT_API void ct_array_free(ct_array *a);
CT_API uint64_t ct_array_count(const ct_array *a); /* elements */
CT_API int ct_array_contiguous(const ct_array *a); /* 1: row-major without gaps */
/* Element i, which must exist, of one axis of integers or bools (0 or 1), whatever their type and stride; 0 of floats. */
CT_API int64_t ct_array_integer(const ct_array *a, int64_t i);
/* Element by element, shapes equal, any strides and types. Floats to integers: truncated, refused
 * (CT_EDATA, first index) where NaN or out of range; f32 to bf16: round to nearest even. */
CT_API ct_status ct_array_copy(ct_array *to, const ct_array *from, ct_err *e);
/* NumPy's .npy, versions 1.0 to 3.0, little or big endian, C or Fortran order; bf16 is written as '<V2'.
 * Structured, string and object types are refused. */
CT_API ct_status ct_npy_load(const ct_files *f, const ct_allocator *a, const char *path, ct_array *out,
                             ct_err *e);
CT_API ct_status ct_npy_parse(const ct_allocator *a, const void *data, uint64_t bytes, const char *name,
                              ct_array *out, ct_err *e);
/* The same checks, and type and shape alone: takes no memory. */
CT_API ct_status ct_npy_probe(const void *data, uint64_t bytes, const char *name, ct_dtype *dtype,
                              ct_shape *shape, ct_err *e);
/* A file of C order and of one axis at least, some rows at a time: data larger than memory. One thread at a time. The
 * file must stay as it is until ct_npy_close (CT_EIO). */
typedef struct ct_npy ct_npy;
CT_API ct_status ct_npy_open(const ct_files *f, const ct_allocator *a, const char *path, ct_npy **out,
                             ct_err *e);
CT_API void ct_npy_close(ct_npy *n);
CT_API ct_shape ct_npy_shape(const ct_npy *n); /* of all rows */
CT_API ct_dtype ct_npy_dtype(const ct_npy *n);
/* The next rows, at most as many as `to` [rows,...] has room for, which is contiguous and of the file's type; *rows is
 * 0 at the end. */
CT_API ct_status ct_npy_rows(ct_npy *n, ct_array *to, int64_t *rows, ct_err *e);
CT_API ct_status ct_npy_rewind(ct_npy *n, ct_err *e); /* to the first row */
CT_API ct_status ct_npy_save(const ct_files *f, const ct_allocator *a, const char *path, const ct_array *from,
                             ct_err *e);

/* ---- context ---- */

typedef struct ct_ctx ct_ctx;
typedef struct ct_graph ct_graph;
typedef struct ct_plan ct_plan;
typedef struct ct_session ct_session;
typedef struct ct_node ct_node;

/* A tensor: output `out` of a node. A value; it knows its graph and context. */
typedef struct ct_t {
    ct_node *node;
    int32_t out;
    int32_t reserved;
} ct_t;

/* Zero means the default. All of it is copied. */
typedef struct ct_options {
    int32_t threads; /* 0: the cores allowed to the process */
    int32_t debug;   /* 1..4: what is told to the log hook (docs/tour.md) */
    int32_t trap;    /* 1: every run checks every value; the first that is not finite is CT_ENONFINITE */
    int32_t strict;  /* 1: ct_model_open refuses weights that are not finite */
    uint64_t seed;   /* of initialisers and random ops */
    void (*log)(void *user, const char *line); /* one line without its end; NULL: silent */
    void *log_user;
    const ct_files *files;  /* the seam; NULL: the operating system's */
    ct_allocator allocator; /* the hook; zeros: aligned_alloc and free */
    int64_t reserved[7];
} ct_options;

/* A context; `o` may be NULL. NULL only when memory fails; wrong options are an error of the context, to be read with
 * ct_error. To be closed by ct_close, which frees everything made in it but plans, sessions and graphs made by
 * ct_plan_new, ct_session_new and ct_graph_new: those are freed before. */
CT_API ct_ctx *ct_open(const ct_options *o);
CT_API void ct_close(ct_ctx *c); /* NULL is fine */
/* The text of the first error of the context or its default graph, which stay, else that of the default
 * session's last run, or "". */
CT_API const char *ct_error(ct_ctx *c);
CT_API ct_status ct_error_status(ct_ctx *c);
CT_API ct_err *ct_error_of(ct_ctx *c); /* the record itself, to clear or to pass on */
CT_API int32_t ct_threads(const ct_ctx *c);
CT_API uint64_t ct_seed(const ct_ctx *c);
CT_API const ct_allocator *ct_allocator_of(const ct_ctx *c);
CT_API const ct_files *ct_files_of(const ct_ctx *c);
CT_API const char *ct_cpu_features(void);   /* "avx512", "avx2" or "baseline": what the kernels use here */
CT_API const char *ct_kernel_library(void); /* "oneDNN 2.6.3" */

/* ---- graph ---- */

CT_API ct_graph *ct_graph_new(ct_ctx *c);     /* NULL: out of memory */
CT_API void ct_graph_free(ct_graph *g);       /* NULL is fine; plans made from it stay valid */
CT_API ct_graph *ct_default_graph(ct_ctx *c); /* the context's own, in which ct_input works */
CT_API ct_ctx *ct_context(ct_t x);            /* NULL for a zeroed handle */
CT_API ct_graph *ct_graph_of(ct_t x);
/* CT_OK, or the first error of building, copied to *e. */
CT_API ct_status ct_graph_status(const ct_graph *g, ct_err *e);

/* An input, fed at each run. `name` is unique in the graph; the first extent is usually CT_N. */
CT_API ct_t ct_input(ct_ctx *c, const char *name, ct_dtype dtype, ct_shape shape);
CT_API ct_t ct_graph_input(ct_graph *g, const char *name, ct_dtype dtype, ct_shape shape);
/* A scalar f32 that the session holds (learning rate, temperature ...), set by ct_session_set; `initial`, the last one
 * given under that name, until then. */
CT_API ct_t ct_scalar(ct_graph *g, const char *name, double initial);
/* Constants: contiguous data, copied; and one number, f32. */
CT_API ct_t ct_constant(ct_graph *g, ct_dtype dtype, ct_shape shape, const void *data);
CT_API ct_t ct_number(ct_graph *g, double value);

CT_API ct_shape ct_shape_of(ct_t x);
CT_API ct_dtype ct_dtype_of(ct_t x);
CT_API const char *ct_name_of(ct_t x); /* the full name given, or "" */
CT_API int ct_ok(ct_t x);              /* 0 for the poison that builders return after an error */

/* Looking at a graph, for tools that work on any net. The op that made x, by name ("relu", "conv2d", "input", ...; ""
 * for a zeroed handle); what its node reads: operand i, data before parameters, a zeroed handle where there is none;
 * and the nodes that y depends on in order of creation, y's own last, each as its first output: fills up to `capacity`
 * and returns how many there are; 0 also for poison and when memory is short. */
CT_API const char *ct_op_of(ct_t x);
CT_API ct_t ct_operand(ct_t x, int32_t i);
CT_API int32_t ct_nodes_of(ct_t y, ct_t *out, int32_t capacity);

/* Names made inside get the prefix "name."; scopes nest. */
CT_API void ct_scope_push(ct_graph *g, const char *name);
CT_API void ct_scope_pop(ct_graph *g);

/* ---- variables ---- */

typedef enum ct_var_kind {
    CT_PARAM = 1,  /* trained and saved */
    CT_BUFFER = 2, /* not trained, saved in the model (running statistics) */
    CT_MOMENT = 3, /* optimiser state and averages: in checkpoints only */
    CT_STATE = 4   /* a session's own (carried hidden state, caches): in checkpoints only */
} ct_var_kind;

typedef enum ct_init_kind {
    CT_INIT_DEFAULT = 0, /* the layer's own, PyTorch's */
    CT_INIT_ZEROS = 1,
    CT_INIT_ONES = 2,
    CT_INIT_CONSTANT = 3,     /* a */
    CT_INIT_UNIFORM = 4,      /* a..b */
    CT_INIT_NORMAL = 5,       /* mean a, standard deviation b */
    CT_INIT_TRUNC_NORMAL = 6, /* the same, cut at +-2 */
    CT_INIT_XAVIER_UNIFORM = 7,
    CT_INIT_XAVIER_NORMAL = 8, /* gain a (0: 1) */
    CT_INIT_KAIMING_UNIFORM = 9,
    CT_INIT_KAIMING_NORMAL = 10, /* gain a (0: sqrt 2, for ReLU), fan in */
    CT_INIT_ORTHOGONAL = 11      /* gain a (0: 1) */
} ct_init_kind;
typedef struct ct_init {
    int32_t kind;    /* a ct_init_kind */
    int32_t fan_out; /* 1: Kaiming by fan out */
    double a, b;
} ct_init;

/* A new parameter or other variable of the graph, under the current scope, drawn by `init` from the context's seed and
 * its full name alone. A name that the context has already binds to it; its kind, type and shape must be the same.
 * Within one graph a name is created once. Poison and the graph's error otherwise. A state's first extent may be
 * CT_N: a row for each sample of the batch; its values are each session's own. */
CT_API ct_t ct_var_new(ct_graph *g, ct_var_kind kind, const char *name, ct_dtype dtype, ct_shape shape,
                       ct_init init);
/* An existing one, by full name (sharing); an error that names the nearest when there is none. */
CT_API ct_t ct_param(ct_ctx *c, const char *full_name);
CT_API ct_t ct_graph_param(ct_graph *g, const char *full_name);

typedef struct ct_var_info {
    const char *name;
    ct_shape shape;
    int32_t dtype;
    int32_t kind;
    int32_t frozen;
    int32_t reserved;
    uint64_t count; /* elements */
} ct_var_info;
/* All variables, in order of creation. CT_EUSAGE, nothing recorded, for another index or name. Texts are the context's. */
CT_API int64_t ct_var_count(const ct_ctx *c);
CT_API ct_status ct_var_at(const ct_ctx *c, int64_t index, ct_var_info *out);
CT_API ct_status ct_var_find(const ct_ctx *c, const char *name, ct_var_info *out);
/* Names under which tied parameters (tie=) would stand if they were the layer's own: files have them too. */
CT_API int64_t ct_alias_count(const ct_ctx *c);
CT_API ct_status ct_alias_at(const ct_ctx *c, int64_t index, const char **name, const char **of);
/* A variable's value, in plain logical order whatever the plans keep inside. The array's shape and type must be the
 * variable's (CT_EUSAGE). Not while a session of the context runs. */
CT_API ct_status ct_var_get(ct_ctx *c, const char *name, ct_array *out, ct_err *e);
CT_API ct_status ct_var_set(ct_ctx *c, const char *name, const ct_array *from, ct_err *e);
/* Frozen parameters get no update. `prefix` matches whole names or up to a '.'; returns how many matched. */
CT_API int64_t ct_freeze(ct_ctx *c, const char *prefix, int frozen);
/* Draw every initialiser anew; moments become zeros. */
CT_API void ct_var_init_all(ct_ctx *c, uint64_t seed);

/* ---- gradient ---- */

/* Reverse mode, graph to graph: out[i], [shape of wrt[i]], = d(sum of y * dy) / d wrt[i], as nodes of the same graph,
 * zeros where y does not depend on wrt[i]. `dy` NULL: ones (y is usually the scalar loss). CT_EUSAGE, in the graph's
 * error, where an op on the way has no gradient. */
CT_API ct_status ct_grad(ct_t y, const ct_t *dy, const ct_t *wrt, int32_t count, ct_t *out);
/* The trainable parameters that y depends on, in order of creation: fills up to `capacity`, returns how many. */
CT_API int32_t ct_parameters(ct_t y, ct_t *out, int32_t capacity);

/* ---- compile and run ---- */

/* Zero means the default. */
typedef struct ct_compile {
    int32_t train;      /* 1: dropout drops, batch norm uses the batch; 0: evaluation */
    int32_t one_thread; /* 1: on the caller's thread whatever the size; -1: on all threads, to compare */
    int64_t batch;      /* the batch that fixes the shard size; 0: each run's own */
    int64_t shard;      /* rows of a shard; 0: an eighth of the batch, or all of a small one */
    /* 1: leave a pass out, to compare; no_cse: equal nodes that expansion brings to light are not merged */
    int32_t no_fuse, no_layout, no_cse, no_reuse;
    int64_t reserved[3];
} ct_compile;

/* A plan that computes `out` and performs `effects` (assignments and optimiser updates) at each run. It copies what it
 * needs of the graph, is immutable, and may be run by any threads, each with a session. CT_EUSAGE, CT_ELIMIT. */
CT_API ct_status ct_plan_new(const ct_t *out, int32_t outs, const ct_t *effects, int32_t n_effects,
                             ct_compile o, ct_plan **plan, ct_err *e);
CT_API void ct_plan_free(ct_plan *p); /* after its sessions' runs are over; NULL is fine */
/* Inputs, in order of creation in the graph, and outputs; shapes with CT_N. */
CT_API int32_t ct_plan_inputs(const ct_plan *p);
CT_API const char *ct_plan_input_name(const ct_plan *p, int32_t i);
CT_API ct_shape ct_plan_input_shape(const ct_plan *p, int32_t i);
CT_API ct_dtype ct_plan_input_dtype(const ct_plan *p, int32_t i);
CT_API int32_t ct_plan_outputs(const ct_plan *p);
CT_API ct_shape ct_plan_output_shape(const ct_plan *p, int32_t i);
CT_API ct_dtype ct_plan_output_dtype(const ct_plan *p, int32_t i);

/* A session holds the memory and the state of runs: one for each running thread, any number for a plan. Sessions that
 * only predict may run at the same time; one that trains is alone with its context. Freed before the context. */
CT_API ct_status ct_session_new(ct_ctx *c, ct_session **s, ct_err *e);
CT_API void ct_session_free(ct_session *s); /* NULL is fine */
/* The value of a scalar of ct_scalar in this session's runs. CT_EUSAGE, recorded in the session, for another name. */
CT_API ct_status ct_session_set(ct_session *s, const char *scalar, double value);
/* The counter of random ops and of Adam's bias correction, from 0; a run with effects adds one at its end. */
CT_API void ct_session_step(ct_session *s, uint64_t step);
CT_API uint64_t ct_session_step_of(const ct_session *s);
/* 1, from any thread or signal handler: runs end with CT_ECANCEL, looked at between steps, until it is 0 again. A run
 * that has begun to write variables goes through. */
CT_API void ct_session_cancel(ct_session *s, int on);
/* The same when so many seconds have passed from now, by the monotonic clock; 0: none. */
CT_API void ct_session_deadline(ct_session *s, double seconds);
/* The text of the error of the last run, or of a ct_session_set that failed since, or "". Valid until the next of
 * either. */
CT_API const char *ct_session_error(const ct_session *s);
/* Where the error is CT_ENONFINITE: the sample of the batch, from 0, that the number came from; -1: none, or of all. */
CT_API int64_t ct_session_error_row(const ct_session *s);
CT_API ct_ctx *ct_session_context(const ct_session *s);

/* States (CT_STATE: carried hidden states, caches): initial values at the first run that uses one; what a plan assigns
 * to it is there for the next run of this session. One with a row for each sample keeps the batch size of the first
 * run; a run with another one is refused until the session is reset. */
CT_API void ct_session_reset(ct_session *s); /* all states begin anew */
/* The shape with its rows; CT_EUSAGE where the state has no values yet. */
CT_API ct_status ct_state_info(ct_session *s, const char *name, ct_var_info *out, ct_err *e);
CT_API ct_status ct_state_get(ct_session *s, const char *name, ct_array *out, ct_err *e);
CT_API ct_status ct_state_set(ct_session *s, const char *name, const ct_array *from, ct_err *e);

/* Run with N = batch. in[i]: contiguous rows of input i (ct_plan_inputs order); out[i]: room for output i, or NULL to
 * drop it. After the first run of a batch size nothing is allocated. Effects happen only when the whole run
 * succeeded. The error is the session's (ct_session_error), never the context's: CT_EUSAGE, CT_ELIMIT,
 * CT_ENONFINITE, CT_ECANCEL, or what a custom op returned. CT_EUSAGE also for a plan that is NULL or of another
 * context, and, with nowhere to record it, for a session that is NULL. */
CT_API ct_status ct_run(ct_session *s, ct_plan *p, const void *const *in, int64_t batch, void *const *out);

/* The simple tier: evaluation of y, which has one input, on the default session. Plans are kept for the next call,
 * bounded in bytes. A run that fails changes nothing: its text is ct_error(c) until the next call. */
CT_API ct_status ct_predict(ct_ctx *c, ct_t y, const void *in, int64_t batch, void *out);
CT_API ct_session *ct_default_session(ct_ctx *c); /* NULL: out of memory */

/* What a plan does, step by step, for one batch size. Texts are valid until the plan meets another batch size. */
typedef struct ct_step_info {
    const char *op;     /* of the first node fused in */
    const char *fused;  /* the others, "+relu+add", or "" */
    const char *name;   /* of the node, or "" */
    const char *layout; /* of the output: "plain", "blocked16", "home" */
    const char *impl;   /* the kernel's implementation name */
    const char *phase;  /* "once", "shard" or "piece" */
    ct_shape shape;     /* of the first output, per task */
    int32_t phase_index;
    int32_t tasks;
    uint64_t bytes; /* read and written by one run of all tasks */
    double flops;   /* of one run of all tasks */
    double ms;      /* measured by ct_plan_profile, else 0 */
} ct_step_info;
typedef struct ct_plan_info {
    uint64_t peak_bytes; /* arena and parameters while running on all threads of the context */
    int64_t shards, shard_rows, steps, phases;
} ct_plan_info;
CT_API ct_status ct_plan_describe(ct_plan *p, int64_t batch, ct_plan_info *out, ct_err *e);
CT_API ct_status ct_plan_step(ct_plan *p, int64_t batch, int64_t index, ct_step_info *out, ct_err *e);
/* Run `repeats` times on drawn inputs (floats between 0 and 1, the same each time; integers 0), timing each step (no
 * effect is performed); ct_plan_step then has the medians. */
CT_API ct_status ct_plan_profile(ct_session *s, ct_plan *p, int64_t batch, int32_t repeats);

/* ---- custom ops ---- */
/* A user's op: forward and backward as callbacks on contiguous f32 rows. */
typedef struct ct_custom {
    const char *name; /* for errors and plans; unique in the program */
    void *user;
    int32_t per_sample; /* 1: output row r depends on row r of the inputs that have N alone */
    int32_t reserved;
    ct_status (*shape)(void *user, const ct_shape *in, int32_t n_in, ct_shape *out, ct_err *e);
    ct_status (*forward)(void *user, const ct_shape *shape, const float *const *in, int32_t n_in, float *out,
                         ct_err *e);
    /* din[i] NULL: not wanted. NULL member: no gradient. */
    ct_status (*backward)(void *user, const ct_shape *shape, const float *const *in, int32_t n_in,
                          const float *out, const float *dout, float *const *din, ct_err *e);
} ct_custom;
/* The struct must outlive every plan. in: at most 4 tensors, f32. shape[i]: concrete shapes, inputs then output. */
CT_API ct_t ct_custom_op(const ct_custom *op, const ct_t *in, int32_t n_in);

/* ---- self check ---- */

/* Runs the cases that every op carries on this machine's kernels: values against plain loops of doubles,
 * gradients against four-point differences, cut against uncut batches, one thread against four, text and back;
 * then the same at other shapes, at least twenty an op. */
typedef struct ct_check_row {
    const char *op;
    const char *text;    /* the case */
    const char *failure; /* NULL: passed */
    int32_t cases;       /* of this op so far */
    int32_t internal;    /* 1: an op that only others use; the row comes once, with the cases that had it */
} ct_check_row;
/* Zero means the default. */
typedef struct ct_check_options {
    const char *op; /* NULL: all */
    uint64_t seed;
    int64_t draws;        /* so many shapes at random as well; 0: none */
    int32_t written_only; /* 1: the written cases alone */
    int32_t reserved_28;
    void (*report)(void *user, const ct_check_row *row); /* after every case; may be NULL */
    void *user;
    int64_t reserved[2];
} ct_check_options;
typedef struct ct_check_result {
    int32_t ops, cases, failed;
    int32_t without;           /* ops that no case reaches */
    char first[CT_ERROR_TEXT]; /* the first failure */
} ct_check_result;
/* CT_OK when every case passed and every op has one, else CT_EINTERNAL. */
CT_API ct_status ct_check(const ct_check_options *o, ct_check_result *out, ct_err *e);

/* ---- the net as text ---- */

/* The language: docs/net.md. */
typedef struct ct_setting {
    const char *name;
    const char *value; /* as text */
} ct_setting;
typedef struct ct_net_input {
    const char *name; /* input(NAME) */
    ct_shape shape;   /* with CT_N */
    int32_t dtype;    /* a ct_dtype */
    int32_t reserved;
} ct_net_input;
/* What the task gives to a net. Texts need to live during the call only. */
typedef struct ct_net_env {
    const ct_net_input *inputs;
    int32_t n_inputs;
    int32_t n_constants;
    const ct_setting *constants; /* "classes", "vocab" ...: integers */
    const ct_setting *settings;  /* of --set: override `param` */
    int32_t n_settings;
    int32_t reserved;
} ct_net_env;
/* Build the net into the graph; *y is its output. `file` is its name in errors, "FILE:LINE:COL: ..." (CT_EUSAGE);
 * CT_ELIMIT for a net beyond 200,000 calls and turns, or memory. */
CT_API ct_status ct_net_build(ct_graph *g, const char *text, const char *file, const ct_net_env *env, ct_t *y,
                              ct_err *e);
/* Its canonical form, appended: parse -> print -> parse is the identity, `settings` are written into its params,
 * comments are left out. Errors as above. */
CT_API ct_status ct_net_print(const char *text, const char *file, const ct_setting *settings,
                              int32_t n_settings, ct_text *out, ct_err *e);
/* The graph that leads to y, appended as flat text (one op a line, a net again) and as Graphviz dot. CT_EUSAGE for
 * poison, CT_ELIMIT. */
CT_API ct_status ct_graph_print(ct_t y, ct_text *out);
CT_API ct_status ct_graph_dot(ct_t y, ct_text *out);
/* The text of the net that leads to y, appended: what ct_net_build makes y of again, parameters under the same names.
 * CT_EUSAGE, naming it, for what a text cannot say: a custom op, a constant, a scalar of the session, a variable that no
 * layer made; and for poison. CT_ELIMIT. */
CT_API ct_status ct_net_of(ct_t y, ct_text *out, ct_err *e);

#ifdef __cplusplus
}
#endif

#include "cotan/ops.h"

#endif
