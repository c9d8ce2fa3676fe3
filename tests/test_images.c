/* test_images.c: sets of pictures: folders (F1 to F10), lists, arrays; the scan, the source and its cache, the audit. */
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

#include "cotan/data.h"
#include "images/folder.h"
#include "images/picture.h"

static char root[64];

static const char *at(const char *name) { /* a path in the test's folder; four live at a time */
    static char path[4][700];
    static int turn;
    char *p = path[turn++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", root, name);
    return p;
}

static int begin(void **state) {
    (void)state;
    strcpy(root, "/tmp/cotan_images_XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}
static int end(void **state) {
    (void)state;
    folder_remove(root);
    return 0;
}

static void picture(const char *name, uint64_t seed, int c, int h, int w) {
    uint8_t *x = test_picture(seed, c, h, w);
    assert_true(folder_png(at(name), x, c, h, w));
    free(x);
}

/* `n` pictures a class: base/a/000.png, base/b/..., seeds from `seed`. */
static void classes(const char *base, int n, uint64_t seed) {
    char name[300];
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < n; i++) {
            snprintf(name, sizeof name, "%s/%c/%03d.png", base, 'a' + k, i);
            picture(name, seed + (uint64_t)(3 * (k * n + i)), 3, 20, 24);
        }
}

typedef struct told {
    char text[20000];
    int lines;
} told;
static void tell(void *user, const char *line) {
    told *t = user;
    t->lines++;
    snprintf(t->text + strlen(t->text), sizeof t->text - strlen(t->text), "%s\n", line);
}

static ct_images *opened(const char *name, ct_images_options o) {
    ct_images *s = NULL;
    ct_err e = {0};
    if (ct_images_open(NULL, NULL, at(name), &o, &s, &e)) fail_msg("%s", e.text);
    return s;
}

static ct_images *scanned(const char *name, ct_images_options o, const ct_transform *t) {
    ct_images *s = opened(name, o);
    ct_err e = {0};
    if (ct_images_scan(s, t, 0, &e)) fail_msg("%s", e.text);
    return s;
}

static void refused(const char *name, ct_images_options o, int scan, ct_status status, const char *text) {
    ct_images *s = NULL;
    ct_err e = {0};
    ct_status found = ct_images_open(NULL, NULL, at(name), &o, &s, &e);
    if (!found && scan) found = ct_images_scan(s, NULL, 0, &e);
    if (found != status || !strstr(e.text, text))
        fail_msg("%s: status %d, \"%s\"; wanted %d, \"%s\"", name, (int)found, e.text, (int)status, text);
    ct_images_close(s);
}

/* ---- folders ---- */

static void nothing_there(void **state) { /* F1, F2 */
    (void)state;
    refused("missing", (ct_images_options){0}, 0, CT_EIO, "no such file or folder");
    mkdir(at("empty"), 0755);
    refused("empty", (ct_images_options){0}, 0, CT_EDATA, "no class folders");
    picture("flat/a.png", 1, 1, 4, 4);
    refused("flat", (ct_images_options){0}, 0, CT_EDATA, "no class folders");
    classes("one", 3, 1);
    mkdir(at("one/c"), 0755);
    refused("one", (ct_images_options){0}, 0, CT_EDATA, "class c has no pictures");
    folder_put(at("one/c/readme.txt"), "text", 4);
    refused("one", (ct_images_options){0}, 1, CT_EDATA, "class c has no pictures");
    refused("one/a/000.png", (ct_images_options){0}, 0, CT_EDATA, "one file; wanted a folder");
}

static void order_of_bytes(void **state) { /* F6, F9 */
    static const char *const names[] = {"B/z.png",        "B/Z.png",         "a/10.png",
                                        "a/9.png",        "a/sub/1.png",     "a-b/1.png",
                                        "\xc3\xa9/1.png", "e\xcc\x81/1.png", "a/\xff\xfe.png"};
    static const char *const wanted[] = {"B/Z.png",        "B/z.png",         "a-b/1.png",
                                         "a/10.png",       "a/9.png",         "a/sub/1.png",
                                         "a/\xff\xfe.png", "e\xcc\x81/1.png", "\xc3\xa9/1.png"};
    (void)state;
    for (int i = 0; i < 9; i++) {
        char name[100];
        snprintf(name, sizeof name, "order/%s", names[i]);
        picture(name, (uint64_t)i, 1, 5, 5);
    }
    folder_put(at("order/a/.DS_Store"), "x", 1);
    folder_put(at("order/a/Thumbs.db"), "x", 1);
    folder_put(at("order/__MACOSX/a.png"), "x", 1);
    folder_put(at("order/.hidden/a.png"), "x", 1);
    folder_put(at("order/a/notes.txt"), "words", 5);
    ct_images *s = scanned("order", (ct_images_options){0}, NULL);
    assert_int_equal(ct_images_count(s), 9);
    assert_int_equal(ct_images_classes(s), 5);
    assert_string_equal(ct_images_class(s, 0), "B");
    assert_string_equal(ct_images_class(s, 1), "a");
    assert_string_equal(ct_images_class(s, 2), "a-b");
    for (int i = 0; i < 9; i++) {
        ct_image r;
        assert_int_equal(ct_images_at(s, i, &r), CT_OK);
        assert_string_equal(r.path, wanted[i]);
        assert_true(strncmp(r.path, ct_images_class(s, r.label), strlen(ct_images_class(s, r.label))) == 0);
    }
    ct_images_close(s);
}

static void broken(void **state) { /* F3 */
    told t = {0};
    (void)state;
    classes("many", 60, 1);
    folder_put(at("many/a/007.png"), "\x89PNG\r\n\x1a\nbroken", 14);
    ct_images *s = scanned("many", (ct_images_options){.tell = tell, .user = &t}, NULL);
    assert_int_equal(ct_images_count(s), 119);
    assert_int_equal(t.lines, 1);
    assert_non_null(strstr(t.text, "many/a/007.png:"));
    ct_images_close(s);
    refused("many", (ct_images_options){.strict = 1}, 1, CT_EDATA, "many/a/007.png:");
    folder_put(at("many/b/011.png"),
               "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xff\xff\0\0\xff\xff\x08\x06\0\0\0\0\0\0\0", 33);
    refused("many", (ct_images_options){0}, 1, CT_EDATA, "2 of 120 pictures are broken; wanted at most 1 %");
    t = (told){0};
    s = scanned("many", (ct_images_options){.allow_broken = 1, .tell = tell, .user = &t, .threads = 3}, NULL);
    assert_int_equal(ct_images_count(s), 118);
    assert_int_equal(t.lines, 2);
    assert_non_null(strstr(t.text, "65535 x 65535 pixels"));
    assert_true(strstr(t.text, "007.png") < strstr(t.text, "011.png"));
    ct_images_close(s);
    picture("wide/a/1.png", 1, 3, 5, 5);
    folder_put(at("wide/b/1.gif"), "GIF89a......", 12);
    refused("wide", (ct_images_options){.allow_broken = 1}, 1, CT_EDATA, "class b has no pictures");
    folder_put(at("wide/b/1.png"), "no picture", 10);
    refused("wide", (ct_images_options){0}, 1, CT_EDATA, "2 of 3 pictures are broken");
}

static void links(void **state) { /* F4 */
    told t = {0};
    (void)state;
    classes("links", 3, 1);
    picture("elsewhere/x.png", 9, 3, 5, 5);
    assert_int_equal(symlink(at("elsewhere/x.png"), at("links/a/link.png")), 0);
    assert_int_equal(symlink(at("links/a"), at("links/b/up")), 0);
    assert_int_equal(symlink("..", at("links/b/loop")), 0);
    assert_int_equal(symlink("/nowhere/at/all", at("links/a/dangling.png")), 0);
    assert_int_equal(mkfifo(at("links/a/pipe.png"), 0644), 0);
    mkdir(at("links/a/folder.png"), 0755);
    ct_images *s = scanned("links", (ct_images_options){.tell = tell, .user = &t}, NULL);
    ct_audit a;
    ct_err e = {0};
    assert_int_equal(ct_images_count(s), 6);
    assert_int_equal(ct_audit_images(s, 0, &a, &e), CT_OK);
    assert_int_equal(a.links, 4);
    assert_int_equal(a.other, 1);
    assert_non_null(strstr(t.text, "pipe.png: a pipe, socket or device"));
    ct_audit_free(&a);
    ct_images_close(s);
    t = (told){0};
    s = scanned("links", (ct_images_options){.follow_links = 1, .tell = tell, .user = &t}, NULL);
    assert_int_equal(ct_images_count(s), 6 + 1 + 4 + 4); /* the link; a again below up; a below b/loop */
    assert_non_null(strstr(t.text, "dangling.png: a link to nothing"));
    assert_non_null(strstr(t.text, "a link back to a folder above"));
    ct_images_close(s);
}

static void parts_above(void **state) { /* F5 */
    (void)state;
    classes("parts/train", 4, 1);
    classes("parts/test", 2, 100);
    ct_images *s = scanned("parts", (ct_images_options){0}, NULL);
    assert_int_equal(ct_images_count(s), 12);
    assert_int_equal(ct_images_classes(s), 2);
    assert_true(ct_images_has(s, CT_PART_TRAIN) && ct_images_has(s, CT_PART_TEST));
    assert_false(ct_images_has(s, CT_PART_VALIDATION));
    int64_t *index, n;
    ct_err e = {0};
    assert_int_equal(ct_images_part(s, 1, "test", &index, &n, &e), CT_OK);
    assert_int_equal(n, 4);
    for (int64_t i = 0; i < n; i++) {
        ct_image r;
        ct_images_at(s, index[i], &r);
        assert_true(strncmp(r.path, "test/", 5) == 0 && r.part == CT_PART_TEST);
    }
    ct_delete(NULL, index, ((size_t)n + 1) * sizeof *index);
    ct_images_close(s);
    s = opened("parts", (ct_images_options){.parts = 1 << CT_PART_TRAIN});
    assert_int_equal(ct_images_count(s), 8);
    assert_true(ct_images_has(s, CT_PART_TEST)); /* it is there, though not listed */
    ct_images_close(s);
    picture("parts/test/c/1.png", 1, 3, 5, 5);
    refused("parts", (ct_images_options){0}, 0, CT_EDATA,
            "test has class c, train has not; found a, b, c; wanted only a, b");
    ct_images *train = opened("parts", (ct_images_options){.parts = 1 << CT_PART_TRAIN}),
              *other = opened("parts/test", (ct_images_options){0});
    assert_int_equal(ct_images_match(train, other, &e), CT_EDATA);
    assert_non_null(strstr(e.text, "class c, which"));
    folder_remove(at("parts/test/a"));
    folder_remove(at("parts/test/c"));
    ct_images_close(other);
    other = opened("parts/test", (ct_images_options){0});
    assert_int_equal(ct_images_classes(other), 1);
    assert_int_equal(ct_images_match(train, other, &e), CT_OK);
    ct_image r;
    ct_images_at(other, 0, &r);
    assert_true(r.label == 1 && ct_images_classes(other) == 2);
    ct_images_close(other);
    ct_images_close(train);
    classes("vehicles/train", 1, 1); /* a class of that name among others is a class */
    picture("vehicles/plane/1.png", 1, 3, 5, 5);
    s = opened("vehicles", (ct_images_options){0});
    assert_int_equal(ct_images_classes(s), 2);
    ct_images_close(s);
}

static void gone(void **state) { /* F7 */
    (void)state;
    ct_err e = {0};
    classes("gone", 3, 1);
    ct_images *s = opened("gone", (ct_images_options){0});
    unlink(at("gone/b/001.png"));
    assert_int_equal(ct_images_scan(s, NULL, 0, &e), CT_EIO);
    assert_non_null(strstr(e.text, "gone/b/001.png"));
    ct_images_close(s);
    s = scanned("gone", (ct_images_options){0}, NULL);
    int64_t all[5] = {0, 1, 2, 3, 4};
    ct_source src;
    float out[3 * 20 * 24];
    int64_t label;
    ct_error_clear(&e);
    assert_int_equal(ct_images_source(s, all, 5, NULL, &src, &e), CT_OK);
    unlink(at("gone/a/002.png"));
    assert_int_equal(src.read(src.user, 2, -1, 0, (void *[2]){out, &label}, &e), CT_EIO);
    ct_error_clear(&e);
    picture("gone/a/002.png", 4, 3, 9, 9);
    assert_int_equal(src.read(src.user, 2, -1, 0, (void *[2]){out, &label}, &e), CT_EIO);
    assert_non_null(strstr(e.text, "changed since it was looked at"));
    ct_source_close(&src);
    ct_images_close(s);
}

static void mixed_sizes(void **state) { /* F8 */
    (void)state;
    ct_err e = {0};
    ct_transform *resize, *shorter;
    assert_int_equal(ct_transform_parse(NULL, "resize 8x8", &resize, &e), CT_OK);
    assert_int_equal(ct_transform_parse(NULL, "resize 8", &shorter, &e), CT_OK);
    picture("mixed/a/1.png", 1, 3, 9, 12);
    picture("mixed/b/2.png", 2, 1, 12, 9);
    ct_images *s = scanned("mixed", (ct_images_options){0}, NULL);
    int64_t all[2] = {0, 1};
    ct_source src;
    assert_int_equal(ct_images_channels(s), 3);
    assert_int_equal(ct_images_source(s, all, 2, NULL, &src, &e), CT_EDATA);
    assert_non_null(strstr(e.text, "a/1.png becomes [3,9,12], b/2.png [3,12,9]; wanted one size"));
    ct_error_clear(&e);
    assert_int_equal(ct_images_source(s, all, 2, shorter, &src, &e), CT_EDATA);
    ct_error_clear(&e);
    assert_int_equal(ct_images_source(s, all, 2, resize, &src, &e), CT_OK);
    ct_source_close(&src);
    ct_images_close(s);
    ct_transform_free(resize);
    ct_transform_free(shorter);
}

static void unreadable(void **state) { /* F10; as nobody, since root may read everything */
    (void)state;
    classes("closed", 2, 1);
    picture("closed/a/inner/1.png", 1, 3, 5, 5);
    chmod(at("closed/a/inner"), 0);
    chmod(root, 0755);
    int was_root = geteuid() == 0;
    if (was_root) assert_int_equal(seteuid(65534), 0);
    refused("closed", (ct_images_options){0}, 0, CT_EIO, "closed/a/inner: cannot open");
    if (was_root) assert_int_equal(seteuid(0), 0);
    chmod(at("closed/a/inner"), 0755);
    chmod(at("closed/b/001.png"), 0);
    if (was_root) assert_int_equal(seteuid(65534), 0);
    refused("closed", (ct_images_options){0}, 1, CT_EIO, "closed/b/001.png: cannot open");
    if (was_root) assert_int_equal(seteuid(0), 0);
}

static void unlabelled(void **state) {
    (void)state;
    picture("loose/1.png", 1, 3, 5, 5);
    picture("loose/deep/2.png", 2, 3, 5, 5);
    ct_images *s = scanned("loose", (ct_images_options){.unlabelled = 1}, NULL);
    assert_int_equal(ct_images_count(s), 2);
    ct_images_close(s);
    s = scanned("loose/1.png", (ct_images_options){.unlabelled = 1}, NULL);
    assert_int_equal(ct_images_count(s), 1);
    int64_t all[1] = {0};
    ct_source src;
    ct_err e = {0};
    assert_int_equal(ct_images_source(s, all, 1, NULL, &src, &e), CT_OK);
    assert_int_equal(src.fields, 1);
    ct_source_close(&src);
    ct_images_close(s);
}

static void limits(void **state) {
    (void)state;
    classes("few/train", 5, 1);
    classes("few/test", 4, 1);
    ct_images *s = scanned("few", (ct_images_options){.limit = 3}, NULL);
    ct_image r, before = {0};
    assert_int_equal(ct_images_count(s), 6);
    for (int64_t i = 0; i < 6; i++, before = r) {
        ct_images_at(s, i, &r);
        assert_int_equal(r.part, i < 3 ? CT_PART_TEST : CT_PART_TRAIN);
        assert_true(i == 0 || strcmp(before.path, r.path) < 0);
    }
    ct_images_close(s);
    classes("more", 100, 1); /* not the first class alone */
    s = scanned("more", (ct_images_options){.limit = 40}, NULL);
    int64_t of_a = 0;
    for (int64_t i = 0; i < 40; i++) of_a += !ct_images_at(s, i, &r) && r.label == 0;
    assert_true(of_a > 8 && of_a < 32);
    ct_images_close(s);
}

/* ---- lists ---- */

static void lists(void **state) {
    (void)state;
    picture("list/x/1.png", 1, 3, 5, 5);
    picture("list/x/2, \"two\".png", 2, 3, 5, 5);
    picture("list/3.png", 3, 1, 5, 5);
    static const struct {
        const char *name, *text;
    } rows[] = {
        {"list/a.csv", "\xef\xbb\xbfpath,label,part\r\nx/1.png,dog,train\r\n\"x/2, "
                       "\"\"two\"\".png\",cat,test\r\n\r\n3.png,dog,val"},
        {"list/b.tsv",
         "split\tclass\tFile\ntrain\tdog\tx/1.png\ntest\tcat\t\"x/2, \"\"two\"\".png\"\nvalid\tdog\t3.png\n"},
        {"list/c.jsonl",
         "{\"path\":\"x/1.png\",\"label\":\"dog\",\"part\":\"train\"}\n\n{\"path\":\"x/2, "
         "\\\"two\\\".png\",\"label\":\"cat\","
         "\"part\":\"test\"}\n{\"path\":\"3.png\",\"label\":\"dog\",\"part\":\"validation\"}"},
    };
    for (int i = 0; i < 3; i++) {
        assert_true(folder_put(at(rows[i].name), rows[i].text, strlen(rows[i].text)));
        ct_images *s = scanned(rows[i].name, (ct_images_options){0}, NULL);
        ct_image r[3];
        assert_int_equal(ct_images_count(s), 3);
        for (int k = 0; k < 3; k++) ct_images_at(s, k, &r[k]);
        assert_string_equal(r[0].path, "3.png");
        assert_string_equal(r[1].path, "x/1.png");
        assert_string_equal(r[2].path, "x/2, \"two\".png");
        assert_true(r[0].label == 1 && r[1].label == 1 && r[2].label == 0);
        assert_true(r[0].part == CT_PART_VALIDATION && r[1].part == CT_PART_TRAIN &&
                    r[2].part == CT_PART_TEST);
        assert_string_equal(ct_images_class(s, 0), "cat");
        ct_images_close(s);
    }
}

static void bad_lists(void **state) {
    static const struct {
        const char *name, *text, *wanted;
    } rows[] = {
        {"bad.csv", "", "bad.csv:1: no column \"path\""},
        {"bad.csv", "path,label\n", "0 rows"},
        {"bad.csv", "path,lable\nx,y\n", "bad.csv:1: no column \"label\""},
        {"bad.csv", "path,label\na.png,x\nb.png\n", "bad.csv:3: 1 fields; wanted 2"},
        {"bad.csv", "path,label\n\"a\nb.png\n", "bad.csv:2: a quote that never ends"},
        {"bad.csv", "path,label\n\"a\"b,x\n", "bad.csv:2: text after a closing quote"},
        {"bad.csv", "path,label\n,x\n", "bad.csv:2: no path"},
        {"bad.csv", "path,label\na.png,\n", "bad.csv:2: no label"},
        {"bad.csv", "path,label,part\na.png,x,tset\n", "bad.csv:2: an unknown part"},
        {"bad.jsonl", "{\"path\":\"a.png\",\"label\":1}\n{\"path\":\"a.png\"", "bad.jsonl:2:"},
        {"bad.jsonl", "{\"path\":\"a.png\"}", "bad.jsonl:1: no \"label\""},
        {"bad.jsonl", "{\"label\":\"a.png\"}", "bad.jsonl:1: no \"path\""},
        {"bad.jsonl", "{\"path\":\"a.png\",\"label\":1}\n[1]", "bad.jsonl:2: no object"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(folder_put(at(rows[i].name), rows[i].text, strlen(rows[i].text)));
        refused(rows[i].name, (ct_images_options){0}, 0, CT_EDATA, rows[i].wanted);
    }
    assert_true(folder_put(at("nul.csv"), "path,label\na\0b,x\n", 17));
    refused("nul.csv", (ct_images_options){0}, 0, CT_EDATA, "nul.csv:2: a NUL byte");
    assert_true(folder_put(at("gone.csv"), "path,label\nnothing.png,x\n", 25));
    refused("gone.csv", (ct_images_options){0}, 1, CT_EIO, "nothing.png: cannot open");
}

/* ---- arrays ---- */

static void cifar_file(const char *name, int kind, int n, int first) {
    size_t size = (size_t)(kind == 10 ? 3073 : 3074);
    uint8_t *d = malloc(size * (size_t)n);
    for (int i = 0; i < n; i++) {
        uint8_t *x = test_picture((uint64_t)(first + i), 3, 32, 32), *r = d + size * (size_t)i;
        r[0] = (uint8_t)((first + i) % 10);
        if (kind == 100) r[1] = (uint8_t)((first + i) % 100);
        memcpy(r + size - 3072, x, 3072);
        free(x);
    }
    assert_true(folder_put(at(name), d, size * (size_t)n));
    free(d);
}

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
    folder_put(at("c10/batches.meta.txt"), "plane\ncar\r\nbird\n", 16);
    check_cifar("c10", 49, 2);
    ct_images *s = opened("c10", (ct_images_options){0});
    assert_string_equal(ct_images_class(s, 1), "car");
    assert_string_equal(ct_images_class(s, 3), "3");
    ct_images_close(s);
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
        assert_non_null(strstr(t.text, "1 likely leaks"));
        assert_non_null(strstr(t.text, "contradictions"));
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
    assert_non_null(strstr(t.text, "1 of 2 classes have fewer than 10 training pictures, the least a"));
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

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(nothing_there),  TEST(order_of_bytes),
        TEST(broken),         TEST(links),
        TEST(parts_above),    TEST(gone),
        TEST(mixed_sizes),    TEST(unreadable),
        TEST(unlabelled),     TEST(limits),
        TEST(lists),          TEST(bad_lists),
        TEST(cifar),          TEST(npy),
        TEST(hash_parts),     TEST(identity),
        TEST(moments),        TEST(cache_and_threads),
        TEST(audit),          TEST(audit_of_classes),
        TEST(failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
