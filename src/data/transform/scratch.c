/* scratch.c: growing blocks; the idea is in scratch.h. */
#include "data/scratch.h"

ct_scratch *ct_scratch_new(const ct_allocator *a) {
    ct_scratch *s = ct_new(a, sizeof *s);
    if (s) s->allocator = a;
    return s;
}

void ct_scratch_free(ct_scratch *s) {
    if (!s) return;
    for (int i = 0; i < CT__ROOMS; i++) ct_delete(s->allocator, s->room[i], s->bytes[i]);
    if (s->decoder) s->decoder_free(s->decoder);
    ct_delete(s->allocator, s, sizeof *s);
}

void *ct__room(ct_scratch *s, int slot, uint64_t bytes, ct_err *e) {
    if (bytes <= s->bytes[slot] && s->room[slot]) return s->room[slot];
    ct_delete(s->allocator, s->room[slot], s->bytes[slot]);
    s->bytes[slot] = 0;
    s->room[slot] = ct_new_array(s->allocator, bytes, 1);
    if (!s->room[slot]) {
        ct_fail(e, CT_ELIMIT, "pictures: out of memory for %llu bytes", (unsigned long long)bytes);
        return NULL;
    }
    s->bytes[slot] = (size_t)bytes;
    return s->room[slot];
}

void ct__scratches_open(ct__scratches *p, const ct_allocator *a) {
    p->allocator = a;
    p->count = 0;
    pthread_mutex_init(&p->lock, NULL);
}

void ct__scratches_close(ct__scratches *p) {
    while (p->count) ct_scratch_free(p->free[--p->count]);
    pthread_mutex_destroy(&p->lock);
}

ct_scratch *ct__scratches_take(ct__scratches *p, ct_err *e) {
    pthread_mutex_lock(&p->lock);
    ct_scratch *s = p->count ? p->free[--p->count] : NULL;
    pthread_mutex_unlock(&p->lock);
    if (!s) s = ct_scratch_new(p->allocator);
    if (!s) ct_fail(e, CT_ELIMIT, "pictures: out of memory");
    return s;
}

void ct__scratches_give(ct__scratches *p, ct_scratch *s) {
    pthread_mutex_lock(&p->lock);
    if (p->count < CT__SCRATCHES) p->free[p->count++] = s, s = NULL;
    pthread_mutex_unlock(&p->lock);
    ct_scratch_free(s);
}
