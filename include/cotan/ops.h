/* cotan/ops.h: builders of all ops. Made by tools/gen.py from src/op/; edit there.
 *
 * Every builder appends a node to the graph of its first tensor and returns its output; after an error it
 * returns the poison tensor. Options are zero-means-default structs, last. Definitions and defaults are
 * PyTorch's unless a line says otherwise. Not thread-safe within one context. */
#ifndef COTAN_OPS_H
#define COTAN_OPS_H

#include "cotan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ct_adadelta {
    double weight_decay; /* adds weight_decay * p to the gradient */
    double l1;           /* adds l1 * sign(p) to the gradient */
    double clip_value;   /* > 0: gradients are cut to +-clip_value */
    int32_t decoupled;   /* 1: the decay is p *= 1 - lr * weight_decay instead */
    int32_t reserved_28;
    int64_t reserved[4];
} ct_adadelta;

typedef struct ct_adagrad {
    double lr_decay;     /* decay of the learning rate */
    double weight_decay; /* adds weight_decay * p to the gradient */
    double l1;           /* adds l1 * sign(p) to the gradient */
    double clip_value;   /* > 0: gradients are cut to +-clip_value */
    int32_t decoupled;   /* 1: the decay is p *= 1 - lr * weight_decay instead */
    int32_t reserved_36;
    int64_t reserved[3];
} ct_adagrad;

typedef struct ct_adam {
    double weight_decay;   /* adds weight_decay * p to the gradient */
    int32_t decoupled;     /* 1: AdamW, the decay is p *= 1 - lr * weight_decay instead */
    int32_t reserved_12;
    double l1;             /* adds l1 * sign(p) to the gradient */
    double clip_value;     /* > 0: gradients are cut to +-clip_value */
    double momentum_decay; /* NAdam alone: of its momentum's schedule; default 0.004 */
    int64_t reserved[3];
} ct_adam;

typedef struct ct_argmax_options {
    int32_t keep; /* 1: the axis stays, with extent 1 */
    int32_t reserved_4;
    int64_t reserved[7];
} ct_argmax_options;

typedef struct ct_attend {
    int32_t causal; /* 1: a query sees the keys up to its own place */
    int32_t reserved_4;
    double scale;   /* factor of the products; 0: 1/sqrt(D) */
    int64_t reserved[6];
} ct_attend;

typedef struct ct_batchnorm {
    double eps;        /* added to the variance; default 1e-5 */
    double momentum;   /* share of the new batch in the running statistics; default 0.1 */
    int32_t no_affine; /* 1: without weight and bias */
    int32_t reserved_20;
    int64_t reserved[5];
} ct_batchnorm;

typedef struct ct_ce {
    int32_t reduction;  /* what becomes of the losses; mean, sum, none */
    int32_t reserved_4;
    double smoothing;   /* share of the target that is spread over all classes */
    int32_t has_ignore; /* 1: rows whose id is `ignore` count nothing */
    int32_t ignore;     /* the ignored id */
    int64_t reserved[5];
} ct_ce;

typedef struct ct_conv {
    int32_t pad;        /* zeros around, on each side */
    int32_t stride;     /* step of the window; default 1 */
    int32_t dilation;   /* distance between taps; default 1 */
    int32_t groups;     /* independent groups of channels; default 1 */
    int32_t no_bias;    /* 1: without bias */
    int32_t kernel_w;   /* kw; 0: as kernel */
    int32_t pad_w;      /* left and right; 0: as pad; -1: none */
    int32_t stride_w;   /* across; 0: as stride */
    int32_t dilation_w; /* across; 0: as dilation */
    /* initialiser of the weight; default: uniform within 1/sqrt(fan in); default, zeros, ones, constant,
     * uniform, normal, trunc_normal, xavier_uniform, xavier_normal, kaiming_uniform, kaiming_normal,
     * orthogonal */
    int32_t init;
    double init_a;      /* its first number */
    double init_b;      /* its second number */
    int64_t reserved[1];
} ct_conv;

typedef struct ct_conv1 {
    int32_t pad;      /* zeros on each side */
    int32_t stride;   /* step of the window; default 1 */
    int32_t dilation; /* distance between taps; default 1 */
    int32_t groups;   /* independent groups of channels; default 1 */
    int32_t no_bias;  /* 1: without bias */
    int32_t reserved_20;
    int64_t reserved[5];
} ct_conv1;

typedef struct ct_conv_t {
    int32_t pad;        /* taken off on each side */
    int32_t stride;     /* distance of the inputs in the output; default 1 */
    int32_t dilation;   /* distance between taps; default 1 */
    int32_t groups;     /* independent groups of channels; default 1 */
    int32_t no_bias;    /* 1: without bias */
    int32_t output_pad; /* added at the end; below stride or dilation */
    int64_t reserved[5];
} ct_conv_t;

typedef struct ct_embed {
    int32_t has_padding; /* 1: the row `padding` stays as it is, zeros at first */
    int32_t padding;     /* its id */
    /* initialiser of the weight; default: normal of mean 0 and deviation 1; default, zeros, ones,
     * constant, uniform, normal, trunc_normal, xavier_uniform, xavier_normal, kaiming_uniform,
     * kaiming_normal, orthogonal */
    int32_t init;
    int32_t reserved_12;
    double init_a;       /* its first number (value, low, mean or gain) */
    double init_b;       /* its second number (high, standard deviation) */
    const char *tie;     /* full name of an existing [V,D] parameter to share */
    int32_t sparse;      /* 1: gradient and update of the rows used alone (PyTorch's sparse=True) */
    int32_t reserved_44;
    int64_t reserved[2];
} ct_embed;

typedef struct ct_groupnorm {
    int32_t no_weight; /* 1: without weight and bias */
    int32_t reserved_4;
    double eps;        /* added to the variance; default 1e-5 */
    int64_t reserved[6];
} ct_groupnorm;

typedef struct ct_huber_options {
    int32_t reduction; /* what becomes of the losses; mean, sum, none */
    int32_t reserved_4;
    double delta;      /* where the square ends; default 1 */
    int64_t reserved[6];
} ct_huber_options;

typedef struct ct_kl_options {
    /* what becomes of the losses; batchmean: the sum over axis 0's extent; mean, sum, none, batchmean */
    int32_t reduction;
    int32_t reserved_4;
    int64_t reserved[7];
} ct_kl_options;

typedef struct ct_layernorm {
    int32_t no_weight; /* 1: without weight and bias */
    int32_t no_bias;   /* 1: without bias */
    int32_t axes;      /* how many trailing axes make a row; default 1 */
    int32_t reserved_12;
    double eps;        /* added to the variance; default 1e-5 */
    int64_t reserved[5];
} ct_layernorm;

typedef struct ct_lin {
    int32_t no_bias; /* 1: without bias */
    /* initialiser of the weight; default: uniform within 1/sqrt(I); default, zeros, ones, constant,
     * uniform, normal, trunc_normal, xavier_uniform, xavier_normal, kaiming_uniform, kaiming_normal,
     * orthogonal */
    int32_t init;
    double init_a;   /* its first number (value, low, mean or gain) */
    double init_b;   /* its second number (high, standard deviation) */
    const char *tie; /* full name of an existing [O,I] parameter to share */
    int64_t reserved[4];
} ct_lin;

typedef struct ct_lion {
    double weight_decay; /* p *= 1 - lr * weight_decay */
    double l1;           /* adds l1 * sign(p) to the gradient */
    double clip_value;   /* > 0: gradients are cut to +-clip_value */
    int32_t decoupled;   /* the paper's form, and the only one; default 1 */
    int32_t reserved_28;
    int64_t reserved[4];
} ct_lion;

typedef struct ct_loss {
    int32_t reduction; /* what becomes of the losses; mean, sum, none */
    int32_t reserved_4;
    int64_t reserved[7];
} ct_loss;

typedef struct ct_lrn {
    double alpha; /* weight of the squares; default 1e-4 */
    double beta;  /* exponent; default 0.75 */
    double k;     /* added to the sum; default 1 */
    int64_t reserved[5];
} ct_lrn;

typedef struct ct_nll {
    int32_t reduction; /* what becomes of the losses; mean, sum, none */
    int32_t full;      /* 1: with the constant log(2 pi) / 2 */
    double eps;        /* the least variance; default 1e-6 */
    int64_t reserved[6];
} ct_nll;

typedef struct ct_pool {
    int32_t stride;            /* step of the window; 0: its extent */
    int32_t pad;               /* padding on each side; at most half a window */
    int32_t ceil;              /* 1: a last window that is partly outside counts */
    int32_t dilation;          /* distance between the elements of a window; default 1 */
    int32_t kernel_w;          /* columns of the window; 0: as rows */
    int32_t stride_w;          /* step over columns; 0: as stride, else the window's columns */
    int32_t pad_w;             /* padding left and right; 0: as pad, -1: none */
    int32_t count_without_pad; /* average pooling: 1 to divide by the elements inside the image */
    int64_t reserved[4];
} ct_pool;

typedef struct ct_positions {
    double deviation; /* standard deviation of the first weights; default 1 */
    int64_t reserved[7];
} ct_positions;

typedef struct ct_reduce {
    int32_t keep; /* 1: reduced axes stay, with extent 1 */
    int32_t reserved_4;
    int64_t reserved[7];
} ct_reduce;

typedef struct ct_rmsnorm {
    int32_t no_weight; /* 1: without weight */
    int32_t axes;      /* how many trailing axes make a row; default 1 */
    double eps;        /* added to the mean of squares; default 1.1920928955078125e-7 */
    int64_t reserved[6];
} ct_rmsnorm;

typedef struct ct_rmsprop {
    double momentum;     /* factor of the momentum */
    double weight_decay; /* adds weight_decay * p to the gradient */
    double l1;           /* adds l1 * sign(p) to the gradient */
    double clip_value;   /* > 0: gradients are cut to +-clip_value */
    int32_t decoupled;   /* 1: the decay is p *= 1 - lr * weight_decay instead */
    int32_t reserved_36;
    int64_t reserved[3];
} ct_rmsprop;

typedef struct ct_self_attend {
    int32_t causal; /* 1: a query sees the keys up to its own place */
    int32_t groups; /* G, the key and value heads, a divisor of H; 0: H */
    double scale;   /* factor of the products; 0: 1/sqrt(D) */
    int64_t reserved[6];
} ct_self_attend;

typedef struct ct_sgd {
    double momentum;     /* factor of the momentum */
    double dampening;    /* share of the gradient that the momentum does not take */
    int32_t nesterov;    /* 1: Nesterov's form */
    int32_t reserved_20;
    double weight_decay; /* adds weight_decay * p to the gradient */
    double l1;           /* adds l1 * sign(p) to the gradient */
    double clip_value;   /* > 0: gradients are cut to +-clip_value */
    int32_t decoupled;   /* 1: the decay is p *= 1 - lr * weight_decay instead */
    int32_t reserved_52;
    int64_t reserved[1];
} ct_sgd;

typedef struct ct_variance {
    int32_t keep;   /* 1: reduced axes stay, with extent 1 */
    int32_t biased; /* 1: divided by the count */
    int64_t reserved[7];
} ct_variance;

/* ---- activation ---- */
/* 1 / (1 + e^-x) */
CT_API ct_t ct_sigmoid(ct_t x);
/* The hyperbolic tangent. */
CT_API ct_t ct_tanh(ct_t x);
/* max(x, 0) */
CT_API ct_t ct_relu(ct_t x);
/* x, or slope * x where x < 0 (PyTorch's default slope is 0.01). */
CT_API ct_t ct_leaky_relu(ct_t x, double slope);
/* x, or alpha * (e^x - 1) where x < 0 (PyTorch's default alpha is 1). */
CT_API ct_t ct_elu(ct_t x, double alpha);
/* The self-normalising elu. */
CT_API ct_t ct_selu(ct_t x);
/* x times the normal distribution function of x. */
CT_API ct_t ct_gelu(ct_t x);
/* gelu's approximation by tanh. */
CT_API ct_t ct_gelu_tanh(ct_t x);
/* x * sigmoid(x), also called swish. */
CT_API ct_t ct_silu(ct_t x);
/* log(1 + e^x); x itself above 20. */
CT_API ct_t ct_softplus(ct_t x);
/* clip(x + 3, 0, 6) / 6 */
CT_API ct_t ct_hardsigmoid(ct_t x);
/* x * hardsigmoid(x) */
CT_API ct_t ct_hardswish(ct_t x);

/* ---- adadelta ---- */
/* A step of Adadelta, an effect for a plan. square, delta: moment variables of the parameter's shape, zeros
 * at first. */
CT_API ct_t ct_adadelta_update(ct_t param, ct_t grad, ct_t square, ct_t delta, ct_t lr, ct_t scale,
                               double rho, double eps, ct_adadelta o);

/* ---- adagrad ---- */
/* A step of Adagrad, an effect for a plan. sum: a moment variable of the parameter's shape. */
CT_API ct_t ct_adagrad_update(ct_t param, ct_t grad, ct_t sum, ct_t lr, ct_t scale, double eps, ct_adagrad o);

/* ---- adam ---- */
/* A step of Adam, an effect for a plan. m, v: moment variables of the parameter's shape, zeros at first. */
CT_API ct_t ct_adam_update(ct_t param, ct_t grad, ct_t m, ct_t v, ct_t lr, ct_t scale, double beta1,
                           double beta2, double eps, ct_adam o);
/* A step of NAdam, an effect for a plan. m, v: moment variables of the parameter's shape, zeros at first. */
CT_API ct_t ct_nadam_update(ct_t param, ct_t grad, ct_t m, ct_t v, ct_t lr, ct_t scale, double beta1,
                            double beta2, double eps, ct_adam o);

/* ---- adaptive ---- */
/* x [N,C,H,W] -> [N,C,out_h,out_w]. */
CT_API ct_t ct_adaptive_avgpool2d(ct_t x, int64_t out_h, int64_t out_w);
/* x [N,C,...] -> [N,C]. */
CT_API ct_t ct_global_avgpool(ct_t x);

/* ---- assign ---- */
/* variable = value at the end of each run of a plan that has this among its effects. */
CT_API ct_t ct_assign(ct_t variable, ct_t value);
/* state[.., position + i, ..] = value[.., i, ..] along `axis`, at the end of each run (an effect). position: scalar f32,
 * i32 or i64, or [R] of i32 or i64, one for each row of axis 0; out of range is CT_EDATA and nothing is written. */
CT_API ct_t ct_assign_at(ct_t state, ct_t position, ct_t value, int64_t axis);
/* state[r, ..] = state[index[r], ..] for every row r of axis 0, at the end of each run (an effect). index [R] of i32 or
 * i64; out of range is CT_EDATA and nothing is written. */
CT_API ct_t ct_assign_rows(ct_t state, ct_t index);

/* ---- attention ---- */
/* q [N,H,T,D], k [N,G,S,D], v [N,G,S,E]; mask bool or f32, node NULL: none -> [N,H,T,E]. */
CT_API ct_t ct_attention(ct_t q, ct_t k, ct_t v, ct_t mask, ct_attend options);

/* ---- avgpool ---- */
/* x [N,C,H,W] -> [N,C,H',W']. */
CT_API ct_t ct_avgpool2d(ct_t x, int64_t kernel, ct_pool options);
/* x [N,C,T] -> [N,C,T']. */
CT_API ct_t ct_avgpool1d(ct_t x, int64_t kernel, ct_pool options);

/* ---- batchnorm ---- */
/* x [N,C,...]; parameters NAME.weight, NAME.bias [C]; buffers NAME.running_mean, NAME.running_var [C],
 * NAME.num_batches_tracked. */
CT_API ct_t ct_batch_norm(ct_t x, const char *name, ct_batchnorm options);

/* ---- binary ---- */
/* x + y, broadcasting. */
CT_API ct_t ct_add(ct_t x, ct_t y);
/* x - y, broadcasting. */
CT_API ct_t ct_sub(ct_t x, ct_t y);
/* x * y, broadcasting. */
CT_API ct_t ct_mul(ct_t x, ct_t y);
/* x / y, broadcasting. */
CT_API ct_t ct_div(ct_t x, ct_t y);
/* The smaller of x and y, broadcasting; NaN of either wins. */
CT_API ct_t ct_minimum(ct_t x, ct_t y);
/* The larger of x and y, broadcasting; NaN of either wins. */
CT_API ct_t ct_maximum(ct_t x, ct_t y);
/* x to the power of y, broadcasting; C's pow in special cases. */
CT_API ct_t ct_pow(ct_t x, ct_t y);

/* ---- cast ---- */
/* x as another type: f32, i64, i32 or bool. */
CT_API ct_t ct_cast(ct_t x, ct_dtype dtype);
/* x, but no gradient flows through. */
CT_API ct_t ct_detach(ct_t x);

/* ---- compare ---- */
/* x == y, bool, broadcasting; f32, i32, i64 or bool. */
CT_API ct_t ct_eq(ct_t x, ct_t y);
/* x != y */
CT_API ct_t ct_ne(ct_t x, ct_t y);
/* x < y */
CT_API ct_t ct_lt(ct_t x, ct_t y);
/* x <= y */
CT_API ct_t ct_le(ct_t x, ct_t y);
/* x > y */
CT_API ct_t ct_gt(ct_t x, ct_t y);
/* x >= y */
CT_API ct_t ct_ge(ct_t x, ct_t y);
/* Both are not 0. */
CT_API ct_t ct_logical_and(ct_t x, ct_t y);
/* At least one is not 0. */
CT_API ct_t ct_logical_or(ct_t x, ct_t y);
/* x is 0. */
CT_API ct_t ct_logical_not(ct_t x);
/* x where condition (bool) is true, else y; broadcasting. */
CT_API ct_t ct_where(ct_t condition, ct_t x, ct_t y);

/* ---- concat ---- */
/* x[0], x[1], ... x[n-1] one after the other along `axis`. */
CT_API ct_t ct_concat(const ct_t *x, int32_t n, int64_t axis);
/* x[0] ... x[n-1], of one shape, along a new axis that stands at `axis` of the result. */
CT_API ct_t ct_stack(const ct_t *x, int32_t n, int64_t axis);

/* ---- conv ---- */
/* x [N,C,T] -> [N,channels,T']; parameters NAME.weight [channels,C/groups,kernel] and NAME.bias. */
CT_API ct_t ct_conv1d(ct_t x, const char *name, int64_t channels, int64_t kernel, ct_conv1 options);
/* x [N,C,H,W] -> [N,channels,H',W'], larger; parameters NAME.weight [C,channels/groups,kernel,kernel] and NAME.bias. */
CT_API ct_t ct_conv_transpose2d(ct_t x, const char *name, int64_t channels, int64_t kernel,
                                ct_conv_t options);

/* ---- conv2d ---- */
/* x [N,C,H,W] -> [N,channels,H',W']; parameters NAME.weight [channels,C/groups,kernel,kernel] and NAME.bias. */
CT_API ct_t ct_conv2d(ct_t x, const char *name, int64_t channels, int64_t kernel, ct_conv options);

/* ---- cross_entropy ---- */
/* Cross-entropy of logits [N,C] or [N,C,d...] with class ids or probabilities; class_weight [C], node NULL: none. */
CT_API ct_t ct_cross_entropy(ct_t logits, ct_t target, ct_t class_weight, ct_ce o);

/* ---- cumsum ---- */
/* Along `axis` (negative from the end). */
CT_API ct_t ct_cumsum(ct_t x, int64_t axis);

/* ---- dropout ---- */
/* In training zeros with probability p and x / (1 - p); x itself in evaluation. The name keys its random numbers. */
CT_API ct_t ct_dropout(ct_t x, const char *name, double p);

/* ---- embedding ---- */
/* ids [...] of i64 or i32 -> [..., dimension]; parameter NAME.weight [vocabulary, dimension]. */
CT_API ct_t ct_embedding(ct_t ids, const char *name, int64_t vocabulary, int64_t dimension, ct_embed options);

/* ---- expand ---- */
/* x repeated to `shape`: axes of extent 1 and missing leading axes. */
CT_API ct_t ct_expand(ct_t x, ct_shape shape);

/* ---- extreme ---- */
/* The largest over `axes` (rank 0: all). */
CT_API ct_t ct_max(ct_t x, ct_shape axes, ct_reduce options);
/* The smallest over `axes` (rank 0: all). */
CT_API ct_t ct_min(ct_t x, ct_shape axes, ct_reduce options);
/* The index of the largest along `axis`, i64; the first of equals. */
CT_API ct_t ct_argmax(ct_t x, int64_t axis, ct_argmax_options options);

/* ---- gather ---- */
/* y[.., j, ..] = x[.., index[.., j, ..], ..] along `axis`; y has the shape of index (torch.gather). */
CT_API ct_t ct_gather(ct_t x, ct_t index, int64_t axis);
/* x with source[.., j, ..] added at index[.., j, ..] of `axis` (torch.scatter_add). */
CT_API ct_t ct_scatter_add(ct_t x, ct_t index, ct_t source, int64_t axis);

/* ---- guard ---- */
/* The root of the sum of the squares of all elements of n tensors. */
CT_API ct_t ct_global_norm(const ct_t *x, int32_t n);
/* min(1, clip / (norm + 1e-6)), or 1 when clip is 0; the run ends with CT_ENONFINITE when loss or norm is not
 * finite. `norm` may be none. *checked (may be NULL) gets the norm, NaN when there is none. */
CT_API ct_t ct_guard(ct_t loss, ct_t norm, double clip, ct_t *checked);

/* ---- linear ---- */
/* x [..., I] -> [..., features]; parameters NAME.weight [features, I] and NAME.bias [features]. */
CT_API ct_t ct_linear(ct_t x, const char *name, int64_t features, ct_lin options);

/* ---- lion ---- */
/* A step of Lion, an effect for a plan. m: a moment variable of the parameter's shape, zeros at first. */
CT_API ct_t ct_lion_update(ct_t param, ct_t grad, ct_t m, ct_t lr, ct_t scale, double beta1, double beta2,
                           ct_lion o);

/* ---- loss ---- */
/* (x - target)^2, x and target of one shape. */
CT_API ct_t ct_mse(ct_t x, ct_t target, ct_loss options);
/* |x - target|, x and target of one shape. */
CT_API ct_t ct_mae(ct_t x, ct_t target, ct_loss options);
/* The Huber loss, x and target of one shape. */
CT_API ct_t ct_huber(ct_t x, ct_t target, ct_huber_options options);

/* ---- loss_probability ---- */
/* Logits x and targets in [0,1] of one shape. */
CT_API ct_t ct_bce_logits(ct_t x, ct_t target, ct_loss options);
/* -sum(y log p) over axis 1 (the only axis of a vector), then the reduction over what is left. */
CT_API ct_t ct_cross_entropy_of(ct_t p, ct_t y, ct_loss options);
/* t (log t - log_p), of one shape. */
CT_API ct_t ct_kl(ct_t log_p, ct_t target, ct_kl_options options);
/* Mean, target and variance of one shape. */
CT_API ct_t ct_gaussian_nll(ct_t mean, ct_t target, ct_t variance, ct_nll options);

/* ---- lrn ---- */
/* x [N,C,...] -> the same shape; `size` channels around each. */
CT_API ct_t ct_local_response_norm(ct_t x, int64_t size, ct_lrn options);

/* ---- matmul ---- */
/* a [...,M,K], b [...,K,P]; vectors as torch.matmul has them. */
CT_API ct_t ct_matmul(ct_t a, ct_t b);

/* ---- maxpool ---- */
/* x [N,C,H,W] -> [N,C,H',W']; ct__output(y, 1) has the winners' places, i32. */
CT_API ct_t ct_maxpool2d(ct_t x, int64_t kernel, ct_pool options);
/* x [N,C,T] -> [N,C,T']. */
CT_API ct_t ct_maxpool1d(ct_t x, int64_t kernel, ct_pool options);
/* x [N,C,H,W] -> [N,C,out_h,out_w]: window i of an axis is floor(i H / out) .. ceil((i + 1) H / out) - 1. */
CT_API ct_t ct_adaptive_maxpool2d(ct_t x, int64_t out_h, int64_t out_w);

/* ---- norm ---- */
/* Over the last axis (or options.axes of them); parameters NAME.weight and NAME.bias of the row's shape. */
CT_API ct_t ct_layer_norm(ct_t x, const char *name, ct_layernorm options);
/* Over the last axis (or options.axes of them); parameter NAME.weight of the row's shape. */
CT_API ct_t ct_rms_norm(ct_t x, const char *name, ct_rmsnorm options);
/* x [N,C,...]; parameters NAME.weight [C] and NAME.bias [C]. */
CT_API ct_t ct_group_norm(ct_t x, const char *name, int64_t groups, ct_groupnorm options);

/* ---- onehot ---- */
/* ids [...] of i64 or i32 -> f32 [..., classes]. */
CT_API ct_t ct_one_hot(ct_t ids, int64_t classes);

/* ---- pad ---- */
/* x within a border of `value`: widths before and after in pairs from the last axis; negative widths crop. */
CT_API ct_t ct_pad(ct_t x, ct_shape pads, double value);

/* ---- permute ---- */
/* Axis i of the result is axis axes[i] of x. */
CT_API ct_t ct_permute(ct_t x, ct_shape axes);
/* Axes a and b swapped. */
CT_API ct_t ct_transpose(ct_t x, int64_t a, int64_t b);

/* ---- position ---- */
/* x [...,T,D] -> the same shape; parameter NAME.weight [places,D]. */
CT_API ct_t ct_position(ct_t x, const char *name, int64_t places, ct_positions options);

/* ---- prod ---- */
/* The product over `axes` (rank 0: all). */
CT_API ct_t ct_prod(ct_t x, ct_shape axes, ct_reduce options);

/* ---- reduce ---- */
/* The sum over `axes` (rank 0: all). */
CT_API ct_t ct_sum(ct_t x, ct_shape axes, ct_reduce options);
/* The mean over `axes` (rank 0: all); over N the whole batch's. */
CT_API ct_t ct_mean(ct_t x, ct_shape axes, ct_reduce options);

/* ---- reshape ---- */
/* The elements of x, in order, as `shape`; -1 is N, -k is k*N. */
CT_API ct_t ct_reshape(ct_t x, ct_shape shape);
/* [A,B,C,...] -> [A, B*C*...]. */
CT_API ct_t ct_flatten(ct_t x);
/* Without `axis`, whose extent must be 1. */
CT_API ct_t ct_squeeze(ct_t x, int64_t axis);
/* With an axis of extent 1 that stands at `axis` of the result. */
CT_API ct_t ct_unsqueeze(ct_t x, int64_t axis);

/* ---- rmsprop ---- */
/* A step of RMSprop, an effect for a plan. Moment variables of the parameter's shape, zeros at first: square;
 * average for the centred form, else node NULL; momentum when o.momentum is not 0, else node NULL. */
CT_API ct_t ct_rmsprop_update(ct_t param, ct_t grad, ct_t square, ct_t average, ct_t momentum, ct_t lr,
                              ct_t scale, double alpha, double eps, ct_rmsprop o);

/* ---- scalar ---- */
/* x + value */
CT_API ct_t ct_add_scalar(ct_t x, double value);
/* x * value */
CT_API ct_t ct_mul_scalar(ct_t x, double value);
/* x to the power of value. */
CT_API ct_t ct_pow_scalar(ct_t x, double value);
/* x cut to [low, high]; NaN stays. */
CT_API ct_t ct_clip(ct_t x, double low, double high);

/* ---- self_attention ---- */
/* x [N,T,(H+2G) D]; mask bool or f32, node NULL: none -> [N,T,H D]. */
CT_API ct_t ct_self_attention(ct_t x, ct_t mask, int64_t heads, ct_self_attend options);

/* ---- sgd ---- */
/* A step of SGD, an effect for a plan. `momentum`: a moment variable of the parameter's shape, zeros at
 * first; node NULL when o.momentum is 0. `scale` multiplies the gradient (ct_number 1 when there is nothing). */
CT_API ct_t ct_sgd_update(ct_t param, ct_t grad, ct_t momentum, ct_t lr, ct_t scale, ct_sgd o);

/* ---- slice ---- */
/* Indices begin, begin + step, ... below end of `axis`; negative ones count from the end; step 0 is 1. */
CT_API ct_t ct_slice(ct_t x, int64_t axis, int64_t begin, int64_t end, int64_t step);
/* `parts` equal parts of `axis` into out[]; the extent must divide. After an error all are poison. */
CT_API void ct_split(ct_t x, int64_t axis, int32_t parts, ct_t *out);

/* ---- softmax ---- */
/* Along `axis` (negative from the end). */
CT_API ct_t ct_softmax(ct_t x, int64_t axis);
/* Along `axis` (negative from the end). */
CT_API ct_t ct_log_softmax(ct_t x, int64_t axis);
/* log sum e^x over `axes` (rank 0: all). */
CT_API ct_t ct_logsumexp(ct_t x, ct_shape axes, ct_reduce options);

/* ---- sparse ---- */
/* The gradient of a table by the rows used, for ct_sparse_*_update: its values [M,D] and *rows [M] of i64 (-1: an empty
 * slot), where every use of the table is a lookup of ct_embed.sparse = 1; else none (node NULL) and *rows as it was. */
CT_API ct_t ct_sparse_rows(ct_t grad, ct_t *rows);

/* ---- sparse_update ---- */
/* A step of SGD on the rows used, an effect for a plan. rows, values: of ct_sparse_rows. */
CT_API ct_t ct_sparse_sgd_update(ct_t table, ct_t rows, ct_t values, ct_t lr, ct_t scale);
/* A step of SparseAdam, an effect for a plan. m, v: moment variables of the table's shape, zeros at first. */
CT_API ct_t ct_sparse_adam_update(ct_t table, ct_t rows, ct_t values, ct_t m, ct_t v, ct_t lr, ct_t scale,
                                  double beta1, double beta2, double eps);
/* A step of Adagrad on the rows used, an effect for a plan. sum: a moment variable of the table's shape. */
CT_API ct_t ct_sparse_adagrad_update(ct_t table, ct_t rows, ct_t values, ct_t sum, ct_t lr, ct_t scale,
                                     double eps);

/* ---- unary ---- */
/* -x */
CT_API ct_t ct_neg(ct_t x);
/* |x| */
CT_API ct_t ct_abs(ct_t x);
/* -1, 0 or 1; its gradient is 0. */
CT_API ct_t ct_sign(ct_t x);
/* The largest integer not above x; its gradient is 0. */
CT_API ct_t ct_floor(ct_t x);
/* e^x */
CT_API ct_t ct_exp(ct_t x);
/* The natural logarithm. */
CT_API ct_t ct_log(ct_t x);
/* The square root. */
CT_API ct_t ct_sqrt(ct_t x);
/* 1 / sqrt(x) */
CT_API ct_t ct_rsqrt(ct_t x);
/* x * x */
CT_API ct_t ct_square(ct_t x);
/* 1 / x */
CT_API ct_t ct_reciprocal(ct_t x);
/* The error function. */
CT_API ct_t ct_erf(ct_t x);
/* The sine of x in radians. */
CT_API ct_t ct_sin(ct_t x);
/* The cosine of x in radians. */
CT_API ct_t ct_cos(ct_t x);

/* ---- update ---- */
/* average = decay * average + (1 - decay) * param, to be given to a plan as an effect. `param` is the result
 * of the optimiser's node, so that the average takes the parameter after its step, or a parameter that the
 * plan does not change. */
CT_API ct_t ct_average_update(ct_t average, ct_t param, double decay);

/* ---- variance ---- */
/* The variance over `axes` (rank 0: all), unbiased by default; over N the whole batch's. */
CT_API ct_t ct_var(ct_t x, ct_shape axes, ct_variance options);

#ifdef __cplusplus
}
#endif

#endif
