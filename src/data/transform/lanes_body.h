/* lanes_body.h: the code of lanes.c that is the same for each set of instructions: NAME(x) names, TARGET marks
 * functions; NAME(sum) stands before it. */
#define INLINE TARGET static inline __attribute__((always_inline))

TARGET static void NAME(columns)(const ct__taps *t, const uint8_t *in, int64_t pitch, int64_t w,
                                 uint8_t *out) {
    for (int64_t y = 0; y < t->out; y++, out += w) {
        const uint8_t *from = in + t->first[y] * pitch;
        const int32_t *weight = t->weight + y * t->most;
        int64_t x = 0;
        for (; x + CT__LANES <= w; x += CT__LANES) NAME(sum)(from + x, pitch, weight, t->count[y], out + x);
        for (; x < w; x++) out[x] = sum_one(from + x, pitch, weight, t->count[y]);
    }
}

/* A square of 16x16 bytes on its side: four rounds that interleave row i with row i + 8. Each round moves the
 * highest bit of the row's number to the lowest of the column's. */
INLINE void NAME(turn)(const uint8_t *in, int64_t in_pitch, uint8_t *out, int64_t out_pitch) {
    bytes a[16], b[16];
    for (int i = 0; i < 16; i++) memcpy(&a[i], in + i * in_pitch, 16);
    for (int i = 0; i < 8; i++) b[2 * i] = LOW(a[i], a[i + 8]), b[2 * i + 1] = HIGH(a[i], a[i + 8]);
    for (int i = 0; i < 8; i++) a[2 * i] = LOW(b[i], b[i + 8]), a[2 * i + 1] = HIGH(b[i], b[i + 8]);
    for (int i = 0; i < 8; i++) b[2 * i] = LOW(a[i], a[i + 8]), b[2 * i + 1] = HIGH(a[i], a[i + 8]);
    for (int i = 0; i < 8; i++) a[2 * i] = LOW(b[i], b[i + 8]), a[2 * i + 1] = HIGH(b[i], b[i + 8]);
    for (int i = 0; i < 16; i++) memcpy(out + i * out_pitch, &a[i], 16);
}

TARGET static void NAME(rows)(const ct__taps *t, const uint8_t *in, int64_t pitch, int64_t w, uint8_t *side,
                              uint8_t *out) {
    uint8_t *made = side + CT__LANES * w;
    int64_t x = 0;
    for (; x + 16 <= w; x += 16) NAME(turn)(in + x, pitch, side + x * 16, 16);
    for (; x < w; x++)
        for (int64_t k = 0; k < 16; k++) side[x * 16 + k] = in[k * pitch + x];
    for (x = 0; x < t->out; x++)
        NAME(sum)(side + t->first[x] * 16, 16, t->weight + x * t->most, t->count[x], made + x * 16);
    for (x = 0; x + 16 <= t->out; x += 16) NAME(turn)(made + x * 16, 16, out + x, t->out);
    for (; x < t->out; x++)
        for (int64_t k = 0; k < 16; k++) out[k * t->out + x] = made[x * 16 + k];
}

/* Of sixteen pixels in three registers those of channel c: 16 of 48 bytes, c apart by three. */
#define FIRST(c, i) ((c) + 3 * (i) < 32 ? (c) + 3 * (i) : 0)
#define SECOND(c, i) ((c) + 3 * (i) < 32 ? (i) : (c) + 3 * (i)-32 + 16)
#define ALL(f, c) \
    f(c, 0), f(c, 1), f(c, 2), f(c, 3), f(c, 4), f(c, 5), f(c, 6), f(c, 7), f(c, 8), f(c, 9), f(c, 10), \
        f(c, 11), f(c, 12), f(c, 13), f(c, 14), f(c, 15)
#define PICK(c) \
    do { \
        bytes v = SHUFFLE(r[0], r[1], ALL(FIRST, c)); \
        v = SHUFFLE(v, r[2], ALL(SECOND, c)); \
        memcpy(out + c * plane + x, &v, 16); \
    } while (0)

TARGET static void NAME(planes)(const uint8_t *in, int64_t n, int64_t plane, uint8_t *out) {
    int64_t x = 0;
    for (; x + 16 <= n; x += 16) {
        bytes r[3];
        memcpy(r, in + 3 * x, sizeof r);
        PICK(0);
        PICK(1);
        PICK(2);
    }
    for (; x < n; x++)
        for (int64_t c = 0; c < 3; c++) out[c * plane + x] = in[3 * x + c];
}

static const ct__lanes NAME(lanes) = {NAME(columns), NAME(rows), NAME(planes)};

#undef PICK
#undef ALL
#undef SECOND
#undef FIRST
#undef INLINE
