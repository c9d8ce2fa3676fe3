/* attention_kernel.c: the kernels of attention.
 *
 * Queries go in blocks against all keys that one of them may see; a block's probabilities live in scratch, and
 * the backward pass makes them again from the row's log-sum-exp. Blocks go backwards there: the last sees all
 * keys that any sees, so it writes dk and dv, and the others add. Causal blocks are smaller, since half of what a
 * block sees on the diagonal is thrown away. */
#include "op/attention.h"

#include "kern/gemm.h"
#include "kern/row.h"

#define BLOCK 64
#define CAUSAL_BLOCK 32

typedef struct attention {
    ct__attention a;
    int64_t block, stride;      /* queries of a block; floats between rows of p */
    uint64_t space_at, gemm_at; /* in scratch */
    float scale;
    int32_t reserved;
    const ct__row_table *row;
    void (*gemm)(const ct__gemm *g, const float *a, const float *b, const float *bias, const float *plus,
                 float *c, void *scratch);
} attention;

typedef struct block {               /* some queries of one head */
    int64_t n, h, first, rows, keys; /* keys: that any of them may see */
    float *p, *ds;                   /* [rows, stride] */
    char *scratch;
} block;

static float *head_of(const ct__heads *x, void *const *arg, int64_t n, int64_t h) {
    float *base = x->arg < 0 ? NULL : arg[x->arg];
    return base ? base + x->at + n * x->sample + h * x->head : NULL;
}
static int64_t key_head(const attention *c, int64_t h) { return h / (c->a.h / c->a.g); }

static block block_at(const attention *c, int64_t head, int64_t number, void *scratch) {
    const ct__attention *a = &c->a;
    block b = {.n = head / a->h, .h = head % a->h, .first = number * c->block, .keys = a->s};
    b.rows = a->t - b.first < c->block ? a->t - b.first : c->block;
    if (a->causal && b.first + b.rows < b.keys) b.keys = b.first + b.rows;
    b.scratch = scratch;
    b.p = scratch;
    b.ds = b.p + c->block * c->stride;
    return b;
}

/* The mask of query i as a row of keys, or NULL; one that does not lie in steps of one is gathered. */
static const void *mask_row(const attention *c, const block *b, const void *mask, int64_t i, int64_t keys) {
    const ct__attention *a = &c->a;
    int64_t at = b->n * a->mask_stride[0] + b->h * a->mask_stride[1] + i * a->mask_stride[2];
    int64_t step = a->mask_stride[3];
    void *space = b->scratch + c->space_at;
    if (!a->mask) return NULL;
    if (a->mask == CT_F32) {
        const float *m = (const float *)mask + at;
        for (int64_t k = 0; step != 1 && k < keys; k++) ((float *)space)[k] = m[k * step];
        return step == 1 ? m : space;
    }
    const uint8_t *m = (const uint8_t *)mask + at;
    for (int64_t k = 0; step != 1 && k < keys; k++) ((uint8_t *)space)[k] = m[k * step];
    return step == 1 ? m : space;
}

/* out [rows, keys] = x y', x the block's rows of queries or dy, y rows of keys or values */
static void products(const attention *c, const block *b, const ct__heads *x, const float *of_x,
                     const ct__heads *y, const float *of_y, int64_t depth, float *out) {
    ct__gemm g = {.m = b->rows,
                  .n = b->keys,
                  .k = depth,
                  .a_row = x->row,
                  .a_col = 1,
                  .b_row = 1,
                  .b_col = y->row,
                  .c_row = c->stride};
    c->gemm(&g, of_x + b->first * x->row, of_y, NULL, NULL, out, b->scratch + c->gemm_at);
}
/* out [rows, width] = p y */
static void gather(const attention *c, const block *b, const float *p, const ct__heads *y, const float *of_y,
                   int64_t width, const ct__heads *out, float *of_out) {
    ct__gemm g = {.m = b->rows,
                  .n = width,
                  .k = b->keys,
                  .a_row = c->stride,
                  .a_col = 1,
                  .b_row = y->row,
                  .b_col = 1,
                  .c_row = out->row};
    c->gemm(&g, p, of_y, NULL, NULL, of_out + b->first * out->row, b->scratch + c->gemm_at);
}
/* out [keys, width] = or += p' x; the first to write also clears the keys that nobody sees */
static void scatter(const attention *c, const block *b, const float *p, const ct__heads *x, const float *of_x,
                    int64_t width, const ct__heads *out, float *of_out, int first) {
    ct__gemm g = {.m = b->keys,
                  .n = width,
                  .k = b->rows,
                  .a_row = 1,
                  .a_col = c->stride,
                  .b_row = x->row,
                  .b_col = 1,
                  .c_row = out->row,
                  .accumulate = !first};
    c->gemm(&g, p, of_x + b->first * x->row, NULL, NULL, of_out, b->scratch + c->gemm_at);
    for (int64_t k = b->keys; first && k < c->a.s; k++)
        memset(of_out + k * out->row, 0, (size_t)width * sizeof *of_out);
}

/* p [rows, keys]; lse [rows] is written, or known and read */
static void probabilities(const attention *c, const block *b, void *const *arg, float *lse, int known) {
    const ct__attention *a = &c->a;
    float max[BLOCK], total[BLOCK];
    int64_t kh = key_head(c, b->h);
    products(c, b, &a->q, head_of(&a->q, arg, b->n, b->h), &a->k, head_of(&a->k, arg, b->n, kh), a->d, b->p);
    for (int64_t r = 0; r < b->rows; r++) {
        float *row = b->p + r * c->stride;
        int64_t keys = a->causal && b->first + r + 1 < b->keys ? b->first + r + 1 : b->keys;
        const void *m = a->mask ? mask_row(c, b, arg[a->mask_arg], b->first + r, keys) : NULL;
        const uint8_t *allowed = a->mask == CT_BOOL ? m : NULL;
        const float *added = a->mask == CT_F32 ? m : NULL;
        if (known)
            c->row->attend_again(keys, c->scale, allowed, added, lse[r], row);
        else
            c->row->attend(keys, c->scale, allowed, added, row, &max[r], &total[r]);
        if (keys < b->keys) memset(row + keys, 0, (size_t)(b->keys - keys) * sizeof *row);
    }
    if (!known && lse) c->row->attend_sums(b->rows, max, total, lse);
}

static int64_t blocks_of(const attention *c) { return (c->a.t + c->block - 1) / c->block; }

static ct_status run(const void *data, void *const *arg, const ct__exec *x) {
    const attention *c = data;
    const ct__attention *a = &c->a;
    float *lse = a->lse_arg < 0 ? NULL : arg[a->lse_arg];
    for (int64_t head = 0; head < a->n * a->h; head++)
        for (int64_t i = 0; i < blocks_of(c); i++) {
            block b = block_at(c, head, i, x->scratch);
            probabilities(c, &b, arg, lse ? lse + head * a->t + b.first : NULL, 0);
            gather(c, &b, b.p, &a->v, head_of(&a->v, arg, b.n, key_head(c, b.h)), a->e, &a->y,
                   head_of(&a->y, arg, b.n, b.h));
        }
    return CT_OK;
}

static void block_grad(const attention *c, const block *b, void *const *arg, int first) {
    const ct__attention *a = &c->a;
    int64_t kh = key_head(c, b->h);
    const float *dy = head_of(&a->y, arg, b->n, b->h), *q = head_of(&a->q, arg, b->n, b->h);
    const float *k = head_of(&a->k, arg, b->n, kh), *v = head_of(&a->v, arg, b->n, kh);
    float *dq = head_of(&a->dq, arg, b->n, b->h), *dk = head_of(&a->dk, arg, b->n, kh);
    float *dv = head_of(&a->dv, arg, b->n, kh);
    float *lse = (float *)arg[a->lse_arg] + (b->n * a->h + b->h) * a->t + b->first;
    probabilities(c, b, arg, lse, 1);
    if (dv) scatter(c, b, b->p, &a->y, dy, a->e, &a->dv, dv, first);
    if (!dq && !dk) return;
    products(c, b, &a->y, dy, &a->v, v, a->e, b->ds);
    for (int64_t r = 0; r < b->rows; r++)
        c->row->attend_grad(b->keys, c->scale, b->p + r * c->stride, b->ds + r * c->stride);
    if (dq) gather(c, b, b->ds, &a->k, k, a->d, &a->dq, dq);
    if (dk) scatter(c, b, b->ds, &a->q, q, a->d, &a->dk, dk, first);
}

static ct_status run_grad(const void *data, void *const *arg, const ct__exec *x) {
    const attention *c = data;
    for (int64_t head = 0; head < c->a.n * c->a.h; head++)
        for (int64_t i = blocks_of(c) - 1; i >= 0; i--) {
            block b = block_at(c, head, i, x->scratch);
            block_grad(c, &b, arg, i == blocks_of(c) - 1 && head % (c->a.h / c->a.g) == 0);
        }
    return CT_OK;
}

/* ---- lowering ---- */
void ct__attention_mask(ct__attention *a, const ct__type *mask, int32_t arg) {
    int64_t step = 1;
    a->mask_arg = -1;
    if (!mask || !mask->dtype) return;
    a->mask = mask->dtype;
    a->mask_arg = arg;
    for (int32_t i = 1; i <= mask->shape.rank; i++) {
        int64_t extent = mask->shape.dim[mask->shape.rank - i];
        a->mask_stride[4 - i] = extent == 1 ? 0 : step;
        step *= extent;
    }
}

/* The greatest scratch of the products, with the strides that they have and the extents of a whole block. */
static uint64_t gemm_scratch(const attention *c) {
    const ct__attention *a = &c->a;
    int64_t deep = a->d > a->e ? a->d : a->e;
    ct__gemm g[4] = {{.m = c->block, .n = a->s, .k = a->d, .a_row = a->q.row, .a_col = 1, .b_row = 1},
                     {.m = c->block, .n = a->s, .k = a->e, .a_row = a->y.row, .a_col = 1, .b_row = 1},
                     {.m = c->block, .n = deep, .k = a->s, .a_row = c->stride, .a_col = 1, .b_col = 1},
                     {.m = a->s, .n = deep, .k = c->block, .a_row = 1, .a_col = c->stride, .b_col = 1}};
    uint64_t most = 0;
    for (int i = 0; i < 4; i++)
        if (ct__gemm_scratch(&g[i]) > most) most = ct__gemm_scratch(&g[i]);
    return most;
}

static ct_status lower_with(ct__lower *l, const ct__attention *a, ct__kernel kernel, int buffers) {
    attention *c = CT__DATA(l, attention);
    if (!c) return CT_ELIMIT;
    *c = (attention){.a = *a,
                     .block = a->causal ? CAUSAL_BLOCK : BLOCK,
                     .stride = (a->s + 15) / 16 * 16,
                     .scale = (float)a->scale,
                     .row = l->simd->row,
                     .gemm = l->simd->gemm->run};
    c->space_at = (uint64_t)(buffers * c->block * c->stride) * sizeof(float);
    c->gemm_at = c->space_at + (uint64_t)c->stride * sizeof(float);
    l->scratch = c->gemm_at + gemm_scratch(c);
    l->run = kernel;
    l->data = c;
    l->impl = "blocks";
    l->flops = 2.0 * (double)(a->n * a->h * a->t) * (double)a->s * (double)(a->d + a->e) *
               (buffers == 2 ? 2.5 : 1) * (a->causal ? 0.5 : 1);
    return CT_OK;
}
ct_status ct__attention_lower(ct__lower *l, const ct__attention *a) { return lower_with(l, a, run, 1); }
ct_status ct__attention_grad_lower(ct__lower *l, const ct__attention *a) {
    return lower_with(l, a, run_grad, 2);
}
