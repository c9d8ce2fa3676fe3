/* dist.c: distributions as handles, and their functions over arrays. */
#include "maths/dist.h"

#include <string.h>

/* ---- the table ---- */

int32_t ct_dist_count(void) {
    int32_t n = 0;
    while (ct__dist_records[n]) n++;
    return n;
}

static ct_dist_about about(const ct__record *r) {
    return (ct_dist_about){r->name, r->parameters, r->support, r->discrete, r->vector};
}
ct_dist_about ct_dist_describe(int32_t index) {
    return index >= 0 && index < ct_dist_count() ? about(ct__dist_records[index])
                                                 : (ct_dist_about){"", "", "", 0, 0};
}
ct_dist_about ct_dist_of(const ct_dist *d) { return about(d->record); }
int64_t ct_dist_size(const ct_dist *d) { return d->k; }
const double *ct_dist_parameters(const ct_dist *d, int64_t *count) {
    if (count) *count = d->count;
    return d->p;
}

static ct_status find(const char *name, const ct__record **out, ct_err *e) {
    const char *names[64];
    size_t n = 0;
    for (; ct__dist_records[n]; n++) {
        if (name && strcmp(ct__dist_records[n]->name, name) == 0) {
            *out = ct__dist_records[n];
            return CT_OK;
        }
        names[n] = ct__dist_records[n]->name;
    }
    const char *near = name ? ct_nearest(name, names, n) : NULL;
    return ct_fail(e, CT_EUSAGE, "distribution \"%.60s\": no such one; wanted %s; see ct_dist_describe",
                   name ? name : "", near ? near : "one of normal, gamma, binomial and others");
}

/* ---- making ---- */

static ct_status check_count(const ct__record *r, int64_t count, int64_t *k, ct_err *e) {
    *k = r->vector ? r->size(count) : r->count < 0 ? count : 1;
    int right = r->count < 0 ? *k >= 1 : count >= r->required && count <= r->count;
    return right ? CT_OK
                 : ct_fail(e, CT_EUSAGE, "%s: %lld parameters; wanted %s; give those", r->name,
                           (long long)count, r->parameters);
}

static ct_status make(const ct_allocator *a, const ct__record *r, const double *p, int64_t count,
                      ct_dist **out, ct_err *e) {
    int64_t k;
    ct_status s = check_count(r, count, &k, e);
    if (s) return s;
    ct_dist *d = ct_new(a, sizeof *d);
    if (!d) return ct_fail(e, CT_ELIMIT, "%s: out of memory; use fewer parameters", r->name);
    if (a) d->allocator = *a;
    d->record = r;
    d->k = r->vector ? k : 1;
    d->count = r->count < 0 ? count : r->count;
    d->p = ct_new_array(a, (uint64_t)d->count, sizeof *d->p);
    if (!d->p) s = ct_fail(e, CT_ELIMIT, "%s: out of memory; use fewer parameters", r->name);
    for (int64_t i = 0; !s && i < d->count; i++) {
        d->p[i] = i < count ? p[i] : r->defaults[i];
        if (isnan(d->p[i])) s = ct__dist_wrong(d, "a parameter", d->p[i], "numbers", e);
    }
    if (!s) s = r->prepare(d, e);
    if (s)
        ct_dist_free(d);
    else
        *out = d;
    return s;
}

ct_status ct_dist_new(const ct_maths *m, const char *name, const double *parameters, int64_t count,
                      ct_dist **out, ct_err *e) {
    const ct__record *r;
    ct_status s = find(name, &r, e);
    if (!s && count > 0 && !parameters)
        s = ct_fail(e, CT_EUSAGE, "%s: no parameters (NULL); wanted %s; give them", name, r->parameters);
    return s ? s : make(m ? m->allocator : NULL, r, parameters, count, out, e);
}

void ct_dist_free(ct_dist *d) {
    if (!d) return;
    ct_allocator a = d->allocator;
    ct_delete(&a, d->p, (size_t)d->count * sizeof *d->p);
    ct_delete(&a, d->v, (size_t)d->v_count * sizeof *d->v);
    ct_delete(&a, d, sizeof *d);
}

/* ---- over arrays ---- */

typedef double (*each)(const ct_dist *d, double x);

static double log_density(const ct_dist *d, double x) { return d->record->log_density(d, x); }
static double density(const ct_dist *d, double x) { return exp(d->record->log_density(d, x)); }
static double lower(const ct_dist *d, double x) {
    double upper;
    return d->record->cdf(d, x, &upper);
}
static double survival(const ct_dist *d, double x) {
    double upper;
    (void)d->record->cdf(d, x, &upper);
    return upper;
}
static double quantile(const ct_dist *d, double p) { return d->record->quantile(d, p, 1 - p); }
static double upper_quantile(const ct_dist *d, double q) { return d->record->quantile(d, 1 - q, q); }

static ct_status store(ct__job *j, const double *v, ct_shape shape, int32_t type, ct_array *out) {
    ct_array from = ct_array_view((void *)(uintptr_t)v, CT_F64, shape), to = {0};
    ct_status s = ct_array_new(j->allocator, (ct_dtype)type, shape, &to, j->e);
    if (!s) s = ct_array_copy(&to, &from, j->e);
    if (s)
        ct_array_free(&to);
    else
        *out = to;
    return s;
}

static ct_status map(ct__job *j, const ct_dist *d, const ct_array *x, each f, int probability,
                     ct_array *out) {
    double *v;
    int64_t n;
    ct_status s = ct__vector_load(j, x, probability ? "p" : "x", 0, &v, &n);
    for (int64_t i = 0; !s && i < n; i++) {
        if (isnan(v[i])) return ct__refuse_nonfinite(j, probability ? "p" : "x", x, i, v[i]);
        if (probability && !(v[i] >= 0 && v[i] <= 1))
            return ct_fail(j->e, CT_EDATA,
                           "%s: p[%lld] is %.9g; wanted a probability from 0 to 1; correct it", j->name,
                           (long long)i, v[i]);
        v[i] = f(d, v[i]);
    }
    return s ? s : store(j, v, ct_shape_make(x->rank, x->dim), ct__result_type(x, NULL), out);
}

static ct_status map_vectors(ct__job *j, const ct_dist *d, const ct_array *x, int exponential,
                             ct_array *out) {
    double *v, *work = ct__job_doubles(j, d->k, 1);
    int64_t n;
    if (!work) return CT_ELIMIT;
    ct_status s = ct__array_check(j, x, "x", 1, 2);
    if (!s && x->dim[x->rank - 1] != d->k)
        return ct_fail(j->e, CT_EUSAGE, "%s: values of %lld elements; wanted %lld; give one row a value",
                       j->name, (long long)x->dim[x->rank - 1], (long long)d->k);
    if (!s) s = ct__vector_load(j, x, "x", 0, &v, &n);
    for (int64_t i = 0; !s && i < n; i++)
        if (isnan(v[i])) return ct__refuse_nonfinite(j, "x", x, i, v[i]);
    for (int64_t i = 0; !s && i < n / d->k; i++) {
        double l = d->record->log_density_of(d, v + i * d->k, work);
        v[i] = exponential ? exp(l) : l;
    }
    return s ? s : store(j, v, ct_shape_make(x->rank - 1, x->dim), ct__result_type(x, NULL), out);
}

static ct_status apply(const ct_dist *d, const char *name, const ct_array *x, each f, int probability,
                       int cdf, ct_array *out, ct_err *e) {
    ct__job j;
    ct_maths m = {.allocator = &d->allocator};
    ct_status s = ct__job_begin(&j, &m, name, e);
    if (!s && cdf && !d->record->cdf)
        s = ct_fail(e, CT_EUSAGE,
                    "%s: %s is of vectors; wanted a distribution of numbers; use ct_dist_log_density", name,
                    d->record->name);
    if (!s)
        s = d->record->vector ? map_vectors(&j, d, x, f == density, out) : map(&j, d, x, f, probability, out);
    ct__job_end(&j);
    return s;
}

ct_status ct_dist_density(const ct_dist *d, const ct_array *x, ct_array *out, ct_err *e) {
    return apply(d, "dist_density", x, density, 0, 0, out, e);
}
ct_status ct_dist_log_density(const ct_dist *d, const ct_array *x, ct_array *out, ct_err *e) {
    return apply(d, "dist_log_density", x, log_density, 0, 0, out, e);
}
ct_status ct_dist_cdf(const ct_dist *d, const ct_array *x, ct_array *out, ct_err *e) {
    return apply(d, "dist_cdf", x, lower, 0, 1, out, e);
}
ct_status ct_dist_survival(const ct_dist *d, const ct_array *x, ct_array *out, ct_err *e) {
    return apply(d, "dist_survival", x, survival, 0, 1, out, e);
}
ct_status ct_dist_quantile(const ct_dist *d, const ct_array *p, ct_array *out, ct_err *e) {
    return apply(d, "dist_quantile", p, quantile, 1, 1, out, e);
}
ct_status ct_dist_upper_quantile(const ct_dist *d, const ct_array *p, ct_array *out, ct_err *e) {
    return apply(d, "dist_upper_quantile", p, upper_quantile, 1, 1, out, e);
}

/* ---- samples ---- */

#define SAMPLES_OF_TASK 4096

typedef struct sampling {
    const ct_dist *d;
    uint64_t seed;
    int64_t first, n;
    double *out;
} sampling;

static ct_status sample_task(void *user, int64_t task, ct_err *e) {
    const sampling *s = user;
    int64_t end = (task + 1) * SAMPLES_OF_TASK < s->n ? (task + 1) * SAMPLES_OF_TASK : s->n;
    (void)e;
    for (int64_t i = task * SAMPLES_OF_TASK; i < end; i++) {
        ct_random r = ct_random_stream(s->seed, (uint64_t)(s->first + i));
        s->d->record->sample(s->d, &r, s->out + i * s->d->k);
    }
    return CT_OK;
}

ct_status ct_dist_sample(const ct_maths *m, const ct_dist *d, uint64_t seed, int64_t first, int64_t n,
                         ct_array *out, ct_err *e) {
    ct__job j;
    ct_array y = {0};
    ct_status s = ct__job_begin(&j, m, "dist_sample", e);
    if (!s && (n < 0 || first < 0 || first > INT64_MAX - n))
        s = ct_fail(e, CT_EUSAGE,
                    "dist_sample: %lld values from %lld; wanted both from 0, their sum below 2^63; give "
                    "smaller ones",
                    (long long)n, (long long)first);
    ct_shape shape = d->record->vector ? CT_SHAPE(n, d->k) : CT_SHAPE(n);
    if (!s) s = ct_array_new(j.allocator, CT_F64, shape, &y, e);
    sampling w = {d, seed, first, n, y.data};
    if (!s)
        s = ct__parallel(&j, (n + SAMPLES_OF_TASK - 1) / SAMPLES_OF_TASK, 200.0 * (double)n * (double)d->k,
                         sample_task, &w);
    if (s)
        ct_array_free(&y);
    else
        *out = y;
    ct__job_end(&j);
    return s;
}

/* ---- moments, fit, divergence ---- */

void ct_dist_mean(const ct_dist *d, double *out) { d->record->mean(d, out); }
void ct_dist_variance(const ct_dist *d, double *out) { d->record->variance(d, out); }
double ct_dist_entropy(const ct_dist *d) { return d->record->entropy(d); }

static ct_status fit(ct__job *j, const ct__record *r, const ct_array *x, const double *known, ct_dist **out) {
    double *v, room[4] = {0};
    int64_t n;
    ct_status s = ct__array_check(j, x, "x", r->vector ? 2 : 1, r->vector ? 2 : 1);
    if (!s) s = ct__vector_load(j, x, "x", 1, &v, &n);
    if (s) return s;
    ct__fit f = {.j = j, .x = v, .n = x->dim[0], .k = r->vector ? x->dim[1] : 1, .known = known, .p = room};
    f.count = r->count;
    s = r->fit(&f);
    ct_err inner = {0};
    if (s) return s;
    s = make(j->allocator, r, f.p, f.count, out, &inner);
    if (!s) return CT_OK;
    if (s != CT_EUSAGE) return ct_fail(j->e, s, "%s", inner.text);
    /* "NAME: ..." of parameters that the caller never saw: it is the data that has no fit */
    const char *text = strstr(inner.text, ": ");
    return ct_fail(j->e, CT_EDATA, "%s%s", j->name, text ? text : "");
}

ct_status ct_dist_fit(const ct_maths *m, const char *name, const ct_array *x, const double *known,
                      ct_dist **out, ct_err *e) {
    ct__job j;
    const ct__record *r;
    ct_status s = find(name, &r, e);
    if (s) return s;
    s = ct__job_begin(&j, m, "dist_fit", e);
    if (!s) s = fit(&j, r, x, known, out);
    ct__job_end(&j);
    return s;
}

ct_status ct_dist_kl(const ct_dist *p, const ct_dist *q, double *out, ct_err *e) {
    if (p->record != q->record || p->k != q->k)
        return ct_fail(
            e, CT_EUSAGE,
            "dist_kl: %s and %s of %lld and %lld elements; wanted two of one kind; make them alike",
            p->record->name, q->record->name, (long long)p->k, (long long)q->k);
    if (!p->record->kl)
        return ct_fail(e, CT_EUSAGE,
                       "dist_kl: %s has no closed form; wanted another distribution, or a sample's mean; "
                       "average log p - log q over a sample",
                       p->record->name);
    double divergence = p->record->kl(p, q);
    if (isnan(divergence))
        return ct_fail(
            e, CT_EUSAGE,
            "dist_kl: %s of different n has no closed form; wanted equal ones; average log p - log q "
            "over a sample",
            p->record->name);
    *out = divergence;
    return CT_OK;
}
