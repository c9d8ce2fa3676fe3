/* test_adam.c: M12, where Adam and its kin go wrong elsewhere: no gradient at all, the first step, the ten millionth,
 * the place of epsilon, decay inside and outside of the gradient. */
#include "evaluate.h"

typedef struct stepper { /* one parameter w [2] under an optimiser, gradients given */
    ct_ctx *c;
    ct_plan *p;
    ct_session *s;
} stepper;

static stepper open_stepper(ct_train t, float w) {
    stepper r = {.c = ct_open(NULL)};
    ct_graph *g = ct_default_graph(r.c);
    ct_t p = ct_var_new(g, CT_PARAM, "w", CT_F32, CT_SHAPE(2),
                        (ct_init){.kind = CT_INIT_CONSTANT, .a = (double)w});
    ct_t in = ct_graph_input(g, "g", CT_F32, CT_SHAPE(2));
    ct_t loss = ct_sum(ct_mul(p, in), ct_shape_make(0, NULL), (ct_reduce){0});
    ct_err e = {0};
    if (ct_compile_train(loss, NULL, 0, &t, &r.p, &e) || ct_session_new(r.c, &r.s, &e))
        fail_msg("%s", e.text);
    return r;
}
static void step(stepper *r, const float g[2], float w[2]) {
    ct_array a = ct_array_view(w, CT_F32, CT_SHAPE(2));
    ct_err e = {0};
    if (ct_run(r->s, r->p, (const void *[1]){g}, 1, (void *[2]){NULL, NULL}))
        fail_msg("%s", ct_session_error(r->s));
    if (ct_var_get(r->c, "w", &a, &e)) fail_msg("%s", e.text);
}
static void set_moment(stepper *r, const char *name, float value) {
    float v[2] = {value, value};
    ct_array a = ct_array_view(v, CT_F32, CT_SHAPE(2));
    ct_err e = {0};
    if (ct_var_set(r->c, name, &a, &e)) fail_msg("%s", e.text);
}
static void close_stepper(stepper *r) {
    ct_session_free(r->s);
    ct_plan_free(r->p);
    ct_close(r->c);
}

static void within(const char *what, double found, double wanted, double error) {
    if (!(fabs(found - wanted) <= error)) fail_msg("%s: found %.9g, wanted %.9g", what, found, wanted);
}

static const int32_t kin[] = {CT_ADAM,    CT_ADAMW,    CT_NADAM, CT_RMSPROP,
                              CT_ADAGRAD, CT_ADADELTA, CT_LION,  CT_SGD};
#define KIN (sizeof kin / sizeof *kin)

/* Without a gradient nothing moves, even where epsilon is 0 and the step 0/0. */
static void M12_no_gradient(void **state) {
    static const float zero[2];
    (void)state;
    for (size_t k = 0; k < KIN; k++)
        for (int no_eps = 0; no_eps < 2; no_eps++) {
            float w[2];
            ct_train t = {.optimiser = kin[k], .weight_decay = CT_ZERO, .eps = no_eps ? CT_ZERO : 0};
            stepper r = open_stepper(t, 1.5f);
            for (int i = 0; i < 5; i++) {
                step(&r, zero, w);
                assert_true(w[0] == 1.5f && w[1] == 1.5f);
            }
            close_stepper(&r);
        }
}

/* Bias correction: the first step is lr g / (|g| + eps), whatever the betas are. */
static void M12_first_step(void **state) {
    static const float g[2] = {1e-3f, -20};
    static const double betas[][2] = {{0.9, 0.999}, {0.5, 0.5}, {0.99, 0.9999}};
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        float w[2];
        stepper r = open_stepper(
            (ct_train){.optimiser = CT_ADAM, .lr = 0.1, .beta1 = betas[k][0], .beta2 = betas[k][1]}, 1);
        step(&r, g, w);
        within("w", (double)w[0], 1 - 0.1 * 1e-3 / (1e-3 + 1e-8), 3e-7);
        within("w", (double)w[1], 1 + 0.1, 3e-7);
        close_stepper(&r);
    }
}

/* At step 10^7 beta^t is 0: the correction is 1, nothing divides by 0. */
static void M12_ten_millionth_step(void **state) {
    static const float g[2] = {0.5f, 0.5f};
    (void)state;
    for (size_t k = 0; k < KIN; k++) {
        float w[2];
        stepper r = open_stepper((ct_train){.optimiser = kin[k], .lr = 0.01, .weight_decay = CT_ZERO}, 1);
        int adam = kin[k] == CT_ADAM || kin[k] == CT_ADAMW;
        if (adam) set_moment(&r, "w.exp_avg", 0.5f), set_moment(&r, "w.exp_avg_sq", 0.25f);
        ct_session_step(r.s, 10000000);
        step(&r, g, w);
        assert_true(isfinite(w[0]) && w[0] < 1);
        if (adam) within("w", (double)w[0], 1 - 0.01, 1e-6);
        close_stepper(&r);
    }
}

/* Epsilon is added to the root, not below it: with g = eps the step is half of lr; and RMSprop's and Adagrad's too,
 * while Adadelta's stands below the roots, all as in PyTorch. */
static void M12_place_of_epsilon(void **state) {
    static const float g[2] = {1e-4f, 1e-4f};
    float w[2];
    (void)state;
    stepper r = open_stepper((ct_train){.optimiser = CT_ADAM, .lr = 0.1, .eps = 1e-4}, 1);
    step(&r, g, w);
    within("adam", (double)w[0], 1 - 0.05, 3e-7);
    close_stepper(&r);
    r = open_stepper((ct_train){.optimiser = CT_ADAGRAD, .lr = 0.1, .eps = 1e-4}, 1);
    step(&r, g, w);
    within("adagrad", (double)w[0], 1 - 0.05, 3e-7);
    close_stepper(&r);
    r = open_stepper((ct_train){.optimiser = CT_RMSPROP, .lr = 0.1, .eps = 1e-4, .alpha = 0.75}, 1);
    step(&r, g, w); /* root of the mean square: half of g */
    within("rmsprop", (double)w[0], 1 - 0.1 * 1e-4 / (0.5e-4 + 1e-4), 3e-7);
    close_stepper(&r);
    r = open_stepper((ct_train){.optimiser = CT_ADADELTA, .lr = 1, .eps = 1e-8, .alpha = 0.5}, 1);
    step(&r, g, w); /* sqrt(eps) / sqrt(g^2 / 2 + eps) g */
    within("adadelta", (double)w[0], 1 - 1e-4 / sqrt(1.5), 1e-7);
    close_stepper(&r);
}

/* Decay in the gradient goes through the moments, and its size is lost in Adam; decay apart is lr * decay * w. */
static void M12_decay(void **state) {
    static const float zero[2];
    float w[2];
    (void)state;
    stepper r = open_stepper((ct_train){.optimiser = CT_ADAM, .lr = 0.1, .weight_decay = 0.3}, 2);
    step(&r, zero, w);
    within("adam, decay in the gradient", (double)w[0], 2 - 0.1, 1e-6);
    close_stepper(&r);
    r = open_stepper((ct_train){.optimiser = CT_ADAMW, .lr = 0.1, .weight_decay = 0.3}, 2);
    step(&r, zero, w);
    within("adamw", (double)w[0], 2 * (1 - 0.1 * 0.3), 1e-6);
    close_stepper(&r);
    for (size_t k = 0; k < KIN; k++) { /* apart from any rule */
        r = open_stepper((ct_train){.optimiser = kin[k] | CT_DECOUPLED, .lr = 0.1, .weight_decay = 0.3}, 2);
        step(&r, zero, w);
        within(ct_optimiser_name(kin[k]), (double)w[0], 2 * (1 - 0.1 * 0.3), 1e-6);
        close_stepper(&r);
    }
    r = open_stepper((ct_train){.optimiser = CT_SGD, .lr = 0.1, .weight_decay = 0.3}, 2);
    step(&r, zero, w);
    within("sgd", (double)w[0], 2 * (1 - 0.1 * 0.3), 1e-6); /* the same, where nothing divides */
    close_stepper(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(M12_no_gradient), cmocka_unit_test(M12_first_step),
                                       cmocka_unit_test(M12_ten_millionth_step),
                                       cmocka_unit_test(M12_place_of_epsilon), cmocka_unit_test(M12_decay)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
