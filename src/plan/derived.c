/* derived.c: copies of a variable in other storage orders (CORE 3).
 *
 * A variable has one home. Whoever reads it in another order reads a derived copy, which belongs to the
 * variable, is shared by all plans that ask for that order, and is made anew only when the variable has
 * changed since: a training step pays for it once, a prediction not at all. The last plan that uses a copy
 * frees it. Taking and giving back happens under the context's lock; a copy has a lock of its own for being
 * refreshed, as several sessions may find it stale at once. */
#include <string.h>

#include "kern/conv.h"
#include "op/relayout.h"
#include "plan/plan.h"

/* What a layout points to lives in an instance's arena; the copy's own version of it. */
static int own_layout(const ct_allocator *a, ct__derived *d, const ct__layout *layout) {
    d->layout = *layout;
    if (layout->kind != CT__CONV) return 1;
    d->opaque_bytes = sizeof(ct__weight_layout) + sizeof(ct__conv_shape);
    char *copy = d->opaque = ct_new(a, d->opaque_bytes);
    if (!copy) return 0;
    d->layout.opaque = memcpy(copy, layout->opaque, sizeof(ct__weight_layout));
    d->layout.shape = memcpy(copy + sizeof(ct__weight_layout), layout->shape, sizeof(ct__conv_shape));
    return 1;
}

static void derived_free(const ct_allocator *a, ct__derived *d) {
    pthread_mutex_destroy(&d->lock);
    ct_delete(a, d->data, d->bytes);
    ct_delete(a, d->opaque, d->opaque_bytes);
    ct_delete(a, d, sizeof *d);
}

ct__derived *ct__derived_take(ct_ctx *c, ct__var *v, const ct__layout *layout, ct_err *e) {
    ct__type type = {v->dtype, 0, v->shape};
    for (ct__derived *d = v->derived; d; d = d->next)
        if (ct__layout_equal(&d->layout, layout)) {
            d->users++;
            return d;
        }
    ct__derived *d = ct_new(&c->allocator, sizeof *d);
    if (d) pthread_mutex_init(&d->lock, NULL);
    if (d) d->bytes = (ct__layout_bytes(layout, &type) + 255) / 256 * 256;
    if (d && own_layout(&c->allocator, d, layout)) d->data = ct_new(&c->allocator, d->bytes);
    if (!d || !d->data) {
        if (d) derived_free(&c->allocator, d);
        ct_fail(e, CT_ELIMIT, "variable \"%s\": out of memory for its copy in another order", v->name);
        return NULL;
    }
    d->users = 1;
    d->next = v->derived;
    v->derived = d;
    return d;
}

void ct__derived_drop(ct_ctx *c, ct__var *v, ct__derived *d) {
    if (--d->users > 0) return;
    ct__derived **at = &v->derived;
    while (*at != d) at = &(*at)->next;
    *at = d->next;
    derived_free(&c->allocator, d);
}

ct_status ct__derived_refresh(const ct__step *s, void *const *arg, const ct__exec *x, int always) {
    ct__derived *d = s->node->derived;
    uint64_t version = s->node->origin->var->version;
    ct_status status = CT_OK;
    if (!always && __atomic_load_n(&d->version, __ATOMIC_ACQUIRE) == version) return CT_OK;
    pthread_mutex_lock(&d->lock);
    if (always || __atomic_load_n(&d->version, __ATOMIC_ACQUIRE) != version)
        status = s->run[0](s->data[0], arg, x);
    if (!status) __atomic_store_n(&d->version, version, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&d->lock);
    return status;
}
