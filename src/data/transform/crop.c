/* crop.c: windows: center_crop, random_crop, random_resized_crop; and pad. Rounding follows torchvision, so
 * that a list ported from there sees the same pixels. */
#include <math.h>

#include "data/transform/transform.h"

static void size_of(const ct__value *v, int64_t *h, int64_t *w) {
    *w = (int64_t)v->v[0];
    *h = (int64_t)v->v[v->count > 1 ? 1 : 0];
}

#define SIZE_PARAM \
    { \
        .name = "size", .kind = CT__SIZE, .need = 1, .min = 1, .max = CT__MAX_SIDE, \
        .help = "SIDE or WIDTHxHEIGHT" \
    }
#define MODE_PARAM \
    { .name = "mode", .kind = CT__CHOICE, .quiet = 1, .choices = CT__PADDING, .help = "what lies outside" }

/* ---- center_crop ---- */

static ct_status square_shape(const ct__step *s, int64_t shape[3], ct_err *e) {
    (void)e;
    size_of(&s->value[0], &shape[1], &shape[2]);
    return CT_OK;
}

/* Half of n, halves to the even number, as Python rounds. */
static int64_t half(int64_t n) { return (n / 2) + (n % 2 ? (n / 2) % 2 : 0); }

/* Where a window of `want` begins in `have`; a small picture is padded, the odd pixel at the end. */
static int64_t middle(int64_t have, int64_t want) {
    return have >= want ? half(have - want) : -((want - have) / 2);
}

static ct_status center_crop(const ct__step *s, ct__frame *f, ct_random *r) {
    int64_t h, w;
    (void)r;
    size_of(&s->value[0], &h, &w);
    return ct__frame_window(f, middle(f->h, h), middle(f->w, w), h, w, CT__FILL, &s->value[1]);
}

static const ct__param center_params[] = {SIZE_PARAM, CT__FILL_PARAM(-1e6, 1e6), {0}};

const ct__step_row ct__step_center_crop = {
    .name = "center_crop",
    .help = "The middle of the picture; a smaller one is padded.",
    .takes = CT__ANY,
    .params = center_params,
    .shape = square_shape,
    .apply = center_crop,
};

/* ---- random_crop ---- */

static ct_status random_crop_shape(const ct__step *s, int64_t shape[3], ct_err *e) {
    int64_t h, w, pad = (int64_t)s->value[1].v[0];
    size_of(&s->value[0], &h, &w);
    if (shape[1] + 2 * pad < h || shape[2] + 2 * pad < w)
        return ct_fail(e, CT_EUSAGE,
                       "random_crop: pictures are %lldx%lld, with pad %lldx%lld; wanted at least %lldx%lld; "
                       "resize before it, or give a larger pad",
                       (long long)shape[2], (long long)shape[1], (long long)(shape[2] + 2 * pad),
                       (long long)(shape[1] + 2 * pad), (long long)w, (long long)h);
    shape[1] = h;
    shape[2] = w;
    return CT_OK;
}

/* Evaluation takes the middle; where the picture has the size already, that is the picture. */
static ct_status random_crop(const ct__step *s, ct__frame *f, ct_random *r) {
    int64_t h, w, pad = (int64_t)s->value[1].v[0];
    size_of(&s->value[0], &h, &w);
    int64_t top = middle(f->h, h), left = middle(f->w, w);
    if (f->training) {
        top = (int64_t)ct_random_below(r, (uint64_t)(f->h + 2 * pad - h + 1)) - pad;
        left = (int64_t)ct_random_below(r, (uint64_t)(f->w + 2 * pad - w + 1)) - pad;
    }
    return ct__frame_window(f, top, left, h, w, (int)s->value[3].v[0], &s->value[2]);
}

static const ct__param random_params[] = {
    SIZE_PARAM,
    {.name = "pad", .kind = CT__INTEGER, .min = 0, .max = 1024, .help = "pixels put around first"},
    CT__FILL_PARAM(-1e6, 1e6),
    MODE_PARAM,
    {0},
};

const ct__step_row ct__step_random_crop = {
    .name = "random_crop",
    .help = "A window anywhere in the picture, padded around. In evaluation: the middle.",
    .takes = CT__ANY,
    .random = 1,
    .always = 1,
    .params = random_params,
    .shape = random_crop_shape,
    .apply = random_crop,
};

/* ---- random_resized_crop ---- */

static ct_status check_range(ct__step *s, ct_err *e) {
    for (int i = 1; i <= 2; i++) {
        ct__value *v = &s->value[i];
        if (v->count == 1) v->v[1] = v->v[0], v->count = 2;
        if (v->v[0] > v->v[1])
            return ct_fail(e, CT_EUSAGE, "%s: %s is %.9g:%.9g; wanted LOW:HIGH", s->row->name,
                           s->row->params[i].name, v->v[0], v->v[1]);
    }
    return CT_OK;
}

/* Ten tries of a window with a share of the area and a ratio of width to height (drawn evenly in its
 * logarithm); then the largest window in the middle whose ratio is allowed. */
static ct__box draw_box(const ct__step *s, const ct__frame *f, ct_random *r) {
    const double *scale = s->value[1].v, *ratio = s->value[2].v;
    double area = (double)f->h * (double)f->w;
    for (int i = 0; i < 10 && f->training; i++) {
        double part = area * ct__draw_between(r, scale[0], scale[1]);
        double aspect = exp(ct__draw_between(r, log(ratio[0]), log(ratio[1])));
        int64_t w = (int64_t)rint(sqrt(part * aspect)), h = (int64_t)rint(sqrt(part / aspect));
        if (w < 1 || h < 1 || w > f->w || h > f->h) continue;
        return (ct__box){(int64_t)ct_random_below(r, (uint64_t)(f->h - h + 1)),
                         (int64_t)ct_random_below(r, (uint64_t)(f->w - w + 1)), h, w};
    }
    int64_t h = f->h, w = f->w, to_h, to_w;
    size_of(&s->value[0], &to_h, &to_w);
    double have = (double)f->w / (double)f->h, low = ratio[0], high = ratio[1];
    if (!f->training) low = high = (double)to_w / (double)to_h;
    if (have < low)
        h = (int64_t)rint((double)w / low);
    else if (have > high)
        w = (int64_t)rint((double)h * high);
    if (h < 1) h = 1;
    if (w < 1) w = 1;
    if (h > f->h) h = f->h;
    if (w > f->w) w = f->w;
    return (ct__box){(f->h - h) / 2, (f->w - w) / 2, h, w};
}

static ct_status random_resized_crop(const ct__step *s, ct__frame *f, ct_random *r) {
    int64_t h, w;
    size_of(&s->value[0], &h, &w);
    return ct__frame_resize(f, draw_box(s, f, r), h, w, (int)s->value[3].v[0], CT__BALANCED);
}

static const ct__param resized_params[] = {
    SIZE_PARAM,
    {.name = "scale",
     .kind = CT__NUMBER,
     .most = 2,
     .quiet = 1,
     .initial = {0.08, 1},
     .initial_count = 2,
     .min = 1e-4,
     .max = 1,
     .help = "share of the area, LOW:HIGH"},
    {.name = "ratio",
     .kind = CT__NUMBER,
     .most = 2,
     .quiet = 1,
     .initial = {0.75, 4.0 / 3},
     .initial_count = 2,
     .min = 1e-2,
     .max = 100,
     .help = "width over height, LOW:HIGH"},
    {.name = "filter",
     .kind = CT__CHOICE,
     .quiet = 1,
     .initial = {CT__BILINEAR},
     .choices = CT__FILTERS,
     .help = "of resize"},
    {0},
};

const ct__step_row ct__step_random_resized_crop = {
    .name = "random_resized_crop",
    .help =
        "A window of a random share and ratio, resized (Szegedy et al. 2015). In evaluation: the largest\n"
        "window of the size's own ratio in the middle, resized.",
    .takes = CT__BYTES,
    .random = 1,
    .always = 1,
    .params = resized_params,
    .check = check_range,
    .shape = square_shape,
    .apply = random_resized_crop,
};

/* ---- pad ---- */

/* all | left-right:top-bottom | left:top:right:bottom */
static void sides(const ct__value *v, int64_t side[4]) {
    for (int i = 0; i < 4; i++) side[i] = (int64_t)v->v[v->count == 4 ? i : v->count == 2 ? i % 2 : 0];
}

static ct_status check_pad(ct__step *s, ct_err *e) {
    if (s->value[0].count != 3) return CT_OK;
    return ct_fail(e, CT_EUSAGE,
                   "pad: sides has 3 numbers; wanted 1, 2 (left-right:top-bottom) or 4 "
                   "(left:top:right:bottom)");
}

static ct_status pad_shape(const ct__step *s, int64_t shape[3], ct_err *e) {
    int64_t side[4];
    (void)e;
    sides(&s->value[0], side);
    shape[1] += side[1] + side[3];
    shape[2] += side[0] + side[2];
    return CT_OK;
}

static ct_status pad(const ct__step *s, ct__frame *f, ct_random *r) {
    int64_t side[4];
    (void)r;
    sides(&s->value[0], side);
    return ct__frame_window(f, -side[1], -side[0], f->h + side[1] + side[3], f->w + side[0] + side[2],
                            (int)s->value[2].v[0], &s->value[1]);
}

static const ct__param pad_params[] = {
    {.name = "sides",
     .kind = CT__INTEGER,
     .most = 4,
     .need = 1,
     .min = 0,
     .max = 16384,
     .help = "ALL, LEFTRIGHT:TOPBOTTOM or LEFT:TOP:RIGHT:BOTTOM"},
    CT__FILL_PARAM(-1e6, 1e6),
    MODE_PARAM,
    {0},
};

const ct__step_row ct__step_pad = {
    .name = "pad",
    .help = "Pixels put around the picture.",
    .takes = CT__ANY,
    .params = pad_params,
    .check = check_pad,
    .shape = pad_shape,
    .apply = pad,
};
