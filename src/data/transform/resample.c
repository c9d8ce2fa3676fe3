/* resample.c: resizing bytes as Pillow does, to the last bit.
 *
 * A result pixel is a weighted sum of the pixels whose centres lie within the filter's support of its own
 * centre; when a picture shrinks, the support grows by the same factor (antialiasing). Weights are computed in
 * double, divided by their sum and rounded to 22 fractional bits; sums are of 32-bit integers, half added,
 * shifted and clipped, so no order of adding changes a bit. One pass goes across the rows, one down the
 * columns, and between them the picture is rounded to bytes; that, and which pass is first, is what "equal to
 * Pillow" means. A pass that would change nothing is left out.
 *
 * Both passes run on sixteen lanes (lanes.h): the vertical one over sixteen columns; the horizontal one over
 * sixteen rows, of which a block is turned on its side before and back after. */
#include <math.h>
#include <string.h>

#include "data/transform/lanes.h"
#include "data/transform/transform.h"

#define BITS CT__WEIGHT_BITS
#define LANES CT__LANES

/* ---- filters ---- */

static double box(double x) { return x > -0.5 && x <= 0.5 ? 1 : 0; }
static double triangle(double x) {
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}
static double hamming(double x) {
    x = fabs(x);
    if (x == 0) return 1;
    if (x >= 1) return 0;
    x *= M_PI;
    return sin(x) / x * (0.54f + 0.46f * cos(x)); /* single constants, as Pillow has them */
}
static double cubic(double x) { /* Keys's, a = -1/2 */
    const double a = -0.5;
    x = fabs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
    return 0;
}
static double sinc(double x) {
    if (x == 0) return 1;
    x *= M_PI;
    return sin(x) / x;
}
static double lanczos(double x) { return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0; }

static const struct {
    double (*at)(double x);
    double support;
} filters[] = {{NULL, 0}, {box, 0.5}, {triangle, 1}, {hamming, 1}, {cubic, 2}, {lanczos, 3}};

/* ---- weights ---- */

static int64_t most_taps(double scale, int filter) {
    return (int64_t)ceil(filters[filter].support * (scale < 1 ? 1 : scale)) * 2 + 1;
}

static void fill_taps(ct__taps *t, int64_t in, double scale, int filter, double *w) {
    double grow = scale < 1 ? 1 : scale, support = filters[filter].support * grow;
    for (int64_t i = 0; i < t->out; i++) {
        double centre = ((double)i + 0.5) * scale, sum = 0, inverse = 1 / grow;
        int64_t first = (int64_t)(centre - support + 0.5), last = (int64_t)(centre + support + 0.5);
        if (first < 0) first = 0;
        if (last > in) last = in;
        int32_t *weight = t->weight + i * t->most;
        for (int64_t k = 0; k < last - first; k++)
            sum += w[k] = filters[filter].at(((double)(k + first) - centre + 0.5) * inverse);
        for (int64_t k = 0; k < last - first; k++) {
            double v = sum != 0 ? w[k] / sum : w[k];
            weight[k] = (int32_t)(v < 0 ? v * (1 << BITS) - 0.5 : v * (1 << BITS) + 0.5);
        }
        t->first[i] = (int32_t)first;
        t->count[i] = (int32_t)(last - first);
    }
}

static uint64_t taps_bytes(const ct__taps *t) {
    return (uint64_t)t->out * (uint64_t)(2 + t->most) * sizeof(int32_t) + (uint64_t)t->most * sizeof(double);
}

/* Lays a table into `memory` of taps_bytes. */
static void lay_taps(ct__taps *t, void *memory, int64_t in, double scale, int filter) {
    double *w = memory;
    t->first = (int32_t *)(void *)(w + t->most);
    t->count = t->first + t->out;
    t->weight = t->count + t->out;
    fill_taps(t, in, scale, filter, w);
}

/* ---- passes ---- */

/* h rows of `in`, at `pitch`, to h rows of t->out. */
static ct_status narrow(ct__frame *f, const ct__lanes *k, const ct__taps *t, const uint8_t *in, int64_t pitch,
                        int64_t w, int64_t h, uint8_t *out) {
    uint64_t side = (uint64_t)(w + t->out) * LANES;
    uint8_t *block = ct__room(f->scratch, CT__ROOM_BLOCK, 2 * side, f->e);
    if (!block) return CT_ELIMIT;
    int64_t y = 0;
    for (; y + LANES <= h; y += LANES) k->rows(t, in + y * pitch, pitch, w, block, out + y * t->out);
    if (y == h) return CT_OK;
    uint8_t *copy = block + side, *made = copy + w * LANES; /* a block that is not full */
    memset(copy, 0, (size_t)(w * LANES));
    for (int64_t r = 0; y + r < h; r++) memcpy(copy + r * w, in + (y + r) * pitch, (size_t)w);
    k->rows(t, copy, w, w, block, made);
    memcpy(out + y * t->out, made, (size_t)((h - y) * t->out));
    return CT_OK;
}

typedef struct plan { /* of one resize */
    ct__taps across, down;
    int32_t narrows, shortens, down_first;
    int32_t reserved;
    int64_t top, rows; /* of the rows that the vertical pass reads, where it is the second */
    uint8_t *middle;   /* between the passes: [rows, to_w], or [to_h, w] */
} plan;

/* Pillow goes across first, and from version 13 on down first where that removes many more rows than the other
 * pass columns. */
static int is_down_first(ct__box from, int64_t to_h, int64_t to_w, int order) {
    return order == CT__BALANCED && to_h < from.h && from.h - to_h > 2 * (from.w - to_w);
}

static ct_status make_plan(plan *p, ct__frame *f, ct__box from, int64_t to_h, int64_t to_w, int filter) {
    double sx = (double)from.w / (double)to_w, sy = (double)from.h / (double)to_h;
    p->narrows = to_w != from.w;
    p->shortens = to_h != from.h;
    p->across = (ct__taps){.out = to_w, .most = most_taps(sx, filter)};
    p->down = (ct__taps){.out = to_h, .most = most_taps(sy, filter)};
    uint64_t across = (taps_bytes(&p->across) + 63) / 64 * 64;
    char *table = ct__room(f->scratch, CT__ROOM_TABLE, across + taps_bytes(&p->down), f->e);
    if (!table) return CT_ELIMIT;
    lay_taps(&p->across, table, from.w, sx, filter);
    lay_taps(&p->down, table + across, from.h, sy, filter);
    p->rows = p->down_first ? to_h : from.h;
    if (!p->narrows || !p->shortens) return CT_OK;
    if (!p->down_first) {
        p->top = p->down.first[0];
        p->rows = p->down.first[to_h - 1] + p->down.count[to_h - 1] - p->top;
    }
    for (int64_t y = 0; y < to_h; y++) p->down.first[y] -= (int32_t)p->top;
    p->middle = ct__room(f->scratch, CT__ROOM_MIDDLE,
                         (uint64_t)p->rows * (uint64_t)(p->down_first ? from.w : to_w), f->e);
    return p->middle ? CT_OK : CT_ELIMIT;
}

/* One plane: `in` at the pitch of the frame. */
static ct_status resample_plane(ct__frame *f, const ct__lanes *k, const plan *p, const uint8_t *in, int64_t w,
                                uint8_t *out) {
    int64_t to_h = p->down.out, to_w = p->across.out;
    if (!p->narrows) {
        k->columns(&p->down, in, f->w, w, out);
        return CT_OK;
    }
    if (p->shortens && p->down_first) {
        k->columns(&p->down, in, f->w, w, p->middle);
        return narrow(f, k, &p->across, p->middle, w, w, to_h, out);
    }
    ct_status s = narrow(f, k, &p->across, in + p->top * f->w, f->w, w, p->rows, p->middle ? p->middle : out);
    if (!s && p->shortens) k->columns(&p->down, p->middle, to_w, to_w, out);
    return s;
}

static ct_status resample(ct__frame *f, ct__box from, int64_t to_h, int64_t to_w, int filter, int order) {
    const ct__lanes *k = ct__lanes_of(f->instructions);
    plan p = {.down_first = is_down_first(from, to_h, to_w, order)};
    uint8_t *to = ct__frame_room(f, f->c, to_h, to_w);
    ct_status s = to ? make_plan(&p, f, from, to_h, to_w, filter) : CT_ELIMIT;
    for (int64_t c = 0; c < f->c && !s; c++) {
        const uint8_t *in = (const uint8_t *)f->data + (c * f->h + from.top) * f->w + from.left;
        s = resample_plane(f, k, &p, in, from.w, to + c * to_h * to_w);
    }
    if (!s) ct__frame_take(f, to, f->c, to_h, to_w);
    return s;
}

/* ---- nearest ---- */

/* The pixel under each result's centre; the coordinate is a running sum, as Pillow's is, so that the same
 * pixel is taken where a centre falls on an edge. */
static void nearest_places(int64_t in, int64_t out, int64_t *place) {
    double scale = (double)in / (double)out, at = scale * 0.5;
    for (int64_t i = 0; i < out; i++, at += scale) place[i] = (int64_t)at < in ? (int64_t)at : in - 1;
}

static ct_status nearest(ct__frame *f, ct__box from, int64_t to_h, int64_t to_w) {
    int64_t *column = ct__room(f->scratch, CT__ROOM_TABLE, (uint64_t)(to_w + to_h) * sizeof *column, f->e);
    uint8_t *to = column ? ct__frame_room(f, f->c, to_h, to_w) : NULL;
    if (!to) return CT_ELIMIT;
    int64_t *row = column + to_w;
    nearest_places(from.w, to_w, column);
    nearest_places(from.h, to_h, row);
    uint8_t *out = to;
    for (int64_t c = 0; c < f->c; c++)
        for (int64_t y = 0; y < to_h; y++, out += to_w) {
            const uint8_t *in = (const uint8_t *)f->data + (c * f->h + from.top + row[y]) * f->w + from.left;
            for (int64_t x = 0; x < to_w; x++) out[x] = in[column[x]];
        }
    ct__frame_take(f, to, f->c, to_h, to_w);
    return CT_OK;
}

ct_status ct__frame_resize(ct__frame *f, ct__box from, int64_t to_h, int64_t to_w, int filter, int order) {
    if (to_h == from.h && to_w == from.w)
        return ct__frame_window(f, from.top, from.left, from.h, from.w, CT__FILL, NULL);
    return filter == CT__NEAREST ? nearest(f, from, to_h, to_w)
                                 : resample(f, from, to_h, to_w, filter, order);
}
