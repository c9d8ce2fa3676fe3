/* dist_table.c: all distributions. */
#include "maths/dist.h"

const ct__record *const ct__dist_records[] = {&ct__dist_normal,
                                              &ct__dist_lognormal,
                                              &ct__dist_uniform,
                                              &ct__dist_exponential,
                                              &ct__dist_gamma,
                                              &ct__dist_beta,
                                              &ct__dist_student_t,
                                              &ct__dist_chi_squared,
                                              &ct__dist_f,
                                              &ct__dist_laplace,
                                              &ct__dist_cauchy,
                                              &ct__dist_bernoulli,
                                              &ct__dist_binomial,
                                              &ct__dist_geometric,
                                              &ct__dist_poisson,
                                              &ct__dist_categorical,
                                              &ct__dist_multivariate_normal,
                                              &ct__dist_dirichlet,
                                              &ct__dist_multinomial,
                                              NULL};
