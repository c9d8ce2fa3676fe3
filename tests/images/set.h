/* set.h: what the tests of sets of pictures share: a folder of their own, pictures in it, opening and refusing. */
#ifndef CT_TESTS_SET_H
#define CT_TESTS_SET_H

#include "cotan/data.h"
#include "images/folder.h"
#include "images/picture.h"

static char root[64];

static inline const char *at(const char *name) { /* a path in the test's folder; four live at a time */
    static char path[4][700];
    static int turn;
    char *p = path[turn++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", root, name);
    return p;
}

static inline int begin(void **state) {
    (void)state;
    strcpy(root, "/tmp/cotan_images_XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}
static inline int end(void **state) {
    (void)state;
    folder_remove(root);
    return 0;
}

static inline void picture(const char *name, uint64_t seed, int c, int h, int w) {
    uint8_t *x = test_picture(seed, c, h, w);
    assert_true(folder_png(at(name), x, c, h, w));
    free(x);
}

/* `n` pictures a class: base/a/000.png, base/b/..., seeds from `seed`. */
static inline void classes(const char *base, int n, uint64_t seed) {
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
static inline void tell(void *user, const char *line) {
    told *t = user;
    t->lines++;
    snprintf(t->text + strlen(t->text), sizeof t->text - strlen(t->text), "%s\n", line);
}

static inline ct_images *opened(const char *name, ct_images_options o) {
    ct_images *s = NULL;
    ct_err e = {0};
    if (ct_images_open(NULL, NULL, at(name), &o, &s, &e)) fail_msg("%s", e.text);
    return s;
}

static inline ct_images *scanned(const char *name, ct_images_options o, const ct_transform *t) {
    ct_images *s = opened(name, o);
    ct_err e = {0};
    if (ct_images_scan(s, t, 0, &e)) fail_msg("%s", e.text);
    return s;
}

static inline void refused(const char *name, ct_images_options o, int scan, ct_status status,
                           const char *text) {
    ct_images *s = NULL;
    ct_err e = {0};
    ct_status found = ct_images_open(NULL, NULL, at(name), &o, &s, &e);
    if (!found && scan) found = ct_images_scan(s, NULL, 0, &e);
    if (found != status || !strstr(e.text, text))
        fail_msg("%s: status %d, \"%s\"; wanted %d, \"%s\"", name, (int)found, e.text, (int)status, text);
    ct_images_close(s);
}

static inline void cifar_file(const char *name, int kind, int n, int first) {
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

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

#endif
