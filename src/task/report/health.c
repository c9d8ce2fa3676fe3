/* health.c: what the doctor found and measured, and where the time of a step goes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "task/report/plot.h"
#include "task/report/report.h"

#define ENOUGH 4 /* measurements: most faults are named where they last (nn/doctor.h) */

static double number(const json_t *v, const char *key) {
    const json_t *x = json_object_get(v, key);
    return json_is_number(x) ? json_number_value(x) : NAN;
}
static const char *text_of(const json_t *v, const char *key) {
    const char *s = json_string_value(json_object_get(v, key));
    return s ? s : "";
}
static const json_t *last_with(const json_t *rows, const char *key) {
    for (size_t i = json_array_size(rows); i-- > 0;) {
        const json_t *list = json_object_get(json_array_get(rows, i), key);
        if (json_array_size(list)) return list;
    }
    return NULL;
}

void ct__report_doctor(ct_text *t, const json_t *rows, int doctor) {
    const json_t *list = last_with(rows, "findings");
    ct_text_add(t, "<h2>The doctor</h2>\n");
    if (!list && !doctor) {
        ct_text_add(t, "<p>This training ran without it.</p>\n");
        return;
    }
    if (!list) {
        const json_t *last = json_array_get(rows, json_array_size(rows) - 1);
        int64_t measured = json_integer_value(json_object_get(last, "measurements"));
        ct_text_format(t,
                       measured < ENOUGH
                           ? "<p>It measured %lld time%s, too few to judge: the training was short.</p>\n"
                           : "<p>Nothing was found wrong with this training in %lld measurement%s.</p>\n",
                       (long long)measured, measured == 1 ? "" : "s");
        return;
    }
    ct_text_add(t, "<ul class=\"doctor\">\n");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *f = json_array_get(list, i);
        ct_text_format(t, "<li data-f=\"%zu\">", i);
        ct__report_text(t, text_of(f, "text"));
        ct_text_add(t, "<div class=\"try\">Try ");
        ct__report_words(t, text_of(f, "advice"));
        char k[60];
        snprintf(k, sizeof k, "finding.%zu.step", i);
        ct_text_add(t, " (found after step ");
        ct__report_whole(t, k, (int64_t)number(f, "step"));
        ct_text_add(t, ")</div></li>\n");
    }
    ct_text_add(t, "</ul>\n");
}

/* ---- health ---- */

/* kinds: 1 there are ReLUs, 2 there are others; a column that nobody fills is left out. */
static void layer_row(ct_text *t, size_t i, const json_t *v, int kinds) {
    char k[60];
    double units = number(v, "units"), dead = number(v, "dead"), saturated = number(v, "saturated");
    int relu = strcmp(text_of(v, "op"), "relu") == 0;
    ct_text_add(t, "<tr><td>");
    ct__report_text(t, text_of(v, "layer"));
    ct_text_add(t, "</td><td class=\"l\">");
    ct__report_text(t, text_of(v, "op"));
    ct_text_add(t, "</td><td>");
    snprintf(k, sizeof k, "layer.%zu.units", i);
    ct__report_whole(t, k, (int64_t)units);
    if (kinds & 1) ct_text_add(t, "</td><td>");
    snprintf(k, sizeof k, "layer.%zu.active", i);
    if (relu) ct__report_percent(t, k, number(v, "active"), 1);
    if (kinds & 1) ct_text_add(t, "</td><td>");
    snprintf(k, sizeof k, "layer.%zu.dead", i);
    if (relu) ct__report_value(t, k, dead, 0);
    if (kinds & 2) ct_text_add(t, "</td><td>");
    snprintf(k, sizeof k, "layer.%zu.saturated", i);
    if (!relu) ct__report_percent(t, k, saturated, 1);
    ct_text_add(t, "</td><td class=\"l\">");
    if (isfinite(relu ? dead : saturated)) ct__report_bar(t, relu ? dead / units : saturated, 1);
    ct_text_add(t, "</td></tr>\n");
}

static void layers_table(ct_text *t, const json_t *layers) {
    int kinds = 0;
    for (size_t i = 0; i < json_array_size(layers); i++)
        kinds |= strcmp(text_of(json_array_get(layers, i), "op"), "relu") == 0 ? 1 : 2;
    ct_text_format(
        t,
        "<div class=\"wide\"><table><tr><th>activation of</th><th class=\"l\"></th><th>units</th>%s%s"
        "<th></th></tr>\n",
        kinds & 1 ? "<th>active</th><th>dead</th>" : "", kinds & 2 ? "<th>saturated</th>" : "");
    for (size_t i = 0; i < json_array_size(layers); i++) layer_row(t, i, json_array_get(layers, i), kinds);
    ct_text_add(t, "</table></div>\n");
}

static void weight_row(ct_text *t, size_t i, const json_t *v) {
    static const char *const keys[] = {"gradient", "weight", "update"};
    ct_text_add(t, "<tr><td>");
    ct__report_text(t, text_of(v, "name"));
    for (size_t n = 0; n < 3; n++) {
        char k[60];
        snprintf(k, sizeof k, "weight.%zu.%s", i, keys[n]);
        ct_text_add(t, "</td><td>");
        ct__report_short(t, k, number(v, keys[n]));
    }
    ct_text_add(t, "</td></tr>\n");
}

void ct__report_health(ct_text *t, const json_t *rows) {
    const json_t *layers = last_with(rows, "layers"), *weights = last_with(rows, "weights");
    if (!layers && !weights) return;
    ct_text_add(
        t,
        "<h2>Health of the layers</h2>\n<p class=\"note\">At the doctor's last measurement. A unit is dead "
        "when "
        "it gave 0 in the last eight. Gradients and weights are roots of mean squares; the update is what "
        "one "
        "step changed, as a share of the weights.</p>\n<div class=\"two\">\n");
    if (layers) layers_table(t, layers);
    if (weights) {
        ct_text_add(
            t,
            "<div "
            "class=\"wide\"><table><tr><th>weight</th><th>gradient</th><th>size</th><th>update</th></tr>\n");
        for (size_t i = 0; i < json_array_size(weights); i++) weight_row(t, i, json_array_get(weights, i));
        ct_text_add(t, "</table></div>\n");
    }
    ct_text_add(t, "</div>\n");
}

/* ---- time ---- */

#define MOST_OPS 64
typedef struct op_time {
    const char *op;
    double ms;
    int64_t steps, order;
} op_time;

static int slowest_first(const void *a, const void *b) {
    const op_time *x = a, *y = b;
    if (x->ms < y->ms || x->ms > y->ms) return x->ms > y->ms ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static int64_t collect(ct_plan *p, int64_t batch, op_time *ops, double *sum) {
    ct_step_info info;
    int64_t n = 0;
    for (int64_t i = 0; ct_plan_step(p, batch, i, &info, NULL) == CT_OK; i++) {
        int64_t k = 0;
        while (k < n && strcmp(ops[k].op, info.op) != 0) k++;
        if (k == MOST_OPS) continue;
        if (k == n) ops[n] = (op_time){.op = info.op, .order = n}, n++;
        ops[k].ms += info.ms;
        ops[k].steps++;
        *sum += info.ms;
    }
    return n;
}

/* Times vary, all else on the page does not. */
static void time_text(ct_text *t, double ms) {
    ct_text_add(t, "<span data-t>");
    ct__plot_number(t, ms);
    ct_text_add(t, "</span>&#8239;ms");
}

ct_status ct__report_ops(ct_text *t, ct_session *session, ct_plan *p, int64_t batch, ct_err *e) {
    op_time ops[MOST_OPS];
    double sum = 0;
    ct_status s = ct_plan_profile(session, p, batch, 3);
    if (s == CT_ENONFINITE) return CT_OK; /* a trap, at the numbers that are measured on */
    if (s) return ct_fail(e, s, "report: %s", ct_session_error(session));
    int64_t n = collect(p, batch, ops, &sum), shown = n < 10 ? n : 10;
    if (!(sum > 0)) return CT_OK;
    qsort(ops, (size_t)n, sizeof *ops, slowest_first);
    ct_text_add(t, "<h2>Where the time goes</h2>\n<p class=\"note\">One training step, measured after the "
                   "training, each kind "
                   "of op on its own: ");
    time_text(t, sum);
    ct_text_add(t, " of work.</p>\n<table><tr><th>op</th><th>time</th><th></th></tr>\n");
    for (int64_t i = 0; i < shown; i++) {
        ct_text_add(t, "<tr><td data-t>");
        ct__report_text(t, ops[i].op);
        ct_text_add(t, "</td><td>");
        time_text(t, ops[i].ms);
        ct_text_add(t, "</td><td data-t class=\"l\">");
        ct__report_bar(t, ops[i].ms / sum, 0);
        ct_text_add(t, "</td></tr>\n");
    }
    ct_text_add(t, "</table>\n");
    return CT_OK;
}
