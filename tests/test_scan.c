/* test_scan.c: a scan of pictures: what ends it, and in which words; what is no picture; scanning again; its threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>

#include "images/set.h"
#include "meter.h"

/* The error of a long path names it whole, and is told once. */
static void long_path(void **state) {
    char name[400], wanted[900];
    ct_err e = {0};
    (void)state;
    classes("long", 2, 1);
    snprintf(name, sizeof name, "long/a/%0200d/%0100d.png", 1, 2);
    picture(name, 9, 3, 8, 8);
    ct_images *s = opened("long", (ct_images_options){0});
    assert_int_equal(unlink(at(name)), 0);
    assert_int_equal(ct_images_scan(s, NULL, 0, &e), CT_EIO);
    snprintf(wanted, sizeof wanted, "%s: cannot open: No such file or directory; wanted", at(name));
    if (strncmp(e.text, wanted, strlen(wanted)) != 0) fail_msg("%s", e.text);
    assert_int_equal(strncmp(e.file, root, strlen(root)), 0);
    ct_images_close(s);
}

/* Memory that runs out takes no picture out, and its error is a sentence. */
static void no_memory(void **state) {
    uint8_t npy[128 + 12 * 12] = "\x93NUMPY\1\0\x76";
    (void)state;
    snprintf((char *)npy + 10, 119, "%-117s\n",
             "{'descr': '|u1', 'fortran_order': True, 'shape': (12, 12), }");
    classes("little", 2, 1);
    folder_put(at("little/a/array.npy"), npy, sizeof npy);
    for (int64_t site = 0;; site++) {
        meter m = METER;
        ct_allocator a = meter_hook(&m);
        ct_images_options o = {.allow_broken = 1};
        ct_images *s = NULL;
        ct_err e = {0};
        m.fail_at = site;
        ct_status status = ct_images_open(NULL, &a, at("little"), &o, &s, &e);
        if (!status) status = ct_images_scan(s, NULL, 0, &e);
        if (status && (status != CT_ELIMIT || e.text[0] == ':' || !strstr(e.text, "memory")))
            fail_msg("failure %lld: status %d, \"%s\"", (long long)site, (int)status, e.text);
        if (!status) assert_int_equal(ct_images_count(s), 5);
        ct_images_close(s);
        assert_int_equal(m.live, 0);
        if (!status && m.calls <= site) break;
    }
}

static void sparse(const char *name, const char *head) {
    assert_true(folder_put(at(name), head, strlen(head)));
    assert_int_equal(truncate(at(name), (off_t)CT_PICTURE_FILE + 1), 0);
}

/* A file over the limit is a broken picture only where it is meant as one. */
static void too_long(void **state) {
    told t = {0};
    ct_audit audit;
    ct_err e = {0};
    (void)state;
    classes("large", 60, 1);
    sparse("large/a/notes.bin", "");
    sparse("large/a/named.png", "");
    sparse("large/b/begun", "\x89PNG\r\n\x1a\n");
    ct_images *s = opened("large", (ct_images_options){.allow_broken = 1, .tell = tell, .user = &t});
    if (ct_images_scan(s, NULL, 0, &e)) fail_msg("%s", e.text);
    assert_int_equal(ct_audit_images(s, 0, &audit, &e), CT_OK);
    assert_true(audit.pictures == 120 && audit.broken == 2 && audit.other == 1);
    assert_true(t.lines == 2 && strstr(t.text, "named.png") && strstr(t.text, "begun"));
    assert_non_null(strstr(t.text, "1073741825 bytes"));
    ct_audit_free(&audit);
    ct_images_close(s);
}

/* A scan that was stopped may be made again: nothing is lost, and the result is the same. */
static void again(void **state) {
    meter m = METER;
    ct_allocator a = meter_hook(&m);
    volatile int32_t stop = 0;
    ct_images_options o = {.cache = 1 << 20, .stop = &stop};
    ct_images *s = NULL;
    ct_transform *t;
    ct_source source;
    ct_err e = {0};
    (void)state;
    classes("again", 5, 1);
    assert_int_equal(ct_transform_parse(NULL, "resize 8x8", &t, &e), CT_OK);
    assert_int_equal(ct_images_open(NULL, &a, at("again"), &o, &s, &e), CT_OK);
    assert_int_equal(ct_images_scan(s, t, 1, &e), CT_OK);
    stop = 1;
    assert_int_equal(ct_images_scan(s, t, 0, &e), CT_ECANCEL);
    assert_int_equal(ct_images_scan(s, t, 0, NULL), CT_ECANCEL);
    stop = 0;
    ct_error_clear(&e);
    assert_int_equal(ct_images_scan(s, t, 0, &e), CT_OK);
    assert_int_equal(ct_images_count(s), 10);
    int64_t first = 0;
    float x[3 * 64], y[3 * 64];
    int64_t label;
    assert_int_equal(ct_images_source(s, &first, 1, t, &source, &e), CT_OK);
    assert_int_equal(source.read(source.user, 0, -1, 0, (void *const[2]){x, &label}, &e), CT_OK);
    ct_source_close(&source);
    ct_images_close(s);
    assert_int_equal(m.live, 0);
    o = (ct_images_options){0};
    s = scanned("again", o, t);
    assert_int_equal(ct_images_source(s, &first, 1, t, &source, &e), CT_OK);
    assert_int_equal(source.read(source.user, 0, -1, 0, (void *const[2]){y, &label}, &e), CT_OK);
    assert_memory_equal(x, y, sizeof x);
    ct_source_close(&source);
    ct_images_close(s);
    ct_transform_free(t);
}

typedef struct watch {
    pthread_t caller;
    _Atomic int beside, open; /* files that other threads opened; while a signal could have come to them */
} watch;

static int watched_open(void *user, const char *path, int flags, int mode) {
    watch *w = user;
    sigset_t now;
    if (!pthread_equal(pthread_self(), w->caller)) {
        pthread_sigmask(SIG_SETMASK, NULL, &now);
        w->open += !sigismember(&now, SIGINT) || !sigismember(&now, SIGTERM) || sigismember(&now, SIGSEGV);
        w->beside++;
    }
    for (int i = 0; i < 2000 && !w->beside; i++) usleep(1000); /* so that the others get some */
    return open(path, flags, mode);
}

/* Signals are the host program's: threads that scan take none. */
static void quiet_threads(void **state) {
    watch w = {.caller = pthread_self()};
    ct_files f = {.user = &w, .open = watched_open};
    ct_images_options o = {.threads = 4};
    ct_images *s = NULL;
    ct_err e = {0};
    sigset_t now;
    (void)state;
    classes("quiet", 10, 1);
    assert_int_equal(ct_images_open(&f, NULL, at("quiet"), &o, &s, &e), CT_OK);
    assert_int_equal(ct_images_scan(s, NULL, 0, &e), CT_OK);
    assert_int_equal(w.open, 0);
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    assert_false(sigismember(&now, SIGINT)); /* the caller's own are as they were */
    ct_images_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {TEST(long_path), TEST(no_memory), TEST(too_long), TEST(again),
                                       TEST(quiet_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
