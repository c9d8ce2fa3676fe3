/* context.c: the context, its settings, pool and error. */
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/pool.h"
#include "graph/graph.h"

static int32_t allowed_cores(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        int n = CPU_COUNT(&set);
        if (n > 0) return n;
    }
    return 1;
}

ct_ctx *ct_open(const ct_options *o) {
    ct_options none = {0};
    if (!o) o = &none;
    ct_ctx *c = ct_new(&o->allocator, sizeof *c);
    if (!c) return NULL;
    c->options = *o;
    if (o->files) c->files = *o->files;
    c->options.files = &c->files;
    c->allocator = o->allocator;
    c->arena.allocator = &c->allocator;
    pthread_mutex_init(&c->lock, NULL);
    c->threads = o->threads;
    if (o->threads == 0) c->threads = allowed_cores();
    if (o->threads < 0 || o->threads > 4096) {
        ct_fail(&c->error, CT_EUSAGE, "threads: %d; wanted 0 (all cores allowed) or 1 to 4096", o->threads);
        c->threads = 1;
    }
    c->graph = ct_graph_new(c);
    if (!c->graph) {
        ct_close(c);
        return NULL;
    }
    return c;
}

/* Copies whose plans were not freed: the context owns all memory, theirs too. */
static void free_derived(ct_ctx *c, ct__var *v) {
    while (v->derived) {
        ct__derived *d = v->derived;
        v->derived = d->next;
        pthread_mutex_destroy(&d->lock);
        ct_delete(&c->allocator, d->data, d->bytes);
        ct_delete(&c->allocator, d->opaque, d->opaque_bytes);
        ct_delete(&c->allocator, d, sizeof *d);
    }
}

void ct_close(ct_ctx *c) {
    if (!c) return;
    if (c->plans_free) c->plans_free(c->plans);
    c->plans = NULL;
    if (c->session_free) c->session_free(c->session);
    ct_graph_free(c->graph);
    for (int32_t i = 0; i < c->vars; i++) {
        ct__var *v = c->var[i];
        free_derived(c, v);
        ct_delete(&c->allocator, v->data, v->bytes);
        ct_delete(&c->allocator, v->home_opaque, v->home_opaque_bytes);
    }
    ct_delete(&c->allocator, c->var, (size_t)c->var_capacity * sizeof *c->var);
    ct_delete(&c->allocator, c->alias, (size_t)c->alias_capacity * sizeof *c->alias);
    ct_delete(&c->allocator, c->var_table, (size_t)c->var_table_size * sizeof *c->var_table);
    ct_arena_free(&c->arena);
    ct__pool_close(c->pool);
    pthread_mutex_destroy(&c->lock);
    ct_allocator a = c->allocator;
    ct_delete(&a, c, sizeof *c);
}

/* An error of building stays; one of a run of ct_predict is the session's, until its next run. */
ct_err *ct_error_of(ct_ctx *c) {
    if (!c->error.status && c->graph && c->graph->error.status) c->error = c->graph->error;
    if (!c->error.status && c->session) return c->session_error(c->session);
    return &c->error;
}
const char *ct_error(ct_ctx *c) { return c ? ct_error_of(c)->text : "context: none; out of memory"; }
ct_status ct_error_status(ct_ctx *c) { return c ? (ct_status)ct_error_of(c)->status : CT_ELIMIT; }
int32_t ct_threads(const ct_ctx *c) { return c->threads; }
uint64_t ct_seed(const ct_ctx *c) { return c->options.seed; }
const ct_allocator *ct_allocator_of(const ct_ctx *c) { return &c->allocator; }
const ct_files *ct_files_of(const ct_ctx *c) { return &c->files; }
ct_graph *ct_default_graph(ct_ctx *c) { return c->graph; }

ct_status ct__pool_of(ct_ctx *c, struct ct_pool **out, ct_err *e) {
    if (!c->pool) {
        ct_status s = ct__pool_open(&c->allocator, c->threads, &c->pool, e);
        if (s) return s; /* the system may have given fewer: c->threads, which others read, stays the limit */
    }
    *out = c->pool;
    return CT_OK;
}
