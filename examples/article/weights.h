/* weights.h: the weights that these programs and their Python originals share: element i of a parameter is
 * scale ((37 i + 11) mod 101 - 50) / 50. */
#ifndef EXAMPLES_ARTICLE_WEIGHTS_H
#define EXAMPLES_ARTICLE_WEIGHTS_H
#include <stdio.h>
#include <stdlib.h>
#include "cotan/nn.h"

static inline float pattern(long i, double scale) {
    return (float)(scale * (double)((37 * i + 11) % 101 - 50) / 50);
}

/* 0, or 1 with the error printed. */
static inline int set_weights(ct_ctx *c, const char *name, double scale) {
    ct_var_info info;
    ct_err e = {0};
    if (ct_error_status(c) || ct_var_find(c, name, &info)) {
        fprintf(stderr, "%s: %s\n", name, ct_error(c));
        return 1;
    }
    float *values = malloc((size_t)info.count * sizeof *values);
    for (uint64_t i = 0; values && i < info.count; i++) values[i] = pattern((long)i, scale);
    ct_array a = ct_array_view(values, CT_F32, info.shape);
    ct_status s = values ? ct_var_set(c, name, &a, &e) : ct_fail(&e, CT_ELIMIT, "out of memory");
    free(values);
    if (s) fprintf(stderr, "%s\n", e.text);
    return s != CT_OK;
}

static inline void print_row(const char *name, const float *v, int n) {
    printf("%s:", name);
    for (int i = 0; i < n; i++) printf(" %.6f", (double)v[i]);
    printf("\n");
}
#endif
