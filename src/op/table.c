/* table.c: all ops. Made by tools/gen.py. */
#include "graph/graph.h"

extern const ct__op ct__op_abs;
extern const ct__op ct__op_adadelta_update;
extern const ct__op ct__op_adagrad_update;
extern const ct__op ct__op_adam_update;
extern const ct__op ct__op_adaptive_avgpool2d;
extern const ct__op ct__op_adaptive_avgpool2d_grad;
extern const ct__op ct__op_adaptive_maxpool2d;
extern const ct__op ct__op_add;
extern const ct__op ct__op_add_scalar;
extern const ct__op ct__op_argmax;
extern const ct__op ct__op_assign;
extern const ct__op ct__op_assign_at;
extern const ct__op ct__op_assign_position;
extern const ct__op ct__op_attend;
extern const ct__op ct__op_attention;
extern const ct__op ct__op_attention_grad;
extern const ct__op ct__op_average_update;
extern const ct__op ct__op_avgpool1d;
extern const ct__op ct__op_avgpool1d_grad;
extern const ct__op ct__op_avgpool2d;
extern const ct__op ct__op_avgpool2d_grad;
extern const ct__op ct__op_batch_norm;
extern const ct__op ct__op_batch_norm_grad;
extern const ct__op ct__op_bce_each;
extern const ct__op ct__op_bce_logits;
extern const ct__op ct__op_bn_apply;
extern const ct__op ct__op_bn_count;
extern const ct__op ct__op_bn_data;
extern const ct__op ct__op_bn_finish;
extern const ct__op ct__op_bn_normalize;
extern const ct__op ct__op_bn_stats;
extern const ct__op ct__op_bn_sums;
extern const ct__op ct__op_by_mode;
extern const ct__op ct__op_cast;
extern const ct__op ct__op_cast_integers;
extern const ct__op ct__op_channel_sum;
extern const ct__op ct__op_clip;
extern const ct__op ct__op_clip_grad;
extern const ct__op ct__op_compare_integers;
extern const ct__op ct__op_concat;
extern const ct__op ct__op_conv1d;
extern const ct__op ct__op_conv2d;
extern const ct__op ct__op_conv2d_data;
extern const ct__op ct__op_conv2d_weight;
extern const ct__op ct__op_conv_transpose2d;
extern const ct__op ct__op_cos;
extern const ct__op ct__op_cross_entropy;
extern const ct__op ct__op_cross_entropy_of;
extern const ct__op ct__op_cumsum;
extern const ct__op ct__op_custom;
extern const ct__op ct__op_custom_grad;
extern const ct__op ct__op_detach;
extern const ct__op ct__op_div;
extern const ct__op ct__op_dropout;
extern const ct__op ct__op_dropout_grad;
extern const ct__op ct__op_elu;
extern const ct__op ct__op_elu_grad;
extern const ct__op ct__op_embedding;
extern const ct__op ct__op_embedding_rows;
extern const ct__op ct__op_embedding_weight;
extern const ct__op ct__op_eq;
extern const ct__op ct__op_erf;
extern const ct__op ct__op_exp;
extern const ct__op ct__op_expand;
extern const ct__op ct__op_expand_any;
extern const ct__op ct__op_flatten;
extern const ct__op ct__op_floor;
extern const ct__op ct__op_gather_along;
extern const ct__op ct__op_gaussian_nll;
extern const ct__op ct__op_ge;
extern const ct__op ct__op_gelu;
extern const ct__op ct__op_gelu_grad;
extern const ct__op ct__op_gelu_tanh;
extern const ct__op ct__op_gelu_tanh_grad;
extern const ct__op ct__op_global_avgpool;
extern const ct__op ct__op_global_avgpool_grad;
extern const ct__op ct__op_global_norm;
extern const ct__op ct__op_group_norm;
extern const ct__op ct__op_gt;
extern const ct__op ct__op_guard;
extern const ct__op ct__op_hardsigmoid;
extern const ct__op ct__op_hardsigmoid_grad;
extern const ct__op ct__op_hardswish;
extern const ct__op ct__op_hardswish_grad;
extern const ct__op ct__op_huber;
extern const ct__op ct__op_kl;
extern const ct__op ct__op_layer_norm;
extern const ct__op ct__op_le;
extern const ct__op ct__op_leaky_relu;
extern const ct__op ct__op_leaky_relu_grad;
extern const ct__op ct__op_linear;
extern const ct__op ct__op_linear_data;
extern const ct__op ct__op_linear_weight;
extern const ct__op ct__op_lion_update;
extern const ct__op ct__op_local_response_norm;
extern const ct__op ct__op_log;
extern const ct__op ct__op_log_softmax;
extern const ct__op ct__op_logical_and;
extern const ct__op ct__op_logical_not;
extern const ct__op ct__op_logical_or;
extern const ct__op ct__op_logsumexp;
extern const ct__op ct__op_lt;
extern const ct__op ct__op_mae;
extern const ct__op ct__op_matmul;
extern const ct__op ct__op_matmul_t;
extern const ct__op ct__op_max;
extern const ct__op ct__op_maximum;
extern const ct__op ct__op_maxpool1d;
extern const ct__op ct__op_maxpool2d;
extern const ct__op ct__op_maxpool_grad;
extern const ct__op ct__op_maxpool_take;
extern const ct__op ct__op_mean;
extern const ct__op ct__op_mean_scale;
extern const ct__op ct__op_min;
extern const ct__op ct__op_minimum;
extern const ct__op ct__op_mse;
extern const ct__op ct__op_mul;
extern const ct__op ct__op_mul_scalar;
extern const ct__op ct__op_nadam_update;
extern const ct__op ct__op_ne;
extern const ct__op ct__op_neg;
extern const ct__op ct__op_norm_of_parts;
extern const ct__op ct__op_one_hot;
extern const ct__op ct__op_pad;
extern const ct__op ct__op_permute;
extern const ct__op ct__op_position;
extern const ct__op ct__op_pow;
extern const ct__op ct__op_pow_scalar;
extern const ct__op ct__op_prod;
extern const ct__op ct__op_reciprocal;
extern const ct__op ct__op_relayout;
extern const ct__op ct__op_relu;
extern const ct__op ct__op_relu_grad;
extern const ct__op ct__op_reshape;
extern const ct__op ct__op_rms_norm;
extern const ct__op ct__op_rmsprop_both_update;
extern const ct__op ct__op_rmsprop_centered_update;
extern const ct__op ct__op_rmsprop_momentum_update;
extern const ct__op ct__op_rmsprop_update;
extern const ct__op ct__op_row_argmax;
extern const ct__op ct__op_row_cumsum;
extern const ct__op ct__op_row_extreme;
extern const ct__op ct__op_row_logsumexp;
extern const ct__op ct__op_row_norm;
extern const ct__op ct__op_row_norm_grad;
extern const ct__op ct__op_row_others;
extern const ct__op ct__op_row_others_grad;
extern const ct__op ct__op_row_prod;
extern const ct__op ct__op_rsqrt;
extern const ct__op ct__op_scatter_add;
extern const ct__op ct__op_self_attend;
extern const ct__op ct__op_self_attention;
extern const ct__op ct__op_self_attention_grad;
extern const ct__op ct__op_selu;
extern const ct__op ct__op_selu_grad;
extern const ct__op ct__op_sgd_momentum_update;
extern const ct__op ct__op_sgd_update;
extern const ct__op ct__op_sigmoid;
extern const ct__op ct__op_sigmoid_grad;
extern const ct__op ct__op_sign;
extern const ct__op ct__op_silu;
extern const ct__op ct__op_silu_grad;
extern const ct__op ct__op_sin;
extern const ct__op ct__op_slice;
extern const ct__op ct__op_slice_grad;
extern const ct__op ct__op_softmax;
extern const ct__op ct__op_softmax_ce;
extern const ct__op ct__op_softmax_ce_grad;
extern const ct__op ct__op_softmax_grad;
extern const ct__op ct__op_softplus;
extern const ct__op ct__op_softplus_grad;
extern const ct__op ct__op_sparse_adagrad_update;
extern const ct__op ct__op_sparse_adam_update;
extern const ct__op ct__op_sparse_order;
extern const ct__op ct__op_sparse_sgd_update;
extern const ct__op ct__op_sparse_sum;
extern const ct__op ct__op_sqrt;
extern const ct__op ct__op_square;
extern const ct__op ct__op_squared_parts;
extern const ct__op ct__op_squeeze;
extern const ct__op ct__op_stack;
extern const ct__op ct__op_sub;
extern const ct__op ct__op_sum;
extern const ct__op ct__op_take_rows;
extern const ct__op ct__op_tanh;
extern const ct__op ct__op_tanh_grad;
extern const ct__op ct__op_transpose;
extern const ct__op ct__op_unsqueeze;
extern const ct__op ct__op_var_of;
extern const ct__op ct__op_where;

/* What programs compiled earlier rely on (src/nn/abi.c). */
_Static_assert(sizeof(ct_adadelta) == 64, "ct_adadelta");
_Static_assert(sizeof(ct_adagrad) == 64, "ct_adagrad");
_Static_assert(sizeof(ct_adam) == 64, "ct_adam");
_Static_assert(sizeof(ct_argmax_options) == 64, "ct_argmax_options");
_Static_assert(sizeof(ct_attend) == 64, "ct_attend");
_Static_assert(sizeof(ct_batchnorm) == 64, "ct_batchnorm");
_Static_assert(sizeof(ct_ce) == 64, "ct_ce");
_Static_assert(sizeof(ct_conv) == 64, "ct_conv");
_Static_assert(sizeof(ct_conv1) == 64, "ct_conv1");
_Static_assert(sizeof(ct_conv_t) == 64, "ct_conv_t");
_Static_assert(sizeof(ct_embed) == 64, "ct_embed");
_Static_assert(sizeof(ct_groupnorm) == 64, "ct_groupnorm");
_Static_assert(sizeof(ct_huber_options) == 64, "ct_huber_options");
_Static_assert(sizeof(ct_kl_options) == 64, "ct_kl_options");
_Static_assert(sizeof(ct_layernorm) == 64, "ct_layernorm");
_Static_assert(sizeof(ct_lin) == 64, "ct_lin");
_Static_assert(sizeof(ct_lion) == 64, "ct_lion");
_Static_assert(sizeof(ct_loss) == 64, "ct_loss");
_Static_assert(sizeof(ct_lrn) == 64, "ct_lrn");
_Static_assert(sizeof(ct_nll) == 64, "ct_nll");
_Static_assert(sizeof(ct_pool) == 64, "ct_pool");
_Static_assert(sizeof(ct_positions) == 64, "ct_positions");
_Static_assert(sizeof(ct_reduce) == 64, "ct_reduce");
_Static_assert(sizeof(ct_rmsnorm) == 64, "ct_rmsnorm");
_Static_assert(sizeof(ct_rmsprop) == 64, "ct_rmsprop");
_Static_assert(sizeof(ct_self_attend) == 64, "ct_self_attend");
_Static_assert(sizeof(ct_sgd) == 64, "ct_sgd");
_Static_assert(sizeof(ct_variance) == 64, "ct_variance");

const ct__op *const ct__ops[] = {
    &ct__op_abs,
    &ct__op_adadelta_update,
    &ct__op_adagrad_update,
    &ct__op_adam_update,
    &ct__op_adaptive_avgpool2d,
    &ct__op_adaptive_avgpool2d_grad,
    &ct__op_adaptive_maxpool2d,
    &ct__op_add,
    &ct__op_add_scalar,
    &ct__op_argmax,
    &ct__op_assign,
    &ct__op_assign_at,
    &ct__op_assign_position,
    &ct__op_attend,
    &ct__op_attention,
    &ct__op_attention_grad,
    &ct__op_average_update,
    &ct__op_avgpool1d,
    &ct__op_avgpool1d_grad,
    &ct__op_avgpool2d,
    &ct__op_avgpool2d_grad,
    &ct__op_batch_norm,
    &ct__op_batch_norm_grad,
    &ct__op_bce_each,
    &ct__op_bce_logits,
    &ct__op_bn_apply,
    &ct__op_bn_count,
    &ct__op_bn_data,
    &ct__op_bn_finish,
    &ct__op_bn_normalize,
    &ct__op_bn_stats,
    &ct__op_bn_sums,
    &ct__op_by_mode,
    &ct__op_cast,
    &ct__op_cast_integers,
    &ct__op_channel_sum,
    &ct__op_clip,
    &ct__op_clip_grad,
    &ct__op_compare_integers,
    &ct__op_concat,
    &ct__op_conv1d,
    &ct__op_conv2d,
    &ct__op_conv2d_data,
    &ct__op_conv2d_weight,
    &ct__op_conv_transpose2d,
    &ct__op_cos,
    &ct__op_cross_entropy,
    &ct__op_cross_entropy_of,
    &ct__op_cumsum,
    &ct__op_custom,
    &ct__op_custom_grad,
    &ct__op_detach,
    &ct__op_div,
    &ct__op_dropout,
    &ct__op_dropout_grad,
    &ct__op_elu,
    &ct__op_elu_grad,
    &ct__op_embedding,
    &ct__op_embedding_rows,
    &ct__op_embedding_weight,
    &ct__op_eq,
    &ct__op_erf,
    &ct__op_exp,
    &ct__op_expand,
    &ct__op_expand_any,
    &ct__op_flatten,
    &ct__op_floor,
    &ct__op_gather_along,
    &ct__op_gaussian_nll,
    &ct__op_ge,
    &ct__op_gelu,
    &ct__op_gelu_grad,
    &ct__op_gelu_tanh,
    &ct__op_gelu_tanh_grad,
    &ct__op_global_avgpool,
    &ct__op_global_avgpool_grad,
    &ct__op_global_norm,
    &ct__op_group_norm,
    &ct__op_gt,
    &ct__op_guard,
    &ct__op_hardsigmoid,
    &ct__op_hardsigmoid_grad,
    &ct__op_hardswish,
    &ct__op_hardswish_grad,
    &ct__op_huber,
    &ct__op_kl,
    &ct__op_layer_norm,
    &ct__op_le,
    &ct__op_leaky_relu,
    &ct__op_leaky_relu_grad,
    &ct__op_linear,
    &ct__op_linear_data,
    &ct__op_linear_weight,
    &ct__op_lion_update,
    &ct__op_local_response_norm,
    &ct__op_log,
    &ct__op_log_softmax,
    &ct__op_logical_and,
    &ct__op_logical_not,
    &ct__op_logical_or,
    &ct__op_logsumexp,
    &ct__op_lt,
    &ct__op_mae,
    &ct__op_matmul,
    &ct__op_matmul_t,
    &ct__op_max,
    &ct__op_maximum,
    &ct__op_maxpool1d,
    &ct__op_maxpool2d,
    &ct__op_maxpool_grad,
    &ct__op_maxpool_take,
    &ct__op_mean,
    &ct__op_mean_scale,
    &ct__op_min,
    &ct__op_minimum,
    &ct__op_mse,
    &ct__op_mul,
    &ct__op_mul_scalar,
    &ct__op_nadam_update,
    &ct__op_ne,
    &ct__op_neg,
    &ct__op_norm_of_parts,
    &ct__op_one_hot,
    &ct__op_pad,
    &ct__op_permute,
    &ct__op_position,
    &ct__op_pow,
    &ct__op_pow_scalar,
    &ct__op_prod,
    &ct__op_reciprocal,
    &ct__op_relayout,
    &ct__op_relu,
    &ct__op_relu_grad,
    &ct__op_reshape,
    &ct__op_rms_norm,
    &ct__op_rmsprop_both_update,
    &ct__op_rmsprop_centered_update,
    &ct__op_rmsprop_momentum_update,
    &ct__op_rmsprop_update,
    &ct__op_row_argmax,
    &ct__op_row_cumsum,
    &ct__op_row_extreme,
    &ct__op_row_logsumexp,
    &ct__op_row_norm,
    &ct__op_row_norm_grad,
    &ct__op_row_others,
    &ct__op_row_others_grad,
    &ct__op_row_prod,
    &ct__op_rsqrt,
    &ct__op_scatter_add,
    &ct__op_self_attend,
    &ct__op_self_attention,
    &ct__op_self_attention_grad,
    &ct__op_selu,
    &ct__op_selu_grad,
    &ct__op_sgd_momentum_update,
    &ct__op_sgd_update,
    &ct__op_sigmoid,
    &ct__op_sigmoid_grad,
    &ct__op_sign,
    &ct__op_silu,
    &ct__op_silu_grad,
    &ct__op_sin,
    &ct__op_slice,
    &ct__op_slice_grad,
    &ct__op_softmax,
    &ct__op_softmax_ce,
    &ct__op_softmax_ce_grad,
    &ct__op_softmax_grad,
    &ct__op_softplus,
    &ct__op_softplus_grad,
    &ct__op_sparse_adagrad_update,
    &ct__op_sparse_adam_update,
    &ct__op_sparse_order,
    &ct__op_sparse_sgd_update,
    &ct__op_sparse_sum,
    &ct__op_sqrt,
    &ct__op_square,
    &ct__op_squared_parts,
    &ct__op_squeeze,
    &ct__op_stack,
    &ct__op_sub,
    &ct__op_sum,
    &ct__op_take_rows,
    &ct__op_tanh,
    &ct__op_tanh_grad,
    &ct__op_transpose,
    &ct__op_unsqueeze,
    &ct__op_var_of,
    &ct__op_where,
    0,
};
