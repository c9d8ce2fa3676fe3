/* direct.c: convolution in plain loops, for the few shapes that oneDNN has no kernel for: mostly results of one pixel
 * in one channel, whose layouts it cannot tell apart. Such results are small, so plain loops do.
 *
 *     dst[n,o,h,w] = bias[o] + sum over i, r, q of weight[o,i,r,q] src[n, i, h stride - pad + r dilation, ...]
 *
 * The three directions meet the same triples of an element of src, weight and dst, in the order of (n, o, h, w, i, r, q),
 * and add the product of two to the third. */
#include <string.h>

#include "kern/direct.h"

/* All triples of dst element `y`, which is (n, o, h, w). */
static void window(const ct__conv_shape *s, int32_t kind, const ct__direct *d, const int64_t at[4],
                   int64_t y) {
    int64_t per_group = s->ic / s->groups, first = at[1] / (s->oc / s->groups) * per_group;
    int64_t top = at[2] * s->stride_h - s->pad_top, left = at[3] * s->stride_w - s->pad_left;
    for (int64_t i = 0; i < per_group; i++)
        for (int64_t r = 0; r < s->kh; r++)
            for (int64_t q = 0; q < s->kw; q++) {
                int64_t row = top + r * s->dilation_h, column = left + q * s->dilation_w;
                if (row < 0 || row >= s->ih || column < 0 || column >= s->iw) continue;
                float *x = d->src + ((at[0] * s->ic + first + i) * s->ih + row) * s->iw + column;
                float *w = d->weight + ((at[1] * per_group + i) * s->kh + r) * s->kw + q;
                if (kind == CT__CONV_FORWARD)
                    d->dst[y] += *w * *x;
                else if (kind == CT__CONV_DATA)
                    *x += *w * d->dst[y];
                else
                    *w += *x * d->dst[y];
            }
}

static void clear(const ct__conv_shape *s, int32_t kind, const ct__direct *d) {
    size_t src = (size_t)(s->n * s->ic * s->ih * s->iw),
           weight = (size_t)(s->oc * (s->ic / s->groups) * s->kh * s->kw);
    if (kind == CT__CONV_DATA) memset(d->src, 0, src * sizeof(float));
    if (kind == CT__CONV_WEIGHT) memset(d->weight, 0, weight * sizeof(float));
    if (kind == CT__CONV_WEIGHT && d->bias) memset(d->bias, 0, (size_t)s->oc * sizeof(float));
}

void ct__direct_run(const ct__conv_shape *s, int32_t kind, int32_t relu, const ct__direct *d) {
    int64_t pixels = s->oh * s->ow, at[4];
    clear(s, kind, d);
    for (int64_t y = 0; y < s->n * s->oc * pixels; y++) {
        at[0] = y / (s->oc * pixels), at[1] = y / pixels % s->oc, at[2] = y / s->ow % s->oh,
        at[3] = y % s->ow;
        if (kind == CT__CONV_FORWARD) d->dst[y] = d->bias ? d->bias[at[1]] : 0;
        window(s, kind, d, at, y);
        if (kind == CT__CONV_FORWARD && relu && d->dst[y] < 0) d->dst[y] = 0;
        if (kind == CT__CONV_WEIGHT && d->bias) d->bias[at[1]] += d->dst[y];
    }
}
