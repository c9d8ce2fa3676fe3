/* transform.h: one step of a transform list. A step is a row of the table ct__transforms: its name, how its
 * arguments are read and printed, the shape it makes, and what it does to a picture of floats. */
#ifndef CT_DATA_TRANSFORM_H
#define CT_DATA_TRANSFORM_H

#include "cotan/data.h"

#define CT__MAX_STEPS 16
#define CT__MAX_CHANNELS 4

typedef struct ct__step_args {
    int32_t kind; /* index in ct__transforms */
    int32_t count;
    double a[CT__MAX_CHANNELS], b[CT__MAX_CHANNELS]; /* mean, std; size, pad; p */
} ct__step_args;

typedef struct ct__picture { /* [C,H,W] in 0..255, or normalised */
    float *data, *spare;
    int64_t c, h, w;
} ct__picture;

typedef struct ct__transform_row {
    const char *name;
    const char *positional; /* name of the first argument, or NULL */
    const char *key_a, *key_b;
    double a, b; /* defaults; NaN: must be given */
    double min_a, max_a, min_b, max_b;
    int32_t random; /* 1: only in training */
    int32_t whole;  /* 1: integers */
    ct_status (*shape)(const ct__step_args *s, const int64_t in[3], int64_t out[3], ct_err *e);
    void (*run)(const ct__step_args *s, ct__picture *p, ct_random *r);
} ct__transform_row;

extern const ct__transform_row ct__transforms[];

struct ct_transform {
    const ct_allocator *allocator;
    ct__step_args step[CT__MAX_STEPS];
    int32_t steps;
    int32_t reserved;
};

#endif
