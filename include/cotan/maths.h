/* cotan/maths.h: linear algebra, principal components, minimisers, probability and statistics on host arrays.
 *
 * Arrays are ct_array of any strides. Results are f32 where all arrays given are f32 (computed in double and
 * rounded once, unless a line says otherwise), else f64; integers and bf16 count as f64. A result array is new
 * memory that the caller frees with ct_array_free; out-parameters are set on success only; those that may be
 * NULL say so. Every call is safe from any thread on different objects; the same input gives the same bits
 * whatever the number of threads. NaN or infinity in the input is CT_ENONFINITE, naming the first place, where
 * nothing else is said. BLAS and LAPACK (OpenBLAS) run on one thread; its pthread flavour, which cannot be held
 * to one thread for a single call, is refused while it has more than one (OPENBLAS_NUM_THREADS=1, or the Debian
 * package libopenblas0-openmp). */
#ifndef COTAN_MATHS_H
#define COTAN_MATHS_H

#include "cotan.h"
#include "cotan/statistics.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where a computation runs. NULL stands for a zeroed one everywhere. */
typedef struct ct_maths {
    const ct_allocator *allocator; /* NULL: the default */
    int32_t threads;               /* 0: the cores allowed; big work alone is shared out */
    int32_t reserved;
} ct_maths;

/* ---- matrices ----
 *
 * LAPACK counts its workspace in 32 bits: singular vectors of a matrix whose smaller extent is above 23,000, and
 * eigenvectors of a symmetric one above 32,000, are CT_ELIMIT. */

/* The same memory with its two axes exchanged; no copy. A vector stays as it is. */
CT_API ct_array ct_matrix_transpose(const ct_array *a);
/* a [M,K], b [K,P] -> [M,P]. A vector on the left is a row, on the right a column, and its axis vanishes from the
 * result (numpy.matmul): two vectors give a scalar of rank 0. NaN and infinity go through. f32 products are
 * computed in f32. */
CT_API ct_status ct_matrix_multiply(const ct_maths *m, const ct_array *a, const ct_array *b, ct_array *out,
                                    ct_err *e);

typedef enum ct_norm {
    CT_NORM_2 = 0,   /* vectors: Euclid's; matrices: the largest singular value */
    CT_NORM_1 = 1,   /* sum of absolute values; matrices: the largest of a column */
    CT_NORM_MAX = 2, /* vectors: the largest absolute value; matrices: the largest sum of a row */
    CT_NORM_FROBENIUS = 3,
    CT_NORM_NUCLEAR = 4 /* the sum of the singular values; matrices only */
} ct_norm;
/* Scaled, so that it neither overflows nor underflows before the result does. */
CT_API ct_status ct_matrix_norm(const ct_maths *m, const ct_array *a, ct_norm kind, double *out, ct_err *e);

/* a x = b: a [N,N], b [N] or [N,P] -> x of b's shape. LU with partial pivoting; a singular a is CT_EDATA. */
CT_API ct_status ct_matrix_solve(const ct_maths *m, const ct_array *a, const ct_array *b, ct_array *x,
                                 ct_err *e);
CT_API ct_status ct_matrix_inverse(const ct_maths *m, const ct_array *a, ct_array *out, ct_err *e);
CT_API ct_status ct_matrix_determinant(const ct_maths *m, const ct_array *a, double *out, ct_err *e);
/* det(a) = sign e^log; a singular a has sign 0 and log -infinity. */
CT_API ct_status ct_matrix_log_determinant(const ct_maths *m, const ct_array *a, double *sign, double *log,
                                           ct_err *e);
/* a = L L': a [N,N] symmetric positive definite -> L, lower triangular; else CT_EDATA. */
CT_API ct_status ct_matrix_cholesky(const ct_maths *m, const ct_array *a, ct_array *l, ct_err *e);
/* a = Q R, K = min(M,N): a [M,N] -> q [M,K] with orthonormal columns, r [K,N] upper triangular (Householder;
 * LAPACK's signs). q may be NULL. */
CT_API ct_status ct_matrix_qr(const ct_maths *m, const ct_array *a, ct_array *q, ct_array *r, ct_err *e);
/* a = U diag(s) V', K = min(M,N): a [M,N] -> u [M,K], s [K] descending, vt [K,N]. u and vt may be NULL. */
CT_API ct_status ct_matrix_svd(const ct_maths *m, const ct_array *a, ct_array *u, ct_array *s, ct_array *vt,
                               ct_err *e);
/* Singular values above `tolerance` times the largest; 0: max(M,N) times the precision of a's type. */
CT_API ct_status ct_matrix_rank(const ct_maths *m, const ct_array *a, double tolerance, int64_t *out,
                                ct_err *e);
/* The largest singular value over the smallest; infinity for a singular matrix. */
CT_API ct_status ct_matrix_condition(const ct_maths *m, const ct_array *a, double *out, ct_err *e);
/* Moore and Penrose's inverse [N,M] of a [M,N]; singular values up to `tolerance` times the largest count as 0
 * (0: 1e-15, as numpy.linalg.pinv). */
CT_API ct_status ct_matrix_pseudo_inverse(const ct_maths *m, const ct_array *a, double tolerance,
                                          ct_array *out, ct_err *e);

/* min |a x - b|: a [M,N], b [M] or [M,P] -> x [N] or [N,P], the shortest where there are several. */
typedef struct ct_least_squares {
    ct_array x;
    ct_array residual; /* [P]: sum of squares that remains of each column of b; P = 1 for a vector */
    ct_array singular; /* [min(M,N)]: of a, descending */
    int64_t rank;
} ct_least_squares;
/* `tolerance` as for the rank. */
CT_API ct_status ct_matrix_least_squares(const ct_maths *m, const ct_array *a, const ct_array *b,
                                         double tolerance, ct_least_squares *out, ct_err *e);
CT_API void ct_least_squares_free(ct_least_squares *l);

/* a v = w v: a [N,N] symmetric (to 1e-8 of its largest element, f32 1e-4; else CT_EDATA) -> values [N] ascending,
 * vectors [N,N] orthonormal in columns. vectors may be NULL. */
CT_API ct_status ct_matrix_eigen_symmetric(const ct_maths *m, const ct_array *a, ct_array *values,
                                           ct_array *vectors, ct_err *e);
/* Of any square matrix: eigenvalue k is values[k] + i values_im[k], its vector column k, of length 1. Conjugate
 * pairs stand together, the positive imaginary part first. LAPACK's order and signs, as numpy.linalg.eig. */
typedef struct ct_eigen {
    ct_array values, values_im;   /* [N] */
    ct_array vectors, vectors_im; /* [N,N] */
    int64_t complex_count;        /* eigenvalues whose imaginary part is not 0 */
} ct_eigen;
CT_API ct_status ct_matrix_eigen(const ct_maths *m, const ct_array *a, ct_eigen *out, ct_err *e);
CT_API void ct_eigen_free(ct_eigen *v);

/* ---- principal components ----
 *
 * Records are rows: x [N,D] of any type, N >= 2. Everything fitted is f64. Definitions, and the sign of a component
 * (its largest element by absolute value is positive), are scikit-learn's PCA. */
typedef enum ct_pca_solver {
    CT_PCA_AUTO = 0, /* covariance where N >= 10 D and D <= 1000, else svd */
    CT_PCA_SVD = 1,  /* singular values of the centred data; small components keep their digits */
    /* Eigenvalues of the covariance matrix: faster for many records of few features; values below about 1e-16 of the
     * largest are lost. f32 data: products in f32, sums in f64. */
    CT_PCA_COVARIANCE = 2,
    /* A random start and a few passes (docs/maths.md): approximate, for few components. */
    CT_PCA_RANDOMISED = 3
} ct_pca_solver;
typedef struct ct_pca_options {
    int64_t components; /* 0: all, min(N,D) */
    double variance;    /* > 0, below 1: as few components as explain more than this share; not randomised */
    uint64_t seed;      /* randomised */
    int32_t solver;     /* a ct_pca_solver */
    int32_t whiten;     /* 1: scores are divided by their standard deviation (0 where that is 0) */
    int32_t scale;      /* 1: features are divided by their standard deviation first (by 1 where that is 0) */
    int32_t oversample; /* randomised: columns beyond `components`; 0: 6 */
    int32_t passes;     /* randomised: over the data; 0: 2 */
    int32_t reserved[3];
    int64_t reserved_56;
} ct_pca_options;
typedef struct ct_pca {
    ct_array mean;       /* [D] */
    ct_array scale;      /* [D], what features are divided by; no data without scaling */
    ct_array components; /* [K,D]: orthonormal rows, by variance */
    ct_array variance;   /* [K] of the scores, divided by N - 1 */
    ct_array ratio;      /* [K]: share of the total variance; 0 where that is 0 */
    ct_array singular;   /* [K]: singular values of the centred data */
    double total;        /* variance of all features together */
    double noise;        /* mean variance of the directions left out; 0 when there are none */
    int64_t samples;     /* N */
    int32_t whiten, reserved;
} ct_pca;
CT_API ct_status ct_pca_fit(const ct_maths *m, const ct_array *x, ct_pca_options o, ct_pca *out, ct_err *e);
CT_API void ct_pca_free(ct_pca *p);
/* x [N,D] -> scores [N,K], f64. */
CT_API ct_status ct_pca_transform(const ct_maths *m, const ct_pca *p, const ct_array *x, ct_array *scores,
                                  ct_err *e);
/* scores [N,K] -> x [N,D], f64: what the components can say about the records. */
CT_API ct_status ct_pca_inverse(const ct_maths *m, const ct_pca *p, const ct_array *scores, ct_array *x,
                                ct_err *e);
/* The mean over all elements of (x - inverse(transform(x)))^2. */
CT_API ct_status ct_pca_error(const ct_maths *m, const ct_pca *p, const ct_array *x, double *out, ct_err *e);

/* Data larger than memory, a batch at a time (Ross et al. 2008; scikit-learn's IncrementalPCA, equal to it for equal
 * batches): keeps `components` directions, so it is approximate where fewer than all are kept. Options: components
 * (0: min of the first batch's extents), whiten; others must be 0. The allocator of `m` must outlive it. */
typedef struct ct_pca_incremental ct_pca_incremental;
CT_API ct_status ct_pca_begin(const ct_maths *m, ct_pca_options o, ct_pca_incremental **out, ct_err *e);
/* batch [n,D]; the first has at least `components` records. */
CT_API ct_status ct_pca_add(ct_pca_incremental *p, const ct_array *batch, ct_err *e);
/* May be called at any time. */
CT_API ct_status ct_pca_end(const ct_pca_incremental *p, ct_pca *out, ct_err *e);
CT_API void ct_pca_incremental_free(ct_pca_incremental *p);

/* ---- minimisers ---- */

/* The article's gradient_descent, to the letter: up to n_iter times diff = -learn_rate * gradient(vector); when all
 * |diff| <= tolerance it ends without that last diff, else vector += diff. `vector` [n] is the start and is changed in
 * place. NaN is never <= tolerance: it goes on, as the original does. *steps (may be NULL): diffs added. */
typedef struct ct_descent {
    double learn_rate;
    double tolerance; /* 0: 1e-6; 1e-300: 0, meant; negative: never ends early */
    int64_t n_iter;
} ct_descent;
CT_API ct_status ct_gradient_descent(const ct_maths *m,
                                     void (*gradient)(void *user, const double *vector, double *out),
                                     void *user, double *vector, int64_t n, ct_descent o, int64_t *steps,
                                     ct_err *e);

/* What is minimised over x [n]: f(x), or f(x) + l1 sum |x_i|, in a box or another convex set. */
typedef struct ct_problem {
    void *user;
    int64_t n;
    /* The value of f; the gradient too where it is not NULL. NaN or infinity: x is outside of f's domain. */
    double (*f)(void *user, const double *x, double *gradient);
    void (*hessian)(void *user, const double *x,
                    double *h); /* [n,n]; Newton; NULL: differences of gradients */
    const double *low, *high;   /* [n] box, NULL: none; CT_PROJECTED and CT_PROXIMAL alone */
    void (*project)(void *user,
                    double *x); /* the nearest point of a convex set; CT_PROJECTED alone, in place of the
                                               box */
    double l1;                  /* CT_PROXIMAL alone */
    int32_t differences;        /* 1: f gives no gradient (it is called with NULL); central differences */
    int32_t reserved;
} ct_problem;

typedef enum ct_method {
    CT_LBFGS = 0, /* limited-memory BFGS (Nocedal 1980; Liu, Nocedal 1989) */
    CT_BFGS = 1,
    CT_NEWTON = 2,             /* Cholesky of the Hessian, shifted until positive definite */
    CT_CONJUGATE_GRADIENT = 3, /* Hager, Zhang 2005 */
    CT_STEEPEST = 4,           /* the gradient with a line search */
    CT_PROJECTED = 5,          /* spectral projected gradient (Birgin, Martinez, Raydan 2000) */
    CT_PROXIMAL = 6,           /* accelerated proximal gradient with restart (Beck, Teboulle 2009) */
    CT_FIXED = 7,              /* the gradient times `rate`; this and the following: PyTorch's formulas */
    CT_MOMENTUM = 8,
    CT_NESTEROV = 9,
    CT_ADAGRAD_STEPS = 10,
    CT_RMSPROP_STEPS = 11,
    CT_ADAM_STEPS = 12
} ct_method;
typedef enum ct_line_search { CT_WOLFE = 0, CT_BACKTRACKING = 1 } ct_line_search;

/* Why it ended. */
typedef enum ct_stop {
    CT_STOP_GRADIENT = 1, /* the gradient is small: found */
    CT_STOP_VALUE = 2,    /* value_tolerance */
    /* No step lowers f any more: as near as rounding allows, or f and gradient disagree. */
    CT_STOP_PRECISION = 3,
    CT_STOP_ITERATIONS = 4, /* a limit */
    CT_STOP_EVALUATIONS = 5,
    CT_STOP_REQUEST = 6 /* the callback said so */
} ct_stop;
CT_API const char *ct_stop_name(int32_t stop); /* "gradient", ...; static */

typedef struct ct_minimise_result {
    double value; /* with the l1 term */
    /* The largest |component| of the gradient; of a constrained problem, of the step that a unit step of the
     * gradient, projected or proximal, makes. */
    double gradient;
    int64_t iterations, evaluations; /* of f, those of differences included */
    int64_t hessians;
    int32_t stop, reserved; /* a ct_stop */
} ct_minimise_result;

typedef struct ct_minimise_options {
    int32_t method;      /* a ct_method */
    int32_t line_search; /* a ct_line_search; of quasi-Newton methods always Wolfe's */
    int32_t memory;      /* CT_LBFGS: pairs kept; 0: 10 */
    int32_t reserved_12;
    int64_t max_iterations;    /* 0: 10,000 */
    int64_t max_evaluations;   /* 0: no limit */
    double gradient_tolerance; /* ends when `gradient` <= this; 0: 1e-8; negative: never */
    double value_tolerance;    /* > 0: ends when an iteration lowers f by less than this times max(|f|, 1) */
    double rate;               /* of fixed steps; 0: 1e-3 */
    double momentum;           /* 0: 0.9 */
    double beta1, beta2;       /* Adam, and RMSprop's smoothing (beta2); 0: 0.9, 0.999 (RMSprop 0.99) */
    /* After each iteration; non-zero stops. May be NULL. */
    int (*each)(void *user, const double *x, const ct_minimise_result *now);
    void *user;
    int64_t reserved[4];
} ct_minimise_options;
/* From `x` [n], where the result is left, success or not. Ending at a limit is CT_OK: see `stop`. CT_ENONFINITE when f
 * is not finite at the start, or a fixed step leads there. */
CT_API ct_status ct_minimise(const ct_maths *m, const ct_problem *p, double *x, const ct_minimise_options *o,
                             ct_minimise_result *out, ct_err *e);

/* f's gradient beside differences of four points (error about 1e-11 of f's scale): *worst is the largest
 * |difference| / max(1, |g_i|), at index *at (may be NULL). */
CT_API ct_status ct_gradient_check(const ct_maths *m, const ct_problem *p, const double *x, double *worst,
                                   int64_t *at, ct_err *e);

#ifdef __cplusplus
}
#endif
#endif
