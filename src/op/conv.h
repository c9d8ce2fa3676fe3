/* conv.h: what the convolution ops share: their attributes and geometry. */
#ifndef CT_OP_CONV_H
#define CT_OP_CONV_H

#include "kern/conv.h"
#include "op/common.h"

/* Order of the attributes in every convolution's table; the internal ops add the extents of x. */
enum {
    CT__CONV_CHANNELS,
    CT__CONV_KERNEL,
    CT__CONV_PAD,
    CT__CONV_STRIDE,
    CT__CONV_DILATION,
    CT__CONV_GROUPS,
    CT__CONV_NO_BIAS,
    CT__CONV_KERNEL_W,
    CT__CONV_PAD_W,
    CT__CONV_STRIDE_W,
    CT__CONV_DILATION_W,
    CT__CONV_INIT,
    CT__CONV_INIT_A,
    CT__CONV_INIT_B,
    CT__CONV_IN_H,
    CT__CONV_IN_W,
    CT__CONV_ATTRS
};

/* Geometry of x [N,I,H,W] and weight [O,I/g,kh,kw]; oh and ow follow (and may be < 1). */
ct__conv_shape ct__conv_geometry(const ct__value *attr, const ct_shape *x, const ct_shape *weight);
/* Padding as wide as the window or wider, which no primitive has: the same convolution of an image padded before.
 * 1: inner[] has its attributes, pads what ct_pad takes. */
int ct__conv_pads_apart(const ct__value *attr, const ct_shape *weight, ct__value inner[CT__CONV_ATTRS],
                        ct_shape *pads);
/* The order of the weight that a primitive wants: that of operand `home` when that is decided, else its own
 * choice. Errors go to q->l->e. */
void ct__conv_weight_wish(ct__layouts *q, int32_t home, ct__conv_wish *w, ct__layout *out);
/* Create the primitive for the layouts chosen and fill l (but for run). */
ct_status ct__conv_lower(ct__lower *l, ct__conv_wish *w, const ct__layout *weight);
extern const ct__op ct__op_conv2d, ct__op_conv2d_data, ct__op_conv2d_weight;

#endif
