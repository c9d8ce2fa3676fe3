/* direct.h: convolution in plain loops (plain layouts of everything), where there is no other kernel. */
#ifndef CT_KERN_DIRECT_H
#define CT_KERN_DIRECT_H

#include "kern/conv.h"

/* As ct__conv_run's arguments are, said by name. bias may be NULL; relu: of the forward direction. The result is
 * overwritten: dst of forward, src of data, weight and bias of weight. */
typedef struct ct__direct {
    float *src, *weight, *bias, *dst;
} ct__direct;
void ct__direct_run(const ct__conv_shape *s, int32_t kind, int32_t relu, const ct__direct *d);

#endif
