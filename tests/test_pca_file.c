/* test_pca_file.c: the jobs around principal components as calls: every allocation and every file operation fails once,
 * and what is left is nothing or everything; components from a model are those that were fitted; comparisons. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "cotan/task.h"
#include "meter.h"
#include "seam.h"
#include "task/report/plot.h"

static char folder[] = "/tmp/cotan_pca_XXXXXX";
static char csv[80], npy[80], model[80], run_model[80];

static const char *at(const char *name, char out[80]) {
    snprintf(out, 80, "%.40s/%.30s", folder, name);
    return out;
}

static void remove_output(void) {
    static const char *const names[] = {"m.safetensors", "m.run/scores.csv", "m.run/report.html",
                                        "m.run/config.json", "m.run/lock"};
    char path[80];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) unlink(at(names[i], path));
    rmdir(at("m.run", path));
}

static int setup(void **state) {
    char path[80], text[2000] = "a,b,kind,c\n";
    double x[24];
    (void)state;
    if (!mkdtemp(folder)) return 1;
    at("x.csv", csv), at("x.npy", npy), at("m.safetensors", model), at("k.safetensors", run_model);
    for (int i = 0; i < 8; i++) {
        for (int k = 0; k < 3; k++) x[3 * i + k] = (double)((i * 7 + k * 5) % 11) + i * (double)k / 3;
        snprintf(text + strlen(text), sizeof text - strlen(text), "%.17g,%.17g,%s,%.17g\n", x[3 * i],
                 x[3 * i + 1], i % 2 ? "odd" : "\"even, 0\"", x[3 * i + 2]);
    }
    ct_array a = ct_array_view(x, CT_F64, CT_SHAPE(8, 3));
    return ct_file_write(NULL, NULL, csv, text, strlen(text), NULL) ||
           ct_npy_save(NULL, NULL, npy, &a, NULL) || mkdir(at("old.run", path), 0755) ||
           mkdir(at("new.run", path), 0755);
}
static int teardown(void **state) {
    static const char *const names[] = {"x.csv",
                                        "x.npy",
                                        "old.run/validation.jsonl",
                                        "new.run/validation.jsonl",
                                        "k.safetensors",
                                        "k.run/scores.csv",
                                        "k.run/report.html",
                                        "k.run/config.json",
                                        "k.run/lock"};
    char path[80];
    (void)state;
    remove_output();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) unlink(at(names[i], path));
    rmdir(at("old.run", path)), rmdir(at("new.run", path)), rmdir(at("k.run", path));
    return rmdir(folder);
}

static ct_status fit(const char *output, int incremental, const ct_files *f, meter *m, ct_err *e) {
    ct_pca_task t = {
        .data = csv, .target = "kind", .output = output, .incremental = incremental, .threads = 1};
    ct_pca_result r;
    if (incremental) t.batch = 4, t.pca = (ct_pca_options){.components = 2, .scale = 1};
    if (f) t.files = *f;
    if (m) t.allocator = meter_hook(m);
    ct_status s = ct_pca_file(&t, &r, e);
    if (!s) ct_pca_result_free(&r);
    return s;
}

/* Nothing that an error left would be taken for a result. */
static void nothing_left(const char *what, int64_t site) {
    char path[80];
    static const char *const names[] = {"m.safetensors", "m.run/scores.csv", "m.run/report.html",
                                        "m.run/config.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (access(at(names[i], path), F_OK) == 0)
            fail_msg("%s %lld leaves %s", what, (long long)site, names[i]);
}

static void out_of_memory(void **state) {
    (void)state;
    for (int incremental = 0; incremental < 2; incremental++) {
        int64_t site = 0;
        for (;; site++) {
            meter m = METER;
            ct_err e = {0};
            m.fail_at = site;
            remove_output();
            ct_status s = fit(model, incremental, NULL, &m, &e);
            if (m.live) fail_msg("allocation %lld fails: %lld stay", (long long)site, (long long)m.live);
            if (!s) break;
            if (s != CT_ELIMIT || !strstr(e.text, "memory"))
                fail_msg("allocation %lld: %d %s", (long long)site, (int)s, e.text);
            nothing_left("allocation", site);
        }
        assert_true(site > 20);
    }
}

/* Its folder could not be synced after the rename: an error, as the model may be lost with the power; but no half one. */
static void whole_model(const char *op, int64_t site) {
    ct_pca p;
    ct_err e = {0};
    if (ct_pca_open(NULL, NULL, model, &p, &e))
        fail_msg("%s %lld leaves half a model: %s", op, (long long)site, e.text);
    ct_pca_free(&p);
}

static void files_fail(void **state) {
    static const struct {
        int op, error;
    } rows[] = {{OP_OPEN, EMFILE}, {OP_READ, EIO},     {OP_WRITE, ENOSPC}, {OP_FSYNC, EIO},
                {OP_CLOSE, EIO},   {OP_RENAME, EXDEV}, {OP_MKDIR, EACCES}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t refused = 0;
        for (int64_t site = 0;; site++) {
            seam s = {.op = rows[i].op, .error = rows[i].error, .nth = site};
            ct_files f = seam_files(&s);
            ct_err e = {0};
            remove_output();
            ct_status status = fit(model, 1, &f, NULL, &e);
            assert_int_equal(s.opened, s.closed);
            if (status && status != CT_EIO)
                fail_msg("%s %lld: %d %s", seam_names[rows[i].op], (long long)site, (int)status, e.text);
            refused += status != CT_OK;
            if (status && access(model, F_OK) == 0) whole_model(seam_names[rows[i].op], site);
            if (s.calls[rows[i].op] <= site) break;
        }
        assert_true(refused > 0);
    }
    seam mild = {.op = -1, .mild = 1};
    ct_files f = seam_files(&mild);
    remove_output();
    ct_err e = {0};
    if (fit(model, 1, &f, NULL, &e)) fail_msg("three bytes at a time: %s", e.text);
}

/* ---- from a model ---- */

typedef struct kept {
    double scores[8][3];
    int64_t records, stop_after;
} kept;
static int keep(void *user, const char *path, int64_t record, const double *scores, int64_t components) {
    kept *k = user;
    assert_string_equal(path, csv);
    assert_int_equal(record, k->records);
    assert_int_equal(components, 3);
    memcpy(k->scores[k->records++], scores, sizeof k->scores[0]);
    return k->records == k->stop_after;
}

static void opened(void **state) {
    ct_err e = {0};
    ct_pca p;
    ct_maths maths = {0};
    ct_array x, y;
    kept k = {0}, some = {.stop_after = 3};
    (void)state;
    assert_int_equal(fit(run_model, 0, NULL, NULL, &e), CT_OK);
    if (ct_pca_open(NULL, NULL, run_model, &p, &e)) fail_msg("%s", e.text);
    assert_int_equal(ct_npy_load(NULL, NULL, npy, &x, &e), CT_OK);
    assert_int_equal(ct_pca_transform(&maths, &p, &x, &y, &e), CT_OK);
    if (ct_pca_predict(NULL, run_model, csv, (ct_csv_options){0}, keep, &k, &e)) fail_msg("%s", e.text);
    assert_int_equal(k.records, 8);
    assert_memory_equal(k.scores, y.data, sizeof k.scores);
    assert_int_equal(p.samples, 8);
    assert_int_equal(ct_pca_predict(NULL, run_model, csv, (ct_csv_options){0}, keep, &some, &e), CT_ECANCEL);
    assert_int_equal(some.records, 3);
    ct_array_free(&x), ct_array_free(&y);
    ct_pca_free(&p);
    ct_error_clear(&e);
    assert_int_equal(ct_pca_open(NULL, NULL, csv, &p, &e), CT_EDATA);
}

static void predicting_without_memory(void **state) {
    (void)state;
    for (int64_t site = 0;; site++) {
        meter m = METER;
        ct_err e = {0};
        kept k = {0};
        m.fail_at = site;
        ct_options o = {.allocator = meter_hook(&m), .threads = 1};
        ct_status s = ct_pca_predict(&o, run_model, csv, (ct_csv_options){0}, keep, &k, &e);
        if (m.live) fail_msg("allocation %lld fails: %lld stay", (long long)site, (long long)m.live);
        if (!s) break;
        if (s != CT_ELIMIT || !strstr(e.text, "memory"))
            fail_msg("allocation %lld: %d %s", (long long)site, (int)s, e.text);
    }
}

/* ---- comparing ---- */

static void write_run(const char *name, int right, double loss) {
    enum { MANY = 3000 }; /* enough for more than one piece of memory */
    static char text[MANY * 80];
    char path[80], file[64];
    size_t end = 0;
    for (int i = 0; i < MANY; i++)
        end +=
            (size_t)snprintf(text + end, sizeof text - end,
                             "{\"record\": %d, \"label\": \"x\", \"prediction\": \"%s\", \"loss\": %.3f}\n",
                             i, i % 30 < right ? "x" : "y", loss + 0.01 * (i % 3));
    snprintf(file, sizeof file, "%s/validation.jsonl", name);
    assert_int_equal(ct_file_write(NULL, NULL, at(file, path), text, strlen(text), NULL), CT_OK);
}

static void compared(void **state) {
    char old[80], new[80];
    ct_comparison c;
    ct_err e = {0};
    (void)state;
    at("old.run", old), at("new.run", new);
    write_run("old.run", 10, 2);
    write_run("new.run", 25, 1);
    for (int64_t site = 0;; site++) {
        meter m = METER;
        m.fail_at = site;
        ct_allocator a = meter_hook(&m);
        ct_error_clear(&e);
        ct_status s = ct_compare_runs(NULL, &a, old, new, "loss", &c, &e);
        if (m.live) fail_msg("allocation %lld fails: %lld stay", (long long)site, (long long)m.live);
        if (!s) break;
        if (s != CT_ELIMIT || !strstr(e.text, "memory"))
            fail_msg("allocation %lld: %d %s", (long long)site, (int)s, e.text);
    }
    assert_true(fabs(c.difference + 1) < 1e-12 && c.better == 2 && c.pairs == 3000);
    assert_int_equal(ct_compare_runs(NULL, NULL, new, old, NULL, &c, &e), CT_OK);
    assert_string_equal(c.metric, "accuracy");
    assert_true(c.better == 1 && fabs(c.difference + 0.5) < 1e-12);
    assert_true(c.records[0] == 3000 && c.records[1] == 3000 && c.p_value < 1e-4);
    assert_int_equal(ct_compare_runs(NULL, NULL, new, old, "precision", &c, &e), CT_EUSAGE);
}

/* Three digits of a page, of the tiniest and largest numbers too. */
static void page_numbers(void **state) {
    static const struct {
        double v;
        const char *text;
    } rows[] = {
        {1.1711e-29, "1.17e-29"}, {-9.999e200, "-1e201"}, {0.0244123, "0.0244"}, {0, "0"}, {-0.0, "0"},
        {1234.5, "1230"},         {5e-324, "5e-324"},     {1.7e308, "1.7e308"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ct_text t = {0};
        ct__plot_number(&t, rows[i].v);
        if (strcmp(t.data, rows[i].text) != 0) fail_msg("%s; wanted %s", t.data, rows[i].text);
        ct_text_free(&t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(out_of_memory), cmocka_unit_test(files_fail),
        cmocka_unit_test(opened),        cmocka_unit_test(predicting_without_memory),
        cmocka_unit_test(compared),      cmocka_unit_test(page_numbers)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
