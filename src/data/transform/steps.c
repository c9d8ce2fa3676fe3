/* steps.c: the steps. A new one is a row in the table. */
#include <math.h>
#include <string.h>

#include "data/transform/transform.h"

static ct_status same(const ct__step_args *s, const int64_t in[3], int64_t out[3], ct_err *e) {
    (void)s;
    (void)e;
    memcpy(out, in, 3 * sizeof *out);
    return CT_OK;
}

static ct_status normalize_shape(const ct__step_args *s, const int64_t in[3], int64_t out[3], ct_err *e) {
    if (s->count > 1 && s->count != in[0])
        return ct_fail(e, CT_EUSAGE, "normalize: %d numbers for %lld channels; wanted one, or one a channel",
                       s->count, (long long)in[0]);
    return same(s, in, out, e);
}

static void normalize(const ct__step_args *s, ct__picture *p, ct_random *r) {
    (void)r;
    for (int64_t c = 0; c < p->c; c++) {
        int64_t k = s->count > 1 ? c : 0;
        float scale = (float)(1 / (255 * s->b[k])), shift = (float)(-s->a[k] / s->b[k]);
        float *x = p->data + c * p->h * p->w;
        for (int64_t i = 0; i < p->h * p->w; i++) x[i] = x[i] * scale + shift;
    }
}

static ct_status crop_shape(const ct__step_args *s, const int64_t in[3], int64_t out[3], ct_err *e) {
    int64_t size = (int64_t)s->a[0], pad = (int64_t)s->b[0];
    if (in[1] != size || in[2] != size || pad >= size)
        return ct_fail(e, CT_EUSAGE,
                       "random_crop: pictures are %lldx%lld; wanted %lldx%lld (evaluation leaves them as "
                       "they are) and a smaller pad",
                       (long long)in[1], (long long)in[2], (long long)size, (long long)size);
    return same(s, in, out, e);
}

/* A window of the picture's own size, moved by up to `pad` each way, zeros outside. */
static void random_crop(const ct__step_args *s, ct__picture *p, ct_random *r) {
    int64_t pad = (int64_t)s->b[0], dy = (int64_t)ct_random_below(r, (uint64_t)(2 * pad + 1)) - pad;
    int64_t dx = (int64_t)ct_random_below(r, (uint64_t)(2 * pad + 1)) - pad;
    for (int64_t c = 0; c < p->c; c++)
        for (int64_t y = 0; y < p->h; y++) {
            float *to = p->spare + (c * p->h + y) * p->w;
            const float *from = p->data + (c * p->h + y + dy) * p->w;
            for (int64_t x = 0; x < p->w; x++)
                to[x] = y + dy >= 0 && y + dy < p->h && x + dx >= 0 && x + dx < p->w ? from[x + dx] : 0;
        }
    float *keep = p->data;
    p->data = p->spare;
    p->spare = keep;
}

static void flip(const ct__step_args *s, ct__picture *p, ct_random *r) {
    if (ct_random_uniform(r) >= s->a[0]) return;
    for (int64_t i = 0; i < p->c * p->h; i++)
        for (int64_t x = 0; x < p->w / 2; x++) {
            float *row = p->data + i * p->w, keep = row[x];
            row[x] = row[p->w - 1 - x];
            row[p->w - 1 - x] = keep;
        }
}

const ct__transform_row ct__transforms[] = {
    {"normalize", NULL, "mean", "std", NAN, NAN, -1e6, 1e6, 1e-6, 1e6, 0, 0, normalize_shape, normalize},
    {"random_crop", "size", "size", "pad", NAN, NAN, 1, 65536, 0, 1024, 1, 1, crop_shape, random_crop},
    {"flip", "p", "p", NULL, 0.5, 0, 0, 1, 0, 0, 1, 0, same, flip},
    {0},
};
