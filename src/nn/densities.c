/* densities.c: densities, entropies and divergences as nodes, from the builders that there are, so that gradients come with
 * them. Formulas in each function; those of logits keep their digits where probabilities would round to 0 or 1. */
#include <math.h>

#include "cotan/nn.h"

#define LOG_2PI 1.8378770664093454836
#define LOG_PI 1.1447298858494001741

/* (x - location) / scale */
static ct_t standard(ct_t x, ct_t location, ct_t scale) { return ct_div(ct_sub(x, location), scale); }

/* ---- numbers ---- */

/* - ((x - m) / s)^2 / 2 - log s - log(2 pi) / 2 */
ct_t ct_normal_log_density(ct_t x, ct_t mean, ct_t deviation) {
    ct_t z = ct_square(standard(x, mean, deviation));
    return ct_add_scalar(ct_sub(ct_mul_scalar(z, -0.5), ct_log(deviation)), -0.5 * LOG_2PI);
}

/* the normal density of log x, over x */
ct_t ct_lognormal_log_density(ct_t x, ct_t mean, ct_t deviation) {
    ct_t log_x = ct_log(x);
    return ct_sub(ct_normal_log_density(log_x, mean, deviation), log_x);
}

/* - |x - m| / s - log(2 s) */
ct_t ct_laplace_log_density(ct_t x, ct_t location, ct_t scale) {
    return ct_sub(ct_neg(ct_abs(standard(x, location, scale))), ct_log(ct_mul_scalar(scale, 2)));
}

/* - log(1 + z^2) - log s - log pi */
ct_t ct_cauchy_log_density(ct_t x, ct_t location, ct_t scale) {
    ct_t z = ct_square(standard(x, location, scale));
    return ct_add_scalar(ct_neg(ct_add(ct_log(ct_add_scalar(z, 1)), ct_log(scale))), -LOG_PI);
}

/* - (v + 1) / 2 log(1 + z^2 / v) - log s + log gamma((v + 1) / 2) - log gamma(v / 2) - log(v pi) / 2 */
ct_t ct_student_log_density(ct_t x, double df, ct_t location, ct_t scale) {
    int sign;
    double constant = lgamma_r((df + 1) / 2, &sign) - lgamma_r(df / 2, &sign) - 0.5 * (log(df) + LOG_PI);
    ct_t z = ct_mul_scalar(ct_square(standard(x, location, scale)), 1 / df);
    ct_t tail = ct_mul_scalar(ct_log(ct_add_scalar(z, 1)), -(df + 1) / 2);
    return ct_add_scalar(ct_sub(tail, ct_log(scale)), constant);
}

/* log r - r x */
ct_t ct_exponential_log_density(ct_t x, ct_t rate) { return ct_sub(ct_log(rate), ct_mul(rate, x)); }

/* a log r + (a - 1) log x - r x - log gamma(a) */
ct_t ct_gamma_log_density(ct_t x, double shape, ct_t rate) {
    int sign;
    ct_t power = ct_add(ct_mul_scalar(ct_log(rate), shape), ct_mul_scalar(ct_log(x), shape - 1));
    return ct_add_scalar(ct_sub(power, ct_mul(rate, x)), -lgamma_r(shape, &sign));
}

/* ---- counts ---- */

/* x log p + (1 - x) log(1 - p) = x l - softplus(l) */
ct_t ct_bernoulli_log_mass(ct_t x, ct_t logit) { return ct_sub(ct_mul(x, logit), ct_softplus(logit)); }

/* k log r - r */
ct_t ct_poisson_log_mass(ct_t count, ct_t log_rate) {
    return ct_sub(ct_mul(count, log_rate), ct_exp(log_rate));
}

/* log p + k log(1 - p) = - softplus(-l) - k softplus(l) */
ct_t ct_geometric_log_mass(ct_t failures, ct_t logit) {
    return ct_neg(ct_add(ct_softplus(ct_neg(logit)), ct_mul(failures, ct_softplus(logit))));
}

/* log_softmax(logits)[label] */
ct_t ct_categorical_log_mass(ct_t label, ct_t logits) {
    ct_t chosen = ct_gather(ct_log_softmax(logits, -1), ct_unsqueeze(label, -1), -1);
    return ct_squeeze(chosen, -1);
}

/* ---- entropies ---- */

static ct_t sum_last(ct_t x) { return ct_sum(x, CT_SHAPE(-1), (ct_reduce){0}); }

/* log s + log(2 pi e) / 2 */
ct_t ct_normal_entropy(ct_t deviation) { return ct_add_scalar(ct_log(deviation), 0.5 * (LOG_2PI + 1)); }

/* softplus(l) - p l */
ct_t ct_bernoulli_entropy(ct_t logit) { return ct_sub(ct_softplus(logit), ct_mul(ct_sigmoid(logit), logit)); }

/* - sum p log p */
ct_t ct_categorical_entropy(ct_t logits) {
    return ct_neg(sum_last(ct_mul(ct_softmax(logits, -1), ct_log_softmax(logits, -1))));
}

/* ---- divergences ---- */

/* log(s2 / s1) + (s1^2 + (m1 - m2)^2) / (2 s2^2) - 1/2 */
ct_t ct_normal_kl(ct_t mean_p, ct_t deviation_p, ct_t mean_q, ct_t deviation_q) {
    ct_t ratio = ct_div(deviation_p, deviation_q), z = standard(mean_p, mean_q, deviation_q);
    ct_t squares = ct_mul_scalar(ct_add(ct_square(ratio), ct_square(z)), 0.5);
    return ct_add_scalar(ct_sub(squares, ct_log(ratio)), -0.5);
}

/* d + (s1 / s2) exp(-d s2 / s1) - log(s1 / s2) - 1 with d = |m1 - m2| / s2 */
ct_t ct_laplace_kl(ct_t location_p, ct_t scale_p, ct_t location_q, ct_t scale_q) {
    ct_t apart = ct_abs(ct_sub(location_p, location_q)), ratio = ct_div(scale_p, scale_q);
    ct_t shrunk = ct_mul(ratio, ct_exp(ct_neg(ct_div(apart, scale_p))));
    return ct_add_scalar(ct_sub(ct_add(ct_div(apart, scale_q), shrunk), ct_log(ratio)), -1);
}

/* log(r1 / r2) + r2 / r1 - 1 */
ct_t ct_exponential_kl(ct_t rate_p, ct_t rate_q) {
    ct_t ratio = ct_div(rate_q, rate_p);
    return ct_add_scalar(ct_sub(ratio, ct_log(ratio)), -1);
}

/* p (l1 - l2) + softplus(l2) - softplus(l1) */
ct_t ct_bernoulli_kl(ct_t logit_p, ct_t logit_q) {
    ct_t mean = ct_mul(ct_sigmoid(logit_p), ct_sub(logit_p, logit_q));
    return ct_add(mean, ct_sub(ct_softplus(logit_q), ct_softplus(logit_p)));
}

/* sum p (log p - log q) */
ct_t ct_categorical_kl(ct_t logits_p, ct_t logits_q) {
    ct_t apart = ct_sub(ct_log_softmax(logits_p, -1), ct_log_softmax(logits_q, -1));
    return sum_last(ct_mul(ct_softmax(logits_p, -1), apart));
}
