/* transform.h: how a step of a transform list is made.
 *
 * A step is a record in a file of its own (or of its family), as an op is: its name, the help that is its
 * documentation, the table of its parameters (which drives reading, printing, range errors and help), the
 * shape it makes, and what it does to a frame. table.c lists the records; nothing else knows their names. */
#ifndef CT_DATA_TRANSFORM_H
#define CT_DATA_TRANSFORM_H

#include "data/luma.h"
#include "data/scratch.h"

#define CT__MAX_STEPS 32
#define CT__MAX_PARAMS 8
#define CT__MAX_VALUES 4 /* numbers of one parameter: a:b:c:d */
#define CT__MAX_SIDE 65536
#define CT__MAX_PIXELS (1 << 26) /* 64 Mi, as when reading */

enum {
    CT__NUMBER = 1, /* 0.5 or 0.1:0.2:0.3 */
    CT__INTEGER,
    CT__SIZE,  /* 224 (count 1) or 320x240: width, height (count 2) */
    CT__CHOICE /* one word of `choices`; the value is its place */
};

typedef struct ct__param {
    const char *name; /* NULL: the end */
    int32_t kind;
    int32_t most;  /* numbers it may have, joined by colons; 0: one */
    int32_t quiet; /* 1: printed only where it is not the initial value */
    int32_t need;  /* 1: has no initial value, must be given */
    double initial[2];
    int32_t initial_count; /* 0: one */
    double min, max;
    const char *choices; /* "constant edge reflect symmetric" */
    const char *help;
} ct__param;

#define CT__FILL_PARAM(low, high) /* of steps that show what lies outside */ \
    { \
        .name = "fill", .kind = CT__NUMBER, .most = 4, .quiet = 1, .min = low, .max = high, \
        .help = "value outside the picture, or one a channel" \
    }

typedef struct ct__value {
    double v[CT__MAX_VALUES];
    int32_t count, given;
} ct__value;

typedef struct ct__step {
    const struct ct__step_row *row;
    ct__value value[CT__MAX_PARAMS]; /* in the order of row->params */
} ct__step;

/* What lies between steps: planes [C,H,W] of bytes or of floats. */
typedef struct ct__frame {
    void *data;
    int64_t c, h, w;
    int32_t floats; /* 0: bytes */
    int32_t slot;   /* of the scratch that holds `data`; -1: somebody else's, read only; -2: `out` */
    ct_scratch *scratch;
    float *out; /* where floats end */
    int64_t out_count;
    int32_t training;     /* 1: random steps act */
    int32_t instructions; /* of resizing: 0 what the CPU has; 1 baseline, 2 AVX2, 3 AVX-512, if it has them */
    ct_err *e;
} ct__frame;

/* What a step takes and leaves. */
enum {
    CT__BYTES = 1,    /* takes bytes only */
    CT__ANY = 2,      /* bytes or floats */
    CT__TO_FLOAT = 3, /* leaves floats */
    CT__BATCH = 4     /* ct_mix's; last in a list */
};

typedef struct ct__step_row {
    const char *name, *help;
    int32_t takes;
    int32_t random; /* 1: draws, and with `always` 0 does nothing in evaluation */
    int32_t always; /* 1: acts in evaluation too, without drawing */
    int32_t named;  /* 1: the first parameter too is written KEY=VALUE */
    const ct__param *params;
    ct_status (*check)(ct__step *s, ct_err *e); /* what one parameter's range cannot say; may be NULL */
    /* `shape` in and out; NULL: unchanged */
    ct_status (*shape)(const ct__step *s, int64_t shape[3], ct_err *e);
    ct_status (*apply)(const ct__step *s, ct__frame *f, ct_random *r);
} ct__step_row;

extern const ct__step_row *const ct__steps[]; /* ends with NULL */

struct ct_transform {
    const ct_allocator *allocator;
    ct__step step[CT__MAX_STEPS];
    int32_t steps;
    int32_t reserved;
};

/* run.c: frames */
static inline int64_t ct__frame_count(const ct__frame *f) { return f->c * f->h * f->w; }
static inline size_t ct__frame_size(const ct__frame *f) { return f->floats ? sizeof(float) : 1; }
/* Room for a result of c x h x w values of the frame's type; NULL: out of memory. ct__frame_take makes it the
 * frame's data. */
void *ct__frame_room(ct__frame *f, int64_t c, int64_t h, int64_t w);
void ct__frame_take(ct__frame *f, void *data, int64_t c, int64_t h, int64_t w);
/* The frame's data to be written in place: copied first if it is somebody else's. NULL: out of memory. */
void *ct__frame_own(ct__frame *f);
/* Turns a frame of bytes into one of floats that the caller computes: the bytes (valid until the next call) and
 * where the floats go, [C,H,W] both. NULL: out of memory. */
float *ct__frame_to_floats(ct__frame *f, const uint8_t **bytes);
ct_status ct__frame_unit(ct__frame *f); /* bytes to floats: x / 255 */
/* Run steps first..last-1; `f` is set up by the caller. */
ct_status ct__transform_steps(const ct_transform *t, int32_t first, int32_t last, ct__frame *f, ct_random *r);
/* Steps that begin the list, take bytes, leave bytes and draw nothing: the part that may be kept. */
int32_t ct__transform_prefix(const ct_transform *t);
ct_random ct__draw_stream(const ct_draw *d);
/* The shape after the first `last` steps; ct_transform_run from step `first` on; ct_transform_bytes up to `last`. */
ct_status ct__transform_shape(const ct_transform *t, int32_t last, const int64_t in[3], int64_t out[3],
                              ct_err *e);
ct_status ct__transform_from(const ct_transform *t, int32_t first, ct_scratch *s, const uint8_t *picture,
                             const int64_t shape[3], ct_draw draw, float *out, int64_t out_count, ct_err *e);
ct_status ct__transform_bytes(const ct_transform *t, int32_t last, ct_scratch *s, const uint8_t *picture,
                              const int64_t shape[3], ct_draw draw, const ct_allocator *a, ct_array *out,
                              ct_err *e);

/* fit.c: windows */
enum { CT__FILL, CT__EDGE, CT__REFLECT, CT__SYMMETRIC };
#define CT__PADDING "constant edge reflect symmetric"
/* The window [h,w] of the frame that begins at (top, left), which may lie outside, filled by `mode`. */
ct_status ct__frame_window(ct__frame *f, int64_t top, int64_t left, int64_t h, int64_t w, int mode,
                           const ct__value *fill);

/* resample.c: Pillow's filters, in its order */
enum { CT__NEAREST, CT__BOX, CT__BILINEAR, CT__HAMMING, CT__BICUBIC, CT__LANCZOS };
#define CT__FILTERS "nearest box bilinear hamming bicubic lanczos"
/* Resize the part [top, left, h, w] of a frame of bytes to [to_h, to_w], reading nothing outside of it. */
typedef struct ct__box {
    int64_t top, left, h, w;
} ct__box;
enum { CT__BALANCED, CT__ACROSS }; /* which pass is first; both, as Pillow from 13 on and up to 12 */
#define CT__ORDERS "balanced across"
ct_status ct__frame_resize(ct__frame *f, ct__box from, int64_t to_h, int64_t to_w, int filter, int order);

/* warp.c */
/* y(x) = a(m p): for each output pixel's centre p = (x + 1/2, y + 1/2) the value at (m0 px + m1 py + m2, m3 px +
 * m4 py + m5); `fill` outside. smooth: 0 nearest, 1 bilinear. */
ct_status ct__frame_warp(ct__frame *f, const double m[6], int smooth, const ct__value *fill);
/* The inverse map of: scale, shear (degrees), turn by `angle` degrees about the centre, move by (tx, ty). */
typedef struct ct__motion {
    double angle, tx, ty, scale, shear_x, shear_y;
    int32_t corner; /* 1: about the corner (0, 0) */
    int32_t reserved;
} ct__motion;
void ct__motion_inverse(const ct__motion *o, int64_t w, int64_t h, double m[6]);

/* tone.c: what Pillow's ImageEnhance and ImageOps do to bytes */
ct_status ct__tone_brightness(ct__frame *f, double factor);
ct_status ct__tone_contrast(ct__frame *f, double factor);
ct_status ct__tone_saturation(ct__frame *f, double factor);
ct_status ct__tone_sharpness(ct__frame *f, double factor);
ct_status ct__tone_hue(ct__frame *f, double shift);
ct_status ct__tone_posterize(ct__frame *f, int bits);
ct_status ct__tone_solarize(ct__frame *f, double threshold);
ct_status ct__tone_autocontrast(ct__frame *f);
ct_status ct__tone_equalize(ct__frame *f);
void ct__grey_planes(const uint8_t *rgb, int64_t plane, uint8_t *grey);

/* Uniform in low..high. */
static inline double ct__draw_between(ct_random *r, double low, double high) {
    return low + (high - low) * ct_random_uniform(r);
}

#endif
