/* mix.c: mixup and cutmix. They need two pictures of a batch, so they stand at the end of a list and are done by
 * whoever has the batch, before it is cut into shards. Row r meets row n-1-r of the shuffled batch. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "data/transform/transform.h"

static ct_status nothing(const ct__step *s, ct__frame *f, ct_random *r) {
    (void)s;
    (void)f;
    (void)r;
    return CT_OK;
}

static const ct__param mixup_params[] = {
    {.name = "alpha",
     .kind = CT__NUMBER,
     .initial = {0.2},
     .min = 1e-3,
     .max = 100,
     .help = "the share is drawn from Beta(alpha, alpha)"},
    {0},
};
static const ct__param cutmix_params[] = {
    {.name = "alpha",
     .kind = CT__NUMBER,
     .initial = {1},
     .min = 1e-3,
     .max = 100,
     .help = "the share is drawn from Beta(alpha, alpha)"},
    {0},
};

const ct__step_row ct__step_mixup = {
    .name = "mixup",
    .help =
        "In the batch: pictures and labels become weighted means of two (Zhang et al. 2018). With cutmix in "
        "the\nlist too, each batch takes one of them by chance.",
    .takes = CT__BATCH,
    .random = 1,
    .params = mixup_params,
    .apply = nothing,
};
const ct__step_row ct__step_cutmix = {
    .name = "cutmix",
    .help = "In the batch: a rectangle comes from another picture, labels by area (Yun et al. 2019).",
    .takes = CT__BATCH,
    .random = 1,
    .params = cutmix_params,
    .apply = nothing,
};

/* Gamma(shape, 1) by Marsaglia and Tsang (2000), and its logarithm; a shape under 1 by one above and a power. */
static double draw_gamma(ct_random *r, double shape, double *logarithm) {
    if (shape < 1) {
        double more = draw_gamma(r, shape + 1, logarithm), u = 1 - ct_random_uniform(r);
        *logarithm += log(u) / shape;
        return more * pow(u, 1 / shape);
    }
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = ct_random_normal(r), v = 1 + c * x;
        if (v <= 0) continue;
        v = v * v * v;
        double u = 1 - ct_random_uniform(r);
        if (log(u) < 0.5 * x * x + d - d * v + d * log(v)) {
            *logarithm = log(d * v);
            return d * v;
        }
    }
}

/* Of a small alpha both powers may vanish, and their logarithms alone say which is the larger. */
static double draw_beta(ct_random *r, double alpha) {
    double log_a, log_b, a = draw_gamma(r, alpha, &log_a), b = draw_gamma(r, alpha, &log_b);
    return a + b >= DBL_MIN ? a / (a + b) : 1 / (1 + exp(log_b - log_a));
}

static void mix_rows(float *a, float *b, int64_t n, float share) {
    for (int64_t i = 0; i < n; i++) {
        float x = a[i], y = b[i];
        a[i] = share * x + (1 - share) * y;
        b[i] = share * y + (1 - share) * x;
    }
}

static void mix_all(float *x, int64_t rows, int64_t size, float share) {
    for (int64_t k = 0; k < rows / 2; k++) mix_rows(x + k * size, x + (rows - 1 - k) * size, size, share);
}

/* A rectangle of 1 - share of the area about a random centre, cut at the edge; returns the share that is left. */
static double swap_box(float *x, const int64_t shape[3], int64_t rows, double share, ct_random *r) {
    int64_t h = shape[1], w = shape[2], size = shape[0] * h * w;
    int64_t cy = (int64_t)ct_random_below(r, (uint64_t)h), cx = (int64_t)ct_random_below(r, (uint64_t)w);
    int64_t half_h = (int64_t)(0.5 * sqrt(1 - share) * (double)h),
            half_w = (int64_t)(0.5 * sqrt(1 - share) * (double)w);
    int64_t top = cy > half_h ? cy - half_h : 0, bottom = cy + half_h < h ? cy + half_h : h;
    int64_t left = cx > half_w ? cx - half_w : 0, right = cx + half_w < w ? cx + half_w : w;
    for (int64_t k = 0; k < rows / 2; k++)
        for (int64_t c = 0; c < shape[0]; c++)
            for (int64_t y = top; y < bottom; y++) {
                int64_t at = (c * h + y) * w;
                float *a = x + k * size + at, *b = x + (rows - 1 - k) * size + at;
                for (int64_t i = left; i < right; i++) {
                    float keep = a[i];
                    a[i] = b[i];
                    b[i] = keep;
                }
            }
    return 1 - (double)((bottom - top) * (right - left)) / (double)(h * w);
}

static const ct__step *choose(const ct_transform *t, ct_random *r) {
    int32_t first = t->steps;
    while (first > 0 && t->step[first - 1].row->takes == CT__BATCH) first--;
    return &t->step[first + (int32_t)ct_random_below(r, (uint64_t)(t->steps - first))];
}

ct_status ct_mix(const ct_transform *t, float *x, const int64_t shape[3], const int64_t *label, int64_t rows,
                 int64_t classes, ct_draw draw, float *target, ct_err *e) {
    double share = 1;
    if (ct_transform_mixes(t) && draw.epoch >= 0) {
        draw.record = ~draw.record; /* other draws than those of the record with this number */
        ct_random r = ct__draw_stream(&draw);
        const ct__step *s = choose(t, &r);
        share = draw_beta(&r, s->value[0].v[0]);
        if (s->row == &ct__step_mixup)
            mix_all(x, rows, shape[0] * shape[1] * shape[2], (float)share);
        else
            share = swap_box(x, shape, rows, share, &r);
    }
    memset(target, 0, (size_t)(rows * classes) * sizeof *target);
    for (int64_t k = 0; k < rows; k++) {
        if (label[k] < 0 || label[k] >= classes)
            return ct_fail(e, CT_EDATA, "mix: sample %lld has label %lld; wanted 0 to %lld; mend the label",
                           (long long)k, (long long)label[k], (long long)classes - 1);
        target[k * classes + label[k]] += (float)share;
    }
    for (int64_t k = 0; k < rows && share < 1; k++)
        target[k * classes + label[rows - 1 - k]] += (float)(1 - share);
    return CT_OK;
}
