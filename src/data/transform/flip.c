/* flip.c: flip (left-right) and vertical_flip, each with a probability. */
#include <string.h>

#include "data/transform/transform.h"

static void reverse_bytes(uint8_t *row, int64_t n) {
    for (int64_t i = 0; i < n / 2; i++) {
        uint8_t keep = row[i];
        row[i] = row[n - 1 - i];
        row[n - 1 - i] = keep;
    }
}

static void reverse_floats(float *row, int64_t n) {
    for (int64_t i = 0; i < n / 2; i++) {
        float keep = row[i];
        row[i] = row[n - 1 - i];
        row[n - 1 - i] = keep;
    }
}

static ct_status flip(const ct__step *s, ct__frame *f, ct_random *r) {
    if (ct_random_uniform(r) >= s->value[0].v[0]) return CT_OK;
    void *x = ct__frame_own(f);
    if (!x) return CT_ELIMIT;
    for (int64_t i = 0; i < f->c * f->h; i++)
        if (f->floats)
            reverse_floats((float *)x + i * f->w, f->w);
        else
            reverse_bytes((uint8_t *)x + i * f->w, f->w);
    return CT_OK;
}

static ct_status vertical_flip(const ct__step *s, ct__frame *f, ct_random *r) {
    if (ct_random_uniform(r) >= s->value[0].v[0]) return CT_OK;
    char *to = ct__frame_room(f, f->c, f->h, f->w);
    if (!to) return CT_ELIMIT;
    size_t row = (size_t)f->w * ct__frame_size(f);
    for (int64_t c = 0; c < f->c; c++)
        for (int64_t y = 0; y < f->h; y++)
            memcpy(to + (size_t)(c * f->h + y) * row,
                   (const char *)f->data + (size_t)(c * f->h + f->h - 1 - y) * row, row);
    ct__frame_take(f, to, f->c, f->h, f->w);
    return CT_OK;
}

static const ct__param params[] = {
    {.name = "p", .kind = CT__NUMBER, .initial = {0.5}, .min = 0, .max = 1, .help = "probability"},
    {0},
};

const ct__step_row ct__step_flip = {
    .name = "flip",
    .help = "Left and right exchanged with probability p.",
    .takes = CT__ANY,
    .random = 1,
    .params = params,
    .apply = flip,
};

const ct__step_row ct__step_vertical_flip = {
    .name = "vertical_flip",
    .help = "Top and bottom exchanged with probability p.",
    .takes = CT__ANY,
    .random = 1,
    .params = params,
    .apply = vertical_flip,
};
