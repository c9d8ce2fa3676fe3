/* bench_equal.c: numbers of a net at given weights and batches, for comparison with other programs
 * (bench/equal.py): one file of tensors in, one out. Dropout is off. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench.h"

static ct_status keep_output(bench *b, ct_tensors *to, const char *name, const float *data, ct_shape shape) {
    ct_array a = ct_array_view((void *)(uintptr_t)data, CT_F32, shape);
    return ct_tensors_add(to, name, &a, &b->c->e);
}

static ct_status compute(bench *b, const ct_tensors *from, ct_tensors *to, const ct_t *out, int32_t n) {
    ct_plan *p = NULL;
    void *room[256] = {0};
    ct_array x, y;
    int64_t at_x = ct_tensors_find(from, "input"), at_y = ct_tensors_find(from, "target");
    if (at_x < 0 || at_y < 0 || ct_tensors_at(from, at_x, &x) || ct_tensors_at(from, at_y, &y))
        return ct_fail(&b->c->e, CT_EDATA, "%s: no `input` or `target`; wanted both", b->c->weights);
    ct_status s =
        ct_plan_new(out, n + 1, NULL, 0, (ct_compile){.train = 1, .batch = b->w->batch}, &p, &b->c->e);
    for (int32_t i = 0; !s && i <= n; i++) {
        uint64_t count = 1;
        ct_shape shape = ct_shape_of(out[i]);
        ct_shape_count(&shape, 1, &count);
        room[i] = calloc(count + 16, sizeof(float));
        if (!room[i]) s = ct_fail(&b->c->e, CT_ELIMIT, "out of memory");
    }
    if (!s) {
        s = ct_run(b->session, p, (const void *[2]){x.data, y.data}, x.dim[0], room);
        if (s) ct_fail(&b->c->e, s, "bench %s: %s", b->w->name, ct_session_error(b->session));
    }
    for (int32_t i = 0; !s && i <= n; i++)
        s = keep_output(b, to, i ? ct_name_of(out[i + n]) : "loss", room[i], ct_shape_of(out[i]));
    for (int32_t i = 0; i <= n; i++) free(room[i]);
    ct_plan_free(p);
    return s;
}

ct_status bench_gradients(bench *b) {
    ct_tensors *from = NULL, *to = NULL;
    ct_t all[512];
    int32_t n = ct_parameters(b->loss, NULL, 0);
    if (n > 255) return ct_fail(&b->c->e, CT_ELIMIT, "%d parameters; wanted at most 255", n);
    all[0] = b->loss; /* loss, gradients, parameters */
    ct_parameters(b->loss, all + 1 + n, n);
    ct_status s = ct_tensors_load(NULL, NULL, b->c->weights, &from, &b->c->e);
    if (!s) s = ct_weights_apply(b->ctx, from, b->c->weights, 1 << CT_PARAM, 1, &b->c->e);
    if (!s && ct_grad(b->loss, NULL, all + 1 + n, n, all + 1))
        s = ct_fail(&b->c->e, CT_EINTERNAL, "%s", ct_error(b->ctx));
    if (!s) s = ct_tensors_new(NULL, &to, &b->c->e);
    if (!s) s = compute(b, from, to, all, n);
    if (!s) s = ct_tensors_save(NULL, to, b->c->gradients, &b->c->e);
    ct_tensors_free(from);
    ct_tensors_free(to);
    return s;
}

/* ---- training freely ---- */

/* Batch k: `input.k`, `target.k`; 0: there is none. */
static int batch_of(const ct_tensors *from, int64_t k, ct_array *x, ct_array *y) {
    char name[2][32];
    snprintf(name[0], sizeof name[0], "input.%lld", (long long)k);
    snprintf(name[1], sizeof name[1], "target.%lld", (long long)k);
    int64_t at_x = ct_tensors_find(from, name[0]), at_y = ct_tensors_find(from, name[1]);
    return at_x >= 0 && at_y >= 0 && !ct_tensors_at(from, at_x, x) && !ct_tensors_at(from, at_y, y);
}

static ct_status follow(bench *b, const ct_tensors *from, float *loss, int64_t steps) {
    ct_array x, y;
    ct_status s = CT_OK;
    for (int64_t k = 0; !s && k < steps; k++) {
        batch_of(from, k, &x, &y);
        s = ct_run(b->session, b->train, (const void *[2]){x.data, y.data}, x.dim[0],
                   (void *[2]){loss + k, NULL});
        if (s)
            ct_fail(&b->c->e, s, "bench %s: step %lld: %s", b->w->name, (long long)k + 1,
                    ct_session_error(b->session));
    }
    return s;
}

ct_status bench_losses(bench *b) {
    ct_tensors *from = NULL, *to = NULL;
    ct_array x, y;
    float *loss = NULL;
    int64_t steps = 0;
    ct_status s = ct_tensors_load(NULL, NULL, b->c->weights, &from, &b->c->e);
    if (!s) s = ct_weights_apply(b->ctx, from, b->c->weights, 1 << CT_PARAM, 1, &b->c->e);
    while (!s && batch_of(from, steps, &x, &y)) steps++;
    if (!s && !steps)
        s = ct_fail(&b->c->e, CT_EDATA,
                    "%s: no `input.0` and `target.0`; wanted a batch for each step; add them", b->c->weights);
    if (!s && !(loss = calloc((size_t)steps, sizeof *loss)))
        s = ct_fail(&b->c->e, CT_ELIMIT, "out of memory");
    if (!s) s = follow(b, from, loss, steps);
    if (!s) s = ct_tensors_new(NULL, &to, &b->c->e);
    if (!s) s = keep_output(b, to, "loss", loss, CT_SHAPE(steps));
    if (!s) s = ct_weights_collect(b->ctx, 1 << CT_PARAM, to, &b->c->e);
    if (!s) s = ct_tensors_save(NULL, to, b->c->losses, &b->c->e);
    free(loss);
    ct_tensors_free(from);
    ct_tensors_free(to);
    return s;
}
