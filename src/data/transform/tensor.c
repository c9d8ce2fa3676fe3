/* tensor.c: to_tensor and normalize: where bytes become the floats that a net reads. */
#include <string.h>

#include "data/transform/transform.h"

static ct_status to_tensor(const ct__step *s, ct__frame *f, ct_random *r) {
    (void)s;
    (void)r;
    return f->floats ? CT_OK : ct__frame_unit(f);
}

static const ct__param no_params[] = {{0}};

const ct__step_row ct__step_to_tensor = {
    .name = "to_tensor",
    .help = "Bytes become floats: x / 255.",
    .takes = CT__TO_FLOAT,
    .params = no_params,
    .apply = to_tensor,
};

/* ---- normalize ---- */

/* One number stands for all channels; two lists have equal lengths. */
static ct_status check(ct__step *s, ct_err *e) {
    ct__value *mean = &s->value[0], *std = &s->value[1];
    if (mean->count > 1 && std->count > 1 && mean->count != std->count)
        return ct_fail(e, CT_EUSAGE, "normalize: mean has %d numbers, std %d; wanted equal counts",
                       mean->count, std->count);
    ct__value *one = mean->count < std->count ? mean : std, *many = one == mean ? std : mean;
    for (int32_t i = one->count; i < many->count; i++) one->v[i] = one->v[0];
    one->count = many->count;
    return CT_OK;
}

static ct_status shape(const ct__step *s, int64_t shape[3], ct_err *e) {
    int32_t count = s->value[0].count;
    if (count > 1 && count != shape[0])
        return ct_fail(e, CT_EUSAGE,
                       "normalize: %d numbers for %lld channels; wanted one, or one a channel; give as many",
                       count, (long long)shape[0]);
    return CT_OK;
}

static void scale_floats(ct__frame *f, float *x, const ct__value *mean, const ct__value *std) {
    int64_t plane = f->h * f->w;
    for (int64_t c = 0; c < f->c; c++, x += plane) {
        int64_t k = mean->count > 1 ? c : 0;
        float m = (float)mean->v[k], s = (float)std->v[k];
        for (int64_t i = 0; i < plane; i++) x[i] = (x[i] - m) / s;
    }
}

static ct_status normalize(const ct__step *s, ct__frame *f, ct_random *r) {
    const ct__value *mean = &s->value[0], *std = &s->value[1];
    int64_t plane = f->h * f->w;
    (void)r;
    if (f->floats) {
        float *own = ct__frame_own(f);
        if (!own) return CT_ELIMIT;
        scale_floats(f, own, mean, std);
        return CT_OK;
    }
    const uint8_t *x;
    float *y = ct__frame_to_floats(f, &x);
    if (!y) return CT_ELIMIT;
    for (int64_t c = 0; c < f->c; c++, x += plane, y += plane) {
        int64_t k = mean->count > 1 ? c : 0;
        float scale = (float)(1 / (255 * std->v[k])), shift = (float)(-mean->v[k] / std->v[k]);
        for (int64_t i = 0; i < plane; i++) y[i] = (float)x[i] * scale + shift;
    }
    return CT_OK;
}

static const ct__param params[] = {
    {.name = "mean",
     .kind = CT__NUMBER,
     .most = 4,
     .need = 1,
     .min = -1e6,
     .max = 1e6,
     .help = "M, or one a channel M:M:M"},
    {.name = "std",
     .kind = CT__NUMBER,
     .most = 4,
     .need = 1,
     .min = 1e-6,
     .max = 1e6,
     .help = "S, or one a channel S:S:S"},
    {0},
};

const ct__step_row ct__step_normalize = {
    .name = "normalize",
    .help = "(x - mean) / std, of x / 255 where to_tensor does not stand before it.",
    .takes = CT__TO_FLOAT,
    .named = 1,
    .params = params,
    .check = check,
    .shape = shape,
    .apply = normalize,
};
