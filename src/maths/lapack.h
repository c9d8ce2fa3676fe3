/* lapack.h: LAPACK and BLAS, loaded when a computation first asks for one of their functions: a program that only
 * predicts, or prints its version, does not pay for starting them (tens of milliseconds). */
#ifndef CT_MATHS_LAPACK_H
#define CT_MATHS_LAPACK_H

#include <cblas.h>
#include <lapacke.h>

/* The function of that name, or NULL where its library is not installed; ct__job_begin has looked. Any thread. */
void (*ct__lapack(const char *name))(void);
#define LAPACK(function) ((__typeof__(&function))ct__lapack(#function))

#endif
