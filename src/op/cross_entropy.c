/* Cross-entropy of logits (PyTorch's F.cross_entropy).
 *
 *     logits [N,C] or [N,C,d...], target: class ids (i32, i64) [N] or [N,d...], or probabilities (f32) of the
 *     logits' shape; class weight w [C], optional. With s = smoothing, p = softmax over axis 1:
 *     ids:            loss_i = -(1 - s) w_y log p_y - s/C sum_c w_c log p_c      0 where y is the ignored id
 *     probabilities:  loss_i = -sum_c w_c ((1 - s) t_c + s/C) log p_c
 *     mean: sum loss_i / sum w_y over what is not ignored (ids), / count (probabilities); sum; none: [N,d...]
 *     ids:  dx_c = dloss_i ((1 - s) w_y (p_c - [c = y]) + s/C (p_c sum w - w_c))
 *
 * Where nothing is left to divide by, all rows ignored or of weight 0, the mean is 0 (PyTorch's is NaN).
 * Ids go through one kernel (softmax_ce, and softmax_ce_grad with the row's log-sum-exp that forward kept);
 * probabilities through log_softmax. The mean divides by sums over the whole batch, however it is cut. A
 * label out of range ends the run with its sample's number. */
#include "kern/row.h"
#include "op/common.h"

static const ct__attr attrs[] = {
    OPT_CHOICE(ct_ce, reduction, "mean|sum|none", "what becomes of the losses"),
    OPT_FLOAT(ct_ce, smoothing, 0, 0, 1, "share of the target that is spread over all classes"),
    OPT_INT(ct_ce, has_ignore, 0, 0, 1, "1: rows whose id is `ignore` count nothing"),
    OPT_INT(ct_ce, ignore, 0, -2147483647, 2147483647, "the ignored id"),
    {0},
};
enum { REDUCTION, SMOOTHING, HAS_IGNORE, IGNORE };
enum { MEAN, SUM, NONE };

static const ct__attr row_attrs[] = {
    POS_FLOAT(smoothing, CT__NODEF, 0, 1, "share of the target that is spread over all classes"),
    POS_INT(has_ignore, CT__NODEF, 0, 1, "1: rows whose id is `ignore` count nothing"),
    POS_INT(ignore, CT__NODEF, -2147483647, 2147483647, "the ignored id"),
    POS_INT(places, CT__NODEF, 1, 9e18, "rows of one sample"),
    {0},
};
enum { ROW_SMOOTHING, ROW_HAS_IGNORE, ROW_IGNORE, ROW_PLACES };

static ct_shape without_classes(const ct_shape *s) {
    ct_shape r = *s;
    r.rank--;
    for (int32_t i = 1; i < r.rank; i++) r.dim[i] = s->dim[i + 1];
    r.dim[r.rank] = 0;
    return r;
}

static int has(const ct__infer *f, int32_t i) { return f->n_in > i && f->in[i].dtype != 0; }

static ct_status infer_target(const ct__infer *f, const ct_shape *ids) {
    char x[CT_SHAPE_TEXT], t[CT_SHAPE_TEXT], w[CT_SHAPE_TEXT], y[CT_SHAPE_TEXT];
    const ct_shape *have = &f->in[1].shape;
    int32_t dtype = f->in[1].dtype;
    if (dtype == CT_F32) {
        if (f->attr[HAS_IGNORE].i)
            return ct__infer_fail(f, "the target holds probabilities and an id is ignored; wanted class ids; "
                                     "leave has_ignore out");
        if (ct_shape_equal(have, &f->in[0].shape)) return CT_OK;
        return ct__infer_fail(
            f,
            "logits are %s, the target f32 %s; wanted probabilities %s, or class ids of i64 or i32 %s; make "
            "the ids an i64 input, or cast and reshape them",
            ct_shape_format(&f->in[0].shape, x), ct_shape_format(have, t),
            ct_shape_format(&f->in[0].shape, w), ct_shape_format(ids, y));
    }
    if (dtype != CT_I64 && dtype != CT_I32)
        return ct__infer_fail(f, "the target is %s; wanted i64 or i32 class ids, or f32 probabilities",
                              ct_dtype_name((ct_dtype)dtype));
    if (ct_shape_equal(have, ids)) return CT_OK;
    return ct__infer_fail(
        f, "logits are %s, the target %s; wanted a target %s of class ids; reshape it first",
        ct_shape_format(&f->in[0].shape, x), ct_shape_format(have, t), ct_shape_format(ids, w));
}

static ct_status infer(ct__infer *f) {
    char x[CT_SHAPE_TEXT], w[CT_SHAPE_TEXT];
    if (ct__infer_dtype(f, 0, CT_F32) || ct__infer_rank(f, 0, 2, CT_MAX_RANK)) return CT_EUSAGE;
    const ct_shape *s = &f->in[0].shape;
    ct_shape ids = without_classes(s);
    if (s->dim[1] < 1)
        return ct__infer_fail(f, "logits are %s; wanted a fixed number of classes on axis 1",
                              ct_shape_format(s, x));
    for (int32_t i = 0; i < ids.rank; i++)
        if (ids.dim[i] == 0 && f->attr[REDUCTION].i == MEAN)
            return ct__infer_fail(f, "logits are %s, without a row; wanted at least one for a mean",
                                  ct_shape_format(s, x));
    if (infer_target(f, &ids)) return CT_EUSAGE;
    if (has(f, 2)) {
        if (ct__infer_dtype(f, 2, CT_F32)) return CT_EUSAGE;
        if (f->in[2].shape.rank != 1 || f->in[2].shape.dim[0] != s->dim[1])
            return ct__infer_fail(f, "logits are %s, the class weight %s; wanted a weight [%lld]",
                                  ct_shape_format(s, x), ct_shape_format(&f->in[2].shape, w),
                                  (long long)s->dim[1]);
    }
    f->out[0] = (ct__type){CT_F32, 0, f->attr[REDUCTION].i == NONE ? ids : ct_shape_make(0, NULL)};
    return CT_OK;
}

/* ---- as simpler ops ---- */

/* Rows of an image-like tensor: [N,C,d...] -> [N d..., C] */
static ct_t class_rows(ct_t x, int64_t rows) {
    ct_shape s = ct_shape_of(x);
    int64_t axes[CT_MAX_RANK], flat[2] = {rows, s.dim[1]};
    if (s.rank == 2) return x;
    for (int32_t i = 0; i < s.rank; i++) axes[i] = i == 0 ? 0 : i + 1 < s.rank ? i + 1 : 1;
    return ct_reshape(ct_permute(x, ct_shape_make(s.rank, axes)), ct_shape_make(2, flat));
}

extern const ct__op ct__op_softmax_ce, ct__op_softmax_ce_grad;
static const ct_reduce no_keep;

static ct_t ignored_id(ct_t target, int64_t id) {
    int32_t narrow = (int32_t)id;
    int wide = ct_dtype_of(target) == CT_I64;
    return ct_constant(ct_graph_of(target), ct_dtype_of(target), ct_shape_make(0, NULL),
                       wide ? (void *)&id : (void *)&narrow);
}

static ct_t of_ids(const ct__value *a, ct_t x, ct_t target, ct_t weight) {
    ct_shape s = ct_shape_of(x), ids = ct_shape_of(target), all = ct_shape_make(0, NULL);
    int64_t places = 1;
    for (int32_t i = 2; i < s.rank; i++) places *= s.dim[i];
    int64_t rows = s.dim[0] * places;
    ct__value row[] = {a[SMOOTHING], a[HAS_IGNORE], a[IGNORE], {.i = places > 0 ? places : 1}};
    ct_t in[3] = {class_rows(x, rows), s.rank == 2 ? target : ct_reshape(target, ct_shape_make(1, &rows)),
                  weight};
    ct_t loss = ct__make(&ct__op_softmax_ce, in, 3, row);
    if (a[REDUCTION].i == NONE) return s.rank == 2 ? loss : ct_reshape(loss, ids);
    if (a[REDUCTION].i == SUM) return ct_sum(loss, all, no_keep);
    if (!weight.node && !a[HAS_IGNORE].i) return ct_mean(loss, all, no_keep);
    /* Without class weights it is counted from the labels alone, so that the count is known before the forward pass
     * (plan/phase.c). */
    ct_t counts =
        weight.node ? ct__output(loss, 2) : ct_cast(ct_ne(in[1], ignored_id(in[1], a[IGNORE].i)), CT_F32);
    ct_t divisor = ct_sum(counts, all, no_keep), zero = ct_number(ct_graph_of(x), 0);
    divisor = ct_where(ct_eq(divisor, zero), ct_number(ct_graph_of(x), 1), divisor);
    return ct_div(ct_sum(loss, all, no_keep), divisor);
}

static ct_t of_probabilities(const ct__value *a, ct_t x, ct_t target, ct_t weight) {
    ct_shape s = ct_shape_of(x), all = ct_shape_make(0, NULL);
    int64_t axis[1] = {1}, column[CT_MAX_RANK] = {s.dim[1], 1, 1, 1, 1, 1, 1, 1};
    double smoothing = a[SMOOTHING].f;
    ct_t log_p = ct_log_softmax(x, 1);
    if (weight.node)
        log_p = ct_mul(log_p, s.rank == 2 ? weight : ct_reshape(weight, ct_shape_make(s.rank - 1, column)));
    if (smoothing > 0)
        target = ct_add_scalar(ct_mul_scalar(target, 1 - smoothing), smoothing / (double)s.dim[1]);
    ct_t loss = ct_neg(ct_sum(ct_mul(target, log_p), ct_shape_make(1, axis), no_keep));
    if (a[REDUCTION].i == NONE) return loss;
    return a[REDUCTION].i == SUM ? ct_sum(loss, all, no_keep) : ct_mean(loss, all, no_keep);
}

static int expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    ct_t weight = node->n_in > 2 ? in[2] : ct__none();
    (void)g;
    (void)train;
    out[0] = ct_dtype_of(in[1]) == CT_F32 ? of_probabilities(node->attr, in[0], in[1], weight)
                                          : of_ids(node->attr, in[0], in[1], weight);
    return 1;
}

/* ---- reference ---- */

typedef struct place { /* one row of logits inside [N,C,d...] */
    const double *x;
    int64_t classes, step;
} place;

static double log_sum(const place *p) {
    double max = -INFINITY, sum = 0;
    for (int64_t c = 0; c < p->classes; c++) max = fmax(max, p->x[c * p->step]);
    for (int64_t c = 0; c < p->classes; c++) sum += exp(p->x[c * p->step] - max);
    return max + log(sum);
}

static void ref(ct__ref *r) {
    const ct_shape *s = &r->in[0].shape;
    double smoothing = r->attr[SMOOTHING].f, sum = 0, divisor = 0;
    int64_t outer, classes, inner;
    const double *w = r->n_in > 2 && r->in[2].present ? r->in[2].v : NULL;
    int ids = r->in[1].dtype != CT_F32;
    ct__split_axis(s, 1, &outer, &classes, &inner);
    for (int64_t i = 0; i < outer * inner; i++) {
        int64_t base = i / inner * classes * inner + i % inner, y = ids ? (int64_t)r->in[1].v[i] : -1;
        place p = {r->in[0].v + base, classes, inner};
        double lse = log_sum(&p), loss = 0;
        int skip = ids && r->attr[HAS_IGNORE].i && y == r->attr[IGNORE].i;
        for (int64_t c = 0; c < classes && !skip; c++) {
            double t = ids ? (double)(c == y) : r->in[1].v[base + c * inner];
            loss +=
                (w ? w[c] : 1) * ((1 - smoothing) * t + smoothing / (double)classes) * (lse - p.x[c * inner]);
        }
        if (r->attr[REDUCTION].i == NONE) r->out[0].v[i] = loss;
        sum += loss;
        if (!skip) divisor += ids && w && y >= 0 && y < classes ? w[y] : 1;
    }
    if (r->attr[REDUCTION].i != NONE)
        r->out[0].v[0] = r->attr[REDUCTION].i == SUM ? sum : sum / (divisor != 0 ? divisor : 1);
}

static const ct__case cases[] = {
    {.text = "x=f32[N,7]; t=i64<7>[N]; cross_entropy(x, t)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,10]; t=i32<10>[N]; cross_entropy(x, t)"},
    {.text = "x=f32[N,1]; t=i64<1>[N]; cross_entropy(x, t)"},
    {.text = "x=f32[N,8]; t=i64<8>[N]; cross_entropy(x, t, reduction=\"sum\")"},
    {.text = "x=f32[N,9]; t=i64<9>[N]; cross_entropy(x, t, reduction=\"none\")"},
    {.text = "x=f32[N,15]; t=i64<15>[N]; cross_entropy(x, t, smoothing=0.1)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,16]; t=i64<16>[N]; cross_entropy(x, t)"},
    {.text = "x=f32[N,17]; t=i64<17>[N]; cross_entropy(x, t)"},
    {.text = "x=f32[N,33]; t=i64<33>[N]; cross_entropy(x, t, smoothing=1)"},
    {.text = "x=f32[N,3]; t=i64<3>[N]; cross_entropy(x, t, has_ignore=1, ignore=1)",
     .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,4]; t=i64<4>[N]; cross_entropy(x, t, has_ignore=1, smoothing=0.2, reduction=\"none\")"},
    {.text = "x=f32[N,5]; t=i64<5>[N]; cross_entropy(x, t, has_ignore=1, ignore=-100)"},
    {.text = "x=f32[N,5]; t=i64<1>[N]; cross_entropy(x, t, has_ignore=1)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,6]; t=i64<6>[N]; w=f32[6]; cross_entropy(x, t, w)",
     .flags = CT__CASE_POSITIVE | CT__CASE_SECOND},
    {.text = "x=f32[N,20]; t=i64<20>[N]; w=f32[20]; cross_entropy(x, t, w, smoothing=0.3)",
     .flags = CT__CASE_POSITIVE | CT__CASE_SECOND},
    {.text = "x=f32[N,6]; t=i64<6>[N]; w=f32[6]; cross_entropy(x, t, w, reduction=\"sum\", has_ignore=1, "
             "ignore=2)",
     .flags = CT__CASE_POSITIVE},
    {.text = "x=f32[N,5,3]; t=i64<5>[N,3]; cross_entropy(x, t)"},
    {.text = "x=f32[N,5,2,3]; t=i64<5>[N,2,3]; cross_entropy(x, t, reduction=\"none\")"},
    {.text = "x=f32[4,5,2,3]; t=i32<5>[4,2,3]; w=f32[5]; cross_entropy(x, t, w, smoothing=0.1, has_ignore=1)",
     .flags = CT__CASE_POSITIVE},
    {.text = "x=f32[3,17]; t=i64<17>[3]; cross_entropy(x, t)"},
    {.text = "x=f32[N,7]; t=f32[N,7]; cross_entropy(x, t)", .flags = CT__CASE_POSITIVE | CT__CASE_SECOND},
    {.text = "x=f32[N,7]; t=f32[N,7]; w=f32[7]; cross_entropy(x, t, w, smoothing=0.2)",
     .flags = CT__CASE_POSITIVE},
    {.text = "x=f32[N,4,3]; t=f32[N,4,3]; w=f32[4]; cross_entropy(x, t, w, reduction=\"none\")",
     .flags = CT__CASE_POSITIVE},
    {.text = "x=f32[N,9]; t=f32[N,9]; cross_entropy(x, t, reduction=\"sum\")", .flags = CT__CASE_POSITIVE},
    {.text = "x=f32[N,7]; t=i64<1000>[N]; cross_entropy(x, t)", .error = "wanted 0 to 6"},
    {.text = "x=f32[N,7,2]; t=i64<1000>[N,2]; cross_entropy(x, t)", .error = "cross_entropy: sample "},
    {.text = "x=f32[0,7]; t=i64<7>[0]; cross_entropy(x, t, reduction=\"sum\")"},
    {.text = "x=f32[0,7]; t=i64<7>[0]; cross_entropy(x, t)", .error = "without a row"},
    {.text = "x=f32[N,7]; t=i64<7>[N,7]; cross_entropy(x, t)",
     .error = "the target [N,7]; wanted a target [N] of class ids"},
    {.text = "x=f32[N]; t=i64<7>[N]; cross_entropy(x, t)", .error = "input 1 is [N]; wanted 2 to"},
    {.text = "x=f32[N,7]; t=f32[N,6]; cross_entropy(x, t)", .error = "wanted probabilities [N,7], or class"},
    {.text = "x=f32[N,7]; t=f32[N]; cross_entropy(x, t)",
     .error = "class ids of i64 or i32 [N]; make the ids an i64 input"},
    {.text = "x=f32[N,7]; t=f32[N,1]; cross_entropy(x, t)",
     .error = "the target f32 [N,1]; wanted probabilities [N,7], or class ids of i64 or i32 [N]; "},
    {.text = "x=f32[N,7]; t=bool[N]; cross_entropy(x, t)", .error = "the target is bool"},
    {.text = "x=f32[N,7]; t=f32[N,7]; cross_entropy(x, t, has_ignore=1)",
     .error = "the target holds probabilities"},
    {.text = "x=f32[N,7]; t=i64<7>[N]; w=f32[6]; cross_entropy(x, t, w)", .error = "wanted a weight [7]"},
    {.text = "x=f32[N,7]; t=i64<7>[N]; cross_entropy(x, t, smoothing=2)",
     .error = "smoothing is 2; wanted 0 to 1"},
    {0},
};

const ct__op ct__op_cross_entropy = {
    .name = "cross_entropy",
    .summary = "cross-entropy of logits with class ids or probabilities",
    .attrs = attrs,
    .inputs_min = 2,
    .inputs_max = 3,
    .infer = infer,
    .expand = expand,
    .ref = ref,
    .cases = cases,
};

/* ---- rows of ids: softmax_ce(x [R,C], ids [R], w [C] or none) -> loss, lse, w_y, all [R] ---- */

static ct_status rows_infer(ct__infer *f) {
    f->n_out = 3;
    for (int32_t i = 0; i < 3; i++) f->out[i] = (ct__type){CT_F32, 0, f->in[1].shape};
    return CT_OK;
}
/* softmax_ce_grad(x, ids, lse, dloss, w or none) -> dx */
static ct_status grad_infer(ct__infer *f) {
    f->out[0] = f->in[0];
    return CT_OK;
}

static ct_t as_column(ct_t row) { return ct_unsqueeze(row, 1); }

/* What is taken from p in dx, for unit weights: (1 - s) [c = y] + s/C, 0 in ignored rows. It is minus the
 * gradient where p = e^(x - lse) vanishes. */
static ct_t target_share(ct_graph *g, const ct__value *attr, ct_t x, ct_t ids, double smoothing) {
    ct_shape rows = ct_shape_of(ids);
    ct__value a[] = {{.f = smoothing}, attr[ROW_HAS_IGNORE], attr[ROW_IGNORE], attr[ROW_PLACES]};
    ct_t in[5] = {x, ids, ct_expand(ct_number(g, 1e30), rows), ct_expand(ct_number(g, 1), rows), ct__none()};
    return ct_neg(ct__make(&ct__op_softmax_ce_grad, in, 5, a));
}

static ct_t sum_axis(ct_t x, int64_t axis) { return ct_sum(x, ct_shape_make(1, &axis), no_keep); }
static ct_t plus(ct_t a, ct_t b) { return a.node && b.node ? ct_add(a, b) : a.node ? a : b; }

static void rows_grad(ct__grad *g) {
    ct_t x = g->in[0], ids = g->in[1], lse = g->out[1], dloss = g->dout[0], dlse = g->dout[1],
         dw = g->dout[2];
    if (g->need[0]) {
        ct_t in[5] = {x, ids, lse, dloss, g->in[2]}, a = ct__none(), b = a;
        if (dloss.node) a = ct__make(&ct__op_softmax_ce_grad, in, 5, g->attr);
        if (dlse.node) b = ct_mul(ct_exp(ct_sub(x, as_column(lse))), as_column(dlse));
        g->din[0] = plus(a, b);
    }
    if (g->need[2]) {
        ct_t a = ct__none(), b = a;
        if (dloss.node) {
            ct_t share = target_share(g->graph, g->attr, x, ids, g->attr[ROW_SMOOTHING].f);
            a = sum_axis(ct_mul(ct_mul(as_column(dloss), share), ct_sub(as_column(lse), x)), 0);
        }
        if (dw.node) b = sum_axis(ct_mul(as_column(dw), target_share(g->graph, g->attr, x, ids, 0)), 0);
        g->din[2] = plus(a, b);
    }
}

/* dx = dloss (a p - q), p = e^(x - lse), a = sum q, q_c = w_c share_c. With u the cotangent:
 * d dloss = sum_c u (a p - q), dx = u dloss a p, dlse = -sum_c of that, dw = sum_r dloss share (sum_c u p - u) */
static void grad_grad(ct__grad *g) {
    ct_t x = g->in[0], ids = g->in[1], lse = g->in[2], dloss = g->in[3], u = g->dout[0];
    ct_t one = ct_expand(ct_number(g->graph, 1), ct_shape_of(lse)),
         far = ct_expand(ct_number(g->graph, 1e30), ct_shape_of(lse));
    ct_t whole[5] = {x, ids, lse, one, g->in[4]}, rest[5] = {x, ids, far, one, g->in[4]};
    ct_t unit = ct__make(&ct__op_softmax_ce_grad, whole, 5, g->attr);
    if (g->need[3]) g->din[3] = sum_axis(ct_mul(u, unit), 1);
    if (g->need[0] || g->need[2]) {
        ct_t soft = ct_sub(unit, ct__make(&ct__op_softmax_ce_grad, rest, 5, g->attr));
        ct_t dx = ct_mul(ct_mul(u, as_column(dloss)), soft);
        g->din[0] = dx;
        if (g->need[2]) g->din[2] = ct_neg(sum_axis(dx, 1));
    }
    if (g->need[4]) {
        ct_t share = target_share(g->graph, g->attr, x, ids, g->attr[ROW_SMOOTHING].f),
             p = ct_exp(ct_sub(x, as_column(lse)));
        ct_t inner = ct_sub(as_column(sum_axis(ct_mul(u, p), 1)), u);
        g->din[4] = sum_axis(ct_mul(ct_mul(as_column(dloss), share), inner), 0);
    }
}

typedef struct entropy {
    const ct__row_table *row;
    int64_t rows, classes, ignore, samples, places; /* samples: of axis 0 for one row of the batch */
    float smoothing;
    int32_t has_ignore, wide;
    int32_t reserved;
} entropy;

#define CHUNK 256 /* rows whose ids are checked at a time */

static ct_status take_ids(const entropy *d, const void *target, int64_t first, int64_t n, int32_t *label,
                          const ct__exec *x) {
    for (int64_t i = 0; i < n; i++) {
        int64_t v = d->wide ? ((const int64_t *)target)[first + i] : ((const int32_t *)target)[first + i];
        if (d->has_ignore && v == d->ignore) {
            label[i] = -1;
            continue;
        }
        if (v < 0 || v >= d->classes)
            return ct_fail(x->e, CT_EDATA, "cross_entropy: sample %lld has label %lld; wanted 0 to %lld",
                           (long long)(x->row0 * d->samples + (first + i) / d->places), (long long)v,
                           (long long)(d->classes - 1));
        label[i] = (int32_t)v;
    }
    return CT_OK;
}

static ct_status run_rows(const void *data, void *const *arg, const ct__exec *x) {
    const entropy *d = data;
    const float *weight = arg[2];
    float *loss = arg[3], *lse = arg[4], *own = arg[5];
    int32_t label[CHUNK];
    for (int64_t r = 0; r < d->rows; r += CHUNK) {
        int64_t n = d->rows - r < CHUNK ? d->rows - r : CHUNK;
        ct_status s = take_ids(d, arg[1], r, n, label, x);
        if (s) return s;
        d->row->softmax_ce(n, d->classes, (const float *)arg[0] + r * d->classes, label, weight, d->smoothing,
                           loss + r, lse + r);
        for (int64_t i = 0; own && i < n; i++)
            own[r + i] = label[i] < 0 ? 0.0f : weight ? weight[label[i]] : 1.0f;
    }
    return CT_OK;
}

static ct_status run_grad(const void *data, void *const *arg, const ct__exec *x) {
    const entropy *d = data;
    const float *lse = arg[2], *dloss = arg[3];
    int32_t label[CHUNK];
    for (int64_t r = 0; r < d->rows; r += CHUNK) {
        int64_t n = d->rows - r < CHUNK ? d->rows - r : CHUNK;
        ct_status s = take_ids(d, arg[1], r, n, label, x);
        if (s) return s;
        d->row->softmax_ce_grad(n, d->classes, (const float *)arg[0] + r * d->classes, label, arg[4],
                                d->smoothing, lse + r, dloss + r, (float *)arg[5] + r * d->classes);
    }
    return CT_OK;
}

static ct_status lower_with(ct__lower *l, ct__kernel run) {
    entropy *d = CT__DATA(l, entropy);
    int64_t k = l->symbolic[0].shape.dim[0];
    if (!d) return CT_ELIMIT;
    *d = (entropy){.row = l->simd->row,
                   .rows = l->in[0].shape.dim[0],
                   .classes = l->in[0].shape.dim[1],
                   .ignore = l->attr[ROW_IGNORE].i,
                   .places = l->attr[ROW_PLACES].i,
                   .smoothing = (float)l->attr[ROW_SMOOTHING].f,
                   .has_ignore = (int32_t)l->attr[ROW_HAS_IGNORE].i,
                   .wide = l->in[1].dtype == CT_I64};
    d->samples = k < 0 ? -k / d->places : 0;
    l->run = run;
    l->data = d;
    l->impl = "rows";
    return CT_OK;
}
static ct_status rows_lower(ct__lower *l) { return lower_with(l, run_rows); }
static ct_status grad_lower(ct__lower *l) { return lower_with(l, run_grad); }

typedef struct ref_row {
    const double *x, *w;
    double smoothing;
    int64_t classes, y; /* y < 0: ignored */
} ref_row;

static ref_row row_of(const ct__ref *r, int64_t i, const ct__ref_array *weight) {
    int64_t classes = r->in[0].shape.dim[1], y = (int64_t)r->in[1].v[i];
    if (r->attr[ROW_HAS_IGNORE].i && y == r->attr[ROW_IGNORE].i) y = -1;
    return (ref_row){r->in[0].v + i * classes, weight->present ? weight->v : NULL, r->attr[ROW_SMOOTHING].f,
                     classes, y};
}
static double share_of(const ref_row *r, int64_t c) {
    if (r->y < 0) return 0;
    return (r->w ? r->w[c] : 1) * ((1 - r->smoothing) * (c == r->y) + r->smoothing / (double)r->classes);
}

static void rows_ref(ct__ref *r) {
    for (int64_t i = 0; i < r->in[0].shape.dim[0]; i++) {
        ref_row row = row_of(r, i, &r->in[2]);
        place p = {row.x, row.classes, 1};
        double lse = log_sum(&p);
        for (int64_t c = 0; c < row.classes; c++) r->out[0].v[i] += share_of(&row, c) * (lse - row.x[c]);
        r->out[1].v[i] = lse;
        r->out[2].v[i] = row.y < 0 ? 0 : row.w && row.y < row.classes ? row.w[row.y] : 1;
    }
}
static void grad_ref(ct__ref *r) {
    for (int64_t i = 0; i < r->in[0].shape.dim[0]; i++) {
        ref_row row = row_of(r, i, &r->in[4]);
        double a = 0;
        for (int64_t c = 0; c < row.classes; c++) a += share_of(&row, c);
        for (int64_t c = 0; c < row.classes; c++)
            r->out[0].v[i * row.classes + c] =
                r->in[3].v[i] * (a * exp(row.x[c] - r->in[2].v[i]) - share_of(&row, c));
    }
}

const ct__op ct__op_softmax_ce = {
    .name = "softmax_ce",
    .summary = "cross-entropy of rows with ids",
    .attrs = row_attrs,
    .inputs_min = 2,
    .inputs_max = 3,
    .flags = CT__OP_INTERNAL,
    .infer = rows_infer,
    .grad = rows_grad,
    .batch = ct__batch_rows,
    .lower = rows_lower,
    .ref = rows_ref,
};
const ct__op ct__op_softmax_ce_grad = {
    .name = "softmax_ce_grad",
    .summary = "gradient of softmax_ce",
    .attrs = row_attrs,
    .inputs_min = 4,
    .inputs_max = 5,
    .flags = CT__OP_INTERNAL,
    .infer = grad_infer,
    .grad = grad_grad,
    .batch = ct__batch_rows,
    .lower = grad_lower,
    .ref = grad_ref,
};

/* Cross-entropy of logits [N,C] or [N,C,d...] with class ids or probabilities; class_weight [C], node NULL: none. */
ct_t ct_cross_entropy(ct_t logits, ct_t target, ct_t class_weight, ct_ce o) {
    ct_t in[3] = {logits, target, class_weight};
    return ct__op_with(&ct__op_cross_entropy, in, 3, NULL, &o);
}
