/* pca.c: one fit of principal components, timed, for pca.py.   usage: pca FILE.npy SOLVER COMPONENTS THREADS
 *
 *     cc -O2 -o pca pca.c $(pkg-config --cflags --libs cotan-data) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cotan/maths.h"

static double now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(int count, char **words) {
    static const char *const solvers[] = {"auto", "svd", "covariance", "randomised"};
    ct_array x;
    ct_pca p;
    ct_err e = {0};
    int solver = 0;
    if (count != 5) return 2;
    while (solver < 4 && strcmp(solvers[solver], words[2]) != 0) solver++;
    ct_pca_options o = {.components = atoll(words[3]), .solver = solver};
    ct_maths m = {.threads = atoi(words[4])};
    if (solver == 4 || ct_npy_load(NULL, NULL, words[1], &x, &e)) {
        fprintf(stderr, "%s\n", solver == 4 ? "no such solver" : e.text);
        return 1;
    }
    double begin = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    ct_status s = ct_pca_fit(&m, &x, o, &p, &e);
    double seconds = now(CLOCK_MONOTONIC) - begin;
    cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    if (s) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    printf("{\"seconds\": %.6f, \"cpu\": %.6f, \"variance\": [", seconds, cpu);
    for (int64_t i = 0; i < p.variance.dim[0]; i++)
        printf("%s%.17g", i ? ", " : "", ((double *)p.variance.data)[i]);
    printf("]}\n");
    ct_pca_free(&p);
    ct_array_free(&x);
    return 0;
}
