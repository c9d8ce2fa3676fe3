/* image_pool_lanes.h: pooling of planes whose elements have LANES lanes; included once for each number. Where
 * registers are narrower, a plane is done in several passes of VEC lanes, each beginning at its lane. */
#if LANES > WIDTH
#define VEC WIDTH
#else
#define VEC LANES
#endif
#define NAME(x) CT_SIMD_EXPAND(x, LANES)
#define vec NAME(pool_vec)
#define ivec NAME(pool_ivec)

#if LANES == 1
typedef float vec;
typedef int32_t ivec;
#else
typedef float vec __attribute__((vector_size(VEC * 4)));
typedef int32_t ivec __attribute__((vector_size(VEC * 4)));
#endif

ALWAYS vec NAME(load)(const float *p) {
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}
ALWAYS void NAME(store)(float *p, vec v) { memcpy(p, &v, sizeof v); }
ALWAYS ivec NAME(load_index)(const int32_t *p) {
    ivec v;
    memcpy(&v, p, sizeof v);
    return v;
}
ALWAYS void NAME(store_index)(int32_t *p, ivec v) { memcpy(p, &v, sizeof v); }

/* v at `position` wins over an earlier one when it is larger, or NaN. */
ALWAYS void NAME(challenge)(vec v, int32_t position, vec *best, ivec *at) {
#if LANES == 1
    int wins = (v > *best) | (v != v);
    *best = wins ? v : *best;
    *at = wins ? position : *at;
#elif VEC == 16
    __mmask16 wins = _mm512_cmp_ps_mask((__m512)v, (__m512)*best, _CMP_GT_OQ) |
                     _mm512_cmp_ps_mask((__m512)v, (__m512)v, _CMP_UNORD_Q);
    *best = (vec)_mm512_mask_mov_ps((__m512)*best, wins, (__m512)v);
    *at = (ivec)_mm512_mask_mov_epi32((__m512i)*at, wins, _mm512_set1_epi32(position));
#else
    ivec wins = (v > *best) | (v != v);
    *best = (vec)(((ivec)v & wins) | ((ivec)*best & ~wins));
    *at = (position & wins) | (*at & ~wins);
#endif
}

/* d where at == position, else 0 */
ALWAYS vec NAME(share)(vec d, ivec at, int32_t position) {
#if LANES == 1
    return at == position ? d : 0;
#elif VEC == 16
    return (vec)_mm512_maskz_mov_ps(_mm512_cmpeq_epi32_mask((__m512i)at, _mm512_set1_epi32(position)),
                                    (__m512)d);
#else
    return (vec)((ivec)d & (at == position));
#endif
}
/* d where y > 0, else 0 */
ALWAYS vec NAME(above_zero)(vec d, const float *y) {
#if LANES == 1
    return *y > 0 ? d : 0;
#elif VEC == 16
    return (vec)_mm512_maskz_mov_ps(
        _mm512_cmp_ps_mask((__m512)NAME(load)(y), _mm512_setzero_ps(), _CMP_GT_OQ), (__m512)d);
#else
    return (vec)((ivec)d & (NAME(load)(y) > 0));
#endif
}

/* Windows 2 x 2, step 2, inside: one plane. */
static void NAME(max_pairs)(const ct__pool *p, const float *x, float *y, int32_t *index) {
    int64_t row = p->w.in * LANES;
    for (int64_t oh = 0; oh < p->h.out; oh++) {
        const float *a = x + 2 * oh * row, *b = a + row;
        int32_t at = (int32_t)(2 * oh * p->w.in), below = at + (int32_t)p->w.in;
        for (int64_t ow = 0; ow < p->w.out;
             ow++, a += 2 * LANES, b += 2 * LANES, at += 2, below += 2, y += LANES) {
            vec best = NAME(load)(a);
            ivec where = (ivec){0} + at;
            NAME(challenge)(NAME(load)(a + LANES), at + 1, &best, &where);
            NAME(challenge)(NAME(load)(b), below, &best, &where);
            NAME(challenge)(NAME(load)(b + LANES), below + 1, &best, &where);
            NAME(store)(y, best);
            if (!index) continue;
            NAME(store_index)(index, where);
            index += LANES;
        }
    }
}

static void NAME(max_windows)(const ct__pool *p, const float *x, float *y, int32_t *index) {
    for (int64_t oh = 0; oh < p->h.out; oh++)
        for (int64_t ow = 0; ow < p->w.out; ow++, y += LANES) {
            const ct__span *h = &p->h.span[oh], *w = &p->w.span[ow];
            vec best = (vec){0} - INFINITY;
            ivec where = (ivec){0} + (int32_t)(h->begin * p->w.in + w->begin);
            for (int64_t i = h->begin; i < h->end; i += p->h.step)
                for (int64_t j = w->begin; j < w->end; j += p->w.step) {
                    int64_t at = i * p->w.in + j;
                    NAME(challenge)(NAME(load)(x + at * LANES), (int32_t)at, &best, &where);
                }
            NAME(store)(y, best);
            if (!index) continue;
            NAME(store_index)(index, where);
            index += LANES;
        }
}

/* Every element of dx belongs to at most one window: it is written once, in order; those outside stay. */
ALWAYS void NAME(grad_pairs)(const ct__pool *p, const float *dy, const int32_t *index, const float *pooled,
                             const int relu, float *dx) {
    int64_t row = p->w.in * LANES, used = 2 * p->w.out * LANES;
    for (int64_t oh = 0; oh < p->h.out; oh++) {
        float *a = dx + 2 * oh * row, *b = a + row;
        int32_t at = (int32_t)(2 * oh * p->w.in), below = at + (int32_t)p->w.in;
        for (int64_t i = 0; i < used; i += 2 * LANES, at += 2, below += 2, dy += LANES, index += LANES) {
            vec d = NAME(load)(dy);
            ivec where = NAME(load_index)(index);
            if (relu) {
                d = NAME(above_zero)(d, pooled);
                pooled += LANES;
            }
            NAME(store)(a + i, NAME(share)(d, where, at));
            NAME(store)(a + i + LANES, NAME(share)(d, where, at + 1));
            NAME(store)(b + i, NAME(share)(d, where, below));
            NAME(store)(b + i + LANES, NAME(share)(d, where, below + 1));
        }
    }
}
static void NAME(grad_pairs_plain)(const ct__pool *p, const float *dy, const int32_t *index, float *dx) {
    NAME(grad_pairs)(p, dy, index, NULL, 0, dx);
}
static void NAME(grad_pairs_relu)(const ct__pool *p, const float *dy, const int32_t *index,
                                  const float *pooled, float *dx) {
    NAME(grad_pairs)(p, dy, index, pooled, 1, dx);
}

static void NAME(grad_scatter)(const ct__pool *p, const float *dy, const int32_t *index, const float *pooled,
                               float *dx) {
    int64_t out = p->h.out * p->w.out * LANES;
    for (int64_t i = 0; i < out; i += LANES)
        for (int64_t l = 0; l < LANES; l++)
            if (!pooled || pooled[i + l] > 0) dx[(int64_t)index[i + l] * LANES + l] += dy[i + l];
}

static void NAME(take)(const ct__pool *p, const float *x, const int32_t *index, float *y) {
    int64_t out = p->h.out * p->w.out * LANES;
    for (int64_t i = 0; i < out; i += LANES)
        for (int64_t l = 0; l < LANES; l++) y[i + l] = x[(int64_t)index[i + l] * LANES + l];
}

static void NAME(average)(const ct__pool *p, const float *x, float *y) {
    for (int64_t oh = 0; oh < p->h.out; oh++)
        for (int64_t ow = 0; ow < p->w.out; ow++, y += LANES) {
            const ct__span *h = &p->h.span[oh], *w = &p->w.span[ow];
            vec sum = (vec){0};
            for (int64_t i = h->begin; i < h->end; i += p->h.step) {
                vec row = (vec){0}; /* rows first: the error grows with their number, not with the window's */
                for (int64_t j = w->begin; j < w->end; j += p->w.step)
                    row += NAME(load)(x + (i * p->w.in + j) * LANES);
                sum += row;
            }
            NAME(store)(y, sum / ((float)h->count * (float)w->count));
        }
}

static void NAME(average_grad)(const ct__pool *p, const float *dy, float *dx) {
    for (int64_t oh = 0; oh < p->h.out; oh++)
        for (int64_t ow = 0; ow < p->w.out; ow++, dy += LANES) {
            const ct__span *h = &p->h.span[oh], *w = &p->w.span[ow];
            vec d = NAME(load)(dy) / ((float)h->count * (float)w->count);
            for (int64_t i = h->begin; i < h->end; i += p->h.step)
                for (int64_t j = w->begin; j < w->end; j += p->w.step) {
                    float *to = dx + (i * p->w.in + j) * LANES;
                    NAME(store)(to, NAME(load)(to) + d);
                }
        }
}

#undef NAME
#undef vec
#undef ivec
#undef VEC
#undef LANES
