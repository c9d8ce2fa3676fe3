/* abi.c: the sizes that programs compiled earlier rely on. An option struct is 64 or 128 bytes, its tail reserved and
 * zero, so that a new option takes no byte that an old program did not clear; structs of options are whole multiples
 * of that. Those of ops are asserted where they are made, in src/op/table.c. */
#include "cotan/nn.h"

_Static_assert(sizeof(ct_options) == 128, "ct_options");
_Static_assert(sizeof(ct_compile) == 64, "ct_compile");
_Static_assert(sizeof(ct_loader_options) == 64, "ct_loader_options");
_Static_assert(sizeof(ct_schedule) == 64, "ct_schedule");
_Static_assert(sizeof(ct_train) == 128, "ct_train");
_Static_assert(sizeof(ct_check_options) == 64, "ct_check_options");
_Static_assert(sizeof(ct_fit_options) == 256, "ct_fit_options: a ct_train, a ct_schedule and 64 bytes");
