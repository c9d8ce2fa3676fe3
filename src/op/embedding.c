/* A table of vectors, read by id (PyTorch's nn.Embedding).
 *
 *     ids [...] i64 or i32, weight [V, D]  ->  y [..., D], y[.., :] = weight[id, :]
 *     dW[id, :] = sum of dy[.., :] over the places that hold id      (embedding_weight, a partial sum of the batch)
 *     d dy of that = the rows of ddW again                            (embedding_rows)
 *
 * Weight: standard normal. With has_padding=1 the row `padding` starts as zeros (unless another initialiser is
 * asked for, as in PyTorch) and gets no gradient. With sparse=1, training touches the rows used alone, where every use
 * of the table is such a lookup (sparse.c; Adam is PyTorch's SparseAdam then). Sums go in the order of the places. A
 * table so big that a gradient for each shard would pass 32 MB has one, cut over rows into tasks. The table's home
 * stays plain, since rows are read one by one. An id outside 0..V-1 is an error of the data at run time. */
#include "op/index.h"
#include "op/strided.h"

static const ct__attr attrs[] = {
    POS_INT(vocabulary, CT__NODEF, 1, 1 << 30, "V, the number of ids"),
    POS_INT(dimension, CT__NODEF, 1, 1 << 30, "D, the length of a vector"),
    OPT_INT(ct_embed, has_padding, 0, 0, 1, "1: the row `padding` stays as it is, zeros at first"),
    OPT_INT(ct_embed, padding, 0, 0, 1 << 30, "its id"),
    OPT_CHOICE(ct_embed, init,
               "default|zeros|ones|constant|uniform|normal|trunc_normal|xavier_uniform|xavier_normal|kaiming_"
               "uniform|kaiming_normal|orthogonal",
               "initialiser of the weight; default: normal of mean 0 and deviation 1"),
    OPT_FLOAT(ct_embed, init_a, 0, -1e30, 1e30, "its first number (value, low, mean or gain)"),
    OPT_FLOAT(ct_embed, init_b, 0, -1e30, 1e30, "its second number (high, standard deviation)"),
    OPT_TEXT(ct_embed, tie, "full name of an existing [V,D] parameter to share"),
    OPT_INT(ct_embed, sparse, 0, 0, 1,
            "1: gradient and update of the rows used alone (PyTorch's sparse=True)"),
    {0},
};
enum { VOCABULARY, DIMENSION, HAS_PADDING, PADDING, SPARSE = 8 };

static const ct__attr weight_attrs[] = {
    POS_INT(vocabulary, CT__NODEF, 1, 1 << 30, "V, the number of ids"),
    POS_INT(padding, CT__NODEF, -1, 1 << 30, "the id without gradient, -1 none"),
    POS_INT(sparse, CT__NODEF, 0, 1, "1: training takes it by the rows used (sparse.c)"),
    {0},
};
enum { W_VOCABULARY, W_PADDING };

static int32_t slots(const ct__infer *f, ct__slot out[CT__MAX_SLOTS]) {
    int64_t w[2] = {f->attr[VOCABULARY].i, f->attr[DIMENSION].i};
    out[0] = (ct__slot){"weight", ct_shape_make(2, w), {CT_INIT_NORMAL, 0, 0, 1}, CT_PARAM, 0};
    if (f->attr[HAS_PADDING].i) out[0].init = (ct_init){CT__INIT_PADDED, 0, (double)f->attr[PADDING].i, 0};
    return 1;
}

static ct_status rows_infer(ct__infer *f) {
    const ct_shape *ids = &f->in[0].shape, *w = &f->in[1].shape;
    char text[CT_SHAPE_TEXT];
    if (ct__infer_index(f, 0) || ct__infer_rank(f, 0, 0, CT_MAX_RANK - 1) || ct__infer_dtype(f, 1, CT_F32))
        return CT_EUSAGE;
    if (w->rank != 2 || w->dim[0] != f->attr[0].i)
        return ct__infer_fail(f, "weight is %s; wanted [%lld,D]; use another name", ct_shape_format(w, text),
                              (long long)f->attr[0].i);
    f->out[0].dtype = CT_F32;
    f->out[0].shape = *ids;
    f->out[0].shape.dim[f->out[0].shape.rank++] = w->dim[1];
    return CT_OK;
}

static ct_status infer(ct__infer *f) {
    char text[CT_SHAPE_TEXT];
    int64_t padding = f->attr[PADDING].i, vocabulary = f->attr[VOCABULARY].i;
    if (padding >= vocabulary || (padding > 0 && !f->attr[HAS_PADDING].i))
        return ct__infer_fail(f, "padding is %lld; wanted 0..%lld, together with has_padding=1",
                              (long long)padding, (long long)vocabulary - 1);
    if (f->in[1].shape.rank == 2 && f->in[1].shape.dim[1] != f->attr[DIMENSION].i)
        return ct__infer_fail(f, "weight is %s; wanted [%lld,%lld]; use another name",
                              ct_shape_format(&f->in[1].shape, text), (long long)vocabulary,
                              (long long)f->attr[DIMENSION].i);
    return rows_infer(f);
}

/* dW [V, D] from dy [..., D] and ids [...] */
static ct_status weight_infer(ct__infer *f) {
    int64_t w[2] = {f->attr[W_VOCABULARY].i, f->in[0].shape.dim[f->in[0].shape.rank - 1]};
    f->out[0].shape = ct_shape_make(2, w);
    return CT_OK;
}

extern const ct__op ct__op_embedding_rows, ct__op_embedding_weight;

static void grad(ct__grad *g) {
    ct__value a[] = {
        g->attr[VOCABULARY], {.i = g->attr[HAS_PADDING].i ? g->attr[PADDING].i : -1}, g->attr[SPARSE]};
    ct_t in[2] = {g->dout[0], g->in[0]};
    if (g->need[1]) g->din[1] = ct__make(&ct__op_embedding_weight, in, 2, a);
}
static void rows_grad(ct__grad *g) {
    ct_t in[2] = {g->dout[0], g->in[0]};
    if (g->need[1]) g->din[1] = ct__make(&ct__op_embedding_weight, in, 2, g->attr);
}
static void weight_grad(ct__grad *g) {
    ct_t in[2] = {g->in[1], g->dout[0]};
    if (g->need[0]) g->din[0] = ct__make(&ct__op_embedding_rows, in, 2, g->attr);
}

static int batch(ct__batch *b) { return b->in_place[1] != CT__SHARD && ct__batch_rows(b); }

static int weight_batch(ct__batch *b) {
    if (b->in_place[0] != CT__SHARD || b->in_place[1] != CT__SHARD) return 0;
    b->out_place[0] = CT__PARTIAL;
    return 1;
}

/* Every operand plain; said, so that the first plan makes plain the table's home. */
static void layout(ct__layouts *q) { q->in[1].kind = CT__PLAIN; }

typedef struct table {
    ct__ids ids;
    int64_t vocabulary, dimension, padding;
    int32_t cut, reserved; /* 1: a task has some rows of the table, and looks at all ids */
} table;

static ct_status run(const void *data, void *const *arg, const ct__exec *x) {
    const table *d = data;
    const float *w = arg[1];
    float *y = arg[2];
    size_t bytes = (size_t)d->dimension * sizeof *y;
    for (int64_t i = 0; i < d->ids.count; i++, y += d->dimension) {
        int64_t id = ct__id(&d->ids, arg[0], i);
        if (id < 0 || id >= d->vocabulary) return ct__id_fail(&d->ids, x, i, id, d->vocabulary);
        if (id == d->padding)
            memset(y, 0, bytes);
        else
            memcpy(y, w + id * d->dimension, bytes);
    }
    return CT_OK;
}

static ct_status run_weight(const void *data, void *const *arg, const ct__exec *x) {
    const table *d = data;
    const float *dy = arg[0];
    float *dw = arg[2];
    int64_t first = 0, end = d->vocabulary;
    if (d->cut) first = end * x->task / x->tasks, end = end * (x->task + 1) / x->tasks;
    memset(dw + first * d->dimension, 0, (size_t)(end - first) * (size_t)d->dimension * sizeof *dw);
    for (int64_t i = 0; i < d->ids.count; i++, dy += d->dimension) {
        int64_t id = ct__id(&d->ids, arg[1], i);
        if (id < 0 || id >= d->vocabulary) return ct__id_fail(&d->ids, x, i, id, d->vocabulary);
        if (id == d->padding || id < first || id >= end) continue;
        float *row = dw + id * d->dimension;
        for (int64_t k = 0; k < d->dimension; k++) row[k] += dy[k];
    }
    return CT_OK;
}

static ct_status lower_with(ct__lower *l, int32_t ids, int64_t dimension, int64_t padding,
                            ct__kernel kernel) {
    table *d = CT__DATA(l, table);
    if (!d) return CT_ELIMIT;
    d->ids = ct__ids_of(l, ids);
    d->vocabulary = l->attr[0].i;
    d->dimension = dimension;
    d->padding = padding;
    d->cut = l->pieces > 0;
    l->run = kernel;
    l->data = d;
    l->impl = "rows";
    return CT_OK;
}
/* forward reads the padding row as it is */
static ct_status lower(ct__lower *l) { return lower_with(l, 0, l->in[1].shape.dim[1], -1, run); }
static ct_status rows_lower(ct__lower *l) {
    return lower_with(l, 0, l->in[1].shape.dim[1], l->attr[W_PADDING].i, run);
}
static ct_status weight_lower(ct__lower *l) {
    return lower_with(l, 1, l->out[0].shape.dim[1], l->attr[W_PADDING].i, run_weight);
}

/* A gradient of the table for each shard would be too much: the whole batch is added into one, by rows of the table. */
#define MOST_BYTES (32 << 20)
static int32_t weight_pieces(const ct__lower *l) {
    return l->shards > 1 && ct__count(&l->out[0].shape) > MOST_BYTES / 4 / l->shards ? 8 : 0;
}

static void ref_rows(ct__ref *r, int64_t padding) {
    int64_t dimension = r->in[1].shape.dim[1];
    for (uint64_t i = 0, n = ct__ref_count(&r->in[0]); i < n; i++)
        for (int64_t k = 0; k < dimension; k++) {
            int64_t id = (int64_t)r->in[0].v[i];
            r->out[0].v[(int64_t)i * dimension + k] = id == padding ? 0 : r->in[1].v[id * dimension + k];
        }
}
static void ref(ct__ref *r) { ref_rows(r, -1); }
static void rows_ref(ct__ref *r) { ref_rows(r, r->attr[W_PADDING].i); }
static void weight_ref(ct__ref *r) {
    int64_t dimension = r->out[0].shape.dim[1];
    for (uint64_t i = 0, n = ct__ref_count(&r->in[1]); i < n; i++)
        for (int64_t k = 0; k < dimension; k++) {
            int64_t id = (int64_t)r->in[1].v[i];
            if (id != r->attr[W_PADDING].i)
                r->out[0].v[id * dimension + k] += r->in[0].v[(int64_t)i * dimension + k];
        }
}

static const ct__case cases[] = {
    {.text = "t=i64<5>[N]; embedding(t, \"e\", 5, 3)", .flags = CT__CASE_SECOND},
    {.text = "t=i64<9>[N,7]; embedding(t, \"e\", 9, 16)", .flags = CT__CASE_SECOND},
    {.text = "t=i32<9>[N,7]; embedding(t, \"e\", 17, 1)"},
    {.text = "t=i64<2>[N,15]; embedding(t, \"e\", 2, 17)"},
    {.text = "t=i64<4>[N,3,5]; embedding(t, \"e\", 4, 8)"},
    {.text = "t=i64<4>[N,3]; embedding(transpose(t, 0, 1), \"e\", 4, 8)"},
    {.text = "t=i64<1>[8]; embedding(t, \"e\", 1, 9)"},
    {.text = "t=i64<6>[]; embedding(t, \"e\", 6, 4)"},
    {.text = "t=i64<6>[0,3]; embedding(t, \"e\", 6, 4)"},
    {.text = "t=i64<6>[N,4]; embedding(t, \"e\", 6, 4, init=\"normal\", init_b=0.02)"},
    {.text = "t=i64<6>[N,4]; embedding(t, \"e\", 6, 4, has_padding=1, padding=5)",
     .flags = CT__CASE_NO_GRAD}, /* that row has no gradient, whatever differences say */
    {.text = "t=f32[N]; embedding(t, \"e\", 5, 3)", .error = "input 1 is f32; wanted i64 or i32"},
    {.text = "t=i64<5>[N]; embedding(t, \"e\", 0, 3)", .error = "vocabulary is 0; wanted 1 to"},
    {.text = "t=i64<5>[N]; embedding(t, \"e\", 5, 3, has_padding=1, padding=5)",
     .error = "padding is 5; wanted 0..4"},
    {.text = "t=i64<5>[N]; embedding(t, \"e\", 5, 3, padding=2)", .error = "together with has_padding=1"},
    {.text = "t=i64<5>[N]; embedding(t, \"e\", 5, 3, tie=\"f.weight\")", .error = "f.weight"},
    {0},
};

const ct__op ct__op_embedding = {
    .name = "embedding",
    .summary = "rows of a table by id",
    .attrs = attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .layer = 1,
    .infer = infer,
    .slots = slots,
    .grad = grad,
    .batch = batch,
    .layout = layout,
    .lower = lower,
    .ref = ref,
    .cases = cases,
};
const ct__op ct__op_embedding_rows = {
    .name = "embedding_rows",
    .summary = "rows of a table by id, zeros for the padding id",
    .attrs = weight_attrs,
    .inputs_min = 2,
    .inputs_max = 2,
    .flags = CT__OP_INTERNAL,
    .infer = rows_infer,
    .grad = rows_grad,
    .batch = batch,
    .lower = rows_lower,
    .ref = rows_ref,
};
const ct__op ct__op_embedding_weight = {
    .name = "embedding_weight",
    .summary = "gradient of embedding by the table",
    .attrs = weight_attrs,
    .inputs_min = 2,
    .inputs_max = 2,
    .flags = CT__OP_INTERNAL,
    .infer = weight_infer,
    .grad = weight_grad,
    .batch = weight_batch,
    .pieces = weight_pieces,
    .lower = weight_lower,
    .ref = weight_ref,
};

/* ids [...] of i64 or i32 -> [..., dimension]; parameter NAME.weight [vocabulary, dimension]. */
ct_t ct_embedding(ct_t ids, const char *name, int64_t vocabulary, int64_t dimension, ct_embed options) {
    return ct__op_named(&ct__op_embedding, name, &ids, 1, (ct__value[]){{.i = vocabulary}, {.i = dimension}},
                        &options);
}
