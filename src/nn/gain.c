/* gain.c: initial weights by the activation that follows them, so that the variance of a signal stays what it is from
 * layer to layer: a ReLU takes away half of it (He et al. 2015), tanh and sigmoid are nearly linear around 0 (Glorot
 * and Bengio 2010). The numbers are those of torch.nn.init.calculate_gain. */
#include <math.h>
#include <string.h>

#include "cotan/nn.h"

double ct_gain(const char *activation, double slope) {
    if (strcmp(activation, "tanh") == 0) return 5.0 / 3;
    if (strcmp(activation, "relu") == 0) return sqrt(2);
    if (strcmp(activation, "leaky_relu") == 0) return sqrt(2 / (1 + (slope != 0 ? slope * slope : 1e-4)));
    if (strcmp(activation, "selu") == 0) return 0.75;
    return 1;
}

ct_init ct_init_for(const char *activation, double slope) {
    static const char *const rectifiers[] = {"relu", "leaky_relu", "elu",       "gelu",
                                             "silu", "softplus",   "gelu_tanh", "hardswish"};
    double gain = ct_gain(activation, slope);
    for (size_t i = 0; i < sizeof rectifiers / sizeof *rectifiers; i++)
        if (strcmp(activation, rectifiers[i]) == 0)
            return (ct_init){.kind = CT_INIT_KAIMING_NORMAL, .a = gain == 1 ? sqrt(2) : gain};
    if (strcmp(activation, "selu") == 0) return (ct_init){.kind = CT_INIT_KAIMING_NORMAL, .a = 1};
    return (ct_init){.kind = CT_INIT_XAVIER_UNIFORM, .a = gain};
}
