/* plan.h: what the passes of the planner share. Private to the room.
 *
 * A plan keeps its own graph (expanded for its mode, nothing unreachable) and one *instance* for each batch
 * size met. An instance is made by passes over two side tables, nodes and values:
 *
 *     import   graph -> nodes, values
 *     effects  copies of variables that an effect reads and another one writes
 *     place    shard, partial or replicate; sums made explicit
 *     fuse     activations into producers
 *     spare    outputs that nobody reads
 *     layout   storage orders; conversions made explicit
 *     chain    runs of elementwise nodes into one
 *     update   optimiser nodes into passes over segments
 *     phase    once, piece and shard phases with barriers between
 *     memory   offsets in the thread's and the shared part of a session's arena
 *     lower    kernels and argument references
 */
#ifndef CT_PLAN_PLAN_H
#define CT_PLAN_PLAN_H

#include <pthread.h>

#include "graph/graph.h"
#include "kern/simd.h"

#define CT__MAX_FUSED 4
#define CT__VALUE_BYTES (INT64_C(1) << 44) /* of one value at most; 32768 of them fit in 64 bits */
#define CT__LANES 8                        /* buffers at most of what is summed over the batch */
#define CT__MAX_ARGS 640                   /* of a step; a run holds them on the stack */

typedef enum ct__kind { CT__ONCE = 0, CT__PIECE = 1, CT__SHARDED = 2 } ct__kind; /* order within a level */

/* Where a value lives: an index into the table of bases of a run. */
enum {
    CT__BASE_NONE = -1,
    CT__BASE_ABSOLUTE = 0,
    CT__BASE_THREAD = 1,
    CT__BASE_SHARED = 2,
    CT__BASE_FIRST = 3
}; /* then the plan's inputs, then the context's variables, of which there may be more by the next run */

typedef struct ct__val {
    ct__type type;     /* symbolic */
    ct__type concrete; /* of one task: N = rows of a shard when place is SHARD, else of the batch */
    int32_t node;      /* producer */
    int32_t place;     /* ct__place_kind */
    int32_t root;      /* the value whose memory this one is (itself, or the source of a view) */
    int32_t uses;
    int32_t crosses; /* lives beyond the phase that makes it */
    int32_t base;
    ct__layout layout;
    uint64_t bytes; /* of one task */
    uint64_t offset, stride;
    uint64_t local;      /* partial, several shards a lane: where in the thread's part the later ones write */
    int32_t first, last; /* memory: steps or phases */
    int32_t local_last;  /* of `local`, which begins with its producer */
} ct__val;

typedef struct ct__pnode {
    const ct__op *op;
    const ct__value *attr;
    const char *name;
    const ct_node *origin;
    int32_t *in, *out; /* value numbers, -1 absent */
    int32_t n_in, n_out;
    int32_t kind;   /* ct__kind */
    int32_t pieces; /* > 0: a big parameter's op, cut over outputs */
    int32_t phase;
    int32_t dead;
    int32_t n_fused;
    ct__fused fused[CT__MAX_FUSED];
    struct ct__chain *chain;       /* of an elementwise group */
    struct ct__segments *segments; /* of an update group */
    ct__derived *derived;          /* of a relayout of a variable: where the result lives */
} ct__pnode;

typedef struct ct__ref_arg {
    int32_t base;
    int32_t partial; /* 1: one buffer a lane, stride bytes apart */
    uint64_t offset, stride;
    uint64_t local;
    int64_t count; /* partial: its floats */
} ct__ref_arg;

typedef struct ct__step {
    const ct__pnode *node;
    ct__kernel run[2]; /* of a full shard, of the ragged last one */
    void *data[2];
    void (*dispose[2])(void *data);
    ct__ref_arg *arg;
    int32_t args;
    int32_t tasks; /* of a piece step */
    uint64_t scratch, bytes;
    double flops, ms;
    const char *impl;
    const char *fused;
} ct__step;

typedef struct ct__phase {
    int32_t kind, first, steps; /* steps first .. first+steps-1 */
    int32_t tasks;
    int32_t writes; /* 1: variables are written: it runs to its end */
} ct__phase;

typedef struct ct__instance {
    struct ct_plan *plan;
    int64_t batch, rows, last_rows;     /* rows of a shard and of the last one */
    int32_t shards, lanes, lane_shards; /* lanes: tasks of a shard phase; shards of a lane */
    int32_t small;                      /* 1: stays on the caller's thread */
    ct_arena arena;
    ct__pnode **node; /* insertions of passes go through a new array */
    int32_t nodes, node_capacity;
    ct__val *val;
    int32_t vals, val_capacity;
    ct__step *step;
    int32_t steps;
    ct__phase *phase;
    int32_t phases;
    int32_t *output;   /* value of each output */
    ct__var **written; /* variables that a run changes */
    ct__var **state;   /* of the session, read or written */
    int32_t n_written, n_states;
    uint64_t thread_bytes, shared_bytes, scratch_bytes;
    const struct ct__simd *simd;
    ct_err *e;
    struct ct__instance *next; /* of the plan's list */
    int32_t users;             /* runs that are on their way, and readers */
    int32_t n_derived;
    ct__derived **derived; /* taken copies, and of which variables */
    ct__var **derived_of;
    uint64_t used, bytes; /* the plan's clock when it was last asked for; memory */
} ct__instance;

struct ct_plan {
    ct_ctx *ctx;
    ct_compile options;
    ct_graph *graph;
    int32_t outs, inputs, n_effects;
    ct_t *out, *effect, *input;
    pthread_mutex_t lock;
    ct__instance *instance; /* one for each batch size met lately */
    uint64_t clock, bytes;  /* bytes: of all instances */
};

/* A run's memory: one block of the session, as large as the largest plan it has run wants. */
typedef struct ct__frame {
    uint64_t slots, bases, shared, thread; /* offsets; thread: of the first thread's part */
    uint64_t each;                         /* bytes of one thread's part */
    uint64_t bytes;
    int32_t threads, n_bases;
} ct__frame;

typedef struct ct__slot_of_thread { /* the first error of a thread, and its task */
    ct_err e;
    int64_t task;
} ct__slot_of_thread;

typedef struct ct__state { /* a session's values of a CT_STATE variable */
    void *data;
    uint64_t bytes;
    int64_t rows; /* samples, where its first extent has N */
    int32_t live; /* 0: takes its initial values at the next run */
    int32_t reserved;
} ct__state;

struct ct_session {
    ct_ctx *ctx;
    void *memory;
    uint64_t memory_bytes;
    ct__state *state; /* by variable index */
    int32_t states;
    int32_t cancel; /* atomic; also written by signal handlers */
    double scalar[CT__MAX_SCALARS];
    uint8_t scalar_set[CT__MAX_SCALARS];
    uint64_t step;
    double deadline; /* monotonic seconds; 0: none */
    ct_err error;
};

/* instance.c */
/* Found or made; it stays until ct__instance_leave. */
ct_status ct__instance_of(ct_plan *p, int64_t batch, ct__instance **out, ct_err *e);
void ct__instance_leave(ct__instance *t);
void ct__instance_free(ct__instance *t);
int32_t ct__val_new(ct__instance *t, const ct__type *type, int32_t node); /* -1: out of memory, recorded */
ct__pnode *ct__pnode_new(ct__instance *t, const ct__op *op, int32_t n_in,
                         int32_t n_out); /* not yet in the list */
int ct__pnode_list(ct__instance *t, ct__pnode *const *node,
                   int32_t count); /* replace the list; renumbers producers */
void ct__concrete(const ct__instance *t, ct__val *v, int64_t rows);
int64_t ct__rows_of(const ct__instance *t, const ct__val *v, int ragged); /* what N is for this value */
void ct__count_uses(ct__instance *t);
static inline int ct__writes_variables(const ct__pnode *n) {
    return n->op->update || (n->op->flags & CT__OP_ASSIGN);
}
static inline int32_t ct__var_base(const ct__instance *t, const ct__var *v) {
    return CT__BASE_FIRST + t->plan->inputs + v->index;
}
/* The question to an op about node n, with shapes for the full or the ragged shard. */
ct_status ct__ask(ct__instance *t, const ct__pnode *n, int ragged, ct__lower *l);

/* the passes */
ct_status ct__pass_import(ct__instance *t);
ct_status ct__pass_effects(ct__instance *t);
ct_status ct__pass_place(ct__instance *t);
ct_status ct__pass_fuse(ct__instance *t);
ct_status ct__pass_spare(ct__instance *t);
ct_status ct__pass_layout(ct__instance *t);
ct_status ct__pass_chain(ct__instance *t);
ct_status ct__pass_update(ct__instance *t);
ct_status ct__pass_phase(ct__instance *t);
ct_status ct__pass_memory(ct__instance *t);
ct_status ct__pass_lower(ct__instance *t);

/* chain.c: kernels of elementwise groups */
ct_status ct__chain_lower(ct__instance *t, const ct__pnode *n, int ragged, ct__lower *l);
/* update.c */
ct_status ct__segments_lower(ct__instance *t, const ct__pnode *n, ct__lower *l, int32_t *tasks);
/* derived.c; taking and dropping under the context's lock */
ct__derived *ct__derived_take(ct_ctx *c, ct__var *v, const ct__layout *layout, ct_err *e);
void ct__derived_drop(ct_ctx *c, ct__var *v, ct__derived *d);
/* The step of a copy: nothing where it is fresh, unless `always`. */
ct_status ct__derived_refresh(const ct__step *s, void *const *arg, const ct__exec *x, int always);

/* effects.c: does n write the variable that its input is? (before updates are merged) */
int ct__is_target(const ct__pnode *n, int32_t input);
/* sync.c: sums of partial values, gathering of shards */
extern const ct__op ct__op_sync, ct__op_gather;
/* out = a + b, n floats; out may be one of them. */
void ct__add(const struct ct__simd *simd, int64_t n, const float *a, const float *b, float *out);
/* out = the sum of n floats of parts first .. first+parts-1, `stride` bytes apart: pairwise by index. n <= CT__SUM_BLOCK. */
#define CT__SUM_BLOCK 1024
void ct__tree_sum(const struct ct__simd *simd, const float *base, uint64_t stride, int32_t first,
                  int32_t parts, int64_t n, float *out);
ct_status ct__sync_lower(ct__instance *t, const ct__pnode *n, ct__lower *l);
ct_status ct__gather_lower(ct__instance *t, const ct__pnode *n, ct__lower *l);

/* layout.c: of a value in that order, with these extents */
uint64_t ct__storage_bytes(const ct__layout *l, const ct__type *concrete);

/* states.c */
ct_status ct__states_reserve(ct_session *s, ct_err *e); /* for all variables there are now */
ct_status ct__state_prepare(ct_session *s, const ct__var *v, int64_t rows, ct_err *e);
uint64_t ct__state_bytes(const ct__var *v, int64_t rows);

/* verify.c: no two live buffers overlap, else CT_EINTERNAL */
ct_status ct__verify_memory(const ct__instance *t, ct_err *e);

/* frame.c: the memory of a run */
ct__frame ct__frame_of(const ct__instance *t);
ct_status ct__frame_prepare(ct_session *s, const ct__instance *t, const void *const *in, ct__frame *f);
static inline void **ct__frame_bases(const ct_session *s, const ct__frame *f, int32_t thread) {
    return (void **)(void *)((char *)s->memory + f->bases) + (size_t)thread * (size_t)f->n_bases;
}
static inline ct__slot_of_thread *ct__frame_slot(const ct_session *s, const ct__frame *f, int32_t thread) {
    return (ct__slot_of_thread *)(void *)((char *)s->memory + f->slots) + thread;
}

/* run.c */
typedef enum ct__mode {
    CT__RUN = 0,
    CT__PROFILE = 1, /* alone, every step timed, copies of variables made every time */
    CT__REPLAY = 2   /* alone, every value looked at, nothing written */
} ct__mode;
ct_status ct__run_instance(ct_session *s, ct__instance *t, const void *const *in, void *const *out,
                           ct__mode mode);
double ct__now(void);

/* watch.c. strict: also where an operand is to blame. x->e gets the text. */
ct_status ct__watch_step(const ct__instance *t, const ct__step *s, int64_t task, void *const *arg,
                         const ct__exec *x, int strict);
ct_status ct__watch_sources(const ct__instance *t, void *const *base, uint64_t step, ct_err *e);
/* Debug builds: padding lanes of what the step wrote are zero. */
ct_status ct__watch_padding(const ct__instance *t, const ct__step *s, int64_t task, void *const *arg,
                            ct_err *e);

/* trace.c */
int ct__traces(const ct_ctx *c, int32_t level);
void ct__trace_run(const ct__instance *t, double seconds, ct_status status);
void ct__trace_plan(const ct__instance *t);
void ct__trace_pass(const ct__instance *t, const char *pass);
void ct__trace_step(const ct__instance *t, const ct__step *s, int64_t task, void *const *arg);

#endif
