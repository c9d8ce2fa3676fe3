/* test_arrays.c: sets of pictures that lie in arrays: CIFAR's binary files and .npy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "images/set.h"

static void check_cifar(const char *name, int n, int class_of_12) {
    ct_images *s = scanned(name, (ct_images_options){.threads = 2}, NULL);
    assert_int_equal(ct_images_count(s), n);
    for (int64_t i = 0; i < n; i += 7) {
        ct_array a;
        ct_err e = {0};
        ct_image r;
        uint8_t *want = test_picture((uint64_t)i, 3, 32, 32);
        assert_int_equal(ct_images_read(s, i, NULL, &a, &e), CT_OK);
        assert_memory_equal(a.data, want, 3072);
        ct_images_at(s, i, &r);
        assert_true(r.path == NULL && r.width == 32 && r.channels == 3);
        if (i == 12) assert_int_equal(r.label, class_of_12);
        ct_array_free(&a);
        free(want);
    }
    assert_true(ct_images_has(s, CT_PART_TRAIN) && ct_images_has(s, CT_PART_TEST));
    ct_images_close(s);
}

static void cifar(void **state) {
    (void)state;
    cifar_file("c10/data_batch_1.bin", 10, 20, 0);
    cifar_file("c10/data_batch_2.bin", 10, 20, 20);
    cifar_file("c10/test_batch.bin", 10, 9, 40);
    check_cifar("c10", 49, 2);
    cifar_file("c100/train.bin", 100, 30, 0);
    cifar_file("c100/test.bin", 100, 5, 30);
    check_cifar("c100", 35, 12);
    cifar_file("short/train.bin", 100, 2, 0);
    assert_int_equal(truncate(at("short/train.bin"), 3074 + 5), 0);
    refused("short", (ct_images_options){0}, 0, CT_EDATA, "3079 bytes; wanted records of 3074");
    uint8_t bad[3073] = {10};
    folder_put(at("label/data_batch_1.bin"), bad, sizeof bad);
    refused("label", (ct_images_options){0}, 0, CT_EDATA, "label of record 0 is 10; wanted 0 to 9");
}

/* Names come from a file that has one for each class, or not at all. */
static void names(void **state) {
    static const char *const some = "plane\ncar\r\nbird\n", *const all =
                                                                "plane\ncar\r\nbird\n\nd\ne\nf\ng\nh\ni\nj";
    told t = {0};
    (void)state;
    cifar_file("named/data_batch_1.bin", 10, 20, 0);
    folder_put(at("named/batches.meta.txt"), some, strlen(some));
    ct_images *s = opened("named", (ct_images_options){.tell = tell, .user = &t});
    assert_string_equal(ct_images_class(s, 1), "1");
    assert_string_equal(ct_images_class(s, 9), "9");
    assert_non_null(strstr(t.text, "batches.meta.txt: 3 names for 10 classes"));
    ct_images_close(s);
    folder_put(at("named/batches.meta.txt"), all, strlen(all));
    t = (told){0};
    s = opened("named", (ct_images_options){.tell = tell, .user = &t});
    assert_string_equal(ct_images_class(s, 1), "car");
    assert_string_equal(ct_images_class(s, 3), "d");
    assert_string_equal(ct_images_class(s, 9), "j");
    assert_int_equal(t.lines, 0);
    ct_images_close(s);
}

/* A later batch is named by its errors; one that is missing between others is not passed over. */
static void batches(void **state) {
    uint8_t bad[2 * 3073] = {3};
    (void)state;
    bad[3073] = 10;
    cifar_file("b/data_batch_1.bin", 10, 5, 0);
    folder_put(at("b/data_batch_2.bin"), bad, sizeof bad);
    cifar_file("b/data_batch_3.bin", 10, 5, 0);
    refused("b", (ct_images_options){0}, 0, CT_EDATA, "b/data_batch_2.bin:@3073: label of record 1 is 10");
    assert_int_equal(truncate(at("b/data_batch_2.bin"), 3000), 0);
    refused("b", (ct_images_options){0}, 0, CT_EDATA, "b/data_batch_2.bin:@3000: 3000 bytes");
    unlink(at("b/data_batch_2.bin"));
    refused("b", (ct_images_options){0}, 0, CT_EDATA, "no data_batch_2.bin, and data_batch_3.bin is there");
    unlink(at("b/data_batch_1.bin"));
    refused("b", (ct_images_options){0}, 0, CT_EDATA, "no data_batch_2.bin, and data_batch_3.bin is there");
}

static void save_npy(const char *name, const void *data, ct_dtype dtype, ct_shape shape) {
    ct_array a = ct_array_view((void *)(uintptr_t)data, dtype, shape);
    ct_err e = {0};
    folder_make(at(name));
    assert_int_equal(ct_npy_save(NULL, NULL, at(name), &a, &e), CT_OK);
}

static void npy(void **state) {
    uint8_t x[4 * 5 * 6 * 3];
    int64_t y[4] = {0, 2, 1, 2}, negative[4] = {0, -1, 0, 0};
    float f[4] = {0};
    (void)state;
    for (int i = 0; i < 360; i++) x[i] = (uint8_t)(i * 7);
    save_npy("last/x_train.npy", x, CT_U8, CT_SHAPE(4, 5, 6, 3));
    save_npy("last/y_train.npy", y, CT_I64, CT_SHAPE(4, 1));
    ct_images *s = scanned("last", (ct_images_options){0}, NULL);
    ct_array a;
    ct_err e = {0};
    assert_true(ct_images_count(s) == 4 && ct_images_classes(s) == 3 && ct_images_channels(s) == 3);
    assert_int_equal(ct_images_read(s, 2, NULL, &a, &e), CT_OK);
    for (int64_t c = 0; c < 3; c++)
        for (int64_t p = 0; p < 30; p++)
            assert_int_equal(((uint8_t *)a.data)[c * 30 + p], x[2 * 90 + p * 3 + c]);
    ct_array_free(&a);
    ct_images_close(s);
    save_npy("grey/images.npy", x, CT_U8, CT_SHAPE(4, 9, 10));
    save_npy("grey/labels.npy", y, CT_I64, CT_SHAPE(4));
    s = scanned("grey", (ct_images_options){0}, NULL);
    assert_true(ct_images_channels(s) == 1 && !ct_images_has(s, CT_PART_TRAIN));
    ct_images_close(s);
    save_npy("grey/labels.npy", y, CT_I64, CT_SHAPE(3));
    refused("grey", (ct_images_options){0}, 0, CT_EDATA, "has 4 pictures");
    save_npy("grey/labels.npy", negative, CT_I64, CT_SHAPE(4));
    refused("grey", (ct_images_options){0}, 0, CT_EDATA, "label of record 1 is -1");
    save_npy("grey/labels.npy", f, CT_F32, CT_SHAPE(4));
    refused("grey", (ct_images_options){0}, 0, CT_EDATA, "f32 with 1 dimensions; wanted one row of integers");
}

int main(void) {
    const struct CMUnitTest tests[] = {TEST(cifar), TEST(names), TEST(batches), TEST(npy)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
