/* tone.c: changes of brightness and colour, on bytes, with the results of Pillow's ImageEnhance and ImageOps
 * (hue apart, which stays in floats here). An enhancement goes from a plain version of the picture (black, its
 * mean grey, its grey, its blur) at factor 0 through the picture at 1 and beyond. What depends on a byte alone is
 * a table of 256. */
#include <math.h>
#include <string.h>

#include "data/transform/transform.h"

/* from + factor (to - from), cut to a byte. Between the two nothing can leave the range, and the fraction is
 * dropped; beyond it is clipped. */
static uint8_t blend(int from, int to, float factor) {
    float v = (float)from + factor * (float)(to - from);
    return v <= 0 ? 0 : v >= 255 ? 255 : (uint8_t)v;
}

static ct_status map(ct__frame *f, int64_t first, int64_t count, const uint8_t table[256]) {
    uint8_t *x = ct__frame_own(f);
    if (!x) return CT_ELIMIT;
    for (int64_t i = first; i < first + count; i++) x[i] = table[x[i]];
    return CT_OK;
}

static ct_status map_all(ct__frame *f, const uint8_t table[256]) {
    return map(f, 0, ct__frame_count(f), table);
}

void ct__grey_planes(const uint8_t *rgb, int64_t plane, uint8_t *grey) {
    for (int64_t i = 0; i < plane; i++) grey[i] = ct__luma(rgb[i], rgb[plane + i], rgb[2 * plane + i]);
}

ct_status ct__tone_brightness(ct__frame *f, double factor) {
    uint8_t table[256];
    for (int i = 0; i < 256; i++) table[i] = blend(0, i, (float)factor);
    return map_all(f, table);
}

ct_status ct__tone_contrast(ct__frame *f, double factor) {
    const uint8_t *x = f->data;
    int64_t plane = f->h * f->w;
    uint64_t sum = 0;
    uint8_t table[256];
    for (int64_t i = 0; i < plane; i++)
        sum += f->c == 3 ? ct__luma(x[i], x[plane + i], x[2 * plane + i]) : x[i];
    int mean = (int)((double)sum / (double)plane + 0.5);
    for (int i = 0; i < 256; i++) table[i] = blend(mean, i, (float)factor);
    return map_all(f, table);
}

ct_status ct__tone_saturation(ct__frame *f, double factor) {
    int64_t plane = f->h * f->w;
    if (f->c != 3) return CT_OK;
    uint8_t *x = ct__frame_own(f);
    if (!x) return CT_ELIMIT;
    for (int64_t i = 0; i < plane; i++) {
        int grey = ct__luma(x[i], x[plane + i], x[2 * plane + i]);
        for (int64_t c = 0; c < 3; c++) x[c * plane + i] = blend(grey, x[c * plane + i], (float)factor);
    }
    return CT_OK;
}

/* The blur at factor 0 is the mean of the 3x3 neighbours, the middle weighing 5; the rim stays. */
ct_status ct__tone_sharpness(ct__frame *f, double factor) {
    uint8_t *to = ct__frame_room(f, f->c, f->h, f->w);
    if (!to) return CT_ELIMIT;
    memcpy(to, f->data, (size_t)ct__frame_count(f));
    int64_t w = f->w;
    for (int64_t c = 0; c < f->c; c++)
        for (int64_t y = 1; y + 1 < f->h; y++) {
            const uint8_t *x = (const uint8_t *)f->data + (c * f->h + y) * w;
            uint8_t *out = to + (c * f->h + y) * w;
            for (int64_t i = 1; i + 1 < w; i++) {
                int sum = 4 * x[i];
                for (int64_t d = -1; d <= 1; d++) sum += x[i + d - w] + x[i + d] + x[i + d + w];
                out[i] = blend((2 * sum + 13) / 26, x[i], (float)factor);
            }
        }
    ct__frame_take(f, to, f->c, f->h, f->w);
    return CT_OK;
}

/* ---- hue ---- */

/* Hue turned by `shift` of a circle; the largest and the smallest of the three channels stay. */
static void turn_hue(float rgb[3], float shift) {
    float most = fmaxf(fmaxf(rgb[0], rgb[1]), rgb[2]), least = fminf(fminf(rgb[0], rgb[1]), rgb[2]);
    float span = most - least, h;
    if (span <= 0) return;
    if (most == rgb[0])
        h = (rgb[1] - rgb[2]) / span;
    else if (most == rgb[1])
        h = 2 + (rgb[2] - rgb[0]) / span;
    else
        h = 4 + (rgb[0] - rgb[1]) / span;
    h = h / 6 + shift;
    h = (h - floorf(h)) * 6;
    for (int c = 0; c < 3; c++) { /* a trapezium around each channel's own hue: 0, 2, 4 */
        float from = fabsf(h - 2 * (float)c);
        if (from > 3) from = 6 - from;
        float share = from <= 1 ? 1 : from >= 2 ? 0 : 2 - from;
        rgb[c] = least + span * share;
    }
}

ct_status ct__tone_hue(ct__frame *f, double shift) {
    int64_t plane = f->h * f->w;
    if (f->c != 3) return CT_OK;
    uint8_t *x = ct__frame_own(f);
    if (!x) return CT_ELIMIT;
    for (int64_t i = 0; i < plane; i++) {
        float v[3] = {x[i], x[plane + i], x[2 * plane + i]};
        turn_hue(v, (float)shift);
        for (int64_t c = 0; c < 3; c++) x[c * plane + i] = (uint8_t)(v[c] + 0.5f);
    }
    return CT_OK;
}

/* ---- levels ---- */

ct_status ct__tone_posterize(ct__frame *f, int bits) {
    uint8_t table[256];
    for (int i = 0; i < 256; i++) table[i] = (uint8_t)(i & ~((1 << (8 - bits)) - 1));
    return map_all(f, table);
}

ct_status ct__tone_solarize(ct__frame *f, double threshold) {
    uint8_t table[256];
    for (int i = 0; i < 256; i++) table[i] = (uint8_t)(i < threshold ? i : 255 - i);
    return map_all(f, table);
}

static void histogram(const uint8_t *x, int64_t n, int64_t count[256]) {
    memset(count, 0, 256 * sizeof *count);
    for (int64_t i = 0; i < n; i++) count[x[i]]++;
}

/* The least and the greatest value of a channel become 0 and 255. */
ct_status ct__tone_autocontrast(ct__frame *f) {
    int64_t plane = f->h * f->w, count[256];
    ct_status s = CT_OK;
    for (int64_t c = 0; c < f->c && !s; c++) {
        int low = 0, high = 255;
        uint8_t table[256];
        histogram((const uint8_t *)f->data + c * plane, plane, count);
        while (low < 255 && !count[low]) low++;
        while (high > 0 && !count[high]) high--;
        if (high <= low) continue;
        double scale = 255.0 / (high - low), offset = -low * scale;
        for (int i = 0; i < 256; i++) {
            double v = i * scale + offset;
            table[i] = (uint8_t)(v <= 0 ? 0 : v >= 255 ? 255 : v);
        }
        s = map(f, c * plane, plane, table);
    }
    return s;
}

/* Values are spread so that each step of the result holds about as many pixels. */
ct_status ct__tone_equalize(ct__frame *f) {
    int64_t plane = f->h * f->w, count[256];
    ct_status s = CT_OK;
    for (int64_t c = 0; c < f->c && !s; c++) {
        int last = 255, used = 0;
        uint8_t table[256];
        histogram((const uint8_t *)f->data + c * plane, plane, count);
        while (last > 0 && !count[last]) last--;
        for (int i = 0; i < 256; i++) used += count[i] != 0;
        int64_t step = (plane - count[last]) / 255, sum = step / 2;
        if (used < 2 || step == 0) continue;
        for (int i = 0; i < 256; sum += count[i++]) table[i] = (uint8_t)(sum / step > 255 ? 255 : sum / step);
        s = map(f, c * plane, plane, table);
    }
    return s;
}
