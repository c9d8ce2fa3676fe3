/* image_report_pictures.c: which pictures a report shows, and the pictures: the most confident mistakes, the worst examples
 * of each cell of the confusion matrix, the filters of the first layer. Together they keep to a budget of bytes, in that
 * order, so that the page stays under a megabyte. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "task/report/image_report.h"
#include "task/report/picture_uri.h"

#define MISTAKES 24
#define BUDGET 620000 /* bytes of figures */
#define THUMB 112     /* pixels of a side; smaller pictures stay as they are */
#define TINY 48

/* ---- which ---- */

typedef struct ranked {
    double key;
    int64_t sample;
} ranked;

static int largest_first(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    if (x->key < y->key || x->key > y->key) return x->key > y->key ? -1 : 1;
    return (x->sample > y->sample) - (x->sample < y->sample);
}

static ct_status choose_mistakes(ct__page *p) {
    ranked *list = ct_arena_array(&p->arena, (uint64_t)p->n + 1, sizeof *list);
    int64_t n = 0;
    p->mistake = ct_arena_array(&p->arena, MISTAKES, sizeof *p->mistake);
    if (!list || !p->mistake) return ct_fail(p->e, CT_ELIMIT, "report: out of memory");
    for (int64_t i = 0; i < p->n; i++)
        if (p->sample[i].label != p->sample[i].prediction) list[n++] = (ranked){p->sample[i].probability, i};
    qsort(list, (size_t)n, sizeof *list, largest_first);
    p->mistakes = n < MISTAKES ? n : MISTAKES;
    for (int64_t i = 0; i < p->mistakes; i++) p->mistake[i] = list[i].sample;
    return CT_OK;
}

/* Of each cell those with the greatest loss. */
static ct_status choose_examples(ct__page *p) {
    int64_t cells = p->j->classes * p->j->classes;
    p->example = ct_arena_array(&p->arena, (uint64_t)cells, CT__EXAMPLES * sizeof *p->example);
    if (!p->example) return ct_fail(p->e, CT_ELIMIT, "report: out of memory");
    for (int64_t i = 0; i < cells * CT__EXAMPLES; i++) p->example[i] = -1;
    for (int64_t i = 0; i < p->n; i++) {
        const ct__sample *s = &p->sample[i];
        int64_t *cell = p->example + (s->label * p->j->classes + s->prediction) * CT__EXAMPLES,
                at = CT__EXAMPLES;
        while (at > 0 && (cell[at - 1] < 0 || p->sample[cell[at - 1]].loss < s->loss)) at--;
        if (at == CT__EXAMPLES) continue;
        memmove(cell + at + 1, cell + at, (size_t)(CT__EXAMPLES - 1 - at) * sizeof *cell);
        cell[at] = i;
    }
    return CT_OK;
}

/* ---- figures ---- */

static ct_status thumb(const ct__page *p, int64_t sample, ct_array *out) {
    const ct_allocator *a = &p->j->o->allocator;
    char steps[80];
    ct_transform *t = NULL;
    ct_status s = ct__page_picture(p, sample, out);
    if (s || (out->dim[1] <= TINY && out->dim[2] <= TINY)) return s;
    ct_array whole = *out;
    int64_t shape[3] = {whole.dim[0], whole.dim[1], whole.dim[2]};
    snprintf(steps, sizeof steps, "resize %d, center_crop %d", THUMB, THUMB);
    s = ct_transform_parse(a, steps, &t, p->e);
    if (!s) s = ct_transform_bytes(t, NULL, whole.data, shape, (ct_draw){0, -1, 0}, a, out, p->e);
    ct_transform_free(t);
    ct_array_free(&whole);
    return s;
}

/* Its path in the data, or of arrays its record. */
static void add_name(const ct__page *p, int64_t sample, ct_text *t) {
    const ct__image_job *j = p->j;
    const ct_images *set = j->validation_set ? j->validation_set : j->set;
    ct_image r = {.number = j->validation_index[sample]};
    if (set) (void)ct_images_at(set, r.number, &r);
    if (r.path)
        ct__report_text(t, r.path);
    else
        ct_text_format(t, "record %lld", (long long)r.number);
}

void ct__page_caption(const ct__page *p, int64_t sample, ct_text *t) {
    const ct__sample *s = &p->sample[sample];
    char k[60];
    snprintf(k, sizeof k, "record.%lld.probability", (long long)sample);
    ct_text_add(t, "<figcaption>");
    ct__report_text(t, p->label[s->label]);
    ct_text_add(t, "<span class=\"soft\">");
    ct_text_add(t, s->label == s->prediction ? "rightly so, " : "taken for ");
    if (s->label != s->prediction) {
        ct__report_text(t, p->label[s->prediction]);
        ct_text_add(t, ", ");
    }
    ct__report_percent(t, k, s->probability, 1);
    ct_text_add(t, "</span><span class=\"file\">");
    add_name(p, sample, t);
    ct_text_add(t, "</span></figcaption>");
}

static ct_status figure(ct__page *p, int64_t sample, ct_text *t) {
    ct_array a;
    if (p->drawn[sample]) return CT_OK;
    ct_status s = thumb(p, sample, &a);
    if (s) return s;
    int tiny = a.dim[1] <= TINY && a.dim[2] <= TINY;
    ct_text_format(t, "<figure id=\"f%lld\"><img alt=\"\" width=\"%lld\" height=\"%lld\"%s src=\"",
                   (long long)sample, (long long)a.dim[2], (long long)a.dim[1],
                   tiny ? " class=\"crisp\"" : "");
    if (tiny)
        ct__png_uri(t, a.data, a.dim[0], a.dim[1], a.dim[2]);
    else
        ct__jpeg_uri(t, a.data, a.dim[0], a.dim[1], a.dim[2], 76);
    ct_text_add(t, "\">");
    ct__page_caption(p, sample, t);
    ct_text_add(t, "</figure>\n");
    ct_array_free(&a);
    p->drawn[sample] = 1;
    return CT_OK;
}

/* The worst of every cell first, then the second of every cell, while there is room. */
static ct_status draw_examples(ct__page *p) {
    int64_t cells = p->j->classes * p->j->classes;
    ct_status s = CT_OK;
    for (int64_t rank = 0; rank < CT__EXAMPLES; rank++)
        for (int64_t c = 0; c < cells && !s; c++) {
            int64_t *i = &p->example[c * CT__EXAMPLES + rank];
            if (*i < 0) continue;
            if (p->shown.length + p->hidden.length < BUDGET) s = figure(p, *i, &p->hidden);
            if (!p->drawn[*i]) *i = -1;
        }
    return s;
}

ct_status ct__page_pictures(ct__page *p) {
    p->shown.allocator = p->hidden.allocator = &p->j->o->allocator;
    p->drawn = ct_arena_array(&p->arena, (uint64_t)p->n + 1, 1);
    if (!p->drawn) return ct_fail(p->e, CT_ELIMIT, "report: out of memory");
    ct_status s = choose_mistakes(p);
    for (int64_t i = 0; i < p->mistakes && !s; i++) s = figure(p, p->mistake[i], &p->shown);
    if (s || p->j->classes > 30) return s; /* no matrix to click on */
    s = choose_examples(p);
    return s ? s : draw_examples(p);
}

/* ---- filters ---- */

#define COLUMNS 16
#define MOST_FILTERS 64

/* The first weight that looks at the picture itself: [O,C,kh,kw], or a layer's rows over all pixels. */
static int find_filters(const ct__page *p, ct_var_info *v, int64_t size[3]) {
    const int64_t *shape = p->j->shape;
    int64_t pixels = shape[0] * shape[1] * shape[2];
    for (int64_t i = 0; i < ct_var_count(p->j->ctx); i++) {
        if (ct_var_at(p->j->ctx, i, v) || v->kind != CT_PARAM || v->dtype != CT_F32 || v->shape.rank < 2)
            continue;
        const int64_t *d = v->shape.dim;
        int conv = v->shape.rank == 4 && d[1] == shape[0] && d[2] > 1,
            flat = v->shape.rank == 2 && d[1] == pixels;
        if (!conv && !flat) return 0;
        for (int k = 0; k < 3; k++) size[k] = conv ? d[k + 1] : shape[k];
        return (size[0] == 1 || size[0] == 3) && size[1] <= 64 && size[2] <= 64;
    }
    return 0;
}

/* Each from its least weight, black, to its greatest, white. */
static void draw_filter(const float *w, const int64_t size[3], uint8_t *sheet, int64_t h, int64_t width,
                        int64_t y0, int64_t x0) {
    int64_t n = size[0] * size[1] * size[2], plane = size[1] * size[2];
    float low = w[0], high = w[0];
    for (int64_t i = 0; i < n; i++) low = fminf(low, w[i]), high = fmaxf(high, w[i]);
    for (int64_t y = 0; y < size[1]; y++)
        for (int64_t x = 0; x < size[2]; x++)
            for (int64_t c = 0; c < 4; c++) {
                float v = c == 3 ? high : w[(size[0] == 3 ? c : 0) * plane + y * size[2] + x];
                float share = high > low ? (v - low) / (high - low) : 0.5f;
                sheet[(c * h + y0 + y) * width + x0 + x] = c == 3 ? 255 : (uint8_t)lrintf(255 * share);
            }
}

void ct__page_filters(ct__page *p, ct_text *t) {
    ct_var_info v;
    int64_t size[3];
    ct_err ignored = {0};
    if (!find_filters(p, &v, size)) return;
    int64_t n = v.shape.dim[0] < MOST_FILTERS ? v.shape.dim[0] : MOST_FILTERS,
            columns = n < COLUMNS ? n : COLUMNS, rows = (n + columns - 1) / columns,
            h = rows * (size[1] + 1) - 1, w = columns * (size[2] + 1) - 1;
    float *data = ct_arena_array(&p->arena, v.count, sizeof *data);
    uint8_t *sheet = ct_arena_array(&p->arena, (uint64_t)(4 * h * w), 1);
    ct_array a = ct_array_view(data, CT_F32, v.shape);
    if (!data || !sheet || ct_var_get(p->j->ctx, v.name, &a, &ignored)) return;
    for (int64_t i = 0; i < n; i++)
        draw_filter(data + i * size[0] * size[1] * size[2], size, sheet, h, w, i / columns * (size[1] + 1),
                    i % columns * (size[2] + 1));
    ct_text_add(t, "<h2>Filters of the first layer</h2>\n<p class=\"note\">");
    ct__report_text(t, v.name);
    ct_text_add(t, ", each from its least weight (black) to its greatest (white).</p>\n");
    ct_text_format(t, "<img class=\"filters\" alt=\"\" width=\"%lld\" height=\"%lld\" src=\"", (long long)w,
                   (long long)h);
    ct__png_uri(t, sheet, 4, h, w);
    ct_text_add(t, "\">\n");
}
