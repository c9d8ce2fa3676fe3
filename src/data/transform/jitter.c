/* jitter.c: color_jitter, grey, random_grey, blur. */
#include <math.h>
#include <string.h>

#include "data/transform/transform.h"

/* ---- color_jitter ---- */

/* B stands for max(0, 1 - B) : 1 + B; L:H for itself; hue: H for -H:H. */
static double draw_factor(const ct__value *v, int hue, ct_random *r) {
    double low = v->v[0], high = v->v[1];
    if (v->count == 1) {
        low = hue ? -v->v[0] : v->v[0] > 1 ? 0 : 1 - v->v[0];
        high = hue ? v->v[0] : 1 + v->v[0];
    }
    return ct__draw_between(r, low, high);
}

static int is_none(const ct__value *v) { return v->count == 1 && v->v[0] == 0; }

static ct_status color_jitter(const ct__step *s, ct__frame *f, ct_random *r) {
    static ct_status (*const tone[4])(ct__frame * f, double factor) = {ct__tone_brightness, ct__tone_contrast,
                                                                       ct__tone_saturation, ct__tone_hue};
    int order[4] = {0, 1, 2, 3};
    ct_status status = CT_OK;
    for (int i = 3; i > 0; i--) { /* the four in any order */
        int k = (int)ct_random_below(r, (uint64_t)i + 1), keep = order[i];
        order[i] = order[k];
        order[k] = keep;
    }
    for (int i = 0; i < 4 && !status; i++) {
        const ct__value *v = &s->value[order[i]];
        double factor = draw_factor(v, order[i] == 3, r);
        if (!is_none(v)) status = tone[order[i]](f, factor);
    }
    return status;
}

static ct_status check_jitter(ct__step *s, ct_err *e) {
    for (int i = 0; i < 4; i++) {
        const ct__value *v = &s->value[i];
        if (v->count == 2 && v->v[0] > v->v[1])
            return ct_fail(e, CT_EUSAGE, "color_jitter: %s is %.9g:%.9g; wanted LOW:HIGH",
                           s->row->params[i].name, v->v[0], v->v[1]);
    }
    return CT_OK;
}

#define JITTER(n, low, high, h) \
    { .name = n, .kind = CT__NUMBER, .most = 2, .quiet = 1, .min = low, .max = high, .help = h }
static const ct__param jitter_params[] = {
    JITTER("brightness", 0, 100, "B for a factor of 1-B:1+B, or LOW:HIGH"),
    JITTER("contrast", 0, 100, "B for a factor of 1-B:1+B, or LOW:HIGH"),
    JITTER("saturation", 0, 100, "B for a factor of 1-B:1+B, or LOW:HIGH"),
    JITTER("hue", -0.5, 0.5, "share of the circle: H for -H:H, or LOW:HIGH"),
    {0},
};

const ct__step_row ct__step_color_jitter = {
    .name = "color_jitter",
    .help = "Brightness, contrast, saturation and hue by random factors, in random order.",
    .takes = CT__BYTES,
    .random = 1,
    .named = 1,
    .params = jitter_params,
    .check = check_jitter,
    .apply = color_jitter,
};

/* ---- grey ---- */

static ct_status check_channels(int64_t channels, const char *name, ct_err *e) {
    if (channels == 1 || channels == 3) return CT_OK;
    return ct_fail(e, CT_EUSAGE, "%s: pictures have %lld channels; wanted 1 or 3; leave the step out", name,
                   (long long)channels);
}

static ct_status grey_shape(const ct__step *s, int64_t shape[3], ct_err *e) {
    (void)s;
    ct_status status = check_channels(shape[0], "grey", e);
    if (!status) shape[0] = 1;
    return status;
}

static ct_status grey(const ct__step *s, ct__frame *f, ct_random *r) {
    (void)s;
    (void)r;
    if (f->c == 1) return CT_OK;
    uint8_t *to = ct__frame_room(f, 1, f->h, f->w);
    if (!to) return CT_ELIMIT;
    ct__grey_planes(f->data, f->h * f->w, to);
    ct__frame_take(f, to, 1, f->h, f->w);
    return CT_OK;
}

static const ct__param no_params[] = {{0}};

const ct__step_row ct__step_grey = {
    .name = "grey",
    .help = "One channel: L = 0.299 R + 0.587 G + 0.114 B.",
    .takes = CT__BYTES,
    .params = no_params,
    .shape = grey_shape,
    .apply = grey,
};

static ct_status random_grey(const ct__step *s, ct__frame *f, ct_random *r) {
    int64_t plane = f->h * f->w;
    if (ct_random_uniform(r) >= s->value[0].v[0] || f->c == 1) return CT_OK;
    uint8_t *to = ct__frame_room(f, f->c, f->h, f->w);
    if (!to) return CT_ELIMIT;
    ct__grey_planes(f->data, plane, to);
    memcpy(to + plane, to, (size_t)plane);
    memcpy(to + 2 * plane, to, (size_t)plane);
    ct__frame_take(f, to, f->c, f->h, f->w);
    return CT_OK;
}

static ct_status random_grey_shape(const ct__step *s, int64_t shape[3], ct_err *e) {
    (void)s;
    return check_channels(shape[0], "random_grey", e);
}

static const ct__param random_grey_params[] = {
    {.name = "p", .kind = CT__NUMBER, .initial = {0.1}, .min = 0, .max = 1, .help = "probability"},
    {0},
};

const ct__step_row ct__step_random_grey = {
    .name = "random_grey",
    .help = "Grey with probability p; the channels stay three.",
    .takes = CT__BYTES,
    .random = 1,
    .params = random_grey_params,
    .shape = random_grey_shape,
    .apply = random_grey,
};

/* ---- blur ---- */

/* A line of n floats at `step`, smoothed by `weight` [2 * radius + 1], reflected at its ends. */
static void smooth_line(const float *in, int64_t n, int64_t step, const float *weight, int64_t radius,
                        float *out) {
    int64_t period = n > 1 ? 2 * (n - 1) : 1;
    for (int64_t i = 0; i < n; i++) {
        float sum = 0;
        for (int64_t k = -radius; k <= radius; k++) {
            int64_t at = i + k;
            if (at < 0 || at >= n) {
                at = ((at % period) + period) % period;
                if (at >= n) at = period - at;
            }
            sum += weight[k + radius] * in[at * step];
        }
        out[i * step] = sum;
    }
}

static void smooth_plane(const ct__frame *f, const float *weight, int64_t radius, float *x, float *spare) {
    for (int64_t y = 0; y < f->h; y++) smooth_line(x + y * f->w, f->w, 1, weight, radius, spare + y * f->w);
    for (int64_t c = 0; c < f->w; c++) smooth_line(spare + c, f->h, f->w, weight, radius, x + c);
}

static ct_status blur(const ct__step *s, ct__frame *f, ct_random *r) {
    float weight[129], sum = 0;
    int64_t radius = (int64_t)s->value[0].v[0] / 2, plane = f->h * f->w;
    const ct__value *span = &s->value[1];
    double sigma = ct__draw_between(r, span->v[0], span->v[span->count > 1 ? 1 : 0]);
    if (ct_random_uniform(r) >= s->value[2].v[0]) return CT_OK;
    for (int64_t k = -radius; k <= radius; k++)
        sum += weight[k + radius] = (float)exp(-0.5 * (double)(k * k) / (sigma * sigma));
    for (int64_t k = 0; k <= 2 * radius; k++) weight[k] /= sum;
    uint8_t *x = ct__frame_own(f);
    float *v = x ? ct__room(f->scratch, CT__ROOM_MIDDLE, 2 * (uint64_t)plane * sizeof *v, f->e) : NULL;
    if (!v) return CT_ELIMIT;
    for (int64_t c = 0; c < f->c; c++, x += plane) {
        for (int64_t i = 0; i < plane; i++) v[i] = x[i];
        smooth_plane(f, weight, radius, v, v + plane);
        for (int64_t i = 0; i < plane; i++) x[i] = (uint8_t)rintf(v[i] > 255 ? 255 : v[i]);
    }
    return CT_OK;
}

static ct_status check_blur(ct__step *s, ct_err *e) {
    const ct__value *sigma = &s->value[1];
    if ((int64_t)s->value[0].v[0] % 2 == 0)
        return ct_fail(e, CT_EUSAGE, "blur: kernel is %.9g; wanted an odd number", s->value[0].v[0]);
    if (sigma->count > 1 && sigma->v[0] > sigma->v[1])
        return ct_fail(e, CT_EUSAGE, "blur: sigma is %.9g:%.9g; wanted LOW:HIGH", sigma->v[0], sigma->v[1]);
    return CT_OK;
}

static const ct__param blur_params[] = {
    {.name = "kernel", .kind = CT__INTEGER, .initial = {5}, .min = 1, .max = 127, .help = "pixels, odd"},
    {.name = "sigma",
     .kind = CT__NUMBER,
     .most = 2,
     .quiet = 1,
     .initial = {0.1, 2},
     .initial_count = 2,
     .min = 1e-2,
     .max = 100,
     .help = "of the Gaussian, S or LOW:HIGH"},
    {.name = "p", .kind = CT__NUMBER, .quiet = 1, .initial = {1}, .min = 0, .max = 1, .help = "probability"},
    {0},
};

const ct__step_row ct__step_blur = {
    .name = "blur",
    .help = "Gaussian blur with a random sigma; the edge is mirrored.",
    .takes = CT__BYTES,
    .random = 1,
    .params = blur_params,
    .check = check_blur,
    .apply = blur,
};
