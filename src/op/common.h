/* common.h: what op files share: short ways to build, the elementwise rules, loops for references. */
#ifndef CT_OP_COMMON_H
#define CT_OP_COMMON_H

#include <math.h>
#include <string.h>

#include "graph/graph.h"
#include "kern/tile.h"

/* ---- builders ---- */
static inline ct_t ct__op1(const ct__op *op, ct_t x) { return ct__make(op, &x, 1, NULL); }
static inline ct_t ct__op2(const ct__op *op, ct_t x, ct_t y) {
    ct_t in[2] = {x, y};
    return ct__make(op, in, 2, NULL);
}
/* Positional values and options checked against the table. */
ct_t ct__op_with(const ct__op *op, const ct_t *in, int32_t n_in, const ct__value *positional,
                 const void *options);
/* A layer or random op: with a name. */
ct_t ct__op_named(const ct__op *op, const char *name, const ct_t *in, int32_t n_in,
                  const ct__value *positional, const void *options);

/* ---- elementwise ops (a record with .tile and no .lower) ---- */
/* Inputs f32 (bool where an op says so) broadcast together; output f32. */
ct_status ct__elementwise_infer(ct__infer *f);
/* The same with output bool, inputs f32, bool, i32 or i64. */
ct_status ct__compare_infer(ct__infer *f);
/* r->out[0] = fn(x[, y[, z]]; attr) elementwise with broadcasting. */
typedef double (*ct__ref_fn)(double x, double y, double z, const ct__value *attr);
void ct__ref_elementwise(ct__ref *r, ct__ref_fn fn);

/* ---- loops for references ---- */
uint64_t ct__ref_count(const ct__ref_array *a);
/* Row-major strides of a, 0 where its extent is 1, aligned to the right of `rank` axes. */
void ct__ref_strides(const ct__ref_array *a, int32_t rank, int64_t stride[CT_MAX_RANK]);
/* shape = outer x extent(axis) x inner */
void ct__split_axis(const ct_shape *s, int32_t axis, int64_t *outer, int64_t *extent, int64_t *inner);

/* ---- lowering ---- */
/* Elements of a concrete shape (already checked by the planner). */
int64_t ct__count(const ct_shape *s);
/* Arena memory for kernel data, or CT_ELIMIT recorded. */
void *ct__lower_data(ct__lower *l, size_t bytes);
#define CT__DATA(l, type) ((type *)ct__lower_data((l), sizeof(type)))

#endif
