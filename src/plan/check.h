/* check.h: the parts of the case runner (check.c). Private to the room.
 *
 * A case is text: declarations of inputs, then one call in the net language,
 *     x=f32[N,3]; t=i64<5>[N]; cross_entropy(x, t)
 * with N=7; before them for another batch than 5. An optimiser's case is a shape and settings instead,
 *     [3,17] weight_decay=0.1 step=1000 */
#ifndef CT_PLAN_CHECK_H
#define CT_PLAN_CHECK_H

#include <stdio.h>

#include "plan/interpret.h"
#include "plan/plan.h"

#define CT__CHECK_INPUTS 8
#define CT__CHECK_BATCH 11 /* more shards of 1 than lanes, a ragged one of 2 */

typedef struct ct__trial { /* one case in one context */
    const ct__case *c;
    const ct__op *op;
    ct_ctx *ctx;
    ct_graph *graph;
    ct_arena arena;
    ct_net_input input[CT__CHECK_INPUTS];
    int64_t below[CT__CHECK_INPUTS]; /* of integers */
    int32_t inputs, n_wrt;
    int64_t batch;
    int32_t train; /* the mode at hand */
    int32_t reserved;
    const char *call;
    ct_t y;
    ct_t wrt[CT__MAX_IN];
    uint64_t seed;
    uint8_t *met;    /* [ops of the table]: 1 when a plan of this case had the op; may be NULL */
    int32_t derived; /* 1: a drawn shape: the op may refuse it */
    int32_t refused; /* 1: it did */
    ct__interpreter interpreter;
    ct_err e;
} ct__trial;

/* Record what is wrong with the case; returns 0. */
int ct__trial_fail(ct__trial *t, const char *what);

/* ---- check_case.c: text to graph and numbers ---- */
int ct__trial_parse(ct__trial *t);
/* The net of the case, in the arena; NULL: out of memory. */
const char *ct__trial_net(ct__trial *t);
ct_status ct__trial_build(ct__trial *t, const char *net, ct_t *y);
/* Values for every source node of the graph. */
int ct__trial_sources(ct__trial *t);
/* The same for nodes that came later; the old ones keep theirs. */
int ct__trial_more_sources(ct__trial *t);
uint64_t ct__trial_count(const ct__ref_array *a);
double ct__trial_scale(const ct__ref_array *a); /* the largest magnitude, at least 1e-2 */

/* ---- check_forms.c: the planner's side ---- */
/* One plan, one run; out[i] in the arena. The status of making and running it. */
ct_status ct__trial_lowered(ct__trial *t, const ct_t *root, int32_t roots, ct_compile o, int64_t batch,
                            void **out);
int ct__trial_agree(ct__trial *t, const char *what, const ct__ref_array *want, const void *have,
                    double tolerance);
/* Uncut, cut, four threads, without passes: against the references and each other. */
int ct__trial_forms(ct__trial *t, const char *what, const ct_t *root, int32_t roots,
                    const ct__ref_array *want, int32_t train, double tolerance);

/* ---- check_grad.c ---- */
int ct__trial_gradient(ct__trial *t, const ct_t *y, int32_t n_out);

/* ---- check_update.c: optimiser steps ---- */
int ct__trial_update(ct__trial *t);

/* ---- check_shapes.c: other shapes of a written case ---- */
#define CT__SHAPES_MOST 512
typedef struct ct__shapes { /* of one op */
    ct_arena *arena;
    const ct__op *op;
    uint64_t seen[CT__SHAPES_MOST]; /* hashes of the texts so far */
    int32_t count;
    int32_t reserved;
} ct__shapes;
/* Number k of the systematic variants of a case: one extent, one integer of the call or the batch in turn is 7, 8,
 * 9, 15, 16, 17, 1, 0. NULL: there is no such variant any more; "": it is a repetition. */
const char *ct__shapes_next(ct__shapes *s, const ct__case *c, int32_t k);
/* Every extent and integer drawn anew; "" when it is a repetition. */
const char *ct__shapes_draw(ct__shapes *s, const ct__case *c, ct_random *r);

/* ---- check.c: one record, whether or not it is in the table ---- */
ct_status ct__check_record(const ct__op *op, const ct_check_options *o, ct_check_result *out, ct_err *e);

#endif
