/* pictures.c: components of pictures, shown as pictures: the mean, and beside it what each of the first components adds
 * to it where its score is positive. Each is a BMP of 24 bits inside the page (base64), the one format that takes no
 * encoder. */
#include <math.h>
#include <stdio.h>

#include "task/pca/pca.h"
#include "task/report/plot.h"

enum { SHOWN = 10, LARGEST = 256 };

/* ---- base64 (RFC 4648) ---- */

typedef struct base64 {
    ct_text *t;
    uint32_t held;
    int count; /* bytes of `held` */
} base64;

static void flush(base64 *b) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char four[4];
    uint32_t v = b->held << (8 * (3 - b->count));
    if (b->count == 0) return;
    for (int i = 0; i < 4; i++) four[i] = i <= b->count ? digits[v >> (18 - 6 * i) & 63] : '=';
    ct_text_bytes(b->t, four, 4);
    b->held = 0, b->count = 0;
}
static void put(base64 *b, uint32_t byte) {
    b->held = b->held << 8 | (byte & 255);
    if (++b->count == 3) flush(b);
}
static void put_number(base64 *b, uint32_t v, int bytes) { /* the lowest byte first */
    for (int i = 0; i < bytes; i++) put(b, v >> (8 * i));
}

/* ---- pictures ---- */

typedef struct picture {
    const double *v; /* [C,H,W] */
    int64_t channels, height, width;
    double low, high; /* black and white; of weights, -high and high */
    int weights;      /* from blue over white to orange, where there is one channel */
} picture;

static uint32_t shade(double from, double to, double share) {
    return (uint32_t)lrint(from + (to - from) * fmin(fmax(share, 0), 1));
}

/* Blue, green, red of a pixel. */
static void pixel(const picture *p, int64_t at, uint32_t bgr[3]) {
    static const double below[3] = {178, 114, 0}, above[3] = {0, 94, 213};
    int64_t plane = p->height * p->width;
    for (int i = 0; i < 3; i++) {
        double v = p->v[(p->channels == 3 ? 2 - i : 0) * plane + at];
        if (p->weights && p->channels == 1)
            bgr[i] = shade(255, v < 0 ? below[i] : above[i], fabs(v) / p->high);
        else
            bgr[i] = shade(0, 255, (v - p->low) / (p->high - p->low));
    }
}

static void bitmap(const picture *p, ct_text *t) {
    base64 b = {.t = t};
    uint32_t pad = (uint32_t)(-3 * p->width & 3), size = (uint32_t)p->height * ((uint32_t)p->width * 3 + pad),
             bgr[3];
    const uint32_t head[] = {54 + size, 0, 54, 40, (uint32_t)p->width, (uint32_t)p->height};
    put(&b, 'B'), put(&b, 'M');
    for (int i = 0; i < 6; i++) put_number(&b, head[i], 4);
    put_number(&b, 1, 2), put_number(&b, 24, 2), put_number(&b, 0, 4), put_number(&b, size, 4);
    for (int i = 0; i < 4; i++) put_number(&b, 0, 4);
    for (int64_t y = p->height - 1; y >= 0; y--) { /* from the lowest line up */
        for (int64_t x = 0; x < p->width; x++) {
            pixel(p, y * p->width + x, bgr);
            for (int i = 0; i < 3; i++) put(&b, bgr[i]);
        }
        put_number(&b, 0, (int)pad);
    }
    flush(&b);
}

static void show(picture *p, const char *caption, ct_text *t) {
    int64_t n = p->channels * p->height * p->width;
    p->low = INFINITY, p->high = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        double v = p->weights ? fabs(p->v[i]) : p->v[i];
        p->low = fmin(p->low, v), p->high = fmax(p->high, v);
    }
    if (p->weights) p->low = -p->high;
    if (!(p->high > p->low)) p->low -= 1, p->high += 1;
    ct_text_add(
        t,
        "<figure style=\"margin:0 1em 1em 0\"><img width=\"96\" style=\"image-rendering:pixelated;border:1px "
        "solid var(--rule)\" alt=\"");
    ct__page_text(t, caption);
    ct_text_add(t, "\" src=\"data:image/bmp;base64,");
    bitmap(p, t);
    ct_text_add(t, "\"><figcaption>");
    ct__page_text(t, caption);
    ct_text_add(t, "</figcaption></figure>\n");
}

int ct__pca_pictures(const ct__pca_job *j, ct_text *t) {
    const int64_t *shape = j->records.planes;
    const ct_pca *pca = &j->result->pca;
    int64_t k = pca->components.dim[0];
    if (!j->records.pictures || (shape[0] != 1 && shape[0] != 3) || shape[1] > LARGEST || shape[2] > LARGEST)
        return 0;
    picture p = {pca->mean.data, shape[0], shape[1], shape[2], 0, 0, 0};
    ct_text_add(t, "<h2>The mean, and what the components add to it</h2>\n<div "
                   "style=\"display:flex;flex-wrap:wrap\">\n");
    show(&p, "mean", t);
    p.weights = 1;
    for (int64_t i = 0; i < k && i < SHOWN; i++) {
        char caption[64];
        p.v = (const double *)pca->components.data + i * j->result->features;
        snprintf(caption, sizeof caption, "component %lld", (long long)i + 1);
        show(&p, caption, t);
    }
    ct_text_add(t, "</div>\n");
    if (shape[0] == 1)
        ct_text_add(t, "<p>Where a score is positive, orange gets lighter and blue darker.</p>\n");
    return 1;
}
