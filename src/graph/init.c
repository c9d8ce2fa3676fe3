/* init.c: initial values of variables.
 *
 * PyTorch's torch.nn.init: the same distributions, fans and gains (its numbers come from another generator).
 * Numbers are Philox words at (block, attempt), keyed by the seed and the variable's full name, and go to
 * logical elements in row-major order: element i takes word i. So a value depends on the seed, the name and
 * its place alone, never on what was created before or on how the variable is stored.
 *
 *     uniform a + (b - a) u, u = word / 2^32        normal mean + std z, two z of two words (Box-Muller)
 *     xavier  bound gain sqrt(6 / (fan_in + fan_out)), std gain sqrt(2 / (fan_in + fan_out))
 *     kaiming bound gain sqrt(3 / fan), std gain / sqrt(fan)
 *     truncated normal: a z outside [-2, 2] (absolute, as PyTorch's a = -2, b = 2) is drawn again
 *     orthogonal: a normal matrix [dim 0, rest], its shorter side orthonormalised by Gram-Schmidt; that is
 *     the Q of QR with a positive diagonal of R, times gain */
#include <math.h>
#include <string.h>

#include "base/pool.h"
#include "graph/graph.h"

typedef struct source {
    uint32_t key[2];
    uint32_t reserved[2];
} source;

/* The last counter word keeps these numbers apart from those of random ops. */
#define DRAW_INIT 0x696e6974u

static source source_of(const char *name, uint64_t seed) {
    uint64_t name_key = ct__name_key(name), key = ct_hash64(&name_key, sizeof name_key, seed);
    return (source){{(uint32_t)key, (uint32_t)(key >> 32)}, {0}};
}

/* Words of blocks first .. first+15, four a block: ct_philox in sixteen lanes, so that the compiler takes
 * vectors. */
#define LANES 16
#define BATCH (4 * LANES)
static void words(const source *s, uint64_t first, uint32_t attempt, uint32_t out[BATCH]) {
    uint32_t c0[LANES], c1[LANES], c2[LANES], c3[LANES], k0 = s->key[0], k1 = s->key[1];
    for (uint32_t i = 0; i < LANES; i++) {
        c0[i] = (uint32_t)(first + i);
        c1[i] = (uint32_t)((first + i) >> 32);
        c2[i] = attempt;
        c3[i] = DRAW_INIT;
    }
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
        for (int i = 0; i < LANES; i++) {
            uint64_t p0 = UINT64_C(0xD2511F53) * c0[i], p1 = UINT64_C(0xCD9E8D57) * c2[i];
            c0[i] = (uint32_t)(p1 >> 32) ^ c1[i] ^ k0;
            c1[i] = (uint32_t)p1;
            c2[i] = (uint32_t)(p0 >> 32) ^ c3[i] ^ k1;
            c3[i] = (uint32_t)p0;
        }
    for (size_t i = 0; i < LANES; i++) {
        out[4 * i] = c0[i];
        out[4 * i + 1] = c1[i];
        out[4 * i + 2] = c2[i];
        out[4 * i + 3] = c3[i];
    }
}

static void fill(float *out, uint64_t n, float value) {
    for (uint64_t i = 0; i < n; i++) out[i] = value;
}

static void draw_uniform(const source *s, uint64_t n, double low, double high, float *out) {
    uint32_t w[BATCH];
    double step = (high - low) * 0x1p-32;
    for (uint64_t i = 0; i < n; i += BATCH) {
        uint64_t here = n - i < BATCH ? n - i : BATCH;
        words(s, i / 4, 0, w);
        for (uint64_t k = 0; k < here; k++) out[i + k] = (float)(low + step * w[k]);
    }
}

/* Two standard normals of two words; u in (0, 1). */
static void normal_pair(const uint32_t w[2], double z[2]) {
    double radius = sqrt(-2.0 * log(((double)w[0] + 0.5) * 0x1p-32)),
           angle = w[1] * (6.283185307179586476925 * 0x1p-32);
    sincos(angle, &z[1], &z[0]);
    z[0] *= radius;
    z[1] *= radius;
}

static void draw_normal(const source *s, uint64_t n, double mean, double deviation, float *out) {
    uint32_t w[BATCH];
    for (uint64_t i = 0; i < n; i += BATCH) {
        uint64_t here = n - i < BATCH ? n - i : BATCH;
        words(s, i / 4, 0, w);
        for (uint64_t k = 0; k < here; k += 2) {
            double z[2];
            normal_pair(w + k, z);
            out[i + k] = (float)(mean + deviation * z[0]);
            if (k + 1 < here) out[i + k + 1] = (float)(mean + deviation * z[1]);
        }
    }
}

/* Attempt t of element i is the normal of word i at counter (i / 4, t). So many attempts leave something out
 * of range only where the mean lies far outside; there the nearer bound is taken. */
#define CUT 2.0
#define ATTEMPTS 256

static float truncated(const source *s, uint64_t i, double mean, double deviation) {
    double x = mean;
    for (uint32_t attempt = 0; attempt < ATTEMPTS; attempt++) {
        uint32_t counter[4] = {(uint32_t)(i / 4), (uint32_t)((i / 4) >> 32), attempt, DRAW_INIT}, w[4];
        double z[2];
        ct_philox(counter, s->key, w);
        normal_pair(w + (i & 2), z);
        x = mean + deviation * z[i & 1];
        if (x >= -CUT && x <= CUT) return (float)x;
    }
    return x > 0 ? (float)CUT : -(float)CUT;
}

static void draw_truncated(const source *s, uint64_t n, double mean, double deviation, float *out) {
    draw_normal(s, n, mean, deviation, out);
    for (uint64_t i = 0; i < n; i++)
        if (!(out[i] >= -(float)CUT && out[i] <= (float)CUT)) out[i] = truncated(s, i, mean, deviation);
}

/* ---- orthogonal ---- */

static double dot(const float *a, const float *b, int64_t n) {
    double sum[8] = {0};
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int k = 0; k < 8; k++) sum[k] += (double)a[i + k] * (double)b[i + k];
    for (; i < n; i++) sum[0] += (double)a[i] * (double)b[i];
    return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}

/* Rows of m [rows, columns], rows <= columns. Two sweeps: the second takes away what rounding left. */
static void orthonormal_rows(float *m, int64_t rows, int64_t columns, double gain) {
    for (int64_t j = 0; j < rows; j++) {
        float *v = m + j * columns;
        for (int sweep = 0; sweep < 2; sweep++)
            for (int64_t k = 0; k < j; k++) {
                const float *u = m + k * columns;
                double c = dot(u, v, columns);
                for (int64_t i = 0; i < columns; i++) v[i] = (float)(v[i] - c * u[i]);
            }
        double norm = sqrt(dot(v, v, columns));
        for (int64_t i = 0; i < columns && norm > 0; i++) v[i] = (float)(v[i] / norm);
    }
    for (int64_t i = 0; i < rows * columns; i++) m[i] = (float)(gain * m[i]);
}

/* Columns of m, rows > columns: column j against columns k.. k+CHUNK-1 at a time, so that memory is read row
 * by row. */
#define CHUNK 256
static void project_out(float *m, int64_t rows, int64_t columns, int64_t j, int64_t first, int64_t count) {
    double c[CHUNK] = {0};
    for (int64_t i = 0; i < rows; i++) {
        const float *row = m + i * columns;
        double x = row[j];
        for (int64_t k = 0; k < count; k++) c[k] += x * row[first + k];
    }
    for (int64_t i = 0; i < rows; i++) {
        float *row = m + i * columns;
        double sum = 0;
        for (int64_t k = 0; k < count; k++) sum += c[k] * row[first + k];
        row[j] = (float)(row[j] - sum);
    }
}

static void orthonormal_columns(float *m, int64_t rows, int64_t columns, double gain) {
    for (int64_t j = 0; j < columns; j++) {
        double square = 0;
        for (int sweep = 0; sweep < 2; sweep++)
            for (int64_t k = 0; k < j; k += CHUNK)
                project_out(m, rows, columns, j, k, j - k < CHUNK ? j - k : CHUNK);
        for (int64_t i = 0; i < rows; i++) square += (double)m[i * columns + j] * (double)m[i * columns + j];
        double scale = square > 0 ? 1 / sqrt(square) : 0;
        for (int64_t i = 0; i < rows; i++) m[i * columns + j] = (float)(scale * m[i * columns + j]);
    }
    for (int64_t i = 0; i < rows * columns; i++) m[i] = (float)(gain * m[i]);
}

static void draw_orthogonal(const source *s, const ct__var *v, double gain, float *out) {
    int64_t rows = v->shape.rank > 0 ? v->shape.dim[0] : 1;
    int64_t columns = rows > 0 ? (int64_t)v->count / rows : 0;
    draw_normal(s, v->count, 0, 1, out);
    if (rows <= columns)
        orthonormal_rows(out, rows, columns, gain);
    else
        orthonormal_columns(out, rows, columns, gain);
}

/* Standard normal, row `row` zeros. */
static void draw_padded(const source *s, const ct__var *v, int64_t row, float *out) {
    int64_t rows = v->shape.rank > 0 ? v->shape.dim[0] : 0;
    draw_normal(s, v->count, 0, 1, out);
    if (row >= 0 && row < rows) fill(out + row * ((int64_t)v->count / rows), v->count / (uint64_t)rows, 0);
}

static double root(double numerator, int64_t fan) { return fan > 0 ? sqrt(numerator / (double)fan) : 0; }

static void draw(const ct__var *v, uint64_t seed, float *out) {
    source s = source_of(v->name, seed);
    const ct_init *o = &v->init;
    int64_t fan = o->fan_out ? v->fan_out : v->fan_in, both = v->fan_in + v->fan_out;
    double gain = o->a != 0 ? o->a : 1, he = o->a != 0 ? o->a : sqrt(2.0), bound;
    switch (o->kind) {
        case CT_INIT_ONES:
            fill(out, v->count, 1);
            break;
        case CT_INIT_CONSTANT:
            fill(out, v->count, (float)o->a);
            break;
        case CT_INIT_UNIFORM:
            draw_uniform(&s, v->count, o->a, o->b, out);
            break;
        case CT_INIT_NORMAL:
            draw_normal(&s, v->count, o->a, o->b, out);
            break;
        case CT_INIT_TRUNC_NORMAL:
            draw_truncated(&s, v->count, o->a, o->b, out);
            break;
        case CT_INIT_XAVIER_UNIFORM:
            bound = gain * root(6, both);
            draw_uniform(&s, v->count, -bound, bound, out);
            break;
        case CT_INIT_XAVIER_NORMAL:
            draw_normal(&s, v->count, 0, gain * root(2, both), out);
            break;
        case CT_INIT_KAIMING_UNIFORM:
            bound = he * root(3, fan);
            draw_uniform(&s, v->count, -bound, bound, out);
            break;
        case CT_INIT_KAIMING_NORMAL:
            draw_normal(&s, v->count, 0, he * root(1, fan), out);
            break;
        case CT_INIT_ORTHOGONAL:
            draw_orthogonal(&s, v, gain, out);
            break;
        case CT__INIT_PADDED:
            draw_padded(&s, v, (int64_t)o->a, out);
            break;
        default:
            fill(out, v->count, 0);
            break;
    }
}

/* In the environment of all computing: the caller's rounding would change last digits. */
void ct__var_draw(const ct__var *v, uint64_t seed, float *out) {
    ct_float_state f = ct__float_enter();
    draw(v, seed, out);
    ct__float_leave(f);
}
