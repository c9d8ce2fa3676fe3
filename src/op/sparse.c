/* Gradients of tables by the rows used.
 *
 * A table of vectors that is read by id alone (ct_embed.sparse = 1) has a gradient whose rows are zero wherever no id
 * points. It is kept as the rows used and their values, and a step touches these rows of the table and of its
 * moments alone; a batch of thousands of ids then costs the same beside ten rows or ten million.
 *
 *     sparse_order(ids_1, ..., ids_k) -> order, end, row, all [M], M the number of ids in the batch: the places
 *         0..M-1 of all ids (those of ids_1 first) sorted by (id, place), ids that are padding left out; slot u of the
 *         distinct ids in ascending order has the places order[end[u-1]..end[u]-1] and the id row[u]; a slot that
 *         stays empty has row -1
 *     sparse_sum(order, end, dy_1, ..., dy_k) -> values [M, D]: values[u] = the dy of its places, added in that order;
 *         zeros in empty slots
 * The order does not depend on how the batch is cut, so neither does any bit of the result. The steps are in
 * sparse_update.c. */
#include "op/sparse.h"

#include "op/index.h"

#define MAX_USES 16 /* lookups in one table */

static const ct__attr order_attrs[] = {
    POS_INT(vocabulary, CT__NODEF, 1, 1 << 30, "V, the number of rows"),
    POS_LIST(padding, "of each input: the id that counts nothing, -1 none"),
    {0},
};
enum { VOCABULARY, PADDING };

/* Elements of a shape without N, and how often N is in it (0 or 1, else -1). */
static int64_t per_sample(const ct_shape *s, int32_t *n) {
    uint64_t product = 1;
    *n = 0;
    for (int32_t i = 0; i < s->rank; i++) {
        *n += s->dim[i] < 0;
        if (!ct_mul_ok(product, (uint64_t)(s->dim[i] < 0 ? -s->dim[i] : s->dim[i]), &product) ||
            product > INT32_MAX)
            *n = -100;
    }
    return *n == 0 || *n == 1 ? (int64_t)product : -1;
}

static ct_status order_infer(ct__infer *f) {
    int64_t places = 0;
    int32_t ns = 0, n;
    char text[CT_SHAPE_TEXT], first[CT_SHAPE_TEXT];
    for (int32_t i = 0; i < f->n_in; i++) {
        if (ct__infer_index(f, i)) return CT_EUSAGE;
        int64_t k = per_sample(&f->in[i].shape, &n);
        if (k < 0 || (i && n != ns))
            return ct__infer_fail(
                f,
                "ids of a table are %s and %s; wanted N once in all of them or in none, and less "
                "than 2^31 a sample; leave sparse=1 out",
                ct_shape_format(&f->in[0].shape, first), ct_shape_format(&f->in[i].shape, text));
        ns = n;
        places += k;
    }
    if (ns) places = -places;
    f->n_out = 3;
    for (int32_t i = 0; i < 3; i++) f->out[i] = (ct__type){CT_I64, 0, ct_shape_make(1, &places)};
    return CT_OK;
}

static ct_status sum_infer(ct__infer *f) {
    const ct_shape *dy = &f->in[2].shape;
    int64_t s[2] = {f->in[0].shape.dim[0], dy->dim[dy->rank - 1]};
    f->out[0] = (ct__type){CT_F32, 0, ct_shape_make(2, s)};
    return CT_OK;
}

/* ---- sorting: least significant digits first, which keeps equal ids in the order of their places ---- */
#define DIGIT 11

typedef struct order_data {
    ct__ids ids[MAX_USES];
    int64_t padding[MAX_USES];
    int64_t places, vocabulary;
    int32_t uses, reserved;
} order_data;

typedef struct entry {
    int64_t id, place;
} entry;

/* Ids that count, in the order of their places; how many, -1: one is out of range. */
static int64_t collect(const order_data *d, void *const *arg, const ct__exec *x, entry *out) {
    int64_t n = 0, first = 0;
    for (int32_t k = 0; k < d->uses; first += d->ids[k++].count)
        for (int64_t i = 0; i < d->ids[k].count; i++) {
            int64_t id = ct__id(&d->ids[k], arg[k], i);
            if (id < 0 || id >= d->vocabulary) {
                ct__id_fail(&d->ids[k], x, i, id, d->vocabulary);
                return -1;
            }
            if (id != d->padding[k]) out[n++] = (entry){id, first + i};
        }
    return n;
}

static entry *sorted(entry *a, entry *b, int64_t n, int64_t vocabulary) {
    for (int shift = 0; (vocabulary - 1) >> shift > 0; shift += DIGIT) {
        int64_t begin[1 << DIGIT] = {0}, sum = 0;
        for (int64_t i = 0; i < n; i++) begin[a[i].id >> shift & ((1 << DIGIT) - 1)]++;
        for (int k = 0; k < 1 << DIGIT; k++) {
            int64_t count = begin[k];
            begin[k] = sum;
            sum += count;
        }
        for (int64_t i = 0; i < n; i++) b[begin[a[i].id >> shift & ((1 << DIGIT) - 1)]++] = a[i];
        entry *turn = a;
        a = b;
        b = turn;
    }
    return a;
}

static ct_status order_run(const void *data, void *const *arg, const ct__exec *x) {
    const order_data *d = data;
    int64_t *order = arg[d->uses], *end = arg[d->uses + 1], *row = arg[d->uses + 2], slot = -1;
    entry *first = x->scratch;
    int64_t n = collect(d, arg, x, first);
    if (n < 0) return CT_EDATA;
    const entry *e = sorted(first, first + d->places, n, d->vocabulary);
    for (int64_t i = 0; i < n; i++) {
        if (i == 0 || e[i].id != e[i - 1].id) row[++slot] = e[i].id;
        order[i] = e[i].place;
        end[slot] = i + 1;
    }
    for (int64_t i = n; i < d->places; i++) order[i] = -1;
    for (int64_t u = slot + 1; u < d->places; u++) {
        end[u] = n;
        row[u] = -1;
    }
    return CT_OK;
}

static ct_status order_lower(ct__lower *l) {
    order_data *d = CT__DATA(l, order_data);
    if (!d) return CT_ELIMIT;
    d->uses = l->n_in;
    d->vocabulary = l->attr[VOCABULARY].i;
    for (int32_t i = 0; i < l->n_in; i++) {
        d->ids[i] = ct__ids_of(l, i);
        d->padding[i] = l->attr[PADDING].list->v[i];
        d->places += d->ids[i].count;
    }
    l->run = order_run;
    l->data = d;
    l->scratch = 2 * (uint64_t)d->places * sizeof(entry);
    l->impl = "radix sort";
    return CT_OK;
}

static void order_ref(ct__ref *r) {
    int64_t n = 0, slot = -1, first, places = r->out[0].shape.dim[0];
    for (int64_t id = 0; id < r->attr[VOCABULARY].i; id++) {
        first = 0;
        for (int32_t k = 0, fresh = 1; k < r->n_in; k++) {
            int64_t count = (int64_t)ct__ref_count(&r->in[k]);
            for (int64_t i = 0; i < count; i++) {
                if ((int64_t)r->in[k].v[i] != id || r->attr[PADDING].list->v[k] == id) continue;
                if (fresh) r->out[2].v[++slot] = (double)id;
                fresh = 0;
                r->out[0].v[n++] = (double)(first + i);
                r->out[1].v[slot] = (double)n;
            }
            first += count;
        }
    }
    for (int64_t i = n; i < places; i++) r->out[0].v[i] = -1;
    for (int64_t u = slot + 1; u < places; u++) {
        r->out[1].v[u] = (double)n;
        r->out[2].v[u] = -1;
    }
}

/* ---- values ---- */

typedef struct sum_data {
    int64_t places, width;
    int64_t first[MAX_USES + 1]; /* place of each dy's first row */
    int32_t uses, reserved;
} sum_data;

static const float *row_at(const sum_data *d, void *const *arg, int64_t place) {
    int32_t k = 0;
    while (place >= d->first[k + 1]) k++;
    return (const float *)arg[2 + k] + (place - d->first[k]) * d->width;
}

static ct_status sum_run(const void *data, void *const *arg, const ct__exec *x) {
    const sum_data *d = data;
    const int64_t *order = arg[0], *stop = arg[1];
    float *values = arg[2 + d->uses];
    int64_t begin, end;
    ct__sparse_share(d->places, x, &begin, &end);
    for (int64_t u = begin; u < end; u++) {
        float *to = values + u * d->width;
        int64_t at = u ? stop[u - 1] : 0;
        if (at == stop[u])
            memset(to, 0, (size_t)d->width * sizeof *to);
        else
            memcpy(to, row_at(d, arg, order[at]), (size_t)d->width * sizeof *to);
        for (at++; at < stop[u]; at++) {
            const float *from = row_at(d, arg, order[at]);
            for (int64_t i = 0; i < d->width; i++) to[i] += from[i];
        }
    }
    return CT_OK;
}

static ct_status sum_lower(ct__lower *l) {
    sum_data *d = CT__DATA(l, sum_data);
    if (!d) return CT_ELIMIT;
    d->uses = l->n_in - 2;
    d->places = l->in[0].shape.dim[0];
    d->width = l->out[0].shape.dim[1];
    for (int32_t i = 0; i < d->uses; i++)
        d->first[i + 1] = d->first[i] + (d->width ? ct__count(&l->in[2 + i].shape) / d->width : 0);
    l->run = sum_run;
    l->data = d;
    l->impl = "rows";
    return CT_OK;
}

static int32_t sum_pieces(const ct__lower *l) { return ct__sparse_pieces(&l->out[0].shape); }

static void sum_ref(ct__ref *r) {
    int64_t width = r->out[0].shape.dim[1], places = r->out[0].shape.dim[0];
    for (int64_t u = 0; u < places; u++)
        for (int64_t at = u ? (int64_t)r->in[1].v[u - 1] : 0; at < (int64_t)r->in[1].v[u]; at++) {
            int64_t place = (int64_t)r->in[0].v[at];
            int32_t k = 2;
            while (place >= (int64_t)ct__ref_count(&r->in[k]) / width)
                place -= (int64_t)ct__ref_count(&r->in[k++]) / width;
            for (int64_t i = 0; i < width; i++) r->out[0].v[u * width + i] += r->in[k].v[place * width + i];
        }
}

const ct__op ct__op_sparse_order = {
    .name = "sparse_order",
    .summary = "places of ids, sorted by id",
    .attrs = order_attrs,
    .inputs_min = 1,
    .inputs_max = MAX_USES,
    .flags = CT__OP_INTERNAL,
    .infer = order_infer,
    .nondiff = "an order",
    .lower = order_lower,
    .tested = "tests/test_sparse.c",
    .ref = order_ref,
};
const ct__op ct__op_sparse_sum = {
    .name = "sparse_sum",
    .summary = "the gradient of a table, by the rows used",
    .inputs_min = 3,
    .inputs_max = MAX_USES + 2,
    .flags = CT__OP_INTERNAL,
    .infer = sum_infer,
    .nondiff = "it goes into an optimiser step; without sparse=1 the gradient is a tensor like any other",
    .pieces = sum_pieces,
    .lower = sum_lower,
    .tested = "tests/test_sparse.c",
    .ref = sum_ref,
};

/* ---- from a dense gradient to the rows used ---- */

extern const ct__op ct__op_embedding_weight, ct__op_add;
enum { W_VOCABULARY, W_PADDING, W_SPARSE }; /* embedding_weight's */

typedef struct uses {
    ct_t dy[MAX_USES], ids[MAX_USES];
    ct__ints padding;
    int64_t vocabulary;
    int32_t n, reserved;
} uses;

/* All lookups that the gradient comes from, in the order of the sum; 0: something else is in it. */
static int find_uses(ct_t grad, uses *u) {
    const ct_node *n = grad.node;
    if (n->op == &ct__op_add) return find_uses(n->in[0], u) && find_uses(n->in[1], u);
    if (n->op != &ct__op_embedding_weight || !n->attr[W_SPARSE].i || u->n == MAX_USES) return 0;
    u->dy[u->n] = n->in[0];
    u->ids[u->n] = n->in[1];
    u->padding.v[u->n++] = n->attr[W_PADDING].i;
    u->vocabulary = n->attr[W_VOCABULARY].i;
    return 1;
}

/* The gradient of a table by the rows used, for ct_sparse_*_update: its values [M,D] and *rows [M] of i64 (-1: an empty
 * slot), where every use of the table is a lookup of ct_embed.sparse = 1; else none (node NULL) and *rows as it was. */
ct_t ct_sparse_rows(ct_t grad, ct_t *rows) {
    uses u = {.n = 0};
    ct_t in[MAX_USES + 2];
    if (!ct_ok(grad) || !find_uses(grad, &u)) return ct__none();
    u.padding.count = u.n;
    ct__value attr[] = {{.i = u.vocabulary}, {.list = &u.padding}};
    ct_t order = ct__make(&ct__op_sparse_order, u.ids, u.n, attr);
    in[0] = order;
    in[1] = ct__output(order, 1);
    for (int32_t i = 0; i < u.n; i++) in[2 + i] = u.dy[i];
    *rows = ct__output(order, 2);
    return ct__make(&ct__op_sparse_sum, in, u.n + 2, NULL);
}
