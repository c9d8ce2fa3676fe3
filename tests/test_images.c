/* test_images.c: what comes out of a set of pictures: parts, hashes, the source and its cache, the audit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/set.h"

/* ---- parts, hash, moments ---- */

static void hash_parts(void **state) {
    (void)state;
    classes("split", 150, 1);
    ct_images *s = scanned("split", (ct_images_options){.threads = 2}, NULL);
    static const char *const names[] = {"train", "validation", "test"};
    int seen[300] = {0};
    int64_t counts[3];
    ct_err e = {0};
    for (int p = 0; p < 3; p++) {
        int64_t *index;
        assert_int_equal(ct_images_part(s, 7, names[p], &index, &counts[p], &e), CT_OK);
        for (int64_t i = 0; i < counts[p]; i++) {
            ct_image r;
            seen[index[i]]++;
            ct_images_at(s, index[i], &r);
            int32_t tenth = ct_split_of(7, r.path, strlen(r.path));
            assert_int_equal(tenth < 1000 ? 1 : tenth < 2000 ? 2 : 0, p);
            assert_int_equal(ct_images_part_of(s, 7, index[i]), p == 0   ? CT_PART_TRAIN
                                                                : p == 1 ? CT_PART_VALIDATION
                                                                         : CT_PART_TEST);
        }
        ct_delete(NULL, index, ((size_t)counts[p] + 1) * sizeof *index);
    }
    for (int i = 0; i < 300; i++) assert_int_equal(seen[i], 1);
    assert_true(counts[0] > 200 && counts[1] > 10 && counts[2] > 10);
    int64_t *index, n;
    assert_int_equal(ct_images_part(s, 7, "tset", &index, &n, &e), CT_EUSAGE);
    ct_images_close(s);
}

static void identity(void **state) {
    (void)state;
    ct_hash128 h[5];
    ct_err e = {0};
    int64_t all[6] = {0, 1, 2, 3, 4, 5};
    classes("same", 3, 1);
    for (int i = 0; i < 5; i++) {
        ct_images *s = scanned("same", (ct_images_options){.threads = i}, NULL);
        assert_int_equal(ct_images_hash(s, all, 6, i != 1, &h[i], &e), CT_OK);
        ct_images_close(s);
        if (i == 2)
            assert_int_equal(rename(at("same/a/000.png"), at("same/b/000x.png")), 0); /* another label */
        if (i == 3) picture("same/b/000x.png", 50, 3, 20, 24);
    }
    assert_memory_equal(&h[0], &h[2], sizeof *h);
    assert_memory_not_equal(&h[0], &h[1], sizeof *h);
    assert_memory_not_equal(&h[2], &h[3], sizeof *h);
    assert_memory_not_equal(&h[3], &h[4], sizeof *h);
    ct_images *s = opened("same", (ct_images_options){0});
    assert_int_equal(ct_images_hash(s, all, 6, 1, &h[0], &e), CT_EUSAGE);
    ct_images_close(s);
}

static void moments(void **state) {
    (void)state;
    ct_transform *t;
    ct_err e = {0};
    classes("moments", 4, 1);
    assert_int_equal(ct_transform_parse(NULL, "resize 8x8, flip, normalize mean=0 std=1", &t, &e), CT_OK);
    for (int kept = 0; kept < 2; kept++) {
        ct_images *s = scanned("moments", (ct_images_options){.cache = kept ? 1 << 20 : 0}, t);
        int64_t some[3] = {1, 4, 6};
        double mean[3], std[3], sum = 0, square = 0;
        assert_int_equal(ct_images_moments(s, some, 3, mean, std, &e), CT_OK);
        for (int i = 0; i < 3; i++) {
            ct_array a, b;
            assert_int_equal(ct_images_read(s, some[i], NULL, &a, &e), CT_OK);
            assert_int_equal(ct_transform_bytes(t, NULL, a.data, a.dim, (ct_draw){0, -1, 0}, NULL, &b, &e),
                             CT_OK);
            for (int p = 64; p < 128; p++) {
                double v = ((uint8_t *)b.data)[p] / 255.0;
                sum += v;
                square += v * v;
            }
            ct_array_free(&a);
            ct_array_free(&b);
        }
        assert_true(fabs(mean[1] - sum / 192) < 1e-12);
        assert_true(fabs(std[1] - sqrt(square / 192 - mean[1] * mean[1])) < 1e-9);
        ct_images_close(s);
    }
    ct_transform_free(t);
}

typedef struct counted {
    int64_t live; /* bytes */
} counted;
static void *count_take(void *user, size_t bytes) {
    ((counted *)user)->live += (int64_t)bytes;
    return aligned_alloc(64, (bytes + 64) / 64 * 64);
}
static void count_give(void *user, void *memory, size_t bytes) {
    ((counted *)user)->live -= (int64_t)bytes;
    free(memory);
}

/* ---- source ---- */

#define VALUES (3 * 12 * 12)

static void collect(ct_images *s, const ct_transform *t, int threads, int64_t epochs, float *out,
                    int64_t *labels) {
    int64_t all[40], n = ct_images_count(s), at_row = 0;
    ct_source src;
    ct_loader *l;
    ct_batch b;
    ct_err e = {0};
    for (int64_t i = 0; i < n; i++) all[i] = i;
    if (ct_images_source(s, all, n, t, &src, &e)) fail_msg("%s", e.text);
    assert_int_equal(
        ct_loader_new(NULL, &src,
                      (ct_loader_options){.batch = 7, .shuffle = 1, .seed = 3, .threads = threads}, &l, &e),
        CT_OK);
    for (int64_t epoch = 0; epoch < epochs;) {
        if (ct_next(l, &b, &e)) fail_msg("%s", e.text);
        epoch += b.rows == 0;
        if (!b.rows) continue;
        memcpy(out + at_row * VALUES, b.field[0], (size_t)b.rows * VALUES * sizeof *out);
        memcpy(labels + at_row, b.field[1], (size_t)b.rows * sizeof *labels);
        at_row += b.rows;
    }
    ct_loader_free(l);
    ct_source_close(&src);
}

/* The same pictures with any cache and any number of threads. */
static void cache_and_threads(void **state) {
    (void)state;
    ct_transform *t;
    ct_err e = {0};
    enum { N = 20, EPOCHS = 3 };
    static float want[N * EPOCHS * VALUES], got[N * EPOCHS * VALUES];
    int64_t labels[N * EPOCHS], labels_got[N * EPOCHS];
    static const uint64_t caches[] = {0, 1, 3000, 1 << 20};
    classes("cache", N / 2, 1);
    picture("cache/a/000.png", 7, 1, 30, 10); /* grey, another size */
    assert_int_equal(
        ct_transform_parse(NULL, "resize 14x14, pad 1 fill=1:2:3, random_crop 12, flip, to_tensor", &t, &e),
        CT_OK);
    for (int c = 0; c < 4; c++)
        for (int threads = 0; threads < 4; threads++) {
            int first = c == 0 && threads == 0;
            ct_images *s = scanned("cache", (ct_images_options){.cache = caches[c], .threads = threads}, t);
            collect(s, t, threads, EPOCHS, first ? want : got, first ? labels : labels_got);
            ct_images_close(s);
            if (first) continue;
            assert_memory_equal(got, want, sizeof want);
            assert_memory_equal(labels_got, labels, sizeof labels);
        }
    ct_transform_free(t);
}

/* What the cache holds shows by what the set takes of its allocator: pictures of parts that nobody reads again have
 * no room in it. */
static int64_t held(int64_t cache_parts) {
    counted c = {0};
    ct_allocator a = {count_take, count_give, &c};
    ct_images_options o = {.cache = 1 << 20, .cache_parts = cache_parts};
    ct_images *s;
    ct_err e = {0};
    if (ct_images_open(NULL, &a, at("kept_parts"), &o, &s, &e) || ct_images_scan(s, NULL, 0, &e))
        fail_msg("%s", e.text);
    int64_t bytes = c.live;
    ct_images_close(s);
    assert_int_equal(c.live, 0);
    return bytes;
}

static void cache_of_parts(void **state) {
    (void)state;
    classes("kept_parts/train", 4, 1);
    classes("kept_parts/test", 4, 50);
    int64_t all = held(0), train = held(1 << CT_PART_TRAIN), none = held(1 << CT_PART_VALIDATION);
    assert_true(train - none >= 8 * 3 * 20 * 24);
    assert_int_equal(all - train, train - none);
}

/* ---- audit ---- */

static void sentence(void *user, const char *text) { tell(user, text); }

static void audit(void **state) {
    (void)state;
    uint8_t *x = test_picture(2, 3, 40, 40), *y = test_picture(6, 3, 40, 40), blank[100] = {0};
    classes("audit/train", 12, 10);
    classes("audit/test", 4, 202);
    folder_png(at("audit/train/a/dup1.png"), x, 3, 40, 40);
    folder_png(at("audit/train/a/dup2.png"), x, 3, 40, 40);
    folder_png(at("audit/train/b/dup3.png"), x, 3, 40, 40); /* another label */
    folder_png(at("audit/test/a/dup4.png"), x, 3, 40, 40);  /* a leak */
    folder_png(at("audit/train/b/near1.png"), y, 3, 40, 40);
    for (int i = 0; i < 4800; i += 3) y[i] = (uint8_t)(y[i] > 253 ? 255 : y[i] + 2);
    folder_png(at("audit/test/b/near2.png"), y, 3, 40, 40); /* nearly a leak */
    folder_png(at("audit/train/b/blank1.png"), blank, 1, 10, 10);
    blank[50] = 1;
    folder_png(at("audit/train/b/blank2.png"), blank, 1, 10, 10); /* of one value nearly: not near */
    for (int threads = 1; threads < 4; threads++) {
        ct_images *s = scanned("audit", (ct_images_options){.threads = threads}, NULL);
        ct_audit a;
        ct_err e = {0};
        told t = {0};
        assert_int_equal(ct_audit_images(s, 0, &a, &e), CT_OK);
        assert_int_equal(a.pictures, 24 + 8 + 8);
        assert_int_equal(a.exact, 3);
        assert_int_equal(a.near, 1);
        assert_int_equal(a.leaks, 1 + 3); /* dup4 with each of the three, and near2 */
        assert_true(a.conflicts >= 1);
        assert_int_equal(a.grey, 2);
        assert_int_equal(a.formats[CT_PICTURE_PNG], 40);
        assert_true(a.width_min == 10 && a.width_max == 40 && a.width_median == 24 && a.height_median == 20);
        assert_true(a.sizes == 3 && a.size_width == 24 && a.size_height == 20 && a.size_count == 32);
        assert_true(a.tiny == 2 && a.classes == 2 && a.incomplete == 0);
        assert_true(a.each[0].train + a.each[0].validation == 14 && a.each[0].test == 5);
        assert_true(a.pair[3].leak == 1 && !a.pair[3].exact);
        ct_audit_findings(&a, s, sentence, &t);
        assert_non_null(strstr(
            t.text, "3 leaks: the same picture in the test part and outside of it, such as test/a/dup4.png"));
        assert_non_null(strstr(t.text, "1 likely leak:"));
        assert_non_null(strstr(t.text, "contradiction"));
        ct_audit_free(&a);
        ct_images_close(s);
    }
    free(x);
    free(y);
}

static void audit_of_classes(void **state) {
    (void)state;
    told t = {0};
    classes("uneven", 3, 10);
    for (int i = 0; i < 60; i++) {
        char name[60];
        snprintf(name, sizeof name, "uneven/b/more%d.png", i);
        picture(name, 900 + (uint64_t)i, 3, 20, 24);
    }
    ct_images *s = scanned("uneven", (ct_images_options){0}, NULL);
    ct_audit a;
    ct_err e = {0};
    assert_int_equal(ct_audit_images(s, 0, &a, &e), CT_OK);
    ct_audit_findings(&a, s, sentence, &t);
    assert_non_null(strstr(t.text, "1 of 2 classes has fewer than 10 training pictures, the least a"));
    assert_non_null(strstr(t.text, "classes are unequal: b has"));
    ct_audit_free(&a);
    ct_images_close(s);
}

/* ---- memory ---- */

typedef struct meter {
    pthread_mutex_t lock;
    int64_t calls, fail_at, live;
} meter;
static void *take(void *user, size_t bytes) {
    meter *m = user;
    pthread_mutex_lock(&m->lock);
    int fail = m->calls++ == m->fail_at;
    m->live += !fail;
    pthread_mutex_unlock(&m->lock);
    return fail ? NULL : aligned_alloc(64, (bytes + 64) / 64 * 64);
}
static void give(void *user, void *memory, size_t bytes) {
    meter *m = user;
    (void)bytes;
    pthread_mutex_lock(&m->lock);
    m->live--;
    pthread_mutex_unlock(&m->lock);
    free(memory);
}

static ct_status whole_way(const ct_allocator *a, const char *path, ct_err *e) {
    ct_images_options o = {.cache = 2000, .threads = 2};
    ct_images *s = NULL;
    ct_transform *t = NULL;
    ct_source src = {0};
    ct_audit audit_of = {.allocator = a};
    int64_t *index = NULL, n = 0, label;
    float out[VALUES];
    ct_status status = ct_transform_parse(a, "resize 12x12, flip", &t, e);
    if (!status) status = ct_images_open(NULL, a, path, &o, &s, e);
    if (!status) status = ct_images_scan(s, t, 0, e);
    if (!status) status = ct_audit_images(s, 0, &audit_of, e);
    if (!status) status = ct_images_part(s, 0, "all", &index, &n, e);
    if (!status) status = ct_images_source(s, index, n, t, &src, e);
    for (int64_t i = 0; i < n && !status; i++)
        status = src.read(src.user, i, 0, 0, (void *[2]){out, &label}, e);
    if (src.close) ct_source_close(&src);
    ct_audit_free(&audit_of);
    ct_delete(a, index, ((size_t)n + 1) * sizeof *index);
    ct_images_close(s);
    ct_transform_free(t);
    return status;
}

static void failing_memory(void **state) {
    static const char *const names[] = {"memory", "memory.csv", "memory_cifar"};
    (void)state;
    classes("memory", 4, 1);
    static const char csv[] = "path,label\nmemory/a/000.png,x\nmemory/b/001.png,y\n";
    folder_put(at("memory.csv"), csv, sizeof csv - 1);
    cifar_file("memory_cifar/data_batch_1.bin", 10, 3, 0);
    for (int k = 0; k < 3; k++)
        for (int64_t site = 0;; site++) {
            meter m = {.lock = PTHREAD_MUTEX_INITIALIZER, .fail_at = site};
            ct_allocator a = {take, give, &m};
            ct_err e = {0};
            ct_status s = whole_way(&a, at(names[k]), &e);
            if (m.live)
                fail_msg("%s, failure %lld: %lld blocks are lost (%s)", names[k], (long long)site,
                         (long long)m.live, e.text);
            if (s && (s != CT_ELIMIT || !e.text[0]))
                fail_msg("%s, failure %lld: status %d \"%s\"", names[k], (long long)site, (int)s, e.text);
            if (!s && m.calls <= site) break;
            assert_true(site < 5000);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(hash_parts),     TEST(identity), TEST(moments),          TEST(cache_and_threads),
        TEST(cache_of_parts), TEST(audit),    TEST(audit_of_classes), TEST(failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
