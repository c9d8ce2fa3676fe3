/* Class ids as rows of zeros and a one.
 *
 *     one_hot(ids, classes): ids [...] i64 or i32 -> [..., classes] f32, y[.., c] = 1 where c = id
 *
 * An id outside 0..classes-1 is an error of the data at run time. Not differentiable (ids are integers). */
#include "op/index.h"

static const ct__attr attrs[] = {POS_INT(classes, CT__NODEF, 1, 1 << 30, "extent of the new last axis"), {0}};

static ct_status infer(ct__infer *f) {
    const ct_shape *s = &f->in[0].shape;
    if (ct__infer_index(f, 0) || ct__infer_rank(f, 0, 0, CT_MAX_RANK - 1)) return CT_EUSAGE;
    f->out[0].dtype = CT_F32;
    f->out[0].shape = *s;
    f->out[0].shape.dim[f->out[0].shape.rank++] = f->attr[0].i;
    return CT_OK;
}

typedef struct onehot {
    ct__ids ids;
    int64_t classes;
} onehot;

static ct_status run(const void *data, void *const *arg, const ct__exec *x) {
    const onehot *d = data;
    float *out = arg[1];
    memset(out, 0, (size_t)d->ids.count * (size_t)d->classes * sizeof *out);
    for (int64_t i = 0; i < d->ids.count; i++) {
        int64_t id = ct__id(&d->ids, arg[0], i);
        if (id < 0 || id >= d->classes) return ct__id_fail(&d->ids, x, i, id, d->classes);
        out[i * d->classes + id] = 1;
    }
    return CT_OK;
}

static ct_status lower(ct__lower *l) {
    onehot *d = CT__DATA(l, onehot);
    if (!d) return CT_ELIMIT;
    d->ids = ct__ids_of(l, 0);
    d->classes = l->attr[0].i;
    l->run = run;
    l->data = d;
    l->impl = "loops";
    return CT_OK;
}

static void ref(ct__ref *r) {
    int64_t classes = r->attr[0].i;
    for (uint64_t i = 0, n = ct__ref_count(&r->in[0]); i < n; i++)
        for (int64_t c = 0; c < classes; c++)
            r->out[0].v[(int64_t)i * classes + c] = r->in[0].v[i] == (double)c;
}

static const ct__case cases[] = {
    {.text = "t=i64<5>[N]; one_hot(t, 5)", .flags = CT__CASE_NO_GRAD},
    {.text = "t=i32<5>[N]; one_hot(t, 9)", .flags = CT__CASE_NO_GRAD},
    {.text = "t=i64<5>[N,3]; one_hot(t, 5)", .flags = CT__CASE_NO_GRAD},
    {.text = "t=i64<1>[2,3,4]; one_hot(t, 1)", .flags = CT__CASE_NO_GRAD},
    {.text = "t=i64<5>[]; one_hot(t, 16)", .flags = CT__CASE_NO_GRAD},
    {.text = "t=i64<5>[0]; one_hot(t, 5)", .flags = CT__CASE_NO_GRAD},
    {.text = "t=i64<5>[N]; one_hot(t, 0)", .error = "classes is 0; wanted 1 to"},
    {.text = "t=f32[N]; one_hot(t, 5)", .error = "input 1 is f32; wanted i64 or i32"},
    {0},
};

const ct__op ct__op_one_hot = {
    .name = "one_hot",
    .summary = "class ids as rows of zeros and a one",
    .attrs = attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .infer = infer,
    .nondiff = "its input is integers",
    .batch = ct__batch_rows,
    .lower = lower,
    .ref = ref,
    .cases = cases,
};

/* ids [...] of i64 or i32 -> f32 [..., classes]. */
ct_t ct_one_hot(ct_t ids, int64_t classes) {
    return ct__op_with(&ct__op_one_hot, &ids, 1, (ct__value[]){{.i = classes}}, NULL);
}
