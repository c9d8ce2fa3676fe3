/* test_locale.c: a program whose language writes 3,14 gets the same bytes (K13): numbers in models, checkpoints, nets,
 * transforms and logs do not follow the locale. (The command never sets one; a host program may.) */
#include "training.h"

#include <locale.h>

static const char *const names[] = {"de_DE.UTF-8", "tr_TR.UTF-8"};

/* The locale, compiled into the test's folder where the machine can; 1: it is set. */
static int begin(const char *name) {
    char command[400];
    snprintf(command, sizeof command, "localedef -i %.5s -f UTF-8 %s/%s >/dev/null 2>&1", name,
             training_folder, name);
    if (system(command) != 0 && access(at(name), F_OK) != 0) return 0;
    setenv("LOCPATH", training_folder, 1);
    return setlocale(LC_ALL, name) != NULL;
}

static void same_bytes(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[40];
        if (!begin(names[i])) {
            print_message("skipped: no locale %s (apt-get install locales)\n", names[i]);
            continue;
        }
        snprintf(text, sizeof text, "%.1f", 0.5);
        assert_string_equal(text, "0,5"); /* it is at work */
        ct_image_train o = training(at("k13.safetensors"));
        ct_err e;
        volatile int32_t stop = 1; /* saved after the first step, */
        o.force = 1;
        o.stop = &stop;
        assert_int_equal(train(&o, &e), CT_ECANCEL);
        o.force = 0, o.resume = 1, stop = 0;
        o.transform = "normalize mean=0.3 std=0.3, random_crop 8 pad=1, flip 0.5";
        if (train(&o, &e)) fail_msg("%s: %s", names[i], e.text); /* read again */
        setlocale(LC_ALL, "C");
        assert_same_run("k13");
    }
}

/* Stopped in one language, gone on with in another. */
static void mixed(void **state) {
    (void)state;
    if (!begin(names[0])) {
        print_message("skipped: no locale %s (apt-get install locales)\n", names[0]);
        return;
    }
    ct_image_train o = training(at("mixed.safetensors"));
    ct_err e;
    volatile int32_t stop = 1;
    o.stop = &stop;
    assert_int_equal(train(&o, &e), CT_ECANCEL);
    setlocale(LC_ALL, "C");
    o.resume = 1, stop = 0;
    if (train(&o, &e)) fail_msg("%s", e.text);
    assert_same_run("mixed");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_bytes), cmocka_unit_test(mixed)};
    return cmocka_run_group_tests(tests, training_prepare, training_clean);
}
