/* abi.c: the sizes of option structs that programs compiled earlier rely on; the idea is in src/nn/abi.c. */
#include "cotan/maths.h"
#include "cotan/statistics.h"

_Static_assert(sizeof(ct_pca_options) == 64, "ct_pca_options");
_Static_assert(sizeof(ct_minimise_options) == 128, "ct_minimise_options");
_Static_assert(sizeof(ct_bootstrap_options) == 64, "ct_bootstrap_options");
