/* test.c: the figures of the test part, put into a run's report by an evaluation. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "task/report/report.h"
#include "task/run.h"

#define LARGEST (8 << 20) /* bytes of a report that is read */

static ct_status section(ct_model *m, const ct_evaluation *v, ct_text *t, ct_arena *a, ct_err *e) {
    const char **label = ct_arena_array(a, (uint64_t)v->classes, sizeof *label);
    if (!label) return ct_fail(e, CT_ELIMIT, "report: out of memory");
    for (int64_t c = 0; c < v->classes; c++)
        label[c] = c < ct_model_labels(m) ? ct_model_label(m, c) : ct_arena_format(a, "%lld", (long long)c);
    ct__report r = {.t = t,
                    .part = "test",
                    .score = &v->score,
                    .calibrated = v->calibrated_on > 0 ? &v->calibrated : NULL,
                    .classes = v->classes,
                    .label = label,
                    .confusion = v->confusion};
    ct_text_add(t, CT__REPORT_TEST_BEGIN "<section>\n<h2>The test part</h2>\n<p>");
    ct__report_whole(t, "test.samples", v->score.samples);
    ct_text_add(t, " pictures of the test part, which training does not read, scored by <code>cotan "
                   "evaluate</code>: what to expect of new pictures like these.</p>\n");
    ct__report_headline(&r);
    ct_text_add(t, "<details><summary>Its confusion matrix and classes</summary>\n");
    ct__report_confusion(&r);
    ct__report_classes(&r);
    ct_text_add(t, "</details>\n</section>\n" CT__REPORT_TEST_END);
    return CT_OK;
}

/* Where `mark` begins in the page's text; NULL: not there. */
static const char *find(const char *data, uint64_t bytes, const char *mark) {
    return memmem(data, (size_t)bytes, mark, strlen(mark));
}

static ct_status replace(const ct_files *f, ct_model *m, const ct_evaluation *v, const char *path,
                         const char *data, uint64_t bytes, int *put, ct_err *e) {
    const ct_allocator *a = ct_allocator_of(ct_model_context(m));
    ct_arena arena = {.allocator = a};
    ct_text t = {.allocator = a};
    const char *begin = find(data, bytes, CT__REPORT_TEST_BEGIN),
               *end = find(data, bytes, CT__REPORT_TEST_END);
    if (!begin || !end || end < begin) return CT_OK; /* another page */
    ct_text_bytes(&t, data, (size_t)(begin - data));
    ct_status s = section(m, v, &t, &arena, e);
    end += strlen(CT__REPORT_TEST_END);
    ct_text_bytes(&t, end, (size_t)(data + bytes - end));
    if (!s && t.failed) s = ct_fail(e, CT_ELIMIT, "report: out of memory");
    if (!s) s = ct_file_write(f, a, path, t.data, t.length, e);
    *put = !s;
    ct_text_free(&t);
    ct_arena_free(&arena);
    return s;
}

ct_status ct_report_add_test(ct_model *m, const char *model, const ct_evaluation *v, char report[4200],
                             ct_err *e) {
    const ct_allocator *a = ct_allocator_of(ct_model_context(m));
    const ct_files *f = ct_files_of(ct_model_context(m));
    ct__run run = {.files = f, .allocator = a, .lock = -1};
    ct_err none = {0};
    void *data = NULL;
    uint64_t bytes = 0;
    int put = 0;
    char path[4200];
    report[0] = '\0';
    if (strcmp(v->part, "test") != 0 || strcmp(model, "-") == 0 || ct__run_paths(&run, model, &none))
        return CT_OK;
    if (!ct__run_has(&run, "report.html")) return CT_OK;
    (void)ct__run_path(&run, "report.html", path);
    ct_status s = ct_file_read(f, a, path, LARGEST, &data, &bytes, e);
    if (!s) s = replace(f, m, v, path, data, bytes, &put, e);
    if (put) memcpy(report, path, sizeof path);
    ct_delete(a, data, bytes);
    return s;
}
