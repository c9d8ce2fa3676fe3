/* lapack.c: finding the functions of LAPACKE and OpenBLAS. The system keeps the libraries loaded (RTLD_NODELETE) and
 * knows that it has them; nothing is kept here. */
#include "maths/lapack.h"

#include <dlfcn.h>
#include <string.h>

void (*ct__lapack(const char *name))(void) {
    const char *library = strncmp(name, "LAPACKE_", 8) == 0 ? "liblapacke.so.3" : "libopenblas.so.0";
    void *handle = dlopen(library, RTLD_LAZY | RTLD_NODELETE), *symbol;
    void (*function)(void) = NULL;
    if (!handle) return NULL;
    symbol = dlsym(handle, name);
    memcpy(&function, &symbol, sizeof function); /* POSIX: they are alike */
    dlclose(handle);
    return function;
}
