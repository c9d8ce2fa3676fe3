/* augment.c: randaugment (Cubuk et al. 2020) and trivial_augment (Müller and Hutter 2021): operations drawn from a
 * list, at a strength that is fixed (n of them) or drawn too (one). Operations and ranges are torchvision's. */
#include <math.h>

#include "data/transform/transform.h"

enum {
    IDENTITY,
    SHEAR_X,
    SHEAR_Y,
    TRANSLATE_X,
    TRANSLATE_Y,
    ROTATE,
    BRIGHTNESS,
    COLOR,
    CONTRAST,
    SHARPNESS,
    POSTERIZE,
    SOLARIZE,
    AUTOCONTRAST,
    EQUALIZE,
    OPERATIONS
};

/* What an operation does at `m`, its strength in its own unit. */
static ct_status perform(ct__frame *f, int operation, double m, const ct__value *fill) {
    ct__motion o = {.scale = 1};
    double inverse[6];
    switch (operation) {
        case SHEAR_X:
            o.shear_x = atan(m) * 180 / M_PI, o.corner = 1;
            break;
        case SHEAR_Y:
            o.shear_y = atan(m) * 180 / M_PI, o.corner = 1;
            break;
        case TRANSLATE_X:
            o.tx = trunc(m);
            break;
        case TRANSLATE_Y:
            o.ty = trunc(m);
            break;
        case ROTATE:
            o.angle = -m;
            break;
        case BRIGHTNESS:
            return ct__tone_brightness(f, 1 + m);
        case COLOR:
            return ct__tone_saturation(f, 1 + m);
        case CONTRAST:
            return ct__tone_contrast(f, 1 + m);
        case SHARPNESS:
            return ct__tone_sharpness(f, 1 + m);
        case POSTERIZE:
            return ct__tone_posterize(f, (int)m);
        case SOLARIZE:
            return ct__tone_solarize(f, m);
        case AUTOCONTRAST:
            return ct__tone_autocontrast(f);
        case EQUALIZE:
            return ct__tone_equalize(f);
        default:
            return CT_OK;
    }
    ct__motion_inverse(&o, f->w, f->h, inverse);
    return ct__frame_warp(f, inverse, 0, fill);
}

/* The greatest strengths: shear, move (as a share of the side, or in pixels), turn, tone, bits taken away. */
typedef struct strengths {
    double shear, move_share, move_pixels, turn, tone, bits;
} strengths;
static const strengths randaugment_most = {0.3, 150.0 / 331, 0, 30, 0.9, 4};
static const strengths trivial_most = {0.99, 0, 32, 135, 0.99, 6};

/* share: of the greatest, 0 to 1. Where both directions make sense one is drawn. */
static double strength_of(const strengths *s, const ct__frame *f, int operation, double share, ct_random *r) {
    double m = 0;
    int both = 1;
    switch (operation) {
        case SHEAR_X:
        case SHEAR_Y:
            m = s->shear * share;
            break;
        case TRANSLATE_X:
            m = (s->move_pixels + s->move_share * (double)f->w) * share;
            break;
        case TRANSLATE_Y:
            m = (s->move_pixels + s->move_share * (double)f->h) * share;
            break;
        case ROTATE:
            m = s->turn * share;
            break;
        case BRIGHTNESS:
        case COLOR:
        case CONTRAST:
        case SHARPNESS:
            m = s->tone * share;
            break;
        case POSTERIZE:
            m = 8 - rint(s->bits * share), both = 0;
            break;
        case SOLARIZE:
            m = 255 * (1 - share), both = 0;
            break;
        default:
            both = 0;
            break;
    }
    return both && ct_random_below(r, 2) ? -m : m;
}

static ct_status randaugment(const ct__step *s, ct__frame *f, ct_random *r) {
    int n = (int)s->value[0].v[0];
    double share = s->value[1].v[0] / (s->value[2].v[0] - 1);
    ct_status status = CT_OK;
    for (int i = 0; i < n && !status; i++) {
        int operation = (int)ct_random_below(r, OPERATIONS);
        status = perform(f, operation, strength_of(&randaugment_most, f, operation, share, r), &s->value[3]);
    }
    return status;
}

static ct_status check(ct__step *s, ct_err *e) {
    if (s->value[1].v[0] <= s->value[2].v[0] - 1) return CT_OK;
    return ct_fail(e, CT_EUSAGE, "randaugment: m is %.9g; wanted 0 to bins - 1 = %.9g", s->value[1].v[0],
                   s->value[2].v[0] - 1);
}

#define BINS_PARAM \
    { \
        .name = "bins", .kind = CT__INTEGER, .quiet = 1, .initial = {31}, .min = 2, .max = 1000, \
        .help = "steps of strength" \
    }

static const ct__param randaugment_params[] = {
    {.name = "n", .kind = CT__INTEGER, .initial = {2}, .min = 1, .max = 16, .help = "operations a picture"},
    {.name = "m",
     .kind = CT__INTEGER,
     .initial = {9},
     .min = 0,
     .max = 999,
     .help = "strength, 0 to bins - 1"},
    BINS_PARAM,
    CT__FILL_PARAM(0, 255),
    {0},
};

const ct__step_row ct__step_randaugment = {
    .name = "randaugment",
    .help = "n operations drawn from fourteen (shears, moves, turns, tones), all at strength m (Cubuk et al. "
            "2020).",
    .takes = CT__BYTES,
    .random = 1,
    .params = randaugment_params,
    .check = check,
    .apply = randaugment,
};

static ct_status trivial_augment(const ct__step *s, ct__frame *f, ct_random *r) {
    int operation = (int)ct_random_below(r, OPERATIONS);
    double last = s->value[0].v[0] - 1;
    double share = (double)ct_random_below(r, (uint64_t)last + 1) / last;
    return perform(f, operation, strength_of(&trivial_most, f, operation, share, r), &s->value[1]);
}

static const ct__param trivial_params[] = {BINS_PARAM, CT__FILL_PARAM(0, 255), {0}};

const ct__step_row ct__step_trivial_augment = {
    .name = "trivial_augment",
    .help = "One operation of the fourteen at a random strength (Müller and Hutter 2021, the wide ranges).",
    .takes = CT__BYTES,
    .random = 1,
    .named = 1,
    .params = trivial_params,
    .apply = trivial_augment,
};
