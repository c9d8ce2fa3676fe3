/* The article's second block: mse = mean((y_true - y_pred)^2), cross_entropy = -sum(y_true log(y_pred)).
 *     mse(np.array([1, 2, 3]), np.array([1.5, 2, 1]));  cross_entropy(np.array([0, 1, 0]), np.array([0.1, 0.7, 0.2]))
 * Where y_true and y_pred are both 0 the original says nan, as 0 log 0 is; here 0, its limit. */
#include "weights.h"

static int print_loss(ct_ctx *c, const char *name, ct_t loss, const float *in_true, const float *in_pred) {
    ct_plan *p;
    ct_session *s = ct_default_session(c);
    ct_err e = {0};
    float value;
    if (ct_plan_new(&loss, 1, NULL, 0, (ct_compile){0}, &p, &e)) return puts(e.text), 1;
    int failed = ct_run(s, p, (const void *[]){in_true, in_pred}, 1, (void *[]){&value}) != CT_OK;
    if (failed)
        puts(ct_session_error(s));
    else
        print_row(name, &value, 1);
    ct_plan_free(p);
    return failed;
}

int main(void) {
    ct_ctx *c = ct_open(NULL);
    ct_t y_true = ct_input(c, "y_true", CT_F32, CT_SHAPE(3)),
         y_pred = ct_input(c, "y_pred", CT_F32, CT_SHAPE(3));
    ct_t mse = ct_mse(y_pred, y_true, (ct_loss){0});
    ct_t cross_entropy = ct_cross_entropy_of(y_pred, y_true, (ct_loss){.reduction = 1}); /* the sum */
    int failed = print_loss(c, "mse", mse, (const float[]){1, 2, 3}, (const float[]){1.5f, 2, 1});
    failed |= print_loss(c, "cross_entropy", cross_entropy, (const float[]){0, 1, 0},
                         (const float[]){0.1f, 0.7f, 0.2f});
    ct_close(c);
    return failed;
}
