/* Every case of every op, as `cotan check` runs them; and that the runner can fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "cotan.h"

static void report(void *user, const ct_check_row *row) {
    if (row->failure) fprintf(stderr, "%s\n", row->failure);
    ++*(int *)user;
}

static void all_cases(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 2; seed++) {
        ct_err e = {0};
        ct_check_result r;
        int rows = 0;
        ct_check_options o = {.seed = seed, .report = report, .user = &rows};
        ct_status s = ct_check(&o, &r, &e);
        if (s) fprintf(stderr, "%s\n", e.text);
        assert_int_equal(s, CT_OK);
        assert_true(r.cases > 500);
        assert_int_equal(rows, r.cases);
        assert_int_equal(r.without, 0);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_cases), cmocka_unit_test(unknown_op)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
