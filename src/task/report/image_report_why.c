/* image_report_why.c: why the net says so: a grey square is moved over what it sees, and the places are marked where covering
 * them lowers the probability of its answer most (occlusion: Zeiler and Fergus 2014). It asks nothing of the net. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "task/report/image_report.h"
#include "task/report/picture_uri.h"

#define WHY 6
#define GRID 8  /* places along a side; the square covers 3 of them */
#define HEAT 48 /* pixels along a side of what is drawn from them */
#define LEAST \
    2e-2 /* a fall of the probability that counts as one: below it nothing is shown at its warmest */

ct_status ct__page_picture(const ct__page *p, int64_t sample, ct_array *out) {
    const ct__image_job *j = p->j;
    const ct_allocator *a = &j->o->allocator;
    int64_t record = j->validation_index[sample];
    const ct_images *set = j->validation_set ? j->validation_set : j->set;
    if (set) return ct_images_read(set, record, a, out, p->e);
    const ct_array *x = j->validate ? &j->validation.images : &j->train.images;
    int64_t shape[3] = {x->rank == 3 ? 1 : x->dim[1], x->dim[x->rank - 2], x->dim[x->rank - 1]},
            bytes = shape[0] * shape[1] * shape[2];
    ct_status s = ct_array_new(a, CT_U8, ct_shape_make(3, shape), out, p->e);
    if (!s) memcpy(out->data, (const uint8_t *)x->data + record * bytes, (size_t)bytes);
    return s;
}

typedef struct look {
    ct__page *p;
    float *x, *covered, *logits; /* [C,H,W]; GRID of them; [GRID, classes] */
    double *probability;         /* [classes] */
    double fall[GRID * GRID];
} look;

/* `rows` pictures of l->covered; *share[r]: what the net gives to class c. */
static ct_status ask(look *l, int64_t rows, int64_t c, double *share) {
    ct__image_job *j = l->p->j;
    const void *in[1] = {l->covered};
    void *out[1] = {l->logits};
    ct_status s = ct_run(j->eval, j->eval_plan, in, rows, out);
    if (s) return ct_fail(l->p->e, s, "%s", ct_session_error(j->eval));
    for (int64_t r = 0; r < rows; r++) {
        (void)ct_softmax_at(l->logits + r * j->classes, j->classes, j->temperature, l->probability);
        share[r] = l->probability[c];
    }
    return CT_OK;
}

/* The square around place (gy, gx) becomes 0, the middle of the pixels' range where they are normalised. */
static void cover(const look *l, int64_t gy, int64_t gx, float *to) {
    const int64_t *d = l->p->j->shape;
    int64_t y0 = (gy - 1) * d[1] / GRID, y1 = (gy + 2) * d[1] / GRID, x0 = (gx - 1) * d[2] / GRID,
            x1 = (gx + 2) * d[2] / GRID;
    memcpy(to, l->x, (size_t)(d[0] * d[1] * d[2]) * sizeof *to);
    for (int64_t c = 0; c < d[0]; c++)
        for (int64_t y = y0 < 0 ? 0 : y0; y < y1 && y < d[1]; y++)
            for (int64_t x = x0 < 0 ? 0 : x0; x < x1 && x < d[2]; x++) to[(c * d[1] + y) * d[2] + x] = 0;
}

static ct_status find_places(look *l, int64_t sample) {
    ct__image_job *j = l->p->j;
    int64_t pixels = j->shape[0] * j->shape[1] * j->shape[2], label, c = l->p->sample[sample].prediction;
    void *fields[2] = {l->x, &label};
    double whole, share[GRID];
    ct_status s =
        j->validation_source.read(j->validation_source.user, sample, -1, j->recipe.seed, fields, l->p->e);
    memcpy(l->covered, l->x, (size_t)pixels * sizeof *l->x);
    if (!s) s = ask(l, 1, c, &whole);
    for (int64_t gy = 0; gy < GRID && !s; gy++) {
        for (int64_t gx = 0; gx < GRID; gx++) cover(l, gy, gx, l->covered + gx * pixels);
        s = ask(l, GRID, c, share);
        for (int64_t gx = 0; gx < GRID && !s; gx++) l->fall[gy * GRID + gx] = fmax(0, whole - share[gx]);
    }
    return s;
}

/* Between the middles of the places. */
static double fall_at(const look *l, int y, int x) {
    double at[2] = {(y + 0.5) * GRID / HEAT - 0.5, (x + 0.5) * GRID / HEAT - 0.5}, sum = 0;
    for (int k = 0; k < 2; k++) at[k] = fmin(fmax(at[k], 0), GRID - 1);
    for (int dy = 0; dy < 2; dy++)
        for (int dx = 0; dx < 2; dx++) {
            int gy = (int)at[0] + dy, gx = (int)at[1] + dx;
            double share = (1 - fabs(at[0] - gy)) * (1 - fabs(at[1] - gx));
            if (gy < GRID && gx < GRID) sum += share * l->fall[gy * GRID + gx];
        }
    return sum;
}

/* A small picture of warm colour whose opacity is the fall. */
static void draw_places(const look *l, ct_text *t) {
    static const uint8_t colour[3] = {255, 96, 0};
    uint8_t heat[4 * HEAT * HEAT];
    double most = LEAST;
    for (int i = 0; i < GRID * GRID; i++) most = fmax(most, l->fall[i]);
    for (int i = 0; i < HEAT * HEAT; i++) {
        for (int c = 0; c < 3; c++) heat[c * HEAT * HEAT + i] = colour[c];
        heat[3 * HEAT * HEAT + i] = (uint8_t)lrint(190 * fall_at(l, i / HEAT, i % HEAT) / most);
    }
    ct_text_add(t, "<img class=\"heat\" alt=\"\" src=\"");
    ct__png_uri(t, heat, 4, HEAT, HEAT);
    ct_text_add(t, "\">");
}

static void draw_seen(const ct_array *seen, ct_text *t) {
    int tiny = seen->dim[1] <= 64;
    ct_text_format(t, "<img alt=\"\" width=\"%lld\" height=\"%lld\"%s src=\"", (long long)seen->dim[2],
                   (long long)seen->dim[1], tiny ? " class=\"crisp\"" : "");
    if (tiny)
        ct__png_uri(t, seen->data, seen->dim[0], seen->dim[1], seen->dim[2]);
    else
        ct__jpeg_uri(t, seen->data, seen->dim[0], seen->dim[1], seen->dim[2], 80);
    ct_text_add(t, "\">");
}

static ct_status one(look *l, int64_t sample, ct_text *t) {
    ct__image_job *j = l->p->j;
    ct_array whole, seen;
    ct_status s = ct__page_picture(l->p, sample, &whole);
    if (s) return s;
    int64_t shape[3] = {whole.dim[0], whole.dim[1], whole.dim[2]};
    s = ct_transform_bytes(j->transform, NULL, whole.data, shape, (ct_draw){sample, -1, j->recipe.seed},
                           &j->o->allocator, &seen, l->p->e);
    ct_array_free(&whole);
    if (s) return s;
    s = find_places(l, sample);
    ct_text_add(t, "<figure><div class=\"beside\">");
    draw_seen(&seen, t);
    ct_text_add(t, "<div class=\"over\">");
    draw_seen(&seen, t);
    if (!s) draw_places(l, t);
    ct_text_add(t, "</div></div>");
    ct__page_caption(l->p, sample, t);
    ct_text_add(t, "</figure>\n");
    ct_array_free(&seen);
    return s;
}

/* Half of them mistakes, the most confident first, then what is rightly named, likewise and of one class after the other;
 * more of one where there is less of the other. */
static int64_t choose(const ct__page *p, int64_t sample[WHY]) {
    int64_t n = 0, hits = 0;
    for (int64_t i = 0; i < p->n; i++) hits += p->sample[i].label == p->sample[i].prediction;
    int64_t mistakes = hits < WHY / 2 ? WHY - hits : WHY / 2;
    while (n < p->mistakes && n < mistakes) sample[n] = p->mistake[n], n++;
    for (int again = 0; again < 2; again++) /* a second of a class where there are few classes */
        for (int64_t c = 0; c < p->j->classes && n < WHY; c++) {
            int64_t best = -1;
            for (int64_t i = 0; i < p->n; i++) {
                const ct__sample *s = &p->sample[i];
                int known = 0;
                for (int64_t k = 0; k < n; k++) known |= sample[k] == i;
                if (s->label == c && s->prediction == c && !known &&
                    (best < 0 || s->probability > p->sample[best].probability))
                    best = i;
            }
            if (best >= 0) sample[n++] = best;
        }
    return n;
}

ct_status ct__page_why(ct__page *p, ct_text *t) {
    ct__image_job *j = p->j;
    int64_t pixels = j->shape[0] * j->shape[1] * j->shape[2], sample[WHY], n = choose(p, sample);
    look l = {.p = p};
    ct_status s = CT_OK;
    if (n == 0) return CT_OK;
    l.x = ct_arena_array(&p->arena, (uint64_t)pixels, sizeof *l.x);
    l.covered = ct_arena_array(&p->arena, (uint64_t)pixels, GRID * sizeof *l.covered);
    l.logits = ct_arena_array(&p->arena, (uint64_t)j->classes + 16, GRID * sizeof *l.logits);
    l.probability = ct_arena_array(&p->arena, (uint64_t)j->classes, sizeof *l.probability);
    if (!l.x || !l.covered || !l.logits || !l.probability)
        return ct_fail(p->e, CT_ELIMIT, "report: out of memory");
    ct_text_add(
        t,
        "<h2>What it looked at</h2>\n<p class=\"note\">Some mistakes and some of what is right, as the net "
        "saw them, and beside them where it looked: where it is warm, a grey square laid there lowers the "
        "probability of its answer most.</p>\n<div class=\"grid why\">\n");
    for (int64_t i = 0; i < n && !s; i++) s = one(&l, sample[i], t);
    ct_text_add(t, "</div>\n");
    return s;
}
