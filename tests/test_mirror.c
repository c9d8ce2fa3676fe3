/* Flips of grey pictures are chosen where mirrored ones are told apart as well, and not where a mirror makes one class of
 * another: halves that are bright above or below, and on the left or on the right. */
#include "training.h"

static int write_halves(const char *folder, int sideways) {
    enum { COUNT = 200, SIDE = 16 };
    char path[600];
    mkdir(folder, 0777);
    snprintf(path, sizeof path, "%s/train-images-idx3-ubyte", folder);
    FILE *x = fopen(path, "wb");
    snprintf(path, sizeof path, "%s/train-labels-idx1-ubyte", folder);
    FILE *y = fopen(path, "wb");
    if (!x || !y) return 0;
    ct_random r = ct_random_stream(3, 0);
    pictures_u32(x, 0x803), pictures_u32(x, COUNT), pictures_u32(x, SIDE), pictures_u32(x, SIDE);
    pictures_u32(y, 0x801), pictures_u32(y, COUNT);
    for (int i = 0; i < COUNT; i++) {
        int label = (int)ct_random_below(&r, 2);
        for (int k = 0; k < SIDE * SIDE; k++) {
            int second = (sideways ? k % SIDE : k / SIDE) >= SIDE / 2;
            fputc((int)ct_random_below(&r, 100) + (second == label ? 120 : 0), x);
        }
        fputc(label, y);
    }
    return fclose(x) == 0 && fclose(y) == 0;
}

static void keep_transform(void *user, const ct_event *e) {
    if (e->kind == CT_EVENT_FACT && strcmp(e->key, "transform") == 0) snprintf(user, 1000, "%s", e->text);
}

static int is_flipped(const char *folder) {
    char transform[1000] = "";
    ct_err e;
    ct_image_train o = {.data = folder,
                        .output = at("halves.safetensors"),
                        .steps = 1,
                        .threads = 1,
                        .force = 1,
                        .tell = keep_transform,
                        .user = transform};
    ct_status s = train(&o, &e);
    if (s) fail_msg("%s", e.text);
    assert_non_null(strstr(transform, "random_crop"));
    return strstr(transform, "flip") != NULL;
}

static void above_and_below(void **state) {
    (void)state;
    assert_true(write_halves(at("above"), 0));
    assert_true(is_flipped(at("above")));
}

static void left_and_right(void **state) {
    (void)state;
    assert_true(write_halves(at("left"), 1));
    assert_false(is_flipped(at("left")));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(above_and_below), cmocka_unit_test(left_and_right)};
    return cmocka_run_group_tests(tests, training_prepare, training_clean);
}
