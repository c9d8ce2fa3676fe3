/* gamma_function.c: log Gamma, its derivatives and the beta function (DLMF chapter 5).
 *
 * libm's lgamma is good to a few units in the last place; what it cannot give is the small difference of large values.
 * For that the rest of Stirling's formula is kept apart (DLMF 5.11.1: sum B_2k / (2k (2k-1) x^(2k-1))), and near 1 the
 * series in zeta values (5.7.3). */
#include "maths/special.h"

#include <math.h>
#include <stddef.h>

#define HALF_LOG_2PI 0.91893853320467274178

extern double lgamma_r(double x, int *sign); /* of <math.h>, without the global that lgamma sets */

double ct__log_gamma(double x) {
    int sign;
    return lgamma_r(x, &sign);
}

/* log Gamma(1+x) = -log(1+x) + x (1 - euler) + sum_{k>=2} (-1)^k (zeta(k) - 1) x^k / k */
double ct__log_gamma_1p(double x) {
    static const double zeta[] = {
        0.64493406684822643647,   0.2020569031595942854,     0.082323233711138191516,
        0.036927755143369926331,  0.017343061984449139715,   0.0083492773819228268398,
        0.0040773561979443393787, 0.0020083928260822144179,  0.00099457512781808533715,
        0.0004941886041194645587, 0.00024608655330804829864, 0.00012271334757848914675,
        6.1248135058704829259e-5, 3.0588236307020493552e-5,  1.5282259408651871733e-5,
        7.6371976378997622736e-6, 3.8172932649998398565e-6,  1.9082127165539389257e-6,
        9.5396203387279611315e-7, 4.7693298678780646312e-7,  2.3845050272773299e-7,
        1.1921992596531107307e-7, 5.9608189051259479612e-8,  2.9803503514652280186e-8,
        1.4901554828365041235e-8, 7.450711789835429492e-9,   3.7253340247884570548e-9,
        1.8626597235130490064e-9};
    const double euler = 0.57721566490153286061;
    double sum = 0;
    if (!(fabs(x) <= 0.5)) return ct__log_gamma(1 + x);
    for (int k = (int)(sizeof zeta / sizeof *zeta) + 1; k >= 2; k--)
        sum = sum * x + (k % 2 ? -zeta[k - 2] : zeta[k - 2]) / k;
    return x * (1 - euler) - log1p(x) + sum * x * x;
}

double ct__stirling_rest(double x) {
    static const double c[] = {1 / 12.0,   -1 / 360.0,      1 / 1260.0, -1 / 1680.0,
                               1 / 1188.0, -691 / 360360.0, 1 / 156.0,  -3617 / 122400.0};
    if (x < 12) return ct__log_gamma_1p(x) - (x > 0 ? (x + 0.5) * log(x) : 0) + x - HALF_LOG_2PI;
    double square = 1 / (x * x), sum = 0;
    for (int k = 7; k >= 0; k--) sum = sum * square + c[k];
    return sum / x;
}

double ct__digamma(double x) {
    static const double c[] = {1 / 12.0,  -1 / 120.0,     1 / 252.0, -1 / 240.0,
                               1 / 132.0, -691 / 32760.0, 1 / 12.0};
    const double pi = 3.14159265358979323846;
    double shift = 0, sum = 0;
    if (isnan(x) || (x <= 0 && x == floor(x))) return NAN;
    if (x < 0) return ct__digamma(1 - x) - pi / tan(pi * x); /* DLMF 5.5.4 */
    for (; x < 10; x++) shift -= 1 / x;
    double square = 1 / (x * x); /* DLMF 5.11.2 */
    for (int k = 6; k >= 0; k--) sum = sum * square + c[k];
    return log(x) - 0.5 / x - sum * square + shift;
}

double ct__trigamma(double x) {
    static const double c[] = {1 / 6.0, -1 / 30.0, 1 / 42.0, -1 / 30.0, 5 / 66.0, -691 / 2730.0, 7 / 6.0};
    double shift = 0, sum = 0;
    if (!(x > 0)) return NAN;
    for (; x < 12; x++) shift += 1 / (x * x);
    double square = 1 / (x * x);
    for (int k = 6; k >= 0; k--) sum = sum * square + c[k];
    return 1 / x + 0.5 * square + sum * square / x + shift;
}

/* Newton from Minka's start (2000, "Estimating a Dirichlet distribution", appendix C). */
double ct__digamma_inverse(double y) {
    double x = y >= -2.22 ? exp(y) + 0.5 : -1 / (y + 0.57721566490153286061);
    for (int i = 0; i < 30; i++) {
        double step = (ct__digamma(x) - y) / ct__trigamma(x), next = x - step;
        x = next > 0 ? next : x / 2;
        if (fabs(step) <= 1e-16 * x) break;
    }
    return x;
}

/* Large arguments by what Stirling leaves, so that nothing large is subtracted (Didonato, Morris 1992). */
double ct__log_beta(double a, double b) {
    double p = fmin(a, b), q = fmax(a, b), share = p / (p + q);
    if (!(p > 0)) return p == 0 ? INFINITY : NAN;
    if (isinf(q)) return -INFINITY;
    /* here the rest belongs to log Gamma(x) = (x - 1/2) log x - x + ..., the same function */
    if (p >= 10)
        return -0.5 * log(q) + HALF_LOG_2PI +
               (ct__stirling_rest(p) + ct__stirling_rest(q) - ct__stirling_rest(p + q)) +
               (p - 0.5) * log(share) + q * log1p(-share);
    if (q >= 10)
        return ct__log_gamma(p) + (ct__stirling_rest(q) - ct__stirling_rest(p + q)) + p - p * log(p + q) +
               (q - 0.5) * log1p(-share);
    return ct__log_gamma(p) + ct__log_gamma(q) - ct__log_gamma(p + q);
}
