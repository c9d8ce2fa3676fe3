/* image.c: storage order of images, sums over space and over neighbouring channels, and the table.
 *
 * Between the orders lies a transposition of [b channels][spatial] to [spatial][b channels], done in square
 * tiles that stay in registers: 8 x 8 where registers have eight lanes, else 4 x 4 (on 512-bit registers
 * tiles of 16 cost as many shuffles a float). The last positions of a plane are done by a tile that overlaps
 * the one before; planes smaller than a tile go element by element. */
#include "kern/simd/image_parts.h"

#if defined(__AVX__)
#define TILE 8
#else
#define TILE 4
#endif
typedef float tile_row __attribute__((vector_size(TILE * 4)));

ALWAYS tile_row row_load(const float *p) {
    tile_row v;
    memcpy(&v, p, sizeof v);
    return v;
}
ALWAYS void row_store(float *p, tile_row v) { memcpy(p, &v, sizeof v); }

/* r [TILE][TILE] -> its transpose */
ALWAYS void transpose(tile_row r[TILE]) {
    tile_row a[TILE], b[TILE];
#if TILE == 8
    for (int i = 0; i < 8; i += 2) {
        a[i] = __builtin_shufflevector(r[i], r[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        a[i + 1] = __builtin_shufflevector(r[i], r[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    for (int i = 0; i < 8; i += 4) {
        b[i] = __builtin_shufflevector(a[i], a[i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
        b[i + 1] = __builtin_shufflevector(a[i], a[i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        b[i + 2] = __builtin_shufflevector(a[i + 1], a[i + 3], 0, 1, 8, 9, 4, 5, 12, 13);
        b[i + 3] = __builtin_shufflevector(a[i + 1], a[i + 3], 2, 3, 10, 11, 6, 7, 14, 15);
    }
    for (int i = 0; i < 4; i++) {
        r[i] = __builtin_shufflevector(b[i], b[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        r[i + 4] = __builtin_shufflevector(b[i], b[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
#else
    for (int i = 0; i < 4; i += 2) {
        a[i] = __builtin_shufflevector(r[i], r[i + 1], 0, 4, 1, 5);
        a[i + 1] = __builtin_shufflevector(r[i], r[i + 1], 2, 6, 3, 7);
    }
    b[0] = __builtin_shufflevector(a[0], a[2], 0, 1, 4, 5);
    b[1] = __builtin_shufflevector(a[0], a[2], 2, 3, 6, 7);
    b[2] = __builtin_shufflevector(a[1], a[3], 0, 1, 4, 5);
    b[3] = __builtin_shufflevector(a[1], a[3], 2, 3, 6, 7);
    for (int i = 0; i < 4; i++) r[i] = b[i];
#endif
}

/* A tile of `rows` <= TILE rows of src, the rest zeros, to dst. */
ALWAYS void tile_in(const float *src, int64_t src_row, int64_t rows, float *dst, int64_t dst_row) {
    tile_row r[TILE], zero = {0};
    for (int i = 0; i < TILE; i++) r[i] = i < rows ? row_load(src + i * src_row) : zero;
    transpose(r);
    for (int i = 0; i < TILE; i++) row_store(dst + i * dst_row, r[i]);
}
ALWAYS void tile_out(const float *src, int64_t src_row, float *dst, int64_t dst_row, int64_t rows) {
    tile_row r[TILE];
    for (int i = 0; i < TILE; i++) r[i] = row_load(src + i * src_row);
    transpose(r);
    for (int i = 0; i < TILE; i++)
        if (i < rows) row_store(dst + i * dst_row, r[i]);
}

/* src [channels][spatial] -> dst [spatial][block], lanes beyond `channels` zero */
static void plane_in(int64_t channels, int64_t spatial, int64_t block, const float *src, float *dst) {
    if (spatial < TILE) {
        for (int64_t s = 0; s < spatial; s++)
            for (int64_t k = 0; k < block; k++) dst[s * block + k] = k < channels ? src[k * spatial + s] : 0;
        return;
    }
    for (int64_t s = 0; s < spatial; s += TILE) {
        if (s > spatial - TILE) s = spatial - TILE;
        for (int64_t k = 0; k < block; k += TILE) {
            const float *from = src + k * spatial + s;
            if (k + TILE <= channels)
                tile_in(from, spatial, TILE, dst + s * block + k, block);
            else
                tile_in(k < channels ? from : src, spatial, channels - k, dst + s * block + k, block);
        }
    }
}

static void plane_out(int64_t channels, int64_t spatial, int64_t block, const float *src, float *dst) {
    if (spatial < TILE) {
        for (int64_t k = 0; k < channels; k++)
            for (int64_t s = 0; s < spatial; s++) dst[k * spatial + s] = src[s * block + k];
        return;
    }
    for (int64_t s = 0; s < spatial; s += TILE) {
        if (s > spatial - TILE) s = spatial - TILE;
        for (int64_t k = 0; k < channels; k += TILE) {
            if (k + TILE <= channels)
                tile_out(src + s * block + k, block, dst + k * spatial + s, spatial, TILE);
            else
                tile_out(src + s * block + k, block, dst + k * spatial + s, spatial, channels - k);
        }
    }
}

static void to_blocked(int64_t n, int64_t c, int64_t spatial, int64_t block, const float *src, float *dst) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < c; k += block, dst += spatial * block)
            plane_in(c - k < block ? c - k : block, spatial, block, src + (i * c + k) * spatial, dst);
}

static void to_plain(int64_t n, int64_t c, int64_t spatial, int64_t block, const float *src, float *dst) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < c; k += block, src += spatial * block)
            plane_out(c - k < block ? c - k : block, spatial, block, src, dst + (i * c + k) * spatial);
}

/* ---- over space ---- */

ALWAYS v16 short_sum(const float *x, int64_t count) {
    v16 a = zero16(), b = zero16();
    int64_t i = 0;
    for (; i + 32 <= count; i += 32) {
        a = add16(a, load16(x + i));
        b = add16(b, load16(x + i + 16));
    }
    if (i + 16 <= count) {
        a = add16(a, load16(x + i));
        i += 16;
    }
    if (i < count) b = add16(b, load_part(x + i, count - i));
    return add16(a, b);
}
/* sum[l] = x[l] + x[16 + l] + ...: `count` floats that are whole multiples of 1, 8 or 16 lanes, in pieces of sixteen
 * vectors, so that the rounding error stays small. */
ALWAYS v16 run_sum(const float *x, int64_t count) {
    v16 sum = zero16();
    for (int64_t i = 0; i < count; i += 256)
        sum = add16(sum, short_sum(x + i, count - i < 256 ? count - i : 256));
    return sum;
}

static void spatial_sum(const ct__image *m, float scale, const float *x, float *y) {
    int64_t lanes = m->lanes, run = m->spatial * lanes;
    for (int64_t n = 0; n < m->n; n++)
        for (int64_t c = 0; c < m->c; c += lanes, x += run) {
            float sum[16];
            store16(sum, run_sum(x, run));
            for (int64_t l = lanes; l < 16; l++) sum[l % lanes] += sum[l];
            for (int64_t l = 0; l < lanes && c + l < m->c; l++) y[n * m->c + c + l] = sum[l] * scale;
        }
}

static void spatial_spread(const ct__image *m, float scale, const float *y, float *x) {
    int64_t lanes = m->lanes, run = m->spatial * lanes;
    for (int64_t n = 0; n < m->n; n++)
        for (int64_t c = 0; c < m->c; c += lanes, x += run) {
            float value[16];
            for (int64_t l = 0; l < 16; l++)
                value[l] = c + l % lanes < m->c ? y[n * m->c + c + l % lanes] * scale : 0;
            v16 v = load16(value);
            int64_t i = 0;
            for (; i + 16 <= run; i += 16) store16(x + i, v);
            if (i < run) store_part(x + i, v, run - i);
        }
}

/* ---- over neighbouring channels ---- */

/* y [spatial] = rows first .. last of x added up, from the first to the last */
static void rows_sum(const float *x, int64_t spatial, int64_t first, int64_t last, float *y) {
    for (int64_t s = 0; s < spatial; s += 16) {
        int64_t left = spatial - s;
        v16 sum = zero16();
        if (left >= 16) {
            for (int64_t c = first; c <= last; c++) sum = add16(sum, load16(x + c * spatial + s));
            store16(y + s, sum);
        } else {
            for (int64_t c = first; c <= last; c++) sum = add16(sum, load_part(x + c * spatial + s, left));
            store_part(y + s, sum, left);
        }
    }
}

/* One position: its channels in a row, zeros before and after, then windows of it. */
static void position_sum(const ct__image *m, int64_t before, int64_t after, const float *x, float *row,
                         float *y) {
    int64_t lanes = m->lanes, step = m->spatial * lanes, blocks = (m->c + lanes - 1) / lanes;
    for (int64_t k = 0; k < blocks; k++)
        memcpy(row + before + k * lanes, x + k * step, (size_t)lanes * sizeof *row);
    for (int64_t c = 0; c < blocks * lanes; c += 16) {
        v16 sum = zero16();
        float out[16];
        for (int64_t k = 0; k <= before + after; k++) sum = add16(sum, load16(row + c + k));
        store16(out, sum);
        for (int64_t l = m->c > c ? m->c - c : 0; l < 16; l++) out[l] = 0;
        memcpy(y + c / lanes * step, out, (size_t)lanes * sizeof *out);
        if (lanes == 8 && c + 8 < blocks * 8) memcpy(y + (c / 8 + 1) * step, out + 8, 8 * sizeof *out);
    }
}

static void channel_sum(const ct__image *m, int64_t before, int64_t after, const float *x, float *scratch,
                        float *y) {
    int64_t lanes = m->lanes, sample = (m->c + lanes - 1) / lanes * lanes * m->spatial;
    if (lanes > 1) memset(scratch, 0, (size_t)(ct__image_channels(m->c) + before + after) * sizeof *scratch);
    for (int64_t n = 0; n < m->n; n++, x += sample, y += sample) {
        for (int64_t c = 0; lanes == 1 && c < m->c; c++)
            rows_sum(x, m->spatial, c > before ? c - before : 0, c + after < m->c ? c + after : m->c - 1,
                     y + c * m->spatial);
        for (int64_t s = 0; lanes > 1 && s < m->spatial; s++)
            position_sum(m, before, after, x + s * lanes, scratch, y + s * lanes);
    }
}

extern const ct__image_table CT_SIMD(ct__image_table);
const ct__image_table CT_SIMD(ct__image_table) = {
    .to_blocked = to_blocked,
    .to_plain = to_plain,
    .maxpool = MAXPOOL,
    .maxpool_grad = MAXPOOL_GRAD,
    .maxpool_take = MAXPOOL_TAKE,
    .avgpool = AVGPOOL,
    .avgpool_grad = AVGPOOL_GRAD,
    .spatial_sum = spatial_sum,
    .spatial_spread = spatial_spread,
    .norm_stats = NORM_STATS,
    .norm_apply = NORM_APPLY,
    .norm_sums = NORM_SUMS,
    .norm_grad = NORM_GRAD,
    .channel_sum = channel_sum,
};
