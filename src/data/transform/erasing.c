/* erasing.c: erasing: a random rectangle of one value (Zhong et al. 2017). */
#include <math.h>
#include <string.h>

#include "data/transform/transform.h"

static void erase(ct__frame *f, void *x, ct__box b, const ct__value *value) {
    for (int64_t c = 0; c < f->c; c++) {
        double v = value->v[value->count > 1 ? c % value->count : 0];
        for (int64_t y = b.top; y < b.top + b.h; y++) {
            int64_t at = (c * f->h + y) * f->w + b.left;
            if (f->floats)
                for (int64_t i = 0; i < b.w; i++) ((float *)x)[at + i] = (float)v;
            else
                memset((uint8_t *)x + at, v <= 0 ? 0 : v >= 255 ? 255 : (int)v, (size_t)b.w);
        }
    }
}

/* Ten tries of a rectangle with a share of the area and a ratio of height to width; none that fits: nothing. */
static ct_status erasing(const ct__step *s, ct__frame *f, ct_random *r) {
    const double *scale = s->value[1].v, *ratio = s->value[2].v;
    double area = (double)f->h * (double)f->w;
    if (ct_random_uniform(r) >= s->value[0].v[0]) return CT_OK;
    void *x = ct__frame_own(f);
    if (!x) return CT_ELIMIT;
    for (int i = 0; i < 10; i++) {
        double part = area * ct__draw_between(r, scale[0], scale[1]);
        double aspect = exp(ct__draw_between(r, log(ratio[0]), log(ratio[1])));
        int64_t h = (int64_t)rint(sqrt(part * aspect)), w = (int64_t)rint(sqrt(part / aspect));
        if (h < 1 || w < 1 || h >= f->h || w >= f->w) continue;
        ct__box b = {(int64_t)ct_random_below(r, (uint64_t)(f->h - h + 1)),
                     (int64_t)ct_random_below(r, (uint64_t)(f->w - w + 1)), h, w};
        erase(f, x, b, &s->value[3]);
        return CT_OK;
    }
    return CT_OK;
}

static ct_status check(ct__step *s, ct_err *e) {
    for (int i = 1; i <= 2; i++) {
        ct__value *v = &s->value[i];
        if (v->count == 1) v->v[1] = v->v[0], v->count = 2;
        if (v->v[0] > v->v[1])
            return ct_fail(e, CT_EUSAGE, "erasing: %s is %.9g:%.9g; wanted LOW:HIGH", s->row->params[i].name,
                           v->v[0], v->v[1]);
    }
    return CT_OK;
}

static const ct__param params[] = {
    {.name = "p", .kind = CT__NUMBER, .initial = {0.5}, .min = 0, .max = 1, .help = "probability"},
    {.name = "scale",
     .kind = CT__NUMBER,
     .most = 2,
     .quiet = 1,
     .initial = {0.02, 0.33},
     .initial_count = 2,
     .min = 1e-4,
     .max = 1,
     .help = "share of the area, LOW:HIGH"},
    {.name = "ratio",
     .kind = CT__NUMBER,
     .most = 2,
     .quiet = 1,
     .initial = {0.3, 3.3},
     .initial_count = 2,
     .min = 1e-2,
     .max = 100,
     .help = "height over width, LOW:HIGH"},
    {.name = "value",
     .kind = CT__NUMBER,
     .most = 4,
     .quiet = 1,
     .min = -1e6,
     .max = 1e6,
     .help = "what is written, or one a channel"},
    {0},
};

const ct__step_row ct__step_erasing = {
    .name = "erasing",
    .help =
        "A random rectangle of one value, with probability p (Zhong et al. 2017). After normalize 0 is the "
        "mean.",
    .takes = CT__ANY,
    .random = 1,
    .params = params,
    .check = check,
    .apply = erasing,
};
