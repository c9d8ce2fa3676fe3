/* test_folder.c: where sets of pictures come from: folders (F1 to F10) and lists. */
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
    refused("one/a/000.png", (ct_images_options){0}, 0, CT_EDATA, "a file; wanted the folder");
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
    char name[40]; /* at the limit and beyond it: 1 of 100, 1 of 99 */
    for (int i = 0; i < 99; i++) {
        snprintf(name, sizeof name, "limit/a/%02d.png", i);
        picture(name, (uint64_t)i, 1, 3, 3);
    }
    folder_put(at("limit/a/bad.png"), "x", 1);
    ct_images_close(scanned("limit", (ct_images_options){0}, NULL));
    unlink(at("limit/a/00.png"));
    refused("limit", (ct_images_options){0}, 1, CT_EDATA, "1 of 99 pictures are broken");
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
    assert_int_equal(ct_images_count(s), 6 + 1 + 4); /* the link; a again below up */
    assert_non_null(strstr(t.text, "dangling.png: a link to nothing"));
    assert_non_null(strstr(t.text, "b/loop: a link back to a folder above"));
    ct_images_close(s);
}

/* No way back up gives a class the pictures of others: to the root, to a part, to the root above the parts. */
static void links_upward(void **state) {
    static const char *const up[] = {"..", "../..", "."};
    (void)state;
    classes("divided/train", 3, 1);
    classes("divided/test", 3, 50);
    for (int i = 0; i < 3; i++) {
        told t = {0};
        unlink(at("divided/train/a/link"));
        assert_int_equal(symlink(up[i], at("divided/train/a/link")), 0);
        ct_images *s = opened("divided", (ct_images_options){.follow_links = 1, .tell = tell, .user = &t});
        assert_int_equal(ct_images_count(s), 12);
        assert_non_null(strstr(t.text, "train/a/link: a link back to a folder above"));
        ct_images_close(s);
    }
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
    static const char *const names[] = {"a", "b"};
    ct_images *other = opened("parts/test", (ct_images_options){0});
    assert_int_equal(ct_images_match(other, names, 2, "the model", &e), CT_EDATA);
    assert_non_null(strstr(e.text, "class c, which the model has not; found a, b, c; wanted only a, b"));
    folder_remove(at("parts/test/a"));
    folder_remove(at("parts/test/c"));
    ct_images_close(other);
    other = opened("parts/test", (ct_images_options){0});
    assert_int_equal(ct_images_classes(other), 1);
    assert_int_equal(ct_images_match(other, names, 2, "the model", &e), CT_OK);
    ct_image r;
    ct_images_at(other, 0, &r);
    assert_true(r.label == 1 && ct_images_classes(other) == 2);
    ct_images_close(other);
    classes("vehicles/train", 1, 1); /* a class of that name among others is a class */
    picture("vehicles/plane/1.png", 1, 3, 5, 5);
    s = opened("vehicles", (ct_images_options){0});
    assert_int_equal(ct_images_classes(s), 2);
    ct_images_close(s);
}

static void gone(void **state) { /* F7, X14 */
    (void)state;
    ct_err e = {0};
    classes("gone", 3, 1);
    ct_images *s = opened("gone", (ct_images_options){0});
    unlink(at("gone/b/001.png"));
    assert_int_equal(ct_images_scan(s, NULL, 0, &e), CT_EIO);
    assert_non_null(strstr(e.text, "gone/b/001.png"));
    ct_images_close(s);
}

/* X14: a file that is gone or changed ends the reading, whether its pixels are kept or not. */
static void changed(uint64_t cache) {
    ct_err e = {0};
    classes("gone", 3, 1);
    ct_images *s = scanned("gone", (ct_images_options){.cache = cache}, NULL);
    int64_t all[5] = {0, 1, 2, 3, 4};
    ct_source src;
    float out[3 * 20 * 24];
    int64_t label;
    assert_int_equal(ct_images_source(s, all, 5, NULL, &src, &e), CT_OK);
    unlink(at("gone/a/002.png"));
    assert_int_equal(src.read(src.user, 2, -1, 0, (void *[2]){out, &label}, &e), CT_EIO);
    ct_error_clear(&e);
    picture("gone/a/002.png", 4, 3, 9, 9);
    assert_int_equal(src.read(src.user, 2, -1, 0, (void *[2]){out, &label}, &e), CT_EIO);
    assert_non_null(strstr(e.text, "changed since it was looked at"));
    ct_error_clear(&e);
    picture("gone/a/001.png", 1, 3, 20, 24); /* another picture of the size */
    assert_int_equal(src.read(src.user, 1, -1, 0, (void *[2]){out, &label}, &e), CT_EIO);
    ct_error_clear(&e);
    assert_int_equal(truncate(at("gone/a/000.png"), 60), 0);
    assert_int_equal(src.read(src.user, 0, -1, 0, (void *[2]){out, &label}, &e), CT_EIO);
    assert_non_null(strstr(e.text, "gone/a/000.png"));
    ct_error_clear(&e);
    if (src.read(src.user, 4, -1, 0, (void *[2]){out, &label}, &e)) fail_msg("%s", e.text);
    ct_source_close(&src);
    ct_images_close(s);
}

static void gone_when_read(void **state) {
    (void)state;
    changed(0);
    changed(1 << 20);
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
                       "\"\"two\"\".png\",cat,test\r\n3.png,dog,val"},
        {"list/b.tsv",
         "split\tclass\tFile\ntrain\tdog\tx/1.png\ntest\tcat\t\"x/2, \"\"two\"\".png\"\nvalid\tdog\t3.png\n"},
        {"list/c.jsonl",
         "{\"path\":\"x/1.png\",\"label\":\"dog\",\"part\":\"train\"}\n\n{\"path\":\"x/2, "
         "\\\"two\\\".png\",\"label\":\"cat\","
         "\"part\":\"test\"}\n{\"path\":\"3.png\",\"label\":\"dog\",\"part\":\"validation\"}"},
        {"list/d.jsonl", /* by the names that a CSV may have too */
         "{\"file\":\"x/1.png\",\"class\":\"dog\",\"split\":\"Train\"}\n{\"image\":\"x/2, "
         "\\\"two\\\".png\",\"target\":\"cat\",\"part\":null,\"split\":\"TEST\"}\n"
         "{\"filename\":\"3.png\",\"label\":\"dog\",\"split\":\"val\"}"},
    };
    for (int i = 0; i < 4; i++) {
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
        s = scanned(rows[i].name, (ct_images_options){.parts = 1 << CT_PART_TEST}, NULL);
        assert_int_equal(ct_images_count(s), 1);
        assert_true(ct_images_has(s, CT_PART_TRAIN) && ct_images_has(s, CT_PART_VALIDATION));
        ct_images_close(s);
    }
}

typedef struct progress {
    int64_t calls, done, of;
    pthread_t by;
} progress;

static void count_progress(void *user, int64_t done, int64_t of) {
    progress *p = user;
    p->calls++;
    assert_true(done >= p->done && done <= of && pthread_equal(p->by, pthread_self()));
    p->done = done;
    p->of = of;
}

/* How far a scan is, told by the thread that called it. */
static void told_progress(void **state) {
    (void)state;
    for (int i = 0; i < 40; i++) {
        char name[40];
        snprintf(name, sizeof name, "far/%c/%02d.png", i % 2 ? 'a' : 'b', i);
        picture(name, (uint64_t)i, 3, 5, 5);
    }
    for (int32_t threads = 1; threads <= 3; threads += 2) {
        progress p = {.by = pthread_self()};
        ct_images *s = scanned(
            "far",
            (ct_images_options){
                .picture = {.channels = 3}, .threads = threads, .progress = count_progress, .user = &p},
            NULL);
        assert_int_equal(ct_images_count(s), 40);
        assert_true(threads == 1 ? p.calls == 40 && p.done == 40 && p.of == 40 : p.calls <= 40);
        ct_images_close(s);
    }
}

static void bad_lists(void **state) {
    static const struct {
        const char *name, *text, *wanted;
    } rows[] = {
        {"bad.csv", "", "bad.csv: empty; wanted a line of names"},
        {"bad.csv", "path,label\n", "0 rows"},
        {"bad.csv", "path,lable\nx,y\n", "bad.csv:1: no column \"label\""},
        {"bad.csv", "path,label\na.png,x\nb.png\n", "bad.csv:3:1: 1 field; wanted 2"},
        {"bad.csv", "path,label\n\"a\nb.png\n", "bad.csv:2:1: a quote that is never closed"},
        {"bad.csv", "path,label\n\"a\"b,x\n", "bad.csv:2:"},
        {"bad.csv", "path,label\n,x\n", "bad.csv:2: no path"},
        {"bad.csv", "path,label\na.png,\n", "bad.csv:2: no label"},
        {"bad.csv", "path,label,part\na.png,x,tset\n",
         "bad.csv:2: part \"tset\"; wanted train, validation or test"},
        {"bad.jsonl", "{\"path\":\"a.png\",\"label\":1}\n{\"path\":\"a.png\"", "bad.jsonl:2:"},
        {"bad.jsonl", "{\"path\":\"a.png\",\"label\":1,\"split\":\"Tset\"}", "bad.jsonl:1: part \"Tset\""},
        {"bad.jsonl", "{\"path\":\"a.png\",\"label\":1,\"part\":1}", "bad.jsonl:1: a part that is no text"},
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
    refused("nul.csv", (ct_images_options){0}, 0, CT_EDATA, "nul.csv:2:");
    assert_true(folder_put(at("gone.csv"), "path,label\nnothing.png,x\n", 25));
    refused("gone.csv", (ct_images_options){0}, 1, CT_EIO, "nothing.png: cannot open");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(nothing_there), TEST(order_of_bytes), TEST(broken),     TEST(links),
        TEST(links_upward),  TEST(parts_above),    TEST(gone),       TEST(gone_when_read),
        TEST(mixed_sizes),   TEST(unreadable),     TEST(unlabelled), TEST(limits),
        TEST(lists),         TEST(told_progress),  TEST(bad_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
