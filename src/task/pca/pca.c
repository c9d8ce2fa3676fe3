/* pca.c: principal components of a file: read, fit, then once more over the records for their scores, the error and the
 * points of the plot; model, scores, report and config.json at the end. */
#include "task/pca/pca.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

void ct__pca_tell(const ct__pca_job *j, int32_t kind, const char *key, const char *format, ...) {
    char text[1000];
    va_list args;
    if (!j->o->tell) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ct_event event = {.kind = kind, .key = key, .text = text};
    j->o->tell(j->o->user, &event);
}

ct_status ct__pca_memory(ct__pca_job *j) {
    return ct_fail(j->e, CT_ELIMIT, "pca: out of memory; use a smaller file, or --incremental");
}

/* ---- before ---- */

static ct_status check_output(ct__pca_job *j) {
    struct stat a, b;
    ct_status s = ct__run_paths(&j->run, j->o->output, j->e);
    if (s) return s;
    if (stat(j->run.model, &a) == 0 && stat(j->o->data, &b) == 0 && a.st_ino == b.st_ino &&
        a.st_dev == b.st_dev)
        return ct_fail(j->e, CT_EUSAGE, "-o %s: is the data; wanted another name; choose one", j->run.model);
    if (!j->o->force && ct__run_has(&j->run, NULL))
        return ct_fail(j->e, CT_EUSAGE,
                       "-o %s: exists; wanted a new file; give --force to replace it, or another name",
                       j->run.model);
    if (!j->o->force && ct__run_has(&j->run, "config.json"))
        return ct_fail(j->e, CT_EUSAGE, "%s: holds a run; wanted a new folder; give --force, or another name",
                       j->run.folder);
    return ct__run_open(&j->run, j->e);
}

static ct_status check_options(ct__pca_job *j) {
    const ct_pca_options *p = &j->o->pca;
    if (!j->o->data) return ct_fail(j->e, CT_EUSAGE, "pca: no data; wanted a file; name one");
    if (j->o->incremental && (p->variance > 0 || p->solver || p->oversample || p->passes))
        return ct_fail(j->e, CT_EUSAGE,
                       "pca: --incremental with a share of variance or a solver, which want all the data; "
                       "wanted a number of "
                       "components; give -k, or leave --incremental out");
    return CT_OK;
}

/* ---- the run ---- */

static json_t *path_json(const char *path) { return path ? ct__json_path(path) : json_null(); }

const char *ct__pca_solver(int32_t solver) {
    static const char *const names[] = {"auto", "svd", "covariance", "randomised"};
    return names[solver & 3];
}

static ct_status write_config(ct__pca_job *j) {
    const ct_pca_task *o = j->o;
    json_t *v = json_pack("{s:s, s:o, s:o, s:o, s:o, s:I, s:o, s:s, s:b, s:b, s:b, s:i, s:s, s:s}", "task",
                          "pca", "data", path_json(o->data), "target", path_json(o->target), "transform",
                          path_json(j->records.transform), "command", path_json(o->command), "components",
                          (json_int_t)o->pca.components, "variance", ct__json_number(o->pca.variance),
                          "solver", ct__pca_solver(o->pca.solver), "whiten", o->pca.whiten != 0, "scale",
                          o->pca.scale != 0, "incremental", o->incremental != 0, "threads", o->threads,
                          "instructions", ct_cpu_features(), "version", CT_VERSION);
    ct_status s = v ? ct__run_write(&j->run, "config.json", v, j->e) : ct__pca_memory(j);
    json_decref(v);
    return s;
}

/* Names such as 5.1, 3.5, 1.4: a record, taken for names; 0, 1, 2 or 1, 2, 3 are names. */
static int named_by_numbers(const ct__pca_job *j) {
    const ct__records *r = &j->records;
    int counted = 1;
    if (!r->csv || !r->name || j->o->csv.no_header) return 0;
    double first = 0, v;
    for (int64_t i = 0; i < r->features; i++) {
        if (!ct_parse_number(r->name[i], &v)) return 0;
        if (i == 0) first = v;
        counted = counted && (first == 0 || first == 1) && v == first + (double)i;
    }
    return !counted;
}

static void tell_data(const ct__pca_job *j) {
    const ct__records *r = &j->records;
    const ct_pca *p = &j->result->pca;
    ct__pca_tell(j, CT_EVENT_FACT, "data", "%lld records of %lld features", (long long)r->count,
                 (long long)r->features);
    ct__pca_tell(j, CT_EVENT_FACT, "components", "%lld", (long long)p->components.dim[0]);
    if (named_by_numbers(j))
        ct__pca_tell(j, CT_EVENT_NOTE, NULL,
                     "the first line, all numbers, was taken for names; --no-header if it is a record");
}

static void tell_line(void *user, const char *line) { ct__pca_tell(user, CT_EVENT_NOTE, NULL, "%s", line); }

static ct_status run(ct__pca_job *j) {
    ct__records_options o = {.target = j->o->target,
                             .stream = j->o->incremental,
                             .csv = j->o->csv,
                             .transform = j->o->transform,
                             .follow_links = j->o->follow_links,
                             .allow_broken = j->o->allow_broken,
                             .threads = j->o->threads,
                             .tell = tell_line,
                             .user = j};
    ct_status s = check_options(j);
    if (!s) s = ct__records_open(&j->records, &j->o->files, &j->o->allocator, j->o->data, o, j->e);
    if (!s && j->o->output) s = check_output(j);
    if (!s) s = ct__pca_batch(j);
    if (!s) s = ct__pca_fit(j);
    if (s) return s;
    j->result->records = j->records.count;
    j->result->features = j->records.features;
    tell_data(j);
    if (!j->o->output) return CT_OK;
    s = ct__pca_score(j);
    if (!s) s = ct__pca_report(j);
    if (!s) s = write_config(j);
    if (!s) s = ct__pca_save_model(j);
    if (!s) snprintf(j->result->model, sizeof j->result->model, "%s", j->run.model);
    return s;
}

/* Names live in the records: the result has copies. */
static ct_status keep_names(ct__pca_job *j) {
    ct_pca_result *r = j->result;
    if (!j->records.name) return CT_OK;
    const char **name = ct_arena_array(&r->names, (uint64_t)r->features, sizeof *name);
    for (int64_t i = 0; name && i < r->features; i++) {
        name[i] = ct_arena_text(&r->names, j->records.name[i]);
        if (!name[i]) return ct__pca_memory(j);
    }
    r->name = name;
    return name ? CT_OK : ct__pca_memory(j);
}

/* What failed leaves no trace in a folder of its own. */
static void close_run(ct__pca_job *j, ct_status s) {
    static const char *const names[] = {"scores.csv", "report.html", "config.json"};
    ct_err ignored = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names && s && !j->run.begun; i++)
        (void)ct__run_remove(&j->run, names[i], &ignored);
    if (!s) j->run.begun = 1;
    ct__run_close(&j->run);
}

ct_status ct_pca_file(const ct_pca_task *o, ct_pca_result *out, ct_err *e) {
    ct_pca_result result = {.error = NAN};
    ct__pca_job j = {.o = o, .e = e, .result = &result};
    j.records.target = -1;
    j.run = (ct__run){.files = &o->files, .allocator = &o->allocator, .lock = -1};
    j.arena.allocator = &o->allocator;
    result.names.allocator = o->allocator.allocate ? &o->allocator : NULL;
    ct_status s = run(&j);
    if (!s) s = keep_names(&j);
    if (j.run.lock >= 0) close_run(&j, s);
    ct_array_free(&j.batch);
    ct_array_free(&j.whole);
    ct__records_close(&j.records);
    ct_arena_free(&j.arena);
    if (s)
        ct_pca_result_free(&result);
    else
        *out = result;
    return s;
}

void ct_pca_result_free(ct_pca_result *r) {
    if (!r) return;
    ct_pca_free(&r->pca);
    ct_arena_free(&r->names);
    memset(r, 0, sizeof *r);
}
