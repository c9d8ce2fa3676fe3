/* lower.c: from nodes to steps: kernels for the full and for the ragged shard, argument references, phases. */
#include <stdio.h>
#include <string.h>

#include "op/relayout.h"
#include "plan/plan.h"

static int computes(const ct__instance *t, const ct__pnode *n) {
    (void)t;
    return n->op == &ct__op_scalar || !(n->op->flags & (CT__OP_SOURCE | CT__OP_VIEW));
}

/* A session's setting is read once a run. */
static ct_status run_scalar(const void *data, void *const *arg, const ct__exec *x) {
    *(float *)arg[0] = (float)x->scalars[*(const int64_t *)data];
    return CT_OK;
}

static ct_status lower_scalar(ct__lower *l) {
    int64_t *index = ct_arena_new(l->arena, sizeof *index);
    if (!index) return ct_fail(l->e, CT_ELIMIT, "plan: out of memory");
    *index = l->attr[0].i;
    l->run = run_scalar;
    l->data = index;
    l->impl = "setting";
    return CT_OK;
}

static ct_status lower_one(ct__instance *t, ct__pnode *n, int ragged, ct__lower *l, int32_t *tasks) {
    ct_status s = ct__ask(t, n, ragged, l);
    if (s) return s;
    l->pieces = n->pieces;
    if (n->pieces > 0) *tasks = n->pieces;
    if (n->op == &ct__op_scalar) return lower_scalar(l);
    if (n->chain) return ct__chain_lower(t, n, ragged, l);
    if (n->segments) return ct__segments_lower(t, n, l, tasks);
    if (n->op == &ct__op_sync) {
        *tasks = (int32_t)((t->val[n->in[0]].bytes / sizeof(float) + 16383) / 16384);
        if (*tasks < 1 || t->node[t->val[n->in[0]].node]->op->merge) *tasks = 1;
        return ct__sync_lower(t, n, l);
    }
    if (n->op == &ct__op_gather) return ct__gather_lower(t, n, l);
    if (!n->op->lower)
        return ct_fail(t->e, CT_EUSAGE, "%s \"%s\": has no kernel for this form; use another op", n->op->name,
                       n->name);
    s = n->op->lower(l);
    if (!s && strstr(l->impl ? l->impl : "", "ref"))
        return ct_fail(t->e, CT_EINTERNAL, "%s \"%s\": would run the reference implementation", n->op->name,
                       n->name);
    return s;
}

static ct_status lower_step(ct__instance *t, ct__pnode *n, ct__step *s) {
    int both = n->kind == CT__SHARDED && t->last_rows != t->rows;
    int32_t args = n->n_in + n->n_out, tasks = 1;
    if (args > CT__MAX_ARGS)
        return ct_fail(t->e, CT_ELIMIT, "plan: %s: %d arguments; wanted at most %d", n->op->name, args,
                       CT__MAX_ARGS);
    s->node = n;
    s->arg = ct_arena_array(&t->arena, (uint64_t)args + 1, sizeof *s->arg);
    if (!s->arg) return ct_fail(t->e, CT_ELIMIT, "plan: out of memory");
    for (int k = 0; k <= both; k++) {
        ct__lower l;
        ct_status e = lower_one(t, n, k, &l, &tasks);
        if (e) return e;
        s->run[k] = l.run;
        s->data[k] = l.data;
        s->dispose[k] = l.dispose;
        if (l.scratch > s->scratch) s->scratch = l.scratch;
        if (k == 0) {
            s->flops = l.flops * (n->kind == CT__SHARDED ? (double)t->batch / (double)t->rows : 1);
            s->impl = l.impl ? l.impl : "loops";
        }
    }
    if (!both) {
        s->run[1] = s->run[0];
        s->data[1] = s->data[0];
    }
    s->args = args;
    s->tasks = tasks;
    for (int32_t i = 0; i < args; i++) {
        const ct__val *v = n->in[i] >= 0 ? &t->val[n->in[i]] : NULL; /* outputs follow inputs */
        s->arg[i] = (ct__ref_arg){.base = CT__BASE_NONE};
        if (!v || v->base == CT__BASE_NONE) continue;
        int partial = n->kind == CT__SHARDED && v->place == CT__PARTIAL;
        s->arg[i] = (ct__ref_arg){.base = v->base,
                                  .partial = partial,
                                  .offset = v->offset,
                                  .stride = n->kind == CT__SHARDED ? v->stride : 0,
                                  .local = v->local,
                                  .count = (int64_t)(v->bytes / sizeof(float))};
        s->bytes += v->bytes * (v->place == CT__REPLICATE ? 1 : (uint64_t)t->shards);
    }
    return CT_OK;
}

static const char *fused_text(ct__instance *t, const ct__pnode *n) {
    char text[300];
    size_t used = 0;
    text[0] = '\0';
    for (int32_t i = 0; i < n->n_fused && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "+%s", n->fused[i].op->name);
    const char *copy = text[0] ? ct_arena_text(&t->arena, text) : "";
    return copy ? copy : "";
}

ct_status ct__pass_lower(ct__instance *t) {
    t->step = ct_arena_array(&t->arena, (uint64_t)t->nodes + 1, sizeof *t->step);
    t->phase = ct_arena_array(&t->arena, (uint64_t)t->nodes + 1, sizeof *t->phase);
    if (!t->step || !t->phase) return ct_fail(t->e, CT_ELIMIT, "plan: out of memory");
    for (int32_t i = 0, now = -1; i < t->nodes; i++) {
        ct__pnode *n = t->node[i];
        if (!computes(t, n)) continue;
        ct__step *s = &t->step[t->steps++];
        ct_status e = lower_step(t, n, s);
        if (e) return e;
        s->fused = fused_text(t, n);
        if (n->phase != now)
            t->phase[t->phases++] =
                (ct__phase){n->kind, t->steps - 1, 0, n->kind == CT__SHARDED ? t->lanes : 0, 0};
        now = n->phase;
        ct__phase *p = &t->phase[t->phases - 1];
        p->steps++;
        p->writes |= ct__writes_variables(n);
        if (n->kind == CT__PIECE) p->tasks += s->tasks;
        if (n->kind == CT__ONCE) p->tasks = 1;
        if (s->scratch > t->scratch_bytes) t->scratch_bytes = s->scratch;
    }
    t->scratch_bytes = (t->scratch_bytes + 4095) / 4096 * 4096;
    return CT_OK;
}
