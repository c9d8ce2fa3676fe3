/* test_ops.c: every case of every op, as `cotan check` runs them, at twenty shapes and more an op (M1, M3); and that
 * the runner can fail. With COTAN_TEST_FULL set, sixty thousand shapes at random. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/check.h"

typedef struct count {
    const char *op;
    int32_t rows, shapes; /* of the op at hand */
    int32_t wanted, all, poor;
} count;

static void close_op(count *c) {
    if (c->op && c->shapes < c->wanted) {
        fprintf(stderr, "%s: %d shapes\n", c->op, c->shapes);
        c->poor++;
    }
    c->shapes = 0;
}

static int must_fail(const char *op, const char *text) {
    const ct__op *o = ct__op_find(op);
    for (const ct__case *c = o ? o->cases : NULL; c && c->text; c++)
        if (strcmp(c->text, text) == 0) return c->error != NULL;
    return 0;
}

static void report(void *user, const ct_check_row *row) {
    count *c = user;
    if (row->failure) fprintf(stderr, "%s\n", row->failure);
    if (row->internal) return;
    if (c->op && strcmp(c->op, row->op) != 0) close_op(c);
    c->op = row->op;
    c->shapes += !must_fail(row->op, row->text);
    c->all++;
}

static void M1_all_ops_at_twenty_shapes(void **state) {
    (void)state;
    ct_err e = {0};
    ct_check_result r;
    count c = {.wanted = 20};
    ct_check_options o = {.report = report, .user = &c};
    ct_status s = ct_check(&o, &r, &e);
    if (s) fprintf(stderr, "%s\n", e.text);
    assert_int_equal(s, CT_OK);
    assert_int_equal(c.all, r.cases);
    assert_int_equal(r.without, 0);
    close_op(&c);
    assert_int_equal(c.poor, 0);
}

static void M1_other_numbers(void **state) {
    (void)state;
    ct_err e = {0};
    ct_check_result r;
    count c = {0};
    int64_t draws = getenv("COTAN_TEST_FULL") ? 60000 : 0;
    ct_check_options o = {.seed = 1, .written_only = 1, .draws = draws, .report = report, .user = &c};
    ct_status s = ct_check(&o, &r, &e);
    if (s) fprintf(stderr, "%s\n", e.text);
    assert_int_equal(s, CT_OK);
}

/* Second derivatives: an op with a gradient has a case for them, or its result says why not. */
static void M3_second_derivatives(void **state) {
    (void)state;
    for (int32_t i = 0; ct__ops[i]; i++) {
        const ct__op *op = ct__ops[i];
        int differentiable = 0, second = 0;
        for (const ct__case *c = op->cases; c && c->text && !op->nondiff; c++) {
            differentiable |= !c->error && !(c->flags & CT__CASE_NO_GRAD) && strstr(c->text, "f32") != NULL;
            second |= (c->flags & CT__CASE_SECOND) != 0;
        }
        if (differentiable && !second) fail_msg("%s: no case of a second derivative", op->name);
    }
}

/* What must not pass: wrong values, a wrong gradient, errors that do not come or are others. */
static void the_runner_fails(void **state) {
    (void)state;
    static const struct {
        const char *op;
        ct__case c;
        const char *says;
    } rows[] = {
        {"exp", {.text = "x=f32[N,5]; exp(x)", .tolerance = 1e-12}, "wanted"},
        {"detach", {.text = "x=f32[N,5]; detach(x)"}, "differences say"},
        {"relu", {.text = "x=f32[N,5]; relu(x)", .error = "never"}, "wanted \"never\""},
        {"relu", {.text = "x=f32[N,5]; relu(x, 1)"}, "one argument too many"},
        {"relu", {.text = "x=f32[N,5]; relu(x, 1)", .error = "another"}, "found error"},
        {"relu", {.text = "x=f32[N,5]; mul(relu(x), y)"}, "y"},
        {"sgd_update", {.text = "[3] lr"}, "wrong setting"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ct__case cases[2] = {rows[i].c, {0}};
        ct__op broken = *ct__op_find(rows[i].op);
        ct_err e = {0};
        ct_check_result r = {0};
        ct_check_options o = {.written_only = 1};
        broken.cases = cases;
        if (!ct__check_record(&broken, &o, &r, &e)) fail_msg("%s passes", rows[i].c.text);
        if (!strstr(e.text, rows[i].says)) fail_msg("%s: wanted \"%s\"", e.text, rows[i].says);
    }
}

static void unknown_op(void **state) {
    (void)state;
    ct_err e = {0};
    ct_check_result r;
    ct_check_options o = {.op = "no_such_op"};
    assert_int_equal(ct_check(&o, &r, &e), CT_EUSAGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(M1_all_ops_at_twenty_shapes),
                                       cmocka_unit_test(M1_other_numbers),
                                       cmocka_unit_test(M3_second_derivatives),
                                       cmocka_unit_test(the_runner_fails), cmocka_unit_test(unknown_op)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
