/* training.h: a small training of pictures for the tests of runs, checkpoints and faults: 640 pictures of 8 x 8,
 * a net with batch norm and dropout, an average of the weights, 3 epochs of 18 steps, a checkpoint every 4. */
#ifndef CT_TESTS_TRAINING_H
#define CT_TESTS_TRAINING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "cotan/task.h"
#include "pictures.h"

enum { TRAINING_EPOCHS = 3, TRAINING_BATCHES = 18, TRAINING_STEPS = 54, TRAINING_EVERY = 4 };

static char training_folder[64];

/* A path in the test's folder; sixteen may be in use at a time. */
static inline const char *at(const char *name) {
    static char path[16][200];
    static int turn;
    turn = (turn + 1) % 16;
    snprintf(path[turn], sizeof path[turn], "%s/%s", training_folder, name);
    return path[turn];
}

static inline ct_image_train training(const char *output) {
    static char net[200];
    snprintf(net, sizeof net, "%s/small.net", training_folder);
    return (ct_image_train){.data = training_folder,
                            .output = output,
                            .net = net,
                            .epochs = TRAINING_EPOCHS,
                            .batch = 32,
                            .seed = 5,
                            .threads = 1,
                            .checkpoint_every = TRAINING_EVERY,
                            .average = 0.9,
                            .transform = "normalize mean=0.3 std=0.3, random_crop 8 pad=1, flip 0.5"};
}

static inline ct_status train(const ct_image_train *o, ct_err *e) {
    ct_train_result r;
    memset(e, 0, sizeof *e);
    return ct_train_image(o, &r, e);
}

static inline int training_write(const char *path, const char *text) {
    FILE *f = fopen(path, "w");
    return f && fputs(text, f) >= 0 && fclose(f) == 0;
}

/* The folder with its data, and whole.safetensors: the training that was never disturbed. */
static inline int training_prepare(void **state) {
    ct_err e = {0};
    (void)state;
    snprintf(training_folder, sizeof training_folder, "%s/cotan_training_XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"); /* memory: thousands of syncs */
    if (!mkdtemp(training_folder) || !pictures(training_folder, 640, 64, 8)) return -1;
    if (!training_write(
            at("small.net"),
            "h = maxpool2d(relu(batch_norm(conv2d(input(image), \"c\", 8, 3, pad=1), \"bn\")), 2)\n"
            "h = dropout(relu(linear(flatten(h), \"fc\", 16)), \"d\", 0.2)\n"
            "logit = linear(h, \"out\", classes)\n"))
        return -1;
    ct_image_train o = training(at("whole.safetensors"));
    ct_status s = train(&o, &e);
    if (s) print_message("%s\n", e.text);
    return s ? -1 : 0;
}

static inline int training_clean(void **state) {
    char command[100];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", training_folder);
    return system(command);
}

static inline void remove_tree(const char *path) {
    char command[300];
    snprintf(command, sizeof command, "rm -rf %s", path);
    assert_int_equal(system(command), 0);
}

/* A file's bytes; freed by ct_delete(NULL, ...). */
static inline void *bytes_of(const char *path, uint64_t *n) {
    void *p = NULL;
    ct_err e = {0};
    if (ct_file_read(NULL, NULL, path, 0, &p, n, &e)) fail_msg("%s", e.text);
    return p;
}

static inline void put_bytes(const char *path, const void *data, uint64_t n) {
    ct_err e = {0};
    if (ct_file_write(NULL, NULL, path, data, n, &e)) fail_msg("%s", e.text);
}

static inline void assert_same_file(const char *a, const char *b) {
    uint64_t n, m;
    void *x = bytes_of(a, &n), *y = bytes_of(b, &m);
    if (n != m || memcmp(x, y, n) != 0) fail_msg("%s and %s differ", a, b);
    ct_delete(NULL, x, n);
    ct_delete(NULL, y, m);
}

/* The model, the log and the validation lines of run NAME are those of the training never disturbed. */
static inline void assert_same_run(const char *name) {
    char path[120];
    snprintf(path, sizeof path, "%s.safetensors", name);
    assert_same_file(at("whole.safetensors"), at(path));
    snprintf(path, sizeof path, "%s.run/metrics.jsonl", name);
    assert_same_file(at("whole.run/metrics.jsonl"), at(path));
    snprintf(path, sizeof path, "%s.run/validation.jsonl", name);
    assert_same_file(at("whole.run/validation.jsonl"), at(path));
}

/* Files in a folder whose names hold `part`. */
static inline int count_files(const char *folder, const char *part) {
    int n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *x = d ? readdir(d) : NULL; x; x = readdir(d))
        n += strcmp(x->d_name, ".") != 0 && strcmp(x->d_name, "..") != 0 && strstr(x->d_name, part);
    if (d) closedir(d);
    return n;
}

#endif
