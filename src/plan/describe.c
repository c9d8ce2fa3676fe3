/* describe.c: a plan as data for the reader: steps, bytes, implementations, and measured times. */
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "kern/conv.h"
#include "op/relayout.h"
#include "plan/plan.h"

const char *ct_cpu_features(void) { return ct__simd_of(0)->name; }
const char *ct_kernel_library(void) { return ct__onednn_version(); }

/* Variables that the plan uses, and their copies in other orders. */
static uint64_t parameter_bytes(const ct__instance *t) {
    uint64_t bytes = 0;
    for (int32_t i = 0; i < t->nodes; i++)
        if (t->node[i]->op == &ct__op_var) bytes += t->node[i]->origin->var->bytes;
    for (int32_t i = 0; i < t->n_derived; i++) bytes += t->derived[i]->bytes;
    for (int32_t i = 0; i < t->n_states; i++) bytes += ct__state_bytes(t->state[i], t->batch);
    return bytes;
}

ct_status ct_plan_describe(ct_plan *p, int64_t batch, ct_plan_info *out, ct_err *e) {
    ct__instance *t;
    ct_status s = ct__instance_of(p, batch, &t, e);
    if (s) return s;
    *out = (ct_plan_info){.peak_bytes = parameter_bytes(t) + ct__frame_of(t).bytes,
                          .shards = t->shards,
                          .shard_rows = t->rows,
                          .steps = t->steps,
                          .phases = t->phases};
    ct__instance_leave(t);
    return CT_OK;
}

ct_status ct_plan_step(ct_plan *p, int64_t batch, int64_t index, ct_step_info *out, ct_err *e) {
    static const char *const kinds[] = {"once", "piece", "shard"};
    ct__instance *t;
    ct_status s = ct__instance_of(p, batch, &t, e);
    if (s) return s;
    if (index < 0 || index >= t->steps) {
        s = ct_fail(e, CT_EUSAGE, "plan: step %lld; wanted 0 to %d", (long long)index, t->steps - 1);
        ct__instance_leave(t);
        return s;
    }
    const ct__step *step = &t->step[index];
    const ct__pnode *n = step->node;
    const ct__val *v = n->n_out > 0 && n->out[0] >= 0 ? &t->val[n->out[0]] : NULL;
    *out = (ct_step_info){.op = n->op->name,
                          .fused = step->fused,
                          .name = n->name,
                          .layout = v ? ct__layout_name(&v->layout) : "",
                          .impl = step->impl,
                          .phase = kinds[n->kind],
                          .phase_index = n->phase,
                          .tasks = n->kind == CT__SHARDED ? t->shards
                                   : n->kind == CT__PIECE ? step->tasks
                                                          : 1,
                          .bytes = step->bytes,
                          .flops = step->flops,
                          .ms = step->ms};
    if (v) out->shape = v->concrete.shape;
    ct__instance_leave(t);
    return CT_OK;
}

/* ---- profile ---- */

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static ct_status measure(ct_session *s, ct__instance *t, const void *const *in, int32_t repeats, double *ms) {
    ct_status status = CT_OK;
    for (int32_t r = 0; r < repeats && !status; r++) {
        for (int32_t i = 0; i < t->steps; i++) t->step[i].ms = 0;
        status = ct__run_instance(s, t, in, NULL, CT__PROFILE);
        for (int32_t i = 0; i < t->steps; i++) ms[i * repeats + r] = t->step[i].ms;
    }
    for (int32_t i = 0; i < t->steps && !status; i++) {
        qsort(ms + i * repeats, (size_t)repeats, sizeof *ms, by_value);
        t->step[i].ms = ms[i * repeats + repeats / 2];
    }
    return status;
}

/* What to measure on: floats between 0 and 1, and integers that are 0, an index of every table and a class of every
 * loss. Not zeros throughout: batch norm has the variance 0 then, the gradient of each is 1 / sqrt(eps) = 316 times
 * that of the next one, and sixteen of them pass the largest float. */
static int draw_inputs(ct_arena *a, ct_plan *p, int64_t batch, const void **in) {
    for (int32_t i = 0; i < p->inputs; i++) {
        uint64_t count = 0;
        ct_shape shape = ct_plan_input_shape(p, i);
        ct_random random = ct_random_stream(0, (uint64_t)i);
        void *data =
            ct_shape_count(&shape, batch, &count) ? ct_arena_array(a, count + 16, sizeof(double)) : NULL;
        if (!data) return 0;
        for (uint64_t k = 0; ct_plan_input_dtype(p, i) == CT_F32 && k < count; k++)
            ((float *)data)[k] = ((float)(ct_random_u32(&random) >> 9) + 0.5F) / 8388608.0F;
        in[i] = data;
    }
    return 1;
}

typedef struct storage {
    void *data;
    uint64_t bytes;
} storage;
static storage storage_of(const ct_session *s, const ct__var *v) {
    if (v->kind != CT_STATE) return (storage){v->data, v->bytes};
    return (storage){s->state[v->index].data, s->state[v->index].bytes};
}

ct_status ct_plan_profile(ct_session *s, ct_plan *p, int64_t batch, int32_t repeats) {
    ct__instance *t;
    if (repeats < 1 || repeats > 1000)
        return ct_fail(&s->error, CT_EUSAGE, "profile: repeats is %d; wanted 1 to 1000", repeats);
    ct_status status = ct__instance_of(p, batch, &t, &s->error);
    if (status) return status;
    ct_arena arena = {.allocator = &p->ctx->allocator};
    const void **in = ct_arena_array(&arena, (uint64_t)p->inputs + 1, sizeof *in);
    double *ms = ct_arena_array(&arena, (uint64_t)t->steps * (uint64_t)repeats + 1, sizeof *ms);
    void **copy = ct_arena_array(&arena, (uint64_t)t->n_written + 1, sizeof *copy);
    int ok = in && ms && copy && draw_inputs(&arena, p, batch, in);
    for (int32_t i = 0; ok && i < t->n_states; i++) /* so that there is something to keep */
        ok = !ct__states_reserve(s, &s->error) && !ct__state_prepare(s, t->state[i], batch, &s->error);
    for (int32_t i = 0; ok && i < t->n_written; i++) {
        storage v = storage_of(s, t->written[i]);
        ok = (copy[i] = ct_arena_new(&arena, v.bytes)) != NULL;
        if (ok) memcpy(copy[i], v.data, v.bytes);
    }
    status = ok ? measure(s, t, in, repeats, ms) : ct_fail(&s->error, CT_ELIMIT, "profile: out of memory");
    for (int32_t i = 0; ok && i < t->n_written; i++) {
        storage v = storage_of(s, t->written[i]);
        memcpy(v.data, copy[i], v.bytes);
        t->written[i]->version++; /* derived copies were made of what is gone again */
    }
    ct_arena_free(&arena);
    ct__instance_leave(t);
    return status;
}
