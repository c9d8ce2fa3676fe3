/* trace.c: what ct_options.debug tells to the log hook (docs/tour.md): 1 a line a run, 2 the plan as a table, 3 the
 * nodes after each pass, 4 least, greatest, mean and odd numbers of every step's result. */
#include <math.h>
#include <stdio.h>

#include "op/relayout.h"
#include "plan/plan.h"

static void tell(const ct_ctx *c, const char *line) { c->options.log(c->options.log_user, line); }

int ct__traces(const ct_ctx *c, int32_t level) { return c->options.log && c->options.debug >= level; }

void ct__trace_run(const ct__instance *t, double seconds, ct_status status) {
    char line[200];
    snprintf(line, sizeof line, "run: batch %lld in %d shards, %d steps in %d phases, %.3f ms%s%s",
             (long long)t->batch, t->shards, t->steps, t->phases, seconds * 1e3, status ? ", " : "",
             status ? ct_status_name(status) : "");
    tell(t->plan->ctx, line);
}

static const char *const kinds[] = {"once", "piece", "shard"}, *const places[] = {"whole", "shard",
                                                                                  "partial"};

void ct__trace_plan(const ct__instance *t) {
    char line[600], shape[CT_SHAPE_TEXT];
    for (int32_t i = 0; i < t->steps; i++) {
        const ct__step *s = &t->step[i];
        const ct__val *v = s->node->n_out && s->node->out[0] >= 0 ? &t->val[s->node->out[0]] : NULL;
        snprintf(line, sizeof line, "step %d: %s%s \"%s\" %s %s, %s, %s, %llu bytes, %.3g GFLOP", i,
                 s->node->op->name, s->fused, s->node->name,
                 v ? ct_shape_format(&v->concrete.shape, shape) : "", v ? ct__layout_name(&v->layout) : "",
                 s->impl, kinds[s->node->kind], (unsigned long long)s->bytes, s->flops / 1e9);
        tell(t->plan->ctx, line);
    }
}

void ct__trace_pass(const ct__instance *t, const char *pass) {
    char line[600], shape[CT_SHAPE_TEXT];
    for (int32_t i = 0; i < t->nodes; i++) {
        const ct__pnode *n = t->node[i];
        const ct__val *v = n->n_out && n->out[0] >= 0 ? &t->val[n->out[0]] : NULL;
        snprintf(line, sizeof line, "%s: %d %s \"%s\" %s %s %s, %s, %d inputs", pass, i, n->op->name, n->name,
                 v ? ct_shape_format(&v->concrete.shape, shape) : "", v ? ct__layout_name(&v->layout) : "",
                 v ? places[v->place] : "", kinds[n->kind], n->n_in);
        tell(t->plan->ctx, line);
    }
}

void ct__trace_step(const ct__instance *t, const ct__step *s, int64_t task, void *const *arg) {
    const ct__pnode *n = s->node;
    const ct__val *v = n->n_out && n->out[0] >= 0 ? &t->val[n->out[0]] : NULL;
    const float *x = v ? arg[n->n_in] : NULL;
    double low = INFINITY, high = -INFINITY, sum = 0;
    char line[400];
    uint64_t count = v ? v->bytes / sizeof(float) : 0, odd = 0;
    if (!x || v->type.dtype != CT_F32) return;
    if (n->kind == CT__SHARDED && v->place == CT__SHARD && task == t->shards - 1)
        count = count / (uint64_t)t->rows * (uint64_t)t->last_rows;
    for (uint64_t i = 0; i < count; i++) {
        double f = (double)x[i];
        odd += isfinite(f) ? 0 : 1;
        if (!isfinite(f)) continue;
        low = f < low ? f : low;
        high = f > high ? f : high;
        sum += f;
    }
    snprintf(line, sizeof line,
             "value: %s%s \"%s\" task %lld: %.6g to %.6g, mean %.6g, %llu of %llu not finite", n->op->name,
             s->fused, n->name, (long long)task, low, high, sum / (double)(count ? count : 1),
             (unsigned long long)odd, (unsigned long long)count);
    tell(t->plan->ctx, line);
}
