/* dist_common.c: what records of distributions share: refusals, sums for fits, whole numbers. */
#include "maths/dist.h"

ct_status ct__dist_wrong(const ct_dist *d, const char *what, double value, const char *wanted, ct_err *e) {
    return ct_fail(e, CT_EUSAGE, "%s: %s is %.9g; wanted %s; correct it", d->record->name, what, value,
                   wanted);
}

ct_status ct__dist_positive(const ct_dist *d, int64_t index, const char *what, ct_err *e) {
    return d->p[index] > 0 && isfinite(d->p[index])
               ? CT_OK
               : ct__dist_wrong(d, what, d->p[index], "a finite number above 0", e);
}

ct_status ct__dist_room(ct_dist *d, int64_t count, ct_err *e) {
    d->v = ct_new_array(&d->allocator, (uint64_t)count, sizeof *d->v);
    if (!d->v) return ct_fail(e, CT_ELIMIT, "%s: out of memory; use fewer parameters", d->record->name);
    d->v_count = count;
    return CT_OK;
}

ct_status ct__fit_refuse(ct__fit *f, const char *found, const char *wanted) {
    return ct_fail(f->j->e, CT_EDATA, "%s: %s; wanted %s; take other data", f->j->name, found, wanted);
}

int ct__is_whole(double x) { return x == floor(x) && isfinite(x); }

ct_status ct__fit_range(ct__fit *f, double low, double high, int whole, const char *wanted) {
    for (int64_t i = 0; i < f->n * f->k; i++)
        if (!(f->x[i] >= low && f->x[i] <= high) || (whole && !ct__is_whole(f->x[i])))
            return ct_fail(f->j->e, CT_EDATA,
                           "%s: x[%lld] is %.9g; wanted %s; remove it, or choose another distribution",
                           f->j->name, (long long)i, f->x[i], wanted);
    return CT_OK;
}

double ct__fit_mean(const ct__fit *f) { return ct__mean(f->x, f->n); }

double ct__fit_mean_log(ct__fit *f, double *logs) {
    for (int64_t i = 0; i < f->n; i++) logs[i] = log(f->x[i]);
    return ct__sum(logs, f->n) / (double)f->n;
}

/* 1/(2x) + sum B_2k / (2k x^2k) where psi is near log x (DLMF 5.11.2) */
double ct__log_minus_digamma(double x) {
    static const double c[] = {1 / 12.0,  -1 / 120.0,     1 / 252.0, -1 / 240.0,
                               1 / 132.0, -691 / 32760.0, 1 / 12.0};
    double square = 1 / (x * x), sum = 0;
    if (x < 10) return log(x) - ct__digamma(x);
    for (int k = 6; k >= 0; k--) sum = sum * square + c[k];
    return 0.5 / x + sum * square;
}

/* ---- whole numbers ---- */

/* cdf(k) >= p, by the smaller tail, but for a few units in the last place: p may itself be some cdf(k), rounded. Near 1
 * that rounding is all there is, and the lower tail decides too where q is no more exact than 1 - p. */
static int reaches(const ct_dist *d, double k, double p, double q) {
    double upper, lower = d->record->cdf(d, k, &upper), nearly = p * (1 - 4 * CT__EPS);
    if (p <= q) return lower >= nearly;
    return upper <= q * (1 + 8 * CT__EPS) || (q > 1e-3 && lower >= nearly) || (q == 1 - p && lower >= p);
}

/* Galloping away from the guess until it is between a number that does not reach and one that does; then halving. */
double ct__discrete_quantile(const ct_dist *d, double p, double q, double guess, double low, double high) {
    double step = 1, below, above;
    if (p == 0) return low;
    if (q == 0) return high;
    guess = floor(fmin(fmax(guess, low), fmin(high, 9e15)));
    if (reaches(d, guess, p, q)) {
        for (above = guess; above > low; step *= 2) {
            below = fmax(above - step, low);
            if (!reaches(d, below, p, q)) break;
            above = below;
        }
        if (above <= low) return low;
        below = fmax(above - step, low);
    } else {
        for (below = guess;; step *= 2) {
            above = below + step;
            if (above >= high) above = high;
            if (above >= high || reaches(d, above, p, q)) break;
            below = above;
        }
    }
    while (above - below > 1) {
        double middle = floor(below + (above - below) / 2);
        if (middle <= below || middle >= above) break; /* beyond 2^53 they are neighbours */
        if (reaches(d, middle, p, q))
            above = middle;
        else
            below = middle;
    }
    return above;
}

double ct__discrete_entropy(const ct_dist *d, double mode) {
    double sum = 0, lost = 0, p = 1;
    for (int side = -1; side <= 1; side += 2)
        for (double k = side < 0 ? mode : mode + 1; k >= 0; k += side) {
            double log_p = d->record->log_density(d, k);
            p = exp(log_p);
            double term = p > 0 ? -p * log_p : 0, t = sum + term;
            lost += sum >= term ? (sum - t) + term : (term - t) + sum;
            sum = t;
            if (p < 1e-25) break;
        }
    return sum + lost;
}
