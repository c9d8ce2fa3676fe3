/* Integers kept whole. Elementwise kernels work on tiles of floats, which hold integers up to 2^24 alone; where ids are
 * compared with ids, or become another type of integer, these take their place.
 *
 *     compare_integers(x, y, kind): bool, x and y of equal shape; kind: eq, ne, lt, le, gt, ge
 *     cast_integers(x, dtype): i32 to i64 and back; what i32 cannot hold becomes its nearest number */
#include "op/integer.h"

#include "op/index.h"

static const ct__attr compare_attrs[] = {POS_CHOICE(kind, "eq|ne|lt|le|gt|ge", "the comparison"), {0}};
static const ct__attr cast_attrs[] = {POS_CHOICE(dtype, "none|f32|f64|bf16|i64|i32", "the new type"), {0}};

static ct_status compare_infer(ct__infer *f) {
    f->out[0] = (ct__type){CT_BOOL, 0, f->in[0].shape};
    return CT_OK;
}
static ct_status cast_infer(ct__infer *f) {
    f->out[0] = (ct__type){(int32_t)f->attr[0].i, 0, f->in[0].shape};
    return CT_OK;
}

typedef struct integers {
    int64_t count;
    int32_t kind; /* of the comparison, or the new type */
    int32_t dtype[2];
    int32_t reserved;
} integers;

static int64_t number(int32_t dtype, const void *p, int64_t i) {
    if (dtype == CT_BOOL) return ((const uint8_t *)p)[i] != 0;
    return dtype == CT_I64 ? ((const int64_t *)p)[i] : ((const int32_t *)p)[i];
}

static int holds(int32_t kind, int64_t x, int64_t y) {
    const int yes[6] = {x == y, x != y, x<y, x <= y, x> y, x >= y};
    return yes[kind];
}

static ct_status compare_run(const void *data, void *const *arg, const ct__exec *x) {
    const integers *d = data;
    (void)x;
    for (int64_t i = 0; i < d->count; i++)
        ((uint8_t *)arg[2])[i] =
            (uint8_t)holds(d->kind, number(d->dtype[0], arg[0], i), number(d->dtype[1], arg[1], i));
    return CT_OK;
}

static ct_status cast_run(const void *data, void *const *arg, const ct__exec *x) {
    const integers *d = data;
    (void)x;
    for (int64_t i = 0; i < d->count; i++) {
        int64_t v = number(d->dtype[0], arg[0], i);
        if (d->kind == CT_I64)
            ((int64_t *)arg[1])[i] = v;
        else
            ((int32_t *)arg[1])[i] = (int32_t)(v < INT32_MIN ? INT32_MIN : v > INT32_MAX ? INT32_MAX : v);
    }
    return CT_OK;
}

static ct_status lower_with(ct__lower *l, ct__kernel run) {
    integers *d = CT__DATA(l, integers);
    if (!d) return CT_ELIMIT;
    *d = (integers){.count = ct__count(&l->out[0].shape), .kind = (int32_t)l->attr[0].i};
    for (int32_t i = 0; i < l->n_in; i++) d->dtype[i] = l->in[i].dtype;
    l->run = run;
    l->data = d;
    l->impl = "loops";
    return CT_OK;
}
static ct_status compare_lower(ct__lower *l) { return lower_with(l, compare_run); }
static ct_status cast_lower(ct__lower *l) { return lower_with(l, cast_run); }

static void compare_ref(ct__ref *r) {
    for (uint64_t i = 0; i < ct__ref_count(&r->out[0]); i++)
        r->out[0].v[i] = holds((int32_t)r->attr[0].i, (int64_t)r->in[0].v[i], (int64_t)r->in[1].v[i]);
}
static void cast_ref(ct__ref *r) {
    memcpy(r->out[0].v, r->in[0].v, ct__ref_count(&r->in[0]) * sizeof(double));
}

const ct__op ct__op_compare_integers = {
    .name = "compare_integers",
    .summary = "integers compared as they are",
    .attrs = compare_attrs,
    .inputs_min = 2,
    .inputs_max = 2,
    .flags = CT__OP_INTERNAL,
    .infer = compare_infer,
    .nondiff = "its result is true or false",
    .batch = ct__batch_rows,
    .lower = compare_lower,
    .ref = compare_ref,
};
const ct__op ct__op_cast_integers = {
    .name = "cast_integers",
    .summary = "integers of another type",
    .attrs = cast_attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = CT__OP_INTERNAL,
    .infer = cast_infer,
    .nondiff = "of integers",
    .batch = ct__batch_rows,
    .lower = cast_lower,
    .ref = cast_ref,
};

static int is_integer(ct_t x) { return ct_dtype_of(x) == CT_I64 || ct_dtype_of(x) == CT_I32; }

int ct__integers_compared(ct_node *node, const ct_t *in, int32_t kind, ct_t *out) {
    int whole = ct_dtype_of(in[0]) != CT_F32 && ct_dtype_of(in[1]) != CT_F32;
    if (!whole || (!is_integer(in[0]) && !is_integer(in[1]))) return 0;
    ct_t wide[2] = {ct_expand(in[0], node->out[0].shape), ct_expand(in[1], node->out[0].shape)};
    out[0] = ct__make(&ct__op_compare_integers, wide, 2, (ct__value[]){{.i = kind}});
    return 1;
}

int ct__integers_cast(ct_node *node, const ct_t *in, ct_t *out) {
    int32_t to = node->out[0].dtype;
    if (!is_integer(in[0]) || (to != CT_I64 && to != CT_I32)) return 0;
    out[0] = ct__make(&ct__op_cast_integers, in, 1, node->attr);
    return 1;
}
