/* warp.c: turning, shearing, moving: an affine map read backwards. Each result pixel's centre is mapped into the
 * picture and the value there is the nearest pixel, or the weighted mean of the four around; outside is filled.
 * Steps: rotate, affine. */
#include <math.h>
#include <string.h>

#include "data/transform/transform.h"

/* torchvision's: M = T(centre + move) R(angle) Shear Scale T(-centre); the inverse, in closed form. */
void ct__motion_inverse(const ct__motion *o, int64_t w, int64_t h, double m[6]) {
    const double degree = M_PI / 180;
    double turn = o->angle * degree, sx = o->shear_x * degree, sy = o->shear_y * degree;
    double cx = o->corner ? 0 : (double)w * 0.5, cy = o->corner ? 0 : (double)h * 0.5;
    double a = cos(turn - sy) / cos(sy), b = -cos(turn - sy) * tan(sx) / cos(sy) - sin(turn);
    double c = sin(turn - sy) / cos(sy), d = -sin(turn - sy) * tan(sx) / cos(sy) + cos(turn);
    m[0] = d / o->scale;
    m[1] = -b / o->scale;
    m[3] = -c / o->scale;
    m[4] = a / o->scale;
    m[2] = cx + m[0] * (-cx - o->tx) + m[1] * (-cy - o->ty);
    m[5] = cy + m[3] * (-cx - o->tx) + m[4] * (-cy - o->ty);
}

typedef struct point { /* where a result pixel reads; x0 -1: outside */
    int32_t x0, x1, y0, y1;
    float dx, dy;
} point;

static int32_t bound(double v, int64_t n) {
    return v < 0 ? 0 : v > (double)(n - 1) ? (int32_t)(n - 1) : (int32_t)v;
}

static void places(const ct__frame *f, const double m[6], int smooth, int64_t y, point *p) {
    for (int64_t x = 0; x < f->w; x++) {
        double px = (double)x + 0.5, py = (double)y + 0.5;
        double u = m[0] * px + m[1] * py + m[2], v = m[3] * px + m[4] * py + m[5];
        p[x].x0 = -1;
        if (!(u >= 0 && v >= 0 && u < (double)f->w && v < (double)f->h)) continue;
        if (!smooth) {
            p[x] = (point){(int32_t)u, 0, (int32_t)v, 0, 0, 0};
            continue;
        }
        double u0 = floor(u - 0.5), v0 = floor(v - 0.5);
        p[x] = (point){bound(u0, f->w),     bound(u0 + 1, f->w),   bound(v0, f->h),
                       bound(v0 + 1, f->h), (float)(u - 0.5 - u0), (float)(v - 0.5 - v0)};
    }
}

static float mix4(float a, float b, float c, float d, const point *p) {
    float above = a + (b - a) * p->dx, below = c + (d - c) * p->dx;
    return above + (below - above) * p->dy;
}

static void row_bytes(const uint8_t *in, int64_t w, const point *p, int smooth, double fill, uint8_t *out) {
    uint8_t outside = (uint8_t)(fill <= 0 ? 0 : fill >= 255 ? 255 : fill);
    for (int64_t x = 0; x < w; x++, p++) {
        if (p->x0 < 0) {
            out[x] = outside;
            continue;
        }
        const uint8_t *a = in + p->y0 * w, *b = in + p->y1 * w;
        out[x] = smooth ? (uint8_t)mix4(a[p->x0], a[p->x1], b[p->x0], b[p->x1], p) : a[p->x0];
    }
}

static void row_floats(const float *in, int64_t w, const point *p, int smooth, double fill, float *out) {
    for (int64_t x = 0; x < w; x++, p++) {
        if (p->x0 < 0) {
            out[x] = (float)fill;
            continue;
        }
        const float *a = in + p->y0 * w, *b = in + p->y1 * w;
        out[x] = smooth ? mix4(a[p->x0], a[p->x1], b[p->x0], b[p->x1], p) : a[p->x0];
    }
}

ct_status ct__frame_warp(ct__frame *f, const double m[6], int smooth, const ct__value *fill) {
    point *p = ct__room(f->scratch, CT__ROOM_TABLE, (uint64_t)f->w * sizeof *p, f->e);
    char *to = p ? ct__frame_room(f, f->c, f->h, f->w) : NULL;
    if (!to) return CT_ELIMIT;
    for (int64_t y = 0; y < f->h; y++) {
        places(f, m, smooth, y, p);
        for (int64_t c = 0; c < f->c; c++) {
            double value = fill ? fill->v[fill->count > 1 ? c % fill->count : 0] : 0;
            int64_t plane = c * f->h * f->w, row = plane + y * f->w;
            if (f->floats)
                row_floats((const float *)f->data + plane, f->w, p, smooth, value, (float *)(void *)to + row);
            else
                row_bytes((const uint8_t *)f->data + plane, f->w, p, smooth, value, (uint8_t *)to + row);
        }
    }
    ct__frame_take(f, to, f->c, f->h, f->w);
    return CT_OK;
}

/* ---- rotate, affine ---- */

#define SMOOTH_PARAM \
    { \
        .name = "filter", .kind = CT__CHOICE, .quiet = 1, .choices = "nearest bilinear", \
        .help = "how pixels are read" \
    }

/* D stands for -D:D, L:H for itself. */
static void draw_span(const ct__value *v, ct_random *r, double *out) {
    double high = v->v[v->count > 1 ? 1 : 0], low = v->count > 1 ? v->v[0] : -high;
    *out = low == high ? low : ct__draw_between(r, low, high);
}

static ct_status check_spans(ct__step *s, ct_err *e) {
    for (int i = 0; s->row->params[i].name; i++) {
        ct__value *v = &s->value[i];
        if (s->row->params[i].most == 2 && v->count == 2 && v->v[0] > v->v[1])
            return ct_fail(e, CT_EUSAGE, "%s: %s is %.9g:%.9g; wanted LOW:HIGH", s->row->name,
                           s->row->params[i].name, v->v[0], v->v[1]);
        if (s->row->params[i].most == 2 && v->count == 1 && v->v[0] < 0)
            return ct_fail(e, CT_EUSAGE, "%s: %s is %.9g; wanted a span from 0, or LOW:HIGH", s->row->name,
                           s->row->params[i].name, v->v[0]);
    }
    return CT_OK;
}

static ct_status rotate(const ct__step *s, ct__frame *f, ct_random *r) {
    ct__motion o = {.scale = 1};
    double m[6];
    draw_span(&s->value[0], r, &o.angle);
    o.angle = -o.angle; /* counter-clockwise */
    ct__motion_inverse(&o, f->w, f->h, m);
    return ct__frame_warp(f, m, (int)s->value[1].v[0], &s->value[2]);
}

static const ct__param rotate_params[] = {
    {.name = "degrees",
     .kind = CT__NUMBER,
     .most = 2,
     .need = 1,
     .min = -360,
     .max = 360,
     .help = "D for -D:D, or LOW:HIGH, counter-clockwise"},
    SMOOTH_PARAM,
    CT__FILL_PARAM(-1e6, 1e6),
    {0},
};

const ct__step_row ct__step_rotate = {
    .name = "rotate",
    .help = "A turn about the centre by a random angle; the size stays.",
    .takes = CT__ANY,
    .random = 1,
    .params = rotate_params,
    .check = check_spans,
    .apply = rotate,
};

/* Moves are shares of the sides, whole pixels, as torchvision draws them. */
static ct_status affine(const ct__step *s, ct__frame *f, ct_random *r) {
    ct__motion o = {.scale = 1};
    double m[6];
    draw_span(&s->value[0], r, &o.angle);
    const ct__value *move = &s->value[1], *scale = &s->value[2];
    double dx = move->v[0] * (double)f->w, dy = move->v[move->count > 1 ? 1 : 0] * (double)f->h;
    o.tx = rint(ct__draw_between(r, -dx, dx));
    o.ty = rint(ct__draw_between(r, -dy, dy));
    o.scale = ct__draw_between(r, scale->v[0], scale->v[scale->count > 1 ? 1 : 0]);
    draw_span(&s->value[3], r, &o.shear_x);
    draw_span(&s->value[4], r, &o.shear_y);
    ct__motion_inverse(&o, f->w, f->h, m);
    return ct__frame_warp(f, m, (int)s->value[5].v[0], &s->value[6]);
}

static ct_status check_affine(ct__step *s, ct_err *e) {
    ct__value move = s->value[1];
    s->value[1].count = 1; /* two shares, not a span */
    ct_status status = check_spans(s, e);
    s->value[1] = move;
    return status;
}

#define SHEAR(n, h) \
    { .name = n, .kind = CT__NUMBER, .most = 2, .quiet = 1, .min = -80, .max = 80, .help = h }
static const ct__param affine_params[] = {
    {.name = "degrees",
     .kind = CT__NUMBER,
     .most = 2,
     .need = 1,
     .min = -360,
     .max = 360,
     .help = "turn: D for -D:D, or LOW:HIGH, clockwise"},
    {.name = "translate",
     .kind = CT__NUMBER,
     .most = 2,
     .quiet = 1,
     .min = 0,
     .max = 1,
     .help = "largest move as a share of the sides: BOTH or ACROSS:DOWN"},
    {.name = "scale",
     .kind = CT__NUMBER,
     .most = 2,
     .quiet = 1,
     .initial = {1, 1},
     .min = 1e-2,
     .max = 100,
     .help = "LOW:HIGH"},
    SHEAR("shear_x", "degrees: D for -D:D, or LOW:HIGH"),
    SHEAR("shear_y", "degrees: D for -D:D, or LOW:HIGH"),
    SMOOTH_PARAM,
    CT__FILL_PARAM(-1e6, 1e6),
    {0},
};

const ct__step_row ct__step_affine = {
    .name = "affine",
    .help = "Turn, move, scale and shear at random, about the centre; the size stays.",
    .takes = CT__ANY,
    .random = 1,
    .params = affine_params,
    .check = check_affine,
    .apply = affine,
};
