/* fit.c: windows over a picture and what lies around it. Rows are copied whole; only what is outside is looked
 * up. Every mode is a function of the coordinate alone, so a window may lie as far outside as it likes. */
#include <string.h>

#include "data/transform/transform.h"

/* Where coordinate i of 0..n-1 is read; -1: outside, filled.
 * edge: aaa|abcd|ddd; reflect: dcb|abcd|cba; symmetric: cba|abcd|dcb */
static int64_t place(int64_t i, int64_t n, int mode) {
    if (i >= 0 && i < n) return i;
    if (mode == CT__FILL) return -1;
    if (mode == CT__EDGE) return i < 0 ? 0 : n - 1;
    int64_t period = mode == CT__REFLECT ? 2 * (n - 1) : 2 * n;
    if (period == 0) return 0;
    i %= period;
    if (i < 0) i += period;
    if (i < n) return i;
    return mode == CT__REFLECT ? period - i : period - 1 - i;
}

static void fill_row(const ct__frame *f, void *row, int64_t w, double value) {
    if (f->floats)
        for (int64_t x = 0; x < w; x++) ((float *)row)[x] = (float)value;
    else
        memset(row, value <= 0 ? 0 : value >= 255 ? 255 : (int)value, (size_t)w);
}

/* left[x]: the column that window column x reads, -1: filled. Columns first..last-1 lie inside and are
 * neighbours. */
static void copy_row(const ct__frame *f, const char *from, char *to, const int64_t *column, int64_t w,
                     int64_t first, int64_t last) {
    size_t size = ct__frame_size(f);
    if (last > first)
        memcpy(to + (size_t)first * size, from + (size_t)column[first] * size, (size_t)(last - first) * size);
    for (int64_t x = 0; x < w; x++) {
        if (x == first && last > first) x = last;
        if (x >= w) break;
        if (column[x] >= 0) memcpy(to + (size_t)x * size, from + (size_t)column[x] * size, size);
    }
}

ct_status ct__frame_window(ct__frame *f, int64_t top, int64_t left, int64_t h, int64_t w, int mode,
                           const ct__value *fill) {
    if (top == 0 && left == 0 && h == f->h && w == f->w) return CT_OK;
    int64_t *column = ct__room(f->scratch, CT__ROOM_TABLE, (uint64_t)w * sizeof *column, f->e);
    char *to = column ? ct__frame_room(f, f->c, h, w) : NULL;
    if (!to) return CT_ELIMIT;
    int64_t first = left < 0 ? -left : 0, last = f->w - left < w ? f->w - left : w;
    int covered = mode != CT__FILL || (first == 0 && last == w);
    for (int64_t x = 0; x < w; x++) column[x] = place(left + x, f->w, mode);
    size_t size = ct__frame_size(f);
    for (int64_t c = 0; c < f->c; c++) {
        double value = fill ? fill->v[fill->count > 1 ? c % fill->count : 0] : 0;
        for (int64_t y = 0; y < h; y++) {
            char *row = to + (size_t)((c * h + y) * w) * size;
            int64_t from = place(top + y, f->h, mode);
            if (from < 0 || !covered) fill_row(f, row, w, value);
            if (from >= 0)
                copy_row(f, (const char *)f->data + (size_t)((c * f->h + from) * f->w) * size, row, column, w,
                         first, last);
        }
    }
    ct__frame_take(f, to, f->c, h, w);
    return CT_OK;
}
