/* run.c: the way of a picture through the steps: bytes first, floats from to_tensor or normalize on. Two rooms
 * of the scratch take turns; floats go to the caller's memory as soon as they fit there. */
#include <string.h>

#include "data/transform/transform.h"

/* ---- frames ---- */

static int free_slot(const ct__frame *f) { return f->slot == CT__ROOM_A ? CT__ROOM_B : CT__ROOM_A; }

void *ct__frame_room(ct__frame *f, int64_t c, int64_t h, int64_t w) {
    uint64_t n = 0;
    if (!ct_mul_ok((uint64_t)c, (uint64_t)h, &n) || !ct_mul_ok(n, (uint64_t)w, &n) ||
        !ct_mul_ok(n, ct__frame_size(f), &n)) {
        ct_fail(f->e, CT_ELIMIT, "transform: a picture of %lldx%lld; wanted a smaller one; resize before",
                (long long)w, (long long)h);
        return NULL;
    }
    return ct__room(f->scratch, free_slot(f), n + 64, f->e);
}

void ct__frame_take(ct__frame *f, void *data, int64_t c, int64_t h, int64_t w) {
    f->slot = free_slot(f);
    f->data = data;
    f->c = c;
    f->h = h;
    f->w = w;
}

void *ct__frame_own(ct__frame *f) {
    if (f->slot != -1) return f->data;
    void *copy = ct__frame_room(f, f->c, f->h, f->w);
    if (!copy) return NULL;
    memcpy(copy, f->data, (size_t)ct__frame_count(f) * ct__frame_size(f));
    ct__frame_take(f, copy, f->c, f->h, f->w);
    return copy;
}

float *ct__frame_to_floats(ct__frame *f, const uint8_t **bytes) {
    int64_t n = ct__frame_count(f);
    int direct = n <= f->out_count;
    *bytes = f->data;
    f->floats = 1;
    float *to = direct ? f->out : ct__frame_room(f, f->c, f->h, f->w);
    if (!to) return NULL;
    if (direct) {
        f->data = to;
        f->slot = -2;
    } else {
        ct__frame_take(f, to, f->c, f->h, f->w);
    }
    return to;
}

/* A division, as PyTorch has it: a multiplication by 1 / 255 differs in the last bit. */
ct_status ct__frame_unit(ct__frame *f) {
    const uint8_t *x;
    float *y = ct__frame_to_floats(f, &x);
    if (!y) return CT_ELIMIT;
    for (int64_t i = 0, n = ct__frame_count(f); i < n; i++) y[i] = (float)x[i] / 255.0f;
    return CT_OK;
}

/* ---- lists ---- */

ct_random ct__draw_stream(const ct_draw *d) {
    return ct_random_stream(d->seed, (uint64_t)d->record * 0x9e3779b97f4a7c15ull + (uint64_t)(d->epoch + 1));
}

int32_t ct__transform_prefix(const ct_transform *t) {
    int32_t n = 0;
    while (t && n < t->steps && !t->step[n].row->random && t->step[n].row->takes <= CT__ANY) n++;
    return n;
}

static int32_t bytes_end(const ct_transform *t) {
    int32_t n = 0;
    while (t && n < t->steps && t->step[n].row->takes <= CT__ANY) n++;
    return n;
}

ct_status ct__transform_steps(const ct_transform *t, int32_t first, int32_t last, ct__frame *f,
                              ct_random *r) {
    for (int32_t i = first; i < last; i++) {
        const ct__step *s = &t->step[i];
        if (s->row->takes == CT__BATCH || (s->row->random && !f->training && !s->row->always)) continue;
        ct_status status = s->row->apply(s, f, r);
        if (status) return status;
    }
    return CT_OK;
}

ct_status ct__transform_shape(const ct_transform *t, int32_t last, const int64_t in[3], int64_t out[3],
                              ct_err *e) {
    int64_t now[3] = {in[0], in[1], in[2]};
    for (int i = 0; i < 3; i++)
        if (in[i] < 1)
            return ct_fail(e, CT_EUSAGE,
                           "transform: a picture of [%lld,%lld,%lld]; wanted extents from 1; give another",
                           (long long)in[0], (long long)in[1], (long long)in[2]);
    for (int32_t i = 0; t && i < last; i++) {
        const ct__step *s = &t->step[i];
        if (!s->row->shape) continue; /* sizes are judged where they are made */
        ct_status status = s->row->shape(s, now, e);
        if (status) return status;
        if (now[1] > CT__MAX_SIDE || now[2] > CT__MAX_SIDE)
            return ct_fail(
                e, CT_ELIMIT,
                "%s: makes a picture of %lldx%lld; wanted sides of at most %d; choose a smaller size",
                s->row->name, (long long)now[2], (long long)now[1], CT__MAX_SIDE);
        if (now[1] * now[2] > CT__MAX_PIXELS)
            return ct_fail(
                e, CT_ELIMIT,
                "%s: makes a picture of %lldx%lld; wanted at most %d pixels; choose a smaller size",
                s->row->name, (long long)now[2], (long long)now[1], CT__MAX_PIXELS);
    }
    memcpy(out, now, sizeof now);
    return CT_OK;
}

ct_status ct_transform_shape(const ct_transform *t, const int64_t in[3], int64_t out[3], ct_err *e) {
    return ct__transform_shape(t, t ? t->steps : 0, in, out, e);
}

static ct__frame frame_of(const uint8_t *picture, const int64_t shape[3], ct_draw draw, ct_scratch *s,
                          ct_err *e) {
    return (ct__frame){.data = (void *)(uintptr_t)picture,
                       .c = shape[0],
                       .h = shape[1],
                       .w = shape[2],
                       .slot = -1,
                       .scratch = s,
                       .training = draw.epoch >= 0,
                       .e = e};
}

ct_status ct__transform_from(const ct_transform *t, int32_t first, ct_scratch *s, const uint8_t *picture,
                             const int64_t shape[3], ct_draw draw, float *out, int64_t out_count, ct_err *e) {
    ct__frame f = frame_of(picture, shape, draw, s, e);
    ct_random r = ct__draw_stream(&draw);
    f.out = out;
    f.out_count = out_count;
    ct_status status = t ? ct__transform_steps(t, first, t->steps, &f, &r) : CT_OK;
    if (!status && !f.floats) status = ct__frame_unit(&f); /* neither to_tensor nor normalize */
    if (!status && ct__frame_count(&f) != out_count)
        status =
            ct_fail(e, CT_EINTERNAL, "transform: %lld values; wanted %lld by its shape rule; report this",
                    (long long)ct__frame_count(&f), (long long)out_count);
    if (!status && f.data != out) memcpy(out, f.data, (size_t)out_count * sizeof *out);
    return status;
}

ct_status ct_transform_run(const ct_transform *t, ct_scratch *s, const uint8_t *picture,
                           const int64_t shape[3], ct_draw draw, float *out, ct_err *e) {
    int64_t made[3];
    ct_status status = ct_transform_shape(t, shape, made, e);
    if (status) return status;
    ct_scratch *own = s ? NULL : ct_scratch_new(t ? t->allocator : NULL);
    if (!s && !own) return ct_fail(e, CT_ELIMIT, "transform: out of memory");
    status = ct__transform_from(t, 0, s ? s : own, picture, shape, draw, out, made[0] * made[1] * made[2], e);
    ct_scratch_free(own);
    return status;
}

ct_status ct__transform_bytes(const ct_transform *t, int32_t last, ct_scratch *s, const uint8_t *picture,
                              const int64_t shape[3], ct_draw draw, const ct_allocator *a, ct_array *out,
                              ct_err *e) {
    ct__frame f = frame_of(picture, shape, draw, s, e);
    ct_random r = ct__draw_stream(&draw);
    int64_t made[3];
    ct_status status = ct__transform_shape(t, last, shape, made, e);
    if (!status && t) status = ct__transform_steps(t, 0, last, &f, &r);
    if (!status) status = ct_array_new(a, CT_U8, CT_SHAPE(f.c, f.h, f.w), out, e);
    if (!status) memcpy(out->data, f.data, (size_t)ct__frame_count(&f));
    return status;
}

ct_status ct_transform_bytes(const ct_transform *t, ct_scratch *s, const uint8_t *picture,
                             const int64_t shape[3], ct_draw draw, const ct_allocator *a, ct_array *out,
                             ct_err *e) {
    ct_scratch *own = s ? NULL : ct_scratch_new(a);
    if (!s && !own) return ct_fail(e, CT_ELIMIT, "transform: out of memory");
    ct_status status = ct__transform_bytes(t, bytes_end(t), s ? s : own, picture, shape, draw, a, out, e);
    ct_scratch_free(own);
    return status;
}
