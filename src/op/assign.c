/* Assignment: a variable takes a value at the end of a run.
 *
 *     assign(variable, value): variable = value                       same shape and type
 *     assign_at(state, position, value, axis): state[.., p + i, ..] = value[.., i, ..] along axis
 *         position: a scalar (f32 such as a session's setting, i32 or i64), or [R] of i32 or i64, one for each row
 *         of axis 0; value has the state's extents but on axis, where it has at most as many
 *     assign_rows(state, index): state[r, ..] = state[index[r], ..] for each row r of axis 0, the rows as they were
 *         (beam search keeps the caches of the beams that live on); index [R] of i32 or i64
 *
 * Effects for a plan (carried hidden states, key-value caches, running statistics, counters). They happen after
 * every reader of the variable, all with what their operands were before; positions and indices are checked
 * before anything is written. A result may only be an effect. Never merged, no gradient: it stops at a state. */
#include "op/index.h"
#include "op/relayout.h"
#include "op/strided.h"

static const ct__attr at_attrs[] = {POS_INT(axis, CT__NODEF, -CT_MAX_RANK, CT_MAX_RANK - 1,
                                            "the axis of the position; negative from the end"),
                                    {0}};
static const ct__attr position_attrs[] = {POS_INT(last, CT__NODEF, 0, 9e18, "the largest position"), {0}};

static ct_status infer(ct__infer *f) {
    int32_t dtype = f->in[0].dtype;
    if (dtype != CT_F32 && dtype != CT_I64 && dtype != CT_I32)
        return ct__infer_fail(f, "the variable is %s; wanted f32, i64 or i32",
                              ct_dtype_name((ct_dtype)dtype));
    if (ct__infer_dtype(f, 1, dtype) || ct__infer_same_shape(f, 0, 1)) return CT_EUSAGE;
    f->out[0] = f->in[0];
    return CT_OK;
}

/* The variable stays in its home; the value comes in the same order. */
static void layout(ct__layouts *q) { q->in[0] = q->in[1] = q->out[0] = q->in_now[0]; }

/* arg[2] is the variable's own memory or absent. */
static ct_status run(const void *data, void *const *arg, const ct__exec *x) {
    (void)x;
    if (arg[0] && arg[1] && arg[0] != arg[1]) memmove(arg[0], arg[1], *(const uint64_t *)data);
    return CT_OK;
}

static ct_status lower(ct__lower *l) {
    uint64_t *bytes = CT__DATA(l, uint64_t);
    if (!bytes) return CT_ELIMIT;
    *bytes = ct__layout_bytes(&l->in_layout[1], &l->in[1]);
    l->run = run;
    l->data = bytes;
    l->impl = "copy";
    return CT_OK;
}

static void ref(ct__ref *r) { memcpy(r->out[0].v, r->in[1].v, ct__ref_count(&r->in[1]) * sizeof(double)); }

/* ---- a position, checked: scalar or [R] -> i64 ---- */

static ct_status position_infer(ct__infer *f) {
    f->out[0] = (ct__type){CT_I64, 0, f->in[0].shape};
    return CT_OK;
}

typedef struct position_data {
    int64_t count, last;
    int32_t dtype, reserved;
} position_data;

static double position_of(const position_data *d, const void *p, int64_t i) {
    if (d->dtype == CT_F32) return (double)((const float *)p)[i];
    return (double)(d->dtype == CT_I64 ? ((const int64_t *)p)[i] : ((const int32_t *)p)[i]);
}

static ct_status position_run(const void *data, void *const *arg, const ct__exec *x) {
    const position_data *d = data;
    for (int64_t i = 0; i < d->count; i++) {
        double p = position_of(d, arg[0], i);
        if (!(p >= 0 && p <= (double)d->last) || p != floor(p))
            return ct_fail(x->e, CT_EDATA,
                           "assign_at: position %g of row %lld; wanted a whole number 0 to %lld; a longer "
                           "state has room",
                           p, (long long)(x->row0 + i), (long long)d->last);
        ((int64_t *)arg[1])[i] = (int64_t)p;
    }
    return CT_OK;
}

static ct_status position_lower(ct__lower *l) {
    position_data *d = CT__DATA(l, position_data);
    if (!d) return CT_ELIMIT;
    *d = (position_data){ct__count(&l->in[0].shape), l->attr[0].i, l->in[0].dtype, 0};
    l->run = position_run;
    l->data = d;
    l->impl = "check";
    return CT_OK;
}

static void position_ref(ct__ref *r) {
    memcpy(r->out[0].v, r->in[0].v, ct__ref_count(&r->in[0]) * sizeof(double));
}

/* ---- assign_at(state, checked position, value) ---- */

static ct_status at_infer(ct__infer *f) {
    ct_shape state = f->in[0].shape, value = f->in[2].shape;
    char a[CT_SHAPE_TEXT], b[CT_SHAPE_TEXT];
    const ct_shape *position = &f->in[1].shape;
    int32_t axis = ct__axis(f->attr[0].i, state.rank);
    if (ct__infer_dtype(f, 2, f->in[0].dtype)) return CT_EUSAGE;
    if (axis < 0 || state.dim[axis] < 0)
        return ct__infer_fail(f, "axis is %lld, the state %s; wanted one of its fixed axes",
                              (long long)f->attr[0].i, ct_shape_format(&state, a));
    if (value.rank == state.rank && value.dim[axis] >= 0 && value.dim[axis] <= state.dim[axis])
        value.dim[axis] = state.dim[axis];
    if (!ct_shape_equal(&value, &state))
        return ct__infer_fail(f, "the state is %s, the value %s; wanted equal extents but on axis %d",
                              ct_shape_format(&state, a), ct_shape_format(&f->in[2].shape, b), axis);
    if (position->rank > 1 || (position->rank == 1 && (axis == 0 || position->dim[0] != state.dim[0])))
        return ct__infer_fail(
            f, "the position is %s, the state %s; wanted a scalar, or one for each row of axis 0",
            ct_shape_format(position, a), ct_shape_format(&state, b));
    f->out[0] = f->in[0];
    return CT_OK;
}

typedef struct at_data {
    ct__strided copy;   /* of all rows, or of one */
    int64_t rows, step; /* rows: 1 where one position is for all; step: of the axis */
    int64_t row_state, row_value;
    int32_t size, reserved;
} at_data;

static ct_status at_run(const void *data, void *const *arg, const ct__exec *x) {
    const at_data *d = data;
    const int64_t *position = arg[1];
    (void)x;
    for (int64_t r = 0; r < d->rows; r++) {
        ct__strided one = d->copy;
        one.dst_begin = position[r] * d->step;
        ct__strided_copy(&one, (const char *)arg[2] + r * d->row_value * d->size,
                         (char *)arg[0] + r * d->row_state * d->size);
    }
    return CT_OK;
}

static ct_status at_lower(ct__lower *l) {
    const ct_shape *state = &l->in[0].shape, *value = &l->in[2].shape;
    at_data *d = CT__DATA(l, at_data);
    int64_t to[CT_MAX_RANK], from[CT_MAX_RANK];
    if (!d) return CT_ELIMIT;
    int32_t first = l->in[1].shape.rank ? 1 : 0; /* axis 0 is walked row by row */
    ct__strides(state, to);
    ct__strides(value, from);
    d->size = (int32_t)ct_dtype_size((ct_dtype)l->in[0].dtype);
    d->step = to[ct__axis(l->attr[0].i, state->rank)];
    d->copy.rank = state->rank - first;
    d->copy.size = d->size;
    for (int32_t i = first; i < state->rank; i++) {
        d->copy.dim[i - first] = value->dim[i];
        d->copy.dst[i - first] = to[i];
        d->copy.src[i - first] = from[i];
    }
    ct__strided_plan(&d->copy);
    d->rows = 1;
    if (first) {
        d->rows = state->dim[0];
        d->row_state = to[0];
        d->row_value = from[0];
    }
    l->run = at_run;
    l->data = d;
    l->impl = "copy";
    return CT_OK;
}

static void at_ref(ct__ref *r) {
    const ct_shape *state = &r->in[0].shape, *value = &r->in[2].shape;
    int32_t axis = ct__axis(r->attr[0].i, state->rank);
    int64_t outer, extent, inner, rows = r->in[1].shape.rank ? r->in[1].shape.dim[0] : 1;
    ct__split_axis(value, axis, &outer, &extent, &inner);
    memcpy(r->out[0].v, r->in[0].v, ct__ref_count(&r->in[0]) * sizeof(double));
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < extent * inner; i++) {
            int64_t p = (int64_t)r->in[1].v[rows > 1 ? o / (outer / rows) : 0];
            r->out[0].v[(o * state->dim[axis] + p) * inner + i] = r->in[2].v[o * extent * inner + i];
        }
}

/* ---- rows of a tensor: take_rows(x [R,...], index [M]) -> [M,...] ---- */

static ct_status rows_infer(ct__infer *f) {
    char text[CT_SHAPE_TEXT];
    if (ct__infer_index(f, 1) || ct__infer_rank(f, 0, 1, CT_MAX_RANK) || ct__infer_rank(f, 1, 1, 1))
        return CT_EUSAGE;
    ct_shape s = f->in[0].shape;
    s.dim[0] = f->in[1].shape.dim[0];
    if (!ct_shape_equal(&s, &f->in[0].shape))
        return ct__infer_fail(f, "the state is %s; wanted an index for each of its rows",
                              ct_shape_format(&f->in[0].shape, text));
    f->out[0] = f->in[0];
    return CT_OK;
}

typedef struct rows_data {
    ct__ids ids;
    int64_t rows;
    size_t bytes; /* of a row */
} rows_data;

static ct_status rows_run(const void *data, void *const *arg, const ct__exec *x) {
    const rows_data *d = data;
    for (int64_t i = 0; i < d->ids.count; i++) {
        int64_t id = ct__id(&d->ids, arg[1], i);
        if (id < 0 || id >= d->rows) return ct__id_fail(&d->ids, x, i, id, d->rows);
        memcpy((char *)arg[2] + (size_t)i * d->bytes, (const char *)arg[0] + (size_t)id * d->bytes, d->bytes);
    }
    return CT_OK;
}

static ct_status rows_lower(ct__lower *l) {
    rows_data *d = CT__DATA(l, rows_data);
    const ct_shape *s = &l->in[0].shape;
    if (!d) return CT_ELIMIT;
    d->ids = ct__ids_of(l, 1);
    d->rows = s->dim[0];
    d->bytes = (d->rows ? (size_t)(ct__count(s) / d->rows) : 0) * ct_dtype_size((ct_dtype)l->in[0].dtype);
    l->run = rows_run;
    l->data = d;
    l->impl = "rows";
    return CT_OK;
}

static void rows_ref(ct__ref *r) {
    uint64_t rows = (uint64_t)r->in[0].shape.dim[0], row = rows ? ct__ref_count(&r->in[0]) / rows : 0;
    for (uint64_t i = 0; i < rows; i++)
        memcpy(r->out[0].v + i * row, r->in[0].v + (uint64_t)r->in[1].v[i] * row, row * sizeof(double));
}

/* ---- records ---- */

const ct__op ct__op_assign = {
    .name = "assign",
    .summary = "a variable takes a value",
    .inputs_min = 2,
    .inputs_max = 2,
    .flags = CT__OP_ASSIGN,
    .infer = infer,
    .nondiff = "it writes a variable",
    .layout = layout,
    .lower = lower,
    .ref = ref,
};
const ct__op ct__op_assign_position = {
    .name = "assign_position",
    .summary = "a position of assign_at, checked before anything is written",
    .attrs = position_attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = CT__OP_INTERNAL,
    .infer = position_infer,
    .nondiff = "a position",
    .batch = ct__batch_rows,
    .lower = position_lower,
    .tested = "tests/test_state.c",
    .ref = position_ref,
};
const ct__op ct__op_assign_at = {
    .name = "assign_at",
    .summary = "a state takes a value at a position",
    .attrs = at_attrs,
    .inputs_min = 3,
    .inputs_max = 3,
    .flags = CT__OP_ASSIGN,
    .infer = at_infer,
    .nondiff = "it writes a variable",
    .lower = at_lower,
    .tested = "tests/test_state.c",
    .ref = at_ref,
};
const ct__op ct__op_take_rows = {
    .name = "take_rows",
    .summary = "rows of a state in another order, for assign_rows",
    .inputs_min = 2,
    .inputs_max = 2,
    .flags = CT__OP_INTERNAL,
    .infer = rows_infer,
    .nondiff = "it goes into a state",
    .lower = rows_lower,
    .tested = "tests/test_state.c",
    .ref = rows_ref,
};

static int is_variable(const char *op, ct_t x, int state) {
    if (!ct_ok(x)) return 0;
    if (x.node->var && (!state || x.node->var->kind == CT_STATE)) return 1;
    ct__graph_fail(x.node->graph, "%s: its first input is %s%s; wanted a %s", op,
                   x.node->var ? "" : "the result of ", x.node->var ? x.node->name : x.node->op->name,
                   state ? "state (CT_STATE)" : "variable");
    return 0;
}

/* variable = value at the end of each run of a plan that has this among its effects. */
ct_t ct_assign(ct_t variable, ct_t value) {
    if (!is_variable("assign", variable, 0))
        return ct_ok(variable) ? ct__poison(variable.node->graph) : variable;
    return ct__op2(&ct__op_assign, variable, value);
}
/* state[.., position + i, ..] = value[.., i, ..] along `axis`, at the end of each run (an effect). position: scalar f32,
 * i32 or i64, or [R] of i32 or i64, one for each row of axis 0; out of range is CT_EDATA and nothing is written. */
ct_t ct_assign_at(ct_t state, ct_t position, ct_t value, int64_t axis) {
    if (!is_variable("assign_at", state, 1) || !ct_ok(position) || !ct_ok(value))
        return ct_ok(state) ? ct__poison(state.node->graph) : state;
    const ct__type *s = ct__type_of(state), *v = ct__type_of(value), *p = ct__type_of(position);
    int32_t k = ct__axis(axis, s->shape.rank);
    int fits = k >= 0 && v->shape.rank == s->shape.rank && v->shape.dim[k] >= 0 &&
               v->shape.dim[k] <= s->shape.dim[k];
    if (p->dtype != CT_I32 && p->dtype != CT_I64 && (p->dtype != CT_F32 || p->shape.rank)) {
        ct__graph_fail(state.node->graph, "assign_at: the position is %s; wanted a scalar f32, or i32 or i64",
                       ct_dtype_name((ct_dtype)p->dtype));
        return ct__poison(state.node->graph);
    }
    ct__value last = {.i = fits ? s->shape.dim[k] - v->shape.dim[k] : 0};
    ct_t in[3] = {state, ct__make(&ct__op_assign_position, &position, 1, &last), value};
    return ct__op_with(&ct__op_assign_at, in, 3, (ct__value[]){{.i = axis}}, NULL);
}
/* state[r, ..] = state[index[r], ..] for every row r of axis 0, at the end of each run (an effect). index [R] of i32 or
 * i64; out of range is CT_EDATA and nothing is written. */
ct_t ct_assign_rows(ct_t state, ct_t index) {
    if (!is_variable("assign_rows", state, 1)) return ct_ok(state) ? ct__poison(state.node->graph) : state;
    return ct__op2(&ct__op_assign, state, ct__op2(&ct__op_take_rows, state, index));
}
