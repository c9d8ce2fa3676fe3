/* gemm.c: C = act(A B + bias) + plus over register tiles.
 *
 * A tile is up to ROWS rows x 32 columns (16 on narrower sets, 64 for a single row): its sums stay in
 * registers while p runs, one fma chain an element, so neither the cut into tiles nor the number of rows
 * changes a bit. B comes in panels of sixteen columns, read as one stream; A's numbers are broadcast. M is
 * cut into tiles of nearly equal height, each height its own unrolled code.
 *
 * Around it: K in blocks that keep a pair of panels near (the chain goes on through C, which holds it
 * exactly), then rows, then panels, then the tiles down the rows. A strided B is packed, a few panels at a
 * time. A is copied row by row only where its rows would evict each other (gemm.h). */
#include "kern/simd/gemm_parts.h"

#if LANES == 16
#define ROWS 14
#define WIDE 2 /* panels of a tile */
#elif LANES == 8
#define ROWS 6
#define WIDE 1
#else
#define ROWS 3
#define WIDE 1
#endif
#define ONE_ROW 4 /* panels of a tile of one row */

typedef struct tile {          /* what a tile needs of the call */
    const float *a, *b, *bias; /* at its first row, its first panel, its first column */
    const float *plus;         /* added last, lies as C; or NULL */
    float *c;
    int64_t k, a_row, a_col, b_panel, c_row, c_panel; /* c_panel: floats between panels of C */
    int64_t columns;                                  /* of C that exist, from the tile's first on */
    const float *soon;            /* what is asked of memory early: at p, soon[p * soon_row] */
    int64_t soon_row, soon_panel; /* and soon[p * soon_row + soon_panel] */
    int32_t go_on, relu, pad;     /* start from C; act; write zeros beyond the columns */
} tile;

/* Where register v of a row of C or of bias begins. */
#define AT(v, panel) (((v) / PER_PANEL) * (panel) + ((v) % PER_PANEL) * LANES)

/* The edge: columns that C does not have. Such a tile works on a small square instead of C. */
typedef struct edge {
    float c[ROWS][64], plus[ROWS][64], bias[64];
} edge;

static void edge_load(const tile *t, const float *from, float to[][64], int64_t rows) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < t->columns; j += 16) {
            int64_t n = t->columns - j < 16 ? t->columns - j : 16;
            memcpy(&to[i][j], from + i * t->c_row + (j / 16) * t->c_panel, (size_t)n * sizeof(float));
        }
}

static __attribute__((noinline)) tile edge_in(const tile *t, edge *e, int64_t rows, int64_t width) {
    tile inner = *t;
    memset(e, 0, sizeof *e);
    if (t->go_on) edge_load(t, t->c, e->c, rows);
    if (t->plus) edge_load(t, t->plus, e->plus, rows), inner.plus = e->plus[0];
    if (t->bias) memcpy(e->bias, t->bias, (size_t)t->columns * sizeof(float)), inner.bias = e->bias;
    inner.c = e->c[0];
    inner.c_row = 64;
    inner.c_panel = 16;
    inner.columns = width;
    return inner;
}

static __attribute__((noinline)) void edge_out(const tile *t, edge *e, int64_t rows, int64_t width) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < width; j += 16) {
            int64_t n = t->columns - j < 16 ? t->columns - j : 16;
            float *to = t->c + i * t->c_row + (j / 16) * t->c_panel;
            if (n > 0) memcpy(to, &e->c[i][j], (size_t)n * sizeof(float));
            if (t->pad && n < 16) memset(to + n, 0, (size_t)(16 - n) * sizeof(float));
        }
}

/* The sums of a tile, from C or zero through all of p. */
/* A step of a pointer that the compiler may not turn into many pointers, kept in memory for want of registers. */
#define NEXT(p, step) \
    do { \
        (p) += (step); \
        __asm__("" : "+r"(p)); \
    } while (0)
#define FOR(i, n) _Pragma("GCC unroll 16") for (int i = 0; i < (n); i++)
ALWAYS void tile_run(const tile *t, const int rows, const int panels) {
    const int vectors = panels * PER_PANEL;
    const int64_t c_row = t->c_row, c_panel = t->c_panel, a_row = t->a_row, a_col = t->a_col,
                  b_panel = t->b_panel;
    float *to = t->c;
    ct__gv c[ROWS][ONE_ROW * PER_PANEL], y[ONE_ROW * PER_PANEL];
    if (t->go_on) FOR(i, rows) {
            FOR(v, vectors) c[i][v] = gv_load(to + AT(v, c_panel));
            NEXT(to, c_row);
        }
    else
        FOR(i, rows) {
            FOR(v, vectors) c[i][v] = (ct__gv){0};
            FOR(v, panels) __builtin_prefetch(to + v * c_panel, 1, 3);
            NEXT(to, c_row);
        }
    if (t->plus) FOR(i, rows)
    FOR(v, panels) __builtin_prefetch(t->plus + i * c_row + v * c_panel, 0, 3);
    const float *a[5],
        *b = t->b; /* a pointer for every three rows: p, p + row and p + 2 row are one address each */
    FOR(i, 5) a[i] = t->a + 3 * i * a_row;
    const float *soon = t->soon;
    const int64_t soon_row = t->soon_row, soon_panel = t->soon_panel;
    for (int64_t p = t->k; p > 0; p--, b += 16) {
        __builtin_prefetch(a[0] + (2 * rows - 1) * a_row, 0, 2);
        __builtin_prefetch(soon, 0, 2);
        __builtin_prefetch(soon + soon_panel, 0, 2);
        NEXT(soon, soon_row);
        FOR(v, vectors) y[v] = gv_load(b + AT(v, b_panel));
        FOR(i, rows) {
            ct__gv x = gv_splat(a[i / 3][(i % 3) * a_row]);
            FOR(v, vectors) c[i][v] = gv_fma(x, y[v], c[i][v]);
        }
        FOR(i, (rows + 2) / 3) NEXT(a[i], a_col);
    }
    if (t->bias) {
        FOR(v, vectors) y[v] = gv_load(t->bias + v * LANES);
        FOR(i, rows) FOR(v, vectors) c[i][v] += y[v];
    }
    if (t->relu) FOR(i, rows)
    FOR(v, vectors) c[i][v] = (ct__gv)((ct__gi)c[i][v] & ~(c[i][v] <= (ct__gv){0})); /* NaN stays */
    const float *plus = t->plus;
    if (plus) FOR(i, rows) {
            FOR(v, vectors) c[i][v] += gv_load(plus + AT(v, c_panel));
            NEXT(plus, c_row);
        }
    to = t->c;
    FOR(i, rows) {
        FOR(v, vectors) gv_store(to + AT(v, c_panel), c[i][v]);
        NEXT(to, c_row);
    }
}

/* One function a size. */
#define TILE(r, p) \
    static void tile_##r##_##p(const tile *t) { tile_run(t, r, p); }
#define EACH_3(F, p) F(1, p) F(2, p) F(3, p)
#define EACH_6(F, p) EACH_3(F, p) F(4, p) F(5, p) F(6, p)
#define EACH_14(F, p) EACH_6(F, p) F(7, p) F(8, p) F(9, p) F(10, p) F(11, p) F(12, p) F(13, p) F(14, p)
#define NAME(r, p) tile_##r##_##p,
#if ROWS == 14
#define EACH EACH_14
#elif ROWS == 6
#define EACH EACH_6
#else
#define EACH EACH_3
#endif
EACH(TILE, 1)
#if WIDE == 2
EACH(TILE, 2)
#endif
TILE(1, 4)

typedef void (*tile_fn)(const tile *t);
static const tile_fn tiles[WIDE][ROWS] = {
    {EACH(NAME, 1)},
#if WIDE == 2
    {EACH(NAME, 2)},
#endif
};

static void rows_down(tile t, int64_t m, int32_t panels) {
    int64_t count = (m + ROWS - 1) / ROWS;
    for (; count > 0; count--) {
        int64_t rows = (m + count - 1) / count;
        tile_fn fn = panels > WIDE ? tile_1_4 : tiles[panels - 1][rows - 1];
        if (t.columns >= panels * 16)
            fn(&t);
        else {
            edge e;
            tile inner = edge_in(&t, &e, rows, panels * 16);
            fn(&inner);
            edge_out(&t, &e, rows, panels * 16);
        }
        t.a += rows * t.a_row;
        t.c += rows * t.c_row;
        if (t.plus) t.plus += rows * t.c_row;
        t.soon = t.b; /* has arrived */
        t.soon_row = t.soon_panel = 0;
        m -= rows;
    }
}

/* While the first tile of these panels runs, memory is asked for the numbers that the next ones, from column j on,
 * will read: a stream of B that was not used lately comes from the third cache. */
static void ask_for(const ct__gemm *g, tile *t, const float *b, int64_t b_stride, int64_t j) {
    t->soon = j >= g->n ? t->b : g->b_panel ? b + (j / 16) * b_stride : b + j * g->b_col;
    t->soon_row = j >= g->n ? 0 : g->b_panel ? 16 : g->b_row;
    t->soon_panel = j + 16 >= g->n ? 0 : g->b_panel ? b_stride : 16 * g->b_col;
}

/* One block of K and of rows: all panels. t: at column 0. */
static void columns_along(const ct__gemm *g, tile t, int64_t m, const float *b, int64_t b_stride,
                          float *packed) {
    for (int64_t j = 0; j < g->n;) {
        int64_t left = (g->n - j + 15) / 16;
        int32_t panels = m == 1 && left >= ONE_ROW ? ONE_ROW : left >= WIDE ? WIDE : 1;
        tile now = t;
        now.c += g->c_panel ? (j / 16) * t.c_panel : j;
        if (t.plus) now.plus += g->c_panel ? (j / 16) * t.c_panel : j;
        now.columns = g->n - j;
        if (t.bias) now.bias += j;
        if (g->b_panel)
            now.b = b + (j / 16) * b_stride;
        else {
            int64_t width = g->n - j < panels * 16 ? g->n - j : panels * 16;
            CT_SIMD(ct__gemm_pack)(t.k, width, b + j * g->b_col, g->b_row, g->b_col, packed, t.b_panel);
            now.b = packed;
        }
        j += 16 * panels;
        ask_for(g, &now, b, b_stride, j);
        rows_down(now, m, panels);
    }
}

/* A [m,k] of a tile, its rows moved together. */
static void copy_block(tile *t, int64_t m, float *block) {
    for (int64_t i = 0; i < m; i++)
        memcpy(block + i * CT__GEMM_A_ROW, t->a + i * t->a_row, (size_t)t->k * sizeof *block);
    t->a = block;
    t->a_row = CT__GEMM_A_ROW;
}

static void run(const ct__gemm *g, const float *a, const float *b, const float *bias, const float *plus,
                float *c, void *scratch) {
    int64_t b_stride = g->b_panel_stride ? g->b_panel_stride : g->k * 16, copies = ct__gemm_copies(g), k = 0;
    int64_t rows = copies ? CT__GEMM_M : g->m;
    float *packed = scratch, *block = packed;
    if (!g->b_panel) block += (g->k < CT__GEMM_K ? g->k : CT__GEMM_K) * CT__GEMM_PACKED * 16;
    do {
        int64_t kc = g->k - k < CT__GEMM_K ? g->k - k : CT__GEMM_K;
        tile t = {.k = kc,
                  .b_panel = g->b_panel ? b_stride : kc * 16,
                  .c_row = g->c_panel ? 16 : g->c_row,
                  .c_panel = 16,
                  .go_on = g->accumulate || k > 0,
                  .pad = g->c_panel};
        if (g->c_panel) t.c_panel = g->c_panel_stride ? g->c_panel_stride : g->m * 16;
        if (k + kc == g->k && !g->accumulate) t.bias = bias, t.relu = g->act == CT__ACT_RELU;
        for (int64_t i = 0; i < g->m; i += rows) {
            int64_t m = g->m - i < rows ? g->m - i : rows;
            t.a = a + i * g->a_row + k * g->a_col;
            t.a_row = g->a_row;
            t.a_col = g->a_col;
            t.c = c + i * t.c_row;
            if (plus && k + kc == g->k) t.plus = plus + i * t.c_row;
            if (copies) copy_block(&t, m, block);
            columns_along(g, t, m, b + k * (g->b_panel ? 16 : g->b_row), b_stride, packed);
        }
        k += kc;
    } while (k < g->k);
}

static void pack(int64_t r, int64_t s, const float *x, int64_t x_row, int64_t x_col, float *panel) {
    CT_SIMD(ct__gemm_pack)(r, s, x, x_row, x_col, panel, r * 16);
}

/* Sixty-four columns at a time: whole cache lines of each row. */
static void sum_rows(int64_t rows, int64_t columns, const float *x, float *sum) {
    int64_t j = 0;
    for (; j + 4 * LANES <= columns; j += 4 * LANES) {
        ct__gv s[4] = {{0}};
        for (int64_t i = 0; i < rows; i++)
            for (int v = 0; v < 4; v++) s[v] += gv_load(x + i * columns + j + v * LANES);
        for (int v = 0; v < 4; v++) gv_store(sum + j + v * LANES, s[v]);
    }
    for (; j < columns; j += LANES) {
        int64_t left = columns - j;
        ct__gv s = {0};
        for (int64_t i = 0; i < rows; i++)
            s += left < LANES ? gv_load_part(x + i * columns + j, left) : gv_load(x + i * columns + j);
        gv_store_part(sum + j, s, left);
    }
}

const ct__gemm_table CT_SIMD(ct__gemm_table) = {run, pack, CT_SIMD(ct__gemm_unpack), CT_SIMD(ct__gemm_flip),
                                                sum_rows};
