/* The article's eighth block, RNN(4, 3, 2): combined = cat(input, hidden), hidden = i2h(combined), output = i2o(combined),
 * from initHidden() over three inputs; weights of weights.h, i2h.weight [3,7], i2o.weight [2,7]. As written the cell has
 * no activation: hidden is a linear function of all inputs so far. */
#include "weights.h"

int main(void) {
    float hidden[3] = {0}, next[3], output[2];
    ct_ctx *c = ct_open(NULL);
    ct_t in = ct_input(c, "input", CT_F32, CT_SHAPE(CT_N, 4)),
         h = ct_input(c, "hidden", CT_F32, CT_SHAPE(CT_N, 3));
    ct_t combined = ct_concat((const ct_t[]){in, h}, 2, 1);
    ct_t out[] = {ct_linear(combined, "i2o", 2, (ct_lin){0}), ct_linear(combined, "i2h", 3, (ct_lin){0})};
    if (set_weights(c, "i2h.weight", 0.5) || set_weights(c, "i2h.bias", 0.1) ||
        set_weights(c, "i2o.weight", 0.3) || set_weights(c, "i2o.bias", 0.1))
        return 1;
    ct_plan *cell;
    ct_session *s = ct_default_session(c);
    ct_err e = {0};
    if (ct_plan_new(out, 2, NULL, 0, (ct_compile){0}, &cell, &e)) return puts(e.text), 1;
    for (int t = 0; t < 3; t++) {
        float x[4];
        for (int k = 0; k < 4; k++) x[k] = pattern(4 * t + k, 1);
        if (ct_run(s, cell, (const void *[]){x, hidden}, 1, (void *[]){output, next}))
            return puts(ct_session_error(s)), 1;
        for (int k = 0; k < 3; k++) hidden[k] = next[k];
        print_row("output", output, 2);
        print_row("hidden", hidden, 3);
    }
    ct_plan_free(cell);
    ct_close(c);
    return 0;
}
