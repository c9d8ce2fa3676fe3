/* resize.c: the step resize; how it computes is in resample.c. */
#include "data/transform/transform.h"

/* One number is the shorter side; the longer one keeps the ratio, rounded down, as torchvision does. */
static void target(const ct__step *s, int64_t have_h, int64_t have_w, int64_t *h, int64_t *w) {
    const ct__value *v = &s->value[0];
    if (v->count == 2) {
        *w = (int64_t)v->v[0];
        *h = (int64_t)v->v[1];
        return;
    }
    int64_t side = (int64_t)v->v[0];
    int wide = have_w > have_h;
    int64_t longer = side * (wide ? have_w : have_h) / (wide ? have_h : have_w);
    *w = wide ? longer : side;
    *h = wide ? side : longer;
}

static ct_status shape(const ct__step *s, int64_t shape[3], ct_err *e) {
    (void)e;
    target(s, shape[1], shape[2], &shape[1], &shape[2]);
    return CT_OK;
}

static ct_status resize(const ct__step *s, ct__frame *f, ct_random *r) {
    int64_t h, w;
    (void)r;
    target(s, f->h, f->w, &h, &w);
    return ct__frame_resize(f, (ct__box){0, 0, f->h, f->w}, h, w, (int)s->value[1].v[0],
                            (int)s->value[2].v[0]);
}

static const ct__param params[] = {
    {.name = "size",
     .kind = CT__SIZE,
     .need = 1,
     .min = 1,
     .max = CT__MAX_SIDE,
     .help = "of the shorter side, or WIDTHxHEIGHT"},
    {.name = "filter",
     .kind = CT__CHOICE,
     .quiet = 1,
     .initial = {CT__BILINEAR},
     .choices = CT__FILTERS,
     .help = "how pixels are weighed"},
    {.name = "order",
     .kind = CT__CHOICE,
     .quiet = 1,
     .choices = CT__ORDERS,
     .help = "first pass: as Pillow from 13 on, or always across the rows as before"},
    {0},
};

const ct__step_row ct__step_resize = {
    .name = "resize",
    .help = "Another size, antialiased, with the bits of Pillow's resize. resize 256 makes the shorter side "
            "256,\n"
            "resize 320x240 makes the picture 320 wide and 240 high.",
    .takes = CT__BYTES,
    .params = params,
    .shape = shape,
    .apply = resize,
};
