/* image_report.c: report.html of a training of pictures. It is written before the model,
 * so that a resumed run writes it again, from what stands in the run folder
 * (metrics.jsonl, validation.jsonl, config.json), the validation pictures and the finished net. Apart from times, and
 * the time of ops, it is a function of the run. */
#include "task/report/image_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading the run ---- */

/* Calls each line's object; lines are whole, the job has just written them. */
static ct_status read_lines(ct__page *p, const char *name, ct_status (*each)(ct__page *p, json_t *row)) {
    ct__image_job *j = p->j;
    char path[4200];
    void *data = NULL;
    uint64_t bytes = 0;
    ct_status s = ct_file_read(&j->o->files, &j->o->allocator, ct__run_path(&j->run, name, path), 0, &data,
                               &bytes, p->e);
    for (const char *at = data, *end = at + bytes; !s && at < end;) {
        const char *line = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((line ? line : end) - at);
        json_t *row = json_loadb(at, length, 0, NULL);
        s = row ? each(p, row)
                : ct_fail_at(p->e, CT_EDATA, path, at - (const char *)data, "no JSON; wanted a line of it");
        json_decref(row);
        at += length + 1;
    }
    ct_delete(&j->o->allocator, data, bytes);
    return s;
}

static ct_status add_epoch(ct__page *p, json_t *row) {
    return json_array_append(p->rows, row) ? ct_fail(p->e, CT_ELIMIT, "report: out of memory") : CT_OK;
}

static ct_status add_sample(ct__page *p, json_t *row) {
    ct__sample *s = &p->sample[p->n];
    if (p->n == p->j->validation_count) return CT_OK;
    *s = (ct__sample){.label = json_integer_value(json_object_get(row, "label")),
                      .prediction = json_integer_value(json_object_get(row, "prediction")),
                      .probability = json_number_value(json_object_get(row, "probability")),
                      .loss = json_number_value(json_object_get(row, "loss"))};
    if (s->label < 0 || s->label >= p->j->classes || s->prediction < 0 || s->prediction >= p->j->classes)
        return ct_fail(p->e, CT_EDATA, "validation.jsonl: class %lld; wanted 0 to %lld", (long long)s->label,
                       (long long)p->j->classes - 1);
    p->confusion[s->label * p->j->classes + s->prediction]++;
    p->n++;
    return CT_OK;
}

static ct_status read_run(ct__page *p) {
    ct__image_job *j = p->j;
    p->rows = json_array();
    p->sample = ct_arena_array(&p->arena, (uint64_t)j->validation_count + 1, sizeof *p->sample);
    p->confusion = ct_arena_array(&p->arena, (uint64_t)(j->classes * j->classes), sizeof *p->confusion);
    p->label = ct_arena_array(&p->arena, (uint64_t)j->classes, sizeof *p->label);
    if (!p->rows || !p->sample || !p->confusion || !p->label)
        return ct_fail(p->e, CT_ELIMIT, "report: out of memory");
    for (int64_t c = 0; c < j->classes; c++) {
        char name[256];
        p->label[c] = ct_arena_text(&p->arena, ct__image_class(j, c, name));
        if (!p->label[c]) return ct_fail(p->e, CT_ELIMIT, "report: out of memory");
    }
    ct_status s = read_lines(p, "metrics.jsonl", add_epoch);
    return s ? s : read_lines(p, "validation.jsonl", add_sample);
}

/* ---- the page ---- */

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static void head(const ct__page *p, ct_text *t) {
    const ct__image_job *j = p->j;
    char train[32], n[32];
    ct_text_format(t, "<header><p class=\"over\">cotan %s &middot; training report</p>\n<h1>", CT_VERSION);
    ct__report_text(t, base_name(j->run.model));
    ct_text_add(t, "</h1>\n<p>");
    ct__report_text(t, j->recipe.model);
    ct_text_format(
        t,
        ", trained on %s pictures of %lld class%s. Scored on the <b>validation part</b>: %s "
        "pictures that the weights never met, but by which the best of %lld epoch%s was chosen (%lld).",
        ct_group_digits(j->train_count, train), (long long)j->classes, j->classes == 1 ? "" : "es",
        ct_group_digits(j->validation_count, n), (long long)j->epoch, j->epoch == 1 ? "" : "s",
        (long long)j->best_epoch);
    ct_text_add(t, "</p></header>\n");
}

/* An evaluation puts the test part's figures in place of this. */
static void no_test_yet(ct_text *t) {
    ct_text_add(t, CT__REPORT_TEST_BEGIN
                "<p class=\"note\">The test part was not touched; <code>cotan evaluate</code> adds its "
                "figures here.</p>\n" CT__REPORT_TEST_END);
}

static void fact(ct_text *t, const char *name, const char *text) {
    if (!text || !*text) return;
    ct_text_format(t, "<tr><td>%s</td><td>", name);
    ct__report_text(t, text);
    ct_text_add(t, "</td></tr>\n");
}

static void facts(ct__page *p, ct_text *t) {
    const ct__image_job *j = p->j;
    const ct__recipe *r = &j->recipe;
    ct_err ignored = {0};
    json_t *config = NULL;
    ct_text line = {.allocator = t->allocator};
    (void)ct__run_read(&j->run, "config.json", &config, &ignored);
    ct_text_add(t, "<h2>How it was made</h2>\n<p class=\"note\">This command makes the same file again, bit "
                   "by bit, with the same "
                   "data, instructions and kernels.</p>\n<pre>");
    const char *command = json_string_value(json_object_get(config, "command"));
    ct__report_words(t, command && *command ? command : "(a program trained it)");
    ct_text_add(t, "</pre>\n<table class=\"facts\">\n");
    fact(t, "net", r->model);
    fact(t, "data", j->data);
    ct_text_format(&line, "%s (training part), %s (validation part)", j->train_hash, j->validation_hash);
    fact(t, "hash of the data", line.data);
    line.length = 0;
    fact(t, "transform", r->transform);
    ct_text_format(&line, "%s, learning rate ", r->optimiser);
    ct_text_number(&line, r->lr);
    ct_text_format(&line, " (%s), batches of %lld, %lld steps, seed %llu", r->schedule, (long long)r->batch,
                   (long long)j->step, (unsigned long long)r->seed);
    fact(t, "training", line.data);
    line.length = 0;
    ct_text_format(&line, "cotan %s, %s, %s, %d thread%s", CT_VERSION, ct_kernel_library(), ct_cpu_features(),
                   ct_threads(j->ctx), ct_threads(j->ctx) == 1 ? "" : "s");
    fact(t, "made with", line.data);
    ct_text_add(t, "</table>\n<details><summary>The net as text</summary><pre>");
    for (const char *at = r->net; at && *at;) {
        size_t n = strcspn(at, "\n");
        char *one = ct_arena_format(&p->arena, "%.*s", (int)n, at);
        ct__report_text(t, one ? one : "");
        ct_text_add(t, "\n");
        at += n + (at[n] == '\n');
    }
    ct_text_add(t, "</pre></details>\n");
    t->failed |= line.failed;
    ct_text_free(&line);
    json_decref(config);
}

#define MOST_FOUND 20

/* What reading and the audit said of picture files. */
static void found(ct__page *p, ct_text *t) {
    const char *line = p->j->found.data;
    int64_t n = 0;
    if (!line || !*line) return;
    ct_text_add(t, "<h2>What the data is like</h2>\n<ul class=\"data\">\n");
    for (; *line; n++) {
        size_t length = strcspn(line, "\n");
        char *one = n < MOST_FOUND ? ct_arena_format(&p->arena, "%.*s", (int)length, line) : NULL;
        if (one) {
            ct_text_add(t, "<li>");
            ct__report_text(t, one);
            ct_text_add(t, "</li>\n");
        }
        line += length + (line[length] == '\n');
    }
    if (n > MOST_FOUND) ct_text_format(t, "<li>and %lld more</li>\n", (long long)(n - MOST_FOUND));
    ct_text_add(t, "</ul>\n");
}

/* The curves, and in words: is there room, or too much? */
static void curves(const ct__page *p, ct_text *t) {
    ct_gap g;
    ct_err ignored = {0};
    const ct__image_job *j = p->j;
    int known = ct_run_gap(&j->o->files, &j->o->allocator, j->run.folder, &g, &ignored) == CT_OK &&
                g.verdict != CT_GAP_UNKNOWN;
    ct__report_curves(t, p->rows, known ? g.text : NULL);
}

/* The ones to look at first. */
static void mistakes(const ct__page *p, ct_text *t) {
    ct_text_add(t, "<h2>The most confident mistakes</h2>\n");
    if (p->mistakes == 0) {
        ct_text_add(t, "<p>There are none: the validation part was named without one.</p>\n");
        return;
    }
    ct_text_add(t, "<p class=\"note\">Of the validation part; the probability is that of the wrong answer, "
                   "as predict shows it. "
                   "Look here for wrong labels first.</p>\n<div class=\"grid\">\n");
    if (p->shown.data) ct_text_bytes(t, p->shown.data, p->shown.length);
    ct_text_add(t, "</div>\n");
}

/* The range test of --lr auto, where there was one. */
static ct_status range(ct__page *p, ct_text *t) {
    if (!ct__run_has(&p->j->run, "lr.jsonl")) return CT_OK;
    json_t *rows = p->rows, *curve = json_array();
    p->rows = curve;
    ct_status s =
        curve ? read_lines(p, "lr.jsonl", add_epoch) : ct_fail(p->e, CT_ELIMIT, "report: out of memory");
    p->rows = rows;
    if (!s) ct__report_range(t, curve, p->j->recipe.lr);
    json_decref(curve);
    return s;
}

static ct_status body(ct__page *p, ct_text *t) {
    ct__image_job *j = p->j;
    ct_status s = ct__page_pictures(p);
    ct__report r = {.t = t,
                    .part = "validation",
                    .score = &j->result.validation,
                    .classes = j->classes,
                    .label = p->label,
                    .confusion = p->confusion,
                    .example = p->example};
    if (s) return s;
    head(p, t);
    ct__report_headline(&r);
    no_test_yet(t);
    ct__report_doctor(t, p->rows, j->doctor != NULL);
    curves(p, t);
    s = range(p, t);
    ct__report_confusion(&r);
    mistakes(p, t);
    if (!s) s = ct__page_why(p, t);
    ct__report_classes(&r);
    ct__report_rates(t, p->rows);
    ct__report_health(t, p->rows);
    ct__page_filters(p, t);
    if (!s)
        s = ct__report_ops(t, ct_trainer_session(j->trainer), ct_trainer_plan(j->trainer),
                           j->recipe.batch < j->train_count ? j->recipe.batch : j->train_count, p->e);
    found(p, t);
    facts(p, t);
    ct_text_add(t, "<div hidden>\n");
    if (p->hidden.data) ct_text_bytes(t, p->hidden.data, p->hidden.length);
    ct_text_add(t, "</div>\n");
    return s;
}

static ct_status write_page(ct__page *p, const char *path) {
    ct__image_job *j = p->j;
    char title[300], name[200];
    ct_text t = {.allocator = &j->o->allocator};
    snprintf(title, sizeof title, "%s - training report",
             ct_escape(base_name(j->run.model), name, sizeof name));
    ct_status s = read_run(p);
    ct__report_begin(&t, title);
    if (!s) s = body(p, &t);
    ct__report_end(&t);
    if (!s && (t.failed || p->shown.failed || p->hidden.failed))
        s = ct_fail(p->e, CT_ELIMIT, "report: out of memory");
    if (!s) s = ct_file_write(&j->o->files, &j->o->allocator, path, t.data, t.length, p->e);
    ct_text_free(&t);
    return s;
}

ct_status ct__image_report(ct__image_job *j) {
    char path[4200];
    ct__page p = {.j = j, .e = j->e, .arena = {.allocator = &j->o->allocator}};
    if (j->o->report && strcmp(j->o->report, "none") == 0) return CT_OK;
    ct__tell_busy(j, "writing", "the report", 0, 0);
    (void)ct__run_path(&j->run, "report.html", path);
    if (j->o->report) snprintf(path, sizeof path, "%s", j->o->report);
    ct_status s = write_page(&p, path);
    if (s == CT_ELIMIT &&
        j->o->memory > 0) { /* the model keeps to the bound; the page is not worth the run */
        ct__tell_note(j, "the report is not written: %s", j->e->text);
        ct_error_clear(j->e);
        s = CT_OK;
    } else if (!s)
        snprintf(j->result.report, sizeof j->result.report, "%s", path);
    ct_text_free(&p.shown);
    ct_text_free(&p.hidden);
    json_decref(p.rows);
    ct_arena_free(&p.arena);
    return s;
}
