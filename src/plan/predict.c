/* predict.c: the simple tier. Plans of ct_predict are kept by the tensor they compute, those used last first;
 * what they hold is bounded in bytes, and a graph that is freed takes its plans along. A tensor is known by its
 * graph's number and its own, as an address may come again. A run that fails leaves the context as it was: the
 * text is the default session's, and the next call tries anew. */
#include "plan/plan.h"

typedef struct cached {
    uint64_t graph;
    int32_t node, out;
    ct_plan *plan;
    struct cached *next; /* used before this one */
} cached;
typedef struct cache {
    ct_ctx *ctx;
    cached *first;
} cache;

#define KEPT_BYTES (128u << 20)
#define KEPT_PLANS 64

static void drop(cache *k, cached **at) {
    cached *c = *at;
    *at = c->next;
    ct_plan_free(c->plan);
    ct_delete(&k->ctx->allocator, c, sizeof *c);
}

static void cache_free(void *plans) {
    cache *k = plans;
    if (!k) return;
    while (k->first) drop(k, &k->first);
    ct_delete(&k->ctx->allocator, k, sizeof *k);
}

static void cache_forget(void *plans, const ct_graph *g) {
    cache *k = plans;
    for (cached **at = &k->first; *at;)
        if ((*at)->graph == g->serial)
            drop(k, at);
        else
            at = &(*at)->next;
}

/* The plan just used is first; it stays whatever it holds. */
static void trim(cache *k) {
    uint64_t bytes = 0;
    int32_t n = 0;
    for (cached **at = &k->first; *at;) {
        bytes += (*at)->plan->bytes + (*at)->plan->graph->arena.bytes;
        if (n++ > 0 && (bytes > KEPT_BYTES || n > KEPT_PLANS))
            drop(k, at);
        else
            at = &(*at)->next;
    }
}

static cache *cache_of(ct_ctx *c) {
    cache *k = c->plans;
    if (k) return k;
    k = ct_new(&c->allocator, sizeof *k);
    if (!k) return NULL;
    k->ctx = c;
    c->plans = k;
    c->plans_free = cache_free;
    c->plans_forget = cache_forget;
    return k;
}

static ct_status cached_plan(ct_ctx *c, ct_t y, ct_plan **plan, ct_err *e) {
    cache *k = cache_of(c);
    if (!k) return ct_fail(e, CT_ELIMIT, "predict: out of memory");
    cached **at = &k->first;
    while (*at && ((*at)->graph != y.node->graph->serial || (*at)->node != y.node->id || (*at)->out != y.out))
        at = &(*at)->next;
    cached *n = *at;
    if (n) {
        *at = n->next;
    } else {
        n = ct_new(&c->allocator, sizeof *n);
        if (!n) return ct_fail(e, CT_ELIMIT, "predict: out of memory");
        *n = (cached){.graph = y.node->graph->serial, .node = y.node->id, .out = y.out};
        ct_status s = ct_plan_new(&y, 1, NULL, 0, (ct_compile){0}, &n->plan, e);
        if (s) {
            ct_delete(&c->allocator, n, sizeof *n);
            return s;
        }
    }
    n->next = k->first;
    k->first = n;
    *plan = n->plan;
    return CT_OK;
}

ct_status ct_predict(ct_ctx *c, ct_t y, const void *in, int64_t batch, void *out) {
    ct_session *s = ct_default_session(c);
    ct_plan *p = NULL;
    if (!s) return CT_ELIMIT;
    ct_error_clear(&s->error);
    if (ct_error_status(c)) return ct_error_status(c);
    if (!ct_ok(y) || ct_context(y) != c)
        return ct_fail(&s->error, CT_EUSAGE, "predict: no tensor; wanted one of this context");
    ct_status e = cached_plan(c, y, &p, &s->error);
    if (e) return e;
    if (p->inputs != 1)
        return ct_fail(&s->error, CT_EUSAGE, "predict: the net has %d inputs; wanted one; use ct_run",
                       p->inputs);
    e = ct_run(s, p, (const void *[1]){in}, batch, (void *[1]){out});
    trim(c->plans);
    return e;
}
